/* softmax(scale q k^T + mask) v on Hopper's tensor cores, without the scores in memory. A warpgroup has 64 queries of a head
   and goes along the keys, KEYS at a time, with all their scores in registers; exponentials are the left side of the
   second product from there. Greatest score, sum of exponentials and result stay in registers too, and are corrected when
   a later tile has a greater score (Milakov and Gimelshein's online softmax, as FlashAttention uses it).

   A block has WARPGROUPS of them, which share keys and values. With SINGLE all keys are one tile: they stay, and the block
   goes on to further queries, up to ROUNDS times; else tiles come into a ring of two. The copy engine brings everything, told
   to by one thread, and zeros where there is nothing.

   Fixed by the head: what scores.cuh wants, KEYS, WARPGROUPS, RESIDENT (blocks of a multiprocessor), SINGLE, ROUNDS, PLAIN (scores
   are products times a scale above zero, all of them seen), multiply_scores() and multiply_values(). Exponentials are powers
   of two, as in attention_tensor.cu. */
enum {
  WORKERS = WARPGROUPS * 128,
  DEPTH_BOXES = (DEPTH + 63) / 64,
  VALUE_BOXES = (VALUE_DEPTH + 63) / 64,
  VALUES = (VALUE_DEPTH + 15) / 16 * 16,
  DEPTH_STEPS = (DEPTH + 15) / 16, /* of 16 elements; behind the last ones are zeros */
  STAGES = SINGLE ? 1 : 2,
  Q_STAGES = ROUNDS > 1 ? 2 : 1,
  QUERIES = 64 * WARPGROUPS
};

#include "scores.cuh"

/* What the block's queries of round |round| see. */
struct keys_seen {
  u32 first_query, from, to; /* tiles of keys */
};
DEVICE struct keys_seen keys_of(const struct attention_tensor_arguments *a, u32 round) {
  struct keys_seen s = {(BLOCK_X * ROUNDS + round) * QUERIES, 0, 1};
#if !SINGLE
  int end = (int)s.first_query + QUERIES + a->right, begin = (int)s.first_query - a->left;
  u32 keys = end < (int)a->keys ? (u32)(end > 0 ? end : 0) : a->keys;
  s.from = begin > 0 ? (u32)begin / KEYS : 0;
  s.to = (keys + KEYS - 1) / KEYS;
#endif
  return s;
}

#if TENSOR_CORES /* ------------------------------------------------------------------------------------------------- */

enum {
  ROW_BYTES = 128,
  Q_BOX = 64 * ROW_BYTES,
  KEY_BOX = KEYS * ROW_BYTES,
  Q_BYTES = DEPTH_BOXES * Q_BOX * WARPGROUPS,
  K_BYTES = DEPTH_BOXES * KEY_BOX,
  V_BYTES = VALUE_BOXES * KEY_BOX
};

/* Shared memory by its addresses: rings, and the meetings that say what is there, and what may be written again. */
struct rings {
  u32 q, k, v, q_full, k_full, v_full, empty;
};

DEVICE void fetch_queries(const struct attention_wgmma_arguments *a, const struct rings *r, u32 first, u32 stage) {
  u32 full = r->q_full + 8 * stage, head = BLOCK_Y * a->q_moves[1], n = BLOCK_Z * a->q_moves[0];
  meeting_expect(full, Q_BYTES);
  for (u32 i = 0; i < WARPGROUPS * DEPTH_BOXES; i++)
    copy_box4(r->q + stage * Q_BYTES + i * Q_BOX, &a->q, full, (int)(i % DEPTH_BOXES * 64),
              (int)(first + i / DEPTH_BOXES * 64), (int)head, (int)n);
}
DEVICE void fetch_keys(const struct attention_wgmma_arguments *a, const struct rings *r, u32 tile, u32 stage) {
  u32 k_full = r->k_full + 8 * stage, v_full = r->v_full + 8 * stage, head = BLOCK_Y / a->of.share;
  meeting_expect(k_full, K_BYTES);
  for (u32 i = 0; i < DEPTH_BOXES; i++)
    copy_box4(r->k + stage * K_BYTES + i * KEY_BOX, &a->k, k_full, (int)(i * 64), (int)(tile * KEYS),
              (int)(head * a->k_moves[1]), (int)(BLOCK_Z * a->k_moves[0]));
  meeting_expect(v_full, V_BYTES);
  for (u32 i = 0; i < VALUE_BOXES; i++)
    copy_box4(r->v + stage * V_BYTES + i * KEY_BOX, &a->v, v_full, (int)(i * 64), (int)(tile * KEYS),
              (int)(head * a->v_moves[1]), (int)(BLOCK_Z * a->v_moves[0]));
}

