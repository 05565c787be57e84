/* Recurrent layers in f32: lstm, gru and rnn, in either direction or both, with any activations, clip, peepholes and
   lengths.

   What the inputs add to every gate at every step is one matrix product ahead of time, biases included. Then each task
   takes a few sequences of the batch in one direction through all of their steps, with no other task to wait for: a
   step is a product of the states with the packed weights, which stay in a near cache, on top of the row made ahead.

   Sequences of unlike lengths stand at unlike places in time, so that the rows made ahead are gathered first; one that
   has ended stores its state and is carried along unused. */
#include "targets/cpu/product/recurrent.h"

#include "base/bytes.h"
#include "op/operand.h"

#include <math.h>

enum { ROW_BLOCK = 96, LEAST_SEQUENCES = 4 };

typedef pn_recurrent state;
typedef pn_recurrent_matrix matrix;

static int64_t gates_of(pn_recurrent_kind kind) {
  return kind == PN_RECURRENT_LSTM ? 4 : kind == PN_RECURRENT_GRU ? 3 : 1;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_RECURRENT, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (x->dtype != PELTON_DTYPE_F32) return pn_refuse(why, "f32 only");
  for (uint32_t i = 1; i < 8; i++)
    if ((i < 4 || i == 7) && pn_problem_input(p, 0, i) && !pn_problem_input(p, 0, i)->data)
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
  pn_activation activations[2][3];
  if (!pn_recurrent_activations(NULL, attrs, activations)) /* the operator's check has passed */
    for (uint32_t i = 0; i < 6; i++)
      s->activations[i / 3][i % 3] = pn_recurrent_activation_of(&activations[i / 3][i % 3]);
  s->clip = attrs->clip;
  s->input_forget = attrs->input_forget;
  s->lengths = pn_problem_input(p, 0, 4) != NULL;
  s->peepholes = pn_problem_input(p, 0, 7) != NULL;
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
  s->peephole_offset = at;
  if (s->peepholes) at += (size_t)(3 * n);
  s->direction_floats = pn_align_up(at, 16);
  int64_t rows = s->steps * s->batch;
  s->row_blocks = pn_div_up(rows, ROW_BLOCK);
  s->chunk = pn_div_up(s->batch, device->threads);
  if (s->chunk < LEAST_SEQUENCES) s->chunk = pn_min_i64(s->batch, LEAST_SEQUENCES);
  s->chunks = pn_div_up(s->batch, s->chunk);
  s->ahead_floats = pn_align_up((size_t)(rows * s->directions * s->w.n), 16);
  s->chunk_floats = pn_align_up((size_t)(s->chunk * (s->gates * (s->lengths ? 2 : 1) + 3) * n), 16);
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
    if (s.peepholes)
      memcpy(to + s.peephole_offset, (const float *)pn_problem_input(p, 0, 7)->data + d * 3 * s.hidden,
             (size_t)(3 * s.hidden) * sizeof *to);
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
  float *y, *h, *c;  /* any may be null */
  pn_tensor lengths; /* no data: all have all steps */
} job;

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
    pn_recurrent_product(s, &s->w, packed, panel, panel + 1, j->x + row * s->inputs, count,
                         packed + s->bias_offset, NULL, 0, j->ahead + row * all + d * s->w.n, all);
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

static void store_state(const state *s, const float *from, int64_t sequence, int64_t d, float *to) {
  int64_t at = s->batch_first ? sequence * s->directions + d : d * s->batch + sequence;
  if (to) memcpy(to + at * s->hidden, from, (size_t)s->hidden * sizeof *to);
}

/* Some sequences of the batch, all steps of one direction. */
typedef struct chunk {
  const job *j;
  int64_t direction, first;
  bool backwards;
  float *gathered;
  pn_recurrent_step step;
} chunk;

static int64_t length_of(const chunk *k, int64_t b) {
  const job *j = k->j;
  return j->lengths.data ? pn_tensor_get_i64(&j->lengths, k->first + b) : j->s->steps;
}

/* Where sequence |b| of the chunk stands in time. */
static int64_t time_of(const chunk *k, int64_t b, int64_t step) {
  int64_t length = length_of(k, b);
  return k->backwards && step < length ? length - 1 - step : step;
}

