/* Running one operator's reference on operands whose elements are known: what inference and constant folding share. */
#ifndef PN_IR_EVALUATE_H
#define PN_IR_EVALUATE_H

#include "op/op.h"

typedef struct pn_evaluation {
  pn_op op;
  const void *attrs;
  const pn_fact *in;
  pn_fact *out; /* with types; |data| is filled in (and the dims that depend on data) */
  uint32_t in_count, out_count;
  pn_arena *arena;      /* results */
  int64_t max_elements; /* of one result; a larger one is not computed */
} pn_evaluation;

/* Whether all present operands' elements are known, and the results' shapes (or the operator finds them). */
bool pn_can_evaluate(const pn_evaluation *e) PN_CHECKED;
/* |*done| false, without an error: a result has more than max_elements. On an error |out| is as it was. */
pelton_status pn_evaluate(const pn_evaluation *e, bool *done, pelton_diag *diag) PN_CHECKED;

/* The tensor of a fact with known data; false when its shape is not all numbers. */
bool pn_fact_tensor(const pn_fact *fact, pn_tensor *out) PN_CHECKED;

#endif
