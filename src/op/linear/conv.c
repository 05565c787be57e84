/* conv and conv_integer: y[n,m,o] = bias[m] + the sum over a group's channels c and taps t of
   x[n,c,o*stride + t*dilation - pad] * w[m,c,t].

   conv_integer is the same sum of x - x_zero_point and w - w_zero_point, in doubles: products of bytes and their sums
   are exact there. */
#include "op/linear/conv.h"
#include "op/linear/line.h"
#include "op/operand.h"

/* ---- check and infer */

static pelton_status check_windows(const pn_infer *c, const char *op, const pn_window_spec *spec, int64_t group) {
  PN_TRY(pn_operand_wants_rank(c, op, 0, "x", 3, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_rank(c, op, 1, "w", 3, PN_MAX_RANK));
  if (group < 1)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: group is %lld; it must be at least 1", op, (long long)group);
  int32_t rank = c->in[0].type.rank;
  return pn_window_check(c->diag, op, spec, rank == PN_RANK_UNKNOWN ? rank : rank - 2);
}

static pelton_status check_channels(pelton_diag *diag, const char *op, pn_dim x, pn_dim w_in, pn_dim w_out,
                                    int64_t group) {
  int64_t wanted = 0;
  if (pn_dim_is_number(x) && pn_dim_is_number(w_in) &&
      (!pn_mul_i64(w_in.number, group, &wanted) || wanted != x.number))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "%s: x has %lld channels; w takes %lld for each of %lld groups: their product must be equal", op,
                   (long long)x.number, (long long)w_in.number, (long long)group);
  if (pn_dim_is_number(w_out) && w_out.number % group != 0)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: w gives %lld channels, which %lld groups do not divide evenly",
                   op, (long long)w_out.number, (long long)group);
  return PELTON_OK;
}

static pelton_status check_ranks(pelton_diag *diag, const char *op, int32_t x, int32_t w) {
  if (x == w) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: x has rank %d, w rank %d; they must be equal", op, x, w);
}

static pelton_status infer_windows(const pn_infer *c, const char *op, const pn_window_spec *spec, int64_t group,
                                   pelton_dtype dtype) {
  const pn_type *x = &c->in[0].type, *w = &c->in[1].type;
  pn_type *y = &c->out[0].type;
  if (x->rank == PN_RANK_UNKNOWN || w->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, dtype, x->rank == PN_RANK_UNKNOWN ? w->rank : x->rank);
    if (x->rank != PN_RANK_UNKNOWN) y->dims[0] = x->dims[0];
    if (w->rank != PN_RANK_UNKNOWN) y->dims[1] = w->dims[0];
    return PELTON_OK;
  }
  PN_TRY(check_ranks(c->diag, op, x->rank, w->rank));
  PN_TRY(check_channels(c->diag, op, x->dims[1], w->dims[1], w->dims[0], group));
  *y = (pn_type){.dtype = dtype, .rank = x->rank};
  y->dims[0] = x->dims[0];
  y->dims[1] = w->dims[0];
  return pn_window_infer(c, op, spec, (uint32_t)x->rank - 2, x->dims + 2, w->dims + 2, y->dims + 2);
}

pelton_status pn_check_conv(const pn_infer *c) {
  const pn_attrs_conv *attrs = c->attrs;
  PN_TRY(pn_operand_wants_float(c, "conv", 0, "x"));
  PN_TRY(pn_operand_wants_type_of(c, "conv", 1, "w", 0));
  PN_TRY(pn_operand_wants_type_of(c, "conv", 2, "bias", 0));
  PN_TRY(pn_operand_wants_rank(c, "conv", 2, "bias", 1, 1));
  return check_windows(c, "conv", &PN_WINDOW_SPEC(attrs), attrs->group);
}

pelton_status pn_infer_conv(const pn_infer *c) {
  const pn_attrs_conv *attrs = c->attrs;
  pn_dim channels = pn_dim_of(0);
  if (pn_infer_has(c, 2) && c->in[2].type.rank == 1 && c->in[1].type.rank > 0 &&
      !pn_dim_unify(c->in[1].type.dims[0], c->in[2].type.dims[0], &channels))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "conv: bias has %lld elements, w gives %lld channels; they must be equal",
                   (long long)c->in[2].type.dims[0].number, (long long)c->in[1].type.dims[0].number);
  return infer_windows(c, "conv", &PN_WINDOW_SPEC(attrs), attrs->group, c->in[0].type.dtype);
}

static pelton_status check_zero_point(const pn_infer *c, uint32_t i, const char *name, uint32_t like) {
  PN_TRY(pn_operand_wants_type_of(c, "conv_integer", i, name, like));
  return pn_operand_wants_rank(c, "conv_integer", i, name, 0, 1);
}

