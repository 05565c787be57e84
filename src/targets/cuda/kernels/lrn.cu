/* Local response normalisation across channels, a thread for each element. */
KERNEL(lrn, struct lrn_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 row = divide(i, a.plane), step = a.plane.divisor;
    int channel = (int)(row - divide(row, a.channel_count) * a.channel_count.divisor);
    int first = channel - a.before < 0 ? 0 : channel - a.before;
    int end = channel + a.after + 1 < (int)a.channels ? channel + a.after + 1 : (int)a.channels;
    f32 sum = 0;
    for (int c = first; c < end; c++) {
      f32 x = LOAD(X, a.source, (u32)((int)i + (c - channel) * (int)step));
      sum += x * x;
    }
    STORE(X, a.target, i, LOAD(X, a.source, i) / powf(a.bias + a.alpha * sum, a.beta));
  }
}
