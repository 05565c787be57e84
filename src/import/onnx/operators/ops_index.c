/* Operators that pick elements by index, or say which. */
#include "import/onnx/importer.h"

/* ---- gather and scatter ------------------------------------------------------------------------------------------ */

static pelton_status import_gather(pn_onnx_call *c) {
  pn_attrs_gather *a = pn_onnx_attrs(c, PN_OP_GATHER);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &a->axis, c->diag));
  return pn_onnx_map(c, PN_OP_GATHER, a);
}

static pelton_status import_gather_elements(pn_onnx_call *c) {
  pn_attrs_gather_elements *a = pn_onnx_attrs(c, PN_OP_GATHER_ELEMENTS);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &a->axis, c->diag));
  return pn_onnx_map(c, PN_OP_GATHER_ELEMENTS, a);
}

static pelton_status import_gather_nd(pn_onnx_call *c) {
  pn_attrs_gather_nd *a = pn_onnx_attrs(c, PN_OP_GATHER_ND);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "batch_dims", 0, &a->batch_dims, c->diag));
  return pn_onnx_map(c, PN_OP_GATHER_ND, a);
}

static const char *const reductions[] = {PN_ENUM_scatter_reduction(PN_ENUM_TEXT) NULL};

static pelton_status import_scatter_elements(pn_onnx_call *c) {
  int reduction = PN_SCATTER_NONE;
  pn_attrs_scatter_elements *a = pn_onnx_attrs(c, PN_OP_SCATTER_ELEMENTS);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &a->axis, c->diag));
  PN_TRY(pn_onnx_word(c, "reduction", reductions, &reduction));
  a->reduction = (pn_scatter_reduction)reduction;
  return pn_onnx_map(c, PN_OP_SCATTER_ELEMENTS, a);
}

static pelton_status import_scatter_nd(pn_onnx_call *c) {
  int reduction = PN_SCATTER_NONE;
  pn_attrs_scatter_nd *a = pn_onnx_attrs(c, PN_OP_SCATTER_ND);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_word(c, "reduction", reductions, &reduction));
  a->reduction = (pn_scatter_reduction)reduction;
  return pn_onnx_map(c, PN_OP_SCATTER_ND, a);
}

static pelton_status import_tensor_scatter(pn_onnx_call *c) {
  static const char *const modes[] = {"linear", "circular", NULL};
  int mode = 0;
  pn_attrs_tensor_scatter *a = pn_onnx_attrs(c, PN_OP_TENSOR_SCATTER);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", -2, &a->axis, c->diag));
  PN_TRY(pn_onnx_word(c, "mode", modes, &mode));
  a->circular = mode == 1;
  return pn_onnx_map(c, PN_OP_TENSOR_SCATTER, a);
}

/* ---- rearranged by an operand ------------------------------------------------------------------------------------ */

static pelton_status import_reverse_sequence(pn_onnx_call *c) {
  pn_attrs_reverse_sequence *a = pn_onnx_attrs(c, PN_OP_REVERSE_SEQUENCE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "batch_axis", 1, &a->batch_axis, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "time_axis", 0, &a->time_axis, c->diag));
  return pn_onnx_map(c, PN_OP_REVERSE_SEQUENCE, a);
}

static pelton_status import_trilu(pn_onnx_call *c) {
  pn_attrs_trilu *a = pn_onnx_attrs(c, PN_OP_TRILU);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_bool(c->node, "upper", true, &a->upper, c->diag));
  return pn_onnx_map(c, PN_OP_TRILU, a);
}

/* ---- which elements ---------------------------------------------------------------------------------------------- */

static pelton_status import_one_hot(pn_onnx_call *c) {
  pn_attrs_one_hot *a = pn_onnx_attrs(c, PN_OP_ONE_HOT);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", -1, &a->axis, c->diag));
  return pn_onnx_map(c, PN_OP_ONE_HOT, a);
}

static pelton_status topk_attrs(const pn_onnx_call *c, pn_attrs_topk **out) {
  pn_attrs_topk *a = *out = pn_onnx_attrs(c, PN_OP_TOPK);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", -1, &a->axis, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "largest", true, &a->largest, c->diag));
  return pn_onnx_attr_bool(c->node, "sorted", true, &a->sorted, c->diag);
}
/* k was an attribute in version 1. */
static pelton_status import_topk_1(pn_onnx_call *c) {
  pn_value_id operands[2] = {pn_onnx_input(c, 0)};
  pn_attrs_topk *a;
  int64_t k;
  PN_TRY(topk_attrs(c, &a));
  PN_TRY(pn_onnx_attr_require(c->node, "k", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "k", 0, &k, c->diag));
  PN_TRY(pn_onnx_i64s_constant(c, &k, 1, &operands[1]));
  return pn_onnx_map_over(c, PN_OP_TOPK, a, operands, 2);
}
static pelton_status import_topk(pn_onnx_call *c) {
  pn_attrs_topk *a;
  PN_TRY(topk_attrs(c, &a));
  return pn_onnx_map(c, PN_OP_TOPK, a);
}

static pelton_status import_non_zero(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_NON_ZERO, NULL); }

static pelton_status import_compress(pn_onnx_call *c) {
  pn_attrs_compress *a = pn_onnx_attrs(c, PN_OP_COMPRESS);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->flat = !pn_onnx_attr_find(c->node, "axis");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &a->axis, c->diag));
  return pn_onnx_map(c, PN_OP_COMPRESS, a);
}

static pelton_status import_unique(pn_onnx_call *c) {
  pn_attrs_unique *a = pn_onnx_attrs(c, PN_OP_UNIQUE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->flat = !pn_onnx_attr_find(c->node, "axis");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &a->axis, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "sorted", true, &a->sorted, c->diag));
  return pn_onnx_map(c, PN_OP_UNIQUE, a);
}

static pelton_status import_non_max_suppression(pn_onnx_call *c) {
  pn_attrs_non_max_suppression *a = pn_onnx_attrs(c, PN_OP_NON_MAX_SUPPRESSION);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_bool(c->node, "center_point_box", false, &a->center_point_box, c->diag));
  return pn_onnx_map(c, PN_OP_NON_MAX_SUPPRESSION, a);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"Compress", "", 9, 0, import_compress},
    {"Gather", "", 1, 0, import_gather},
    {"GatherElements", "", 11, 0, import_gather_elements},
    {"GatherND", "", 11, 0, import_gather_nd},
    {"NonMaxSuppression", "", 10, 0, import_non_max_suppression},
    {"NonZero", "", 9, 0, import_non_zero},
    {"OneHot", "", 9, 0, import_one_hot},
    {"ReverseSequence", "", 10, 0, import_reverse_sequence},
    {"Scatter", "", 9, 0, import_scatter_elements},
    {"ScatterElements", "", 11, 0, import_scatter_elements},
    {"ScatterND", "", 11, 0, import_scatter_nd},
    {"TensorScatter", "", 24, 0, import_tensor_scatter},
    {"TopK", "", 1, 9, import_topk_1},
    {"TopK", "", 10, 0, import_topk},
    {"Trilu", "", 14, 0, import_trilu},
    {"Unique", "", 11, 0, import_unique},
};

const pn_onnx_ops pn_onnx_ops_index = {rows, (uint32_t)PN_COUNT(rows)};
