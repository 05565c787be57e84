/* layer_norm over contiguous rows, and group_norm over the contiguous elements of a group. A block for each row; the
   variance is taken about the mean. RMS: the mean counts as zero. X is the type of x and y, S of scale and bias. */
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
