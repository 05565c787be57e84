/* Signals: DFT, STFT and MelWeightMatrix. (The windows are in ops_create.c.) */
#include "import/onnx/importer.h"

static pelton_status wants_inputs(const pn_onnx_call *c, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  return PELTON_OK;
}

/* ---- DFT --------------------------------------------------------------------------------------------------------- */

static pelton_status dft_attrs(const pn_onnx_call *c, pn_attrs_dft **out) {
  *out = pn_onnx_attrs(c, PN_OP_DFT);
  if (!*out) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_bool(c->node, "inverse", false, &(*out)->inverse, c->diag));
  return pn_onnx_attr_bool(c->node, "onesided", false, &(*out)->onesided, c->diag);
}

/* Until version 20 the axis was an attribute. */
static pelton_status import_dft_17(pn_onnx_call *c) {
  pn_value_id operands[3] = {pn_onnx_input(c, 0), pn_onnx_input(c, 1)};
  pn_attrs_dft *a;
  int64_t axis;
  PN_TRY(dft_attrs(c, &a));
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 1, &axis, c->diag));
  PN_TRY(pn_onnx_i64s_constant(c, &axis, 1, &operands[2]));
  return pn_onnx_map_over(c, PN_OP_DFT, a, operands, 3);
}

static pelton_status import_dft(pn_onnx_call *c) {
  pn_attrs_dft *a;
  PN_TRY(dft_attrs(c, &a));
  return pn_onnx_map(c, PN_OP_DFT, a);
}

/* ---- STFT -------------------------------------------------------------------------------------------------------- */

/* 0, 1, ... up to |limit|, an i64. */
static pelton_status count_to(pn_onnx_call *c, pn_value_id limit, pn_value_id *out) {
  pn_value_id operands[3] = {PN_NO_VALUE, limit};
  PN_TRY(pn_onnx_scalar(c, PELTON_DTYPE_I64, 0, &operands[0]));
  PN_TRY(pn_onnx_scalar(c, PELTON_DTYPE_I64, 1, &operands[2]));
  return pn_onnx_add(c, PN_OP_RANGE, NULL, operands, 3, 1, out);
}

static pelton_status extent_of(pn_onnx_call *c, pn_value_id x, int64_t axis, pn_value_id *out) {
  pn_attrs_shape_of *a = pn_onnx_attrs(c, PN_OP_SHAPE_OF);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->start = axis;
  a->end = axis + 1;
  return pn_onnx_add(c, PN_OP_SHAPE_OF, a, &x, 1, 1, out);
}

/* |x|, of one axis, as a column. */
static pelton_status column_of(pn_onnx_call *c, pn_value_id x, pn_value_id *out) {
  static const int64_t axis = 1;
  pn_value_id operands[2] = {x};
  PN_TRY(pn_onnx_i64s_constant(c, &axis, 1, &operands[1]));
  return pn_onnx_add(c, PN_OP_UNSQUEEZE, NULL, operands, 2, 1, out);
}

/* Where the frames' samples lie in the signal: [frames, length], frame * step + place. */
static pelton_status places_of_frames(pn_onnx_call *c, pn_value_id length, pn_value_id *out) {
  pn_value_id operands[3] = {PN_NO_VALUE, length}, places[2];
  PN_TRY(extent_of(c, c->inputs[0], 1, &operands[0]));
  PN_TRY(pn_onnx_cast(c, c->inputs[1], PELTON_DTYPE_I64, &operands[2]));
  PN_TRY(pn_onnx_pointwise(c, "add(div(sub(x0,x1),x2),1:i64)", operands, 3, &places[0]));
  PN_TRY(count_to(c, places[0], &operands[0]));
  operands[1] = operands[2];
  PN_TRY(pn_onnx_pointwise(c, "mul(x0,x1)", operands, 2, &places[0]));
  PN_TRY(column_of(c, places[0], &places[0]));
  PN_TRY(count_to(c, length, &places[1]));
  return pn_onnx_pointwise(c, "add(x0,x1)", places, 2, out);
}

