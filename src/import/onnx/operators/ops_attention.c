/* Attention and what stands around it in transformers. */
#include "import/onnx/importer.h"
#include "import/onnx/scope.h"

#include <inttypes.h>
#include <math.h>

/* Attribute |name|, a number of heads, which holds for operands of 3 dimensions: those of 4 have their heads apart. */
static pelton_status heads_attr(const pn_onnx_call *c, const char *name, int64_t *out) {
  PN_TRY(pn_onnx_attr_i64(c->node, name, 0, out, c->diag));
  if (pn_onnx_rank_known(c, 0) && pn_onnx_type_of(c, c->inputs[0])->rank == 4) *out = 0;
  return PELTON_OK;
}

static pelton_status attention_attrs(const pn_onnx_call *c, pn_attrs_attention **out) {
  float scale;
  pn_attrs_attention *a = *out = pn_onnx_attrs(c, PN_OP_ATTENTION);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(heads_attr(c, "q_num_heads", &a->q_heads));
  PN_TRY(heads_attr(c, "kv_num_heads", &a->kv_heads));
  PN_TRY(pn_onnx_attr_f32(c->node, "scale", 1.0f, &scale, c->diag));
  if (!(scale > 0)) /* 0 is how the IR says that there is none */
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "attribute \"scale\" is %g, which is not above 0", (double)scale);
  if (pn_onnx_attr_find(c->node, "scale")) a->scale = scale;
  PN_TRY(pn_onnx_attr_bool(c->node, "is_causal", false, &a->causal, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "softcap", 0.0f, &a->softcap, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "qk_matmul_output_mode", 0, &a->scores_mode, c->diag));
  if (a->scores_mode < 0 || a->scores_mode > 3)
    return pn_fail(c->diag, PELTON_INVALID_DATA,
                   "attribute \"qk_matmul_output_mode\" is %" PRId64 ", but must be 0 to 3", a->scores_mode);
  return pn_onnx_elem_attr(c, "softmax_precision", &a->softmax_dtype);
}

static pelton_status import_attention_23(pn_onnx_call *c) {
  pn_attrs_attention *a;
  PN_TRY(attention_attrs(c, &a));
  return pn_onnx_map(c, PN_OP_ATTENTION, a);
}

/* Version 25 brought windows. */
static pelton_status import_attention(pn_onnx_call *c) {
  pn_attrs_attention *a;
  PN_TRY(attention_attrs(c, &a));
  PN_TRY(pn_onnx_attr_i64(c->node, "left_window_size", -1, &a->left_window, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "right_window_size", -1, &a->right_window, c->diag));
  return pn_onnx_map(c, PN_OP_ATTENTION, a);
}

static pelton_status import_rotary_embedding(pn_onnx_call *c) {
  pn_attrs_rotary_embedding *a = pn_onnx_attrs(c, PN_OP_ROTARY_EMBEDDING);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_bool(c->node, "interleaved", false, &a->interleaved, c->diag));
  PN_TRY(heads_attr(c, "num_heads", &a->heads));
  PN_TRY(pn_onnx_attr_i64(c->node, "rotary_embedding_dim", 0, &a->dim, c->diag));
  return pn_onnx_map(c, PN_OP_ROTARY_EMBEDDING, a);
}

/* ---- LinearAttention --------------------------------------------------------------------------------------------- */

static pelton_status import_linear_attention(pn_onnx_call *c) {
  static const char *const rules[] = {PN_ENUM_linear_rule(PN_ENUM_TEXT) NULL};
  int rule = PN_LINEAR_RULE_GATED_DELTA;
  pn_attrs_linear_attention *a = pn_onnx_attrs(c, PN_OP_LINEAR_ATTENTION);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "q_num_heads", c->diag));
  PN_TRY(pn_onnx_attr_require(c->node, "kv_num_heads", c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "q_num_heads", 1, &a->q_heads, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "kv_num_heads", 1, &a->kv_heads, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "scale", 0.0f, &a->scale, c->diag));
  PN_TRY(pn_onnx_word(c, "update_rule", rules, &rule));
  a->rule = (pn_linear_rule)rule;
  return pn_onnx_map(c, PN_OP_LINEAR_ATTENTION, a);
}

