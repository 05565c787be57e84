/* Expressions in their simplest form: x * sigmoid(x) is silu, max(x, 0) is relu, and so on for what exporters spell
   out; what does nothing (x + 0, x * 1, a cast to the same type) goes, and constants are computed.

   Rules look at one step and its arguments, which are in simplest form already; each gives a shorter expression, so
   that they end. They hold bit for bit, but for those that name a function (gelu, silu, hard_swish), where the
   roundings of the spelled-out form are exchanged for the function's, and for scales in one product, (x * a) * b, which
   are multiplied first. */
#include "passes/all.h"
#include "passes/expr_rules.h"
#include "passes/rewrite.h"

#include <math.h>

uint16_t pn_expr_copy_step(pn_expr_builder *b, const pn_expr_step *step, const uint16_t *moved) {
  switch (step->op) {
  case PN_EXPR_INPUT: return pn_expr_input(b, step->argument[0]);
  case PN_EXPR_CAST: return pn_expr_cast(b, moved[step->argument[0]], step->dtype, step->mode);
  case PN_EXPR_CONSTANT:
    if (pn_dtype_is_float(step->dtype)) return pn_expr_f64(b, step->dtype, step->constant.f64);
    return pn_expr_i64(b, step->dtype, step->constant.i64);
  default:
    return pn_expr_call(b, step->op, moved[step->argument[0]], moved[step->argument[1]], moved[step->argument[2]]);
  }
}

typedef struct simplifier {
  pn_expr_builder b;
  pelton_dtype types[PN_EXPR_MAX_STEPS]; /* of the builder's steps */
  const pelton_dtype *inputs;
  bool changed;
} simplifier;

/* ---- matching ---------------------------------------------------------------------------------------------------- */

static const pn_expr_step *at(const simplifier *s, uint16_t step) { return &s->b.steps[step]; }

static bool is_op(const simplifier *s, uint16_t step, pn_expr_op op) { return at(s, step)->op == op; }

static bool is_float(const simplifier *s, uint16_t step, double *out) {
  const pn_expr_step *c = at(s, step);
  if (c->op != PN_EXPR_CONSTANT || !pn_dtype_is_float(c->dtype)) return false;
  *out = c->constant.f64;
  return true;
}

/* A constant that is |value| as its type holds it, or as single precision does. */
static bool is_near(const simplifier *s, uint16_t step, double value) {
  double c;
  if (!is_float(s, step, &c)) return false;
  if (at(s, step)->dtype == PELTON_DTYPE_F16) return c == (double)pn_f16_to_f32(pn_f16_from_f64(value));
  if (at(s, step)->dtype == PELTON_DTYPE_BF16) return c == (double)pn_bf16_to_f32(pn_bf16_from_f32((float)value));
  return fabs(c - value) <= 1e-6 * fabs(value);
}

static bool is_exactly(const simplifier *s, uint16_t step, double value) {
  double c;
  return is_float(s, step, &c) && c == value && signbit(c) == signbit(value);
}

static bool is_number(const simplifier *s, uint16_t step, int64_t value) {
  const pn_expr_step *c = at(s, step);
  if (c->op == PN_EXPR_CONSTANT && pn_dtype_is_integer(c->dtype)) return c->constant.i64 == value;
  return is_exactly(s, step, (double)value);
}

/* |step| is |op| of two arguments in either order, one of which satisfies |value|: the other one. */
static bool other_argument(const simplifier *s, uint16_t step, pn_expr_op op, double value, uint16_t *other) {
  if (!is_op(s, step, op)) return false;
  for (int k = 0; k < 2; k++) {
    if (!is_near(s, at(s, step)->argument[k], value)) continue;
    *other = at(s, step)->argument[!k];
    return true;
  }
  return false;
}

/* The factors of a product, constants multiplied into |*scale|; divisions by constants count. */
typedef struct factors {
  uint16_t list[4];
  uint32_t count;
  double scale;
} factors;

