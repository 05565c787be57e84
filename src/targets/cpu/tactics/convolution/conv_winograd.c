/* 3x3 and 5x5 convolutions in f32 by Winograd's F(m x m, r x r): (m + r - 1)^2 products for m^2 outputs instead of
   r^2 m^2, for two transforms: 2.25, 4 and 5.06 times fewer with m of 2, 4 and 6 for 3x3, 2.8 and 6.25 times with m of 2
   and 4 for 5x5.

   Tiles of m x m output pixels are numbered over all images and cut into blocks. A task takes a block and a range of
   output channels: it transforms the block's input into V (tiles x points x channels) once and then goes over the
   channels in chunks: for each point a matrix product of V with the transformed filters, into M (tiles x points x
   channels of the chunk, which stays in the second cache), and M's transform with bias, residual and clamp. Filters
   are transformed by pack, in double. The transforms cost as much a channel however many channels there are on the
   other side, so that few channels are left to other tactics.

   Errors against double on normal random data, largest of all relative to the largest output, for 64, 128, 256 and 512
   channels: 3x3 F(2 x 2) 4e-7, 5e-7, 7e-7, 12e-7; F(4 x 4) 18e-7, 27e-7, 32e-7, 45e-7; F(6 x 6) 67e-7, 11e-6, 13e-6,
   22e-6; 5x5 F(2 x 2) 10e-7, 14e-7, 19e-7, 29e-7; F(4 x 4) 55e-7, 72e-7, 12e-6, 14e-6; the direct sum of 3x3 in f32
   12e-7, 14e-7, 23e-7, 32e-7. What exceeds the build's error bound is no candidate. */
#include "targets/cpu/convolution/conv.h"
#include "targets/cpu/convolution/winograd.h"

#include <math.h>

enum { MIN_CHANNELS = 12, MIN_TILES = 28, LARGE_TILES = 56, FEW_TILES = 14 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  pn_cpu_winograd_f32_input_fn *input;
  pn_cpu_winograd_f32_output_fn *output;
  pn_cpu_gemm_f32_width width;
  int64_t images, channels, outputs;
  pn_window y, x;
  int64_t size, kernel, alpha, points; /* m, r, m + r - 1 and its square */
  int64_t tiles_y, tiles_x, tiles, block_tiles, blocks;
  bool fetch_input, fetch_output; /* the map is larger than the second cache */
  int64_t panels, panels_a_block, column_blocks, panels_a_chunk;
  int64_t v_pitch, v_plane, m_pitch, m_plane; /* floats between tiles and between points */
  size_t packed_bytes, v_bytes, m_bytes, thread_bytes;
  pn_epilogue epilogue;
  float zeros[]; /* channels: pixels outside of the input */
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window y, x;
  if (!pn_cpu_conv_accepts(p, &y, &x, why)) return false;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  if (in->rank != 4) return pn_refuse(why, "two spatial axes, not %u", in->rank - 2);
  if (y.kernel != x.kernel || !pn_winograd_has(2, y.kernel)) return pn_refuse(why, "3x3 and 5x5 filters only");
  if (w->dims[1] != in->dims[1]) return pn_refuse(why, "filters in groups");
  if (in->dims[1] < MIN_CHANNELS || w->dims[0] < MIN_CHANNELS)
    return pn_refuse(why, "fewer than %d channels do not pay for the transforms", MIN_CHANNELS);
  if (pn_winograd_error(2, y.kernel, in->dims[1]) > device->error_bound)
    return pn_refuse(why, "its error may be larger than the bound, %g", device->error_bound);
  if (in->layout != PN_LAYOUT_CHANNELS_LAST) return pn_refuse(why, "wants channels_last input");
  if (y.stride != 1 || x.stride != 1 || y.dilation != 1 || x.dilation != 1)
    return pn_refuse(why, "strides and dilations of 1 only");
  return true;
}

/* ---- shape of the work ----------------------------------------------------------------------------------------------
 */

/* Floats from one row to the next: an odd number of cache lines, so that neighbours lie in different sets. */
static int64_t odd_lines(int64_t floats) { return (pn_div_up(floats, 16) | 1) * 16; }
/* Floats from one point to the next: a transform writes or reads all points of a tile at once, which must not crowd into
   few sets. */
static int64_t some_lines(int64_t floats) {
  int64_t lines = pn_div_up(floats, 16);
  return (lines + (lines % 4 == 0)) * 16;
}

