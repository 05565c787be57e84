/* The vector vocabulary on AVX-512 (f, bw, vl, dq, cd): 16 lanes, masks in mask registers. simd/generic.h documents
   each word; the three headers define the same words, so that a kernel template compiles against any of them. */
#ifndef PN_TARGETS_CPU_SIMD_AVX512_H
#define PN_TARGETS_CPU_SIMD_AVX512_H

#include "base/compiler.h"

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

enum { VL = 16, VREGS = 32 };
#define SIMD_SUFFIX avx512
#define SIMD_ISA PN_ISA_AVX512
typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;
typedef __mmask16 vhead;

PN_INLINE vhead vf_head(size_t n) { return (vhead)((1u << n) - 1u); }
PN_INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
PN_INLINE vf vf_zero(void) { return _mm512_setzero_ps(); }
PN_INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
PN_INLINE void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
PN_INLINE vf vf_load_head(const float *p, vhead h) { return _mm512_maskz_loadu_ps(h, p); }
PN_INLINE void vf_store_head(float *p, vhead h, vf v) { _mm512_mask_storeu_ps(p, h, v); }
PN_INLINE vf vf_keep_head(vhead h, vf v, vf rest) { return _mm512_mask_mov_ps(rest, h, v); }

PN_INLINE vf vf_load_second(const float *p) { /* the second load's odd lanes, so that nothing behind the last is read */
  const __m512i lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
  return _mm512_permutex2var_ps(_mm512_loadu_ps(p), lanes, _mm512_loadu_ps(p + VL - 1));
}

PN_INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
PN_INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
PN_INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
PN_INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
PN_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
PN_INLINE vf vf_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
PN_INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
PN_INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
PN_INLINE vf vf_min_nan(vf a, vf b) { return _mm512_mask_min_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b); }
PN_INLINE vf vf_max_nan(vf a, vf b) { return _mm512_mask_max_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b); }
PN_INLINE vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
PN_INLINE vf vf_abs(vf a) { return _mm512_abs_ps(a); }
PN_INLINE vf vf_neg(vf a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
PN_INLINE vf vf_copysign(vf a, vf sign) {
  const __m512 bit = _mm512_set1_ps(-0.0f);
  return _mm512_or_ps(_mm512_andnot_ps(bit, a), _mm512_and_ps(bit, sign));
}
PN_INLINE vf vf_floor(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
PN_INLINE vf vf_ceil(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
PN_INLINE vf vf_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
PN_INLINE vf vf_trunc(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }

PN_INLINE vm vf_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
PN_INLINE vm vf_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
PN_INLINE vm vf_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
PN_INLINE vm vf_ne(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
PN_INLINE vf vf_select(vm m, vf a, vf b) { return _mm512_mask_mov_ps(b, m, a); }

PN_INLINE vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
PN_INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
PN_INLINE vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
PN_INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
PN_INLINE vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
PN_INLINE vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
PN_INLINE void vi_store(void *p, vi a) { _mm512_storeu_si512(p, a); }
PN_INLINE vi vi_madd16(vi a, vi b) { return _mm512_madd_epi16(a, b); }
#define VI_SHL(a, bits) _mm512_slli_epi32(a, bits)
#define VI_SAR(a, bits) _mm512_srai_epi32(a, bits)
PN_INLINE vi vi_bits(vf a) { return _mm512_castps_si512(a); }
PN_INLINE vf vf_from_bits(vi a) { return _mm512_castsi512_ps(a); }
PN_INLINE vi vi_round(vf a) { return _mm512_cvtps_epi32(a); }
PN_INLINE vf vf_from_vi(vi a) { return _mm512_cvtepi32_ps(a); }
PN_INLINE vf vf_scale2(vf a, vf n) { return _mm512_scalef_ps(a, n); }
PN_INLINE vf vf_gather(const float *p, vi index) {
  const __mmask16 read = _mm512_cmpge_epi32_mask(index, _mm512_setzero_si512());
  return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), read, index, p, 4);
}
PN_INLINE vf vf_pick(vf low, vf high, vi index) { return _mm512_permutex2var_ps(low, index, high); }

PN_INLINE float vf_sum_lanes(vf a) { return _mm512_reduce_add_ps(a); }
PN_INLINE vf vf_sum_rows(const vf *rows) {
  vf pairs[8], fours[4], halves[2];
  PN_UNROLL
  for (int i = 0; i < 8; i++)
    pairs[i] = vf_add(_mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]), _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]));
  PN_UNROLL
  for (int i = 0; i < 4; i++) /* each quarter of a vector: four rows */
    fours[i] = vf_add(_mm512_shuffle_ps(pairs[2 * i], pairs[2 * i + 1], 0x44),
                      _mm512_shuffle_ps(pairs[2 * i], pairs[2 * i + 1], 0xEE));
  PN_UNROLL
  for (int i = 0; i < 2; i++)
    halves[i] = vf_add(_mm512_shuffle_f32x4(fours[2 * i], fours[2 * i + 1], 0x88),
                       _mm512_shuffle_f32x4(fours[2 * i], fours[2 * i + 1], 0xDD));
  return vf_add(_mm512_shuffle_f32x4(halves[0], halves[1], 0x88), _mm512_shuffle_f32x4(halves[0], halves[1], 0xDD));
}
PN_INLINE float vf_max_lanes(vf a) { return _mm512_reduce_max_ps(a); }
PN_INLINE float vf_min_lanes(vf a) { return _mm512_reduce_min_ps(a); }

#endif
