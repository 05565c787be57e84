/* A deep copy of a graph: ids, symbols and order stay the same, so that side tables of the original fit the copy. */
#include "ir/graph.h"
#include "ir/walk.h"
#include "op/schema.h"
#include "op/text/strings.h"

static bool copy_str(pn_arena *arena, pn_str from, pn_str *to) {
  const char *text = pn_str_copy(arena, from);
  *to = (pn_str){text, from.size};
  return text != NULL;
}

/* Symbols refer to each other by index, so that copying the list in order keeps every dim's meaning. */
static bool copy_symbols(const pn_symbols *from, pn_symbols *to, pn_arena *arena) {
  pn_symbols_init(to, arena);
  if (from->list.count > 0 && !pn_list_reserve(arena, &to->list, from->list.count)) return false;
  for (uint32_t i = 0; i < from->list.count; i++) {
    pn_symbol symbol = from->list.data[i];
    if (!copy_str(arena, symbol.name, &symbol.name)) return false;
    to->list.data[to->list.count++] = symbol;
  }
  for (uint32_t i = 0; i < from->by_name.capacity; i++) {
    const pn_map_slot *slot = &from->by_name.slots[i];
    pn_str key;
    if (!slot->used) continue;
    if (!copy_str(arena, slot->key, &key) || !pn_map_set(&to->by_name, key, slot->value)) return false;
  }
  to->fresh_count = from->fresh_count;
  return true;
}

static bool copy_ids(pn_arena *arena, const pn_value_list *from, pn_value_list *to) {
  *to = (pn_value_list){0};
  if (from->count == 0) return true;
  if (!pn_list_reserve(arena, to, from->count)) return false;
  memcpy(to->data, from->data, from->count * sizeof *from->data);
  to->count = from->count;
  return true;
}

static bool copy_value(const pn_graph *g, const pn_value *from, pn_arena *arena, pn_value *to) {
  *to = *from;
  if (from->data && from->type.dtype == PELTON_DTYPE_STRING) { /* its bytes may lie where its elements do not */
    to->data = pn_strings_copy(arena, from->data, from->data_bytes / sizeof(pelton_string));
    return to->data && copy_str(arena, from->name, &to->name);
  }
  if (from->data && from->data_bytes > 0 && pn_arena_owns(g->arena, from->data)) {
    to->data = pn_arena_copy(arena, from->data, from->data_bytes, 64);
    if (!to->data) return false;
  }
  return copy_str(arena, from->name, &to->name);
}

static pn_graph *clone_graph(const pn_graph *g, pn_arena *arena, pn_symbols *symbols, uint32_t depth);

static bool copy_node(const pn_node *from, pn_arena *arena, pn_symbols *symbols, uint32_t depth, pn_node *to) {
  *to = *from;
  void *attrs = pn_attrs_copy(from->op, from->attrs, arena);
  if (!attrs) return false;
  to->attrs = attrs;
  for (uint32_t k = 0;; k++) {
    pn_graph **place = pn_attrs_graph(from->op, attrs, k);
    if (!place) break;
    if (*place && !(*place = clone_graph(*place, arena, symbols, depth + 1))) return false;
  }
  to->provenance = (pn_str_list){0};
  for (uint32_t k = 0; k < from->provenance.count; k++) {
    pn_str source;
    if (!copy_str(arena, from->provenance.data[k], &source)) return false;
    if (!pn_list_push(arena, &to->provenance, source)) return false;
  }
  return copy_str(arena, from->name, &to->name) && copy_ids(arena, &from->inputs, &to->inputs) &&
         copy_ids(arena, &from->outputs, &to->outputs);
}

static pn_graph *clone_graph(const pn_graph *g, pn_arena *arena, pn_symbols *symbols, uint32_t depth) {
  if (depth > PN_MAX_GRAPH_DEPTH) return NULL;
  pn_graph *copy = pn_graph_create(arena, symbols, g->name);
  if (!copy) return NULL;
  copy->unique_count = g->unique_count;
  if (!pn_list_reserve(arena, &copy->values, g->values.count)) return NULL;
  if (!pn_list_reserve(arena, &copy->nodes, g->nodes.count)) return NULL;
  for (uint32_t i = 0; i < g->values.count; i++) {
    pn_value *value = &copy->values.data[i];
    if (!copy_value(g, &g->values.data[i], arena, value)) return NULL;
    if (!pn_map_set(&copy->value_names, value->name, i)) return NULL;
    copy->values.count++;
  }
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    if (!copy_node(&g->nodes.data[i], arena, symbols, depth, &copy->nodes.data[i])) return NULL;
    copy->nodes.count++;
  }
  if (!copy_ids(arena, &g->inputs, &copy->inputs) || !copy_ids(arena, &g->outputs, &copy->outputs)) return NULL;
  return copy;
}

pn_graph *pn_graph_clone(const pn_graph *g, pn_arena *arena) {
  pn_symbols *symbols = PN_NEW(arena, pn_symbols);
  if (!symbols || !copy_symbols(g->symbols, symbols, arena)) return NULL;
  return clone_graph(g, arena, symbols, 0);
}
