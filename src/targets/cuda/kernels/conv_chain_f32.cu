/* Convolutions of few channels behind each other in f32, as one: what conv_chain.cu does on tensor cores, by sums of
   threads. A thread has a column of the picture and goes down its rows; all channels of a place are its registers, and
   weights come from shared memory, four at once, the same for all threads.

   IMAGE, WINDOW and RAW sources, layers of single places, and the last convolution of few columns are as there. Weights
   are packed [input][row of the filter][column][outputs, in fours], of the last one [row][column and output][inputs, in
   fours]; then numbers for each column. */
#define X             f32
#define BLOCK_THREADS PLACES
#define SUM_PITCH     PLACES
#include "conv_chain.cuh"

enum { IMAGE_SET = SOURCE == IMAGE ? IMAGE_ELEMENTS : 0 };

struct ALIGNED16 four {
  f32 at[4];
};

/* sum += v times the weights of |columns| outputs from |at| on. */
#define ADD_PRODUCTS(sum, v, columns, index)                            \
  UNROLL for (u32 m = 0; m < (columns); m += 4) {                       \
    struct four w = *(const struct four *)(packed + (index) + m);       \
    UNROLL for (u32 k = 0; k < 4; k++) (sum)[m + k] += (v) * w.at[k];   \
  }
#define BEGIN_SUMS(sum, columns, bias) UNROLL for (u32 m = 0; m < (columns); m++) (sum)[m] = params[(bias) + m];

#if FEW
/* sum += what a place has, times a column's weights. */
DEVICE void add_inputs(f32 *sum, const f32 *act, const f32 *weights) {
  UNROLL
  for (u32 c = 0; c < FEW_INPUTS_UP; c += 4) {
    struct four w = *(const struct four *)(weights + c);
    UNROLL
    for (u32 k = 0; k < 4; k++) *sum += act[c + k] * w.at[k];
  }
}
#endif

