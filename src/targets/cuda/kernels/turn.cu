/* The transposition of matrices by tiles in shared memory: rows are read and rows are written, both coalesced. */
enum { SIDE = 32, STRIP = 8 };

KERNEL(turn, struct turn_arguments) {
  SHARED WORD tile[SIDE][SIDE + 1];
  u32 rest = BLOCK_Z, column = THREAD % SIDE, strip = THREAD / SIDE, left = BLOCK_X * SIDE, top = BLOCK_Y * SIDE;
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
  for (u32 r = strip; r < SIDE; r += STRIP)
    if (top + r < a.rows && left + column < a.columns)
      tile[r][column] = source[(int)(top + r) * a.source_row + (int)(left + column)];
  BARRIER();
  for (u32 r = strip; r < SIDE; r += STRIP)
    if (left + r < a.columns && top + column < a.rows)
      target[(int)(left + r) * a.target_row + (int)(top + column)] = tile[column][r];
}
