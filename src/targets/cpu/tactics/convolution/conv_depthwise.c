/* Depthwise convolutions (each channel its own filter) in f32, channels-last: vectors run along the channels, a task is
   a few output rows. Filter rows that fall outside of the picture are left away; pixels at the left and right ends,
   where filter columns fall outside, are computed one by one with the columns that remain. */
#include "targets/cpu/convolution/conv.h"

enum { MAX_ROWS = 64 };

typedef struct state {
  const pn_cpu_dwconv_f32 *dwconv;
  const pn_cpu_vec_f32 *vec;
  int64_t images, channels;
  pn_window y, x;
  int64_t inner_begin, inner_end; /* output columns that all filter columns reach */
  size_t weight_bytes;
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

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *in = pn_problem_input(p, 0, 0);
  (void)pn_cpu_conv_window(p, &s->y, &s->x); /* accepted before */
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  s->dwconv = pn_cpu_dwconv_f32_best(device->isa);
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
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->packed_bytes = s.weight_bytes + (size_t)s.channels * 4;
  out->workspace_bytes = (size_t)device->threads * PN_PROGRAM_SCRATCH_BYTES;
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

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t begin, end;
  float *scratch = (float *)(void *)((char *)j->step->workspace + (size_t)PN_PROGRAM_SCRATCH_BYTES * thread);
  pn_cpu_share(s->images * s->y.output, 1, index, j->parts, &begin, &end);
  for (int64_t i = begin; i < end; i++) run_row(j, i / s->y.output, i % s->y.output, scratch);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s, .step = step};
  j.in = step->operands[p->nodes[0].inputs[0]];
  j.out = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  j.parts = (uint32_t)pn_min_i64(s->images * s->y.output, 4 * (int64_t)stream->device->threads);
  pn_pool_run(stream->device->pool, j.parts, task, &j);
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
