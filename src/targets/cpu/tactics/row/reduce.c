/* Reductions in f32 over constant axes, between any layouts. What is left of the operand's axes after merging decides:

   rows       the innermost axis is reduced and contiguous: each piece is one run for the row kernels;
   columns    the innermost axis is kept: rows are joined element by element into a run of results, which is how an
              average over the pixels of a channels-last picture goes.

   Further axes, reduced or kept, are walked around it. log_sum_exp takes two passes: greatest element, then the sum of
   exponentials below it. */
#include "base/bytes.h"
#include "target/movement.h"
#include "target/strides.h"
#include "targets/cpu/cpu.h"

#include <assert.h>
#include <math.h>

enum { RUN = 512 };

typedef struct axes {
  uint32_t count;
  int64_t dims[PN_MAX_RANK], from[PN_MAX_RANK], to[PN_MAX_RANK];
} axes;

typedef struct state {
  pn_reduce_kind kind;
  bool rows;
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_reduce_f32 *reduce;
  const pn_cpu_pool_f32 *pool;
  axes kept, reduced;                 /* outer ones: without the innermost */
  int64_t inner, inner_to;            /* the innermost axis; |inner_to|: its stride in the result, when kept */
  int64_t joined_rows, joined_stride; /* columns: the innermost reduced axis */
  int64_t results, parts_of_inner, reduced_outer;
  double set_size;
  uint32_t parts;
} state;

