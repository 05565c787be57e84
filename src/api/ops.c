/* The tables of operators as JSON, for `pelton ops` and the pages docs/ops.md and docs/onnx.md. */
#include "api/op_samples.h"
#include "base/json.h"
#include "import/onnx/scope.h"
#include "op/schema.h"
#include "pelton/build.h"
#include "target/target.h"

static const char *kind_name(pn_field_kind kind) {
  static const char *const names[] = {"int",  "float",  "bool",   "dtype",      "enum",
                                      "ints", "floats", "string", "expression", "graph"};
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

/* ---- types and what runs them ---------------------------------------------------------------------------------------
 */

/* How the operator is run, where that is no tactic's business. */
static const char *runner(const pn_op_info *op) {
  if (op->flags & PN_OP_VIEW) return "view";
  return op->flags & (PN_OP_DATA_SHAPE | PN_OP_CONTROL) ? "runtime" : "tactics";
}

/* For each of |types|, the tactics of |target| besides the reference. */
static void json_tactics(pn_json *json, pn_op op, const bool *types, const pn_target *target, pn_device *device) {
  pn_json_object_begin(json, target->name);
  for (int t = PELTON_DTYPE_NONE + 1; t < PELTON_DTYPE_COUNT; t++) {
    const pn_tactic *tactics[PN_SAMPLE_TACTICS];
    uint32_t count = types[t] ? pn_op_sample_tactics(op, (pelton_dtype)t, target, device, tactics) : 0;
    if (!count) continue;
    pn_json_array_begin(json, pelton_dtype_name((pelton_dtype)t));
    for (uint32_t i = 0; i < count; i++) pn_json_string(json, NULL, pn_str_from(tactics[i]->name));
    pn_json_array_end(json);
  }
  pn_json_object_end(json);
}

static void json_support(pn_json *json, pn_op which) {
  const pn_op_info *op = pn_op_get(which);
  bool types[PELTON_DTYPE_COUNT] = {false};
  pn_json_array_begin(json, "types");
  for (int t = PELTON_DTYPE_NONE + 1; t < PELTON_DTYPE_COUNT; t++) {
    types[t] = pn_op_sample_valid(which, (pelton_dtype)t);
    if (types[t]) pn_json_string(json, NULL, pn_str_from(pelton_dtype_name((pelton_dtype)t)));
  }
  pn_json_array_end(json);
  const pn_target *const *targets;
  uint32_t count = pn_target_list(&targets);
  pn_json_array_begin(json, "targets"); /* every target runs every operator, by its reference if not better */
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(targets[i]->name, "null") != 0) pn_json_string(json, NULL, pn_str_from(targets[i]->name));
  pn_json_array_end(json);
  pn_json_string(json, "runner", pn_str_from(runner(op)));
  pn_json_object_begin(json, "tactics"); /* of the targets that this machine has */
  for (uint32_t i = 0; i < count; i++) {
    pn_device_options options = {.allocator = &pn_allocator_default, .threads = 1, .isa_lowered = true};
    pn_device *device;
    if (!strcmp(targets[i]->name, "null") || targets[i]->device_open(&options, &device, NULL)) continue;
    void *was = pn_target_enter(targets[i], device);
    json_tactics(json, which, types, targets[i], device);
    pn_target_leave(targets[i], device, was);
    targets[i]->device_close(device);
  }
  pn_json_object_end(json);
  pn_text sample;
  pn_text_init(&sample, NULL);
  pelton_dtype shown = PELTON_DTYPE_F32;
  for (int t = PELTON_DTYPE_COUNT; t-- > 1 && !types[PELTON_DTYPE_F32];)
    if (types[t]) shown = (pelton_dtype)t;
  if (pn_op_sample_print(which, 0, shown, &sample)) pn_json_string(json, "sample", (pn_str){sample.data, sample.size});
  pn_text_deinit(&sample);
}

/* ---- the tables ----------------------------------------------------------------------------------------------------
 */

static pelton_status give(pn_text *text, char **out, pelton_diag *diag) {
  *out = text->data;
  if (!text->failed) return PELTON_OK;
  pn_text_deinit(text);
  *out = NULL;
  return pn_fail_memory(diag, "the text");
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
    json_support(&json, (pn_op)i);
    pn_json_object_end(&json);
  }
  pn_json_array_end(&json);
  return give(&text, out, diag);
}

pelton_status pelton_onnx_ops_json(char **out, pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_onnx_ops_json: out must not be null");
  pn_text text;
  pn_json json;
  pn_text_init(&text, NULL);
  pn_json_init(&json, &text);
  pn_json_array_begin(&json, NULL);
  for (uint32_t i = 0;; i++) {
    const pn_onnx_op *op = pn_onnx_op_at(i);
    if (!op) break;
    pn_json_object_begin(&json, NULL);
    pn_json_string(&json, "op", pn_str_from(op->name));
    pn_json_string(&json, "domain", pn_str_from(op->domain));
    pn_json_i64(&json, "since", op->since);
    pn_json_i64(&json, "until", op->until);
    pn_json_object_end(&json);
  }
  pn_json_array_end(&json);
  return give(&text, out, diag);
}
