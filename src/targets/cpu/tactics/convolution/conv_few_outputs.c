/* Convolutions with at most four output channels in f32, channels-last: the last layer of networks that make pictures,
   heads of segmentation. Of conv_direct's tiles, whose columns are output channels, three quarters and more would be
   empty; here lanes run along a filter row's inputs, (filter column, channel), which are one run of the picture.

   A transposed convolution is one of these, too, when its channels times its strides are at most four: see few_phases.h.

   A task is a block of rows and columns, narrow enough that the rows which a filter spans stay in the second cache.
   Nothing is copied for padding: filter rows outside of the picture are left away, and pixels at the left and right
   ends are computed one by one with the part of the run that is inside. */
#include "targets/cpu/convolution/few_phases.h"

enum { MAX_ROWS = 64 };

typedef struct state {
  const pn_cpu_dotconv_f32 *dotconv;
  const pn_cpu_vec_f32 *vec;
  int64_t images, channels, outputs;
  bool phased;          /* transposed */
  pn_few_phases phases; /* else one */
  pn_window y, x;
  int64_t inner_begin, inner_end; /* output columns that all filter columns reach */
  int64_t region_rows, region_columns, regions_y, regions_x;
  size_t weight_bytes, row_bytes; /* of packed weights; of a row of phases before it is dealt out */
  float lo, hi;
  pn_epilogue epilogue;
  bool flat; /* the epilogue sees pixels and channels as one run */
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  pn_window y, x;
  pn_few_phases phases;
  if (p->nodes[0].op == PN_OP_CONV_TRANSPOSE) return pn_few_phases_make(p, MAX_ROWS, &phases, why);
  if (!pn_cpu_conv_accepts(p, &y, &x, why)) return false;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  if (w->dims[1] != in->dims[1]) return pn_refuse(why, "one group only");
  if (w->dims[0] > PN_CPU_DOTCONV_OUTPUTS)
    return pn_refuse(why, "more than %d output channels", PN_CPU_DOTCONV_OUTPUTS);
  if (!pn_layout_same(in->layout, PN_LAYOUT_CHANNELS_LAST, in->rank, in->dims))
    return pn_refuse(why, "wants channels_last input");
  if (y.kernel > MAX_ROWS) return pn_refuse(why, "more than %d filter rows", MAX_ROWS);
  if (x.dilation != 1 && x.kernel > 1) return pn_refuse(why, "dilated filter rows are not one run");
  return true;
}

/* Expressions over three channels at a time would cost more than the convolution: where no operand varies by channel or
   row alone, a row of pixels is one run. */
static bool is_flat(const pn_epilogue *e, int64_t pixels, int64_t outputs) {
  for (uint32_t i = 0; i < e->operand_count; i++) {
    const pn_epilogue_operand *o = &e->operands[i];
    if (i == e->accumulator || (!o->column_stride && !o->row_stride)) continue;
    if (o->row_stride != outputs || !o->column_stride || o->row_period < pixels) return false;
  }
  return true;
}

