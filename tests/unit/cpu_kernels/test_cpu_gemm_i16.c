/* gemm_i16 against plain loops: every tile, all remainders of columns, odd depths, both kinds of bytes at the ends of
   their range with zero points at the other. */
#include "operands.h"

static int byte_at(const operand *o, int is_signed, size_t i) {
  return is_signed ? ((const int8_t *)(const void *)o->data)[i] : ((const uint8_t *)(const void *)o->data)[i];
}

static operand bytes_make(size_t count) {
  operand o = operand_raw(count);
  uint8_t *bytes = (uint8_t *)(void *)o.data;
  for (size_t i = 0; i < count; i++) {
    const size_t kind = random_size(0, 3); /* extremes are half of all */
    bytes[i] = (uint8_t)(kind == 0 ? 0x80 : kind == 1 ? 0x7f : random_bits() & 255);
  }
  return o;
}

static void expect_tile(const pn_cpu_kernels *kernels, size_t mr, size_t n, size_t k) {
  const pn_cpu_gemm_i16 *gemm = kernels->gemm_i16;
  const size_t pairs = (k + 1) / 2, nr = gemm->nr, b_stride = n + random_size(0, 3), c_stride = n + random_size(0, 3);
  const int a_signed = (int)random_size(0, 1), b_signed = (int)random_size(0, 1), a_zero = a_signed ? -128 : 255;
  operand a = bytes_make(mr * k), b = bytes_make((k - 1) * b_stride + n), zeros = operand_raw(n * sizeof(int16_t));
  operand wide = operand_raw(mr * pairs * 2 * sizeof(int16_t)), panel = operand_raw(pairs * 2 * nr * sizeof(int16_t));
  operand c = operand_raw(((mr - 1) * c_stride + n) * sizeof(int32_t));
  int16_t *zero = (int16_t *)(void *)zeros.data, *rows = (int16_t *)(void *)wide.data;
  int32_t *sums = (int32_t *)(void *)c.data;
  const int32_t untouched = 0x5a5a5a5a;
  for (size_t i = 0; i < (mr - 1) * c_stride + n; i++) sums[i] = untouched;
  for (size_t j = 0; j < n; j++) zero[j] = (int16_t)((b_signed ? -128 : 0) + (int)random_size(0, 255));
  for (size_t r = 0; r < mr; r++) {
    gemm->widen(k, (const uint8_t *)(const void *)a.data + r * k, a_signed, a_zero, rows + r * pairs * 2);
    if (k % 2) rows[r * pairs * 2 + k] = 0;
  }
  gemm->pack(b.data, b_signed, (ptrdiff_t)b_stride, k, n, zero, (int16_t *)(void *)panel.data);
  const pn_cpu_gemm_i16_tile tile = {.a = rows, .a_row_stride = (ptrdiff_t)(pairs * 2), .pairs = pairs,
                                     .b = (const int16_t *)(const void *)panel.data, .c = sums,
                                     .c_row_stride = (ptrdiff_t)c_stride, .n = n};
  gemm->fns[mr - 1](&tile);
  size_t wrong = 0;
  for (size_t i = 0; i < (mr - 1) * c_stride + n; i++) {
    const size_t r = i / c_stride, j = i % c_stride;
    int64_t want = j < n ? 0 : untouched;
    for (size_t kk = 0; j < n && kk < k; kk++)
      want += (int64_t)(byte_at(&a, a_signed, r * k + kk) - a_zero) *
              (byte_at(&b, b_signed, kk * b_stride + j) - zero[j]);
    wrong += sums[i] != want;
  }
  if (wrong) printf("  %s %zu rows n %zu k %zu: %zu wrong\n", kernels->name, mr, n, k, wrong);
  EXPECT_EQ(wrong, 0);
  operand_free(a), operand_free(b), operand_free(zeros), operand_free(wide), operand_free(panel), operand_free(c);
}

TEST(every_tile) {
  random_seed();
  FOR_EACH_ROW(kernels, gemm_i16) {
    for (size_t mr = 1; mr <= kernels->gemm_i16->mr_max; mr++)
      for (size_t n = 1; n <= kernels->gemm_i16->nr; n++) expect_tile(kernels, mr, n, random_size(1, 30));
  }
}

TEST_MAIN(T(every_tile))
