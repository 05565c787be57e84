/* box and unbox: tensors into a sequence or an optional, and one of them out again. A box is a copy, for what it copies
   is memory of one node that the next iteration of a loop writes anew; unboxing copies nothing, for boxes stay. */
#include "op/boxed/box.h"

#include "op/text/strings.h"

/* ---- boxes ----------------------------------------------------------------------------------------------------- */

pelton_tensor *pn_box_empty(pn_arena *arena, pelton_dtype dtype, uint32_t rank, const int64_t *dims) {
  pelton_tensor *box = PN_NEW(arena, pelton_tensor);
  if (!box) return NULL;
  box->dtype = dtype;
  box->shape.rank = rank;
  box->bytes = pelton_dtype_bytes(dtype);
  for (uint32_t i = 0; i < rank; i++) {
    box->shape.dims[i] = dims[i];
    box->bytes *= (size_t)dims[i];
  }
  box->data = pn_arena_alloc(arena, box->bytes, 64);
  return box->data ? box : NULL;
}

bool pn_box_keep_texts(pn_arena *arena, pelton_tensor *box) {
  if (box->dtype != PELTON_DTYPE_STRING) return true;
  box->data = pn_strings_copy(arena, box->data, box->bytes / sizeof(pelton_string));
  return box->data != NULL;
}

const pelton_tensor *pn_box_new(pn_arena *arena, const pn_tensor *tensor) {
  pelton_tensor *box = pn_box_empty(arena, tensor->dtype, tensor->rank, tensor->dims);
  if (!box) return NULL;
  if (box->bytes > 0) memcpy(box->data, tensor->data, box->bytes);
  return pn_box_keep_texts(arena, box) ? box : NULL;
}

pn_tensor pn_box_open(const pelton_tensor *box) {
  pn_tensor tensor = {.dtype = box->dtype, .rank = box->shape.rank, .data = box->data};
  for (uint32_t i = 0; i < tensor.rank; i++) tensor.dims[i] = box->shape.dims[i];
  return tensor;
}

pelton_status pn_call_boxes(const pn_call *call, const char *op, uint32_t i, const pelton_tensor *const **out,
                            int64_t *count) {
  const pn_tensor *x = &call->in[i];
  if (x->dtype != PELTON_DTYPE_TENSOR || x->rank != 1)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "%s: operand %u is no sequence but a tensor of %s", op, (unsigned)i,
                   pelton_dtype_name(x->dtype));
  *out = x->data;
  *count = x->dims[0];
  return PELTON_OK;
}

pelton_status pn_call_position(const pn_call *call, const char *op, uint32_t i, int64_t *out) {
  if (!pn_call_has(call, i)) return PELTON_OK;
  if (pn_tensor_elements(&call->in[i]) != 1)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "%s: the position is %lld numbers; it must be one", op,
                   (long long)pn_tensor_elements(&call->in[i]));
  *out = pn_tensor_get_i64(&call->in[i], 0);
  return PELTON_OK;
}

pelton_status pn_call_resize_boxes(const pn_call *call, uint32_t i, int64_t count, const pelton_tensor ***out) {
  call->out[i].dtype = PELTON_DTYPE_TENSOR;
  PN_TRY(pn_call_resize(call, i, 1, &count));
  *out = call->out[i].data;
  return PELTON_OK;
}

pelton_status pn_operand_wants_boxes(const pn_infer *c, const char *op, uint32_t i) {
  if (c->in[i].type.dtype == PELTON_DTYPE_TENSOR) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                 "%s: operand %u is a tensor of %s; it must be a sequence or an optional", op, (unsigned)i,
                 pelton_dtype_name(c->in[i].type.dtype));
}

/* ---- box ------------------------------------------------------------------------------------------------------- */

