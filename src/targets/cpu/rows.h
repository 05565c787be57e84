/* Rows a constant stride apart, many at once, in kernels that keep their addresses in registers.

   With 28 rows, 28 row pointers would be spilled and reloaded each step, so rows are addressed as base + {0..8} *
   stride from one base every nine rows, which x86 encodes with four index registers (stride times 1, 3, 5, 7, scaled by
   1, 2, 4, 8). Compilers undo that unless the indices are opaque to them. */
#ifndef PN_TARGETS_CPU_ROWS_H
#define PN_TARGETS_CPU_ROWS_H

#include "base/compiler.h"

#include <stddef.h>

enum { ROWS_PER_BASE = 9, ROWS_MAX = 28 };

typedef struct row_bases {
  const char *base[(ROWS_MAX + ROWS_PER_BASE - 1) / ROWS_PER_BASE];
  ptrdiff_t s1, s3, s5, s7; /* bytes */
} row_bases;

/* |count| is a constant after inlining, here and below. */
PN_INLINE row_bases row_bases_at(const float *first, ptrdiff_t stride_bytes, int count) {
  row_bases rows = {.s1 = stride_bytes, .s3 = stride_bytes * 3, .s5 = stride_bytes * 5, .s7 = stride_bytes * 7};
  if (count > 3) PN_OPAQUE(rows.s3);
  if (count > 5) PN_OPAQUE(rows.s5);
  if (count > 7) PN_OPAQUE(rows.s7);
  PN_UNROLL
  for (int g = 0; g < (count + ROWS_PER_BASE - 1) / ROWS_PER_BASE; g++) {
    rows.base[g] = (const char *)first + stride_bytes * (g * ROWS_PER_BASE);
    PN_OPAQUE(rows.base[g]);
  }
  return rows;
}

PN_INLINE void row_bases_advance(row_bases *rows, size_t bytes, int count) {
  PN_UNROLL
  for (int g = 0; g < (count + ROWS_PER_BASE - 1) / ROWS_PER_BASE; g++) {
    rows->base[g] += bytes;
    PN_OPAQUE(rows->base[g]);
  }
}

PN_INLINE const float *row_address(const row_bases *rows, int row) {
  const char *base = rows->base[row / ROWS_PER_BASE];
  switch (row % ROWS_PER_BASE) { /* |row| is a constant after unrolling */
  case 0: break;
  case 1: base += rows->s1; break;
  case 2: base += rows->s1 * 2; break;
  case 3: base += rows->s3; break;
  case 4: base += rows->s1 * 4; break;
  case 5: base += rows->s5; break;
  case 6: base += rows->s3 * 2; break;
  case 7: base += rows->s7; break;
  default: base += rows->s1 * 8; break;
  }
  return (const float *)(const void *)base;
}

#endif
