/* resize: one axis after the other, each result a weighted sum of a few elements of its line (linear, cubic) or one of
   them (nearest).

   An axis's |taps| say for every result which elements and how much of each: everything that coordinates, antialiasing
   and excluding the outside decide is in those tables. Elements beyond the ends are the ones at the ends. */
#include "op/picture/resize.h"

#include "op/linear/line.h"
#include "op/operand.h"
#include "op/movement/walk.h"

#include <math.h>

/* ---- check and infer */

pelton_status pn_check_resize(const pn_infer *c) {
  const pn_attrs_resize *attrs = c->attrs;
  if (attrs->mode != PN_RESIZE_NEAREST && c->in[0].type.dtype == PELTON_DTYPE_BOOL)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "resize: x is of type bool; use mode=nearest");
  PN_TRY(pn_operand_wants_float(c, "resize", 1, "roi"));
  PN_TRY(pn_operand_wants_rank(c, "resize", 1, "roi", 1, 1));
  PN_TRY(pn_operand_wants_rank(c, "resize", 2, "scales", 1, 1));
  PN_TRY(pn_operand_wants_indices(c, "resize", 3, "sizes"));
  PN_TRY(pn_operand_wants_rank(c, "resize", 3, "sizes", 1, 1));
  if (pn_infer_has(c, 2) && c->in[2].type.dtype != PELTON_DTYPE_F32)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "resize: scales is of type %s; it must be f32",
                   pelton_dtype_name(c->in[2].type.dtype));
  if (!pn_infer_has(c, 2) && !pn_infer_has(c, 3))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "resize: neither scales nor sizes is given; give one");
  if (attrs->antialias && attrs->mode == PN_RESIZE_NEAREST)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "resize: antialias is set with mode=nearest; use linear or cubic");
  return PELTON_OK;
}

/* Models leave an operand out by giving an empty one. */
static bool is_empty(const pn_infer *c, uint32_t i) {
  return !pn_infer_has(c, i) || (c->in[i].type.rank == 1 && pn_dim_is(c->in[i].type.dims[0], 0));
}

static pelton_status resolve_axes(pelton_diag *diag, const pn_attrs_resize *attrs, uint32_t rank, uint32_t *axes,
                                  uint32_t *count) {
  *count = attrs->axes.count > 0 ? attrs->axes.count : rank;
  for (uint32_t i = 0; i < rank; i++) axes[i] = i;
  if (*count > rank)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "resize: %u axes for an operand of rank %u", (unsigned)*count,
                   (unsigned)rank);
  return attrs->axes.count > 0 ? pn_axes_resolve(diag, "resize", attrs->axes.data, *count, rank, axes) : PELTON_OK;
}

static pelton_status check_count(pelton_diag *diag, const char *name, int64_t count, uint32_t wanted) {
  if (count == wanted) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "resize: %s has %lld values for %u axes; give one an axis", name,
                 (long long)count, (unsigned)wanted);
}

static pelton_status check_scale(pelton_diag *diag, float scale) {
  if (scale > 0 && isfinite(scale)) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_DATA, "resize: a scale is %g; scales must be positive and finite", (double)scale);
}

/* In float, as every runtime multiplies: 3 times 1.6666667f is 5. */
static int64_t scaled_extent(int64_t extent, float scale) {
  return pn_min_i64(pn_i64_from_f64(floor((double)((float)extent * scale))), INT64_MAX / 2);
}

/* floor(extent * scale) for an extent that is a symbol, when the scale is a ratio of small numbers. */
static pn_dim scaled_dim(const pn_infer *c, pn_dim extent, float scale) {
  if (pn_dim_is_number(extent)) return pn_dim_of(scaled_extent(extent.number, scale));
  for (int64_t divisor = 1; divisor <= 64; divisor++) {
    double times = (double)scale * (double)divisor;
    if (times > 0x1p20 || floor(times) != times) continue;
    return pn_dim_floor_div(c->symbols, pn_dim_mul(c->symbols, extent, pn_dim_of((int64_t)times)), pn_dim_of(divisor));
  }
  return pn_dim_fresh(c->symbols);
}

