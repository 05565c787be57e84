/* See window.h. Attributes are held below 2^31, so that products and sums of two of them, and of an extent, fit. */
#include "op/linear/window.h"

static const int64_t limit = INT32_MAX;

static pelton_status check_list(pelton_diag *diag, const char *op, const char *name, pn_i64s list, int32_t wanted,
                                int64_t least) {
  if (wanted != PN_RANK_UNKNOWN && list.count > 0 && list.count != (uint32_t)wanted)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: %s has %u values; give %d, or none", op, name,
                   (unsigned)list.count, wanted);
  for (uint32_t i = 0; i < list.count; i++)
    if (list.data[i] < least || list.data[i] > limit)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: %s[%u] is %lld; it must be from %lld to %lld", op, name,
                     (unsigned)i, (long long)list.data[i], (long long)least, (long long)limit);
  return PELTON_OK;
}

pelton_status pn_window_check(pelton_diag *diag, const char *op, const pn_window_spec *spec, int32_t axes) {
  int32_t pads = axes == PN_RANK_UNKNOWN ? axes : 2 * axes;
  PN_TRY(check_list(diag, op, "strides", spec->strides, axes, 1));
  PN_TRY(check_list(diag, op, "dilations", spec->dilations, axes, 1));
  PN_TRY(check_list(diag, op, "pads", spec->pads, pads, 0));
  if (spec->auto_pad == PN_AUTO_PAD_NOTSET) return PELTON_OK;
  for (uint32_t i = 0; i < spec->pads.count; i++)
    if (spec->pads.data[i] != 0)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: pads[%u] is %lld, and auto_pad is set; give one of the two",
                     op, (unsigned)i, (long long)spec->pads.data[i]);
  return PELTON_OK;
}

static int64_t value_or(pn_i64s list, uint32_t i,
                        int64_t otherwise) { return i < list.count ? list.data[i] : otherwise; }

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static pelton_status check_kernel(pelton_diag *diag, const char *op, uint32_t axis, int64_t kernel) {
  if (kernel >= 1 && kernel <= limit) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "%s: the kernel has extent %lld on spatial axis %u; it must be from 1 to %lld",
                 op, (long long)kernel, (unsigned)axis, (long long)limit);
}

/* Kernel, strides, dilations and pads as the lists have them. */
static void set_window(const pn_window_spec *spec, uint32_t axes, uint32_t i, int64_t kernel, pn_window *w) {
  *w = (pn_window){.kernel = kernel,
                   .stride = value_or(spec->strides, i, 1),
                   .dilation = value_or(spec->dilations, i, 1),
                   .pad_begin = value_or(spec->pads, i, 0),
                   .pad_end = value_or(spec->pads, i + axes, 0)};
}

/* Splits |total| elements of padding in two, the odd one at the end (upper) or at the beginning. */
static void split_padding(pn_window *w, int64_t total, bool upper) {
  w->pad_begin = upper ? total / 2 : total - total / 2;
  w->pad_end = total - w->pad_begin;
}

static bool is_same(pn_auto_pad pad) { return pad == PN_AUTO_PAD_SAME_UPPER || pad == PN_AUTO_PAD_SAME_LOWER; }

static pelton_status check_fits(pelton_diag *diag, const char *op, uint32_t axis, const pn_window *w) {
  if (w->output >= 1 || w->input == 0) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "%s: the window spans %lld on spatial axis %u, where the input has %lld and its pads %lld; enlarge "
                 "the input or the pads",
                 op, (long long)pn_window_span(w), (unsigned)axis, (long long)w->input,
                 (long long)(w->pad_begin + w->pad_end));
}

pelton_status pn_window_resolve(pelton_diag *diag, const char *op, const pn_window_spec *spec, uint32_t axes,
                                const int64_t *input, const int64_t *kernel, pn_window *out) {
  PN_TRY(pn_window_check(diag, op, spec, (int32_t)axes));
  for (uint32_t i = 0; i < axes; i++) {
    pn_window *w = &out[i];
    PN_TRY(check_kernel(diag, op, i, kernel[i]));
    set_window(spec, axes, i, kernel[i], w);
    w->input = input[i];
    if (is_same(spec->auto_pad)) {
      w->output = floor_div(input[i] - 1, w->stride) + 1;
      int64_t total = (w->output - 1) * w->stride + pn_window_span(w) - input[i];
      split_padding(w, pn_max_i64(total, 0), spec->auto_pad == PN_AUTO_PAD_SAME_UPPER);
      continue;
    }
    int64_t slack = input[i] + w->pad_begin + w->pad_end - pn_window_span(w);
    w->output = floor_div(slack + (spec->ceil_mode ? w->stride - 1 : 0), w->stride) + 1;
    if (spec->ceil_mode) w->output = pn_min_i64(w->output, floor_div(input[i] + w->pad_begin - 1, w->stride) + 1);
    PN_TRY(check_fits(diag, op, i, w));
    w->output = pn_max_i64(w->output, 0);
  }
  return PELTON_OK;
}

