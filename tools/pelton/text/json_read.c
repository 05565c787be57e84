#include "text/json.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

static void skip_blanks(const char **at) { *at += strspn(*at, " \t\r\n"); }

static bool take(const char **at, const char *word) {
  const size_t n = strlen(word);
  if (strncmp(*at, word, n) != 0) return false;
  *at += n;
  return true;
}

static size_t put_character(char *out, unsigned long c) {
  if (c < 0x80) return out[0] = (char)c, 1;
  if (c < 0x800) {
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3f));
    return 2;
  }
  out[0] = (char)(0xe0 | c >> 12);
  out[1] = (char)(0x80 | (c >> 6 & 0x3f));
  out[2] = (char)(0x80 | (c & 0x3f));
  return 3;
}

/* To the closing quote: no string is longer than it is written. */
static size_t written_length(const char *s) {
  size_t n = strcspn(s, "\"\\");
  while (s[n] == '\\' && s[n + 1]) {
    n += 2;
    n += strcspn(s + n, "\"\\");
  }
  return n;
}

/* A string after its opening quote, in new memory; null when it does not end. Pairs of surrogates stay as they are:
   the library writes characters, not escapes. */
static char *read_string(const char **at) {
  char *out = memory_new(written_length(*at) + 1, 1);
  size_t n = 0;
  for (const char *s = *at; *s; s++) {
    if (*s == '"') {
      *at = s + 1;
      return out;
    }
    if (*s != '\\') {
      out[n++] = *s;
      continue;
    }
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    const char *known = *++s ? strchr(from, *s) : NULL;
    if (!*s) break;
    if (*s == 'u') {
      char digits[5] = "", *end;
      strncpy(digits, s + 1, 4);
      const unsigned long c = strtoul(digits, &end, 16);
      if (end != digits + 4) break;
      n += put_character(out + n, c);
      s += 4;
    } else {
      out[n++] = known ? to[known - from] : *s;
    }
  }
  free(out);
  return NULL;
}

static json_value *read_value(const char **at, uint32_t depth);

static bool read_members(json_value *value, const char **at, uint32_t depth) {
  const char *closing = value->kind == JSON_OBJECT ? "}" : "]";
  json_value **last = &value->first;
  skip_blanks(at);
  if (take(at, closing)) return true;
  for (;;) {
    char *key = NULL;
    skip_blanks(at);
    if (value->kind == JSON_OBJECT) {
      if (!take(at, "\"") || !(key = read_string(at))) return false;
      skip_blanks(at);
      if (!take(at, ":")) return free(key), false;
    }
    *last = read_value(at, depth + 1);
    if (!*last) return free(key), false;
    (*last)->key = key;
    last = &(*last)->next;
    skip_blanks(at);
    if (take(at, closing)) return true;
    if (!take(at, ",")) return false;
  }
}

static json_value *read_value(const char **at, uint32_t depth) {
  if (depth > DEEPEST) return NULL;
  json_value *value = memory_new(1, sizeof *value);
  bool ok = true;
  skip_blanks(at);
  if (take(at, "null"))
    value->kind = JSON_NULL;
  else if (take(at, "true"))
    value->kind = JSON_BOOLEAN, value->number = 1;
  else if (take(at, "false"))
    value->kind = JSON_BOOLEAN;
  else if (take(at, "\""))
    value->kind = JSON_TEXT, ok = (value->text = read_string(at)) != NULL;
  else if (take(at, "{"))
    value->kind = JSON_OBJECT, ok = read_members(value, at, depth);
  else if (take(at, "["))
    value->kind = JSON_ARRAY, ok = read_members(value, at, depth);
  else {
    char *end;
    value->kind = JSON_NUMBER;
    value->number = strtod(*at, &end);
    ok = end != *at;
    *at = end;
  }
  if (ok) return value;
  json_free(value);
  return NULL;
}

json_value *json_parse(const char *text) {
  json_value *value = read_value(&text, 0);
  skip_blanks(&text);
  if (value && !*text) return value;
  json_free(value);
  return NULL;
}

void json_free(json_value *value) {
  while (value) {
    json_value *next = value->next;
    json_free(value->first);
    free(value->text);
    free(value->key);
    free(value);
    value = next;
  }
}

const json_value *json_get(const json_value *object, const char *key) {
  if (!object || object->kind != JSON_OBJECT) return NULL;
  for (const json_value *m = object->first; m; m = m->next)
    if (!strcmp(m->key, key)) return m;
  return NULL;
}

double json_get_number(const json_value *object, const char *key, double otherwise) {
  const json_value *m = json_get(object, key);
  return m && (m->kind == JSON_NUMBER || m->kind == JSON_BOOLEAN) ? m->number : otherwise;
}

const char *json_get_text(const json_value *object, const char *key) {
  const json_value *m = json_get(object, key);
  return m && m->text ? m->text : "";
}

uint32_t json_count(const json_value *array) {
  uint32_t count = 0;
  for (const json_value *m = array ? array->first : NULL; m; m = m->next) count++;
  return count;
}
