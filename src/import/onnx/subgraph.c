/* Bodies of If, Loop and Scan. ONNX lets them use any name around them; here they are closed: what they take from
   outside becomes a further input. Constants from outside are repeated inside, so that shapes stay known there. */
#include "import/onnx/scope.h"
#include "ir/walk.h"

/* What the operator knows of formal input |i|, completed by what the subgraph says. */
static pelton_status formal_type(pn_onnx_importer *importer, const pn_onnx_value_info *info, const pn_type *known,
                                 pn_type *out) {
  *out = *known;
  if (out->dtype != PELTON_DTYPE_NONE && out->rank != PN_RANK_UNKNOWN) return PELTON_OK;
  pn_type said;
  const pn_onnx_type *type = info->type;
  const bool silent = !type || (pn_onnx_type_kind_of(type) == PN_ONNX_TYPE_TENSOR && type->tensor->elem == 0);
  if (silent && known->dtype != PELTON_DTYPE_NONE) return PELTON_OK;
  PN_TRY(pn_onnx_type_import(importer, info, false, &said));
  if (out->dtype == PELTON_DTYPE_NONE) pn_type_take_elements(out, &said);
  if (out->rank == PN_RANK_UNKNOWN) {
    const pn_type elements = *out;
    *out = said;
    pn_type_take_elements(out, &elements);
  }
  return PELTON_OK;
}

static pelton_status add_inputs(pn_onnx_importer *importer, pn_onnx_scope *body, const pn_type *inputs) {
  const pn_onnx_value_infos *formal = &body->onnx->inputs;
  pn_graph *graph = body->area->graph;
  for (uint32_t i = 0; i < formal->count; i++) {
    pn_type type;
    PN_TRY(formal_type(importer, &formal->data[i], &inputs[i], &type));
    const pn_value_id id = pn_graph_add_input(graph, formal->data[i].name, &type);
    if (!pn_value_valid(id)) return pn_fail_memory(importer->diag, "a subgraph");
    const pn_onnx_name entry = {.kind = PN_ONNX_NAME_VALUE, .value = id};
    PN_TRY(pn_onnx_scope_define(importer, body, formal->data[i].name, "subgraph input", entry));
  }
  body->first_capture = graph->inputs.count;
  for (uint32_t i = 0; i < body->captures->count; i++) {
    const pn_value value = *pn_graph_value(body->outer->area->graph, body->captures->data[i]);
    if (!pn_value_valid(pn_graph_add_input(graph, value.name, &value.type)))
      return pn_fail_memory(importer->diag, "a subgraph");
  }
  return PELTON_OK;
}

pelton_status pn_onnx_subgraph(pn_onnx_call *c, const pn_onnx_graph *graph, const pn_type *inputs, uint32_t input_count,
                               pn_value_list *captures, pn_graph **out) {
  pn_onnx_importer *importer = c->importer;
  pn_onnx_area area = {.graph = NULL};
  pn_onnx_scope body;
  bool known;
  if (importer->scope->depth == PN_MAX_GRAPH_DEPTH)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "subgraphs are nested deeper than %d levels", PN_MAX_GRAPH_DEPTH);
  if (graph->inputs.count != input_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its subgraph \"%.*s\" has %u inputs, but must have %u",
                   PN_STR_ARG(graph->name), graph->inputs.count, input_count);
  area.graph = pn_graph_create(c->graph->arena, c->graph->symbols, graph->name);
  if (!area.graph) return pn_fail_memory(c->diag, "a subgraph");
  pn_onnx_scope_init(importer, &body, &area);
  body.outer = importer->scope;
  body.onnx = graph;
  body.opsets = importer->scope->opsets;
  body.captures = captures;
  body.prefix = importer->scope->prefix;
  body.depth = importer->scope->depth + 1;
  PN_TRY(add_inputs(importer, &body, inputs));
  PN_TRY(pn_onnx_scope_initializers(importer, &body));
  PN_TRY(pn_onnx_import_nodes(importer, &body, &graph->nodes));
  PN_TRY(pn_onnx_import_outputs(importer, &body, &graph->outputs, false, &known));
  *out = area.graph;
  return known ? PELTON_OK : PELTON_UNSUPPORTED; /* the reasons are noted */
}

