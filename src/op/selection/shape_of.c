/* Shapes as data: shape_of and size_of give a shape's numbers, which infer hands on as content, and fill makes a tensor
   of a given shape. */
#include "op/operand.h"

/* [*first, *end) of the axes that shape_of lists; both ends are clamped. */
static void shape_range(const pn_attrs_shape_of *attrs, int64_t rank, int64_t *first, int64_t *end) {
  *first = attrs->start < 0 ? pn_max_i64(attrs->start, -rank) + rank : pn_min_i64(attrs->start, rank);
  *end = attrs->end < 0 ? pn_max_i64(attrs->end, -rank) + rank : pn_min_i64(attrs->end, rank);
  *end = pn_max_i64(*end, *first);
}

/* ---- shape_of */

pelton_status pn_check_shape_of(const pn_infer *c) {
  (void)c; /* everything has a shape, and the ends are clamped */
  return PELTON_OK;
}

pelton_status pn_infer_shape_of(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  int64_t first, end;
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, PELTON_DTYPE_I64, 1);
    return PELTON_OK;
  }
  shape_range(c->attrs, x->rank, &first, &end);
  c->out[0].type = (pn_type){.dtype = PELTON_DTYPE_I64, .rank = 1, .dims = {pn_dim_of(end - first)}};
  return pn_content_give(c, 0, x->dims + first, (uint32_t)(end - first));
}

pelton_status pn_reference_shape_of(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  int64_t first, end, *y = call->out[0].data;
  shape_range(call->attrs, x->rank, &first, &end);
  int64_t count = end - first;
  PN_TRY(pn_call_wants_result(call, "shape_of", 0, 1, &count));
  for (int64_t i = 0; i < count; i++) y[i] = x->dims[first + i];
  return PELTON_OK;
}

/* ---- size_of */

pelton_status pn_check_size_of(const pn_infer *c) {
  (void)c; /* everything has a size */
  return PELTON_OK;
}

pelton_status pn_infer_size_of(const pn_infer *c) {
  c->out[0].type = (pn_type){.dtype = PELTON_DTYPE_I64};
  if (c->in[0].type.rank == PN_RANK_UNKNOWN) return PELTON_OK;
  pn_dim elements = pn_type_elements(c->symbols, &c->in[0].type);
  return pn_content_give(c, 0, &elements, 1);
}

pelton_status pn_reference_size_of(const pn_call *call) {
  *(int64_t *)call->out[0].data = pn_tensor_elements(&call->in[0]);
  return PELTON_OK;
}

/* ---- fill */

pelton_status pn_check_fill(const pn_infer *c) {
  PN_TRY(pn_operand_wants_indices(c, "fill", 0, "shape"));
  PN_TRY(pn_operand_wants_rank(c, "fill", 0, "shape", 1, 1));
  return pn_operand_wants_scalar(c, "fill", 1, "value");
}

static pelton_status fill_content(const pn_infer *c) {
  const pn_type *y = &c->out[0].type;
  pn_dim elements = pn_type_elements(c->symbols, y), content[PN_CONTENT_ELEMENTS];
  const pn_dim *value;
  uint32_t count;
  if (y->rank > 1 || !pn_dim_is_number(elements) || elements.number > PN_CONTENT_ELEMENTS) return PELTON_OK;
  if (!pn_infer_content(c, 1, &value, &count) || count != 1) return PELTON_OK;
  for (int64_t i = 0; i < elements.number; i++) content[i] = value[0];
  return pn_content_give(c, 0, content, (uint32_t)elements.number);
}

pelton_status pn_infer_fill(const pn_infer *c) {
  pelton_dtype dtype = c->in[1].type.dtype;
  const pn_dim *shape;
  uint32_t count;
  if (!pn_infer_content(c, 0, &shape, &count)) {
    bool counted = pn_infer_length(c, 0, &count) && count <= PN_MAX_RANK;
    pn_infer_unknown(c, 0, dtype, counted ? (int32_t)count : PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  if (count > PN_MAX_RANK)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "fill: the shape has %u extents; the limit is %d", (unsigned)count,
                   PN_MAX_RANK);
  c->out[0].type = (pn_type){.dtype = dtype, .rank = (int32_t)count};
  for (uint32_t i = 0; i < count; i++) {
    if (pn_dim_is_number(shape[i]) && shape[i].number < 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "fill: extent %lld on axis %u; extents are 0 or more",
                     (long long)shape[i].number, (unsigned)i);
    c->out[0].type.dims[i] = shape[i];
  }
  return fill_content(c);
}

pelton_status pn_reference_fill(const pn_call *call) {
  const pn_tensor *y = &call->out[0];
  size_t bytes = pelton_dtype_bytes(y->dtype);
  int64_t elements = pn_tensor_elements(y);
  if (pn_tensor_elements(&call->in[1]) != 1)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "fill: value has %lld elements; it must have one",
                   (long long)pn_tensor_elements(&call->in[1]));
  for (int64_t i = 0; i < elements; i++) memcpy((char *)y->data + (size_t)i * bytes, call->in[1].data, bytes);
  return PELTON_OK;
}
