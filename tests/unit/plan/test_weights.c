/* Weights: the limit for what steps read of them, and that steps are timed as the network will find them. */
#include "harness.h"
#include "planned.h"

#include "pelton/build.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 28, CHANNELS = 64, FLOATS = CHANNELS * SIDE * SIDE };

static const char network[] = "graph weights(%x: f32[1,64,28,28]) -> (%y)\n"
                              "  %v: f32[64,64,3,3] = const random(1)\n"
                              "  %w: f32[64,64,3,3] = const random(2)\n"
                              "  %t = conv(%x, %v) pads=[1,1,1,1]\n"
                              "  %u = pool(%t) kernel=[3,3] strides=[1,1] pads=[1,1,1,1]\n"
                              "  %y = conv(%u, %w) pads=[1,1,1,1]\n"
                              "end\n";

static pelton_status build(uint64_t limit, int32_t level, pelton_engine **engine, pelton_diag *diag) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_model *model;
  options.level = level;
  options.threads = 1;
  options.weight_limit_bytes = limit;
  REQUIRE_OK(pelton_model_parse(network, sizeof network - 1, NULL, &model, diag), diag);
  pelton_status status = pelton_engine_build(model, &options, engine, diag);
  pelton_model_release(model);
  return status;
}

static uint64_t weight_bytes(const pelton_engine *engine) {
  static const char member[] = "\"weight_bytes\":";
  const char *at = strstr(pelton_engine_report(engine), member);
  REQUIRE(at != NULL);
  return strtoull(at + sizeof member - 1, NULL, 10);
}

static void run(pelton_engine *engine, float *y) {
  static float x[FLOATS];
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  for (int i = 0; i < FLOATS; i++) x[i] = (float)(i * 37 % 101) / 101 - 0.5f;
  pelton_tensor in = {PELTON_DTYPE_F32, {4, {1, CHANNELS, SIDE, SIDE}}, x, sizeof x};
  pelton_tensor out = {.data = y, .bytes = sizeof x};
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
  pelton_context_release(context);
}

TEST(a_limit_is_kept) {
  static float free_y[FLOATS], y[FLOATS];
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *free_engine, *engine;
  REQUIRE_OK(build(0, 0, &free_engine, &diag), &diag);
  uint64_t most = weight_bytes(free_engine), raw = UINT64_C(2) * 64 * 64 * 9 * 4;
  EXPECT(most >= 2 * raw); /* Winograd's filters */
  run(free_engine, free_y);
  for (int32_t level = 0; level <= 1; level++) {
    for (uint64_t limit = raw + raw / 8; limit < most; limit += raw / 2) {
      REQUIRE_OK(build(limit, level, &engine, &diag), &diag);
      EXPECT(weight_bytes(engine) <= limit);
      EXPECT(weight_bytes(engine) >= raw);
      run(engine, y);
      for (int i = 0; i < FLOATS; i++) REQUIRE(y[i] - free_y[i] < 1e-2f && free_y[i] - y[i] < 1e-2f);
      pelton_engine_release(engine);
    }
  }
  REQUIRE_OK(build(most, 0, &engine, &diag), &diag); /* one that is kept anyway changes nothing */
  EXPECT_EQ(weight_bytes(engine), most);
  pelton_engine_release(engine);
  pelton_engine_release(free_engine);
}

TEST(a_limit_that_cannot_be_kept_is_an_error) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  EXPECT_EQ(build(1000, 0, &engine, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT(engine == NULL);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "MB at least");
}

/* ---- what comes from memory ---- */

static size_t cache = 0, evicted = 0;

static size_t cache_bytes(const pn_device *device) {
  (void)device;
  return cache;
}

static void evict(pn_device *device, const void *memory, size_t bytes) {
  (void)device, (void)memory;
  evicted += bytes;
}

/* The network needs 294,912 bytes of filters. */
static bool is_cold(size_t room, size_t *bytes) {
  static pn_target target;
  planned p;
  target = *planned_target("cpu");
  target.cache_bytes = cache_bytes;
  target.evict = evict;
  cache = room;
  evicted = 0;
  planned_open(&p, network, &target);
  pn_plan_options options = {.level = 1};
  planned_make(&p, &options);
  const pn_plan_step *step = planned_step(&p, "y");
  bool cold = step ? step->problem->cold : p.plan->steps.data[p.plan->steps.count - 1].problem->cold;
  *bytes = evicted;
  planned_close(&p);
  return cold;
}

TEST(constants_beyond_the_caches_are_timed_from_memory) {
  size_t bytes;
  EXPECT(is_cold(200000, &bytes));
  EXPECT(bytes >= 294912);
  EXPECT(!is_cold(300000, &bytes));
  EXPECT_EQ(bytes, 0);
}

TEST_MAIN(T(a_limit_is_kept), T(a_limit_that_cannot_be_kept_is_an_error),
          T(constants_beyond_the_caches_are_timed_from_memory))
