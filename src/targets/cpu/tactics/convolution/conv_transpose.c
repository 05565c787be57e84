/* Transposed convolution in f32 over one or two spatial axes, channels-last, as stride x stride ordinary convolutions.

   Outputs whose places are equal modulo the stride (a phase) are reached by the same taps of the filter, from
   neighbouring inputs: within a phase it is a convolution of stride 1, a tap the filter's element, a row of the tile an
   output pixel, and the phase's pixels lie |stride| apart in the result. The operand is copied once into a frame of
   zeros, so that no tap ever falls outside. A task is a block of rows of one phase in y and all phases in x: whole rows
   of the result, over which the epilogue then goes. */
#include "targets/cpu/convolution/conv.h"
#include "targets/cpu/convolution/phases.h"

enum { MAX_TAPS = 1024, BLOCK_PIXELS = 112 };

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  pn_cpu_gemm_f32_width width;
  pn_phases y, x;
  int64_t pictures, groups, in_channels, out_channels; /* a group */
  int64_t panels;                                      /* of a group */
  int64_t rows_a_block, blocks[PN_PHASES_STRIDE + 1];        /* first task of each phase in y */
  uint32_t frame_parts;
  size_t bias_offset, frame_bytes;
  ptrdiff_t tap_offset[MAX_TAPS];
  pn_epilogue epilogue;
} state;

/* Where the taps of a phase begin among all. */
static int64_t first_tap(const state *s, int64_t phase_y, int64_t phase_x) {
  int64_t rows = s->y.first[phase_y + 1] - s->y.first[phase_y];
  return s->y.first[phase_y] * s->x.window.kernel + rows * s->x.first[phase_x];
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window y, x;
  (void)device;
  if (!pn_cpu_conv_transpose_accepts(p, &y, &x, why)) return false;
  if (y.kernel > PN_PHASES_KERNEL || x.kernel > PN_PHASES_KERNEL || y.stride > PN_PHASES_STRIDE || x.stride > PN_PHASES_STRIDE)
    return pn_refuse(why, "a kernel or stride above %d", PN_PHASES_STRIDE);
  if (y.kernel * x.kernel > MAX_TAPS) return pn_refuse(why, "a kernel of more than %d elements", MAX_TAPS);
  return true;
}

static const pn_cpu_gemm_f32_width *choose_width(const pn_cpu_gemm_f32 *gemm, int64_t columns) {
  const pn_cpu_gemm_f32_width *best = &gemm->widths[0];
  for (uint32_t i = 1; i < gemm->width_count; i++) /* wider while it does not pad more */
    if (pn_div_up(columns, gemm->widths[i].nr) * gemm->widths[i].nr <=
        pn_div_up(columns, best->nr) * best->nr + best->nr / 4)
      best = &gemm->widths[i];
  return best;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  double filter = (double)pn_operand_elements(w) / (double)w->dims[0]; /* multiply-adds of an input element */
  int64_t nr = choose_width(device->gemm, w->dims[1])->nr;
  filter *= (double)(pn_div_up(w->dims[1], nr) * nr) / (double)w->dims[1];
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(x) * filter, pn_cpu_operand_bytes(p), 0.7);
}

