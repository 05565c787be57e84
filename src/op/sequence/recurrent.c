/* recurrent: one layer of a plain, gated (gru) or long short-term memory (lstm) network over a batch of sequences, in
   one or both directions.

   One cell at a time: a sequence's state h (and c) takes a step with each of its inputs; after a sequence's own length
   its outputs are 0 and its last state is the final one. Everything is computed in double. Gates lie in ONNX's order:
   z r h in gru, i o f c in lstm; the bias has those of w, then those of r. */
#include "op/sequence/recurrent.h"

#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

/* ---- activations */

typedef pn_activation activation;

/* Their names, whether they take values of the lists alpha and beta, and what they are without. */
static const struct {
  const char *name;
  bool takes_alpha, takes_beta;
  double alpha, beta;
} activations[PN_ACTIVATION_COUNT] = {
    {"sigmoid", false, false, 0, 0},      {"tanh", false, false, 0, 0},          {"relu", false, false, 0, 0},
    {"affine", true, true, 1, 0},         {"leakyrelu", true, false, 0.01, 0},   {"thresholdedrelu", true, false, 1, 0},
    {"scaledtanh", true, true, 1, 1},     {"hardsigmoid", true, true, 0.2, 0.5}, {"elu", true, false, 1, 0},
    {"softsign", false, false, 0, 0},     {"softplus", false, false, 0, 0},
};

static double activate(const activation *a, double x) {
  switch (a->kind) {
    case PN_ACTIVATION_SIGMOID: return 1 / (1 + exp(-x));
    case PN_ACTIVATION_TANH: return tanh(x);
    case PN_ACTIVATION_RELU: return x > 0 ? x : 0;
    case PN_ACTIVATION_AFFINE: return a->alpha * x + a->beta;
    case PN_ACTIVATION_LEAKY_RELU: return x >= 0 ? x : a->alpha * x;
    case PN_ACTIVATION_THRESHOLDED_RELU: return x >= a->alpha ? x : 0;
    case PN_ACTIVATION_SCALED_TANH: return a->alpha * tanh(a->beta * x);
    case PN_ACTIVATION_HARD_SIGMOID: return fmin(fmax(a->alpha * x + a->beta, 0), 1);
    case PN_ACTIVATION_ELU: return x >= 0 ? x : a->alpha * (exp(x) - 1);
    case PN_ACTIVATION_SOFTSIGN: return x / (1 + fabs(x));
    case PN_ACTIVATION_SOFTPLUS:
    default: return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
  }
}

static uint32_t directions_of(const pn_attrs_recurrent *attrs) { return attrs->direction == PN_DIRECTION_BOTH ? 2 : 1; }

static uint32_t gates_of(pn_recurrent_kind kind) {
  return kind == PN_RECURRENT_LSTM ? 4 : kind == PN_RECURRENT_GRU ? 3 : 1;
}

/* The next word of a list separated by commas. */
static pn_str next_word(pn_str *list) {
  pn_str word = {list->data, 0};
  while (word.size < list->size && list->data[word.size] != ',') word.size++;
  size_t used = word.size < list->size ? word.size + 1 : word.size;
  list->data += used;
  list->size -= used;
  return word;
}

pelton_status pn_recurrent_activations(pelton_diag *diag, const pn_attrs_recurrent *attrs, activation out[2][3]) {
  static const pn_activation_kind defaults[3][3] = {
      {PN_ACTIVATION_TANH}, /* by pn_recurrent_kind */
      {PN_ACTIVATION_SIGMOID, PN_ACTIVATION_TANH},
      {PN_ACTIVATION_SIGMOID, PN_ACTIVATION_TANH, PN_ACTIVATION_TANH}};
  static const uint32_t counts[3] = {1, 2, 3};
  uint32_t wanted = counts[attrs->kind], given = 0, alphas = 0, betas = 0;
  pn_str list = attrs->activations;
  for (uint32_t i = 0; i < 2 * wanted; i++) {
    activation *a = &out[i / wanted][i % wanted];
    if (attrs->activations.size == 0) {
      *a = (activation){defaults[attrs->kind][i % wanted], 0, 0};
      continue;
    }
    if (list.size == 0) {
      if (given != wanted) break;
      *a = out[0][i % wanted];
      continue;
    }
    pn_str word = next_word(&list);
    uint32_t kind = 0;
    while (kind < PN_ACTIVATION_COUNT && !pn_str_is(word, activations[kind].name)) kind++;
    if (kind == PN_ACTIVATION_COUNT)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "recurrent: activation '%.*s' is not known; sigmoid, tanh, relu, ... are",
                     (int)pn_min_i64((int64_t)word.size, 64), word.data);
    *a = (activation){(pn_activation_kind)kind, activations[kind].alpha, activations[kind].beta};
    if (activations[kind].takes_alpha && alphas < attrs->alpha.count) a->alpha = (double)attrs->alpha.data[alphas++];
    if (activations[kind].takes_beta && betas < attrs->beta.count) a->beta = (double)attrs->beta.data[betas++];
    given++;
  }
  if (list.size == 0 && (given == 0 || given == wanted || given == wanted * directions_of(attrs))) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "recurrent: activations are '%.*s'; give %u for each direction, or none",
                 (int)pn_min_i64((int64_t)attrs->activations.size, 200), attrs->activations.data, (unsigned)wanted);
}

