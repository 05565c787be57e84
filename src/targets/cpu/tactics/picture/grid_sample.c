/* Pictures of up to three axes read wherever a grid says, in f32. Where a grid's points lie, and how much of which
   elements they take, is the same for all channels: for a block of points a table is made (sample_f32), small enough for
   the first cache, and every channel's plane is read through it. Linear and nearest reading within zeros or the border
   make the table by vectors; reflection and cubic reading as the operator's definition does, a point at a time. */
#include "base/bytes.h"
#include "op/picture/grid.h"
#include "targets/cpu/cpu.h"

enum { MOST_POINTS = 512, TABLE_ENTRIES = 2048 };

typedef struct state {
  const pn_cpu_sample_f32 *sample;
  const pn_attrs_grid_sample *attrs;
  bool by_vectors;
  uint32_t axes;
  int64_t extents[PN_CPU_SAMPLE_AXES], strides[PN_CPU_SAMPLE_AXES];
  int64_t batch, channels, plane, points; /* the last two of a picture */
  int64_t taps, points_a_block, blocks;
  size_t scratch_floats; /* a thread */
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (p->nodes[0].op != PN_OP_GRID_SAMPLE || p->node_count != 1) return pn_refuse(why, "grid_sample alone");
  const pn_operand *x = pn_problem_input(p, 0, 0);
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(&p->operands[i])) return pn_refuse(why, "an empty operand");
  }
  if (x->rank - 2 > PN_CPU_SAMPLE_AXES) return pn_refuse(why, "more than three spatial axes");
  return pn_operand_elements(x) / (x->dims[0] * x->dims[1]) <= INT32_MAX / 2 || pn_refuse(why, "a plane too large");
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_grid_sample *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  s->sample = pn_cpu_sample_f32_best(device->isa);
  s->attrs = attrs;
  s->axes = x->rank - 2;
  s->batch = x->dims[0];
  s->channels = x->dims[1];
  s->plane = s->taps = 1;
  for (uint32_t k = s->axes; k-- > 0;) {
    s->extents[k] = x->dims[k + 2];
    s->strides[k] = s->plane;
    s->plane *= s->extents[k];
    s->taps *= pn_grid_taps(attrs);
  }
  s->by_vectors =
      attrs->mode != PN_RESIZE_CUBIC && attrs->padding != PN_GRID_REFLECTION && s->plane <= PN_CPU_SAMPLE_PLANE;
  s->points = pn_operand_elements(y) / (s->batch * s->channels);
  int64_t most = pn_min_i64(MOST_POINTS, TABLE_ENTRIES / s->taps), tasks = 2 * (int64_t)device->threads;
  if (device->threads > 1 && s->batch < tasks) most = pn_min_i64(most, pn_div_up(s->points * s->batch, tasks));
  s->points_a_block = pn_max_i64(pn_div_up(most, PN_CPU_SAMPLE_LANES), 1) * PN_CPU_SAMPLE_LANES;
  s->blocks = pn_div_up(s->points, s->points_a_block);
  s->scratch_floats = (size_t)(s->points_a_block * (2 * s->taps + s->axes));
  s->parts = pn_cpu_parts(device, s->batch * s->blocks, 8.0 * (double)(s->taps * pn_operand_elements(y)));
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  double points = (double)(s.batch * s.points), point = s.by_vectors ? (double)s.taps : 40.0 * s.axes + (double)s.taps;
  double cycles = points * (4 * point + 1.3 * (double)(s.taps * s.channels)); /* measured on Zen 4 */
  return pn_cpu_estimate(device, cycles * s.sample->lanes, pn_cpu_operand_bytes(p), 1);
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

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const float *x, *grid;
  float *y, *scratch;
} job;

static void place_by_vectors(const state *s, const float *grid, int64_t n, float *at, int32_t *index, float *weight) {
  pn_cpu_sample_axis axes[PN_CPU_SAMPLE_AXES];
  int64_t pitch = s->points_a_block;
  for (uint32_t k = 0; k < s->axes; k++, at += pitch) {
    const float *from = grid + (s->axes - 1 - k);
    float extent = (float)s->extents[k];
    /* As pn_grid_place. */
    for (int64_t i = 0; i < n && s->attrs->align_corners; i++)
      at[i] = (from[i * s->axes] + 1) / 2 * (extent - 1);
    for (int64_t i = 0; i < n && !s->attrs->align_corners; i++)
      at[i] = ((from[i * s->axes] + 1) * extent - 1) / 2;
    for (int64_t i = n; i % PN_CPU_SAMPLE_LANES; i++) at[i] = 0;
    axes[k] = (pn_cpu_sample_axis){at, extent, (float)s->strides[k]};
  }
  s->sample->place((size_t)n, s->axes, axes, s->attrs->padding == PN_GRID_BORDER, s->attrs->mode == PN_RESIZE_NEAREST,
                   (size_t)pitch, index, weight);
}

/* Point |i| of the table. */
static void place_point(const state *s, const float *grid, int64_t i, int32_t *index, float *weight) {
  pn_sample_axis axis[PN_CPU_SAMPLE_AXES];
  uint32_t taps = pn_grid_taps(s->attrs);
  for (uint32_t k = 0; k < s->axes; k++) {
    double n = (double)grid[i * s->axes + (s->axes - 1 - k)];
    axis[k] = pn_grid_read_axis(s->attrs, pn_grid_place(s->attrs, PELTON_DTYPE_F32, n, s->extents[k]), s->extents[k]);
  }
  for (int64_t t = 0; t < s->taps; t++) {
    int64_t rest = t, offset = 0;
    double product = 1;
    bool inside = true;
    for (uint32_t k = s->axes; k-- > 0; rest /= taps) {
      int64_t at = axis[k].at[rest % taps];
      inside = inside && at >= 0;
      offset += at * s->strides[k];
      product *= axis[k].weight[rest % taps];
    }
    index[t * s->points_a_block + i] = inside ? (int32_t)offset : -1;
    weight[t * s->points_a_block + i] = inside ? (float)product : 0;
  }
}

static void block(const job *j, int64_t picture, int64_t first, int64_t n, float *scratch) {
  const state *s = j->s;
  int64_t pitch = s->points_a_block, end = pn_div_up(n, PN_CPU_SAMPLE_LANES) * PN_CPU_SAMPLE_LANES;
  const float *grid = j->grid + (picture * s->points + first) * s->axes;
  float *weight = scratch, *at = weight + s->taps * pitch;
  int32_t *index = (int32_t *)(void *)(at + s->axes * pitch);
  if (s->by_vectors) {
    place_by_vectors(s, grid, n, at, index, weight);
  } else {
    for (int64_t i = 0; i < n; i++) place_point(s, grid, i, index, weight);
    for (int64_t t = 0; t < s->taps; t++)
      for (int64_t i = n; i < end; i++) index[t * pitch + i] = -1, weight[t * pitch + i] = 0;
  }
  pn_cpu_sample_table table = {(size_t)n, (size_t)s->taps, (size_t)pitch, index, weight};
  for (int64_t c = picture * s->channels; c < (picture + 1) * s->channels; c++)
    s->sample->sum(&table, j->x + c * s->plane, 0, j->y + c * s->points + first);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  pn_cpu_share(s->batch * s->blocks, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t first = unit % s->blocks * s->points_a_block;
    block(j, unit / s->blocks, first, pn_min_i64(s->points_a_block, s->points - first),
          j->scratch + thread * s->scratch_floats);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->inputs[1]], step->operands[node->outputs[0]],
           step->workspace};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_grid_sample = {
    .name = "cpu.grid_sample",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
