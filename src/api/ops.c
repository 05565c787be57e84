/* The operator table as JSON, for `pelton ops` and docs/ops.md. */
#include "base/json.h"
#include "op/op.h"
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

/* ---- which types ---------------------------------------------------------------------------------------------------
 */

enum { PROBE_OPERANDS = 8 };

/* Attributes without which some operators mean nothing. */
static const struct {
  pn_op op;
  const char *text;
} probe_attributes[] = {{PN_OP_POOL, "kernel=[2,2]"}, {PN_OP_MAX_UNPOOL, "kernel=[2,2]"}};

static void *probe_attrs(pn_op op, pn_arena *arena) {
  for (size_t i = 0; i < PN_COUNT(probe_attributes); i++) {
    pn_str text = pn_str_from(probe_attributes[i].text);
    void *attrs;
    if (probe_attributes[i].op == op && pn_attrs_parse(op, &text, NULL, arena, &attrs, NULL) == PELTON_OK) return attrs;
  }
  return pn_attrs_new(op, arena);
}

/* True when the operator's own check takes |inputs| operands of |types|, of unknown shapes. */
static bool takes(pn_op which, const void *attrs, uint32_t inputs, const pelton_dtype *types, pn_symbols *symbols,
                  pn_arena *arena) {
  const pn_op_info *op = pn_op_get(which);
  pn_fact in[PROBE_OPERANDS] = {{0}}, out[PROBE_OPERANDS] = {{0}};
  for (uint32_t i = 0; i < inputs; i++) {
    in[i] = (pn_fact){.present = true, .type = {.dtype = types[i], .rank = PN_RANK_UNKNOWN}};
    const pn_type item = {.dtype = PELTON_DTYPE_F32};
    if (types[i] == PELTON_DTYPE_TENSOR &&
        (!(op->flags & PN_OP_BOXES) || !pn_type_box(&item, pn_dim_fresh(symbols), false, &in[i].type)))
      return false;
  }
  uint32_t outputs = op->min_outputs < PROBE_OPERANDS ? op->min_outputs : PROBE_OPERANDS;
  for (uint32_t i = 0; i < outputs; i++) out[i].present = true;
  pn_infer call = {.attrs = attrs,
                   .input_count = inputs,
                   .output_count = outputs,
                   .in = in,
                   .out = out,
                   .symbols = symbols,
                   .arena = arena};
  return pn_op_check(which, &call) == PELTON_OK;
}

/* The first operand may be |type|: with others of the same type, or with integers, floats, bools or bytes among them.
 */
static bool takes_first(pn_op which, const void *attrs, pelton_dtype type, pn_symbols *symbols, pn_arena *arena) {
  const pn_op_info *op = pn_op_get(which);
  static const pelton_dtype companions[][2] = {
      /* of the second operand, and of those after it; NONE: the same as the first */
      {PELTON_DTYPE_NONE, PELTON_DTYPE_NONE}, {PELTON_DTYPE_I64, PELTON_DTYPE_I64},
      {PELTON_DTYPE_I64, PELTON_DTYPE_NONE},  {PELTON_DTYPE_NONE, PELTON_DTYPE_I64},
      {PELTON_DTYPE_F32, PELTON_DTYPE_F32},   {PELTON_DTYPE_F32, PELTON_DTYPE_NONE},
      {PELTON_DTYPE_BOOL, PELTON_DTYPE_BOOL}, {PELTON_DTYPE_U8, PELTON_DTYPE_U8},
      {PELTON_DTYPE_I8, PELTON_DTYPE_I8}};
  uint32_t most = op->max_inputs < 3 ? op->max_inputs : 3;
  for (uint32_t inputs = op->min_inputs;
       inputs <= (most > op->min_inputs ? most : op->min_inputs) && inputs <= PROBE_OPERANDS; inputs++) {
    for (size_t c = 0; c < PN_COUNT(companions); c++) {
      pelton_dtype types[PROBE_OPERANDS];
      for (uint32_t i = 0; i < inputs; i++) {
        pelton_dtype other = i ? companions[c][i > 1] : PELTON_DTYPE_NONE;
        types[i] = other == PELTON_DTYPE_NONE ? type : other;
      }
      if (takes(which, attrs, inputs, types, symbols, arena)) return true;
    }
  }
  return false;
}

/* The types of the first operand, found by asking. */
static void json_types(pn_json *json, pn_op which, pn_arena *arena) {
  const pn_op_info *op = pn_op_get(which);
  bool any =
      which == PN_OP_POINTWISE || which == PN_OP_BITCAST || (op->flags & PN_OP_CONTROL); /* their attributes decide */
  const void *attrs = any ? NULL : probe_attrs(which, arena);
  pn_symbols symbols;
  pn_symbols_init(&symbols, arena);
  pn_json_array_begin(json, "types");
  for (int t = PELTON_DTYPE_NONE + 1; t < PELTON_DTYPE_COUNT; t++)
    if (any ? t != PELTON_DTYPE_TENSOR || (op->flags & PN_OP_BOXES) != 0
            : takes_first(which, attrs, (pelton_dtype)t, &symbols, arena))
      pn_json_string(json, NULL, pn_str_from(pelton_dtype_name((pelton_dtype)t)));
  pn_json_array_end(json);
}

/* Every target runs every operator, by its reference if not better. */
static void json_targets(pn_json *json) {
  const pn_target *const *targets;
  uint32_t count = pn_target_list(&targets);
  pn_json_array_begin(json, "targets");
  for (uint32_t i = 0; i < count; i++)
    if (strcmp(targets[i]->name, "null") != 0) pn_json_string(json, NULL, pn_str_from(targets[i]->name));
  pn_json_array_end(json);
}

pelton_status pelton_ops_json(char **out, pelton_diag *diag) {
  if (!out) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "pelton_ops_json: out must not be null");
  pn_text text;
  pn_json json;
  pn_arena arena;
  pn_arena_init(&arena, NULL);
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
    json_types(&json, (pn_op)i, &arena);
    json_targets(&json);
    pn_json_object_end(&json);
  }
  pn_json_array_end(&json);
  pn_arena_deinit(&arena);
  *out = text.data;
  if (!text.failed) return PELTON_OK;
  pn_text_deinit(&text);
  *out = NULL;
  return pn_fail_memory(diag, "the text");
}