/* Frames of the signal [N,samples,1 or 2], each times the window, then their transforms. */
static pelton_status import_stft(pn_onnx_call *c) {
  pn_attrs_gather *gather = pn_onnx_attrs(c, PN_OP_GATHER);
  pn_attrs_dft *a = pn_onnx_attrs(c, PN_OP_DFT);
  pn_value_id operands[2], length;
  if (!gather || !a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants_inputs(c, 2));
  PN_TRY(pn_onnx_attr_bool(c->node, "onesided", true, &a->onesided, c->diag));
  if (pn_onnx_has(c, 2)) PN_TRY(extent_of(c, c->inputs[2], 0, &length));
  else if (pn_onnx_has(c, 3)) PN_TRY(pn_onnx_cast(c, c->inputs[3], PELTON_DTYPE_I64, &length));
  else PN_TRY(extent_of(c, c->inputs[0], 1, &length));
  gather->axis = 1;
  operands[0] = c->inputs[0];
  PN_TRY(places_of_frames(c, length, &operands[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_GATHER, gather, operands, 2, 1, &operands[0]));
  if (pn_onnx_has(c, 2)) {
    PN_TRY(column_of(c, c->inputs[2], &operands[1]));
    PN_TRY(pn_onnx_pointwise(c, "mul(x0,x1)", operands, 2, &operands[0]));
  }
  return pn_onnx_map_over(c, PN_OP_DFT, a, operands, 1);
}

/* ---- MelWeightMatrix --------------------------------------------------------------------------------------------- */

/* The edges of the triangles, evenly spaced on the mel scale, as numbers of spectrum bins: [bands + 2]. On a scale of
   log(1 + hertz / 700) its factor does not matter. */
static pelton_status mel_edges(pn_onnx_call *c, pn_value_id *out) {
  enum { BANDS, LENGTH, RATE, LOW, HIGH };
  pn_value_id operands[6], edges;
  PN_TRY(pn_onnx_cast(c, c->inputs[BANDS], PELTON_DTYPE_I64, &edges));
  PN_TRY(pn_onnx_pointwise(c, "add(x0,2:i64)", &edges, 1, &edges));
  PN_TRY(count_to(c, edges, &operands[5]));
  PN_TRY(pn_onnx_cast(c, operands[5], PELTON_DTYPE_F64, &operands[5]));
  for (uint32_t i = BANDS; i <= HIGH; i++) PN_TRY(pn_onnx_cast(c, c->inputs[i], PELTON_DTYPE_F64, &operands[i]));
  return pn_onnx_pointwise(c,
                           "t0=log(add(1:%T,div(x3,700:%T)));t1=log(add(1:%T,div(x4,700:%T)));"
                           "t2=mul(700:%T,sub(exp(add(t0,mul(x5,div(sub(t1,t0),add(x0,2:%T))))),1:%T));"
                           "floor(div(mul(add(x1,1:%T),t2),x2))",
                           operands, 6, out);
}

static pelton_status slice_edges(pn_onnx_call *c, pn_value_id edges, int64_t start, int64_t end, pn_value_id *out) {
  pn_value_id operands[3] = {edges};
  PN_TRY(pn_onnx_i64s_constant(c, &start, 1, &operands[1]));
  PN_TRY(pn_onnx_i64s_constant(c, &end, 1, &operands[2]));
  return pn_onnx_add(c, PN_OP_SLICE, NULL, operands, 3, 1, out);
}

/* A triangle a band: up from its left edge to 1 at its centre, down to its right edge. */
static pelton_status import_mel_weight_matrix(pn_onnx_call *c) {
  pelton_dtype dtype = PELTON_DTYPE_F32;
  pn_value_id edges, operands[4]; /* bin, left, centre, right */
  PN_TRY(wants_inputs(c, 5));
  PN_TRY(pn_onnx_elem_attr(c, "output_datatype", &dtype));
  PN_TRY(mel_edges(c, &edges));
  PN_TRY(slice_edges(c, edges, 0, -2, &operands[1]));
  PN_TRY(slice_edges(c, edges, 1, -1, &operands[2]));
  PN_TRY(slice_edges(c, edges, 2, INT64_MAX, &operands[3]));
  PN_TRY(pn_onnx_cast(c, c->inputs[1], PELTON_DTYPE_I64, &operands[0]));
  PN_TRY(pn_onnx_pointwise(c, "add(div(x0,2:i64),1:i64)", operands, 1, &operands[0]));
  PN_TRY(count_to(c, operands[0], &operands[0]));
  PN_TRY(pn_onnx_cast(c, operands[0], PELTON_DTYPE_F64, &operands[0]));
  PN_TRY(column_of(c, operands[0], &operands[0]));
  PN_TRY(pn_onnx_pointwise(c,
                           "t0=select(and(less_equal(x1,x0),less(x0,x2)),div(sub(x0,x1),sub(x2,x1)),0:%T);"
                           "t1=select(and(less(x2,x0),less(x0,x3)),div(sub(x3,x0),sub(x3,x2)),t0);"
                           "select(equal(x0,x2),1:%T,t1)",
                           operands, 4, &c->outputs[0]));
  return pn_onnx_cast(c, c->outputs[0], dtype, &c->outputs[0]);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"DFT", "", 17, 19, import_dft_17},
    {"DFT", "", 20, 0, import_dft},
    {"MelWeightMatrix", "", 17, 0, import_mel_weight_matrix},
    {"STFT", "", 17, 0, import_stft},
};

const pn_onnx_ops pn_onnx_ops_signal = {rows, (uint32_t)PN_COUNT(rows)};
