/* Operators whose results have a size that only the run tells, on the target cuda over the fake driver: counted there,
   their values stay there, what follows is planned for the size; and whatever fails, nothing is left. */
#include "failing.h"
#include "fake_engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every operator, in front of steps, behind them, and in the body of a loop; one whose result is not used. */
static const char all_text[] = "graph all(%x: f32[6,8], %b: f32[1,24,4], %s: f32[1,2,24]) -> (%rows, %where, %kept, "
                               "%picked, %u, %first, %inverse, "
                               "%counts, %last)\n"
                               "  %c = pointwise(%x) expr=\"greater(x0,0.3:f32)\"\n"
                               "  %where = non_zero(%c)\n"
                               "  %at = transpose(%where) perm=[1,0]\n"
                               "  %g = gather_nd(%x, %at)\n"
                               "  %rows = pointwise(%g) expr=\"add(x0,1.0:f32)\"\n"
                               "  %most: i64[1] = const [5]\n"
                               "  %over: f32[1] = const [0.4]\n"
                               "  %least: f32[1] = const [0.1]\n"
                               "  %kept = non_max_suppression(%b, %s, %most, %over, %least)\n"
                               "  %q = pointwise(%g) expr=\"floor(mul(x0,8.0:f32))\"\n"
                               "  %u, %first, %inverse, %counts = unique(%q)\n"
                               "  %keep = pointwise(%inverse) expr=\"greater(x0,2:i64)\"\n"
                               "  %picked = compress(%g, %keep) axis=0\n"
                               "  %trip: i64[] = const [3]\n"
                               "  %last = loop(%trip, _, %g) body={ graph body(%i, %go, %v) -> (%go, %w)\n"
                               "      %h = pointwise(%v, %i) expr=\"greater(x0,mul(cast(x1,f32),0.2:f32))\"\n"
                               "      %w = compress(%v, %h) axis=0\n"
                               "    end } carried_count=1\n"
                               "end\n";

enum { OUTPUTS = 9, ROOM = 16384, RUNS = 3 };

typedef struct results {
  size_t used, bytes[OUTPUTS];
  pelton_shape shapes[OUTPUTS];
  _Alignas(8) unsigned char data[ROOM];
} results;

static void keep(results *to, const pelton_tensor *out, uint32_t count) {
  to->used = 0;
  for (uint32_t i = 0; i < count; i++) {
    REQUIRE(to->used + out[i].bytes <= ROOM);
    memcpy(to->data + to->used, out[i].data, out[i].bytes);
    to->used += to->bytes[i] = out[i].bytes;
    to->shapes[i] = out[i].shape;
  }
}

static void expect_same(const results *a, const results *b, uint32_t count) {
  EXPECT_EQ(a->used, b->used);
  for (uint32_t i = 0; i < count; i++) {
    EXPECT_EQ(a->shapes[i].rank, b->shapes[i].rank);
    EXPECT(!memcmp(a->shapes[i].dims, b->shapes[i].dims, sizeof a->shapes[i].dims[0] * a->shapes[i].rank));
  }
  EXPECT(!memcmp(a->data, b->data, a->used));
}

/* Inputs whose elements are in order of |seed|; 0: all below every threshold. */
static void fill(float *x, size_t count, uint32_t seed) {
  for (size_t i = 0; i < count; i++) x[i] = seed ? (float)((i * 37 * seed) % 101) / 100.0f : -1.0f;
}

