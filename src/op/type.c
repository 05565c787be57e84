/* Types of values, elements of tensors, and the two 16-bit floats.

   f16 and bf16 are rounded by one routine that looks at a double's bits: every f32 is exactly a double, so that both
   sources are rounded once, to nearest even, with denormals, infinities and NaN as the hardware's conversions have
   them. Kernels have their own, quicker conversions; this one is the definition. */
#include "op/type.h"

#include <math.h>

/* ---- types ----------------------------------------------------------------------------------------------------- */

pn_type pn_type_make(pelton_dtype dtype, uint32_t rank, const int64_t *dims) {
  pn_type type = {.dtype = dtype, .rank = (int32_t)rank};
  for (uint32_t i = 0; i < rank && i < PN_MAX_RANK; i++) type.dims[i] = pn_dim_of(dims[i]);
  return type;
}

bool pn_type_equal(const pn_type *a, const pn_type *b) {
  if (!pn_type_same_elements(a, b) || a->boxes.optional != b->boxes.optional || a->rank != b->rank) return false;
  for (int32_t i = 0; i < a->rank; i++)
    if (!pn_dim_equal(a->dims[i], b->dims[i])) return false;
  return true;
}

bool pn_type_is_static(const pn_type *type) {
  if (type->rank < 0) return false;
  for (int32_t i = 0; i < type->rank; i++)
    if (!pn_dim_is_number(type->dims[i])) return false;
  return true;
}

pn_dim pn_type_elements(pn_symbols *symbols, const pn_type *type) {
  if (type->rank < 0) return pn_dim_fresh(symbols);
  pn_dim count = pn_dim_of(1);
  for (int32_t i = 0; i < type->rank; i++) count = pn_dim_mul(symbols, count, type->dims[i]);
  return count;
}

void pn_type_print(const pn_symbols *symbols, const pn_type *type, pn_text *out) {
  if (type->dtype == PELTON_DTYPE_NONE) pn_text_add(out, PN_STR("?"));
  else pn_type_print_elements(type, out);
  pn_text_add(out, PN_STR("["));
  if (type->rank < 0) pn_text_add(out, PN_STR("*"));
  for (int32_t i = 0; i < type->rank; i++) {
    if (i) pn_text_add(out, PN_STR(","));
    pn_dim_print(symbols, type->dims[i], out);
  }
  pn_text_add(out, PN_STR("]"));
}

/* ---- boxes ----------------------------------------------------------------------------------------------------- */

bool pn_type_same_elements(const pn_type *a, const pn_type *b) {
  return a->dtype == b->dtype && a->boxes.depth == b->boxes.depth && a->boxes.item == b->boxes.item;
}

void pn_type_take_elements(pn_type *type, const pn_type *from) {
  type->dtype = from->dtype;
  type->boxes = from->boxes;
}

bool pn_type_box(const pn_type *item, pn_dim length, bool optional, pn_type *out) {
  const bool boxed = item->dtype == PELTON_DTYPE_TENSOR;
  const uint8_t depth = boxed ? (uint8_t)(item->boxes.depth + 1) : 1;
  const pelton_dtype innermost = boxed ? item->boxes.item : item->dtype;
  if (depth > PN_MAX_BOXES) return false;
  *out = (pn_type){.dtype = PELTON_DTYPE_TENSOR, .rank = 1, .dims = {length}, .boxes = {depth, optional, innermost}};
  return true;
}

pn_type pn_type_unbox(pn_symbols *symbols, const pn_type *type) {
  if (type->boxes.depth <= 1) return (pn_type){.dtype = type->boxes.item, .rank = PN_RANK_UNKNOWN};
  return (pn_type){.dtype = PELTON_DTYPE_TENSOR,
                   .rank = 1,
                   .dims = {pn_dim_fresh(symbols)},
                   .boxes = {(uint8_t)(type->boxes.depth - 1), false, type->boxes.item}};
}

bool pn_type_boxes_valid(const pn_type *type) {
  const pn_boxes *b = &type->boxes;
  if (type->dtype != PELTON_DTYPE_TENSOR) return b->depth == 0 && !b->optional && b->item == PELTON_DTYPE_NONE;
  return type->rank == 1 && b->depth >= 1 && b->depth <= PN_MAX_BOXES && b->item > PELTON_DTYPE_NONE &&
         b->item < PELTON_DTYPE_COUNT && b->item != PELTON_DTYPE_TENSOR;
}

