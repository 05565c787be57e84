#include "data/tensor.h"

#include "data/low_bits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t tensor_count(const pelton_shape *shape) {
  size_t count = 1;
  for (uint32_t d = 0; d < shape->rank; d++) count *= (size_t)shape->dims[d];
  return count;
}

bool shape_equal(const pelton_shape *a, const pelton_shape *b) {
  if (a->rank != b->rank) return false;
  for (uint32_t d = 0; d < a->rank; d++)
    if (a->dims[d] != b->dims[d]) return false;
  return true;
}

bool dtype_is_float(pelton_dtype dtype) {
  return (dtype >= PELTON_DTYPE_F32 && dtype <= PELTON_DTYPE_F64) || is_low_float(dtype);
}

bool tensor_create(pelton_tensor *out, pelton_dtype dtype, const pelton_shape *shape) {
  size_t bytes = pelton_dtype_bytes(dtype);
  bool empty = false;
  *out = (pelton_tensor){dtype, *shape, NULL, 0};
  for (uint32_t d = 0; d < shape->rank; d++) empty |= shape->dims[d] == 0;
  for (uint32_t d = 0; d < shape->rank && !empty; d++) {
    if (shape->dims[d] < 0 || (uint64_t)shape->dims[d] > (SIZE_MAX / 2) / bytes) {
      print_error("a tensor of %s is more than memory can address", format_shape(shape).text);
      return false;
    }
    bytes *= (size_t)shape->dims[d];
  }
  out->bytes = empty ? 0 : bytes;
  out->data = memory_new(out->bytes, 1);
  return true;
}

bool tensor_create_texts(pelton_tensor *out, const pelton_shape *shape, size_t text_bytes, char **text) {
  if (!tensor_create(out, PELTON_DTYPE_STRING, shape)) return false;
  free(out->data);
  out->data = memory_new(out->bytes + text_bytes, 1);
  *text = (char *)out->data + out->bytes;
  return true;
}

void tensor_release(pelton_tensor *t) {
  for (size_t i = 0; t->data && i < tensor_item_count(t); i++) {
    pelton_tensor *item = ((pelton_tensor **)t->data)[i];
    if (item) tensor_release(item);
    free(item);
  }
  free(t->data);
  t->data = NULL;
}

/* ---- sequences and optionals ---------------------------------------------------------------------------------------
 */

size_t tensor_item_count(const pelton_tensor *t) {
  return t->dtype == PELTON_DTYPE_TENSOR && t->shape.rank == 1 ? (size_t)t->shape.dims[0] : 0;
}

const pelton_tensor *tensor_item(const pelton_tensor *t, size_t i) {
  return ((const pelton_tensor *const *)t->data)[i];
}

void tensor_add_item(pelton_tensor *t, const pelton_tensor *item) {
  const size_t count = tensor_item_count(t);
  pelton_tensor **items = memory_grow(t->data, count + 1, sizeof *items);
  items[count] = memory_new(1, sizeof *item);
  *items[count] = *item;
  *t = (pelton_tensor){PELTON_DTYPE_TENSOR, {1, {(int64_t)count + 1}}, items, (count + 1) * sizeof *items};
}

static bool copy_items(pelton_tensor *out, const pelton_tensor *from) {
  *out = (pelton_tensor){PELTON_DTYPE_TENSOR, {1, {0}}, NULL, 0};
  for (size_t i = 0; i < tensor_item_count(from); i++) {
    pelton_tensor item;
    if (!tensor_copy(&item, tensor_item(from, i))) {
      tensor_release(out);
      return false;
    }
    tensor_add_item(out, &item);
  }
  return true;
}

/* ---- copies --------------------------------------------------------------------------------------------------------
 */

static bool copy_texts(pelton_tensor *out, const pelton_tensor *from) {
  const pelton_string *texts = from->data;
  const size_t count = tensor_count(&from->shape);
  size_t bytes = 0;
  char *to;
  for (size_t i = 0; i < count; i++) bytes += (size_t)texts[i].bytes;
  if (!tensor_create_texts(out, &from->shape, bytes, &to)) return false;
  for (size_t i = 0; i < count; i++) {
    if (texts[i].bytes) memcpy(to, texts[i].data, (size_t)texts[i].bytes);
    ((pelton_string *)out->data)[i] = (pelton_string){to, texts[i].bytes};
    to += texts[i].bytes;
  }
  return true;
}

bool tensor_copy(pelton_tensor *out, const pelton_tensor *from) {
  if (from->dtype == PELTON_DTYPE_TENSOR) return copy_items(out, from);
  if (from->dtype == PELTON_DTYPE_STRING) return copy_texts(out, from);
  if (!tensor_create(out, from->dtype, &from->shape)) return false;
  memcpy(out->data, from->data, out->bytes);
  return true;
}

/* ---- elements ------------------------------------------------------------------------------------------------------
 */

static double from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

static double from_half(uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  double value = exponent == 31 ? (mantissa ? (double)NAN : (double)INFINITY)
                 : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                : ldexp(mantissa, -24);
  return h >> 15 ? -value : value;
}