/* Values lie along their own elements: eight keys are 1,024 bytes, the next 64 elements a box further. */
DEVICE u32 values_descriptor(u32 address) { return tile_descriptor(address) | KEY_BOX >> 4 << 16; }

/* Of a thread: two rows, |row| and the eighth behind it; of every eight columns, |pair| and the next. */
struct rows {
  f32 sum[VALUES / 2], most[2], total[2];
  u32 row, pair, awake;
};

/* Scores become exponentials, the left side of the second product. */
DEVICE void take_scores(const struct attention_tensor_arguments *a, struct rows *r, f32 (&s)[KEYS / 2],
                        u32 (&p)[KEYS / 4], u32 start) {
  f32 now[2] = {-INFINITE, -INFINITE}, base[2], unit = PLAIN ? a->scale : 1;
#if PLAIN
  if (start + KEYS > a->keys) {
    UNROLL
    for (u32 i = 0; i < KEYS / 2; i++)
      if (start + i / 4 * 8 + r->pair + i % 2 >= a->keys) s[i] = -INFINITE;
  }
#else
  UNROLL
  for (u32 i = 0; i < KEYS / 2; i++)
    s[i] = score_of(a, s[i], BLOCK_Z, BLOCK_Y, r->row + i % 4 / 2 * 8, start + i / 4 * 8 + r->pair + i % 2);
#endif
  UNROLL
  for (u32 i = 0; i < KEYS / 2; i++) now[i % 4 / 2] = fmaxf(now[i % 4 / 2], s[i]);
  UNROLL
  for (u32 h = 0; h < 2; h++) {
    f32 most = fmaxf(r->most[h], row_greatest(now[h]) * unit);
    base[h] = most == -INFINITE ? 0 : most;
    f32 factor = power_of_two(r->most[h] - base[h]);
    r->most[h] = most;
    r->total[h] *= factor;
#if !SINGLE
    UNROLL
    for (u32 i = 0; i < VALUES / 8; i++) {
      r->sum[4 * i + 2 * h] *= factor;
      r->sum[4 * i + 2 * h + 1] *= factor;
    }
#endif
  }
  UNROLL
  for (u32 i = 0; i < KEYS / 4; i++) {
    u32 h = i % 2;
    f32 low = power_of_two(fmaf(s[2 * i], unit, -base[h])), high = power_of_two(fmaf(s[2 * i + 1], unit, -base[h]));
    r->total[h] += low + high;
    p[i] = pack(low, high);
  }
}

/* Each row's four threads have two elements of every eight: four eights become one of each thread. */
DEVICE void turn4(u32 (&v)[4]) {
  bool odd = THREAD & 1, upper = THREAD & 2;
  UNROLL
  for (u32 k = 0; k < 4; k += 2) {
    u32 other = __shfl_xor_sync(0xffffffffu, odd ? v[k] : v[k + 1], 1);
    v[k] = odd ? other : v[k];
    v[k + 1] = odd ? v[k + 1] : other;
  }
  UNROLL
  for (u32 k = 0; k < 2; k++) {
    u32 other = __shfl_xor_sync(0xffffffffu, upper ? v[k] : v[k + 2], 2);
    v[k] = upper ? other : v[k];
    v[k + 2] = upper ? v[k + 2] : other;
  }
}
DEVICE void put_rows(const struct attention_tensor_arguments *a, struct rows *r) {
  u16 *y = (u16 *)a->target + (int)BLOCK_Z * a->y_strides[OF_BATCH] + (int)BLOCK_Y * a->y_strides[OF_HEAD];
  UNROLL
  for (u32 h = 0; h < 2; h++) {
    f32 all = row_sum(r->total[h]), inverse = EMPTY_ROWS && all == 0 ? 0 : 1 / all;
    u32 query = r->row + 8 * h;
    UNROLL
    for (u32 i = 0; i < VALUES / 8; i += 4) {
      u32 v[4], column = (i + THREAD % 4) * 8;
      UNROLL
      for (u32 k = 0; k < 4; k++) {
        u32 at = 4 * (i + k < VALUES / 8 ? i + k : 0) + 2 * h;
        v[k] = pack(r->sum[at] * inverse, r->sum[at + 1] * inverse);
      }
      turn4(v);
      if (query < a->queries && column < VALUE_DEPTH)
        *(uint4 *)(y + (int)query * a->y_strides[OF_ROW] + (int)column) = make_uint4(v[0], v[1], v[2], v[3]);
    }
  }
}

