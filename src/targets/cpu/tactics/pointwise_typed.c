/* Pointwise expressions over every type: integers, doubles, half floats, 8-bit floats and bools in their own form, run
   by run as pointwise.c does it for f32, which is left to it. */
#include "base/bytes.h"
#include "targets/cpu/broadcast.h"
#include "targets/cpu/typed.h"

typedef struct state {
  pn_typed_program program;
  pn_broadcast broadcast;
  uint32_t parts;
} state;

static bool compile(const pn_problem *p, const pn_device *device, pn_typed_program *out, pn_reason *why) {
  pelton_dtype types[PN_EXPR_MAX_INPUTS];
  pn_broadcast_types(p, types);
  return pn_typed_compile(((const pn_attrs_pointwise *)p->nodes[0].attrs)->expr, types, device, out, why);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_typed_program program;
  if (!pn_accepts_one(p, PN_OP_POINTWISE, why)) return false;
  const pn_expr *expr = ((const pn_attrs_pointwise *)p->nodes[0].attrs)->expr;
  pelton_dtype types[PN_EXPR_MAX_INPUTS];
  bool all_f32 = pn_problem_output(p, 0, 0)->dtype == PELTON_DTYPE_F32;
  pn_broadcast_types(p, types);
  for (uint32_t i = 0; i < p->nodes[0].input_count; i++) all_f32 = all_f32 && types[i] == PELTON_DTYPE_F32;
  if (all_f32 && pn_program_compile(expr, types, NULL, NULL)) return pn_refuse(why, "f32 alone");
  return pn_broadcast_accepts(p, why) && compile(p, device, &program, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(pn_problem_output(p, 0, 0)) * 3, pn_cpu_operand_bytes(p),
                         0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * PN_TYPED_SCRATCH_BYTES;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  (void)config;
  if (!compile(p, device, &s->program, NULL))
    return PN_INTERNAL(diag, "a pointwise expression changed after it was accepted");
  if (!pn_broadcast_plan(&s->broadcast, p, PN_PROGRAM_RUN))
    return PN_INTERNAL(diag, "pointwise operands changed after they were accepted");
  if (pn_typed_is_direct(&s->program, pn_broadcast_running(&s->broadcast)))
    (void)pn_broadcast_plan(&s->broadcast, p, PN_BROADCAST_LONG);
  s->parts = pn_broadcast_parts(&s->broadcast, device, pn_typed_cost(&s->program));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const pn_step *step;
} job;

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  char *scratch = (char *)j->step->workspace + (size_t)thread * PN_TYPED_SCRATCH_BYTES;
  pn_run_operand operands[PN_EXPR_MAX_INPUTS + 1];
  int64_t unit, end;
  pn_cpu_share(s->broadcast.runs * s->broadcast.pieces, 1, index, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    size_t n = pn_broadcast_at(&s->broadcast, j->step, unit, operands);
    pn_typed_run(&s->program, operands, n, (void *)(uintptr_t)operands[s->broadcast.operand_count].data, scratch);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  (void)diag;
  job j = {s, step};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_pointwise_typed = {
    .name = "cpu.pointwise_typed",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
    .in_place = true,
};
