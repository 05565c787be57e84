/* Where resize takes its results from, axis by axis: stated once for the reference and for the targets' kernels. All
   memory is of |call->scratch|. */
#ifndef PN_OP_RESIZE_H
#define PN_OP_RESIZE_H

#include "op/op.h"

/* One axis of the tensor. */
typedef struct pn_resized_axis {
  int64_t input, output;
  double scale;
  double roi_begin, roi_end; /* tf_crop_and_resize: of the extent less one */
} pn_resized_axis;

/* Every axis of operand 0, from the attributes and the operands roi, scales and sizes. */
pelton_status pn_resize_plan(const pn_call *call, pn_resized_axis *plan) PN_CHECKED;
/* Every result is the element at its own place. */
bool pn_resize_is_untouched(const pn_attrs_resize *attrs, const pn_resized_axis *a);

/* Nearest: the element of each result; -1: the extrapolation value. */
pelton_status pn_resize_map_of(const pn_call *call, const pn_resized_axis *a, int64_t **out) PN_CHECKED;

/* Linear and cubic. */
typedef struct pn_resize_taps {
  int64_t count;  /* elements a result */
  int64_t *index; /* [output][count] */
  double *weight; /* the same; */
  bool *outside;  /* [output]: the extrapolation value instead */
} pn_resize_taps;
pelton_status pn_resize_taps_of(const pn_call *call, const pn_resized_axis *a, pn_resize_taps *out) PN_CHECKED;

#endif
