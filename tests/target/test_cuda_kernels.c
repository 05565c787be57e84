/* Compiled kernels in engine files, over the fake driver and its NVRTC: a load compiles nothing and wants no NVRTC,
   another kind of device compiles its own, and what a file holds may be damaged, foreign or unwelcome. */
#include "engine/format.h"
#include "failing.h"
#include "network.h"

static char path[1100], folder_without[1100];
static long (*nvrtc_calls)(void);
static void (*nvrtc_newest)(int sm);

/* The fake driver and NVRTC; a folder with the driver alone. */
static void use_both(void) {
  char from[1200];
  use_fake();
  snprintf(from, sizeof from, "%s/libnvrtc.so.13", folder);
  void *nvrtc = dlopen(from, RTLD_NOW | RTLD_LOCAL);
  REQUIRE(nvrtc != NULL);
  fake_symbol(nvrtc, "fake_nvrtc_calls", &nvrtc_calls, sizeof nvrtc_calls);
  fake_symbol(nvrtc, "fake_nvrtc_newest", &nvrtc_newest, sizeof nvrtc_newest);
  snprintf(path, sizeof path, "%s/test_cuda_kernels.pelton", getenv("PELTON_BUILD"));
  snprintf(folder_without, sizeof folder_without, "%s/test_cuda_kernels", getenv("PELTON_BUILD"));
  char command[4096];
  snprintf(command, sizeof command, "mkdir -p '%s' && ln -sf '%s/libcuda.so.1' '%s/libcuda.so.1'", folder_without,
           folder, folder_without);
  REQUIRE(system(command) == 0);
}

static pelton_status build(const char *libraries, pelton_engine **out, pelton_diag *diag) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_model *model = NULL;
  *out = NULL;
  options.level = 1; /* more is compiled than is kept */
  options.threads = 1;
  options.targets = "cuda";
  options.device_libraries = libraries;
  pelton_status status = pelton_model_parse(network_text, strlen(network_text), NULL, &model, diag);
  if (!status) status = pelton_engine_build(model, &options, out, diag);
  pelton_model_release(model);
  return status;
}

static void build_and_save(void) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  REQUIRE_OK(build(folder, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_save(engine, path, &diag), &diag);
  pelton_engine_release(engine);
}

static char last_note[512];
static uint32_t note_count;
static void take_note(void *self, pelton_log_level level, const char *message) {
  (void)self;
  if (level < PELTON_LOG_WARNING) return;
  (void)snprintf(last_note, sizeof last_note, "%s", message);
  note_count++;
}

static pelton_status open_at(const char *libraries, bool compile, const pelton_allocator *allocator,
                             pelton_engine **out, pelton_diag *diag) {
  static const pelton_log log = {NULL, take_note};
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  options.target = "cuda";
  options.device_libraries = libraries;
  options.compile_kernels = compile;
  options.allocator = allocator;
  options.log = &log;
  note_count = 0;
  return pelton_engine_open(path, &options, out, diag);
}

static pelton_status run_once(pelton_engine *engine, float *y, pelton_diag *diag) {
  pelton_context *context = NULL;
  float *x = network_input(1, 5);
  REQUIRE(x != NULL);
  pelton_tensor in = network_tensor(x, 1), out[2] = {{0}};
  pelton_status status = pelton_context_create(engine, NULL, &context, diag);
  if (!status) status = pelton_context_run(context, &in, 1, out, 2, diag);
  if (!status) memcpy(y, out[0].data, sizeof(float) * NETWORK_CLASSES);
  pelton_context_release(context);
  free(x);
  return status;
}

/* Opens the file, runs it, and gives the compilations that it took. */
static long compilations(const char *libraries, float *y) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  const long before = nvrtc_calls();
  REQUIRE_OK(open_at(libraries, false, NULL, &engine, &diag), &diag);
  REQUIRE_OK(run_once(engine, y, &diag), &diag);
  pelton_engine_release(engine);
  return nvrtc_calls() - before;
}

