/* Deformable convolutions in f32 over two spatial axes, in plain layout: the filter as it lies times columns that are
   read between the picture's elements.

   For a block of places, each tap of an offset group is settled once (four elements of a plane and their weights, the
   mask multiplied in) and then read in all channels of the group; the columns lie as the product wants its second
   operand, so that result rows are output channels and start from their bias. A place outside of the picture takes
   an element inside with weight zero; where a sum is not a number it is repeated without those. */
#include "op/linear/window.h"
#include "targets/cpu/product/gemm.h"

#include <math.h>

enum { X, W, OFFSET, BIAS, MASK, CORNERS = 4, PITCH_PAD = 16, LEAST_PLACES = 64 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  pn_cpu_gemm_f32_width width;
  pn_window y, x;
  int64_t batch, groups, channels, outputs, offset_groups; /* of a group, those between */
  int64_t taps, depth, pitch, places, picture, places_a_block, blocks;
  size_t filter_bytes, columns_bytes, own_bytes; /* a copy of the filter with a better pitch; a thread's */
} state;

/* Where the places of a block read for one tap. */
typedef struct corners {
  int32_t *at;      /* [CORNERS][places_a_block] */
  float *weight;    /* the same */
  uint8_t *outside; /* [places_a_block], a bit a corner */
} corners;

static bool windows_of(const pn_problem *p, pn_window *windows) {
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  pn_window_spec spec = {attrs->strides, attrs->pads, attrs->dilations, PN_AUTO_PAD_NOTSET, false};
  const pn_operand *x = pn_problem_input(p, 0, X), *w = pn_problem_input(p, 0, W);
  return !pn_window_resolve(NULL, "deform_conv", &spec, 2, x->dims + 2, w->dims + 2, windows);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[2];
  (void)device;
  if (p->nodes[0].op != PN_OP_DEFORM_CONV || p->node_count != 1) return pn_refuse(why, "deform_conv alone");
  const pn_operand *x = pn_problem_input(p, 0, X);
  if (x->rank != 4) return pn_refuse(why, "two spatial axes, not %u", x->rank - 2);
  for (uint32_t i = 0; i < p->operand_count; i++) {
    const pn_operand *o = &p->operands[i];
    if (o->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (!pn_layout_same(o->layout, PN_LAYOUT_PLAIN, o->rank, o->dims)) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(o)) return pn_refuse(why, "an empty operand");
  }
  if (x->dims[2] * x->dims[3] > INT32_MAX) return pn_refuse(why, "a plane of more than 2^31 elements");
  return windows_of(p, windows) || pn_refuse(why, "its window does not fit");
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, X), *w = pn_problem_input(p, 0, W);
  pn_window windows[2] = {{0}};
  (void)windows_of(p, windows); /* accepted before */
  s->gemm = device->gemm;
  s->vec = device->vec;
  s->y = windows[0];
  s->x = windows[1];
  s->batch = x->dims[0];
  s->groups = attrs->group;
  s->offset_groups = attrs->offset_group;
  s->channels = w->dims[1];
  s->outputs = w->dims[0] / s->groups;
  s->taps = s->y.kernel * s->x.kernel;
  s->depth = s->channels * s->taps;
  s->picture = s->y.input * s->x.input;
  s->places = s->y.output * s->x.output;
  s->pitch = s->depth % 256 ? s->depth : s->depth + PITCH_PAD;
  if (s->pitch != s->depth)
    s->filter_bytes = pn_align_up((size_t)(s->groups * s->outputs * s->pitch) * sizeof(float), 64);
  s->width = *pn_cpu_gemm_f32_width_for(device->gemm, s->outputs, s->places);
  int64_t nr = s->width.nr, rows = s->depth * s->groups, tasks = 2 * (int64_t)device->threads;
  int64_t most = (int64_t)(device->l2_bytes / 2 / sizeof(float)) / rows;
  if (device->threads > 1 && s->batch < tasks)
    most = pn_min_i64(most, pn_max_i64(pn_div_up(s->places * s->batch, tasks), LEAST_PLACES));
  s->places_a_block = pn_min_i64(pn_max_i64(most / nr, 1), pn_div_up(s->places, nr)) * nr;
  s->blocks = pn_div_up(s->places, s->places_a_block);
  s->columns_bytes = pn_align_up((size_t)(s->places_a_block * rows) * sizeof(float), 64);
  size_t place_bytes = CORNERS * (sizeof(int32_t) + sizeof(float)) + sizeof(uint8_t);
  s->own_bytes = s->columns_bytes + pn_align_up((size_t)s->places_a_block * place_bytes, 64);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  double columns = (double)(s.batch * s.groups * s.depth) * (double)s.places;
  return pn_cpu_estimate(device, columns * ((double)s.outputs + 100), pn_cpu_operand_bytes(p), 0.8);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.filter_bytes + (size_t)device->threads * s.own_bytes;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const float *x, *w, *offset, *bias, *mask;
  float *out;
  char *own;
} job;