/* The one scale that keeps the ratio of the axes. */
static double policy_scale(pn_resize_policy policy, const uint32_t *axes, uint32_t count, const int64_t *dims,
                           const int64_t *sizes) {
  double scale = 0;
  for (uint32_t i = 0; i < count; i++) {
    double own = (double)sizes[i] / (double)dims[axes[i]];
    if (i == 0 || (policy == PN_POLICY_NOT_LARGER ? own < scale : own > scale)) scale = own;
  }
  return scale;
}

static int64_t policy_extent(int64_t extent, double scale) {
  return pn_i64_from_f64(floor(scale * (double)extent + 0.5));
}

static pelton_status infer_scales(const pn_infer *c, const uint32_t *axes, uint32_t count) {
  const float *scales = c->in[2].data;
  pn_dim *y = c->out[0].type.dims, length = pn_dim_of(0);
  if (c->in[2].type.rank == 1) length = c->in[2].type.dims[0];
  if (c->in[2].type.rank == 1 && pn_dim_is_number(length)) PN_TRY(check_count(c->diag, "scales", length.number, count));
  for (uint32_t i = 0; i < count; i++) {
    if (scales) PN_TRY(check_scale(c->diag, scales[i]));
    y[axes[i]] = scales ? scaled_dim(c, y[axes[i]], scales[i]) : pn_dim_fresh(c->symbols);
  }
  return PELTON_OK;
}

static pelton_status infer_sizes(const pn_infer *c, const uint32_t *axes, uint32_t count) {
  const pn_attrs_resize *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  const pn_dim *sizes = NULL;
  int64_t dims[PN_MAX_RANK] = {0}, numbers[PN_MAX_RANK];
  pn_dim *y = c->out[0].type.dims;
  uint32_t length;
  bool known = pn_infer_content(c, 3, &sizes, &length), numeric = known;
  if (known) PN_TRY(check_count(c->diag, "sizes", length, count));
  for (uint32_t i = 0; i < count; i++) {
    y[axes[i]] = known ? sizes[i] : pn_dim_fresh(c->symbols);
    if (known && pn_dim_is_number(sizes[i]) && sizes[i].number < 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "resize: sizes[%u] is %lld; it must not be negative",
                     (unsigned)i, (long long)sizes[i].number);
    numbers[i] = y[axes[i]].number;
    dims[axes[i]] = x->dims[axes[i]].number;
    numeric = numeric && pn_dim_is_number(sizes[i]) && pn_dim_is_number(x->dims[axes[i]]);
  }
  if (attrs->policy == PN_POLICY_STRETCH) return PELTON_OK;
  double scale = numeric ? policy_scale(attrs->policy, axes, count, dims, numbers) : 0;
  for (uint32_t i = 0; i < count; i++)
    y[axes[i]] = numeric ? pn_dim_of(policy_extent(dims[axes[i]], scale)) : pn_dim_fresh(c->symbols);
  return PELTON_OK;
}

pelton_status pn_infer_resize(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  uint32_t axes[PN_MAX_RANK], count;
  pn_infer_same(c, 0);
  if (x->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  PN_TRY(resolve_axes(c->diag, c->attrs, (uint32_t)x->rank, axes, &count));
  if (is_empty(c, 2) == is_empty(c, 3))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "resize: give either scales or sizes");
  return is_empty(c, 2) ? infer_sizes(c, axes, count) : infer_scales(c, axes, count);
}

/* ---- reference: where results come from */

