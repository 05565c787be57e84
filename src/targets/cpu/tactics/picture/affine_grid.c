/* Grids from affine matrices in f32: what a row of points has of the matrix's first column is the same for every row of
   a picture and is computed once; a row then adds the few numbers that the other columns give. */
#include "op/picture/grid.h"
#include "targets/cpu/cpu.h"

enum { MOST_AXES = 3 };

typedef struct state {
  const pn_cpu_sample_f32 *sample;
  bool align_corners;
  uint32_t axes;
  int64_t batch, depth, height, width; /* depth 1 with two axes */
  size_t scratch_floats;               /* a thread */
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_AFFINE_GRID, why)) return false;
  const pn_operand *theta = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (theta->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (!pn_problem_input(p, 0, 1)->data) return pn_refuse(why, "size is not constant");
  if (theta->layout != PN_LAYOUT_PLAIN || y->layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  return pn_operand_elements(y) || pn_refuse(why, "an empty result");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(pn_problem_output(p, 0, 0)), pn_cpu_operand_bytes(p), 0.3);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *y = pn_problem_output(p, 0, 0);
  s->sample = pn_cpu_sample_f32_best(device->isa);
  s->align_corners = ((const pn_attrs_affine_grid *)p->nodes[0].attrs)->align_corners;
  s->axes = y->rank - 2;
  s->batch = y->dims[0];
  s->depth = s->axes == 3 ? y->dims[1] : 1;
  s->height = y->dims[s->axes - 1];
  s->width = y->dims[s->axes];
  s->scratch_floats = pn_align_up((size_t)s->width * s->axes, PN_CPU_SAMPLE_LANES);
  s->parts = pn_cpu_parts(device, s->batch * s->depth * s->height, 4 * pn_cpu_operand_bytes(p));
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
  const float *theta;
  float *y, *scratch;
} job;

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end, rows = s->depth * s->height, last = -1;
  uint32_t axes = s->axes;
  float *columns = j->scratch + thread * s->scratch_floats, pattern[MOST_AXES * PN_CPU_SAMPLE_LANES];
  pn_cpu_share(s->batch * rows, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    const float *theta = j->theta + unit / rows * (axes * (axes + 1));
    double point[MOST_AXES] = {0, pn_affine_coordinate(unit % rows % s->height, s->height, s->align_corners),
                               pn_affine_coordinate(unit % rows / s->height, s->depth, s->align_corners)};
    for (int64_t i = 0; i < s->width && unit / rows != last; i++)
      for (uint32_t r = 0; r < axes; r++)
        columns[i * axes + r] =
            (float)((double)theta[r * (axes + 1)] * pn_affine_coordinate(i, s->width, s->align_corners));
    last = unit / rows;
    for (uint32_t r = 0; r < axes; r++) {
      double sum = (double)theta[r * (axes + 1) + axes];
      for (uint32_t k = 1; k < axes; k++) sum += (double)theta[r * (axes + 1) + k] * point[k];
      pattern[r] = (float)sum;
    }
    for (uint32_t i = axes; i < axes * PN_CPU_SAMPLE_LANES; i++) pattern[i] = pattern[i - axes];
    size_t row_floats = (size_t)s->width * axes;
    s->sample->add_pattern(row_floats, columns, axes, pattern, j->y + (size_t)unit * row_floats);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->outputs[0]], step->workspace};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_affine_grid = {
    .name = "cpu.affine_grid",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
