/* The planner on the null target and the cpu, and on targets of this file's own whose tactics want what a test needs:
   what is planned, what runs as one step, where layouts change, where values lie. Random graphs are planned and
   executed by planned.c's machine. */
#include "harness.h"
#include "planned.h"

#include <stdio.h>

static const pn_target *null_target(void) { return planned_target("null"); }
static const pn_target *cpu_target(void) { return planned_target("cpu"); }

static void expect_checked(const planned *p) {
  char why[256] = "";
  bool ok = planned_check(p, 1, why, sizeof why);
  if (!ok) EXPECT_STR(why, "");
  EXPECT(ok);
}

static void plan_on(planned *p, const char *text, const pn_target *target) {
  planned_open(p, text, target);
  planned_make(p, NULL);
  expect_checked(p);
}

/* ---- what is planned --------------------------------------------------------------------------------------------- */

TEST(what_is_known_is_not_planned) {
  planned p;
  plan_on(&p,
          "graph g(%x: f32[2,3,4]) -> (%y, %s)\n"
          "  %s = shape_of(%x)\n"
          "  %last: i64[1] = const [2]\n"
          "  %n = gather(%s, %last)\n"
          "  %rest: i64[1] = const [-1]\n"
          "  %shape = concat(%rest, %n)\n"
          "  %r = reshape(%x, %shape)\n"
          "  %unused = pointwise(%x) expr=\"neg(x0)\"\n"
          "  %y = pointwise(%r) expr=\"relu(x0)\"\n"
          "end\n",
          null_target());
  EXPECT_EQ(p.plan->steps.count, 1); /* the relu: shapes are known, a reshape is a view, nobody wants %unused */
  EXPECT(planned_step(&p, "y") != NULL);
  EXPECT_EQ(p.plan->outputs[1].place.kind, PN_PLACE_CONSTANT);
  EXPECT_EQ(*(const int64_t *)p.plan->outputs[1].place.data, 2);
  planned_close(&p);
}

/* ---- what runs as one step --------------------------------------------------------------------------------------- */

#define CONV_W "  %w: f32[4,4,3,3] = const random(1)\n"

TEST(a_convolution_takes_its_epilogue_and_residual) {
  const pn_target *targets[] = {null_target(), cpu_target()};
  for (int i = 0; i < 2; i++) {
    planned p;
    plan_on(&p,
            "graph g(%x: f32[1,4,8,8]) -> (%y)\n" CONV_W "  %c1 = conv(%x, %w) pads=[1,1,1,1]\n"
            "  %r1 = pointwise(%c1) expr=\"relu(x0)\"\n"
            "  %c2 = conv(%r1, %w) pads=[1,1,1,1]\n"
            "  %y = pointwise(%c2, %r1) expr=\"relu(add(x0,x1))\"\n"
            "end\n",
            targets[i]);
    EXPECT(planned_step(&p, "c1+r1") != NULL);
    EXPECT(planned_step(&p, "c2+y") != NULL);
    EXPECT_EQ(p.plan->decisions.list.count, 2);
    planned_close(&p);
  }
}

static void expect_not_grouped(const char *outputs, const char *more) {
  char text[1024];
  planned p;
  (void)snprintf(text, sizeof text,
                 "graph g(%%x: f32[1,4,8,8]) -> (%s)\n"
                 "  %%w: f32[4,4,3,3] = const random(1)\n"
                 "  %%c = conv(%%x, %%w) pads=[1,1,1,1]\n"
                 "  %%y = pointwise(%%c%s\nend\n",
                 outputs, more);
  plan_on(&p, text, null_target());
  EXPECT(planned_step(&p, "c+") == NULL);
  EXPECT(planned_step(&p, "y") != NULL);
  planned_close(&p);
}

