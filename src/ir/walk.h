/* Steps that every reader of a graph takes: a node's subgraphs, and how many levels of them there may be. */
#ifndef PN_IR_WALK_H
#define PN_IR_WALK_H

#include "ir/graph.h"

/* Subgraphs nest at most this deep; recursion over them is bounded by it. Readers of files refuse more, verify too. */
enum { PN_MAX_GRAPH_DEPTH = 16 };

/* The |index|-th subgraph attribute's place in |attrs| (a pn_attrs_<op>), null when the operator has fewer. */
PN_INLINE struct pn_graph **pn_attrs_graph(pn_op op, void *attrs, uint32_t index) {
  const pn_op_info *info = pn_op_get(op);
  for (uint32_t i = 0; i < info->field_count; i++)
    if (info->fields[i].kind == PN_FIELD_GRAPH && index-- == 0)
      return (struct pn_graph **)(void *)((char *)attrs + info->fields[i].offset);
  return NULL;
}

/* The |index|-th subgraph of |node|; null when it has fewer (or the attribute is not set: verify finds that). */
PN_INLINE pn_graph *pn_node_graph(const pn_node *node, uint32_t index) {
  const pn_op_info *info = pn_op_get(node->op);
  if (!(info->flags & PN_OP_CONTROL)) return NULL;
  for (uint32_t i = 0; i < info->field_count; i++)
    if (info->fields[i].kind == PN_FIELD_GRAPH && index-- == 0) {
      pn_graph *graph;
      memcpy(&graph, (const char *)node->attrs + info->fields[i].offset, sizeof graph);
      return graph;
    }
  return NULL;
}

/* Whether operand or result |index| of |op| must be there: those within the least count of the operator's row, but for
   the few operators whose leading ones are optional. */
PN_INLINE bool pn_op_needs_input(pn_op op, uint32_t index) {
  return op != PN_OP_LOOP && index < pn_op_get(op)->min_inputs; /* loop: trip count and condition may both be absent */
}
PN_INLINE bool pn_op_needs_output(pn_op op, uint32_t index) {
  return op != PN_OP_RECURRENT && index < pn_op_get(op)->min_outputs; /* recurrent: only the last state, often */
}

#endif
