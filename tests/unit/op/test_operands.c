/* Operands that models usually hold as constants, given as inputs instead: every value gives what a network with that
   constant gives, a value met before needs no new plan, and what is mere data never does. */
#include "harness.h"

#include "pelton/build.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

enum { SETS = 4, NUMBERS = 216, X = 2 * 3 * 8 * 8 };

typedef struct operand_case {
  const char *name, *type; /* of the operand %v */
  uint32_t rank;
  int64_t dims[4];
  const char *body; /* from %x: f32[2,3,8,8] and %v to %y */
  bool steers;      /* shapes follow from it */
  uint32_t numbers; /* 0: random ones, as many as it has elements */
  double set[SETS][8];
} operand_case;

static const operand_case cases[] = {
    {"topk k", "i64", 1, {1}, "%y, %i = topk(%x, %v)", true, 1, {{1}, {8}, {3}, {5}}},
    {"resize sizes",
     "i64",
     1,
     {4},
     "%y = resize(%x, _, _, %v) mode=linear",
     true,
     4,
     {{2, 3, 4, 4}, {2, 3, 16, 5}, {2, 3, 9, 9}, {2, 3, 8, 8}}},
    {"resize scales",
     "f32",
     1,
     {4},
     "%y = resize(%x, _, %v)",
     true,
     4,
     {{1, 1, 0.5, 0.5}, {1, 1, 1.5, 2}, {1, 1, 1, 1}, {1, 1, 3, 0.25}}},
    {"slice starts",
     "i64",
     1,
     {2},
     "%e: i64[2] = const [6, 8]\n %a: i64[2] = const [2, 3]\n %y = slice(%x, %v, %e, %a)",
     true,
     2,
     {{0, 0}, {2, 4}, {-4, -1}, {5, 0}}},
    {"slice starts and ends, computed",
     "i64",
     1,
     {2},
     "%two: i64[] = const [2]\n %w = pointwise(%v, %two) expr=\"add(x0,x1)\"\n %a: i64[2] = const [2, 3]\n"
     " %y = slice(%x, %v, %w, %a)",
     true,
     2,
     {{0, 0}, {2, 4}, {1, 6}, {5, 0}}},
    {"reshape target", "i64", 1, {3}, "%y = reshape(%x, %v)", true, 3, {{2, 3, 64}, {6, 8, 8}, {-1, 2, 2}, {0, 0, -1}}},
    {"expand target",
     "i64",
     1,
     {5},
     "%y = expand(%x, %v)",
     true,
     5,
     {{1, 2, 3, 8, 8}, {4, 2, 3, 8, 8}, {2, 1, 1, 1, 1}, {3, 2, 3, 8, 8}}},
    {"pad pads",
     "i64",
     1,
     {8},
     "%y = pad(%x, %v) mode=reflect",
     true,
     8,
     {{0, 0, 1, 1, 0, 0, 1, 1}, {0, 0, 2, 0, 0, 0, 0, 3}, {0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 7, 0, 0, 0, -1, -2}}},
    {"tile repeats",
     "i64",
     1,
     {4},
     "%y = tile(%x, %v)",
     true,
     4,
     {{1, 1, 1, 1}, {2, 1, 1, 3}, {1, 2, 2, 1}, {1, 1, 0, 1}}},
    {"reduce axes", "i64", 1, {2}, "%y = reduce(%x, %v)", true, 2, {{2, 3}, {0, 1}, {-1, 1}, {0, 3}}},
    {"squeeze axes",
     "i64",
     1,
     {1},
     "%k: i64[6] = const [1, 2, 1, 3, 8, 8]\n %w = reshape(%x, %k)\n %y = squeeze(%w, %v)",
     true,
     1,
     {{0}, {2}, {-6}, {-4}}},
    {"unsqueeze axes", "i64", 1, {2}, "%y = unsqueeze(%x, %v)", true, 2, {{0, 1}, {4, 5}, {-1, 0}, {2, 4}}},
    {"split sizes", "i64", 1, {2}, "%y, %z = split(%x, %v) axis=3", true, 2, {{4, 4}, {1, 7}, {7, 1}, {5, 3}}},
    {"one_hot depth",
     "i64",
     0,
     {0},
     "%i: i64[3] = const [0, 2, 1]\n %o: f32[2] = const [0.5, 2.0]\n %y = one_hot(%i, %v, %o)",
     true,
     1,
     {{3}, {5}, {1}, {9}}},
    {"range limit",
     "f32",
     0,
     {0},
     "%a: f32[] = const [1.0]\n %y = range(%a, %v, %a)",
     true,
     1,
     {{2}, {7.5}, {1}, {64}}},
    {"fill shape",
     "i64",
     1,
     {2},
     "%a: f32[] = const [1.5]\n %y = fill(%v, %a)",
     true,
     2,
     {{2, 3}, {1, 1}, {0, 4}, {7, 2}}},
    {"loop trips",
     "i64",
     0,
     {0},
     "%y, %z = loop(%v, _, %x) body={ graph b(%i, %go, %s) -> (%go, %t, %t)\n"
     " %t = pointwise(%s) expr=\"mul(x0,1.5:f32)\"\n end } carried_count=1",
     false,
     1,
     {{1}, {3}, {0}, {70}}},
    {"loop slices",
     "i64",
     0,
     {0}, /* the iteration's number steers shapes in the body */
     "%q: i64[2] = const [128, 3]\n %r = reshape(%x, %q)\n %f: i64[1] = const [0]\n"
     "%y = loop(%v, _, %r, %f) body={ graph b(%i, %go, %s, %zero) -> (%go, %m)\n"
     " %e: i64[] = const [2]\n %n = pointwise(%i, %e) expr=\"add(x0,x1)\"\n"
     " %one = unsqueeze(%n, %zero)\n %p = slice(%s, %zero, %one, %zero)\n %m = reduce(%p, %zero) kind=sum\n end }",
     false,
     1,
     {{1}, {80}, {90}, {3}}},
    {"clip bounds",
     "f32",
     1,
     {2},
     "%a, %b = split(%v) axis=0\n %y = pointwise(%x, %a, %b) expr=\"min(max(x0,x1),x2)\"",
     false,
     2,
     {{-0.5, 0.5}, {0, 6}, {0, 0}, {-1, 0.125}}},
    {"gather indices", "i64", 1, {2}, "%y = gather(%x, %v) axis=3", false, 2, {{0, 7}, {-1, 1}, {3, 3}, {6, 5}}},
    {"cumulate axis", "i64", 0, {0}, "%y = cumulate(%x, %v)", false, 1, {{0}, {1}, {-1}, {2}}},
    {"trilu k", "i64", 0, {0}, "%y = trilu(%x, %v)", false, 1, {{0}, {-2}, {3}, {9}}},
    {"conv weights", "f32", 4, {8, 3, 3, 3}, "%y = conv(%x, %v) pads=[1,1,1,1]", false, 0, {{0}}},
    {"conv bias",
     "f32",
     1,
     {8},
     "%w: f32[8,3,3,3] = const random(4)\n %y = conv(%x, %w, %v) strides=[2,2]",
     false,
     0,
     {{0}}},
    {"matmul weights", "f32", 2, {8, 6}, "%y = matmul(%x, %v)", false, 0, {{0}}},
    {"statistics",
     "f32",
     1,
     {3},
     "%y = batch_norm(%x, %v, %v, %v, %v)",
     false,
     3,
     {{1, 2, 3}, {0.5, 0.25, 4}, {1, 1, 1}, {9, 16, 0.25}}},
    {"layer_norm scale", "f32", 1, {8}, "%y = layer_norm(%x, %v, %v)", false, 0, {{0}}},
    {"quantisation scales",
     "f32",
     1,
     {3},
     "%z: i8[3] = const [0, 1, -1]\n %q = quantize(%x, %v, %z)\n %y = dequantize(%q, %v, %z)",
     false,
     3,
     {{1, 2, 3}, {0.5, 0.25, 4}, {0.01, 0.02, 0.03}, {9, 16, 0.25}}},
};

