#include "text/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Bytes of the UTF-8 character at |s|, or 0 when it is none. */
static size_t character_bytes(const unsigned char *s) {
  const size_t n = s[0] < 0x80                   ? 1
                   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                 : 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))) return 0;
  if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))) return 0;
  return n;
}

static void write_string(FILE *file, const char *value) {
  fputc('"', file);
  for (const unsigned char *s = (const unsigned char *)value; *s;) {
    const size_t n = character_bytes(s);
    if (!n)
      fputs("\\ufffd", file);
    else if (*s == '"' || *s == '\\')
      fprintf(file, "\\%c", *s);
    else if (*s == '\n')
      fputs("\\n", file);
    else if (*s < 0x20)
      fprintf(file, "\\u%04x", *s);
    else
      fwrite(s, 1, n, file);
    s += n ? n : 1;
  }
  fputc('"', file);
}

static void write_key(json_writer *json, const char *key) {
  if (json->need_comma) fputc(',', json->file);
  if (key) {
    write_string(json->file, key);
    fputc(':', json->file);
  }
  json->need_comma = true;
}

void json_begin(json_writer *json, const char *key, char bracket) {
  write_key(json, key);
  fputc(bracket, json->file);
  json->need_comma = false;
}

void json_end(json_writer *json, char bracket) {
  fputc(bracket, json->file);
  json->need_comma = true;
}

void json_text(json_writer *json, const char *key, const char *value) {
  write_key(json, key);
  if (value)
    write_string(json->file, value);
  else
    fputs("null", json->file);
}

void json_integer(json_writer *json, const char *key, int64_t value) {
  write_key(json, key);
  fprintf(json->file, "%" PRId64, value);
}

void json_number(json_writer *json, const char *key, double value) {
  write_key(json, key);
  if (isfinite(value))
    fprintf(json->file, "%.9g", value);
  else
    fputs("null", json->file);
}

void json_boolean(json_writer *json, const char *key, bool value) {
  write_key(json, key);
  fputs(value ? "true" : "false", json->file);
}

void json_null(json_writer *json, const char *key) { json_text(json, key, NULL); }

void json_raw(json_writer *json, const char *key, const char *value) {
  write_key(json, key);
  fputs(value, json->file);
}