/* ---- check and infer */

static const char *const names[] = {"x", "w", "r", "b", "lengths", "h0", "c0", "peepholes"};

pelton_status pn_check_recurrent(const pn_infer *c) {
  const pn_attrs_recurrent *attrs = c->attrs;
  static const int32_t ranks[] = {3, 3, 3, 2, 1, 3, 3, 2};
  activation parsed[2][3];
  bool lstm = attrs->kind == PN_RECURRENT_LSTM;
  PN_TRY(pn_operand_wants_float(c, "recurrent", 0, "x"));
  for (uint32_t i = 0; i < c->input_count && i < PN_COUNT(names); i++) {
    PN_TRY(pn_operand_wants_rank(c, "recurrent", i, names[i], ranks[i], ranks[i]));
    if (i == 4) PN_TRY(pn_operand_wants_indices(c, "recurrent", i, names[i]));
    else PN_TRY(pn_operand_wants_type_of(c, "recurrent", i, names[i], 0));
    if (!lstm && i >= 6 && pn_infer_has(c, i))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "recurrent: %s is given; only kind=lstm takes it", names[i]);
  }
  if (!lstm && c->out && c->output_count > 2 && c->out[2].present)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "recurrent: result 2, the cells, is asked for; only kind=lstm has it");
  if (attrs->hidden < 1 || attrs->hidden > INT32_MAX / 8)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "recurrent: hidden is %lld; it must be from 1 to %d",
                   (long long)attrs->hidden, INT32_MAX / 8);
  return pn_recurrent_activations(c->diag, attrs, parsed);
}

/* The extents that the attributes fix. */
static pelton_status check_extent(const pn_infer *c, uint32_t i, uint32_t axis, int64_t wanted) {
  if (!pn_infer_has(c, i) || c->in[i].type.rank <= (int32_t)axis) return PELTON_OK;
  pn_dim d = c->in[i].type.dims[axis];
  if (!pn_dim_is_number(d) || d.number == wanted) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "recurrent: %s has extent %lld on axis %u; it must be %lld",
                 names[i], (long long)d.number, (unsigned)axis, (long long)wanted);
}

pelton_status pn_infer_recurrent(const pn_infer *c) {
  const pn_attrs_recurrent *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  bool batch_first = attrs->batch_first, known = x->rank == 3;
  int64_t directions = directions_of(attrs), rows = gates_of(attrs->kind) * attrs->hidden;
  PN_TRY(check_extent(c, 1, 0, directions));
  PN_TRY(check_extent(c, 1, 1, rows));
  PN_TRY(check_extent(c, 2, 0, directions));
  PN_TRY(check_extent(c, 2, 1, rows));
  PN_TRY(check_extent(c, 2, 2, attrs->hidden));
  PN_TRY(check_extent(c, 3, 0, directions));
  PN_TRY(check_extent(c, 3, 1, 2 * rows));
  PN_TRY(check_extent(c, 7, 0, directions));
  PN_TRY(check_extent(c, 7, 1, 3 * attrs->hidden));
  pn_dim steps = known ? x->dims[batch_first ? 1 : 0] : pn_dim_fresh(c->symbols);
  pn_dim batch = known ? x->dims[batch_first ? 0 : 1] : pn_dim_fresh(c->symbols);
  pn_dim way = pn_dim_of(directions), hidden = pn_dim_of(attrs->hidden);
  if (batch_first) c->out[0].type = (pn_type){x->dtype, 4, {batch, steps, way, hidden}};
  else c->out[0].type = (pn_type){x->dtype, 4, {steps, way, batch, hidden}};
  for (uint32_t i = 1; i < c->output_count; i++) {
    if (batch_first) c->out[i].type = (pn_type){x->dtype, 3, {batch, way, hidden}};
    else c->out[i].type = (pn_type){x->dtype, 3, {way, batch, hidden}};
  }
  return PELTON_OK;
}

