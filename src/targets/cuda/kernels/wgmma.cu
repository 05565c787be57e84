/* Convolutions and products in 16 bits with f32 sums on Hopper's tensor cores: target[rows x columns] = a b^T, a block a
   tile of ROWS x COLUMNS. Rows are places of pictures (or rows of a matrix), columns channels, and the sums go over
   steps of 64: for every place of the filter, its input channels.

   One warp fetches steps into a ring of STAGES; WARPGROUPS warpgroups multiply them, BANDS times 64 rows each. With DIRECT
   they finish their sums from registers, and a block goes from tile to tile, its ring never empty: while one tile is
   finished, the next one's steps arrive. With ALTERNATE each warpgroup has tiles of its own, in turn: one finishes while
   the other multiplies. COPIED results go through shared memory and leave by the copy engine, which also brings the
   operand that lies as they do (FETCHED: COPIED_OPERAND of what is taken), into the same place, ahead of time. With KEPT
   a block's columns are the same for all its tiles, and all their steps stay in shared memory.

   Without DIRECT a block has one tile, whose sums go through shared memory. Where rows are GATHERED, those that multiply
   later gather all steps first, each warpgroup another one, with four warps more where there are many. DEPTHWISE rows are
   computed into the ring by as many warps as multiply. With SPLITS, a cluster of so many blocks shares the steps of one
   tile, and each adds up and finishes its part of the rows, always in the same order.

   Fixed by the head: X, Y, COLUMNS, WARPGROUPS, BANDS, ALTERNATE, COPIED, FETCHED, KEPT, STAGES, SPLITS, RESIDENT (blocks
   of a multiprocessor), DIRECT, SOURCE (how rows come: MATRIX, PICTURES, GATHERED, DEPTHWISE), CONSTANT (b is), WHOLE
   (columns are a multiple of 8), PLAIN (a channel's results lie together, not a place's), PARTS and where each begins
   (results that the columns go to, with a multiple of 8 each), take() and apply(): what follows the sums of eight
   neighbours, and for GATHERED its own numbers.

   A grid may start while the one in front of it runs: it fetches weights, and waits before it reads anything else. */
enum { TEAMS = ALTERNATE ? WARPGROUPS : 1, GROUPS = WARPGROUPS / TEAMS, ROWS = 64 * BANDS * GROUPS };
#if SPLITS > 1
#define CLUSTER __cluster_dims__(1, 1, SPLITS)
#else
#define CLUSTER
#endif
#if SOURCE != GATHERED
enum { STEPS = 0 }; /* a number of the launch */
#endif
#if SOURCE != DEPTHWISE
#define EIGHTS 8 /* of a step's 64 elements: those that are multiplied */
#endif
/* Of few steps, those that multiply gather all. A block by itself has all registers of a multiprocessor: a whole warpgroup
   fetches, to give most of its own to those that multiply. */
#define UNEQUAL (DIRECT && RESIDENT == 1 && WARPGROUPS == 2 && SOURCE != DEPTHWISE)
enum {
  CONSUMERS = 128 * WARPGROUPS,
  GATHERERS = SOURCE == GATHERED && STEPS > WARPGROUPS ? WARPGROUPS + 1 : WARPGROUPS,
  FETCHERS = SOURCE == DEPTHWISE ? CONSUMERS : GATHERERS > WARPGROUPS || UNEQUAL ? 128 : 32,
  PIECES = (BANDS * COLUMNS / 16 + SPLITS - 1) / SPLITS /* of eight results, that a thread finishes of a tile */
};

#if SOURCE == GATHERED
#include "wgmma_gather.cuh"
#elif SOURCE == DEPTHWISE
#include "wgmma_depthwise.cuh"
#endif

