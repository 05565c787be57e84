#include "runtime/host_nodes.h"

#include "ir/walk.h"

/* ---- reasons ----------------------------------------------------------------------------------------------------- */

static bool any_of(const pn_graph *g, const pn_value_list *list, pelton_dtype dtype) {
  for (uint32_t i = 0; i < list->count; i++)
    if (pn_value_valid(list->data[i]) && g->values.data[list->data[i].v].type.dtype == dtype) return true;
  return false;
}

static bool touches(const pn_graph *g, const pn_node *node, pelton_dtype dtype) {
  return any_of(g, &node->inputs, dtype) || any_of(g, &node->outputs, dtype);
}

const char *pn_host_reason(const pelton_engine *engine, const pn_graph *g, const pn_node *node, bool *fallback) {
  *fallback = false;
  if (!pn_op_is_host(node->op)) return NULL;
  if (pn_op_get(node->op)->flags & PN_OP_CONTROL)
    return "control flow: the host decides what runs, and its bodies are planned when they do";
  if (touches(g, node, PELTON_DTYPE_TENSOR)) return "sequences and optionals are kept by the host";
  if (touches(g, node, PELTON_DTYPE_STRING)) return "texts are kept by the host";
  if (node->op == PN_OP_IMAGE_DECODE) return "image files are decoded by the host";
  *fallback = !engine->target->host_memory;
  return "the size of its results follows from data";
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

/* |inside| is the node whose body |g| is; null: none. */
typedef struct walk {
  const pelton_engine *engine;
  pn_json *json;
  pn_host_counts counts;
} walk;

static void begin_node(pn_json *json, const pn_node *node) {
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "node", node->name);
  pn_json_string(json, "op", pn_str_from(pn_op_get(node->op)->name));
}

static void list_host(walk *w, const pn_graph *g, const pn_node *inside) {
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    bool fallback;
    const char *reason = pn_host_reason(w->engine, g, node, &fallback);
    if (node->removed || !reason) continue;
    w->counts.nodes++;
    w->counts.fallbacks += fallback;
    begin_node(w->json, node);
    if (inside) pn_json_string(w->json, "inside", inside->name);
    pn_json_array_begin(w->json, "sources");
    for (uint32_t k = 0; k < node->provenance.count; k++) pn_json_string(w->json, NULL, node->provenance.data[k]);
    pn_json_array_end(w->json);
    pn_json_string(w->json, "reason", pn_str_from(reason));
    pn_json_bool(w->json, "fallback", fallback);
    pn_json_object_end(w->json);
    for (uint32_t k = 0; pn_node_graph(node, k); k++) list_host(w, pn_node_graph(node, k), node);
  }
}

void pn_host_nodes_json(const pelton_engine *engine, pn_json *json, pn_host_counts *counts) {
  walk w = {engine, json, {0, 0}};
  pn_json_array_begin(json, "host");
  list_host(&w, engine->image->graph, NULL);
  pn_json_array_end(json);
  pn_json_i64(json, "host_nodes", w.counts.nodes);
  *counts = w.counts;
}

/* A body's nodes wait for |inside|; the others, from |planned| on, for the last node before them that ends a segment. */
static void list_later(const walk *w, const pn_graph *g, uint32_t planned, const pn_node *inside) {
  const pn_node *cut = inside;
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    if (node->removed) continue;
    if (pn_op_is_host(node->op)) {
      for (uint32_t k = 0; pn_node_graph(node, k); k++) list_later(w, pn_node_graph(node, k), 0, node);
      cut = node;
    } else if (n >= planned) {
      begin_node(w->json, node);
      if (cut)
        pn_json_string(w->json, "waits_for", cut->name);
      else /* a shape that follows from what is computed in front of it */
        pn_json_string(w->json, "waits_for", PN_STR("the contents of its operands"));
      pn_json_object_end(w->json);
      if (!cut) cut = node;
    }
  }
}

void pn_later_nodes_json(const pelton_engine *engine, uint32_t planned, pn_json *json) {
  walk w = {engine, json, {0, 0}};
  pn_json_array_begin(json, "planned_later");
  list_later(&w, engine->image->graph, planned, NULL);
  pn_json_array_end(json);
}