/* ---- reference */

/* One direction's weights. Rows of |w| have |inputs| elements, rows of |r| |hidden|. */
typedef struct cell {
  const pn_attrs_recurrent *attrs;
  int64_t inputs, hidden;
  const double *w, *r, *wb, *rb, *peepholes; /* biases and peepholes may be null */
  const activation *act;                     /* f, g, h */
} cell;

static double act(const cell *l, uint32_t which, double x) {
  double clip = (double)l->attrs->clip;
  if (clip > 0) x = fmin(fmax(x, -clip), clip);
  return activate(&l->act[which], x);
}

/* Row |row| of x * w + its bias; and of h * r + its bias. */
static double from_input(const cell *l, int64_t row, const double *x) {
  return pn_dot_f64(x, l->w + row * l->inputs, l->inputs) + (l->wb ? l->wb[row] : 0);
}
static double from_state(const cell *l, int64_t row, const double *h) {
  return pn_dot_f64(h, l->r + row * l->hidden, l->hidden) + (l->rb ? l->rb[row] : 0);
}

static void step_rnn(const cell *l, const double *x, const double *h, double *next) {
  for (int64_t i = 0; i < l->hidden; i++) next[i] = act(l, 0, from_input(l, i, x) + from_state(l, i, h));
}

/* |room|: 2 * hidden numbers. */
static void step_gru(const cell *l, const double *x, const double *h, double *next, double *room) {
  int64_t n = l->hidden;
  double *reset = room, *kept = room + n;
  for (int64_t i = 0; i < n; i++) {
    reset[i] = act(l, 0, from_input(l, n + i, x) + from_state(l, n + i, h));
    kept[i] = reset[i] * h[i];
  }
  for (int64_t i = 0; i < n; i++) {
    double update = act(l, 0, from_input(l, i, x) + from_state(l, i, h)), state;
    if (l->attrs->linear_before_reset) state = reset[i] * from_state(l, 2 * n + i, h);
    else state = from_state(l, 2 * n + i, kept);
    double fresh = act(l, 1, from_input(l, 2 * n + i, x) + state);
    next[i] = (1 - update) * fresh + update * h[i];
  }
}

static void step_lstm(const cell *l, const double *x, const double *h, double *next, double *c) {
  int64_t n = l->hidden;
  const double *p = l->peepholes;
  for (int64_t i = 0; i < n; i++) {
    double in = from_input(l, i, x) + from_state(l, i, h), out = from_input(l, n + i, x) + from_state(l, n + i, h);
    double forget = from_input(l, 2 * n + i, x) + from_state(l, 2 * n + i, h);
    double fresh = act(l, 1, from_input(l, 3 * n + i, x) + from_state(l, 3 * n + i, h));
    in = act(l, 0, in + (p ? p[i] * c[i] : 0));
    forget = l->attrs->input_forget ? 1 - in : act(l, 0, forget + (p ? p[2 * n + i] * c[i] : 0));
    c[i] = forget * c[i] + in * fresh;
    out = act(l, 0, out + (p ? p[n + i] * c[i] : 0));
    /* ONNX clips "the input of activations"; ONNX Runtime takes that to be the gates', not the cell's, and so do we. */
    next[i] = out * activate(&l->act[2], c[i]);
  }
}

typedef struct layer {
  const pn_attrs_recurrent *attrs;
  int64_t steps, batch, inputs, hidden, directions;
  double *operand[8]; /* null when absent; lengths are read where they lie */
  activation act[2][3];
} layer;

static pelton_status wants_dims(const pn_call *call, uint32_t i, uint32_t rank, int64_t a, int64_t b, int64_t c) {
  const int64_t wanted[3] = {a, b, c};
  const pn_tensor *x = &call->in[i];
  if (!pn_call_has(call, i)) return PELTON_OK;
  for (uint32_t k = 0; k < rank; k++)
    if (x->rank != rank || x->dims[k] != wanted[k])
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "recurrent: %s has another shape than [%lld,%lld,%lld] (its first %u)",
                     names[i], (long long)a, (long long)b, (long long)c, (unsigned)rank);
  return PELTON_OK;
}

