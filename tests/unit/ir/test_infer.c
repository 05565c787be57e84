/* Inference: types with symbols, types with numbers, contents of small tensors, control flow, where it stops, what it
   says when a model is wrong. */
#include "harness.h"
#include "ir/infer.h"
#include "ir/text.h"

#include <stdio.h>

static pn_arena arena;

static pn_graph *parse(const char *text) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_graph *g = NULL;
  REQUIRE_OK(pn_graph_parse(pn_str_from(text), &arena, &g, &diag), &diag);
  return g;
}

static void expect_type_of(const pn_symbols *symbols, const pn_type *type, const char *expected) {
  pn_text text;
  pn_text_init(&text, NULL);
  pn_type_print(symbols, type, &text);
  EXPECT_STR(text.data, expected);
  pn_text_deinit(&text);
}

static pn_value_id id_of(const pn_graph *g, const char *name) {
  pn_value_id id = PN_NO_VALUE;
  REQUIRE(pn_graph_find_value(g, pn_str_from(name), &id));
  return id;
}

static void expect_type(const pn_graph *g, const char *name, const char *expected) {
  expect_type_of(g->symbols, &pn_graph_value(g, id_of(g, name))->type, expected);
}

/* Parses |text|, whose inference is what is tested, and compares one value's type. */
static void expect_inferred(const char *text, const char *name, const char *expected) {
  pn_arena_init(&arena, NULL);
  expect_type(parse(text), name, expected);
  pn_arena_deinit(&arena);
}

/* A walk at run time: numbers for the inputs, symbols of its own. */
typedef struct run_time {
  pn_symbols symbols;
  pn_facts facts;
  pn_infer_options options;
  pn_fact inputs[8];
  pelton_diag diag;
} run_time;

static void begin_run(run_time *r, const pn_graph *g) {
  *r = (run_time){0};
  pelton_diag_init(&r->diag);
  pn_symbols_init(&r->symbols, &arena);
  r->options = (pn_infer_options){.inputs = r->inputs, .arena = &arena, .symbols = &r->symbols};
  for (uint32_t i = 0; i < g->inputs.count; i++)
    r->inputs[i] = (pn_fact){.present = true, .type = pn_graph_value(g, g->inputs.data[i])->type};
  REQUIRE_OK(pn_facts_create(g, &arena, &r->facts, &r->diag), &r->diag);
}

static const pn_fact *fact(const run_time *r, const pn_graph *g, const char *name) {
  return &r->facts.data[id_of(g, name).v];
}

static void expect_fact(const run_time *r, const pn_graph *g, const char *name, const char *expected) {
  REQUIRE(fact(r, g, name)->present);
  expect_type_of(&r->symbols, &fact(r, g, name)->type, expected);
}

static const char shapes[] = "graph shapes(%x: f32[n,3,h,w]) -> (%y)\n"
                             "  %s = shape_of(%x)\n"
                             "  %zero: i64[] = const [0]\n"
                             "  %n = gather(%s, %zero)\n"
                             "  %two: i64[] = const [2]\n"
                             "  %twice = pointwise(%n, %two) expr=\"mul(x0,x1)\"\n"
                             "  %axes: i64[1] = const [0]\n"
                             "  %n1 = unsqueeze(%twice, %axes)\n"
                             "  %rest: i64[1] = const [-1]\n"
                             "  %to = concat(%n1, %rest)\n"
                             "  %y = reshape(%x, %to)\n"
                             "end";

TEST(shapes_are_followed_as_symbols) {
  pn_arena_init(&arena, NULL);
  pn_graph *g = parse(shapes);
  expect_type(g, "to", "i64[2]");
  expect_type(g, "y", "f32[n*2,h*w*3/2]");
  pn_arena_deinit(&arena);
}