WIDE_KERNEL(WORKERS, RESIDENT, , attention_wgmma, struct attention_wgmma_arguments) {
  extern __shared__ char memory[];
  __shared__ u64 meetings[2 * Q_STAGES + 3 * STAGES];
  struct rings at;
  const u32 group = warpgroup();
  at.q = shared_address(memory) + (1024 - shared_address(memory) % 1024) % 1024;
  at.k = at.q + Q_STAGES * Q_BYTES;
  at.v = at.k + STAGES * K_BYTES;
  at.q_full = shared_address(meetings);
  at.k_full = at.q_full + 8 * Q_STAGES;
  at.v_full = at.k_full + 8 * STAGES;
  at.empty = at.v_full + 8 * STAGES;
  if (THREAD == 0) {
    map_prefetch(&a.q);
    map_prefetch(&a.k);
    map_prefetch(&a.v);
    for (u32 i = 0; i < Q_STAGES + 2 * STAGES; i++) meeting_init(at.q_full + 8 * i, 1);
    for (u32 i = 0; i < STAGES; i++) meeting_init(at.empty + 8 * i, 4 * WARPGROUPS);
    meetings_publish();
  }
  some_meet(0, WORKERS);
  grid_let_next();
  grid_wait();
  struct keys_seen seen = keys_of(&a.of, 0);
  if (THREAD == 0) {
    fetch_queries(&a, &at, seen.first_query, 0);
    for (u32 i = 0; i < STAGES && seen.from + i < seen.to; i++) fetch_keys(&a, &at, seen.from + i, i);
    if (ROUNDS > 1 && seen.first_query + QUERIES < a.of.queries)
      fetch_queries(&a, &at, seen.first_query + QUERIES, 1);
  }
  __syncwarp();
  for (u32 round = 0; round < ROUNDS; round++) {
    u32 first = (BLOCK_X * ROUNDS + round) * QUERIES, q_stage = round % Q_STAGES;
    if (round && first >= a.of.queries) break;
    struct rows r;
    r.row = first + group * 64 + THREAD / 32 % 4 * 16 + THREAD % 32 / 4;
    r.pair = THREAD % 4 * 2;
    r.awake = r.row - THREAD % 32 / 4 < a.of.queries;
    r.most[0] = r.most[1] = -INFINITE;
    r.total[0] = r.total[1] = 0;
    if (!SINGLE && seen.from >= seen.to) { /* nothing is seen */
      UNROLL
      for (u32 i = 0; i < VALUES / 2; i++) r.sum[i] = 0;
    }
    const u32 q = tile_descriptor(at.q + q_stage * Q_BYTES + group * DEPTH_BOXES * Q_BOX);
    meeting_wait(at.q_full + 8 * q_stage, round / Q_STAGES & 1);
    for (u32 tile = seen.from; tile < seen.to; tile++) {
      u32 nth = tile - seen.from, stage = nth % STAGES, phase = nth / STAGES & 1;
      f32 s[KEYS / 2];
      u32 p[KEYS / 4];
      const u32 k = tile_descriptor(at.k + stage * K_BYTES), v = values_descriptor(at.v + stage * V_BYTES);
      meeting_wait(at.k_full + 8 * stage, phase);
      products_begin();
      UNROLL
      for (u32 i = 0; i < DEPTH_STEPS; i++)
        multiply_scores(s, q + i / 4 * (Q_BOX >> 4) + i % 4 * 2, k + i / 4 * (KEY_BOX >> 4) + i % 4 * 2, i > 0);
      products_commit();
#if !SINGLE
      if (THREAD == 0 && nth && tile + 1 < seen.to) { /* into the place of the tile before, once all are through */
        meeting_wait(at.empty + 8 * ((nth - 1) % STAGES), (nth - 1) / STAGES & 1);
        fetch_keys(&a, &at, tile + 1, (nth - 1) % STAGES);
      }
      __syncwarp();
#endif
      PRODUCTS_WAIT(0);
#if ROUNDS > 1
      some_meet(0, WORKERS); /* these queries have been read */
      if (THREAD == 0 && round + 2 < ROUNDS && first + 2 * QUERIES < a.of.queries)
        fetch_queries(&a, &at, first + 2 * QUERIES, q_stage);
      __syncwarp();
#endif
      if (r.awake) take_scores(&a.of, &r, s, p, tile * KEYS);
      __syncwarp();
      meeting_wait(at.v_full + 8 * stage, phase);
      products_begin();
      UNROLL
      for (u32 i = 0; i < KEYS / 16; i++) multiply_values(r.sum, p + 4 * i, v + i * (16 * ROW_BYTES >> 4), i > 0 || nth);
      products_commit();
      PRODUCTS_WAIT(0);
#if !SINGLE
      if (THREAD % 32 == 0) meeting_arrive(at.empty + 8 * stage);
#endif
    }
    put_rows(&a.of, &r);
  }
}

