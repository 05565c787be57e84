/* vec_f32 against double arithmetic: errors in ulp over the whole range of floats, the special values, every remainder.
   */
#include "operands.h"

static const float parameters[PN_CPU_UNARY_COUNT][2] = {
    [PN_CPU_UNARY_clip] = {-0.5f, 1.5f},       [PN_CPU_UNARY_hard_sigmoid] = {0.2f, 0.5f},
    [PN_CPU_UNARY_leaky_relu] = {0.1f, 0},     [PN_CPU_UNARY_elu] = {1.25f, 1.5f},
    [PN_CPU_UNARY_thresholded_relu] = {0.7f, 0}, [PN_CPU_UNARY_affine] = {1.5f, 0.25f}};

static double clamped(double x, double lo, double hi) { return isnan(x) ? x : x < lo ? lo : x > hi ? hi : x; }

static double plain(pn_cpu_unary op, double x) {
  const double p = (double)parameters[op][0], q = (double)parameters[op][1];
  switch (op) {
  case PN_CPU_UNARY_copy: return x;
  case PN_CPU_UNARY_neg: return -x;
  case PN_CPU_UNARY_abs: return fabs(x);
  case PN_CPU_UNARY_relu: return x < 0 ? 0 : x;
  case PN_CPU_UNARY_sqrt: return sqrt(x);
  case PN_CPU_UNARY_rsqrt: return 1 / sqrt(x);
  case PN_CPU_UNARY_reciprocal: return 1 / x;
  case PN_CPU_UNARY_exp: return exp(x);
  case PN_CPU_UNARY_log: return log(x);
  case PN_CPU_UNARY_tanh: return tanh(x);
  case PN_CPU_UNARY_sigmoid: return 1 / (1 + exp(-x));
  case PN_CPU_UNARY_erf: return erf(x);
  case PN_CPU_UNARY_gelu: return x * (0.5 * (1 + erf(x * 0.70710678118654752440)));
  case PN_CPU_UNARY_gelu_tanh: return x * (0.5 * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))));
  case PN_CPU_UNARY_silu: return x / (1 + exp(-x));
  case PN_CPU_UNARY_softplus: return (x > 0 ? x : isnan(x) ? x : 0) + log1p(exp(-fabs(x)));
  case PN_CPU_UNARY_mish: return x * tanh((x > 0 ? x : 0) + log1p(exp(-fabs(x))));
  case PN_CPU_UNARY_softsign: return x / (1 + fabs(x));
  case PN_CPU_UNARY_hard_swish: return x * clamped(x / 6 + 0.5, 0, 1);
  case PN_CPU_UNARY_floor: return floor(x);
  case PN_CPU_UNARY_ceil: return ceil(x);
  case PN_CPU_UNARY_round: return nearbyint(x);
  case PN_CPU_UNARY_sign: return isnan(x) ? x : (x > 0) - (x < 0);
  case PN_CPU_UNARY_not: return x == 0;
  case PN_CPU_UNARY_is_nan: return isnan(x);
  case PN_CPU_UNARY_sin: return sin(x);
  case PN_CPU_UNARY_cos: return cos(x);
  case PN_CPU_UNARY_tan: return tan(x);
  case PN_CPU_UNARY_asin: return asin(x);
  case PN_CPU_UNARY_acos: return acos(x);
  case PN_CPU_UNARY_atan: return atan(x);
  case PN_CPU_UNARY_clip: return clamped(x, p, q);
  case PN_CPU_UNARY_hard_sigmoid: return clamped(x * p + q, 0, 1);
  case PN_CPU_UNARY_leaky_relu: return x < 0 ? p * x : x;
  case PN_CPU_UNARY_elu: return q * (x < 0 ? p * expm1(x) : x);
  case PN_CPU_UNARY_thresholded_relu: return x <= p ? 0 : x;
  case PN_CPU_UNARY_affine: return x * p + q;
  case PN_CPU_UNARY_COUNT: break;
  }
  REQUIRE(op < PN_CPU_UNARY_COUNT);
  return 0;
}