/* Eight results beside each other, and what follows their sums reads. */
struct piece {
  int row, column, n, place; /* with signs, so that neighbours' addresses differ by a constant */
  u32 count;
};
DEVICE struct piece piece_at(const struct wgmma_arguments *a, int row, int column) {
  struct piece p = {row, column, (int)BLOCK_Y, row, PIECE};
#if SOURCE != MATRIX || PLACES
  p.n = (int)divide((u32)row, a->by_place);
  p.place = row - p.n * (int)a->by_place.divisor;
#endif
  if (!WHOLE && column + PIECE > (int)a->columns) p.count = a->columns - (u32)column;
  return p;
}
DEVICE void take_piece(const struct wgmma_arguments *a, const struct piece *p, struct taken *t) {
  take(&a->epilogue, a->bias, t, p->n, p->column, p->place, p->count);
}
/* What follows the sums, and into memory where the piece is |there|. */
DEVICE void put_piece(const struct wgmma_arguments *a, const struct piece *p, const struct taken *t, f32 *value,
                      u32 there) {
  void *target = a->target;
#if PARTS > 1
  const int begins[PARTS + 1] = {PART_BEGINS};
  int begin = 0, pitch = begins[1];
  UNROLL
  for (u32 i = 1; i < PARTS; i++)
    if (p->column >= begins[i]) {
      target = a->more[i - 1];
      begin = begins[i];
      pitch = begins[i + 1] - begins[i];
    }
  int to = p->row * pitch + p->column - begin;
#elif PLAIN
  int to = (p->n * (int)a->columns + p->column) * (int)a->by_place.divisor + p->place;
#else
  int to = ((int)(BLOCK_Y * a->rows) + p->row) * (int)a->columns + p->column;
#endif
  apply(t, value);
#if WHOLE && !PLAIN
  if (there) JOIN(store8_, Y)(target, to, value);
#else
  UNROLL
  for (u32 i = 0; i < PIECE; i++)
    if (there && i < p->count) STORE(Y, target, (u32)to + i * (PLAIN ? a->by_place.divisor : 1), value[i]);
#endif
}

#if !DIRECT
/* The |k|-th piece of a thread in its block's share of the tile; threads beside each other have what lies together in
   the result. */
enum { SHARE = ROWS / SPLITS };
DEVICE u32 own_row(u32 thread, u32 k) {
  u32 i = thread + k * CONSUMERS;
  return SHARE * BLOCK_Z + (PLAIN ? i % SHARE : i / (COLUMNS / PIECE));
}
DEVICE u32 own_column(u32 thread, u32 k) {
  u32 i = thread + k * CONSUMERS;
  return (PLAIN ? i / SHARE : i % (COLUMNS / PIECE)) * PIECE;
}
DEVICE u32 is_own(u32 thread, u32 k) { return thread + k * CONSUMERS < SHARE * (COLUMNS / PIECE); }
#endif

#if TENSOR_CORES /* ------------------------------------------------------------------------------------------------- */

enum {
  ROW_BYTES = DEPTH * 2,
  A_BYTES = ROWS * ROW_BYTES,
  B_BYTES = COLUMNS * ROW_BYTES,
  STAGE_BYTES = A_BYTES + (KEPT ? 0 : B_BYTES),
  BOX_BYTES = ROWS * ROW_BYTES,       /* of 64 columns of a team's results */
  RESULT_BYTES = COLUMNS / 64 * BOX_BYTES,
  RESULTS = STAGES * STAGE_BYTES, /* behind the ring; and behind them what is kept */
  KEPT_STEPS = RESULTS + (COPIED ? TEAMS * RESULT_BYTES : 0),
  PITCH = COLUMNS + 8, /* of the sums in shared memory: no two of a warp's stores in one bank */
  /* What so many pieces want is on its way at a time, the first ones' behind the products. */
  WINDOW = PIECES < 2 ? 1 : UNEQUAL ? 4 : 2
};

/* Steps of this block's share, walked by the fetching warp. */
#if SOURCE == MATRIX || SOURCE == PICTURES
struct walk {
  u32 chunk, x, y;
};
DEVICE void walk_begin(const struct wgmma_arguments *a, struct walk *w, u32 step) {
  u32 tap = divide(step, a->chunks);
  w->chunk = step - tap * a->chunks.divisor;
  w->y = divide(tap, a->taps);
  w->x = tap - w->y * a->taps.divisor;
}
DEVICE void walk_on(const struct wgmma_arguments *a, struct walk *w) {
  if (++w->chunk < a->chunks.divisor) return;
  w->chunk = 0;
  if (++w->x < a->taps.divisor) return;
  w->x = 0;
  w->y++;
}
#endif

