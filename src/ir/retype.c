/* Inference at build time: one walk over the graph, then all types are stored.

   Each walk makes new symbols for what is known only at run time ("?7"). Where a value had such a symbol before, it
   gets the former name back, so that inferring twice, or reading a printed graph, gives the same graph: symbols are
   renamed, one new one to at most one former one that means nothing else now. That is renaming only: a number or a name
   that somebody stated is never believed against inference. */
#include "ir/infer_walk.h"

typedef struct renaming {
  pn_symbols *symbols;
  uint32_t mark;   /* symbols made before this walk */
  pn_dim *target;  /* of each new leaf: a former symbol, or the number 0 */
  bool *used;      /* each former symbol: it has a meaning in the types inferred now */
  pn_dim *result;  /* of each symbol, after renaming */
  pn_dim rebound;  /* a former symbol that got other bounds, if there is one */
} renaming;

static bool is_leaf(const pn_symbol *symbol) {
  return symbol->kind == PN_SYMBOL_NAMED || symbol->kind == PN_SYMBOL_FRESH;
}

static void note_uses(const pn_facts *facts, bool *used) {
  for (uint32_t i = 0; i < facts->count; i++) {
    const pn_type *type = &facts->data[i].type;
    if (!facts->data[i].present) continue;
    for (int32_t k = 0; k < type->rank; k++)
      if (type->dims[k].symbol) used[type->dims[k].symbol - 1] = true;
  }
}

/* |used| of whole dims becomes |used| of their parts; parts are made before the whole. */
static void note_parts(const pn_symbols *symbols, uint32_t count, bool *used) {
  for (uint32_t i = count; i-- > 0;) {
    const pn_symbol *symbol = &symbols->list.data[i];
    if (!used[i] || is_leaf(symbol)) continue;
    if (symbol->a.symbol) used[symbol->a.symbol - 1] = true;
    if (symbol->b.symbol) used[symbol->b.symbol - 1] = true;
  }
}

enum { UNIFY_DEPTH = 16 };

/* Where |former| has a fresh symbol in the place of a new one in |dim|, the new one takes its name. */
static void unify(renaming *r, pn_dim dim, pn_dim former, uint32_t depth) {
  if (dim.symbol <= r->mark || former.symbol == 0 || former.symbol > r->mark || depth == UNIFY_DEPTH) return;
  const pn_symbol *x = &r->symbols->list.data[dim.symbol - 1];
  pn_symbol *y = &r->symbols->list.data[former.symbol - 1];
  if (x->kind != y->kind) return;
  if (x->kind == PN_SYMBOL_FRESH) {
    pn_dim *target = &r->target[dim.symbol - 1];
    if (target->symbol || r->used[former.symbol - 1]) return;
    *target = former;
    r->used[former.symbol - 1] = true;
    if (x->min != y->min || x->max != y->max) r->rebound = former;
    y->min = x->min; /* what is known now holds, whatever was known or stated then */
    y->max = x->max;
  } else if (!is_leaf(x)) {
    const pn_dim a = x->a, b = x->b, former_a = y->a, former_b = y->b;
    unify(r, a, former_a, depth + 1);
    unify(r, b, former_b, depth + 1);
  }
}

static void unify_types(renaming *r, const pn_graph *g, const pn_facts *facts, bool leaves) {
  for (uint32_t i = 0; i < facts->count; i++) {
    const pn_type *now = &facts->data[i].type, *before = &g->values.data[i].type;
    if (!facts->data[i].present || now->rank != before->rank) continue;
    for (int32_t k = 0; k < now->rank; k++) {
      if (!now->dims[k].symbol) continue;
      if (is_leaf(&r->symbols->list.data[now->dims[k].symbol - 1]) == leaves)
        unify(r, now->dims[k], before->dims[k], 0);
    }
  }
}

static pn_dim renamed(const renaming *r, pn_dim dim) { return dim.symbol ? r->result[dim.symbol - 1] : dim; }

