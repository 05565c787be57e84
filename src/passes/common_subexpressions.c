/* Equal constants become one, and nodes that do the same with the same operands become one. */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "op/schema.h"
#include "op/text/strings.h"

/* Entries of a hash table: indices + 1 of values (constants) or of nodes. */
typedef struct table {
  uint32_t *slots;
  uint64_t *hashes;
  uint32_t mask;
} table;

static bool table_init(table *t, pn_arena *arena, uint32_t count) {
  uint32_t capacity = 16;
  while (capacity < 2 * (uint64_t)count && capacity < UINT32_C(1) << 31) capacity *= 2;
  t->slots = PN_NEW_ARRAY(arena, uint32_t, capacity);
  t->hashes = PN_NEW_ARRAY(arena, uint64_t, capacity);
  t->mask = capacity - 1;
  return t->slots && t->hashes;
}

static uint64_t hash_type(const pn_type *type, uint64_t h) {
  h = pn_hash_mix(h, (uint64_t)type->dtype);
  h = pn_hash_mix(h, (uint64_t)(int64_t)type->rank);
  for (int32_t i = 0; i < type->rank; i++) h = pn_hash_mix(h, (uint64_t)type->dims[i].number);
  return h;
}

enum { WHOLE_BYTES = 4096, SAMPLE_BYTES = 256 };

/* Large constants are hashed by samples: they lie in a mapped file, and equal ones are compared whole anyway. */
static uint64_t hash_constant(const pn_value *value) {
  const char *data = value->data;
  const size_t bytes = value->data_bytes;
  if (value->type.dtype == PELTON_DTYPE_STRING)
    return hash_type(&value->type, pn_strings_hash(value->data, bytes / sizeof(pelton_string), 1));
  if (bytes <= WHOLE_BYTES) return hash_type(&value->type, pn_hash_bytes(data, bytes, 1));
  uint64_t h = hash_type(&value->type, bytes);
  for (size_t i = 0; i < 4; i++) h = pn_hash_bytes(data + (bytes - SAMPLE_BYTES) / 3 * i, SAMPLE_BYTES, h);
  return h;
}

static bool same_constant(const pn_value *a, const pn_value *b) {
  if (!pn_type_equal(&a->type, &b->type) || a->data_bytes != b->data_bytes) return false;
  if (a->type.dtype == PELTON_DTYPE_STRING)
    return pn_strings_equal(a->data, b->data, a->data_bytes / sizeof(pelton_string));
  return a->data == b->data || a->data_bytes == 0 || !memcmp(a->data, b->data, a->data_bytes);
}

static bool is_output(const pn_graph *g, pn_value_id v) {
  for (uint32_t i = 0; i < g->outputs.count; i++)
    if (pn_value_same(g->outputs.data[i], v)) return true;
  return false;
}

/* Operands that are constants are exchanged for the first equal one. Hashing is per value, once. */
static pelton_status merge_constants(pn_rewrite *r) {
  table t;
  const uint32_t count = r->g->values.count;
  uint32_t *first =
      PN_NEW_ARRAY(r->scratch, uint32_t, (size_t)count + 1); /* of each value: the one that stands for it */
  if (!first || !table_init(&t, r->scratch, count)) return pn_fail_memory(r->diag, "a table of constants");
  for (uint32_t i = 0; i < count; i++) {
    const pn_value *value = &r->g->values.data[i];
    first[i] = i;
    if (!value->data) continue;
    const uint64_t h = hash_constant(value);
    uint32_t slot = (uint32_t)h & t.mask;
    while (t.slots[slot] && (t.hashes[slot] != h || !same_constant(value, &r->g->values.data[t.slots[slot] - 1])))
      slot = (slot + 1) & t.mask;
    if (t.slots[slot])
      first[i] = t.slots[slot] - 1;
    else
      t.slots[slot] = i + 1, t.hashes[slot] = h;
  }
  for (uint32_t n = 0; n < r->g->nodes.count; n++) {
    const pn_node *node = &r->g->nodes.data[n];
    for (uint32_t k = 0; k < node->inputs.count; k++) {
      const pn_value_id v = node->inputs.data[k];
      if (!pn_value_valid(v) || v.v >= count || first[v.v] == v.v) continue;
      r->changed++;
      PN_TRY(pn_rewrite_set_input(r, &r->g->nodes.data[n], k, (pn_value_id){first[v.v]}));
    }
  }
  return PELTON_OK;
}

