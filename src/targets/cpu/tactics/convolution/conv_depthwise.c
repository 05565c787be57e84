/* Depthwise convolutions (each channel its own filter) in f32, channels-last: vectors run along the channels.

   Where the rows that a filter sees fit into the first cache for some of the channels, a task is these channels of a
   band of rows: it copies each input row once, with zeros at its ends, into a ring of its own. In place the pixels of
   many channels lie so that they share the sets of the first cache (512 channels: two sets), each row would come from
   the second one as often as the filter has rows, and a seventh of a row of 14 pixels are ends.

   Else a task is a few output rows. Filter rows that fall outside of the picture are left away; pixels at the left and
   right ends, where filter columns fall outside, are computed one by one with the columns that remain. */
#include "base/bytes.h"
#include "targets/cpu/convolution/conv.h"

enum {
  MAX_ROWS = 64,
  RING_BYTES = 20 * 1024, /* results and weights lie in the first cache as well */
  FEWEST_CHANNELS = 32    /* of a task: two lines of a pixel */
};

typedef struct state {
  const pn_cpu_dwconv_f32 *dwconv;
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  int64_t images, channels;
  pn_window y, x;
  int64_t inner_begin, inner_end; /* output columns that all filter columns reach */
  int64_t ring_columns, block_channels, blocks, band_rows, bands; /* block_channels is 0: in place */
  size_t weight_bytes, scratch_bytes;                             /* scratch_bytes: of a thread */
  float lo, hi;
  pn_epilogue epilogue;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  pn_window y, x;
  if (!pn_cpu_conv_accepts(p, &y, &x, why)) return false;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  if (w->dims[1] != 1 || w->dims[0] != in->dims[1]) return pn_refuse(why, "not depthwise");
  if (in->layout != PN_LAYOUT_CHANNELS_LAST) return pn_refuse(why, "wants channels_last");
  if (y.kernel > MAX_ROWS) return pn_refuse(why, "more than %d filter rows", MAX_ROWS);
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *w = pn_problem_input(p, 0, 1), *out = pn_problem_output(p, 0, 0);
  (void)config;
  double taps = (double)pn_operand_elements(w) / (double)w->dims[0];
  return pn_cpu_estimate(device, taps * (double)pn_operand_elements(out), pn_cpu_operand_bytes(p), 0.4);
}

/* The channels and rows of a task of the ring: by what the busiest thread has to do. */
static void choose_tasks(const pn_device *device, state *s) {
  int64_t span = pn_window_span(&s->y), height = s->y.output;
  s->ring_columns = (s->x.output - 1) * s->x.stride + pn_window_span(&s->x);
  int64_t most = RING_BYTES / (span * s->ring_columns * (int64_t)sizeof(float)) / 16 * 16;
  double best = __builtin_inf();
  s->block_channels = 0;
  if (s->channels < FEWEST_CHANNELS) return;
  most = pn_min_i64(most, (int64_t)pn_align_up((size_t)s->channels, 16));
  for (int64_t channels = most; channels >= FEWEST_CHANNELS; channels -= 16)
    for (int64_t rows = height; rows >= pn_min_i64(height, 4); rows = rows > 4 ? pn_max_i64(4, (rows + 1) / 2) : 0) {
      int64_t tasks = s->images * pn_div_up(s->channels, channels) * pn_div_up(height, rows);
      double in = (double)((rows - 1) * s->y.stride + span), out = (double)(rows * s->x.output);
      double cost = (double)channels * (out * (double)(s->y.kernel * s->x.kernel) + 3 * in * (double)s->ring_columns);
      cost *= (double)pn_div_up(tasks, device->threads);
      if (cost >= best) continue;
      best = cost;
      s->block_channels = channels;
      s->band_rows = rows;
    }
  if (!s->block_channels) return;
  s->blocks = pn_div_up(s->channels, s->block_channels);
  s->bands = pn_div_up(height, s->band_rows);
  s->scratch_bytes += pn_align_up((size_t)(span * s->ring_columns * s->block_channels) * sizeof(float), 64);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *in = pn_problem_input(p, 0, 0);
  (void)pn_cpu_conv_window(p, &s->y, &s->x); /* accepted before */
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  s->dwconv = pn_cpu_dwconv_f32_best(device->isa);
  s->gemm = device->gemm;
  s->vec = device->vec;
  s->images = in->dims[0];
  s->channels = in->dims[1];
  s->lo = s->epilogue.lo;
  s->hi = s->epilogue.hi;
  if (s->epilogue.residual != PN_NO_OPERAND) { /* the kernel adds no second matrix: the program does it */
    s->epilogue.native = false;
    s->epilogue.bias = s->epilogue.residual = PN_NO_OPERAND;
    s->lo = -__builtin_inff();
    s->hi = __builtin_inff();
  }
  s->weight_bytes = (size_t)(s->y.kernel * s->x.kernel * s->channels) * 4;
  s->inner_begin = pn_min_i64(s->x.output, pn_div_up(s->x.pad_begin, s->x.stride));
  int64_t last = s->x.input + s->x.pad_begin - pn_window_span(&s->x); /* the last start that stays inside */
  s->inner_end =
      last < 0 ? s->inner_begin : pn_max_i64(s->inner_begin, pn_min_i64(s->x.output, last / s->x.stride + 1));
  s->scratch_bytes = PN_PROGRAM_SCRATCH_BYTES;
  choose_tasks(device, s);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->packed_bytes = s.weight_bytes + (size_t)s.channels * 4;
  out->workspace_bytes = (size_t)device->threads * s.scratch_bytes;
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  (void)config;
  (void)diag;
  fill(p, device, &s);
  int64_t taps = s.y.kernel * s.x.kernel;
  const float *w = pn_problem_input(p, 0, 1)->data;
  float *to = packed, *bias = to + taps * s.channels;
  for (int64_t t = 0; t < taps; t++)
    for (int64_t c = 0; c < s.channels; c++) to[t * s.channels + c] = w[c * taps + t];
  for (int64_t c = 0; c < s.channels; c++) bias[c] = pn_cpu_conv_bias(p, &s.epilogue, c);
  return PELTON_OK;
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
  const pn_step *step;
  const float *in;
  float *out;
  uint32_t parts;
} job;

