/* Compaction: removed nodes and unused values go, the rest is renumbered in an order of evaluation.

   The order is that of a depth-first walk from the nodes in their present order: a graph that is sorted stays as it is,
   and a node that a pass appended moves right in front of its first user. Everything that can fail is done before the
   first change, so that after an error the graph is as it was. */
#include "ir/graph.h"
#include "ir/order.h"
#include "ir/walk.h"

enum { UNSEEN, OPEN, DONE };
enum { CYCLE_NAMES = 12 };

typedef struct frame {
  uint32_t node, next_input;
} frame;

static void print_node(pn_text *text, const pn_node *node) {
  if (node->name.size > 0) pn_text_printf(text, "'%.*s'", PN_STR_ARG(node->name));
  else pn_text_printf(text, "a %s", pn_op_get(node->op)->name);
}

/* |stack| holds the path from some node to |again|, which is on it: the cycle is the path's end. */
static pelton_status fail_cycle(const pn_graph *g, const frame *stack, uint32_t depth, uint32_t again,
                                pelton_diag *diag) {
  pn_text text;
  uint32_t first = depth, written = 0;
  while (first > 0 && stack[first].node != again) first--;
  pn_text_init(&text, g->arena->allocator);
  for (uint32_t i = first; i <= depth && written < CYCLE_NAMES; i++, written++) {
    print_node(&text, &g->nodes.data[stack[i].node]);
    pn_text_add(&text, PN_STR(" needs "));
  }
  if (depth - first + 1 > written) pn_text_printf(&text, "... (%u more) ", depth - first + 1 - written);
  print_node(&text, &g->nodes.data[again]);
  const pelton_status status = pn_fail(diag, PELTON_INVALID_DATA, "graph '%.*s': nodes form a cycle: %s",
                                       PN_STR_ARG(g->name), text.failed ? "(no memory to name them)" : text.data);
  pn_text_deinit(&text);
  return status;
}

static pelton_status visit(const pn_graph *g, uint32_t root, uint8_t *state, frame *stack, pn_order *order,
                           pelton_diag *diag) {
  uint32_t depth = 0;
  stack[0] = (frame){root, 0};
  state[root] = OPEN;
  for (;;) {
    const pn_node *node = &g->nodes.data[stack[depth].node];
    if (stack[depth].next_input == node->inputs.count) {
      state[stack[depth].node] = DONE;
      order->nodes[order->count++] = stack[depth].node;
      if (depth-- == 0) return PELTON_OK;
      continue;
    }
    const pn_value_id input = node->inputs.data[stack[depth].next_input++];
    if (!pn_value_valid(input)) continue;
    const pn_node_id producer = pn_graph_value(g, input)->producer;
    if (!pn_node_valid(producer)) continue;
    if (g->nodes.data[producer.v].removed)
      return pn_fail(diag, PELTON_INTERNAL,
                     "internal error: graph '%.*s': value '%.*s' is used, but its node was removed",
                     PN_STR_ARG(g->name), PN_STR_ARG(pn_graph_value(g, input)->name));
    if (state[producer.v] == OPEN) return fail_cycle(g, stack, depth, producer.v, diag);
    if (state[producer.v] == DONE) continue;
    state[producer.v] = OPEN;
    stack[++depth] = (frame){producer.v, 0};
  }
}

pelton_status pn_graph_sort(const pn_graph *g, pn_arena *arena, pn_order *order, pelton_diag *diag) {
  uint8_t *state = PN_NEW_ARRAY(arena, uint8_t, (size_t)g->nodes.count + 1);
  frame *stack = PN_NEW_ARRAY(arena, frame, (size_t)g->nodes.count + 1);
  order->nodes = PN_NEW_ARRAY(arena, uint32_t, (size_t)g->nodes.count + 1);
  order->count = 0;
  if (!state || !stack || !order->nodes) return pn_fail_memory(diag, "an order of nodes");
  for (uint32_t i = 0; i < g->nodes.count; i++)
    if (state[i] == UNSEEN && !g->nodes.data[i].removed) PN_TRY(visit(g, i, state, stack, order, diag));
  return PELTON_OK;
}

/* Optional results that nobody uses become absent, so that no kernel computes them. Where the number of results means
   something (split's parts, a subgraph's results) all stay. */
static void drop_unused_results(pn_node *node, const uint32_t *uses, bool *keep) {
  const pn_op_info *info = pn_op_get(node->op);
  uint32_t present = 0, unused_first = UINT32_MAX;
  const bool counted = info->max_outputs >= PN_MANY;
  for (uint32_t i = 0; i < node->outputs.count; i++) {
    const pn_value_id id = node->outputs.data[i];
    if (!pn_value_valid(id)) continue;
    if (uses[id.v] == 0 && unused_first == UINT32_MAX) unused_first = i;
    if (counted || uses[id.v] > 0 || pn_op_needs_output(node->op, i)) present++, keep[id.v] = true;
  }
  /* A node that is not removed keeps a result, or it could not be named in text. */
  if (present == 0 && unused_first != UINT32_MAX) keep[node->outputs.data[unused_first].v] = true;
  for (uint32_t i = 0; i < node->outputs.count; i++)
    if (pn_value_valid(node->outputs.data[i]) && !keep[node->outputs.data[i].v]) node->outputs.data[i] = PN_NO_VALUE;
  if (counted) return;
  while (node->outputs.count > info->min_outputs && !pn_value_valid(node->outputs.data[node->outputs.count - 1]))
    node->outputs.count--;
}

