/* Attributes: defaults, copies, equality, hash, and JSON, each one walk over the field table. The text is in
   schema_text.c, the binary form in schema_store.c. */
#include "op/schema.h"

#include "base/format.h"
#include "base/json.h"
#include "op/schema_field.h"

#include <math.h>

void *pn_attrs_new(pn_op op, pn_arena *arena) {
  const pn_op_info *info = pn_op_get(op);
  void *attrs = pn_arena_alloc(arena, info->attrs_bytes, _Alignof(max_align_t));
  for (uint32_t i = 0; attrs && i < info->field_count; i++) {
    const pn_field *field = &info->fields[i];
    switch (field->kind) {
    case PN_FIELD_F32: *(float *)pn_field_at(attrs, field) = (float)field->default_f64; break;
    case PN_FIELD_I64:
    case PN_FIELD_BOOL:
    case PN_FIELD_DTYPE:
    case PN_FIELD_ENUM: pn_field_set_integer(attrs, field, field->default_i64); break;
    case PN_FIELD_I64S: case PN_FIELD_F32S: case PN_FIELD_STRING: case PN_FIELD_EXPR: case PN_FIELD_GRAPH: break;
    }
  }
  return attrs;
}

/* ---- single fields ---------------------------------------------------------------------------------------------- */

/* Enumerations are read and written by copies of their bytes: C leaves their integer type to the compiler, but all of
   ours are as wide as pelton_dtype. */
_Static_assert(sizeof(pn_pool_kind) == 4 && sizeof(pelton_dtype) == 4, "enums of 32 bits");

int64_t pn_field_get_integer(const void *attrs, const pn_field *field) {
  const void *at = pn_field_at_const(attrs, field);
  if (field->kind == PN_FIELD_I64) return *(const int64_t *)at;
  if (field->kind == PN_FIELD_BOOL) return *(const bool *)at;
  return pn_load_u32(at);
}

void pn_field_set_integer(void *attrs, const pn_field *field, int64_t value) {
  void *at = pn_field_at(attrs, field);
  uint32_t narrow = (uint32_t)value;
  if (field->kind == PN_FIELD_I64)
    *(int64_t *)at = value;
  else if (field->kind == PN_FIELD_BOOL)
    *(bool *)at = value != 0;
  else
    memcpy(at, &narrow, sizeof narrow);
}

uint32_t pn_field_word_count(const pn_field *field) {
  uint32_t count = 0;
  while (field->words && field->words[count]) count++;
  return count;
}

pn_span pn_field_bytes(const void *attrs, const pn_field *field) {
  const void *at = pn_field_at_const(attrs, field);
  switch (field->kind) {
  case PN_FIELD_I64S:
    return (pn_span){(const uint8_t *)((const pn_i64s *)at)->data, ((const pn_i64s *)at)->count * sizeof(int64_t)};
  case PN_FIELD_F32S:
    return (pn_span){(const uint8_t *)((const pn_f32s *)at)->data, ((const pn_f32s *)at)->count * sizeof(float)};
  case PN_FIELD_STRING: return (pn_span){(const uint8_t *)((const pn_str *)at)->data, ((const pn_str *)at)->size};
  case PN_FIELD_F32: return (pn_span){at, sizeof(float)};
  default: return (pn_span){NULL, 0};
  }
}

static bool span_equal(pn_span a, pn_span b) {
  return a.size == b.size && (a.size == 0 || !memcmp(a.data, b.data, a.size));
}

bool pn_field_equal(const void *a, const void *b, const pn_field *field) {
  switch (field->kind) {
  case PN_FIELD_I64:
  case PN_FIELD_BOOL:
  case PN_FIELD_DTYPE:
  case PN_FIELD_ENUM: return pn_field_get_integer(a, field) == pn_field_get_integer(b, field);
  case PN_FIELD_F32: /* by bits, as the lists: what is not a number equals itself here */
  case PN_FIELD_I64S:
  case PN_FIELD_F32S:
  case PN_FIELD_STRING: return span_equal(pn_field_bytes(a, field), pn_field_bytes(b, field));
  case PN_FIELD_EXPR: return pn_expr_equal(pn_field_expr(a, field), pn_field_expr(b, field));
  case PN_FIELD_GRAPH: return pn_field_graph(a, field) == pn_field_graph(b, field);
  }
  return false;
}

