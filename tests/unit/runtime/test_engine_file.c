/* The engine file: what is written is read, and what a stranger made of it ends in an error or in a correct run. */
#include "engine/format.h"
#include "harness.h"
#include "network.h"
#include "runtime/engine.h"

#include <stdio.h>

static char path[512]; /* in the folder of the build, so that two builds' tests do not meet */

static void name_path(void) {
  const char *folder = getenv("PELTON_BUILD");
  snprintf(path, sizeof path, "%s/test_engine_file.pelton", folder && *folder ? folder : "build");
}

/* Kernels as another target would keep them. */
static void add_kernels(pn_image *image) {
  static const char code[3][100] = {"one", "another", "a third"};
  for (uint32_t i = 0; i < 3; i++) {
    const pn_binary b = {{7 - i, i}, PN_STR("sm_90a"), PN_STR("softmax.cu softmax"), PN_STR("NVRTC 13.0"), code[i], 98 + i};
    REQUIRE(pn_list_push(&image->arena, &image->binaries, b));
  }
}

/* Builds the network, saves it, and reads the file. For free(). */
static uint8_t *make_file(size_t *size) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model;
  pelton_engine *engine;
  options.threads = 1;
  options.level = 0;
  name_path();
  REQUIRE_OK(pelton_model_parse(network_text, sizeof network_text - 1, NULL, &model, &diag), &diag);
  REQUIRE_OK(pelton_engine_build(model, &options, &engine, &diag), &diag);
  add_kernels(engine->image);
  REQUIRE_OK(pelton_engine_save(engine, path, &diag), &diag);
  pelton_engine_release(engine);
  pelton_model_release(model);
  FILE *f = fopen(path, "rb");
  REQUIRE(f != NULL);
  uint8_t *bytes = malloc(1 << 22);
  *size = fread(bytes, 1, 1 << 22, f);
  fclose(f);
  return bytes;
}

static pelton_status run_engine(pelton_engine *engine, float *y, pelton_diag *diag) {
  pelton_context *context;
  pelton_status status = pelton_context_create(engine, NULL, &context, diag);
  if (status) return status;
  float *data = network_input(1, 5);
  pelton_tensor in = network_tensor(data, 1), out[8] = {{0}};
  uint32_t outputs = pelton_engine_output_count(engine);
  status = pelton_engine_input_count(engine) == 1 && outputs <= 8
               ? pelton_context_run(context, &in, 1, out, outputs, diag)
               : PELTON_INVALID_ARGUMENT;
  if (!status && y && out[0].bytes == sizeof(float) * NETWORK_CLASSES) memcpy(y, out[0].data, out[0].bytes);
  free(data);
  pelton_context_release(context);
  return status;
}

TEST(a_saved_engine_runs_as_the_built_one) {
  size_t size;
  uint8_t *bytes = make_file(&size);
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *mapped, *copied;
  float y[2][NETWORK_CLASSES];
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  options.threads = 1;
  REQUIRE_OK(pelton_engine_open(path, &options, &mapped, &diag), &diag);
  REQUIRE_OK(pelton_engine_open_memory(bytes, size, &options, &copied, &diag), &diag);
  REQUIRE_OK(run_engine(mapped, y[0], &diag), &diag);
  REQUIRE_OK(run_engine(copied, y[1], &diag), &diag);
  EXPECT_EQ(memcmp(y[0], y[1], sizeof y[0]), 0);
  float sum = 0;
  for (int i = 0; i < NETWORK_CLASSES; i++) sum += y[0][i];
  EXPECT_NEAR(sum, 1, 1e-5);
  pelton_engine_release(mapped);
  pelton_engine_release(copied);
  free(bytes);
  remove(path);
}

TEST(kernels_are_kept_in_order) {
  size_t size;
  uint8_t *bytes = make_file(&size);
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_image *image;
  REQUIRE_OK(pn_image_open_memory(bytes, size, NULL, &image, &diag), &diag);
  REQUIRE(image->binaries.count == 3);
  for (uint32_t i = 0; i < 3; i++) {
    const pn_binary *b = &image->binaries.data[i];
    EXPECT_EQ(b->key[0], 5 + i);
    EXPECT_EQ(b->key[1], 2 - i);
    EXPECT_EQ(b->bytes, 100 - i);
    EXPECT_EQ((uintptr_t)b->data % 64, 0);
    EXPECT(pn_str_is(b->form, "sm_90a") && pn_str_is(b->name, "softmax.cu softmax"));
    EXPECT_STR((const char *)b->data, i == 0 ? "a third" : i == 1 ? "another" : "one");
    EXPECT(pn_binary_find(&image->binaries, b->key, PN_STR("sm_90a")) == b);
    EXPECT(pn_binary_find(&image->binaries, b->key, PN_STR("sm_80")) == NULL);
  }
  pn_image_release(image);
  free(bytes);
  remove(path);
}

TEST(aligned_memory_is_used_in_place) {
  size_t size;
  uint8_t *bytes = make_file(&size), *aligned = aligned_alloc(64, (size + 63) / 64 * 64);
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_image *image;
  memcpy(aligned, bytes, size);
  REQUIRE_OK(pn_image_open_memory(aligned, size, NULL, &image, &diag), &diag);
  EXPECT(image->file.data == aligned);
  pn_image_release(image);
  REQUIRE_OK(pn_image_open_memory(aligned, size, NULL, &image, &diag), &diag); /* and is still the caller's */
  pn_image_release(image);
  free(aligned);
  free(bytes);
  remove(path);
}

