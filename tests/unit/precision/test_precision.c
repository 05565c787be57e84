/* Builds with pelton_build_options.precision: what is converted, what stays and why, and that results are right. */
#include "harness.h"
#include "pelton/build.h"

#include <math.h>
#include <string.h>

static pelton_diag diag;

static pelton_status build(const char *text, pelton_build_options options, pelton_engine **out) {
  pelton_model *model = NULL;
  pelton_diag_init(&diag);
  REQUIRE_OK(pelton_model_parse(text, strlen(text), NULL, &model, &diag), &diag);
  options.level = 0;
  options.threads = 1;
  const pelton_status status = pelton_engine_build(model, &options, out, &diag);
  pelton_model_release(model);
  return status;
}

static void run(pelton_engine *engine, float *x, size_t x_bytes, pelton_shape shape, float *y, size_t y_bytes) {
  pelton_context *context;
  pelton_tensor in = {PELTON_DTYPE_F32, shape, x, x_bytes}, out = {.data = y, .bytes = y_bytes};
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
  EXPECT_EQ(out.dtype, PELTON_DTYPE_F32);
  pelton_context_release(context);
}

/* Two products of which the second's weights are far below what f16 holds. */
static const char tiny[] = "graph g(%x: f32[1,4]) -> (%y)\n"
                           "  %w: f32[4,4] = const [1,2,3,4, 5,6,7,8, 1,1,1,1, 2,2,2,2]\n"
                           "  %m = matmul(%x, %w)  # name \"big\"\n"
                           "  %v: f32[4,2] = const [1e-9,2e-9, 3e-9,1e-9, 1e-9,1e-9, 1e-9,1e-9]\n"
                           "  %n = matmul(%m, %v)  # name \"tiny\"\n"
                           "  %y = pointwise(%n) expr=\"relu(x0)\"\nend\n";
/* A sum that leaves f16 for inputs of ones. */
static const char wide[] = "graph g(%x: f32[1,4]) -> (%y)\n"
                           "  %w: f32[4,4] = const [4e4,2,3,4, 4e4,6,7,8, 1,1,1,1, 2,2,2,2]\n"
                           "  %m = matmul(%x, %w)  # name \"wide\"\n"
                           "  %v: f32[4,2] = const [1e-3,0, 0,1, 1,1, 1,1]\n"
                           "  %y = matmul(%m, %v)  # name \"next\"\nend\n";
/* Squares of 300 leave f16, their roots do not. */
static const char inside[] = "graph g(%x: f32[1,4]) -> (%y)\n"
                             "  %w: f32[4,4] = const [300,0,0,0, 0,300,0,0, 0,0,300,0, 0,0,0,300]\n"
                             "  %m = matmul(%x, %w)  # name \"scale\"\n"
                             "  %s = pointwise(%m) expr=\"sqrt(square(x0))\"  # name \"root\"\n"
                             "  %y = matmul(%s, %w)  # name \"last\"\nend\n";

static void compare(const char *text, const pelton_build_options *options, double tolerance) {
  pelton_engine *full, *half;
  float x[4] = {0.5f, -1, 0.25f, 1}, expected[4], got[4];
  const pelton_shape shape = {2, {1, 4}};
  const size_t bytes = text == inside ? 4 * sizeof(float) : 2 * sizeof(float);
  REQUIRE_OK(build(text, (pelton_build_options)PELTON_BUILD_OPTIONS_INIT, &full), &diag);
  REQUIRE_OK(build(text, *options, &half), &diag);
  run(full, x, sizeof x, shape, expected, bytes);
  run(half, x, sizeof x, shape, got, bytes);
  for (size_t i = 0; i < bytes / sizeof(float); i++) EXPECT(fabs(got[i] - expected[i]) <= tolerance * fabs(expected[i]));
  pelton_engine_release(full);
  pelton_engine_release(half);
}

TEST(what_would_be_lost_stays) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  options.precision = "fp16";
  REQUIRE_OK(build(tiny, options, &engine), &diag);
  const char *report = pelton_engine_report(engine);
  EXPECT_HAS(report, "\"evidence\":\"random inputs, which may be smaller than real ones\"");
  EXPECT_HAS(report, "\"f16\":1,\"bf16\":0,\"kept_f32\":2,\"had_to_stay\":1"); /* what follows stays too */
  EXPECT_HAS(report, "'v' would lose too much by rounding to f16");
  pelton_engine_release(engine);
  compare(tiny, &options, 2e-3);
  options.precision = "fp16,bf16";
  REQUIRE_OK(build(tiny, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"kept_f32\":0");
  EXPECT_HAS(pelton_engine_report(engine), "\"node\":\"tiny\",\"type\":\"bf16\"");
  pelton_engine_release(engine);
  compare(tiny, &options, 2e-2);
}

