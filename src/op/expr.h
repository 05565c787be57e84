/* Expressions of pointwise nodes: a short program of scalar steps over broadcast operands.

   Steps are in order of evaluation, each uses earlier ones, the last is the result. All steps of equal arguments are
   one (pn_expr_builder interns them). Text: nested calls, with a name for what is used twice:
       "relu(add(mul(x0,x1),0.5:f32))"        "t0=sigmoid(x0);mul(t0,sub(1.0:f32,t0))"
   x0, x1, ... are the node's operands in order; constants carry their type. The type of every step follows from the
   operands' types (pn_expr_types): arithmetic wants equal types and keeps them, comparisons give bool, cast says.
   A cast to a float of 8 bits may say how it rounds and what it makes of what is out of range: "cast(x0,f8e5m2)" ends
   at the greatest value, "cast(x0,f8e5m2,overflow)" goes on to infinity (pn_cast_mode in op/low_bits.h). */
#ifndef PN_OP_EXPR_H
#define PN_OP_EXPR_H

#include "op/type.h"

/* PN_X(name, UPPER, argument count) */
#define PN_EXPR_OPS(PN_X)                                                                                          \
  PN_X(input, INPUT, 0) PN_X(constant, CONSTANT, 0) PN_X(cast, CAST, 1)                                             \
  PN_X(add, ADD, 2) PN_X(sub, SUB, 2) PN_X(mul, MUL, 2) PN_X(div, DIV, 2) /* integers: truncating */                \
  PN_X(mod, MOD, 2) /* sign of the divisor, as Python's */ PN_X(fmod, FMOD, 2) /* sign of the dividend, as C's */   \
  PN_X(pow, POW, 2) PN_X(min, MIN, 2) PN_X(max, MAX, 2) /* nan when either is */                                    \
  PN_X(neg, NEG, 1) PN_X(abs, ABS, 1) PN_X(sign, SIGN, 1) PN_X(reciprocal, RECIPROCAL, 1)                           \
  PN_X(sqrt, SQRT, 1) PN_X(rsqrt, RSQRT, 1) PN_X(square, SQUARE, 1)                                                 \
  PN_X(exp, EXP, 1) PN_X(log, LOG, 1) PN_X(erf, ERF, 1)                                                             \
  PN_X(floor, FLOOR, 1) PN_X(ceil, CEIL, 1) PN_X(round, ROUND, 1) /* half to even */                                \
  PN_X(sin, SIN, 1) PN_X(cos, COS, 1) PN_X(tan, TAN, 1) PN_X(asin, ASIN, 1) PN_X(acos, ACOS, 1) PN_X(atan, ATAN, 1) \
  PN_X(sinh, SINH, 1) PN_X(cosh, COSH, 1) PN_X(tanh, TANH, 1)                                                       \
  PN_X(asinh, ASINH, 1) PN_X(acosh, ACOSH, 1) PN_X(atanh, ATANH, 1)                                                 \
  PN_X(relu, RELU, 1) PN_X(sigmoid, SIGMOID, 1) PN_X(silu, SILU, 1) /* x*sigmoid(x) */                              \
  PN_X(gelu, GELU, 1) /* erf form */ PN_X(gelu_tanh, GELU_TANH, 1) PN_X(hard_swish, HARD_SWISH, 1)                  \
  PN_X(softplus, SOFTPLUS, 1)                                                                                       \
  PN_X(clip, CLIP, 3) /* min(max(x, lo), hi) */ PN_X(fma, FMA, 3) /* a*b+c, each rounded */                         \
  PN_X(equal, EQUAL, 2) PN_X(less, LESS, 2) PN_X(less_equal, LESS_EQUAL, 2)                                         \
  PN_X(greater, GREATER, 2) PN_X(greater_equal, GREATER_EQUAL, 2)                                                   \
  PN_X(and, AND, 2) PN_X(or, OR, 2) PN_X(xor, XOR, 2) PN_X(not, NOT, 1)                                             \
  PN_X(bit_and, BIT_AND, 2) PN_X(bit_or, BIT_OR, 2) PN_X(bit_xor, BIT_XOR, 2) PN_X(bit_not, BIT_NOT, 1)             \
  PN_X(shift_left, SHIFT_LEFT, 2) PN_X(shift_right, SHIFT_RIGHT, 2)                                                 \
  PN_X(is_nan, IS_NAN, 1) PN_X(is_inf_positive, IS_INF_POSITIVE, 1) PN_X(is_inf_negative, IS_INF_NEGATIVE, 1)       \
  PN_X(select, SELECT, 3) /* a ? b : c */

