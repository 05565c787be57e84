/* Deformable convolutions in f32 in channels-last layout, with a constant filter. There a place between the elements is
   a weighted sum of a few runs of channels: what each pixel of the result sees is put together so, a run for each tap
   (deform.h), and the filter, packed, multiplies some pixels at a time. */
#include "base/bytes.h"
#include "targets/cpu/convolution/conv_tiles.h"
#include "targets/cpu/convolution/deform.h"
#include "targets/cpu/product/gemm.h"

#include <math.h>

enum { PITCH_ALIAS = 256, PITCH_PAD = 16, MOST_NEIGHBOURS = 1 << PN_CPU_SAMPLE_AXES, TYPICAL_PIXELS = 64 };

typedef struct state {
  pn_deform d;
  pn_cpu_gemm_f32_width width;
  int64_t members, outputs, panels; /* of a group */
  int64_t pitch;                    /* between pixels of what they see: [group][tap][channel] */
  int64_t pixels_a_block, blocks;
  size_t group_floats; /* of the packed filter */
  size_t scratch_floats;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_deform d;
  if (!pn_deform_make(p, device, PN_LAYOUT_CHANNELS_LAST, &d, why)) return false;
  return pn_problem_input(p, 0, PN_DEFORM_W)->data || pn_refuse(why, "the filter is not constant");
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  pn_deform *d = &s->d;
  (void)pn_deform_make(p, device, PN_LAYOUT_CHANNELS_LAST, d, NULL); /* accepted before */
  s->members = d->channels / d->groups;
  s->outputs = d->outputs / d->groups;
  s->width = *pn_cpu_gemm_f32_width_for(device->gemm, TYPICAL_PIXELS, s->outputs);
  s->panels = pn_div_up(s->outputs, s->width.nr);
  s->pitch = d->channels * d->taps;
  if (s->pitch % PITCH_ALIAS == 0) s->pitch += PITCH_PAD;
  s->group_floats = (size_t)(s->panels * s->width.nr * s->members * d->taps);
  int64_t most = (int64_t)(device->l2_bytes / 4 / sizeof(float)) / s->pitch, tasks = 2 * (int64_t)device->threads;
  if (device->threads > 1 && d->batch < tasks) most = pn_min_i64(most, pn_div_up(d->places * d->batch, tasks));
  most = pn_min_i64(most, d->places);
  s->pixels_a_block = pn_max_i64(pn_div_up(most, PN_CPU_SAMPLE_LANES), 1) * PN_CPU_SAMPLE_LANES;
  s->blocks = pn_div_up(d->places, s->pixels_a_block);
  s->scratch_floats = (size_t)(s->pixels_a_block * s->pitch) + pn_deform_block_floats(d, s->pixels_a_block);
}

