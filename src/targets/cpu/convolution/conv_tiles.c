#include "targets/cpu/convolution/conv_tiles.h"

#include "targets/cpu/convolution/conv.h"

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

uint32_t pn_conv_tile_configs(const pn_cpu_gemm_f32 *gemm, uint32_t best, pn_config *out, uint32_t max) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < gemm->width_count && count < max; i++) {
    uint32_t which = i == 0 ? best : i <= best ? i - 1 : i;
    out[count++] = (pn_config){{(int32_t)gemm->widths[which].nr}};
  }
  return count;
}

const pn_cpu_gemm_f32_width *pn_conv_tile_chosen(const pn_cpu_gemm_f32 *gemm, const pn_config *config, uint32_t best) {
  for (uint32_t i = 0; i < gemm->width_count; i++)
    if ((int32_t)gemm->widths[i].nr == config->value[0]) return &gemm->widths[i];
  return &gemm->widths[best];
}

double pn_conv_tile_slowness(const pn_cpu_gemm_f32 *gemm, const pn_cpu_gemm_f32_width *width, uint32_t best,
                             const double *costs) {
  for (uint32_t i = 0; i < gemm->width_count; i++)
    if (gemm->widths[i].nr == width->nr) return costs[i] / costs[best];
  return 1;
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

void pn_conv_pack_groups(const pn_problem *p, const pn_epilogue *epilogue, const pn_conv_depth *depth, int64_t groups,
                         int64_t nr, float *to) {
  const pn_operand *filter = pn_problem_input(p, 0, 1);
  const float *w = filter->data;
  int64_t outputs = filter->dims[0] / groups, columns = pn_div_up(outputs, nr) * nr;
  for (int64_t g = 0; g < groups; g++)
    to = pn_conv_pack(depth, w + g * outputs * depth->channels * depth->filter_size, outputs, nr, to);
  for (int64_t g = 0; g < groups; g++)
    for (int64_t j = 0; j < columns; j++)
      *to++ = j < outputs ? pn_cpu_conv_bias(p, epilogue, g * outputs + j) : 0;
  for (int64_t g = 0; epilogue->bends && epilogue->native && g < groups; g++)
    for (int64_t j = 0; j < columns; j++)
      *to++ = j < outputs ? pn_epilogue_slope(p, epilogue, g * outputs + j, filter->dims[0]) : 0;
}
