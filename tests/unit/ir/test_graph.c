/* Building, rewriting and compacting graphs. */
#include "harness.h"
#include "ir/infer.h"
#include "ir/text.h"
#include "ir/verify.h"

#include <stdio.h>

static pn_arena arena;

static pn_graph *parse(const char *text) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_graph *g = NULL;
  pn_arena_init(&arena, NULL);
  REQUIRE_OK(pn_graph_parse(pn_str_from(text), &arena, &g, &diag), &diag);
  return g;
}

static pn_value_id value(const pn_graph *g, const char *name) {
  pn_value_id id = PN_NO_VALUE;
  REQUIRE(pn_graph_find_value(g, pn_str_from(name), &id));
  return id;
}

static const char *name_of(const pn_graph *g, pn_value_id id) {
  return pn_str_copy(&arena, pn_graph_value(g, id)->name);
}

static void expect_compacts_to(pn_graph *g, const char *expected) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_text text;
  REQUIRE_OK(pn_graph_compact(g, &diag), &diag);
  REQUIRE_OK(pn_graph_verify(g, &diag), &diag);
  pn_text_init(&text, NULL);
  pn_graph_print(g, 0, &text);
  EXPECT_STR(text.data, expected);
  pn_text_deinit(&text);
}

TEST(names_are_made_unique) {
  const pn_type type = pn_type_make(PELTON_DTYPE_F32, 0, NULL);
  pn_arena_init(&arena, NULL);
  pn_graph *g = pn_graph_create(&arena, NULL, PN_STR("g"));
  REQUIRE(g != NULL);
  EXPECT_STR(name_of(g, pn_graph_add_input(g, PN_STR("x"), &type)), "x");
  EXPECT_STR(name_of(g, pn_graph_add_input(g, PN_STR("x"), &type)), "x_1");
  EXPECT_STR(name_of(g, pn_graph_add_value(g, PN_STR("x_2"), &type)), "x_2");
  EXPECT_STR(name_of(g, pn_graph_add_value(g, PN_STR("x"), &type)), "x_3");
  EXPECT_STR(name_of(g, pn_graph_add_value(g, PN_STR(""), &type)), "v4");
  EXPECT_EQ(value(g, "x_1").v, 1);
  EXPECT_EQ(g->inputs.count, 2);
  pn_arena_deinit(&arena);
}

TEST(builds_by_hand) {
  pelton_diag diag = PELTON_DIAG_INIT;
  const int64_t dims[2] = {2, 3};
  const pn_type type = pn_type_make(PELTON_DTYPE_F32, 2, dims);
  pn_arena_init(&arena, NULL);
  pn_graph *g = pn_graph_create(&arena, NULL, PN_STR("g"));
  const pn_expr *expr = NULL;
  REQUIRE_OK(pn_expr_parse(PN_STR("mul(x0,x1)"), &arena, &expr, &diag), &diag);
  const pn_value_id x = pn_graph_add_input(g, PN_STR("x"), &type);
  const pn_value_id two = pn_graph_add_scalar(g, PN_STR("two"), PELTON_DTYPE_F32, 2.0);
  const pn_value_id operands[2] = {x, two};
  const pn_value_id y = pn_graph_add_pointwise(g, expr, PN_STR("y"), operands, 2);
  const int64_t axes[1] = {-1};
  const pn_value_id reduce_operands[3] = {y, pn_graph_add_i64s(g, PN_STR("axes"), axes, 1), PN_NO_VALUE};
  const pn_node_id sum = pn_graph_add_node(g, PN_OP_REDUCE, NULL, PN_STR("sum"), reduce_operands, 3, 1);
  REQUIRE(pn_node_valid(sum));
  EXPECT_EQ(pn_graph_node(g, sum)->inputs.count, 2); /* trailing absent operands are left out */
  REQUIRE(pn_graph_add_source(g, sum, PN_STR("ReduceSum_1")));
  REQUIRE(pn_graph_add_provenance(g, sum, pn_graph_node(g, pn_graph_value(g, y)->producer)));
  REQUIRE(pn_graph_add_source(g, sum, PN_STR("y")));
  EXPECT_EQ(pn_graph_node(g, sum)->provenance.count, 2);
  REQUIRE(pn_graph_add_output(g, y));
  EXPECT(pn_graph_is_constant(g, two));
  EXPECT(!pn_graph_is_constant(g, x));
  EXPECT_EQ(pn_graph_single_user(g, x).v, 0);
  EXPECT(!pn_node_valid(pn_graph_single_user(g, y))); /* an output */
  const uint32_t *uses = pn_graph_count_uses(g, &arena);
  EXPECT_EQ(uses[y.v], 2);
  EXPECT_EQ(uses[x.v], 1);
  pn_graph_remove_node(g, sum);
  pn_graph_node(g, sum)->inputs.count = 0;
  REQUIRE_OK(pn_graph_compact(g, &diag), &diag);
  REQUIRE_OK(pn_graph_infer_types(g, &diag), &diag);
  expect_compacts_to(g, "graph g(%x: f32[2,3]) -> (%y)\n"
                        "  %two: f32[] = const [2.0]\n"
                        "  %y: f32[2,3] = pointwise(%x, %two) expr=\"mul(x0,x1)\"\n"
                        "end\n");
  pn_arena_deinit(&arena);
}

