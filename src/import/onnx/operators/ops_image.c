/* Operators on pictures and feature maps: resizing, sampling at given places, regions of interest. */
#include "import/onnx/importer.h"

#include <inttypes.h>

/* ---- Resize ------------------------------------------------------------------------------------------------------ */

static const char *const modes[] = {PN_ENUM_resize_mode(PN_ENUM_TEXT) NULL};
static const char *const coordinates[] = {PN_ENUM_resize_coordinates(PN_ENUM_TEXT) NULL};
static const char *const roundings[] = {PN_ENUM_resize_rounding(PN_ENUM_TEXT) NULL};
static const char *const policies[] = {PN_ENUM_resize_policy(PN_ENUM_TEXT) NULL};

static pelton_status resize_attrs(const pn_onnx_call *c, pn_attrs_resize **out) {
  pn_attrs_resize *a = *out = pn_onnx_attrs(c, PN_OP_RESIZE);
  int mode = PN_RESIZE_NEAREST, coordinate = PN_COORD_HALF_PIXEL, rounding = PN_ROUND_PREFER_FLOOR,
      policy = PN_POLICY_STRETCH;
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_word(c, "mode", modes, &mode));
  PN_TRY(pn_onnx_word(c, "coordinate_transformation_mode", coordinates, &coordinate));
  PN_TRY(pn_onnx_word(c, "nearest_mode", roundings, &rounding));
  PN_TRY(pn_onnx_word(c, "keep_aspect_ratio_policy", policies, &policy));
  a->mode = (pn_resize_mode)mode;
  a->coordinates = (pn_resize_coordinates)coordinate;
  a->rounding = (pn_resize_rounding)rounding;
  a->policy = (pn_resize_policy)policy;
  PN_TRY(pn_onnx_attr_f32(c->node, "cubic_coeff_a", -0.75f, &a->cubic_a, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "extrapolation_value", 0.0f, &a->extrapolation, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "exclude_outside", false, &a->exclude_outside, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "antialias", false, &a->antialias, c->diag));
  return pn_onnx_ints(c, "axes", &a->axes);
}

/* Operand |i|; none when it has no elements, which is how files that could not leave it out say so. */
static pn_value_id unless_empty(const pn_onnx_call *c, uint32_t i) {
  if (!pn_onnx_has(c, i)) return PN_NO_VALUE;
  const pn_type *type = pn_onnx_type_of(c, c->inputs[i]);
  return type->rank == 1 && pn_dim_is(type->dims[0], 0) ? PN_NO_VALUE : c->inputs[i];
}

static pelton_status import_resize(pn_onnx_call *c) {
  pn_attrs_resize *a;
  PN_TRY(resize_attrs(c, &a));
  pn_value_id operands[4] = {pn_onnx_input(c, 0), unless_empty(c, 1), unless_empty(c, 2), unless_empty(c, 3)};
  if (a->coordinates != PN_COORD_TF_CROP_AND_RESIZE)
    operands[1] = PN_NO_VALUE; /* nothing else looks at it */
  else if (!pn_value_valid(operands[1]))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it crops, but its input 1 is missing");
  if (c->input_count > 4)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have 1 to 4", c->input_count);
  const bool scales = pn_value_valid(operands[2]), sizes = pn_value_valid(operands[3]);
  if (!scales && !sizes) return pn_fail(c->diag, PELTON_INVALID_DATA, "it has neither scales nor sizes");
  if (scales && sizes && pn_onnx_rank_known(c, 2) && pn_onnx_constant_data(c, operands[2]))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has both scales and sizes");
  if (sizes) operands[2] = PN_NO_VALUE;
  return pn_onnx_map_over(c, PN_OP_RESIZE, a, operands, sizes ? 4 : 3);
}

/* ---- Resize 10, Upsample: the place of an output is its index divided by the scale ------------------------------- */

