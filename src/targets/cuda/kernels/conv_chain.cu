/* Convolutions of few channels behind each other, as one: a warp takes sixteens of places (a band each) down its
   columns of the picture, row by row, and what a place becomes stays in registers from layer to layer.

   SOURCE says where the first operands come from:
     RAW      from the source as it is, channels_last: there is only the last convolution
     IMAGE    from windows of a picture of one or a few channels, rows of which are held in shared memory, twice, once
              shifted by one: so that pairs of neighbours in a row are words, whatever the place
     WINDOW   from windows of a channels_last source of some channels, read where they lie
   Then up to two convolutions of single places. Then
     FEW      a convolution, or a transposed one, to so few channels that the columns of its filter count as channels of
              products: sum[row][column of the filter] of a place, for each row of results that its input reaches, is
              held in registers until the last such input; then results gather their columns from neighbouring places,
              by way of shared memory
   or the results are stored.

   Weights come packed as the b of products (chain_mma.cuh), layer after layer, each [steps of 16][tiles of
   8][lane][2], then numbers in f32 for each column: biases and what the expressions read. In front of this text stand
   chain_mma.cuh, the numbers of the problem as macros, and activate_<layer>(params, column, low, high), which rounds two
   neighbours, for each layer but the last, of which there is finish_last. */
#define PLACES        (WARPS * BANDS * 16)
#define BLOCK_THREADS (WARPS * 32)
#define SUM_PITCH     (PLACES + 4)
#include "conv_chain.cuh"

enum {
  /* The first layer's products: steps of 16. */
  PAIRS_X = (KERNEL_X + 1) / 2,
  PAIRS = CHANNELS * KERNEL_Y * PAIRS_X,
  CHANNEL_STEPS = (CHANNELS + 15) / 16,
  BIAS_PAIR = SOURCE == IMAGE && PAIRS % 8 != 0,
  STEPS = SOURCE == IMAGE ? (PAIRS + 7) / 8 : CHANNEL_STEPS * KERNEL_Y * KERNEL_X,
  IMAGE_WORDS = ((IMAGE_COLUMNS + 3) / 2 + 7) / 16 * 16 + 8, /* of a row, so that the two forms lie in other banks */
  IMAGE_SET = SOURCE == IMAGE ? CHANNELS * IMAGE_ROWS * 2 * IMAGE_WORDS : 0,
  FEW_TILES = (FEW_COLUMNS + 7) / 8
};

/* Four numbers of a row's sixteen, thread by thread: steps of the products may take them in any order. */
DEVICE u64 load_four(const void *source, int at) { return *(const u64 *)((const u16 *)source + at); }

DEVICE void load_raw(const struct conv_chain_arguments *a, const u16 *source, int row, int column, u32 t,
                     u32 (*to)[CHANNEL_STEPS][4]) {
  UNROLL
  for (u32 b = 0; b < BANDS; b++) {
    UNROLL
    for (u32 s = 0; s < CHANNEL_STEPS; s++) {
      UNROLL
      for (u32 h = 0; h < 2; h++) {
        int x = column + (int)(b * 16 + h * 8);
        u64 four = 0;
        if ((s * 16 + 16 <= CHANNELS || s * 16 + t * 4 < CHANNELS) && (u32)row < a->height && (u32)x < a->width)
          four = load_four(source, row * a->from_y + x * a->from_x + (int)(s * 16 + t * 4));
        to[b][s][h] = (u32)four;
        to[b][s][2 + h] = (u32)(four >> 32);
      }
    }
  }
}

#if SOURCE == IMAGE
/* Both forms of an element: in its place, and one before. */
DEVICE void store_picture(u32 *image, u32 i, u16 v) {
  u32 line = i / IMAGE_COLUMNS, x = i - line * IMAGE_COLUMNS;
  if (i >= IMAGE_ELEMENTS) return;
  u16 *to = (u16 *)(image + line * 2 * IMAGE_WORDS);
  to[x] = v;
  if (x) to[2 * IMAGE_WORDS + x - 1] = v;
}
#endif