/* Output columns [begin, end) of one row, with filter columns [first, first + count). */
static void run_columns(const job *j, const float *const *rows, int64_t row_count, int64_t first_row, int64_t begin,
                        int64_t end, int64_t first, int64_t count, float *out) {
  const state *s = j->s;
  const float *weights = j->step->packed;
  const float *starts[MAX_ROWS];
  int64_t ix = begin * s->x.stride + first * s->x.dilation - s->x.pad_begin;
  for (int64_t i = 0; i < row_count; i++) starts[i] = rows[i] + ix * s->channels;
  pn_cpu_dwconv_f32_run run = {.window = {.rows = starts,
                                          .row_count = (size_t)row_count,
                                          .column_count = (size_t)count,
                                          .column_stride = s->x.dilation * s->channels,
                                          .pixel_stride = s->x.stride * s->channels,
                                          .out = out + begin * s->channels,
                                          .out_stride = s->channels,
                                          .width = (size_t)(end - begin),
                                          .channels = (size_t)s->channels},
                               .weights = weights + (first_row * s->x.kernel + first) * s->channels,
                               .weight_row_stride = s->x.kernel * s->channels,
                               .weight_column_stride = s->channels,
                               .bias = weights + s->weight_bytes / 4,
                               .lo = s->lo,
                               .hi = s->hi};
  s->dwconv->run(&run);
}

static void run_row(const job *j, int64_t image, int64_t y, float *scratch) {
  const state *s = j->s;
  const float *rows[MAX_ROWS];
  int64_t first, end, first_column, end_column, row = (image * s->y.output + y) * s->x.output;
  float *out = j->out + row * s->channels;
  pn_window_taps(&s->y, y, &first, &end);
  for (int64_t i = first; i < end; i++)
    rows[i - first] =
        j->in + (image * s->y.input + y * s->y.stride + i * s->y.dilation - s->y.pad_begin) * s->x.input * s->channels;
  for (int64_t x = 0; x < s->x.output; x++) {
    if (x == s->inner_begin && s->inner_end > x) {
      run_columns(j, rows, end - first, first, x, s->inner_end, 0, s->x.kernel, out);
      x = s->inner_end - 1;
      continue;
    }
    pn_window_taps(&s->x, x, &first_column, &end_column);
    run_columns(j, rows, end - first, first, x, x + 1, first_column, end_column - first_column, out);
  }
  pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, out, s->channels, row, s->x.output, 0, s->channels,
                    scratch);
}

static void task_in_place(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t begin, end;
  float *scratch = (float *)(void *)((char *)j->step->workspace + s->scratch_bytes * thread);
  pn_cpu_share(s->images * s->y.output, 1, index, j->parts, &begin, &end);
  for (int64_t i = begin; i < end; i++) run_row(j, i / s->y.output, i % s->y.output, scratch);
}

