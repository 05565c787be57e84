/* reverse_sequence: each batch element's first |length| time steps in reverse order, the rest as they are. */
#include "op/operand.h"
#include "op/movement/walk.h"

pelton_status pn_check_reverse_sequence(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "reverse_sequence", 0, "the operand", 2, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "reverse_sequence", 1, "sequence_lens"));
  return pn_operand_wants_rank(c, "reverse_sequence", 1, "sequence_lens", 1, 1);
}

/* axes[0] is the batch, axes[1] time; one of each is wanted, so equal ones are an error. */
static pelton_status reverse_axes(pelton_diag *diag, const pn_attrs_reverse_sequence *attrs, int64_t rank,
                                  uint32_t *axes) {
  int64_t wanted[2] = {attrs->batch_axis, attrs->time_axis};
  return pn_axes_resolve(diag, "reverse_sequence", wanted, 2, rank, axes);
}

pelton_status pn_infer_reverse_sequence(const pn_infer *c) {
  uint32_t axes[2];
  pn_infer_same(c, 0);
  if (c->in[0].type.rank == PN_RANK_UNKNOWN) return PELTON_OK;
  PN_TRY(reverse_axes(c->diag, c->attrs, c->in[0].type.rank, axes));
  if (c->in[1].type.rank != 1) return PELTON_OK;
  pn_dim *batch = &c->out[0].type.dims[axes[0]], lengths = c->in[1].type.dims[0];
  if (pn_dim_unify(*batch, lengths, batch)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "reverse_sequence: %lld lengths for a batch of %lld; give one each",
                 (long long)lengths.number, (long long)c->in[0].type.dims[axes[0]].number);
}

pelton_status pn_reference_reverse_sequence(const pn_call *call) {
  const pn_tensor *x = &call->in[0], *lengths = &call->in[1], *y = &call->out[0];
  uint32_t axes[2];
  PN_TRY(reverse_axes(call->diag, call->attrs, x->rank, axes));
  int64_t steps = x->dims[axes[1]];
  size_t bytes = pelton_dtype_bytes(x->dtype);
  PN_TRY(pn_call_wants_result(call, "reverse_sequence", 0, x->rank, x->dims));
  if (lengths->dims[0] != x->dims[axes[0]])
    return pn_fail(call->diag, PELTON_INVALID_DATA, "reverse_sequence: %lld lengths for a batch of %lld; give one each",
                   (long long)lengths->dims[0], (long long)x->dims[axes[0]]);
  for (int64_t n = 0; n < lengths->dims[0]; n++) {
    int64_t length = pn_tensor_get_i64(lengths, n);
    if (length < 0 || length > steps)
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "reverse_sequence: length %lld of batch element %lld is not within [0, %lld]", (long long)length,
                     (long long)n, (long long)steps);
  }
  /* What lies behind both axes moves as one. */
  uint32_t rank = (axes[0] > axes[1] ? axes[0] : axes[1]) + 1;
  for (uint32_t i = rank; i < x->rank; i++) bytes *= (size_t)x->dims[i];
  if (!bytes) return PELTON_OK;
  pn_walk w;
  pn_walk_init(&w, rank, x->dims);
  int64_t stride = w.from_strides[axes[1]];
  if (!pn_walk_begin(&w)) return PELTON_OK;
  do {
    int64_t t = w.index[axes[1]], length = pn_tensor_get_i64(lengths, w.index[axes[0]]);
    int64_t from = t < length ? w.from + (length - 1 - 2 * t) * stride : w.from;
    memcpy((char *)y->data + (size_t)w.to * bytes, (const char *)x->data + (size_t)from * bytes, bytes);
  } while (pn_walk_next(&w));
  return PELTON_OK;
}
