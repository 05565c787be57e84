/* deform_conv: a convolution whose taps wander: each reads x at its place plus an offset of its own, between the
   elements when need be, times a mask. Zeros lie outside of x.

   x[N,C,spatial...] w[M,C/group,kernel...] offset[N,offset_group*taps*axes,out...] bias[M]? mask[N,offset_group*taps,
   out...]?; channels of an offset group share offsets and mask. */
#include "op/linear/line.h"
#include "op/operand.h"
#include "op/picture/sample.h"
#include "op/linear/window.h"

static const char op[] = "deform_conv";

enum { X, W, OFFSET, BIAS, MASK };

static pn_window_spec window_spec(const pn_attrs_deform_conv *attrs) {
  return (pn_window_spec){.strides = attrs->strides, .pads = attrs->pads, .dilations = attrs->dilations,
                          .auto_pad = PN_AUTO_PAD_NOTSET};
}

pelton_status pn_check_deform_conv(const pn_infer *c) {
  const pn_attrs_deform_conv *attrs = c->attrs;
  static const char *const names[] = {"x", "w", "offset", "bias", "mask"};
  pn_window_spec spec = window_spec(attrs);
  int32_t rank = c->in[X].type.rank;
  PN_TRY(pn_operand_wants_float(c, op, X, "x"));
  for (uint32_t i = X; i <= MASK; i++) {
    int32_t least = i == BIAS ? 1 : rank == PN_RANK_UNKNOWN || i == X ? 3 : rank;
    int32_t most = i == BIAS ? 1 : rank == PN_RANK_UNKNOWN || i == X ? PN_MAX_RANK : rank;
    PN_TRY(pn_operand_wants_type_of(c, op, i, names[i], X));
    PN_TRY(pn_operand_wants_rank(c, op, i, names[i], least, most));
  }
  if (attrs->group < 1 || attrs->offset_group < 1 || attrs->group > INT32_MAX || attrs->offset_group > INT32_MAX)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "deform_conv: group is %lld, offset_group %lld; both must be from 1 to %d", (long long)attrs->group,
                   (long long)attrs->offset_group, INT32_MAX);
  return pn_window_check(c->diag, op, &spec, rank == PN_RANK_UNKNOWN ? rank : rank - 2);
}

static pelton_status check_channels(pelton_diag *diag, const pn_attrs_deform_conv *attrs, pn_dim x, pn_dim w_in,
                                    pn_dim w_out) {
  int64_t wanted = 0;
  if (pn_dim_is_number(x) && pn_dim_is_number(w_in) &&
      (!pn_mul_i64(w_in.number, attrs->group, &wanted) || wanted != x.number))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "deform_conv: x has %lld channels; w takes %lld for each of %lld groups; they must be equal",
                   (long long)x.number, (long long)w_in.number, (long long)attrs->group);
  if (pn_dim_is_number(w_out) && w_out.number % attrs->group != 0)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "deform_conv: w gives %lld channels, which %lld groups do not divide evenly",
                   (long long)w_out.number, (long long)attrs->group);
  if (pn_dim_is_number(x) && x.number % attrs->offset_group != 0)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "deform_conv: x has %lld channels, which %lld offset groups do not divide evenly",
                   (long long)x.number, (long long)attrs->offset_group);
  return PELTON_OK;
}

/* |type|, an offset or a mask, has the extents of the result |y| but for its channels. */
static pelton_status check_follows(pelton_diag *diag, const char *name, const pn_type *type, pn_dim channels,
                                   pn_type *y) {
  for (int32_t i = 0; i < y->rank; i++) {
    pn_dim wanted = i == 1 ? channels : y->dims[i], both = pn_dim_of(0);
    if (!pn_dim_unify(wanted, type->dims[i], &both))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "deform_conv: %s has extent %lld on axis %d; it must be %lld", name,
                     (long long)type->dims[i].number, i, (long long)wanted.number);
    if (i != 1) y->dims[i] = both;
  }
  return PELTON_OK;
}