static bool same_values(const pn_value_list *a, const pn_value_list *b) {
  if (a->count != b->count) return false;
  for (uint32_t i = 0; i < a->count; i++)
    if (!pn_value_same(a->data[i], b->data[i])) return false;
  return true;
}

static bool same_node(const pn_node *a, const pn_node *b) {
  if (a->op != b->op || a->outputs.count != b->outputs.count || !same_values(&a->inputs, &b->inputs)) return false;
  return pn_attrs_equal(a->op, a->attrs, b->attrs);
}

static uint64_t hash_node(const pn_node *node) {
  uint64_t h = pn_attrs_hash(node->op, node->attrs, (uint64_t)node->op + 1);
  for (uint32_t i = 0; i < node->inputs.count; i++) h = pn_hash_mix(h, node->inputs.data[i].v);
  return h;
}

/* Uses of |again|'s results become uses of |first|'s. Only nodes of one result, unless all results are on both sides.
 */
static pelton_status merge_nodes(pn_rewrite *r, pn_node *again, pn_node *first, bool *done) {
  const pn_value_list mine = again->outputs, theirs = first->outputs;
  *done = false;
  for (uint32_t i = 0; i < mine.count; i++) {
    if (pn_value_valid(mine.data[i]) && !pn_value_valid(theirs.data[i])) return PELTON_OK;
    /* Two outputs of the graph need two values. */
    if (pn_value_valid(mine.data[i]) && is_output(r->g, mine.data[i]) && is_output(r->g, theirs.data[i]))
      return PELTON_OK;
  }
  *done = true;
  if (mine.count == 1) {
    PN_TRY(pn_rewrite_provenance(r, first, again));
    return pn_rewrite_forward(r, again, theirs.data[0], done);
  }
  for (uint32_t i = 0; i < mine.count; i++) {
    if (!pn_value_valid(mine.data[i])) continue;
    pn_use *from = &r->uses.data[mine.data[i].v], *to = &r->uses.data[theirs.data[i].v];
    if (!pn_graph_replace_value(r->g, mine.data[i], theirs.data[i]))
      return PN_INTERNAL(r->diag, "an output was not merged");
    to->count += from->count;
    to->users ^= from->users;
    *from = (pn_use){0};
  }
  r->changed++;
  PN_TRY(pn_rewrite_provenance(r, first, again));
  return pn_rewrite_drop(r, again);
}

static pelton_status merge_all(pn_rewrite *r) {
  table t;
  PN_TRY(merge_constants(r));
  if (!table_init(&t, r->scratch, r->g->nodes.count)) return pn_fail_memory(r->diag, "a table of nodes");
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (node->removed || (pn_op_get(node->op)->flags & PN_OP_CONTROL)) continue;
    const uint64_t h = hash_node(node);
    uint32_t slot = (uint32_t)h & t.mask;
    while (t.slots[slot] && (t.hashes[slot] != h || !same_node(node, &r->g->nodes.data[t.slots[slot] - 1])))
      slot = (slot + 1) & t.mask;
    bool done = false;
    if (t.slots[slot]) PN_TRY(merge_nodes(r, node, &r->g->nodes.data[t.slots[slot] - 1], &done));
    if (!t.slots[slot]) t.slots[slot] = i + 1, t.hashes[slot] = h;
  }
  return PELTON_OK;
}

pelton_status pn_pass_common_subexpressions(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, merge_all, changed, diag);
}