static bool find_factors(const simplifier *s, uint16_t step, uint32_t depth, factors *f) {
  double c;
  if (is_float(s, step, &c)) {
    f->scale *= c;
    return true;
  }
  const pn_expr_step *p = at(s, step);
  if (p->op == PN_EXPR_MUL && depth < 4)
    return find_factors(s, p->argument[0], depth + 1, f) && find_factors(s, p->argument[1], depth + 1, f);
  if (p->op == PN_EXPR_DIV && is_float(s, p->argument[1], &c)) {
    f->scale /= c;
    return find_factors(s, p->argument[0], depth + 1, f);
  }
  if (f->count == PN_COUNT(f->list)) return false;
  f->list[f->count++] = step;
  return true;
}

/* A scale made of constants of |step|'s type, which rounded each. */
static bool near_to(const simplifier *s, uint16_t step, double a, double b) {
  double slack = s->types[step] == PELTON_DTYPE_F16 ? 6e-4 : s->types[step] == PELTON_DTYPE_BF16 ? 5e-3 : 2e-6;
  return fabs(a - b) <= slack * fabs(b);
}

/* |step| is x times |scale|, with x the step |x|. */
static bool is_scaled(const simplifier *s, uint16_t step, uint16_t x, double scale) {
  factors f = {.scale = 1};
  return find_factors(s, step, 0, &f) && f.count == 1 && f.list[0] == x && near_to(s, step, f.scale, scale);
}

/* ---- named functions --------------------------------------------------------------------------------------------- */

/* erf(x / sqrt(2)) + 1 */
static bool is_gelu_gate(const simplifier *s, uint16_t step, uint16_t x) {
  uint16_t erf;
  return other_argument(s, step, PN_EXPR_ADD, 1, &erf) && is_op(s, erf, PN_EXPR_ERF) &&
         is_scaled(s, at(s, erf)->argument[0], x, 0.70710678118654752);
}

static bool is_cube(const simplifier *s, uint16_t step, uint16_t x) {
  const pn_expr_step *p = at(s, step);
  if (p->op == PN_EXPR_POW) return p->argument[0] == x && is_near(s, p->argument[1], 3);
  for (int k = 0; k < 2 && p->op == PN_EXPR_MUL; k++) {
    const pn_expr_step *square = at(s, p->argument[k]);
    if (p->argument[!k] != x) continue;
    if (square->op == PN_EXPR_SQUARE && square->argument[0] == x) return true;
    if (square->op == PN_EXPR_MUL && square->argument[0] == x && square->argument[1] == x) return true;
  }
  return false;
}

static bool is_scaled_cube(const simplifier *s, uint16_t step, uint16_t x) {
  uint16_t cube;
  if (other_argument(s, step, PN_EXPR_MUL, 0.044715, &cube)) return is_cube(s, cube, x);
  /* ((0.044715 * x) * x) * x in any order: three times x. */
  factors f = {.scale = 1};
  if (!find_factors(s, step, 0, &f) || f.count != 3 || !near_to(s, step, f.scale, 0.044715)) return false;
  return f.list[0] == x && f.list[1] == x && f.list[2] == x;
}

/* x + 0.044715 * x^3, or x * (1 + 0.044715 * x^2) */
static bool is_gelu_polynomial(const simplifier *s, uint16_t step, uint16_t x) {
  const pn_expr_step *p = at(s, step);
  for (int k = 0; k < 2; k++) {
    if (p->op == PN_EXPR_ADD && p->argument[k] == x && is_scaled_cube(s, p->argument[!k], x)) return true;
    uint16_t scaled, square;
    if (p->op != PN_EXPR_MUL || p->argument[k] != x || !other_argument(s, p->argument[!k], PN_EXPR_ADD, 1, &scaled))
      continue;
    if (!other_argument(s, scaled, PN_EXPR_MUL, 0.044715, &square)) continue;
    const pn_expr_step *q = at(s, square);
    if (q->op == PN_EXPR_SQUARE && q->argument[0] == x) return true;
    if (q->op == PN_EXPR_MUL && q->argument[0] == x && q->argument[1] == x) return true;
  }
  return false;
}

