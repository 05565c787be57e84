/* The operator pointwise: the meaning of every operation in every type, broadcasting, and contents as symbols; with the
   helpers that all infer functions share. */
#include "harness.h"
#include "op/op.h"

#include <math.h>

static pn_arena arena;
static pelton_diag diag;

static void begin(void) {
  pn_arena_init(&arena, NULL);
  pelton_diag_init(&diag);
}

static void end(void) { pn_arena_deinit(&arena); }

static const pn_expr *parsed(const char *text) {
  const pn_expr *expr = NULL;
  REQUIRE_OK(pn_expr_parse(pn_str_from(text), &arena, &expr, &diag), &diag);
  return expr;
}

/* ---- evaluation ------------------------------------------------------------------------------------------------ */

/* The value of |text| for scalars of |dtype|, as a double (or, for integers, in |*integer|). */
static double evaluate(const char *text, pelton_dtype dtype, const double *values, uint32_t count, int64_t *integer) {
  pn_attrs_pointwise attrs = {.expr = parsed(text)};
  uint64_t storage[4] = {0}, result = 0;
  pn_tensor in[3], out = {.data = &result};
  pelton_dtype inputs[3], steps[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < count; i++) {
    in[i] = (pn_tensor){.dtype = dtype, .data = &storage[i]};
    inputs[i] = dtype;
    pn_tensor_set_f64(&in[i], 0, values[i]);
  }
  REQUIRE_OK(pn_expr_types(attrs.expr, inputs, steps, &diag), &diag);
  out.dtype = steps[attrs.expr->step_count - 1];
  pn_call call = {.attrs = &attrs,
                  .input_count = count,
                  .output_count = 1,
                  .in = in,
                  .out = &out,
                  .scratch = &arena,
                  .diag = &diag};
  REQUIRE_OK(pn_reference_pointwise(&call), &diag);
  if (integer) *integer = pn_dtype_is_float(out.dtype) ? 0 : pn_tensor_get_i64(&out, 0);
  return pn_tensor_get_f64(&out, 0);
}