pelton_status pn_check_box(const pn_infer *c) {
  const pn_attrs_box *attrs = c->attrs;
  if (attrs->optional && c->input_count > 1)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "box: an optional of %u operands; it holds one or none",
                   (unsigned)c->input_count);
  if (c->input_count == 0 && (attrs->dtype == PELTON_DTYPE_NONE || attrs->dtype == PELTON_DTYPE_TENSOR))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "box: nothing says what the boxes are for; give dtype=, as f32");
  if (attrs->depth < 1 || attrs->depth > PN_MAX_BOXES)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "box: depth is %lld; it is from 1 to %d", (long long)attrs->depth,
                   PN_MAX_BOXES);
  for (uint32_t i = 0; i < c->input_count; i++) {
    pn_type boxed;
    if (!c->in[i].present)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "box: operand %u is absent; leave it out of the list",
                     (unsigned)i);
    if (!pn_type_same_elements(&c->in[i].type, &c->in[0].type))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "box: operand %u is of another type (%s) than operand 0 (%s); items of a sequence share one",
                     (unsigned)i, pelton_dtype_name(c->in[i].type.dtype), pelton_dtype_name(c->in[0].type.dtype));
    if (!pn_type_box(&c->in[i].type, pn_dim_of(0), false, &boxed))
      return pn_fail(c->diag, PELTON_UNSUPPORTED, "box: sequences nest deeper than %d levels", PN_MAX_BOXES);
  }
  return PELTON_OK;
}

pelton_status pn_infer_box(const pn_infer *c) {
  const pn_attrs_box *attrs = c->attrs;
  pn_type *y = &c->out[0].type;
  if (c->input_count > 0)
    return pn_type_box(&c->in[0].type, pn_dim_of(c->input_count), attrs->optional, y)
               ? PELTON_OK
               : PN_INTERNAL(c->diag, "boxes deeper than checked");
  *y = (pn_type){.dtype = PELTON_DTYPE_TENSOR,
                 .rank = 1,
                 .dims = {pn_dim_of(0)},
                 .boxes = {(uint8_t)attrs->depth, attrs->optional, attrs->dtype}};
  return PELTON_OK;
}

pelton_status pn_reference_box(const pn_call *call) {
  const pelton_tensor **boxes = NULL;
  PN_TRY(pn_call_resize_boxes(call, 0, call->input_count, &boxes));
  for (uint32_t i = 0; i < call->input_count; i++)
    if (!(boxes[i] = pn_box_new(call->lasting, &call->in[i]))) return pn_fail_memory(call->diag, "a sequence");
  return PELTON_OK;
}

/* ---- unbox ----------------------------------------------------------------------------------------------------- */

pelton_status pn_check_unbox(const pn_infer *c) {
  const pn_attrs_unbox *attrs = c->attrs;
  PN_TRY(pn_operand_wants_boxes(c, "unbox", 0));
  if (attrs->optional && c->in[0].type.boxes.depth < 2)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "unbox: what comes out is a tensor; it cannot be optional");
  PN_TRY(pn_operand_wants_indices(c, "unbox", 1, "the index"));
  return pn_operand_wants_scalar(c, "unbox", 1, "the index");
}

pelton_status pn_infer_unbox(const pn_infer *c) {
  const pn_attrs_unbox *attrs = c->attrs;
  c->out[0].type = pn_type_unbox(c->symbols, &c->in[0].type);
  c->out[0].type.boxes.optional = attrs->optional;
  return PELTON_OK;
}

pelton_status pn_reference_unbox(const pn_call *call) {
  const pelton_tensor *const *boxes = NULL;
  int64_t count = 0, at = 0;
  PN_TRY(pn_call_boxes(call, "unbox", 0, &boxes, &count));
  if (pn_call_has(call, 1)) {
    int64_t index = 0;
    PN_TRY(pn_call_position(call, "unbox", 1, &index));
    if (index < -count || index >= count)
      return pn_fail(call->diag, PELTON_INVALID_DATA, "unbox: index %lld lies outside a sequence of %lld items",
                     (long long)index, (long long)count);
    at = index < 0 ? index + count : index;
  } else if (count != 1) {
    return pn_fail(call->diag, PELTON_INVALID_DATA, "unbox: the optional has %s; ask first whether it has one",
                   count == 0 ? "no element" : "more than one element");
  }
  call->out[0] = pn_box_open(boxes[at]);
  return PELTON_OK;
}
