/* The meaning of pointwise: pn_reference_pointwise.

   The output is computed in runs of 256 elements, one step of the expression after the other over the run. Steps hold
   their values in one of four forms: float (f32, and all narrower floats, which are computed in float and rounded after
   each step, as numpy does), double, and 64-bit integers signed or unsigned, wrapped after each step to the width of
   the step's type. bool is an integer, 0 or 1. */
#include "op/op.h"

#include <math.h>

enum { RUN = 256 };

/* ---- steps ----------------------------------------------------------------------------------------------------- */

#define REAL float
#define NAME(step) step##_f32
#define MATH(function) function##f
#include "op/expression/expr_eval_float.tmpl.h"
#undef REAL
#undef NAME
#undef MATH

#define REAL double
#define NAME(step) step##_f64
#define MATH(function) function
#include "op/expression/expr_eval_float.tmpl.h"
#undef REAL
#undef NAME
#undef MATH

#define INTEGER int64_t
#define NAME(step) step##_i64
#define IS_SIGNED 1
#include "op/expression/expr_eval_integer.tmpl.h"
#undef INTEGER
#undef NAME
#undef IS_SIGNED

#define INTEGER uint64_t
#define NAME(step) step##_u64
#define IS_SIGNED 0
#include "op/expression/expr_eval_integer.tmpl.h"
#undef INTEGER
#undef NAME
#undef IS_SIGNED

/* A run of values in any of the forms. */
typedef union run {
  float f32[RUN];
  double f64[RUN];
  int64_t i64[RUN];
  uint64_t u64[RUN];
} run;

static bool is_f32_form(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_F32 || dtype == PELTON_DTYPE_F16 || dtype == PELTON_DTYPE_BF16 ||
         pn_dtype_is_low_float(dtype);
}

static float double_to_f32_form(double value, pelton_dtype to, pn_cast_mode mode) { /* one rounding */
  if (to == PELTON_DTYPE_F16) return pn_f16_to_f32(pn_f16_from_f64(value));
  if (to == PELTON_DTYPE_BF16) return pn_bf16_to_f32(pn_bf16_from_f64(value));
  if (pn_dtype_is_low_float(to)) return (float)pn_low_float_to_f64(to, pn_low_float_from_f64(to, value, mode));
  return (float)value;
}

/* Brings a step's fresh results to what its type can hold. Sums of low floats overflow as those of f16 do: only casts
   saturate. */
static void run_round(pelton_dtype dtype, uint32_t count, run *values) {
  const pn_cast_mode mode = (pn_cast_mode)(PN_CAST_NEAREST | PN_CAST_OVERFLOW);
  float *f = values->f32;
  int64_t *v = values->i64;
  if (pn_dtype_is_low_float(dtype))
    for (uint32_t i = 0; i < count; i++) f[i] = double_to_f32_form((double)f[i], dtype, mode);
  switch (dtype) {
  case PELTON_DTYPE_F16: for (uint32_t i = 0; i < count; i++) f[i] = pn_f16_to_f32(pn_f16_from_f32(f[i])); return;
  case PELTON_DTYPE_BF16: for (uint32_t i = 0; i < count; i++) f[i] = pn_bf16_to_f32(pn_bf16_from_f32(f[i])); return;
  case PELTON_DTYPE_I8: for (uint32_t i = 0; i < count; i++) v[i] = (int8_t)v[i]; return;
  case PELTON_DTYPE_U8: for (uint32_t i = 0; i < count; i++) v[i] = (uint8_t)v[i]; return;
  case PELTON_DTYPE_I16: for (uint32_t i = 0; i < count; i++) v[i] = (int16_t)v[i]; return;
  case PELTON_DTYPE_U16: for (uint32_t i = 0; i < count; i++) v[i] = (uint16_t)v[i]; return;
  case PELTON_DTYPE_I32: for (uint32_t i = 0; i < count; i++) v[i] = (int32_t)v[i]; return;
  case PELTON_DTYPE_U32: for (uint32_t i = 0; i < count; i++) v[i] = (uint32_t)v[i]; return;
  case PELTON_DTYPE_I4: case PELTON_DTYPE_U4: case PELTON_DTYPE_I2:
  case PELTON_DTYPE_U2: for (uint32_t i = 0; i < count; i++) v[i] = pn_dtype_wrap(dtype, v[i]); return;
  default: return;
  }
}

/* |operands| is the type of the operands (of the chosen ones for select), |result| the step's. */
static void run_step(pn_expr_op op, pelton_dtype operands, pelton_dtype result, uint32_t count, run *const *arguments,
                     run *out) {
  uint32_t width = pn_dtype_bits(operands);
  if (is_f32_form(operands))
    step_f32(op, count, arguments[0], arguments[1], arguments[2], out);
  else if (operands == PELTON_DTYPE_F64)
    step_f64(op, count, arguments[0], arguments[1], arguments[2], out);
  else if (operands == PELTON_DTYPE_U64)
    step_u64(op, width, count, arguments[0], arguments[1], arguments[2], out);
  else
    step_i64(op, width, count, arguments[0], arguments[1], arguments[2], out);
  run_round(result, count, out);
}

