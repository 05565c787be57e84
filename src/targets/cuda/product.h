/* Matrix products as the target's tactics see them: numpy's matmul with extents, strides and batch axes. */
#ifndef PN_TARGETS_CUDA_PRODUCT_H
#define PN_TARGETS_CUDA_PRODUCT_H

#include "targets/cuda/render.h"

typedef struct pn_cuda_product {
  int64_t m, n, k;
  int64_t a_row, a_column, b_row, b_column; /* strides in elements */
  uint32_t batch_axes;                      /* merged */
  int64_t batch[PN_MAX_RANK], a_batch[PN_MAX_RANK], b_batch[PN_MAX_RANK], batches;
} pn_cuda_product;

/* False, with the reason (none for another operator), when |problem| does not begin with a product that kernels take.
 */
bool pn_cuda_product_accepts(const pn_problem *problem, pn_cuda_product *out, pn_reason *why);
/* For epilogues: batch, column, row. */
pn_cuda_strides_fn pn_cuda_product_epilogue_strides;

#endif
