/* The greatest elements of a region's cells, in f32. For a row of cells the rows of the plane that it touches are joined
   first, as vectors along the region's width; then each cell joins its columns of that one row, by permutation
   (sample_f32). Which rows and columns those are is the same for all channels. Regions come from data: all are checked
   before the first is read. */
#include "base/bytes.h"
#include "op/operand.h"
#include "op/picture/roi.h"
#include "targets/cpu/cpu.h"
#include "targets/cpu/resize_row.h"

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_sample_f32 *sample;
  const pn_attrs_max_roi_pool *attrs;
  int64_t batch, channels, height, width, regions, rows, columns; /* the last two: of cells */
  uint32_t parts;
  size_t scratch_bytes; /* a thread */
} state;

typedef struct region {
  int64_t picture;
  pn_roi_span y, x;
} region;

/* Elements [first, end). */
typedef struct cell_edges {
  int64_t first, end;
} cell_edges;

/* What one region is pooled with, in a thread's scratch. */
typedef struct pool_scratch {
  cell_edges *rows, *columns; /* of each cell */
  int64_t *index;             /* [columns][taps] */
  void *row;                  /* the table of a row of cells */
  float *joined;              /* a row of the region, and a zero behind it */
} pool_scratch;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_MAX_ROI_POOL, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(&p->operands[i])) return pn_refuse(why, "an empty operand");
  }
  return true;
}

/* Cuts |memory| into |out|; returns how many bytes that takes. */
static size_t scratch_in(const state *s, char *memory, pool_scratch *out) {
  size_t columns = (size_t)s->columns, width = (size_t)s->width, bytes = 0;
  const size_t parts[5] = {(size_t)s->rows * sizeof(cell_edges), columns * sizeof(cell_edges),
                           columns * width * sizeof(int64_t), pn_cpu_resize_row_bytes(s->columns, s->width),
                           (width + 1) * sizeof(float)};
  void *at[5];
  for (int i = 0; i < 5; i++) {
    at[i] = memory ? memory + bytes : NULL;
    bytes += pn_align_up(parts[i], 64);
  }
  if (out) *out = (pool_scratch){at[0], at[1], at[2], at[3], at[4]};
  return bytes;
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  s->vec = device->vec;
  s->sample = pn_cpu_sample_f32_best(device->isa);
  s->attrs = p->nodes[0].attrs;
  s->batch = x->dims[0];
  s->channels = x->dims[1];
  s->height = x->dims[2];
  s->width = x->dims[3];
  s->regions = y->dims[0];
  s->rows = y->dims[2];
  s->columns = y->dims[3];
  s->scratch_bytes = scratch_in(s, NULL, NULL);
  s->parts = pn_cpu_parts(device, s->regions * s->channels, 16.0 * (double)pn_operand_bytes(y));
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  double cells = (double)pn_operand_elements(pn_problem_output(p, 0, 0));
  (void)config;
  return pn_cpu_estimate(device, 10 * cells, pn_cpu_operand_bytes(p), 0.1);
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

/* The cells of a region, and the table that takes them out of its columns [left, left + width): a cell with fewer
   columns than others takes its last again, one without any the zero behind the region. */
static pn_cpu_resize_row cells_of(const state *s, const region *r, const pool_scratch *a, int64_t *left,
                                  int64_t *width) {
  int64_t taps = 1;
  for (int64_t i = 0; i < s->rows; i++)
    pn_roi_span_touch(r->y, i, s->rows, s->height, &a->rows[i].first, &a->rows[i].end);
  for (int64_t i = 0; i < s->columns; i++) {
    pn_roi_span_touch(r->x, i, s->columns, s->width, &a->columns[i].first, &a->columns[i].end);
    taps = pn_max_i64(taps, a->columns[i].end - a->columns[i].first);
  }
  *left = a->columns[0].first;
  *width = a->columns[s->columns - 1].end - *left;
  for (int64_t i = 0; i < s->columns; i++) {
    cell_edges own = a->columns[i];
    for (int64_t t = 0; t < taps; t++)
      a->index[i * taps + t] = own.first < own.end ? pn_min_i64(own.first + t, own.end - 1) - *left : *width;
  }
  return pn_cpu_resize_row_make(s->sample, s->columns, *width + 1, taps, a->index, NULL, a->row);
}

/* One channel. */
static void pool_plane(const state *s, const pool_scratch *a, const pn_cpu_resize_row *cells, int64_t left,
                       int64_t width, const float *plane, float *y) {
  for (int64_t i = 0; i < s->rows; i++, y += s->columns) {
    const float *from = plane + left;
    if (a->rows[i].first >= a->rows[i].end || !width) {
      s->vec->fill((size_t)s->columns, 0, y);
      continue;
    }
    from += a->rows[i].first * s->width;
    if (a->rows[i].first + 1 == a->rows[i].end) memcpy(a->joined, from, (size_t)width * sizeof(float));
    for (int64_t k = a->rows[i].first + 1; k < a->rows[i].end; k++, from = a->joined)
      s->vec->binary[PN_CPU_BINARY_max][PN_CPU_RUN_RUN]((size_t)width, from, plane + k * s->width + left, a->joined);
    s->sample->greatest_row(cells, a->joined, y);
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end, last = -1, left = 0, width = 0;
  pn_cpu_resize_row cells = {0};
  pool_scratch a;
  (void)scratch_in(s, j->scratch + thread * s->scratch_bytes, &a);
  pn_cpu_share(s->regions * s->channels, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    const region *r = &j->regions[unit / s->channels];
    if (unit / s->channels != last) {
      cells = cells_of(s, r, &a, &left, &width);
      a.joined[width] = 0;
      last = unit / s->channels;
    }
    const float *plane = j->x + (r->picture * s->channels + unit % s->channels) * s->height * s->width;
    pool_plane(s, &a, &cells, left, width, plane, j->y + unit * s->rows * s->columns);
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
