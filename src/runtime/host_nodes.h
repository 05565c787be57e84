/* What reports say of the nodes that no plan has: those that the runtime runs on the host between segments (frame.h),
   with the reason, and those behind them, which are planned when a run knows their operands' sizes. */
#ifndef PN_RUNTIME_HOST_NODES_H
#define PN_RUNTIME_HOST_NODES_H

#include "base/json.h"
#include "runtime/engine.h"

typedef struct pn_host_counts {
  uint32_t nodes;     /* of the graph and of all bodies of its control flow */
  uint32_t fallbacks; /* of those, the ones that a device could have been expected to run */
} pn_host_counts;

/* Why the runtime runs |node| of |g| on the host: "texts are ..."; null: it is the target's to run. |*fallback|: on a
   device it would have its place. */
const char *pn_host_reason(const pelton_engine *engine, const pn_graph *g, const pn_node *node, bool *fallback);
/* "host_nodes", their number, and "host": each with name, operator, sources, reason, and, of a body, the node that runs
   it. Members of the object at hand. */
void pn_host_nodes_json(const pelton_engine *engine, pn_json *json, pn_host_counts *counts);
/* "planned_later": the target's nodes from |planned| on, and all of bodies, each with what it waits for. */
void pn_later_nodes_json(const pelton_engine *engine, uint32_t planned, pn_json *json);

#endif
