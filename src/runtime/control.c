/* If, loop and scan: subgraphs run in frames of their own. On a device, what decides is all that the host has to read:
   the condition of an if, the trip count of a loop, and its condition in every iteration (around.c). */
#include "runtime/frame.h"

static pn_value_id result(const pn_node *node, uint32_t i) {
  return i < node->outputs.count ? node->outputs.data[i] : PN_NO_VALUE;
}

static bool truth(const pn_tensor *t) { return t->data && *(const uint8_t *)t->data != 0; }

/* Operand |i| where the host can read it. */
static pelton_status read_operand(pn_frame *frame, const pn_node *node, uint32_t i, pn_tensor *out, pelton_diag *diag) {
  const pn_value_id v = pn_node_input(node, i);
  *out = (pn_tensor){0};
  if (!pn_value_valid(v)) return PELTON_OK;
  PN_TRY(pn_frame_fetch(frame, v, diag));
  *out = frame->values[v.v];
  return PELTON_OK;
}

/* ---- if ---------------------------------------------------------------------------------------------------------- */

/* Where result |i| of |node| is wanted when it is an output of the graph. */
static pn_sink *sink_of(const pn_frame *frame, const pn_node *node, uint32_t i) {
  pn_value_id v = result(node, i);
  uint32_t k = pn_value_valid(v) ? frame->output_index[v.v] : UINT32_MAX;
  return k == UINT32_MAX ? NULL : frame->sinks[k];
}

pelton_status pn_frame_run_if(pn_frame *frame, uint32_t index, pelton_diag *diag) {
  const pn_node *node = &frame->graph->nodes.data[index];
  const pn_attrs_if *attrs = node->attrs;
  pn_tensor condition;
  PN_TRY(read_operand(frame, node, 0, &condition, diag));
  if (pn_tensor_elements(&condition) != 1)
    return pn_fail(diag, PELTON_INVALID_DATA, "node '%.*s': if wants one condition, not %lld", PN_STR_ARG(node->name),
                   (long long)pn_tensor_elements(&condition));
  const pn_graph *graph = truth(&condition) ? attrs->then_graph : attrs->else_graph;
  pn_frame *child;
  PN_TRY(pn_frame_child(frame, index, truth(&condition) ? 0 : 1, graph, &child, diag));
  for (uint32_t i = 0; i < graph->inputs.count; i++)
    pn_frame_pass(child, graph->inputs.data[i], frame, pn_node_input(node, i + 1));
  for (uint32_t i = 0; i < graph->outputs.count; i++) child->sinks[i] = sink_of(frame, node, i);
  PN_TRY(pn_frame_run_nodes(child, diag));
  for (uint32_t i = 0; i < graph->outputs.count; i++)
    pn_frame_give(frame, result(node, i), child, graph->outputs.data[i]);
  return PELTON_OK;
}

/* ---- loop -------------------------------------------------------------------------------------------------------- */

/* A trip count or a condition of a shape that only this run knows: none at all would be read from nowhere. */
static pelton_status check_single(const pn_node *node, const char *what, const pn_tensor *t, pelton_diag *diag) {
  if (!t->data || pn_tensor_elements(t) == 1) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_DATA, "node '%.*s': loop wants one %s, not %lld", PN_STR_ARG(node->name), what,
                 (long long)pn_tensor_elements(t));
}

static void gather_nothing(pn_frame *child) { /* the memory is kept */
  for (uint32_t i = 0; i < child->graph->outputs.count; i++) {
    child->gathered[i].used = 0;
    child->gathered[i].started = false;
  }
}

/* Whether the body, which has run, wants another iteration. */
static pelton_status read_condition(pn_frame *child, const pn_node *node, bool *going, pelton_diag *diag) {
  const pn_value_id v = child->graph->outputs.data[0];
  pn_machine *m = child->machine;
  if (child->slots[v.v].stale) { /* a step that failed there shall not be heard of after the last of many iterations */
    PN_TRY(pn_frame_fetch(child, v, diag));
    PN_TRY(m->engine->target->stream_synchronize(m->stream, diag));
  }
  PN_TRY(check_single(node, "condition", &child->values[v.v], diag));
  *going = truth(&child->values[v.v]);
  return PELTON_OK;
}

static pelton_status loop_iterate(pn_frame *child, const pn_node *node, int64_t most, int64_t *count,
                                  pelton_diag *diag) {
  const pn_graph *body = child->graph;
  const uint32_t carried = (uint32_t)((const pn_attrs_loop *)node->attrs)->carried_count;
  bool going = true;
  for (*count = 0; *count < most && going; (*count)++) {
    pn_tensor iteration = {.dtype = PELTON_DTYPE_I64, .data = count};
    pn_frame_set(child, body->inputs.data[0], &iteration);
    PN_TRY(pn_frame_run_nodes(child, diag));
    PN_TRY(read_condition(child, node, &going, diag));
    for (uint32_t i = 1 + carried; i < body->outputs.count; i++) PN_TRY(pn_frame_gather(child, i, 0, diag));
    PN_TRY(pn_frame_carry(child, 2, 1, carried, diag));
  }
  return PELTON_OK;
}

