/* softmax(scale q k^T + mask) v on tensor cores, without the scores in memory: BANDS times 16 queries of a head for each
   of WARPS warps, which go along the keys a tile at a time and keep greatest score, sum of exponentials and result in
   registers. More bands read less of shared memory, which is what a warp waits for, and need more registers. While a tile
   is worked on, the next one is on its way into shared memory. X is f16 or bf16; DEPTH and VALUE_DEPTH the
   extents of a head; MASK: 0 none, 1 bool, 2 numbers of type M; CAP: scores are capped; SCORES: an expression, SCORE(a,
   value, n, head, query, key), stands in place of the scale; EMPTY_ROWS: a query that sees no key gives zeros.

   Exponentials are powers of two: the host multiplies the scale by log2(e), what is added is multiplied here. Rows of a
   tile are 16 bytes longer than they are, so that the eight rows of an ldmatrix lie in different banks. */
enum {
  QUERIES = WARPS * BANDS * 16,
  WORKERS = WARPS * 32,
  DEPTHS = (DEPTH + 15) / 16 * 16,
  VALUES = (VALUE_DEPTH + 15) / 16 * 16,
  KEYS = DEPTHS <= 80 && VALUES <= 80 ? 64 : 32,
  K_ROW = DEPTHS + 8,
  V_ROW = VALUES + 8
};
#include "mma.cuh"
#include "scores.cuh"

/* |count| elements of eight, then zeros. */
DEVICE void copy_chunk(u16 *to, const u16 *from, u32 count, int vector) {
  if (vector) {
    copy16(to, from, count * 2);
    return;
  }
  for (u32 i = 0; i < 8; i++) to[i] = i < count ? from[i] : (u16)0;
}

DEVICE void copy_rows(u16 *tile, u32 tile_row, const void *source, int stride, u32 first, u32 rows, u32 depth,
                      u32 depth_up, int vector) {
  u32 chunks = depth_up / 8;
  UNROLL
  for (u32 i = THREAD; i < KEYS * chunks; i += WORKERS) {
    u32 r = i / chunks, c = i % chunks * 8, left = c < depth ? depth - c : 0;
    u32 count = first + r >= rows ? 0 : left < 8 ? left : 8;
    copy_chunk(tile + r * tile_row + c, (const u16 *)source + (count ? (int)(first + r) * stride + (int)c : 0), count,
               vector);
  }
}

DEVICE u32 load_pair(const u16 *from, u32 column, int there, int vector) {
  if (!there || column >= DEPTH) return 0;
  if (vector) return *(const u32 *)(from + column);
  return from[column] | (column + 1 < DEPTH ? (u32)from[column + 1] << 16 : 0);
}

/* What a warp knows of its queries: each thread of two in a band, |row| and the eighth behind it, and of two columns,
   |pair| and the next, in every eight. */
struct rows {
  u32 q[BANDS][DEPTHS / 16][4];
  f32 sum[BANDS][VALUES / 8][4], most[BANDS][2], total[BANDS][2];
  u32 n, head, row, pair;
};

/* Takes in the keys from |start| on. |whole|: all of the tile is seen, by all queries, and greater products are greater
   scores. Else sixteens of keys behind |end| are left out. */
