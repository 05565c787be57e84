/* Pictures read at computed places, a result a thread: grid_sample, affine_grid, deform_conv, roi_align, max_roi_pool;
   and col2im, which sums the blocks that reach a place. */
#include "sample.cuh"
#define EACH(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)

#if GRID_SAMPLE
/* |x| thrown back at |low| and |high| until it lies between them. */
DEVICE f64 reflect(f64 x, f64 low, f64 high) {
  f64 range = high - low, beyond = x < low ? low - x : x - high;
  if (x >= low && x <= high) return x;
  if (!(range > 0) || beyond - beyond != 0) return low;
  f64 rest = fmod(beyond, 2 * range);
  int back = rest >= range;
  if (back) rest -= range;
  return (x < low) != back ? low + rest : high - rest;
}

DEVICE f64 edge(int extent, int upper) {
  return upper ? (f64)extent - (ALIGN_CORNERS ? 1 : 0.5) : ALIGN_CORNERS ? 0 : -0.5;
}

DEVICE int pad_place(int at, int extent) {
  if (extent == 0) return -1;
  if (at >= 0 && at < extent) return at;
  if (PADDING == 0) return -1;
  if (PADDING == 2) at = (int)reflect((f64)at, edge(extent, 0), edge(extent, 1));
  return at < 0 ? 0 : at >= extent ? extent - 1 : at;
}

DEVICE struct sample_axis read_axis(f64 x, int extent) {
  struct sample_axis axis = {{extent > 0 ? 0 : -1, -1, -1, -1}, {x, x, x, x}};
  if (x != x) return axis;
  if (TAPS == 1) x = rint(x);
  if (PADDING == 2) x = reflect(x, edge(extent, 0), edge(extent, 1));
  int first = sample_floor(&x, extent);
  f64 t = x - (f64)first;
#if TAPS == 4
  const f64 b = -0.75;
  f64 u = 1 - t;
  axis.weight[0] = ((b * (t + 1) - 5 * b) * (t + 1) + 8 * b) * (t + 1) - 4 * b;
  axis.weight[1] = ((b + 2) * t - (b + 3)) * t * t + 1;
  axis.weight[2] = ((b + 2) * u - (b + 3)) * u * u + 1;
  axis.weight[3] = ((b * (u + 1) - 5 * b) * (u + 1) + 8 * b) * (u + 1) - 4 * b;
  first--;
#elif TAPS == 2
  axis.weight[0] = 1 - t;
  axis.weight[1] = t;
#else
  axis.weight[0] = 1;
#endif
  for (int i = 0; i < TAPS; i++) axis.at[i] = pad_place(first + i, extent);
  return axis;
}

/* The place in elements, in the grid's precision: single but for f64. */
DEVICE f64 denormalise(G n, int extent) {
  return (f64)(ALIGN_CORNERS ? (n + 1) / 2 * (G)(extent - 1) : ((n + 1) * (G)extent - 1) / 2);
}

