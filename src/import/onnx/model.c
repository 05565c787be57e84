/* The tables of onnx.proto's messages, and what is left to do once the parser has followed them. */
#include "import/onnx/model.h"

#include "base/diag.h"

/* Graphs hold nodes, nodes attributes, attributes graphs: the tables refer to one another in a ring. */
static const pn_pb_message attribute_message;

/* ---- types ----------------------------------------------------------------------------------------------------- */

static const pn_pb_field dim_fields[] = {
    PN_PB_HAS(1, "dim_value", PN_PB_I64, pn_onnx_dim, value, has_value),
    PN_PB_ONE(2, "dim_param", PN_PB_STR, pn_onnx_dim, param),
};
static PN_PB_TABLE(dim_message, pn_onnx_dim, dim_fields);

static const pn_pb_field shape_fields[] = {
    PN_PB_SUBS(1, "dim", pn_onnx_shape, dims, dim_message),
};
static PN_PB_TABLE(shape_message, pn_onnx_shape, shape_fields);

static const pn_pb_field tensor_type_fields[] = {
    PN_PB_ONE(1, "elem_type", PN_PB_I32, pn_onnx_tensor_type, elem),
    PN_PB_SUB(2, "shape", pn_onnx_tensor_type, shape, shape_message),
};
static PN_PB_TABLE(tensor_type_message, pn_onnx_tensor_type, tensor_type_fields);

static const pn_pb_field element_type_fields[] = {
    PN_PB_SUB(1, "elem_type", pn_onnx_element_type, elem, pn_onnx_type_message),
};
static PN_PB_TABLE(element_type_message, pn_onnx_element_type, element_type_fields);

static const pn_pb_field map_type_fields[] = {
    PN_PB_ONE(1, "key_type", PN_PB_I32, pn_onnx_map_type, key),
    PN_PB_SUB(2, "value_type", pn_onnx_map_type, value, pn_onnx_type_message),
};
static PN_PB_TABLE(map_type_message, pn_onnx_map_type, map_type_fields);

static const pn_pb_field opaque_type_fields[] = {
    PN_PB_ONE(1, "domain", PN_PB_STR, pn_onnx_opaque_type, domain),
    PN_PB_ONE(2, "name", PN_PB_STR, pn_onnx_opaque_type, name),
};
static PN_PB_TABLE(opaque_type_message, pn_onnx_opaque_type, opaque_type_fields);

static const pn_pb_field type_fields[] = {
    PN_PB_SUB(1, "tensor_type", pn_onnx_type, tensor, tensor_type_message),
    PN_PB_SUB(4, "sequence_type", pn_onnx_type, sequence, element_type_message),
    PN_PB_SUB(5, "map_type", pn_onnx_type, map, map_type_message),
    PN_PB_ONE(6, "denotation", PN_PB_STR, pn_onnx_type, denotation),
    PN_PB_SUB(7, "opaque_type", pn_onnx_type, opaque, opaque_type_message),
    PN_PB_SUB(8, "sparse_tensor_type", pn_onnx_type, sparse_tensor, tensor_type_message),
    PN_PB_SUB(9, "optional_type", pn_onnx_type, optional, element_type_message),
};
PN_PB_TABLE(pn_onnx_type_message, pn_onnx_type, type_fields);

static const pn_pb_field value_info_fields[] = {
    PN_PB_ONE(1, "name", PN_PB_STR, pn_onnx_value_info, name),
    PN_PB_SUB(2, "type", pn_onnx_value_info, type, pn_onnx_type_message),
};
static PN_PB_TABLE(value_info_message, pn_onnx_value_info, value_info_fields);

/* ---- nodes and graphs ------------------------------------------------------------------------------------------ */

static const pn_pb_field node_fields[] = {
    PN_PB_MANY(1, "input", PN_PB_STR, pn_onnx_node, inputs),
    PN_PB_MANY(2, "output", PN_PB_STR, pn_onnx_node, outputs),
    PN_PB_ONE(3, "name", PN_PB_STR, pn_onnx_node, name),
    PN_PB_ONE(4, "op_type", PN_PB_STR, pn_onnx_node, op_type),
    PN_PB_SUBS(5, "attribute", pn_onnx_node, attributes, attribute_message),
    PN_PB_ONE(7, "domain", PN_PB_STR, pn_onnx_node, domain),
    PN_PB_ONE(8, "overload", PN_PB_STR, pn_onnx_node, overload),
};
static PN_PB_TABLE(node_message, pn_onnx_node, node_fields);

static const pn_pb_field graph_fields[] = {
    PN_PB_SUBS(1, "node", pn_onnx_graph, nodes, node_message),
    PN_PB_ONE(2, "name", PN_PB_STR, pn_onnx_graph, name),
    PN_PB_SUBS(5, "initializer", pn_onnx_graph, initializers, pn_onnx_tensor_message),
    PN_PB_SUBS(11, "input", pn_onnx_graph, inputs, value_info_message),
    PN_PB_SUBS(12, "output", pn_onnx_graph, outputs, value_info_message),
    PN_PB_SUBS(13, "value_info", pn_onnx_graph, value_infos, value_info_message),
    PN_PB_SUBS(15, "sparse_initializer", pn_onnx_graph, sparse_initializers, pn_onnx_sparse_tensor_message),
    PN_PB_SUBS(16, "metadata_props", pn_onnx_graph, metadata, pn_onnx_entry_message),
};
PN_PB_TABLE(pn_onnx_graph_message, pn_onnx_graph, graph_fields);

