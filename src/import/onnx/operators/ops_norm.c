/* Softmax and the normalisations. */
#include "import/onnx/importer.h"

#include <inttypes.h>

static pelton_status missing(const pn_onnx_call *c, uint32_t i) {
  return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
}

/* A node with one result, the ONNX node's first; further results that the ONNX node names must be set by the caller. */
static pelton_status map_single(pn_onnx_call *c, pn_op op, const void *attrs, const pn_value_id *inputs,
                                uint32_t count) {
  return pn_onnx_add(c, op, attrs, inputs, count, 1, &c->outputs[0]);
}

/* ---- Softmax, LogSoftmax ----------------------------------------------------------------------------------------- */

static pelton_status softmax_attrs(const pn_onnx_call *c, int64_t axis, pn_attrs_softmax **out) {
  *out = pn_onnx_attrs(c, PN_OP_SOFTMAX);
  if (!*out) return pn_fail_memory(c->diag, "a node");
  (*out)->log = pn_str_is(c->node->op_type, "LogSoftmax");
  return pn_onnx_attr_i64(c->node, "axis", axis, &(*out)->axis, c->diag);
}

static pelton_status import_softmax(pn_onnx_call *c) {
  pn_attrs_softmax *a;
  PN_TRY(softmax_attrs(c, -1, &a));
  return pn_onnx_map(c, PN_OP_SOFTMAX, a);
}

/* True when all extents behind |axis| are 1: then it makes no difference that older versions took them in. */
static bool nothing_behind(const pn_type *type, int64_t axis) {
  if (type->rank == PN_RANK_UNKNOWN) return false;
  if (axis < 0) axis += type->rank;
  if (axis < 0 || axis >= type->rank) return false;
  for (int64_t i = axis + 1; i < type->rank; i++)
    if (!pn_dim_is(type->dims[i], 1)) return false;
  return true;
}

/* Before version 13 the axis split the dimensions in two: one sum over all from |axis| on. */
static pelton_status import_softmax_1(pn_onnx_call *c) {
  pn_attrs_flatten *flatten = pn_onnx_attrs(c, PN_OP_FLATTEN);
  pn_value_id flat, result[2];
  pn_attrs_softmax *a;
  if (!flatten) return pn_fail_memory(c->diag, "a node");
  if (!pn_onnx_has(c, 0)) return missing(c, 0);
  PN_TRY(softmax_attrs(c, 1, &a));
  if (nothing_behind(pn_onnx_type_of(c, c->inputs[0]), a->axis)) return pn_onnx_map(c, PN_OP_SOFTMAX, a);
  flatten->axis = a->axis;
  a->axis = -1;
  PN_TRY(pn_onnx_add(c, PN_OP_FLATTEN, flatten, &c->inputs[0], 1, 1, &flat));
  PN_TRY(pn_onnx_add(c, PN_OP_SOFTMAX, a, &flat, 1, 1, &result[0]));
  PN_TRY(pn_onnx_add(c, PN_OP_SHAPE_OF, NULL, &c->inputs[0], 1, 1, &result[1]));
  return pn_onnx_map_over(c, PN_OP_RESHAPE, NULL, result, 2);
}

/* ---- BatchNormalization ------------------------------------------------------------------------------------------ */

static pelton_status batch_norm_attrs(const pn_onnx_call *c, pn_attrs_batch_norm **out) {
  pn_attrs_batch_norm *a = *out = pn_onnx_attrs(c, PN_OP_BATCH_NORM);
  if (!a) return pn_fail_memory(c->diag, "a node");
  if (c->input_count != 5)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have 5", c->input_count);
  for (uint32_t i = 0; i < 5; i++)
    if (!pn_onnx_has(c, i)) return missing(c, i);
  PN_TRY(pn_onnx_attr_f32(c->node, "epsilon", 1e-5f, &a->epsilon, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "momentum", 0.9f, &a->momentum, c->diag));
  return pn_onnx_attr_bool(c->node, "training_mode", false, &a->training, c->diag);
}

/* Until version 13 further results meant training, with a variance that was never agreed upon. Without |spatial| every
   place has statistics of its own, whose shapes are x's without the batch. */
static pelton_status import_batch_norm_1(pn_onnx_call *c) {
  pn_attrs_batch_norm *a;
  bool spatial;
  PN_TRY(batch_norm_attrs(c, &a));
  PN_TRY(pn_onnx_attr_bool(c->node, "spatial", true, &spatial, c->diag));
  for (uint32_t i = 1; i < c->output_count; i++)
    if (pn_onnx_wants(c, i))
      return pn_fail(c->diag, PELTON_UNSUPPORTED, "it trains, in a version before 14; export the model for inference");
  if (spatial) return map_single(c, PN_OP_BATCH_NORM, a, c->inputs, 5);
  const double epsilon = (double)a->epsilon;
  return pn_onnx_formula(c, "add(mul(div(sub(x0,x3),sqrt(add(x4,%0))),x1),x2)", &epsilon, c->inputs, 5, &c->outputs[0]);
}

