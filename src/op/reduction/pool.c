/* pool: the greatest, the average or the p-norm of each window.

   Padding takes part in nothing, except that averages count it when count_include_pad says so; the part of a last
   window that lies beyond even the padding (ceil_mode) is never counted. */
#include "op/linear/line.h"
#include "op/operand.h"
#include "op/selection/scalar.h"
#include "op/movement/walk.h"
#include "op/linear/window.h"

#include <math.h>

pelton_status pn_check_pool(const pn_infer *c) {
  const pn_attrs_pool *attrs = c->attrs;
  pn_window_spec spec = PN_WINDOW_SPEC_POOL(attrs);
  pelton_dtype dtype = c->in[0].type.dtype;
  bool max = attrs->kind == PN_POOL_MAX;
  if (!max) PN_TRY(pn_operand_wants_float(c, "pool", 0, "x"));
  if (max && dtype == PELTON_DTYPE_BOOL)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "pool: x is of type bool; it must be a number");
  if (!max && c->output_count > 1 && c->out && c->out[1].present)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "pool: kind=%s has no indices; only kind=max gives result 1",
                   attrs->kind == PN_POOL_LP ? "lp" : "average");
  if (attrs->kernel.count == 0 || attrs->kernel.count > PN_MAX_RANK - 2)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "pool: kernel has %u extents; give one for each spatial axis, up to %d",
                   (unsigned)attrs->kernel.count, PN_MAX_RANK - 2);
  if (attrs->kind == PN_POOL_LP && attrs->p < 1)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "pool: p is %lld; it must be at least 1", (long long)attrs->p);
  int32_t rank = (int32_t)attrs->kernel.count + 2;
  PN_TRY(pn_operand_wants_rank(c, "pool", 0, "x", rank, rank));
  return pn_window_check(c->diag, "pool", &spec, rank - 2);
}

pelton_status pn_infer_pool(const pn_infer *c) {
  const pn_attrs_pool *attrs = c->attrs;
  pn_window_spec spec = PN_WINDOW_SPEC_POOL(attrs);
  const pn_type *x = &c->in[0].type;
  uint32_t axes = attrs->kernel.count;
  pn_type *y = &c->out[0].type;
  pn_dim kernel[PN_MAX_RANK];
  for (uint32_t i = 0; i < axes; i++) kernel[i] = pn_dim_of(attrs->kernel.data[i]);
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, (int32_t)axes + 2);
  } else {
    pn_infer_same(c, 0);
    PN_TRY(pn_window_infer(c, "pool", &spec, axes, x->dims + 2, kernel, y->dims + 2));
  }
  if (c->output_count > 1) {
    c->out[1].type = *y;
    c->out[1].type.dtype = PELTON_DTYPE_I64;
  }
  return PELTON_OK;
}

/* ---- reference */

typedef struct pooling {
  const pn_attrs_pool *attrs;
  uint32_t axes;
  pn_window window[PN_MAX_RANK];
  int64_t strides[PN_MAX_RANK];       /* of the input's plane */
  int64_t index_strides[PN_MAX_RANK]; /* as indices count: row or column major */
} pooling;

/* Sets |taps| to the window at |output| (one index an axis), from: offsets in the plane; to: as indices count. */
static void place_window(const pooling *p, const int64_t *output, pn_walk *taps) {
  taps->rank = p->axes;
  taps->to = taps->from = 0;
  for (uint32_t i = 0; i < p->axes; i++) {
    const pn_window *w = &p->window[i];
    int64_t first, end;
    pn_window_taps(w, output[i], &first, &end);
    int64_t at = output[i] * w->stride - w->pad_begin + first * w->dilation;
    taps->dims[i] = end - first;
    taps->from_strides[i] = p->strides[i] * w->dilation;
    taps->to_strides[i] = p->index_strides[i] * w->dilation;
    taps->from += at * p->strides[i];
    taps->to += at * p->index_strides[i];
  }
}

/* How many taps an average divides by. */
static double count_taps(const pooling *p, const int64_t *output, const pn_walk *taps) {
  double count = 1;
  for (uint32_t i = 0; i < p->axes; i++) {
    pn_window padded = p->window[i];
    int64_t first, end;
    padded.input += padded.pad_begin + padded.pad_end;
    padded.pad_begin = 0;
    pn_window_taps(&padded, output[i], &first, &end);
    count *= (double)(p->attrs->count_include_pad ? end - first : taps->dims[i]);
  }
  return count;
}

static double combine(const pooling *p, const double *plane, const int64_t *output, pn_walk *taps) {
  double sum = 0, power = (double)p->attrs->p;
  bool lp = p->attrs->kind == PN_POOL_LP;
  if (pn_walk_begin(taps)) do {
      double v = plane[taps->from];
      if (!lp) sum += v;
      else sum += power == 1 ? fabs(v) : power == 2 ? v * v : pow(fabs(v), power);
    } while (pn_walk_next(taps));
  if (lp) return power == 1 ? sum : power == 2 ? sqrt(sum) : pow(sum, 1 / power);
  double count = count_taps(p, output, taps);
  return count > 0 ? sum / count : 0;
}

