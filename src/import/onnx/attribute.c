#include "import/onnx/attribute.h"

#include "base/diag.h"

#include <inttypes.h>

const char *pn_onnx_attr_type_name(int32_t type) {
  static const char *const names[] = {
      "UNDEFINED", "FLOAT",   "INT",    "STRING",        "TENSOR",         "GRAPH",      "FLOATS",     "INTS",
      "STRINGS",   "TENSORS", "GRAPHS", "SPARSE_TENSOR", "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"};
  return type >= 0 && (size_t)type < PN_COUNT(names) ? names[type] : "?";
}

pelton_status pn_onnx_node_fail(const pn_onnx_node *node, pelton_diag *diag, pelton_status status, const char *format,
                                ...) {
  uint32_t mark = pn_diag_mark(diag);
  va_list arguments;
  va_start(arguments, format);
  pn_failv(diag, status, format, arguments);
  va_end(arguments);
  const char *dot = node->domain.size ? "." : "";
  if (node->name.size || !node->outputs.count)
    pn_diag_prefix(diag, mark, "node \"%.*s\" (%.*s%s%.*s)", PN_STR_ARG(node->name), PN_STR_ARG(node->domain), dot,
                   PN_STR_ARG(node->op_type));
  else
    pn_diag_prefix(diag, mark, "node of output \"%.*s\" (%.*s%s%.*s)", PN_STR_ARG(node->outputs.data[0]),
                   PN_STR_ARG(node->domain), dot, PN_STR_ARG(node->op_type));
  return status;
}

const pn_onnx_attribute *pn_onnx_attr_find(const pn_onnx_node *node, const char *name) {
  for (uint32_t i = 0; i < node->attributes.count; i++)
    if (pn_str_is(node->attributes.data[i].name, name)) return &node->attributes.data[i];
  return NULL;
}

/* Sets |*out| to the attribute when it is there with |type|, to null when it is not there. */
static pelton_status find_typed(const pn_onnx_node *node, const char *name, int32_t type, const pn_onnx_attribute **out,
                                pelton_diag *diag) {
  const pn_onnx_attribute *a = pn_onnx_attr_find(node, name);
  *out = a;
  if (!a) return PELTON_OK;
  if (node->attributes_read) node->attributes_read[a - node->attributes.data] = true;
  if (a->ref_attr_name.size)
    return pn_onnx_node_fail(
        node, diag, PELTON_INVALID_DATA,
        "attribute \"%s\" stands for the attribute \"%.*s\" of a function, but is not in a function's body "
        "or was not given a value",
        name, PN_STR_ARG(a->ref_attr_name));
  /* A list without elements is written like nothing at all, and so leaves an untyped attribute without a type. */
  if (a->type == PN_ONNX_ATTR_UNDEFINED &&
      (type == PN_ONNX_ATTR_INTS || type == PN_ONNX_ATTR_FLOATS || type == PN_ONNX_ATTR_STRINGS))
    return PELTON_OK;
  if (a->type == type) return PELTON_OK;
  return pn_onnx_node_fail(node, diag, PELTON_INVALID_DATA,
                           "attribute \"%s\" has type %s (%" PRId32 "), but must have type %s; export the model again",
                           name, pn_onnx_attr_type_name(a->type), a->type, pn_onnx_attr_type_name(type));
}

/* A member that the type promises but the file does not hold. */
static pelton_status no_value(const pn_onnx_node *node, const char *name, int32_t type, pelton_diag *diag) {
  return pn_onnx_node_fail(node, diag, PELTON_INVALID_DATA, "attribute \"%s\" of type %s holds no value", name,
                           pn_onnx_attr_type_name(type));
}

pelton_status pn_onnx_attr_i64(const pn_onnx_node *node, const char *name, int64_t fallback, int64_t *out,
                               pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = fallback;
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_INT, &a, diag));
  if (a) *out = a->i; /* absent is 0: writers may leave out what is zero */
  return PELTON_OK;
}

pelton_status pn_onnx_attr_bool(const pn_onnx_node *node, const char *name, bool fallback, bool *out,
                                pelton_diag *diag) {
  int64_t value = fallback;
  *out = fallback;
  PN_TRY(pn_onnx_attr_i64(node, name, fallback, &value, diag));
  if (value != 0 && value != 1)
    return pn_onnx_node_fail(node, diag, PELTON_INVALID_DATA, "attribute \"%s\" is %" PRId64 ", but must be 0 or 1",
                             name, value);
  *out = value != 0;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_f32(const pn_onnx_node *node, const char *name, float fallback, float *out,
                               pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = fallback;
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_FLOAT, &a, diag));
  if (a) *out = a->f;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_str(const pn_onnx_node *node, const char *name, const char *fallback, pn_str *out,
                               pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = pn_str_from(fallback);
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_STRING, &a, diag));
  if (a) *out = a->s;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_i64s(const pn_onnx_node *node, const char *name, pn_onnx_i64s *out, pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = (pn_onnx_i64s){NULL, 0, 0};
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_INTS, &a, diag));
  if (a) *out = a->ints;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_f32s(const pn_onnx_node *node, const char *name, pn_onnx_f32s *out, pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = (pn_onnx_f32s){NULL, 0, 0};
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_FLOATS, &a, diag));
  if (a) *out = a->floats;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_strs(const pn_onnx_node *node, const char *name, pn_onnx_strs *out, pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = (pn_onnx_strs){NULL, 0, 0};
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_STRINGS, &a, diag));
  if (a) *out = a->strings;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_tensor(const pn_onnx_node *node, const char *name, const pn_onnx_tensor **out,
                                  pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = NULL;
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_TENSOR, &a, diag));
  if (a && !a->t) return no_value(node, name, PN_ONNX_ATTR_TENSOR, diag);
  if (a) *out = a->t;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_sparse_tensor(const pn_onnx_node *node, const char *name, const pn_onnx_sparse_tensor **out,
                                         pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = NULL;
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_SPARSE_TENSOR, &a, diag));
  if (a && !a->sparse_tensor) return no_value(node, name, PN_ONNX_ATTR_SPARSE_TENSOR, diag);
  if (a) *out = a->sparse_tensor;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_graph(const pn_onnx_node *node, const char *name, const pn_onnx_graph **out,
                                 pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = NULL;
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_GRAPH, &a, diag));
  if (a && !a->g) return no_value(node, name, PN_ONNX_ATTR_GRAPH, diag);
  if (a) *out = a->g;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_type_proto(const pn_onnx_node *node, const char *name, const pn_onnx_type **out,
                                      pelton_diag *diag) {
  const pn_onnx_attribute *a;
  *out = NULL;
  PN_TRY(find_typed(node, name, PN_ONNX_ATTR_TYPE_PROTO, &a, diag));
  if (a && !a->tp) return no_value(node, name, PN_ONNX_ATTR_TYPE_PROTO, diag);
  if (a) *out = a->tp;
  return PELTON_OK;
}

pelton_status pn_onnx_attr_require(const pn_onnx_node *node, const char *name, pelton_diag *diag) {
  if (pn_onnx_attr_find(node, name)) return PELTON_OK;
  return pn_onnx_node_fail(node, diag, PELTON_INVALID_DATA, "attribute \"%s\" is missing, and has no default", name);
}
