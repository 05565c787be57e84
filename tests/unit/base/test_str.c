/* Views, numbers and the growing text. */
#include "harness.h"

#include "base/str.h"

#include <float.h>
#include <locale.h>
#include <math.h>

TEST(views) {
  EXPECT_EQ(pn_str_from(NULL).size, 0);
  EXPECT(pn_str_equal(PN_STR("ab"), pn_str_from("ab")));
  EXPECT(!pn_str_equal(PN_STR("ab"), PN_STR("ac")));
  EXPECT(!pn_str_equal(PN_STR("ab"), PN_STR("abc")));
  EXPECT(pn_str_equal((pn_str){NULL, 0}, PN_STR("")));
  EXPECT(pn_str_is((pn_str){"conv2d", 4}, "conv"));
  EXPECT(!pn_str_is(PN_STR("conv"), "conv2d"));
  EXPECT(pn_str_starts(PN_STR("conv2d"), "conv"));
  EXPECT(pn_str_starts(PN_STR("conv"), "conv"));
  EXPECT(!pn_str_starts(PN_STR("con"), "conv"));
  EXPECT(pn_str_starts((pn_str){NULL, 0}, ""));
}

TEST(copies) {
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  EXPECT_STR(pn_str_copy(&arena, (pn_str){"abcdef", 3}), "abc");
  EXPECT_STR(pn_str_copy(&arena, (pn_str){NULL, 0}), "");
  EXPECT_STR(pn_str_printf(&arena, "%s_%d", "node", 12), "node_12");
  EXPECT_EQ(strlen(pn_str_printf(&arena, "%5000s", "x")), 5000);
  pn_arena_deinit(&arena);
}

TEST(integers) {
  static const struct { const char *text; bool ok; int64_t value; } cases[] = {
      {"0", true, 0}, {"-0", true, 0}, {"+7", true, 7}, {"-12", true, -12}, {"007", true, 7},
      {"9223372036854775807", true, INT64_MAX}, {"-9223372036854775808", true, INT64_MIN},
      {"9223372036854775808", false, 0}, {"-9223372036854775809", false, 0}, {"99999999999999999999", false, 0},
      {"", false, 0}, {"-", false, 0}, {"+", false, 0}, {" 1", false, 0}, {"1 ", false, 0}, {"1x", false, 0},
      {"0x10", false, 0}, {"--1", false, 0}, {"1.0", false, 0},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    int64_t value = 77;
    EXPECT_EQ(pn_str_to_i64(pn_str_from(cases[i].text), &value), cases[i].ok);
    EXPECT_EQ(value, cases[i].ok ? cases[i].value : 77);
  }
  int64_t value = 0;
  EXPECT(pn_str_to_i64((pn_str){"1234", 2}, &value) && value == 12); /* not NUL-terminated */
}

TEST(floats) {
  static const struct { const char *text; bool ok; double value; } cases[] = {
      {"0", true, 0}, {"1.5", true, 1.5}, {"-2.5e3", true, -2500}, {"+.5", true, 0.5}, {"5.", true, 5},
      {"1e-400", true, 0}, {"1E+2", true, 100}, {"1e400", false, 0}, {"", false, 0}, {".", false, 0}, {"e5", false, 0},
      {"1e", false, 0}, {"1e+", false, 0}, {"0x1p3", false, 0}, {" 1", false, 0}, {"1 ", false, 0}, {"1,5", false, 0},
      {"nan(1)", false, 0}, {"infinity", false, 0}, {"--1", false, 0}, {"1.2.3", false, 0},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    double value = 77;
    EXPECT_EQ(pn_str_to_f64(pn_str_from(cases[i].text), &value), cases[i].ok);
    EXPECT(value == (cases[i].ok ? cases[i].value : 77));
  }
  double value = 0;
  EXPECT(pn_str_to_f64(PN_STR("-inf"), &value) && isinf(value) && value < 0);
  EXPECT(pn_str_to_f64(PN_STR("nan"), &value) && isnan(value));
  EXPECT(pn_str_to_f64((pn_str){"1.25", 3}, &value) && value == 1.2);
}

static void expect_f32(float value, const char *text) {
  pn_text out;
  pn_text_init(&out, NULL);
  pn_text_f32(&out, value);
  EXPECT_STR(out.data, text);
  pn_text_deinit(&out);
}