TEST(a_second_use_keeps_a_chain_apart) {
  expect_not_grouped("%y, %z", ") expr=\"relu(x0)\"\n  %z = pointwise(%c) expr=\"neg(x0)\"");
  expect_not_grouped("%y, %c", ") expr=\"relu(x0)\"");            /* an output is a use */
  expect_not_grouped("%y", ", %c) expr=\"mul(x0,sigmoid(x1))\""); /* and so is each operand of one node */
}

TEST(a_group_runs_where_all_its_operands_are_ready) {
  planned p;
  plan_on(&p,
          "graph g(%x: f32[1,4,8,8]) -> (%y)\n" CONV_W "  %c = conv(%x, %w) pads=[1,1,1,1]\n"
          "  %s = softmax(%x)\n"
          "  %t = softmax(%s) axis=1\n"
          "  %y = pointwise(%c, %t) expr=\"add(x0,x1)\"\n"
          "end\n",
          null_target());
  const pn_plan_step *group = planned_step(&p, "c+y");
  EXPECT(group == &p.plan->steps.data[p.plan->steps.count - 1]);
  planned_close(&p);
}

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

TEST(a_value_is_converted_once_for_all_its_readers) {
  planned p; /* the convolutions on the cpu work channels-last; views and results are plain */
  plan_on(&p,
          "graph g(%x: f32[1,4,8,8]) -> (%f, %c2, %s)\n" CONV_W "  %c1 = conv(%x, %w) pads=[1,1,1,1]\n"
          "  %c2 = conv(%c1, %w) pads=[1,1,1,1]\n"
          "  %v = flatten(%c2)\n"
          "  %f = softmax(%v)\n"
          "  %shape: i64[2] = const [8, 32]\n"
          "  %u = reshape(%c2, %shape)\n"
          "  %s = softmax(%u)\n"
          "end\n",
          cpu_target());
  EXPECT_EQ(planned_conversions(&p), 1);
  EXPECT(planned_step(&p, "to_plain") != NULL);
  EXPECT_EQ(p.plan->fallback_count, 0);
  planned_close(&p);
}