static pelton_status scales_constant(pn_onnx_call *c, const float *scales, uint32_t count, pn_value_id *out) {
  const int64_t dims[1] = {count};
  const pn_type type = pn_type_make(PELTON_DTYPE_F32, 1, dims);
  *out = pn_graph_add_constant_copy(c->graph, c->name, &type, scales);
  return pn_value_valid(*out) ? PELTON_OK : pn_fail_memory(c->diag, "a constant");
}

static pelton_status resize_once(pn_onnx_call *c, pn_resize_mode mode, pn_resize_rounding rounding, pn_value_id x,
                                 pn_value_id scales, pn_value_id *out) {
  const pn_value_id operands[3] = {x, PN_NO_VALUE, scales};
  pn_attrs_resize *a = pn_onnx_attrs(c, PN_OP_RESIZE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->mode = mode;
  a->coordinates = PN_COORD_ASYMMETRIC;
  a->rounding = rounding;
  return pn_onnx_add(c, PN_OP_RESIZE, a, operands, 3, 1, out);
}

/* The words of versions before 11. */
static pelton_status mode_attr(const pn_onnx_call *c, pn_resize_mode *out) {
  static const char *const words[] = {"nearest", "linear", "bilinear", NULL};
  int mode = 0;
  PN_TRY(pn_onnx_word(c, "mode", words, &mode));
  *out = mode == 0 ? PN_RESIZE_NEAREST : PN_RESIZE_LINEAR;
  return PELTON_OK;
}

/* The nearest place is below an output that is enlarged, and above one that is shrunk: where |scales| has both, the
   axes are resized in two steps. */
static pelton_status resize_nearest_10(pn_onnx_call *c, const float *scales, uint32_t count) {
  float enlarge[PN_MAX_RANK], shrink[PN_MAX_RANK];
  bool enlarges = false, shrinks = false;
  pn_value_id x = c->inputs[0], factors;
  for (uint32_t i = 0; i < count; i++) {
    enlarge[i] = scales[i] > 1 ? scales[i] : 1;
    shrink[i] = scales[i] < 1 ? scales[i] : 1;
    enlarges |= scales[i] > 1;
    shrinks |= scales[i] < 1;
  }
  if (enlarges || !shrinks) {
    PN_TRY(scales_constant(c, enlarge, count, &factors));
    PN_TRY(resize_once(c, PN_RESIZE_NEAREST, PN_ROUND_FLOOR, x, factors, &x));
  }
  if (shrinks) {
    PN_TRY(scales_constant(c, shrink, count, &factors));
    PN_TRY(resize_once(c, PN_RESIZE_NEAREST, PN_ROUND_CEIL, x, factors, &x));
  }
  c->outputs[0] = x;
  return PELTON_OK;
}

static pelton_status import_resize_10(pn_onnx_call *c) {
  pn_resize_mode mode;
  if (c->input_count != 2 || !pn_onnx_has(c, 0) || !pn_onnx_has(c, 1))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it must have 2 inputs");
  PN_TRY(mode_attr(c, &mode));
  if (mode == PN_RESIZE_LINEAR) return resize_once(c, mode, PN_ROUND_FLOOR, c->inputs[0], c->inputs[1], &c->outputs[0]);
  const pn_type *type = pn_onnx_type_of(c, c->inputs[1]);
  const float *scales = pn_onnx_constant_data(c, c->inputs[1]);
  if (!scales)
    return pn_fail(c->diag, PELTON_UNSUPPORTED,
                   "scales that are known only at run time; in this version places are rounded up or down as they are "
                   "below or above "
                   "1: make them a constant, or convert the model to operator set 11 or later");
  if (type->dtype != PELTON_DTYPE_F32 || type->rank != 1 || type->dims[0].number > PN_MAX_RANK)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its scales are no list of f32, one for each dimension");
  return resize_nearest_10(c, scales, (uint32_t)type->dims[0].number);
}

static pelton_status import_upsample_7(pn_onnx_call *c) {
  pn_onnx_f32s scales;
  pn_resize_mode mode;
  pn_value_id factors;
  if (!pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 0 is missing");
  PN_TRY(mode_attr(c, &mode));
  PN_TRY(pn_onnx_attr_require(c->node, "scales", c->diag));
  PN_TRY(pn_onnx_attr_f32s(c->node, "scales", &scales, c->diag));
  PN_TRY(scales_constant(c, scales.data, scales.count, &factors));
  return resize_once(c, mode, PN_ROUND_FLOOR, c->inputs[0], factors, &c->outputs[0]);
}

/* It had two factors, of height and width. */
static pelton_status import_upsample_1(pn_onnx_call *c) {
  float factors[4] = {1, 1, 1, 1};
  uint32_t rank;
  pn_resize_mode mode;
  pn_value_id scales;
  PN_TRY(pn_onnx_rank(c, 0, &rank));
  if (rank != 4)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 0 has %u dimensions, but must have 4 in this version",
                   rank);
  PN_TRY(mode_attr(c, &mode));
  PN_TRY(pn_onnx_attr_require(c->node, "height_scale", c->diag));
  PN_TRY(pn_onnx_attr_require(c->node, "width_scale", c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "height_scale", 1, &factors[2], c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "width_scale", 1, &factors[3], c->diag));
  PN_TRY(scales_constant(c, factors, 4, &scales));
  return resize_once(c, mode, PN_ROUND_FLOOR, c->inputs[0], scales, &c->outputs[0]);
}

static pelton_status import_upsample(pn_onnx_call *c) {
  pn_resize_mode mode;
  if (c->input_count != 2 || !pn_onnx_has(c, 0) || !pn_onnx_has(c, 1))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it must have 2 inputs");
  PN_TRY(mode_attr(c, &mode));
  return resize_once(c, mode, PN_ROUND_FLOOR, c->inputs[0], c->inputs[1], &c->outputs[0]);
}

/* ---- ImageDecoder ------------------------------------------------------------------------------------------------ */

static pelton_status import_image_decoder(pn_onnx_call *c) {
  static const char *const words[] = {PN_ENUM_pixel_format(PN_ENUM_TEXT) NULL};
  int format = PN_PIXEL_RGB;
  pn_attrs_image_decode *a = pn_onnx_attrs(c, PN_OP_IMAGE_DECODE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_word(c, "pixel_format", words, &format));
  a->pixel_format = (pn_pixel_format)format;
  return pn_onnx_map(c, PN_OP_IMAGE_DECODE, a);
}

/* ---- GridSample, AffineGrid -------------------------------------------------------------------------------------- */

static pelton_status grid_sample(pn_onnx_call *c, const char *const *words) {
  static const char *const paddings[] = {PN_ENUM_grid_padding(PN_ENUM_TEXT) NULL};
  int mode = PN_RESIZE_LINEAR, padding = PN_GRID_ZEROS;
  pn_attrs_grid_sample *a = pn_onnx_attrs(c, PN_OP_GRID_SAMPLE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_word(c, "mode", words, &mode));
  PN_TRY(pn_onnx_word(c, "padding_mode", paddings, &padding));
  a->mode = (pn_resize_mode)mode;
  a->padding = (pn_grid_padding)padding;
  PN_TRY(pn_onnx_attr_bool(c->node, "align_corners", false, &a->align_corners, c->diag));
  return pn_onnx_map(c, PN_OP_GRID_SAMPLE, a);
}

/* Version 20 renamed the modes, as it took in more than two dimensions. */
static pelton_status import_grid_sample_16(pn_onnx_call *c) {
  static const char *const words[] = {"nearest", "bilinear", "bicubic", NULL};
  return grid_sample(c, words);
}
static pelton_status import_grid_sample(pn_onnx_call *c) { return grid_sample(c, modes); }

static pelton_status import_affine_grid(pn_onnx_call *c) {
  pn_attrs_affine_grid *a = pn_onnx_attrs(c, PN_OP_AFFINE_GRID);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_bool(c->node, "align_corners", false, &a->align_corners, c->diag));
  return pn_onnx_map(c, PN_OP_AFFINE_GRID, a);
}

