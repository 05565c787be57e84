/* Inside the importer: the graphs being built with what is known of their values, and the names that nodes use.

   An area is a graph being built; the root's, and one for each subgraph. A scope is a set of names: an ONNX graph's, or
   those of a function's body, which is expanded in place and so shares its caller's area. */
#ifndef PN_IMPORT_ONNX_SCOPE_H
#define PN_IMPORT_ONNX_SCOPE_H

#include "import/onnx/importer.h"
#include "ir/infer.h"

/* ---- areas ----------------------------------------------------------------------------------------------------- */

typedef struct pn_onnx_area {
  pn_graph *graph;
  pn_facts facts;          /* of the values so far */
  uint32_t fact_capacity;
  PN_LIST(pn_fact) inputs; /* the graph's inputs' */
  uint32_t inferred_nodes; /* nodes before this one are typed, or were given up */
} pn_onnx_area;

/* Types the nodes that were added since the last call. */
pelton_status pn_onnx_area_infer(pn_onnx_importer *importer, pn_onnx_area *area) PN_CHECKED;
/* The fact of |value|; null when memory is out. */
pn_fact *pn_onnx_area_fact(pn_onnx_importer *importer, pn_onnx_area *area, pn_value_id value) PN_CHECKED;

/* ---- scopes ---------------------------------------------------------------------------------------------------- */

typedef enum pn_onnx_name_kind {
  PN_ONNX_NAME_VALUE,       /* in the scope's graph; PN_NO_VALUE: an argument that the function's caller left out */
  PN_ONNX_NAME_INITIALIZER, /* made a constant when first used */
  PN_ONNX_NAME_SPARSE,
  PN_ONNX_NAME_UNKNOWN,     /* what an unsupported node would have computed */
  PN_ONNX_NAME_MISSING      /* answers only: there is no such name */
} pn_onnx_name_kind;

typedef struct pn_onnx_name {
  pn_onnx_name_kind kind;
  pn_value_id value;
  uint32_t index; /* of the initializer */
  const struct pn_onnx_described *described; /* in a survey, of what is UNKNOWN; else null */
} pn_onnx_name;

typedef struct pn_onnx_scope {
  struct pn_onnx_scope *outer;  /* of a subgraph: where names are looked up that it does not know; when it has the same
                                   area, the subgraph is expanded in place */
  struct pn_onnx_scope *caller; /* of a function's body */
  const pn_onnx_graph *onnx;    /* null: a function's body */
  const pn_onnx_function *function;
  const pn_onnx_node *call;     /* the function's: its attributes are the body's arguments */
  const pn_onnx_opsets *opsets;
  pn_onnx_area *area;
  pn_map names; /* to |entries| */
  PN_LIST(pn_onnx_name) entries;
  pn_value_list *captures; /* of a subgraph: values of the outer area */
  uint32_t first_capture;  /* the graph's input that is captures[0] */
  pn_map declared;         /* value_infos by name, once one was needed */
  pn_str prefix;           /* "caller/" in front of nodes' names in a function's body */
  uint32_t depth;          /* of subgraphs */
} pn_onnx_scope;

void pn_onnx_scope_init(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_onnx_area *area);
/* Defines |name|; it must not be defined in this scope yet. |what| says what it names, for the message. */
pelton_status pn_onnx_scope_define(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, const char *what,
                                   pn_onnx_name entry) PN_CHECKED;
/* What |name| stands for; initializers become constants, values from outside become captures. An empty name is no
   value. */
pelton_status pn_onnx_scope_find(pn_onnx_importer *importer, pn_onnx_scope *scope, pn_str name, pn_onnx_name *out)
    PN_CHECKED;
/* Defines the initializers of scope->onnx, to be made when used. */
pelton_status pn_onnx_scope_initializers(pn_onnx_importer *importer, pn_onnx_scope *scope) PN_CHECKED;
/* Names |value| as the file does; when the name is taken it stays as it is, or, if |forced|, the other value yields. */
pelton_status pn_onnx_rename(pn_onnx_importer *importer, pn_graph *graph, pn_value_id value, pn_str name, bool forced)
    PN_CHECKED;

/* ---- the steps ------------------------------------------------------------------------------------------------- */

/* Of ONNX's type what its elements are: dtype and boxes. |name| is for messages. */
pelton_status pn_onnx_elements_import(pn_onnx_importer *importer, pn_str name, const pn_onnx_type *type,
                                      pn_type *out) PN_CHECKED;