/* The width of tile that loads least a multiply-add for |rows| rows. From the filter alone where a config says it. */
static uint32_t best_width(const pn_cpu_gemm_f32 *gemm, int64_t rows, int64_t outputs) {
  uint32_t best = 0;
  double least = 0;
  for (uint32_t i = 0; i < gemm->width_count; i++) {
    const pn_cpu_gemm_f32_width *w = &gemm->widths[i];
    double mr = (double)rows / (double)pn_div_up(rows, w->mr_max), vectors = w->nr / (double)gemm->widths[0].nr;
    double cost = (double)(pn_div_up(outputs, w->nr) * w->nr) * (1 + 0.7 * (vectors + mr) / (vectors * mr));
    if (vectors * mr < 8) cost *= 8 / (vectors * mr);
    if (i == 0 || cost < least) least = cost, best = i;
  }
  return best;
}

static void fill_blocks(const pn_device *device, state *s) {
  int64_t l2_floats = (int64_t)(device->l2_bytes ? device->l2_bytes : 512 * 1024) / 4,
          wanted = 4 * (int64_t)device->threads;
  s->v_plane = some_lines(s->channels);
  s->v_pitch = odd_lines(s->points * s->v_plane);
  /* Filters that do not stay in a cache are read from memory for every block: blocks are larger then. */
  bool large = s->packed_bytes > device->l3_bytes / 2;
  int64_t most = pn_max_i64(large ? LARGE_TILES : MIN_TILES, l2_floats / 2 / s->v_pitch);
  /* A task for each thread, where the second cache would hold so many tiles that there are fewer: with 2 MB of it, four
     threads found two tasks in a map of 56 x 56 with 64 channels, and eight took as long as four. */
  int64_t ranges_most = pn_div_up(s->outputs, 64), blocks = pn_div_up(device->threads, ranges_most);
  if (!large && device->threads > 1) most = pn_min_i64(most, pn_max_i64(FEW_TILES, pn_div_up(s->tiles, blocks)));
  s->blocks = pn_div_up(s->tiles, most);
  s->block_tiles = pn_div_up(s->tiles, s->blocks);
  s->blocks = pn_div_up(s->tiles, s->block_tiles);
  /* Each range of channels transforms the input again, which is little beside products with 64 channels. */
  int64_t ranges = pn_min_i64(pn_div_up(wanted, s->blocks), ranges_most);
  if (s->blocks >= wanted || device->threads == 1) ranges = 1;
  s->panels_a_block = pn_div_up(s->panels, ranges);
  s->column_blocks = pn_div_up(s->panels, s->panels_a_block);
  int64_t nr = s->width.nr;
  s->panels_a_chunk = pn_max_i64(1, pn_min_i64(s->panels_a_block, l2_floats / 2 / (s->points * s->block_tiles * nr)));
  s->m_plane = some_lines(s->panels_a_chunk * nr);
  s->m_pitch = odd_lines(s->points * s->m_plane);
  s->v_bytes = (size_t)(s->block_tiles * s->v_pitch) * 4;
  s->m_bytes = (size_t)(s->block_tiles * s->m_pitch) * 4;
  s->thread_bytes = s->v_bytes + s->m_bytes + (s->epilogue.native ? 0 : PN_PROGRAM_SCRATCH_BYTES);
}

static void fill_shape(const pn_problem *p, const pn_config *config, state *s) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  pn_window axes[2] = {{0}};
  (void)pn_cpu_conv_window(p, &axes[0], &axes[1]); /* accepted before */
  s->y = axes[0];
  s->x = axes[1];
  s->images = in->dims[0];
  s->channels = in->dims[1];
  s->outputs = w->dims[0];
  s->kernel = s->y.kernel;
  s->size = pn_winograd_has(config->value[0], s->kernel) ? config->value[0] : 4;
  s->alpha = s->size + s->kernel - 1;
  s->points = s->alpha * s->alpha;
  s->tiles_y = pn_div_up(s->y.output, s->size);
  s->tiles_x = pn_div_up(s->x.output, s->size);
  s->tiles = s->images * s->tiles_y * s->tiles_x;
}

