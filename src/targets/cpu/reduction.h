/* How a reduction over constant axes walks its operand, between any layouts. What is left of the axes after merging
   decides:

   rows       the innermost axis is reduced and contiguous: each piece is one run for row kernels;
   columns    the innermost axis is kept: rows are joined element by element into a run of results, which is how an
              average over the pixels of a channels-last picture goes.

   Further axes, reduced or kept, are walked around it. */
#ifndef PN_TARGETS_CPU_REDUCTION_H
#define PN_TARGETS_CPU_REDUCTION_H

#include "targets/cpu/cpu.h"

typedef struct pn_reduction_axes {
  uint32_t count;
  int64_t dims[PN_MAX_RANK], from[PN_MAX_RANK], to[PN_MAX_RANK];
} pn_reduction_axes;

typedef struct pn_reduction {
  bool rows;
  pn_reduction_axes kept, reduced;    /* outer ones: without the innermost */
  int64_t inner, inner_to;            /* the innermost axis; |inner_to|: its stride in the result, when kept */
  int64_t joined_rows, joined_stride; /* columns: the innermost reduced axis */
  int64_t results, reduced_outer;     /* positions of |kept| and of |reduced| */
  int64_t set_size;                   /* elements for each result */
} pn_reduction;

/* Whether |p| is one reduction of some elements over axes that are known now. */
bool pn_reduction_accepts(const pn_problem *p, pn_reason *why);
/* False when the problem is none that was accepted. |out| is zeroed. */
bool pn_reduction_plan(const pn_problem *p, pn_reduction *out);

/* Where |position| of the axes lies, |strides| being their from or to. */
PN_INLINE int64_t pn_reduction_offset(const pn_reduction_axes *a, int64_t position, const int64_t *strides) {
  int64_t offset = 0;
  if (a->count == 1) return position * strides[0]; /* a short row takes no longer than the divisions below */
  for (uint32_t d = a->count; d-- > 0;) {
    offset += position % a->dims[d] * strides[d];
    position /= a->dims[d];
  }
  return offset;
}

#endif
