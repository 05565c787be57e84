/* The job of a step with one operand and one result in f32: what it hands to its tasks. */
#ifndef PN_TARGETS_CPU_SINGLE_H
#define PN_TARGETS_CPU_SINGLE_H

#include "targets/cpu/cpu.h"

typedef struct pn_cpu_single {
  const void *state; /* the tactic's own */
  const float *x;
  float *y, *scratch; /* the operand, the result, the workspace */
} pn_cpu_single;

/* Runs |parts| tasks, each with a pn_cpu_single as its argument. */
PN_INLINE pelton_status pn_cpu_single_run(const pn_step *step, pn_stream *stream, uint32_t parts, pn_task *task) {
  const pn_problem_node *node = &step->problem->nodes[0];
  pn_cpu_single job = {step->state, step->operands[node->inputs[0]], step->operands[node->outputs[0]], step->workspace};
  pn_pool_run(stream->device->pool, parts, task, &job);
  return PELTON_OK;
}

#endif