static pn_dim rebuild(renaming *r, pn_symbol_kind kind, pn_dim a, pn_dim b) {
  switch (kind) {
    case PN_SYMBOL_ADD: return pn_dim_add(r->symbols, a, b);
    case PN_SYMBOL_MUL: return pn_dim_mul(r->symbols, a, b);
    case PN_SYMBOL_FLOOR_DIV: return pn_dim_floor_div(r->symbols, a, b);
    case PN_SYMBOL_CEIL_DIV: return pn_dim_ceil_div(r->symbols, a, b);
    case PN_SYMBOL_MIN: return pn_dim_min(r->symbols, a, b);
    case PN_SYMBOL_MAX: return pn_dim_max(r->symbols, a, b);
    case PN_SYMBOL_NAMED:
    case PN_SYMBOL_FRESH: break;
  }
  return a;
}

/* In order of making: an expression's parts are renamed before it. */
static void rename_all(renaming *r, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    const pn_symbol symbol = r->symbols->list.data[i]; /* rebuilding may move the list */
    r->result[i] = (pn_dim){0, i + 1};
    if (is_leaf(&symbol)) {
      if (r->target[i].symbol) r->result[i] = r->target[i];
      continue;
    }
    const pn_dim a = renamed(r, symbol.a), b = renamed(r, symbol.b);
    if (!pn_dim_equal(a, symbol.a) || !pn_dim_equal(b, symbol.b)) r->result[i] = rebuild(r, symbol.kind, a, b);
  }
}

static void store(const renaming *r, pn_graph *g, const pn_facts *facts) {
  for (uint32_t i = 0; i < facts->count; i++) {
    if (!facts->data[i].present) continue;
    pn_type type = facts->data[i].type;
    for (int32_t k = 0; k < PN_MAX_RANK; k++) type.dims[k] = k < type.rank ? renamed(r, type.dims[k]) : pn_dim_of(0);
    g->values.data[i].type = type;
  }
}

static pelton_status store_types(const pn_infer_walk *walk, pn_graph *g, const pn_facts *facts, uint32_t mark,
                                 pelton_diag *diag) {
  const uint32_t count = walk->symbols->list.count;
  renaming r = {.symbols = walk->symbols, .mark = mark, .target = PN_NEW_ARRAY(walk->arena, pn_dim, count),
                .used = PN_NEW_ARRAY(walk->arena, bool, count), .result = PN_NEW_ARRAY(walk->arena, pn_dim, count)};
  if (!r.target || !r.used || !r.result) return pn_fail_memory(diag, "names of dimensions");
  note_uses(facts, r.used);
  for (uint32_t i = 0; i < walk->visits.count; i++) note_uses(&walk->visits.data[i].facts, r.used);
  note_parts(walk->symbols, count, r.used);
  for (int leaves = 1; leaves >= 0; leaves--) {
    unify_types(&r, g, facts, leaves == 1);
    for (uint32_t i = 0; i < walk->visits.count; i++)
      unify_types(&r, walk->visits.data[i].graph, &walk->visits.data[i].facts, leaves == 1);
  }
  /* Bounding anew, to the same, brings the bounds of all expressions up to date. */
  if (r.rebound.symbol) PN_TRY(pn_symbol_bound(walk->symbols, r.rebound, INT64_MIN, INT64_MAX, diag));
  rename_all(&r, count);
  PN_TRY(pn_symbols_status(walk->symbols, diag));
  store(&r, g, facts);
  for (uint32_t i = 0; i < walk->visits.count; i++) store(&r, walk->visits.data[i].graph, &walk->visits.data[i].facts);
  return PELTON_OK;
}

pelton_status pn_graph_infer_types(pn_graph *g, pelton_diag *diag) {
  pn_arena arena;
  pn_facts facts;
  pn_arena_init(&arena, g->arena->allocator);
  const uint32_t mark = g->symbols->list.count;
  pn_infer_walk walk = {.arena = &arena, .symbols = g->symbols, .keep_visits = true};
  const pn_infer_options options = {.arena = &arena};
  pelton_status status = pn_facts_create(g, &arena, &facts, diag);
  if (!status) status = pn_infer_walk_run(&walk, g, &options, &facts, NULL, diag);
  if (!status) status = store_types(&walk, g, &facts, mark, diag);
  pn_arena_deinit(&arena);
  return status;
}
