/* Layouts and tactics.

   Each group has a cost for every pair of input and output layout (the best tactic's estimate), and a value that is
   written in one layout and read in another costs a conversion. The assignment starts from all plain and from all
   channels last, and improves one group at a time until nothing changes; the better of the two holds. Then, when the
   options allow it, the most promising tactics of each group are timed on the device in the chosen layouts
   (candidates.c). */
#include "plan/planner.h"

#include <math.h>

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

static const pn_group *producer(const pn_planner *p, pn_value_id v) {
  pn_node_id n = pn_graph_value(p->request->graph, v)->producer;
  if (!pn_node_valid(n) || n.v < p->request->first_node || n.v >= p->request->end_node ||
      p->group_of[n.v] == UINT32_MAX)
    return NULL;
  return &p->groups.data[p->group_of[n.v]];
}

/* What it costs to have |v| in another layout: the target's own estimate, either way alike. */
static double conversion(const pn_planner *p, const pn_operand *o, pn_value_id v, pn_layout from, pn_layout to) {
  return pn_layout_same(from, to, o->rank, o->dims) ? 0 : p->conversion_cost[v.v];
}

static pelton_status estimate_conversions(pn_planner *p) {
  p->conversion_cost = PN_NEW_ARRAY(&p->scratch, double, p->request->graph->values.count);
  if (!p->conversion_cost) return pn_fail_memory(p->diag, "the plan");
  for (uint32_t g = 0; g < p->groups.count; g++) {
    const pn_group *group = &p->groups.data[g];
    for (uint32_t i = 0; i < group->problem->operand_count; i++) {
      const pn_operand *o = &group->problem->operands[i];
      double *cost = &p->conversion_cost[group->values[i].v];
      if (o->role == PN_OPERAND_CONSTANT || o->role == PN_OPERAND_INTERNAL || o->rank < 3 || *cost > 0) continue;
      pn_problem *problem;
      pn_choice choice;
      PN_TRY(pn_planner_conversion(p, group->values[i], PN_LAYOUT_PLAIN, PN_LAYOUT_CHANNELS_LAST, &problem));
      PN_TRY(pn_planner_estimate(p, problem, &choice));
      *cost = choice.tactic ? choice.estimate : INFINITY;
    }
  }
  return PELTON_OK;
}

/* What |group| and its edges to neighbours cost when it takes (in, out). Consumers are seen through |users|. */
typedef struct edges {
  uint32_t *first, *next, *group; /* value id -> list of consuming groups */
} edges;

static bool is_activation(const pn_operand *o, uint32_t rank) {
  return o->role != PN_OPERAND_CONSTANT && o->rank == rank && o->rank >= 3;
}

static double cost(const pn_planner *p, const pn_group *group, pn_layout in, pn_layout out, const edges *e) {
  const pn_choice *choice = &group->combos[(uint32_t)in * PN_LAYOUT_COUNT + (uint32_t)out];
  if (!choice->tactic && !group->view) return INFINITY;
  double sum = choice->tactic ? choice->estimate : 0;
  pn_problem shape = *group->problem;
  for (uint32_t i = 0; i < shape.operand_count; i++) {
    const pn_operand *o = &shape.operands[i];
    if (o->role == PN_OPERAND_INPUT) {
      const pn_group *from = producer(p, group->values[i]);
      pn_layout have = from && o->rank >= 3 ? from->out_layout : PN_LAYOUT_PLAIN;
      sum += conversion(p, o, group->values[i], have, o->layout == PN_LAYOUT_COUNT ? in : PN_LAYOUT_PLAIN);
    } else if (o->role == PN_OPERAND_OUTPUT && o->rank >= 3) {
      pn_layout written = o->layout == PN_LAYOUT_COUNT ? out : PN_LAYOUT_PLAIN;
      double worst = 0;
      for (uint32_t k = e->first[group->values[i].v]; k != UINT32_MAX; k = e->next[k]) {
        const pn_group *to = &p->groups.data[e->group[k]];
        double one = conversion(p, o, group->values[i], written, to->in_layout);
        if (one > worst) worst = one;
      }
      if (p->is_output[group->values[i].v]) sum += conversion(p, o, group->values[i], written, PN_LAYOUT_PLAIN);
      sum += worst;
    }
  }
  return sum;
}

/* Marks with PN_LAYOUT_COUNT the operands whose layout follows the group's choice. */
static void mark_free_operands(pn_group *group) {
  pn_operand *operands = (pn_operand *)(uintptr_t)group->problem->operands;
  (void)pn_problem_set_layouts(group->problem, PN_LAYOUT_PLAIN, PN_LAYOUT_PLAIN);
  const pn_operand *first = pn_problem_input(group->problem, 0, 0);
  const pn_operand *last = pn_problem_output(group->problem, group->problem->node_count - 1, 0);
  uint32_t out_rank = last ? last->rank : 0, in_rank = first && first->rank > out_rank ? first->rank : out_rank;
  for (uint32_t i = 0; i < group->problem->operand_count && !group->view; i++)
    if (is_activation(&operands[i], operands[i].role == PN_OPERAND_INPUT ? in_rank : out_rank))
      operands[i].layout = PN_LAYOUT_COUNT;
}

