/* slice: x[start:end:step] on some axes, as Python's: negative positions count from the end, positions beyond the ends
   are clamped, steps may be negative.

   One normal form serves both stages: first element, step, count. For symbolic extents the count is written so that
   equal slices have equal dims: x[1:] and x[:-1] are both max(n-1, 0). */
#include "op/operand.h"
#include "op/movement/walk.h"

pelton_status pn_check_slice(const pn_infer *c) {
  static const char *const names[5] = {"", "starts", "ends", "axes", "steps"};
  for (uint32_t i = 1; i < 5; i++) {
    PN_TRY(pn_operand_wants_indices(c, "slice", i, names[i]));
    PN_TRY(pn_operand_wants_rank(c, "slice", i, names[i], 1, 1));
  }
  return PELTON_OK;
}

/* ---- the normal form on numbers */

typedef struct range {
  int64_t first, step, count;
} range;

static range range_of(int64_t start, int64_t end, int64_t step, int64_t extent) {
  /* Clamps before adding, so that no int64 limit overflows. A backward slice may start on the last element and end
     before the first, which is -1 after clamping. */
  int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  int64_t first = start < 0 ? pn_max_i64(start, -extent - 1) + extent : start;
  int64_t last = end < 0 ? pn_max_i64(end, -extent - 1) + extent : end;
  first = pn_min_i64(pn_max_i64(first, low), high);
  last = pn_min_i64(pn_max_i64(last, low), high);
  uint64_t span = 0, stride = step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step;
  if (step > 0 && last > first) span = (uint64_t)(last - first);
  if (step < 0 && first > last) span = (uint64_t)(first - last);
  int64_t count = (int64_t)(span / stride + (span % stride != 0));
  return (range){count > 0 ? first : 0, step, count};
}

/* ---- infer */

static bool is_beyond(pn_dim d) { return pn_dim_is_number(d) && d.number >= INT32_MAX; }

/* True, with the clamped position, when it is known on which side of 0 |at| lies. */
static bool clamp_position(const pn_infer *c, pn_dim at, pn_dim extent, pn_dim *out) {
  if (pn_dim_lower(c->symbols, at) >= 0)
    *out = is_beyond(at) ? extent : pn_dim_min(c->symbols, at, extent);
  else if (pn_dim_upper(c->symbols, at) < 0)
    *out = pn_dim_max(c->symbols, pn_dim_add(c->symbols, extent, at), pn_dim_of(0));
  else
    return false;
  return true;
}

/* Elements taken from an axis when something is a symbol; a fresh one when no formula holds. */
static pn_dim symbolic_count(const pn_infer *c, pn_dim start, pn_dim end, int64_t step, pn_dim extent) {
  pn_dim span, first, last, zero = pn_dim_of(0);
  if (step < 0) {
    bool whole = pn_dim_is(start, -1) || is_beyond(start);
    if (!whole || !pn_dim_is_number(end) || end.number > INT32_MIN + 1 || step < -INT32_MAX)
      return pn_dim_fresh(c->symbols);
    return pn_dim_ceil_div(c->symbols, extent, pn_dim_of(-step));
  }
  if (!clamp_position(c, start, extent, &first) || !clamp_position(c, end, extent, &last))
    return pn_dim_fresh(c->symbols);
  bool to_the_end = pn_dim_equal(last, extent);
  if (pn_dim_is(first, 0))
    span = last;
  else if (to_the_end && pn_dim_lower(c->symbols, start) >= 0)
    span = pn_dim_max(c->symbols, pn_dim_sub(c->symbols, extent, start), zero);
  else if (to_the_end)
    span = pn_dim_min(c->symbols, pn_dim_sub(c->symbols, zero, start), extent);
  else
    span = pn_dim_max(c->symbols, pn_dim_sub(c->symbols, last, first), zero);
  return pn_dim_ceil_div(c->symbols, span, pn_dim_of(step));
}

/* The part of a shape that is sliced out of another: numbers only, on the one axis there is. */
static pelton_status slice_content(const pn_infer *c, const int64_t *starts, const int64_t *ends, int64_t step) {
  const pn_dim *x;
  pn_dim content[PN_CONTENT_ELEMENTS];
  uint32_t count;
  if (!pn_infer_content(c, 0, &x, &count) || c->in[0].type.rank != 1) return PELTON_OK;
  range r = range_of(starts[0], ends[0], step, count);
  if (r.count > PN_CONTENT_ELEMENTS) return PELTON_OK;
  for (int64_t i = 0; i < r.count; i++) content[i] = x[r.first + i * r.step];
  return pn_content_give(c, 0, content, (uint32_t)r.count);
}

