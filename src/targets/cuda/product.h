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
/* A split of the columns behind a product, and perhaps an expression: each part is a result. */
typedef struct pn_cuda_parts {
  uint32_t count; /* 1: no split */
  int64_t columns[MOST_COLUMN_PARTS];
} pn_cuda_parts;
/* |body|: |problem| without the split, its last node. False, with the reason, when a split is another one. */
bool pn_cuda_product_parts(const pn_problem *problem, pn_problem *body, pn_cuda_parts *out, pn_reason *why);
/* For epilogues: batch, column, row. */
pn_cuda_strides_fn pn_cuda_product_epilogue_strides;

#endif
