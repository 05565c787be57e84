/* Deformable convolutions in f32 over up to three axes: the filter as it lies, times columns, as conv_columns; here a
   row of columns is a channel's plane read between its elements wherever the offsets say.

   For a block of places and one offset group, a table for each tap (sample_f32) says where to read and how much of each
   neighbour, the mask's factor included; all channels of the group go through it. The columns come packed as the
   product wants its second operand, for some channels at a time. */
#include "op/linear/window.h"
#include "targets/cpu/product/gemm.h"

enum { X, W, OFFSET, BIAS, MASK };
enum { DEPTH = 256, PITCH_ALIAS = 256, PITCH_PAD = 16, LEAST_PLACES = 64, MOST_PLACES = 512 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_sample_f32 *sample;
  pn_cpu_gemm_f32_width width;
  uint32_t axes;
  pn_window window[PN_CPU_SAMPLE_AXES];
  int64_t strides[PN_CPU_SAMPLE_AXES];
  int64_t batch, channels, outputs, groups, offset_groups, plane, places, taps, neighbours;
  int64_t depth, pitch;           /* of a group's product; between the filter's rows */
  int64_t channels_at_once;       /* in columns */
  int64_t places_a_block, blocks; /* a multiple of the width and of PN_CPU_SAMPLE_LANES */
  size_t filter_bytes, scratch_bytes;
} state;

/* The parts of a thread's scratch. */
typedef struct block_scratch {
  float *columns, *weight, *at, *start;
  int32_t *index;
} block_scratch;

static bool windows_of(const pn_problem *p, pn_window *windows) {
  const pn_operand *x = pn_problem_input(p, 0, X), *w = pn_problem_input(p, 0, W);
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  pn_window_spec spec = {
      .strides = attrs->strides, .pads = attrs->pads, .dilations = attrs->dilations, .auto_pad = PN_AUTO_PAD_NOTSET};
  return pn_window_resolve(NULL, "deform_conv", &spec, x->rank - 2, x->dims + 2, w->dims + 2, windows) == PELTON_OK;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  (void)device;
  if (p->nodes[0].op != PN_OP_DEFORM_CONV || p->node_count != 1) return pn_refuse(why, "deform_conv alone");
  for (uint32_t i = 0; i < p->operand_count; i++) {
    if (p->operands[i].dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(&p->operands[i])) return pn_refuse(why, "an empty operand");
  }
  const pn_operand *x = pn_problem_input(p, 0, X);
  if (x->rank - 2 > PN_CPU_SAMPLE_AXES) return pn_refuse(why, "more than three spatial axes");
  if (pn_operand_elements(x) / (x->dims[0] * x->dims[1]) > PN_CPU_SAMPLE_PLANE) return pn_refuse(why, "a plane too large");
  return windows_of(p, windows) || pn_refuse(why, "its window does not fit");
}