static void renumber(pn_value_list *list, const uint32_t *new_id) {
  for (uint32_t i = 0; i < list->count; i++)
    if (pn_value_valid(list->data[i])) list->data[i].v = new_id[list->data[i].v];
}

/* Cannot fail: names that stay are in the map already, and setting them needs no memory. */
static bool apply(pn_graph *g, const pn_order *order, const bool *keep, uint32_t *new_id, pn_node *nodes) {
  bool named = true;
  uint32_t count = 0;
  for (uint32_t i = 0; i < g->values.count; i++) {
    if (!keep[i]) {
      pn_map_remove(&g->value_names, g->values.data[i].name);
      continue;
    }
    new_id[i] = count;
    g->values.data[count++] = g->values.data[i];
  }
  g->values.count = count;
  for (uint32_t i = 0; i < count; i++) named = pn_map_set(&g->value_names, g->values.data[i].name, i) && named;
  for (uint32_t i = 0; i < order->count; i++) {
    nodes[i] = g->nodes.data[order->nodes[i]];
    renumber(&nodes[i].inputs, new_id);
    renumber(&nodes[i].outputs, new_id);
    for (uint32_t k = 0; k < nodes[i].outputs.count; k++)
      if (pn_value_valid(nodes[i].outputs.data[k])) g->values.data[nodes[i].outputs.data[k].v].producer.v = i;
  }
  if (order->count > 0) memcpy(g->nodes.data, nodes, order->count * sizeof *nodes);
  g->nodes.count = order->count;
  renumber(&g->inputs, new_id);
  renumber(&g->outputs, new_id);
  return named;
}

static pelton_status check_outputs(const pn_graph *g, pelton_diag *diag) {
  for (uint32_t i = 0; i < g->outputs.count; i++) {
    const pn_value *value = pn_graph_value(g, g->outputs.data[i]);
    if (pn_node_valid(value->producer) && g->nodes.data[value->producer.v].removed)
      return pn_fail(diag, PELTON_INTERNAL, "internal error: graph '%.*s': output '%.*s' has lost its node",
                     PN_STR_ARG(g->name), PN_STR_ARG(value->name));
  }
  return PELTON_OK;
}

static pelton_status compact_one(pn_graph *g, pn_arena *scratch, pelton_diag *diag) {
  pn_order order;
  const size_t values = (size_t)g->values.count + 1;
  PN_TRY(check_outputs(g, diag));
  PN_TRY(pn_graph_sort(g, scratch, &order, diag));
  uint32_t *uses = pn_graph_count_uses(g, scratch);
  bool *keep = PN_NEW_ARRAY(scratch, bool, values);
  uint32_t *new_id = PN_NEW_ARRAY(scratch, uint32_t, values);
  pn_node *nodes = PN_NEW_ARRAY(scratch, pn_node, (size_t)order.count + 1);
  if (!uses || !keep || !new_id || !nodes) return pn_fail_memory(diag, "a compacted graph");
  for (uint32_t i = 0; i < g->values.count; i++)
    keep[i] = uses[i] > 0 && !pn_node_valid(g->values.data[i].producer);
  for (uint32_t i = 0; i < g->inputs.count; i++) keep[g->inputs.data[i].v] = true;
  for (uint32_t i = 0; i < g->outputs.count; i++) keep[g->outputs.data[i].v] = true;
  for (uint32_t i = 0; i < order.count; i++) drop_unused_results(&g->nodes.data[order.nodes[i]], uses, keep);
  return apply(g, &order, keep, new_id, nodes) ? PELTON_OK
                                               : PN_INTERNAL(diag, "a value's name is not in its graph's map");
}

static pelton_status compact_tree(pn_graph *g, uint32_t depth, pelton_diag *diag) {
  if (depth > PN_MAX_GRAPH_DEPTH)
    return pn_fail(diag, PELTON_UNSUPPORTED, "graph '%.*s': subgraphs are nested deeper than %d levels",
                   PN_STR_ARG(g->name), PN_MAX_GRAPH_DEPTH);
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    if (g->nodes.data[i].removed) continue;
    for (uint32_t k = 0;; k++) {
      pn_graph *sub = pn_node_graph(&g->nodes.data[i], k);
      if (!sub) break;
      PN_TRY(compact_tree(sub, depth + 1, diag));
    }
  }
  pn_arena scratch;
  pn_arena_init(&scratch, g->arena->allocator);
  const pelton_status status = compact_one(g, &scratch, diag);
  pn_arena_deinit(&scratch);
  return status;
}

pelton_status pn_graph_compact(pn_graph *g, pelton_diag *diag) { return compact_tree(g, 0, diag); }
