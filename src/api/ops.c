/* The operator table as JSON, for `pelton ops` and docs/ops.md. */
#include "base/json.h"
#include "op/op.h"
#include "pelton/build.h"

static const char *kind_name(pn_field_kind kind) {
  static const char *const names[] = {"int", "float", "bool", "dtype", "enum", "ints", "floats", "string", "expression", "graph"};
  return names[kind];
}

static void json_field(pn_json *json, const pn_field *f) {
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "name", pn_str_from(f->name));
  pn_json_string(json, "type", pn_str_from(kind_name(f->kind)));
  if (f->kind == PN_FIELD_I64) pn_json_i64(json, "default", f->default_i64);
  if (f->kind == PN_FIELD_BOOL) pn_json_bool(json, "default", f->default_i64 != 0);
  if (f->kind == PN_FIELD_F32) pn_json_f64(json, "default", f->default_f64);
  if (f->kind == PN_FIELD_ENUM) {
    pn_json_string(json, "default", pn_str_from(f->words[f->default_i64]));
    pn_json_array_begin(json, "words");
    for (const char *const *w = f->words; *w; w++) pn_json_string(json, NULL, pn_str_from(*w));
    pn_json_array_end(json);
  }
  pn_json_object_end(json);
}

pelton_status pelton_ops_json(char **out, pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_ops_json: out must not be null");
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_array_begin(&json, NULL);
  for (uint32_t i = 0; i < PN_OP_COUNT; i++) {
    const pn_op_info *op = pn_op_get((pn_op)i);
    pn_json_object_begin(&json, NULL);
    pn_json_string(&json, "op", pn_str_from(op->name));
    pn_json_i64(&json, "min_inputs", op->min_inputs);
    pn_json_i64(&json, "max_inputs", op->max_inputs == PN_MANY ? -1 : (int64_t)op->max_inputs);
    pn_json_i64(&json, "min_outputs", op->min_outputs);
    pn_json_i64(&json, "max_outputs", op->max_outputs == PN_MANY ? -1 : (int64_t)op->max_outputs);
    pn_json_array_begin(&json, "attributes");
    for (uint32_t f = 0; f < op->field_count; f++) json_field(&json, &op->fields[f]);
    pn_json_array_end(&json);
    pn_json_object_end(&json);
  }
  pn_json_array_end(&json);
  *out = text.data;
  if (!text.failed) return PELTON_OK;
  pn_text_deinit(&text);
  *out = NULL;
  return pn_fail_memory(diag, "the text");
}
