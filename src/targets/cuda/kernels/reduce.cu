/* Reductions over any axes. X is the type in memory, F the form it is accumulated in; BEGIN, TAKE(sum, x),
   COMBINE(a, b) and FINISH(sum) say which; KEPT and REDUCED are counts of axes. reduce_block has a block for each
   result, reduce_thread a thread, which is better where neighbouring results are neighbours in memory; there, of f32
   and of 16 bits, reduce_columns reads PIECE of them at once, 16 bytes: a block has the elements of COLUMNS neighbours,
   and its threads are LINES, of which each takes every so many-th. The first of |kept| is then the axis around. */
DEVICE int place_of(u32 rest, const struct divider *dims, const int *strides, int axes) {
  int place = 0;
  for (int d = axes - 1; d >= 0; d--) {
    u32 outer = d ? divide(rest, dims[d]) : 0;
    place += (int)(rest - outer * dims[d].divisor) * strides[d];
    rest = outer;
  }
  return place;
}

KERNEL(reduce_block, struct reduce_arguments) {
  for (u32 r = BLOCK_X; r < a.count; r += BLOCKS_X) {
    int from = place_of(r, a.kept, a.kept_from, KEPT);
    F sum = BEGIN;
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      F x = LOAD(X, a.source, (u32)(from + place_of(i, a.reduced, a.reduced_from, REDUCED)));
      sum = TAKE(sum, x);
    }
    BLOCK_REDUCE(F, sum, COMBINE);
    if (THREAD == 0) STORE(X, a.target, (u32)place_of(r, a.kept, a.kept_to, KEPT), FINISH(sum));
  }
}

KERNEL(reduce_thread, struct reduce_arguments) {
  for (u32 r = BLOCK_X * THREADS + THREAD; r < a.count; r += BLOCKS_X * THREADS) {
    int from = place_of(r, a.kept, a.kept_from, KEPT);
    F sum = BEGIN;
    for (u32 i = 0; i < a.length; i++) {
      F x = LOAD(X, a.source, (u32)(from + place_of(i, a.reduced, a.reduced_from, REDUCED)));
      sum = TAKE(sum, x);
    }
    STORE(X, a.target, (u32)place_of(r, a.kept, a.kept_to, KEPT), FINISH(sum));
  }
}

#if COLUMNS
enum { PIECES = COLUMNS / PIECE, LINES = 256 / PIECES };

KERNEL(reduce_columns, struct reduce_arguments) {
  SHARED F part[LINES][COLUMNS + 1];
  u32 columns = a.kept[1].divisor, own = THREAD % PIECES * PIECE, line = THREAD / PIECES, column = BLOCK_X * COLUMNS;
  int first = (int)BLOCK_Y * a.kept_from[0] + (int)(column + own);
  F sum[PIECE];
  UNROLL
  for (u32 k = 0; k < PIECE; k++) {
    int from = column + own < columns ? first + (int)k : 0;
    sum[k] = BEGIN;
  }
  for (u32 i = line; i < a.length && column + own < columns; i += 4 * LINES) {
    quad all[4]; /* on their way together */
    UNROLL
    for (u32 j = 0; j < 4; j++)
      if (i + j * LINES < a.length)
        all[j] = load_quad((const char *)a.source +
                               (u64)(u32)(first + (int)(i + j * LINES) * a.reduced_from[0]) * (16 / PIECE),
                           0, a.aligned);
    UNROLL
    for (u32 j = 0; j < 4; j++) {
      UNROLL
      for (u32 k = 0; k < PIECE; k++) {
        if (i + j * LINES >= a.length) continue;
        F x = LOAD(X, &all[j], k);
        sum[k] = TAKE(sum[k], x);
      }
    }
  }
  UNROLL
  for (u32 k = 0; k < PIECE; k++) part[line][own + k] = sum[k];
  BARRIER();
  for (u32 lines = LINES / 2; lines > 0; lines /= 2) {
    for (u32 i = THREAD; i < lines * COLUMNS; i += 256) {
      u32 l = i / COLUMNS, c = i % COLUMNS;
      part[l][c] = COMBINE(part[l][c], part[l + lines][c]);
    }
    BARRIER();
  }
  for (u32 c = THREAD; c < COLUMNS; c += 256)
    if (column + c < columns)
      STORE(X, a.target, (u32)((int)BLOCK_Y * a.kept_to[0] + (int)(column + c) * a.kept_to[1]), FINISH(part[0][c]));
}
#endif