static pelton_status import_batch_norm(pn_onnx_call *c) {
  pn_attrs_batch_norm *a;
  PN_TRY(batch_norm_attrs(c, &a));
  return a->training ? pn_onnx_map(c, PN_OP_BATCH_NORM, a) : map_single(c, PN_OP_BATCH_NORM, a, c->inputs, 5);
}

/* ---- InstanceNormalization, GroupNormalization ------------------------------------------------------------------- */

static pelton_status import_instance_norm(pn_onnx_call *c) {
  pn_attrs_group_norm *a = pn_onnx_attrs(c, PN_OP_GROUP_NORM);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_f32(c->node, "epsilon", 1e-5f, &a->epsilon, c->diag));
  return pn_onnx_map(c, PN_OP_GROUP_NORM, a);
}

static pelton_status group_norm_attrs(const pn_onnx_call *c, pn_attrs_group_norm **out) {
  pn_attrs_group_norm *a = *out = pn_onnx_attrs(c, PN_OP_GROUP_NORM);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "num_groups", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "num_groups", 1, &a->groups, c->diag));
  if (a->groups < 1)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"num_groups\" is %" PRId64 ", but must be 1 or more",
                   a->groups);
  return pn_onnx_attr_f32(c->node, "epsilon", 1e-5f, &a->epsilon, c->diag);
}

/* |value|, an element a group, repeated for each channel of the group: [groups] to [groups, channels / groups] to
   [channels]. */
static pelton_status repeat_for_channels(pn_onnx_call *c, pn_value_id value, pn_value_id shape, pn_value_id *out) {
  static const int64_t one = 1, minus_one = -1;
  pn_value_id operands[2] = {value, PN_NO_VALUE};
  PN_TRY(pn_onnx_i64s_constant(c, &one, 1, &operands[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_UNSQUEEZE, NULL, operands, 2, 1, &operands[0]));
  operands[1] = shape;
  PN_TRY(pn_onnx_add(c, PN_OP_EXPAND, NULL, operands, 2, 1, &operands[0]));
  PN_TRY(pn_onnx_i64s_constant(c, &minus_one, 1, &operands[1]));
  return pn_onnx_add(c, PN_OP_RESHAPE, NULL, operands, 2, 1, out);
}

/* Version 18 had a scale and a bias for each group. */
static pelton_status import_group_norm_18(pn_onnx_call *c) {
  pn_attrs_shape_of *channels = pn_onnx_attrs(c, PN_OP_SHAPE_OF);
  pn_value_id operands[3], shape[2];
  pn_attrs_group_norm *a;
  if (!channels) return pn_fail_memory(c->diag, "a node");
  PN_TRY(group_norm_attrs(c, &a));
  for (uint32_t i = 0; i < 3; i++)
    if (!pn_onnx_has(c, i)) return missing(c, i);
  const double groups = (double)a->groups;
  channels->start = 1;
  channels->end = 2;
  PN_TRY(pn_onnx_add(c, PN_OP_SHAPE_OF, channels, &c->inputs[0], 1, 1, &shape[1]));
  PN_TRY(pn_onnx_formula(c, "div(x0,%0)", &groups, &shape[1], 1, &shape[1]));
  PN_TRY(pn_onnx_i64s_constant(c, &a->groups, 1, &shape[0]));
  PN_TRY(pn_onnx_add(c, PN_OP_CONCAT, NULL, shape, 2, 1, &shape[0]));
  operands[0] = c->inputs[0];
  for (uint32_t i = 1; i < 3; i++) PN_TRY(repeat_for_channels(c, c->inputs[i], shape[0], &operands[i]));
  return pn_onnx_map_over(c, PN_OP_GROUP_NORM, a, operands, 3);
}

static pelton_status import_group_norm(pn_onnx_call *c) {
  pn_attrs_group_norm *a;
  PN_TRY(group_norm_attrs(c, &a));
  return pn_onnx_map(c, PN_OP_GROUP_NORM, a);
}

/* ---- LayerNormalization, RMSNormalization ------------------------------------------------------------------------ */

/* |stash_type| is the type of the statistics that are given out; it also bounds the precision of the computation from
   below, which is never less than f32 here. */
static pelton_status import_layer_norm(pn_onnx_call *c) {
  pn_attrs_layer_norm *a = pn_onnx_attrs(c, PN_OP_LAYER_NORM);
  pelton_dtype stash = PELTON_DTYPE_F32;
  if (!a) return pn_fail_memory(c->diag, "a node");
  if (pn_str_is(c->node->op_type, "RMSNormalization")) a->kind = PN_NORM_RMS;
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", -1, &a->axis, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "epsilon", 1e-5f, &a->epsilon, c->diag));
  PN_TRY(pn_onnx_elem_attr(c, "stash_type", &stash));
  PN_TRY(pn_onnx_map(c, PN_OP_LAYER_NORM, a));
  for (uint32_t i = 1; i < c->output_count; i++)
    if (pn_onnx_wants(c, i)) PN_TRY(pn_onnx_cast(c, c->outputs[i], stash, &c->outputs[i]));
  return PELTON_OK;
}

/* ---- LpNormalization, LRN, MeanVarianceNormalization ------------------------------------------------------------- */

static pelton_status import_lp_norm(pn_onnx_call *c) {
  pn_attrs_lp_norm *a = pn_onnx_attrs(c, PN_OP_LP_NORM);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", -1, &a->axis, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "p", 2, &a->p, c->diag));
  return pn_onnx_map(c, PN_OP_LP_NORM, a);
}

static pelton_status import_lrn(pn_onnx_call *c) {
  pn_attrs_lrn *a = pn_onnx_attrs(c, PN_OP_LRN);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "size", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "size", 1, &a->size, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "alpha", 0.0001f, &a->alpha, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "beta", 0.75f, &a->beta, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "bias", 1.0f, &a->bias, c->diag));
  return pn_onnx_map(c, PN_OP_LRN, a);
}

