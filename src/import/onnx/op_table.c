/* The operators that are known: the families' tables, searched by name, domain and version. */
#include "import/onnx/scope.h"

/* One line a file operators/ops_<family>.c. */
#define PN_ONNX_FAMILIES(X) \
  X(activation)             \
  X(attention)              \
  X(control)                \
  X(create)                 \
  X(image)                  \
  X(index)                  \
  X(loss)                   \
  X(ml)                     \
  X(nn)                     \
  X(norm)                   \
  X(pointwise)              \
  X(quant)                  \
  X(recurrent)              \
  X(reduce)                 \
  X(sequence)               \
  X(shape)                  \
  X(signal)                 \
  X(text)                   \
  X(training)               \
  X(tree)

#define DECLARE(family) extern const pn_onnx_ops pn_onnx_ops_##family;
PN_ONNX_FAMILIES(DECLARE)

#define ADDRESS(family) &pn_onnx_ops_##family,
static const pn_onnx_ops *const families[] = {PN_ONNX_FAMILIES(ADDRESS)};

/* What is said of an operator that no table has. */
static const char *reason_unsupported(const pn_onnx_node *node) {
  return pn_onnx_domain_equal(node->domain, PN_STR(""))
             ? "Pelton does not know this operator"
             : "Pelton does not know this operator, and the model has no function of its name";
}

const pn_onnx_op *pn_onnx_op_find(const pn_onnx_node *node, int64_t opset, const char **reason) {
  bool other_version = false;
  for (size_t f = 0; f < PN_COUNT(families); f++)
    for (uint32_t i = 0; i < families[f]->count; i++) {
      const pn_onnx_op *op = &families[f]->rows[i];
      if (!pn_str_is(node->op_type, op->name) || !pn_onnx_domain_equal(node->domain, pn_str_from(op->domain))) continue;
      if (opset >= op->since && (op->until == 0 || opset <= op->until)) return op;
      other_version = true;
    }
  *reason = other_version ? "Pelton knows this operator, but not in this version of the operator set"
                          : reason_unsupported(node);
  return NULL;
}

const pn_onnx_op *pn_onnx_op_at(uint32_t index) {
  for (size_t f = 0; f < PN_COUNT(families); f++) {
    if (index < families[f]->count) return &families[f]->rows[index];
    index -= families[f]->count;
  }
  return NULL;
}
