/* Elements of 8 bits and fewer: every code of every low float against the definition of its format, what lies at, just
   below and just above the middle of neighbours, the edges where casts saturate or overflow, integers of few bits. */
#include "harness.h"
#include "op/type.h"

#include <math.h>

typedef struct low_float {
  pelton_dtype dtype;
  int codes, fraction_bits, bias;
  int greatest;         /* the code of the greatest finite value */
  int infinity, nan;    /* codes without the sign; -1 for none */
  bool one_zero;        /* the code that would be -0 is NaN */
  double greatest_value;
} low_float;

static const low_float low_floats[] = {
    {PELTON_DTYPE_F8E4M3FN, 256, 3, 7, 0x7e, -1, 0x7f, false, 448},
    {PELTON_DTYPE_F8E4M3FNUZ, 256, 3, 8, 0x7f, -1, 0x80, true, 240},
    {PELTON_DTYPE_F8E5M2, 256, 2, 15, 0x7b, 0x7c, 0x7e, false, 57344},
    {PELTON_DTYPE_F8E5M2FNUZ, 256, 2, 16, 0x7f, -1, 0x80, true, 57344},
    {PELTON_DTYPE_F4E2M1, 16, 1, 1, 0x07, -1, -1, false, 6},
};

/* What a code without its sign means, as if all codes were finite. */
static double meaning(const low_float *f, int code) {
  int exponent = code >> f->fraction_bits, fraction = code & ((1 << f->fraction_bits) - 1);
  return exponent ? ldexp(1.0 + ldexp(fraction, -f->fraction_bits), exponent - f->bias)
                  : ldexp(fraction, 1 - f->bias - f->fraction_bits);
}

static bool same(double a, double b) {
  return isnan(a) ? isnan(b) != 0 : a == b && (signbit(a) != 0) == (signbit(b) != 0);
}

TEST(every_code) {
  for (size_t i = 0; i < PN_COUNT(low_floats); i++) {
    const low_float *f = &low_floats[i];
    int sign = f->codes / 2, wrong = 0;
    for (int bits = 0; bits < f->codes; bits++) {
      int code = bits & (sign - 1);
      double want = bits & sign ? -meaning(f, code) : meaning(f, code);
      if (code > f->greatest) want = code == f->infinity ? copysign(HUGE_VAL, want) : (double)NAN;
      if (f->one_zero && bits == sign) want = (double)NAN;
      double got = pn_low_float_to_f64(f->dtype, (uint8_t)bits);
      wrong += !same(got, want);
      wrong += f->codes == 16 && !same(pn_low_float_to_f64(f->dtype, (uint8_t)(bits | 0x50)), want);
      if (isnan(want)) continue;
      wrong += pn_low_float_nearest(f->dtype, got) != bits; /* infinity, too: what was loaded can be stored */
      wrong += pn_low_float_from_f64(f->dtype, got, PN_CAST_OVERFLOW) != bits;
    }
    EXPECT_EQ(wrong, 0);
    EXPECT(pn_low_float_max(f->dtype) == f->greatest_value && meaning(f, f->greatest) == f->greatest_value);
  }
}

TEST(every_middle) {
  for (size_t i = 0; i < PN_COUNT(low_floats); i++) {
    const low_float *f = &low_floats[i];
    int wrong = 0, sign = f->codes / 2;
    for (int code = 0; code < f->greatest; code++)
      for (int negative = 0; negative <= 1; negative++) {
        double middle = (meaning(f, code) + meaning(f, code + 1)) / 2, s = negative ? -1 : 1;
        int bit = negative ? sign : 0, low = code == 0 && f->one_zero ? 0 : code | bit, up = (code + 1) | bit;
        wrong += pn_low_float_from_f64(f->dtype, s * middle, PN_CAST_DEFAULT) != (code & 1 ? up : low);
        wrong += pn_low_float_from_f64(f->dtype, s * nextafter(middle, 0), PN_CAST_DEFAULT) != low;
        wrong += pn_low_float_from_f64(f->dtype, s * nextafter(middle, INFINITY), PN_CAST_DEFAULT) != up;
      }
    EXPECT_EQ(wrong, 0);
  }
}

