/* Products and convolutions by tiles that go through a ring of STAGES in shared memory: sums of rows x columns, rows
   being places of pictures (or rows of a matrix), columns channels, a block a tile of ROWS x COLUMNS. TENSOR: by
   tensor cores (mma.sync), in 16 bits or TF32; else by multiply-adds in f32. While a step is multiplied, those behind it
   are on their way (cp.async). With SPLITS, as many blocks share the steps of a tile and leave parts of its sums, which
   mma_sum adds, always in the same order.

   A step is PIECES times 16 bytes of every row and column. In shared memory rows lie one behind the other, and
   the pieces of a row are permuted by it, so that eight rows' pieces of one number lie in different banks.

   Fixed by the head: X, Y, HALF (Y has 16 bits), ROWS, COLUMNS, PIECES, STAGES, SPLITS, RESIDENT (blocks of a
   multiprocessor), WARPS_DOWN, WARPS_ACROSS, BATCH_AXES, TENSOR, SOURCE (how rows come: MATRIX, PICTURES in whole
   pieces of channels, GATHERED element by element from any layout), A_ELEMENTS and B_ELEMENTS (of matrices: any
   strides), CONSTANT (b is), PLACES (rows are of pictures), PLAIN (the result's places lie together), WHOLE (columns
   are a multiple of 8), EARLY (may start before what it reads is there), take() and apply(). */
enum {
  WORKERS = 32 * WARPS_DOWN * WARPS_ACROSS,
  PER_PIECE = 16 / BYTES(X),
  DEPTH = PIECES * PER_PIECE,
  ROW_BYTES = PIECES * 16,
  BAND_ROWS = ROWS / WARPS_DOWN,
  BAND_COLUMNS = COLUMNS / WARPS_ACROSS,
  A_BYTES = ROWS * ROW_BYTES,
  STAGE_BYTES = A_BYTES + COLUMNS * ROW_BYTES,
  PASS_ROWS = ROWS > 64 ? 64 : ROWS, /* results on their way out, at once in shared memory */
  PITCH = COLUMNS + 8,
  RING_BYTES = STAGES * STAGE_BYTES,
  PASS_BYTES = PASS_ROWS * PITCH * 4,
  A_EACH = ROWS * PIECES / WORKERS, /* pieces that a thread brings */
  B_EACH = COLUMNS * PIECES / WORKERS,
  OUT_EACH = PASS_ROWS * COLUMNS / PIECE / WORKERS, /* eights that a thread puts */
  ROOM = RESIDENT == 3 ? 2 : 4,                     /* of registers */
  TOGETHER = OUT_EACH > ROOM ? ROOM : OUT_EACH      /* operands of so many are on their way at once */
};
#define PRODUCT asm volatile
#include "mma.cuh"
struct ALIGNED16 four {
  f32 at[4];
};

/* Where piece |piece| of row |row| lies in a tile. */
DEVICE u32 place_of(u32 row, u32 piece) {
  return row * ROW_BYTES + (piece ^ (PIECES == 8 ? row & 7 : row >> 1 & 3)) * 16;
}

/* ---- what follows the sums --------------------------------------------------------------------------------------- */

/* Eight sums on their way out, from |row| and |column| on: what follows reads its operands first, so that those of
   several eights are on their way together. */
struct eight_sums {
  f32 value[PIECE];
  u32 to, count; /* no sums: 0 */
  struct taken taken;
};
DEVICE void begin_put(const struct mma_arguments *a, struct eight_sums *s, u32 batch, u32 row, u32 column) {
  s->count = 0;
  if (row >= a->rows || column >= a->columns) return;
  s->count = WHOLE || column + PIECE <= a->columns ? PIECE : a->columns - column;
#if PLACES
  u32 n = divide(row, a->by_place), place = row - n * a->by_place.divisor, channel = batch * a->columns + column;
  s->to = (u32)((int)n * a->to_batch + (int)channel * a->to_channel + (int)place * a->to_place);
#else
  u32 n = batch, place = row, channel = column;
  s->to = (batch * a->rows + row) * a->columns + column;
#endif
  take(&a->epilogue, a->bias, &s->taken, (int)n, (int)channel, (int)place, s->count);
}
DEVICE void end_put(const struct mma_arguments *a, struct eight_sums *s) {
  if (!s->count) return;
  apply(&s->taken, s->value);
#if WHOLE && !PLAIN
  JOIN(store8_, Y)(a->target, (int)s->to, s->value);
#else
  UNROLL
  for (u32 i = 0; i < PIECE; i++)
    if (i < s->count) STORE(Y, a->target, s->to + i * (PLAIN ? (u32)a->to_channel : 1), s->value[i]);
#endif
}

