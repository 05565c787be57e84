/* Transposed convolutions in f32 with one input channel a group, over one or two spatial axes, in plain layout.

   A plane is copied into a frame of zeros, so that no tap falls outside. A row of the result is then made phase by phase
   (see phases.h): the outputs of a phase are a weighted sum of a few runs of the frame, which are put |stride| apart. */
#include "targets/cpu/convolution/conv.h"
#include "targets/cpu/convolution/phases.h"

enum { MAX_TAPS = 256 };

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  pn_phases y, x;
  int64_t planes, groups, members; /* of the operand; results of a group */
  size_t frame_floats, run_floats; /* a thread */
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window y, x;
  (void)device;
  if (!pn_accepts_one(p, PN_OP_CONV_TRANSPOSE, why)) return false;
  const pn_attrs_conv_transpose *attrs = p->nodes[0].attrs;
  const pn_operand *in = pn_problem_input(p, 0, 0);
  if (in->rank != 3 && in->rank != 4) return pn_refuse(why, "one or two spatial axes, not %u", in->rank - 2);
  if (in->dims[1] != attrs->group) return pn_refuse(why, "one input channel a group only");
  for (uint32_t i = 0; i < p->operand_count; i++) {
    const pn_operand *o = &p->operands[i];
    if (o->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (!pn_layout_same(o->layout, PN_LAYOUT_PLAIN, o->rank, o->dims)) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(o)) return pn_refuse(why, "an empty operand");
  }
  if (!pn_cpu_conv_transpose_window(p, &y, &x)) return pn_refuse(why, "the window does not fit");
  if (y.stride > PN_PHASES_STRIDE || x.stride > PN_PHASES_STRIDE || y.kernel > PN_PHASES_KERNEL ||
      x.kernel > PN_PHASES_KERNEL || y.kernel * x.kernel > MAX_TAPS)
    return pn_refuse(why, "a kernel or stride above %d, or more than %d taps", PN_PHASES_STRIDE, MAX_TAPS);
  return (y.pad_begin >= 0 && x.pad_begin >= 0) || pn_refuse(why, "a pad below zero");
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_conv_transpose *attrs = p->nodes[0].attrs;
  const pn_operand *in = pn_problem_input(p, 0, 0);
  (void)pn_cpu_conv_transpose_window(p, &s->y.window, &s->x.window); /* accepted before */
  pn_phases_fill(&s->y);
  pn_phases_fill(&s->x);
  s->vec = device->vec;
  s->groups = attrs->group;
  s->planes = in->dims[0] * s->groups;
  s->members = pn_problem_input(p, 0, 1)->dims[1];
  s->frame_floats = pn_align_up((size_t)(s->y.extent * s->x.extent), 16);
  s->run_floats = pn_align_up((size_t)pn_div_up(s->x.window.output, s->x.window.stride), 16);
  s->parts = pn_cpu_parts(device, s->planes, pn_cpu_operand_bytes(p));
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *w = pn_problem_input(p, 0, 1);
  double outputs = (double)pn_operand_elements(pn_problem_output(p, 0, 0)), taps = 1;
  (void)config;
  state s = {0};
  fill(p, device, &s);
  for (uint32_t d = 2; d < w->rank; d++) taps *= (double)w->dims[d];
  double phases = (double)(s.x.window.stride * s.y.window.stride);
  double rows = outputs / (double)pn_max_i64(s.x.window.output, 1) * (double)s.x.window.stride;
  return pn_cpu_estimate(device, outputs * (taps / phases + (s.x.window.stride > 1 ? 12 : 2)) + 300 * rows,
                         pn_cpu_operand_bytes(p), 0.4);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = device->threads * (s.frame_floats + s.run_floats) * sizeof(float);
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
  const float *x, *w, *bias;
  float *y, *scratch;
} job;

/* The outputs of row |row| in phase |phase| of x, which are |count| from |first| on. */
static void add_phase(const state *s, const float *frame, const float *w, float bias, int64_t row, int64_t phase,
                      float *run, float *out) {
  const float *from[MAX_TAPS];
  float weights[MAX_TAPS];
  const pn_window *y = &s->y.window, *x = &s->x.window;
  int64_t first, count = pn_phases_outputs(x, phase, &first), taps = 0;
  int64_t phase_y = (row + y->pad_begin) % y->stride, base_y = (row + y->pad_begin) / y->stride;
  int64_t base_x = (first + x->pad_begin) / x->stride + s->x.before;
  if (count <= 0) return;
  for (int32_t i = s->y.first[phase_y]; i < s->y.first[phase_y + 1]; i++) {
    const float *line = frame + (base_y - s->y.back[i] + s->y.before) * s->x.extent + base_x;
    for (int32_t k = s->x.first[phase]; k < s->x.first[phase + 1]; k++) {
      from[taps] = line - s->x.back[k];
      weights[taps++] = w[s->y.element[i] * x->kernel + s->x.element[k]];
    }
  }
  if (x->stride == 1) run = out;
  s->vec->weighted_sum((size_t)count, (size_t)taps, from, weights, run);
  if (bias != 0) s->vec->binary[PN_CPU_BINARY_add][PN_CPU_RUN_ONE]((size_t)count, run, &bias, run);
  for (int64_t i = 0; x->stride > 1 && i < count; i++) out[first + i * x->stride] = run[i];
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  const pn_window *y = &s->y.window, *x = &s->x.window;
  float *frame = j->scratch + thread * (s->frame_floats + s->run_floats), *run = frame + s->frame_floats;
  int64_t plane, end, kernel = y->kernel * x->kernel;
  pn_cpu_share(s->planes, 1, part, s->parts, &plane, &end);
  s->vec->fill(s->frame_floats, 0, frame);
  for (; plane < end; plane++) {
    for (int64_t r = 0; r < y->input; r++)
      memcpy(frame + (r + s->y.before) * s->x.extent + s->x.before, j->x + (plane * y->input + r) * x->input,
             (size_t)x->input * sizeof *frame);
    for (int64_t m = 0; m < s->members; m++) {
      int64_t channel = plane % s->groups * s->members + m;
      float *out = j->y + (plane * s->members + m) * y->output * x->output, bias = j->bias ? j->bias[channel] : 0;
      for (int64_t row = 0; row < y->output; row++)
        for (int64_t phase = 0; phase < x->stride; phase++)
          add_phase(s, frame, j->w + channel * kernel, bias, row, phase, run, out + row * x->output);
    }
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .x = step->operands[node->inputs[0]],
           .w = step->operands[node->inputs[1]],
           .y = step->operands[node->outputs[0]],
           .scratch = step->workspace};
  if (pn_problem_input(step->problem, 0, 2)) j.bias = step->operands[node->inputs[2]];
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_transpose_depthwise = {
    .name = "cpu.conv_transpose_depthwise",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
