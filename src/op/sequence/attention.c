/* attention: y = softmax(scale * q k^T + bias) v, a head at a time.

   Operands are [N,heads,S,D] or, with head counts given, [N,S,heads*D]; heads of q share heads of k and v evenly. The
   bias is what mask, causality and valid_lengths forbid (minus infinity) and what a mask of numbers adds. A row that
   may see no key at all gives zeros, not NaN. Query i stands at place i + offset among the keys: offset is the past's
   length, or without a past, what valid_lengths has more than queries. A window forbids keys that are further from that
   place, to its left or to its right. A mask that is shorter than the keys forbids those it does not reach. */
#include "op/linear/line.h"
#include "op/operand.h"

#include <math.h>

static const char op[] = "attention";

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID_LENGTHS };
enum { Y, KEY, VALUE, SCORES };
enum { SCORES_RAW, SCORES_CAPPED, SCORES_BIASED, SCORES_SOFTMAX };

/* ---- check and infer */

static pelton_status check_types(const pn_infer *c) {
  PN_TRY(pn_operand_wants_float(c, op, Q, "q"));
  PN_TRY(pn_operand_wants_type_of(c, op, K, "k", Q));
  PN_TRY(pn_operand_wants_float(c, op, V, "v"));
  PN_TRY(pn_operand_wants_type_of(c, op, PAST_KEY, "past_key", K));
  PN_TRY(pn_operand_wants_type_of(c, op, PAST_VALUE, "past_value", V));
  return pn_operand_wants_indices(c, op, VALID_LENGTHS, "valid_lengths");
}

static pelton_status check_ranks(const pn_infer *c) {
  const pn_attrs_attention *attrs = c->attrs;
  static const char *const names[] = {"q", "k", "v"};
  for (uint32_t i = Q; i <= V; i++) {
    PN_TRY(pn_operand_wants_rank(c, op, i, names[i], 3, 4));
    if (c->in[i].type.rank == 3 && (attrs->q_heads < 1 || attrs->kv_heads < 1))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "attention: %s has rank 3, and q_heads is %lld, kv_heads %lld; both must be at least 1", names[i],
                     (long long)attrs->q_heads, (long long)attrs->kv_heads);
    if (i > Q && c->in[Q].type.rank != PN_RANK_UNKNOWN && c->in[i].type.rank != PN_RANK_UNKNOWN)
      PN_TRY(pn_operand_wants_rank(c, op, i, names[i], c->in[Q].type.rank, c->in[Q].type.rank));
  }
  PN_TRY(pn_operand_wants_rank(c, op, MASK, "mask", 1, 4));
  PN_TRY(pn_operand_wants_rank(c, op, PAST_KEY, "past_key", 4, 4));
  PN_TRY(pn_operand_wants_rank(c, op, PAST_VALUE, "past_value", 4, 4));
  return pn_operand_wants_rank(c, op, VALID_LENGTHS, "valid_lengths", 1, 1);
}

pelton_status pn_check_attention(const pn_infer *c) {
  const pn_attrs_attention *attrs = c->attrs;
  PN_TRY(check_types(c));
  PN_TRY(check_ranks(c));
  if (attrs->q_heads < 0 || attrs->kv_heads < 0 || attrs->q_heads > INT32_MAX || attrs->kv_heads > INT32_MAX)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "attention: q_heads is %lld, kv_heads %lld; they must be from 0 to %d", (long long)attrs->q_heads,
                   (long long)attrs->kv_heads, INT32_MAX);
  if (attrs->scores_mode < SCORES_RAW || attrs->scores_mode > SCORES_SOFTMAX)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "attention: scores_mode is %lld; it must be from 0 to 3",
                   (long long)attrs->scores_mode);
  if (attrs->left_window < -1 || attrs->right_window < -1)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "attention: left_window is %lld, right_window %lld; they must be -1 or more",
                   (long long)attrs->left_window, (long long)attrs->right_window);
  if (attrs->softmax_dtype != PELTON_DTYPE_NONE && !pn_dtype_is_wide_float(attrs->softmax_dtype))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "attention: softmax_dtype is %s; it must be f64, f32, f16 or bf16",
                   pelton_dtype_name(attrs->softmax_dtype));
  if (pn_infer_has(c, PAST_KEY) != pn_infer_has(c, PAST_VALUE))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "attention: %s is given without %s; give both or none",
                   pn_infer_has(c, PAST_KEY) ? "past_key" : "past_value",
                   pn_infer_has(c, PAST_KEY) ? "past_value" : "past_key");
  if (pn_infer_has(c, PAST_KEY) && pn_infer_has(c, VALID_LENGTHS))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "attention: both a past and valid_lengths are given; give one of the two" );
  return PELTON_OK;
}

