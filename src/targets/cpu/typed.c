#include "targets/cpu/typed.h"

#include <math.h>

/* ---- which operation is which --------------------------------------------------------------------------------------
 */

typedef struct unary_row {
  pn_expr_op op;
  pn_cpu_typed_unary unary;
} unary_row;
static const unary_row unaries[] = {
    {PN_EXPR_NEG, PN_CPU_TYPED_neg},
    {PN_EXPR_ABS, PN_CPU_TYPED_abs},
    {PN_EXPR_SIGN, PN_CPU_TYPED_sign},
    {PN_EXPR_RELU, PN_CPU_TYPED_relu},
    {PN_EXPR_SQUARE, PN_CPU_TYPED_square},
    {PN_EXPR_SQRT, PN_CPU_TYPED_sqrt},
    {PN_EXPR_RECIPROCAL, PN_CPU_TYPED_reciprocal},
    {PN_EXPR_FLOOR, PN_CPU_TYPED_floor},
    {PN_EXPR_CEIL, PN_CPU_TYPED_ceil},
    {PN_EXPR_ROUND, PN_CPU_TYPED_round},
    {PN_EXPR_BIT_NOT, PN_CPU_TYPED_bit_not},
    {PN_EXPR_IS_NAN, PN_CPU_TYPED_is_nan},
    {PN_EXPR_IS_INF_POSITIVE, PN_CPU_TYPED_is_inf_positive},
    {PN_EXPR_IS_INF_NEGATIVE, PN_CPU_TYPED_is_inf_negative},
};

typedef struct binary_row {
  pn_expr_op op;
  pn_cpu_typed_binary binary;
  bool swapped, commutes;
} binary_row;
static const binary_row binaries[] = {
    {PN_EXPR_ADD, PN_CPU_TYPED_BINARY_add, false, true},
    {PN_EXPR_SUB, PN_CPU_TYPED_BINARY_sub, false, false},
    {PN_EXPR_MUL, PN_CPU_TYPED_BINARY_mul, false, true},
    {PN_EXPR_DIV, PN_CPU_TYPED_BINARY_div, false, false},
    {PN_EXPR_MOD, PN_CPU_TYPED_BINARY_mod, false, false},
    {PN_EXPR_FMOD, PN_CPU_TYPED_BINARY_fmod, false, false},
    {PN_EXPR_MIN, PN_CPU_TYPED_BINARY_min, false, true},
    {PN_EXPR_MAX, PN_CPU_TYPED_BINARY_max, false, true},
    {PN_EXPR_AND, PN_CPU_TYPED_BINARY_bit_and, false, true},
    {PN_EXPR_OR, PN_CPU_TYPED_BINARY_bit_or, false, true},
    {PN_EXPR_XOR, PN_CPU_TYPED_BINARY_bit_xor, false, true},
    {PN_EXPR_BIT_AND, PN_CPU_TYPED_BINARY_bit_and, false, true},
    {PN_EXPR_BIT_OR, PN_CPU_TYPED_BINARY_bit_or, false, true},
    {PN_EXPR_BIT_XOR, PN_CPU_TYPED_BINARY_bit_xor, false, true},
    {PN_EXPR_SHIFT_LEFT, PN_CPU_TYPED_BINARY_shift_left, false, false},
    {PN_EXPR_SHIFT_RIGHT, PN_CPU_TYPED_BINARY_shift_right, false, false},
    {PN_EXPR_EQUAL, PN_CPU_TYPED_BINARY_equal, false, true},
    {PN_EXPR_LESS, PN_CPU_TYPED_BINARY_less, false, false},
    {PN_EXPR_LESS_EQUAL, PN_CPU_TYPED_BINARY_less_equal, false, false},
    {PN_EXPR_GREATER, PN_CPU_TYPED_BINARY_less, true, false},
    {PN_EXPR_GREATER_EQUAL, PN_CPU_TYPED_BINARY_less_equal, true, false},
};

