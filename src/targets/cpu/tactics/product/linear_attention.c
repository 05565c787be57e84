/* Linear attention in f32: a task takes one head of keys of one batch through all steps. Its state, a matrix of a row
   for each element of a key, lies in the task's scratch and is read and written by whole rows. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

#include <math.h>

enum { Q, K, V, STATE, DECAY, BETA };

typedef struct state {
  const pn_cpu_gemv_f32 *gemv;
  const pn_cpu_vec_f32 *vec;
  int64_t batch, steps, q_heads, kv_heads, group, depth, value_depth;
  int64_t decays, betas; /* last extents; 0: none */
  float scale;
  size_t q_floats, value_floats, thread_floats; /* of the scratch: queries, a row, and with the state all */
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_LINEAR_ATTENTION, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN || p->operands[i].dtype != PELTON_DTYPE_F32)
      return pn_refuse(why, "f32 in plain layouts only");
  return (pn_operand_elements(pn_problem_input(p, 0, Q)) > 0 && pn_operand_elements(pn_problem_input(p, 0, V)) > 0) ||
         pn_refuse(why, "an empty operand");
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_linear_attention *attrs = p->nodes[0].attrs;
  const pn_operand *q = pn_problem_input(p, 0, Q), *v = pn_problem_input(p, 0, V),
                   *decay = pn_problem_input(p, 0, DECAY), *beta = pn_problem_input(p, 0, BETA);
  s->gemv = pn_cpu_gemv_f32_best(device->isa);
  s->vec = device->vec;
  s->batch = q->dims[0];
  s->steps = q->dims[1];
  s->q_heads = attrs->q_heads;
  s->kv_heads = attrs->kv_heads;
  s->group = s->q_heads / s->kv_heads;
  s->depth = q->dims[2] / s->q_heads;
  s->value_depth = v->dims[2] / s->kv_heads;
  s->decays = decay ? decay->dims[2] : 0;
  s->betas = beta ? beta->dims[2] : 0;
  s->scale = attrs->scale != 0 ? attrs->scale : (float)(1 / sqrt((double)s->depth));
  s->q_floats = pn_align_up((size_t)(s->group * s->depth), 16);
  s->value_floats = pn_align_up((size_t)s->value_depth, 16);
  s->thread_floats = s->q_floats + s->value_floats + pn_align_up((size_t)s->depth, 16) +
                     pn_align_up((size_t)(s->depth * s->value_depth), 16);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  return pn_cpu_estimate(device,
                         (double)(s.batch * s.steps * s.kv_heads) * (double)(s.depth * s.value_depth * (3 + s.group)),
                         pn_cpu_operand_bytes(p), 0.2);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.thread_floats * sizeof(float) * device->threads;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const float *in[BETA + 1]; /* null when absent */
  float *y, *last, *scratch; /* |last| may be null */
} job;

/* y = [y +] x * matrix, rows of |value_depth|. */
static void multiply(const state *s, const float *x, int64_t rows, const float *matrix, float *y, bool add) {
  for (int64_t r = 0; r < rows; r += PN_CPU_GEMV_ROWS) {
    pn_cpu_gemv_f32_run run = {.x = x + r * s->depth,
                               .x_stride = s->depth,
                               .b = matrix,
                               .b_stride = s->value_depth,
                               .y = y + r * s->value_depth,
                               .y_stride = s->value_depth,
                               .rows = (size_t)pn_min_i64(PN_CPU_GEMV_ROWS, rows - r),
                               .k = (size_t)s->depth,
                               .n = (size_t)s->value_depth,
                               .add = add};
    s->gemv->run(&run);
  }
}

