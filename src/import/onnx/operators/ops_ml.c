/* Of classical machine learning (ai.onnx.ml) what is a composition of tensor operators. */
#include "import/onnx/importer.h"

static pelton_status import_binarizer(pn_onnx_call *c) {
  float threshold;
  if (c->input_count != 1 || !pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "it must have 1 input");
  PN_TRY(pn_onnx_attr_f32(c->node, "threshold", 0.0f, &threshold, c->diag));
  const pelton_dtype dtype = pn_onnx_dtype(c, 0);
  const double number = (double)threshold;
  if (pn_dtype_is_float(dtype))
    return pn_onnx_formula(c, "select(greater(x0,%0),1:%T,0:%T)", &number, c->inputs, 1, &c->outputs[0]);
  pn_value_id wide; /* a threshold between two integers */
  PN_TRY(pn_onnx_cast(c, c->inputs[0], PELTON_DTYPE_F64, &wide));
  PN_TRY(pn_onnx_formula(c, "select(greater(x0,%0),1:%T,0:%T)", &number, &wide, 1, &wide));
  return pn_onnx_cast(c, wide, dtype, &c->outputs[0]);
}

/* Columns of x, in a row of their own when x is one. */
static pelton_status import_array_feature_extractor(pn_onnx_call *c) {
  static const int64_t row[] = {1, -1}, flat = -1;
  pn_attrs_gather *a = pn_onnx_attrs(c, PN_OP_GATHER);
  pn_value_id operands[2] = {PN_NO_VALUE, pn_onnx_input(c, 1)}, shape;
  uint32_t rank;
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_rank(c, 0, &rank));
  if (!pn_onnx_has(c, 1)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 1 is missing");
  a->axis = -1;
  pn_value_id list[2] = {operands[1]};
  PN_TRY(pn_onnx_i64s_constant(c, &flat, 1, &list[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_RESHAPE, NULL, list, 2, 1, &operands[1]));
  operands[0] = c->inputs[0];
  if (rank == 1) {
    PN_TRY(pn_onnx_i64s_constant(c, row, 2, &shape));
    list[0] = c->inputs[0];
    list[1] = shape;
    PN_TRY(pn_onnx_add(c, PN_OP_RESHAPE, NULL, list, 2, 1, &operands[0]));
  }
  return pn_onnx_map_over(c, PN_OP_GATHER, a, operands, 2);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"ArrayFeatureExtractor", "ai.onnx.ml", 1, 0, import_array_feature_extractor},
    {"Binarizer", "ai.onnx.ml", 1, 0, import_binarizer},
};

const pn_onnx_ops pn_onnx_ops_ml = {rows, (uint32_t)PN_COUNT(rows)};