void pn_type_print_elements(const pn_type *type, pn_text *out) {
  if (type->dtype != PELTON_DTYPE_TENSOR) {
    pn_text_add(out, pn_str_from(pelton_dtype_name(type->dtype)));
    return;
  }
  for (uint32_t i = 0; i < type->boxes.depth; i++)
    pn_text_add(out, i == 0 && type->boxes.optional ? PN_STR("optional<") : PN_STR("tensor<"));
  pn_text_add(out, pn_str_from(pelton_dtype_name(type->boxes.item)));
  for (uint32_t i = 0; i < type->boxes.depth; i++) pn_text_add(out, PN_STR(">"));
}

static bool take(pn_str *text, const char *prefix) {
  if (!pn_str_starts(*text, prefix)) return false;
  text->data += strlen(prefix);
  text->size -= strlen(prefix);
  return true;
}

bool pn_type_parse_elements(pn_str *text, pn_type *out) {
  pn_str rest = *text;
  pn_boxes boxes = {0, false, PELTON_DTYPE_NONE};
  pelton_dtype dtype;
  for (;; boxes.depth++) {
    const bool optional = boxes.depth == 0 && take(&rest, "optional<");
    if (!optional && !take(&rest, "tensor<")) break;
    boxes.optional |= optional;
    if (boxes.depth == PN_MAX_BOXES) return false;
  }
  size_t size = 0;
  while (size < rest.size && ((rest.data[size] >= 'a' && rest.data[size] <= 'z') ||
                              (rest.data[size] >= '0' && rest.data[size] <= '9')))
    size++;
  if (!pn_dtype_parse((pn_str){rest.data, size}, &dtype) || dtype == PELTON_DTYPE_TENSOR) return false;
  rest.data += size;
  rest.size -= size;
  for (uint32_t i = 0; i < boxes.depth; i++)
    if (!take(&rest, ">")) return false;
  if (boxes.depth > 0) {
    boxes.item = dtype;
    dtype = PELTON_DTYPE_TENSOR;
  }
  out->dtype = dtype;
  out->boxes = boxes;
  *text = rest;
  return true;
}

/* ---- concrete dims --------------------------------------------------------------------------------------------- */

int64_t pn_tensor_elements(const pn_tensor *tensor) {
  int64_t count = 1;
  for (uint32_t i = 0; i < tensor->rank; i++) count *= tensor->dims[i];
  return count;
}

bool pn_dims_elements(uint32_t rank, const int64_t *dims, size_t element_bytes, int64_t *out) {
  const int64_t limit = INT64_C(1) << 62;
  int64_t bytes = (int64_t)element_bytes, count = 1;
  bool empty = false;
  if (element_bytes > (size_t)limit) return false;
  for (uint32_t i = 0; i < rank; i++) {
    if (dims[i] < 0) return false;
    if (dims[i] == 0) {
      empty = true; /* but the other extents must make sense all the same: strides are products of them */
      continue;
    }
    if (!pn_mul_i64(bytes, dims[i], &bytes) || bytes > limit) return false;
    if (!pn_mul_i64(count, dims[i], &count)) return false;
  }
  *out = empty ? 0 : count;
  return true;
}

void pn_dims_strides(uint32_t rank, const int64_t *dims, int64_t *strides) {
  int64_t stride = 1;
  for (uint32_t i = rank; i-- > 0;) {
    strides[i] = stride;
    stride *= dims[i] > 0 ? dims[i] : 1;
  }
}

/* ---- dtypes ---------------------------------------------------------------------------------------------------- */

bool pn_dtype_is_float(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_F64 || dtype == PELTON_DTYPE_F32 || dtype == PELTON_DTYPE_F16 ||
         dtype == PELTON_DTYPE_BF16 || pn_dtype_is_low_float(dtype);
}

bool pn_dtype_is_wide_float(pelton_dtype dtype) { return pn_dtype_is_float(dtype) && !pn_dtype_is_low_float(dtype); }

bool pn_dtype_is_signed(pelton_dtype dtype) {
  if (pn_dtype_is_float(dtype)) return dtype != PELTON_DTYPE_F8E8M0;
  return dtype == PELTON_DTYPE_I2 || dtype == PELTON_DTYPE_I4 || dtype == PELTON_DTYPE_I8 ||
         dtype == PELTON_DTYPE_I16 || dtype == PELTON_DTYPE_I32 || dtype == PELTON_DTYPE_I64;
}

bool pn_dtype_is_integer(pelton_dtype dtype) {
  return (dtype >= PELTON_DTYPE_I8 && dtype <= PELTON_DTYPE_U64) ||
         (dtype >= PELTON_DTYPE_I4 && dtype <= PELTON_DTYPE_U2);
}

bool pn_dtype_points(pelton_dtype dtype) { return dtype == PELTON_DTYPE_STRING || dtype == PELTON_DTYPE_TENSOR; }

