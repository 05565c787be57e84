/* reduce_f32 and transpose_f32 against plain double loops. */
#include "operands.h"

static double row_sum(const float *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i];
  return sum;
}

static void expect_rows(const pn_cpu_kernels *kernels, size_t n) {
  const pn_cpu_reduce_f32 *reduce = kernels->reduce_f32;
  operand x = operand_make(n, -3, 3), z = operand_make(n, -1, 1), y = operand_make(n, 7, 7);
  operand gain = operand_make(n, -1, 1), bias = operand_make(n, -1, 1), one = operand_make(2, 0, 0);
  double squares = 0, max = -INFINITY, min = INFINITY, dot = 0, exps = 0, size = 0;
  for (size_t i = 0; i < n; i++) {
    const double v = (double)x.data[i];
    squares += v * v, dot += v * (double)z.data[i], size += fabs(v);
    max = v > max ? v : max;
    min = v < min ? v : min;
  }
  for (size_t i = 0; i < n; i++) exps += exp((double)x.data[i] - max);
  const double sum = row_sum(x.data, n), mean = sum / (double)n;
  double variance = 0;
  for (size_t i = 0; i < n; i++) variance += ((double)x.data[i] - mean) * ((double)x.data[i] - mean);
  variance /= (double)n;

  EXPECT(same(reduce->sum(n, x.data), sum, 2e-7 * size));
  EXPECT(same(reduce->sum_squares(n, x.data), squares, 1e-6 * squares));
  EXPECT(same(reduce->dot(n, x.data, z.data), dot, 1e-6 * size));
  EXPECT(same(reduce->max(n, x.data), max, 0));
  EXPECT(same(reduce->min(n, x.data), min, 0));
  float each[3][2]; /* the same row twice */
  reduce->sum_rows(2, 0, n, x.data, each[0]);
  reduce->max_rows(2, 0, n, x.data, each[1]);
  reduce->min_rows(2, 0, n, x.data, each[2]);
  for (int i = 0; i < 2; i++)
    EXPECT(each[0][i] == reduce->sum(n, x.data) && same(each[1][i], max, 0) && same(each[2][i], min, 0));

  size_t wrong = 0;
  reduce->softmax(n, x.data, y.data);
  for (size_t i = 0; i < n; i++) wrong += !same(y.data[i], exp((double)x.data[i] - max) / exps, 1e-6);
  EXPECT(fabs(row_sum(y.data, n) - 1) < 2e-6);
  EXPECT(same(reduce->exp_sum(n, x.data, (float)max, y.data), exps, 2e-6 * exps));
  for (size_t i = 0; i < n; i++) wrong += !same(y.data[i], exp((double)x.data[i] - (double)(float)max), 1e-6);
  reduce->log_softmax(n, x.data, y.data);
  for (size_t i = 0; i < n; i++) wrong += !same(y.data[i], (double)x.data[i] - max - log(exps), 4e-6);
  const bool with_gain = random_size(0, 1), with_bias = random_size(0, 1);
  const double scale = 1 / sqrt(variance + 1e-3), rms = 1 / sqrt(squares / (double)n + 1e-3);
  reduce->normalize(n, x.data, with_gain ? gain.data : NULL, with_bias ? bias.data : NULL, 1e-3f, y.data,
                    with_gain ? &one.data[0] : NULL, with_gain ? &one.data[1] : NULL);
  const double tolerance = 4e-6 + 1e-6 * scale * (fabs(mean) + 1);
  for (size_t i = 0; i < n; i++)
    wrong += !same(y.data[i], ((double)x.data[i] - mean) * scale * (with_gain ? (double)gain.data[i] : 1) +
                                  (with_bias ? (double)bias.data[i] : 0), tolerance);
  if (with_gain) EXPECT(same(one.data[0], mean, 2e-6) && same(one.data[1], scale, 1e-5 * scale));
  memcpy(y.data, x.data, n * sizeof(float));
  reduce->rms_normalize(n, y.data, with_gain ? gain.data : NULL, 1e-3f, y.data);
  for (size_t i = 0; i < n; i++)
    wrong += !same(y.data[i], (double)x.data[i] * rms * (with_gain ? (double)gain.data[i] : 1), 4e-6);
  EXPECT_EQ(wrong, 0);

  /* One NaN anywhere is seen; infinities are ordinary. */
  x.data[random_size(0, n - 1)] = INFINITY;
  EXPECT(isinf(reduce->max(n, x.data)) && isinf(reduce->sum(n, x.data)));
  x.data[random_size(0, n - 1)] = NAN;
  EXPECT(isnan(reduce->max(n, x.data)) && isnan(reduce->min(n, x.data)) && isnan(reduce->sum(n, x.data)));
  reduce->softmax(n, x.data, y.data);
  for (size_t i = 0; i < n; i++) wrong += isnan(y.data[i]) ? 0 : 1;
  EXPECT_EQ(wrong, 0);
  if (n > 1) { /* masked scores */
    for (size_t i = 0; i < n; i++) x.data[i] = -INFINITY;
    x.data[n - 1] = 2;
    reduce->softmax(n, x.data, y.data);
    EXPECT(y.data[0] == 0 && y.data[n - 1] == 1);
  }
  operand_free(x), operand_free(y), operand_free(z), operand_free(gain), operand_free(bias), operand_free(one);
}

TEST(rows) {
  random_seed();
  FOR_EACH_ROW(kernels, reduce_f32) {
    for (size_t n = 1; n < 150; n++) expect_rows(kernels, n);
    expect_rows(kernels, 1000);
    expect_rows(kernels, 4097);
  }
}

/* A million equal terms: one running sum in float would be off by percents. */
TEST(long_sums_stay_accurate) {
  random_seed();
  const size_t n = 1000000;
  operand x = operand_make(n, 0.1f, 0.1f);
  FOR_EACH_ROW(kernels, reduce_f32) EXPECT_NEAR((double)kernels->reduce_f32->sum(n, x.data), 100000.0, 0.5);
  operand_free(x);
}

TEST(transposition_and_copy) {
  random_seed();
  FOR_EACH_ROW(kernels, transpose_f32) {
    for (int round = 0; round < 1000; round++) {
      const size_t rows = random_size(1, 50), columns = random_size(1, 50);
      const size_t from_stride = columns + random_size(0, 5), to_stride = rows + random_size(0, 5);
      operand from = operand_make((rows - 1) * from_stride + columns, -1, 1);
      const size_t to_count = (columns - 1) * to_stride + rows;
      operand to = operand_make(to_count, 7, 7), copy = operand_make((rows - 1) * from_stride + columns, 7, 7);
      kernels->transpose_f32->transpose(from.data, (ptrdiff_t)from_stride, rows, columns, to.data,
                                        (ptrdiff_t)to_stride);
      kernels->transpose_f32->copy(from.data, (ptrdiff_t)from_stride, rows, columns, copy.data, (ptrdiff_t)from_stride);
      size_t wrong = 0;
      for (size_t i = 0; i < to_count; i++) {
        const size_t r = i % to_stride, c = i / to_stride;
        wrong += to.data[i] != (r < rows ? from.data[r * from_stride + c] : 7);
      }
      for (size_t i = 0; i < (rows - 1) * from_stride + columns; i++)
        wrong += copy.data[i] != (i % from_stride < columns ? from.data[i] : 7);
      EXPECT_EQ(wrong, 0);
      operand_free(from), operand_free(to), operand_free(copy);
    }
  }
}

TEST_MAIN(T(rows), T(long_sums_stay_accurate), T(transposition_and_copy))
