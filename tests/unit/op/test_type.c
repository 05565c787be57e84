/* Types, concrete dims, elements, and the 16-bit floats: every one of their values, and the rounding of what lies at,
   just below and just above the middle of every neighbouring pair. */
#include "harness.h"
#include "op/type.h"

#include <math.h>

TEST(types) {
  pn_arena arena;
  pn_symbols symbols;
  pn_text text;
  pn_arena_init(&arena, NULL);
  pn_symbols_init(&symbols, &arena);
  pn_text_init(&text, NULL);
  pn_type a = pn_type_make(PELTON_DTYPE_F32, 3, (const int64_t[]){2, 3, 4}), b = a;
  EXPECT(pn_type_equal(&a, &b) && pn_type_is_static(&a));
  EXPECT_EQ(pn_type_elements(&symbols, &a).number, 24);
  b.dims[1] = pn_dim_named(&symbols, PN_STR("h"));
  EXPECT(!pn_type_equal(&a, &b) && !pn_type_is_static(&b));
  pn_dim_print(&symbols, pn_type_elements(&symbols, &b), &text);
  pn_text_add(&text, PN_STR(" "));
  pn_type_print(&symbols, &b, &text);
  pn_type scalar = pn_type_make(PELTON_DTYPE_I64, 0, NULL),
          unknown = {.dtype = PELTON_DTYPE_NONE, .rank = PN_RANK_UNKNOWN};
  pn_text_add(&text, PN_STR(" "));
  pn_type_print(&symbols, &scalar, &text);
  pn_text_add(&text, PN_STR(" "));
  pn_type_print(&symbols, &unknown, &text);
  EXPECT_STR(text.data, "h*8 f32[2,h,4] i64[] ?[*]");
  EXPECT_EQ(pn_type_elements(&symbols, &scalar).number, 1);
  EXPECT(!pn_type_is_static(&unknown) && !pn_dim_is_number(pn_type_elements(&symbols, &unknown)));
  pn_text_deinit(&text);
  pn_arena_deinit(&arena);
}

TEST(concrete_dims) {
  int64_t count, strides[3];
  EXPECT(pn_dims_elements(3, (const int64_t[]){2, 3, 4}, 4, &count) && count == 24);
  EXPECT(pn_dims_elements(0, NULL, 8, &count) && count == 1);
  EXPECT(pn_dims_elements(2, (const int64_t[]){0, 5}, 8, &count) && count == 0);
  EXPECT(!pn_dims_elements(2, (const int64_t[]){2, -1}, 1, &count));
  EXPECT(!pn_dims_elements(2, (const int64_t[]){0, -1}, 1, &count));
  EXPECT(pn_dims_elements(1, (const int64_t[]){INT64_C(1) << 60}, 4, &count));
  EXPECT(!pn_dims_elements(1, (const int64_t[]){(INT64_C(1) << 60) + 1}, 4, &count));
  EXPECT(!pn_dims_elements(3, (const int64_t[]){INT64_MAX, INT64_MAX, 0}, 1, &count));
  pn_dims_strides(3, (const int64_t[]){2, 3, 4}, strides);
  EXPECT(strides[0] == 12 && strides[1] == 4 && strides[2] == 1);
  pn_tensor tensor = {.dtype = PELTON_DTYPE_F32, .rank = 2, .dims = {3, 5}};
  EXPECT_EQ(pn_tensor_elements(&tensor), 15);
}

TEST(dtypes) {
  int floats = 0, integers = 0, is_signed = 0;
  for (int d = PELTON_DTYPE_NONE + 1; d < PELTON_DTYPE_COUNT; d++) {
    pelton_dtype dtype = (pelton_dtype)d, found;
    EXPECT(pn_dtype_parse(pn_str_from(pelton_dtype_name(dtype)), &found) && found == dtype);
    floats += pn_dtype_is_float(dtype);
    integers += pn_dtype_is_integer(dtype);
    is_signed += pn_dtype_is_signed(dtype);
  }
  EXPECT(floats == 10 && integers == 12 && is_signed == 15);
  pelton_dtype none;
  EXPECT(!pn_dtype_parse(PN_STR("f8"), &none) && !pn_dtype_parse(PN_STR("?"), &none) &&
         !pn_dtype_parse(PN_STR(""), &none));
}