/* Everything that has a size. */
typedef struct sizes {
  pn_dim batch, q_heads, kv_heads, queries, new_keys, past, keys, depth, value_depth; /* keys: past and new ones */
} sizes;

static pelton_status unify(pelton_diag *diag, pn_dim *a, pn_dim b, const char *operand, const char *what) {
  pn_dim both = pn_dim_of(0);
  if (!pn_dim_unify(*a, b, &both))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "attention: %s has %lld %s where others have %lld; they must be equal", operand,
                   (long long)b.number, what, (long long)a->number);
  *a = both;
  return PELTON_OK;
}

/* |heads| and the depth of one of q, k, v in either layout. */
static pelton_status read_heads(pelton_diag *diag, pn_symbols *symbols, const pn_type *x, const char *name,
                                int64_t attribute, pn_dim *heads, pn_dim *steps, pn_dim *depth) {
  if (x->rank == 4) {
    *heads = x->dims[1];
    *steps = x->dims[2];
    *depth = x->dims[3];
    return PELTON_OK;
  }
  pn_dim hidden = x->dims[2];
  if (attribute < 1) return PN_INTERNAL(diag, "heads were not checked");
  if (pn_dim_is_number(hidden) && hidden.number % attribute != 0)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "attention: %s has an extent of %lld, which %lld heads do not divide evenly", name,
                   (long long)hidden.number, (long long)attribute);
  *heads = pn_dim_of(attribute);
  *steps = x->dims[1];
  *depth = pn_dim_floor_div(symbols, hidden, *heads);
  return PELTON_OK;
}

static pelton_status add_past(pelton_diag *diag, sizes *s, const pn_type *key, const pn_type *value) {
  s->past = key->dims[2];
  PN_TRY(unify(diag, &s->batch, key->dims[0], "past_key", "batches"));
  PN_TRY(unify(diag, &s->kv_heads, key->dims[1], "past_key", "heads"));
  PN_TRY(unify(diag, &s->depth, key->dims[3], "past_key", "elements a head"));
  PN_TRY(unify(diag, &s->batch, value->dims[0], "past_value", "batches"));
  PN_TRY(unify(diag, &s->kv_heads, value->dims[1], "past_value", "heads"));
  PN_TRY(unify(diag, &s->past, value->dims[2], "past_value", "steps"));
  return unify(diag, &s->value_depth, value->dims[3], "past_value", "elements a head");
}

/* |mask| broadcasts to [batch, q_heads, queries, keys], or ends before the keys do. */
static pelton_status check_mask(pelton_diag *diag, const sizes *s, const pn_type *mask) {
  const pn_dim wanted[4] = {s->batch, s->q_heads, s->queries, s->keys};
  for (int32_t k = 1; k <= mask->rank; k++) {
    pn_dim extent = mask->dims[mask->rank - k], want = wanted[4 - k];
    if (!pn_dim_is_number(extent) || !pn_dim_is_number(want) || extent.number == want.number) continue;
    if (k == 1 ? extent.number < want.number : extent.number == 1) continue;
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "attention: mask has extent %lld on axis %d; it must be %lld or %s",
                   (long long)extent.number, mask->rank - k, (long long)want.number, k == 1 ? "less" : "1");
  }
  return PELTON_OK;
}

