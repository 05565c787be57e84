/* Problems made of nodes: what a step has to compute, as a value. */
#include "plan/planner.h"

static uint16_t operand_of(const pn_value_id *values, uint32_t count, pn_value_id v) {
  for (uint32_t i = 0; i < count; i++)
    if (pn_value_same(values[i], v)) return (uint16_t)i;
  return PN_NO_OPERAND;
}

static void describe(const pn_planner *p, pn_value_id v, pn_operand_role role, pn_operand *o) {
  const pn_type *type = &pn_planner_fact(p, v)->type;
  *o = (pn_operand){.role = role, .dtype = type->dtype, .rank = (uint32_t)type->rank};
  for (uint32_t d = 0; d < o->rank; d++) o->dims[d] = type->dims[d].number;
  const void *known = role == PN_OPERAND_INPUT ? pn_planner_known(p, v) : NULL;
  if (!known) return;
  o->role = PN_OPERAND_CONSTANT;
  o->data = known;
}

pelton_status pn_planner_problem(pn_planner *p, const uint32_t *nodes, uint32_t count, pn_problem **out,
                                 const pn_value_id **out_values) {
  const pn_graph *g = p->request->graph;
  uint32_t most = 0;
  for (uint32_t i = 0; i < count; i++)
    most += g->nodes.data[nodes[i]].inputs.count + g->nodes.data[nodes[i]].outputs.count;
  pn_problem *problem = PN_NEW(&p->scratch, pn_problem);
  pn_problem_node *list = PN_NEW_ARRAY(&p->scratch, pn_problem_node, count);
  pn_operand *operands = PN_NEW_ARRAY(&p->scratch, pn_operand, most + 1);
  pn_value_id *values = PN_NEW_ARRAY(&p->scratch, pn_value_id, most + 1);
  uint16_t *indices = PN_NEW_ARRAY(&p->scratch, uint16_t, most + 1);
  if (!problem || !list || !operands || !values || !indices) return pn_fail_memory(p->diag, "the plan");
  if (most >= PN_NO_OPERAND)
    return pn_fail(p->diag, PELTON_UNSUPPORTED, "a node with %u operands and results is too wide to plan", most);
  uint32_t operand_count = 0;
  for (uint32_t i = 0; i < count; i++) {
    const pn_node *node = &g->nodes.data[nodes[i]];
    list[i] = (pn_problem_node){
        node->op, node->attrs, node->inputs.count, node->outputs.count, indices, indices + node->inputs.count};
    for (uint32_t k = 0; k < node->inputs.count + node->outputs.count; k++) {
      bool is_input = k < node->inputs.count;
      pn_value_id v = is_input ? node->inputs.data[k] : node->outputs.data[k - node->inputs.count];
      *indices = PN_NO_OPERAND;
      if (pn_value_valid(v) && (is_input || p->uses[v.v] || k == node->inputs.count)) {
        *indices = operand_of(values, operand_count, v);
        if (*indices == PN_NO_OPERAND) {
          pn_operand_role role = is_input ? PN_OPERAND_INPUT : i + 1 < count ? PN_OPERAND_INTERNAL : PN_OPERAND_OUTPUT;
          describe(p, v, role, &operands[operand_count]);
          values[operand_count] = v;
          *indices = (uint16_t)operand_count++;
        }
      }
      indices++;
    }
  }
  *problem = (pn_problem){count, list, operand_count, operands, p->cold};
  *out = problem;
  *out_values = values;
  return PELTON_OK;
}

bool pn_problem_set_layouts(pn_problem *problem, pn_layout in, pn_layout out) {
  pn_operand *operands = (pn_operand *)(uintptr_t)problem->operands; /* the planner's own problem */
  uint32_t in_rank = 0, out_rank = 0;
  const pn_operand *first = pn_problem_input(problem, 0, 0);
  const pn_operand *last = pn_problem_output(problem, problem->node_count - 1, 0);
  if (first) in_rank = first->rank;
  if (last) out_rank = last->rank;
  if (in_rank < out_rank) in_rank = out_rank; /* broadcasting: full operands decide */
  if ((in != PN_LAYOUT_PLAIN && in_rank < 3) || (out != PN_LAYOUT_PLAIN && out_rank < 3)) return false;
  bool any_input = false;
  for (uint32_t i = 0; i < problem->operand_count; i++) {
    pn_operand *o = &operands[i];
    o->layout = PN_LAYOUT_PLAIN;
    if (o->role == PN_OPERAND_INPUT && o->rank == in_rank && o->rank >= 3) {
      o->layout = in;
      any_input = true;
    } else if ((o->role == PN_OPERAND_OUTPUT || o->role == PN_OPERAND_INTERNAL) && o->rank == out_rank &&
               o->rank >= 3) {
      o->layout = out;
    }
  }
  return in == PN_LAYOUT_PLAIN || any_input;
}

pelton_status pn_planner_conversion(pn_planner *p, pn_value_id v, pn_layout from, pn_layout to, pn_problem **out) {
  pn_problem *problem = PN_NEW(&p->scratch, pn_problem);
  pn_problem_node *node = PN_NEW(&p->scratch, pn_problem_node);
  pn_operand *operands = PN_NEW_ARRAY(&p->scratch, pn_operand, 2);
  uint16_t *indices = PN_NEW_ARRAY(&p->scratch, uint16_t, 2);
  pn_attrs_transpose *attrs = PN_NEW(&p->scratch, pn_attrs_transpose);
  int64_t *perm = PN_NEW_ARRAY(&p->scratch, int64_t, PN_MAX_RANK);
  if (!problem || !node || !operands || !indices || !attrs || !perm) return pn_fail_memory(p->diag, "the plan");
  const pn_type *type = &pn_planner_fact(p, v)->type;
  for (uint32_t i = 0; i < 2; i++) {
    operands[i] = (pn_operand){.role = i ? PN_OPERAND_OUTPUT : PN_OPERAND_INPUT,
                               .dtype = type->dtype,
                               .rank = (uint32_t)type->rank,
                               .layout = i ? to : from};
    for (int32_t d = 0; d < type->rank; d++) operands[i].dims[d] = type->dims[d].number;
    indices[i] = (uint16_t)i;
  }
  for (int32_t d = 0; d < type->rank; d++) perm[d] = d;
  attrs->perm = (pn_i64s){perm, (uint32_t)type->rank};
  *node = (pn_problem_node){PN_OP_TRANSPOSE, attrs, 1, 1, indices, indices + 1};
  *problem = (pn_problem){1, node, 2, operands, false};
  *out = problem;
  return PELTON_OK;
}