TEST(every_float_operation) {
  const double inf = (double)INFINITY, nan = (double)NAN;
  const struct {
    const char *text;
    double a, b, c, want;
  } cases[] = {
      {"add(x0,x1)", 1.5, 2, 0, 3.5},
      {"sub(x0,x1)", 1.5, 2, 0, -0.5},
      {"mul(x0,x1)", 1.5, 2, 0, 3},
      {"div(x0,x1)", 3, 2, 0, 1.5},
      {"div(x0,x1)", 1, 0, 0, inf},
      {"div(x0,x1)", 0, 0, 0, nan},
      {"mod(x0,x1)", -7, 3, 0, 2},
      {"mod(x0,x1)", 7, -3, 0, -2},
      {"mod(x0,x1)", 6, -3, 0, -0.0},
      {"mod(x0,x1)", 5.5, 2, 0, 1.5},
      {"fmod(x0,x1)", -7, 3, 0, -1},
      {"fmod(x0,x1)", 7, -3, 0, 1},
      {"pow(x0,x1)", 2, 10, 0, 1024},
      {"pow(x0,x1)", 4, -0.5, 0, 0.5},
      {"min(x0,x1)", 1, 2, 0, 1},
      {"min(x0,x1)", nan, 2, 0, nan},
      {"min(x0,x1)", 2, nan, 0, nan},
      {"max(x0,x1)", 1, 2, 0, 2},
      {"max(x0,x1)", nan, 2, 0, nan},
      {"max(x0,x1)", 2, nan, 0, nan},
      {"neg(x0)", 0, 0, 0, -0.0},
      {"abs(x0)", -2, 0, 0, 2},
      {"sign(x0)", -3, 0, 0, -1},
      {"sign(x0)", 0, 0, 0, 0},
      {"sign(x0)", 9, 0, 0, 1},
      {"sign(x0)", nan, 0, 0, nan},
      {"reciprocal(x0)", 4, 0, 0, 0.25},
      {"sqrt(x0)", 9, 0, 0, 3},
      {"sqrt(x0)", -1, 0, 0, nan},
      {"rsqrt(x0)", 4, 0, 0, 0.5},
      {"square(x0)", -3, 0, 0, 9},
      {"exp(x0)", 1, 0, 0, 2.718281828459045},
      {"log(x0)", 10, 0, 0, 2.302585092994046},
      {"log(x0)", 0, 0, 0, -inf},
      {"erf(x0)", 0.5, 0, 0, 0.5204998778130465},
      {"floor(x0)", -1.5, 0, 0, -2},
      {"ceil(x0)", -1.5, 0, 0, -1},
      {"round(x0)", 2.5, 0, 0, 2},
      {"round(x0)", 3.5, 0, 0, 4},
      {"round(x0)", -0.5, 0, 0, -0.0},
      {"sin(x0)", 1, 0, 0, 0.8414709848078965},
      {"cos(x0)", 1, 0, 0, 0.5403023058681398},
      {"tan(x0)", 1, 0, 0, 1.557407724654902},
      {"asin(x0)", 0.5, 0, 0, 0.5235987755982989},
      {"acos(x0)", 0.5, 0, 0, 1.0471975511965979},
      {"atan(x0)", 1, 0, 0, 0.7853981633974483},
      {"sinh(x0)", 1, 0, 0, 1.1752011936438014},
      {"cosh(x0)", 1, 0, 0, 1.5430806348152437},
      {"tanh(x0)", 0.5, 0, 0, 0.46211715726000973},
      {"asinh(x0)", 1, 0, 0, 0.881373587019543},
      {"acosh(x0)", 2, 0, 0, 1.3169578969248166},
      {"atanh(x0)", 0.5, 0, 0, 0.5493061443340549},
      {"relu(x0)", -1, 0, 0, 0},
      {"relu(x0)", 2, 0, 0, 2},
      {"relu(x0)", nan, 0, 0, nan},
      {"sigmoid(x0)", 1, 0, 0, 0.7310585786300049},
      {"sigmoid(x0)", -200, 0, 0, 0},
      {"silu(x0)", 1, 0, 0, 0.7310585786300049},
      {"gelu(x0)", 1, 0, 0, 0.8413447460685429},
      {"gelu_tanh(x0)", 1, 0, 0, 0.8411919906082768},
      {"hard_swish(x0)", 1, 0, 0, 0.6666666666666666},
      {"hard_swish(x0)", 4, 0, 0, 4},
      {"hard_swish(x0)", -4, 0, 0, -0.0},
      {"softplus(x0)", 1, 0, 0, 1.3132616875182228},
      {"softplus(x0)", 80, 0, 0, 80},
      {"softplus(x0)", -80, 0, 0, 0},
      {"clip(x0,x1,x2)", 5, 0, 3, 3},
      {"clip(x0,x1,x2)", -5, 0, 3, 0},
      {"clip(x0,x1,x2)", 1, 3, 2, 2},
      {"clip(x0,x1,x2)", nan, 0, 1, nan},
      {"fma(x0,x1,x2)", 2, 3, 4, 10},
      {"equal(x0,x1)", 2, 2, 0, 1},
      {"equal(x0,x1)", nan, nan, 0, 0},
      {"less(x0,x1)", 1, 2, 0, 1},
      {"less(x0,x1)", 2, 2, 0, 0},
      {"less_equal(x0,x1)", 2, 2, 0, 1},
      {"greater(x0,x1)", 3, 2, 0, 1},
      {"greater(x0,x1)", nan, 2, 0, 0},
      {"greater_equal(x0,x1)", 2, 2, 0, 1},
      {"is_nan(x0)", nan, 0, 0, 1},
      {"is_nan(x0)", inf, 0, 0, 0},
      {"is_inf_positive(x0)", inf, 0, 0, 1},
      {"is_inf_positive(x0)", -inf, 0, 0, 0},
      {"is_inf_negative(x0)", -inf, 0, 0, 1},
      {"select(less(x0,x1),x1,x2)", 1, 2, 3, 2},
      {"select(less(x0,x1),x1,x2)", 2, 2, 3, 3},
  };
  static const struct {
    pelton_dtype dtype;
    double relative, tiny;
  } types[] = {{PELTON_DTYPE_F64, 1e-14, 1e-34},
               {PELTON_DTYPE_F32, 3e-7, 1e-34},
               {PELTON_DTYPE_F16, 1e-3, 1e-7},
               {PELTON_DTYPE_BF16, 8e-3, 1e-34}};
  begin();
  for (size_t t = 0; t < PN_COUNT(types); t++)
    for (size_t i = 0; i < PN_COUNT(cases); i++) {
      const double values[3] = {cases[i].a, cases[i].b, cases[i].c};
      double got = evaluate(cases[i].text, types[t].dtype, values, 3, NULL), want = cases[i].want;
      bool same = isnan(want)   ? isnan(got) != 0
                  : isinf(want) ? got == want
                                : fabs(got - want) <= types[t].relative * fabs(want) + types[t].tiny;
      if (want == 0 && got == 0) same = !signbit(want) == !signbit(got);
      if (!same) EXPECT_STR(cases[i].text, pelton_dtype_name(types[t].dtype)); /* names what is wrong */
      EXPECT(same);
    }
  end();
}

