/* pad: more elements at the ends of axes (a constant, the edge, a reflection, the other end), or fewer where a pad is
   negative.

   Negative pads crop first; the other modes then continue what is left. Each axis gets a map from the result's index to
   the operand's (-1: the constant), and one walk over the result applies all of them. */
#include "op/operand.h"
#include "op/movement/walk.h"

pelton_status pn_check_pad(const pn_infer *c) {
  PN_TRY(pn_operand_wants_indices(c, "pad", 1, "pads"));
  PN_TRY(pn_operand_wants_rank(c, "pad", 1, "pads", 1, 1));
  PN_TRY(pn_operand_wants_type_of(c, "pad", 2, "value", 0));
  PN_TRY(pn_operand_wants_scalar(c, "pad", 2, "value"));
  PN_TRY(pn_operand_wants_indices(c, "pad", 3, "axes"));
  return pn_operand_wants_rank(c, "pad", 3, "axes", 1, 1);
}

/* Axes that are padded, and how many: all, or those listed. */
static pelton_status pad_axes(pelton_diag *diag, const int64_t *listed, uint32_t listed_count, uint32_t rank,
                              uint32_t pad_count, uint32_t *axes, uint32_t *count) {
  *count = listed ? listed_count : rank;
  if (*count > rank || pad_count != 2 * *count)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pad: %u pads for %u axes of an operand of rank %u; give two an axis",
                   (unsigned)pad_count, (unsigned)*count, (unsigned)rank);
  if (listed) return pn_axes_resolve(diag, "pad", listed, *count, rank, axes);
  for (uint32_t i = 0; i < rank; i++) axes[i] = i;
  return PELTON_OK;
}

pelton_status pn_infer_pad(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  const pn_dim *pads;
  const int64_t *listed = NULL;
  uint32_t pad_count = 0, listed_count = 0, count, axes[PN_MAX_RANK];
  bool axes_known = !pn_infer_has(c, 3) || pn_infer_numbers(c, 3, &listed, &listed_count);
  bool pads_known = pn_infer_content(c, 1, &pads, &pad_count);
  bool counted = pads_known || pn_infer_length(c, 1, &pad_count);
  if (x->rank == PN_RANK_UNKNOWN || !counted || !axes_known) {
    pn_infer_unknown(c, 0, x->dtype, x->rank);
    return PELTON_OK;
  }
  PN_TRY(pad_axes(c->diag, listed, listed_count, (uint32_t)x->rank, pad_count, axes, &count));
  pn_infer_same(c, 0);
  for (uint32_t i = 0; i < count; i++) {
    pn_dim *d = &c->out[0].type.dims[axes[i]];
    if (!pads_known) {
      *d = pn_dim_fresh(c->symbols);
      continue;
    }
    *d = pn_dim_add(c->symbols, *d, pn_dim_add(c->symbols, pads[i], pads[i + count]));
    if (pn_dim_is_number(*d) && d->number < 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "pad: the pads leave an extent of %lld on axis %u; crop less",
                     (long long)d->number, (unsigned)axes[i]);
  }
  return PELTON_OK;
}

/* Where |i|, counted from the first kept element, comes from in |kept| elements; -1: nowhere. */
static int64_t continued(pn_pad_mode mode, int64_t i, int64_t kept) {
  if (i >= 0 && i < kept) return i;
  switch (mode) {
  case PN_PAD_EDGE: return i < 0 ? 0 : kept - 1;
  case PN_PAD_WRAP: return (i % kept + kept) % kept;
  case PN_PAD_REFLECT: {
    if (kept == 1) return 0;
    int64_t period = 2 * (kept - 1), at = (i % period + period) % period;
    return at < kept ? at : period - at;
  }
  case PN_PAD_CONSTANT:
  default: return -1;
  }
}

static pelton_status axis_map(const pn_call *call, uint32_t axis, int64_t before, int64_t after, const int64_t **out) {
  const pn_attrs_pad *attrs = call->attrs;
  int64_t extent = call->in[0].dims[axis], size = call->out[0].dims[axis], sum;
  if (!pn_add_i64(before, after, &sum) || !pn_add_i64(extent, sum, &sum) || sum != size)
    return PN_INTERNAL(call->diag, "pad was planned with another extent");
  int64_t skipped = pn_max_i64(0, -before), kept = pn_max_i64(0, extent - skipped - pn_max_i64(0, -after));
  if (kept == 0 && size > 0 && attrs->mode != PN_PAD_CONSTANT)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "pad: axis %u has no elements to continue from; use mode=constant",
                   (unsigned)axis);
  int64_t *map = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)size);
  if (!map) return pn_fail_memory(call->diag, "pad's index maps");
  for (int64_t i = 0; i < size; i++) {
    int64_t at = continued(attrs->mode, i - pn_max_i64(0, before), kept);
    map[i] = at < 0 ? -1 : at + skipped;
  }
  *out = map;
  return PELTON_OK;
}

pelton_status pn_reference_pad(const pn_call *call) {
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  const int64_t *pads, *listed = NULL, *maps[PN_MAX_RANK];
  uint32_t pad_count, listed_count = 0, count, axes[PN_MAX_RANK];
  int64_t before[PN_MAX_RANK] = {0}, after[PN_MAX_RANK] = {0}, strides[PN_MAX_RANK];
  PN_TRY(pn_call_numbers(call, 1, &pads, &pad_count));
  if (pn_call_has(call, 3)) PN_TRY(pn_call_numbers(call, 3, &listed, &listed_count));
  PN_TRY(pad_axes(call->diag, listed, listed_count, x->rank, pad_count, axes, &count));
  for (uint32_t i = 0; i < count; i++) {
    before[axes[i]] = pads[i];
    after[axes[i]] = pads[i + count];
  }
  if (y->rank != x->rank) return PN_INTERNAL(call->diag, "pad changes the rank");
  for (uint32_t i = 0; i < x->rank; i++) PN_TRY(axis_map(call, i, before[i], after[i], &maps[i]));

  static const uint64_t zero = 0;
  size_t bytes = pelton_dtype_bytes(x->dtype);
  bool has_value = pn_call_has(call, 2) && pn_tensor_elements(&call->in[2]) == 1;
  const void *value = has_value ? call->in[2].data : (const void *)&zero;
  pn_dims_strides(x->rank, x->dims, strides);
  pn_walk w;
  pn_walk_init(&w, y->rank, y->dims);
  if (!pn_walk_begin(&w)) return PELTON_OK;
  do {
    int64_t from = 0;
    bool outside = false;
    for (uint32_t i = 0; i < y->rank; i++) {
      int64_t at = maps[i][w.index[i]];
      outside = outside || at < 0;
      from += at * strides[i];
    }
    memcpy((char *)y->data + (size_t)w.to * bytes, outside ? value : (const char *)x->data + (size_t)from * bytes,
           bytes);
  } while (pn_walk_next(&w));
  return PELTON_OK;
}
