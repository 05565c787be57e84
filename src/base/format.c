/* printf and strtod follow the process's locale, which belongs to the host program: in a German one 0.5 prints as "0,5"
   and the next parser stops at the comma. Every call here switches its own thread to the C locale and back. "C" is a
   constant object in the C libraries we know (glibc, musl): newlocale neither allocates nor fails for it, so there is
   no state to keep. */
#define _GNU_SOURCE 1 /* strtod_l, strtof_l */
#include "base/format.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale(void) { return newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static void c_locale_release(locale_t locale) {
  if (locale != (locale_t)0) freelocale(locale);
}

int pn_format(char *out, size_t out_bytes, const char *format, va_list arguments) {
  locale_t locale = c_locale();
  locale_t former = locale != (locale_t)0 ? uselocale(locale) : (locale_t)0;
  int length = vsnprintf(out, out_bytes, format, arguments);
  if (former != (locale_t)0) uselocale(former);
  c_locale_release(locale);
  return length;
}

int pn_formatf(char *out, size_t out_bytes, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = pn_format(out, out_bytes, format, arguments);
  va_end(arguments);
  return length;
}

double pn_parse_f64(const char *text, char **end) {
  locale_t locale = c_locale();
  double value = locale != (locale_t)0 ? strtod_l(text, end, locale) : strtod(text, end);
  c_locale_release(locale);
  return value;
}

float pn_parse_f32(const char *text, char **end) {
  locale_t locale = c_locale();
  float value = locale != (locale_t)0 ? strtof_l(text, end, locale) : strtof(text, end);
  c_locale_release(locale);
  return value;
}

const char *pn_system_reason(int error) {
  locale_t locale = c_locale();
  const char *reason = locale != (locale_t)0 ? strerror_l(error, locale) : "unknown error";
  c_locale_release(locale);
  return reason;
}
