/* A graph to text. text.h says what it looks like; parse.c reads it back.

   A constant stands right in front of its first user. Bounds of symbols are written at the first bare use among the
   graph's inputs, and otherwise behind "where" in the head, since a symbol may occur only inside an expression ("n*4").
   Graphs that verify would refuse print as well as they can: this is what one debugs them with. */
#include "ir/text.h"

#include "ir/elements.h"
#include "ir/walk.h"
#include "op/schema.h"

typedef struct printer {
  pn_text *out;
  pn_arena arena;
  const pn_symbols *symbols;
  size_t max_constant_bytes;
  bool *occurs;   /* by symbol: somewhere in the graph, perhaps inside another */
  bool *declared; /* by symbol: its bounds are written, or need not be */
  uint32_t depth;
} printer;

/* ---- names ----------------------------------------------------------------------------------------------------- */

static bool is_plain(pn_str name) {
  if (name.size == 0) return false;
  for (size_t i = 0; i < name.size; i++) {
    const char c = name.data[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
          c == '/'))
      return false;
  }
  return true;
}

static void print_name(pn_text *out, pn_str name) {
  if (is_plain(name)) pn_text_add(out, name);
  else pn_text_quoted(out, name);
}

static void print_value_name(printer *p, const pn_graph *g, pn_value_id id) {
  if (!pn_value_valid(id)) {
    pn_text_add(p->out, PN_STR("_"));
    return;
  }
  if (id.v >= g->values.count) {
    pn_text_printf(p->out, "<no value %u>", id.v);
    return;
  }
  pn_text_add(p->out, PN_STR("%"));
  print_name(p->out, g->values.data[id.v].name);
}

static void indent(printer *p, uint32_t extra) {
  for (uint32_t i = 0; i < 2 * p->depth + extra; i++) pn_text_add(p->out, PN_STR("  "));
}

/* ---- types ----------------------------------------------------------------------------------------------------- */

static void print_symbol(printer *p, pn_dim dim, bool with_bounds) {
  const pn_symbol *symbol = &p->symbols->list.data[dim.symbol - 1];
  if (with_bounds && symbol->min > 0) pn_text_printf(p->out, "%lld<=", (long long)symbol->min);
  pn_dim_print(p->symbols, dim, p->out);
  if (with_bounds && symbol->max != INT64_MAX) pn_text_printf(p->out, "<=%lld", (long long)symbol->max);
}

static bool is_symbol(const printer *p, pn_dim dim) { return dim.symbol > 0 && dim.symbol <= p->symbols->list.count; }

static bool is_leaf(const pn_symbol *symbol) {
  return symbol->kind == PN_SYMBOL_NAMED || symbol->kind == PN_SYMBOL_FRESH;
}

static void print_type(printer *p, const pn_type *type) {
  pn_type_print_elements(type, p->out);
  if (type->rank == PN_RANK_UNKNOWN) {
    pn_text_add(p->out, PN_STR("[*]"));
    return;
  }
  pn_text_add(p->out, PN_STR("["));
  for (int32_t i = 0; i < type->rank && i < PN_MAX_RANK; i++) {
    if (i > 0) pn_text_add(p->out, PN_STR(","));
    if (!is_symbol(p, type->dims[i])) {
      pn_text_printf(p->out, "%lld", (long long)type->dims[i].number);
      continue;
    }
    bool *declared = &p->declared[type->dims[i].symbol - 1];
    print_symbol(p, type->dims[i], !*declared);
    *declared = true;
  }
  pn_text_add(p->out, PN_STR("]"));
}

static void note_type(printer *p, const pn_type *type) {
  for (int32_t k = 0; k < type->rank && k < PN_MAX_RANK; k++)
    if (is_symbol(p, type->dims[k])) p->occurs[type->dims[k].symbol - 1] = true;
}

/* Derived symbols come after what they are made of, so that one walk from the end reaches everything. */
static void note_parts(printer *p) {
  for (uint32_t i = p->symbols->list.count; i-- > 0;) {
    const pn_symbol *symbol = &p->symbols->list.data[i];
    if (!p->occurs[i] || is_leaf(symbol)) continue;
    if (is_symbol(p, symbol->a)) p->occurs[symbol->a.symbol - 1] = true;
    if (is_symbol(p, symbol->b)) p->occurs[symbol->b.symbol - 1] = true;
  }
}

