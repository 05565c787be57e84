/* Which nodes must run: those that an output depends on, save what is known already. A shape computed from shapes, a
   mask from constants: inference has their contents, so the nodes that would compute them are not planned. */
#include "plan/planner.h"

static void use(pn_planner *p, pn_value_id v, uint32_t node) {
  if (!pn_value_valid(v)) return;
  p->uses[v.v]++;
  p->user[v.v] = node;
}

pelton_status pn_planner_need(pn_planner *p) {
  const pn_graph *g = p->request->graph;
  p->uses = PN_NEW_ARRAY(&p->scratch, uint32_t, g->values.count);
  p->user = PN_NEW_ARRAY(&p->scratch, uint32_t, g->values.count);
  p->is_output = PN_NEW_ARRAY(&p->scratch, uint8_t, g->values.count);
  p->node_needed = PN_NEW_ARRAY(&p->scratch, uint8_t, g->nodes.count);
  if (!p->uses || !p->user || !p->is_output || !p->node_needed) return pn_fail_memory(p->diag, "the plan");
  memset(p->user, 0xff, sizeof(uint32_t) * g->values.count);
  for (uint32_t i = 0; i < p->request->output_count; i++) {
    use(p, p->request->outputs[i], UINT32_MAX);
    p->is_output[p->request->outputs[i].v] = 1;
  }
  for (uint32_t n = p->request->end_node; n-- > p->request->first_node;) {
    const pn_node *node = &g->nodes.data[n];
    bool needed = false;
    for (uint32_t i = 0; i < node->outputs.count; i++) {
      pn_value_id v = node->outputs.data[i];
      needed |= pn_value_valid(v) && p->uses[v.v] && !pn_planner_known(p, v);
    }
    if (!needed) continue;
    p->node_needed[n] = 1;
    bool view = pn_op_get(node->op)->flags & PN_OP_VIEW; /* a view's other operands only said its shape */
    for (uint32_t i = 0; i < (view ? 1 : node->inputs.count); i++) use(p, node->inputs.data[i], n);
  }
  return PELTON_OK;
}
