/* Resizing the last two axes: nearest for any type, linear and cubic in f32. Which elements make a result, and how much
   of each, stands in tables that op/resize.c fills when the plan is made. Channels-last: a result is one weighted sum
   of runs of channels. Plain: the rows of the operand are summed first, then the columns of that one row. */
#include "op/picture/resize.h"
#include "targets/cpu/cpu.h"
#include "target/strides.h"

enum { MAX_TAPS = 64 };

/* One axis; nearest has one tap. */
typedef struct axis_table {
  int64_t input, output, taps;
  const int64_t *index; /* [output][taps] */
  const float *weight;
} axis_table;

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  bool nearest, channels_last;
  axis_table h, w;
  int64_t planes, channels; /* channels-last: pictures of so many channels; plain: planes of one */
  size_t element_bytes, scratch_floats;
  uint32_t parts;
} state;

/* The tensor's axes that are h and w; -1: there is none. */
static void find_axes(const pn_operand *x, int32_t *h, int32_t *w) {
  *w = (int32_t)x->rank - 1;
  *h = x->layout == PN_LAYOUT_CHANNELS_LAST && x->rank == 3 ? -1 : (int32_t)x->rank - 2;
}

static pelton_status plan(const pn_problem *p, pn_arena *scratch, pn_resized_axis *axes, pn_call *call,
                          pn_tensor *tensors) {
  const pn_problem_node *node = &p->nodes[0];
  for (uint32_t i = 0; i < 4; i++) {
    const pn_operand *o = i < node->input_count ? pn_problem_input(p, 0, i) : NULL;
    if (!o) continue;
    tensors[i] = (pn_tensor){.dtype = o->dtype, .rank = o->rank, .data = (void *)(uintptr_t)o->data};
    memcpy(tensors[i].dims, o->dims, sizeof o->dims);
  }
  *call = (pn_call){
      .attrs = node->attrs, .input_count = node->input_count, .in = tensors, .scratch = scratch, .diag = call->diag};
  return pn_resize_plan(call, axes);
}

static int64_t taps_of(const pn_attrs_resize *attrs, const pn_resized_axis *a) {
  if (attrs->mode == PN_RESIZE_NEAREST || pn_resize_is_untouched(attrs, a)) return 1;
  double reach = attrs->mode == PN_RESIZE_LINEAR ? 2 : 4;
  if (attrs->antialias && a->scale < 1) reach = reach / a->scale + 2;
  return reach > MAX_TAPS ? MAX_TAPS + 1 : (int64_t)reach;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  if (p->nodes[0].op != PN_OP_RESIZE || p->node_count != 1) return pn_refuse(why, "resize alone");
  const pn_attrs_resize *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F32 && attrs->mode != PN_RESIZE_NEAREST) return pn_refuse(why, "f32 only");
  if (attrs->coordinates == PN_COORD_TF_CROP_AND_RESIZE) return pn_refuse(why, "tf_crop_and_resize");
  if (x->layout != y->layout) return pn_refuse(why, "wants one layout for operand and result");
  if (!x->rank || (x->layout == PN_LAYOUT_CHANNELS_LAST && x->rank > 4))
    return pn_refuse(why, "more than two spatial axes");
  for (uint32_t i = 1; i < p->nodes[0].input_count; i++)
    if (pn_problem_input(p, 0, i) && !pn_problem_input(p, 0, i)->data)
      return pn_refuse(why, "scales or sizes are not constant");
  if (!pn_operand_elements(x) || !pn_operand_elements(y)) return pn_refuse(why, "an empty operand");
  pn_arena scratch;
  pn_resized_axis axes[PN_MAX_RANK];
  pn_tensor tensors[4] = {0};
  pn_call call = {0};
  int32_t h, w;
  pn_arena_init(&scratch, device->allocator);
  bool planned = plan(p, &scratch, axes, &call, tensors) == PELTON_OK;
  pn_arena_deinit(&scratch);
  if (!planned) return pn_refuse(why, "the operands do not fit together");
  find_axes(x, &h, &w);
  for (int32_t i = 0; i < (int32_t)x->rank; i++)
    if (i != h && i != w && !pn_resize_is_untouched(attrs, &axes[i]))
      return pn_refuse(why, "axis %d is resized", (int)i);
  int64_t taps = taps_of(attrs, &axes[w]) * (h >= 0 ? taps_of(attrs, &axes[h]) : 1);
  return taps <= MAX_TAPS || pn_refuse(why, "more than %d elements make a result", MAX_TAPS);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *y = pn_problem_output(p, 0, 0);
  (void)config;
  return pn_cpu_estimate(device, 5 * (double)pn_operand_elements(y), pn_cpu_operand_bytes(p),
                         y->layout == PN_LAYOUT_CHANNELS_LAST ? 0.3 : 0.1);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static size_t table_bytes(int64_t output, int64_t taps) {
  return pn_align_up((size_t)(output * taps) * (sizeof(int64_t) + sizeof(float)), 64);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  const pn_attrs_resize *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_arena scratch;
  pn_resized_axis axes[PN_MAX_RANK];
  pn_tensor tensors[4] = {0};
  pn_call call = {0};
  int32_t h, w;
  (void)config;
  out->state_bytes = pn_align_up(sizeof(state), 64);
  pn_arena_init(&scratch, device->allocator);
  if (!plan(p, &scratch, axes, &call, tensors)) {
    find_axes(x, &h, &w);
    out->state_bytes += table_bytes(axes[w].output, taps_of(attrs, &axes[w]));
    out->state_bytes += h >= 0 ? table_bytes(axes[h].output, taps_of(attrs, &axes[h])) : table_bytes(1, 1);
    out->workspace_bytes = pn_align_up((size_t)axes[w].input * sizeof(float), 64) * device->threads;
  }
  pn_arena_deinit(&scratch);
}

