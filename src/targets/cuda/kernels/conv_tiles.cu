/* Convolutions as a matrix product whose right side is gathered from the source: 64 outputs by 64 places a block. Where
   that makes too few blocks, the sums are split: each block leaves a part of them, and conv_sum adds the parts. */
#include "conv.cuh"
enum { TILE = 64, STEP = 16 };

KERNEL(conv_tiles, struct conv_arguments) {
  SHARED f32 left[STEP][TILE + 4];
  SHARED f32 right[STEP][TILE];
  u32 depth = a.in_channels * a.taps, total = a.batch * a.places;
  u32 group = BLOCK_Z / a.splits, split = BLOCK_Z % a.splits;
  u32 share = ((depth + STEP - 1) / STEP + a.splits - 1) / a.splits * STEP, first = split * share;
  u32 end = first + share < depth ? first + share : depth;
  u32 column = THREAD % TILE, strip = THREAD / TILE, p = BLOCK_X * TILE + column, m0 = BLOCK_Y * TILE;
  u32 image = divide(p, a.by_place);
  int start[3], base = (int)image * a.from_batch + (int)(group * a.in_channels) * a.from_channel;
  f32 sum[4][4];
  window_start(&a, p - image * a.places, start);
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) sum[i][j] = 0;
  for (u32 k0 = first; k0 < end; k0 += STEP) {
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
      if (a.splits > 1) {
        a.partial[((split * a.batch + n) * a.groups * a.out_channels + channel) * a.places + place] = value;
        continue;
      }
      if (a.bias) value += LOAD(X, a.bias, channel);
      STORE(Y, a.target, target_of(&a, n, channel, place),
            EPILOGUE(value, n, channel, place));
    }
  }
}

KERNEL(conv_sum, struct conv_arguments) {
  u32 channels = a.groups * a.out_channels, count = a.batch * channels * a.places;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    u32 rest = divide(i, a.by_place), place = i - rest * a.places, n = divide(rest, a.by_channel);
    u32 channel = rest - n * channels;
    f32 value = 0;
    for (u32 s = 0; s < a.splits; s++) value += a.partial[s * count + i];
    if (a.bias) value += LOAD(X, a.bias, channel);
    STORE(Y, a.target, target_of(&a, n, channel, place),
          EPILOGUE(value, n, channel, place));
  }
}
