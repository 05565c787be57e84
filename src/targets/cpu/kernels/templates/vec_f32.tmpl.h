/* vec_f32: pointwise operations over runs that lie in L1. Each operation is a function of vectors; the loops around
   them are stated once a form. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"
#include "targets/cpu/simd/math.h"

#define K(x) vf_set1(x)
#define ONE K(1.0f)

PN_INLINE vf op_copy(vf x) { return x; }
PN_INLINE vf op_neg(vf x) { return vf_neg(x); }
PN_INLINE vf op_abs(vf x) { return vf_abs(x); }
PN_INLINE vf op_relu(vf x) { return vf_max(vf_zero(), x); }
PN_INLINE vf op_sqrt(vf x) { return vf_sqrt(x); }
PN_INLINE vf op_rsqrt(vf x) { return vf_div(ONE, vf_sqrt(x)); }
PN_INLINE vf op_reciprocal(vf x) { return vf_div(ONE, x); }
PN_INLINE vf op_exp(vf x) { return vf_exp(x); }
PN_INLINE vf op_log(vf x) { return vf_log(x); }
PN_INLINE vf op_tanh(vf x) { return vf_tanh(x); }
PN_INLINE vf op_sigmoid(vf x) { return vf_sigmoid(x); }
PN_INLINE vf op_erf(vf x) { return vf_erf(x); }
PN_INLINE vf op_gelu(vf x) {
  return vf_mul(vf_mul(K(0.5f), x), vf_add(ONE, vf_erf(vf_mul(x, K(0.707106781f)))));
}
PN_INLINE vf op_gelu_tanh(vf x) {
  const vf inner = vf_mul(x, vf_fma(vf_mul(x, x), K(0.0356774081f), K(0.797884561f)));
  return vf_mul(vf_mul(K(0.5f), x), vf_add(ONE, vf_tanh(inner)));
}
PN_INLINE vf op_silu(vf x) { return vf_div(x, vf_add(ONE, vf_exp(vf_neg(x)))); }
PN_INLINE vf op_softplus(vf x) {
  return vf_add(vf_max(vf_zero(), x), vf_log1p_unit(vf_exp(vf_neg(vf_abs(x)))));
}
PN_INLINE vf op_mish(vf x) { return vf_mul(x, vf_tanh(op_softplus(x))); }
PN_INLINE vf op_softsign(vf x) { return vf_div(x, vf_add(ONE, vf_abs(x))); }
PN_INLINE vf op_hard_swish(vf x) {
  return vf_mul(x, vf_min(ONE, vf_max(vf_zero(), vf_fma(x, K(0.166666667f), K(0.5f)))));
}
PN_INLINE vf op_floor(vf x) { return vf_floor(x); }
PN_INLINE vf op_ceil(vf x) { return vf_ceil(x); }
PN_INLINE vf op_round(vf x) { return vf_round(x); }
PN_INLINE vf op_sign(vf x) {
  const vf one = vf_copysign(ONE, x);
  return vf_select(vf_lt(vf_zero(), vf_abs(x)), one, x);
}
PN_INLINE vf op_not(vf x) { return vf_select(vf_eq(x, vf_zero()), ONE, vf_zero()); }
PN_INLINE vf op_is_nan(vf x) { return vf_select(vf_ne(x, x), ONE, vf_zero()); }

PN_INLINE vf op_sin(vf x) { return vf_sin(x); }
PN_INLINE vf op_cos(vf x) { return vf_cos(x); }
PN_INLINE vf op_tan(vf x) {
  vi quarters;
  vf s, c;
  split_quarters(x, &quarters, &s, &c);
  const vm odd = odd_quarters(quarters);
  return vf_div(vf_select(odd, vf_neg(c), s), vf_select(odd, s, c));
}
PN_INLINE vf op_asin(vf x) { return vf_asin(x); }
PN_INLINE vf op_acos(vf x) { return vf_acos(x); }
PN_INLINE vf op_atan(vf x) { return vf_atan(x); }

PN_INLINE vf op_clip(vf x, vf lo, vf hi) { return vf_min(hi, vf_max(lo, x)); }
PN_INLINE vf op_hard_sigmoid(vf x, vf alpha, vf beta) {
  return vf_min(ONE, vf_max(vf_zero(), vf_fma(x, alpha, beta)));
}
PN_INLINE vf op_leaky_relu(vf x, vf alpha, vf unused) {
  (void)unused;
  return vf_select(vf_lt(x, vf_zero()), vf_mul(x, alpha), x);
}
PN_INLINE vf op_elu(vf x, vf alpha, vf gamma) {
  return vf_mul(gamma, vf_select(vf_lt(x, vf_zero()), vf_mul(alpha, vf_expm1_negative(x)), x));
}
PN_INLINE vf op_thresholded_relu(vf x, vf alpha, vf unused) {
  (void)unused;
  return vf_select(vf_le(x, alpha), vf_zero(), x);
}

PN_INLINE vf op_affine(vf x, vf factor, vf term) { return vf_fma(x, factor, term); }

PN_INLINE vf op_add(vf a, vf b) { return vf_add(a, b); }
PN_INLINE vf op_sub(vf a, vf b) { return vf_sub(a, b); }
PN_INLINE vf op_mul(vf a, vf b) { return vf_mul(a, b); }
PN_INLINE vf op_div(vf a, vf b) { return vf_div(a, b); }
PN_INLINE vf op_min(vf a, vf b) { return vf_min_nan(a, b); }
PN_INLINE vf op_max(vf a, vf b) { return vf_max_nan(a, b); }
PN_INLINE vf op_prelu(vf x, vf slope) { return vf_select(vf_lt(x, vf_zero()), vf_mul(x, slope), x); }
PN_INLINE vf op_less(vf a, vf b) { return vf_select(vf_lt(a, b), ONE, vf_zero()); }
PN_INLINE vf op_less_or_equal(vf a, vf b) { return vf_select(vf_le(a, b), ONE, vf_zero()); }
PN_INLINE vf op_equal(vf a, vf b) { return vf_select(vf_eq(a, b), ONE, vf_zero()); }
PN_INLINE vf op_not_equal(vf a, vf b) { return vf_select(vf_ne(a, b), ONE, vf_zero()); }

PN_INLINE vf op_fma(vf a, vf b, vf c) { return vf_fma(a, b, c); }
PN_INLINE vf op_select(vf c, vf a, vf b) { return vf_select(vf_ne(c, vf_zero()), a, b); }

/* The loops of each form: whole vectors, then the head that is left. */
#define UNARY(name)                                                                        \
  static void unary_##name(size_t n, const float *x, const float *parameters, float *y) {  \
    (void)parameters;                                                                      \
    size_t i = 0;                                                                          \
    for (; i + VL <= n; i += VL) vf_store(y + i, op_##name(vf_load(x + i)));               \
    const vhead head = vf_head(n - i);                                                     \
    if (i < n) vf_store_head(y + i, head, op_##name(vf_load_head(x + i, head)));           \
  }
PN_CPU_UNARY_PLAIN(UNARY)

#define UNARY_PARAMETERS(name)                                                             \
  static void unary_##name(size_t n, const float *x, const float *parameters, float *y) {  \
    const vf p = K(parameters[0]), q = K(parameters[1]);                                   \
    size_t i = 0;                                                                          \
    for (; i + VL <= n; i += VL) vf_store(y + i, op_##name(vf_load(x + i), p, q));         \
    const vhead head = vf_head(n - i);                                                     \
    if (i < n) vf_store_head(y + i, head, op_##name(vf_load_head(x + i, head), p, q));     \
  }
PN_CPU_UNARY_PARAMETERS(UNARY_PARAMETERS)

#define BINARY(name)                                                                                       \
  static void name##_vv(size_t n, const float *a, const float *b, float *y) {                              \
    size_t i = 0;                                                                                          \
    for (; i + VL <= n; i += VL) vf_store(y + i, op_##name(vf_load(a + i), vf_load(b + i)));               \
    const vhead head = vf_head(n - i);                                                                     \
    if (i < n) vf_store_head(y + i, head, op_##name(vf_load_head(a + i, head), vf_load_head(b + i, head))); \
  }                                                                                                        \
  static void name##_vs(size_t n, const float *a, const float *b, float *y) {                              \
    const vf s = K(*b);                                                                                    \
    size_t i = 0;                                                                                          \
    for (; i + VL <= n; i += VL) vf_store(y + i, op_##name(vf_load(a + i), s));                            \
    const vhead head = vf_head(n - i);                                                                     \
    if (i < n) vf_store_head(y + i, head, op_##name(vf_load_head(a + i, head), s));                        \
  }                                                                                                        \
  static void name##_sv(size_t n, const float *a, const float *b, float *y) {                              \
    const vf s = K(*a);                                                                                    \
    size_t i = 0;                                                                                          \
    for (; i + VL <= n; i += VL) vf_store(y + i, op_##name(s, vf_load(b + i)));                            \
    const vhead head = vf_head(n - i);                                                                     \
    if (i < n) vf_store_head(y + i, head, op_##name(s, vf_load_head(b + i, head)));                        \
  }
PN_CPU_BINARY(BINARY)

#define TERNARY(name)                                                                                       \
  static void ternary_##name(size_t n, const float *a, const float *b, const float *c, float *y) {          \
    size_t i = 0;                                                                                           \
    for (; i + VL <= n; i += VL) vf_store(y + i, op_##name(vf_load(a + i), vf_load(b + i), vf_load(c + i))); \
    const vhead head = vf_head(n - i);                                                                      \
    if (i < n)                                                                                              \
      vf_store_head(y + i, head,                                                                            \
                    op_##name(vf_load_head(a + i, head), vf_load_head(b + i, head), vf_load_head(c + i, head))); \
  }
PN_CPU_TERNARY(TERNARY)

static void fill(size_t n, float value, float *y) {
  const vf v = K(value);
  size_t i = 0;
  for (; i + VL <= n; i += VL) vf_store(y + i, v);
  if (i < n) vf_store_head(y + i, vf_head(n - i), v);
}
PN_INLINE vf weighted(size_t count, const float *const *x, const float *weights, size_t i, vhead head, int whole) {
  vf sum = vf_zero();
  for (size_t k = 0; k < count; k++) sum = vf_fma(whole ? vf_load(x[k] + i) : vf_load_head(x[k] + i, head), K(weights[k]), sum);
  return sum;
}
static void weighted_sum(size_t n, size_t count, const float *const *x, const float *weights, float *y) {
  size_t i = 0;
  for (; i + VL <= n; i += VL) vf_store(y + i, weighted(count, x, weights, i, vf_head(VL), 1));
  const vhead head = vf_head(n - i);
  if (i < n) vf_store_head(y + i, head, weighted(count, x, weights, i, head, 0));
}
static void from_bool(size_t n, const uint8_t *x, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = x[i] ? 1.0f : 0.0f;
}
static void to_bool(size_t n, const float *x, uint8_t *y) {
  for (size_t i = 0; i < n; i++) y[i] = x[i] != 0.0f;
}

static const pn_cpu_vec_f32 table = {
#define UNARY_ROW(name) .unary[PN_CPU_UNARY_##name] = unary_##name,
    PN_CPU_UNARY_PLAIN(UNARY_ROW) PN_CPU_UNARY_PARAMETERS(UNARY_ROW)
#define BINARY_ROW(name) .binary[PN_CPU_BINARY_##name] = {name##_vv, name##_vs, name##_sv},
    PN_CPU_BINARY(BINARY_ROW)
#define TERNARY_ROW(name) .ternary[PN_CPU_TERNARY_##name] = ternary_##name,
    PN_CPU_TERNARY(TERNARY_ROW)
    .fill = fill,
    .weighted_sum = weighted_sum,
    .from_bool = from_bool,
    .to_bool = to_bool,
};
