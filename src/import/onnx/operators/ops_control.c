/* If, Loop and Scan. A branch whose condition is known already takes the place of its If: exporters leave many such,
   and the branch not taken need not even fit the shapes. */
#include "import/onnx/importer.h"

#include "import/onnx/scope.h"
#include "ir/walk.h"

/* A node over |operands| and |captures| whose subgraphs give |result_count| results, of which the ONNX node may leave
   out some. */
static pelton_status add_control(pn_onnx_call *c, pn_op op, const void *attrs, const pn_value_id *operands,
                                 uint32_t operand_count, const pn_value_list *captures, uint32_t result_count) {
  const size_t input_count = (size_t)operand_count + captures->count;
  if (input_count > PN_MANY || result_count > PN_MANY)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "it has more than %d operands or results", PN_MANY);
  pn_value_id *inputs = PN_NEW_ARRAY(&c->importer->scratch, pn_value_id, input_count + 1);
  pn_value_id *outputs = PN_NEW_ARRAY(&c->importer->scratch, pn_value_id, (size_t)result_count + 1);
  if (!inputs || !outputs) return pn_fail_memory(c->diag, "a node");
  if (c->output_count > result_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u results, but its subgraph gives %u", c->output_count,
                   result_count);
  for (uint32_t i = 0; i < operand_count; i++) inputs[i] = operands[i];
  for (uint32_t i = 0; i < captures->count; i++) inputs[operand_count + i] = captures->data[i];
  for (uint32_t i = 0; i < result_count; i++) {
    outputs[i] = PN_NO_VALUE;
    const bool wanted = pn_onnx_wants(c, i);
    if (!wanted && !pn_op_needs_output(op, i)) continue;
    outputs[i] = pn_graph_add_value(c->graph, wanted ? c->node->outputs.data[i] : c->name, NULL);
    if (!pn_value_valid(outputs[i])) return pn_fail_memory(c->diag, "a node");
    if (wanted) c->outputs[i] = outputs[i];
  }
  const pn_node_id node =
      pn_graph_add_node_to(c->graph, op, attrs, c->name, inputs, (uint32_t)input_count, outputs, result_count);
  return pn_node_valid(node) ? PELTON_OK : pn_fail_memory(c->diag, "a node");
}

static pelton_status body_of(const pn_onnx_call *c, const char *name, const pn_onnx_graph **out) {
  PN_TRY(pn_onnx_attr_require(c->node, name, c->diag));
  return pn_onnx_attr_graph(c->node, name, out, c->diag);
}

/* ---- If ---------------------------------------------------------------------------------------------------------- */

/* Inputs that only the branch imported second captured. */
static pelton_status complete_inputs(const pn_onnx_call *c, pn_graph *branch, const pn_value_list *captures) {
  while (branch->inputs.count < captures->count) {
    const pn_value value = *pn_graph_value(c->graph, captures->data[branch->inputs.count]);
    if (!pn_value_valid(pn_graph_add_input(branch, value.name, &value.type)))
      return pn_fail_memory(c->diag, "a subgraph");
  }
  return PELTON_OK;
}