static void fill_windows(const pn_problem *p, state *s) {
  s->phased = p->nodes[0].op == PN_OP_CONV_TRANSPOSE;
  if (s->phased) {
    (void)pn_few_phases_make(p, MAX_ROWS, &s->phases, NULL); /* accepted before */
    s->y = s->phases.y;
    s->x = s->phases.x;
  } else {
    (void)pn_cpu_conv_window(p, &s->y, &s->x); /* accepted before */
    s->phases = (pn_few_phases){1, 1, pn_problem_input(p, 0, 1)->dims[0], s->y.output, s->x.output, s->y, s->x};
  }
  s->outputs = pn_few_phases_outputs(&s->phases);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *in = pn_problem_input(p, 0, 0);
  fill_windows(p, s);
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  s->dotconv = pn_cpu_dotconv_f32_best(device->isa);
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
  s->flat = is_flat(&s->epilogue, s->images * s->phases.height * s->phases.width, s->phases.channels);
  s->weight_bytes = (size_t)(s->y.kernel * s->x.kernel * s->channels * s->outputs) * 4;
  s->inner_begin = pn_min_i64(s->x.output, pn_div_up(s->x.pad_begin, s->x.stride));
  int64_t last = s->x.input + s->x.pad_begin - pn_window_span(&s->x); /* the last start that stays inside */
  s->inner_end =
      last < 0 ? s->inner_begin : pn_max_i64(s->inner_begin, pn_min_i64(s->x.output, last / s->x.stride + 1));
  double spanned = (double)(pn_window_span(&s->y) * s->x.input * s->channels) * 4, room = (double)device->l2_bytes / 2;
  s->regions_x =
      pn_max_i64(1, pn_min_i64(pn_div_up(s->x.output, 32), (int64_t)(spanned / (room > 65536 ? room : 65536)) + 1));
  s->region_columns = pn_div_up(s->x.output, s->regions_x);
  s->regions_x = pn_div_up(s->x.output, s->region_columns);
  s->regions_y = pn_min_i64(s->y.output, pn_div_up(4 * (int64_t)device->threads, s->images * s->regions_x));
  s->region_rows = pn_div_up(s->y.output, s->regions_y);
  s->regions_y = pn_div_up(s->y.output, s->region_rows);
  if (s->phased) s->row_bytes = pn_align_up((size_t)(s->region_columns * s->outputs) * 4, 64);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  double pixels = (double)(s.images * s.y.output * s.x.output);
  double cost = pn_cpu_few_outputs_cost(s.dotconv, s.y.kernel, s.x.kernel * s.channels, s.outputs);
  return pn_cpu_estimate(device, pixels * cost, pn_cpu_operand_bytes(p), 0.65);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->packed_bytes = s.weight_bytes + (size_t)s.outputs * 4;
  out->workspace_bytes = (size_t)device->threads * (PN_PROGRAM_SCRATCH_BYTES + s.row_bytes);
}

/* [filter row][output][filter column][channel], then the bias. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  (void)config;
  (void)diag;
  fill(p, device, &s);
  const float *w = pn_problem_input(p, 0, 1)->data;
  float *to = packed, *bias = (float *)(void *)((char *)packed + s.weight_bytes);
  for (int64_t o = 0; o < s.outputs; o++) bias[o] = pn_cpu_conv_bias(p, &s.epilogue, o % s.phases.channels);
  if (s.phased) {
    pn_few_phases_pack(p, &s.phases, to);
    return PELTON_OK;
  }
  for (int64_t i = 0; i < s.y.kernel; i++)
    for (int64_t o = 0; o < s.outputs; o++)
      for (int64_t j = 0; j < s.x.kernel; j++)
        for (int64_t c = 0; c < s.channels; c++) *to++ = w[((o * s.channels + c) * s.y.kernel + i) * s.x.kernel + j];
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
} job;

/* The filter rows of an output row that lie in the picture. */
typedef struct filter_rows {
  const float *rows[MAX_ROWS]; /* of the input, at its first column */
  int64_t first, count;
} filter_rows;

/* Output columns [begin, end) of one row, with filter columns [first, first + count). */
static void run_columns(const job *j, const filter_rows *f, int64_t begin, int64_t end, int64_t first, int64_t count,
                        float *out) {
  const state *s = j->s;
  const float *weights = j->step->packed, *starts[MAX_ROWS];
  int64_t ix = begin * s->x.stride + first - s->x.pad_begin, filter_row = s->x.kernel * s->channels;
  for (int64_t i = 0; count && i < f->count; i++) starts[i] = f->rows[i] + ix * s->channels;
  pn_cpu_dotconv_f32_run run = {.rows = starts,
                                .row_count = count ? (size_t)f->count : 0,
                                .k = (size_t)(count * s->channels),
                                .pixel_stride = s->x.stride * s->channels,
                                .weights = weights + f->first * s->outputs * filter_row + first * s->channels,
                                .weight_row_stride = s->outputs * filter_row,
                                .weight_output_stride = filter_row,
                                .bias = weights + s->weight_bytes / 4,
                                .lo = s->lo,
                                .hi = s->hi,
                                .out = out + begin * s->outputs,
                                .width = (size_t)(end - begin),
                                .output_count = (size_t)s->outputs};
  s->dotconv->run(&run);
}