/* Of complete types; absent operands null. */
static pelton_status read_sizes(pelton_diag *diag, pn_symbols *symbols, const pn_attrs_attention *attrs,
                                const pn_type *const types[7], sizes *s) {
  const pn_type *q = types[Q], *k = types[K], *v = types[V];
  pn_dim heads = pn_dim_of(0), steps = heads, depth = heads;
  *s = (sizes){.batch = q->dims[0]};
  if (q->rank != k->rank || q->rank != v->rank)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "attention: q, k and v have ranks %d, %d and %d; they must be equal", q->rank, k->rank, v->rank);
  PN_TRY(read_heads(diag, symbols, q, "q", attrs->q_heads, &s->q_heads, &s->queries, &s->depth));
  PN_TRY(read_heads(diag, symbols, k, "k", attrs->kv_heads, &s->kv_heads, &s->new_keys, &depth));
  PN_TRY(unify(diag, &s->batch, k->dims[0], "k", "batches"));
  PN_TRY(unify(diag, &s->depth, depth, "k", "elements a head"));
  PN_TRY(read_heads(diag, symbols, v, "v", attrs->kv_heads, &heads, &steps, &s->value_depth));
  PN_TRY(unify(diag, &s->batch, v->dims[0], "v", "batches"));
  PN_TRY(unify(diag, &s->kv_heads, heads, "v", "heads"));
  PN_TRY(unify(diag, &s->new_keys, steps, "v", "steps"));
  if (types[PAST_KEY] && types[PAST_VALUE]) PN_TRY(add_past(diag, s, types[PAST_KEY], types[PAST_VALUE]));
  if (types[VALID_LENGTHS]) PN_TRY(unify(diag, &s->batch, types[VALID_LENGTHS]->dims[0], "valid_lengths", "batches"));
  if (pn_dim_is_number(s->q_heads) && pn_dim_is_number(s->kv_heads) &&
      (s->kv_heads.number == 0 ? s->q_heads.number != 0 : s->q_heads.number % s->kv_heads.number != 0))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "attention: %lld heads of k and v do not divide q's %lld evenly",
                   (long long)s->kv_heads.number, (long long)s->q_heads.number);
  s->keys = pn_dim_add(symbols, s->past, s->new_keys);
  return types[MASK] ? check_mask(diag, s, types[MASK]) : PELTON_OK;
}

static void set_rank_4(pn_type *type, pelton_dtype dtype, pn_dim a, pn_dim b, pn_dim c, pn_dim d) {
  *type = (pn_type){.dtype = dtype, .rank = 4, .dims = {a, b, c, d}};
}

pelton_status pn_infer_attention(const pn_infer *c) {
  const pn_attrs_attention *attrs = c->attrs;
  const pn_type *types[7] = {NULL};
  int32_t rank = attrs->q_heads > 0 ? 3 : PN_RANK_UNKNOWN;
  bool complete = true;
  sizes s;
  for (uint32_t i = 0; i < c->input_count; i++) {
    if (!c->in[i].present) continue;
    types[i] = &c->in[i].type;
    if (types[i]->rank == PN_RANK_UNKNOWN) complete = complete && i == MASK;
    else if (i <= V) rank = types[i]->rank;
  }
  pelton_dtype dtype = c->in[Q].type.dtype, value_dtype = c->in[V].type.dtype;
  if (!complete) {
    pn_infer_unknown(c, Y, dtype, rank);
    for (uint32_t i = KEY; i < c->output_count; i++) pn_infer_unknown(c, i, i == VALUE ? value_dtype : dtype, 4);
    return PELTON_OK;
  }
  PN_TRY(read_sizes(c->diag, c->symbols, attrs, types, &s));
  pn_type *y = &c->out[Y].type;
  set_rank_4(y, dtype, s.batch, s.q_heads, s.queries, s.value_depth);
  if (rank == 3) {
    pn_dim hidden = pn_dim_mul(c->symbols, s.q_heads, s.value_depth);
    *y = (pn_type){.dtype = dtype, .rank = 3, .dims = {s.batch, s.queries, hidden}};
  }
  if (c->output_count > KEY) set_rank_4(&c->out[KEY].type, dtype, s.batch, s.kv_heads, s.keys, s.depth);
  if (c->output_count > VALUE) set_rank_4(&c->out[VALUE].type, value_dtype, s.batch, s.kv_heads, s.keys, s.value_depth);
  if (c->output_count > SCORES) set_rank_4(&c->out[SCORES].type, dtype, s.batch, s.q_heads, s.queries, s.keys);
  return PELTON_OK;
}