/* Rounded to nearest even at the precision of a half, whatever its exponent. */
static uint16_t to_half(double value) {
  const uint16_t sign = signbit(value) ? 0x8000 : 0;
  const double size = fabs(value);
  if (isnan(value)) return sign | 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < ldexp(1, -14))
    return (uint16_t)(sign | (uint16_t)nearbyint(ldexp(size, 24))); /* 1024 is the least normal */
  int exponent;
  const double fraction = frexp(size, &exponent);                     /* in [0.5, 1) */
  const uint32_t mantissa = (uint32_t)nearbyint(ldexp(fraction, 11)); /* 1024 to 2048 */
  return (uint16_t)(sign | (uint16_t)(((uint32_t)(exponent + 14) << 10) + mantissa - 1024));
}

static uint16_t to_bf16(double value) {
  const float single = (float)value;
  uint32_t bits;
  memcpy(&bits, &single, sizeof bits);
  if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double tensor_get(const pelton_tensor *t, size_t i) {
  switch (t->dtype) {
  case PELTON_DTYPE_F32: return (double)((const float *)t->data)[i];
  case PELTON_DTYPE_F16: return from_half(((const uint16_t *)t->data)[i]);
  case PELTON_DTYPE_BF16: return from_bits((uint32_t)((const uint16_t *)t->data)[i] << 16);
  case PELTON_DTYPE_F64: return ((const double *)t->data)[i];
  case PELTON_DTYPE_I8: return ((const int8_t *)t->data)[i];
  case PELTON_DTYPE_U8: return ((const uint8_t *)t->data)[i];
  case PELTON_DTYPE_I16: return ((const int16_t *)t->data)[i];
  case PELTON_DTYPE_U16: return ((const uint16_t *)t->data)[i];
  case PELTON_DTYPE_I32: return ((const int32_t *)t->data)[i];
  case PELTON_DTYPE_U32: return ((const uint32_t *)t->data)[i];
  case PELTON_DTYPE_I64: return (double)((const int64_t *)t->data)[i];
  case PELTON_DTYPE_U64: return (double)((const uint64_t *)t->data)[i];
  case PELTON_DTYPE_BOOL: return ((const uint8_t *)t->data)[i] != 0;
  case PELTON_DTYPE_F8E4M3FN:
  case PELTON_DTYPE_F8E4M3FNUZ:
  case PELTON_DTYPE_F8E5M2:
  case PELTON_DTYPE_F8E5M2FNUZ:
  case PELTON_DTYPE_F8E8M0:
  case PELTON_DTYPE_F4E2M1: return low_float_get(t->dtype, ((const uint8_t *)t->data)[i]);
  case PELTON_DTYPE_I4: return ((((const uint8_t *)t->data)[i] & 15) ^ 8) - 8;
  case PELTON_DTYPE_U4: return ((const uint8_t *)t->data)[i] & 15;
  case PELTON_DTYPE_I2: return ((((const uint8_t *)t->data)[i] & 3) ^ 2) - 2;
  case PELTON_DTYPE_U2: return ((const uint8_t *)t->data)[i] & 3;
  case PELTON_DTYPE_STRING:
  case PELTON_DTYPE_TENSOR:
  case PELTON_DTYPE_NONE:
  case PELTON_DTYPE_COUNT: break;
  }
  return NAN;
}

static double limit(double value, double low, double high) {
  if (isnan(value)) return 0;
  value = nearbyint(value);
  return value < low ? low : value > high ? high : value;
}

void tensor_set(pelton_tensor *t, size_t i, double value) {
  switch (t->dtype) {
  case PELTON_DTYPE_F32: ((float *)t->data)[i] = (float)value; break;
  case PELTON_DTYPE_F16: ((uint16_t *)t->data)[i] = to_half(value); break;
  case PELTON_DTYPE_BF16: ((uint16_t *)t->data)[i] = to_bf16(value); break;
  case PELTON_DTYPE_F64: ((double *)t->data)[i] = value; break;
  case PELTON_DTYPE_I8: ((int8_t *)t->data)[i] = (int8_t)limit(value, INT8_MIN, INT8_MAX); break;
  case PELTON_DTYPE_U8: ((uint8_t *)t->data)[i] = (uint8_t)limit(value, 0, UINT8_MAX); break;
  case PELTON_DTYPE_I16: ((int16_t *)t->data)[i] = (int16_t)limit(value, INT16_MIN, INT16_MAX); break;
  case PELTON_DTYPE_U16: ((uint16_t *)t->data)[i] = (uint16_t)limit(value, 0, UINT16_MAX); break;
  case PELTON_DTYPE_I32: ((int32_t *)t->data)[i] = (int32_t)limit(value, INT32_MIN, INT32_MAX); break;
  case PELTON_DTYPE_U32: ((uint32_t *)t->data)[i] = (uint32_t)limit(value, 0, UINT32_MAX); break;
  case PELTON_DTYPE_I64:
    ((int64_t *)t->data)[i] = (int64_t)limit(value, -9223372036854775808.0, 9223372036854774784.0);
    break;
  case PELTON_DTYPE_U64: ((uint64_t *)t->data)[i] = (uint64_t)limit(value, 0, 18446744073709549568.0); break;
  case PELTON_DTYPE_BOOL: ((uint8_t *)t->data)[i] = value != 0; break;
  case PELTON_DTYPE_F8E4M3FN:
  case PELTON_DTYPE_F8E4M3FNUZ:
  case PELTON_DTYPE_F8E5M2:
  case PELTON_DTYPE_F8E5M2FNUZ:
  case PELTON_DTYPE_F8E8M0:
  case PELTON_DTYPE_F4E2M1: ((uint8_t *)t->data)[i] = low_float_set(t->dtype, value); break;
  case PELTON_DTYPE_I4: ((int8_t *)t->data)[i] = (int8_t)limit(value, -8, 7); break;
  case PELTON_DTYPE_U4: ((uint8_t *)t->data)[i] = (uint8_t)limit(value, 0, 15); break;
  case PELTON_DTYPE_I2: ((int8_t *)t->data)[i] = (int8_t)limit(value, -2, 1); break;
  case PELTON_DTYPE_U2: ((uint8_t *)t->data)[i] = (uint8_t)limit(value, 0, 3); break;
  case PELTON_DTYPE_STRING:
  case PELTON_DTYPE_TENSOR:
  case PELTON_DTYPE_NONE:
  case PELTON_DTYPE_COUNT: break;
  }
}

bool tensor_convert(pelton_tensor *out, pelton_dtype dtype, const pelton_tensor *from) {
  if ((dtype == PELTON_DTYPE_STRING) != (from->dtype == PELTON_DTYPE_STRING)) {
    print_error("elements of type %s cannot become %s", pelton_dtype_name(from->dtype), pelton_dtype_name(dtype));
    return false;
  }
  if (dtype == PELTON_DTYPE_STRING) return copy_texts(out, from);
  if (!tensor_create(out, dtype, &from->shape)) return false;
  const size_t count = tensor_count(&from->shape);
  for (size_t i = 0; i < count; i++) tensor_set(out, i, tensor_get(from, i));
  return true;
}

/* ---- whole tensors -------------------------------------------------------------------------------------------------
 */

/* splitmix64 */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static const char *const words[] = {"the",  "of",    "and",  "water", "wheel", "stream", "river", "stone",
                                    "mill", "light", "work", "turn",  "fall",  "high",   "Old",   "day"};

void tensor_fill_random(pelton_tensor *t, uint64_t seed) {
  const size_t count = tensor_count(&t->shape);
  for (size_t i = 0; i < count && t->dtype == PELTON_DTYPE_STRING; i++) {
    const char *word = words[next_random(&seed) >> 60];
    ((pelton_string *)t->data)[i] = (pelton_string){word, strlen(word)};
  }
  for (size_t i = 0; i < count; i++) {
    const uint64_t bits = next_random(&seed);
    if (dtype_is_float(t->dtype))
      tensor_set(t, i, ldexp((double)(bits >> 40), -23) - 1);
    else if (t->dtype == PELTON_DTYPE_I8)
      tensor_set(t, i, (double)(bits >> 56) - 128);
    else if (t->dtype == PELTON_DTYPE_U8)
      tensor_set(t, i, (double)(bits >> 56));
    else if (t->dtype == PELTON_DTYPE_I4)
      tensor_set(t, i, (double)(bits >> 60) - 8);
    else if (t->dtype == PELTON_DTYPE_I2)
      tensor_set(t, i, (double)(bits >> 62) - 2);
    else if (t->dtype == PELTON_DTYPE_U4)
      tensor_set(t, i, (double)(bits >> 60));
    else if (t->dtype == PELTON_DTYPE_BOOL)
      tensor_set(t, i, (double)(bits >> 63));
    else
      tensor_set(t, i, (double)(bits >> 62));
  }
}

tensor_summary tensor_summarize(const pelton_tensor *t) {
  tensor_summary s = {INFINITY, -INFINITY, 0, 0};
  const size_t count = tensor_count(&t->shape);
  for (size_t i = 0; i < count; i++) {
    const double value = tensor_get(t, i);
    if (!isfinite(value)) {
      s.not_finite++;
      continue;
    }
    s.min = fmin(s.min, value);
    s.max = fmax(s.max, value);
    s.mean += value;
  }
  if (count > s.not_finite)
    s.mean /= (double)(count - s.not_finite);
  else
    s.min = s.max = s.mean = NAN;
  return s;
}

shape_text format_shape(const pelton_shape *shape) {
  shape_text out = {"scalar"};
  size_t n = 0;
  for (uint32_t d = 0; d < shape->rank && d < PELTON_MAX_RANK; d++) {
    const char *separator = d ? "x" : "";
    n += (size_t)(shape->dims[d] < 0
                      ? snprintf(out.text + n, sizeof out.text - n, "%s?", separator)
                      : snprintf(out.text + n, sizeof out.text - n, "%s%lld", separator, (long long)shape->dims[d]));
  }
  return out;
}

char *file_name_of(const char *name) {
  static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  char *out = memory_text(name);
  for (char *c = out; *c; c++)
    if (!strchr(kept, *c)) *c = '_';
  return out;
}
