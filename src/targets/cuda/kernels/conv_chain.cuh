/* What conv_chain.cu and conv_chain_f32.cu share: which places of the picture a block has, and the results of a last
   convolution of few columns, gathered from what its places have summed. PLACES of a block, its BLOCK_THREADS,
   SUM_PITCH and the numbers of the problem are macros, finish_last(a, params, column,
   value, picture, channel, place) of the last layer stands in front.

   A convolution is taken for a transposed one of stride 1 whose filter is turned around: input row r reaches the rows
   of results STRIDE * r - FEW_PAD_Y + k, k of the filter's rows. */
#define RAW    0
#define IMAGE  1
#define WINDOW 2

enum {
  LEFT = FEW ? (FEW_KERNEL_X - 1 - FEW_PAD_X) / FEW_STRIDE : 0,
  RIGHT = FEW ? (FEW_STRIDE - 1 + FEW_PAD_X) / FEW_STRIDE : 0,
  UP = FEW ? (FEW_KERNEL_Y - 1 - FEW_PAD_Y) / FEW_STRIDE : 0,
  DOWN = FEW ? (FEW_STRIDE - 1 + FEW_PAD_Y) / FEW_STRIDE : 0,
  OWN = PLACES - LEFT - RIGHT, /* places whose results are the block's */
  IMAGE_ROWS = ROWS + KERNEL_Y - 1,
  IMAGE_COLUMNS = PLACES + KERNEL_X - 1,
  FEW_COLUMNS = FEW_OUTPUTS * FEW_KERNEL_X,
  /* What of a picture is brought in while ROWS rows of places are computed, so that the next have theirs. */
  IMAGE_ELEMENTS = CHANNELS * IMAGE_ROWS * IMAGE_COLUMNS,
  AHEAD = (IMAGE_ELEMENTS + ROWS * BLOCK_THREADS - 1) / (ROWS * BLOCK_THREADS),
  /* Sums of columns that wait for their neighbours: two sets of GROUP rows of places. */
  SUM_WORDS = FEW ? FEW_STRIDE * FEW_COLUMNS * SUM_PITCH : 0
};

#if SOURCE == IMAGE
/* Element |i| of the part of the picture that rows of places from |row| on see. */
#define PICTURE_ELEMENT(type, result, i, row)                                                             \
  do {                                                                                                    \
    u32 line = (i) / IMAGE_COLUMNS, channel = line / IMAGE_ROWS;                                          \
    int from_y = (row) - PAD_Y + (int)(line - channel * IMAGE_ROWS);                                      \
    int from_x = first_column - PAD_X + (int)((i) - line * IMAGE_COLUMNS);                                \
    (result) = 0;                                                                                         \
    if ((i) < IMAGE_ELEMENTS && (u32)from_y < a.from_height && (u32)from_x < a.from_width)                \
      (result) = source[(int)channel * a.from_channel + from_y * a.from_y + from_x * a.from_x];           \
  } while (0)
#endif

#if FEW
/* Result (m, y, x), where depth_to_space puts it when one follows. */
DEVICE void store_result(const struct conv_chain_arguments *a, u32 n, u32 m, int y, int x, f32 value) {
#if DEPTH_BLOCK > 1
  u32 channels = FEW_OUTPUTS / (DEPTH_BLOCK * DEPTH_BLOCK);
  u32 c = DEPTH_FIRST ? m % channels : m / (DEPTH_BLOCK * DEPTH_BLOCK);
  u32 inner = DEPTH_FIRST ? m / channels : m % (DEPTH_BLOCK * DEPTH_BLOCK);
  y = y * DEPTH_BLOCK + (int)(inner / DEPTH_BLOCK);
  x = x * DEPTH_BLOCK + (int)(inner % DEPTH_BLOCK);
  m = c;
#endif
  STORE(X, a->target, (u32)((int)n * a->to_batch + (int)m * a->to_channel + y * a->to_y + x * a->to_x), value);
}

/* The rows of results that |count| rows of places from |first| on complete: |sums| are [row][row of results][column of
   the filter and output][place]. */
DEVICE void gather_results(const struct conv_chain_arguments *a, const f32 *params, const f32 *sums, int first,
                           u32 count) {
  for (u32 i = THREAD; i < count * (FEW_STRIDE * FEW_OUTPUTS * FEW_STRIDE * OWN); i += BLOCK_THREADS) {
    u32 line = i / (FEW_STRIDE * OWN), x = i - line * (FEW_STRIDE * OWN), y = line % FEW_STRIDE;
    u32 row = line / (FEW_STRIDE * FEW_OUTPUTS), m = line / FEW_STRIDE % FEW_OUTPUTS;
    int to_y = (first + (int)row) * FEW_STRIDE - FEW_PAD_Y + (int)y, to_x = (int)(BLOCK_X * FEW_STRIDE * OWN + x);
    f32 value = params[BIAS_FEW + m];
    if (to_y < (int)(BLOCK_Y * a->rows * FEW_STRIDE) || to_y >= (int)((BLOCK_Y + 1) * a->rows * FEW_STRIDE) ||
        to_y >= (int)a->out_height || to_x >= (int)a->out_width)
      continue;
    u32 reach = x + FEW_PAD_X, k0 = reach % FEW_STRIDE, from = reach / FEW_STRIDE + LEFT;
    const f32 *own = sums + row * SUM_WORDS + (y * FEW_COLUMNS + m * FEW_KERNEL_X + k0) * SUM_PITCH + from;
    UNROLL
    for (u32 k = 0; k < FEW_KERNEL_X; k += FEW_STRIDE)
      if (FEW_STRIDE == 1 || k + k0 < FEW_KERNEL_X) value += own[(int)(k * SUM_PITCH) - (int)(k / FEW_STRIDE)];
    u32 place = (u32)to_y * a->out_width + (u32)to_x;
    store_result(a, BLOCK_Z, m, to_y, to_x, finish_last(a, params, m, value, BLOCK_Z, m, place));
  }
}
#endif
