/* lp_norm in f32: lines over their 1-norm or 2-norm. Along the innermost axis a line is a run; along another one whole
   rows are joined and divided, PIECE columns at a time. A line of zeros stays as it is. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

#include <math.h>

enum { PIECE = 512 };

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_reduce_f32 *reduce;
  bool squares;
  int64_t outer, extent, inner, inner_parts;
  uint32_t parts;
} state;

static uint32_t axis_of(const pn_problem *p) {
  int64_t axis = ((const pn_attrs_lp_norm *)p->nodes[0].attrs)->axis;
  return (uint32_t)(axis < 0 ? axis + pn_problem_input(p, 0, 0)->rank : axis);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_LP_NORM, why)) return false;
  if (pn_problem_input(p, 0, 0)->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 2 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p),
                         0.2);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * 2 * PIECE * sizeof(float);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  uint32_t axis = axis_of(p);
  state *s = memory;
  (void)config;
  (void)diag;
  s->vec = device->vec;
  s->reduce = device->reduce;
  s->squares = ((const pn_attrs_lp_norm *)p->nodes[0].attrs)->p == 2;
  s->outer = s->inner = 1;
  s->extent = x->dims[axis];
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis) *(i < axis ? &s->outer : &s->inner) *= x->dims[i];
  s->inner_parts = pn_div_up(s->inner, PIECE);
  if (s->extent) s->parts = pn_cpu_parts(device, s->outer * s->inner_parts, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const float *x;
  float *y, *scratch;
} job;

static void divide_row(const state *s, const float *x, float *y, float *scratch) {
  double sum = 0;
  if (s->squares) {
    sum = sqrt((double)s->reduce->sum_squares((size_t)s->extent, x));
  } else {
    for (int64_t i = 0; i < s->extent; i += PIECE) {
      size_t n = (size_t)pn_min_i64(PIECE, s->extent - i);
      s->vec->unary[PN_CPU_UNARY_abs](n, x + i, NULL, scratch);
      sum += (double)s->reduce->sum(n, scratch);
    }
  }
  const float norm = sum == 0 ? 1 : (float)sum;
  s->vec->binary[PN_CPU_BINARY_div][PN_CPU_RUN_ONE]((size_t)s->extent, x, &norm, y);
}

static void divide_columns(const state *s, const float *x, size_t n, float *y, float *scratch) {
  float *sum = scratch, *size = scratch + PIECE;
  s->vec->fill(n, 0, sum);
  for (int64_t i = 0; i < s->extent; i++) {
    const float *row = x + i * s->inner;
    if (s->squares) {
      s->vec->ternary[PN_CPU_TERNARY_fma](n, row, row, sum, sum);
      continue;
    }
    s->vec->unary[PN_CPU_UNARY_abs](n, row, NULL, size);
    s->vec->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, sum, size, sum);
  }
  if (s->squares) s->vec->unary[PN_CPU_UNARY_sqrt](n, sum, NULL, sum);
  for (size_t i = 0; i < n; i++)
    if (sum[i] == 0) sum[i] = 1;
  for (int64_t i = 0; i < s->extent; i++)
    s->vec->binary[PN_CPU_BINARY_div][PN_CPU_RUN_RUN](n, x + i * s->inner, sum, y + i * s->inner);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  float *scratch = j->scratch + (size_t)thread * 2 * PIECE;
  int64_t unit, end;
  pn_cpu_share(s->outer * s->inner_parts, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t inner = unit % s->inner_parts * PIECE, at = unit / s->inner_parts * s->extent * s->inner + inner;
    if (s->inner == 1)
      divide_row(s, j->x + at, j->y + at, scratch);
    else
      divide_columns(s, j->x + at, (size_t)pn_min_i64(PIECE, s->inner - inner), j->y + at, scratch);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->outputs[0]], step->workspace};
  if (s->parts) pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_lp_norm = {
    .name = "cpu.lp_norm",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
