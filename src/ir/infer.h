/* Types of all values from the types of the inputs.

   The same walk serves three ends: at build time with symbols (results are stored in the graph); at run time with the
   numbers of one call (results go to a side table; the shared graph is not touched); and for folding, since whatever
   can be known of small tensors' contents is computed on the way: constants and everything that follows from them by a
   reference function, shapes as symbols. */
#ifndef PN_IR_INFER_H
#define PN_IR_INFER_H

#include "ir/graph.h"

enum { PN_INFER_FOLD_ELEMENTS = 4096 }; /* contents of larger tensors are not computed during inference */

/* Facts of every value of a graph, indexed by value id. */
typedef struct pn_facts {
  pn_fact *data;
  uint32_t count;
} pn_facts;

typedef struct pn_infer_options {
  const pn_fact *inputs;   /* facts of the graph's inputs, in order; null: the inputs' own types, contents unknown */
  uint32_t first_node;     /* continue from here: facts of earlier nodes' results are in |facts| already */
  uint32_t end_node;       /* stop before this node; 0: all */
  bool stop_at_unknown;    /* stop, without error, before the first node that an operand of unknown shape reaches, or
                              whose results' shapes need operands' contents that are not known yet (reshape to a shape
                              that is computed by a kernel): who continues there sets these facts' |data| first */
  pn_arena *arena;         /* facts, contents; lives as long as they are used */
  pn_symbols *symbols;     /* null: the graph's own; at run time a scratch table, since the graph's is shared */
} pn_infer_options;

/* Fills |facts| (made by pn_facts_create). |*stopped| (may be null) gets the node where it stopped, nodes.count when it
   did not. Errors name the node, its provenance and the operands' types. */
pelton_status pn_graph_infer(const pn_graph *g, const pn_infer_options *options, pn_facts *facts, uint32_t *stopped,
                             pelton_diag *diag) PN_CHECKED;
pelton_status pn_facts_create(const pn_graph *g, pn_arena *arena, pn_facts *out, pelton_diag *diag) PN_CHECKED;

/* Infers and stores the types in the graph's values (and its subgraphs'): the build-time form. */
pelton_status pn_graph_infer_types(pn_graph *g, pelton_diag *diag) PN_CHECKED;

#endif