bool pn_field_is_default(const void *attrs, const pn_field *field) {
  float default_f32 = (float)field->default_f64;
  switch (field->kind) {
  case PN_FIELD_I64:
  case PN_FIELD_BOOL:
  case PN_FIELD_DTYPE:
  case PN_FIELD_ENUM: return pn_field_get_integer(attrs, field) == field->default_i64;
  case PN_FIELD_F32: return !memcmp(pn_field_at_const(attrs, field), &default_f32, sizeof default_f32);
  case PN_FIELD_I64S:
  case PN_FIELD_F32S:
  case PN_FIELD_STRING: return pn_field_bytes(attrs, field).size == 0;
  case PN_FIELD_EXPR: return pn_field_expr(attrs, field) == NULL;
  case PN_FIELD_GRAPH: return pn_field_graph(attrs, field) == NULL;
  }
  return true;
}

/* ---- whole structs ---------------------------------------------------------------------------------------------- */

static const pn_expr *expr_copy(const pn_expr *expr, pn_arena *arena) {
  pn_expr *copy = pn_arena_copy(arena, expr, sizeof *expr, _Alignof(pn_expr));
  if (!copy) return NULL;
  copy->steps = pn_arena_copy(arena, expr->steps, expr->step_count * sizeof(pn_expr_step), _Alignof(pn_expr_step));
  return copy->steps ? copy : NULL;
}

/* Gives |field| of |attrs|, now a shallow copy, its own memory. */
static bool field_own(void *attrs, const pn_field *field, pn_arena *arena) {
  void *at = pn_field_at(attrs, field);
  pn_span bytes = pn_field_bytes(attrs, field);
  if (field->kind == PN_FIELD_EXPR) {
    const pn_expr **expr = at;
    return !*expr || (*expr = expr_copy(*expr, arena)) != NULL;
  }
  if (field->kind != PN_FIELD_I64S && field->kind != PN_FIELD_F32S && field->kind != PN_FIELD_STRING) return true;
  const void *copy = NULL;
  if (bytes.size) {
    copy = pn_arena_copy(arena, bytes.data, bytes.size, sizeof(int64_t));
    if (!copy) return false;
  }
  if (field->kind == PN_FIELD_I64S) ((pn_i64s *)at)->data = copy;
  if (field->kind == PN_FIELD_F32S) ((pn_f32s *)at)->data = copy;
  if (field->kind == PN_FIELD_STRING) ((pn_str *)at)->data = copy;
  return true;
}

void *pn_attrs_copy(pn_op op, const void *attrs, pn_arena *arena) {
  const pn_op_info *info = pn_op_get(op);
  void *copy = pn_arena_copy(arena, attrs, info->attrs_bytes, _Alignof(max_align_t));
  if (!copy) return NULL;
  for (uint32_t i = 0; i < info->field_count; i++)
    if (!field_own(copy, &info->fields[i], arena)) return NULL;
  return copy;
}

bool pn_attrs_equal(pn_op op, const void *a, const void *b) {
  const pn_op_info *info = pn_op_get(op);
  for (uint32_t i = 0; i < info->field_count; i++)
    if (!pn_field_equal(a, b, &info->fields[i])) return false;
  return true;
}

static uint64_t hash_text(const char *text, uint64_t seed) { return pn_hash_bytes(text, strlen(text), seed); }

/* Names and values of what differs from the defaults: a field that a later version adds leaves old hashes as they are.
   Subgraphs count by being there; their owner hashes what is in them. */
