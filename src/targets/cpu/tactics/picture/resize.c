/* Resizing up to three axes that lie together in storage: nearest for any type, linear and cubic in f32. What lies
   before them is |outer|, what lies behind them (channels in a channels-last layout, or of a model that keeps them
   there; rows whose width does not change) |inner|: a run that is moved as one. The last of the axes makes a row.

   Which elements make a result, and how much of each, stands in tables that op/resize.c fills when the plan is made.
   Nearest: rows that repeat are written together. Linear and cubic: the operand's rows are summed first, then the
   columns of that one row: out of vectors by permutation (sample_f32) when they are single elements, else as weighted
   sums of runs. A row of runs that becomes shorter is not summed whole; each result then sums over rows and columns. */
#include "op/picture/resize.h"
#include "targets/cpu/cpu.h"
#include "targets/cpu/resize_row.h"
#include "target/strides.h"

#include <math.h>

enum { MAX_TAPS = 64, ROW_AXES = 2 };

/* One axis; nearest has one tap. */
typedef struct axis_table {
  int64_t input, output, taps;
  const int64_t *index; /* [output][taps] */
  const float *weight;
} axis_table;

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_sample_f32 *sample;
  bool nearest, sums_rows;
  axis_table rows[ROW_AXES], w;
  const int64_t *from; /* nearest: the operand's row for each of a picture's */
  pn_cpu_resize_row row; /* where |inner| is 1 */
  int64_t outer, inner, rows_in, rows_out; /* rows of a picture */
  size_t element_bytes, scratch_floats;
  uint32_t parts;
} state;

/* The tensor's axes in the order of storage, as the head says; absent ones have an extent of 1. */
typedef struct picture {
  pn_resized_axis rows[ROW_AXES], w;
  int64_t outer, inner;
} picture;

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

/* False when the axes that are resized span more than three. */
static bool picture_of(const pn_problem *p, const pn_resized_axis *axes, picture *out) {
  const pn_attrs_resize *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  const pn_resized_axis *stored[PN_MAX_RANK];
  uint32_t first = x->rank, last = x->rank - 1;
  for (uint32_t i = 0; i < x->rank; i++) stored[pn_layout_place(x->layout, x->rank, i)] = &axes[i];
  for (uint32_t i = 0; i < x->rank; i++) {
    if (pn_resize_is_untouched(attrs, stored[i])) continue;
    first = first == x->rank ? i : first;
    last = i;
  }
  first = first == x->rank ? last : first;
  if (last - first > ROW_AXES) return false;
  *out = (picture){.outer = 1, .inner = 1, .w = *stored[last]};
  for (uint32_t k = 0; k < ROW_AXES; k++) {
    bool present = last >= first + (ROW_AXES - k);
    out->rows[k] = present ? *stored[last - (ROW_AXES - k)] : (pn_resized_axis){1, 1, 1, 0, 1};
  }
  for (uint32_t i = 0; i < first; i++) out->outer *= stored[i]->output;
  for (uint32_t i = last + 1; i < x->rank; i++) out->inner *= stored[i]->output;
  return true;
}

static int64_t taps_of(const pn_attrs_resize *attrs, const pn_resized_axis *a) {
  if (attrs->mode == PN_RESIZE_NEAREST || pn_resize_is_untouched(attrs, a)) return 1;
  double reach = attrs->mode == PN_RESIZE_LINEAR ? 2 : 4;
  if (attrs->antialias && a->scale < 1) reach = reach / a->scale + 2;
  return reach > MAX_TAPS ? MAX_TAPS + 1 : (int64_t)reach;
}
static int64_t row_taps_of(const pn_attrs_resize *attrs, const picture *shape) {
  return taps_of(attrs, &shape->rows[0]) * taps_of(attrs, &shape->rows[1]);
}

