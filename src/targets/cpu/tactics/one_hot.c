/* one_hot of any type: rows are filled with the value for "off" in pieces that stay in the cache, and the places that
   the indices name are then written over. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

enum { PIECE = 512 };

typedef struct state {
  const pn_cpu_vec_typed *typed;
  pn_cpu_form index_form;
  size_t element_bytes;
  int64_t outer, depth, inner;  /* of the result, around the new axis */
  int64_t outer_piece, inner_parts;
  uint32_t parts;
} state;

static uint32_t axis_of(const pn_problem *p) {
  int64_t axis = ((const pn_attrs_one_hot *)p->nodes[0].attrs)->axis;
  return (uint32_t)(axis < 0 ? axis + pn_problem_output(p, 0, 0)->rank : axis);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_ONE_HOT, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  const pn_operand *y = pn_problem_output(p, 0, 0);
  pelton_dtype indices = pn_problem_input(p, 0, 0)->dtype;
  pn_cpu_form form = pn_cpu_stored_form(indices);
  /* Integers beyond int64 and numbers that are none are the reference's. */
  if (form == PN_CPU_FORM_COUNT || form == PN_CPU_FORM_u64 || pn_dtype_is_float(indices))
    return pn_refuse(why, "indices of type %s", pelton_dtype_name(indices));
  size_t bytes = pelton_dtype_bytes(y->dtype);
  if (pn_dtype_points(y->dtype) || (pn_dtype_bits(y->dtype) < 8 && y->dtype != PELTON_DTYPE_BOOL) || bytes > 8 || (bytes & (bytes - 1)))
    return pn_refuse(why, "elements of type %s", pelton_dtype_name(y->dtype));
  return pn_operand_elements(pn_problem_input(p, 0, 2)) == 2 || pn_refuse(why, "values are not two");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  (void)config;
  return pn_cpu_estimate(device, (double)pn_operand_elements(pn_problem_input(p, 0, 0)), pn_cpu_operand_bytes(p), 0.1);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  const pn_operand *y = pn_problem_output(p, 0, 0);
  state *s = memory;
  (void)config;
  (void)diag;
  s->typed = pn_cpu_vec_typed_best(device->isa);
  s->index_form = pn_cpu_stored_form(pn_problem_input(p, 0, 0)->dtype);
  s->element_bytes = pelton_dtype_bytes(y->dtype);
  s->outer = s->inner = 1;
  uint32_t axis = axis_of(p);
  for (uint32_t i = 0; i < y->rank; i++)
    if (i != axis) *(i < axis ? &s->outer : &s->inner) *= y->dims[i];
  s->depth = y->dims[axis];
  s->inner_parts = pn_div_up(s->inner, PIECE);
  s->outer_piece = s->inner == 1 && s->depth ? pn_max_i64(1, PIECE / s->depth) : 1;
  if (pn_operand_elements(y))
    s->parts = pn_cpu_parts(device, pn_div_up(s->outer, s->outer_piece) * s->inner_parts, pn_cpu_operand_bytes(p));
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const char *indices, *values;
  char *y;
} job;

static void fill(const state *s, int64_t n, const void *value, void *y) {
  uint32_t size = s->element_bytes == 1 ? 0 : s->element_bytes == 2 ? 1 : s->element_bytes == 4 ? 2 : 3;
  s->typed->fill[size]((size_t)n, value, y);
}

#define SET(type)                                                                                                      \
  static void set_##type(int64_t n, int64_t depth, const int64_t *at, const void *on, void *y, int64_t step,           \
                         int64_t stride) {                                                                             \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
      int64_t k = at[i] < 0 ? at[i] + depth : at[i];                                                                   \
      if (k >= 0 && k < depth) ((type *)y)[i * step + k * stride] = *(const type *)on; /* else all is "off" */         \
    }                                                                                                                  \
  }
SET(uint8_t)
SET(uint16_t)
SET(uint32_t)
SET(uint64_t)

/* |n| indices from |first| on; index i owns every |stride|-th element from y[i * step]. */
static void set_on(const job *j, int64_t first, int64_t n, char *y, int64_t step, int64_t stride) {
  const state *s = j->s;
  int64_t at[PIECE];
  size_t index_bytes = s->index_form <= PN_CPU_FORM_i8    ? 1
                       : s->index_form <= PN_CPU_FORM_i16 ? 2
                       : s->index_form <= PN_CPU_FORM_i32 ? 4
                                                          : 8;
  s->typed->convert[s->index_form][PN_CPU_FORM_i64]((size_t)n, j->indices + (size_t)first * index_bytes, at);
  const void *on = j->values + s->element_bytes;
  switch (s->element_bytes) {
  case 1: set_uint8_t(n, s->depth, at, on, y, step, stride); return;
  case 2: set_uint16_t(n, s->depth, at, on, y, step, stride); return;
  case 4: set_uint32_t(n, s->depth, at, on, y, step, stride); return;
  default: set_uint64_t(n, s->depth, at, on, y, step, stride); return;
  }
}

static void task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end;
  (void)thread;
  pn_cpu_share(pn_div_up(s->outer, s->outer_piece) * s->inner_parts, 1, part, s->parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t outer = unit / s->inner_parts * s->outer_piece, inner = unit % s->inner_parts * PIECE;
    char *y = j->y + (size_t)(outer * s->depth * s->inner + inner) * s->element_bytes;
    if (s->inner == 1) {
      int64_t rows = pn_min_i64(s->outer_piece, s->outer - outer);
      fill(s, rows * s->depth, j->values, y);
      set_on(j, outer, rows, y, s->depth, 1);
      continue;
    }
    int64_t n = pn_min_i64(PIECE, s->inner - inner);
    for (int64_t d = 0; d < s->depth; d++) fill(s, n, j->values, y + (size_t)(d * s->inner) * s->element_bytes);
    set_on(j, outer * s->inner + inner, n, y, 1, s->inner);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem_node *node = &step->problem->nodes[0];
  const state *s = step->state;
  (void)diag;
  job j = {s, step->operands[node->inputs[0]], step->operands[node->inputs[2]], step->operands[node->outputs[0]]};
  if (s->parts) pn_pool_run(stream->device->pool, s->parts, task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_one_hot = {
    .name = "cpu.one_hot",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
