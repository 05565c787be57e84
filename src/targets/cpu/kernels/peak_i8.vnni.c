/* peak_i8: vpdpbusd on registers. */
#include "targets/cpu/simd/avx512.h"
#include "targets/cpu/kernels.h"

enum { PEAK_SUMS = 12 };

static void dot(size_t rounds, float *out) {
  vi sum[PEAK_SUMS], total = vi_set1(0);
  const vi x = vi_bits(vf_set1(out[0])), y = vi_bits(vf_set1(out[1]));
  PN_UNROLL
  for (int i = 0; i < PEAK_SUMS; i++) sum[i] = vi_set1(i);
  for (size_t r = 0; r < rounds; r++) {
    PN_UNROLL
    for (int i = 0; i < PEAK_SUMS; i++) sum[i] = _mm512_dpbusd_epi32(sum[i], x, y);
  }
  PN_UNROLL
  for (int i = 0; i < PEAK_SUMS; i++) total = vi_add(total, sum[i]);
  out[2] = vf_sum_lanes(vf_from_vi(total));
}

static const pn_cpu_peak_i8 table = {.dot = {2.0 * PEAK_SUMS * 4 * VL, dot}};

const pn_cpu_kernels pn_cpu_kernels_peak_i8_vnni = {
    .name = "peak_i8.vnni", .isa = PN_ISA_AVX512_VNNI, .peak_i8 = &table};
