/* What tactics that make products of their own share: the tile's width, and a loop over tiles. */
#ifndef PN_TARGETS_CPU_GEMM_H
#define PN_TARGETS_CPU_GEMM_H

#include "targets/cpu/cpu.h"

/* The width that should be quickest for a product of |m| rows by |n| columns. */
const pn_cpu_gemm_f32_width *pn_cpu_gemm_f32_width_for(const pn_cpu_gemm_f32 *gemm, int64_t m, int64_t n);

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
