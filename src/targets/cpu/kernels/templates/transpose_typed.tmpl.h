/* transpose_typed: squares of 16-byte vectors. Each round interleaves the vectors of the upper half of the square with
   those of the lower; after as many rounds as the side has bits, rows are columns. Matrices of few rows or columns, such
   as pictures of three channels, are loops over a constant count, for which compilers find the shuffles; squares would
   be mostly empty there. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

#include <string.h>

typedef uint8_t lanes_uint8_t PN_VECTOR(16);
typedef uint16_t lanes_uint16_t PN_VECTOR(16);
typedef uint32_t lanes_uint32_t PN_VECTOR(16);
typedef uint64_t lanes_uint64_t PN_VECTOR(16);

#define LOW_uint8_t(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_uint8_t(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_uint16_t(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_uint16_t(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW_uint32_t(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_uint32_t(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW_uint64_t(a, b) __builtin_shufflevector(a, b, 0, 2)
#define HIGH_uint64_t(a, b) __builtin_shufflevector(a, b, 1, 3)

#define TRANSPOSE(type)                                                                                              \
  enum { SIDE_##type = 16 / sizeof(type) };                                                                          \
  PN_INLINE void square_##type(const type *from, ptrdiff_t from_stride, type *to, ptrdiff_t to_stride) {             \
    lanes_##type v[SIDE_##type], w[SIDE_##type];                                                                     \
    PN_UNROLL                                                                                                        \
    for (int r = 0; r < SIDE_##type; r++) memcpy(&v[r], from + r * from_stride, sizeof v[r]);                        \
    PN_UNROLL                                                                                                        \
    for (int side = 1; side < SIDE_##type; side *= 2) {                                                              \
      PN_UNROLL                                                                                                      \
      for (int i = 0; i < SIDE_##type / 2; i++) {                                                                    \
        w[2 * i] = LOW_##type(v[i], v[i + SIDE_##type / 2]);                                                         \
        w[2 * i + 1] = HIGH_##type(v[i], v[i + SIDE_##type / 2]);                                                    \
      }                                                                                                              \
      PN_UNROLL                                                                                                      \
      for (int i = 0; i < SIDE_##type; i++) v[i] = w[i];                                                             \
    }                                                                                                                \
    PN_UNROLL                                                                                                        \
    for (int c = 0; c < SIDE_##type; c++) memcpy(to + c * to_stride, &v[c], sizeof v[c]);                            \
  }                                                                                                                  \
  PN_INLINE void rest_##type(const type *from, ptrdiff_t from_stride, size_t rows, size_t columns, type *to,         \
                             ptrdiff_t to_stride) {                                                                  \
    for (size_t c = 0; c < columns; c++)                                                                             \
      for (size_t r = 0; r < rows; r++)                                                                              \
        to[(ptrdiff_t)c * to_stride + (ptrdiff_t)r] = from[(ptrdiff_t)r * from_stride + (ptrdiff_t)c];               \
  }                                                                                                                  \
  /* |rows| is a constant after inlining; in the result rows lie without gaps. */                                    \
  PN_INLINE void join_##type(const type *from, ptrdiff_t from_stride, size_t rows, size_t columns, type *to) {       \
    PN_IVDEP for (size_t c = 0; c < columns; c++) {                                                                  \
      PN_UNROLL                                                                                                      \
      for (size_t r = 0; r < rows; r++) to[c * rows + r] = from[(ptrdiff_t)r * from_stride + (ptrdiff_t)c];          \
    }                                                                                                                \
  }                                                                                                                  \
  PN_INLINE void part_##type(const type *from, size_t rows, size_t columns, type *to, ptrdiff_t to_stride) {         \
    PN_IVDEP for (size_t r = 0; r < rows; r++) {                                                                     \
      PN_UNROLL                                                                                                      \
      for (size_t c = 0; c < columns; c++) to[(ptrdiff_t)c * to_stride + (ptrdiff_t)r] = from[r * columns + c];      \
    }                                                                                                                \
  }                                                                                                                  \
  static void transpose_##type(const void *from_start, ptrdiff_t from_stride, size_t rows, size_t columns,           \
                               void *to_start, ptrdiff_t to_stride) {                                                \
    const type *from = from_start;                                                                                   \
    type *to = to_start;                                                                                             \
    if (to_stride == (ptrdiff_t)rows && rows >= 2 && rows <= 4) {                                                    \
      if (rows == 2) join_##type(from, from_stride, 2, columns, to);                                                 \
      if (rows == 3) join_##type(from, from_stride, 3, columns, to);                                                 \
      if (rows == 4) join_##type(from, from_stride, 4, columns, to);                                                 \
      return;                                                                                                        \
    }                                                                                                                \
    if (from_stride == (ptrdiff_t)columns && columns >= 2 && columns <= 4) {                                         \
      if (columns == 2) part_##type(from, rows, 2, to, to_stride);                                                   \
      if (columns == 3) part_##type(from, rows, 3, to, to_stride);                                                   \
      if (columns == 4) part_##type(from, rows, 4, to, to_stride);                                                   \
      return;                                                                                                        \
    }                                                                                                                \
    const size_t side = SIDE_##type, whole_rows = rows / side * side, whole_columns = columns / side * side;         \
    for (size_t c = 0; c < whole_columns; c += side)                                                                 \
      for (size_t r = 0; r < whole_rows; r += side)                                                                  \
        square_##type(from + (ptrdiff_t)r * from_stride + (ptrdiff_t)c, from_stride,                                 \
                      to + (ptrdiff_t)c * to_stride + (ptrdiff_t)r, to_stride);                                      \
    rest_##type(from + (ptrdiff_t)whole_rows * from_stride, from_stride, rows - whole_rows, whole_columns,           \
                to + whole_rows, to_stride);                                                                         \
    rest_##type(from + whole_columns, from_stride, rows, columns - whole_columns,                                    \
                to + (ptrdiff_t)whole_columns * to_stride, to_stride);                                               \
  }
TRANSPOSE(uint8_t)
TRANSPOSE(uint16_t)
TRANSPOSE(uint32_t)
TRANSPOSE(uint64_t)

static const pn_cpu_transpose_typed table = {
    .transpose = {transpose_uint8_t, transpose_uint16_t, transpose_uint32_t, transpose_uint64_t}};
