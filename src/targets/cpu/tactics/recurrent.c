/* Recurrent layers in f32: lstm, gru and rnn, in either direction or both, with their usual activations.

   What the inputs add to every gate at every step is one matrix product ahead of time, biases included. Then each task
   takes a few sequences of the batch in one direction through all of their steps, with no other task to wait for: a
   step is a product of the states with the packed weights, which stay in a near cache, on top of the row made ahead. */
#include "base/bytes.h"
#include "targets/cpu/cpu.h"

#include <math.h>

enum { ROW_BLOCK = 96, LEAST_SEQUENCES = 4 };

typedef struct matrix {
  int64_t k, n, panels;
  size_t offset; /* of its panels in |packed|, in floats; of direction 0 */
} matrix;

typedef struct state {
  const pn_cpu_vec_f32 *vec;
  pn_cpu_gemm_f32_width width;
  pn_recurrent_kind kind;
  bool relu, batch_first, linear_before_reset, reverse;
  int64_t steps, batch, inputs, hidden, directions, gates;
  matrix w, r, candidate; /* inputs to all gates; states to all but gru's candidate; to that */
  size_t direction_floats, bias_offset, candidate_bias_offset; /* of |packed| */
  int64_t row_blocks, chunk, chunks;
  size_t ahead_floats, chunk_floats; /* of the workspace */
  uint32_t ahead_parts;
} state;

static int64_t gates_of(pn_recurrent_kind kind) {
  return kind == PN_RECURRENT_LSTM ? 4 : kind == PN_RECURRENT_GRU ? 3 : 1;
}

/* The usual activations, named or not, once or for each direction; rnn takes relu as well. */
static bool known_activations(const pn_attrs_recurrent *attrs, bool *relu) {
  static const char *const usual[3][2] = {
      {"tanh", "tanh,tanh"},
      {"sigmoid,tanh", "sigmoid,tanh,sigmoid,tanh"},
      {"sigmoid,tanh,tanh", "sigmoid,tanh,tanh,sigmoid,tanh,tanh"}}; /* by pn_recurrent_kind */
  pn_str list = attrs->activations;
  *relu = attrs->kind == PN_RECURRENT_RNN && (pn_str_is(list, "relu") || pn_str_is(list, "relu,relu"));
  return *relu || list.size == 0 || pn_str_is(list, usual[attrs->kind][0]) || pn_str_is(list, usual[attrs->kind][1]);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  bool relu;
  (void)device;
  if (p->nodes[0].op != PN_OP_RECURRENT || p->node_count != 1) return pn_refuse(why, "recurrent alone");
  const pn_attrs_recurrent *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  if (!known_activations(attrs, &relu)) return pn_refuse(why, "other activations than the usual");
  if (attrs->clip > 0 || attrs->input_forget) return pn_refuse(why, "no clip, no joined gates");
  if (pn_problem_input(p, 0, 4) || pn_problem_input(p, 0, 7)) return pn_refuse(why, "no lengths, no peepholes");
  for (uint32_t i = 1; i < 4; i++)
    if (pn_problem_input(p, 0, i) && !pn_problem_input(p, 0, i)->data)
      return pn_refuse(why, "weights are not constant");
  return pn_operand_elements(x) > 0 || pn_refuse(why, "an empty operand");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  const pn_operand *x = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1), *r = pn_problem_input(p, 0, 2);
  double rows = (double)(x->dims[0] * x->dims[1]);
  (void)config;
  return pn_cpu_estimate(device, rows * (double)(pn_operand_elements(w) + pn_operand_elements(r)),
                         pn_cpu_operand_bytes(p), 0.3);
}

