/* range: start, start + delta, ... up to but without limit. Integers count exactly; floats in double, as the elements
   do, so that long ranges of f16 do not stall where adding one no longer changes a sum. */
#include "op/operand.h"

#include <math.h>

enum { RANGE_ELEMENTS_LIMIT = INT32_MAX }; /* beyond it a limit is a mistake, and 8 bytes each would not fit */

pelton_status pn_check_range(const pn_infer *c) {
  static const char *const names[3] = {"start", "limit", "delta"};
  if (c->in[0].type.dtype == PELTON_DTYPE_BOOL)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "range: operands are of type bool; they must be numbers");
  for (uint32_t i = 0; i < 3; i++) {
    PN_TRY(pn_operand_wants_scalar(c, "range", i, names[i]));
    PN_TRY(pn_operand_wants_type_of(c, "range", i, names[i], 0));
  }
  return PELTON_OK;
}

static pelton_status refuse(pelton_diag *diag, const char *why) {
  return pn_fail(diag, PELTON_INVALID_DATA, "range: %s", why);
}

/* How many elements; |operands| hold one element each. */
static pelton_status range_count(const pn_tensor *operands, pelton_diag *diag, int64_t *out) {
  static const char *const too_long = "more than 2^31 elements; bring limit nearer or take a larger delta";
  *out = 0;
  if (pn_dtype_is_float(operands[0].dtype)) {
    double delta = pn_tensor_get_f64(&operands[2], 0);
    double count = ceil((pn_tensor_get_f64(&operands[1], 0) - pn_tensor_get_f64(&operands[0], 0)) / delta);
    if (delta == 0 || isnan(count)) return refuse(diag, "delta is 0, or an operand is no number");
    if (count > RANGE_ELEMENTS_LIMIT) return refuse(diag, too_long);
    if (count > 0) *out = (int64_t)count;
    return PELTON_OK;
  }
  int64_t start = pn_tensor_get_i64(&operands[0], 0), limit = pn_tensor_get_i64(&operands[1], 0);
  int64_t delta = pn_tensor_get_i64(&operands[2], 0);
  if (delta == 0) return refuse(diag, "delta is 0");
  bool is_u64 = operands[0].dtype == PELTON_DTYPE_U64, up = is_u64 || delta > 0;
  bool empty = is_u64 ? (uint64_t)start >= (uint64_t)limit : up ? start >= limit : start <= limit;
  if (empty) return PELTON_OK;
  uint64_t span = up ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
  uint64_t step = up ? (uint64_t)delta : (uint64_t)0 - (uint64_t)delta;
  uint64_t count = span / step + (span % step != 0);
  if (count > RANGE_ELEMENTS_LIMIT) return refuse(diag, too_long);
  *out = (int64_t)count;
  return PELTON_OK;
}

/* The operands as tensors, when their data are known now: from data of any type or, for integers, from contents. */
static bool range_operands(const pn_infer *c, pn_tensor *operands, int64_t *numbers) {
  for (uint32_t i = 0; i < 3; i++) {
    const int64_t *number;
    uint32_t count;
    operands[i] = (pn_tensor){.dtype = c->in[i].type.dtype};
    if (c->in[i].data) {
      numbers[i] = 0;
      memcpy(&numbers[i], c->in[i].data, pelton_dtype_bytes(operands[i].dtype));
    } else {
      if (!pn_infer_numbers(c, i, &number, &count) || count != 1) return false;
      operands[i].data = &numbers[i];
      pn_tensor_set_i64(&operands[i], 0, number[0]);
    }
    operands[i].data = &numbers[i];
  }
  return true;
}

static pelton_status range_content(const pn_infer *c, const pn_tensor *operands, int64_t count) {
  pn_dim content[PN_CONTENT_ELEMENTS];
  if (count > PN_CONTENT_ELEMENTS || !pn_dtype_is_integer(operands[0].dtype)) return PELTON_OK;
  int64_t start = pn_tensor_get_i64(&operands[0], 0), delta = pn_tensor_get_i64(&operands[2], 0);
  for (int64_t i = 0; i < count; i++)
    content[i] = pn_dim_of((int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)delta));
  return pn_content_give(c, 0, content, (uint32_t)count);
}

pelton_status pn_infer_range(const pn_infer *c) {
  pn_type *y = &c->out[0].type;
  pn_tensor operands[3];
  int64_t numbers[3], count;
  const pn_dim *start, *limit, *delta;
  uint32_t start_count, limit_count, delta_count;
  *y = (pn_type){.dtype = c->in[0].type.dtype, .rank = 1};
  if (range_operands(c, operands, numbers)) {
    PN_TRY(range_count(operands, c->diag, &count));
    y->dims[0] = pn_dim_of(count);
    return range_content(c, operands, count);
  }
  bool known = pn_infer_content(c, 0, &start, &start_count) && pn_infer_content(c, 1, &limit, &limit_count) &&
               pn_infer_content(c, 2, &delta, &delta_count) && start_count == 1 && limit_count == 1 && delta_count == 1;
  if (!known || !pn_dim_is_number(*delta) || delta->number < 1) {
    y->dims[0] = pn_dim_fresh(c->symbols);
    return PELTON_OK;
  }
  pn_dim span = *limit;
  if (!pn_dim_is(*start, 0)) span = pn_dim_sub(c->symbols, *limit, *start);
  if (pn_dim_lower(c->symbols, span) < 0) span = pn_dim_max(c->symbols, span, pn_dim_of(0));
  y->dims[0] = pn_dim_ceil_div(c->symbols, span, *delta);
  return PELTON_OK;
}

#define COUNT_FLOATS(type)                                                                       \
  static void count_##type(int64_t count, double start, double delta, void *to) {               \
    for (int64_t i = 0; i < count; i++) ((type *)to)[i] = (type)(start + (double)i * delta);     \
  }
#define COUNT_INTEGERS(type)                                                                     \
  static void count_##type(int64_t count, uint64_t start, uint64_t delta, void *to) {           \
    for (int64_t i = 0; i < count; i++, start += delta) ((type *)to)[i] = (type)start;           \
  }
COUNT_FLOATS(float)
COUNT_FLOATS(double)
COUNT_INTEGERS(uint32_t)
COUNT_INTEGERS(uint64_t)

pelton_status pn_reference_range(const pn_call *call) {
  pn_tensor *y = &call->out[0];
  int64_t count;
  PN_TRY(range_count(call->in, call->diag, &count));
  PN_TRY(pn_call_wants_result(call, "range", 0, 1, &count));
  if (pn_dtype_is_float(y->dtype)) {
    double start = pn_tensor_get_f64(&call->in[0], 0), delta = pn_tensor_get_f64(&call->in[2], 0);
    if (y->dtype == PELTON_DTYPE_F32)
      count_float(count, start, delta, y->data);
    else if (y->dtype == PELTON_DTYPE_F64)
      count_double(count, start, delta, y->data);
    else
      for (int64_t i = 0; i < count; i++) pn_tensor_set_f64(y, i, start + (double)i * delta);
    return PELTON_OK;
  }
  uint64_t start = (uint64_t)pn_tensor_get_i64(&call->in[0], 0), delta = (uint64_t)pn_tensor_get_i64(&call->in[2], 0);
  size_t bytes = pelton_dtype_bytes(y->dtype);
  if (bytes == 8)
    count_uint64_t(count, start, delta, y->data);
  else if (bytes == 4)
    count_uint32_t(count, start, delta, y->data);
  else
    for (int64_t i = 0; i < count; i++) pn_tensor_set_i64(y, i, (int64_t)(start + (uint64_t)i * delta));
  return PELTON_OK;
}
