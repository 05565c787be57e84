/* text_concat: each text of one operand with that of the other behind it, under broadcasting. The new texts lie one
   after another in a block that lasts as long as the result. */
#include "op/movement/walk.h"
#include "op/operand.h"
#include "op/text/strings.h"

pelton_status pn_check_text_concat(const pn_infer *c) {
  PN_TRY(pn_operand_wants_texts(c, "text_concat", 0, "operand 0"));
  return pn_operand_wants_texts(c, "text_concat", 1, "operand 1");
}

pelton_status pn_infer_text_concat(const pn_infer *c) {
  c->out[0].type.dtype = PELTON_DTYPE_STRING;
  return pn_infer_broadcast(c, &c->in[0].type, &c->in[1].type, &c->out[0].type);
}

/* The extents that two operands broadcast to: planned shapes are not there for operators that size their results. */
static pelton_status broadcast(const pn_call *call, uint32_t *rank, int64_t *dims) {
  const pn_tensor *a = &call->in[0], *b = &call->in[1];
  *rank = a->rank > b->rank ? a->rank : b->rank;
  for (uint32_t k = 1; k <= *rank; k++) {
    const int64_t x = k <= a->rank ? a->dims[a->rank - k] : 1, y = k <= b->rank ? b->dims[b->rank - k] : 1;
    if (x != y && x != 1 && y != 1)
      return pn_fail(call->diag, PELTON_INVALID_DATA, "text_concat: extents %lld and %lld do not broadcast",
                     (long long)x, (long long)y);
    dims[*rank - k] = x == 1 ? y : x;
  }
  return PELTON_OK;
}

/* Walks over all pairs: first to add up their bytes, then, with |text| non-null, to write them. */
static bool join(const pn_call *call, uint32_t rank, const int64_t *dims, pelton_string *y, char *text, size_t *bytes) {
  pn_walk a, b;
  bool fits = pn_walk_broadcast(&a, rank, dims, &call->in[0]) && pn_walk_broadcast(&b, rank, dims, &call->in[1]);
  *bytes = 0;
  if (!fits || !pn_walk_begin(&a) || !pn_walk_begin(&b)) return fits;
  do {
    const pn_str front = pn_tensor_str(&call->in[0], a.from), back = pn_tensor_str(&call->in[1], b.from);
    if (text) {
      y[a.to] = (pelton_string){text + *bytes, front.size + back.size};
      if (front.size) memcpy(text + *bytes, front.data, front.size);
      if (back.size) memcpy(text + *bytes + front.size, back.data, back.size);
    }
    fits = pn_add_size(*bytes, front.size, bytes) && pn_add_size(*bytes, back.size, bytes);
  } while (fits && pn_walk_next(&a) && pn_walk_next(&b));
  return fits;
}

pelton_status pn_reference_text_concat(const pn_call *call) {
  uint32_t rank;
  int64_t dims[PN_MAX_RANK];
  size_t bytes;
  PN_TRY(broadcast(call, &rank, dims));
  PN_TRY(pn_call_resize(call, 0, rank, dims));
  if (!call->out[0].data) return PELTON_OK;
  char *text = join(call, rank, dims, NULL, NULL, &bytes) ? pn_arena_alloc(call->lasting, bytes, 1) : NULL;
  if (!text) return pn_fail_memory(call->diag, "joined texts");
  return join(call, rank, dims, pn_tensor_strings(&call->out[0]), text, &bytes)
             ? PELTON_OK
             : PN_INTERNAL(call->diag, "texts grew while they were joined");
}
