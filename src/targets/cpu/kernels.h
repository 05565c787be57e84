/* The contracts of the CPU's micro-kernels.

   A micro-kernel is a pure tile function: it allocates nothing, calls nothing, keeps nothing; tactics own the loops, the
   packing and the threads. Each file kernels/<name>.<isa>.c is a few lines over a template <name>.tmpl.h and the vector
   vocabulary simd/<isa>.h, and defines one pn_cpu_kernels row; isa.c collects the rows and answers with the best table
   of a family that a set of instructions allows.

   Conventions of every family: activations are NHWC (channels innermost), strides are in elements, no operand needs an
   alignment (packed weights are quicker at 64 bytes), nothing is read or written outside of what the arguments span, and
   outputs overlap inputs only where a function says so. Clamps are [lo, hi] with -INFINITY / INFINITY for none; a NaN
   passes through a clamp. */
#ifndef PN_TARGETS_CPU_KERNELS_H
#define PN_TARGETS_CPU_KERNELS_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

/* ---- gemm_f32: matrix products and convolutions ------------------------------------------------------------------- */

/* C[mr][n] = clamp(start + sum over taps t, k of A[row * a_row_stride + tap_offset[t] + k] * B[t][k][column] + residual).

   A row of the tile is an output pixel, a column an output channel, a tap a piece of the filter whose inputs lie together:
   a matrix product has one tap, a convolution without dilation in x one a filter row (in NHWC the columns of the filter
   and the channels are one run), others one a filter element. Padding: leave the taps that fall outside away, by
   tap_count and |b|, or shorten |k| with b_tap_stride unchanged. */
typedef enum pn_cpu_gemm_start { PN_CPU_GEMM_ZERO, PN_CPU_GEMM_BIAS, PN_CPU_GEMM_ADD_TO_C } pn_cpu_gemm_start;
typedef struct pn_cpu_gemm_f32_tile {
  const float *a;
  ptrdiff_t a_row_stride; /* avoid multiples of 1024 floats: the rows then share one set of the L1 cache */
  const ptrdiff_t *tap_offset;
  size_t tap_count;
  size_t k;           /* depth of each tap */
  const float *b;     /* [tap_count][k][nr], packed */
  size_t b_tap_stride; /* k * nr, or more */
  float *c;
  ptrdiff_t c_row_stride;
  size_t n; /* columns that exist, 1 to nr; what lies behind them in C and the residual is not touched */
  pn_cpu_gemm_start start;
  const float *bias;     /* nr floats, with PN_CPU_GEMM_BIAS */
  const float *residual; /* or null; may be |c| itself */
  ptrdiff_t residual_row_stride;
  float lo, hi;
} pn_cpu_gemm_f32_tile;
typedef void pn_cpu_gemm_f32_fn(const pn_cpu_gemm_f32_tile *tile);

typedef struct pn_cpu_gemm_f32_width {
  uint32_t nr;     /* columns of the tile: what B is packed to */
  uint32_t mr_max; /* rows: fns[mr - 1] for 1 <= mr <= mr_max */
  pn_cpu_gemm_f32_fn *const *fns;
} pn_cpu_gemm_f32_width;
typedef struct pn_cpu_gemm_f32 {
  uint32_t width_count; /* in order of rising nr */
  pn_cpu_gemm_f32_width widths[4];
  /* Panels for |b|: to[p][kk][j] = from[kk * row_stride + p * nr + j] for kk < k and p * nr + j < n, 0 beyond n. */
  void (*pack_b)(const float *from, ptrdiff_t row_stride, size_t k, size_t n, size_t nr, float *to);
  /* |rows| runs of |columns| floats to another pitch: for an A whose own stride is a multiple of 1024. */
  void (*copy_rows)(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to,
                    ptrdiff_t to_stride);
} pn_cpu_gemm_f32;

/* ---- rows --------------------------------------------------------------------------------------------------------- */

/* Every family; a family `f` has its table type pn_cpu_f, its pointer in pn_cpu_kernels and its pn_cpu_f_best. */
#define PN_CPU_FAMILIES(X) X(gemm_f32)

/* What one kernel file offers: usually one family, the other pointers null. */
typedef struct pn_cpu_kernels {
  const char *name; /* the file's: "gemm_f32.avx512" */
  pn_isa_set isa;   /* bits it needs; 0 is any machine */
#define PN_CPU_MEMBER(family) const pn_cpu_##family *family;
  PN_CPU_FAMILIES(PN_CPU_MEMBER)
#undef PN_CPU_MEMBER
} pn_cpu_kernels;

/* All rows of this build, whatever the machine has; for tests and benchmarks. */
size_t pn_cpu_kernels_count(void);
const pn_cpu_kernels *pn_cpu_kernels_at(size_t index);

/* The family's table of the highest level within |isa|: a lowered set selects lower kernels. The generic row is always
   there, so never null. Ask once, when a plan is made. */
#define PN_CPU_BEST(family) const pn_cpu_##family *pn_cpu_##family##_best(pn_isa_set isa);
PN_CPU_FAMILIES(PN_CPU_BEST)
#undef PN_CPU_BEST

#endif