static pelton_status fill(const pn_problem *p, const pn_device *device, state *s, pelton_diag *diag) {
  const pn_attrs_conv_transpose *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  pn_window windows[2];
  if (!pn_cpu_conv_transpose_window(p, &windows[0], &windows[1]))
    return PN_INTERNAL(diag, "a window changed after it was accepted");
  if (!pn_epilogue_compile(p, &s->epilogue, NULL))
    return PN_INTERNAL(diag, "an epilogue changed after it was accepted");
  s->y.window = windows[0];
  s->x.window = windows[1];
  pn_phases_fill(&s->y);
  pn_phases_fill(&s->x);
  s->vec = device->vec;
  s->pictures = x->dims[0];
  s->groups = attrs->group;
  s->in_channels = x->dims[1] / s->groups;
  s->out_channels = w->dims[1];
  s->width = *choose_width(device->gemm, s->out_channels);
  s->panels = pn_div_up(s->out_channels, s->width.nr);
  s->rows_a_block = pn_div_up(BLOCK_PIXELS, windows[1].output);
  if (s->pictures * windows[0].output < 4 * (int64_t)device->threads * s->rows_a_block) s->rows_a_block = 1;
  for (int64_t phase = 0; phase < windows[0].stride; phase++) {
    int64_t first, count = pn_phases_outputs(&windows[0], phase, &first);
    s->blocks[phase + 1] = s->blocks[phase] + s->pictures * pn_div_up(count, s->rows_a_block);
  }
  int64_t pixel = s->in_channels * s->groups;
  for (int64_t py = 0; py < windows[0].stride; py++)
    for (int64_t px = 0; px < windows[1].stride; px++) {
      ptrdiff_t *to = s->tap_offset + first_tap(s, py, px);
      for (int32_t i = s->y.first[py]; i < s->y.first[py + 1]; i++)
        for (int32_t k = s->x.first[px]; k < s->x.first[px + 1]; k++)
          *to++ = -(s->y.back[i] * s->x.extent + s->x.back[k]) * pixel;
    }
  s->frame_bytes = pn_align_up((size_t)(s->pictures * s->y.extent * s->x.extent * pixel) * sizeof(float), 64);
  s->frame_parts = pn_cpu_parts(device, s->pictures * s->y.extent, (double)s->frame_bytes);
  s->bias_offset = pn_align_up(
      (size_t)(windows[0].kernel * windows[1].kernel * s->groups * s->panels * s->in_channels * s->width.nr) *
          sizeof(float),
      64);
  return PELTON_OK;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  out->state_bytes = sizeof(state);
  if (fill(p, device, &s, NULL)) return;
  out->packed_bytes = s.bias_offset + (size_t)(s.groups * s.panels * s.width.nr) * sizeof(float);
  out->workspace_bytes = s.frame_bytes + (size_t)device->threads * PN_PROGRAM_SCRATCH_BYTES;
}

