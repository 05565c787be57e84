/* linear_attention: attention without a softmax, as a recurrence over a matrix S[d_k,d_v] for each head of keys:

     S *= exp(decay)                     rules gated, gated_delta; a number a head, or one for each row
     v = beta * (v - S^T k)              rules delta, gated_delta; beta a number a head, or one for all
     S += k v^T;  y = scale * S^T q

   q[N,T,q_heads*d_k] k[N,T,kv_heads*d_k] v[N,T,kv_heads*d_v] state[N,kv_heads,d_k,d_v]? decay[N,T,kv_heads or
   kv_heads*d_k]? beta[N,T,kv_heads or 1]? -> y[N,T,q_heads*d_v] state; without a state it begins with zeros. Heads of q
   share those of k and v evenly. */
#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

static const char op[] = "linear_attention";

enum { Q, K, V, STATE, DECAY, BETA };

static const char *const names[] = {"q", "k", "v", "state", "decay", "beta"};

static bool has_decay(const pn_attrs_linear_attention *attrs) {
  return attrs->rule == PN_LINEAR_RULE_GATED || attrs->rule == PN_LINEAR_RULE_GATED_DELTA;
}
static bool has_beta(const pn_attrs_linear_attention *attrs) {
  return attrs->rule == PN_LINEAR_RULE_DELTA || attrs->rule == PN_LINEAR_RULE_GATED_DELTA;
}

pelton_status pn_check_linear_attention(const pn_infer *c) {
  const pn_attrs_linear_attention *attrs = c->attrs;
  for (uint32_t i = Q; i <= BETA; i++) {
    if (pn_infer_has(c, i)) PN_TRY(pn_operand_wants_float(c, op, i, names[i]));
    if (i != STATE) PN_TRY(pn_operand_wants_type_of(c, op, i, names[i], Q));
    PN_TRY(pn_operand_wants_rank(c, op, i, names[i], i == STATE ? 4 : 3, i == STATE ? 4 : 3));
  }
  if (attrs->q_heads < 1 || attrs->kv_heads < 1 || attrs->q_heads > INT32_MAX || attrs->q_heads % attrs->kv_heads != 0)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "linear_attention: q_heads is %lld, kv_heads %lld; the former must be a multiple of the latter",
                   (long long)attrs->q_heads, (long long)attrs->kv_heads);
  for (uint32_t i = DECAY; i <= BETA; i++) {
    const bool wanted = i == DECAY ? has_decay(attrs) : has_beta(attrs);
    if (wanted != pn_infer_has(c, i))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "linear_attention: %s is %s; the rule %s", names[i],
                     wanted ? "absent" : "given", wanted ? "takes it" : "has none");
  }
  return PELTON_OK;
}

/* ---- sizes */

typedef struct sizes {
  pn_dim batch, steps, depth, value_depth;
} sizes;

static pelton_status unify(pelton_diag *diag, pn_dim *a, pn_dim b, uint32_t i, const char *what) {
  pn_dim both = pn_dim_of(0);
  if (!pn_dim_unify(*a, b, &both))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "linear_attention: %s has %lld %s where others have %lld; they must be equal", names[i],
                   (long long)b.number, what, (long long)a->number);
  *a = both;
  return PELTON_OK;
}

/* |x|'s last extent, split into |heads|. */
static pelton_status split_heads(pelton_diag *diag, pn_symbols *symbols, const pn_type *x, uint32_t i, int64_t heads,
                                 pn_dim *depth) {
  if (pn_dim_is_number(x->dims[2]) && x->dims[2].number % heads != 0)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "linear_attention: %s has an extent of %lld, which %lld heads do not divide evenly", names[i],
                   (long long)x->dims[2].number, (long long)heads);
  *depth = pn_dim_floor_div(symbols, x->dims[2], pn_dim_of(heads));
  return PELTON_OK;
}

