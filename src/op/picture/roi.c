/* roi_align and max_roi_pool: regions of interest of a feature map, each brought to the same extents.

   roi_align (x[N,C,H,W] rois[R,4] batch_indices[R]) reads between the elements at a grid of samples in each cell and
   takes their average or maximum. max_roi_pool (x rois[R,5], the batch first) rounds regions to elements and takes the
   greatest of those a cell touches. Corners are x1 y1 x2 y2, scaled by spatial_scale. */
#include "op/picture/roi.h"

#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

/* More samples along a cell, or elements along a region, come of broken coordinates. */
static const double limit = 1 << 20;

static pelton_status check_maps(const pn_infer *c, const char *op, int64_t height, int64_t width) {
  PN_TRY(pn_operand_wants_float(c, op, 0, "x"));
  PN_TRY(pn_operand_wants_rank(c, op, 0, "x", 4, 4));
  PN_TRY(pn_operand_wants_type_of(c, op, 1, "rois", 0));
  PN_TRY(pn_operand_wants_rank(c, op, 1, "rois", 2, 2));
  if (height >= 1 && height <= INT32_MAX && width >= 1 && width <= INT32_MAX) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                 "%s: output_height is %lld, output_width %lld; both must be from 1 to %d", op, (long long)height,
                 (long long)width, INT32_MAX);
}

static pelton_status check_columns(pelton_diag *diag, const char *op, pn_dim columns, int64_t wanted) {
  if (!pn_dim_is_number(columns) || columns.number == wanted) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: rois has %lld numbers a region; it must have %lld", op,
                 (long long)columns.number, (long long)wanted);
}

static pelton_status infer_maps(const pn_infer *c, const char *op, int64_t height, int64_t width, int64_t columns) {
  const pn_type *x = &c->in[0].type, *rois = &c->in[1].type;
  pn_infer_unknown(c, 0, x->dtype, 4);
  pn_dim *dims = c->out[0].type.dims;
  if (rois->rank != PN_RANK_UNKNOWN) {
    PN_TRY(check_columns(c->diag, op, rois->dims[1], columns));
    dims[0] = rois->dims[0];
  }
  if (x->rank != PN_RANK_UNKNOWN) dims[1] = x->dims[1];
  dims[2] = pn_dim_of(height);
  dims[3] = pn_dim_of(width);
  return PELTON_OK;
}

/* ---- roi_align */

pelton_status pn_check_roi_align(const pn_infer *c) {
  const pn_attrs_roi_align *attrs = c->attrs;
  PN_TRY(check_maps(c, "roi_align", attrs->output_height, attrs->output_width));
  PN_TRY(pn_operand_wants_indices(c, "roi_align", 2, "batch_indices"));
  PN_TRY(pn_operand_wants_rank(c, "roi_align", 2, "batch_indices", 1, 1));
  if (attrs->sampling_ratio >= 0 && (double)attrs->sampling_ratio <= limit) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "roi_align: sampling_ratio is %lld; it must be from 0 to %lld",
                 (long long)attrs->sampling_ratio, (long long)limit);
}

pelton_status pn_infer_roi_align(const pn_infer *c) {
  const pn_attrs_roi_align *attrs = c->attrs;
  const pn_type *batches = &c->in[2].type;
  PN_TRY(infer_maps(c, "roi_align", attrs->output_height, attrs->output_width, 4));
  if (batches->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  pn_dim *regions = &c->out[0].type.dims[0];
  pn_dim wanted = c->in[1].type.rank == PN_RANK_UNKNOWN ? batches->dims[0] : *regions;
  if (pn_dim_unify(wanted, batches->dims[0], regions)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                 "roi_align: rois has %lld regions, batch_indices %lld; they must be equal", (long long)wanted.number,
                 (long long)batches->dims[0].number);
}

pelton_status pn_roi_axis_place(const pn_call *call, double low, double high, int64_t cells, int64_t extent,
                                pn_roi_axis *out) {
  const pn_attrs_roi_align *attrs = call->attrs;
  bool half_pixel = attrs->coordinates == PN_ROI_HALF_PIXEL;
  double scale = (double)attrs->spatial_scale, start = low * scale - (half_pixel ? 0.5 : 0);
  double length = high * scale - (half_pixel ? 0.5 : 0) - start;
  if (!half_pixel) length = fmax(length, 1);
  double cell = length / (double)cells, ratio = (double)attrs->sampling_ratio, samples = ratio > 0 ? ratio : ceil(cell);
  if (!(fabs(start) <= 1e15) || !(samples <= limit))
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "roi_align: a region from %g to %g; its coordinates must be those of the picture", low, high);
  *out = (pn_roi_axis){start, cell, samples > 0 ? (int64_t)samples : 0, extent};
  return PELTON_OK;
}

