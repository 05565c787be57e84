/* The survey's part in the import, and what comes out of it. Rules are in rules_tensor.c and rules_sequence.c. */
#include "import/onnx/check/survey.h"

#include "import/onnx/check/schema.h"

#include <inttypes.h>

/* ---- descriptions ---------------------------------------------------------------------------------------------- */

pn_onnx_described pn_onnx_describe_tensor(int32_t elem, const pn_type *type) {
  pn_onnx_described out = {.kind = PN_ONNX_TYPE_TENSOR, .elem = elem, .type = {.rank = PN_RANK_UNKNOWN}};
  if (type) out.type = *type;
  out.type.dtype = pn_onnx_elem_dtype(elem);
  return out;
}

static int32_t elem_of_dtype(pelton_dtype dtype) {
  for (int32_t elem = 1; elem < PN_ONNX_ELEM_COUNT; elem++)
    if (dtype != PELTON_DTYPE_NONE && pn_onnx_elem_dtype(elem) == dtype) return elem;
  return PN_ONNX_UNDEFINED;
}

static pn_dim describe_dim(pn_symbols *symbols, const pn_onnx_dim *d) {
  if (d->has_value && d->value >= 0) return pn_dim_of(d->value);
  return d->param.size > 0 ? pn_dim_named(symbols, d->param) : pn_dim_fresh(symbols);
}

/* The parser bounded how deeply types are nested. */
pelton_status pn_onnx_describe_type(pn_onnx_importer *importer, const pn_onnx_type *type, pn_onnx_described *out) {
  pn_symbols *symbols = importer->scope->area->graph->symbols;
  const pn_onnx_type_kind kind = pn_onnx_type_kind_of(type);
  *out = (pn_onnx_described){.kind = kind, .type = {.rank = PN_RANK_UNKNOWN}};
  if (kind == PN_ONNX_TYPE_TENSOR || kind == PN_ONNX_TYPE_SPARSE_TENSOR) {
    const pn_onnx_tensor_type *tensor = kind == PN_ONNX_TYPE_TENSOR ? type->tensor : type->sparse_tensor;
    out->elem = tensor->elem;
    out->type.dtype = pn_onnx_elem_dtype(tensor->elem);
    if (!tensor->shape || tensor->shape->dims.count > PN_MAX_RANK) return PELTON_OK;
    out->type.rank = (int32_t)tensor->shape->dims.count;
    for (uint32_t i = 0; i < tensor->shape->dims.count; i++)
      out->type.dims[i] = describe_dim(symbols, &tensor->shape->dims.data[i]);
    return pn_symbols_status(symbols, importer->diag);
  }
  if (kind != PN_ONNX_TYPE_SEQUENCE && kind != PN_ONNX_TYPE_OPTIONAL) return PELTON_OK;
  const pn_onnx_type *inner = kind == PN_ONNX_TYPE_SEQUENCE ? type->sequence->elem : type->optional->elem;
  if (!inner) return PELTON_OK;
  pn_onnx_described *element = PN_NEW(&importer->scratch, pn_onnx_described);
  if (!element) return pn_fail_memory(importer->diag, "types of values");
  out->element = element;
  return pn_onnx_describe_type(importer, inner, element);
}

pelton_status pn_onnx_describe_name(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name,
                                    pn_onnx_described *out) {
  pn_onnx_name found;
  *out = (pn_onnx_described){.kind = PN_ONNX_TYPE_NONE};
  PN_TRY(pn_onnx_scope_find(importer, scope, name, &found));
  if (found.kind == PN_ONNX_NAME_VALUE && pn_value_valid(found.value)) {
    const pn_type *type = &pn_graph_value(scope->area->graph, found.value)->type;
    *out = pn_onnx_describe_tensor(elem_of_dtype(type->dtype), type);
  } else if (found.described) {
    *out = *found.described;
  }
  return PELTON_OK;
}