KERNEL(grid_sample, struct each_arguments) {
  EACH(i) {
    struct sample_axis axis[AXES];
    int extents[AXES];
    u32 line = divide(i, PLACES), place = i - line * PLACES.divisor, n = divide(line, CHANNELS);
    for (int d = 0; d < AXES; d++) {
      u32 from = (n * PLACES.divisor + place) * AXES + (u32)(AXES - 1 - d);
      extents[d] = EXTENTS(d);
      axis[d] = read_axis(denormalise((G)LOAD(GRID_TYPE, GRID, from), extents[d]), extents[d]);
    }
    STORE(Y_TYPE, Y, i, (Y_FORM)sample_read(axis, AXES, TAPS, extents, X, line * (u32)PLANE));
  }
}
#elif AFFINE_GRID
KERNEL(affine_grid, struct each_arguments) {
  EACH(i) {
    u32 rest = i / AXES, row = i - rest * AXES;
    f64 point[AXES], sum;
    for (int d = AXES - 1; d >= 0; d--) {
      u32 outer = divide(rest, EXTENTS(d));
      int extent = (int)EXTENTS(d).divisor, at = (int)(rest - outer * EXTENTS(d).divisor);
      point[d] = !ALIGN_CORNERS ? (f64)(2 * at + 1) / extent - 1 : extent == 1 ? 0 : (f64)(2 * at) / (extent - 1) - 1;
      rest = outer;
    }
    u32 first = (rest * AXES + row) * (AXES + 1);
    sum = (f64)LOAD(X_TYPE, X, first + AXES);
    for (u32 k = 0; k < AXES; k++) /* the last axis first */
      sum += (f64)LOAD(X_TYPE, X, first + k) * point[AXES - 1 - k];
    STORE(Y_TYPE, Y, i, (Y_FORM)sum);
  }
}
#elif DEFORM_CONV
KERNEL(deform_conv, struct each_arguments) {
  EACH(i) {
    int extents[AXES], at[AXES];
    u32 line = divide(i, PLACES), place = i - line * PLACES.divisor, n = divide(line, CHANNELS);
    u32 m = line - n * CHANNELS.divisor, group = m / (u32)MEMBERS, rest = place;
    u32 first_channel = group * (u32)IN_CHANNELS;
    f64 sum = WITH_BIAS ? (f64)LOAD(BIAS_TYPE, BIAS, m) : 0;
    for (int d = AXES - 1; d >= 0; d--) {
      u32 outer = divide(rest, OUTPUT(d));
      extents[d] = EXTENTS(d);
      at[d] = (int)(rest - outer * OUTPUT(d).divisor) * STRIDE(d) - PAD(d);
      rest = outer;
    }
    for (u32 tap = 0; tap < (u32)TAPS_COUNT; tap++) {
      struct sample_axis axis[AXES];
      u32 known = 0xffffffff; /* the offset group that |axis| is of */
      f64 factor = 1;
      for (u32 c = 0; c < (u32)IN_CHANNELS; c++) {
        u32 channel = first_channel + c, offset_group = channel / (u32)OFFSET_MEMBERS;
        if (offset_group != known) {
          u32 reads = (n * (u32)OFFSET_GROUPS + offset_group) * (u32)TAPS_COUNT + tap;
          known = offset_group;
          rest = tap;
          if (WITH_MASK) factor = (f64)LOAD(MASK_TYPE, MASK, reads * PLACES.divisor + place);
          for (int d = AXES - 1; d >= 0; d--) {
            u32 outer = divide(rest, KERNEL_EXTENT(d));
            f64 x = (f64)(at[d] + (int)(rest - outer * KERNEL_EXTENT(d).divisor) * DILATION(d)) +
                    (f64)LOAD(OFFSET_TYPE, OFFSET, (reads * AXES + (u32)d) * PLACES.divisor + place);
            rest = outer;
            axis[d].at[0] = extents[d] > 0 ? 0 : -1;
            axis[d].at[1] = -1;
            axis[d].weight[0] = axis[d].weight[1] = x;
            if (x != x) continue;
            int low = sample_floor(&x, extents[d]);
            axis[d].weight[1] = x - (f64)low;
            axis[d].weight[0] = 1 - axis[d].weight[1];
            axis[d].at[0] = low < 0 || low >= extents[d] ? -1 : low;
            axis[d].at[1] = low + 1 < 0 || low + 1 >= extents[d] ? -1 : low + 1;
          }
        }
        f64 read = sample_read(axis, AXES, 2, extents, X, (n * (u32)IN_ALL + channel) * (u32)PLANE);
        sum += factor * read * (f64)LOAD(W_TYPE, W, (m * (u32)IN_CHANNELS + c) * (u32)TAPS_COUNT + tap);
      }
    }
    STORE(Y_TYPE, Y, i, (Y_FORM)sum);
  }
}
#elif ROI_ALIGN
struct region {
  f64 start, cell;
  int samples, extent;
};

