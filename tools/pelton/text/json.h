/* JSON out and in. Writing goes straight to a file; commas and escapes are kept right, nesting is the caller's. Reading
   makes a tree of what the library says of itself. */
#ifndef JSON_H
#define JSON_H

#include "command.h"

typedef struct json_writer {
  FILE *file;
  bool need_comma;
} json_writer;

/* |key| is null inside arrays and at the top. |bracket| is '{' or '['. */
void json_begin(json_writer *json, const char *key, char bracket);
/* |bracket| is '}' or ']'. */
void json_end(json_writer *json, char bracket);
/* A null |value| is written as null; bytes that are no UTF-8 as U+FFFD. */
void json_text(json_writer *json, const char *key, const char *value);
void json_integer(json_writer *json, const char *key, int64_t value);
/* What JSON cannot hold (nan, inf) becomes null. */
void json_number(json_writer *json, const char *key, double value);
void json_boolean(json_writer *json, const char *key, bool value);
void json_null(json_writer *json, const char *key);
/* A value that is JSON already. */
void json_raw(json_writer *json, const char *key, const char *value);

typedef enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json_value {
  json_kind kind;
  double number;            /* of a number; 0 or 1 of a boolean */
  char *text;               /* of a text */
  char *key;                /* of a member of an object */
  struct json_value *first; /* of an array's or object's members */
  struct json_value *next;  /* beside this one */
} json_value;

/* Null when |text| is no JSON. Release with json_free. */
json_value *json_parse(const char *text);
void json_free(json_value *value);
/* The member |key| of |object|, or null; |object| may be null. */
const json_value *json_get(const json_value *object, const char *key);
/* Its number, or |otherwise|; its text, or "". */
double json_get_number(const json_value *object, const char *key, double otherwise);
const char *json_get_text(const json_value *object, const char *key);
uint32_t json_count(const json_value *array);

#endif
