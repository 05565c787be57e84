/* Convolutions in f32 over small maps, channels-last: the last stages of classifiers, 7 x 7 pixels and many channels.

   conv_direct multiplies along one output row; with 7 pixels in a row each vector of the filter, which comes from the
   second cache or beyond, serves 7 multiply-adds. Here the inputs of many output pixels (of all rows, of several
   images) are gathered, a block of the depth (tap, channel) at a time, into rows a constant distance apart, and the
   product runs over tiles of all these pixels. A block of the filter, DEPTH x nr, stays in the first cache while they
   pass; the result collects in the output itself, from block to block. The copy is filter-many times the picture, but
   costs one store where the product costs a multiply-add for each output channel of the task. */
#include "targets/cpu/convolution/conv.h"
#include "targets/cpu/convolution/conv_tiles.h"

enum { DEPTH = 256, PITCH_PAD = 16, MAX_PIXELS = 112, MAX_ROW = 14, L1_BYTES = 32768, MIN_CHANNELS = 16 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  pn_cpu_gemm_f32_width width;
  int64_t groups, channels, group_channels, group_outputs, outputs;
  pn_window y, x;
  int64_t depth, pixels; /* of the product */
  int64_t panels, panels_a_block, column_blocks;
  int64_t pixels_a_block, pixel_blocks;
  size_t packed_bytes, scratch_bytes;
  pn_epilogue epilogue;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  pn_window y, x;
  if (!pn_cpu_conv_accepts(p, &y, &x, why)) return false;
  if (pn_problem_input(p, 0, 0)->layout != PN_LAYOUT_CHANNELS_LAST) return pn_refuse(why, "wants channels_last");
  if (pn_problem_input(p, 0, 1)->dims[1] < MIN_CHANNELS)
    return pn_refuse(why, "fewer than %d channels to gather at a time", MIN_CHANNELS);
  if (x.output > MAX_ROW) return pn_refuse(why, "rows longer than %d fill conv_direct's tiles", MAX_ROW);
  if (y.kernel == 1 && x.kernel == 1 && y.stride == 1 && x.stride == 1)
    return pn_refuse(why, "the input is a matrix as it lies");
  return true;
}

/* As anywhere; and a block of the filter that does not stay in the first cache is read by each tile from the second. */
static uint32_t best_width(const pn_cpu_gemm_f32 *gemm, const state *s, double *costs) {
  uint32_t best = 0;
  (void)pn_conv_tile_width(gemm, pn_min_i64(s->pixels, MAX_PIXELS), s->group_outputs, costs);
  for (uint32_t i = 0; i < gemm->width_count; i++) {
    if (gemm->widths[i].nr * DEPTH * 4 > L1_BYTES) costs[i] *= 1.1;
    if (costs[i] < costs[best]) best = i;
  }
  return best;
}

static void fill_shape(const pn_problem *p, state *s) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  (void)pn_cpu_conv_window(p, &s->y, &s->x); /* accepted before */
  s->channels = in->dims[1];
  s->group_channels = w->dims[1];
  s->groups = s->channels / s->group_channels;
  s->outputs = w->dims[0];
  s->group_outputs = s->outputs / s->groups;
  s->depth = s->y.kernel * s->x.kernel * s->group_channels;
  s->pixels = in->dims[0] * s->y.output * s->x.output;
}

static void fill(const pn_problem *p, const pn_device *device, const pn_config *config, state *s) {
  double costs[PN_CONV_TILE_WIDTHS];
  s->gemm = device->gemm;
  s->vec = device->vec;
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  fill_shape(p, s);
  s->width = *pn_conv_tile_chosen(device->gemm, config, best_width(device->gemm, s, costs));
  s->pixel_blocks = pn_div_up(s->pixels, MAX_PIXELS);
  s->pixels_a_block = pn_div_up(s->pixels, s->pixel_blocks);
  s->pixel_blocks = pn_div_up(s->pixels, s->pixels_a_block);
  /* Every block of columns gathers again: no more of them than keep the threads busy. */
  int64_t tasks = s->groups * s->pixel_blocks, wanted = device->threads > 1 ? 2 * (int64_t)device->threads : 1;
  s->panels = pn_div_up(s->group_outputs, s->width.nr);
  s->column_blocks = pn_cpu_panel_blocks(s->panels, tasks, wanted, &s->panels_a_block);
  s->packed_bytes = (size_t)(s->groups * s->panels * s->width.nr * s->depth) * 4;
  s->scratch_bytes = pn_align_up((size_t)(s->pixels_a_block * (DEPTH + PITCH_PAD)) * 4, 64);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  state s = {0};
  double costs[PN_CONV_TILE_WIDTHS];
  fill_shape(p, &s);
  return pn_conv_tile_configs(device->gemm, best_width(device->gemm, &s, costs), out, max);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  double costs[PN_CONV_TILE_WIDTHS];
  fill(p, device, config, &s);
  uint32_t best = best_width(device->gemm, &s, costs);
  double slower = pn_conv_tile_slowness(device->gemm, &s.width, best, costs);
  double inputs = (double)(s.pixels * s.groups) * (double)s.depth;
  double fmas = inputs * (double)(pn_div_up(s.group_outputs, 16) * 16) * slower;
  /* The copy: with 32, 64, 128 channels of a task the product alone is 20, 8, 5 % quicker (Zen 4). */
  fmas += inputs * (double)s.column_blocks * 8;
  return pn_cpu_estimate(device, fmas, pn_cpu_operand_bytes(p), 0.85);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  fill(p, device, config, &s);
  out->state_bytes = sizeof(state);
  out->packed_bytes = s.packed_bytes + (size_t)(s.groups * s.panels * s.width.nr) * 4;
  out->workspace_bytes = (size_t)device->threads * (s.scratch_bytes + PN_PROGRAM_SCRATCH_BYTES);
}

