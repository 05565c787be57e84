/* Local response normalisation in f32 across channels: y = x / (bias + alpha / size * sum of squares nearby) ^ beta.
   Channels-last: a pixel is a run of channels, the squares lie in a padded row that is added to itself shifted. Plain:
   a run of pixels goes through the channels; all their squares are kept. */
#include "base/bytes.h"
#include "targets/cpu/single.h"
#include "target/strides.h"

enum { RUN = 256 };

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  bool channels_last;
  int64_t before, after;                    /* neighbours that count on either side */
  int64_t pictures, channels, pixels, runs; /* runs of a picture: pixels, or pieces of the plane */
  float scale, bias, beta;
  size_t scratch_floats; /* a thread */
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_LRN, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (x->rank < 2 || !pn_operand_elements(x)) return pn_refuse(why, "an empty operand, or one without channels");
  return x->layout == y->layout || pn_refuse(why, "wants one layout for operand and result");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_attrs_lrn *attrs = p->nodes[0].attrs;
  (void)config;
  return pn_cpu_estimate(device, (30 + (double)attrs->size) * (double)pn_operand_elements(pn_problem_input(p, 0, 0)),
                         pn_cpu_operand_bytes(p), 0.5);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_lrn *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  s->vec = device->vec;
  s->channels_last = x->layout == PN_LAYOUT_CHANNELS_LAST && x->rank > 2;
  s->pictures = x->dims[0];
  s->channels = x->dims[1];
  s->pixels = pn_operand_elements(x) / (s->pictures * s->channels);
  s->before = pn_min_i64((attrs->size - 1) / 2, s->channels);
  s->after = pn_min_i64(attrs->size - 1 - (attrs->size - 1) / 2, s->channels);
  s->scale = attrs->alpha / (float)attrs->size;
  s->bias = attrs->bias;
  s->beta = attrs->beta;
  s->runs = s->channels_last ? s->pixels : pn_div_up(s->pixels, RUN);
  int64_t row = s->channels_last ? 2 * s->channels + s->before + s->after : RUN * (s->channels + 1);
  s->scratch_floats = pn_align_up((size_t)row, 16);
  s->parts = pn_cpu_parts(device, s->pictures * s->runs, 8 * pn_cpu_operand_bytes(p));
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

/* y = x * (bias + scale * sum) ^ -beta; |sum| is overwritten. */
static void finish(const state *s, size_t n, const float *x, float *sum, float *y) {
  const pn_cpu_vec_f32 *v = s->vec;
  float minus_beta = -s->beta;
  v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE](n, sum, &s->scale, sum);
  v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_ONE](n, sum, &s->bias, sum);
  v->unary[PN_CPU_UNARY_log](n, sum, NULL, sum);
  v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE](n, sum, &minus_beta, sum);
  v->unary[PN_CPU_UNARY_exp](n, sum, NULL, sum);
  v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](n, x, sum, y);
}

static void pixel(const state *s, const float *x, float *y, float *scratch) {
  const pn_cpu_vec_f32 *v = s->vec;
  size_t n = (size_t)s->channels;
  float *sum = scratch, *squares = scratch + s->channels;
  v->fill((size_t)s->before, 0, squares);
  v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](n, x, x, squares + s->before);
  v->fill((size_t)s->after, 0, squares + s->before + s->channels);
  v->unary[PN_CPU_UNARY_copy](n, squares, NULL, sum);
  for (int64_t i = 1; i <= s->before + s->after; i++)
    v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, sum, squares + i, sum);
  finish(s, n, x, sum, y);
}

/* |n| pixels of all channels. */
static void run_of_pixels(const state *s, const float *x, float *y, size_t n, float *scratch) {
  const pn_cpu_vec_f32 *v = s->vec;
  float *sum = scratch, *squares = scratch + RUN;
  for (int64_t c = 0; c < s->channels; c++)
    v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](n, x + c * s->pixels, x + c * s->pixels, squares + c * RUN);
  for (int64_t c = 0; c < s->channels; c++) {
    int64_t first = c > s->before ? c - s->before : 0, last = pn_min_i64(c + s->after, s->channels - 1);
    v->unary[PN_CPU_UNARY_copy](n, squares + first * RUN, NULL, sum);
    for (int64_t i = first + 1; i <= last; i++)
      v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, sum, squares + i * RUN, sum);
    finish(s, n, x + c * s->pixels, sum, y + c * s->pixels);
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const pn_cpu_single *j = argument;
  const state *s = j->state;
  float *scratch = j->scratch + thread * s->scratch_floats;
  int64_t unit, end;
  pn_cpu_share(s->pictures * s->runs, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t begin = unit % s->runs * RUN, at = unit / s->runs * s->channels * s->pixels + begin;
    if (s->channels_last)
      pixel(s, j->x + unit * s->channels, j->y + unit * s->channels, scratch);
    else
      run_of_pixels(s, j->x + at, j->y + at, (size_t)pn_min_i64(RUN, s->pixels - begin), scratch);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  (void)diag;
  return pn_cpu_single_run(step, stream, s->parts, task);
}

const pn_tactic pn_tactic_cpu_lrn = {
    .name = "cpu.lrn",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
