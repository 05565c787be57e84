#include "targets/cpu/convolution/conv.h"

bool pn_cpu_conv_window(const pn_problem *p, pn_window *y, pn_window *x) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  const pn_attrs_conv *attrs = p->nodes[0].attrs;
  pn_window_spec spec = PN_WINDOW_SPEC(attrs);
  pn_window axes[2];
  if (pn_window_resolve(NULL, "conv", &spec, in->rank - 2, in->dims + 2, w->dims + 2, axes)) return false;
  *x = axes[in->rank - 3];
  *y = in->rank == 4 ? axes[0] : (pn_window){1, 1, 1, 1, 0, 0, 1};
  return true;
}

bool pn_cpu_conv_accepts(const pn_problem *p, pn_window *y, pn_window *x, pn_reason *why) {
  if (p->nodes[0].op != PN_OP_CONV) return false;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *bias = pn_problem_input(p, 0, 2);
  const pn_operand *out = pn_problem_output(p, p->node_count - 1, 0);
  if (in->dtype != PELTON_DTYPE_F32 || w->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (in->rank != 3 && in->rank != 4) return pn_refuse(why, "one or two spatial axes, not %u", in->rank - 2);
  if (w->role != PN_OPERAND_CONSTANT || (bias && bias->role != PN_OPERAND_CONSTANT))
    return pn_refuse(why, "filter and bias are not constant");
  if (out->layout != PN_LAYOUT_CHANNELS_LAST) return pn_refuse(why, "wants a channels_last result");
  if (pn_operand_elements(out) == 0 || pn_operand_elements(w) == 0) return pn_refuse(why, "an empty convolution");
  pn_epilogue epilogue;
  if (!pn_cpu_conv_window(p, y, x)) return pn_refuse(why, "its window does not fit");
  return pn_epilogue_compile(p, &epilogue, why);
}

bool pn_cpu_conv_transpose_window(const pn_problem *p, pn_window *y, pn_window *x) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  const pn_attrs_conv_transpose *attrs = p->nodes[0].attrs;
  pn_window_transposed spec = PN_WINDOW_TRANSPOSED(attrs);
  pn_window axes[2];
  if (pn_window_resolve_transposed(NULL, "conv_transpose", &spec, in->rank - 2, in->dims + 2, w->dims + 2, axes))
    return false;
  *x = axes[in->rank - 3];
  *y = in->rank == 4 ? axes[0] : (pn_window){1, 1, 1, 1, 0, 0, 1};
  return true;
}

static bool is_channels_last(const pn_operand *o) {
  return pn_layout_same(o->layout, PN_LAYOUT_CHANNELS_LAST, o->rank, o->dims);
}

bool pn_cpu_conv_transpose_accepts(const pn_problem *p, pn_window *y, pn_window *x, pn_reason *why) {
  if (p->nodes[0].op != PN_OP_CONV_TRANSPOSE) return false;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *bias = pn_problem_input(p, 0, 2);
  const pn_operand *out = pn_problem_output(p, p->node_count - 1, 0);
  if (in->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (in->rank != 3 && in->rank != 4) return pn_refuse(why, "one or two spatial axes, not %u", in->rank - 2);
  if (!is_channels_last(in) || !is_channels_last(out)) return pn_refuse(why, "wants channels-last operand and result");
  if (p->node_count > 1 && out->layout != PN_LAYOUT_CHANNELS_LAST)
    return pn_refuse(why, "an epilogue wants a channels-last result");
  if (!w->data) return pn_refuse(why, "the filter is not constant");
  if (bias && !bias->data) return pn_refuse(why, "the bias is not constant");
  if (!pn_operand_elements(in) || !pn_operand_elements(out) || !pn_operand_elements(w))
    return pn_refuse(why, "an empty operand");
  if (!pn_cpu_conv_transpose_window(p, y, x)) return pn_refuse(why, "the window does not fit");
  pn_epilogue epilogue;
  return pn_epilogue_compile(p, &epilogue, why);
}

float pn_cpu_conv_bias(const pn_problem *p, const pn_epilogue *epilogue, int64_t output) {
  const pn_operand *own = pn_problem_input(p, 0, 2);
  float value = own ? ((const float *)own->data)[output] : 0;
  if (epilogue->bias != PN_NO_OPERAND) value += ((const float *)p->operands[epilogue->bias].data)[output];
  return value;
}

double pn_cpu_few_outputs_cost(const pn_cpu_dotconv_f32 *dotconv, int64_t filter_rows, int64_t depth, int64_t outputs) {
  double lanes = dotconv->lanes, sums = (double)outputs, pixels = (double)(dotconv->lanes / outputs);
  double step = pixels * sums > pixels + sums ? pixels * sums : pixels + sums;
  double tile = (double)(filter_rows * pn_div_up(depth, dotconv->lanes)) * step + 6.0 * (double)filter_rows + 3 * lanes;
  return tile * lanes / pixels;
}

bool pn_cpu_conv_packs(const pn_problem *problem, uint32_t operand) {
  const pn_problem_node *node = &problem->nodes[0];
  return operand == node->inputs[1] || (node->input_count > 2 && operand == node->inputs[2]);
}