static const float *ahead_row(const chunk *k, int64_t b, int64_t t) {
  const state *s = k->j->s;
  int64_t row = s->batch_first ? (k->first + b) * s->steps + t : t * s->batch + k->first + b;
  return k->j->ahead + row * s->directions * s->w.n + k->direction * s->w.n;
}

static void find_rows(chunk *k, int64_t step) {
  const state *s = k->j->s;
  int64_t all = s->directions * s->w.n;
  if (!s->lengths) {
    k->step.ahead = ahead_row(k, 0, time_of(k, 0, step));
    k->step.ahead_stride = s->batch_first ? s->steps * all : all;
    return;
  }
  for (int64_t b = 0; b < k->step.count; b++)
    memcpy(k->gathered + b * s->w.n, ahead_row(k, b, time_of(k, b, step)), (size_t)s->w.n * sizeof(float));
  k->step.ahead = k->gathered;
  k->step.ahead_stride = s->w.n;
}

/* Final states of the sequences that end before |step|. */
static void store_ended(const chunk *k, int64_t step) {
  const state *s = k->j->s;
  for (int64_t b = 0; b < k->step.count; b++) {
    if (length_of(k, b) != step) continue;
    store_state(s, k->step.h + b * s->hidden, k->first + b, k->direction, k->j->h);
    store_state(s, k->step.c + b * s->hidden, k->first + b, k->direction, k->j->c);
  }
}

static void store_outputs(const chunk *k, int64_t step) {
  const state *s = k->j->s;
  int64_t n = s->hidden;
  for (int64_t b = 0; k->j->y && b < k->step.count; b++) {
    int64_t t = time_of(k, b, step), sequence = k->first + b;
    int64_t at = s->batch_first ? (sequence * s->steps + t) * s->directions + k->direction
                                : (t * s->directions + k->direction) * s->batch + sequence;
    if (step < length_of(k, b))
      memcpy(k->j->y + at * n, k->step.h + b * n, (size_t)n * sizeof(float));
    else
      memset(k->j->y + at * n, 0, (size_t)n * sizeof(float));
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t n = s->hidden;
  chunk k = {.j = j, .direction = index / s->chunks, .first = index % s->chunks * s->chunk};
  float *at = j->scratch + s->chunk_floats * index;
  (void)thread;
  k.backwards = s->reverse || k.direction == 1;
  k.step = (pn_recurrent_step){.layer = s,
                               .packed = j->packed + s->direction_floats * (size_t)k.direction,
                               .direction = k.direction,
                               .count = pn_min_i64(s->chunk, s->batch - k.first),
                               .gates = at,
                               .h = at + s->chunk * s->gates * n};
  if (k.step.count <= 0) return;
  k.step.c = k.step.h + s->chunk * n;
  k.step.room = k.step.c + s->chunk * n;
  k.gathered = k.step.room + s->chunk * n;
  load_states(s, j->h0, k.first, k.step.count, k.direction, k.step.h);
  load_states(s, j->c0, k.first, k.step.count, k.direction, k.step.c);
  for (int64_t step = 0; step < s->steps; step++) {
    if (s->lengths) store_ended(&k, step);
    find_rows(&k, step);
    pn_recurrent_step_run(&k.step);
    store_outputs(&k, step);
  }
  store_ended(&k, s->steps);
}

static void *data_of(const pn_step *step, const pn_operand *o) {
  return o ? step->operands[pn_operand_index(step->problem, o)] : NULL;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const pn_problem *p = step->problem;
  const state *s = step->state;
  const pn_operand *lengths = pn_problem_input(p, 0, 4);
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
  if (lengths) j.lengths = (pn_tensor){.dtype = lengths->dtype, .data = data_of(step, lengths)};
  for (int64_t b = 0; lengths && b < s->batch; b++) {
    int64_t length = pn_tensor_get_i64(&j.lengths, b);
    if (length < 0 || length > s->steps)
      return pn_fail(diag, PELTON_INVALID_DATA, "recurrent: lengths[%lld] is %lld; x has %lld steps", (long long)b,
                     (long long)length, (long long)s->steps);
  }
  pn_pool_run(stream->device->pool, s->ahead_parts, ahead_task, &j);
  pn_pool_run(stream->device->pool, (uint32_t)(s->directions * s->chunks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_recurrent = {
    .name = "cpu.recurrent",
    .version = 2,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
