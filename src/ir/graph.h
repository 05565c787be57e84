/* The graph: values and nodes in arrays, addressed by typed ids, everything in one arena.

   A value has a type, a producer or constant data, a name; a node an operator, attributes, operands, results, a name
   and its provenance (the source nodes it stands for). Nothing else: layouts, timings and scratch are side tables of
   whoever computes them.

   Ids stay valid until pn_graph_compact. Nodes are in an order of evaluation after pn_graph_compact and after reading a
   text or an engine; passes may append in any order and call pn_graph_compact at their end.

   Subgraphs (of if, loop, scan) are closed: what they take from outside arrives as their inputs. They share the arena
   and the symbols of the outermost graph.

   Building is not for two threads at once; a finished graph may be read by many. Functions that make something return
   an invalid id (pn_value_valid / pn_node_valid false) when memory is out. */
#ifndef PN_IR_GRAPH_H
#define PN_IR_GRAPH_H

#include "op/op.h"

typedef struct pn_value_id {
  uint32_t v;
} pn_value_id;
typedef struct pn_node_id {
  uint32_t v;
} pn_node_id;
#define PN_NO_VALUE ((pn_value_id){UINT32_MAX})
#define PN_NO_NODE ((pn_node_id){UINT32_MAX})
PN_INLINE bool pn_value_valid(pn_value_id id) { return id.v != UINT32_MAX; }
PN_INLINE bool pn_node_valid(pn_node_id id) { return id.v != UINT32_MAX; }
PN_INLINE bool pn_value_same(pn_value_id a, pn_value_id b) { return a.v == b.v; }

typedef PN_LIST(pn_value_id) pn_value_list;
typedef PN_LIST(pn_node_id) pn_node_list;
typedef PN_LIST(pn_str) pn_str_list;

typedef struct pn_value {
  pn_str name;         /* unique in its graph */
  pn_type type;        /* dtype NONE until inferred */
  pn_node_id producer; /* PN_NO_NODE: an input or a constant */
  uint32_t output_index;
  const void *data;    /* constants: the elements, dense, borrowed from a mapped file or the arena; else null */
  size_t data_bytes;
} pn_value;

typedef struct pn_node {
  pn_op op;
  bool removed;           /* dropped at the next compaction */
  const void *attrs;      /* pn_attrs_<op> in the arena */
  pn_value_list inputs;   /* absent optional operands are PN_NO_VALUE; trailing ones are left out */
  pn_value_list outputs;  /* absent optional results likewise */
  pn_str name;            /* for people; need not be unique */
  pn_str_list provenance; /* names of the source nodes it stands for */
} pn_node;

typedef struct pn_graph {
  pn_arena *arena;
  pn_symbols *symbols;
  pn_str name;
  PN_LIST(pn_value) values;
  PN_LIST(pn_node) nodes;
  pn_value_list inputs, outputs;
  pn_map value_names;
  uint32_t unique_count;
} pn_graph;

/* An empty graph; null when memory is out. |symbols| null: its own. The arena is the caller's. */
pn_graph *pn_graph_create(pn_arena *arena, pn_symbols *symbols, pn_str name) PN_CHECKED;

PN_INLINE pn_value *pn_graph_value(const pn_graph *g, pn_value_id id) { return &g->values.data[id.v]; }
PN_INLINE pn_node *pn_graph_node(const pn_graph *g, pn_node_id id) { return &g->nodes.data[id.v]; }
PN_INLINE bool pn_graph_is_constant(const pn_graph *g, pn_value_id id) {
  return pn_value_valid(id) && g->values.data[id.v].data != NULL;
}

