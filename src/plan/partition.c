/* Groups: which nodes run as one step. The target names patterns of operators that it can fuse; a chain that matches
   (each result used only by the next node) is a candidate, and is taken when a tactic accepts it and it should be no
   slower than its parts. Everything else is a group of its own.

   A group runs where its last node stands in the order: all its operands are ready there, and nobody needs its inner
   results earlier. */
#include "plan/planner.h"

/* The least estimate over all layouts; false when no tactic takes the problem. */
static pelton_status best_estimate(pn_planner *p, pn_problem *problem, double *out, bool *accepted) {
  *accepted = false;
  for (uint32_t combo = 0; combo < PN_COMBO_COUNT; combo++) {
    pn_choice choice;
    if (!pn_problem_set_layouts(problem, (pn_layout)(combo / PN_LAYOUT_COUNT), (pn_layout)(combo % PN_LAYOUT_COUNT)))
      continue;
    PN_TRY(pn_planner_estimate(p, problem, &choice));
    if (!choice.tactic || (choice.tactic->is_reference && problem->node_count > 1)) continue;
    if (!*accepted || choice.estimate < *out) *out = choice.estimate;
    *accepted = true;
  }
  return PELTON_OK;
}

/* The nodes from |first| on that |pattern| matches; 0 when it does not. */
static uint32_t match(const pn_planner *p, const pn_pattern *pattern, uint32_t first, uint32_t *nodes) {
  const pn_graph *g = p->request->graph;
  uint32_t count = 0, n = first;
  for (uint32_t i = 0; i < PN_PATTERN_NODES && pattern->ops[i];) {
    if (n == UINT32_MAX || n >= p->request->end_node || !p->node_needed[n] || p->group_of[n] != UINT32_MAX ||
        count == PN_PATTERN_NODES)
      return 0;
    const char *name = pattern->ops[i];
    pn_str wanted = pn_str_from(name);
    bool many = wanted.size && wanted.data[wanted.size - 1] == '+';
    if (many) wanted.size--;
    const pn_node *node = &g->nodes.data[n];
    if (!pn_str_is(wanted, pn_op_get(node->op)->name)) return 0;
    nodes[count++] = n;
    pn_value_id result = node->outputs.data[0];
    bool chained = node->outputs.count == 1 && p->uses[result.v] == 1 && !pn_planner_known(p, result);
    n = chained ? p->user[result.v] : UINT32_MAX;
    i++;
    if (many && n != UINT32_MAX && n < p->request->end_node && count < PN_PATTERN_NODES &&
        p->group_of[n] == UINT32_MAX && pn_str_is(wanted, pn_op_get(g->nodes.data[n].op)->name))
      i--;
  }
  return count;
}

static pelton_status worth_fusing(pn_planner *p, const uint32_t *nodes, uint32_t count, bool *out) {
  pn_problem *problem;
  const pn_value_id *values;
  double fused = 0, parts = 0;
  PN_TRY(pn_planner_problem(p, nodes, count, &problem, &values));
  PN_TRY(best_estimate(p, problem, &fused, out));
  if (!*out) return PELTON_OK;
  for (uint32_t i = 0; i < count; i++) {
    double part = 0;
    bool accepted;
    PN_TRY(pn_planner_problem(p, &nodes[i], 1, &problem, &values));
    PN_TRY(best_estimate(p, problem, &part, &accepted));
    parts += part;
  }
  *out = fused <= parts;
  return PELTON_OK;
}

static pelton_status add_group(pn_planner *p, const uint32_t *nodes, uint32_t count) {
  pn_group group = {.node_count = count};
  group.nodes = pn_arena_copy(&p->scratch, nodes, sizeof *nodes * count, sizeof *nodes);
  if (!group.nodes) return pn_fail_memory(p->diag, "the plan");
  group.view = count == 1 && (pn_op_get(p->request->graph->nodes.data[nodes[0]].op)->flags & PN_OP_VIEW);
  PN_TRY(pn_planner_problem(p, group.nodes, count, &group.problem, &group.values));
  for (uint32_t i = 0; i < count; i++) p->group_of[nodes[i]] = p->groups.count;
  return pn_list_push(&p->scratch, &p->groups, group) ? PELTON_OK : pn_fail_memory(p->diag, "the plan");
}

