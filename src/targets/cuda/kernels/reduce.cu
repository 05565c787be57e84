/* Reductions over any axes. X is the type in memory, F the form it is accumulated in; BEGIN, TAKE(sum, x),
   COMBINE(a, b) and FINISH(sum) say which; KEPT and REDUCED are counts of axes. reduce_block has a block for each
   result, reduce_thread a thread, which is better where neighbouring results are neighbours in memory. */
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
