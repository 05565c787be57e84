/* peak_bf16: vdpbf16ps on registers. */
#include "targets/cpu/simd/avx512.h"
#include "targets/cpu/kernels.h"

enum { PEAK_SUMS = 12 };

static void dot(size_t rounds, float *out) {
  vf sum[PEAK_SUMS], total = vf_zero();
  const __m512bh x = (__m512bh)vi_bits(vf_set1(out[0])), y = (__m512bh)vi_bits(vf_set1(out[1]));
  PN_UNROLL
  for (int i = 0; i < PEAK_SUMS; i++) sum[i] = vf_set1((float)i);
  for (size_t r = 0; r < rounds; r++) {
    PN_UNROLL
    for (int i = 0; i < PEAK_SUMS; i++) sum[i] = _mm512_dpbf16_ps(sum[i], x, y);
  }
  PN_UNROLL
  for (int i = 0; i < PEAK_SUMS; i++) total = vf_add(total, sum[i]);
  out[2] = vf_sum_lanes(total);
}

static const pn_cpu_peak_bf16 table = {.dot = {2.0 * PEAK_SUMS * 2 * VL, dot}};

const pn_cpu_kernels pn_cpu_kernels_peak_bf16_bf16 = {
    .name = "peak_bf16.bf16", .isa = PN_ISA_AVX512_BF16, .peak_bf16 = &table};
