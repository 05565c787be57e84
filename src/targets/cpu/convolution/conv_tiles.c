#include "targets/cpu/convolution/conv_tiles.h"

uint32_t pn_conv_tile_width(const pn_cpu_gemm_f32 *gemm, int64_t pixels, int64_t outputs, double *costs) {
  uint32_t best = 0;
  for (uint32_t i = 0; i < gemm->width_count; i++) {
    const pn_cpu_gemm_f32_width *w = &gemm->widths[i];
    double mr = (double)pixels / (double)pn_div_up(pixels, w->mr_max), vectors = w->nr / (double)gemm->widths[0].nr;
    double columns = (double)(pn_div_up(outputs, w->nr) * w->nr);
    double loads = (vectors + mr) / (vectors * mr); /* a multiply-add */
    costs[i] = columns * (1 + 0.7 * loads) * (vectors * mr < 8 ? 8 / (vectors * mr) : 1);
    if (costs[i] < costs[best]) best = i;
  }
  return best;
}

pn_conv_depth pn_conv_depth_make(const pn_window *y, const pn_window *x, int64_t channels, bool merged) {
  return (pn_conv_depth){.merged = merged,
                         .taps = merged ? y->kernel : y->kernel * x->kernel,
                         .k = merged ? x->kernel * channels : channels,
                         .channels = channels,
                         .filter_columns = x->kernel,
                         .filter_size = y->kernel * x->kernel};
}

float *pn_conv_pack(const pn_conv_depth *d, const float *w, int64_t outputs, int64_t nr, float *to) {
  int64_t pitch = d->channels * d->filter_size, columns = d->merged ? d->filter_columns : 1;
  for (int64_t first = 0; first < outputs; first += nr) {
    int64_t rows = pn_min_i64(nr, outputs - first);
    for (int64_t i = 0; i < d->taps * columns; i++) { /* the filter's elements in order, merged or not */
      const float *from = w + first * pitch + i;
      for (int64_t c = 0; c < d->channels; c++, from += d->filter_size, to += nr) {
        for (int64_t j = 0; j < rows; j++) to[j] = from[j * pitch];
        for (int64_t j = rows; j < nr; j++) to[j] = 0;
      }
    }
  }
  return to;
}
