/* The graph of a stranger's file: whatever the bytes say, what comes out is a graph that pn_graph_verify accepts and
   whose types are those that its operators give, or an error. Ids and offsets are checked here as far as that is needed
   to make the verifier's own walk safe. */
#include "engine/format.h"

#include "ir/claims.h"
#include "ir/verify.h"
#include "op/schema.h"
#include "op/text/strings.h"

enum { MAX_GRAPHS = 65536, MAX_DEPTH = 64 };

typedef struct load {
  pn_cursor *c;
  pn_span constants;
  pn_constant_list *list;
  pn_arena *arena;
  pn_symbols *symbols;
  pn_graph **graphs;
  uint32_t *depth; /* of each graph: how deep its subgraphs nest */
  uint8_t *used;   /* a subgraph has one owner */
  uint32_t count;  /* loaded so far */
  uint32_t depth_of_current;
  pelton_diag *diag;
} load;

static pelton_status broken(const load *l, const char *what) {
  return pn_fail(l->diag, PELTON_INVALID_DATA, "the engine's graph is altered: %s; build the engine again", what);
}

static pelton_status load_dim(load *l, uint32_t symbol_limit, pn_dim *out) {
  out->symbol = pn_get_u32(l->c);
  out->number = pn_get_i64(l->c);
  if (out->symbol > symbol_limit || (out->symbol && out->number)) return broken(l, "a dim has no such symbol");
  return PELTON_OK;
}

static pelton_status load_symbols(load *l) {
  uint32_t count = pn_get_count(l->c, 1 + 4 + 24 + 16);
  l->symbols->fresh_count = pn_get_u32(l->c);
  for (uint32_t i = 0; i < count; i++) {
    pn_symbol s = {0};
    uint8_t kind = pn_get_u8(l->c);
    s.name = pn_get_str(l->c);
    PN_TRY(load_dim(l, i, &s.a)); /* made of earlier ones only: no cycles */
    PN_TRY(load_dim(l, i, &s.b));
    s.min = pn_get_i64(l->c);
    s.max = pn_get_i64(l->c);
    uint32_t other;
    PN_TRY(pn_cursor_status(l->c, l->diag));
    if (kind > PN_SYMBOL_MAX || s.min > s.max)
      return broken(l, "a symbol is of no kind or has no room between its bounds");
    if (pn_map_get(&l->symbols->by_name, s.name, &other)) return broken(l, "two symbols have one name");
    s.kind = (pn_symbol_kind)kind;
    if (!pn_list_push(l->symbols->arena, &l->symbols->list, s) || !pn_map_set(&l->symbols->by_name, s.name, i))
      return pn_fail_memory(l->diag, "the graph");
  }
  return PELTON_OK;
}

static pelton_status load_ids(load *l, uint32_t limit, bool optional, pn_value_list *out) {
  uint32_t count = pn_get_count(l->c, 4);
  if (count && !pn_list_reserve(l->arena, out, count)) return pn_fail_memory(l->diag, "the graph");
  for (uint32_t i = 0; i < count; i++) {
    pn_value_id id = {pn_get_u32(l->c)};
    if (id.v >= limit && (pn_value_valid(id) || !optional)) return broken(l, "a value's number is too large");
    out->data[out->count++] = id;
  }
  return pn_cursor_status(l->c, l->diag);
}

/* The elements of texts point into the file. */
static pelton_status load_texts(load *l, pn_span stored, pn_value *v) {
  int64_t dims[PN_MAX_RANK], count = 0;
  pelton_string *texts;
  bool memory;
  for (int32_t d = 0; d < v->type.rank; d++) dims[d] = v->type.dims[d].number;
  if (!pn_type_is_static(&v->type) ||
      !pn_dims_elements((uint32_t)v->type.rank, dims, sizeof(pelton_string), &count))
    return broken(l, "a constant has no size");
  if (!pn_strings_load(stored, (uint64_t)count, l->arena, &texts, &memory))
    return memory ? pn_fail_memory(l->diag, "the graph") : broken(l, "texts lie outside of their constant");
  v->data = texts;
  v->data_bytes = (size_t)count * sizeof(pelton_string);
  return PELTON_OK;
}

static pelton_status load_constant(load *l, pn_value *v) {
  uint64_t offset = pn_get_u64(l->c), bytes = pn_get_u64(l->c);
  PN_TRY(pn_cursor_status(l->c, l->diag));
  if (offset % PN_TENSOR_ALIGN || offset > l->constants.size || bytes > l->constants.size - offset)
    return broken(l, "a constant lies outside of its section");
  static const uint64_t nothing; /* a constant of no elements has an address */
  const pn_span stored = {bytes ? l->constants.data + offset : (const uint8_t *)&nothing, (size_t)bytes};
  v->data = stored.data;
  v->data_bytes = stored.size;
  if (v->type.dtype == PELTON_DTYPE_STRING) PN_TRY(load_texts(l, stored, v));
  return pn_list_push(l->arena, l->list, stored) ? PELTON_OK : pn_fail_memory(l->diag, "the graph");
}

