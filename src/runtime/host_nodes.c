#include "runtime/host_nodes.h"

#include "base/format.h"
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

/* The target's answer for |node| with 1 for every extent that is not known, and for the rank what takes most. */
static bool counts_with_ones(const pelton_engine *engine, const pn_graph *g, uint32_t n, pn_reason *why) {
  const pn_node *node = &g->nodes.data[n];
  pn_counted counted = {.takes = false};
  pn_arena arena;
  pn_facts facts;
  pn_arena_init(&arena, engine->allocator);
  pelton_status status = pn_facts_create(g, &arena, &facts, NULL);
  for (uint32_t i = 0; i < node->inputs.count && !status; i++) {
    if (!pn_value_valid(node->inputs.data[i])) continue;
    const pn_value *value = pn_graph_value(g, node->inputs.data[i]);
    const int32_t most = node->op == PN_OP_NON_MAX_SUPPRESSION ? 3 : PN_MAX_RANK;
    const int32_t rank = value->type.rank == PN_RANK_UNKNOWN ? most : value->type.rank;
    int64_t dims[PN_MAX_RANK];
    for (int32_t d = 0; d < rank; d++) {
      const bool known = value->type.rank != PN_RANK_UNKNOWN && pn_dim_is_number(value->type.dims[d]);
      dims[d] = known ? value->type.dims[d].number : 1;
    }
    facts.data[node->inputs.data[i].v] =
        (pn_fact){.present = true, .type = pn_type_make(value->type.dtype, (uint32_t)rank, dims), .data = value->data};
  }
  if (!status) status = pn_plan_count(g, n, engine->target, engine->device, &facts, &arena, &counted, NULL);
  pn_arena_deinit(&arena);
  *why = counted.why;
  return !status && counted.takes;
}

bool pn_host_runs(const pelton_engine *engine, const pn_graph *g, uint32_t n, pn_host_reason *out) {
  const pn_node *node = &g->nodes.data[n];
  *out = (pn_host_reason){.what = NULL};
  if (!pn_op_is_host(node->op)) return false;
  if (pn_op_get(node->op)->flags & PN_OP_CONTROL) {
    out->what = "control flow: the host decides what runs, and its bodies are planned when they do";
  } else if (touches(g, node, PELTON_DTYPE_TENSOR)) {
    out->what = "sequences and optionals are kept by the host";
  } else if (touches(g, node, PELTON_DTYPE_STRING)) {
    out->what = "texts are kept by the host";
  } else if (node->op == PN_OP_IMAGE_DECODE) {
    out->what = "image files are decoded by the host";
  } else {
    if (counts_with_ones(engine, g, n, &out->why)) return false;
    out->what = "the size of its results follows from data";
    out->fallback = !engine->target->host_memory;
  }
  return true;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

typedef struct walk {
  const pelton_engine *engine;
  uint32_t planned;
  const pn_counted *counted; /* of the root graph's node |planned|; null: nobody asked */
  pn_json *json;
  pn_host_counts counts;
} walk;

/* |inside| is the node whose body |g| is; null: none. */
static bool host_runs(const walk *w, const pn_graph *g, uint32_t n, const pn_node *inside, pn_host_reason *reason) {
  const bool asked = w->counted && !inside && n == w->planned, has = w->counted && !inside && n < w->planned;
  bool runs = !has && pn_host_runs(w->engine, g, n, reason);
  if (runs || !asked || !pn_op_is_host(g->nodes.data[n].op)) return runs;
  *reason = (pn_host_reason){"the size of its results follows from data", w->counted->why, true};
  return true; /* with its real operands the target does not take it */
}

static void begin_node(pn_json *json, const pn_node *node) {
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "node", node->name);
  pn_json_string(json, "op", pn_str_from(pn_op_get(node->op)->name));
}

static void list_host(walk *w, const pn_graph *g, const pn_node *inside) {
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    pn_host_reason reason;
    char text[300];
    if (node->removed || !host_runs(w, g, n, inside, &reason)) continue;
    w->counts.nodes++;
    w->counts.fallbacks += reason.fallback;
    begin_node(w->json, node);
    if (inside) pn_json_string(w->json, "inside", inside->name);
    pn_json_array_begin(w->json, "sources");
    for (uint32_t k = 0; k < node->provenance.count; k++) pn_json_string(w->json, NULL, node->provenance.data[k]);
    pn_json_array_end(w->json);
    (void)pn_formatf(text, sizeof text, "%s%s%s", reason.what, *reason.why.text ? ": " : "", reason.why.text);
    pn_json_string(w->json, "reason", pn_str_from(text));
    pn_json_bool(w->json, "fallback", reason.fallback);
    pn_json_object_end(w->json);
    for (uint32_t k = 0; pn_node_graph(node, k); k++) list_host(w, pn_node_graph(node, k), node);
  }
}

void pn_host_nodes_json(const pelton_engine *engine, uint32_t planned, const pn_counted *counted, pn_json *json,
                        pn_host_counts *counts) {
  walk w = {engine, planned, counted, json, {0, 0}};
  pn_json_array_begin(json, "host");
  list_host(&w, engine->image->graph, NULL);
  pn_json_array_end(json);
  pn_json_i64(json, "host_nodes", w.counts.nodes);
  *counts = w.counts;
}

/* A body's nodes wait for |inside|; the others, from |planned| on, for the last node before them that ends a segment.
 */
static void list_later(const walk *w, const pn_graph *g, const pn_node *inside) {
  const pn_node *cut = inside;
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    pn_host_reason reason;
    const bool host = host_runs(w, g, n, inside, &reason);
    if (node->removed) continue;
    for (uint32_t k = 0; pn_node_graph(node, k); k++) list_later(w, pn_node_graph(node, k), node);
    if (!host && (inside || n >= w->planned)) {
      begin_node(w->json, node);
      if (cut)
        pn_json_string(w->json, "waits_for", cut->name);
      else /* a shape that follows from what is computed in front of it */
        pn_json_string(w->json, "waits_for", PN_STR("the contents of its operands"));
      pn_json_object_end(w->json);
    }
    if (host || pn_op_is_host(node->op) || (!cut && n >= w->planned)) cut = node;
  }
}

void pn_later_nodes_json(const pelton_engine *engine, uint32_t planned, const pn_counted *counted, pn_json *json) {
  walk w = {engine, planned, counted, json, {0, 0}};
  pn_json_array_begin(json, "planned_later");
  list_later(&w, engine->image->graph, NULL);
  pn_json_array_end(json);
}