bool pn_dtype_parse(pn_str text, pelton_dtype *out) {
  for (int dtype = PELTON_DTYPE_NONE + 1; dtype < PELTON_DTYPE_COUNT; dtype++)
    if (pn_str_is(text, pelton_dtype_name((pelton_dtype)dtype))) {
      *out = (pelton_dtype)dtype;
      return true;
    }
  return false;
}

/* ---- elements -------------------------------------------------------------------------------------------------- */

static const void *element(const pn_tensor *tensor, int64_t index) {
  return (const uint8_t *)tensor->data + (size_t)index * pelton_dtype_bytes(tensor->dtype);
}

static void *element_mutable(pn_tensor *tensor, int64_t index) {
  return (uint8_t *)tensor->data + (size_t)index * pelton_dtype_bytes(tensor->dtype);
}

int64_t pn_tensor_get_i64(const pn_tensor *tensor, int64_t index) {
  const void *p = element(tensor, index);
  switch (tensor->dtype) {
  case PELTON_DTYPE_I8: return *(const int8_t *)p;
  case PELTON_DTYPE_U8: return *(const uint8_t *)p;
  case PELTON_DTYPE_BOOL: return *(const uint8_t *)p != 0;
  case PELTON_DTYPE_I16: return (int16_t)pn_load_u16(p);
  case PELTON_DTYPE_U16: return pn_load_u16(p);
  case PELTON_DTYPE_I32: return (int32_t)pn_load_u32(p);
  case PELTON_DTYPE_U32: return pn_load_u32(p);
  case PELTON_DTYPE_I64:
  case PELTON_DTYPE_U64: return (int64_t)pn_load_u64(p);
  case PELTON_DTYPE_I4:
  case PELTON_DTYPE_U4:
  case PELTON_DTYPE_I2:
  case PELTON_DTYPE_U2: return pn_dtype_wrap(tensor->dtype, *(const uint8_t *)p);
  case PELTON_DTYPE_STRING:
  case PELTON_DTYPE_TENSOR: return 0;
  default: return pn_i64_from_f64(pn_tensor_get_f64(tensor, index));
  }
}

void pn_tensor_set_i64(pn_tensor *tensor, int64_t index, int64_t value) {
  void *p = element_mutable(tensor, index);
  switch (tensor->dtype) {
  case PELTON_DTYPE_I8:
  case PELTON_DTYPE_U8: *(uint8_t *)p = (uint8_t)value; return;
  case PELTON_DTYPE_BOOL: *(uint8_t *)p = value != 0; return;
  case PELTON_DTYPE_I16:
  case PELTON_DTYPE_U16: memcpy(p, &(uint16_t){(uint16_t)value}, 2); return;
  case PELTON_DTYPE_I32:
  case PELTON_DTYPE_U32: memcpy(p, &(uint32_t){(uint32_t)value}, 4); return;
  case PELTON_DTYPE_I64:
  case PELTON_DTYPE_U64: memcpy(p, &value, 8); return;
  case PELTON_DTYPE_I4:
  case PELTON_DTYPE_U4:
  case PELTON_DTYPE_I2:
  case PELTON_DTYPE_U2: *(uint8_t *)p = (uint8_t)pn_dtype_wrap(tensor->dtype, value); return;
  case PELTON_DTYPE_STRING:
  case PELTON_DTYPE_TENSOR: return;
  default: pn_tensor_set_f64(tensor, index, (double)value); return;
  }
}

double pn_tensor_get_f64(const pn_tensor *tensor, int64_t index) {
  const void *p = element(tensor, index);
  float f32;
  double f64;
  if (pn_dtype_is_low_float(tensor->dtype)) return pn_low_float_to_f64(tensor->dtype, *(const uint8_t *)p);
  switch (tensor->dtype) {
  case PELTON_DTYPE_F64: memcpy(&f64, p, 8); return f64;
  case PELTON_DTYPE_F32: memcpy(&f32, p, 4); return (double)f32;
  case PELTON_DTYPE_F16: return (double)pn_f16_to_f32(pn_load_u16(p));
  case PELTON_DTYPE_BF16: return (double)pn_bf16_to_f32(pn_load_u16(p));
  case PELTON_DTYPE_U64: return (double)pn_load_u64(p);
  default: return (double)pn_tensor_get_i64(tensor, index);
  }
}