TEST(layouts_that_are_the_same_need_no_conversion) {
  planned p; /* one channel: plain and channels-last are the same bytes */
  plan_on(&p,
          "graph g(%x: f32[1,1,8,8]) -> (%c)\n"
          "  %w: f32[1,1,3,3] = const random(1)\n"
          "  %c = conv(%x, %w) pads=[1,1,1,1]\n"
          "end\n",
          cpu_target());
  EXPECT_EQ(planned_conversions(&p), 0);
  EXPECT_EQ(p.plan->steps.count, 1);
  planned_close(&p);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static const pn_place *result_place(const planned *p, const char *step_name) {
  const pn_plan_step *step = planned_step(p, step_name);
  REQUIRE(step != NULL);
  const pn_operand *out = pn_problem_output(step->problem, step->problem->node_count - 1, 0);
  return &step->places[pn_operand_index(step->problem, out)];
}

static const pn_place *operand_place(const planned *p, const char *step_name, uint32_t operand) {
  const pn_plan_step *step = planned_step(p, step_name);
  REQUIRE(step != NULL);
  return &step->places[pn_operand_index(step->problem, pn_problem_input(step->problem, 0, operand))];
}

static bool same_place(const pn_place *a, const pn_place *b) {
  return a->kind == b->kind && a->index == b->index && a->offset == b->offset;
}

TEST(a_view_has_its_source_s_bytes) {
  planned p;
  plan_on(&p,
          "graph g(%x: f32[2,8]) -> (%b, %v)\n"
          "  %a = softmax(%x)\n"
          "  %shape: i64[2] = const [4, 4]\n"
          "  %r = reshape(%a, %shape)\n"
          "  %b = softmax(%r)\n"
          "  %v = reshape(%x, %shape)\n"
          "end\n",
          null_target());
  EXPECT(same_place(result_place(&p, "a"), operand_place(&p, "b", 0)));
  EXPECT_EQ(p.plan->outputs[1].place.kind, PN_PLACE_INPUT); /* copied by the runtime: no step writes it */
  planned_close(&p);
}

#define PARTS                                                                                                          \
  "  %a = softmax(%x)\n"                                                                                               \
  "  %b = softmax(%x) axis=1\n"

TEST(a_concatenation_is_written_in_place_where_its_parts_are_whole) {
  planned p;
  plan_on(&p, "graph g(%x: f32[1,4,64]) -> (%y)\n" PARTS "  %c = concat(%a, %b)\n  %y = softmax(%c)\nend\n",
          null_target());
  EXPECT_EQ(p.plan->steps.count, 3);
  EXPECT_EQ(result_place(&p, "b")->offset - result_place(&p, "a")->offset, 4 * 64 * sizeof(float));
  EXPECT(same_place(result_place(&p, "a"), operand_place(&p, "y", 0)));
  planned_close(&p);
  plan_on(&p, "graph g(%x: f32[1,256]) -> (%c)\n" PARTS "  %c = concat(%a, %b) axis=1\nend\n", null_target());
  EXPECT_EQ(p.plan->steps.count, 2); /* straight into the caller's memory */
  EXPECT_EQ(result_place(&p, "b")->kind, PN_PLACE_OUTPUT);
  planned_close(&p);
}

static void expect_step(const char *text, const char *name) {
  planned p;
  plan_on(&p, text, null_target());
  EXPECT(planned_step(&p, name) != NULL);
  planned_close(&p);
}

TEST(other_concatenations_copy) {
  expect_step("graph g(%x: f32[2,16]) -> (%y)\n" PARTS "  %cat = concat(%a, %b) axis=1\n  %y = softmax(%cat)\nend\n",
              "cat");
  expect_step("graph g(%x: f32[1,16]) -> (%y)\n" PARTS
              "  %cat = concat(%a, %b, %a) axis=1\n  %y = softmax(%cat)\nend\n",
              "cat");
  expect_step("graph g(%x: f32[1,16]) -> (%y)\n" PARTS
              "  %cat = concat(%a, %x, %b) axis=1\n  %y = softmax(%cat)\nend\n",
              "cat");
  expect_step("graph g(%x: f32[1,16]) -> (%y, %a)\n" PARTS
              "  %cat = concat(%a, %b) axis=1\n  %y = softmax(%cat)\nend\n",
              "cat");
}

TEST(the_pieces_of_a_split_are_views) {
  planned p;
  plan_on(&p,
          "graph g(%x: f32[4,16]) -> (%y, %z)\n"
          "  %a = softmax(%x)\n"
          "  %p, %q = split(%a)\n"
          "  %y = softmax(%p)\n"
          "  %z = softmax(%q)\n"
          "end\n",
          null_target());
  EXPECT_EQ(p.plan->steps.count, 3);
  EXPECT_EQ(operand_place(&p, "z", 0)->offset - operand_place(&p, "y", 0)->offset, 2 * 16 * sizeof(float));
  planned_close(&p);
  expect_step("graph g(%x: f32[2,16]) -> (%y, %z)\n  %cut, %q = split(%x) axis=1\n  %y = softmax(%cut)\n  %z = "
              "softmax(%q)\nend\n",
              "cut");
  expect_step("graph g(%x: f32[1,16]) -> (%cut, %z)\n  %cut, %q = split(%x) axis=1\n  %z = softmax(%q)\nend\n", "cut");
}

/* A target that reads parts only at multiples of 16 bytes, and one that reads them anywhere. */
static void expect_alignment(const char *graph, const char *name) {
  for (uint32_t alignment = 0; alignment <= 16; alignment += 16) {
    pn_target target = *null_target();
    pn_plan_options options = {.keep_report = true};
    char report[4096];
    planned p;
    target.part_alignment = alignment;
    planned_open(&p, graph, &target);
    planned_make(&p, &options);
    EXPECT_EQ(planned_step(&p, name) != NULL, alignment > 0);
    (void)snprintf(report, sizeof report, "%.*s", (int)p.plan->report.size, p.plan->report.data);
    EXPECT_HAS(report, alignment ? "\"not_elided\":\"a part would not begin at a multiple of 16" : "\"elided\"");
    planned_close(&p);
  }
}

TEST(parts_lie_where_the_target_reads_them) {
#define PAIR "graph g(%x: f32[1,3], %z: f32[1,64]) -> (%y)\n  %a = softmax(%x)\n  %b = softmax(%z)\n"
  expect_alignment(PAIR "  %cat = concat(%a, %b) axis=1\n  %y = softmax(%cat)\nend\n", "cat");
  expect_alignment("graph g(%x: f32[67]) -> (%y, %z)\n  %s: i64[2] = const [3,64]\n  %a = softmax(%x)\n"
                   "  %cut, %q = split(%a, %s)\n  %y = softmax(%cut)\n  %z = softmax(%q)\nend\n",
                   "cut");
  pn_target target = *null_target();
  planned p;
  target.part_alignment = 16; /* in the other order the second part lies well */
  planned_open(&p, PAIR "  %cat = concat(%b, %a) axis=1\n  %y = softmax(%cat)\nend\n", &target);
  planned_make(&p, NULL);
  EXPECT(!planned_step(&p, "cat"));
  planned_close(&p);
#undef PAIR
}

TEST(a_step_overwrites_an_operand_that_dies_there) {
  planned p;
  plan_on(&p,
          "graph g(%x: f32[1,4,8,8]) -> (%y)\n"
          "  %a = softmax(%x)\n"
          "  %b = pointwise(%a) expr=\"relu(x0)\"\n"
          "  %y = softmax(%b) axis=1\n"
          "end\n",
          null_target());
  EXPECT(same_place(result_place(&p, "a"), result_place(&p, "b")));
  planned_close(&p);
}

/* That the result of the step |name| does not lie where its operand does. */
static void expect_apart(const char *text, const char *name) {
  planned p;
  plan_on(&p, text, null_target());
  EXPECT(!same_place(result_place(&p, name), operand_place(&p, name, 0)));
  planned_close(&p);
}

TEST(but_no_other) {
#define HEAD "graph g(%x: f32[1,4,8,8]) -> "
  /* the caller's input; an output of the plan; one that is read again; one that is read twice, by a view as well */
  expect_apart(HEAD "(%y)\n  %b = pointwise(%x) expr=\"relu(x0)\"\n  %y = softmax(%b)\nend\n", "b");
  expect_apart(HEAD "(%y, %a)\n  %a = softmax(%x)\n  %b = pointwise(%a) expr=\"relu(x0)\"\n  %y = softmax(%b)\nend\n",
               "b");
  expect_apart(HEAD "(%y, %z)\n  %a = softmax(%x)\n  %b = pointwise(%a) expr=\"relu(x0)\"\n  %y = softmax(%b)\n  %z = "
                    "softmax(%a)\nend\n",
               "b");
  expect_apart(HEAD "(%y)\n  %a = softmax(%x)\n  %s: i64[1] = const [256]\n  %v = reshape(%a, %s)\n  %b = "
                    "pointwise(%a) expr=\"relu(x0)\"\n"
                    "  %w = pointwise(%v) expr=\"neg(x0)\"\n  %y = concat(%w, %v)\n  %z = softmax(%b)\nend\n",
               "w");
  expect_apart(HEAD "(%y)\n  %a = softmax(%x)\n  %s: i64[4] = const [1,4,8,8]\n  %v = reshape(%a, %s)\n"
                    "  %b = pointwise(%a, %v) expr=\"add(x0,x1)\"\n  %y = softmax(%b)\nend\n",
               "b");
#undef HEAD
}

/* ---- a target of moods ------------------------------------------------------------------------------------------- */

/* Refuses some problems in some layouts and likes others, by the hash of the problem and a seed: layouts go up and down
   as no real target would have them. In plain it takes everything, but for groups. */
static uint64_t mood;

static uint64_t feeling(const pn_problem *problem) {
  pn_text text;
  pn_text_init(&text, NULL);
  pn_problem_print(problem, &text);
  uint64_t h = pn_hash_bytes(text.data, text.size, mood);
  pn_text_deinit(&text);
  return h;
}
static bool moody_accepts(const pn_problem *problem, const pn_device *device, pn_reason *why) {
  (void)device;
  bool plain = problem->node_count == 1;
  for (uint32_t i = 0; i < problem->operand_count; i++) plain &= problem->operands[i].layout == PN_LAYOUT_PLAIN;
  bool conversion = problem->operand_count == 2 && problem->operands[0].layout != problem->operands[1].layout;
  return plain || conversion || feeling(problem) % 4 ? true : pn_refuse(why, "not in the mood");
}
static double moody_estimate(const pn_problem *problem, const pn_device *device, const pn_config *config) {
  (void)device;
  (void)config;
  return 1e-6 * (double)(1 + feeling(problem) % 97);
}
static pelton_status moody_run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  (void)step;
  (void)stream;
  (void)diag;
  return PELTON_OK;
}
static const pn_tactic moody = {.name = "moody",
                                .version = 1,
                                .accepts = moody_accepts,
                                .estimate = moody_estimate,
                                .run = moody_run,
                                .in_place = true};
