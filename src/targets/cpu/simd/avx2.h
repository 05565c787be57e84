/* The vector vocabulary on AVX2 with FMA: 8 lanes, masks as full lanes. simd/generic.h documents each word. */
#ifndef PN_TARGETS_CPU_SIMD_AVX2_H
#define PN_TARGETS_CPU_SIMD_AVX2_H

#include "base/compiler.h"

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

enum { VL = 8, VREGS = 16 };
#define SIMD_SUFFIX avx2
#define SIMD_ISA PN_ISA_AVX2
typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;
typedef __m256i vhead;

PN_INLINE vhead vf_head(size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
PN_INLINE vf vf_set1(float x) { return _mm256_set1_ps(x); }
PN_INLINE vf vf_zero(void) { return _mm256_setzero_ps(); }
PN_INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
PN_INLINE void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
PN_INLINE vf vf_load_head(const float *p, vhead h) { return _mm256_maskload_ps(p, h); }
PN_INLINE void vf_store_head(float *p, vhead h, vf v) { _mm256_maskstore_ps(p, h, v); }
PN_INLINE vf vf_keep_head(vhead h, vf v, vf rest) { return _mm256_blendv_ps(rest, v, _mm256_castsi256_ps(h)); }

PN_INLINE vf vf_load_second(const float *p) { /* the second load's odd lanes, so that nothing behind the last is read */
  const __m256d mixed = _mm256_castps_pd(_mm256_shuffle_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(p + VL - 1), 0xD8));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(mixed, 0xD8));
}

PN_INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
PN_INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
PN_INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
PN_INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
PN_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
PN_INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
PN_INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
PN_INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
PN_INLINE vf vf_min_nan(vf a, vf b) { return _mm256_blendv_ps(vf_min(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
PN_INLINE vf vf_max_nan(vf a, vf b) { return _mm256_blendv_ps(vf_max(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
PN_INLINE vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
PN_INLINE vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
PN_INLINE vf vf_neg(vf a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
PN_INLINE vf vf_copysign(vf a, vf sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_andnot_ps(bit, a), _mm256_and_ps(bit, sign));
}
PN_INLINE vf vf_floor(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
PN_INLINE vf vf_ceil(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
PN_INLINE vf vf_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
PN_INLINE vf vf_trunc(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }

PN_INLINE vm vf_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
PN_INLINE vm vf_le(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
PN_INLINE vm vf_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
PN_INLINE vm vf_ne(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
PN_INLINE vf vf_select(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }

PN_INLINE vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
PN_INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
PN_INLINE vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
PN_INLINE vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
PN_INLINE vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
PN_INLINE vi vi_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
PN_INLINE void vi_store(void *p, vi a) { _mm256_storeu_si256((__m256i *)p, a); }
PN_INLINE vi vi_madd16(vi a, vi b) { return _mm256_madd_epi16(a, b); }
#define VI_SHL(a, bits) _mm256_slli_epi32(a, bits)
#define VI_SAR(a, bits) _mm256_srai_epi32(a, bits)
PN_INLINE vi vi_bits(vf a) { return _mm256_castps_si256(a); }
PN_INLINE vf vf_from_bits(vi a) { return _mm256_castsi256_ps(a); }
PN_INLINE vi vi_round(vf a) { return _mm256_cvtps_epi32(a); }
PN_INLINE vf vf_from_vi(vi a) { return _mm256_cvtepi32_ps(a); }
/* Two factors, because 2^n itself leaves the normal range where the product may still be a number. */
PN_INLINE vf vf_scale2(vf a, vf n) {
  const vi whole = vi_round(n), half = VI_SAR(whole, 1), bias = vi_set1(127);
  const vf low = vf_from_bits(VI_SHL(vi_add(half, bias), 23));
  const vf high = vf_from_bits(VI_SHL(vi_add(vi_sub(whole, half), bias), 23));
  return vf_mul(vf_mul(a, low), high);
}
PN_INLINE vf vf_gather(const float *p, vi index) {
  const vi read = _mm256_cmpgt_epi32(index, _mm256_set1_epi32(-1));
  return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), p, index, _mm256_castsi256_ps(read), 4);
}
PN_INLINE vf vf_pick(vf low, vf high, vi index) {
  const vf is_high = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index), is_high);
}

PN_INLINE float vf_sum_lanes(vf a) {
  const __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 y = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
PN_INLINE vf vf_sum_rows(const vf *rows) {
  const __m256 a = _mm256_hadd_ps(_mm256_hadd_ps(rows[0], rows[1]), _mm256_hadd_ps(rows[2], rows[3]));
  const __m256 b = _mm256_hadd_ps(_mm256_hadd_ps(rows[4], rows[5]), _mm256_hadd_ps(rows[6], rows[7]));
  return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}
PN_INLINE float vf_max_lanes(vf a) {
  const __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 y = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
PN_INLINE float vf_min_lanes(vf a) {
  const __m128 x = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 y = _mm_min_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_min_ss(y, _mm_movehdup_ps(y)));
}

PN_INLINE void vf_transpose(vf *rows) {
  vf t[8], u[8];
  PN_UNROLL
  for (int i = 0; i < 8; i += 2) { /* pairs of rows interleaved */
    t[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  PN_UNROLL
  for (int i = 0; i < 8; i += 4) { /* fours: u[i + c] has columns c and c + 4 of rows i to i + 3 */
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
  PN_UNROLL
  for (int i = 0; i < 4; i++) {
    rows[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

#endif
