/* Writing at indices that the device holds: scatter_elements, scatter_nd, and max_unpool, which writes into zeros. An
   index out of range is told when the stream is waited for. Results do not hang on the order of threads
   (kernels/scatter.cu). */
#include "targets/cuda/each.h"

/* Slots of the result, each of |inner| elements, and updates. */
typedef struct extents {
  int64_t slots, updates, inner;
  pn_scatter_reduction reduction;
} extents;

static extents extents_of(const pn_problem *p) {
  const pn_operand *y = pn_problem_output(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  extents x = {pn_operand_elements(y), pn_operand_elements(indices), 1, PN_SCATTER_NONE};
  if (p->nodes[0].op == PN_OP_SCATTER_ELEMENTS)
    x.reduction = ((const pn_attrs_scatter_elements *)p->nodes[0].attrs)->reduction;
  if (p->nodes[0].op != PN_OP_SCATTER_ND) return x;
  uint32_t tuple = (uint32_t)indices->dims[indices->rank - 1];
  x.reduction = ((const pn_attrs_scatter_nd *)p->nodes[0].attrs)->reduction;
  x.slots = x.updates = 1;
  for (uint32_t d = 0; d < y->rank; d++) *(d < tuple ? &x.slots : &x.inner) *= y->dims[d];
  for (uint32_t d = 0; d + 1 < indices->rank; d++) x.updates *= indices->dims[d];
  return x;
}

static size_t workspace(const pn_problem *p, const pn_device *device) {
  extents x = extents_of(p);
  (void)device;
  return (size_t)(x.slots + x.updates) * sizeof(int);
}

static const char *reduce_text(pn_scatter_reduction reduction, bool is_bool) {
  switch (reduction) {
  case PN_SCATTER_ADD: return is_bool ? "((x) + (y) != 0)" : "((x) + (y))";
  case PN_SCATTER_MUL: return is_bool ? "((x) * (y) != 0)" : "((x) * (y))";
  case PN_SCATTER_MAX: return "((x) != (x) ? (x) : (y) != (y) || (y) > (x) ? (y) : (x))";
  case PN_SCATTER_MIN: return "((x) != (x) ? (x) : (y) != (y) || (y) < (x) ? (y) : (x))";
  default: return "(y)";
  }
}

/* What all stages see beside what finds a slot. */
static void begin(pn_cuda_each *e, const pn_problem *p, const pn_device *device, pn_cuda_work *work) {
  static const char *const scatters[] = {"X", "INDICES", "UPDATES"}, *const unpools[] = {"UPDATES", "INDICES"};
  static const char *const outputs[] = {"Y"};
  extents x = extents_of(p);
  bool unpool = p->nodes[0].op == PN_OP_MAX_UNPOOL;
  pn_cuda_each_begin(e, p, device, work);
  if (unpool) {
    PN_CUDA_EACH_OPERANDS(e, unpools, outputs);
    pn_cuda_each_constant(e, "WITH_X", 0);
    pn_cuda_each_word(e, "X", "a.operand[0]");
  } else {
    PN_CUDA_EACH_OPERANDS(e, scatters, outputs);
  }
  pn_cuda_each_number(e, "SLOTS", x.slots);
  pn_cuda_each_divider(e, "INNER", x.inner);
  pn_cuda_each_constant(e, "REDUCES", x.reduction != PN_SCATTER_NONE);
  pn_cuda_each_word(e, "REDUCE(x, y)",
                    reduce_text(x.reduction, pn_problem_output(p, 0, 0)->dtype == PELTON_DTYPE_BOOL));
}

static bool pooled_dims(const pn_problem *p, int64_t *dims, int64_t *elements) {
  const pn_attrs_max_unpool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  uint32_t axes = attrs->kernel.count;
  for (uint32_t d = 0; d < x->rank; d++) {
    dims[d] = x->dims[d];
    if (d < 2) continue;
    int64_t stride = d - 2 < attrs->strides.count ? attrs->strides.data[d - 2] : 1;
    int64_t pads = attrs->pads.count ? attrs->pads.data[d - 2] + attrs->pads.data[d - 2 + axes] : 0;
    if (stride > INT32_MAX || attrs->kernel.data[d - 2] > INT32_MAX) return false;
    dims[d] = x->dims[d] ? (x->dims[d] - 1) * stride + attrs->kernel.data[d - 2] - pads : 0;
    if (dims[d] < 0) return false;
  }
  return pn_dims_elements(x->rank, dims, 1, elements) && *elements <= INT32_MAX;
}

static void find_slots(pn_cuda_each *e) {
  const pn_problem *p = e->problem;
  const pn_operand *y = pn_problem_output(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  int64_t strides[PN_MAX_RANK], dims[PN_MAX_RANK], elements = 0;
  pn_dims_strides(y->rank, y->dims, strides);
  pn_cuda_each_constant(e, "RANK", y->rank);
  if (p->nodes[0].op == PN_OP_SCATTER_ELEMENTS) {
    int64_t axis = ((const pn_attrs_scatter_elements *)p->nodes[0].attrs)->axis;
    if (axis < 0) axis += y->rank;
    pn_cuda_each_constant(e, "SCATTER_ELEMENTS", 1);
    pn_cuda_each_number(e, "EXTENT", y->dims[axis]);
    pn_cuda_each_number(e, "STRIDE", strides[axis]);
    strides[axis] = 0;
    pn_cuda_each_dividers(e, "DIMS", indices->dims, indices->rank);
    pn_cuda_each_numbers(e, "STRIDES", strides, y->rank);
  } else if (p->nodes[0].op == PN_OP_SCATTER_ND) {
    uint32_t tuple = (uint32_t)indices->dims[indices->rank - 1];
    int64_t inner = extents_of(p).inner;
    for (uint32_t d = 0; d < tuple && inner > 0; d++) strides[d] /= inner;
    pn_cuda_each_constant(e, "SCATTER_ND", 1);
    pn_cuda_each_constant(e, "TUPLE", tuple);
    pn_cuda_each_numbers(e, "EXTENTS", y->dims, tuple);
    pn_cuda_each_numbers(e, "STRIDES", strides, tuple);
  } else {
    (void)pooled_dims(p, dims, &elements); /* accepted before */
    pn_cuda_each_number(e, "POOLED_ELEMENTS", elements);
    pn_cuda_each_dividers(e, "POOLED", dims, y->rank);
    pn_cuda_each_numbers(e, "EXTENTS", y->dims, y->rank);
  }
}

static pelton_status prepare_all(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const entries[] = {"scatter_begin", "scatter_link", "scatter_sort", "scatter_write"};
  extents x = extents_of(p);
  const int64_t counts[] = {x.slots, x.updates, x.slots, pn_operand_elements(pn_problem_output(p, 0, 0))};
  for (int i = 0; i < 4; i++) {
    pn_cuda_each e;
    if (i == 2 && x.reduction == PN_SCATTER_NONE) continue;
    begin(&e, p, device, work);
    find_slots(&e);
    PN_TRY(pn_cuda_each_end(&e, "scatter.cu", entries[i], counts[i], 1, diag));
  }
  return PELTON_OK;
}

static bool accepts_elements(const pn_problem *p, pn_reason *why) {
  int64_t axis = ((const pn_attrs_scatter_elements *)p->nodes[0].attrs)->axis;
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1),
                   *updates = pn_problem_input(p, 0, 2);
  if (axis < 0) axis += x->rank;
  for (uint32_t d = 0; d < x->rank; d++)
    if (indices->dims[d] != updates->dims[d] || (d != axis && indices->dims[d] > x->dims[d]))
      return pn_refuse(why, "updates that do not fit");
  return true;
}

static bool accepts_nd(const pn_problem *p, pn_reason *why) {
  extents x = extents_of(p);
  return pn_operand_elements(pn_problem_input(p, 0, 2)) == x.updates * x.inner ||
         pn_refuse(why, "updates that do not fit");
}

static bool accepts_unpool(const pn_problem *p, pn_reason *why) {
  int64_t dims[PN_MAX_RANK], elements;
  return pooled_dims(p, dims, &elements) || pn_refuse(why, "more than 2^31 elements before pooling");
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_SCATTER_ELEMENTS, accepts_elements, workspace, prepare_all},
    {PN_OP_SCATTER_ND, accepts_nd, workspace, prepare_all},
    {PN_OP_MAX_UNPOOL, accepts_unpool, workspace, prepare_all},
};
PN_CUDA_EACH_TACTIC(scatter, ops);