/* ---- networks ---------------------------------------------------------------------------------------------------- */

static double number(const operand_case *c, uint32_t set, uint32_t i) {
  if (c->numbers) return c->set[set][i];
  uint32_t seed = (set * NUMBERS + i) * 2654435761u;
  return (double)(seed >> 20) / 4096 - 0.5; /* exact in text and in f32 */
}

static uint32_t elements(const operand_case *c) {
  uint32_t n = 1;
  for (uint32_t d = 0; d < c->rank; d++) n *= (uint32_t)c->dims[d];
  return n;
}

/* With |set| as a constant, or with UINT32_MAX as an input. */
static pelton_engine *make_engine(const operand_case *c, uint32_t set, uint32_t threads) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options build = PELTON_BUILD_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model;
  pelton_engine *engine;
  static char text[16384], value[64];
  int used = snprintf(value, sizeof value, "%%v: %s[", c->type);
  for (uint32_t d = 0; d < c->rank; d++)
    used += snprintf(value + used, sizeof value - (size_t)used, "%s%d", d ? "," : "", (int)c->dims[d]);
  snprintf(value + used, sizeof value - (size_t)used, "]");
  used = snprintf(text, sizeof text, "graph g(%%x: f32[2,3,8,8]%s%s) -> (%%y)\n", set == UINT32_MAX ? ", " : "",
                  set == UINT32_MAX ? value : "");
  if (set != UINT32_MAX) {
    used += snprintf(text + used, sizeof text - (size_t)used, " %s = const [", value);
    for (uint32_t i = 0; i < elements(c); i++)
      used += snprintf(text + used, sizeof text - (size_t)used, c->type[0] == 'f' ? "%s%.12f" : "%s%.0f", i ? ", " : "",
                       number(c, set, i));
    used += snprintf(text + used, sizeof text - (size_t)used, "]\n");
  }
  used += snprintf(text + used, sizeof text - (size_t)used, " %s\nend\n", c->body);
  build.threads = threads;
  build.level = 0;
  REQUIRE_OK(pelton_model_parse(text, (size_t)used, &import, &model, &diag), &diag);
  REQUIRE_OK(pelton_engine_build(model, &build, &engine, &diag), &diag);
  pelton_model_release(model);
  return engine;
}

