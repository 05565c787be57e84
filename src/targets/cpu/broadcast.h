/* How the operands of a pointwise step are walked: axes that all operands walk alike are merged, and the innermost is
   cut into runs, along which an operand either goes on element by element or stands still. */
#ifndef PN_TARGETS_CPU_BROADCAST_H
#define PN_TARGETS_CPU_BROADCAST_H

#include "targets/cpu/program.h"

enum { PN_BROADCAST_LONG = 16 * PN_PROGRAM_RUN }; /* pieces of what needs no registers */

typedef struct pn_broadcast {
  uint32_t operand_count;                               /* of inputs; the result stands behind them */
  uint32_t axes;                                        /* outer ones, then the run */
  int64_t dims[PN_MAX_RANK];                            /* merged, in storage order */
  int64_t strides[PN_EXPR_MAX_INPUTS + 1][PN_MAX_RANK]; /* in elements */
  uint32_t element_bytes[PN_EXPR_MAX_INPUTS + 1];
  int64_t runs, run_length; /* outer positions, and the elements of the innermost axis */
  int64_t piece, pieces;    /* a long run is cut into pieces of so many elements */
} pn_broadcast;

/* Whether the operands of node 0, which must be the only one, can be walked so. */
bool pn_broadcast_accepts(const pn_problem *problem, pn_reason *why);
/* For pieces of at most |piece| elements; false when the operands do not fit. */
bool pn_broadcast_plan(pn_broadcast *b, const pn_problem *problem, int64_t piece);
/* The types of the operands. */
void pn_broadcast_types(const pn_problem *problem, pelton_dtype *types);
/* The operands that go on along a run, a bit each. */
uint64_t pn_broadcast_running(const pn_broadcast *b);
/* Into how many tasks to cut the work, of so many vector operations an element. */
uint32_t pn_broadcast_parts(const pn_broadcast *b, const pn_device *device, double operations);
/* Where every operand and the result lie in piece |unit| of |b->runs| * |b->pieces|; its length. */
size_t pn_broadcast_at(const pn_broadcast *b, const pn_step *step, int64_t unit, pn_run_operand *operands);

#endif