typedef struct wide_row {
  pn_expr_op op;
  double (*one)(double);
  double (*two)(double, double);
} wide_row;
static const wide_row wides[] = {
    {PN_EXPR_EXP, exp, NULL},     {PN_EXPR_LOG, log, NULL},     {PN_EXPR_ERF, erf, NULL},
    {PN_EXPR_SIN, sin, NULL},     {PN_EXPR_COS, cos, NULL},     {PN_EXPR_TAN, tan, NULL},
    {PN_EXPR_ASIN, asin, NULL},   {PN_EXPR_ACOS, acos, NULL},   {PN_EXPR_ATAN, atan, NULL},
    {PN_EXPR_SINH, sinh, NULL},   {PN_EXPR_COSH, cosh, NULL},   {PN_EXPR_TANH, tanh, NULL},
    {PN_EXPR_ASINH, asinh, NULL}, {PN_EXPR_ACOSH, acosh, NULL}, {PN_EXPR_ATANH, atanh, NULL},
    {PN_EXPR_SQRT, sqrt, NULL},   {PN_EXPR_FLOOR, floor, NULL}, {PN_EXPR_CEIL, ceil, NULL},
    {PN_EXPR_ROUND, rint, NULL},  {PN_EXPR_POW, NULL, pow},     {PN_EXPR_FMOD, NULL, fmod},
};

#define FIND(table, wanted)                                                                                            \
  for (size_t row = 0; row < PN_COUNT(table); row++)                                                                   \
    if ((table)[row].op == (wanted)) return &(table)[row];                                                             \
  return NULL
static const unary_row *find_unary(pn_expr_op op) { FIND(unaries, op); }
static const binary_row *find_binary(pn_expr_op op) { FIND(binaries, op); }
static const wide_row *find_wide(pn_expr_op op) { FIND(wides, op); }

/* PN_CPU_FORM_COUNT: elements of fewer than 8 bits. */
static pn_cpu_form form_of(pelton_dtype dtype) {
  switch (dtype) {
  case PELTON_DTYPE_BOOL:
  case PELTON_DTYPE_U8: return PN_CPU_FORM_u8;
  case PELTON_DTYPE_I8: return PN_CPU_FORM_i8;
  case PELTON_DTYPE_U16: return PN_CPU_FORM_u16;
  case PELTON_DTYPE_I16: return PN_CPU_FORM_i16;
  case PELTON_DTYPE_U32: return PN_CPU_FORM_u32;
  case PELTON_DTYPE_I32: return PN_CPU_FORM_i32;
  case PELTON_DTYPE_U64: return PN_CPU_FORM_u64;
  case PELTON_DTYPE_I64: return PN_CPU_FORM_i64;
  case PELTON_DTYPE_F16:
  case PELTON_DTYPE_BF16:
  case PELTON_DTYPE_F32: return PN_CPU_FORM_f32;
  case PELTON_DTYPE_F64: return PN_CPU_FORM_f64;
  default: return pn_dtype_is_low_float(dtype) ? PN_CPU_FORM_u8 : PN_CPU_FORM_COUNT; /* codes */
  }
}

static uint32_t form_bytes(pn_cpu_form form) {
  static const uint8_t bytes[PN_CPU_FORM_COUNT] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  return bytes[form];
}

static bool is_half(pelton_dtype dtype) { return dtype == PELTON_DTYPE_F16 || dtype == PELTON_DTYPE_BF16; }

/* ---- compiling -----------------------------------------------------------------------------------------------------
 */

typedef struct compiler {
  const pn_expr *expr;
  pn_typed_program *program;
  pn_reason *why;
  pelton_dtype types[PN_EXPR_MAX_STEPS];
  pn_typed_source value[PN_EXPR_MAX_STEPS]; /* of each step of the expression */
  uint16_t root[PN_EXPR_MAX_STEPS];         /* the step whose value it is: casts that change nothing are none */
  uint16_t last_use[PN_EXPR_MAX_STEPS];     /* of a root */
  bool busy[PN_TYPED_REGISTERS];
} compiler;

