/* Activations with parameters, as expressions with numbers in them; Clip and Dropout in their several forms. */
#include "import/onnx/importer.h"

#include <float.h>

static pelton_status wants_one(const pn_onnx_call *c) {
  return pn_onnx_has(c, 0) ? PELTON_OK : pn_fail(c->diag, PELTON_INVALID_DATA, "its input 0 is missing");
}

/* ---- one operand and up to two numbers --------------------------------------------------------------------------- */

typedef struct activation {
  const char *name;
  const char *expression;   /* %0 and %1 are the attributes */
  const char *attributes[2];
  float defaults[2];
} activation;

static const activation activations[] = {
    {"Celu", "add(max(x0,0:%T),min(mul(%0,sub(exp(div(x0,%0)),1:%T)),0:%T))", {"alpha"}, {1.0f}},
    {"Elu", "select(less(x0,0:%T),mul(%0,sub(exp(x0),1:%T)),x0)", {"alpha"}, {1.0f}},
    {"HardSigmoid", "clip(add(mul(x0,%0),%1),0:%T,1:%T)", {"alpha", "beta"}, {0.2f, 0.5f}},
    {"LeakyRelu", "select(less(x0,0:%T),mul(x0,%0),x0)", {"alpha"}, {0.01f}},
    {"Selu",
     "mul(%1,select(greater(x0,0:%T),x0,sub(mul(%0,exp(x0)),%0)))",
     {"alpha", "gamma"},
     {1.67326319217681884765625f, 1.05070102214813232421875f}},
    {"Swish", "mul(x0,sigmoid(mul(x0,%0)))", {"alpha"}, {1.0f}},
    {"ThresholdedRelu", "select(greater(x0,%0),x0,0:%T)", {"alpha"}, {1.0f}},
};

static pelton_status import_activation(pn_onnx_call *c) {
  const activation *a = NULL;
  double numbers[2] = {0, 0};
  for (size_t i = 0; i < PN_COUNT(activations); i++)
    if (pn_str_is(c->node->op_type, activations[i].name)) a = &activations[i];
  if (!a) return PN_INTERNAL(c->diag, "an operator's row has no expression");
  PN_TRY(wants_one(c));
  for (uint32_t i = 0; i < 2 && a->attributes[i]; i++) {
    float value;
    PN_TRY(pn_onnx_attr_f32(c->node, a->attributes[i], a->defaults[i], &value, c->diag));
    numbers[i] = (double)value;
  }
  const bool is_silu = pn_str_is(c->node->op_type, "Swish") && numbers[0] == 1.0;
  return pn_onnx_formula(c, is_silu ? "silu(x0)" : a->expression, numbers, c->inputs, 1, &c->outputs[0]);
}

/* Its constants had fewer digits. */
static pelton_status import_selu_1(pn_onnx_call *c) {
  float alpha, gamma;
  PN_TRY(wants_one(c));
  PN_TRY(pn_onnx_attr_f32(c->node, "alpha", 1.6732f, &alpha, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "gamma", 1.0507f, &gamma, c->diag));
  const double numbers[2] = {(double)alpha, (double)gamma};
  return pn_onnx_formula(c, "mul(%1,select(greater(x0,0:%T),x0,sub(mul(%0,exp(x0)),%0)))", numbers, c->inputs, 1,
                         &c->outputs[0]);
}

