/* Transposed convolutions by phases: outputs whose places are equal modulo the stride are reached by the same taps of the
   filter, from neighbouring inputs, so that each phase is an ordinary convolution of stride 1. */
#ifndef PN_TARGETS_CPU_PHASES_H
#define PN_TARGETS_CPU_PHASES_H

#include "op/linear/window.h"

enum { PN_PHASES_STRIDE = 64, PN_PHASES_KERNEL = 64 }; /* the most */

/* One spatial axis: taps grouped by phase. Output |i| has phase (i + pad) % stride and base (i + pad) / stride; tap t
   of that phase reads input base - back[t]. */
typedef struct pn_phases {
  pn_window window;
  int64_t before, extent; /* of the frame: zeros ahead of the input, and all of it */
  int32_t first[PN_PHASES_STRIDE + 1];
  int32_t back[PN_PHASES_KERNEL], element[PN_PHASES_KERNEL]; /* of the kernel */
} pn_phases;

/* All of it but the window, which is there. */
void pn_phases_fill(pn_phases *axis);
/* Outputs of a phase: the first, and how many. */
int64_t pn_phases_outputs(const pn_window *window, int64_t phase, int64_t *first);

#endif
