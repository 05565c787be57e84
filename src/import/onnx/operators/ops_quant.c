/* Quantisation. The IR keeps it explicit: an operator on quantised operands becomes dequantize, the same operator in
   f32, and quantize, which later passes find again and turn into integer arithmetic. */
#include "import/onnx/importer.h"

#include <inttypes.h>

static pelton_status wants(const pn_onnx_call *c, uint32_t least, uint32_t most) {
  for (uint32_t i = 0; i < least; i++)
    if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  if (c->input_count <= most) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have %u to %u", c->input_count, least, most);
}

/* ---- QuantizeLinear, DequantizeLinear ---------------------------------------------------------------------------- */

/* Before version 13 there was one scale for all elements: the axis then means nothing. */
static pelton_status block_attrs(const pn_onnx_call *c, int64_t *axis, int64_t *block, pelton_dtype *dtype) {
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 1, axis, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "block_size", 0, block, c->diag));
  if (*block < 0)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"block_size\" is %" PRId64 ", but must be 0 or more",
                   *block);
  int64_t elem;
  PN_TRY(pn_onnx_attr_i64(c->node, "output_dtype", 0, &elem, c->diag));
  return elem == 0 ? PELTON_OK : pn_onnx_elem_attr(c, "output_dtype", dtype); /* 0 is ONNX's word for none */
}

/* The type in which x is divided by its scale: the scale's, or what version 23 and later say. A scale of f8e8m0
   says nothing of it, and f32 holds it whatever x is. */
static pelton_status precision_attr(const pn_onnx_call *c, pelton_dtype *out) {
  int64_t elem;
  *out = pn_onnx_dtype(c, 1);
  if (pn_dtype_is_low_float(*out)) *out = PELTON_DTYPE_F32;
  PN_TRY(pn_onnx_attr_i64(c->node, "precision", 0, &elem, c->diag));
  return elem == 0 ? PELTON_OK : pn_onnx_elem_attr(c, "precision", out);
}

static pelton_status import_quantize(pn_onnx_call *c) {
  pn_attrs_quantize *a = pn_onnx_attrs(c, PN_OP_QUANTIZE);
  pn_value_id operands[3] = {PN_NO_VALUE, PN_NO_VALUE, pn_onnx_input(c, 2)};
  pelton_dtype precision;
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants(c, 2, 3));
  PN_TRY(block_attrs(c, &a->axis, &a->block, &a->dtype));
  PN_TRY(precision_attr(c, &precision));
  PN_TRY(pn_onnx_attr_bool(c->node, "saturate", true, &a->saturate, c->diag));
  if (!pn_onnx_has(c, 2) && a->dtype == PELTON_DTYPE_NONE) a->dtype = PELTON_DTYPE_U8;
  for (uint32_t i = 0; i < 2; i++) PN_TRY(pn_onnx_cast(c, c->inputs[i], precision, &operands[i]));
  return pn_onnx_map_over(c, PN_OP_QUANTIZE, a, operands, pn_onnx_has(c, 2) ? 3 : 2);
}

static pelton_status import_dequantize(pn_onnx_call *c) {
  pn_attrs_dequantize *a = pn_onnx_attrs(c, PN_OP_DEQUANTIZE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants(c, 2, 3));
  PN_TRY(block_attrs(c, &a->axis, &a->block, &a->dtype));
  return pn_onnx_map(c, PN_OP_DEQUANTIZE, a);
}

static pelton_status import_dynamic_quantize(pn_onnx_call *c) {
  pn_value_id results[3];
  PN_TRY(wants(c, 1, 1));
  PN_TRY(pn_onnx_add(c, PN_OP_DYNAMIC_QUANTIZE, NULL, c->inputs, 1, 3, results));
  for (uint32_t i = 0; i < 3 && i < c->output_count; i++) c->outputs[i] = results[i];
  return PELTON_OK;
}

/* ---- operators on quantised operands ----------------------------------------------------------------------------- */

/* Operand |i| as f32; its scale and zero point are the operands behind it. Scales of f16 and bf16 would round what the
   operator computes. */
