/* Planes of numbers read between their elements: a value is a weighted sum over a few places along each spatial axis.
   What grid_sample and deform_conv share. */
#ifndef PN_OP_SAMPLE_H
#define PN_OP_SAMPLE_H

#include "op/op.h"

enum { PN_SAMPLE_TAPS = 4 };

/* The places of one axis that take part, and their weights; -1 is a place outside, where everything is 0. */
typedef struct pn_sample_axis {
  int64_t at[PN_SAMPLE_TAPS];
  double weight[PN_SAMPLE_TAPS];
} pn_sample_axis;

/* One place between the elements, for any number of planes of the same extents. */
typedef struct pn_sampler {
  uint32_t axes, taps; /* taps: of each axis, all from 1 to PN_SAMPLE_TAPS */
  int64_t extents[PN_MAX_RANK], strides[PN_MAX_RANK];
  int64_t combinations, count; /* of taps; and those that lie inside */
  int64_t *offsets;            /* in a plane, of those inside */
  double *weights;
} pn_sampler;

/* Takes its room from |call->scratch|. */
pelton_status pn_sampler_init(pn_sampler *s, const pn_call *call, uint32_t axes, const int64_t *extents,
                              uint32_t taps) PN_CHECKED;
/* Moves to where |axis| (one entry an axis) says. */
void pn_sampler_place(pn_sampler *s, const pn_sample_axis *axis);
double pn_sampler_read(const pn_sampler *s, const double *plane);

/* The two places around |x| of an axis that has nothing outside of [0, extent). NaN gives NaN. */
pn_sample_axis pn_sample_linear(double x, int64_t extent);
/* The place below |x|, after |x| is brought close to the axis (three outside of it, where all that is read is padding),
   so that every coordinate is in the range of integers. |x| must not be NaN. */
int64_t pn_sample_floor(double *x, int64_t extent);

#endif
