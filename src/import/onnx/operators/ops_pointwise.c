/* Arithmetic, comparison and logic: one pointwise node each, whose expression says what the operator does. Operands are
   broadcast as numpy does it; before operator set 7 only the second was, along an axis that the node names. */
#include "base/format.h"
#include "import/onnx/importer.h"

#include <inttypes.h>

/* ---- operators that are an expression and nothing more ----------------------------------------------------------- */

/* PN_X(name, operands, expression) */
#define SIMPLE(PN_X)                                                                                                   \
  PN_X(Abs, 1, "abs(x0)") PN_X(Acos, 1, "acos(x0)") PN_X(Acosh, 1, "acosh(x0)") PN_X(Asin, 1, "asin(x0)")              \
  PN_X(Asinh, 1, "asinh(x0)") PN_X(Atan, 1, "atan(x0)") PN_X(Atanh, 1, "atanh(x0)") PN_X(Ceil, 1, "ceil(x0)")          \
  PN_X(Cos, 1, "cos(x0)") PN_X(Cosh, 1, "cosh(x0)") PN_X(Erf, 1, "erf(x0)") PN_X(Exp, 1, "exp(x0)")                    \
  PN_X(Floor, 1, "floor(x0)") PN_X(Log, 1, "log(x0)") PN_X(Neg, 1, "neg(x0)") PN_X(Reciprocal, 1, "reciprocal(x0)")    \
  PN_X(Round, 1, "round(x0)") PN_X(Sign, 1, "sign(x0)") PN_X(Sin, 1, "sin(x0)") PN_X(Sinh, 1, "sinh(x0)")              \
  PN_X(Sqrt, 1, "sqrt(x0)") PN_X(Tan, 1, "tan(x0)") PN_X(IsNaN, 1, "is_nan(x0)") PN_X(Not, 1, "not(x0)")               \
  PN_X(BitwiseNot, 1, "bit_not(x0)") PN_X(BitwiseAnd, 2, "bit_and(x0,x1)") PN_X(BitwiseOr, 2, "bit_or(x0,x1)")         \
  PN_X(BitwiseXor, 2, "bit_xor(x0,x1)") PN_X(Add, 2, "add(x0,x1)") PN_X(Sub, 2, "sub(x0,x1)")                          \
  PN_X(Mul, 2, "mul(x0,x1)") PN_X(Div, 2, "div(x0,x1)") PN_X(And, 2, "and(x0,x1)") PN_X(Or, 2, "or(x0,x1)")            \
  PN_X(Xor, 2, "xor(x0,x1)") PN_X(Equal, 2, "equal(x0,x1)") PN_X(Less, 2, "less(x0,x1)")                               \
  PN_X(LessOrEqual, 2, "less_equal(x0,x1)") PN_X(Greater, 2, "greater(x0,x1)")                                         \
  PN_X(GreaterOrEqual, 2, "greater_equal(x0,x1)") PN_X(Where, 3, "select(x0,x1,x2)") PN_X(Relu, 1, "relu(x0)")         \
  PN_X(Sigmoid, 1, "sigmoid(x0)") PN_X(Tanh, 1, "tanh(x0)") PN_X(Softplus, 1, "softplus(x0)")                          \
  PN_X(Softsign, 1, "div(x0,add(1:%T,abs(x0)))") PN_X(HardSwish, 1, "hard_swish(x0)")                                  \
  PN_X(Mish, 1, "mul(x0,tanh(softplus(x0)))")

static pelton_status wants_operands(const pn_onnx_call *c, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  return c->input_count == count ? PELTON_OK
                                 : pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have %u",
                                           c->input_count, count);
}

#define TEXT(name, operands, expression) {#name, operands, expression},
static pelton_status import_simple(pn_onnx_call *c) {
  static const struct {
    const char *name;
    uint32_t operands;
    const char *expression;
  } texts[] = {SIMPLE(TEXT)};
  for (size_t i = 0; i < PN_COUNT(texts); i++) {
    if (!pn_str_is(c->node->op_type, texts[i].name)) continue;
    PN_TRY(wants_operands(c, texts[i].operands));
    if (pn_onnx_dtype(c, texts[i].operands - 1) == PELTON_DTYPE_STRING && pn_str_is(c->node->op_type, "Equal"))
      return pn_onnx_map(c, PN_OP_TEXT_EQUAL, NULL);
    if (pn_onnx_dtype(c, texts[i].operands - 1) == PELTON_DTYPE_STRING && pn_str_is(c->node->op_type, "Where"))
      return pn_onnx_map(c, PN_OP_TEXT_SELECT, NULL);
    return pn_onnx_pointwise(c, texts[i].expression, c->inputs, texts[i].operands, &c->outputs[0]);
  }
  return PN_INTERNAL(c->diag, "an operator's row has no expression");
}

