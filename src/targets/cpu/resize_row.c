#include "targets/cpu/resize_row.h"

pn_cpu_resize_row pn_cpu_resize_row_make(const pn_cpu_sample_f32 *sample, int64_t output, int64_t input, int64_t taps,
                                         const int64_t *index, const float *weight, void *memory) {
  int64_t lanes = sample->lanes, pitch = (int64_t)pn_cpu_resize_row_pitch(output), window = 2 * lanes;
  int32_t *base = memory, *to_index = base + pitch;
  float *to_weight = (float *)(void *)(to_index + pitch * taps);
  for (int64_t block = 0; block * lanes < pitch; block++) {
    int64_t least = INT64_MAX, most = 0, end = pn_min_i64((block + 1) * lanes, output);
    for (int64_t i = block * lanes * taps; i < end * taps; i++) {
      least = pn_min_i64(least, index[i]);
      most = pn_max_i64(most, index[i]);
    }
    least = pn_max_i64(0, pn_min_i64(least, input - window));
    base[block] = most - least < window ? (int32_t)least : -1;
    for (int64_t i = block * lanes; i < (block + 1) * lanes; i++)
      for (int64_t t = 0; t < taps; t++) {
        bool valid = i < output;
        int64_t at = valid ? index[i * taps + t] - pn_max_i64(base[block], 0) : 0;
        to_index[t * pitch + i] = (int32_t)at;
        to_weight[t * pitch + i] = valid && weight ? weight[i * taps + t] : 0;
      }
  }
  return (pn_cpu_resize_row){.n = (size_t)output,
                             .taps = (size_t)taps,
                             .pitch = (size_t)pitch,
                             .extent = (size_t)input,
                             .base = base,
                             .index = to_index,
                             .weight = to_weight};
}