static const char chain[] = "graph g(%x: f32[2]) -> (%d)\n"
                            "  %k: f32[2] = const [1, 2]\n"
                            "  %a = pointwise(%x) expr=\"relu(x0)\"\n"
                            "  %b = pointwise(%a, %k) expr=\"add(x0,x1)\"\n"
                            "  %c = pointwise(%b) expr=\"neg(x0)\"\n"
                            "  %d = pointwise(%c) expr=\"exp(x0)\"\n"
                            "end";

TEST(compaction_sorts_and_drops) {
  pn_graph *g = parse(chain);
  pelton_diag diag = PELTON_DIAG_INIT;
  const pn_expr *expr = NULL;
  REQUIRE_OK(pn_expr_parse(PN_STR("sqrt(x0)"), &arena, &expr, &diag), &diag);
  const pn_value_id a = value(g, "a"), b = value(g, "b");
  const pn_value_id fresh = pn_graph_add_pointwise(g, expr, PN_STR("fresh"), &a, 1);
  pn_graph_value(g, fresh)->type = pn_graph_value(g, b)->type;
  EXPECT(pn_graph_replace_value(g, b, fresh));
  pn_graph_remove_node(g, pn_graph_value(g, b)->producer);
  expect_compacts_to(g, "graph g(%x: f32[2]) -> (%d)\n"
                        "  %a: f32[2] = pointwise(%x) expr=\"relu(x0)\"\n"
                        "  %fresh: f32[2] = pointwise(%a) expr=\"sqrt(x0)\"\n"
                        "  %c: f32[2] = pointwise(%fresh) expr=\"neg(x0)\"\n"
                        "  %d: f32[2] = pointwise(%c) expr=\"exp(x0)\"\n"
                        "end\n");
  EXPECT_EQ(g->values.count, 5);
  pn_value_id id;
  EXPECT(!pn_graph_find_value(g, PN_STR("b"), &id));
  pn_arena_deinit(&arena);
}

TEST(an_output_keeps_its_name) {
  pn_graph *g = parse(chain);
  const pn_value_id c = value(g, "c"), d = value(g, "d"), x = value(g, "x");
  EXPECT(pn_graph_replace_value(g, d, c));
  pn_graph_remove_node(g, pn_graph_value(g, d)->producer);
  EXPECT_STR(name_of(g, c), "d");
  EXPECT_STR(name_of(g, d), "c");
  EXPECT_EQ(value(g, "d").v, c.v);
  expect_compacts_to(g, "graph g(%x: f32[2]) -> (%d)\n"
                        "  %a: f32[2] = pointwise(%x) expr=\"relu(x0)\"\n"
                        "  %k: f32[2] = const [1.0, 2.0]\n"
                        "  %b: f32[2] = pointwise(%a, %k) expr=\"add(x0,x1)\"\n"
                        "  %d: f32[2] = pointwise(%b) expr=\"neg(x0)\"  # name \"c\"\n"
                        "end\n");
  /* but not where the other value is known by its own name */
  EXPECT(!pn_graph_replace_value(g, value(g, "d"), x));
  EXPECT_EQ(g->outputs.data[0].v, value(g, "d").v);
  EXPECT_STR(name_of(g, value(g, "x")), "x");
  pn_arena_deinit(&arena);
}

TEST(optional_results_nobody_uses_become_absent) {
  pn_graph *g = parse("graph g(%x: f32[1,1,4,4], %y: f32[6]) -> (%p, %b, %c)\n"
                      "  %u, %ui, %uj, %uc = unique(%y)\n"
                      "  %p = pointwise(%uj) expr=\"neg(x0)\"\n"
                      "  %a, %b, %c = split(%y)\n"
                      "end");
  expect_compacts_to(g, "graph g(%x: f32[1,1,4,4], %y: f32[6]) -> (%p, %b, %c)\n"
                        "  %u: f32[?1], _, %uj: i64[6] = unique(%y)\n"
                        "  %p: i64[6] = pointwise(%uj) expr=\"neg(x0)\"\n"
                        "  %a: f32[2], %b: f32[2], %c: f32[2] = split(%y)\n"
                        "end\n");
  pn_arena_deinit(&arena);
}

TEST(cycles_are_named) {
  pn_graph *g = parse(chain);
  pelton_diag diag = PELTON_DIAG_INIT;
  const pn_value_id a = value(g, "a"), c = value(g, "c");
  pn_graph_node(g, pn_graph_value(g, a)->producer)->inputs.data[0] = c;
  const uint32_t values = g->values.count;
  EXPECT_EQ(pn_graph_compact(g, &diag), PELTON_INVALID_DATA);
  EXPECT_STR(pelton_diag_message(&diag, 0), "graph 'g': nodes form a cycle: 'a' needs 'c' needs 'b' needs 'a'");
  EXPECT_EQ(g->values.count, values);
  pn_arena_deinit(&arena);
}

