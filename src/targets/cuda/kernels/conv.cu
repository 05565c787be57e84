/* Convolutions over up to three spatial axes, with groups, in any layout. X is the type of source, filter and bias, Y of
   the result; sums are f32. EPILOGUE(value, n, m, p) follows each sum.

   conv_tiles is a matrix product whose right side is gathered from the source: 64 outputs by 64 places a block.
   conv_direct has a thread for each result: depthwise and other convolutions of few products. */
enum { TILE = 64, STEP = 16 };

/* The places in the source where the window of place |p| begins. */
DEVICE void window_start(const struct conv_arguments *a, u32 p, int *start) {
  for (int d = 2; d >= 0; d--) {
    u32 outer = divide(p, a->window.output[d]);
    start[d] = (int)(p - outer * a->window.output[d].divisor) * a->window.stride[d] - a->window.pad[d];
    p = outer;
  }
}

KERNEL(conv_tiles, struct conv_arguments) {
  SHARED f32 left[STEP][TILE + 4];
  SHARED f32 right[STEP][TILE];
  u32 depth = a.in_channels * a.taps, total = a.batch * a.places, group = BLOCK_Z;
  u32 column = THREAD % TILE, strip = THREAD / TILE, p = BLOCK_X * TILE + column, m0 = BLOCK_Y * TILE;
  u32 image = divide(p, a.by_place);
  int start[3], base = (int)image * a.from_batch + (int)(group * a.in_channels) * a.from_channel;
  f32 sum[4][4];
  window_start(&a, p - image * a.places, start);
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) sum[i][j] = 0;
  for (u32 k0 = 0; k0 < depth; k0 += STEP) {
    for (u32 i = 0; i < STEP; i += 4) {
      u32 k = k0 + strip + i, rest = k;
      int inside = p < total && k < depth, from = base;
      UNROLL
      for (int d = 2; d >= 0; d--) {
        u32 outer = divide(rest, a.tap[d]);
        int at = start[d] + (int)(rest - outer * a.tap[d].divisor) * a.window.dilation[d];
        inside &= at >= 0 && at < a.window.input[d];
        from += at * a.from_axis[d];
        rest = outer;
      }
      right[strip + i][column] = inside ? LOAD(X, a.source, (u32)(from + (int)rest * a.from_channel)) : 0;
    }
    for (u32 i = THREAD; i < STEP * TILE; i += 256) {
      u32 k = k0 + i % STEP, m = m0 + i / STEP;
      left[i % STEP][i / STEP] =
          k < depth && m < a.out_channels ? LOAD(X, a.filter, (group * a.out_channels + m) * depth + k) : 0;
    }
    BARRIER();
    UNROLL
    for (u32 k = 0; k < STEP; k++) {
      f32 row[4], cell[4];
      UNROLL
      for (u32 i = 0; i < 4; i++) {
        row[i] = left[k][THREAD / 16 * 4 + i];
        cell[i] = right[k][THREAD % 16 + 16 * i];
      }
      UNROLL
      for (int i = 0; i < 4; i++)
        UNROLL
        for (int j = 0; j < 4; j++) sum[i][j] += row[i] * cell[j];
    }
    BARRIER();
  }
  for (u32 j = 0; j < 4; j++) {
    u32 q = BLOCK_X * TILE + THREAD % 16 + 16 * j, n = divide(q, a.by_place), place = q - n * a.places;
    for (u32 i = 0; i < 4; i++) {
      u32 m = m0 + THREAD / 16 * 4 + i, channel = group * a.out_channels + m;
      if (q >= total || m >= a.out_channels) continue;
      f32 value = sum[i][j];
      if (a.bias) value += LOAD(X, a.bias, channel);
      STORE(Y, a.target, (u32)((int)n * a.to_batch + (int)channel * a.to_channel + (int)place * a.to_place),
            EPILOGUE(value, n, channel, place));
    }
  }
}

