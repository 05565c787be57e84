/* Operators that give the same bytes another shape or type: reshape, flatten, squeeze, unsqueeze, bitcast. The planner
   makes views of them, so that the references only serve where a copy is asked for. */
#include "op/operand.h"

static pelton_status copy_all(const pn_call *call) {
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  size_t bytes = (size_t)pn_tensor_elements(x) * pelton_dtype_bytes(x->dtype);
  if ((size_t)pn_tensor_elements(y) * pelton_dtype_bytes(y->dtype) != bytes)
    return PN_INTERNAL(call->diag, "a view has other bytes than its operand");
  if (bytes > 0) memcpy(y->data, x->data, bytes);
  return PELTON_OK;
}

/* ---- reshape */

pelton_status pn_check_reshape(const pn_infer *c) {
  PN_TRY(pn_operand_wants_indices(c, "reshape", 1, "shape"));
  return pn_operand_wants_rank(c, "reshape", 1, "shape", 0, 1);
}

/* The extent that -1 stands for: what is left of the operand's elements. Extents on both sides are crossed out first,
   so that [n,c,h,w] to [n,c,-1] gives h*w, whatever n and c are. */
static pelton_status reshape_rest(const pn_infer *c, const pn_type *x, pn_type *y, int32_t rest) {
  bool crossed[PN_MAX_RANK] = {false};
  pn_dim above = pn_dim_of(1), below = pn_dim_of(1);
  for (int32_t i = 0; i < y->rank; i++) {
    if (i == rest) continue;
    int32_t k = 0;
    while (k < x->rank && (crossed[k] || !pn_dim_equal(x->dims[k], y->dims[i]))) k++;
    if (k < x->rank)
      crossed[k] = true;
    else
      below = pn_dim_mul(c->symbols, below, y->dims[i]);
  }
  for (int32_t k = 0; k < x->rank; k++)
    if (!crossed[k]) above = pn_dim_mul(c->symbols, above, x->dims[k]);
  if (pn_dim_is(below, 0))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "reshape: -1 stands beside an extent of 0, so that it could be any; "
                   "write the extent");
  if (pn_dim_is_number(above) && pn_dim_is_number(below) && above.number % below.number != 0)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "reshape: %lld elements do not divide by %lld, which the given extents ask for",
                   (long long)above.number, (long long)below.number);
  y->dims[rest] = pn_dim_floor_div(c->symbols, above, below);
  return PELTON_OK;
}

pelton_status pn_infer_reshape(const pn_infer *c) {
  const pn_attrs_reshape *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  pn_type *y = &c->out[0].type;
  const pn_dim *shape;
  uint32_t count;
  pn_content_pass(c);
  if (!pn_infer_content(c, 1, &shape, &count)) {
    bool known = pn_infer_length(c, 1, &count) && count <= PN_MAX_RANK;
    pn_infer_unknown(c, 0, x->dtype, known ? (int32_t)count : PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  if (count > PN_MAX_RANK)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "reshape: the shape has %u extents; the limit is %d", (unsigned)count,
                   PN_MAX_RANK);
  *y = (pn_type){.dtype = x->dtype, .rank = (int32_t)count};
  int32_t rest = -1;
  for (int32_t i = 0; i < y->rank; i++) {
    pn_dim d = shape[i];
    if (pn_dim_is_number(d) && d.number < -1)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "reshape: extent %lld on axis %d; extents are -1, 0 or more",
                     (long long)d.number, i);
    if (pn_dim_is(d, -1)) {
      if (rest >= 0)
        return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "reshape: axes %d and %d are both -1; only one may be", rest,
                       i);
      rest = i;
    } else if (pn_dim_is(d, 0) && !attrs->allow_zero) {
      if (x->rank != PN_RANK_UNKNOWN && i >= x->rank)
        return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                       "reshape: extent 0 on axis %d copies an axis that an operand of rank %d lacks", i, x->rank);
      d = x->rank == PN_RANK_UNKNOWN ? pn_dim_fresh(c->symbols) : x->dims[i];
    }
    y->dims[i] = d;
  }
  if (x->rank == PN_RANK_UNKNOWN) {
    if (rest >= 0) y->dims[rest] = pn_dim_fresh(c->symbols);
    return PELTON_OK;
  }
  if (rest >= 0) PN_TRY(reshape_rest(c, x, y, rest));
  pn_dim before = pn_type_elements(c->symbols, x), after = pn_type_elements(c->symbols, y);
  if (pn_dim_is_number(before) && pn_dim_is_number(after) && before.number != after.number)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "reshape: the operand has %lld elements, the shape asks for %lld",
                   (long long)before.number, (long long)after.number);
  return PELTON_OK;
}

pelton_status pn_reference_reshape(const pn_call *call) { return copy_all(call); }

/* ---- flatten */

pelton_status pn_check_flatten(const pn_infer *c) {
  (void)c; /* any type and rank will do; the axis is checked against the rank by infer */
  return PELTON_OK;
}

pelton_status pn_infer_flatten(const pn_infer *c) {
  const pn_attrs_flatten *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  pn_type *y = &c->out[0].type;
  pn_content_pass(c);
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, 2);
    return PELTON_OK;
  }
  /* One more than for other axes: the axis names a cut between axes, and the end is one. */
  if (attrs->axis < -x->rank || attrs->axis > x->rank)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "flatten: axis %lld is not within [-%d, %d]",
                   (long long)attrs->axis, x->rank, x->rank);
  int64_t cut = attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis;
  *y = (pn_type){.dtype = x->dtype, .rank = 2, .dims = {{1, 0}, {1, 0}}};
  for (int32_t i = 0; i < x->rank; i++) y->dims[i >= cut] = pn_dim_mul(c->symbols, y->dims[i >= cut], x->dims[i]);
  return PELTON_OK;
}

