/* Interpolation as a weighted sum over AXES axes, each with its own table of taps. An index of -1 is the extrapolation
   value. TAPS_<d> are the axes' counts of taps, made known here so that loops of one tap vanish. */
KERNEL(resize, struct resize_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 rest = i;
    int at[AXES], to = 0, total = 1;
    UNROLL
    for (int d = AXES - 1; d >= 0; d--) {
      u32 outer = d ? divide(rest, a.dims[d]) : 0;
      at[d] = (int)(rest - outer * a.dims[d].divisor);
      to += at[d] * a.to[d];
      rest = outer;
      total *= a.taps[d];
    }
    f32 sum = 0;
    int outside = 0;
    for (int t = 0; t < total; t++) {
      int left = t, from = 0;
      f32 weight = 1;
      UNROLL
      for (int d = AXES - 1; d >= 0; d--) {
        int tap = left % a.taps[d];
        left /= a.taps[d];
        int k = at[d] * a.taps[d] + tap;
        int index = a.index[d] ? a.index[d][k] : at[d];
        if (a.index[d]) weight *= a.weight[d][k];
        outside |= index < 0;
        from += (index < 0 ? 0 : index) * a.from[d];
      }
      if (weight != 0) sum += weight * LOAD(X, a.source, (u32)from);
    }
    STORE(X, a.target, (u32)to, outside ? a.extrapolation : sum);
  }
}