/* A new step, whose result goes to a register that is free; null, with the reason, when there is no more room. */
static pn_typed_step *add_step(compiler *c, pn_typed_kind kind, pn_cpu_form form, uint32_t arguments) {
  pn_typed_program *p = c->program;
  uint32_t target = 0;
  while (target < PN_TYPED_REGISTERS && c->busy[target]) target++;
  if (p->step_count == PN_TYPED_STEPS || target == PN_TYPED_REGISTERS) {
    (void)pn_refuse(c->why, "too many operations, or values that live at once");
    return NULL;
  }
  pn_typed_step *s = &p->steps[p->step_count++];
  *s = (pn_typed_step){.kind = kind, .arguments = arguments, .element_bytes = form_bytes(form), .target = target};
  c->busy[target] = true;
  return s;
}

static pn_typed_source result_of(const pn_typed_step *s) {
  return (pn_typed_source){.kind = PN_SOURCE_REGISTER, .index = s->target};
}

static void free_source(compiler *c, pn_typed_source s) {
  if (s.kind == PN_SOURCE_REGISTER) c->busy[s.index] = false;
}

static bool one_step(compiler *c, pn_typed_kind kind, pn_cpu_form form, pn_cpu_typed_unary_fn *call,
                     pn_typed_source from, pn_typed_source *out) {
  if (kind == PN_TYPED_UNARY && !call) return pn_refuse(c->why, "no kernel for the operation on this type");
  pn_typed_step *s = add_step(c, kind, form, 1);
  if (!s) return false;
  s->source[0] = from;
  s->call.typed = call;
  *out = result_of(s);
  return true;
}

static bool half_step(compiler *c, pn_typed_kind kind, pelton_dtype dtype, pn_typed_source from, pn_typed_source *out) {
  if (!one_step(c, kind, PN_CPU_FORM_f32, NULL, from, out)) return false;
  pn_typed_step *s = &c->program->steps[c->program->step_count - 1];
  s->dtype = dtype;
  if (kind == PN_TYPED_LOAD_HALF) s->element_bytes = 2;
  return true;
}

static bool load_low(compiler *c, pelton_dtype dtype, pn_typed_source from, pn_typed_source *out) {
  uint32_t table = 0;
  pn_typed_program *p = c->program;
  while (table < PN_TYPED_TABLES && p->table_types[table] != PELTON_DTYPE_NONE && p->table_types[table] != dtype)
    table++;
  if (table == PN_TYPED_TABLES) return pn_refuse(c->why, "more than %d types of 8-bit floats", PN_TYPED_TABLES);
  for (uint32_t i = 0; i < 256 && p->table_types[table] != dtype; i++)
    p->tables[table][i] = (float)pn_low_float_to_f64(dtype, (uint8_t)i);
  p->table_types[table] = dtype;
  if (!one_step(c, PN_TYPED_LOAD_LOW, PN_CPU_FORM_u8, NULL, from, out)) return false;
  p->steps[p->step_count - 1].table = table;
  return true;
}

/* From |from| as f32 to a float that f32 holds. */
static bool narrow(compiler *c, pelton_dtype to, pn_cast_mode mode, bool last, pn_typed_source x,
                   pn_typed_source *out) {
  *out = x;
  if (is_half(to)) return last || half_step(c, PN_TYPED_ROUND_HALF, to, x, out);
  if (to == PELTON_DTYPE_F32) return true;
  if (!one_step(c, PN_TYPED_STORE_LOW, PN_CPU_FORM_f32, NULL, x, out)) return false;
  c->program->steps[c->program->step_count - 1].dtype = to;
  c->program->steps[c->program->step_count - 1].mode = mode;
  return true;
}

