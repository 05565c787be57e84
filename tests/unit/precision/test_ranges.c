/* Bounds of values, by hand and against what the operators' references give. */
#include "harness.h"
#include "ir/text.h"
#include "precision/precision.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static pelton_diag diag;
static pn_arena arena;

/* The bounds of the graph's first output, whose inputs are all in |lo| to |hi|. */
static pn_interval output_of(const char *text, double lo, double hi) {
  pn_graph *g = NULL;
  pn_ranges ranges;
  pelton_diag_init(&diag);
  REQUIRE_OK(pn_graph_parse(pn_str_from(text), &arena, &g, &diag), &diag);
  REQUIRE_OK(pn_ranges_create(g, &arena, &ranges, &diag), &diag);
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    ranges.data[g->inputs.data[i].v].lo = lo;
    ranges.data[g->inputs.data[i].v].hi = hi;
  }
  REQUIRE_OK(pn_ranges_prove(g, &ranges, &diag), &diag);
  const pn_range *r = &ranges.data[g->outputs.data[0].v];
  return (pn_interval){r->lo, r->hi};
}

#define NEAR(a, b) EXPECT(fabs((double)(a) - (double)(b)) <= 1e-5 * fmax(1, fabs((double)(b))))

TEST(bounds_of_operators) {
  static const struct {
    const char *body;
    double lo, hi; /* of the result, for operands in -1 to 2 */
  } cases[] = {
      {"%y = pointwise(%x) expr=\"relu(x0)\"", 0, 2},
      {"%y = pointwise(%x) expr=\"square(x0)\"", 0, 4},
      {"%y = pointwise(%x) expr=\"sub(x0,x0)\"", -3, 3},
      {"%y = pointwise(%x) expr=\"clip(x0,0.0:f32,6.0:f32)\"", 0, 2},
      {"%y = pointwise(%x) expr=\"exp(x0)\"", 0.36787944, 7.38905610},
      {"%y = pointwise(%x) expr=\"div(x0,4.0:f32)\"", -0.25, 0.5},
      {"%y = pointwise(%x) expr=\"div(4.0:f32,x0)\"", -INFINITY, INFINITY},
      {"%y = pointwise(%x) expr=\"silu(x0)\"", -0.4, 2},
      {"%w: f32[4,2] = const [1,2, -3,4, 0,0, 1,1]\n  %y = matmul(%x, %w)", -8, 14},
      {"%y = matmul(%x, %x) trans_b=true", -16, 16},
      {"%y = softmax(%x)", 0, 1},
      {"%y = layer_norm(%x)", -2, 2},
      {"%s: f32[4] = const [1,2,3,-5]\n  %b: f32[4] = const [0,1,0,0]\n  %y = layer_norm(%x, %s, %b)", -10, 11},
      {"%y = transpose(%x)", -1, 2},
      {"%y = concat(%x, %x) axis=0", -1, 2},
      {"%a: i64[1] = const [1]\n  %y = reduce(%x, %a) kind=sum", -16, 32},
      {"%k: i64[] = const [0]\n  %y = cumulate(%x, %k)", -INFINITY, INFINITY}, /* which nothing is known of */
  };
  pn_arena_init(&arena, &pn_allocator_default);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[512];
    (void)snprintf(text, sizeof text, "graph g(%%x: f32[4,4]) -> (%%y)\n  %s\nend\n", cases[i].body);
    const pn_interval y = output_of(text, -1, 2);
    if (isinf(cases[i].hi))
      EXPECT(isinf(y.lo) && isinf(y.hi));
    else {
      if (fabs(y.lo - cases[i].lo) > 1e-5 || fabs(y.hi - cases[i].hi) > 1e-5)
        printf("  %s: %g to %g, expected %g to %g\n", cases[i].body, y.lo, y.hi, cases[i].lo, cases[i].hi);
      NEAR(y.lo, cases[i].lo);
      NEAR(y.hi, cases[i].hi);
    }
  }
  pn_arena_deinit(&arena);
}

TEST(a_convolution_is_bounded_by_its_weights_and_the_pads) {
  static const char text[] = "graph g(%x: f32[1,2,5,5]) -> (%y)\n"
                             "  %w: f32[2,2,1,1] = const [1,2, -3,4]\n"
                             "  %b: f32[2] = const [10, 0]\n"
                             "  %y = conv(%x, %w, %b) pads=[1,1,1,1]\nend\n";
  pn_arena_init(&arena, &pn_allocator_default);
  const pn_interval y = output_of(text, 3, 5); /* with pads 0 to 5: rows give 0 to 15, -15 to 20 */
  NEAR(y.lo, -15 + 0);
  NEAR(y.hi, 20 + 10);
  EXPECT(isinf(output_of(text, -INFINITY, INFINITY).hi));
  pn_arena_deinit(&arena);
}

TEST(rounding_is_judged_by_what_it_loses) {
  pn_range r = {.lo = -INFINITY, .hi = INFINITY};
  const float good[4] = {1, -2.5f, 3.1415927f, 100}, small[2] = {1e-9f, 3e-9f}, large[1] = {70000};
  pn_range_observe(&r, good, 4);
  EXPECT(pn_range_decibels(&r, PN_HALF_F16) > 60 && pn_range_decibels(&r, PN_HALF_BF16) > 40);
  EXPECT(r.largest == 100);
  r = (pn_range){0};
  pn_range_observe(&r, small, 2);
  EXPECT(pn_range_decibels(&r, PN_HALF_F16) < 1 && pn_range_decibels(&r, PN_HALF_BF16) > 40);
  r = (pn_range){0};
  pn_range_observe(&r, large, 1);
  EXPECT(pn_range_decibels(&r, PN_HALF_F16) < 1);
  const float bad[1] = {INFINITY};
  pn_range_observe(&r, bad, 1);
  EXPECT(r.not_finite);
}

TEST_MAIN(T(bounds_of_operators), T(a_convolution_is_bounded_by_its_weights_and_the_pads),
          T(rounding_is_judged_by_what_it_loses))
