/* quantize, dequantize and dynamic_quantize: between reals and integers, or floats of up to 8 bits, with a scale and a
   zero point, which stand for the whole tensor, for each index of an axis, or for each block along an axis.

   Quotients are rounded to float before they are rounded to integers, as everybody's kernels have it: a double would
   break ties that float division made. */
#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

/* Which scale belongs to an element. */
typedef struct granularity {
  int64_t extent, inner, block; /* of x along the axis, behind it; elements a scale: extent for one a tensor */
  int64_t blocks;               /* scales along the axis */
  bool whole, shared_inner;     /* one scale for all; one for all that is before and behind the axis */
} granularity;

static int64_t scale_index(const granularity *g, int64_t element) {
  if (g->whole) return 0;
  int64_t outer = element / (g->inner * g->extent), at = element / g->inner % g->extent;
  if (g->shared_inner) return at;
  return (outer * g->blocks + at / g->block) * g->inner + element % g->inner;
}

/* ---- check and infer */

static bool is_quantized(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_I8 || dtype == PELTON_DTYPE_U8 || dtype == PELTON_DTYPE_I16 ||
         dtype == PELTON_DTYPE_U16 || dtype == PELTON_DTYPE_I32 || dtype == PELTON_DTYPE_I4 ||
         dtype == PELTON_DTYPE_U4 || dtype == PELTON_DTYPE_I2 || dtype == PELTON_DTYPE_U2 ||
         (pn_dtype_is_low_float(dtype) && dtype != PELTON_DTYPE_F8E8M0);
}

#define QUANTIZED "i2, u2, i4, u4, i8, u8, i16, u16, i32, f4e2m1 or a float8 (f8e4m3fn, f8e5m2, ...uz)"

static pelton_status check_scales(const pn_infer *c, const char *op, int64_t block) {
  if (c->in[1].type.dtype != PELTON_DTYPE_F8E8M0) PN_TRY(pn_operand_wants_float(c, op, 1, "scale"));
  if (block < 0)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: block is %lld; it must be positive, or 0 for none", op,
                   (long long)block);
  return PELTON_OK;
}

/* The extents of scales and zero points against x's, as far as they are known. */
static pelton_status check_extents(const pn_infer *c, const char *op, uint32_t i, const char *name, int64_t axis_in,
                                   int64_t block) {
  const pn_type *x = &c->in[0].type, *s = &c->in[i].type, *scale = &c->in[1].type;
  pn_dim both = pn_dim_of(0);
  uint32_t axis;
  if (!pn_infer_has(c, i) || x->rank == PN_RANK_UNKNOWN || s->rank == PN_RANK_UNKNOWN || s->rank == 0) return PELTON_OK;
  if (s->rank == 1 && pn_dim_is(s->dims[0], 1) && block == 0) return PELTON_OK;
  if (s->rank == 1 && scale->rank == 0 && !pn_dim_is_number(s->dims[0])) return PELTON_OK; /* it may be one */
  PN_TRY(pn_axes_resolve(c->diag, op, &axis_in, 1, x->rank, &axis));
  if (s->rank != (block > 0 ? x->rank : 1))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "%s: %s has rank %d; it must be a scalar, a list, or of x's rank with block set", op, name, s->rank);
  for (int32_t k = 0; k < s->rank; k++) {
    pn_dim wanted = block > 0 ? x->dims[k] : x->dims[axis];
    if (block > 0 && (uint32_t)k == axis) wanted = pn_dim_ceil_div(c->symbols, wanted, pn_dim_of(block));
    if (!pn_dim_unify(wanted, s->dims[k], &both))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s has extent %lld on axis %d; it must be %lld", op, name,
                     (long long)s->dims[k].number, k, (long long)wanted.number);
  }
  return PELTON_OK;
}

pelton_status pn_check_quantize(const pn_infer *c) {
  const pn_attrs_quantize *attrs = c->attrs;
  pelton_dtype dtype = c->in[0].type.dtype, zero = pn_infer_has(c, 2) ? c->in[2].type.dtype : attrs->dtype;
  if (!pn_dtype_is_wide_float(dtype) && dtype != PELTON_DTYPE_I32)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "quantize: x is of type %s; it must be f64, f32, f16, bf16 or i32",
                   pelton_dtype_name(dtype));
  if (zero != PELTON_DTYPE_NONE && !is_quantized(zero))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "quantize: the result would be of type %s; it must be " QUANTIZED, pelton_dtype_name(zero));
  if (attrs->dtype != PELTON_DTYPE_NONE && attrs->dtype != zero)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "quantize: dtype is %s and zero_point of type %s; give one, or make them equal",
                   pelton_dtype_name(attrs->dtype), pelton_dtype_name(zero));
  return check_scales(c, "quantize", attrs->block);
}

