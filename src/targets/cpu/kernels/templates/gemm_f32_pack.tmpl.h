/* What stands around the tiles of gemm_f32: panels of B, and rows of A at another pitch. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

PN_INLINE void copy_run(const float *from, size_t count, float *to) {
  size_t i = 0;
  for (; i + VL <= count; i += VL) vf_store(to + i, vf_load(from + i));
  if (i < count) vf_store_head(to + i, vf_head(count - i), vf_load_head(from + i, vf_head(count - i)));
}

static void pack_b(const float *from, ptrdiff_t row_stride, size_t k, size_t n, size_t nr, float *to) {
  for (size_t first = 0; first < n; first += nr) {
    const size_t width = n - first < nr ? n - first : nr;
    for (size_t kk = 0; kk < k; kk++, to += nr) {
      copy_run(from + (ptrdiff_t)kk * row_stride + first, width, to);
      for (size_t j = width; j < nr; j++) to[j] = 0.0f;
    }
  }
}

static void copy_rows(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to,
                      ptrdiff_t to_stride) {
  for (size_t r = 0; r < rows; r++, from += from_stride, to += to_stride) copy_run(from, columns, to);
}