TEST(numbers_make_everything_known) {
  run_time r;
  uint32_t stopped;
  pn_arena_init(&arena, NULL);
  const pn_graph *g = parse(shapes);
  const uint32_t symbols = g->symbols->list.count;
  pn_text before, after;
  pn_text_init(&before, NULL);
  pn_text_init(&after, NULL);
  pn_graph_print(g, 0, &before);
  begin_run(&r, g);
  const int64_t dims[4] = {2, 3, 8, 10};
  r.inputs[0].type = pn_type_make(PELTON_DTYPE_F32, 4, dims);
  REQUIRE_OK(pn_graph_infer(g, &r.options, &r.facts, &stopped, &r.diag), &r.diag);
  EXPECT_EQ(stopped, g->nodes.count);
  expect_fact(&r, g, "y", "f32[4,120]");
  const int64_t *to = fact(&r, g, "to")->data;
  REQUIRE(to != NULL);
  EXPECT_EQ(to[0], 4);
  EXPECT_EQ(to[1], -1);
  EXPECT_EQ(fact(&r, g, "to")->content[0].number, 4); /* data and content both */
  EXPECT_EQ(*(const int64_t *)fact(&r, g, "twice")->data, 4);
  /* the graph is shared by threads: not a bit of it changes */
  EXPECT_EQ(g->symbols->list.count, symbols);
  pn_graph_print(g, 0, &after);
  EXPECT_STR(after.data, before.data);
  pn_text_deinit(&before);
  pn_text_deinit(&after);
  pn_arena_deinit(&arena);
}

TEST(contents_follow_from_constants) {
  run_time r;
  pn_arena_init(&arena, NULL);
  const pn_graph *g = parse("graph g(%x: f32[4]) -> (%t, %nz, %sum, %big)\n"
                            "  %k: f32[2,3] = const [1, 0, 2, 0, 0, 3]\n"
                            "  %t = transpose(%k)\n"
                            "  %nz = non_zero(%k)\n"
                            "  %five: i32[1] = const [5]\n"
                            "  %sum = pointwise(%five) expr=\"add(x0,x0)\"\n"
                            "  %large: i64[2] = const [65, 64]\n"
                            "  %one: f32[1] = const [1]\n"
                            "  %big = expand(%one, %large)\n"
                            "end");
  begin_run(&r, g);
  REQUIRE_OK(pn_graph_infer(g, &r.options, &r.facts, NULL, &r.diag), &r.diag);
  const float *t = fact(&r, g, "t")->data;
  REQUIRE(t != NULL);
  EXPECT(t[1] == 0 && t[2] == 0 && t[4] == 2 && t[5] == 3);
  expect_fact(&r, g, "nz", "i64[2,3]"); /* the data say how many there are */
  const int64_t *nz = fact(&r, g, "nz")->data;
  EXPECT(nz[0] == 0 && nz[2] == 1 && nz[5] == 2);
  EXPECT_EQ(*(const int32_t *)fact(&r, g, "sum")->data, 10);
  expect_fact(&r, g, "big", "f32[65,64]");
  EXPECT(fact(&r, g, "big")->data == NULL); /* 4160 elements are too many */
  expect_type(g, "nz", "i64[2,3]");
  pn_arena_deinit(&arena);
}

TEST(a_reference_that_refuses_leaves_contents_unknown) {
  run_time r;
  pn_arena_init(&arena, NULL);
  const pn_graph *g = parse("graph g(%x: f32[4]) -> (%y)\n"
                            "  %i: i64[1] = const [0]\n"
                            "  %bad: i64[1] = const [0]\n"
                            "  %k: f32[1] = const [1]\n"
                            "  %y = gather(%k, %bad)\n"
                            "end");
  union {
    const void *from;
    int64_t *to;
  } bad = {.from = pn_graph_value(g, id_of(g, "bad"))->data};
  *bad.to = 7;
  begin_run(&r, g);
  REQUIRE_OK(pn_graph_infer(g, &r.options, &r.facts, NULL, &r.diag), &r.diag);
  expect_fact(&r, g, "y", "f32[1]");
  EXPECT(fact(&r, g, "y")->data == NULL);
  EXPECT_EQ(r.diag.count, 0);
  pn_arena_deinit(&arena);
}