/* Each row of the matrix plus the value times the row's element of the key. */
static void add_product(const state *s, const float *k, const float *value, float *matrix) {
  for (int64_t i = 0; i < s->depth; i += PN_CPU_GEMV_ROWS) { /* products of depth 1 */
    pn_cpu_gemv_f32_run run = {.x = k + i,
                               .x_stride = 1,
                               .b = value,
                               .b_stride = s->value_depth,
                               .y = matrix + i * s->value_depth,
                               .y_stride = s->value_depth,
                               .rows = (size_t)pn_min_i64(PN_CPU_GEMV_ROWS, s->depth - i),
                               .k = 1,
                               .n = (size_t)s->value_depth,
                               .add = true};
    s->gemv->run(&run);
  }
}

static void decay_rows(const state *s, const float *decay, float *factors, float *matrix) {
  const pn_cpu_vec_f32 *v = s->vec;
  size_t rows = (size_t)s->depth, columns = (size_t)s->value_depth;
  if (s->decays == s->kv_heads) { /* one for all rows */
    v->unary[PN_CPU_UNARY_exp](1, decay, NULL, factors);
    v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE](rows * columns, matrix, factors, matrix);
    return;
  }
  v->unary[PN_CPU_UNARY_exp](rows, decay, NULL, factors);
  for (size_t i = 0; i < rows; i++, matrix += columns)
    v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE](columns, matrix, &factors[i], matrix);
}

static void step(const job *j, int64_t row, int64_t head, float *q, float *value, float *spare, float *matrix) {
  const state *s = j->s;
  const pn_cpu_vec_f32 *v = s->vec;
  size_t columns = (size_t)s->value_depth, depth = (size_t)s->depth;
  const float *k = j->in[K] + (row * s->kv_heads + head) * s->depth;
  if (j->in[DECAY])
    decay_rows(s, j->in[DECAY] + row * s->decays + (s->decays == s->kv_heads ? head : head * s->depth), spare, matrix);
  memcpy(value, j->in[V] + (row * s->kv_heads + head) * s->value_depth, columns * sizeof *value);
  if (j->in[BETA]) {
    v->unary[PN_CPU_UNARY_neg](depth, k, NULL, spare);
    multiply(s, spare, 1, matrix, value, true);
    v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE](
        columns, value, j->in[BETA] + row * s->betas + (s->betas == 1 ? 0 : head), value);
  }
  add_product(s, k, value, matrix);
  int64_t first = row * s->q_heads + head * s->group;
  v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_ONE](depth * (size_t)s->group, j->in[Q] + first * s->depth, &s->scale, q);
  multiply(s, q, s->group, matrix, j->y + first * s->value_depth, false);
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t batch = index / s->kv_heads, head = index % s->kv_heads, elements = s->depth * s->value_depth;
  float *q = j->scratch + s->thread_floats * thread, *value = q + s->q_floats, *spare = value + s->value_floats,
        *matrix = spare + pn_align_up((size_t)s->depth, 16);
  size_t bytes = (size_t)elements * sizeof *matrix;
  if (j->in[STATE])
    memcpy(matrix, j->in[STATE] + (int64_t)index * elements, bytes);
  else
    memset(matrix, 0, bytes);
  for (int64_t t = 0; t < s->steps; t++) step(j, batch * s->steps + t, head, q, value, spare, matrix);
  if (j->last) memcpy(j->last + (int64_t)index * elements, matrix, bytes);
}

static pelton_status run(const pn_step *step_, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step_->problem;
  const state *s = step_->state;
  const pn_operand *last = pn_problem_output(p, 0, 1);
  (void)diag;
  job j = {.s = s, .y = step_->operands[p->nodes[0].outputs[0]], .scratch = step_->workspace};
  for (uint32_t i = Q; i <= BETA; i++) {
    const pn_operand *o = pn_problem_input(p, 0, i);
    j.in[i] = o ? step_->operands[pn_operand_index(p, o)] : NULL;
  }
  if (last) j.last = step_->operands[pn_operand_index(p, last)];
  pn_pool_run(stream->device->pool, (uint32_t)(s->batch * s->kv_heads), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_linear_attention = {
    .name = "cpu.linear_attention",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