static const pn_pb_field attribute_fields[] = {
    PN_PB_ONE(1, "name", PN_PB_STR, pn_onnx_attribute, name),
    PN_PB_HAS(2, "f", PN_PB_F32, pn_onnx_attribute, f, has_f),
    PN_PB_HAS(3, "i", PN_PB_I64, pn_onnx_attribute, i, has_i),
    PN_PB_ONE(4, "s", PN_PB_STR, pn_onnx_attribute, s),
    PN_PB_SUB(5, "t", pn_onnx_attribute, t, pn_onnx_tensor_message),
    PN_PB_SUB(6, "g", pn_onnx_attribute, g, pn_onnx_graph_message),
    PN_PB_MANY(7, "floats", PN_PB_F32, pn_onnx_attribute, floats),
    PN_PB_MANY(8, "ints", PN_PB_I64, pn_onnx_attribute, ints),
    PN_PB_MANY(9, "strings", PN_PB_STR, pn_onnx_attribute, strings),
    PN_PB_SUBS(10, "tensors", pn_onnx_attribute, tensors, pn_onnx_tensor_message),
    PN_PB_SUBS(11, "graphs", pn_onnx_attribute, graphs, pn_onnx_graph_message),
    PN_PB_SUB(14, "tp", pn_onnx_attribute, tp, pn_onnx_type_message),
    PN_PB_SUBS(15, "type_protos", pn_onnx_attribute, type_protos, pn_onnx_type_message),
    PN_PB_ONE(20, "type", PN_PB_I32, pn_onnx_attribute, type),
    PN_PB_ONE(21, "ref_attr_name", PN_PB_STR, pn_onnx_attribute, ref_attr_name),
    PN_PB_SUB(22, "sparse_tensor", pn_onnx_attribute, sparse_tensor, pn_onnx_sparse_tensor_message),
    PN_PB_SUBS(23, "sparse_tensors", pn_onnx_attribute, sparse_tensors, pn_onnx_sparse_tensor_message),
};
static PN_PB_TABLE(attribute_message, pn_onnx_attribute, attribute_fields);

/* ---- models ---------------------------------------------------------------------------------------------------- */

static const pn_pb_field opset_fields[] = {
    PN_PB_ONE(1, "domain", PN_PB_STR, pn_onnx_opset, domain),
    PN_PB_ONE(2, "version", PN_PB_I64, pn_onnx_opset, version),
};
static PN_PB_TABLE(opset_message, pn_onnx_opset, opset_fields);

static const pn_pb_field function_fields[] = {
    PN_PB_ONE(1, "name", PN_PB_STR, pn_onnx_function, name),
    PN_PB_MANY(4, "input", PN_PB_STR, pn_onnx_function, inputs),
    PN_PB_MANY(5, "output", PN_PB_STR, pn_onnx_function, outputs),
    PN_PB_MANY(6, "attribute", PN_PB_STR, pn_onnx_function, attributes),
    PN_PB_SUBS(7, "node", pn_onnx_function, nodes, node_message),
    PN_PB_SUBS(9, "opset_import", pn_onnx_function, opsets, opset_message),
    PN_PB_ONE(10, "domain", PN_PB_STR, pn_onnx_function, domain),
    PN_PB_SUBS(11, "attribute_proto", pn_onnx_function, default_attributes, attribute_message),
    PN_PB_SUBS(12, "value_info", pn_onnx_function, value_infos, value_info_message),
    PN_PB_ONE(13, "overload", PN_PB_STR, pn_onnx_function, overload),
};
static PN_PB_TABLE(function_message, pn_onnx_function, function_fields);

static const pn_pb_field model_fields[] = {
    PN_PB_ONE(1, "ir_version", PN_PB_I64, pn_onnx_model, ir_version),
    PN_PB_ONE(2, "producer_name", PN_PB_STR, pn_onnx_model, producer_name),
    PN_PB_ONE(3, "producer_version", PN_PB_STR, pn_onnx_model, producer_version),
    PN_PB_ONE(4, "domain", PN_PB_STR, pn_onnx_model, domain),
    PN_PB_ONE(5, "model_version", PN_PB_I64, pn_onnx_model, model_version),
    PN_PB_SUB(7, "graph", pn_onnx_model, graph, pn_onnx_graph_message),
    PN_PB_SUBS(8, "opset_import", pn_onnx_model, opsets, opset_message),
    PN_PB_SUBS(14, "metadata_props", pn_onnx_model, metadata, pn_onnx_entry_message),
    PN_PB_SUBS(25, "functions", pn_onnx_model, functions, function_message),
};
static PN_PB_TABLE(model_message, pn_onnx_model, model_fields);

