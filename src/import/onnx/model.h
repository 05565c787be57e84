/* An ONNX file as C structs: what it says, before anybody asks what that means.

   The structs mirror onnx.proto's messages. Names are views into the mapped file, tensors' data stay there untouched
   (onnx/tensor.h decodes them), so that a model of a gigabyte is parsed in milliseconds. Documentation strings,
   training information and annotations of nodes are skipped. Nothing is resolved or checked against operators here:
   that is the importer's work. */
#ifndef PN_IMPORT_ONNX_MODEL_H
#define PN_IMPORT_ONNX_MODEL_H

#include "import/onnx/tensor.h"

typedef PN_LIST(pn_str) pn_onnx_strs;
typedef PN_LIST(int64_t) pn_onnx_i64s;
typedef PN_LIST(float) pn_onnx_f32s;

/* ---- types ----------------------------------------------------------------------------------------------------- */

/* A dimension: a number, or a named symbol, or neither (unknown). */
typedef struct pn_onnx_dim {
  int64_t value;
  bool has_value;
  pn_str param;
} pn_onnx_dim;

typedef struct pn_onnx_shape {
  PN_LIST(pn_onnx_dim) dims;
} pn_onnx_shape;

/* Of dense and of sparse tensors. */
typedef struct pn_onnx_tensor_type {
  int32_t elem;         /* pn_onnx_elem */
  pn_onnx_shape *shape; /* null: of unknown rank */
} pn_onnx_tensor_type;

struct pn_onnx_type;

/* Of sequences and optionals. */
typedef struct pn_onnx_element_type {
  struct pn_onnx_type *elem; /* null: not said */
} pn_onnx_element_type;

typedef struct pn_onnx_map_type {
  int32_t key; /* pn_onnx_elem */
  struct pn_onnx_type *value;
} pn_onnx_map_type;

typedef struct pn_onnx_opaque_type {
  pn_str domain, name;
} pn_onnx_opaque_type;

typedef enum pn_onnx_type_kind {
  PN_ONNX_TYPE_NONE, /* not said, or of a kind that this reader does not know */
  PN_ONNX_TYPE_TENSOR,
  PN_ONNX_TYPE_SEQUENCE,
  PN_ONNX_TYPE_OPTIONAL,
  PN_ONNX_TYPE_MAP,
  PN_ONNX_TYPE_SPARSE_TENSOR,
  PN_ONNX_TYPE_OPAQUE
} pn_onnx_type_kind;

/* One of the pointers is set; pn_onnx_type_kind_of says which. */
typedef struct pn_onnx_type {
  pn_onnx_tensor_type *tensor, *sparse_tensor;
  pn_onnx_element_type *sequence, *optional;
  pn_onnx_map_type *map;
  pn_onnx_opaque_type *opaque;
  pn_str denotation;
} pn_onnx_type;

/* A null |type| is PN_ONNX_TYPE_NONE. */
pn_onnx_type_kind pn_onnx_type_kind_of(const pn_onnx_type *type);
/* "tensor", "sequence", ...; static storage. */
const char *pn_onnx_type_kind_name(pn_onnx_type_kind kind);

typedef struct pn_onnx_value_info {
  pn_str name;
  pn_onnx_type *type; /* null: not said */
} pn_onnx_value_info;
typedef PN_LIST(pn_onnx_value_info) pn_onnx_value_infos;

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

struct pn_onnx_graph;

/* AttributeProto.AttributeType. */
typedef enum pn_onnx_attr_type {
  PN_ONNX_ATTR_UNDEFINED = 0,
  PN_ONNX_ATTR_FLOAT = 1,
  PN_ONNX_ATTR_INT = 2,
  PN_ONNX_ATTR_STRING = 3,
  PN_ONNX_ATTR_TENSOR = 4,
  PN_ONNX_ATTR_GRAPH = 5,
  PN_ONNX_ATTR_FLOATS = 6,
  PN_ONNX_ATTR_INTS = 7,
  PN_ONNX_ATTR_STRINGS = 8,
  PN_ONNX_ATTR_TENSORS = 9,
  PN_ONNX_ATTR_GRAPHS = 10,
  PN_ONNX_ATTR_SPARSE_TENSOR = 11,
  PN_ONNX_ATTR_SPARSE_TENSORS = 12,
  PN_ONNX_ATTR_TYPE_PROTO = 13,
  PN_ONNX_ATTR_TYPE_PROTOS = 14
} pn_onnx_attr_type;

