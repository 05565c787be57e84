/* Equality of graphs: values correspond by name, nodes by their order. Ids may differ, as after a print and a parse. */
#include "ir/text.h"
#include "ir/walk.h"
#include "op/schema.h"
#include "op/text/strings.h"

static bool dims_equal(const pn_symbols *a_symbols, pn_dim a, const pn_symbols *b_symbols, pn_dim b) {
  if (pn_dim_is_number(a) || pn_dim_is_number(b)) return pn_dim_equal(a, b);
  if (a_symbols == b_symbols) return a.symbol == b.symbol;
  const pn_symbol *x = &a_symbols->list.data[a.symbol - 1], *y = &b_symbols->list.data[b.symbol - 1];
  if (x->kind != y->kind || !pn_str_equal(x->name, y->name)) return false;
  return (x->kind != PN_SYMBOL_NAMED && x->kind != PN_SYMBOL_FRESH) || (x->min == y->min && x->max == y->max);
}

static bool types_equal(const pn_graph *a, const pn_type *x, const pn_graph *b, const pn_type *y) {
  if (!pn_type_same_elements(x, y) || x->boxes.optional != y->boxes.optional || x->rank != y->rank) return false;
  for (int32_t i = 0; i < x->rank; i++)
    if (!dims_equal(a->symbols, x->dims[i], b->symbols, y->dims[i])) return false;
  return true;
}

static bool lists_equal(const pn_graph *a, const pn_value_list *x, const pn_graph *b, const pn_value_list *y) {
  if (x->count != y->count) return false;
  for (uint32_t i = 0; i < x->count; i++) {
    const bool present = pn_value_valid(x->data[i]);
    if (present != pn_value_valid(y->data[i])) return false;
    if (!present) continue;
    const pn_value *v = pn_graph_value(a, x->data[i]), *w = pn_graph_value(b, y->data[i]);
    if (!pn_str_equal(v->name, w->name) || !types_equal(a, &v->type, b, &w->type)) return false;
  }
  return true;
}

static bool constants_equal(const pn_graph *a, const pn_graph *b) {
  uint32_t balance = 0;
  for (uint32_t i = 0; i < b->values.count; i++) balance += b->values.data[i].data != NULL;
  for (uint32_t i = 0; i < a->values.count; i++) {
    const pn_value *v = &a->values.data[i];
    pn_value_id id;
    if (!v->data) continue;
    if (!pn_graph_find_value(b, v->name, &id)) return false;
    const pn_value *w = pn_graph_value(b, id);
    if (!w->data || v->data_bytes != w->data_bytes || !types_equal(a, &v->type, b, &w->type)) return false;
    if (v->type.dtype == PELTON_DTYPE_STRING) {
      if (!pn_strings_equal(v->data, w->data, v->data_bytes / sizeof(pelton_string))) return false;
    } else if (v->data_bytes > 0 && memcmp(v->data, w->data, v->data_bytes)) {
      return false;
    }
    balance--;
  }
  return balance == 0;
}

enum { ATTRS_BYTES = 512 };

/* pn_attrs_equal compares subgraphs by pointer, so that b's attributes are compared with a's pointers in them. */
static bool attrs_equal(const pn_node *x, const pn_node *y) {
  const pn_op_info *info = pn_op_get(x->op);
  _Alignas(max_align_t) unsigned char copy[ATTRS_BYTES];
  if (!(info->flags & PN_OP_CONTROL)) return pn_attrs_equal(x->op, x->attrs, y->attrs);
  if (info->attrs_bytes > sizeof copy) return false;
  memcpy(copy, y->attrs, info->attrs_bytes);
  for (uint32_t k = 0;; k++) {
    pn_graph **place = pn_attrs_graph(x->op, copy, k);
    if (!place) break;
    *place = pn_node_graph(x, k);
  }
  return pn_attrs_equal(x->op, x->attrs, copy);
}

static bool nodes_equal(const pn_graph *a, const pn_node *x, const pn_graph *b, const pn_node *y) {
  if (x->op != y->op || !pn_str_equal(x->name, y->name)) return false;
  if (!lists_equal(a, &x->inputs, b, &y->inputs) || !lists_equal(a, &x->outputs, b, &y->outputs)) return false;
  if (x->provenance.count != y->provenance.count) return false;
  for (uint32_t i = 0; i < x->provenance.count; i++)
    if (!pn_str_equal(x->provenance.data[i], y->provenance.data[i])) return false;
  if (!attrs_equal(x, y)) return false;
  for (uint32_t k = 0;; k++) {
    const pn_graph *v = pn_node_graph(x, k), *w = pn_node_graph(y, k);
    if (!v || !w) return v == w;
    if (!pn_graph_equal(v, w)) return false;
  }
}

static const pn_node *next_node(const pn_graph *g, uint32_t *index) {
  while (*index < g->nodes.count)
    if (!g->nodes.data[(*index)++].removed) return &g->nodes.data[*index - 1];
  return NULL;
}

bool pn_graph_equal(const pn_graph *a, const pn_graph *b) {
  uint32_t i = 0, k = 0;
  if (!pn_str_equal(a->name, b->name)) return false;
  if (!lists_equal(a, &a->inputs, b, &b->inputs) || !lists_equal(a, &a->outputs, b, &b->outputs)) return false;
  if (!constants_equal(a, b)) return false;
  for (;;) {
    const pn_node *x = next_node(a, &i), *y = next_node(b, &k);
    if (!x || !y) return x == y;
    if (!nodes_equal(a, x, b, y)) return false;
  }
}
