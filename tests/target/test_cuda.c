/* The target cuda over the fake driver: what a host without a GPU can know of it. The driver's calls fail one after the
   other, memory runs out at every allocation, the device is lost in the middle: an error each time, nothing left, no
   hang. */
#include "failing.h"
#include "fake_engine.h"
#include "network.h"
#include "op/type.h"
#include "target/target.h"

/* ---- the device
 * ------------------------------------------------------------------------------------------------------ */

static pelton_status open_device(uint32_t index, pn_device **out, pelton_diag *diag) {
  const pn_target *target = pn_target_find(PN_STR("cuda"));
  pn_device_options options = {.allocator = &pn_allocator_default, .index = index, .libraries = folder};
  REQUIRE(target != NULL);
  return target->device_open(&options, out, diag);
}

TEST(a_device_says_why_it_cannot_be_used) {
  pn_device *device;
  pelton_diag diag = PELTON_DIAG_INIT;
  use_fake();
  set_devices(0, 90);
  EXPECT_EQ(open_device(0, &device, &diag), PELTON_DEVICE_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "sees no device");
  set_devices(1, 61);
  pelton_diag_init(&diag);
  EXPECT_EQ(open_device(0, &device, &diag), PELTON_DEVICE_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "too old: compute capability 6.1");
  set_devices(1, 90);
  pelton_diag_init(&diag);
  EXPECT_EQ(open_device(3, &device, &diag), PELTON_DEVICE_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "no CUDA device 3");
  EXPECT_EQ(live(), 0);
}

TEST(devices_are_listed_with_their_reasons) {
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  char *text;
  use_fake();
  options.device_libraries = folder;
  REQUIRE_OK(pelton_devices_json(&options, &text, &diag), &diag);
  EXPECT_HAS(text, "Fake GPU");
  EXPECT_HAS(text, "sm_90");
  pelton_text_release(text);
  set_devices(1, 61);
  REQUIRE_OK(pelton_devices_json(&options, &text, &diag), &diag);
  EXPECT_HAS(text, "it is too old");
  pelton_text_release(text);
}

static const pn_peak *find_peak(const pn_peaks *peaks, const char *name) {
  for (uint32_t i = 0; i < peaks->count; i++)
    if (!strcmp(peaks->peak[i].name, name)) return &peaks->peak[i];
  return NULL;
}

/* By what the device has and may do; the rates themselves are a host's. */
TEST(peaks_are_those_of_the_devices_units) {
  static const struct {
    int capability;
    bool tf32;
    const char *names[6];
  } rows[] = {
      {70, true, {"f32_fma", "f16_tensor", "read_l2", "read_memory"}},
      {80, false, {"f32_fma", "f16_tensor", "bf16_tensor", "read_l2", "read_memory"}},
      {90, true, {"f32_fma", "f16_tensor", "bf16_tensor", "tf32_tensor", "read_l2", "read_memory"}},
  };
  const pn_target *target = pn_target_find(PN_STR("cuda"));
  use_fake();
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    pn_device_options options = {.allocator = &pn_allocator_default,
                                 .libraries = folder,
                                 .capability = rows[i].capability,
                                 .tf32 = rows[i].tf32};
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_device *device;
    pn_peaks peaks;
    uint32_t count = 0;
    REQUIRE_OK(target->device_open(&options, &device, &diag), &diag);
    REQUIRE_OK(target->peaks(device, &peaks, &diag), &diag);
    while (count < 6 && rows[i].names[count]) {
      const pn_peak *peak = find_peak(&peaks, rows[i].names[count++]);
      EXPECT(peak && peak->all > 0 && peak->all < 1e30);
    }
    EXPECT_EQ(peaks.count, count);
    EXPECT(find_peak(&peaks, "read_l2")->bytes > 0);
    target->device_close(device);
  }
  EXPECT_EQ(live(), 0);
}

TEST(peaks_that_fail_leave_nothing) {
  const pn_target *target = pn_target_find(PN_STR("cuda"));
  pelton_status status = PELTON_DEVICE_ERROR;
  use_fake();
  for (long n = 1; status; n += 1 + n / 3) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_device *device;
    pn_peaks peaks;
    REQUIRE_OK(open_device(0, &device, &diag), &diag);
    fail_at(n);
    status = target->peaks(device, &peaks, &diag);
    EXPECT_EQ(status != PELTON_OK, diag.count > 0);
    fail_at(0);
    target->device_close(device);
    EXPECT_EQ(live(), 0);
    REQUIRE(n < 100000);
  }
}

