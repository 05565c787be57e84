/* softmax and its logarithm: exp(x - max) over the sum of them, along one axis. */
#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

pelton_status pn_check_softmax(const pn_infer *c) {
  PN_TRY(pn_operand_wants_float(c, "softmax", 0, "x"));
  return pn_operand_wants_rank(c, "softmax", 0, "x", 1, PN_MAX_RANK);
}

pelton_status pn_infer_softmax(const pn_infer *c) {
  const pn_attrs_softmax *attrs = c->attrs;
  uint32_t axis;
  pn_infer_same(c, 0);
  if (c->in[0].type.rank == PN_RANK_UNKNOWN) return PELTON_OK;
  return pn_axes_resolve(c->diag, "softmax", &attrs->axis, 1, c->in[0].type.rank, &axis);
}

static void softmax_line(double *line, int64_t count, bool log_too) {
  double greatest = -(double)INFINITY, sum = 0;
  for (int64_t i = 0; i < count; i++) greatest = line[i] > greatest || isnan(line[i]) ? line[i] : greatest;
  for (int64_t i = 0; i < count; i++) {
    line[i] -= greatest;
    sum += exp(line[i]);
  }
  double log_sum = log(sum);
  for (int64_t i = 0; i < count; i++) line[i] = log_too ? line[i] - log_sum : exp(line[i]) / sum;
}

pelton_status pn_reference_softmax(const pn_call *call) {
  const pn_attrs_softmax *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  uint32_t axis;
  double *line;
  PN_TRY(pn_axes_resolve(call->diag, "softmax", &attrs->axis, 1, x->rank, &axis));
  PN_TRY(pn_call_wants_result(call, "softmax", 0, x->rank, x->dims));
  int64_t extent = x->dims[axis], inner = 1, elements = pn_tensor_elements(x);
  for (uint32_t i = axis + 1; i < x->rank; i++) inner *= x->dims[i];
  PN_TRY(pn_call_room(call, extent, &line));
  for (int64_t i = 0; elements > 0 && i < elements / extent; i++) {
    int64_t start = i / inner * inner * extent + i % inner;
    pn_line_load(x, start, inner, extent, line);
    softmax_line(line, extent, attrs->log);
    pn_line_store(&call->out[0], start, inner, extent, line);
  }
  return PELTON_OK;
}