static const char pauses[] = "graph g(%x: f32[2,3], %k: i64[2]) -> (%t, %r, %z)\n"
                             "  %nz = non_zero(%x)\n"
                             "  %a = pointwise(%x) expr=\"relu(x0)\"\n"
                             "  %t = transpose(%nz)\n"
                             "  %z = pointwise(%t) expr=\"neg(x0)\"\n"
                             "  %r = reshape(%a, %k)\n"
                             "end";

TEST(stops_at_what_is_unknown_and_goes_on) {
  run_time r;
  uint32_t stopped;
  pn_arena_init(&arena, NULL);
  const pn_graph *g = parse(pauses);
  begin_run(&r, g);
  r.options.stop_at_unknown = true;
  REQUIRE_OK(pn_graph_infer(g, &r.options, &r.facts, &stopped, &r.diag), &r.diag);
  EXPECT_EQ(stopped, 2); /* non_zero finds its shape itself; transpose needs it */
  EXPECT(fact(&r, g, "a")->present);
  EXPECT(!fact(&r, g, "t")->present);
  /* non_zero ran, and found 5 */
  const int64_t dims[2] = {2, 5};
  r.facts.data[id_of(g, "nz").v].type = pn_type_make(PELTON_DTYPE_I64, 2, dims);
  r.options.first_node = stopped;
  REQUIRE_OK(pn_graph_infer(g, &r.options, &r.facts, &stopped, &r.diag), &r.diag);
  EXPECT_EQ(stopped, 4); /* reshape cannot be planned before %k is read */
  expect_fact(&r, g, "z", "i64[5,2]");
  EXPECT(!fact(&r, g, "r")->present);
  static const int64_t k[2] = {-1, 1};
  r.facts.data[id_of(g, "k").v].data = k;
  r.options.first_node = stopped;
  REQUIRE_OK(pn_graph_infer(g, &r.options, &r.facts, &stopped, &r.diag), &r.diag);
  EXPECT_EQ(stopped, 5);
  expect_fact(&r, g, "r", "f32[6,1]");
  pn_arena_deinit(&arena);
}

TEST(ends_before_a_node) {
  run_time r;
  uint32_t stopped;
  pn_arena_init(&arena, NULL);
  const pn_graph *g = parse(pauses);
  begin_run(&r, g);
  r.options.end_node = 2;
  REQUIRE_OK(pn_graph_infer(g, &r.options, &r.facts, &stopped, &r.diag), &r.diag);
  EXPECT_EQ(stopped, 2);
  EXPECT(fact(&r, g, "a")->present);
  EXPECT(!fact(&r, g, "t")->present);
  r.options.end_node = 0;
  REQUIRE_OK(pn_graph_infer(g, &r.options, &r.facts, &stopped, &r.diag), &r.diag);
  EXPECT_EQ(stopped, 5);
  EXPECT_EQ(fact(&r, g, "t")->type.rank, 2);
  pn_arena_deinit(&arena);
}

/* ---- control flow ---------------------------------------------------------------------------------------------- */

#define BRANCHES                                                                                   \
  " then_graph={ graph a(%u, %v) -> (%u)\n end } else_graph={ graph b(%u, %v) -> (%v)\n end }\n"

