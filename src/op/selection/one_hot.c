/* one_hot: a new axis of |depth| with values[1] where the index says, values[0] elsewhere. Indices outside [-depth,
   depth) are no error: their row is all values[0]. */
#include "op/operand.h"

pelton_status pn_check_one_hot(const pn_infer *c) {
  for (uint32_t i = 0; i < 2; i++)
    if (c->in[i].type.dtype == PELTON_DTYPE_BOOL || pn_dtype_points(c->in[i].type.dtype))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "one_hot: indices and depth must be numbers, not %s",
                     pelton_dtype_name(c->in[i].type.dtype));
  PN_TRY(pn_operand_wants_rank(c, "one_hot", 0, "indices", 0, PN_MAX_RANK - 1));
  PN_TRY(pn_operand_wants_scalar(c, "one_hot", 1, "depth"));
  return pn_operand_wants_rank(c, "one_hot", 2, "values", 1, 1);
}

/* The depth, when it is known now: an integer of any kind, or a float (which the standard allows). */
static pn_dim one_hot_depth(const pn_infer *c) {
  const pn_dim *depth;
  uint32_t count;
  if (pn_infer_content(c, 1, &depth, &count) && count == 1) return *depth;
  if (!c->in[1].data) return pn_dim_fresh(c->symbols);
  union {
    uint64_t bits;
    uint8_t bytes[8];
  } copy = {0};
  memcpy(copy.bytes, c->in[1].data, pelton_dtype_bytes(c->in[1].type.dtype));
  pn_tensor one = {.dtype = c->in[1].type.dtype, .data = copy.bytes};
  return pn_dim_of(pn_tensor_get_i64(&one, 0));
}

pelton_status pn_infer_one_hot(const pn_infer *c) {
  const pn_attrs_one_hot *attrs = c->attrs;
  const pn_type *indices = &c->in[0].type;
  uint32_t axis;
  if (indices->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, c->in[2].type.dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  pn_dim depth = one_hot_depth(c);
  if (pn_dim_is_number(depth) && depth.number < 0)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "one_hot: depth is %lld; it must be 0 or more",
                   (long long)depth.number);
  PN_TRY(pn_axes_resolve(c->diag, "one_hot", &attrs->axis, 1, indices->rank + 1, &axis));
  pn_type y = {.dtype = c->in[2].type.dtype, .rank = indices->rank + 1};
  for (int32_t i = 0, k = 0; i < y.rank; i++) y.dims[i] = i == (int32_t)axis ? depth : indices->dims[k++];
  c->out[0].type = y;
  return PELTON_OK;
}

pelton_status pn_reference_one_hot(const pn_call *call) {
  const pn_attrs_one_hot *attrs = call->attrs;
  const pn_tensor *indices = &call->in[0], *values = &call->in[2], *y = &call->out[0];
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "one_hot", &attrs->axis, 1, y->rank, &axis));
  if (pn_tensor_elements(values) != 2)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "one_hot: values has %lld elements; it must be [off, on]",
                   (long long)pn_tensor_elements(values));
  int64_t depth = y->dims[axis], inner = 1, count = pn_tensor_elements(indices);
  for (uint32_t i = axis + 1; i < y->rank; i++) inner *= y->dims[i];
  if (pn_tensor_elements(y) != count * depth) return PN_INTERNAL(call->diag, "one_hot was planned with another shape");
  size_t bytes = pelton_dtype_bytes(y->dtype);
  const char *off = values->data, *on = off + bytes;
  char *to = y->data;
  for (int64_t i = 0; i < count * depth; i++) memcpy(to + (size_t)i * bytes, off, bytes);
  for (int64_t i = 0; i < count; i++) {
    int64_t at = pn_tensor_get_i64(indices, i);                    /* fractions are cut off */
    bool too_large = at < 0 && indices->dtype == PELTON_DTYPE_U64; /* by bits: beyond what int64 holds */
    if (at < 0) at = too_large || at < -depth ? -1 : at + depth;
    if (at < 0 || at >= depth) continue;
    memcpy(to + (size_t)(((i / inner) * depth + at) * inner + i % inner) * bytes, on, bytes);
  }
  return PELTON_OK;
}