static void pool_plane(const pooling *p, const double *plane, pn_walk *outputs, double *y) {
  pn_walk taps = {0};
  if (pn_walk_begin(outputs)) do {
      place_window(p, outputs->index, &taps);
      y[outputs->to] = combine(p, plane, outputs->index, &taps);
    } while (pn_walk_next(outputs));
}

/* Positions instead of values keep every type exact. The first of equal elements is taken; NaN beats numbers. */
typedef struct best_element {
  int64_t at, index;
} best_element;

static best_element find_greatest(const pn_tensor *x, int64_t plane, pn_walk *taps) {
  best_element best = {-1, -1};
  const float *f32 = x->dtype == PELTON_DTYPE_F32 ? (const float *)x->data : NULL;
  if (pn_walk_begin(taps)) do {
      int64_t at = plane + taps->from;
      bool better = best.at < 0;
      if (!better && f32) better = f32[at] > f32[best.at] || (isnan(f32[at]) && !isnan(f32[best.at]));
      else if (!better) better = pn_element_beats(x, at, x, best.at, true);
      if (better) best = (best_element){at, taps->to};
    } while (pn_walk_next(taps));
  return best;
}

/* What a window of nothing but padding gives: less than every number. */
static void set_lowest(pn_tensor *y, int64_t index) {
  uint32_t bits = pn_dtype_bits(y->dtype);
  if (pn_dtype_is_float(y->dtype)) pn_tensor_set_f64(y, index, -(double)INFINITY);
  else pn_tensor_set_i64(y, index, pn_dtype_is_signed(y->dtype) ? INT64_MIN >> (64 - bits) : 0);
}

static void max_plane(const pooling *p, const pn_call *call, int64_t from, pn_walk *outputs, int64_t to) {
  const pn_tensor *x = &call->in[0];
  pn_tensor *y = &call->out[0];
  int64_t *indices = call->output_count > 1 ? call->out[1].data : NULL;
  size_t bytes = pelton_dtype_bytes(x->dtype);
  pn_walk taps = {0};
  if (!pn_walk_begin(outputs)) return;
  do {
    place_window(p, outputs->index, &taps);
    best_element best = find_greatest(x, from, &taps);
    int64_t at = to + outputs->to;
    if (best.at < 0) set_lowest(y, at);
    else memcpy((char *)y->data + (size_t)at * bytes, (const char *)x->data + (size_t)best.at * bytes, bytes);
    if (indices) indices[at] = best.at < 0 ? -1 : from + best.index;
  } while (pn_walk_next(outputs));
}

pelton_status pn_reference_pool(const pn_call *call) {
  const pn_attrs_pool *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  pn_window_spec spec = PN_WINDOW_SPEC_POOL(attrs);
  pooling p = {.attrs = attrs, .axes = attrs->kernel.count};
  int64_t dims[PN_MAX_RANK], from_count = 1, to_count = 1;
  double *plane, *averages;
  if (x->rank != p.axes + 2) return PN_INTERNAL(call->diag, "pool was planned with another rank");
  PN_TRY(pn_window_resolve(call->diag, "pool", &spec, p.axes, x->dims + 2, attrs->kernel.data, p.window));
  memcpy(dims, x->dims, sizeof dims);
  for (uint32_t i = 0; i < p.axes; i++) dims[i + 2] = p.window[i].output;
  PN_TRY(pn_call_wants_result(call, "pool", 0, x->rank, dims));
  if (call->output_count > 1 && call->out[1].data) PN_TRY(pn_call_wants_result(call, "pool", 1, x->rank, dims));
  for (uint32_t i = p.axes; i-- > 0;) {
    p.strides[i] = p.index_strides[i] = from_count;
    from_count *= x->dims[i + 2];
    to_count *= dims[i + 2];
  }
  int64_t stride = 1;
  for (uint32_t i = 0; attrs->column_major_indices && i < p.axes; i++) {
    p.index_strides[i] = stride;
    stride *= x->dims[i + 2];
  }
  pn_walk outputs;
  pn_walk_init(&outputs, p.axes, dims + 2);
  PN_TRY(pn_call_room(call, from_count, &plane));
  PN_TRY(pn_call_room(call, to_count, &averages));
  for (int64_t i = 0; i < x->dims[0] * x->dims[1]; i++) {
    if (attrs->kind == PN_POOL_MAX) {
      max_plane(&p, call, i * from_count, &outputs, i * to_count);
      continue;
    }
    pn_line_load(x, i * from_count, 1, from_count, plane);
    pool_plane(&p, plane, &outputs, averages);
    pn_line_store(&call->out[0], i * to_count, 1, to_count, averages);
  }
  return PELTON_OK;
}
