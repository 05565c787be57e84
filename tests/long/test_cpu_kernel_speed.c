/* The speed of the CPU's micro-kernels: GFLOP/s against the multiply-add peak measured in the same run, GB/s where
   memory is what bounds. It prints every figure and fails where a kernel that must be at the peak is far from it (a
   spill, a missed unrolling), which takes half of the speed; lesser losses drown in the noise of a shared machine. Each
   figure is the best of many short slices, since a mean says more about the neighbours than about the kernel. */
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

static pn_cpu_gemm_f32_tile plain_tile(const float *a, ptrdiff_t pitch, size_t k, const float *b, uint32_t nr,
                                       float *c) {
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

/* Layers of MobileNet and EfficientNet on 3 or 5 rows in L1 or L2: GFLOP/s counts two a tap. */
TEST(dwconv_f32) {
  static const struct {
    size_t window, stride, width, channels;
  } layers[] = {{3, 1, 112, 32}, {3, 2, 56, 64}, {3, 1, 56, 128}, {3, 1, 28, 256}, {3, 1, 14, 512}, {3, 1, 7, 960},
                {5, 1, 28, 240}, {5, 2, 14, 240}, {5, 1, 14, 672}, {7, 1, 28, 192}};
  for (size_t i = 0; i < pn_cpu_kernels_count(); i++) {
    const pn_cpu_kernels *kernels = pn_cpu_kernels_at(i);
    if (!kernels->dwconv_f32 || (kernels->isa & ~pn_cpu_isa())) continue;
    printf("  %s:", kernels->name);
    for (size_t l = 0; l < PN_COUNT(layers); l++) {
      const size_t k = layers[l].window, c = layers[l].channels, width = layers[l].width, stride = layers[l].stride;
      const size_t row = ((width - 1) * stride + k) * c + 16; /* rows of a real tensor seldom share their sets */
      float *in = floats(k * row), *weights = floats(k * k * c), *out = floats(width * c);
      const float *rows[7];
      for (size_t r = 0; r < k; r++) rows[r] = in + r * row;
      const pn_cpu_dwconv_f32_run run = {
          .window = {.rows = rows, .row_count = k, .column_count = k, .column_stride = (ptrdiff_t)c,
                     .pixel_stride = (ptrdiff_t)(stride * c), .out = out, .out_stride = (ptrdiff_t)c, .width = width,
                     .channels = c},
          .weights = weights, .weight_row_stride = (ptrdiff_t)(k * c), .weight_column_stride = (ptrdiff_t)c,
          .lo = 0, .hi = 6};
      double rate;
      BEST_RATE(rate, 2.0 * (double)(k * k * width * c), kernels->dwconv_f32->run(&run));
      printf(" %zux%zu/%zu w%zu c%zu:%.0f(%.0f%%)", k, k, stride, width, c, rate * 1e-9, rate * 1e-7 / peak());
      if (kernels->isa) EXPECT(rate * 1e-9 > 0.15 * peak());
      free(in), free(weights), free(out);
    }
    printf("\n");
  }
}

TEST(pool_f32) {
  const size_t c = 64, width = 56;
  float *in = floats(3 * 113 * c), *out = floats(width * c);
  const float *rows[] = {in, in + 113 * c, in + 2 * 113 * c};
  const pn_cpu_window_f32 window = {.rows = rows, .row_count = 3, .column_count = 3, .column_stride = (ptrdiff_t)c,
                                    .pixel_stride = 2 * (ptrdiff_t)c, .out = out, .out_stride = (ptrdiff_t)c,
                                    .width = width, .channels = c};
  for (size_t i = 0; i < pn_cpu_kernels_count(); i++) {
    const pn_cpu_kernels *kernels = pn_cpu_kernels_at(i);
    if (!kernels->pool_f32 || (kernels->isa & ~pn_cpu_isa())) continue;
    double max, average, sum;
    BEST_RATE(max, (double)(9 * width * c), kernels->pool_f32->max(&window));
    BEST_RATE(average, (double)(9 * width * c), kernels->pool_f32->average(&window, 0.1f));
    BEST_RATE(sum, (double)(49 * c), kernels->pool_f32->sum_pixels(in, (ptrdiff_t)c, 49, c, 0.1f, out));
    printf("  %s, elements read: max %.1f G/s, average %.1f G/s, global %.1f G/s\n", kernels->name, max * 1e-9,
           average * 1e-9, sum * 1e-9);
    if (kernels->isa) EXPECT(max > 3e9 && average > 3e9 && sum > 3e9);
  }
  free(in), free(out);
}

TEST(vec_f32) {
  enum { N = 1024 };
  static const char *const names[] = {
#define NAME(op) [PN_CPU_UNARY_##op] = #op,
      PN_CPU_UNARY_PLAIN(NAME) PN_CPU_UNARY_PARAMETERS(NAME)
  };
  static const float parameters[2] = {0.25f, 0.5f};
  float *x = floats(N), *y = floats(N), *z = floats(N);
  for (size_t i = 0; i < pn_cpu_kernels_count(); i++) {
    const pn_cpu_kernels *kernels = pn_cpu_kernels_at(i);
    if (!kernels->vec_f32 || (kernels->isa & ~pn_cpu_isa())) continue;
    printf("  %s, elements G/s:", kernels->name);
    double rate;
    BEST_RATE(rate, (double)N, kernels->vec_f32->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](N, x, y, z));
    printf(" add %.1f", rate * 1e-9);
    for (int op = 0; op < PN_CPU_UNARY_COUNT; op++) {
      BEST_RATE(rate, (double)N, kernels->vec_f32->unary[op](N, x, parameters, z));
      printf(" %s %.1f", names[op], rate * 1e-9);
      if (kernels->isa) EXPECT(rate > 0.1e9);
    }
    printf("\n");
  }
  free(x), free(y), free(z);
}

