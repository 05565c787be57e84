/* What a problem asks of any machine: the arithmetic of its definition, and the bytes that must be read and written
   once when nothing is kept from before. A step's time beside these and a machine's peaks says how far from the limit
   it is. An algorithm that needs less arithmetic (Winograd) can be beyond the limit of the definition. */
#ifndef PN_TARGET_WORK_H
#define PN_TARGET_WORK_H

#include "target/problem.h"

typedef struct pn_work {
  double flops; /* floating-point or integer operations, a multiply-add counts two; movement has none */
  double products; /* of them: those of convolutions, matrix products, attention, which may have units of their own */
  pelton_dtype type; /* of the products' operands, the wider one; NONE: there are no products */
  double bytes; /* of all operands that lie in memory */
} pn_work;

pn_work pn_problem_work(const pn_problem *problem);

#endif
