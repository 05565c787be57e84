/* Rewriting a graph in place: uses move from one value to another, nodes are marked as removed. compact.c cleans up. */
#include "ir/graph.h"

static bool is_listed(const pn_value_list *list, pn_value_id id) {
  for (uint32_t i = 0; i < list->count; i++)
    if (pn_value_same(list->data[i], id)) return true;
  return false;
}

static void replace_in(pn_value_list *list, pn_value_id from, pn_value_id to) {
  for (uint32_t i = 0; i < list->count; i++)
    if (pn_value_same(list->data[i], from)) list->data[i] = to;
}

bool pn_graph_replace_value(pn_graph *g, pn_value_id from, pn_value_id to) {
  if (pn_value_same(from, to)) return true;
  for (uint32_t i = 0; i < g->nodes.count; i++)
    if (!g->nodes.data[i].removed) replace_in(&g->nodes.data[i].inputs, from, to);
  if (!is_listed(&g->outputs, from)) return true;
  /* A graph's inputs and outputs are known by name from outside, so a value cannot take over an output's name when it
     has such a name already. */
  if (is_listed(&g->outputs, to) || is_listed(&g->inputs, to)) return false;
  replace_in(&g->outputs, from, to);
  pn_value *a = pn_graph_value(g, from), *b = pn_graph_value(g, to);
  const pn_str name = a->name;
  a->name = b->name;
  b->name = name;
  /* Both keys are in the map, so that setting them cannot need memory. */
  return pn_map_set(&g->value_names, a->name, from.v) && pn_map_set(&g->value_names, b->name, to.v);
}

void pn_graph_remove_node(pn_graph *g, pn_node_id node) { pn_graph_node(g, node)->removed = true; }

uint32_t *pn_graph_count_uses(const pn_graph *g, pn_arena *arena) {
  uint32_t *uses = PN_NEW_ARRAY(arena, uint32_t, g->values.count);
  if (!uses) return NULL;
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    const pn_node *node = &g->nodes.data[i];
    if (node->removed) continue;
    for (uint32_t k = 0; k < node->inputs.count; k++)
      if (pn_value_valid(node->inputs.data[k])) uses[node->inputs.data[k].v]++;
  }
  for (uint32_t i = 0; i < g->outputs.count; i++) uses[g->outputs.data[i].v]++;
  return uses;
}

pn_node_id pn_graph_single_user(const pn_graph *g, pn_value_id value) {
  pn_node_id user = PN_NO_NODE;
  if (is_listed(&g->outputs, value)) return PN_NO_NODE;
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    if (g->nodes.data[i].removed || !is_listed(&g->nodes.data[i].inputs, value)) continue;
    if (pn_node_valid(user)) return PN_NO_NODE;
    user = (pn_node_id){i};
  }
  return user;
}
