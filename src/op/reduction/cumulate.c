/* cumulate: running sums or products along an axis, from either end; exclusive ones leave the element itself out, so
   that they begin with 0 or 1. */
#include "op/operand.h"

pelton_status pn_check_cumulate(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "cumulate", 0, "the operand", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "cumulate", 1, "axis"));
  PN_TRY(pn_operand_wants_scalar(c, "cumulate", 1, "axis"));
  if (c->in[0].type.dtype != PELTON_DTYPE_BOOL) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "cumulate: the operand is of type bool; it must be numbers");
}

pelton_status pn_infer_cumulate(const pn_infer *c) {
  const int64_t *wanted;
  uint32_t count, axis;
  pn_infer_same(c, 0);
  if (c->in[0].type.rank == PN_RANK_UNKNOWN || !pn_infer_numbers(c, 1, &wanted, &count) || count != 1) return PELTON_OK;
  return pn_axes_resolve(c->diag, "cumulate", wanted, 1, c->in[0].type.rank, &axis);
}

/* Along one line; element i is at base + i * stride. */
static void line_of_floats(const pn_attrs_cumulate *attrs, const pn_tensor *x, pn_tensor *y, int64_t base,
                           int64_t stride, int64_t extent) {
  bool product = attrs->kind == PN_CUM_PROD;
  double so_far = product ? 1 : 0;
  for (int64_t i = 0; i < extent; i++) {
    int64_t at = base + (attrs->reverse ? extent - 1 - i : i) * stride;
    double v = pn_tensor_get_f64(x, at), next = product ? so_far * v : so_far + v;
    pn_tensor_set_f64(y, at, attrs->exclusive ? so_far : next);
    so_far = next;
  }
}

static void line_of_integers(const pn_attrs_cumulate *attrs, const pn_tensor *x, pn_tensor *y, int64_t base,
                             int64_t stride, int64_t extent) {
  bool product = attrs->kind == PN_CUM_PROD;
  uint64_t so_far = product ? 1 : 0;
  for (int64_t i = 0; i < extent; i++) {
    int64_t at = base + (attrs->reverse ? extent - 1 - i : i) * stride;
    uint64_t v = (uint64_t)pn_tensor_get_i64(x, at), next = product ? so_far * v : so_far + v;
    pn_tensor_set_i64(y, at, (int64_t)(attrs->exclusive ? so_far : next));
    so_far = next;
  }
}

pelton_status pn_reference_cumulate(const pn_call *call) {
  const pn_attrs_cumulate *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  const int64_t *wanted;
  uint32_t count, axis;
  int64_t outer = 1, inner = 1;
  PN_TRY(pn_call_numbers(call, 1, &wanted, &count));
  if (count != 1)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "cumulate: axis has %u elements; it must be one", (unsigned)count);
  PN_TRY(pn_axes_resolve(call->diag, "cumulate", wanted, 1, x->rank, &axis));
  PN_TRY(pn_call_wants_result(call, "cumulate", 0, x->rank, x->dims));
  int64_t extent = x->dims[axis];
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis) *(i < axis ? &outer : &inner) *= x->dims[i];
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      (pn_dtype_is_float(x->dtype) ? line_of_floats : line_of_integers)(attrs, x, &call->out[0], o * extent * inner + i,
                                                                        inner, extent);
  return PELTON_OK;
}