static void note_graph(printer *p, const pn_graph *g, uint32_t depth) {
  for (uint32_t i = 0; i < g->values.count; i++) note_type(p, &g->values.data[i].type);
  if (depth == PN_MAX_GRAPH_DEPTH) return;
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    if (g->nodes.data[i].op >= PN_OP_COUNT || !g->nodes.data[i].attrs) continue;
    for (uint32_t k = 0;; k++) {
      const pn_graph *sub = pn_node_graph(&g->nodes.data[i], k);
      if (!sub) break;
      note_graph(p, sub, depth + 1);
    }
  }
}

/* Finds the symbols whose bounds must be written: what inference makes has the bounds that it finds, so that of fresh
   symbols only those of the inputs count. */
static void note_symbols(printer *p, const pn_graph *g) {
  for (uint32_t i = 0; i < g->inputs.count; i++)
    if (g->inputs.data[i].v < g->values.count) note_type(p, &pn_graph_value(g, g->inputs.data[i])->type);
  note_parts(p);
  for (uint32_t i = 0; i < p->symbols->list.count; i++) {
    const pn_symbol *symbol = &p->symbols->list.data[i];
    const bool bounded = symbol->min > 0 || symbol->max != INT64_MAX;
    p->declared[i] = !bounded || !is_leaf(symbol) || (symbol->kind == PN_SYMBOL_FRESH && !p->occurs[i]);
  }
  note_graph(p, g, 0);
  note_parts(p);
}

static void print_where(printer *p) {
  const char *separator = " where ";
  for (uint32_t i = 0; i < p->symbols->list.count; i++) {
    if (!p->occurs[i] || p->declared[i]) continue;
    pn_text_add(p->out, pn_str_from(separator));
    print_symbol(p, (pn_dim){0, i + 1}, true);
    p->declared[i] = true;
    separator = ", ";
  }
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

static void print_constant(printer *p, const pn_graph *g, pn_value_id id) {
  const pn_value *value = pn_graph_value(g, id);
  indent(p, 1);
  print_value_name(p, g, id);
  pn_text_add(p->out, PN_STR(": "));
  print_type(p, &value->type);
  pn_text_add(p->out, PN_STR(" = const "));
  if (p->max_constant_bytes > 0 && value->data_bytes > p->max_constant_bytes && pn_dtype_points(value->type.dtype))
    pn_text_printf(p->out, "...(%zu elements)", value->data_bytes / pelton_dtype_bytes(value->type.dtype));
  else if (p->max_constant_bytes > 0 && value->data_bytes > p->max_constant_bytes)
    pn_text_printf(p->out, "...(%zu bytes, hash 0x%016llx)", value->data_bytes,
                   (unsigned long long)pn_hash_bytes(value->data, value->data_bytes, 0));
  else
    pn_elements_print(value->type.dtype, value->data, value->data_bytes, p->out);
  pn_text_add(p->out, PN_STR("\n"));
}

static void print_graph(printer *p, const pn_graph *g);

/* pn_attrs_io.print_graph: what stands between the braces of then_graph={ graph ... end }. */
static void print_subgraph(void *self, const struct pn_graph *graph, pn_text *out) {
  printer *p = self;
  if (p->depth >= PN_MAX_GRAPH_DEPTH) {
    pn_text_add(out, PN_STR("nested too deep"));
    return;
  }
  p->depth++;
  print_graph(p, graph);
  p->depth--;
}

static pn_str default_name(const pn_graph *g, const pn_node *node) {
  for (uint32_t i = 0; i < node->outputs.count; i++)
    if (pn_value_valid(node->outputs.data[i]) && node->outputs.data[i].v < g->values.count)
      return pn_graph_value(g, node->outputs.data[i])->name;
  return PN_STR("");
}

static void print_comment(printer *p, const pn_graph *g, const pn_node *node) {
  const bool named = !pn_str_equal(node->name, default_name(g, node));
  if (!named && node->provenance.count == 0) return;
  pn_text_add(p->out, PN_STR("  #"));
  if (named) {
    pn_text_add(p->out, PN_STR(" name "));
    pn_text_quoted(p->out, node->name);
  }
  for (uint32_t i = 0; i < node->provenance.count; i++) {
    pn_text_add(p->out, i == 0 ? PN_STR(" from ") : PN_STR(", "));
    pn_text_quoted(p->out, node->provenance.data[i]);
  }
}

static void print_node(printer *p, const pn_graph *g, const pn_node *node) {
  indent(p, 1);
  for (uint32_t i = 0; i < node->outputs.count; i++) {
    const pn_value_id id = node->outputs.data[i];
    if (i > 0) pn_text_add(p->out, PN_STR(", "));
    print_value_name(p, g, id);
    if (!pn_value_valid(id) || id.v >= g->values.count) continue;
    if (pn_graph_value(g, id)->type.dtype == PELTON_DTYPE_NONE) continue;
    pn_text_add(p->out, PN_STR(": "));
    print_type(p, &pn_graph_value(g, id)->type);
  }
  if (node->op >= PN_OP_COUNT) {
    pn_text_printf(p->out, " = <no operator %u>\n", (unsigned)node->op);
    return;
  }
  pn_text_printf(p->out, " = %s(", pn_op_get(node->op)->name);
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    if (i > 0) pn_text_add(p->out, PN_STR(", "));
    print_value_name(p, g, node->inputs.data[i]);
  }
  pn_text_add(p->out, PN_STR(")"));
  const pn_attrs_io io = {.self = p, .print_graph = print_subgraph};
  if (node->attrs) pn_attrs_print(node->op, node->attrs, &io, p->out);
  print_comment(p, g, node);
  pn_text_add(p->out, PN_STR("\n"));
}