pelton_status pn_window_infer(const pn_infer *c, const char *op, const pn_window_spec *spec, uint32_t axes,
                              const pn_dim *input, const pn_dim *kernel, pn_dim *out) {
  pn_symbols *s = c->symbols;
  PN_TRY(pn_window_check(c->diag, op, spec, (int32_t)axes));
  for (uint32_t i = 0; i < axes; i++) {
    pn_window w;
    set_window(spec, axes, i, 1, &w);
    pn_dim stride = pn_dim_of(w.stride), begin = pn_dim_of(w.pad_begin);
    if (pn_dim_is_number(kernel[i])) PN_TRY(check_kernel(c->diag, op, i, kernel[i].number));
    if (is_same(spec->auto_pad)) {
      out[i] = pn_dim_ceil_div(s, input[i], stride);
      continue;
    }
    pn_dim span_less_1 = pn_dim_mul(s, pn_dim_sub(s, kernel[i], pn_dim_of(1)), pn_dim_of(w.dilation));
    pn_dim padded = pn_dim_add(s, input[i], pn_dim_of(w.pad_begin + w.pad_end));
    pn_dim slack = pn_dim_sub(s, pn_dim_sub(s, padded, span_less_1), pn_dim_of(1));
    pn_dim last = spec->ceil_mode ? pn_dim_ceil_div(s, slack, stride) : pn_dim_floor_div(s, slack, stride);
    out[i] = pn_dim_add(s, last, pn_dim_of(1));
    if (spec->ceil_mode) out[i] = pn_dim_min(s, out[i], pn_dim_ceil_div(s, pn_dim_add(s, input[i], begin), stride));
    if (!pn_dim_is_number(input[i]) || !pn_dim_is_number(kernel[i])) continue;
    w.kernel = kernel[i].number;
    w.input = input[i].number;
    w.output = out[i].number;
    PN_TRY(check_fits(c->diag, op, i, &w));
    out[i].number = pn_max_i64(out[i].number, 0);
  }
  return PELTON_OK;
}

/* ---- transposed */

static pelton_status check_transposed(pelton_diag *diag, const char *op, const pn_window_transposed *spec,
                                      uint32_t axes) {
  PN_TRY(pn_window_check(diag, op, &spec->window, (int32_t)axes));
  PN_TRY(check_list(diag, op, "output_padding", spec->output_padding, (int32_t)axes, 0));
  return check_list(diag, op, "output_shape", spec->output_shape, (int32_t)axes, 0);
}

static pelton_status check_left(pelton_diag *diag, const char *op, uint32_t axis, int64_t output) {
  if (output >= 0) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "%s: the pads leave an extent of %lld on spatial axis %u; use smaller pads",
                 op, (long long)output, (unsigned)axis);
}

pelton_status pn_window_resolve_transposed(pelton_diag *diag, const char *op, const pn_window_transposed *spec,
                                           uint32_t axes, const int64_t *input, const int64_t *kernel, pn_window *out) {
  PN_TRY(check_transposed(diag, op, spec, axes));
  pn_auto_pad pad = spec->window.auto_pad;
  for (uint32_t i = 0; i < axes; i++) {
    pn_window *w = &out[i];
    PN_TRY(check_kernel(diag, op, i, kernel[i]));
    set_window(&spec->window, axes, i, kernel[i], w);
    w->input = input[i];
    int64_t full; /* without any pads */
    if (!pn_mul_i64(w->stride, input[i] - 1, &full) || !pn_add_i64(full, pn_window_span(w), &full) ||
        !pn_add_i64(full, value_or(spec->output_padding, i, 0), &full))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "%s: spatial axis %u of %lld elements at a stride of %lld is too large",
                     op, (unsigned)i, (long long)input[i], (long long)w->stride);
    if (input[i] == 0) full = pn_max_i64(full, 0);
    if (i < spec->output_shape.count || is_same(pad)) {
      w->output = i < spec->output_shape.count ? spec->output_shape.data[i] : input[i] * w->stride;
      split_padding(w, pn_max_i64(full - w->output, 0), pad == PN_AUTO_PAD_SAME_UPPER);
      continue;
    }
    w->output = full - w->pad_begin - w->pad_end;
    PN_TRY(check_left(diag, op, i, w->output));
  }
  return PELTON_OK;
}

pelton_status pn_window_infer_transposed(const pn_infer *c, const char *op, const pn_window_transposed *spec,
                                         uint32_t axes, const pn_dim *input, const pn_dim *kernel, pn_dim *out) {
  pn_symbols *s = c->symbols;
  PN_TRY(check_transposed(c->diag, op, spec, axes));
  for (uint32_t i = 0; i < axes; i++) {
    pn_window w;
    set_window(&spec->window, axes, i, 1, &w);
    if (pn_dim_is_number(kernel[i])) PN_TRY(check_kernel(c->diag, op, i, kernel[i].number));
    pn_dim stride = pn_dim_of(w.stride), one = pn_dim_of(1);
    if (i < spec->output_shape.count || is_same(spec->window.auto_pad)) {
      out[i] = i < spec->output_shape.count ? pn_dim_of(spec->output_shape.data[i]) : pn_dim_mul(s, input[i], stride);
      continue;
    }
    pn_dim span_less_1 = pn_dim_mul(s, pn_dim_sub(s, kernel[i], one), pn_dim_of(w.dilation));
    int64_t fixed = 1 + value_or(spec->output_padding, i, 0) - w.pad_begin - w.pad_end;
    out[i] = pn_dim_add(s, pn_dim_mul(s, pn_dim_sub(s, input[i], one), stride), pn_dim_add(s, span_less_1,
                                                                                           pn_dim_of(fixed)));
    if (pn_dim_is_number(out[i])) PN_TRY(check_left(c->diag, op, i, out[i].number));
  }
  return PELTON_OK;
}