static pelton_status import_if(pn_onnx_call *c) {
  const pn_onnx_graph *then_branch, *else_branch;
  pn_value_list captures = {NULL, 0, 0};
  pn_attrs_if *a = pn_onnx_attrs(c, PN_OP_IF);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(body_of(c, "then_branch", &then_branch));
  PN_TRY(body_of(c, "else_branch", &else_branch));
  if (!pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its condition is missing");
  const uint8_t *condition = pn_onnx_constant_data(c, c->inputs[0]);
  if (condition && pn_onnx_dtype(c, 0) == PELTON_DTYPE_BOOL)
    return pn_onnx_inline(c, *condition ? then_branch : else_branch, NULL, 0, c->outputs, c->output_count);
  PN_TRY(pn_onnx_subgraph(c, then_branch, NULL, 0, &captures, &a->then_graph));
  PN_TRY(pn_onnx_subgraph(c, else_branch, NULL, 0, &captures, &a->else_graph));
  PN_TRY(complete_inputs(c, a->then_graph, &captures));
  if (a->then_graph->outputs.count != a->else_graph->outputs.count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its branches give %u and %u results", a->then_graph->outputs.count,
                   a->else_graph->outputs.count);
  return add_control(c, PN_OP_IF, a, c->inputs, 1, &captures, a->then_graph->outputs.count);
}

/* ---- types of bodies' inputs ------------------------------------------------------------------------------------- */

static const pn_type anything = {.dtype = PELTON_DTYPE_NONE, .rank = PN_RANK_UNKNOWN};

/* Of a value that each iteration may change: its extents are those that the body declares; failing that only the number
   of dimensions is taken from outside. */
static pn_type carried_type(const pn_onnx_call *c, const pn_onnx_graph *body, uint32_t formal, pn_value_id outside) {
  pn_type type = anything;
  if (!pn_value_valid(outside)) return type;
  pn_type_take_elements(&type, pn_onnx_type_of(c, outside));
  const pn_onnx_type *declared = formal < body->inputs.count ? body->inputs.data[formal].type : NULL;
  if (pn_onnx_type_kind_of(declared) == PN_ONNX_TYPE_TENSOR && declared->tensor->shape) return type;
  type.rank = pn_onnx_type_of(c, outside)->rank;
  for (int32_t i = 0; i < type.rank; i++) type.dims[i] = pn_dim_fresh(c->graph->symbols);
  return type;
}

static pn_type type_or_anything(const pn_onnx_call *c, pn_value_id value) {
  return pn_value_valid(value) ? *pn_onnx_type_of(c, value) : anything;
}

/* Without |axis|. */
static pn_type sliced_type(pn_type type, int64_t axis) {
  if (type.rank <= 0) return type;
  if (axis < 0) axis += type.rank;
  if (axis < 0 || axis >= type.rank) return type; /* inference will say so */
  for (int32_t i = (int32_t)axis; i + 1 < type.rank; i++) type.dims[i] = type.dims[i + 1];
  type.dims[--type.rank] = pn_dim_of(0);
  return type;
}

/* ---- Loop -------------------------------------------------------------------------------------------------------- */

/* A body may take an optional and give what is in it, for there is something after the first iteration: it is boxed
   again, so that what is carried keeps one type. |*boxed| tells whether that was so. */
static pelton_status box_again(const pn_onnx_call *c, pn_graph *body, uint32_t result, const pn_type *carried,
                               bool *boxed) {
  const pn_type *given = &pn_graph_value(body, body->outputs.data[result])->type;
  pn_type type;
  *boxed = carried->boxes.optional && !pn_type_same_elements(given, carried) &&
           pn_type_box(given, pn_dim_of(1), true, &type) && pn_type_same_elements(&type, carried);
  if (!*boxed) return PELTON_OK;
  pn_attrs_box *a = pn_onnx_attrs(c, PN_OP_BOX);
  if (!a) return pn_fail_memory(c->diag, "a subgraph");
  a->optional = true;
  const pn_node_id node = pn_graph_add_node(body, PN_OP_BOX, a, c->name, &body->outputs.data[result], 1, 1);
  if (!pn_node_valid(node)) return pn_fail_memory(c->diag, "a subgraph");
  body->outputs.data[result] = pn_graph_result(body, node, 0);
  pn_graph_value(body, body->outputs.data[result])->type = type;
  return PELTON_OK;
}

static pelton_status import_loop(pn_onnx_call *c) {
  const pn_onnx_graph *body;
  pn_value_list captures = {NULL, 0, 0};
  pn_attrs_loop *a = pn_onnx_attrs(c, PN_OP_LOOP);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(body_of(c, "body", &body));
  const uint32_t operand_count = c->input_count < 2 ? 2 : c->input_count, carried = operand_count - 2;
  pn_type *types = PN_NEW_ARRAY(&c->importer->scratch, pn_type, operand_count);
  pn_value_id *operands = PN_NEW_ARRAY(&c->importer->scratch, pn_value_id, operand_count);
  if (!types || !operands) return pn_fail_memory(c->diag, "a node");
  types[0] = pn_type_make(PELTON_DTYPE_I64, 0, NULL);
  types[1] = pn_type_make(PELTON_DTYPE_BOOL, 0, NULL);
  for (uint32_t i = 0; i < operand_count; i++) {
    operands[i] = pn_onnx_input(c, i);
    if (i >= 2) types[i] = carried_type(c, body, i, operands[i]);
  }
  PN_TRY(pn_onnx_subgraph(c, body, types, operand_count, &captures, &a->body));
  if (a->body->outputs.count < 1 + carried)
    return pn_fail(c->diag, PELTON_INVALID_DATA,
                   "its body gives %u results, but must give a condition and %u carried values", a->body->outputs.count,
                   carried);
  a->carried_count = carried;
  bool *boxed = PN_NEW_ARRAY(&c->importer->scratch, bool, operand_count);
  if (!boxed) return pn_fail_memory(c->diag, "a node");
  for (uint32_t i = 0; i < carried; i++) PN_TRY(box_again(c, a->body, 1 + i, &types[2 + i], &boxed[i]));
  PN_TRY(add_control(c, PN_OP_LOOP, a, operands, operand_count, &captures, a->body->outputs.count - 1));
  for (uint32_t i = 0; i < carried; i++)
    if (boxed[i] && pn_onnx_wants(c, i))
      PN_TRY(pn_onnx_add(c, PN_OP_UNBOX, pn_onnx_attrs(c, PN_OP_UNBOX), &c->outputs[i], 1, 1, &c->outputs[i]));
  return PELTON_OK;
}

/* ---- Scan -------------------------------------------------------------------------------------------------------- */

static pelton_status import_scan(pn_onnx_call *c) {
  const pn_onnx_graph *body;
  pn_value_list captures = {NULL, 0, 0};
  pn_attrs_scan *a = pn_onnx_attrs(c, PN_OP_SCAN);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(body_of(c, "body", &body));
  PN_TRY(pn_onnx_attr_require(c->node, "num_scan_inputs", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "num_scan_inputs", 1, &a->scan_count, c->diag));
  if (a->scan_count < 1 || a->scan_count > c->input_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"num_scan_inputs\" is %lld, but it has %u inputs",
                   (long long)a->scan_count, c->input_count);
  a->state_count = (int64_t)c->input_count - a->scan_count;
  PN_TRY(pn_onnx_ints(c, "scan_input_axes", &a->input_axes));
  PN_TRY(pn_onnx_ints(c, "scan_output_axes", &a->output_axes));
  PN_TRY(pn_onnx_ints(c, "scan_input_directions", &a->input_reversed));
  PN_TRY(pn_onnx_ints(c, "scan_output_directions", &a->output_reversed));
  pn_type *types = PN_NEW_ARRAY(&c->importer->scratch, pn_type, (size_t)c->input_count + 1);
  if (!types) return pn_fail_memory(c->diag, "a node");
  const uint32_t states = (uint32_t)a->state_count;
  for (uint32_t i = 0; i < c->input_count; i++) {
    const int64_t axis = i >= states && i - states < a->input_axes.count ? a->input_axes.data[i - states] : 0;
    const pn_type outside = type_or_anything(c, c->inputs[i]);
    types[i] = i < states ? carried_type(c, body, i, c->inputs[i]) : sliced_type(outside, axis);
  }
  PN_TRY(pn_onnx_subgraph(c, body, types, c->input_count, &captures, &a->body));
  if (a->body->outputs.count < states)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its body gives %u results, but has %u states", a->body->outputs.count,
                   states);
  return add_control(c, PN_OP_SCAN, a, c->inputs, c->input_count, &captures, a->body->outputs.count);
}

