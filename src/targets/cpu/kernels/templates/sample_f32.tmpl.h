/* sample_f32: elements that tables pick and weigh. Which elements is the same for many planes, or many rows: the tables
   are made once, and what is left for each is to fetch and to multiply. Where a row's neighbours are picked they come
   out of two vectors by a permutation, at a cycle or two for a vector; a gather takes about one for each element. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

PN_INLINE void store_some(float *y, size_t left, vf v) {
  if (left >= VL)
    vf_store(y, v);
  else
    vf_store_head(y, vf_head(left), v);
}
PN_INLINE vf load_some(const float *x, size_t left) { return left >= VL ? vf_load(x) : vf_load_head(x, vf_head(left)); }

/* ---- shares from anywhere in a plane --------------------------------------------------------------------------------- */

PN_INLINE vf share(const pn_cpu_sample_table *table, const float *x, size_t tap, size_t i) {
  const size_t at = tap * table->pitch + i;
  return vf_mul(vf_load(table->weight + at), vf_gather(x, vi_load(table->index + at)));
}

PN_INLINE vf sum_of(const pn_cpu_sample_table *table, const float *x, size_t i, vf start) {
  for (size_t t = 0; t < table->taps; t++) {
    const size_t at = t * table->pitch + i;
    start = vf_fma(vf_load(table->weight + at), vf_gather(x, vi_load(table->index + at)), start);
  }
  return start;
}
static void sum(const pn_cpu_sample_table *table, const float *x, int add, float *y) {
  for (size_t i = 0; i < table->n; i += VL)
    store_some(y + i, table->n - i, sum_of(table, x, i, add ? load_some(y + i, table->n - i) : vf_zero()));
}

static void greatest(const pn_cpu_sample_table *table, const float *x, int add, float *y) {
  for (size_t i = 0; i < table->n; i += VL) {
    vf most = add ? load_some(y + i, table->n - i) : vf_set1(-__builtin_inff());
    for (size_t t = 0; t < table->taps; t++) most = vf_max_nan(most, share(table, x, t, i));
    store_some(y + i, table->n - i, most);
  }
}

/* ---- places to shares ------------------------------------------------------------------------------------------------ */

/* The one or two places of an axis, in elements of the plane, and their weights. */
typedef struct both_sides {
  vf offset[2], weight[2];
} both_sides;

PN_INLINE both_sides sides_of(const pn_cpu_sample_axis *axis, size_t i, int border, int nearest) {
  const vf absent = vf_set1(-1e9f), last = vf_set1(axis->extent - 1.0f), one = vf_set1(1.0f);
  both_sides sides;
  vf x = vf_load(axis->at + i);
  x = nearest ? vf_round(x) : x;
  x = vf_max(vf_set1(-3.0f), vf_min(vf_set1(axis->extent + 2.0f), x)); /* close by, where all is outside as well */
  const vm number = vf_eq(x, x);
  const vf low = vf_select(number, vf_floor(x), vf_zero()), upper = vf_sub(x, low);
  sides.weight[0] = nearest ? vf_select(number, one, x) : vf_sub(one, upper);
  sides.weight[1] = upper;
  PN_UNROLL
  for (int t = 0; t < 2; t++) {
    const vf place = t ? vf_add(low, one) : low;
    const vf held = vf_max(vf_zero(), vf_min(last, place)), offset = vf_mul(held, vf_set1(axis->stride));
    sides.offset[t] = border ? offset : vf_select(vf_eq(held, place), offset, absent);
  }
  return sides;
}

