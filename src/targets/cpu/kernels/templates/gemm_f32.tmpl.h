/* gemm_f32: one tile of C in registers, A broadcast from memory, B streamed from its packed panel.

   Every tile is the same inline body with constant MR (rows) and NV (vectors of columns), so that the loops unroll and
   the MR x NV accumulators become registers. What costs speed here is never the multiplication but what stands beside
   it: row addresses stay in few registers by rows.h. B is prefetched a kilobyte ahead: the panel is read once per tile
   and comes from L2 when the depth is large. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"
#include "targets/cpu/rows.h"

/* Bytes of B to ask for ahead of use: some 10 steps of k, which cover L2's latency and most of L3's. */
enum { PREFETCH_BYTES = 1024, MR_MAX = ROWS_MAX, NV_MAX = 4 };

/* One step of k. The tile is one array in row order and each loop over it one loop: clang 14 leaves an array that
   nested loops of a single column walk on the stack. */
PN_INLINE void step(vf *acc, const row_bases *rows, const float *b, int mr, int nv, int offset) {
  vf bv[NV_MAX];
  PN_UNROLL
  for (int v = 0; v < nv; v++) bv[v] = vf_load(b + v * VL);
  PN_UNROLL
  for (int i = 0; i < mr * nv; i++) acc[i] = vf_fma(vf_set1(row_address(rows, i / nv)[offset]), bv[i % nv], acc[i]);
}

PN_INLINE void accumulate(vf *acc, const pn_cpu_gemm_f32_tile *t, int mr, int nv) {
  /* Two steps of k an iteration, except where a tile fills 16 registers: both compilers mix the steps and spill. */
  const int steps = VREGS == 16 && mr * nv >= 12 ? 1 : 2;
  const ptrdiff_t stride = t->a_row_stride * (ptrdiff_t)sizeof(float);
  for (size_t tap = 0; tap < t->tap_count; tap++) {
    const float *b = t->b + tap * t->b_tap_stride;
    row_bases rows = row_bases_at(t->a + t->tap_offset[tap], stride, mr);
    size_t k = t->k;
    for (; k >= (size_t)steps; k -= (size_t)steps) {
      PN_UNROLL
      for (int line = 0; line < steps * nv * VL / 16; line++) PN_PREFETCH((const char *)b + 64 * line + PREFETCH_BYTES);
      PN_UNROLL
      for (int i = 0; i < steps; i++) step(acc, &rows, b + i * nv * VL, mr, nv, i);
      b += steps * nv * VL;
      row_bases_advance(&rows, (size_t)steps * sizeof(float), mr);
    }
    if (steps > 1 && k) step(acc, &rows, b, mr, nv, 0);
  }
}

/* The part of |n| columns that vector |v| holds. */
PN_INLINE vhead head_of(size_t n, int v) {
  const size_t first = (size_t)(v * VL), left = n > first ? n - first : 0;
  return vf_head(left < VL ? left : VL);
}

PN_INLINE void add_rows(vf *acc, const float *from, ptrdiff_t stride, size_t n, int mr, int nv) {
  vhead head[NV_MAX];
  PN_UNROLL
  for (int v = 0; v < nv; v++) head[v] = head_of(n, v);
  PN_UNROLL
  for (int i = 0; i < mr * nv; i++)
    acc[i] = vf_add(acc[i], vf_load_head(from + (i / nv) * stride + (i % nv) * VL, head[i % nv]));
}

PN_INLINE void start(vf *acc, const pn_cpu_gemm_f32_tile *t, int mr, int nv) {
  vf first[NV_MAX];
  PN_UNROLL
  for (int v = 0; v < nv; v++) first[v] = t->start == PN_CPU_GEMM_BIAS ? vf_load(t->bias + v * VL) : vf_zero();
  PN_UNROLL
  for (int i = 0; i < mr * nv; i++) acc[i] = first[i % nv];
  if (t->start == PN_CPU_GEMM_ADD_TO_C) add_rows(acc, t->c, t->c_row_stride, t->n, mr, nv);
}

PN_INLINE void bend(vf *acc, const float *slope, int mr, int nv) {
  vf slopes[NV_MAX];
  PN_UNROLL
  for (int v = 0; v < nv; v++) slopes[v] = vf_load(slope + v * VL);
  PN_UNROLL
  for (int i = 0; i < mr * nv; i++)
    acc[i] = vf_select(vf_lt(acc[i], vf_zero()), vf_mul(acc[i], slopes[i % nv]), acc[i]);
}

/* Clamp and store; |whole| when no column is cut, because a masked store of AVX2 is microcode on some machines. */
PN_INLINE void finish(vf *acc, const pn_cpu_gemm_f32_tile *t, int mr, int nv, int whole) {
  const vf lo = vf_set1(t->lo), hi = vf_set1(t->hi);
  vhead head[NV_MAX];
  PN_UNROLL
  for (int v = 0; v < nv; v++) head[v] = head_of(t->n, v);
  PN_UNROLL
  for (int i = 0; i < mr * nv; i++) {
    float *c = t->c + (i / nv) * t->c_row_stride + (i % nv) * VL;
    const vf x = vf_min(hi, vf_max(lo, acc[i]));
    if (whole)
      vf_store(c, x);
    else
      vf_store_head(c, head[i % nv], x);
  }
}

PN_INLINE void tile(const pn_cpu_gemm_f32_tile *t, int mr, int nv) {
  vf acc[MR_MAX];
  start(acc, t, mr, nv);
  accumulate(acc, t, mr, nv);
  if (t->residual) add_rows(acc, t->residual, t->residual_row_stride, t->n, mr, nv);
  if (t->slope) bend(acc, t->slope, mr, nv);
  if (t->n == (size_t)(nv * VL))
    finish(acc, t, mr, nv, 1);
  else
    finish(acc, t, mr, nv, 0);
}

#define TILE(mr, nv) \
  static void tile_##mr##x##nv(const pn_cpu_gemm_f32_tile *t) { tile(t, mr, nv); }
