/* Quantizing and its inverse. SCALE_PLACE(i) is the element of SCALE (and of ZERO) that belongs to element i: one for
   all, one along an axis (EXTENT, INNER), or one for each block of BLOCK elements along it. R is the form of
   quotients. */
#if GRANULARITY == 0
#define SCALE_PLACE(i) 0
#elif GRANULARITY == 1
#define SCALE_PLACE(i) (divide(i, INNER) % (u32)EXTENT)
#else
#define SCALE_PLACE(i) scale_place(&a, i)
DEVICE u32 scale_place(const struct each_arguments *whole, u32 i) {
#define a (*whole)
  u32 row = divide(i, INNER), inner = i - row * INNER.divisor, outer = row / (u32)EXTENT;
  return (outer * (u32)BLOCKS + (row - outer * (u32)EXTENT) / (u32)BLOCK) * INNER.divisor + inner;
#undef a
}
#endif

#if QUANTIZES
KERNEL(quantize, struct each_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 at = SCALE_PLACE(i);
    f64 zero = WITH_ZERO ? (f64)LOAD(ZERO_TYPE, ZERO, at) : 0;
    f64 value = (f64)((R)LOAD(X_TYPE, X, i) / (R)LOAD(SCALE_TYPE, SCALE, at));
#if TO_FLOAT
    /* Adding a zero point of 0 would lose the sign of -0. */
    ((u8 *)Y)[i] = JOIN(Y_TYPE, _from_f64)(zero == 0 ? value : value + zero, OVERFLOWS);
#else
    f64 rounded = value != value ? zero : rint(value) + zero;
    STORE(Y_TYPE, Y, i, (i64)(rounded < LEAST ? LEAST : rounded > MOST ? MOST : rounded));
#endif
  }
}
#else
KERNEL(dequantize, struct each_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 at = SCALE_PLACE(i);
    R value = (R)LOAD(X_TYPE, X, i) - (WITH_ZERO ? (R)LOAD(ZERO_TYPE, ZERO, at) : 0);
    STORE(Y_TYPE, Y, i, (Y_FORM)(value * (R)LOAD(SCALE_TYPE, SCALE, at)));
  }
}
#endif
