/* Fourier transforms by their definition, a term a thread, which is quick for the short lines of sound and pictures;
   determinants, a matrix a thread. */
#include "target/movement.h"
#include "targets/cuda/each.h"

#include <math.h>

enum { LONGEST = 1 << 16 }; /* products of places then fit, and longer lines take too long this way */

/* What the operands say when they are constants. */
typedef struct spectrum {
  bool known; /* the axis and the length */
  int64_t axis, length;
} spectrum;

static bool is_known(const pn_operand *o) { return !o || o->role == PN_OPERAND_CONSTANT; }

static bool read_operands(const pn_problem *p, spectrum *s) {
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *length = pn_problem_input(p, 0, 1),
                   *axis = pn_problem_input(p, 0, 2);
  if ((axis && pn_operand_elements(axis) != 1) || (length && pn_operand_elements(length) != 1)) return false;
  *s = (spectrum){.known = is_known(axis) && is_known(length)};
  if (!s->known) { /* any axis may be the one */
    const pn_operand *y = pn_problem_output(p, 0, 0);
    for (uint32_t d = 0; d + 1 < x->rank; d++)
      if (x->dims[d] > LONGEST / 2 || y->dims[d] > LONGEST / 2) return false;
    return true;
  }
  s->axis = axis ? pn_operand_number(axis, 0) : -2;
  if (s->axis < 0) s->axis += x->rank;
  if (s->axis < 0 || s->axis >= (int64_t)x->rank - 1) return false;
  int64_t extent = x->dims[s->axis];
  s->length = length ? pn_operand_number(length, 0) : attrs->onesided && attrs->inverse ? 2 * (extent - 1) : extent;
  return s->length >= 1 && s->length <= LONGEST;
}

static bool accepts_dft(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t x_parts = x->dims[x->rank - 1], y_parts = y->dims[y->rank - 1];
  spectrum s;
  if (x_parts < 1 || x_parts > 2 || y_parts < 1 || y_parts > 2 || !read_operands(p, &s))
    return pn_refuse(why, "more than %d terms, or an axis that is not there", LONGEST);
  return true;
}

static pelton_status make_circle(const pn_device *device, int64_t length, pn_cuda_work *work, pelton_diag *diag) {
  double *circle = pn_alloc(device->allocator, (size_t)length * 2 * sizeof *circle, 8);
  if (!circle) return pn_fail_memory(diag, "a Fourier transform");
  for (int64_t i = 0; i < length; i++) {
    const double turn = 6.28318530717958647692 * (double)i / (double)length;
    circle[2 * i] = cos(turn);
    circle[2 * i + 1] = sin(turn);
  }
  pelton_status status = pn_cuda_table_create(device, circle, (size_t)length * 2 * sizeof *circle, &work->table, diag);
  pn_release(device->allocator, circle);
  if (!status) work->device = device;
  return status;
}

static pelton_status prepare_dft(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X", "TAKEN", "AXIS"}, *const outputs[] = {"Y"};
  const pn_attrs_dft *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  spectrum s;
  pn_cuda_each e;
  if (!read_operands(p, &s)) return PN_INTERNAL(diag, "dft changed after it was accepted");
  if (s.known) PN_TRY(make_circle(device, s.length, work, diag));
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "DFT", 1);
  pn_cuda_each_constant(&e, "KNOWN", s.known);
  pn_cuda_each_constant(&e, "RANK", x->rank);
  pn_cuda_each_constant(&e, "INVERSE", attrs->inverse);
  pn_cuda_each_constant(&e, "ONESIDED", attrs->onesided);
  pn_cuda_each_constant(&e, "HERMITIAN", attrs->onesided && attrs->inverse);
  pn_cuda_each_constant(&e, "X_PARTS", x->dims[x->rank - 1]);
  pn_cuda_each_constant(&e, "Y_PARTS", y->dims[y->rank - 1]);
  pn_cuda_each_number(&e, "AXIS_NUMBER", s.known ? s.axis : x->rank - 2);
  pn_cuda_each_number(&e, "LENGTH", s.length);
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
