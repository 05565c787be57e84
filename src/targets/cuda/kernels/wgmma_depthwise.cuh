/* Rows of wgmma.cu that a depthwise convolution makes on the way: warps beside those that multiply compute, for every
   step, 64 channels of each row's place from a channels_last picture, bias and expression (between()) included, and
   write them where the tensor cores look for them. Windows, strides, pads and dilations are macros.

   Of a picture with fewer channels than a step only EIGHTS eights are computed and multiplied.

   a->numbers, as many as |steps| have channels, zeros behind the last: the biases, then the filter, tap after tap. */
struct depthwise_place {
  const u16 *from;  /* the window's first element, which may be outside */
  u32 across, down; /* which columns and rows of the window are inside: a bit each */
};

DEVICE struct depthwise_place depthwise_place_of(const struct wgmma_arguments *a, u32 row) {
  struct depthwise_place at;
  u32 n = divide(row, a->by_place), place = row - n * a->by_place.divisor, y = divide(place, a->by_width);
  int top = (int)y * STRIDE_Y - PAD_Y, left = (int)(place - y * a->by_width.divisor) * STRIDE_X - PAD_X;
  at.from = (const u16 *)a->source + (i64)(((int)n * a->picture[0] + top) * a->picture[1] + left) * a->channels;
  at.across = at.down = 0;
  UNROLL
  for (int i = 0; i < TAPS_X; i++)
    at.across |= (u32)(left + i * DILATION_X >= 0 && left + i * DILATION_X < a->picture[1]) << i;
  UNROLL
  for (int i = 0; i < TAPS_Y; i++)
    at.down |= (u32)(top + i * DILATION_Y >= 0 && top + i * DILATION_Y < a->picture[0]) << i;
  if (row >= a->rows) at.down = 0;
  return at;
}

#if TENSOR_CORES
/* Of a tile's places, those of one of the FETCHERS; threads beside each other have channels beside each other. */
enum { LANES = FETCHERS / EIGHTS, MINE = ROWS / LANES };
#else
enum { MINE = 1 };
#endif

#if TAPS_X * TAPS_Y > 12 /* more of them apart would not fit the instruction cache */
#define TAP_ROWS ROLLED
#else
#define TAP_ROWS UNROLL
#endif

/* Channels |eight| times eight and on of all |at|. A tap's filter is read once for all of them. */
DEVICE void depthwise_sums(const struct wgmma_arguments *a, const struct depthwise_place *at, u32 eight,
                           f32 (*sum)[PIECE]) {
  const f32 *numbers = (const f32 *)a->numbers + eight * PIECE;
  u32 pitch = a->steps * DEPTH;
  struct eight_f32 w;
  take8_f32(numbers, 0, &w);
  UNROLL
  for (u32 j = 0; j < MINE; j++) {
    UNROLL
    for (u32 e = 0; e < PIECE; e++) sum[j][e] = w.at[e];
  }
  TAP_ROWS
  for (int y = 0; y < TAPS_Y; y++) {
    struct eight v[TAPS_X][MINE]; /* all of a row on their way before the first is used */
    UNROLL
    for (int x = 0; x < TAPS_X; x++) {
      int tap = (y * DILATION_Y * a->picture[1] + x * DILATION_X) * a->channels + (int)eight * PIECE;
      UNROLL
      for (u32 j = 0; j < MINE; j++)
        take8_if(at[j].from, tap, at[j].down >> y & at[j].across >> x & 1, &v[x][j]);
    }
    UNROLL
    for (int x = 0; x < TAPS_X; x++) {
      take8_f32(numbers, (int)((u32)(1 + y * TAPS_X + x) * pitch), &w);
      UNROLL
      for (u32 j = 0; j < MINE; j++) {
        UNROLL
        for (u32 e = 0; e < PIECE; e++) sum[j][e] += JOIN(at8_, X)(&v[x][j], e) * w.at[e];
      }
    }
  }
}

#if TENSOR_CORES
DEVICE void depthwise_step(const struct wgmma_arguments *a, const struct depthwise_place (&at)[MINE], u32 step,
                           char *tile, u32 thread) {
  u32 piece = thread % EIGHTS, eight = step * (DEPTH / PIECE) + piece, there = eight * PIECE < (u32)a->channels;
  f32 sum[MINE][PIECE];
  if (there) depthwise_sums(a, at, eight, sum);
  UNROLL
  for (u32 j = 0; j < MINE; j++) {
    u32 row = thread / EIGHTS + j * LANES;
    UNROLL
    for (u32 e = 0; e < PIECE; e++) sum[j][e] = there ? between(sum[j][e]) : 0; /* weights of 0 times an infinity */
    JOIN(store8_, X)(tile + row * (DEPTH * 2) + (piece ^ (row & 7)) * 16, 0, sum[j]);
  }
}
#else
DEVICE u16 depthwise_element(const struct wgmma_arguments *a, u32 row, u32 k) {
  struct depthwise_place at = depthwise_place_of(a, row);
  f32 sum[1][PIECE];
  u16 value = 0;
  if (k >= (u32)a->channels) return 0;
  depthwise_sums(a, &at, k / PIECE, sum);
  STORE(X, &value, 0, between(sum[0][k % PIECE]));
  return value;
}
#endif
