/* Pictures of up to three axes read wherever a grid says, in f32. Where a grid's points lie, and how much of which
   elements they take, is the same for all channels: for a block of points a table is made (sample_f32), small enough for
   the first cache. In plain layout every channel's plane is read through it; channels-last a point is a weighted sum of
   a few runs of channels. Linear and nearest reading within zeros or the border
   make the table by vectors; reflection and cubic reading as the operator's definition does, a point at a time. */
#include "base/bytes.h"
#include "op/picture/grid.h"
#include "target/strides.h"
#include "targets/cpu/cpu.h"

#include <math.h>

enum { MOST_POINTS = 512, TABLE_ENTRIES = 2048, MOST_TAPS = 64 };

typedef struct state {
  const pn_cpu_sample_f32 *sample;
  const pn_cpu_vec_f32 *vec;
  const pn_attrs_grid_sample *attrs;
  bool by_vectors, channels_last;
  uint32_t axes;
  int64_t extents[PN_CPU_SAMPLE_AXES], strides[PN_CPU_SAMPLE_AXES];
  int64_t grid_dims[PN_MAX_RANK], grid_strides[PN_MAX_RANK];
  int64_t batch, channels, plane, points; /* the last two of a picture */
  int64_t taps, points_a_block, blocks;
  size_t scratch_floats; /* a thread */
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_GRID_SAMPLE, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (x->layout != pn_problem_output(p, 0, 0)->layout) return pn_refuse(why, "wants one layout for x and result");
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (!pn_operand_elements(&p->operands[i])) return pn_refuse(why, "an empty operand");
  }
  if (x->rank - 2 > PN_CPU_SAMPLE_AXES) return pn_refuse(why, "more than three spatial axes");
  return pn_operand_elements(x) / (x->dims[0] * x->dims[1]) <= INT32_MAX / 2 || pn_refuse(why, "a plane too large");
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_grid_sample *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  const pn_operand *grid = pn_problem_input(p, 0, 1);
  s->sample = pn_cpu_sample_f32_best(device->isa);
  s->vec = device->vec;
  s->attrs = attrs;
  s->channels_last = x->layout == PN_LAYOUT_CHANNELS_LAST;
  for (uint32_t i = 0; i < grid->rank; i++) s->grid_dims[i] = grid->dims[i];
  pn_operand_axis_strides(grid, s->grid_strides);
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
  /* Cycles, measured on Zen 4. */
  double cycles = points * (4 * point + 1.3 * (double)(s.taps * s.channels));
  if (s.channels_last)
    cycles = points * (4 * point + 25 + (double)s.taps * (5 + ceil((double)s.channels / s.sample->lanes)));
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

/* The coordinates of points [first, first + n) of a picture, an axis of x after the other, as they stand in the grid. */
static void fetch(const state *s, const float *grid, int64_t picture, int64_t first, int64_t n, float *at) {
  uint32_t last = s->axes; /* the grid's axis of neighbouring points */
  int64_t end = first + n, run;
  for (int64_t point = first; point < end; point += run, at += run) {
    int64_t column = point % s->grid_dims[last], rest = point / s->grid_dims[last], step = s->grid_strides[last];
    const float *from = grid + picture * s->grid_strides[0] + column * step;
    for (uint32_t axis = last; --axis > 0; rest /= s->grid_dims[axis])
      from += rest % s->grid_dims[axis] * s->grid_strides[axis];
    run = pn_min_i64(end - point, s->grid_dims[last] - column);
    for (uint32_t k = 0; k < s->axes; k++) {
      const float *own = from + (s->axes - 1 - k) * s->grid_strides[s->axes + 1];
      for (int64_t i = 0; i < run; i++) at[k * s->points_a_block + i] = own[i * step];
    }
  }
}

