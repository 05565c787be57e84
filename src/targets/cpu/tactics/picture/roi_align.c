/* Regions of a feature map brought to one size by samples between its elements, in f32. Regions come from data, so all
   of them are checked before the first is read; what follows from one is the same for all channels.

   Averages separate: which rows a row of cells takes, and how much of each, does not hang on the column. So the plane's
   rows are summed first, across the region's width only, and each cell takes its columns of that one row, by
   permutation (sample_f32). Samples of a cell that meet the same row or column become one share of it, so that a
   thousand samples cost what the elements under them do.

   The greatest sample does not separate: there a table holds the four neighbours of each sample, and many samples go
   through tables of a few at a time, joined in the result. */
#include "base/bytes.h"
#include "op/operand.h"
#include "op/picture/roi.h"
#include "targets/cpu/cpu.h"
#include "targets/cpu/resize_row.h"

#include <math.h>

enum { CELLS = 64, SAMPLES = 8, NEIGHBOURS = 4, TAPS = SAMPLES * NEIGHBOURS };

typedef struct state {
  const pn_cpu_sample_f32 *sample;
  const pn_cpu_vec_f32 *vec;
  const pn_attrs_roi_align *attrs;
  pelton_dtype batch_dtype;
  int64_t batch, channels, height, width, regions, cells;
  int64_t channels_a_task, tasks;
  size_t scratch_bytes; /* a thread */
} state;

typedef struct region {
  int64_t picture;
  pn_roi_axis y, x;
} region;

typedef struct scratch_tables {
  int32_t index[TAPS * CELLS];
  float weight[TAPS * CELLS];
} scratch_tables;

/* What the averages of one region are made with, in a thread's scratch: of each row of cells the plane's rows
   [first, first + count) with their weights; the columns of a row of cells, as a table. */
typedef struct cell_rows {
  int64_t first, count;
} cell_rows;
typedef struct average_scratch {
  cell_rows *rows;          /* of a cell each */
  float *row_weights;       /* [cells][height] */
  const float **row_starts; /* [height] */
  cell_rows *columns;
  float *column_weights, *packed_weights; /* [cells][width] */
  int64_t *packed_index;
  void *row;     /* the table */
  float *joined; /* a row of the plane, and a zero behind it */
} average_scratch;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_ROI_ALIGN, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(&p->operands[i])) return pn_refuse(why, "an empty operand");
  }
  return x->dims[2] * x->dims[3] <= INT32_MAX / 2 || pn_refuse(why, "a plane too large");
}

/* Cuts |memory| into |out|; returns how many bytes that takes. */
static size_t average_bytes(const state *s, char *memory, average_scratch *out) {
  size_t rows = (size_t)s->attrs->output_height, columns = (size_t)s->attrs->output_width;
  size_t height = (size_t)s->height, width = (size_t)s->width, bytes = 0;
  const size_t parts[9] = {rows * sizeof(cell_rows),
                           rows * height * sizeof(float),
                           height * sizeof(float *),
                           columns * sizeof(cell_rows),
                           columns * width * sizeof(float),
                           columns * width * sizeof(float),
                           columns * width * sizeof(int64_t),
                           pn_cpu_resize_row_bytes(s->attrs->output_width, s->width),
                           (width + 1) * sizeof(float)};
  void *at[9];
  for (int i = 0; i < 9; i++) {
    at[i] = memory ? memory + bytes : NULL;
    bytes += pn_align_up(parts[i], 64);
  }
  if (out)
    *out = (average_scratch){at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8]};
  return bytes;
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  s->sample = pn_cpu_sample_f32_best(device->isa);
  s->vec = device->vec;
  s->attrs = p->nodes[0].attrs;
  s->batch_dtype = pn_problem_input(p, 0, 2)->dtype;
  s->batch = x->dims[0];
  s->channels = x->dims[1];
  s->height = x->dims[2];
  s->width = x->dims[3];
  s->regions = pn_problem_input(p, 0, 1)->dims[0];
  s->cells = s->attrs->output_height * s->attrs->output_width;
  int64_t shares = 1; /* of the channels: few regions are shared by channels as well */
  if (device->threads > 1) shares = pn_min_i64(s->channels, pn_div_up(4 * (int64_t)device->threads, s->regions));
  s->channels_a_task = pn_div_up(s->channels, shares);
  s->tasks = s->regions * pn_div_up(s->channels, s->channels_a_task);
  s->scratch_bytes = s->attrs->mode == PN_ROI_MAX ? sizeof(scratch_tables) : average_bytes(s, NULL, NULL);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  double ratio = (double)s.attrs->sampling_ratio, samples = ratio > 0 ? ratio * ratio : 4;
  double cells = (double)(s.regions * s.cells) * samples;
  /* Cycles, measured on Zen 4. */
  double cycles = cells * (60 + 1.3 * NEIGHBOURS * (double)s.channels);
  if (s.attrs->mode == PN_ROI_AVERAGE)
    cycles = (double)(s.regions * s.attrs->output_height * s.channels) * (40 + sqrt(samples) * (double)s.attrs->output_width);
  return pn_cpu_estimate(device, cycles * s.sample->lanes, pn_cpu_operand_bytes(p), 1);
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