static const pn_tactic *const moody_table[] = {&moody};
static uint32_t moody_tactics(const pn_device *device, const pn_tactic *const **out) {
  (void)device;
  *out = moody_table;
  return 1;
}
static pn_target moody_target(void) {
  pn_target target = *null_target();
  target.name = "moody";
  target.tactics = moody_tactics;
  return target;
}

/* ---- random graphs ----------------------------------------------------------------------------------------------- */

typedef struct writer {
  char text[16384];
  size_t used;
  uint32_t seed, count;
  int64_t dims[64][4]; /* of v0, v1, ... */
} writer;

static uint32_t pick(writer *w, uint32_t n) {
  w->seed = w->seed * 1664525u + 1013904223u;
  return (w->seed >> 16) % n;
}
#define ADD(w, ...) ((w)->used += (size_t)snprintf((w)->text + (w)->used, sizeof(w)->text - (w)->used, __VA_ARGS__))
static uint32_t define(writer *w, int64_t n, int64_t c, int64_t y, int64_t x) {
  int64_t dims[4] = {n, c, y, x};
  memcpy(w->dims[w->count], dims, sizeof dims);
  return w->count++;
}

/* A value of the same shape as |v|: itself when there is no other. */
static uint32_t like(writer *w, uint32_t v) {
  uint32_t start = pick(w, w->count);
  for (uint32_t i = 0; i < w->count; i++)
    if (!memcmp(w->dims[(start + i) % w->count], w->dims[v], sizeof w->dims[v])) return (start + i) % w->count;
  return v;
}

