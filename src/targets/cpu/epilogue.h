/* What follows a convolution or a matrix product in the same step: a pointwise expression over its result.

   The result is a matrix: rows are pixels (or the product's rows, batches one after another), columns are channels.
   Adding a vector along the columns, adding another matrix of the same shape and clamping at the end are done by the
   micro-kernel in its registers ("native"); any other expression runs as a program over rows of a tile that is still
   in a near cache. Of these, a bend (what is below 0 times a slope) is in the registers of some kernels as well: a
   tactic that uses one says so by pn_epilogue_bend. */
#ifndef PN_TARGETS_CPU_EPILOGUE_H
#define PN_TARGETS_CPU_EPILOGUE_H

#include "targets/cpu/program.h"

typedef struct pn_epilogue_operand {
  uint16_t operand; /* of the problem */
  uint32_t element_bytes;
  int64_t row_period;     /* row r reads row r % row_period */
  int64_t row_stride;     /* elements; 0: the same for all rows */
  uint32_t column_stride; /* 1 or 0 */
} pn_epilogue_operand;

typedef struct pn_epilogue {
  bool native;
  uint16_t bias;     /* constant along the columns, to be padded by pack; PN_NO_OPERAND: none */
  uint16_t residual; /* a full matrix; PN_NO_OPERAND: none */
  float lo, hi;
  bool bends;           /* the expression is x < 0 ? x * slope : x, nothing else; not native */
  uint16_t slope;       /* constant along the columns; PN_NO_OPERAND: the number */
  float slope_constant;
  uint32_t accumulator; /* which operand of the expression is the result before it */
  uint32_t operand_count;
  pn_epilogue_operand operands[PN_EXPR_MAX_INPUTS];
  pn_program program;
} pn_epilogue;

/* Compiles what follows node 0 of |problem| (one pointwise node, or nothing) for a result |out| whose innermost stored
   axis has the columns; false, with the reason, when it does not fit. */
bool pn_epilogue_compile(const pn_problem *problem, pn_epilogue *epilogue, pn_reason *why);

/* When the expression is a bend, leaves it to the kernel: there is no program to apply any more, and true returned. */
bool pn_epilogue_bend(pn_epilogue *epilogue);
/* The slope of |column|; zero beyond |columns|, of which there are that many. */
float pn_epilogue_slope(const pn_problem *problem, const pn_epilogue *epilogue, int64_t column, int64_t columns);

/* Applies a program in place to |rows| x |columns| floats at |c|, whose first is row |row|, column |column| of the
   result. |operands| are the step's; |scratch| has PN_PROGRAM_SCRATCH_BYTES. Nothing to do when native. */
void pn_epilogue_apply(const pn_epilogue *epilogue, const pn_cpu_vec_f32 *vec, void *const *operands, float *c,
                       int64_t c_row_stride, int64_t row, int64_t rows, int64_t column, int64_t columns,
                       float *scratch);

#endif
