/* Pooling over up to three spatial axes, in any layout, in floats of 16 and 32 bits; sums in f32. */
#include "targets/cuda/window.h"

#include <stdio.h>
#include <string.h>

typedef struct state {
  pn_cu_function *function;
  uint32_t grid;
  struct pool_arguments arguments;
} state;

static bool resolve(const pn_problem *p, pn_window *windows) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_window_spec spec = PN_WINDOW_SPEC_POOL(attrs);
  return !pn_window_resolve(NULL, "pool", &spec, x->rank - 2, x->dims + 2, attrs->kernel.data, windows);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  (void)device;
  if (p->node_count != 1 || p->nodes[0].op != PN_OP_POOL) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (!pn_cuda_is_f32_form(x->dtype)) return pn_refuse(why, "f32, f16 and bf16 only");
  if (x->rank < 3 || x->rank > 2 + WINDOW_AXES) return pn_refuse(why, "one to three spatial axes, not %u", x->rank - 2);
  if (pn_problem_output(p, 0, 1)) return pn_refuse(why, "indices are wanted");
  if (!pn_operand_elements(x) || !pn_operand_elements(pn_problem_output(p, 0, 0)))
    return pn_refuse(why, "an empty operand");
  return (resolve(p, windows) || pn_refuse(why, "its window does not fit")) && pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  double taps = 1;
  (void)config;
  for (uint32_t i = 0; i < attrs->kernel.count; i++) taps *= (double)attrs->kernel.data[i];
  return pn_cuda_estimate(device, taps * (double)pn_operand_elements(pn_problem_output(p, 0, 0)),
                          pn_cuda_operand_bytes(p), 0.1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  pn_window windows[PN_MAX_RANK];
  state *s = memory;
  struct pool_arguments *a = &s->arguments;
  char head[96];
  (void)config;
  if (!resolve(p, windows)) return PN_INTERNAL(diag, "pool changed after it was accepted");
  pn_cuda_window_fill(windows, x->rank - 2, &a->window);
  a->count = (unsigned)pn_operand_elements(y);
  a->channels = pn_cuda_divider(x->dims[1]);
  a->count_pads = attrs->count_include_pad;
  a->power = (float)attrs->p;
  pn_cuda_image_strides(x, &a->from_batch, &a->from_channel, a->from_axis);
  pn_cuda_image_strides(y, &a->to_batch, &a->to_channel, a->to_axis);
  s->grid = pn_cuda_blocks(device, a->count);
  int kind = attrs->kind == PN_POOL_MAX ? 0 : attrs->kind == PN_POOL_AVERAGE ? 1 : 2;
  (void)snprintf(head, sizeof head, "#define X %s\n#define KIND %d\n#define CHANNELS_LAST %d\n",
                 pn_cuda_type_name(x->dtype), kind, y->layout == PN_LAYOUT_CHANNELS_LAST);
  pn_cuda_source source = {head, "pool.cu", "pool", false};
  return pn_cuda_function(device, &source, &s->function, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct pool_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.target = step->operands[node->outputs[0]];
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_pool = {
    .name = "cuda.pool",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
