/* split_to_sequence and concat_from_sequence: a tensor taken apart along an axis into a sequence of its parts, and the
   items of a sequence joined along one, which may be a new one. Both see a tensor as [outer, axis, inner]. */
#include "op/boxed/box.h"

/* Elements before and after |axis|. */
static void around(const int64_t *dims, uint32_t rank, uint32_t axis, size_t *outer, size_t *inner) {
  *outer = *inner = 1;
  for (uint32_t i = 0; i < rank; i++)
    if (i != axis) *(i < axis ? outer : inner) *= (size_t)dims[i];
}

/* ---- split_to_sequence */

pelton_status pn_check_split_to_sequence(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "split_to_sequence", 0, "the operand", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "split_to_sequence", 1, "split"));
  return pn_operand_wants_rank(c, "split_to_sequence", 1, "split", 0, 1);
}

/* How many parts there will be, when that is known. */
static bool part_count(const pn_infer *c, pn_dim extent, pn_dim *out) {
  const pn_dim *split;
  uint32_t count;
  *out = extent;
  if (!pn_infer_has(c, 1)) return true;
  if (c->in[1].type.rank == 1) {
    *out = c->in[1].type.dims[0];
    return true;
  }
  if (c->in[1].type.rank != 0 || !pn_infer_content(c, 1, &split, &count) || count != 1) return false;
  if (!pn_dim_is_number(*split) || split->number <= 0) return false;
  *out = pn_dim_ceil_div(c->symbols, extent, *split);
  return true;
}

pelton_status pn_infer_split_to_sequence(const pn_infer *c) {
  const pn_attrs_split_to_sequence *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  pn_dim count = pn_dim_of(0);
  bool known = false;
  uint32_t axis;
  if (x->rank != PN_RANK_UNKNOWN) {
    PN_TRY(pn_axes_resolve(c->diag, "split_to_sequence", &attrs->axis, 1, x->rank, &axis));
    known = part_count(c, x->dims[axis], &count);
  }
  const pn_type item = {.dtype = x->dtype};
  if (!pn_type_box(&item, known ? count : pn_dim_fresh(c->symbols), false, &c->out[0].type))
    return PN_INTERNAL(c->diag, "a tensor that cannot be boxed");
  return PELTON_OK;
}

/* The extents of the parts: |*sizes| null means |*part| each, the last one what is left. */
static pelton_status find_parts(const pn_call *call, int64_t extent, const int64_t **sizes, int64_t *part,
                                int64_t *parts) {
  uint32_t count;
  int64_t sum = 0;
  *sizes = NULL;
  *part = 1;
  *parts = extent;
  if (!pn_call_has(call, 1)) return PELTON_OK;
  PN_TRY(pn_call_numbers(call, 1, sizes, &count));
  if (call->in[1].rank == 0) {
    *part = **sizes;
    *sizes = NULL;
    if (*part <= 0)
      return pn_fail(call->diag, PELTON_INVALID_DATA, "split_to_sequence: parts of %lld; they have 1 or more",
                     (long long)*part);
    *parts = extent / *part + (extent % *part != 0);
    return PELTON_OK;
  }
  for (uint32_t i = 0; i < count; i++) {
    if ((*sizes)[i] < 0 || (*sizes)[i] > extent - sum)
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "split_to_sequence: part %u has %lld, where %lld of the axis are left", (unsigned)i,
                     (long long)(*sizes)[i], (long long)(extent - sum));
    sum += (*sizes)[i];
  }
  if (sum != extent)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "split_to_sequence: the parts add up to %lld, the axis has %lld",
                   (long long)sum, (long long)extent);
  *parts = count;
  return PELTON_OK;
}

/* Elements [at, at + size) of |axis|, which goes when |drop| is set. */
static const pelton_tensor *new_part(pn_arena *arena, const pn_tensor *x, uint32_t axis, int64_t at, int64_t size,
                                     bool drop) {
  int64_t dims[PN_MAX_RANK];
  uint32_t rank = 0;
  size_t outer, inner;
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis || !drop) dims[rank++] = i == axis ? size : x->dims[i];
  pelton_tensor *box = pn_box_empty(arena, x->dtype, rank, dims);
  if (!box) return NULL;
  around(x->dims, x->rank, axis, &outer, &inner);
  inner *= pelton_dtype_bytes(x->dtype);
  const size_t run = (size_t)size * inner, row = (size_t)x->dims[axis] * inner;
  for (size_t i = 0; i < outer && run > 0; i++)
    memcpy((char *)box->data + i * run, (const char *)x->data + i * row + (size_t)at * inner, run);
  return pn_box_keep_texts(arena, box) ? box : NULL;
}

