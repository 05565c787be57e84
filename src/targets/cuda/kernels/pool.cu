/* Pooling over up to three spatial axes, in any layout. KIND: 0 the greatest, 1 the mean, 2 the p-norm. Threads go
   along the result as CHANNELS_LAST or plain stores it. */
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
