/* Groups that were cut by estimates are cut anew by time. Where several operators besides expressions run as one step,
   and where two steps beside each other could be one, the other way is timed too, in the layouts that were chosen,
   unless estimates say that it is hopeless; the faster one holds, and one that fails gives way. */
#include "plan/planner.h"

#include <math.h>

#define HOPELESS 1.5 /* the other way's estimate by that of this one */
/* What the other way has to be faster by: steps that are timed by themselves find what they read in the caches, and
   nothing in front of them that still runs. Pairs of MobileNetV2 that were quicker by 2 to 6 % on an H200 made the
   network a tenth slower. */
#define MARGIN 0.1

enum { MOST_PARTS = PN_PATTERN_NODES };

/* Another way: groups [group, group + replaced) as these parts. */
typedef struct other_way {
  uint32_t group, replaced, part_count;
  pn_group parts[MOST_PARTS];
} other_way;
typedef PN_LIST(other_way) other_ways;

/* ---- finding them ------------------------------------------------------------------------------------------------ */

static bool is_expression(const pn_planner *p, uint32_t n) {
  return p->request->graph->nodes.data[n].op == PN_OP_POINTWISE;
}

static uint32_t operators_of(const pn_planner *p, const pn_group *group) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < group->node_count; i++) count += !is_expression(p, group->nodes[i]);
  return count;
}

/* Whether each node's result is what the next one begins with, and nothing else reads it. */
static bool is_chain(const pn_planner *p, const uint32_t *nodes, uint32_t count) {
  for (uint32_t i = 0; i + 1 < count; i++) {
    const pn_value_list *results = &p->request->graph->nodes.data[nodes[i]].outputs;
    if (results->count != 1 || p->uses[results->data[0].v] != 1 || p->user[results->data[0].v] != nodes[i + 1])
      return false;
  }
  return true;
}

/* Whether |problem| reads an activation, besides what it begins with, whose layout would be another one now. */
static bool reads_more(const pn_problem *problem) {
  const pn_operand *first = pn_problem_input(problem, 0, 0);
  for (uint32_t i = 0; i < problem->operand_count; i++)
    if (problem->operands[i].role == PN_OPERAND_INPUT && &problem->operands[i] != first &&
        problem->operands[i].rank >= 3)
      return true;
  return false;
}

/* The group of |nodes| in these layouts with the best estimate; its tactic is null where nothing takes it. */
static pelton_status make_group(pn_planner *p, const uint32_t *nodes, uint32_t count, pn_layout in, pn_layout out,
                                pn_group *group) {
  *group = (pn_group){.nodes = nodes, .node_count = count, .in_layout = in, .out_layout = out};
  PN_TRY(pn_planner_problem(p, nodes, count, &group->problem, &group->values));
  if (!pn_problem_set_layouts(group->problem, in, out)) return PELTON_OK;
  PN_TRY(pn_planner_estimate(p, group->problem, &group->choice));
  if (group->choice.tactic && group->choice.tactic->is_reference) group->choice.tactic = NULL;
  return PELTON_OK;
}

/* Adds |way| when all its parts can run and what it replaces would not be much quicker. */
static pelton_status consider(pn_planner *p, const other_way *way, other_ways *ways) {
  double before = 0, after = 0;
  for (uint32_t i = 0; i < way->replaced; i++) before += p->groups.data[way->group + i].choice.estimate;
  for (uint32_t i = 0; i < way->part_count; i++) {
    if (!way->parts[i].choice.tactic) return PELTON_OK;
    after += way->parts[i].choice.estimate;
  }
  if (after > HOPELESS * before) return PELTON_OK;
  return pn_list_push(&p->scratch, ways, *way) ? PELTON_OK : pn_fail_memory(p->diag, "the plan");
}

/* The group as several, cut where estimates say. */
static pelton_status find_split(pn_planner *p, uint32_t g, other_ways *ways) {
  const pn_group *group = &p->groups.data[g];
  other_way way = {.group = g, .replaced = 1};
  if (operators_of(p, group) < 2 || group->node_count > PN_PATTERN_NODES ||
      !is_chain(p, group->nodes, group->node_count))
    return PELTON_OK;
  for (uint32_t begin = 0, size; begin < group->node_count; begin += size) {
    const uint32_t left = group->node_count - begin;
    PN_TRY(pn_planner_cut(p, group->nodes + begin, left, begin ? left : left - 1, &size));
    pn_group *part = &way.parts[way.part_count++];
    const pn_layout in = begin ? group->out_layout : group->in_layout;
    PN_TRY(make_group(p, group->nodes + begin, size, in, group->out_layout, part));
    if (begin && group->in_layout != group->out_layout && reads_more(part->problem)) return PELTON_OK;
  }
  return consider(p, &way, ways);
}