#if !FEW
/* Two results beside each other, of columns from |column| on. */
DEVICE u32 finish_pair(const struct conv_chain_arguments *a, const f32 *params, u32 column, f32 low, f32 high, u32 m,
                       u32 place) {
#if LAST_PACKS
  return LAST_PACKS == 2 ? pack_relu(low, high) : pack(low, high);
#else
  f32 second = m + 1 < LAST_OUTPUTS ? finish_last(a, params, column + 1, high, BLOCK_Z, m + 1, place) : 0;
  return pack(finish_last(a, params, column, low, BLOCK_Z, m, place), second);
#endif
}
#endif

/* Sums begin with the bias; to which a step's products are added. */
#define BEGIN_SUMS(sum, tiles, bias)                                                                      \
  UNROLL for (u32 b = 0; b < BANDS; b++)                                                                  \
    UNROLL for (u32 n = 0; n < (tiles); n++)                                                              \
      UNROLL for (u32 e = 0; e < 4; e++) (sum)[b][n][e] = params[(bias) + n * 8 + t * 2 + e % 2];
#define ADD_PRODUCTS(sum, in, s, tiles, at, index)                                                        \
  UNROLL for (u32 n = 0; n < (tiles); n++) {                                                              \
    u32 b0 = packed[(at) + (((index) * (tiles) + n) * 32 + lane) * 2];                                    \
    u32 b1 = packed[(at) + (((index) * (tiles) + n) * 32 + lane) * 2 + 1];                                \
    UNROLL for (u32 b = 0; b < BANDS; b++) multiply((sum)[b][n], (in)[b] s, b0, b1);                      \
  }
/* What layer |i| made, as operands of the next; zeros for channels that are not there. */
#define ACTIVATE(i, sum, tiles, outputs, out)                                                             \
  UNROLL for (u32 b = 0; b < BANDS; b++)                                                                  \
    UNROLL for (u32 n = 0; n < ((tiles) + 1) / 2 * 2; n++)                                                \
      UNROLL for (u32 h = 0; h < 2; h++) {                                                                \
        u32 m = n * 8 + t * 2, both = 0;                                                                  \
        if (n < (tiles)) both = activate_##i(params, m, (sum)[b][n][2 * h], (sum)[b][n][2 * h + 1]);      \
        if (n * 8 + 8 > (outputs)) both = m + 1 < (outputs) ? both : m < (outputs) ? both & 0xffff : 0;   \
        (out)[b][n / 2][n % 2 * 2 + h] = both;                                                            \
      }

