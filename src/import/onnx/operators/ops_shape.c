/* Operators that move elements or change shapes. What newer versions take as an operand was an attribute before: it
   becomes a constant operand here. */
#include "import/onnx/importer.h"

/* The operand |value| and the attribute |name| as a second one; no second one when it is absent. */
static pelton_status map_with_ints(pn_onnx_call *c, pn_op op, const void *attrs, const char *name) {
  pn_value_id operands[2] = {pn_onnx_input(c, 0), PN_NO_VALUE};
  pn_i64s list;
  if (pn_onnx_attr_find(c->node, name)) {
    PN_TRY(pn_onnx_ints(c, name, &list));
    PN_TRY(pn_onnx_i64s_constant(c, list.data, list.count, &operands[1]));
  }
  return pn_onnx_map_over(c, op, attrs, operands, pn_value_valid(operands[1]) ? 2 : 1);
}

/* ---- views ------------------------------------------------------------------------------------------------------- */

static pelton_status import_reshape_1(pn_onnx_call *c) {
  PN_TRY(pn_onnx_attr_require(c->node, "shape", c->diag));
  return map_with_ints(c, PN_OP_RESHAPE, NULL, "shape");
}

static pelton_status import_reshape(pn_onnx_call *c) {
  pn_attrs_reshape *a = pn_onnx_attrs(c, PN_OP_RESHAPE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_bool(c->node, "allowzero", false, &a->allow_zero, c->diag));
  /* Converters of versions write one number as a constant without dimensions. */
  if (pn_onnx_rank_known(c, 1) && pn_onnx_type_of(c, c->inputs[1])->rank != 1 &&
      !pn_onnx_constant_data(c, c->inputs[1]))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its shape has %d dimensions, but must have 1",
                   (int)pn_onnx_type_of(c, c->inputs[1])->rank);
  return pn_onnx_map(c, PN_OP_RESHAPE, a);
}

static pelton_status import_flatten(pn_onnx_call *c) {
  pn_attrs_flatten *a = pn_onnx_attrs(c, PN_OP_FLATTEN);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 1, &a->axis, c->diag));
  return pn_onnx_map(c, PN_OP_FLATTEN, a);
}

static pelton_status import_squeeze_1(pn_onnx_call *c) { return map_with_ints(c, PN_OP_SQUEEZE, NULL, "axes"); }
static pelton_status import_squeeze(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_SQUEEZE, NULL); }

static pelton_status import_unsqueeze_1(pn_onnx_call *c) {
  PN_TRY(pn_onnx_attr_require(c->node, "axes", c->diag));
  return map_with_ints(c, PN_OP_UNSQUEEZE, NULL, "axes");
}
static pelton_status import_unsqueeze(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_UNSQUEEZE, NULL); }

static pelton_status import_bit_cast(pn_onnx_call *c) {
  pn_attrs_bitcast *a = pn_onnx_attrs(c, PN_OP_BITCAST);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "to", c->diag));
  PN_TRY(pn_onnx_elem_attr(c, "to", &a->to));
  return pn_onnx_map(c, PN_OP_BITCAST, a);
}

/* ---- moves ------------------------------------------------------------------------------------------------------- */

static pelton_status import_transpose(pn_onnx_call *c) {
  pn_attrs_transpose *a = pn_onnx_attrs(c, PN_OP_TRANSPOSE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_ints(c, "perm", &a->perm));
  return pn_onnx_map(c, PN_OP_TRANSPOSE, a);
}

static pelton_status import_expand(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_EXPAND, NULL); }
static pelton_status import_tile(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_TILE, NULL); }

static pelton_status import_slice_1(pn_onnx_call *c) {
  static const char *const names[] = {"starts", "ends", "axes"};
  pn_value_id operands[4] = {pn_onnx_input(c, 0), PN_NO_VALUE, PN_NO_VALUE, PN_NO_VALUE};
  PN_TRY(pn_onnx_attr_require(c->node, "starts", c->diag));
  PN_TRY(pn_onnx_attr_require(c->node, "ends", c->diag));
  for (uint32_t i = 0; i < PN_COUNT(names); i++) {
    pn_i64s list;
    if (!pn_onnx_attr_find(c->node, names[i])) continue;
    PN_TRY(pn_onnx_ints(c, names[i], &list));
    PN_TRY(pn_onnx_i64s_constant(c, list.data, list.count, &operands[i + 1]));
  }
  return pn_onnx_map_over(c, PN_OP_SLICE, NULL, operands, 4);
}
static pelton_status import_slice(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_SLICE, NULL); }