struct share {
  u32 row, column, first, count; /* of the tile; steps */
};
DEVICE struct share share_of(const struct wgmma_arguments *a, u32 tile) {
  u32 down = divide(tile, a->tiles), across = tile - down * a->tiles.divisor;
  struct share s = {down * ROWS, across * COLUMNS, 0, a->steps};
  s.first = (u32)((u64)a->steps * BLOCK_Z / SPLITS);
  s.count = (u32)((u64)a->steps * (BLOCK_Z + 1) / SPLITS) - s.first;
  return s;
}

#if SOURCE == GATHERED
/* The steps of the calling warpgroup. */
DEVICE void gather_steps(const struct wgmma_arguments *a, const struct share *s, char *ring, u32 full) {
  u32 group = THREAD / 128, row = THREAD % 128, base = shared_address(ring);
  if (THREAD == CONSUMERS)
    for (u32 step = 0; step < STEPS; step++) {
      meeting_expect(full + 8 * step, COLUMNS * ROW_BYTES);
      copy_box(base + step * STAGE_BYTES + A_BYTES, &a->b, full + 8 * step, (int)(step * DEPTH), (int)s->column, 0);
    }
  grid_wait();
  struct window_place at = window_of(a, s->row + row);
  UNROLL
  for (u32 step = 0; step < STEPS; step++) { /* all of them constants */
    if (step % GATHERERS != group) continue;
    gather(&at, step, ring + step * STAGE_BYTES, row);
    stores_publish();
    meeting_arrive(full + 8 * step);
  }
}
#elif SOURCE == DEPTHWISE
/* The steps of the block's tile: rows by all FETCHERS, weights by the copy engine. */
DEVICE void compute_steps(const struct wgmma_arguments *a, const struct share *s, char *ring, u32 full, u32 empty) {
  u32 thread = THREAD - CONSUMERS, base = shared_address(ring), ahead = s->count < STAGES ? s->count : STAGES;
  struct depthwise_place at[MINE];
  for (u32 i = 0; i < ahead && thread == 0; i++) {
    meeting_expect(full + 8 * i, COLUMNS * ROW_BYTES);
    copy_box(base + i * STAGE_BYTES + A_BYTES, &a->b, full + 8 * i, (int)((s->first + i) * DEPTH), (int)s->column, 0);
  }
  __syncwarp();
  UNROLL
  for (u32 j = 0; j < MINE; j++) at[j] = depthwise_place_of(a, s->row + thread / EIGHTS + j * LANES);
  grid_wait();
  u32 stage = 0, phase = 1;
  for (u32 i = 0; i < s->count; i++) {
    u32 ready = full + 8 * stage;
    if (i >= STAGES) {
      meeting_wait(empty + 8 * stage, phase);
      if (thread == 0) {
        meeting_expect(ready, COLUMNS * ROW_BYTES);
        copy_box(base + stage * STAGE_BYTES + A_BYTES, &a->b, ready, (int)((s->first + i) * DEPTH), (int)s->column, 0);
      }
    }
    depthwise_step(a, at, s->first + i, ring + stage * STAGE_BYTES, thread);
    stores_publish();
    meeting_arrive(ready);
    if (++stage == STAGES) {
      stage = 0;
      phase ^= 1;
    }
  }
}
#else

DEVICE void copy_columns(const struct wgmma_arguments *a, const struct share *s, u32 to, u32 step, u32 ready) {
  copy_box(to, &a->b, ready, (int)(step * DEPTH), (int)s->column, (int)(BLOCK_Y * a->b_moves));
}