static matrix matrix_of(int64_t k, int64_t n, int64_t nr, size_t *at) {
  matrix m = {k, n, pn_div_up(n, nr), *at};
  *at += pn_align_up((size_t)(m.panels * nr * k), 16);
  return m;
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_attrs_recurrent *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  s->vec = device->vec;
  s->width = device->gemm->widths[device->gemm->width_count - 1]; /* few rows: the more columns abreast the better */
  s->kind = attrs->kind;
  (void)known_activations(attrs, &s->relu);
  s->batch_first = attrs->batch_first;
  s->linear_before_reset = attrs->linear_before_reset;
  s->reverse = attrs->direction == PN_DIRECTION_REVERSE;
  s->steps = x->dims[s->batch_first ? 1 : 0];
  s->batch = x->dims[s->batch_first ? 0 : 1];
  s->inputs = x->dims[2];
  s->hidden = attrs->hidden;
  s->directions = attrs->direction == PN_DIRECTION_BOTH ? 2 : 1;
  s->gates = gates_of(attrs->kind);
  int64_t nr = s->width.nr, n = s->hidden;
  bool gru = s->kind == PN_RECURRENT_GRU;
  size_t at = 0;
  s->w = matrix_of(s->inputs, s->gates * n, nr, &at);
  s->r = matrix_of(n, (gru ? 2 : s->gates) * n, nr, &at);
  s->candidate = matrix_of(n, gru ? n : 0, nr, &at);
  s->bias_offset = at;
  at += (size_t)(s->w.panels * nr);
  s->candidate_bias_offset = at;
  at += (size_t)(s->candidate.panels * nr);
  s->direction_floats = pn_align_up(at, 16);
  int64_t rows = s->steps * s->batch;
  s->row_blocks = pn_div_up(rows, ROW_BLOCK);
  s->chunk = pn_div_up(s->batch, device->threads);
  if (s->chunk < LEAST_SEQUENCES) s->chunk = pn_min_i64(s->batch, LEAST_SEQUENCES);
  s->chunks = pn_div_up(s->batch, s->chunk);
  s->ahead_floats = pn_align_up((size_t)(rows * s->directions * s->w.n), 16);
  s->chunk_floats = pn_align_up((size_t)(s->chunk * (s->gates + 3) * n), 16);
  s->ahead_parts =
      pn_cpu_parts(device, s->directions * s->row_blocks * s->w.panels, 1e-1 * (double)(rows * s->w.n * s->inputs));
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->packed_bytes = s.direction_floats * (size_t)s.directions * sizeof(float);
  out->workspace_bytes = (s.ahead_floats + s.chunk_floats * (size_t)(s.directions * s.chunks)) * sizeof(float);
}

/* Panels of the transpose of |from|, [m->n, m->k]. */
static void pack_matrix(const state *s, const matrix *m, const float *from, float *packed) {
  int64_t nr = s->width.nr;
  float *to = packed + m->offset;
  for (int64_t panel = 0; panel < m->panels; panel++)
    for (int64_t k = 0; k < m->k; k++)
      for (int64_t j = panel * nr; j < (panel + 1) * nr; j++) *to++ = j < m->n ? from[j * m->k + k] : 0;
}

/* What the states' product does not add itself goes with the inputs' biases. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  const pn_operand *b = pn_problem_input(p, 0, 3);
  (void)config;
  (void)diag;
  fill(p, device, &s);
  memset(packed, 0, s.direction_floats * (size_t)s.directions * sizeof(float));
  for (int64_t d = 0; d < s.directions; d++) {
    float *to = (float *)packed + s.direction_floats * (size_t)d;
    const float *r = (const float *)pn_problem_input(p, 0, 2)->data + d * s.w.n * s.hidden;
    pack_matrix(&s, &s.w, (const float *)pn_problem_input(p, 0, 1)->data + d * s.w.n * s.inputs, to);
    pack_matrix(&s, &s.r, r, to);
    pack_matrix(&s, &s.candidate, r + s.r.n * s.hidden, to);
    if (!b) continue;
    const float *wb = (const float *)b->data + d * 2 * s.w.n, *rb = wb + s.w.n;
    for (int64_t i = 0; i < s.w.n; i++) {
      bool apart = s.linear_before_reset && i >= s.r.n;
      to[s.bias_offset + (size_t)i] = wb[i] + (apart ? 0 : rb[i]);
      if (apart) to[s.candidate_bias_offset + (size_t)(i - s.r.n)] = rb[i];
    }
  }
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const float *x, *packed, *h0, *c0;
  float *ahead, *scratch;
  float *y, *h, *c; /* any may be null */
} job;