/* ---- reference */

typedef struct attention {
  const pn_attrs_attention *attrs;
  int64_t batch, q_heads, kv_heads, queries, past, keys, depth, value_depth;
  double scale;
  const double *q, *k, *v;         /* [batch, heads, steps, depth], the past and the new */
  const pn_tensor *mask, *lengths; /* or null */
  pelton_dtype dtype;              /* of q and y */
} attention;

/* Rows of q, k or v in either layout, to [batch, heads, to_steps, depth] from step |first| on. */
static void load_steps(const pn_tensor *x, int64_t heads, int64_t depth, int64_t first, int64_t to_steps, double *to) {
  int64_t steps = x->rank == 4 ? x->dims[2] : x->dims[1];
  for (int64_t n = 0; n < x->dims[0]; n++)
    for (int64_t h = 0; h < heads; h++)
      for (int64_t i = 0; i < steps; i++) {
        int64_t row = x->rank == 4 ? (n * heads + h) * steps + i : (n * steps + i) * heads + h;
        pn_line_load(x, row * depth, 1, depth, to + ((n * heads + h) * to_steps + first + i) * depth);
      }
}

static pelton_status load_operands(const pn_call *call, attention *a) {
  double *q, *k, *v;
  PN_TRY(pn_call_room(call, a->batch * a->q_heads * a->queries * a->depth, &q));
  PN_TRY(pn_call_room(call, a->batch * a->kv_heads * a->keys * a->depth, &k));
  PN_TRY(pn_call_room(call, a->batch * a->kv_heads * a->keys * a->value_depth, &v));
  load_steps(&call->in[Q], a->q_heads, a->depth, 0, a->queries, q);
  if (a->past > 0) {
    load_steps(&call->in[PAST_KEY], a->kv_heads, a->depth, 0, a->keys, k);
    load_steps(&call->in[PAST_VALUE], a->kv_heads, a->value_depth, 0, a->keys, v);
  }
  load_steps(&call->in[K], a->kv_heads, a->depth, a->past, a->keys, k);
  load_steps(&call->in[V], a->kv_heads, a->value_depth, a->past, a->keys, v);
  a->q = q;
  a->k = k;
  a->v = v;
  return PELTON_OK;
}

/* Where mask's row for head |h| and query |i| begins. */
static int64_t mask_row(const pn_tensor *mask, int64_t n, int64_t h, int64_t i) {
  const int64_t index[3] = {n, h, i};
  int64_t row = 0;
  for (uint32_t axis = 0; axis + 1 < mask->rank; axis++)
    row = row * mask->dims[axis] + (mask->dims[axis] == 1 ? 0 : index[4 - mask->rank + axis]);
  return row * mask->dims[mask->rank - 1];
}

/* Whether key |j| is one that a query at |place| may see. */
static bool in_reach(const pn_attrs_attention *attrs, int64_t place, int64_t j) {
  if (attrs->causal && j > place) return false;
  if (attrs->left_window >= 0 && place - j > attrs->left_window) return false;
  return attrs->right_window < 0 || j - place <= attrs->right_window;
}

