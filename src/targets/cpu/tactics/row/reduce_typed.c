/* Reductions of doubles and integers over constant axes, by rows or by columns (reduction.h). Integers are summed in 64
   bits that wrap, floats in double, extremes in the type itself. */
#include "base/bytes.h"
#include "targets/cpu/reduction.h"

#include <math.h>

enum { RUN = 512 };

typedef struct state {
  pn_reduce_kind kind;
  pelton_dtype dtype;
  pn_cpu_form form;
  bool is_float, is_signed;
  const pn_cpu_reduce_typed *reduce;
  const pn_cpu_vec_typed *typed;
  pn_cpu_fold fold;
  pn_reduction r;
  int64_t parts_of_inner;
  size_t total_bytes, element_bytes;
  uint64_t start; /* what a total begins with: its bytes */
  uint32_t parts;
} state;

/* PN_CPU_FOLD_COUNT: more than one pass, or through floats. */
static pn_cpu_fold fold_of(pn_reduce_kind kind, bool is_float) {
  switch (kind) {
  case PN_REDUCE_SUM:
  case PN_REDUCE_MEAN: return PN_CPU_FOLD_sum;
  case PN_REDUCE_LOG_SUM: return is_float ? PN_CPU_FOLD_sum : PN_CPU_FOLD_COUNT;
  case PN_REDUCE_L1: return PN_CPU_FOLD_abs;
  case PN_REDUCE_L2: return is_float ? PN_CPU_FOLD_squares : PN_CPU_FOLD_COUNT;
  case PN_REDUCE_SUM_SQUARE: return PN_CPU_FOLD_squares;
  case PN_REDUCE_PROD: return PN_CPU_FOLD_product;
  case PN_REDUCE_MAX: return PN_CPU_FOLD_max;
  case PN_REDUCE_MIN: return PN_CPU_FOLD_min;
  default: return PN_CPU_FOLD_COUNT;
  }
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_reduction_accepts(p, why)) return false;
  pelton_dtype dtype = pn_problem_input(p, 0, 0)->dtype;
  pn_reduce_kind kind = ((const pn_attrs_reduce *)p->nodes[0].attrs)->kind;
  if (dtype == PELTON_DTYPE_F32) return pn_refuse(why, "f32 is reduce's");
  if (pn_cpu_stored_form(dtype) == PN_CPU_FORM_COUNT)
    return pn_refuse(why, "elements of type %s", pelton_dtype_name(dtype));
  return fold_of(kind, dtype == PELTON_DTYPE_F64) != PN_CPU_FOLD_COUNT || pn_refuse(why, "more than a fold");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p), 0.2);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * RUN * sizeof(uint64_t);
}

