/* layer_norm and group_norm: x less its mean, over its deviation, where both are taken over the last axes of a tensor
   or over groups of channels. kind=rms leaves the mean in: x over the root of its mean square.

   Statistics are in double; scale and bias broadcast to x as numpy has it (layer_norm) or are one number a channel. */
#include "op/linear/line.h"
#include "op/operand.h"
#include "op/movement/walk.h"

#include <math.h>

/* ---- layer_norm */

pelton_status pn_check_layer_norm(const pn_infer *c) {
  const pn_attrs_layer_norm *attrs = c->attrs;
  PN_TRY(pn_operand_wants_float(c, "layer_norm", 0, "x"));
  PN_TRY(pn_operand_wants_rank(c, "layer_norm", 0, "x", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_float(c, "layer_norm", 1, "scale"));
  PN_TRY(pn_operand_wants_float(c, "layer_norm", 2, "bias"));
  if (pn_infer_has(c, 1)) PN_TRY(pn_operand_wants_type_of(c, "layer_norm", 2, "bias", 1));
  if (attrs->kind == PN_NORM_MEAN) PN_TRY(pn_operand_wants_type_of(c, "layer_norm", 1, "scale", 0));
  if (attrs->kind != PN_NORM_RMS || !c->out || c->output_count < 2 || !c->out[1].present) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "layer_norm: result 1 is asked for, but kind=rms takes no mean");
}

/* |x| broadcasts to |to|: no more axes, extents equal or 1. */
static pelton_status check_broadcasts(const pn_infer *c, uint32_t i, const char *name) {
  const pn_type *x = &c->in[0].type, *s = &c->in[i].type;
  if (!pn_infer_has(c, i) || s->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  if (s->rank > x->rank)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "layer_norm: %s has rank %d, more than x's %d", name, s->rank,
                   x->rank);
  for (int32_t k = 1; k <= s->rank; k++) {
    pn_dim a = x->dims[x->rank - k], b = s->dims[s->rank - k], both = pn_dim_of(0);
    if (!pn_dim_is(b, 1) && !pn_dim_unify(a, b, &both))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "layer_norm: %s has extent %lld where x has %lld; it must be 1 or that",
                     name, (long long)b.number, (long long)a.number);
  }
  return PELTON_OK;
}

pelton_status pn_infer_layer_norm(const pn_infer *c) {
  const pn_attrs_layer_norm *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  uint32_t axis = 0;
  pn_infer_same(c, 0);
  /* RMSNormalization's result is of its scale's type. */
  if (attrs->kind == PN_NORM_RMS && pn_infer_has(c, 1)) c->out[0].type.dtype = c->in[1].type.dtype;
  if (x->rank != PN_RANK_UNKNOWN) {
    PN_TRY(pn_axes_resolve(c->diag, "layer_norm", &attrs->axis, 1, x->rank, &axis));
    PN_TRY(check_broadcasts(c, 1, "scale"));
    PN_TRY(check_broadcasts(c, 2, "bias"));
  }
  for (uint32_t i = 1; i < c->output_count; i++) {
    c->out[i].type = *x;
    c->out[i].type.dtype = PELTON_DTYPE_F32;
    for (int32_t k = (int32_t)axis; k < x->rank; k++) c->out[i].type.dims[k] = pn_dim_of(1);
  }
  return PELTON_OK;
}

/* Centers (or not) and scales |line| to a deviation of 1. */
static void normalise(double *line, int64_t count, bool center, double epsilon, double *mean_out, double *inverse_out) {
  double mean = 0, square = 0;
  for (int64_t i = 0; center && i < count; i++) mean += line[i];
  mean /= (double)count;
  for (int64_t i = 0; i < count; i++) square += (line[i] - mean) * (line[i] - mean);
  double inverse = 1 / sqrt(square / (double)count + epsilon);
  for (int64_t i = 0; i < count; i++) line[i] = (line[i] - mean) * inverse;
  *mean_out = mean;
  *inverse_out = inverse;
}

/* A walk over x whose |from| is the element of operand |i| that broadcasts there. */
static pelton_status broadcast_walk(const pn_call *call, uint32_t i, const char *name, pn_walk *w) {
  const pn_tensor *x = &call->in[0], *s = &call->in[i];
  pn_walk_init(w, x->rank, x->dims);
  memset(w->from_strides, 0, sizeof w->from_strides);
  int64_t stride = 1;
  for (uint32_t k = 1; k <= s->rank; k++) {
    int64_t extent = s->dims[s->rank - k];
    if (k > x->rank || (extent != 1 && extent != x->dims[x->rank - k]))
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "layer_norm: %s does not broadcast to x; its extents must be 1 or x's", name);
    w->from_strides[x->rank - k] = extent == 1 ? 0 : stride;
    stride *= extent;
  }
  return PELTON_OK;
}

