/* A pass of a Fourier transform in f64: |length| is taken apart radix by radix, each pass one kernel that leaves the
   terms in the order in which the next one reads them, so that none has to sort (Stockham; as in Govindaraju et al.,
   "High performance discrete Fourier transforms on graphics processors", 2008). A thread sums RADIX terms, which are
   |part| apart. Passes read from OF_X or from the last one's terms, and write to OF_Y or for the next one.

   A length with a large prime factor is a convolution with a CHIRP (Bluestein; op/signal/fft.h): the first pass
   multiplies by it, the last one of the first transform by the chirp's SPECTRUM, the last one of the second by the
   chirp again. Backwards is forwards between two conjugations. */
typedef struct term {
  f64 re, im;
} term;

DEVICE term term_mul(term a, term b) {
  term y;
  y.re = a.re * b.re - a.im * b.im;
  y.im = a.re * b.im + a.im * b.re;
  return y;
}

/* exp(-2 pi i turn / length): two tables, of near places and of far ones, are small and lose a bit at most. */
DEVICE term root_of(const struct fft_arguments *a, u32 turn) {
  const term *roots = (const term *)a->roots;
  return term_mul(roots[turn & ((1u << a->fine_bits) - 1)], roots[(1u << a->fine_bits) + (turn >> a->fine_bits)]);
}

DEVICE u32 place_of(const struct fft_arguments *a, u32 line, u32 at) {
  return LINES_ARE_FAST ? at * a->lines + line : line * a->length + at;
}

/* Element 0 of a line of |extent| terms. */
DEVICE u32 line_of(const struct fft_arguments *a, u32 line, u32 extent) {
  u32 all = a->first_line + line, outer = divide(all, a->inner);
  return outer * extent * a->inner.divisor + all - outer * a->inner.divisor;
}

DEVICE term take(const struct fft_arguments *a, u32 line, u32 at) {
#if OF_X
  term x = {0, 0};
  u32 from = HERMITIAN && at > a->size / 2 ? a->size - at : at; /* the other half is conjugate */
  if (at >= a->size || from >= a->given) return x;
  u32 element = (line_of(a, line, a->x_extent) + from * a->inner.divisor) * X_PARTS;
  x.re = (f64)LOAD(X, a->source, element);
  if (X_PARTS == 2) x.im = (f64)LOAD(X, a->source, element + 1);
  if ((from != at) != INVERSE) x.im = -x.im;
  return CHIRP ? term_mul(x, ((const term *)a->chirp)[at]) : x;
#else
  return ((const term *)a->source)[place_of(a, line, at)];
#endif
}

DEVICE void give(const struct fft_arguments *a, u32 line, u32 at, term y) {
#if OF_Y
  if (at >= a->y_extent) return;
  if (CHIRP) {
    y.im = -y.im;
    y = term_mul(y, ((const term *)a->chirp)[at]);
  }
  u32 element = (line_of(a, line, a->y_extent) + at * a->inner.divisor) * Y_PARTS;
  STORE(Y, a->target, element, (Y_FORM)(y.re * a->scale));
  if (Y_PARTS == 2) STORE(Y, a->target, element + 1, (Y_FORM)(INVERSE ? -y.im * a->scale : y.im * a->scale));
#else
  if (SPECTRUM) {
    y = term_mul(y, ((const term *)a->spectrum)[at]);
    y.im = -y.im;
  }
  ((term *)a->target)[place_of(a, line, at)] = y;
#endif
}

KERNEL(fft, struct fft_arguments) {
  for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS) {
    u32 slow = divide(i, a.fast), fast = i - slow * a.fast.divisor;
    u32 line = LINES_ARE_FAST ? fast : slow, at = LINES_ARE_FAST ? slow : fast;
    u32 block = divide(at, a.done), within = at - block * a.done.divisor;
    term turned[RADIX];
    UNROLL
    for (u32 q = 0; q < RADIX; q++) {
      turned[q] = take(&a, line, at + q * a.part);
      if (!FIRST && q) turned[q] = term_mul(turned[q], root_of(&a, q * within * a.step));
    }
    ROLLED
    for (u32 k = 0; k < RADIX; k++) {
      term sum = turned[0];
      u32 turn = 0;
      UNROLL
      for (u32 q = 1; q < RADIX; q++) {
        turn += k;
        if (turn >= RADIX) turn -= RADIX;
        sum.re += turned[q].re * a.root[2 * turn] - turned[q].im * a.root[2 * turn + 1];
        sum.im += turned[q].re * a.root[2 * turn + 1] + turned[q].im * a.root[2 * turn];
      }
      give(&a, line, (block * RADIX + k) * a.done.divisor + within, sum);
    }
  }
}
