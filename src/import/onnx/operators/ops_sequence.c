/* Sequences and optionals. Both are tensors of boxes, so that most operators are those of the IR; whether an optional
   has an element is its length. Files say of few values that they are optional, but the type of each value knows. */
#include "import/onnx/scope.h"

static const pn_boxes *boxes_of(const pn_onnx_call *c, uint32_t i) {
  return &pn_onnx_type_of(c, pn_onnx_input(c, i))->boxes;
}

static pelton_status wants_sequence(const pn_onnx_call *c, uint32_t i) {
  if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  if (boxes_of(c, i)->depth > 0) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is a tensor, but must be a sequence", i);
}

/* A node over the first |most| inputs, of which the last ones may be left out. */
static pelton_status map_inputs(pn_onnx_call *c, pn_op op, const void *attrs, uint32_t most) {
  uint32_t count = c->input_count;
  while (count > 0 && !pn_value_valid(c->inputs[count - 1])) count--;
  if (count > most)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have %u at most", count, most);
  return pn_onnx_map_over(c, op, attrs, c->inputs, count);
}

/* ---- sequences --------------------------------------------------------------------------------------------------- */

static pelton_status import_construct(pn_onnx_call *c) {
  pn_attrs_box *a = pn_onnx_attrs(c, PN_OP_BOX);
  if (!a) return pn_fail_memory(c->diag, "a node");
  if (c->input_count == 0)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has no input; SequenceEmpty makes empty ones");
  return pn_onnx_map(c, PN_OP_BOX, a);
}

static pelton_status import_empty(pn_onnx_call *c) {
  pn_attrs_box *a = pn_onnx_attrs(c, PN_OP_BOX);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->dtype = PELTON_DTYPE_F32;
  PN_TRY(pn_onnx_elem_attr(c, "dtype", &a->dtype));
  return pn_onnx_map_over(c, PN_OP_BOX, a, NULL, 0);
}

static pelton_status import_length(pn_onnx_call *c) {
  PN_TRY(wants_sequence(c, 0));
  return pn_onnx_map(c, PN_OP_SIZE_OF, pn_onnx_attrs(c, PN_OP_SIZE_OF));
}

static pelton_status import_at(pn_onnx_call *c) {
  PN_TRY(wants_sequence(c, 0));
  if (!pn_onnx_has(c, 1)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its position is missing");
  return map_inputs(c, PN_OP_UNBOX, pn_onnx_attrs(c, PN_OP_UNBOX), 2);
}

static pelton_status import_insert(pn_onnx_call *c) {
  PN_TRY(wants_sequence(c, 0));
  return map_inputs(c, PN_OP_SEQUENCE_INSERT, pn_onnx_attrs(c, PN_OP_SEQUENCE_INSERT), 3);
}

static pelton_status import_erase(pn_onnx_call *c) {
  PN_TRY(wants_sequence(c, 0));
  return map_inputs(c, PN_OP_SEQUENCE_ERASE, pn_onnx_attrs(c, PN_OP_SEQUENCE_ERASE), 2);
}

static pelton_status import_split(pn_onnx_call *c) {
  pn_attrs_split_to_sequence *a = pn_onnx_attrs(c, PN_OP_SPLIT_TO_SEQUENCE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &a->axis, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "keepdims", true, &a->keep_dims, c->diag));
  return map_inputs(c, PN_OP_SPLIT_TO_SEQUENCE, a, 2);
}

static pelton_status import_concat(pn_onnx_call *c) {
  pn_attrs_concat_from_sequence *a = pn_onnx_attrs(c, PN_OP_CONCAT_FROM_SEQUENCE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants_sequence(c, 0));
  PN_TRY(pn_onnx_attr_require(c->node, "axis", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &a->axis, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "new_axis", false, &a->new_axis, c->diag));
  return pn_onnx_map(c, PN_OP_CONCAT_FROM_SEQUENCE, a);
}

/* ---- optionals --------------------------------------------------------------------------------------------------- */

static pelton_status import_optional(pn_onnx_call *c) {
  const pn_onnx_type *type;
  pn_attrs_box *a = pn_onnx_attrs(c, PN_OP_BOX);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->optional = true;
  PN_TRY(pn_onnx_attr_type_proto(c->node, "type", &type, c->diag));
  if (pn_onnx_has(c, 0)) return map_inputs(c, PN_OP_BOX, a, 1);
  pn_type item, boxed;
  PN_TRY(pn_onnx_attr_require(c->node, "type", c->diag));
  PN_TRY(pn_onnx_elements_import(c->importer, PN_STR("type"), type, &item));
  if (!pn_type_box(&item, pn_dim_of(0), true, &boxed))
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "sequences within sequences, more than %d levels", PN_MAX_BOXES);
  a->dtype = boxed.boxes.item;
  a->depth = boxed.boxes.depth;
  return pn_onnx_map_over(c, PN_OP_BOX, a, NULL, 0);
}

