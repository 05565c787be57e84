/* Interpolation as a weighted sum over AXES axes, each with its own table of taps, in the form F: f32, or f64 for f64
   and integers, whose indices and weights are of 8 bytes. An index of -1 is the extrapolation value. COPIES: one tap of
   weight 1 is taken as it is; FINISH(sum) is what a sum of an integer type becomes. TAPS_<d> are the axes' counts of taps, made known here so that loops of one tap vanish. */
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
    F sum = 0;
    int outside = 0;
    for (int t = 0; t < total; t++) {
      int left = t, from = 0;
      F weight = 1;
      UNROLL
      for (int d = AXES - 1; d >= 0; d--) {
        int tap = left % a.taps[d];
        left /= a.taps[d];
        int k = at[d] * a.taps[d] + tap;
        int index = a.index[d] ? (int)((const INDEX *)a.index[d])[k] : at[d];
        if (a.index[d]) weight *= ((const F *)a.weight[d])[k];
        outside |= index < 0;
        from += (index < 0 ? 0 : index) * a.from[d];
      }
      if (COPIES && !outside) ((WORD *)a.target)[to] = ((const WORD *)a.source)[from];
      if (!COPIES && weight != 0) sum += weight * (F)LOAD(X, a.source, (u32)from);
    }
    if (!COPIES || outside) STORE(X, a.target, (u32)to, FINISH(outside ? (F)a.extrapolation : sum));
  }
}