/* ---- CausalConvWithState ----------------------------------------------------------------------------------------- */

/* x with the |past| in front; without one, zeros. */
static pelton_status with_past(pn_onnx_call *c, int64_t past, pn_value_id *out) {
  const int64_t pads[] = {0, 0, past, 0, 0, 0};
  pn_value_id operands[2] = {pn_onnx_input(c, 3), c->inputs[0]};
  pn_attrs_concat *a = pn_onnx_attrs(c, PN_OP_CONCAT);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->axis = 2;
  if (pn_onnx_has(c, 3)) return pn_onnx_add(c, PN_OP_CONCAT, a, operands, 2, 1, out);
  operands[0] = c->inputs[0];
  PN_TRY(pn_onnx_i64s_constant(c, pads, (uint32_t)PN_COUNT(pads), &operands[1]));
  return pn_onnx_add(c, PN_OP_PAD, NULL, operands, 2, 1, out);
}

/* The last |past| places of |x|. */
static pelton_status keep_past(pn_onnx_call *c, int64_t past, pn_value_id x, pn_value_id *out) {
  static const int64_t end = INT64_MAX, axis = 2;
  const int64_t start = past > 0 ? -past : INT64_MAX; /* -0 would be the beginning */
  pn_value_id operands[4] = {x};
  PN_TRY(pn_onnx_i64s_constant(c, &start, 1, &operands[1]));
  PN_TRY(pn_onnx_i64s_constant(c, &end, 1, &operands[2]));
  PN_TRY(pn_onnx_i64s_constant(c, &axis, 1, &operands[3]));
  return pn_onnx_add(c, PN_OP_SLICE, NULL, operands, 4, 1, out);
}

/* A depthwise convolution that sees only the past: its padding, all in front, is what the last call kept. */
static pelton_status import_causal_conv(pn_onnx_call *c) {
  static const char *const activations[] = {"none", "silu", "swish", NULL};
  int activation = 0;
  pn_attrs_conv *a = pn_onnx_attrs(c, PN_OP_CONV);
  pn_value_id operands[3];
  if (!a) return pn_fail_memory(c->diag, "a node");
  for (uint32_t i = 0; i < 2; i++)
    if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  const pn_type w = *pn_onnx_type_of(c, c->inputs[1]);
  if (w.rank != PN_RANK_UNKNOWN && w.rank != 3)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its weight has %d dimensions, but must have 3", w.rank);
  if (w.rank != 3 || !pn_dim_is_number(w.dims[0]) || !pn_dim_is_number(w.dims[2]))
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "a weight whose shape is known only at run time");
  const int64_t past = w.dims[2].number - 1;
  if (w.dims[0].number < 1 || past < 0) return pn_fail(c->diag, PELTON_INVALID_DATA, "its weight has no elements");
  a->group = w.dims[0].number;
  PN_TRY(pn_onnx_word(c, "activation", activations, &activation));
  PN_TRY(with_past(c, past, &operands[0]));
  if (pn_onnx_wants(c, 1)) PN_TRY(keep_past(c, past, operands[0], &c->outputs[1]));
  operands[1] = c->inputs[1];
  operands[2] = pn_onnx_input(c, 2);
  PN_TRY(pn_onnx_add(c, PN_OP_CONV, a, operands, pn_onnx_has(c, 2) ? 3 : 2, 1, &c->outputs[0]));
  return activation ? pn_onnx_pointwise(c, "silu(x0)", &c->outputs[0], 1, &c->outputs[0]) : PELTON_OK;
}

/* ---- FlexAttention ----------------------------------------------------------------------------------------------- */

