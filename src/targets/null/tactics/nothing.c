/* Takes everything, writes zeros. Its time is the bytes it would move at 1 GB/s, less in channels_last for what has
   channels, so that plans have layouts to choose. */
#include "target/tactic.h"

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)p;
  (void)device;
  (void)why;
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  double bytes = 0;
  (void)device;
  (void)config;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].role != PN_OPERAND_INTERNAL)
      bytes +=
          (double)pn_operand_bytes(&p->operands[i]) * (p->operands[i].layout == PN_LAYOUT_CHANNELS_LAST ? 0.5 : 1.0);
  return 1e-9 * bytes;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  (void)stream;
  (void)diag;
  for (uint32_t i = 0; i < step->problem->operand_count; i++)
    if (step->problem->operands[i].role == PN_OPERAND_OUTPUT)
      memset(step->operands[i], 0, pn_operand_bytes(&step->problem->operands[i]));
  return PELTON_OK;
}

const pn_tactic pn_tactic_null_nothing = {
    .name = "null.nothing",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .run = run,
    .in_place = true,
};
