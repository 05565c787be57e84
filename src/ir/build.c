/* Building a graph: values, constants and nodes are appended, names are made unique on the way. Nothing is typed here
   but what the caller types; infer.c does the rest. */
#include "ir/graph.h"

#include "op/schema.h"
#include "op/text/strings.h"

pn_graph *pn_graph_create(pn_arena *arena, pn_symbols *symbols, pn_str name) {
  pn_graph *g = PN_NEW(arena, pn_graph);
  if (!g) return NULL;
  const char *text = pn_str_copy(arena, name);
  if (!text) return NULL;
  if (!symbols) {
    symbols = PN_NEW(arena, pn_symbols);
    if (!symbols) return NULL;
    pn_symbols_init(symbols, arena);
  }
  g->arena = arena;
  g->symbols = symbols;
  g->name = (pn_str){text, name.size};
  pn_map_init(&g->value_names, arena);
  return g;
}

/* |wanted|, or the first of wanted_1, wanted_2, ... that is free, copied. The counter is the graph's and only grows, so
   that a thousand equal names do not take a million look-ups. */
static bool unique_name(pn_graph *g, pn_str wanted, pn_str *out) {
  uint32_t taken;
  if (wanted.size > 0 && !pn_map_get(&g->value_names, wanted, &taken)) {
    const char *copy = pn_str_copy(g->arena, wanted);
    *out = (pn_str){copy, wanted.size};
    return copy != NULL;
  }
  for (;;) {
    char digits[16];
    uint32_t length = 0, n = ++g->unique_count;
    for (; n > 0; n /= 10) digits[length++] = (char)('0' + n % 10);
    const size_t prefix = wanted.size > 0 ? wanted.size + 1 : 1;
    char *text = pn_arena_alloc(g->arena, prefix + length + 1, 1);
    if (!text) return false;
    if (wanted.size > 0) memcpy(text, wanted.data, wanted.size);
    text[prefix - 1] = wanted.size > 0 ? '_' : 'v';
    for (uint32_t i = 0; i < length; i++) text[prefix + i] = digits[length - 1 - i];
    *out = (pn_str){text, prefix + length};
    if (!pn_map_get(&g->value_names, *out, &taken)) return true;
  }
}

pn_value_id pn_graph_add_value(pn_graph *g, pn_str name, const pn_type *type) {
  pn_value value = {.type = {.rank = PN_RANK_UNKNOWN}, .producer = PN_NO_NODE};
  if (type) value.type = *type;
  if (g->values.count >= UINT32_MAX - 1) return PN_NO_VALUE;
  if (!unique_name(g, name, &value.name)) return PN_NO_VALUE;
  if (!pn_list_reserve(g->arena, &g->values, 1)) return PN_NO_VALUE;
  if (!pn_map_set(&g->value_names, value.name, g->values.count)) return PN_NO_VALUE;
  g->values.data[g->values.count] = value;
  return (pn_value_id){g->values.count++};
}

pn_value_id pn_graph_add_input(pn_graph *g, pn_str name, const pn_type *type) {
  if (!pn_list_reserve(g->arena, &g->inputs, 1)) return PN_NO_VALUE;
  const pn_value_id id = pn_graph_add_value(g, name, type);
  if (pn_value_valid(id)) g->inputs.data[g->inputs.count++] = id;
  return id;
}

pn_value_id pn_graph_add_constant(pn_graph *g, pn_str name, const pn_type *type, const void *data, size_t bytes) {
  static const uint64_t nothing = 0; /* a constant of no elements still needs an address: null means "no constant" */
  const pn_value_id id = pn_graph_add_value(g, name, type);
  if (!pn_value_valid(id)) return id;
  pn_value *value = pn_graph_value(g, id);
  value->data = bytes > 0 ? data : &nothing;
  value->data_bytes = bytes;
  return id;
}

pn_value_id pn_graph_add_constant_copy(pn_graph *g, pn_str name, const pn_type *type, const void *data) {
  const size_t element_bytes = pelton_dtype_bytes(type->dtype);
  int64_t dims[PN_MAX_RANK], count;
  if (!pn_type_is_static(type)) return PN_NO_VALUE;
  for (int32_t i = 0; i < type->rank; i++) dims[i] = type->dims[i].number;
  if (!pn_dims_elements((uint32_t)type->rank, dims, element_bytes, &count)) return PN_NO_VALUE;
  const size_t bytes = (size_t)count * element_bytes;
  const void *copy = bytes == 0                             ? NULL
                     : type->dtype == PELTON_DTYPE_STRING ? pn_strings_copy(g->arena, data, (size_t)count)
                                                          : pn_arena_copy(g->arena, data, bytes, 64);
  if (bytes > 0 && !copy) return PN_NO_VALUE;
  return pn_graph_add_constant(g, name, type, copy, bytes);
}

pn_value_id pn_graph_add_i64s(pn_graph *g, pn_str name, const int64_t *data, uint32_t count) {
  const int64_t dims[1] = {count};
  const pn_type type = pn_type_make(PELTON_DTYPE_I64, 1, dims);
  return pn_graph_add_constant_copy(g, name, &type, data);
}

