/* What passes have in common: a graph under change with its uses counted, so that "used by one node only" costs nothing
   to ask, and the steps that keep the counts right.

   The habit of every pass: a node is changed in place (pn_rewrite_become), so that its results keep their ids, names
   and types; whatever nobody uses then goes at once, and counts follow. A pass is a function over one graph;
   pn_rewrite_run calls it for the graph and all its subgraphs, and compacts and types the whole when something changed.
 */
#ifndef PN_PASSES_REWRITE_H
#define PN_PASSES_REWRITE_H

#include "ir/infer.h"

typedef struct pn_use {
  uint32_t count; /* by nodes (each operand counts) and as an output */
  uint32_t users; /* exclusive or of index + 1 of the nodes: the user, when there is one */
} pn_use;

typedef struct pn_rewrite {
  pn_graph *g;
  pn_arena *scratch; /* of this run over this graph */
  pelton_diag *diag;
  uint32_t changed;
  uint32_t depth;       /* 0: the outermost graph */
  bool failed;          /* memory ran out where only something was asked: the run fails in the end */
  PN_LIST(pn_use) uses; /* by value */
  pn_node_list dead;    /* to be looked at by the removal that is under way */
  pn_facts facts;       /* see pn_rewrite_facts */
} pn_rewrite;

typedef pelton_status pn_rewrite_function(pn_rewrite *r);

/* Runs |function| over |g| and its subgraphs, innermost first. */
pelton_status pn_rewrite_run(pn_graph *g, pn_rewrite_function *function, uint32_t *changed,
                             pelton_diag *diag) PN_CHECKED;

/* ---- asking ---------------------------------------------------------------------------------------------------- */

PN_INLINE uint32_t pn_rewrite_uses(const pn_rewrite *r, pn_value_id v) { return r->uses.data[v.v].count; }
/* The node of the only use of |v|, which is no output; null when there is none. */
pn_node *pn_rewrite_only_user(const pn_rewrite *r, pn_value_id v);
/* The node that computes |v|; null for inputs, constants, absent values. */
PN_INLINE pn_node *pn_rewrite_producer(const pn_rewrite *r, pn_value_id v) {
  const pn_node_id id = pn_value_valid(v) ? pn_graph_value(r->g, v)->producer : PN_NO_NODE;
  return pn_node_valid(id) ? pn_graph_node(r->g, id) : NULL;
}
/* The same if it is an |op|. */
PN_INLINE pn_node *pn_rewrite_producer_of(const pn_rewrite *r, pn_value_id v, pn_op op) {
  pn_node *node = pn_rewrite_producer(r, v);
  return node && node->op == op ? node : NULL;
}
PN_INLINE const pn_type *pn_rewrite_type(const pn_rewrite *r, pn_value_id v) { return &pn_graph_value(r->g, v)->type; }
PN_INLINE pn_node_id pn_rewrite_id(const pn_rewrite *r, const pn_node *node) {
  return (pn_node_id){(uint32_t)(node - r->g->nodes.data)};
}
/* What inference knows of the graph as it was at the first call: contents of small tensors too. Values that were added
   since are beyond |count|. In a subgraph that does not infer alone nothing is present. */
pelton_status pn_rewrite_facts(pn_rewrite *r, const pn_facts **out) PN_CHECKED;
/* A constant as a tensor, aligned for its type; false when |v| is none (or memory is out: |failed|). */
bool pn_rewrite_constant(pn_rewrite *r, pn_value_id v, pn_tensor *out) PN_CHECKED;
/* The elements of a constant of integers with at most |room| elements. */
bool pn_rewrite_numbers(pn_rewrite *r, pn_value_id v, int64_t *out, uint32_t room, uint32_t *count) PN_CHECKED;
/* The only element of a constant of floats. */
bool pn_rewrite_scalar(pn_rewrite *r, pn_value_id v, double *out) PN_CHECKED;

/* ---- changing -------------------------------------------------------------------------------------------------- */

/* A node with one result of |type|; PN_NO_VALUE when memory is out. May move the list of nodes. */
pn_value_id pn_rewrite_add(pn_rewrite *r, pn_op op, const void *attrs, pn_str name, const pn_value_id *inputs,
                           uint32_t count, const pn_type *type);
/* A node that computes |outputs| from now on, each of them the only result of another node, which goes. PN_NO_NODE when
   memory is out. May move the list of nodes. */
pn_node_id pn_rewrite_take_over(pn_rewrite *r, pn_op op, const void *attrs, pn_str name, const pn_value_id *inputs,
                                uint32_t count, const pn_value_id *outputs, uint32_t output_count);
/* |node| computes its results in another way: other operands, operator and attributes (in the graph's arena). */
pelton_status pn_rewrite_become(pn_rewrite *r, pn_node *node, pn_op op, const void *attrs, const pn_value_id *inputs,
                                uint32_t count) PN_CHECKED;
/* Operand |index| of |node|. */
pelton_status pn_rewrite_set_input(pn_rewrite *r, pn_node *node, uint32_t index, pn_value_id value) PN_CHECKED;
/* |node|, which has one result, only hands |to| on: uses move to |to|. False when nothing could be moved: the result is
   an output and |to| has a name to keep. Counts a change. */
pelton_status pn_rewrite_forward(pn_rewrite *r, pn_node *node, pn_value_id to, bool *done) PN_CHECKED;
/* Removes |node| when nobody uses its results. */
pelton_status pn_rewrite_drop(pn_rewrite *r, pn_node *node) PN_CHECKED;
/* The result |v| becomes a constant; counts nothing. The node goes when nobody uses its other results. */
pelton_status pn_rewrite_make_constant(pn_rewrite *r, pn_value_id v, const pn_type *type, const void *data,
                                       size_t bytes) PN_CHECKED;
/* |node| now does what |from| did as well. */
pelton_status pn_rewrite_provenance(pn_rewrite *r, pn_node *node, const pn_node *from) PN_CHECKED;

/* Makes |node| (of one result) a pointwise node over |operands|. Equal operands become one, constants of one element
   become the expression's, operands that it does not read and that do not decide the result's shape go. */
pelton_status pn_rewrite_pointwise(pn_rewrite *r, pn_node *node, const pn_expr *expr, const pn_value_id *operands,
                                   uint32_t count) PN_CHECKED;
/* The elements of a reshape's target that make |to| of |from|: numbers, 0 for an extent that stays at its place, at
   most one -1. False when that does not say it. */
bool pn_reshape_target(const pn_type *from, const pn_type *to, int64_t *out) PN_CHECKED;
PN_INLINE const pn_expr *pn_node_expr(const pn_node *node) { return ((const pn_attrs_pointwise *)node->attrs)->expr; }

#endif
