/* What functions of operators are offered: attributes in Pelton's terms, nodes added and typed at once, constants. */
#include "base/format.h"
#include "import/onnx/scope.h"
#include "ir/walk.h"

#include <inttypes.h>

/* ---- what is known --------------------------------------------------------------------------------------------- */

pelton_status pn_onnx_rank(const pn_onnx_call *c, uint32_t i, uint32_t *out) {
  *out = 0;
  if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  const int32_t rank = pn_onnx_type_of(c, c->inputs[i])->rank;
  if (rank == PN_RANK_UNKNOWN)
    return pn_fail(
        c->diag, PELTON_UNSUPPORTED,
        "the number of dimensions of its input %u is not known; give the graph's inputs shapes, or run ONNX's "
        "shape inference on the model",
        i);
  *out = (uint32_t)rank;
  return PELTON_OK;
}

static const pn_fact *fact_of(const pn_onnx_call *c, pn_value_id value) {
  if (!pn_value_valid(value)) return NULL;
  return pn_onnx_area_fact(c->importer, c->importer->scope->area, value);
}

const void *pn_onnx_constant_data(const pn_onnx_call *c, pn_value_id value) {
  const pn_fact *fact = fact_of(c, value);
  return fact && pn_type_is_static(&fact->type) ? fact->data : NULL;
}

bool pn_onnx_constant_ints(const pn_onnx_call *c, uint32_t i, pn_i64s *out) {
  const pn_fact *fact = fact_of(c, pn_onnx_input(c, i));
  *out = (pn_i64s){NULL, 0};
  if (!fact || !pn_type_is_static(&fact->type) || fact->type.rank > 1) return false;
  if (!fact->data && !fact->content) return false;
  const int64_t count = fact->type.rank == 1 ? fact->type.dims[0].number : 1;
  if (count > PN_INFER_FOLD_ELEMENTS) return false;
  int64_t *numbers = PN_NEW_ARRAY(c->graph->arena, int64_t, (size_t)count + 1);
  if (!numbers) return false;
  for (int64_t k = 0; k < count; k++) {
    if (fact->data && fact->type.dtype == PELTON_DTYPE_I64) numbers[k] = ((const int64_t *)fact->data)[k];
    else if (fact->data && fact->type.dtype == PELTON_DTYPE_I32) numbers[k] = ((const int32_t *)fact->data)[k];
    else if (!fact->data && pn_dim_is_number(fact->content[k])) numbers[k] = fact->content[k].number;
    else return false;
  }
  *out = (pn_i64s){numbers, (uint32_t)count};
  return true;
}

/* ---- attributes ------------------------------------------------------------------------------------------------ */

void *pn_onnx_attrs(const pn_onnx_call *c, pn_op op) { return pn_attrs_new(op, c->graph->arena); }

pelton_status pn_onnx_ints(const pn_onnx_call *c, const char *name, pn_i64s *out) {
  pn_onnx_i64s list;
  *out = (pn_i64s){NULL, 0};
  PN_TRY(pn_onnx_attr_i64s(c->node, name, &list, c->diag));
  if (list.count == 0) return PELTON_OK;
  const int64_t *copy =
      pn_arena_copy(c->graph->arena, list.data, list.count * sizeof *list.data, _Alignof(int64_t));
  if (!copy) return pn_fail_memory(c->diag, "an attribute");
  *out = (pn_i64s){copy, list.count};
  return PELTON_OK;
}

static char lower(char ch) { return ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch; }

static bool same_word(pn_str a, const char *b) {
  for (size_t i = 0; i < a.size; i++)
    if (lower(a.data[i]) != lower(b[i]) || !b[i]) return false;
  return b[a.size] == 0;
}

