/* Reading at indices: gather (slices along one axis), gather_elements (one element for each index), gather_nd (index
   tuples). Every index is checked before it is used: they come from data. */
#include "op/operand.h"
#include "op/movement/walk.h"

/* Product of dims [first, end). */
static int64_t span(const pn_tensor *x, uint32_t first, uint32_t end) {
  int64_t product = 1;
  for (uint32_t i = first; i < end; i++) product *= x->dims[i];
  return product;
}

/* ---- gather */

pelton_status pn_check_gather(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "gather", 0, "the operand", 1, PN_MAX_RANK));
  return pn_operand_wants_indices(c, "gather", 1, "indices");
}

/* Extents picked out of a shape. */
static pelton_status gather_content(const pn_infer *c) {
  const pn_dim *x;
  const int64_t *indices;
  uint32_t extent, count;
  pn_dim content[PN_CONTENT_ELEMENTS];
  if (c->in[0].type.rank != 1 || c->out[0].type.rank > 1) return PELTON_OK;
  if (!pn_infer_content(c, 0, &x, &extent) || !pn_infer_numbers(c, 1, &indices, &count)) return PELTON_OK;
  if (count > PN_CONTENT_ELEMENTS) return PELTON_OK;
  for (uint32_t i = 0; i < count; i++) {
    int64_t at;
    PN_TRY(pn_index_resolve(c->diag, "gather", indices[i], extent, &at));
    content[i] = x[at];
  }
  return pn_content_give(c, 0, content, count);
}

pelton_status pn_infer_gather(const pn_infer *c) {
  const pn_attrs_gather *attrs = c->attrs;
  const pn_type *x = &c->in[0].type, *indices = &c->in[1].type;
  uint32_t axis;
  if (x->rank == PN_RANK_UNKNOWN || indices->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  PN_TRY(pn_axes_resolve(c->diag, "gather", &attrs->axis, 1, x->rank, &axis));
  int32_t rank = x->rank + indices->rank - 1;
  if (rank > PN_MAX_RANK)
    return pn_fail(c->diag, PELTON_UNSUPPORTED,
                   "gather: operand of rank %d and indices of rank %d give rank %d; the limit is %d", x->rank,
                   indices->rank, rank, PN_MAX_RANK);
  pn_type y = {.dtype = x->dtype};
  for (uint32_t i = 0; i < axis; i++) y.dims[y.rank++] = x->dims[i];
  for (int32_t i = 0; i < indices->rank; i++) y.dims[y.rank++] = indices->dims[i];
  for (int32_t i = (int32_t)axis + 1; i < x->rank; i++) y.dims[y.rank++] = x->dims[i];
  c->out[0].type = y;
  return gather_content(c);
}

pelton_status pn_reference_gather(const pn_call *call) {
  const pn_attrs_gather *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *indices = &call->in[1];
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "gather", &attrs->axis, 1, x->rank, &axis));
  int64_t outer = span(x, 0, axis), extent = x->dims[axis], inner = span(x, axis + 1, x->rank);
  int64_t count = pn_tensor_elements(indices);
  if (pn_tensor_elements(&call->out[0]) != outer * count * inner)
    return PN_INTERNAL(call->diag, "gather was planned with another shape");
  size_t run = (size_t)inner * pelton_dtype_bytes(x->dtype);
  char *to = call->out[0].data;
  const char *from = x->data;
  for (int64_t i = 0; i < count; i++) {
    int64_t at;
    PN_TRY(pn_index_resolve(call->diag, "gather", pn_tensor_get_i64(indices, i), extent, &at));
    for (int64_t k = 0; run > 0 && k < outer; k++)
      memcpy(to + (size_t)(k * count + i) * run, from + (size_t)(k * extent + at) * run, run);
  }
  return PELTON_OK;
}

/* ---- gather_elements */

pelton_status pn_check_gather_elements(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "gather_elements", 0, "the operand", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "gather_elements", 1, "indices"));
  int32_t rank = c->in[0].type.rank;
  return rank == PN_RANK_UNKNOWN ? PELTON_OK : pn_operand_wants_rank(c, "gather_elements", 1, "indices", rank, rank);
}

pelton_status pn_infer_gather_elements(const pn_infer *c) {
  const pn_attrs_gather_elements *attrs = c->attrs;
  const pn_type *x = &c->in[0].type, *indices = &c->in[1].type;
  uint32_t axis;
  int32_t rank = x->rank == PN_RANK_UNKNOWN ? indices->rank : x->rank;
  if (rank != PN_RANK_UNKNOWN) PN_TRY(pn_axes_resolve(c->diag, "gather_elements", &attrs->axis, 1, rank, &axis));
  if (indices->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, x->rank);
    return PELTON_OK;
  }
  for (int32_t i = 0; x->rank != PN_RANK_UNKNOWN && i < rank; i++)
    if (i != (int32_t)axis && pn_dim_is_number(x->dims[i]) && pn_dim_is_number(indices->dims[i]) &&
        indices->dims[i].number > x->dims[i].number)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "gather_elements: indices have extent %lld on axis %d, the operand %lld; "
                     "indices may be longer on axis %u only",
                     (long long)indices->dims[i].number, i, (long long)x->dims[i].number, (unsigned)axis);
  c->out[0].type = *indices;
  c->out[0].type.dtype = x->dtype;
  return PELTON_OK;
}

