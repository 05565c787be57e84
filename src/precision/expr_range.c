/* Intervals through expressions. Each step is bounded by its arguments' bounds alone: x - x is not known to be 0. */
#include "precision/precision.h"

#include <math.h>

static const pn_interval anything = {-INFINITY, INFINITY};

static pn_interval ordered(double a, double b) {
  if (isnan(a) || isnan(b)) return anything;
  return a < b ? (pn_interval){a, b} : (pn_interval){b, a};
}

/* 0 times infinity is 0 here: an infinite bound is no element. */
static double times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

static pn_interval multiply(pn_interval a, pn_interval b) {
  const double p[4] = {times(a.lo, b.lo), times(a.lo, b.hi), times(a.hi, b.lo), times(a.hi, b.hi)};
  pn_interval r = {p[0], p[0]};
  for (int i = 1; i < 4; i++) {
    r.lo = fmin(r.lo, p[i]);
    r.hi = fmax(r.hi, p[i]);
  }
  return r;
}

static pn_interval inverse(pn_interval a) {
  if (a.lo <= 0 && a.hi >= 0) return anything;
  return ordered(1 / a.lo, 1 / a.hi);
}

static pn_interval absolute(pn_interval a) {
  const double far = fmax(fabs(a.lo), fabs(a.hi));
  return (pn_interval){a.lo <= 0 && a.hi >= 0 ? 0 : fmin(fabs(a.lo), fabs(a.hi)), far};
}

static pn_interval add(pn_interval a, pn_interval b) {
  return (pn_interval){isinf(a.lo) || isinf(b.lo) ? -INFINITY : a.lo + b.lo,
                       isinf(a.hi) || isinf(b.hi) ? INFINITY : a.hi + b.hi};
}

static pn_interval negative(pn_interval a) { return (pn_interval){-a.hi, -a.lo}; }

/* |f| of both ends, of a function that rises. */
static pn_interval rising(double (*f)(double), pn_interval a) { return ordered(f(a.lo), f(a.hi)); }

static double relu(double x) { return x > 0 ? x : 0; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return x > 30 ? x : log1p(exp(x)); }

/* x times something in 0 to 1 that is 0 far below: silu, gelu, hard_swish are not below -0.4 and not above x. */
static pn_interval gated(pn_interval a) {
  return (pn_interval){a.lo >= 0 ? 0 : fmax(a.lo, -0.4), relu(a.hi)};
}

static pn_interval call(const pn_expr_step *s, pn_interval a, pn_interval b, pn_interval c) {
  switch (s->op) {
  case PN_EXPR_ADD: return add(a, b);
  case PN_EXPR_SUB: return add(a, negative(b));
  case PN_EXPR_MUL: return multiply(a, b);
  case PN_EXPR_DIV: return multiply(a, inverse(b));
  case PN_EXPR_FMA: return add(multiply(a, b), c);
  case PN_EXPR_MIN: return (pn_interval){fmin(a.lo, b.lo), fmin(a.hi, b.hi)};
  case PN_EXPR_MAX: return (pn_interval){fmax(a.lo, b.lo), fmax(a.hi, b.hi)};
  case PN_EXPR_CLIP: return (pn_interval){fmin(fmax(a.lo, b.lo), c.lo), fmin(fmax(a.hi, b.hi), c.hi)};
  case PN_EXPR_SELECT: return (pn_interval){fmin(b.lo, c.lo), fmax(b.hi, c.hi)};
  case PN_EXPR_MOD:
  case PN_EXPR_FMOD: {
    const double most = fmax(fabs(b.lo), fabs(b.hi));
    return (pn_interval){-most, most};
  }
  case PN_EXPR_NEG: return negative(a);
  case PN_EXPR_ABS: return absolute(a);
  case PN_EXPR_SQUARE: a = absolute(a); return (pn_interval){times(a.lo, a.lo), times(a.hi, a.hi)};
  case PN_EXPR_RECIPROCAL: return inverse(a);
  case PN_EXPR_SQRT: return (pn_interval){sqrt(relu(a.lo)), sqrt(relu(a.hi))};
  case PN_EXPR_RSQRT: return a.lo > 0 ? ordered(1 / sqrt(a.hi), 1 / sqrt(a.lo)) : anything;
  case PN_EXPR_EXP: return rising(exp, a);
  case PN_EXPR_LOG: return a.lo > 0 ? rising(log, a) : anything;
  case PN_EXPR_FLOOR: return rising(floor, a);
  case PN_EXPR_CEIL: return rising(ceil, a);
  case PN_EXPR_ROUND: return rising(nearbyint, a);
  case PN_EXPR_ERF: return rising(erf, a);
  case PN_EXPR_TANH: return rising(tanh, a);
  case PN_EXPR_RELU: return rising(relu, a);
  case PN_EXPR_SIGMOID: return rising(sigmoid, a);
  case PN_EXPR_SOFTPLUS: return rising(softplus, a);
  case PN_EXPR_ATAN: return rising(atan, a);
  case PN_EXPR_ASINH: return rising(asinh, a);
  case PN_EXPR_SINH: return rising(sinh, a);
  case PN_EXPR_SIGN:
  case PN_EXPR_SIN:
  case PN_EXPR_COS: return (pn_interval){-1, 1};
  case PN_EXPR_ASIN: return (pn_interval){-1.6, 1.6};
  case PN_EXPR_ACOS: return (pn_interval){0, 3.2};
  case PN_EXPR_SILU:
  case PN_EXPR_GELU:
  case PN_EXPR_GELU_TANH:
  case PN_EXPR_HARD_SWISH: return gated(a);
  case PN_EXPR_EQUAL:
  case PN_EXPR_LESS:
  case PN_EXPR_LESS_EQUAL:
  case PN_EXPR_GREATER:
  case PN_EXPR_GREATER_EQUAL:
  case PN_EXPR_IS_NAN:
  case PN_EXPR_IS_INF_POSITIVE:
  case PN_EXPR_IS_INF_NEGATIVE: return (pn_interval){0, 1};
  case PN_EXPR_CAST: return s->dtype == PELTON_DTYPE_BOOL ? (pn_interval){0, 1} : pn_dtype_is_wide_float(s->dtype) ? a : anything;
  default: return anything;
  }
}

void pn_expr_intervals(const pn_expr *expr, const pn_interval *operands, pn_interval *steps) {
  for (uint32_t i = 0; i < expr->step_count; i++) {
    const pn_expr_step *s = &expr->steps[i];
    const double value = pn_dtype_is_float(s->dtype) ? s->constant.f64 : (double)s->constant.i64;
    if (s->op == PN_EXPR_INPUT)
      steps[i] = operands[s->argument[0]];
    else if (s->op == PN_EXPR_CONSTANT)
      steps[i] = ordered(value, value);
    else
      steps[i] = call(s, steps[s->argument[0]], pn_expr_op_arguments(s->op) > 1 ? steps[s->argument[1]] : anything,
                      pn_expr_op_arguments(s->op) > 2 ? steps[s->argument[2]] : anything);
  }
}
