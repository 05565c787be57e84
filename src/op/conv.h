/* What conv, conv_integer and conv_transpose share: extents checked against each other, and the loop of all three. */
#ifndef PN_OP_CONV_H
#define PN_OP_CONV_H

#include "op/walk.h"
#include "op/window.h"

typedef struct pn_conv {
  uint32_t axes;                                              /* spatial */
  int64_t batch, groups, in_channels, out_channels;           /* a group; over all groups: times |groups| */
  int64_t in_plane, out_plane, taps;                          /* elements: products of the spatial extents */
  int64_t in_dims[PN_MAX_RANK], out_dims[PN_MAX_RANK];        /* whole shapes */
  pn_window window[PN_MAX_RANK];
  /* For each tap the outputs whose window has it inside of the input, but for the last axis, which is a row: |row|
     elements. Offsets are within one channel's plane. */
  struct pn_conv_tap *tap;
} pn_conv;

typedef struct pn_conv_tap {
  pn_walk walk; /* to: in the plane that the window slides over the other for, from: in the other */
  int64_t row;
} pn_conv_tap;

/* check and infer of conv and conv_integer. |op| names the operator in messages. */
pelton_status pn_conv_check(const pn_infer *c, const char *op, const pn_window_spec *spec, int64_t group) PN_CHECKED;
pelton_status pn_conv_infer(const pn_infer *c, const char *op, const pn_window_spec *spec, int64_t group,
                            pelton_dtype dtype) PN_CHECKED;

/* Extents of the operands 0 (x) and 1 (w[M,C/group,...]) of |call|, and that they fit together. */
pelton_status pn_conv_prepare(const pn_call *call, const char *op, const pn_window_spec *spec, int64_t group,
                              pn_conv *out) PN_CHECKED;
/* Fills |tap| from the rest. */
pelton_status pn_conv_prepare_taps(const pn_call *call, pn_conv *conv) PN_CHECKED;

/* y = conv(x, w) + bias[channel]; bias may be null. */
void pn_conv_compute_f32(const pn_conv *conv, const float *x, const float *w, const float *bias, float *y);
void pn_conv_compute_f64(const pn_conv *conv, const double *x, const double *w, const double *bias, double *y);

#endif