TEST(branches_merge) {
  expect_inferred("graph g(%c: bool[], %x: f32[n,4], %y: f32[n,4]) -> (%z)\n %z = if(%c, %x, %y)" BRANCHES "end", "z",
                  "f32[n,4]");
  expect_inferred("graph g(%c: bool[], %x: f32[n,4], %y: f32[n,5]) -> (%z)\n %z = if(%c, %x, %y)" BRANCHES "end", "z",
                  "f32[n,?1]");
  expect_inferred("graph g(%c: bool[], %x: f32[n,4], %y: f32[n]) -> (%z)\n %z = if(%c, %x, %y)" BRANCHES "end", "z",
                  "f32[*]");
  expect_inferred("graph g(%x: f32[n,4], %y: f32[n]) -> (%z)\n %c: bool[] = const [true]\n %z = if(%c, %x, %y)" BRANCHES
                  "end",
                  "z", "f32[n,4]");
  expect_inferred(
      "graph g(%x: f32[n,4], %y: f32[n]) -> (%z)\n %c: bool[1] = const [false]\n %z = if(%c, %x, %y)" BRANCHES "end",
      "z", "f32[n]");
  /* a condition that follows from shapes */
  expect_inferred("graph g(%x: f32[3,4], %y: f32[n]) -> (%z)\n %s = size_of(%x)\n %k: i64[] = const [12]\n"
                  " %c = pointwise(%s, %k) expr=\"less(x0,x1)\"\n %z = if(%c, %x, %y)" BRANCHES "end",
                  "z", "f32[n]");
}

TEST(a_known_branch_keeps_contents) {
  expect_inferred("graph g(%x: f32[24]) -> (%z)\n"
                  "  %c: bool[] = const [true]\n"
                  "  %u: i64[2] = const [4, 6]\n"
                  "  %v: i64[3] = const [2, 3, 4]\n"
                  "  %s = if(%c, %u, %v)" BRANCHES "  %z = reshape(%x, %s)\n"
                  "end",
                  "z", "f32[4,6]");
}

#define LOOP(attributes, body) " body={ graph body(%i, %c, %v, %k) -> " body " end } carried_count=1" attributes "\n"

TEST(loops_keep_what_does_not_change) {
  const char *text =
      "graph g(%n: i64[], %x: f32[m,2], %b: f32[2]) -> (%z, %all)\n"
      "  %z, %all = loop(%n, _, %x, %b)" LOOP("", "(%c, %w, %v)\n %w = pointwise(%v, %k) expr=\"add(x0,x1)\"\n") "end";
  expect_inferred(text, "z", "f32[m,2]");
  expect_inferred(text, "all", "f32[?1,m,2]");
}

TEST(loops_count_when_that_is_known) {
  const char *text =
      "graph g(%x: f32[2], %b: f32[2]) -> (%z, %all)\n"
      "  %n: i64[] = const [7]\n"
      "  %z, %all = loop(%n, _, %x, %b)" LOOP("", "(%c, %w, %v)\n %w = pointwise(%v, %k) expr=\"add(x0,x1)\"\n") "end";
  expect_inferred(text, "all", "f32[7,2]");
  /* the extent of an operand */
  text = "graph g(%x: f32[2], %b: f32[n]) -> (%z, %all)\n"
         "  %n = size_of(%b)\n"
         "  %z, %all = loop(%n, _, %x, %b)" LOOP("", "(%c, %w, %v)\n %w = pointwise(%v) expr=\"neg(x0)\"\n") "end";
  expect_inferred(text, "all", "f32[n,2]");
  /* the body may end it */
  text = "graph g(%x: f32[2], %b: bool[]) -> (%z, %all)\n"
         "  %n: i64[] = const [7]\n"
         "  %z, %all = loop(%n, _, %x, %b)" LOOP("", "(%k, %w, %v)\n %w = pointwise(%v) expr=\"neg(x0)\"\n") "end";
  expect_inferred(text, "all", "f32[?1,2]");
  /* no iteration at all: what is carried stays as it is */
  text = "graph g(%x: f32[2], %b: f32[2]) -> (%z, %all)\n"
         "  %n: i64[] = const [0]\n"
         "  %z, %all = loop(%n, _, %x, %b)" LOOP("", "(%c, %w, %v)\n %w = concat(%v, %k)\n") "end";
  expect_inferred(text, "all", "f32[0,?2]"); /* ?1 is what the body sees */
  expect_inferred(text, "z", "f32[2]");
}

