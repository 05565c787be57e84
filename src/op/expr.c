/* Expressions: building, finishing, comparing, and the types of their steps.

   A finished expression has its steps in the order in which a walk from the result meets them (operands first, from the
   left), without unused ones. Since equal steps are one already, two expressions that say the same are equal step by
   step, whatever order they were built in. */
#include "op/expr.h"

#include <math.h>

#define OP_NAME(name, upper, arguments) #name,
#define OP_ARGUMENTS(name, upper, arguments) arguments,
static const char *const op_names[] = {PN_EXPR_OPS(OP_NAME)};
static const uint8_t op_arguments[] = {PN_EXPR_OPS(OP_ARGUMENTS)};

const char *pn_expr_op_name(pn_expr_op op) { return (uint32_t)op < PN_EXPR_OP_COUNT ? op_names[op] : "?"; }
uint32_t pn_expr_op_arguments(pn_expr_op op) { return (uint32_t)op < PN_EXPR_OP_COUNT ? op_arguments[op] : 0; }

/* ---- building -------------------------------------------------------------------------------------------------- */

void pn_expr_builder_init(pn_expr_builder *b) {
  b->step_count = b->input_count = 0;
  b->failed = false;
}

static bool step_equal(const pn_expr_step *a, const pn_expr_step *b) {
  if (a->op != b->op || a->dtype != b->dtype || a->mode != b->mode) return false;
  for (int i = 0; i < 3; i++)
    if (a->argument[i] != b->argument[i]) return false;
  return a->constant.i64 == b->constant.i64; /* floats by their bits: 0.0 is not -0.0 */
}

static uint16_t builder_fail(pn_expr_builder *b) {
  b->failed = true;
  return 0;
}

static uint16_t builder_add(pn_expr_builder *b, const pn_expr_step *step) {
  if (b->failed) return 0;
  for (uint32_t i = 0; i < b->step_count; i++)
    if (step_equal(&b->steps[i], step)) return (uint16_t)i;
  if (b->step_count == PN_EXPR_MAX_STEPS) return builder_fail(b);
  b->steps[b->step_count] = *step;
  return (uint16_t)b->step_count++;
}

uint16_t pn_expr_input(pn_expr_builder *b, uint32_t operand) {
  if (operand >= PN_EXPR_MAX_INPUTS) return builder_fail(b);
  if (operand >= b->input_count) b->input_count = operand + 1;
  return builder_add(b, &(pn_expr_step){.op = PN_EXPR_INPUT, .argument = {(uint16_t)operand}});
}

/* What steps compute with: numbers and bools. */
static bool is_dtype(pelton_dtype dtype) {
  return dtype > PELTON_DTYPE_NONE && dtype < PELTON_DTYPE_COUNT && !pn_dtype_points(dtype);
}

uint16_t pn_expr_f64(pn_expr_builder *b, pelton_dtype dtype, double value) {
  if (!is_dtype(dtype)) return builder_fail(b);
  if (dtype == PELTON_DTYPE_BOOL) return pn_expr_i64(b, dtype, value != 0.0);
  if (dtype == PELTON_DTYPE_U64 && value >= 0) return pn_expr_i64(b, dtype, (int64_t)pn_u64_from_f64(value));
  if (!pn_dtype_is_float(dtype)) return pn_expr_i64(b, dtype, pn_i64_from_f64(value));
  pn_expr_step step = {.op = PN_EXPR_CONSTANT, .dtype = dtype};
  value = pn_dtype_round(dtype, value);
  step.constant.f64 = isnan(value) ? (double)NAN : value; /* one NaN */
  return builder_add(b, &step);
}

uint16_t pn_expr_i64(pn_expr_builder *b, pelton_dtype dtype, int64_t value) {
  if (!is_dtype(dtype)) return builder_fail(b);
  if (pn_dtype_is_float(dtype)) return pn_expr_f64(b, dtype, (double)value);
  pn_expr_step step = {.op = PN_EXPR_CONSTANT, .dtype = dtype};
  uint64_t bytes;
  pn_tensor element = {.dtype = dtype, .data = &bytes}; /* wrapped to its width by a store and a load */
  pn_tensor_set_i64(&element, 0, value);
  step.constant.i64 = pn_tensor_get_i64(&element, 0);
  return builder_add(b, &step);
}

uint16_t pn_expr_cast(pn_expr_builder *b, uint16_t x, pelton_dtype to, pn_cast_mode mode) {
  if (!is_dtype(to) || x >= b->step_count) return builder_fail(b);
  pn_expr_step step = {.op = PN_EXPR_CAST, .dtype = to, .mode = pn_cast_mode_for(to, mode), .argument = {x}};
  return builder_add(b, &step);
}