#else /* the same by definition, for a host ------------------------------------------------------------------------- */

DEVICE f32 product_of(const struct attention_wgmma_arguments *a, u32 query, u32 key) {
  f32 s = 0;
  for (u32 d = 0; d < DEPTH; d++) {
    u16 left = fetched_at((const void *)&a->q, d, query, BLOCK_Y * a->q_moves[1], BLOCK_Z * a->q_moves[0]);
    u16 right =
        fetched_at((const void *)&a->k, d, key, BLOCK_Y / a->of.share * a->k_moves[1], BLOCK_Z * a->k_moves[0]);
    s += LOAD(X, &left, 0) * LOAD(X, &right, 0);
  }
  return score_of(&a->of, s, BLOCK_Z, BLOCK_Y, query, key);
}
DEVICE void one_query(const struct attention_wgmma_arguments *a, const struct keys_seen *seen, u32 query) {
  u16 *y = (u16 *)a->of.target + (int)BLOCK_Z * a->of.y_strides[OF_BATCH] + (int)BLOCK_Y * a->of.y_strides[OF_HEAD] +
           (int)query * a->of.y_strides[OF_ROW];
  f32 most = -INFINITE, total = 0, sum[VALUE_DEPTH] = {0};
  for (u32 key = seen->from * KEYS; key < seen->to * KEYS; key++) most = fmaxf(most, product_of(a, query, key));
  for (u32 key = seen->from * KEYS; key < seen->to * KEYS; key++) {
    f32 e = power_of_two(product_of(a, query, key) - (most == -INFINITE ? 0 : most));
    total += e;
    for (u32 d = 0; d < VALUE_DEPTH && e != 0; d++) {
      u16 v = fetched_at((const void *)&a->v, d, key, BLOCK_Y / a->of.share * a->v_moves[1], BLOCK_Z * a->v_moves[0]);
      sum[d] += e * LOAD(X, &v, 0);
    }
  }
  for (u32 d = 0; d < VALUE_DEPTH; d++) STORE(X, y, d, EMPTY_ROWS && total == 0 ? 0 : sum[d] / total);
}
KERNEL(attention_wgmma, struct attention_wgmma_arguments) {
  if (THREAD) return;
  for (u32 round = 0; round < ROUNDS; round++) {
    struct keys_seen seen = keys_of(&a.of, round);
    for (u32 i = 0; i < QUERIES; i++)
      if (seen.first_query + i < a.of.queries) one_query(&a, &seen, seen.first_query + i);
  }
}
#endif