/* The picture of an accepted problem. */
static bool picture_planned(const pn_problem *p, const pn_device *device, picture *out) {
  pn_arena scratch;
  pn_resized_axis axes[PN_MAX_RANK];
  pn_tensor tensors[4] = {0};
  pn_call call = {0};
  pn_arena_init(&scratch, device->allocator);
  bool planned = plan(p, &scratch, axes, &call, tensors) == PELTON_OK && picture_of(p, axes, out);
  pn_arena_deinit(&scratch);
  return planned;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  if (!pn_accepts_one(p, PN_OP_RESIZE, why)) return false;
  const pn_attrs_resize *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  picture shape;
  if (x->dtype != PELTON_DTYPE_F32 && attrs->mode != PN_RESIZE_NEAREST) return pn_refuse(why, "f32 only");
  if (attrs->coordinates == PN_COORD_TF_CROP_AND_RESIZE) return pn_refuse(why, "tf_crop_and_resize");
  if (x->layout != y->layout) return pn_refuse(why, "wants one layout for operand and result");
  if (!x->rank) return pn_refuse(why, "a scalar");
  for (uint32_t i = 1; i < p->nodes[0].input_count; i++)
    if (pn_problem_input(p, 0, i) && !pn_problem_input(p, 0, i)->data)
      return pn_refuse(why, "scales or sizes are not constant");
  if (!pn_operand_elements(x) || !pn_operand_elements(y)) return pn_refuse(why, "an empty operand");
  if (!picture_planned(p, device, &shape))
    return pn_refuse(why, "more than three axes, or operands that do not fit together");
  if (shape.w.input > INT32_MAX / 2 || shape.w.output > INT32_MAX / 2) return pn_refuse(why, "rows that are too long");
  return taps_of(attrs, &shape.w) * row_taps_of(attrs, &shape) <= MAX_TAPS ||
         pn_refuse(why, "more than %d elements make a result", MAX_TAPS);
}

/* Whether rows are summed before columns. */
static bool sums_rows(const pn_attrs_resize *attrs, const picture *shape) {
  return row_taps_of(attrs, shape) > 1 && (shape->inner == 1 || shape->w.output >= shape->w.input);
}

