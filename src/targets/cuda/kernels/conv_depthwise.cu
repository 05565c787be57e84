/* Depthwise convolutions of pictures in channels_last: a thread has VECTOR channels (16 bytes) of ACROSS results beside
   each other, and goes down the kernel's rows. Columns that several of its results see are read once. The filter comes
   as [taps, channels]. All constants of the window are macros: KERNEL_Y and _X, STRIDE_Y and _X, DILATION_Y and _X. */
enum { COLUMNS = (ACROSS - 1) * STRIDE_X + (KERNEL_X - 1) * DILATION_X + 1 };

DEVICE void depthwise(const struct depthwise_arguments a, int aligned) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 rest = divide(i, a.channels), channel = i - rest * a.channels.divisor;
    u32 row = divide(rest, a.across), part = rest - row * a.across.divisor;
    u32 n = divide(row, a.height), y = row - n * a.height.divisor, x = part * ACROSS;
    int left = (int)x * STRIDE_X - a.pad_x, top = (int)y * STRIDE_Y - a.pad_y;
    u32 from = n * (u32)a.input_y * (u32)a.input_x;
    f32 sum[ACROSS][VECTOR];
    UNROLL
    for (u32 p = 0; p < ACROSS; p++) {
      UNROLL
      for (u32 e = 0; e < VECTOR; e++) sum[p][e] = 0;
    }
    UNROLL
    for (int ky = 0; ky < KERNEL_Y; ky++) {
      int at_y = top + ky * DILATION_Y, inside = at_y >= 0 && at_y < a.input_y;
      quad filter[KERNEL_X], column[COLUMNS];
      UNROLL
      for (int c = 0; c < COLUMNS; c++) {
        int at_x = left + c;
        u32 at = (from + (u32)(at_y * a.input_x + at_x)) * a.channels.divisor + channel;
        u32 there = inside && at_x >= 0 && at_x < a.input_x;
        quad none = {0, 0, 0, 0};
        if (aligned)
          column[c] = load_quad_if((const quad *)a.source + at, there);
        else
          column[c] = there ? load_quad(a.source, at, 0) : none;
      }
      UNROLL
      for (int kx = 0; kx < KERNEL_X; kx++)
        filter[kx] = load_quad(a.filter, (u32)(ky * KERNEL_X + kx) * a.channels.divisor + channel, 1);
      UNROLL
      for (int p = 0; p < ACROSS; p++) {
        UNROLL
        for (int kx = 0; kx < KERNEL_X; kx++) {
          UNROLL
          for (u32 e = 0; e < VECTOR; e++)
            sum[p][e] += LOAD(X, &column[p * STRIDE_X + kx * DILATION_X], e) * LOAD(X, &filter[kx], e);
        }
      }
    }
    quad bias = {0, 0, 0, 0};
    if (a.bias) bias = load_quad(a.bias, channel, aligned);
    UNROLL
    for (u32 p = 0; p < ACROSS; p++) {
      u32 place = y * a.width + x + p;
      quad out;
      if (x + p >= a.width) continue;
      UNROLL
      for (u32 e = 0; e < VECTOR; e++) {
        f32 v = sum[p][e];
        if (a.bias) v += LOAD(X, &bias, e);
        STORE(Y, &out, e, EPILOGUE(v, n, channel * VECTOR + e, place));
      }
      store_quad(a.target, (n * a.height.divisor * a.width + place) * a.channels.divisor + channel, out, aligned);
    }
  }
}

KERNEL_OF(conv_depthwise, struct depthwise_arguments, 128, 4) {
  if (a.aligned)
    depthwise(a, 1);
  else
    depthwise(a, 0);
}
