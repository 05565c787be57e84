/* The members of a tactic whose state is a pn_mma, for a file that defines DESCRIBE(p, device, m, why), which fills |m| or
   says why not, and PACK(p, m, packed). */
#include "targets/cuda/mma.h"

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_mma m;
  return DESCRIBE(p, device, &m, why);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  pn_mma m;
  return DESCRIBE(p, device, &m, NULL) ? pn_mma_configs(&m, device, pn_cuda_operand_bytes(p), out, max) : 0;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_mma m;
  return DESCRIBE(p, device, &m, NULL) ? pn_mma_estimate(&m, device, pn_cuda_operand_bytes(p), config) : 1;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  pn_mma m;
  if (DESCRIBE(p, device, &m, NULL)) pn_mma_sizes(&m, config, out);
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  pn_mma m;
  (void)config;
  if (!DESCRIBE(p, device, &m, NULL)) return PN_INTERNAL(diag, "a problem changed after it was accepted");
  PACK(p, &m, packed);
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  pn_mma *m = memory;
  if (!DESCRIBE(p, device, m, NULL)) return PN_INTERNAL(diag, "a problem changed after it was accepted");
  return pn_mma_prepare(m, device, p, config, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_mma *m = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  const void *b = m->constant ? step->packed : step->operands[node->inputs[1]];
  return pn_mma_run(m, step, step->operands[node->inputs[0]], b, stream, diag);
}
