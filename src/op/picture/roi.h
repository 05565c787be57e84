/* Where roi_align reads and what max_roi_pool's cells cover, along one axis of a region: stated once for the references
   and for the targets' tactics. */
#ifndef PN_OP_ROI_H
#define PN_OP_ROI_H

#include "op/op.h"

/* roi_align: cells of |cell| elements from |start| on, each with |samples| samples; |extent| is x's. */
typedef struct pn_roi_axis {
  double start, cell;
  int64_t samples, extent;
} pn_roi_axis;

/* From a region's corners; of |call| only attributes and diagnostics are used. */
pelton_status pn_roi_axis_place(const pn_call *call, double low, double high, int64_t cells, int64_t extent,
                                pn_roi_axis *out) PN_CHECKED;
/* The two places around a sample, the second's weight; false when it lies outside. */
bool pn_roi_sample(const pn_roi_axis *axis, int64_t cell, int64_t sample, int64_t at[2], double *upper);

/* max_roi_pool: elements [first, first + count) of a region; both its corners belong to it, and at least one element. */
typedef struct pn_roi_span {
  int64_t first, count;
} pn_roi_span;

/* As above. */
pelton_status pn_roi_span_round(const pn_call *call, double low, double high, pn_roi_span *out) PN_CHECKED;
/* Elements [first, end) that cell |i| of |cells| touches, within [0, extent). */
void pn_roi_span_touch(pn_roi_span span, int64_t i, int64_t cells, int64_t extent, int64_t *first, int64_t *end);

#endif