static pelton_status split_attrs(const pn_onnx_call *c, pn_attrs_split **out) {
  *out = pn_onnx_attrs(c, PN_OP_SPLIT);
  if (!*out) return pn_fail_memory(c->diag, "a node");
  return pn_onnx_attr_i64(c->node, "axis", 0, &(*out)->axis, c->diag);
}
static pelton_status import_split_2(pn_onnx_call *c) {
  pn_attrs_split *a;
  PN_TRY(split_attrs(c, &a));
  return map_with_ints(c, PN_OP_SPLIT, a, "split");
}
/* num_outputs of version 18 says again how many results there are. */
static pelton_status import_split(pn_onnx_call *c) {
  pn_attrs_split *a;
  int64_t parts;
  PN_TRY(split_attrs(c, &a));
  PN_TRY(pn_onnx_attr_i64(c->node, "num_outputs", c->output_count, &parts, c->diag));
  if (parts != c->output_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"num_outputs\" is %lld, but it has %u results",
                   (long long)parts, c->output_count);
  return pn_onnx_map(c, PN_OP_SPLIT, a);
}

static pelton_status import_concat_1(pn_onnx_call *c) {
  pn_attrs_concat *a = pn_onnx_attrs(c, PN_OP_CONCAT);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", 1, &a->axis, c->diag));
  return pn_onnx_map(c, PN_OP_CONCAT, a);
}
/* From version 4 on the axis has no default. */
static pelton_status import_concat(pn_onnx_call *c) {
  PN_TRY(pn_onnx_attr_require(c->node, "axis", c->diag));
  return import_concat_1(c);
}

/* ---- Pad --------------------------------------------------------------------------------------------------------- */

static pelton_status pad_attrs(const pn_onnx_call *c, pn_attrs_pad **out) {
  static const char *const words[] = {PN_ENUM_pad_mode(PN_ENUM_TEXT) NULL};
  int mode = PN_PAD_CONSTANT;
  *out = pn_onnx_attrs(c, PN_OP_PAD);
  if (!*out) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_word(c, "mode", words, &mode));
  (*out)->mode = (pn_pad_mode)mode;
  return PELTON_OK;
}

/* Until version 11 the pads are an attribute, |name|, and so is the value. */
static pelton_status pad_by_attributes(pn_onnx_call *c, const char *name) {
  pn_value_id operands[3] = {pn_onnx_input(c, 0), PN_NO_VALUE, PN_NO_VALUE};
  pn_attrs_pad *a;
  pn_i64s pads;
  float value;
  PN_TRY(pad_attrs(c, &a));
  PN_TRY(pn_onnx_attr_require(c->node, name, c->diag));
  PN_TRY(pn_onnx_ints(c, name, &pads));
  PN_TRY(pn_onnx_i64s_constant(c, pads.data, pads.count, &operands[1]));
  PN_TRY(pn_onnx_attr_f32(c->node, "value", 0.0f, &value, c->diag));
  if (value != 0) PN_TRY(pn_onnx_scalar(c, pn_onnx_dtype(c, 0), (double)value, &operands[2]));
  return pn_onnx_map_over(c, PN_OP_PAD, a, operands, 3);
}
static pelton_status import_pad_1(pn_onnx_call *c) { return pad_by_attributes(c, "paddings"); }
static pelton_status import_pad_2(pn_onnx_call *c) { return pad_by_attributes(c, "pads"); }

static pelton_status import_pad(pn_onnx_call *c) {
  pn_attrs_pad *a;
  PN_TRY(pad_attrs(c, &a));
  return pn_onnx_map(c, PN_OP_PAD, a);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static pelton_status import_depth_to_space(pn_onnx_call *c) {
  static const char *const words[] = {PN_ENUM_depth_mode(PN_ENUM_TEXT) NULL};
  int mode = PN_DEPTH_DCR;
  pn_attrs_depth_to_space *a = pn_onnx_attrs(c, PN_OP_DEPTH_TO_SPACE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "blocksize", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "blocksize", 1, &a->block, c->diag));
  PN_TRY(pn_onnx_word(c, "mode", words, &mode));
  a->mode = (pn_depth_mode)mode;
  return pn_onnx_map(c, PN_OP_DEPTH_TO_SPACE, a);
}

static pelton_status import_space_to_depth(pn_onnx_call *c) {
  static const char *const words[] = {PN_ENUM_depth_mode(PN_ENUM_TEXT) NULL};
  int mode = PN_DEPTH_DCR;
  pn_attrs_space_to_depth *a = pn_onnx_attrs(c, PN_OP_SPACE_TO_DEPTH);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "blocksize", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "blocksize", 1, &a->block, c->diag));
  PN_TRY(pn_onnx_word(c, "mode", words, &mode));
  a->mode = (pn_depth_mode)mode;
  return pn_onnx_map(c, PN_OP_SPACE_TO_DEPTH, a);
}

