/* grid_sample: a picture (a line, a volume, ...) read wherever a grid of coordinates says. affine_grid: such a grid,
   from matrices.

   Coordinates run from -1 to 1 over an axis: from the middle of its first element to the middle of its last with
   align_corners, else between their outer edges. The last coordinate of a grid's point is that of the first spatial
   axis. Padding is what stands at places outside of x, also where a cubic reaches over a border. A coordinate that is
   NaN gives NaN. */
#include "op/picture/grid.h"

#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

/* ---- grid_sample: check and infer */

pelton_status pn_check_grid_sample(const pn_infer *c) {
  PN_TRY(pn_operand_wants_float(c, "grid_sample", 0, "x"));
  PN_TRY(pn_operand_wants_float(c, "grid_sample", 1, "grid"));
  PN_TRY(pn_operand_wants_rank(c, "grid_sample", 0, "x", 3, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_rank(c, "grid_sample", 1, "grid", 3, PN_MAX_RANK));
  int32_t rank = c->in[0].type.rank;
  return rank == PN_RANK_UNKNOWN ? PELTON_OK : pn_operand_wants_rank(c, "grid_sample", 1, "grid", rank, rank);
}

static pelton_status check_grid(pelton_diag *diag, int32_t rank, pn_dim x_batch, pn_dim grid_batch, pn_dim coordinates,
                                pn_dim *batch) {
  if (!pn_dim_unify(x_batch, grid_batch, batch))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "grid_sample: x has %lld batches, grid %lld; they must be equal",
                   (long long)x_batch.number, (long long)grid_batch.number);
  if (!pn_dim_is_number(coordinates) || coordinates.number == rank - 2) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "grid_sample: grid has %lld coordinates a point; x has %d spatial axes",
                 (long long)coordinates.number, rank - 2);
}

