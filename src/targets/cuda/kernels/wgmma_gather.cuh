/* Rows of wgmma.cu that threads gather from a picture: few channels, or any layout. Everything about the filter is a
   constant of the head.

   In PAIRS the picture's rows lie in memory as rows of pairs: a window's row is read as the 32-bit words that it
   touches, and stands in |ROW_WORDS| words among the sums, row after row, the filter with zeros where a word has more
   than the window. Where strides are odd, windows begin in the middle of a word or not, and words are TURNED so that
   they begin with the window; else all begin alike, with SHIFT elements before the window. Words are inside the picture
   or outside as a whole, since its width is even.

   Else element k = (c * TAPS_Y + y) * TAPS_X + x of a row is read by itself. */
struct window_place {
  const u16 *from;  /* of the window's first element (PAIRS: first word), which may be outside */
  u32 across, down; /* which columns (PAIRS: words) and rows of the window are inside: a bit each */
  u32 turn;         /* TURNED: bits of a word in front of the window */
};

#if PAIRS
enum { LOAD_WORDS = TURNED ? (TAPS_X + 2) / 2 : ROW_WORDS };
#endif

DEVICE struct window_place window_of(const struct wgmma_arguments *a, u32 row) {
  struct window_place at;
  u32 n = divide(row, a->by_place), place = row - n * a->by_place.divisor;
  u32 y = divide(place, a->by_width);
  int top = (int)y * STRIDE_Y - PAD_Y, left = (int)(place - y * a->by_width.divisor) * STRIDE_X - PAD_X;
#if PAIRS
  at.turn = (u32)left % 2 * 16;
  left -= (int)((u32)left % 2);
#else
  at.turn = 0;
#endif
  at.from = (const u16 *)a->source + ((i64)(int)n * a->from_batch + (i64)top * FROM_Y + (i64)left * FROM_X);
  at.across = at.down = 0;
#if PAIRS
  UNROLL
  for (int i = 0; i < LOAD_WORDS; i++) at.across |= (u32)(left + 2 * i >= 0 && left + 2 * i < WIDTH) << i;
#else
  UNROLL
  for (int i = 0; i < TAPS_X; i++)
    at.across |= (u32)(left + i * DILATION_X >= 0 && left + i * DILATION_X < WIDTH) << i;
#endif
  UNROLL
  for (int i = 0; i < TAPS_Y; i++) at.down |= (u32)(top + i * DILATION_Y >= 0 && top + i * DILATION_Y < HEIGHT) << i;
  if (row >= a->rows) at.down = 0;
  return at;
}

#if PAIRS
/* Word |j| of row |y| of the window, of channel |c|. */
DEVICE u32 picture_word(const struct window_place *at, u32 c, u32 y, u32 j) {
  if (!(at->down >> y & at->across >> j & 1)) return 0;
  return *(const u32 *)(at->from + (int)(c * FROM_C) + (int)(y * DILATION_Y) * FROM_Y + (int)(2 * j));
}
/* Elements 2 |word| and the next of the sums; what is not the window's is 0. */
DEVICE u32 word_of(const struct window_place *at, u32 word) {
  u32 j = word % ROW_WORDS, y = word / ROW_WORDS % TAPS_Y, c = word / (ROW_WORDS * TAPS_Y);
  if (c >= CHANNELS) return 0;
  u32 v = picture_word(at, c, y, j);
#if TURNED
  u64 two = (u64)(j + 1 < LOAD_WORDS ? picture_word(at, c, y, j + 1) : 0) << 32 | v;
  v = (u32)(two >> at->turn);
#endif
  if (SHIFT && j == 0) v &= 0xffff0000u;
  if (j + 1 == ROW_WORDS && (TAPS_X + SHIFT) % 2) v &= 0xffffu;
  return v;
}
#else
DEVICE u16 element_of(const struct window_place *at, u32 k) {
  u32 x = k % TAPS_X, y = k / TAPS_X % TAPS_Y, c = k / (TAPS_X * TAPS_Y);
  if (c >= CHANNELS || !(at->down >> y & 1) || !(at->across >> x & 1)) return 0;
  return at->from[(int)(c * FROM_C) + (int)(y * DILATION_Y) * FROM_Y + (int)(x * DILATION_X) * FROM_X];
}
#endif

#if TENSOR_CORES
/* 64 elements of a row, in the order in which the tensor cores look for them. */
DEVICE void gather(const struct window_place *at, u32 step, char *tile, u32 row) {
  UNROLL
  for (u32 piece = 0; piece < DEPTH / PIECE; piece++) {
    char *to = tile + row * (DEPTH * 2) + (piece ^ (row & 7)) * 16;
#if PAIRS
    u32 v[4];
    UNROLL
    for (u32 i = 0; i < 4; i++) v[i] = word_of(at, (step * DEPTH + piece * PIECE) / 2 + i);
    *(uint4 *)to = make_uint4(v[0], v[1], v[2], v[3]);
#else
    struct eight v;
    UNROLL
    for (u32 i = 0; i < PIECE; i++) v.at[i] = element_of(at, step * DEPTH + piece * PIECE + i);
    *(struct eight *)to = v;
#endif
  }
}
#elif PAIRS
DEVICE u16 gathered_element(const struct window_place *at, u32 k) { return (u16)(word_of(at, k / 2) >> k % 2 * 16); }
#else
#define gathered_element element_of
#endif