static pelton_status check_bias(pelton_diag *diag, pn_dim channels, pn_dim bias) {
  pn_dim both = pn_dim_of(0);
  if (pn_dim_unify(channels, bias, &both)) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "deform_conv: bias has %lld elements, w gives %lld channels; they must be equal",
                 (long long)bias.number, (long long)channels.number);
}

pelton_status pn_infer_deform_conv(const pn_infer *c) {
  const pn_attrs_deform_conv *attrs = c->attrs;
  const pn_type *x = &c->in[X].type, *w = &c->in[W].type;
  pn_type *y = &c->out[0].type;
  pn_window_spec spec = window_spec(attrs);
  int32_t rank = x->rank != PN_RANK_UNKNOWN ? x->rank : w->rank != PN_RANK_UNKNOWN ? w->rank : c->in[OFFSET].type.rank;
  pn_infer_unknown(c, 0, x->dtype, rank);
  if (x->rank != PN_RANK_UNKNOWN) y->dims[0] = x->dims[0];
  if (w->rank != PN_RANK_UNKNOWN) y->dims[1] = w->dims[0];
  if (x->rank == PN_RANK_UNKNOWN || w->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  PN_TRY(check_channels(c->diag, attrs, x->dims[1], w->dims[1], w->dims[0]));
  PN_TRY(pn_window_infer(c, op, &spec, (uint32_t)rank - 2, x->dims + 2, w->dims + 2, y->dims + 2));
  if (pn_infer_has(c, BIAS) && c->in[BIAS].type.rank == 1)
    PN_TRY(check_bias(c->diag, w->dims[0], c->in[BIAS].type.dims[0]));
  pn_dim taps = pn_dim_of(attrs->offset_group);
  for (int32_t i = 2; i < rank; i++) taps = pn_dim_mul(c->symbols, taps, w->dims[i]);
  pn_dim offsets = pn_dim_mul(c->symbols, taps, pn_dim_of(rank - 2));
  if (c->in[OFFSET].type.rank == rank) PN_TRY(check_follows(c->diag, "offset", &c->in[OFFSET].type, offsets, y));
  if (pn_infer_has(c, MASK) && c->in[MASK].type.rank == rank)
    PN_TRY(check_follows(c->diag, "mask", &c->in[MASK].type, taps, y));
  return PELTON_OK;
}

/* ---- reference */

typedef struct deformed {
  const pn_attrs_deform_conv *attrs;
  uint32_t axes;
  int64_t channels, taps, in_plane, out_plane;
  pn_window window[PN_MAX_RANK];
  const double *x;
  const pn_tensor *offset, *mask; /* mask: or null */
  pn_sampler sampler;
} deformed;

/* Where tap |t| of offset group |g| reads for the result's place |place| of batch |n|. */
static void place_tap(deformed *d, int64_t n, int64_t g, int64_t t, int64_t place) {
  pn_sample_axis axis[PN_MAX_RANK];
  int64_t tap = t, at = place, first = ((n * d->attrs->offset_group + g) * d->taps + t) * d->axes;
  for (uint32_t i = d->axes; i-- > 0;) {
    const pn_window *w = &d->window[i];
    int64_t start = at % w->output * w->stride - w->pad_begin + tap % w->kernel * w->dilation;
    double offset = pn_tensor_get_f64(d->offset, (first + i) * d->out_plane + place);
    axis[i] = pn_sample_linear((double)start + offset, w->input);
    at /= w->output;
    tap /= w->kernel;
  }
  pn_sampler_place(&d->sampler, axis);
}

/* Everything the result's place |place| of batch |n| reads: columns[C][taps]. */
static void fill_columns(deformed *d, int64_t n, int64_t place, double *columns) {
  int64_t groups = d->attrs->offset_group, members = d->channels / groups;
  for (int64_t g = 0; g < groups; g++)
    for (int64_t t = 0; t < d->taps; t++) {
      double factor = d->mask ? pn_tensor_get_f64(d->mask, ((n * groups + g) * d->taps + t) * d->out_plane + place) : 1;
      place_tap(d, n, g, t, place);
      for (int64_t c = g * members; c < (g + 1) * members; c++)
        columns[c * d->taps + t] = factor * pn_sampler_read(&d->sampler, d->x + (n * d->channels + c) * d->in_plane);
    }
}

/* Everything that has a size, and whether the operands agree on it. */
static pelton_status prepare(const pn_call *call, deformed *d) {
  const pn_tensor *x = &call->in[X], *w = &call->in[W];
  pn_window_spec spec = window_spec(d->attrs);
  if (w->rank != x->rank || d->offset->rank != x->rank || (d->mask && d->mask->rank != x->rank))
    return PN_INTERNAL(call->diag, "deform_conv was planned with other ranks");
  d->axes = x->rank - 2;
  d->channels = x->dims[1];
  d->taps = d->in_plane = d->out_plane = 1;
  PN_TRY(check_channels(call->diag, d->attrs, pn_dim_of(d->channels), pn_dim_of(w->dims[1]), pn_dim_of(w->dims[0])));
  PN_TRY(pn_window_resolve(call->diag, op, &spec, d->axes, x->dims + 2, w->dims + 2, d->window));
  int64_t dims[PN_MAX_RANK] = {x->dims[0], w->dims[0]}, taps, offsets;
  for (uint32_t i = 0; i < d->axes; i++) {
    dims[i + 2] = d->window[i].output;
    d->taps *= d->window[i].kernel;
    d->in_plane *= d->window[i].input;
    d->out_plane *= d->window[i].output;
  }
  if (!pn_mul_i64(d->taps, d->attrs->offset_group, &taps) || !pn_mul_i64(taps, d->axes, &offsets))
    return PN_INTERNAL(call->diag, "offsets overflow");
  pn_type y = pn_type_make(x->dtype, x->rank, dims), follows = pn_type_make(x->dtype, x->rank, d->offset->dims);
  PN_TRY(check_follows(call->diag, "offset", &follows, pn_dim_of(offsets), &y));
  if (d->mask) {
    follows = pn_type_make(x->dtype, x->rank, d->mask->dims);
    PN_TRY(check_follows(call->diag, "mask", &follows, pn_dim_of(taps), &y));
  }
  PN_TRY(pn_call_wants_elements(call, op, BIAS, "bias", w->dims[0]));
  PN_TRY(pn_call_wants_result(call, op, 0, x->rank, dims));
  return pn_sampler_init(&d->sampler, call, d->axes, x->dims + 2, 2);
}

pelton_status pn_reference_deform_conv(const pn_call *call) {
  const pn_tensor *w = &call->in[W];
  deformed d = {.attrs = call->attrs, .offset = &call->in[OFFSET]};
  double *x, *filters, *columns, *line;
  if (pn_call_has(call, MASK)) d.mask = &call->in[MASK];
  PN_TRY(prepare(call, &d));
  int64_t outputs = w->dims[0], members = outputs / d.attrs->group, filter = w->dims[1] * d.taps;
  PN_TRY(pn_call_f64s(call, &call->in[X], &x));
  PN_TRY(pn_call_f64s(call, w, &filters));
  PN_TRY(pn_call_room(call, d.channels * d.taps, &columns));
  PN_TRY(pn_call_room(call, outputs, &line));
  d.x = x;
  for (int64_t i = 0; i < call->in[X].dims[0] * d.out_plane; i++) {
    int64_t n = i / d.out_plane, place = i % d.out_plane;
    fill_columns(&d, n, place, columns);
    for (int64_t m = 0; m < outputs; m++) {
      double bias = pn_call_has(call, BIAS) ? pn_tensor_get_f64(&call->in[BIAS], m) : 0;
      line[m] = bias + pn_dot_f64(filters + m * filter, columns + m / members * filter, filter);
    }
    pn_line_store(&call->out[0], n * outputs * d.out_plane + place, d.out_plane, outputs, line);
  }
  return PELTON_OK;
}
