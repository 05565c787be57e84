/* Transposed convolutions as a gather, with a thread for each result: any spatial rank up to three, groups, dilation,
   output padding, a plain result, and an expression that follows. */
#include "targets/cuda/window.h"

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  pn_cuda_epilogue epilogue;
  (void)device;
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV_TRANSPOSE, windows, &epilogue, why)) return false;
  return pn_problem_output(p, p->node_count - 1, 0)->layout == PN_LAYOUT_PLAIN ||
         pn_refuse(why, "wants a plain result");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, pn_cuda_conv_work(p), 1.5 * pn_cuda_operand_bytes(p), 0.06);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  static const pn_cuda_source source = {NULL, "conv_transpose.cu", "conv_transpose", false};
  (void)config;
  return pn_cuda_conv_each_prepare(p, device, &source, memory, diag);
}

const pn_tactic pn_tactic_cuda_conv_transpose = {
    .name = "cuda.conv_transpose",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = pn_cuda_conv_each_sizes,
    .prepare = prepare,
    .run = pn_cuda_conv_each_run,
};
