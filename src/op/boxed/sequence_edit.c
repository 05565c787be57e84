/* sequence_insert and sequence_erase: a new sequence of the same boxes, one more or one less. */
#include "op/boxed/box.h"

/* ---- sequence_insert */

pelton_status pn_check_sequence_insert(const pn_infer *c) {
  PN_TRY(pn_operand_wants_boxes(c, "sequence_insert", 0));
  const pn_boxes *boxes = &c->in[0].type.boxes;
  pn_type item = {.dtype = boxes->item};
  if (boxes->depth > 1) {
    item.dtype = PELTON_DTYPE_TENSOR;
    item.boxes = (pn_boxes){(uint8_t)(boxes->depth - 1), false, boxes->item};
  }
  if (!pn_type_same_elements(&c->in[1].type, &item))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "sequence_insert: the item is of %s, the sequence's items of %s",
                   pelton_dtype_name(c->in[1].type.dtype), pelton_dtype_name(item.dtype));
  PN_TRY(pn_operand_wants_indices(c, "sequence_insert", 2, "position"));
  return pn_operand_wants_scalar(c, "sequence_insert", 2, "position");
}

pelton_status pn_infer_sequence_insert(const pn_infer *c) {
  pn_infer_same(c, 0);
  c->out[0].type.boxes.optional = false;
  c->out[0].type.dims[0] = pn_dim_add(c->symbols, c->in[0].type.dims[0], pn_dim_of(1));
  return PELTON_OK;
}

pelton_status pn_reference_sequence_insert(const pn_call *call) {
  const pelton_tensor *const *from = NULL, **to = NULL;
  int64_t count = 0;
  PN_TRY(pn_call_boxes(call, "sequence_insert", 0, &from, &count));
  int64_t position = count;
  PN_TRY(pn_call_position(call, "sequence_insert", 2, &position));
  if (position < -count || position > count)
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "sequence_insert: position %lld lies outside a sequence of %lld items", (long long)position,
                   (long long)count);
  const int64_t at = position < 0 ? position + count : position;
  PN_TRY(pn_call_resize_boxes(call, 0, count + 1, &to));
  for (int64_t i = 0; i < count; i++) to[i < at ? i : i + 1] = from[i];
  to[at] = pn_box_new(call->lasting, &call->in[1]);
  return to[at] ? PELTON_OK : pn_fail_memory(call->diag, "a sequence");
}

/* ---- sequence_erase */

pelton_status pn_check_sequence_erase(const pn_infer *c) {
  PN_TRY(pn_operand_wants_boxes(c, "sequence_erase", 0));
  PN_TRY(pn_operand_wants_indices(c, "sequence_erase", 1, "position"));
  return pn_operand_wants_scalar(c, "sequence_erase", 1, "position");
}

pelton_status pn_infer_sequence_erase(const pn_infer *c) {
  pn_infer_same(c, 0);
  c->out[0].type.boxes.optional = false;
  pn_dim *length = &c->out[0].type.dims[0]; /* of an empty one: whether this ever runs is not decided here */
  *length = pn_dim_is(*length, 0) ? pn_dim_fresh(c->symbols) : pn_dim_sub(c->symbols, *length, pn_dim_of(1));
  return PELTON_OK;
}

pelton_status pn_reference_sequence_erase(const pn_call *call) {
  const pelton_tensor *const *from = NULL, **to = NULL;
  int64_t count = 0;
  PN_TRY(pn_call_boxes(call, "sequence_erase", 0, &from, &count));
  int64_t position = count - 1;
  PN_TRY(pn_call_position(call, "sequence_erase", 1, &position));
  if (position < -count || position >= count)
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "sequence_erase: position %lld lies outside a sequence of %lld items", (long long)position,
                   (long long)count);
  const int64_t at = position < 0 ? position + count : position;
  PN_TRY(pn_call_resize_boxes(call, 0, count - 1, &to));
  for (int64_t i = 0; i + 1 < count; i++) to[i] = from[i < at ? i : i + 1];
  return PELTON_OK;
}
