/* pool_f32: maximum and average over windows, sums over pixels; a vector of channels at a time, four outputs abreast,
   so that four independent chains hide the latency of each join. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

enum { TILE = 4, BLOCK_PIXELS = 64 };

PN_INLINE vf load(const float *p, vhead head, int whole) { return whole ? vf_load(p) : vf_load_head(p, head); }

PN_INLINE void store(float *p, vhead head, vf v, int whole) {
  if (whole)
    vf_store(p, v);
  else
    vf_store_head(p, head, v);
}

PN_INLINE void tile_of(const pn_cpu_window_f32 *w, size_t x, size_t c, vhead head, int whole, int tile, int average,
                       vf scale) {
  vf acc[TILE];
  PN_UNROLL
  for (int t = 0; t < tile; t++) acc[t] = average ? vf_zero() : vf_set1(-__builtin_inff());
  for (size_t i = 0; i < w->row_count; i++) {
    const float *p = w->rows[i] + (ptrdiff_t)x * w->pixel_stride + c;
    for (size_t j = 0; j < w->column_count; j++, p += w->column_stride) {
      PN_UNROLL
      for (int t = 0; t < tile; t++) {
        const vf v = load(p + t * w->pixel_stride, head, whole);
        acc[t] = average ? vf_add(acc[t], v) : vf_max_nan(acc[t], v);
      }
    }
  }
  float *out = w->out + (ptrdiff_t)x * w->out_stride + c;
  PN_UNROLL
  for (int t = 0; t < tile; t++) store(out + t * w->out_stride, head, average ? vf_mul(acc[t], scale) : acc[t], whole);
}

PN_INLINE void block(const pn_cpu_window_f32 *w, size_t c, vhead head, int whole, int average, vf scale) {
  size_t x = 0;
  for (; x + TILE <= w->width; x += TILE) tile_of(w, x, c, head, whole, TILE, average, scale);
  for (; x < w->width; x++) tile_of(w, x, c, head, whole, 1, average, scale);
}

PN_INLINE void channels(const pn_cpu_window_f32 *w, int average, vf scale) {
  size_t c = 0;
  for (; c + VL <= w->channels; c += VL) block(w, c, vf_head(VL), 1, average, scale);
  if (c < w->channels) block(w, c, vf_head(w->channels - c), 0, average, scale);
}

static void max(const pn_cpu_window_f32 *window) { channels(window, 0, vf_zero()); }
static void average(const pn_cpu_window_f32 *window, float scale) { channels(window, 1, vf_set1(scale)); }

/* |vectors| vectors of channels at once; the last may be a head. Blocks of pixels are summed on their own first. */
PN_INLINE void sum_block(const float *from, ptrdiff_t pixel_stride, size_t pixels, float scale, float *out, int vectors,
                         vhead head, int whole) {
  vf total[TILE];
  PN_UNROLL
  for (int v = 0; v < vectors; v++) total[v] = vf_zero();
  for (size_t p = 0; p < pixels;) {
    const size_t end = pixels - p < BLOCK_PIXELS ? pixels : p + BLOCK_PIXELS;
    vf acc[TILE];
    PN_UNROLL
    for (int v = 0; v < vectors; v++) acc[v] = vf_zero();
    for (; p < end; p++, from += pixel_stride) {
      PN_UNROLL
      for (int v = 0; v < vectors; v++) acc[v] = vf_add(acc[v], load(from + v * VL, head, whole));
    }
    PN_UNROLL
    for (int v = 0; v < vectors; v++) total[v] = vf_add(total[v], acc[v]);
  }
  PN_UNROLL
  for (int v = 0; v < vectors; v++) store(out + v * VL, head, vf_mul(total[v], vf_set1(scale)), whole);
}

static void sum_pixels(const float *from, ptrdiff_t pixel_stride, size_t pixels, size_t channel_count, float scale,
                       float *out) {
  size_t c = 0;
  for (; c + TILE * VL <= channel_count; c += TILE * VL)
    sum_block(from + c, pixel_stride, pixels, scale, out + c, TILE, vf_head(VL), 1);
  for (; c + VL <= channel_count; c += VL) sum_block(from + c, pixel_stride, pixels, scale, out + c, 1, vf_head(VL), 1);
  if (c < channel_count)
    sum_block(from + c, pixel_stride, pixels, scale, out + c, 1, vf_head(channel_count - c), 0);
}