/* Writes the table at |*memory| and moves that on. */
static pelton_status fill_table(const pn_call *call, const pn_resized_axis *a, char **memory, axis_table *t) {
  const pn_attrs_resize *attrs = call->attrs;
  int64_t room = taps_of(attrs, a);
  int64_t *index = (int64_t *)(void *)*memory;
  float *weight = (float *)(void *)(*memory + (size_t)(a->output * room) * sizeof(int64_t));
  *memory += table_bytes(a->output, room);
  *t = (axis_table){a->input, a->output, 1, index, weight};
  if (attrs->mode == PN_RESIZE_NEAREST || pn_resize_is_untouched(attrs, a)) {
    int64_t *map;
    PN_TRY(pn_resize_map_of(call, a, &map));
    memcpy(index, map, (size_t)a->output * sizeof *index);
    for (int64_t i = 0; i < a->output; i++) weight[i] = 1;
    return PELTON_OK;
  }
  pn_resize_taps taps = {0};
  PN_TRY(pn_resize_taps_of(call, a, &taps));
  if (taps.count > room) return PN_INTERNAL(call->diag, "resize has more taps than expected");
  t->taps = taps.count;
  for (int64_t i = 0; i < a->output * taps.count; i++) {
    index[i] = taps.index[i];
    weight[i] = (float)taps.weight[i];
  }
  return PELTON_OK;
}

