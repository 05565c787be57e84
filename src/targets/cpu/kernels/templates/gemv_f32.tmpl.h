/* gemv_f32: a few rows times a matrix that is read once, where it lies.

   A tile keeps |rows| x |vectors| sums in registers while it goes down the rows of B, so that each vector of B is
   loaded once for all rows of x. With one row eight vectors are abreast, which hides the latency of the multiply-add;
   and the lines some rows further down are asked for ahead, because a machine's prefetcher does not follow short pieces
   of rows far apart. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

enum { GEMV_VECTORS = 8, GEMV_AHEAD = 8 };

PN_INLINE void gemv_tile(const pn_cpu_gemv_f32_run *r, size_t first, int rows, int vectors, int cut, vhead head) {
  vf acc[PN_CPU_GEMV_ROWS * GEMV_VECTORS];
  const float *b = r->b + first;
  PN_UNROLL
  for (int i = 0; i < rows * vectors; i++) {
    const float *y = r->y + (i / vectors) * r->y_stride + first + (i % vectors) * VL;
    acc[i] = !r->add ? vf_zero() : cut ? vf_load_head(y, head) : vf_load(y);
  }
  for (size_t k = 0; k < r->k; k++, b += r->b_stride) {
    vf bv[GEMV_VECTORS];
    PN_UNROLL
    for (int v = 0; v < vectors; v++) {
      if (v * VL % 16 == 0) PN_PREFETCH(b + GEMV_AHEAD * r->b_stride + v * VL);
      bv[v] = cut ? vf_load_head(b + v * VL, head) : vf_load(b + v * VL);
    }
    PN_UNROLL
    for (int i = 0; i < rows * vectors; i++)
      acc[i] = vf_fma(vf_set1(r->x[(i / vectors) * r->x_stride + (ptrdiff_t)k]), bv[i % vectors], acc[i]);
  }
  PN_UNROLL
  for (int i = 0; i < rows * vectors; i++) {
    float *y = r->y + (i / vectors) * r->y_stride + first + (i % vectors) * VL;
    if (cut)
      vf_store_head(y, head, acc[i]);
    else
      vf_store(y, acc[i]);
  }
}

/* |most| vectors abreast are what the registers hold beside B. */
PN_INLINE void gemv_rows(const pn_cpu_gemv_f32_run *r, int rows, int most) {
  size_t j = 0;
  const vhead none = vf_head(0);
  for (; j + (size_t)(most * VL) <= r->n; j += (size_t)(most * VL)) gemv_tile(r, j, rows, most, 0, none);
  if (most > 4)
    for (; j + 4 * VL <= r->n; j += 4 * VL) gemv_tile(r, j, rows, 4, 0, none);
  if (most > 2)
    for (; j + 2 * VL <= r->n; j += 2 * VL) gemv_tile(r, j, rows, 2, 0, none);
  for (; j + VL <= r->n; j += VL) gemv_tile(r, j, rows, 1, 0, none);
  if (j < r->n) gemv_tile(r, j, rows, 1, 1, vf_head(r->n - j));
}

static void gemv_1(const pn_cpu_gemv_f32_run *r) { gemv_rows(r, 1, 8); }
static void gemv_2(const pn_cpu_gemv_f32_run *r) { gemv_rows(r, 2, 4); }
static void gemv_3(const pn_cpu_gemv_f32_run *r) { gemv_rows(r, 3, VREGS == 32 ? 4 : 2); }
static void gemv_4(const pn_cpu_gemv_f32_run *r) { gemv_rows(r, 4, VREGS == 32 ? 4 : 2); }

static void gemv_any(const pn_cpu_gemv_f32_run *r) {
  switch (r->rows) {
  case 1: gemv_1(r); break;
  case 2: gemv_2(r); break;
  case 3: gemv_3(r); break;
  default: gemv_4(r); break;
  }
}

static const pn_cpu_gemv_f32 table = {.run = gemv_any};
