/* The JSON writer: commas, escapes, numbers, bytes that are no UTF-8. */
#include "harness.h"

#include "base/json.h"

#include <float.h>
#include <math.h>

TEST(nesting) {
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_object_begin(&json, NULL);
  pn_json_string(&json, "a", PN_STR("x"));
  pn_json_array_begin(&json, "list");
  pn_json_i64(&json, NULL, 1);
  pn_json_i64(&json, NULL, INT64_MIN);
  pn_json_array_begin(&json, NULL);
  pn_json_array_end(&json);
  pn_json_object_begin(&json, NULL);
  pn_json_bool(&json, "t", true);
  pn_json_bool(&json, "f", false);
  pn_json_null(&json, "n");
  pn_json_object_end(&json);
  pn_json_array_end(&json);
  pn_json_object_begin(&json, "empty");
  pn_json_object_end(&json);
  pn_json_object_end(&json);
  EXPECT_STR(text.data, "{\"a\":\"x\",\"list\":[1,-9223372036854775808,[],{\"t\":true,\"f\":false,\"n\":null}],"
                        "\"empty\":{}}");
  EXPECT_EQ(json.depth, 0);
  pn_text_deinit(&text);
}

static void expect_string(pn_str value, const char *expected) {
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_string(&json, NULL, value);
  EXPECT_STR(text.data, expected);
  pn_text_deinit(&text);
}

#define REPLACED "\xef\xbf\xbd"

TEST(strings) {
  expect_string(PN_STR(""), "\"\"");
  expect_string((pn_str){NULL, 0}, "\"\"");
  expect_string(PN_STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
  expect_string(PN_STR("\b\f\n\r\t\x01\x1f\x7f"), "\"\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\"");
  expect_string(PN_STR("a\0b"), "\"a\\u0000b\"");
  expect_string(PN_STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

TEST(broken_utf8) {
  expect_string(PN_STR("a\xff" "b"), "\"a" REPLACED "b\"");
  expect_string(PN_STR("\xc3"), "\"" REPLACED "\"");                       /* cut off */
  expect_string(PN_STR("\xe2\x82"), "\"" REPLACED REPLACED "\"");
  expect_string(PN_STR("\xc0\xaf"), "\"" REPLACED REPLACED "\"");          /* overlong */
  expect_string(PN_STR("\xed\xa0\x80"), "\"" REPLACED REPLACED REPLACED "\""); /* a surrogate */
  expect_string(PN_STR("\xf4\x90\x80\x80"), "\"" REPLACED REPLACED REPLACED REPLACED "\""); /* beyond U+10FFFF */
  expect_string(PN_STR("\x80"), "\"" REPLACED "\"");
}

static void expect_number(double value, const char *expected) {
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_f64(&json, NULL, value);
  EXPECT_STR(text.data, expected);
  pn_text_deinit(&text);
}

TEST(numbers) {
  expect_number(0, "0");
  expect_number(0.1, "0.1");
  expect_number(-2.5, "-2.5");
  expect_number(0.1 + 0.2, "0.30000000000000004");
  expect_number(1e300, "1e+300");
  expect_number(DBL_MAX, "1.7976931348623157e+308");
  expect_number((double)NAN, "null");
  expect_number((double)INFINITY, "null");
  expect_number((double)-INFINITY, "null");
}

TEST(keys_are_escaped) {
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_object_begin(&json, NULL);
  pn_json_f64(&json, "a\"\n", (double)NAN);
  pn_json_i64(&json, "b", 2);
  pn_json_raw(&json, "c", PN_STR("[1]"));
  pn_json_object_end(&json);
  EXPECT_STR(text.data, "{\"a\\\"\\n\":null,\"b\":2,\"c\":[1]}");
  pn_text_deinit(&text);
}

TEST_MAIN(T(nesting), T(strings), T(broken_utf8), T(numbers), T(keys_are_escaped))
