#include "targets/cpu/program.h"

#include <math.h>

/* ---- which operation is which ---------------------------------------------------------------------------------------
 */

typedef struct unary_row {
  pn_expr_op op;
  pn_cpu_unary unary;
} unary_row;
static const unary_row unaries[] = {
    {PN_EXPR_NEG, PN_CPU_UNARY_neg},
    {PN_EXPR_ABS, PN_CPU_UNARY_abs},
    {PN_EXPR_RELU, PN_CPU_UNARY_relu},
    {PN_EXPR_SQRT, PN_CPU_UNARY_sqrt},
    {PN_EXPR_RSQRT, PN_CPU_UNARY_rsqrt},
    {PN_EXPR_RECIPROCAL, PN_CPU_UNARY_reciprocal},
    {PN_EXPR_EXP, PN_CPU_UNARY_exp},
    {PN_EXPR_LOG, PN_CPU_UNARY_log},
    {PN_EXPR_TANH, PN_CPU_UNARY_tanh},
    {PN_EXPR_SIGMOID, PN_CPU_UNARY_sigmoid},
    {PN_EXPR_ERF, PN_CPU_UNARY_erf},
    {PN_EXPR_GELU, PN_CPU_UNARY_gelu},
    {PN_EXPR_GELU_TANH, PN_CPU_UNARY_gelu_tanh},
    {PN_EXPR_SILU, PN_CPU_UNARY_silu},
    {PN_EXPR_SOFTPLUS, PN_CPU_UNARY_softplus},
    {PN_EXPR_HARD_SWISH, PN_CPU_UNARY_hard_swish},
    {PN_EXPR_FLOOR, PN_CPU_UNARY_floor},
    {PN_EXPR_CEIL, PN_CPU_UNARY_ceil},
    {PN_EXPR_ROUND, PN_CPU_UNARY_round},
    {PN_EXPR_SIGN, PN_CPU_UNARY_sign},
    {PN_EXPR_NOT, PN_CPU_UNARY_not},
    {PN_EXPR_IS_NAN, PN_CPU_UNARY_is_nan},
    {PN_EXPR_ASIN, PN_CPU_UNARY_asin},
    {PN_EXPR_ACOS, PN_CPU_UNARY_acos},
    {PN_EXPR_ATAN, PN_CPU_UNARY_atan},
};

typedef struct binary_row {
  pn_expr_op op;
  pn_cpu_binary binary;
  bool swapped;
} binary_row;
static const binary_row binaries[] = {
    {PN_EXPR_ADD, PN_CPU_BINARY_add, false},
    {PN_EXPR_SUB, PN_CPU_BINARY_sub, false},
    {PN_EXPR_MUL, PN_CPU_BINARY_mul, false},
    {PN_EXPR_DIV, PN_CPU_BINARY_div, false},
    {PN_EXPR_MIN, PN_CPU_BINARY_min, false},
    {PN_EXPR_MAX, PN_CPU_BINARY_max, false},
    {PN_EXPR_LESS, PN_CPU_BINARY_less, false},
    {PN_EXPR_GREATER, PN_CPU_BINARY_less, true},
    {PN_EXPR_LESS_EQUAL, PN_CPU_BINARY_less_or_equal, false},
    {PN_EXPR_GREATER_EQUAL, PN_CPU_BINARY_less_or_equal, true},
    {PN_EXPR_EQUAL, PN_CPU_BINARY_equal, false},
    /* bools are 1 and 0 in registers */
    {PN_EXPR_AND, PN_CPU_BINARY_mul, false},
    {PN_EXPR_OR, PN_CPU_BINARY_max, false},
    {PN_EXPR_XOR, PN_CPU_BINARY_not_equal, false},
};

/* Runs of elements within PN_CPU_TURNS_LIMIT; others go through the C library. */
static bool has_limit(pn_expr_op op) { return op == PN_EXPR_SIN || op == PN_EXPR_COS || op == PN_EXPR_TAN; }