static pelton_status prepare(const pn_call *call, layer *l) {
  const pn_attrs_recurrent *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  bool first = attrs->batch_first;
  if (x->rank != 3)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "recurrent: x has rank %u; it must be 3", (unsigned)x->rank);
  *l = (layer){.attrs = attrs, .steps = x->dims[first ? 1 : 0], .batch = x->dims[first ? 0 : 1], .inputs = x->dims[2],
               .hidden = attrs->hidden, .directions = directions_of(attrs)};
  int64_t rows = gates_of(attrs->kind) * l->hidden, d = l->directions, n = l->batch;
  PN_TRY(pn_recurrent_activations(call->diag, attrs, l->act));
  PN_TRY(wants_dims(call, 1, 3, d, rows, l->inputs));
  PN_TRY(wants_dims(call, 2, 3, d, rows, l->hidden));
  PN_TRY(wants_dims(call, 3, 2, d, 2 * rows, 0));
  PN_TRY(wants_dims(call, 4, 1, n, 0, 0));
  PN_TRY(wants_dims(call, 5, 3, first ? n : d, first ? d : n, l->hidden));
  PN_TRY(wants_dims(call, 6, 3, first ? n : d, first ? d : n, l->hidden));
  PN_TRY(wants_dims(call, 7, 2, d, 3 * l->hidden, 0));
  const int64_t y[4] = {first ? n : l->steps, first ? l->steps : d, first ? d : n, l->hidden};
  const int64_t state[3] = {first ? n : d, first ? d : n, l->hidden};
  for (uint32_t i = 0; i < call->output_count; i++)
    if (call->out[i].data) PN_TRY(pn_call_wants_result(call, "recurrent", i, i == 0 ? 4 : 3, i == 0 ? y : state));
  for (uint32_t i = 0; i < call->input_count && i < 8; i++)
    if (i != 4 && pn_call_has(call, i)) PN_TRY(pn_call_f64s(call, &call->in[i], &l->operand[i]));
  return PELTON_OK;
}

/* Sequence |b| in direction |d|. |room|: 6 * hidden numbers. */
static pelton_status run_sequence(const pn_call *call, const layer *l, int64_t d, int64_t b, double *room) {
  const pn_attrs_recurrent *attrs = l->attrs;
  int64_t n = l->hidden, rows = gates_of(attrs->kind) * n, length = l->steps;
  double *h = room, *next = room + n, *c = room + 2 * n;
  const double *bias = l->operand[3] ? l->operand[3] + d * 2 * rows : NULL;
  cell own = {attrs, l->inputs, n, l->operand[1] + d * rows * l->inputs, l->operand[2] + d * rows * n, bias,
              bias ? bias + rows : NULL, l->operand[7] ? l->operand[7] + d * 3 * n : NULL, l->act[d]};
  bool backwards = attrs->direction == PN_DIRECTION_REVERSE || d == 1, first = attrs->batch_first;
  int64_t state = (first ? b * l->directions + d : d * l->batch + b) * n;
  if (pn_call_has(call, 4)) length = pn_tensor_get_i64(&call->in[4], b);
  if (length < 0 || length > l->steps)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "recurrent: lengths[%lld] is %lld; x has %lld steps", (long long)b,
                   (long long)length, (long long)l->steps);
  for (int64_t i = 0; i < n; i++) {
    h[i] = l->operand[5] ? l->operand[5][state + i] : 0;
    c[i] = l->operand[6] ? l->operand[6][state + i] : 0;
  }
  for (int64_t step = 0; step < l->steps; step++) {
    int64_t t = backwards && step < length ? length - 1 - step : step;
    const double *x = l->operand[0] + (first ? b * l->steps + t : t * l->batch + b) * l->inputs;
    for (int64_t i = 0; step >= length && i < n; i++) next[i] = 0;
    if (step < length) {
      if (attrs->kind == PN_RECURRENT_RNN) step_rnn(&own, x, h, next);
      if (attrs->kind == PN_RECURRENT_GRU) step_gru(&own, x, h, next, room + 3 * n);
      if (attrs->kind == PN_RECURRENT_LSTM) step_lstm(&own, x, h, next, c);
      memcpy(h, next, (size_t)n * sizeof *h);
    }
    int64_t at = first ? (b * l->steps + t) * l->directions + d : (t * l->directions + d) * l->batch + b;
    if (call->out[0].data) pn_line_store(&call->out[0], at * n, 1, n, next);
  }
  if (call->output_count > 1 && call->out[1].data) pn_line_store(&call->out[1], state, 1, n, h);
  if (call->output_count > 2 && call->out[2].data) pn_line_store(&call->out[2], state, 1, n, c);
  return PELTON_OK;
}

pelton_status pn_reference_recurrent(const pn_call *call) {
  layer l;
  double *room;
  PN_TRY(prepare(call, &l));
  PN_TRY(pn_call_room(call, 6 * l.hidden, &room));
  for (int64_t d = 0; d < l.directions; d++)
    for (int64_t b = 0; b < l.batch; b++) PN_TRY(run_sequence(call, &l, d, b, room));
  return PELTON_OK;
}