/* ONNX's tables: the range's end, or infinity, or NaN where there is none. What rounds to the greatest is in range. */
TEST(out_of_range) {
  for (size_t i = 0; i < PN_COUNT(low_floats); i++) {
    const low_float *f = &low_floats[i];
    double step = f->greatest_value - meaning(f, f->greatest - 1), edge = f->greatest_value + step / 2;
    bool edge_is_in = f->greatest % 2 == 0; /* the middle goes to the even one */
    double beyond = f->infinity >= 0 ? HUGE_VAL : f->nan >= 0 ? (double)NAN : f->greatest_value;
    const struct {
      double value;
      bool inside;
    } cases[] = {{nextafter(edge, 0), true}, {edge, edge_is_in}, {nextafter(edge, INFINITY), false}, {1e6, false},
                 {1e300, false},             {HUGE_VAL, false}};
    for (size_t k = 0; k < PN_COUNT(cases); k++)
      for (int negative = 0; negative <= 1; negative++) {
        double s = negative ? -1 : 1, v = s * cases[k].value;
        uint8_t saturated = pn_low_float_from_f64(f->dtype, v, PN_CAST_DEFAULT);
        uint8_t overflown = pn_low_float_from_f64(f->dtype, v, PN_CAST_OVERFLOW);
        double want = s * (cases[k].inside ? f->greatest_value : beyond);
        EXPECT(pn_low_float_to_f64(f->dtype, saturated) == s * f->greatest_value);
        EXPECT(same(fabs(pn_low_float_to_f64(f->dtype, overflown)), fabs(want)));
        EXPECT(isnan(want) || pn_low_float_to_f64(f->dtype, overflown) == want);
      }
    uint8_t nan = pn_low_float_from_f64(f->dtype, (double)NAN, PN_CAST_DEFAULT);
    EXPECT_EQ(nan, f->nan >= 0 ? f->nan : 0x08);
    EXPECT_EQ(pn_low_float_from_f64(f->dtype, -0.0, PN_CAST_DEFAULT), f->one_zero ? 0 : f->codes / 2);
    EXPECT_EQ(pn_low_float_from_f64(f->dtype, -1e-300, PN_CAST_DEFAULT), f->one_zero ? 0 : f->codes / 2);
    EXPECT_EQ(pn_low_float_from_f64(f->dtype, 4e-320, PN_CAST_OVERFLOW), 0);
  }
  EXPECT_EQ(pn_low_float_nearest(PELTON_DTYPE_F8E5M2, 1e300), 0x7b);
  EXPECT_EQ(pn_low_float_nearest(PELTON_DTYPE_F8E5M2, -HUGE_VAL), 0xfc);
  EXPECT_EQ(pn_low_float_nearest(PELTON_DTYPE_F8E4M3FN, HUGE_VAL), 0x7e);
}

TEST(powers_of_two) {
  const pelton_dtype e8m0 = PELTON_DTYPE_F8E8M0;
  const pn_cast_mode nearest_overflow = (pn_cast_mode)(PN_CAST_NEAREST | PN_CAST_OVERFLOW);
  const pn_cast_mode modes[] = {PN_CAST_DEFAULT, PN_CAST_DOWN, PN_CAST_NEAREST, nearest_overflow};
  int wrong = 0;
  for (int code = 0; code < 255; code++) {
    double value = ldexp(1, code - 127), middle = 1.5 * value;
    wrong += pn_low_float_to_f64(e8m0, (uint8_t)code) != value;
    for (size_t m = 0; m < PN_COUNT(modes); m++) wrong += pn_low_float_from_f64(e8m0, value, modes[m]) != code;
    if (code == 254) continue;
    wrong += pn_low_float_from_f64(e8m0, nextafter(value, INFINITY), PN_CAST_DEFAULT) != code + 1;
    wrong += pn_low_float_from_f64(e8m0, nextafter(2 * value, 0), PN_CAST_DOWN) != code;
    wrong += pn_low_float_from_f64(e8m0, middle, PN_CAST_NEAREST) != code + 1;
    wrong += pn_low_float_from_f64(e8m0, nextafter(middle, 0), PN_CAST_NEAREST) != code;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT(isnan(pn_low_float_to_f64(e8m0, 255)) && pn_low_float_max(e8m0) == 0x1p127);
  static const double outside[] = {0, 1e-300, 0x1p128, HUGE_VAL};
  static const uint8_t ends[] = {0, 0, 254, 254};
  for (size_t i = 0; i < PN_COUNT(outside); i++) {
    EXPECT_EQ(pn_low_float_from_f64(e8m0, outside[i], PN_CAST_DEFAULT), ends[i]);
    EXPECT_EQ(pn_low_float_from_f64(e8m0, outside[i], PN_CAST_DOWN), ends[i]);
    EXPECT_EQ(pn_low_float_from_f64(e8m0, outside[i], nearest_overflow), 255);
  }
  for (size_t m = 0; m < PN_COUNT(modes); m++) EXPECT_EQ(pn_low_float_from_f64(e8m0, (double)NAN, modes[m]), 255);
}

TEST(integers_of_few_bits) {
  static const struct {
    pelton_dtype dtype;
    int bits, least, greatest;
  } cases[] = {{PELTON_DTYPE_I4, 4, -8, 7}, {PELTON_DTYPE_U4, 4, 0, 15}, {PELTON_DTYPE_I2, 2, -2, 1},
               {PELTON_DTYPE_U2, 2, 0, 3}};
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    uint8_t data[3] = {0x5a, 0, 0x5a};
    pn_tensor tensor = {.dtype = cases[i].dtype, .rank = 1, .dims = {3}, .data = data};
    int codes = cases[i].greatest - cases[i].least + 1;
    EXPECT_EQ(pn_dtype_bits(cases[i].dtype), cases[i].bits);
    EXPECT(pn_dtype_is_signed(cases[i].dtype) == (cases[i].least < 0) && pn_dtype_is_integer(cases[i].dtype));
    for (int value = cases[i].least; value <= cases[i].greatest; value++) {
      pn_tensor_set_i64(&tensor, 1, value + 5 * codes); /* wraps */
      EXPECT_EQ(pn_tensor_get_i64(&tensor, 1), value);
      EXPECT(pn_tensor_get_f64(&tensor, 1) == value);
      EXPECT_EQ(data[1], (uint8_t)value); /* sign-extended */
      data[1] ^= (uint8_t)codes;          /* a bit that is not the value's */
      EXPECT_EQ(pn_tensor_get_i64(&tensor, 1), value);
      pn_tensor_set_f64(&tensor, 1, value < 0 ? value - 0.75 : value + 0.75);
      EXPECT_EQ(pn_tensor_get_i64(&tensor, 1), value);
    }
    EXPECT(data[0] == 0x5a && data[2] == 0x5a);
  }
}

