/* Operators that combine elements along axes: reductions, cumulation, einsum, the determinant. */
#include "import/onnx/importer.h"

/* ---- Reduce* ----------------------------------------------------------------------------------------------------- */

static const char *const reductions[] = {"ReduceSum",       "ReduceMean",     "ReduceMax", "ReduceMin",
                                         "ReduceProd",      "ReduceL1",       "ReduceL2",  "ReduceLogSum",
                                         "ReduceLogSumExp", "ReduceSumSquare"};

static pelton_status reduce_attrs(const pn_onnx_call *c, pn_attrs_reduce **out) {
  pn_attrs_reduce *a = *out = pn_onnx_attrs(c, PN_OP_REDUCE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  for (int i = 0; i < (int)PN_COUNT(reductions); i++)
    if (pn_str_is(c->node->op_type, reductions[i])) a->kind = (pn_reduce_kind)i;
  PN_TRY(pn_onnx_attr_bool(c->node, "keepdims", true, &a->keep_dims, c->diag));
  return pn_onnx_attr_bool(c->node, "noop_with_empty_axes", false, &a->empty_is_none, c->diag);
}

static pelton_status import_reduce_1(pn_onnx_call *c) {
  pn_value_id operands[2] = {pn_onnx_input(c, 0), PN_NO_VALUE};
  pn_attrs_reduce *a;
  pn_i64s axes;
  PN_TRY(reduce_attrs(c, &a));
  PN_TRY(pn_onnx_ints(c, "axes", &axes));
  if (axes.count > 0) PN_TRY(pn_onnx_i64s_constant(c, axes.data, axes.count, &operands[1]));
  return pn_onnx_map_over(c, PN_OP_REDUCE, a, operands, axes.count > 0 ? 2 : 1);
}

static pelton_status import_reduce(pn_onnx_call *c) {
  pn_attrs_reduce *a;
  PN_TRY(reduce_attrs(c, &a));
  return pn_onnx_map(c, PN_OP_REDUCE, a);
}

static pelton_status import_arg_reduce(pn_onnx_call *c) {
  pn_attrs_arg_reduce *a = pn_onnx_attrs(c, PN_OP_ARG_REDUCE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->kind = pn_str_is(c->node->op_type, "ArgMin") ? PN_ARG_MIN : PN_ARG_MAX;
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 0, &a->axis, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "keepdims", true, &a->keep_dims, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "select_last_index", false, &a->last_index, c->diag));
  return pn_onnx_map(c, PN_OP_ARG_REDUCE, a);
}

/* ---- along one axis ---------------------------------------------------------------------------------------------- */

static pelton_status import_cumulate(pn_onnx_call *c) {
  pn_attrs_cumulate *a = pn_onnx_attrs(c, PN_OP_CUMULATE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->kind = pn_str_is(c->node->op_type, "CumProd") ? PN_CUM_PROD : PN_CUM_SUM;
  PN_TRY(pn_onnx_attr_bool(c->node, "exclusive", false, &a->exclusive, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "reverse", false, &a->reverse, c->diag));
  return pn_onnx_map(c, PN_OP_CUMULATE, a);
}

static pelton_status import_hardmax(pn_onnx_call *c) {
  pn_attrs_hardmax *a = pn_onnx_attrs(c, PN_OP_HARDMAX);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", -1, &a->axis, c->diag));
  return pn_onnx_map(c, PN_OP_HARDMAX, a);
}

/* Before version 13 the axis split the dimensions in two: one maximum over all from |axis| on. */
static pelton_status import_hardmax_1(pn_onnx_call *c) {
  pn_attrs_flatten *a = pn_onnx_attrs(c, PN_OP_FLATTEN);
  pn_value_id flat, result[2];
  if (!a) return pn_fail_memory(c->diag, "a node");
  if (!pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 0 is missing");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 1, &a->axis, c->diag));
  PN_TRY(pn_onnx_add(c, PN_OP_FLATTEN, a, &c->inputs[0], 1, 1, &flat));
  PN_TRY(pn_onnx_add(c, PN_OP_HARDMAX, NULL, &flat, 1, 1, &result[0]));
  PN_TRY(pn_onnx_add(c, PN_OP_SHAPE_OF, NULL, &c->inputs[0], 1, 1, &result[1]));
  return pn_onnx_map_over(c, PN_OP_RESHAPE, NULL, result, 2);
}

/* ---- Einsum, Det ------------------------------------------------------------------------------------------------- */

static pelton_status import_einsum(pn_onnx_call *c) {
  pn_str equation;
  pn_attrs_einsum *a = pn_onnx_attrs(c, PN_OP_EINSUM);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "equation", c->diag));
  PN_TRY(pn_onnx_attr_str(c->node, "equation", "", &equation, c->diag));
  const char *copy = pn_str_copy(c->graph->arena, equation);
  if (!copy) return pn_fail_memory(c->diag, "a node");
  a->equation = (pn_str){copy, equation.size};
  return pn_onnx_map(c, PN_OP_EINSUM, a);
}

static pelton_status import_det(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_DET, NULL); }

/* ---- the table --------------------------------------------------------------------------------------------------- */

#define REDUCTION(name, operand_since) \
  {name, "", 1, (operand_since) - 1, import_reduce_1}, {name, "", operand_since, 0, import_reduce}
static const pn_onnx_op rows[] = {
    {"ArgMax", "", 1, 0, import_arg_reduce},
    {"ArgMin", "", 1, 0, import_arg_reduce},
    {"CumProd", "", 26, 0, import_cumulate},
    {"CumSum", "", 11, 0, import_cumulate},
    {"Det", "", 11, 0, import_det},
    {"Einsum", "", 12, 0, import_einsum},
    {"Hardmax", "", 1, 12, import_hardmax_1},
    {"Hardmax", "", 13, 0, import_hardmax},
    REDUCTION("ReduceL1", 18),
    REDUCTION("ReduceL2", 18),
    REDUCTION("ReduceLogSum", 18),
    REDUCTION("ReduceLogSumExp", 18),
    REDUCTION("ReduceMax", 18),
    REDUCTION("ReduceMean", 18),
    REDUCTION("ReduceMin", 18),
    REDUCTION("ReduceProd", 18),
    REDUCTION("ReduceSum", 13),
    REDUCTION("ReduceSumSquare", 18),
};

const pn_onnx_ops pn_onnx_ops_reduce = {rows, (uint32_t)PN_COUNT(rows)};
