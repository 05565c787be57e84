/* Running sums along an axis that is known, in f32, f64, i32 and i64. Along the innermost axis each line is one chain
   of additions, in double for f32, so that the error does not grow with the line; along another, whole rows are added.
 */
#include "base/bytes.h"
#include "target/movement.h"
#include "targets/cpu/cpu.h"

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_vec_typed *typed;
  pelton_dtype dtype;
  bool exclusive, reverse;
  int64_t outer, extent, inner;
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_CUMULATE, why)) return false;
  if (((const pn_attrs_cumulate *)p->nodes[0].attrs)->kind != PN_CUM_SUM) return pn_refuse(why, "sums only");
  const pn_operand *x = pn_problem_input(p, 0, 0), *axis = pn_problem_input(p, 0, 1);
  bool known = x->dtype == PELTON_DTYPE_F32 || x->dtype == PELTON_DTYPE_F64 || x->dtype == PELTON_DTYPE_I32 ||
               x->dtype == PELTON_DTYPE_I64;
  if (!known) return pn_refuse(why, "elements of type %s", pelton_dtype_name(x->dtype));
  if (!axis->data || pn_operand_elements(axis) != 1) return pn_refuse(why, "the axis is not constant");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  return true;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 8 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p),
                         0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_attrs_cumulate *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  int64_t given = pn_operand_number(pn_problem_input(p, 0, 1), 0);
  uint32_t axis = (uint32_t)(given < 0 ? given + x->rank : given);
  state *s = memory;
  (void)config;
  (void)diag;
  s->vec = device->vec;
  s->typed = pn_cpu_vec_typed_best(device->isa);
  s->dtype = x->dtype;
  s->exclusive = attrs->exclusive;
  s->reverse = attrs->reverse;
  s->outer = s->inner = 1;
  s->extent = x->dims[axis];
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis) *(i < axis ? &s->outer : &s->inner) *= x->dims[i];
  s->parts = pn_cpu_parts(device, s->outer, 2 * pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const char *x;
  char *y;
} job;

#define LINE(type, sum_type)                                                                                           \
  static void line_##type(const state *s, const void *x_line, void *y_line) {                                          \
    int64_t step = s->reverse ? -1 : 1, at = s->reverse ? s->extent - 1 : 0;                                           \
    const type *x = x_line;                                                                                            \
    type *y = y_line;                                                                                                  \
    sum_type sum = 0;                                                                                                  \
    for (int64_t i = 0; i < s->extent; i++, at += step) {                                                              \
      sum_type next = sum + (sum_type)x[at];                                                                           \
      y[at] = (type)(s->exclusive ? sum : next);                                                                       \
      sum = next;                                                                                                      \
    }                                                                                                                  \
  }
LINE(float, double)
LINE(double, double)
LINE(int32_t, uint32_t)
LINE(int64_t, uint64_t)

static void add_rows(const state *s, const void *a, const void *b, void *y) {
  size_t n = (size_t)s->inner;
  if (s->dtype == PELTON_DTYPE_F32) {
    s->vec->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, a, b, y);
    return;
  }
  pn_cpu_form form = s->dtype == PELTON_DTYPE_F64   ? PN_CPU_FORM_f64
                     : s->dtype == PELTON_DTYPE_I32 ? PN_CPU_FORM_i32
                                                    : PN_CPU_FORM_i64;
  s->typed->binary[form][PN_CPU_TYPED_BINARY_add](n, a, b, 0, y);
}

/* Row after row, each the one before and one of the operand's. */
static void sum_rows(const state *s, const char *x, char *y) {
  size_t row = (size_t)s->inner * pelton_dtype_bytes(s->dtype);
  for (int64_t i = 0; i < s->extent; i++) {
    int64_t at = s->reverse ? s->extent - 1 - i : i, before = s->reverse ? at + 1 : at - 1;
    char *to = y + (size_t)at * row;
    if (i == 0 && s->exclusive)
      memset(to, 0, row);
    else if (i == 0)
      memcpy(to, x + (size_t)at * row, row);
    else
      add_rows(s, y + (size_t)before * row, x + (size_t)(s->exclusive ? before : at) * row, to);
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  size_t plane = (size_t)(s->extent * s->inner) * pelton_dtype_bytes(s->dtype);
  (void)thread;
  pn_cpu_share(s->outer, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    const char *x = j->x + (size_t)unit * plane;
    char *y = j->y + (size_t)unit * plane;
    if (s->inner != 1)
      sum_rows(s, x, y);
    else if (s->dtype == PELTON_DTYPE_F32)
      line_float(s, x, y);
    else if (s->dtype == PELTON_DTYPE_F64)
      line_double(s, x, y);
    else if (s->dtype == PELTON_DTYPE_I32)
      line_int32_t(s, x, y);
    else
      line_int64_t(s, x, y);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->outputs[0]]};
  if (s->parts && s->extent && s->inner) pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_cumulate = {
    .name = "cpu.cumulate",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
