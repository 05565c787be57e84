/* Samples that say nothing: inputs that are the same throughout, values that are zero throughout. */
#include "harness.h"
#include "pelton/build.h"

#include <string.h>

static pelton_diag diag;

static pelton_status build(const char *text, pelton_build_options options, pelton_engine **out) {
  pelton_model *model = NULL;
  pelton_diag_init(&diag);
  REQUIRE_OK(pelton_model_parse(text, strlen(text), NULL, &model, &diag), &diag);
  options.precision = "fp16";
  options.level = 0;
  options.threads = 1;
  const pelton_status status = pelton_engine_build(model, &options, out, &diag);
  pelton_model_release(model);
  return status;
}

static pelton_tensor of(float *data, uint32_t rank, int64_t rows, int64_t columns) {
  return (pelton_tensor){PELTON_DTYPE_F32, {rank, {rows, columns}}, data, (size_t)(rows * columns) * sizeof *data};
}

static const char product[] = "graph g(%x: f32[1,4]) -> (%y)\n  %w: f32[4,4] = const random(7)\n"
                              "  %y = matmul(%x, %w)  # name \"n\"\nend\n";

TEST(an_input_that_is_the_same_throughout_proves_nothing) {
  float zero[4] = {0}, ones[4] = {1, 1, 1, 1}, real[4] = {1, -2, 0, 1};
  const pelton_input_range range = {"x", -1, 1}, wide = {"x", -1e6, 1e6};
  pelton_tensor samples[2] = {of(zero, 2, 1, 4), of(zero, 2, 1, 4)};
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  options.samples = samples;
  options.sample_count = 2;
  REQUIRE_OK(build(product, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"f16\":0,\"bf16\":0,\"kept_f32\":1,\"had_to_stay\":1");
  EXPECT_HAS(pelton_engine_report(engine), "input 'x' is 0 in all samples, which is no evidence");
  EXPECT_HAS(pelton_engine_report(engine), "'x' is the same throughout all samples ('x'): give samples of real data");
  pelton_engine_release(engine);
  options.strict = 1;
  EXPECT_EQ(build(product, options, &engine), PELTON_UNSUPPORTED);
  samples[0] = samples[1] = of(ones, 2, 1, 4);
  EXPECT_EQ(build(product, options, &engine), PELTON_UNSUPPORTED);
  samples[1] = of(zero, 2, 1, 4); /* not the same in both */
  REQUIRE_OK(build(product, options, &engine), &diag);
  pelton_engine_release(engine);
  samples[0] = of(real, 2, 1, 4);
  REQUIRE_OK(build(product, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"notes\":[]");
  pelton_engine_release(engine);
  samples[0] = of(zero, 2, 1, 4);
  options.ranges = &range; /* which proves it without samples */
  options.range_count = 1;
  REQUIRE_OK(build(product, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"notes\":[]");
  pelton_engine_release(engine);
  options.ranges = &wide;
  EXPECT_EQ(build(product, options, &engine), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 1), "'x' may reach 1e+06, and is the same throughout all samples");
}

TEST(what_hangs_on_zeros_stays) {
  /* The bias makes values, the input none; the relu is zero for the sample, and its products of it are. */
  static const char biased[] = "graph g(%x: f32[1,2,3,3]) -> (%y)\n  %w: f32[2,2,1,1] = const [1,2,3,4]\n"
                               "  %b: f32[2] = const [5,6]\n  %a = conv(%x, %w, %b)  # name \"first\"\n"
                               "  %y = conv(%a, %w, %b)  # name \"second\"\nend\n";
  static const char dead[] = "graph g(%x: f32[1,4]) -> (%y)\n  %w: f32[4,4] = const random(7)\n"
                             "  %v: f32[4,4] = const random(8)\n  %o: f32[1] = const [100]\n"
                             "  %m = matmul(%x, %w)  # name \"first\"\n"
                             "  %r = pointwise(%m, %o) expr=\"relu(sub(x0,x1))\"  # name \"dead\"\n"
                             "  %y = matmul(%r, %v)  # name \"second\"\nend\n";
  float zero[18] = {0}, real[4] = {1, -2, 0, 1};
  pelton_tensor sample = {PELTON_DTYPE_F32, {4, {1, 2, 3, 3}}, zero, sizeof zero};
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  options.samples = &sample;
  options.sample_count = 1;
  REQUIRE_OK(build(biased, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"f16\":0,\"bf16\":0,\"kept_f32\":2,\"had_to_stay\":2");
  EXPECT_HAS(pelton_engine_report(engine), "'a' hangs on an input that is the same throughout all samples ('x')");
  pelton_engine_release(engine);
  sample = of(real, 2, 1, 4);
  REQUIRE_OK(build(dead, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"f16\":1,\"bf16\":0,\"kept_f32\":2,\"had_to_stay\":2");
  EXPECT_HAS(pelton_engine_report(engine), "'r' was 0 in every element that was seen: give samples that reach it");
  EXPECT_HAS(pelton_engine_report(engine), "\"notes\":[]");
  pelton_engine_release(engine);
}

/* A mask of zeros, of integers too, and a number that is a setting stand beside values that were seen. */
TEST(masks_and_settings_may_be_the_same_throughout) {
  static const char text[] =
      "graph g(%x: f32[2,4], %mask: f32[1,2], %keep: i64[1,2], %scale: f32[1]) -> (%y)\n"
      "  %w: f32[4,2] = const random(7)\n  %v: f32[2,2] = const random(8)\n"
      "  %m = matmul(%x, %w)\n"
      "  %k = pointwise(%keep) expr=\"mul(sub(1:f32,cast(x0,f32)),-1000:f32)\"\n"
      "  %s = pointwise(%m, %mask, %k, %scale) expr=\"mul(add(add(x0,x1),x2),x3)\"  # name \"add\"\n"
      "  %p = pointwise(%s) expr=\"relu(x0)\"  # zero in part\n"
      "  %y = matmul(%p, %v)  # name \"last\"\nend\n";
  float x[8] = {1, -2, 0, 1, 3, 1, -1, 2}, mask[2] = {0}, scale[1] = {0.5f};
  int64_t keep[2] = {1, 1};
  const pelton_tensor samples[4] = {
      of(x, 2, 2, 4), of(mask, 2, 1, 2), {PELTON_DTYPE_I64, {2, {1, 2}}, keep, sizeof keep}, of(scale, 1, 1, 1)};
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_engine *engine;
  options.samples = samples;
  options.sample_count = 1;
  options.strict = 1;
  REQUIRE_OK(build(text, options, &engine), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "\"had_to_stay\":0");
  EXPECT_HAS(pelton_engine_report(engine), "input 'mask' is 0 in all samples");
  EXPECT_HAS(pelton_engine_report(engine), "input 'keep' is the same throughout in all samples");
  EXPECT(!strstr(pelton_engine_report(engine), "input 'scale'"));
  pelton_engine_release(engine);
}

TEST_MAIN(T(an_input_that_is_the_same_throughout_proves_nothing), T(what_hangs_on_zeros_stays),
          T(masks_and_settings_may_be_the_same_throughout))