static void print_head(printer *p, const pn_graph *g) {
  pn_text_add(p->out, PN_STR("graph "));
  print_name(p->out, g->name);
  pn_text_add(p->out, PN_STR("("));
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const pn_value_id id = g->inputs.data[i];
    if (i > 0) pn_text_add(p->out, PN_STR(", "));
    print_value_name(p, g, id);
    if (id.v >= g->values.count || pn_graph_value(g, id)->type.dtype == PELTON_DTYPE_NONE) continue;
    pn_text_add(p->out, PN_STR(": "));
    print_type(p, &pn_graph_value(g, id)->type);
  }
  pn_text_add(p->out, PN_STR(") -> ("));
  for (uint32_t i = 0; i < g->outputs.count; i++) {
    if (i > 0) pn_text_add(p->out, PN_STR(", "));
    print_value_name(p, g, g->outputs.data[i]);
  }
  pn_text_add(p->out, PN_STR(")"));
  if (p->depth == 0) print_where(p);
  pn_text_add(p->out, PN_STR("\n"));
}

static void print_graph(printer *p, const pn_graph *g) {
  bool *printed = PN_NEW_ARRAY(&p->arena, bool, g->values.count);
  if (!printed) {
    p->out->failed = true;
    return;
  }
  print_head(p, g);
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    const pn_node *node = &g->nodes.data[i];
    if (node->removed) continue;
    for (uint32_t k = 0; k < node->inputs.count; k++) {
      const pn_value_id id = node->inputs.data[k];
      if (!pn_value_valid(id) || id.v >= g->values.count || printed[id.v] || !pn_graph_is_constant(g, id)) continue;
      printed[id.v] = true;
      print_constant(p, g, id);
    }
    print_node(p, g, node);
  }
  for (uint32_t i = 0; i < g->values.count; i++)
    if (g->values.data[i].data && !printed[i]) print_constant(p, g, (pn_value_id){i});
  indent(p, 0);
  pn_text_add(p->out, PN_STR("end"));
}

void pn_graph_print(const pn_graph *g, size_t max_constant_bytes, pn_text *out) {
  printer p = {.out = out, .symbols = g->symbols, .max_constant_bytes = max_constant_bytes};
  pn_arena_init(&p.arena, out->allocator);
  p.occurs = PN_NEW_ARRAY(&p.arena, bool, g->symbols->list.count);
  p.declared = PN_NEW_ARRAY(&p.arena, bool, g->symbols->list.count);
  if (p.occurs && p.declared) {
    note_symbols(&p, g);
    print_graph(&p, g);
    pn_text_add(out, PN_STR("\n"));
  } else {
    out->failed = true;
  }
  pn_arena_deinit(&p.arena);
}
