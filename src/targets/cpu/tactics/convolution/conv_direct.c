/* Convolutions in f32 without im2col: the result is channels-last, and so is (usually) the input, where the pixels of a
   row lie a constant distance apart: a tile of output pixels by output channels is a matrix product summed over the
   filter's taps, each a shifted view of the same rows. Without dilation in x the taps of a filter row, and their
   channels, are one run.

   The picture is cut into regions of rows and columns small enough for the second cache. Where a region needs padding,
   comes in plain layout, or its pixels lie so that they would share one set of the first cache, it is copied into
   scratch first, once for all the output channels that the task computes: the copy costs one pass, the product some
   tens to thousands. 1x1 convolutions without stride are one long row; what padding makes of them is a border that
   holds the bias, around the product of what lies inside. */
#include "targets/cpu/convolution/conv.h"
#include "targets/cpu/convolution/conv_tiles.h"

enum { REGION_PIXELS = 160, MAX_WIDTH = 112, SCRATCH_FLOATS = 64 * 1024, SHORT_ROW = 12 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_transpose_f32 *transpose;
  pn_cpu_gemm_f32_width width;
  int64_t images, groups, channels, group_channels, group_outputs, outputs;
  pn_window y, x; /* without the border */
  int64_t out_rows, out_columns, border_top, border_left; /* the result's, and where what lies inside begins */
  bool border;
  pn_conv_depth depth;
  bool plain_input, copy, compact; /* compact: the scratch holds just the pixels that a 1x1 filter reads */
  int64_t pitch, row_pitch;                /* floats between pixels and rows of what tiles read */
  int64_t panels, panels_a_block, column_blocks;
  int64_t region_rows, region_columns, regions_y, regions_x;
  size_t packed_bytes, scratch_bytes;
  pn_epilogue epilogue;
  ptrdiff_t tap_offset[]; /* taps */
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  pn_window y, x;
  if (!pn_cpu_conv_accepts(p, &y, &x, why)) return false;
  return true;
}

/* ---- shape of the work ------------------------------------------------------------------------------------------ */

static uint32_t best_width(const pn_cpu_gemm_f32 *gemm, const state *s, double *costs) {
  return pn_conv_tile_width(gemm, pn_min_i64(s->x.output, MAX_WIDTH), s->group_outputs, costs);
}

/* The outputs of a 1x1 window that see an input: [*begin, *end). */
static bool sees_input(const pn_window *w, int64_t *begin, int64_t *end) {
  *begin = pn_min_i64(w->output, pn_div_up(w->pad_begin, w->stride));
  *end = pn_min_i64(w->output, (w->input - 1 + w->pad_begin) / w->stride + 1);
  return *begin < *end;
}

static pn_window inside_of(const pn_window *w, int64_t begin, int64_t end) {
  return (pn_window){w->input, w->kernel, w->stride, w->dilation, w->pad_begin - begin * w->stride, 0, end - begin};
}

/* Leaves in |y| and |x| what lies inside of the border. */
static void cut_border(state *s) {
  int64_t top, bottom, left, right;
  if (!sees_input(&s->y, &top, &bottom) || !sees_input(&s->x, &left, &right)) return; /* all is computed from zeros */
  s->border = true;
  s->border_top = top;
  s->border_left = left;
  s->y = inside_of(&s->y, top, bottom);
  s->x = inside_of(&s->x, left, right);
}