pelton_status pn_resize_plan(const pn_call *call, pn_resized_axis *plan) {
  const pn_attrs_resize *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  uint32_t axes[PN_MAX_RANK], count;
  const int64_t *sizes = NULL;
  uint32_t length = 0;
  PN_TRY(resolve_axes(call->diag, attrs, x->rank, axes, &count));
  for (uint32_t i = 0; i < x->rank; i++) plan[i] = (pn_resized_axis){x->dims[i], x->dims[i], 1, 0, 1};
  if (pn_call_has(call, 1) && pn_tensor_elements(&call->in[1]) > 0) {
    PN_TRY(check_count(call->diag, "half of roi", pn_tensor_elements(&call->in[1]) / 2, count));
    for (uint32_t i = 0; i < count; i++) {
      plan[axes[i]].roi_begin = pn_tensor_get_f64(&call->in[1], i);
      plan[axes[i]].roi_end = pn_tensor_get_f64(&call->in[1], i + count);
    }
  } else if (attrs->coordinates == PN_COORD_TF_CROP_AND_RESIZE) {
    return pn_fail(call->diag, PELTON_INVALID_ARGUMENT, "resize: coordinates=tf_crop_and_resize needs roi; give it");
  }
  if (pn_call_has(call, 2) && pn_tensor_elements(&call->in[2]) > 0) {
    const float *scales = call->in[2].data;
    PN_TRY(check_count(call->diag, "scales", pn_tensor_elements(&call->in[2]), count));
    for (uint32_t i = 0; i < count; i++) {
      PN_TRY(check_scale(call->diag, scales[i]));
      plan[axes[i]].scale = (double)scales[i];
      plan[axes[i]].output = scaled_extent(x->dims[axes[i]], scales[i]);
    }
    return PELTON_OK;
  }
  if (!pn_call_has(call, 3)) return pn_fail(call->diag, PELTON_INVALID_ARGUMENT, "resize: give either scales or sizes");
  PN_TRY(pn_call_numbers(call, 3, &sizes, &length));
  PN_TRY(check_count(call->diag, "sizes", length, count));
  double scale = policy_scale(attrs->policy, axes, count, x->dims, sizes);
  for (uint32_t i = 0; i < count; i++) {
    pn_resized_axis *a = &plan[axes[i]];
    bool stretch = attrs->policy == PN_POLICY_STRETCH;
    a->output = stretch ? sizes[i] : policy_extent(a->input, scale);
    a->scale = stretch ? (double)sizes[i] / (double)a->input : scale;
  }
  return PELTON_OK;
}

/* Where result |i| lies among the elements of the line. */
static double source_of(pn_resize_coordinates coordinates, const pn_resized_axis *a, int64_t i) {
  double x = (double)i, last = (double)(a->input - 1), length = a->scale * (double)a->input;
  double half_pixel = (x + 0.5) / a->scale - 0.5;
  switch (coordinates) {
    case PN_COORD_ALIGN_CORNERS: return length == 1 ? 0 : x * last / (length - 1);
    case PN_COORD_ASYMMETRIC: return x / a->scale;
    case PN_COORD_TF_HALF_PIXEL_FOR_NN: return (x + 0.5) / a->scale;
    case PN_COORD_PYTORCH_HALF_PIXEL: return a->output > 1 ? half_pixel : 0;
    case PN_COORD_HALF_PIXEL_SYMMETRIC: return (double)a->input / 2 * (1 - (double)a->output / length) + half_pixel;
    case PN_COORD_TF_CROP_AND_RESIZE: {
      double extent = (a->roi_end - a->roi_begin) * last;
      return a->roi_begin * last + (length == 1 ? extent / 2 : x * extent / (length - 1));
    }
    case PN_COORD_HALF_PIXEL:
    default: return half_pixel;
  }
}

static bool is_extrapolated(const pn_attrs_resize *attrs, const pn_resized_axis *a, double at) {
  return attrs->coordinates == PN_COORD_TF_CROP_AND_RESIZE && !(at >= 0 && at <= (double)(a->input - 1));
}

static int64_t clamp_index(double at, int64_t extent) {
  return at <= 0 ? 0 : at >= (double)(extent - 1) ? extent - 1 : (int64_t)at;
}

static int64_t nearest_index(pn_resize_rounding rounding, double at, int64_t extent) {
  double below = floor(at), fraction = at - below;
  bool up = fraction > 0.5;
  if (rounding == PN_ROUND_PREFER_CEIL) up = fraction >= 0.5;
  if (rounding == PN_ROUND_FLOOR) up = false;
  if (rounding == PN_ROUND_CEIL) up = fraction > 0;
  return clamp_index(up ? below + 1 : below, extent);
}

