/* The planner on the null target and the cpu, and on targets of this file's own whose tactics want what a test needs:
   what is planned, what runs as one step, where layouts change, where values lie. Random graphs are planned and executed
   by planned.c's machine. */
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
            "graph g(%x: f32[1,4,8,8]) -> (%y)\n" CONV_W
            "  %c1 = conv(%x, %w) pads=[1,1,1,1]\n"
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
  expect_not_grouped("%y, %c", ") expr=\"relu(x0)\"");         /* an output is a use */
  expect_not_grouped("%y", ", %c) expr=\"mul(x0,sigmoid(x1))\""); /* and so is each operand of one node */
}

TEST(a_group_runs_where_all_its_operands_are_ready) {
  planned p;
  plan_on(&p,
          "graph g(%x: f32[1,4,8,8]) -> (%y)\n" CONV_W
          "  %c = conv(%x, %w) pads=[1,1,1,1]\n"
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
          "graph g(%x: f32[1,4,8,8]) -> (%f, %c2, %s)\n" CONV_W
          "  %c1 = conv(%x, %w) pads=[1,1,1,1]\n"
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

static bool same_place(const pn_place *a, const pn_place *b) { return a->kind == b->kind && a->index == b->index && a->offset == b->offset; }

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

#define PARTS                          \
  "  %a = softmax(%x)\n"               \
  "  %b = softmax(%x) axis=1\n"

TEST(a_concatenation_is_written_in_place_where_its_parts_are_whole) {
  planned p;
  plan_on(&p, "graph g(%x: f32[1,4,64]) -> (%y)\n" PARTS "  %c = concat(%a, %b)\n  %y = softmax(%c)\nend\n", null_target());
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
  expect_step("graph g(%x: f32[2,16]) -> (%y)\n" PARTS "  %cat = concat(%a, %b) axis=1\n  %y = softmax(%cat)\nend\n", "cat");
  expect_step("graph g(%x: f32[1,16]) -> (%y)\n" PARTS "  %cat = concat(%a, %b, %a) axis=1\n  %y = softmax(%cat)\nend\n", "cat");
  expect_step("graph g(%x: f32[1,16]) -> (%y)\n" PARTS "  %cat = concat(%a, %x, %b) axis=1\n  %y = softmax(%cat)\nend\n", "cat");
  expect_step("graph g(%x: f32[1,16]) -> (%y, %a)\n" PARTS "  %cat = concat(%a, %b) axis=1\n  %y = softmax(%cat)\nend\n", "cat");
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
  expect_step("graph g(%x: f32[2,16]) -> (%y, %z)\n  %cut, %q = split(%x) axis=1\n  %y = softmax(%cut)\n  %z = softmax(%q)\nend\n", "cut");
  expect_step("graph g(%x: f32[1,16]) -> (%cut, %z)\n  %cut, %q = split(%x) axis=1\n  %z = softmax(%q)\nend\n", "cut");
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
  expect_apart(HEAD "(%y, %a)\n  %a = softmax(%x)\n  %b = pointwise(%a) expr=\"relu(x0)\"\n  %y = softmax(%b)\nend\n", "b");
  expect_apart(HEAD "(%y, %z)\n  %a = softmax(%x)\n  %b = pointwise(%a) expr=\"relu(x0)\"\n  %y = softmax(%b)\n  %z = softmax(%a)\nend\n", "b");
  expect_apart(HEAD "(%y)\n  %a = softmax(%x)\n  %s: i64[1] = const [256]\n  %v = reshape(%a, %s)\n  %b = pointwise(%a) expr=\"relu(x0)\"\n"
                    "  %w = pointwise(%v) expr=\"neg(x0)\"\n  %y = concat(%w, %v)\n  %z = softmax(%b)\nend\n", "w");
  expect_apart(HEAD "(%y)\n  %a = softmax(%x)\n  %s: i64[4] = const [1,4,8,8]\n  %v = reshape(%a, %s)\n"
                    "  %b = pointwise(%a, %v) expr=\"add(x0,x1)\"\n  %y = softmax(%b)\nend\n", "b");
#undef HEAD
}

TEST_MAIN(T(what_is_known_is_not_planned), T(a_convolution_takes_its_epilogue_and_residual), T(a_second_use_keeps_a_chain_apart),
          T(a_group_runs_where_all_its_operands_are_ready), T(a_value_is_converted_once_for_all_its_readers),
          T(layouts_that_are_the_same_need_no_conversion), T(a_view_has_its_source_s_bytes),
          T(a_concatenation_is_written_in_place_where_its_parts_are_whole), T(other_concatenations_copy), T(the_pieces_of_a_split_are_views),
          T(a_step_overwrites_an_operand_that_dies_there), T(but_no_other))