/* Panels in the order in which run reads them: phase, group, panel, tap, input channel, column. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  const float *w = pn_problem_input(p, 0, 1)->data;
  const pn_operand *bias = pn_problem_input(p, 0, 2);
  float *to = packed;
  (void)config;
  PN_TRY(fill(p, device, &s, diag));
  int64_t nr = s.width.nr, kernel = s.y.window.kernel * s.x.window.kernel;
  for (int64_t phase = 0; phase < s.y.window.stride * s.x.window.stride; phase++) {
    int64_t py = phase / s.x.window.stride, px = phase % s.x.window.stride;
    for (int64_t panel = 0; panel < s.groups * s.panels; panel++) {
      int64_t group = panel / s.panels, column = panel % s.panels * nr;
      for (int32_t i = s.y.first[py]; i < s.y.first[py + 1]; i++)
        for (int32_t k = s.x.first[px]; k < s.x.first[px + 1]; k++) {
          int64_t element = s.y.element[i] * s.x.window.kernel + s.x.element[k];
          for (int64_t c = 0; c < s.in_channels; c++)
            for (int64_t n = 0; n < nr; n++)
              *to++ = column + n < s.out_channels
                          ? w[((group * s.in_channels + c) * s.out_channels + column + n) * kernel + element]
                          : 0;
        }
    }
  }
  float *sums = (float *)(void *)((char *)packed + s.bias_offset);
  for (int64_t panel = 0; panel < s.groups * s.panels; panel++)
    for (int64_t n = 0; n < nr; n++) {
      int64_t column = panel % s.panels * nr + n, channel = panel / s.panels * s.out_channels + column;
      float sum = 0;
      if (column < s.out_channels && bias) sum += ((const float *)bias->data)[channel];
      if (column < s.out_channels && s.epilogue.bias != PN_NO_OPERAND)
        sum += ((const float *)p->operands[s.epilogue.bias].data)[channel];
      sums[panel * nr + n] = sum;
    }
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  return fill(p, device, memory, diag);
}

/* ---- run --------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const pn_step *step;
  const float *x, *packed, *bias, *residual;
  float *frame, *y;
  char *scratch;
} job;

static void frame_task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end, pixel = s->in_channels * s->groups, row = s->x.extent * pixel, inside = s->x.window.input * pixel;
  (void)thread;
  pn_cpu_share(s->pictures * s->y.extent, 1, part, s->frame_parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t iy = unit % s->y.extent - s->y.before, ahead = s->x.before * pixel;
    float *to = j->frame + unit * row;
    if (iy < 0 || iy >= s->y.window.input) {
      memset(to, 0, (size_t)row * sizeof *to);
      continue;
    }
    memset(to, 0, (size_t)ahead * sizeof *to);
    memcpy(to + ahead, j->x + (unit / s->y.extent * s->y.window.input + iy) * inside, (size_t)inside * sizeof *to);
    memset(to + ahead + inside, 0, (size_t)(row - ahead - inside) * sizeof *to);
  }
}

/* The outputs of phase |px| in row |oy|, one panel of columns. */
static void phase_row(const job *j, int64_t picture, int64_t oy, int64_t py, int64_t px, int64_t panel) {
  const state *s = j->s;
  int64_t ox, count = pn_phases_outputs(&s->x.window, px, &ox), nr = s->width.nr, pixel = s->in_channels * s->groups;
  int64_t group = panel / s->panels, column = panel % s->panels * nr, columns = s->out_channels * s->groups, taps;
  int64_t iy = (oy + s->y.window.pad_begin) / s->y.window.stride + s->y.before,
          ix = (ox + s->x.window.pad_begin) / s->x.window.stride + s->x.before;
  int64_t first = first_tap(s, py, px), tap_floats = s->in_channels * nr;
  taps = (int64_t)(s->y.first[py + 1] - s->y.first[py]) * (s->x.first[px + 1] - s->x.first[px]);
  const float *a = j->frame + ((picture * s->y.extent + iy) * s->x.extent + ix) * pixel + group * s->in_channels;
  int64_t at =
      ((picture * s->y.window.output + oy) * s->x.window.output + ox) * columns + group * s->out_channels + column;
  pn_cpu_gemm_f32_tile tile = {.a_row_stride = pixel,
                               .tap_offset = s->tap_offset + first,
                               .tap_count = (size_t)taps,
                               .k = (size_t)s->in_channels,
                               .b = j->packed + (first * s->groups * s->panels + panel * taps) * tap_floats,
                               .b_tap_stride = (size_t)tap_floats,
                               .c_row_stride = s->x.window.stride * columns,
                               .n = (size_t)pn_min_i64(nr, s->out_channels - column),
                               .start = PN_CPU_GEMM_BIAS,
                               .bias = j->bias + panel * nr,
                               .residual_row_stride = s->x.window.stride * columns,
                               .lo = s->epilogue.lo,
                               .hi = s->epilogue.hi};
  int64_t tiles = pn_div_up(count, s->width.mr_max);
  for (int64_t t = 0; t < tiles; t++) {
    int64_t begin = count * t / tiles, end = count * (t + 1) / tiles;
    tile.a = a + begin * pixel;
    tile.c = j->y + at + begin * tile.c_row_stride;
    tile.residual = j->residual ? j->residual + at + begin * tile.c_row_stride : NULL;
    s->width.fns[end - begin - 1](&tile);
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t py = 0, oy, columns = s->out_channels * s->groups;
  while (s->blocks[py + 1] <= (int64_t)index) py++;
  int64_t count = pn_phases_outputs(&s->y.window, py, &oy), blocks = pn_div_up(count, s->rows_a_block),
          block = (int64_t)index - s->blocks[py];
  int64_t picture = block / blocks, begin = block % blocks * s->rows_a_block,
          end = pn_min_i64(begin + s->rows_a_block, count);
  for (int64_t px = 0; px < s->x.window.stride; px++)
    for (int64_t panel = 0; panel < s->groups * s->panels; panel++)
      for (int64_t i = begin; i < end; i++) phase_row(j, picture, oy + i * s->y.window.stride, py, px, panel);
  float *scratch = (float *)(void *)(j->scratch + (size_t)PN_PROGRAM_SCRATCH_BYTES * thread);
  for (int64_t i = begin; i < end; i++) {
    int64_t row = (picture * s->y.window.output + oy + i * s->y.window.stride) * s->x.window.output;
    pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, j->y + row * columns, columns, row, s->x.window.output,
                      0, columns, scratch);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const state *s = step->state;
  char *workspace = step->workspace;
  (void)diag;
  job j = {.s = s,
           .step = step,
           .x = step->operands[p->nodes[0].inputs[0]],
           .packed = step->packed,
           .frame = step->workspace,
           .y = step->operands[p->nodes[p->node_count - 1].outputs[0]],
           .scratch = workspace + s->frame_bytes};
  j.bias = (const float *)(const void *)((const char *)step->packed + s->bias_offset);
  if (s->epilogue.residual != PN_NO_OPERAND) j.residual = step->operands[s->epilogue.residual];
  pn_pool_run(stream->device->pool, s->frame_parts, frame_task, &j);
  pn_pool_run(stream->device->pool, (uint32_t)s->blocks[s->y.window.stride], task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_transpose = {
    .name = "cpu.conv_transpose",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .packs = pn_cpu_conv_packs,
    .prepare = prepare,
    .run = run,
};