TEST(every_integer_operation) {
  static const struct {
    const char *text;
    pelton_dtype dtype;
    double a, b, c;
    int64_t want;
  } cases[] = {
      {"add(x0,x1)", PELTON_DTYPE_I8, 127, 1, 0, -128},
      {"sub(x0,x1)", PELTON_DTYPE_U8, 0, 1, 0, 255},
      {"mul(x0,x1)", PELTON_DTYPE_I16, 300, 300, 0, 24464},
      {"add(x0,x1)", PELTON_DTYPE_U16, 65535, 1, 0, 0},
      {"add(x0,x1)", PELTON_DTYPE_I32, 2147483647, 1, 0, INT32_MIN},
      {"mul(x0,x1)", PELTON_DTYPE_U32, 65536, 65536, 0, 0},
      {"add(x0,x1)", PELTON_DTYPE_I64, 9223372036854774784.0, 1024, 0, INT64_MIN},
      {"neg(x0)", PELTON_DTYPE_U64, 1, 0, 0, -1},
      {"neg(x0)", PELTON_DTYPE_I8, -128, 0, 0, -128},
      {"div(x0,x1)", PELTON_DTYPE_I32, -7, 2, 0, -3},
      {"div(x0,x1)", PELTON_DTYPE_I32, 7, 0, 0, 0},
      {"div(x0,x1)", PELTON_DTYPE_I32, -2147483648.0, -1, 0, INT32_MIN},
      {"div(x0,x1)", PELTON_DTYPE_I64, -9223372036854775808.0, -1, 0, INT64_MIN},
      {"div(x0,x1)", PELTON_DTYPE_I8, -128, -1, 0, -128},
      {"div(x0,x1)", PELTON_DTYPE_U64, 18446744073709549568.0, 2, 0, 9223372036854774784},
      {"mod(x0,x1)", PELTON_DTYPE_I32, -7, 3, 0, 2},
      {"mod(x0,x1)", PELTON_DTYPE_I32, 7, -3, 0, -2},
      {"mod(x0,x1)", PELTON_DTYPE_I32, 7, 0, 0, 0},
      {"mod(x0,x1)", PELTON_DTYPE_I64, -9223372036854775808.0, -1, 0, 0},
      {"mod(x0,x1)", PELTON_DTYPE_U8, 250, 7, 0, 5},
      {"fmod(x0,x1)", PELTON_DTYPE_I32, -7, 3, 0, -1},
      {"fmod(x0,x1)", PELTON_DTYPE_I16, 7, -3, 0, 1},
      {"pow(x0,x1)", PELTON_DTYPE_I64, 3, 39, 0, 4052555153018976267},
      {"pow(x0,x1)", PELTON_DTYPE_I32, 2, 31, 0, INT32_MIN},
      {"pow(x0,x1)", PELTON_DTYPE_I32, 5, 0, 0, 1},
      {"pow(x0,x1)", PELTON_DTYPE_I32, 2, -1, 0, 0},
      {"pow(x0,x1)", PELTON_DTYPE_I32, -1, -3, 0, -1},
      {"pow(x0,x1)", PELTON_DTYPE_U8, 3, 6, 0, 217},
      {"min(x0,x1)", PELTON_DTYPE_U64, 18446744073709549568.0, 3, 0, 3},
      {"max(x0,x1)", PELTON_DTYPE_I8, -5, 3, 0, 3},
      {"abs(x0)", PELTON_DTYPE_I16, -32768, 0, 0, -32768},
      {"abs(x0)", PELTON_DTYPE_I64, -5, 0, 0, 5},
      {"sign(x0)", PELTON_DTYPE_I8, -5, 0, 0, -1},
      {"sign(x0)", PELTON_DTYPE_U64, 18446744073709549568.0, 0, 0, 1},
      {"square(x0)", PELTON_DTYPE_I8, 12, 0, 0, -112},
      {"relu(x0)", PELTON_DTYPE_I32, -5, 0, 0, 0},
      {"clip(x0,x1,x2)", PELTON_DTYPE_I32, 9, 0, 5, 5},
      {"clip(x0,x1,x2)", PELTON_DTYPE_U8, 1, 2, 5, 2},
      {"fma(x0,x1,x2)", PELTON_DTYPE_U8, 16, 17, 1, 17},
      {"less(x0,x1)", PELTON_DTYPE_U64, 18446744073709549568.0, 1, 0, 0},
      {"less(x0,x1)", PELTON_DTYPE_I64, -1, 1, 0, 1},
      {"greater_equal(x0,x1)", PELTON_DTYPE_U32, 4294967295.0, 1, 0, 1},
      {"equal(x0,x1)", PELTON_DTYPE_I8, -1, 255, 0, 1},
      {"bit_and(x0,x1)", PELTON_DTYPE_U8, 12, 10, 0, 8},
      {"bit_or(x0,x1)", PELTON_DTYPE_I8, -128, 1, 0, -127},
      {"bit_xor(x0,x1)", PELTON_DTYPE_U16, 65535, 1, 0, 65534},
      {"bit_not(x0)", PELTON_DTYPE_U8, 1, 0, 0, 254},
      {"bit_not(x0)", PELTON_DTYPE_I32, 0, 0, 0, -1},
      {"shift_left(x0,x1)", PELTON_DTYPE_U8, 255, 4, 0, 240},
      {"shift_left(x0,x1)", PELTON_DTYPE_U8, 255, 8, 0, 0},
      {"shift_left(x0,x1)", PELTON_DTYPE_I8, -3, -1, 0, 0},
      {"shift_right(x0,x1)", PELTON_DTYPE_I8, -128, 3, 0, -16},
      {"shift_right(x0,x1)", PELTON_DTYPE_I8, -128, 8, 0, -1},
      {"shift_right(x0,x1)", PELTON_DTYPE_I32, -5, -1, 0, -1},
      {"shift_right(x0,x1)", PELTON_DTYPE_I32, 5, 32, 0, 0},
      {"shift_left(x0,x1)", PELTON_DTYPE_I32, 1, 31, 0, INT32_MIN},
      {"shift_left(x0,x1)", PELTON_DTYPE_I64, 1, 64, 0, 0},
      {"shift_right(x0,x1)", PELTON_DTYPE_U64, 18446744073709549568.0, 63, 0, 1},
      {"shift_right(x0,x1)", PELTON_DTYPE_U64, 1, 64, 0, 0},
      {"shift_right(x0,x1)", PELTON_DTYPE_I32, -8, 1, 0, -4},
      {"shift_right(x0,x1)", PELTON_DTYPE_I32, 8, -1, 0, 0},
      {"and(x0,x1)", PELTON_DTYPE_BOOL, 1, 0, 0, 0},
      {"or(x0,x1)", PELTON_DTYPE_BOOL, 1, 0, 0, 1},
      {"xor(x0,x1)", PELTON_DTYPE_BOOL, 1, 1, 0, 0},
      {"not(x0)", PELTON_DTYPE_BOOL, 0, 0, 0, 1},
      {"select(x0,x1,x2)", PELTON_DTYPE_BOOL, 0, 0, 1, 1},
      {"select(equal(x0,x1),x1,x2)", PELTON_DTYPE_U64, 3, 4, 18446744073709549568.0, -2048},
  };
  begin();
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    const double values[3] = {cases[i].a, cases[i].b, cases[i].c};
    int64_t got;
    evaluate(cases[i].text, cases[i].dtype, values, 3, &got);
    if (got != cases[i].want) EXPECT_STR(cases[i].text, pelton_dtype_name(cases[i].dtype)); /* names what is wrong */
    EXPECT_EQ(got, cases[i].want);
  }
  end();
}

