/* A compact JSON writer. What goes in may be a name out of a file: bytes that are no UTF-8 become U+FFFD, so that the
   output is JSON whatever the input was. */
#include "base/json.h"

#include "base/format.h"

#include <assert.h>
#include <math.h>

void pn_json_init(pn_json *json, pn_text *text) { *json = (pn_json){.text = text}; }

/* Bytes of the well-formed UTF-8 character at |p| (overlong forms, surrogates and values beyond U+10FFFF are none), or
   0. |left| >= 1. */
static size_t character_bytes(const uint8_t *p, size_t left) {
  if (p[0] < 0x80) return 1;
  size_t bytes = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
                 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                               : 0;
  if (!bytes || left < bytes) return 0;
  for (size_t i = 1; i < bytes; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0)) return 0;
  if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90)) return 0;
  return bytes;
}

static void character_escape(pn_text *text, uint8_t c) {
  static const char short_form[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the character, what follows its backslash */
  for (size_t i = 0; i + 1 < sizeof short_form; i += 2)
    if (c == (uint8_t)short_form[i]) {
      pn_text_printf(text, "\\%c", short_form[i + 1]);
      return;
    }
  pn_text_printf(text, "\\u%04x", (unsigned)c);
}

static void quoted_add(pn_text *text, pn_str s) {
  const uint8_t *p = (const uint8_t *)s.data;
  pn_text_add(text, PN_STR("\""));
  size_t plain = 0, i = 0; /* plain characters are added a run at a time */
  while (i < s.size) {
    size_t bytes = character_bytes(p + i, s.size - i);
    bool is_plain = bytes > 1 || (bytes == 1 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\' && p[i] != 0x7f);
    if (is_plain) {
      i += bytes;
      continue;
    }
    pn_text_add(text, (pn_str){s.data + plain, i - plain});
    if (bytes)
      character_escape(text, p[i]);
    else
      pn_text_add(text, PN_STR("\xef\xbf\xbd"));
    plain = ++i;
  }
  if (s.size > plain) pn_text_add(text, (pn_str){s.data + plain, s.size - plain});
  pn_text_add(text, PN_STR("\""));
}

/* What stands before a value: the comma after its elder, and its key. */
static void value_begin(pn_json *json, const char *key) {
  if (json->need_comma && json->depth) pn_text_add(json->text, PN_STR(","));
  json->need_comma = true;
  if (!key) return;
  quoted_add(json->text, pn_str_from(key));
  pn_text_add(json->text, PN_STR(":"));
}

static void nest_begin(pn_json *json, const char *key, pn_str bracket) {
  value_begin(json, key);
  pn_text_add(json->text, bracket);
  json->depth++;
  json->need_comma = false;
}

static void nest_end(pn_json *json, pn_str bracket) {
  assert(json->depth);
  pn_text_add(json->text, bracket);
  json->depth--;
  json->need_comma = true;
}

void pn_json_object_begin(pn_json *json, const char *key) { nest_begin(json, key, PN_STR("{")); }
void pn_json_object_end(pn_json *json) { nest_end(json, PN_STR("}")); }
void pn_json_array_begin(pn_json *json, const char *key) { nest_begin(json, key, PN_STR("[")); }
void pn_json_array_end(pn_json *json) { nest_end(json, PN_STR("]")); }

void pn_json_string(pn_json *json, const char *key, pn_str value) {
  value_begin(json, key);
  quoted_add(json->text, value);
}

void pn_json_i64(pn_json *json, const char *key, int64_t value) {
  value_begin(json, key);
  pn_text_printf(json->text, "%lld", (long long)value);
}

void pn_json_f64(pn_json *json, const char *key, double value) {
  if (!isfinite(value)) {
    pn_json_null(json, key);
    return;
  }
  char number[40];
  for (int digits = 15; digits <= 17; digits++) { /* the fewest that read back the same; 17 always do */
    pn_formatf(number, sizeof number, "%.*g", digits, value);
    if (pn_parse_f64(number, NULL) == value) break;
  }
  value_begin(json, key);
  pn_text_add(json->text, pn_str_from(number));
}

void pn_json_bool(pn_json *json, const char *key, bool value) {
  value_begin(json, key);
  pn_text_add(json->text, value ? PN_STR("true") : PN_STR("false"));
}

void pn_json_null(pn_json *json, const char *key) {
  value_begin(json, key);
  pn_text_add(json->text, PN_STR("null"));
}

void pn_json_raw(pn_json *json, const char *key, pn_str value) {
  value_begin(json, key);
  pn_text_add(json->text, value);
}
