/* Writing at indices, the same whatever the order of threads: each slot of the result keeps a chain of the updates that
   meet on it. Without a reduction the last update counts, which a maximum finds; with one the chain is sorted, and the
   updates apply in their order, as the definition has it. Sorting is one thread's work a slot, so that many thousands
   of updates on one element are slow.

   HEADS has a number a slot, NEXT one an update; -1: none. INNER elements lie in a slot and in an update. */
#define HEADS ((int *)a.workspace)
#define NEXT  ((int *)a.workspace + SLOTS)
#define EACH(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)

KERNEL(scatter_begin, struct each_arguments) {
  EACH(i) HEADS[i] = -1;
}

#if SCATTER_ELEMENTS || SCATTER_ND
/* |value| within [0, extent), or from its end; -1 and the fault else. */
DEVICE int index_within(i64 value, int extent, int *fault, int step) {
  i64 at = value < 0 ? value + extent : value;
  if (at >= 0 && at < extent) return (int)at;
  tell_fault(fault, step, FAULT_INDEX, value, extent);
  return -1;
}
#endif

DEVICE int slot_of(const struct each_arguments *whole, u32 u) {
#define a (*whole)
#if SCATTER_ELEMENTS
  u32 rest = u;
  int to = 0, at = index_within((i64)LOAD(INDICES_TYPE, INDICES, u), EXTENT, a.fault, a.step);
  for (int d = RANK - 1; d >= 0; d--) {
    u32 outer = d ? divide(rest, DIMS(d)) : 0;
    to += (int)(rest - outer * DIMS(d).divisor) * STRIDES(d);
    rest = outer;
  }
  return at < 0 ? -1 : to + at * STRIDE;
#elif SCATTER_ND
  int to = 0;
  for (int k = 0; k < TUPLE; k++) {
    int at = index_within((i64)LOAD(INDICES_TYPE, INDICES, u * TUPLE + (u32)k), EXTENTS(k), a.fault, a.step);
    if (at < 0) return -1;
    to += at * STRIDES(k);
  }
  return to;
#else /* max_unpool: places of the pooled tensor */
  i64 index = (i64)LOAD(INDICES_TYPE, INDICES, u);
  int inside = index >= 0 && index < POOLED_ELEMENTS, to = 0, stride = 1;
  u32 rest = inside ? (u32)index : 0;
  for (int d = RANK - 1; d >= 0; d--) {
    u32 outer = divide(rest, POOLED(d));
    int at = (int)(rest - outer * POOLED(d).divisor);
    inside = inside && at < EXTENTS(d);
    to += at * stride;
    stride *= EXTENTS(d);
    rest = outer;
  }
  if (inside) return to;
  TELL(FAULT_INDEX, index, POOLED_ELEMENTS);
  return -1;
#endif
#undef a
}

KERNEL(scatter_link, struct each_arguments) {
  EACH(u) {
    int slot = slot_of(&a, u);
    if (slot < 0) continue;
    if (REDUCES)
      NEXT[u] = atomic_exchange(&HEADS[slot], (int)u);
    else
      atomic_max(&HEADS[slot], (int)u);
  }
}

/* Runs of 1, 2, 4, ... updates of a chain merged, until there is one. */
DEVICE int sorted(int *next, int head) {
  for (int width = 1;; width *= 2) {
    int left = head, tail = -1, merges = 0;
    head = -1;
    while (left >= 0) {
      int right = left, left_count = 0, right_count = width;
      merges++;
      while (left_count < width && right >= 0) {
        left_count++;
        right = next[right];
      }
      while (left_count > 0 || (right_count > 0 && right >= 0)) {
        int taken, from_right = left_count == 0 || (right_count > 0 && right >= 0 && right < left);
        if (from_right) {
          taken = right;
          right = next[right];
          right_count--;
        } else {
          taken = left;
          left = next[left];
          left_count--;
        }
        if (tail < 0)
          head = taken;
        else
          next[tail] = taken;
        tail = taken;
      }
      left = right;
    }
    if (tail >= 0) next[tail] = -1;
    if (merges <= 1) return head;
  }
}

KERNEL(scatter_sort, struct each_arguments) {
  EACH(i) if (HEADS[i] >= 0) HEADS[i] = sorted(NEXT, HEADS[i]);
}

KERNEL(scatter_write, struct each_arguments) {
  EACH(i) {
    u32 slot = divide(i, INNER), inner = i - slot * INNER.divisor;
    int u = HEADS[slot];
#if REDUCES
    Y_FORM value = LOAD(Y_TYPE, X, i);
    STORE(Y_TYPE, Y, i, value);
    for (; u >= 0; u = NEXT[u]) {
      Y_FORM update = LOAD(Y_TYPE, UPDATES, (u32)u * INNER.divisor + inner);
      STORE(Y_TYPE, Y, i, REDUCE(value, update));
      value = LOAD(Y_TYPE, Y, i); /* each sum rounds */
    }
#else
    ((Y_WORD *)Y)[i] = u >= 0 ? ((const Y_WORD *)UPDATES)[(u32)u * INNER.divisor + inner]
                     : WITH_X ? ((const Y_WORD *)X)[i]
                              : 0;
#endif
  }
}
