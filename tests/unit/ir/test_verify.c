/* Each invariant of verify.c is broken once, and found under its number. */
#include "harness.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "op/schema.h"

static const char sound[] = "graph g(%c: bool[], %x: f32[2,n]) -> (%y, %t)\n"
                            "  %k: f32[2,1] = const [1, 2]\n"
                            "  %a = pointwise(%x, %k) expr=\"add(x0,x1)\"\n"
                            "  %y = if(%c, %a) then_graph={ graph a(%v) -> (%w)\n"
                            "      %w = pointwise(%v) expr=\"neg(x0)\"\n"
                            "    end } else_graph={ graph b(%v) -> (%v)\n"
                            "    end }\n"
                            "  %t = transpose(%y)\n"
                            "end";

static pn_arena arena;
static pn_graph *g;

static void begin(void) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena_init(&arena, NULL);
  REQUIRE_OK(pn_graph_parse(pn_str_from(sound), &arena, &g, &diag), &diag);
}

/* Some entry names |invariant| and holds |part|. */
static void expect_broken(const char *invariant, const char *part) {
  pelton_diag diag = PELTON_DIAG_INIT;
  EXPECT_EQ(pn_graph_verify(g, &diag), PELTON_INVALID_DATA);
  EXPECT(diag.count > 0);
  const char *found = pelton_diag_message(&diag, 0);
  for (uint32_t i = 0; i < diag.count; i++)
    if (strstr(pelton_diag_message(&diag, i), invariant) && strstr(pelton_diag_message(&diag, i), part))
      found = pelton_diag_message(&diag, i);
  EXPECT_HAS(found, invariant);
  EXPECT_HAS(found, part);
  EXPECT_EQ(pn_graph_verify(g, NULL), PELTON_INVALID_DATA);
  pn_arena_deinit(&arena);
}

static pn_value *value(const char *name) {
  pn_value_id id = PN_NO_VALUE;
  REQUIRE(pn_graph_find_value(g, pn_str_from(name), &id));
  return pn_graph_value(g, id);
}
static pn_node *node(const char *result) { return pn_graph_node(g, value(result)->producer); }
static pn_value_id id_of(const char *name) {
  return (pn_value_id){(uint32_t)(value(name) - g->values.data)};
}

TEST(sound_graph_passes) {
  pelton_diag diag = PELTON_DIAG_INIT;
  begin();
  REQUIRE_OK(pn_graph_verify(g, &diag), &diag);
  pn_graph_remove_node(g, value("t")->producer);
  g->outputs.count = 1;
  REQUIRE_OK(pn_graph_verify(g, &diag), &diag);
  pn_arena_deinit(&arena);
}

TEST(ids_in_range) {
  begin();
  node("a")->inputs.data[1].v = 1000;
  expect_broken("invariant 1", "operand 1 of 'a' is value 1000");
  begin();
  g->outputs.data[1] = PN_NO_VALUE;
  expect_broken("invariant 1", "output 1 of 'g'");
  begin();
  value("a")->producer.v = 77;
  expect_broken("invariant 1", "value 'a' is produced by node 77 of 3");
}

TEST(one_definition) {
  begin();
  const pn_type type = value("x")->type;
  REQUIRE(pn_value_valid(pn_graph_add_value(g, PN_STR("stray"), &type)));
  expect_broken("invariant 2", "value 'stray' has 0 definitions");
  begin();
  g->inputs.data[0] = id_of("x");
  expect_broken("invariant 2", "value 'x' has 2 definitions");
  begin();
  value("a")->data = "";
  expect_broken("invariant 2", "value 'a' has 2 definitions");
}

TEST(producers_agree) {
  begin();
  value("a")->output_index = 3;
  expect_broken("invariant 3", "'a', says that it is result 3 of node 0");
  begin();
  value("x")->producer.v = 0;
  expect_broken("invariant 3", "value 'x' names node 'a' as its producer, which does not list it"); /* an input */
  begin();
  value("k")->producer.v = 0;
  expect_broken("invariant 3", "value 'k' names node 'a' as its producer, which does not list it");
  begin();
  node("a")->outputs.data[0] = PN_NO_VALUE;
  expect_broken("invariant 3", "value 'a' names node 'a' as its producer, which does not list it");
}

TEST(order_and_cycles) {
  begin();
  const pn_node first = g->nodes.data[0];
  g->nodes.data[0] = g->nodes.data[2];
  g->nodes.data[2] = first;
  g->values.data[first.outputs.data[0].v].producer.v = 2;
  g->values.data[g->nodes.data[0].outputs.data[0].v].producer.v = 0;
  expect_broken("invariant 4", "node 't' uses 'y', which is not defined above it");
  begin();
  node("a")->inputs.data[0] = id_of("t");
  expect_broken("cycle", "'t'");
}

