/* Reductions that cuda.reduce does not take: over axes that are known on the device only, of nothing, of integers by
   roots and logarithms. */
#include "op/quantisation/low_bits.h"
#include "target/movement.h"
#include "targets/cuda/each.h"

extern const pn_tactic pn_tactic_cuda_reduce;

static bool accepts_any(const pn_problem *p, pn_reason *why) {
  const pn_operand *axes = pn_problem_input(p, 0, 1);
  if (pn_tactic_cuda_reduce.accepts(p, NULL, NULL)) return pn_refuse(why, "cuda.reduce is better");
  if (!axes || axes->role == PN_OPERAND_CONSTANT) return true;
  return pn_operand_elements(axes) > 0 || pn_refuse(why, "axes that are not there");
}

static const char *lowest_of(pelton_dtype dtype, bool greatest) {
  bool is_signed = pn_dtype_is_signed(dtype);
  if (pn_dtype_is_float(dtype)) return greatest ? "INFINITE" : "(-INFINITE)";
  if (greatest) return is_signed ? "((i64)(~0ull >> (65 - BITS)))" : "((X_FORM)(~0ull >> (64 - BITS)))";
  return is_signed ? "(-(i64)(~0ull >> (65 - BITS)) - 1)" : "0";
}

static pelton_status prepare_any(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const inputs[] = {"X", "AXES"}, *const outputs[] = {"Y"};
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *axes = pn_problem_input(p, 0, 1);
  int64_t strides[PN_MAX_RANK], mask = 0, count = axes ? pn_operand_elements(axes) : 0;
  bool known = !axes || axes->role == PN_OPERAND_CONSTANT, is_float = pn_dtype_is_float(x->dtype);
  bool real = attrs->kind == PN_REDUCE_L2 || attrs->kind == PN_REDUCE_LOG_SUM || attrs->kind == PN_REDUCE_LOG_SUM_EXP;
  pn_cuda_each e;
  for (int64_t i = 0; known && i < count; i++) {
    int64_t axis = pn_operand_number(axes, i);
    mask |= (int64_t)1 << (axis < 0 ? axis + x->rank : axis);
  }
  if (!count && !attrs->empty_is_none) mask = ((int64_t)1 << x->rank) - 1;
  pn_dims_strides(x->rank, x->dims, strides);
  pn_cuda_each_begin(&e, p, device, work);
  PN_CUDA_EACH_OPERANDS(&e, inputs, outputs);
  pn_cuda_each_constant(&e, "RANK", x->rank);
  pn_cuda_each_constant(&e, "KIND", attrs->kind);
  pn_cuda_each_constant(&e, "AXES_KNOWN", known);
  pn_cuda_each_constant(&e, "IS_FLOAT", is_float);
  pn_cuda_each_constant(&e, "BITS", pn_dtype_bits(x->dtype));
  pn_cuda_each_word(&e, "LOWEST", lowest_of(x->dtype, attrs->kind == PN_REDUCE_MIN));
  pn_cuda_each_word(&e, "S", is_float || real ? "f64" : "u64");
  pn_cuda_each_word(&e, "IS_NEGATIVE(v)",
                    is_float || real               ? "((v) < 0)"
                    : pn_dtype_is_signed(x->dtype) ? "((i64)(v) < 0)"
                                                   : "0");
  pn_cuda_each_word(&e, "DIVIDED(sum, by)",
                    is_float                       ? "((sum) / (S)(by))"
                    : pn_dtype_is_signed(x->dtype) ? "((S)((i64)(sum) / (i64)(by)))"
                                                   : "((sum) / (by))");
  pn_cuda_each_steps(&e);
  if (x->dtype == PELTON_DTYPE_BOOL)
    pn_cuda_each_word(&e, "RESULT(sum)", "((sum) != 0)");
  else if (real && !is_float)
    pn_cuda_each_word(&e, "RESULT(sum)", x->dtype == PELTON_DTYPE_U64 ? "u64_of_wide(sum)" : "i64_of_wide(sum)");
  else
    pn_cuda_each_word(&e, "RESULT(sum)", "((X_FORM)(sum))");
  pn_cuda_each_number(&e, "MASK", mask);
  pn_cuda_each_number(&e, "AXIS_COUNT", known ? 0 : count);
  pn_cuda_each_numbers(&e, "DIMS", x->dims, x->rank);
  pn_cuda_each_numbers(&e, "STRIDES", strides, x->rank);
  return pn_cuda_each_end(&e, "reduce_any.cu", "reduce_any", pn_operand_elements(pn_problem_output(p, 0, 0)), 1, diag);
}

static const pn_cuda_each_op ops[] = {{PN_OP_REDUCE, accepts_any, NULL, prepare_any}};
PN_CUDA_EACH_TACTIC(reduce_any, ops);