bool pn_roi_sample(const pn_roi_axis *axis, int64_t cell, int64_t sample, int64_t at[2], double *upper) {
  double x = axis->start + (double)cell * axis->cell + ((double)sample + 0.5) * axis->cell / (double)axis->samples;
  if (x < -1 || x > (double)axis->extent || axis->extent == 0) return false;
  x = fmax(x, 0);
  at[0] = pn_min_i64((int64_t)x, axis->extent - 1);
  at[1] = pn_min_i64(at[0] + 1, axis->extent - 1);
  *upper = at[0] == at[1] ? 0 : x - (double)at[0];
  return true;
}

/* A cell's average, or the maximum over its samples of the greatest weighted neighbour; samples outside count as 0. */
static double align_cell(const pn_roi_axis *rows, const pn_roi_axis *columns, int64_t row, int64_t column, bool max,
                         const double *plane) {
  double sum = 0, greatest = -(double)INFINITY;
  int64_t y[2], x[2], width = columns->extent;
  double b, r;
  for (int64_t i = 0; i < rows->samples; i++)
    for (int64_t k = 0; k < columns->samples; k++) {
      double v[4] = {0};
      if (pn_roi_sample(rows, row, i, y, &b) && pn_roi_sample(columns, column, k, x, &r)) {
        v[0] = (1 - b) * (1 - r) * plane[y[0] * width + x[0]];
        v[1] = (1 - b) * r * plane[y[0] * width + x[1]];
        v[2] = b * (1 - r) * plane[y[1] * width + x[0]];
        v[3] = b * r * plane[y[1] * width + x[1]];
      }
      for (int t = 0; t < 4; t++) {
        sum += v[t];
        if (v[t] > greatest || isnan(v[t])) greatest = v[t];
      }
    }
  int64_t count = rows->samples * columns->samples;
  if (count == 0) return 0;
  return max ? greatest : sum / (double)count;
}

pelton_status pn_reference_roi_align(const pn_call *call) {
  const pn_attrs_roi_align *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *rois = &call->in[1], *batches = &call->in[2];
  int64_t height = attrs->output_height, width = attrs->output_width, channels = x->dims[1];
  const int64_t dims[4] = {rois->dims[0], channels, height, width};
  int64_t plane = x->dims[2] * x->dims[3], batch;
  double *values, roi[4];
  pn_roi_axis rows, columns;
  PN_TRY(check_columns(call->diag, "roi_align", pn_dim_of(rois->dims[1]), 4));
  PN_TRY(pn_call_wants_elements(call, "roi_align", 2, "batch_indices", rois->dims[0]));
  PN_TRY(pn_call_wants_result(call, "roi_align", 0, 4, dims));
  PN_TRY(pn_call_f64s(call, x, &values));
  for (int64_t i = 0; i < dims[0]; i++) {
    pn_line_load(rois, i * 4, 1, 4, roi);
    PN_TRY(pn_index_resolve(call->diag, "roi_align", pn_tensor_get_i64(batches, i), x->dims[0], &batch));
    PN_TRY(pn_roi_axis_place(call, roi[0], roi[2], width, x->dims[3], &columns));
    PN_TRY(pn_roi_axis_place(call, roi[1], roi[3], height, x->dims[2], &rows));
    for (int64_t k = 0; k < channels * height * width; k++) {
      int64_t channel = k / (height * width), row = k / width % height, column = k % width;
      const double *from = values + (batch * channels + channel) * plane;
      double value = align_cell(&rows, &columns, row, column, attrs->mode == PN_ROI_MAX, from);
      pn_tensor_set_f64(&call->out[0], i * channels * height * width + k, value);
    }
  }
  return PELTON_OK;
}

