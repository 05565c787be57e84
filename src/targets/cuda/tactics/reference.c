/* The naive definition of an operator on the host, for what has no kernel: its operands are copied from the device, the
   reference runs, its results are copied back. It waits for the device twice; a report counts it as a fallback. */
#include "targets/cuda/cuda.h"

#include <string.h>

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (p->node_count != 1) return pn_refuse(why, "one operator at a time");
  if (pn_op_get(p->nodes[0].op)->flags & (PN_OP_DATA_SHAPE | PN_OP_CONTROL)) return pn_refuse(why, "the runtime's own");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)device;
  (void)config;
  return 1e-2 + 1e-6 * pn_cuda_operand_bytes(p); /* as good as infinite: anything else goes first */
}

/* The operand as a tensor of the host: constants where they are, the others in memory of the scratch. */
static pelton_status describe(const pn_step *step, pn_stream *stream, uint16_t index, pn_tensor *t, pelton_diag *diag) {
  if (index == PN_NO_OPERAND) return PELTON_OK;
  const pn_operand *o = &step->problem->operands[index];
  *t = (pn_tensor){.dtype = o->dtype, .rank = o->rank};
  memcpy(t->dims, o->dims, sizeof t->dims);
  if (o->role == PN_OPERAND_CONSTANT) {
    t->data = (void *)(uintptr_t)o->data; /* only read */
    return PELTON_OK;
  }
  t->data = pn_arena_alloc(&stream->scratch, pn_operand_bytes(o) + 1, 64);
  return t->data ? PELTON_OK : pn_fail_memory(diag, "an operator");
}

static pelton_status compute(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  extern const pn_target pn_target_cuda;
  const pn_problem_node *node = &step->problem->nodes[0];
  pn_tensor *in = PN_NEW_ARRAY(&stream->scratch, pn_tensor, node->input_count + 1);
  pn_tensor *out = PN_NEW_ARRAY(&stream->scratch, pn_tensor, node->output_count + 1);
  if (!in || !out) return pn_fail_memory(diag, "an operator");
  for (uint32_t i = 0; i < node->input_count; i++) {
    PN_TRY(describe(step, stream, node->inputs[i], &in[i], diag));
    if (node->inputs[i] == PN_NO_OPERAND) continue;
    const pn_operand *o = &step->problem->operands[node->inputs[i]];
    if (o->role != PN_OPERAND_CONSTANT)
      PN_TRY(pn_target_cuda.download(stream, in[i].data, step->operands[node->inputs[i]], pn_operand_bytes(o), diag));
  }
  for (uint32_t i = 0; i < node->output_count; i++) PN_TRY(describe(step, stream, node->outputs[i], &out[i], diag));
  pn_call call = {.attrs = node->attrs,
                  .input_count = node->input_count,
                  .output_count = node->output_count,
                  .in = in,
                  .out = out,
                  .scratch = &stream->scratch,
                  .diag = diag};
  PN_TRY(pn_op_get(node->op)->reference(&call));
  for (uint32_t i = 0; i < node->output_count; i++)
    if (node->outputs[i] != PN_NO_OPERAND)
      PN_TRY(pn_target_cuda.upload(stream, step->operands[node->outputs[i]], out[i].data,
                                   pn_operand_bytes(&step->problem->operands[node->outputs[i]]), diag));
  return PELTON_OK;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  pelton_status status = compute(step, stream, diag);
  pn_arena_reset(&stream->scratch);
  return status;
}

const pn_tactic pn_tactic_cuda_reference = {
    .name = "cuda.reference",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .run = run,
    .host_constants = true,
    .host_work = true,
    .is_reference = true,
};