/* The steps of all the block's tiles, one behind the other. |kept|: the meeting about those of b that stay. */
DEVICE void fetch(const struct wgmma_arguments *a, char *ring, u32 full, u32 empty, u32 kept) {
  struct share s = share_of(a, BLOCK_X);
  u32 base = shared_address(ring), ahead = s.count < STAGES ? s.count : STAGES;
  if (THREAD != CONSUMERS) return;
#if KEPT
  meeting_expect(kept, a->steps * B_BYTES);
  for (u32 i = 0; i < a->steps; i++) copy_columns(a, &s, base + KEPT_STEPS + i * B_BYTES, i, kept);
#endif
  for (u32 i = 0; i < ahead; i++) { /* weights do not depend on what ran before */
    meeting_expect(full + 8 * i, STAGE_BYTES);
    if (CONSTANT && !KEPT) copy_columns(a, &s, base + i * STAGE_BYTES + A_BYTES, s.first + i, full + 8 * i);
  }
  grid_wait();
  u32 stage = 0, phase = 1, fetched = 0;
  for (u32 tile = BLOCK_X; tile < a->tile_count; tile += BLOCKS_X) {
    s = share_of(a, tile);
    struct walk w;
    walk_begin(a, &w, s.first);
#if SOURCE == PICTURES
    u32 n = divide(s.row, a->by_place), place = s.row - n * a->by_place.divisor, y = divide(place, a->by_width);
    int left = (int)(place - y * a->by_width.divisor) * a->stride[1] - a->pad[1];
    int top = (int)y * a->stride[0] - a->pad[0];
#endif
    for (u32 i = 0; i < s.count; i++, fetched++) {
      u32 to = base + stage * STAGE_BYTES, ready = full + 8 * stage;
      if (fetched >= STAGES) meeting_wait(empty + 8 * stage, phase);
      if (fetched >= ahead) meeting_expect(ready, STAGE_BYTES);
#if SOURCE == PICTURES
      copy_places(to, &a->a, ready, (int)(w.chunk * DEPTH), left, top, (int)n, w.x * (u32)a->dilation[1],
                  w.y * (u32)a->dilation[0]);
#else
      copy_box(to, &a->a, ready, (int)(w.chunk * DEPTH), (int)s.row, (int)(BLOCK_Y * a->a_moves));
#endif
      if (!KEPT && (fetched >= ahead || !CONSTANT)) copy_columns(a, &s, to + A_BYTES, s.first + i, ready);
      walk_on(a, &w);
      if (++stage == STAGES) {
        stage = 0;
        phase ^= 1;
      }
    }
  }
}
#endif

struct place_in_ring {
  u32 stage, phase;
};
DEVICE void go_on(struct place_in_ring *at, u32 steps) {
  at->stage += steps;
  at->phase ^= at->stage / STAGES & 1;
  at->stage %= STAGES;
}

/* Of each warp that multiplies: the stage is free. */
DEVICE void free_stage(u32 empty, u32 stage) {
  if (THREAD % 32 == 0) meeting_arrive(empty + 8 * stage);
}

/* Teams multiply one after the other, in the order of the tiles: a step's meeting can be waited for only when the
   meeting before it, at the same place of the ring, is over. */
DEVICE void begin_turn(u32 team) {
#if ALTERNATE
  some_meet(2 + team, CONSUMERS / TEAMS * 2);
#endif
}
DEVICE void let_turn(u32 team) {
#if ALTERNATE
  some_arrive(2 + team % TEAMS, CONSUMERS / TEAMS * 2);
#endif
}

/* |follows|: there is a tile behind this one, which may begin once this one's products are on their way. */
DEVICE void consume(f32 (&sum)[BANDS][COLUMNS / 2], u32 count, u32 base, u32 full, u32 empty, struct place_in_ring *at,
                    u32 team, bool follows) {
  u32 group = warpgroup() % GROUPS, before = 0;
  for (u32 i = 0; i < count; i++) {
    u32 tile = base + at->stage * STAGE_BYTES;
    meeting_wait(full + 8 * at->stage, at->phase);
    u32 left = tile_descriptor(tile + group * BANDS * 64 * ROW_BYTES);
    u32 right = tile_descriptor(KEPT ? base + KEPT_STEPS + i * B_BYTES : tile + A_BYTES);
    products_begin();
    UNROLL
    for (u32 k = 0; k < EIGHTS / 2; k++) {
      UNROLL
      for (u32 h = 0; h < BANDS; h++) multiply(sum[h], left + 64 * ROW_BYTES / 16 * h + 2 * k, right + 2 * k);
    }
    products_commit();
#if STAGES > 1
    PRODUCTS_WAIT(1); /* those before: their stage is free */
    if (i > 0) free_stage(empty, before);
#else
    PRODUCTS_WAIT(0); /* there is no other stage to go on with */
    if (i + 1 < count) free_stage(empty, 0);
#endif
    before = at->stage;
    if (++at->stage == STAGES) {
      at->stage = 0;
      at->phase ^= 1;
    }
  }
  if (follows) let_turn(team + 1);
  PRODUCTS_WAIT(0);
  if (DIRECT) free_stage(empty, before); /* the next tile may have it */
}