/* The axes that are sliced; when they are listed but not known, |*known| is false. */
static pelton_status slice_axes(const pn_infer *c, uint32_t count, uint32_t *axes, bool *known) {
  int32_t rank = c->in[0].type.rank;
  const int64_t *listed;
  uint32_t listed_count = count;
  *known = true;
  if (!pn_infer_has(c, 3)) {
    for (uint32_t i = 0; i < count && i < PN_MAX_RANK; i++) axes[i] = i;
  } else if (!pn_infer_numbers(c, 3, &listed, &listed_count)) {
    *known = false;
    return PELTON_OK;
  }
  if (listed_count != count || count > (uint32_t)rank)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "slice: %u starts and %u axes for an operand of rank %d; give one an axis", (unsigned)count,
                   (unsigned)listed_count, rank);
  return pn_infer_has(c, 3) ? pn_axes_resolve(c->diag, "slice", listed, count, rank, axes) : PELTON_OK;
}

pelton_status pn_infer_slice(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  const pn_dim *starts = NULL, *ends = NULL;
  const int64_t *steps = NULL;
  uint32_t count, end_count, step_count, axes[PN_MAX_RANK];
  bool axes_known;
  bool starts_known = pn_infer_content(c, 1, &starts, &count), ends_known = pn_infer_content(c, 2, &ends, &end_count);
  bool steps_known = !pn_infer_has(c, 4) || pn_infer_numbers(c, 4, &steps, &step_count);
  if (x->rank == PN_RANK_UNKNOWN || (!starts_known && !pn_infer_length(c, 1, &count))) {
    pn_infer_unknown(c, 0, x->dtype, x->rank);
    return PELTON_OK;
  }
  if ((ends_known && end_count != count) || (steps && step_count != count))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "slice: %u starts, %u ends, %u steps; there must be as many of each", (unsigned)count,
                   (unsigned)(ends_known ? end_count : count), (unsigned)(steps ? step_count : count));
  PN_TRY(slice_axes(c, count, axes, &axes_known));
  if (!axes_known) {
    pn_infer_unknown(c, 0, x->dtype, x->rank);
    return PELTON_OK;
  }
  pn_type result = *x;
  bool numbers = starts_known && ends_known && steps_known;
  for (uint32_t i = 0; i < count; i++) {
    int64_t step = steps ? steps[i] : 1;
    pn_dim extent = x->dims[axes[i]], *out = &result.dims[axes[i]];
    if (step == 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "slice: the step on axis %u is 0", (unsigned)axes[i]);
    if (!starts_known || !ends_known || !steps_known) {
      *out = pn_dim_fresh(c->symbols);
      continue;
    }
    bool fixed = pn_dim_is_number(starts[i]) && pn_dim_is_number(ends[i]);
    numbers = numbers && fixed;
    if (fixed && pn_dim_is_number(extent))
      *out = pn_dim_of(range_of(starts[i].number, ends[i].number, step, extent.number).count);
    else
      *out = symbolic_count(c, starts[i], ends[i], step, extent);
  }
  c->out[0].type = result;
  if (count == 0) pn_content_pass(c);
  if (!numbers || count != 1) return PELTON_OK;
  return slice_content(c, &starts[0].number, &ends[0].number, steps ? steps[0] : 1);
}

/* ---- reference */

pelton_status pn_reference_slice(const pn_call *call) {
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  const int64_t *starts, *ends, *listed = NULL, *steps = NULL;
  uint32_t count, end_count, axis_count, step_count, axes[PN_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
  PN_TRY(pn_call_numbers(call, 1, &starts, &count));
  PN_TRY(pn_call_numbers(call, 2, &ends, &end_count));
  axis_count = step_count = count;
  if (pn_call_has(call, 3)) PN_TRY(pn_call_numbers(call, 3, &listed, &axis_count));
  if (pn_call_has(call, 4)) PN_TRY(pn_call_numbers(call, 4, &steps, &step_count));
  if (count > x->rank || end_count != count || axis_count != count || step_count != count)
    return PN_INTERNAL(call->diag, "slice has lists of unlike lengths");
  if (listed) PN_TRY(pn_axes_resolve(call->diag, "slice", listed, count, x->rank, axes));
  int64_t strides[PN_MAX_RANK], dims[PN_MAX_RANK], from_strides[PN_MAX_RANK], from = 0;
  pn_dims_strides(x->rank, x->dims, strides);
  for (uint32_t i = 0; i < x->rank; i++) {
    dims[i] = x->dims[i];
    from_strides[i] = strides[i];
  }
  for (uint32_t i = 0; i < count; i++) {
    int64_t step = steps ? steps[i] : 1;
    if (step == 0)
      return pn_fail(call->diag, PELTON_INVALID_DATA, "slice: the step on axis %u is 0", (unsigned)axes[i]);
    range r = range_of(starts[i], ends[i], step, x->dims[axes[i]]);
    dims[axes[i]] = r.count;
    from += r.first * strides[axes[i]];
    from_strides[axes[i]] = r.count > 1 ? r.step * strides[axes[i]] : 0; /* a step alone may be of any size */
  }
  PN_TRY(pn_call_wants_result(call, "slice", 0, x->rank, dims));
  pn_walk w;
  pn_walk_init(&w, x->rank, dims);
  memcpy(w.from_strides, from_strides, sizeof from_strides);
  w.from = from;
  pn_walk_copy(&w, y->data, x->data, pelton_dtype_bytes(x->dtype));
  return PELTON_OK;
}