/* ---- Scan 8 ------------------------------------------------------------------------------------------------------ */

/* What the body says of a state, or what the batch does: its extents may change from step to step. */
static pn_type batch_state_type(const pn_onnx_call *c, const pn_onnx_graph *body, uint32_t formal, pn_type type) {
  const pn_onnx_type *declared = formal < body->inputs.count ? body->inputs.data[formal].type : NULL;
  if (pn_onnx_type_kind_of(declared) == PN_ONNX_TYPE_TENSOR && declared->tensor->shape) type.rank = PN_RANK_UNKNOWN;
  for (int32_t i = 0; i < type.rank; i++) type.dims[i] = pn_dim_fresh(c->graph->symbols);
  return type;
}

/* The graph that scans one element of the batch: |inner| over |count| operands of |types|, and over captures. */
static pelton_status element_graph(pn_onnx_call *c, const pn_attrs_scan *inner, const pn_type *types, uint32_t count,
                                   const pn_value_list *captures, pn_graph **out) {
  pn_graph *g = *out = pn_graph_create(c->graph->arena, c->graph->symbols, c->name);
  const uint32_t results = inner->body->outputs.count, inputs = count + captures->count;
  if (!g) return pn_fail_memory(c->diag, "a subgraph");
  if (inputs > PN_MANY || results > PN_MANY)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "it has more than %d operands or results", PN_MANY);
  for (uint32_t i = 0; i < inputs; i++) {
    const pn_value_id outside = i < count ? c->inputs[1 + i] : captures->data[i - count];
    const pn_value value = *pn_graph_value(c->graph, outside);
    if (!pn_value_valid(pn_graph_add_input(g, value.name, i < count ? &types[i] : &value.type)))
      return pn_fail_memory(c->diag, "a subgraph");
  }
  const pn_node_id node = pn_graph_add_node(g, PN_OP_SCAN, inner, c->name, g->inputs.data, inputs, results);
  if (!pn_node_valid(node)) return pn_fail_memory(c->diag, "a subgraph");
  for (uint32_t i = 0; i < results; i++)
    if (!pn_graph_add_output(g, pn_graph_result(g, node, i))) return pn_fail_memory(c->diag, "a subgraph");
  return PELTON_OK;
}

