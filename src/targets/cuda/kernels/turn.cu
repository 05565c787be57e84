/* The transposition of matrices by tiles in shared memory: rows are read and rows are written, both coalesced. READ and
   WRITE elements go at once (16 bytes at most) where rows begin at multiples of that; what a caller's memory does not
   allow (|aligned|), and the ends of rows that are no multiples, go one by one.

   Rows of a tile are two elements longer than they are, so that the elements of a column lie in different banks, and a
   warp writes 64 bytes of each of several rows. */
enum {
  STRIP = 256,
  READS = SIDE / READ, /* of a row */
  WRITES = SIDE / WRITE,
  READ_BYTES = READ * sizeof(WORD),
  WRITE_BYTES = WRITE * sizeof(WORD),
  BESIDE = WRITE_BYTES == 1 ? 32 : 64 / WRITE_BYTES,
  LANES = WRITES < BESIDE ? WRITES : BESIDE /* pieces of a row that a warp writes */
};

struct ALIGNED_TO(READ_BYTES) read_piece {
  WORD at[READ];
};
struct ALIGNED_TO(WRITE_BYTES) write_piece {
  WORD at[WRITE];
};

KERNEL(turn, struct turn_arguments) {
  SHARED WORD tile[SIDE][SIDE + (sizeof(WORD) < 4 ? 4 / sizeof(WORD) : 1)];
  u32 rest = BLOCK_Z, left = BLOCK_X * SIDE, top = BLOCK_Y * SIDE;
  int to = 0, from = 0;
  for (int d = AXES - 1; d >= 0; d--) {
    u32 outer = d ? divide(rest, a.batch[d]) : 0;
    int at = (int)(rest - outer * a.batch[d].divisor);
    to += at * a.batch_to[d];
    from += at * a.batch_from[d];
    rest = outer;
  }
  const WORD *source = (const WORD *)a.source + from;
  WORD *target = (WORD *)a.target + to;
  UNROLL
  for (u32 i = THREAD; i < SIDE * READS; i += STRIP) {
    u32 r = i / READS, c = i % READS * READ;
    if (top + r >= a.rows || left + c >= a.columns) continue;
    const WORD *row = source + (int)(top + r) * a.source_row + (int)(left + c);
    if (a.aligned && left + c + READ <= a.columns) {
      struct read_piece piece = *(const struct read_piece *)row;
      UNROLL
      for (u32 k = 0; k < READ; k++) tile[r][c + k] = piece.at[k];
    } else {
      for (u32 k = 0; k < READ && left + c + k < a.columns; k++) tile[r][c + k] = row[k];
    }
  }
  BARRIER();
  UNROLL
  for (u32 i = THREAD; i < SIDE * WRITES; i += STRIP) {
    u32 warp = i / 32, lane = i % 32, wide = 32 / LANES;
    u32 c = warp % (SIDE / wide) * wide + lane % wide, r = (warp / (SIDE / wide) * LANES + lane / wide) * WRITE;
    if (left + c >= a.columns || top + r >= a.rows) continue;
    WORD *row = target + (int)(left + c) * a.target_row + (int)(top + r);
    if (a.aligned && top + r + WRITE <= a.rows) {
      struct write_piece piece;
      UNROLL
      for (u32 k = 0; k < WRITE; k++) piece.at[k] = tile[r + k][c];
      *(struct write_piece *)row = piece;
    } else {
      for (u32 k = 0; k < WRITE && top + r + k < a.rows; k++) row[k] = tile[r + k][c];
    }
  }
}
