/* The steps of pointwise expressions, as op/expression defines them: <step>_<form>, forms f32, f64, i64 and u64. A file
   that renders an expression prints one call a step. What C leaves undefined for integers is defined here. */
#ifndef EXPRESSION_STEPS
#define EXPRESSION_STEPS
#define REAL_STEPS(T, F, S)                                                                                            \
  DEVICE T min_##F(T a, T b) { return a != a || a < b ? a : b; }                                                       \
  DEVICE T max_##F(T a, T b) { return a != a || a > b ? a : b; }                                                       \
  DEVICE T add_##F(T a, T b) { return a + b; }                                                                         \
  DEVICE T sub_##F(T a, T b) { return a - b; }                                                                         \
  DEVICE T mul_##F(T a, T b) { return a * b; }                                                                         \
  DEVICE T div_##F(T a, T b) { return a / b; }                                                                         \
  DEVICE T fmod_##F(T a, T b) { return fmod##S(a, b); }                                                                \
  DEVICE T mod_##F(T a, T b) {                                                                                         \
    T rest = fmod##S(a, b);                                                                                            \
    if (rest == 0) return copysign##S((T)0, b);                                                                        \
    return (rest < 0) != (b < 0) ? rest + b : rest;                                                                    \
  }                                                                                                                    \
  DEVICE T pow_##F(T a, T b) { return pow##S(a, b); }                                                                  \
  DEVICE T neg_##F(T a) { return -a; }                                                                                 \
  DEVICE T abs_##F(T a) { return fabs##S(a); }                                                                         \
  DEVICE T sign_##F(T a) { return a > 0 ? 1 : a < 0 ? -1 : a == 0 ? 0 : a; }                                           \
  DEVICE T reciprocal_##F(T a) { return 1 / a; }                                                                       \
  DEVICE T sqrt_##F(T a) { return sqrt##S(a); }                                                                        \
  DEVICE T rsqrt_##F(T a) { return 1 / sqrt##S(a); }                                                                   \
  DEVICE T square_##F(T a) { return a * a; }                                                                           \
  DEVICE T exp_##F(T a) { return exp##S(a); }                                                                          \
  DEVICE T log_##F(T a) { return log##S(a); }                                                                          \
  DEVICE T erf_##F(T a) { return erf##S(a); }                                                                          \
  DEVICE T floor_##F(T a) { return floor##S(a); }                                                                      \
  DEVICE T ceil_##F(T a) { return ceil##S(a); }                                                                        \
  DEVICE T round_##F(T a) { return rint##S(a); }                                                                       \
  DEVICE T sin_##F(T a) { return sin##S(a); }                                                                          \
  DEVICE T cos_##F(T a) { return cos##S(a); }                                                                          \
  DEVICE T tan_##F(T a) { return tan##S(a); }                                                                          \
  DEVICE T asin_##F(T a) { return asin##S(a); }                                                                        \
  DEVICE T acos_##F(T a) { return acos##S(a); }                                                                        \
  DEVICE T atan_##F(T a) { return atan##S(a); }                                                                        \
  DEVICE T sinh_##F(T a) { return sinh##S(a); }                                                                        \
  DEVICE T cosh_##F(T a) { return cosh##S(a); }                                                                        \
  DEVICE T tanh_##F(T a) { return tanh##S(a); }                                                                        \
  DEVICE T asinh_##F(T a) { return asinh##S(a); }                                                                      \
  DEVICE T acosh_##F(T a) { return acosh##S(a); }                                                                      \
  DEVICE T atanh_##F(T a) { return atanh##S(a); }                                                                      \
  DEVICE T relu_##F(T a) { return max_##F(a, 0); }                                                                     \
  DEVICE T sigmoid_##F(T a) { return 1 / (1 + exp##S(-a)); }                                                           \
  DEVICE T silu_##F(T a) { return a * sigmoid_##F(a); }                                                                \
  DEVICE T gelu_##F(T a) { return (T)0.5 * a * (1 + erf##S(a * (T)0.70710678118654752440)); }                          \
  DEVICE T gelu_tanh_##F(T a) {                                                                                        \
    return (T)0.5 * a * (1 + tanh##S((T)0.79788456080286535588 * (a + (T)0.044715 * a * a * a)));                      \
  }                                                                                                                    \
  DEVICE T hard_swish_##F(T a) { return a * max_##F(min_##F(a / 6 + (T)0.5, 1), 0); }                                  \
  DEVICE T softplus_##F(T a) { return max_##F(a, 0) + log1p##S(exp##S(-fabs##S(a))); }                                 \
  DEVICE T clip_##F(T a, T b, T c) { return min_##F(max_##F(a, b), c); }                                               \
  DEVICE T select_##F(i64 a, T b, T c) { return a ? b : c; }                                                           \
  DEVICE i64 equal_##F(T a, T b) { return a == b; }                                                                    \
  DEVICE i64 less_##F(T a, T b) { return a < b; }                                                                      \
  DEVICE i64 less_equal_##F(T a, T b) { return a <= b; }                                                               \
  DEVICE i64 greater_##F(T a, T b) { return a > b; }                                                                   \
  DEVICE i64 greater_equal_##F(T a, T b) { return a >= b; }                                                            \
  DEVICE i64 is_nan_##F(T a) { return a != a; }                                                                        \
  DEVICE i64 is_inf_positive_##F(T a) { return a > 0 && a == a + a && a - a != 0; }                                    \
  DEVICE i64 is_inf_negative_##F(T a) { return a < 0 && a == a + a && a - a != 0; }
