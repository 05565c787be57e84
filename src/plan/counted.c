/* Operators whose results have a size that only the run tells, as the last node of a plan: their results are planned as
   large as they can be, and a tactic says on the device how much of it they have become (tactic.h: counts). */
#include "plan/plan.h"

/* The facts of |list|; those of absent values stay absent. */
static void gather(const pn_facts *facts, const pn_value_list *list, pn_fact *out) {
  for (uint32_t i = 0; i < list->count; i++)
    if (pn_value_valid(list->data[i])) out[i] = facts->data[list->data[i].v];
}

static void add_operand(const pn_graph *g, pn_value_id v, const pn_fact *fact, pn_operand_role role, pn_operand *out) {
  const void *known = role == PN_OPERAND_OUTPUT  ? NULL
                      : g->values.data[v.v].data ? g->values.data[v.v].data
                                                 : fact->data;
  *out = (pn_operand){.role = known ? PN_OPERAND_CONSTANT : role,
                      .dtype = fact->type.dtype,
                      .rank = (uint32_t)fact->type.rank,
                      .data = known};
  for (uint32_t d = 0; d < out->rank; d++) out->dims[d] = fact->type.dims[d].number;
}

/* Whether a tactic that counts takes the node with these facts; else |why| the last one that knows it does not. */
static pelton_status ask(const pn_graph *g, const pn_node *node, const pn_infer *call, const pn_target *target,
                         const pn_device *device, pn_arena *arena, bool *takes, pn_reason *why, pelton_diag *diag) {
  const uint32_t in = node->inputs.count, all = in + node->outputs.count;
  pn_operand *operands = PN_NEW_ARRAY(arena, pn_operand, all + 1u);
  uint16_t *indices = PN_NEW_ARRAY(arena, uint16_t, all + 1u);
  if (!operands || !indices) return pn_fail_memory(diag, "a plan");
  for (uint32_t i = 0; i < all; i++) {
    pn_value_id v = i < in ? node->inputs.data[i] : node->outputs.data[i - in];
    const pn_fact *fact = i < in ? &call->in[i] : &call->out[i - in];
    indices[i] = fact->present ? (uint16_t)i : PN_NO_OPERAND;
    if (fact->present) add_operand(g, v, fact, i < in ? PN_OPERAND_INPUT : PN_OPERAND_OUTPUT, &operands[i]);
  }
  const pn_problem_node one = {node->op, node->attrs, in, node->outputs.count, indices, indices + in};
  const pn_problem problem = {1, &one, all, operands, false};
  const pn_tactic *const *tactics;
  const uint32_t count = target->tactics((pn_device *)(uintptr_t)device, &tactics);
  for (uint32_t t = 0; t < count && !*takes; t++)
    *takes = tactics[t]->counts && tactics[t]->accepts(&problem, device, why);
  return PELTON_OK;
}

pelton_status pn_plan_count(const pn_graph *g, uint32_t index, const pn_target *target, const pn_device *device,
                            pn_facts *facts, pn_arena *arena, pn_counted *out, pelton_diag *diag) {
  const pn_node *node = &g->nodes.data[index];
  *out = (pn_counted){.takes = false};
  if (target->host_memory || !(pn_op_get(node->op)->flags & PN_OP_DATA_SHAPE)) return PELTON_OK;
  pn_fact *in = PN_NEW_ARRAY(arena, pn_fact, node->inputs.count + 1u);
  pn_fact *results = PN_NEW_ARRAY(arena, pn_fact, node->outputs.count + 1u);
  if (!in || !results) return pn_fail_memory(diag, "a plan");
  gather(facts, &node->inputs, in);
  for (uint32_t i = 0; i < node->outputs.count; i++) results[i].present = pn_value_valid(node->outputs.data[i]);
  const pn_infer call = {.attrs = node->attrs,
                         .input_count = node->inputs.count,
                         .output_count = node->outputs.count,
                         .in = in,
                         .out = results,
                         .arena = arena,
                         .diag = diag};
  if (node->outputs.count > PN_MOST_COUNTED || !pn_op_bound(node->op, &call, out->axes)) return PELTON_OK;
  PN_TRY(ask(g, node, &call, target, device, arena, &out->takes, &out->why, diag));
  for (uint32_t i = 0; i < node->outputs.count && out->takes; i++)
    if (results[i].present) facts->data[node->outputs.data[i].v] = results[i];
  return PELTON_OK;
}