pelton_status pn_onnx_word(const pn_onnx_call *c, const char *name, const char *const *words, int *out) {
  pn_str word;
  if (!pn_onnx_attr_find(c->node, name)) return PELTON_OK;
  PN_TRY(pn_onnx_attr_str(c->node, name, "", &word, c->diag));
  for (int i = 0; words[i]; i++)
    if (same_word(word, words[i])) {
      *out = i;
      return PELTON_OK;
    }
  return pn_fail(c->diag, PELTON_UNSUPPORTED, "attribute \"%s\" is \"%.*s\", which Pelton does not know", name,
                 PN_STR_ARG(word));
}

pelton_status pn_onnx_elem_attr(const pn_onnx_call *c, const char *name, pelton_dtype *out) {
  int64_t elem;
  if (!pn_onnx_attr_find(c->node, name)) return PELTON_OK;
  PN_TRY(pn_onnx_attr_i64(c->node, name, 0, &elem, c->diag));
  const int32_t known = elem > 0 && elem < PN_ONNX_ELEM_COUNT ? (int32_t)elem : 0;
  if (known == 0)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"%s\" is %" PRId64 ", which is no element type", name,
                   elem);
  *out = pn_onnx_elem_dtype(known);
  if (*out == PELTON_DTYPE_NONE)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "elements of type %s, which Pelton does not have",
                   pn_onnx_elem_name(known));
  return PELTON_OK;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

pelton_status pn_onnx_add(pn_onnx_call *c, pn_op op, const void *attrs, const pn_value_id *inputs, uint32_t input_count,
                          uint32_t output_count, pn_value_id *out) {
  const pn_node_id node = pn_graph_add_node(c->graph, op, attrs, c->name, inputs, input_count, output_count);
  if (!pn_node_valid(node)) return pn_fail_memory(c->diag, "a node");
  for (uint32_t i = 0; out && i < output_count; i++) out[i] = pn_graph_result(c->graph, node, i);
  return pn_onnx_area_infer(c->importer, c->importer->scope->area);
}

pelton_status pn_onnx_map_over(pn_onnx_call *c, pn_op op, const void *attrs, const pn_value_id *inputs,
                               uint32_t input_count) {
  const pn_op_info *info = pn_op_get(op);
  uint32_t count = c->output_count;
  if (input_count < info->min_inputs || input_count > info->max_inputs)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have %u to %u", input_count,
                   info->min_inputs, info->max_inputs);
  if (count > info->max_outputs)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u results, but the operator has %u", count,
                   info->max_outputs);
  for (uint32_t i = 0; i < count; i++) {
    c->outputs[i] = PN_NO_VALUE;
    if (!pn_onnx_wants(c, i) && !pn_op_needs_output(op, i)) continue;
    c->outputs[i] = pn_graph_add_value(c->graph, c->node->outputs.data[i], NULL);
    if (!pn_value_valid(c->outputs[i])) return pn_fail_memory(c->diag, "a node");
  }
  const pn_node_id node = pn_graph_add_node_to(c->graph, op, attrs, c->name, inputs, input_count, c->outputs, count);
  if (!pn_node_valid(node)) return pn_fail_memory(c->diag, "a node");
  return pn_onnx_area_infer(c->importer, c->importer->scope->area);
}

pelton_status pn_onnx_map(pn_onnx_call *c, pn_op op, const void *attrs) {
  return pn_onnx_map_over(c, op, attrs, c->inputs, c->input_count);
}

/* ---- expressions ----------------------------------------------------------------------------------------------- */

/* Whether |value| can be a constant of an integer type without change. */
static bool fits_type(double value, pelton_dtype dtype) {
  return pn_dtype_is_float(dtype) || (value >= -0x1p62 && value <= 0x1p62 && value == (double)(int64_t)value);
}

static void print_number(pn_text *text, double value, pelton_dtype dtype) {
  if (pn_dtype_is_float(dtype)) {
    if (dtype == PELTON_DTYPE_F64) pn_text_printf(text, "%.17g", value);
    else pn_text_f32(text, (float)value);
  } else {
    pn_text_printf(text, "%" PRId64, (int64_t)value); /* fits_type has looked at it */
  }
  pn_text_printf(text, ":%s", pelton_dtype_name(dtype));
}