#include "wgmma_finish.cuh"

DEVICE void begin_sums(f32 (&sum)[BANDS][COLUMNS / 2]) {
  UNROLL
  for (u32 i = 0; i < BANDS * COLUMNS / 2; i++) sum[i / (COLUMNS / 2)][i % (COLUMNS / 2)] = 0;
}

WIDE_KERNEL(CONSUMERS + FETCHERS, RESIDENT, CLUSTER, wgmma, struct wgmma_arguments) {
  extern __shared__ char memory[];
  __shared__ u64 meetings[2 * STAGES + 2 * TEAMS + 1];
  char *ring = memory + (1024 - shared_address(memory) % 1024) % 1024;
  u32 full = shared_address(meetings), empty = full + 8 * STAGES;
  u32 arrived = empty + 8 * STAGES, vacant = arrived + 8 * TEAMS, kept = vacant + 8 * TEAMS;
  if (THREAD == CONSUMERS) {
    map_prefetch(&a.b);
    if (SOURCE == MATRIX || SOURCE == PICTURES) map_prefetch(&a.a);
    for (u32 i = 0; i < STAGES; i++) {
      meeting_init(full + 8 * i, SOURCE == GATHERED ? 1 + 128 : SOURCE == DEPTHWISE ? 1 + FETCHERS : 1);
      meeting_init(empty + 8 * i, 4 * GROUPS);
    }
    for (u32 i = 0; i < 2 * TEAMS + 1; i++) meeting_init(arrived + 8 * i, 1);
    if (FETCHED) map_prefetch(&a.operand);
    meetings_publish();
  }
  some_meet(0, CONSUMERS + FETCHERS);
  grid_let_next();
  struct place_in_ring at = {0, 0};
#if DIRECT
  if (THREAD < CONSUMERS) {
#if UNEQUAL
    registers_more(232);
#endif
    const u32 team = warpgroup() / GROUPS;
    grid_wait(); /* what follows reads what others wrote */
    go_on(&at, team * a.steps);
    if (team == TEAMS - 1) let_turn(0);
    if (KEPT) meeting_wait(kept, 0);
#if COPIED
    struct boxes boxes = {shared_address(ring) + RESULTS + team * RESULT_BYTES, arrived + 8 * team, vacant + 8 * team, 0};
#endif
    for (u32 tile = BLOCK_X + team * BLOCKS_X; tile < a.tile_count; tile += TEAMS * BLOCKS_X) {
      f32 sum[BANDS][COLUMNS / 2];
      struct taken taken[PIECES];
      struct share s = share_of(&a, tile);
      begin_sums(sum);
      take_first(&a, &s, taken);
      __syncwarp();
      begin_turn(team);
      consume(sum, s.count, shared_address(ring), full, empty, &at, team, tile + BLOCKS_X < a.tile_count);
#if COPIED
      boxes_begin(&boxes);
      put_in_boxes(&a, &s, sum, &boxes, taken);
      boxes_leave(&a, &s, &boxes);
#else
      put_all(&a, &s, sum, 0, taken);
#endif
      go_on(&at, (TEAMS - 1) * a.steps); /* the other teams' */
    }
#if COPIED
    if (is_first_of_team()) copies_out_wait();
#endif
  } else {
#if UNEQUAL
    registers_fewer(40);
#endif
#if SOURCE == DEPTHWISE
    struct share s = share_of(&a, BLOCK_X);
    compute_steps(&a, &s, ring, full, empty);
#else
    fetch(&a, ring, full, empty, kept);
#endif
#if FETCHED
    if (THREAD == CONSUMERS + 32)
      fetch_operand(&a, shared_address(ring) + RESULTS, arrived, vacant);
#endif
  }
#else
  struct share s = share_of(&a, BLOCK_X);
#if SOURCE == GATHERED
  gather_steps(&a, &s, ring, full);
#elif SOURCE == DEPTHWISE
  if (THREAD >= CONSUMERS) compute_steps(&a, &s, ring, full, empty);
#else
  if (THREAD >= CONSUMERS) fetch(&a, ring, full, empty, kept);
#endif
  f32 *rows = (f32 *)ring, sum[BANDS][COLUMNS / 2];
  struct taken taken[PIECES];
  if (THREAD < CONSUMERS) {
    begin_sums(sum);
    grid_wait();
    take_first(&a, &s, taken);
    __syncwarp();
    consume(sum, s.count, shared_address(ring), full, empty, &at, 0, false);
    some_meet(1, CONSUMERS); /* nobody multiplies any more: the ring is free */
    lay_down(sum, rows);
  }
#if SPLITS > 1
  __syncwarp();
  cluster_meet();
#endif
  if (THREAD < CONSUMERS) {
    if (SPLITS == 1) some_meet(1, CONSUMERS);
    put_all(&a, &s, sum, rows, taken);
  }
#if SPLITS > 1
  __syncwarp();
  cluster_meet(); /* nobody's memory goes while others read it */
#endif
#endif
}

