/* Convolutions with a thread for each result: depthwise ones, and others of few products a result. Any spatial rank up
   to three, groups, dilation, layouts, 16- and 32-bit floats with f32 sums, and an expression that follows. */
#include "targets/cuda/window.h"

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  pn_cuda_epilogue epilogue;
  (void)device;
  return pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &epilogue, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  const pn_operand *w = pn_problem_input(p, 0, 1);
  double alone = 1e-7 * (double)(pn_operand_elements(w) / w->dims[0]); /* a thread goes through its sum one by one */
  double all = pn_cuda_estimate(device, pn_cuda_conv_work(p), 1.5 * pn_cuda_operand_bytes(p), 0.06);
  return alone > all ? alone : all;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  static const pn_cuda_source source = {NULL, "conv_direct.cu", "conv_direct", false};
  (void)config;
  return pn_cuda_conv_each_prepare(p, device, &source, memory, diag);
}

const pn_tactic pn_tactic_cuda_conv_direct = {
    .name = "cuda.conv_direct",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = pn_cuda_conv_each_sizes,
    .prepare = prepare,
    .run = pn_cuda_conv_each_run,
};
