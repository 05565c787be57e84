/* Where the greatest element of an axis stands: arg_reduce gives its index, hardmax a one in its place. NaN counts as
   the greatest and the least of all, as numpy has it. */
#include "op/operand.h"
#include "op/selection/scalar.h"

/* One line along an axis: element i is x[base + i * stride]. */
static int64_t best_of_line(const pn_tensor *x, int64_t base, int64_t stride, int64_t extent, bool greater, bool last) {
  int64_t best = 0;
  for (int64_t i = 1; i < extent; i++) {
    int64_t a = base + i * stride, b = base + best * stride;
    bool takes = last ? !pn_element_beats(x, b, x, a, greater) : pn_element_beats(x, a, x, b, greater);
    if (takes) best = i;
  }
  return best;
}

static void around(const pn_tensor *x, uint32_t axis, int64_t *outer, int64_t *inner) {
  *outer = *inner = 1;
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis) *(i < axis ? outer : inner) *= x->dims[i];
}

/* ---- arg_reduce */

pelton_status pn_check_arg_reduce(const pn_infer *c) {
  return pn_operand_wants_rank(c, "arg_reduce", 0, "the operand", 1, PN_MAX_RANK);
}

pelton_status pn_infer_arg_reduce(const pn_infer *c) {
  const pn_attrs_arg_reduce *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  uint32_t axis;
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, PELTON_DTYPE_I64, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  PN_TRY(pn_axes_resolve(c->diag, "arg_reduce", &attrs->axis, 1, x->rank, &axis));
  if (pn_dim_is(x->dims[axis], 0))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "arg_reduce: axis %u has no elements to choose from",
                   (unsigned)axis);
  pn_type y = {.dtype = PELTON_DTYPE_I64};
  for (int32_t i = 0; i < x->rank; i++)
    if (i != (int32_t)axis || attrs->keep_dims) y.dims[y.rank++] = i == (int32_t)axis ? pn_dim_of(1) : x->dims[i];
  c->out[0].type = y;
  return PELTON_OK;
}

pelton_status pn_reference_arg_reduce(const pn_call *call) {
  const pn_attrs_arg_reduce *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  int64_t outer, inner, *y = call->out[0].data;
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "arg_reduce", &attrs->axis, 1, x->rank, &axis));
  around(x, axis, &outer, &inner);
  int64_t extent = x->dims[axis];
  if (extent == 0)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "arg_reduce: axis %u has no elements to choose from",
                   (unsigned)axis);
  if (pn_tensor_elements(&call->out[0]) != outer * inner)
    return PN_INTERNAL(call->diag, "arg_reduce was planned with another shape");
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++)
      y[o * inner + i] =
          best_of_line(x, o * extent * inner + i, inner, extent, attrs->kind == PN_ARG_MAX, attrs->last_index);
  return PELTON_OK;
}

/* ---- hardmax */

pelton_status pn_check_hardmax(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "hardmax", 0, "the operand", 1, PN_MAX_RANK));
  if (pn_dtype_is_float(c->in[0].type.dtype)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "hardmax: the operand is of type %s; it must be a float type",
                 pelton_dtype_name(c->in[0].type.dtype));
}

pelton_status pn_infer_hardmax(const pn_infer *c) {
  const pn_attrs_hardmax *attrs = c->attrs;
  uint32_t axis;
  pn_infer_same(c, 0);
  if (c->in[0].type.rank == PN_RANK_UNKNOWN) return PELTON_OK;
  return pn_axes_resolve(c->diag, "hardmax", &attrs->axis, 1, c->in[0].type.rank, &axis);
}

pelton_status pn_reference_hardmax(const pn_call *call) {
  const pn_attrs_hardmax *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  pn_tensor *y = &call->out[0];
  int64_t outer, inner;
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "hardmax", &attrs->axis, 1, x->rank, &axis));
  PN_TRY(pn_call_wants_result(call, "hardmax", 0, x->rank, x->dims));
  around(x, axis, &outer, &inner);
  int64_t extent = x->dims[axis];
  if (pn_tensor_elements(x) == 0) return PELTON_OK;
  memset(y->data, 0, (size_t)pn_tensor_elements(x) * pelton_dtype_bytes(x->dtype));
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++) {
      int64_t base = o * extent * inner + i;
      pn_tensor_set_f64(y, base + best_of_line(x, base, inner, extent, true, false) * inner, 1.0);
    }
  return PELTON_OK;
}