/* tanh(sqrt(2/pi) * (x + 0.044715 * x^3)) + 1 */
static bool is_gelu_tanh_gate(const simplifier *s, uint16_t step, uint16_t x) {
  uint16_t tanh_step, inner;
  if (!other_argument(s, step, PN_EXPR_ADD, 1, &tanh_step) || !is_op(s, tanh_step, PN_EXPR_TANH)) return false;
  if (!other_argument(s, at(s, tanh_step)->argument[0], PN_EXPR_MUL, 0.79788456080286536, &inner)) return false;
  return is_gelu_polynomial(s, inner, x);
}

static bool is_sigmoid_of(const simplifier *s, uint16_t step, uint16_t x) {
  return is_op(s, step, PN_EXPR_SIGMOID) && at(s, step)->argument[0] == x;
}

/* clip(x + 3, 0, 6) */
static bool is_hard_gate(const simplifier *s, uint16_t step, uint16_t x) {
  uint16_t inner;
  const pn_expr_step *p = at(s, step);
  if (p->op != PN_EXPR_CLIP || !is_exactly(s, p->argument[1], 0) || !is_exactly(s, p->argument[2], 6)) return false;
  return other_argument(s, p->argument[0], PN_EXPR_ADD, 3, &inner) && inner == x;
}

/* clip(x / 6 + 0.5, 0, 1) */
static bool is_hard_sigmoid(const simplifier *s, uint16_t step, uint16_t x) {
  uint16_t inner;
  const pn_expr_step *p = at(s, step);
  if (p->op != PN_EXPR_CLIP || !is_exactly(s, p->argument[1], 0) || !is_exactly(s, p->argument[2], 1)) return false;
  return other_argument(s, p->argument[0], PN_EXPR_ADD, 0.5, &inner) && is_scaled(s, inner, x, 1.0 / 6.0);
}

