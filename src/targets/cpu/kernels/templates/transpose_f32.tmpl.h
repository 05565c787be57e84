/* transpose_f32: squares of VL x VL floats in registers; what does not fill a square goes through its head.

   There is no row for AVX-512: squares of 16 x 16 move 9 G floats/s on Zen 4 where squares of 8 x 8 move 14, so AVX-512
   machines get the row of AVX2. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

/* One square of |rows| x |columns|, whole when both are VL. */
PN_INLINE void square(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to,
                      ptrdiff_t to_stride, int whole) {
  vf v[VL];
  const vhead row_head = vf_head(rows), column_head = vf_head(columns);
  PN_UNROLL
  for (int r = 0; r < VL; r++) {
    if (whole)
      v[r] = vf_load(from + r * from_stride);
    else
      v[r] = (size_t)r < rows ? vf_load_head(from + r * from_stride, column_head) : vf_zero();
  }
  vf_transpose(v);
  PN_UNROLL
  for (int c = 0; c < VL; c++) {
    if (whole)
      vf_store(to + c * to_stride, v[c]);
    else if ((size_t)c < columns)
      vf_store_head(to + c * to_stride, row_head, v[c]);
  }
}

/* Few rows, columns written without gaps (the channels of a picture): whole vectors are stored, each of which writes
   over what the one before left behind its column; stores of a head are many times dearer. Returns how many columns are
   done: the last ones have no room behind them. */
PN_INLINE size_t interleave(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to) {
  size_t c = 0;
  for (; c + VL <= columns && (c + VL - 1) * rows + VL <= columns * rows; c += VL) {
    vf v[VL];
    PN_UNROLL
    for (int r = 0; r < VL; r++) v[r] = (size_t)r < rows ? vf_load(from + r * from_stride + (ptrdiff_t)c) : vf_zero();
    vf_transpose(v);
    PN_UNROLL
    for (int k = 0; k < VL; k++) vf_store(to + (c + (size_t)k) * rows, v[k]);
  }
  return c;
}

static void transpose(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to,
                      ptrdiff_t to_stride) {
  if (rows < VL && to_stride == (ptrdiff_t)rows) {
    size_t done = interleave(from, from_stride, rows, columns, to);
    from += done;
    to += done * rows;
    columns -= done;
  }
  /* Squares down a column of squares first: their stores then go along VL runs, which is what the write side wants. */
  for (size_t c = 0; c < columns; c += VL) {
    const size_t width = columns - c < VL ? columns - c : VL;
    for (size_t r = 0; r < rows; r += VL) {
      const size_t height = rows - r < VL ? rows - r : VL;
      const float *f = from + (ptrdiff_t)r * from_stride + c;
      float *t = to + (ptrdiff_t)c * to_stride + r;
      if (width == VL && height == VL)
        square(f, from_stride, VL, VL, t, to_stride, 1);
      else
        square(f, from_stride, height, width, t, to_stride, 0);
    }
  }
}

static void copy(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to,
                 ptrdiff_t to_stride) {
  for (size_t r = 0; r < rows; r++, from += from_stride, to += to_stride) {
    size_t i = 0;
    for (; i + VL <= columns; i += VL) vf_store(to + i, vf_load(from + i));
    const vhead head = vf_head(columns - i);
    if (i < columns) vf_store_head(to + i, head, vf_load_head(from + i, head));
  }
}

static const pn_cpu_transpose_f32 table = {.transpose = transpose, .copy = copy};