TEST(elements) {
  uint8_t data[2] = {0, 0x5a};
  for (int d = PELTON_DTYPE_F8E4M3FN; d <= PELTON_DTYPE_F4E2M1; d++) {
    pn_tensor tensor = {.dtype = (pelton_dtype)d, .rank = 1, .dims = {2}, .data = data};
    EXPECT(pn_dtype_is_float((pelton_dtype)d) && pn_dtype_is_low_float((pelton_dtype)d));
    EXPECT(!pn_dtype_is_wide_float((pelton_dtype)d));
    EXPECT(pn_dtype_is_signed((pelton_dtype)d) == (d != PELTON_DTYPE_F8E8M0));
    pn_tensor_set_f64(&tensor, 0, 3.9);
    EXPECT(pn_tensor_get_f64(&tensor, 0) == 4);
    EXPECT_EQ(pn_tensor_get_i64(&tensor, 0), 4);
    pn_tensor_set_i64(&tensor, 0, 2);
    EXPECT(pn_tensor_get_f64(&tensor, 0) == 2 && pn_dtype_round(tensor.dtype, 2.1) == 2 && data[1] == 0x5a);
  }
  EXPECT(!pn_dtype_is_low_float(PELTON_DTYPE_I4) && !pn_dtype_is_low_float(PELTON_DTYPE_BOOL));
  EXPECT(pn_dtype_round(PELTON_DTYPE_F16, 2049) == 2048 && pn_dtype_round(PELTON_DTYPE_F64, 0.1) == 0.1);
}

TEST(cast_modes) {
  for (uint32_t i = 0; i < PN_CAST_MODE_COUNT; i++) {
    pn_cast_mode mode = pn_cast_mode_at(i);
    EXPECT_EQ(pn_cast_mode_for(PELTON_DTYPE_F8E8M0, mode), mode);
    EXPECT_EQ(pn_cast_mode_for(PELTON_DTYPE_F8E5M2, mode), i % 2 ? PN_CAST_OVERFLOW : PN_CAST_DEFAULT);
    EXPECT_EQ(pn_cast_mode_for(PELTON_DTYPE_F4E2M1, mode), PN_CAST_DEFAULT);
    EXPECT_EQ(pn_cast_mode_for(PELTON_DTYPE_F16, mode), PN_CAST_DEFAULT);
  }
  EXPECT_STR(pn_cast_mode_name(PN_CAST_NEAREST | PN_CAST_OVERFLOW), "nearest_overflow");
  EXPECT_STR(pn_cast_mode_name(PN_CAST_MODE_COUNT), "?");
}

TEST_MAIN(T(every_code), T(every_middle), T(out_of_range), T(powers_of_two), T(integers_of_few_bits), T(elements),
          T(cast_modes))
