/* One walk of inference, as for storing types at build time, whose results are compared and not stored.

   The file's table of symbols stays out of it: its bounds and expressions are claims as well. The dims of inputs that
   are symbols become symbols of a table of the walk's own, one for one, so that equal dims stay equal. Values of a
   branch that is never taken may be without a fact; nothing runs there. */
#include "ir/claims.h"

#include "ir/infer_walk.h"

typedef struct checker {
  const pn_symbols *claimed; /* the file's */
  pn_symbols symbols;        /* the walk's */
  pn_infer_walk walk;
  pn_arena arena;
  pelton_diag *diag;
} checker;

static bool contradicts(const pn_type *claimed, const pn_type *found) {
  if (!pn_type_same_elements(claimed, found) || claimed->boxes.optional != found->boxes.optional) return true;
  if (claimed->rank == PN_RANK_UNKNOWN || found->rank == PN_RANK_UNKNOWN) return false;
  if (claimed->rank != found->rank) return true;
  for (int32_t d = 0; d < found->rank; d++) {
    const pn_dim a = claimed->dims[d], b = found->dims[d];
    if (pn_dim_is_number(a) && pn_dim_is_number(b) && a.number != b.number) return true;
  }
  return false;
}

static pelton_status refuse(const checker *c, const pn_graph *g, const pn_value *value, const pn_type *found) {
  pn_text claimed_text, found_text;
  pn_text_init(&claimed_text, c->arena.allocator);
  pn_text_init(&found_text, c->arena.allocator);
  pn_type_print(c->claimed, &value->type, &claimed_text);
  pn_type_print(&c->symbols, found, &found_text);
  pelton_status status;
  if (claimed_text.failed || found_text.failed) {
    status = pn_fail_memory(c->diag, "what checks a graph");
  } else {
    const pn_node *node = pn_node_valid(value->producer) ? &g->nodes.data[value->producer.v] : NULL;
    const pn_str owner = node ? node->name : g->name;
    status = pn_fail(c->diag, PELTON_INVALID_DATA,
                     "%s '%.*s': %s '%.*s' is stored as %s, but %s gives %s; the engine is altered, or of another "
                     "version of Pelton: build it again",
                     node ? "node" : "graph", PN_STR_ARG(owner), node ? "result" : "input", PN_STR_ARG(value->name),
                     claimed_text.data, node ? pn_op_get(node->op)->name : "its owner", found_text.data);
  }
  pn_text_deinit(&claimed_text);
  pn_text_deinit(&found_text);
  return status;
}

static pelton_status compare(const checker *c, const pn_graph *g, const pn_facts *facts) {
  for (uint32_t i = 0; i < facts->count; i++)
    if (facts->data[i].present && contradicts(&g->values.data[i].type, &facts->data[i].type))
      return refuse(c, g, &g->values.data[i], &facts->data[i].type);
  return PELTON_OK;
}

/* The inputs' types, in the walk's symbols. */
static pelton_status make_inputs(checker *c, const pn_graph *g, pn_fact **out) {
  pn_fact *inputs = PN_NEW_ARRAY(&c->arena, pn_fact, g->inputs.count + 1u);
  pn_dim *own = PN_NEW_ARRAY(&c->arena, pn_dim, c->claimed->list.count + 1u);
  if (!inputs || !own) return pn_fail_memory(c->diag, "what checks a graph");
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    inputs[i] = (pn_fact){.present = true, .type = pn_graph_value(g, g->inputs.data[i])->type};
    for (int32_t d = 0; d < inputs[i].type.rank; d++) {
      pn_dim *dim = &inputs[i].type.dims[d];
      if (pn_dim_is_number(*dim)) continue;
      if (!own[dim->symbol].symbol) own[dim->symbol] = pn_dim_fresh(&c->symbols);
      *dim = own[dim->symbol];
    }
  }
  *out = inputs;
  return pn_symbols_status(&c->symbols, c->diag);
}

static pelton_status check(checker *c, const pn_graph *g) {
  pn_infer_options options = {.arena = &c->arena, .symbols = &c->symbols};
  pn_facts facts;
  pn_fact *inputs = NULL;
  PN_TRY(make_inputs(c, g, &inputs));
  options.inputs = inputs;
  PN_TRY(pn_facts_create(g, &c->arena, &facts, c->diag));
  PN_TRY(pn_infer_walk_run(&c->walk, g, &options, &facts, NULL, c->diag));
  PN_TRY(compare(c, g, &facts));
  for (uint32_t i = 0; i < c->walk.visits.count; i++)
    PN_TRY(compare(c, c->walk.visits.data[i].graph, &c->walk.visits.data[i].facts));
  return PELTON_OK;
}

pelton_status pn_graph_check_claims(const pn_graph *g, pelton_diag *diag) {
  checker c = {.claimed = g->symbols, .diag = diag};
  pn_arena_init(&c.arena, g->arena->allocator);
  pn_symbols_init(&c.symbols, &c.arena);
  c.walk = (pn_infer_walk){.arena = &c.arena, .symbols = &c.symbols, .keep_visits = true};
  const pelton_status status = check(&c, g);
  pn_arena_deinit(&c.arena);
  return status;
}
