/* to_text and from_text: numbers as texts, and back.

   A float is the shortest decimal that reads back as the same number of its type, plain from 1e-4 up to 1e16 ("0.25",
   "3.0", "1e-07"), or NaN, INF, -INF; an integer its digits; a bool 1 or 0. Reading takes digits with a sign, a point,
   an exponent and blanks around them, INF and NaN in any case; an integer with a fraction is cut towards zero. */
#include "base/format.h"
#include "op/operand.h"
#include "op/text/strings.h"
#include "op/text/unicode.h"

#include <math.h>
#include <stdlib.h>

enum { NUMBER_BYTES = 40, WORD_BYTES = 512 };

/* ---- to_text */

pelton_status pn_check_to_text(const pn_infer *c) {
  if (!c->in[0].present || !pn_dtype_points(c->in[0].type.dtype)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "to_text: the operand is of type %s; it must be numbers",
                 pelton_dtype_name(c->in[0].type.dtype));
}

pelton_status pn_infer_to_text(const pn_infer *c) {
  pn_infer_same(c, 0);
  c->out[0].type.dtype = PELTON_DTYPE_STRING;
  return PELTON_OK;
}

/* Whether |text| reads as |value| once stored as a |dtype|. */
static bool reads_back(pelton_dtype dtype, const char *text, double value) {
  if (dtype == PELTON_DTYPE_F32) return (double)pn_parse_f32(text, NULL) == value;
  return pn_dtype_round(dtype, pn_parse_f64(text, NULL)) == value;
}

/* |number|, "-d.ddde-dd", as a plain decimal, with zeros where its digits end before the point. */
static void print_plain(const char *number, int exponent, char *out) {
  char digits[NUMBER_BYTES];
  int count = 0;
  if (*number == '-') *out++ = *number++;
  for (; *number != 'e'; number++)
    if (*number != '.') digits[count++] = *number;
  if (exponent < 0) {
    *out++ = '0';
    *out++ = '.';
    for (int i = -1; i > exponent; i--) *out++ = '0';
    for (int i = 0; i < count; i++) *out++ = digits[i];
  } else {
    for (int i = 0; i <= exponent; i++) *out++ = i < count ? digits[i] : '0';
    *out++ = '.';
    if (count <= exponent + 1) *out++ = '0';
    for (int i = exponent + 1; i < count; i++) *out++ = digits[i];
  }
  *out = 0;
}

/* The digits of a float: as few as it takes. */
static void print_float(pelton_dtype dtype, double value, char *out) {
  char digits[NUMBER_BYTES];
  if (isnan(value) || isinf(value)) {
    pn_formatf(out, NUMBER_BYTES, "%s", isnan(value) ? "NaN" : value > 0 ? "INF" : "-INF");
    return;
  }
  int precision = 0;
  do pn_formatf(digits, sizeof digits, "%.*e", precision, value);
  while (!reads_back(dtype, digits, value) && ++precision <= 17);
  const int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
  if (value != 0 && (exponent < -4 || exponent >= 16))
    pn_formatf(out, NUMBER_BYTES, "%s", digits);
  else
    print_plain(digits, exponent, out);
}

static void print_number(const pn_tensor *x, int64_t i, char *out) {
  if (pn_dtype_is_float(x->dtype))
    print_float(x->dtype, pn_tensor_get_f64(x, i), out);
  else if (x->dtype == PELTON_DTYPE_U64)
    pn_formatf(out, NUMBER_BYTES, "%llu", (unsigned long long)pn_tensor_get_i64(x, i));
  else
    pn_formatf(out, NUMBER_BYTES, "%lld", (long long)pn_tensor_get_i64(x, i));
}