/* Which axes are reduced; false when that is not known now. */
static bool reduced_axes(const pn_problem *p, bool *reduced, pn_reason *why) {
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *listed = pn_problem_input(p, 0, 1);
  assert(x);
  if (listed && !listed->data) return pn_refuse(why, "axes are not constant");
  int64_t count = listed ? pn_operand_elements(listed) : 0;
  for (uint32_t i = 0; i < x->rank; i++) reduced[i] = count == 0 && !attrs->empty_is_none;
  for (int64_t i = 0; i < count; i++) {
    int64_t axis = pn_operand_number(listed, i);
    reduced[axis < 0 ? axis + x->rank : axis] = true;
  }
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  bool reduced[PN_MAX_RANK], any = false;
  (void)device;
  if (p->nodes[0].op != PN_OP_REDUCE || p->node_count != 1) return pn_refuse(why, "reductions alone");
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (!reduced_axes(p, reduced, why)) return false;
  if (!pn_operand_elements(x)) return pn_refuse(why, "an empty operand");
  for (uint32_t i = 0; i < x->rank; i++) any = any || reduced[i];
  return any || pn_refuse(why, "no axis is reduced");
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

static void add_axis(axes *a, int64_t dim, int64_t from, int64_t to) {
  uint32_t last = a->count - 1;
  if (dim == 1) return;
  if (a->count && a->from[last] == from * dim && a->to[last] == to * dim) {
    a->dims[last] *= dim;
    a->from[last] = from;
    a->to[last] = to;
    return;
  }
  a->dims[a->count] = dim;
  a->from[a->count] = from;
  a->to[a->count++] = to;
}

static int64_t count_of(const axes *a) {
  int64_t n = 1;
  for (uint32_t d = 0; d < a->count; d++) n *= a->dims[d];
  return n;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t from[PN_MAX_RANK], own_to[PN_MAX_RANK], to[PN_MAX_RANK] = {0};
  bool reduced[PN_MAX_RANK] = {0};
  state *s = memory;
  (void)config;
  if (!reduced_axes(p, reduced, NULL)) return PN_INTERNAL(diag, "a reduction changed after it was accepted");
  pn_operand_axis_strides(x, from);
  pn_operand_axis_strides(y, own_to);
  for (uint32_t i = 0, k = 0; i < x->rank; i++) {
    if (!reduced[i]) to[i] = own_to[k];
    k += attrs->keep_dims || !reduced[i];
  }
  for (uint32_t place = 0; place < x->rank; place++) /* in the order in which the operand is stored */
    for (uint32_t i = 0; i < x->rank; i++)
      if (pn_layout_place(x->layout, x->rank, i) == place)
        add_axis(reduced[i] ? &s->reduced : &s->kept, x->dims[i], from[i], to[i]);
  s->kind = attrs->kind;
  s->vec = device->vec;
  s->reduce = device->reduce;
  s->pool = pn_cpu_pool_f32_best(device->isa);
  s->set_size = (double)count_of(&s->reduced);
  s->inner = s->joined_rows = 1;
  axes *r = &s->reduced, *k = &s->kept;
  s->rows = !k->count || (r->count && r->from[r->count - 1] == 1);
  if (s->rows) {
    if (r->count) s->inner = r->dims[--r->count];
  } else {
    s->inner = k->dims[--k->count];
    s->inner_to = k->to[k->count];
    if (r->count) {
      s->joined_rows = r->dims[--r->count];
      s->joined_stride = r->from[r->count];
    }
  }
  s->reduced_outer = count_of(r);
  s->parts_of_inner = s->rows ? 1 : pn_div_up(s->inner, RUN);
  s->results = count_of(k);
  s->parts = pn_cpu_parts(device, s->results * s->parts_of_inner, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const float *x;
  float *y, *scratch;
} job;

static int64_t offset_of(const axes *a, int64_t position, const int64_t *strides) {
  int64_t offset = 0;
  for (uint32_t d = a->count; d-- > 1;) {
    offset += position % a->dims[d] * strides[d];
    position /= a->dims[d];
  }
  return a->count ? offset + position * strides[0] : offset; /* without a division, mostly the only axis */
}

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
  case PN_REDUCE_MEAN: return v / s->set_size;
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
  case COLLECT_SUM: return (double)s->reduce->sum((size_t)s->inner, x);
  case COLLECT_SQUARES: return (double)s->reduce->sum_squares((size_t)s->inner, x);
  case COLLECT_MAX: return (double)s->reduce->max((size_t)s->inner, x);
  case COLLECT_MIN: return (double)s->reduce->min((size_t)s->inner, x);
  case COLLECT_PROD:
    for (int64_t i = 0; i < s->inner; i++) product *= (double)x[i];
    return product;
  case COLLECT_ABS:
  case COLLECT_EXP: break;
  }
  for (int64_t i = 0; i < s->inner; i += RUN) {
    size_t n = (size_t)pn_min_i64(RUN, s->inner - i);
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
  for (int64_t i = 1; i < s->reduced_outer; i++)
    total =
        join_values(how, total, collect_row(s, how, x + offset_of(&s->reduced, i, s->reduced.from), shift, scratch));
  return total;
}

static void reduce_rows(const job *j, int64_t result, float *scratch) {
  const state *s = j->s;
  const float *x = j->x + offset_of(&s->kept, result, s->kept.from);
  double shift = 0;
  if (s->kind == PN_REDUCE_LOG_SUM_EXP) {
    shift = collect_rows(s, COLLECT_MAX, x, 0, scratch);
    if (isinf(shift)) shift = 0;
  }
  double v = collect_rows(s, collect_of(s->kind), x, (float)shift, scratch);
  j->y[offset_of(&s->kept, result, s->kept.to)] = (float)finish(s, v, shift);
}

/* ---- columns */

/* Joins |s->joined_rows| rows of |n| into |sum|, which holds what there was before. */
static void join_rows(const state *s, collect how, const float *x, size_t n, const float *shift, float *sum,
                      float *scratch) {
  const pn_cpu_vec_f32 *v = s->vec;
  if (how == COLLECT_SUM) { /* in blocks, which keeps the error of long sums small */
    s->pool->sum_pixels(x, s->joined_stride, (size_t)s->joined_rows, n, 1, scratch);
    v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, sum, scratch, sum);
    return;
  }
  for (int64_t i = 0; i < s->joined_rows; i++, x += s->joined_stride) {
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
  for (int64_t i = 0; i < s->reduced_outer; i++)
    join_rows(s, how, x + offset_of(&s->reduced, i, s->reduced.from), n, shift, sum, scratch);
}

static void reduce_columns(const job *j, int64_t result, int64_t part, float *scratch) {
  const state *s = j->s;
  int64_t begin = part * RUN, n = pn_min_i64(RUN, s->inner - begin);
  const float *x = j->x + offset_of(&s->kept, result, s->kept.from) + begin;
  float *sum = scratch + RUN, *shift = scratch + 2 * RUN,
        *y = j->y + offset_of(&s->kept, result, s->kept.to) + begin * s->inner_to;
  if (s->kind == PN_REDUCE_LOG_SUM_EXP) {
    collect_columns(s, COLLECT_MAX, x, (size_t)n, NULL, shift, scratch);
    for (int64_t i = 0; i < n; i++)
      if (isinf(shift[i])) shift[i] = 0;
  }
  collect_columns(s, collect_of(s->kind), x, (size_t)n, shift, sum, scratch);
  float scale = (float)(1 / s->set_size);
  switch (s->kind) {
  case PN_REDUCE_MEAN: s->vec->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE]((size_t)n, sum, &scale, sum); break;
  case PN_REDUCE_L2: s->vec->unary[PN_CPU_UNARY_sqrt]((size_t)n, sum, NULL, sum); break;
  case PN_REDUCE_LOG_SUM:
  case PN_REDUCE_LOG_SUM_EXP: s->vec->unary[PN_CPU_UNARY_log]((size_t)n, sum, NULL, sum); break;
  default: break;
  }
  if (s->kind == PN_REDUCE_LOG_SUM_EXP) s->vec->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN]((size_t)n, sum, shift, sum);
  for (int64_t i = 0; i < n; i++) y[i * s->inner_to] = sum[i];
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  float *scratch = j->scratch + thread * 3 * RUN;
  int64_t unit, end;
  pn_cpu_share(s->results * s->parts_of_inner, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    if (s->rows)
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