pelton_status pn_infer_grid_sample(const pn_infer *c) {
  const pn_type *x = &c->in[0].type, *grid = &c->in[1].type;
  int32_t rank = x->rank == PN_RANK_UNKNOWN ? grid->rank : x->rank;
  pn_infer_unknown(c, 0, x->dtype, rank);
  pn_type *y = &c->out[0].type;
  if (x->rank != PN_RANK_UNKNOWN) {
    y->dims[0] = x->dims[0];
    y->dims[1] = x->dims[1];
  }
  if (grid->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  if (x->rank == PN_RANK_UNKNOWN) y->dims[0] = grid->dims[0];
  for (int32_t i = 2; i < rank; i++) y->dims[i] = grid->dims[i - 1];
  return check_grid(c->diag, rank, y->dims[0], grid->dims[0], grid->dims[rank - 1], &y->dims[0]);
}

/* ---- grid_sample: reference */

uint32_t pn_grid_taps(const pn_attrs_grid_sample *attrs) {
  return attrs->mode == PN_RESIZE_NEAREST ? 1 : attrs->mode == PN_RESIZE_LINEAR ? 2 : 4;
}

double pn_grid_place(const pn_attrs_grid_sample *attrs, pelton_dtype dtype, double n, int64_t extent) {
  bool align = attrs->align_corners;
  if (dtype == PELTON_DTYPE_F64)
    return align ? (n + 1) / 2 * (double)(extent - 1) : ((n + 1) * (double)extent - 1) / 2;
  float f = (float)n;
  return (double)(align ? (f + 1) / 2 * (float)(extent - 1) : ((f + 1) * (float)extent - 1) / 2);
}

/* |x| thrown back at |low| and |high| until it lies between them. */
static double reflect(double x, double low, double high) {
  double range = high - low, beyond = x < low ? low - x : x - high;
  if (x >= low && x <= high) return x;
  if (!(range > 0) || isinf(beyond)) return low;
  double rest = fmod(beyond, 2 * range);
  bool back = rest >= range; /* at the other end, and on its way back */
  if (back) rest -= range;
  return (x < low) != back ? low + rest : high - rest;
}

static void edges(const pn_attrs_grid_sample *attrs, int64_t extent, double *low, double *high) {
  *low = attrs->align_corners ? 0 : -0.5;
  *high = (double)extent - (attrs->align_corners ? 1 : 0.5);
}

/* The element that stands for place |at|, or -1. */
static int64_t pad_place(const pn_attrs_grid_sample *attrs, int64_t at, int64_t extent) {
  if (extent == 0) return -1;
  if (at >= 0 && at < extent) return at;
  if (attrs->padding == PN_GRID_ZEROS) return -1;
  if (attrs->padding == PN_GRID_REFLECTION) {
    double low, high;
    edges(attrs, extent, &low, &high);
    at = (int64_t)reflect((double)at, low, high);
  }
  return pn_max_i64(0, pn_min_i64(at, extent - 1));
}

/* Keys' cubic convolution with a = -0.75 at |t| in [0, 1) behind the second of four places. */
static void cubic_weights(double t, double weight[PN_SAMPLE_TAPS]) {
  const double a = -0.75;
  double u = 1 - t;
  weight[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
  weight[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
  weight[2] = ((a + 2) * u - (a + 3)) * u * u + 1;
  weight[3] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;
}

pn_sample_axis pn_grid_read_axis(const pn_attrs_grid_sample *attrs, double x, int64_t extent) {
  pn_sample_axis axis = {.at = {extent > 0 ? 0 : -1, -1, -1, -1}, .weight = {x, x, x, x}};
  double low, high;
  if (isnan(x)) return axis;
  if (attrs->mode == PN_RESIZE_NEAREST) x = rint(x);
  edges(attrs, extent, &low, &high);
  if (attrs->padding == PN_GRID_REFLECTION) x = reflect(x, low, high);
  int64_t first = pn_sample_floor(&x, extent);
  double upper = x - (double)first;
  switch (attrs->mode) {
    case PN_RESIZE_CUBIC:
      cubic_weights(upper, axis.weight);
      first--;
      break;
    case PN_RESIZE_LINEAR:
      axis.weight[0] = 1 - upper;
      axis.weight[1] = upper;
      break;
    default: axis.weight[0] = 1;
  }
  for (uint32_t i = 0; i < pn_grid_taps(attrs); i++) axis.at[i] = pad_place(attrs, first + i, extent);
  return axis;
}

pelton_status pn_reference_grid_sample(const pn_call *call) {
  const pn_attrs_grid_sample *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *grid = &call->in[1];
  uint32_t axes = x->rank - 2;
  int64_t dims[PN_MAX_RANK], places = 1, plane = 1, channels = x->dims[1];
  pn_sampler sampler;
  pn_sample_axis axis[PN_MAX_RANK];
  pn_dim batch = pn_dim_of(0);
  double *values, *line;
  if (grid->rank != x->rank) return PN_INTERNAL(call->diag, "grid_sample was planned with another rank");
  PN_TRY(check_grid(call->diag, (int32_t)x->rank, pn_dim_of(x->dims[0]), pn_dim_of(grid->dims[0]),
                    pn_dim_of(grid->dims[axes + 1]), &batch));
  memcpy(dims, x->dims, sizeof dims);
  for (uint32_t i = 0; i < axes; i++) {
    plane *= x->dims[i + 2];
    places *= dims[i + 2] = grid->dims[i + 1];
  }
  PN_TRY(pn_call_wants_result(call, "grid_sample", 0, x->rank, dims));
  PN_TRY(pn_sampler_init(&sampler, call, axes, x->dims + 2, pn_grid_taps(attrs)));
  PN_TRY(pn_call_f64s(call, x, &values));
  PN_TRY(pn_call_room(call, channels, &line));
  for (int64_t i = 0; i < x->dims[0] * places; i++) {
    int64_t first_plane = i / places * channels;
    for (uint32_t k = 0; k < axes; k++) {
      double n = pn_tensor_get_f64(grid, i * axes + (axes - 1 - k));
      axis[k] = pn_grid_read_axis(attrs, pn_grid_place(attrs, grid->dtype, n, x->dims[k + 2]), x->dims[k + 2]);
    }
    pn_sampler_place(&sampler, axis);
    for (int64_t c = 0; c < channels; c++) line[c] = pn_sampler_read(&sampler, values + (first_plane + c) * plane);
    pn_line_store(&call->out[0], first_plane * places + i % places, places, channels, line);
  }
  return PELTON_OK;
}

/* ---- affine_grid: theta[N,R,R+1] size[R+2] -> [N,spatial...,R] */

pelton_status pn_check_affine_grid(const pn_infer *c) {
  PN_TRY(pn_operand_wants_float(c, "affine_grid", 0, "theta"));
  PN_TRY(pn_operand_wants_rank(c, "affine_grid", 0, "theta", 3, 3));
  PN_TRY(pn_operand_wants_indices(c, "affine_grid", 1, "size"));
  return pn_operand_wants_rank(c, "affine_grid", 1, "size", 1, 1);
}

/* Extents of theta for |axes| spatial axes, 2 or 3. */
static pelton_status check_theta(pelton_diag *diag, int64_t axes, const pn_dim *theta) {
  pn_dim both = pn_dim_of(0);
  if (axes != 2 && axes != 3)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "affine_grid: %lld spatial axes; size must list 4 or 5 extents",
                   (long long)axes);
  if (pn_dim_unify(theta[1], pn_dim_of(axes), &both) && pn_dim_unify(theta[2], pn_dim_of(axes + 1), &both))
    return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "affine_grid: theta's matrices do not have the %lld x %lld that size asks for", (long long)axes,
                 (long long)(axes + 1));
}

static pelton_status check_size(pelton_diag *diag, pn_dim theta_batch, const pn_dim *size, uint32_t count,
                                pn_dim *batch) {
  for (uint32_t i = 0; i < count; i++)
    if (pn_dim_is_number(size[i]) && size[i].number < 0)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "affine_grid: size[%u] is %lld; it must be at least 0", (unsigned)i,
                     (long long)size[i].number);
  if (pn_dim_unify(theta_batch, size[0], batch)) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "affine_grid: theta has %lld batches, size says %lld; they must be equal",
                 (long long)theta_batch.number, (long long)size[0].number);
}

