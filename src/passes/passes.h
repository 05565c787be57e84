/* Graph to better graph, for every target alike. pipeline.c has the order on one page; each pass is a file, idempotent,
   and tested by tests/passes/<name>.pir. A pass returns how much it changed, leaves the graph compacted and typed, and
   never makes a decision that only a measurement could make: fusion into steps is plan/'s. */
#ifndef PN_PASSES_PASSES_H
#define PN_PASSES_PASSES_H

#include "ir/graph.h"

struct pn_json;

/* |*changed| counts rewrites. */
typedef pelton_status pn_pass_function(pn_graph *g, uint32_t *changed, pelton_diag *diag);

typedef struct pn_pass {
  const char *name;
  pn_pass_function *run;
} pn_pass;

/* The passes in the order of the pipeline, each once, then those that it does not run; for tests and for --help. */
uint32_t pn_pass_list(const pn_pass **out);
const pn_pass *pn_pass_find(pn_str name);

typedef struct pn_pipeline_options {
  struct pn_json *report; /* null, or inside an array: one object a pass that changed something */
  bool verify;            /* after every pass, as debug builds and tests do */
} pn_pipeline_options;

/* Runs the pipeline on |g| and its subgraphs until nothing changes (a bounded number of rounds). */
pelton_status pn_passes_run(pn_graph *g, const pn_pipeline_options *options, pelton_diag *diag) PN_CHECKED;
/* The last of all, once, for targets that finish a product in parts: products of one operand become one. */
pelton_status pn_passes_finish(pn_graph *g, const pn_pipeline_options *options, pelton_diag *diag) PN_CHECKED;

#endif
