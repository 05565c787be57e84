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

/* Windows that slide along a row of one channel, a tap after the other; |stride| is a constant after inlining, so that
   compilers make vectors of every second or third element. */
PN_INLINE void slide_max_by(const float *from, ptrdiff_t stride, ptrdiff_t dilation, size_t taps, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = from[(ptrdiff_t)i * stride];
  for (size_t t = 1; t < taps; t++) {
    from += dilation;
    for (size_t i = 0; i < n; i++) {
      const float v = from[(ptrdiff_t)i * stride], best = out[i], greater = v > best ? v : best;
      out[i] = v != v ? v : greater;
    }
  }
}
PN_INLINE void slide_sum_by(const float *from, ptrdiff_t stride, ptrdiff_t dilation, size_t taps, size_t n, float scale,
                            float *out) {
  for (size_t i = 0; i < n; i++) out[i] = from[(ptrdiff_t)i * stride];
  for (size_t t = 1; t < taps; t++) {
    from += dilation;
    for (size_t i = 0; i < n; i++) out[i] += from[(ptrdiff_t)i * stride];
  }
  for (size_t i = 0; i < n; i++) out[i] *= scale;
}
static void slide_max(const float *from, ptrdiff_t stride, ptrdiff_t dilation, size_t taps, size_t n, float *out) {
  switch (stride) {
  case 1: slide_max_by(from, 1, dilation, taps, n, out); return;
  case 2: slide_max_by(from, 2, dilation, taps, n, out); return;
  default: slide_max_by(from, stride, dilation, taps, n, out); return;
  }
}
static void slide_sum(const float *from, ptrdiff_t stride, ptrdiff_t dilation, size_t taps, size_t n, float scale,
                      float *out) {
  switch (stride) {
  case 1: slide_sum_by(from, 1, dilation, taps, n, scale, out); return;
  case 2: slide_sum_by(from, 2, dilation, taps, n, scale, out); return;
  default: slide_sum_by(from, stride, dilation, taps, n, scale, out); return;
  }
}

static const pn_cpu_pool_f32 table = {.max = max, .average = average, .sum_pixels = sum_pixels, .slide_max = slide_max, .slide_sum = slide_sum};
