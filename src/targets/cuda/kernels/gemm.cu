/* Matrix products of any strides and batches, 64 x 64 results a block. X is the type of a and b, Y of the result; sums
   are f32. EPILOGUE(value, batch, column, row) follows each sum. */
enum { TILE = 64, STEP = 16 };

KERNEL(gemm, struct gemm_arguments) {
  SHARED f32 left[STEP][TILE + 4];
  SHARED f32 right[STEP][TILE + 4];
  u32 down = divide(BLOCK_X, a.across), rest = BLOCK_Z;
  u32 row0 = down * TILE, column0 = (BLOCK_X - down * a.across.divisor) * TILE;
  int a_base = 0, b_base = 0;
  f32 sum[4][4];
  for (int d = BATCH_AXES - 1; d >= 0; d--) {
    u32 outer = d ? divide(rest, a.batch[d]) : 0;
    int at = (int)(rest - outer * a.batch[d].divisor);
    a_base += at * a.a_batch[d];
    b_base += at * a.b_batch[d];
    rest = outer;
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) sum[i][j] = 0;
  for (u32 k0 = 0; k0 < a.k; k0 += STEP) {
    for (u32 i = THREAD; i < STEP * TILE; i += 256) { /* along what is contiguous */
      u32 ak = a.a_column == 1 ? i % STEP : i / TILE, am = a.a_column == 1 ? i / STEP : i % TILE;
      u32 bk = a.b_row == 1 ? i % STEP : i / TILE, bn = a.b_row == 1 ? i / STEP : i % TILE;
      left[ak][am] = k0 + ak < a.k && row0 + am < a.m
                         ? LOAD(X, a.a, (u32)(a_base + (int)(row0 + am) * a.a_row + (int)(k0 + ak) * a.a_column))
                         : 0;
      right[bk][bn] = k0 + bk < a.k && column0 + bn < a.n
                          ? LOAD(X, a.b, (u32)(b_base + (int)(k0 + bk) * a.b_row + (int)(column0 + bn) * a.b_column))
                          : 0;
    }
    BARRIER();
    UNROLL
    for (u32 k = 0; k < STEP; k++) {
      f32 row[4], cell[4];
      UNROLL
      for (u32 i = 0; i < 4; i++) {
        row[i] = left[k][THREAD / 16 * 4 + i];
        cell[i] = right[k][THREAD % 16 + 16 * i];
      }
      UNROLL
      for (int i = 0; i < 4; i++)
        UNROLL
        for (int j = 0; j < 4; j++) sum[i][j] += row[i] * cell[j];
    }
    BARRIER();
  }
  for (u32 i = 0; i < 4; i++)
    for (u32 j = 0; j < 4; j++) {
      u32 m = row0 + THREAD / 16 * 4 + i, n = column0 + THREAD % 16 + 16 * j;
      f32 value = sum[i][j];
      if (m < a.m && n < a.n) STORE(Y, a.target, (BLOCK_Z * a.m + m) * a.n + n, EPILOGUE(value, BLOCK_Z, n, m));
    }
}
