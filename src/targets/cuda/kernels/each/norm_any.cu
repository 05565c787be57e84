/* Layer and group normalisation and local response normalisation of every float type, with factors that broadcast in
   any way. A row a block; sums in f64. */
#if LRN
KERNEL(lrn_any, struct each_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 row = divide(i, PLANE);
    int channel = (int)(row % (u32)CHANNELS), first = channel - BEFORE, end = channel + AFTER + 1;
    f64 sum = 0;
    if (first < 0) first = 0;
    if (end > CHANNELS) end = CHANNELS;
    for (int c = first; c < end; c++) {
      f64 x = (f64)LOAD(X_TYPE, X, (u32)((int)i + (c - channel) * (int)PLANE.divisor));
      sum += x * x;
    }
    STORE(X_TYPE, Y, i, (X_FORM)((f64)LOAD(X_TYPE, X, i) / pow(BIAS_NUMBER + ALPHA * sum, BETA)));
  }
}
#else
KERNEL(norm_any, struct each_arguments) {
  for (u32 r = BLOCK_X; r < a.count; r += BLOCKS_X) {
    u32 first = r * (u32)LENGTH;
    f64 mean = 0, square = 0;
    if (CENTERS)
      for (u32 i = THREAD; i < (u32)LENGTH; i += THREADS) mean += (f64)LOAD(X_TYPE, X, first + i);
    BLOCK_REDUCE(f64, mean, SUM_OF);
    mean /= LENGTH;
    for (u32 i = THREAD; i < (u32)LENGTH; i += THREADS) {
      f64 v = (f64)LOAD(X_TYPE, X, first + i) - mean;
      square += v * v;
    }
    BLOCK_REDUCE(f64, square, SUM_OF);
    f64 inverse = 1 / sqrt(square / LENGTH + EPSILON);
    if (THREAD == 0 && WITH_MEAN) STORE(MEAN_TYPE, MEAN, r, (MEAN_FORM)mean);
    if (THREAD == 0 && WITH_INVERSE) STORE(INVERSE_TYPE, INVERSE, r, (INVERSE_FORM)inverse);
    for (u32 i = THREAD; WITH_Y && i < (u32)LENGTH; i += THREADS) {
      u32 rest = first + i, scale = 0, bias = 0;
      f64 v = ((f64)LOAD(X_TYPE, X, first + i) - mean) * inverse;
      for (int d = RANK - 1; d >= 0; d--) {
        u32 outer = divide(rest, DIMS(d)), at = rest - outer * DIMS(d).divisor;
        scale += at * (u32)SCALE_STRIDES(d);
        bias += at * (u32)BIAS_STRIDES(d);
        rest = outer;
      }
      if (WITH_SCALE) v *= (f64)LOAD(SCALE_TYPE, SCALE, scale);
      if (WITH_BIAS) v += (f64)LOAD(BIAS_TYPE, BIAS, bias);
      STORE(X_TYPE, Y, first + i, (X_FORM)v);
    }
  }
}
#endif