TEST(casts) {
  static const struct {
    const char *text;
    pelton_dtype dtype;
    double in, want;
  } cases[] = {
      {"cast(x0,i8)", PELTON_DTYPE_F32, 3.9, 3},
      {"cast(x0,i8)", PELTON_DTYPE_F32, -3.9, -3},
      {"cast(x0,i8)", PELTON_DTYPE_F32, 1e9, 127},
      {"cast(x0,u8)", PELTON_DTYPE_F32, -1, 0},
      {"cast(x0,u8)", PELTON_DTYPE_F16, 300, 255},
      {"cast(x0,i32)", PELTON_DTYPE_F64, (double)NAN, 0},
      {"cast(x0,i64)", PELTON_DTYPE_F64, -1e300, -9223372036854775808.0},
      {"cast(x0,u64)", PELTON_DTYPE_F64, 1.5e19, 1.5e19},
      {"cast(x0,u64)", PELTON_DTYPE_F32, 1e30, 18446744073709551615.0},
      {"cast(x0,bool)", PELTON_DTYPE_F32, 0.25, 1},
      {"cast(x0,bool)", PELTON_DTYPE_F32, (double)NAN, 1},
      {"cast(x0,bool)", PELTON_DTYPE_I8, 0, 0},
      {"cast(x0,bool)", PELTON_DTYPE_U16, 256, 1},
      {"cast(x0,i8)", PELTON_DTYPE_I32, 200, -56},
      {"cast(x0,u32)", PELTON_DTYPE_I8, -1, 4294967295.0},
      {"cast(x0,f32)", PELTON_DTYPE_BOOL, 1, 1},
      {"cast(x0,f16)", PELTON_DTYPE_I32, 70000, (double)INFINITY},
      {"cast(x0,f16)", PELTON_DTYPE_F64, 1.0 + 0x1p-11 + 0x1p-40, 1.0 + 0x1p-10},
      {"cast(cast(x0,f32),f16)", PELTON_DTYPE_F64, 1.0 + 0x1p-11 + 0x1p-40, 1.0},
      {"cast(x0,f32)", PELTON_DTYPE_U64, 18446744073709549568.0, 0x1p64},
      {"cast(x0,f64)", PELTON_DTYPE_F16, 0.1, 0.0999755859375},
      {"cast(x0,bf16)", PELTON_DTYPE_F32, 3.14159, 3.140625},
      {"cast(add(cast(x0,i64),18014398509481985:i64),bf16)", PELTON_DTYPE_F32, 4611686018427387904.0,
       0x1p62 + 0x1p55}, /* rounded once */
      {"cast(cast(x0,f8e4m3fn),f32)", PELTON_DTYPE_F32, 1e6, 448},
      {"cast(cast(x0,f8e5m2),f32)", PELTON_DTYPE_F32, (double)INFINITY, 57344},
      {"cast(x0,f8e5m2,overflow)", PELTON_DTYPE_F32, 1e6, (double)INFINITY},
      {"cast(is_nan(cast(x0,f8e4m3fn,overflow)),f32)", PELTON_DTYPE_F16, -60000, 1},
      {"cast(x0,f32)", PELTON_DTYPE_F8E5M2, -(double)INFINITY, -(double)INFINITY},
      {"x0", PELTON_DTYPE_F8E5M2, (double)INFINITY, (double)INFINITY},
      {"cast(x0,f8e5m2)", PELTON_DTYPE_F64, 1.125 + 0x1p-40, 1.25}, /* rounded once */
      {"cast(x0,f8e5m2)", PELTON_DTYPE_I32, 3000000, 57344},
      {"cast(x0,f8e8m0)", PELTON_DTYPE_F32, 1.1, 2},
      {"cast(x0,f8e8m0,down)", PELTON_DTYPE_F32, 1.9, 1},
      {"cast(x0,f8e8m0,nearest)", PELTON_DTYPE_F32, 1.5, 2},
      {"cast(x0,f4e2m1)", PELTON_DTYPE_F32, -9, -6},
      {"add(x0,x0)", PELTON_DTYPE_F8E5M2, 49152, (double)INFINITY}, /* only casts saturate */
      {"cast(x0,i4)", PELTON_DTYPE_F32, -9.5, 7},
      {"cast(x0,u4)", PELTON_DTYPE_F32, -1, 15},
      {"cast(x0,i2)", PELTON_DTYPE_I32, 6, -2},
      {"cast(x0,u2)", PELTON_DTYPE_F32, (double)NAN, 0},
      {"cast(x0,i8)", PELTON_DTYPE_I4, -8, -8},
      {"add(x0,1:i4)", PELTON_DTYPE_I4, 7, -8},
  };
  begin();
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    double got = evaluate(cases[i].text, cases[i].dtype, &cases[i].in, 1, NULL);
    if (got != cases[i].want) EXPECT_STR(cases[i].text, "");
    EXPECT(got == cases[i].want);
  }
  end();
}

