/* Elementary functions on the vector vocabulary. Each is a range reduction and a polynomial with minimax coefficients
   (Lawson's iteration in double, rounded to float from the lowest power up, the rest refitted after each rounding). The
   bound in ulp that stands at each function is what tests/unit/cpu_kernels/test_cpu_vec_f32.c holds it to.

   NaN goes in and comes out, infinities give the limits, denormals are kept. */
#ifndef PN_TARGETS_CPU_SIMD_MATH_H
#define PN_TARGETS_CPU_SIMD_MATH_H

/* After simd/<isa>.h. */

/* 2^(x / ln 2) as n and r: x = n ln 2 + r. ln 2 in two parts, the first with trailing zeros so that n times it is
   exact. */
PN_INLINE vf split_exponent(vf x, vf *n) {
  *n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
  return vf_fnma(*n, vf_set1(1.42860677e-6f), vf_fnma(*n, vf_set1(0.693145752f), x));
}
/* exp(r) - 1 for |r| <= ln 2 / 2. */
PN_INLINE vf exp_less_one(vf r) {
  vf q = vf_set1(1.382063376e-03f);
  q = vf_fma(q, r, vf_set1(8.368673734e-03f));
  q = vf_fma(q, r, vf_set1(4.166826606e-02f));
  q = vf_fma(q, r, vf_set1(1.666652113e-01f));
  q = vf_fma(q, r, vf_set1(4.999999404e-01f));
  return vf_fma(vf_mul(q, r), r, r);
}

/* 1.5 ulp. The clamp keeps n in vf_scale2's range; both ends are beyond where
   the result is 0 or infinity. */
PN_INLINE vf vf_exp(vf x) {
  vf n;
  x = vf_min(vf_set1(89.0f), vf_max(vf_set1(-104.0f), x));
  const vf r = split_exponent(x, &n);
  return vf_scale2(vf_add(exp_less_one(r), vf_set1(1.0f)), n);
}

/* exp(x) - 1 for x <= 0, 2 ulp: no cancellation near 0. */
PN_INLINE vf vf_expm1_negative(vf x) {
  vf n;
  x = vf_max(vf_set1(-40.0f), x);
  const vf r = split_exponent(vf_min(vf_zero(), x), &n);
  const vf scale = vf_scale2(vf_set1(1.0f), n);
  return vf_fma(exp_less_one(r), scale, vf_sub(scale, vf_set1(1.0f)));
}

/* 1.5 ulp. x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m by a polynomial in m - 1. */
PN_INLINE vf vf_log(vf x) {
  const vm tiny = vf_lt(x, vf_set1(1.17549435e-38f));
  const vf normal = vf_select(tiny, vf_mul(x, vf_set1(8388608.0f)), x);
  /* Taking the bits of sqrt(1/2) away moves the exponent's carry to where m passes sqrt(2). */
  const vi shifted = vi_sub(vi_bits(normal), vi_set1(0x3F3504F3));
  vf e = vf_from_vi(VI_SAR(shifted, 23));
  e = vf_sub(e, vf_select(tiny, vf_set1(23.0f), vf_zero()));
  const vf m = vf_from_bits(vi_add(vi_and(shifted, vi_set1(0x007FFFFF)), vi_set1(0x3F3504F3)));
  const vf f = vf_sub(m, vf_set1(1.0f)), f2 = vf_mul(f, f);
  vf q = vf_set1(-7.636439055e-02f);
  q = vf_fma(q, f, vf_set1(1.276221722e-01f));
  q = vf_fma(q, f, vf_set1(-1.315961033e-01f));
  q = vf_fma(q, f, vf_set1(1.420157999e-01f));
  q = vf_fma(q, f, vf_set1(-1.662340909e-01f));
  q = vf_fma(q, f, vf_set1(2.000124156e-01f));
  q = vf_fma(q, f, vf_set1(-2.500081956e-01f));
  q = vf_fma(q, f, vf_set1(3.333333135e-01f));
  vf tail = vf_mul(vf_mul(q, f2), f);
  tail = vf_fma(e, vf_set1(1.42860677e-6f), tail);
  tail = vf_fnma(f2, vf_set1(0.5f), tail);
  vf y = vf_fma(e, vf_set1(0.693145752f), vf_add(f, tail));
  /* 0 gives -infinity, +infinity itself, the rest NaN; NaN is not above 0 either. */
  const vf edge = vf_select(vf_eq(x, vf_zero()), vf_set1(-__builtin_inff()), vf_set1(__builtin_nanf("")));
  y = vf_select(vf_lt(vf_zero(), x), y, edge);
  return vf_select(vf_eq(x, vf_set1(__builtin_inff())), x, y);
}

