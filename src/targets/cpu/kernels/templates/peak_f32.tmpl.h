/* peak_f32: as many accumulators as hide the latency of a multiply-add, and loads with little else to do. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

enum { PEAK_SUMS = 12, READ_SUMS = 8 };

static void multiply_add(size_t rounds, float *out) {
  vf sum[PEAK_SUMS], total = vf_zero();
  const vf x = vf_set1(out[0]), y = vf_set1(out[1]);
  PN_UNROLL
  for (int i = 0; i < PEAK_SUMS; i++) sum[i] = vf_set1((float)i);
  for (size_t r = 0; r < rounds; r++) {
    PN_UNROLL
    for (int i = 0; i < PEAK_SUMS; i++) sum[i] = vf_fma(x, y, sum[i]);
  }
  PN_UNROLL
  for (int i = 0; i < PEAK_SUMS; i++) total = vf_add(total, sum[i]);
  out[2] = vf_sum_lanes(total);
}

static float read(const float *x, size_t n) {
  vf sum[READ_SUMS], total = vf_zero();
  PN_UNROLL
  for (int i = 0; i < READ_SUMS; i++) sum[i] = vf_zero();
  for (size_t k = 0; k < n; k += READ_SUMS * VL) {
    PN_UNROLL
    for (int i = 0; i < READ_SUMS; i++) sum[i] = vf_add(sum[i], vf_load(x + k + (size_t)i * VL));
  }
  PN_UNROLL
  for (int i = 0; i < READ_SUMS; i++) total = vf_add(total, sum[i]);
  return vf_sum_lanes(total);
}

static const pn_cpu_peak_f32 table = {.fma = {2.0 * PEAK_SUMS * VL, multiply_add}, .read = read};