static pelton_status dequantized(pn_onnx_call *c, uint32_t i, int64_t axis, pn_value_id *out) {
  pn_value_id operands[3] = {c->inputs[i], PN_NO_VALUE, c->inputs[i + 2]};
  pn_attrs_dequantize *a = pn_onnx_attrs(c, PN_OP_DEQUANTIZE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->axis = axis;
  PN_TRY(pn_onnx_cast(c, c->inputs[i + 1], PELTON_DTYPE_F32, &operands[1]));
  return pn_onnx_add(c, PN_OP_DEQUANTIZE, a, operands, 3, 1, out);
}

/* |value| in the type of the zero point, the ONNX node's result. */
static pelton_status quantized(pn_onnx_call *c, pn_value_id value, int64_t axis) {
  pn_value_id operands[3] = {value, PN_NO_VALUE, c->inputs[7]};
  pn_attrs_quantize *a = pn_onnx_attrs(c, PN_OP_QUANTIZE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->axis = axis;
  PN_TRY(pn_onnx_cast(c, c->inputs[6], PELTON_DTYPE_F32, &operands[1]));
  return pn_onnx_map_over(c, PN_OP_QUANTIZE, a, operands, 3);
}

/* The bias counts in steps of x's scale times w's. */
static pelton_status dequantized_bias(pn_onnx_call *c, pn_value_id *out) {
  const pn_value_id scales[2] = {c->inputs[1], c->inputs[4]};
  pn_value_id operands[2] = {c->inputs[8], PN_NO_VALUE};
  pn_attrs_dequantize *a = pn_onnx_attrs(c, PN_OP_DEQUANTIZE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->axis = 0;
  PN_TRY(pn_onnx_pointwise(c, "mul(x0,x1)", scales, 2, &operands[1]));
  return pn_onnx_add(c, PN_OP_DEQUANTIZE, a, operands, 2, 1, out);
}

static pelton_status import_qlinear_conv(pn_onnx_call *c) {
  static const char *const auto_pads[] = {PN_ENUM_auto_pad(PN_ENUM_TEXT) NULL};
  int auto_pad = PN_AUTO_PAD_NOTSET;
  pn_value_id operands[3];
  pn_i64s pads;
  pn_attrs_conv *a = pn_onnx_attrs(c, PN_OP_CONV);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants(c, 8, 9));
  PN_TRY(pn_onnx_ints(c, "strides", &a->strides));
  PN_TRY(pn_onnx_ints(c, "dilations", &a->dilations));
  PN_TRY(pn_onnx_word(c, "auto_pad", auto_pads, &auto_pad));
  a->auto_pad = (pn_auto_pad)auto_pad;
  PN_TRY(pn_onnx_ints(c, "pads", &pads));
  if (auto_pad == PN_AUTO_PAD_NOTSET) a->pads = pads;
  PN_TRY(pn_onnx_check_kernel(c, 3));
  PN_TRY(pn_onnx_attr_i64(c->node, "group", 1, &a->group, c->diag));
  PN_TRY(dequantized(c, 0, 1, &operands[0]));
  PN_TRY(dequantized(c, 3, 0, &operands[1]));
  const bool biased = pn_onnx_has(c, 8);
  if (biased) PN_TRY(dequantized_bias(c, &operands[2]));
  PN_TRY(pn_onnx_add(c, PN_OP_CONV, a, operands, biased ? 3 : 2, 1, &operands[0]));
  return quantized(c, operands[0], 1);
}

/* Scales of a are one, or one a row; those of b one, or one a column. */
static pelton_status import_qlinear_matmul(pn_onnx_call *c) {
  pn_value_id operands[2];
  PN_TRY(wants(c, 8, 8));
  for (uint32_t i = 1; i < 8; i += i == 4 ? 2 : 3)
    if (pn_onnx_rank_known(c, i) && pn_onnx_type_of(c, c->inputs[i])->rank > 1)
      return pn_fail(c->diag, PELTON_UNSUPPORTED, "its input %u, scales, has more than one dimension", i);
  PN_TRY(dequantized(c, 0, -2, &operands[0]));
  PN_TRY(dequantized(c, 3, -1, &operands[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_MATMUL, NULL, operands, 2, 1, &operands[0]));
  return quantized(c, operands[0], -2);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"DequantizeLinear", "", 10, 0, import_dequantize},
    {"DequantizeLinear", "com.microsoft", 1, 0, import_dequantize},
    {"DynamicQuantizeLinear", "", 11, 0, import_dynamic_quantize},
    {"QLinearConv", "", 10, 0, import_qlinear_conv},
    {"QLinearMatMul", "", 10, 0, import_qlinear_matmul},
    {"QuantizeLinear", "", 10, 0, import_quantize},
    {"QuantizeLinear", "com.microsoft", 1, 0, import_quantize},
};

const pn_onnx_ops pn_onnx_ops_quant = {rows, (uint32_t)PN_COUNT(rows)};
