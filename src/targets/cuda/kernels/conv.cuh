/* What the kernels of convolutions share. X is the type of source, filter and bias, Y of the result; sums are f32.
   EPILOGUE(value, n, m, p) follows each sum: its image, channel and place. CHANNELS_LAST says how the result is stored,
   which is the order in which threads go where each has a result. */

/* The places in the source where the window of place |p| begins. */
DEVICE void window_start(const struct conv_arguments *a, u32 p, int *start) {
  for (int d = 2; d >= 0; d--) {
    u32 outer = divide(p, a->window.output[d]);
    start[d] = (int)(p - outer * a->window.output[d].divisor) * a->window.stride[d] - a->window.pad[d];
    p = outer;
  }
}

/* Image, channel and place of result |i| as it is stored. */
struct place {
  u32 n, channel, place;
};
DEVICE struct place place_of(const struct conv_arguments *a, u32 i) {
  struct place at;
  u32 channels = a->groups * a->out_channels, rest;
  if (CHANNELS_LAST) {
    rest = divide(i, a->by_channel);
    at.channel = i - rest * channels;
    at.n = divide(rest, a->by_place);
    at.place = rest - at.n * a->places;
  } else {
    rest = divide(i, a->by_place);
    at.place = i - rest * a->places;
    at.n = divide(rest, a->by_channel);
    at.channel = rest - at.n * channels;
  }
  return at;
}
DEVICE u32 target_of(const struct conv_arguments *a, u32 n, u32 channel, u32 place) {
  return (u32)((int)n * a->to_batch + (int)channel * a->to_channel + (int)place * a->to_place);
}
