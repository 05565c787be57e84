/* The bound on what a fast convolution may be off: which sizes of Winograd's it leaves, in the build and in an engine
   opened later, which plans its shapes anew. */
#include "harness.h"

#include "pelton/build.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 32, CHANNELS = 64, FLOATS = CHANNELS * SIDE * SIDE };

static const char network[] = "graph bound(%x: f32[n<=4,64,32,32]) -> (%y)\n"
                              "  %w: f32[64,64,3,3] = const random(1)\n"
                              "  %y = conv(%x, %w) pads=[1,1,1,1]\n"
                              "end\n";

static pelton_status build(double bound, pelton_engine **engine, pelton_diag *diag) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_model *model;
  options.level = 0;
  options.threads = 1;
  options.error_bound = bound;
  REQUIRE_OK(pelton_model_parse(network, sizeof network - 1, NULL, &model, diag), diag);
  pelton_status status = pelton_engine_build(model, &options, engine, diag);
  pelton_model_release(model);
  return status;
}

static pelton_engine *built(double bound) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  REQUIRE_OK(build(bound, &engine, &diag), &diag);
  return engine;
}

/* The result for one image, or two. */
static float *run(pelton_engine *engine, int64_t images) {
  static float x[2 * FLOATS], y[2][2 * FLOATS];
  static int which;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  which = !which;
  for (int i = 0; i < 2 * FLOATS; i++) x[i] = (float)(i * 37 % 101) / 101 - 0.5f;
  pelton_tensor in = {PELTON_DTYPE_F32, {4, {images, CHANNELS, SIDE, SIDE}}, x, (size_t)images * FLOATS * 4};
  pelton_tensor out = {.data = y[which], .bytes = sizeof y[which]};
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
  pelton_context_release(context);
  return y[which];
}

static double largest(const float *x, const float *minus, int64_t count) {
  double most = 0;
  for (int64_t i = 0; i < count; i++) {
    double value = (double)x[i] - (minus ? (double)minus[i] : 0);
    if (value < 0) value = -value;
    if (value > most) most = value;
  }
  return most;
}

TEST(bound_chooses_the_algorithm) {
  pelton_engine *fast = built(0), *exact = built(1e-9);
  EXPECT(strstr(pelton_engine_report(fast), "\"tactic\":\"cpu.conv_winograd\"") != NULL);
  EXPECT(strstr(pelton_engine_report(fast), "\"error\":") != NULL);
  EXPECT(strstr(pelton_engine_report(exact), "\"tactic\":\"cpu.conv_winograd\",\"fallback\"") == NULL);
  EXPECT(strstr(pelton_engine_report(exact), "its error may be larger than the bound") != NULL);
  const float *y = run(exact, 1);
  EXPECT(largest(run(fast, 1), y, FLOATS) <= 3e-5 * largest(y, NULL, FLOATS));
  pelton_engine_release(fast);
  pelton_engine_release(exact);
}

TEST(bound_is_kept_in_the_file) {
  char path[80];
  float first[2 * FLOATS];
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *exact = built(1e-9), *opened;
  snprintf(path, sizeof path, "/tmp/pelton-bound-%ld", (long)getpid());
  REQUIRE_OK(pelton_engine_save(exact, path, &diag), &diag);
  memcpy(first, run(exact, 2), sizeof first);
  pelton_engine_release(exact);
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  options.threads = 1;
  REQUIRE_OK(pelton_engine_open(path, &options, &opened, &diag), &diag);
  EXPECT(largest(run(opened, 2), first, 2 * FLOATS) == 0);
  pelton_engine_release(opened);
  unlink(path);
}

TEST(bounds_out_of_range) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  EXPECT_EQ(build(-1, &engine, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_EQ(build(1.5, &engine, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT(engine == NULL);
}

TEST_MAIN(T(bound_chooses_the_algorithm), T(bound_is_kept_in_the_file), T(bounds_out_of_range))