/* What changes no total: the least element for the greatest, and the other way round. */
static uint64_t start_of(const state *s) {
  double number = s->fold == PN_CPU_FOLD_product ? 1 : 0;
  uint64_t bits = s->fold == PN_CPU_FOLD_product;
  bool max = s->fold == PN_CPU_FOLD_max, min = s->fold == PN_CPU_FOLD_min;
  if (max || min) {
    uint32_t width = 8 * (uint32_t)s->element_bytes;
    uint64_t greatest = UINT64_MAX >> (64 - width + (s->is_signed ? 1 : 0)), least = s->is_signed ? ~greatest : 0;
    bits = max ? least : greatest;
    number = max ? -(double)INFINITY : (double)INFINITY;
  }
  if (s->is_float) memcpy(&bits, &number, sizeof bits);
  return bits;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  state *s = memory;
  (void)config;
  if (!pn_reduction_plan(p, &s->r)) return PN_INTERNAL(diag, "a reduction changed after it was accepted");
  s->kind = attrs->kind;
  s->dtype = x->dtype;
  s->form = pn_cpu_stored_form(x->dtype);
  s->is_float = x->dtype == PELTON_DTYPE_F64;
  s->is_signed = pn_dtype_is_signed(x->dtype);
  s->reduce = pn_cpu_reduce_typed_best(device->isa);
  s->typed = pn_cpu_vec_typed_best(device->isa);
  s->fold = fold_of(attrs->kind, s->is_float);
  s->element_bytes = pelton_dtype_bytes(x->dtype);
  s->total_bytes = s->fold == PN_CPU_FOLD_max || s->fold == PN_CPU_FOLD_min ? s->element_bytes : 8;
  s->start = start_of(s);
  s->parts_of_inner = s->r.rows ? 1 : pn_div_up(s->r.inner, RUN);
  s->parts = pn_cpu_parts(device, s->r.results * s->parts_of_inner, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const char *x;
  char *y, *scratch;
} job;

static void finish_floats(const state *s, int64_t n, double *total) {
  for (int64_t i = 0; i < n; i++) {
    if (s->kind == PN_REDUCE_MEAN) total[i] /= (double)s->r.set_size;
    if (s->kind == PN_REDUCE_L2) total[i] = sqrt(total[i]);
    if (s->kind == PN_REDUCE_LOG_SUM) total[i] = log(total[i]);
  }
}

static void finish_integers(const state *s, int64_t n, uint64_t *total) {
  if (s->kind != PN_REDUCE_MEAN) return;
  for (int64_t i = 0; i < n; i++)
    total[i] = s->is_signed ? (uint64_t)((int64_t)total[i] / s->r.set_size) : total[i] / (uint64_t)s->r.set_size;
}

/* Totals as elements, |stride| apart. */
static void store(const state *s, int64_t n, void *totals, char *y, int64_t stride) {
  if (s->total_bytes == 8 && s->is_float) finish_floats(s, n, totals);
  if (s->total_bytes == 8 && !s->is_float) finish_integers(s, n, totals);
  size_t step = (size_t)stride * s->element_bytes;
  const char *from = totals;
  if (stride == 1 && s->total_bytes == 8 && s->element_bytes != 8) {
    s->typed->convert[PN_CPU_FORM_u64][s->form]((size_t)n, totals, y); /* bits above an element's fall off */
    return;
  }
  for (int64_t i = 0; i < n; i++, from += s->total_bytes, y += step) {
    uint64_t value = 0;
    memcpy(&value, from, s->total_bytes);
    switch (s->element_bytes) {
    case 1: *(uint8_t *)y = (uint8_t)value; break;
    case 2: *(uint16_t *)(void *)y = (uint16_t)value; break;
    case 4: *(uint32_t *)(void *)y = (uint32_t)value; break;
    default: *(uint64_t *)(void *)y = value;
    }
  }
}

static void reduce_rows(const job *j, int64_t result) {
  const state *s = j->s;
  const char *x = j->x + (size_t)pn_reduction_offset(&s->r.kept, result, s->r.kept.from) * s->element_bytes;
  uint64_t total = s->start;
  for (int64_t i = 0; i < s->r.reduced_outer; i++)
    s->reduce->row[s->form][s->fold](
        (size_t)s->r.inner, x + (size_t)pn_reduction_offset(&s->r.reduced, i, s->r.reduced.from) * s->element_bytes, &total);
  store(s, 1, &total, j->y + (size_t)pn_reduction_offset(&s->r.kept, result, s->r.kept.to) * s->element_bytes, 1);
}

static void reduce_columns(const job *j, int64_t result, int64_t part, void *totals) {
  const state *s = j->s;
  int64_t begin = part * RUN, n = pn_min_i64(RUN, s->r.inner - begin);
  const char *x = j->x + (size_t)(pn_reduction_offset(&s->r.kept, result, s->r.kept.from) + begin) * s->element_bytes;
  uint32_t size = s->total_bytes == 1 ? 0 : s->total_bytes == 2 ? 1 : s->total_bytes == 4 ? 2 : 3;
  s->typed->fill[size]((size_t)n, &s->start, totals);
  for (int64_t i = 0; i < s->r.reduced_outer; i++)
    s->reduce->columns[s->form][s->fold](
        (size_t)s->r.joined_rows, s->r.joined_stride, (size_t)n,
        x + (size_t)pn_reduction_offset(&s->r.reduced, i, s->r.reduced.from) * s->element_bytes, totals);
  int64_t to = pn_reduction_offset(&s->r.kept, result, s->r.kept.to) + begin * s->r.inner_to;
  store(s, n, totals, j->y + (size_t)to * s->element_bytes, s->r.inner_to);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  pn_cpu_share(s->r.results * s->parts_of_inner, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    if (s->r.rows)
      reduce_rows(j, unit);
    else
      reduce_columns(j, unit / s->parts_of_inner, unit % s->parts_of_inner,
                     j->scratch + (size_t)thread * RUN * sizeof(uint64_t));
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

const pn_tactic pn_tactic_cpu_reduce_typed = {
    .name = "cpu.reduce_typed",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