/* Runs of channels of one group and one offset group. */
static int64_t runs_of(const pn_deform *d) {
  return d->groups % d->offset_groups == 0 || d->offset_groups % d->groups == 0
             ? pn_max_i64(d->groups, d->offset_groups)
             : d->groups + d->offset_groups;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  const pn_deform *d = &s.d;
  (void)config;
  fill(p, device, &s);
  double reads = (double)(d->batch * d->places * d->taps), lanes = d->sample->lanes, runs = (double)runs_of(d);
  double run = 25 + (double)d->neighbours * (5 + ceil((double)d->channels / runs / lanes)); /* cycles, on Zen 4 */
  double sampled = reads * (runs * run + 10.0 * (double)d->offset_groups);
  double product = reads * (double)(s.members * d->groups * s.panels * s.width.nr) / 0.8;
  return pn_cpu_estimate(device, sampled * lanes + product, pn_cpu_operand_bytes(p), 1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->packed_bytes = (size_t)s.d.groups * s.group_floats * sizeof(float);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * s.scratch_floats * sizeof(float);
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  const float *w = pn_problem_input(p, 0, PN_DEFORM_W)->data;
  float *to = packed;
  (void)config;
  (void)diag;
  fill(p, device, &s);
  const pn_conv_depth depth = {.taps = s.d.taps,
                               .k = s.members,
                               .channels = s.members,
                               .filter_columns = s.d.window[s.d.axes - 1].kernel,
                               .filter_size = s.d.taps};
  for (int64_t g = 0; g < s.d.groups; g++)
    to = pn_conv_pack(&depth, w + g * s.outputs * s.members * s.d.taps, s.outputs, s.width.nr, to);
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const pn_cpu_vec_f32 *vec;
  const float *x, *packed, *offset, *bias, *mask; /* the last two may be null */
  float *y, *scratch;
} job;

/* What |n| pixels see of the channels of offset group |group|. */
static void see(const job *j, int64_t picture, int64_t group, int64_t n, const pn_deform_block *b, float *seen) {
  const state *s = j->s;
  const pn_deform *d = &s->d;
  const float *x = j->x + picture * d->plane * d->channels, *runs[MOST_NEIGHBOURS];
  float weights[MOST_NEIGHBOURS];
  int64_t sharing = d->channels / d->offset_groups, end;
  for (int64_t begin = group * sharing; begin < (group + 1) * sharing; begin = end) {
    int64_t own = begin / s->members;
    end = pn_min_i64((group + 1) * sharing, (own + 1) * s->members);
    for (int64_t i = 0; i < n; i++)
      for (int64_t t = 0; t < d->taps; t++) {
        float *to = seen + i * s->pitch + (own * d->taps + t) * s->members + begin % s->members;
        size_t count = 0;
        for (int64_t k = 0; k < d->neighbours; k++) {
          int64_t at = (t * d->neighbours + k) * b->pitch + i;
          if (b->index[at] < 0) continue;
          runs[count] = x + b->index[at] * d->channels + begin;
          weights[count++] = b->weight[at];
        }
        if (count)
          j->vec->weighted_sum((size_t)(end - begin), count, runs, weights, to);
        else /* nothing, times the mask */
          j->vec->fill((size_t)(end - begin), b->weight[t * d->neighbours * b->pitch + i], to);
      }
  }
}

static void task(void *argument, uint32_t unit, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  const pn_deform *d = &s->d;
  int64_t first = unit % s->blocks * s->pixels_a_block, picture = unit / s->blocks;
  int64_t n = pn_min_i64(s->pixels_a_block, d->places - first);
  float *seen = j->scratch + thread * s->scratch_floats;
  float *y = j->y + (picture * d->places + first) * d->outputs;
  pn_deform_block b = pn_deform_block_in(d, s->pixels_a_block, seen + s->pixels_a_block * s->pitch);
  pn_deform_stand(d, first, n, &b);
  for (int64_t g = 0; g < d->offset_groups; g++) {
    pn_deform_tables(d, j->offset, j->mask, picture, g, first, n, &b);
    see(j, picture, g, n, &b, seen);
  }
  for (int64_t i = 0; i < n && j->bias; i++) memcpy(y + i * d->outputs, j->bias, (size_t)d->outputs * sizeof(float));
  for (int64_t g = 0; g < d->groups; g++) {
    pn_cpu_product product = {.a = seen + g * s->members * d->taps,
                              .a_stride = s->pitch,
                              .rows = n,
                              .k = s->members * d->taps,
                              .b = j->packed + (size_t)g * s->group_floats,
                              .n = s->outputs,
                              .c = y + g * s->outputs,
                              .c_stride = d->outputs,
                              .add = j->bias != NULL};
    pn_cpu_product_run(&s->width, &product);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .vec = stream->device->vec,
           .x = step->operands[node->inputs[PN_DEFORM_X]],
           .packed = step->packed,
           .offset = step->operands[node->inputs[PN_DEFORM_OFFSET]],
           .y = step->operands[node->outputs[0]],
           .scratch = step->workspace};
  if (pn_problem_input(step->problem, 0, PN_DEFORM_BIAS)) j.bias = step->operands[node->inputs[PN_DEFORM_BIAS]];
  if (pn_problem_input(step->problem, 0, PN_DEFORM_MASK)) j.mask = step->operands[node->inputs[PN_DEFORM_MASK]];
  pn_pool_run(stream->device->pool, (uint32_t)(s->d.batch * s->blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_deform_conv_pixels = {
    .name = "cpu.deform_conv_pixels",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
