/* Operators along an axis: cumulate, a line a thread; topk, an element a thread; hardmax and lp_norm, a line a block;
   batch_norm with statistics that are computed, a channel a block. */
#include "target/movement.h"
#include "targets/cuda/each.h"

static const char *sums_of(pelton_dtype dtype) { return dtype == PELTON_DTYPE_F64 ? "f64" : "f32"; }

/* Threads of a block for lines of |extent|. */
static uint32_t threads_for(int64_t extent) { return extent > 128 ? 256 : extent > 32 ? 64 : 32; }

static pelton_status prepare_cumulate(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                      pelton_diag *diag) {
  static const char *const inputs[] = {"X", "AXIS"}, *const outputs[] = {"Y"};
  const pn_attrs_cumulate *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *axis = pn_problem_input(p, 0, 1);
  int64_t strides[PN_MAX_RANK], elements = pn_operand_elements(x);
  bool known = axis->role == PN_OPERAND_CONSTANT;
  pn_cuda_each e;
  pn_dims_strides(x->rank, x->dims, strides);
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "CUMULATE", 1);
  pn_cuda_each_constant(&e, "IS_PRODUCT", attrs->kind == PN_CUM_PROD);
  pn_cuda_each_constant(&e, "EXCLUSIVE", attrs->exclusive);
  pn_cuda_each_constant(&e, "REVERSE", attrs->reverse);
  pn_cuda_each_constant(&e, "AXIS_KNOWN", known);
  pn_cuda_each_constant(&e, "RANK", x->rank);
  pn_cuda_each_word(&e, "R", pn_dtype_is_float(x->dtype) ? "f64" : "u64");
  pn_cuda_each_number(&e, "AXIS_NUMBER", known ? pn_operand_number(axis, 0) : 0);
  pn_cuda_each_number(&e, "ELEMENTS", elements);
  pn_cuda_each_numbers(&e, "DIMS", x->dims, x->rank);
  pn_cuda_each_numbers(&e, "STRIDES", strides, x->rank);
  if (known && elements > 0) elements /= pn_cuda_line_of(x, pn_operand_number(axis, 0)).extent;
  return pn_cuda_each_end(&e, "lines.cu", "cumulate", elements, 1, diag);
}

static bool accepts_cumulate(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *axis = pn_problem_input(p, 0, 1);
  if (pn_operand_elements(axis) != 1) return pn_refuse(why, "an axis that is not one number");
  if (axis->role != PN_OPERAND_CONSTANT) return true;
  int64_t known = pn_operand_number(axis, 0);
  return (known >= -(int64_t)x->rank && known < (int64_t)x->rank) || pn_refuse(why, "there is no such axis");
}

static pelton_status prepare_topk(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X", "COUNT"}, *const outputs[] = {"VALUES", "INDICES"};
  const pn_attrs_topk *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  const pn_operand *y = pn_problem_output(p, 0, pn_problem_output(p, 0, 0) ? 0 : 1);
  pn_cuda_line line = pn_cuda_line_of(x, attrs->axis);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "TOPK", 1);
  pn_cuda_each_constant(&e, "LARGEST", attrs->largest);
  pn_cuda_each_line(&e, &line);
  pn_cuda_each_number(&e, "K", pn_cuda_line_of(y, attrs->axis).extent);
  return pn_cuda_each_end(&e, "lines.cu", "topk", pn_operand_elements(x), 1, diag);
}

static bool accepts_topk(const pn_problem *p, pn_reason *why) {
  const pn_operand *k = pn_problem_input(p, 0, 1), *x = pn_problem_input(p, 0, 0);
  const pn_operand *y = pn_problem_output(p, 0, pn_problem_output(p, 0, 0) ? 0 : 1);
  int64_t axis = ((const pn_attrs_topk *)p->nodes[0].attrs)->axis;
  if (!y || pn_operand_elements(k) != 1) return pn_refuse(why, "no result, or k is not one number");
  return pn_cuda_line_of(y, axis).extent <= pn_cuda_line_of(x, axis).extent || pn_refuse(why, "k is too large");
}

