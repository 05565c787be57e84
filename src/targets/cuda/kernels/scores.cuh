/* Scores of attention: what a product of a query and a key becomes before it is an exponent, exponents, and what the four
   threads that share a row of scores do together. X, MASK, M, CAP, SCORES and SCORE() are of the head, as
   attention_tensor.cu says; WORKERS are the block's threads. */
#define LOG2E          1.4426950408889634f
#define SCORE_TEXT_(a) #a
#define SCORE_TEXT(a)  SCORE_TEXT_(a)

/* In units of log2, where the least number stays one. */
DEVICE f32 in_log2(f32 v) {
  f32 y = v * LOG2E;
  return y == -INFINITE && v > -INFINITE ? -3.402823466e38f : y;
}

/* The product |s| of a query and a key as the exponent of two, minus infinity where the query does not see the key. */
DEVICE f32 score_of(const struct attention_tensor_arguments *a, f32 s, u32 n, u32 head, u32 query, u32 key) {
  if (key >= a->keys || query >= a->queries || (int)key > (int)query + a->right || (int)key < (int)query - a->left)
    return -INFINITE;
#if SCORES
  s = in_log2(SCORE(a, s, n, head, query, key));
#elif CAP
  s = LOG2E * a->softcap * tanhf(s * a->scale / a->softcap);
#else
  s *= a->scale;
#endif
#if MASK
  u32 at = (u32)((int)n * a->mask_strides[OF_BATCH] + (int)head * a->mask_strides[OF_HEAD] +
                 (int)query * a->mask_strides[OF_ROW] + (int)key * a->mask_strides[OF_COLUMN]);
#if MASK == 1
  if (!((const u8 *)a->mask)[at]) s = -INFINITE;
#else
  s += in_log2(LOAD(M, a->mask, at));
#endif
#endif
  return s;
}

#if PTX
DEVICE u32 pack(f32 low, f32 high) {
  u32 v;
  asm("cvt.rn." SCORE_TEXT(X) "x2.f32 %0, %1, %2;" : "=r"(v) : "f"(high), "f"(low));
  return v;
}
DEVICE f32 power_of_two(f32 v) {
  f32 y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(v));
  return y;
}
/* Over the four lanes that share a row. */
DEVICE f32 row_greatest(f32 v) {
  v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 1));
  return fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 2));
}
DEVICE f32 row_sum(f32 v) {
  v += __shfl_xor_sync(0xffffffffu, v, 1);
  return v + __shfl_xor_sync(0xffffffffu, v, 2);
}
#else
SHARED f32 values[WORKERS];
DEVICE u32 pack(f32 low, f32 high) {
  u32 v;
  STORE(X, &v, 0, low);
  STORE(X, &v, 1, high);
  return v;
}
DEVICE f32 power_of_two(f32 v) { return exp2f(v); }
DEVICE f32 row_greatest(f32 v) {
  values[THREAD] = v;
  BARRIER();
  for (u32 i = 0; i < 4; i++) v = fmaxf(v, values[THREAD / 4 * 4 + i]);
  BARRIER();
  return v;
}
DEVICE f32 row_sum(f32 v) {
  values[THREAD] = v;
  BARRIER();
  v = 0;
  for (u32 i = 0; i < 4; i++) v += values[THREAD / 4 * 4 + i];
  BARRIER();
  return v;
}
#endif