/* One axis of a region; false when its coordinates are broken. */
DEVICE int place_region(f64 low, f64 high, int cells, int extent, int sampling, struct region *out) {
  f64 start = low - (HALF_PIXEL ? 0.5 : 0), length = high - (HALF_PIXEL ? 0.5 : 0) - start;
  if (!HALF_PIXEL) length = fmax(length, 1.0);
  f64 cell = length / cells, samples = sampling > 0 ? sampling : ceil(cell);
  if (!(fabs(start) <= 1e15) || !(samples <= 1048576)) return 0;
  out->start = start;
  out->cell = cell;
  out->samples = samples > 0 ? (int)samples : 0;
  out->extent = extent;
  return 1;
}

/* The two places around a sample, the second's weight; false when it lies outside. */
DEVICE int place_sample(struct region r, int cell, int sample, int *at, f64 *upper) {
  f64 x = r.start + (f64)cell * r.cell + ((f64)sample + 0.5) * r.cell / (f64)r.samples;
  if (x < -1 || x > (f64)r.extent || r.extent == 0) return 0;
  x = fmax(x, 0.0);
  at[0] = x >= (f64)r.extent ? r.extent - 1 : (int)x;
  at[1] = at[0] + 1 < r.extent ? at[0] + 1 : r.extent - 1;
  *upper = at[0] == at[1] ? 0 : x - (f64)at[0];
  return 1;
}

KERNEL(roi_align, struct each_arguments) {
  EACH(i) {
    u32 rest = divide(i, WIDTH), line = divide(rest, HEIGHT), roi = divide(line, CHANNELS);
    int column = (int)(i - rest * WIDTH.divisor), row = (int)(rest - line * HEIGHT.divisor);
    i64 batch = (i64)LOAD(BATCHES_TYPE, BATCHES, roi);
    struct region rows, columns;
    f64 corner[4], sum = 0, greatest = -INFINITE;
    for (u32 k = 0; k < 4; k++) corner[k] = (f64)LOAD(ROIS_TYPE, ROIS, roi * 4 + k) * SPATIAL_SCALE;
    if (batch < 0) batch += BATCH;
    if (batch < 0 || batch >= BATCH ||
        !place_region(corner[0], corner[2], (int)WIDTH.divisor, IN_WIDTH, SAMPLING, &columns) ||
        !place_region(corner[1], corner[3], (int)HEIGHT.divisor, IN_HEIGHT, SAMPLING, &rows)) {
      TELL(batch < 0 || batch >= BATCH ? FAULT_INDEX : FAULT_OPERAND, GIVEN(batch, BATCH), BATCH);
      continue;
    }
    u32 first = ((u32)batch * CHANNELS.divisor + (line - roi * CHANNELS.divisor)) * (u32)(IN_HEIGHT * IN_WIDTH);
    for (int k = 0; k < rows.samples; k++)
      for (int l = 0; l < columns.samples; l++) {
        int y[2], x[2];
        f64 b, r, v[4] = {0, 0, 0, 0};
        if (place_sample(rows, row, k, y, &b) && place_sample(columns, column, l, x, &r))
          for (int t = 0; t < 4; t++)
            v[t] = (t / 2 ? b : 1 - b) * (t % 2 ? r : 1 - r) *
                   (f64)LOAD(X_TYPE, X, first + (u32)(y[t / 2] * IN_WIDTH + x[t % 2]));
        for (int t = 0; t < 4; t++) {
          sum += v[t];
          if (v[t] > greatest || v[t] != v[t]) greatest = v[t];
        }
      }
    f64 count = (f64)rows.samples * columns.samples;
    STORE(Y_TYPE, Y, i, (Y_FORM)(count == 0 ? 0 : MAXIMUM ? greatest : sum / count));
  }
}
#elif MAX_ROI_POOL
/* Elements [range[0], range[1]) that a cell touches; false when the region's coordinates are broken. */
DEVICE int touch(f64 low, f64 high, int cell, int cells, int extent, int *range) {
  low = round(low);
  high = round(high);
  if (!(fabs(low) <= 1048576) || !(fabs(high) <= 1048576)) return 0;
  i64 first = (i64)low, count = (i64)(high - low) + 1;
  if (count < 1) count = 1;
  i64 begin = first + cell * count / cells, end = first + ((cell + 1) * count + cells - 1) / cells;
  range[0] = begin < 0 ? 0 : begin > extent ? extent : (int)begin;
  range[1] = end < 0 ? 0 : end > extent ? extent : (int)end;
  return 1;
}