/* ---- through the ring -------------------------------------------------------------------------------------------- */

typedef struct block {
  const job *j;
  int64_t image, channel, channels; /* the first, and how many */
  float *ring, *scratch;
} block;

static float *ring_row(const block *b, int64_t y) {
  int64_t span = pn_window_span(&b->j->s->y);
  return b->ring + (y % span + span) % span * b->j->s->ring_columns * b->channels;
}

/* Row |y| of the input, or zeros for one outside of it. */
static void load_row(const block *b, int64_t y) {
  const state *s = b->j->s;
  float *to = ring_row(b, y);
  int64_t left = pn_min_i64(s->x.pad_begin, s->ring_columns);
  int64_t columns = pn_max_i64(0, pn_min_i64(s->x.input, s->ring_columns - left));
  int64_t right = s->ring_columns - left - columns;
  if (y < 0 || y >= s->y.input) {
    memset(to, 0, (size_t)(s->ring_columns * b->channels) * sizeof(float));
    return;
  }
  memset(to, 0, (size_t)(left * b->channels) * sizeof(float));
  to += left * b->channels;
  s->gemm->copy_rows(b->j->in + (b->image * s->y.input + y) * s->x.input * s->channels + b->channel, s->channels,
                     (size_t)columns, (size_t)b->channels, to, b->channels);
  memset(to + columns * b->channels, 0, (size_t)(right * b->channels) * sizeof(float));
}

static void compute_row(const block *b, int64_t y) {
  const state *s = b->j->s;
  const float *weights = b->j->step->packed, *rows[MAX_ROWS];
  int64_t row = (b->image * s->y.output + y) * s->x.output;
  float *out = b->j->out + row * s->channels + b->channel;
  for (int64_t i = 0; i < s->y.kernel; i++)
    rows[i] = ring_row(b, y * s->y.stride + i * s->y.dilation - s->y.pad_begin);
  pn_cpu_dwconv_f32_run run = {.window = {.rows = rows,
                                          .row_count = (size_t)s->y.kernel,
                                          .column_count = (size_t)s->x.kernel,
                                          .column_stride = s->x.dilation * b->channels,
                                          .pixel_stride = s->x.stride * b->channels,
                                          .out = out,
                                          .out_stride = s->channels,
                                          .width = (size_t)s->x.output,
                                          .channels = (size_t)b->channels},
                               .weights = weights + b->channel,
                               .weight_row_stride = s->x.kernel * s->channels,
                               .weight_column_stride = s->channels,
                               .bias = weights + s->weight_bytes / 4 + b->channel,
                               .lo = s->lo,
                               .hi = s->hi};
  s->dwconv->run(&run);
  pn_epilogue_apply(&s->epilogue, s->vec, b->j->step->operands, out, s->channels, row, s->x.output, b->channel,
                    b->channels, b->scratch);
}

static void task_ring(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  char *own = (char *)j->step->workspace + s->scratch_bytes * thread;
  int64_t band = index / s->blocks % s->bands, channel = index % s->blocks * s->block_channels;
  block b = {.j = j,
             .image = index / s->blocks / s->bands,
             .channel = channel,
             .channels = pn_min_i64(s->block_channels, s->channels - channel),
             .ring = (float *)(void *)(own + PN_PROGRAM_SCRATCH_BYTES),
             .scratch = (float *)(void *)own};
  int64_t loaded = INT64_MIN, end = pn_min_i64((band + 1) * s->band_rows, s->y.output);
  for (int64_t y = band * s->band_rows; y < end; y++) {
    int64_t first = y * s->y.stride - s->y.pad_begin, behind = first + pn_window_span(&s->y);
    for (int64_t i = pn_max_i64(first, loaded); i < behind; i++) load_row(&b, i);
    loaded = behind;
    compute_row(&b, y);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s, .step = step};
  j.in = step->operands[p->nodes[0].inputs[0]];
  j.out = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  j.parts = (uint32_t)pn_min_i64(s->images * s->y.output, 4 * (int64_t)stream->device->threads);
  if (s->block_channels)
    pn_pool_run(stream->device->pool, (uint32_t)(s->images * s->bands * s->blocks), task_ring, &j);
  else
    pn_pool_run(stream->device->pool, j.parts, task_in_place, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_depthwise = {
    .name = "cpu.conv_depthwise",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .packs = pn_cpu_conv_packs,
    .prepare = prepare,
    .run = run,
};