/* [group][panel][tap][channel][nr], then the bias in panels. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  (void)diag;
  fill(p, device, config, &s);
  pn_conv_depth depth = pn_conv_depth_make(&s.y, &s.x, s.group_channels, false);
  pn_conv_pack_groups(p, &s.epilogue, &depth, s.groups, s.width.nr, packed);
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)diag;
  fill(p, device, config, memory);
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const pn_step *step;
  const float *in, *b, *bias, *residual;
  float *out;
} job;

/* What a task computes: output pixels [first, end) and panels of |group|. */
typedef struct block {
  int64_t group, first, end, panel, panels;
} block;

/* Depth [begin, end) of the inputs of all pixels, a row each. */
static void gather(const job *j, const block *b, int64_t begin, int64_t end, float *to) {
  const state *s = j->s;
  for (int64_t m = b->first; m < b->end; m++, to += DEPTH + PITCH_PAD) {
    int64_t x = m % s->x.output * s->x.stride - s->x.pad_begin, row = m / s->x.output;
    int64_t y = row % s->y.output * s->y.stride - s->y.pad_begin;
    const float *image =
        j->in + row / s->y.output * s->y.input * s->x.input * s->channels + b->group * s->group_channels;
    int64_t tap = begin / s->group_channels, c = begin % s->group_channels;
    for (int64_t k = begin; k < end; tap++, c = 0) {
      int64_t iy = y + tap / s->x.kernel * s->y.dilation, ix = x + tap % s->x.kernel * s->x.dilation;
      int64_t n = pn_min_i64(s->group_channels - c, end - k);
      bool inside = iy >= 0 && iy < s->y.input && ix >= 0 && ix < s->x.input;
      if (inside)
        memcpy(to + (k - begin), image + (iy * s->x.input + ix) * s->channels + c, (size_t)n * 4);
      else
        memset(to + (k - begin), 0, (size_t)n * 4);
      k += n;
    }
  }
}

/* Panel |q| of all pixels, over depth [begin, end). */
static void multiply(const job *j, const block *b, int64_t begin, int64_t end, int64_t q, const float *a) {
  static const ptrdiff_t no_offset = 0;
  const state *s = j->s;
  int64_t nr = s->width.nr, pixels = b->end - b->first, tiles = pn_div_up(pixels, s->width.mr_max),
          panel = b->group * s->panels + q;
  bool last = end == s->depth;
  for (int64_t t = 0; t < tiles; t++) {
    int64_t from = pixels * t / tiles, to = pixels * (t + 1) / tiles;
    int64_t at = (b->first + from) * s->outputs + b->group * s->group_outputs + q * nr;
    pn_cpu_gemm_f32_tile tile = {.a = a + from * (DEPTH + PITCH_PAD),
                                 .a_row_stride = DEPTH + PITCH_PAD,
                                 .tap_offset = &no_offset,
                                 .tap_count = 1,
                                 .k = (size_t)(end - begin),
                                 .b = j->b + (panel * s->depth + begin) * nr,
                                 .c = j->out + at,
                                 .c_row_stride = s->outputs,
                                 .n = (size_t)pn_min_i64(nr, s->group_outputs - q * nr),
                                 .start = begin ? PN_CPU_GEMM_ADD_TO_C : PN_CPU_GEMM_BIAS,
                                 .bias = j->bias + panel * nr,
                                 .residual = last && j->residual ? j->residual + at : NULL,
                                 .residual_row_stride = s->outputs,
                                 .lo = last ? s->epilogue.lo : -__builtin_inff(),
                                 .hi = last ? s->epilogue.hi : __builtin_inff()};
    s->width.fns[to - from - 1](&tile);
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  char *own = (char *)j->step->workspace + (s->scratch_bytes + PN_PROGRAM_SCRATCH_BYTES) * thread;
  float *a = (float *)(void *)own;
  int64_t i = index / s->column_blocks;
  block b = {.group = i % s->groups,
             .first = i / s->groups * s->pixels_a_block,
             .panel = index % s->column_blocks * s->panels_a_block};
  b.end = pn_min_i64(s->pixels, b.first + s->pixels_a_block);
  b.panels = pn_min_i64(s->panels_a_block, s->panels - b.panel);
  for (int64_t begin = 0; begin < s->depth; begin += DEPTH) {
    int64_t end = pn_min_i64(s->depth, begin + DEPTH);
    gather(j, &b, begin, end, a);
    for (int64_t q = b.panel; q < b.panel + b.panels; q++) multiply(j, &b, begin, end, q, a);
  }
  int64_t column = b.panel * s->width.nr, columns = pn_min_i64(b.panels * s->width.nr, s->group_outputs - column);
  column += b.group * s->group_outputs;
  pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, j->out + b.first * s->outputs + column, s->outputs,
                    b.first, b.end - b.first, column, columns, (float *)(void *)(own + s->scratch_bytes));
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s, .step = step, .b = step->packed};
  j.in = step->operands[p->nodes[0].inputs[0]];
  j.out = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  j.bias = (const float *)(const void *)((const char *)step->packed + s->packed_bytes);
  if (s->epilogue.residual != PN_NO_OPERAND) j.residual = step->operands[s->epilogue.residual];
  pn_pool_run(stream->device->pool, (uint32_t)(s->groups * s->pixel_blocks * s->column_blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_gathered = {
    .name = "cpu.conv_gathered",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .packs = pn_cpu_conv_packs,
    .prepare = prepare,
    .run = run,
};