/* The places around |start| + |offset|, both inside, and their weights; gives a bit for each that is really outside. */
static unsigned settle_axis(int64_t start, float offset, int64_t extent, int32_t *at, float *weight) {
  at[0] = at[1] = 0;
  weight[0] = weight[1] = offset != offset ? offset : 0;
  if (offset != offset) return 2;
  float v = (float)start + offset;
  if (!(v > -1 && v < (float)extent)) return 3;
  float low = floorf(offset), upper = offset - low;
  int64_t first = start + (int64_t)low;
  unsigned outside = (first < 0 ? 1u : 0u) | (first + 1 >= extent ? 2u : 0u);
  at[0] = (int32_t)(first < 0 ? 0 : first);
  at[1] = (int32_t)(first + 1 >= extent ? extent - 1 : first + 1);
  weight[0] = outside & 1 ? 0 : 1 - upper;
  weight[1] = outside & 2 ? 0 : upper;
  return outside;
}

/* Tap |tap| of offset group |g| of image |n| for places [first, first + count). */
static void settle(const job *j, int64_t n, int64_t g, int64_t tap, int64_t first, int64_t count, corners *to) {
  const state *s = j->s;
  int64_t row = (n * s->offset_groups + g) * s->taps + tap, pitch = s->places_a_block;
  const float *dy = j->offset + 2 * row * s->places + first, *dx = dy + s->places;
  const float *mask = j->mask ? j->mask + row * s->places + first : NULL;
  int64_t y = tap / s->x.kernel * s->y.dilation - s->y.pad_begin;
  int64_t x = tap % s->x.kernel * s->x.dilation - s->x.pad_begin;
  for (int64_t i = 0; i < count; i++) {
    int32_t rows[2], columns[2];
    float down[2], right[2], factor = mask ? mask[i] : 1;
    int64_t place = first + i;
    unsigned above = settle_axis(place / s->x.output * s->y.stride + y, dy[i], s->y.input, rows, down);
    unsigned beside = settle_axis(place % s->x.output * s->x.stride + x, dx[i], s->x.input, columns, right), outside = 0;
    for (unsigned k = 0; k < CORNERS; k++) {
      to->at[k * pitch + i] = rows[k >> 1] * (int32_t)s->x.input + columns[k & 1];
      to->weight[k * pitch + i] = factor * (down[k >> 1] * right[k & 1]);
      outside |= ((above >> (k >> 1) | beside >> (k & 1)) & 1) << k;
    }
    to->outside[i] = factor == factor ? (uint8_t)outside : 0; /* a mask that is not a number spoils even nothing */
  }
}