/* ---- the broadcasting of operator sets before 7 ------------------------------------------------------------------ */

/* Axes behind |rank| of |count| new ones. */
static pelton_status unsqueeze_behind(pn_onnx_call *c, pn_value_id value, uint32_t rank, uint32_t count,
                                      pn_value_id *out) {
  int64_t axes[PN_MAX_RANK];
  pn_value_id operands[2] = {value, PN_NO_VALUE};
  if (rank + count > PN_MAX_RANK) return pn_fail(c->diag, PELTON_UNSUPPORTED, "more than %d dimensions", PN_MAX_RANK);
  for (uint32_t i = 0; i < count; i++) axes[i] = (int64_t)rank + i;
  PN_TRY(pn_onnx_i64s_constant(c, axes, count, &operands[1]));
  return pn_onnx_add(c, PN_OP_UNSQUEEZE, NULL, operands, 2, 1, out);
}

static pelton_status import_pow(pn_onnx_call *c);

static pelton_status import_binary_1(pn_onnx_call *c) {
  pn_value_id operands[2];
  bool broadcast;
  int64_t axis;
  uint32_t rank_a, rank_b;
  PN_TRY(wants_operands(c, 2));
  PN_TRY(pn_onnx_attr_bool(c->node, "broadcast", false, &broadcast, c->diag));
  operands[0] = c->inputs[0];
  operands[1] = c->inputs[1];
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &axis, c->diag));
  if (broadcast && pn_onnx_attr_find(c->node, "axis")) {
    PN_TRY(pn_onnx_rank(c, 0, &rank_a));
    PN_TRY(pn_onnx_rank(c, 1, &rank_b));
    if (axis < 0) axis += rank_a;
    if (axis < 0 || axis + rank_b > rank_a)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "axis %" PRId64 " does not fit operands of %u and %u dimensions",
                     axis, rank_a, rank_b);
    const uint32_t behind = rank_a - rank_b - (uint32_t)axis;
    if (behind > 0) PN_TRY(unsqueeze_behind(c, operands[1], rank_b, behind, &operands[1]));
  }
  pn_onnx_call with = *c;
  with.inputs = operands;
  return pn_str_is(c->node->op_type, "Pow") ? import_pow(&with) : import_simple(&with);
}

/* A slope for each channel, without dimensions behind. */
static pelton_status import_prelu_1(pn_onnx_call *c) {
  pn_value_id operands[2];
  uint32_t rank_x, rank_slope;
  PN_TRY(wants_operands(c, 2));
  PN_TRY(pn_onnx_rank(c, 0, &rank_x));
  PN_TRY(pn_onnx_rank(c, 1, &rank_slope));
  operands[0] = c->inputs[0];
  operands[1] = c->inputs[1];
  if (rank_slope == 1 && rank_x > 2) PN_TRY(unsqueeze_behind(c, operands[1], 1, rank_x - 2, &operands[1]));
  return pn_onnx_pointwise(c, "select(less(x0,0:%T),mul(x0,x1),x0)", operands, 2, &c->outputs[0]);
}

