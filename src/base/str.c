/* Views, numbers and the growing text. Numbers are read and printed in the C locale (base/format.h). */
#include "base/str.h"

#include "base/format.h"

#include <math.h>

/* ---- views ----------------------------------------------------------------------------------------------------- */

pn_str pn_str_from(const char *text) { return (pn_str){text ? text : "", text ? strlen(text) : 0}; }

bool pn_str_equal(pn_str a, pn_str b) { return a.size == b.size && (a.size == 0 || !memcmp(a.data, b.data, a.size)); }

int pn_str_compare(pn_str a, pn_str b) {
  const size_t common = a.size < b.size ? a.size : b.size;
  const int order = common ? memcmp(a.data, b.data, common) : 0;
  return order ? order : (a.size > b.size) - (a.size < b.size);
}

bool pn_str_is(pn_str a, const char *b) { return pn_str_equal(a, pn_str_from(b)); }

bool pn_str_starts(pn_str a, const char *prefix) {
  size_t bytes = strlen(prefix);
  return a.size >= bytes && (bytes == 0 || !memcmp(a.data, prefix, bytes));
}

const char *pn_str_copy(pn_arena *arena, pn_str s) {
  size_t bytes;
  if (!pn_add_size(s.size, 1, &bytes)) return NULL;
  char *copy = pn_arena_alloc(arena, bytes, 1);
  if (copy && s.size) memcpy(copy, s.data, s.size);
  return copy;
}