bool pn_resize_is_untouched(const pn_attrs_resize *attrs, const pn_resized_axis *a) {
  bool cropped = attrs->coordinates == PN_COORD_TF_CROP_AND_RESIZE && (a->roi_begin != 0 || a->roi_end != 1);
  return a->scale == 1 && a->output == a->input && !cropped;
}

/* ---- nearest: every type of elements, copied as bytes */

pelton_status pn_resize_map_of(const pn_call *call, const pn_resized_axis *a, int64_t **out) {
  const pn_attrs_resize *attrs = call->attrs;
  int64_t *map = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)a->output);
  if (!map) return pn_fail_memory(call->diag, "resize's index maps");
  for (int64_t i = 0; i < a->output; i++) {
    double at = pn_resize_is_untouched(attrs, a) ? (double)i : source_of(attrs->coordinates, a, i);
    map[i] = is_extrapolated(attrs, a, at) ? -1 : nearest_index(attrs->rounding, at, a->input);
  }
  *out = map;
  return PELTON_OK;
}

static pelton_status resize_nearest(const pn_call *call, const pn_resized_axis *plan) {
  const pn_attrs_resize *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  pn_tensor *y = &call->out[0];
  int64_t *maps[PN_MAX_RANK], strides[PN_MAX_RANK];
  size_t bytes = pelton_dtype_bytes(x->dtype);
  for (uint32_t axis = 0; axis < x->rank; axis++) PN_TRY(pn_resize_map_of(call, &plan[axis], &maps[axis]));
  pn_dims_strides(x->rank, x->dims, strides);
  pn_walk w;
  pn_walk_init(&w, y->rank, y->dims);
  if (!pn_walk_begin(&w)) return PELTON_OK;
  do {
    int64_t from = 0;
    bool outside = false;
    for (uint32_t axis = 0; axis < y->rank; axis++) {
      int64_t at = maps[axis][w.index[axis]];
      outside = outside || at < 0;
      from += at * strides[axis];
    }
    if (outside) pn_tensor_set_f64(y, w.to, (double)attrs->extrapolation);
    else memcpy((char *)y->data + (size_t)w.to * bytes, (const char *)x->data + (size_t)from * bytes, bytes);
  } while (pn_walk_next(&w));
  return PELTON_OK;
}

/* ---- linear and cubic */

/* The weight of an element |t| away (in elements, or in results when an antialiasing kernel is stretched). */
static double kernel_at(const pn_attrs_resize *attrs, double t) {
  double x = fabs(t), a = (double)attrs->cubic_a;
  if (attrs->mode == PN_RESIZE_LINEAR) return x < 1 ? 1 - x : 0;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static void weigh_taps(const pn_attrs_resize *attrs, const pn_resized_axis *a, double at, double squeeze, int64_t count,
                       int64_t *index, double *weight) {
  /* The last element before |at|, never |at| itself: an even number of taps then lies around it. */
  double base = ceil(at) - 1, sum = 0;
  for (int64_t i = 0; i < count; i++) {
    double element = base + (double)(i + 1 - count / 2);
    weight[i] = kernel_at(attrs, (element - at) * squeeze);
    index[i] = clamp_index(element, a->input);
    if (attrs->exclude_outside && (element < 0 || element >= (double)a->input)) weight[i] = 0;
    sum += weight[i];
  }
  bool normalise = attrs->antialias || attrs->exclude_outside;
  for (int64_t i = 0; normalise && sum != 0 && i < count; i++) weight[i] /= sum;
}

pelton_status pn_resize_taps_of(const pn_call *call, const pn_resized_axis *a, pn_resize_taps *t) {
  const pn_attrs_resize *attrs = call->attrs;
  double reach = attrs->mode == PN_RESIZE_LINEAR ? 1 : 2, squeeze = 1;
  if (attrs->antialias && a->scale < 1) squeeze = a->scale;
  double half = -floor(-reach / squeeze); /* taps on each side */
  size_t count = 0;
  if (half > 0x1p30 || !pn_mul_size((size_t)a->output, 2 * (size_t)half, &count))
    return pn_fail(call->diag, PELTON_UNSUPPORTED, "resize: a scale of %g is too small for antialias", a->scale);
  t->count = 2 * (int64_t)half;
  t->index = PN_NEW_ARRAY(call->scratch, int64_t, count);
  t->weight = PN_NEW_ARRAY(call->scratch, double, count);
  t->outside = PN_NEW_ARRAY(call->scratch, bool, (size_t)a->output);
  if (!t->index || !t->weight || !t->outside) return pn_fail_memory(call->diag, "resize's weights");
  for (int64_t i = 0; i < a->output; i++) {
    double at = source_of(attrs->coordinates, a, i);
    t->outside[i] = is_extrapolated(attrs, a, at);
    weigh_taps(attrs, a, at, squeeze, t->count, t->index + i * t->count, t->weight + i * t->count);
  }
  return PELTON_OK;
}

/* Along one axis: |outer| times |inner| lines whose elements lie |inner| apart. */
static void resize_lines(const pn_resize_taps *t, const pn_resized_axis *a, int64_t outer, int64_t inner,
                         double outside, const double *x, double *y) {
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < a->output; i++) {
      double *to = y + (o * a->output + i) * inner;
      for (int64_t k = 0; k < inner; k++) to[k] = t->outside[i] ? outside : 0;
      for (int64_t k = 0; !t->outside[i] && k < t->count; k++)
        pn_add_scaled_f64(to, x + (o * a->input + t->index[i * t->count + k]) * inner, inner,
                          t->weight[i * t->count + k]);
    }
}

