/* Softmax along an axis; LOGARITHM: its logarithm. X in memory, F the form. softmax_block has a block for each row,
   softmax_thread a thread, for short rows and for rows whose neighbours lie beside them, softmax_warp a warp, which
   keeps the row in COUNT registers a thread. */
#define NEAR_EXP(v) near_power_of_two((v) * 1.44269504f)

KERNEL(softmax_block, struct rows_arguments) {
  for (u32 r = BLOCK_X; r < a.rows; r += BLOCKS_X) {
    u32 outer = divide(r, a.inner), step = a.inner.divisor;
    u32 first = outer * a.length * step + (r - outer * step);
    F most = -INFINITE, sum = 0;
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      F x = LOAD(X, a.source, first + i * step);
      most = GREATER_OF(x, most);
    }
    BLOCK_REDUCE(F, most, GREATER_OF);
    for (u32 i = THREAD; i < a.length; i += THREADS) sum += EXP(LOAD(X, a.source, first + i * step) - most);
    BLOCK_REDUCE(F, sum, SUM_OF);
    F factor = LOGARITHM ? LOG(sum) : 1 / sum;
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      F x = LOAD(X, a.source, first + i * step) - most;
      STORE(X, a.target, first + i * step, LOGARITHM ? x - factor : EXP(x) * factor);
    }
  }
}

KERNEL(softmax_thread, struct rows_arguments) {
  for (u32 r = BLOCK_X * THREADS + THREAD; r < a.rows; r += BLOCKS_X * THREADS) {
    u32 outer = divide(r, a.inner), step = a.inner.divisor;
    u32 first = outer * a.length * step + (r - outer * step);
    F most = -INFINITE, sum = 0;
    for (u32 i = 0; i < a.length; i++) {
      F x = LOAD(X, a.source, first + i * step);
      most = GREATER_OF(x, most);
    }
    for (u32 i = 0; i < a.length; i++) sum += EXP(LOAD(X, a.source, first + i * step) - most);
    F factor = LOGARITHM ? LOG(sum) : 1 / sum;
    for (u32 i = 0; i < a.length; i++) {
      F x = LOAD(X, a.source, first + i * step) - most;
      STORE(X, a.target, first + i * step, LOGARITHM ? x - factor : EXP(x) * factor);
    }
  }
}

#if COUNT
KERNEL(softmax_warp, struct rows_arguments) {
  u32 lane = THREAD % 32;
  for (u32 base = BLOCK_X * 8; base < a.rows; base += BLOCKS_X * 8) {
    u32 r = base + THREAD / 32, first = r * a.length + lane;
    F x[COUNT], most = -INFINITE, sum = 0;
    UNROLL
    for (u32 i = 0; i < COUNT; i++) {
      x[i] = r < a.rows && lane + i * 32 < a.length ? LOAD(X, a.source, first + i * 32) : -INFINITE;
      most = GREATER_OF(x[i], most);
    }
    WARP_REDUCE(F, most, GREATER_OF);
    UNROLL
    for (u32 i = 0; i < COUNT; i++) {
      int there = lane + i * 32 < a.length;
      x[i] -= most;
      if (LOGARITHM)
        sum += there ? EXP(x[i]) : 0;
      else
        sum += x[i] = there ? EXP(x[i]) : 0;
    }
    WARP_REDUCE(F, sum, SUM_OF);
    F factor = LOGARITHM ? LOG(sum) : 1 / sum;
    UNROLL
    for (u32 i = 0; i < COUNT; i++)
      if (r < a.rows && lane + i * 32 < a.length)
        STORE(X, a.target, first + i * 32, LOGARITHM ? x[i] - factor : x[i] * factor);
  }
}
#endif
