/* What counts as a layer: a node that computes with floats. What only moves elements, counts, or makes values from
   shapes and indices is none; some of it goes along with the layers that it reads from. */
#include "precision/precision.h"

/* An expression that selects and changes types, and computes with integers at most. */
static bool only_moves(const pn_graph *g, const pn_node *node) {
  const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], steps[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < expr->input_count; i++) inputs[i] = g->values.data[node->inputs.data[i].v].type.dtype;
  if (pn_expr_types(expr, inputs, steps, NULL)) return false;
  for (uint32_t i = 0; i < expr->step_count; i++) {
    const pn_expr_op op = expr->steps[i].op;
    const bool moves = op == PN_EXPR_INPUT || op == PN_EXPR_CONSTANT || op == PN_EXPR_CAST || op == PN_EXPR_SELECT;
    if (!moves && pn_dtype_is_float(steps[i])) return false;
  }
  return true;
}

static pn_layer layer_of_reduce(const pn_attrs_reduce *attrs) {
  const pn_reduce_kind kind = attrs->kind;
  return kind <= PN_REDUCE_MIN || kind == PN_REDUCE_L1 || kind == PN_REDUCE_L2 ? PN_LAYER_FOLLOWS : PN_LAYER_STAYS;
}

pn_layer pn_precision_layer(const pn_graph *g, const pn_node *node) {
  switch (node->op) {
  case PN_OP_CONV:
  case PN_OP_CONV_TRANSPOSE:
  case PN_OP_MATMUL:
  case PN_OP_ATTENTION: return PN_LAYER_GAINS;
  case PN_OP_REDUCE: return layer_of_reduce(node->attrs);
  case PN_OP_LAYER_NORM: return node->outputs.count == 1 ? PN_LAYER_FOLLOWS : PN_LAYER_STAYS;
  case PN_OP_POINTWISE: return only_moves(g, node) ? PN_LAYER_MOVES : PN_LAYER_FOLLOWS;
  case PN_OP_RESIZE:
    return ((const pn_attrs_resize *)node->attrs)->mode == PN_RESIZE_NEAREST ? PN_LAYER_MOVES : PN_LAYER_FOLLOWS;
  case PN_OP_POOL:
  case PN_OP_SOFTMAX:
  case PN_OP_GROUP_NORM:
  case PN_OP_LRN: return PN_LAYER_FOLLOWS;
  case PN_OP_RESHAPE:
  case PN_OP_FLATTEN:
  case PN_OP_SQUEEZE:
  case PN_OP_UNSQUEEZE:
  case PN_OP_TRANSPOSE:
  case PN_OP_EXPAND:
  case PN_OP_TILE:
  case PN_OP_SLICE:
  case PN_OP_SPLIT:
  case PN_OP_CONCAT:
  case PN_OP_PAD:
  case PN_OP_GATHER:
  case PN_OP_DEPTH_TO_SPACE:
  case PN_OP_SPACE_TO_DEPTH: return PN_LAYER_MOVES;
  case PN_OP_SCATTER_ELEMENTS:
    return ((const pn_attrs_scatter_elements *)node->attrs)->reduction == PN_SCATTER_NONE ? PN_LAYER_NONE
                                                                                          : PN_LAYER_STAYS;
  case PN_OP_SCATTER_ND:
    return ((const pn_attrs_scatter_nd *)node->attrs)->reduction == PN_SCATTER_NONE ? PN_LAYER_NONE : PN_LAYER_STAYS;
  case PN_OP_EINSUM: /* what no product could be made of */
  case PN_OP_RECURRENT:
  case PN_OP_LINEAR_ATTENTION:
  case PN_OP_ROTARY_EMBEDDING:
  case PN_OP_DEFORM_CONV:
  case PN_OP_COL2IM:
  case PN_OP_DET:
  case PN_OP_DFT:
  case PN_OP_CUMULATE:
  case PN_OP_HARDMAX:
  case PN_OP_BATCH_NORM:
  case PN_OP_LP_NORM:
  case PN_OP_GRID_SAMPLE:
  case PN_OP_AFFINE_GRID:
  case PN_OP_ROI_ALIGN:
  case PN_OP_MAX_ROI_POOL: return PN_LAYER_STAYS;
  default: return PN_LAYER_NONE;
  }
}

pelton_dtype pn_precision_result(const pn_graph *g, const pn_node *node) {
  pelton_dtype found = PELTON_DTYPE_NONE;
  for (uint32_t i = 0; i < node->outputs.count; i++) {
    if (!pn_value_valid(node->outputs.data[i])) continue;
    const pelton_dtype dtype = g->values.data[node->outputs.data[i].v].type.dtype;
    if (dtype == PELTON_DTYPE_F32) return dtype;
    if (dtype == PELTON_DTYPE_F64) found = dtype;
  }
  return found;
}

bool pn_precision_is_data(const pn_node *node, uint32_t input) {
  switch (node->op) {
  case PN_OP_PAD: return input == 0 || input == 2;
  case PN_OP_RESIZE: /* regions and scales are f32 by definition */
  case PN_OP_GATHER:
  case PN_OP_REDUCE: return input == 0;
  default: return true; /* others' operands of f32 are data */
  }
}
