/* One step over a run of floats, for one width. Included twice by expr_eval.c, with
     REAL        float or double
     NAME(step)  step_f32 or step_f64
     MATH(exp)   expf or exp
   A line an operation. Operands and result are runs of REAL; conditions and tests are runs of int64_t, 0 or 1. Not a
   header of its own: no guard. */

static REAL NAME(least)(REAL a, REAL b) { return isnan(a) || a < b ? a : b; }
static REAL NAME(greatest)(REAL a, REAL b) { return isnan(a) || a > b ? a : b; }

/* The remainder with the divisor's sign, zeros included, as Python and numpy have it. */
static REAL NAME(modulo)(REAL a, REAL b) {
  REAL rest = MATH(fmod)(a, b);
  if (rest == 0) return MATH(copysign)(0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

static REAL NAME(sigmoid)(REAL x) { return 1 / (1 + MATH(exp)(-x)); }

static REAL NAME(gelu_tanh)(REAL x) {
  const REAL root = (REAL)0.79788456080286535588; /* sqrt(2 / pi) */
  return (REAL)0.5 * x * (1 + MATH(tanh)(root * (x + (REAL)0.044715 * x * x * x)));
}

#define EACH(expression)                                        \
  for (uint32_t i = 0; i < count; i++) out[i] = (expression); \
  return
#define EACH_TEST(expression)                                          \
  for (uint32_t i = 0; i < count; i++) test_out[i] = (expression); \
  return

static void NAME(step)(pn_expr_op op, uint32_t count, const void *a_run, const void *b_run, const void *c_run,
                       void *out_run) {
  const REAL *a = a_run, *b = b_run, *c = c_run;
  const int64_t *condition = a_run;
  REAL *out = out_run;
  int64_t *test_out = out_run;
  switch (op) {
  case PN_EXPR_ADD: EACH(a[i] + b[i]);
  case PN_EXPR_SUB: EACH(a[i] - b[i]);
  case PN_EXPR_MUL: EACH(a[i] * b[i]);
  case PN_EXPR_DIV: EACH(a[i] / b[i]);
  case PN_EXPR_MOD: EACH(NAME(modulo)(a[i], b[i]));
  case PN_EXPR_FMOD: EACH(MATH(fmod)(a[i], b[i]));
  case PN_EXPR_POW: EACH(MATH(pow)(a[i], b[i]));
  case PN_EXPR_MIN: EACH(NAME(least)(a[i], b[i]));
  case PN_EXPR_MAX: EACH(NAME(greatest)(a[i], b[i]));
  case PN_EXPR_NEG: EACH(-a[i]);
  case PN_EXPR_ABS: EACH(MATH(fabs)(a[i]));
  case PN_EXPR_SIGN: EACH(a[i] > 0 ? 1 : a[i] < 0 ? -1 : a[i] == 0 ? 0 : a[i]);
  case PN_EXPR_RECIPROCAL: EACH(1 / a[i]);
  case PN_EXPR_SQRT: EACH(MATH(sqrt)(a[i]));
  case PN_EXPR_RSQRT: EACH(1 / MATH(sqrt)(a[i]));
  case PN_EXPR_SQUARE: EACH(a[i] * a[i]);
  case PN_EXPR_EXP: EACH(MATH(exp)(a[i]));
  case PN_EXPR_LOG: EACH(MATH(log)(a[i]));
  case PN_EXPR_ERF: EACH(MATH(erf)(a[i]));
  case PN_EXPR_FLOOR: EACH(MATH(floor)(a[i]));
  case PN_EXPR_CEIL: EACH(MATH(ceil)(a[i]));
  case PN_EXPR_ROUND: EACH(MATH(rint)(a[i])); /* the default rounding mode is to nearest even */
  case PN_EXPR_SIN: EACH(MATH(sin)(a[i]));
  case PN_EXPR_COS: EACH(MATH(cos)(a[i]));
  case PN_EXPR_TAN: EACH(MATH(tan)(a[i]));
  case PN_EXPR_ASIN: EACH(MATH(asin)(a[i]));
  case PN_EXPR_ACOS: EACH(MATH(acos)(a[i]));
  case PN_EXPR_ATAN: EACH(MATH(atan)(a[i]));
  case PN_EXPR_SINH: EACH(MATH(sinh)(a[i]));
  case PN_EXPR_COSH: EACH(MATH(cosh)(a[i]));
  case PN_EXPR_TANH: EACH(MATH(tanh)(a[i]));
  case PN_EXPR_ASINH: EACH(MATH(asinh)(a[i]));
  case PN_EXPR_ACOSH: EACH(MATH(acosh)(a[i]));
  case PN_EXPR_ATANH: EACH(MATH(atanh)(a[i]));
  case PN_EXPR_RELU: EACH(NAME(greatest)(a[i], 0));
  case PN_EXPR_SIGMOID: EACH(NAME(sigmoid)(a[i]));
  case PN_EXPR_SILU: EACH(a[i] * NAME(sigmoid)(a[i]));
  case PN_EXPR_GELU: EACH((REAL)0.5 * a[i] * (1 + MATH(erf)(a[i] * (REAL)0.70710678118654752440)));
  case PN_EXPR_GELU_TANH: EACH(NAME(gelu_tanh)(a[i]));
  case PN_EXPR_HARD_SWISH: EACH(a[i] * NAME(greatest)(NAME(least)(a[i] / 6 + (REAL)0.5, 1), 0));
  case PN_EXPR_SOFTPLUS: EACH(NAME(greatest)(a[i], 0) + MATH(log1p)(MATH(exp)(-MATH(fabs)(a[i]))));
  case PN_EXPR_CLIP: EACH(NAME(least)(NAME(greatest)(a[i], b[i]), c[i]));
  case PN_EXPR_SELECT: EACH(condition[i] ? b[i] : c[i]);
  case PN_EXPR_EQUAL: EACH_TEST(a[i] == b[i]);
  case PN_EXPR_LESS: EACH_TEST(a[i] < b[i]);
  case PN_EXPR_LESS_EQUAL: EACH_TEST(a[i] <= b[i]);
  case PN_EXPR_GREATER: EACH_TEST(a[i] > b[i]);
  case PN_EXPR_GREATER_EQUAL: EACH_TEST(a[i] >= b[i]);
  case PN_EXPR_IS_NAN: EACH_TEST(isnan(a[i]) != 0);
  case PN_EXPR_IS_INF_POSITIVE: EACH_TEST(isinf(a[i]) && a[i] > 0);
  case PN_EXPR_IS_INF_NEGATIVE: EACH_TEST(isinf(a[i]) && a[i] < 0);
  default: return; /* no operation on floats: pn_expr_types refuses it */
  }
}

#undef EACH
#undef EACH_TEST
