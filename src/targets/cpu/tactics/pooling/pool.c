/* Pooling in f32, over any number of spatial axes: the greatest, the average, the p-norm for p 1 or 2.

   Channels-last: a row of the output is a run of pixels whose windows lie inside of the input, done by the window
   kernel a vector of channels at a time, and a few pixels at both ends whose windows are cut. Plain: the rows of the
   window are joined first, a vector of columns at a time, into one row of the input's width, between the pads; then the
   window slides along it. A window that is the whole plane is one reduction. */
#include "base/bytes.h"
#include "targets/cpu/pooling.h"

#include <math.h>

enum { ROWS_AT_ONCE = 8 };

typedef struct state {
  pn_cpu_pooling pooling;
  const pn_cpu_pool_f32 *kernels;
  const pn_cpu_reduce_f32 *reduce;
  const pn_cpu_vec_f32 *vec;
  pn_cpu_pool_join kind;
  bool average, root, channels_last, whole; /* root: of what was added up; whole: the window is the plane */
  int64_t planes, channels;                 /* channels-last: pictures, and their channels; plain: planes, 1 */
  uint32_t parts;
  size_t row_floats, scratch_floats; /* plain: a joined row; a thread's, and how many taps are counted in a row */
} state;

/* One channel lies as it does in plain layout. */
static bool by_pixels(const pn_operand *x) { return x->layout == PN_LAYOUT_CHANNELS_LAST && x->dims[1] != 1; }

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_cpu_pooling_accepts(p, why)) return false;
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  if (pn_problem_output(p, 0, 1)) return pn_refuse(why, "gives no indices");
  if (attrs->kind != PN_POOL_LP) return true;
  if (attrs->p > 2) return pn_refuse(why, "powers 1 and 2 only");
  const pn_operand *x = pn_problem_input(p, 0, 0);
  return !by_pixels(x) || pn_refuse(why, "norms in plain layout only");
}

/* Every element of a plane is in its one window. */
static bool window_is_plane(const pn_problem *p) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (by_pixels(x) || (attrs->kind == PN_POOL_LP && attrs->p == 1)) return false;
  for (uint32_t i = 0; i < attrs->pads.count; i++)
    if (attrs->pads.data[i]) return false;
  for (uint32_t i = 0; i < attrs->kernel.count; i++)
    if (y->dims[i + 2] != 1 || x->dims[i + 2] != attrs->kernel.data[i]) return false;
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  double outputs = (double)pn_operand_elements(y), rows = 1;
  uint32_t last = attrs->kernel.count - 1;
  (void)config;
  for (uint32_t i = 0; i < last; i++) rows *= (double)attrs->kernel.data[i];
  double taps = (double)attrs->kernel.data[last];
  if (by_pixels(x))
    return pn_cpu_estimate(device, outputs * rows * taps, pn_cpu_operand_bytes(p), 0.3);
  if (window_is_plane(p)) return pn_cpu_estimate(device, (double)pn_operand_elements(x), pn_cpu_operand_bytes(p), 0.3);
  int64_t stride = attrs->strides.count ? attrs->strides.data[last] : 1;
  double width = (double)pn_max_i64(y->dims[last + 2], 1), input = (double)x->dims[last + 2];
  double row = rows * (input + 12) + (width + 12) * taps * (stride <= 2 ? 2 : 8) + 100; /* elements it costs as much as */
  return pn_cpu_estimate(device, outputs / width * row, pn_cpu_operand_bytes(p), 0.2);
}

/* What the joined row needs: itself between its pads, and what a slide may read beyond. */
static size_t row_floats(const pn_window *w) {
  int64_t outputs = (int64_t)pn_align_up((size_t)w->output, PN_CPU_SLIDE_ROOM);
  int64_t slide = outputs * w->stride + pn_window_span(w), row = w->pad_begin + w->input;
  return pn_align_up((size_t)pn_max_i64(slide, row), 16);
}

