/* Operators along an axis: cumulate, topk, hardmax, lp_norm, and batch_norm, whose lines are channels. R is the form of
   sums. */
#define EACH(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)

#if CUMULATE
/* A line a thread, in order, as the definition rounds. */
KERNEL(cumulate, struct each_arguments) {
  i64 axis = AXIS_KNOWN ? (i64)AXIS_NUMBER : (i64)LOAD(AXIS_TYPE, AXIS, 0);
  if (axis < 0) axis += RANK;
  if (axis < 0 || axis >= RANK) {
    TELL(FAULT_AXIS, GIVEN(axis, RANK), RANK);
    return;
  }
  u32 extent = (u32)DIMS(axis), inner = (u32)STRIDES(axis);
  EACH(line) {
    if (!AXIS_KNOWN && line >= (u32)ELEMENTS / extent) break;
    u32 outer = line / inner, first = outer * extent * inner + (line - outer * inner);
    R so_far = IS_PRODUCT ? 1 : 0;
    for (u32 k = 0; k < extent; k++) {
      u32 at = first + (REVERSE ? extent - 1 - k : k) * inner;
      R v = (R)LOAD(X_TYPE, X, at), next = IS_PRODUCT ? so_far * v : so_far + v;
      STORE(X_TYPE, Y, at, (X_FORM)(EXCLUSIVE ? so_far : next));
      so_far = next;
    }
  }
}
#elif TOPK
/* An element a thread: it counts those that come before it, and gives up at K of them, which most do soon. */
DEVICE int comes_before(X_FORM x, u32 at, X_FORM y, u32 of) {
  int order = x != x || y != y ? (x != x) - (y != y) : (x > y) - (x < y);
  if (!LARGEST) order = -order;
  return order > 0 || (order == 0 && at < of);
}

KERNEL(topk, struct each_arguments) {
  EACH(i) {
    u32 row = divide(i, INNER), inner = i - row * INNER.divisor, outer = row / (u32)EXTENT;
    u32 own = row - outer * (u32)EXTENT, first = outer * (u32)EXTENT * INNER.divisor + inner, rank = 0;
    X_FORM x = LOAD(X_TYPE, X, i);
    for (u32 k = 0; k < (u32)EXTENT && rank < (u32)K; k++)
      rank += (u32)comes_before(LOAD(X_TYPE, X, first + k * INNER.divisor), k, x, own);
    if (rank >= (u32)K) continue;
    u32 to = (outer * (u32)K + rank) * INNER.divisor + inner;
    if (WITH_VALUES) ((X_WORD *)VALUES)[to] = ((const X_WORD *)X)[i];
    if (WITH_INDICES) ((i64 *)INDICES)[to] = (i64)own;
  }
}
#elif HARDMAX
struct best {
  X_FORM value;
  u32 at;
};
DEVICE struct best better(struct best x, struct best y) {
  int x_nan = x.value != x.value, y_nan = y.value != y.value;
  int order = x_nan || y_nan ? x_nan - y_nan : (x.value > y.value) - (x.value < y.value);
  return order > 0 || (order == 0 && x.at < y.at) ? x : y;
}

KERNEL(hardmax, struct each_arguments) {
  for (u32 line = BLOCK_X; line < a.count; line += BLOCKS_X) {
    u32 outer = divide(line, INNER), first = outer * (u32)EXTENT * INNER.divisor + (line - outer * INNER.divisor);
    struct best best = {-INFINITE, 0xffffffff};
    for (u32 k = THREAD; k < (u32)EXTENT; k += THREADS) {
      struct best one = {LOAD(X_TYPE, X, first + k * INNER.divisor), k};
      best = better(best, one);
    }
    BLOCK_REDUCE(struct best, best, better);
    for (u32 k = THREAD; k < (u32)EXTENT; k += THREADS) STORE(X_TYPE, Y, first + k * INNER.divisor, k == best.at);
  }
}
#elif LP_NORM
KERNEL(lp_norm, struct each_arguments) {
  for (u32 line = BLOCK_X; line < a.count; line += BLOCKS_X) {
    u32 outer = divide(line, INNER), first = outer * (u32)EXTENT * INNER.divisor + (line - outer * INNER.divisor);
    R sum = 0;
    for (u32 k = THREAD; k < (u32)EXTENT; k += THREADS) {
      R v = (R)LOAD(X_TYPE, X, first + k * INNER.divisor);
      sum += P == 1 ? (v < 0 ? -v : v) : v * v;
    }
    BLOCK_REDUCE(R, sum, SUM_OF);
    R norm = P == 1 ? sum : (R)sqrt(sum);
    for (u32 k = THREAD; k < (u32)EXTENT; k += THREADS) {
      R v = (R)LOAD(X_TYPE, X, first + k * INNER.divisor);
      STORE(X_TYPE, Y, first + k * INNER.divisor, (X_FORM)(norm == 0 ? v : v / norm)); /* zeros stay zeros */
    }
  }
}
#elif BATCH_NORM
/* Mean and variance of a channel a block, into the workspace. */
#define STATISTICS ((f64 *)a.workspace)
KERNEL(batch_statistics, struct each_arguments) {
  for (u32 channel = BLOCK_X; channel < a.count; channel += BLOCKS_X) {
    f64 mean = 0, square = 0;
    for (int pass = 0; pass < 2; pass++) {
      f64 sum = 0;
      for (u32 i = THREAD; i < (u32)MEMBERS; i += THREADS) {
        u32 n = divide(i, PLANE);
        f64 v = (f64)LOAD(X_TYPE, X, (n * (u32)CHANNELS + channel) * PLANE.divisor + (i - n * PLANE.divisor)) - mean;
        sum += pass ? v * v : v;
      }
      BLOCK_REDUCE(f64, sum, SUM_OF);
      if (pass)
        square = sum / MEMBERS;
      else
        mean = sum / MEMBERS;
    }
    if (THREAD == 0) {
      STATISTICS[2 * channel] = mean;
      STATISTICS[2 * channel + 1] = square;
      if (WITH_RUNNING_MEAN)
        STORE(MEAN_TYPE, RUNNING_MEAN, channel,
              (MEAN_FORM)((f64)LOAD(MEAN_TYPE, MEAN, channel) * MOMENTUM + mean * (1 - MOMENTUM)));
      if (WITH_RUNNING_VAR)
        STORE(VAR_TYPE, RUNNING_VAR, channel,
              (VAR_FORM)((f64)LOAD(VAR_TYPE, VAR, channel) * MOMENTUM + square * (1 - MOMENTUM)));
    }
  }
}

KERNEL(batch_norm, struct each_arguments) {
  EACH(i) {
    u32 row = divide(i, PLANE), channel = row % (u32)CHANNELS;
    f64 mean = TRAINING ? STATISTICS[2 * channel] : (f64)LOAD(MEAN_TYPE, MEAN, channel);
    f64 var = TRAINING ? STATISTICS[2 * channel + 1] : (f64)LOAD(VAR_TYPE, VAR, channel);
    R scale = (R)((f64)LOAD(SCALE_TYPE, SCALE, channel) / sqrt(var + EPSILON));
    R v = ((R)LOAD(X_TYPE, X, i) - (R)mean) * scale + (R)LOAD(BIAS_TYPE, BIAS, channel);
    STORE(X_TYPE, Y, i, (X_FORM)v);
  }
}
#endif
