/* A convolution pads by itself: zeros that a pad node puts around its input become its own pads. */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "op/schema.h"

/* The pads of |node| before and after each axis of its operand of |rank|; false when they are not plain zeros. */
static bool find_zeros(pn_rewrite *r, const pn_node *node, uint32_t rank, int64_t *before, int64_t *after) {
  int64_t pads[2 * PN_MAX_RANK], axes[PN_MAX_RANK];
  uint32_t count, axis_count = rank;
  double value = 0;
  if (((const pn_attrs_pad *)node->attrs)->mode != PN_PAD_CONSTANT) return false;
  if (pn_value_valid(pn_node_input(node, 2)) && !pn_rewrite_scalar(r, node->inputs.data[2], &value)) return false;
  if (value != 0 || !pn_rewrite_numbers(r, node->inputs.data[1], pads, 2 * PN_MAX_RANK, &count)) return false;
  for (uint32_t i = 0; i < rank; i++) axes[i] = i, before[i] = after[i] = 0;
  if (pn_value_valid(pn_node_input(node, 3)) &&
      !pn_rewrite_numbers(r, node->inputs.data[3], axes, PN_MAX_RANK, &axis_count))
    return false;
  if (count != 2 * axis_count) return false;
  for (uint32_t i = 0; i < axis_count; i++) {
    const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (pads[i] < 0 || pads[i + axis_count] < 0 || axis < 0 || axis >= rank) return false;
    before[axis] = pads[i];
    after[axis] = pads[i + axis_count];
  }
  return before[0] == 0 && after[0] == 0 && before[1] == 0 && after[1] == 0;
}

static pelton_status fold(pn_rewrite *r, pn_node *node) {
  const pn_attrs_conv *old = node->attrs;
  const pn_node *pad = pn_rewrite_producer_of(r, node->inputs.data[0], PN_OP_PAD);
  const int32_t rank = pad ? pn_rewrite_type(r, node->inputs.data[0])->rank : 0;
  int64_t before[PN_MAX_RANK], after[PN_MAX_RANK];
  /* "same" and "valid" follow from the extents, which change. */
  if (rank < 3 || old->auto_pad != PN_AUTO_PAD_NOTSET) return PELTON_OK;
  if (!find_zeros(r, pad, (uint32_t)rank, before, after)) return PELTON_OK;
  const uint32_t axes = (uint32_t)rank - 2;
  pn_attrs_conv *attrs = pn_attrs_copy(PN_OP_CONV, old, r->g->arena);
  int64_t *pads = PN_NEW_ARRAY(r->g->arena, int64_t, 2 * (size_t)axes);
  if (!attrs || !pads) return pn_fail_memory(r->diag, "a convolution's pads");
  for (uint32_t i = 0; i < axes; i++) {
    const bool given = old->pads.count == 2 * axes;
    pads[i] = before[i + 2] + (given ? old->pads.data[i] : 0);
    pads[i + axes] = after[i + 2] + (given ? old->pads.data[i + axes] : 0);
  }
  attrs->pads = (pn_i64s){pads, 2 * axes};
  const pn_value_id operands[3] = {pad->inputs.data[0], node->inputs.data[1], pn_node_input(node, 2)};
  r->changed++;
  PN_TRY(pn_rewrite_provenance(r, node, pad));
  return pn_rewrite_become(r, node, PN_OP_CONV, attrs, operands, 3);
}

static pelton_status fold_all(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (!node->removed && node->op == PN_OP_CONV) PN_TRY(fold(r, node));
  }
  return PELTON_OK;
}

pelton_status pn_pass_fold_pad(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, fold_all, changed, diag);
}
