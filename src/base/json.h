/* Writes JSON into a pn_text: commas, quotes and escapes are kept right, nesting is the caller's. Numbers that JSON
   cannot hold (nan, inf) become null. */
#ifndef PN_BASE_JSON_H
#define PN_BASE_JSON_H

#include "base/str.h"

typedef struct pn_json {
  pn_text *text;
  uint32_t depth;
  bool need_comma;
} pn_json;

void pn_json_init(pn_json *json, pn_text *text);
/* |key| is null inside arrays and at the top. */
void pn_json_object_begin(pn_json *json, const char *key);
void pn_json_object_end(pn_json *json);
void pn_json_array_begin(pn_json *json, const char *key);
void pn_json_array_end(pn_json *json);
void pn_json_string(pn_json *json, const char *key, pn_str value);
void pn_json_i64(pn_json *json, const char *key, int64_t value);
void pn_json_f64(pn_json *json, const char *key, double value);
void pn_json_bool(pn_json *json, const char *key, bool value);
void pn_json_null(pn_json *json, const char *key);
/* A value that is JSON already. */
void pn_json_raw(pn_json *json, const char *key, pn_str value);

#endif