KERNEL_OF(conv_chain, struct conv_chain_arguments, WARPS * 32, BLOCKS) {
  DYNAMIC_SHARED(packed, PACKED_WORDS + 2 * IMAGE_SET + 2 * GROUP * SUM_WORDS);
#if SOURCE == IMAGE
  u32 *image = packed + PACKED_WORDS;
#endif
#if FEW
  f32 *sums = (f32 *)(packed + PACKED_WORDS + 2 * IMAGE_SET);
  f32 q[BANDS][FEW_KERNEL_Y][FEW_TILES][4];
  u32 buffer = 0;
#endif
  const f32 *params = (const f32 *)(packed + WEIGHT_WORDS);
  u32 lane = THREAD % 32, g = lane / 4, t = lane % 4, own = THREAD / 32 * (BANDS * 16);
  int first_column = (int)(BLOCK_X * OWN) - LEFT, column = first_column + (int)(own + g);
  int strip = (int)(BLOCK_Y * a.rows), end = strip + (int)a.rows + DOWN;
  const u16 *source = (const u16 *)a.source + (int)BLOCK_Z * a.from_batch;
  int last = (int)a.out_rows + DOWN; /* rows beyond reach no result */
  if (end > last) end = last;
  for (u32 i = THREAD; i < PACKED_WORDS; i += THREADS) packed[i] = ((const u32 *)a.weights)[i];
#if SOURCE == IMAGE
  /* Where this thread's pairs of a window are, in bytes, and what of them is the window's. Behind the last there may be
     room for a pair of 1 and 0, whose weight is the bias. */
  u32 pair_at[2 * STEPS], pair_mask[2 * STEPS], one = PAIRS % 4 == t ? ONE_BITS : 0;
  UNROLL
  for (u32 i = 0; i < 2 * STEPS; i++) {
    u32 p = i * 4 + t, line = p / PAIRS_X, x = p % PAIRS_X;
    pair_at[i] = p < PAIRS ? (((line / KERNEL_Y * IMAGE_ROWS + line % KERNEL_Y) * 2) * IMAGE_WORDS + x) * 4 : 0;
    pair_mask[i] = p >= PAIRS ? 0 : KERNEL_X % 2 && x == PAIRS_X - 1 ? 0xffff : 0xffffffff;
    KEEP(pair_at[i]);
    if (KERNEL_X % 2 || i * 4 + 4 > PAIRS) KEEP(pair_mask[i]);
  }
  KEEP(one);
#endif
#if FEW
  UNROLL
  for (u32 i = 0; i < BANDS * FEW_KERNEL_Y * FEW_TILES * 4; i++)
    q[i / (FEW_KERNEL_Y * FEW_TILES * 4)][i / (FEW_TILES * 4) % FEW_KERNEL_Y][i / 4 % FEW_TILES][i % 4] = 0;
#endif
#if SOURCE == RAW
  u32 next[BANDS][CHANNEL_STEPS][4];
  load_raw(&a, source, strip - UP, column, t, next);
#endif
#if SOURCE == IMAGE
  u32 now = 0;
  for (u32 i = THREAD; i < IMAGE_ELEMENTS; i += BLOCK_THREADS) {
    u16 v;
    PICTURE_ELEMENT(u16, v, i, strip - UP);
    store_picture(image, i, v);
  }
#endif
  BARRIER();
#if HOLD
  u32 held[STEPS * TILES_0 * 2];
  UNROLL
  for (u32 i = 0; i < STEPS * TILES_0 * 2; i++) held[i] = packed[WEIGHTS_0 + (i / 2 * 32 + lane) * 2 + i % 2];
#endif
  for (int row = strip - UP; row < end; row++) {
    int there = row >= 0 && row < (int)a.height; /* else all zeros */
#if SOURCE == IMAGE
    int done = (row - (strip - UP)) % ROWS;
    if (done == 0 && row != strip - UP) { /* the other set is complete, and this one no more read */
      BARRIER();
      now ^= 1;
    }
    u16 ahead[AHEAD];
    UNROLL
    for (u32 k = 0; k < AHEAD; k++)
      PICTURE_ELEMENT(u16, ahead[k], ((u32)done * AHEAD + k) * BLOCK_THREADS + THREAD, row - done + ROWS);
#endif
#if SOURCE == RAW
    u32 act[BANDS][CHANNEL_STEPS][4];
    UNROLL
    for (u32 i = 0; i < BANDS * CHANNEL_STEPS * 4; i++)
      (&act[0][0][0])[i] = (&next[0][0][0])[i];
    if (row + 1 < end) load_raw(&a, source, row + 1, column, t, next);
#define LAST_ACT act
#define LAST_STEPS CHANNEL_STEPS
#else
    f32 sum_0[BANDS][TILES_0][4];
    if (!BIAS_PAIR || !there) {
      BEGIN_SUMS(sum_0, TILES_0, BIAS_0)
    }
#if SOURCE == IMAGE
    if (there) {
      u32 base = (now * IMAGE_SET + (u32)done * 2 * IMAGE_WORDS + (g & 1) * IMAGE_WORDS + own / 2 + (g >> 1)) * 4;
      KEEP(base);
      UNROLL
      for (u32 s = 0; s < STEPS; s++) {
        u32 in[BANDS][4];
        UNROLL
        for (u32 b = 0; b < BANDS; b++) {
          UNROLL
          for (u32 e = 0; e < 4; e++) {
            u32 i = 2 * s + e / 2;
            const char *pair = (const char *)image + (base + pair_at[i]) + (b * 8 + e % 2 * 4) * 4;
            in[b][e] = *(const u32 *)pair & pair_mask[i];
            if (BIAS_PAIR && i == PAIRS / 4) in[b][e] |= one;
          }
        }
#if HOLD
        UNROLL
        for (u32 n = 0; n < TILES_0; n++) {
          UNROLL
          for (u32 b = 0; b < BANDS; b++) {
            if (BIAS_PAIR && s == 0)
              multiply_first(sum_0[b][n], in[b], held[(s * TILES_0 + n) * 2], held[(s * TILES_0 + n) * 2 + 1]);
            else
              multiply(sum_0[b][n], in[b], held[(s * TILES_0 + n) * 2], held[(s * TILES_0 + n) * 2 + 1]);
          }
        }
#else
        UNROLL
        for (u32 n = 0; n < TILES_0; n++) {
          u32 b0 = packed[WEIGHTS_0 + ((s * TILES_0 + n) * 32 + lane) * 2];
          u32 b1 = packed[WEIGHTS_0 + ((s * TILES_0 + n) * 32 + lane) * 2 + 1];
          UNROLL
          for (u32 b = 0; b < BANDS; b++) {
            if (BIAS_PAIR && s == 0)
              multiply_first(sum_0[b][n], in[b], b0, b1);
            else
              multiply(sum_0[b][n], in[b], b0, b1);
          }
        }
#endif
      }
    }
#else
    if (there) {
      UNROLL
      for (int y = 0; y < KERNEL_Y; y++) {
        UNROLL
        for (int x = 0; x < KERNEL_X; x++) {
          u32 in[BANDS][CHANNEL_STEPS][4];
          int from_y = row - PAD_Y + y;
          UNROLL
          for (u32 i = 0; i < BANDS * CHANNEL_STEPS * 2; i++) {
            u32 b = i / (CHANNEL_STEPS * 2), s = i / 2 % CHANNEL_STEPS, h = i % 2;
            int from_x = column - PAD_X + x + (int)(b * 16 + h * 8);
            u64 four = 0;
            if ((s * 16 + 16 <= CHANNELS || s * 16 + t * 4 < CHANNELS) && (u32)from_y < a.from_height &&
                (u32)from_x < a.from_width)
              four = load_four(source, from_y * a.from_y + from_x * a.from_x + (int)(s * 16 + t * 4));
            in[b][s][h] = (u32)four;
            in[b][s][2 + h] = (u32)(four >> 32);
          }
          UNROLL
          for (u32 s = 0; s < CHANNEL_STEPS; s++) {
            ADD_PRODUCTS(sum_0, in, [s], TILES_0, WEIGHTS_0, (u32)(y * KERNEL_X + x) * CHANNEL_STEPS + s)
          }
        }
      }
    }
#endif
#if LAYERS > 1
    u32 act_0[BANDS][(TILES_0 + 1) / 2][4];
    f32 sum_1[BANDS][TILES_1][4];
    ACTIVATE(0, sum_0, TILES_0, OUTPUTS_0, act_0)
    BEGIN_SUMS(sum_1, TILES_1, BIAS_1)
    if (there) {
      UNROLL
      for (u32 s = 0; s < (TILES_0 + 1) / 2; s++) {
        ADD_PRODUCTS(sum_1, act_0, [s], TILES_1, WEIGHTS_1, s)
      }
    }
#endif
#if LAYERS > 2
    u32 act_1[BANDS][(TILES_1 + 1) / 2][4];
    f32 sum_2[BANDS][TILES_2][4];
    ACTIVATE(1, sum_1, TILES_1, OUTPUTS_1, act_1)
    BEGIN_SUMS(sum_2, TILES_2, BIAS_2)
    if (there) {
      UNROLL
      for (u32 s = 0; s < (TILES_1 + 1) / 2; s++) {
        ADD_PRODUCTS(sum_2, act_1, [s], TILES_2, WEIGHTS_2, s)
      }
    }
#endif
#define LAST_ACT   act_last
#define LAST_STEPS ((LAST_TILES + 1) / 2)
#if FEW
    u32 act_last[BANDS][LAST_STEPS][4];
    LAST_ACTIVATE
    UNROLL
    for (u32 b = 0; b < BANDS; b++) {
      UNROLL
      for (u32 h = 0; h < 2; h++) { /* beside the picture there are zeros, not what the layers make of zeros */
        u32 inside = (u32)(column + (int)(b * 16 + h * 8)) < a.width;
        UNROLL
        for (u32 s = 0; s < LAST_STEPS; s++) {
          act_last[b][s][h] = inside ? act_last[b][s][h] : 0;
          act_last[b][s][2 + h] = inside ? act_last[b][s][2 + h] : 0;
        }
      }
    }
#endif
#endif
#if FEW
    if (there) {
      UNROLL
      for (u32 y = 0; y < FEW_KERNEL_Y; y++) {
        UNROLL
        for (u32 s = 0; s < LAST_STEPS; s++) {
          UNROLL
          for (u32 n = 0; n < FEW_TILES; n++) {
            u32 at = WEIGHTS_FEW + (((y * LAST_STEPS + s) * FEW_TILES + n) * 32 + lane) * 2;
            u32 b0 = packed[at], b1 = packed[at + 1];
            UNROLL
            for (u32 b = 0; b < BANDS; b++) multiply(q[b][y][n], LAST_ACT[b][s], b0, b1);
          }
        }
      }
    }
    u32 waiting = (u32)(row - (strip - UP)) % GROUP; /* rows whose sums wait for this one's */
    f32 *own_sums = sums + (buffer * GROUP + waiting) * SUM_WORDS + own + g;
    UNROLL
    for (u32 y = 0; y < FEW_STRIDE; y++) { /* these rows of results have all their inputs */
      UNROLL
      for (u32 i = 0; i < BANDS * FEW_TILES * 4; i++) {
        u32 b = i / (FEW_TILES * 4), n = i / 4 % FEW_TILES, e = i % 4, m = n * 8 + t * 2 + e % 2;
        if (n * 8 + 8 <= FEW_COLUMNS || m < FEW_COLUMNS)
          own_sums[(y * FEW_COLUMNS + m) * SUM_PITCH + b * 16 + e / 2 * 8] = q[b][y][n][e];
      }
    }
    UNROLL
    for (u32 b = 0; b < BANDS; b++) {
      UNROLL
      for (u32 y = 0; y < FEW_KERNEL_Y; y++) {
        UNROLL
        for (u32 i = 0; i < FEW_TILES * 4; i++)
          q[b][y][i / 4][i % 4] =
              y + FEW_STRIDE < FEW_KERNEL_Y ? q[b][(y + FEW_STRIDE) % FEW_KERNEL_Y][i / 4][i % 4] : 0;
      }
    }
    if (waiting == GROUP - 1 || row + 1 == end) {
      BARRIER(); /* the set written next was read before the barrier before this one */
      gather_results(&a, params, sums + buffer * GROUP * SUM_WORDS, row - (int)waiting, waiting + 1);
      buffer ^= 1;
    }
#else
    UNROLL
    for (u32 b = 0; b < BANDS; b++) {
      UNROLL
      for (u32 h = 0; h < 2; h++) {
        int x = column + (int)(b * 16 + h * 8);
        if ((u32)x >= a.out_width) continue;
        u32 to = (u32)((int)BLOCK_Z * a.to_batch + row * a.to_y + x * a.to_x);
        UNROLL
        for (u32 n = 0; n < LAST_TILES; n += 2) { /* columns were dealt out so that a thread has four neighbours */
          u32 m = n * 8 + t * 4, both[2] = {0, 0};
          UNROLL
          for (u32 k = 0; k < 2; k++)
            if (m < LAST_OUTPUTS)
              both[k] = finish_pair(&a, params, (n + k) * 8 + t * 2, LAST_SUM[b][n + k][2 * h],
                                    LAST_SUM[b][n + k][2 * h + 1], m + 2 * k, (u32)row * a.out_width + (u32)x);
#if VECTOR
          if (m < LAST_OUTPUTS) *(u64 *)((u16 *)a.target + to + m) = both[0] | (u64)both[1] << 32;
#else
          UNROLL
          for (u32 k = 0; k < 4; k++)
            if (m + k < LAST_OUTPUTS)
              ((u16 *)a.target)[to + (int)(m + k) * a.to_channel] = (u16)(both[k / 2] >> k % 2 * 16);
#endif
        }
      }
    }
#endif
#undef LAST_ACT
#undef LAST_STEPS
#if SOURCE == IMAGE
    UNROLL
    for (u32 k = 0; k < AHEAD; k++)
      store_picture(image + (now ^ 1) * IMAGE_SET, ((u32)done * AHEAD + k) * BLOCK_THREADS + THREAD, ahead[k]);
#endif
  }
}