void pn_tensor_set_f64(pn_tensor *tensor, int64_t index, double value) {
  void *p = element_mutable(tensor, index);
  if (pn_dtype_is_low_float(tensor->dtype)) {
    *(uint8_t *)p = pn_low_float_nearest(tensor->dtype, value);
    return;
  }
  switch (tensor->dtype) {
  case PELTON_DTYPE_F64: memcpy(p, &value, 8); return;
  case PELTON_DTYPE_F32: memcpy(p, &(float){(float)value}, 4); return;
  case PELTON_DTYPE_F16: memcpy(p, &(uint16_t){pn_f16_from_f64(value)}, 2); return;
  case PELTON_DTYPE_BF16: memcpy(p, &(uint16_t){pn_bf16_from_f64(value)}, 2); return;
  case PELTON_DTYPE_BOOL: *(uint8_t *)p = value != 0.0; return; /* true for 0.5 and for NaN, as in C */
  case PELTON_DTYPE_U64:
    memcpy(p, &(uint64_t){value < 0 ? (uint64_t)pn_i64_from_f64(value) : pn_u64_from_f64(value)}, 8);
    return;
  default: pn_tensor_set_i64(tensor, index, pn_i64_from_f64(value)); return;
  }
}

double pn_dtype_round(pelton_dtype dtype, double value) {
  switch (dtype) {
  case PELTON_DTYPE_F32: return (double)(float)value;
  case PELTON_DTYPE_F16: return (double)pn_f16_to_f32(pn_f16_from_f64(value));
  case PELTON_DTYPE_BF16: return (double)pn_bf16_to_f32(pn_bf16_from_f64(value));
  default: break;
  }
  return pn_dtype_is_low_float(dtype) ? pn_low_float_to_f64(dtype, pn_low_float_nearest(dtype, value)) : value;
}

int64_t pn_i64_from_f64(double value) {
  if (isnan(value)) return 0;
  if (value >= 0x1p63) return INT64_MAX;
  if (value < -0x1p63) return INT64_MIN;
  return (int64_t)value;
}

uint64_t pn_u64_from_f64(double value) {
  if (isnan(value) || value <= -1.0) return 0;
  if (value >= 0x1p64) return UINT64_MAX;
  return (uint64_t)value;
}

/* ---- 16-bit floats --------------------------------------------------------------------------------------------- */

float pn_f16_to_f32(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1f, fraction = bits & 0x3ffu;
  uint32_t out;
  float value;
  if (exponent == 0x1f) {
    out = sign | 0x7f800000u | (fraction << 13);
  } else if (exponent) {
    out = sign | ((exponent + 112) << 23) | (fraction << 13);
  } else { /* zero or denormal: an exact multiple of 2^-24 */
    value = (float)fraction * 0x1p-24f;
    return sign ? -value : value;
  }
  memcpy(&value, &out, 4);
  return value;
}

float pn_bf16_to_f32(uint16_t bits) {
  uint32_t out = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &out, 4);
  return value;
}

/* |value| as a float of 16 bits with |fraction_bits| of fraction, rounded once to nearest even. */
static uint16_t round_to_16_bits(double value, uint32_t fraction_bits) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  uint32_t exponent_bits = 15 - fraction_bits;
  int32_t bias = (1 << (exponent_bits - 1)) - 1;
  uint32_t sign = (uint32_t)(bits >> 63) << 15, infinity = ((1u << exponent_bits) - 1) << fraction_bits;
  int32_t exponent = (int32_t)((bits >> 52) & 0x7ff);
  uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
  if (exponent == 0x7ff) { /* a NaN keeps the front of its payload and becomes quiet */
    uint32_t payload = (uint32_t)(fraction >> (52 - fraction_bits));
    return (uint16_t)(sign | infinity | (fraction ? payload | (1u << (fraction_bits - 1)) : 0));
  }
  if (exponent == 0) return (uint16_t)sign; /* a double's denormals are far below half of the smallest */
  exponent += bias - 1023;
  uint64_t significand = fraction | (UINT64_C(1) << 52);
  uint32_t drop = 52 - fraction_bits;
  if (exponent <= 0) { /* a denormal result keeps fewer bits */
    drop += (uint32_t)(1 - exponent);
    if (drop > 53) return (uint16_t)sign; /* below half of the smallest denormal */
    exponent = 0;
  } else {
    significand -= UINT64_C(1) << 52; /* the leading one is implied */
  }
  uint64_t kept = significand >> drop, half = UINT64_C(1) << (drop - 1), rest = significand & ((half << 1) - 1);
  uint32_t out = ((uint32_t)exponent << fraction_bits) + (uint32_t)kept;
  if ((uint32_t)exponent >= (infinity >> fraction_bits)) return (uint16_t)(sign | infinity);
  if (rest > half || (rest == half && (out & 1))) out++; /* a carry runs into the exponent, up to infinity: as wanted */
  return (uint16_t)(sign | out);
}

uint16_t pn_f16_from_f64(double value) { return round_to_16_bits(value, 10); }
uint16_t pn_bf16_from_f64(double value) { return round_to_16_bits(value, 7); }
uint16_t pn_f16_from_f32(float value) { return round_to_16_bits((double)value, 10); }
uint16_t pn_bf16_from_f32(float value) { return round_to_16_bits((double)value, 7); }