uint16_t pn_expr_call(pn_expr_builder *b, pn_expr_op op, uint16_t a0, uint16_t a1, uint16_t a2) {
  const uint16_t arguments[3] = {a0, a1, a2};
  pn_expr_step step = {.op = op};
  if (b->failed) return 0;
  if ((uint32_t)op >= PN_EXPR_OP_COUNT || op <= PN_EXPR_CAST) return builder_fail(b); /* these have their own calls */
  for (uint32_t i = 0; i < op_arguments[op]; i++) {
    if (arguments[i] >= b->step_count) return builder_fail(b);
    step.argument[i] = arguments[i];
  }
  return builder_add(b, &step);
}

uint16_t pn_expr_inline(pn_expr_builder *b, const pn_expr *expr, const uint16_t *operands) {
  uint16_t moved[PN_EXPR_MAX_STEPS] = {0};
  if (expr->step_count == 0 || expr->step_count > PN_EXPR_MAX_STEPS) return builder_fail(b);
  for (uint32_t i = 0; i < expr->step_count; i++) {
    pn_expr_step step = expr->steps[i];
    if (step.op == PN_EXPR_INPUT) {
      moved[i] = operands[step.argument[0]];
      continue;
    }
    for (uint32_t k = 0; k < op_arguments[step.op]; k++) step.argument[k] = moved[step.argument[k]];
    moved[i] = builder_add(b, &step);
  }
  return moved[expr->step_count - 1];
}

/* ---- finishing ------------------------------------------------------------------------------------------------- */

typedef struct finisher {
  const pn_expr_builder *from;
  pn_expr_builder *to;
  uint16_t moved[PN_EXPR_MAX_STEPS]; /* new index + 1 */
} finisher;

/* Adds |step| behind all that it uses. At most PN_EXPR_MAX_STEPS deep, since a step uses earlier ones only. */
static uint16_t finish_step(finisher *f, uint16_t index) {
  if (f->moved[index]) return (uint16_t)(f->moved[index] - 1);
  pn_expr_step step = f->from->steps[index];
  for (uint32_t i = 0; i < op_arguments[step.op]; i++) step.argument[i] = finish_step(f, step.argument[i]);
  if (step.op == PN_EXPR_INPUT && step.argument[0] >= f->to->input_count) f->to->input_count = step.argument[0] + 1u;
  f->to->steps[f->to->step_count] = step;
  f->moved[index] = (uint16_t)++f->to->step_count;
  return (uint16_t)(f->moved[index] - 1);
}

const pn_expr *pn_expr_finish(pn_expr_builder *b, uint16_t result, pn_arena *arena) {
  if (b->failed || result >= b->step_count) return NULL;
  pn_expr *expr = PN_NEW(arena, pn_expr);
  pn_expr_builder *ordered = PN_NEW(arena, pn_expr_builder);
  if (!expr || !ordered) return NULL;
  finisher f = {.from = b, .to = ordered};
  finish_step(&f, result);
  expr->steps =
      pn_arena_copy(arena, ordered->steps, ordered->step_count * sizeof(pn_expr_step), _Alignof(pn_expr_step));
  expr->step_count = ordered->step_count;
  expr->input_count = ordered->input_count;
  return expr->steps ? expr : NULL;
}

/* ---- comparing ------------------------------------------------------------------------------------------------- */

bool pn_expr_equal(const pn_expr *a, const pn_expr *b) {
  if (a == b) return true;
  if (!a || !b || a->step_count != b->step_count || a->input_count != b->input_count) return false;
  for (uint32_t i = 0; i < a->step_count; i++)
    if (!step_equal(&a->steps[i], &b->steps[i])) return false;
  return true;
}

uint64_t pn_expr_hash(const pn_expr *expr) {
  uint64_t h = pn_hash_mix(expr->step_count, expr->input_count);
  for (uint32_t i = 0; i < expr->step_count; i++) { /* by names: hashes are stored, numbers may change */
    const pn_expr_step *step = &expr->steps[i];
    const char *name = op_names[step->op], *dtype = pelton_dtype_name(step->dtype);
    h = pn_hash_bytes(name, strlen(name), h);
    if (step->dtype != PELTON_DTYPE_NONE) h = pn_hash_bytes(dtype, strlen(dtype), h);
    if (step->mode != PN_CAST_DEFAULT) h = pn_hash_mix(h, (uint64_t)step->mode);
    for (int k = 0; k < 3; k++) h = pn_hash_mix(h, step->argument[k]);
    h = pn_hash_mix(h, (uint64_t)step->constant.i64);
  }
  return h;
}

/* ---- types ----------------------------------------------------------------------------------------------------- */

/* What an operation asks of its operands, which are of one type, and what it gives. */
typedef enum signature {
  SAME_NUMBERS,   /* floats or integers, gives the same */
  SAME_FLOATS,    /* floats, gives the same */
  SAME_INTEGERS,  /* integers, gives the same */
  SAME_BOOLS,     /* bools, gives bool */
  TEST_ANY,       /* anything, gives bool */
  TEST_NUMBERS,   /* numbers, gives bool */
  TEST_FLOATS,    /* floats, gives bool */
  OF_ITS_OWN      /* input, constant, cast, select */
} signature;