/* The list keeps a device that cannot be measured, here for want of memory. */
TEST(a_list_of_devices_has_their_peaks) {
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  harness_allocator a;
  char *text;
  use_fake();
  options.device_libraries = folder;
  REQUIRE_OK(pelton_devices_json(&options, &text, &diag), &diag);
  EXPECT_HAS(text, "\"tf32_tensor\"");
  pelton_text_release(text);
  options.allocator = harness_allocator_init(&a, 1);
  REQUIRE_OK(pelton_devices_json(&options, &text, &diag), &diag);
  EXPECT_HAS(text, "Fake GPU");
  EXPECT_HAS(text, "\"peaks_reason\"");
  pelton_text_release(text);
  EXPECT_EQ(live(), 0);
}

/* As an older one, whose kernels are compiled to text; never as a newer one. */
TEST(a_device_may_be_used_as_an_older_one) {
  static const struct {
    int capability;
    const char *means;
  } lowered[] = {{80, "sm_80"}, {120, "sm_90"}, {61, "sm_90"}, {0, "sm_90"}};
  const pn_target *target = pn_target_find(PN_STR("cuda"));
  use_fake();
  for (size_t i = 0; i < sizeof lowered / sizeof lowered[0]; i++) {
    pn_device_options options = {
        .allocator = &pn_allocator_default, .libraries = folder, .capability = lowered[i].capability};
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_device *device;
    REQUIRE_OK(target->device_open(&options, &device, &diag), &diag);
    EXPECT_HAS(target->fingerprint(device), lowered[i].means);
    EXPECT_EQ(target->splits_products(device), lowered[i].capability != 80);
    target->device_close(device);
  }
  /* A newer one as Hopper has not what only Hopper has. */
  set_devices(1, 100);
  pn_device_options options = {.allocator = &pn_allocator_default, .libraries = folder, .capability = 90};
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_device *device;
  REQUIRE_OK(target->device_open(&options, &device, &diag), &diag);
  EXPECT_HAS(target->fingerprint(device), "sm_90");
  EXPECT(!target->splits_products(device));
  target->device_close(device);
  EXPECT_EQ(live(), 0);
}

TEST(what_goes_up_comes_down) {
  static const size_t sizes[] = {0, 1, 4097, (1u << 21) - 1, 1u << 21, 5000001, 9u << 20};
  const pn_target *target = pn_target_find(PN_STR("cuda"));
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_device *device;
  pn_stream *stream;
  use_fake();
  REQUIRE_OK(open_device(0, &device, &diag), &diag);
  REQUIRE_OK(target->stream_create(device, &stream, &diag), &diag);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    unsigned char *from = malloc(sizes[i] + 1), *to = calloc(1, sizes[i] + 1);
    void *there;
    REQUIRE_OK(target->memory_alloc(device, sizes[i], "a test", &there, &diag), &diag);
    REQUIRE(from && to && there);
    for (size_t k = 0; k < sizes[i]; k++) from[k] = (unsigned char)(k * 2654435761u >> 13);
    REQUIRE_OK(target->upload(stream, there, from, sizes[i], &diag), &diag);
    REQUIRE_OK(target->download(stream, to, there, sizes[i], &diag), &diag);
    EXPECT(!memcmp(from, to, sizes[i]));
    target->memory_release(device, there);
    free(from);
    free(to);
  }
  double seconds = -1;
  REQUIRE_OK(target->timer_start(stream, &diag), &diag);
  REQUIRE_OK(target->timer_stop(stream, &seconds, &diag), &diag);
  EXPECT(seconds >= 0);
  target->stream_release(stream);
  target->device_close(device);
  EXPECT_EQ(live(), 0);
}

static const pn_tactic *tactic_of(const pn_device *device, const char *name) {
  const pn_tactic *const *list;
  for (uint32_t i = pn_target_find(PN_STR("cuda"))->tactics(device, &list); i-- > 0;)
    if (!strcmp(list[i]->name, name)) return list[i];
  return NULL;
}

/* Whether tactic |name| takes one node of |op| with |count| operands, the last its result; |why| gets the reason. */
static bool takes(const char *name, pn_op op, const void *attrs, const pn_operand *operands, uint32_t count,
                  pn_reason *why) {
  static const uint16_t indices[] = {0, 1, 2, 3};
  const pn_problem_node node = {op, attrs, count - 1, 1, indices, indices + count - 1};
  const pn_problem problem = {1, &node, count, operands, false};
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_device *device;
  REQUIRE_OK(open_device(0, &device, &diag), &diag);
  const pn_tactic *found = tactic_of(device, name);
  REQUIRE(found != NULL);
  const bool accepted = found->accepts(&problem, device, why);
  pn_target_find(PN_STR("cuda"))->device_close(device);
  return accepted;
}

/* Products of more tiles than a device has room for, too large to be run here: every config that is offered can be
   prepared, its shared memory above all, and among them are tiles that warpgroups have in turn. */
