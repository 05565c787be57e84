/* Group and instance normalisation in f32. Plain: a group lies in one piece, which the row kernel normalises before
   scale and bias go over each channel. Channels-last: a block of whole groups is walked pixel by pixel, three times:
   sums, squares of what is left without the mean, results. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"
#include "target/strides.h"

#include <math.h>

enum {
  BLOCK_CHANNELS = 32, /* at least, in a task: shorter runs leave vectors idle */
  BLOCK_PIXELS = 64,   /* are summed on their own first, which keeps the error of long sums small */
  ROWS = 5             /* of scratch: mean, factor, bias, squares of a block, difference */
};

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_reduce_f32 *reduce;
  const pn_cpu_pool_f32 *pool;
  bool channels_last;
  float epsilon;
  int64_t pictures, channels, pixels, groups, members;
  int64_t blocks, groups_a_block;
  size_t scratch_floats; /* a thread */
  uint32_t parts;
} state;

/* Absent, or one f32 a channel. */
static bool is_row(const pn_problem *p, uint32_t i) {
  const pn_operand *o = pn_problem_input(p, 0, i);
  return !o || (o->dtype == PELTON_DTYPE_F32 && pn_operand_elements(o) == pn_problem_input(p, 0, 0)->dims[1]);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_GROUP_NORM, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F32 || !is_row(p, 1) || !is_row(p, 2)) return pn_refuse(why, "f32 only");
  if (x->rank < 2 || !pn_operand_elements(x)) return pn_refuse(why, "an empty operand, or one without channels");
  return x->layout == y->layout || pn_refuse(why, "wants one layout for operand and result");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 5 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)),
                         2 * pn_cpu_operand_bytes(p), 0.3);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_group_norm *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  s->vec = device->vec;
  s->reduce = device->reduce;
  s->pool = pn_cpu_pool_f32_best(device->isa);
  s->channels_last = x->layout == PN_LAYOUT_CHANNELS_LAST && x->rank > 2;
  s->epsilon = attrs->epsilon;
  s->pictures = x->dims[0];
  s->channels = x->dims[1];
  s->pixels = pn_operand_elements(x) / (s->pictures * s->channels);
  s->groups = attrs->groups ? attrs->groups : s->channels;
  s->members = s->channels / s->groups;
  int64_t wanted = pn_div_up(s->groups * s->pictures, 2 * (int64_t)device->threads); /* long runs, yet work for all */
  if (device->threads == 1) wanted = s->groups;
  if (wanted * s->members < BLOCK_CHANNELS) wanted = pn_div_up(BLOCK_CHANNELS, s->members);
  s->groups_a_block = s->channels_last ? pn_min_i64(s->groups, wanted) : 1;
  s->blocks = pn_div_up(s->groups, s->groups_a_block);
  s->scratch_floats = s->channels_last ? pn_align_up((size_t)(ROWS * s->groups_a_block * s->members), 16) : 0;
  s->parts = pn_cpu_parts(device, s->pictures * s->blocks, 2 * pn_cpu_operand_bytes(p));
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.scratch_floats * sizeof(float) * device->threads;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const float *x, *scale, *bias; /* the last two may be null */
  float *y, *scratch;
} job;

static void plain_group(const job *j, int64_t picture, int64_t group) {
  const state *s = j->s;
  const pn_cpu_vec_f32 *v = s->vec;
  int64_t channel = group * s->members, at = (picture * s->channels + channel) * s->pixels;
  s->reduce->normalize((size_t)(s->members * s->pixels), j->x + at, NULL, NULL, s->epsilon, j->y + at, NULL, NULL);
  for (int64_t m = 0; m < s->members; m++) {
    float *y = j->y + at + m * s->pixels;
    if (j->scale) v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE]((size_t)s->pixels, y, &j->scale[channel + m], y);
    if (j->bias) v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_ONE]((size_t)s->pixels, y, &j->bias[channel + m], y);
  }
}

/* One value a group from one a channel, divided by the group's elements. */
static double group_mean(const state *s, const float *channels) {
  double sum = 0;
  for (int64_t m = 0; m < s->members; m++) sum += (double)channels[m];
  return sum / ((double)s->members * (double)s->pixels);
}

/* |squares| = sums over pixels of (x - mean)^2 for |n| channels. */
static void sum_squares(const state *s, const float *x, size_t n, const float *mean, float *squares, float *block,
                        float *difference) {
  const pn_cpu_vec_f32 *v = s->vec;
  v->fill(n, 0, squares);
  for (int64_t begin = 0; begin < s->pixels; begin += BLOCK_PIXELS) {
    int64_t end = pn_min_i64(begin + BLOCK_PIXELS, s->pixels);
    v->fill(n, 0, block);
    for (int64_t i = begin; i < end; i++) {
      v->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_RUN](n, x + i * s->channels, mean, difference);
      v->ternary[PN_CPU_TERNARY_fma](n, difference, difference, block, block);
    }
    v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, squares, block, squares);
  }
}

static void pixels_block(const job *j, int64_t picture, int64_t block, float *scratch) {
  const state *s = j->s;
  int64_t first = block * s->groups_a_block, groups = pn_min_i64(s->groups_a_block, s->groups - first);
  int64_t channel = first * s->members, at = picture * s->pixels * s->channels + channel,
          width = s->groups_a_block * s->members;
  size_t n = (size_t)(groups * s->members);
  float *mean = scratch, *factor = mean + width, *bias = factor + width, *squares = bias + width,
        *difference = squares + width;
  s->pool->sum_pixels(j->x + at, s->channels, (size_t)s->pixels, n, 1, mean);
  for (int64_t g = 0; g < groups; g++) {
    float value = (float)group_mean(s, mean + g * s->members);
    for (int64_t m = 0; m < s->members; m++) mean[g * s->members + m] = value;
  }
  sum_squares(s, j->x + at, n, mean, factor, squares, difference);
  for (int64_t g = 0; g < groups; g++) {
    double inverse = 1 / sqrt(group_mean(s, factor + g * s->members) + (double)s->epsilon);
    for (int64_t m = g * s->members; m < (g + 1) * s->members; m++) {
      factor[m] = (float)(inverse * (j->scale ? (double)j->scale[channel + m] : 1));
      bias[m] = j->bias ? j->bias[channel + m] : 0;
    }
  }
  for (int64_t i = 0; i < s->pixels; i++) {
    s->vec->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_RUN](n, j->x + at + i * s->channels, mean, difference);
    s->vec->ternary[PN_CPU_TERNARY_fma](n, difference, factor, bias, j->y + at + i * s->channels);
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  pn_cpu_share(s->pictures * s->blocks, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    if (s->channels_last)
      pixels_block(j, unit / s->blocks, unit % s->blocks, j->scratch + thread * s->scratch_floats);
    else
      plain_group(j, unit / s->blocks, unit % s->blocks);
  }
}

static const void *data_of(const pn_step *step, const pn_operand *o) {
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
           .y = step->operands[p->nodes[0].outputs[0]],
           .scratch = step->workspace};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_group_norm = {
    .name = "cpu.group_norm",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