static void store_results(pn_tensor *y, const double *values) {
  int64_t count = pn_tensor_elements(y);
  if (pn_dtype_is_float(y->dtype)) {
    pn_line_store(y, 0, 1, count, values);
    return;
  }
  int bits = (int)pn_dtype_bits(y->dtype);
  bool is_signed = pn_dtype_is_signed(y->dtype);
  double least = is_signed ? -ldexp(1, bits - 1) : 0, limit = ldexp(1, bits - is_signed);
  for (int64_t i = 0; i < count; i++) {
    double v = rint(values[i]);
    if (v >= limit) pn_tensor_set_i64(y, i, is_signed ? INT64_MAX >> (64 - bits) : -1); /* the greatest: all ones */
    else pn_tensor_set_f64(y, i, v < least ? least : v);
  }
}

pelton_status pn_reference_resize(const pn_call *call) {
  const pn_attrs_resize *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  pn_resized_axis plan[PN_MAX_RANK];
  int64_t dims[PN_MAX_RANK], elements;
  double *values;
  PN_TRY(pn_resize_plan(call, plan));
  for (uint32_t i = 0; i < x->rank; i++) {
    dims[i] = plan[i].output;
    if (plan[i].input == 0 && plan[i].output > 0)
      return pn_fail(call->diag, PELTON_INVALID_DATA, "resize: axis %u has no elements to make %lld of", (unsigned)i,
                     (long long)plan[i].output);
  }
  PN_TRY(pn_call_wants_result(call, "resize", 0, x->rank, dims));
  if (attrs->mode == PN_RESIZE_NEAREST) return resize_nearest(call, plan);
  PN_TRY(pn_call_f64s(call, x, &values));
  memcpy(dims, x->dims, sizeof dims);
  for (uint32_t axis = 0; axis < x->rank; axis++) {
    pn_resize_taps t = {0};
    int64_t outer = 1, inner = 1;
    double *next;
    if (pn_resize_is_untouched(attrs, &plan[axis])) continue;
    for (uint32_t i = 0; i < x->rank; i++)
      if (i != axis) *(i < axis ? &outer : &inner) *= dims[i];
    dims[axis] = plan[axis].output;
    if (!pn_dims_elements(x->rank, dims, sizeof(double), &elements))
      return pn_fail(call->diag, PELTON_UNSUPPORTED, "resize: the result is too large");
    PN_TRY(pn_resize_taps_of(call, &plan[axis], &t));
    PN_TRY(pn_call_room(call, elements, &next));
    resize_lines(&t, &plan[axis], outer, inner, (double)attrs->extrapolation, values, next);
    values = next;
  }
  store_results(&call->out[0], values);
  return PELTON_OK;
}
