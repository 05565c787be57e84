/* Optimisers of ai.onnx.preview.training: Adagrad, Adam and Momentum. Operands are the rate, the number of updates so
   far, then for n tensors all of them, all their gradients, and all of each state; results are the tensors, then each
   state. Every tensor is updated alike, by expressions. */
#include "import/onnx/importer.h"

enum { X, G, STATE, OTHER_STATE, MOST_OPERANDS, RATE = MOST_OPERANDS, COUNT, ALL };

typedef pelton_status update_function(pn_onnx_call *c, const double *numbers, pn_value_id *operands,
                                      pn_value_id *results);

/* Calls |update| for each tensor with x, gradient, states, rate and count, the latter two in x's type. */
static pelton_status update_each(pn_onnx_call *c, uint32_t states, const double *numbers, update_function *update) {
  const uint32_t of_each = 2 + states;
  if (c->input_count < 2 + of_each || (c->input_count - 2) % of_each)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have 2 and %u for each tensor",
                   c->input_count, of_each);
  const uint32_t tensors = (c->input_count - 2) / of_each;
  if (c->output_count != tensors * (1 + states))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u results, but must have %u for each of its %u tensors",
                   c->output_count, 1 + states, tensors);
  for (uint32_t i = 0; i < c->input_count; i++)
    if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  for (uint32_t i = 0; i < tensors; i++) {
    pn_value_id operands[ALL], results[3];
    for (uint32_t k = 0; k < of_each; k++) operands[k] = c->inputs[2 + k * tensors + i];
    PN_TRY(pn_onnx_cast(c, c->inputs[0], pn_onnx_type_of(c, operands[X])->dtype, &operands[RATE]));
    PN_TRY(pn_onnx_cast(c, c->inputs[1], pn_onnx_type_of(c, operands[X])->dtype, &operands[COUNT]));
    PN_TRY(update(c, numbers, operands, results));
    for (uint32_t k = 0; k < 1 + states; k++) c->outputs[k * tensors + i] = results[k];
  }
  return PELTON_OK;
}

static pelton_status read_numbers(const pn_onnx_call *c, const char *const *names, const float *defaults,
                                  uint32_t count, double *numbers) {
  for (uint32_t i = 0; i < count; i++) {
    float value;
    PN_TRY(pn_onnx_attr_f32(c->node, names[i], defaults[i], &value, c->diag));
    numbers[i] = (double)value;
  }
  return PELTON_OK;
}

/* The gradient with that of the regularisation: |numbers[0]| is its weight. */
static pelton_status regularise(pn_onnx_call *c, const double *numbers, pn_value_id *operands) {
  return pn_onnx_formula(c, "add(mul(%0,x0),x1)", numbers, operands, 2, &operands[G]);
}

/* ---- Adagrad ----------------------------------------------------------------------------------------------------- */

static pelton_status update_adagrad(pn_onnx_call *c, const double *numbers, pn_value_id *o, pn_value_id *results) {
  PN_TRY(regularise(c, numbers, o));
  const pn_value_id for_state[] = {o[STATE], o[G]};
  PN_TRY(pn_onnx_pointwise(c, "add(x0,mul(x1,x1))", for_state, 2, &results[1]));
  const pn_value_id for_x[] = {o[X], o[G], results[1], o[RATE], o[COUNT]};
  return pn_onnx_formula(c, "sub(x0,div(mul(div(x3,add(1:%T,mul(x4,%2))),x1),add(sqrt(x2),%1)))", numbers, for_x, 5,
                         &results[0]);
}

static pelton_status import_adagrad(pn_onnx_call *c) {
  static const char *const names[] = {"norm_coefficient", "epsilon", "decay_factor"};
  static const float defaults[] = {0.0f, 1e-6f, 0.0f};
  double numbers[3];
  PN_TRY(read_numbers(c, names, defaults, 3, numbers));
  return update_each(c, 1, numbers, update_adagrad);
}

/* ---- Adam -------------------------------------------------------------------------------------------------------- */

