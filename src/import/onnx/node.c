/* One ONNX node after another: operands are found by name, the operator's function adds nodes, results get their names.
   What cannot be imported is noted, and so is everything that depends on it. */
#include "import/onnx/check/survey.h"
#include "import/onnx/scope.h"

#include <inttypes.h>

enum {
  MAX_NODES = 1 << 18,    /* functions that call functions twice could ask for any number */
  REPORTS_AN_OPERATOR = 4 /* nodes of one unsupported operator that are listed singly */
};

/* ---- what is said of a node ------------------------------------------------------------------------------------ */

#define TITLE "node %s\"%.*s\" (%.*s, %.*s, opset %" PRId64 ")"
#define TITLE_ARGUMENTS(node, opset)                                                                                   \
  is_named(node) ? "" : "of output ", PN_STR_ARG(is_named(node) ? (node)->name : (node)->outputs.data[0]),             \
      PN_STR_ARG((node)->op_type), PN_STR_ARG((node)->domain.size ? (node)->domain : PN_STR("ai.onnx")), opset

static bool is_named(const pn_onnx_node *node) { return node->name.size || !node->outputs.count; }

void pn_onnx_node_prefix(pelton_diag *diag, uint32_t mark, const pn_onnx_node *node, int64_t opset) {
  if (!diag || diag->count == mark || pn_str_starts(pn_str_from(pelton_diag_message(diag, mark)), "node ")) return;
  pn_diag_prefix(diag, mark, TITLE, TITLE_ARGUMENTS(node, opset));
}

const char *pn_onnx_node_title(pn_arena *arena, const pn_onnx_node *node, int64_t opset) {
  return pn_str_printf(arena, TITLE, TITLE_ARGUMENTS(node, opset));
}

/* Notes that |node|'s operator as such is not supported: the first few nodes of each, so that a large model's report
   has room for every operator. */
static void note_operator(pn_onnx_importer *importer, const pn_onnx_node *node, int64_t opset, const char *reason) {
  uint32_t times = 0;
  if (!importer->survey) pn_map_get(&importer->unsupported_ops, node->op_type, &times);
  times++;
  if (!importer->survey && !pn_map_set(&importer->unsupported_ops, node->op_type, times)) times = 1;
  importer->unsupported_count++;
  if (times > REPORTS_AN_OPERATOR) return;
  const uint32_t mark = pn_diag_mark(importer->diag);
  pn_fail(importer->diag, PELTON_UNSUPPORTED, "%s", reason);
  pn_onnx_node_prefix(importer->diag, mark, node, opset);
}

static pelton_status results_unknown(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *node) {
  const pn_onnx_name unknown = {.kind = PN_ONNX_NAME_UNKNOWN, .value = PN_NO_VALUE};
  for (uint32_t i = 0; i < node->outputs.count; i++)
    if (node->outputs.data[i].size > 0)
      PN_TRY(pn_onnx_scope_define(importer, scope, node->outputs.data[i], "result", unknown));
  return PELTON_OK;
}

/* ---- operands and results -------------------------------------------------------------------------------------- */

static pelton_status find_operands(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *node,
                                   pn_value_id *inputs, bool *known) {
  *known = true;
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    pn_onnx_name found;
    PN_TRY(pn_onnx_scope_find(importer, scope, node->inputs.data[i], &found));
    if (found.kind == PN_ONNX_NAME_MISSING) {
      pn_onnx_node_fail(node, importer->diag, PELTON_INVALID_DATA,
                        "its input %u, \"%.*s\", is no input, initializer or result of the graph", i,
                        PN_STR_ARG(node->inputs.data[i]));
      if (!importer->survey) return PELTON_INVALID_DATA;
      importer->survey->wrong++;
    }
    if (found.kind != PN_ONNX_NAME_VALUE) *known = false;
    inputs[i] = found.value;
  }
  return PELTON_OK;
}

