/* The naive definition of every operator, as a tactic: one node, plain layouts, any types. It is why every valid graph
   runs everywhere; a report counts it as a fallback. Scratch comes from the stream's arena, which keeps its memory, so
   that a second run allocates nothing. */
#include "targets/cpu/cpu.h"

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (p->node_count != 1) return pn_refuse(why, "one operator at a time");
  if (pn_op_is_host(p->nodes[0].op)) return pn_refuse(why, "the runtime's own");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)device;
  (void)config;
  return 1e-3 + 1e-7 * pn_cpu_operand_bytes(p); /* as good as infinite: anything else goes first */
}

static void describe(const pn_step *step, uint16_t index, pn_tensor *t) {
  if (index == PN_NO_OPERAND) return;
  const pn_operand *o = &step->problem->operands[index];
  *t = (pn_tensor){.dtype = o->dtype, .rank = o->rank, .data = step->operands[index]};
  memcpy(t->dims, o->dims, sizeof t->dims);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  pn_tensor *in = PN_NEW_ARRAY(&stream->scratch, pn_tensor, node->input_count + 1);
  pn_tensor *out = PN_NEW_ARRAY(&stream->scratch, pn_tensor, node->output_count + 1);
  if (!in || !out) return pn_fail_memory(diag, "an operator");
  for (uint32_t i = 0; i < node->input_count; i++) describe(step, node->inputs[i], &in[i]);
  for (uint32_t i = 0; i < node->output_count; i++) describe(step, node->outputs[i], &out[i]);
  pn_call call = {.attrs = node->attrs,
                  .input_count = node->input_count,
                  .output_count = node->output_count,
                  .in = in,
                  .out = out,
                  .scratch = &stream->scratch,
                  .diag = diag};
  pelton_status status = pn_op_get(node->op)->reference(&call);
  pn_arena_reset(&stream->scratch);
  return status;
}

const pn_tactic pn_tactic_cpu_reference = {
    .name = "cpu.reference",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .run = run,
    .is_reference = true,
};