pelton_status pn_infer_quantize(const pn_infer *c) {
  const pn_attrs_quantize *attrs = c->attrs;
  PN_TRY(check_extents(c, "quantize", 1, "scale", attrs->axis, attrs->block));
  PN_TRY(check_extents(c, "quantize", 2, "zero_point", attrs->axis, attrs->block));
  pelton_dtype dtype = pn_infer_has(c, 2) ? c->in[2].type.dtype : attrs->dtype;
  pn_infer_same(c, 0);
  c->out[0].type.dtype = dtype == PELTON_DTYPE_NONE ? PELTON_DTYPE_U8 : dtype;
  return PELTON_OK;
}

pelton_status pn_check_dequantize(const pn_infer *c) {
  const pn_attrs_dequantize *attrs = c->attrs;
  if (!is_quantized(c->in[0].type.dtype))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "dequantize: x is of type %s; it must be " QUANTIZED,
                   pelton_dtype_name(c->in[0].type.dtype));
  PN_TRY(pn_operand_wants_type_of(c, "dequantize", 2, "zero_point", 0));
  pelton_dtype result = attrs->dtype == PELTON_DTYPE_NONE ? c->in[1].type.dtype : attrs->dtype;
  if (pn_dtype_is_float(result) && !pn_dtype_is_wide_float(result)) /* f8e8m0 scales do not say what comes out */
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "dequantize: the result would be of type %s; set dtype to f64, f32, f16 or bf16",
                   pelton_dtype_name(result));
  if (!pn_dtype_is_float(result) && attrs->dtype != PELTON_DTYPE_NONE)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "dequantize: dtype is %s; it must be f64, f32, f16 or bf16",
                   pelton_dtype_name(attrs->dtype));
  return check_scales(c, "dequantize", attrs->block);
}

pelton_status pn_infer_dequantize(const pn_infer *c) {
  const pn_attrs_dequantize *attrs = c->attrs;
  PN_TRY(check_extents(c, "dequantize", 1, "scale", attrs->axis, attrs->block));
  PN_TRY(check_extents(c, "dequantize", 2, "zero_point", attrs->axis, attrs->block));
  pn_infer_same(c, 0);
  c->out[0].type.dtype = attrs->dtype == PELTON_DTYPE_NONE ? c->in[1].type.dtype : attrs->dtype;
  return PELTON_OK;
}

pelton_status pn_check_dynamic_quantize(const pn_infer *c) {
  if (c->in[0].type.dtype == PELTON_DTYPE_F32) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "dynamic_quantize: x is of type %s; it must be f32",
                 pelton_dtype_name(c->in[0].type.dtype));
}

pelton_status pn_infer_dynamic_quantize(const pn_infer *c) {
  pn_infer_same(c, 0);
  c->out[0].type.dtype = PELTON_DTYPE_U8;
  c->out[1].type = (pn_type){.dtype = PELTON_DTYPE_F32};
  c->out[2].type = (pn_type){.dtype = PELTON_DTYPE_U8};
  return PELTON_OK;
}

/* ---- reference */

static pelton_status resolve(const pn_call *call, const char *op, int64_t axis_in, int64_t block, granularity *g) {
  const pn_tensor *x = &call->in[0], *s = &call->in[1];
  int64_t scales = pn_tensor_elements(s), wanted = 1;
  uint32_t axis;
  PN_TRY(pn_call_wants_result(call, op, 0, x->rank, x->dims));
  PN_TRY(pn_call_wants_elements(call, op, 2, "zero_point", scales));
  *g = (granularity){.whole = scales == 1 && block == 0, .shared_inner = block == 0, .inner = 1, .block = block};
  if (g->whole) return PELTON_OK;
  PN_TRY(pn_axes_resolve(call->diag, op, &axis_in, 1, x->rank, &axis));
  g->extent = x->dims[axis];
  for (uint32_t i = axis + 1; i < x->rank; i++) g->inner *= x->dims[i];
  wanted = g->extent;
  if (block > 0) {
    g->blocks = g->extent / block + (g->extent % block != 0);
    wanted = g->blocks;
    for (uint32_t i = 0; i < x->rank; i++)
      if (i != axis) wanted *= x->dims[i];
  }
  return pn_call_wants_elements(call, op, 1, "scale", wanted);
}

