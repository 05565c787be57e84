/* The loop that conv, conv_integer and conv_transpose share: planes of one channel, to which shifted planes of another
   are added, scaled by a tap of w. A transposed convolution exchanges what is strided. */
#ifndef PN_OP_CONV_H
#define PN_OP_CONV_H

#include "op/movement/walk.h"
#include "op/linear/window.h"

typedef struct pn_conv {
  uint32_t axes;                                              /* spatial */
  int64_t batch, groups, in_channels, out_channels;           /* a group; over all groups: times |groups| */
  int64_t in_plane, out_plane, taps;                          /* elements: products of the spatial extents */
  int64_t out_dims[PN_MAX_RANK];                              /* the whole shape */
  int64_t w_group_stride, w_out_stride, w_in_stride;          /* of w, in elements: of a group, of a channel */
  bool transposed;                                            /* windows lie in the output */
  pn_window window[PN_MAX_RANK];
  struct pn_conv_tap *tap;
} pn_conv;

/* One tap of the window: which outputs take which inputs times it. The walk goes over rows, along all spatial axes but
   the last; to: in a channel's plane of outputs, from: in one of inputs. */
typedef struct pn_conv_tap {
  pn_walk walk;
  int64_t row, to_stride, from_stride; /* elements of a row, and their distance */
} pn_conv_tap;

/* Fills what follows from axes, channels, windows and out_dims[0..1]: planes, taps and the rest of out_dims, which
   result 0 must have. */
pelton_status pn_conv_prepare_taps(const pn_call *call, const char *op, pn_conv *conv) PN_CHECKED;
/* Result 0 of floats from operands x, w and bias?. */
pelton_status pn_conv_compute(const pn_call *call, const char *op, const pn_conv *conv) PN_CHECKED;

#endif