/* ---- rows and columns come --------------------------------------------------------------------------------------- */

/* What a thread knows of a row that it brings: where it begins in memory, and of a window which of its rows and columns
   are inside, a bit each. |down| is 0 for a row that is not there. */
struct line {
  int from;
  u32 across, down;
};

#if SOURCE != MATRIX
DEVICE struct line line_of(const struct mma_arguments *a, u32 row) {
  struct line l;
  u32 n = divide(row, a->by_place), place = row - n * a->by_place.divisor, y = divide(place, a->by_width);
  u32 x = place - y * a->by_width.divisor;
  int top = (int)y * a->stride[0] - a->pad[0], left = (int)x * a->stride[1] - a->pad[1];
  l.from = (int)n * a->from_batch + top * a->from_y + left * a->from_x;
  l.across = l.down = 0;
  for (u32 i = 0; i < a->across.divisor; i++, left += a->dilation[1])
    l.across |= (u32)(left >= 0 && left < a->width) << i;
  for (u32 i = 0; i < a->down.divisor; i++, top += a->dilation[0]) l.down |= (u32)(top >= 0 && top < a->height) << i;
  if (row >= a->rows) l.down = 0;
  return l;
}
#else
DEVICE struct line line_of(const struct mma_arguments *a, u32 row) {
  struct line l = {(int)row * a->a_row, 0, row < a->rows};
  return l;
}
#endif

struct ALIGNED16 gathered {
  u16 at[PER_PIECE];
};

/* A piece element by element: |from| on in steps of |step|, |count| of them there. */
DEVICE void copy_elements(char *to, const char *from, int step, u32 count) {
#if BYTES(X) == 4
  UNROLL
  for (u32 i = 0; i < PER_PIECE; i++)
    copy4(to + 4 * i, from + 4 * (i64)((int)i * step), i < count ? 4 : 0);
#else
  struct gathered v;
  UNROLL
  for (u32 i = 0; i < PER_PIECE; i++) v.at[i] = i < count ? ((const u16 *)from)[(int)i * step] : (u16)0;
  *(quad *)to = *(const quad *)&v;
#endif
}

#if SOURCE == GATHERED
/* Elements from |k| = (c * rows + y) * columns + x of a window on: of 32 bits to where they belong, of 16 into
   registers. */
DEVICE void gather(const struct mma_arguments *a, const char *source, const struct line *l, u32 k, char *to,
                   struct gathered *v) {
  u32 t = divide(k, a->across), x = k - t * a->across.divisor, c = divide(t, a->down), y = t - c * a->down.divisor;
  UNROLL
  for (u32 i = 0; i < PER_PIECE; i++) {
    u32 there = k + i < a->depth && l->down >> y & 1 && l->across >> x & 1;
    int at = l->from + (int)c * a->from_c + (int)y * a->tap_y + (int)x * a->tap_x;
#if BYTES(X) == 4
    copy4(to + 4 * i, source + 4 * (i64)at, there ? 4 : 0);
#else
    v->at[i] = there ? ((const u16 *)source)[at] : (u16)0;
#endif
    if (++x == a->across.divisor) {
      x = 0;
      if (++y == a->down.divisor) {
        y = 0;
        c++;
      }
    }
  }
}
#endif

/* Which piece of which row is the |i|-th that the calling thread brings: along rows where elements lie along them. */
#define A_ALONG (SOURCE == GATHERED || A_ELEMENTS)
DEVICE u32 row_brought(u32 i, u32 rows, int along) {
  return along ? (THREAD + i * WORKERS) % rows : THREAD / PIECES + i * (WORKERS / PIECES);
}
DEVICE u32 piece_brought(u32 i, u32 rows, int along) {
  return along ? (THREAD + i * WORKERS) / rows : THREAD % PIECES;
}