/* Where inference could not tell the rank, the file may: good for the choices made during the import. */
static void use_declared_type(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, pn_value_id id) {
  pn_value *value = pn_graph_value(scope->area->graph, id);
  if (value->type.rank != PN_RANK_UNKNOWN) return;
  const pn_onnx_value_infos *infos = scope->onnx ? &scope->onnx->value_infos : &scope->function->value_infos;
  pn_map *index = &scope->declared;
  uint32_t at;
  pn_type type;
  if (infos->count > 0 && index->count == 0) {
    pn_map_init(index, &importer->scratch);
    for (uint32_t i = 0; i < infos->count; i++)
      if (!pn_map_set(index, infos->data[i].name, i)) return;
  }
  if (infos->count == 0 || !pn_map_get(index, name, &at)) return;
  const uint32_t mark = pn_diag_mark(importer->diag);
  if (pn_onnx_type_import(importer, &infos->data[at], false, &type)) pn_diag_rewind(importer->diag, mark);
  else if (pn_type_same_elements(&type, &value->type)) value->type = scope->area->facts.data[id.v].type = type;
}

static pelton_status define_results(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *node,
                                    const pn_value_id *outputs, uint32_t first_node) {
  pn_graph *graph = scope->area->graph;
  for (uint32_t i = 0; i < node->outputs.count; i++) {
    const pn_str name = node->outputs.data[i];
    if (name.size == 0) continue;
    const pn_onnx_name entry = {.kind = PN_ONNX_NAME_VALUE, .value = outputs[i]};
    PN_TRY(pn_onnx_scope_define(importer, scope, name, "result", entry));
    const pn_node_id producer = pn_graph_value(graph, outputs[i])->producer;
    if (!pn_node_valid(producer) || producer.v < first_node) continue;
    if (!importer->survey) use_declared_type(importer, scope, name, outputs[i]);
    if (scope->onnx) PN_TRY(pn_onnx_rename(importer, graph, outputs[i], name, false));
  }
  return PELTON_OK;
}

/* "conv1", or "Conv:y" for a node without a name; within a function's body with the call's name in front. */
static pelton_status name_node(pn_onnx_importer *importer, const pn_onnx_scope *scope, const pn_onnx_node *node,
                               pn_str *out) {
  static const pn_str nothing = {"", 0};
  const pn_str result = node->outputs.count ? node->outputs.data[0] : nothing;
  const char *text =
      node->name.size
          ? pn_str_printf(&importer->scratch, "%.*s%.*s", PN_STR_ARG(scope->prefix), PN_STR_ARG(node->name))
          : pn_str_printf(&importer->scratch, "%.*s%.*s:%.*s", PN_STR_ARG(scope->prefix), PN_STR_ARG(node->op_type),
                          PN_STR_ARG(result));
  *out = pn_str_from(text);
  return text ? PELTON_OK : pn_fail_memory(importer->diag, "a node's name");
}

/* ---- one node -------------------------------------------------------------------------------------------------- */

static pelton_status check_results(pn_onnx_call *c) {
  for (uint32_t i = 0; i < c->output_count; i++)
    if (pn_onnx_wants(c, i) && !pn_value_valid(c->outputs[i]))
      return pn_fail(c->diag, PELTON_UNSUPPORTED, "its result %u, \"%.*s\", is not one that Pelton computes", i,
                     PN_STR_ARG(c->node->outputs.data[i]));
  return PELTON_OK;
}

static pelton_status call_operator(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *node,
                                   const pn_onnx_op *op, int64_t opset, pn_str name, const pn_value_id *inputs,
                                   pn_value_id *outputs) {
  pn_graph *graph = scope->area->graph;
  const uint32_t mark = pn_diag_mark(importer->diag), first = graph->nodes.count;
  pn_onnx_node marked = *node;
  marked.attributes_read = PN_NEW_ARRAY(&importer->scratch, bool, (size_t)node->attributes.count + 1);
  if (!marked.attributes_read) return pn_fail_memory(importer->diag, "a node");
  pn_onnx_call call = {importer, graph, &marked, opset, name, node->inputs.count, inputs, node->outputs.count,
                       outputs, importer->diag};
  pelton_status status = op->import(&call);
  if (status == PELTON_OK) status = pn_onnx_attributes_settle(&call);
  if (status == PELTON_OK) status = pn_onnx_area_infer(importer, scope->area);
  if (status == PELTON_OK) status = check_results(&call);
  if (status == PELTON_UNSUPPORTED) {
    importer->unsupported_count++;
    scope->area->inferred_nodes = graph->nodes.count;
  }
  if (status) {
    pn_onnx_node_prefix(importer->diag, mark, node, opset);
    return status;
  }
  for (uint32_t i = first; i < graph->nodes.count; i++)
    if (!pn_graph_add_source(graph, (pn_node_id){i}, name)) return pn_fail_memory(importer->diag, "a node");
  if (importer->survey) PN_TRY(pn_onnx_survey_refine(&call, scope, first));
  return define_results(importer, scope, node, outputs, first);
}