KERNEL(max_roi_pool, struct each_arguments) {
  EACH(i) {
    u32 rest = divide(i, WIDTH), line = divide(rest, HEIGHT), roi = divide(line, CHANNELS);
    int column = (int)(i - rest * WIDTH.divisor), row = (int)(rest - line * HEIGHT.divisor), y[2], x[2];
    f64 number[5];
    for (u32 k = 0; k < 5; k++) number[k] = (f64)LOAD(ROIS_TYPE, ROIS, roi * 5 + k) * (k ? SPATIAL_SCALE : 1);
    f64 whole = trunc(number[0]) < 0 ? trunc(number[0]) + BATCH : trunc(number[0]);
    if (number[0] != number[0]) whole = 0;
    if (!(whole >= 0 && whole < BATCH) || !touch(number[1], number[3], column, (int)WIDTH.divisor, IN_WIDTH, x) ||
        !touch(number[2], number[4], row, (int)HEIGHT.divisor, IN_HEIGHT, y)) {
      TELL(FAULT_OPERAND, 0, 0);
      continue;
    }
    u32 first = ((u32)whole * CHANNELS.divisor + (line - roi * CHANNELS.divisor)) * (u32)(IN_HEIGHT * IN_WIDTH);
    Y_FORM greatest = y[0] < y[1] && x[0] < x[1] ? -INFINITE : 0;
    for (int k = y[0]; k < y[1]; k++)
      for (int l = x[0]; l < x[1]; l++) {
        Y_FORM v = LOAD(X_TYPE, X, first + (u32)(k * IN_WIDTH + l));
        if (v > greatest || v != v) greatest = v;
      }
    STORE(Y_TYPE, Y, i, greatest);
  }
}
#elif COL2IM
KERNEL(col2im, struct each_arguments) {
  EACH(i) {
    int place[AXES];
    u32 rest = i;
    S sum = 0;
    for (int d = AXES - 1; d >= 0; d--) {
      u32 outer = divide(rest, IMAGE(d));
      place[d] = (int)(rest - outer * IMAGE(d).divisor) + PAD(d);
      rest = outer;
    }
    u32 first = rest * (u32)TAPS_COUNT * (u32)WINDOWS; /* of the plane */
    for (u32 tap = 0; tap < (u32)TAPS_COUNT; tap++) {
      u32 window = 0, step = 1;
      int inside = 1;
      rest = tap;
      for (int d = AXES - 1; d >= 0; d--) {
        u32 outer = divide(rest, KERNEL_EXTENT(d));
        int far = place[d] - (int)(rest - outer * KERNEL_EXTENT(d).divisor) * DILATION(d), at = far / STRIDE(d);
        inside = inside && far >= 0 && at * STRIDE(d) == far && at < OUTPUT(d);
        window += (u32)at * step;
        step *= (u32)OUTPUT(d);
        rest = outer;
      }
      if (inside) sum += (S)LOAD(X_TYPE, X, first + tap * (u32)WINDOWS + window);
    }
    STORE(Y_TYPE, Y, i, (Y_FORM)sum);
  }
}
#endif