/* ---- regions of interest ----------------------------------------------------------------------------------------- */

/* |without| is what a node without the attribute means: version 10 had none, and no half pixel for the input. */
static pelton_status roi_align(pn_onnx_call *c, pn_roi_coordinates without) {
  static const char *const kinds[] = {"avg", "max", NULL};
  static const char *const half_pixels[] = {PN_ENUM_roi_coordinates(PN_ENUM_TEXT) NULL};
  int mode = PN_ROI_AVERAGE, half_pixel = (int)without;
  pn_attrs_roi_align *a = pn_onnx_attrs(c, PN_OP_ROI_ALIGN);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_word(c, "mode", kinds, &mode));
  PN_TRY(pn_onnx_word(c, "coordinate_transformation_mode", half_pixels, &half_pixel));
  a->mode = (pn_roi_mode)mode;
  a->coordinates = (pn_roi_coordinates)half_pixel;
  PN_TRY(pn_onnx_attr_i64(c->node, "output_height", 1, &a->output_height, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "output_width", 1, &a->output_width, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "sampling_ratio", 0, &a->sampling_ratio, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "spatial_scale", 1.0f, &a->spatial_scale, c->diag));
  return pn_onnx_map(c, PN_OP_ROI_ALIGN, a);
}
static pelton_status import_roi_align_10(pn_onnx_call *c) { return roi_align(c, PN_ROI_OUTPUT_HALF_PIXEL); }
static pelton_status import_roi_align(pn_onnx_call *c) { return roi_align(c, PN_ROI_HALF_PIXEL); }