/* A line a block. */
static pelton_status prepare_line(const pn_problem *p, const pn_device *device, pn_cuda_work *work, int64_t axis,
                                  const char *flag, const char *entry, int64_t power, pelton_diag *diag) {
  static const char *const inputs[] = {"X"}, *const outputs[] = {"Y"};
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_cuda_line line = pn_cuda_line_of(x, axis);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, flag, 1);
  pn_cuda_each_constant(&e, "P", power);
  pn_cuda_each_word(&e, "R", sums_of(x->dtype));
  pn_cuda_each_line(&e, &line);
  return pn_cuda_each_end(&e, "lines.cu", entry, line.extent ? line.outer * line.inner : 0, threads_for(line.extent),
                          diag);
}

static pelton_status prepare_hardmax(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                     pelton_diag *diag) {
  const pn_attrs_hardmax *attrs = p->nodes[0].attrs;
  return prepare_line(p, device, work, attrs->axis, "HARDMAX", "hardmax", 0, diag);
}

static pelton_status prepare_lp_norm(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                     pelton_diag *diag) {
  const pn_attrs_lp_norm *attrs = p->nodes[0].attrs;
  return prepare_line(p, device, work, attrs->axis, "LP_NORM", "lp_norm", attrs->p, diag);
}

static size_t batch_norm_workspace(const pn_problem *p, const pn_device *device) {
  (void)device;
  return (size_t)pn_operand_elements(pn_problem_input(p, 0, 3)) * 2 * sizeof(double);
}

static pelton_status prepare_batch_norm(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                        pelton_diag *diag) {
  static const char *const inputs[] = {"X", "SCALE", "BIAS", "MEAN", "VAR"};
  static const char *const outputs[] = {"Y", "RUNNING_MEAN", "RUNNING_VAR"};
  const pn_attrs_batch_norm *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  int64_t channels = x->rank > 1 ? x->dims[1] : 1, plane = 1, elements = pn_operand_elements(x);
  for (uint32_t d = 2; d < x->rank; d++) plane *= x->dims[d];
  for (int i = attrs->training ? 0 : 1; i < 2; i++) {
    pn_cuda_each e;
    pn_cuda_each_begin(&e, p, device, work);
    PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
    pn_cuda_each_constant(&e, "BATCH_NORM", 1);
    pn_cuda_each_constant(&e, "TRAINING", attrs->training);
    pn_cuda_each_word(&e, "R", sums_of(x->dtype));
    pn_cuda_each_real(&e, "EPSILON", (double)attrs->epsilon);
    pn_cuda_each_real(&e, "MOMENTUM", (double)attrs->momentum);
    pn_cuda_each_number(&e, "CHANNELS", channels);
    pn_cuda_each_divider(&e, "PLANE", plane);
    pn_cuda_each_number(&e, "MEMBERS", channels > 0 ? elements / channels : 0);
    PN_TRY(pn_cuda_each_end(&e, "lines.cu", i ? "batch_norm" : "batch_statistics", i ? elements : channels, i ? 1 : 256,
                            diag));
  }
  return PELTON_OK;
}

static bool accepts_batch_norm(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  for (uint32_t i = 1; i < 5; i++)
    if (pn_operand_elements(pn_problem_input(p, 0, i)) != (x->rank > 1 ? x->dims[1] : 1))
      return pn_refuse(why, "channels that do not fit");
  return true;
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_CUMULATE, accepts_cumulate, NULL, prepare_cumulate},
    {PN_OP_TOPK, accepts_topk, NULL, prepare_topk},
    {PN_OP_HARDMAX, NULL, NULL, prepare_hardmax},
    {PN_OP_LP_NORM, NULL, NULL, prepare_lp_norm},
    {PN_OP_BATCH_NORM, accepts_batch_norm, batch_norm_workspace, prepare_batch_norm},
};
PN_CUDA_EACH_TACTIC(lines, ops);
