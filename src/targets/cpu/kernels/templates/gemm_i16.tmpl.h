/* gemm_i16: a tile of sums in registers; a step multiplies a pair of A, in every lane, with a pair of each column and
   adds both products. Bytes are widened beforehand, less their zero points, so that no correction follows. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

#include <string.h> /* memcpy of a constant size, which is a move */

enum { NV = 2, NR = NV * VL, I16_ROWS = VREGS == 32 ? 12 : 4 };

PN_INLINE int32_t pair_at(const int16_t *p) {
  int32_t pair;
  memcpy(&pair, p, sizeof pair);
  return pair;
}

PN_INLINE void tile_i16(const pn_cpu_gemm_i16_tile *t, int mr) {
  vi acc[I16_ROWS * NV];
  const int16_t *b = t->b;
  PN_UNROLL
  for (int i = 0; i < mr * NV; i++) acc[i] = vi_set1(0);
  for (size_t p = 0; p < t->pairs; p++, b += 2 * NR) {
    vi bv[NV];
    PN_UNROLL
    for (int v = 0; v < NV; v++) bv[v] = vi_load(b + 2 * v * VL);
    PN_UNROLL
    for (int r = 0; r < mr; r++) {
      const vi a = vi_set1(pair_at(t->a + r * t->a_row_stride + 2 * (ptrdiff_t)p));
      PN_UNROLL
      for (int v = 0; v < NV; v++) acc[r * NV + v] = vi_add(acc[r * NV + v], vi_madd16(a, bv[v]));
    }
  }
  PN_UNROLL
  for (int r = 0; r < mr; r++) {
    int32_t row[NR], *c = t->c + r * t->c_row_stride;
    if (t->n == NR) {
      PN_UNROLL
      for (int v = 0; v < NV; v++) vi_store(c + v * VL, acc[r * NV + v]);
      continue;
    }
    PN_UNROLL
    for (int v = 0; v < NV; v++) vi_store(row + v * VL, acc[r * NV + v]);
    for (size_t j = 0; j < t->n; j++) c[j] = row[j];
  }
}

#define TILE_I16(mr) \
  static void tile_i16_##mr(const pn_cpu_gemm_i16_tile *t) { tile_i16(t, mr); }

static void widen(size_t n, const void *from, int is_signed, int zero, int16_t *restrict to) {
  const int8_t *s = from;
  const uint8_t *u = from;
  if (is_signed)
    for (size_t i = 0; i < n; i++) to[i] = (int16_t)(s[i] - zero);
  else
    for (size_t i = 0; i < n; i++) to[i] = (int16_t)(u[i] - zero);
}

/* Rows are widened in pairs into lines that stay in the first cache, then interleaved. */
static void pack(const void *from, int is_signed, ptrdiff_t row_stride, size_t k, size_t columns, const int16_t *zeros,
                 int16_t *restrict to) {
  const uint8_t *row = from;
  for (size_t kk = 0; kk < k; kk += 2, row += 2 * row_stride, to += 2 * NR) {
    int16_t line[2][NR] = {{0}};
    widen(columns, row, is_signed, 0, line[0]);
    if (kk + 1 < k) widen(columns, row + row_stride, is_signed, 0, line[1]);
    for (size_t j = 0; j < NR; j++) {
      const int16_t zero = j < columns ? zeros[j] : 0;
      to[2 * j] = (int16_t)(line[0][j] - zero);
      to[2 * j + 1] = kk + 1 < k ? (int16_t)(line[1][j] - zero) : 0;
    }
  }
}
