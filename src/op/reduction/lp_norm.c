/* lp_norm: a line over its 1-norm or 2-norm. lrn: an element over a power of the squares of the channels around it. */
#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

pelton_status pn_check_lp_norm(const pn_infer *c) {
  const pn_attrs_lp_norm *attrs = c->attrs;
  PN_TRY(pn_operand_wants_float(c, "lp_norm", 0, "x"));
  PN_TRY(pn_operand_wants_rank(c, "lp_norm", 0, "x", 1, PN_MAX_RANK));
  if (attrs->p == 1 || attrs->p == 2) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "lp_norm: p is %lld; it must be 1 or 2", (long long)attrs->p);
}

pelton_status pn_infer_lp_norm(const pn_infer *c) {
  const pn_attrs_lp_norm *attrs = c->attrs;
  uint32_t axis;
  pn_infer_same(c, 0);
  if (c->in[0].type.rank == PN_RANK_UNKNOWN) return PELTON_OK;
  return pn_axes_resolve(c->diag, "lp_norm", &attrs->axis, 1, c->in[0].type.rank, &axis);
}

pelton_status pn_reference_lp_norm(const pn_call *call) {
  const pn_attrs_lp_norm *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  uint32_t axis;
  double *line;
  PN_TRY(pn_axes_resolve(call->diag, "lp_norm", &attrs->axis, 1, x->rank, &axis));
  PN_TRY(pn_call_wants_result(call, "lp_norm", 0, x->rank, x->dims));
  int64_t extent = x->dims[axis], inner = 1, elements = pn_tensor_elements(x);
  for (uint32_t i = axis + 1; i < x->rank; i++) inner *= x->dims[i];
  PN_TRY(pn_call_room(call, extent, &line));
  for (int64_t i = 0; elements > 0 && i < elements / extent; i++) {
    int64_t start = i / inner * inner * extent + i % inner;
    double sum = 0;
    pn_line_load(x, start, inner, extent, line);
    for (int64_t k = 0; k < extent; k++) sum += attrs->p == 1 ? fabs(line[k]) : line[k] * line[k];
    double norm = attrs->p == 1 ? sum : sqrt(sum);
    for (int64_t k = 0; norm != 0 && k < extent; k++) line[k] /= norm; /* zeros stay zeros */
    pn_line_store(&call->out[0], start, inner, extent, line);
  }
  return PELTON_OK;
}

/* ---- lrn */

pelton_status pn_check_lrn(const pn_infer *c) {
  const pn_attrs_lrn *attrs = c->attrs;
  PN_TRY(pn_operand_wants_float(c, "lrn", 0, "x"));
  PN_TRY(pn_operand_wants_rank(c, "lrn", 0, "x", 2, PN_MAX_RANK));
  if (attrs->size >= 1 && attrs->size <= INT32_MAX) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "lrn: size is %lld; it must be from 1 to %d", (long long)attrs->size,
                 INT32_MAX);
}

pelton_status pn_infer_lrn(const pn_infer *c) {
  pn_infer_same(c, 0);
  return PELTON_OK;
}

static void lrn_line(const pn_attrs_lrn *attrs, const double *x, int64_t channels, double *y) {
  double alpha = (double)attrs->alpha / (double)attrs->size, beta = (double)attrs->beta, bias = (double)attrs->bias;
  for (int64_t c = 0; c < channels; c++) {
    int64_t first = pn_max_i64(0, c - (attrs->size - 1) / 2), last = pn_min_i64(channels - 1, c + attrs->size / 2);
    double sum = 0;
    for (int64_t k = first; k <= last; k++) sum += x[k] * x[k];
    y[c] = x[c] / pow(bias + alpha * sum, beta);
  }
}

pelton_status pn_reference_lrn(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  PN_TRY(pn_call_wants_result(call, "lrn", 0, x->rank, x->dims));
  int64_t channels = x->dims[1], plane = 1;
  double *line, *result;
  for (uint32_t i = 2; i < x->rank; i++) plane *= x->dims[i];
  PN_TRY(pn_call_room(call, channels, &line));
  PN_TRY(pn_call_room(call, channels, &result));
  for (int64_t i = 0; i < x->dims[0] * plane; i++) {
    int64_t start = i / plane * channels * plane + i % plane;
    pn_line_load(x, start, plane, channels, line);
    lrn_line(call->attrs, line, channels, result);
    pn_line_store(&call->out[0], start, plane, channels, result);
  }
  return PELTON_OK;
}