/* |value| reshaped to the shape of |a| in axes [0, split), then of |b| from axis |split| on. */
static pelton_status reshape_like(pn_onnx_call *c, pn_value_id value, pn_value_id a, pn_value_id b, int64_t split,
                                  pn_value_id *out) {
  pn_attrs_shape_of *first = pn_onnx_attrs(c, PN_OP_SHAPE_OF), *last = pn_onnx_attrs(c, PN_OP_SHAPE_OF);
  pn_value_id shape[2], operands[2] = {value};
  if (!first || !last) return pn_fail_memory(c->diag, "a node");
  first->end = last->start = split;
  PN_TRY(pn_onnx_add(c, PN_OP_SHAPE_OF, first, &a, 1, 1, &shape[0]));
  PN_TRY(pn_onnx_add(c, PN_OP_SHAPE_OF, last, &b, 1, 1, &shape[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_CONCAT, NULL, shape, 2, 1, &operands[1]));
  return pn_onnx_add(c, PN_OP_RESHAPE, NULL, operands, 2, 1, out);
}

static pelton_status modify(pn_onnx_call *c, const char *name, pn_value_id *value) {
  const pn_onnx_graph *graph;
  PN_TRY(pn_onnx_attr_graph(c->node, name, &graph, c->diag));
  return graph ? pn_onnx_inline(c, graph, value, 1, value, 1) : PELTON_OK;
}

/* x as [N,kv_heads,group*L,D], where it is [N,q_heads,L,D]: queries that share keys side by side. */
static pelton_status gather_group(pn_onnx_call *c, int64_t kv_heads, pn_value_id x, pn_value_id *out) {
  const int64_t depth = pn_onnx_type_of(c, x)->dims[3].number, shape[] = {0, kv_heads, -1, depth};
  pn_value_id operands[2] = {x};
  PN_TRY(pn_onnx_i64s_constant(c, shape, (uint32_t)PN_COUNT(shape), &operands[1]));
  return pn_onnx_add(c, PN_OP_RESHAPE, NULL, operands, 2, 1, out);
}

/* Scores and probabilities pass through subgraphs, so attention comes apart. q and k take half of the scale each. */
static pelton_status flex_attention(pn_onnx_call *c, double scale, pelton_dtype dtype) {
  const pn_value_id q = c->inputs[0], k = c->inputs[1], v = c->inputs[2];
  const pn_dim q_heads = pn_onnx_type_of(c, q)->dims[1], kv_heads = pn_onnx_type_of(c, k)->dims[1];
  const bool grouped = !pn_dim_equal(q_heads, kv_heads);
  const double root = sqrt(scale);
  pn_attrs_matmul *matmul = pn_onnx_attrs(c, PN_OP_MATMUL);
  pn_value_id scaled[2], scores, values[2], group_scores;
  if (!matmul) return pn_fail_memory(c->diag, "a node");
  matmul->trans_b = true;
  PN_TRY(pn_onnx_formula(c, "mul(x0,%0)", &root, &q, 1, &scaled[0]));
  PN_TRY(pn_onnx_formula(c, "mul(x0,%0)", &root, &k, 1, &scaled[1]));
  if (grouped) PN_TRY(gather_group(c, kv_heads.number, scaled[0], &scaled[0]));
  PN_TRY(pn_onnx_add(c, PN_OP_MATMUL, matmul, scaled, 2, 1, &scores));
  PN_TRY(pn_onnx_cast(c, scores, dtype, &scores));
  group_scores = scores;
  if (grouped) PN_TRY(reshape_like(c, scores, q, scores, 3, &scores));
  PN_TRY(modify(c, "score_mod", &scores));
  PN_TRY(pn_onnx_add(c, PN_OP_SOFTMAX, NULL, &scores, 1, 1, &values[0]));
  PN_TRY(modify(c, "prob_mod", &values[0]));
  if (grouped) PN_TRY(reshape_like(c, values[0], group_scores, group_scores, 3, &values[0]));
  PN_TRY(pn_onnx_cast(c, v, dtype, &values[1]));
  PN_TRY(pn_onnx_add(c, PN_OP_MATMUL, NULL, values, 2, 1, &values[0]));
  if (grouped) PN_TRY(reshape_like(c, values[0], q, values[0], 3, &values[0]));
  return pn_onnx_cast(c, values[0], pn_onnx_type_of(c, v)->dtype, &c->outputs[0]);
}

/* Without subgraphs it is attention. */
static pelton_status import_flex_attention(pn_onnx_call *c) {
  pn_attrs_attention *a = pn_onnx_attrs(c, PN_OP_ATTENTION);
  if (!a) return pn_fail_memory(c->diag, "a node");
  for (uint32_t i = 0; i < 3; i++) {
    uint32_t rank;
    PN_TRY(pn_onnx_rank(c, i, &rank));
    if (rank != 4)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u has %u dimensions, but must have 4", i, rank);
  }
  a->softmax_dtype = pn_onnx_dtype(c, 0) == PELTON_DTYPE_F64 ? PELTON_DTYPE_F64 : PELTON_DTYPE_F32;
  PN_TRY(pn_onnx_elem_attr(c, "softmax_precision", &a->softmax_dtype));
  PN_TRY(pn_onnx_attr_f32(c->node, "scale", 0.0f, &a->scale, c->diag));
  const bool given = pn_onnx_attr_find(c->node, "scale") != NULL;
  if (given && !(a->scale > 0)) /* 0 is how the IR says that there is none */
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "attribute \"scale\" is %g, which is not above 0", (double)a->scale);
  if (!pn_onnx_attr_find(c->node, "score_mod") && !pn_onnx_attr_find(c->node, "prob_mod"))
    return pn_onnx_map(c, PN_OP_ATTENTION, a);
  const pn_dim *q = pn_onnx_type_of(c, c->inputs[0])->dims, kv_heads = pn_onnx_type_of(c, c->inputs[1])->dims[1];
  const bool known = pn_dim_is_number(q[1]) && pn_dim_is_number(kv_heads);
  if (!pn_dim_is_number(q[3]) || (!known && !pn_dim_equal(q[1], kv_heads)))
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "heads whose number or size is known only at run time");
  if (known && (kv_heads.number < 1 || q[1].number % kv_heads.number != 0))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "%" PRId64 " heads of queries on %" PRId64 " of keys", q[1].number,
                   kv_heads.number);
  return flex_attention(c, given ? (double)a->scale : 1 / sqrt((double)pn_max_i64(q[3].number, 1)), a->softmax_dtype);
}