/* Clock cycles of one row of the result. Measured on Zen 4. */
static double row_cycles(const pn_attrs_resize *attrs, const picture *shape, double lanes, size_t element_bytes) {
  double out = (double)shape->w.output, inner = (double)shape->inner, taps = (double)taps_of(attrs, &shape->w);
  double row_taps = (double)row_taps_of(attrs, shape), run_vectors = ceil(inner / lanes), cycles = 0;
  if (attrs->mode == PN_RESIZE_NEAREST && shape->inner == 1) return 4 + out * (element_bytes == 4 ? 3 / lanes : 1.5);
  if (attrs->mode == PN_RESIZE_NEAREST) return 4 + out * (8 + inner * (double)element_bytes / 32);
  if (sums_rows(attrs, shape)) cycles = 20 + (1 + row_taps) * ceil((double)shape->w.input * inner / lanes);
  if (shape->inner == 1) return cycles + 20 + ceil(out / lanes) * (2 + 3 * taps);
  return cycles + out * (20 + run_vectors * (1 + (cycles > 0 ? taps : taps * row_taps)));
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *y = pn_problem_output(p, 0, 0);
  picture shape = {.w = {1, 1, 1, 0, 1}, .inner = 1};
  double lanes = pn_cpu_sample_f32_best(device->isa)->lanes;
  (void)config;
  if (!picture_planned(p, device, &shape)) return 1; /* without memory; running it would say so */
  double rows = (double)pn_operand_elements(y) / (double)(shape.inner * shape.w.output);
  double cycles = rows * row_cycles(p->nodes[0].attrs, &shape, lanes, pelton_dtype_bytes(y->dtype));
  return pn_cpu_estimate(device, cycles * lanes, pn_cpu_operand_bytes(p), 1);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static size_t table_bytes(int64_t output, int64_t taps) {
  return pn_align_up((size_t)(output * taps) * (sizeof(int64_t) + sizeof(float)), 64);
}
static size_t row_bytes(const picture *shape, int64_t taps) {
  return shape->inner > 1 ? 0 : pn_cpu_resize_row_bytes(shape->w.output, taps);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  const pn_attrs_resize *attrs = p->nodes[0].attrs;
  picture shape;
  (void)config;
  out->state_bytes = pn_align_up(sizeof(state), 64);
  if (!picture_planned(p, device, &shape)) { /* without memory: nor is there any for this */
    out->state_bytes = SIZE_MAX / 4;
    return;
  }
  int64_t rows = shape.rows[0].output * shape.rows[1].output, taps = taps_of(attrs, &shape.w);
  for (uint32_t k = 0; k < ROW_AXES; k++)
    out->state_bytes += table_bytes(shape.rows[k].output, taps_of(attrs, &shape.rows[k]));
  out->state_bytes += table_bytes(shape.w.output, taps) + row_bytes(&shape, taps);
  out->state_bytes += pn_align_up((size_t)rows * sizeof(int64_t), 64);
  if (sums_rows(attrs, &shape))
    out->workspace_bytes =
        pn_align_up((size_t)(shape.w.input * shape.inner) * sizeof(float), 64) * device->threads;
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
  const pn_operand *x = pn_problem_input(p, 0, 0);
  pn_resized_axis axes[PN_MAX_RANK];
  pn_tensor tensors[4] = {0};
  pn_call call = {.diag = diag};
  picture shape;
  char *tables = (char *)s + pn_align_up(sizeof(state), 64);
  PN_TRY(plan(p, scratch, axes, &call, tensors));
  if (!picture_of(p, axes, &shape)) return PN_INTERNAL(diag, "resize was accepted with too many axes");
  for (uint32_t k = 0; k < ROW_AXES; k++) PN_TRY(fill_table(&call, &shape.rows[k], &tables, &s->rows[k]));
  PN_TRY(fill_table(&call, &shape.w, &tables, &s->w));
  s->vec = device->vec;
  s->sample = pn_cpu_sample_f32_best(device->isa);
  if (shape.inner == 1) {
    s->row = pn_cpu_resize_row_make(s->sample, s->w.output, s->w.input, s->w.taps, s->w.index, s->w.weight, tables);
    tables += row_bytes(&shape, s->w.taps);
  }
  s->nearest = attrs->mode == PN_RESIZE_NEAREST;
  s->sums_rows = sums_rows(attrs, &shape);
  s->outer = shape.outer;
  s->inner = shape.inner;
  s->rows_in = s->rows[0].input * s->rows[1].input;
  s->rows_out = s->rows[0].output * s->rows[1].output;
  int64_t *from = (int64_t *)(void *)tables;
  for (int64_t i = 0; s->nearest && i < s->rows_out; i++)
    from[i] = s->rows[0].index[i / s->rows[1].output] * s->rows[1].input + s->rows[1].index[i % s->rows[1].output];
  s->from = from;
  s->element_bytes = pelton_dtype_bytes(x->dtype);
  if (s->sums_rows)
    s->scratch_floats = pn_align_up((size_t)(s->w.input * s->inner) * sizeof(float), 64) / sizeof(float);
  s->parts = pn_cpu_parts(device, s->outer * s->rows_out, pn_cpu_operand_bytes(p));
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

/* The operand's rows that make row |row| of a picture, and their weights; returns how many. */
static size_t rows_of(const state *s, const float *x, int64_t row, const float **rows, float *weights) {
  const axis_table *a = &s->rows[0], *b = &s->rows[1];
  int64_t ia = row / b->output * a->taps, ib = row % b->output * b->taps;
  size_t count = 0;
  for (int64_t i = 0; i < a->taps; i++)
    for (int64_t k = 0; k < b->taps; k++) {
      rows[count] = x + (a->index[ia + i] * b->input + b->index[ib + k]) * s->w.input * s->inner;
      weights[count++] = a->weight[ia + i] * b->weight[ib + k];
    }
  return count;
}

/* A weighted sum of runs for each of a row's results, out of |count| rows. */
static void sum_runs(const state *s, const float *const *rows, const float *row_weights, size_t count, float *y) {
  const float *runs[MAX_TAPS];
  float weights[MAX_TAPS];
  const int64_t *column = s->w.index;
  const float *weight = s->w.weight;
  for (int64_t i = 0; i < s->w.output; i++, column += s->w.taps, weight += s->w.taps) {
    size_t taps = 0;
    for (size_t r = 0; r < count; r++)
      for (int64_t k = 0; k < s->w.taps; k++) {
        runs[taps] = rows[r] + column[k] * s->inner;
        weights[taps++] = row_weights[r] * weight[k];
      }
    s->vec->weighted_sum((size_t)s->inner, taps, runs, weights, y + i * s->inner);
  }
}

static void weighted_row(const state *s, const float *x, int64_t row, float *y, float *scratch) {
  static const float one = 1;
  const float *rows[MAX_TAPS], *summed = scratch;
  float weights[MAX_TAPS];
  size_t count = rows_of(s, x, row, rows, weights);
  if (s->sums_rows) {
    s->vec->weighted_sum((size_t)(s->w.input * s->inner), count, rows, weights, scratch);
    if (s->inner > 1) sum_runs(s, &summed, &one, 1, y);
  } else if (s->inner > 1) {
    sum_runs(s, rows, weights, count, y);
  } else {
    summed = rows[0];
  }
  if (s->inner == 1) s->sample->resize_row(&s->row, summed, y);
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

static void nearest_row(const state *s, size_t run_bytes, const char *row, char *y) {
  switch (run_bytes) {
  case 1: pick_uint8_t(s->w.output, s->w.index, row, y); return;
  case 2: pick_uint16_t(s->w.output, s->w.index, row, y); return;
  case 4: pick_uint32_t(s->w.output, s->w.index, row, y); return;
  case 8: pick_uint64_t(s->w.output, s->w.index, row, y); return;
  default: break;
  }
  for (int64_t i = 0; i < s->w.output; i++)
    memcpy(y + (size_t)i * run_bytes, row + (size_t)s->w.index[i] * run_bytes, run_bytes);
}

/* |count| rows of a picture, of which |from| says where they come from. */
static void nearest_rows(const state *s, const char *x, const int64_t *from, int64_t count, char *y) {
  size_t run_bytes = s->element_bytes * (size_t)s->inner, to_row = (size_t)s->w.output * run_bytes;
  if (s->inner == 1 && s->element_bytes == sizeof(float)) {
    s->sample->resize_nearest(&s->row, (const float *)(const void *)x, from, (size_t)count, (float *)(void *)y);
    return;
  }
  for (int64_t i = 0; i < count; i++, y += to_row) {
    if (i > 0 && from[i] == from[i - 1])
      memcpy(y, y - to_row, to_row);
    else
      nearest_row(s, run_bytes, x + (size_t)(from[i] * s->w.input) * run_bytes, y);
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  size_t run_bytes = s->element_bytes * (size_t)s->inner, to_row = (size_t)s->w.output * run_bytes;
  size_t from_picture = (size_t)(s->rows_in * s->w.input) * run_bytes;
  pn_cpu_share(s->outer * s->rows_out, 1, part, s->parts, &unit, &end);
  while (unit < end) {
    int64_t row = unit % s->rows_out, count = pn_min_i64(s->rows_out - row, end - unit);
    const void *x = j->x + (size_t)(unit / s->rows_out) * from_picture;
    char *y = j->y + (size_t)unit * to_row;
    if (s->nearest)
      nearest_rows(s, x, s->from + row, count, y);
    else
      for (int64_t i = 0; i < count; i++)
        weighted_row(s, x, row + i, (float *)(void *)(y + (size_t)i * to_row), j->scratch + thread * s->scratch_floats);
    unit += count;
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
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
