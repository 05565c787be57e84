/* A transposed convolution of few outputs as a convolution of stride 1. Results whose places are equal modulo the
   stride (a phase) are such a convolution, and the phases, times the channels, are its outputs: they share one window over the
   input, in which taps that a phase does not have are zeros. A row of it is dealt out to as many rows of the result as
   there are phases in y. */
#ifndef PN_TARGETS_CPU_FEW_PHASES_H
#define PN_TARGETS_CPU_FEW_PHASES_H

#include "targets/cpu/convolution/conv.h"

typedef struct pn_few_phases {
  int64_t rows, columns, channels; /* phases along y and x; channels of the result */
  int64_t height, width;           /* of the result */
  pn_window y, x;                  /* of the convolution; its outputs are rows * columns * channels */
} pn_few_phases;

PN_INLINE int64_t pn_few_phases_outputs(const pn_few_phases *f) { return f->rows * f->columns * f->channels; }
/* False, with the reason, when |p| does not begin with a transposed convolution of at most four outputs times strides,
   or one whose window is more than |most_rows| high. */
bool pn_few_phases_make(const pn_problem *p, int64_t most_rows, pn_few_phases *out, pn_reason *why);
/* The filter as the convolution's: [filter row][output][filter column][channel]. */
void pn_few_phases_pack(const pn_problem *p, const pn_few_phases *f, float *to);
/* Result columns [from, to) of the rows' phase |phase|: from the convolution's row at |phases|, which begins with the
   pixel that has column |from|, to |out|, where column |from| goes. */
void pn_few_phases_deal(const pn_few_phases *f, const float *phases, int64_t phase, int64_t from, int64_t to,
                        float *out);

#endif
