/* The vector vocabulary in portable C: 4 lanes of the compiler's vector type, which becomes SSE, NEON or scalar code.
   It is the floor every machine has, and the page that says what each word means; avx2.h and avx512.h define the same.

   VL lanes, VREGS registers; vf floats, vi int32, vm a mask from a comparison, vhead "the first n lanes". The words:
     vf_head(n)                      n in [0, VL]
     vf_load_head, vf_store_head     touch only the head's memory; the other lanes load as zero
     vf_load_second(p)               p[0], p[2], p[4]...: touches 2 * VL - 1 elements
     vf_keep_head(h, v, rest)        v in the head, rest elsewhere
     vf_fma(a, b, c)                 a * b + c, fused where the machine fuses; vf_fnma is c - a * b
     vf_min, vf_max                  give the SECOND operand when either is NaN, as x86 does: write the value that may
                                     be NaN second and a clamp lets it through
     vf_min_nan, vf_max_nan          NaN when either is
     vf_round                        to the nearest, ties to even
     vf_lt, vf_le, vf_eq             false on NaN; vf_ne true
     vi_round                        vf_round as integers; any value for what does not fit
     vi_madd16(a, b)                 each lane as two int16: the sum of both products
     vf_scale2(a, n)                 a * 2^n for whole n in [-252, 254], right at overflow and in the denormals
     vf_gather(p, index)             p[index] of each lane; 0 where the index is negative, and nothing is read
     vf_pick(low, high, index)       each lane one of the 2 * VL lanes of low and high, index in [0, 2 * VL)
     vf_sum_rows(rows)               lane i is the sum of the lanes of rows[i]; VL rows
     vf_transpose(rows)              VL vectors as a square, in place; not in avx512.h */
#ifndef PN_TARGETS_CPU_SIMD_GENERIC_H
#define PN_TARGETS_CPU_SIMD_GENERIC_H

#include "base/compiler.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h> /* memcpy of a constant size, which is a move */

enum { VL = 4, VREGS = 16 };
#define SIMD_SUFFIX generic
#define SIMD_ISA 0
typedef float vf PN_VECTOR(16);
typedef int32_t vi PN_VECTOR(16);
typedef uint32_t vu PN_VECTOR(16); /* integers wrap, as in the machine's own vectors */
typedef vi vm;
typedef size_t vhead;

PN_INLINE vhead vf_head(size_t n) { return n; }
PN_INLINE vf vf_set1(float x) { return (vf){x, x, x, x}; }
PN_INLINE vf vf_zero(void) { return vf_set1(0.0f); }
PN_INLINE vf vf_load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}
PN_INLINE void vf_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
PN_INLINE vf vf_load_head(const float *p, vhead h) {
  return (vf){h > 0 ? p[0] : 0.0f, h > 1 ? p[1] : 0.0f, h > 2 ? p[2] : 0.0f, h > 3 ? p[3] : 0.0f};
}
PN_INLINE void vf_store_head(float *p, vhead h, vf v) {
  if (h > 0) p[0] = v[0];
  if (h > 1) p[1] = v[1];
  if (h > 2) p[2] = v[2];
  if (h > 3) p[3] = v[3];
}

PN_INLINE vf vf_load_second(const float *p) { return (vf){p[0], p[2], p[4], p[6]}; }

PN_INLINE vi vi_set1(int32_t x) { return (vi){x, x, x, x}; }
PN_INLINE vi vi_add(vi a, vi b) { return (vi)((vu)a + (vu)b); }
PN_INLINE vi vi_sub(vi a, vi b) { return (vi)((vu)a - (vu)b); }
PN_INLINE vi vi_and(vi a, vi b) { return a & b; }
PN_INLINE vi vi_or(vi a, vi b) { return a | b; }
PN_INLINE vi vi_load(const void *p) {
  vi v;
  memcpy(&v, p, sizeof v);
  return v;
}
PN_INLINE void vi_store(void *p, vi a) { memcpy(p, &a, sizeof a); }
#define VI_SHL(a, bits) ((vi)((vu)(a) << (bits)))
#define VI_SAR(a, bits) ((a) >> (bits))
PN_INLINE vi vi_madd16(vi a, vi b) {
  const vi high = VI_SAR(a, 16) * VI_SAR(b, 16), low = VI_SAR(VI_SHL(a, 16), 16) * VI_SAR(VI_SHL(b, 16), 16);
  return vi_add(high, low);
}
PN_INLINE vi vi_bits(vf a) { return (vi)a; }
PN_INLINE vf vf_from_bits(vi a) { return (vf)a; }

PN_INLINE vm vf_lt(vf a, vf b) { return (vi)(a < b); }
PN_INLINE vm vf_le(vf a, vf b) { return (vi)(a <= b); }
PN_INLINE vm vf_eq(vf a, vf b) { return (vi)(a == b); }
PN_INLINE vm vf_ne(vf a, vf b) { return (vi)(a != b); }
PN_INLINE vf vf_select(vm m, vf a, vf b) { return (vf)((m & (vi)a) | (~m & (vi)b)); }
PN_INLINE vf vf_keep_head(vhead h, vf v, vf rest) {
  return vf_select((vi){0, 1, 2, 3} < vi_set1((int32_t)h), v, rest);
}