static void fill(const pn_problem *p, const pn_device *device, const pn_config *config, state *s) {
  const pn_cpu_winograd_f32 *kernels = pn_cpu_winograd_f32_best(device->isa);
  s->gemm = device->gemm;
  s->vec = device->vec;
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  (void)pn_epilogue_bend(&s->epilogue);
  fill_shape(p, config, s);
  s->input = kernels->input[s->alpha / 2 - 2];
  s->output = kernels->output[s->alpha / 2 - 2][s->size / 2 - 1];
  s->width = device->gemm->widths[best_width(device->gemm, MIN_TILES, s->outputs)];
  for (uint32_t i = 0; i < device->gemm->width_count; i++)
    if ((int32_t)device->gemm->widths[i].nr == config->value[1]) s->width = device->gemm->widths[i];
  s->fetch_input = (uint64_t)(s->y.input * s->x.input * s->channels) * 4 > device->l2_bytes;
  s->fetch_output = (uint64_t)(s->y.output * s->x.output * s->outputs) * 4 > device->l2_bytes;
  s->panels = pn_div_up(s->outputs, s->width.nr);
  s->packed_bytes = (size_t)(s->points * s->channels * s->panels * s->width.nr) * 4;
  fill_blocks(device, s);
}

/* Value 0 is m, value 1 the width of the panels. */
static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  state s = {0};
  uint32_t count = 0;
  for (int32_t size = 6; size >= 2 && count < max; size -= 2) {
    pn_config config = {{size}};
    fill_shape(p, &config, &s);
    if (s.size != size || pn_winograd_error(size, s.kernel, s.channels) > device->error_bound) continue;
    uint32_t width = best_width(device->gemm, pn_min_i64(s.tiles, LARGE_TILES), s.outputs);
    config.value[1] = (int32_t)device->gemm->widths[width].nr;
    out[count++] = config;
  }
  return count;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  fill(p, device, config, &s);
  double tiles = (double)s.tiles, nr = s.width.nr, columns = (double)s.panels * nr;
  double products = tiles * (double)(s.points * s.channels) * columns;
  double idle = pn_cpu_idle(device, s.blocks * s.column_blocks);
  /* Of a tile and channel, in multiply-adds: arithmetic, loads and stores. */
  static const double input[3] = {90, 260, 560}, output[3][3] = {{70}, {110, 160}, {0, 300, 400}};
  double in = input[s.alpha / 2 - 2], out = output[s.alpha / 2 - 2][s.size / 2 - 1];
  double transforms = tiles * (in * (double)(s.channels * s.column_blocks) + out * columns);
  double filters = (double)s.packed_bytes * (s.packed_bytes > device->l3_bytes / 2 ? (double)s.blocks : 1);
  double bytes = pn_cpu_operand_bytes(p) - (double)pn_operand_bytes(pn_problem_input(p, 0, 1));
  /* Prefetching hides a part of reading the filters, which are 16 or 36 values for 9. */
  return pn_cpu_estimate(device, (products + transforms) * idle, bytes, 0.85) + 0.6 * filters / device->bytes_per_second;
}

static double error(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)device;
  fill_shape(p, config, &s);
  return pn_winograd_error(s.size, s.kernel, s.channels);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  fill(p, device, config, &s);
  out->state_bytes = sizeof(state) + (size_t)s.channels * 4;
  out->packed_bytes = s.packed_bytes + (size_t)(s.panels * s.width.nr * (s.epilogue.bends ? 2 : 1)) * 4;
  out->workspace_bytes = (size_t)device->threads * s.thread_bytes;
}

/* ---- packing
 * --------------------------------------------------------------------------------------------------------- */

/* Filters [k, k + lanes) of all channels, zeros beyond the last. */
static void pack_lanes(const state *s, const float *w, int64_t k, int64_t lanes, float *to) {
  double points[PN_WINOGRAD_POINTS_MAX * PN_WINOGRAD_LANES];
  int64_t nr = s->width.nr, plane = s->channels * nr, filter = s->kernel * s->kernel;
  int64_t count = pn_max_i64(0, pn_min_i64(lanes, s->outputs - k));
  for (int64_t c = 0; c < s->channels; c++, to += nr) {
    pn_winograd_filters(s->size, s->kernel, count ? w + (k * s->channels + c) * filter : w, s->channels * filter, count,
                        points);
    for (int64_t i = 0; i < s->points; i++)
      for (int64_t n = 0; n < lanes; n++) to[i * plane + n] = (float)points[i * PN_WINOGRAD_LANES + n];
  }
}

