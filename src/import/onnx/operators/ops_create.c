/* Tensors made of nothing, of shapes, or of numbers in the file. */
#include "import/onnx/importer.h"

/* ---- Constant ---------------------------------------------------------------------------------------------------- */

static pelton_status constant_of(pn_onnx_call *c, pelton_dtype dtype, bool is_list, uint32_t count, const void *data) {
  const int64_t dims[1] = {count};
  const pn_type type = pn_type_make(dtype, is_list ? 1 : 0, dims);
  c->outputs[0] = pn_graph_add_constant_copy(c->graph, c->node->outputs.data[0], &type, data);
  return pn_value_valid(c->outputs[0]) ? PELTON_OK : pn_fail_memory(c->diag, "a constant");
}

static pelton_status constant_of_data(pn_onnx_call *c, const pn_onnx_data *data) {
  pn_onnx_call named = *c;
  named.name = c->node->outputs.data[0];
  return pn_onnx_data_constant(&named, data, &c->outputs[0]);
}

static pelton_status import_constant(pn_onnx_call *c) {
  pn_arena *arena = &c->importer->model->arena;
  const pn_onnx_tensor *tensor;
  const pn_onnx_sparse_tensor *sparse;
  pn_onnx_data data;
  pn_onnx_i64s ints;
  pn_onnx_f32s floats;
  pn_onnx_strs strings;
  pn_str s;
  float f;
  int64_t i;
  if (c->node->outputs.count != 1) return pn_fail(c->diag, PELTON_INVALID_DATA, "it has no result");
  if (pn_onnx_attr_find(c->node, "value")) {
    PN_TRY(pn_onnx_attr_tensor(c->node, "value", &tensor, c->diag));
    PN_TRY(pn_onnx_tensor_data(tensor, c->importer->source, 0, arena, &data, c->diag));
    return constant_of_data(c, &data);
  }
  if (pn_onnx_attr_find(c->node, "sparse_value")) {
    PN_TRY(pn_onnx_attr_sparse_tensor(c->node, "sparse_value", &sparse, c->diag));
    PN_TRY(pn_onnx_sparse_tensor_data(sparse, c->importer->source, arena, &data, c->diag));
    return constant_of_data(c, &data);
  }
  if (pn_onnx_attr_find(c->node, "value_float")) {
    PN_TRY(pn_onnx_attr_f32(c->node, "value_float", 0, &f, c->diag));
    return constant_of(c, PELTON_DTYPE_F32, false, 1, &f);
  }
  if (pn_onnx_attr_find(c->node, "value_floats")) {
    PN_TRY(pn_onnx_attr_f32s(c->node, "value_floats", &floats, c->diag));
    return constant_of(c, PELTON_DTYPE_F32, true, floats.count, floats.data);
  }
  if (pn_onnx_attr_find(c->node, "value_int")) {
    PN_TRY(pn_onnx_attr_i64(c->node, "value_int", 0, &i, c->diag));
    return constant_of(c, PELTON_DTYPE_I64, false, 1, &i);
  }
  if (pn_onnx_attr_find(c->node, "value_ints")) {
    PN_TRY(pn_onnx_attr_i64s(c->node, "value_ints", &ints, c->diag));
    return constant_of(c, PELTON_DTYPE_I64, true, ints.count, ints.data);
  }
  if (pn_onnx_attr_find(c->node, "value_string")) {
    PN_TRY(pn_onnx_attr_str(c->node, "value_string", "", &s, c->diag));
    return constant_of(c, PELTON_DTYPE_STRING, false, 1, &(pelton_string){s.data, s.size});
  }
  if (pn_onnx_attr_find(c->node, "value_strings")) {
    pn_onnx_call named = *c;
    named.name = c->node->outputs.data[0];
    PN_TRY(pn_onnx_attr_strs(c->node, "value_strings", &strings, c->diag));
    return pn_onnx_texts_constant(&named, &strings, &c->outputs[0]);
  }
  return pn_fail(c->diag, PELTON_INVALID_DATA, "it has no attribute that says its value");
}

/* ---- of shapes --------------------------------------------------------------------------------------------------- */

