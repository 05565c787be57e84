/* Attention with everything that the operator allows: a past, valid lengths, windows, results of keys, values and
   scores, heads of any depth. A query of a head a block, whose scores lie in the workspace. S is the form of sums. */

/* Where key (or value) |j| of head |h| begins in rows of |depth|; the past's come first. */
#define ROW_OF(new_by_heads, n, h, j, steps, heads) \
  ((new_by_heads) ? ((n) * (heads) + (h)) * (steps) + (j) : ((n) * (steps) + (j)) * (heads) + (h))

#if JOINS
/* The past and the new, one after another: a result. */
KERNEL(attention_join, struct each_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 row = divide(i, DEPTH), e = i - row * DEPTH.divisor, line = divide(row, KEYS), j = row - line * KEYS.divisor;
    u32 n = line / (u32)KV_HEADS, h = line - n * (u32)KV_HEADS, past = (u32)PAST;
    if (j < past)
      ((OUT_WORD *)OUT)[i] = ((const OUT_WORD *)OLD)[(line * past + j) * DEPTH.divisor + e];
    else
      ((OUT_WORD *)OUT)[i] = ((const OUT_WORD *)NEW)[ROW_OF(BY_HEADS, n, h, j - past, (u32)STEPS, (u32)KV_HEADS) *
                                                         DEPTH.divisor + e];
  }
}
#else
KERNEL(attention_any, struct each_arguments) {
  S *row = (S *)a.workspace + (u64)BLOCK_X * (u32)KEYS;
  for (u32 r = BLOCK_X; r < a.count; r += BLOCKS_X) {
    u32 line = divide(r, QUERIES), i = r - line * QUERIES.divisor, n = line / (u32)Q_HEADS, h = line - n * (u32)Q_HEADS;
    u32 kv = h / (u32)GROUP, q = ROW_OF(BY_HEADS, n, h, i, QUERIES.divisor, (u32)Q_HEADS), past = (u32)PAST;
    i64 valid = WITH_LENGTHS ? (i64)LOAD(LENGTHS_TYPE, LENGTHS, n) : KEYS;
    if (valid < 0 || valid > KEYS) {
      TELL(FAULT_LENGTH, valid, KEYS);
      valid = 0;
    }
    i64 place = (i64)i + (WITH_LENGTHS ? valid - (i64)QUERIES.divisor : (i64)past);
    S greatest = -INFINITE, sum = 0;
    for (u32 j = THREAD; j < (u32)KEYS; j += THREADS) {
      S score = 0;
      u32 key = ROW_OF(BY_HEADS, n, kv, j - past, (u32)KEYS - past, (u32)KV_HEADS);
      if (j < past) {
        for (u32 e = 0; e < (u32)DEPTH; e++)
          score += (S)LOAD(Q_TYPE, Q, q * (u32)DEPTH + e) *
                   (S)LOAD(K_TYPE, PAST_KEY, ((n * (u32)KV_HEADS + kv) * past + j) * (u32)DEPTH + e);
      } else {
        for (u32 e = 0; e < (u32)DEPTH; e++)
          score += (S)LOAD(Q_TYPE, Q, q * (u32)DEPTH + e) * (S)LOAD(K_TYPE, K, key * (u32)DEPTH + e);
      }
      score *= (S)SCALE;
      if (WITH_SCORES && SCORES_MODE == 0) STORE(Q_TYPE, SCORES, r * (u32)KEYS + j, (Q_FORM)score);
      if (SOFTCAP > 0) score = (S)SOFTCAP * TANH(score / (S)SOFTCAP);
      if (WITH_SCORES && SCORES_MODE == 1) STORE(Q_TYPE, SCORES, r * (u32)KEYS + j, (Q_FORM)score);
      int allowed = j < valid && (!CAUSAL || (i64)j <= place) && (LEFT < 0 || place - (i64)j <= LEFT) &&
                    (RIGHT < 0 || (i64)j - place <= RIGHT);
#if WITH_MASK
      u32 at = n * (u32)MASK_BATCH + h * (u32)MASK_HEAD + i * (u32)MASK_QUERY + j;
      allowed = allowed && j < (u32)MASK_REACH;
#if MASK_ALLOWS
      allowed = allowed && LOAD(MASK_TYPE, MASK, at) != 0;
#else
      if (allowed) score += (S)LOAD(MASK_TYPE, MASK, at);
#endif
#endif
      if (!allowed) score += -(S)INFINITE;
      if (WITH_SCORES && SCORES_MODE == 2) STORE(Q_TYPE, SCORES, r * (u32)KEYS + j, (Q_FORM)score);
      score = PRECISION(score);
      row[j] = score;
      greatest = GREATER_OF(score, greatest);
    }
    BLOCK_REDUCE(S, greatest, GREATER_OF);
    int any = greatest != -INFINITE; /* a row that sees no key gives zeros */
    for (u32 j = THREAD; j < (u32)KEYS; j += THREADS) {
      row[j] = any ? EXP(row[j] - greatest) : 0;
      sum += row[j];
    }
    BLOCK_REDUCE(S, sum, SUM_OF);
    for (u32 j = THREAD; j < (u32)KEYS; j += THREADS) {
      if (any) row[j] = ROUNDED(row[j] / sum);
      if (WITH_SCORES && SCORES_MODE == 3) STORE(Q_TYPE, SCORES, r * (u32)KEYS + j, (Q_FORM)row[j]);
    }
    BARRIER();
    for (u32 e = THREAD; e < (u32)VALUE_DEPTH; e += THREADS) {
      S value = 0;
      for (u32 j = 0; any && j < past; j++)
        value += row[j] * (S)LOAD(V_TYPE, PAST_VALUE, ((n * (u32)KV_HEADS + kv) * past + j) * (u32)VALUE_DEPTH + e);
      for (u32 j = past; any && j < (u32)KEYS; j++)
        value += row[j] * (S)LOAD(V_TYPE, V, ROW_OF(BY_HEADS, n, kv, j - past, (u32)KEYS - past, (u32)KV_HEADS) *
                                                     (u32)VALUE_DEPTH + e);
      STORE(Y_TYPE, Y, q * (u32)VALUE_DEPTH + e, (Y_FORM)value);
    }
    BARRIER();
  }
}
#endif
