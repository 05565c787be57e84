/* vec_typed: plain loops over native types, which compilers turn into the vectors of the file's instructions. Each
   operation is stated once for integers and once for floats; what branches in C is written as choices between values,
   so that nothing keeps a loop from being a vector loop. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

#include <string.h>

#if defined(__F16C__)
#include <immintrin.h>
#endif

typedef uint8_t u8;
typedef int8_t i8;
typedef uint16_t u16;
typedef int16_t i16;
typedef uint32_t u32;
typedef int32_t i32;
typedef uint64_t u64;
typedef int64_t i64;
typedef float f32;
typedef double f64;

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* no machine has vectors of 64-bit quotients */
#endif
#define EACH(n) PN_IVDEP for (size_t i = 0; i < (n); i++)

#define UNARY(form, name, type, result, expression)                  \
  static void name##_##form(size_t n, const void *x_run, void *y_run) { \
    const type *x = x_run;                                            \
    result *y = y_run;                                                \
    EACH(n) {                                                         \
      const type a = x[i];                                            \
      y[i] = (result)(expression);                                    \
    }                                                                 \
  }
#define BINARY(form, name, type, result, expression)                                                        \
  static void name##_##form(size_t n, const void *a_run, const void *b_run, int b_is_one, void *y_run) {     \
    const type *as = a_run, *bs = b_run;                                                                     \
    result *y = y_run;                                                                                       \
    if (b_is_one) {                                                                                          \
      const type b = *bs;                                                                                    \
      EACH(n) {                                                                                              \
        const type a = as[i];                                                                                \
        y[i] = (result)(expression);                                                                         \
      }                                                                                                      \
      return;                                                                                                \
    }                                                                                                        \
    EACH(n) {                                                                                                \
      const type a = as[i], b = bs[i];                                                                       \
      y[i] = (result)(expression);                                                                           \
    }                                                                                                        \
  }

/* ---- integers ---------------------------------------------------------------------------------------------------- */

#define NEGATIVE_u8(x) 0
#define NEGATIVE_i8(x) ((x) < 0)
#define NEGATIVE_u16(x) 0
#define NEGATIVE_i16(x) ((x) < 0)
#define NEGATIVE_u32(x) 0
#define NEGATIVE_i32(x) ((x) < 0)
#define NEGATIVE_u64(x) 0
#define NEGATIVE_i64(x) ((x) < 0)

/* Up to 32 bits through a double, which holds them and their quotients' whole parts exactly: vectors have no integer
   division. b = 0 gives 0; b = -1 the negated, which wraps at the range's end. */
#define SMALL_QUOTIENT(type, wide)                                                     \
  PN_INLINE type quotient_##type(type a, type b) {                                     \
    const int minus = NEGATIVE_##type(b) && b == (type)-1;                             \
    const type divisor = b == 0 || minus ? (type)1 : b;                                \
    const type q = (type)(wide)((f64)a / (f64)divisor), negated = (type)(0u - (u32)a); \
    return b == 0 ? (type)0 : minus ? negated : q;                                     \
  }
SMALL_QUOTIENT(u8, i32)
SMALL_QUOTIENT(i8, i32)
SMALL_QUOTIENT(u16, i32)
SMALL_QUOTIENT(i16, i32)
SMALL_QUOTIENT(u32, i64)
SMALL_QUOTIENT(i32, i32)
PN_INLINE u64 quotient_u64(u64 a, u64 b) {
  if ((a | b) >> 32 == 0) return b ? (u32)a / (u32)b : 0;
  return b ? a / b : 0;
}
PN_INLINE i64 quotient_i64(i64 a, i64 b) {
  if (((u64)a | (u64)b) >> 31 == 0) return b ? (i64)((u32)a / (u32)b) : 0;
  return b == 0 ? 0 : b == -1 ? (i64)(0 - (u64)a) : a / b;
}

/* The least type that products wrap in as the type's own would, without C's signed overflow. */
#define WRAP_u8 u32
#define WRAP_i8 u32
#define WRAP_u16 u32
#define WRAP_i16 u32
#define WRAP_u32 u32
#define WRAP_i32 u32
#define WRAP_u64 u64
#define WRAP_i64 u64

