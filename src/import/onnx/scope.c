/* Names: what a node's operand is, in this graph, in one around it, or in an initializer that nobody has used yet. */
#include "import/onnx/scope.h"
#include "op/text/strings.h"

#include "import/onnx/check/survey.h"

void pn_onnx_scope_init(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_onnx_area *area) {
  *scope = (pn_onnx_scope){.area = area};
  pn_map_init(&scope->names, &importer->scratch);
}

static pelton_status add_name(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, pn_onnx_name entry) {
  if (!pn_map_set(&scope->names, name, scope->entries.count) ||
      !pn_list_push(&importer->scratch, &scope->entries, entry))
    return pn_fail_memory(importer->diag, "the names of a graph");
  return PELTON_OK;
}

static bool is_missing(const pn_onnx_scope *scope, pn_str name) {
  uint32_t at;
  return !pn_map_get(&scope->names, name, &at);
}

pelton_status pn_onnx_scope_define(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, const char *what,
                                   pn_onnx_name entry) {
  if (!is_missing(scope, name))
    return pn_fail(
        importer->diag, PELTON_INVALID_DATA,
        "%s \"%.*s\": the name is defined twice in its graph; names of inputs, initializers and results must "
        "differ",
        what, PN_STR_ARG(name));
  return add_name(importer, scope, name, entry);
}

static bool is_overridden(const pn_onnx_importer *importer, const pn_onnx_scope *scope, pn_str name) {
  bool is = false;
  for (uint32_t i = 0; i < importer->model->override_count && !scope->outer; i++)
    is |= pn_str_is(name, importer->model->overrides[i]);
  return is;
}

pelton_status pn_onnx_scope_initializers(pn_onnx_importer *importer, pn_onnx_scope *scope) {
  const pn_onnx_graph *g = scope->onnx;
  for (uint32_t i = 0; i < g->initializers.count; i++) {
    const pn_onnx_name entry = {.kind = PN_ONNX_NAME_INITIALIZER, .value = PN_NO_VALUE, .index = i};
    if (is_overridden(importer, scope, g->initializers.data[i].name)) continue;
    PN_TRY(pn_onnx_scope_define(importer, scope, g->initializers.data[i].name, "initializer", entry));
  }
  for (uint32_t i = 0; i < g->sparse_initializers.count; i++) {
    const pn_onnx_name entry = {.kind = PN_ONNX_NAME_SPARSE, .value = PN_NO_VALUE, .index = i};
    const pn_onnx_tensor *values = g->sparse_initializers.data[i].values;
    if (!values) return pn_fail(importer->diag, PELTON_INVALID_DATA, "sparse initializer %u has no values", i);
    if (is_overridden(importer, scope, values->name)) continue;
    PN_TRY(pn_onnx_scope_define(importer, scope, values->name, "sparse initializer", entry));
  }
  return PELTON_OK;
}

/* ---- constants ------------------------------------------------------------------------------------------------- */

/* Elements point into the model's file. */
static pelton_status add_texts(pn_onnx_importer *importer, pn_graph *graph, pn_str name, const pn_type *type,
                               const pn_onnx_data *data, pn_value_id *out) {
  pelton_string *texts = PN_NEW_ARRAY(graph->arena, pelton_string, (size_t)data->count);
  if (!texts) return pn_fail_memory(importer->diag, "a constant");
  for (uint64_t i = 0; i < data->count; i++) texts[i] = pn_string_of(data->strings[i]);
  *out = pn_graph_add_constant(graph, name, type, texts, (size_t)data->count * sizeof *texts);
  return pn_value_valid(*out) ? PELTON_OK : pn_fail_memory(importer->diag, "a constant");
}

pelton_status pn_onnx_constant_import(pn_onnx_importer *importer, pn_graph *graph, pn_str name,
                                      const pn_onnx_data *data, pn_value_id *out) {
  if (data->dtype == PELTON_DTYPE_NONE)
    return pn_fail(importer->diag, PELTON_UNSUPPORTED,
                   "tensor \"%.*s\" has elements of type %s, which Pelton does not have", PN_STR_ARG(name),
                   pn_onnx_elem_name(data->elem));
  if (data->rank > PN_MAX_RANK)
    return pn_fail(importer->diag, PELTON_UNSUPPORTED, "tensor \"%.*s\" has %u dimensions; Pelton has at most %d",
                   PN_STR_ARG(name), data->rank, PN_MAX_RANK);
  const pn_type type = pn_type_make(data->dtype, data->rank, data->dims);
  if (data->elem == PN_ONNX_STRING) return add_texts(importer, graph, name, &type, data, out);
  *out = pn_graph_add_constant(graph, name, &type, data->bytes.data, data->bytes.size);
  return pn_value_valid(*out) ? PELTON_OK : pn_fail_memory(importer->diag, "a constant");
}

static pelton_status make_initializer(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_onnx_name *entry) {
  pn_arena *arena = &importer->model->arena;
  pn_onnx_data data;
  pn_str name;
  if (entry->kind == PN_ONNX_NAME_INITIALIZER) {
    const pn_onnx_tensor *t = &scope->onnx->initializers.data[entry->index];
    name = t->name;
    PN_TRY(pn_onnx_tensor_data(t, importer->source, 0, arena, &data, importer->diag));
  } else {
    const pn_onnx_sparse_tensor *t = &scope->onnx->sparse_initializers.data[entry->index];
    name = t->values->name;
    PN_TRY(pn_onnx_sparse_tensor_data(t, importer->source, arena, &data, importer->diag));
  }
  return pn_onnx_constant_import(importer, scope->area->graph, name, &data, &entry->value);
}