typedef struct feed {
  float x[X];
  union {
    float f32[NUMBERS];
    int64_t i64[NUMBERS];
  } v;
  pelton_tensor in[2];
} feed;

static void fill(feed *f, const operand_case *c, uint32_t set) {
  uint32_t seed = 17, n = elements(c);
  for (uint32_t i = 0; i < X; i++) {
    seed = seed * 1664525u + 1013904223u;
    f->x[i] = (float)(seed >> 16) / 32768.0f - 1.0f;
  }
  bool is_float = c->type[0] == 'f';
  for (uint32_t i = 0; i < n; i++) {
    if (is_float)
      f->v.f32[i] = (float)number(c, set, i);
    else
      f->v.i64[i] = (int64_t)number(c, set, i);
  }
  f->in[0] = (pelton_tensor){PELTON_DTYPE_F32, {4, {2, 3, 8, 8}}, f->x, sizeof f->x};
  f->in[1] =
      (pelton_tensor){is_float ? PELTON_DTYPE_F32 : PELTON_DTYPE_I64, {c->rank, {0}}, &f->v, (is_float ? 4u : 8u) * n};
  memcpy(f->in[1].shape.dims, c->dims, sizeof c->dims);
}

/* Unfused and fused arithmetic may round differently; what is moved or counted does not. */
static bool agrees(const pelton_tensor *a, const pelton_tensor *b) {
  if (a->dtype != b->dtype || a->bytes != b->bytes || a->shape.rank != b->shape.rank ||
      memcmp(a->shape.dims, b->shape.dims, sizeof a->shape.dims[0] * a->shape.rank))
    return false;
  for (size_t i = 0; i < a->bytes / sizeof(float); i++) {
    float x = ((const float *)a->data)[i], y = ((const float *)b->data)[i];
    if (!(fabsf(x - y) <= 1e-5f * (1 + fabsf(y)))) return false;
  }
  return true;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

/* A loop's body has plans of its own; ninety iterations take turns in 64 places. */
static bool counts_plans(const operand_case *c) { return strncmp(c->name, "loop", 4) != 0; }

static void check_case(const operand_case *c) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *constant[SETS], *engine = make_engine(c, UINT32_MAX, 1);
  pelton_context *expected[SETS], *context;
  uint64_t plans[3 * SETS];
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  for (uint32_t s = 0; s < SETS; s++) {
    constant[s] = make_engine(c, s, 1);
    REQUIRE_OK(pelton_context_create(constant[s], NULL, &expected[s], &diag), &diag);
  }
  for (uint32_t run = 0; run < 3 * SETS; run++) {
    feed f;
    pelton_tensor out = {0}, want = {0};
    fill(&f, c, run % SETS);
    pelton_status status = pelton_context_run(context, f.in, 2, &out, 1, &diag);
    if (!status) status = pelton_context_run(expected[run % SETS], f.in, 1, &want, 1, &diag);
    bool ok = !status && agrees(&out, &want);
    if (!ok) printf("  %s, values %u\n", c->name, run % SETS);
    REQUIRE_OK(status, &diag);
    EXPECT(ok);
    plans[run] = pelton_context_plan_count(context);
  }
  bool steers = plans[SETS - 1] > plans[0], repeats = plans[3 * SETS - 1] > plans[SETS - 1];
  if (counts_plans(c) && (repeats || steers != c->steers))
    printf("  %s: %d plans, then %d, then %d\n", c->name, (int)plans[0], (int)plans[SETS - 1],
           (int)plans[3 * SETS - 1]);
  EXPECT(!counts_plans(c) || (!repeats && steers == c->steers));
  for (uint32_t s = 0; s < SETS; s++) {
    pelton_context_release(expected[s]);
    pelton_engine_release(constant[s]);
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
}

TEST(an_operand_may_be_an_input) {
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_case(&cases[i]);
}

static const char token_text[] = "graph tokens(%ids: i64[1,n<=64], %heads: i64[3], %bias: f32[4]) -> (%y)\n"
                                 "  %table: f32[50,4] = const random(1)\n"
                                 "  %e = gather(%table, %ids)\n"
                                 "  %b = pointwise(%e, %bias) expr=\"add(x0,x1)\"\n"
                                 "  %y = reshape(%b, %heads)\n"
                                 "end\n";

static pelton_engine *make_token_engine(const pelton_allocator *allocator) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options build = PELTON_BUILD_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model;
  pelton_engine *engine;
  build.level = 0;
  build.threads = 1;
  build.allocator = import.allocator = allocator;
  REQUIRE_OK(pelton_model_parse(token_text, sizeof token_text - 1, &import, &model, &diag), &diag);
  REQUIRE_OK(pelton_engine_build(model, &build, &engine, &diag), &diag);
  pelton_model_release(model);
  return engine;
}

