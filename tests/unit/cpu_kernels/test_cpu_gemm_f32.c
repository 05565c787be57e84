/* gemm_f32 against plain double loops: every tile of every instruction set, all column remainders, taps, starts,
   residuals, clamps, NaN and infinity. */
#include "operands.h"

typedef struct problem {
  size_t mr, nr, n, k, taps;
  ptrdiff_t a_stride, c_stride;
  size_t b_tap_stride;
  ptrdiff_t tap_offset[4];
} problem;

static void expect_tile(const char *name, const problem *p, pn_cpu_gemm_f32_fn *fn, pn_cpu_gemm_start start,
                        bool with_residual, bool with_clamp, bool with_special) {
  size_t reach = 0;
  for (size_t t = 0; t < p->taps; t++)
    if ((size_t)p->tap_offset[t] > reach) reach = (size_t)p->tap_offset[t];
  operand a = operand_make((p->mr - 1) * (size_t)p->a_stride + reach + p->k, -1, 1);
  operand b = operand_make((p->taps - 1) * p->b_tap_stride + p->k * p->nr, -1, 1);
  const size_t c_count = (p->mr - 1) * (size_t)p->c_stride + p->n;
  operand c = operand_make(c_count, -1, 1), residual = operand_make(c_count, -1, 1), bias = operand_make(p->nr, -1, 1);
  operand slope = operand_make(p->nr, -1, 1);
  const bool with_slope = random_size(0, 3) == 0;
  if (with_special) {
    a.data[random_size(0, p->k - 1)] = NAN;
    if (p->mr > 1) a.data[(size_t)p->a_stride + random_size(0, p->k - 1)] = INFINITY;
  }
  float *before = malloc(c_count * sizeof(float));
  REQUIRE(before != NULL);
  memcpy(before, c.data, c_count * sizeof(float));
  const pn_cpu_gemm_f32_tile tile = {
      .a = a.data, .a_row_stride = p->a_stride, .tap_offset = p->tap_offset, .tap_count = p->taps, .k = p->k,
      .b = b.data, .b_tap_stride = p->b_tap_stride, .c = c.data, .c_row_stride = p->c_stride, .n = p->n, .start = start,
      .bias = start == PN_CPU_GEMM_BIAS ? bias.data : NULL, .residual = with_residual ? residual.data : NULL,
      .residual_row_stride = p->c_stride, .slope = with_slope ? slope.data : NULL,
      .lo = with_clamp ? -0.25f : -INFINITY, .hi = with_clamp ? 0.5f : INFINITY};
  fn(&tile);

  const double tolerance = 1e-6 * (double)(p->k * p->taps + 4);
  size_t wrong = 0;
  for (size_t r = 0; r < p->mr; r++) {
    for (size_t j = 0; j < (size_t)p->c_stride && r * (size_t)p->c_stride + j < c_count; j++) {
      const size_t at = r * (size_t)p->c_stride + j;
      double want = before[at];
      if (j < p->n) {
        want = start == PN_CPU_GEMM_ZERO ? 0 : start == PN_CPU_GEMM_BIAS ? bias.data[j] : before[at];
        for (size_t t = 0; t < p->taps; t++)
          for (size_t kk = 0; kk < p->k; kk++)
            want += (double)a.data[r * (size_t)p->a_stride + (size_t)p->tap_offset[t] + kk] *
                    (double)b.data[t * p->b_tap_stride + kk * p->nr + j];
        if (with_residual) want += residual.data[at];
        if (with_slope && want < 0) want *= slope.data[j];
        if (with_clamp && want < -0.25) want = -0.25;
        if (with_clamp && want > 0.5) want = 0.5;
      }
      if (!same(c.data[at], want, j < p->n ? tolerance : 0) && wrong++ == 0)
        printf("  %s %zux%zu n %zu k %zu taps %zu start %d: [%zu][%zu] is %g, not %g\n", name, p->mr, p->nr, p->n, p->k,
               p->taps, (int)start, r, j, (double)c.data[at], want);
    }
  }
  EXPECT_EQ(wrong, 0);
  free(before);
  operand_free(a), operand_free(b), operand_free(c), operand_free(residual), operand_free(bias);
  operand_free(slope);
}

