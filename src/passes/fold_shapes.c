/* Movement that moves nothing goes: reshapes, slices, pads, transposes, expands, tiles and concats whose result is
   their operand. Chains of reshape, flatten, squeeze and unsqueeze become one reshape, since only the last shape
   counts. */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "op/schema.h"

static bool all_numbers(pn_rewrite *r, pn_value_id v, int64_t wanted) {
  int64_t numbers[64];
  uint32_t count;
  if (!pn_rewrite_numbers(r, v, numbers, PN_COUNT(numbers), &count)) return false;
  for (uint32_t i = 0; i < count; i++)
    if (numbers[i] != wanted) return false;
  return true;
}

static bool is_identity_perm(const pn_node *node, int32_t rank) {
  const pn_attrs_transpose *attrs = node->attrs;
  if (attrs->perm.count == 0) return rank <= 1;
  for (uint32_t i = 0; i < attrs->perm.count; i++)
    if (attrs->perm.data[i] != (int64_t)i) return false;
  return true;
}

/* A resize to the same extents that reads each pixel at its own place. */
static bool is_identity_resize(const pn_node *node) {
  const pn_attrs_resize *attrs = node->attrs;
  return attrs->coordinates != PN_COORD_TF_CROP_AND_RESIZE && attrs->coordinates != PN_COORD_TF_HALF_PIXEL_FOR_NN &&
         !attrs->exclude_outside && attrs->mode != PN_RESIZE_CUBIC;
}

/* Whether |node|, whose result has its first operand's type, hands that operand on. A symbol is equal to itself only,
   so that equal types mean equal extents; those known only at run time are too, when they are one symbol. */
static bool is_identity(pn_rewrite *r, const pn_node *node, const pn_type *type) {
  switch (node->op) {
  case PN_OP_RESHAPE:
  case PN_OP_FLATTEN:
  case PN_OP_SQUEEZE:
  case PN_OP_UNSQUEEZE:
  case PN_OP_BITCAST:
  case PN_OP_EXPAND:
  case PN_OP_TILE:
  case PN_OP_DEPTH_TO_SPACE:
  case PN_OP_SPACE_TO_DEPTH: break;
  case PN_OP_CONCAT: return node->inputs.count == 1;
  case PN_OP_SPLIT: return node->outputs.count == 1;
  case PN_OP_TRANSPOSE: return is_identity_perm(node, type->rank);
  case PN_OP_PAD: return all_numbers(r, node->inputs.data[1], 0);
  case PN_OP_RESIZE: return is_identity_resize(node);
  /* Whole extents forwards; backwards they would be reversed. */
  case PN_OP_SLICE: return !pn_value_valid(pn_node_input(node, 4)) || all_numbers(r, node->inputs.data[4], 1);
  default: return false;
  }
  if (node->op == PN_OP_DEPTH_TO_SPACE) return ((const pn_attrs_depth_to_space *)node->attrs)->block == 1;
  if (node->op == PN_OP_SPACE_TO_DEPTH) return ((const pn_attrs_space_to_depth *)node->attrs)->block == 1;
  return true;
}

static bool is_reshaping(pn_op op) {
  return op == PN_OP_RESHAPE || op == PN_OP_FLATTEN || op == PN_OP_SQUEEZE || op == PN_OP_UNSQUEEZE;
}

/* reshape(reshape(x)) is the outer reshape of x. Other forms than reshape become one, where its target can be said. */
static pelton_status merge_reshapes(pn_rewrite *r, pn_node *node) {
  const pn_value_id v = node->inputs.data[0];
  const pn_node *inner = pn_rewrite_producer(r, v);
  const pn_type *type = pn_rewrite_type(r, node->outputs.data[0]);
  int64_t target[PN_MAX_RANK];
  if (!inner || !is_reshaping(inner->op)) return PELTON_OK;
  const pn_value_id x = inner->inputs.data[0];
  if (!pn_reshape_target(pn_rewrite_type(r, x), type, target)) return PELTON_OK;
  const pn_value_id shape = pn_graph_add_i64s(r->g, PN_STR("shape"), target, (uint32_t)type->rank);
  if (!pn_value_valid(shape)) return pn_fail_memory(r->diag, "a reshape's target");
  const pn_value_id operands[2] = {x, shape};
  r->changed++;
  PN_TRY(pn_rewrite_provenance(r, node, inner));
  return pn_rewrite_become(r, node, PN_OP_RESHAPE, NULL, operands, 2);
}

static pelton_status fold_all(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (node->removed || node->inputs.count == 0 || node->outputs.count == 0) continue;
    const pn_value_id x = node->inputs.data[0], y = node->outputs.data[0];
    if (!pn_value_valid(x) || !pn_value_valid(y)) continue;
    if (is_reshaping(node->op)) PN_TRY(merge_reshapes(r, node));
    const pn_value_id from = node->inputs.data[0];
    const pn_type *type = pn_rewrite_type(r, from);
    bool done;
    if (type->rank >= 0 && pn_type_equal(type, pn_rewrite_type(r, y)) && is_identity(r, node, type))
      PN_TRY(pn_rewrite_forward(r, node, from, &done));
  }
  return PELTON_OK;
}

pelton_status pn_pass_fold_shapes(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, fold_all, changed, diag);
}
