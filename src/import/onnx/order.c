/* An order of evaluation of a graph's nodes. Nodes also depend on what their subgraphs take from outside, so that the
   names free in a subgraph count as operands. */
#include "import/onnx/scope.h"
#include "ir/walk.h"

typedef struct names {
  const struct names *outer; /* of a subgraph: the names of the subgraph around it */
  pn_map map;
} names;

typedef struct orderer {
  pn_onnx_importer *importer;
  const pn_onnx_nodes *nodes;
  pn_map producers;       /* of results: the node's index */
  PN_LIST(uint32_t) uses; /* nodes that nodes depend on; those of node i from first[i] to first[i + 1] */
  uint32_t *first;
  uint32_t *order, count;
} orderer;

enum { UNSEEN, OPEN, DONE };

static pelton_status add_use(orderer *o, pn_str name, const names *local) {
  uint32_t at;
  for (; local; local = local->outer)
    if (pn_map_get(&local->map, name, &at)) return PELTON_OK;
  if (!pn_map_get(&o->producers, name, &at)) return PELTON_OK;
  return pn_list_push(&o->importer->scratch, &o->uses, at) ? PELTON_OK
                                                           : pn_fail_memory(o->importer->diag, "an order of nodes");
}

static bool add_name(names *local, pn_str name) { return name.size == 0 || pn_map_set(&local->map, name, 0); }

static bool add_names(names *local, const pn_onnx_graph *g) {
  bool ok = true;
  for (uint32_t i = 0; i < g->inputs.count; i++) ok = ok && add_name(local, g->inputs.data[i].name);
  for (uint32_t i = 0; i < g->initializers.count; i++) ok = ok && add_name(local, g->initializers.data[i].name);
  for (uint32_t i = 0; i < g->sparse_initializers.count; i++)
    if (g->sparse_initializers.data[i].values) ok = ok && add_name(local, g->sparse_initializers.data[i].values->name);
  for (uint32_t i = 0; i < g->nodes.count; i++)
    for (uint32_t k = 0; k < g->nodes.data[i].outputs.count; k++)
      ok = ok && add_name(local, g->nodes.data[i].outputs.data[k]);
  return ok;
}

static pelton_status node_uses(orderer *o, const pn_onnx_node *node, const names *local, uint32_t depth);

static pelton_status graph_uses(orderer *o, const pn_onnx_graph *g, const names *outer, uint32_t depth) {
  names local = {.outer = outer};
  if (depth > PN_MAX_GRAPH_DEPTH)
    return pn_fail(o->importer->diag, PELTON_UNSUPPORTED, "subgraphs are nested deeper than %d levels",
                   PN_MAX_GRAPH_DEPTH);
  pn_map_init(&local.map, &o->importer->scratch);
  if (!add_names(&local, g)) return pn_fail_memory(o->importer->diag, "an order of nodes");
  for (uint32_t i = 0; i < g->nodes.count; i++) PN_TRY(node_uses(o, &g->nodes.data[i], &local, depth));
  for (uint32_t i = 0; i < g->outputs.count; i++) PN_TRY(add_use(o, g->outputs.data[i].name, &local));
  return PELTON_OK;
}

static pelton_status node_uses(orderer *o, const pn_onnx_node *node, const names *local, uint32_t depth) {
  for (uint32_t i = 0; i < node->inputs.count; i++) PN_TRY(add_use(o, node->inputs.data[i], local));
  for (uint32_t i = 0; i < node->attributes.count; i++) {
    const pn_onnx_attribute *a = &node->attributes.data[i];
    if (a->g) PN_TRY(graph_uses(o, a->g, local, depth + 1));
    for (uint32_t k = 0; k < a->graphs.count; k++) PN_TRY(graph_uses(o, &a->graphs.data[k], local, depth + 1));
  }
  return PELTON_OK;
}

static pelton_status visit(orderer *o, uint32_t root, uint8_t *state, uint32_t *stack, uint32_t *next) {
  uint32_t depth = 0;
  stack[0] = root;
  state[root] = OPEN;
  for (;;) {
    const uint32_t node = stack[depth];
    if (o->first[node] + next[node] == o->first[node + 1]) {
      state[node] = DONE;
      o->order[o->count++] = node;
      if (depth-- == 0) return PELTON_OK;
      continue;
    }
    const uint32_t use = o->uses.data[o->first[node] + next[node]++];
    if (use == node)
      return pn_onnx_node_fail(&o->nodes->data[node], o->importer->diag, PELTON_INVALID_DATA,
                               "it needs its own result");
    if (state[use] == OPEN)
      return pn_onnx_node_fail(&o->nodes->data[node], o->importer->diag, PELTON_INVALID_DATA,
                               "it needs a result of node \"%.*s\" (%.*s), which needs its own: a cycle",
                               PN_STR_ARG(o->nodes->data[use].name), PN_STR_ARG(o->nodes->data[use].op_type));
    if (state[use] == DONE) continue;
    state[use] = OPEN;
    stack[++depth] = use;
  }
}

static pelton_status find_producers(orderer *o) {
  pn_map_init(&o->producers, &o->importer->scratch);
  for (uint32_t i = 0; i < o->nodes->count; i++)
    for (uint32_t k = 0; k < o->nodes->data[i].outputs.count; k++) {
      const pn_str name = o->nodes->data[i].outputs.data[k];
      uint32_t other;
      if (name.size == 0) continue;
      if (pn_map_get(&o->producers, name, &other))
        return pn_onnx_node_fail(&o->nodes->data[i], o->importer->diag, PELTON_INVALID_DATA,
                                 "its result \"%.*s\" is also a result of node \"%.*s\" (%.*s)", PN_STR_ARG(name),
                                 PN_STR_ARG(o->nodes->data[other].name), PN_STR_ARG(o->nodes->data[other].op_type));
      if (!pn_map_set(&o->producers, name, i)) return pn_fail_memory(o->importer->diag, "an order of nodes");
    }
  return PELTON_OK;
}

pelton_status pn_onnx_order(pn_onnx_importer *importer, const pn_onnx_nodes *nodes, const uint32_t **out) {
  pn_arena *arena = &importer->scratch;
  const size_t size = (size_t)nodes->count + 1;
  orderer o = {.importer = importer, .nodes = nodes};
  o.first = PN_NEW_ARRAY(arena, uint32_t, size);
  o.order = PN_NEW_ARRAY(arena, uint32_t, size);
  uint8_t *state = PN_NEW_ARRAY(arena, uint8_t, size);
  uint32_t *stack = PN_NEW_ARRAY(arena, uint32_t, size), *next = PN_NEW_ARRAY(arena, uint32_t, size);
  if (!o.first || !o.order || !state || !stack || !next) return pn_fail_memory(importer->diag, "an order of nodes");
  PN_TRY(find_producers(&o));
  for (uint32_t i = 0; i < nodes->count; i++) {
    PN_TRY(node_uses(&o, &nodes->data[i], NULL, 0));
    o.first[i + 1] = o.uses.count;
  }
  for (uint32_t i = 0; i < nodes->count; i++)
    if (state[i] == UNSEEN) PN_TRY(visit(&o, i, state, stack, next));
  *out = o.order;
  return PELTON_OK;
}
