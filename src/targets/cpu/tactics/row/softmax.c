/* Softmax and its logarithm in f32 along any axis. Along the innermost stored axis each row goes through the row
   kernel; along another one a run of neighbours is normalised together, element by element, so that vectors stay full.
   Rows of a few elements are turned for that, and back: a call a row costs as much as 20 elements. */
#include "base/bytes.h"
#include "targets/cpu/single.h"
#include "target/strides.h"

enum { RUN = 256, SHORT = 16, SCRATCH = (3 + SHORT) * RUN }; /* floats; 3 RUNs are sums and their like */

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_reduce_f32 *reduce;
  const pn_cpu_transpose_f32 *transpose;
  bool log, turn; /* turn: |inner| counts the rows, which lie |extent| apart */
  int64_t outer, extent, inner, inner_parts; /* of the stored axes, around the one */
  uint32_t parts;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_SOFTMAX, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  if (x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (!x->rank || !pn_operand_elements(x)) return pn_refuse(why, "a scalar or an empty operand");
  return pn_layout_same(x->layout, y->layout, x->rank, x->dims) ||
         pn_refuse(why, "wants one layout for operand and result");
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_softmax *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  int64_t stored[PN_MAX_RANK];
  pn_layout_stored_dims(x->layout, x->rank, x->dims, stored);
  uint32_t axis =
      pn_layout_place(x->layout, x->rank, (uint32_t)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis));
  s->vec = device->vec;
  s->reduce = device->reduce;
  s->transpose = device->transpose;
  s->log = attrs->log;
  s->outer = s->inner = 1;
  s->extent = stored[axis];
  for (uint32_t i = 0; i < axis; i++) s->outer *= stored[i];
  for (uint32_t i = axis + 1; i < x->rank; i++) s->inner *= stored[i];
  s->turn = s->inner == 1 && s->extent > 1 && s->extent <= SHORT && s->outer >= SHORT;
  if (s->turn) {
    s->inner = s->outer;
    s->outer = 1;
  }
  s->inner_parts = pn_div_up(s->inner, RUN);
  s->parts =
      pn_cpu_parts(device, s->outer * s->inner_parts, 4 * pn_cpu_operand_bytes(p)); /* exponentials take time too */
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, 12 * (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p),
                         0.5);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = (size_t)device->threads * SCRATCH * sizeof(float);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

/* |n| neighbours at |x|, the elements of the axis |apart|. */
static void columns(const state *s, const float *x, float *y, int64_t apart, size_t n, float *scratch) {
  const pn_cpu_vec_f32 *v = s->vec;
  float *greatest = scratch, *sum = scratch + RUN, *exponential = scratch + 2 * RUN;
  v->unary[PN_CPU_UNARY_copy](n, x, NULL, greatest);
  for (int64_t i = 1; i < s->extent; i++)
    v->binary[PN_CPU_BINARY_max][PN_CPU_RUN_RUN](n, greatest, x + i * apart, greatest);
  v->fill(n, 0, sum);
  for (int64_t i = 0; i < s->extent; i++) {
    float *to = s->log ? exponential : y + i * apart;
    v->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_RUN](n, x + i * apart, greatest, to);
    v->unary[PN_CPU_UNARY_exp](n, to, NULL, to);
    v->binary[PN_CPU_BINARY_add][PN_CPU_RUN_RUN](n, sum, to, sum);
  }
  if (s->log) {
    v->unary[PN_CPU_UNARY_log](n, sum, NULL, sum);
    for (int64_t i = 0; i < s->extent; i++) {
      v->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_RUN](n, x + i * apart, greatest, y + i * apart);
      v->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_RUN](n, y + i * apart, sum, y + i * apart);
    }
    return;
  }
  v->unary[PN_CPU_UNARY_reciprocal](n, sum, NULL, sum);
  for (int64_t i = 0; i < s->extent; i++)
    v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](n, y + i * apart, sum, y + i * apart);
}

/* |n| rows at |x|. */
static void short_rows(const state *s, const float *x, float *y, int64_t n, float *scratch) {
  float *turned = scratch + 3 * RUN;
  size_t extent = (size_t)s->extent;
  s->transpose->transpose(x, s->extent, (size_t)n, extent, turned, RUN);
  columns(s, turned, turned, RUN, (size_t)n, scratch);
  s->transpose->transpose(turned, RUN, extent, (size_t)n, y, s->extent);
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const pn_cpu_single *j = argument;
  const state *s = j->state;
  int64_t unit, end;
  pn_cpu_share(s->outer * s->inner_parts, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t begin = unit % s->inner_parts * RUN, n = pn_min_i64(RUN, s->inner - begin);
    int64_t at = unit / s->inner_parts * s->extent * s->inner + begin;
    float *scratch = j->scratch + thread * SCRATCH;
    if (s->turn)
      short_rows(s, j->x + begin * s->extent, j->y + begin * s->extent, n, scratch);
    else if (s->inner == 1)
      (s->log ? s->reduce->log_softmax : s->reduce->softmax)((size_t)s->extent, j->x + at, j->y + at);
    else
      columns(s, j->x + at, j->y + at, s->inner, (size_t)n, scratch);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  (void)diag;
  return pn_cpu_single_run(step, stream, s->parts, task);
}

const pn_tactic pn_tactic_cpu_softmax = {
    .name = "cpu.softmax",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
