/* Attention and what stands around it in transformers. */
#include "import/onnx/importer.h"

#include <inttypes.h>

/* Attribute |name|, a number of heads, which holds for operands of 3 dimensions: those of 4 have their heads apart. */
static pelton_status heads_attr(const pn_onnx_call *c, const char *name, int64_t *out) {
  PN_TRY(pn_onnx_attr_i64(c->node, name, 0, out, c->diag));
  if (pn_onnx_rank_known(c, 0) && pn_onnx_type_of(c, c->inputs[0])->rank == 4) *out = 0;
  return PELTON_OK;
}

static pelton_status import_attention(pn_onnx_call *c) {
  float scale;
  pn_attrs_attention *a = pn_onnx_attrs(c, PN_OP_ATTENTION);
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
  PN_TRY(pn_onnx_elem_attr(c, "softmax_precision", &a->softmax_dtype));
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
    {"Attention", "", 23, 0, import_attention},
    {"Gelu", "com.microsoft", 1, 0, import_gelu},
    {"RotaryEmbedding", "", 23, 0, import_rotary_embedding},
    {"SimplifiedLayerNormalization", "", 1, 0, import_simplified_layer_norm},
    {"SimplifiedLayerNormalization", "com.microsoft", 1, 0, import_simplified_layer_norm},
};

const pn_onnx_ops pn_onnx_ops_attention = {rows, (uint32_t)PN_COUNT(rows)};