/* f16 is rounded after each step: 2048 + 1 is 2048 again, twice. */
TEST(half_rounds_every_step) {
  begin();
  const double values[3] = {2048, 1, -2048};
  EXPECT(evaluate("add(add(x0,x1),x1)", PELTON_DTYPE_F16, values, 3, NULL) == 2048);
  EXPECT(evaluate("fma(x1,add(x1,0.0009765625:f16),x2)", PELTON_DTYPE_F16, values, 3, NULL) == -2047);
  const double near[3] = {1.0009765625, 1.0009765625, -1.001953125};
  EXPECT(evaluate("fma(x0,x1,x2)", PELTON_DTYPE_F16, near, 3, NULL) == 0); /* a fused one would give 2^-20 */
  const double near_f32[3] = {1.0 + 0x1p-12, 1.0 + 0x1p-12, -1.0 - 0x1p-11};
  EXPECT(evaluate("fma(x0,x1,x2)", PELTON_DTYPE_F32, near_f32, 3, NULL) == 0);
  end();
}

/* Several runs, broadcasting over inner, middle and outer axes, against plain indexing. */
TEST(broadcasting) {
  enum { A = 3, B = 17, C = 23 };
  static float x[A * B * C], row[C], column[B], out[A * B * C];
  begin();
  for (int i = 0; i < A * B * C; i++) x[i] = (float)i;
  for (int i = 0; i < C; i++) row[i] = (float)(1000 * i);
  for (int i = 0; i < B; i++) column[i] = (float)(0.5 * i);
  float scalar = 7;
  pn_attrs_pointwise attrs = {.expr = parsed("sub(add(add(x0,x1),x2),x3)")};
  pn_tensor in[4] = {{PELTON_DTYPE_F32, 3, {A, B, C}, x}, {PELTON_DTYPE_F32, 1, {C}, row},
                     {PELTON_DTYPE_F32, 2, {B, 1}, column}, {PELTON_DTYPE_F32, 0, {0}, &scalar}};
  pn_tensor result = {PELTON_DTYPE_F32, 3, {A, B, C}, out};
  pn_call call = {
      .attrs = &attrs, .input_count = 4, .output_count = 1, .in = in, .out = &result, .scratch = &arena, .diag = &diag};
  REQUIRE_OK(pn_reference_pointwise(&call), &diag);
  int wrong = 0;
  for (int a = 0; a < A; a++)
    for (int b = 0; b < B; b++)
      for (int c = 0; c < C; c++) {
        int i = (a * B + b) * C + c;
        wrong += out[i] != x[i] + row[c] + column[b] - 7;
      }
  EXPECT_EQ(wrong, 0);
  result.dims[1] = in[0].dims[1] = 0; /* no elements at all */
  in[2].dims[0] = 1;
  REQUIRE_OK(pn_reference_pointwise(&call), &diag);
  end();
}

