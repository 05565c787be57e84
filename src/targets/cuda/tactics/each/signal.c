/* Fourier transforms whose axis or length only a run tells, by their definition, a term a thread (cuda.fft has all
   others); determinants, a matrix a thread. */
#include "targets/cuda/each.h"

enum { LONGEST = 1 << 16 }; /* products of places then fit, and longer lines take too long this way */

static bool accepts_dft(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  const pn_operand *length = pn_problem_input(p, 0, 1), *axis = pn_problem_input(p, 0, 2);
  const int64_t x_parts = x->dims[x->rank - 1], y_parts = y->dims[y->rank - 1];
  if ((!length || length->role == PN_OPERAND_CONSTANT) && (!axis || axis->role == PN_OPERAND_CONSTANT))
    return pn_refuse(why, "axis and length are known: cuda.fft");
  bool fits = x_parts >= 1 && x_parts <= 2 && y_parts >= 1 && y_parts <= 2 &&
              (!axis || pn_operand_elements(axis) == 1) && (!length || pn_operand_elements(length) == 1);
  for (uint32_t d = 0; d + 1 < x->rank; d++) /* any axis may be the one */
    fits = fits && x->dims[d] <= LONGEST / 2 && y->dims[d] <= LONGEST / 2;
  return fits || pn_refuse(why, "more than %d terms, or more than one axis or length", LONGEST / 2);
}

static pelton_status prepare_dft(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X", "TAKEN", "AXIS"}, *const outputs[] = {"Y"};
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "DFT", 1);
  pn_cuda_each_constant(&e, "RANK", x->rank);
  pn_cuda_each_constant(&e, "INVERSE", attrs->inverse);
  pn_cuda_each_constant(&e, "ONESIDED", attrs->onesided);
  pn_cuda_each_constant(&e, "HERMITIAN", attrs->onesided && attrs->inverse);
  pn_cuda_each_constant(&e, "X_PARTS", x->dims[x->rank - 1]);
  pn_cuda_each_constant(&e, "Y_PARTS", y->dims[y->rank - 1]);
  pn_cuda_each_numbers(&e, "X_DIMS", x->dims, x->rank);
  pn_cuda_each_numbers(&e, "Y_DIMS", y->dims, y->rank);
  return pn_cuda_each_end(&e, "signal.cu", "dft", pn_operand_elements(y) / y->dims[y->rank - 1], 1, diag);
}

static size_t det_workspace(const pn_problem *p, const pn_device *device) {
  (void)device;
  return (size_t)pn_operand_elements(pn_problem_input(p, 0, 0)) * sizeof(double);
}

static bool accepts_det(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  return x->dims[x->rank - 1] == x->dims[x->rank - 2] || pn_refuse(why, "matrices that are not square");
}

static pelton_status prepare_det(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X"}, *const outputs[] = {"Y"};
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "DFT", 0);
  pn_cuda_each_number(&e, "ORDER", x->dims[x->rank - 1]);
  return pn_cuda_each_end(&e, "signal.cu", "det", pn_operand_elements(pn_problem_output(p, 0, 0)), 1, diag);
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_DFT, accepts_dft, NULL, prepare_dft},
    {PN_OP_DET, accepts_det, det_workspace, prepare_det},
};
PN_CUDA_EACH_TACTIC(signal, ops);