/* A product (or a quotient by a constant) that is an activation of one of its factors. */
static bool find_activation(const simplifier *s, uint16_t step, pn_expr_op *op, uint16_t *x) {
  factors f = {.scale = 1};
  if (!find_factors(s, step, 0, &f) || f.count != 2) return false;
  for (uint32_t k = 0; k < 2; k++) {
    const uint16_t gate = f.list[k];
    *x = f.list[!k];
    if (f.scale == 1 && is_sigmoid_of(s, gate, *x)) return *op = PN_EXPR_SILU, true;
    if (f.scale == 1 && is_hard_sigmoid(s, gate, *x)) return *op = PN_EXPR_HARD_SWISH, true;
    if (near_to(s, step, f.scale, 1.0 / 6.0) && is_hard_gate(s, gate, *x)) return *op = PN_EXPR_HARD_SWISH, true;
    if (f.scale == 0.5 && is_gelu_gate(s, gate, *x)) return *op = PN_EXPR_GELU, true;
    if (f.scale == 0.5 && is_gelu_tanh_gate(s, gate, *x)) return *op = PN_EXPR_GELU_TANH, true;
  }
  return false;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static uint16_t add_step(simplifier *s, const pn_expr_step *step);

static uint16_t call(simplifier *s, pn_expr_op op, uint16_t a, uint16_t b, uint16_t c) {
  return add_step(s, &(pn_expr_step){.op = op, .argument = {a, b, c}});
}

static uint16_t constant(simplifier *s, pelton_dtype dtype, double value) {
  pn_expr_step step = {.op = PN_EXPR_CONSTANT, .dtype = dtype};
  step.constant.f64 = value;
  return add_step(s, &step);
}

static double round_to(pelton_dtype dtype, double value) {
  return dtype == PELTON_DTYPE_F32 ? (double)(float)value : value;
}

/* Steps on constants of single or double precision. */
static bool compute(const simplifier *s, const pn_expr_step *step, pelton_dtype dtype, double *out) {
  double v[3] = {0};
  for (uint32_t i = 0; i < pn_expr_op_arguments(step->op); i++)
    if (!is_float(s, step->argument[i], &v[i])) return false;
  if (dtype != PELTON_DTYPE_F32 && dtype != PELTON_DTYPE_F64) return false;
  switch (step->op) {
  case PN_EXPR_ADD: *out = v[0] + v[1]; break;
  case PN_EXPR_SUB: *out = v[0] - v[1]; break;
  case PN_EXPR_MUL: *out = v[0] * v[1]; break;
  case PN_EXPR_DIV: *out = v[0] / v[1]; break;
  case PN_EXPR_NEG: *out = -v[0]; break;
  case PN_EXPR_SQRT: *out = sqrt(v[0]); break;
  case PN_EXPR_RECIPROCAL: *out = 1 / v[0]; break;
  case PN_EXPR_SQUARE: *out = v[0] * v[0]; break;
  default: return false;
  }
  *out = round_to(dtype, *out);
  return !isnan(*out);
}

static bool is_power_of_two(double v) {
  int exponent;
  return isfinite(v) && v != 0 && fabs(frexp(v, &exponent)) == 0.5 && exponent > -120 && exponent < 120;
}

/* min and max with constants, in any nesting, are a clip when the bounds are in order. */
static bool clip_rule(simplifier *s, const pn_expr_step *p, uint16_t *out) {
  double c, other;
  for (int k = 0; k < 2; k++) {
    const uint16_t bound = p->argument[k], x = p->argument[!k];
    if (!is_float(s, bound, &c) || isnan(c)) continue;
    if (p->op == PN_EXPR_MAX && c == 0 && !signbit(c)) return *out = call(s, PN_EXPR_RELU, x, 0, 0), true;
    const pn_expr_step *q = at(s, x);
    if (p->op == PN_EXPR_MIN && q->op == PN_EXPR_RELU && c >= 0) {
      const uint16_t arg = q->argument[0], zero = constant(s, s->types[x], 0);
      return *out = call(s, PN_EXPR_CLIP, arg, zero, bound), true;
    }
    if (q->op != (p->op == PN_EXPR_MIN ? PN_EXPR_MAX : PN_EXPR_MIN)) continue;
    for (int j = 0; j < 2; j++) {
      const uint16_t second = q->argument[j], inner = q->argument[!j];
      if (!is_float(s, second, &other) || isnan(other) || (p->op == PN_EXPR_MIN ? other > c : other < c)) continue;
      const bool outer_is_high = p->op == PN_EXPR_MIN;
      return *out = call(s, PN_EXPR_CLIP, inner, outer_is_high ? second : bound, outer_is_high ? bound : second), true;
    }
  }
  return false;
}

/* x * 1, x / 1, x + 0 (but -0.0 + 0 is 0.0: only adding -0.0 is nothing for sure; networks do not tell these apart, and
   x + 0 is what exporters leave behind), x - 0, and their like of integers. */
static bool nothing_rule(const simplifier *s, const pn_expr_step *p, uint16_t *out) {
  const uint16_t a = p->argument[0], b = p->argument[1];
  switch (p->op) {
  case PN_EXPR_ADD:
    if (is_number(s, b, 0) || is_exactly(s, b, -0.0)) return *out = a, true;
    return (is_number(s, a, 0) || is_exactly(s, a, -0.0)) ? (*out = b, true) : false;
  case PN_EXPR_MUL:
    if (is_number(s, b, 1)) return *out = a, true;
    return is_number(s, a, 1) ? (*out = b, true) : false;
  case PN_EXPR_SUB: return is_number(s, b, 0) ? (*out = a, true) : false;
  case PN_EXPR_DIV: return is_number(s, b, 1) ? (*out = a, true) : false;
  case PN_EXPR_POW: return is_exactly(s, b, 1) ? (*out = a, true) : false;
  case PN_EXPR_CAST: return s->types[a] == p->dtype ? (*out = a, true) : false;
  case PN_EXPR_RELU:
  case PN_EXPR_ABS: return is_op(s, a, p->op) ? (*out = a, true) : false;
  default: return false;
  }
}

static bool short_rule(simplifier *s, const pn_expr_step *p, pelton_dtype dtype, uint16_t *out) {
  const uint16_t a = p->argument[0], b = p->argument[1];
  double c, d;
  switch (p->op) {
  case PN_EXPR_POW:
    if (!pn_dtype_is_float(dtype)) return false;
    if (is_exactly(s, b, 2)) return *out = call(s, PN_EXPR_SQUARE, a, 0, 0), true;
    return is_exactly(s, b, -1) ? (*out = call(s, PN_EXPR_RECIPROCAL, a, 0, 0), true) : false;
  case PN_EXPR_MUL:
    if (a == b) return *out = call(s, PN_EXPR_SQUARE, a, 0, 0), true;
    /* (x * c) * d */
    for (int k = 0; k < 2; k++) {
      const uint16_t scale = p->argument[k], x = p->argument[!k];
      if (!is_float(s, scale, &c) || !is_op(s, x, PN_EXPR_MUL) || dtype != PELTON_DTYPE_F32) continue;
      for (int j = 0; j < 2; j++) {
        const uint16_t inner = at(s, x)->argument[!j];
        if (!is_float(s, at(s, x)->argument[j], &d) || !isfinite((float)(c * d)) || fabs(c * d) < 1e-30) continue;
        const uint16_t both = constant(s, dtype, (double)(float)(c * d));
        return *out = call(s, PN_EXPR_MUL, inner, both, 0), true;
      }
    }
    return false;
  case PN_EXPR_DIV:
    if (!pn_dtype_is_float(dtype)) return false;
    if (is_float(s, b, &c) && is_power_of_two(c) && (dtype == PELTON_DTYPE_F32 || dtype == PELTON_DTYPE_F64)) {
      const uint16_t reciprocal = constant(s, dtype, 1 / c);
      return *out = call(s, PN_EXPR_MUL, a, reciprocal, 0), true;
    }
    return is_exactly(s, a, 1) ? (*out = call(s, PN_EXPR_RECIPROCAL, b, 0, 0), true) : false;
  case PN_EXPR_RECIPROCAL:
    if (is_op(s, a, PN_EXPR_SQRT)) return *out = call(s, PN_EXPR_RSQRT, at(s, a)->argument[0], 0, 0), true;
    /* 1 / (1 + exp(-x)) */
    if (other_argument(s, a, PN_EXPR_ADD, 1, out) && is_op(s, *out, PN_EXPR_EXP)) {
      const uint16_t negative = at(s, *out)->argument[0];
      if (is_op(s, negative, PN_EXPR_NEG))
        return *out = call(s, PN_EXPR_SIGMOID, at(s, negative)->argument[0], 0, 0), true;
    }
    return false;
  case PN_EXPR_NEG: return is_op(s, a, PN_EXPR_NEG) ? (*out = at(s, a)->argument[0], true) : false;
  case PN_EXPR_MIN:
  case PN_EXPR_MAX: return clip_rule(s, p, out);
  default: return false;
  }
}

/* The type of a step from its arguments', which were checked when the expression was. */
static pelton_dtype step_type(const simplifier *s, const pn_expr_step *p) {
  switch (p->op) {
  case PN_EXPR_INPUT: return s->inputs[p->argument[0]];
  case PN_EXPR_CONSTANT:
  case PN_EXPR_CAST: return p->dtype;
  case PN_EXPR_EQUAL:
  case PN_EXPR_LESS:
  case PN_EXPR_LESS_EQUAL:
  case PN_EXPR_GREATER:
  case PN_EXPR_GREATER_EQUAL:
  case PN_EXPR_IS_NAN:
  case PN_EXPR_IS_INF_POSITIVE:
  case PN_EXPR_IS_INF_NEGATIVE: return PELTON_DTYPE_BOOL;
  case PN_EXPR_SELECT: return s->types[p->argument[1]];
  default: return s->types[p->argument[0]];
  }
}

/* Adds |step| as it is. */
static uint16_t add_plain(simplifier *s, const pn_expr_step *step) {
  uint16_t same[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < s->b.step_count; i++) same[i] = (uint16_t)i;
  const pelton_dtype dtype = step_type(s, step);
  const uint16_t out = pn_expr_copy_step(&s->b, step, same);
  if (!s->b.failed) s->types[out] = dtype;
  return out;
}

static uint16_t add_step(simplifier *s, const pn_expr_step *step) {
  uint16_t out, x;
  double value;
  pn_expr_op op;
  if (s->b.failed) return 0;
  const pelton_dtype dtype = step_type(s, step);
  if (nothing_rule(s, step, &out)) return s->changed = true, out;
  if (pn_expr_op_arguments(step->op) > 0 && compute(s, step, dtype, &value))
    return s->changed = true, constant(s, dtype, value);
  if ((step->op == PN_EXPR_MUL || step->op == PN_EXPR_DIV) && pn_dtype_is_float(dtype)) {
    const uint16_t plain = add_plain(s, step);
    if (s->b.failed) return 0;
    if (find_activation(s, plain, &op, &x)) return s->changed = true, call(s, op, x, 0, 0);
  }
  if (short_rule(s, step, dtype, &out)) return s->changed = true, out;
  return add_plain(s, step);
}

const pn_expr *pn_expr_simplify(const pn_expr *expr, const pelton_dtype *types, pn_arena *arena) {
  uint16_t moved[PN_EXPR_MAX_STEPS] = {0};
  simplifier *s = PN_NEW(arena, simplifier);
  if (!s) return NULL;
  pn_expr_builder_init(&s->b);
  s->inputs = types;
  for (uint32_t i = 0; i < expr->step_count; i++) {
    pn_expr_step step = expr->steps[i];
    if (step.op != PN_EXPR_INPUT)
      for (uint32_t k = 0; k < pn_expr_op_arguments(step.op); k++) step.argument[k] = moved[step.argument[k]];
    moved[i] = add_step(s, &step);
  }
  if (!s->changed || s->b.failed) return expr;
  return pn_expr_finish(&s->b, moved[expr->step_count - 1], arena);
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

/* A node that only hands an operand on. */
static pelton_status forward_operand(pn_rewrite *r, pn_node *node, const pn_expr *expr, bool *done) {
  *done = false;
  if (expr->step_count != 1 || expr->steps[0].op != PN_EXPR_INPUT) return PELTON_OK;
  const pn_value_id x = node->inputs.data[expr->steps[0].argument[0]];
  if (!pn_type_equal(pn_rewrite_type(r, x), pn_rewrite_type(r, node->outputs.data[0]))) return PELTON_OK;
  return pn_rewrite_forward(r, node, x, done);
}

static pelton_status simplify_node(pn_rewrite *r, pn_node *node) {
  pelton_dtype types[PN_EXPR_MAX_INPUTS] = {0};
  const pn_expr *before = pn_node_expr(node);
  bool done;
  for (uint32_t i = 0; i < node->inputs.count; i++) types[i] = pn_rewrite_type(r, node->inputs.data[i])->dtype;
  const pn_expr *after = pn_expr_simplify(before, types, r->scratch);
  if (!after) return pn_fail_memory(r->diag, "a simplified expression");
  PN_TRY(forward_operand(r, node, after, &done));
  if (done || pn_expr_equal(before, after)) return PELTON_OK;
  const pn_value_list inputs = node->inputs;
  r->changed++;
  return pn_rewrite_pointwise(r, node, after, inputs.data, inputs.count);
}

static pelton_status simplify_all(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (node->removed || node->op != PN_OP_POINTWISE) continue;
    if (pn_rewrite_type(r, node->outputs.data[0])->dtype == PELTON_DTYPE_NONE) continue;
    PN_TRY(simplify_node(r, node));
  }
  return PELTON_OK;
}

pelton_status pn_pass_recognise_activations(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, simplify_all, changed, diag);
}
