/* Pointwise expressions over f32 and bool: each run goes through the whole program before the next, so that every
   operand is read once from memory whatever the length of the expression. One operation alone needs no registers, and
   its runs are long. */
#include "base/bytes.h"
#include "targets/cpu/broadcast.h"

typedef struct state {
  pn_program program;
  pn_broadcast broadcast;
  const pn_cpu_vec_f32 *vec;
  uint32_t parts;
} state;

static const pn_operand *result_of(const pn_problem *p) { return pn_problem_output(p, 0, 0); }

static bool compile(const pn_problem *p, pn_program *out, pn_reason *why) {
  pelton_dtype types[PN_EXPR_MAX_INPUTS];
  pn_broadcast_types(p, types);
  return pn_program_compile(((const pn_attrs_pointwise *)p->nodes[0].attrs)->expr, types, out, why);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_POINTWISE, why)) return false;
  return pn_broadcast_accepts(p, why) && compile(p, NULL, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(result_of(p)) * 4, pn_cpu_operand_bytes(p), 0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * PN_PROGRAM_SCRATCH_BYTES;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  (void)config;
  s->vec = device->vec;
  if (!compile(p, &s->program, NULL)) return PN_INTERNAL(diag, "a pointwise expression changed after it was accepted");
  if (!pn_broadcast_plan(&s->broadcast, p, PN_PROGRAM_RUN))
    return PN_INTERNAL(diag, "pointwise operands changed after they were accepted");
  if (pn_program_is_direct(&s->program, pn_broadcast_running(&s->broadcast)))
    (void)pn_broadcast_plan(&s->broadcast, p, PN_BROADCAST_LONG);
  s->parts = pn_broadcast_parts(&s->broadcast, device, s->program.step_count);
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const pn_step *step;
} job;

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  float *scratch = (float *)j->step->workspace + (size_t)thread * (PN_PROGRAM_SCRATCH_BYTES / 4);
  pn_run_operand operands[PN_EXPR_MAX_INPUTS + 1];
  int64_t unit, end;
  pn_cpu_share(s->broadcast.runs * s->broadcast.pieces, 1, index, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    size_t n = pn_broadcast_at(&s->broadcast, j->step, unit, operands);
    pn_program_run(&s->program, s->vec, operands, n, (void *)(uintptr_t)operands[s->broadcast.operand_count].data,
                   scratch);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  (void)diag;
  job j = {s, step};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_pointwise = {
    .name = "cpu.pointwise",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
    .in_place = true,
};