static void write_join(writer *w, uint32_t v) {
  int64_t *d = w->dims[v], sum[4];
  uint32_t axis = pick(w, 4), other = like(w, v), third = like(w, v), parts = 2 + pick(w, 2);
  memcpy(sum, d, sizeof sum);
  sum[axis] *= parts;
  if (sum[axis] > 12) return;
  uint32_t r = define(w, sum[0], sum[1], sum[2], sum[3]);
  ADD(w, "  %%v%u = concat(%%v%u, %%v%u", r, v, other);
  if (parts == 3) ADD(w, ", %%v%u", third);
  ADD(w, ") axis=%u\n", axis);
}

static void write_cut(writer *w, uint32_t v) {
  int64_t d[4];
  memcpy(d, w->dims[v], sizeof d);
  uint32_t axis = pick(w, 4);
  for (uint32_t i = 0; i < 4 && d[axis] % 2; i++) axis = (axis + 1) % 4;
  if (d[axis] % 2) return;
  d[axis] /= 2;
  uint32_t a = define(w, d[0], d[1], d[2], d[3]), b = define(w, d[0], d[1], d[2], d[3]);
  ADD(w, "  %%v%u, %%v%u = split(%%v%u) axis=%u\n", a, b, v, axis);
}

static void write_view(writer *w, uint32_t v) {
  const int64_t *d = w->dims[v];
  int64_t to[4] = {d[0], d[2], d[1], d[3]};
  if (pick(w, 2)) memcpy(to, d, sizeof to);
  uint32_t r = define(w, to[0], to[1], to[2], to[3]);
  ADD(w, "  %%s%u: i64[4] = const [%lld,%lld,%lld,%lld]\n", r, (long long)to[0], (long long)to[1], (long long)to[2],
      (long long)to[3]);
  ADD(w, "  %%v%u = reshape(%%v%u, %%s%u)\n", r, v, r);
}

