/* Layer normalisation in f32, mean and root mean square: the normalised axes are the innermost, so each row goes
   through one kernel. Scale and bias are one row each, whatever they are made of. */
#include "targets/cpu/cpu.h"

typedef struct state {
  const pn_cpu_reduce_f32 *reduce;
  bool rms;
  float epsilon;
  int64_t rows, extent;
  uint32_t parts;
} state;

/* An absent operand, or one row. */
static bool is_row(const pn_problem *p, uint32_t i, int64_t extent, uint32_t axes) {
  const pn_operand *o = pn_problem_input(p, 0, i);
  if (!o) return true;
  if (o->dtype != PELTON_DTYPE_F32 || o->layout != PN_LAYOUT_PLAIN || pn_operand_elements(o) != extent) return false;
  for (uint32_t d = 0; o->rank > axes && d < o->rank - axes; d++)
    if (o->dims[d] != 1) return false;
  return true;
}

static int64_t extent_of(const pn_problem *p, uint32_t *axes) {
  const pn_attrs_layer_norm *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  int64_t extent = 1;
  *axes = (uint32_t)(attrs->axis < 0 ? -attrs->axis : x->rank - attrs->axis);
  for (uint32_t i = x->rank - *axes; i < x->rank; i++) extent *= x->dims[i];
  return extent;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  uint32_t axes;
  (void)device;
  if (!pn_accepts_one(p, PN_OP_LAYER_NORM, why)) return false;
  const pn_attrs_layer_norm *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (!y || x->dtype != PELTON_DTYPE_F32 || y->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  int64_t extent = extent_of(p, &axes);
  if (!pn_operand_elements(x)) return pn_refuse(why, "an empty operand");
  if (!is_row(p, 1, extent, axes) || !is_row(p, 2, extent, axes))
    return pn_refuse(why, "scale and bias are not one f32 row each");
  if (attrs->kind == PN_NORM_RMS && (pn_problem_input(p, 0, 2) || pn_problem_output(p, 0, 2)))
    return pn_refuse(why, "the root mean square takes no bias and gives no deviation");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 4 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p),
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
  const pn_attrs_layer_norm *attrs = p->nodes[0].attrs;
  state *s = memory;
  uint32_t axes;
  (void)config;
  (void)diag;
  s->reduce = device->reduce;
  s->rms = attrs->kind == PN_NORM_RMS;
  s->epsilon = attrs->epsilon;
  s->extent = extent_of(p, &axes);
  s->rows = pn_operand_elements(pn_problem_input(p, 0, 0)) / s->extent;
  s->parts = pn_cpu_parts(device, s->rows, 2 * pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const float *x, *scale, *bias;
  float *y, *mean, *inverse_deviation; /* the last two may be null */
} job;

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t row, end;
  (void)thread;
  pn_cpu_share(s->rows, 1, part, s->parts, &row, &end);
  for (; row < end; row++) {
    const float *x = j->x + row * s->extent;
    float *y = j->y + row * s->extent;
    if (s->rms)
      s->reduce->rms_normalize((size_t)s->extent, x, j->scale, s->epsilon, y);
    else
      s->reduce->normalize((size_t)s->extent, x, j->scale, j->bias, s->epsilon, y, j->mean ? j->mean + row : NULL,
                           j->inverse_deviation ? j->inverse_deviation + row : NULL);
  }
}

static void *data_of(const pn_step *step, const pn_operand *o) {
  return o ? step->operands[pn_operand_index(step->problem, o)] : NULL;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .x = data_of(step, pn_problem_input(p, 0, 0)),
           .scale = data_of(step, pn_problem_input(p, 0, 1)),
           .bias = data_of(step, pn_problem_input(p, 0, 2)),
           .y = data_of(step, pn_problem_output(p, 0, 0)),
           .mean = data_of(step, pn_problem_output(p, 0, 1)),
           .inverse_deviation = data_of(step, pn_problem_output(p, 0, 2))};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_layer_norm = {
    .name = "cpu.layer_norm",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
