/* Groups: which nodes run as one step. The target names patterns of operators that it may fuse. A chain of nodes that
   follows a pattern (each result used only by the next node) is cut where the estimates say: among all ways of cutting
   it into runs that a tactic accepts, the one of the least sum is taken. Everything else is a group of its own.

   A pattern may name an operator in front of its chains, a transpose, say, of which each operand may have one. These
   are looked for before anything else, since they stand earlier in the order than the chain that they go with.

   A group runs where its last node stands in the order: all its operands are ready there, and nobody needs its inner
   results earlier. */
#include "plan/planner.h"

#include <math.h>

enum {
  MOST_GROUP_NODES = PN_PATTERN_NODES + PN_PATTERN_FRONTS,
  MOST_AHEAD = 3 * PN_PATTERN_NODES /* nodes of a chain whose cut is sought at once: a group that ends well for itself may
                                       end badly for the next one */
};

/* The least estimate of the chain over all layouts; infinite when no tactic takes it. References are for single nodes.
 */
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

/* How many of the first nodes of the chain make a group in the cut of the least sum, which goes to |sum|. A group that
   begins with nodes[i] has at most |longest|[i] of them; null: any number. */
static pelton_status first_group(pn_planner *p, const uint32_t *nodes, uint32_t count, const uint32_t *longest,
                                 uint32_t *out, double *sum) {
  double best[MOST_AHEAD + 1] = {0}; /* by where the rest begins */
  for (uint32_t begin = count; begin-- > 0;) {
    best[begin] = INFINITY;
    for (uint32_t end = begin + 1; end <= count && (!longest || end - begin <= longest[begin]); end++) {
      double one;
      PN_TRY(best_estimate(p, nodes + begin, end - begin, &one));
      /* Even ones go to the longer: fewer steps. */
      if (one + best[end] > best[begin] || (end > begin + 1 && !(one < INFINITY))) continue;
      best[begin] = one + best[end];
      *out = end; /* of the last |begin|, which is 0 */
    }
  }
  *sum = best[0];
  return PELTON_OK;
}

static uint32_t uses_in(const pn_planner *p, const uint32_t *nodes, uint32_t count, pn_value_id v) {
  uint32_t uses = 0;
  for (uint32_t i = 0; i < count; i++) {
    const pn_node *node = &p->request->graph->nodes.data[nodes[i]];
    for (uint32_t k = 0; k < node->inputs.count; k++) uses += pn_value_same(node->inputs.data[k], v);
  }
  return uses;
}

/* Writes the nodes that |pattern| lets stand in front of the chain, in order, and the chain behind them to |out|;
   returns how many these are, |count| when the chain has nothing in front. */
static uint32_t with_fronts(const pn_planner *p, const pn_pattern *pattern, const uint32_t *nodes, uint32_t count,
                            uint32_t *out) {
  const pn_graph *g = p->request->graph;
  uint32_t fronts = 0;
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t k = 0; k < g->nodes.data[nodes[i]].inputs.count && fronts < PN_PATTERN_FRONTS; k++) {
      pn_value_id v = g->nodes.data[nodes[i]].inputs.data[k];
      if (!pn_value_valid(v)) continue;
      pn_node_id producer = pn_graph_value(g, v)->producer;
      if (!pn_node_valid(producer) || !is_free(p, producer.v)) continue;
      const pn_node *front = &g->nodes.data[producer.v];
      if (!pn_str_is(pn_str_from(pattern->front), pn_op_get(front->op)->name) || front->inputs.count != 1 ||
          front->outputs.count != 1 || pn_planner_known(p, v) || p->uses[v.v] != uses_in(p, nodes, count, v))
        continue;
      uint32_t at = 0;
      while (at < fronts && out[at] < producer.v) at++;
      if (at < fronts && out[at] == producer.v) continue;
      memmove(out + at + 1, out + at, (fronts++ - at) * sizeof *out);
      out[at] = producer.v;
    }
  memcpy(out + fronts, nodes, count * sizeof *nodes);
  return fronts + count;
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

/* The group of |count| nodes that begins with |first| in front of a chain; false when the graph has none such. */
static bool find_fronted(const pn_planner *p, uint32_t first, uint32_t count, uint32_t *nodes) {
  const pn_pattern *patterns = NULL;
  uint32_t pattern_count =
               p->options->target->patterns ? p->options->target->patterns(p->options->device, &patterns) : 0,
           chain[PN_PATTERN_NODES];
  for (uint32_t i = 0; i < pattern_count && is_free(p, first); i++) {
    const char *name = pn_op_get(p->request->graph->nodes.data[first].op)->name;
    if (!patterns[i].front || strcmp(patterns[i].front, name) != 0) continue;
    for (uint32_t n = first + 1; n < p->request->end_node; n++)
      for (uint32_t length = match(p, &patterns[i], n, chain); length > 1; length--)
        if (with_fronts(p, &patterns[i], chain, length, nodes) == count && nodes[0] == first) return true;
  }
  return false;
}

/* The grouping that stored decisions say, where the graph still has those chains and a tactic that runs them. A node
   that ran alone is marked in |alone|. */
