/* Results made from their places: trilu, fill, range, eye_like, one_hot, and lookup of numbers. What decides a shape is
   known when the plan is made; the rest is read on the device. */
#include "targets/cuda/each.h"

static const char *const result[] = {"Y"};

static pelton_status prepare_trilu(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                   pelton_diag *diag) {
  static const char *const inputs[] = {"X", "K"};
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "TRILU", 1);
  pn_cuda_each_constant(&e, "UPPER", ((const pn_attrs_trilu *)p->nodes[0].attrs)->upper);
  pn_cuda_each_divider(&e, "COLUMNS", x->dims[x->rank - 1]);
  pn_cuda_each_divider(&e, "ROWS", x->dims[x->rank - 2]);
  return pn_cuda_each_end(&e, "made.cu", "trilu", pn_operand_elements(x), 1, diag);
}

static pelton_status prepare_fill(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"SHAPE", "VALUE"};
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "FILL", 1);
  return pn_cuda_each_end(&e, "made.cu", "fill", pn_operand_elements(pn_problem_output(p, 0, 0)), 1, diag);
}

static pelton_status prepare_range(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                   pelton_diag *diag) {
  static const char *const inputs[] = {"START", "LIMIT", "DELTA"};
  const pn_operand *y = pn_problem_output(p, 0, 0);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_steps(&e);
  pn_cuda_each_constant(&e, "RANGE", 1);
  pn_cuda_each_constant(&e, "IS_FLOAT", pn_dtype_is_float(y->dtype));
  return pn_cuda_each_end(&e, "made.cu", "range", pn_operand_elements(y), 1, diag);
}

static pelton_status prepare_eye_like(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                      pelton_diag *diag) {
  static const char *const inputs[] = {"X"};
  const pn_operand *y = pn_problem_output(p, 0, 0);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "EYE_LIKE", 1);
  pn_cuda_each_divider(&e, "COLUMNS", y->dims[1]);
  pn_cuda_each_number(&e, "DIAGONAL",
                      pn_max_i64(-INT32_MAX, pn_min_i64(((const pn_attrs_eye_like *)p->nodes[0].attrs)->k, INT32_MAX)));
  return pn_cuda_each_end(&e, "made.cu", "eye_like", pn_operand_elements(y), 1, diag);
}

static pelton_status prepare_one_hot(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                     pelton_diag *diag) {
  static const char *const inputs[] = {"INDICES", "DEPTH", "VALUES"};
  const pn_operand *indices = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  pn_cuda_line line = pn_cuda_line_of(y, ((const pn_attrs_one_hot *)p->nodes[0].attrs)->axis);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_steps(&e);
  pn_cuda_each_constant(&e, "ONE_HOT", 1);
  pn_cuda_each_constant(&e, "IS_FLOAT", pn_dtype_is_float(indices->dtype));
  pn_cuda_each_constant(&e, "IS_U64", indices->dtype == PELTON_DTYPE_U64);
  pn_cuda_each_line(&e, &line);
  return pn_cuda_each_end(&e, "made.cu", "one_hot", pn_operand_elements(y), 1, diag);
}

static bool accepts_one_hot(const pn_problem *p, pn_reason *why) {
  return pn_operand_elements(pn_problem_input(p, 0, 2)) == 2 || pn_refuse(why, "values that are not two");
}

static pelton_status prepare_lookup(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                    pelton_diag *diag) {
  static const char *const inputs[] = {"X", "KEYS", "VALUES", "DEFAULT"};
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, result);
  pn_cuda_each_constant(&e, "LOOKUP", 1);
  pn_cuda_each_number(&e, "COUNT", pn_operand_elements(pn_problem_input(p, 0, 1)));
  return pn_cuda_each_end(&e, "made.cu", "lookup", pn_operand_elements(pn_problem_input(p, 0, 0)), 1, diag);
}

static bool accepts_lookup(const pn_problem *p, pn_reason *why) {
  return pn_operand_elements(pn_problem_input(p, 0, 1)) == pn_operand_elements(pn_problem_input(p, 0, 2)) ||
         pn_refuse(why, "keys and values that do not fit");
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_TRILU, NULL, NULL, prepare_trilu},
    {PN_OP_FILL, NULL, NULL, prepare_fill},
    {PN_OP_RANGE, NULL, NULL, prepare_range},
    {PN_OP_EYE_LIKE, NULL, NULL, prepare_eye_like},
    {PN_OP_ONE_HOT, accepts_one_hot, NULL, prepare_one_hot},
    {PN_OP_LOOKUP, accepts_lookup, NULL, prepare_lookup},
};
PN_CUDA_EACH_TACTIC(made, ops);