/* ---- CenterCropPad ----------------------------------------------------------------------------------------------- */

/* A slice that keeps the middle of what is too long, then zeros around what is too short, by shape arithmetic that
   folds where the extents are known: of extents d and wanted t, the cut starts at max((d-t)/2, 0) and is min(d, t)
   long. */
static pelton_status import_center_crop_pad(pn_onnx_call *c) {
  pn_attrs_concat *behind = pn_onnx_attrs(c, PN_OP_CONCAT);
  pn_value_id sides[2], slice[4], pad[4] = {PN_NO_VALUE, PN_NO_VALUE, PN_NO_VALUE, PN_NO_VALUE}, ends[2], cut, axes;
  pn_i64s list;
  uint32_t rank;
  if (!behind) return pn_fail_memory(c->diag, "a node");
  if (c->input_count != 2 || !pn_onnx_has(c, 1)) return pn_fail(c->diag, PELTON_INVALID_DATA, "it must have 2 inputs");
  PN_TRY(pn_onnx_rank(c, 0, &rank));
  PN_TRY(pn_onnx_ints(c, "axes", &list));
  int64_t each[PN_MAX_RANK];
  if (list.count > rank)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u axes for %u dimensions", list.count, rank);
  for (uint32_t i = 0; i < rank; i++) {
    each[i] = i < list.count ? list.data[i] : i;
    if (each[i] < 0) each[i] += rank;
  }
  PN_TRY(pn_onnx_i64s_constant(c, each, list.count ? list.count : rank, &axes));
  PN_TRY(pn_onnx_add(c, PN_OP_SHAPE_OF, NULL, &c->inputs[0], 1, 1, &cut));
  const pn_value_id picked[2] = {cut, axes};
  PN_TRY(pn_onnx_add(c, PN_OP_GATHER, NULL, picked, 2, 1, &sides[0]));
  PN_TRY(pn_onnx_cast(c, c->inputs[1], PELTON_DTYPE_I64, &sides[1]));

  slice[0] = c->inputs[0];
  slice[3] = axes;
  PN_TRY(pn_onnx_pointwise(c, "max(div(sub(x0,x1),2:i64),0:i64)", sides, 2, &slice[1]));
  PN_TRY(pn_onnx_pointwise(c, "add(max(div(sub(x0,x1),2:i64),0:i64),min(x0,x1))", sides, 2, &slice[2]));
  PN_TRY(pn_onnx_add(c, PN_OP_SLICE, NULL, slice, 4, 1, &pad[0]));

  PN_TRY(pn_onnx_pointwise(c, "max(div(sub(x1,x0),2:i64),0:i64)", sides, 2, &ends[0]));
  PN_TRY(pn_onnx_pointwise(c, "sub(max(sub(x1,x0),0:i64),max(div(sub(x1,x0),2:i64),0:i64))", sides, 2, &ends[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_CONCAT, behind, ends, 2, 1, &pad[1]));
  pad[3] = axes;
  return pn_onnx_map_over(c, PN_OP_PAD, NULL, pad, 4);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"BitCast", "", 26, 0, import_bit_cast},
    {"CenterCropPad", "", 18, 0, import_center_crop_pad},
    {"Concat", "", 1, 3, import_concat_1},
    {"Concat", "", 4, 0, import_concat},
    {"DepthToSpace", "", 1, 0, import_depth_to_space},
    {"Expand", "", 8, 0, import_expand},
    {"Flatten", "", 1, 0, import_flatten},
    {"Pad", "", 1, 1, import_pad_1},
    {"Pad", "", 2, 10, import_pad_2},
    {"Pad", "", 11, 0, import_pad},
    {"Reshape", "", 1, 4, import_reshape_1},
    {"Reshape", "", 5, 0, import_reshape},
    {"Slice", "", 1, 9, import_slice_1},
    {"Slice", "", 10, 0, import_slice},
    {"SpaceToDepth", "", 1, 0, import_space_to_depth},
    {"Split", "", 2, 12, import_split_2},
    {"Split", "", 13, 0, import_split},
    {"Squeeze", "", 1, 12, import_squeeze_1},
    {"Squeeze", "", 13, 0, import_squeeze},
    {"Tile", "", 6, 0, import_tile},
    {"Transpose", "", 1, 0, import_transpose},
    {"Unsqueeze", "", 1, 12, import_unsqueeze_1},
    {"Unsqueeze", "", 13, 0, import_unsqueeze},
};

const pn_onnx_ops pn_onnx_ops_shape = {rows, (uint32_t)PN_COUNT(rows)};