static pelton_status check_byte(const pn_infer *c, const char *op, uint32_t i, const char *name) {
  pelton_dtype dtype = c->in[i].type.dtype;
  if (dtype == PELTON_DTYPE_I8 || dtype == PELTON_DTYPE_U8) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s is of type %s; it must be i8 or u8", op, name,
                 pelton_dtype_name(dtype));
}

pelton_status pn_check_conv_integer(const pn_infer *c) {
  const pn_attrs_conv_integer *attrs = c->attrs;
  PN_TRY(check_byte(c, "conv_integer", 0, "x"));
  PN_TRY(check_byte(c, "conv_integer", 1, "w"));
  PN_TRY(check_zero_point(c, 2, "x_zero_point", 0));
  PN_TRY(pn_operand_wants_scalar(c, "conv_integer", 2, "x_zero_point"));
  PN_TRY(check_zero_point(c, 3, "w_zero_point", 1));
  return check_windows(c, "conv_integer", &PN_WINDOW_SPEC(attrs), attrs->group);
}

pelton_status pn_infer_conv_integer(const pn_infer *c) {
  const pn_attrs_conv_integer *attrs = c->attrs;
  return infer_windows(c, "conv_integer", &PN_WINDOW_SPEC(attrs), attrs->group, PELTON_DTYPE_I32);
}

/* ---- reference */

static pelton_status prepare(const pn_call *call, const char *op, const pn_window_spec *spec, int64_t group,
                             pn_conv *out) {
  const pn_tensor *x = &call->in[0], *w = &call->in[1];
  PN_TRY(check_ranks(call->diag, op, (int32_t)x->rank, (int32_t)w->rank));
  PN_TRY(check_channels(call->diag, op, pn_dim_of(x->dims[1]), pn_dim_of(w->dims[1]), pn_dim_of(w->dims[0]), group));
  *out = (pn_conv){.axes = x->rank - 2, .batch = x->dims[0], .groups = group, .in_channels = w->dims[1],
                   .out_channels = w->dims[0] / group};
  PN_TRY(pn_window_resolve(call->diag, op, spec, out->axes, x->dims + 2, w->dims + 2, out->window));
  out->out_dims[0] = x->dims[0];
  out->out_dims[1] = w->dims[0];
  PN_TRY(pn_conv_prepare_taps(call, op, out));
  out->w_in_stride = out->taps;
  out->w_out_stride = out->taps * out->in_channels;
  return PELTON_OK;
}

/* A pointwise convolution reads its input as it lies: one row, whatever the rank. */
static void flatten_pointwise(pn_conv *conv) {
  for (uint32_t i = 0; i < conv->axes; i++) {
    const pn_window *w = &conv->window[i];
    if (w->kernel != 1 || w->stride != 1 || w->pad_begin != 0 || w->input != w->output) return;
  }
  conv->axes = 1;
  conv->window[0] = (pn_window){conv->in_plane, 1, 1, 1, 0, 0, conv->out_plane};
}

/* Places [first, end) of the window along an axis whose tap |t| lies in [0, extent). */
static void places_of_tap(const pn_window *w, int64_t t, int64_t places, int64_t extent, int64_t *first, int64_t *end) {
  int64_t shift = w->pad_begin - t * w->dilation, room = extent + shift;
  *first = shift <= 0 ? 0 : pn_div_up(shift, w->stride);
  *end = room <= 0 ? 0 : pn_min_i64(pn_div_up(room, w->stride), places);
  if (*first > *end) *first = *end;
}

static void place_tap(const pn_conv *conv, int64_t index, pn_conv_tap *tap) {
  /* Of the tensor with one element a place, and of the one that windows lie in. */
  int64_t place_stride = 1, tapped_stride = 1;
  pn_walk *walk = &tap->walk;
  walk->rank = conv->axes - 1;
  for (uint32_t i = conv->axes; i-- > 0;) {
    const pn_window *w = &conv->window[i];
    int64_t places = conv->transposed ? w->input : w->output, extent = conv->transposed ? w->output : w->input;
    int64_t t = index % w->kernel, first, end;
    index /= w->kernel;
    places_of_tap(w, t, places, extent, &first, &end);
    int64_t place = first * place_stride, tapped = (first * w->stride + t * w->dilation - w->pad_begin) * tapped_stride;
    walk->to += conv->transposed ? tapped : place;
    walk->from += conv->transposed ? place : tapped;
    walk->dims[i] = end - first; /* the last axis lies beyond the walk's rank: it is the row */
    walk->to_strides[i] = conv->transposed ? tapped_stride * w->stride : place_stride;
    walk->from_strides[i] = conv->transposed ? place_stride : tapped_stride * w->stride;
    place_stride *= places;
    tapped_stride *= extent;
  }
  tap->row = walk->dims[walk->rank];
  tap->to_stride = walk->to_strides[walk->rank];
  tap->from_stride = walk->from_strides[walk->rank];
}