static signature op_signature(pn_expr_op op) {
  switch (op) {
  case PN_EXPR_INPUT: case PN_EXPR_CONSTANT: case PN_EXPR_CAST: case PN_EXPR_SELECT: return OF_ITS_OWN;
  case PN_EXPR_ADD: case PN_EXPR_SUB: case PN_EXPR_MUL: case PN_EXPR_DIV: case PN_EXPR_MOD: case PN_EXPR_FMOD:
  case PN_EXPR_POW: case PN_EXPR_MIN: case PN_EXPR_MAX: case PN_EXPR_NEG: case PN_EXPR_ABS: case PN_EXPR_SIGN:
  case PN_EXPR_SQUARE: case PN_EXPR_RELU: case PN_EXPR_CLIP: case PN_EXPR_FMA: return SAME_NUMBERS;
  case PN_EXPR_BIT_AND: case PN_EXPR_BIT_OR: case PN_EXPR_BIT_XOR: case PN_EXPR_BIT_NOT: case PN_EXPR_SHIFT_LEFT:
  case PN_EXPR_SHIFT_RIGHT: return SAME_INTEGERS;
  case PN_EXPR_AND: case PN_EXPR_OR: case PN_EXPR_XOR: case PN_EXPR_NOT: return SAME_BOOLS;
  case PN_EXPR_EQUAL: return TEST_ANY;
  case PN_EXPR_LESS: case PN_EXPR_LESS_EQUAL: case PN_EXPR_GREATER: case PN_EXPR_GREATER_EQUAL: return TEST_NUMBERS;
  case PN_EXPR_IS_NAN: case PN_EXPR_IS_INF_POSITIVE: case PN_EXPR_IS_INF_NEGATIVE: return TEST_FLOATS;
  default: return SAME_FLOATS;
  }
}

static bool signature_takes(signature s, pelton_dtype dtype) {
  switch (s) {
  case SAME_NUMBERS:
  case TEST_NUMBERS: return pn_dtype_is_float(dtype) || pn_dtype_is_integer(dtype);
  case SAME_FLOATS:
  case TEST_FLOATS: return pn_dtype_is_float(dtype);
  case SAME_INTEGERS: return pn_dtype_is_integer(dtype);
  case SAME_BOOLS: return dtype == PELTON_DTYPE_BOOL;
  case TEST_ANY:
  case OF_ITS_OWN: break;
  }
  return true;
}

static const char *signature_wants(signature s) {
  return s == SAME_INTEGERS                      ? "integers"
         : s == SAME_BOOLS                       ? "bool"
         : s == SAME_FLOATS || s == TEST_FLOATS ? "floats (f32, f16, bf16, f64, f8...)"
                                                 : "numbers";
}

static pelton_status step_type(const pn_expr *expr, uint32_t index, const pelton_dtype *inputs, pelton_dtype *steps,
                               pelton_diag *diag) {
  const pn_expr_step *step = &expr->steps[index];
  const char *name = op_names[step->op];
  if (step->op == PN_EXPR_INPUT) {
    steps[index] = inputs[step->argument[0]];
    if (is_dtype(steps[index])) return PELTON_OK;
    if (pn_dtype_points(steps[index]))
      return pn_fail(diag, PELTON_UNSUPPORTED, "operand x%u is of %s, and an expression is of numbers",
                     step->argument[0], pelton_dtype_name(steps[index]));
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the type of operand x%u is not known", step->argument[0]);
  }
  if (step->op == PN_EXPR_CONSTANT || step->op == PN_EXPR_CAST) {
    steps[index] = step->dtype;
    return PELTON_OK;
  }
  uint32_t first = 0; /* operands from here on are of one type */
  if (step->op == PN_EXPR_SELECT) {
    first = 1;
    if (steps[step->argument[0]] != PELTON_DTYPE_BOOL)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "step %u, select, wants a bool in front, not %s", index,
                     pelton_dtype_name(steps[step->argument[0]]));
  }
  pelton_dtype dtype = steps[step->argument[first]];
  for (uint32_t i = first + 1; i < op_arguments[step->op]; i++)
    if (steps[step->argument[i]] != dtype)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "step %u, %s, wants operands of one type, not %s and %s: cast one",
                     index, name, pelton_dtype_name(dtype), pelton_dtype_name(steps[step->argument[i]]));
  signature s = op_signature(step->op);
  if (!signature_takes(s, dtype))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "step %u, %s, takes %s, not %s", index, name, signature_wants(s),
                   pelton_dtype_name(dtype));
  steps[index] = s == TEST_ANY || s == TEST_NUMBERS || s == TEST_FLOATS ? PELTON_DTYPE_BOOL : dtype;
  return PELTON_OK;
}

pelton_status pn_expr_types(const pn_expr *expr, const pelton_dtype *inputs, pelton_dtype *steps, pelton_diag *diag) {
  for (uint32_t i = 0; i < expr->step_count; i++) PN_TRY(step_type(expr, i, inputs, steps, diag));
  return PELTON_OK;
}
