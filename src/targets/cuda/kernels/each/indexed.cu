/* Elements that move by indices of the device: gather_elements, gather_nd, tensor_scatter, reverse_sequence, and
   slices and pads whose bounds are computed. An index out of range sets the fault. */
#define EACH_ELEMENT(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)

#if GATHERS
/* |value| within [0, extent), or from its end; -1 and the fault else. */
DEVICE int index_within(i64 value, int extent, int *fault, int step) {
  i64 at = value < 0 ? value + extent : value;
  if (at >= 0 && at < extent) return (int)at;
  tell_fault(fault, step, FAULT_INDEX, value, extent);
  return -1;
}
#endif

#if GATHER_ELEMENTS
KERNEL(gather_elements, struct each_arguments) {
  EACH_ELEMENT(i) {
    u32 rest = i;
    int from = 0, at = index_within((i64)LOAD(INDICES_TYPE, INDICES, i), EXTENT, a.fault, a.step);
    for (int d = RANK - 1; d >= 0; d--) {
      u32 outer = d ? divide(rest, DIMS(d)) : 0;
      from += (int)(rest - outer * DIMS(d).divisor) * STRIDES(d);
      rest = outer;
    }
    ((X_WORD *)Y)[i] = at < 0 ? 0 : ((const X_WORD *)X)[from + at * STRIDE];
  }
}
#elif GATHER_ND
KERNEL(gather_nd, struct each_arguments) {
  EACH_ELEMENT(i) {
    u32 row = divide(i, INNER), inner = i - row * INNER.divisor, batch = divide(row, TUPLES);
    int from = (int)batch * BATCH + (int)inner, known = 1;
    for (int k = 0; k < TUPLE; k++) {
      int at = index_within((i64)LOAD(INDICES_TYPE, INDICES, row * TUPLE + (u32)k), EXTENTS(k), a.fault, a.step);
      known = known && at >= 0;
      from += at * STRIDES(k);
    }
    ((X_WORD *)Y)[i] = known ? ((const X_WORD *)X)[from] : 0;
  }
}
#elif TENSOR_SCATTER
/* An element of the result is the update's where it was written to, else the cache's. */
KERNEL(tensor_scatter, struct each_arguments) {
  EACH_ELEMENT(i) {
    u32 row = divide(i, INNER), inner = i - row * INNER.divisor, line = divide(row, CACHED);
    int place = (int)(row - line * CACHED.divisor), cached = (int)CACHED.divisor;
    i64 first = WITH_WRITE ? (i64)LOAD(WRITE_TYPE, WRITE, divide(line, MIDDLE)) : 0;
    if (CIRCULAR) {
      first %= cached;
      if (first < 0) first += cached;
    } else if (first < 0 || first > cached - LENGTH) {
      TELL(FAULT_INDEX, first, cached - LENGTH + 1);
      first = 0;
    }
    int at = place - (int)first;
    if (at < 0) at += cached;
    ((X_WORD *)Y)[i] = at < LENGTH ? ((const X_WORD *)UPDATE)[(line * (u32)LENGTH + (u32)at) * INNER.divisor + inner]
                                   : ((const X_WORD *)X)[i];
  }
}
#elif REVERSE_SEQUENCE
KERNEL(reverse_sequence, struct each_arguments) {
  EACH_ELEMENT(i) {
    u32 time_row = divide(i, TIME_INNER), batch_row = divide(i, BATCH_INNER);
    int t = (int)(time_row - divide(time_row, TIME) * TIME.divisor);
    i64 length = (i64)LOAD(LENGTHS_TYPE, LENGTHS, batch_row - divide(batch_row, BATCH) * BATCH.divisor);
    if (length < 0 || length > (i64)TIME.divisor) {
      TELL(FAULT_LENGTH, length, TIME.divisor);
      length = 0;
    }
    int from = (int)i + (t < length ? ((int)length - 1 - 2 * t) * (int)TIME_INNER.divisor : 0);
    ((X_WORD *)Y)[i] = ((const X_WORD *)X)[from];
  }
}
#elif SLICE
/* |at| counted from the end where it is below 0, and clamped to [low, high]: before adding, which could overflow. */
DEVICE i64 position(i64 at, i64 extent, i64 low, i64 high) {
  if (at < 0) at = (at < -extent - 1 ? -extent - 1 : at) + extent;
  return at < low ? low : at > high ? high : at;
}