TEST(what_would_overflow_stays) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  float ones[4] = {1, 1, 1, 1};
  const pelton_tensor sample = {PELTON_DTYPE_F32, {2, {1, 4}}, ones, sizeof ones};
  options.precision = "fp16";
  options.samples = &sample;
  options.sample_count = 1;
  REQUIRE_OK(build(wide, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"evidence\":\"samples\"");
  EXPECT_HAS(pelton_engine_report(engine), "'m' reaches 8e+04, f16 ends at 65504");
  EXPECT_HAS(pelton_engine_report(engine), "\"f16\":0");
  pelton_engine_release(engine);
  compare(wide, &options, 1e-5);
  const pelton_tensor other = {PELTON_DTYPE_F32, {2, {1, 3}}, ones, sizeof ones};
  options.samples = &other;
  EXPECT_EQ(build(wide, options, &engine), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "sample 0: the tensor of input 'x' has not the type and shape");
}

TEST(ranges_prove) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  pelton_input_range range = {"x", -0.5, 0.5};
  options.precision = "fp16";
  options.ranges = &range;
  options.range_count = 1;
  REQUIRE_OK(build(wide, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"evidence\":\"ranges and random inputs within them\"");
  EXPECT_HAS(pelton_engine_report(engine), "\"f16\":2,\"bf16\":0,\"kept_f32\":0");
  EXPECT_HAS(pelton_engine_report(engine), "\"bound\":40001.5");
  pelton_engine_release(engine);
  range.name = "z";
  EXPECT_EQ(build(wide, options, &engine), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "the model has no input 'z'");
  range = (pelton_input_range){"x", 1, -1};
  EXPECT_EQ(build(wide, options, &engine), PELTON_INVALID_ARGUMENT);
}

TEST(steps_within_an_expression_may_need_f32) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  options.precision = "fp16";
  REQUIRE_OK(build(inside, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"node\":\"root\",\"type\":\"f16\",\"inside\":\"f32\"");
  pelton_engine_release(engine);
  compare(inside, &options, 2e-3);
}

TEST(strict_fails_and_says_where) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  const pelton_input_range range = {"x", -1, 1};
  options.precision = "fp16";
  options.strict = 1;
  options.ranges = &range;
  options.range_count = 1;
  EXPECT_EQ(build(tiny, options, &engine), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "strict: 1 layers would have to stay in f32");
  EXPECT_HAS(pelton_diag_message(&diag, 1), "node 'tiny': 'v' would lose too much");
  options.layer_precision = "t*y=fp32";
  REQUIRE_OK(build(tiny, options, &engine), &diag); /* what was asked for is no surprise */
  EXPECT_HAS(pelton_engine_report(engine), "\"why\":\"asked for\"");
  pelton_engine_release(engine);
  options.layer_precision = "tiny=fp8";
  EXPECT_EQ(build(tiny, options, &engine), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "layer precision 'tiny=fp8' is not NAME=fp32");
  options.layer_precision = NULL;
  options.precision = "int8";
  EXPECT_EQ(build(tiny, options, &engine), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "precision 'int8' is not available");
}

TEST(a_layer_is_converted_on_demand) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  options.layer_precision = "big=fp16"; /* and nothing else */
  REQUIRE_OK(build(tiny, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"node\":\"big\",\"type\":\"f16\",\"asked\":true");
  EXPECT_HAS(pelton_engine_report(engine), "\"f16\":1");
  pelton_engine_release(engine);
}

TEST(any_allocation_may_fail) {
  harness_allocator a;
  uint64_t n = 0;
  do {
    pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
    pelton_engine *engine = NULL;
    options.precision = "fp16,bf16";
    options.layer_precision = "big=bf16";
    options.allocator = harness_allocator_init(&a, ++n);
    const pelton_status status = build(tiny, options, &engine);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    pelton_engine_release(engine);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
}

TEST_MAIN(T(what_would_be_lost_stays), T(what_would_overflow_stays), T(ranges_prove),
          T(steps_within_an_expression_may_need_f32), T(strict_fails_and_says_where), T(a_layer_is_converted_on_demand),
          T(any_allocation_may_fail))