static double improve(pn_planner *p, const edges *e) {
  double total = 0;
  for (int sweep = 0; sweep < 6; sweep++) {
    bool changed = false;
    total = 0;
    for (uint32_t g = 0; g < p->groups.count; g++) {
      pn_group *group = &p->groups.data[g];
      double best = cost(p, group, group->in_layout, group->out_layout, e);
      for (uint32_t combo = 0; combo < PN_COMBO_COUNT; combo++) {
        pn_layout in = (pn_layout)(combo / PN_LAYOUT_COUNT), out = (pn_layout)(combo % PN_LAYOUT_COUNT);
        double one = group->view && combo ? INFINITY : cost(p, group, in, out, e);
        if (!(one < best * 0.999)) continue;
        best = one;
        group->in_layout = in;
        group->out_layout = out;
        changed = true;
      }
      total += best;
    }
    if (!changed) break;
  }
  return total;
}

static void start_from(pn_planner *p, pn_layout layout) {
  for (uint32_t g = 0; g < p->groups.count; g++) {
    pn_group *group = &p->groups.data[g];
    uint32_t combo = (uint32_t)layout * PN_LAYOUT_COUNT + (uint32_t)layout;
    bool possible = !group->view && group->combos[combo].tactic;
    group->in_layout = group->out_layout = possible ? layout : PN_LAYOUT_PLAIN;
  }
}

static pelton_status list_consumers(pn_planner *p, edges *e) {
  uint32_t total = 0;
  for (uint32_t g = 0; g < p->groups.count; g++) total += p->groups.data[g].problem->operand_count;
  e->first = PN_NEW_ARRAY(&p->scratch, uint32_t, p->request->graph->values.count);
  e->next = PN_NEW_ARRAY(&p->scratch, uint32_t, total);
  e->group = PN_NEW_ARRAY(&p->scratch, uint32_t, total);
  if (!e->first || !e->next || !e->group) return pn_fail_memory(p->diag, "the plan");
  memset(e->first, 0xff, sizeof(uint32_t) * p->request->graph->values.count);
  uint32_t count = 0;
  for (uint32_t g = 0; g < p->groups.count; g++) {
    const pn_group *group = &p->groups.data[g];
    for (uint32_t i = 0; i < group->problem->operand_count; i++) {
      if (group->problem->operands[i].role != PN_OPERAND_INPUT) continue;
      uint32_t v = group->values[i].v;
      e->group[count] = g;
      e->next[count] = e->first[v];
      e->first[v] = count++;
    }
  }
  return PELTON_OK;
}

static pelton_status choose_layouts(pn_planner *p) {
  edges e;
  PN_TRY(list_consumers(p, &e));
  PN_TRY(estimate_conversions(p));
  for (uint32_t g = 0; g < p->groups.count; g++) {
    pn_group *group = &p->groups.data[g];
    bool any = group->view;
    for (uint32_t combo = 0; combo < PN_COMBO_COUNT && !group->view; combo++) {
      memset(&group->combos[combo], 0, sizeof group->combos[combo]);
      if (!pn_problem_set_layouts(group->problem, (pn_layout)(combo / PN_LAYOUT_COUNT),
                                  (pn_layout)(combo % PN_LAYOUT_COUNT)))
        continue;
      PN_TRY(pn_planner_estimate(p, group->problem, &group->combos[combo]));
      any |= group->combos[combo].tactic != NULL;
    }
    if (!any) {
      const pn_node *node = &p->request->graph->nodes.data[group->nodes[0]];
      return pn_fail(p->diag, PELTON_UNSUPPORTED, "node '%.*s': no tactic of target %s takes this %s",
                     PN_STR_ARG(node->name), p->options->target->name, pn_op_get(node->op)->name);
    }
    mark_free_operands(group);
  }
  start_from(p, PN_LAYOUT_PLAIN);
  double plain = improve(p, &e);
  pn_layout *saved = PN_NEW_ARRAY(&p->scratch, pn_layout, 2 * (size_t)p->groups.count + 1);
  if (!saved) return pn_fail_memory(p->diag, "the plan");
  for (uint32_t g = 0; g < p->groups.count; g++) {
    saved[2 * g] = p->groups.data[g].in_layout;
    saved[2 * g + 1] = p->groups.data[g].out_layout;
  }
  start_from(p, PN_LAYOUT_CHANNELS_LAST);
  if (improve(p, &e) > plain) {
    for (uint32_t g = 0; g < p->groups.count; g++) {
      p->groups.data[g].in_layout = saved[2 * g];
      p->groups.data[g].out_layout = saved[2 * g + 1];
    }
  }
  return PELTON_OK;
}