static bool cast(compiler *c, const pn_expr_step *step, pelton_dtype from, bool last, pn_typed_source x,
                 pn_typed_source *out) {
  pelton_dtype to = step->dtype;
  pn_cpu_form from_form = form_of(from), to_form = form_of(to);
  bool from_low = pn_dtype_is_low_float(from), through_f32 = is_half(to) || pn_dtype_is_low_float(to);
  pn_typed_source wide = x;
  if (from_low) {
    if (!load_low(c, from, x, &wide)) return false;
    from_form = PN_CPU_FORM_f32;
  }
  bool ok;
  if (to == PELTON_DTYPE_BOOL) {
    ok = one_step(c, PN_TYPED_UNARY, from_form, c->program->typed->is_not_zero[from_form], wide, out);
  } else if (through_f32) {
    /* A detour that rounds twice is none: doubles, and integers that bf16 has no room for, go another way. */
    bool exact = from_form == PN_CPU_FORM_f32 || form_bytes(from_form) <= 2 || to == PELTON_DTYPE_F16;
    if (from_form == PN_CPU_FORM_f64 || !exact)
      return pn_refuse(c->why, "no cast from %s to %s", pelton_dtype_name(from), pelton_dtype_name(to));
    pn_typed_source f32 = wide;
    if (from_form != PN_CPU_FORM_f32 &&
        !one_step(c, PN_TYPED_UNARY, from_form, c->program->typed->convert[from_form][PN_CPU_FORM_f32], wide, &f32))
      return false;
    ok = narrow(c, to, step->mode, last, f32, out);
    if (ok && f32.kind == PN_SOURCE_REGISTER && out->index != f32.index && from_form != PN_CPU_FORM_f32)
      free_source(c, f32);
  } else if (from_low && to_form == PN_CPU_FORM_f32) {
    *out = wide;
    return true;
  } else {
    ok = one_step(c, PN_TYPED_UNARY, from_form, c->program->typed->convert[from_form][to_form], wide, out);
  }
  if (ok && from_low && wide.index != out->index) free_source(c, wide);
  return ok;
}

/* Two operands of one type. */
static bool binary(compiler *c, pn_expr_op op, pelton_dtype dtype, pn_typed_source a, pn_typed_source b,
                   pn_typed_source *out) {
  pn_cpu_form form = form_of(dtype);
  const binary_row *row = find_binary(op);
  pn_vector_op vector = pn_vector_op_of(op);
  pn_cpu_typed_binary_fn *call = row ? c->program->typed->binary[form][row->binary] : NULL;
  const wide_row *wide = form == PN_CPU_FORM_f64 ? find_wide(op) : NULL;
  bool f32 = form == PN_CPU_FORM_f32,
       swapped = call ? row->swapped : f32 && vector.kind == PN_VECTOR_BINARY && vector.swapped;
  pn_typed_kind kind = call                                     ? PN_TYPED_BINARY
                       : f32 && vector.kind == PN_VECTOR_BINARY ? PN_TYPED_F32_BINARY
                       : f32 && vector.two                      ? PN_TYPED_F32_SCALAR
                                                                : PN_TYPED_F64_SCALAR;
  if (kind == PN_TYPED_F64_SCALAR && (!wide || !wide->two))
    return pn_refuse(c->why, "%s has no kernel for %s", pn_expr_op_name(op), pelton_dtype_name(dtype));
  pn_typed_step *s = add_step(c, kind, form, 2);
  if (!s) return false;
  s->source[0] = swapped ? b : a;
  s->source[1] = swapped ? a : b;
  s->commutes = call && row->commutes;
  if (kind == PN_TYPED_BINARY) s->call.typed_two = call;
  if (kind == PN_TYPED_F32_BINARY) s->call.f32_two = c->program->vec->binary[vector.binary];
  if (kind == PN_TYPED_F32_SCALAR) s->call.scalar_two = vector.two;
  if (kind == PN_TYPED_F64_SCALAR) s->call.wide_two = wide->two;
  *out = result_of(s);
  return true;
}