/* The chain of |count| nodes from |n| on; false when the graph has no such chain, or not all of it is free. */
static bool find_chain(const pn_planner *p, uint32_t n, uint32_t count, uint32_t *nodes) {
  for (uint32_t i = 0; i < count; i++) {
    if (n < p->request->first_node || n >= p->request->end_node || !p->node_needed[n] || p->group_of[n] != UINT32_MAX)
      return false;
    nodes[i] = n;
    const pn_node *node = &p->request->graph->nodes.data[n];
    pn_value_id result = node->outputs.data[0];
    bool chained = node->outputs.count == 1 && pn_value_valid(result) && p->uses[result.v] == 1;
    n = chained ? p->user[result.v] : UINT32_MAX;
  }
  return true;
}

/* The grouping that stored decisions say, where the graph still has those chains and a tactic that runs them. A node
   that ran alone is marked in |alone|. */
static pelton_status follow_decisions(pn_planner *p, uint8_t *alone) {
  for (uint32_t i = 0; p->options->decisions && i < p->options->decisions->list.count; i++) {
    const pn_decision *d = &p->options->decisions->list.data[i];
    uint32_t nodes[PN_PATTERN_NODES];
    if (d->node_count < 1 || d->node_count > PN_PATTERN_NODES || !find_chain(p, d->first_node, d->node_count, nodes))
      continue;
    if (d->node_count == 1) {
      alone[d->first_node] = 1;
      continue;
    }
    pn_problem *problem;
    const pn_value_id *values;
    pn_choice choice;
    pn_layout in, out;
    double estimate;
    PN_TRY(pn_planner_problem(p, nodes, d->node_count, &problem, &values));
    bool runs = pn_planner_decided(p, problem, d, &choice, &in, &out);
    if (!runs) PN_TRY(best_estimate(p, problem, &estimate, &runs));
    if (runs) PN_TRY(add_group(p, nodes, d->node_count));
  }
  return PELTON_OK;
}

/* Groups by the place of their last node. */
static pelton_status sort_groups(pn_planner *p) {
  uint32_t first = p->request->first_node, count = p->request->end_node - first, sorted = 0;
  uint32_t *ending = PN_NEW_ARRAY(&p->scratch, uint32_t, count); /* by node: the group that it ends, plus 1 */
  pn_group *groups = PN_NEW_ARRAY(&p->scratch, pn_group, p->groups.count);
  if (!ending || !groups) return pn_fail_memory(p->diag, "the plan");
  for (uint32_t i = 0; i < p->groups.count; i++)
    ending[p->groups.data[i].nodes[p->groups.data[i].node_count - 1] - first] = i + 1;
  for (uint32_t n = 0; n < count; n++)
    if (ending[n]) groups[sorted++] = p->groups.data[ending[n] - 1];
  for (uint32_t i = 0; i < sorted; i++) {
    p->groups.data[i] = groups[i];
    for (uint32_t k = 0; k < groups[i].node_count; k++) p->group_of[groups[i].nodes[k]] = i;
  }
  return PELTON_OK;
}

pelton_status pn_planner_partition(pn_planner *p) {
  const pn_graph *g = p->request->graph;
  const pn_pattern *patterns = NULL;
  uint32_t pattern_count =
      p->options->target->patterns ? p->options->target->patterns(p->options->device, &patterns) : 0;
  uint8_t *alone = PN_NEW_ARRAY(&p->scratch, uint8_t, g->nodes.count);
  p->group_of = PN_NEW_ARRAY(&p->scratch, uint32_t, g->nodes.count);
  if (!alone || !p->group_of) return pn_fail_memory(p->diag, "the plan");
  memset(p->group_of, 0xff, sizeof(uint32_t) * g->nodes.count);
  PN_TRY(follow_decisions(p, alone));
  for (uint32_t n = p->request->first_node; n < p->request->end_node; n++) {
    if (!p->node_needed[n] || p->group_of[n] != UINT32_MAX) continue;
    uint32_t nodes[PN_PATTERN_NODES] = {n}, count = 1;
    for (uint32_t i = 0; i < pattern_count && !alone[n]; i++) {
      uint32_t chain[PN_PATTERN_NODES];
      uint32_t length = match(p, &patterns[i], n, chain);
      bool worth = false;
      for (; length > 1 && !worth; length--) {
        PN_TRY(worth_fusing(p, chain, length, &worth));
        if (!worth) continue;
        count = length;
        memcpy(nodes, chain, sizeof chain);
      }
      if (count > 1) break;
    }
    PN_TRY(add_group(p, nodes, count));
  }
  return sort_groups(p);
}
