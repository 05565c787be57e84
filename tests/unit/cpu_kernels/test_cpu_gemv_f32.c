/* gemv_f32 and rotary_f32 against plain double loops: every count of rows, remainders of columns, depths down to
   nothing, strides, NaN. */
#include "operands.h"

static void expect_product(const char *name, const pn_cpu_gemv_f32 *gemv, size_t rows, size_t k, size_t n, int add) {
  const size_t x_stride = k + random_size(0, 5), b_stride = n + random_size(0, 5), y_stride = n + random_size(0, 5);
  operand x = operand_make((rows - 1) * x_stride + k, -1, 1), b = operand_make(k ? (k - 1) * b_stride + n : 0, -1, 1);
  const size_t y_count = (rows - 1) * y_stride + n;
  operand y = operand_make(y_count, -1, 1), before = operand_make(y_count, 0, 0);
  memcpy(before.data, y.data, y_count * sizeof(float));
  if (k && random_size(0, 7) == 0) x.data[random_size(0, k - 1)] = NAN;
  const pn_cpu_gemv_f32_run run = {.x = x.data, .x_stride = (ptrdiff_t)x_stride, .b = b.data,
                                   .b_stride = (ptrdiff_t)b_stride, .y = y.data, .y_stride = (ptrdiff_t)y_stride,
                                   .rows = rows, .k = k, .n = n, .add = add};
  gemv->run(&run);
  size_t wrong = 0;
  for (size_t i = 0; i < y_count; i++) {
    const size_t r = i / y_stride, j = i % y_stride;
    double want = before.data[i];
    if (j < n) {
      if (!add) want = 0;
      for (size_t kk = 0; kk < k; kk++) want += (double)x.data[r * x_stride + kk] * (double)b.data[kk * b_stride + j];
    }
    wrong += !same(y.data[i], want, j < n ? 1e-6 * (double)(k + 4) : 0);
  }
  if (wrong) printf("  %s rows %zu k %zu n %zu add %d: %zu wrong\n", name, rows, k, n, add, wrong);
  EXPECT_EQ(wrong, 0);
  operand_free(x), operand_free(b), operand_free(y), operand_free(before);
}

TEST(few_rows) {
  random_seed();
  FOR_EACH_ROW(kernels, gemv_f32) {
    for (size_t rows = 1; rows <= PN_CPU_GEMV_ROWS; rows++)
      for (size_t n = 1; n <= 200; n++)
        expect_product(kernels->name, kernels->gemv_f32, rows, random_size(0, 40), n, (int)random_size(0, 1));
  }
}

TEST(pairs_turn) {
  FOR_EACH_ROW(kernels, rotary_f32) {
    for (size_t n = 1; n <= 70; n++) {
      operand x = operand_make(2 * n, -1, 1), c = operand_make(n, -1, 1), s = operand_make(n, -1, 1);
      operand y = operand_make(2 * n, 0, 0), z = operand_make(2 * n, 0, 0);
      size_t wrong = 0;
      kernels->rotary_f32->halves(n, c.data, s.data, x.data, y.data);
      kernels->rotary_f32->neighbours(n, c.data, s.data, x.data, z.data);
      for (size_t i = 0; i < n; i++) {
        const double cosine = c.data[i], sine = s.data[i], a = x.data[i], b = x.data[n + i];
        const double even = x.data[2 * i], odd = x.data[2 * i + 1];
        wrong += !same(y.data[i], cosine * a - sine * b, 1e-6);
        wrong += !same(y.data[n + i], sine * a + cosine * b, 1e-6);
        wrong += !same(z.data[2 * i], cosine * even - sine * odd, 1e-6);
        wrong += !same(z.data[2 * i + 1], sine * even + cosine * odd, 1e-6);
      }
      EXPECT_EQ(wrong, 0);
      operand_free(x), operand_free(c), operand_free(s), operand_free(y), operand_free(z);
    }
  }
}

TEST_MAIN(T(few_rows), T(pairs_turn))