KERNEL_OF(conv_chain_f32, struct conv_chain_arguments, PLACES, BLOCKS) {
  DYNAMIC_SHARED(memory, PACKED_WORDS + 2 * IMAGE_SET + 2 * GROUP * SUM_WORDS);
  f32 *packed = (f32 *)memory;
#if SOURCE == IMAGE
  f32 *image = packed + PACKED_WORDS;
#endif
#if FEW
  f32 *sums = packed + PACKED_WORDS + 2 * IMAGE_SET;
  f32 q[FEW_KERNEL_Y][FEW_COLUMNS];
  u32 buffer = 0;
#endif
  const f32 *params = packed + WEIGHT_WORDS, *source = (const f32 *)a.source + (int)BLOCK_Z * a.from_batch;
  int first_column = (int)(BLOCK_X * OWN) - LEFT, column = first_column + (int)THREAD;
  int strip = (int)(BLOCK_Y * a.rows), end = strip + (int)a.rows + DOWN, last = (int)a.out_rows + DOWN;
  if (end > last) end = last; /* rows beyond reach no result */
  for (u32 i = THREAD; i < PACKED_WORDS; i += PLACES) packed[i] = ((const f32 *)a.weights)[i];
#if FEW
  UNROLL
  for (u32 i = 0; i < FEW_KERNEL_Y * FEW_COLUMNS; i++) q[i / FEW_COLUMNS][i % FEW_COLUMNS] = 0;
#endif
#if SOURCE == IMAGE
  u32 now = 0;
  for (u32 i = THREAD; i < IMAGE_ELEMENTS; i += PLACES) PICTURE_ELEMENT(f32, image[i], i, strip - UP);
#endif
  BARRIER();
  for (int row = strip - UP; row < end; row++) {
    int there = row >= 0 && row < (int)a.height && column >= 0 && column < (int)a.width; /* else zeros */
#if SOURCE == IMAGE
    int done = (row - (strip - UP)) % ROWS;
    if (done == 0 && row != strip - UP) { /* the other set is complete, and this one no more read */
      BARRIER();
      now ^= 1;
    }
    f32 ahead[AHEAD];
    UNROLL
    for (u32 k = 0; k < AHEAD; k++)
      PICTURE_ELEMENT(f32, ahead[k], ((u32)done * AHEAD + k) * PLACES + THREAD, row - done + ROWS);
#endif
#if SOURCE == RAW
    f32 act_last[CHANNELS_UP];
    UNROLL
    for (u32 c = 0; c < CHANNELS_UP; c++)
      act_last[c] = there && c < CHANNELS ? source[(int)c * a.from_channel + row * a.from_y + column * a.from_x] : 0;
#else
    f32 sum_0[COLUMNS_0];
    BEGIN_SUMS(sum_0, COLUMNS_0, BIAS_0)
    if (there) {
      for (u32 c = 0; c < CHANNELS; c++)
        for (u32 y = 0; y < KERNEL_Y; y++) {
          u32 index = WEIGHTS_0 + (c * KERNEL_Y + y) * KERNEL_X * COLUMNS_0;
#if SOURCE == IMAGE
          const f32 *from = image + now * IMAGE_SET + (c * IMAGE_ROWS + (u32)done + y) * IMAGE_COLUMNS + THREAD;
          UNROLL
          for (u32 x = 0; x < KERNEL_X; x++) {
            f32 v = from[x];
            ADD_PRODUCTS(sum_0, v, COLUMNS_0, index + x * COLUMNS_0)
          }
#else
          int from_y = row - PAD_Y + (int)y, from_x = column - PAD_X;
          if ((u32)from_y >= a.from_height) continue;
          const f32 *from = source + (int)c * a.from_channel + from_y * a.from_y + from_x * a.from_x;
          UNROLL
          for (u32 x = 0; x < KERNEL_X; x++) {
            f32 v = (u32)(from_x + (int)x) < a.from_width ? from[(int)x * a.from_x] : 0;
            ADD_PRODUCTS(sum_0, v, COLUMNS_0, index + x * COLUMNS_0)
          }
#endif
        }
    }
#if LAYERS > 1
    f32 sum_1[COLUMNS_1];
    BEGIN_SUMS(sum_1, COLUMNS_1, BIAS_1)
    UNROLL
    for (u32 c = 0; c < OUTPUTS_0; c++) {
      f32 v = finish_0(params, c, sum_0[c]);
      ADD_PRODUCTS(sum_1, v, COLUMNS_1, WEIGHTS_1 + c * COLUMNS_1)
    }
#endif
#if LAYERS > 2
    f32 sum_2[COLUMNS_2];
    BEGIN_SUMS(sum_2, COLUMNS_2, BIAS_2)
    UNROLL
    for (u32 c = 0; c < OUTPUTS_1; c++) {
      f32 v = finish_1(params, c, sum_1[c]);
      ADD_PRODUCTS(sum_2, v, COLUMNS_2, WEIGHTS_2 + c * COLUMNS_2)
    }
#endif
#if FEW
    f32 act_last[LAST_COLUMNS];
    UNROLL
    for (u32 m = 0; m < LAST_COLUMNS; m++)
      act_last[m] = there && m < LAST_OUTPUTS ? FINISH_BEFORE(params, m, LAST_SUM[m]) : 0;
#endif
#endif
#if FEW
#if FEW_KERNEL_Y * FEW_OUTPUTS * FEW_KERNEL_X * FEW_INPUTS_UP > 1600
    ROLLED /* registers have no index: rows of sums go round, each is the first once; all at once takes long to compile */
    for (u32 y = 0; y < FEW_KERNEL_Y; y++) {
      f32 first[FEW_COLUMNS];
      UNROLL
      for (u32 m = 0; m < FEW_COLUMNS; m++) {
        first[m] = q[0][m];
        add_inputs(&first[m], act_last, packed + WEIGHTS_FEW + (y * FEW_COLUMNS + m) * FEW_INPUTS_UP);
      }
      UNROLL
      for (u32 k = 0; k + 1 < FEW_KERNEL_Y; k++) {
        UNROLL
        for (u32 m = 0; m < FEW_COLUMNS; m++) q[k][m] = q[k + 1][m];
      }
      UNROLL
      for (u32 m = 0; m < FEW_COLUMNS; m++) q[FEW_KERNEL_Y - 1][m] = first[m];
    }
#else
    UNROLL
    for (u32 i = 0; i < FEW_KERNEL_Y * FEW_COLUMNS; i++)
      add_inputs(&q[i / FEW_COLUMNS][i % FEW_COLUMNS], act_last, packed + WEIGHTS_FEW + i * FEW_INPUTS_UP);
#endif
    u32 waiting = (u32)(row - (strip - UP)) % GROUP; /* rows whose sums wait for this one's */
    f32 *own_sums = sums + (buffer * GROUP + waiting) * SUM_WORDS + THREAD;
    UNROLL
    for (u32 y = 0; y < FEW_STRIDE; y++) { /* these rows of results have all their inputs */
      UNROLL
      for (u32 m = 0; m < FEW_COLUMNS; m++) own_sums[(y * FEW_COLUMNS + m) * SUM_PITCH] = q[y][m];
    }
    UNROLL
    for (u32 y = 0; y < FEW_KERNEL_Y; y++) {
      UNROLL
      for (u32 m = 0; m < FEW_COLUMNS; m++)
        q[y][m] = y + FEW_STRIDE < FEW_KERNEL_Y ? q[(y + FEW_STRIDE) % FEW_KERNEL_Y][m] : 0;
    }
    if (waiting == GROUP - 1 || row + 1 == end) {
      BARRIER(); /* the set written next was read before the barrier before this one */
      gather_results(&a, params, sums + buffer * GROUP * SUM_WORDS, row - (int)waiting, waiting + 1);
      buffer ^= 1;
    }
#else
    if (there) {
      f32 *to = (f32 *)a.target + (int)BLOCK_Z * a.to_batch + row * a.to_y + column * a.to_x;
      UNROLL
      for (u32 m = 0; m < LAST_OUTPUTS; m++)
        to[(int)m * a.to_channel] =
            finish_last(&a, params, m, LAST_SUM[m], BLOCK_Z, m, (u32)row * a.out_width + (u32)column);
    }
#endif
#if SOURCE == IMAGE
    UNROLL
    for (u32 k = 0; k < AHEAD; k++) {
      u32 i = ((u32)done * AHEAD + k) * PLACES + THREAD;
      if (i < IMAGE_ELEMENTS) image[(now ^ 1) * IMAGE_SET + i] = ahead[k];
    }
#endif
  }
}
