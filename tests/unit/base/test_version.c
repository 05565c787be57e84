/* src/base/version.c: every code and type has its own name, and values that are none are answered, not followed. */
#include "harness.h"

#include <stdio.h>

TEST(version_is_that_of_the_header) {
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", PELTON_VERSION_MAJOR, PELTON_VERSION_MINOR, PELTON_VERSION_PATCH);
  EXPECT_STR(pelton_version(), text);
  EXPECT_STR(PELTON_VERSION_STRING, text);
}

TEST(status_names) {
  EXPECT_STR(pelton_status_name(PELTON_OK), "ok");
  EXPECT_STR(pelton_status_name(PELTON_INVALID_DATA), "invalid data");
  EXPECT_STR(pelton_status_name(PELTON_INTERNAL), "internal error");
  for (int a = PELTON_OK; a <= PELTON_CANCELLED; a++)
    for (int b = PELTON_OK; b < a; b++)
      EXPECT(strcmp(pelton_status_name((pelton_status)a), pelton_status_name((pelton_status)b)) != 0);
}

TEST(dtypes) {
  static const struct {
    pelton_dtype dtype;
    const char *name;
    size_t bytes;
  } expected[] = {
      {PELTON_DTYPE_F32, "f32", 4}, {PELTON_DTYPE_F16, "f16", 2}, {PELTON_DTYPE_BF16, "bf16", 2},
      {PELTON_DTYPE_F64, "f64", 8}, {PELTON_DTYPE_I8, "i8", 1},   {PELTON_DTYPE_U8, "u8", 1},
      {PELTON_DTYPE_I16, "i16", 2}, {PELTON_DTYPE_U16, "u16", 2}, {PELTON_DTYPE_I32, "i32", 4},
      {PELTON_DTYPE_U32, "u32", 4}, {PELTON_DTYPE_I64, "i64", 8}, {PELTON_DTYPE_U64, "u64", 8},
      {PELTON_DTYPE_BOOL, "bool", 1},
      {PELTON_DTYPE_F8E4M3FN, "f8e4m3fn", 1},
      {PELTON_DTYPE_F8E4M3FNUZ, "f8e4m3fnuz", 1},
      {PELTON_DTYPE_F8E5M2, "f8e5m2", 1},
      {PELTON_DTYPE_F8E5M2FNUZ, "f8e5m2fnuz", 1},
      {PELTON_DTYPE_F8E8M0, "f8e8m0", 1},
      {PELTON_DTYPE_F4E2M1, "f4e2m1", 1},
      {PELTON_DTYPE_I4, "i4", 1},   {PELTON_DTYPE_U4, "u4", 1},   {PELTON_DTYPE_I2, "i2", 1},
      {PELTON_DTYPE_U2, "u2", 1},   {PELTON_DTYPE_STRING, "string", sizeof(pelton_string)},
      {PELTON_DTYPE_TENSOR, "tensor", sizeof(void *)},
  };
  EXPECT_EQ(sizeof expected / sizeof expected[0], PELTON_DTYPE_COUNT - 1);
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    EXPECT_STR(pelton_dtype_name(expected[i].dtype), expected[i].name);
    EXPECT_EQ(pelton_dtype_bytes(expected[i].dtype), expected[i].bytes);
  }
}

TEST(values_that_are_none) {
  EXPECT_STR(pelton_status_name((pelton_status)99), "unknown status");
  EXPECT_STR(pelton_dtype_name(PELTON_DTYPE_COUNT), "?");
  EXPECT_STR(pelton_dtype_name((pelton_dtype)1000000), "?");
  EXPECT_EQ(pelton_dtype_bytes(PELTON_DTYPE_COUNT), 0);
  EXPECT_EQ(pelton_dtype_bytes(PELTON_DTYPE_NONE), 0);
}

TEST_MAIN(T(version_is_that_of_the_header), T(status_names), T(dtypes), T(values_that_are_none))