/* [panel][point][channel][nr], the bias, and the slopes where there are some. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  (void)diag;
  fill(p, device, config, &s);
  int64_t nr = s.width.nr, plane = s.channels * nr;
  const float *w = pn_problem_input(p, 0, 1)->data;
  float *bias = (float *)(void *)((char *)packed + s.packed_bytes);
  for (int64_t k = 0; k < s.panels * nr; k++) bias[k] = k < s.outputs ? pn_cpu_conv_bias(p, &s.epilogue, k) : 0;
  for (int64_t k = 0; s.epilogue.bends && k < s.panels * nr; k++)
    bias[s.panels * nr + k] = pn_epilogue_slope(p, &s.epilogue, k, s.outputs);
  for (int64_t k = 0, lanes; k < s.panels * nr; k += lanes) { /* several filters of a panel at once */
    lanes = pn_min_i64(PN_WINOGRAD_LANES, nr - k % nr);
    pack_lanes(&s, w, k, lanes, (float *)packed + k / nr * s.points * plane + k % nr);
  }
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  (void)diag;
  fill(p, device, config, s);
  memset(s->zeros, 0, (size_t)s->channels * 4);
  return PELTON_OK;
}

/* ---- run
 * ------------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const pn_step *step;
  const float *in, *filters, *bias, *slope, *residual;
  float *out;
  char *scratch;
} job;

/* Where tile |index| of all begins in the output. */
typedef struct place {
  int64_t image, y, x;
} place;

static place place_of(const state *s, int64_t index) {
  int64_t row = index / s->tiles_x;
  return (place){row / s->tiles_y, row % s->tiles_y * s->size, index % s->tiles_x * s->size};
}

/* Reads a float of each line of |floats| at |from|, for its effect on the caches. */
static void fetch_run(const float *from, int64_t floats) {
  for (int64_t i = 0; i < floats; i += 16) (void)*(const volatile float *)(from + i);
}

/* The transforms jump from row to row, so that each line of a map that is not in the caches would be waited for. In the
   order of memory the processor fetches ahead by itself: the rows of a block's tiles are read so first, and the lines
   of its outputs, which a store would fetch one by one as well. Without it F(6 x 6)'s transforms take twice the time. */
static void fetch_input(const job *j, int64_t first, int64_t tiles) {
  const state *s = j->s;
  for (int64_t t = 0, count; t < tiles; t += count) {
    place at = place_of(s, first + t);
    count = pn_min_i64(tiles - t, s->tiles_x - at.x / s->size);
    int64_t x0 = pn_max_i64(0, at.x - s->x.pad_begin), y0 = pn_max_i64(0, at.y - s->y.pad_begin);
    int64_t x1 = pn_min_i64(s->x.input, at.x - s->x.pad_begin + count * s->size + s->kernel - 1);
    int64_t y1 = pn_min_i64(s->y.input, at.y - s->y.pad_begin + s->alpha);
    for (int64_t y = y0; y < y1; y++)
      fetch_run(j->in + ((at.image * s->y.input + y) * s->x.input + x0) * s->channels, (x1 - x0) * s->channels);
  }
}

static void fetch_output(const job *j, int64_t first, int64_t tiles, int64_t column, int64_t columns) {
  const state *s = j->s;
  for (int64_t t = 0, count; t < tiles; t += count) {
    place at = place_of(s, first + t);
    count = pn_min_i64(tiles - t, s->tiles_x - at.x / s->size);
    int64_t x1 = pn_min_i64(s->x.output, at.x + count * s->size), y1 = pn_min_i64(s->y.output, at.y + s->size);
    for (int64_t y = at.y; y < y1; y++)
      for (int64_t x = at.x; x < x1; x++)
        fetch_run(j->out + ((at.image * s->y.output + y) * s->x.output + x) * s->outputs + column, columns);
  }
}

static void transform_input(const job *j, int64_t first, int64_t tiles, float *v) {
  const state *s = j->s;
  const float *pixels[PN_WINOGRAD_POINTS_MAX];
  if (s->fetch_input) fetch_input(j, first, tiles);
  for (int64_t t = 0; t < tiles; t++) {
    place at = place_of(s, first + t);
    int64_t y0 = at.y - s->y.pad_begin, x0 = at.x - s->x.pad_begin;
    for (int64_t y = 0; y < s->alpha; y++)
      for (int64_t x = 0; x < s->alpha; x++) {
        bool inside = y0 + y >= 0 && y0 + y < s->y.input && x0 + x >= 0 && x0 + x < s->x.input;
        int64_t pixel = (at.image * s->y.input + y0 + y) * s->x.input + x0 + x;
        pixels[y * s->alpha + x] = inside ? j->in + pixel * s->channels : s->zeros;
      }
    pn_cpu_winograd_f32_input tile = {
        .pixels = pixels, .channels = (size_t)s->channels, .to = v + t * s->v_pitch, .plane_stride = s->v_plane};
    s->input(&tile);
  }
}