static void fill_shape(const pn_problem *p, state *s) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  (void)pn_cpu_conv_window(p, &s->y, &s->x); /* accepted before */
  s->images = in->dims[0];
  s->channels = in->dims[1];
  s->group_channels = w->dims[1];
  s->groups = s->channels / s->group_channels;
  s->outputs = w->dims[0];
  s->group_outputs = s->outputs / s->groups;
  s->plain_input =
      in->layout == PN_LAYOUT_PLAIN && !pn_layout_same(PN_LAYOUT_PLAIN, PN_LAYOUT_CHANNELS_LAST, in->rank, in->dims);
  bool point = s->y.kernel == 1 && s->x.kernel == 1,
       padded = s->y.pad_begin || s->y.pad_end || s->x.pad_begin || s->x.pad_end;
  s->out_rows = s->y.output;
  s->out_columns = s->x.output;
  if (point && padded) cut_border(s);
  padded = padded && !s->border;
  if (point && !s->border && !padded && s->y.stride == 1 && s->x.stride == 1 && !s->plain_input) { /* one long row */
    int64_t pixels = s->images * s->y.output * s->x.output;
    s->x = (pn_window){pixels, 1, 1, 1, 0, 0, pixels};
    s->y = (pn_window){1, 1, 1, 1, 0, 0, 1};
    s->images = s->out_rows = 1;
    s->out_columns = pixels;
  }
  bool alias = s->x.stride * s->group_channels % PN_CONV_ALIAS == 0 && s->group_channels > 1;
  bool merged = s->x.dilation == 1 && !alias; /* from constants and attributes alone: packed weights depend on it */
  s->depth = pn_conv_depth_make(&s->y, &s->x, s->group_channels, merged);
  bool stride_alias = s->x.stride * s->channels % PN_CONV_ALIAS == 0;
  s->copy = s->plain_input || padded || (s->groups > 1 && !point) || stride_alias;
  s->compact = s->copy && point;
}

static void fill_regions(const pn_device *device, state *s) {
  s->regions_x = pn_div_up(s->x.output, MAX_WIDTH);
  s->region_columns = pn_div_up(s->x.output, s->regions_x);
  s->regions_x = pn_div_up(s->x.output, s->region_columns);
  s->region_rows = pn_max_i64(1, pn_min_i64(s->y.output, REGION_PIXELS / s->region_columns));
  int64_t apart = s->compact ? s->group_channels : s->x.stride * s->group_channels;
  int64_t pad = s->group_channels > 1 && apart % PN_CONV_ALIAS == 0 ? 16 : 0;
  s->pitch = s->copy ? s->group_channels + pad : s->channels;
  for (;;) { /* the region's input stays in the second cache */
    int64_t columns = s->compact ? s->region_columns : (s->region_columns - 1) * s->x.stride + pn_window_span(&s->x);
    int64_t rows = s->compact ? s->region_rows : (s->region_rows - 1) * s->y.stride + pn_window_span(&s->y);
    s->row_pitch = s->copy ? columns * s->pitch : s->x.input * s->channels;
    s->scratch_bytes = s->copy ? pn_align_up((size_t)(rows * s->row_pitch + 64) * 4, 64) : 0;
    if (rows * columns * s->pitch <= SCRATCH_FLOATS || s->region_rows == 1) break;
    s->region_rows = pn_div_up(s->region_rows, 2);
  }
  s->regions_y = pn_div_up(s->y.output, s->region_rows);
  s->region_rows = pn_div_up(s->y.output, s->regions_y);
  s->regions_y = pn_div_up(s->y.output, s->region_rows);
  int64_t tasks = s->images * s->groups * s->regions_y * s->regions_x, wanted = 4 * (int64_t)device->threads;
  s->panels = pn_div_up(s->group_outputs, s->width.nr);
  s->column_blocks = pn_cpu_panel_blocks(s->panels, tasks, wanted, &s->panels_a_block);
}