static pelton_status fill(const pn_problem *p, const pn_device *device, pn_arena *scratch, state *s,
                          pelton_diag *diag) {
  const pn_attrs_resize *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  pn_resized_axis axes[PN_MAX_RANK];
  pn_tensor tensors[4] = {0};
  pn_call call = {.diag = diag};
  char *tables = (char *)s + pn_align_up(sizeof(state), 64);
  int32_t h, w;
  PN_TRY(plan(p, scratch, axes, &call, tensors));
  find_axes(x, &h, &w);
  static const pn_resized_axis none = {1, 1, 1, 0, 1};
  PN_TRY(fill_table(&call, h >= 0 ? &axes[h] : &none, &tables, &s->h));
  PN_TRY(fill_table(&call, &axes[w], &tables, &s->w));
  s->vec = device->vec;
  s->nearest = attrs->mode == PN_RESIZE_NEAREST;
  s->channels_last = x->layout == PN_LAYOUT_CHANNELS_LAST && x->rank > 2;
  s->channels = s->channels_last ? x->dims[1] : 1;
  s->planes = pn_operand_elements(y) / (s->channels * s->h.output * s->w.output);
  s->element_bytes = pelton_dtype_bytes(x->dtype);
  s->scratch_floats = pn_align_up((size_t)s->w.input * sizeof(float), 64) / sizeof(float);
  s->parts = pn_cpu_parts(device, s->planes * s->h.output, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  pn_arena scratch;
  (void)config;
  pn_arena_init(&scratch, device->allocator);
  pelton_status status = fill(p, device, &scratch, memory, diag);
  pn_arena_deinit(&scratch);
  return status;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const char *x;
  char *y;
  float *scratch;
} job;

/* One weighted sum of runs of channels for each pixel of the row. */
static void pixels(const state *s, const float *x, int64_t oy, float *y) {
  const float *runs[MAX_TAPS];
  float weights[MAX_TAPS];
  const int64_t *rows = s->h.index + oy * s->h.taps;
  const float *row_weights = s->h.weight + oy * s->h.taps;
  for (int64_t ox = 0; ox < s->w.output; ox++) {
    const int64_t *columns = s->w.index + ox * s->w.taps;
    const float *column_weights = s->w.weight + ox * s->w.taps;
    size_t count = 0;
    for (int64_t i = 0; i < s->h.taps; i++)
      for (int64_t k = 0; k < s->w.taps; k++) {
        runs[count] = x + (rows[i] * s->w.input + columns[k]) * s->channels;
        weights[count++] = row_weights[i] * column_weights[k];
      }
    s->vec->weighted_sum((size_t)s->channels, count, runs, weights, y + ox * s->channels);
  }
}

static void plain_row(const state *s, const float *x, int64_t oy, float *y, float *scratch) {
  const float *rows[MAX_TAPS], *row = scratch;
  const int64_t *index = s->h.index + oy * s->h.taps;
  for (int64_t i = 0; i < s->h.taps; i++) rows[i] = x + index[i] * s->w.input;
  if (s->h.taps == 1)
    row = rows[0];
  else
    s->vec->weighted_sum((size_t)s->w.input, (size_t)s->h.taps, rows, s->h.weight + oy * s->h.taps, scratch);
  const int64_t *column = s->w.index;
  const float *weight = s->w.weight;
  if (s->w.taps == 2) { /* linear */
    for (int64_t ox = 0; ox < s->w.output; ox++, column += 2, weight += 2)
      y[ox] = weight[0] * row[column[0]] + weight[1] * row[column[1]];
    return;
  }
  for (int64_t ox = 0; ox < s->w.output; ox++, column += s->w.taps, weight += s->w.taps) {
    float sum = 0;
    for (int64_t k = 0; k < s->w.taps; k++) sum += weight[k] * row[column[k]];
    y[ox] = sum;
  }
}

#define PICK(type)                                                                                                     \
  static void pick_##type(int64_t n, const int64_t *index, const void *row, void *out) {                               \
    const type *x = row;                                                                                               \
    type *y = out;                                                                                                     \
    for (int64_t i = 0; i < n; i++) y[i] = x[index[i]];                                                                \
  }
PICK(uint8_t)
PICK(uint16_t)
PICK(uint32_t)
PICK(uint64_t)

static void nearest_row(const state *s, const char *x, int64_t oy, char *y) {
  size_t pixel = s->element_bytes * (size_t)s->channels;
  const char *row = x + (size_t)(s->h.index[oy] * s->w.input) * pixel;
  if (s->channels == 1) {
    switch (s->element_bytes) {
    case 1: pick_uint8_t(s->w.output, s->w.index, row, y); return;
    case 2: pick_uint16_t(s->w.output, s->w.index, row, y); return;
    case 4: pick_uint32_t(s->w.output, s->w.index, row, y); return;
    default: pick_uint64_t(s->w.output, s->w.index, row, y); return;
    }
  }
  for (int64_t ox = 0; ox < s->w.output; ox++)
    memcpy(y + (size_t)ox * pixel, row + (size_t)s->w.index[ox] * pixel, pixel);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  size_t pixel = s->element_bytes * (size_t)s->channels, to_row = (size_t)s->w.output * pixel;
  size_t from_plane = (size_t)(s->h.input * s->w.input) * pixel;
  pn_cpu_share(s->planes * s->h.output, 1, part, s->parts, &unit, &end);
  for (int64_t first = unit; unit < end; unit++) {
    int64_t oy = unit % s->h.output;
    const void *x = j->x + (size_t)(unit / s->h.output) * from_plane;
    char *y = j->y + (size_t)unit * to_row;
    if (!s->nearest && s->channels_last)
      pixels(s, x, oy, (float *)(void *)y);
    else if (!s->nearest)
      plain_row(s, x, oy, (float *)(void *)y, j->scratch + thread * s->scratch_floats);
    else if (unit > first && oy > 0 && s->h.index[oy] == s->h.index[oy - 1])
      memcpy(y, y - to_row, to_row);
    else
      nearest_row(s, x, oy, y);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->outputs[0]], step->workspace};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_resize = {
    .name = "cpu.resize",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