/* |count| tokens from |first| on, as [a, b, 4]; false: not what the table holds. */
static bool look_up(pelton_context *context, int64_t first, int64_t count, int64_t a, float *kept) {
  pelton_diag diag = PELTON_DIAG_INIT;
  int64_t ids[64], heads[3] = {a, count / a, 4};
  float bias[4] = {0, 1, 2, 3};
  for (int64_t i = 0; i < count; i++) ids[i] = (first + i) % 50;
  pelton_tensor in[3] = {{PELTON_DTYPE_I64, {2, {1, count}}, ids, sizeof ids[0] * (size_t)count},
                         {PELTON_DTYPE_I64, {1, {3}}, heads, sizeof heads},
                         {PELTON_DTYPE_F32, {1, {4}}, bias, sizeof bias}};
  pelton_tensor out = {0};
  if (pelton_context_run(context, in, 3, &out, 1, &diag)) return false;
  if (out.shape.rank != 3 || out.shape.dims[0] != a || out.shape.dims[1] != count / a) return false;
  for (int64_t i = 0; i < count; i++) { /* each token's row, as it came when it was first seen */
    float *row = kept + 4 * ids[i], *got = (float *)out.data + 4 * i;
    if (isnan(row[0])) memcpy(row, got, sizeof(float) * 4);
    if (memcmp(row, got, sizeof(float) * 4)) return false;
  }
  return true;
}

