/* Convolutions with a thread for each result: depthwise ones, and others of few products a result. Any spatial rank up
   to three, groups, dilation, layouts, 16- and 32-bit floats with f32 sums, and an expression that follows. */
#include "targets/cuda/window.h"

#include <string.h>

typedef struct state {
  pn_cu_function *function;
  pn_cuda_epilogue epilogue;
  struct conv_arguments arguments;
} state;

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

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  pn_window windows[PN_MAX_RANK];
  pn_text head;
  (void)config;
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &s->epilogue, NULL))
    return PN_INTERNAL(diag, "a convolution changed after it was accepted");
  pn_cuda_conv_fill(p, windows, &s->arguments);
  pn_cuda_epilogue_fill(&s->epilogue, &s->arguments.epilogue);
  pn_text_init(&head, device->allocator);
  pn_cuda_conv_head(p, &s->epilogue, &head);
  pn_cuda_source source = {head.data, "conv_direct.cu", "conv_direct", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  struct conv_arguments a = s->arguments;
  pn_cuda_conv_bind(step, &s->epilogue, &a);
  uint32_t grid = pn_cuda_blocks(stream->device, (int64_t)a.batch * a.groups * a.out_channels * a.places);
  return pn_cuda_launch(stream, s->function, grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_conv_direct = {
    .name = "cuda.conv_direct",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