/* Two groups of a chain as one, where a pattern allows it. */
static pelton_status find_merge(pn_planner *p, uint32_t g, other_ways *ways) {
  const pn_group *a = &p->groups.data[g], *b = a + 1;
  const uint32_t count = a->node_count + b->node_count;
  other_way way = {.group = g, .replaced = 2, .part_count = 1};
  if (a->view || b->view || count > PN_PATTERN_NODES || !operators_of(p, a) || !operators_of(p, b) ||
      a->out_layout != b->in_layout || (a->in_layout != b->in_layout && reads_more(b->problem)))
    return PELTON_OK;
  uint32_t *nodes = PN_NEW_ARRAY(&p->scratch, uint32_t, count);
  if (!nodes) return pn_fail_memory(p->diag, "the plan");
  memcpy(nodes, a->nodes, a->node_count * sizeof *nodes);
  memcpy(nodes + a->node_count, b->nodes, b->node_count * sizeof *nodes);
  if (!is_chain(p, nodes, count) || !pn_planner_matches(p, nodes, count)) return PELTON_OK;
  PN_TRY(make_group(p, nodes, count, a->in_layout, b->out_layout, &way.parts[0]));
  return consider(p, &way, ways);
}

/* ---- timing them ------------------------------------------------------------------------------------------------- */

/* Has what will be timed compiled by several threads. */
static pelton_status prepare_ahead(pn_planner *p, const other_ways *ways) {
  const double budget = p->options->budget_seconds;
  pn_ahead_list jobs = {0};
  if (!p->options->target->binaries) return PELTON_OK;
  for (uint32_t w = 0; w < ways->count; w++)
    for (uint32_t i = 0; i < ways->data[w].part_count; i++)
      PN_TRY(pn_planner_measure_ahead(p, ways->data[w].parts[i].problem, 0, &jobs));
  return pn_planner_ahead(p, &jobs, budget > 0 ? p->started + budget : 0);
}

/* The sum over |count| groups; infinite where one could not be timed. False |fit|: one has nothing that does not fail.
 */
static pelton_status time_groups(pn_planner *p, pn_group *groups, uint32_t count, double *seconds, bool *fit) {
  *seconds = 0;
  *fit = true;
  for (uint32_t i = 0; i < count && *fit; i++) {
    PN_TRY(pn_planner_try(p, groups[i].problem, &groups[i].choice, fit));
    *seconds += groups[i].choice.seconds > 0 ? groups[i].choice.seconds : INFINITY;
  }
  return PELTON_OK;
}

/* Whether |way| is to be taken. What was compared goes to the first group of whichever stays. */
static pelton_status compare(pn_planner *p, other_way *way, bool *take) {
  pn_group *here = &p->groups.data[way->group];
  double before, after;
  bool here_fits, way_fits;
  PN_TRY(time_groups(p, here, way->replaced, &before, &here_fits));
  PN_TRY(time_groups(p, way->parts, way->part_count, &after, &way_fits));
  const bool both = here_fits && way_fits && before < INFINITY && after < INFINITY;
  *take = both ? after < before * (1 - MARGIN) : way_fits && !here_fits;
  if (!both) return PELTON_OK;
  pn_group *stays = *take ? way->parts : here;
  stays->other_steps = *take ? way->replaced : way->part_count;
  stays->other_seconds = *take ? before : after;
  return PELTON_OK;
}

static pelton_status push(pn_planner *p, const pn_group *group) {
  return pn_list_push(&p->scratch, &p->groups, *group) ? PELTON_OK : pn_fail_memory(p->diag, "the plan");
}

/* Groups in order again, with |ways| in the place of what they replace; of two that touch, the first one only. */
static pelton_status replace(pn_planner *p, other_ways *ways) {
  const pn_group *old = p->groups.data;
  const uint32_t old_count = p->groups.count;
  uint32_t g = 0, w = 0;
  memset(&p->groups, 0, sizeof p->groups);
  while (g < old_count) {
    while (w < ways->count && ways->data[w].group < g) w++;
    if (w == ways->count || ways->data[w].group > g) {
      PN_TRY(push(p, &old[g++]));
      continue;
    }
    for (uint32_t i = 0; i < ways->data[w].part_count; i++) PN_TRY(push(p, &ways->data[w].parts[i]));
    g += ways->data[w].replaced;
  }
  return pn_planner_sort_groups(p);
}

pelton_status pn_planner_recut(pn_planner *p) {
  other_ways found = {0}, taken = {0};
  const bool knows = p->options->cache && p->options->cache->keys.count;
  if (p->options->level <= 0 && !knows) return PELTON_OK;
  for (uint32_t g = 0; g < p->groups.count; g++) {
    PN_TRY(find_split(p, g, &found));
    if (g + 1 < p->groups.count) PN_TRY(find_merge(p, g, &found));
  }
  PN_TRY(prepare_ahead(p, &found));
  for (uint32_t w = 0; w < found.count; w++) {
    bool take;
    PN_TRY(compare(p, &found.data[w], &take));
    if (take && !pn_list_push(&p->scratch, &taken, found.data[w])) return pn_fail_memory(p->diag, "the plan");
  }
  return taken.count ? replace(p, &taken) : PELTON_OK;
}