static int64_t round_up(int64_t n, int64_t unit) { return pn_div_up(n, unit) * unit; }

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_deform_conv *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, X), *w = pn_problem_input(p, 0, W);
  pn_window windows[PN_MAX_RANK];
  (void)windows_of(p, windows); /* accepted before */
  s->gemm = device->gemm;
  s->sample = pn_cpu_sample_f32_best(device->isa);
  s->axes = x->rank - 2;
  s->batch = x->dims[0];
  s->channels = x->dims[1];
  s->outputs = w->dims[0];
  s->groups = attrs->group;
  s->offset_groups = attrs->offset_group;
  s->plane = s->places = s->taps = 1;
  s->neighbours = 1 << s->axes;
  for (uint32_t k = s->axes; k-- > 0;) {
    s->window[k] = windows[k];
    s->strides[k] = s->plane;
    s->plane *= windows[k].input;
    s->places *= windows[k].output;
    s->taps *= windows[k].kernel;
  }
  s->depth = w->dims[1] * s->taps;
  s->width = *pn_cpu_gemm_f32_width_for(device->gemm, s->outputs / s->groups, s->places);
  s->pitch = s->depth % PITCH_ALIAS ? s->depth : s->depth + PITCH_PAD;
  if (s->pitch != s->depth) s->filter_bytes = pn_align_up((size_t)(s->outputs * s->pitch) * sizeof(float), 64);
  s->channels_at_once = pn_min_i64(w->dims[1], pn_max_i64(DEPTH / s->taps, 1));
  int64_t rows = s->channels_at_once * s->taps, unit = s->width.nr, tasks = 2 * (int64_t)device->threads;
  while (unit % PN_CPU_SAMPLE_LANES) unit += s->width.nr;
  int64_t most = pn_min_i64((int64_t)(device->l2_bytes / 2 / sizeof(float)) / rows, MOST_PLACES);
  if (device->threads > 1 && s->batch < tasks)
    most = pn_min_i64(most, pn_max_i64(pn_div_up(s->places * s->batch, tasks), LEAST_PLACES));
  s->places_a_block = pn_min_i64(pn_max_i64(most / unit, 1) * unit, round_up(s->places, unit));
  s->blocks = pn_div_up(s->places, s->places_a_block);
  s->scratch_bytes =
      (size_t)(s->places_a_block * (rows + 2 * s->taps * s->neighbours + 2 * s->axes)) * sizeof(float);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  double reads = (double)(s.batch * s.places * s.taps), lanes = s.sample->lanes; /* cycles: measured on Zen 4 */
  double sampled = reads * (1.3 * (double)(s.channels * s.neighbours) + 10.0 * (double)s.offset_groups);
  double product = reads * (double)(s.channels / s.groups * s.outputs) / 0.8;
  return pn_cpu_estimate(device, sampled * lanes + product, pn_cpu_operand_bytes(p), 1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.filter_bytes + (size_t)device->threads * s.scratch_bytes;
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
  const pn_cpu_vec_f32 *vec;
  const float *x, *w, *offset, *bias, *mask; /* the last two may be null */
  float *y;
  char *scratch;
} job;

static block_scratch scratch_of(const state *s, void *memory) {
  block_scratch b;
  int64_t places = s->places_a_block, entries = s->taps * s->neighbours * places;
  b.columns = memory;
  b.weight = b.columns + s->channels_at_once * s->taps * places;
  b.at = b.weight + entries;
  b.start = b.at + s->axes * places;
  b.index = (int32_t *)(void *)(b.start + s->axes * places);
  return b;
}

/* Where the window stands at places [first, first + n), an axis after the other. */
static void place_windows(const state *s, int64_t first, int64_t n, float *start) {
  for (int64_t i = 0; i < n; i++) {
    int64_t at = first + i;
    for (uint32_t k = s->axes; k-- > 0;) {
      const pn_window *w = &s->window[k];
      start[k * s->places_a_block + i] = (float)(at % w->output * w->stride - w->pad_begin);
      at /= w->output;
    }
  }
}

/* The tables of all taps for one offset group. */
static void fill_tables(const job *j, int64_t picture, int64_t group, int64_t first, int64_t n, block_scratch *b) {
  const state *s = j->s;
  int64_t pitch = s->places_a_block, whole = round_up(n, PN_CPU_SAMPLE_LANES);
  pn_cpu_sample_axis axes[PN_CPU_SAMPLE_AXES];
  for (int64_t t = 0; t < s->taps; t++) {
    int64_t row = (picture * s->offset_groups + group) * s->taps + t, tap = t;
    int32_t *index = b->index + t * s->neighbours * pitch;
    float *weight = b->weight + t * s->neighbours * pitch;
    for (uint32_t k = s->axes; k-- > 0;) {
      const pn_window *w = &s->window[k];
      const float *offset = j->offset + (row * s->axes + k) * s->places + first;
      float *at = b->at + k * pitch, shift = (float)(tap % w->kernel * w->dilation);
      for (int64_t i = 0; i < n; i++) at[i] = b->start[k * pitch + i] + shift + offset[i];
      for (int64_t i = n; i < whole; i++) at[i] = 0;
      axes[k] = (pn_cpu_sample_axis){at, (float)w->input, (float)s->strides[k]};
      tap /= w->kernel;
    }
    s->sample->place((size_t)n, s->axes, axes, 0, 0, (size_t)pitch, index, weight);
    for (int64_t k = 0; k < s->neighbours; k++) {
      for (int64_t i = 0; i < n && j->mask; i++) weight[k * pitch + i] *= j->mask[row * s->places + first + i];
      for (int64_t i = whole; i < pitch; i++) index[k * pitch + i] = -1, weight[k * pitch + i] = 0; /* the last panel */
    }
  }
}

