/* Operators that keep what a test picks out: non_zero (where elements are not 0) and compress (slices whose condition
   holds). They count first, ask for a result of that extent, then fill it. */
#include "op/operand.h"
#include "op/movement/walk.h"
#include "op/text/strings.h"

/* ---- non_zero */

pelton_status pn_check_non_zero(const pn_infer *c) {
  (void)c; /* every type has a zero: of texts the empty one */
  return PELTON_OK;
}

pelton_status pn_infer_non_zero(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  pn_infer_unknown(c, 0, PELTON_DTYPE_I64, 2);
  if (x->rank != PN_RANK_UNKNOWN) c->out[0].type.dims[0] = pn_dim_of(x->rank);
  return PELTON_OK;
}

static bool is_set(const pn_tensor *x, int64_t index) {
  if (x->dtype == PELTON_DTYPE_STRING) return pn_tensor_str(x, index).size != 0;
  switch (x->dtype) { /* the usual ones, without a call for each element */
  case PELTON_DTYPE_BOOL: return ((const uint8_t *)x->data)[index] != 0;
  case PELTON_DTYPE_F32: return ((const float *)x->data)[index] != 0;
  case PELTON_DTYPE_I64: return ((const int64_t *)x->data)[index] != 0;
  default: break;
  }
  if (pn_dtype_is_float(x->dtype)) return pn_tensor_get_f64(x, index) != 0;
  return pn_tensor_get_i64(x, index) != 0;
}

pelton_status pn_reference_non_zero(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  int64_t elements = pn_tensor_elements(x), dims[2] = {x->rank, 0}, column = 0;
  for (int64_t i = 0; i < elements; i++) dims[1] += is_set(x, i);
  PN_TRY(pn_call_resize(call, 0, 2, dims));
  int64_t *y = call->out[0].data;
  pn_walk w;
  pn_walk_init(&w, x->rank, x->dims);
  if (!pn_walk_begin(&w)) return PELTON_OK;
  do {
    if (!is_set(x, w.from)) continue;
    for (uint32_t axis = 0; axis < x->rank; axis++) y[axis * dims[1] + column] = w.index[axis];
    column++;
  } while (pn_walk_next(&w));
  return PELTON_OK;
}

/* ---- compress */

pelton_status pn_check_compress(const pn_infer *c) {
  const pn_attrs_compress *attrs = c->attrs;
  PN_TRY(pn_operand_wants_rank(c, "compress", 0, "the operand", attrs->flat ? 0 : 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_rank(c, "compress", 1, "condition", 1, 1));
  if (c->in[1].type.dtype == PELTON_DTYPE_BOOL) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "compress: condition is of type %s; it must be bool",
                 pelton_dtype_name(c->in[1].type.dtype));
}

pelton_status pn_infer_compress(const pn_infer *c) {
  const pn_attrs_compress *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  uint32_t axis;
  if (attrs->flat || x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, attrs->flat ? 1 : PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  PN_TRY(pn_axes_resolve(c->diag, "compress", &attrs->axis, 1, x->rank, &axis));
  pn_infer_same(c, 0);
  c->out[0].type.dims[axis] = pn_dim_fresh(c->symbols);
  return PELTON_OK;
}

pelton_status pn_reference_compress(const pn_call *call) {
  const pn_attrs_compress *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *condition = &call->in[1];
  int64_t extent = pn_tensor_elements(x), outer = 1, inner = 1, kept = 0, dims[PN_MAX_RANK];
  uint32_t axis = 0, rank = attrs->flat ? 1 : x->rank;
  if (!attrs->flat) {
    PN_TRY(pn_axes_resolve(call->diag, "compress", &attrs->axis, 1, x->rank, &axis));
    extent = x->dims[axis];
    memcpy(dims, x->dims, sizeof dims);
    for (uint32_t i = 0; i < x->rank; i++)
      if (i != axis) *(i < axis ? &outer : &inner) *= x->dims[i];
  }
  int64_t count = pn_tensor_elements(condition); /* may be shorter than the axis: the rest is left out */
  for (int64_t i = 0; i < count; i++) {
    bool keep = is_set(condition, i);
    if (keep && i >= extent)
      return pn_fail(call->diag, PELTON_INVALID_DATA, "compress: condition %lld holds, but there are only %lld slices",
                     (long long)i, (long long)extent);
    kept += keep;
  }
  dims[axis] = kept;
  PN_TRY(pn_call_resize(call, 0, rank, dims));
  size_t run = (size_t)inner * pelton_dtype_bytes(x->dtype);
  char *to = call->out[0].data;
  for (int64_t o = 0; run > 0 && o < outer; o++)
    for (int64_t i = 0; i < count && i < extent; i++)
      if (is_set(condition, i)) {
        memcpy(to, (const char *)x->data + (size_t)(o * extent + i) * run, run);
        to += run;
      }
  return PELTON_OK;
}
