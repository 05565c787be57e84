/* Convolutions with a thread for each result: depthwise ones, and others of few products. */
#include "conv.cuh"

KERNEL(conv_direct, struct conv_arguments) {
  u32 channels = a.groups * a.out_channels, count = a.batch * channels * a.places;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    struct place at = place_of(&a, i);
    u32 n = at.n, channel = at.channel, place = at.place;
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
    STORE(Y, a.target, target_of(&a, n, channel, place),
          EPILOGUE(sum, n, channel, place));
  }
}