/* ONNX's type as Pelton's. Unnamed dims become symbols "<name>_d<index>", or fresh ones when |symbols_named| is false,
   and named ones too: the names of a subgraph mean nothing outside. A sequence's length is one dim of no
   name. Refuses what is of a type that Pelton does not have. */
pelton_status pn_onnx_type_import(pn_onnx_importer *importer, const pn_onnx_value_info *info, bool symbols_named,
                                  pn_type *out) PN_CHECKED;
/* A constant in |graph| with the elements of |data|, called |name|. */
pelton_status pn_onnx_constant_import(pn_onnx_importer *importer, pn_graph *graph, pn_str name,
                                      const pn_onnx_data *data, pn_value_id *out) PN_CHECKED;

/* |nodes| in an order in which each comes after those whose results it or its subgraphs use, as indices in the scratch
   arena. Files should be sorted, and are mostly; a cycle is an error. */
pelton_status pn_onnx_order(pn_onnx_importer *importer, const pn_onnx_nodes *nodes, const uint32_t **out) PN_CHECKED;
/* Imports |nodes| into |scope|. */
pelton_status pn_onnx_import_nodes(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_nodes *nodes)
    PN_CHECKED;
/* Makes |outputs| the outputs of the scope's graph; |*known| is false when one depends on an unsupported node. */
pelton_status pn_onnx_import_outputs(pn_onnx_importer *importer, pn_onnx_scope *scope,
                                     const pn_onnx_value_infos *outputs, bool named, bool *known) PN_CHECKED;

/* The model's function that |node| calls, or null. */
const pn_onnx_function *pn_onnx_function_find(const pn_onnx_importer *importer, const pn_onnx_node *node);
/* Imports the body of |function| in place of |call|. |inputs| are the call's operands. */
pelton_status pn_onnx_function_expand(pn_onnx_importer *importer, pn_onnx_scope *scope, const pn_onnx_node *call,
                                      const pn_onnx_function *function, pn_str name, const pn_value_id *inputs)
    PN_CHECKED;
/* |node| with the attributes that stand for those of the enclosing function's call replaced; |node| itself when it has
   none. */
pelton_status pn_onnx_function_substitute(pn_onnx_importer *importer, const pn_onnx_scope *scope,
                                          const pn_onnx_node *node, const pn_onnx_node **out) PN_CHECKED;

/* Imports |graph|, which is run exactly once, in place of the node: |inputs| are what its formal inputs stand for,
   |outputs| get its first |output_count| results. */
pelton_status pn_onnx_inline(pn_onnx_call *c, const pn_onnx_graph *graph, const pn_value_id *inputs,
                             uint32_t input_count, pn_value_id *outputs, uint32_t output_count) PN_CHECKED;

/* Imports |graph| into a subgraph under construction, |into|, whose input number |first_capture| is captures[0]:
   |inputs| are the values of |into| that its formal inputs stand for, |outputs| get its first |output_count|
   results. */
pelton_status pn_onnx_subgraph_into(pn_onnx_call *c, const pn_onnx_graph *graph, pn_graph *into,
                                    const pn_value_id *inputs, uint32_t input_count, uint32_t first_capture,
                                    pn_value_list *captures, pn_value_id *outputs, uint32_t output_count) PN_CHECKED;

/* The node, in front of each message since |mark| that does not name it yet; and the same as a text in |arena|. */
void pn_onnx_node_prefix(pelton_diag *diag, uint32_t mark, const pn_onnx_node *node, int64_t opset);
const char *pn_onnx_node_title(pn_arena *arena, const pn_onnx_node *node, int64_t opset) PN_CHECKED;

/* After the operator's function: an attribute that the operator has and that was not read is refused, unless it is
   known to make no difference; one that the operator does not have is a warning of the model. */
pelton_status pn_onnx_attributes_settle(const pn_onnx_call *c) PN_CHECKED;
/* Why |attribute|, which |node|'s operator has, makes no difference to its results; null: it may make one. */
const char *pn_onnx_attribute_idle(const pn_onnx_node *node, pn_str attribute);

/* The row for |node| at |opset|, or null with the reason. */
const pn_onnx_op *pn_onnx_op_find(const pn_onnx_node *node, int64_t opset, const char **reason);
/* Row |index| of all families' tables, one after another; null after the last. */
const pn_onnx_op *pn_onnx_op_at(uint32_t index);

#endif