/* ---- max_roi_pool */

pelton_status pn_check_max_roi_pool(const pn_infer *c) {
  const pn_attrs_max_roi_pool *attrs = c->attrs;
  return check_maps(c, "max_roi_pool", attrs->output_height, attrs->output_width);
}

pelton_status pn_infer_max_roi_pool(const pn_infer *c) {
  const pn_attrs_max_roi_pool *attrs = c->attrs;
  return infer_maps(c, "max_roi_pool", attrs->output_height, attrs->output_width, 5);
}

pelton_status pn_roi_span_round(const pn_call *call, double low, double high, pn_roi_span *out) {
  const pn_attrs_max_roi_pool *attrs = call->attrs;
  low = round(low * (double)attrs->spatial_scale);
  high = round(high * (double)attrs->spatial_scale);
  if (!(fabs(low) <= limit) || !(fabs(high) <= limit))
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "max_roi_pool: a region from %g to %g; its coordinates must be those of the picture", low, high);
  *out = (pn_roi_span){(int64_t)low, pn_max_i64((int64_t)(high - low) + 1, 1)};
  return PELTON_OK;
}

void pn_roi_span_touch(pn_roi_span span, int64_t i, int64_t cells, int64_t extent, int64_t *first, int64_t *end) {
  *first = pn_max_i64(0, pn_min_i64(extent, span.first + i * span.count / cells));
  *end = pn_max_i64(0, pn_min_i64(extent, span.first + pn_div_up((i + 1) * span.count, cells)));
}

/* Of the elements in rows [y[0], y[1]) and columns [x[0], x[1]); 0 when there are none. */
static double greatest_of(const double *plane, int64_t width, const int64_t y[2], const int64_t x[2]) {
  double greatest = y[0] < y[1] && x[0] < x[1] ? -(double)INFINITY : 0;
  for (int64_t i = y[0]; i < y[1]; i++)
    for (int64_t k = x[0]; k < x[1]; k++) {
      double v = plane[i * width + k];
      if (v > greatest || isnan(v)) greatest = v;
    }
  return greatest;
}

pelton_status pn_reference_max_roi_pool(const pn_call *call) {
  const pn_attrs_max_roi_pool *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *rois = &call->in[1];
  int64_t height = attrs->output_height, width = attrs->output_width, channels = x->dims[1];
  const int64_t dims[4] = {rois->dims[0], channels, height, width};
  int64_t plane = x->dims[2] * x->dims[3], batch, ys[2], xs[2];
  double *values, roi[5];
  pn_roi_span rows, columns;
  PN_TRY(check_columns(call->diag, "max_roi_pool", pn_dim_of(rois->dims[1]), 5));
  PN_TRY(pn_call_wants_result(call, "max_roi_pool", 0, 4, dims));
  PN_TRY(pn_call_f64s(call, x, &values));
  for (int64_t i = 0; i < dims[0]; i++) {
    pn_line_load(rois, i * 5, 1, 5, roi);
    PN_TRY(pn_index_resolve(call->diag, "max_roi_pool", pn_i64_from_f64(roi[0]), x->dims[0], &batch));
    PN_TRY(pn_roi_span_round(call, roi[1], roi[3], &columns));
    PN_TRY(pn_roi_span_round(call, roi[2], roi[4], &rows));
    for (int64_t k = 0; k < channels * height * width; k++) {
      pn_roi_span_touch(rows, k / width % height, height, x->dims[2], &ys[0], &ys[1]);
      pn_roi_span_touch(columns, k % width, width, x->dims[3], &xs[0], &xs[1]);
      const double *from = values + (batch * channels + k / (height * width)) * plane;
      pn_tensor_set_f64(&call->out[0], i * channels * height * width + k, greatest_of(from, x->dims[3], ys, xs));
    }
  }
  return PELTON_OK;
}