TEST(data_beside_them_makes_no_plans) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  pelton_engine *engine = make_token_engine(NULL);
  float kept[200];
  for (int i = 0; i < 200; i++) kept[i] = NAN;
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  for (int64_t i = 0; i < 100; i++) EXPECT(look_up(context, i, 8, 2 << i % 2, kept));
  EXPECT_EQ(pelton_context_plan_count(context), 2);
  pelton_context_release(context);
  pelton_engine_release(engine);
}

/* More values than plans are remembered, in turns: each is planned anew, and what went is released. */
TEST(many_values_keep_memory_bounded) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  harness_allocator a;
  pelton_engine *engine = make_token_engine(harness_allocator_init(&a, 0));
  float kept[200];
  for (int i = 0; i < 200; i++) kept[i] = NAN;
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  uint64_t live[3], plans[3], bytes[3];
  for (int pass = 0; pass < 3; pass++) {
    for (int64_t count = 1; count <= 64; count++)
      for (int64_t k = 1; k <= 2; k++) EXPECT(count % k || look_up(context, count, count, k, kept));
    live[pass] = a.live;
    plans[pass] = pelton_context_plan_count(context);
    bytes[pass] = pelton_context_bytes(context);
  }
  EXPECT_EQ(plans[0], 96);
  EXPECT_EQ(plans[2] - plans[1], 96);
  EXPECT_EQ(live[2], live[1]);
  EXPECT_EQ(bytes[2], bytes[1]);
  for (int64_t i = 0; i < 30; i++) EXPECT(look_up(context, i, 64, 2, kept)); /* a few are remembered */
  EXPECT_EQ(pelton_context_plan_count(context), plans[2]);
  pelton_context_release(context);
  pelton_engine_release(engine);
  EXPECT_EQ(a.live, 0);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

typedef struct client {
  pelton_engine *engine;
  int64_t seed;
} client;

static void *serve(void *argument) {
  const client *c = argument;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *contexts[2] = {NULL, NULL};
  float kept[200];
  for (int i = 0; i < 200; i++) kept[i] = NAN;
  bool ok = true;
  for (int i = 0; i < 2; i++) ok &= pelton_context_create(c->engine, NULL, &contexts[i], &diag) == PELTON_OK;
  for (int64_t i = 0; i < 200 && ok; i++)
    ok = look_up(contexts[i % 2], c->seed + i, 2 + 2 * ((c->seed + i) % 31), 1 + i % 2, kept);
  for (int i = 0; i < 2; i++) pelton_context_release(contexts[i]);
  return ok ? NULL : argument;
}

TEST(threads_with_values_of_their_own) {
  enum { CLIENTS = 4 };
  pthread_t threads[CLIENTS];
  client clients[CLIENTS];
  pelton_engine *engine = make_token_engine(NULL);
  for (int i = 0; i < CLIENTS; i++) {
    clients[i] = (client){engine, 7 * i};
    REQUIRE(pthread_create(&threads[i], NULL, serve, &clients[i]) == 0);
  }
  for (int i = 0; i < CLIENTS; i++) {
    void *failed;
    pthread_join(threads[i], &failed);
    EXPECT(failed == NULL);
  }
  pelton_engine_release(engine);
}

/* A plan whose making fails for want of memory leaves the context usable. */
TEST(any_allocation_of_a_new_plan_may_fail) {
  harness_allocator a;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  pelton_engine *engine = make_token_engine(harness_allocator_init(&a, 0));
  float kept[200];
  for (int i = 0; i < 200; i++) kept[i] = NAN;
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  EXPECT(look_up(context, 0, 8, 1, kept));
  for (uint64_t n = 1; n < 10000; n++) {
    a.fail_at = a.count + n;
    a.failed = false;
    bool ok = look_up(context, 0, 8, 2, kept);
    EXPECT_EQ(ok, !a.failed);
    a.fail_at = 0;
    EXPECT(look_up(context, 0, 8, 1, kept));
    if (ok) break;
  }
  EXPECT(!a.failed);
  pelton_context_release(context);
  pelton_engine_release(engine);
  EXPECT_EQ(a.live, 0);
}

TEST_MAIN(T(an_operand_may_be_an_input), T(data_beside_them_makes_no_plans), T(many_values_keep_memory_bounded),
          T(threads_with_values_of_their_own), T(any_allocation_of_a_new_plan_may_fail))