static pelton_status update_adam(pn_onnx_call *c, const double *numbers, pn_value_id *o, pn_value_id *results) {
  PN_TRY(regularise(c, numbers, o));
  const pn_value_id momentum[] = {o[STATE], o[G]}, squares[] = {o[OTHER_STATE], o[G]};
  PN_TRY(pn_onnx_formula(c, "add(mul(%1,x0),mul(sub(1:%T,%1),x1))", numbers, momentum, 2, &results[1]));
  PN_TRY(pn_onnx_formula(c, "add(mul(%2,x0),mul(sub(1:%T,%2),mul(x1,x1)))", numbers, squares, 2, &results[2]));
  /* From the first update on the rate makes up for states that began with zeros. */
  const pn_value_id for_x[] = {o[X], results[1], results[2], o[RATE], o[COUNT]};
  return pn_onnx_formula(c,
                         "t0=select(greater(x4,0:%T),div(mul(x3,sqrt(sub(1:%T,pow(%2,x4)))),sub(1:%T,pow(%1,x4))),x3);"
                         "mul(sub(1:%T,%4),sub(x0,mul(t0,div(x1,add(sqrt(x2),%3)))))",
                         numbers, for_x, 5, &results[0]);
}

static pelton_status import_adam(pn_onnx_call *c) {
  static const char *const names[] = {"norm_coefficient", "alpha", "beta", "epsilon", "norm_coefficient_post"};
  static const float defaults[] = {0.0f, 0.9f, 0.999f, 1e-6f, 0.0f};
  double numbers[5];
  PN_TRY(read_numbers(c, names, defaults, 5, numbers));
  return update_each(c, 2, numbers, update_adam);
}

/* ---- Momentum ---------------------------------------------------------------------------------------------------- */

/* At the first update the gradient counts in full. */
static pelton_status update_velocity(pn_onnx_call *c, const double *numbers, pn_value_id *o, pn_value_id *out) {
  PN_TRY(regularise(c, numbers, o));
  const pn_value_id operands[] = {o[STATE], o[G], o[COUNT]};
  return pn_onnx_formula(c, "add(mul(%1,x0),mul(select(greater(x2,0:%T),%2,1:%T),x1))", numbers, operands, 3, out);
}

static pelton_status update_standard(pn_onnx_call *c, const double *numbers, pn_value_id *o, pn_value_id *results) {
  PN_TRY(update_velocity(c, numbers, o, &results[1]));
  const pn_value_id operands[] = {o[X], results[1], o[RATE]};
  return pn_onnx_pointwise(c, "sub(x0,mul(x2,x1))", operands, 3, &results[0]);
}

static pelton_status update_nesterov(pn_onnx_call *c, const double *numbers, pn_value_id *o, pn_value_id *results) {
  PN_TRY(update_velocity(c, numbers, o, &results[1]));
  const pn_value_id operands[] = {o[X], results[1], o[RATE], o[G]};
  return pn_onnx_formula(c, "sub(x0,mul(x2,add(x3,mul(%1,x1))))", numbers, operands, 4, &results[0]);
}

static pelton_status import_momentum(pn_onnx_call *c) {
  static const char *const names[] = {"norm_coefficient", "alpha", "beta"};
  static const char *const modes[] = {"standard", "nesterov", NULL};
  double numbers[3];
  int mode = 0;
  for (uint32_t i = 0; i < 3; i++) {
    float value;
    PN_TRY(pn_onnx_attr_require(c->node, names[i], c->diag));
    PN_TRY(pn_onnx_attr_f32(c->node, names[i], 0.0f, &value, c->diag));
    numbers[i] = (double)value;
  }
  PN_TRY(pn_onnx_attr_require(c->node, "mode", c->diag));
  PN_TRY(pn_onnx_word(c, "mode", modes, &mode));
  return update_each(c, 1, numbers, mode ? update_nesterov : update_standard);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"Adagrad", "ai.onnx.preview.training", 1, 0, import_adagrad},
    {"Adam", "ai.onnx.preview.training", 1, 0, import_adam},
    {"Momentum", "ai.onnx.preview.training", 1, 0, import_momentum},
};

const pn_onnx_ops pn_onnx_ops_training = {rows, (uint32_t)PN_COUNT(rows)};
