/* Operators that keep what a test picks out: non_zero (where elements are not 0) and compress (slices whose condition
   holds). They count first, ask for a result of that extent, then fill it. */
#include "op/operand.h"
#include "op/movement/walk.h"
#include "op/text/strings.h"

/* ---- non_zero */

pelton_status pn_check_non_zero(const pn_infer *c) {
  (void)c; /* every type has a zero: of texts the empty one */
  return PELTON_OK;
}

pelton_status pn_infer_non_zero(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  pn_infer_unknown(c, 0, PELTON_DTYPE_I64, 2);
  if (x->rank != PN_RANK_UNKNOWN) c->out[0].type.dims[0] = pn_dim_of(x->rank);
  return PELTON_OK;
}

static bool is_set(const pn_tensor *x, int64_t index) {
  if (x->dtype == PELTON_DTYPE_STRING) return pn_tensor_str(x, index).size != 0;
  switch (x->dtype) { /* the usual ones, without a call for each element */
  case PELTON_DTYPE_BOOL: return ((const uint8_t *)x->data)[index] != 0;
  case PELTON_DTYPE_F32: return ((const float *)x->data)[index] != 0;
  case PELTON_DTYPE_I64: return ((const int64_t *)x->data)[index] != 0;
  default: break;
  }
  if (pn_dtype_is_float(x->dtype)) return pn_tensor_get_f64(x, index) != 0;
  return pn_tensor_get_i64(x, index) != 0;
}

/* Without a branch for each element, whose outcome nothing foretells. */
#define POSITIONS(type)                                                                    \
  static int64_t positions_##type(const void *data, int64_t n, int64_t *out) {              \
    const type *x = data;                                                                  \
    int64_t count = 0;                                                                     \
    for (int64_t i = 0; i < n; i++) {                                                      \
      out[count] = i;                                                                      \
      count += x[i] != 0;                                                                  \
    }                                                                                      \
    return count;                                                                          \
  }
POSITIONS(uint8_t)
POSITIONS(uint32_t)
POSITIONS(uint64_t)
POSITIONS(float)
POSITIONS(double)

/* Which of the |n| elements from |base| on are set, as 0 to n - 1 in |out|, which has room for n + 1; how many. */
static int64_t set_positions(const pn_tensor *x, int64_t base, int64_t n, int64_t *out) {
  const char *data = (const char *)x->data + (size_t)base * pelton_dtype_bytes(x->dtype);
  switch (x->dtype) { /* the usual ones, without a call for each element */
  case PELTON_DTYPE_BOOL:
  case PELTON_DTYPE_I8:
  case PELTON_DTYPE_U8: return positions_uint8_t(data, n, out);
  case PELTON_DTYPE_I32:
  case PELTON_DTYPE_U32: return positions_uint32_t(data, n, out);
  case PELTON_DTYPE_I64:
  case PELTON_DTYPE_U64: return positions_uint64_t(data, n, out);
  case PELTON_DTYPE_F32: return positions_float(data, n, out);
  case PELTON_DTYPE_F64: return positions_double(data, n, out);
  default: break;
  }
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++)
    if (is_set(x, base + i)) out[count++] = i;
  return count;
}

pelton_status pn_reference_non_zero(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  int64_t elements = pn_tensor_elements(x), dims[2] = {x->rank, 0}, column = 0;
  int64_t length = x->rank ? x->dims[x->rank - 1] : 1; /* of a row along the last axis */
  int64_t *at = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)length + 1);
  if (!at) return pn_fail_memory(call->diag, "non_zero's positions");
  for (int64_t i = 0; i < elements; i += length) dims[1] += set_positions(x, i, length, at);
  PN_TRY(pn_call_resize(call, 0, 2, dims));
  int64_t *y = call->out[0].data;
  pn_walk w; /* over the rows */
  uint32_t outer = x->rank ? x->rank - 1 : 0;
  pn_walk_init(&w, outer, x->dims);
  if (!elements || !pn_walk_begin(&w)) return PELTON_OK;
  for (int64_t row = 0;; row += length) {
    int64_t found = set_positions(x, row, length, at);
    for (uint32_t axis = 0; axis < outer; axis++)
      for (int64_t i = 0; i < found; i++) y[axis * dims[1] + column + i] = w.index[axis];
    if (x->rank && found) memcpy(y + outer * dims[1] + column, at, (size_t)found * sizeof *at);
    column += found;
    if (!pn_walk_next(&w)) return PELTON_OK;
  }
}

