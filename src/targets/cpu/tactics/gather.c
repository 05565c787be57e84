/* Gathering slices along one axis, of any type. Indices come from data, so all of them are checked before the first
   slice is copied. */
#include "op/operand.h"
#include "targets/cpu/cpu.h"

typedef struct state {
  bool narrow; /* indices are i32 */
  int64_t outer, extent, count;
  size_t run_bytes; /* of a slice's piece */
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_GATHER, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *y = pn_problem_output(p, 0, 0);
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(pn_problem_input(p, 0, 1)),
                         2 * (double)pn_operand_bytes(y), 0.2);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_gather *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_input(p, 0, 1);
  uint32_t axis = (uint32_t)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
  state *s = memory;
  (void)config;
  (void)diag;
  s->narrow = indices->dtype == PELTON_DTYPE_I32;
  s->outer = 1;
  s->extent = x->dims[axis];
  s->count = pn_operand_elements(indices);
  s->run_bytes = pelton_dtype_bytes(x->dtype);
  for (uint32_t i = 0; i < axis; i++) s->outer *= x->dims[i];
  for (uint32_t i = axis + 1; i < x->rank; i++) s->run_bytes *= (size_t)x->dims[i];
  if (s->run_bytes)
    s->parts = pn_cpu_parts(device, s->outer * s->count, 2 * (double)pn_operand_bytes(pn_problem_output(p, 0, 0)));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const char *x;
  const void *indices;
  char *y;
} job;

static int64_t index_at(const state *s, const void *indices, int64_t i) {
  return s->narrow ? ((const int32_t *)indices)[i] : ((const int64_t *)indices)[i];
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  (void)thread;
  pn_cpu_share(s->outer * s->count, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t at = index_at(s, j->indices, unit % s->count);
    if (at < 0) at += s->extent;
    const char *from = j->x + (size_t)(unit / s->count * s->extent + at) * s->run_bytes;
    char *to = j->y + (size_t)unit * s->run_bytes;
    if (s->run_bytes == 4)
      memcpy(to, from, 4); /* of a known size: no call */
    else if (s->run_bytes == 8)
      memcpy(to, from, 8);
    else
      memcpy(to, from, s->run_bytes);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->inputs[1]], step->operands[node->outputs[0]]};
  int64_t ignored;
  for (int64_t i = 0; i < s->count; i++) {
    int64_t at = index_at(s, j.indices, i);
    if (at < -s->extent || at >= s->extent) return pn_index_resolve(diag, "gather", at, s->extent, &ignored);
  }
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_gather = {
    .name = "cpu.gather",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