/* C = A * panels [first, end) of |m| + bias or + what lies at |plus|; both may be null. */
static void product(const state *s, const matrix *m, const float *packed, int64_t first, int64_t end, const float *a,
                    int64_t rows, const float *bias, const float *plus, int64_t plus_stride, float *c,
                    int64_t c_stride) {
  static const ptrdiff_t no_offset[1] = {0};
  int64_t nr = s->width.nr, tiles = pn_div_up(rows, s->width.mr_max);
  for (int64_t panel = first; panel < end; panel++)
    for (int64_t t = 0; t < tiles; t++) {
      int64_t begin = rows * t / tiles, count = rows * (t + 1) / tiles - begin;
      pn_cpu_gemm_f32_tile tile = {.a = a + begin * m->k,
                                   .a_row_stride = m->k,
                                   .tap_offset = no_offset,
                                   .tap_count = 1,
                                   .k = (size_t)m->k,
                                   .b = packed + m->offset + panel * nr * m->k,
                                   .b_tap_stride = (size_t)(nr * m->k),
                                   .c = c + begin * c_stride + panel * nr,
                                   .c_row_stride = c_stride,
                                   .n = (size_t)pn_min_i64(nr, m->n - panel * nr),
                                   .start = bias ? PN_CPU_GEMM_BIAS : PN_CPU_GEMM_ZERO,
                                   .bias = bias ? bias + panel * nr : NULL,
                                   .residual = plus ? plus + begin * plus_stride + panel * nr : NULL,
                                   .residual_row_stride = plus_stride,
                                   .lo = -(float)INFINITY,
                                   .hi = (float)INFINITY};
      s->width.fns[count - 1](&tile);
    }
}

/* What the inputs add, for a block of rows, one panel of one direction. */
static void ahead_task(void *argument, uint32_t part, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t unit, end, all = s->directions * s->w.n, rows = s->steps * s->batch;
  (void)thread;
  pn_cpu_share(s->directions * s->row_blocks * s->w.panels, 1, part, s->ahead_parts, &unit, &end);
  for (; unit < end; unit++) {
    int64_t panel = unit % s->w.panels, block = unit / s->w.panels % s->row_blocks,
            d = unit / s->w.panels / s->row_blocks;
    const float *packed = j->packed + s->direction_floats * (size_t)d;
    int64_t row = block * ROW_BLOCK, count = pn_min_i64(ROW_BLOCK, rows - row);
    product(s, &s->w, packed, panel, panel + 1, j->x + row * s->inputs, count, packed + s->bias_offset, NULL, 0,
            j->ahead + row * all + d * s->w.n, all);
  }
}

/* |gates|: i o f c, of |count| sequences. */
static void step_lstm(const state *s, int64_t count, float *gates, float *h, float *c) {
  const pn_cpu_vec_f32 *v = s->vec;
  size_t n = (size_t)s->hidden;
  for (int64_t b = 0; b < count; b++, gates += 4 * n, h += n, c += n) {
    float *in = gates, *out = gates + n, *forget = gates + 2 * n, *fresh = gates + 3 * n;
    v->unary[PN_CPU_UNARY_sigmoid](3 * n, gates, NULL, gates);
    v->unary[PN_CPU_UNARY_tanh](n, fresh, NULL, fresh);
    v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](n, in, fresh, in);
    v->ternary[PN_CPU_TERNARY_fma](n, forget, c, in, c);
    v->unary[PN_CPU_UNARY_tanh](n, c, NULL, fresh);
    v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](n, out, fresh, h);
  }
}

/* |gates|: z r, then the candidate's room; |ahead| is the row of the first sequence, |stride| apart. |room|: hidden
   floats a sequence. */
static void step_gru(const state *s, const float *packed, int64_t count, const float *ahead, int64_t stride,
                     float *gates, float *h, float *room) {
  const pn_cpu_vec_f32 *v = s->vec;
  int64_t n = s->hidden;
  size_t run = (size_t)n;
  for (int64_t b = 0; b < count; b++) {
    float *reset = gates + b * 3 * n + n;
    v->unary[PN_CPU_UNARY_sigmoid](2 * run, gates + b * 3 * n, NULL, gates + b * 3 * n);
    if (!s->linear_before_reset) v->binary[PN_CPU_BINARY_mul][PN_CPU_RUN_RUN](run, reset, h + b * n, room + b * n);
  }
  if (s->linear_before_reset)
    product(s, &s->candidate, packed, 0, s->candidate.panels, h, count, packed + s->candidate_bias_offset, NULL, 0,
            gates + 2 * n, 3 * n);
  else
    product(s, &s->candidate, packed, 0, s->candidate.panels, room, count, NULL, ahead + 2 * n, stride, gates + 2 * n,
            3 * n);
  for (int64_t b = 0; b < count; b++) {
    float *update = gates + b * 3 * n, *reset = update + n, *fresh = update + 2 * n, *state_h = h + b * n;
    if (s->linear_before_reset) v->ternary[PN_CPU_TERNARY_fma](run, reset, fresh, ahead + b * stride + 2 * n, fresh);
    v->unary[PN_CPU_UNARY_tanh](run, fresh, NULL, fresh);
    v->binary[PN_CPU_BINARY_sub][PN_CPU_RUN_RUN](run, state_h, fresh, reset); /* (1 - z) * fresh + z * h */
    v->ternary[PN_CPU_TERNARY_fma](run, update, reset, fresh, state_h);
  }
}