/* |types|: of all operands; rank PN_RANK_UNKNOWN: absent, or not known. q, k and v are known. */
static pelton_status read_sizes(pelton_diag *diag, pn_symbols *symbols, const pn_attrs_linear_attention *attrs,
                                const pn_type *types, sizes *s) {
  pn_dim depth, heads = pn_dim_of(attrs->kv_heads);
  *s = (sizes){.batch = types[Q].dims[0], .steps = types[Q].dims[1]};
  PN_TRY(split_heads(diag, symbols, &types[Q], Q, attrs->q_heads, &s->depth));
  PN_TRY(split_heads(diag, symbols, &types[K], K, attrs->kv_heads, &depth));
  PN_TRY(split_heads(diag, symbols, &types[V], V, attrs->kv_heads, &s->value_depth));
  PN_TRY(unify(diag, &s->depth, depth, K, "elements a head"));
  for (uint32_t i = K; i <= BETA; i++) {
    if (i == STATE || types[i].rank == PN_RANK_UNKNOWN) continue;
    PN_TRY(unify(diag, &s->batch, types[i].dims[0], i, "batches"));
    PN_TRY(unify(diag, &s->steps, types[i].dims[1], i, "steps"));
  }
  if (types[STATE].rank != PN_RANK_UNKNOWN) {
    const pn_dim *state = types[STATE].dims;
    PN_TRY(unify(diag, &s->batch, state[0], STATE, "batches"));
    PN_TRY(unify(diag, &heads, state[1], STATE, "heads"));
    PN_TRY(unify(diag, &s->depth, state[2], STATE, "rows"));
    PN_TRY(unify(diag, &s->value_depth, state[3], STATE, "columns"));
  }
  for (uint32_t i = DECAY; i <= BETA; i++) {
    const pn_dim last = types[i].dims[2], most = i == DECAY ? types[K].dims[2] : pn_dim_of(1);
    if (types[i].rank == PN_RANK_UNKNOWN || !pn_dim_is_number(last) || !pn_dim_is_number(most)) continue;
    if (last.number != attrs->kv_heads && last.number != most.number)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "linear_attention: %s has a last extent of %lld; it must be %lld, or %lld", names[i],
                     (long long)last.number, (long long)attrs->kv_heads, (long long)most.number);
  }
  return PELTON_OK;
}

pelton_status pn_infer_linear_attention(const pn_infer *c) {
  const pn_attrs_linear_attention *attrs = c->attrs;
  pn_type types[BETA + 1];
  sizes s;
  bool known = true;
  for (uint32_t i = Q; i <= BETA; i++) {
    types[i] = pn_infer_has(c, i) ? c->in[i].type : (pn_type){.rank = PN_RANK_UNKNOWN};
    if (i <= V) known &= types[i].rank != PN_RANK_UNKNOWN;
  }
  const pelton_dtype state = pn_infer_has(c, STATE) ? types[STATE].dtype : types[Q].dtype;
  pn_infer_unknown(c, 0, types[Q].dtype, 3);
  if (c->output_count > 1) pn_infer_unknown(c, 1, state, 4);
  if (!known) return PELTON_OK;
  PN_TRY(read_sizes(c->diag, c->symbols, attrs, types, &s));
  const pn_dim hidden = pn_dim_mul(c->symbols, s.value_depth, pn_dim_of(attrs->q_heads));
  c->out[0].type = (pn_type){.dtype = types[Q].dtype, .rank = 3, .dims = {s.batch, s.steps, hidden}};
  if (c->output_count > 1)
    c->out[1].type = (pn_type){.dtype = state,
                               .rank = 4,
                               .dims = {s.batch, pn_dim_of(attrs->kv_heads), s.depth, s.value_depth}};
  return PELTON_OK;
}

/* ---- reference */

/* The operands in double, and one head's state. */
typedef struct recurrence {
  const pn_attrs_linear_attention *attrs;
  int64_t steps, depth, value_depth, group; /* group: heads of q that share one of k */
  double *operand[BETA + 1];                /* null when absent */
  int64_t decays, betas;                    /* last extents */
  double scale, *state, *value, *y;
} recurrence;

