/* Tables for sample_f32's resize_row, from which elements make each result of a row. */
#ifndef PN_TARGETS_CPU_RESIZE_ROW_H
#define PN_TARGETS_CPU_RESIZE_ROW_H

#include "base/bytes.h"
#include "targets/cpu/kernels.h"

PN_INLINE size_t pn_cpu_resize_row_pitch(int64_t output) { return pn_align_up((size_t)output, PN_CPU_SAMPLE_LANES); }
PN_INLINE size_t pn_cpu_resize_row_bytes(int64_t output, int64_t taps) {
  return pn_align_up(pn_cpu_resize_row_pitch(output) * (1 + 2 * (size_t)taps) * sizeof(float), 64);
}

/* A row of |output| results out of |input| elements: result i is the sum over t < |taps| of weight[i * taps + t] times
   element index[i * taps + t]; |weight| may be null where it is not read. Writes pn_cpu_resize_row_bytes to |memory|, which the row refers to. */
pn_cpu_resize_row pn_cpu_resize_row_make(const pn_cpu_sample_f32 *sample, int64_t output, int64_t input, int64_t taps,
                                         const int64_t *index, const float *weight, void *memory);

#endif