pelton_status pn_reference_flatten(const pn_call *call) { return copy_all(call); }

/* ---- squeeze and unsqueeze */

static pelton_status check_axes_operand(const pn_infer *c, const char *op) {
  PN_TRY(pn_operand_wants_indices(c, op, 1, "axes"));
  return pn_operand_wants_rank(c, op, 1, "axes", 0, 1);
}

pelton_status pn_check_squeeze(const pn_infer *c) { return check_axes_operand(c, "squeeze"); }

/* Marks the axes to go. False when that is not known now: without a list it depends on extents. */
static pelton_status squeeze_axes(const pn_infer *c, const pn_type *x, const int64_t *axes, uint32_t count, bool listed,
                                  bool *gone, bool *known) {
  uint32_t list[PN_MAX_RANK];
  *known = true;
  if (!listed) {
    for (int32_t i = 0; i < x->rank; i++) {
      gone[i] = pn_dim_is(x->dims[i], 1);
      bool perhaps = !pn_dim_is_number(x->dims[i]) && pn_dim_lower(c->symbols, x->dims[i]) <= 1;
      if (perhaps) *known = false;
    }
    return PELTON_OK;
  }
  if (count > (uint32_t)x->rank)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "squeeze: %u axes for an operand of rank %d", (unsigned)count,
                   x->rank);
  PN_TRY(pn_axes_resolve(c->diag, "squeeze", axes, count, x->rank, list));
  for (uint32_t i = 0; i < count; i++) {
    pn_dim d = x->dims[list[i]];
    if (pn_dim_is_number(d) && d.number != 1)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "squeeze: axis %u has extent %lld; only 1 can be left out",
                     (unsigned)list[i], (long long)d.number);
    gone[list[i]] = true;
  }
  return PELTON_OK;
}

pelton_status pn_infer_squeeze(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  pn_type *y = &c->out[0].type;
  bool gone[PN_MAX_RANK] = {false}, known, listed = pn_infer_has(c, 1);
  const int64_t *axes = NULL;
  uint32_t count = 0;
  pn_content_pass(c);
  bool numbers = !listed || pn_infer_numbers(c, 1, &axes, &count);
  if (x->rank == PN_RANK_UNKNOWN || !numbers) {
    bool counted = listed && x->rank != PN_RANK_UNKNOWN && pn_infer_length(c, 1, &count) && count <= (uint32_t)x->rank;
    pn_infer_unknown(c, 0, x->dtype, counted ? x->rank - (int32_t)count : PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  PN_TRY(squeeze_axes(c, x, axes, count, listed, gone, &known));
  if (!known) {
    pn_infer_unknown(c, 0, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  pn_type result = {.dtype = x->dtype};
  for (int32_t i = 0; i < x->rank; i++)
    if (!gone[i]) result.dims[result.rank++] = x->dims[i];
  *y = result;
  return PELTON_OK;
}

pelton_status pn_reference_squeeze(const pn_call *call) { return copy_all(call); }

pelton_status pn_check_unsqueeze(const pn_infer *c) { return check_axes_operand(c, "unsqueeze"); }

pelton_status pn_infer_unsqueeze(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  const int64_t *axes;
  uint32_t count, list[PN_MAX_RANK];
  bool is_new[PN_MAX_RANK] = {false};
  pn_content_pass(c);
  bool numbers = pn_infer_numbers(c, 1, &axes, &count);
  bool counted = numbers || pn_infer_length(c, 1, &count);
  if (x->rank == PN_RANK_UNKNOWN || !counted) {
    pn_infer_unknown(c, 0, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  if (count > (uint32_t)(PN_MAX_RANK - x->rank))
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "unsqueeze: rank %d and %u more axes; the limit is rank %d", x->rank,
                   (unsigned)count, PN_MAX_RANK);
  pn_type result = {.dtype = x->dtype, .rank = x->rank + (int32_t)count};
  if (!numbers) {
    pn_infer_unknown(c, 0, x->dtype, result.rank);
    return PELTON_OK;
  }
  PN_TRY(pn_axes_resolve(c->diag, "unsqueeze", axes, count, result.rank, list));
  for (uint32_t i = 0; i < count; i++) is_new[list[i]] = true;
  for (int32_t i = 0, k = 0; i < result.rank; i++) result.dims[i] = is_new[i] ? pn_dim_of(1) : x->dims[k++];
  c->out[0].type = result;
  return PELTON_OK;
}

pelton_status pn_reference_unsqueeze(const pn_call *call) { return copy_all(call); }

/* ---- bitcast */

pelton_status pn_check_bitcast(const pn_infer *c) {
  const pn_attrs_bitcast *attrs = c->attrs;
  pelton_dtype from = c->in[0].type.dtype;
  if (attrs->to == PELTON_DTYPE_NONE)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "bitcast: to= is missing; name the type of the result");
  if (pelton_dtype_bytes(from) == pelton_dtype_bytes(attrs->to)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "bitcast: from %s to %s; elements must have the same size",
                 pelton_dtype_name(from), pelton_dtype_name(attrs->to));
}

pelton_status pn_infer_bitcast(const pn_infer *c) {
  const pn_attrs_bitcast *attrs = c->attrs;
  pn_infer_same(c, 0);
  c->out[0].type.dtype = attrs->to;
  return PELTON_OK;
}

pelton_status pn_reference_bitcast(const pn_call *call) { return copy_all(call); }