/* Error that is allowed: ulp, and an absolute one where the definition cancels. */
static void bound(pn_cpu_unary op, double *ulp, double *absolute) {
  *absolute = 0;
  switch (op) {
  case PN_CPU_UNARY_exp:
  case PN_CPU_UNARY_log: *ulp = 1.5; return;
  case PN_CPU_UNARY_rsqrt: *ulp = 1.6; return; /* two roundings */
  case PN_CPU_UNARY_sigmoid: *ulp = 4; *absolute = 1.2e-38; return; /* 1 / infinity where the result is denormal */
  case PN_CPU_UNARY_silu: *ulp = 4; *absolute = 1.3e-36; return;
  case PN_CPU_UNARY_erf: *ulp = 2; return;
  case PN_CPU_UNARY_tanh:
  case PN_CPU_UNARY_atan: *ulp = 3; return;
  case PN_CPU_UNARY_sin:
  case PN_CPU_UNARY_cos: *ulp = 2; *absolute = 3e-7; return;
  case PN_CPU_UNARY_tan: *ulp = 8; *absolute = 3e-7; return;
  case PN_CPU_UNARY_asin:
  case PN_CPU_UNARY_acos: *ulp = 4; *absolute = 3e-7; return;
  case PN_CPU_UNARY_softplus:
  case PN_CPU_UNARY_elu: *ulp = 3; return;
  case PN_CPU_UNARY_gelu:
  case PN_CPU_UNARY_gelu_tanh:
  case PN_CPU_UNARY_mish: *ulp = 4; *absolute = 1e-6; return;
  case PN_CPU_UNARY_hard_swish:
  case PN_CPU_UNARY_affine:
  case PN_CPU_UNARY_hard_sigmoid: *ulp = 4; *absolute = 5e-7; return; /* near the zero of the line */
  case PN_CPU_UNARY_softsign: *ulp = 1.6; return;
  case PN_CPU_UNARY_leaky_relu:
  case PN_CPU_UNARY_reciprocal:
  case PN_CPU_UNARY_sqrt: *ulp = 0.5001; return;
  default: *ulp = 0; return;
  }
}

static double ulp_of(double x) {
  const float f = fabsf((float)x);
  if (f < 1.17549435e-38f) return 1.40129846e-45;
  return (double)(nextafterf(f, INFINITY) - f) > 3e38 ? 2.03e31 : (double)nextafterf(f, INFINITY) - (double)f;
}

#define SPECIALS \
  0.0f, -0.0f, 1.0f, -1.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 1e-40f, 1.17549435e-38f, 3.4028235e38f, \
  -3.4028235e38f, 88.72283f, 88.73f, 89.5f, -87.4f, -103.9f, -104.5f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0.49999997f, \
  8388607.5f, 8388609.0f, -8388607.5f, 0.92f, 0.625f, 4.0f, 1e10f, -1e10f, 0.70710678f, 1.41421354f, 3.0f, -3.0f

static const char *const unary_names[] = {
#define NAME(op) [PN_CPU_UNARY_##op] = #op,
    PN_CPU_UNARY_PLAIN(NAME) PN_CPU_UNARY_PARAMETERS(NAME)
};

