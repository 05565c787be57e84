/* tf_idf: how often the n-grams of a pool stand in each row of tokens (texts or integers), whose items may lie up to
   |most_skips| items apart, all at the same distance. The pool holds the n-grams one after another, those of one length
   together: gram_starts says where the 1-grams, the 2-grams, ... begin, gram_columns into which column of the result
   each n-gram counts. What it counts is 1, or its weight in mode tfidf; in mode idf it counts once, its weight.

   Tokens of the pool are numbered by a map; the n-grams are a tree whose edges (node, token) are hashed in a second
   one. A row is then read once for each distance, from each item as deep as the tree goes. */
#include "op/operand.h"
#include "op/text/strings.h"

static bool is_token(pelton_dtype dtype) {
  return dtype == PELTON_DTYPE_STRING || dtype == PELTON_DTYPE_I64 || dtype == PELTON_DTYPE_I32;
}

static int64_t column_count(const pn_attrs_tf_idf *attrs) {
  int64_t most = -1;
  for (uint32_t i = 0; i < attrs->gram_columns.count; i++) most = pn_max_i64(most, attrs->gram_columns.data[i]);
  return most + 1;
}

pelton_status pn_check_tf_idf(const pn_infer *c) {
  const pn_attrs_tf_idf *attrs = c->attrs;
  const pelton_dtype x = c->in[0].type.dtype, pool = c->in[1].type.dtype;
  if (!is_token(x) || (x == PELTON_DTYPE_STRING) != (pool == PELTON_DTYPE_STRING) ||
      (pool != PELTON_DTYPE_STRING && pool != PELTON_DTYPE_I64))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "tf_idf: tokens are of type %s, the pool of %s; both must be string, or i64 or i32 and i64",
                   pelton_dtype_name(x), pelton_dtype_name(pool));
  PN_TRY(pn_operand_wants_rank(c, "tf_idf", 0, "the operand", 0, 2));
  PN_TRY(pn_operand_wants_rank(c, "tf_idf", 1, "the pool", 1, 1));
  PN_TRY(pn_operand_wants_rank(c, "tf_idf", 2, "weights", 1, 1));
  if (pn_infer_has(c, 2) && c->in[2].type.dtype != PELTON_DTYPE_F32)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "tf_idf: weights are of type %s; they must be f32",
                   pelton_dtype_name(c->in[2].type.dtype));
  if (attrs->least_gram < 1 || attrs->most_gram < attrs->least_gram || attrs->most_skips < 0)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "tf_idf: n-grams of %lld to %lld tokens with up to %lld skips",
                   (long long)attrs->least_gram, (long long)attrs->most_gram, (long long)attrs->most_skips);
  for (uint32_t i = 0; i < attrs->gram_columns.count; i++)
    if (attrs->gram_columns.data[i] < 0 || attrs->gram_columns.data[i] >= INT32_MAX)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "tf_idf: n-gram %u counts into column %lld", i,
                     (long long)attrs->gram_columns.data[i]);
  return PELTON_OK;
}

pelton_status pn_infer_tf_idf(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  const pn_dim columns = pn_dim_of(column_count(c->attrs));
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, PELTON_DTYPE_F32, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  c->out[0].type = (pn_type){.dtype = PELTON_DTYPE_F32, .rank = x->rank == 2 ? 2 : 1, .dims = {columns}};
  if (x->rank == 2) {
    c->out[0].type.dims[0] = x->dims[0];
    c->out[0].type.dims[1] = columns;
  }
  return PELTON_OK;
}

/* ---- the tree of n-grams */

#define NO_GRAM       UINT32_MAX
#define UNKNOWN_TOKEN UINT32_MAX

typedef struct edge {
  uint32_t node, token;
} edge;

typedef struct tree {
  pn_arena *arena;
  pn_map tokens, edges; /* to numbers of tokens, to nodes */
  const uint32_t *pool; /* the pool's tokens by number */
  PN_LIST(uint32_t) gram; /* by node: the n-gram that ends there, or NO_GRAM; node 0 is the root */
} tree;

static pn_str token_key(const pn_tensor *x, int64_t i, int64_t *storage) {
  if (x->dtype == PELTON_DTYPE_STRING) return pn_tensor_str(x, i);
  *storage = pn_tensor_get_i64(x, i);
  return (pn_str){(const char *)storage, sizeof *storage};
}

/* Numbers the tokens of |x|, those that are not of the pool UNKNOWN_TOKEN unless |add|. */
static bool number_tokens(tree *t, const pn_tensor *x, bool add, const uint32_t **out) {
  const int64_t count = pn_tensor_elements(x);
  uint32_t *numbers = PN_NEW_ARRAY(t->arena, uint32_t, (size_t)count);
  int64_t *storage = PN_NEW_ARRAY(t->arena, int64_t, add ? (size_t)count : 1);
  if (!numbers || !storage) return false;
  for (int64_t i = 0; i < count; i++) {
    const pn_str key = token_key(x, i, add ? &storage[i] : storage);
    if (pn_map_get(&t->tokens, key, &numbers[i])) continue;
    numbers[i] = add ? t->tokens.count : UNKNOWN_TOKEN;
    if (add && !pn_map_set(&t->tokens, key, numbers[i])) return false;
  }
  *out = numbers;
  return true;
}

