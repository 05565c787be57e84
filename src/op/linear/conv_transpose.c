/* conv_transpose: each x[n,c,i] times w[c,m,t] is added to y[n,m,i*stride + t*dilation - pad]: the adjoint of conv. */
#include "op/linear/conv.h"
#include "op/linear/line.h"
#include "op/operand.h"

static const char op[] = "conv_transpose";

pelton_status pn_check_conv_transpose(const pn_infer *c) {
  const pn_attrs_conv_transpose *attrs = c->attrs;
  pn_window_spec spec = PN_WINDOW_SPEC(attrs);
  PN_TRY(pn_operand_wants_float(c, op, 0, "x"));
  PN_TRY(pn_operand_wants_type_of(c, op, 1, "w", 0));
  PN_TRY(pn_operand_wants_type_of(c, op, 2, "bias", 0));
  PN_TRY(pn_operand_wants_rank(c, op, 0, "x", 3, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_rank(c, op, 1, "w", 3, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_rank(c, op, 2, "bias", 1, 1));
  if (attrs->group < 1)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: group is %lld; it must be at least 1", op,
                   (long long)attrs->group);
  int32_t rank = c->in[0].type.rank;
  return pn_window_check(c->diag, op, &spec, rank == PN_RANK_UNKNOWN ? rank : rank - 2);
}

static pelton_status check_channels(pelton_diag *diag, pn_dim x, pn_dim w, int64_t group) {
  pn_dim both = pn_dim_of(0);
  if (!pn_dim_unify(x, w, &both))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: x has %lld channels, w takes %lld; they must be equal", op,
                   (long long)x.number, (long long)w.number);
  if (pn_dim_is_number(both) && both.number % group != 0)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: %lld groups do not divide x's %lld channels evenly", op,
                   (long long)group, (long long)both.number);
  return PELTON_OK;
}

static pelton_status check_ranks(pelton_diag *diag, int64_t x, int64_t w) {
  if (x == w) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: x has rank %lld, w rank %lld; they must be equal", op,
                 (long long)x, (long long)w);
}

pelton_status pn_infer_conv_transpose(const pn_infer *c) {
  const pn_attrs_conv_transpose *attrs = c->attrs;
  pn_window_transposed spec = PN_WINDOW_TRANSPOSED(attrs);
  const pn_type *x = &c->in[0].type, *w = &c->in[1].type;
  pn_type *y = &c->out[0].type;
  if (x->rank == PN_RANK_UNKNOWN || w->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, x->rank == PN_RANK_UNKNOWN ? w->rank : x->rank);
    if (x->rank != PN_RANK_UNKNOWN) y->dims[0] = x->dims[0];
    if (w->rank != PN_RANK_UNKNOWN) y->dims[1] = pn_dim_mul(c->symbols, w->dims[1], pn_dim_of(attrs->group));
    return PELTON_OK;
  }
  PN_TRY(check_ranks(c->diag, x->rank, w->rank));
  PN_TRY(check_channels(c->diag, x->dims[1], w->dims[0], attrs->group));
  pn_dim channels = pn_dim_mul(c->symbols, w->dims[1], pn_dim_of(attrs->group)), both = pn_dim_of(0);
  if (pn_infer_has(c, 2) && c->in[2].type.rank == 1 && !pn_dim_unify(channels, c->in[2].type.dims[0], &both))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "%s: bias has %lld elements, w gives %lld channels; they must be equal",
                   op, (long long)c->in[2].type.dims[0].number, (long long)channels.number);
  *y = (pn_type){.dtype = x->dtype, .rank = x->rank};
  y->dims[0] = x->dims[0];
  y->dims[1] = channels;
  return pn_window_infer_transposed(c, op, &spec, (uint32_t)x->rank - 2, x->dims + 2, w->dims + 2, y->dims + 2);
}

pelton_status pn_reference_conv_transpose(const pn_call *call) {
  const pn_attrs_conv_transpose *attrs = call->attrs;
  pn_window_transposed spec = PN_WINDOW_TRANSPOSED(attrs);
  const pn_tensor *x = &call->in[0], *w = &call->in[1];
  int64_t group = attrs->group;
  PN_TRY(check_ranks(call->diag, x->rank, w->rank));
  PN_TRY(check_channels(call->diag, pn_dim_of(x->dims[1]), pn_dim_of(w->dims[0]), group));
  pn_conv conv = {.axes = x->rank - 2, .batch = x->dims[0], .groups = group, .in_channels = w->dims[0] / group,
                  .out_channels = w->dims[1], .transposed = true};
  conv.out_dims[0] = x->dims[0];
  if (!pn_mul_i64(w->dims[1], group, &conv.out_dims[1])) return PN_INTERNAL(call->diag, "channels overflow");
  PN_TRY(pn_window_resolve_transposed(call->diag, op, &spec, conv.axes, x->dims + 2, w->dims + 2, conv.window));
  PN_TRY(pn_conv_prepare_taps(call, op, &conv));
  conv.w_out_stride = conv.taps;
  conv.w_in_stride = conv.taps * conv.out_channels;
  return pn_conv_compute(call, op, &conv);
}