pelton_status pn_frame_run_loop(pn_frame *frame, uint32_t index, pelton_diag *diag) {
  static uint8_t holds = 1; /* or the iteration would not run */
  const pn_node *node = &frame->graph->nodes.data[index];
  const pn_attrs_loop *attrs = node->attrs;
  const uint32_t carried = (uint32_t)attrs->carried_count;
  const pn_graph *body = attrs->body;
  const pn_tensor going = {.dtype = PELTON_DTYPE_BOOL, .data = &holds};
  pn_tensor trip, condition;
  pn_frame *child;
  int64_t count = 0;
  PN_TRY(pn_frame_child(frame, index, 0, body, &child, diag));
  PN_TRY(read_operand(frame, node, 0, &trip, diag));
  PN_TRY(read_operand(frame, node, 1, &condition, diag));
  PN_TRY(check_single(node, "trip count", &trip, diag));
  PN_TRY(check_single(node, "condition", &condition, diag));
  int64_t most = trip.data ? pn_tensor_get_i64(&trip, 0) : INT64_MAX;
  if (condition.data && !truth(&condition)) most = 0;
  gather_nothing(child);
  pn_frame_set(child, body->inputs.data[1], &going);
  for (uint32_t i = 2; i < body->inputs.count; i++)
    pn_frame_pass(child, body->inputs.data[i], frame, pn_node_input(node, i));
  PN_TRY(loop_iterate(child, node, most, &count, diag));
  for (uint32_t i = 0; i < carried; i++) pn_frame_give(frame, result(node, i), child, body->inputs.data[2 + i]);
  for (uint32_t i = carried; i + 1 < body->outputs.count; i++)
    PN_TRY(pn_frame_gathered(frame, result(node, i), child, 1 + i, count, 0, false, diag));
  return PELTON_OK;
}

/* ---- scan -------------------------------------------------------------------------------------------------------- */

static int64_t listed(pn_i64s list, uint32_t i) { return i < list.count ? list.data[i] : 0; }

/* The axis along which operand |i| is scanned, whose length is that of the others. */
static pelton_status scanned_axis(const pn_frame *frame, const pn_node *node, uint32_t i, int64_t *axis, int64_t *count,
                                  pelton_diag *diag) {
  const pn_attrs_scan *attrs = node->attrs;
  const pn_tensor *whole = &frame->values[pn_node_input(node, (uint32_t)attrs->state_count + i).v];
  *axis = listed(attrs->input_axes, i);
  if (*axis < 0) *axis += whole->rank;
  if (!whole->data || *axis < 0 || *axis >= whole->rank)
    return pn_fail(diag, PELTON_INVALID_DATA, "node '%.*s': scanned operand %u has no axis %lld",
                   PN_STR_ARG(node->name), i, (long long)*axis);
  if (i == 0) *count = whole->dims[*axis];
  if (whole->dims[*axis] != *count)
    return pn_fail(diag, PELTON_INVALID_DATA, "node '%.*s': scanned operands have %lld and %lld slices",
                   PN_STR_ARG(node->name), (long long)*count, (long long)whole->dims[*axis]);
  return PELTON_OK;
}

static pelton_status scan_iterate(pn_frame *frame, pn_frame *child, const pn_node *node, int64_t *count,
                                  pelton_diag *diag) {
  const pn_attrs_scan *attrs = node->attrs;
  const pn_graph *body = child->graph;
  const uint32_t states = (uint32_t)attrs->state_count;
  for (int64_t t = 0; t < *count || t == 0; t++) {
    for (uint32_t i = 0; i < attrs->scan_count; i++) {
      int64_t axis;
      PN_TRY(scanned_axis(frame, node, i, &axis, count, diag));
      if (*count == 0) return PELTON_OK;
      PN_TRY(pn_frame_slice(child, body->inputs.data[states + i], frame, pn_node_input(node, states + i), axis,
                            listed(attrs->input_reversed, i) ? *count - 1 - t : t, t == 0, diag));
    }
    PN_TRY(pn_frame_run_nodes(child, diag));
    for (uint32_t i = states; i < body->outputs.count; i++) PN_TRY(pn_frame_gather(child, i, *count, diag));
    PN_TRY(pn_frame_carry(child, 0, 0, states, diag));
  }
  return PELTON_OK;
}

pelton_status pn_frame_run_scan(pn_frame *frame, uint32_t index, pelton_diag *diag) {
  const pn_node *node = &frame->graph->nodes.data[index];
  const pn_attrs_scan *attrs = node->attrs;
  const uint32_t states = (uint32_t)attrs->state_count;
  const pn_graph *body = attrs->body;
  pn_frame *child;
  int64_t count = 0;
  PN_TRY(pn_frame_child(frame, index, 0, body, &child, diag));
  gather_nothing(child);
  for (uint32_t i = 0; i < body->inputs.count; i++)
    if (i < states || i >= states + attrs->scan_count)
      pn_frame_pass(child, body->inputs.data[i], frame, pn_node_input(node, i));
  PN_TRY(scan_iterate(frame, child, node, &count, diag));
  for (uint32_t i = 0; i < states; i++) pn_frame_give(frame, result(node, i), child, body->inputs.data[i]);
  for (uint32_t i = states; i < body->outputs.count; i++)
    PN_TRY(pn_frame_gathered(frame, result(node, i), child, i, count, listed(attrs->output_axes, i - states),
                             listed(attrs->output_reversed, i - states) != 0, diag));
  return PELTON_OK;
}
