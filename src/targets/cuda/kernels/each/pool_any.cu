/* Pooling of any type and rank, with or without the places of the greatest: a result a thread. The first of equal
   elements is taken; NaN beats numbers. KIND: 0 the greatest, 1 the mean, 2 the p-norm. */
KERNEL(pool_any, struct each_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    int start[AXES], best = -1, counted = 0, padded = 1;
    i64 best_index = -1;
    u32 rest = i;
    S sum = 0;
    for (int d = AXES - 1; d >= 0; d--) {
      u32 outer = divide(rest, OUTPUT(d));
      int inside = 0;
      start[d] = (int)(rest - outer * OUTPUT(d).divisor) * STRIDE(d) - PAD(d);
      rest = outer;
      for (int t = 0; t < (int)KERNEL_EXTENT(d).divisor; t++)
        inside += start[d] + t * DILATION(d) < INPUT(d) + PAD_END(d);
      padded *= inside;
    }
    u32 first = rest * (u32)PLANE;
    X_FORM most = 0;
    for (u32 tap = 0; tap < (u32)TAPS; tap++) {
      int offset = 0, step = 1, inside = 1;
      i64 index = 0;
      rest = tap;
      for (int d = AXES - 1; d >= 0; d--) {
        u32 outer = divide(rest, KERNEL_EXTENT(d));
        int at = start[d] + (int)(rest - outer * KERNEL_EXTENT(d).divisor) * DILATION(d);
        inside = inside && at >= 0 && at < INPUT(d);
        offset += at * step;
        index += (i64)at * INDEX_STRIDE(d);
        step *= INPUT(d);
        rest = outer;
      }
      if (!inside) continue;
      X_FORM v = LOAD(X_TYPE, X, first + (u32)offset);
      counted++;
#if KIND == 0
      if (best < 0 || v > most || (v != v && most == most)) {
        best = (int)first + offset;
        best_index = (i64)first + index;
        most = v;
      }
#elif KIND == 1
      sum += (S)v;
#else
      S size = v < 0 ? -(S)v : (S)v;
      sum += POWER == 1 ? size : POWER == 2 ? size * size : POW(size, (S)POWER);
#endif
    }
#if KIND == 0
    if (WITH_Y && best >= 0) ((X_WORD *)Y)[i] = ((const X_WORD *)X)[best];
    if (WITH_Y && best < 0) STORE(X_TYPE, Y, i, LOWEST);
    if (WITH_INDICES) ((i64 *)INDICES)[i] = best_index;
#elif KIND == 1
    if (!COUNT_PADS) padded = counted;
    STORE(X_TYPE, Y, i, (X_FORM)(padded > 0 ? sum / (S)padded : 0));
#else
    STORE(X_TYPE, Y, i, (X_FORM)(POWER == 1 ? sum : POWER == 2 ? SQRT(sum) : POW(sum, 1 / (S)POWER)));
#endif
  }
}