#else /* the same by definition, for a host: what is fetched, and where results go -------------------------------- */

/* The sums of |row| and eight columns. */
DEVICE void sum_piece(const struct wgmma_arguments *a, u32 first, u32 r, u32 column, f32 *value) {
  for (u32 i = 0; i < PIECE; i++) value[i] = 0;
  for (u32 step = 0; step < a->steps; step++)
    for (u32 k = 0; k < DEPTH; k++) {
#if SOURCE == GATHERED
      struct window_place at = window_of(a, first + r);
      u16 left = gathered_element(&at, step * DEPTH + k);
#elif SOURCE == DEPTHWISE
      u16 left = depthwise_element(a, first + r, step * DEPTH + k);
#else
      u32 tap = divide(step, a->chunks), chunk = step - tap * a->chunks.divisor, y = divide(tap, a->taps);
      u32 x = tap - y * a->taps.divisor;
#if SOURCE == PICTURES
      u32 n = divide(first, a->by_place), place = first - n * a->by_place.divisor, line = divide(place, a->by_width);
      u16 left = fetched_place(&a->a, chunk * DEPTH + k,
                               (int)(place - line * a->by_width.divisor) * a->stride[1] - a->pad[1],
                               (int)line * a->stride[0] - a->pad[0], n, x * a->dilation[1], y * a->dilation[0], r);
#else
      u16 left = fetched(&a->a, chunk * DEPTH + k, first + r, BLOCK_Y * a->a_moves);
#endif
#endif
      for (u32 i = 0; i < PIECE; i++) {
        u16 right = fetched(&a->b, step * DEPTH + k, column + i, BLOCK_Y * a->b_moves);
        value[i] += LOAD(X, &left, 0) * LOAD(X, &right, 0);
      }
    }
}
DEVICE void one_piece(const struct wgmma_arguments *a, u32 first, u32 r, u32 column) {
  f32 value[PIECE];
  struct taken t;
  if (first + r >= a->rows || column >= a->columns) return;
  sum_piece(a, first, r, column, value);
  struct piece p = piece_at(a, (int)(first + r), (int)column);
  take_piece(a, &p, &t);
  put_piece(a, &p, &t, value, 1);
}
/* The block's part of it. */
DEVICE void one_tile(const struct wgmma_arguments *a, u32 tile) {
  u32 down = divide(tile, a->tiles), across = tile - down * a->tiles.divisor;
#if DIRECT
  for (u32 r = 0; r < ROWS; r++)
    for (u32 column = 0; column < COLUMNS; column += PIECE) one_piece(a, down * ROWS, r, across * COLUMNS + column);
#else
  for (u32 thread = 0; thread < CONSUMERS; thread++)
    for (u32 k = 0; k < PIECES; k++)
      if (is_own(thread, k))
        one_piece(a, down * ROWS, own_row(thread, k), across * COLUMNS + own_column(thread, k));
#endif
}
KERNEL(wgmma, struct wgmma_arguments) {
  if (THREAD) return;
  for (u32 tile = BLOCK_X; tile < a.tile_count; tile += BLOCKS_X) one_tile(&a, tile);
}
#endif