static pelton_status follow_decisions(pn_planner *p, uint8_t *alone) {
  for (uint32_t i = 0; p->options->decisions && i < p->options->decisions->list.count; i++) {
    const pn_decision *d = &p->options->decisions->list.data[i];
    uint32_t nodes[MOST_GROUP_NODES];
    if (d->node_count < 1 || d->node_count > MOST_GROUP_NODES || d->first_node >= p->request->end_node ||
        (!find_fronted(p, d->first_node, d->node_count, nodes) &&
         (d->node_count > PN_PATTERN_NODES || !find_chain(p, d->first_node, d->node_count, nodes))))
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

pelton_status pn_planner_sort_groups(pn_planner *p) {
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

/* Groups the chain of |length| nodes with what stands in front of it, or the longest part of it that is cheaper so. */
static pelton_status add_fronted(pn_planner *p, const pn_pattern *pattern, const uint32_t *chain, uint32_t length) {
  for (; length > 1; length--) {
    uint32_t nodes[MOST_GROUP_NODES], first;
    uint32_t count = with_fronts(p, pattern, chain, length, nodes);
    double together, apart;
    if (count == length) continue;
    PN_TRY(best_estimate(p, nodes, count, &together));
    if (!(together < INFINITY)) continue;
    PN_TRY(first_group(p, chain, length, NULL, &first, &apart));
    for (uint32_t i = 0; i < count - length; i++) {
      double one;
      PN_TRY(best_estimate(p, &nodes[i], 1, &one));
      apart += one;
    }
    if (together <= apart) return add_group(p, nodes, count);
  }
  return PELTON_OK;
}

/* The chain from nodes[0] on, as far as it may be cut at will. */
static uint32_t look_ahead(const pn_planner *p, const uint8_t *alone, uint32_t *nodes) {
  const pn_graph *g = p->request->graph;
  uint32_t count = 1;
  while (count < MOST_AHEAD) {
    const pn_value_list *results = &g->nodes.data[nodes[count - 1]].outputs;
    if (results->count != 1 || p->uses[results->data[0].v] != 1 || pn_planner_known(p, results->data[0])) break;
    const uint32_t next = p->user[results->data[0].v];
    if (next == UINT32_MAX || !is_free(p, next) || alone[next]) break;
    nodes[count++] = next;
  }
  return count;
}

/* How many nodes from |n| on follow one of the patterns; 1 when none does. */
static uint32_t longest_match(const pn_planner *p, const pn_pattern *patterns, uint32_t count, uint32_t n) {
  uint32_t nodes[PN_PATTERN_NODES], longest = 1;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t length = match(p, &patterns[i], n, nodes);
    if (length > longest) longest = length;
  }
  return longest;
}

pelton_status pn_planner_cut(pn_planner *p, const uint32_t *nodes, uint32_t count, uint32_t most, uint32_t *out) {
  uint32_t longest[PN_PATTERN_NODES];
  double sum;
  if (count > PN_PATTERN_NODES) return PN_INTERNAL(p->diag, "a chain is longer than any pattern");
  for (uint32_t i = 0; i < count; i++) longest[i] = i ? count : most;
  *out = 1;
  return count > 1 ? first_group(p, nodes, count, longest, out, &sum) : PELTON_OK;
}

bool pn_planner_matches(const pn_planner *p, const uint32_t *nodes, uint32_t count) {
  const pn_pattern *patterns = NULL;
  const uint32_t pattern_count =
      p->options->target->patterns ? p->options->target->patterns(p->options->device, &patterns) : 0;
  uint32_t groups[PN_PATTERN_NODES], longest;
  for (uint32_t i = 0; i < count; i++) { /* as if they were free */
    groups[i] = p->group_of[nodes[i]];
    p->group_of[nodes[i]] = UINT32_MAX;
  }
  longest = longest_match(p, patterns, pattern_count, nodes[0]);
  for (uint32_t i = 0; i < count; i++) p->group_of[nodes[i]] = groups[i];
  return longest >= count;
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
  for (uint32_t n = p->request->first_node; n < p->request->end_node; n++)
    for (uint32_t i = 0; i < pattern_count && is_free(p, n) && !alone[n]; i++) {
      uint32_t chain[PN_PATTERN_NODES];
      uint32_t length = patterns[i].front ? match(p, &patterns[i], n, chain) : 0;
      if (length > 1) PN_TRY(add_fronted(p, &patterns[i], chain, length));
    }
  for (uint32_t n = p->request->first_node; n < p->request->end_node; n++) {
    if (!p->node_needed[n] || p->group_of[n] != UINT32_MAX) continue;
    double sum;
    uint32_t nodes[MOST_AHEAD] = {n}, longest[MOST_AHEAD], count = 1, ahead = alone[n] ? 1 : look_ahead(p, alone, nodes);
    for (uint32_t i = 0; i < ahead; i++) longest[i] = longest_match(p, patterns, pattern_count, nodes[i]);
    if (ahead > 1) PN_TRY(first_group(p, nodes, ahead, longest, &count, &sum));
    PN_TRY(add_group(p, nodes, count));
  }
  return pn_planner_sort_groups(p);
}
