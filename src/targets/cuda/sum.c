#include "targets/cuda/sum.h"

#include <math.h>
#include <string.h>

typedef struct finder {
  const pn_problem *problem;
  const pn_expr *expr;
  pn_cuda_strides_fn *strides;
  pn_cuda_sum *out;
  uint32_t results; /* how often the result itself is added */
} finder;

static bool add_operand(finder *f, uint32_t input) {
  const pn_operand *o = pn_problem_input(f->problem, 1, input), *result = pn_problem_output(f->problem, 1, 0);
  uint16_t index = (uint16_t)pn_operand_index(f->problem, o);
  int s[3];
  if (o == pn_problem_output(f->problem, 0, 0)) return ++f->results == 1;
  if (o->dtype != result->dtype || !f->strides(o, result, s)) return false;
  if (o->rank == result->rank && o->layout == result->layout &&
      !memcmp(o->dims, result->dims, sizeof o->dims[0] * o->rank)) {
    if (f->out->residual != PN_NO_OPERAND) return false;
    f->out->residual = index;
    return true;
  }
  if (s[0] || s[1] != 1 || s[2] || f->out->bias != PN_NO_OPERAND) return false;
  f->out->bias = index;
  return true;
}

static bool add_terms(finder *f, uint32_t step) {
  const pn_expr_step *s = &f->expr->steps[step];
  if (s->op == PN_EXPR_INPUT) return add_operand(f, s->argument[0]);
  return s->op == PN_EXPR_ADD && add_terms(f, s->argument[0]) && add_terms(f, s->argument[1]);
}

static bool is_constant(const pn_expr *expr, uint32_t step, double *value) {
  *value = expr->steps[step].constant.f64;
  return expr->steps[step].op == PN_EXPR_CONSTANT && pn_dtype_is_float(expr->steps[step].dtype);
}

bool pn_cuda_sum_find(const pn_problem *p, pn_cuda_strides_fn *strides, pn_cuda_sum *out) {
  *out = (pn_cuda_sum){PN_NO_OPERAND, PN_NO_OPERAND, false, (double)INFINITY};
  if (p->node_count == 1) return true;
  if (p->node_count != 2 || p->nodes[1].op != PN_OP_POINTWISE) return false;
  const pn_operand *between = pn_problem_output(p, 0, 0), *result = pn_problem_output(p, 1, 0);
  if (between->rank != result->rank || between->dtype != result->dtype ||
      memcmp(between->dims, result->dims, sizeof result->dims[0] * result->rank))
    return false;
  finder f = {p, ((const pn_attrs_pointwise *)p->nodes[1].attrs)->expr, strides, out, 0};
  uint32_t last = f.expr->step_count - 1;
  const pn_expr_step *top = &f.expr->steps[last];
  double low, high;
  if (top->op == PN_EXPR_CLIP && is_constant(f.expr, top->argument[1], &low) &&
      is_constant(f.expr, top->argument[2], &high)) {
    if (low != 0 || !(high > 0)) return false;
    out->upper = high;
  }
  out->relu = top->op == PN_EXPR_RELU || top->op == PN_EXPR_CLIP;
  return add_terms(&f, out->relu ? top->argument[0] : last) && f.results == 1;
}