/* In a survey: what the file says of an initializer that Pelton cannot hold. */
static pelton_status describe_initializer(pn_onnx_importer *importer, const pn_onnx_scope *scope,
                                          const pn_onnx_name *named, uint32_t mark, pn_onnx_name *out) {
  const bool dense = named->kind == PN_ONNX_NAME_INITIALIZER;
  const pn_onnx_tensor *t = dense ? &scope->onnx->initializers.data[named->index]
                                  : scope->onnx->sparse_initializers.data[named->index].values;
  pn_onnx_described *described = PN_NEW(&importer->scratch, pn_onnx_described);
  if (!described) return pn_fail_memory(importer->diag, "types of values");
  *described = pn_onnx_describe_tensor(t->elem, NULL);
  if (dense && t->dims.count <= PN_MAX_RANK)
    described->type = pn_type_make(described->type.dtype, t->dims.count, t->dims.data);
  out->described = described;
  return pn_onnx_survey_refuse(importer, mark);
}

/* ---- looking up ------------------------------------------------------------------------------------------------ */

/* A value of the outer area becomes one of this subgraph: a constant is repeated with the same data, anything else is
   a further input. */
static pelton_status capture(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_value_id outer, pn_value_id *out) {
  pn_graph *graph = scope->area->graph;
  const pn_value value = *pn_graph_value(scope->outer->area->graph, outer);
  if (value.data) {
    *out = pn_graph_add_constant(graph, value.name, &value.type, value.data, value.data_bytes);
    return pn_value_valid(*out) ? PELTON_OK : pn_fail_memory(importer->diag, "a captured constant");
  }
  for (uint32_t i = 0; i < scope->captures->count; i++)
    if (pn_value_same(scope->captures->data[i], outer)) {
      *out = graph->inputs.data[scope->first_capture + i];
      return PELTON_OK;
    }
  *out = pn_graph_add_input(graph, value.name, &value.type);
  if (!pn_value_valid(*out) || !pn_list_push(&importer->scratch, scope->captures, outer))
    return pn_fail_memory(importer->diag, "a captured value");
  const pn_fact *from = pn_onnx_area_fact(importer, scope->outer->area, outer);
  pn_fact *to = pn_onnx_area_fact(importer, scope->area, *out);
  if (!from || !to) return pn_fail_memory(importer->diag, "a captured value");
  *to = *from;
  to->present = true;
  return PELTON_OK;
}

pelton_status pn_onnx_scope_find(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, pn_onnx_name *out) {
  uint32_t at;
  *out = (pn_onnx_name){.kind = PN_ONNX_NAME_VALUE, .value = PN_NO_VALUE};
  if (name.size == 0) return PELTON_OK;
  if (pn_map_get(&scope->names, name, &at)) {
    pn_onnx_name entry = scope->entries.data[at];
    if (entry.kind == PN_ONNX_NAME_INITIALIZER || entry.kind == PN_ONNX_NAME_SPARSE) {
      const uint32_t mark = pn_diag_mark(importer->diag);
      const pn_onnx_name before = entry;
      const pelton_status status = make_initializer(importer, scope, &entry);
      if (status && status != PELTON_UNSUPPORTED) return status;
      if (status) importer->unsupported_count++;
      entry.kind = status ? PN_ONNX_NAME_UNKNOWN : PN_ONNX_NAME_VALUE;
      if (status && importer->survey) PN_TRY(describe_initializer(importer, scope, &before, mark, &entry));
      scope->entries.data[at] = entry;
    }
    *out = entry;
    return PELTON_OK;
  }
  out->kind = PN_ONNX_NAME_MISSING;
  if (!scope->outer) return PELTON_OK;
  PN_TRY(pn_onnx_scope_find(importer, scope->outer, name, out));
  if (out->kind == PN_ONNX_NAME_VALUE && pn_value_valid(out->value) && scope->outer->area != scope->area)
    PN_TRY(capture(importer, scope, out->value, &out->value));
  return out->kind == PN_ONNX_NAME_MISSING ? PELTON_OK : add_name(importer, scope, name, *out);
}

/* ---- names of values ------------------------------------------------------------------------------------------- */

static bool set_name(pn_graph *graph, pn_value_id value, pn_str name) {
  const char *copy = pn_str_copy(graph->arena, name);
  if (!copy) return false;
  pn_value *v = pn_graph_value(graph, value);
  pn_map_remove(&graph->value_names, v->name);
  v->name = (pn_str){copy, name.size};
  return pn_map_set(&graph->value_names, v->name, value.v);
}

pelton_status pn_onnx_rename(pn_onnx_importer *importer, pn_graph *graph, pn_value_id value, pn_str name, bool forced) {
  pn_value_id other;
  if (pn_str_equal(pn_graph_value(graph, value)->name, name)) return PELTON_OK;
  if (pn_graph_find_value(graph, name, &other)) {
    if (!forced) return PELTON_OK;
    /* A throw-away value takes a free name like |name|, which the other one then takes over. */
    const pn_value_id spare = pn_graph_add_value(graph, name, NULL);
    if (!pn_value_valid(spare)) return pn_fail_memory(importer->diag, "a value's name");
    const pn_str spare_name = pn_graph_value(graph, spare)->name;
    graph->values.count--;
    pn_map_remove(&graph->value_names, spare_name);
    if (!set_name(graph, other, spare_name)) return pn_fail_memory(importer->diag, "a value's name");
  }
  return set_name(graph, value, name) ? PELTON_OK : pn_fail_memory(importer->diag, "a value's name");
}