/* ---- inference ------------------------------------------------------------------------------------------------- */

typedef struct inference {
  pn_symbols symbols;
  pn_attrs_pointwise attrs;
  pn_fact in[3], out;
  pn_infer call;
} inference;

static void inference_init(inference *t, const char *text, uint32_t inputs) {
  memset(t, 0, sizeof *t);
  pn_symbols_init(&t->symbols, &arena);
  t->attrs.expr = parsed(text);
  t->call = (pn_infer){.attrs = &t->attrs, .input_count = inputs, .output_count = 1, .in = t->in, .out = &t->out,
                       .symbols = &t->symbols, .arena = &arena, .diag = &diag};
  for (uint32_t i = 0; i < inputs; i++) t->in[i].present = true;
}

static pn_dim dim(inference *t, const char *text) {
  pn_dim d;
  REQUIRE_OK(pn_dim_parse(&t->symbols, pn_str_from(text), &d, &diag), &diag);
  return d;
}

/* "f32[n,3]", or its contents "[n,3]" when known. */
static void expect_fact(inference *t, const char *type, const char *content) {
  pn_text text;
  pn_text_init(&text, NULL);
  pn_type_print(&t->symbols, &t->out.type, &text);
  EXPECT_STR(text.data, type);
  text.size = 0;
  pn_text_add(&text, PN_STR(""));
  if (t->out.content)
    for (int64_t i = 0; i < (t->out.type.rank ? t->out.type.dims[0].number : 1); i++) {
      pn_text_add(&text, i ? PN_STR(",") : PN_STR(""));
      pn_dim_print(&t->symbols, t->out.content[i], &text);
    }
  else
    pn_text_add(&text, PN_STR("unknown"));
  EXPECT_STR(text.data, content);
  pn_text_deinit(&text);
}