TEST(a_load_compiles_nothing) {
  pelton_diag diag = PELTON_DIAG_INIT;
  float built[NETWORK_CLASSES], y[NETWORK_CLASSES];
  pelton_engine *engine;
  char *json;
  use_both();
  const long before = nvrtc_calls();
  REQUIRE_OK(build(folder, &engine, &diag), &diag);
  const long compiled = nvrtc_calls() - before;
  EXPECT(compiled > 0);
  EXPECT_HAS(pelton_engine_report(engine), "\"kernels\":{\"count\":");
  EXPECT_HAS(pelton_engine_report(engine), "\"form\":\"sm_90a\"");
  REQUIRE_OK(run_once(engine, built, &diag), &diag);
  EXPECT_EQ(nvrtc_calls() - before, compiled);
  REQUIRE_OK(pelton_engine_save(engine, path, &diag), &diag);
  pelton_engine_release(engine);
  EXPECT_EQ(compilations(folder, y), 0);
  EXPECT_EQ(memcmp(y, built, sizeof y), 0);
  EXPECT_EQ(compilations(folder_without, y), 0); /* nor is NVRTC looked for */
  EXPECT_EQ(memcmp(y, built, sizeof y), 0);
  EXPECT_EQ(note_count, 0);
  REQUIRE_OK(open_at(folder, false, NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_json(engine, &json, &diag), &diag);
  EXPECT_HAS(json, "\"form\":\"sm_90a\",\"compiler\":\"NVRTC 13.0\"");
  pelton_text_release(json);
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

TEST(only_what_a_plan_runs_is_kept) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_image *image;
  use_both();
  const long before = nvrtc_calls();
  build_and_save();
  const long compiled = nvrtc_calls() - before;
  REQUIRE_OK(pn_image_open(path, NULL, &image, &diag), &diag);
  EXPECT(image->binaries.count > 0);
  EXPECT((long)image->binaries.count < compiled);
  for (uint32_t i = 1; i < image->binaries.count; i++)
    EXPECT(image->binaries.data[i - 1].key[0] < image->binaries.data[i].key[0]);
  pn_image_release(image);
}

TEST(without_nvrtc_it_says_what_to_do) {
  pelton_engine *engine;
  float y[NETWORK_CLASSES];
  use_both();
  build_and_save();
  for (int i = 0; i < 2; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_status status =
        i ? build(folder_without, &engine, &diag) : open_at(folder_without, true, NULL, &engine, &diag);
    if (!i && !status) status = run_once(engine, y, &diag);
    EXPECT_EQ(status, PELTON_DEVICE_ERROR);
    REQUIRE(diag.count > 0);
    EXPECT_HAS(pelton_diag_message(&diag, 0), "has to be compiled for sm_90a, and NVRTC is not installed");
    EXPECT_HAS(pelton_diag_message(&diag, 0), "--device-libraries");
    pelton_engine_release(engine);
  }
  EXPECT_EQ(live(), 0);
}

TEST(another_kind_of_device_compiles_its_own) {
  pelton_diag diag = PELTON_DIAG_INIT;
  float on_90[NETWORK_CLASSES], on_80[NETWORK_CLASSES];
  pelton_engine *engine;
  use_both();
  build_and_save();
  EXPECT_EQ(compilations(folder, on_90), 0);
  set_devices(1, 80);
  EXPECT(compilations(folder, on_80) > 0);
  EXPECT_EQ(note_count, 0); /* that is nothing to warn of */
  for (int i = 0; i < NETWORK_CLASSES; i++) EXPECT_NEAR(on_80[i], on_90[i], 1e-5);
  /* Saved where it ran, it serves both. */
  REQUIRE_OK(open_at(folder, false, NULL, &engine, &diag), &diag);
  REQUIRE_OK(run_once(engine, on_80, &diag), &diag);
  REQUIRE_OK(pelton_engine_save(engine, path, &diag), &diag);
  pelton_engine_release(engine);
  EXPECT_EQ(compilations(folder_without, on_80), 0);
  set_devices(1, 90);
  EXPECT_EQ(compilations(folder_without, on_90), 0);
  /* And younger devices of sm_80's generation, though not of Hopper's. */
  set_devices(1, 89);
  EXPECT_EQ(compilations(folder_without, on_80), 0);
  set_devices(1, 75);
  EXPECT(compilations(folder, on_80) > 0);
  EXPECT_EQ(live(), 0);
}

/* The forms of the kernels in the file. */
static uint32_t count_form(pn_str form) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_image *image;
  uint32_t count = 0;
  REQUIRE_OK(pn_image_open(path, NULL, &image, &diag), &diag);
  for (uint32_t i = 0; i < image->binaries.count; i++) count += pn_str_equal(image->binaries.data[i].form, form);
  pn_image_release(image);
  return count;
}