TEST(lost_nodes_are_found) {
  pn_graph *g = parse(chain);
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_graph_remove_node(g, pn_graph_value(g, value(g, "b"))->producer);
  EXPECT_EQ(pn_graph_compact(g, &diag), PELTON_INTERNAL);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "'b' is used, but its node was removed");
  pn_arena_deinit(&arena);
  pn_graph *h = parse(chain);
  pn_graph_remove_node(h, pn_graph_value(h, value(h, "d"))->producer);
  EXPECT_EQ(pn_graph_compact(h, &diag), PELTON_INTERNAL);
  EXPECT_HAS(pelton_diag_message(&diag, 1), "output 'd' has lost its node");
  pn_arena_deinit(&arena);
}

TEST(compaction_reaches_subgraphs) {
  pn_graph *g = parse("graph g(%c: bool[], %x: f32[2]) -> (%y)\n"
                      "  %y = if(%c, %x) then_graph={ graph a(%v) -> (%w)\n"
                      "      %w = pointwise(%v) expr=\"neg(x0)\"\n"
                      "      %dead = pointwise(%v) expr=\"exp(x0)\"\n"
                      "    end } else_graph={ graph b(%v) -> (%v)\n"
                      "    end }\n"
                      "end");
  const pn_attrs_if *attrs = g->nodes.data[0].attrs;
  pn_graph_remove_node(attrs->then_graph, (pn_node_id){1});
  pelton_diag diag = PELTON_DIAG_INIT;
  REQUIRE_OK(pn_graph_compact(g, &diag), &diag);
  EXPECT_EQ(attrs->then_graph->nodes.count, 1);
  EXPECT_EQ(attrs->then_graph->values.count, 2);
  pn_arena_deinit(&arena);
}

TEST(a_clone_shares_nothing) {
  static const float outside[2] = {3, 4}; /* as in a mapped file */
  pn_graph *g = parse(chain);
  const pn_type type = pn_graph_value(g, value(g, "k"))->type;
  const pn_value_id mapped = pn_graph_add_constant(g, PN_STR("mapped"), &type, outside, sizeof outside);
  REQUIRE(pn_graph_add_output(g, mapped));
  pn_arena other;
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena_init(&other, NULL);
  pn_graph *copy = pn_graph_clone(g, &other);
  REQUIRE(copy != NULL);
  EXPECT(pn_graph_equal(g, copy));
  EXPECT(pn_graph_value(copy, value(copy, "k"))->data != pn_graph_value(g, value(g, "k"))->data);
  EXPECT(pn_graph_value(copy, mapped)->data == outside);
  EXPECT(copy->symbols != g->symbols);
  pn_arena_deinit(&arena);
  REQUIRE_OK(pn_graph_infer_types(copy, &diag), &diag);
  REQUIRE_OK(pn_graph_verify(copy, &diag), &diag);
  pn_arena_deinit(&other);
}

/* A graph of many nodes in the wrong order, so that a walk that recursed or searched would show. */
TEST(compacts_long_chains) {
  enum { COUNT = 100000 };
  const pn_type type = pn_type_make(PELTON_DTYPE_F32, 0, NULL);
  pelton_diag diag = PELTON_DIAG_INIT;
  const pn_expr *expr = NULL;
  pn_arena_init(&arena, NULL);
  REQUIRE_OK(pn_expr_parse(PN_STR("neg(x0)"), &arena, &expr, &diag), &diag);
  pn_graph *g = pn_graph_create(&arena, NULL, PN_STR("g"));
  pn_value_id last = pn_graph_add_value(g, PN_STR("v"), &type);
  REQUIRE(pn_graph_add_output(g, last));
  const pn_attrs_pointwise attrs = {.expr = expr};
  for (int i = 0; i < COUNT; i++) {
    const pn_value_id operand = i + 1 < COUNT ? pn_graph_add_value(g, PN_STR("v"), &type)
                                              : pn_graph_add_input(g, PN_STR("v"), &type);
    REQUIRE(pn_node_valid(pn_graph_add_node_to(g, PN_OP_POINTWISE, &attrs, PN_STR("n"), &operand, 1, &last, 1)));
    last = operand;
  }
  REQUIRE_OK(pn_graph_compact(g, &diag), &diag);
  REQUIRE_OK(pn_graph_verify(g, &diag), &diag);
  EXPECT_EQ(pn_graph_value(g, g->outputs.data[0])->producer.v, COUNT - 1);
  REQUIRE_OK(pn_graph_infer_types(g, &diag), &diag);
  pn_arena_deinit(&arena);
}

TEST_MAIN(T(names_are_made_unique), T(builds_by_hand), T(compaction_sorts_and_drops), T(an_output_keeps_its_name),
          T(optional_results_nobody_uses_become_absent), T(cycles_are_named), T(lost_nodes_are_found),
          T(compaction_reaches_subgraphs), T(a_clone_shares_nothing), T(compacts_long_chains))