/* It had a batch in front of everything: a scan over the batch of the scan of one element. */
static pelton_status import_scan_8(pn_onnx_call *c) {
  const pn_onnx_graph *body;
  pn_value_list captures = {NULL, 0, 0};
  pn_attrs_scan *batch = pn_onnx_attrs(c, PN_OP_SCAN), *inner = pn_onnx_attrs(c, PN_OP_SCAN);
  if (!batch || !inner) return pn_fail_memory(c->diag, "a node");
  PN_TRY(body_of(c, "body", &body));
  if (pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_UNSUPPORTED, "lengths of sequences, before version 9");
  PN_TRY(pn_onnx_attr_require(c->node, "num_scan_inputs", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "num_scan_inputs", 1, &inner->scan_count, c->diag));
  PN_TRY(pn_onnx_ints(c, "directions", &inner->input_reversed));
  const uint32_t count = c->input_count > 0 ? c->input_count - 1 : 0;
  if (inner->scan_count < 1 || inner->scan_count > count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"num_scan_inputs\" is %lld, but it has %u inputs",
                   (long long)inner->scan_count, c->input_count);
  inner->state_count = (int64_t)count - inner->scan_count;
  pn_type *types = PN_NEW_ARRAY(&c->importer->scratch, pn_type, (size_t)count * 2);
  if (!types) return pn_fail_memory(c->diag, "a node");
  for (uint32_t i = 0; i < count; i++) {
    if (!pn_onnx_has(c, 1 + i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", 1 + i);
    types[i] = sliced_type(type_or_anything(c, c->inputs[1 + i]), 0);
    types[count + i] = i < inner->state_count ? batch_state_type(c, body, i, types[i]) : sliced_type(types[i], 0);
  }
  PN_TRY(pn_onnx_subgraph(c, body, types + count, count, &captures, &inner->body));
  if (inner->body->outputs.count < inner->state_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its body gives %u results, but has %lld states",
                   inner->body->outputs.count, (long long)inner->state_count);
  batch->scan_count = count;
  PN_TRY(element_graph(c, inner, types, count, &captures, &batch->body));
  return add_control(c, PN_OP_SCAN, batch, c->inputs + 1, count, &captures, inner->body->outputs.count);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"If", "", 1, 0, import_if},
    {"Loop", "", 1, 0, import_loop},
    {"Scan", "", 8, 8, import_scan_8},
    {"Scan", "", 9, 0, import_scan},
};

const pn_onnx_ops pn_onnx_ops_control = {rows, (uint32_t)PN_COUNT(rows)};