/* |runs| runs of all operators, the last with |seed|, on |target|. */
static pelton_status life(const char *target, const pelton_allocator *allocator, int runs, uint32_t seed, results *y,
                          pelton_diag *diag) {
  pelton_engine *engine = NULL;
  pelton_context *context = NULL;
  static float x[3][96];
  pelton_tensor in[3] = {{PELTON_DTYPE_F32, {2, {6, 8}}, x[0], 6 * 8 * sizeof(float)},
                         {PELTON_DTYPE_F32, {3, {1, 24, 4}}, x[1], 24 * 4 * sizeof(float)},
                         {PELTON_DTYPE_F32, {3, {1, 2, 24}}, x[2], 2 * 24 * sizeof(float)}};
  pelton_status status = build(all_text, target, allocator, &engine, diag);
  if (!status) status = pelton_context_create(engine, NULL, &context, diag);
  for (int r = 0; r < runs && !status; r++) {
    pelton_tensor out[OUTPUTS] = {{0}};
    for (uint32_t i = 0; i < 3; i++)
      fill(x[i], in[i].bytes / sizeof(float), r + 1 == runs ? seed : i + 1 + (uint32_t)r % 2);
    status = pelton_context_run(context, in, 3, out, OUTPUTS, diag);
    if (!status && y) keep(y, out, OUTPUTS);
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
  return status;
}

/* The inputs of every second run are alike, so that recordings are played; the last finds more, or nothing. */
TEST(results_are_those_of_the_cpu) {
  static results cpu, cuda;
  use_fake();
  for (uint32_t seed = 0; seed < 6; seed++)
    for (int runs = 1; runs <= 5; runs += 2) {
      pelton_diag diag = PELTON_DIAG_INIT;
      REQUIRE_OK(life("cpu", NULL, 1, seed, &cpu, &diag), &diag);
      REQUIRE_OK(life("cuda", NULL, runs, seed, &cuda, &diag), &diag);
      expect_same(&cpu, &cuda, OUTPUTS);
    }
  EXPECT_EQ(live(), 0);
}

/* Up comes the input, down the count and the result; what follows is planned once a size. */
TEST(only_the_count_crosses) {
  static const char text[] = "graph g(%x: f32[4,8]) -> (%y)\n  %r = pointwise(%x) expr=\"relu(x0)\"\n"
                             "  %n = non_zero(%r)\n  %at = transpose(%n) perm=[1,0]\n  %g = gather_nd(%r, %at)\n"
                             "  %y = pointwise(%g) expr=\"neg(x0)\"\nend\n";
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  float x[32];
  pelton_tensor in = {PELTON_DTYPE_F32, {2, {4, 8}}, x, sizeof x};
  use_fake();
  REQUIRE_OK(build(text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  for (int r = 0; r < 9; r++) {
    const int found = r % 3 * 7 + 4;
    for (int i = 0; i < 32; i++) x[i] = i < found ? 1.0f : -1.0f;
    pelton_tensor out = {0};
    const long up = copies(0), down = copies(1), within = copies(2);
    const uint64_t plans = pelton_context_plan_count(context);
    REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
    EXPECT_EQ(out.shape.dims[0], found);
    EXPECT_EQ(copies(0) - up, 1);
    EXPECT_EQ(copies(1) - down, r < 3 ? 3 : 2); /* planning looks whether shapes follow from what it finds */
    EXPECT_EQ(copies(2) - within, 0);
    EXPECT_EQ(pelton_context_plan_count(context) - plans, r == 0 ? 2 : r < 3 ? 1 : 0);
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

TEST(the_report_says_what_runs_where) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  use_fake();
  REQUIRE_OK(build_at(1, all_text, "cuda", NULL, &engine, &diag), &diag); /* with timings */
  const char *report = pelton_engine_report(engine);
  EXPECT_HAS(report, "non_zero(bool[6,8]) -> i64[2,48]\",\"tactic\":\"cuda.select\",\"fallback\":false");
  EXPECT_HAS(report, "\"op\":\"loop\"");
  EXPECT_HAS(report, "\"host_nodes\":1,");
  EXPECT_HAS(report, "\"fallbacks\":0,");
  EXPECT_HAS(report, "{\"node\":\"at\",\"op\":\"transpose\",\"waits_for\":\"where\"}");
  EXPECT_HAS(report, "\"op\":\"compress\",\"waits_for\":\"last\"}");
  pelton_engine_release(engine);
  const char *const texts = "graph g(%x: string[4]) -> (%n)\n  %n = non_zero(%x)\nend\n";
  REQUIRE_OK(build(texts, "cuda", NULL, &engine, &diag), &diag);
  EXPECT_HAS(pelton_engine_report(engine), "texts are kept by the host");
  pelton_engine_release(engine);
  const char *const longer = "graph g(%x: f32[3], %c: bool[5]) -> (%y)\n  %y = compress(%x, %c) axis=0\nend\n";
  REQUIRE_OK(build(longer, "cuda", NULL, &engine, &diag), &diag);
  EXPECT_HAS(pelton_engine_report(engine),
             "follows from data: a condition that is longer than its axis\",\"fallback\":true");
  EXPECT_HAS(pelton_engine_report(engine), "\"fallbacks\":1");
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

/* Operands that no kernel takes go to the host, whatever the plan was made for: here a condition that is longer than
   its axis, and holds for no slice that is not there. */
TEST(what_the_device_does_not_take_the_host_does) {
  const char *const text = "graph g(%x: f32[n], %c: bool[m]) -> (%y)\n  %k = compress(%x, %c) axis=0\n"
                           "  %y = pointwise(%k) expr=\"neg(x0)\"\nend\n";
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  float x[3] = {1, 2, 3};
  uint8_t c[5] = {0, 1, 1, 0, 0};
  use_fake();
  REQUIRE_OK(build(text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  for (int64_t m = 2; m <= 5; m++) {
    pelton_tensor in[2] = {{PELTON_DTYPE_F32, {1, {3}}, x, sizeof x}, {PELTON_DTYPE_BOOL, {1, {m}}, c, (size_t)m}},
                  out = {0};
    REQUIRE_OK(pelton_context_run(context, in, 2, &out, 1, &diag), &diag);
    EXPECT_EQ(out.shape.dims[0], m == 2 ? 1 : 2);
    EXPECT_NEAR(((const float *)out.data)[0], -2, 0);
    if (m > 2) EXPECT_NEAR(((const float *)out.data)[1], -3, 0);
  }
  c[4] = 1;
  pelton_tensor in[2] = {{PELTON_DTYPE_F32, {1, {3}}, x, sizeof x}, {PELTON_DTYPE_BOOL, {1, {5}}, c, 5}}, out = {0};
  EXPECT_EQ(pelton_context_run(context, in, 2, &out, 1, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "condition 4 holds, but there are only 3 slices");
  pelton_context_release(context);
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

/* ---- where the results go ---------------------------------------------------------------------------------------- */

static const char last_text[] =
    "graph g(%x: f32[4,8]) -> (%n)\n  %y = pointwise(%x) expr=\"relu(x0)\"\n  %n = non_zero(%y)\nend\n";

typedef struct asked {
  int times;
  size_t bytes;
  int64_t found;
  _Alignas(8) unsigned char memory[1024];
} asked;

static void *allocate(void *self, const pelton_output_request *request) {
  asked *a = self;
  a->times++;
  a->bytes = request->bytes;
  a->found = request->shape.dims[1];
  return a->memory;
}

TEST(callers_are_asked_for_as_much_as_there_is) {
  static asked a;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  float x[32];
  pelton_tensor in = {PELTON_DTYPE_F32, {2, {4, 8}}, x, sizeof x}, out;
  int64_t got[64];
  void *there;
  use_fake();
  REQUIRE_OK(build(last_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_memory_create(engine, sizeof got, &there, &diag), &diag);
  for (int found = 0; found <= 32; found += 8) {
    for (int i = 0; i < 32; i++) x[i] = i < found ? 1.0f : -1.0f;
    for (int way = 0; way < 4; way++) { /* the context's memory, an allocator's, the caller's, the device's */
      const pelton_output_allocator allocator = {&a, allocate};
      const size_t bytes = 2 * (size_t)found * sizeof(int64_t);
      memset(got, 0xff, sizeof got);
      a.times = 0;
      REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
      if (way == 1) REQUIRE_OK(pelton_context_set_output_allocator(context, 0, &allocator, &diag), &diag);
      for (int r = 0; r < RUNS; r++) {
        out = (pelton_tensor){0};
        if (way >= 2) out = (pelton_tensor){.data = way == 2 ? (void *)got : there, .bytes = bytes};
        if (way == 3 && !bytes) out = (pelton_tensor){0};
        REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
      }
      EXPECT_EQ(out.bytes, bytes);
      EXPECT_EQ(out.shape.dims[0], 2);
      EXPECT_EQ(out.shape.dims[1], found);
      if (way == 1) EXPECT(a.times == RUNS && a.bytes == bytes && a.found == found);
      if (way == 3 && bytes) REQUIRE_OK(pelton_memory_read(engine, got, there, bytes, &diag), &diag);
      const int64_t *n = way == 3 ? got : out.data;
      for (int i = 0; i < found; i++) EXPECT(n[i] == i / 8 && n[found + i] == i % 8);
      pelton_context_release(context);
    }
  }
  pelton_memory_release(engine, there);
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

/* The most that the last node can find is known, so a context's memory is. */
TEST(memory_is_told_where_nothing_follows) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  pelton_device_memory told = {(uint32_t)sizeof told, 0, 0};
  float x[32];
  pelton_tensor in = {PELTON_DTYPE_F32, {2, {4, 8}}, x, sizeof x}, out = {0};
  use_fake();
  fill(x, 32, 1);
  REQUIRE_OK(build(last_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_device_memory(engine, NULL, &told, &diag), &diag);
  const long empty = device_bytes(0);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
  EXPECT_EQ(device_bytes(0) - empty, told.context_bytes + told.weight_bytes);
  pelton_context_release(context);
  pelton_engine_release(engine);
  REQUIRE_OK(build(all_text, "cuda", NULL, &engine, &diag), &diag);
  EXPECT_EQ(pelton_engine_device_memory(engine, NULL, &told, &diag), PELTON_UNSUPPORTED);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "only a run tells the size of what node 'where' (non_zero) finds");
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

static pelton_status whole_life(const void *self, const pelton_allocator *allocator, pelton_diag *diag) {
  (void)self;
  return life("cuda", allocator, RUNS, 1, NULL, diag);
}

TEST(any_call_of_the_driver_may_fail) {
  use_fake();
  each_call_fails(whole_life, NULL, 40, 50);
}

TEST(any_allocation_may_fail) {
  use_fake();
  each_allocation_fails(whole_life, NULL, 60);
}

TEST_MAIN(T(results_are_those_of_the_cpu), T(only_the_count_crosses), T(the_report_says_what_runs_where),
          T(what_the_device_does_not_take_the_host_does), T(callers_are_asked_for_as_much_as_there_is),
          T(memory_is_told_where_nothing_follows), T(any_call_of_the_driver_may_fail), T(any_allocation_may_fail))