#define INTEGERS(t, wrap)                                                                                             \
  PN_INLINE t remainder_##t(t a, t b) { return b == 0 ? (t)0 : (t)((wrap)a - (wrap)quotient_##t(a, b) * (wrap)b); }    \
  PN_INLINE t modulo_##t(t a, t b) {                                                                                  \
    const t rest = remainder_##t(a, b);                                                                               \
    return rest != 0 && NEGATIVE_##t(rest) != NEGATIVE_##t(b) ? (t)(rest + b) : rest;                                                 \
  }                                                                                                                   \
  BINARY(t, add, t, t, (wrap)a + (wrap)b)                                                                             \
  BINARY(t, sub, t, t, (wrap)a - (wrap)b)                                                                             \
  BINARY(t, mul, t, t, (wrap)a * (wrap)b)                                                                             \
  BINARY(t, div, t, t, quotient_##t(a, b))                                                                            \
  BINARY(t, mod, t, t, modulo_##t(a, b))                                                                              \
  BINARY(t, fmod, t, t, remainder_##t(a, b))                                                                          \
  BINARY(t, min, t, t, a < b ? a : b)                                                                                 \
  BINARY(t, max, t, t, a > b ? a : b)                                                                                 \
  BINARY(t, bit_and, t, t, a & b)                                                                                     \
  BINARY(t, bit_or, t, t, a | b)                                                                                      \
  BINARY(t, bit_xor, t, t, a ^ b)                                                                                     \
  BINARY(t, shift_left, t, t, (u64)b < 8 * sizeof(t) ? (wrap)a << (b & (t)(8 * sizeof(t) - 1)) : 0)                    \
  BINARY(t, shift_right, t, t,                                                                                         \
         (u64)b < 8 * sizeof(t) ? a >> (b & (t)(8 * sizeof(t) - 1)) : NEGATIVE_##t(a) ? (t)-1 : 0)                     \
  BINARY(t, equal, t, u8, a == b)                                                                                     \
  BINARY(t, less, t, u8, a < b)                                                                                       \
  BINARY(t, less_equal, t, u8, a <= b)                                                                                \
  UNARY(t, neg, t, t, (wrap)0 - (wrap)a)                                                                              \
  UNARY(t, abs, t, t, NEGATIVE_##t(a) ? (wrap)0 - (wrap)a : (wrap)a)                                                            \
  UNARY(t, sign, t, t, (a > 0) - NEGATIVE_##t(a))                                                                             \
  UNARY(t, relu, t, t, NEGATIVE_##t(a) ? (t)0 : a)                                                                              \
  UNARY(t, square, t, t, (wrap)a * (wrap)a)                                                                           \
  UNARY(t, bit_not, t, t, ~(wrap)a)                                                                                   \
  UNARY(t, is_not_zero, t, u8, a != 0)
INTEGERS(u8, u32)
INTEGERS(i8, u32)
INTEGERS(u16, u32)
INTEGERS(i16, u32)
INTEGERS(u32, u32)
INTEGERS(i32, u32)
INTEGERS(u64, u64)
INTEGERS(i64, u64)

/* ---- floats ------------------------------------------------------------------------------------------------------ */

#define TESTS(t, greatest)                                     \
  BINARY(t, equal, t, u8, a == b)                              \
  BINARY(t, less, t, u8, a < b)                                \
  BINARY(t, less_equal, t, u8, a <= b)                         \
  UNARY(t, is_nan, t, u8, a != a)                              \
  UNARY(t, is_inf_positive, t, u8, a > greatest)               \
  UNARY(t, is_inf_negative, t, u8, a < -greatest)              \
  UNARY(t, is_not_zero, t, u8, a != 0)
TESTS(f32, 3.40282347e+38f)
TESTS(f64, 1.7976931348623157e+308)

BINARY(f64, add, f64, f64, a + b)
BINARY(f64, sub, f64, f64, a - b)
BINARY(f64, mul, f64, f64, a * b)
BINARY(f64, div, f64, f64, a / b)
BINARY(f64, min, f64, f64, a != a || a < b ? a : b)
BINARY(f64, max, f64, f64, a != a || a > b ? a : b)
UNARY(f64, neg, f64, f64, -a)
UNARY(f64, abs, f64, f64, __builtin_fabs(a))
UNARY(f64, sign, f64, f64, a > 0 ? 1 : a < 0 ? -1 : a)
UNARY(f64, relu, f64, f64, a < 0 ? 0 : a)
UNARY(f64, square, f64, f64, a * a)
UNARY(f64, reciprocal, f64, f64, 1 / a)
/* Not through errno: a vector square root knows none. */
#if defined(__AVX__)
static void sqrt_f64(size_t n, const void *x_run, void *y_run) {
  const f64 *x = x_run;
  f64 *y = y_run;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) _mm256_storeu_pd(y + i, _mm256_sqrt_pd(_mm256_loadu_pd(x + i)));
  for (; i < n; i++) _mm_store_sd(y + i, _mm_sqrt_sd(_mm_setzero_pd(), _mm_load_sd(x + i)));
}
#define ROUNDING(name, mode)                                                                              \
  static void name##_f64(size_t n, const void *x_run, void *y_run) {                                      \
    const f64 *x = x_run;                                                                                 \
    f64 *y = y_run;                                                                                       \
    size_t i = 0;                                                                                         \
    for (; i + 4 <= n; i += 4) _mm256_storeu_pd(y + i, _mm256_round_pd(_mm256_loadu_pd(x + i), mode));    \
    for (; i < n; i++) {                                                                                  \
      const __m128d a = _mm_load_sd(x + i);                                                               \
      _mm_store_sd(y + i, _mm_round_sd(a, a, mode));                                                      \
    }                                                                                                     \
  }
ROUNDING(floor, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
ROUNDING(ceil, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)
ROUNDING(round, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#else
#define sqrt_f64 NULL
#define floor_f64 NULL
#define ceil_f64 NULL
#define round_f64 NULL
#endif

/* ---- conversions ------------------------------------------------------------------------------------------------- */

/* |least| and |greatest| are floats inside of the range; what lies beyond |greatest| ends at the type's |top|. */
#define TRUNCATE(from, to, step, least, greatest, top)            \
  UNARY(to, truncate_##from, from, to, truncated_##from##_##to(a))
#define TRUNCATED(from, to, step, least, greatest, top)              \
  PN_INLINE to truncated_##from##_##to(from a) {                     \
    const from low = a > (from)(least) ? a : (from)(least);          \
    const from inside = low < (from)(greatest) ? low : (from)(greatest); \
    const to whole = (to)(step)inside, ended = a > (from)(greatest) ? (to)(top) : whole; \
    return a != a ? (to)0 : ended;                                   \
  }
#define FLOAT_TO_INTEGER(X, from, below_31, below_32, below_63, below_64)                   \
  X(from, u8, i32, 0, 255, 255)                                                             \
  X(from, i8, i32, -128, 127, 127)                                                          \
  X(from, u16, i32, 0, 65535, 65535)                                                        \
  X(from, i16, i32, -32768, 32767, 32767)                                                   \
  X(from, u32, u32, 0, below_32, UINT32_MAX)                                                \
  X(from, i32, i32, -2147483648.0, below_31, INT32_MAX)                                     \
  X(from, u64, u64, 0, below_64, UINT64_MAX)                                                \
  X(from, i64, i64, -9223372036854775808.0, below_63, INT64_MAX)
#define FLOATS(X)                                                                                              \
  FLOAT_TO_INTEGER(X, f32, 2147483520.0f, 4294967040.0f, 9223371487098961920.0f, 18446742974197923840.0f)      \
  FLOAT_TO_INTEGER(X, f64, 2147483647.0, 4294967295.0, 9223372036854774784.0, 18446744073709549568.0)
FLOATS(TRUNCATED)
FLOATS(TRUNCATE)

#define CONVERT(from, to) UNARY(to, convert_##from, from, to, a)
#define CONVERT_FROM(from) \
  CONVERT(from, u8) CONVERT(from, u16) CONVERT(from, u32) CONVERT(from, u64) CONVERT(from, f32) CONVERT(from, f64)
CONVERT_FROM(u8)
CONVERT_FROM(i8)
CONVERT_FROM(u16)
CONVERT_FROM(i16)
CONVERT_FROM(u32)
CONVERT_FROM(i32)
CONVERT_FROM(u64)
CONVERT_FROM(i64)
CONVERT(f32, f32)
CONVERT(f32, f64)
CONVERT(f64, f32)
CONVERT(f64, f64)

#define SELECT(type)                                                                                            \
  static void select_##type(size_t n, const uint8_t *condition, const void *a_run, const void *b_run, void *y_run) { \
    const type *a = a_run, *b = b_run;                                                                          \
    type *y = y_run;                                                                                            \
    EACH(n) {                                                                                                   \
      const type yes = a[i], no = b[i];                                                                         \
      y[i] = condition[i] ? yes : no;                                                                           \
    }                                                                                                           \
  }                                                                                                             \
  static void fill_##type(size_t n, const void *value, void *y_run) {                                           \
    type *y = y_run, one;                                                                                       \
    memcpy(&one, value, sizeof one);                                                                            \
    EACH(n) y[i] = one;                                                                                         \
  }
SELECT(u8)
SELECT(u16)
SELECT(u32)
SELECT(u64)

PN_INLINE float float_of(u32 bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
PN_INLINE u32 bits_of(float value) {
  u32 bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

#if defined(__AVX512F__)
enum { HALVES = 16 };
PN_INLINE void load_halves(const u16 *x, float *y) {
  _mm512_storeu_ps(y, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)x)));
}
PN_INLINE void store_halves(const float *x, u16 *y) {
  _mm256_storeu_si256((__m256i *)(void *)y, _mm512_cvtps_ph(_mm512_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#elif defined(__F16C__)
enum { HALVES = 8 };
PN_INLINE void load_halves(const u16 *x, float *y) {
  _mm256_storeu_ps(y, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)x)));
}
PN_INLINE void store_halves(const float *x, u16 *y) {
  _mm_storeu_si128((__m128i *)(void *)y, _mm256_cvtps_ph(_mm256_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT));
}
#else
enum { HALVES = 1 };
/* The exponent moves by 112 with one product, which is exact for denormals, too. */
PN_INLINE void load_halves(const u16 *x, float *y) {
  const u32 size = (u32)(*x & 0x7fff) << 13, sign = (u32)(*x & 0x8000) << 16;
  const u32 finite = bits_of(float_of(size) * 0x1p112f), special = size | 0x7f800000 | (size << 9 ? 0x400000 : 0);
  *y = float_of((size >= 0x0f800000 ? special : finite) | sign);
}
PN_INLINE void store_halves(const float *x, u16 *y) {
  const u32 bits = bits_of(*x), size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
  const u32 normal = (size + 0xfff + (size >> 13 & 1) - (112u << 23)) >> 13;
  const u32 small = bits_of(float_of(size) + 0.5f) - 0x3f000000; /* the sum's rounding is the one that is wanted */
  const u32 finite = size < 113u << 23 ? small : size >= 0x477ff000 ? 0x7c00 : normal;
  *y = (u16)((size > 0x7f800000 ? 0x7e00 | (size >> 13 & 0x3ff) : finite) | sign);
}
#endif

static void f32_from_f16(size_t n, const u16 *x, float *y) {
  size_t i = 0;
  for (; i + HALVES <= n; i += HALVES) load_halves(x + i, y + i);
  if (i == n) return;
  u16 rest[HALVES] = {0};
  float values[HALVES];
  memcpy(rest, x + i, (n - i) * sizeof *x);
  load_halves(rest, values);
  memcpy(y + i, values, (n - i) * sizeof *y);
}
static void f16_from_f32(size_t n, const float *x, u16 *y) {
  size_t i = 0;
  for (; i + HALVES <= n; i += HALVES) store_halves(x + i, y + i);
  if (i == n) return;
  float rest[HALVES] = {0};
  u16 values[HALVES];
  memcpy(rest, x + i, (n - i) * sizeof *x);
  store_halves(rest, values);
  memcpy(y + i, values, (n - i) * sizeof *y);
}
static void f32_from_bf16(size_t n, const u16 *x, float *y) {
  EACH(n) y[i] = float_of((u32)x[i] << 16);
}
static void bf16_from_f32(size_t n, const float *x, u16 *y) {
  EACH(n) {
    const u32 bits = bits_of(x[i]), rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    y[i] = (u16)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded);
  }
}

/* ---- quantisation ------------------------------------------------------------------------------------------------- */

/* Clamped before it is rounded, so that what is rounded fits an integer. */
PN_INLINE vi quantized(vf x, vf scale, vf zero, vf least, vf greatest) {
  const vf quotient = vf_div(x, scale), number = vf_select(vf_eq(quotient, quotient), quotient, vf_zero());
  return vi_round(vf_add(vf_round(vf_min(vf_max(number, vf_sub(least, zero)), vf_sub(greatest, zero))), zero));
}
PN_INLINE void quantize_runs(size_t n, const float *x, const float *scale, const float *zero, int scales, int zeros,
                             float least, float greatest, int32_t *y) {
  const vf one_scale = vf_set1(*scale), one_zero = vf_set1(*zero), low = vf_set1(least), high = vf_set1(greatest);
  size_t i = 0;
  for (; i + VL <= n; i += VL) {
    const vi whole = quantized(vf_load(x + i), scales ? vf_load(scale + i) : one_scale,
                               zeros ? vf_load(zero + i) : one_zero, low, high);
    memcpy(y + i, &whole, sizeof whole);
  }
  if (i == n) return;
  const vhead head = vf_head(n - i);
  const vi whole = quantized(vf_load_head(x + i, head), scales ? vf_load_head(scale + i, head) : one_scale,
                             zeros ? vf_load_head(zero + i, head) : one_zero, low, high);
  memcpy(y + i, &whole, (n - i) * sizeof *y);
}
static void quantize(size_t n, const float *x, const float *scale, const float *zero, int runs, float least,
                     float greatest, int32_t *y) {
  switch (runs) {
  case 0: quantize_runs(n, x, scale, zero, 0, 0, least, greatest, y); return;
  case 1: quantize_runs(n, x, scale, zero, 1, 0, least, greatest, y); return;
  case 2: quantize_runs(n, x, scale, zero, 0, 1, least, greatest, y); return;
  default: quantize_runs(n, x, scale, zero, 1, 1, least, greatest, y); return;
  }
}
static void quantize_blocks(size_t count, size_t n, const float *x, const float *scale, const float *zero,
                            int has_zeros, float least, float greatest, int32_t *y) {
  static const float none = 0;
  for (size_t r = 0; r < count; r++, x += n, y += n)
    quantize_runs(n, x, scale + r, has_zeros ? zero + r : &none, 0, 0, least, greatest, y);
}

/* ---- table ------------------------------------------------------------------------------------------------------- */

#define INTEGER_ROWS(t)                                                                                               \
  .unary[PN_CPU_FORM_##t] = {[PN_CPU_TYPED_neg] = neg_##t, [PN_CPU_TYPED_abs] = abs_##t,                              \
                             [PN_CPU_TYPED_sign] = sign_##t, [PN_CPU_TYPED_relu] = relu_##t,                          \
                             [PN_CPU_TYPED_square] = square_##t, [PN_CPU_TYPED_bit_not] = bit_not_##t},               \
  .binary[PN_CPU_FORM_##t] = {                                                                                        \
      add_##t, sub_##t, mul_##t, div_##t, mod_##t, fmod_##t, min_##t, max_##t, bit_and_##t, bit_or_##t, bit_xor_##t,  \
      shift_left_##t, shift_right_##t, equal_##t, less_##t, less_equal_##t}

/* Integers of equal width are the same bits. */
#define CONVERT_ROW(from)                                                                                          \
  .convert[PN_CPU_FORM_##from] = {convert_##from##_u8,  convert_##from##_u8,  convert_##from##_u16, convert_##from##_u16, \
                                  convert_##from##_u32, convert_##from##_u32, convert_##from##_u64, convert_##from##_u64, \
                                  convert_##from##_f32, convert_##from##_f64}
#define TRUNCATE_ROW(from)                                                                                         \
  .convert[PN_CPU_FORM_##from] = {truncate_##from##_u8,  truncate_##from##_i8,  truncate_##from##_u16,                \
                                  truncate_##from##_i16, truncate_##from##_u32, truncate_##from##_i32,                \
                                  truncate_##from##_u64, truncate_##from##_i64, convert_##from##_f32, convert_##from##_f64}

static const pn_cpu_vec_typed table = {
    INTEGER_ROWS(u8), INTEGER_ROWS(i8), INTEGER_ROWS(u16), INTEGER_ROWS(i16),
    INTEGER_ROWS(u32), INTEGER_ROWS(i32), INTEGER_ROWS(u64), INTEGER_ROWS(i64),
    .unary[PN_CPU_FORM_f32] = {[PN_CPU_TYPED_is_nan] = is_nan_f32,
                               [PN_CPU_TYPED_is_inf_positive] = is_inf_positive_f32,
                               [PN_CPU_TYPED_is_inf_negative] = is_inf_negative_f32},
    .unary[PN_CPU_FORM_f64] = {[PN_CPU_TYPED_neg] = neg_f64, [PN_CPU_TYPED_abs] = abs_f64,
                               [PN_CPU_TYPED_sign] = sign_f64, [PN_CPU_TYPED_relu] = relu_f64,
                               [PN_CPU_TYPED_square] = square_f64, [PN_CPU_TYPED_reciprocal] = reciprocal_f64,
                               [PN_CPU_TYPED_sqrt] = sqrt_f64, [PN_CPU_TYPED_floor] = floor_f64,
                               [PN_CPU_TYPED_ceil] = ceil_f64, [PN_CPU_TYPED_round] = round_f64,
                               [PN_CPU_TYPED_is_nan] = is_nan_f64,
                               [PN_CPU_TYPED_is_inf_positive] = is_inf_positive_f64,
                               [PN_CPU_TYPED_is_inf_negative] = is_inf_negative_f64},
    .binary[PN_CPU_FORM_f32] = {[PN_CPU_TYPED_BINARY_equal] = equal_f32, [PN_CPU_TYPED_BINARY_less] = less_f32,
                                [PN_CPU_TYPED_BINARY_less_equal] = less_equal_f32},
    .binary[PN_CPU_FORM_f64] = {[PN_CPU_TYPED_BINARY_add] = add_f64, [PN_CPU_TYPED_BINARY_sub] = sub_f64,
                                [PN_CPU_TYPED_BINARY_mul] = mul_f64, [PN_CPU_TYPED_BINARY_div] = div_f64,
                                [PN_CPU_TYPED_BINARY_min] = min_f64, [PN_CPU_TYPED_BINARY_max] = max_f64,
                                [PN_CPU_TYPED_BINARY_equal] = equal_f64, [PN_CPU_TYPED_BINARY_less] = less_f64,
                                [PN_CPU_TYPED_BINARY_less_equal] = less_equal_f64},
    CONVERT_ROW(u8), CONVERT_ROW(i8), CONVERT_ROW(u16), CONVERT_ROW(i16),
    CONVERT_ROW(u32), CONVERT_ROW(i32), CONVERT_ROW(u64), CONVERT_ROW(i64),
    TRUNCATE_ROW(f32), TRUNCATE_ROW(f64),
    .is_not_zero = {is_not_zero_u8, is_not_zero_i8, is_not_zero_u16, is_not_zero_i16, is_not_zero_u32, is_not_zero_i32,
                    is_not_zero_u64, is_not_zero_i64, is_not_zero_f32, is_not_zero_f64},
    .select = {select_u8, select_u16, select_u32, select_u64},
    .fill = {fill_u8, fill_u16, fill_u32, fill_u64},
    .quantize = quantize,
    .quantize_blocks = quantize_blocks,
    .f32_from_f16 = f32_from_f16,
    .f16_from_f32 = f16_from_f32,
    .f32_from_bf16 = f32_from_bf16,
    .bf16_from_f32 = bf16_from_f32,
};
