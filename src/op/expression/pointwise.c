/* pointwise: an expression over broadcast operands. Here are its check and its infer function; its reference, which
   evaluates the expression, is expr_eval.c.

   Inference carries small integer tensors through the expression as dims (numbers or symbols), element by element: the
   arithmetic that models do on shapes (h*2, 0-d tests such as shape == -1) stays symbolic. A bool result is carried as
   0 and 1 when it is decided for every element. */
#include "op/op.h"

enum { MAX_CONTENT = 64 };

pelton_status pn_check_pointwise(const pn_infer *c) {
  const pn_attrs_pointwise *attrs = c->attrs;
  const pn_expr *expr = attrs->expr;
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], steps[PN_EXPR_MAX_STEPS];
  if (!expr) return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "pointwise lacks its attribute 'expr'");
  if (c->input_count > PN_EXPR_MAX_INPUTS)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "pointwise takes at most %d operands, not %u",
                   (int)PN_EXPR_MAX_INPUTS, c->input_count);
  if (expr->input_count > c->input_count)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "pointwise reads operand x%u but has only %u operands",
                   expr->input_count - 1, c->input_count);
  for (uint32_t i = 0; i < c->input_count; i++) {
    if (!pn_infer_has(c, i))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "operand %u of pointwise is absent: it takes no optional ones",
                     i);
    inputs[i] = c->in[i].type.dtype;
  }
  return pn_expr_types(expr, inputs, steps, c->diag);
}

/* ---- contents --------------------------------------------------------------------------------------------------- */

/* What is known of a step's value for one element. */
typedef struct known {
  bool is_known;
  pn_dim dim; /* a bool is 0 or 1 */
} known;

static bool is_content_type(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_I64 || dtype == PELTON_DTYPE_I32 || dtype == PELTON_DTYPE_BOOL;
}

static known known_number(int64_t number) { return (known){true, pn_dim_of(number)}; }
static known known_if(bool is_known, pn_dim dim) { return (known){is_known, is_known ? dim : pn_dim_of(0)}; }

/* a < b, a <= b, a == b as far as the bounds of a - b decide. */
static known compare(const pn_infer *c, pn_expr_op op, pn_dim a, pn_dim b) {
  pn_dim difference = pn_dim_sub(c->symbols, a, b);
  int64_t low = pn_dim_lower(c->symbols, difference), high = pn_dim_upper(c->symbols, difference);
  switch (op) {
  case PN_EXPR_LESS: return (known){high < 0 || low >= 0, pn_dim_of(high < 0)};
  case PN_EXPR_LESS_EQUAL: return (known){high <= 0 || low > 0, pn_dim_of(high <= 0)};
  default: return (known){(low == 0 && high == 0) || low > 0 || high < 0, pn_dim_of(low == 0 && high == 0)};
  }
}

/* The remainder, for operands that are not negative: Python's and C's agree there, as do truncation and floor. */
static pn_dim remainder_of(const pn_infer *c, pn_dim a, pn_dim b) {
  return pn_dim_sub(c->symbols, a, pn_dim_mul(c->symbols, b, pn_dim_floor_div(c->symbols, a, b)));
}

static known known_logic(pn_expr_op op, known a, known b) {
  bool a_true = a.is_known && a.dim.number, b_true = b.is_known && b.dim.number, both = a.is_known && b.is_known;
  bool a_false = a.is_known && !a_true, b_false = b.is_known && !b_true;
  switch (op) {
  case PN_EXPR_AND: return (known){both || a_false || b_false, pn_dim_of(a_true && b_true)};
  case PN_EXPR_OR: return (known){both || a_true || b_true, pn_dim_of(a_true || b_true)};
  case PN_EXPR_XOR: return (known){both, pn_dim_of(a_true != b_true)};
  default: return (known){a.is_known, pn_dim_of(!a_true)};
  }
}

static known known_select(known condition, known a, known b) {
  if (condition.is_known) return condition.dim.number ? a : b;
  return known_if(a.is_known && b.is_known && pn_dim_equal(a.dim, b.dim), a.dim);
}

/* An operation on known integers. */
static known known_integers(const pn_infer *c, pn_expr_op op, pn_dim a, pn_dim b, pn_dim d) {
  pn_symbols *s = c->symbols;
  bool a_positive = pn_dim_lower(s, a) >= 0, b_positive = pn_dim_lower(s, b) >= 0;
  switch (op) {
  case PN_EXPR_ADD: return (known){true, pn_dim_add(s, a, b)};
  case PN_EXPR_SUB: return (known){true, pn_dim_sub(s, a, b)};
  case PN_EXPR_MUL: return (known){true, pn_dim_mul(s, a, b)};
  case PN_EXPR_FMA: return (known){true, pn_dim_add(s, pn_dim_mul(s, a, b), d)};
  case PN_EXPR_SQUARE: return (known){true, pn_dim_mul(s, a, a)};
  case PN_EXPR_DIV: return a_positive && b_positive ? (known){true, pn_dim_floor_div(s, a, b)} : (known){0};
  case PN_EXPR_MOD:
  case PN_EXPR_FMOD: return a_positive && pn_dim_lower(s, b) > 0 ? (known){true, remainder_of(c, a, b)} : (known){0};
  case PN_EXPR_MIN: return (known){true, pn_dim_min(s, a, b)};
  case PN_EXPR_MAX: return (known){true, pn_dim_max(s, a, b)};
  case PN_EXPR_CLIP: return (known){true, pn_dim_min(s, pn_dim_max(s, a, b), d)};
  case PN_EXPR_RELU: return (known){true, pn_dim_max(s, a, pn_dim_of(0))};
  case PN_EXPR_NEG: return (known){true, pn_dim_sub(s, pn_dim_of(0), a)};
  case PN_EXPR_ABS:
    if (pn_dim_upper(s, a) <= 0) return (known){true, pn_dim_sub(s, pn_dim_of(0), a)};
    return known_if(a_positive, a);
  case PN_EXPR_SIGN:
    if (pn_dim_upper(s, a) < 0) return known_number(-1);
    return pn_dim_lower(s, a) > 0 ? known_number(1) : known_if(pn_dim_is(a, 0), a);
  case PN_EXPR_EQUAL:
  case PN_EXPR_LESS:
  case PN_EXPR_LESS_EQUAL: return compare(c, op, a, b);
  case PN_EXPR_GREATER: return compare(c, PN_EXPR_LESS, b, a);
  case PN_EXPR_GREATER_EQUAL: return compare(c, PN_EXPR_LESS_EQUAL, b, a);
  default: return (known){0};
  }
}