KERNEL(conv_direct, struct conv_arguments) {
  u32 channels = a.groups * a.out_channels, count = a.batch * channels * a.places;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    u32 n, channel, place, rest;
    if (CHANNELS_LAST) {
      rest = divide(i, a.by_channel);
      channel = i - rest * channels;
      n = divide(rest, a.by_place);
      place = rest - n * a.places;
    } else {
      rest = divide(i, a.by_place);
      place = i - rest * a.places;
      n = divide(rest, a.by_channel);
      channel = rest - n * channels;
    }
    u32 group = divide(channel, a.per_group), w = channel * a.in_channels * a.taps;
    int start[3], base = (int)n * a.from_batch + (int)(group * a.in_channels) * a.from_channel;
    f32 sum = 0;
    window_start(&a, place, start);
    for (u32 c = 0; c < a.in_channels; c++)
      for (int z = 0; z < a.window.kernel[0]; z++)
        for (int y = 0; y < a.window.kernel[1]; y++)
          for (int x = 0; x < a.window.kernel[2]; x++, w++) {
            int pz = start[0] + z * a.window.dilation[0], py = start[1] + y * a.window.dilation[1];
            int px = start[2] + x * a.window.dilation[2];
            if (pz < 0 || py < 0 || px < 0 || pz >= a.window.input[0] || py >= a.window.input[1] ||
                px >= a.window.input[2])
              continue;
            int from = base + (int)c * a.from_channel + pz * a.from_axis[0] + py * a.from_axis[1] + px * a.from_axis[2];
            sum += LOAD(X, a.source, (u32)from) * LOAD(X, a.filter, w);
          }
    if (a.bias) sum += LOAD(X, a.bias, channel);
    STORE(Y, a.target, (u32)((int)n * a.to_batch + (int)channel * a.to_channel + (int)place * a.to_place),
          EPILOGUE(sum, n, channel, place));
  }
}

/* The transposed convolution as a gather: a result takes those inputs whose window covers it. */
KERNEL(conv_transpose, struct conv_arguments) {
  u32 channels = a.groups * a.out_channels, count = a.batch * channels * a.places;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    u32 rest = divide(i, a.by_place), place = i - rest * a.places, n = divide(rest, a.by_channel);
    u32 channel = rest - n * channels, group = divide(channel, a.per_group);
    int at[3], base = (int)n * a.from_batch + (int)(group * a.in_channels) * a.from_channel;
    u32 left = place;
    f32 sum = 0;
    for (int d = 2; d >= 0; d--) {
      u32 outer = divide(left, a.window.output[d]);
      at[d] = (int)(left - outer * a.window.output[d].divisor) + a.window.pad[d];
      left = outer;
    }
    int w0 = (int)(group * a.in_channels) * a.w_in + (int)(channel - group * a.out_channels) * a.w_out, tap = 0;
    for (int z = 0; z < a.window.kernel[0]; z++)
      for (int y = 0; y < a.window.kernel[1]; y++)
        for (int x = 0; x < a.window.kernel[2]; x++, tap++) {
          int pz = at[0] - z * a.window.dilation[0], py = at[1] - y * a.window.dilation[1];
          int px = at[2] - x * a.window.dilation[2];
          if (pz < 0 || py < 0 || px < 0) continue;
          int qz = pz / a.window.stride[0], qy = py / a.window.stride[1], qx = px / a.window.stride[2];
          if (qz * a.window.stride[0] != pz || qy * a.window.stride[1] != py || qx * a.window.stride[2] != px ||
              qz >= a.window.input[0] || qy >= a.window.input[1] || qx >= a.window.input[2])
            continue;
          int from = base + qz * a.from_axis[0] + qy * a.from_axis[1] + qx * a.from_axis[2];
          for (u32 c = 0; c < a.in_channels; c++)
            sum += LOAD(X, a.source, (u32)(from + (int)c * a.from_channel)) *
                   LOAD(X, a.filter, (u32)(w0 + (int)c * a.w_in + tap));
        }
    if (a.bias) sum += LOAD(X, a.bias, channel);
    STORE(Y, a.target, (u32)((int)n * a.to_batch + (int)channel * a.to_channel + (int)place * a.to_place),
          EPILOGUE(sum, n, channel, place));
  }
}

/* What follows a convolution that is done already: bias and expression over the result, in place. */
KERNEL(conv_finish, struct conv_arguments) {
  u32 channels = a.groups * a.out_channels, count = a.batch * channels * a.places;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    u32 n, channel, place, rest;
    if (CHANNELS_LAST) {
      rest = divide(i, a.by_channel);
      channel = i - rest * channels;
      n = divide(rest, a.by_place);
      place = rest - n * a.places;
    } else {
      rest = divide(i, a.by_place);
      place = i - rest * a.places;
      n = divide(rest, a.by_channel);
      channel = rest - n * channels;
    }
    u32 at = (u32)((int)n * a.to_batch + (int)channel * a.to_channel + (int)place * a.to_place);
    f32 value = LOAD(X, a.target, at);
    if (a.bias) value += LOAD(X, a.bias, channel);
    STORE(Y, a.target, at, EPILOGUE(value, n, channel, place));
  }
}
