/* Maximum pooling in f32 over any number of spatial axes, with the places of what it takes: a running best and its index
   side by side, a vector of outputs of a row at a time; windows that are cut at the row's ends one by one. */
#include "base/bytes.h"
#include "targets/cpu/pooling.h"

#include <math.h>

typedef struct state {
  pn_cpu_pooling pooling;
  const pn_cpu_pool_f32 *kernels;
  int64_t planes, index_strides[PN_MAX_RANK];
  uint32_t parts;
  size_t row_bytes; /* indices of a row, a thread */
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_cpu_pooling_accepts(p, why)) return false;
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *indices = pn_problem_output(p, 0, 1);
  if (attrs->kind != PN_POOL_MAX || !indices) return pn_refuse(why, "the greatest, with its index");
  if (!pn_layout_same(x->layout, PN_LAYOUT_PLAIN, x->rank, x->dims) ||
      !pn_layout_same(indices->layout, PN_LAYOUT_PLAIN, x->rank, indices->dims))
    return pn_refuse(why, "plain layouts only");
  if (!pn_operand_elements(x) || pn_operand_elements(x) / (x->dims[0] * x->dims[1]) > INT32_MAX)
    return pn_refuse(why, "planes of 1 to 2^31 elements only");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  double taps = (double)pn_operand_elements(pn_problem_output(p, 0, 0));
  (void)config;
  for (uint32_t i = 0; i < attrs->kernel.count; i++) taps *= (double)attrs->kernel.data[i];
  return pn_cpu_estimate(device, taps, pn_cpu_operand_bytes(p), 0.05);
}

static pelton_status fill(const pn_problem *p, const pn_device *device, state *s, pelton_diag *diag) {
  const pn_attrs_pool *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  PN_TRY(pn_cpu_pooling_init(p, &s->pooling, diag));
  uint32_t axes = s->pooling.outer + 1;
  int64_t stride = 1;
  for (uint32_t i = 0; i < axes; i++) {
    uint32_t axis = attrs->column_major_indices ? i : axes - 1 - i;
    s->index_strides[axis] = stride;
    stride *= s->pooling.axis[axis].input;
  }
  s->kernels = pn_cpu_pool_f32_best(device->isa);
  s->planes = x->dims[0] * x->dims[1];
  s->row_bytes = pn_align_up((size_t)pn_cpu_pooling_row(&s->pooling)->output * sizeof(int32_t), 64);
  s->parts = pn_cpu_parts(device, s->planes * s->pooling.out_rows, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  out->state_bytes = sizeof(state);
  if (!fill(p, device, &s, NULL)) out->workspace_bytes = s.row_bytes * device->threads;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  return fill(p, device, memory, diag);
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const float *x;
  float *y;
  int64_t *indices;
  char *scratch;
} job;

/* As the indices count: the first element of row |row| of a plane. */
static int64_t index_of_row(const state *s, int64_t row) {
  int64_t index = 0;
  for (uint32_t i = s->pooling.outer; i-- > 0; row /= s->pooling.axis[i].input)
    index += row % s->pooling.axis[i].input * s->index_strides[i];
  return index;
}

/* Outputs [begin, end) of a row, whose windows have the same taps of it; indices count from |base|. */
static void pick(const state *s, pn_cpu_pool_f32_pick *one, const float *const *starts, const int64_t *starts_index,
                 int64_t begin, int64_t end, int64_t base, float *out, int64_t *indices) {
  const pn_window *w = pn_cpu_pooling_row(&s->pooling);
  const float *rows[PN_POOLING_MAX_ROWS];
  int32_t row_index[PN_POOLING_MAX_ROWS];
  int64_t first, last;
  if (begin >= end) return;
  pn_window_taps(w, begin, &first, &last);
  one->taps = (size_t)(last - first);
  if (!one->row_count || !one->taps) {
    for (int64_t i = begin; i < end; i++) {
      out[i] = -(float)INFINITY;
      indices[i] = -1;
    }
    return;
  }
  int64_t column = begin * w->stride - w->pad_begin + first * w->dilation;
  for (size_t r = 0; r < one->row_count; r++) {
    rows[r] = starts[r] + column;
    row_index[r] = (int32_t)(starts_index[r] + column * one->column_index);
  }
  one->rows = rows;
  one->row_index = row_index;
  one->n = (size_t)(end - begin);
  one->out = out + begin;
  s->kernels->pick(one);
  for (int64_t i = begin; i < end; i++) indices[i] = base + one->at[i - begin];
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  const pn_cpu_pooling *p = &s->pooling;
  const pn_window *w = pn_cpu_pooling_row(p);
  const float *rows[PN_POOLING_MAX_ROWS];
  int64_t at[PN_POOLING_MAX_ROWS], next, end;
  pn_cpu_pool_f32_pick one = {.stride = w->stride,
                              .dilation = w->dilation,
                              .column_index = (int32_t)s->index_strides[p->outer],
                              .at = (int32_t *)(void *)(j->scratch + thread * s->row_bytes)};
  pn_cpu_share(s->planes * p->out_rows, 1, part, s->parts, &next, &end);
  for (; next < end; next++) {
    int64_t plane = next / p->out_rows, elements = p->in_rows * w->input, i;
    float *out = j->y + next * w->output;
    int64_t *indices = j->indices + next * w->output;
    one.row_count = (size_t)pn_cpu_pooling_rows(p, next % p->out_rows, at);
    for (size_t r = 0; r < one.row_count; r++) {
      rows[r] = j->x + plane * elements + at[r] * w->input;
      at[r] = index_of_row(s, at[r]);
    }
    for (i = 0; i < p->inside_begin; i++) pick(s, &one, rows, at, i, i + 1, plane * elements, out, indices);
    pick(s, &one, rows, at, i, p->inside_end, plane * elements, out, indices);
    for (i = pn_max_i64(i, p->inside_end); i < w->output; i++)
      pick(s, &one, rows, at, i, i + 1, plane * elements, out, indices);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->outputs[0]], step->operands[node->outputs[1]],
           step->workspace};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_pool_indices = {
    .name = "cpu.pool_indices",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
