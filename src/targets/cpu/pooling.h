/* How tactics of pooling see their problem, whatever the number of spatial axes: the last axis is a row; the axes before
   it only say which rows of the input lie under the windows of a row of outputs. */
#ifndef PN_TARGETS_CPU_POOLING_H
#define PN_TARGETS_CPU_POOLING_H

#include "op/linear/window.h"
#include "targets/cpu/cpu.h"

enum { PN_POOLING_MAX_ROWS = 256 }; /* of a window */

typedef struct pn_cpu_pooling {
  uint32_t outer; /* axes before the last */
  pn_window axis[PN_MAX_RANK];
  bool count_include_pad;
  int64_t in_rows, out_rows;        /* of a plane */
  int64_t inside_begin, inside_end; /* outputs of a row whose windows are whole in it */
} pn_cpu_pooling;

PN_INLINE const pn_window *pn_cpu_pooling_row(const pn_cpu_pooling *p) { return &p->axis[p->outer]; }
/* Whether the problem is a pooling that this can say; if not, why. */
bool pn_cpu_pooling_accepts(const pn_problem *problem, pn_reason *why);
pelton_status pn_cpu_pooling_init(const pn_problem *problem, pn_cpu_pooling *out, pelton_diag *diag) PN_CHECKED;
/* The rows of the input's plane under the windows of output row |row|, in order; how many. |rows| has
   PN_POOLING_MAX_ROWS. */
int64_t pn_cpu_pooling_rows(const pn_cpu_pooling *p, int64_t row, int64_t *rows);
/* How many taps an average counts: of the axes before the last for output row |row|, of the last for output |i|. */
int64_t pn_cpu_pooling_counted_rows(const pn_cpu_pooling *p, int64_t row);
int64_t pn_cpu_pooling_counted(const pn_cpu_pooling *p, int64_t i);

#endif