TEST(weights_have_checksums_too) {
  size_t size;
  uint8_t *bytes = make_file(&size);
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_image *image;
  REQUIRE_OK(pn_image_open_memory(bytes, size, NULL, &image, &diag), &diag);
  REQUIRE_OK(pn_image_check_weights(image, &diag), &diag);
  size_t at = (size_t)((const uint8_t *)image->constants.data[0].data - image->file.data);
  pn_image_release(image);
  bytes[at] ^= 1;
  REQUIRE_OK(pn_image_open_memory(bytes, size, NULL, &image, &diag), &diag);
  EXPECT_EQ(pn_image_check_weights(image, &diag), PELTON_INVALID_DATA);
  pn_image_release(image);
  free(bytes);
  remove(path);
}

TEST(every_truncation_is_an_error) {
  size_t size;
  uint8_t *bytes = make_file(&size);
  size_t step = size > 65536 ? 7 : 1; /* a prime: all alignments are met */
  for (size_t length = 0; length < size; length += length < 8192 ? 1 : step) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_image *image;
    uint8_t *part = malloc(length ? length : 1); /* of its own, so that a read beyond it is found */
    memcpy(part, bytes, length);
    EXPECT_EQ(pn_image_open_memory(part, length, NULL, &image, &diag), PELTON_INVALID_DATA);
    EXPECT(diag.count > 0);
    free(part);
  }
  free(bytes);
  remove(path);
}

TEST(a_newer_format_says_what_to_do) {
  size_t size;
  uint8_t *bytes = make_file(&size);
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  bytes[8] = 99;
  EXPECT_EQ(pelton_engine_open_memory(bytes, size, NULL, &engine, &diag), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "99");
  EXPECT_HAS(pelton_diag_message(&diag, 0), "update Pelton");
  free(bytes);
  remove(path);
}

/* ---- mutations ------------------------------------------------------------------------------------------------------
 */

/* Memory in reasonable amounts only: a mutated shape may ask for any. */
enum { MOST_BYTES = 1 << 24 };
static void *limited_alloc(void *self, size_t bytes, size_t align) {
  (void)self;
  if (align < 64) align = 64;
  return bytes > MOST_BYTES ? NULL : aligned_alloc(align, (bytes + align - 1) / align * align);
}
static void limited_release(void *self, void *pointer) {
  (void)self;
  free(pointer);
}

/* Makes the checksums of small sections and of the header fit again, so that mutations reach the readers behind them.
 */
static void repair(uint8_t *bytes, size_t size) {
  uint32_t count = pn_load_u32(bytes + 24);
  if (count > PN_MAX_SECTIONS) return;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *row = bytes + PN_HEADER_BYTES + (size_t)i * PN_SECTION_ROW_BYTES;
    uint32_t kind = pn_load_u32(row);
    uint64_t offset = pn_load_u64(row + 8), length = pn_load_u64(row + 16);
    if (offset > size || length > size - offset) continue;
    uint64_t sum = pn_hash_bytes(bytes + offset, (size_t)length, kind);
    memcpy(row + 24, &sum, sizeof sum);
  }
  uint64_t sum =
      pn_hash_bytes(bytes + PN_HEADER_BYTES, (size_t)count * PN_SECTION_ROW_BYTES, pn_hash_bytes(bytes, 32, 0));
  memcpy(bytes + 32, &sum, sizeof sum);
}

static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

/* Where mutations go: the header, and the sections that are parsed. */
static size_t pick_place(const uint8_t *bytes, uint32_t *random) {
  uint32_t count = pn_load_u32(bytes + 24), i = next_random(random) % (count + 1);
  if (i == count) return next_random(random) % (PN_HEADER_BYTES + count * PN_SECTION_ROW_BYTES);
  const uint8_t *row = bytes + PN_HEADER_BYTES + (size_t)i * PN_SECTION_ROW_BYTES;
  uint64_t length = pn_load_u64(row + 16);
  return (size_t)(pn_load_u64(row + 8) + (length ? next_random(random) % length : 0));
}

TEST(mutations_end_in_an_error_or_a_run) {
  size_t size;
  uint8_t *bytes = make_file(&size), *copy = malloc(size);
  const char *text = getenv("PELTON_MUTATIONS");
  long mutations = text ? strtol(text, NULL, 10) : 20000;
  uint32_t random = 2463534242u, opened = 0, ran = 0;
  pelton_allocator allocator = {NULL, limited_alloc, limited_release};
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  options.allocator = &allocator;
  options.threads = 1;
  for (long i = 0; i < mutations; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_engine *engine;
    memcpy(copy, bytes, size);
    for (uint32_t k = 1 + next_random(&random) % 3; k > 0; k--) {
      size_t place = pick_place(bytes, &random);
      copy[place] = next_random(&random) % 4 ? (uint8_t)(copy[place] ^ (1u << next_random(&random) % 8))
                                             : (uint8_t)next_random(&random);
    }
    if (i % 8) repair(copy, size);
    pelton_status status = pelton_engine_open_memory(copy, size, &options, &engine, &diag);
    EXPECT(status == PELTON_OK || diag.count > 0);
    if (status) continue;
    opened++;
    status = run_engine(engine, NULL, &diag);
    EXPECT(status == PELTON_OK || diag.count > 0 || status == PELTON_INVALID_ARGUMENT);
    ran += status == PELTON_OK;
    pelton_engine_release(engine);
  }
  printf("  %ld mutations, %u opened, %u ran\n", mutations, opened, ran);
  free(copy);
  free(bytes);
  remove(path);
}

TEST_MAIN(T(a_saved_engine_runs_as_the_built_one), T(kernels_are_kept_in_order), T(aligned_memory_is_used_in_place), T(weights_have_checksums_too),
          T(every_truncation_is_an_error), T(a_newer_format_says_what_to_do), T(mutations_end_in_an_error_or_a_run))