static pelton_status fill(const pn_problem *p, const pn_device *device, state *s, pelton_diag *diag) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  PN_TRY(pn_cpu_pooling_init(p, &s->pooling, diag));
  s->kernels = pn_cpu_pool_f32_best(device->isa);
  s->reduce = device->reduce;
  s->vec = device->vec;
  s->average = attrs->kind == PN_POOL_AVERAGE;
  s->root = attrs->kind == PN_POOL_LP && attrs->p == 2;
  s->kind = attrs->kind == PN_POOL_MAX ? PN_CPU_POOL_MAX
            : s->average               ? PN_CPU_POOL_SUM
            : s->root                  ? PN_CPU_POOL_SUM_SQUARES
                                       : PN_CPU_POOL_SUM_ABS;
  s->channels_last = by_pixels(x);
  s->channels = s->channels_last ? x->dims[1] : 1;
  s->planes = x->dims[0] * (s->channels_last ? 1 : x->dims[1]);
  s->whole = window_is_plane(p);
  const pn_window *w = pn_cpu_pooling_row(&s->pooling);
  s->row_floats = s->channels_last || s->whole ? 0 : row_floats(w);
  if (s->row_floats) s->scratch_floats = ROWS_AT_ONCE * s->row_floats + pn_align_up((size_t)w->output, 16);
  s->parts = pn_cpu_parts(device, s->planes * s->pooling.out_rows, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  out->state_bytes = sizeof(state);
  if (!fill(p, device, &s, NULL)) out->workspace_bytes = s.scratch_floats * sizeof(float) * device->threads;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  return fill(p, device, memory, diag);
}

/* ---- channels-last ----------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const float *x;
  float *y, *scratch;
} job;

static float scale_of(int64_t count) { return count > 0 ? 1.0f / (float)count : 0; }

/* Outputs [begin, end) of a row, whose windows all have the same columns of the row, from those of the first one on. */
static void pixels(const state *s, const float *const *starts, int64_t row_count, int64_t counted_rows, int64_t begin,
                   int64_t end, float *out) {
  const pn_window *w = pn_cpu_pooling_row(&s->pooling);
  const float *rows[PN_POOLING_MAX_ROWS];
  int64_t first, last, c = s->channels;
  pn_window_taps(w, begin, &first, &last);
  int64_t column = begin * w->stride - w->pad_begin + first * w->dilation;
  if (first == last) column = 0;
  for (int64_t i = 0; i < row_count; i++) rows[i] = starts[i] + column * c;
  pn_cpu_window_f32 window = {.rows = rows,
                              .row_count = (size_t)row_count,
                              .column_count = (size_t)(last - first),
                              .column_stride = w->dilation * c,
                              .pixel_stride = w->stride * c,
                              .out = out + begin * c,
                              .out_stride = c,
                              .width = (size_t)(end - begin),
                              .channels = (size_t)c};
  if (s->average)
    s->kernels->average(&window, scale_of(counted_rows * pn_cpu_pooling_counted(&s->pooling, begin)));
  else
    s->kernels->max(&window);
}

static void pixel_row(const state *s, const float *const *rows, int64_t row_count, int64_t counted_rows, float *out) {
  const pn_cpu_pooling *p = &s->pooling;
  int64_t i = 0, outputs = pn_cpu_pooling_row(p)->output;
  for (; i < p->inside_begin; i++) pixels(s, rows, row_count, counted_rows, i, i + 1, out);
  if (i < p->inside_end) pixels(s, rows, row_count, counted_rows, i, p->inside_end, out);
  for (i = pn_max_i64(i, p->inside_end); i < outputs; i++) pixels(s, rows, row_count, counted_rows, i, i + 1, out);
}

/* ---- plain ------------------------------------------------------------------------------------------------------- */

/* Averages [begin, end), whose windows are cut at the row's ends; |counts| an output. */
static void cut_averages(const state *s, const float *padded, const float *counts, int64_t counted_rows, int64_t begin,
                         int64_t end, float *out) {
  const pn_window *w = pn_cpu_pooling_row(&s->pooling);
  for (int64_t i = begin; i < end; i++) {
    float sum = 0, count = (float)counted_rows * counts[i];
    for (int64_t t = 0; t < w->kernel; t++) sum += padded[i * w->stride + t * w->dilation];
    out[i] = count > 0 ? sum / count : 0;
  }
}

/* Row |row| of the outputs, whose windows' rows are joined in |padded|; its pads hold what changes nothing. */
static void slide(const state *s, const float *padded, const float *counts, int64_t row, float *out) {
  const pn_cpu_pooling *p = &s->pooling;
  const pn_window *w = pn_cpu_pooling_row(p);
  size_t taps = (size_t)w->kernel, n = (size_t)w->output;
  if (s->kind == PN_CPU_POOL_MAX) {
    s->kernels->slide_max(padded, w->stride, w->dilation, taps, n, out);
    return;
  }
  int64_t counted_rows = s->average ? pn_cpu_pooling_counted_rows(p, row) : 1;
  s->kernels->slide_sum(padded, w->stride, w->dilation, taps, n, s->average ? scale_of(counted_rows * w->kernel) : 1,
                        out);
  if (s->average && p->inside_end - p->inside_begin != w->output) {
    cut_averages(s, padded, counts, counted_rows, 0, pn_min_i64(p->inside_begin, w->output), out);
    cut_averages(s, padded, counts, counted_rows, pn_max_i64(p->inside_begin, p->inside_end), w->output, out);
  }
  if (s->root) s->vec->unary[PN_CPU_UNARY_sqrt](n, out, NULL, out);
}

