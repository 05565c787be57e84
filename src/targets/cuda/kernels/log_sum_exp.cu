/* log(sum(exp(x))) over any axes: the greatest first, so that no exponential overflows. A block for each result. */
DEVICE int place_of(u32 rest, const struct divider *dims, const int *strides, int axes) {
  int place = 0;
  for (int d = axes - 1; d >= 0; d--) {
    u32 outer = d ? divide(rest, dims[d]) : 0;
    place += (int)(rest - outer * dims[d].divisor) * strides[d];
    rest = outer;
  }
  return place;
}

KERNEL(log_sum_exp, struct reduce_arguments) {
  for (u32 r = BLOCK_X; r < a.count; r += BLOCKS_X) {
    int from = place_of(r, a.kept, a.kept_from, KEPT);
    F most = -INFINITE, sum = 0;
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      F x = LOAD(X, a.source, (u32)(from + place_of(i, a.reduced, a.reduced_from, REDUCED)));
      most = GREATER_OF(x, most);
    }
    BLOCK_REDUCE(F, most, GREATER_OF);
    F base = most - most == 0 ? most : 0; /* infinite: no shift */
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      F x = LOAD(X, a.source, (u32)(from + place_of(i, a.reduced, a.reduced_from, REDUCED)));
      sum += EXP(x - base);
    }
    BLOCK_REDUCE(F, sum, SUM_OF);
    if (THREAD == 0) STORE(X, a.target, (u32)place_of(r, a.kept, a.kept_to, KEPT), LOG(sum) + base);
  }
}