TEST(loops_widen_what_changes) {
  const char *grows =
      "graph g(%n: i64[], %x: f32[0,4], %b: f32[1,4]) -> (%z, %all)\n"
      "  %z, %all = loop(%n, _, %x, %b)" LOOP("", "(%c, %w, %s)\n %w = concat(%v, %k)\n %s = shape_of(%w)\n") "end";
  expect_inferred(grows, "z", "f32[?2,4]");
  expect_inferred(grows, "all", "i64[?3,2]");
  expect_inferred("graph g(%n: i64[], %x: f32[4], %b: i64[1]) -> (%z, %all)\n"
                  "  %z, %all = loop(%n, _, %x, %b)" LOOP("", "(%c, %w, %v)\n %zero: i64[1] = const [0]\n"
                                                               " %w = unsqueeze(%v, %zero)\n") "end",
                  "z", "f32[*]");
}

TEST(scans_slice_and_stack) {
  const char *text = "graph g(%s: f32[4], %xs: f32[2,t,4], %b: f32[4]) -> (%last, %ys)\n"
                     "  %last, %ys = scan(%s, %xs, %b) state_count=1 scan_count=1 input_axes=[1] output_axes=[-1]"
                     " body={ graph step(%s, %x, %b) -> (%s1, %y)\n"
                     "      %s1 = pointwise(%s, %b) expr=\"add(x0,x1)\"\n"
                     "      %y = pointwise(%x, %s1) expr=\"mul(x0,x1)\"\n"
                     "    end }\n"
                     "end";
  expect_inferred(text, "last", "f32[4]");
  expect_inferred(text, "ys", "f32[2,4,t]");
}

TEST(dead_branches_need_not_fit) {
  pn_arena_init(&arena, NULL);
  pn_graph *g = parse("graph g(%x: f32[2,3]) -> (%z)\n"
                      "  %no: bool[] = const [false]\n"
                      "  %z = if(%no, %x) then_graph={ graph then(%a) -> (%r)\n"
                      "      %s: i64[1] = const [7]\n"
                      "      %r = reshape(%a, %s)\n"
                      "    end } else_graph={ graph else(%a) -> (%b)\n"
                      "      %b = pointwise(%a) expr=\"relu(x0)\"\n"
                      "    end }\n"
                      "end");
  const pn_attrs_if *attrs = g->nodes.data[0].attrs;
  expect_type(attrs->else_graph, "b", "f32[2,3]");
  expect_type(attrs->then_graph, "a", "f32[2,3]");
  EXPECT_EQ(pn_graph_value(attrs->then_graph, id_of(attrs->then_graph, "r"))->type.dtype, PELTON_DTYPE_NONE);
  pn_arena_deinit(&arena);
}

/* Each level multiplies the rounds of the one inside it: that ends with an answer or a refusal, and soon. */
TEST(nested_loops_end) {
  char *text = calloc(1, 1 << 16);
  REQUIRE(text != NULL);
  for (int levels = 1; levels <= 16; levels++) {
    char *at = text + sprintf(text, "graph g(%%i: i64[], %%c: bool[], %%v: f32[2]) -> (%%v)\n");
    for (int i = 0; i < levels; i++)
      at += sprintf(at, "%%w = loop(%%i, _, %%v) carried_count=1 body={ graph b(%%i, %%c, %%v) -> (%%c, %%w)\n");
    at += sprintf(at, "%%w = concat(%%v, %%v)\nend");
    for (int i = 0; i < levels; i++) at += sprintf(at, "}\nend");
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_graph *g = NULL;
    pn_arena_init(&arena, NULL);
    const pelton_status status = pn_graph_parse(pn_str_from(text), &arena, &g, &diag);
    EXPECT(status == PELTON_OK || (levels > 6 && status == PELTON_UNSUPPORTED));
    if (status) EXPECT_HAS(pelton_diag_message(&diag, 0), "loops are nested too deep");
    pn_arena_deinit(&arena);
  }
  free(text);
}

/* ---- storing types ---------------------------------------------------------------------------------------------- */

