/* The state of one walk of inference; for infer.c and retype.c. */
#ifndef PN_IR_INFER_WALK_H
#define PN_IR_INFER_WALK_H

#include "ir/infer.h"
#include "ir/walk.h"

enum {
  PN_INFER_CONTENT_ELEMENTS = 256, /* of integers of rank 0 and 1, whose elements are followed as dims */
  PN_INFER_REPEATS = 32            /* how often a subgraph's node may be inferred on average: nested loops multiply */
};

/* A subgraph and the facts of its last inference, which are those that hold. */
typedef struct pn_infer_visit {
  pn_graph *graph;
  pn_facts facts;
  uint64_t number; /* counted over the walk */
} pn_infer_visit;

struct pn_infer_level;

typedef struct pn_infer_walk {
  pn_arena *arena;
  pn_symbols *symbols;
  uint64_t budget; /* nodes of subgraphs that may still be inferred */
  uint32_t depth;
  struct pn_infer_level *levels[PN_MAX_GRAPH_DEPTH + 1];
  bool keep_visits; /* and infer branches that are never taken, as far as that goes */
  PN_LIST(pn_infer_visit) visits;
  uint64_t visit_count;
} pn_infer_walk;

pelton_status pn_infer_walk_run(pn_infer_walk *walk, const pn_graph *g, const pn_infer_options *options,
                                pn_facts *facts, uint32_t *stopped, pelton_diag *diag) PN_CHECKED;

#endif