static void expect_unary(const pn_cpu_kernels *kernels, pn_cpu_unary op, const float *x, size_t n, double *worst) {
  operand in = operand_raw(n * sizeof(float)), out = operand_make(n, 7, 7);
  memcpy(in.data, x, n * sizeof(float));
  kernels->vec_f32->unary[op](n, in.data, parameters[op], out.data);
  double ulp, absolute;
  bound(op, &ulp, &absolute);
  const bool has_limit = op == PN_CPU_UNARY_sin || op == PN_CPU_UNARY_cos || op == PN_CPU_UNARY_tan;
  size_t wrong = 0;
  for (size_t i = 0; i < n; i++) {
    const double want = plain(op, (double)x[i]);
    if (has_limit && !(fabsf(x[i]) <= PN_CPU_TURNS_LIMIT)) continue;
    /* What double can hold and float cannot is an infinity. */
    const bool overflows = isfinite(want) && fabs(want) >= 3.4028235677973366e38;
    const double rounded = overflows ? copysign(INFINITY, want) : want;
    const double tolerance = ulp * ulp_of(want);
    const bool good = same(out.data[i], rounded, tolerance > absolute ? tolerance : absolute) ||
                      (fabs(want) > 3.40282e38 && fabs((double)out.data[i]) > 3.40282e38);
    if (isfinite(want) && isfinite(out.data[i]) && fabs((double)out.data[i] - want) > absolute) {
      const double error = fabs((double)out.data[i] - want) / ulp_of(want);
      if (error > *worst) *worst = error;
    }
    if (!good && wrong++ < 3)
      printf("  %s %s(%.9g) is %.9g, not %.9g (%.2f ulp)\n", kernels->name, unary_names[op], (double)x[i],
             (double)out.data[i], want, fabs((double)out.data[i] - want) / ulp_of(want));
  }
  EXPECT_EQ(wrong, 0);
  operand_free(in), operand_free(out);
}

TEST(unary) {
  random_seed();
  static const float specials[] = {SPECIALS};
  enum { SAMPLES = 20000 };
  float *x = malloc(SAMPLES * sizeof(float));
  REQUIRE(x != NULL);
  FOR_EACH_ROW(kernels, vec_f32) {
    printf("  %s, largest ulp:", kernels->name);
    for (int op = 0; op < PN_CPU_UNARY_COUNT; op++) {
      REQUIRE(kernels->vec_f32->unary[op] != NULL);
      double worst = 0;
      for (size_t n = 0; n < PN_COUNT(specials); n++) expect_unary(kernels, (pn_cpu_unary)op, specials, n, &worst);
      expect_unary(kernels, (pn_cpu_unary)op, specials, PN_COUNT(specials), &worst);
      static const float widths[] = {0.1f, 1, 4, 20, 110, 9000};
      for (size_t w = 0; w < PN_COUNT(widths); w++) {
        for (size_t i = 0; i < SAMPLES; i++) x[i] = random_float(-widths[w], widths[w]);
        expect_unary(kernels, (pn_cpu_unary)op, x, SAMPLES, &worst);
      }
      for (size_t i = 0; i < SAMPLES; i++) { /* any float */
        const uint32_t bits = (uint32_t)random_bits();
        memcpy(&x[i], &bits, sizeof bits);
      }
      expect_unary(kernels, (pn_cpu_unary)op, x, SAMPLES, &worst);
      printf(" %s %.2f", unary_names[op], worst);
    }
    printf("\n");
  }
  free(x);
}

static double plain_binary(pn_cpu_binary op, double a, double b) {
  switch (op) {
  case PN_CPU_BINARY_add: return a + b;
  case PN_CPU_BINARY_sub: return a - b;
  case PN_CPU_BINARY_mul: return a * b;
  case PN_CPU_BINARY_div: return a / b;
  case PN_CPU_BINARY_min: return isnan(a) || isnan(b) ? (double)NAN : a < b ? a : b;
  case PN_CPU_BINARY_max: return isnan(a) || isnan(b) ? (double)NAN : a > b ? a : b;
  case PN_CPU_BINARY_prelu: return a < 0 ? a * b : a;
  case PN_CPU_BINARY_less: return a < b;
  case PN_CPU_BINARY_less_or_equal: return a <= b;
  case PN_CPU_BINARY_equal: return a == b;
  case PN_CPU_BINARY_not_equal: return a != b;
  case PN_CPU_BINARY_COUNT: break;
  }
  REQUIRE(op < PN_CPU_BINARY_COUNT);
  return 0;
}