static bool unary(compiler *c, pn_expr_op op, pelton_dtype dtype, pn_typed_source x, pn_typed_source *out) {
  pn_cpu_form form = form_of(dtype);
  const unary_row *row = find_unary(op);
  pn_vector_op vector = pn_vector_op_of(op);
  const wide_row *wide = form == PN_CPU_FORM_f64 ? find_wide(op) : NULL;
  static const pn_typed_source zero = {.kind = PN_SOURCE_CONSTANT};
  if (op == PN_EXPR_NOT) return binary(c, PN_EXPR_EQUAL, dtype, x, zero, out);
  if (op == PN_EXPR_SQUARE && form == PN_CPU_FORM_f32) return binary(c, PN_EXPR_MUL, dtype, x, x, out);
  if (row && c->program->typed->unary[form][row->unary])
    return one_step(c, PN_TYPED_UNARY, form, c->program->typed->unary[form][row->unary], x, out);
  bool f32 = form == PN_CPU_FORM_f32;
  pn_typed_kind kind = f32 && vector.kind == PN_VECTOR_UNARY ? PN_TYPED_F32_UNARY
                       : f32 && vector.one                   ? PN_TYPED_F32_SCALAR
                                                             : PN_TYPED_F64_SCALAR;
  if (kind == PN_TYPED_F64_SCALAR && (!wide || !wide->one))
    return pn_refuse(c->why, "%s has no kernel for %s", pn_expr_op_name(op), pelton_dtype_name(dtype));
  if (!one_step(c, kind, form, NULL, x, out)) return false;
  pn_typed_step *s = &c->program->steps[c->program->step_count - 1];
  if (kind == PN_TYPED_F32_UNARY) s->call.f32 = c->program->vec->unary[vector.unary];
  if (kind == PN_TYPED_F32_SCALAR) s->call.scalar = vector.one;
  if (kind == PN_TYPED_F64_SCALAR) s->call.wide = wide->one;
  return true;
}

/* Two operations one after the other; f16 and bf16 round between them. */
static bool chain(compiler *c, pn_expr_op first, pn_expr_op second, pelton_dtype dtype, const pn_typed_source *x,
                  pn_typed_source *out) {
  pn_typed_source between, rounded;
  if (!binary(c, first, dtype, x[0], x[1], &between)) return false;
  if (!narrow(c, is_half(dtype) ? dtype : PELTON_DTYPE_F32, PN_CAST_DEFAULT, false, between, &rounded)) return false;
  if (!binary(c, second, dtype, rounded, x[2], out)) return false;
  free_source(c, between);
  free_source(c, rounded);
  return true;
}

static bool select_step(compiler *c, pelton_dtype dtype, const pn_typed_source *x, pn_typed_source *out) {
  pn_typed_step *s = add_step(c, PN_TYPED_SELECT, form_of(dtype), 3);
  if (!s) return false;
  memcpy(s->source, x, sizeof s->source);
  *out = result_of(s);
  return true;
}

static bool compute(compiler *c, uint16_t index, pn_typed_source *out) {
  const pn_expr_step *step = &c->expr->steps[index];
  bool last = c->root[c->expr->step_count - 1] == index;
  pn_typed_source x[3] = {{.kind = PN_SOURCE_CONSTANT}};
  uint32_t arguments = pn_expr_op_arguments(step->op);
  for (uint32_t k = 0; k < arguments; k++) x[k] = c->value[step->argument[k]];
  pelton_dtype dtype = c->types[step->argument[step->op == PN_EXPR_SELECT ? 1 : 0]];
  if (step->op == PN_EXPR_CAST) return cast(c, step, dtype, last, x[0], out);
  if (step->op == PN_EXPR_SELECT) return select_step(c, dtype, x, out);
  if (pn_dtype_is_low_float(dtype)) return pn_refuse(c->why, "arithmetic on %s", pelton_dtype_name(dtype));
  bool ok;
  pn_typed_source exact;
  if (step->op == PN_EXPR_FMA)
    ok = chain(c, PN_EXPR_MUL, PN_EXPR_ADD, dtype, x, &exact);
  else if (step->op == PN_EXPR_CLIP)
    ok = chain(c, PN_EXPR_MAX, PN_EXPR_MIN, dtype, x, &exact);
  else
    ok = arguments == 2 ? binary(c, step->op, dtype, x[0], x[1], &exact) : unary(c, step->op, dtype, x[0], &exact);
  if (!ok) return false;
  *out = exact;
  if (last || !is_half(c->types[index])) return true;
  if (!half_step(c, PN_TYPED_ROUND_HALF, c->types[index], exact, out)) return false;
  free_source(c, exact);
  return true;
}

static void constant(const pn_expr_step *step, pn_typed_source *out) {
  pn_tensor t = {.dtype = is_half(step->dtype) ? PELTON_DTYPE_F32 : step->dtype, .data = out->constant.bytes};
  out->kind = PN_SOURCE_CONSTANT;
  if (pn_dtype_is_float(step->dtype))
    pn_tensor_set_f64(&t, 0, step->constant.f64);
  else
    pn_tensor_set_i64(&t, 0, step->constant.i64);
}