static void write_node(writer *w) {
  uint32_t v = w->count - 1 - pick(w, w->count < 4 ? w->count : 4), r; /* mostly late ones: chains */
  if (pick(w, 4) == 0) v = pick(w, w->count);
  int64_t *d = w->dims[v];
  switch (pick(w, 8)) {
  case 0:
  case 1:
    r = define(w, d[0], d[1], d[2], d[3]);
    ADD(w, "  %%w%u: f32[%lld,%lld,3,3] = const random(%u)\n", r, (long long)d[1], (long long)d[1], r);
    ADD(w, "  %%v%u = conv(%%v%u, %%w%u) pads=[1,1,1,1]\n", r, v, r);
    break;
  case 2:
    r = define(w, d[0], d[1], d[2], d[3]);
    ADD(w, "  %%v%u = pointwise(%%v%u) expr=\"relu(add(x0,1.0:f32))\"\n", r, v);
    break;
  case 3: {
    uint32_t other = like(w, v);
    r = define(w, d[0], d[1], d[2], d[3]);
    ADD(w, "  %%v%u = pointwise(%%v%u, %%v%u) expr=\"sub(x0,x1)\"\n", r, v, other);
    break;
  }
  case 4: write_join(w, v); break;
  case 5: write_cut(w, v); break;
  case 6: write_view(w, v); break;
  default: r = define(w, d[0], d[1], d[2], d[3]); ADD(w, "  %%v%u = softmax(%%v%u) axis=%u\n", r, v, pick(w, 4));
  }
}

static void write_graph(writer *w, uint32_t seed) {
  char body[sizeof w->text];
  memset(w, 0, sizeof *w);
  w->seed = seed;
  int64_t n = 1 + pick(w, 2), c = 2 * (1 + pick(w, 2)), y = 1 + pick(w, 3), x = 2 + 2 * pick(w, 2);
  define(w, n, c, y, x);
  define(w, n, c, y, x);
  uint32_t nodes = 2 + pick(w, 18);
  while (nodes-- && w->count < 50) write_node(w);
  memcpy(body, w->text, w->used + 1);
  w->used = 0;
  ADD(w, "graph g(%%v0: f32[%lld,%lld,%lld,%lld], %%v1: f32[%lld,%lld,%lld,%lld]) -> (", (long long)n, (long long)c,
      (long long)y, (long long)x, (long long)n, (long long)c, (long long)y, (long long)x);
  uint32_t outputs = 1 + pick(w, 3);
  for (uint32_t v = w->count; v-- > 2 && outputs;) { /* the last, and some others */
    if (v + 1 < w->count && pick(w, 3)) continue;
    ADD(w, "%s%%v%u", v + 1 < w->count ? ", " : "", v);
    outputs--;
  }
  if (w->count == 2) ADD(w, "%%v0");
  ADD(w, ")\n%send\n", body);
}

