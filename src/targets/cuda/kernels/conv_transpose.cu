/* The transposed convolution as a gather: a result takes those inputs whose window covers it. */
#include "conv.cuh"

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
    STORE(Y, a.target, target_of(&a, n, channel, place),
          EPILOGUE(sum, n, channel, place));
  }
}
