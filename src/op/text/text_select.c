/* What an expression does for numbers, done for texts: text_equal compares byte by byte, text_select picks by a
   condition. Both broadcast. */
#include "op/movement/walk.h"
#include "op/operand.h"
#include "op/text/strings.h"

/* ---- text_equal */

pelton_status pn_check_text_equal(const pn_infer *c) {
  PN_TRY(pn_operand_wants_texts(c, "text_equal", 0, "operand 0"));
  return pn_operand_wants_texts(c, "text_equal", 1, "operand 1");
}

pelton_status pn_infer_text_equal(const pn_infer *c) {
  c->out[0].type.dtype = PELTON_DTYPE_BOOL;
  return pn_infer_broadcast(c, &c->in[0].type, &c->in[1].type, &c->out[0].type);
}

static pelton_status start(const pn_call *call, uint32_t count, pn_walk *walks, bool *any) {
  const pn_tensor *y = &call->out[0];
  *any = true;
  for (uint32_t i = 0; i < count; i++) {
    if (!pn_walk_broadcast(&walks[i], y->rank, y->dims, &call->in[i]))
      return PN_INTERNAL(call->diag, "a result of texts was planned with another shape");
    *any = pn_walk_begin(&walks[i]) && *any;
  }
  return PELTON_OK;
}

pelton_status pn_reference_text_equal(const pn_call *call) {
  uint8_t *y = call->out[0].data;
  pn_walk w[2];
  bool any;
  PN_TRY(start(call, 2, w, &any));
  while (any) {
    y[w[0].to] = pn_str_equal(pn_tensor_str(&call->in[0], w[0].from), pn_tensor_str(&call->in[1], w[1].from));
    any = pn_walk_next(&w[0]) && pn_walk_next(&w[1]);
  }
  return PELTON_OK;
}

/* ---- text_select */

pelton_status pn_check_text_select(const pn_infer *c) {
  if (c->in[0].present && c->in[0].type.dtype != PELTON_DTYPE_BOOL)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "text_select: the condition is of type %s; it must be bool",
                   pelton_dtype_name(c->in[0].type.dtype));
  PN_TRY(pn_operand_wants_texts(c, "text_select", 1, "operand 1"));
  return pn_operand_wants_texts(c, "text_select", 2, "operand 2");
}

pelton_status pn_infer_text_select(const pn_infer *c) {
  pn_type both = {.dtype = PELTON_DTYPE_STRING};
  PN_TRY(pn_infer_broadcast(c, &c->in[1].type, &c->in[2].type, &both));
  c->out[0].type.dtype = PELTON_DTYPE_STRING;
  return pn_infer_broadcast(c, &c->in[0].type, &both, &c->out[0].type);
}

pelton_status pn_reference_text_select(const pn_call *call) {
  pelton_string *y = pn_tensor_strings(&call->out[0]);
  const uint8_t *condition = call->in[0].data;
  pn_walk w[3];
  bool any;
  PN_TRY(start(call, 3, w, &any));
  while (any) {
    const uint32_t from = condition[w[0].from] ? 1 : 2;
    y[w[0].to] = pn_tensor_strings(&call->in[from])[w[from].from];
    any = pn_walk_next(&w[0]) && pn_walk_next(&w[1]) && pn_walk_next(&w[2]);
  }
  return PELTON_OK;
}
