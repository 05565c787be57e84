/* What reports say of the nodes that no plan has: those that the runtime runs on the host between segments (frame.h),
   with the reason, and those that are planned when a run knows their operands' sizes. */
#ifndef PN_RUNTIME_HOST_NODES_H
#define PN_RUNTIME_HOST_NODES_H

#include "base/json.h"
#include "runtime/engine.h"

typedef struct pn_host_counts {
  uint32_t nodes;     /* of the graph and of all bodies of its control flow */
  uint32_t fallbacks; /* of those, the ones that a device could have been expected to run */
} pn_host_counts;

typedef struct pn_host_reason {
  const char *what; /* "texts are kept by the host" */
  pn_reason why;    /* what the target says; may be empty */
  bool fallback;    /* on a device it would have its place */
} pn_host_reason;

/* Whether the runtime runs node |n| of |g| on the host, and why. Of an operator whose results have a size that only the
   run tells the target is asked as far as sizes are known. */
bool pn_host_runs(const pelton_engine *engine, const pn_graph *g, uint32_t n, pn_host_reason *out);
/* "host_nodes", their number, and "host": each with name, operator, sources, reason, and, of a body, the node that runs
   it. Members of the object at hand. Of a build the plan has |planned| nodes, and |counted| (may be null) is what came
   of the question whether it has the next. */
void pn_host_nodes_json(const pelton_engine *engine, uint32_t planned, const pn_counted *counted, pn_json *json,
                        pn_host_counts *counts);
/* "planned_later": the target's nodes from |planned| on, and all of bodies, each with what it waits for. */
void pn_later_nodes_json(const pelton_engine *engine, uint32_t planned, const pn_counted *counted, pn_json *json);

#endif
