/* Everything that only moves elements, of any type and between any layouts: transposition and its relatives, slices,
   splits, concatenation, padding, expansion, tiling. The conversion between layouts is a transposition whose
   axes stay. What each operator copies is in movement.c, how it is copied in copy.c. */
#include "target/movement.h"
#include "targets/cpu/copy.h"

typedef struct state {
  uint32_t count;
  pn_copy copies[];
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  uint32_t count;
  (void)device;
  if (!pn_movement_describe(p, NULL, 0, &count, why)) return false;
  size_t bytes = pelton_dtype_bytes(pn_problem_input(p, 0, 0)->dtype);
  return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || pn_refuse(why, "elements of %zu bytes", bytes);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 0, 1.5 * pn_cpu_operand_bytes(p), 1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  uint32_t count = 0;
  (void)device;
  (void)config;
  (void)pn_movement_describe(p, NULL, 0, &count, NULL);
  out->state_bytes = sizeof(state) + count * sizeof(pn_copy);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  (void)config;
  if (!pn_movement_describe(p, &s->copies[0].move, sizeof(pn_copy), &s->count, NULL))
    return PN_INTERNAL(diag, "a movement changed after it was accepted");
  for (uint32_t i = 0; i < s->count; i++) pn_copy_plan(&s->copies[i], device);
  return PELTON_OK;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  static const uint64_t zero = 0;
  const state *s = step->state;
  (void)diag;
  for (uint32_t i = 0; i < s->count; i++) {
    const pn_copy *c = &s->copies[i];
    pn_copy_run(c, stream->device->pool, step->operands[c->move.to_operand],
                c->move.from_operand == PN_NO_OPERAND ? (const void *)&zero : step->operands[c->move.from_operand]);
  }
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_transpose = {
    .name = "cpu.transpose",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
