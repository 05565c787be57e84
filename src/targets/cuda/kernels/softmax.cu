/* Softmax along an axis; LOGARITHM: its logarithm. X in memory, F the form. softmax_block has a block for each row,
   softmax_thread a thread, for short rows and for rows whose neighbours lie beside them. */
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