static void fill(const pn_problem *p, const pn_device *device, const pn_config *config, state *s) {
  s->gemm = device->gemm;
  s->vec = device->vec;
  s->transpose = device->transpose;
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  (void)pn_epilogue_bend(&s->epilogue);
  fill_shape(p, s);
  double costs[PN_CONV_TILE_WIDTHS];
  s->width = *pn_conv_tile_chosen(device->gemm, config, best_width(device->gemm, s, costs));
  fill_regions(device, s);
  s->packed_bytes = (size_t)(s->groups * s->panels * s->width.nr * s->depth.taps * s->depth.k) * 4;
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
  /* A vector of a filter that comes from the second cache serves one short row only. */
  if (s.x.output < SHORT_ROW && (size_t)(s.depth.taps * s.depth.k * s.width.nr) * 4 > device->l1_bytes)
    slower *= 1 + 0.03 * (double)(SHORT_ROW - s.x.output);
  double columns = (double)pn_div_up(s.group_outputs, 16) * 16;
  double fmas = (double)(s.images * s.groups * s.y.output * s.x.output) * columns * (double)(s.depth.taps * s.depth.k);
  double bytes = pn_cpu_operand_bytes(p) + (s.copy ? 8.0 * (double)(s.images * s.channels * s.y.input * s.x.input) : 0);
  return pn_cpu_estimate(device, fmas * slower, bytes, 0.85);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  fill(p, device, config, &s);
  out->state_bytes = sizeof(state) + (size_t)s.depth.taps * sizeof(ptrdiff_t);
  out->packed_bytes = s.packed_bytes + (size_t)(s.groups * s.panels * s.width.nr * (s.epilogue.bends ? 2 : 1)) * 4;
  out->workspace_bytes = (size_t)device->threads * (s.scratch_bytes + PN_PROGRAM_SCRATCH_BYTES);
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

/* [group][panel][tap][k][nr], then the bias in panels, then the slopes where there are some. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  (void)diag;
  fill(p, device, config, &s);
  pn_conv_pack_groups(p, &s.epilogue, &s.depth, s.groups, s.width.nr, packed);
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  (void)diag;
  fill(p, device, config, s);
  int64_t dilated = s->compact ? 0 : s->y.dilation * s->row_pitch;
  for (int64_t t = 0; t < s->depth.taps; t++)
    s->tap_offset[t] = s->depth.merged
                           ? t * dilated
                           : t / s->x.kernel * dilated + t % s->x.kernel * s->x.dilation * s->pitch;
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const pn_step *step;
  const float *in, *b, *bias, *slope, *residual;
  float *out;
  char *scratch;
  uint32_t regions, border_parts;
} job;

typedef struct region {
  int64_t image, group, y0, y1, x0, x1, panel, panels;
} region;

/* |count| pixels of input row |iy| from column |ix| on, every |step|-th, into |to|. */
static void copy_pixels(const state *s, const float *in, const region *r, int64_t iy, int64_t ix, int64_t step,
                        int64_t count, float *to) {
  if (count <= 0) return;
  if (!s->plain_input) {
    const float *from =
        in + ((r->image * s->y.input + iy) * s->x.input + ix) * s->channels + r->group * s->group_channels;
    if (step == 1 && s->pitch == s->channels)
      memcpy(to, from, (size_t)(count * s->pitch) * 4);
    else
      s->gemm->copy_rows(from, s->channels * step, (size_t)count, (size_t)s->group_channels, to, s->pitch);
    return;
  }
  int64_t plane = s->y.input * s->x.input;
  const float *from = in + (r->image * s->channels + r->group * s->group_channels) * plane + iy * s->x.input + ix;
  if (step == 1) {
    s->transpose->transpose(from, plane, (size_t)s->group_channels, (size_t)count, to, s->pitch);
    return;
  }
  for (int64_t c = 0; c < s->group_channels; c++)
    for (int64_t x = 0; x < count; x++) to[x * s->pitch + c] = from[c * plane + x * step];
}

static void zero_pixels(const state *s, int64_t count, float *to) {
  if (count > 0) memset(to, 0, (size_t)(count * s->pitch) * 4);
}

static void copy_region(const state *s, const float *in, const region *r, float *to) {
  int64_t step = s->compact ? s->x.stride : 1;
  int64_t ix = r->x0 * s->x.stride - s->x.pad_begin;
  int64_t columns = s->compact ? r->x1 - r->x0 : (r->x1 - r->x0 - 1) * s->x.stride + pn_window_span(&s->x);
  int64_t rows = s->compact ? r->y1 - r->y0 : (r->y1 - r->y0 - 1) * s->y.stride + pn_window_span(&s->y);
  int64_t left = pn_min_i64(columns, pn_max_i64(0, pn_div_up(-ix, step)));
  if (ix >= 0) left = 0;
  int64_t right = pn_max_i64(left, pn_min_i64(columns, ix >= s->x.input ? 0 : (s->x.input - 1 - ix) / step + 1));
  for (int64_t y = 0; y < rows; y++, to += s->row_pitch) {
    int64_t iy = r->y0 * s->y.stride - s->y.pad_begin + (s->compact ? y * s->y.stride : y);
    if (iy < 0 || iy >= s->y.input) {
      zero_pixels(s, columns, to);
      continue;
    }
    zero_pixels(s, left, to);
    copy_pixels(s, in, r, iy, ix + left * step, step, right - left, to + left * s->pitch);
    zero_pixels(s, columns - right, to + right * s->pitch);
  }
}

/* The pixel of the result at |y| and |x| of what lies inside. */
static int64_t pixel_at(const state *s, int64_t image, int64_t y, int64_t x) {
  return (image * s->out_rows + s->border_top + y) * s->out_columns + s->border_left + x;
}

static void compute_row(const job *j, const region *r, const float *a, int64_t y, int64_t q) {
  const state *s = j->s;
  int64_t nr = s->width.nr, columns = r->x1 - r->x0, tiles = pn_div_up(columns, s->width.mr_max);
  int64_t stride = s->compact ? s->pitch : s->x.stride * s->pitch, panel = r->group * s->panels + q;
  int64_t pixel = pixel_at(s, r->image, y, r->x0);
  for (int64_t t = 0; t < tiles; t++) {
    int64_t begin = columns * t / tiles, end = columns * (t + 1) / tiles;
    int64_t at = (pixel + begin) * s->outputs + r->group * s->group_outputs + q * nr;
    pn_cpu_gemm_f32_tile tile = {.a = a + begin * stride,
                                 .a_row_stride = stride,
                                 .tap_offset = s->tap_offset,
                                 .tap_count = (size_t)s->depth.taps,
                                 .k = (size_t)s->depth.k,
                                 .b = j->b + panel * nr * s->depth.taps * s->depth.k,
                                 .b_tap_stride = (size_t)(nr * s->depth.k),
                                 .c = j->out + at,
                                 .c_row_stride = s->outputs,
                                 .n = (size_t)pn_min_i64(nr, s->group_outputs - q * nr),
                                 .start = PN_CPU_GEMM_BIAS,
                                 .bias = j->bias + panel * nr,
                                 .residual = j->residual ? j->residual + at : NULL,
                                 .residual_row_stride = s->outputs,
                                 .slope = j->slope ? j->slope + panel * nr : NULL,
                                 .lo = s->epilogue.lo,
                                 .hi = s->epilogue.hi};
    s->width.fns[end - begin - 1](&tile);
  }
}

static void compute_region(const job *j, const region *r, uint32_t thread) {
  const state *s = j->s;
  char *own = j->scratch + (s->scratch_bytes + PN_PROGRAM_SCRATCH_BYTES) * thread;
  const float *a = (const float *)(const void *)own;
  if (s->copy)
    copy_region(s, j->in, r, (float *)(void *)own);
  else
    a = j->in + r->group * s->group_channels +
        ((r->image * s->y.input + r->y0 * s->y.stride - s->y.pad_begin) * s->x.input + r->x0 * s->x.stride -
         s->x.pad_begin) *
            s->channels;
  int64_t row_step = s->compact ? s->row_pitch : s->y.stride * s->row_pitch;
  for (int64_t q = r->panel; q < r->panel + r->panels; q++)
    for (int64_t y = r->y0; y < r->y1; y++) compute_row(j, r, a + (y - r->y0) * row_step, y, q);
  int64_t column = r->panel * s->width.nr, columns = pn_min_i64(r->panels * s->width.nr, s->group_outputs - column);
  column += r->group * s->group_outputs;
  for (int64_t y = r->y0; y < r->y1 && !s->epilogue.native; y++) {
    int64_t row = pixel_at(s, r->image, y, r->x0);
    pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, j->out + row * s->outputs + column, s->outputs, row,
                      r->x1 - r->x0, column, columns, (float *)(void *)(own + s->scratch_bytes));
  }
}