pelton_status pn_onnx_survey_define(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, const char *what,
                                    const pn_onnx_described *described) {
  pn_onnx_name entry = {.kind = PN_ONNX_NAME_UNKNOWN, .value = PN_NO_VALUE};
  entry.described = pn_arena_copy(&importer->scratch, described, sizeof *described, _Alignof(pn_onnx_described));
  if (!entry.described) return pn_fail_memory(importer->diag, "types of values");
  return pn_onnx_scope_define(importer, scope, name, what, entry);
}

pelton_status pn_onnx_survey_refuse(pn_onnx_importer *importer, uint32_t mark) {
  pelton_diag *diag = importer->diag;
  for (uint32_t i = mark; diag && i < diag->count; i++) {
    const char *reason = pn_str_copy(&importer->scratch, pn_str_from(pelton_diag_message(diag, i)));
    if (!reason || !pn_list_push(&importer->scratch, &importer->survey->refusals, reason))
      return pn_fail_memory(diag, "reasons");
  }
  pn_diag_rewind(diag, mark);
  return PELTON_OK;
}

/* ---- declared types -------------------------------------------------------------------------------------------- */

static bool index_infos(pn_map *index, const pn_onnx_value_infos *infos, uint32_t first) {
  for (uint32_t i = 0; i < infos->count; i++)
    if (!pn_map_set(index, infos->data[i].name, first + i)) return false;
  return true;
}

/* What the file says of |name| as an output of the graph or a value within it; null when it says nothing. */
static pelton_status declared(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name,
                              const pn_onnx_value_info **out) {
  const pn_onnx_value_infos none = {NULL, 0, 0};
  const pn_onnx_value_infos *inner = scope->onnx ? &scope->onnx->value_infos : &scope->function->value_infos;
  const pn_onnx_value_infos *outputs = scope->onnx ? &scope->onnx->outputs : &none;
  uint32_t at;
  *out = NULL;
  if (scope->declared.count == 0) {
    pn_map_init(&scope->declared, &importer->scratch);
    if (!index_infos(&scope->declared, inner, 0) || !index_infos(&scope->declared, outputs, inner->count))
      return pn_fail_memory(importer->diag, "types of values");
  }
  if (scope->declared.count == 0 || !pn_map_get(&scope->declared, name, &at)) return PELTON_OK;
  *out = at < inner->count ? &inner->data[at] : &outputs->data[at - inner->count];
  return PELTON_OK;
}

static pelton_status contradiction(pn_onnx_importer *importer, pn_str name, const pn_onnx_described *is,
                                   const pn_onnx_described *said) {
  pn_text a, b;
  const pn_symbols *symbols = importer->scope->area->graph->symbols;
  pn_text_init(&a, importer->scratch.allocator);
  pn_text_init(&b, importer->scratch.allocator);
  pn_text_printf(&a, "%s ", pn_onnx_elem_name(is->elem));
  pn_text_printf(&b, "%s ", pn_onnx_elem_name(said->elem));
  pn_type_print(symbols, &is->type, &a);
  pn_type_print(symbols, &said->type, &b);
  const pelton_status status = a.failed || b.failed ? pn_fail_memory(importer->diag, "types of values")
                                                    : pn_fail(importer->diag, PELTON_INVALID_DATA,
                                                              "\"%.*s\" is of type %s, but the file declares it as %s",
                                                              PN_STR_ARG(name), a.data, b.data);
  pn_text_deinit(&a);
  pn_text_deinit(&b);
  return status;
}

static bool is_unknown_dim(const pn_symbols *symbols, pn_dim d) {
  return !pn_dim_is_number(d) && symbols->list.data[d.symbol - 1].kind == PN_SYMBOL_FRESH;
}