pelton_status pn_reference_split_to_sequence(const pn_call *call) {
  const pn_attrs_split_to_sequence *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  const pelton_tensor **to = NULL;
  const int64_t *sizes = NULL;
  int64_t part = 1, parts = 0, at = 0;
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "split_to_sequence", &attrs->axis, 1, x->rank, &axis));
  PN_TRY(find_parts(call, x->dims[axis], &sizes, &part, &parts));
  PN_TRY(pn_call_resize_boxes(call, 0, parts, &to));
  const bool drop = !pn_call_has(call, 1) && !attrs->keep_dims;
  for (int64_t i = 0; i < parts; i++) {
    const int64_t size = sizes ? sizes[i] : pn_min_i64(part, x->dims[axis] - at);
    to[i] = new_part(call->lasting, x, axis, at, size, drop);
    if (!to[i]) return pn_fail_memory(call->diag, "a sequence");
    at += size;
  }
  return PELTON_OK;
}

/* ---- concat_from_sequence */

pelton_status pn_check_concat_from_sequence(const pn_infer *c) {
  PN_TRY(pn_operand_wants_boxes(c, "concat_from_sequence", 0));
  if (c->in[0].type.boxes.depth > 1)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "concat_from_sequence: the items are sequences; only tensors join");
  return PELTON_OK;
}

pelton_status pn_infer_concat_from_sequence(const pn_infer *c) {
  c->out[0].type = pn_type_unbox(c->symbols, &c->in[0].type);
  return PELTON_OK;
}

static pelton_status join_dims(const pn_call *call, const pelton_tensor *const *boxes, int64_t count, bool new_axis,
                               uint32_t axis, int64_t *dims) {
  const pelton_shape *first = &boxes[0]->shape;
  for (uint32_t i = 0; i < first->rank; i++) dims[new_axis && i >= axis ? i + 1 : i] = first->dims[i];
  if (new_axis) dims[axis] = count;
  for (int64_t k = 1; k < count; k++) {
    const pelton_shape *shape = &boxes[k]->shape;
    bool fits = shape->rank == first->rank && boxes[k]->dtype == boxes[0]->dtype;
    for (uint32_t i = 0; fits && i < shape->rank; i++)
      fits = shape->dims[i] == first->dims[i] || (!new_axis && i == axis);
    if (fits && !new_axis) fits = pn_add_i64(dims[axis], shape->dims[axis], &dims[axis]);
    if (!fits)
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "concat_from_sequence: item %lld does not fit item 0: %s must be equal", (long long)k,
                     new_axis ? "all extents" : "rank, type and all extents but the axis'");
  }
  return PELTON_OK;
}

pelton_status pn_reference_concat_from_sequence(const pn_call *call) {
  const pn_attrs_concat_from_sequence *attrs = call->attrs;
  const pelton_tensor *const *boxes = NULL;
  int64_t count = 0, dims[PN_MAX_RANK + 1], elements;
  uint32_t axis;
  size_t outer, inner, at = 0;
  PN_TRY(pn_call_boxes(call, "concat_from_sequence", 0, &boxes, &count));
  if (count == 0) return pn_fail(call->diag, PELTON_INVALID_DATA, "concat_from_sequence: the sequence is empty");
  const pelton_dtype dtype = boxes[0]->dtype;
  const uint32_t rank = boxes[0]->shape.rank + attrs->new_axis;
  if (dtype == PELTON_DTYPE_TENSOR || rank > PN_MAX_RANK)
    return pn_fail(call->diag, PELTON_UNSUPPORTED, "concat_from_sequence: items of %s would be joined to rank %u",
                   pelton_dtype_name(dtype), (unsigned)rank);
  PN_TRY(pn_axes_resolve(call->diag, "concat_from_sequence", &attrs->axis, 1, rank, &axis));
  PN_TRY(join_dims(call, boxes, count, attrs->new_axis, axis, dims));
  if (!pn_dims_elements(rank, dims, pelton_dtype_bytes(dtype), &elements))
    return pn_fail(call->diag, PELTON_INVALID_DATA, "concat_from_sequence: the result would be too large for memory");
  call->out[0].dtype = dtype;
  PN_TRY(pn_call_resize(call, 0, rank, dims));
  around(dims, rank, axis, &outer, &inner);
  inner *= pelton_dtype_bytes(dtype);
  char *to = call->out[0].data;
  for (int64_t k = 0; k < count; k++) {
    const size_t run = inner * (attrs->new_axis ? 1 : (size_t)boxes[k]->shape.dims[axis]);
    for (size_t i = 0; i < outer && run > 0; i++)
      memcpy(to + i * (size_t)dims[axis] * inner + at, (const char *)boxes[k]->data + i * run, run);
    at += run;
  }
  return PELTON_OK;
}
