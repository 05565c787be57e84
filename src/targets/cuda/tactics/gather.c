/* Slices along an axis by indices that the device holds. An index out of range is told when the stream is waited for.
 */
#include "targets/cuda/render.h"

#include <stdio.h>
#include <string.h>

typedef struct state {
  pn_cu_function *function;
  uint32_t grid;
  struct gather_arguments arguments;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_GATHER, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (!pn_operand_elements(x) && pn_operand_elements(y)) return pn_refuse(why, "an empty operand");
  return pn_cuda_fits(p, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cuda_estimate(device, 0, 2 * (double)pn_operand_bytes(pn_problem_output(p, 0, 0)), 1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  static const char *const words[] = {[1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64"};
  const pn_operand *x = pn_problem_input(p, 0, 0), *index = pn_problem_input(p, 0, 1), *y = pn_problem_output(p, 0, 0);
  int64_t axis = ((const pn_attrs_gather *)p->nodes[0].attrs)->axis, inner = 1;
  char head[64];
  state *s = memory;
  (void)config;
  if (axis < 0) axis += x->rank;
  for (uint32_t d = (uint32_t)axis + 1; d < x->rank; d++) inner *= x->dims[d];
  s->arguments.count = (unsigned)pn_operand_elements(y);
  s->arguments.inner = pn_cuda_divider(inner);
  s->arguments.indices = pn_cuda_divider(pn_operand_elements(index));
  s->arguments.extent = (unsigned)x->dims[axis];
  s->arguments.wide = index->dtype == PELTON_DTYPE_I64;
  s->grid = pn_cuda_blocks(device, s->arguments.count);
  (void)snprintf(head, sizeof head, "#define WORD %s\n", words[pelton_dtype_bytes(x->dtype)]);
  pn_cuda_source source = {head, "gather.cu", "gather", false};
  return pn_cuda_function(device, &source, &s->function, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  struct gather_arguments a = s->arguments;
  a.source = step->operands[node->inputs[0]];
  a.index = step->operands[node->inputs[1]];
  a.target = step->operands[node->outputs[0]];
  a.fault = stream->fault;
  a.step = (int)step->number;
  return pn_cuda_launch(stream, s->function, s->grid, 1, 1, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_gather = {
    .name = "cuda.gather",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