TEST(a_device_newer_than_nvrtc_gets_ptx_which_newer_ones_take) {
  float on_90[NETWORK_CLASSES], y[NETWORK_CLASSES];
  use_both();
  build_and_save();
  EXPECT_EQ(compilations(folder, on_90), 0);
  nvrtc_newest(103);
  set_devices(1, 120);
  build_and_save();
  nvrtc_newest(0);
  EXPECT(count_form(PN_STR("compute_103")) > 0);
  EXPECT_EQ(count_form(PN_STR("sm_120")), 0);
  EXPECT_EQ(compilations(folder_without, y), 0);
  for (int i = 0; i < NETWORK_CLASSES; i++) EXPECT_NEAR(y[i], on_90[i], 1e-5);
  set_devices(1, 130);
  EXPECT_EQ(compilations(folder_without, y), 0);
  for (int i = 0; i < NETWORK_CLASSES; i++) EXPECT_NEAR(y[i], on_90[i], 1e-5);
  EXPECT_EQ(note_count, 0);
  set_devices(1, 100); /* older than the text */
  EXPECT(compilations(folder, y) > 0);
  EXPECT_EQ(live(), 0);
}

TEST(older_text_does_not_run_where_kernels_begin_early) {
  float y[NETWORK_CLASSES];
  use_both();
  nvrtc_newest(80);
  set_devices(1, 86);
  build_and_save();
  nvrtc_newest(0);
  EXPECT(count_form(PN_STR("compute_80")) > 0);
  set_devices(1, 89);
  EXPECT_EQ(compilations(folder_without, y), 0);
  set_devices(1, 90);
  EXPECT(compilations(folder, y) > 0);
  EXPECT_EQ(note_count, 0);
  EXPECT_EQ(live(), 0);
}

/* Text of less would not wait for the kernel in front. */
TEST(nvrtc_that_knows_no_device_with_early_kernels_compiles_nothing_for_one) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  use_both();
  nvrtc_newest(80);
  EXPECT_EQ(build(folder, &engine, &diag), PELTON_DEVICE_ERROR);
  nvrtc_newest(0);
  pelton_engine_release(engine);
  REQUIRE(diag.count > 0);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "NVRTC does not compile the kernel");
  EXPECT_EQ(live(), 0);
}

TEST(text_that_the_driver_does_not_translate_is_compiled_again) {
  /* It is none, there is nothing to translate it, its version is too new, it is not to be translated. */
  static const int errors[] = {218, 221, 222, 223};
  float y[NETWORK_CLASSES];
  use_both();
  nvrtc_newest(80);
  set_devices(1, 86);
  build_and_save();
  nvrtc_newest(0);
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
    answer_text(errors[i]);
    EXPECT(compilations(folder, y) > 0);
    answer_text(0);
    EXPECT(note_count > 0);
    EXPECT_HAS(last_note, "is not taken by the driver: it is compiled again");
  }
  EXPECT_EQ(live(), 0);
}

TEST(text_that_is_none_is_compiled_again) {
  pelton_diag diag = PELTON_DIAG_INIT;
  float y[NETWORK_CLASSES];
  pn_image *image;
  use_both();
  nvrtc_newest(80);
  set_devices(1, 86);
  build_and_save();
  nvrtc_newest(0);
  /* What does not end, ends too early or is another text is not given to a driver, which is told no size. */
  REQUIRE_OK(pn_image_open(path, NULL, &image, &diag), &diag);
  pn_binary *b = &image->binaries.data[0];
  const pn_binary was = *b;
  const size_t places[] = {was.bytes - 1, 3, 20}; /* of the end, of .version, of what is between */
  const char values[] = {'a', '#', 0};
  for (int i = 0; i < 3; i++) {
    char *text = malloc(was.bytes), copy[1200];
    REQUIRE(text != NULL);
    memcpy(text, was.data, was.bytes);
    text[places[i]] = values[i];
    b->data = text;
    snprintf(copy, sizeof copy, "%s.changed", path);
    REQUIRE_OK(pn_image_write(image, copy, &diag), &diag);
    free(text);
    REQUIRE(rename(copy, path) == 0);
    EXPECT_EQ(compilations(folder, y), 1);
    EXPECT_EQ(note_count, 1);
    EXPECT_HAS(last_note, "is damaged: it is compiled again");
  }
  *b = was;
  pn_image_release(image);
  EXPECT_EQ(live(), 0);
}

