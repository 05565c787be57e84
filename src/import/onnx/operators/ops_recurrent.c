/* RNN, GRU and LSTM: one operator of the IR, whose kind says which. Operands and results stand in ONNX's order. */
#include "import/onnx/importer.h"

#include <inttypes.h>

/* The activations of one direction when the node names none, and how many there are. */
typedef struct layer {
  const char *name;
  const char *activations;
  uint32_t activation_count;
  uint32_t operand_count;
} layer;

/* In the order of pn_recurrent_kind. */
static const layer layers[] = {
    {"RNN", "tanh", 1, 6}, {"GRU", "sigmoid,tanh", 2, 6}, {"LSTM", "sigmoid,tanh,tanh", 3, 8}};

/* What ONNX lets a node name, in Pelton's spelling. */
static const char *const activations[] = {
    "relu",       "tanh",        "sigmoid", "affine",   "leakyrelu", "thresholdedrelu",
    "scaledtanh", "hardsigmoid", "elu",     "softsign", "softplus"};

static bool add_activation(pn_text *text, pn_str name) {
  char word[20];
  if (name.size >= sizeof word) return false;
  for (size_t i = 0; i < name.size; i++)
    word[i] = name.data[i] >= 'A' && name.data[i] <= 'Z' ? (char)(name.data[i] - 'A' + 'a') : name.data[i];
  word[name.size] = 0;
  for (size_t i = 0; i < PN_COUNT(activations); i++)
    if (pn_str_is((pn_str){word, name.size}, activations[i])) {
      pn_text_printf(text, "%s%s", text->size > 0 ? "," : "", word);
      return true;
    }
  return false;
}

static pelton_status print_activations(const pn_onnx_call *c, const layer *kind, uint32_t directions, pn_text *text) {
  pn_onnx_strs names;
  PN_TRY(pn_onnx_attr_strs(c->node, "activations", &names, c->diag));
  if (names.count == 0) {
    for (uint32_t i = 0; i < directions; i++) pn_text_printf(text, "%s%s", i > 0 ? "," : "", kind->activations);
    return PELTON_OK;
  }
  if (names.count != kind->activation_count * directions)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"activations\" names %u functions, but must name %u",
                   names.count, kind->activation_count * directions);
  for (uint32_t i = 0; i < names.count; i++)
    if (!add_activation(text, names.data[i]))
      return pn_fail(c->diag, PELTON_INVALID_DATA, "its activation \"%.*s\" is none that ONNX has",
                     PN_STR_ARG(names.data[i]));
  return PELTON_OK;
}

static pelton_status activation_attrs(const pn_onnx_call *c, const layer *kind, pn_attrs_recurrent *a) {
  pn_text text;
  pn_text_init(&text, c->importer->scratch.allocator);
  pelton_status status = print_activations(c, kind, a->direction == PN_DIRECTION_BOTH ? 2 : 1, &text);
  if (status == PELTON_OK && !text.failed) {
    a->activations = (pn_str){pn_str_copy(c->graph->arena, (pn_str){text.data, text.size}), text.size};
    if (!a->activations.data) status = pn_fail_memory(c->diag, "a node");
  } else if (status == PELTON_OK) {
    status = pn_fail_memory(c->diag, "a node");
  }
  pn_text_deinit(&text);
  return status;
}

static pelton_status floats_attr(const pn_onnx_call *c, const char *name, pn_f32s *out) {
  pn_onnx_f32s list;
  *out = (pn_f32s){NULL, 0};
  PN_TRY(pn_onnx_attr_f32s(c->node, name, &list, c->diag));
  if (list.count == 0) return PELTON_OK;
  const float *copy = pn_arena_copy(c->graph->arena, list.data, list.count * sizeof *list.data, _Alignof(float));
  if (!copy) return pn_fail_memory(c->diag, "an attribute");
  *out = (pn_f32s){copy, list.count};
  return PELTON_OK;
}

/* The attribute, or what the recurrent weights [directions, gates * hidden, hidden] say. */
static pelton_status hidden_attr(const pn_onnx_call *c, int64_t *out) {
  int64_t from_weights = 0;
  if (pn_onnx_rank_known(c, 2)) {
    const pn_type *type = pn_onnx_type_of(c, c->inputs[2]);
    if (type->rank == 3 && pn_dim_is_number(type->dims[2])) from_weights = type->dims[2].number;
  }
  PN_TRY(pn_onnx_attr_i64(c->node, "hidden_size", from_weights, out, c->diag));
  if (*out > 0) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"hidden_size\" is %" PRId64 ", but must be 1 or more", *out);
}

static pelton_status import_recurrent(pn_onnx_call *c) {
  static const char *const directions[] = {PN_ENUM_direction(PN_ENUM_TEXT) NULL};
  int direction = PN_DIRECTION_FORWARD, kind = PN_RECURRENT_LSTM;
  pn_attrs_recurrent *a = pn_onnx_attrs(c, PN_OP_RECURRENT);
  if (!a) return pn_fail_memory(c->diag, "a node");
  for (int i = 0; i < (int)PN_COUNT(layers); i++)
    if (pn_str_is(c->node->op_type, layers[i].name)) kind = i;
  if (c->input_count > layers[kind].operand_count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have 3 to %u", c->input_count,
                   layers[kind].operand_count);
  PN_TRY(pn_onnx_word(c, "direction", directions, &direction));
  a->kind = (pn_recurrent_kind)kind;
  a->direction = (pn_direction)direction;
  PN_TRY(hidden_attr(c, &a->hidden));
  PN_TRY(activation_attrs(c, &layers[kind], a));
  PN_TRY(floats_attr(c, "activation_alpha", &a->alpha));
  PN_TRY(floats_attr(c, "activation_beta", &a->beta));
  PN_TRY(pn_onnx_attr_f32(c->node, "clip", 0.0f, &a->clip, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "linear_before_reset", false, &a->linear_before_reset, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "input_forget", false, &a->input_forget, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "layout", false, &a->batch_first, c->diag));
  return pn_onnx_map(c, PN_OP_RECURRENT, a);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* Before version 7 the sequence of results was given only when an attribute asked for it. */
static const pn_onnx_op rows[] = {
    {"GRU", "", 7, 0, import_recurrent},
    {"LSTM", "", 7, 0, import_recurrent},
    {"RNN", "", 7, 0, import_recurrent},
};

const pn_onnx_ops pn_onnx_ops_recurrent = {rows, (uint32_t)PN_COUNT(rows)};