/* |known| and what is declared: numbers before symbols, the file's names before those that were inferred. */
static pelton_status complete(pn_onnx_importer *importer, pn_str name, const pn_onnx_described *said,
                              pn_onnx_described *known) {
  const pn_symbols *symbols = importer->scope->area->graph->symbols;
  if (said->kind == PN_ONNX_TYPE_NONE) return PELTON_OK;
  if (known->kind == PN_ONNX_TYPE_NONE) {
    *known = *said;
    return PELTON_OK;
  }
  if (known->kind != said->kind)
    return pn_fail(importer->diag, PELTON_INVALID_DATA, "\"%.*s\" is a %s, but the file declares it as a %s",
                   PN_STR_ARG(name), pn_onnx_type_kind_name(known->kind), pn_onnx_type_kind_name(said->kind));
  if (known->kind == PN_ONNX_TYPE_SEQUENCE || known->kind == PN_ONNX_TYPE_OPTIONAL) {
    if (!known->element) known->element = said->element;
    return PELTON_OK;
  }
  if (said->elem != PN_ONNX_UNDEFINED && known->elem == PN_ONNX_UNDEFINED) {
    known->elem = said->elem;
    known->type.dtype = said->type.dtype;
  }
  if (said->elem != PN_ONNX_UNDEFINED && said->elem != known->elem) return contradiction(importer, name, known, said);
  if (said->type.rank == PN_RANK_UNKNOWN) return PELTON_OK;
  pn_type type = said->type;
  type.dtype = known->type.dtype;
  if (known->type.rank != PN_RANK_UNKNOWN && known->type.rank != type.rank)
    return contradiction(importer, name, known, said);
  for (int32_t i = 0; i < known->type.rank; i++) {
    const pn_dim is = known->type.dims[i];
    if (pn_dim_is_number(is) && pn_dim_is_number(type.dims[i]) && !pn_dim_equal(is, type.dims[i]))
      return contradiction(importer, name, known, said);
    if (pn_dim_is_number(is) || is_unknown_dim(symbols, type.dims[i])) type.dims[i] = is;
  }
  known->type = type;
  return PELTON_OK;
}

/* The same from the file's words; a contradiction is noted, and what is known stays. */
static pelton_status complete_named(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name,
                                    pn_onnx_described *known) {
  const pn_onnx_value_info *info;
  pn_onnx_described said;
  PN_TRY(declared(importer, scope, name, &info));
  if (!info || !info->type) return PELTON_OK;
  PN_TRY(pn_onnx_describe_type(importer, info->type, &said));
  const pelton_status status = complete(importer, name, &said, known);
  if (status != PELTON_INVALID_DATA) return status;
  importer->survey->wrong++;
  return PELTON_OK;
}

pelton_status pn_onnx_survey_input(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_value_info *info) {
  pn_onnx_described said, known;
  uint32_t at;
  PN_TRY(pn_onnx_describe_type(importer, info->type, &said));
  if (said.kind == PN_ONNX_TYPE_TENSOR && (said.elem <= 0 || said.elem >= PN_ONNX_ELEM_COUNT)) {
    pn_fail(importer->diag, PELTON_INVALID_DATA,
            "input \"%.*s\": elem_type is %" PRId32 ", which is no element type of ONNX", PN_STR_ARG(info->name),
            said.elem);
    importer->survey->wrong++;
  }
  if (!pn_map_get(&scope->names, info->name, &at))
    return pn_onnx_survey_define(importer, scope, info->name, "input", &said);
  PN_TRY(pn_onnx_describe_name(importer, scope, info->name, &known));
  const pelton_status status = complete(importer, info->name, &said, &known);
  if (status != PELTON_INVALID_DATA) return status;
  importer->survey->wrong++;
  return PELTON_OK;
}

/* ---- nodes by rule --------------------------------------------------------------------------------------------- */

static const pn_onnx_rule *find_rule(const pn_onnx_node *node) {
  static const pn_onnx_rules *const tables[] = {&pn_onnx_rules_tensor, &pn_onnx_rules_sequence};
  for (size_t t = 0; t < PN_COUNT(tables); t++)
    for (uint32_t i = 0; i < tables[t]->count; i++)
      if (pn_str_is(node->op_type, tables[t]->rows[i].name)) return &tables[t]->rows[i];
  return NULL;
}