/* The rows of the input under the windows of output row |row|; how many. */
static int64_t rows_under(const job *j, int64_t plane, int64_t row, const float **rows) {
  const pn_cpu_pooling *p = &j->s->pooling;
  int64_t at[PN_POOLING_MAX_ROWS], count = pn_cpu_pooling_rows(p, row, at);
  int64_t floats = pn_cpu_pooling_row(p)->input * j->s->channels;
  for (int64_t i = 0; i < count; i++) rows[i] = j->x + (plane * p->in_rows + at[i]) * floats;
  return count;
}

/* Output rows [begin, end) of all planes. A window that slides reads across what was just stored, which stalls: so some
   rows are joined before the first slides. */
static void plain_rows(const job *j, int64_t begin, int64_t end, float *scratch) {
  const state *s = j->s;
  const pn_window *w = pn_cpu_pooling_row(&s->pooling);
  const float *rows[PN_POOLING_MAX_ROWS];
  float *counts = scratch + ROWS_AT_ONCE * s->row_floats;
  int64_t of_plane = s->pooling.out_rows, plane = begin / of_plane, row = begin % of_plane;
  s->vec->fill(ROWS_AT_ONCE * s->row_floats, s->kind == PN_CPU_POOL_MAX ? -(float)INFINITY : 0, scratch);
  for (int64_t i = 0; s->average && i < w->output; i++) counts[i] = (float)pn_cpu_pooling_counted(&s->pooling, i);
  for (int64_t from = begin; from < end; from += ROWS_AT_ONCE) {
    int64_t n = pn_min_i64(ROWS_AT_ONCE, end - from), first = row;
    for (int64_t i = 0; i < n; i++) {
      size_t count = (size_t)rows_under(j, plane, row, rows);
      s->kernels->join[s->kind](rows, count, (size_t)w->input, scratch + (size_t)i * s->row_floats + w->pad_begin);
      if (++row == of_plane) row = 0, plane++;
    }
    for (int64_t i = 0; i < n; i++) {
      slide(s, scratch + (size_t)i * s->row_floats, counts, first, j->y + (from + i) * w->output);
      if (++first == of_plane) first = 0;
    }
  }
}

static void pixel_rows(const job *j, int64_t begin, int64_t end) {
  const state *s = j->s;
  const float *rows[PN_POOLING_MAX_ROWS];
  int64_t of_plane = s->pooling.out_rows, floats = pn_cpu_pooling_row(&s->pooling)->output * s->channels;
  for (int64_t i = begin; i < end; i++) {
    int64_t count = rows_under(j, i / of_plane, i % of_plane, rows);
    int64_t counted_rows = s->average ? pn_cpu_pooling_counted_rows(&s->pooling, i % of_plane) : 1;
    pixel_row(s, rows, count, counted_rows, j->y + i * floats);
  }
}

static void whole_planes(const job *j, int64_t begin, int64_t end) {
  const state *s = j->s;
  int64_t floats = s->pooling.in_rows * pn_cpu_pooling_row(&s->pooling)->input;
  const float *x = j->x + begin * floats;
  for (int64_t i = begin; i < end; i++, x += floats)
    if (s->kind == PN_CPU_POOL_MAX)
      j->y[i] = s->reduce->max((size_t)floats, x);
    else if (s->root)
      j->y[i] = sqrtf(s->reduce->sum_squares((size_t)floats, x));
    else
      j->y[i] = s->reduce->sum((size_t)floats, x) * scale_of(floats);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t begin, end;
  pn_cpu_share(s->planes * s->pooling.out_rows, 1, part, s->parts, &begin, &end);
  if (s->whole)
    whole_planes(j, begin, end);
  else if (s->channels_last)
    pixel_rows(j, begin, end);
  else
    plain_rows(j, begin, end, j->scratch + thread * s->scratch_floats);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->outputs[0]], step->workspace};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_pool = {
    .name = "cpu.pool",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