TEST(inferred_types) {
  static const struct {
    const char *a[4], *b[4], *wants;
  } cases[] = {
      {{"2", "3", NULL}, {"3", NULL}, "f32[2,3]"},
      {{"n", "3", NULL}, {"n", "1", NULL}, "f32[n,3]"},
      {{"1", "h", NULL}, {"n", "1", "1", NULL}, "f32[n,1,h]"},
      {{"n", NULL}, {"5", NULL}, "f32[5]"},
      {{"n", NULL}, {"1", NULL}, "f32[n]"},
      {{"n", NULL}, {"m", NULL}, "f32[m*n/min(m,n)]"},
      {{"n+1", NULL}, {"m+2", NULL}, "f32[max(m+2,n+1)]"},
      {{"0", NULL}, {"1", NULL}, "f32[0]"},
      {{NULL}, {"7", NULL}, "f32[7]"},
  };
  begin();
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    inference t;
    inference_init(&t, "add(x0,x1)", 2);
    t.in[0].type.dtype = t.in[1].type.dtype = PELTON_DTYPE_F32;
    for (; cases[i].a[t.in[0].type.rank]; t.in[0].type.rank++)
      t.in[0].type.dims[t.in[0].type.rank] = dim(&t, cases[i].a[t.in[0].type.rank]);
    for (; cases[i].b[t.in[1].type.rank]; t.in[1].type.rank++)
      t.in[1].type.dims[t.in[1].type.rank] = dim(&t, cases[i].b[t.in[1].type.rank]);
    REQUIRE_OK(pn_check_pointwise(&t.call), &diag);
    REQUIRE_OK(pn_infer_pointwise(&t.call), &diag);
    expect_fact(&t, cases[i].wants, "unknown");
  }
  inference t;
  inference_init(&t, "less(x0,x1)", 2);
  t.in[0].type = pn_type_make(PELTON_DTYPE_F32, 2, (const int64_t[]){2, 3});
  t.in[1].type = pn_type_make(PELTON_DTYPE_F32, 1, (const int64_t[]){4});
  EXPECT_EQ(pn_infer_pointwise(&t.call), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "f32[2,3] and f32[4] do not broadcast");
  t.in[1].type.rank = PN_RANK_UNKNOWN;
  pelton_diag_init(&diag);
  REQUIRE_OK(pn_infer_pointwise(&t.call), &diag);
  expect_fact(&t, "bool[*]", "unknown");
  end();
}

TEST(checks) {
  begin();
  inference t;
  inference_init(&t, "add(x0,x2)", 2);
  t.in[0].type.dtype = t.in[1].type.dtype = PELTON_DTYPE_F32;
  EXPECT_EQ(pn_check_pointwise(&t.call), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "pointwise reads operand x2 but has only 2 operands");
  inference_init(&t, "x0", 2);
  t.in[1].present = false;
  EXPECT_EQ(pn_check_pointwise(&t.call), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 1), "operand 1 of pointwise is absent");
  t.attrs.expr = NULL;
  EXPECT_EQ(pn_check_pointwise(&t.call), PELTON_INVALID_ARGUMENT);
  end();
}

TEST(contents_stay_symbolic) {
  static const struct {
    const char *text, *a, *b, *wants; /* operands: [n, 7] and [h+1] or a constant */
  } cases[] = {
      {"add(x0,x1)", "n", "h+1", "h+n+1,h+8"},
      {"sub(x0,x1)", "n", "n", "0,7-n"},
      {"mul(x0,x1)", "n", "2", "n*2,14"},
      {"div(x0,x1)", "n*2", "2", "n,3"},
      {"div(x0,x1)", "n-3", "2", "unknown"},
      {"mod(x0,x1)", "n*2", "2", "0,1"},
      {"min(x0,x1)", "n", "7", "min(n,7),7"},
      {"relu(x0)", "n", "7", "n,7"},
      {"equal(x0,x1)", "n", "-1", "0,0"},
      {"equal(x0,x1)", "n", "n", "unknown"}, /* 7 == n? */
      {"equal(x0,7:i64)", "n+8", "0", "0,1"},
      {"select(equal(x0,-1:i64),x1,x0)", "n", "5", "n,7"},
      {"select(less(x0,x1),x0,x0)", "n", "5", "n,7"},
      {"select(less(x0,x1),x0,x1)", "n", "5", "unknown"},
      {"cast(greater(x0,-2:i64),i64)", "n", "5", "1,1"},
      {"not(less_equal(x0,x1))", "n+9", "7", "1,0"},
      {"and(less(x0,x1),less(x0,-5:i64))", "n", "5", "0,0"},
      {"cast(cast(x0,f32),i64)", "n", "5", "unknown"},
      {"cast(x0,i32)", "n", "5", "n,7"},
      {"clip(x0,1:i64,x1)", "n", "5", "min(max(n,1),5),5"},
      {"neg(abs(x0))", "n", "5", "-n,-7"},
      {"fma(x0,x1,x0)", "n", "3", "n*4,28"},
      {"cast(x0,bool)", "n+1", "3", "1,1"},
  };
  begin();
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    inference t;
    inference_init(&t, cases[i].text, 2);
    t.in[0].type = pn_type_make(PELTON_DTYPE_I64, 1, (const int64_t[]){2});
    t.in[1].type = pn_type_make(PELTON_DTYPE_I64, 1, (const int64_t[]){1});
    pn_dim a[2] = {dim(&t, cases[i].a), pn_dim_of(7)}, b = dim(&t, cases[i].b);
    t.in[0].content = a;
    int64_t number = b.number; /* a number as data, a symbol as content */
    if (pn_dim_is_number(b))
      t.in[1].data = &number;
    else
      t.in[1].content = &b;
    REQUIRE_OK(pn_check_pointwise(&t.call), &diag);
    REQUIRE_OK(pn_infer_pointwise(&t.call), &diag);
    pelton_dtype steps[PN_EXPR_MAX_STEPS];
    REQUIRE_OK(pn_expr_types(t.attrs.expr, (const pelton_dtype[]){PELTON_DTYPE_I64, PELTON_DTYPE_I64}, steps, &diag),
               &diag);
    char type[32] = "";
    strcat(strcat(type, pelton_dtype_name(steps[t.attrs.expr->step_count - 1])), "[2]");
    expect_fact(&t, type, cases[i].wants);
  }
  end();
}