/* ---- what runtimes added ----------------------------------------------------------------------------------------- */

/* What runtimes called it before ONNX had it. */
static pelton_status import_gelu(pn_onnx_call *c) {
  if (c->input_count != 1 || !pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "it must have 1 input");
  return pn_onnx_pointwise(c, "gelu(x0)", c->inputs, 1, &c->outputs[0]);
}

/* Over the last axis, with statistics that are never less than f32. */
static pelton_status import_simplified_layer_norm(pn_onnx_call *c) {
  pn_attrs_layer_norm *a = pn_onnx_attrs(c, PN_OP_LAYER_NORM);
  if (!a) return pn_fail_memory(c->diag, "a node");
  if (pn_onnx_wants(c, 1))
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "its result 1, the inverse deviation; export the model for inference");
  a->kind = PN_NORM_RMS;
  PN_TRY(pn_onnx_attr_i64(c->node, "axis", -1, &a->axis, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "epsilon", 1e-5f, &a->epsilon, c->diag));
  return pn_onnx_add(c, PN_OP_LAYER_NORM, a, c->inputs, c->input_count, 1, &c->outputs[0]);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"Attention", "", 23, 24, import_attention_23},
    {"Attention", "", 25, 0, import_attention},
    {"CausalConvWithState", "", 27, 0, import_causal_conv},
    {"FlexAttention", "ai.onnx.preview", 1, 0, import_flex_attention},
    {"Gelu", "com.microsoft", 1, 0, import_gelu},
    {"LinearAttention", "", 27, 0, import_linear_attention},
    {"RotaryEmbedding", "", 23, 0, import_rotary_embedding},
    {"SimplifiedLayerNormalization", "", 1, 0, import_simplified_layer_norm},
    {"SimplifiedLayerNormalization", "com.microsoft", 1, 0, import_simplified_layer_norm},
};

const pn_onnx_ops pn_onnx_ops_attention = {rows, (uint32_t)PN_COUNT(rows)};