pelton_status pn_reference_gather_elements(const pn_call *call) {
  const pn_attrs_gather_elements *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *indices = &call->in[1], *y = &call->out[0];
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "gather_elements", &attrs->axis, 1, x->rank, &axis));
  PN_TRY(pn_call_wants_result(call, "gather_elements", 0, indices->rank, indices->dims));
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis && indices->dims[i] > x->dims[i])
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "gather_elements: indices have extent %lld on axis %u, the operand %lld",
                     (long long)indices->dims[i], (unsigned)i, (long long)x->dims[i]);
  size_t bytes = pelton_dtype_bytes(x->dtype);
  pn_walk w;
  pn_walk_init(&w, y->rank, y->dims);
  pn_dims_strides(x->rank, x->dims, w.from_strides);
  int64_t stride = w.from_strides[axis], at;
  w.from_strides[axis] = 0; /* the index says where on this axis */
  if (!pn_walk_begin(&w)) return PELTON_OK;
  do {
    PN_TRY(pn_index_resolve(call->diag, "gather_elements", pn_tensor_get_i64(indices, w.to), x->dims[axis], &at));
    memcpy((char *)y->data + (size_t)w.to * bytes, (const char *)x->data + (size_t)(w.from + at * stride) * bytes,
           bytes);
  } while (pn_walk_next(&w));
  return PELTON_OK;
}

/* ---- gather_nd */

pelton_status pn_check_gather_nd(const pn_infer *c) {
  const pn_attrs_gather_nd *attrs = c->attrs;
  PN_TRY(pn_operand_wants_rank(c, "gather_nd", 0, "the operand", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_rank(c, "gather_nd", 1, "indices", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "gather_nd", 1, "indices"));
  for (uint32_t i = 0; i < 2; i++)
    if (attrs->batch_dims < 0 || (c->in[i].type.rank != PN_RANK_UNKNOWN && attrs->batch_dims >= c->in[i].type.rank))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "gather_nd: batch_dims is %lld; it must be from 0 to below both ranks",
                     (long long)attrs->batch_dims);
  return PELTON_OK;
}

pelton_status pn_infer_gather_nd(const pn_infer *c) {
  const pn_attrs_gather_nd *attrs = c->attrs;
  const pn_type *x = &c->in[0].type, *indices = &c->in[1].type;
  bool ranked = x->rank != PN_RANK_UNKNOWN && indices->rank != PN_RANK_UNKNOWN;
  if (!ranked || !pn_dim_is_number(indices->dims[indices->rank - 1])) {
    pn_infer_unknown(c, 0, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  int64_t tuple = indices->dims[indices->rank - 1].number, rest = x->rank - attrs->batch_dims;
  if (tuple < 1 || tuple > rest)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "gather_nd: index tuples have %lld elements; there must be from 1 to %lld", (long long)tuple,
                   (long long)rest);
  int64_t rank = indices->rank - 1 + rest - tuple;
  if (rank > PN_MAX_RANK)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "gather_nd: the result would have rank %lld; the limit is %d",
                   (long long)rank, PN_MAX_RANK);
  pn_type y = {.dtype = x->dtype};
  for (int32_t i = 0; i + 1 < indices->rank; i++) {
    y.dims[y.rank++] = indices->dims[i];
    if (i < attrs->batch_dims && !pn_dim_unify(x->dims[i], indices->dims[i], &y.dims[i]))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "gather_nd: batch axis %d has extent %lld in the operand, %lld in the indices", i,
                     (long long)x->dims[i].number, (long long)indices->dims[i].number);
  }
  for (int32_t i = (int32_t)(attrs->batch_dims + tuple); i < x->rank; i++) y.dims[y.rank++] = x->dims[i];
  c->out[0].type = y;
  return PELTON_OK;
}

pelton_status pn_reference_gather_nd(const pn_call *call) {
  const pn_attrs_gather_nd *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *indices = &call->in[1];
  uint32_t batch_axes = (uint32_t)attrs->batch_dims, tuple = (uint32_t)indices->dims[indices->rank - 1];
  int64_t strides[PN_MAX_RANK], at;
  if (batch_axes + tuple > x->rank) return PN_INTERNAL(call->diag, "gather_nd tuples are too long");
  pn_dims_strides(x->rank, x->dims, strides);
  for (uint32_t i = 0; i < batch_axes; i++)
    if (x->dims[i] != indices->dims[i])
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "gather_nd: batch axis %u has extent %lld in the operand, %lld in the indices", (unsigned)i,
                     (long long)x->dims[i], (long long)indices->dims[i]);
  int64_t batches = span(x, 0, batch_axes), inner = span(x, batch_axes + tuple, x->rank);
  int64_t batch_size = span(x, batch_axes, x->rank), count = span(indices, batch_axes, indices->rank - 1);
  if (pn_tensor_elements(&call->out[0]) != batches * count * inner)
    return PN_INTERNAL(call->diag, "gather_nd was planned with another shape");
  size_t bytes = pelton_dtype_bytes(x->dtype), run = (size_t)inner * bytes;
  for (int64_t i = 0; i < batches * count; i++) {
    int64_t from = i / count * batch_size;
    for (uint32_t k = 0; k < tuple; k++) {
      int64_t value = pn_tensor_get_i64(indices, i * tuple + k);
      PN_TRY(pn_index_resolve(call->diag, "gather_nd", value, x->dims[batch_axes + k], &at));
      from += at * strides[batch_axes + k];
    }
    if (run > 0) memcpy((char *)call->out[0].data + (size_t)i * run, (const char *)x->data + (size_t)from * bytes, run);
  }
  return PELTON_OK;
}
