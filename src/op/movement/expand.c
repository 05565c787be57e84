/* Operators that repeat elements: expand (along axes of extent 1, as broadcasting does) and tile (the whole operand).
 */
#include "op/operand.h"
#include "op/movement/walk.h"

/* ---- expand */

pelton_status pn_check_expand(const pn_infer *c) {
  PN_TRY(pn_operand_wants_indices(c, "expand", 1, "shape"));
  return pn_operand_wants_rank(c, "expand", 1, "shape", 1, 1);
}

pelton_status pn_infer_expand(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  const pn_dim *shape;
  uint32_t count;
  pn_type wanted = {.dtype = PELTON_DTYPE_I64}, result = {.dtype = x->dtype};
  bool known = pn_infer_content(c, 1, &shape, &count);
  if (!known && !pn_infer_length(c, 1, &count)) {
    pn_infer_unknown(c, 0, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  if (count > PN_MAX_RANK)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "expand: the shape has %u extents; the limit is %d", (unsigned)count,
                   PN_MAX_RANK);
  if (!known || x->rank == PN_RANK_UNKNOWN) {
    bool ranked = x->rank != PN_RANK_UNKNOWN;
    pn_infer_unknown(c, 0, x->dtype, ranked ? (int32_t)pn_max_i64(count, x->rank) : PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  wanted.rank = (int32_t)count;
  for (uint32_t i = 0; i < count; i++) {
    if (pn_dim_is_number(shape[i]) && shape[i].number < 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "expand: extent %lld on axis %u; extents are 0 or more",
                     (long long)shape[i].number, (unsigned)i);
    wanted.dims[i] = shape[i];
  }
  PN_TRY(pn_infer_broadcast(c, x, &wanted, &result));
  result.dtype = x->dtype;
  c->out[0].type = result;
  pn_dim content[PN_CONTENT_ELEMENTS];
  const pn_dim *one;
  if (result.rank != 1 || !pn_dim_is_number(result.dims[0]) || result.dims[0].number > PN_CONTENT_ELEMENTS ||
      !pn_infer_content(c, 0, &one, &count) || count == 0)
    return PELTON_OK;
  for (int64_t i = 0; i < result.dims[0].number; i++) content[i] = one[count == 1 ? 0 : i];
  return pn_content_give(c, 0, content, (uint32_t)result.dims[0].number);
}

pelton_status pn_reference_expand(const pn_call *call) {
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  pn_walk w;
  if (!pn_walk_broadcast(&w, y->rank, y->dims, x)) return PN_INTERNAL(call->diag, "expand changes an extent above 1");
  pn_walk_copy(&w, y->data, x->data, pelton_dtype_bytes(x->dtype));
  return PELTON_OK;
}

/* ---- tile */

pelton_status pn_check_tile(const pn_infer *c) {
  PN_TRY(pn_operand_wants_indices(c, "tile", 1, "repeats"));
  return pn_operand_wants_rank(c, "tile", 1, "repeats", 1, 1);
}

pelton_status pn_infer_tile(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  const pn_dim *repeats;
  uint32_t count;
  if (!pn_infer_content(c, 1, &repeats, &count)) {
    bool counted = x->rank == PN_RANK_UNKNOWN && pn_infer_length(c, 1, &count) && count <= PN_MAX_RANK;
    pn_infer_unknown(c, 0, x->dtype, counted ? (int32_t)count : x->rank);
    return PELTON_OK;
  }
  if (count > PN_MAX_RANK || (x->rank != PN_RANK_UNKNOWN && count != (uint32_t)x->rank))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "tile: %u repeats for an operand of rank %d; give one an axis",
                   (unsigned)count, x->rank);
  pn_infer_unknown(c, 0, x->dtype, (int32_t)count);
  for (uint32_t i = 0; i < count; i++) {
    if (pn_dim_is_number(repeats[i]) && repeats[i].number < 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "tile: %lld repeats on axis %u; there must be 0 or more",
                     (long long)repeats[i].number, (unsigned)i);
    if (x->rank != PN_RANK_UNKNOWN) c->out[0].type.dims[i] = pn_dim_mul(c->symbols, x->dims[i], repeats[i]);
  }
  return PELTON_OK;
}

pelton_status pn_reference_tile(const pn_call *call) {
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  int64_t from[PN_MAX_RANK], dims[PN_WALK_RANK], wanted[PN_MAX_RANK];
  const int64_t *repeats;
  uint32_t count;
  PN_TRY(pn_call_numbers(call, 1, &repeats, &count));
  if (count != x->rank) return PN_INTERNAL(call->diag, "tile has another number of repeats than axes");
  for (uint32_t i = 0; i < x->rank; i++)
    if (!pn_mul_i64(x->dims[i], repeats[i], &wanted[i])) return PN_INTERNAL(call->diag, "tile overflows");
  PN_TRY(pn_call_wants_result(call, "tile", 0, x->rank, wanted));
  pn_dims_strides(x->rank, x->dims, from);
  for (uint32_t i = 0; i < x->rank; i++) {
    dims[2 * i] = repeats[i];
    dims[2 * i + 1] = x->dims[i];
  }
  pn_walk w;
  pn_walk_init(&w, 2 * x->rank, dims);
  for (uint32_t i = 0; i < x->rank; i++) {
    w.from_strides[2 * i] = 0;
    w.from_strides[2 * i + 1] = from[i];
  }
  pn_walk_copy(&w, y->data, x->data, pelton_dtype_bytes(x->dtype));
  return PELTON_OK;
}