/* ---- rows of one channel ----------------------------------------------------------------------------------------- */

PN_INLINE vf joined(vf acc, vf v, int kind) {
  switch (kind) { /* a constant after inlining */
  case PN_CPU_POOL_MAX: return vf_max_nan(acc, v);
  case PN_CPU_POOL_SUM: return vf_add(acc, v);
  case PN_CPU_POOL_SUM_ABS: return vf_add(acc, vf_abs(v));
  default: return vf_fma(v, v, acc);
  }
}
PN_INLINE vf nothing_of(int kind) { return kind == PN_CPU_POOL_MAX ? vf_set1(-__builtin_inff()) : vf_zero(); }

PN_INLINE void join_vectors(const float *const *rows, size_t count, size_t at, vhead head, int whole, int vectors,
                            int kind, float *out) {
  vf acc[TILE];
  PN_UNROLL
  for (int v = 0; v < vectors; v++) acc[v] = nothing_of(kind);
  for (size_t r = 0; r < count; r++) {
    const float *row = rows[r] + at;
    PN_UNROLL
    for (int v = 0; v < vectors; v++) acc[v] = joined(acc[v], load(row + v * VL, head, whole), kind);
  }
  PN_UNROLL
  for (int v = 0; v < vectors; v++) store(out + at + v * VL, head, acc[v], whole);
}
PN_INLINE void join_rows(const float *const *rows, size_t count, size_t n, int kind, float *out) {
  size_t i = 0;
  for (; i + TILE * VL <= n; i += TILE * VL) join_vectors(rows, count, i, vf_head(VL), 1, TILE, kind, out);
  for (; i + VL <= n; i += VL) join_vectors(rows, count, i, vf_head(VL), 1, 1, kind, out);
  if (i < n) join_vectors(rows, count, i, vf_head(n - i), 0, 1, kind, out);
}
#define JOIN(name, kind)                                                                         \
  static void join_##name(const float *const *rows, size_t count, size_t n, float *out) {        \
    join_rows(rows, count, n, kind, out);                                                        \
  }
JOIN(max, PN_CPU_POOL_MAX)
JOIN(sum, PN_CPU_POOL_SUM)
JOIN(abs, PN_CPU_POOL_SUM_ABS)
JOIN(squares, PN_CPU_POOL_SUM_SQUARES)

/* Every element or every second: |stride| is a constant after inlining. */
PN_INLINE vf load_strided(const float *p, int stride) { return stride == 1 ? vf_load(p) : vf_load_second(p); }

/* A vector of outputs after the other, its taps in registers. */
PN_INLINE void slide_vectors(const float *from, int stride, ptrdiff_t dilation, size_t taps, size_t n, int kind,
                             vf scale, float *out) {
  for (size_t i = 0; i < n; i += VL, from += VL * stride) {
    vf acc = load_strided(from, stride);
    const float *p = from + dilation;
    for (size_t t = 1; t < taps; t++, p += dilation) acc = joined(acc, load_strided(p, stride), kind);
    if (kind == PN_CPU_POOL_SUM) acc = vf_mul(acc, scale);
    if (n - i < VL)
      vf_store_head(out + i, vf_head(n - i), acc);
    else
      vf_store(out + i, acc);
  }
}
static void slide_max(const float *from, ptrdiff_t stride, ptrdiff_t dilation, size_t taps, size_t n, float *out) {
  if (stride == 1) {
    slide_vectors(from, 1, dilation, taps, n, PN_CPU_POOL_MAX, vf_zero(), out);
    return;
  }
  if (stride == 2) {
    slide_vectors(from, 2, dilation, taps, n, PN_CPU_POOL_MAX, vf_zero(), out);
    return;
  }
  for (size_t i = 0; i < n; i++) out[i] = from[(ptrdiff_t)i * stride];
  for (size_t t = 1; t < taps; t++) {
    from += dilation;
    for (size_t i = 0; i < n; i++) {
      const float v = from[(ptrdiff_t)i * stride], best = out[i], greater = v > best ? v : best;
      out[i] = v != v ? v : greater;
    }
  }
}
static void slide_sum(const float *from, ptrdiff_t stride, ptrdiff_t dilation, size_t taps, size_t n, float scale,
                      float *out) {
  if (stride == 1) {
    slide_vectors(from, 1, dilation, taps, n, PN_CPU_POOL_SUM, vf_set1(scale), out);
    return;
  }
  if (stride == 2) {
    slide_vectors(from, 2, dilation, taps, n, PN_CPU_POOL_SUM, vf_set1(scale), out);
    return;
  }
  for (size_t i = 0; i < n; i++) out[i] = from[(ptrdiff_t)i * stride];
  for (size_t t = 1; t < taps; t++) {
    from += dilation;
    for (size_t i = 0; i < n; i++) out[i] += from[(ptrdiff_t)i * stride];
  }
  for (size_t i = 0; i < n; i++) out[i] *= scale;
}