TEST(tiles_of_large_products_fit_the_device) {
  static const pn_attrs_matmul matmul = {0};
  static const uint16_t indices[] = {0, 1, 2};
  static const int64_t extents[][3] = {{12608, 768, 2304}, {100352, 576, 64}, {33792, 64, 250}};
  enum { MOST = 16, IN_TURN = 12 }; /* of wgmma.c's table: the first of them */
  use_fake();
  for (uint32_t k = 0; k < sizeof extents / sizeof extents[0]; k++) {
    const int64_t *n = extents[k];
    const pn_operand product[] = {
        {PN_OPERAND_INPUT, PELTON_DTYPE_F16, PN_LAYOUT_PLAIN, 2, {n[0], n[1]}, NULL},
        {PN_OPERAND_CONSTANT, PELTON_DTYPE_F16, PN_LAYOUT_PLAIN, 2, {n[1], n[2]}, NULL},
        {PN_OPERAND_OUTPUT, PELTON_DTYPE_F16, PN_LAYOUT_PLAIN, 2, {n[0], n[2]}, NULL},
    };
    const pn_problem_node node = {PN_OP_MATMUL, &matmul, 2, 1, indices, indices + 2};
    const pn_problem problem = {1, &node, 3, product, false};
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_config configs[MOST];
    pn_device *device;
    bool in_turn = false;
    REQUIRE_OK(open_device(0, &device, &diag), &diag);
    const pn_tactic *tactic = tactic_of(device, "cuda.gemm_wgmma");
    REQUIRE(tactic != NULL);
    uint32_t count = tactic->configs(&problem, device, configs, MOST);
    EXPECT(count > 0);
    for (uint32_t i = 0; i < count; i++) {
      pn_sizes sizes = {0};
      tactic->sizes(&problem, device, &configs[i], &sizes);
      void *state = calloc(1, sizes.state_bytes);
      REQUIRE(state);
      REQUIRE_OK(tactic->prepare(&problem, device, &configs[i], state, &diag), &diag);
      if (tactic->release_state) tactic->release_state(state);
      free(state);
      in_turn = in_turn || configs[i].value[0] >= IN_TURN;
    }
    EXPECT(in_turn);
    pn_target_find(PN_STR("cuda"))->device_close(device);
  }
  EXPECT_EQ(live(), 0);
}

/* Problems whose indices would go round in 32 bits: too large to be run here. */
TEST(what_32_bits_do_not_index_is_refused) {
  static const pn_attrs_matmul matmul = {0};
  static const pn_attrs_attention attention = {.left_window = -1, .right_window = -1};
  use_fake();
  for (int64_t more = 0; more < 2; more++) {
    int64_t columns = (INT64_C(1) << 29) - 1 + more, queries = (INT64_C(1) << 30) - 1024 + more;
    const pn_operand product[] = {
        {PN_OPERAND_INPUT, PELTON_DTYPE_F32, PN_LAYOUT_PLAIN, 2, {1, 1}, NULL},
        {PN_OPERAND_CONSTANT, PELTON_DTYPE_F32, PN_LAYOUT_PLAIN, 2, {1, columns}, NULL}, /* four times as much packed */
        {PN_OPERAND_OUTPUT, PELTON_DTYPE_F32, PN_LAYOUT_PLAIN, 2, {1, columns}, NULL},
    };
    const pn_operand heads[] = {
        {PN_OPERAND_INPUT, PELTON_DTYPE_F16, PN_LAYOUT_PLAIN, 4, {1, 1, queries, 1}, NULL},
        {PN_OPERAND_INPUT, PELTON_DTYPE_F16, PN_LAYOUT_PLAIN, 4, {1, 1, 4, 1}, NULL},
        {PN_OPERAND_INPUT, PELTON_DTYPE_F16, PN_LAYOUT_PLAIN, 4, {1, 1, 4, 1}, NULL},
        {PN_OPERAND_OUTPUT, PELTON_DTYPE_F16, PN_LAYOUT_PLAIN, 4, {1, 1, queries, 1}, NULL},
    };
    pn_reason why = {""};
    EXPECT_EQ(takes("cuda.gemm_fma", PN_OP_MATMUL, &matmul, product, 3, &why), !more);
    if (more) EXPECT_HAS(why.text, "2^31");
    EXPECT_EQ(takes("cuda.attention_tensor", PN_OP_ATTENTION, &attention, heads, 4, &why), !more);
    if (more) EXPECT_HAS(why.text, "2^30");
  }
  EXPECT_EQ(live(), 0);
}

/* ---- networks
 * ---------------------------------------------------------------------------------------------------------- */

enum { RUNS = 4 }; /* one by one, once more, recorded, played */