/* Step |row| (of all batches) of the head |h| of keys. */
static void step(recurrence *r, int64_t row, int64_t h) {
  const int64_t rows = r->depth, columns = r->value_depth, heads = r->attrs->kv_heads;
  const double *k = r->operand[K] + (row * heads + h) * rows, *v = r->operand[V] + (row * heads + h) * columns;
  if (r->operand[DECAY]) {
    const bool each_row = r->decays == heads * rows; /* with one row a head it is the same */
    const double *decay = r->operand[DECAY] + row * r->decays + (each_row ? h * rows : h);
    for (int64_t i = 0; i < rows; i++)
      for (int64_t m = 0; m < columns; m++) r->state[i * columns + m] *= exp(decay[each_row ? i : 0]);
  }
  memcpy(r->value, v, (size_t)columns * sizeof *v);
  if (r->operand[BETA]) {
    const double beta = r->operand[BETA][row * r->betas + (r->betas == 1 ? 0 : h)];
    for (int64_t i = 0; i < rows; i++) pn_add_scaled_f64(r->value, r->state + i * columns, columns, -k[i]);
    for (int64_t m = 0; m < columns; m++) r->value[m] *= beta;
  }
  for (int64_t i = 0; i < rows; i++) pn_add_scaled_f64(r->state + i * columns, r->value, columns, k[i]);
}

static void read_out(const recurrence *r, int64_t row, int64_t q_head, pn_tensor *y) {
  const int64_t columns = r->value_depth, head = row * r->attrs->q_heads + q_head;
  const double *q = r->operand[Q] + head * r->depth;
  for (int64_t m = 0; m < columns; m++) r->y[m] = 0;
  for (int64_t i = 0; i < r->depth; i++) pn_add_scaled_f64(r->y, r->state + i * columns, columns, q[i] * r->scale);
  pn_line_store(y, head * columns, 1, columns, r->y);
}

static pelton_status prepare(const pn_call *call, recurrence *r, int64_t *batches) {
  const pn_attrs_linear_attention *attrs = call->attrs;
  pn_type types[BETA + 1];
  sizes s;
  *r = (recurrence){.attrs = attrs, .group = attrs->q_heads / attrs->kv_heads};
  for (uint32_t i = Q; i <= BETA; i++) {
    types[i] = (pn_type){.rank = PN_RANK_UNKNOWN};
    if (pn_call_has(call, i)) types[i] = pn_type_make(call->in[i].dtype, call->in[i].rank, call->in[i].dims);
  }
  PN_TRY(read_sizes(call->diag, NULL, attrs, types, &s));
  *batches = s.batch.number;
  r->steps = s.steps.number;
  r->depth = s.depth.number;
  r->value_depth = s.value_depth.number;
  r->decays = pn_call_has(call, DECAY) ? call->in[DECAY].dims[2] : 0;
  r->betas = pn_call_has(call, BETA) ? call->in[BETA].dims[2] : 0;
  r->scale = attrs->scale != 0 ? (double)attrs->scale : 1 / sqrt((double)pn_max_i64(r->depth, 1));
  const int64_t y[3] = {*batches, r->steps, attrs->q_heads * r->value_depth};
  const int64_t state[4] = {*batches, attrs->kv_heads, r->depth, r->value_depth};
  PN_TRY(pn_call_wants_result(call, op, 0, 3, y));
  if (call->output_count > 1 && call->out[1].data) PN_TRY(pn_call_wants_result(call, op, 1, 4, state));
  for (uint32_t i = Q; i <= BETA; i++)
    if (pn_call_has(call, i)) PN_TRY(pn_call_f64s(call, &call->in[i], &r->operand[i]));
  PN_TRY(pn_call_room(call, r->depth * r->value_depth, &r->state));
  PN_TRY(pn_call_room(call, r->value_depth, &r->value));
  return pn_call_room(call, r->value_depth, &r->y);
}

pelton_status pn_reference_linear_attention(const pn_call *call) {
  recurrence r;
  int64_t batches;
  PN_TRY(prepare(call, &r, &batches));
  const int64_t heads = r.attrs->kv_heads, elements = r.depth * r.value_depth;
  for (int64_t h = 0; h < batches * heads; h++) {
    for (int64_t i = 0; i < elements; i++) r.state[i] = r.operand[STATE] ? r.operand[STATE][h * elements + i] : 0;
    for (int64_t t = 0; t < r.steps; t++) {
      const int64_t row = h / heads * r.steps + t;
      step(&r, row, h % heads);
      for (int64_t g = 0; g < r.group; g++) read_out(&r, row, h % heads * r.group + g, &call->out[0]);
    }
    if (call->output_count > 1 && call->out[1].data)
      pn_line_store(&call->out[1], h * elements, 1, elements, r.state);
  }
  return PELTON_OK;
}
