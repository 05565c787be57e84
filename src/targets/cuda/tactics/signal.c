/* Fourier transforms by their definition, a term a thread, which is quick for the short lines of sound and pictures;
   determinants, a matrix a thread. */
#include "target/movement.h"
#include "targets/cuda/each.h"

#include <math.h>

enum { LONGEST = 1 << 16 }; /* products of places then fit, and longer lines take too long this way */

typedef struct lines {
  pn_cuda_line x, y;
  int64_t length;
  uint32_t x_parts, y_parts;
} lines;

static bool read_lines(const pn_problem *p, lines *l) {
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *length = pn_problem_input(p, 0, 1), *axis = pn_problem_input(p, 0, 2),
                   *y = pn_problem_output(p, 0, 0);
  int64_t along = -2;
  if ((axis && (axis->role != PN_OPERAND_CONSTANT || pn_operand_elements(axis) != 1)) ||
      (length && (length->role != PN_OPERAND_CONSTANT || pn_operand_elements(length) != 1)))
    return false;
  if (axis) along = pn_operand_number(axis, 0);
  if (along < 0) along += x->rank;
  if (along < 0 || along >= (int64_t)x->rank - 1) return false;
  l->x = pn_cuda_line_of(x, along);
  l->y = pn_cuda_line_of(y, along);
  l->x_parts = (uint32_t)x->dims[x->rank - 1];
  l->y_parts = (uint32_t)y->dims[y->rank - 1];
  l->x.inner /= l->x_parts ? l->x_parts : 1;
  l->y.inner /= l->y_parts ? l->y_parts : 1;
  l->length = length ? pn_operand_number(length, 0)
                     : attrs->onesided && attrs->inverse ? 2 * (l->x.extent - 1) : l->x.extent;
  return l->length >= 1 && l->length <= LONGEST && l->x_parts >= 1 && l->x_parts <= 2 && l->y_parts >= 1 && l->y_parts <= 2;
}

static bool accepts_dft(const pn_problem *p, pn_reason *why) {
  lines l;
  return read_lines(p, &l) || pn_refuse(why, "an axis or a length that is not known, or more than 65,536 terms");
}

static pelton_status make_circle(const pn_device *device, int64_t length, pn_cuda_work *work, pelton_diag *diag) {
  double *circle = pn_alloc(device->allocator, (size_t)length * 2 * sizeof *circle, 8);
  if (!circle) return pn_fail_memory(diag, "a Fourier transform");
  for (int64_t i = 0; i < length; i++) {
    const double turn = 6.28318530717958647692 * (double)i / (double)length;
    circle[2 * i] = cos(turn);
    circle[2 * i + 1] = sin(turn);
  }
  pelton_status status =
      pn_cuda_table_create(device, circle, (size_t)length * 2 * sizeof *circle, &work->table, diag);
  pn_release(device->allocator, circle);
  if (!status) work->device = device;
  return status;
}

static pelton_status prepare_dft(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X"}, *const outputs[] = {"Y"};
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  lines l;
  pn_cuda_each e;
  if (!read_lines(p, &l)) return PN_INTERNAL(diag, "dft changed after it was accepted");
  PN_TRY(make_circle(device, l.length, work, diag));
  bool hermitian = attrs->onesided && attrs->inverse;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "DFT", 1);
  pn_cuda_each_constant(&e, "INVERSE", attrs->inverse);
  pn_cuda_each_constant(&e, "HERMITIAN", hermitian);
  pn_cuda_each_constant(&e, "X_PARTS", l.x_parts);
  pn_cuda_each_constant(&e, "Y_PARTS", l.y_parts);
  pn_cuda_each_divider(&e, "INNER", l.y.inner);
  pn_cuda_each_divider(&e, "Y_EXTENT", l.y.extent);
  pn_cuda_each_number(&e, "X_EXTENT", l.x.extent);
  pn_cuda_each_number(&e, "LENGTH", l.length);
  pn_cuda_each_number(&e, "GIVEN", pn_min_i64(l.x.extent, hermitian ? l.length / 2 + 1 : l.length));
  return pn_cuda_each_end(&e, "signal.cu", "dft", l.y.outer * l.y.extent * l.y.inner, 1, diag);
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
