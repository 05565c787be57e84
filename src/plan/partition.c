/* Groups: which nodes run as one step. The target names patterns of operators that it may fuse. A chain of nodes that
   follows a pattern (each result used only by the next node) is cut where the estimates say: among all ways of cutting
   it into runs that a tactic accepts, the one of the least sum is taken. Everything else is a group of its own.

   A group runs where its last node stands in the order: all its operands are ready there, and nobody needs its inner
   results earlier. */
#include "plan/planner.h"

#include <math.h>

/* The least estimate of the chain over all layouts; infinite when no tactic takes it. References are for single nodes. */
static pelton_status best_estimate(pn_planner *p, const uint32_t *nodes, uint32_t count, double *out) {
  pn_problem *problem;
  const pn_value_id *values;
  *out = INFINITY;
  PN_TRY(pn_planner_problem(p, nodes, count, &problem, &values));
  for (uint32_t combo = 0; combo < PN_COMBO_COUNT; combo++) {
    pn_choice choice;
    if (!pn_problem_set_layouts(problem, (pn_layout)(combo / PN_LAYOUT_COUNT), (pn_layout)(combo % PN_LAYOUT_COUNT)))
      continue;
    PN_TRY(pn_planner_estimate(p, problem, &choice));
    if (!choice.tactic || (choice.tactic->is_reference && count > 1)) continue;
    *out = fmin(*out, choice.estimate);
  }
  return PELTON_OK;
}

static bool is_free(const pn_planner *p, uint32_t n) {
  return n >= p->request->first_node && n < p->request->end_node && p->node_needed[n] && p->group_of[n] == UINT32_MAX;
}

/* The longest chain from |first| on that follows |pattern|; its length is 1 when nothing more does. */
static uint32_t match(const pn_planner *p, const pn_pattern *pattern, uint32_t first, uint32_t *nodes) {
  const pn_graph *g = p->request->graph;
  uint32_t count = 0, n = first;
  for (uint32_t i = 0; i < PN_PATTERN_NODES && pattern->ops[i] && n != UINT32_MAX && is_free(p, n); i++) {
    const pn_node *node = &g->nodes.data[n];
    pn_str wanted = pn_str_from(pattern->ops[i]);
    bool optional = wanted.data[wanted.size - 1] == '?';
    if (optional) wanted.size--;
    if (!pn_str_is(wanted, pn_op_get(node->op)->name)) {
      if (optional) continue;
      break;
    }
    nodes[count++] = n;
    pn_value_id result = node->outputs.data[0];
    bool chained = node->outputs.count == 1 && p->uses[result.v] == 1 && !pn_planner_known(p, result);
    n = chained ? p->user[result.v] : UINT32_MAX;
  }
  return count;
}

/* How many of the first nodes of the chain make a group in the cut of the least sum. */
static pelton_status first_group(pn_planner *p, const uint32_t *nodes, uint32_t count, uint32_t *out) {
  double best[PN_PATTERN_NODES + 1] = {0}; /* by where the rest begins */
  for (uint32_t begin = count; begin-- > 0;) {
    best[begin] = INFINITY;
    for (uint32_t end = begin + 1; end <= count; end++) {
      double one;
      PN_TRY(best_estimate(p, nodes + begin, end - begin, &one));
      /* Even ones go to the longer: fewer steps. */
      if (one + best[end] > best[begin] || (end > begin + 1 && !(one < INFINITY))) continue;
      best[begin] = one + best[end];
      *out = end; /* of the last |begin|, which is 0 */
    }
  }
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
    if (!is_free(p, n)) return false;
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
    double estimate = 0;
    PN_TRY(pn_planner_problem(p, nodes, d->node_count, &problem, &values));
    if (!pn_planner_decided(p, problem, d, &choice, &in, &out))
      PN_TRY(best_estimate(p, nodes, d->node_count, &estimate));
    if (estimate < INFINITY) PN_TRY(add_group(p, nodes, d->node_count));
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
    for (uint32_t i = 0; i < pattern_count && count == 1 && !alone[n]; i++) {
      uint32_t length = match(p, &patterns[i], n, nodes);
      if (length > 1) PN_TRY(first_group(p, nodes, length, &count));
    }
    PN_TRY(add_group(p, nodes, count));
  }
  return sort_groups(p);
}