TEST(counts) {
  begin();
  node("t")->op = (pn_op)1000;
  expect_broken("invariant 5", "node 't' has no operator");
  begin();
  node("t")->attrs = NULL;
  expect_broken("invariant 5", "node 't' has no attributes");
  begin();
  const pn_value_id x = id_of("x");
  REQUIRE(pn_list_push(&arena, &node("t")->inputs, x));
  expect_broken("invariant 5", "transpose takes at most 1 operands, it has 2");
  begin();
  node("t")->inputs.data[0] = PN_NO_VALUE;
  expect_broken("invariant 6", "transpose lacks operand 0");
  begin();
  node("t")->inputs.count = 0;
  expect_broken("invariant 6", "transpose lacks operand 0");
  begin();
  node("t")->outputs.data[0] = PN_NO_VALUE;
  expect_broken("invariant 6", "node 't' has no result that is present");
}

TEST(names) {
  begin();
  value("a")->name = PN_STR("x");
  expect_broken("invariant 7", "'x', is not found by its name");
  begin();
  value("a")->name = PN_STR("");
  expect_broken("invariant 7", "is not found by its name");
}

TEST(constants) {
  begin();
  value("k")->data_bytes = 4;
  expect_broken("invariant 8", "constant 'k' has 4 bytes, its type 8");
  begin();
  value("k")->type.dims[0] = value("x")->type.dims[1];
  expect_broken("invariant 8", "constant 'k' has no type of numbers");
}

TEST(dims) {
  begin();
  value("x")->type.dims[0].number = -2;
  expect_broken("invariant 9", "value 'x': dimension 0 is -2");
  begin();
  value("x")->type.dims[0].symbol = 99;
  expect_broken("invariant 9", "symbol 99");
  begin();
  value("x")->type.rank = 9;
  expect_broken("invariant 9", "value 'x' has rank 9");
  begin();
  value("x")->type.dims[0].number = (int64_t)1 << 60;
  expect_broken("invariant 9", "value 'x' has more than 2^62 bytes");
}

TEST(types) {
  begin();
  value("a")->type.dtype = PELTON_DTYPE_NONE;
  expect_broken("invariant 10", "value 'a' has no type");
  begin();
  value("a")->type.dtype = (pelton_dtype)50;
  expect_broken("invariant 10", "value 'a' has no type");
}

static pn_attrs_if *branches(void) {
  union {
    const void *from;
    pn_attrs_if *to;
  } attrs = {.from = node("y")->attrs};
  return attrs.to;
}

TEST(subgraphs) {
  begin();
  branches()->else_graph = NULL;
  expect_broken("invariant 11", "node 'y' has no else_graph");
  begin();
  branches()->else_graph->inputs.count = 0;
  expect_broken("invariant 11", "else_graph has 0 inputs and 1 outputs; there should be 1 and 1");
  begin();
  pn_symbols other;
  pn_symbols_init(&other, &arena);
  branches()->then_graph->symbols = &other;
  expect_broken("invariant 11", "has symbols or an arena of its own");
  begin();
  branches()->then_graph->nodes.data[0].inputs.data[0].v = 9;
  expect_broken("graph 'a' breaks invariant 1", "operand 0 of 'w' is value 9");
  begin();
  branches()->then_graph = g; /* without an end */
  expect_broken("invariant 11", "subgraphs are nested deeper than 16 levels");
}

TEST(operators_check) {
  begin();
  value("c")->type.dtype = PELTON_DTYPE_F32;
  expect_broken("invariant 12", "node 'y': if: the condition is f32; it must be bool");
}

TEST(outputs) {
  begin();
  g->outputs.count = 0;
  expect_broken("invariant 13", "it has no outputs");
  begin();
  g->outputs.data[1] = g->outputs.data[0];
  expect_broken("invariant 13", "'y' is an output twice");
}

TEST(no_memory) {
  harness_allocator a;
  uint64_t n = 0;
  begin();
  do {
    g->arena->allocator = harness_allocator_init(&a, ++n);
    const pelton_status status = pn_graph_verify(g, NULL);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
  EXPECT(n > 1);
  g->arena->allocator = &pn_allocator_default;
  pn_arena_deinit(&arena);
}

TEST_MAIN(T(sound_graph_passes), T(ids_in_range), T(one_definition), T(producers_agree), T(order_and_cycles), T(counts),
          T(names), T(constants), T(dims), T(types), T(subgraphs), T(operators_check), T(outputs), T(no_memory))