DEVICE void take_tile(const struct attention_tensor_arguments *a, struct rows *r, const u16 *k_place,
                      const u16 *v_place, u32 start, u32 end, int whole) {
  f32 s[BANDS][KEYS / 8][4], base[BANDS][2], unit = whole ? a->scale : 1;
  u32 sixteens = (end - start + 15) / 16;
  UNROLL
  for (u32 j = 0; j < KEYS / 8; j++) {
    UNROLL
    for (u32 e = 0; e < 4 * BANDS; e++)
      s[e / 4][j][e % 4] = j / 2 < sixteens ? 0 : -INFINITE; /* sixteens is all of them when |whole| */
  }
  if (whole) {
    UNROLL
    for (u32 i = 0; i < DEPTHS / 16; i++) {
      UNROLL
      for (u32 j = 0; j < KEYS / 16; j++) {
        u32 b[4];
        load_matrices(b, k_place + j * 16 * K_ROW + i * 16);
        UNROLL
        for (u32 m = 0; m < BANDS; m++) {
          multiply(s[m][2 * j], r->q[m][i], b[0], b[1]);
          multiply(s[m][2 * j + 1], r->q[m][i], b[2], b[3]);
        }
      }
    }
  } else {
    UNROLL
    for (u32 j = 0; j < KEYS / 16; j++) {
      if (j >= sixteens) continue;
      UNROLL
      for (u32 i = 0; i < DEPTHS / 16; i++) {
        u32 b[4];
        load_matrices(b, k_place + j * 16 * K_ROW + i * 16);
        UNROLL
        for (u32 m = 0; m < BANDS; m++) {
          multiply(s[m][2 * j], r->q[m][i], b[0], b[1]);
          multiply(s[m][2 * j + 1], r->q[m][i], b[2], b[3]);
        }
      }
      UNROLL
      for (u32 e = 0; e < 8 * BANDS; e++) {
        f32 *one = &s[e / 8][2 * j + e % 8 / 4][e % 4];
        *one = score_of(a, *one, r->n, r->head, r->row + e / 8 * 16 + e % 4 / 2 * 8,
                        start + j * 16 + e % 8 / 4 * 8 + r->pair + e % 2);
      }
    }
  }
  UNROLL
  for (u32 m = 0; m < BANDS; m++) {
    f32 now[2] = {-INFINITE, -INFINITE};
    UNROLL
    for (u32 j = 0; j < KEYS / 8; j++) {
      UNROLL
      for (u32 e = 0; e < 4; e++) now[e / 2] = fmaxf(now[e / 2], s[m][j][e]);
    }
    UNROLL
    for (u32 h = 0; h < 2; h++) {
      f32 most = fmaxf(r->most[m][h], row_greatest(now[h]) * unit);
      base[m][h] = most == -INFINITE ? 0 : most;
      f32 factor = power_of_two(r->most[m][h] - base[m][h]);
      r->most[m][h] = most;
      r->total[m][h] *= factor;
      UNROLL
      for (u32 i = 0; i < VALUES / 8; i++) {
        r->sum[m][i][2 * h] *= factor;
        r->sum[m][i][2 * h + 1] *= factor;
      }
    }
  }
  UNROLL
  for (u32 j = 0; j < KEYS / 16; j++) {
    u32 p[BANDS][4];
    if (!whole && j >= sixteens) continue;
    UNROLL
    for (u32 e = 0; e < 8 * BANDS; e += 2) {
      u32 m = e / 8, h = e % 4 / 2;
      f32 *two = &s[m][2 * j + e % 8 / 4][e % 4];
      f32 low = power_of_two(fmaf(two[0], unit, -base[m][h])), high = power_of_two(fmaf(two[1], unit, -base[m][h]));
      r->total[m][h] += low + high;
      p[m][e % 8 / 2] = pack(low, high);
    }
    UNROLL
    for (u32 i = 0; i < VALUES / 16; i++) {
      u32 b[4];
      load_matrices_turned(b, v_place + j * 16 * V_ROW + i * 16);
      UNROLL
      for (u32 m = 0; m < BANDS; m++) {
        multiply(r->sum[m][2 * i], p[m], b[0], b[1]);
        multiply(r->sum[m][2 * i + 1], p[m], b[2], b[3]);
      }
    }
  }
}

