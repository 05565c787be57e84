/* dwconv_f32: depthwise convolution of a run of pixels, a vector of channels at a time.

   A depthwise tap uses each input once, so loads decide: a tile of neighbouring outputs reads each input column once
   for all outputs that see it, and the weights stay in registers (nine of 3x3 everywhere, the 25 of 5x5 where there are
   32 registers). For 3x3 at stride 1 four outputs take 18 loads for 36 multiply-adds. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

enum { TILE = 4 };

PN_INLINE vf load(const float *p, vhead head, int whole) { return whole ? vf_load(p) : vf_load_head(p, head); }

PN_INLINE void finish(const pn_cpu_dwconv_f32_run *d, const vf *acc, size_t x, size_t c, vhead head, int whole,
                      int tile) {
  const vf lo = vf_set1(d->lo), hi = vf_set1(d->hi);
  float *out = d->window.out + (ptrdiff_t)x * d->window.out_stride + c;
  PN_UNROLL
  for (int t = 0; t < tile; t++) {
    const vf v = vf_min(hi, vf_max(lo, acc[t]));
    if (whole)
      vf_store(out + t * d->window.out_stride, v);
    else
      vf_store_head(out + t * d->window.out_stride, head, v);
  }
}

/* |tile| outputs from |x| on, kh x kw taps, |stride| in columns; |w| holds the weights. */
PN_INLINE void fixed_tile(const pn_cpu_dwconv_f32_run *d, const vf *w, vf bias, size_t x, size_t c, vhead head,
                          int whole, int kh, int kw, int stride, int tile) {
  vf acc[TILE];
  PN_UNROLL
  for (int t = 0; t < tile; t++) acc[t] = bias;
  PN_UNROLL
  for (int i = 0; i < kh; i++) {
    const float *row = d->window.rows[i] + (ptrdiff_t)x * d->window.pixel_stride + c;
    PN_UNROLL
    for (int column = 0; column < (tile - 1) * stride + kw; column++) {
      const vf v = load(row + column * d->window.column_stride, head, whole);
      PN_UNROLL
      for (int t = 0; t < tile; t++) {
        const int j = column - t * stride;
        if (j >= 0 && j < kw) acc[t] = vf_fma(w[i * kw + j], v, acc[t]);
      }
    }
  }
  finish(d, acc, x, c, head, whole, tile);
}

PN_INLINE void fixed_block(const pn_cpu_dwconv_f32_run *d, size_t c, vhead head, int whole, int kh, int kw,
                           int stride) {
  vf w[25];
  PN_UNROLL
  for (int i = 0; i < kh * kw; i++)
    w[i] = load(d->weights + (i / kw) * d->weight_row_stride + (i % kw) * d->weight_column_stride + c, head, whole);
  const vf bias = d->bias ? load(d->bias + c, head, whole) : vf_zero();
  const size_t width = d->window.width;
  size_t x = 0;
  for (; x + TILE <= width; x += TILE) fixed_tile(d, w, bias, x, c, head, whole, kh, kw, stride, TILE);
  if (x + 2 <= width) {
    fixed_tile(d, w, bias, x, c, head, whole, kh, kw, stride, 2);
    x += 2;
  }
  if (x < width) fixed_tile(d, w, bias, x, c, head, whole, kh, kw, stride, 1);
}

PN_INLINE void any_tile(const pn_cpu_dwconv_f32_run *d, vf bias, size_t x, size_t c, vhead head, int whole, int tile) {
  const ptrdiff_t step = d->window.pixel_stride;
  vf acc[TILE];
  PN_UNROLL
  for (int t = 0; t < tile; t++) acc[t] = bias;
  for (size_t i = 0; i < d->window.row_count; i++) {
    const float *p = d->window.rows[i] + (ptrdiff_t)x * step + c;
    const float *w = d->weights + (ptrdiff_t)i * d->weight_row_stride + c;
    for (size_t j = 0; j < d->window.column_count; j++, p += d->window.column_stride, w += d->weight_column_stride) {
      const vf weight = load(w, head, whole);
      PN_UNROLL
      for (int t = 0; t < tile; t++) acc[t] = vf_fma(weight, load(p + t * step, head, whole), acc[t]);
    }
  }
  finish(d, acc, x, c, head, whole, tile);
}

PN_INLINE void any_block(const pn_cpu_dwconv_f32_run *d, size_t c, vhead head, int whole) {
  const vf bias = d->bias ? load(d->bias + c, head, whole) : vf_zero();
  size_t x = 0;
  for (; x + TILE <= d->window.width; x += TILE) any_tile(d, bias, x, c, head, whole, TILE);
  for (; x < d->window.width; x++) any_tile(d, bias, x, c, head, whole, 1);
}

/* Channels in whole vectors, then the head that is left. */
#define FIXED_RUN(kh, kw, stride)                                                                               \
  static void run_##kh##x##kw##_##stride(const pn_cpu_dwconv_f32_run *d) {                                      \
    size_t c = 0;                                                                                               \
    for (; c + VL <= d->window.channels; c += VL) fixed_block(d, c, vf_head(VL), 1, kh, kw, stride);            \
    if (c < d->window.channels) fixed_block(d, c, vf_head(d->window.channels - c), 0, kh, kw, stride);          \
  }
FIXED_RUN(3, 3, 1)
FIXED_RUN(3, 3, 2)
FIXED_RUN(5, 5, 1)
FIXED_RUN(5, 5, 2)
/* At the upper and lower ends of a picture, and pixels at its left and right ends. */
FIXED_RUN(2, 3, 1)
FIXED_RUN(2, 3, 2)
FIXED_RUN(3, 2, 1)
FIXED_RUN(2, 2, 1)
static void run_any(const pn_cpu_dwconv_f32_run *d) {
  size_t c = 0;
  for (; c + VL <= d->window.channels; c += VL) any_block(d, c, vf_head(VL), 1);
  if (c < d->window.channels) any_block(d, c, vf_head(d->window.channels - c), 0);
}

static void run(const pn_cpu_dwconv_f32_run *d) {
  const size_t rows = d->window.row_count, columns = d->window.column_count;
  const ptrdiff_t pixel = d->window.pixel_stride, column = d->window.column_stride;
  const bool one = d->window.width == 1; /* no stride counts */
  if (rows == 3 && columns == 3 && pixel == column)
    run_3x3_1(d);
  else if (rows == 3 && columns == 3 && pixel == 2 * column)
    run_3x3_2(d);
  else if (rows == 5 && columns == 5 && pixel == column)
    run_5x5_1(d);
  else if (rows == 5 && columns == 5 && pixel == 2 * column)
    run_5x5_2(d);
  else if (rows == 2 && columns == 3 && pixel == column)
    run_2x3_1(d);
  else if (rows == 2 && columns == 3 && pixel == 2 * column)
    run_2x3_2(d);
  else if (rows == 3 && columns == 2 && one)
    run_3x2_1(d);
  else if (rows == 2 && columns == 2 && one)
    run_2x2_1(d);
  else
    run_any(d);
}

static const pn_cpu_dwconv_f32 table = {.run = run};