struct feed {
  const char *a, *b; /* of the batch */
  struct line rows[A_EACH];
  int columns[B_EACH]; /* where they begin; negative: not there */
#if SOURCE == GATHERED && BYTES(X) == 2
  struct gathered held[A_EACH]; /* brought, and not yet put down */
#endif
};

DEVICE void bring_a(const struct mma_arguments *a, struct feed *f, u32 step, char *tile) {
#if SOURCE == PICTURES /* a thread's pieces are all of one number */
  u32 q = step * PIECES + THREAD % PIECES, tap = divide(q, a->chunks), c = q - tap * a->chunks.divisor;
  u32 y = divide(tap, a->across), x = tap - y * a->across.divisor;
  int at = (int)y * a->tap_y + (int)x * a->tap_x + (int)c * PER_PIECE;
  u32 known = q * PER_PIECE < a->depth;
#endif
  UNROLL
  for (u32 i = 0; i < A_EACH; i++) {
    u32 row = row_brought(i, ROWS, A_ALONG), piece = piece_brought(i, ROWS, A_ALONG);
    const struct line *l = &f->rows[i];
    char *to = tile + place_of(row, piece);
#if SOURCE == PICTURES
    u32 there = known && l->down >> y & 1 && l->across >> x & 1;
    copy16(to, f->a + (i64)(l->from + at) * BYTES(X), there ? 16 : 0);
#elif SOURCE == GATHERED
#if BYTES(X) == 2
    gather(a, f->a, l, step * DEPTH + piece * PER_PIECE, to, &f->held[i]);
#else
    gather(a, f->a, l, step * DEPTH + piece * PER_PIECE, to, 0);
#endif
#else
    u32 k = step * DEPTH + piece * PER_PIECE, left = l->down && k < a->depth ? a->depth - k : 0;
#if A_ELEMENTS
    copy_elements(to, f->a + (i64)(l->from + (int)k * a->a_column) * BYTES(X), a->a_column, left);
#else
    copy16(to, f->a + (i64)(l->from + (int)k) * BYTES(X), left ? 16 : 0);
#endif
#endif
  }
}

/* What bring_a left in registers, into the tile: behind the products, which it did not wait for. */
DEVICE void put_down(const struct feed *f, char *tile) {
#if SOURCE == GATHERED && BYTES(X) == 2
  UNROLL
  for (u32 i = 0; i < A_EACH; i++)
    *(quad *)(tile + place_of(row_brought(i, ROWS, A_ALONG), piece_brought(i, ROWS, A_ALONG))) =
        *(const quad *)&f->held[i];
#endif
}

