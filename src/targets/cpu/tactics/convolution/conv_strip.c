/* Chains of convolutions in f32 with their expressions, strip by strip (see strip.h): depthwise and pointwise pairs,
   inverted residuals, the layers of super-resolution. Every stage reads a buffer of the thread's own, in which columns
   and rows outside of the picture are zeros, so that no stage knows of borders. */
#include "targets/cpu/convolution/strip.h"

typedef struct state {
  pn_strip strip;
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_dwconv_f32 *dwconv;
  const pn_cpu_dotconv_f32 *dotconv;
  const pn_cpu_transpose_f32 *transpose;
  ptrdiff_t tap_offsets[];
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_strip strip;
  return pn_strip_make(p, device, &(pn_config){{0}}, &strip, why);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  static const int32_t eighths[] = {0, 2, 6};
  uint32_t count = 0;
  (void)p;
  (void)device;
  for (; count < PN_COUNT(eighths) && count < max; count++) out[count] = (pn_config){{eighths[count]}};
  return count;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_strip strip;
  (void)pn_strip_make(p, device, config, &strip, NULL); /* accepted before */
  return pn_cpu_estimate(device, strip.cost * device->threads, pn_cpu_operand_bytes(p), 1);
}

static size_t tap_count(const pn_strip *t) {
  size_t count = 0;
  for (uint32_t l = 0; l < t->stage_count; l++) count += (size_t)t->stages[l].depth.taps;
  return count;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  pn_strip strip;
  (void)pn_strip_make(p, device, config, &strip, NULL);
  out->state_bytes = sizeof(state) + tap_count(&strip) * sizeof(ptrdiff_t);
  out->packed_bytes = strip.packed_bytes;
  for (uint32_t i = 0; i < strip.stage_count; i++) out->packing = out->packing * 256 + strip.stages[i].width.nr;
  out->workspace_bytes = (size_t)device->threads * (strip.buffer_bytes + PN_PROGRAM_SCRATCH_BYTES + strip.row_bytes);
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

/* Panels; [filter row][filter column][channel]; [filter row][output][filter column][channel]. */
static void pack_weights(const pn_strip_stage *s, const float *w, float *to) {
  int64_t taps = s->y.kernel * s->x.kernel;
  if (s->kind == PN_STRIP_PANELS) {
    (void)pn_conv_pack(&s->depth, w, s->outputs, s->width.nr, to);
  } else if (s->kind == PN_STRIP_DEPTHWISE) {
    for (int64_t t = 0; t < taps; t++)
      for (int64_t c = 0; c < s->channels; c++) *to++ = w[c * taps + t];
  } else {
    for (int64_t i = 0; i < s->y.kernel; i++)
      for (int64_t o = 0; o < s->outputs; o++)
        for (int64_t j = 0; j < s->x.kernel; j++)
          for (int64_t c = 0; c < s->channels; c++) *to++ = w[(o * s->channels + c) * taps + i * s->x.kernel + j];
  }
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  pn_strip strip;
  (void)diag;
  (void)pn_strip_make(p, device, config, &strip, NULL);
  memset(packed, 0, strip.packed_bytes);
  for (uint32_t l = 0; l < strip.stage_count; l++) {
    const pn_strip_stage *s = &strip.stages[l];
    pn_problem stage = pn_strip_stage_problem(p, l);
    float *bias = (float *)(void *)((char *)packed + s->bias_at);
    float *weights = (float *)(void *)((char *)packed + s->weights_at);
    if (s->phased)
      pn_few_phases_pack(&stage, &s->phases, weights);
    else
      pack_weights(s, pn_problem_input(&stage, 0, 1)->data, weights);
    const int64_t channels = s->phased ? s->phases.channels : s->outputs;
    for (int64_t o = 0; o < s->outputs; o++) bias[o] = pn_cpu_conv_bias(&stage, &s->epilogue, o % channels);
    float *slope = (float *)(void *)((char *)packed + s->slope_at);
    for (int64_t o = 0; s->epilogue.bends && s->epilogue.native && o < s->outputs; o++)
      slope[o] = pn_epilogue_slope(&stage, &s->epilogue, o, s->outputs);
  }
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  ptrdiff_t *offset = s->tap_offsets;
  (void)diag;
  (void)pn_strip_make(p, device, config, &s->strip, NULL);
  s->gemm = device->gemm;
  s->vec = device->vec;
  s->dwconv = pn_cpu_dwconv_f32_best(device->isa);
  s->dotconv = pn_cpu_dotconv_f32_best(device->isa);
  s->transpose = device->transpose;
  for (uint32_t l = 0; l < s->strip.stage_count; l++) {
    pn_strip_stage *stage = &s->strip.stages[l];
    int64_t row = stage->y.dilation * stage->columns * stage->pitch;
    stage->tap_offset = offset;
    for (int64_t t = 0; t < stage->depth.taps; t++)
      *offset++ = stage->depth.merged
                      ? t * row
                      : t / stage->x.kernel * row + t % stage->x.kernel * stage->x.dilation * stage->pitch;
  }
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const pn_step *step;
  const float *in;
  float *out;
} job;

/* What a stage holds of its input: rows [y0, y1), columns [x0, x1), in the picture's coordinates and beyond its
   edges. */
typedef struct held {
  int64_t y0, y1, x0, x1;
  float *memory;
} held;

typedef struct strip_task {
  const job *j;
  int64_t image, x0, x1; /* columns of the last result */
  held in[PN_STRIP_STAGES];
  float *scratch;
} strip_task;

/* Where a stage's result goes: column |x0| of row 0, and the way to the next pixel and row. */
typedef struct result {
  float *at;
  int64_t x0, x1, pitch, row_pitch;
} result;

static result result_of(const strip_task *t, uint32_t l) {
  const pn_strip *strip = &t->j->s->strip;
  const pn_strip_stage *s = &strip->stages[l];
  if (l + 1 == strip->stage_count) {
    int64_t row_pitch = s->x.output * s->outputs;
    return (result){t->j->out + t->image * s->y.output * row_pitch + t->x0 * s->outputs, t->x0, t->x1, s->outputs,
                    row_pitch};
  }
  const held *in = &t->in[l + 1];
  int64_t pitch = s[1].pitch, row_pitch = s[1].columns * pitch;
  return (result){in->memory - in->y0 * row_pitch, in->x0, in->x1, pitch, row_pitch};
}

/* The first input of result pixel (y, x) of stage |l|. */
static const float *source_of(const strip_task *t, uint32_t l, int64_t y, int64_t x) {
  const pn_strip_stage *s = &t->j->s->strip.stages[l];
  if (s->in_place)
    return t->j->in + ((t->image * s->y.input + y * s->y.stride) * s->x.input + x * s->x.stride) * s->channels;
  const held *in = &t->in[l];
  int64_t row = y * s->y.stride - s->y.pad_begin - in->y0, column = x * s->x.stride - s->x.pad_begin - in->x0;
  return in->memory + (row * s->columns + column) * s->pitch;
}

static const float *packed_at(const strip_task *t, size_t bytes) {
  return (const float *)(const void *)((const char *)t->j->step->packed + bytes);
}

/* Rows [y0, y1), columns [x0, x1) of a stage's result, all inside of the picture. */
typedef struct piece {
  uint32_t stage;
  int64_t y0, y1, x0, x1;
  const result *to;
} piece;

static void apply(const strip_task *t, const piece *p, int64_t y) {
  const pn_strip_stage *s = &t->j->s->strip.stages[p->stage];
  int64_t row = (t->image * s->y.output + y) * s->x.output + p->x0;
  float *at = p->to->at + y * p->to->row_pitch + (p->x0 - p->to->x0) * p->to->pitch;
  pn_epilogue_apply(&s->epilogue, t->j->s->vec, t->j->step->operands, at, p->to->pitch, row, p->x1 - p->x0, 0,
                    s->outputs, t->scratch);
}

static void panel_row(const strip_task *t, const piece *p, int64_t y, int64_t q) {
  const pn_strip_stage *s = &t->j->s->strip.stages[p->stage];
  int64_t nr = s->width.nr, pixels = p->x1 - p->x0, tiles = pn_div_up(pixels, s->width.mr_max);
  int64_t stride = s->x.stride * s->pitch, row = (t->image * s->y.output + y) * s->x.output + p->x0;
  const float *a = source_of(t, p->stage, y, p->x0);
  float *c = p->to->at + y * p->to->row_pitch + (p->x0 - p->to->x0) * p->to->pitch + q * nr;
  const float *residual = NULL;
  if (s->epilogue.residual != PN_NO_OPERAND)
    residual = (const float *)t->j->step->operands[s->epilogue.residual] + row * s->outputs + q * nr;
  for (int64_t k = 0; k < tiles; k++) {
    int64_t begin = pixels * k / tiles, end = pixels * (k + 1) / tiles;
    pn_cpu_gemm_f32_tile tile = {.a = a + begin * stride,
                                 .a_row_stride = stride,
                                 .tap_offset = s->tap_offset,
                                 .tap_count = (size_t)s->depth.taps,
                                 .k = (size_t)s->depth.k,
                                 .b = packed_at(t, s->weights_at) + q * nr * s->depth.taps * s->depth.k,
                                 .b_tap_stride = (size_t)(nr * s->depth.k),
                                 .c = c + begin * p->to->pitch,
                                 .c_row_stride = p->to->pitch,
                                 .n = (size_t)pn_min_i64(nr, s->outputs - q * nr),
                                 .start = PN_CPU_GEMM_BIAS,
                                 .bias = packed_at(t, s->bias_at) + q * nr,
                                 .residual = residual ? residual + begin * s->outputs : NULL,
                                 .residual_row_stride = s->outputs,
                                 .slope = s->epilogue.bends ? packed_at(t, s->slope_at) + q * nr : NULL,
                                 .lo = s->lo,
                                 .hi = s->hi};
    s->width.fns[end - begin - 1](&tile);
  }
}

/* A panel of the filter serves all rows before the next is read. */
static void compute_panels(const strip_task *t, const piece *p) {
  const pn_strip_stage *s = &t->j->s->strip.stages[p->stage];
  for (int64_t q = 0; q < s->panels; q++)
    for (int64_t y = p->y0; y < p->y1; y++) panel_row(t, p, y, q);
  for (int64_t y = p->y0; y < p->y1; y++) apply(t, p, y);
}

static void depthwise_row(const strip_task *t, const piece *p, const float *const *rows, float *out) {
  const pn_strip_stage *s = &t->j->s->strip.stages[p->stage];
  pn_cpu_dwconv_f32_run run = {.window = {.rows = rows,
                                          .row_count = (size_t)s->y.kernel,
                                          .column_count = (size_t)s->x.kernel,
                                          .column_stride = s->x.dilation * s->pitch,
                                          .pixel_stride = s->x.stride * s->pitch,
                                          .out = out,
                                          .out_stride = p->to->pitch,
                                          .width = (size_t)(p->x1 - p->x0),
                                          .channels = (size_t)s->channels},
                               .weights = packed_at(t, s->weights_at),
                               .weight_row_stride = s->x.kernel * s->channels,
                               .weight_column_stride = s->channels,
                               .bias = packed_at(t, s->bias_at),
                               .lo = s->lo,
                               .hi = s->hi};
  t->j->s->dwconv->run(&run);
}

static void few_outputs_row(const strip_task *t, const piece *p, const float *const *rows, float *out) {
  const pn_strip_stage *s = &t->j->s->strip.stages[p->stage];
  int64_t filter_row = s->x.kernel * s->channels;
  pn_cpu_dotconv_f32_run run = {.rows = rows,
                                .row_count = (size_t)s->y.kernel,
                                .k = (size_t)filter_row,
                                .pixel_stride = s->x.stride * s->pitch,
                                .weights = packed_at(t, s->weights_at),
                                .weight_row_stride = s->outputs * filter_row,
                                .weight_output_stride = filter_row,
                                .bias = packed_at(t, s->bias_at),
                                .lo = s->lo,
                                .hi = s->hi,
                                .out = out,
                                .width = (size_t)(p->x1 - p->x0),
                                .output_count = (size_t)s->outputs};
  t->j->s->dotconv->run(&run);
}

/* Row |y| of the phases, from the thread's scratch to the rows of the result that it is dealt out to. */
static void finish_phases(const strip_task *t, const piece *p, int64_t y, const float *phases) {
  const pn_strip_stage *s = &t->j->s->strip.stages[p->stage];
  const pn_few_phases *f = &s->phases;
  int64_t from = p->x0 * f->columns, to = pn_min_i64(p->x1 * f->columns, f->width);
  for (int64_t phase = 0; phase < f->rows && y * f->rows + phase < f->height; phase++) {
    int64_t row = (t->image * f->height + y * f->rows + phase) * f->width + from;
    float *out = t->j->out + row * f->channels;
    pn_few_phases_deal(f, phases, phase, from, to, out);
    pn_epilogue_apply(&s->epilogue, t->j->s->vec, t->j->step->operands, out, f->channels, row, to - from, 0,
                      f->channels, t->scratch);
  }
}

static void compute_phases(const strip_task *t, const piece *p) {
  const pn_strip_stage *s = &t->j->s->strip.stages[p->stage];
  float *phases = t->scratch + PN_PROGRAM_SCRATCH_BYTES / sizeof(float);
  for (int64_t y = p->y0; y < p->y1; y++) {
    const float *rows[PN_STRIP_FILTER_ROWS], *first = source_of(t, p->stage, y, p->x0);
    for (int64_t i = 0; i < s->y.kernel; i++) rows[i] = first + i * s->columns * s->pitch;
    few_outputs_row(t, p, rows, phases);
    finish_phases(t, p, y, phases);
  }
}

static void compute_rows(const strip_task *t, const piece *p) {
  const pn_strip_stage *s = &t->j->s->strip.stages[p->stage];
  for (int64_t y = p->y0; y < p->y1; y++) {
    const float *rows[PN_STRIP_FILTER_ROWS], *first = source_of(t, p->stage, y, p->x0);
    float *out = p->to->at + y * p->to->row_pitch + (p->x0 - p->to->x0) * p->to->pitch;
    for (int64_t i = 0; i < s->y.kernel; i++) rows[i] = first + i * s->y.dilation * s->columns * s->pitch;
    if (s->kind == PN_STRIP_DEPTHWISE)
      depthwise_row(t, p, rows, out);
    else
      few_outputs_row(t, p, rows, out);
    apply(t, p, y);
  }
}

static void zero(float *at, int64_t pixels, int64_t pitch) {
  if (pixels > 0) memset(at, 0, (size_t)(pixels * pitch) * sizeof(float));
}

/* Clears what of row |y| lies outside of a picture of |width| columns (all of it when |outside|) and says which columns
   lie inside. */
static void clear_outside(const result *to, int64_t y, bool outside, int64_t width, int64_t *x0, int64_t *x1) {
  float *at = to->at + y * to->row_pitch;
  *x0 = pn_min_i64(pn_max_i64(to->x0, 0), to->x1);
  *x1 = pn_max_i64(*x0, pn_min_i64(to->x1, width));
  if (outside) *x0 = *x1 = to->x1;
  zero(at, *x0 - to->x0, to->pitch);
  zero(at + (*x1 - to->x0) * to->pitch, to->x1 - *x1, to->pitch);
}

/* Rows [y0, y1) of stage |l|'s result; those outside of the picture are zeros for the next stage. */
static void compute(const strip_task *t, uint32_t l, int64_t y0, int64_t y1) {
  const pn_strip_stage *s = &t->j->s->strip.stages[l];
  result to = result_of(t, l);
  piece p = {.stage = l, .y0 = pn_max_i64(y0, 0), .y1 = pn_min_i64(y1, s->y.output), .to = &to};
  if (s->phased) { /* the last one: all inside, and its rows are not the result's */
    p.x0 = t->x0;
    p.x1 = t->x1;
  }
  for (int64_t y = y0; y < y1 && !s->phased; y++) {
    bool outside = y < p.y0 || y >= p.y1;
    int64_t x0, x1;
    clear_outside(&to, y, outside, s->x.output, &x0, &x1);
    if (outside) continue;
    p.x0 = x0;
    p.x1 = x1;
  }
  if (p.y0 >= p.y1 || p.x0 >= p.x1) return;
  if (s->kind == PN_STRIP_PANELS)
    compute_panels(t, &p);
  else if (s->phased)
    compute_phases(t, &p);
  else
    compute_rows(t, &p);
}

/* Rows [y0, y1) of the group's input into the first stage's buffer. */
static void load(const strip_task *t, int64_t y0, int64_t y1) {
  const state *own = t->j->s;
  const pn_strip_stage *s = &own->strip.stages[0];
  const held *in = &t->in[0];
  int64_t plane = s->y.input * s->x.input, row_pitch = s->columns * s->pitch, x0, x1;
  result to = {in->memory - in->y0 * row_pitch, in->x0, in->x1, s->pitch, row_pitch};
  for (int64_t y = y0; y < y1; y++) {
    clear_outside(&to, y, y < 0 || y >= s->y.input, s->x.input, &x0, &x1);
    if (x0 >= x1) continue;
    float *at = to.at + y * row_pitch + (x0 - in->x0) * s->pitch;
    size_t pixels = (size_t)(x1 - x0), channels = (size_t)s->channels;
    const float *from = t->j->in + t->image * s->channels * plane;
    if (own->strip.plain_input)
      own->transpose->transpose(from + y * s->x.input + x0, plane, channels, pixels, at, s->pitch);
    else if (s->pitch == s->channels)
      memcpy(at, from + (y * s->x.input + x0) * s->channels, pixels * channels * sizeof(float));
    else
      own->gemm->copy_rows(from + (y * s->x.input + x0) * s->channels, s->channels, pixels, channels, at, s->pitch);
  }
}

/* Makes stage |l| hold rows [y0, y1) of its input: what it has of them moves up, what is new is computed. */
static void hold(strip_task *t, uint32_t l, int64_t y0, int64_t y1) {
  const pn_strip_stage *s = &t->j->s->strip.stages[l];
  held *in = &t->in[l];
  int64_t row_pitch = s->columns * s->pitch, kept = pn_max_i64(0, in->y1 - y0);
  if (s->in_place) return;
  if (kept && y0 != in->y0)
    memmove(in->memory, in->memory + (y0 - in->y0) * row_pitch, (size_t)(kept * row_pitch) * sizeof(float));
  in->y0 = y0;
  in->y1 = y1;
  if (l > 0)
    compute(t, l - 1, y0 + kept, y1);
  else
    load(t, y0 + kept, y1);
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const pn_strip *strip = &j->s->strip;
  uint32_t last = strip->stage_count - 1;
  char *own = (char *)j->step->workspace + (strip->buffer_bytes + PN_PROGRAM_SCRATCH_BYTES + strip->row_bytes) * thread;
  int64_t tile = index % strip->tiles, rest = index / strip->tiles, height = strip->stages[last].y.output;
  strip_task t = {.j = j, .image = rest / strip->bands, .scratch = (float *)(void *)(own + strip->buffer_bytes)};
  t.x0 = tile * strip->columns;
  t.x1 = pn_min_i64(t.x0 + strip->columns, strip->stages[last].x.output);
  int64_t begin = rest % strip->bands * strip->band_rows, end = pn_min_i64(begin + strip->band_rows, height);
  int64_t x0 = t.x0, x1 = t.x1;
  for (uint32_t l = last + 1; l-- > 0;) {
    const pn_strip_stage *s = &strip->stages[l];
    x1 = (x1 - 1) * s->x.stride - s->x.pad_begin + pn_window_span(&s->x);
    x0 = x0 * s->x.stride - s->x.pad_begin;
    t.in[l] = (held){INT64_MIN / 2, INT64_MIN / 2, x0, x1, (float *)(void *)(own + s->buffer_at)};
  }
  for (int64_t y = begin; y < end; y += strip->rows) {
    int64_t y0[PN_STRIP_STAGES], y1[PN_STRIP_STAGES], from = y, to = pn_min_i64(y + strip->rows, end);
    for (uint32_t l = last + 1; l-- > 0; from = y0[l], to = y1[l]) {
      const pn_strip_stage *s = &strip->stages[l];
      y0[l] = from * s->y.stride - s->y.pad_begin;
      y1[l] = (to - 1) * s->y.stride - s->y.pad_begin + pn_window_span(&s->y);
    }
    for (uint32_t l = 0; l <= last; l++) hold(&t, l, y0[l], y1[l]);
    compute(&t, last, y, pn_min_i64(y + strip->rows, end));
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s, .step = step};
  j.in = step->operands[p->nodes[0].inputs[0]];
  j.out = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  pn_pool_run(stream->device->pool, (uint32_t)(s->strip.images * s->strip.tiles * s->strip.bands), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_strip = {
    .name = "cpu.conv_strip",
    .version = 3,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