static pn_cpu_unary limited_kernel(pn_expr_op op) {
  return op == PN_EXPR_SIN ? PN_CPU_UNARY_sin : op == PN_EXPR_COS ? PN_CPU_UNARY_cos : PN_CPU_UNARY_tan;
}

static bool is_within_limit(size_t n, const float *x) {
  bool all = true;
  for (size_t i = 0; i < n; i++) all &= x[i] <= (float)PN_CPU_TURNS_LIMIT && x[i] >= -(float)PN_CPU_TURNS_LIMIT;
  return all;
}

/* fmodf takes a division for each bit of the quotient. Quotients of up to 22 bits are exact in doubles, and so is what
   they leave. */
static float remainder_of(float a, float b) {
  double quotient = (double)a / (double)b;
  if (!(fabs(quotient) < 0x1p22)) return fmodf(a, b);
  double rest = (double)a - (double)(int32_t)quotient * (double)b;
  return copysignf((float)rest, a);
}
static float modulo_of(float a, float b) {
  float rest = remainder_of(a, b);
  if (rest == 0) return copysignf(0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}
/* The exponents that models write; the C library takes 30 times as long. */
static float power_of(float a, float b) {
  if (b == 2.0f) return a * a;
  if (b == 3.0f) return a * a * a;
  if (b == 1.0f) return a;
  return powf(a, b);
}

/* Without a vector form: one element at a time through the C library. */
typedef struct scalar_row {
  pn_expr_op op;
  float (*one)(float);
  float (*two)(float, float);
} scalar_row;
static const scalar_row scalars[] = {
    {PN_EXPR_SIN, sinf, NULL},     {PN_EXPR_COS, cosf, NULL},     {PN_EXPR_TAN, tanf, NULL},
    {PN_EXPR_SINH, sinhf, NULL},   {PN_EXPR_COSH, coshf, NULL},   {PN_EXPR_ASINH, asinhf, NULL},
    {PN_EXPR_ACOSH, acoshf, NULL}, {PN_EXPR_ATANH, atanhf, NULL}, {PN_EXPR_POW, NULL, power_of},
    {PN_EXPR_FMOD, NULL, remainder_of}, {PN_EXPR_MOD, NULL, modulo_of},
};

#define FIND(table, wanted)                                                                                            \
  for (size_t row = 0; row < PN_COUNT(table); row++)                                                                   \
    if ((table)[row].op == (wanted)) return &(table)[row];                                                             \
  return NULL
static const unary_row *find_unary(pn_expr_op op) { FIND(unaries, op); }
static const binary_row *find_binary(pn_expr_op op) { FIND(binaries, op); }
static const scalar_row *find_scalar(pn_expr_op op) { FIND(scalars, op); }

pn_vector_op pn_vector_op_of(pn_expr_op op) {
  const unary_row *unary = find_unary(op);
  const binary_row *binary = find_binary(op);
  const scalar_row *scalar = find_scalar(op);
  if (unary) return (pn_vector_op){.kind = PN_VECTOR_UNARY, .unary = unary->unary};
  if (binary) return (pn_vector_op){.kind = PN_VECTOR_BINARY, .binary = binary->binary, .swapped = binary->swapped};
  if (scalar) return (pn_vector_op){.kind = PN_VECTOR_SCALAR, .one = scalar->one, .two = scalar->two};
  return (pn_vector_op){.kind = PN_VECTOR_NONE};
}

static bool is_ternary(pn_expr_op op) { return op == PN_EXPR_FMA || op == PN_EXPR_SELECT; }

/* ---- compiling ------------------------------------------------------------------------------------------------------
 */

typedef struct compiler {
  const pn_expr *expr;
  pn_program *program;
  pn_source value[PN_EXPR_MAX_STEPS]; /* of each step of the expression */
  uint16_t last_use[PN_EXPR_MAX_STEPS];
  bool busy[PN_PROGRAM_REGISTERS];
} compiler;

static bool known_op(const compiler *c, const pn_expr_step *step, pn_reason *why) {
  if (step->op == PN_EXPR_CLIP) {
    if (c->value[step->argument[1]].kind == PN_SOURCE_CONSTANT &&
        c->value[step->argument[2]].kind == PN_SOURCE_CONSTANT)
      return true;
    return pn_refuse(why, "clip with limits that are not constant");
  }
  if (step->op == PN_EXPR_CAST || step->op == PN_EXPR_SQUARE || is_ternary(step->op) || find_unary(step->op) ||
      find_binary(step->op) || find_scalar(step->op))
    return true;
  return pn_refuse(why, "%s has no vector form", pn_expr_op_name(step->op));
}

static void free_registers(compiler *c, uint16_t step) {
  const pn_expr_step *s = &c->expr->steps[step];
  for (uint32_t k = 0; k < pn_expr_op_arguments(s->op); k++) {
    const pn_source *v = &c->value[s->argument[k]];
    if (v->kind == PN_SOURCE_REGISTER && c->last_use[s->argument[k]] == step) c->busy[v->index] = false;
  }
}

static bool emit(compiler *c, uint16_t index, pelton_dtype type, pn_reason *why) {
  const pn_expr_step *step = &c->expr->steps[index];
  pn_program *p = c->program;
  if (!known_op(c, step, why)) return false;
  if (p->step_count == PN_PROGRAM_STEPS) return pn_refuse(why, "more than %d operations", PN_PROGRAM_STEPS);
  pn_program_step *out = &p->steps[p->step_count++];
  *out = (pn_program_step){.op = step->op};
  for (uint32_t k = 0; k < pn_expr_op_arguments(step->op); k++) out->source[k] = c->value[step->argument[k]];
  if (step->op == PN_EXPR_CAST && step->dtype == PELTON_DTYPE_BOOL) { /* x != 0 */
    out->op = PN_EXPR_XOR;
    out->source[1] = (pn_source){PN_SOURCE_CONSTANT, 0, 0.0f};
  }
  (void)type;
  /* The target is taken before the arguments are freed: kernels may run in place, but scalar ones read twice. */
  uint32_t target = 0;
  while (target < PN_PROGRAM_REGISTERS && c->busy[target]) target++;
  if (target == PN_PROGRAM_REGISTERS) return pn_refuse(why, "more than %d values live at once", PN_PROGRAM_REGISTERS);
  c->busy[target] = true;
  out->target = target;
  if (target + 1 > p->register_count) p->register_count = target + 1;
  c->value[index] = (pn_source){PN_SOURCE_REGISTER, target, 0};
  free_registers(c, index);
  return true;
}

bool pn_program_compile(const pn_expr *expr, const pelton_dtype *types, pn_program *out, pn_reason *why) {
  pn_program local;
  compiler c = {.expr = expr, .program = out ? out : &local};
  pelton_dtype steps[PN_EXPR_MAX_STEPS];
  memset(c.program, 0, sizeof *c.program);
  if (pn_expr_types(expr, types, steps, NULL)) return pn_refuse(why, "operands' types do not fit");
  for (uint16_t i = 0; i < expr->step_count; i++) {
    if (steps[i] != PELTON_DTYPE_F32 && steps[i] != PELTON_DTYPE_BOOL)
      return pn_refuse(why, "wants f32 and bool, has %s", pelton_dtype_name(steps[i]));
    for (uint32_t k = 0; k < pn_expr_op_arguments(expr->steps[i].op); k++) c.last_use[expr->steps[i].argument[k]] = i;
  }
  for (uint16_t i = 0; i < expr->step_count; i++) {
    const pn_expr_step *step = &expr->steps[i];
    if (step->op == PN_EXPR_INPUT) {
      c.value[i] = (pn_source){PN_SOURCE_OPERAND, step->argument[0], 0};
      if (steps[i] == PELTON_DTYPE_BOOL) c.program->bool_operands |= UINT64_C(1) << step->argument[0];
    } else if (step->op == PN_EXPR_CONSTANT) {
      float value = step->dtype == PELTON_DTYPE_BOOL ? (float)(step->constant.i64 != 0) : (float)step->constant.f64;
      c.value[i] = (pn_source){PN_SOURCE_CONSTANT, 0, value};
    } else if (!emit(&c, i, steps[i], why)) {
      return false;
    }
  }
  if (!c.program->step_count) return pn_refuse(why, "nothing to compute");
  c.program->bool_result = steps[expr->step_count - 1] == PELTON_DTYPE_BOOL;
  return true;
}

bool pn_program_is_direct(const pn_program *program, uint64_t runs) {
  const pn_program_step *step = &program->steps[0];
  bool any_run = false;
  if (program->step_count != 1 || program->bool_operands || program->bool_result || is_ternary(step->op) ||
      find_scalar(step->op))
    return false;
  uint32_t arguments = step->op == PN_EXPR_CLIP ? 1 : pn_expr_op_arguments(step->op);
  for (uint32_t k = 0; k < arguments; k++)
    any_run |= step->source[k].kind == PN_SOURCE_OPERAND && (runs >> step->source[k].index & 1);
  return any_run;
}

double pn_program_cost(const pn_program *program) {
  double cost = 0;
  for (uint32_t i = 0; i < program->step_count; i++) {
    pn_expr_op op = program->steps[i].op;
    bool slow = op == PN_EXPR_EXP || op == PN_EXPR_LOG || op == PN_EXPR_TANH || op == PN_EXPR_SIGMOID ||
                op == PN_EXPR_ERF || op == PN_EXPR_GELU || op == PN_EXPR_GELU_TANH || op == PN_EXPR_SILU ||
                op == PN_EXPR_SOFTPLUS;
    cost += has_limit(op) ? 10 : find_scalar(op) ? 100 : slow ? 8 : 1;
  }
  return cost;
}

/* ---- running --------------------------------------------------------------------------------------------------------
 */

typedef struct view {
  const float *run; /* null: |one| */
  float one;
} view;

typedef struct runner {
  const pn_cpu_vec_f32 *vec;
  const pn_program *program;
  const pn_run_operand *operands;
  float *scratch;
  size_t n;
} runner;

/* A source as a run or one float. Bools become floats in |spare|. */
static view look(const runner *r, const pn_source *s, float *spare) {
  if (s->kind == PN_SOURCE_CONSTANT) return (view){NULL, s->value};
  if (s->kind == PN_SOURCE_REGISTER) return (view){r->scratch + (size_t)s->index * PN_PROGRAM_RUN, 0};
  const pn_run_operand *o = &r->operands[s->index];
  bool is_bool = r->program->bool_operands >> s->index & 1;
  if (!o->stride) return (view){NULL, is_bool ? (float)(*(const uint8_t *)o->data != 0) : *(const float *)o->data};
  if (!is_bool) return (view){o->data, 0};
  r->vec->from_bool(r->n, o->data, spare);
  return (view){spare, 0};
}

static const float *as_run(const runner *r, view v, float *spare) {
  if (v.run) return v.run;
  r->vec->fill(r->n, v.one, spare);
  return spare;
}

static void run_binary(const runner *r, pn_cpu_binary op, view a, view b, float *spare, float *y) {
  if (a.run && b.run)
    r->vec->binary[op][PN_CPU_RUN_RUN](r->n, a.run, b.run, y);
  else if (a.run)
    r->vec->binary[op][PN_CPU_RUN_ONE](r->n, a.run, &b.one, y);
  else if (b.run)
    r->vec->binary[op][PN_CPU_ONE_RUN](r->n, &a.one, b.run, y);
  else
    r->vec->binary[op][PN_CPU_RUN_ONE](r->n, as_run(r, a, spare), &b.one, y);
}

static void run_step(const runner *r, const pn_program_step *step, float *y) {
  PN_ALIGNED(64) float spares[3][PN_PROGRAM_RUN];
  view v[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
  uint32_t arguments = step->op == PN_EXPR_CLIP ? 1 : pn_expr_op_arguments(step->op);
  for (uint32_t k = 0; k < arguments; k++) v[k] = look(r, &step->source[k], spares[k]);
  const unary_row *unary = find_unary(step->op);
  const binary_row *binary = find_binary(step->op);
  if (unary) {
    static const float none[2] = {0, 0};
    r->vec->unary[unary->unary](r->n, as_run(r, v[0], spares[0]), none, y);
  } else if (binary) {
    run_binary(r, binary->binary, v[binary->swapped], v[!binary->swapped], spares[0], y);
  } else if (step->op == PN_EXPR_CLIP) {
    float limits[2] = {step->source[1].value, step->source[2].value};
    r->vec->unary[PN_CPU_UNARY_clip](r->n, as_run(r, v[0], spares[0]), limits, y);
  } else if (step->op == PN_EXPR_SQUARE) {
    const float *x = as_run(r, v[0], spares[0]);
    r->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](r->n, x, x, y);
  } else if (step->op == PN_EXPR_CAST) {
    static const float none[2] = {0, 0};
    r->vec->unary[PN_CPU_UNARY_copy](r->n, as_run(r, v[0], spares[0]), none, y);
  } else if (step->op == PN_EXPR_FMA && (v[0].run != NULL) != (v[1].run != NULL) && !v[2].run) {
    const view *x = v[0].run ? &v[0] : &v[1], *factor = v[0].run ? &v[1] : &v[0];
    const float parameters[2] = {factor->one, v[2].one};
    r->vec->unary[PN_CPU_UNARY_affine](r->n, x->run, parameters, y);
  } else if (is_ternary(step->op)) {
    pn_cpu_ternary op = step->op == PN_EXPR_FMA ? PN_CPU_TERNARY_fma : PN_CPU_TERNARY_select;
    r->vec->ternary[op](r->n, as_run(r, v[0], spares[0]), as_run(r, v[1], spares[1]), as_run(r, v[2], spares[2]), y);
  } else if (step->op == PN_EXPR_POW && v[0].run && !v[1].run && (v[1].one == 2.0f || v[1].one == 3.0f)) {
    const float *x = v[0].run;
    float *square = v[1].one == 2.0f ? y : spares[1]; /* |y| may be |x| */
    r->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](r->n, x, x, square);
    if (square != y) r->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](r->n, square, x, y);
  } else if (has_limit(step->op) && is_within_limit(r->n, as_run(r, v[0], spares[0]))) {
    static const float none[2] = {0, 0};
    r->vec->unary[limited_kernel(step->op)](r->n, as_run(r, v[0], spares[0]), none, y);
  } else {
    const scalar_row *scalar = find_scalar(step->op);
    for (size_t i = 0; scalar && i < r->n; i++) {
      float a = v[0].run ? v[0].run[i] : v[0].one, b = v[1].run ? v[1].run[i] : v[1].one;
      y[i] = scalar->one ? scalar->one(a) : scalar->two(a, b);
    }
  }
}

void pn_program_run(const pn_program *program, const pn_cpu_vec_f32 *vec, const pn_run_operand *operands, size_t n,
                    void *result, float *scratch) {
  runner r = {vec, program, operands, scratch, n};
  for (uint32_t i = 0; i < program->step_count; i++) {
    const pn_program_step *step = &program->steps[i];
    bool last = i + 1 == program->step_count;
    run_step(&r, step, last && !program->bool_result ? result : scratch + (size_t)step->target * PN_PROGRAM_RUN);
  }
  if (program->bool_result)
    vec->to_bool(n, scratch + (size_t)program->steps[program->step_count - 1].target * PN_PROGRAM_RUN, result);
}