static pelton_status place_regions(const state *s, const float *rois, const void *batches, region *out,
                                   pelton_diag *diag) {
  pn_call call = {.attrs = s->attrs, .diag = diag};
  const pn_tensor pictures = {.dtype = s->batch_dtype, .rank = 1, .dims = {s->regions}, .data = (void *)(uintptr_t)batches};
  for (int64_t i = 0; i < s->regions; i++, rois += 4) {
    region *r = &out[i];
    PN_TRY(pn_index_resolve(diag, "roi_align", pn_tensor_get_i64(&pictures, i), s->batch, &r->picture));
    PN_TRY(pn_roi_axis_place(&call, (double)rois[0], (double)rois[2], s->attrs->output_width, s->width, &r->x));
    PN_TRY(pn_roi_axis_place(&call, (double)rois[1], (double)rois[3], s->attrs->output_height, s->height, &r->y));
  }
  return PELTON_OK;
}

/* ---- averages ---------------------------------------------------------------------------------------------------- */

/* What each cell takes of the elements along one axis: |out| has its elements, |weights| (|pitch| a cell) how much of
   each. */
static void share_axis(const pn_roi_axis *axis, int64_t cells, int64_t pitch, cell_rows *out, float *weights) {
  for (int64_t i = 0; i < cells; i++, weights += pitch) {
    int64_t at[2], least = axis->extent, most = -1;
    double upper;
    for (int64_t k = 0; k < axis->samples; k++) {
      if (!pn_roi_sample(axis, i, k, at, &upper)) continue;
      least = pn_min_i64(least, at[0]);
      most = pn_max_i64(most, at[1]);
    }
    out[i] = (cell_rows){least, pn_max_i64(most - least + 1, 0)};
    for (int64_t k = 0; k < out[i].count; k++) weights[k] = 0;
    for (int64_t k = 0; k < axis->samples; k++) {
      if (!pn_roi_sample(axis, i, k, at, &upper)) continue;
      weights[at[0] - least] += (float)((1 - upper) / (double)axis->samples);
      weights[at[1] - least] += (float)(upper / (double)axis->samples);
    }
  }
}

/* The region's columns [left, left + width) and the table that takes its cells' columns out of them. A cell with fewer
   than others takes its last in halves, so that nothing is read that is not its own; one that lies outside takes the
   zero behind the last. */
static pn_cpu_resize_row columns_of(const state *s, const average_scratch *a, int64_t *left, int64_t *width) {
  int64_t cells = s->attrs->output_width, taps = 1, least = s->width, end = 0;
  for (int64_t i = 0; i < cells; i++) {
    if (!a->columns[i].count) continue;
    taps = pn_max_i64(taps, a->columns[i].count);
    least = pn_min_i64(least, a->columns[i].first);
    end = pn_max_i64(end, a->columns[i].first + a->columns[i].count);
  }
  *left = least;
  *width = pn_max_i64(end - least, 0);
  for (int64_t i = 0; i < cells; i++) {
    cell_rows own = a->columns[i];
    int64_t *index = a->packed_index + i * taps;
    float *weight = a->packed_weights + i * taps;
    for (int64_t t = 0; t < taps; t++) {
      index[t] = own.count ? own.first - least + pn_min_i64(t, own.count - 1) : *width;
      weight[t] = t < own.count ? a->column_weights[i * s->width + t] : 0;
      if (t >= own.count && own.count) weight[t] = weight[t - 1] *= 0.5f;
    }
  }
  return pn_cpu_resize_row_make(s->sample, cells, *width + 1, taps, a->packed_index, a->packed_weights, a->row);
}