TEST(elements) {
  uint64_t storage[3] = {0, 0, 0};
  static const struct {
    pelton_dtype dtype;
    int64_t in, out; /* stored and loaded as integers */
    double in_f64, out_f64;
  } cases[] = {
      {PELTON_DTYPE_I8, 200, -56, 200.9, -56},
      {PELTON_DTYPE_U8, -1, 255, -1.5, 255},
      {PELTON_DTYPE_I16, 40000, -25536, -3.99, -3},
      {PELTON_DTYPE_U16, 65537, 1, 65537.0, 1},
      {PELTON_DTYPE_I32, INT64_C(1) << 31, INT32_MIN, 2147483648.0, INT32_MIN},
      {PELTON_DTYPE_U32, -1, UINT32_MAX, 4294967295.0, 4294967295.0},
      {PELTON_DTYPE_I64, INT64_MIN, INT64_MIN, 1e300, 9223372036854775807.0},
      {PELTON_DTYPE_U64, -1, -1, 1.5e19, 1.5e19},
      {PELTON_DTYPE_BOOL, 7, 1, 0.5, 1},
      {PELTON_DTYPE_F32, 16777217, 16777216, 0.1, (double)0.1f},
      {PELTON_DTYPE_F16, 2049, 2048, 65520.0, INFINITY},
      {PELTON_DTYPE_BF16, 257, 256, 1.00390625, 1.0},
      {PELTON_DTYPE_F64, 3, 3, 0.1, 0.1},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    pn_tensor tensor = {.dtype = cases[i].dtype, .rank = 1, .dims = {2}, .data = storage};
    memset(storage, 0x5a, sizeof storage);
    pn_tensor_set_i64(&tensor, 1, cases[i].in);
    EXPECT_EQ(pn_tensor_get_i64(&tensor, 1), cases[i].out);
    pn_tensor_set_f64(&tensor, 1, cases[i].in_f64);
    EXPECT(pn_tensor_get_f64(&tensor, 1) == cases[i].out_f64);
    if (!pn_dtype_is_float(cases[i].dtype) && cases[i].dtype != PELTON_DTYPE_BOOL) {
      pn_tensor_set_f64(&tensor, 1, (double)NAN);
      EXPECT_EQ(pn_tensor_get_i64(&tensor, 1), 0);
    }
    uint8_t untouched = ((uint8_t *)storage)[0], behind = ((uint8_t *)storage)[2 * pelton_dtype_bytes(cases[i].dtype)];
    EXPECT(untouched == 0x5a && behind == 0x5a);
  }
}

/* What |bits| mean, from the definition of the format. */
static double meaning(uint16_t bits, int fraction_bits) {
  int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
  int exponent = (bits & 0x7fff) >> fraction_bits, fraction = bits & ((1 << fraction_bits) - 1);
  double value = exponent ? ldexp(1.0 + ldexp(fraction, -fraction_bits), exponent - bias)
                          : ldexp(fraction, 1 - bias - fraction_bits);
  return bits & 0x8000 ? -value : value;
}

static void check_format(int fraction_bits, float (*to_f32)(uint16_t), uint16_t (*from_f32)(float),
                         uint16_t (*from_f64)(double)) {
  uint16_t infinity = (uint16_t)(0x7fff & ~((1 << fraction_bits) - 1));
  int wrong = 0;
  for (uint32_t i = 0; i < 0x10000; i++) {
    uint16_t bits = (uint16_t)i, magnitude = bits & 0x7fff;
    float value = to_f32(bits);
    if (magnitude > infinity) { /* NaN stays NaN, with its sign, and becomes quiet */
      uint16_t back = from_f32(value);
      wrong += !isnan(value) || (back & 0x7fff) <= infinity || (back & 0x8000) != (bits & 0x8000);
      wrong += !(back & (1 << (fraction_bits - 1)));
      continue;
    }
    if (magnitude == infinity)
      wrong += !isinf(value) || (value < 0) != (bits >> 15);
    else
      wrong += (double)value != meaning(bits, fraction_bits) || (signbit(value) != 0) != (bits >> 15);
    wrong += from_f32(value) != bits || from_f64((double)value) != bits;
    if (magnitude >= infinity) continue;
    /* The next value away from zero; beyond the largest, rounding acts as if the format went on. */
    double next = meaning((uint16_t)(magnitude + 1), fraction_bits), here = meaning(magnitude, fraction_bits);
    if (magnitude + 1 == infinity) next = here + (here - meaning((uint16_t)(magnitude - 1), fraction_bits));
    double middle = (here + next) / 2, sign = bits >> 15 ? -1 : 1;
    uint16_t up = (uint16_t)(bits + 1), even = magnitude & 1 ? up : bits;
    wrong += from_f64(sign * middle) != even;
    wrong += from_f64(sign * nextafter(middle, 0)) != bits;
    wrong += from_f64(sign * nextafter(middle, INFINITY)) != up;
    wrong += from_f32((float)(sign * middle)) != even;
    wrong += from_f32((float)sign * nextafterf((float)middle, 0)) != bits;
    wrong += from_f32((float)sign * nextafterf((float)middle, INFINITY)) != up;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(from_f64(1e300), infinity);
  EXPECT_EQ(from_f64(-1e300), infinity | 0x8000);
  EXPECT_EQ(from_f64(4e-320), 0);
  EXPECT_EQ(from_f64(-4e-320), 0x8000);
}

TEST(f16_every_value) { check_format(10, pn_f16_to_f32, pn_f16_from_f32, pn_f16_from_f64); }
TEST(bf16_every_value) { check_format(7, pn_bf16_to_f32, pn_bf16_from_f32, pn_bf16_from_f64); }

TEST(doubles_are_rounded_once) {
  /* Just above the middle of 1 and its neighbour: through f32 it would fall on the middle, and then to even. */
  double above = 1.0 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ(pn_f16_from_f64(above), 0x3c01);
  EXPECT_EQ(pn_f16_from_f32((float)above), 0x3c00);
  EXPECT_EQ(pn_bf16_from_f64(1.0 + 0x1p-8 + 0x1p-40), 0x3f81);
  EXPECT_EQ(pn_i64_from_f64(-0x1p63), INT64_MIN);
  EXPECT_EQ(pn_u64_from_f64(0x1p64), UINT64_MAX);
  EXPECT_EQ(pn_u64_from_f64(-0.5), 0);
}

TEST_MAIN(T(types), T(concrete_dims), T(dtypes), T(elements), T(f16_every_value), T(bf16_every_value),
          T(doubles_are_rounded_once))