/* A value. |name| is copied and made unique; empty gives a generated one. */
pn_value_id pn_graph_add_value(pn_graph *g, pn_str name, const pn_type *type);
pn_value_id pn_graph_add_input(pn_graph *g, pn_str name, const pn_type *type);
/* A constant of static |type|; |data| is borrowed (a mapped file, the graph's arena) and dense. */
pn_value_id pn_graph_add_constant(pn_graph *g, pn_str name, const pn_type *type, const void *data, size_t bytes);
/* The same with a copy in the arena; a small integer vector; a scalar of |dtype|. */
pn_value_id pn_graph_add_constant_copy(pn_graph *g, pn_str name, const pn_type *type, const void *data);
pn_value_id pn_graph_add_i64s(pn_graph *g, pn_str name, const int64_t *data, uint32_t count);
pn_value_id pn_graph_add_scalar(pn_graph *g, pn_str name, pelton_dtype dtype, double value);
bool pn_graph_add_output(pn_graph *g, pn_value_id value) PN_CHECKED;

/* A node with |input_count| operands and |output_count| new, untyped results named after |name|. |attrs| (null:
   defaults) must live in the graph's arena. Find results with pn_graph_result. */
pn_node_id pn_graph_add_node(pn_graph *g, pn_op op, const void *attrs, pn_str name, const pn_value_id *inputs,
                             uint32_t input_count, uint32_t output_count);
/* The same with values that exist and that nothing defines yet: for readers of files, where results have names and may
   be used before they are defined. Absent ones are PN_NO_VALUE. */
pn_node_id pn_graph_add_node_to(pn_graph *g, pn_op op, const void *attrs, pn_str name, const pn_value_id *inputs,
                                uint32_t input_count, const pn_value_id *outputs, uint32_t output_count);
PN_INLINE pn_value_id pn_graph_result(const pn_graph *g, pn_node_id node, uint32_t index) {
  const pn_node *n = pn_graph_node(g, node);
  return index < n->outputs.count ? n->outputs.data[index] : PN_NO_VALUE;
}
PN_INLINE pn_value_id pn_node_input(const pn_node *n, uint32_t i) {
  return i < n->inputs.count ? n->inputs.data[i] : PN_NO_VALUE;
}
/* A pointwise node over |operands|. */
pn_value_id pn_graph_add_pointwise(pn_graph *g, const pn_expr *expr, pn_str name, const pn_value_id *operands,
                                   uint32_t count);
/* Adds |source|, a name in the model file, to |node|'s provenance. Each stands there once. */
bool pn_graph_add_source(pn_graph *g, pn_node_id node, pn_str source) PN_CHECKED;
/* Adds |from|'s provenance, or its name when it has none. */
bool pn_graph_add_provenance(pn_graph *g, pn_node_id node, const pn_node *from) PN_CHECKED;

/* Every use of |from| (by nodes, as an output) becomes a use of |to|. When |from| is a graph output, the output keeps
   its name: names are swapped. False when |from| stays an output, because |to| is an input or an output itself and has
   a name to keep: then |from|'s node must stay. */
bool pn_graph_replace_value(pn_graph *g, pn_value_id from, pn_value_id to);
void pn_graph_remove_node(pn_graph *g, pn_node_id node); /* marks it; its results must be unused by then */
/* Drops removed nodes and unused values, sorts nodes into an order of evaluation (stable). Ids change. Optional results
   that nobody uses become absent. Subgraphs likewise. An error names the nodes of a cycle; the graph is as it was. */
pelton_status pn_graph_compact(pn_graph *g, pelton_diag *diag) PN_CHECKED;
/* Number of uses of each value by nodes and outputs, indexed by id; in |arena|. */
uint32_t *pn_graph_count_uses(const pn_graph *g, pn_arena *arena) PN_CHECKED;
/* The only node that uses |value|; PN_NO_NODE when there are none or several, or when it is an output. O(nodes). */
pn_node_id pn_graph_single_user(const pn_graph *g, pn_value_id value);
/* A deep copy in |arena| with the same ids: nothing is shared but constants borrowed from outside |g|'s arena. */
pn_graph *pn_graph_clone(const pn_graph *g, pn_arena *arena) PN_CHECKED;
bool pn_graph_find_value(const pn_graph *g, pn_str name, pn_value_id *out) PN_CHECKED;

#endif