TEST(helpers_of_infer) {
  begin();
  inference t;
  inference_init(&t, "x0", 2);
  const int32_t data[2] = {3, -4};
  t.in[0].type = pn_type_make(PELTON_DTYPE_I32, 1, (const int64_t[]){2});
  t.in[0].data = data;
  const pn_dim *dims;
  const int64_t *numbers;
  uint32_t count, axis;
  EXPECT(pn_infer_content(&t.call, 0, &dims, &count) && count == 2 && pn_dim_is(dims[1], -4));
  EXPECT(pn_infer_numbers(&t.call, 0, &numbers, &count) && count == 2 && numbers[0] == 3 && numbers[1] == -4);
  pn_dim symbolic[2] = {pn_dim_of(5), dim(&t, "n")};
  t.in[0].data = NULL;
  t.in[0].content = symbolic;
  EXPECT(pn_infer_content(&t.call, 0, &dims, &count) && pn_dim_equal(dims[1], symbolic[1]));
  EXPECT(!pn_infer_numbers(&t.call, 0, &numbers, &count));
  EXPECT(!pn_infer_content(&t.call, 1, &dims, &count) && !pn_infer_content(&t.call, 2, &dims, &count));
  EXPECT(pn_infer_axis(&t.call, -1, 4, &axis) == PELTON_OK && axis == 3);
  EXPECT_EQ(pn_infer_axis(&t.call, 4, 4, &axis), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "axis 4 is out of range for rank 4: it must be in [-4, 3]");
  EXPECT_EQ(pn_infer_axis(&t.call, 0, 0, &axis), PELTON_INVALID_ARGUMENT);
  pn_infer_unknown(&t.call, 0, PELTON_DTYPE_F32, 2);
  expect_fact(&t, "f32[?1,?2]", "unknown");
  pn_infer_unknown(&t.call, 0, PELTON_DTYPE_F32, PN_RANK_UNKNOWN);
  expect_fact(&t, "f32[*]", "unknown");
  end();
}

TEST(out_of_memory) {
  harness_allocator a;
  uint64_t n = 0;
  pelton_status status;
  do {
    pn_arena mine;
    const pn_expr *expr;
    pn_arena_init(&mine, harness_allocator_init(&a, ++n));
    status = pn_expr_parse(PN_STR("t0=sigmoid(x0);mul(x0,t0)"), &mine, &expr, NULL);
    if (!status) {
      float x = 1, y;
      pn_attrs_pointwise attrs = {.expr = expr};
      pn_tensor in = {PELTON_DTYPE_F32, 0, {0}, &x}, out = {PELTON_DTYPE_F32, 0, {0}, &y};
      pn_call call = {.attrs = &attrs, .input_count = 1, .output_count = 1, .in = &in, .out = &out, .scratch = &mine};
      status = pn_reference_pointwise(&call);
    }
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    pn_arena_deinit(&mine);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
  EXPECT(n > 2);
}

TEST_MAIN(T(every_float_operation), T(every_integer_operation), T(casts), T(half_rounds_every_step), T(broadcasting),
          T(inferred_types), T(checks), T(contents_stay_symbolic), T(helpers_of_infer), T(out_of_memory))
