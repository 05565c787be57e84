/* A graph as bytes: symbols, then graphs, subgraphs before whoever runs them, the root last. */
#include "engine/format.h"

#include "op/schema.h"
#include "op/text/strings.h"

typedef struct store {
  pn_arena *arena;
  pn_constant_list *constants;
  uint64_t offset;                  /* in the constants section */
  PN_LIST(const pn_graph *) graphs; /* in order of storage */
  pn_text *out;
  bool failed;
} store;

static void store_dim(pn_text *out, pn_dim d) {
  pn_put_u32(out, d.symbol);
  pn_put_i64(out, d.number);
}

static void store_symbols(const pn_symbols *symbols, pn_text *out) {
  pn_put_u32(out, symbols->list.count);
  pn_put_u32(out, symbols->fresh_count);
  for (uint32_t i = 0; i < symbols->list.count; i++) {
    const pn_symbol *s = &symbols->list.data[i];
    pn_put_u8(out, (uint8_t)s->kind);
    pn_put_str(out, s->name);
    store_dim(out, s->a);
    store_dim(out, s->b);
    pn_put_i64(out, s->min);
    pn_put_i64(out, s->max);
  }
}

static uint32_t index_of(void *self, const struct pn_graph *graph) {
  const store *s = self;
  for (uint32_t i = 0; i < s->graphs.count; i++)
    if (s->graphs.data[i] == graph) return i;
  return UINT32_MAX;
}

static void store_ids(pn_text *out, const pn_value_list *ids) {
  pn_put_u32(out, ids->count);
  for (uint32_t i = 0; i < ids->count; i++) pn_put_u32(out, ids->data[i].v);
}

/* The type of elements as text: "f32", "tensor<f32>". */
static void put_elements(pn_text *out, const pn_type *type) {
  pn_text text;
  pn_text_init(&text, out->allocator);
  pn_type_print_elements(type, &text);
  pn_put_str(out, (pn_str){text.data, text.size});
  out->failed |= text.failed;
  pn_text_deinit(&text);
}

/* Texts as a file holds them: without addresses. */
static pn_span texts_of(store *s, const pn_value *v) {
  pn_text packed;
  pn_text_init(&packed, s->arena->allocator);
  pn_strings_store(v->data, v->data_bytes / sizeof(pelton_string), &packed);
  const void *copy = packed.failed ? NULL : pn_arena_copy(s->arena, packed.data, packed.size, 1);
  const pn_span bytes = {copy, copy ? packed.size : 0};
  s->failed |= !copy;
  pn_text_deinit(&packed);
  return bytes;
}

static void store_value(store *s, const pn_value *v) {
  pn_put_str(s->out, v->name);
  put_elements(s->out, &v->type);
  pn_put_i64(s->out, v->type.rank);
  for (int32_t d = 0; d < v->type.rank; d++) store_dim(s->out, v->type.dims[d]);
  pn_put_u32(s->out, v->producer.v);
  pn_put_u32(s->out, v->output_index);
  pn_put_u8(s->out, v->data != NULL);
  if (!v->data) return;
  pn_span bytes = {v->data, v->data_bytes};
  if (v->type.dtype == PELTON_DTYPE_STRING) bytes = texts_of(s, v);
  pn_put_u64(s->out, s->offset);
  pn_put_u64(s->out, bytes.size);
  s->offset += pn_align_up(bytes.size ? bytes.size : 1, PN_TENSOR_ALIGN);
  s->failed |= !pn_list_push(s->arena, s->constants, bytes);
}

static void store_graph(store *s, const pn_graph *g) {
  pn_attrs_io io = {.self = s, .store_graph = index_of};
  pn_text *out = s->out;
  pn_put_str(out, g->name);
  pn_put_u32(out, g->unique_count);
  pn_put_u32(out, g->values.count);
  for (uint32_t i = 0; i < g->values.count; i++) store_value(s, &g->values.data[i]);
  pn_put_u32(out, g->nodes.count);
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    const pn_node *n = &g->nodes.data[i];
    pn_put_str(out, pn_str_from(pn_op_get(n->op)->name));
    pn_put_str(out, n->name);
    store_ids(out, &n->inputs);
    store_ids(out, &n->outputs);
    pn_put_u32(out, n->provenance.count);
    for (uint32_t k = 0; k < n->provenance.count; k++) pn_put_str(out, n->provenance.data[k]);
    pn_attrs_store(n->op, n->attrs, &io, out);
  }
  store_ids(out, &g->inputs);
  store_ids(out, &g->outputs);
}

/* Subgraphs of |g| first, then |g|. The verifier bounds how deep graphs nest. */
static void list_graphs(store *s, const pn_graph *g) {
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    const pn_node *n = &g->nodes.data[i];
    const pn_op_info *info = pn_op_get(n->op);
    for (uint32_t f = 0; f < info->field_count && (info->flags & PN_OP_CONTROL); f++) {
      if (info->fields[f].kind != PN_FIELD_GRAPH) continue;
      const pn_graph *sub;
      memcpy(&sub, (const char *)n->attrs + info->fields[f].offset, sizeof sub);
      list_graphs(s, sub);
    }
  }
  s->failed |= !pn_list_push(s->arena, &s->graphs, g);
}

pelton_status pn_graph_store(const pn_graph *g, pn_arena *arena, pn_constant_list *constants, pn_text *out,
                             pelton_diag *diag) {
  store s = {.arena = arena, .constants = constants, .out = out};
  store_symbols(g->symbols, out);
  list_graphs(&s, g);
  if (s.failed) return pn_fail_memory(diag, "the engine");
  pn_put_u32(out, s.graphs.count);
  for (uint32_t i = 0; i < s.graphs.count; i++) store_graph(&s, s.graphs.data[i]);
  return s.failed || out->failed ? pn_fail_memory(diag, "the engine") : PELTON_OK;
}