/* The first output of |runs| runs on |target|, in |y|. */
static pelton_status life(const char *text, const char *target, const pelton_allocator *allocator, int runs, float *y,
                          size_t y_bytes, pelton_diag *diag) {
  pelton_engine *engine = NULL;
  pelton_context *context = NULL;
  static float x[4096];
  for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) x[i] = (float)((i * 37) % 101) / 50.0f - 1.0f;
  pelton_status status = build(text, target, allocator, &engine, diag);
  if (!status) status = pelton_context_create(engine, NULL, &context, diag);
  for (int r = 0; r < runs && !status; r++) {
    pelton_tensor in[4] = {{0}}, out[4] = {{0}};
    for (uint32_t i = 0; i < pelton_engine_input_count(engine); i++) {
      pelton_io_info info;
      REQUIRE_OK(pelton_engine_input(engine, i, &info), diag);
      in[i] = (pelton_tensor){info.dtype, info.shape, x, sizeof x};
      for (uint32_t d = 0; d < info.shape.rank; d++)
        if (info.shape.dims[d] < 0) in[i].shape.dims[d] = 2;
    }
    status = pelton_context_run(context, in, pelton_engine_input_count(engine), out, pelton_engine_output_count(engine),
                                diag);
    if (!status && y) memcpy(y, out[0].data, out[0].bytes < y_bytes ? out[0].bytes : y_bytes);
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
  return status;
}

TEST(results_are_those_of_the_cpu) {
  float cpu[256] = {0}, cuda[256] = {0};
  pelton_diag diag = PELTON_DIAG_INIT;
  use_fake();
  REQUIRE_OK(life(network_text, "cpu", NULL, 1, cpu, sizeof cpu, &diag), &diag);
  for (int runs = 1; runs <= RUNS; runs++) {
    memset(cuda, 0, sizeof cuda);
    REQUIRE_OK(life(network_text, "cuda", NULL, runs, cuda, sizeof cuda, &diag), &diag);
    for (size_t i = 0; i < sizeof cpu / sizeof cpu[0]; i++) EXPECT_NEAR(cuda[i], cpu[i], 1e-4);
  }
  EXPECT_EQ(live(), 0);
}

/* Parts of a value that no kernel could read or write sixteen bytes at a time: they are copied, beside products. */
TEST(parts_of_values_lie_where_kernels_read_them) {
#define PARTED                                                                                                         \
  "  %w: f32[64,64] = const random(2)\n  %s: i64[2] = const [3,64]\n  %p, %q = split(%z, %s) axis=1\n"                 \
  "  %a = pointwise(%p) expr=\"tanh(x0)\"\n"
#define HALVES                                                                                                         \
  "  %xh = pointwise(%x) expr=\"cast(x0,f16)\"\n  %zh = pointwise(%z) expr=\"cast(x0,f16)\"\n"                         \
  "  %w: f16[64,64] = const random(2)\n  %s: i64[2] = const [3,64]\n  %p, %q = split(%zh, %s) axis=1\n"                \
  "  %a = pointwise(%p) expr=\"tanh(x0)\"\n"
  static const char *const graphs[] = {
      "graph g(%x: f32[1,64], %z: f32[1,67]) -> (%y)\n" PARTED
      "  %m = matmul(%x, %w)\n  %c = concat(%a, %m) axis=1\n  %y = pointwise(%c) expr=\"tanh(x0)\"\nend\n",
      "graph g(%x: f32[1,64], %z: f32[1,67]) -> (%y, %a)\n" PARTED "  %y = matmul(%q, %w)\nend\n",
      "graph g(%x: f32[1,64], %z: f32[1,67]) -> (%y)\n" HALVES
      "  %m = matmul(%xh, %w)\n  %c = concat(%a, %m) axis=1\n  %y = pointwise(%c) expr=\"cast(x0,f32)\"\nend\n",
      "graph g(%x: f32[1,64], %z: f32[1,67]) -> (%y, %a)\n" HALVES
      "  %m = matmul(%xh, %w)\n  %r = pointwise(%m, %q) expr=\"add(x0,x1)\"\n"
      "  %y = pointwise(%r) expr=\"cast(x0,f32)\"\nend\n",
  };
#undef PARTED
#undef HALVES
  use_fake();
  for (size_t g = 0; g < sizeof graphs / sizeof graphs[0]; g++) {
    float cpu[67] = {0}, cuda[67] = {0};
    pelton_diag diag = PELTON_DIAG_INIT;
    REQUIRE_OK(life(graphs[g], "cpu", NULL, 1, cpu, sizeof cpu, &diag), &diag);
    REQUIRE_OK(life(graphs[g], "cuda", NULL, RUNS, cuda, sizeof cuda, &diag), &diag);
    for (size_t i = 0; i < sizeof cpu / sizeof cpu[0]; i++) EXPECT_NEAR(cuda[i], cpu[i], g < 2 ? 1e-4 : 2e-2);
  }
  EXPECT_EQ(live(), 0);
}

