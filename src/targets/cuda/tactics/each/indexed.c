/* Movement by indices that the device holds: gather_elements, gather_nd, tensor_scatter, reverse_sequence, and the
   slices and pads that cuda.move does not take because their bounds are computed. An index out of range is told when
   the stream is waited for. */
#include "targets/cuda/each.h"

static pelton_status prepare_gather_elements(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                             pelton_diag *diag) {
  static const char *const inputs[] = {"X", "INDICES"}, *const outputs[] = {"Y"};
  int64_t axis = ((const pn_attrs_gather_elements *)p->nodes[0].attrs)->axis, strides[PN_MAX_RANK];
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  pn_cuda_each e;
  if (axis < 0) axis += x->rank;
  pn_dims_strides(x->rank, x->dims, strides);
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "GATHERS", 1);
  pn_cuda_each_constant(&e, "GATHER_ELEMENTS", 1);
  pn_cuda_each_constant(&e, "RANK", x->rank);
  pn_cuda_each_number(&e, "EXTENT", x->dims[axis]);
  pn_cuda_each_number(&e, "STRIDE", strides[axis]);
  strides[axis] = 0;
  pn_cuda_each_dividers(&e, "DIMS", y->dims, y->rank);
  pn_cuda_each_numbers(&e, "STRIDES", strides, x->rank);
  return pn_cuda_each_end(&e, "indexed.cu", "gather_elements", pn_operand_elements(y), 1, diag);
}

/* Indices beside the axis are as long as the operand at most: infer has it from shapes alone. */
static bool accepts_gather_elements(const pn_problem *p, pn_reason *why) {
  int64_t axis = ((const pn_attrs_gather_elements *)p->nodes[0].attrs)->axis;
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  if (axis < 0) axis += x->rank;
  for (uint32_t d = 0; d < x->rank; d++)
    if (d != axis && indices->dims[d] > x->dims[d]) return pn_refuse(why, "indices beside the operand");
  return true;
}

static int64_t span(const pn_operand *o, uint32_t first, uint32_t end) {
  int64_t elements = 1;
  for (uint32_t d = first; d < end; d++) elements *= o->dims[d];
  return elements;
}

static pelton_status prepare_gather_nd(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                       pelton_diag *diag) {
  static const char *const inputs[] = {"X", "INDICES"}, *const outputs[] = {"Y"};
  uint32_t batch_axes = (uint32_t)((const pn_attrs_gather_nd *)p->nodes[0].attrs)->batch_dims;
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  uint32_t tuple = (uint32_t)indices->dims[indices->rank - 1];
  int64_t strides[PN_MAX_RANK];
  pn_cuda_each e;
  pn_dims_strides(x->rank, x->dims, strides);
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "GATHERS", 1);
  pn_cuda_each_constant(&e, "GATHER_ND", 1);
  pn_cuda_each_constant(&e, "TUPLE", tuple);
  pn_cuda_each_divider(&e, "INNER", span(x, batch_axes + tuple, x->rank));
  pn_cuda_each_divider(&e, "TUPLES", span(indices, batch_axes, indices->rank - 1));
  pn_cuda_each_number(&e, "BATCH", span(x, batch_axes, x->rank));
  pn_cuda_each_numbers(&e, "EXTENTS", x->dims + batch_axes, tuple);
  pn_cuda_each_numbers(&e, "STRIDES", strides + batch_axes, tuple);
  return pn_cuda_each_end(&e, "indexed.cu", "gather_nd", pn_operand_elements(pn_problem_output(p, 0, 0)), 1, diag);
}

static bool accepts_gather_nd(const pn_problem *p, pn_reason *why) {
  uint32_t batch_axes = (uint32_t)((const pn_attrs_gather_nd *)p->nodes[0].attrs)->batch_dims;
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  for (uint32_t d = 0; d < batch_axes; d++)
    if (x->dims[d] != indices->dims[d]) return pn_refuse(why, "batches that differ");
  return true;
}

static pelton_status prepare_tensor_scatter(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                            pelton_diag *diag) {
  static const char *const inputs[] = {"X", "UPDATE", "WRITE"}, *const outputs[] = {"Y"};
  const pn_attrs_tensor_scatter *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *update = pn_problem_input(p, 0, 1);
  uint32_t axis = (uint32_t)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "TENSOR_SCATTER", 1);
  pn_cuda_each_constant(&e, "CIRCULAR", attrs->circular);
  pn_cuda_each_divider(&e, "INNER", span(x, axis + 1, x->rank));
  pn_cuda_each_divider(&e, "CACHED", x->dims[axis]);
  pn_cuda_each_divider(&e, "MIDDLE", span(x, 1, axis));
  pn_cuda_each_number(&e, "LENGTH", update->dims[axis]);
  return pn_cuda_each_end(&e, "indexed.cu", "tensor_scatter", pn_operand_elements(x), 1, diag);
}

static bool accepts_tensor_scatter(const pn_problem *p, pn_reason *why) {
  const pn_attrs_tensor_scatter *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *update = pn_problem_input(p, 0, 1),
                   *write = pn_problem_input(p, 0, 2);
  uint32_t axis = (uint32_t)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
  for (uint32_t d = 0; d < x->rank; d++)
    if (d == axis ? update->dims[d] > x->dims[d] : update->dims[d] != x->dims[d])
      return pn_refuse(why, "an update that does not fit");
  return !write || write->dims[0] == x->dims[0] || pn_refuse(why, "write indices that do not fit");
}

