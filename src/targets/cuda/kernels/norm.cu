/* layer_norm over contiguous rows, and group_norm over the contiguous elements of a group. A block for each row; the
   variance is taken about the mean. RMS: the mean counts as zero. X is the type of x and y, S of scale and bias. */
#if !LENGTH
KERNEL(layer_norm, struct norm_arguments) {
  for (u32 r = BLOCK_X; r < a.rows; r += BLOCKS_X) {
    u32 first = r * a.length;
    f32 sum = 0, squares = 0;
    if (!RMS) {
      for (u32 i = THREAD; i < a.length; i += THREADS) sum += LOAD(X, a.source, first + i);
      BLOCK_REDUCE(f32, sum, SUM_OF);
    }
    f32 mean = sum / (f32)a.length;
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      f32 x = LOAD(X, a.source, first + i) - mean;
      squares += x * x;
    }
    BLOCK_REDUCE(f32, squares, SUM_OF);
    f32 inverse = 1 / sqrtf(squares / (f32)a.length + a.epsilon);
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      f32 y = (LOAD(X, a.source, first + i) - mean) * inverse;
      if (a.scale) y *= LOAD(S, a.scale, i);
      if (a.bias) y += LOAD(S, a.bias, i);
      STORE(X, a.target, first + i, y);
    }
    if (THREAD == 0 && a.mean) ((f32 *)a.mean)[r] = mean;
    if (THREAD == 0 && a.inverse) ((f32 *)a.inverse)[r] = inverse;
  }
}

/* Rows are (image, group); scale and bias have one element a channel. */
KERNEL(group_norm, struct norm_arguments) {
  for (u32 r = BLOCK_X; r < a.rows; r += BLOCKS_X) {
    u32 first = r * a.length, group = r - divide(r, a.groups) * a.groups.divisor, plane = a.length / a.channels;
    f32 sum = 0, squares = 0;
    for (u32 i = THREAD; i < a.length; i += THREADS) sum += LOAD(X, a.source, first + i);
    BLOCK_REDUCE(f32, sum, SUM_OF);
    f32 mean = sum / (f32)a.length;
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      f32 x = LOAD(X, a.source, first + i) - mean;
      squares += x * x;
    }
    BLOCK_REDUCE(f32, squares, SUM_OF);
    f32 inverse = 1 / sqrtf(squares / (f32)a.length + a.epsilon);
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      u32 channel = group * a.channels + i / plane;
      f32 y = (LOAD(X, a.source, first + i) - mean) * inverse;
      if (a.scale) y *= LOAD(S, a.scale, channel);
      if (a.bias) y += LOAD(S, a.bias, channel);
      STORE(X, a.target, first + i, y);
    }
  }
}

#else
/* The same with a row's LENGTH elements in the registers of a warp, VECTOR of them at once: memory is read once. SAME:
   scale and bias are of X, too. */
enum { WARPS = 4, QUADS = LENGTH / VECTOR, PARTS = (QUADS + 31) / 32 };

DEVICE void norm_rows(const struct norm_arguments *a, int aligned) {
  u32 lane = THREAD % 32;
  for (u32 first = BLOCK_X * WARPS; first < a->rows; first += BLOCKS_X * WARPS) {
    u32 r = first + THREAD / 32, there = r < a->rows;
    quad part[PARTS];
    f32 sum = 0, squares = 0;
    UNROLL
    for (u32 i = 0; i < PARTS; i++) {
      quad none = {0, 0, 0, 0};
      part[i] = none;
      if (there && i * 32 + lane < QUADS) part[i] = load_quad(a->source, r * QUADS + i * 32 + lane, aligned);
    }
    if (!RMS) {
      UNROLL
      for (u32 i = 0; i < PARTS; i++) {
        UNROLL
        for (u32 e = 0; e < VECTOR; e++) sum += LOAD(X, &part[i], e);
      }
      WARP_REDUCE(f32, sum, SUM_OF);
    }
    f32 mean = sum / (f32)LENGTH;
    UNROLL
    for (u32 i = 0; i < PARTS; i++) {
      UNROLL
      for (u32 e = 0; e < VECTOR; e++) {
        f32 x = LOAD(X, &part[i], e) - mean;
        if (i * 32 + lane < QUADS) squares += x * x;
      }
    }
    WARP_REDUCE(f32, squares, SUM_OF);
    f32 inverse = 1 / sqrtf(squares / (f32)LENGTH + a->epsilon);
    UNROLL
    for (u32 i = 0; i < PARTS; i++) {
      u32 at = i * 32 + lane;
      quad scale = part[i], bias = part[i], out;
      if (!there || at >= QUADS) continue;
#if SAME
      if (a->scale) scale = load_quad(a->scale, at, aligned);
      if (a->bias) bias = load_quad(a->bias, at, aligned);
#endif
      UNROLL
      for (u32 e = 0; e < VECTOR; e++) {
        f32 y = (LOAD(X, &part[i], e) - mean) * inverse;
        if (a->scale) y *= SAME ? LOAD(X, &scale, e) : LOAD(S, a->scale, at * VECTOR + e);
        if (a->bias) y += SAME ? LOAD(X, &bias, e) : LOAD(S, a->bias, at * VECTOR + e);
        STORE(X, &out, e, y);
      }
      store_quad(a->target, r * QUADS + at, out, aligned);
    }
    if (there && lane == 0 && a->mean) ((f32 *)a->mean)[r] = mean;
    if (there && lane == 0 && a->inverse) ((f32 *)a->inverse)[r] = inverse;
  }
}

KERNEL_OF(layer_norm_row, struct norm_arguments, WARPS * 32, PARTS > 4 ? 4 : 8) {
  if (a.aligned)
    norm_rows(&a, 1);
  else
    norm_rows(&a, 0);
}
#endif
