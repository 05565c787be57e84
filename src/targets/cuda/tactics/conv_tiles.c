/* Convolutions as matrix products by tiles in shared memory, whose right side is gathered from the source: any spatial
   rank up to three, groups, dilation, layouts, 16- and 32-bit floats with f32 sums (no tensor cores), and an expression
   that follows. */
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
  if (!pn_cuda_conv_accepts(p, PN_OP_CONV, windows, &epilogue, why)) return false;
  int64_t groups = ((const pn_attrs_conv *)p->nodes[0].attrs)->group;
  return groups < 65536 || pn_refuse(why, "more than 65,535 groups");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *w = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  int64_t groups = ((const pn_attrs_conv *)p->nodes[0].attrs)->group, outputs = y->dims[1] / groups;
  int64_t columns = pn_operand_elements(y) / y->dims[1], depth = pn_operand_elements(w) / w->dims[0];
  double blocks = (double)pn_div_up(outputs, 64) * (double)pn_div_up(columns, 64) * (double)groups;
  (void)config;
  return pn_cuda_tile_estimate(device, blocks, (double)depth, pn_cuda_operand_bytes(p));
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
  pn_cuda_source source = {head.data, "conv.cu", "conv_tiles", false};
  pelton_status status = head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  struct conv_arguments a = s->arguments;
  pn_cuda_conv_bind(step, &s->epilogue, &a);
  uint32_t across = (uint32_t)pn_div_up((int64_t)a.batch * a.places, 64), down = (uint32_t)pn_div_up(a.out_channels, 64);
  return pn_cuda_launch(stream, s->function, across, down, a.groups, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_conv_tiles = {
    .name = "cuda.conv_tiles",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
