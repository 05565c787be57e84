/* The index of the greatest (BETTER(x, y): x is better than y) along one axis. A block for each result. */
KERNEL(arg_reduce, struct reduce_arguments) {
  for (u32 r = BLOCK_X; r < a.count; r += BLOCKS_X) {
    u32 rest = r;
    int from = 0, to = 0;
    for (int d = KEPT - 1; d >= 0; d--) {
      u32 outer = d ? divide(rest, a.kept[d]) : 0;
      int at = (int)(rest - outer * a.kept[d].divisor);
      from += at * a.kept_from[d];
      to += at * a.kept_to[d];
      rest = outer;
    }
    SHARED F values[256];
    SHARED u32 places[256];
    u32 place = a.length;
    F best = 0;
    for (u32 i = THREAD; i < a.length; i += THREADS) {
      F x = LOAD(X, a.source, (u32)(from + (int)i * a.reduced_from[0]));
      if (place == a.length || BETTER(x, best) || (a.keep_last && !BETTER(best, x))) {
        best = x;
        place = i;
      }
    }
    values[THREAD] = best;
    places[THREAD] = place;
    BARRIER();
    for (u32 half = THREADS / 2; half > 0; half >>= 1) {
      if (THREAD < half && places[THREAD + half] < a.length) {
        F other = values[THREAD + half], mine = values[THREAD];
        u32 there = places[THREAD + half], here = places[THREAD];
        int tie = !BETTER(other, mine) && !BETTER(mine, other);
        if (here == a.length || BETTER(other, mine) || (tie && (a.keep_last ? there > here : there < here))) {
          values[THREAD] = other;
          places[THREAD] = there;
        }
      }
      BARRIER();
    }
    if (THREAD == 0) ((i64 *)a.target)[to] = (i64)places[0];
    BARRIER();
  }
}