/* Which steps only hand a value on, and who uses whom last. */
static bool follow(compiler *c) {
  for (uint16_t i = 0; i < c->expr->step_count; i++) {
    const pn_expr_step *s = &c->expr->steps[i];
    c->root[i] = i;
    if (form_of(c->types[i]) == PN_CPU_FORM_COUNT)
      return pn_refuse(c->why, "elements of type %s", pelton_dtype_name(c->types[i]));
    for (uint32_t k = 0; k < pn_expr_op_arguments(s->op); k++) c->last_use[c->root[s->argument[k]]] = i;
    if (s->op != PN_EXPR_CAST) continue;
    pelton_dtype from = c->types[s->argument[0]];
    bool same = (s->dtype == PELTON_DTYPE_F32 && is_half(from)) || from == s->dtype;
    if (same && !pn_dtype_is_low_float(from)) c->root[i] = c->root[s->argument[0]];
  }
  return true;
}

/* The last step writes the result as it lies in memory. */
static bool store_result(compiler *c) {
  uint32_t last = c->expr->step_count - 1;
  pelton_dtype dtype = c->types[last];
  pn_cpu_form form = form_of(dtype);
  pn_typed_source value = c->value[last], ignored;
  pn_typed_program *p = c->program;
  if (is_half(dtype)) return half_step(c, PN_TYPED_STORE_HALF, dtype, value, &ignored);
  bool fresh = value.kind == PN_SOURCE_REGISTER && p->step_count && p->steps[p->step_count - 1].target == value.index;
  return fresh || one_step(c, PN_TYPED_UNARY, form, p->typed->convert[form][form], value, &ignored);
}

bool pn_typed_compile(const pn_expr *expr, const pelton_dtype *types, const pn_device *device, pn_typed_program *out,
                      pn_reason *why) {
  compiler c = {.expr = expr, .program = out, .why = why};
  memset(out, 0, sizeof *out);
  out->typed = pn_cpu_vec_typed_best(device->isa);
  out->vec = device->vec;
  if (pn_expr_types(expr, types, c.types, NULL)) return pn_refuse(why, "operands' types do not fit");
  if (!follow(&c)) return false;
  for (uint16_t i = 0; i < expr->step_count; i++) {
    const pn_expr_step *step = &expr->steps[i];
    c.value[i] = c.value[c.root[i]];
    if (c.root[i] != i) continue;
    if (step->op == PN_EXPR_INPUT) {
      pn_typed_source operand = {.kind = PN_SOURCE_OPERAND, .index = step->argument[0]};
      c.value[i] = operand;
      if (is_half(c.types[i]) && !half_step(&c, PN_TYPED_LOAD_HALF, c.types[i], operand, &c.value[i])) return false;
    } else if (step->op == PN_EXPR_CONSTANT) {
      constant(step, &c.value[i]);
    } else if (!compute(&c, i, &c.value[i])) {
      return false;
    }
    for (uint32_t k = 0; k < pn_expr_op_arguments(step->op); k++) {
      uint16_t root = c.root[step->argument[k]];
      bool kept = c.value[root].kind == PN_SOURCE_REGISTER && c.value[i].kind == PN_SOURCE_REGISTER &&
                  c.value[root].index == c.value[i].index; /* the last step of a half float is its argument's */
      if (c.last_use[root] == i && !kept) free_source(&c, c.value[root]);
    }
  }
  return store_result(&c);
}

bool pn_typed_is_direct(const pn_typed_program *program, uint64_t runs) {
  const pn_typed_step *s = &program->steps[0];
  if (program->step_count != 1) return false;
  bool run[2] = {false, false};
  for (uint32_t k = 0; k < s->arguments && k < 2; k++)
    run[k] = s->source[k].kind == PN_SOURCE_OPERAND && (runs >> s->source[k].index & 1);
  if (s->kind == PN_TYPED_BINARY) return run[0] || (run[1] && s->commutes);
  if (s->kind == PN_TYPED_UNARY || s->kind == PN_TYPED_LOAD_HALF || s->kind == PN_TYPED_STORE_HALF) return run[0];
  return false;
}