static void place(size_t n, size_t axes, const pn_cpu_sample_axis *axis, int border, int nearest, size_t pitch,
                  int32_t *index, float *weight) {
  const size_t taps = nearest ? 1 : (size_t)1 << axes;
  for (size_t i = 0; i < n; i += VL) {
    both_sides sides[PN_CPU_SAMPLE_AXES];
    for (size_t k = 0; k < axes; k++) sides[k] = sides_of(&axis[k], i, border, nearest);
    for (size_t t = 0; t < taps; t++) {
      vf offset = vf_zero(), product = vf_set1(1.0f);
      for (size_t k = 0; k < axes; k++) {
        const size_t side = t >> (axes - 1 - k) & 1;
        offset = vf_add(offset, sides[k].offset[side]);
        product = vf_mul(product, sides[k].weight[side]);
      }
      const vm outside = vf_lt(offset, vf_zero());
      offset = vf_max(vf_set1(-1.0f), offset);
      if (n - i < VL) offset = vf_keep_head(vf_head(n - i), offset, vf_set1(-1.0f));
      vi_store(index + t * pitch + i, vi_round(offset));
      vf_store(weight + t * pitch + i, vf_select(outside, vf_zero(), product));
    }
  }
  for (size_t i = (n + VL - 1) / VL * VL; i % PN_CPU_SAMPLE_LANES; i += VL)
    for (size_t t = 0; t < taps; t++) {
      vi_store(index + t * pitch + i, vi_set1(-1));
      vf_store(weight + t * pitch + i, vf_zero());
    }
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* Results |i| to |i| + VL out of |low| and |high|. */
PN_INLINE vf weighed(const pn_cpu_resize_row *row, size_t i, size_t taps, vf low, vf high) {
  vf sum_ = vf_mul(vf_load(row->weight + i), vf_pick(low, high, vi_load(row->index + i)));
  for (size_t t = 1; t < taps; t++) {
    const size_t at = t * row->pitch + i;
    sum_ = vf_fma(vf_load(row->weight + at), vf_pick(low, high, vi_load(row->index + at)), sum_);
  }
  return sum_;
}
PN_INLINE vf weighed_gathered(const pn_cpu_resize_row *row, size_t i, size_t taps, const float *x) {
  vf sum_ = vf_zero();
  for (size_t t = 0; t < taps; t++) {
    const size_t at = t * row->pitch + i;
    sum_ = vf_fma(vf_load(row->weight + at), vf_gather(x, vi_load(row->index + at)), sum_);
  }
  return sum_;
}

/* |taps| may be a constant. */
PN_INLINE void resize_row_of(const pn_cpu_resize_row *row, size_t taps, const float *x, float *y) {
  if (row->extent <= 2 * VL) {
    const vf low = load_some(x, row->extent);
    const vf high = row->extent > VL ? load_some(x + VL, row->extent - VL) : vf_zero();
    for (size_t i = 0; i < row->n; i += VL) store_some(y + i, row->n - i, weighed(row, i, taps, low, high));
    return;
  }
  for (size_t i = 0; i < row->n; i += VL) {
    const int32_t base = row->base[i / VL];
    store_some(y + i, row->n - i,
               base < 0 ? weighed_gathered(row, i, taps, x)
                        : weighed(row, i, taps, vf_load(x + base), vf_load(x + base + VL)));
  }
}
static void resize_row(const pn_cpu_resize_row *row, const float *x, float *y) {
  switch (row->taps) {
  case 1: resize_row_of(row, 1, x, y); return;
  case 2: resize_row_of(row, 2, x, y); return;
  case 4: resize_row_of(row, 4, x, y); return;
  default: resize_row_of(row, row->taps, x, y); return;
  }
}

static void greatest_row(const pn_cpu_resize_row *row, const float *x, float *y) {
  const int narrow = row->extent <= 2 * VL;
  vf low = narrow ? load_some(x, row->extent) : vf_zero(), high = vf_zero();
  if (narrow && row->extent > VL) high = load_some(x + VL, row->extent - VL);
  for (size_t i = 0; i < row->n; i += VL) {
    const int32_t base = narrow ? 0 : row->base[i / VL];
    vf most = vf_set1(-__builtin_inff());
    if (!narrow && base >= 0) {
      low = vf_load(x + base);
      high = vf_load(x + base + VL);
    }
    for (size_t t = 0; t < row->taps; t++) {
      const vi index = vi_load(row->index + t * row->pitch + i);
      most = vf_max_nan(most, base < 0 ? vf_gather(x, index) : vf_pick(low, high, index));
    }
    store_some(y + i, row->n - i, most);
  }
}

/* The same vector in |repeat| rows. */
PN_INLINE void store_repeated(float *y, size_t n, size_t i, size_t repeat, vf v) {
  store_some(y + i, n - i, v);
  if (repeat > 1) store_some(y + n + i, n - i, v);
  for (size_t k = 2; k < repeat; k++) store_some(y + k * n + i, n - i, v);
}

static void nearest_rows(const pn_cpu_resize_row *row, const float *x, size_t repeat, float *y) {
  if (row->extent <= 2 * VL) {
    const vf low = load_some(x, row->extent);
    const vf high = row->extent > VL ? load_some(x + VL, row->extent - VL) : vf_zero();
    for (size_t i = 0; i < row->n; i += VL)
      store_repeated(y, row->n, i, repeat, vf_pick(low, high, vi_load(row->index + i)));
    return;
  }
  for (size_t i = 0; i < row->n; i += VL) {
    const int32_t base = row->base[i / VL];
    const vi index = vi_load(row->index + i);
    store_repeated(y, row->n, i, repeat,
                   base < 0 ? vf_gather(x, index) : vf_pick(vf_load(x + base), vf_load(x + base + VL), index));
  }
}
static void resize_nearest(const pn_cpu_resize_row *row, const float *x, const int64_t *from, size_t count, float *y) {
  for (size_t k = 0; k < count;) {
    size_t repeat = 1;
    while (k + repeat < count && from[k + repeat] == from[k]) repeat++;
    nearest_rows(row, x + (size_t)from[k] * row->extent, repeat, y + k * row->n);
    k += repeat;
  }
}

static void add_pattern(size_t n, const float *x, size_t period, const float *pattern, float *y) {
  size_t at = 0;
  for (size_t i = 0; i < n; i += VL, at = at + VL >= period * VL ? 0 : at + VL)
    store_some(y + i, n - i, vf_add(load_some(x + i, n - i), vf_load(pattern + at)));
}

static const pn_cpu_sample_f32 table = {.lanes = VL,
                                        .sum = sum,
                                        .greatest = greatest,
                                        .place = place,
                                        .resize_row = resize_row,
                                        .greatest_row = greatest_row,
                                        .resize_nearest = resize_nearest,
                                        .add_pattern = add_pattern};
