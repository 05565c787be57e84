/* Of classical machine learning (ai.onnx.ml) what is a composition of tensor operators, and tables of labels. */
#include "base/format.h"
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

/* ---- tables of keys and values ----------------------------------------------------------------------------------- */

static pelton_status constant_of(pn_onnx_call *c, pelton_dtype dtype, uint32_t rank, int64_t count, const void *data,
                                 pn_value_id *out) {
  const pn_type type = pn_type_make(dtype, rank, &count);
  *out = pn_graph_add_constant_copy(c->graph, c->name, &type, data);
  return pn_value_valid(*out) ? PELTON_OK : pn_fail_memory(c->diag, "a constant");
}

/* The one that is there of |prefix|strings, |prefix|int64s, |prefix|floats and |prefix|tensor. */
static pelton_status list_of(pn_onnx_call *c, const char *prefix, pn_value_id *out) {
  char name[32];
  const pn_onnx_tensor *tensor;
  pn_onnx_strs strings;
  pn_onnx_i64s ints;
  pn_onnx_f32s floats;
  pn_onnx_data data;
  pn_formatf(name, sizeof name, "%sstrings", prefix);
  PN_TRY(pn_onnx_attr_strs(c->node, name, &strings, c->diag));
  pn_formatf(name, sizeof name, "%sint64s", prefix);
  PN_TRY(pn_onnx_attr_i64s(c->node, name, &ints, c->diag));
  pn_formatf(name, sizeof name, "%sfloats", prefix);
  PN_TRY(pn_onnx_attr_f32s(c->node, name, &floats, c->diag));
  pn_formatf(name, sizeof name, "%stensor", prefix);
  PN_TRY(pn_onnx_attr_tensor(c->node, name, &tensor, c->diag));
  if ((strings.count > 0) + (ints.count > 0) + (floats.count > 0) + (tensor != NULL) > 1)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "more than one of its attributes %s* is there", prefix);
  if (strings.count) return pn_onnx_texts_constant(c, &strings, out);
  if (ints.count) return constant_of(c, PELTON_DTYPE_I64, 1, ints.count, ints.data, out);
  if (floats.count) return constant_of(c, PELTON_DTYPE_F32, 1, floats.count, floats.data, out);
  if (!tensor) return pn_fail(c->diag, PELTON_INVALID_DATA, "none of its attributes %s* is there", prefix);
  PN_TRY(pn_onnx_tensor_data(tensor, c->importer->source, 0, &c->importer->model->arena, &data, c->diag));
  return pn_onnx_data_constant(c, &data, out);
}

/* What stands for keys that are not there, of |dtype|. */
static pelton_status default_of(pn_onnx_call *c, pelton_dtype dtype, pn_value_id *out) {
  const pn_onnx_tensor *tensor;
  pn_onnx_data data;
  pn_str text;
  int64_t integer;
  float number;
  PN_TRY(pn_onnx_attr_tensor(c->node, "default_tensor", &tensor, c->diag));
  PN_TRY(pn_onnx_attr_str(c->node, "default_string", "_Unused", &text, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "default_int64", -1, &integer, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "default_float", -0.0f, &number, c->diag));
  if (tensor) {
    PN_TRY(pn_onnx_tensor_data(tensor, c->importer->source, 0, &c->importer->model->arena, &data, c->diag));
    return pn_onnx_data_constant(c, &data, out);
  }
  if (dtype == PELTON_DTYPE_STRING)
    return constant_of(c, dtype, 0, 1, &(pelton_string){text.data, text.size}, out);
  if (dtype == PELTON_DTYPE_I64) return constant_of(c, dtype, 0, 1, &integer, out);
  return pn_onnx_scalar(c, dtype, pn_dtype_is_float(dtype) ? (double)number : (double)integer, out);
}

static pelton_status look_up(pn_onnx_call *c, pn_value_id keys, pn_value_id values) {
  pn_value_id operands[4] = {pn_onnx_input(c, 0), keys, values, PN_NO_VALUE};
  PN_TRY(default_of(c, pn_onnx_type_of(c, values)->dtype, &operands[3]));
  return pn_onnx_map_over(c, PN_OP_LOOKUP, NULL, operands, 4);
}

static pelton_status wants_one(const pn_onnx_call *c) {
  return c->input_count == 1 && pn_onnx_has(c, 0) ? PELTON_OK
                                                  : pn_fail(c->diag, PELTON_INVALID_DATA, "it must have 1 input");
}

/* Texts to integers or integers to texts, as the input is. */
static pelton_status look_up_texts(pn_onnx_call *c, pn_value_id texts, pn_value_id integers) {
  const bool from_texts = pn_onnx_dtype(c, 0) == PELTON_DTYPE_STRING;
  return look_up(c, from_texts ? texts : integers, from_texts ? integers : texts);
}

/* Texts and their places in a list. */
static pelton_status import_label_encoder_1(pn_onnx_call *c) {
  pn_value_id texts, places;
  pn_onnx_strs classes;
  PN_TRY(wants_one(c));
  PN_TRY(pn_onnx_attr_strs(c->node, "classes_strings", &classes, c->diag));
  int64_t *numbers = PN_NEW_ARRAY(&c->importer->scratch, int64_t, (size_t)classes.count + 1);
  if (!numbers) return pn_fail_memory(c->diag, "a constant");
  for (uint32_t i = 0; i < classes.count; i++) numbers[i] = i;
  PN_TRY(pn_onnx_texts_constant(c, &classes, &texts));
  PN_TRY(pn_onnx_i64s_constant(c, numbers, classes.count, &places));
  return look_up_texts(c, texts, places);
}

static pelton_status import_label_encoder(pn_onnx_call *c) {
  pn_value_id keys, values;
  PN_TRY(wants_one(c));
  PN_TRY(list_of(c, "keys_", &keys));
  PN_TRY(list_of(c, "values_", &values));
  return look_up(c, keys, values);
}

static pelton_status import_category_mapper(pn_onnx_call *c) {
  pn_value_id texts, integers;
  pn_onnx_strs strings;
  pn_onnx_i64s ints;
  PN_TRY(wants_one(c));
  PN_TRY(pn_onnx_attr_strs(c->node, "cats_strings", &strings, c->diag));
  PN_TRY(pn_onnx_attr_i64s(c->node, "cats_int64s", &ints, c->diag));
  PN_TRY(pn_onnx_texts_constant(c, &strings, &texts));
  PN_TRY(pn_onnx_i64s_constant(c, ints.data, ints.count, &integers));
  return look_up_texts(c, texts, integers);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"ArrayFeatureExtractor", "ai.onnx.ml", 1, 0, import_array_feature_extractor},
    {"Binarizer", "ai.onnx.ml", 1, 0, import_binarizer},
    {"CategoryMapper", "ai.onnx.ml", 1, 0, import_category_mapper},
    {"LabelEncoder", "ai.onnx.ml", 1, 1, import_label_encoder_1},
    {"LabelEncoder", "ai.onnx.ml", 2, 0, import_label_encoder},
};

const pn_onnx_ops pn_onnx_ops_ml = {rows, (uint32_t)PN_COUNT(rows)};
