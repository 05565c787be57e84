/* Convolutions of integers, and those (also transposed) that the other tactics do not take: more than three spatial
   axes, f64. A result a thread. */
#include "op/linear/window.h"
#include "targets/cuda/each.h"
#include "targets/cuda/window.h"

enum { MOST_SPATIAL = PN_MAX_RANK - 2 };

static int64_t group_of(const pn_problem *p) {
  switch (p->nodes[0].op) {
  case PN_OP_CONV: return ((const pn_attrs_conv *)p->nodes[0].attrs)->group;
  case PN_OP_CONV_TRANSPOSE: return ((const pn_attrs_conv_transpose *)p->nodes[0].attrs)->group;
  default: return ((const pn_attrs_conv_integer *)p->nodes[0].attrs)->group;
  }
}

static pelton_status resolve(const pn_problem *p, pn_window *windows) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  uint32_t axes = x->rank - 2;
  if (p->nodes[0].op == PN_OP_CONV_TRANSPOSE) {
    pn_window_transposed spec = PN_WINDOW_TRANSPOSED((const pn_attrs_conv_transpose *)p->nodes[0].attrs);
    return pn_window_resolve_transposed(NULL, "conv_transpose", &spec, axes, x->dims + 2, w->dims + 2, windows);
  }
  pn_window_spec spec = PN_WINDOW_SPEC((const pn_attrs_conv_integer *)p->nodes[0].attrs);
  if (p->nodes[0].op == PN_OP_CONV) spec = PN_WINDOW_SPEC((const pn_attrs_conv *)p->nodes[0].attrs);
  return pn_window_resolve(NULL, "conv", &spec, axes, x->dims + 2, w->dims + 2, windows);
}

static bool accepts_any(const pn_problem *p, pn_reason *why) {
  pn_window windows[MOST_SPATIAL];
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  int64_t group = group_of(p), in = p->nodes[0].op == PN_OP_CONV_TRANSPOSE ? w->dims[0] : w->dims[1] * group;
  const pn_operand *zero = p->nodes[0].op == PN_OP_CONV_INTEGER ? pn_problem_input(p, 0, 3) : NULL;
  if (x->rank < 3 || w->rank != x->rank || x->dims[1] != in || y->dims[1] % group)
    return pn_refuse(why, "channels that do not fit");
  if (zero && pn_operand_elements(zero) != 1 && pn_operand_elements(zero) != y->dims[1])
    return pn_refuse(why, "zero points that do not fit");
  if (resolve(p, windows)) return pn_refuse(why, "its window does not fit");
  for (uint32_t d = 0; d + 2 < x->rank; d++) {
    int64_t reach = (windows[d].kernel + 1) * windows[d].dilation;
    if (windows[d].stride > INT32_MAX / 2 || windows[d].dilation > INT32_MAX / 2 ||
        windows[d].pad_begin > INT32_MAX / 4 || windows[d].pad_begin < -INT32_MAX / 4 || reach > INT32_MAX / 4 ||
        windows[d].input > INT32_MAX / 4)
      return pn_refuse(why, "its window is too large");
  }
  return true;
}

static bool accepts_rest(const pn_problem *p, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  pn_cuda_epilogue epilogue;
  if (pn_cuda_conv_accepts(p, p->nodes[0].op, windows, &epilogue, NULL))
    return pn_refuse(why, "other tactics are better");
  return accepts_any(p, why);
}

static pelton_status prepare_all(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  static const char *const reals[] = {"X", "W", "BIAS"}, *const integers[] = {"X", "W", "X_ZERO", "W_ZERO"};
  static const char *const outputs[] = {"Y"};
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  const pn_operand *zero = pn_problem_input(p, 0, 3);
  bool is_integer = p->nodes[0].op == PN_OP_CONV_INTEGER;
  uint32_t axes = x->rank - 2;
  int64_t group = group_of(p), plane = 1, taps = 1, lists[6][MOST_SPATIAL];
  pn_window windows[MOST_SPATIAL];
  pn_cuda_each e;
  if (resolve(p, windows)) return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  pn_cuda_each_begin(&e, p, device, work);
  if (is_integer) {
    PN_CUDA_EACH_OPERANDS(&e, integers, outputs);
    pn_cuda_each_constant(&e, "WITH_BIAS", 0);
    pn_cuda_each_word(&e, "BIAS", "X");
    pn_cuda_each_word(&e, "BIAS_TYPE", "X_TYPE");
  } else {
    PN_CUDA_EACH_OPERANDS(&e, reals, outputs);
    pn_text_printf(&e.head, "#define WITH_X_ZERO 0\n#define WITH_W_ZERO 0\n#define X_ZERO X\n#define W_ZERO W\n"
                            "#define X_ZERO_TYPE X_TYPE\n#define W_ZERO_TYPE W_TYPE\n");
  }
  for (uint32_t d = 0; d < axes; d++) {
    plane *= x->dims[2 + d];
    taps *= w->dims[2 + d];
    lists[0][d] = y->dims[2 + d];
    lists[1][d] = w->dims[2 + d];
    lists[2][d] = x->dims[2 + d];
    lists[3][d] = windows[d].stride;
    lists[4][d] = windows[d].dilation;
    lists[5][d] = windows[d].pad_begin;
  }
  e.fused = true;
  pn_cuda_each_constant(&e, "AXES", axes);
  pn_cuda_each_constant(&e, "TRANSPOSED", p->nodes[0].op == PN_OP_CONV_TRANSPOSE);
  pn_cuda_each_constant(&e, "ZERO_EACH", is_integer && zero && pn_operand_elements(zero) > 1);
  pn_cuda_each_word(&e, "S", is_integer ? "u32" : x->dtype == PELTON_DTYPE_F64 ? "f64" : "f32");
  pn_cuda_each_word(&e, "RESULT(sum)", is_integer ? "((i32)(sum))" : "((Y_FORM)(sum))");
  pn_cuda_each_dividers(&e, "OUTPUT", lists[0], axes);
  pn_cuda_each_dividers(&e, "KERNEL_EXTENT", lists[1], axes);
  pn_cuda_each_numbers(&e, "INPUT", lists[2], axes);
  pn_cuda_each_numbers(&e, "STRIDE", lists[3], axes);
  pn_cuda_each_numbers(&e, "DILATION", lists[4], axes);
  pn_cuda_each_numbers(&e, "PAD", lists[5], axes);
  pn_cuda_each_divider(&e, "CHANNELS", y->dims[1]);
  pn_cuda_each_divider(&e, "MEMBERS", y->dims[1] / group);
  pn_cuda_each_number(&e, "GROUPS", group);
  pn_cuda_each_number(&e, "IN_CHANNELS", x->dims[1] / group);
  pn_cuda_each_number(&e, "PLANE", plane);
  pn_cuda_each_number(&e, "TAPS", taps);
  return pn_cuda_each_end(&e, "conv_any.cu", "conv_any", pn_operand_elements(y), 1, diag);
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_CONV_INTEGER, accepts_any, NULL, prepare_all},
    {PN_OP_CONV, accepts_rest, NULL, prepare_all},
    {PN_OP_CONV_TRANSPOSE, accepts_rest, NULL, prepare_all},
};
PN_CUDA_EACH_TACTIC(conv_any, ops);