static known known_cast(const pn_infer *c, known x, pelton_dtype to) {
  if (!x.is_known || !is_content_type(to)) return (known){0};
  if (to != PELTON_DTYPE_BOOL) return x;
  known is_zero = compare(c, PN_EXPR_EQUAL, x.dim, pn_dim_of(0));
  return known_if(is_zero.is_known, pn_dim_of(!is_zero.dim.number));
}

/* Element |index| of an operand of rank 0 or 1. */
static known known_element(const pn_fact *fact, int64_t index) {
  if (fact->type.rank == 0 || pn_dim_is(fact->type.dims[0], 1)) index = 0;
  if (!is_content_type(fact->type.dtype)) return (known){0};
  if (fact->content) return (known){true, fact->content[index]};
  if (!fact->data) return (known){0};
  int64_t dims[1] = {index + 1};
  union { /* a pn_tensor borrows its data for writing, too; nobody does here */
    const void *from;
    void *to;
  } data = {.from = fact->data};
  pn_tensor tensor = {.dtype = fact->type.dtype, .rank = 1, .dims = {dims[0]}, .data = data.to};
  return known_number(pn_tensor_get_i64(&tensor, index));
}

/* The value of the expression for element |index|. */
static known known_result(const pn_infer *c, const pn_expr *expr, const pelton_dtype *types, int64_t index) {
  known steps[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < expr->step_count; i++) {
    const pn_expr_step *step = &expr->steps[i];
    uint32_t count = pn_expr_op_arguments(step->op);
    known a = count > 0 ? steps[step->argument[0]] : (known){0}, b = count > 1 ? steps[step->argument[1]] : (known){0};
    known d = count > 2 ? steps[step->argument[2]] : (known){0};
    pelton_dtype operands = count ? types[step->argument[0]] : PELTON_DTYPE_NONE;
    bool all_known = a.is_known && (count < 2 || b.is_known) && (count < 3 || d.is_known);
    steps[i] = (known){0};
    if (step->op == PN_EXPR_INPUT)
      steps[i] = known_element(&c->in[step->argument[0]], index);
    else if (step->op == PN_EXPR_CONSTANT)
      steps[i] = (known){is_content_type(step->dtype), pn_dim_of(step->constant.i64)};
    else if (step->op == PN_EXPR_CAST)
      steps[i] = known_cast(c, a, step->dtype);
    else if (step->op == PN_EXPR_SELECT)
      steps[i] = known_select(a, b, d);
    else if (operands == PELTON_DTYPE_BOOL && step->op != PN_EXPR_EQUAL)
      steps[i] = known_logic(step->op, a, b);
    else if (count && is_content_type(operands) && all_known)
      steps[i] = known_integers(c, step->op, a.dim, b.dim, d.dim);
  }
  return steps[expr->step_count - 1];
}

/* Sets the result's content when every element is known. */
static pelton_status infer_content(const pn_infer *c, const pn_expr *expr, const pelton_dtype *types) {
  pn_fact *out = &c->out[0];
  if (!is_content_type(out->type.dtype) || out->type.rank < 0 || out->type.rank > 1) return PELTON_OK;
  if (!pn_type_is_static(&out->type)) return PELTON_OK;
  int64_t count = out->type.rank ? out->type.dims[0].number : 1;
  if (count < 0 || count > MAX_CONTENT) return PELTON_OK;
  /* A symbol that must turn out as the other's extent has no elements yet. */
  for (uint32_t i = 0; i < c->input_count; i++)
    if (!pn_type_is_static(&c->in[i].type)) return PELTON_OK;
  pn_dim *content = PN_NEW_ARRAY(c->arena, pn_dim, (size_t)count);
  if (!content) return pn_fail_memory(c->diag, "contents of a shape");
  for (int64_t i = 0; i < count; i++) {
    known value = known_result(c, expr, types, i);
    if (!value.is_known) return PELTON_OK;
    content[i] = value.dim;
  }
  out->content = content;
  return pn_symbols_status(c->symbols, c->diag);
}

pelton_status pn_infer_pointwise(const pn_infer *c) {
  const pn_attrs_pointwise *attrs = c->attrs;
  const pn_expr *expr = attrs->expr;
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < expr->input_count; i++) inputs[i] = c->in[i].type.dtype;
  PN_TRY(pn_expr_types(expr, inputs, types, c->diag));
  pn_type result = c->in[0].type;
  for (uint32_t i = 1; i < c->input_count; i++) PN_TRY(pn_infer_broadcast(c, &result, &c->in[i].type, &result));
  result.dtype = types[expr->step_count - 1];
  c->out[0].type = result;
  return infer_content(c, expr, types);
}
