/* Nodes whose results nobody uses go; the rest is brought into an order of evaluation. */
#include "passes/all.h"
#include "passes/rewrite.h"

static pelton_status drop_unused(pn_rewrite *r) {
  for (uint32_t i = r->g->nodes.count; i-- > 0;) {
    pn_node *node = &r->g->nodes.data[i];
    bool used = false;
    for (uint32_t k = 0; k < node->outputs.count && !used; k++)
      used = pn_value_valid(node->outputs.data[k]) && pn_rewrite_uses(r, node->outputs.data[k]) > 0;
    if (node->removed || used) continue;
    node->removed = true;
    r->changed++;
    /* Operands' nodes stand above: they are seen after their last use went. */
    for (uint32_t k = 0; k < node->inputs.count; k++)
      if (pn_value_valid(node->inputs.data[k])) r->uses.data[node->inputs.data[k].v].count--;
  }
  return PELTON_OK;
}

pelton_status pn_pass_drop_unused(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  PN_TRY(pn_graph_compact(g, diag));
  return pn_rewrite_run(g, drop_unused, changed, diag);
}