static float random_or_special(void) {
  static const float specials[] = {0.0f, -0.0f, 1.0f, INFINITY, -INFINITY, NAN};
  return random_size(0, 9) ? random_float(-3, 3) : specials[random_size(0, PN_COUNT(specials) - 1)];
}

TEST(binary) {
  random_seed();
  FOR_EACH_ROW(kernels, vec_f32) {
    for (int op = 0; op < PN_CPU_BINARY_COUNT; op++) {
      for (int form = 0; form < PN_CPU_BINARY_FORMS; form++) {
        REQUIRE(kernels->vec_f32->binary[op][form] != NULL);
        for (size_t n = 0; n < 70; n++) {
          const size_t a_count = form == PN_CPU_ONE_RUN ? 1 : n, b_count = form == PN_CPU_RUN_ONE ? 1 : n;
          operand a = operand_make(a_count, 0, 0), b = operand_make(b_count, 0, 0), y = operand_make(n, 7, 7);
          for (size_t i = 0; i < a_count; i++) a.data[i] = random_or_special();
          for (size_t i = 0; i < b_count; i++) b.data[i] = random_or_special();
          kernels->vec_f32->binary[op][form](n, a.data, b.data, y.data);
          size_t wrong = 0;
          for (size_t i = 0; i < n; i++) {
            const double want = plain_binary((pn_cpu_binary)op, (double)a.data[form == PN_CPU_ONE_RUN ? 0 : i],
                                             (double)b.data[form == PN_CPU_RUN_ONE ? 0 : i]);
            wrong += !same(y.data[i], want, 0.5001 * ulp_of(want));
          }
          if (wrong) printf("  %s operation %d form %d n %zu\n", kernels->name, op, form, n);
          EXPECT_EQ(wrong, 0);
          operand_free(a), operand_free(b), operand_free(y);
        }
      }
    }
  }
}

TEST(ternary_and_conversions) {
  random_seed();
  FOR_EACH_ROW(kernels, vec_f32) {
    for (size_t n = 0; n < 70; n++) {
      operand a = operand_make(n, -3, 3), b = operand_make(n, -3, 3), c = operand_make(n, -3, 3);
      operand y = operand_make(n, 7, 7);
      operand bits = operand_raw(n);
      uint8_t *flags = (uint8_t *)(void *)bits.data;
      for (size_t i = 0; i < n; i++) {
        if (random_size(0, 1)) a.data[i] = 0;
        if (random_size(0, 7) == 0) b.data[i] = NAN;
      }
      size_t wrong = 0;
      kernels->vec_f32->ternary[PN_CPU_TERNARY_fma](n, a.data, b.data, c.data, y.data);
      for (size_t i = 0; i < n; i++)
        wrong += !same(y.data[i], (double)a.data[i] * (double)b.data[i] + (double)c.data[i], 1e-6);
      kernels->vec_f32->ternary[PN_CPU_TERNARY_select](n, a.data, b.data, c.data, y.data);
      for (size_t i = 0; i < n; i++) wrong += !same(y.data[i], (double)(a.data[i] != 0 ? b.data[i] : c.data[i]), 0);
      kernels->vec_f32->to_bool(n, a.data, flags);
      for (size_t i = 0; i < n; i++) wrong += flags[i] != (a.data[i] != 0);
      kernels->vec_f32->from_bool(n, flags, y.data);
      for (size_t i = 0; i < n; i++) wrong += !same(y.data[i], flags[i], 0);
      kernels->vec_f32->fill(n, 2.5f, y.data);
      for (size_t i = 0; i < n; i++) wrong += !same(y.data[i], 2.5, 0);
      /* In place. */
      kernels->vec_f32->unary[PN_CPU_UNARY_neg](n, c.data, NULL, c.data);
      kernels->vec_f32->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, c.data, c.data, c.data);
      EXPECT_EQ(wrong, 0);
      operand_free(a), operand_free(b), operand_free(c), operand_free(y), operand_free(bits);
    }
  }
}

TEST_MAIN(T(unary), T(binary), T(ternary_and_conversions))