/* A first layer's filter is packed for the width of the picture: one plan's must not be another's. */
TEST(widths_of_one_engine_have_filters_of_their_own) {
  enum { HEIGHT = 6, CHANNELS = 3, OUTPUTS = 64, TAPS = 27, MOST = 33 };
  static const int64_t widths[] = {32, 33, 32};
  static char text[40000];
  static uint16_t x[CHANNELS * HEIGHT * MOST]; /* from 1 to 1.5 */
  size_t used =
      (size_t)snprintf(text, sizeof text, "graph g(%%x: f16[1,%d,%d,w]) -> (%%y)\n  %%w: f16[%d,%d,3,3] = const [",
                       CHANNELS, HEIGHT, OUTPUTS, CHANNELS);
  for (int i = 0; i < OUTPUTS * TAPS; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%g", i ? ", " : "", (i * 29 % 17 - 8) / 16.0);
  (void)snprintf(text + used, sizeof text - used,
                 "]\n  %%c = conv(%%x, %%w) pads=[1,1,1,1]\n  %%y = pointwise(%%c) expr=\"cast(x0,f32)\"\nend\n");
  for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) x[i] = (uint16_t)(0x3c00 + i * 37 % 512);
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engines[2] = {NULL};
  pelton_context *contexts[2] = {NULL};
  use_fake();
  for (int k = 0; k < 2; k++) {
    REQUIRE_OK(build(text, k ? "cuda" : "cpu", NULL, &engines[k], &diag), &diag);
    REQUIRE_OK(pelton_context_create(engines[k], NULL, &contexts[k], &diag), &diag);
  }
  EXPECT_HAS(pelton_engine_report(engines[1]), "\"tactic\":\"cuda.conv_wgmma\"");
  for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
    pelton_tensor in = {PELTON_DTYPE_F16, {4, {1, CHANNELS, HEIGHT, widths[i]}}, x, 0}, out[2] = {{0}};
    in.bytes = (size_t)(CHANNELS * HEIGHT * widths[i]) * sizeof x[0];
    for (int k = 0; k < 2; k++) REQUIRE_OK(pelton_context_run(contexts[k], &in, 1, &out[k], 1, &diag), &diag);
    REQUIRE(out[0].bytes == out[1].bytes);
    for (size_t e = 0; e < out[0].bytes / sizeof(float); e++)
      EXPECT_NEAR(((float *)out[1].data)[e], ((float *)out[0].data)[e], 2e-2);
  }
  for (int k = 0; k < 2; k++) {
    pelton_context_release(contexts[k]);
    pelton_engine_release(engines[k]);
  }
  EXPECT_EQ(live(), 0);
}

TEST(options_name_an_older_device) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model = NULL;
  pelton_engine *engine = NULL;
  use_fake();
  options.targets = "cuda";
  options.device_libraries = folder;
  options.level = 0;
  options.precision = "tf32"; /* which the engine keeps */
  options.cpu_isa = "sm_80";
  REQUIRE_OK(pelton_model_parse(network_text, strlen(network_text), NULL, &model, &diag), &diag);
  REQUIRE_OK(pelton_engine_build(model, &options, &engine, &diag), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "sm_80 tf32");
  pelton_engine_release(engine);
  options.precision = NULL;
  options.cpu_isa = "sm_80";
  REQUIRE_OK(pelton_engine_build(model, &options, &engine, &diag), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "sm_80 driver");
  pelton_engine_release(engine);
  options.cpu_isa = "sm_8x";
  EXPECT_EQ(pelton_engine_build(model, &options, &engine, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "sm_8x");
  pelton_model_release(model);
  EXPECT_EQ(live(), 0);
}

