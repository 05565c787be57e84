/* The greatest elements of a region's cells, in f32. For a row of cells the rows of the plane that it touches are joined
   first, as vectors along the region's width; then each cell joins its columns of that one row. Which rows and columns
   those are is the same for all channels. Regions come from data: all are checked before the first is read. */
#include "base/bytes.h"
#include "op/operand.h"
#include "op/picture/roi.h"
#include "targets/cpu/cpu.h"

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_attrs_max_roi_pool *attrs;
  int64_t batch, channels, height, width, regions, rows, columns; /* the last two: of cells */
  uint32_t parts;
  size_t edges_bytes, scratch_bytes; /* a thread: the cells' edges, and a joined row behind them */
} state;

typedef struct region {
  int64_t picture;
  pn_roi_span y, x;
} region;

/* Elements [first, end). */
typedef struct cell_edges {
  int64_t first, end;
} cell_edges;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (p->nodes[0].op != PN_OP_MAX_ROI_POOL || p->node_count != 1) return pn_refuse(why, "max_roi_pool alone");
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(&p->operands[i])) return pn_refuse(why, "an empty operand");
  }
  return true;
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  s->vec = device->vec;
  s->attrs = p->nodes[0].attrs;
  s->batch = x->dims[0];
  s->channels = x->dims[1];
  s->height = x->dims[2];
  s->width = x->dims[3];
  s->regions = y->dims[0];
  s->rows = y->dims[2];
  s->columns = y->dims[3];
  s->edges_bytes = pn_align_up((size_t)(s->rows + s->columns) * sizeof(cell_edges), 64);
  s->scratch_bytes = s->edges_bytes + pn_align_up((size_t)s->width * sizeof(float), 64);
  s->parts = pn_cpu_parts(device, s->regions * s->channels, 16.0 * (double)pn_operand_bytes(y));
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  double cells = (double)pn_operand_elements(pn_problem_output(p, 0, 0));
  (void)config;
  return pn_cpu_estimate(device, 20 * cells, pn_cpu_operand_bytes(p), 0.05);
}

static size_t regions_bytes(const state *s) { return pn_align_up((size_t)s->regions * sizeof(region), 64); }

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = regions_bytes(&s) + s.scratch_bytes * device->threads;
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
  const region *regions;
  const float *x;
  float *y;
  char *scratch;
} job;

static pelton_status round_regions(const state *s, const float *rois, region *out, pelton_diag *diag) {
  pn_call call = {.attrs = s->attrs, .diag = diag};
  for (int64_t i = 0; i < s->regions; i++, rois += 5) {
    region *r = &out[i];
    PN_TRY(pn_index_resolve(diag, "max_roi_pool", pn_i64_from_f64((double)rois[0]), s->batch, &r->picture));
    PN_TRY(pn_roi_span_round(&call, (double)rois[1], (double)rois[3], &r->x));
    PN_TRY(pn_roi_span_round(&call, (double)rois[2], (double)rois[4], &r->y));
  }
  return PELTON_OK;
}

/* The greatest of |n| elements, NaN when one is; 0 when there are none. */
static float greatest_of(const float *x, int64_t n) {
  float most = n > 0 ? x[0] : 0;
  for (int64_t i = 1; i < n; i++) most = x[i] > most || x[i] != x[i] ? x[i] : most;
  return most;
}

/* One channel; |columns| count from |left|, and the region is |width| elements wide. */
static void pool_plane(const state *s, const cell_edges *rows, const cell_edges *columns, int64_t left, int64_t width,
                       const float *plane, float *joined, float *y) {
  for (int64_t i = 0; i < s->rows; i++, y += s->columns) {
    bool some = rows[i].first < rows[i].end && width > 0;
    const float *from = some ? plane + rows[i].first * s->width + left : plane;
    for (int64_t k = rows[i].first + 1; k < rows[i].end && some; k++, from = joined)
      s->vec->binary[PN_CPU_BINARY_max][PN_CPU_RUN_RUN]((size_t)width, from, plane + k * s->width + left, joined);
    for (int64_t k = 0; k < s->columns; k++)
      y[k] = some ? greatest_of(from + columns[k].first, columns[k].end - columns[k].first) : 0;
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end, last = -1, left = 0, right = 0;
  char *own = j->scratch + thread * s->scratch_bytes;
  cell_edges *rows = (cell_edges *)(void *)own, *columns = rows + s->rows;
  float *joined = (float *)(void *)(own + s->edges_bytes);
  pn_cpu_share(s->regions * s->channels, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t index = unit / s->channels;
    const region *r = &j->regions[index];
    if (index != last) {
      for (int64_t i = 0; i < s->rows; i++)
        pn_roi_span_touch(r->y, i, s->rows, s->height, &rows[i].first, &rows[i].end);
      for (int64_t i = 0; i < s->columns; i++)
        pn_roi_span_touch(r->x, i, s->columns, s->width, &columns[i].first, &columns[i].end);
      left = columns[0].first;
      right = columns[s->columns - 1].end;
      for (int64_t i = 0; i < s->columns; i++) columns[i].first -= left, columns[i].end -= left;
      last = index;
    }
    const float *plane = j->x + (r->picture * s->channels + unit % s->channels) * s->height * s->width;
    pool_plane(s, rows, columns, left, right - left, plane, joined, j->y + unit * s->rows * s->columns);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  region *regions = step->workspace;
  PN_TRY(round_regions(s, step->operands[node->inputs[1]], regions, diag));
  job j = {s, regions, step->operands[node->inputs[0]], step->operands[node->outputs[0]],
           (char *)step->workspace + regions_bytes(s)};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_max_roi_pool = {
    .name = "cpu.max_roi_pool",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
