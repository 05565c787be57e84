/* Rotary embeddings in f32: pairs of each head's elements turn by their place's angle, whose cosine and sine are read
   from the tables in place. */
#include "base/bytes.h"
#include "op/operand.h"
#include "targets/cpu/cpu.h"

typedef struct state {
  const pn_cpu_rotary_f32 *rotary;
  int64_t batch, heads, steps, depth, half, places;
  int64_t head_stride, step_stride; /* of x, in elements */
  bool interleaved;
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_ROTARY_EMBEDDING, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (pn_problem_input(p, 0, 0)->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  return pn_operand_elements(pn_problem_input(p, 0, 0)) > 0 || pn_refuse(why, "an empty operand");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 2 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p),
                         0.3);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_rotary_embedding *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *table = pn_problem_input(p, 0, 1);
  state *s = memory;
  bool heads_first = x->rank == 4;
  (void)config;
  (void)diag;
  s->rotary = pn_cpu_rotary_f32_best(device->isa);
  s->batch = x->dims[0];
  s->heads = heads_first ? x->dims[1] : attrs->heads;
  s->steps = x->dims[heads_first ? 2 : 1];
  s->depth = heads_first ? x->dims[3] : x->dims[2] / attrs->heads;
  s->half = table->dims[table->rank - 1];
  s->places = table->dims[0];
  s->head_stride = heads_first ? s->steps * s->depth : s->depth;
  s->step_stride = heads_first ? s->depth : s->heads * s->depth;
  s->interleaved = attrs->interleaved;
  s->parts = pn_cpu_parts(device, s->batch * s->steps, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const float *x, *cosine, *sine;
  float *y;
  pn_tensor positions; /* no data: the tables have a row for each step */
} job;

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t i, end, turned = 2 * s->half;
  (void)thread;
  pn_cpu_share(s->batch * s->steps, 1, part, s->parts, &i, &end);
  for (; i < end; i++) {
    int64_t place = j->positions.data ? pn_tensor_get_i64(&j->positions, i) : i;
    if (place < 0) place += s->places;
    const float *cosine = j->cosine + place * s->half, *sine = j->sine + place * s->half;
    int64_t at = i / s->steps * s->heads * s->steps * s->depth + i % s->steps * s->step_stride;
    for (int64_t h = 0; h < s->heads; h++, at += s->head_stride) {
      (s->interleaved ? s->rotary->neighbours : s->rotary->halves)((size_t)s->half, cosine, sine, j->x + at, j->y + at);
      if (turned < s->depth)
        memcpy(j->y + at + turned, j->x + at + turned, (size_t)(s->depth - turned) * sizeof(float));
    }
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const state *s = step->state;
  const pn_operand *positions = pn_problem_input(p, 0, 3);
  job j = {.s = s,
           .x = step->operands[p->nodes[0].inputs[0]],
           .cosine = step->operands[p->nodes[0].inputs[1]],
           .sine = step->operands[p->nodes[0].inputs[2]],
           .y = step->operands[p->nodes[0].outputs[0]]};
  if (positions)
    j.positions = (pn_tensor){.dtype = positions->dtype, .data = step->operands[pn_operand_index(p, positions)]};
  for (int64_t i = 0; positions && i < s->batch * s->steps; i++) {
    int64_t place;
    PN_TRY(pn_index_resolve(diag, "rotary_embedding", pn_tensor_get_i64(&j.positions, i), s->places, &place));
  }
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_rotary_embedding = {
    .name = "cpu.rotary_embedding",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
