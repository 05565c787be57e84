/* What a test picks out: non_zero and compress, in the order of the definition. How much that is the device counts
   (tactic.h). */
#include "targets/cuda/each.h"

enum { PIECE = 4096 }; /* kernels/each/select.cu */

/* The operand that is tested. */
static const pn_operand *tested(const pn_problem *p) {
  return pn_problem_input(p, 0, p->nodes[0].op == PN_OP_COMPRESS ? 1 : 0);
}

static int64_t pieces_of(const pn_problem *p) { return pn_div_up(pn_operand_elements(tested(p)), PIECE); }

static size_t workspace(const pn_problem *p, const pn_device *device) {
  (void)device;
  const int64_t kept = p->nodes[0].op == PN_OP_COMPRESS ? pn_operand_elements(tested(p)) : 0;
  return (size_t)(pieces_of(p) + kept) * sizeof(uint32_t);
}

static void begin(pn_cuda_each *e, const pn_problem *p, const pn_device *device, pn_cuda_work *work) {
  static const char *const non_zero[] = {"X"}, *const compress[] = {"FROM", "X"}, *const outputs[] = {"Y"};
  pn_cuda_each_begin(e, p, device, work);
  if (p->nodes[0].op == PN_OP_COMPRESS)
    PN_CUDA_EACH_OPERANDS(e, compress, outputs);
  else
    PN_CUDA_EACH_OPERANDS(e, non_zero, outputs);
  pn_cuda_each_number(e, "ELEMENTS", pn_operand_elements(tested(p)));
  pn_cuda_each_number(e, "PIECES", pieces_of(p));
}

static pelton_status prepare_common(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                    pelton_diag *diag) {
  static const char *const flags[] = {"COUNTS", "ADDS", "WRITES"};
  static const char *const entries[] = {"select_count", "select_add", "select_write"};
  const pn_operand *x = tested(p);
  for (int i = 0; i < 3; i++) {
    pn_cuda_each e;
    begin(&e, p, device, work);
    pn_cuda_each_constant(&e, flags[i], 1);
    pn_cuda_each_constant(&e, "NON_ZERO", p->nodes[0].op == PN_OP_NON_ZERO);
    pn_cuda_each_constant(&e, "RANK", x->rank);
    pn_cuda_each_dividers(&e, "DIMS", x->dims, x->rank);
    PN_TRY(pn_cuda_each_end(&e, "select.cu", entries[i], i == 1 ? 1 : pieces_of(p), PN_CUDA_BLOCK, diag));
  }
  return PELTON_OK;
}

static pn_cuda_line slices_of(const pn_problem *p) {
  const pn_attrs_compress *attrs = p->nodes[0].attrs;
  const pn_operand *from = pn_problem_input(p, 0, 0);
  return attrs->flat ? (pn_cuda_line){1, pn_operand_elements(from), 1} : pn_cuda_line_of(from, attrs->axis);
}

static pelton_status prepare_compress(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                      pelton_diag *diag) {
  const pn_cuda_line line = slices_of(p);
  pn_cuda_each e;
  PN_TRY(prepare_common(p, device, work, diag));
  begin(&e, p, device, work);
  pn_cuda_each_constant(&e, "COPIES", 1);
  pn_cuda_each_number(&e, "OUTER", line.outer);
  pn_cuda_each_line(&e, &line);
  return pn_cuda_each_end(&e, "select.cu", "select_copy", pn_operand_elements(pn_problem_output(p, 0, 0)), 1, diag);
}

/* A condition that is longer than its axis may pick slices that are not there, which the definition tells. */
static bool accepts_compress(const pn_problem *p, pn_reason *why) {
  return pn_operand_elements(tested(p)) <= slices_of(p).extent ||
         pn_refuse(why, "a condition that is longer than its axis");
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_NON_ZERO, NULL, workspace, prepare_common},
    {PN_OP_COMPRESS, accepts_compress, workspace, prepare_compress},
};
PN_CUDA_EACH_COUNTS(select, ops, pn_cuda_each_run);
