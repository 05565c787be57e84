/* From ONNX nodes to the IR: the state of one import, and what the functions that map an operator are given.

   Each operator has a row in a table (operators/ops_<family>.c): name, domain, the function, the first and last
   operator-set version it holds for. Older versions that differ have rows of their own, so that what changed between
   versions stands in the tables. A function reads attributes, adds nodes, and sets the results. The graph is typed as
   it grows: after each ONNX node the nodes it added are inferred, so a function can ask for the type of an operand.

   An unsupported node is noted and its results are marked unknown; the import goes on, so that one report lists all.
   A function refuses with `return pn_fail(c->diag, PELTON_UNSUPPORTED, "reason")` (or PELTON_INVALID_DATA, which ends
   the import); the node is put in front of the reason by its caller. */
#ifndef PN_IMPORT_ONNX_IMPORTER_H
#define PN_IMPORT_ONNX_IMPORTER_H

#include "import/import.h"
#include "import/onnx/attribute.h"
#include "op/schema.h"

struct pn_onnx_scope;
struct pn_onnx_survey;
struct pn_infer_walk;

typedef struct pn_onnx_importer {
  pn_model *model;
  const pn_onnx_model *onnx;
  pn_onnx_source *source; /* of tensors' external data */
  struct pn_onnx_scope *scope; /* the names that are known where the import is now */
  struct pn_infer_walk *walk;  /* the state of inference, kept from node to node */
  pn_arena scratch;            /* gone after the import */
  pelton_diag *diag;
  uint32_t node_count;         /* imported so far, those of expanded functions included */
  uint32_t unsupported_count;
  pn_map unsupported_ops;      /* how often each operator was reported */
  struct pn_onnx_survey *survey; /* types are asked for, no graph (check/survey.h); else null */
} pn_onnx_importer;

/* The import of one node. */
typedef struct pn_onnx_call {
  pn_onnx_importer *importer;
  pn_graph *graph;
  const pn_onnx_node *node;
  int64_t opset; /* of the node's domain */
  pn_str name;   /* for the nodes added: the node's name, or "Op:result" */
  uint32_t input_count;
  const pn_value_id *inputs; /* PN_NO_VALUE: left out */
  uint32_t output_count;
  pn_value_id *outputs; /* to be set, save those that the node leaves out */
  pelton_diag *diag;
} pn_onnx_call;

typedef pelton_status pn_onnx_op_function(pn_onnx_call *call);

typedef struct pn_onnx_op {
  const char *name;
  const char *domain; /* "" is ai.onnx */
  int32_t since, until; /* operator-set versions, inclusive; until 0: the newest */
  pn_onnx_op_function *import;
} pn_onnx_op;

/* A family's table; each operators/ops_<family>.c has one `const pn_onnx_ops pn_onnx_ops_<family>`, listed in
   op_table.c. */
typedef struct pn_onnx_ops {
  const pn_onnx_op *rows;
  uint32_t count;
} pn_onnx_ops;

/* ---- what op functions use --------------------------------------------------------------------------------------- */

PN_INLINE pn_value_id pn_onnx_input(const pn_onnx_call *c, uint32_t i) {
  return i < c->input_count ? c->inputs[i] : PN_NO_VALUE;
}
PN_INLINE bool pn_onnx_has(const pn_onnx_call *c, uint32_t i) { return pn_value_valid(pn_onnx_input(c, i)); }
PN_INLINE bool pn_onnx_wants(const pn_onnx_call *c, uint32_t i) {
  return i < c->node->outputs.count && c->node->outputs.data[i].size > 0;
}
/* The type of a value, as inferred so far. */
PN_INLINE const pn_type *pn_onnx_type_of(const pn_onnx_call *c, pn_value_id v) {
  return &pn_graph_value(c->graph, v)->type;
}
/* The rank of operand |i|; unsupported, with the remedy, when it is not known. */
pelton_status pn_onnx_rank(const pn_onnx_call *c, uint32_t i, uint32_t *out) PN_CHECKED;

/* The rank of operand |i| when it is known. */
PN_INLINE bool pn_onnx_rank_known(const pn_onnx_call *c, uint32_t i) {
  return pn_onnx_has(c, i) && pn_onnx_type_of(c, c->inputs[i])->rank >= 0;
}
/* The type of elements of operand |i|; NONE when it is left out. */
PN_INLINE pelton_dtype pn_onnx_dtype(const pn_onnx_call *c, uint32_t i) {
  return pn_onnx_has(c, i) ? pn_onnx_type_of(c, c->inputs[i])->dtype : PELTON_DTYPE_NONE;
}

