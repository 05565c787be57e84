/* Reductions in f32 over constant axes, by rows or by columns (reduction.h). log_sum_exp takes two passes: greatest
   element, then the sum of exponentials below it. */
#include "base/bytes.h"
#include "targets/cpu/reduction.h"

#include <math.h>

enum { RUN = 512 };

typedef struct state {
  pn_reduce_kind kind;
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_reduce_f32 *reduce;
  const pn_cpu_pool_f32 *pool;
  pn_reduction r;
  int64_t parts_of_inner;
  void (*whole_rows)(size_t rows, ptrdiff_t stride, size_t n, const float *x, float *y); /* null: row by row */
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_reduction_accepts(p, why)) return false;
  return pn_problem_input(p, 0, 0)->dtype == PELTON_DTYPE_F32 || pn_refuse(why, "f32 only");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p), 0.2);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * 3 * RUN * sizeof(float);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  state *s = memory;
  (void)config;
  if (!pn_reduction_plan(p, &s->r)) return PN_INTERNAL(diag, "a reduction changed after it was accepted");
  s->kind = attrs->kind;
  s->vec = device->vec;
  s->reduce = device->reduce;
  s->pool = pn_cpu_pool_f32_best(device->isa);
  s->parts_of_inner = s->r.rows ? 1 : pn_div_up(s->r.inner, RUN);
  s->parts = pn_cpu_parts(device, s->r.results * s->parts_of_inner, pn_cpu_operand_bytes(p));
  bool even = s->r.rows && s->r.reduced_outer == 1 && s->r.kept.count == 1 && s->r.kept.to[0] == 1;
  if (even && (s->kind == PN_REDUCE_SUM || s->kind == PN_REDUCE_MEAN)) s->whole_rows = s->reduce->sum_rows;
  if (even && s->kind == PN_REDUCE_MAX) s->whole_rows = s->reduce->max_rows;
  if (even && s->kind == PN_REDUCE_MIN) s->whole_rows = s->reduce->min_rows;
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const float *x;
  float *y, *scratch;
} job;

/* What a pass collects; the second pass of log_sum_exp is a sum. */
typedef enum collect {
  COLLECT_SUM,
  COLLECT_ABS,
  COLLECT_SQUARES,
  COLLECT_EXP,
  COLLECT_MAX,
  COLLECT_MIN,
  COLLECT_PROD
} collect;

static collect collect_of(pn_reduce_kind kind) {
  switch (kind) {
  case PN_REDUCE_MAX: return COLLECT_MAX;
  case PN_REDUCE_MIN: return COLLECT_MIN;
  case PN_REDUCE_PROD: return COLLECT_PROD;
  case PN_REDUCE_L1: return COLLECT_ABS;
  case PN_REDUCE_L2:
  case PN_REDUCE_SUM_SQUARE: return COLLECT_SQUARES;
  case PN_REDUCE_LOG_SUM_EXP: return COLLECT_EXP;
  default: return COLLECT_SUM;
  }
}

static double finish(const state *s, double v, double shift) {
  switch (s->kind) {
  case PN_REDUCE_MEAN: return v / (double)s->r.set_size;
  case PN_REDUCE_L2: return sqrt(v);
  case PN_REDUCE_LOG_SUM: return log(v);
  case PN_REDUCE_LOG_SUM_EXP: return log(v) + shift;
  default: return v;
  }
}

/* ---- rows */

static double collect_row(const state *s, collect how, const float *x, float shift, float *scratch) {
  double sum = 0, product = 1;
  switch (how) {
  case COLLECT_SUM: return (double)s->reduce->sum((size_t)s->r.inner, x);
  case COLLECT_SQUARES: return (double)s->reduce->sum_squares((size_t)s->r.inner, x);
  case COLLECT_MAX: return (double)s->reduce->max((size_t)s->r.inner, x);
  case COLLECT_MIN: return (double)s->reduce->min((size_t)s->r.inner, x);
  case COLLECT_PROD:
    for (int64_t i = 0; i < s->r.inner; i++) product *= (double)x[i];
    return product;
  case COLLECT_ABS:
  case COLLECT_EXP: break;
  }
  for (int64_t i = 0; i < s->r.inner; i += RUN) {
    size_t n = (size_t)pn_min_i64(RUN, s->r.inner - i);
    if (how == COLLECT_ABS) {
      s->vec->unary[PN_CPU_UNARY_abs](n, x + i, NULL, scratch);
    } else {
      s->vec->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_ONE](n, x + i, &shift, scratch);
      s->vec->unary[PN_CPU_UNARY_exp](n, scratch, NULL, scratch);
    }
    sum += (double)s->reduce->sum(n, scratch);
  }
  return sum;
}

static double join_values(collect how, double a, double b) {
  if (how == COLLECT_PROD) return a * b;
  if (how == COLLECT_MAX) return b > a || isnan(b) ? b : a;
  if (how == COLLECT_MIN) return b < a || isnan(b) ? b : a;
  return a + b;
}

static double collect_rows(const state *s, collect how, const float *x, float shift, float *scratch) {
  double total = collect_row(s, how, x, shift, scratch);
  for (int64_t i = 1; i < s->r.reduced_outer; i++)
    total =
        join_values(how, total, collect_row(s, how, x + pn_reduction_offset(&s->r.reduced, i, s->r.reduced.from), shift, scratch));
  return total;
}