TEST(every_tile) {
  random_seed();
  FOR_EACH_ROW(kernels, gemm_f32) {
    for (uint32_t w = 0; w < kernels->gemm_f32->width_count; w++) {
      const pn_cpu_gemm_f32_width *width = &kernels->gemm_f32->widths[w];
      for (size_t mr = 1; mr <= width->mr_max; mr++) {
        REQUIRE(width->fns[mr - 1] != NULL);
        for (size_t n = 1; n <= width->nr; n++) {
          problem p = {.mr = mr, .nr = width->nr, .n = n, .k = random_size(1, 24), .taps = random_size(1, 3)};
          p.a_stride = (ptrdiff_t)random_size(0, 40);
          p.c_stride = (ptrdiff_t)random_size(n, n + 9);
          p.b_tap_stride = p.k * p.nr + random_size(0, 1) * p.nr;
          for (size_t t = 0; t < p.taps; t++) p.tap_offset[t] = (ptrdiff_t)random_size(0, 99);
          const bool special = p.a_stride > (ptrdiff_t)p.k && n % 4 == 0;
          if (special) p.tap_offset[0] = 0;
          expect_tile(kernels->name, &p, width->fns[mr - 1], (pn_cpu_gemm_start)random_size(0, 2), random_size(0, 1),
                      random_size(0, 1), special);
        }
      }
    }
  }
}

/* Sums run in the order of k in every tile, so the choice of a tile never shows in the result. */
TEST(tiles_agree_to_the_bit) {
  random_seed();
  static const ptrdiff_t zero = 0;
  FOR_EACH_ROW(kernels, gemm_f32) {
    const size_t k = 203;
    operand a = operand_make(28 * k, -1, 1), b = operand_make(k * 64, -1, 1), packed = operand_make(k * 64, 0, 0);
    float first[64], row[28 * 64];
    bool have_first = false;
    for (uint32_t w = 0; w < kernels->gemm_f32->width_count; w++) {
      const pn_cpu_gemm_f32_width *width = &kernels->gemm_f32->widths[w];
      kernels->gemm_f32->pack_b(b.data, 64, k, 8, width->nr, packed.data);
      for (size_t mr = 1; mr <= width->mr_max; mr++) {
        const pn_cpu_gemm_f32_tile tile = {.a = a.data, .a_row_stride = (ptrdiff_t)k, .tap_offset = &zero,
                                           .tap_count = 1, .k = k, .b = packed.data, .c = row, .c_row_stride = 64,
                                           .n = 8, .lo = -INFINITY, .hi = INFINITY};
        width->fns[mr - 1](&tile);
        if (!have_first) memcpy(first, row, sizeof first);
        have_first = true;
        EXPECT(memcmp(first, row, 8 * sizeof(float)) == 0);
      }
    }
    operand_free(a), operand_free(b), operand_free(packed);
  }
}

TEST(packing) {
  random_seed();
  FOR_EACH_ROW(kernels, gemm_f32) {
    for (int round = 0; round < 50; round++) {
      const size_t k = random_size(1, 9), n = random_size(1, 100), stride = n + random_size(0, 5);
      const size_t nr = kernels->gemm_f32->widths[random_size(0, kernels->gemm_f32->width_count - 1)].nr;
      const size_t panels = (n + nr - 1) / nr;
      operand from = operand_make((k - 1) * stride + n, -1, 1), to = operand_make(panels * k * nr, -1, 1);
      operand copy = operand_make(k * n, -1, 1);
      kernels->gemm_f32->pack_b(from.data, (ptrdiff_t)stride, k, n, nr, to.data);
      kernels->gemm_f32->copy_rows(from.data, (ptrdiff_t)stride, k, n, copy.data, (ptrdiff_t)n);
      size_t wrong = 0;
      for (size_t panel = 0; panel < panels; panel++)
        for (size_t kk = 0; kk < k; kk++)
          for (size_t j = 0; j < nr; j++) {
            const size_t column = panel * nr + j;
            const float want = column < n ? from.data[kk * stride + column] : 0.0f;
            wrong += to.data[(panel * k + kk) * nr + j] != want;
            if (column < n) wrong += copy.data[kk * n + column] != want;
          }
      EXPECT_EQ(wrong, 0);
      operand_free(from), operand_free(to), operand_free(copy);
    }
  }
}

TEST(a_lowered_set_selects_lower_kernels) {
  const pn_cpu_gemm_f32 *portable = pn_cpu_gemm_f32_best(0), *native = pn_cpu_gemm_f32_best(pn_cpu_isa());
  REQUIRE(portable && native);
  FOR_EACH_ROW(kernels, gemm_f32) {
    if (kernels->isa == 0) EXPECT(kernels->gemm_f32 == portable);
    /* A row's own set, with what it implies, selects it. */
    const pn_isa_set closed = kernels->isa == PN_ISA_AVX512 ? kernels->isa | PN_ISA_AVX2 : kernels->isa;
    EXPECT(pn_cpu_gemm_f32_best(closed) == kernels->gemm_f32);
  }
}

TEST_MAIN(T(every_tile), T(tiles_agree_to_the_bit), T(packing), T(a_lowered_set_selects_lower_kernels))