/* The results' extents are known: what the bounds say must agree with them. */
KERNEL(slice, struct each_arguments) {
  i64 first[RANK], step[RANK];
  for (int d = 0; d < RANK; d++) {
    first[d] = 0;
    step[d] = 1;
  }
  for (int k = 0; k < LISTED; k++) {
    i64 axis = WITH_AXES ? (i64)LOAD(AXES_TYPE, AXES, (u32)k) : k;
    i64 by = WITH_STEPS ? (i64)LOAD(STEPS_TYPE, STEPS, (u32)k) : 1;
    if (axis < 0) axis += RANK;
    if (axis < 0 || axis >= RANK || by == 0) {
      TELL(by == 0 ? FAULT_OPERAND : FAULT_AXIS, GIVEN(axis, RANK), RANK);
      return;
    }
    i64 extent = EXTENTS(axis), low = by > 0 ? 0 : -1, high = by > 0 ? extent : extent - 1;
    first[axis] = position((i64)LOAD(STARTS_TYPE, STARTS, (u32)k), extent, low, high);
    step[axis] = by;
    i64 last = position((i64)LOAD(ENDS_TYPE, ENDS, (u32)k), extent, low, high);
    u64 stride = by > 0 ? (u64)by : (u64)0 - (u64)by, span = 0;
    if (by > 0 ? last > first[axis] : first[axis] > last)
      span = (u64)(by > 0 ? last - first[axis] : first[axis] - last);
    if (span / stride + (span % stride != 0) != DIMS(axis).divisor) {
      TELL(FAULT_OPERAND, 0, 0);
      return;
    }
  }
  EACH_ELEMENT(i) {
    u32 rest = i;
    i64 from = 0;
    int inside = 1;
    for (int d = RANK - 1; d >= 0; d--) {
      u32 outer = d ? divide(rest, DIMS(d)) : 0;
      i64 place = (i64)(rest - outer * DIMS(d).divisor), at = place ? first[d] + place * step[d] : first[d];
      inside = inside && at >= 0 && at < EXTENTS(d);
      from += at * STRIDES(d);
      rest = outer;
    }
    if (!inside) TELL(FAULT_OPERAND, 0, 0);
    ((X_WORD *)Y)[i] = inside ? ((const X_WORD *)X)[from] : 0;
  }
}
#elif PAD
KERNEL(pad, struct each_arguments) {
  i64 before[RANK], after[RANK];
  for (int d = 0; d < RANK; d++) before[d] = after[d] = 0;
  for (int k = 0; k < LISTED; k++) {
    i64 axis = WITH_AXES ? (i64)LOAD(AXES_TYPE, AXES, (u32)k) : k;
    if (axis < 0) axis += RANK;
    if (axis < 0 || axis >= RANK) {
      TELL(FAULT_AXIS, GIVEN(axis, RANK), RANK);
      return;
    }
    before[axis] = (i64)LOAD(PADS_TYPE, PADS, (u32)k);
    after[axis] = (i64)LOAD(PADS_TYPE, PADS, (u32)(k + LISTED));
  }
  for (int d = 0; d < RANK; d++) {
    i64 size = (i64)DIMS(d).divisor, cut = (before[d] < 0 ? before[d] : 0) + (after[d] < 0 ? after[d] : 0);
    i64 kept = EXTENTS(d) + cut;
    if (EXTENTS(d) + before[d] + after[d] != size || (MODE != 0 && kept < 1 && size > 0)) {
      TELL(FAULT_OPERAND, 0, 0);
      return;
    }
  }
  EACH_ELEMENT(i) {
    u32 rest = i;
    i64 from = 0;
    int outside = 0;
    for (int d = RANK - 1; d >= 0; d--) {
      u32 outer = d ? divide(rest, DIMS(d)) : 0;
      i64 skipped = before[d] < 0 ? -before[d] : 0, kept = EXTENTS(d) - skipped + (after[d] < 0 ? after[d] : 0);
      i64 at = (i64)(rest - outer * DIMS(d).divisor) - (before[d] > 0 ? before[d] : 0);
      rest = outer;
      if (at < 0 || at >= kept) {
        if (MODE == 0) {
          outside = 1;
          continue;
        }
        if (MODE == 1) { /* reflect */
          i64 period = kept > 1 ? 2 * (kept - 1) : 1;
          at = (at % period + period) % period;
          at = at < kept ? at : period - at;
        } else if (MODE == 2) {
          at = at < 0 ? 0 : kept - 1;
        } else {
          at = (at % kept + kept) % kept;
        }
      }
      from += (at + skipped) * STRIDES(d);
    }
    ((X_WORD *)Y)[i] = !outside ? ((const X_WORD *)X)[from] : WITH_VALUE ? ((const X_WORD *)VALUE)[0] : 0;
  }
}
#endif