TEST(inputs_and_outputs_may_stay_on_the_device) {
  enum { BATCH = 2 };
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  float *x = network_input(BATCH, 5), y[BATCH * NETWORK_CLASSES], m[BATCH * NETWORK_MEANS];
  float there_y[BATCH * NETWORK_CLASSES], there_m[BATCH * NETWORK_MEANS];
  void *x_there, *y_there, *m_there;
  use_fake();
  REQUIRE(x != NULL);
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  pelton_tensor in = network_tensor(x, BATCH),
                out[2] = {{.data = y, .bytes = sizeof y}, {.data = m, .bytes = sizeof m}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  REQUIRE_OK(pelton_memory_create(engine, in.bytes, &x_there, &diag), &diag);
  REQUIRE_OK(pelton_memory_create(engine, sizeof y, &y_there, &diag), &diag);
  REQUIRE_OK(pelton_memory_create(engine, sizeof m, &m_there, &diag), &diag);
  REQUIRE_OK(pelton_memory_write(engine, x_there, x, in.bytes, &diag), &diag);
  for (int r = 0; r < RUNS; r++) {
    memset(there_y, 0, sizeof there_y);
    memset(there_m, 0, sizeof there_m);
    REQUIRE_OK(pelton_memory_write(engine, y_there, there_y, sizeof y, &diag), &diag);
    in.data = x_there;
    out[0] = (pelton_tensor){.data = y_there, .bytes = sizeof y};
    out[1] = r % 2 ? (pelton_tensor){.data = there_m, .bytes = sizeof m}
                   : (pelton_tensor){.data = m_there, .bytes = sizeof m};
    REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
    EXPECT(out[0].data == y_there);
    REQUIRE_OK(pelton_memory_read(engine, there_y, y_there, sizeof y, &diag), &diag);
    if (r % 2 == 0) REQUIRE_OK(pelton_memory_read(engine, there_m, m_there, sizeof m, &diag), &diag);
    EXPECT(!memcmp(y, there_y, sizeof y));
    EXPECT(!memcmp(m, there_m, sizeof m));
  }
  pelton_memory_release(engine, x_there);
  pelton_memory_release(engine, y_there);
  pelton_memory_release(engine, m_there);
  pelton_context_release(context);
  pelton_engine_release(engine);
  free(x);
  EXPECT_EQ(live(), 0);
}

TEST(a_callers_stream_takes_runs) {
  enum { BATCH = 2 };
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  float *x = network_input(BATCH, 5), y[BATCH * NETWORK_CLASSES], m[BATCH * NETWORK_MEANS],
        got[BATCH * NETWORK_CLASSES];
  use_fake();
  REQUIRE(x != NULL);
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  pelton_tensor in = network_tensor(x, BATCH),
                out[2] = {{.data = y, .bytes = sizeof y}, {.data = m, .bytes = sizeof m}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  EXPECT_EQ(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "input 'x' is not memory of the engine's device");
  in.data = place(engine, x, in.bytes);
  void *y_there = place(engine, NULL, sizeof y), *m_there = place(engine, NULL, sizeof m);
  for (int r = 0; r < 6; r++) { /* one by one, recorded, played; and what was an ordinary run before */
    long before;
    memset(got, 0, sizeof got);
    REQUIRE_OK(pelton_memory_write(engine, y_there, got, sizeof got, &diag), &diag);
    out[0] = (pelton_tensor){.data = y_there, .bytes = sizeof y};
    out[1] = (pelton_tensor){.data = m_there, .bytes = sizeof m};
    before = calls();
    if (r == 3)
      REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
    else
      REQUIRE_OK(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), &diag);
    if (r == 5) EXPECT(calls() - before < 20); /* one graph, whatever the number of steps */
    EXPECT_EQ(out[0].bytes, sizeof y);
    REQUIRE_OK(pelton_memory_read(engine, got, y_there, sizeof got, &diag), &diag);
    EXPECT(!memcmp(got, y, sizeof y));
  }
  out[0].bytes = 4;
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_STR(pelton_diag_message(&diag, 0), "output 'y' needs 80 bytes of the engine's device, given are 4");
  out[0] = (pelton_tensor){.data = y, .bytes = sizeof y};
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "output 'y' is given 80 bytes that are not memory of the engine's device");
  pelton_memory_release(engine, in.data);
  pelton_memory_release(engine, y_there);
  pelton_memory_release(engine, m_there);
  pelton_context_release(context);
  pelton_engine_release(engine);
  free(x);
  EXPECT_EQ(live(), 0);
}

/* Callers who alternate between buffers have each set's steps recorded; of more sets than are kept, none is lost. */
TEST(buffers_take_turns) {
  enum { SETS = 5 };
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  float *x = network_input(1, 5), y[NETWORK_CLASSES], m[NETWORK_MEANS], got[NETWORK_CLASSES];
  use_fake();
  REQUIRE(x != NULL);
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  pelton_tensor in = network_tensor(x, 1), out[2] = {{.data = y, .bytes = sizeof y}, {.data = m, .bytes = sizeof m}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  in.data = place(engine, x, in.bytes);
  void *there[SETS], *m_there = place(engine, NULL, sizeof m);
  for (int i = 0; i < SETS; i++) there[i] = place(engine, NULL, sizeof y);
  for (int sets = 2; sets <= SETS; sets += SETS - 2)
    for (int r = 0; r < 4 * sets; r++) {
      memset(got, 0, sizeof got);
      REQUIRE_OK(pelton_memory_write(engine, there[r % sets], got, sizeof got, &diag), &diag);
      out[0] = (pelton_tensor){.data = there[r % sets], .bytes = sizeof y};
      out[1] = (pelton_tensor){.data = m_there, .bytes = sizeof m};
      long before = calls();
      REQUIRE_OK(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), &diag);
      if (sets == 2 && r >= 2 * sets) EXPECT(calls() - before < 20); /* one graph, whatever the number of steps */
      REQUIRE_OK(pelton_memory_read(engine, got, there[r % sets], sizeof got, &diag), &diag);
      EXPECT(!memcmp(got, y, sizeof y));
    }
  pelton_memory_release(engine, in.data);
  pelton_memory_release(engine, m_there);
  for (int i = 0; i < SETS; i++) pelton_memory_release(engine, there[i]);
  pelton_context_release(context);
  pelton_engine_release(engine);
  free(x);
  EXPECT_EQ(live(), 0);
}