static pelton_status check_interface(const pn_onnx_call *c, const pn_onnx_graph *graph, uint32_t input_count,
                                     uint32_t output_count) {
  if (c->importer->scope->depth == PN_MAX_GRAPH_DEPTH)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "subgraphs are nested deeper than %d levels", PN_MAX_GRAPH_DEPTH);
  if (graph->inputs.count != input_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its subgraph \"%.*s\" has %u inputs, but must have %u",
                   PN_STR_ARG(graph->name), graph->inputs.count, input_count);
  if (graph->outputs.count < output_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its subgraph \"%.*s\" gives %u results, but must give %u",
                   PN_STR_ARG(graph->name), graph->outputs.count, output_count);
  return PELTON_OK;
}

static pelton_status bind_formals(pn_onnx_importer *importer, pn_onnx_scope *body, const pn_value_id *inputs) {
  for (uint32_t i = 0; i < body->onnx->inputs.count; i++) {
    const pn_onnx_name entry = {.kind = PN_ONNX_NAME_VALUE, .value = inputs[i]};
    PN_TRY(pn_onnx_scope_define(importer, body, body->onnx->inputs.data[i].name, "subgraph input", entry));
  }
  return PELTON_OK;
}

/* |body| with |inputs| for its formal inputs; the first |output_count| results. */
static pelton_status import_bound(pn_onnx_call *c, pn_onnx_scope *body, const pn_onnx_graph *graph,
                                  const pn_value_id *inputs, pn_value_id *outputs, uint32_t output_count) {
  pn_onnx_importer *importer = c->importer;
  body->outer = importer->scope;
  body->onnx = graph;
  body->opsets = importer->scope->opsets;
  body->prefix = importer->scope->prefix;
  body->depth = importer->scope->depth + 1;
  PN_TRY(bind_formals(importer, body, inputs));
  PN_TRY(pn_onnx_scope_initializers(importer, body));
  PN_TRY(pn_onnx_import_nodes(importer, body, &graph->nodes));
  for (uint32_t i = 0; i < output_count; i++) {
    pn_onnx_name found;
    PN_TRY(pn_onnx_scope_find(importer, body, graph->outputs.data[i].name, &found));
    if (found.kind == PN_ONNX_NAME_UNKNOWN) return PELTON_UNSUPPORTED; /* the reason is noted */
    if (found.kind == PN_ONNX_NAME_MISSING || !pn_value_valid(found.value))
      return pn_fail(c->diag, PELTON_INVALID_DATA, "output \"%.*s\" of its subgraph is computed by no node",
                     PN_STR_ARG(graph->outputs.data[i].name));
    outputs[i] = found.value;
  }
  return PELTON_OK;
}

pelton_status pn_onnx_inline(pn_onnx_call *c, const pn_onnx_graph *graph, const pn_value_id *inputs,
                             uint32_t input_count, pn_value_id *outputs, uint32_t output_count) {
  pn_onnx_scope body, *around = c->importer->scope;
  PN_TRY(check_interface(c, graph, input_count, output_count));
  pn_onnx_scope_init(c->importer, &body, around->area);
  return import_bound(c, &body, graph, inputs, outputs, output_count);
}

pelton_status pn_onnx_subgraph_into(pn_onnx_call *c, const pn_onnx_graph *graph, pn_graph *into,
                                    const pn_value_id *inputs, uint32_t input_count, uint32_t first_capture,
                                    pn_value_list *captures, pn_value_id *outputs, uint32_t output_count) {
  pn_onnx_area *area = PN_NEW(&c->importer->scratch, pn_onnx_area);
  pn_onnx_scope body;
  if (!area) return pn_fail_memory(c->diag, "a subgraph");
  PN_TRY(check_interface(c, graph, input_count, output_count));
  area->graph = into;
  PN_TRY(pn_onnx_area_infer(c->importer, area));
  pn_onnx_scope_init(c->importer, &body, area);
  body.captures = captures;
  body.first_capture = first_capture;
  return import_bound(c, &body, graph, inputs, outputs, output_count);
}