/* ---- after parsing --------------------------------------------------------------------------------------------- */

/* The type of an attribute that does not say it, as files of the first versions do not: from the member that is set. */
static int32_t type_from_members(const pn_onnx_attribute *a) {
  if (a->has_f) return PN_ONNX_ATTR_FLOAT;
  if (a->has_i) return PN_ONNX_ATTR_INT;
  if (a->s.data) return PN_ONNX_ATTR_STRING;
  if (a->t) return PN_ONNX_ATTR_TENSOR;
  if (a->g) return PN_ONNX_ATTR_GRAPH;
  if (a->sparse_tensor) return PN_ONNX_ATTR_SPARSE_TENSOR;
  if (a->tp) return PN_ONNX_ATTR_TYPE_PROTO;
  if (a->floats.count) return PN_ONNX_ATTR_FLOATS;
  if (a->ints.count) return PN_ONNX_ATTR_INTS;
  if (a->strings.count) return PN_ONNX_ATTR_STRINGS;
  if (a->tensors.count) return PN_ONNX_ATTR_TENSORS;
  if (a->graphs.count) return PN_ONNX_ATTR_GRAPHS;
  if (a->sparse_tensors.count) return PN_ONNX_ATTR_SPARSE_TENSORS;
  if (a->type_protos.count) return PN_ONNX_ATTR_TYPE_PROTOS;
  return PN_ONNX_ATTR_UNDEFINED;
}

static void settle_nodes(pn_onnx_nodes *nodes);

/* The parser bounded how deeply graphs are nested, and with it this recursion. */
static void settle_attributes(pn_onnx_attributes *attributes) {
  for (uint32_t i = 0; i < attributes->count; i++) {
    pn_onnx_attribute *a = &attributes->data[i];
    if (a->type == PN_ONNX_ATTR_UNDEFINED) a->type = type_from_members(a);
    if (a->g) settle_nodes(&a->g->nodes);
    for (uint32_t k = 0; k < a->graphs.count; k++) settle_nodes(&a->graphs.data[k].nodes);
  }
}

static void settle_nodes(pn_onnx_nodes *nodes) {
  for (uint32_t i = 0; i < nodes->count; i++) settle_attributes(&nodes->data[i].attributes);
}

pelton_status pn_onnx_model_parse(pn_span file, pn_arena *arena, pn_onnx_model **out, pelton_diag *diag) {
  *out = NULL;
  pn_onnx_model *model = PN_NEW(arena, pn_onnx_model);
  if (!model) return pn_fail_memory(diag, "an ONNX model");
  uint32_t mark = pn_diag_mark(diag);
  pelton_status status = pn_pb_parse(&model_message, file, arena, model, diag);
  if (status == PELTON_OK && !model->graph)
    status = pn_fail(diag, PELTON_INVALID_DATA, "the file of %zu bytes holds no graph", file.size);
  if (status == PELTON_INVALID_DATA)
    pn_diag_prefix(diag, mark, "not an ONNX model, or a damaged one (export it again or fetch a complete copy)");
  PN_TRY(status);
  settle_nodes(&model->graph->nodes);
  for (uint32_t i = 0; i < model->functions.count; i++) {
    settle_nodes(&model->functions.data[i].nodes);
    settle_attributes(&model->functions.data[i].default_attributes);
  }
  *out = model;
  return PELTON_OK;
}

pn_onnx_type_kind pn_onnx_type_kind_of(const pn_onnx_type *type) {
  if (!type) return PN_ONNX_TYPE_NONE;
  if (type->tensor) return PN_ONNX_TYPE_TENSOR;
  if (type->sequence) return PN_ONNX_TYPE_SEQUENCE;
  if (type->optional) return PN_ONNX_TYPE_OPTIONAL;
  if (type->map) return PN_ONNX_TYPE_MAP;
  if (type->sparse_tensor) return PN_ONNX_TYPE_SPARSE_TENSOR;
  if (type->opaque) return PN_ONNX_TYPE_OPAQUE;
  return PN_ONNX_TYPE_NONE;
}

const char *pn_onnx_type_kind_name(pn_onnx_type_kind kind) {
  static const char *const names[] = {"none", "tensor", "sequence", "optional", "map", "sparse tensor", "opaque"};
  return (size_t)kind < PN_COUNT(names) ? names[kind] : "?";
}

bool pn_onnx_domain_equal(pn_str a, pn_str b) {
  bool a_main = a.size == 0 || pn_str_is(a, "ai.onnx"), b_main = b.size == 0 || pn_str_is(b, "ai.onnx");
  return a_main || b_main ? a_main && b_main : pn_str_equal(a, b);
}

bool pn_onnx_opset_version(const pn_onnx_opsets *opsets, pn_str domain, int64_t *out) {
  for (uint32_t i = 0; i < opsets->count; i++) {
    if (!pn_onnx_domain_equal(opsets->data[i].domain, domain)) continue;
    *out = opsets->data[i].version;
    return true;
  }
  return false;
}
