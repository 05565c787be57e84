/* non_max_suppression, a batch element and class (a pair) a block. Candidates are sorted by falling score, equal ones
   by index; then the first is kept, all that it overlaps go, the first of the others is kept, and so on. Arithmetic is
   the definition's, in f64.

   The workspace has, of every pair, ROOM places for its candidates (a power of two), MOST for the boxes that are kept,
   and their number, which becomes the row of the result where they begin. */
#define ORDER(pair) ((int *)a.workspace + (u32)ROOM * (pair))
#define KEPT(pair)  ((int *)a.workspace + (u32)ROOM * (u32)PAIRS + (u32)MOST * (pair))
#define ROWS        ((u32 *)a.workspace + ((u32)ROOM + (u32)MOST) * (u32)PAIRS)

#if SORTS
/* Whether candidate |i| comes before |k|, of scores from |first| on; none (-1) comes last. */
DEVICE int comes_before(const void *scores, u32 first, int i, int k) {
  if (i < 0 || k < 0) return i >= 0;
  SCORES_FORM x = LOAD(SCORES_TYPE, scores, first + (u32)i), y = LOAD(SCORES_TYPE, scores, first + (u32)k);
  return x > y || (x == y && i < k);
}

/* Bitonic: what threads exchange between two barriers does not meet. */
KERNEL(nms_sort, struct each_arguments) {
  for (u32 pair = BLOCK_X; pair < a.count; pair += BLOCKS_X) {
    u32 first = pair * (u32)BOXES;
    int *order = ORDER(pair);
    for (u32 i = THREAD; i < (u32)ROOM; i += THREADS) {
      int passes = i < (u32)BOXES;
      if (passes) {
        SCORES_FORM score = LOAD(SCORES_TYPE, SCORES, first + i);
        passes = SCORED ? (f64)score > (f64)LOAD(LEAST_SCORE_TYPE, LEAST_SCORE, 0) : score == score;
      }
      order[i] = passes ? (int)i : -1;
    }
    BARRIER();
    for (u32 run = 2; run <= (u32)ROOM; run <<= 1)
      for (u32 step = run >> 1; step > 0; step >>= 1) {
        for (u32 t = THREAD; t < (u32)ROOM / 2; t += THREADS) {
          u32 low = 2 * t - (t & (step - 1)), high = low + step;
          int x = order[low], y = order[high], rising = (low & run) == 0;
          if (comes_before(SCORES, first, rising ? y : x, rising ? x : y)) {
            order[low] = y;
            order[high] = x;
          }
        }
        BARRIER();
      }
  }
}
#elif KEEPS
struct box {
  f64 low[2], high[2], area;
};

DEVICE struct box box_of(const void *boxes, u32 index) {
  f64 v[4];
  struct box b;
  for (u32 i = 0; i < 4; i++) v[i] = (f64)LOAD(X_TYPE, boxes, 4 * index + i);
#if CENTER
  b.low[0] = v[1] - v[3] / 2, b.high[0] = v[1] + v[3] / 2;
  b.low[1] = v[0] - v[2] / 2, b.high[1] = v[0] + v[2] / 2;
#else
  int y_up = v[0] <= v[2], x_up = v[1] <= v[3];
  b.low[0] = y_up ? v[0] : v[2], b.high[0] = y_up ? v[2] : v[0];
  b.low[1] = x_up ? v[1] : v[3], b.high[1] = x_up ? v[3] : v[1];
#endif
  b.area = (b.high[0] - b.low[0]) * (b.high[1] - b.low[1]);
  return b;
}

DEVICE int overlap(const struct box *x, const struct box *y, f64 threshold) {
  f64 both = 1;
  for (int i = 0; i < 2; i++) {
    f64 low = x->low[i] > y->low[i] ? x->low[i] : y->low[i], high = x->high[i] < y->high[i] ? x->high[i] : y->high[i];
    if (!(high > low)) return 0;
    both *= high - low;
  }
  f64 all = x->area + y->area - both;
  if (x->area <= 0 || y->area <= 0 || all <= 0) return 0;
  return both / all > threshold;
}

KERNEL(nms_keep, struct each_arguments) {
  f64 threshold = OVERLAPS ? (f64)LOAD(LEAST_OVERLAP_TYPE, LEAST_OVERLAP, 0) : 0;
  i64 wanted = LIMITED ? (i64)LOAD(MOST_OF_CLASS_TYPE, MOST_OF_CLASS, 0) : 0;
  u32 most = wanted < 0 ? 0 : wanted < MOST ? (u32)wanted : (u32)MOST;
  for (u32 pair = BLOCK_X; pair < a.count; pair += BLOCKS_X) {
    u32 batch = pair / (u32)CLASSES, kept = 0;
    int *order = ORDER(pair);
    for (u32 i = 0; i < (u32)BOXES && kept < most; i++) {
      int own = order[i]; /* -1: overlaps one that is kept, or there are no more */
      if (own < 0) continue;
      struct box b = box_of(X, batch * (u32)BOXES + (u32)own);
      if (THREAD == 0) KEPT(pair)[kept] = own;
      kept++;
      for (u32 k = i + 1 + THREAD; k < (u32)BOXES; k += THREADS) {
        int other = order[k];
        if (other < 0) continue;
        struct box candidate = box_of(X, batch * (u32)BOXES + (u32)other);
        if (overlap(&candidate, &b, threshold)) order[k] = -1;
      }
      BARRIER();
    }
    if (THREAD == 0) ROWS[pair] = kept;
  }
}
#elif ADDS
/* One block. */
KERNEL(nms_add, struct each_arguments) {
  u32 so_far = 0;
  for (u32 first = 0; first < (u32)PAIRS; first += THREADS) {
    u32 pair = first + THREAD, kept = pair < (u32)PAIRS ? ROWS[pair] : 0, before, all;
    BLOCK_SCAN(kept, before, all);
    if (pair < (u32)PAIRS) ROWS[pair] = so_far + before;
    so_far += all;
  }
  if (THREAD == 0) *a.found = so_far;
}
#elif WRITES
KERNEL(nms_write, struct each_arguments) {
  for (u32 pair = BLOCK_X; pair < a.count; pair += BLOCKS_X) {
    u32 from = ROWS[pair], to = pair + 1 < (u32)PAIRS ? ROWS[pair + 1] : (u32)*a.found;
    for (u32 i = THREAD; i < to - from; i += THREADS) {
      i64 *row = (i64 *)Y + 3 * (from + i);
      row[0] = (i64)(pair / (u32)CLASSES);
      row[1] = (i64)(pair % (u32)CLASSES);
      row[2] = (i64)KEPT(pair)[i];
    }
  }
}
#endif