TEST(what_cannot_be_enqueued_says_why) {
  static const struct {
    const char *text, *why;
  } cases[] = {
      {"graph g(%x: f32[2,3]) -> (%n)\n  %n = to_text(%x)\nend\n", "run by the host"},
      {"graph g(%x: f32[2,3]) -> (%y, %n)\n  %y = pointwise(%x) expr=\"relu(x0)\"\n  %n = to_text(%y)\nend\n",
       "(to_text) is run by the host"},
      {"graph g(%x: f32[2,3]) -> (%n)\n  %n = non_zero(%x)\nend\n", "size of what node 'n' (non_zero) finds"},
      {"graph g(%x: f32[2,3]) -> (%y, %z)\n  %y = pointwise(%x) expr=\"relu(x0)\"\n  %n = non_zero(%y)\n"
       "  %z = pointwise(%n) expr=\"neg(x0)\"\nend\n",
       "size of what node 'n' (non_zero) finds"},
      {"graph g(%x: f32[2,3]) -> (%y, %r)\n  %y = pointwise(%x) expr=\"relu(x0)\"\n  %r = flatten(%x)\nend\n",
       "no step writes output 'r'"},
  };
  use_fake();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_engine *engine;
    pelton_context *context;
    REQUIRE_OK(build(cases[i].text, "cuda", NULL, &engine, &diag), &diag);
    REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
    pelton_tensor in = {PELTON_DTYPE_F32, {2, {2, 3}}, place(engine, NULL, 24), 24}, out[2] = {{0}};
    void *there = place(engine, NULL, 256);
    for (int k = 0; k < 2; k++) out[k] = (pelton_tensor){.data = there, .bytes = 256};
    EXPECT_EQ(pelton_context_enqueue(context, &in, 1, out, pelton_engine_output_count(engine), NULL, &diag),
              PELTON_UNSUPPORTED);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i].why);
    pelton_memory_release(engine, in.data);
    pelton_memory_release(engine, there);
    pelton_context_release(context);
    pelton_engine_release(engine);
  }
  EXPECT_EQ(live(), 0);
}

TEST(memory_is_told_before_it_is_taken) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context[2];
  use_fake();
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  for (uint32_t batch = 3; batch <= 4; batch++) {
    pelton_shape shape = {4, {batch, 3, 12, 12}};
    pelton_device_memory told = {(uint32_t)sizeof told, 0, 0};
    const long before = device_bytes(0);
    REQUIRE_OK(pelton_engine_device_memory(engine, &shape, &told, &diag), &diag);
    EXPECT_EQ(device_bytes(0), before);
    float *x = network_input(batch, 5);
    pelton_tensor in = network_tensor(x, batch);
    for (int i = 0; i < 2; i++) {
      pelton_tensor out[2] = {{0}};
      const long empty = device_bytes(0);
      REQUIRE_OK(pelton_context_create(engine, NULL, &context[i], &diag), &diag);
      REQUIRE_OK(pelton_context_run(context[i], &in, 1, out, 2, &diag), &diag);
      EXPECT_EQ(device_bytes(0) - empty, told.context_bytes + (batch == 3 && i == 0 ? told.weight_bytes : 0));
    }
    pelton_context_release(context[0]);
    pelton_context_release(context[1]);
    EXPECT_EQ(device_bytes(0), told.weight_bytes);
    free(x);
  }
  pelton_shape wrong = {4, {65, 3, 12, 12}};
  pelton_device_memory told = {(uint32_t)sizeof told, 0, 0};
  EXPECT_EQ(pelton_engine_device_memory(engine, &wrong, &told, &diag), PELTON_INVALID_ARGUMENT);
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

