/* Local response normalisation across channels, in floats of 16 and 32 bits. */
#include "targets/cuda/render.h"

#include <stdio.h>
#include <string.h>

typedef struct state {
  pn_cu_function *function;
  uint32_t grid;
  struct lrn_arguments arguments;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_LRN, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (!pn_cuda_is_f32_form(x->dtype)) return pn_refuse(why, "f32, f16 and bf16 only");
  if (x->layout != y->layout) return pn_refuse(why, "wants one layout for operand and result");
  if (x->rank < 2 || !pn_operand_elements(x)) return pn_refuse(why, "an empty operand, or one without channels");
  return pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, 40 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cuda_operand_bytes(p),
                          0.3);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_lrn *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  state *s = memory;
  char head[32];
  (void)config;
  int64_t count = pn_operand_elements(x), plane = count / (x->dims[0] * x->dims[1]);
  s->arguments.count = (unsigned)count;
  s->arguments.channels = (unsigned)x->dims[1];
  s->arguments.plane = pn_cuda_divider(x->layout == PN_LAYOUT_CHANNELS_LAST ? 1 : plane);
  s->arguments.channel_count = pn_cuda_divider(x->dims[1]);
  s->arguments.before = (int)pn_min_i64((attrs->size - 1) / 2, x->dims[1]);
  s->arguments.after = (int)pn_min_i64(attrs->size - 1 - (attrs->size - 1) / 2, x->dims[1]);
  s->arguments.alpha = attrs->alpha / (float)attrs->size;
  s->arguments.beta = attrs->beta;
  s->arguments.bias = attrs->bias;
  s->grid = pn_cuda_blocks(device, count);
  (void)snprintf(head, sizeof head, "#define X %s\n", pn_cuda_type_name(x->dtype));
  pn_cuda_source source = {head, "lrn.cu", "lrn", false};
  return pn_cuda_function(device, &source, &s->function, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct lrn_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.target = step->operands[node->outputs[0]];
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_lrn = {
    .name = "cuda.lrn",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
