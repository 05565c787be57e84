/* batch_norm in f32 with statistics that are operands, or in training those of the batch. Each channel is a factor and a
   term for all of its planes. (With constants the
   pass lower_batch_norm has made an expression of it.) */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

#include <math.h>

enum { PIECE = 2048 };

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_reduce_f32 *reduce;
  bool training;
  double epsilon, momentum;
  int64_t batch, channels, plane;
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_BATCH_NORM, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  int64_t channels = x->rank > 1 ? x->dims[1] : 1;
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
    if (p->operands[i].dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  }
  for (uint32_t i = 1; i < 5; i++)
    if (pn_operand_elements(pn_problem_input(p, 0, i)) != channels) return pn_refuse(why, "statistics of other extents");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p), 0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * PIECE * sizeof(float);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_batch_norm *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  state *s = memory;
  (void)config;
  (void)diag;
  s->vec = device->vec;
  s->reduce = device->reduce;
  s->training = attrs->training;
  s->epsilon = (double)attrs->epsilon;
  s->momentum = (double)attrs->momentum;
  s->batch = x->rank > 0 ? x->dims[0] : 1;
  s->channels = x->rank > 1 ? x->dims[1] : 1;
  s->plane = 1;
  for (uint32_t i = 2; i < x->rank; i++) s->plane *= x->dims[i];
  s->parts = pn_cpu_parts(device, s->channels, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const float *x, *scale, *bias, *mean, *variance;
  float *y, *running_mean, *running_variance; /* the last two may be null */
  float *scratch;                             /* PIECE a thread */
} job;

static const float *plane_of(const state *s, const float *x, int64_t n, int64_t channel) {
  return x + (n * s->channels + channel) * s->plane;
}

/* The batch's mean, then its variance in a second pass, which is exact where the one of sums is not. */
static void measure(const job *j, int64_t channel, float *scratch, double *mean, double *variance) {
  const state *s = j->s;
  double count = (double)(s->batch * s->plane), sum = 0, squares = 0;
  for (int64_t n = 0; n < s->batch && s->plane; n++)
    sum += (double)s->reduce->sum((size_t)s->plane, plane_of(s, j->x, n, channel));
  *mean = sum / count;
  const float centre = (float)*mean;
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t i = 0; i < s->plane; i += PIECE) {
      size_t here = (size_t)pn_min_i64(PIECE, s->plane - i);
      s->vec->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_ONE](here, plane_of(s, j->x, n, channel) + i, &centre, scratch);
      squares += (double)s->reduce->sum_squares(here, scratch);
    }
  *variance = squares / count;
}

static void normalize_channel(const job *j, int64_t channel, float *scratch) {
  const state *s = j->s;
  double mean = (double)j->mean[channel], variance = (double)j->variance[channel];
  if (s->training) {
    double old_mean = mean, old_variance = variance, rest = 1 - s->momentum;
    measure(j, channel, scratch, &mean, &variance);
    if (j->running_mean) j->running_mean[channel] = (float)(old_mean * s->momentum + mean * rest);
    if (j->running_variance) j->running_variance[channel] = (float)(old_variance * s->momentum + variance * rest);
  }
  double scale = (double)j->scale[channel] / sqrt(variance + s->epsilon);
  const float factor_and_term[2] = {(float)scale, (float)((double)j->bias[channel] - mean * scale)};
  for (int64_t n = 0; n < s->batch; n++)
    s->vec->unary[PN_CPU_UNARY_affine]((size_t)s->plane, plane_of(s, j->x, n, channel), factor_and_term,
                                       j->y + (n * s->channels + channel) * s->plane);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  int64_t channel, end;
  pn_cpu_share(j->s->channels, 1, part, j->s->parts, &channel, &end);
  for (; channel < end; channel++) normalize_channel(j, channel, j->scratch + (size_t)thread * PIECE);
}

static float *output_of(const pn_step *step, uint32_t i) {
  const pn_operand *o = pn_problem_output(step->problem, 0, i);
  return o ? step->operands[pn_operand_index(step->problem, o)] : NULL;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .x = step->operands[node->inputs[0]],
           .scale = step->operands[node->inputs[1]],
           .bias = step->operands[node->inputs[2]],
           .mean = step->operands[node->inputs[3]],
           .variance = step->operands[node->inputs[4]],
           .y = output_of(step, 0),
           .running_mean = output_of(step, 1),
           .running_variance = output_of(step, 2),
           .scratch = step->workspace};
  if (s->parts) pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_batch_norm = {
    .name = "cpu.batch_norm",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