pelton_status pn_conv_prepare_taps(const pn_call *call, const char *op, pn_conv *conv) {
  conv->in_plane = conv->out_plane = conv->taps = 1;
  for (uint32_t i = 0; i < conv->axes; i++) {
    conv->out_dims[i + 2] = conv->window[i].output;
    conv->in_plane *= conv->window[i].input;
    conv->out_plane *= conv->window[i].output;
    conv->taps *= conv->window[i].kernel;
  }
  PN_TRY(pn_call_wants_result(call, op, 0, conv->axes + 2, conv->out_dims));
  conv->w_group_stride = conv->in_channels * conv->out_channels * conv->taps;
  flatten_pointwise(conv);
  conv->tap = PN_NEW_ARRAY(call->scratch, pn_conv_tap, (size_t)conv->taps);
  if (!conv->tap) return pn_fail_memory(call->diag, "a convolution's taps");
  for (int64_t t = 0; t < conv->taps; t++) place_tap(conv, t, &conv->tap[t]);
  return PELTON_OK;
}

#define REAL float
#define NAME(x) x##_f32
#include "op/linear/conv_compute.tmpl.h"
#define REAL double
#define NAME(x) x##_f64
#include "op/linear/conv_compute.tmpl.h"

pelton_status pn_conv_compute(const pn_call *call, const char *op, const pn_conv *conv) {
  PN_TRY(pn_call_wants_elements(call, op, 2, "bias", conv->out_dims[1]));
  bool has_bias = pn_call_has(call, 2);
  pn_tensor *y = &call->out[0];
  if (y->dtype == PELTON_DTYPE_F32) {
    compute_f32(conv, call->in[0].data, call->in[1].data, has_bias ? call->in[2].data : NULL, y->data);
    return PELTON_OK;
  }
  double *x, *w, *bias = NULL, *sums;
  PN_TRY(pn_call_f64s(call, &call->in[0], &x));
  PN_TRY(pn_call_f64s(call, &call->in[1], &w));
  if (has_bias) PN_TRY(pn_call_f64s(call, &call->in[2], &bias));
  PN_TRY(pn_call_room(call, pn_tensor_elements(y), &sums));
  compute_f64(conv, x, w, bias, sums);
  pn_line_store(y, 0, 1, pn_tensor_elements(y), sums);
  return PELTON_OK;
}

pelton_status pn_reference_conv(const pn_call *call) {
  const pn_attrs_conv *attrs = call->attrs;
  pn_conv conv;
  PN_TRY(prepare(call, "conv", &PN_WINDOW_SPEC(attrs), attrs->group, &conv));
  return pn_conv_compute(call, "conv", &conv);
}

pelton_status pn_reference_conv_integer(const pn_call *call) {
  const pn_attrs_conv_integer *attrs = call->attrs;
  pn_conv conv;
  PN_TRY(prepare(call, "conv_integer", &PN_WINDOW_SPEC(attrs), attrs->group, &conv));
  PN_TRY(pn_call_wants_elements(call, "conv_integer", 2, "x_zero_point", 1));
  int64_t zero_points = pn_call_has(call, 3) ? pn_tensor_elements(&call->in[3]) : 0;
  if (zero_points > 1) PN_TRY(pn_call_wants_elements(call, "conv_integer", 3, "w_zero_point", conv.out_dims[1]));
  double *x, *w, *sums;
  PN_TRY(pn_call_f64s(call, &call->in[0], &x));
  PN_TRY(pn_call_f64s(call, &call->in[1], &w));
  PN_TRY(pn_call_room(call, pn_tensor_elements(&call->out[0]), &sums));
  double x_zero = pn_call_has(call, 2) ? pn_tensor_get_f64(&call->in[2], 0) : 0;
  int64_t filter = conv.in_channels * conv.taps, x_count = pn_tensor_elements(&call->in[0]);
  for (int64_t i = 0; i < x_count; i++) x[i] -= x_zero;
  for (int64_t i = 0; zero_points > 0 && i < conv.out_dims[1] * filter; i++)
    w[i] -= pn_tensor_get_f64(&call->in[3], zero_points > 1 ? i / filter : 0);
  compute_f64(&conv, x, w, NULL, sums);
  pn_line_store(&call->out[0], 0, 1, pn_tensor_elements(&call->out[0]), sums);
  return PELTON_OK;
}
