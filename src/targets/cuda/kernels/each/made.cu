/* Elements that come of their place: trilu, fill, range, eye_like, one_hot; and lookup, which scans its keys, of which
   networks have few. */
#define EACH(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)
#define NARROW(type, value) JOIN(type, _of_wide)(value)

#if TRILU
KERNEL(trilu, struct each_arguments) {
  i64 k = WITH_K ? (i64)LOAD(K_TYPE, K, 0) : 0;
  EACH(i) {
    u32 line = divide(i, COLUMNS);
    i64 column = (i64)(i - line * COLUMNS.divisor), row = (i64)(line - divide(line, ROWS) * ROWS.divisor);
    /* Far from the matrix k itself would overflow a sum. */
    int keeps = UPPER ? column - row >= k : column - row <= k;
    ((X_WORD *)Y)[i] = keeps ? ((const X_WORD *)X)[i] : 0;
  }
}
#elif FILL
KERNEL(fill, struct each_arguments) {
  EACH(i) ((Y_WORD *)Y)[i] = ((const Y_WORD *)VALUE)[0];
}
#elif RANGE
KERNEL(range, struct each_arguments) {
#if IS_FLOAT
  f64 start = (f64)LOAD(Y_TYPE, START, 0), delta = (f64)LOAD(Y_TYPE, DELTA, 0);
  EACH(i) STORE(Y_TYPE, Y, i, NARROW(Y_TYPE, start + (f64)i * delta));
#else
  u64 start = (u64)LOAD(Y_TYPE, START, 0), delta = (u64)LOAD(Y_TYPE, DELTA, 0);
  EACH(i) STORE(Y_TYPE, Y, i, (Y_FORM)(start + i * delta));
#endif
}
#elif EYE_LIKE
KERNEL(eye_like, struct each_arguments) {
  EACH(i) {
    u32 row = divide(i, COLUMNS);
    STORE(Y_TYPE, Y, i, (Y_FORM)((int)(i - row * COLUMNS.divisor) - (int)row == DIAGONAL));
  }
}
#elif ONE_HOT
KERNEL(one_hot, struct each_arguments) {
  EACH(i) {
    u32 row = divide(i, INNER), line = row / (u32)EXTENT;
    u32 from = line * INNER.divisor + (i - row * INNER.divisor);
    i64 place = (i64)(row - line * (u32)EXTENT);
#if IS_FLOAT
    i64 at = i64_of_wide((f64)LOAD(INDICES_TYPE, INDICES, from));
#else
    i64 at = (i64)LOAD(INDICES_TYPE, INDICES, from);
    if (at < 0 && IS_U64) at = EXTENT; /* beyond what i64 holds */
#endif
    if (at < 0) at = at < -(i64)EXTENT ? -1 : at + EXTENT;
    ((Y_WORD *)Y)[i] = ((const Y_WORD *)VALUES)[at == place];
  }
}
#elif LOOKUP
KERNEL(lookup, struct each_arguments) {
  EACH(i) {
    X_FORM x = LOAD(X_TYPE, X, i);
    int k = (int)COUNT - 1;
    for (; k >= 0; k--) { /* the last of equal keys counts; every NaN is one key */
      X_FORM key = LOAD(X_TYPE, KEYS, (u32)k);
      if (key == x || (key != key && x != x)) break;
    }
    ((Y_WORD *)Y)[i] = k >= 0 ? ((const Y_WORD *)VALUES)[k] : ((const Y_WORD *)DEFAULT)[0];
  }
}
#endif
