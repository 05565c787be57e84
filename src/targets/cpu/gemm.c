#include "targets/cpu/gemm.h"

#include "base/bytes.h"

#include <math.h>

const pn_cpu_gemm_f32_width *pn_cpu_gemm_f32_width_for(const pn_cpu_gemm_f32 *gemm, int64_t m, int64_t n) {
  const pn_cpu_gemm_f32_width *best = &gemm->widths[0];
  double best_cost = 0;
  for (uint32_t i = 0; i < gemm->width_count;
       i++) { /* vectors of columns by tiles of rows; narrow tiles reuse B less */
    const pn_cpu_gemm_f32_width *w = &gemm->widths[i];
    double rows = (double)pn_div_up(m, w->mr_max), mr = (double)m / rows;
    double columns = (double)(pn_div_up(n, w->nr) * w->nr), vectors = w->nr / (double)gemm->widths[0].nr;
    double loads = (vectors + mr) / (vectors * mr); /* a multiply-add */
    double cost = columns * (1 + loads) * (vectors * mr < 8 ? 8 / (vectors * mr) : 1);
    if (i && cost >= best_cost) continue;
    best_cost = cost;
    best = w;
  }
  return best;
}

void pn_cpu_product_run(const pn_cpu_gemm_f32_width *width, const pn_cpu_product *p) {
  static const ptrdiff_t no_offset[1] = {0};
  int64_t nr = width->nr, tiles = pn_div_up(p->rows, width->mr_max);
  for (int64_t column = 0; column < p->n; column += nr)
    for (int64_t t = 0; t < tiles; t++) {
      int64_t begin = p->rows * t / tiles, count = p->rows * (t + 1) / tiles - begin;
      pn_cpu_gemm_f32_tile tile = {
          .a = p->a + begin * p->a_stride,
          .a_row_stride = p->a_stride,
          .tap_offset = no_offset,
          .tap_count = 1,
          .k = (size_t)p->k,
          .b = p->b + column * p->k,
          .b_tap_stride = (size_t)(nr * p->k),
          .c = p->c + begin * p->c_stride + column,
          .c_row_stride = p->c_stride,
          .n = (size_t)pn_min_i64(nr, p->n - column),
          .start = p->add ? PN_CPU_GEMM_ADD_TO_C : PN_CPU_GEMM_ZERO,
          .residual = p->residual ? p->residual + begin * p->residual_stride + column : NULL,
          .residual_row_stride = p->residual_stride,
          .lo = -INFINITY,
          .hi = INFINITY,
      };
      width->fns[count - 1](&tile);
    }
}