static pelton_status load_value(load *l, pn_graph *g) {
  pn_value v = {0};
  v.name = pn_get_str(l->c);
  pn_str elements = pn_get_str(l->c);
  int64_t rank = pn_get_i64(l->c);
  PN_TRY(pn_cursor_status(l->c, l->diag));
  if (!pn_type_parse_elements(&elements, &v.type) || elements.size > 0 || rank < PN_RANK_UNKNOWN || rank > PN_MAX_RANK)
    return broken(l, "a value's type is none");
  v.type.rank = (int32_t)rank;
  for (int64_t d = 0; d < rank; d++) PN_TRY(load_dim(l, l->symbols->list.count, &v.type.dims[d]));
  v.producer.v = pn_get_u32(l->c);
  v.output_index = pn_get_u32(l->c);
  uint32_t other;
  if (pn_get_u8(l->c)) PN_TRY(load_constant(l, &v));
  PN_TRY(pn_cursor_status(l->c, l->diag));
  if (pn_map_get(&g->value_names, v.name, &other)) return broken(l, "two values have one name");
  if (!pn_list_push(l->arena, &g->values, v) || !pn_map_set(&g->value_names, v.name, g->values.count - 1))
    return pn_fail_memory(l->diag, "the graph");
  return PELTON_OK;
}

static struct pn_graph *graph_at(void *self, uint32_t index) {
  load *l = self;
  if (index >= l->count || l->used[index]) return NULL; /* subgraphs come before their owner, and have one */
  l->used[index] = 1;
  if (l->depth[index] + 1 > l->depth_of_current) l->depth_of_current = l->depth[index] + 1;
  return l->graphs[index];
}

static pelton_status load_node(load *l, pn_graph *g) {
  pn_node n = {0};
  pn_str op = pn_get_str(l->c);
  n.name = pn_get_str(l->c);
  PN_TRY(pn_cursor_status(l->c, l->diag));
  if (!pn_op_find(op, &n.op))
    return pn_fail(l->diag, PELTON_UNSUPPORTED,
                   "the engine uses an operator '%.*s' that this version of Pelton does not have; use the version that "
                   "built it or a newer one",
                   PN_STR_ARG(op));
  PN_TRY(load_ids(l, g->values.count, true, &n.inputs));
  PN_TRY(load_ids(l, g->values.count, true, &n.outputs));
  uint32_t sources = pn_get_count(l->c, 4);
  for (uint32_t i = 0; i < sources; i++)
    if (!pn_list_push(l->arena, &n.provenance, pn_get_str(l->c))) return pn_fail_memory(l->diag, "the graph");
  pn_attrs_io io = {.self = l, .load_graph = graph_at};
  void *attrs;
  PN_TRY(pn_cursor_status(l->c, l->diag));
  PN_TRY(pn_attrs_load(n.op, &l->c->rest, &io, l->arena, &attrs, l->diag));
  n.attrs = attrs;
  return pn_list_push(l->arena, &g->nodes, n) ? PELTON_OK : pn_fail_memory(l->diag, "the graph");
}

static pelton_status load_graph(load *l, pn_graph **out) {
  pn_graph *g = pn_graph_create(l->arena, l->symbols, pn_get_str(l->c));
  if (!g) return pn_fail_memory(l->diag, "the graph");
  l->depth_of_current = 0;
  g->unique_count = pn_get_u32(l->c);
  uint32_t values = pn_get_count(l->c, 4 + 4 + 8 + 4 + 4 + 1);
  for (uint32_t i = 0; i < values; i++) PN_TRY(load_value(l, g));
  uint32_t nodes = pn_get_count(l->c, 4 + 4 + 4 + 4 + 4);
  for (uint32_t i = 0; i < nodes; i++) PN_TRY(load_node(l, g));
  for (uint32_t i = 0; i < values; i++)
    if (pn_node_valid(g->values.data[i].producer) && g->values.data[i].producer.v >= nodes)
      return broken(l, "a node's number is too large");
  PN_TRY(load_ids(l, values, false, &g->inputs));
  PN_TRY(load_ids(l, values, false, &g->outputs));
  if (l->depth_of_current > MAX_DEPTH) return broken(l, "subgraphs nest too deep");
  *out = g;
  return PELTON_OK;
}

pelton_status pn_graph_load(pn_cursor *c, pn_span constants, pn_arena *arena, pn_constant_list *list, pn_graph **out,
                            pelton_diag *diag) {
  load l = {.c = c, .constants = constants, .list = list, .arena = arena, .diag = diag};
  l.symbols = PN_NEW(arena, pn_symbols);
  if (!l.symbols) return pn_fail_memory(diag, "the graph");
  pn_symbols_init(l.symbols, arena);
  PN_TRY(load_symbols(&l));
  uint32_t count = pn_get_count(c, 16);
  PN_TRY(pn_cursor_status(c, diag));
  if (!count || count > MAX_GRAPHS) return broken(&l, "it holds no graph, or too many");
  l.graphs = PN_NEW_ARRAY(arena, pn_graph *, count);
  l.depth = PN_NEW_ARRAY(arena, uint32_t, count);
  l.used = PN_NEW_ARRAY(arena, uint8_t, count);
  if (!l.graphs || !l.depth || !l.used) return pn_fail_memory(diag, "the graph");
  for (; l.count < count; l.count++) {
    PN_TRY(load_graph(&l, &l.graphs[l.count]));
    l.depth[l.count] = l.depth_of_current;
  }
  *out = l.graphs[count - 1];
  PN_TRY(pn_graph_verify(*out, diag));
  return pn_graph_check_claims(*out, diag);
}