static void check_random(const pn_target *target, uint32_t seed) {
  writer w;
  planned p;
  char why[256];
  write_graph(&w, seed);
  planned_open(&p, w.text, target);
  planned_make(&p, NULL);
  const bool right = planned_check(&p, seed, why, sizeof why);
  if (!right) fprintf(stderr, "target %s, seed %u: %s\n%s", target->name, seed, why, w.text);
  EXPECT(right);
  pn_plan *first = p.plan; /* the same again from its decisions */
  pn_plan_options options = {.decisions = &first->decisions};
  p.plan = NULL;
  planned_make(&p, &options);
  EXPECT(planned_same_decisions(first, p.plan));
  EXPECT_EQ(first->arena_bytes, p.plan->arena_bytes);
  pn_plan_release(first);
  planned_close(&p);
}

TEST(plans_of_random_graphs_compute_what_the_graphs_say) {
  pn_target target = moody_target();
  for (uint32_t seed = 1; seed <= 250; seed++) {
    mood = seed;
    check_random(&target, seed);
    check_random(null_target(), seed);
    if (seed % 5 == 0) check_random(cpu_target(), seed);
  }
}

/* ---- decisions from elsewhere ------------------------------------------------------------------------------------ */

static const char two_convs[] = "graph g(%x: f32[1,4,8,8]) -> (%y)\n" CONV_W "  %c1 = conv(%x, %w) pads=[1,1,1,1]\n"
                                "  %r1 = pointwise(%c1) expr=\"relu(x0)\"\n"
                                "  %s = softmax(%r1) axis=1\n"
                                "  %c2 = conv(%s, %w) pads=[1,1,1,1]\n"
                                "  %y = pointwise(%c2, %r1) expr=\"relu(add(x0,x1))\"\n"
                                "end\n";

static void add_decision(pn_arena *a, pn_decisions *d, uint32_t first, uint32_t count, const char *tactic,
                         const char *in, const char *out) {
  pn_decision one = {first, count, pn_str_from(in), pn_str_from(out), pn_str_from(tactic), 1, {0}};
  REQUIRE(pn_list_push(a, &d->list, one));
}

TEST(decisions_that_do_not_fit_are_ignored) {
  planned p;
  planned_open(&p, two_convs, cpu_target());
  pn_decisions d = {0};
  pn_plan_options options = {.decisions = &d};
  add_decision(&p.arena, &d, 1, 4, "cpu.pointwise", "plain", "plain");   /* a chain that no tactic runs */
  add_decision(&p.arena, &d, 3, 1, "cpu.of_tomorrow", "plain", "plain"); /* a tactic that is not there */
  add_decision(&p.arena, &d, 4, 1, "cpu.pointwise", "diagonal", "plain");
  add_decision(&p.arena, &d, 4000000000u, 2, "cpu.pointwise", "plain", "plain");
  add_decision(&p.arena, &d, 0, 4000000000u, "cpu.pointwise", "plain", "plain");
  planned_make(&p, &options);
  expect_checked(&p);
  EXPECT(planned_step(&p, "c1+r1") != NULL); /* nothing fitting was said of it: chosen as ever */
  planned_close(&p);
}

static const char heads[] = "graph g(%x: f32[1,6,4,8], %z: f32[1,6,4,8]) -> (%y)\n"
                            "  %q = transpose(%x) perm=[0,2,1,3]\n"
                            "  %k = transpose(%z) perm=[0,2,3,1]\n"
                            "  %s = matmul(%q, %k)\n"
                            "  %a = softmax(%s)\n"
                            "  %o = matmul(%a, %q)\n"
                            "  %y = transpose(%o) perm=[0,2,1,3]\n"
                            "end\n";