/* |count| pixels of the result from |pixel| on that see no input. */
static void fill_pixels(const job *j, int64_t pixel, int64_t count, float *scratch) {
  const state *s = j->s;
  float *to = j->out + pixel * s->outputs;
  const float *residual = j->residual ? j->residual + pixel * s->outputs : NULL;
  for (int64_t i = 0; i < count * s->groups; i++) {
    int64_t first = i % s->groups * s->panels * s->width.nr;
    const float *bias = j->bias + first, *slope = j->slope ? j->slope + first : NULL;
    for (int64_t o = 0; o < s->group_outputs; o++, to++) {
      float value = bias[o] + (residual ? *residual++ : 0);
      if (slope && value < 0) value *= slope[o];
      value = value < s->epilogue.lo ? s->epilogue.lo : value;
      *to = value > s->epilogue.hi ? s->epilogue.hi : value;
    }
  }
  if (count)
    pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, j->out + pixel * s->outputs, s->outputs, pixel, count, 0,
                      s->outputs, scratch);
}

/* Part |index| of the rows of the result, without what lies inside. */
static void fill_rows(const job *j, uint32_t index, uint32_t thread) {
  const state *s = j->s;
  char *own = j->scratch + (s->scratch_bytes + PN_PROGRAM_SCRATCH_BYTES) * thread;
  float *scratch = (float *)(void *)(own + s->scratch_bytes);
  int64_t begin, end;
  pn_cpu_share(s->images * s->out_rows, 1, index, j->border_parts, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    int64_t y = i % s->out_rows - s->border_top;
    bool inside = y >= 0 && y < s->y.output;
    int64_t left = inside ? s->border_left : s->out_columns, right = inside ? left + s->x.output : left;
    fill_pixels(j, i * s->out_columns, left, scratch);
    fill_pixels(j, i * s->out_columns + right, s->out_columns - right, scratch);
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  if (index >= j->regions) {
    fill_rows(j, index - j->regions, thread);
    return;
  }
  int64_t i = index;
  region r;
  int64_t block = i % s->column_blocks;
  i /= s->column_blocks;
  int64_t rx = i % s->regions_x;
  i /= s->regions_x;
  int64_t ry = i % s->regions_y;
  i /= s->regions_y;
  r.group = i % s->groups;
  r.image = i / s->groups;
  r.y0 = ry * s->region_rows;
  r.y1 = pn_min_i64(s->y.output, r.y0 + s->region_rows);
  r.x0 = rx * s->region_columns;
  r.x1 = pn_min_i64(s->x.output, r.x0 + s->region_columns);
  r.panel = block * s->panels_a_block;
  r.panels = pn_min_i64(s->panels_a_block, s->panels - r.panel);
  compute_region(j, &r, thread);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s, .step = step, .b = step->packed, .scratch = step->workspace};
  j.in = step->operands[p->nodes[0].inputs[0]];
  j.out = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  j.bias = (const float *)(const void *)((const char *)step->packed + s->packed_bytes);
  if (s->epilogue.bends) j.slope = j.bias + s->groups * s->panels * s->width.nr;
  if (s->epilogue.residual != PN_NO_OPERAND) j.residual = step->operands[s->epilogue.residual];
  j.regions = (uint32_t)(s->images * s->groups * s->regions_y * s->regions_x * s->column_blocks);
  if (s->border) j.border_parts = (uint32_t)pn_min_i64(s->images * s->out_rows, 2 * (int64_t)stream->device->threads);
  pn_pool_run(stream->device->pool, j.regions + j.border_parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_direct = {
    .name = "cpu.conv_direct",
    .version = 2,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .packs = pn_cpu_conv_packs,
    .prepare = prepare,
    .run = run,
};