pelton_status pn_reference_to_text(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  const int64_t count = pn_tensor_elements(x);
  PN_TRY(pn_call_resize(call, 0, x->rank, x->dims));
  pelton_string *y = pn_tensor_strings(&call->out[0]);
  for (int64_t i = 0; y && i < count; i++) {
    char number[NUMBER_BYTES];
    print_number(x, i, number);
    const size_t size = strlen(number);
    const char *text = pn_arena_copy(call->lasting, number, size, 1);
    if (!text) return pn_fail_memory(call->diag, "numbers as texts");
    y[i] = (pelton_string){text, size};
  }
  return PELTON_OK;
}

/* ---- from_text */

pelton_status pn_check_from_text(const pn_infer *c) {
  const pn_attrs_from_text *attrs = c->attrs;
  PN_TRY(pn_operand_wants_texts(c, "from_text", 0, "the operand"));
  if (attrs->to != PELTON_DTYPE_NONE && !pn_dtype_points(attrs->to)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "from_text: to is %s; it must be a type of numbers",
                 pelton_dtype_name(attrs->to));
}

pelton_status pn_infer_from_text(const pn_infer *c) {
  pn_infer_same(c, 0);
  c->out[0].type.dtype = ((const pn_attrs_from_text *)c->attrs)->to;
  return PELTON_OK;
}

/* |text| without white space around it, in lower case, with a NUL; false when it is no number's text. */
static bool word_of(pn_str text, char *out) {
  text = pn_str_skip_space(text);
  const size_t size = pn_str_word_bytes(text);
  if (size == 0 || size >= WORD_BYTES) return false;
  if (pn_str_skip_space((pn_str){text.data + size, text.size - size}).size) return false;
  for (size_t i = 0; i < size; i++) {
    const uint8_t c = (uint8_t)text.data[i];
    if (c == 0 || c >= 0x80) return false;
    out[i] = (char)pn_rune_lower(c);
  }
  out[size] = 0;
  return true;
}

/* The double that |word| says; larger ones than there are become infinite. */
static bool parse_float(const char *word, double *out) {
  char *end;
  const char *digits = word + (*word == '+' || *word == '-');
  if (!strcmp(digits, "inf") || !strcmp(digits, "infinity")) {
    *out = *word == '-' ? (double)-INFINITY : (double)INFINITY;
    return true;
  }
  if (!strcmp(digits, "nan")) {
    *out = (double)NAN;
    return true;
  }
  if (strspn(digits, "0123456789.e+-") != strlen(digits)) return false; /* no hexadecimal */
  *out = pn_parse_f64(word, &end);
  return end != word && *end == 0;
}

static bool parse_u64(const char *word, uint64_t *out) {
  uint64_t value = 0;
  word += *word == '+';
  if (!*word) return false;
  for (; *word; word++) {
    const uint64_t digit = (uint64_t)(*word - '0');
    if (*word < '0' || *word > '9' || value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = value;
  return true;
}

static bool read_number(pn_str text, pn_tensor *y, int64_t i) {
  char word[WORD_BYTES];
  double value;
  int64_t integer;
  uint64_t wide;
  if (!word_of(text, word) || !parse_float(word, &value)) return false;
  if (y->dtype == PELTON_DTYPE_F32) /* through a double it would be rounded twice */
    ((float *)y->data)[i] = isfinite(value) ? pn_parse_f32(word, NULL) : (float)value;
  else if (pn_dtype_is_integer(y->dtype) && pn_str_to_i64(pn_str_from(word + (*word == '+')), &integer))
    pn_tensor_set_i64(y, i, integer);
  else if (y->dtype == PELTON_DTYPE_U64 && parse_u64(word, &wide))
    pn_tensor_set_i64(y, i, (int64_t)wide);
  else
    pn_tensor_set_f64(y, i, value);
  return true;
}

pelton_status pn_reference_from_text(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  const int64_t count = pn_tensor_elements(x);
  for (int64_t i = 0; i < count; i++)
    if (!read_number(pn_tensor_str(x, i), &call->out[0], i))
      return pn_fail(call->diag, PELTON_INVALID_DATA, "from_text: element %lld, \"%.*s\", is no number", (long long)i,
                     PN_STR_ARG(pn_tensor_str(x, i)));
  return PELTON_OK;
}