/* ---- stored decisions -------------------------------------------------------------------------------------------- */

/* Takes for every group what was decided before; false when one has nothing that fits. */
static pelton_status take_decisions(pn_planner *p, bool *all) {
  const pn_decisions *d = p->options->decisions;
  *all = false;
  if (!d) return PELTON_OK;
  uint8_t *taken = PN_NEW_ARRAY(&p->scratch, uint8_t, p->groups.count + 1u);
  if (!taken) return pn_fail_memory(p->diag, "the plan");
  for (uint32_t i = 0; i < d->list.count; i++) {
    const pn_decision *one = &d->list.data[i];
    if (one->first_node < p->request->first_node || one->first_node >= p->request->end_node) continue;
    uint32_t g = p->group_of[one->first_node];
    if (g == UINT32_MAX || taken[g]) continue;
    pn_group *group = &p->groups.data[g];
    if (group->view || group->nodes[0] != one->first_node || group->node_count != one->node_count) continue;
    if (!pn_planner_decided(p, group->problem, one, &group->choice, &group->in_layout, &group->out_layout))
      return PELTON_OK;
    taken[g] = 1;
  }
  for (uint32_t g = 0; g < p->groups.count; g++)
    if (!taken[g] && !p->groups.data[g].view) return PELTON_OK;
  *all = true;
  return PELTON_OK;
}

/* ---- timing ------------------------------------------------------------------------------------------------------ */

/* Under a budget the most promising candidates of every group are timed before others of any, so that what the budget
   leaves out is what matters least. A candidate that was timed is in the cache in the next round. */
enum { FIRST_TIMED = 2 };
static uint32_t timing_rounds(const pn_planner *p) {
  return p->options->budget_seconds > 0 && p->options->cache && p->options->level > 0 ? 2 : 1;
}

/* Sets the layouts, and has what is going to be timed prepared: in half of the budget, so that the other half is left
   for timing. */
static pelton_status prepare_ahead(pn_planner *p) {
  const double budget = p->options->budget_seconds, until = budget > 0 ? p->started + budget / 2 : 0;
  const uint32_t rounds = timing_rounds(p);
  pelton_status status = PELTON_OK;
  if (!p->options->target->binaries || p->options->level <= 0) return PELTON_OK;
  for (uint32_t round = 0; round < rounds && !status; round++) {
    pn_ahead_list jobs = {0};
    p->most_timed = round + 1 < rounds ? FIRST_TIMED : UINT32_MAX;
    for (uint32_t g = 0; g < p->groups.count && !status; g++) {
      const pn_group *group = &p->groups.data[g];
      if (group->view) continue;
      (void)pn_problem_set_layouts(group->problem, group->in_layout, group->out_layout);
      status = pn_planner_measure_ahead(p, group->problem, round ? FIRST_TIMED : 0, &jobs);
    }
    if (!status) status = pn_planner_ahead(p, &jobs, until);
  }
  p->most_timed = UINT32_MAX;
  return status;
}

static pelton_status time_groups(pn_planner *p, uint32_t round, uint32_t rounds) {
  p->most_timed = round + 1 < rounds ? FIRST_TIMED : UINT32_MAX;
  for (uint32_t g = 0; g < p->groups.count; g++) {
    pn_group *group = &p->groups.data[g];
    if (p->options->progress)
      p->options->progress(p->options->progress_self, round * p->groups.count + g, rounds * p->groups.count);
    if (group->view) {
      (void)pn_problem_set_layouts(group->problem, PN_LAYOUT_PLAIN, PN_LAYOUT_PLAIN);
      group->in_layout = group->out_layout = PN_LAYOUT_PLAIN;
      continue;
    }
    (void)pn_problem_set_layouts(group->problem, group->in_layout, group->out_layout);
    group->choice = group->combos[(uint32_t)group->in_layout * PN_LAYOUT_COUNT + (uint32_t)group->out_layout];
    if (!group->choice.tactic) return PN_INTERNAL(p->diag, "a group's layouts have no tactic");
    if (p->options->level > 0 || p->options->cache) PN_TRY(pn_planner_measure(p, group->problem, &group->choice));
  }
  return PELTON_OK;
}

pelton_status pn_planner_choose(pn_planner *p) {
  bool all;
  const uint32_t rounds = timing_rounds(p);
  PN_TRY(take_decisions(p, &all));
  if (all) return PELTON_OK;
  PN_TRY(choose_layouts(p));
  PN_TRY(prepare_ahead(p));
  for (uint32_t round = 0; round < rounds; round++) PN_TRY(time_groups(p, round, rounds));
  PN_TRY(pn_planner_recut(p));
  return pn_planner_limit_weights(p);
}
