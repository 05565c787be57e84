/* Where the greatest or least element of an axis is, and hardmax, which puts a one there and zeros elsewhere; of any
   type that the machine has. Along the innermost stored axis the kernel finds the extreme, and a search finds it again;
   along another one neighbours are compared together. NaN is the extreme where there is one. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"
#include "target/strides.h"

enum { RUN = PN_CPU_ARG_COLUMNS };

typedef struct state {
  int64_t (*arg_row)(size_t n, const void *x, int last);
  void (*arg_columns)(size_t rows, ptrdiff_t stride, size_t n, const void *x, int last, int64_t *y);
  bool hard, last_index;
  size_t element_bytes;
  int64_t outer, extent, inner, inner_parts; /* of the stored axes, around the one */
  uint32_t parts;
} state;

static bool is_hard(const pn_problem *p) { return p->nodes[0].op == PN_OP_HARDMAX; }

static uint32_t axis_of(const pn_problem *p) {
  int64_t axis = is_hard(p) ? ((const pn_attrs_hardmax *)p->nodes[0].attrs)->axis
                            : ((const pn_attrs_arg_reduce *)p->nodes[0].attrs)->axis;
  return (uint32_t)(axis < 0 ? axis + pn_problem_input(p, 0, 0)->rank : axis);
}

/* Whether the result's elements lie in the order of the operand's other axes as these are stored. */
static bool same_order(const pn_problem *p) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  bool keep = ((const pn_attrs_arg_reduce *)p->nodes[0].attrs)->keep_dims;
  int64_t strides[PN_MAX_RANK], dense = 1;
  uint32_t axis = axis_of(p);
  pn_operand_axis_strides(y, strides);
  for (uint32_t place = x->rank; place-- > 0;)
    for (uint32_t d = 0; d < x->rank; d++) {
      if (d == axis || x->dims[d] == 1 || pn_layout_place(x->layout, x->rank, d) != place) continue;
      if (strides[d - (!keep && d > axis)] != dense) return false;
      dense *= x->dims[d];
    }
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, is_hard(p) ? PN_OP_HARDMAX : PN_OP_ARG_REDUCE, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (pn_cpu_stored_form(x->dtype) == PN_CPU_FORM_COUNT)
    return pn_refuse(why, "elements of type %s", pelton_dtype_name(x->dtype));
  if (!x->rank || !pn_operand_elements(x)) return pn_refuse(why, "a scalar or an empty operand");
  if (is_hard(p))
    return x->layout == pn_problem_output(p, 0, 0)->layout || pn_refuse(why, "wants the result in the same layout");
  return same_order(p) || pn_refuse(why, "wants the result in the order of the operand");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 2 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p),
                         0.1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_operand *x = pn_problem_input(p, 0, 0);
  const pn_cpu_reduce_typed *reduce = pn_cpu_reduce_typed_best(device->isa);
  pn_cpu_form form = pn_cpu_stored_form(x->dtype);
  int64_t stored[PN_MAX_RANK];
  bool least = false;
  state *s = memory;
  (void)config;
  (void)diag;
  uint32_t axis = pn_layout_place(x->layout, x->rank, axis_of(p));
  pn_layout_stored_dims(x->layout, x->rank, x->dims, stored);
  s->hard = is_hard(p);
  if (!s->hard) {
    const pn_attrs_arg_reduce *attrs = p->nodes[0].attrs;
    least = attrs->kind != PN_ARG_MAX;
    s->last_index = attrs->last_index;
  }
  s->element_bytes = pelton_dtype_bytes(x->dtype);
  s->arg_row = reduce->arg_row[form][least];
  s->arg_columns = reduce->arg_columns[form][least];
  s->outer = s->inner = 1;
  s->extent = stored[axis];
  for (uint32_t i = 0; i < axis; i++) s->outer *= stored[i];
  for (uint32_t i = axis + 1; i < x->rank; i++) s->inner *= stored[i];
  s->inner_parts = pn_div_up(s->inner, RUN);
  s->parts = pn_cpu_parts(device, s->outer * s->inner_parts, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const char *x;
  void *y;
} job;

/* The |n| columns of hardmax from |offset| elements on, their ones |at|. */
static void set_ones(const state *s, void *y, int64_t offset, int64_t n, const int64_t *at) {
  size_t bytes = s->element_bytes;
  for (int64_t i = 0; i < s->extent; i++) memset((char *)y + (size_t)(offset + i * s->inner) * bytes, 0, (size_t)n * bytes);
  for (int64_t i = 0; i < n; i++) {
    int64_t to = offset + at[i] * s->inner + i;
    if (bytes == 4)
      ((float *)y)[to] = 1;
    else
      ((double *)y)[to] = 1;
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end, here[RUN];
  (void)thread;
  pn_cpu_share(s->outer * s->inner_parts, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t begin = unit % s->inner_parts * RUN, outer = unit / s->inner_parts, n = pn_min_i64(RUN, s->inner - begin),
            offset = outer * s->extent * s->inner + begin;
    const char *x = j->x + (size_t)offset * s->element_bytes;
    int64_t *at = s->hard ? here : (int64_t *)j->y + outer * s->inner + begin;
    if (s->inner == 1)
      *at = s->arg_row((size_t)s->extent, x, s->last_index);
    else
      s->arg_columns((size_t)s->extent, s->inner, (size_t)n, x, s->last_index, at);
    if (!s->hard) continue;
    if (s->inner == 1) { /* one line at once */
      memset((char *)j->y + (size_t)offset * s->element_bytes, 0, (size_t)s->extent * s->element_bytes);
      if (s->element_bytes == 4)
        ((float *)j->y)[offset + *at] = 1;
      else
        ((double *)j->y)[offset + *at] = 1;
    } else {
      set_ones(s, j->y, offset, n, at);
    }
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->outputs[0]]};
  pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_arg_reduce = {
    .name = "cpu.arg_reduce",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