/* In a survey, for nodes of which Pelton could not say the types of the results itself. */
static pelton_status survey_node(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *node,
                                 const pn_onnx_op *op, int64_t opset, pn_str name, const pn_value_id *inputs,
                                 pn_value_id *outputs, bool known, uint32_t mark) {
  const uint32_t before = importer->survey->inner_count, wrong = importer->survey->wrong;
  pelton_status status = PELTON_UNSUPPORTED;
  if (op && known && !pn_onnx_survey_by_rule(node)) {
    status = call_operator(importer, scope, node, op, opset, name, inputs, outputs);
    if (status == PELTON_OK) return PELTON_OK;
    if (status == PELTON_INVALID_DATA && importer->survey->inner_count > before) status = PELTON_UNSUPPORTED;
  }
  return pn_onnx_survey_node(importer, scope, node, opset, name, inputs, status, mark, wrong);
}

static pelton_status import_node(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *written) {
  const pn_onnx_node *node;
  const char *reason;
  int64_t opset = 0;
  pn_str name;
  bool known;
  if (++importer->node_count > MAX_NODES)
    return pn_fail(importer->diag, PELTON_UNSUPPORTED, "the model has more than %d nodes with its functions expanded",
                   MAX_NODES);
  PN_TRY(pn_onnx_function_substitute(importer, scope, written, &node));
  PN_TRY(name_node(importer, scope, node, &name));
  pn_value_id *inputs = PN_NEW_ARRAY(&importer->scratch, pn_value_id, (size_t)node->inputs.count + 1);
  pn_value_id *outputs = PN_NEW_ARRAY(&importer->scratch, pn_value_id, (size_t)node->outputs.count + 1);
  if (!inputs || !outputs) return pn_fail_memory(importer->diag, "a node");
  for (uint32_t i = 0; i < node->outputs.count; i++) outputs[i] = PN_NO_VALUE;
  PN_TRY(find_operands(importer, scope, node, inputs, &known));
  const uint32_t mark = pn_diag_mark(importer->diag);

  const bool has_opset = pn_onnx_opset_version(scope->opsets, node->domain, &opset);
  const pn_onnx_op *op = pn_onnx_op_find(node, opset, &reason);
  const pn_onnx_function *function = pn_onnx_function_find(importer, node);
  if (function && !(op && pn_onnx_domain_equal(node->domain, PN_STR("")))) {
    if (!known && !importer->survey) return results_unknown(importer, scope, node);
    if (!known) return survey_node(importer, scope, node, NULL, opset, name, inputs, outputs, known, mark);
    return pn_onnx_function_expand(importer, scope, node, function, name, inputs);
  }
  if (!has_opset) {
    const bool standard = pn_onnx_domain_equal(node->domain, PN_STR(""));
    reason =
        standard ? "the model imports no operator set of ai.onnx" : "the model imports no operator set of its domain";
    op = NULL;
  }
  if (!op) note_operator(importer, node, opset, reason);
  if (importer->survey)
    return survey_node(importer, scope, node, op, opset, name, inputs, outputs, known, mark);
  if (!op) return results_unknown(importer, scope, node);
  if (!known) return results_unknown(importer, scope, node);
  const pelton_status status = call_operator(importer, scope, node, op, opset, name, inputs, outputs);
  return status == PELTON_UNSUPPORTED ? results_unknown(importer, scope, node) : status;
}

pelton_status pn_onnx_import_nodes(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_nodes *nodes) {
  const uint32_t *order;
  pn_onnx_scope *before = importer->scope;
  PN_TRY(pn_onnx_order(importer, nodes, &order));
  importer->scope = scope;
  pelton_status status = PELTON_OK;
  for (uint32_t i = 0; i < nodes->count && status == PELTON_OK; i++)
    status = import_node(importer, scope, &nodes->data[order[i]]);
  importer->scope = before;
  return status;
}

/* ---- outputs of a graph ---------------------------------------------------------------------------------------- */

static bool is_output(const pn_graph *g, pn_value_id id) {
  for (uint32_t i = 0; i < g->outputs.count; i++)
    if (pn_value_same(g->outputs.data[i], id)) return true;
  return false;
}