static void place_by_vectors(const state *s, int64_t n, float *at, int32_t *index, float *weight) {
  pn_cpu_sample_axis axes[PN_CPU_SAMPLE_AXES];
  int64_t pitch = s->points_a_block;
  for (uint32_t k = 0; k < s->axes; k++, at += pitch) {
    float extent = (float)s->extents[k];
    /* As pn_grid_place. */
    for (int64_t i = 0; i < n && s->attrs->align_corners; i++) at[i] = (at[i] + 1) / 2 * (extent - 1);
    for (int64_t i = 0; i < n && !s->attrs->align_corners; i++) at[i] = ((at[i] + 1) * extent - 1) / 2;
    for (int64_t i = n; i % PN_CPU_SAMPLE_LANES; i++) at[i] = 0;
    axes[k] = (pn_cpu_sample_axis){at, extent, (float)s->strides[k]};
  }
  s->sample->place((size_t)n, s->axes, axes, s->attrs->padding == PN_GRID_BORDER, s->attrs->mode == PN_RESIZE_NEAREST,
                   (size_t)pitch, index, weight);
}

/* Point |i| of the table. */
static void place_point(const state *s, const float *at, int64_t i, int32_t *index, float *weight) {
  pn_sample_axis axis[PN_CPU_SAMPLE_AXES];
  uint32_t taps = pn_grid_taps(s->attrs);
  for (uint32_t k = 0; k < s->axes; k++) {
    double n = (double)at[k * s->points_a_block + i];
    axis[k] = pn_grid_read_axis(s->attrs, pn_grid_place(s->attrs, PELTON_DTYPE_F32, n, s->extents[k]), s->extents[k]);
  }
  for (int64_t t = 0; t < s->taps; t++) {
    int64_t rest = t, offset = 0;
    double product = 1;
    bool inside = true;
    for (uint32_t k = s->axes; k-- > 0; rest /= taps) {
      int64_t place = axis[k].at[rest % taps];
      inside = inside && place >= 0;
      offset += place * s->strides[k];
      product *= axis[k].weight[rest % taps];
    }
    index[t * s->points_a_block + i] = inside ? (int32_t)offset : -1;
    weight[t * s->points_a_block + i] = inside ? (float)product : 0;
  }
}

/* Through the table, a pixel of channels at a time. */
static void read_pixels(const state *s, const pn_cpu_sample_table *table, const float *x, float *y) {
  const float *runs[MOST_TAPS];
  float weights[MOST_TAPS];
  for (size_t i = 0; i < table->n; i++, y += s->channels) {
    size_t count = 0;
    for (size_t at = i; at < table->taps * table->pitch; at += table->pitch) {
      if (table->index[at] < 0) continue;
      runs[count] = x + table->index[at] * s->channels;
      weights[count++] = table->weight[at];
    }
    if (count)
      s->vec->weighted_sum((size_t)s->channels, count, runs, weights, y);
    else
      s->vec->fill((size_t)s->channels, 0, y);
  }
}

static void block(const job *j, int64_t picture, int64_t first, int64_t n, float *scratch) {
  const state *s = j->s;
  int64_t pitch = s->points_a_block, end = pn_div_up(n, PN_CPU_SAMPLE_LANES) * PN_CPU_SAMPLE_LANES;
  float *weight = scratch, *at = weight + s->taps * pitch;
  int32_t *index = (int32_t *)(void *)(at + s->axes * pitch);
  fetch(s, j->grid, picture, first, n, at);
  if (s->by_vectors) {
    place_by_vectors(s, n, at, index, weight);
  } else {
    for (int64_t i = 0; i < n; i++) place_point(s, at, i, index, weight);
    for (int64_t t = 0; t < s->taps; t++)
      for (int64_t i = n; i < end; i++) index[t * pitch + i] = -1, weight[t * pitch + i] = 0;
  }
  pn_cpu_sample_table table = {(size_t)n, (size_t)s->taps, (size_t)pitch, index, weight};
  const float *x = j->x + picture * s->channels * s->plane;
  float *y = j->y + picture * s->channels * s->points;
  if (s->channels_last)
    read_pixels(s, &table, x, y + first * s->channels);
  else
    for (int64_t c = 0; c < s->channels; c++) s->sample->sum(&table, x + c * s->plane, 0, y + c * s->points + first);
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