pelton_status pn_infer_affine_grid(const pn_infer *c) {
  const pn_type *theta = &c->in[0].type;
  uint32_t length, count;
  const pn_dim *size;
  int64_t axes = PN_RANK_UNKNOWN;
  if (c->in[1].type.rank == 1 && pn_infer_length(c, 1, &length)) axes = (int64_t)length - 2;
  else if (theta->rank == 3 && pn_dim_is_number(theta->dims[1])) axes = theta->dims[1].number;
  if (axes == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, theta->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  const pn_dim any[3] = {pn_dim_of(0), pn_dim_of(axes), pn_dim_of(axes + 1)};
  PN_TRY(check_theta(c->diag, axes, theta->rank == 3 ? theta->dims : any));
  pn_infer_unknown(c, 0, theta->dtype, (int32_t)axes + 2);
  pn_dim *dims = c->out[0].type.dims;
  dims[axes + 1] = pn_dim_of(axes);
  if (theta->rank == 3) dims[0] = theta->dims[0];
  if (!pn_infer_content(c, 1, &size, &count) || count != (uint32_t)axes + 2) return PELTON_OK;
  if (theta->rank != 3) dims[0] = size[0];
  for (int64_t i = 1; i <= axes; i++) dims[i] = size[i + 1];
  return check_size(c->diag, dims[0], size, count, &dims[0]);
}

double pn_affine_coordinate(int64_t i, int64_t extent, bool align_corners) {
  if (!align_corners) return (double)(2 * i + 1) / (double)extent - 1;
  return extent == 1 ? 0 : (double)(2 * i) / (double)(extent - 1) - 1;
}

pelton_status pn_reference_affine_grid(const pn_call *call) {
  const pn_attrs_affine_grid *attrs = call->attrs;
  const pn_tensor *theta = &call->in[0];
  const int64_t *size;
  uint32_t count;
  int64_t dims[PN_MAX_RANK], places = 1;
  pn_dim known[3], sizes[5], batch = pn_dim_of(0);
  PN_TRY(pn_call_numbers(call, 1, &size, &count));
  for (uint32_t i = 0; i < 3; i++) known[i] = pn_dim_of(theta->dims[i]);
  PN_TRY(check_theta(call->diag, (int64_t)count - 2, known));
  for (uint32_t i = 0; i < count; i++) sizes[i] = pn_dim_of(size[i]);
  PN_TRY(check_size(call->diag, known[0], sizes, count, &batch));
  uint32_t axes = count - 2;
  dims[0] = theta->dims[0];
  for (uint32_t i = 1; i <= axes; i++) dims[i] = size[i + 1];
  dims[axes + 1] = axes;
  PN_TRY(pn_call_wants_result(call, "affine_grid", 0, axes + 2, dims));
  for (uint32_t i = 1; i <= axes; i++) places *= dims[i];
  for (int64_t i = 0; i < dims[0] * places; i++) {
    double point[4] = {0};
    int64_t rest = i % places, matrix = i / places * axes * (axes + 1);
    for (uint32_t k = 0; k < axes; k++) { /* x first, which is the last axis */
      int64_t extent = dims[axes - k];
      point[k] = pn_affine_coordinate(rest % extent, extent, attrs->align_corners);
      rest /= extent;
    }
    point[axes] = 1;
    for (uint32_t row = 0; row < axes; row++) {
      double sum = 0;
      for (uint32_t k = 0; k <= axes; k++) sum += pn_tensor_get_f64(theta, matrix + row * (axes + 1) + k) * point[k];
      pn_tensor_set_f64(&call->out[0], i * axes + row, sum);
    }
  }
  return PELTON_OK;
}