/* What stands in front of a chain goes with it: all of it by the estimates, and as much as a decision says. */
TEST(a_chain_takes_in_what_stands_in_front) {
  planned p;
  planned_open(&p, heads, null_target());
  planned_make(&p, NULL);
  expect_checked(&p);
  EXPECT(planned_step(&p, "q+k+s+a+o+y") != NULL);
  pn_plan *first = p.plan;
  p.plan = NULL;
  pn_plan_options again = {.decisions = &first->decisions};
  planned_make(&p, &again);
  EXPECT(planned_same_decisions(first, p.plan));
  pn_plan_release(first);
  pn_plan_release(p.plan);
  p.plan = NULL;
  pn_decisions d = {0};
  pn_plan_options options = {.decisions = &d};
  add_decision(&p.arena, &d, 0, 5, "null.nothing", "plain", "plain");
  planned_make(&p, &options);
  expect_checked(&p);
  EXPECT(planned_step(&p, "q+k+s+a+o") != NULL);
  EXPECT(planned_step(&p, "q+k+s+a+o+y") == NULL);
  planned_close(&p);
}

TEST(random_decisions_make_valid_plans) {
  static const char *const layouts[] = {"plain", "channels_last", "channels_last", "none"};
  for (uint32_t seed = 1; seed <= 200; seed++) {
    writer w = {.seed = seed};
    planned p;
    pn_target target = moody_target();
    mood = seed;
    planned_open(&p, two_convs, &target);
    pn_decisions d = {0};
    pn_plan_options options = {.decisions = &d};
    for (uint32_t i = pick(&w, 8); i-- > 0;)
      add_decision(&p.arena, &d, pick(&w, 6), pick(&w, 4), "moody", layouts[pick(&w, 4)], layouts[pick(&w, 4)]);
    planned_make(&p, &options);
    expect_checked(&p);
    planned_close(&p);
  }
}

/* ---- memory that is out ------------------------------------------------------------------------------------------ */

TEST(any_allocation_of_the_planner_may_fail) {
  static const char text[] = "graph g(%x: f32[2,4,8,8]) -> (%y, %m)\n" CONV_W "  %c = conv(%x, %w) pads=[1,1,1,1]\n"
                             "  %r = pointwise(%c) expr=\"relu(x0)\"\n"
                             "  %p, %q = split(%r)\n"
                             "  %cat = concat(%q, %p)\n"
                             "  %y = softmax(%cat)\n"
                             "  %s = shape_of(%x)\n"
                             "  %m = pointwise(%s) expr=\"add(x0,1:i64)\"\n"
                             "end\n";
  harness_allocator a;
  uint64_t n = 0;
  do {
    planned p;
    pelton_diag diag = PELTON_DIAG_INIT;
    planned_open(&p, text, cpu_target());
    pn_plan_options options = {.keep_report = true};
    pelton_status status = planned_try(&p, &options, harness_allocator_init(&a, ++n), &diag);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    if (!status) expect_checked(&p);
    planned_close(&p);
    EXPECT_EQ(a.live, 0);
  } while (a.failed && n < 10000);
}

TEST_MAIN(T(what_is_known_is_not_planned), T(a_convolution_takes_its_epilogue_and_residual),
          T(a_second_use_keeps_a_chain_apart), T(a_group_runs_where_all_its_operands_are_ready),
          T(a_value_is_converted_once_for_all_its_readers), T(layouts_that_are_the_same_need_no_conversion),
          T(a_view_has_its_source_s_bytes), T(a_concatenation_is_written_in_place_where_its_parts_are_whole),
          T(other_concatenations_copy), T(the_pieces_of_a_split_are_views), T(parts_lie_where_the_target_reads_them),
          T(a_step_overwrites_an_operand_that_dies_there), T(but_no_other),
          T(plans_of_random_graphs_compute_what_the_graphs_say), T(decisions_that_do_not_fit_are_ignored),
          T(a_chain_takes_in_what_stands_in_front), T(random_decisions_make_valid_plans),
          T(any_allocation_of_the_planner_may_fail))