/* What is added to the scores of a query; false when every key is forbidden. */
static bool fill_bias(const attention *a, int64_t n, int64_t h, int64_t i, double *bias) {
  int64_t valid = a->lengths ? pn_tensor_get_i64(a->lengths, n) : a->keys;
  int64_t offset = a->lengths ? valid - a->queries : a->past;
  int64_t reach = a->mask ? a->mask->dims[a->mask->rank - 1] : 0, row = a->mask ? mask_row(a->mask, n, h, i) : 0;
  bool any = false;
  for (int64_t j = 0; j < a->keys; j++) {
    bool allowed = j < valid && in_reach(a->attrs, i + offset, j) && (!a->mask || j < reach);
    bias[j] = allowed ? 0 : -(double)INFINITY;
    if (allowed && a->mask && a->mask->dtype != PELTON_DTYPE_BOOL) bias[j] = pn_tensor_get_f64(a->mask, row + j);
    else if (allowed && a->mask && pn_tensor_get_i64(a->mask, row + j) == 0) bias[j] = -(double)INFINITY;
    any = any || !(bias[j] == -(double)INFINITY);
  }
  return any;
}

static void softmax(const attention *a, double *row, bool any) {
  double greatest = -(double)INFINITY, sum = 0;
  pelton_dtype precision = a->attrs->softmax_dtype;
  for (int64_t j = 0; j < a->keys; j++) {
    if (precision != PELTON_DTYPE_NONE) row[j] = pn_dtype_round(precision, row[j]);
    if (row[j] > greatest || isnan(row[j])) greatest = row[j];
    if (isnan(greatest)) break;
  }
  if (greatest == -(double)INFINITY) any = false;
  for (int64_t j = 0; j < a->keys; j++) {
    row[j] = any ? exp(row[j] - greatest) : 0;
    sum += row[j];
  }
  for (int64_t j = 0; any && j < a->keys; j++) {
    row[j] /= sum;
    if (precision != PELTON_DTYPE_NONE) row[j] = pn_dtype_round(a->dtype, pn_dtype_round(precision, row[j]));
  }
}

/* Where y's row for head |h| and query |i| begins. */
static int64_t y_row(const attention *a, const pn_tensor *y, int64_t n, int64_t h, int64_t i) {
  int64_t row = y->rank == 4 ? (n * a->q_heads + h) * a->queries + i : (n * a->queries + i) * a->q_heads + h;
  return row * a->value_depth;
}

typedef struct room {
  double *row, *bias, *sum;
} room;

static void attend(const attention *a, int64_t n, int64_t h, int64_t i, const room *r, pn_tensor *y,
                   pn_tensor *scores) {
  int64_t kv = n * a->kv_heads + h / (a->q_heads / a->kv_heads), at = (n * a->q_heads + h) * a->queries + i;
  const double *q = a->q + at * a->depth, *k = a->k + kv * a->keys * a->depth;
  const double *v = a->v + kv * a->keys * a->value_depth;
  double cap = (double)a->attrs->softcap;
  int64_t mode = a->attrs->scores_mode;
  for (int64_t j = 0; j < a->keys; j++) r->row[j] = a->scale * pn_dot_f64(q, k + j * a->depth, a->depth);
  if (scores && mode == SCORES_RAW) pn_line_store(scores, at * a->keys, 1, a->keys, r->row);
  for (int64_t j = 0; cap > 0 && j < a->keys; j++) r->row[j] = cap * tanh(r->row[j] / cap);
  if (scores && mode == SCORES_CAPPED) pn_line_store(scores, at * a->keys, 1, a->keys, r->row);
  bool any = fill_bias(a, n, h, i, r->bias);
  for (int64_t j = 0; j < a->keys; j++) r->row[j] += r->bias[j];
  if (scores && mode == SCORES_BIASED) pn_line_store(scores, at * a->keys, 1, a->keys, r->row);
  softmax(a, r->row, any);
  if (scores && mode == SCORES_SOFTMAX) pn_line_store(scores, at * a->keys, 1, a->keys, r->row);
  for (int64_t d = 0; d < a->value_depth; d++) r->sum[d] = 0;
  for (int64_t j = 0; any && j < a->keys; j++)
    pn_add_scaled_f64(r->sum, v + j * a->value_depth, a->value_depth, r->row[j]);
  pn_line_store(y, y_row(a, y, n, h, i), 1, a->value_depth, r->sum);
}

