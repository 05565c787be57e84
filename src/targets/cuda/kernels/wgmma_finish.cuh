/* What follows the sums of wgmma.cu: which pieces of a tile a thread has, what they read, and their way into memory, by way
   of the thread's registers (DIRECT), of boxes in shared memory for the copy engine (COPIED), or of all sums there. */
#if COPIED
/* A piece is what a thread has: with its three neighbours the row of four eights. */
DEVICE u32 own_piece(const struct wgmma_arguments *a, const struct share *s, u32 k, struct piece *out) {
  u32 warp = THREAD / 32 % (4 * GROUPS), band = k / (COLUMNS / 16), last = a->columns - 32;
  u32 row = s->row + (warp / 4 * BANDS + band) * 64 + warp % 4 * 16 + THREAD % 32 / 4 + k % 2 * 8;
  u32 column = s->column + k % (COLUMNS / 16) / 2 * 32;
  *out = piece_at(a, (int)(row < a->rows ? row : a->rows - 1), (int)((column < last ? column : last) + THREAD % 4 * 2));
  return 1;
}
DEVICE void own_sums(const f32 (&sum)[BANDS][COLUMNS / 2], const f32 *rows, u32 k, f32 *value) {
  u32 first = 16 * (k % (COLUMNS / 16) / 2) + 2 * (k % 2);
  UNROLL
  for (u32 e = 0; e < PIECE; e++) value[e] = sum[k / (COLUMNS / 16)][first + 4 * (e / 2) + e % 2];
}
#elif DIRECT
/* Of every eight columns a thread has the sums of two, the four threads beside each other all of them, for eight pieces
   of eight columns: with two exchanges of four pieces each thread has one piece whole. */
DEVICE void turn(f32 (&pair)[4][2]) {
  bool odd = THREAD & 1, upper = THREAD & 2;
  UNROLL
  for (u32 k = 0; k < 4; k += 2) {
    UNROLL
    for (u32 e = 0; e < 2; e++) {
      f32 other = __shfl_xor_sync(0xffffffffu, odd ? pair[k][e] : pair[k + 1][e], 1);
      pair[k][e] = odd ? other : pair[k][e];
      pair[k + 1][e] = odd ? pair[k + 1][e] : other;
    }
  }
  UNROLL
  for (u32 k = 0; k < 2; k++) {
    UNROLL
    for (u32 e = 0; e < 2; e++) {
      f32 other = __shfl_xor_sync(0xffffffffu, upper ? pair[k][e] : pair[k + 2][e], 2);
      pair[k][e] = upper ? other : pair[k][e];
      pair[k + 2][e] = upper ? pair[k + 2][e] : other;
    }
  }
}
/* The |k|-th piece of the calling thread, and its sums. */
DEVICE u32 own_piece(const struct wgmma_arguments *a, const struct share *s, u32 k, struct piece *out) {
  u32 warp = THREAD / 32 % (4 * GROUPS), band = k / (COLUMNS / 16);
  int row = (int)(s->row + (warp / 4 * BANDS + band) * 64 + warp % 4 * 16 + THREAD % 32 / 4);
  *out = piece_at(a, row + (int)(k % 2) * 8, (int)(s->column + THREAD % 4 * PIECE + k % (COLUMNS / 16) / 2 * 32));
  return out->row < (int)a->rows && out->column < (int)a->columns;
}
DEVICE void own_sums(const f32 (&sum)[BANDS][COLUMNS / 2], const f32 *rows, u32 k, f32 *value) {
  f32 pair[4][2];
  u32 band = k / (COLUMNS / 16), first = 16 * (k % (COLUMNS / 16) / 2) + 2 * (k % 2);
  UNROLL
  for (u32 e = 0; e < PIECE; e++) pair[e / 2][e % 2] = sum[band][first + 4 * (e / 2) + e % 2];
  turn(pair);
  UNROLL
  for (u32 e = 0; e < PIECE; e++) value[e] = pair[e / 2][e % 2];
}
#else

/* Sums to shared memory as rows, so that neighbours come together. */
DEVICE void lay_down(const f32 (&sum)[BANDS][COLUMNS / 2], f32 *rows) {
  u32 row = THREAD / 32 * 16 + THREAD % 32 / 4, column = THREAD % 4 * 2;
  UNROLL
  for (u32 j = 0; j < COLUMNS / 8; j++) {
    *(float2 *)(rows + row * PITCH + column + 8 * j) = make_float2(sum[0][4 * j], sum[0][4 * j + 1]);
    *(float2 *)(rows + (row + 8) * PITCH + column + 8 * j) = make_float2(sum[0][4 * j + 2], sum[0][4 * j + 3]);
  }
}

DEVICE u32 own_piece(const struct wgmma_arguments *a, const struct share *s, u32 k, struct piece *out) {
  *out = piece_at(a, (int)(s->row + own_row(THREAD, k)), (int)(s->column + own_column(THREAD, k)));
  return is_own(THREAD, k) && out->row < (int)a->rows && out->column < (int)a->columns;
}
DEVICE void own_sums(const f32 (&sum)[BANDS][COLUMNS / 2], const f32 *rows, u32 k, f32 *value) {
  rows += own_row(THREAD, k) * PITCH + own_column(THREAD, k);
#if SPLITS > 1
  u32 at = shared_address(rows);
  UNROLL
  for (u32 e = 0; e < PIECE; e++) value[e] = 0;
  UNROLL
  for (u32 s = 0; s < SPLITS; s++) {
    f32 part[PIECE];
    cluster_load4(at, s, part);
    cluster_load4(at + 16, s, part + 4);
    UNROLL
    for (u32 e = 0; e < PIECE; e++) value[e] += part[e];
  }
#else
  const float4 *from = (const float4 *)rows;
  *(float4 *)value = from[0];
  *(float4 *)(value + 4) = from[1];
#endif
}

