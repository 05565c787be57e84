/* What follows from an operator's field table alone: one generic function each. |attrs| is a pn_attrs_<op>. Subgraph
   attributes are followed by the caller (ir/), through the hooks of pn_attrs_io. */
#ifndef PN_OP_SCHEMA_H
#define PN_OP_SCHEMA_H

#include "op/op.h"

/* A zeroed attribute struct with its defaults; null when memory is out. */
void *pn_attrs_new(pn_op op, pn_arena *arena) PN_CHECKED;
/* A deep copy (lists, strings, expressions) in |arena|; subgraph pointers are copied as they are. */
void *pn_attrs_copy(pn_op op, const void *attrs, pn_arena *arena) PN_CHECKED;
bool pn_attrs_equal(pn_op op, const void *a, const void *b); /* subgraphs: the same pointer */
uint64_t pn_attrs_hash(pn_op op, const void *attrs, uint64_t seed);

/* How the owner of graphs takes part: null hooks mean that the operator has no subgraph. */
typedef struct pn_attrs_io {
  void *self;
  void (*print_graph)(void *self, const struct pn_graph *graph, pn_text *out);
  /* Reads a subgraph from the front of |text| and moves it on. */
  pelton_status (*parse_graph)(void *self, pn_str *text, struct pn_graph **out, pelton_diag *diag);
  uint32_t (*store_graph)(void *self, const struct pn_graph *graph);
  struct pn_graph *(*load_graph)(void *self, uint32_t index);
} pn_attrs_io;

/* " strides=[2,2] group=4 mode=linear expr="..."": only what differs from the defaults, in table order, each with a
   space in front. */
void pn_attrs_print(pn_op op, const void *attrs, const pn_attrs_io *io, pn_text *out);
/* Reads such a text (up to its end or a line's end) over the defaults, and moves |text| on. Errors name operator and
   attribute: "conv has no attribute 'stride'; it has strides, pads, ...". */
pelton_status pn_attrs_parse(pn_op op, pn_str *text, const pn_attrs_io *io, pn_arena *arena, void **out,
                             pelton_diag *diag) PN_CHECKED;
/* As a JSON object's members. */
struct pn_json;
void pn_attrs_json(pn_op op, const void *attrs, struct pn_json *json);

/* Binary form for engines: fields by name, so that a reader of another version finds its own; loads check
   everything. */
void pn_attrs_store(pn_op op, const void *attrs, const pn_attrs_io *io, pn_text *out);
pelton_status pn_attrs_load(pn_op op, pn_span *bytes, const pn_attrs_io *io, pn_arena *arena, void **out,
                            pelton_diag *diag) PN_CHECKED;

#endif
