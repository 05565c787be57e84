/* Transposed convolutions in f32 of any rank in plain layout, and col2im, which is their second half alone.

   A transposed convolution is the filter, turned so that a row belongs to (output channel, tap), times the picture; the
   rows of the product are then added to the result where their taps stand (see columns.h). A task has whole output
   channels, so that no two add to one place: it multiplies a few channels' rows by a block of places, and adds them
   while they are in the second cache. The picture is packed once for all tasks; the filter is turned while planning
   where it is constant, else at each run. */
#include "op/operand.h"
#include "targets/cpu/convolution/columns.h"
#include "targets/cpu/product/gemm.h"

enum { PITCH_PAD = 16 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  pn_columns_kernels kernels;
  pn_cpu_gemm_f32_width width;
  pn_columns columns;
  bool product; /* else the columns are given */
  int64_t batch, groups, channels, outputs; /* of a group, the last two */
  int64_t pitch, rows;                      /* of the turned filter; all its rows of a group */
  int64_t outputs_a_block, blocks, places_a_block;
  size_t turned_bytes, packed_bytes, own_bytes; /* filter; picture; a thread's product and table */
} state;

static bool is_constant(const pn_operand *o) { return o->role == PN_OPERAND_CONSTANT; }

static bool windows_of(const pn_problem *p, pn_window *windows) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  if (p->nodes[0].op == PN_OP_CONV_TRANSPOSE) {
    const pn_attrs_conv_transpose *attrs = p->nodes[0].attrs;
    pn_window_transposed spec = PN_WINDOW_TRANSPOSED(attrs);
    return !pn_window_resolve_transposed(NULL, "conv_transpose", &spec, in->rank - 2, in->dims + 2, w->dims + 2,
                                         windows);
  }
  const pn_attrs_col2im *attrs = p->nodes[0].attrs;
  const pn_operand *block = pn_problem_input(p, 0, 2), *out = pn_problem_output(p, 0, 0);
  pn_window_spec spec = {attrs->strides, attrs->pads, attrs->dilations, PN_AUTO_PAD_NOTSET, false};
  int64_t kernel[PN_MAX_RANK], places = 1;
  if (block->dims[0] != out->rank - 2) return false;
  for (uint32_t i = 0; i < out->rank - 2; i++) kernel[i] = ((const int64_t *)block->data)[i];
  if (pn_window_resolve(NULL, "col2im", &spec, out->rank - 2, out->dims + 2, kernel, windows)) return false;
  for (uint32_t i = 0; i < out->rank - 2; i++) places *= windows[i].output;
  return places == in->dims[2];
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_window windows[PN_MAX_RANK];
  bool product = p->nodes[0].op == PN_OP_CONV_TRANSPOSE;
  (void)device;
  if (!pn_accepts_one(p, product ? PN_OP_CONV_TRANSPOSE : PN_OP_COL2IM, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++) {
    const pn_operand *o = &p->operands[i];
    if (!pn_layout_same(o->layout, PN_LAYOUT_PLAIN, o->rank, o->dims)) return pn_refuse(why, "plain layouts only");
    if (!pn_operand_elements(o)) return pn_refuse(why, "an empty operand");
  }
  for (uint32_t i = 0; product && i < 3; i++) {
    const pn_operand *o = pn_problem_input(p, 0, i);
    if (o && o->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  }
  if (!product) {
    const pn_operand *block = pn_problem_input(p, 0, 2);
    if (pn_problem_input(p, 0, 0)->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
    if (!is_constant(block) || !block->data || block->dtype != PELTON_DTYPE_I64)
      return pn_refuse(why, "the block's shape is not known");
  }
  return windows_of(p, windows) || pn_refuse(why, "its window does not fit");
}

static void fill_product(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  const pn_attrs_conv_transpose *attrs = p->nodes[0].attrs;
  s->groups = attrs->group;
  s->channels = in->dims[1] / s->groups;
  s->outputs = w->dims[1];
  s->rows = s->outputs * s->columns.taps;
  s->pitch = s->channels % 256 ? s->channels : s->channels + PITCH_PAD;
  s->width = *pn_cpu_gemm_f32_width_for(device->gemm, s->rows, s->columns.places);
  int64_t nr = s->width.nr, images = s->batch * s->groups, half = (int64_t)(device->l2_bytes / 2 / sizeof(float));
  int64_t whole = pn_div_up(s->columns.places, nr) * nr;
  /* Channels that fill a tile's rows, more while the threads have enough to do; then places that fit the cache. */
  int64_t least = pn_div_up(s->width.mr_max, s->columns.taps), wanted = 2 * (int64_t)device->threads;
  int64_t most = device->threads > 1 ? pn_div_up(s->outputs * images, wanted) : s->outputs;
  int64_t fitting = half / (s->columns.taps * pn_min_i64(whole, 1024));
  s->outputs_a_block = pn_min_i64(s->outputs, pn_max_i64(least, pn_min_i64(most, fitting)));
  s->blocks = pn_div_up(s->outputs, s->outputs_a_block);
  s->places_a_block = half / (s->outputs_a_block * s->columns.taps) / nr * nr;
  s->places_a_block = pn_max_i64(nr, pn_min_i64(s->places_a_block, whole));
  s->turned_bytes = pn_align_up((size_t)(s->groups * s->rows * s->pitch) * sizeof(float), 64);
  s->packed_bytes = pn_align_up((size_t)(images * s->channels * whole) * sizeof(float), 64);
  s->own_bytes = pn_align_up((size_t)(s->outputs_a_block * s->columns.taps * s->places_a_block) * sizeof(float), 64);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  pn_window windows[PN_MAX_RANK];
  const pn_operand *out = pn_problem_output(p, 0, 0);
  (void)windows_of(p, windows); /* accepted before */
  s->product = p->nodes[0].op == PN_OP_CONV_TRANSPOSE;
  s->gemm = device->gemm;
  s->kernels = (pn_columns_kernels){device->vec, device->transpose};
  s->batch = out->dims[0];
  pn_columns_init(&s->columns, out->rank - 2, windows, s->product);
  if (s->product) {
    fill_product(p, device, s);
  } else {
    s->groups = 1;
    s->outputs = s->blocks = out->dims[1];
    s->outputs_a_block = 1;
  }
  s->own_bytes += pn_align_up(pn_columns_scratch(&s->columns) * sizeof(int64_t), 64);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  double added = (double)(s.batch * s.groups * s.outputs * s.columns.taps) * (double)s.columns.places;
  double of_one = (double)s.channels + pn_columns_add_cost(&s.columns);
  return pn_cpu_estimate(device, added * of_one, pn_cpu_operand_bytes(p), 0.7);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.packed_bytes + (size_t)device->threads * s.own_bytes;
  if (s.product && is_constant(pn_problem_input(p, 0, 1)))
    out->packed_bytes = s.turned_bytes;
  else
    out->workspace_bytes += s.turned_bytes;
}

/* w[group * channel][output * tap] to [group][output * tap][channel]. */
static void turn(const state *s, const float *w, float *to) {
  for (int64_t g = 0; g < s->groups; g++, w += s->channels * s->rows)
    for (int64_t r = 0; r < s->rows; r++, to += s->pitch)
      for (int64_t c = 0; c < s->channels; c++) to[c] = w[c * s->rows + r];
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  (void)config;
  (void)diag;
  fill(p, device, &s);
  if (!s.product || !is_constant(pn_problem_input(p, 0, 1))) return PELTON_OK;
  memset(packed, 0, s.turned_bytes);
  turn(&s, pn_problem_input(p, 0, 1)->data, packed);
  return PELTON_OK;
}

/* The filter; the bias is read as it lies. */
static bool packs(const pn_problem *p, uint32_t operand) {
  return p->nodes[0].op == PN_OP_CONV_TRANSPOSE && operand == p->nodes[0].inputs[1];
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
  const float *in, *turned, *bias;
  float *out, *packed; /* of the picture: panels of the width */
  char *own;
} job;

static void pack_picture(void *argument, uint32_t image, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t places = s->columns.places, whole = pn_div_up(places, s->width.nr) * s->width.nr;
  (void)thread;
  s->gemm->pack_b(j->in + image * s->channels * places, places, (size_t)s->channels, (size_t)places, s->width.nr,
                  j->packed + image * s->channels * whole);
}

/* Channels [first, end) of an image and group, a block of places after the other. */
static void add_product(const job *j, int64_t image, int64_t first, int64_t end, float *rows, int64_t *table) {
  const state *s = j->s;
  int64_t places = s->columns.places, whole = pn_div_up(places, s->width.nr) * s->width.nr;
  float *out = j->out + image * s->outputs * s->columns.picture;
  for (int64_t from = 0; from < places; from += s->places_a_block) {
    int64_t to = pn_min_i64(places, from + s->places_a_block);
    pn_cpu_product product = {
        .a = j->turned + (image % s->groups * s->rows + first * s->columns.taps) * s->pitch,
        .a_stride = s->pitch,
        .rows = (end - first) * s->columns.taps,
        .k = s->channels,
        .b = j->packed + image * s->channels * whole + from * s->channels,
        .n = to - from,
        .c = rows,
        .c_stride = s->places_a_block,
    };
    pn_cpu_product_run(&s->width, &product);
    for (int64_t m = first; m < end; m++)
      pn_columns_add(&s->columns, &s->kernels, rows + (m - first) * s->columns.taps * s->places_a_block,
                     s->places_a_block, from, to, table, out + m * s->columns.picture);
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  const pn_columns *c = &s->columns;
  int64_t image = index / s->blocks, first = index % s->blocks * s->outputs_a_block;
  int64_t end = pn_min_i64(s->outputs, first + s->outputs_a_block);
  int64_t *table = (int64_t *)(void *)(j->own + thread * s->own_bytes);
  float *rows = (float *)(void *)((char *)table + pn_align_up(pn_columns_scratch(c) * sizeof(int64_t), 64));
  for (int64_t m = first; m < end; m++) {
    float start = j->bias ? j->bias[image % s->groups * s->outputs + m] : 0;
    s->kernels.vec->fill((size_t)c->picture, start, j->out + (image * s->outputs + m) * c->picture);
  }
  if (s->product) {
    add_product(j, image, first, end, rows, table);
    return;
  }
  int64_t plane = image * s->outputs + first;
  pn_columns_add(c, &s->kernels, j->in + plane * c->taps * c->places, c->places, 0, c->places, table,
                 j->out + plane * c->picture);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  char *workspace = step->workspace;
  (void)diag;
  job j = {.s = s,
           .in = step->operands[node->inputs[0]],
           .out = step->operands[node->outputs[0]],
           .packed = (float *)(void *)workspace,
           .own = workspace + s->packed_bytes};
  if (s->product) {
    const pn_operand *w = pn_problem_input(step->problem, 0, 1);
    float *turned = (float *)(void *)(j.own + stream->device->threads * s->own_bytes);
    if (pn_problem_input(step->problem, 0, 2)) j.bias = step->operands[node->inputs[2]];
    if (!is_constant(w)) turn(s, step->operands[node->inputs[1]], turned);
    j.turned = is_constant(w) ? step->packed : turned;
    pn_pool_run(stream->device->pool, (uint32_t)(s->batch * s->groups), pack_picture, &j);
  }
  pn_pool_run(stream->device->pool, (uint32_t)(s->batch * s->groups * s->blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_conv_transpose_columns = {
    .name = "cpu.conv_transpose_columns",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .packs = packs,
    .prepare = prepare,
    .run = run,
};