#endif /* DIRECT */

#if COPIED
/* The row of a team's boxes that a thread names for the |k|-th pieces of its warp: what the copy engine permutes. */
DEVICE u32 row_in_boxes(u32 results, u32 k) {
  u32 warp = THREAD / 32 % (4 * GROUPS), lane = THREAD % 32, eights = k % (COLUMNS / 16) / 2 * 4;
  u32 row = (warp / 4 * BANDS + k / (COLUMNS / 16)) * 64 + warp % 4 * 16 + k % 2 * 8 + lane % 8;
  return results + eights / 8 * BOX_BYTES + row * ROW_BYTES + ((eights % 8 + lane / 8) ^ (lane % 8)) * 16;
}
/* What the teams and the copy engine meet about: |arrived|: the operand of a tile is there; |vacant|: its place is free. */
struct boxes {
  u32 results, arrived, vacant, phase;
};
DEVICE void team_meets(void) { some_meet(4 + THREAD / 128 / GROUPS, 128 * GROUPS); }
DEVICE u32 is_first_of_team(void) { return THREAD % (128 * GROUPS) == 0; }

DEVICE void boxes_begin(struct boxes *b) {
#if FETCHED
  meeting_wait(b->arrived, b->phase);
  b->phase ^= 1;
#else
  if (is_first_of_team()) copies_out_wait();
  __syncwarp();
  team_meets();
#endif
}
DEVICE void boxes_leave(const struct wgmma_arguments *a, const struct share *s, const struct boxes *b) {
  stores_publish();
  team_meets();
  if (is_first_of_team()) {
    u32 part = 0, begin = 0;
#if PARTS > 1
    const u32 begins[PARTS + 1] = {PART_BEGINS};
    for (u32 i = 1; i < PARTS; i++)
      if (s->column >= begins[i]) {
        part = i;
        begin = begins[i];
      }
#endif
    for (u32 i = 0; i < COLUMNS / 64; i++)
      copy_out(&a->results[part], b->results + i * BOX_BYTES, (int)(s->column - begin + i * 64),
               (int)s->row, (int)BLOCK_Y);
    copies_out_commit();
#if FETCHED
    copies_out_wait();
    meeting_arrive(b->vacant);
#endif
  }
  __syncwarp();
}
#if FETCHED
/* The operand of all tiles, by one thread. */
DEVICE void fetch_operand(const struct wgmma_arguments *a, u32 results, u32 arrived, u32 vacant) {
  u32 nth = 0;
  grid_wait();
  for (u32 tile = BLOCK_X; tile < a->tile_count; tile += BLOCKS_X, nth++) {
    u32 team = nth % TEAMS, round = nth / TEAMS, to = results + team * RESULT_BYTES;
    struct share s = share_of(a, tile);
    if (round) meeting_wait(vacant + 8 * team, (round - 1) & 1);
    meeting_expect(arrived + 8 * team, RESULT_BYTES);
    for (u32 i = 0; i < COLUMNS / 64; i++)
      copy_box(to + i * BOX_BYTES, &a->operand, arrived + 8 * team, (int)(s.column + i * 64), (int)s.row, (int)BLOCK_Y);
  }
}
#endif
#endif

/* What the |k|-th piece wants is read well before it is used: the compiler cannot move it forward over a store, as it
   does not know that they are apart. A piece outside of the result reads the last one's: without a condition nothing of
   a tile before stays in registers. */
DEVICE void take_own(const struct wgmma_arguments *a, const struct share *s, u32 k, struct taken (&taken)[PIECES]) {
  struct piece p;
#if COPIED
  own_piece(a, s, k, &p);
#else
  int last_row = (int)a->rows - 1, last_column = (int)(a->columns - 1) / PIECE * PIECE;
  own_piece(a, s, k, &p);
  p = piece_at(a, p.row < last_row ? p.row : last_row, p.column < last_column ? p.column : last_column);
#endif
  take_piece(a, &p, &taken[k]);
}
DEVICE void take_first(const struct wgmma_arguments *a, const struct share *s, struct taken (&taken)[PIECES]) {
  UNROLL
  for (u32 k = 0; k < WINDOW; k++) take_own(a, s, k, taken);
}
#if COPIED
DEVICE void put_in_boxes(const struct wgmma_arguments *a, const struct share *s, const f32 (&sum)[BANDS][COLUMNS / 2],
                         const struct boxes *b, struct taken (&taken)[PIECES]) {
  UNROLL
  for (u32 k = 0; k < PIECES; k++) {
    f32 value[PIECE];
    u32 row = row_in_boxes(b->results, k);
    if (k + WINDOW < PIECES) take_own(a, s, k + WINDOW, taken);
    own_sums(sum, 0, k, value);
#if FETCHED
    taken[k].COPIED_OPERAND = matrices_load(row);
#endif
    apply(&taken[k], value);
    matrices_store(row, JOIN(round8_, Y)(value));
  }
}
#endif
DEVICE void put_all(const struct wgmma_arguments *a, const struct share *s, const f32 (&sum)[BANDS][COLUMNS / 2],
                    const f32 *rows, struct taken (&taken)[PIECES]) {
  UNROLL
  for (u32 k = 0; k < PIECES; k++) {
    struct piece p;
    f32 value[PIECE];
    const u32 there = own_piece(a, s, k, &p);
    if (k + WINDOW < PIECES) take_own(a, s, k + WINDOW, taken);
    /* Only what is stored depends on the place: between branches, no piece's work would fill the pauses of another. */
    if (DIRECT || there) own_sums(sum, rows, k, value); /* directly: with the neighbours' help */
    if (DIRECT || there) put_piece(a, &p, &taken[k], value, there);
  }
}