/* |value| as an integer of |dtype|, half to even, at the ends of its range when it lies outside. NaN gives |zero|. */
static int64_t saturate(double value, double zero, pelton_dtype dtype) {
  uint32_t bits = pn_dtype_bits(dtype);
  bool is_signed = pn_dtype_is_signed(dtype);
  double least = is_signed ? -ldexp(1, (int)bits - 1) : 0, greatest = ldexp(1, (int)bits - is_signed) - 1;
  double rounded = isnan(value) ? zero : rint(value) + zero;
  return (int64_t)(rounded < least ? least : rounded > greatest ? greatest : rounded);
}

/* A zero point is rarely given for low floats, and 0 then; adding that would lose the sign of -0. */
static void store_low_float(pn_tensor *y, int64_t i, double value, double zero, bool saturated) {
  pn_cast_mode mode = saturated ? PN_CAST_DEFAULT : PN_CAST_OVERFLOW;
  ((uint8_t *)y->data)[i] = pn_low_float_from_f64(y->dtype, zero == 0 ? value : value + zero, mode);
}

pelton_status pn_reference_quantize(const pn_call *call) {
  const pn_attrs_quantize *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  pn_tensor *y = &call->out[0];
  bool wide = x->dtype == PELTON_DTYPE_F64;
  granularity g;
  PN_TRY(resolve(call, "quantize", attrs->axis, attrs->block, &g));
  int64_t elements = pn_tensor_elements(x);
  for (int64_t i = 0; i < elements; i++) {
    int64_t at = scale_index(&g, i);
    double value = pn_tensor_get_f64(x, i), scale = pn_tensor_get_f64(&call->in[1], at);
    double zero = pn_call_has(call, 2) ? pn_tensor_get_f64(&call->in[2], at) : 0;
    double quotient = wide ? value / scale : (double)((float)value / (float)scale);
    if (pn_dtype_is_low_float(y->dtype)) store_low_float(y, i, quotient, zero, attrs->saturate);
    else pn_tensor_set_i64(y, i, saturate(quotient, zero, y->dtype));
  }
  return PELTON_OK;
}

pelton_status pn_reference_dequantize(const pn_call *call) {
  const pn_attrs_dequantize *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  granularity g;
  PN_TRY(resolve(call, "dequantize", attrs->axis, attrs->block, &g));
  int64_t elements = pn_tensor_elements(x);
  for (int64_t i = 0; i < elements; i++) {
    int64_t at = scale_index(&g, i);
    double zero = pn_call_has(call, 2) ? pn_tensor_get_f64(&call->in[2], at) : 0;
    pn_tensor_set_f64(&call->out[0], i, (pn_tensor_get_f64(x, i) - zero) * pn_tensor_get_f64(&call->in[1], at));
  }
  return PELTON_OK;
}

pelton_status pn_reference_dynamic_quantize(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  const float *values = x->data;
  int64_t elements = pn_tensor_elements(x);
  float least = 0, greatest = 0; /* the range takes in 0, so that 0 is represented exactly */
  PN_TRY(pn_call_wants_result(call, "dynamic_quantize", 0, x->rank, x->dims));
  for (uint32_t i = 1; i <= 2; i++)
    if (call->out[i].data) PN_TRY(pn_call_wants_result(call, "dynamic_quantize", i, 0, NULL));
  for (int64_t i = 0; i < elements; i++) {
    least = values[i] < least ? values[i] : least;
    greatest = values[i] > greatest ? values[i] : greatest;
  }
  float scale = (greatest == least ? 1.0f : greatest - least) / 255.0f;
  double zero = (double)saturate((double)(-least / scale), 0, PELTON_DTYPE_U8);
  for (int64_t i = 0; call->out[0].data && i < elements; i++)
    ((uint8_t *)call->out[0].data)[i] = (uint8_t)saturate((double)(values[i] / scale), zero, PELTON_DTYPE_U8);
  if (call->out[1].data) ((float *)call->out[1].data)[0] = scale;
  if (call->out[2].data) ((uint8_t *)call->out[2].data)[0] = (uint8_t)zero;
  return PELTON_OK;
}