static pelton_status import_max_roi_pool(pn_onnx_call *c) {
  pn_i64s shape;
  pn_attrs_max_roi_pool *a = pn_onnx_attrs(c, PN_OP_MAX_ROI_POOL);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "pooled_shape", c->diag));
  PN_TRY(pn_onnx_ints(c, "pooled_shape", &shape));
  if (shape.count != 2)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"pooled_shape\" has %u numbers, but must have 2",
                   shape.count);
  a->output_height = shape.data[0];
  a->output_width = shape.data[1];
  PN_TRY(pn_onnx_attr_f32(c->node, "spatial_scale", 1.0f, &a->spatial_scale, c->diag));
  return pn_onnx_map(c, PN_OP_MAX_ROI_POOL, a);
}

/* ---- Col2Im ------------------------------------------------------------------------------------------------------ */

static pelton_status import_col2im(pn_onnx_call *c) {
  pn_attrs_col2im *a = pn_onnx_attrs(c, PN_OP_COL2IM);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_ints(c, "strides", &a->strides));
  PN_TRY(pn_onnx_ints(c, "pads", &a->pads));
  PN_TRY(pn_onnx_ints(c, "dilations", &a->dilations));
  return pn_onnx_map(c, PN_OP_COL2IM, a);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"AffineGrid", "", 20, 0, import_affine_grid},
    {"Col2Im", "", 18, 0, import_col2im},
    {"GridSample", "", 16, 19, import_grid_sample_16},
    {"GridSample", "", 20, 0, import_grid_sample},
    {"ImageDecoder", "", 20, 0, import_image_decoder},
    {"MaxRoiPool", "", 1, 0, import_max_roi_pool},
    {"Resize", "", 10, 10, import_resize_10},
    {"Resize", "", 11, 0, import_resize},
    {"RoiAlign", "", 10, 15, import_roi_align_10},
    {"RoiAlign", "", 16, 0, import_roi_align},
    {"Upsample", "", 1, 6, import_upsample_1},
    {"Upsample", "", 7, 8, import_upsample_7},
    {"Upsample", "", 9, 9, import_upsample},
};

const pn_onnx_ops pn_onnx_ops_image = {rows, (uint32_t)PN_COUNT(rows)};