TEST(prints_shortest) {
  expect_f32(0, "0.0");
  expect_f32(-0.0f, "-0.0");
  expect_f32(1, "1.0");
  expect_f32(-1.5f, "-1.5");
  expect_f32(0.1f, "0.1");
  expect_f32(1.0f / 3, "0.33333334");
  expect_f32(16777216, "16777216.0");
  expect_f32(1e10f, "1e10");
  expect_f32(1e-5f, "1e-5");
  expect_f32(1.5e-7f, "1.5e-7");
  expect_f32(FLT_MAX, "3.4028235e38");
  expect_f32(1.4e-45f, "1e-45");
  expect_f32((float)INFINITY, "inf");
  expect_f32((float)-INFINITY, "-inf");
  expect_f32((float)NAN, "nan");
}

/* A spread of all bit patterns reads back as the same bits, through double as the text IR does. */
static void expect_round_trips(void) {
  pn_text out;
  pn_text_init(&out, NULL);
  uint32_t bits = 0;
  for (int i = 0; i < 100000; i++) {
    bits += 2654435769u;
    float value;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    out.size = 0;
    pn_text_f32(&out, value);
    double back = 0;
    REQUIRE(pn_str_to_f64((pn_str){out.data, out.size}, &back));
    float narrow = (float)back;
    REQUIRE(memcmp(&narrow, &value, sizeof value) == 0);
    REQUIRE(strpbrk(out.data, ".e") != NULL);
  }
  pn_text_deinit(&out);
}

TEST(round_trips) { expect_round_trips(); }

TEST(locale_independent) {
  static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "de_DE"};
  bool found = false;
  for (size_t i = 0; i < PN_COUNT(names) && !found; i++)
    found = setlocale(LC_ALL, names[i]) && !strcmp(localeconv()->decimal_point, ",");
  if (!found) SKIP("no locale with a decimal comma is installed");
  expect_f32(0.5f, "0.5");
  pn_text out;
  pn_text_init(&out, NULL);
  pn_text_printf(&out, "%.2f", 1.25);
  EXPECT_STR(out.data, "1.25");
  pn_text_deinit(&out);
  double value = 0;
  EXPECT(pn_str_to_f64(PN_STR("1.25"), &value) && value == 1.25);
  setlocale(LC_ALL, "C");
}

TEST(text_grows) {
  pn_text out;
  pn_text_init(&out, NULL);
  EXPECT(out.data == NULL);
  pn_text_add(&out, PN_STR(""));
  EXPECT_STR(out.data, "");
  for (int i = 0; i < 1000; i++) pn_text_printf(&out, "%d,", i % 10);
  EXPECT_EQ(out.size, 2000);
  EXPECT_EQ(strlen(out.data), 2000);
  EXPECT(!strncmp(out.data + 1990, "5,6,7,8,9,", 10));
  pn_text_printf(&out, "%5000d", 3);
  EXPECT_EQ(out.size, 7000);
  EXPECT_EQ(out.data[6999], '3');
  EXPECT(!out.failed);
  pn_text_deinit(&out);
  EXPECT(out.data == NULL && out.size == 0);
}

/* A text whose n-th growth fails is the beginning of the whole one. */
TEST(text_failing) {
  harness_allocator a;
  uint64_t n = 0;
  do {
    pn_text out;
    pn_text_init(&out, harness_allocator_init(&a, ++n));
    size_t last = 0;
    for (int i = 0; i < 800; i++) {
      if (!out.failed) last = out.size;
      if (i % 2)
        pn_text_printf(&out, "%06d ", i);
      else
        pn_text_add(&out, PN_STR("abcdef "));
      if (out.failed) EXPECT_EQ(out.size, last);
    }
    EXPECT_EQ(out.failed, a.failed);
    EXPECT_EQ(out.size, a.failed ? last : 800 * 7);
    if (out.data) EXPECT_EQ(strlen(out.data), out.size);
    pn_text_deinit(&out);
    EXPECT_EQ(a.live, 0);
    REQUIRE(n < 50);
  } while (a.failed);
  EXPECT(n > 3);
}

TEST(copy_failing) {
  harness_allocator a;
  pn_arena arena;
  pn_arena_init(&arena, harness_allocator_init(&a, 1));
  EXPECT(pn_str_copy(&arena, PN_STR("abc")) == NULL);
  EXPECT(pn_str_printf(&arena, "%d", 1) == NULL);
  pn_arena_deinit(&arena);
  EXPECT_EQ(a.live, 0);
}

TEST_MAIN(T(views), T(copies), T(integers), T(floats), T(prints_shortest), T(round_trips), T(locale_independent),
          T(text_grows), T(text_failing), T(copy_failing))