/* Attributes of a new node with defaults, typed: pn_attrs_conv *a = pn_onnx_attrs(c, PN_OP_CONV); null: out of
   memory. */
void *pn_onnx_attrs(const pn_onnx_call *c, pn_op op) PN_CHECKED;
/* Attribute |name| of the ONNX node as a list in the graph's arena; empty when it is absent. */
pelton_status pn_onnx_ints(const pn_onnx_call *c, const char *name, pn_i64s *out) PN_CHECKED;
/* Attribute |name|, a string, as one of the words of a PN_ENUM (case is ignored), ended by null; absent: |*out|
   stays. */
pelton_status pn_onnx_word(const pn_onnx_call *c, const char *name, const char *const *words, int *out) PN_CHECKED;
/* Attribute |name|, an element type, as Pelton's; absent: |*out| stays. */
pelton_status pn_onnx_elem_attr(const pn_onnx_call *c, const char *name, pelton_dtype *out) PN_CHECKED;

/* Attribute "kernel_shape" of a convolution only repeats the extents of its weights, operand |weights|: invalid when it
   says others. */
pelton_status pn_onnx_check_kernel(const pn_onnx_call *c, uint32_t weights) PN_CHECKED;

/* Adds a node; its results are typed at once. |out|, |output_count| values, gets them; null: nobody asks. */
pelton_status pn_onnx_add(pn_onnx_call *c, pn_op op, const void *attrs, const pn_value_id *inputs, uint32_t input_count,
                          uint32_t output_count, pn_value_id *out) PN_CHECKED;
/* Adds a node over the ONNX node's own operands whose results are the ONNX node's. */
pelton_status pn_onnx_map(pn_onnx_call *c, pn_op op, const void *attrs) PN_CHECKED;
/* Adds a node over |inputs| whose results are the ONNX node's: absent where the ONNX node leaves them out. */
pelton_status pn_onnx_map_over(pn_onnx_call *c, pn_op op, const void *attrs, const pn_value_id *inputs,
                               uint32_t input_count) PN_CHECKED;
/* Adds a pointwise node with the expression |text| over |operands|; "%T" in |text| stands for operand 0's dtype, so
   that constants are written "0.5:%T". */
pelton_status pn_onnx_pointwise(pn_onnx_call *c, const char *text, const pn_value_id *operands, uint32_t count,
                                pn_value_id *out) PN_CHECKED;
/* The same, where "%0" ... "%9" stand for |numbers| as constants of operand 0's dtype: "mul(x0,%0)". */
pelton_status pn_onnx_formula(pn_onnx_call *c, const char *text, const double *numbers, const pn_value_id *operands,
                              uint32_t count, pn_value_id *out) PN_CHECKED;
/* |value| cast to |dtype|: itself when it has that type. */
pelton_status pn_onnx_cast(pn_onnx_call *c, pn_value_id value, pelton_dtype dtype, pn_value_id *out) PN_CHECKED;
pelton_status pn_onnx_i64s_constant(pn_onnx_call *c, const int64_t *data, uint32_t count, pn_value_id *out) PN_CHECKED;
pelton_status pn_onnx_scalar(pn_onnx_call *c, pelton_dtype dtype, double value, pn_value_id *out) PN_CHECKED;
/* A constant with |data|'s elements, which stay where they are when they lie in the model's file or arena. */
pelton_status pn_onnx_data_constant(pn_onnx_call *c, const pn_onnx_data *data, pn_value_id *out) PN_CHECKED;
/* A constant list of texts, as attributes hold them. */
pelton_status pn_onnx_texts_constant(pn_onnx_call *c, const pn_onnx_strs *texts, pn_value_id *out) PN_CHECKED;
/* The integers of operand |i| when they are known now; false otherwise. */
bool pn_onnx_constant_ints(const pn_onnx_call *c, uint32_t i, pn_i64s *out) PN_CHECKED;
/* The elements of |value|, dense, when they are known now; else null. */
const void *pn_onnx_constant_data(const pn_onnx_call *c, pn_value_id value);
/* Imports |graph| as a closed subgraph. |inputs| are the types of its formal inputs as far as the operator knows them
   (dtype NONE, rank unknown: what the subgraph itself says). Values it takes from outside are those of |captures|,
   which are its further inputs in that order, and what it takes beyond them is appended to both. */
pelton_status pn_onnx_subgraph(pn_onnx_call *c, const pn_onnx_graph *graph, const pn_type *inputs, uint32_t input_count,
                               pn_value_list *captures, pn_graph **out) PN_CHECKED;

#endif