const char *pn_str_printf(pn_arena *arena, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = pn_format(NULL, 0, format, arguments);
  char *text = length < 0 ? NULL : pn_arena_alloc(arena, (size_t)length + 1, 1);
  if (text) pn_format(text, (size_t)length + 1, format, again);
  va_end(again);
  va_end(arguments);
  return text;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool pn_str_to_i64(pn_str s, int64_t *out) {
  size_t i = 0;
  bool negative = s.size && s.data[0] == '-';
  if (s.size && (s.data[0] == '-' || s.data[0] == '+')) i++;
  if (i == s.size) return false;
  int64_t value = 0; /* built downwards, since the negative side reaches one further */
  for (; i < s.size; i++) {
    if (!is_digit(s.data[i])) return false;
    if (!pn_mul_i64(value, 10, &value) || !pn_sub_i64(value, s.data[i] - '0', &value)) return false;
  }
  if (!negative && !pn_sub_i64(0, value, &value)) return false;
  *out = value;
  return true;
}

/* Whether |s| is digits[.digits][e[+-]digits], with a digit before the exponent: strtod would also take blanks,
   hexadecimal and what follows a number. */
static bool is_decimal(pn_str s) {
  size_t i = 0, digits = 0, exponent_digits = 0;
  for (; i < s.size && is_digit(s.data[i]); i++) digits++;
  if (i < s.size && s.data[i] == '.')
    for (i++; i < s.size && is_digit(s.data[i]); i++) digits++;
  if (!digits) return false;
  if (i == s.size) return true;
  if (s.data[i] != 'e' && s.data[i] != 'E') return false;
  i++;
  if (i < s.size && (s.data[i] == '+' || s.data[i] == '-')) i++;
  for (; i < s.size && is_digit(s.data[i]); i++) exponent_digits++;
  return exponent_digits && i == s.size;
}

bool pn_str_to_f64(pn_str s, double *out) {
  bool negative = s.size && s.data[0] == '-';
  pn_str magnitude = s;
  if (s.size && (s.data[0] == '-' || s.data[0] == '+')) magnitude = (pn_str){s.data + 1, s.size - 1};
  double value;
  if (pn_str_is(magnitude, "inf")) {
    value = (double)INFINITY;
  } else if (pn_str_is(magnitude, "nan")) {
    value = (double)NAN;
  } else {
    char text[512]; /* the longest exact double has 767 digits, but nobody writes it */
    if (magnitude.size >= sizeof text || !is_decimal(magnitude)) return false;
    memcpy(text, magnitude.data, magnitude.size);
    text[magnitude.size] = 0;
    value = pn_parse_f64(text, NULL);
    if (isinf(value)) return false;
  }
  *out = negative ? -value : value;
  return true;
}

/* ---- the growing text ------------------------------------------------------------------------------------------ */

void pn_text_init(pn_text *text, const pelton_allocator *allocator) {
  *text = (pn_text){.allocator = allocator ? allocator : &pn_allocator_default};
}

void pn_text_deinit(pn_text *text) {
  pn_release(text->allocator, text->data);
  pn_text_init(text, text->allocator);
}

/* Room for |extra| bytes and the NUL; false, and the text failed, when there is none. */
static bool text_reserve(pn_text *text, size_t extra) {
  size_t needed;
  if (text->failed) return false;
  if (!pn_add_size(text->size, extra, &needed) || !pn_add_size(needed, 1, &needed)) {
    text->failed = true;
    return false;
  }
  if (needed <= text->capacity) return true;
  size_t capacity = text->capacity <= SIZE_MAX / 2 ? text->capacity * 2 : needed;
  if (capacity < 256) capacity = 256;
  if (capacity < needed) capacity = needed;
  char *data = pn_alloc_raw(text->allocator, capacity, 1);
  if (!data) {
    text->failed = true;
    return false;
  }
  if (text->size) memcpy(data, text->data, text->size);
  data[text->size] = 0;
  pn_release(text->allocator, text->data);
  text->data = data;
  text->capacity = capacity;
  return true;
}

void pn_text_add(pn_text *text, pn_str s) {
  if (!text_reserve(text, s.size)) return;
  if (s.size) memcpy(text->data + text->size, s.data, s.size);
  text->size += s.size;
  text->data[text->size] = 0;
}

void pn_text_printf(pn_text *text, const char *format, ...) {
  if (!text_reserve(text, 0)) return;
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  size_t room = text->capacity - text->size;
  int length = pn_format(text->data + text->size, room, format, arguments);
  if (length < 0) text->failed = true;
  if (length >= 0 && (size_t)length >= room) {
    text->data[text->size] = 0; /* as it was, should there be no room */
    if (text_reserve(text, (size_t)length)) pn_format(text->data + text->size, (size_t)length + 1, format, again);
  }
  if (!text->failed) text->size += (size_t)length;
  va_end(again);
  va_end(arguments);
}

/* Rewrites printf's exponent "e+07" as "e7", in place. */
static void exponent_shorten(char *number) {
  char *from = strchr(number, 'e');
  if (!from) return;
  char *to = ++from;
  if (*from == '-') *to++ = *from;
  if (*from == '-' || *from == '+') from++;
  while (from[0] == '0' && from[1]) from++;
  memmove(to, from, strlen(from) + 1);
}

void pn_text_f32(pn_text *text, float value) {
  if (isnan(value)) {
    pn_text_add(text, PN_STR("nan"));
    return;
  }
  if (isinf(value)) {
    pn_text_add(text, value < 0 ? PN_STR("-inf") : PN_STR("inf"));
    return;
  }
  /* Every decimal of six digits survives a normal float, so %.6g finds all that are shorter too; a denormal has fewer
     digits. Nine always suffice. Both ways of reading must agree: our own goes through double. */
  char number[40];
  for (int digits = isnormal(value) ? 6 : 1; digits <= 9; digits++) {
    pn_formatf(number, sizeof number, "%.*g", digits, (double)value);
    if (pn_parse_f32(number, NULL) == value && (float)pn_parse_f64(number, NULL) == value) break;
  }
  exponent_shorten(number);
  pn_text_add(text, pn_str_from(number));
  if (!strpbrk(number, ".e")) pn_text_add(text, PN_STR(".0"));
}

/* ---- quotes ---------------------------------------------------------------------------------------------------- */

void pn_text_quoted(pn_text *text, pn_str s) {
  size_t plain = 0;
  pn_text_add(text, PN_STR("\""));
  for (size_t i = 0; i < s.size; i++) {
    const unsigned char c = (unsigned char)s.data[i];
    if (c >= 0x20 && c != 0x7f && c != '"' && c != '\\') continue;
    pn_text_add(text, (pn_str){s.data + plain, i - plain});
    plain = i + 1;
    if (c == '"' || c == '\\') pn_text_printf(text, "\\%c", c);
    else pn_text_printf(text, "\\x%02x", c);
  }
  if (s.size) pn_text_add(text, (pn_str){s.data + plain, s.size - plain});
  pn_text_add(text, PN_STR("\""));
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Bytes from the opening quote to behind the closing one; 0 when there is none on this line. */
static size_t quoted_bytes(pn_str text) {
  size_t at = 1;
  while (at < text.size && text.data[at] != '"' && text.data[at] != '\n') at += text.data[at] == '\\' ? 2 : 1;
  return at < text.size && text.data[at] == '"' ? at + 1 : 0;
}

pelton_status pn_str_unquote(pn_str *rest, pn_arena *arena, pn_str *out, const char **wanted) {
  *out = (pn_str){"", 0};
  *wanted = "a text in double quotes";
  if (rest->size == 0 || *rest->data != '"') return PELTON_INVALID_DATA;
  const size_t bytes = quoted_bytes(*rest);
  *wanted = "a closing quote";
  if (bytes == 0) return PELTON_INVALID_DATA;
  const char *from = rest->data + 1, *end = rest->data + bytes - 1;
  char *text = pn_arena_alloc(arena, bytes, 1), *to = text;
  if (!text) return PELTON_OUT_OF_MEMORY;
  while (from < end) {
    char c = *from++;
    if (c == '\\') {
      c = *from++; /* a quote that closes is not behind a backslash: there is one more */
      const int high = c == 'x' && end - from >= 2 ? hex_value(from[0]) : -1;
      const int low = c == 'x' && end - from >= 2 ? hex_value(from[1]) : -1;
      *wanted = c == 'x' ? "two hexadecimal digits behind \\x" : "one of \\\", \\\\ and \\xNN behind a backslash";
      if (c == 'x' ? high < 0 || low < 0 : c != '"' && c != '\\') return PELTON_INVALID_DATA;
      if (c == 'x') {
        c = (char)(high * 16 + low);
        from += 2;
      }
    }
    *to++ = c;
  }
  *out = (pn_str){text, (size_t)(to - text)};
  rest->data += bytes;
  rest->size -= bytes;
  return PELTON_OK;
}