KERNEL_OF(attention_tensor, struct attention_tensor_arguments, WORKERS,
          (DEPTHS <= 64 && VALUES <= 64 ? 16 : 8) / WARPS / BANDS) {
  SHARED u16 k_tile[2][KEYS * K_ROW] ALIGNED16;
  SHARED u16 v_tile[2][KEYS * V_ROW] ALIGNED16;
  u32 n = BLOCK_Z, head = BLOCK_Y, first = BLOCK_X * QUERIES, kv = head / a.share;
  const u16 *q = (const u16 *)a.q + (int)n * a.q_strides[OF_BATCH] + (int)head * a.q_strides[OF_HEAD];
  const u16 *k = (const u16 *)a.k + (int)n * a.k_strides[OF_BATCH] + (int)kv * a.k_strides[OF_HEAD];
  const u16 *v = (const u16 *)a.v + (int)n * a.v_strides[OF_BATCH] + (int)kv * a.v_strides[OF_HEAD];
  u16 *y = (u16 *)a.target + (int)n * a.y_strides[OF_BATCH] + (int)head * a.y_strides[OF_HEAD];
  /* The keys that any of the block's queries sees. */
  int seen_end = (int)first + QUERIES + a.right, seen_begin = (int)first - a.left;
  u32 end = seen_end < (int)a.keys ? (u32)(seen_end > 0 ? seen_end : 0) : a.keys;
  u32 begin = seen_begin > 0 ? (u32)seen_begin / KEYS * KEYS : 0, stage = 0;
  u32 lane = THREAD % 32, own = first + THREAD / 32 * 16 * BANDS, row = own + lane / 4, turn = lane / 8;
  int awake = !PTX || own < a.queries; /* on a host all threads come to every barrier */
  struct rows r;
  r.n = n;
  r.head = head;
  r.row = row;
  r.pair = lane % 4 * 2;
  UNROLL
  for (u32 m = 0; m < BANDS; m++) {
    r.most[m][0] = r.most[m][1] = -INFINITE;
    r.total[m][0] = r.total[m][1] = 0;
    UNROLL
    for (u32 i = 0; i < DEPTHS / 16; i++) {
      UNROLL
      for (u32 e = 0; e < 4; e++) {
        u32 query = row + m * 16 + e % 2 * 8;
        r.q[m][i][e] = load_pair(q + (query < a.queries ? (int)query * a.q_strides[OF_ROW] : 0),
                                 i * 16 + e / 2 * 8 + r.pair, query < a.queries, a.vector);
      }
    }
    UNROLL
    for (u32 i = 0; i < VALUES / 8; i++) r.sum[m][i][0] = r.sum[m][i][1] = r.sum[m][i][2] = r.sum[m][i][3] = 0;
  }
  if (begin < end) {
    copy_rows(k_tile[0], K_ROW, k, a.k_strides[OF_ROW], begin, a.keys, DEPTH, DEPTHS, a.vector);
    copy_rows(v_tile[0], V_ROW, v, a.v_strides[OF_ROW], begin, a.keys, VALUE_DEPTH, VALUES, a.vector);
  }
  COPIES_END();
  for (u32 start = begin; start < end; start += KEYS, stage ^= 1) {
    if (start + KEYS < end) {
      copy_rows(k_tile[stage ^ 1], K_ROW, k, a.k_strides[OF_ROW], start + KEYS, a.keys, DEPTH, DEPTHS, a.vector);
      copy_rows(v_tile[stage ^ 1], V_ROW, v, a.v_strides[OF_ROW], start + KEYS, a.keys, VALUE_DEPTH, VALUES, a.vector);
    }
    COPIES_END();
    COPIES_WAIT(1);
    BARRIER();
    const u16 *k_place = k_tile[stage] + (turn / 2 * 8 + lane % 8) * K_ROW + turn % 2 * 8;
    const u16 *v_place = v_tile[stage] + (turn % 2 * 8 + lane % 8) * V_ROW + turn / 2 * 8;
    int whole = !MASK && !SCORES && !CAP && a.scale > 0 && start + KEYS <= a.keys &&
                (int)(start + KEYS) <= (int)first + 1 + a.right && (int)start >= (int)first + QUERIES - 1 - a.left;
    if (awake && whole)
      take_tile(&a, &r, k_place, v_place, start, start + KEYS, 1);
    else if (awake)
      take_tile(&a, &r, k_place, v_place, start, end - start < KEYS ? end : start + KEYS, 0);
    BARRIER();
  }
  UNROLL
  for (u32 e = 0; e < 2 * BANDS; e++) {
    u32 m = e / 2, h = e % 2, query = row + m * 16 + h * 8;
    f32 all = row_sum(r.total[m][h]), inverse = EMPTY_ROWS && all == 0 ? 0 : 1 / all;
    if (query >= a.queries) continue;
    u16 *line = y + (int)query * a.y_strides[OF_ROW];
    UNROLL
    for (u32 i = 0; i < VALUES / 8; i++) {
      u32 d = i * 8 + r.pair, both = pack(r.sum[m][i][2 * h] * inverse, r.sum[m][i][2 * h + 1] * inverse);
      if (d + 1 < VALUE_DEPTH && a.vector) {
        *(u32 *)(line + d) = both;
      } else {
        if (d < VALUE_DEPTH) line[d] = (u16)both;
        if (d + 1 < VALUE_DEPTH) line[d + 1] = (u16)(both >> 16);
      }
    }
  }
}