/* |type| says which member counts. Read them through onnx/attribute.h, which checks it. */
typedef struct pn_onnx_attribute {
  pn_str name;
  pn_str ref_attr_name; /* not empty: stands for this attribute of the enclosing function's call */
  int32_t type;         /* pn_onnx_attr_type; found from the member that is set where an old file does not say */
  bool has_f, has_i;
  float f;
  int64_t i;
  pn_str s;
  pn_onnx_tensor *t;
  struct pn_onnx_graph *g;
  pn_onnx_sparse_tensor *sparse_tensor;
  pn_onnx_type *tp;
  pn_onnx_f32s floats;
  pn_onnx_i64s ints;
  pn_onnx_strs strings;
  PN_LIST(pn_onnx_tensor) tensors;
  PN_LIST(struct pn_onnx_graph) graphs;
  PN_LIST(pn_onnx_sparse_tensor) sparse_tensors;
  PN_LIST(pn_onnx_type) type_protos;
} pn_onnx_attribute;
typedef PN_LIST(pn_onnx_attribute) pn_onnx_attributes;

typedef struct pn_onnx_node {
  pn_str name, op_type, domain, overload;
  pn_onnx_strs inputs; /* an empty name is an optional input left out */
  pn_onnx_strs outputs;
  pn_onnx_attributes attributes;
  bool *attributes_read; /* while it is imported: of each attribute whether it was read (attribute.h); else null */
} pn_onnx_node;
typedef PN_LIST(pn_onnx_node) pn_onnx_nodes;

/* ---- graphs and models ----------------------------------------------------------------------------------------- */

typedef struct pn_onnx_graph {
  pn_str name;
  pn_onnx_nodes nodes;
  PN_LIST(pn_onnx_tensor) initializers;
  PN_LIST(pn_onnx_sparse_tensor) sparse_initializers; /* named by their |values| */
  pn_onnx_value_infos inputs, outputs, value_infos;
  PN_LIST(pn_onnx_entry) metadata;
} pn_onnx_graph;

typedef struct pn_onnx_opset {
  pn_str domain;
  int64_t version;
} pn_onnx_opset;
typedef PN_LIST(pn_onnx_opset) pn_onnx_opsets;

typedef struct pn_onnx_function {
  pn_str domain, name, overload;
  pn_onnx_strs inputs, outputs;
  pn_onnx_strs attributes;               /* without a default */
  pn_onnx_attributes default_attributes; /* with one */
  pn_onnx_nodes nodes;
  pn_onnx_opsets opsets;
  pn_onnx_value_infos value_infos;
} pn_onnx_function;

typedef struct pn_onnx_model {
  int64_t ir_version;
  int64_t model_version;
  pn_str producer_name, producer_version, domain;
  pn_onnx_opsets opsets;
  PN_LIST(pn_onnx_entry) metadata;
  pn_onnx_graph *graph; /* never null after pn_onnx_model_parse */
  PN_LIST(pn_onnx_function) functions;
} pn_onnx_model;

/* Parses a ModelProto. |*out| and all it holds live in |arena|, with views into |file|. PELTON_INVALID_DATA when the
   bytes are no model, with the path to what is wrong. */
pelton_status pn_onnx_model_parse(pn_span file, pn_arena *arena, pn_onnx_model **out, pelton_diag *diag) PN_CHECKED;

/* Whether two domains are the same: "" and "ai.onnx" are. */
bool pn_onnx_domain_equal(pn_str a, pn_str b);
/* The version of |domain| that |opsets| import; false when they do not. */
bool pn_onnx_opset_version(const pn_onnx_opsets *opsets, pn_str domain, int64_t *out);

/* ---- for the other messages of this format --------------------------------------------------------------------- */

extern const pn_pb_message pn_onnx_graph_message;
extern const pn_pb_message pn_onnx_type_message;

#endif