TEST(devices_of_an_engine_share_them) {
  pelton_diag diag = PELTON_DIAG_INIT;
  float y[2][NETWORK_CLASSES];
  pelton_engine *engine, *other;
  use_both();
  set_devices(2, 90);
  build_and_save();
  const long before = nvrtc_calls();
  REQUIRE_OK(open_at(folder_without, false, NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_on_device(engine, 1, &other, &diag), &diag);
  REQUIRE_OK(run_once(other, y[1], &diag), &diag);
  REQUIRE_OK(run_once(engine, y[0], &diag), &diag);
  EXPECT_EQ(memcmp(y[0], y[1], sizeof y[0]), 0);
  EXPECT_EQ(nvrtc_calls() - before, 0);
  pelton_engine_release(engine);
  pelton_engine_release(other);
  EXPECT_EQ(live(), 0);
}

/* ---- files of strangers ---------------------------------------------------------------------------------------------
 */

static uint8_t *read_file(size_t *size) {
  FILE *file = fopen(path, "rb");
  REQUIRE(file != NULL);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  uint8_t *bytes = malloc(*size);
  REQUIRE(bytes && fread(bytes, 1, *size, file) == *size);
  fclose(file);
  return bytes;
}

static void write_file(const uint8_t *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  REQUIRE(file && fwrite(bytes, 1, size, file) == size);
  fclose(file);
}

/* The row of the section of kernels in the header's table. */
static uint8_t *row_of_kernels(uint8_t *bytes) {
  for (uint32_t i = 0; i < pn_load_u32(bytes + 24); i++) {
    uint8_t *row = bytes + PN_HEADER_BYTES + (size_t)i * PN_SECTION_ROW_BYTES;
    if (pn_load_u32(row) == PN_SECTION_BINARIES) return row;
  }
  REQUIRE(false);
  return NULL;
}

/* Makes the checksums fit, as someone would who means it. */
static void seal(uint8_t *bytes) {
  uint8_t *row = row_of_kernels(bytes);
  uint64_t sum = pn_hash_bytes(bytes + pn_load_u64(row + 8), pn_load_u64(row + 16), PN_SECTION_BINARIES);
  memcpy(row + 24, &sum, sizeof sum);
  sum = pn_hash_bytes(bytes + PN_HEADER_BYTES, (size_t)pn_load_u32(bytes + 24) * PN_SECTION_ROW_BYTES,
                      pn_hash_bytes(bytes, 32, 0));
  memcpy(bytes + 32, &sum, sizeof sum);
}

TEST(a_damaged_section_is_refused) {
  size_t size;
  pelton_engine *engine;
  use_both();
  build_and_save();
  uint8_t *bytes = read_file(&size);
  const uint8_t *row = row_of_kernels(bytes);
  const uint64_t at = pn_load_u64(row + 8), length = pn_load_u64(row + 16);
  for (uint64_t i = 0; i < length; i += length / 50 + 1) {
    pelton_diag diag = PELTON_DIAG_INIT;
    bytes[at + i] ^= 4;
    write_file(bytes, size);
    EXPECT_EQ(open_at(folder, false, NULL, &engine, &diag), PELTON_INVALID_DATA);
    EXPECT_HAS(pelton_diag_message(&diag, 0), "the engine's section 'kernels' is altered");
    bytes[at + i] ^= 4;
  }
  free(bytes);
}

/* Where the code of the first kernel lies in the file. */
static size_t first_kernel(void) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_image *image;
  REQUIRE_OK(pn_image_open(path, NULL, &image, &diag), &diag);
  const size_t at = (size_t)((const uint8_t *)image->binaries.data[0].data - image->file.data);
  pn_image_release(image);
  return at;
}