double pn_typed_cost(const pn_typed_program *program) {
  double cost = 0;
  for (uint32_t i = 0; i < program->step_count; i++) {
    pn_typed_kind kind = program->steps[i].kind;
    bool scalar = kind == PN_TYPED_F32_SCALAR || kind == PN_TYPED_F64_SCALAR;
    cost += scalar ? 100 : kind == PN_TYPED_STORE_LOW ? 20 : kind == PN_TYPED_F32_UNARY ? 4 : 1;
  }
  return cost;
}

/* ---- 8-bit floats --------------------------------------------------------------------------------------------------
 */

/* One rounding from f32, for finite magnitudes that stay in the range; the rest as low_bits.h has it. */
static void store_low(pelton_dtype dtype, pn_cast_mode mode, size_t n, const float *x, uint8_t *y) {
  uint32_t fraction, bias;
  switch (dtype) {
  case PELTON_DTYPE_F8E4M3FN: fraction = 3, bias = 7; break;
  case PELTON_DTYPE_F8E4M3FNUZ: fraction = 3, bias = 8; break;
  case PELTON_DTYPE_F8E5M2: fraction = 2, bias = 15; break;
  case PELTON_DTYPE_F8E5M2FNUZ: fraction = 2, bias = 16; break;
  default:
    for (size_t i = 0; i < n; i++) y[i] = pn_low_float_from_f64(dtype, (double)x[i], mode);
    return;
  }
  const uint32_t drop = 23 - fraction, rebase = (127 - bias) << fraction, least = (128 - bias) << 23;
  const uint32_t most = dtype == PELTON_DTYPE_F8E5M2 ? 0x7b : dtype == PELTON_DTYPE_F8E4M3FN ? 0x7e : 0x7f;
  const float smallest = ldexpf(1, (int)(bias + fraction) - 1); /* its reciprocal: the step of denormals */
  for (size_t i = 0; i < n; i++) {
    uint32_t bits, code;
    float size = fabsf(x[i]);
    memcpy(&bits, &size, sizeof bits);
    if (bits >= least)
      code = ((bits + (1u << (drop - 1)) - 1 + (bits >> drop & 1)) >> drop) - rebase;
    else
      code = (uint32_t)(int32_t)rintf(size * smallest);
    if (bits >= 0x7f800000 || code > most || code == 0)
      y[i] = pn_low_float_from_f64(dtype, (double)x[i], mode);
    else
      y[i] = (uint8_t)(code | (signbit(x[i]) ? 0x80u : 0));
  }
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

typedef struct view {
  const void *data;
  bool one;
} view;

typedef struct runner {
  const pn_typed_program *program;
  const pn_run_operand *operands;
  char *scratch;
  size_t n;
} runner;

static void *register_at(const runner *r, uint32_t index) { return r->scratch + (size_t)index * PN_PROGRAM_RUN * 8; }

static view look(const runner *r, const pn_typed_source *s) {
  if (s->kind == PN_SOURCE_CONSTANT) return (view){s->constant.bytes, true};
  if (s->kind == PN_SOURCE_REGISTER) return (view){register_at(r, s->index), false};
  return (view){r->operands[s->index].data, !r->operands[s->index].stride};
}

/* |v| as a run, in spare register |k| when it is one element. */
static const void *as_run(const runner *r, view v, uint32_t bytes, uint32_t k) {
  if (!v.one) return v.data;
  void *spare = register_at(r, PN_TYPED_REGISTERS + k);
  uint32_t size = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
  r->program->typed->fill[size](r->n, v.data, spare);
  return spare;
}

static void run_half(const runner *r, const pn_typed_step *s, const void *x, void *y) {
  const pn_cpu_vec_typed *t = r->program->typed;
  bool f16 = s->dtype == PELTON_DTYPE_F16;
  if (s->kind == PN_TYPED_LOAD_HALF) {
    (f16 ? t->f32_from_f16 : t->f32_from_bf16)(r->n, x, y);
    return;
  }
  uint16_t *halves = s->kind == PN_TYPED_STORE_HALF ? y : register_at(r, PN_TYPED_REGISTERS + 1);
  (f16 ? t->f16_from_f32 : t->bf16_from_f32)(r->n, x, halves);
  if (s->kind == PN_TYPED_ROUND_HALF) (f16 ? t->f32_from_f16 : t->f32_from_bf16)(r->n, halves, y);
}

static void run_scalar(const runner *r, const pn_typed_step *s, const void *a_run, const void *b_run, void *y_run) {
  if (s->kind == PN_TYPED_F32_SCALAR) {
    const float *a = a_run, *b = b_run;
    float *y = y_run;
    if (s->arguments == 1)
      for (size_t i = 0; i < r->n; i++) y[i] = s->call.scalar(a[i]);
    else
      for (size_t i = 0; i < r->n; i++) y[i] = s->call.scalar_two(a[i], b[i]);
    return;
  }
  const double *a = a_run, *b = b_run;
  double *y = y_run;
  if (s->arguments == 1)
    for (size_t i = 0; i < r->n; i++) y[i] = s->call.wide(a[i]);
  else
    for (size_t i = 0; i < r->n; i++) y[i] = s->call.wide_two(a[i], b[i]);
}

static void run_two(const runner *r, const pn_typed_step *s, view a, view b, void *y) {
  if (s->kind == PN_TYPED_F32_BINARY) {
    pn_cpu_binary_form form = !a.one && b.one ? PN_CPU_RUN_ONE : a.one && !b.one ? PN_CPU_ONE_RUN : PN_CPU_RUN_RUN;
    if (a.one && b.one) a.data = as_run(r, a, 4, 0), form = PN_CPU_RUN_ONE;
    s->call.f32_two[form](r->n, a.data, b.data, y);
    return;
  }
  if (a.one && !b.one && s->commutes) {
    s->call.typed_two(r->n, b.data, a.data, 1, y);
    return;
  }
  s->call.typed_two(r->n, as_run(r, a, s->element_bytes, 0), b.data, b.one, y);
}

static void run_step(const runner *r, const pn_typed_step *s, void *y) {
  view v[3] = {{NULL, false}, {NULL, false}, {NULL, false}};
  for (uint32_t k = 0; k < s->arguments; k++) v[k] = look(r, &s->source[k]);
  if (s->kind == PN_TYPED_BINARY || s->kind == PN_TYPED_F32_BINARY) {
    run_two(r, s, v[0], v[1], y);
    return;
  }
  const void *x[3] = {NULL, NULL, NULL};
  for (uint32_t k = 0; k < s->arguments; k++)
    x[k] = as_run(r, v[k], s->kind == PN_TYPED_SELECT && k == 0 ? 1 : s->element_bytes, k);
  switch (s->kind) {
  case PN_TYPED_UNARY: s->call.typed(r->n, x[0], y); return;
  case PN_TYPED_SELECT: {
    uint32_t size = s->element_bytes == 1 ? 0 : s->element_bytes == 2 ? 1 : s->element_bytes == 4 ? 2 : 3;
    r->program->typed->select[size](r->n, x[0], x[1], x[2], y);
    return;
  }
  case PN_TYPED_F32_UNARY: s->call.f32(r->n, x[0], s->parameters, y); return;
  case PN_TYPED_LOAD_HALF:
  case PN_TYPED_STORE_HALF:
  case PN_TYPED_ROUND_HALF: run_half(r, s, x[0], y); return;
  case PN_TYPED_LOAD_LOW:
    for (size_t i = 0; i < r->n; i++) ((float *)y)[i] = r->program->tables[s->table][((const uint8_t *)x[0])[i]];
    return;
  case PN_TYPED_STORE_LOW: store_low(s->dtype, s->mode, r->n, x[0], y); return;
  default: run_scalar(r, s, x[0], x[1], y); return;
  }
}

void pn_typed_run(const pn_typed_program *program, const pn_run_operand *operands, size_t n, void *result,
                  void *scratch) {
  runner r = {program, operands, scratch, n};
  for (uint32_t i = 0; i < program->step_count; i++) {
    const pn_typed_step *step = &program->steps[i];
    run_step(&r, step, i + 1 == program->step_count ? result : register_at(&r, step->target));
  }
}