static pelton_status mean_over(pn_onnx_call *c, pn_value_id x, pn_value_id axes, pn_value_id *out) {
  const pn_value_id operands[2] = {x, axes};
  pn_attrs_reduce *a = pn_onnx_attrs(c, PN_OP_REDUCE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->kind = PN_REDUCE_MEAN;
  return pn_onnx_add(c, PN_OP_REDUCE, a, operands, 2, 1, out);
}

/* The variance is the mean of squares of what is centred already: ONNX's difference of means would cancel. */
static pelton_status import_mean_variance_norm(pn_onnx_call *c) {
  static const int64_t usual[] = {0, 2, 3};
  const bool given = pn_onnx_attr_find(c->node, "axes") != NULL;
  const double epsilon = 1e-9;
  pn_value_id axes, operands[2];
  pn_i64s list;
  if (!pn_onnx_has(c, 0)) return missing(c, 0);
  PN_TRY(pn_onnx_ints(c, "axes", &list));
  PN_TRY(pn_onnx_i64s_constant(c, given ? list.data : usual, given ? list.count : (uint32_t)PN_COUNT(usual), &axes));
  operands[0] = c->inputs[0];
  PN_TRY(mean_over(c, operands[0], axes, &operands[1]));
  PN_TRY(pn_onnx_pointwise(c, "sub(x0,x1)", operands, 2, &operands[0]));
  PN_TRY(pn_onnx_pointwise(c, "square(x0)", operands, 1, &operands[1]));
  PN_TRY(mean_over(c, operands[1], axes, &operands[1]));
  return pn_onnx_formula(c, "div(x0,add(sqrt(x1),%0))", &epsilon, operands, 2, &c->outputs[0]);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* LayerNormalization stands in files of older operator sets too: a runtime added it there before ONNX did. */
static const pn_onnx_op rows[] = {
    {"BatchNormalization", "", 1, 13, import_batch_norm_1},
    {"BatchNormalization", "", 14, 0, import_batch_norm},
    {"GroupNormalization", "", 18, 20, import_group_norm_18},
    {"GroupNormalization", "", 21, 0, import_group_norm},
    {"InstanceNormalization", "", 1, 0, import_instance_norm},
    {"LRN", "", 1, 0, import_lrn},
    {"LayerNormalization", "", 1, 0, import_layer_norm},
    {"LogSoftmax", "", 1, 12, import_softmax_1},
    {"LogSoftmax", "", 13, 0, import_softmax},
    {"LpNormalization", "", 1, 0, import_lp_norm},
    {"MeanVarianceNormalization", "", 9, 0, import_mean_variance_norm},
    {"RMSNormalization", "", 23, 0, import_layer_norm},
    {"Softmax", "", 1, 12, import_softmax_1},
    {"Softmax", "", 13, 0, import_softmax},
};

const pn_onnx_ops pn_onnx_ops_norm = {rows, (uint32_t)PN_COUNT(rows)};