/* Row |y| of the convolution, columns [x0, x1), into |out|, where column 0 would be. */
static void convolve_row(const job *j, int64_t image, int64_t y, int64_t x0, int64_t x1, float *out) {
  const state *s = j->s;
  filter_rows f;
  int64_t end, first_column, end_column;
  pn_window_taps(&s->y, y, &f.first, &end);
  f.count = end - f.first;
  for (int64_t i = f.first; i < end; i++)
    f.rows[i - f.first] =
        j->in + (image * s->y.input + y * s->y.stride + i * s->y.dilation - s->y.pad_begin) * s->x.input * s->channels;
  int64_t inner_begin = pn_max_i64(x0, s->inner_begin), inner_end = pn_min_i64(x1, s->inner_end);
  for (int64_t x = x0; x < x1; x++) {
    if (x == inner_begin && inner_end > x) {
      run_columns(j, &f, x, inner_end, 0, s->x.kernel, out);
      x = inner_end - 1;
      continue;
    }
    pn_window_taps(&s->x, x, &first_column, &end_column);
    run_columns(j, &f, x, x + 1, first_column, end_column - first_column, out);
  }
}

/* Row |y| of the result, columns [x0, x1). */
static void finish_row(const job *j, int64_t image, int64_t y, int64_t x0, int64_t x1, float *scratch) {
  const state *s = j->s;
  const pn_few_phases *f = &s->phases;
  int64_t row = (image * f->height + y) * f->width + x0;
  int64_t pixels = s->flat ? 1 : x1 - x0, columns = s->flat ? (x1 - x0) * f->channels : f->channels;
  pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, j->out + row * f->channels, f->channels, row, pixels, 0,
                    columns, scratch);
}

static void run_row(const job *j, int64_t image, int64_t y, int64_t x0, int64_t x1, float *scratch) {
  const state *s = j->s;
  const pn_few_phases *f = &s->phases;
  if (!s->phased) {
    convolve_row(j, image, y, x0, x1, j->out + (image * s->y.output + y) * s->x.output * s->outputs);
    finish_row(j, image, y, x0, x1, scratch);
    return;
  }
  float *phases = scratch + PN_PROGRAM_SCRATCH_BYTES / sizeof(float);
  int64_t from = x0 * f->columns, to = pn_min_i64(x1 * f->columns, f->width);
  convolve_row(j, image, y, x0, x1, phases - x0 * s->outputs);
  for (int64_t phase = 0; phase < f->rows && y * f->rows + phase < f->height; phase++) {
    int64_t row = image * f->height + y * f->rows + phase;
    pn_few_phases_deal(f, phases, phase, from, to, j->out + (row * f->width + from) * f->channels);
    finish_row(j, image, y * f->rows + phase, from, to, scratch);
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  char *own = (char *)j->step->workspace + (PN_PROGRAM_SCRATCH_BYTES + s->row_bytes) * thread;
  float *scratch = (float *)(void *)own;
  int64_t i = index, x0 = i % s->regions_x * s->region_columns;
  i /= s->regions_x;
  int64_t y0 = i % s->regions_y * s->region_rows, image = i / s->regions_y;
  for (int64_t y = y0; y < pn_min_i64(s->y.output, y0 + s->region_rows); y++)
    run_row(j, image, y, x0, pn_min_i64(s->x.output, x0 + s->region_columns), scratch);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s, .step = step};
  j.in = step->operands[p->nodes[0].inputs[0]];
  j.out = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  pn_pool_run(stream->device->pool, (uint32_t)(s->images * s->regions_y * s->regions_x), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_few_outputs = {
    .name = "cpu.conv_few_outputs",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .packs = pn_cpu_conv_packs,
    .prepare = prepare,
    .run = run,
};
