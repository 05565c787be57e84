/* Functions of the model: a call is replaced by the function's body, whose names are its own and whose attributes may
   stand for those of the call. */
#include "import/onnx/scope.h"

enum { MAX_CALL_DEPTH = 64 };

const pn_onnx_function *pn_onnx_function_find(const pn_onnx_importer *importer, const pn_onnx_node *node) {
  for (uint32_t i = 0; i < importer->onnx->functions.count; i++) {
    const pn_onnx_function *f = &importer->onnx->functions.data[i];
    if (pn_str_equal(f->name, node->op_type) && pn_onnx_domain_equal(f->domain, node->domain) &&
        pn_str_equal(f->overload, node->overload))
      return f;
  }
  return NULL;
}

/* ---- attributes ------------------------------------------------------------------------------------------------ */

static const pn_onnx_attribute *find_in(const pn_onnx_attributes *list, pn_str name) {
  for (uint32_t i = 0; i < list->count; i++)
    if (pn_str_equal(list->data[i].name, name)) return &list->data[i];
  return NULL;
}

pelton_status pn_onnx_function_substitute(pn_onnx_importer *importer, const pn_onnx_scope *scope,
                                          const pn_onnx_node *node, const pn_onnx_node **out) {
  *out = node;
  while (scope && !scope->function) scope = scope->outer;
  if (!scope) return PELTON_OK;
  bool refers = false;
  for (uint32_t i = 0; i < node->attributes.count; i++)
    refers = refers || node->attributes.data[i].ref_attr_name.size > 0;
  if (!refers) return PELTON_OK;
  pn_onnx_node *copy = pn_arena_copy(&importer->scratch, node, sizeof *node, _Alignof(pn_onnx_node));
  if (!copy) return pn_fail_memory(importer->diag, "a function's body");
  memset(&copy->attributes, 0, sizeof copy->attributes);
  for (uint32_t i = 0; i < node->attributes.count; i++) {
    pn_onnx_attribute a = node->attributes.data[i];
    if (a.ref_attr_name.size > 0) {
      const pn_onnx_attribute *given = find_in(&scope->call->attributes, a.ref_attr_name);
      if (!given) given = find_in(&scope->function->default_attributes, a.ref_attr_name);
      if (!given) continue; /* not given, no default: the body's node has none either */
      const pn_str name = a.name;
      a = *given;
      a.name = name;
    }
    if (!pn_list_push(&importer->scratch, &copy->attributes, a))
      return pn_fail_memory(importer->diag, "a function's body");
  }
  *out = copy;
  return PELTON_OK;
}

/* ---- bodies ---------------------------------------------------------------------------------------------------- */

static pelton_status check_depth(pn_onnx_importer *importer, const pn_onnx_scope *scope, const pn_onnx_node *call,
                                 const pn_onnx_function *function) {
  uint32_t depth = 0;
  for (; scope; scope = scope->function ? scope->caller : scope->outer) {
    if (!scope->function) continue;
    if (scope->function == function)
      return pn_onnx_node_fail(call, importer->diag, PELTON_INVALID_DATA, "the function calls itself");
    if (++depth > MAX_CALL_DEPTH)
      return pn_onnx_node_fail(call, importer->diag, PELTON_UNSUPPORTED, "functions are nested deeper than %d calls",
                               MAX_CALL_DEPTH);
  }
  return PELTON_OK;
}

static pelton_status bind_inputs(pn_onnx_importer *importer, pn_onnx_scope *body, const pn_value_id *inputs) {
  const pn_onnx_strs *formal = &body->function->inputs;
  if (body->call->inputs.count > formal->count)
    return pn_onnx_node_fail(body->call, importer->diag, PELTON_INVALID_DATA,
                             "it has %u inputs, but the function has %u", body->call->inputs.count, formal->count);
  for (uint32_t i = 0; i < formal->count; i++) {
    const pn_value_id value = i < body->call->inputs.count ? inputs[i] : PN_NO_VALUE;
    const pn_onnx_name entry = {.kind = PN_ONNX_NAME_VALUE, .value = value};
    PN_TRY(pn_onnx_scope_define(importer, body, formal->data[i], "function input", entry));
  }
  return PELTON_OK;
}

static pelton_status bind_outputs(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_onnx_scope *body) {
  const pn_onnx_strs *results = &body->call->outputs, *formal = &body->function->outputs;
  if (results->count > formal->count)
    return pn_onnx_node_fail(body->call, importer->diag, PELTON_INVALID_DATA,
                             "it has %u results, but the function has %u", results->count, formal->count);
  for (uint32_t i = 0; i < results->count; i++) {
    pn_onnx_name found;
    if (results->data[i].size == 0) continue;
    PN_TRY(pn_onnx_scope_find(importer, body, formal->data[i], &found));
    if (found.kind == PN_ONNX_NAME_MISSING)
      return pn_onnx_node_fail(body->call, importer->diag, PELTON_INVALID_DATA,
                               "result \"%.*s\" of the function is computed by no node of its body",
                               PN_STR_ARG(formal->data[i]));
    PN_TRY(pn_onnx_scope_define(importer, scope, results->data[i], "result", found));
    if (scope->onnx && found.kind == PN_ONNX_NAME_VALUE && pn_value_valid(found.value) &&
        pn_node_valid(pn_graph_value(scope->area->graph, found.value)->producer))
      PN_TRY(pn_onnx_rename(importer, scope->area->graph, found.value, results->data[i], false));
  }
  return PELTON_OK;
}

pelton_status pn_onnx_function_expand(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *call,
                                      const pn_onnx_function *function, pn_str name, const pn_value_id *inputs) {
  pn_onnx_scope body;
  PN_TRY(check_depth(importer, scope, call, function));
  pn_onnx_scope_init(importer, &body, scope->area);
  body.caller = scope;
  body.function = function;
  body.call = call;
  body.opsets = function->opsets.count ? &function->opsets : scope->opsets;
  body.depth = scope->depth;
  const char *prefix = pn_str_printf(&importer->scratch, "%.*s/", PN_STR_ARG(name));
  if (!prefix) return pn_fail_memory(importer->diag, "a function's body");
  body.prefix = pn_str_from(prefix);
  PN_TRY(bind_inputs(importer, &body, inputs));
  PN_TRY(pn_onnx_import_nodes(importer, &body, &function->nodes));
  return bind_outputs(importer, scope, &body);
}