/* ---- conversions ------------------------------------------------------------------------------------------------ */

/* An integer as a double that rounds to every float type as the integer itself would: what lies past 53 bits is folded
   into the last of them, so that the second rounding sees that something was there. */
static double integer_to_double(uint64_t value, bool is_signed) {
  bool negative = is_signed && (int64_t)value < 0;
  uint64_t bits = negative ? 0 - value : value;
  if (bits >> 54) bits = (bits & ~UINT64_C(0x7ff)) | (bits & 0x7ff ? 0x800 : 0);
  return negative ? -(double)bits : (double)bits;
}

static void integer_range(pelton_dtype dtype, int64_t *min, int64_t *max) {
  uint32_t bits = pn_dtype_bits(dtype);
  bool is_signed = pn_dtype_is_signed(dtype);
  *max = (int64_t)(UINT64_MAX >> (64 - bits + is_signed));
  *min = is_signed ? -*max - 1 : 0;
}

/* Truncates; out of range gives the nearest value in range, NaN gives 0. Of fewer than 8 bits the low ones are kept,
   which ONNX leaves open but its test cases want. */
static int64_t float_to_integer(double value, pelton_dtype to) {
  int64_t min, max;
  if (to == PELTON_DTYPE_BOOL) return value != 0;
  if (to == PELTON_DTYPE_U64) return (int64_t)pn_u64_from_f64(value);
  if (pn_dtype_bits(to) < 8) return fabs(value) < 0x1p63 ? pn_dtype_wrap(to, pn_i64_from_f64(value)) : 0;
  integer_range(to, &min, &max);
  return pn_min_i64(pn_max_i64(pn_i64_from_f64(value), min), max);
}

static void run_cast(pelton_dtype from, pelton_dtype to, pn_cast_mode mode, uint32_t count, const run *in, run *out) {
  if (!pn_dtype_is_float(from) && !pn_dtype_is_float(to)) {
    for (uint32_t i = 0; i < count; i++) out->i64[i] = to == PELTON_DTYPE_BOOL ? in->i64[i] != 0 : in->i64[i];
    run_round(to, count, out);
    return;
  }
  for (uint32_t i = 0; i < count; i++) {
    double value = is_f32_form(from)           ? (double)in->f32[i]
                   : from == PELTON_DTYPE_F64 ? in->f64[i]
                   : to == PELTON_DTYPE_F64   ? (from == PELTON_DTYPE_U64 ? (double)in->u64[i] : (double)in->i64[i])
                                               : integer_to_double(in->u64[i], from != PELTON_DTYPE_U64);
    if (to == PELTON_DTYPE_F64)
      out->f64[i] = value;
    else if (is_f32_form(to))
      out->f32[i] = double_to_f32_form(value, to, mode);
    else
      out->i64[i] = float_to_integer(value, to);
  }
}

/* ---- operands and the result ------------------------------------------------------------------------------------ */

/* Fills |out| with the operand's elements at |index|. Bytes are copied: constants in a mapped file have no
   alignment. */
static void run_load(const pn_tensor *in, const int64_t *index, uint32_t count, run *out) {
  const uint8_t *data = in->data;
  switch (in->dtype) {
  case PELTON_DTYPE_F32: for (uint32_t i = 0; i < count; i++) memcpy(&out->f32[i], data + 4 * index[i], 4); return;
  case PELTON_DTYPE_F64: for (uint32_t i = 0; i < count; i++) memcpy(&out->f64[i], data + 8 * index[i], 8); return;
  case PELTON_DTYPE_F16:
    for (uint32_t i = 0; i < count; i++) out->f32[i] = pn_f16_to_f32(pn_load_u16(data + 2 * index[i]));
    return;
  case PELTON_DTYPE_BF16:
    for (uint32_t i = 0; i < count; i++) out->f32[i] = pn_bf16_to_f32(pn_load_u16(data + 2 * index[i]));
    return;
  default: break;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (pn_dtype_is_low_float(in->dtype))
      out->f32[i] = (float)pn_low_float_to_f64(in->dtype, data[index[i]]);
    else
      out->i64[i] = pn_tensor_get_i64(in, index[i]);
  }
}

static void run_store(pn_tensor *out, int64_t first, uint32_t count, const run *in) {
  for (uint32_t i = 0; i < count; i++) {
    int64_t at = first + i;
    switch (out->dtype) {
    case PELTON_DTYPE_F32: ((float *)out->data)[at] = in->f32[i]; break;
    case PELTON_DTYPE_F64: ((double *)out->data)[at] = in->f64[i]; break;
    case PELTON_DTYPE_F16: ((uint16_t *)out->data)[at] = pn_f16_from_f32(in->f32[i]); break;
    case PELTON_DTYPE_BF16: ((uint16_t *)out->data)[at] = pn_bf16_from_f32(in->f32[i]); break;
    default:
      if (pn_dtype_is_low_float(out->dtype)) pn_tensor_set_f64(out, at, (double)in->f32[i]);
      else pn_tensor_set_i64(out, at, in->i64[i]);
    }
  }
}

