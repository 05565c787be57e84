/* Windows that slide over spatial axes: the arithmetic of extents that convolutions and pooling share, for infer
   functions (dims may be symbols) and for whoever computes (numbers; references and the targets' kernels).

   Axis i of the window reads the input at output * stride + tap * dilation - pad_begin, for tap in [0, kernel); places
   outside of [0, input) are padding. */
#ifndef PN_OP_WINDOW_H
#define PN_OP_WINDOW_H

#include "op/op.h"

/* What the attributes say. Empty lists: strides and dilations of 1, pads of 0. */
typedef struct pn_window_spec {
  pn_i64s strides, pads, dilations;
  pn_auto_pad auto_pad;
  bool ceil_mode; /* the last window may reach beyond the padded end, but starts inside of the input or the left pad */
} pn_window_spec;

/* From the attributes of conv, conv_integer, conv_transpose; and of pool. */
#define PN_WINDOW_SPEC(attrs) \
  ((pn_window_spec){(attrs)->strides, (attrs)->pads, (attrs)->dilations, (attrs)->auto_pad, false})
#define PN_WINDOW_SPEC_POOL(attrs) \
  ((pn_window_spec){(attrs)->strides, (attrs)->pads, (attrs)->dilations, (attrs)->auto_pad, (attrs)->ceil_mode})

/* One spatial axis, all numbers known. */
typedef struct pn_window {
  int64_t input, kernel, stride, dilation, pad_begin, pad_end, output;
} pn_window;

/* The extent that |kernel| taps span. */
PN_INLINE int64_t pn_window_span(const pn_window *w) { return (w->kernel - 1) * w->dilation + 1; }

/* Lists of the right length, values in range. |axes| PN_RANK_UNKNOWN: the values only. */
pelton_status pn_window_check(pelton_diag *diag, const char *op, const pn_window_spec *spec, int32_t axes) PN_CHECKED;

/* Everything about |axes| spatial axes, from the extents of the input and of the kernel. Checks the lists' lengths; an
   error when a window does not fit, and names the axis. */
pelton_status pn_window_resolve(pelton_diag *diag, const char *op, const pn_window_spec *spec, uint32_t axes,
                                const int64_t *input, const int64_t *kernel, pn_window *out) PN_CHECKED;
/* The output's extents only; dims may be symbols. */
pelton_status pn_window_infer(const pn_infer *c, const char *op, const pn_window_spec *spec, uint32_t axes,
                              const pn_dim *input, const pn_dim *kernel, pn_dim *out) PN_CHECKED;

/* The same for transposed convolutions, where |input| and |output| change places: input * stride + tap * dilation -
   pad_begin is a place of the output. An |output_shape| (numbers of the spatial axes, or empty) decides the pads. */
typedef struct pn_window_transposed {
  pn_window_spec window;
  pn_i64s output_padding, output_shape;
} pn_window_transposed;

#define PN_WINDOW_TRANSPOSED(attrs) \
  ((pn_window_transposed){PN_WINDOW_SPEC(attrs), (attrs)->output_padding, (attrs)->output_shape})

pelton_status pn_window_resolve_transposed(pelton_diag *diag, const char *op, const pn_window_transposed *spec,
                                           uint32_t axes, const int64_t *input, const int64_t *kernel, pn_window *out)
    PN_CHECKED;
pelton_status pn_window_infer_transposed(const pn_infer *c, const char *op, const pn_window_transposed *spec,
                                         uint32_t axes, const pn_dim *input, const pn_dim *kernel, pn_dim *out)
    PN_CHECKED;

/* Taps of axis |w| at |output| that lie inside of the input: [first, end). */
PN_INLINE void pn_window_taps(const pn_window *w, int64_t output, int64_t *first, int64_t *end) {
  int64_t start = output * w->stride - w->pad_begin, room = w->input - start;
  *first = start >= 0 ? 0 : (-start + w->dilation - 1) / w->dilation;
  if (room > (w->kernel - 1) * w->dilation) /* nearly always: no division */
    *end = w->kernel;
  else
    *end = room <= 0 ? 0 : (room + w->dilation - 1) / w->dilation;
  if (*first > *end) *first = *end;
}

#endif
