/* What samples say nothing of. An input that is the same in every element of all samples, all zero above all, is often
   a stand-in: what is computed of it alone is not what real inputs give. So is a value that was zero throughout, as
   behind a relu that no sample passed: nobody saw how large it becomes.

   Such values are traced through the graph. A mask or a position that is all zero is legitimate, and so is a branch
   that adds nothing: with another operand that was seen alive the result is taken as seen. */
#include "precision/precision.h"

/* What a node's results are made of, before their elements are looked at. */
static pn_evidence operands_of(const pn_graph *g, const pn_node *node, const pn_ranges *ranges, uint32_t *cause) {
  pn_evidence made = PN_EVIDENCE_FIXED;
  if (node->op == PN_OP_SHAPE_OF || node->op == PN_OP_SIZE_OF) return made; /* whatever the elements are */
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    const pn_value_id v = node->inputs.data[i];
    if (!pn_value_valid(v) || g->values.data[v.v].data) continue;
    const pn_range *r = &ranges->data[v.v];
    if (r->evidence == PN_EVIDENCE_SEEN) return PN_EVIDENCE_SEEN;
    if (r->evidence != PN_EVIDENCE_NONE || made == PN_EVIDENCE_NONE) continue;
    made = PN_EVIDENCE_NONE;
    *cause = r->cause;
  }
  return made;
}

void pn_ranges_trace(const pn_graph *g, pn_ranges *ranges) {
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    uint32_t cause = 0;
    if (node->removed) continue;
    const pn_evidence made = operands_of(g, node, ranges, &cause);
    for (uint32_t i = 0; i < node->outputs.count; i++) {
      if (!pn_value_valid(node->outputs.data[i])) continue;
      pn_range *r = &ranges->data[node->outputs.data[i].v];
      r->evidence = made;
      r->cause = cause;
      if (made != PN_EVIDENCE_SEEN || !r->observed || r->largest > 0 || r->not_finite || r->lo == r->hi) continue;
      r->evidence = PN_EVIDENCE_NONE;
      r->cause = node->outputs.data[i].v;
    }
  }
}