TEST(rows) {
  enum { N = 768, SIDE = 64 };
  float *x = floats(SIDE * 1000), *y = floats(SIDE * 1000), *gain = floats(N), *bias = floats(N);
  volatile float sink; /* what the reductions give has to be wanted by somebody */
  for (size_t i = 0; i < pn_cpu_kernels_count(); i++) {
    const pn_cpu_kernels *kernels = pn_cpu_kernels_at(i);
    if (kernels->isa & ~pn_cpu_isa()) continue;
    double rate;
    if (kernels->reduce_f32) {
      printf("  %s, elements G/s:", kernels->name);
      BEST_RATE(rate, (double)N, sink = kernels->reduce_f32->sum(N, x));
      printf(" sum %.1f", rate * 1e-9);
      BEST_RATE(rate, (double)N, sink = kernels->reduce_f32->max(N, x));
      printf(" max %.1f", rate * 1e-9);
      BEST_RATE(rate, (double)N, sink = kernels->reduce_f32->dot(N, x, y));
      printf(" dot %.1f", rate * 1e-9);
      BEST_RATE(rate, (double)N, kernels->reduce_f32->softmax(N, x, y));
      printf(" softmax %.2f", rate * 1e-9);
      BEST_RATE(rate, (double)N, kernels->reduce_f32->normalize(N, x, gain, bias, 1e-5f, y, NULL, NULL));
      printf(" normalize %.2f\n", rate * 1e-9);
      if (kernels->isa) EXPECT(rate > 0.1e9);
    }
    if (kernels->transpose_f32) {
      BEST_RATE(rate, (double)(SIDE * SIDE), kernels->transpose_f32->transpose(x, 80, SIDE, SIDE, y, 80));
      printf("  %s, elements G/s: 64x64 %.1f", kernels->name, rate * 1e-9);
      BEST_RATE(rate, (double)(SIDE * 784), kernels->transpose_f32->transpose(x, 784, SIDE, 784, y, SIDE));
      printf(" 64x784 %.1f", rate * 1e-9);
      BEST_RATE(rate, (double)(SIDE * 784), kernels->transpose_f32->transpose(x, SIDE, 784, SIDE, y, 784));
      printf(" 784x64 %.1f\n", rate * 1e-9);
      if (kernels->isa) EXPECT(rate > 0.2e9);
    }
  }
  free(x), free(y), free(gain), free(bias);
  (void)sink;
}

TEST_MAIN(T(gemm_f32), T(gemv_f32), T(dwconv_f32), T(pool_f32), T(vec_f32), T(rows))
