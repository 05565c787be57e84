/* What follows a convolution that is done already: bias and expression over the result, in place. Elements of 16 bits
   that lie by channels go eight at a time. */
#include "conv.cuh"
#define EIGHTS (CHANNELS_LAST && BYTES(X) == 2 && BYTES(Y) == 2)

#if EIGHTS
DEVICE void finish_eights(const struct conv_arguments a) {
  u32 channels = a.groups * a.out_channels, count = a.batch * channels * a.places / 8;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    struct place at = place_of(&a, i * 8);
    u32 n = at.n, channel = at.channel, place = at.place, to = target_of(&a, n, channel, place) / 8;
    quad all = ((const quad *)a.target)[to], bias = {0, 0, 0, 0};
    if (a.bias) bias = ((const quad *)a.bias)[channel / 8];
    UNROLL
    for (u32 e = 0; e < 8; e++) {
      f32 value = LOAD(X, &all, e);
      if (a.bias) value += LOAD(X, &bias, e);
      STORE(Y, &all, e, EPILOGUE(value, n, channel + e, place));
    }
    ((quad *)a.target)[to] = all;
  }
}
#endif

KERNEL(conv_finish, struct conv_arguments) {
  u32 channels = a.groups * a.out_channels, count = a.batch * channels * a.places;
#if EIGHTS
  if (channels % 8 == 0 && (u64)a.target % 16 == 0 && (u64)a.bias % 16 == 0) {
    finish_eights(a);
    return;
  }
#endif
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    struct place at = place_of(&a, i);
    u32 n = at.n, channel = at.channel, place = at.place;
    u32 to = target_of(&a, n, channel, place);
    f32 value = LOAD(X, a.target, to);
    if (a.bias) value += LOAD(X, a.bias, channel);
    STORE(Y, a.target, to, EPILOGUE(value, n, channel, place));
  }
}
