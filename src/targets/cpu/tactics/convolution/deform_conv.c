/* Deformable convolutions in f32 in plain layout: the filter as it lies, times columns, as conv_columns; here a row of
   columns is a channel's plane read between its elements wherever the offsets say (deform.h). The columns come packed as
   the product wants its second operand, for some channels at a time. */
#include "base/bytes.h"
#include "targets/cpu/convolution/deform.h"
#include "targets/cpu/product/gemm.h"

enum { DEPTH = 256, PITCH_ALIAS = 256, PITCH_PAD = 16, LEAST_PLACES = 64, MOST_PLACES = 512 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  pn_deform d;
  pn_cpu_gemm_f32_width width;
  int64_t depth, pitch;           /* of a group's product; between the filter's rows */
  int64_t channels_at_once;       /* in columns */
  int64_t places_a_block, blocks; /* a multiple of the width and of PN_CPU_SAMPLE_LANES */
  size_t filter_bytes, scratch_floats;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_deform d;
  return pn_deform_make(p, device, PN_LAYOUT_PLAIN, &d, why);
}

static int64_t round_up(int64_t n, int64_t unit) { return pn_div_up(n, unit) * unit; }

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  pn_deform *d = &s->d;
  (void)pn_deform_make(p, device, PN_LAYOUT_PLAIN, d, NULL); /* accepted before */
  int64_t members = d->channels / d->groups, outputs = d->outputs / d->groups;
  s->gemm = device->gemm;
  s->depth = members * d->taps;
  s->width = *pn_cpu_gemm_f32_width_for(device->gemm, outputs, d->places);
  s->pitch = s->depth % PITCH_ALIAS ? s->depth : s->depth + PITCH_PAD;
  if (s->pitch != s->depth) s->filter_bytes = pn_align_up((size_t)(d->outputs * s->pitch) * sizeof(float), 64);
  s->channels_at_once = pn_min_i64(members, pn_max_i64(DEPTH / d->taps, 1));
  int64_t rows = s->channels_at_once * d->taps, unit = s->width.nr, tasks = 2 * (int64_t)device->threads;
  while (unit % PN_CPU_SAMPLE_LANES) unit += s->width.nr;
  int64_t most = pn_min_i64((int64_t)(device->l2_bytes / 2 / sizeof(float)) / rows, MOST_PLACES);
  if (device->threads > 1 && d->batch < tasks)
    most = pn_min_i64(most, pn_max_i64(pn_div_up(d->places * d->batch, tasks), LEAST_PLACES));
  s->places_a_block = pn_min_i64(pn_max_i64(most / unit, 1) * unit, round_up(d->places, unit));
  s->blocks = pn_div_up(d->places, s->places_a_block);
  s->scratch_floats = (size_t)(s->places_a_block * rows) + pn_deform_block_floats(d, s->places_a_block);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  const pn_deform *d = &s.d;
  (void)config;
  fill(p, device, &s);
  double reads = (double)(d->batch * d->places * d->taps), lanes = d->sample->lanes; /* cycles: measured on Zen 4 */
  double sampled = reads * (1.3 * (double)(d->channels * d->neighbours) + 10.0 * (double)d->offset_groups);
  double product = reads * (double)(d->channels / d->groups * d->outputs) / 0.8;
  return pn_cpu_estimate(device, sampled * lanes + product, pn_cpu_operand_bytes(p), 1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.filter_bytes + (size_t)device->threads * s.scratch_floats * sizeof(float);
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
  const float *x, *w, *offset, *bias, *mask; /* the last two may be null */
  float *y, *scratch;
} job;

/* The columns of channels [begin, end), packed in panels of the product's width. */
static void fill_columns(const job *j, int64_t picture, int64_t begin, int64_t end, int64_t n,
                         const pn_deform_block *b, float *columns) {
  const state *s = j->s;
  const pn_deform *d = &s->d;
  int64_t rows = (end - begin) * d->taps, nr = s->width.nr;
  for (int64_t t = 0; t < d->taps; t++)
    for (int64_t c = begin; c < end; c++) {
      const float *plane = j->x + (picture * d->channels + c) * d->plane;
      float *to = columns + ((c - begin) * d->taps + t) * nr;
      for (int64_t place = 0; place < n; place += nr, to += rows * nr) {
        int64_t at = t * d->neighbours * b->pitch + place;
        pn_cpu_sample_table table = {(size_t)nr, (size_t)d->neighbours, (size_t)b->pitch, b->index + at,
                                     b->weight + at};
        d->sample->sum(&table, plane, 0, to);
      }
    }
}

static void task(void *argument, uint32_t unit, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  const pn_deform *d = &s->d;
  int64_t first = unit % s->blocks * s->places_a_block, picture = unit / s->blocks, offset_group = -1, end;
  int64_t n = pn_min_i64(s->places_a_block, d->places - first);
  int64_t members = d->channels / d->groups, sharing = d->channels / d->offset_groups, outputs = d->outputs / d->groups;
  float *columns = j->scratch + thread * s->scratch_floats;
  pn_deform_block b =
      pn_deform_block_in(d, s->places_a_block, columns + s->channels_at_once * d->taps * s->places_a_block);
  float *y = j->y + picture * d->outputs * d->places + first;
  for (int64_t m = 0; j->bias && m < d->outputs; m++) j->vec->fill((size_t)n, j->bias[m], y + m * d->places);
  pn_deform_stand(d, first, n, &b);
  for (int64_t begin = 0; begin < d->channels; begin = end) {
    int64_t group = begin / members, inside = begin % members;
    end = pn_min_i64(begin + s->channels_at_once, pn_min_i64((group + 1) * members, (begin / sharing + 1) * sharing));
    if (begin / sharing != offset_group) {
      offset_group = begin / sharing;
      pn_deform_tables(d, j->offset, j->mask, picture, offset_group, first, n, &b);
    }
    fill_columns(j, picture, begin, end, n, &b, columns);
    pn_cpu_product product = {.a = j->w + group * outputs * s->pitch + inside * d->taps,
                              .a_stride = s->pitch,
                              .rows = outputs,
                              .k = (end - begin) * d->taps,
                              .b = columns,
                              .n = n,
                              .c = y + group * outputs * d->places,
                              .c_stride = d->places,
                              .add = inside > 0 || j->bias};
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
           .w = step->operands[node->inputs[PN_DEFORM_W]],
           .offset = step->operands[node->inputs[PN_DEFORM_OFFSET]],
           .y = step->operands[node->outputs[0]],
           .scratch = (float *)(void *)((char *)step->workspace + s->filter_bytes)};
  if (pn_problem_input(step->problem, 0, PN_DEFORM_BIAS)) j.bias = step->operands[node->inputs[PN_DEFORM_BIAS]];
  if (pn_problem_input(step->problem, 0, PN_DEFORM_MASK)) j.mask = step->operands[node->inputs[PN_DEFORM_MASK]];
  if (s->filter_bytes) {
    s->gemm->copy_rows(j.w, s->depth, (size_t)s->d.outputs, (size_t)s->depth, step->workspace, s->pitch);
    j.w = step->workspace;
  }
  pn_pool_run(stream->device->pool, (uint32_t)(s->d.batch * s->blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_deform_conv = {
    .name = "cpu.deform_conv",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
