/* Copies of boxes under strides: the engine beneath everything that only moves elements (transposition, conversion of
   layouts, slices, concatenation, padding, broadcasting).

   A copy says for each axis of a box how far the destination and the source move; 0 in the source repeats, negative
   goes backwards. Planning drops and merges axes and chooses how the innermost ones are walked: as runs of bytes, as
   blocks of a matrix that is transposed, or element by element. Running allocates nothing. */
#ifndef PN_TARGETS_CPU_COPY_H
#define PN_TARGETS_CPU_COPY_H

#include "target/movement.h"
#include "targets/cpu/cpu.h"

typedef enum pn_copy_kind {
  PN_COPY_RUNS,   /* the last axis is contiguous on both sides */
  PN_COPY_BLOCKS, /* the last axis is contiguous in the destination, the one before it in the source */
  PN_COPY_ELEMENTS
} pn_copy_kind;

typedef struct pn_copy {
  pn_move move; /* |to_operand| and |from_operand| are for tactics */
  /* Planned. */
  pn_copy_kind kind;
  uint32_t outer;                  /* axes that are walked one position at a time */
  int64_t row_block, column_block; /* of the innermost axes; a run's length is |column_block| */
  int64_t row_blocks, column_blocks, units;
  uint32_t parts; /* tasks; 0 when there is nothing to copy */
  const pn_cpu_transpose_f32 *transpose;
  const pn_cpu_transpose_typed *transpose_typed;
} pn_copy;

void pn_copy_plan(pn_copy *copy, const pn_device *device);
/* |to| and |from| are the starts of the tensors. They must not overlap. */
void pn_copy_run(const pn_copy *copy, pn_pool *pool, void *to, const void *from);

#endif