#define PN_EXPR_ENUM(name, upper, arguments) PN_EXPR_##upper,
typedef enum pn_expr_op { PN_EXPR_OPS(PN_EXPR_ENUM) PN_EXPR_OP_COUNT } pn_expr_op;

typedef struct pn_expr_step {
  pn_expr_op op;
  pelton_dtype dtype;   /* CAST: to; CONSTANT: its type; else NONE */
  pn_cast_mode mode;    /* CAST to a low float; else PN_CAST_DEFAULT */
  uint16_t argument[3]; /* steps; INPUT: argument[0] is the operand */
  union {
    double f64;  /* CONSTANT of a float type */
    int64_t i64; /* of an integer type or bool */
  } constant;
} pn_expr_step;

enum { PN_EXPR_MAX_STEPS = 256, PN_EXPR_MAX_INPUTS = 64 };

typedef struct pn_expr {
  uint32_t step_count;
  uint32_t input_count; /* operands read: x0 .. x(input_count-1) */
  const pn_expr_step *steps;
} pn_expr;

const char *pn_expr_op_name(pn_expr_op op);
uint32_t pn_expr_op_arguments(pn_expr_op op);

/* Builds an expression; steps that exist already are found, not repeated. After a failure (too many steps) every call
   gives step 0 and |failed| is set. */
typedef struct pn_expr_builder {
  pn_expr_step steps[PN_EXPR_MAX_STEPS];
  uint32_t step_count, input_count;
  bool failed;
} pn_expr_builder;

void pn_expr_builder_init(pn_expr_builder *b);
uint16_t pn_expr_input(pn_expr_builder *b, uint32_t operand);
uint16_t pn_expr_f64(pn_expr_builder *b, pelton_dtype dtype, double value); /* rounded to |dtype| */
uint16_t pn_expr_i64(pn_expr_builder *b, pelton_dtype dtype, int64_t value);
uint16_t pn_expr_cast(pn_expr_builder *b, uint16_t x, pelton_dtype to, pn_cast_mode mode);
uint16_t pn_expr_call(pn_expr_builder *b, pn_expr_op op, uint16_t a0, uint16_t a1, uint16_t a2);
/* Appends |expr| with its operand i replaced by step operands[i]; the step of its result. */
uint16_t pn_expr_inline(pn_expr_builder *b, const pn_expr *expr, const uint16_t *operands);
/* The expression whose result is |result|, without steps it does not use; null when memory is out or |b| failed. */
const pn_expr *pn_expr_finish(pn_expr_builder *b, uint16_t result, pn_arena *arena) PN_CHECKED;

bool pn_expr_equal(const pn_expr *a, const pn_expr *b);
uint64_t pn_expr_hash(const pn_expr *expr);
void pn_expr_print(const pn_expr *expr, pn_text *out);
pelton_status pn_expr_parse(pn_str text, pn_arena *arena, const pn_expr **out, pelton_diag *diag) PN_CHECKED;

/* The type of every step for operands of |inputs|; an error that names the step when they do not fit. */
pelton_status pn_expr_types(const pn_expr *expr, const pelton_dtype *inputs, pelton_dtype *steps, pelton_diag *diag)
    PN_CHECKED;

#endif
