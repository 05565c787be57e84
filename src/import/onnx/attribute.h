/* Reading a node's attributes: each by name, with its type checked, and a value for when it is absent.

   An attribute of another type than asked for is PELTON_INVALID_DATA, with a message that names node, attribute and
   both types. An attribute that still refers to one of an enclosing function is refused likewise: whoever expands
   functions puts the values in first. Results are views that live as long as the model.

   While a node is imported, what is read is marked in node->attributes_read, so that pn_onnx_attributes_settle can tell
   what nobody looked at. To find an attribute is not to read it. */
#ifndef PN_IMPORT_ONNX_ATTRIBUTE_H
#define PN_IMPORT_ONNX_ATTRIBUTE_H

#include "import/onnx/model.h"

/* "INT", "FLOATS", ...; "?" for what is none. Static storage. */
const char *pn_onnx_attr_type_name(int32_t type);

/* As pn_fail, with the node in front of the message: `node "conv1" (Conv): `, or the output it computes when it has no
   name: `node of output "y" (com.example.Scale): `. */
pelton_status pn_onnx_node_fail(const pn_onnx_node *node, pelton_diag *diag, pelton_status status, const char *format,
                                ...) PN_PRINTF(4, 5);

/* The attribute |name|, of whatever type, or null. */
const pn_onnx_attribute *pn_onnx_attr_find(const pn_onnx_node *node, const char *name);

/* Absent: |*out| is |fallback|. */
pelton_status pn_onnx_attr_i64(const pn_onnx_node *node, const char *name, int64_t fallback, int64_t *out,
                               pelton_diag *diag) PN_CHECKED;
/* An INT that is 0 or 1. */
pelton_status pn_onnx_attr_bool(const pn_onnx_node *node, const char *name, bool fallback, bool *out,
                                pelton_diag *diag) PN_CHECKED;
pelton_status pn_onnx_attr_f32(const pn_onnx_node *node, const char *name, float fallback, float *out,
                               pelton_diag *diag) PN_CHECKED;
pelton_status pn_onnx_attr_str(const pn_onnx_node *node, const char *name, const char *fallback, pn_str *out,
                               pelton_diag *diag) PN_CHECKED;

/* Absent: |*out| is empty. An absent list and an empty one differ only through pn_onnx_attr_find. */
pelton_status pn_onnx_attr_i64s(const pn_onnx_node *node, const char *name, pn_onnx_i64s *out,
                                pelton_diag *diag) PN_CHECKED;
pelton_status pn_onnx_attr_f32s(const pn_onnx_node *node, const char *name, pn_onnx_f32s *out,
                                pelton_diag *diag) PN_CHECKED;
pelton_status pn_onnx_attr_strs(const pn_onnx_node *node, const char *name, pn_onnx_strs *out,
                                pelton_diag *diag) PN_CHECKED;

/* Absent: |*out| is null. */
pelton_status pn_onnx_attr_tensor(const pn_onnx_node *node, const char *name, const pn_onnx_tensor **out,
                                  pelton_diag *diag) PN_CHECKED;
pelton_status pn_onnx_attr_sparse_tensor(const pn_onnx_node *node, const char *name, const pn_onnx_sparse_tensor **out,
                                         pelton_diag *diag) PN_CHECKED;
pelton_status pn_onnx_attr_graph(const pn_onnx_node *node, const char *name, const pn_onnx_graph **out,
                                 pelton_diag *diag) PN_CHECKED;
pelton_status pn_onnx_attr_type_proto(const pn_onnx_node *node, const char *name, const pn_onnx_type **out,
                                      pelton_diag *diag) PN_CHECKED;

/* Fails when |name| is absent: before one of the above, for an attribute that has no default. */
pelton_status pn_onnx_attr_require(const pn_onnx_node *node, const char *name, pelton_diag *diag) PN_CHECKED;

#endif
