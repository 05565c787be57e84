/* Convolutions, transposed ones and those of integers, of any rank and any types: a result a thread. S is the form of
   sums; what is not there of zero points and bias is compiled out. */
KERNEL(conv_any, struct each_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    int place[AXES];
    u32 rest = i;
    for (int d = AXES - 1; d >= 0; d--) {
      u32 outer = divide(rest, OUTPUT(d));
      place[d] = (int)(rest - outer * OUTPUT(d).divisor);
      rest = outer;
    }
    u32 n = divide(rest, CHANNELS), m = rest - n * CHANNELS.divisor, group = divide(m, MEMBERS);
    u32 x_first = (n * (u32)GROUPS + group) * (u32)IN_CHANNELS, member = m - group * MEMBERS.divisor;
    S sum = WITH_BIAS ? (S)LOAD(BIAS_TYPE, BIAS, m) : 0;
    S x_zero = WITH_X_ZERO ? (S)LOAD(X_ZERO_TYPE, X_ZERO, 0) : 0;
    S w_zero = WITH_W_ZERO ? (S)LOAD(W_ZERO_TYPE, W_ZERO, ZERO_EACH ? m : 0) : 0;
    for (u32 tap = 0; tap < (u32)TAPS; tap++) {
      int offset = 0, step = 1, inside = 1;
      rest = tap;
      for (int d = AXES - 1; d >= 0; d--) {
        u32 outer = divide(rest, KERNEL_EXTENT(d));
        int t = (int)(rest - outer * KERNEL_EXTENT(d).divisor);
#if TRANSPOSED
        int far = place[d] + PAD(d) - t * DILATION(d), at = far / STRIDE(d);
        inside = inside && far >= 0 && at * STRIDE(d) == far && at < INPUT(d);
#else
        int at = place[d] * STRIDE(d) - PAD(d) + t * DILATION(d);
        inside = inside && at >= 0 && at < INPUT(d);
#endif
        offset += at * step;
        step *= INPUT(d);
        rest = outer;
      }
      if (!inside) continue;
      for (u32 c = 0; c < (u32)IN_CHANNELS; c++) {
        u32 from = (x_first + c) * (u32)PLANE + (u32)offset;
        u32 weight = TRANSPOSED ? ((group * (u32)IN_CHANNELS + c) * MEMBERS.divisor + member) * (u32)TAPS + tap
                                : (m * (u32)IN_CHANNELS + c) * (u32)TAPS + tap;
        sum += ((S)LOAD(X_TYPE, X, from) - x_zero) * ((S)LOAD(W_TYPE, W, weight) - w_zero);
      }
    }
    STORE(Y_TYPE, Y, i, RESULT(sum));
  }
}