static pelton_status import_constant_of_shape(pn_onnx_call *c) {
  pn_value_id operands[2] = {pn_onnx_input(c, 0), PN_NO_VALUE};
  const pn_onnx_tensor *tensor;
  pn_onnx_data data;
  if (pn_onnx_has(c, 0) && pn_onnx_dtype(c, 0) != PELTON_DTYPE_I64)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its shape is of type %s, but must be of i64",
                   pelton_dtype_name(pn_onnx_dtype(c, 0)));
  PN_TRY(pn_onnx_attr_tensor(c->node, "value", &tensor, c->diag));
  if (tensor) {
    PN_TRY(pn_onnx_tensor_data(tensor, c->importer->source, 0, &c->importer->model->arena, &data, c->diag));
    PN_TRY(pn_onnx_data_constant(c, &data, &operands[1]));
  } else {
    PN_TRY(pn_onnx_scalar(c, PELTON_DTYPE_F32, 0, &operands[1]));
  }
  return pn_onnx_map_over(c, PN_OP_FILL, NULL, operands, 2);
}

static pelton_status import_shape(pn_onnx_call *c) {
  pn_attrs_shape_of *a = pn_onnx_attrs(c, PN_OP_SHAPE_OF);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "start", 0, &a->start, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "end", INT64_MAX, &a->end, c->diag));
  return pn_onnx_map(c, PN_OP_SHAPE_OF, a);
}

static pelton_status import_size(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_SIZE_OF, NULL); }
static pelton_status import_range(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_RANGE, NULL); }

static pelton_status import_eye_like(pn_onnx_call *c) {
  pn_attrs_eye_like *a = pn_onnx_attrs(c, PN_OP_EYE_LIKE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_i64(c->node, "k", 0, &a->k, c->diag));
  PN_TRY(pn_onnx_elem_attr(c, "dtype", &a->dtype));
  return pn_onnx_map(c, PN_OP_EYE_LIKE, a);
}

/* ---- windows of signal processing -------------------------------------------------------------------------------- */

/* x0 is 0, 1, ... and x1 the period; computed in f64, since nothing is gained by less. */
static pelton_status import_window(pn_onnx_call *c) {
  static const struct {
    const char *name, *expression;
  } windows[] = {
      {"BlackmanWindow", "t0=div(mul(x0,%0),x1);add(add(mul(cos(t0),-0.5:%T),mul(cos(mul(t0,2:%T)),0.08:%T)),0.42:%T)"},
      {"HammingWindow", "sub(%1,mul(cos(div(mul(x0,%0),x1)),%2))"},
      {"HannWindow", "square(sin(div(mul(x0,%3),x1)))"},
  };
  static const double pi = 3.14159265358979323846;
  const double numbers[] = {2 * pi, 25.0 / 46.0, 21.0 / 46.0, pi};
  pelton_dtype dtype = PELTON_DTYPE_F32;
  pn_value_id range[3], operands[2];
  bool periodic;
  if (!pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 0 is missing");
  PN_TRY(pn_onnx_attr_bool(c->node, "periodic", true, &periodic, c->diag));
  PN_TRY(pn_onnx_elem_attr(c, "output_datatype", &dtype));
  PN_TRY(pn_onnx_scalar(c, pn_onnx_dtype(c, 0), 0, &range[0]));
  range[1] = c->inputs[0];
  PN_TRY(pn_onnx_scalar(c, pn_onnx_dtype(c, 0), 1, &range[2]));
  PN_TRY(pn_onnx_add(c, PN_OP_RANGE, NULL, range, 3, 1, &operands[0]));
  PN_TRY(pn_onnx_cast(c, operands[0], PELTON_DTYPE_F64, &operands[0]));
  PN_TRY(pn_onnx_cast(c, c->inputs[0], PELTON_DTYPE_F64, &operands[1]));
  if (!periodic) PN_TRY(pn_onnx_pointwise(c, "sub(x0,1:%T)", &operands[1], 1, &operands[1]));
  for (size_t i = 0; i < PN_COUNT(windows); i++)
    if (pn_str_is(c->node->op_type, windows[i].name))
      PN_TRY(pn_onnx_formula(c, windows[i].expression, numbers, operands, 2, &c->outputs[0]));
  return pn_onnx_cast(c, c->outputs[0], dtype, &c->outputs[0]);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"BlackmanWindow", "", 17, 0, import_window},
    {"Constant", "", 1, 0, import_constant},
    {"ConstantOfShape", "", 9, 0, import_constant_of_shape},
    {"EyeLike", "", 9, 0, import_eye_like},
    {"HammingWindow", "", 17, 0, import_window},
    {"HannWindow", "", 17, 0, import_window},
    {"Range", "", 11, 0, import_range},
    {"Shape", "", 1, 0, import_shape},
    {"Size", "", 1, 0, import_size},
};

const pn_onnx_ops pn_onnx_ops_create = {rows, (uint32_t)PN_COUNT(rows)};