/* log(1 + t) for t in [0, 1], 3 ulp: the rounding of 1 + t is given back to first order. */
PN_INLINE vf vf_log1p_unit(vf t) {
  const vf u = vf_add(t, vf_set1(1.0f));
  const vf lost = vf_sub(t, vf_sub(u, vf_set1(1.0f)));
  return vf_add(vf_log(u), vf_div(lost, u));
}

/* 3 ulp. (exp(2x) - 1) / (exp(2x) + 1) with the numerator as it comes, so that nothing cancels; from 9.2 on it is 1. */
PN_INLINE vf vf_tanh(vf x) {
  vf n;
  const vf a = vf_min(vf_set1(9.2f), vf_abs(x));
  const vf r = split_exponent(vf_add(a, a), &n);
  const vf scale = vf_scale2(vf_set1(1.0f), n);
  const vf e = vf_fma(exp_less_one(r), scale, vf_sub(scale, vf_set1(1.0f)));
  return vf_copysign(vf_div(e, vf_add(e, vf_set1(2.0f))), x);
}

/* 4 ulp where the result is normal; 0 where it is denormal. */
PN_INLINE vf vf_sigmoid(vf x) {
  return vf_div(vf_set1(1.0f), vf_add(vf_set1(1.0f), vf_exp(vf_neg(x))));
}

/* 2 ulp. Small: x + x q(x^2). Large: 1 - exp(-(t + t q(t))). From 4 on the result is 1. */
PN_INLINE vf vf_erf(vf x) {
  const vf x2 = vf_mul(x, x), t = vf_min(vf_set1(4.0f), vf_abs(x));
  vf p = vf_set1(8.002774848e-05f);
  p = vf_fma(p, x2, vf_set1(-8.050804026e-04f));
  p = vf_fma(p, x2, vf_set1(5.192460492e-03f));
  p = vf_fma(p, x2, vf_set1(-2.685574070e-02f));
  p = vf_fma(p, x2, vf_set1(1.128362566e-01f));
  p = vf_fma(p, x2, vf_set1(-3.761262894e-01f));
  p = vf_fma(p, x2, vf_set1(1.283791661e-01f));
  const vf small = vf_fma(p, x, x);
  vf q = vf_set1(1.076477110e-05f);
  q = vf_fma(q, t, vf_set1(-3.180722124e-04f));
  q = vf_fma(q, t, vf_set1(3.622956341e-03f));
  q = vf_fma(q, t, vf_set1(-2.372024022e-02f));
  q = vf_fma(q, t, vf_set1(1.061876491e-01f));
  q = vf_fma(q, t, vf_set1(6.351814866e-01f));
  q = vf_fma(q, t, vf_set1(1.286409646e-01f));
  const vf large = vf_copysign(vf_sub(vf_set1(1.0f), vf_exp(vf_neg(vf_fma(q, t, t)))), x);
  return vf_select(vf_lt(vf_abs(x), vf_set1(0.92f)), small, vf_select(vf_eq(x, x), large, x));
}

/* Sine and cosine of what is left of x when |quarters| times pi / 2 are taken away, in parts whose products with up to
   13 bits are exact but for the last: for |x| up to PN_CPU_TURNS_LIMIT. */
