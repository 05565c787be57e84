/* The surface of ONNX's operators as the standard has it, in every version: names of operands, results and attributes.
   schemas.def holds it; the importer's own tables say what Pelton does with an operator, these what a file may say.

   In schemas.def an operator's row stands for its version and the following ones up to its next row. Words are
   separated by blanks. Operands and results are "name:type", with "?" behind an optional one and "*n" behind one that
   stands for any number from n on. A type is an element type ("f32", "i64", "string", ...), "seq", or a variable ("T"):
   those that share it are of one type, save those that stand for several. Attributes are "name:kind", "!" behind one
   that must be there; the kind is f i s t g y p for a float, integer, string, tensor, graph, type or sparse tensor, in
   capitals for lists of them. Operands "-" mark a version in which the operator is withdrawn. */
#ifndef PN_IMPORT_ONNX_CHECK_SCHEMA_H
#define PN_IMPORT_ONNX_CHECK_SCHEMA_H

#include "import/onnx/model.h"

typedef struct pn_onnx_schema {
  const char *domain, *name;
  int32_t since;
  const char *inputs, *outputs, *attributes;
} pn_onnx_schema;

/* The newest version of ai.onnx that the table knows. */
int64_t pn_onnx_schema_newest(void);
/* Whether the table knows the operators of |domain|. */
bool pn_onnx_schema_domain(pn_str domain);
/* The row of |node|'s operator in version |opset| of its domain; null when there is none. |*later| (may be null) gets
   the first version that has it, 0 when none has. */
const pn_onnx_schema *pn_onnx_schema_find(const pn_onnx_node *node, int64_t opset, int32_t *later);
bool pn_onnx_schema_withdrawn(const pn_onnx_schema *schema);

/* One word of a row. */
typedef struct pn_onnx_formal {
  pn_str name, type; /* of an attribute the type is its kind, one letter */
  bool optional;
  bool required; /* of an attribute */
  int32_t least; /* -1: it stands for one; else for this many or more */
} pn_onnx_formal;

/* Takes the next word from the front of |*words|; false at the end. */
bool pn_onnx_formal_next(const char **words, pn_onnx_formal *out);
/* The word for operand or result |index| of |words|: the last one stands for all that follow when it may. */
bool pn_onnx_formal_at(const char *words, uint32_t index, pn_onnx_formal *out);
/* How many operands or results there may be; |*most| UINT32_MAX when there is no limit. */
void pn_onnx_formal_counts(const char *words, uint32_t *least, uint32_t *most);
/* The attribute type of a kind; UNDEFINED for what is none. */
int32_t pn_onnx_formal_attr_type(char kind);
/* The element type of a formal's type; UNDEFINED for a variable. */
int32_t pn_onnx_formal_elem(pn_str type);

#endif