TEST(inferring_again_keeps_names) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena_init(&arena, NULL);
  pn_graph *g = parse("graph g(%x: f32[2,3], %y: f32[2,3]) -> (%t, %u)\n"
                      "  %a: i64[2,?1] = non_zero(%x)\n"
                      "  %b: i64[2,?2] = non_zero(%y)\n"
                      "  %t = concat(%a, %b) axis=1\n"
                      "  %u = concat(%t, %t) axis=1\n"
                      "end");
  expect_type(g, "u", "i64[2,?1*2+?2*2]");
  for (int i = 0; i < 3; i++) {
    REQUIRE_OK(pn_graph_infer_types(g, &diag), &diag);
    expect_type(g, "a", "i64[2,?1]");
    expect_type(g, "u", "i64[2,?1*2+?2*2]");
  }
  pn_arena_deinit(&arena);
}

TEST(stated_names_are_not_believed) {
  pn_arena_init(&arena, NULL);
  /* two results that may differ are not made equal by a text that says so, and an input's symbol is not taken */
  pn_graph *g = parse("graph g(%x: f32[2,3], %y: f32[?1]) -> (%a, %b)\n"
                      "  %a: i64[2,?1] = non_zero(%x)\n"
                      "  %b: i64[2,?1] = non_zero(%x)\n"
                      "end");
  const pn_dim x = pn_graph_value(g, id_of(g, "y"))->type.dims[0];
  const pn_dim a = pn_graph_value(g, id_of(g, "a"))->type.dims[1], b = pn_graph_value(g, id_of(g, "b"))->type.dims[1];
  EXPECT(!pn_dim_equal(a, b));
  EXPECT(!pn_dim_equal(a, x));
  EXPECT(!pn_dim_equal(b, x));
  pn_arena_deinit(&arena);
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static void expect_error(const char *text, const char *expected) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_graph *g = NULL;
  pn_arena_init(&arena, NULL);
  EXPECT_EQ(pn_graph_parse(pn_str_from(text), &arena, &g, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), expected);
  EXPECT_EQ(pn_graph_parse(pn_str_from(text), &arena, &g, NULL), PELTON_INVALID_DATA);
  pn_arena_deinit(&arena);
}

TEST(errors_name_node_provenance_and_operands) {
  expect_error(
      "graph g(%x: f32[2,3], %y: f32[4]) -> (%z)\n  %z = pointwise(%x, %y) expr=\"add(x0,x1)\" # name \"sum1\" from "
      "\"Add_3\"\nend",
      "node 'sum1' (from Add_3): pointwise: ");
  expect_error("graph g(%x: f32[2,3], %y: f32[4]) -> (%z)\n  %z = pointwise(%x, %y) expr=\"add(x0,x1)\"\nend",
               "; operands f32[2,3], f32[4]");
  expect_error("graph g(%c: f32[], %x: f32[2,n]) -> (%z)\n  %z = if(%c, %x) then_graph={ graph a(%v) -> (%v)\n end }"
               " else_graph={ graph b(%v) -> (%v)\n end }\nend",
               "node 'z': if: the condition is f32; it must be bool; operands f32[], f32[2,n]");
  /* in a subgraph: both nodes */
  expect_error("graph g(%c: bool[], %x: f32[2,3]) -> (%z)\n  %z = if(%c, %x) then_graph={ graph a(%v) -> (%w)\n"
               "   %w = transpose(%v) perm=[0,5]\n end } else_graph={ graph b(%v) -> (%v)\n end }\nend",
               "node 'z': if: node 'w': transpose: ");
}

