/* Reductions of integers by roots and logarithms, of nothing, and over axes that are known on the device only: a result
   a thread. S is the form of sums; KIND is a pn_reduce_kind. */
#define SUM 0
#define MEAN 1
#define MAX 2
#define MIN 3
#define PROD 4
#define L1 5
#define L2 6
#define LOG_SUM 7
#define LOG_SUM_EXP 8

/* Element |k| of a set that begins at |from|. */
DEVICE u32 element_of(const struct each_arguments *whole, u32 mask, u32 from, u32 k) {
#define a (*whole)
  for (int d = RANK - 1; d >= 0; d--) {
    if (!(mask >> d & 1)) continue;
    from += k % (u32)DIMS(d) * (u32)STRIDES(d);
    k /= (u32)DIMS(d);
  }
  return from;
#undef a
}

KERNEL(reduce_any, struct each_arguments) {
  u32 mask = (u32)MASK, set = 1;
#if !AXES_KNOWN
  for (u32 k = 0; k < (u32)AXIS_COUNT; k++) {
    i64 axis = (i64)LOAD(AXES_TYPE, AXES, k);
    if (axis < 0) axis += RANK;
    if (axis < 0 || axis >= RANK) {
      TELL(FAULT_AXIS, GIVEN(axis, RANK), RANK);
      return;
    }
    mask |= 1u << axis;
  }
#endif
  for (int d = 0; d < RANK; d++)
    if (mask >> d & 1) set *= (u32)DIMS(d);
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 rest = i, from = 0;
    for (int d = RANK - 1; d >= 0; d--) {
      if (mask >> d & 1) continue;
      from += rest % (u32)DIMS(d) * (u32)STRIDES(d);
      rest /= (u32)DIMS(d);
    }
    S sum = KIND == PROD ? 1 : 0, shift = 0;
    X_FORM best = LOWEST;
    if (KIND == MAX || KIND == MIN || KIND == LOG_SUM_EXP) {
      for (u32 k = 0; k < set; k++) {
        X_FORM v = LOAD(X_TYPE, X, element_of(&a, mask, from, k));
        if (k == 0 || (best == best && (v != v || (KIND == MIN ? v < best : v > best)))) best = v;
      }
      if (KIND == LOG_SUM_EXP && set) shift = (S)best;
      if (shift - shift != 0) shift = 0;
    }
    if (KIND == MAX || KIND == MIN) {
      STORE(X_TYPE, Y, i, best);
      continue;
    }
    for (u32 k = 0; k < set; k++) {
      S v = (S)LOAD(X_TYPE, X, element_of(&a, mask, from, k));
      if (KIND == PROD)
        sum *= v;
      else if (KIND == L1)
        sum += IS_NEGATIVE(v) ? 0 - v : v;
      else if (KIND == LOG_SUM_EXP)
        sum += (S)exp((f64)(v - shift));
      else
        sum += KIND == L2 || KIND > LOG_SUM_EXP ? v * v : v;
    }
    if (KIND == MEAN && (IS_FLOAT || set)) sum = DIVIDED(sum, set);
    if (KIND == L2) sum = (S)sqrt((f64)sum);
    if (KIND == LOG_SUM || KIND == LOG_SUM_EXP) sum = (S)log((f64)sum) + shift;
    STORE(X_TYPE, Y, i, RESULT(sum));
  }
}