DEVICE void bring_b(const struct mma_arguments *a, const struct feed *f, u32 step, char *tile) {
  UNROLL
  for (u32 i = 0; i < B_EACH; i++) {
    u32 row = row_brought(i, COLUMNS, B_ELEMENTS), piece = piece_brought(i, COLUMNS, B_ELEMENTS);
    u32 k = step * DEPTH + piece * PER_PIECE, left = f->columns[i] >= 0 && k < a->depth ? a->depth - k : 0;
    char *to = tile + A_BYTES + place_of(row, piece);
#if B_ELEMENTS
    copy_elements(to, f->b + (i64)(f->columns[i] + (int)k * a->b_row) * BYTES(X), a->b_row, left);
#else
    copy16(to, f->b + (i64)(f->columns[i] + (int)k) * BYTES(X), left ? 16 : 0);
#endif
  }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */
#if TENSOR

enum { DOWN = BAND_ROWS / 16, ACROSS = BAND_COLUMNS / 8 };
struct sums {
  f32 at[DOWN][ACROSS][4];
};

/* Of 32 bytes of every row and column. */
struct fragments {
  u32 left[DOWN][4], right[ACROSS / 2][4];
};
/* A lane's row is its own in every sixteen, and so is the permutation that goes with it. */
struct view {
  u32 rows, columns, turn_a, turn_b;
};
DEVICE struct view view_of(void) {
  u32 lane = THREAD % 32, warp = THREAD / 32;
  u32 row = warp / WARPS_ACROSS * BAND_ROWS + lane % 16;
  u32 column = warp % WARPS_ACROSS * BAND_COLUMNS + lane % 8 + lane / 16 * 8;
  struct view v = {row * ROW_BYTES, A_BYTES + column * ROW_BYTES, place_of(row, lane / 16) - row * ROW_BYTES,
                   place_of(column, lane / 8 % 2) - column * ROW_BYTES};
  return v;
}
DEVICE void load_fragments(struct fragments *f, const struct view *v, const char *tile, u32 k) {
  UNROLL
  for (u32 i = 0; i < DOWN; i++)
    load_matrices(f->left[i], tile + v->rows + i * 16 * ROW_BYTES + (2 * k * 16 ^ v->turn_a));
  UNROLL
  for (u32 j = 0; j < ACROSS / 2; j++)
    load_matrices(f->right[j], tile + v->columns + j * 16 * ROW_BYTES + (2 * k * 16 ^ v->turn_b));
}
DEVICE void take_fragments(struct sums *s, struct fragments *f) {
#if BYTES(X) == 4
  UNROLL
  for (u32 e = 0; e < 4 * DOWN; e++) f->left[e / 4][e % 4] = shortened(f->left[e / 4][e % 4]);
  UNROLL
  for (u32 e = 0; e < 2 * ACROSS && !CONSTANT; e++) f->right[e / 4][e % 4] = shortened(f->right[e / 4][e % 4]);
#endif
  UNROLL
  for (u32 i = 0; i < DOWN; i++) {
    UNROLL
    for (u32 j = 0; j < ACROSS; j++)
      multiply(s->at[i][j], f->left[i], f->right[j / 2][j % 2 * 2], f->right[j / 2][j % 2 * 2 + 1]);
  }
}

/* The steps of a block, from |first| on; those of the ring are on their way. What a product needs is loaded while the
   one before it is worked on, across steps too. */
DEVICE void take_steps(const struct mma_arguments *a, struct feed *f, struct sums *s, u32 first, u32 count,
                       char *memory) {
  struct fragments of[2];
  struct view v = view_of();
  COPIES_WAIT(STAGES - 2);
  BARRIER();
  load_fragments(&of[0], &v, memory, 0);
  for (u32 i = 0, stage = 0, next = STAGES - 1; i < count; i++) {
    char *tile = memory + stage * STAGE_BYTES, *coming = memory + next * STAGE_BYTES;
    int more = i + STAGES - 1 < count;
    if (++stage == STAGES) stage = 0;
    if (++next == STAGES) next = 0;
    UNROLL
    for (u32 k = 0; k < PIECES / 2; k++) {
      int last = k + 1 == PIECES / 2;
      if (last) { /* the next step is there for all, and nobody reads this one any more */
        COPIES_WAIT(STAGES - 2);
        BARRIER();
      }
      load_fragments(&of[(k + 1) % 2], &v, last ? memory + stage * STAGE_BYTES : tile, last ? 0 : k + 1);
      if (k == 0) {
        if (more) {
          bring_a(a, f, first + i + STAGES - 1, coming);
          bring_b(a, f, first + i + STAGES - 1, coming);
        }
        COPIES_END();
      }
      take_fragments(s, &of[k % 2]);
      if (k == 0 && more) put_down(f, coming);
    }
  }
}

/* Sums of the pass to shared memory as rows, so that neighbours come together. */
DEVICE void lay_down(const struct sums *s, f32 *rows, u32 pass) {
  u32 lane = THREAD % 32, warp = THREAD / 32, first = warp / WARPS_ACROSS * BAND_ROWS;
  if (first / PASS_ROWS != pass) return;
  f32 *to = rows + (first % PASS_ROWS + lane / 4) * PITCH + warp % WARPS_ACROSS * BAND_COLUMNS + lane % 4 * 2;
  UNROLL
  for (u32 i = 0; i < DOWN; i++) {
    UNROLL
    for (u32 j = 0; j < ACROSS; j++) {
      UNROLL
      for (u32 e = 0; e < 4; e++) to[(i * 16 + e / 2 * 8) * PITCH + j * 8 + e % 2] = s->at[i][j][e];
    }
  }
}

#else /* a thread has every fourth row and every eighth column of its warp's */

enum { DOWN = BAND_ROWS / 4, ACROSS = BAND_COLUMNS / 8 };
struct sums {
  f32 at[DOWN][ACROSS];
};
/* Neighbouring lanes share a column, so that two threads' reads are one. */
DEVICE u32 row_of(u32 lane) { return lane % 2 + lane / 16 * 2; }
DEVICE u32 column_of(u32 lane) { return lane / 2 % 8; }

DEVICE void take_step(struct sums *s, const char *tile) {
  u32 lane = THREAD % 32, warp = THREAD / 32;
  u32 row = warp / WARPS_ACROSS * BAND_ROWS + row_of(lane);
  u32 column = warp % WARPS_ACROSS * BAND_COLUMNS + column_of(lane);
  const char *rows[PIECES], *columns[PIECES];
  UNROLL
  for (u32 p = 0; p < PIECES; p++) {
    rows[p] = tile + place_of(row, p);
    columns[p] = tile + A_BYTES + place_of(column, p);
  }
  UNROLL
  for (u32 p = 0; p < PIECES; p++) {
    struct four left[DOWN], right;
    UNROLL
    for (u32 i = 0; i < DOWN; i++) /* four rows further the permutation's second bit is the other one */
      left[i] = *(const struct four *)(rows[p ^ i % 2 * 2] + i * 4 * ROW_BYTES);
    UNROLL
    for (u32 j = 0; j < ACROSS; j++) {
      right = *(const struct four *)(columns[p] + j * 8 * ROW_BYTES);
      UNROLL
      for (u32 k = 0; k < 4; k++) {
        UNROLL
        for (u32 i = 0; i < DOWN; i++) s->at[i][j] += left[i].at[k] * right.at[k];
      }
    }
  }
}

DEVICE void take_steps(const struct mma_arguments *a, struct feed *f, struct sums *s, u32 first, u32 count,
                       char *memory) {
  for (u32 i = 0, stage = 0, next = STAGES - 1; i < count; i++) {
    COPIES_WAIT(STAGES - 2);
    BARRIER(); /* the step is there for all, and nobody reads the one before it any more */
    if (i + STAGES - 1 < count) {
      bring_a(a, f, first + i + STAGES - 1, memory + next * STAGE_BYTES);
      bring_b(a, f, first + i + STAGES - 1, memory + next * STAGE_BYTES);
    }
    COPIES_END();
    take_step(s, memory + stage * STAGE_BYTES);
    if (++stage == STAGES) stage = 0;
    if (++next == STAGES) next = 0;
  }
}

DEVICE void lay_down(const struct sums *s, f32 *rows, u32 pass) {
  u32 lane = THREAD % 32, warp = THREAD / 32, first = warp / WARPS_ACROSS * BAND_ROWS;
  if (first / PASS_ROWS != pass) return;
  f32 *to = rows + (first % PASS_ROWS + row_of(lane)) * PITCH + warp % WARPS_ACROSS * BAND_COLUMNS + column_of(lane);
  UNROLL
  for (u32 i = 0; i < DOWN; i++) {
    UNROLL
    for (u32 j = 0; j < ACROSS; j++) to[i * 4 * PITCH + j * 8] = s->at[i][j];
  }
}
#endif

/* ---- the kernel -------------------------------------------------------------------------------------------------- */

#if EARLY && PTX && __CUDA_ARCH__ >= 900
#define GRID_WAIT()     asm volatile("griddepcontrol.wait;" ::: "memory")
#define GRID_LET_NEXT() asm volatile("griddepcontrol.launch_dependents;" ::: "memory")
#else
#define GRID_WAIT()
#define GRID_LET_NEXT()
#endif

KERNEL_OF(mma, struct mma_arguments, WORKERS, RESIDENT) {
#if PTX
  extern __shared__ ALIGNED16 char memory[];
#else
  SHARED char memory[RING_BYTES > PASS_BYTES ? RING_BYTES : PASS_BYTES] ALIGNED16;
#endif
  u32 down = divide(BLOCK_X, a.tiles), across = BLOCK_X - down * a.tiles.divisor;
  u32 first_row = down * ROWS, first_column = across * COLUMNS;
  u32 first = (u32)((u64)a.steps * BLOCK_Z / SPLITS), count = (u32)((u64)a.steps * (BLOCK_Z + 1) / SPLITS) - first;
  struct feed f;
  struct sums s;
  int a_base = 0, b_base = 0;
#if PLACES
  a_base = (int)BLOCK_Y * a.a_group;
  b_base = (int)BLOCK_Y * a.b_group;
#else
  u32 rest = BLOCK_Y;
  for (int d = BATCH_AXES - 1; d >= 0; d--) {
    u32 outer = d ? divide(rest, a.batch[d]) : 0;
    int at = (int)(rest - outer * a.batch[d].divisor);
    a_base += at * a.a_batch[d];
    b_base += at * a.b_batch[d];
    rest = outer;
  }
#endif
  GRID_LET_NEXT();
  f.a = (const char *)a.source + (i64)a_base * BYTES(X);
  f.b = (const char *)a.filter + (i64)b_base * BYTES(X);
  UNROLL
  for (u32 i = 0; i < A_EACH; i++) f.rows[i] = line_of(&a, first_row + row_brought(i, ROWS, A_ALONG));
  UNROLL
  for (u32 i = 0; i < B_EACH; i++) {
    u32 column = first_column + row_brought(i, COLUMNS, B_ELEMENTS);
    f.columns[i] = column < a.columns ? (int)column * a.b_column : -1;
  }
  UNROLL
  for (u32 i = 0; i < (u32)(sizeof s / 4); i++) ((f32 *)&s)[i] = 0;
  if (!CONSTANT) GRID_WAIT();
  UNROLL
  for (u32 i = 0; i < STAGES - 1; i++)
    if (i < count) bring_b(&a, &f, first + i, memory + i * STAGE_BYTES);
  if (CONSTANT) GRID_WAIT(); /* what came before may have made all but what is constant */
  UNROLL
  for (u32 i = 0; i < STAGES - 1; i++) {
    if (i < count) {
      bring_a(&a, &f, first + i, memory + i * STAGE_BYTES);
      put_down(&f, memory + i * STAGE_BYTES);
    }
    COPIES_END();
  }
  take_steps(&a, &f, &s, first, count, memory);
  COPIES_WAIT(0);
  f32 *rows = (f32 *)memory;
  UNROLL
  for (u32 pass = 0; pass < ROWS / PASS_ROWS; pass++) {
    BARRIER();
    lay_down(&s, rows, pass);
    BARRIER();
    for (u32 i = THREAD; i < PASS_ROWS * (COLUMNS / PIECE); i += TOGETHER * WORKERS) {
      struct eight_sums out[TOGETHER];
      UNROLL
      for (u32 t = 0; t < TOGETHER; t++) {
        u32 at = i + t * WORKERS, row = PLAIN ? at % PASS_ROWS : at / (COLUMNS / PIECE);
        u32 column = (PLAIN ? at / PASS_ROWS : at % (COLUMNS / PIECE)) * PIECE;
        const struct four *from = (const struct four *)(rows + row * PITCH + column), low = from[0], high = from[1];
        UNROLL
        for (u32 e = 0; e < PIECE; e++) out[t].value[e] = e < 4 ? low.at[e % 4] : high.at[e % 4];
        row += first_row + pass * PASS_ROWS;
        column += first_column;
#if SPLITS > 1
        u64 to = ((u64)(BLOCK_Z * a.batches + BLOCK_Y) * a.rows + row) * a.columns + column;
        for (u32 e = 0; e < PIECE; e++)
          if (row < a.rows && column + e < a.columns) a.partial[to + e] = out[t].value[e];
#else
        begin_put(&a, &out[t], BLOCK_Y, row, column);
#endif
      }
#if SPLITS == 1
      UNROLL
      for (u32 t = 0; t < TOGETHER; t++) end_put(&a, &out[t]);
#endif
    }
  }
}

/* Adds what blocks left of each sum. */
KERNEL(mma_sum, struct mma_arguments) {
  u32 lines = a.batches * a.rows, count = a.eights.divisor * lines;
  u64 all = (u64)lines * a.columns;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < count; i += BLOCKS_X * THREADS) {
    u32 line = divide(i, a.eights), column = (i - line * a.eights.divisor) * PIECE;
    u32 batch = divide(line, a.by_rows), row = line - batch * a.by_rows.divisor;
    const f32 *from = a.partial + ((u64)line * a.columns + column);
    struct eight_sums out;
    begin_put(&a, &out, batch, row, column);
    for (u32 e = 0; e < PIECE; e++) out.value[e] = 0;
    for (u32 split = 0; split < SPLITS; split++)
      UNROLL
      for (u32 e = 0; e < PIECE; e++)
        if (WHOLE || column + e < a.columns) out.value[e] += from[split * all + e];
    end_put(&a, &out);
  }
}