static pelton_status import_prelu(pn_onnx_call *c) {
  PN_TRY(wants_operands(c, 2));
  return pn_onnx_pointwise(c, "select(less(x0,0:%T),mul(x0,x1),x0)", c->inputs, 2, &c->outputs[0]);
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

static pelton_status import_identity(pn_onnx_call *c) {
  PN_TRY(wants_operands(c, 1));
  c->outputs[0] = c->inputs[0];
  return PELTON_OK;
}

/* How a cast to a float of 8 bits rounds and what it makes of what is out of range. */
static pelton_status cast_mode_attrs(const pn_onnx_call *c, pn_cast_mode *out) {
  static const char *const words[] = {"up", "down", "nearest", NULL};
  static const pn_cast_mode modes[] = {PN_CAST_DEFAULT, PN_CAST_DOWN, PN_CAST_NEAREST};
  bool saturate;
  int rounding = 0;
  PN_TRY(pn_onnx_attr_bool(c->node, "saturate", true, &saturate, c->diag));
  PN_TRY(pn_onnx_word(c, "round_mode", words, &rounding));
  *out = (pn_cast_mode)(modes[rounding] | (saturate ? 0 : PN_CAST_OVERFLOW));
  return PELTON_OK;
}

static pelton_status cast(pn_onnx_call *c, pelton_dtype to) {
  char text[64];
  pn_cast_mode mode;
  PN_TRY(cast_mode_attrs(c, &mode));
  mode = pn_cast_mode_for(to, mode);
  if (pn_onnx_dtype(c, 0) == PELTON_DTYPE_STRING && mode != PN_CAST_DEFAULT) { /* modes are of numbers */
    pn_onnx_call with = *c;
    pn_value_id number;
    PN_TRY(pn_onnx_cast(c, c->inputs[0], PELTON_DTYPE_F32, &number));
    with.inputs = &number;
    return cast(&with, to);
  }
  if (mode == PN_CAST_DEFAULT) return pn_onnx_cast(c, c->inputs[0], to, &c->outputs[0]);
  pn_formatf(text, sizeof text, "cast(x0,%s,%s)", pelton_dtype_name(to), pn_cast_mode_name((uint32_t)mode));
  return pn_onnx_pointwise(c, text, c->inputs, 1, &c->outputs[0]);
}

static pelton_status import_cast(pn_onnx_call *c) {
  pelton_dtype to = PELTON_DTYPE_NONE;
  PN_TRY(wants_operands(c, 1));
  PN_TRY(pn_onnx_attr_require(c->node, "to", c->diag));
  PN_TRY(pn_onnx_elem_attr(c, "to", &to));
  return cast(c, to);
}

static pelton_status import_cast_like(pn_onnx_call *c) {
  PN_TRY(wants_operands(c, 2));
  return cast(c, pn_onnx_dtype(c, 1));
}

/* ---- arithmetic with choices ------------------------------------------------------------------------------------- */

/* The result has the base's type; a fractional exponent of an integer is computed in f64. */
static pelton_status import_pow(pn_onnx_call *c) {
  pn_value_id operands[2];
  PN_TRY(wants_operands(c, 2));
  const pelton_dtype base = pn_onnx_dtype(c, 0), exponent = pn_onnx_dtype(c, 1);
  const pelton_dtype common =
      pn_dtype_is_integer(base) && pn_dtype_is_float(exponent) ? PELTON_DTYPE_F64 : base;
  PN_TRY(pn_onnx_cast(c, c->inputs[0], common, &operands[0]));
  PN_TRY(pn_onnx_cast(c, c->inputs[1], common, &operands[1]));
  PN_TRY(pn_onnx_pointwise(c, "pow(x0,x1)", operands, 2, &c->outputs[0]));
  return pn_onnx_cast(c, c->outputs[0], base, &c->outputs[0]);
}

static pelton_status import_mod(pn_onnx_call *c) {
  bool fmod;
  PN_TRY(wants_operands(c, 2));
  PN_TRY(pn_onnx_attr_bool(c->node, "fmod", false, &fmod, c->diag));
  return pn_onnx_pointwise(c, fmod ? "fmod(x0,x1)" : "mod(x0,x1)", c->inputs, 2, &c->outputs[0]);
}

static pelton_status import_bit_shift(pn_onnx_call *c) {
  static const char *const words[] = {"left", "right", NULL};
  int direction = 0;
  PN_TRY(wants_operands(c, 2));
  PN_TRY(pn_onnx_attr_require(c->node, "direction", c->diag));
  PN_TRY(pn_onnx_word(c, "direction", words, &direction));
  return pn_onnx_pointwise(c, direction == 0 ? "shift_left(x0,x1)" : "shift_right(x0,x1)", c->inputs, 2,
                           &c->outputs[0]);
}

static pelton_status import_is_inf(pn_onnx_call *c) {
  bool negative, positive;
  PN_TRY(wants_operands(c, 1));
  PN_TRY(pn_onnx_attr_bool(c->node, "detect_negative", true, &negative, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "detect_positive", true, &positive, c->diag));
  const char *text = negative && positive ? "or(is_inf_positive(x0),is_inf_negative(x0))"
                     : negative           ? "is_inf_negative(x0)"
                     : positive           ? "is_inf_positive(x0)"
                                          : "and(is_inf_positive(x0),is_inf_negative(x0))"; /* never */
  return pn_onnx_pointwise(c, text, c->inputs, 1, &c->outputs[0]);
}

/* ---- any number of operands -------------------------------------------------------------------------------------- */

/* name(name(x0,x1),x2)... over up to CHUNK operands at a time, the first of which is what the others before gave. */
static pelton_status import_variadic(pn_onnx_call *c, const char *name, pn_value_id *out) {
  enum { CHUNK = 32 };
  if (c->input_count == 0) return pn_fail(c->diag, PELTON_INVALID_DATA, "it has no inputs");
  PN_TRY(wants_operands(c, c->input_count));
  *out = c->inputs[0];
  for (uint32_t next = 1; next < c->input_count;) {
    pn_value_id operands[CHUNK] = {*out};
    char text[CHUNK * 16];
    uint32_t count = 1;
    size_t size = 0;
    while (count < CHUNK && next < c->input_count) operands[count++] = c->inputs[next++];
    for (uint32_t i = 1; i < count; i++) {
      memcpy(text + size, name, 3);
      text[size + 3] = '(';
      size += 4;
    }
    text[size++] = 'x';
    text[size++] = '0';
    for (uint32_t i = 1; i < count; i++) {
      text[size++] = ',';
      text[size++] = 'x';
      if (i >= 10) text[size++] = (char)('0' + i / 10);
      text[size++] = (char)('0' + i % 10);
      text[size++] = ')';
    }
    text[size] = 0;
    PN_TRY(pn_onnx_pointwise(c, text, operands, count, out));
  }
  return PELTON_OK;
}

static pelton_status import_max(pn_onnx_call *c) { return import_variadic(c, "max", &c->outputs[0]); }
static pelton_status import_min(pn_onnx_call *c) { return import_variadic(c, "min", &c->outputs[0]); }
static pelton_status import_sum(pn_onnx_call *c) { return import_variadic(c, "add", &c->outputs[0]); }

static pelton_status import_mean(pn_onnx_call *c) {
  pn_value_id sum;
  const double count = c->input_count;
  PN_TRY(import_variadic(c, "add", &sum));
  return pn_onnx_formula(c, "div(x0,%0)", &count, &sum, 1, &c->outputs[0]);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* Rows found first hold: the old forms of the operators that broadcast stand in front of their simple ones. */
#define ROW(name, operands, expression) {#name, "", 1, 0, import_simple},
static const pn_onnx_op rows[] = {
    {"Add", "", 1, 6, import_binary_1},
    {"Sub", "", 1, 6, import_binary_1},
    {"Mul", "", 1, 6, import_binary_1},
    {"Div", "", 1, 6, import_binary_1},
    {"And", "", 1, 6, import_binary_1},
    {"Or", "", 1, 6, import_binary_1},
    {"Xor", "", 1, 6, import_binary_1},
    {"Equal", "", 1, 6, import_binary_1},
    {"Less", "", 1, 6, import_binary_1},
    {"Greater", "", 1, 6, import_binary_1},
    SIMPLE(ROW)
    {"BitShift", "", 11, 0, import_bit_shift},
    {"Cast", "", 6, 0, import_cast},
    {"CastLike", "", 15, 0, import_cast_like},
    {"Identity", "", 1, 0, import_identity},
    {"IsInf", "", 10, 0, import_is_inf},
    {"Max", "", 1, 0, import_max},
    {"Mean", "", 1, 0, import_mean},
    {"Min", "", 1, 0, import_min},
    {"Mod", "", 10, 0, import_mod},
    {"PRelu", "", 1, 6, import_prelu_1},
    {"PRelu", "", 7, 0, import_prelu},
    {"Pow", "", 1, 6, import_binary_1},
    {"Pow", "", 7, 0, import_pow},
    {"Sum", "", 1, 0, import_sum},
};

const pn_onnx_ops pn_onnx_ops_pointwise = {rows, (uint32_t)PN_COUNT(rows)};