static void average_region(const job *j, int64_t index, int64_t channel, int64_t channels, char *scratch) {
  const state *s = j->s;
  const region *r = &j->regions[index];
  int64_t plane = s->height * s->width, rows = s->attrs->output_height, left, width;
  float *y = j->y + (index * s->channels + channel) * s->cells;
  average_scratch a;
  (void)average_bytes(s, scratch, &a);
  share_axis(&r->y, rows, s->height, a.rows, a.row_weights);
  share_axis(&r->x, s->attrs->output_width, s->width, a.columns, a.column_weights);
  pn_cpu_resize_row row = columns_of(s, &a, &left, &width);
  a.joined[width] = 0;
  for (int64_t c = 0; c < channels; c++) {
    const float *from = j->x + (r->picture * s->channels + channel + c) * plane;
    for (int64_t i = 0; i < rows; i++, y += s->attrs->output_width) {
      if (!width || !a.rows[i].count) {
        s->vec->fill((size_t)s->attrs->output_width, 0, y);
        continue;
      }
      for (int64_t k = 0; k < a.rows[i].count; k++)
        a.row_starts[k] = from + (a.rows[i].first + k) * s->width + left;
      s->vec->weighted_sum((size_t)width, (size_t)a.rows[i].count, a.row_starts, a.row_weights + i * s->height,
                           a.joined);
      s->sample->resize_row(&row, a.joined, y);
    }
  }
}

/* ---- the greatest ------------------------------------------------------------------------------------------------ */

/* Samples [first, last) of cells [begin, end): the table's taps and results. */
static void fill_table(const state *s, const region *r, int64_t begin, int64_t end, int64_t first, int64_t last,
                       scratch_tables *t) {
  for (int64_t k = first; k < last; k++)
    for (int64_t i = begin; i < begin + CELLS; i++) {
      int64_t entry = (k - first) * NEIGHBOURS * CELLS + i - begin, y[2] = {0}, x[2] = {0};
      double b = 0, c = 0;
      bool inside = i < end &&
                    pn_roi_sample(&r->y, i / s->attrs->output_width, k / r->x.samples, y, &b) &&
                    pn_roi_sample(&r->x, i % s->attrs->output_width, k % r->x.samples, x, &c);
      for (int n = 0; n < NEIGHBOURS; n++, entry += CELLS) {
        double weight = (n & 2 ? b : 1 - b) * (n & 1 ? c : 1 - c);
        t->index[entry] = inside ? (int32_t)(y[n >> 1] * s->width + x[n & 1]) : -1;
        t->weight[entry] = inside ? (float)weight : 0;
      }
    }
}

static void greatest_of_region(const job *j, int64_t index, int64_t channel, int64_t channels, scratch_tables *t) {
  const state *s = j->s;
  const region *r = &j->regions[index];
  int64_t samples = r->y.samples * r->x.samples, plane = s->height * s->width;
  const float *x = j->x + (r->picture * s->channels + channel) * plane;
  float *y = j->y + (index * s->channels + channel) * s->cells;
  if (!samples) s->vec->fill((size_t)(channels * s->cells), 0, y);
  for (int64_t begin = 0; begin < s->cells && samples; begin += CELLS) {
    int64_t end = pn_min_i64(begin + CELLS, s->cells);
    for (int64_t first = 0; first < samples; first += SAMPLES) {
      int64_t last = pn_min_i64(first + SAMPLES, samples);
      fill_table(s, r, begin, end, first, last, t);
      pn_cpu_sample_table table = {(size_t)(end - begin), (size_t)((last - first) * NEIGHBOURS), CELLS, t->index,
                                   t->weight};
      for (int64_t c = 0; c < channels; c++)
        s->sample->greatest(&table, x + c * plane, first > 0, y + c * s->cells + begin);
    }
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t shares = s->tasks / s->regions, channel = part % shares * s->channels_a_task;
  int64_t channels = pn_min_i64(s->channels_a_task, s->channels - channel);
  char *scratch = j->scratch + thread * s->scratch_bytes;
  if (s->attrs->mode == PN_ROI_MAX)
    greatest_of_region(j, part / shares, channel, channels, (scratch_tables *)(void *)scratch);
  else
    average_region(j, part / shares, channel, channels, scratch);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  region *regions = step->workspace;
  PN_TRY(place_regions(s, step->operands[node->inputs[1]], step->operands[node->inputs[2]], regions, diag));
  job j = {s, regions, step->operands[node->inputs[0]], step->operands[node->outputs[0]],
           (char *)step->workspace + regions_bytes(s)};
  pn_pool_run(stream->device->pool, (uint32_t)s->tasks, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_roi_align = {
    .name = "cpu.roi_align",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