/* Roots of a Fourier transform of a prime length, its chirp, and the places that a resize reads. */
TEST(memory_that_kernels_keep_is_told) {
  static const char *const texts[] = {"graph g(%x: f32[2,74,2]) -> (%y)\n  %y = dft(%x)\nend\n",
                                      "graph g(%x: f32[1,2,8,8]) -> (%y)\n"
                                      "  %s: f32[4] = const [1, 1, 2, 3]\n  %y = resize(%x, _, %s) mode=linear\nend\n"};
  static float x[2 * 74 * 2];
  use_fake();
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_engine *engine;
    pelton_context *context;
    pelton_device_memory told = {(uint32_t)sizeof told, 0, 0};
    pelton_tensor in = {PELTON_DTYPE_F32, {3, {2, 74, 2}}, x, sizeof x}, out = {0};
    if (i) in.shape = (pelton_shape){4, {1, 2, 8, 8}};
    REQUIRE_OK(build(texts[i], "cuda", NULL, &engine, &diag), &diag);
    REQUIRE_OK(pelton_engine_device_memory(engine, NULL, &told, &diag), &diag);
    const long empty = device_bytes(0);
    REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
    REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
    EXPECT_EQ(device_bytes(0) - empty, told.context_bytes + told.weight_bytes);
    pelton_context_release(context);
    pelton_engine_release(engine);
  }
  EXPECT_EQ(live(), 0);
}

TEST(pinned_memory_is_copied_from_directly) {
  enum { BATCH = 6 }; /* larger than what is staged anyway */
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  float *x = network_input(BATCH, 5), y[BATCH * NETWORK_CLASSES], m[BATCH * NETWORK_MEANS];
  void *pinned;
  use_fake();
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  pelton_tensor in = network_tensor(x, BATCH),
                out[2] = {{.data = y, .bytes = sizeof y}, {.data = m, .bytes = sizeof m}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  REQUIRE_OK(pelton_host_memory_create(engine, in.bytes, &pinned, &diag), &diag);
  memcpy(pinned, x, in.bytes);
  for (int r = 0; r < RUNS; r++) {
    float got[BATCH * NETWORK_CLASSES] = {0};
    pelton_tensor outs[2] = {{.data = got, .bytes = sizeof got}};
    in.data = pinned;
    REQUIRE_OK(pelton_context_run(context, &in, 1, outs, 2, &diag), &diag);
    EXPECT(!memcmp(got, y, sizeof y));
  }
  pelton_host_memory_release(engine, pinned);
  pelton_context_release(context);
  pelton_engine_release(engine);
  free(x);
  EXPECT_EQ(live(), 0);
}

static pelton_status whole_life(const void *self, const pelton_allocator *allocator, pelton_diag *diag) {
  (void)self;
  return life(network_text, "cuda", allocator, RUNS, NULL, 0, diag);
}

TEST(any_call_of_the_driver_may_fail) {
  use_fake();
  each_call_fails(whole_life, NULL, 0, 50);
}

/* A Fourier transform of a prime length has tables, and passes that go by way of its workspace. */
TEST(tables_of_a_step_that_fails_are_released) {
  static const char text[] = "graph g(%x: f32[2,74,2]) -> (%y)\n  %y = dft(%x)\nend\n";
  pelton_status status = PELTON_DEVICE_ERROR;
  harness_allocator a;
  use_fake();
  for (long n = 1; status; n++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    fail_at(n);
    status = life(text, "cuda", NULL, 2, NULL, 0, &diag);
    fail_at(0);
    EXPECT_EQ(live(), 0);
    REQUIRE(n < 5000);
  }
  uint64_t n = 0;
  do {
    pelton_diag diag = PELTON_DIAG_INIT;
    status = life(text, "cuda", harness_allocator_init(&a, ++n), 2, NULL, 0, &diag);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(a.live, 0);
    EXPECT_EQ(live(), 0);
  } while (a.failed);
}

TEST(any_allocation_may_fail) {
  use_fake();
  each_allocation_fails(whole_life, NULL, 0);
}

TEST_MAIN(T(a_device_says_why_it_cannot_be_used), T(devices_are_listed_with_their_reasons),
          T(peaks_are_those_of_the_devices_units), T(peaks_that_fail_leave_nothing),
          T(a_list_of_devices_has_their_peaks), T(a_device_may_be_used_as_an_older_one), T(what_goes_up_comes_down),
          T(results_are_those_of_the_cpu), T(what_32_bits_do_not_index_is_refused),
          T(tiles_of_large_products_fit_the_device), T(parts_of_values_lie_where_kernels_read_them),
          T(widths_of_one_engine_have_filters_of_their_own), T(options_name_an_older_device),
          T(inputs_and_outputs_may_stay_on_the_device), T(a_callers_stream_takes_runs), T(buffers_take_turns),
          T(what_cannot_be_enqueued_says_why), T(memory_is_told_before_it_is_taken),
          T(memory_that_kernels_keep_is_told), T(pinned_memory_is_copied_from_directly),
          T(any_call_of_the_driver_may_fail), T(tables_of_a_step_that_fails_are_released), T(any_allocation_may_fail))
