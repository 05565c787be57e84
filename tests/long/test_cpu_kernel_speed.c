/* The speed of the CPU's micro-kernels: GFLOP/s against the multiply-add peak measured in the same run, GB/s where memory
   is what bounds. It prints every figure and fails where a kernel that must be at the peak is far from it (a spill, a
   missed unrolling), which takes half of the speed; lesser losses drown in the noise of a shared machine. Each figure is
   the best of many short slices, since a mean says more about the neighbours than about the kernel. */
#define _DEFAULT_SOURCE
#include "harness.h"
#include "targets/cpu/kernels.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *floats(size_t count) {
  const size_t bytes = (count * sizeof(float) + 4096 + 63) / 64 * 64;
  float *p = aligned_alloc(64, bytes);
  REQUIRE(p != NULL);
  for (size_t i = 0; i < bytes / sizeof(float); i++) p[i] = (float)((i * 2654435761u >> 7) % 1000) / 1000.0f - 0.5f;
  return p;
}

static double slice_seconds = 0.01;

/* The best rate of |work| units a call over slices of about 200 microseconds. */
#define BEST_RATE(result, work, call)                                    \
  do {                                                                   \
    double best_ = 0;                                                    \
    size_t times_ = 1;                                                   \
    const double end_ = seconds() + slice_seconds;                       \
    for (double now_ = seconds(); now_ < end_;) {                        \
      for (size_t i_ = 0; i_ < times_; i_++) call;                       \
      const double then_ = seconds(), took_ = then_ - now_;              \
      if (took_ < 100e-6) times_ *= 2;                                   \
      else if ((work) * (double)times_ / took_ > best_) best_ = (work) * (double)times_ / took_; \
      now_ = then_;                                                      \
    }                                                                    \
    result = best_;                                                      \
  } while (0)

static const ptrdiff_t zero_offset = 0;

static pn_cpu_gemm_f32_tile plain_tile(const float *a, ptrdiff_t pitch, size_t k, const float *b, uint32_t nr, float *c) {
  return (pn_cpu_gemm_f32_tile){.a = a, .a_row_stride = pitch, .tap_offset = &zero_offset, .tap_count = 1, .k = k,
                                .b = b, .c = c, .c_row_stride = nr, .n = nr, .lo = -INFINITY, .hi = INFINITY};
}

/* GFLOP/s of the quickest tile on operands that lie in L1, where nothing but multiply-adds can bound it. */
static double peak(void) {
  static double best;
  if (best > 0) return best;
  for (size_t i = 0; i < pn_cpu_kernels_count(); i++) {
    const pn_cpu_kernels *kernels = pn_cpu_kernels_at(i);
    if (!kernels->gemm_f32 || (kernels->isa & ~pn_cpu_isa())) continue;
    for (uint32_t w = 0; w < kernels->gemm_f32->width_count; w++) {
      const pn_cpu_gemm_f32_width *width = &kernels->gemm_f32->widths[w];
      float *a = floats(64), *b = floats((size_t)width->nr * 64), *c = floats((size_t)width->nr * 32);
      for (uint32_t mr = width->mr_max / 2 + 1; mr <= width->mr_max; mr++) {
        const pn_cpu_gemm_f32_tile t = plain_tile(a, 0, 64, b, width->nr, c);
        double rate;
        BEST_RATE(rate, 2.0 * 64 * width->nr * mr, width->fns[mr - 1](&t));
        best = rate > best ? rate : best;
      }
      free(a), free(b), free(c);
    }
  }
  best *= 1e-9;
  printf("  multiply-add peak %.1f GFLOP/s\n", best);
  return best;
}

static void gemm_row(const char *name, const pn_cpu_gemm_f32_width *width, size_t k) {
  const ptrdiff_t pitch = (ptrdiff_t)k + 16;
  float *a = floats(width->mr_max * (size_t)pitch), *b = floats(k * width->nr), *c = floats(width->mr_max * width->nr);
  printf("  %s nr %u k %zu:", name, width->nr, k);
  for (uint32_t mr = 1; mr <= width->mr_max; mr += mr < 8 || mr + 1 == width->mr_max ? 1 : 2) {
    const pn_cpu_gemm_f32_tile t = plain_tile(a, pitch, k, b, width->nr, c);
    double rate;
    BEST_RATE(rate, 2.0 * (double)(k * width->nr * mr), width->fns[mr - 1](&t));
    rate *= 1e-9;
    printf(" %u:%.0f(%.0f%%)", mr, rate, 100 * rate / peak());
    /* Tiles with enough sums to hide the latency of the multiply-add, where B is read often enough per load. */
    if (mr >= 4 && width->nr >= 2 * 8 && rate < 0.6 * peak()) printf("!");
    if (mr >= 4 && width->nr >= 2 * 8) EXPECT(rate > 0.6 * peak());
  }
  printf("\n");
  free(a), free(b), free(c);
}

TEST(gemm_f32) {
  static const size_t depths[] = {64, 576, 4608};
  peak();
  for (size_t i = 0; i < pn_cpu_kernels_count(); i++) {
    const pn_cpu_kernels *kernels = pn_cpu_kernels_at(i);
    if (!kernels->gemm_f32 || (kernels->isa & ~pn_cpu_isa())) continue;
    for (uint32_t w = 0; w < kernels->gemm_f32->width_count; w++)
      for (size_t d = 0; d < PN_COUNT(depths); d++) gemm_row(kernels->name, &kernels->gemm_f32->widths[w], depths[d]);
  }
}

/* Few rows against weights that no cache holds. */
TEST(gemv_f32) {
  const size_t k = 2048, n = 8192;
  float *a = floats(4 * k), *b = floats(k * n), *c = floats(4 * n);
  for (size_t i = 0; i < pn_cpu_kernels_count(); i++) {
    const pn_cpu_kernels *kernels = pn_cpu_kernels_at(i);
    if (!kernels->gemm_f32 || (kernels->isa & ~pn_cpu_isa())) continue;
    const pn_cpu_gemm_f32_width *width = &kernels->gemm_f32->widths[kernels->gemm_f32->width_count - 1];
    printf("  %s nr %u weights %zu MB:", kernels->name, width->nr, k * n * 4 >> 20);
    for (uint32_t mr = 1; mr <= 4; mr++) {
      double best = 0;
      for (int round = 0; round < 4; round++) {
        const double from = seconds();
        for (size_t j = 0; j + width->nr <= n; j += width->nr) {
          pn_cpu_gemm_f32_tile t = plain_tile(a, (ptrdiff_t)k, k, b + j * k, width->nr, c + j);
          t.c_row_stride = (ptrdiff_t)n;
          width->fns[mr - 1](&t);
        }
        const double rate = (double)(k * n * 4) / (seconds() - from) * 1e-9;
        best = rate > best ? rate : best;
      }
      printf(" %u:%.1f GB/s", mr, best);
      EXPECT(best > 1);
    }
    printf("\n");
  }
  free(a), free(b), free(c);
}

TEST_MAIN(T(gemm_f32), T(gemv_f32))
