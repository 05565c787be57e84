/* What a test picks out, in order: non_zero and compress. Blocks count the elements that hold in pieces of PIECE, one
   block adds the counts up, and then every piece knows where its own begin, so that the order is that of the elements
   whatever the order of the blocks.

   The workspace has a number a piece: its count, then where its results begin; behind them, for compress, the slices
   that are kept. */
#define PIECE  4096
#define STARTS ((u32 *)a.workspace)
#define KEPT   ((u32 *)a.workspace + PIECES)

#if COUNTS
KERNEL(select_count, struct each_arguments) {
  for (u32 piece = BLOCK_X; piece < a.count; piece += BLOCKS_X) {
    u32 first = piece * PIECE, end = (u32)ELEMENTS - first < PIECE ? (u32)ELEMENTS : first + PIECE, found = 0;
    for (u32 i = first + THREAD; i < end; i += THREADS) found += LOAD(X_TYPE, X, i) != 0;
    BLOCK_REDUCE(u32, found, SUM_OF);
    if (THREAD == 0) STARTS[piece] = found;
  }
}
#elif ADDS
/* One block. */
KERNEL(select_add, struct each_arguments) {
  u32 so_far = 0;
  for (u32 first = 0; first < (u32)PIECES; first += THREADS) {
    u32 piece = first + THREAD, found = piece < (u32)PIECES ? STARTS[piece] : 0, before, all;
    BLOCK_SCAN(found, before, all);
    if (piece < (u32)PIECES) STARTS[piece] = so_far + before;
    so_far += all;
  }
  if (THREAD == 0) *a.found = so_far;
}
#elif WRITES
KERNEL(select_write, struct each_arguments) {
  for (u32 piece = BLOCK_X; piece < a.count; piece += BLOCKS_X) {
    u32 first = piece * PIECE, end = (u32)ELEMENTS - first < PIECE ? (u32)ELEMENTS : first + PIECE, at = STARTS[piece];
    for (; first < end; first += THREADS) {
      u32 i = first + THREAD, holds = i < end && LOAD(X_TYPE, X, i) != 0, before, all;
      BLOCK_SCAN(holds, before, all);
      if (holds) {
#if NON_ZERO
        u32 rest = i, total = (u32)*a.found;
        for (int d = RANK - 1; d >= 0; d--) {
          u32 outer = divide(rest, DIMS(d));
          ((i64 *)Y)[(u32)d * total + at + before] = (i64)(rest - outer * DIMS(d).divisor);
          rest = outer;
        }
#else
        KEPT[at + before] = i;
#endif
      }
      at += all;
    }
  }
}
#elif COPIES
/* Of the elements that there are at most, those that there are. */
KERNEL(select_copy, struct each_arguments) {
  u32 kept = (u32)*a.found, inner = INNER.divisor, all = (u32)OUTER * kept * inner;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < all; i += BLOCKS_X * THREADS) {
    u32 row = divide(i, INNER), outer = row / kept;
    u32 from = (outer * (u32)EXTENT + KEPT[row - outer * kept]) * inner + (i - row * inner);
    ((Y_WORD *)Y)[i] = ((const Y_WORD *)FROM)[from];
  }
}
#endif