uint64_t pn_attrs_hash(pn_op op, const void *attrs, uint64_t seed) {
  const pn_op_info *info = pn_op_get(op);
  uint64_t h = hash_text(info->name, seed);
  for (uint32_t i = 0; i < info->field_count; i++) {
    const pn_field *field = &info->fields[i];
    if (pn_field_is_default(attrs, field)) continue;
    h = hash_text(field->name, h);
    pn_span bytes = pn_field_bytes(attrs, field);
    switch (field->kind) {
    case PN_FIELD_I64:
    case PN_FIELD_BOOL: h = pn_hash_mix(h, (uint64_t)pn_field_get_integer(attrs, field)); break;
    case PN_FIELD_DTYPE:
    case PN_FIELD_ENUM: h = hash_text(pn_field_word(attrs, field), h); break;
    case PN_FIELD_F32:
    case PN_FIELD_I64S:
    case PN_FIELD_F32S:
    case PN_FIELD_STRING: h = pn_hash_bytes(bytes.data, bytes.size, h); break;
    case PN_FIELD_EXPR: h = pn_hash_mix(h, pn_expr_hash(pn_field_expr(attrs, field))); break;
    case PN_FIELD_GRAPH: break;
    }
  }
  return h;
}

const char *pn_field_word(const void *attrs, const pn_field *field) {
  int64_t value = pn_field_get_integer(attrs, field);
  if (field->kind == PN_FIELD_DTYPE)
    return value == PELTON_DTYPE_NONE ? "none" : pelton_dtype_name((pelton_dtype)value);
  return value < (int64_t)pn_field_word_count(field) ? field->words[value] : "?";
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

/* A float as people write it: 0.1, not the double nearest to it. */
static void json_f32(pn_json *json, const char *key, float value) {
  char number[40];
  double shown = (double)value;
  for (int digits = 6; digits <= 9 && isfinite(value); digits++) {
    pn_formatf(number, sizeof number, "%.*g", digits, (double)value);
    shown = pn_parse_f64(number, NULL);
    if ((float)shown == value) break;
  }
  pn_json_f64(json, key, shown);
}

static void json_list(pn_json *json, const void *attrs, const pn_field *field) {
  const void *at = pn_field_at_const(attrs, field);
  pn_json_array_begin(json, field->name);
  if (field->kind == PN_FIELD_I64S) {
    const pn_i64s *list = at;
    for (uint32_t i = 0; i < list->count; i++) pn_json_i64(json, NULL, list->data[i]);
  } else {
    const pn_f32s *list = at;
    for (uint32_t i = 0; i < list->count; i++) json_f32(json, NULL, list->data[i]);
  }
  pn_json_array_end(json);
}

static void json_expr(pn_json *json, const char *key, const pn_expr *expr) {
  pn_text text;
  pn_text_init(&text, json->text->allocator);
  if (expr) pn_expr_print(expr, &text);
  if (text.failed) json->text->failed = true;
  pn_json_string(json, key, (pn_str){text.data, text.size});
  pn_text_deinit(&text);
}

void pn_attrs_json(pn_op op, const void *attrs, struct pn_json *json) {
  const pn_op_info *info = pn_op_get(op);
  for (uint32_t i = 0; i < info->field_count; i++) {
    const pn_field *field = &info->fields[i];
    pn_span bytes = pn_field_bytes(attrs, field);
    switch (field->kind) {
    case PN_FIELD_I64: pn_json_i64(json, field->name, pn_field_get_integer(attrs, field)); break;
    case PN_FIELD_F32: json_f32(json, field->name, *(const float *)pn_field_at_const(attrs, field)); break;
    case PN_FIELD_BOOL: pn_json_bool(json, field->name, pn_field_get_integer(attrs, field) != 0); break;
    case PN_FIELD_DTYPE:
    case PN_FIELD_ENUM: pn_json_string(json, field->name, pn_str_from(pn_field_word(attrs, field))); break;
    case PN_FIELD_I64S:
    case PN_FIELD_F32S: json_list(json, attrs, field); break;
    case PN_FIELD_STRING: pn_json_string(json, field->name, (pn_str){(const char *)bytes.data, bytes.size}); break;
    case PN_FIELD_EXPR: json_expr(json, field->name, pn_field_expr(attrs, field)); break;
    case PN_FIELD_GRAPH: break; /* the owner of graphs writes them */
    }
  }
}
