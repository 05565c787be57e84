/* What tactics that make products of their own share: the tile's width, and a loop over tiles. */
#ifndef PN_TARGETS_CPU_GEMM_H
#define PN_TARGETS_CPU_GEMM_H

#include "targets/cpu/cpu.h"

/* The width that should be quickest for a product of |m| rows by |n| columns. */
const pn_cpu_gemm_f32_width *pn_cpu_gemm_f32_width_for(const pn_cpu_gemm_f32 *gemm, int64_t m, int64_t n);

/* Extents of a matmul or matmul_integer, with A's stack folded into its rows where B has none. */
typedef struct pn_cpu_matmul_shape {
  int64_t m, n, k, batches;
  bool trans_a, trans_b;
} pn_cpu_matmul_shape;
pn_cpu_matmul_shape pn_cpu_matmul_shape_of(const pn_problem *problem);

/* Its stack: strides of both operands in elements, 0 where one broadcasts. */
typedef struct pn_cpu_matmul_stack {
  uint32_t rank;
  int64_t dims[PN_MAX_RANK], a[PN_MAX_RANK], b[PN_MAX_RANK];
} pn_cpu_matmul_stack;
void pn_cpu_matmul_stack_of(const pn_problem *problem, const pn_cpu_matmul_shape *shape, pn_cpu_matmul_stack *out);
/* Where matrix |batch| begins, by |strides| a or b. */
int64_t pn_cpu_matmul_offset(const pn_cpu_matmul_stack *stack, int64_t batch, const int64_t *strides);

/* C = A * B [+ C] [+ residual], all rows and all panels. */
typedef struct pn_cpu_product {
  const float *a; /* [rows][k], rows |a_stride| apart */
  int64_t a_stride, rows, k;
  const float *b; /* packed panels of the width, one after another */
  int64_t n;
  float *c;
  int64_t c_stride;
  bool add;
  const float *residual; /* or null */
  int64_t residual_stride;
} pn_cpu_product;
void pn_cpu_product_run(const pn_cpu_gemm_f32_width *width, const pn_cpu_product *product);

#endif
