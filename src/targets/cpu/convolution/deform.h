/* Where a deformable convolution reads: for a block of places and one offset group, a table for each tap (sample_f32)
   says which elements of a plane, and how much of each, the mask's factor included. All channels of the offset group go
   through it. What its tactics, for plain and for channels-last layouts, share. */
#ifndef PN_TARGETS_CPU_DEFORM_H
#define PN_TARGETS_CPU_DEFORM_H

#include "op/linear/window.h"
#include "targets/cpu/cpu.h"

enum { PN_DEFORM_X, PN_DEFORM_W, PN_DEFORM_OFFSET, PN_DEFORM_BIAS, PN_DEFORM_MASK };

typedef struct pn_deform {
  const pn_cpu_sample_f32 *sample;
  uint32_t axes;
  pn_window window[PN_CPU_SAMPLE_AXES];
  int64_t strides[PN_CPU_SAMPLE_AXES]; /* in places of a plane */
  int64_t batch, channels, outputs, groups, offset_groups, plane, places, taps, neighbours;
  bool channels_last; /* offset and mask */
} pn_deform;

/* True for one in f32 over up to three axes, something to compute, activations of |layout|; fills |out|. Else false with
   the reason. */
bool pn_deform_make(const pn_problem *problem, const pn_device *device, pn_layout layout, pn_deform *out,
                    pn_reason *why);

/* A block's scratch; |pitch| places, a multiple of PN_CPU_SAMPLE_LANES. */
typedef struct pn_deform_block {
  int64_t pitch;
  float *weight;  /* [taps][neighbours][pitch] */
  int32_t *index; /* the same: elements of a plane, -1 outside */
  float *at, *start;
} pn_deform_block;
PN_INLINE size_t pn_deform_block_floats(const pn_deform *d, int64_t pitch) {
  return (size_t)(pitch * (2 * d->taps * d->neighbours + 2 * d->axes));
}
pn_deform_block pn_deform_block_in(const pn_deform *d, int64_t pitch, float *memory);

/* Where the window stands at places [first, first + n) of a picture: once a block, before its tables. */
void pn_deform_stand(const pn_deform *d, int64_t first, int64_t n, const pn_deform_block *block);
/* The tables of all taps for offset group |group| at these places, absent behind |n|; |mask| may be null. */
void pn_deform_tables(const pn_deform *d, const float *offset, const float *mask, int64_t picture, int64_t group,
                      int64_t first, int64_t n, const pn_deform_block *block);

#endif