/* ---- compress */

pelton_status pn_check_compress(const pn_infer *c) {
  const pn_attrs_compress *attrs = c->attrs;
  PN_TRY(pn_operand_wants_rank(c, "compress", 0, "the operand", attrs->flat ? 0 : 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_rank(c, "compress", 1, "condition", 1, 1));
  if (c->in[1].type.dtype == PELTON_DTYPE_BOOL) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "compress: condition is of type %s; it must be bool",
                 pelton_dtype_name(c->in[1].type.dtype));
}

pelton_status pn_infer_compress(const pn_infer *c) {
  const pn_attrs_compress *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  uint32_t axis;
  if (attrs->flat || x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, attrs->flat ? 1 : PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  PN_TRY(pn_axes_resolve(c->diag, "compress", &attrs->axis, 1, x->rank, &axis));
  pn_infer_same(c, 0);
  c->out[0].type.dims[axis] = pn_dim_fresh(c->symbols);
  return PELTON_OK;
}

static void keep_slices(int64_t kept, const int64_t *at, const char *from, size_t run, char *to) {
  if (run == 4) /* of a known size: no call */
    for (int64_t i = 0; i < kept; i++) memcpy(to + 4 * i, from + 4 * at[i], 4);
  else if (run == 8)
    for (int64_t i = 0; i < kept; i++) memcpy(to + 8 * i, from + 8 * at[i], 8);
  else if (run == 16)
    for (int64_t i = 0; i < kept; i++) memcpy(to + 16 * i, from + 16 * at[i], 16);
  else
    for (int64_t i = 0; i < kept; i++) memcpy(to + (size_t)i * run, from + (size_t)at[i] * run, run);
}

pelton_status pn_reference_compress(const pn_call *call) {
  const pn_attrs_compress *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *condition = &call->in[1];
  int64_t extent = pn_tensor_elements(x), outer = 1, inner = 1, dims[PN_MAX_RANK];
  uint32_t axis = 0, rank = attrs->flat ? 1 : x->rank;
  if (!attrs->flat) {
    PN_TRY(pn_axes_resolve(call->diag, "compress", &attrs->axis, 1, x->rank, &axis));
    extent = x->dims[axis];
    memcpy(dims, x->dims, sizeof dims);
    for (uint32_t i = 0; i < x->rank; i++)
      if (i != axis) *(i < axis ? &outer : &inner) *= x->dims[i];
  }
  int64_t count = pn_tensor_elements(condition); /* may be shorter than the axis: the rest is left out */
  int64_t *at = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)count + 1);
  if (!at) return pn_fail_memory(call->diag, "compress's positions");
  int64_t kept = set_positions(condition, 0, count, at);
  if (kept && at[kept - 1] >= extent)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "compress: condition %lld holds, but there are only %lld slices",
                   (long long)at[kept - 1], (long long)extent);
  dims[axis] = kept;
  PN_TRY(pn_call_resize(call, 0, rank, dims));
  size_t run = (size_t)inner * pelton_dtype_bytes(x->dtype);
  char *to = call->out[0].data;
  for (int64_t o = 0; run > 0 && o < outer; o++, to += (size_t)kept * run)
    keep_slices(kept, at, (const char *)x->data + (size_t)(o * extent) * run, run, to);
  return PELTON_OK;
}
