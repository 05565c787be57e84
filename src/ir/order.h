/* An order of evaluation of a graph's nodes, for compaction and verification. */
#ifndef PN_IR_ORDER_H
#define PN_IR_ORDER_H

#include "ir/graph.h"

typedef struct pn_order {
  uint32_t *nodes; /* indices of nodes that are not removed, producers before users */
  uint32_t count;
} pn_order;

/* Stable: a graph in order keeps its order. All ids must be in range. An error names the nodes of a cycle. */
pelton_status pn_graph_sort(const pn_graph *g, pn_arena *arena, pn_order *order, pelton_diag *diag) PN_CHECKED;

#endif