/* A sequence or an optional as another value: boxed as a whole, and taken out of that. */
static pn_value_id add_boxed_copy(pn_graph *graph, pn_str name, pn_value_id id) {
  pn_attrs_unbox *attrs = pn_attrs_new(PN_OP_UNBOX, graph->arena);
  if (!attrs) return PN_NO_VALUE;
  attrs->optional = pn_graph_value(graph, id)->type.boxes.optional;
  const pn_node_id box = pn_graph_add_node(graph, PN_OP_BOX, NULL, name, &id, 1, 1);
  const pn_value_id boxed = pn_node_valid(box) ? pn_graph_result(graph, box, 0) : PN_NO_VALUE;
  if (!pn_value_valid(boxed)) return PN_NO_VALUE;
  const pn_node_id node = pn_graph_add_node(graph, PN_OP_UNBOX, attrs, name, &boxed, 1, 1);
  return pn_node_valid(node) ? pn_graph_result(graph, node, 0) : PN_NO_VALUE;
}

/* |id| as a value of its own: an expression of numbers, or what moves elements of any type. */
static pn_value_id add_copy(pn_onnx_importer *importer, pn_graph *graph, pn_str name, pn_value_id id) {
  const pn_expr *expr;
  if (pn_graph_value(graph, id)->type.dtype == PELTON_DTYPE_TENSOR) return add_boxed_copy(graph, name, id);
  if (pn_dtype_points(pn_graph_value(graph, id)->type.dtype)) {
    const pn_value_id operands[2] = {id, pn_graph_add_i64s(graph, PN_STR(""), NULL, 0)}; /* every extent as it is */
    if (!pn_value_valid(operands[1])) return PN_NO_VALUE;
    const pn_node_id node = pn_graph_add_node(graph, PN_OP_EXPAND, NULL, name, operands, 2, 1);
    return pn_node_valid(node) ? pn_graph_result(graph, node, 0) : PN_NO_VALUE;
  }
  if (pn_expr_parse(PN_STR("x0"), graph->arena, &expr, importer->diag)) return PN_NO_VALUE;
  return pn_graph_add_pointwise(graph, expr, name, &id, 1);
}

/* A value of its own for output |name| when |id| cannot be it: it has a name to keep, or is an output already. */
static pelton_status output_copy(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, pn_value_id *id) {
  const pn_value_id copy = add_copy(importer, scope->area->graph, name, *id);
  if (!pn_value_valid(copy)) return pn_fail_memory(importer->diag, "an output");
  *id = copy;
  return pn_onnx_area_infer(importer, scope->area);
}

pelton_status pn_onnx_import_outputs(pn_onnx_importer *importer, pn_onnx_scope *scope,
                                     const pn_onnx_value_infos *outputs, bool named, bool *known) {
  pn_graph *graph = scope->area->graph;
  *known = true;
  for (uint32_t i = 0; i < outputs->count; i++) {
    const pn_str name = outputs->data[i].name;
    pn_onnx_name found;
    PN_TRY(pn_onnx_scope_find(importer, scope, name, &found));
    if (found.kind == PN_ONNX_NAME_MISSING || name.size == 0)
      return pn_fail(importer->diag, PELTON_INVALID_DATA, "output \"%.*s\" of graph \"%.*s\" is computed by no node",
                     PN_STR_ARG(name), PN_STR_ARG(scope->onnx->name));
    if (found.kind == PN_ONNX_NAME_UNKNOWN) {
      *known = false;
      continue;
    }
    if (!pn_value_valid(found.value)) /* a function hands back an argument that its caller left out */
      return pn_fail(importer->diag, PELTON_INVALID_DATA,
                     "output \"%.*s\" of graph \"%.*s\" has no value: it is an optional operand that is absent",
                     PN_STR_ARG(name), PN_STR_ARG(scope->onnx->name));
    const bool computed = pn_node_valid(pn_graph_value(graph, found.value)->producer);
    const bool right_name = pn_str_equal(pn_graph_value(graph, found.value)->name, name);
    if (is_output(graph, found.value) || (named && !computed && !right_name))
      PN_TRY(output_copy(importer, scope, name, &found.value));
    if (named && !right_name) PN_TRY(pn_onnx_rename(importer, graph, found.value, name, true));
    if (!pn_graph_add_output(graph, found.value)) return pn_fail_memory(importer->diag, "an output");
  }
  return PELTON_OK;
}
