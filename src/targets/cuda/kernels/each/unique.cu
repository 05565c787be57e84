/* unique. Slices [:, i, :] of x are sorted by what is in them, equal ones by i: a bitonic sort of their indices, tiles
   of TILE at a time in shared memory while what is exchanged lies in one. Where a slice differs from the one before, a
   group begins; counting these numbers the groups, in pieces as select.cu counts. Groups that are to be numbered by
   their first slice are numbered again so, by counting first slices in the order of x.

   The workspace: ORDER, indices by place, ROOM of them (a power of two; -1 comes last); by slice GROUP, its group, and
   RANK_OF, of first slices the number among them; by group FIRST, its first slice, and BEGIN, its place, with one more
   behind the last; a number a piece. */
#define TILE    512
#define PIECE   4096
#define ORDER   ((int *)a.workspace)
#define GROUP   (ORDER + ROOM)
#define RANK_OF (GROUP + EXTENT)
#define FIRST   (RANK_OF + EXTENT)
#define BEGIN   (FIRST + EXTENT)
#define STARTS  ((u32 *)(BEGIN + EXTENT + 1))
#define EACH(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)

/* -1, 0 or 1 as slice |i| is less than, equal to or greater than slice |k|. NaN is above all, one like another. */
DEVICE int slice_order(const void *x, u32 outer, u32 extent, u32 inner, u32 i, u32 k) {
  for (u32 o = 0; o < outer; o++)
    for (u32 n = 0; n < inner; n++) {
      X_FORM v = LOAD(X_TYPE, x, (o * extent + i) * inner + n), w = LOAD(X_TYPE, x, (o * extent + k) * inner + n);
      int order = v != v || w != w ? (v != v) - (w != w) : (v > w) - (v < w);
      if (order) return order;
    }
  return 0;
}
#define SLICES X, (u32)OUTER, (u32)EXTENT, (u32)INNER

#if SORTS
DEVICE int comes_before(const void *x, u32 outer, u32 extent, u32 inner, int i, int k) {
  if (i < 0 || k < 0) return i >= 0;
  int order = slice_order(x, outer, extent, inner, (u32)i, (u32)k);
  return order < 0 || (order == 0 && i < k);
}

KERNEL(unique_begin, struct each_arguments) {
  EACH(i) ORDER[i] = i < (u32)EXTENT ? (int)i : -1;
}

/* Runs of RUN, ... LAST_RUN places, as far as exchanges are within a tile. */
KERNEL(unique_tiles, struct each_arguments) {
  SHARED int own[TILE];
  for (u32 tile = BLOCK_X; tile < a.count; tile += BLOCKS_X) {
    u32 size = (u32)ROOM < TILE ? (u32)ROOM : TILE;
    for (u32 i = THREAD; i < size; i += THREADS) own[i] = ORDER[tile * TILE + i];
    BARRIER();
    for (u32 run = (u32)RUN; run <= (u32)LAST_RUN; run <<= 1)
      for (u32 step = run / 2 < size / 2 ? run / 2 : size / 2; step > 0; step >>= 1) {
        for (u32 t = THREAD; t < size / 2; t += THREADS) {
          u32 low = 2 * t - (t & (step - 1)), high = low + step;
          int x = own[low], y = own[high], rising = ((tile * TILE + low) & run) == 0;
          if (comes_before(SLICES, rising ? y : x, rising ? x : y)) {
            own[low] = y;
            own[high] = x;
          }
        }
        BARRIER();
      }
    for (u32 i = THREAD; i < size; i += THREADS) ORDER[tile * TILE + i] = own[i];
    BARRIER();
  }
}

