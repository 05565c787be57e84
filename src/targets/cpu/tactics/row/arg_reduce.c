/* Where the greatest or least element of an axis is, in f32. Along the innermost stored axis the row kernel finds the
   extreme, and a search finds it again; along another one neighbours are compared together. NaN is the extreme where
   there is one, as the row kernels have it. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"
#include "target/strides.h"

enum { RUN = 256 };

typedef struct state {
  const pn_cpu_reduce_f32 *reduce;
  bool max, last_index;
  int64_t outer, extent, inner, inner_parts; /* of the stored axes, around the one */
  uint32_t parts;
} state;

static uint32_t axis_of(const pn_problem *p) {
  int64_t axis = ((const pn_attrs_arg_reduce *)p->nodes[0].attrs)->axis;
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
  if (p->nodes[0].op != PN_OP_ARG_REDUCE || p->node_count != 1) return pn_refuse(why, "arg_reduce alone");
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (!x->rank || !pn_operand_elements(x)) return pn_refuse(why, "a scalar or an empty operand");
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
  const pn_attrs_arg_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  int64_t stored[PN_MAX_RANK];
  state *s = memory;
  (void)config;
  (void)diag;
  uint32_t axis = pn_layout_place(x->layout, x->rank, axis_of(p));
  pn_layout_stored_dims(x->layout, x->rank, x->dims, stored);
  s->reduce = device->reduce;
  s->max = attrs->kind == PN_ARG_MAX;
  s->last_index = attrs->last_index;
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
  const float *x;
  int64_t *y;
} job;

static int64_t find_in_row(const state *s, const float *x) {
  float extreme = s->max ? s->reduce->max((size_t)s->extent, x) : s->reduce->min((size_t)s->extent, x);
  bool is_nan = extreme != extreme;
  for (int64_t i = 0; i < s->extent; i++) {
    int64_t at = s->last_index ? s->extent - 1 - i : i;
    if (x[at] == extreme || (is_nan && x[at] != x[at])) return at;
  }
  return 0; /* not reached: the extreme is one of them */
}

static void find_in_columns(const state *s, const float *x, int64_t n, int64_t *y) {
  float best[RUN];
  memcpy(best, x, (size_t)n * sizeof *best);
  memset(y, 0, (size_t)n * sizeof *y);
  for (int64_t i = 1; i < s->extent; i++) {
    x += s->inner;
    for (int64_t k = 0; k < n; k++) {
      float v = x[k], b = best[k];
      bool better = s->max ? v > b : v < b;
      better = better || (v != v && b == b) || (s->last_index && (v == b || (v != v && b != b)));
      best[k] = better ? v : b;
      y[k] = better ? i : y[k];
    }
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  (void)thread;
  pn_cpu_share(s->outer * s->inner_parts, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t begin = unit % s->inner_parts * RUN, outer = unit / s->inner_parts;
    const float *x = j->x + outer * s->extent * s->inner + begin;
    int64_t *y = j->y + outer * s->inner + begin;
    if (s->inner == 1)
      *y = find_in_row(s, x);
    else
      find_in_columns(s, x, pn_min_i64(RUN, s->inner - begin), y);
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
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
