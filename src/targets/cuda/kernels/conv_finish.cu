/* What follows a convolution that is done already: bias and expression over the result, in place. */
#include "conv.cuh"

KERNEL(conv_finish, struct conv_arguments) {
  u32 channels = a.groups * a.out_channels, count = a.batch * channels * a.places;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    struct place at = place_of(&a, i);
    u32 n = at.n, channel = at.channel, place = at.place;
    u32 to = target_of(&a, n, channel, place);
    f32 value = LOAD(X, a.target, to);
    if (a.bias) value += LOAD(X, a.bias, channel);
    STORE(Y, a.target, to, EPILOGUE(value, n, channel, place));
  }
}