static void load_states(const state *s, const float *from, int64_t first, int64_t count, int64_t d, float *to) {
  for (int64_t b = 0; b < count; b++) {
    int64_t at = s->batch_first ? (first + b) * s->directions + d : d * s->batch + first + b;
    if (from)
      memcpy(to + b * s->hidden, from + at * s->hidden, (size_t)s->hidden * sizeof *to);
    else
      memset(to + b * s->hidden, 0, (size_t)s->hidden * sizeof *to);
  }
}

static void store_states(const state *s, const float *from, int64_t first, int64_t count, int64_t d, float *to) {
  for (int64_t b = 0; to && b < count; b++) {
    int64_t at = s->batch_first ? (first + b) * s->directions + d : d * s->batch + first + b;
    memcpy(to + at * s->hidden, from + b * s->hidden, (size_t)s->hidden * sizeof *to);
  }
}

/* Some sequences of the batch, all steps of one direction. */
static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t d = index / s->chunks, first = index % s->chunks * s->chunk, count = pn_min_i64(s->chunk, s->batch - first),
          n = s->hidden;
  int64_t all = s->directions * s->w.n,
          stride = s->batch_first ? s->steps * all : all; /* of |ahead|: from sequence to sequence */
  const float *packed = j->packed + s->direction_floats * (size_t)d;
  float *gates = j->scratch + s->chunk_floats * index, *h = gates + s->chunk * s->gates * n, *c = h + s->chunk * n,
        *room = c + s->chunk * n;
  (void)thread;
  if (count <= 0) return;
  load_states(s, j->h0, first, count, d, h);
  load_states(s, j->c0, first, count, d, c);
  for (int64_t step = 0; step < s->steps; step++) {
    int64_t t = s->reverse || d == 1 ? s->steps - 1 - step : step;
    const float *ahead = j->ahead + (s->batch_first ? first * s->steps + t : t * s->batch + first) * all + d * s->w.n;
    product(s, &s->r, packed, 0, s->r.panels, h, count, NULL, ahead, stride, gates, s->gates * n);
    if (s->kind == PN_RECURRENT_LSTM)
      step_lstm(s, count, gates, h, c);
    else if (s->kind == PN_RECURRENT_GRU)
      step_gru(s, packed, count, ahead, stride, gates, h, room);
    else
      s->vec->unary[s->relu ? PN_CPU_UNARY_relu : PN_CPU_UNARY_tanh]((size_t)(count * n), gates, NULL, h);
    for (int64_t b = 0; j->y && b < count; b++) {
      int64_t at = s->batch_first ? ((first + b) * s->steps + t) * s->directions + d
                                  : (t * s->directions + d) * s->batch + first + b;
      memcpy(j->y + at * n, h + b * n, (size_t)n * sizeof *h);
    }
  }
  store_states(s, h, first, count, d, j->h);
  store_states(s, c, first, count, d, j->c);
}

static void *data_of(const pn_step *step, const pn_operand *o) {
  return o ? step->operands[pn_operand_index(step->problem, o)] : NULL;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .x = data_of(step, pn_problem_input(p, 0, 0)),
           .packed = step->packed,
           .h0 = data_of(step, pn_problem_input(p, 0, 5)),
           .c0 = data_of(step, pn_problem_input(p, 0, 6)),
           .ahead = step->workspace,
           .y = data_of(step, pn_problem_output(p, 0, 0)),
           .h = data_of(step, pn_problem_output(p, 0, 1)),
           .c = data_of(step, pn_problem_output(p, 0, 2))};
  j.scratch = j.ahead + s->ahead_floats;
  pn_pool_run(stream->device->pool, s->ahead_parts, ahead_task, &j);
  pn_pool_run(stream->device->pool, (uint32_t)(s->directions * s->chunks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_recurrent = {
    .name = "cpu.recurrent",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