TEST(errors_of_control_flow) {
  expect_error("graph g(%c: bool[], %x: f32[2], %y: i64[2]) -> (%z)\n  %z = if(%c, %x, %y)" BRANCHES "end",
               "if: result 0 is f32 from then_graph and i64 from else_graph");
  expect_error("graph g(%c: bool[2], %x: f32[2], %y: f32[2]) -> (%z)\n  %z = if(%c, %x, %y)" BRANCHES "end",
               "if: the condition has 2 elements; it must have one");
  expect_error("graph g(%c: bool[], %x: f32[2]) -> (%z)\n  %z = if(%c, %x)" BRANCHES "end",
               "subgraph 'a' has 2 inputs; it is given 1");
  expect_error(
      "graph g(%n: i64[], %x: f32[2]) -> (%z)\n  %z = loop(%n, _, %x) carried_count=1 body={ graph b(%i, %c, %v) -> "
      "(%c, %i)\n end }\nend",
      "loop: carried value 0 is f32 at first and i64 then; its type must not change");
  expect_error(
      "graph g(%n: i64[], %x: f32[2]) -> (%z)\n  %z = loop(%n, _, %x) carried_count=-1 body={ graph b(%i, %c, %v) -> "
      "(%c, %v)\n end }\nend",
      "loop: carried_count is -1");
  expect_error(
      "graph g(%x: f32[2,3], %y: f32[3,3]) -> (%z)\n  %z = scan(%x, %y) scan_count=2 body={ graph b(%u, %v) -> (%v)\n "
      "end }\nend",
      "scan: scanned operands have 2 and 3 steps");
  expect_error(
      "graph g(%x: f32[2,3]) -> (%z)\n  %z = scan(%x) scan_count=1 input_axes=[2] body={ graph b(%u) -> (%u)\n end "
      "}\nend",
      "axis 2 is out of range for rank 2");
}

TEST(results_too_large_are_refused) {
  expect_error("graph g(%x: f32[1]) -> (%z)\n  %s: i64[2] = const [3000000000, 3000000000]\n  %z = expand(%x, %s)\nend",
               "more than 2^62 bytes");
}

TEST(nodes_out_of_order_are_refused) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena_init(&arena, NULL);
  pn_graph *g = parse(
      "graph g(%x: f32[2]) -> (%b)\n %a = pointwise(%x) expr=\"relu(x0)\"\n %b = pointwise(%a) expr=\"neg(x0)\"\nend");
  const pn_node first = g->nodes.data[0];
  g->nodes.data[0] = g->nodes.data[1];
  g->nodes.data[1] = first;
  EXPECT_EQ(pn_graph_infer_types(g, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "node 'b' uses 'a' before it is computed");
  pn_arena_deinit(&arena);
}

TEST(survives_no_memory) {
  static const char *const texts[] = {
      shapes, pauses,
      "graph g(%n: i64[], %x: f32[0,4], %b: f32[1,4]) -> (%z, %all)\n"
      "  %z, %all = loop(%n, _, %x, %b)" LOOP("", "(%c, %w, %s)\n %w = concat(%v, %k)\n %s = shape_of(%w)\n") "end"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    harness_allocator a;
    uint64_t n = 0;
    do {
      pelton_diag diag = PELTON_DIAG_INIT;
      pn_graph *g = NULL;
      pn_arena_init(&arena, harness_allocator_init(&a, ++n));
      pelton_status status = pn_graph_parse(pn_str_from(texts[i]), &arena, &g, &diag);
      /* Several times, to fill the arena's blocks up to their ends. */
      for (int k = 0; k < 4 && !status; k++) status = pn_graph_infer_types(g, &diag);
      EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
      pn_arena_deinit(&arena);
      EXPECT_EQ(a.live, 0);
    } while (a.failed);
    EXPECT(n > 4);
  }
}

TEST_MAIN(T(shapes_are_followed_as_symbols), T(numbers_make_everything_known), T(contents_follow_from_constants),
          T(a_reference_that_refuses_leaves_contents_unknown), T(stops_at_what_is_unknown_and_goes_on),
          T(ends_before_a_node), T(branches_merge), T(a_known_branch_keeps_contents),
          T(loops_keep_what_does_not_change), T(loops_count_when_that_is_known), T(loops_widen_what_changes),
          T(scans_slice_and_stack), T(dead_branches_need_not_fit), T(nested_loops_end), T(inferring_again_keeps_names),
          T(stated_names_are_not_believed), T(errors_name_node_provenance_and_operands), T(errors_of_control_flow),
          T(results_too_large_are_refused), T(nodes_out_of_order_are_refused), T(survives_no_memory))