/* Swish of the first operand times the second. */
static pelton_status import_swiglu(pn_onnx_call *c) {
  float alpha;
  PN_TRY(wants_one(c));
  if (!pn_onnx_has(c, 1)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 1 is missing");
  PN_TRY(pn_onnx_attr_f32(c->node, "alpha", 1.0f, &alpha, c->diag));
  const double number = (double)alpha;
  return pn_onnx_formula(c, alpha == 1.0f ? "mul(silu(x0),x1)" : "mul(mul(x0,sigmoid(mul(x0,%0))),x1)", &number,
                         c->inputs, 2, &c->outputs[0]);
}

/* ---- choices ----------------------------------------------------------------------------------------------------- */

static pelton_status import_gelu(pn_onnx_call *c) {
  static const char *const words[] = {"none", "tanh", NULL};
  int approximate = 0;
  PN_TRY(wants_one(c));
  PN_TRY(pn_onnx_word(c, "approximate", words, &approximate));
  return pn_onnx_pointwise(c, approximate ? "gelu_tanh(x0)" : "gelu(x0)", c->inputs, 1, &c->outputs[0]);
}

/* Computed in f32 for integers, whose threshold and bias may be fractions. */
static pelton_status import_shrink(pn_onnx_call *c) {
  float lambda, bias;
  pn_value_id x;
  PN_TRY(wants_one(c));
  PN_TRY(pn_onnx_attr_f32(c->node, "lambd", 0.5f, &lambda, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "bias", 0.0f, &bias, c->diag));
  const double numbers[] = {(double)-lambda, (double)lambda, (double)bias};
  const pelton_dtype dtype = pn_onnx_dtype(c, 0);
  PN_TRY(pn_onnx_cast(c, c->inputs[0], pn_dtype_is_float(dtype) ? dtype : PELTON_DTYPE_F32, &x));
  PN_TRY(pn_onnx_formula(c, "select(less(x0,%0),add(x0,%2),select(greater(x0,%1),sub(x0,%2),0:%T))", numbers, &x, 1,
                         &c->outputs[0]));
  return pn_onnx_cast(c, c->outputs[0], dtype, &c->outputs[0]);
}

/* ---- Clip -------------------------------------------------------------------------------------------------------- */

static pelton_status import_clip_1(pn_onnx_call *c) {
  float low, high;
  PN_TRY(wants_one(c));
  PN_TRY(pn_onnx_attr_f32(c->node, "min", -FLT_MAX, &low, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "max", FLT_MAX, &high, c->diag));
  const double numbers[] = {(double)low, (double)high};
  return pn_onnx_formula(c, "clip(x0,%0,%1)", numbers, c->inputs, 1, &c->outputs[0]);
}

static pelton_status import_clip(pn_onnx_call *c) {
  pn_value_id operands[3];
  uint32_t count = 0;
  PN_TRY(wants_one(c));
  if (c->input_count > 3)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have 1 to 3", c->input_count);
  const bool low = pn_onnx_has(c, 1), high = pn_onnx_has(c, 2);
  operands[count++] = c->inputs[0];
  if (low) operands[count++] = c->inputs[1];
  if (high) operands[count++] = c->inputs[2];
  c->outputs[0] = c->inputs[0];
  if (!low && !high) return PELTON_OK;
  return pn_onnx_pointwise(c, low && high ? "clip(x0,x1,x2)" : low ? "max(x0,x1)" : "min(x0,x1)", operands, count,
                           &c->outputs[0]);
}

/* ---- Dropout: nothing is dropped but in training ----------------------------------------------------------------- */

static pelton_status all_kept(pn_onnx_call *c, pelton_dtype dtype, pn_value_id *out) {
  pn_value_id operands[2];
  PN_TRY(pn_onnx_add(c, PN_OP_SHAPE_OF, NULL, &c->inputs[0], 1, 1, &operands[0]));
  PN_TRY(pn_onnx_scalar(c, dtype, 1, &operands[1]));
  return pn_onnx_add(c, PN_OP_FILL, NULL, operands, 2, 1, out);
}

static pelton_status drop_nothing(pn_onnx_call *c, pelton_dtype mask) {
  PN_TRY(wants_one(c));
  c->outputs[0] = c->inputs[0];
  return pn_onnx_wants(c, 1) ? all_kept(c, mask, &c->outputs[1]) : PELTON_OK;
}
/* Until version 10 the mask is of the data's type. */
static pelton_status import_dropout_1(pn_onnx_call *c) { return drop_nothing(c, pn_onnx_dtype(c, 0)); }
static pelton_status import_dropout_10(pn_onnx_call *c) { return drop_nothing(c, PELTON_DTYPE_BOOL); }

static pelton_status import_dropout(pn_onnx_call *c) {
  if (pn_onnx_has(c, 2)) {
    const uint8_t *training = pn_onnx_constant_data(c, c->inputs[2]);
    double ratio = 0.5;
    if (pn_onnx_has(c, 1)) {
      const void *data = pn_onnx_constant_data(c, c->inputs[1]);
      union {
        const void *from;
        void *to;
      } element = {.from = data};
      const pn_tensor tensor = {.dtype = pn_onnx_dtype(c, 1), .data = element.to};
      ratio = data ? pn_tensor_get_f64(&tensor, 0) : 0.5;
    }
    if (ratio != 0 && !training)
      return pn_fail(c->diag, PELTON_UNSUPPORTED,
                     "whether it trains (input 2) is known only at run time; make it a constant");
    if (ratio != 0 && *training)
      return pn_fail(c->diag, PELTON_UNSUPPORTED, "it trains: its result is random; export the model for inference");
  }
  return drop_nothing(c, PELTON_DTYPE_BOOL);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"Celu", "", 12, 0, import_activation},
    {"Clip", "", 1, 10, import_clip_1},
    {"Clip", "", 11, 0, import_clip},
    {"Dropout", "", 1, 9, import_dropout_1},
    {"Dropout", "", 10, 11, import_dropout_10},
    {"Dropout", "", 12, 0, import_dropout},
    {"Elu", "", 1, 0, import_activation},
    {"Gelu", "", 20, 0, import_gelu},
    {"HardSigmoid", "", 1, 0, import_activation},
    {"LeakyRelu", "", 1, 0, import_activation},
    {"Selu", "", 1, 5, import_selu_1},
    {"Selu", "", 6, 0, import_activation},
    {"Shrink", "", 9, 0, import_shrink},
    {"SwiGLU", "", 28, 0, import_swiglu},
    {"Swish", "", 24, 0, import_activation},
    {"ThresholdedRelu", "", 10, 0, import_activation},
};

const pn_onnx_ops pn_onnx_ops_activation = {rows, (uint32_t)PN_COUNT(rows)};