bool pn_onnx_survey_by_rule(const pn_onnx_node *node) {
  const pn_onnx_rule *rule = find_rule(node);
  return rule && rule->use & PN_ONNX_RULE_ALWAYS;
}

/* What the operator's row says of result |i|: an element type, or that of an operand with the same variable. */
static pn_onnx_described by_row(const pn_onnx_schema *schema, const pn_onnx_described *in, uint32_t input_count,
                                uint32_t i) {
  pn_onnx_formal result, operand;
  const pn_onnx_described unknown = {.kind = PN_ONNX_TYPE_NONE};
  if (!schema || !pn_onnx_formal_at(schema->outputs, i, &result)) return unknown;
  const int32_t elem = pn_onnx_formal_elem(result.type);
  if (elem != PN_ONNX_UNDEFINED) return pn_onnx_describe_tensor(elem, NULL);
  for (uint32_t k = 0; k < input_count; k++) {
    if (in[k].kind == PN_ONNX_TYPE_NONE || !pn_onnx_formal_at(schema->inputs, k, &operand)) continue;
    if (!pn_str_equal(operand.type, result.type)) continue;
    if (in[k].kind == PN_ONNX_TYPE_TENSOR) return pn_onnx_describe_tensor(in[k].elem, NULL);
    return in[k];
  }
  return unknown;
}

/* A result as a value that nothing computes, so that nodes after it can be imported; or as a description only. */
static pelton_status define_result(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name,
                                   pn_onnx_described *result) {
  PN_TRY(complete_named(importer, scope, name, result));
  if (result->kind != PN_ONNX_TYPE_TENSOR || result->type.dtype == PELTON_DTYPE_NONE)
    return pn_onnx_survey_define(importer, scope, name, "result", result);
  pn_onnx_name entry = {.kind = PN_ONNX_NAME_VALUE};
  entry.value = pn_graph_add_value(scope->area->graph, name, &result->type);
  if (!pn_value_valid(entry.value)) return pn_fail_memory(importer->diag, "types of values");
  if (scope->depth > 0) importer->survey->inner_count++;
  return pn_onnx_scope_define(importer, scope, name, "result", entry);
}

/* Whether the standard would take what Pelton refused as invalid: it has a rule that looks at less. */
static pelton_status settle_refusal(pn_onnx_importer *importer, const pn_onnx_rule *rule, pelton_status refused,
                                    uint32_t mark, uint32_t wrong) {
  struct pn_onnx_survey *survey = importer->survey;
  if (refused == PELTON_INVALID_DATA && !(rule && rule->use & PN_ONNX_RULE_FORGIVES)) {
    survey->wrong++;
    return PELTON_OK;
  }
  survey->wrong = wrong;
  return pn_onnx_survey_refuse(importer, mark);
}

/* What |rule| (may be null) and the operator's row say of the results; |*out| gets one for each. */
static pelton_status by_rule(pn_onnx_call *call, pn_onnx_scope *scope, const pn_onnx_rule *rule,
                             pn_onnx_described **out) {
  pn_onnx_importer *importer = call->importer;
  pn_onnx_described *in = PN_NEW_ARRAY(&importer->scratch, pn_onnx_described, (size_t)call->input_count + 1);
  *out = PN_NEW_ARRAY(&importer->scratch, pn_onnx_described, (size_t)call->output_count + 1);
  if (!in || !*out) return pn_fail_memory(importer->diag, "types of values");
  const pn_onnx_schema *schema = pn_onnx_schema_find(call->node, call->opset, NULL);
  for (uint32_t i = 0; i < call->input_count; i++)
    PN_TRY(pn_onnx_describe_name(importer, scope, call->node->inputs.data[i], &in[i]));
  for (uint32_t i = 0; i < call->output_count; i++) (*out)[i] = by_row(schema, in, call->input_count, i);
  pn_onnx_rule_call r = {call, scope->area->graph->symbols, in, *out};
  if (!rule || !rule->infer) return PELTON_OK;
  const uint32_t mark = pn_diag_mark(importer->diag);
  const pelton_status status = rule->infer(&r);
  if (status == PELTON_UNSUPPORTED) {
    pn_diag_rewind(importer->diag, mark);
    return PELTON_OK;
  }
  if (status != PELTON_INVALID_DATA) return status;
  pn_onnx_node_prefix(importer->diag, mark, call->node, call->opset);
  importer->survey->wrong++;
  return PELTON_OK;
}