static bool follow(const tree *t, uint32_t node, uint32_t token, uint32_t *next) {
  const edge e = {node, token};
  return token != UNKNOWN_TOKEN && pn_map_get(&t->edges, (pn_str){(const char *)&e, sizeof e}, next);
}

static bool add_gram(tree *t, const uint32_t *tokens, int64_t length, uint32_t gram) {
  uint32_t node = 0;
  for (int64_t k = 0; k < length; k++) {
    uint32_t next;
    if (!follow(t, node, tokens[k], &next)) {
      edge *e = PN_NEW(t->arena, edge);
      if (!e) return false;
      *e = (edge){node, tokens[k]};
      next = t->gram.count;
      if (!pn_list_push(t->arena, &t->gram, NO_GRAM) ||
          !pn_map_set(&t->edges, (pn_str){(const char *)e, sizeof *e}, next))
        return false;
    }
    node = next;
  }
  t->gram.data[node] = gram;
  return true;
}

static pelton_status plant(const pn_call *call, tree *t) {
  const pn_attrs_tf_idf *attrs = call->attrs;
  const int64_t items = pn_tensor_elements(&call->in[1]);
  bool memory = pn_list_push(t->arena, &t->gram, NO_GRAM) && number_tokens(t, &call->in[1], true, &t->pool);
  int64_t gram = 0;
  for (uint32_t i = 0; i < attrs->gram_starts.count && memory; i++) {
    const int64_t length = (int64_t)i + 1, begin = attrs->gram_starts.data[i];
    const int64_t end = i + 1 < attrs->gram_starts.count ? attrs->gram_starts.data[i + 1] : items;
    if (begin < 0 || end < begin || end > items || (end - begin) % length)
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "tf_idf: %lld-grams are items %lld to %lld of a pool of %lld, which does not divide",
                     (long long)length, (long long)begin, (long long)end, (long long)items);
    for (int64_t at = begin; at < end && memory; at += length, gram++) {
      if (gram >= attrs->gram_columns.count)
        return pn_fail(call->diag, PELTON_INVALID_DATA, "tf_idf: the pool has more n-grams than the %u columns named",
                       attrs->gram_columns.count);
      if (length >= attrs->least_gram && length <= attrs->most_gram)
        memory = add_gram(t, t->pool + at, length, (uint32_t)gram);
    }
  }
  return memory ? PELTON_OK : pn_fail_memory(call->diag, "the n-grams of a pool");
}

/* ---- counting */

static void count_gram(const pn_attrs_tf_idf *attrs, const float *weights, uint32_t gram, float *y) {
  const float weight = weights && attrs->mode != PN_TF_IDF_TF ? weights[gram] : 1;
  float *count = &y[attrs->gram_columns.data[gram]];
  *count = attrs->mode == PN_TF_IDF_IDF ? weight : *count + weight;
}

static void count_row(const tree *t, const pn_attrs_tf_idf *attrs, const float *weights, const uint32_t *row,
                      int64_t items, float *y) {
  int64_t least = attrs->least_gram;
  for (int64_t step = 1; step - 1 <= attrs->most_skips && (step == 1 || step < items); step++) {
    for (int64_t start = 0; start < items && least - 1 <= (items - 1 - start) / step; start++) {
      uint32_t node = 0;
      int64_t at = start;
      for (int64_t length = 1; length <= attrs->most_gram && at < items; length++, at += step) {
        if (!follow(t, node, row[at], &node)) break;
        if (length >= least && t->gram.data[node] != NO_GRAM) count_gram(attrs, weights, t->gram.data[node], y);
      }
    }
    if (least == 1 && ++least > attrs->most_gram) break; /* single tokens have no distance: they count once */
  }
}

pelton_status pn_reference_tf_idf(const pn_call *call) {
  const pn_attrs_tf_idf *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  const int64_t columns = column_count(attrs), rows = x->rank == 2 ? x->dims[0] : 1,
                items = x->rank == 0 ? 1 : x->dims[x->rank - 1];
  const float *weights = pn_call_has(call, 2) ? call->in[2].data : NULL;
  const uint32_t *tokens;
  float *y = call->out[0].data;
  if (pn_tensor_elements(&call->out[0]) != rows * columns) return PN_INTERNAL(call->diag, "tf_idf has another shape");
  if (weights && pn_tensor_elements(&call->in[2]) < attrs->gram_columns.count)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "tf_idf: there are %lld weights for %u n-grams",
                   (long long)pn_tensor_elements(&call->in[2]), attrs->gram_columns.count);
  tree t = {.arena = call->scratch};
  pn_map_init(&t.tokens, t.arena);
  pn_map_init(&t.edges, t.arena);
  PN_TRY(plant(call, &t));
  if (!number_tokens(&t, x, false, &tokens)) return pn_fail_memory(call->diag, "tokens");
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < columns; i++) y[r * columns + i] = 0;
    count_row(&t, attrs, weights, tokens + r * items, items, y + r * columns);
  }
  return PELTON_OK;
}
