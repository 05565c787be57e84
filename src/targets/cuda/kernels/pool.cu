/* Pooling over up to three spatial axes, in any layout. KIND: 0 the greatest, 1 the mean, 2 the p-norm. Threads go
   along the result as CHANNELS_LAST or plain stores it. */
#if !VECTOR
KERNEL(pool, struct pool_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 rest = i, next, channel = 0, at[3];
    if (CHANNELS_LAST) {
      next = divide(rest, a.channels);
      channel = rest - next * a.channels.divisor;
      rest = next;
    }
    for (int d = 2; d >= 0; d--) {
      next = divide(rest, a.window.output[d]);
      at[d] = rest - next * a.window.output[d].divisor;
      rest = next;
    }
    if (!CHANNELS_LAST) {
      next = divide(rest, a.channels);
      channel = rest - next * a.channels.divisor;
      rest = next;
    }
    int start[3], from = (int)rest * a.from_batch + (int)channel * a.from_channel, counted = 0, padded = 1;
    for (int d = 0; d < 3; d++) {
      start[d] = (int)at[d] * a.window.stride[d] - a.window.pad[d];
      int inside = 0; /* taps within the input and its pads */
      for (int t = 0; t < a.window.kernel[d]; t++)
        inside += start[d] + t * a.window.dilation[d] < a.window.input[d] + a.window.pad_end[d];
      padded *= inside;
    }
    f32 sum = KIND == 0 ? -INFINITE : 0;
    for (int z = 0; z < a.window.kernel[0]; z++) {
      int pz = start[0] + z * a.window.dilation[0];
      if (pz < 0 || pz >= a.window.input[0]) continue;
      for (int y = 0; y < a.window.kernel[1]; y++) {
        int py = start[1] + y * a.window.dilation[1];
        if (py < 0 || py >= a.window.input[1]) continue;
        for (int x = 0; x < a.window.kernel[2]; x++) {
          int px = start[2] + x * a.window.dilation[2];
          if (px < 0 || px >= a.window.input[2]) continue;
          f32 v = LOAD(X, a.source, (u32)(from + pz * a.from_axis[0] + py * a.from_axis[1] + px * a.from_axis[2]));
          counted++;
          if (KIND == 0) sum = GREATER_OF(v, sum);
          if (KIND == 1) sum += v;
          if (KIND == 2) sum += powf(fabsf(v), a.power);
        }
      }
    }
    if (KIND == 1) sum /= (f32)(a.count_pads ? padded : counted);
    if (KIND == 2) sum = powf(sum, 1 / a.power);
    STORE(X, a.target,
          (u32)((int)rest * a.to_batch + (int)channel * a.to_channel + (int)at[0] * a.to_axis[0] +
                (int)at[1] * a.to_axis[1] + (int)at[2] * a.to_axis[2]),
          sum);
  }
}

#else
/* In channels_last, VECTOR channels of a result a thread, in 16 bytes: all strides and |channels| count these. Small
   windows have constant extents, TAPS, so that all of a window's loads are under way at once. OUTSIDE is what 4 bytes
   outside of the input count as. */
DEVICE void pool_quads(const struct pool_arguments *a, int aligned) {
  const int taps[3] = TAPS;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a->count; i += BLOCKS_X * THREADS) {
    u32 rest = divide(i, a->channels), channel = i - rest * a->channels.divisor, at[3];
    int start[3], counted = 0, padded = 1;
    UNROLL
    for (int d = 2; d >= 0; d--) {
      u32 next = divide(rest, a->window.output[d]);
      at[d] = rest - next * a->window.output[d].divisor;
      rest = next;
      start[d] = (int)at[d] * a->window.stride[d] - a->window.pad[d];
      int inside = 0;
      for (int t = 0; KIND == 1 && t < taps[d]; t++)
        inside += start[d] + t * a->window.dilation[d] < a->window.input[d] + a->window.pad_end[d];
      padded *= inside;
    }
    int from = (int)rest * a->from_batch + (int)channel;
    f32 sum[VECTOR];
    UNROLL
    for (u32 e = 0; e < VECTOR; e++) sum[e] = KIND == 0 ? -INFINITE : 0;
    UNROLL
    for (int z = 0; z < taps[0]; z++) {
      int pz = start[0] + z * a->window.dilation[0];
      UNROLL
      for (int y = 0; y < taps[1]; y++) {
        int py = start[1] + y * a->window.dilation[1];
        UNROLL
        for (int x = 0; x < taps[2]; x++) {
          int px = start[2] + x * a->window.dilation[2];
          int there = pz >= 0 && pz < a->window.input[0] && py >= 0 && py < a->window.input[1] && px >= 0 &&
                      px < a->window.input[2];
          quad v = {OUTSIDE, OUTSIDE, OUTSIDE, OUTSIDE};
          if (there)
            v = load_quad(a->source, (u32)(from + pz * a->from_axis[0] + py * a->from_axis[1] + px * a->from_axis[2]),
                          aligned);
          counted += there;
          UNROLL
          for (u32 e = 0; e < VECTOR; e++) {
            f32 one = LOAD(X, &v, e);
            if (KIND == 0) sum[e] = GREATER_OF(one, sum[e]);
            if (KIND == 1) sum[e] += one;
          }
        }
      }
    }
    f32 count = (f32)(a->count_pads ? padded : counted);
    quad all;
    UNROLL
    for (u32 e = 0; e < VECTOR; e++) STORE(X, &all, e, KIND == 1 ? sum[e] / count : sum[e]);
    store_quad(a->target,
               (u32)((int)rest * a->to_batch + (int)channel + (int)at[0] * a->to_axis[0] + (int)at[1] * a->to_axis[1] +
                     (int)at[2] * a->to_axis[2]),
               all, aligned);
  }
}

KERNEL(pool_vector, struct pool_arguments) {
  if (a.aligned)
    pool_quads(&a, 1);
  else
    pool_quads(&a, 0);
}
#endif