PN_INLINE vf vf_add(vf a, vf b) { return a + b; }
PN_INLINE vf vf_sub(vf a, vf b) { return a - b; }
PN_INLINE vf vf_mul(vf a, vf b) { return a * b; }
PN_INLINE vf vf_div(vf a, vf b) { return a / b; }
PN_INLINE vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
PN_INLINE vf vf_fnma(vf a, vf b, vf c) { return c - a * b; }
PN_INLINE vf vf_min(vf a, vf b) { return vf_select(vf_lt(a, b), a, b); }
PN_INLINE vf vf_max(vf a, vf b) { return vf_select(vf_lt(b, a), a, b); }
PN_INLINE vf vf_min_nan(vf a, vf b) { return vf_select(vf_ne(a, a), a, vf_min(a, b)); }
PN_INLINE vf vf_max_nan(vf a, vf b) { return vf_select(vf_ne(a, a), a, vf_max(a, b)); }
PN_INLINE vf vf_abs(vf a) { return (vf)((vi)a & vi_set1(INT32_MAX)); }
PN_INLINE vf vf_neg(vf a) { return (vf)((vi)a ^ vi_set1(INT32_MIN)); }
PN_INLINE vf vf_copysign(vf a, vf sign) {
  return (vf)(((vi)a & vi_set1(INT32_MAX)) | ((vi)sign & vi_set1(INT32_MIN)));
}
PN_INLINE vf vf_sqrt(vf a) {
  return (vf){__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])};
}
/* Adding and taking away 2^23 rounds what is smaller than that to the nearest even; what is larger is whole already. */
PN_INLINE vf vf_round(vf a) {
  const vf big = vf_copysign(vf_set1(8388608.0f), a);
  return vf_select(vf_lt(vf_abs(a), vf_set1(8388608.0f)), vf_copysign((a + big) - big, a), a);
}
PN_INLINE vf vf_floor(vf a) {
  const vf r = vf_round(a);
  return vf_copysign(r - vf_select(vf_lt(a, r), vf_set1(1.0f), vf_zero()), a);
}
PN_INLINE vf vf_ceil(vf a) {
  const vf r = vf_round(a);
  return vf_copysign(r + vf_select(vf_lt(r, a), vf_set1(1.0f), vf_zero()), a);
}
PN_INLINE vf vf_trunc(vf a) { return vf_copysign(vf_floor(vf_abs(a)), a); }
/* Through 1.5 * 2^23, whose low mantissa bits then hold the integer: no conversion of a value that may not fit. */
PN_INLINE vi vi_round(vf a) { return vi_sub((vi)(a + vf_set1(12582912.0f)), vi_set1(0x4B400000)); }
PN_INLINE vf vf_from_vi(vi a) { return (vf){(float)a[0], (float)a[1], (float)a[2], (float)a[3]}; }
PN_INLINE vf vf_scale2(vf a, vf n) {
  const vi whole = vi_round(n), half = VI_SAR(whole, 1), bias = vi_set1(127);
  const vf low = vf_from_bits(VI_SHL(vi_add(half, bias), 23));
  const vf high = vf_from_bits(VI_SHL(vi_add(vi_sub(whole, half), bias), 23));
  return a * low * high;
}
PN_INLINE float gathered(const float *p, int32_t index) { return index < 0 ? 0.0f : p[index]; }
PN_INLINE vf vf_gather(const float *p, vi index) {
  return (vf){gathered(p, index[0]), gathered(p, index[1]), gathered(p, index[2]), gathered(p, index[3])};
}
PN_INLINE vf vf_pick(vf low, vf high, vi index) {
  float all[8];
  memcpy(all, &low, sizeof low);
  memcpy(all + 4, &high, sizeof high);
  return (vf){all[index[0] & 7], all[index[1] & 7], all[index[2] & 7], all[index[3] & 7]};
}

PN_INLINE float vf_sum_lanes(vf a) { return (a[0] + a[2]) + (a[1] + a[3]); }
PN_INLINE vf vf_sum_rows(const vf *rows) {
  return (vf){vf_sum_lanes(rows[0]), vf_sum_lanes(rows[1]), vf_sum_lanes(rows[2]), vf_sum_lanes(rows[3])};
}
PN_INLINE float vf_max_lanes(vf a) {
  const float x = a[0] > a[1] ? a[0] : a[1], y = a[2] > a[3] ? a[2] : a[3];
  return x > y ? x : y;
}
PN_INLINE float vf_min_lanes(vf a) {
  const float x = a[0] < a[1] ? a[0] : a[1], y = a[2] < a[3] ? a[2] : a[3];
  return x < y ? x : y;
}

PN_INLINE void vf_transpose(vf *rows) {
  vf columns[VL];
  PN_UNROLL
  for (int c = 0; c < VL; c++) columns[c] = (vf){rows[0][c], rows[1][c], rows[2][c], rows[3][c]};
  PN_UNROLL
  for (int c = 0; c < VL; c++) rows[c] = columns[c];
}

#endif