static void multiply(const job *j, int64_t tiles, int64_t panel, int64_t panels, const float *v, float *m) {
  const state *s = j->s;
  const ptrdiff_t no_offset = 0;
  int64_t nr = s->width.nr, depth = s->channels, parts = pn_div_up(tiles, s->width.mr_max);
  for (int64_t i = 0; i < s->points; i++)
    for (int64_t q = 0; q < panels; q++)
      for (int64_t part = 0; part < parts; part++) {
        int64_t begin = tiles * part / parts, end = tiles * (part + 1) / parts;
        pn_cpu_gemm_f32_tile tile = {.a = v + i * s->v_plane + begin * s->v_pitch,
                                     .a_row_stride = s->v_pitch,
                                     .tap_offset = &no_offset,
                                     .tap_count = 1,
                                     .k = (size_t)depth,
                                     .b = j->filters + ((panel + q) * s->points + i) * depth * nr,
                                     .b_tap_stride = (size_t)(depth * nr),
                                     .c = m + i * s->m_plane + begin * s->m_pitch + q * nr,
                                     .c_row_stride = s->m_pitch,
                                     .n = (size_t)nr,
                                     .start = PN_CPU_GEMM_ZERO,
                                     .lo = -INFINITY,
                                     .hi = INFINITY};
        s->width.fns[end - begin - 1](&tile);
      }
}

static void transform_output(const job *j, int64_t first, int64_t tiles, int64_t panel, int64_t panels, const float *m,
                             float *scratch) {
  const state *s = j->s;
  int64_t nr = s->width.nr, column = panel * nr, columns = pn_min_i64(panels * nr, s->outputs - column);
  if (s->fetch_output) fetch_output(j, first, tiles, column, columns);
  for (int64_t t = 0; t < tiles; t++) {
    place at = place_of(s, first + t);
    int64_t pixel = (at.image * s->y.output + at.y) * s->x.output + at.x, offset = pixel * s->outputs + column;
    int64_t rows = pn_min_i64(s->size, s->y.output - at.y), width = pn_min_i64(s->size, s->x.output - at.x);
    pn_cpu_winograd_f32_output tile = {.from = m + t * s->m_pitch,
                                       .plane_stride = s->m_plane,
                                       .bias = j->bias + column,
                                       .slope = j->slope ? j->slope + column : NULL,
                                       .residual = j->residual ? j->residual + offset : NULL,
                                       .out = j->out + offset,
                                       .row_stride = s->x.output * s->outputs,
                                       .pixel_stride = s->outputs,
                                       .rows = (size_t)rows,
                                       .columns = (size_t)width,
                                       .channels = (size_t)columns,
                                       .lo = s->epilogue.lo,
                                       .hi = s->epilogue.hi};
    s->output(&tile);
    for (int64_t y = 0; y < rows && !s->epilogue.native; y++)
      pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, tile.out + y * tile.row_stride, s->outputs,
                        pixel + y * s->x.output, width, column, columns, scratch);
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  char *own = j->scratch + s->thread_bytes * thread;
  float *v = (float *)(void *)own, *m = (float *)(void *)(own + s->v_bytes);
  float *scratch = (float *)(void *)(own + s->v_bytes + s->m_bytes);
  int64_t first = index / s->column_blocks * s->block_tiles, tiles = pn_min_i64(s->block_tiles, s->tiles - first);
  int64_t panel = index % s->column_blocks * s->panels_a_block;
  int64_t end = pn_min_i64(s->panels, panel + s->panels_a_block);
  transform_input(j, first, tiles, v);
  for (; panel < end; panel += s->panels_a_chunk) {
    int64_t panels = pn_min_i64(s->panels_a_chunk, end - panel);
    multiply(j, tiles, panel, panels, v, m);
    transform_output(j, first, tiles, panel, panels, m, scratch);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s, .step = step, .filters = step->packed, .scratch = step->workspace};
  j.in = step->operands[p->nodes[0].inputs[0]];
  j.out = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  j.bias = (const float *)(const void *)((const char *)step->packed + s->packed_bytes);
  if (s->epilogue.bends) j.slope = j.bias + s->panels * s->width.nr;
  if (s->epilogue.residual != PN_NO_OPERAND) j.residual = step->operands[s->epilogue.residual];
  pn_pool_run(stream->device->pool, (uint32_t)(s->blocks * s->column_blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_winograd = {
    .name = "cpu.conv_winograd",
    .version = 2,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .error = error,
    .sizes = sizes,
    .pack = pack,
    .packs = pn_cpu_conv_packs,
    .prepare = prepare,
    .run = run,
};