PN_INLINE void split_quarters(vf x, vi *quarters, vf *sine, vf *cosine) {
  const vf n = vf_round(vf_mul(x, vf_set1(0.636619772f)));
  vf r = vf_fnma(n, vf_set1(1.5703125f), x);
  r = vf_fnma(n, vf_set1(0.000483751297f), r);
  r = vf_fnma(n, vf_set1(7.54953362e-08f), r);
  r = vf_fnma(n, vf_set1(2.56334407e-12f), r);
  *quarters = vi_round(n);
  const vf z = vf_mul(r, r);
  vf s = vf_set1(2.9144644031475764e-06f);
  s = vf_fma(s, z, vf_set1(-1.9860740576405078e-04f));
  s = vf_fma(s, z, vf_set1(8.333396166563034e-03f));
  s = vf_fma(s, z, vf_set1(-1.666666716337204e-01f));
  *sine = vf_fma(vf_mul(s, z), r, r);
  vf c = vf_set1(-3.2066870403468783e-07f);
  c = vf_fma(c, z, vf_set1(2.4852470232872292e-05f));
  c = vf_fma(c, z, vf_set1(-1.3889048714190722e-03f));
  c = vf_fma(c, z, vf_set1(4.16666679084301e-02f));
  *cosine = vf_fma(vf_mul(c, z), z, vf_fnma(z, vf_set1(0.5f), vf_set1(1.0f)));
}
/* Whether the quarters are odd; and their second bit as a sign. */
PN_INLINE vm odd_quarters(vi quarters) { return vf_ne(vf_from_vi(vi_and(quarters, vi_set1(1))), vf_zero()); }
PN_INLINE vf signed_quarters(vi quarters, vf x) {
  const vm negative = vf_ne(vf_from_vi(vi_and(quarters, vi_set1(2))), vf_zero());
  return vf_select(negative, vf_neg(x), x);
}
/* 2 ulp, or 3e-7 absolute near their zeros, within the limit. */
PN_INLINE vf vf_sin(vf x) {
  vi quarters;
  vf s, c;
  split_quarters(x, &quarters, &s, &c);
  return signed_quarters(quarters, vf_select(odd_quarters(quarters), c, s));
}
PN_INLINE vf vf_cos(vf x) {
  vi quarters;
  vf s, c;
  split_quarters(x, &quarters, &s, &c);
  return signed_quarters(vi_add(quarters, vi_set1(1)), vf_select(odd_quarters(quarters), s, c));
}

/* 3 ulp. Beyond 1 through the reciprocal. */
PN_INLINE vf vf_atan(vf x) {
  const vf a = vf_abs(x);
  const vm large = vf_lt(vf_set1(1.0f), a);
  const vf t = vf_select(large, vf_div(vf_set1(1.0f), a), a), z = vf_mul(t, t);
  vf p = vf_set1(1.699661836028099e-03f);
  p = vf_fma(p, z, vf_set1(-1.0138317011296749e-02f));
  p = vf_fma(p, z, vf_set1(2.8273016214370728e-02f));
  p = vf_fma(p, z, vf_set1(-5.108840391039848e-02f));
  p = vf_fma(p, z, vf_set1(7.168339192867279e-02f));
  p = vf_fma(p, z, vf_set1(-8.984532207250595e-02f));
  p = vf_fma(p, z, vf_set1(1.1100172251462936e-01f));
  p = vf_fma(p, z, vf_set1(-1.4285452663898468e-01f));
  p = vf_fma(p, z, vf_set1(2.0000028610229492e-01f));
  p = vf_fma(p, z, vf_set1(-3.333333432674408e-01f));
  const vf angle = vf_fma(vf_mul(p, z), t, t);
  return vf_copysign(vf_select(large, vf_sub(vf_set1(1.57079633f), angle), angle), x);
}

/* Arcus sine of a in [0, 1/2], 2 ulp. */
PN_INLINE vf asin_small(vf a) {
  const vf z = vf_mul(a, a);
  vf p = vf_set1(3.445400670170784e-02f);
  p = vf_fma(p, z, vf_set1(1.663428731262684e-02f));
  p = vf_fma(p, z, vf_set1(3.122640959918499e-02f));
  p = vf_fma(p, z, vf_set1(4.458606615662575e-02f));
  p = vf_fma(p, z, vf_set1(7.500151544809341e-02f));
  p = vf_fma(p, z, vf_set1(1.666666567325592e-01f));
  return vf_fma(vf_mul(p, z), a, a);
}
/* 4 ulp. Beyond 1/2 as pi / 2 less twice the arcus sine of sqrt((1 - x) / 2); beyond 1 NaN. */
PN_INLINE vf vf_asin(vf x) {
  const vf a = vf_abs(x);
  const vm large = vf_lt(vf_set1(0.5f), a);
  const vf half = vf_sqrt(vf_mul(vf_set1(0.5f), vf_sub(vf_set1(1.0f), a)));
  const vf angle = asin_small(vf_select(large, half, a));
  return vf_copysign(vf_select(large, vf_fnma(vf_set1(2.0f), angle, vf_set1(1.57079633f)), angle), x);
}
PN_INLINE vf vf_acos(vf x) {
  const vf a = vf_abs(x);
  const vm large = vf_lt(vf_set1(0.5f), a), negative = vf_lt(x, vf_zero());
  const vf half = vf_sqrt(vf_mul(vf_set1(0.5f), vf_sub(vf_set1(1.0f), a)));
  const vf angle = asin_small(vf_select(large, half, a)), twice = vf_add(angle, angle);
  const vf far = vf_select(negative, vf_sub(vf_set1(3.14159265f), twice), twice);
  return vf_select(large, far, vf_sub(vf_set1(1.57079633f), vf_copysign(angle, x)));
}

#endif