pn_value_id pn_graph_add_scalar(pn_graph *g, pn_str name, pelton_dtype dtype, double value) {
  uint64_t storage[2] = {0}; /* as large as any element */
  pn_tensor tensor = {.dtype = dtype, .data = storage};
  pn_tensor_set_f64(&tensor, 0, value);
  const pn_type type = pn_type_make(dtype, 0, NULL);
  return pn_graph_add_constant_copy(g, name, &type, storage);
}

bool pn_graph_add_output(pn_graph *g, pn_value_id value) { return pn_list_push(g->arena, &g->outputs, value); }

static bool copy_ids(pn_arena *arena, pn_value_list *list, const pn_value_id *ids, uint32_t count) {
  if (count == 0) return true;
  if (!pn_list_reserve(arena, list, count)) return false;
  memcpy(list->data, ids, count * sizeof *ids);
  list->count = count;
  return true;
}

pn_node_id pn_graph_add_node_to(pn_graph *g, pn_op op, const void *attrs, pn_str name, const pn_value_id *inputs,
                                uint32_t input_count, const pn_value_id *outputs, uint32_t output_count) {
  pn_node node = {.op = op, .attrs = attrs ? attrs : pn_attrs_new(op, g->arena)};
  if (!node.attrs || g->nodes.count >= UINT32_MAX - 1) return PN_NO_NODE;
  const char *text = pn_str_copy(g->arena, name);
  if (!text) return PN_NO_NODE;
  node.name = (pn_str){text, name.size};
  while (input_count > 0 && !pn_value_valid(inputs[input_count - 1])) input_count--;
  if (!copy_ids(g->arena, &node.inputs, inputs, input_count)) return PN_NO_NODE;
  if (!copy_ids(g->arena, &node.outputs, outputs, output_count)) return PN_NO_NODE;
  if (!pn_list_push(g->arena, &g->nodes, node)) return PN_NO_NODE;
  const pn_node_id id = {g->nodes.count - 1};
  for (uint32_t i = 0; i < output_count; i++) {
    if (!pn_value_valid(outputs[i])) continue;
    pn_graph_value(g, outputs[i])->producer = id;
    pn_graph_value(g, outputs[i])->output_index = i;
  }
  return id;
}

pn_node_id pn_graph_add_node(pn_graph *g, pn_op op, const void *attrs, pn_str name, const pn_value_id *inputs,
                             uint32_t input_count, uint32_t output_count) {
  pn_value_id few[4], *outputs = few;
  if (output_count > PN_COUNT(few)) outputs = PN_NEW_ARRAY(g->arena, pn_value_id, output_count);
  if (!outputs) return PN_NO_NODE;
  const pn_str base = name.size > 0 ? name : pn_str_from(pn_op_get(op)->name);
  for (uint32_t i = 0; i < output_count; i++) {
    outputs[i] = pn_graph_add_value(g, base, NULL);
    if (!pn_value_valid(outputs[i])) return PN_NO_NODE;
  }
  return pn_graph_add_node_to(g, op, attrs, name, inputs, input_count, outputs, output_count);
}

pn_value_id pn_graph_add_pointwise(pn_graph *g, const pn_expr *expr, pn_str name, const pn_value_id *operands,
                                   uint32_t count) {
  const pn_attrs_pointwise attrs = {.expr = expr};
  const void *copy = pn_attrs_copy(PN_OP_POINTWISE, &attrs, g->arena);
  if (!copy) return PN_NO_VALUE;
  const pn_node_id node = pn_graph_add_node(g, PN_OP_POINTWISE, copy, name, operands, count, 1);
  return pn_node_valid(node) ? pn_graph_result(g, node, 0) : PN_NO_VALUE;
}

static bool add_source(pn_graph *g, pn_node *node, pn_str source) {
  if (source.size == 0) return true;
  for (uint32_t i = 0; i < node->provenance.count; i++)
    if (pn_str_equal(node->provenance.data[i], source)) return true;
  const char *copy = pn_str_copy(g->arena, source);
  if (!copy) return false;
  const pn_str entry = {copy, source.size};
  return pn_list_push(g->arena, &node->provenance, entry);
}

bool pn_graph_add_source(pn_graph *g, pn_node_id node, pn_str source) {
  return add_source(g, pn_graph_node(g, node), source);
}

bool pn_graph_add_provenance(pn_graph *g, pn_node_id node, const pn_node *from) {
  pn_node *target = pn_graph_node(g, node);
  if (from == target) return true;
  if (from->provenance.count == 0) return add_source(g, target, from->name);
  for (uint32_t i = 0; i < from->provenance.count; i++)
    if (!add_source(g, target, from->provenance.data[i])) return false;
  return true;
}

bool pn_graph_find_value(const pn_graph *g, pn_str name, pn_value_id *out) {
  uint32_t index;
  if (!pn_map_get(&g->value_names, name, &index)) return false;
  *out = (pn_value_id){index};
  return true;
}