pelton_status pn_onnx_formula(pn_onnx_call *c, const char *text, const double *numbers, const pn_value_id *operands,
                              uint32_t count, pn_value_id *out) {
  const pelton_dtype dtype = pn_onnx_type_of(c, operands[0])->dtype;
  const pn_expr *expr;
  pn_text full;
  pn_text_init(&full, c->importer->scratch.allocator);
  for (const char *p = text; *p; p++) {
    if (*p != '%') {
      pn_text_add(&full, (pn_str){p, 1});
    } else if (*++p == 'T') {
      pn_text_add(&full, pn_str_from(pelton_dtype_name(dtype)));
    } else {
      const double number = numbers[*p - '0'];
      if (!fits_type(number, dtype)) {
        pn_text_deinit(&full);
        return pn_fail(c->diag, PELTON_INVALID_DATA, "an attribute is %g, which is no element of type %s", number,
                       pelton_dtype_name(dtype));
      }
      print_number(&full, number, dtype);
    }
  }
  pelton_status status = full.failed ? pn_fail_memory(c->diag, "an expression")
                                     : pn_expr_parse((pn_str){full.data, full.size}, c->graph->arena, &expr, c->diag);
  pn_text_deinit(&full);
  PN_TRY(status);
  const pn_value_id result = pn_graph_add_pointwise(c->graph, expr, c->name, operands, count);
  if (!pn_value_valid(result)) return pn_fail_memory(c->diag, "a node");
  *out = result;
  return pn_onnx_area_infer(c->importer, c->importer->scope->area);
}

pelton_status pn_onnx_pointwise(pn_onnx_call *c, const char *text, const pn_value_id *operands, uint32_t count,
                                pn_value_id *out) {
  return pn_onnx_formula(c, text, NULL, operands, count, out);
}

pelton_status pn_onnx_cast(pn_onnx_call *c, pn_value_id value, pelton_dtype dtype, pn_value_id *out) {
  char text[32];
  *out = value;
  if (pn_onnx_type_of(c, value)->dtype == dtype) return PELTON_OK;
  if (dtype == PELTON_DTYPE_STRING) return pn_onnx_add(c, PN_OP_TO_TEXT, NULL, &value, 1, 1, out);
  if (pn_onnx_type_of(c, value)->dtype == PELTON_DTYPE_STRING) {
    pn_attrs_from_text *a = pn_onnx_attrs(c, PN_OP_FROM_TEXT);
    if (!a) return pn_fail_memory(c->diag, "a node");
    a->to = dtype;
    return pn_onnx_add(c, PN_OP_FROM_TEXT, a, &value, 1, 1, out);
  }
  pn_formatf(text, sizeof text, "cast(x0,%s)", pelton_dtype_name(dtype));
  return pn_onnx_pointwise(c, text, &value, 1, out);
}

/* ---- constants ------------------------------------------------------------------------------------------------- */

pelton_status pn_onnx_i64s_constant(pn_onnx_call *c, const int64_t *data, uint32_t count, pn_value_id *out) {
  *out = pn_graph_add_i64s(c->graph, c->name, data, count);
  return pn_value_valid(*out) ? PELTON_OK : pn_fail_memory(c->diag, "a constant");
}

pelton_status pn_onnx_scalar(pn_onnx_call *c, pelton_dtype dtype, double value, pn_value_id *out) {
  *out = pn_graph_add_scalar(c->graph, c->name, dtype, value);
  return pn_value_valid(*out) ? PELTON_OK : pn_fail_memory(c->diag, "a constant");
}

pelton_status pn_onnx_data_constant(pn_onnx_call *c, const pn_onnx_data *data, pn_value_id *out) {
  return pn_onnx_constant_import(c->importer, c->graph, c->name, data, out);
}