static pelton_status wants_results(const pn_call *call, const attention *a) {
  int64_t dims[4][4] = {{a->batch, a->q_heads, a->queries, a->value_depth},
                        {a->batch, a->kv_heads, a->keys, a->depth},
                        {a->batch, a->kv_heads, a->keys, a->value_depth},
                        {a->batch, a->q_heads, a->queries, a->keys}};
  uint32_t y_rank = call->in[Q].rank;
  if (y_rank == 3) {
    dims[Y][1] = a->queries;
    dims[Y][2] = a->q_heads * a->value_depth;
  }
  for (uint32_t i = Y; i < call->output_count; i++)
    if (call->out[i].data) PN_TRY(pn_call_wants_result(call, op, i, i == Y ? y_rank : 4, dims[i]));
  return PELTON_OK;
}

pelton_status pn_reference_attention(const pn_call *call) {
  const pn_attrs_attention *attrs = call->attrs;
  pn_type known[7];
  const pn_type *types[7] = {NULL};
  sizes s;
  for (uint32_t i = 0; i < call->input_count; i++) {
    if (!call->in[i].data) continue;
    known[i] = pn_type_make(call->in[i].dtype, call->in[i].rank, call->in[i].dims);
    types[i] = &known[i];
  }
  PN_TRY(read_sizes(call->diag, NULL, attrs, types, &s));
  attention a = {.attrs = attrs, .batch = s.batch.number, .q_heads = s.q_heads.number, .kv_heads = s.kv_heads.number,
                 .queries = s.queries.number, .past = s.past.number, .keys = s.keys.number, .depth = s.depth.number,
                 .value_depth = s.value_depth.number, .dtype = call->in[Q].dtype};
  a.scale = attrs->scale != 0 ? (double)attrs->scale : 1 / sqrt((double)a.depth);
  a.mask = pn_call_has(call, MASK) ? &call->in[MASK] : NULL;
  a.lengths = pn_call_has(call, VALID_LENGTHS) ? &call->in[VALID_LENGTHS] : NULL;
  for (int64_t n = 0; a.lengths && n < a.batch; n++) {
    int64_t valid = pn_tensor_get_i64(a.lengths, n);
    if (valid < 0 || valid > a.keys)
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "attention: valid_lengths[%lld] is %lld; it must be from 0 to %lld keys", (long long)n,
                     (long long)valid, (long long)a.keys);
  }
  PN_TRY(wants_results(call, &a));
  PN_TRY(load_operands(call, &a));
  room r;
  PN_TRY(pn_call_room(call, a.keys, &r.row));
  PN_TRY(pn_call_room(call, a.keys, &r.bias));
  PN_TRY(pn_call_room(call, a.value_depth, &r.sum));
  pn_tensor *scores = call->output_count > SCORES && call->out[SCORES].data ? &call->out[SCORES] : NULL;
  for (int64_t n = 0; n < a.batch; n++)
    for (int64_t h = 0; h < a.q_heads; h++)
      for (int64_t i = 0; i < a.queries; i++) attend(&a, n, h, i, &r, &call->out[Y], scores);
  if (call->output_count > KEY && call->out[KEY].data)
    pn_line_store(&call->out[KEY], 0, 1, pn_tensor_elements(&call->out[KEY]), a.k);
  if (call->output_count > VALUE && call->out[VALUE].data)
    pn_line_store(&call->out[VALUE], 0, 1, pn_tensor_elements(&call->out[VALUE]), a.v);
  return PELTON_OK;
}
