/* Normalisation that cuda.norm and cuda.lrn do not take: other float types, factors that broadcast, empty operands. */
#include "targets/cuda/each.h"

#include <string.h>

extern const pn_tactic pn_tactic_cuda_norm, pn_tactic_cuda_lrn;

/* Strides of a factor that broadcasts to x from its last axis; of group_norm it lies along the channels. */
static bool factor_strides(const pn_operand *o, const pn_operand *x, bool channels, int64_t *strides) {
  int64_t stride = 1;
  memset(strides, 0, sizeof *strides * PN_MAX_RANK);
  if (!o) return true;
  if (channels) {
    strides[1] = 1;
    return pn_operand_elements(o) == x->dims[1];
  }
  for (uint32_t k = 1; k <= o->rank; k++) {
    int64_t extent = o->dims[o->rank - k];
    if (k > x->rank || (extent != 1 && extent != x->dims[x->rank - k])) return false;
    strides[x->rank - k] = extent == 1 ? 0 : stride;
    stride *= extent;
  }
  return true;
}

static bool accepts_norm(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  bool channels = p->nodes[0].op == PN_OP_GROUP_NORM;
  int64_t strides[PN_MAX_RANK];
  if (pn_tactic_cuda_norm.accepts(p, NULL, NULL)) return pn_refuse(why, "cuda.norm is better");
  if (!factor_strides(pn_problem_input(p, 0, 1), x, channels, strides) ||
      !factor_strides(pn_problem_input(p, 0, 2), x, channels, strides))
    return pn_refuse(why, "factors that do not broadcast");
  return true;
}

static pelton_status prepare_norm(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X", "SCALE", "BIAS"}, *const outputs[] = {"Y", "MEAN", "INVERSE"};
  const pn_operand *x = pn_problem_input(p, 0, 0);
  bool group = p->nodes[0].op == PN_OP_GROUP_NORM;
  int64_t rows = 1, length = 1, strides[2][PN_MAX_RANK];
  double epsilon;
  bool centers = true;
  pn_cuda_each e;
  if (group) {
    const pn_attrs_group_norm *attrs = p->nodes[0].attrs;
    rows = x->dims[0] * (attrs->groups ? attrs->groups : x->dims[1]);
    length = rows ? pn_operand_elements(x) / rows : 0;
    epsilon = (double)attrs->epsilon;
  } else {
    const pn_attrs_layer_norm *attrs = p->nodes[0].attrs;
    int64_t axis = attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis;
    for (uint32_t d = 0; d < x->rank; d++) *(d < axis ? &rows : &length) *= x->dims[d];
    epsilon = (double)attrs->epsilon;
    centers = attrs->kind == PN_NORM_MEAN;
  }
  for (uint32_t i = 0; i < 2; i++)
    if (!factor_strides(pn_problem_input(p, 0, 1 + i), x, group, strides[i]))
      return PN_INTERNAL(diag, "a normalisation changed after it was accepted");
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "LRN", 0);
  pn_cuda_each_constant(&e, "CENTERS", centers);
  pn_cuda_each_constant(&e, "RANK", x->rank);
  pn_cuda_each_real(&e, "EPSILON", epsilon);
  pn_cuda_each_number(&e, "LENGTH", length);
  pn_cuda_each_dividers(&e, "DIMS", x->dims, x->rank);
  pn_cuda_each_numbers(&e, "SCALE_STRIDES", strides[0], x->rank);
  pn_cuda_each_numbers(&e, "BIAS_STRIDES", strides[1], x->rank);
  return pn_cuda_each_end(&e, "norm_any.cu", "norm_any", rows, length > 128 ? 256 : length > 32 ? 64 : 32, diag);
}

static bool accepts_lrn(const pn_problem *p, pn_reason *why) {
  if (pn_tactic_cuda_lrn.accepts(p, NULL, NULL)) return pn_refuse(why, "cuda.lrn is better");
  return true;
}

static pelton_status prepare_lrn(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X"}, *const outputs[] = {"Y"};
  const pn_attrs_lrn *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  int64_t plane = 1;
  pn_cuda_each e;
  for (uint32_t d = 2; d < x->rank; d++) plane *= x->dims[d];
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "LRN", 1);
  pn_cuda_each_divider(&e, "PLANE", plane);
  pn_cuda_each_number(&e, "CHANNELS", x->dims[1]);
  pn_cuda_each_number(&e, "BEFORE", pn_min_i64((attrs->size - 1) / 2, x->dims[1]));
  pn_cuda_each_number(&e, "AFTER", pn_min_i64(attrs->size / 2, x->dims[1]));
  pn_cuda_each_real(&e, "ALPHA", (double)attrs->alpha / (double)attrs->size);
  pn_cuda_each_real(&e, "BETA", (double)attrs->beta);
  pn_cuda_each_real(&e, "BIAS_NUMBER", (double)attrs->bias);
  return pn_cuda_each_end(&e, "norm_any.cu", "lrn_any", pn_operand_elements(x), 1, diag);
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_LAYER_NORM, accepts_norm, NULL, prepare_norm},
    {PN_OP_GROUP_NORM, accepts_norm, NULL, prepare_norm},
    {PN_OP_LRN, accepts_lrn, NULL, prepare_lrn},
};
PN_CUDA_EACH_TACTIC(norm_any, ops);