static pelton_status prepare_reverse_sequence(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                              pelton_diag *diag) {
  static const char *const inputs[] = {"X", "LENGTHS"}, *const outputs[] = {"Y"};
  const pn_attrs_reverse_sequence *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_cuda_line time = pn_cuda_line_of(x, attrs->time_axis), batch = pn_cuda_line_of(x, attrs->batch_axis);
  pn_cuda_each e;
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "REVERSE_SEQUENCE", 1);
  pn_cuda_each_divider(&e, "TIME", time.extent);
  pn_cuda_each_divider(&e, "TIME_INNER", time.inner);
  pn_cuda_each_divider(&e, "BATCH", batch.extent);
  pn_cuda_each_divider(&e, "BATCH_INNER", batch.inner);
  return pn_cuda_each_end(&e, "indexed.cu", "reverse_sequence", pn_operand_elements(x), 1, diag);
}

static bool accepts_reverse_sequence(const pn_problem *p, pn_reason *why) {
  const pn_attrs_reverse_sequence *attrs = p->nodes[0].attrs;
  pn_cuda_line batch = pn_cuda_line_of(pn_problem_input(p, 0, 0), attrs->batch_axis);
  return pn_problem_input(p, 0, 1)->dims[0] == batch.extent || pn_refuse(why, "lengths that do not fit");
}

/* ---- slice and pad ------------------------------------------------------------------------------------------------
 */

extern const pn_tactic pn_tactic_cuda_move;

static pelton_status prepare_bounds(const pn_problem *p, const pn_device *device, pn_cuda_work *work,
                                    pelton_diag *diag) {
  static const char *const of_slice[] = {"X", "STARTS", "ENDS", "AXES", "STEPS"};
  static const char *const of_pad[] = {"X", "PADS", "VALUE", "AXES"}, *const outputs[] = {"Y"};
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0), *listed = pn_problem_input(p, 0, 1);
  bool slices = p->nodes[0].op == PN_OP_SLICE;
  int64_t strides[PN_MAX_RANK];
  pn_cuda_each e;
  pn_dims_strides(x->rank, x->dims, strides);
  pn_cuda_each_begin(&e, p, device, work);
  if (slices)
    PN_CUDA_EACH_OPERANDS(&e, of_slice, outputs);
  else
    PN_CUDA_EACH_OPERANDS(&e, of_pad, outputs);
  pn_cuda_each_constant(&e, slices ? "SLICE" : "PAD", 1);
  pn_cuda_each_constant(&e, "RANK", x->rank);
  if (!slices) {
    pn_pad_mode mode = ((const pn_attrs_pad *)p->nodes[0].attrs)->mode;
    pn_cuda_each_constant(&e, "MODE",
                          mode == PN_PAD_REFLECT ? 1
                          : mode == PN_PAD_EDGE  ? 2
                          : mode == PN_PAD_WRAP  ? 3
                                                 : 0);
  }
  pn_cuda_each_number(&e, "LISTED", pn_operand_elements(listed) / (slices ? 1 : 2));
  pn_cuda_each_numbers(&e, "EXTENTS", x->dims, x->rank);
  pn_cuda_each_numbers(&e, "STRIDES", strides, x->rank);
  pn_cuda_each_dividers(&e, "DIMS", y->dims, y->rank);
  return pn_cuda_each_end(&e, "indexed.cu", slices ? "slice" : "pad", pn_operand_elements(y), 1, diag);
}

static bool accepts_bounds(const pn_problem *p, pn_reason *why) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0), *listed = pn_problem_input(p, 0, 1);
  bool slices = p->nodes[0].op == PN_OP_SLICE;
  if (pn_tactic_cuda_move.accepts(p, NULL, NULL)) return pn_refuse(why, "cuda.move is better");
  int64_t count = pn_operand_elements(listed) / (slices ? 1 : 2);
  const pn_operand *axes = pn_problem_input(p, 0, 3), *rest = slices ? pn_problem_input(p, 0, 4) : NULL;
  if (x->rank != y->rank || !x->rank || count > x->rank || (axes && pn_operand_elements(axes) != count) ||
      (rest && pn_operand_elements(rest) != count) || (!axes && !slices && count != x->rank))
    return pn_refuse(why, "bounds that do not fit");
  const pn_operand *value = slices ? NULL : pn_problem_input(p, 0, 2);
  return !value || pn_operand_elements(value) == 1 || pn_refuse(why, "a value that is not one");
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_SLICE, accepts_bounds, NULL, prepare_bounds},
    {PN_OP_PAD, accepts_bounds, NULL, prepare_bounds},
    {PN_OP_GATHER_ELEMENTS, accepts_gather_elements, NULL, prepare_gather_elements},
    {PN_OP_GATHER_ND, accepts_gather_nd, NULL, prepare_gather_nd},
    {PN_OP_TENSOR_SCATTER, accepts_tensor_scatter, NULL, prepare_tensor_scatter},
    {PN_OP_REVERSE_SEQUENCE, accepts_reverse_sequence, NULL, prepare_reverse_sequence},
};
PN_CUDA_EACH_TACTIC(indexed, ops);