/* ---- the greatest and where it stands */

PN_INLINE vi chosen(vm m, vi a, vi b) { return vi_bits(vf_select(m, vf_from_bits(a), vf_from_bits(b))); }

/* |lanes|: the indices of a vector's outputs, relative to the first. */
PN_INLINE void pick_vector(const pn_cpu_pool_f32_pick *p, int stride, size_t i, vi lanes) {
  const ptrdiff_t start = (ptrdiff_t)i * stride;
  vf best = load_strided(p->rows[0] + start, stride);
  vi at = vi_add(vi_set1(p->row_index[0] + p->column_index * (int32_t)start), lanes);
  for (size_t r = 0; r < p->row_count; r++) {
    ptrdiff_t x = start;
    for (size_t t = 0; t < p->taps; t++, x += p->dilation) {
      const vf v = load_strided(p->rows[r] + x, stride);
      const vi index = vi_add(vi_set1(p->row_index[r] + p->column_index * (int32_t)x), lanes);
      const vm not_above = vf_le(v, best), settled = vf_ne(best, best); /* NaN is not below anything: it wins once */
      at = chosen(settled, at, chosen(not_above, at, index));
      best = vf_select(settled, best, vf_select(not_above, best, v));
    }
  }
  vf_store(p->out + i, best);
  vi_store(p->at + i, at);
}
/* The last vector begins where it ends with the row. */
PN_INLINE void pick_vectors(const pn_cpu_pool_f32_pick *p, int stride) {
  int32_t steps[VL];
  for (int i = 0; i < VL; i++) steps[i] = i * stride * p->column_index;
  const vi lanes = vi_load(steps);
  for (size_t i = 0; i < p->n; i += VL) pick_vector(p, stride, p->n - i < VL ? p->n - VL : i, lanes);
}
static void pick(const pn_cpu_pool_f32_pick *p) {
  if (p->n >= VL && p->stride == 1) {
    pick_vectors(p, 1);
    return;
  }
  if (p->n >= VL && p->stride == 2) {
    pick_vectors(p, 2);
    return;
  }
  for (size_t i = 0; i < p->n; i++) {
    const ptrdiff_t start = (ptrdiff_t)i * p->stride;
    float best = p->rows[0][start];
    int32_t at = p->row_index[0] + p->column_index * (int32_t)start;
    for (size_t r = 0; r < p->row_count; r++) {
      ptrdiff_t x = start;
      for (size_t t = 0; t < p->taps; t++, x += p->dilation) {
        const float v = p->rows[r][x];
        if (v <= best || best != best) continue;
        best = v;
        at = p->row_index[r] + p->column_index * (int32_t)x;
      }
    }
    p->out[i] = best;
    p->at[i] = at;
  }
}

static const pn_cpu_pool_f32 table = {
    .max = max,
    .average = average,
    .sum_pixels = sum_pixels,
    .join = {join_max, join_sum, join_abs, join_squares},
    .slide_max = slide_max,
    .slide_sum = slide_sum,
    .pick = pick,
};