pelton_status pn_reference_layer_norm(const pn_call *call) {
  const pn_attrs_layer_norm *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  int64_t extent = 1, outer = 1, dims[PN_MAX_RANK], elements = pn_tensor_elements(x);
  uint32_t axis;
  pn_walk scale, bias;
  double *values;
  PN_TRY(pn_axes_resolve(call->diag, "layer_norm", &attrs->axis, 1, x->rank, &axis));
  PN_TRY(pn_call_wants_result(call, "layer_norm", 0, x->rank, x->dims));
  for (uint32_t i = 0; i < x->rank; i++) {
    dims[i] = i < axis ? x->dims[i] : 1;
    *(i < axis ? &outer : &extent) *= x->dims[i];
  }
  for (uint32_t i = 1; i < call->output_count; i++)
    if (call->out[i].data) PN_TRY(pn_call_wants_result(call, "layer_norm", i, x->rank, dims));
  if (pn_call_has(call, 1)) PN_TRY(broadcast_walk(call, 1, "scale", &scale));
  if (pn_call_has(call, 2)) PN_TRY(broadcast_walk(call, 2, "bias", &bias));
  PN_TRY(pn_call_f64s(call, x, &values));
  for (int64_t i = 0; i < outer; i++) {
    double mean = 0, inverse = 0;
    normalise(values + i * extent, extent, attrs->kind == PN_NORM_MEAN, (double)attrs->epsilon, &mean, &inverse);
    if (call->output_count > 1 && call->out[1].data) pn_tensor_set_f64(&call->out[1], i, mean);
    if (call->output_count > 2 && call->out[2].data) pn_tensor_set_f64(&call->out[2], i, inverse);
  }
  if (pn_call_has(call, 1) && pn_walk_begin(&scale)) do
      values[scale.to] *= pn_tensor_get_f64(&call->in[1], scale.from);
    while (pn_walk_next(&scale));
  if (pn_call_has(call, 2) && pn_walk_begin(&bias)) do
      values[bias.to] += pn_tensor_get_f64(&call->in[2], bias.from);
    while (pn_walk_next(&bias));
  pn_line_store(&call->out[0], 0, 1, elements, values);
  return PELTON_OK;
}

/* ---- group_norm */

pelton_status pn_check_group_norm(const pn_infer *c) {
  const pn_attrs_group_norm *attrs = c->attrs;
  PN_TRY(pn_operand_wants_float(c, "group_norm", 0, "x"));
  PN_TRY(pn_operand_wants_rank(c, "group_norm", 0, "x", 2, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_type_of(c, "group_norm", 1, "scale", 0));
  PN_TRY(pn_operand_wants_type_of(c, "group_norm", 2, "bias", 0));
  PN_TRY(pn_operand_wants_rank(c, "group_norm", 1, "scale", 1, 1));
  PN_TRY(pn_operand_wants_rank(c, "group_norm", 2, "bias", 1, 1));
  if (attrs->groups >= 0) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                 "group_norm: groups is %lld; it must be at least 1, or 0 for one a channel", (long long)attrs->groups);
}

static pelton_status check_groups(pelton_diag *diag, int64_t channels, int64_t groups) {
  if (groups == 0 || channels % groups == 0) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "group_norm: %lld groups do not divide %lld channels evenly",
                 (long long)groups, (long long)channels);
}

pelton_status pn_infer_group_norm(const pn_infer *c) {
  const pn_attrs_group_norm *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  pn_infer_same(c, 0);
  if (x->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  pn_dim channels = x->dims[1], both = pn_dim_of(0);
  for (uint32_t i = 1; i <= 2; i++)
    if (pn_infer_has(c, i) && c->in[i].type.rank == 1 && !pn_dim_unify(channels, c->in[i].type.dims[0], &both))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "group_norm: %s has %lld elements for %lld channels; they must be equal",
                     i == 1 ? "scale" : "bias", (long long)c->in[i].type.dims[0].number, (long long)channels.number);
  return pn_dim_is_number(channels) ? check_groups(c->diag, channels.number, attrs->groups) : PELTON_OK;
}

pelton_status pn_reference_group_norm(const pn_call *call) {
  const pn_attrs_group_norm *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  PN_TRY(pn_call_wants_result(call, "group_norm", 0, x->rank, x->dims));
  int64_t channels = x->dims[1], plane = 1;
  PN_TRY(check_groups(call->diag, channels, attrs->groups));
  PN_TRY(pn_call_wants_elements(call, "group_norm", 1, "scale", channels));
  PN_TRY(pn_call_wants_elements(call, "group_norm", 2, "bias", channels));
  for (uint32_t i = 2; i < x->rank; i++) plane *= x->dims[i];
  int64_t groups = attrs->groups == 0 ? channels : attrs->groups, members = groups > 0 ? channels / groups : 0;
  double *line, mean, inverse;
  PN_TRY(pn_call_room(call, members * plane, &line));
  for (int64_t g = 0; g < x->dims[0] * groups; g++) {
    int64_t start = g * members * plane;
    pn_line_load(x, start, 1, members * plane, line);
    normalise(line, members * plane, true, (double)attrs->epsilon, &mean, &inverse);
    for (int64_t m = 0; m < members; m++) {
      int64_t channel = g % groups * members + m;
      double scale = pn_call_has(call, 1) ? pn_tensor_get_f64(&call->in[1], channel) : 1;
      double bias = pn_call_has(call, 2) ? pn_tensor_get_f64(&call->in[2], channel) : 0;
      for (int64_t i = 0; i < plane; i++) line[m * plane + i] = line[m * plane + i] * scale + bias;
    }
    pn_line_store(&call->out[0], start, 1, members * plane, line);
  }
  return PELTON_OK;
}