pelton_status pn_onnx_survey_node(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *node,
                                  int64_t opset, pn_str name, const pn_value_id *inputs, pelton_status refused,
                                  uint32_t mark, uint32_t wrong) {
  pn_onnx_call call = {importer, scope->area->graph,  node, opset,         name, node->inputs.count,
                       inputs,   node->outputs.count, NULL, importer->diag};
  pn_onnx_described *out;
  if (refused == PELTON_OUT_OF_MEMORY) return refused;
  scope->area->inferred_nodes = scope->area->graph->nodes.count;
  const pn_onnx_rule *rule = find_rule(node);
  PN_TRY(settle_refusal(importer, rule, refused, mark, wrong));
  PN_TRY(by_rule(&call, scope, rule, &out));
  for (uint32_t i = 0; i < node->outputs.count; i++)
    if (node->outputs.data[i].size > 0) PN_TRY(define_result(importer, scope, node->outputs.data[i], &out[i]));
  return pn_symbols_status(scope->area->graph->symbols, importer->diag);
}

/* |*value| with |type|: a value of its own where it is another name's too, an operand that is handed on. */
static pelton_status retype(pn_onnx_importer *importer, pn_onnx_scope *scope, uint32_t first_node, const pn_type *type,
                            pn_value_id *id) {
  pn_graph *graph = scope->area->graph;
  const pn_value before = *pn_graph_value(graph, *id);
  if (pn_type_equal(&before.type, type)) return PELTON_OK;
  if (!pn_node_valid(before.producer) || before.producer.v < first_node) {
    const pn_fact *fact = pn_onnx_area_fact(importer, scope->area, *id);
    const pn_fact known = fact ? *fact : (pn_fact){.present = false};
    *id = pn_graph_add_value(graph, before.name, type);
    pn_fact *own = pn_value_valid(*id) ? pn_onnx_area_fact(importer, scope->area, *id) : NULL;
    if (!fact || !own) return pn_fail_memory(importer->diag, "types of values");
    own->content = known.content;
    if (scope->depth > 0) importer->survey->inner_count++;
    return PELTON_OK;
  }
  pn_fact *fact = pn_onnx_area_fact(importer, scope->area, *id);
  if (!fact) return pn_fail_memory(importer->diag, "types of values");
  pn_graph_value(graph, *id)->type = fact->type = *type;
  return PELTON_OK;
}

pelton_status pn_onnx_survey_refine(const pn_onnx_call *given, pn_onnx_scope *scope, uint32_t first_node) {
  pn_onnx_importer *importer = given->importer;
  pn_onnx_call call = *given;
  pn_onnx_described *said = NULL;
  const pn_onnx_rule *rule = find_rule(call.node);
  if (rule && rule->use & PN_ONNX_RULE_REFINES) PN_TRY(by_rule(&call, scope, rule, &said));
  for (uint32_t i = 0; i < call.output_count; i++) {
    const pn_str name = call.node->outputs.data[i];
    if (name.size == 0) continue;
    const pn_type type = pn_graph_value(call.graph, call.outputs[i])->type;
    pn_onnx_described known = pn_onnx_describe_tensor(elem_of_dtype(type.dtype), &type);
    const uint32_t mark = pn_diag_mark(importer->diag);
    if (said && complete(importer, name, &said[i], &known) == PELTON_INVALID_DATA)
      pn_diag_rewind(importer->diag, mark); /* what was inferred is the better answer */
    PN_TRY(complete_named(importer, scope, name, &known));
    if (known.kind == PN_ONNX_TYPE_TENSOR) PN_TRY(retype(importer, scope, first_node, &known.type, &call.outputs[i]));
  }
  return PELTON_OK;
}