/* One exchange over STEP places of runs of RUN. */
KERNEL(unique_pass, struct each_arguments) {
  EACH(t) {
    u32 low = 2 * t - (t & ((u32)STEP - 1)), high = low + (u32)STEP;
    int x = ORDER[low], y = ORDER[high], rising = (low & (u32)RUN) == 0;
    if (comes_before(SLICES, rising ? y : x, rising ? x : y)) {
      ORDER[low] = y;
      ORDER[high] = x;
    }
  }
}
#elif NUMBERS
/* Whether something begins at |i|: a group at the place |i|, or, BY_FIRST, one whose first slice is |i|. */
DEVICE u32 begins(const struct each_arguments *whole, u32 i) {
#define a (*whole)
#if BY_FIRST
  return FIRST[GROUP[i]] == (int)i;
#else
  return i == 0 || slice_order(SLICES, (u32)ORDER[i - 1], (u32)ORDER[i]) != 0;
#endif
#undef a
}

KERNEL(unique_count, struct each_arguments) {
  for (u32 piece = BLOCK_X; piece < a.count; piece += BLOCKS_X) {
    u32 first = piece * PIECE, end = (u32)EXTENT - first < PIECE ? (u32)EXTENT : first + PIECE, found = 0;
    for (u32 i = first + THREAD; i < end; i += THREADS) found += begins(&a, i);
    BLOCK_REDUCE(u32, found, SUM_OF);
    if (THREAD == 0) STARTS[piece] = found;
  }
}

/* One block. */
KERNEL(unique_add, struct each_arguments) {
  u32 so_far = 0;
  for (u32 first = 0; first < (u32)PIECES; first += THREADS) {
    u32 piece = first + THREAD, found = piece < (u32)PIECES ? STARTS[piece] : 0, before, all;
    BLOCK_SCAN(found, before, all);
    if (piece < (u32)PIECES) STARTS[piece] = so_far + before;
    so_far += all;
  }
  if (THREAD != 0) return;
  *a.found = so_far;
  BEGIN[so_far] = EXTENT;
}

KERNEL(unique_number, struct each_arguments) {
  for (u32 piece = BLOCK_X; piece < a.count; piece += BLOCKS_X) {
    u32 first = piece * PIECE, end = (u32)EXTENT - first < PIECE ? (u32)EXTENT : first + PIECE, at = STARTS[piece];
    for (; first < end; first += THREADS) {
      u32 i = first + THREAD, here = i < end ? begins(&a, i) : 0, before, all;
      BLOCK_SCAN(here, before, all);
#if BY_FIRST
      if (here) RANK_OF[i] = (int)(at + before);
#else
      u32 group = at + before + here - 1; /* the first place begins one */
      if (i < end) GROUP[ORDER[i]] = (int)group;
      if (here) FIRST[group] = ORDER[i];
      if (here) BEGIN[group] = (int)i;
#endif
      at += all;
    }
  }
}
#elif WRITES
/* The result's number of group |g|. */
#define NUMBER(g) (SORTED ? (u32)(g) : (u32)RANK_OF[FIRST[g]])

KERNEL(unique_lists, struct each_arguments) {
  EACH(i) {
    if (WITH_INVERSE) ((i64 *)INVERSE)[i] = (i64)NUMBER(GROUP[i]);
    if ((i64)i >= *a.found) continue;
    if (WITH_INDICES) ((i64 *)INDICES)[NUMBER(i)] = (i64)FIRST[i];
    if (WITH_COUNTS) ((i64 *)COUNTS)[NUMBER(i)] = (i64)(BEGIN[i + 1] - BEGIN[i]);
  }
}

/* A group and a row of |outer| a piece of work, of those that there are. */
KERNEL(unique_copy, struct each_arguments) {
  u32 groups = (u32)*a.found, inner = (u32)INNER, all = (u32)OUTER * groups * inner;
  for (u32 i = BLOCK_X * THREADS + THREAD; i < all; i += BLOCKS_X * THREADS) {
    u32 row = i / inner, outer = row / groups, group = row - outer * groups;
    u32 to = (outer * groups + NUMBER(group)) * inner + (i - row * inner);
    u32 from = (outer * (u32)EXTENT + (u32)FIRST[group]) * inner + (i - row * inner);
    ((X_WORD *)Y)[to] = ((const X_WORD *)X)[from];
  }
}
#endif