/* The elements of |in| that belong to |count| of the output's from |first| on, by broadcasting from the last axis. */
static void run_index(const pn_tensor *in, const pn_tensor *out, int64_t first, uint32_t count, int64_t *index) {
  int64_t stride[PN_MAX_RANK] = {0}, position[PN_MAX_RANK] = {0}, in_strides[PN_MAX_RANK], at = 0, rest = first;
  uint32_t missing = out->rank - in->rank;
  pn_dims_strides(in->rank, in->dims, in_strides);
  for (uint32_t d = missing; d < out->rank; d++) stride[d] = in->dims[d - missing] == 1 ? 0 : in_strides[d - missing];
  for (uint32_t d = out->rank; d-- > 0; rest /= out->dims[d]) {
    position[d] = rest % out->dims[d];
    at += position[d] * stride[d];
  }
  for (uint32_t i = 0; i < count; i++) {
    index[i] = at;
    for (uint32_t d = out->rank; d-- > 0;) {
      at += stride[d];
      if (++position[d] < out->dims[d]) break;
      position[d] = 0;
      at -= stride[d] * out->dims[d];
    }
  }
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

typedef struct evaluation {
  const pn_call *call;
  const pn_expr *expr;
  pelton_dtype types[PN_EXPR_MAX_STEPS];
  run *runs; /* of each step */
  run spare; /* fma's product */
} evaluation;

static void fill_constant(const pn_expr_step *step, run *out) {
  for (uint32_t i = 0; i < RUN; i++) {
    if (is_f32_form(step->dtype))
      out->f32[i] = (float)step->constant.f64;
    else if (step->dtype == PELTON_DTYPE_F64)
      out->f64[i] = step->constant.f64;
    else
      out->i64[i] = step->constant.i64;
  }
}

static void evaluate_step(evaluation *e, uint32_t index, int64_t first, uint32_t count) {
  const pn_expr_step *step = &e->expr->steps[index];
  run *out = &e->runs[index], *arguments[3] = {NULL, NULL, NULL};
  int64_t elements[RUN];
  if (step->op == PN_EXPR_CONSTANT) return; /* filled once */
  if (step->op == PN_EXPR_INPUT) {
    const pn_tensor *in = &e->call->in[step->argument[0]];
    run_index(in, &e->call->out[0], first, count, elements);
    run_load(in, elements, count, out);
    return;
  }
  for (uint32_t i = 0; i < pn_expr_op_arguments(step->op); i++) arguments[i] = &e->runs[step->argument[i]];
  pelton_dtype operands = e->types[step->argument[step->op == PN_EXPR_SELECT ? 1 : 0]];
  if (step->op == PN_EXPR_CAST) {
    run_cast(operands, step->dtype, step->mode, count, arguments[0], out);
  } else if (step->op == PN_EXPR_FMA) {
    run_step(PN_EXPR_MUL, operands, operands, count, arguments, &e->spare);
    run_step(PN_EXPR_ADD, operands, operands, count, (run *[3]){&e->spare, arguments[2], NULL}, out);
  } else {
    run_step(step->op, operands, e->types[index], count, arguments, out);
  }
}

pelton_status pn_reference_pointwise(const pn_call *call) {
  const pn_attrs_pointwise *attrs = call->attrs;
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS];
  evaluation *e = PN_NEW(call->scratch, evaluation);
  if (!e) return pn_fail_memory(call->diag, "the steps of an expression");
  e->call = call;
  e->expr = attrs->expr;
  e->runs = PN_NEW_ARRAY(call->scratch, run, attrs->expr->step_count);
  if (!e->runs) return pn_fail_memory(call->diag, "the steps of an expression");
  for (uint32_t i = 0; i < e->expr->input_count; i++) inputs[i] = call->in[i].dtype;
  PN_TRY(pn_expr_types(e->expr, inputs, e->types, call->diag));
  for (uint32_t i = 0; i < e->expr->step_count; i++)
    if (e->expr->steps[i].op == PN_EXPR_CONSTANT) fill_constant(&e->expr->steps[i], &e->runs[i]);
  int64_t total = pn_tensor_elements(&call->out[0]);
  for (int64_t first = 0; first < total; first += RUN) {
    uint32_t count = (uint32_t)pn_min_i64(RUN, total - first);
    for (uint32_t i = 0; i < e->expr->step_count; i++) evaluate_step(e, i, first, count);
    run_store(&call->out[0], first, count, &e->runs[e->expr->step_count - 1]);
  }
  return PELTON_OK;
}