TEST(a_kernel_that_is_no_image_is_compiled_again) {
  /* Of the ELF header: its mark, where sections are, their number, their size. */
  static const struct {
    size_t at;
    uint8_t value;
  } changes[] = {{0, 0}, {43, 1}, {47, 255}, {60, 255}, {61, 255}, {58, 1}, {62, 255}};
  float right[NETWORK_CLASSES], y[NETWORK_CLASSES];
  size_t size;
  use_both();
  build_and_save();
  EXPECT_EQ(compilations(folder, right), 0);
  uint8_t *bytes = read_file(&size);
  const size_t at = first_kernel();
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    uint8_t *byte = bytes + at + changes[i].at, was = *byte;
    *byte = changes[i].value;
    REQUIRE(was != *byte);
    seal(bytes);
    write_file(bytes, size);
    EXPECT_EQ(compilations(folder, y), 1);
    EXPECT_EQ(note_count, 1);
    EXPECT_HAS(last_note, "is damaged: it is compiled again");
    EXPECT_EQ(memcmp(y, right, sizeof y), 0);
    *byte = was;
  }
  free(bytes);
  EXPECT_EQ(live(), 0);
}

TEST(a_kernel_that_the_driver_refuses_is_compiled_again) {
  pelton_diag diag = PELTON_DIAG_INIT;
  float right[NETWORK_CLASSES], y[NETWORK_CLASSES];
  pelton_engine *engine;
  pn_image *image;
  use_both();
  set_devices(1, 80);
  build_and_save();
  REQUIRE_OK(open_at(folder, false, NULL, &engine, &diag),
             &diag); /* with other kernels in the image, of another form */
  pelton_engine_release(engine);
  EXPECT_EQ(compilations(folder, right), 0);
  REQUIRE_OK(pn_image_open(path, NULL, &image, &diag), &diag);
  const uint32_t count = image->binaries.count;
  for (uint32_t i = 0; i < count; i++) image->binaries.data[i].form = PN_STR("sm_90a"); /* a lie */
  char copy[1200];
  snprintf(copy, sizeof copy, "%s.lie", path);
  REQUIRE_OK(pn_image_write(image, copy, &diag), &diag);
  pn_image_release(image);
  REQUIRE(rename(copy, path) == 0);
  set_devices(1, 90);
  EXPECT(compilations(folder, y) > 0);
  EXPECT(note_count > 0);
  EXPECT_HAS(last_note, "is not taken by the driver: it is compiled again");
  for (int i = 0; i < NETWORK_CLASSES; i++) EXPECT_NEAR(y[i], right[i], 1e-5);
  EXPECT_EQ(live(), 0);
}

TEST(a_strangers_kernels_need_not_be_run) {
  pelton_diag diag = PELTON_DIAG_INIT;
  float y[NETWORK_CLASSES];
  pelton_engine *engine;
  use_both();
  build_and_save();
  const long before = nvrtc_calls();
  REQUIRE_OK(open_at(folder, true, NULL, &engine, &diag), &diag);
  REQUIRE_OK(run_once(engine, y, &diag), &diag);
  EXPECT(nvrtc_calls() > before);
  pelton_engine_release(engine);
}

/* ---- failures -------------------------------------------------------------------------------------------------------
 */

/* Opens and runs with stored kernels, so that what fails is met in their handling, with |allocator|. */
static pelton_status life(const void *self, const pelton_allocator *allocator, pelton_diag *diag) {
  (void)self;
  pelton_engine *engine = NULL;
  float y[NETWORK_CLASSES];
  pelton_status status = open_at(folder_without, false, allocator, &engine, diag);
  if (!status) status = run_once(engine, y, diag);
  pelton_engine_release(engine);
  return status;
}

TEST(any_call_of_the_driver_may_fail) {
  use_both();
  build_and_save();
  each_call_fails(life, NULL, 0, 40);
}

TEST(any_allocation_may_fail) {
  use_both();
  build_and_save();
  each_allocation_fails(life, NULL, 0);
  remove(path);
}

TEST_MAIN(T(a_load_compiles_nothing), T(only_what_a_plan_runs_is_kept), T(without_nvrtc_it_says_what_to_do),
          T(another_kind_of_device_compiles_its_own), T(a_device_newer_than_nvrtc_gets_ptx_which_newer_ones_take),
          T(older_text_does_not_run_where_kernels_begin_early),
          T(nvrtc_that_knows_no_device_with_early_kernels_compiles_nothing_for_one),
          T(text_that_the_driver_does_not_translate_is_compiled_again), T(text_that_is_none_is_compiled_again),
          T(devices_of_an_engine_share_them), T(a_damaged_section_is_refused),
          T(a_kernel_that_is_no_image_is_compiled_again), T(a_kernel_that_the_driver_refuses_is_compiled_again),
          T(a_strangers_kernels_need_not_be_run), T(any_call_of_the_driver_may_fail), T(any_allocation_may_fail))