/* The columns of channels [begin, end), packed in panels of the product's width. */
static void fill_columns(const job *j, int64_t picture, int64_t begin, int64_t end, int64_t n, const block_scratch *b) {
  const state *s = j->s;
  int64_t rows = (end - begin) * s->taps, nr = s->width.nr, pitch = s->places_a_block;
  for (int64_t t = 0; t < s->taps; t++)
    for (int64_t c = begin; c < end; c++) {
      const float *plane = j->x + (picture * s->channels + c) * s->plane;
      float *to = b->columns + ((c - begin) * s->taps + t) * nr;
      for (int64_t place = 0; place < n; place += nr, to += rows * nr) {
        int64_t at = t * s->neighbours * pitch + place;
        pn_cpu_sample_table table = {(size_t)nr, (size_t)s->neighbours, (size_t)pitch, b->index + at, b->weight + at};
        s->sample->sum(&table, plane, 0, to);
      }
    }
}

static void task(void *argument, uint32_t unit, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t first = unit % s->blocks * s->places_a_block, picture = unit / s->blocks, offset_group = -1, end;
  int64_t n = pn_min_i64(s->places_a_block, s->places - first);
  int64_t members = s->channels / s->groups, sharing = s->channels / s->offset_groups, outputs = s->outputs / s->groups;
  block_scratch b = scratch_of(s, j->scratch + thread * s->scratch_bytes);
  float *y = j->y + picture * s->outputs * s->places + first;
  for (int64_t m = 0; j->bias && m < s->outputs; m++) j->vec->fill((size_t)n, j->bias[m], y + m * s->places);
  place_windows(s, first, n, b.start);
  for (int64_t begin = 0; begin < s->channels; begin = end) {
    int64_t group = begin / members, inside = begin % members;
    end = pn_min_i64(begin + s->channels_at_once, pn_min_i64((group + 1) * members, (begin / sharing + 1) * sharing));
    if (begin / sharing != offset_group) {
      offset_group = begin / sharing;
      fill_tables(j, picture, offset_group, first, n, &b);
    }
    fill_columns(j, picture, begin, end, n, &b);
    pn_cpu_product product = {.a = j->w + group * outputs * s->pitch + inside * s->taps,
                              .a_stride = s->pitch,
                              .rows = outputs,
                              .k = (end - begin) * s->taps,
                              .b = b.columns,
                              .n = n,
                              .c = y + group * outputs * s->places,
                              .c_stride = s->places,
                              .add = inside > 0 || j->bias};
    pn_cpu_product_run(&s->width, &product);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .vec = stream->device->vec,
           .x = step->operands[node->inputs[X]],
           .w = step->operands[node->inputs[W]],
           .offset = step->operands[node->inputs[OFFSET]],
           .y = step->operands[node->outputs[0]],
           .scratch = (char *)step->workspace + s->filter_bytes};
  if (pn_problem_input(step->problem, 0, BIAS)) j.bias = step->operands[node->inputs[BIAS]];
  if (pn_problem_input(step->problem, 0, MASK)) j.mask = step->operands[node->inputs[MASK]];
  if (s->filter_bytes) {
    s->gemm->copy_rows(j.w, s->depth, (size_t)s->outputs, (size_t)s->depth, step->workspace, s->pitch);
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
