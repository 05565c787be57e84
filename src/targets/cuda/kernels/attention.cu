/* softmax(scale q k^T + mask) v without the scores in memory: 16 queries of a head a block, which go along the keys
   32 at a time and keep greatest score, sum of exponentials and result so far. X is the type of q, k, v and y; MASK:
   0 none, 1 bool, 2 numbers of type M. */
enum { QUERIES = 16, KEYS = 32, LANES = 16, OWN = (VALUE_DEPTH + LANES - 1) / LANES };

KERNEL(attention, struct attention_arguments) {
  SHARED f32 q[QUERIES][DEPTH + 1];
  SHARED f32 k[KEYS][DEPTH + 1];
  SHARED f32 v[KEYS][VALUE_DEPTH];
  SHARED f32 score[QUERIES][KEYS + 1];
  SHARED f32 most[QUERIES];
  SHARED f32 total[QUERIES];
  SHARED f32 factor[QUERIES];
  u32 n = BLOCK_Z, head = BLOCK_Y, first = BLOCK_X * QUERIES, kv = head / (a.heads / a.kv_heads);
  u32 row = THREAD / LANES, lane = THREAD % LANES;
  f32 sum[OWN];
  for (int i = 0; i < OWN; i++) sum[i] = 0;
  for (u32 i = THREAD; i < QUERIES * DEPTH; i += 256) {
    u32 r = i / DEPTH, d = i % DEPTH;
    u32 at = (u32)((int)n * a.q_batch + (int)head * a.q_head + (int)(first + r) * a.q_row) + d;
    q[r][d] = first + r < a.queries ? a.scale * LOAD(X, a.q, at) : 0;
  }
  if (THREAD < QUERIES) {
    most[THREAD] = -INFINITE;
    total[THREAD] = 0;
  }
  for (u32 start = 0; start < a.keys; start += KEYS) {
    BARRIER();
    for (u32 i = THREAD; i < KEYS * DEPTH; i += 256) {
      u32 r = i / DEPTH, d = i % DEPTH;
      k[r][d] = start + r < a.keys
                    ? LOAD(X, a.k, (u32)((int)n * a.k_batch + (int)kv * a.k_head + (int)(start + r) * a.k_row) + d)
                    : 0;
    }
    for (u32 i = THREAD; i < KEYS * VALUE_DEPTH; i += 256) {
      u32 r = i / VALUE_DEPTH, d = i % VALUE_DEPTH;
      v[r][d] = start + r < a.keys
                    ? LOAD(X, a.v, (u32)((int)n * a.v_batch + (int)kv * a.v_head + (int)(start + r) * a.v_row) + d)
                    : 0;
    }
    BARRIER();
    for (u32 i = THREAD; i < QUERIES * KEYS; i += 256) {
      u32 r = i / KEYS, j = i % KEYS, key = start + j, query = first + r;
      f32 s = 0;
      for (u32 d = 0; d < DEPTH; d++) s += q[r][d] * k[j][d];
      if (a.softcap > 0) s = a.softcap * tanhf(s / a.softcap);
      if (key >= a.keys || query >= a.queries || (a.causal && (int)key > (int)query + a.causal_offset)) s = -INFINITE;
#if MASK
      if (s > -INFINITE) {
        u32 at = (u32)((int)n * a.mask_batch + (int)head * a.mask_head + (int)query * a.mask_row +
                       (int)key * a.mask_column);
#if MASK == 1
        if (!((const u8 *)a.mask)[at]) s = -INFINITE;
#else
        s += LOAD(M, a.mask, at);
#endif
      }
#endif
      score[r][j] = s;
    }
    BARRIER();
    if (THREAD < QUERIES) {
      f32 now = most[THREAD], part = 0;
      for (u32 j = 0; j < KEYS; j++) now = GREATER_OF(score[THREAD][j], now);
      f32 base = now == -INFINITE ? 0 : now;
      factor[THREAD] = expf(most[THREAD] - base);
      for (u32 j = 0; j < KEYS; j++) {
        f32 e = expf(score[THREAD][j] - base);
        score[THREAD][j] = e;
        part += e;
      }
      total[THREAD] = total[THREAD] * factor[THREAD] + part;
      most[THREAD] = now;
    }
    BARRIER();
    for (u32 i = 0; i < OWN; i++) {
      u32 d = lane + i * LANES;
      if (d >= VALUE_DEPTH) break;
      f32 part = sum[i] * factor[row];
      for (u32 j = 0; j < KEYS; j++) part += score[row][j] * v[j][d];
      sum[i] = part;
    }
  }
  BARRIER();
  for (u32 i = 0; i < OWN; i++) {
    u32 d = lane + i * LANES;
    if (d >= VALUE_DEPTH || first + row >= a.queries) break;
    f32 all = total[row];
    STORE(X, a.target, (u32)((int)n * a.y_batch + (int)head * a.y_head + (int)(first + row) * a.y_row) + d,
          all == 0 ? 0 : sum[i] / all);
  }
}