/* ---- what comes out -------------------------------------------------------------------------------------------- */

static void write_shape(const pn_symbols *symbols, const pn_type *type, pn_json *json) {
  if (type->rank == PN_RANK_UNKNOWN) {
    pn_json_null(json, "shape");
    return;
  }
  pn_json_array_begin(json, "shape");
  for (int32_t i = 0; i < type->rank; i++) {
    const pn_dim d = type->dims[i];
    if (pn_dim_is_number(d)) {
      pn_json_i64(json, NULL, d.number);
      continue;
    }
    /* A symbol that stands for nothing the file names is not known; so is what is computed from one. */
    const pn_symbol *symbol = &symbols->list.data[d.symbol - 1];
    if (memchr(symbol->name.data, '?', symbol->name.size))
      pn_json_null(json, NULL);
    else
      pn_json_string(json, NULL, symbol->name);
  }
  pn_json_array_end(json);
}

static void write_described(const pn_symbols *symbols, const pn_onnx_described *d, pn_json *json) {
  const bool tensor = d->kind == PN_ONNX_TYPE_TENSOR || d->kind == PN_ONNX_TYPE_SPARSE_TENSOR;
  if (d->kind == PN_ONNX_TYPE_NONE)
    pn_json_null(json, "type");
  else
    pn_json_string(json, "type", pn_str_from(pn_onnx_type_kind_name(d->kind)));
  if (tensor) {
    const pelton_dtype dtype = pn_onnx_elem_dtype(d->elem);
    if (d->elem == PN_ONNX_UNDEFINED)
      pn_json_null(json, "dtype");
    else
      pn_json_string(json, "dtype", pn_str_from(dtype ? pelton_dtype_name(dtype) : pn_onnx_elem_name(d->elem)));
    write_shape(symbols, &d->type, json);
  }
  if (d->kind != PN_ONNX_TYPE_SEQUENCE && d->kind != PN_ONNX_TYPE_OPTIONAL) return;
  if (!d->element) {
    pn_json_null(json, "element");
    return;
  }
  pn_json_object_begin(json, "element");
  write_described(symbols, d->element, json);
  pn_json_object_end(json);
}

static pelton_status write_name(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, pn_map *written,
                                pn_json *json) {
  pn_onnx_described described;
  uint32_t at;
  if (name.size == 0 || pn_map_get(written, name, &at)) return PELTON_OK;
  PN_TRY(pn_onnx_describe_name(importer, scope, name, &described));
  if (!pn_map_set(written, name, 0)) return pn_fail_memory(importer->diag, "types of values");
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "name", name);
  write_described(scope->area->graph->symbols, &described, json);
  pn_json_object_end(json);
  return PELTON_OK;
}

pelton_status pn_onnx_survey_write(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_json *json) {
  const pn_onnx_graph *g = scope->onnx;
  pn_map written;
  pn_map_init(&written, &importer->scratch);
  pn_json_string(json, "format", PN_STR("onnx"));
  pn_json_array_begin(json, "values");
  for (uint32_t i = 0; i < g->inputs.count; i++)
    PN_TRY(write_name(importer, scope, g->inputs.data[i].name, &written, json));
  for (uint32_t i = 0; i < g->initializers.count; i++)
    PN_TRY(write_name(importer, scope, g->initializers.data[i].name, &written, json));
  for (uint32_t i = 0; i < g->nodes.count; i++)
    for (uint32_t k = 0; k < g->nodes.data[i].outputs.count; k++)
      PN_TRY(write_name(importer, scope, g->nodes.data[i].outputs.data[k], &written, json));
  pn_json_array_end(json);
  pn_json_array_begin(json, "refused");
  for (uint32_t i = 0; i < importer->survey->refusals.count; i++)
    pn_json_string(json, NULL, pn_str_from(importer->survey->refusals.data[i]));
  pn_json_array_end(json);
  return PELTON_OK;
}