REAL_STEPS(f32, f32, f)
REAL_STEPS(f64, f64, )

/* For results of 16 bits: a third of the arithmetic, relative errors near 1e-5, a thirtieth of a rounding in f16. gelu is
   max(x, 0) - |x| erfc(|x| / sqrt(2)) / 2; with t = 1 / (1 + |x| / sqrt(8)), erfc's logarithm is -x^2 / 2, that of t and
   a polynomial in t, so that nothing cancels. Minus infinity gives the limit, zero. */
DEVICE f32 sigmoid_half(f32 a) { return near_reciprocal(1 + near_power_of_two(a * -1.44269504f)); }
DEVICE f32 silu_half(f32 a) { return a * sigmoid_half(a); }
DEVICE f32 gelu_half(f32 a) {
  f32 z = fabsf(a), t = near_reciprocal(fmaf(z, 0.35355339f, 1));
  f32 p = fmaf(t, 0.329221606f, -1.02026176f);
  p = fmaf(t, p, 0.680775821f);
  p = fmaf(t, p, 0.369458318f);
  p = fmaf(t, p, 1.46796870f);
  p = fmaf(t, p, -2.82715201f);
  return fmaxf(a, 0) - fminf(z, 1e4f) * t * near_power_of_two(fmaf(z * z, -0.721347520f, p));
}

#define INTEGER_STEPS(T, F, SIGNED)                                                                      \
  DEVICE i64 is_negative_##F(T a) { return SIGNED && (i64)a < 0; }                                       \
  DEVICE T add_##F(T a, T b) { return (T)((u64)a + (u64)b); }                                            \
  DEVICE T sub_##F(T a, T b) { return (T)((u64)a - (u64)b); }                                            \
  DEVICE T mul_##F(T a, T b) { return (T)((u64)a * (u64)b); }                                            \
  DEVICE T neg_##F(T a) { return (T)(0 - (u64)a); }                                                      \
  DEVICE T div_##F(T a, T b) { return b == 0 ? 0 : SIGNED && b == (T)-1 ? neg_##F(a) : a / b; }          \
  DEVICE T fmod_##F(T a, T b) { return b == 0 || (SIGNED && b == (T)-1) ? 0 : a % b; }                   \
  DEVICE T mod_##F(T a, T b) {                                                                           \
    T rest = fmod_##F(a, b);                                                                             \
    return rest != 0 && is_negative_##F(rest) != is_negative_##F(b) ? rest + b : rest;                   \
  }                                                                                                      \
  DEVICE T pow_##F(T a, T b) {                                                                           \
    u64 result = 1, square = (u64)a;                                                                     \
    if (is_negative_##F(b)) return a == 1 ? 1 : a == (T)-1 ? (b & 1 ? a : 1) : 0;                        \
    for (u64 left = (u64)b; left; left >>= 1, square *= square)                                          \
      if (left & 1) result *= square;                                                                    \
    return (T)result;                                                                                    \
  }                                                                                                      \
  DEVICE T min_##F(T a, T b) { return a < b ? a : b; }                                                   \
  DEVICE T max_##F(T a, T b) { return a > b ? a : b; }                                                   \
  DEVICE T abs_##F(T a) { return is_negative_##F(a) ? neg_##F(a) : a; }                                  \
  DEVICE T sign_##F(T a) { return is_negative_##F(a) ? (T)-1 : (T)(a != 0); }                            \
  DEVICE T square_##F(T a) { return mul_##F(a, a); }                                                     \
  DEVICE T relu_##F(T a) { return is_negative_##F(a) ? 0 : a; }                                          \
  DEVICE T clip_##F(T a, T b, T c) { return min_##F(max_##F(a, b), c); }                                 \
  DEVICE T select_##F(i64 a, T b, T c) { return a ? b : c; }                                             \
  DEVICE T bit_and_##F(T a, T b) { return a & b; }                                                       \
  DEVICE T bit_or_##F(T a, T b) { return a | b; }                                                        \
  DEVICE T bit_xor_##F(T a, T b) { return a ^ b; }                                                       \
  DEVICE T bit_not_##F(T a) { return ~a; }                                                               \
  DEVICE T and_##F(T a, T b) { return a & b; }                                                           \
  DEVICE T or_##F(T a, T b) { return a | b; }                                                            \
  DEVICE T xor_##F(T a, T b) { return a ^ b; }                                                           \
  DEVICE T not_##F(T a) { return !a; }                                                                   \
  DEVICE T shift_left_##F(T a, T b, u32 width) { return (u64)b < width ? (T)((u64)a << b) : 0; }         \
  /* Past the width only the sign of a signed number is left. */                                         \
  DEVICE T shift_right_##F(T a, T b, u32 width) { return (u64)b < width ? (T)(a >> b) : a < 0 ? (T)-1 : 0; }\
  DEVICE i64 equal_##F(T a, T b) { return a == b; }                                                      \
  DEVICE i64 less_##F(T a, T b) { return a < b; }                                                        \
  DEVICE i64 less_equal_##F(T a, T b) { return a <= b; }                                                 \
  DEVICE i64 greater_##F(T a, T b) { return a > b; }                                                     \
  DEVICE i64 greater_equal_##F(T a, T b) { return a >= b; }
