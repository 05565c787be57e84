/* Maximum and average pooling in f32, over one or two spatial axes.

   Channels-last: a row of the output is a run of pixels whose windows lie inside of the input, done by the window
   kernel a vector of channels at a time, and a few pixels at both ends whose windows are cut. Plain: the rows of the
   window are joined first, a vector of columns at a time, into one row of the input's width; then each output joins its
   columns. */
#include "base/bytes.h"
#include "op/linear/window.h"
#include "targets/cpu/cpu.h"

#include <math.h>

enum { MAX_KERNEL_ROWS = 256 };

typedef struct state {
  const pn_cpu_pool_f32 *kernels;
  bool max, count_include_pad, channels_last;
  pn_window h, w;
  int64_t planes, channels;         /* channels-last: pictures, and their channels; plain: planes of one channel */
  int64_t inside_begin, inside_end; /* outputs of a row whose windows are whole in x */
  uint32_t parts;
  size_t scratch_floats; /* a thread */
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (p->nodes[0].op != PN_OP_POOL || p->node_count != 1) return pn_refuse(why, "pools alone");
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (pn_problem_output(p, 0, 1)) return pn_refuse(why, "gives no indices");
  if (!y || x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (attrs->kind != PN_POOL_MAX && attrs->kind != PN_POOL_AVERAGE) return pn_refuse(why, "maximum and average only");
  if (x->rank != 3 && x->rank != 4) return pn_refuse(why, "one or two spatial axes");
  if (x->rank == 4 && attrs->kernel.data[0] > MAX_KERNEL_ROWS)
    return pn_refuse(why, "more than %d rows of a window", MAX_KERNEL_ROWS);
  if (x->layout != y->layout) return pn_refuse(why, "wants one layout for operand and result");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *y = pn_problem_output(p, 0, 0);
  double taps = (double)pn_operand_elements(y);
  (void)config;
  for (uint32_t i = 0; i < attrs->kernel.count; i++) taps *= (double)attrs->kernel.data[i];
  return pn_cpu_estimate(device, taps, pn_cpu_operand_bytes(p), y->layout == PN_LAYOUT_CHANNELS_LAST ? 0.3 : 0.03);
}

static pelton_status fill(const pn_problem *p, const pn_device *device, state *s, pelton_diag *diag) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_window_spec spec = PN_WINDOW_SPEC_POOL(attrs);
  pn_window windows[2] = {{.input = 1, .kernel = 1, .stride = 1, .dilation = 1, .output = 1}};
  PN_TRY(pn_window_resolve(diag, "pool", &spec, x->rank - 2, x->dims + 2, attrs->kernel.data, windows + (4 - x->rank)));
  s->h = windows[0];
  s->w = windows[1];
  s->kernels = pn_cpu_pool_f32_best(device->isa);
  s->max = attrs->kind == PN_POOL_MAX;
  s->count_include_pad = attrs->count_include_pad;
  s->channels_last = x->layout == PN_LAYOUT_CHANNELS_LAST;
  s->channels = s->channels_last ? x->dims[1] : 1;
  s->planes = x->dims[0] * (s->channels_last ? 1 : x->dims[1]);
  s->scratch_floats = s->channels_last ? 0 : pn_align_up((size_t)s->w.input, 16);
  for (int64_t i = 0; i < s->w.output; i++) {
    int64_t first, end;
    pn_window_taps(&s->w, i, &first, &end);
    if (end - first != s->w.kernel) continue;
    if (s->inside_end == 0) s->inside_begin = i;
    s->inside_end = i + 1;
  }
  s->parts = pn_cpu_parts(device, s->planes * s->h.output, pn_cpu_operand_bytes(p));
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

/* ---- run --------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const float *x;
  float *y, *scratch;
} job;

/* Taps an average counts along one axis. */
static int64_t counted(const state *s, const pn_window *w, int64_t output) {
  pn_window padded = *w;
  int64_t first, end;
  if (s->count_include_pad) {
    padded.input += w->pad_begin + w->pad_end;
    padded.pad_begin = 0;
  }
  pn_window_taps(&padded, output, &first, &end);
  return end - first;
}

static float scale_of(int64_t count) { return count > 0 ? 1.0f / (float)count : 0; }

static void join(const state *s, const pn_cpu_window_f32 *window, float scale) {
  if (s->max)
    s->kernels->max(window);
  else
    s->kernels->average(window, scale);
}

/* Outputs [begin, end) of a row, whose windows all have |taps| columns from column |first| of the first one's on. */
static void pixels(const state *s, const float *const *row_starts, int64_t row_count, int64_t row_taps, int64_t begin,
                   int64_t end, float *out) {
  const float *rows[MAX_KERNEL_ROWS];
  int64_t first, last, c = s->channels;
  pn_window_taps(&s->w, begin, &first, &last);
  int64_t column = begin * s->w.stride - s->w.pad_begin + first * s->w.dilation;
  if (first == last) column = 0;
  for (int64_t i = 0; i < row_count; i++) rows[i] = row_starts[i] + column * c;
  pn_cpu_window_f32 window = {.rows = rows,
                              .row_count = (size_t)row_count,
                              .column_count = (size_t)(last - first),
                              .column_stride = s->w.dilation * c,
                              .pixel_stride = s->w.stride * c,
                              .out = out + begin * c,
                              .out_stride = c,
                              .width = (size_t)(end - begin),
                              .channels = (size_t)c};
  join(s, &window, scale_of(row_taps * counted(s, &s->w, begin)));
}

/* One output of a plain row from |joined|, the window's rows in one. */
static float column(const state *s, const float *joined, int64_t row_taps, int64_t i) {
  int64_t first, end;
  pn_window_taps(&s->w, i, &first, &end);
  const float *at = joined + (i * s->w.stride - s->w.pad_begin);
  float best = -(float)INFINITY, sum = 0;
  for (int64_t t = first; t < end; t++) {
    float v = at[t * s->w.dilation];
    best = v > best || v != v ? v : best;
    sum += v;
  }
  return s->max ? best : sum * scale_of(row_taps * counted(s, &s->w, i));
}

/* A plain row: whole windows tap by tap, the others one by one. */
static void columns(const state *s, const float *joined, int64_t row_taps, float *out) {
  int64_t begin = s->inside_begin, n = s->inside_end - begin, stride = s->w.stride;
  const float *at = joined + (begin * stride - s->w.pad_begin);
  float scale = scale_of(row_taps * s->w.kernel);
  for (int64_t i = 0; i < begin; i++) out[i] = column(s, joined, row_taps, i);
  for (int64_t i = begin + n; i < s->w.output; i++) out[i] = column(s, joined, row_taps, i);
  if (n <= 0) return;
  if (s->max)
    s->kernels->slide_max(at, stride, s->w.dilation, (size_t)s->w.kernel, (size_t)n, out + begin);
  else
    s->kernels->slide_sum(at, stride, s->w.dilation, (size_t)s->w.kernel, (size_t)n, scale, out + begin);
}

static void output_row(const job *j, int64_t plane, int64_t oy, float *scratch) {
  const state *s = j->s;
  const float *rows[MAX_KERNEL_ROWS];
  int64_t first, end, row_floats = s->w.input * s->channels, row_taps = counted(s, &s->h, oy);
  const float *x = j->x + plane * s->h.input * row_floats;
  float *out = j->y + (plane * s->h.output + oy) * s->w.output * s->channels;
  pn_window_taps(&s->h, oy, &first, &end);
  for (int64_t t = first; t < end; t++)
    rows[t - first] = x + (oy * s->h.stride - s->h.pad_begin + t * s->h.dilation) * row_floats;
  if (!s->channels_last) {
    pn_cpu_window_f32 window = {.rows = rows,
                                .row_count = (size_t)(end - first),
                                .column_count = 1,
                                .out = scratch,
                                .width = 1,
                                .channels = (size_t)s->w.input};
    if (end - first != 1) join(s, &window, 1);
    columns(s, end - first == 1 ? rows[0] : scratch, row_taps, out);
    return;
  }
  int64_t i = 0;
  for (; i < s->inside_begin; i++) pixels(s, rows, end - first, row_taps, i, i + 1, out);
  if (i < s->inside_end) pixels(s, rows, end - first, row_taps, i, s->inside_end, out);
  for (i = i < s->inside_end ? s->inside_end : i; i < s->w.output; i++)
    pixels(s, rows, end - first, row_taps, i, i + 1, out);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  int64_t row, end;
  pn_cpu_share(j->s->planes * j->s->h.output, 1, part, j->s->parts, &row, &end);
  for (; row < end; row++)
    output_row(j, row / j->s->h.output, row % j->s->h.output, j->scratch + thread * j->s->scratch_floats);
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
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