/* Since version 18 tensors and sequences may be asked, too, and have one; and nothing, which has none. */
static pelton_status import_has_element(pn_onnx_call *c) {
  if (!pn_onnx_has(c, 0) || !boxes_of(c, 0)->optional)
    return pn_onnx_scalar(c, PELTON_DTYPE_BOOL, pn_onnx_has(c, 0), &c->outputs[0]);
  pn_value_id length, none;
  PN_TRY(pn_onnx_add(c, PN_OP_SIZE_OF, pn_onnx_attrs(c, PN_OP_SIZE_OF), c->inputs, 1, 1, &length));
  PN_TRY(pn_onnx_scalar(c, PELTON_DTYPE_I64, 0, &none));
  const pn_value_id operands[] = {none, length};
  return pn_onnx_pointwise(c, "less(x0,x1)", operands, 2, &c->outputs[0]);
}

static pelton_status import_get_element(pn_onnx_call *c) {
  if (!pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input is missing");
  if (boxes_of(c, 0)->optional) return map_inputs(c, PN_OP_UNBOX, pn_onnx_attrs(c, PN_OP_UNBOX), 1);
  c->outputs[0] = c->inputs[0];
  return PELTON_OK;
}

/* ---- SequenceMap ------------------------------------------------------------------------------------------------- */

/* A loop over the first sequence's items. Its body is the map's, between what takes an item out of each sequence and
   what puts each result into one. */
typedef struct map {
  pn_onnx_call *c;
  const pn_onnx_graph *onnx;
  pn_graph *body;
  pn_value_id *formals;   /* in the body: what the map's formal inputs stand for */
  pn_value_id *results;   /* in the body: the map's results, then the sequences that hold them, too */
  pn_value_list captures; /* the map's inputs, then what it takes from outside */
} map;

static pelton_status add_formals(map *m) {
  pn_onnx_call *c = m->c;
  const pn_type iteration = pn_type_make(PELTON_DTYPE_I64, 0, NULL);
  const pn_type condition = pn_type_make(PELTON_DTYPE_BOOL, 0, NULL);
  const pn_value_id index = pn_graph_add_input(m->body, PN_STR("index"), &iteration);
  if (!pn_value_valid(index) || !pn_value_valid(pn_graph_add_input(m->body, PN_STR("condition"), &condition)))
    return pn_fail_memory(c->diag, "a subgraph");
  for (uint32_t i = 0; i < c->input_count; i++) {
    if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
    const pn_value value = *pn_graph_value(c->graph, c->inputs[i]);
    m->formals[i] = pn_graph_add_input(m->body, value.name, &value.type);
    if (!pn_value_valid(m->formals[i]) || !pn_list_push(&c->importer->scratch, &m->captures, c->inputs[i]))
      return pn_fail_memory(c->diag, "a subgraph");
    if (boxes_of(c, i)->depth == 0) continue;
    const pn_value_id operands[] = {m->formals[i], index};
    const pn_node_id node =
        pn_graph_add_node(m->body, PN_OP_UNBOX, pn_onnx_attrs(c, PN_OP_UNBOX), c->name, operands, 2, 1);
    if (!pn_node_valid(node)) return pn_fail_memory(c->diag, "a subgraph");
    m->formals[i] = pn_graph_result(m->body, node, 0);
  }
  return PELTON_OK;
}

/* The sequences that grow, as inputs of the body in front of the captures; and each with one item more. */
static pelton_status add_results(map *m, const pn_type *items, uint32_t count, pn_type *sequences) {
  pn_onnx_call *c = m->c;
  pn_graph *g = m->body;
  const uint32_t before = g->inputs.count;
  if (!pn_graph_add_output(g, g->inputs.data[1])) return pn_fail_memory(c->diag, "a subgraph");
  for (uint32_t i = 0; i < count; i++) {
    if (!pn_type_box(&items[i], pn_dim_fresh(g->symbols), false, &sequences[i]))
      return pn_fail(c->diag, PELTON_UNSUPPORTED, "sequences within sequences, more than %d levels", PN_MAX_BOXES);
    const pn_value_id so_far = pn_graph_add_input(g, PN_STR("so_far"), &sequences[i]);
    if (!pn_value_valid(so_far)) return pn_fail_memory(c->diag, "a subgraph");
    const pn_value_id operands[] = {so_far, m->results[i]};
    const pn_node_id node =
        pn_graph_add_node(g, PN_OP_SEQUENCE_INSERT, pn_onnx_attrs(c, PN_OP_SEQUENCE_INSERT), c->name, operands, 2, 1);
    if (!pn_node_valid(node) || !pn_graph_add_output(g, pn_graph_result(g, node, 0)))
      return pn_fail_memory(c->diag, "a subgraph");
  }
  pn_value_id *order = PN_NEW_ARRAY(&c->importer->scratch, pn_value_id, g->inputs.count);
  if (!order) return pn_fail_memory(c->diag, "a subgraph");
  uint32_t at = 0;
  for (uint32_t i = 0; i < 2; i++) order[at++] = g->inputs.data[i];
  for (uint32_t i = before; i < g->inputs.count; i++) order[at++] = g->inputs.data[i];
  for (uint32_t i = 2; i < before; i++) order[at++] = g->inputs.data[i];
  memcpy(g->inputs.data, order, at * sizeof *order);
  return PELTON_OK;
}

/* The loop itself, over empty sequences at first. */
static pelton_status add_loop(map *m, const pn_type *sequences, uint32_t count) {
  pn_onnx_call *c = m->c;
  pn_attrs_loop *a = pn_onnx_attrs(c, PN_OP_LOOP);
  const uint32_t operand_count = 2 + count + m->captures.count;
  pn_value_id *operands = PN_NEW_ARRAY(&c->importer->scratch, pn_value_id, operand_count);
  if (!a || !operands) return pn_fail_memory(c->diag, "a node");
  if (operand_count > PN_MANY) return pn_fail(c->diag, PELTON_UNSUPPORTED, "it has more than %d operands", PN_MANY);
  a->body = m->body;
  a->carried_count = count;
  operands[1] = PN_NO_VALUE;
  PN_TRY(pn_onnx_add(c, PN_OP_SIZE_OF, pn_onnx_attrs(c, PN_OP_SIZE_OF), c->inputs, 1, 1, &operands[0]));
  for (uint32_t i = 0; i < count; i++) {
    pn_attrs_box *box = pn_onnx_attrs(c, PN_OP_BOX);
    if (!box) return pn_fail_memory(c->diag, "a node");
    box->dtype = sequences[i].boxes.item;
    box->depth = sequences[i].boxes.depth;
    PN_TRY(pn_onnx_add(c, PN_OP_BOX, box, NULL, 0, 1, &operands[2 + i]));
  }
  memcpy(operands + 2 + count, m->captures.data, m->captures.count * sizeof *operands);
  return pn_onnx_map_over(c, PN_OP_LOOP, a, operands, operand_count);
}

static pelton_status import_sequence_map(pn_onnx_call *c) {
  pn_arena *scratch = &c->importer->scratch;
  map m = {.c = c};
  PN_TRY(wants_sequence(c, 0));
  PN_TRY(pn_onnx_attr_require(c->node, "body", c->diag));
  PN_TRY(pn_onnx_attr_graph(c->node, "body", &m.onnx, c->diag));
  const uint32_t count = c->output_count;
  m.formals = PN_NEW_ARRAY(scratch, pn_value_id, (size_t)c->input_count + 1);
  m.results = PN_NEW_ARRAY(scratch, pn_value_id, (size_t)count + 1);
  pn_type *items = PN_NEW_ARRAY(scratch, pn_type, (size_t)count + 1);
  pn_type *sequences = PN_NEW_ARRAY(scratch, pn_type, (size_t)count + 1);
  m.body = pn_graph_create(c->graph->arena, c->graph->symbols, m.onnx->name);
  if (!m.formals || !m.results || !items || !sequences || !m.body) return pn_fail_memory(c->diag, "a subgraph");
  PN_TRY(add_formals(&m));
  PN_TRY(pn_onnx_subgraph_into(c, m.onnx, m.body, m.formals, c->input_count, 2, &m.captures, m.results, count));
  for (uint32_t i = 0; i < count; i++) items[i] = pn_graph_value(m.body, m.results[i])->type;
  PN_TRY(add_results(&m, items, count, sequences));
  return add_loop(&m, sequences, count);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"ConcatFromSequence", "", 11, 0, import_concat},
    {"Optional", "", 15, 0, import_optional},
    {"OptionalGetElement", "", 15, 0, import_get_element},
    {"OptionalHasElement", "", 15, 0, import_has_element},
    {"SequenceAt", "", 11, 0, import_at},
    {"SequenceConstruct", "", 11, 0, import_construct},
    {"SequenceEmpty", "", 11, 0, import_empty},
    {"SequenceErase", "", 11, 0, import_erase},
    {"SequenceInsert", "", 11, 0, import_insert},
    {"SequenceLength", "", 11, 0, import_length},
    {"SequenceMap", "", 17, 0, import_sequence_map},
    {"SplitToSequence", "", 11, 0, import_split},
};

const pn_onnx_ops pn_onnx_ops_sequence = {rows, (uint32_t)PN_COUNT(rows)};