static void reduce_rows(const job *j, int64_t result, float *scratch) {
  const state *s = j->s;
  const float *x = j->x + pn_reduction_offset(&s->r.kept, result, s->r.kept.from);
  double shift = 0;
  if (s->kind == PN_REDUCE_LOG_SUM_EXP) {
    shift = collect_rows(s, COLLECT_MAX, x, 0, scratch);
    if (isinf(shift)) shift = 0;
  }
  double v = collect_rows(s, collect_of(s->kind), x, (float)shift, scratch);
  j->y[pn_reduction_offset(&s->r.kept, result, s->r.kept.to)] = (float)finish(s, v, shift);
}

/* ---- columns */

/* Joins |s->r.joined_rows| rows of |n| into |sum|, which holds what there was before. */
static void join_rows(const state *s, collect how, const float *x, size_t n, const float *shift, float *sum,
                      float *scratch) {
  const pn_cpu_vec_f32 *v = s->vec;
  if (how == COLLECT_SUM) { /* in blocks, which keeps the error of long sums small */
    s->pool->sum_pixels(x, s->r.joined_stride, (size_t)s->r.joined_rows, n, 1, scratch);
    v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, sum, scratch, sum);
    return;
  }
  for (int64_t i = 0; i < s->r.joined_rows; i++, x += s->r.joined_stride) {
    switch (how) {
    case COLLECT_MAX: v->binary[PN_CPU_BINARY_max][PN_CPU_RUN_RUN](n, sum, x, sum); break;
    case COLLECT_MIN: v->binary[PN_CPU_BINARY_min][PN_CPU_RUN_RUN](n, sum, x, sum); break;
    case COLLECT_PROD: v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](n, sum, x, sum); break;
    case COLLECT_SQUARES: v->ternary[PN_CPU_TERNARY_fma](n, x, x, sum, sum); break;
    default:
      if (how == COLLECT_ABS) {
        v->unary[PN_CPU_UNARY_abs](n, x, NULL, scratch);
      } else {
        v->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_RUN](n, x, shift, scratch);
        v->unary[PN_CPU_UNARY_exp](n, scratch, NULL, scratch);
      }
      v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, sum, scratch, sum);
    }
  }
}

static void collect_columns(const state *s, collect how, const float *x, size_t n, const float *shift, float *sum,
                            float *scratch) {
  float start = how == COLLECT_PROD  ? 1
                : how == COLLECT_MAX ? -(float)INFINITY
                : how == COLLECT_MIN ? (float)INFINITY
                                     : 0;
  s->vec->fill(n, start, sum);
  for (int64_t i = 0; i < s->r.reduced_outer; i++)
    join_rows(s, how, x + pn_reduction_offset(&s->r.reduced, i, s->r.reduced.from), n, shift, sum, scratch);
}

static void reduce_columns(const job *j, int64_t result, int64_t part, float *scratch) {
  const state *s = j->s;
  int64_t begin = part * RUN, n = pn_min_i64(RUN, s->r.inner - begin);
  const float *x = j->x + pn_reduction_offset(&s->r.kept, result, s->r.kept.from) + begin;
  float *sum = scratch + RUN, *shift = scratch + 2 * RUN,
        *y = j->y + pn_reduction_offset(&s->r.kept, result, s->r.kept.to) + begin * s->r.inner_to;
  if (s->kind == PN_REDUCE_LOG_SUM_EXP) {
    collect_columns(s, COLLECT_MAX, x, (size_t)n, NULL, shift, scratch);
    for (int64_t i = 0; i < n; i++)
      if (isinf(shift[i])) shift[i] = 0;
  }
  collect_columns(s, collect_of(s->kind), x, (size_t)n, shift, sum, scratch);
  float scale = (float)(1 / (double)s->r.set_size);
  switch (s->kind) {
  case PN_REDUCE_MEAN: s->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE]((size_t)n, sum, &scale, sum); break;
  case PN_REDUCE_L2: s->vec->unary[PN_CPU_UNARY_sqrt]((size_t)n, sum, NULL, sum); break;
  case PN_REDUCE_LOG_SUM:
  case PN_REDUCE_LOG_SUM_EXP: s->vec->unary[PN_CPU_UNARY_log]((size_t)n, sum, NULL, sum); break;
  default: break;
  }
  if (s->kind == PN_REDUCE_LOG_SUM_EXP) s->vec->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN]((size_t)n, sum, shift, sum);
  for (int64_t i = 0; i < n; i++) y[i * s->r.inner_to] = sum[i];
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  float *scratch = j->scratch + thread * 3 * RUN;
  int64_t unit, end;
  pn_cpu_share(s->r.results * s->parts_of_inner, 1, part, s->parts, &unit, &end);
  if (s->whole_rows) {
    float *y = j->y + unit;
    size_t rows = (size_t)(end - unit);
    s->whole_rows(rows, s->r.kept.from[0], (size_t)s->r.inner, j->x + unit * s->r.kept.from[0], y);
    for (size_t i = 0; i < rows && s->kind == PN_REDUCE_MEAN; i++) y[i] = (float)((double)y[i] / (double)s->r.set_size);
    return;
  }
  for (; unit < end; unit++) {
    if (s->r.rows)
      reduce_rows(j, unit, scratch);
    else
      reduce_columns(j, unit / s->parts_of_inner, unit % s->parts_of_inner, scratch);
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

const pn_tactic pn_tactic_cpu_reduce = {
    .name = "cpu.reduce",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