/* A row of the columns, whose next panel is |panel| floats on. */
static void read_row(const state *s, const corners *c, const float *plane, int64_t count, float *to, int64_t panel) {
  int64_t pitch = s->places_a_block, nr = s->width.nr;
  for (int64_t from = 0; from < count; from += nr, to += panel) {
    const int32_t *at = c->at + from;
    const float *weight = c->weight + from;
    int64_t n = pn_min_i64(nr, count - from);
    for (int64_t i = 0; i < n; i++) {
      float v = weight[i] * plane[at[i]] + weight[pitch + i] * plane[at[pitch + i]] +
                weight[2 * pitch + i] * plane[at[2 * pitch + i]] + weight[3 * pitch + i] * plane[at[3 * pitch + i]];
      if (v != v) {
        v = 0;
        for (int k = 0; k < CORNERS; k++)
          if (!(c->outside[from + i] >> k & 1)) v += weight[k * pitch + i] * plane[at[k * pitch + i]];
      }
      to[i] = v;
    }
    for (int64_t i = n; i < nr; i++) to[i] = 0;
  }
}

/* Columns [group][panel][row][nr] of places [first, last). */
static void gather(const job *j, int64_t n, int64_t first, int64_t last, corners *own, float *to) {
  const state *s = j->s;
  int64_t all = s->groups * s->channels, members = all / s->offset_groups, nr = s->width.nr;
  for (int64_t g = 0; g < s->offset_groups; g++)
    for (int64_t tap = 0; tap < s->taps; tap++) {
      settle(j, n, g, tap, first, last - first, own);
      for (int64_t c = g * members; c < (g + 1) * members; c++) {
        float *row = to + c / s->channels * s->places_a_block * s->depth + (c % s->channels * s->taps + tap) * nr;
        read_row(s, own, j->x + (n * all + c) * s->picture, last - first, row, s->depth * nr);
      }
    }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t n = index / s->blocks, first = index % s->blocks * s->places_a_block;
  int64_t last = pn_min_i64(s->places, first + s->places_a_block);
  char *memory = j->own + thread * s->own_bytes;
  float *columns = (float *)(void *)memory;
  corners own = {.at = (int32_t *)(void *)(memory + s->columns_bytes)};
  own.weight = (float *)(void *)(own.at + CORNERS * s->places_a_block);
  own.outside = (uint8_t *)(own.weight + CORNERS * s->places_a_block);
  gather(j, n, first, last, &own, columns);
  for (int64_t g = 0; g < s->groups; g++) {
    float *out = j->out + (n * s->groups + g) * s->outputs * s->places + first;
    for (int64_t m = 0; j->bias && m < s->outputs; m++)
      s->vec->fill((size_t)(last - first), j->bias[g * s->outputs + m], out + m * s->places);
    pn_cpu_product product = {.a = j->w + g * s->outputs * s->pitch,
                              .a_stride = s->pitch,
                              .rows = s->outputs,
                              .k = s->depth,
                              .b = columns + g * s->places_a_block * s->depth,
                              .n = last - first,
                              .c = out,
                              .c_stride = s->places,
                              .add = j->bias != NULL};
    pn_cpu_product_run(&s->width, &product);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const pn_problem_node *node = &p->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .x = step->operands[node->inputs[X]],
           .w = step->operands[node->inputs[W]],
           .offset = step->operands[node->inputs[OFFSET]],
           .out = step->operands[node->outputs[0]],
           .own = (char *)step->workspace + s->filter_bytes};
  if (pn_problem_input(p, 0, BIAS)) j.bias = step->operands[node->inputs[BIAS]];
  if (pn_problem_input(p, 0, MASK)) j.mask = step->operands[node->inputs[MASK]];
  if (s->filter_bytes) {
    s->gemm->copy_rows(j.w, s->depth, (size_t)(s->groups * s->outputs), (size_t)s->depth, step->workspace, s->pitch);
    j.w = step->workspace;
  }
  pn_pool_run(stream->device->pool, (uint32_t)(s->batch * s->blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_deform_conv = {
    .name = "cpu.deform_conv",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