INTEGER_STEPS(i64, i64, 1)
INTEGER_STEPS(u64, u64, 0)

/* What a type can hold of a step's fresh result. */
DEVICE f32 round_to_f32(f32 v) { return v; }
DEVICE f64 round_to_f64(f64 v) { return v; }
DEVICE f32 round_to_f16(f32 v) { return f16_to_f32(f16_from_f32(v)); }
DEVICE f32 round_to_bf16(f32 v) { return bf16_to_f32(bf16_from_f32(v)); }
DEVICE i64 round_to_i8(i64 v) { return (i8)v; }
DEVICE i64 round_to_u8(i64 v) { return (u8)v; }
DEVICE i64 round_to_i16(i64 v) { return (i16)v; }
DEVICE i64 round_to_u16(i64 v) { return (u16)v; }
DEVICE i64 round_to_i32(i64 v) { return (i32)v; }
DEVICE i64 round_to_u32(i64 v) { return (u32)v; }
DEVICE i64 round_to_i64(i64 v) { return v; }
DEVICE u64 round_to_u64(u64 v) { return v; }
DEVICE i64 round_to_bool(i64 v) { return v; }
DEVICE i64 round_to_i4(i64 v) { return ((v & 15) ^ 8) - 8; }
DEVICE i64 round_to_u4(i64 v) { return v & 15; }
DEVICE i64 round_to_i2(i64 v) { return ((v & 3) ^ 2) - 2; }
DEVICE i64 round_to_u2(i64 v) { return v & 3; }

/* ---- casts: through f64 between kinds, as the reference does */

/* An integer as a double that rounds to every float type as the integer itself would. */
DEVICE f64 wide_of_i64(i64 value) {
  u64 bits = value < 0 ? 0 - (u64)value : (u64)value;
  if (bits >> 54) bits = (bits & ~0x7ffull) | (bits & 0x7ff ? 0x800 : 0);
  return value < 0 ? -(f64)bits : (f64)bits;
}
DEVICE f64 wide_of_u64(u64 bits) {
  if (bits >> 54) bits = (bits & ~0x7ffull) | (bits & 0x7ff ? 0x800 : 0);
  return (f64)bits;
}
DEVICE f64 wide_of_f32(f32 v) { return (f64)v; }
DEVICE f64 wide_of_f64(f64 v) { return v; }
DEVICE f32 f32_of_wide(f64 v) { return (f32)v; }
DEVICE f64 f64_of_wide(f64 v) { return v; }
DEVICE f32 f16_of_wide(f64 v) { return f16_to_f32(f16_from_f64(v)); }
DEVICE f32 bf16_of_wide(f64 v) { return bf16_to_f32(bf16_from_f64(v)); }
DEVICE i64 integer_of_wide(f64 v, i64 least, i64 most) {
  if (v != v) return 0;
  if (v <= (f64)least) return least;
  if (v >= (f64)most) return most;
  return (i64)v;
}
DEVICE i64 i8_of_wide(f64 v) { return integer_of_wide(v, -128, 127); }
DEVICE i64 u8_of_wide(f64 v) { return integer_of_wide(v, 0, 255); }
DEVICE i64 i16_of_wide(f64 v) { return integer_of_wide(v, -32768, 32767); }
DEVICE i64 u16_of_wide(f64 v) { return integer_of_wide(v, 0, 65535); }
DEVICE i64 i32_of_wide(f64 v) { return integer_of_wide(v, -2147483647 - 1, 2147483647); }
DEVICE i64 u32_of_wide(f64 v) { return integer_of_wide(v, 0, 4294967295ll); }
DEVICE i64 i64_of_wide(f64 v) { return integer_of_wide(v, -9223372036854775807ll - 1, 9223372036854775807ll); }
/* Of fewer than 8 bits the low ones are kept. */
DEVICE i64 low_of_wide(f64 v) { return fabs(v) < 9223372036854775808.0 ? i64_of_wide(v) : 0; }
DEVICE i64 i4_of_wide(f64 v) { return round_to_i4(low_of_wide(v)); }
DEVICE i64 u4_of_wide(f64 v) { return round_to_u4(low_of_wide(v)); }
DEVICE i64 i2_of_wide(f64 v) { return round_to_i2(low_of_wide(v)); }
DEVICE i64 u2_of_wide(f64 v) { return round_to_u2(low_of_wide(v)); }
DEVICE u64 u64_of_wide(f64 v) {
  if (v != v || v <= 0) return 0;
  return v >= 18446744073709551616.0 ? ~0ull : (u64)v;
}
DEVICE i64 bool_of_wide(f64 v) { return v != 0; }
#endif
