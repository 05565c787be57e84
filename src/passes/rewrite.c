/* Counts of uses kept right under change, and the frame that every pass runs in. */
#include "passes/rewrite.h"

#include "ir/evaluate.h"
#include "ir/walk.h"
#include "op/schema.h"

static pelton_status no_memory(const pn_rewrite *r) { return pn_fail_memory(r->diag, "a rewritten graph"); }

/* ---- uses ------------------------------------------------------------------------------------------------------ */

static bool make_room(pn_rewrite *r) {
  const uint32_t count = r->g->values.count;
  if (r->uses.count >= count) return true;
  if (!pn_list_reserve(r->scratch, &r->uses, count - r->uses.count)) return false;
  memset(r->uses.data + r->uses.count, 0, (count - r->uses.count) * sizeof *r->uses.data);
  r->uses.count = count;
  return true;
}

static void add_uses(pn_rewrite *r, const pn_node *node) {
  const uint32_t user = pn_rewrite_id(r, node).v + 1;
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    if (!pn_value_valid(node->inputs.data[i])) continue;
    pn_use *use = &r->uses.data[node->inputs.data[i].v];
    use->count++;
    use->users ^= user;
  }
}

static bool is_dead(const pn_rewrite *r, const pn_node *node) {
  for (uint32_t i = 0; i < node->outputs.count; i++)
    if (pn_value_valid(node->outputs.data[i]) && r->uses.data[node->outputs.data[i].v].count > 0) return false;
  return true;
}

/* Takes back the uses of |inputs| by node |user|; nodes without any use left are removed, and theirs in turn. */
static bool drop_uses(pn_rewrite *r, uint32_t user, const pn_value_list *inputs) {
  pn_value_list list = *inputs;
  const uint32_t first = r->dead.count;
  for (;;) {
    for (uint32_t i = 0; i < list.count; i++) {
      if (!pn_value_valid(list.data[i])) continue;
      pn_use *use = &r->uses.data[list.data[i].v];
      use->count--;
      use->users ^= user + 1;
      pn_node *producer = pn_rewrite_producer(r, list.data[i]);
      if (use->count > 0 || !producer || producer->removed || !is_dead(r, producer)) continue;
      producer->removed = true;
      if (!pn_list_push(r->scratch, &r->dead, pn_rewrite_id(r, producer))) return false;
    }
    if (r->dead.count == first) return true;
    user = r->dead.data[--r->dead.count].v;
    list = r->g->nodes.data[user].inputs;
  }
}

pn_node *pn_rewrite_only_user(const pn_rewrite *r, pn_value_id v) {
  const pn_use use = r->uses.data[v.v];
  return use.count == 1 && use.users ? &r->g->nodes.data[use.users - 1] : NULL;
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

pelton_status pn_rewrite_facts(pn_rewrite *r, const pn_facts **out) {
  *out = &r->facts;
  if (r->facts.data) return PELTON_OK;
  const uint32_t mark = pn_diag_mark(r->diag);
  const pn_infer_options options = {.arena = r->scratch};
  PN_TRY(pn_facts_create(r->g, r->scratch, &r->facts, r->diag));
  const pelton_status status = pn_graph_infer(r->g, &options, &r->facts, NULL, r->diag);
  if (status == PELTON_OK || status == PELTON_OUT_OF_MEMORY || status == PELTON_INTERNAL || r->depth == 0)
    return status;
  pn_diag_rewind(r->diag, mark); /* a branch that is never taken need not fit */
  memset(r->facts.data, 0, r->facts.count * sizeof *r->facts.data);
  return PELTON_OK;
}

bool pn_rewrite_constant(pn_rewrite *r, pn_value_id v, pn_tensor *out) {
  if (!pn_graph_is_constant(r->g, v)) return false;
  const pn_value *value = pn_graph_value(r->g, v);
  const size_t element_bytes = pelton_dtype_bytes(value->type.dtype);
  const pn_fact fact = {.present = true, .type = value->type, .data = value->data};
  if (!element_bytes || !pn_fact_tensor(&fact, out)) return false;
  if ((uintptr_t)value->data % element_bytes == 0) return true;
  out->data = pn_arena_copy(r->scratch, value->data, value->data_bytes, 64);
  r->failed = r->failed || !out->data;
  return out->data != NULL;
}

bool pn_rewrite_numbers(pn_rewrite *r, pn_value_id v, int64_t *out, uint32_t room, uint32_t *count) {
  pn_tensor tensor;
  if (!pn_rewrite_constant(r, v, &tensor) || !pn_dtype_is_integer(tensor.dtype)) return false;
  const int64_t elements = pn_tensor_elements(&tensor);
  if (elements > room) return false;
  for (int64_t i = 0; i < elements; i++) out[i] = pn_tensor_get_i64(&tensor, i);
  *count = (uint32_t)elements;
  return true;
}

bool pn_rewrite_scalar(pn_rewrite *r, pn_value_id v, double *out) {
  pn_tensor tensor;
  if (!pn_rewrite_constant(r, v, &tensor) || !pn_dtype_is_float(tensor.dtype)) return false;
  if (pn_tensor_elements(&tensor) != 1) return false;
  *out = pn_tensor_get_f64(&tensor, 0);
  return true;
}

/* ---- changing -------------------------------------------------------------------------------------------------- */

pn_value_id pn_rewrite_add(pn_rewrite *r, pn_op op, const void *attrs, pn_str name, const pn_value_id *inputs,
                           uint32_t count, const pn_type *type) {
  const pn_node_id id = pn_graph_add_node(r->g, op, attrs, name, inputs, count, 1);
  if (!pn_node_valid(id) || !make_room(r)) return PN_NO_VALUE;
  const pn_value_id result = pn_graph_result(r->g, id, 0);
  pn_graph_value(r->g, result)->type = *type;
  add_uses(r, pn_graph_node(r->g, id));
  return result;
}

pn_node_id pn_rewrite_take_over(pn_rewrite *r, pn_op op, const void *attrs, pn_str name, const pn_value_id *inputs,
                                uint32_t count, const pn_value_id *outputs, uint32_t output_count) {
  pn_node_id *before = PN_NEW_ARRAY(r->scratch, pn_node_id, output_count);
  if (!before) return PN_NO_NODE;
  for (uint32_t i = 0; i < output_count; i++) {
    pn_value *value = pn_graph_value(r->g, outputs[i]);
    before[i] = value->producer;
    pn_graph_node(r->g, before[i])->outputs.data[0] = PN_NO_VALUE;
    value->producer = PN_NO_NODE;
    value->output_index = 0;
  }
  const pn_node_id id = pn_graph_add_node_to(r->g, op, attrs, name, inputs, count, outputs, output_count);
  if (!pn_node_valid(id) || !make_room(r)) return PN_NO_NODE;
  add_uses(r, pn_graph_node(r->g, id));
  for (uint32_t i = 0; i < output_count; i++) {
    pn_node *old = pn_graph_node(r->g, before[i]);
    old->removed = true;
    if (!drop_uses(r, before[i].v, &old->inputs)) return PN_NO_NODE;
  }
  return id;
}

pelton_status pn_rewrite_become(pn_rewrite *r, pn_node *node, pn_op op, const void *attrs, const pn_value_id *inputs,
                                uint32_t count) {
  const pn_value_list before = node->inputs;
  pn_value_list list = {0};
  if (!attrs) attrs = pn_attrs_new(op, r->g->arena);
  if (!attrs || !make_room(r) || !pn_list_reserve(r->g->arena, &list, (size_t)count + 1)) return no_memory(r);
  if (count > 0) memcpy(list.data, inputs, count * sizeof *inputs);
  list.count = count;
  while (list.count > 0 && !pn_value_valid(list.data[list.count - 1])) list.count--;
  node->op = op;
  node->attrs = attrs;
  node->inputs = list;
  add_uses(r, node);
  return drop_uses(r, pn_rewrite_id(r, node).v, &before) ? PELTON_OK : no_memory(r);
}

pelton_status pn_rewrite_set_input(pn_rewrite *r, pn_node *node, uint32_t index, pn_value_id value) {
  pn_value_id few[16], *inputs = few;
  const uint32_t count = index >= node->inputs.count ? index + 1 : node->inputs.count;
  if (count > PN_COUNT(few)) inputs = PN_NEW_ARRAY(r->scratch, pn_value_id, count);
  if (!inputs) return no_memory(r);
  for (uint32_t i = 0; i < count; i++) inputs[i] = pn_node_input(node, i);
  inputs[index] = value;
  return pn_rewrite_become(r, node, node->op, node->attrs, inputs, count);
}

pelton_status pn_rewrite_forward(pn_rewrite *r, pn_node *node, pn_value_id to, bool *done) {
  const pn_value_id from = node->outputs.data[0];
  pn_use *old = &r->uses.data[from.v];
  pn_use *other = &r->uses.data[to.v];
  uint32_t as_output = 0;
  *done = false;
  for (uint32_t i = 0; i < r->g->outputs.count; i++) as_output += pn_value_same(r->g->outputs.data[i], from);
  if (pn_graph_replace_value(r->g, from, to)) {
    other->count += old->count;
    other->users ^= old->users;
    *old = (pn_use){0};
  } else {
    *done = old->count > as_output;
    other->count += old->count - as_output;
    other->users ^= old->users;
    *old = (pn_use){.count = as_output};
    r->changed += *done;
    return PELTON_OK;
  }
  *done = true;
  r->changed++;
  node->removed = true;
  return drop_uses(r, pn_rewrite_id(r, node).v, &node->inputs) ? PELTON_OK : no_memory(r);
}

pelton_status pn_rewrite_drop(pn_rewrite *r, pn_node *node) {
  if (node->removed || !is_dead(r, node)) return PELTON_OK;
  node->removed = true;
  return drop_uses(r, pn_rewrite_id(r, node).v, &node->inputs) ? PELTON_OK : no_memory(r);
}

pelton_status pn_rewrite_make_constant(pn_rewrite *r, pn_value_id v, const pn_type *type, const void *data,
                                       size_t bytes) {
  static const uint64_t nothing = 0;
  pn_value *value = pn_graph_value(r->g, v);
  pn_node *node = pn_rewrite_producer(r, v);
  value->type = *type;
  value->data = bytes ? data : &nothing;
  value->data_bytes = bytes;
  value->producer = PN_NO_NODE;
  node->outputs.data[value->output_index] = PN_NO_VALUE;
  value->output_index = 0;
  for (uint32_t i = 0; i < node->outputs.count; i++)
    if (pn_value_valid(node->outputs.data[i])) return PELTON_OK;
  node->removed = true;
  return drop_uses(r, pn_rewrite_id(r, node).v, &node->inputs) ? PELTON_OK : no_memory(r);
}

pelton_status pn_rewrite_provenance(pn_rewrite *r, pn_node *node, const pn_node *from) {
  const pn_node_id id = pn_rewrite_id(r, node);
  /* Until now it stood for itself. */
  if (node->provenance.count == 0 && !pn_graph_add_source(r->g, id, node->name)) return no_memory(r);
  return pn_graph_add_provenance(r->g, id, from) ? PELTON_OK : no_memory(r);
}

bool pn_reshape_target(const pn_type *from, const pn_type *to, int64_t *out) {
  uint32_t unknown = 0;
  if (to->rank < 0) return false;
  for (int32_t i = 0; i < to->rank; i++) {
    out[i] = to->dims[i].number;
    if (pn_dim_is(to->dims[i], 0)) return false; /* 0 says "as the operand's" */
    if (pn_dim_is_number(to->dims[i])) continue;
    const bool stays = i < from->rank && pn_dim_equal(from->dims[i], to->dims[i]);
    out[i] = stays ? 0 : -1;
    unknown += !stays;
  }
  if (unknown == 0) return true;
  /* The -1 is found by a division by the other extents, which must not be 0 then. */
  for (int32_t i = 0; i < to->rank; i++)
    if (out[i] == 0) return false;
  return unknown == 1;
}

/* ---- pointwise ------------------------------------------------------------------------------------------------- */

/* Whether broadcasting |operands| alone gives the shape of |type|. */
static bool covers(const pn_rewrite *r, const pn_value_id *operands, uint32_t count, const pn_type *type) {
  bool whole_rank = false;
  for (uint32_t i = 0; i < count; i++) {
    const pn_type *t = pn_rewrite_type(r, operands[i]);
    if (t->rank < 0 || t->rank > type->rank) return false;
    whole_rank = whole_rank || t->rank == type->rank;
  }
  for (int32_t d = 0; d < type->rank; d++) {
    bool found = pn_dim_is(type->dims[d], 1);
    for (uint32_t i = 0; i < count && !found; i++) {
      const pn_type *t = pn_rewrite_type(r, operands[i]);
      const int32_t at = d - (type->rank - t->rank);
      found = at >= 0 && pn_dim_equal(t->dims[at], type->dims[d]);
    }
    if (!found) return false;
  }
  return whole_rank && type->rank >= 0;
}

static bool element_step(pn_rewrite *r, pn_value_id v, pn_expr_builder *b, uint16_t *out) {
  pn_tensor tensor;
  if (!pn_rewrite_constant(r, v, &tensor) || pn_tensor_elements(&tensor) != 1) return false;
  if (pn_dtype_is_float(tensor.dtype))
    *out = pn_expr_f64(b, tensor.dtype, pn_tensor_get_f64(&tensor, 0));
  else if (pn_dtype_is_integer(tensor.dtype) || tensor.dtype == PELTON_DTYPE_BOOL)
    *out = pn_expr_i64(b, tensor.dtype, pn_tensor_get_i64(&tensor, 0));
  else
    return false;
  return !b->failed;
}

static bool reads(const pn_expr *expr, uint32_t operand) {
  for (uint32_t i = 0; i < expr->step_count; i++)
    if (expr->steps[i].op == PN_EXPR_INPUT && expr->steps[i].argument[0] == operand) return true;
  return false;
}

/* Leaves out operand |i| when the others decide the shape. */
static bool leave_out(const pn_rewrite *r, pn_value_id *kept, uint32_t *count, uint32_t i, const pn_type *type) {
  pn_value_id rest[PN_EXPR_MAX_INPUTS];
  uint32_t n = 0;
  for (uint32_t k = 0; k < *count; k++)
    if (k != i) rest[n++] = kept[k];
  if (n == 0 || !covers(r, rest, n, type)) return false;
  memcpy(kept, rest, n * sizeof *rest);
  *count = n;
  return true;
}

pelton_status pn_rewrite_pointwise(pn_rewrite *r, pn_node *node, const pn_expr *expr, const pn_value_id *operands,
                                   uint32_t count) {
  const pn_type type = *pn_rewrite_type(r, node->outputs.data[0]);
  pn_value_id kept[PN_EXPR_MAX_INPUTS];
  uint16_t steps[PN_EXPR_MAX_INPUTS] = {0};
  bool is_element[PN_EXPR_MAX_INPUTS] = {0};
  uint32_t kept_count = 0;
  pn_expr_builder b;
  pn_expr_builder_init(&b);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t k = 0;
    while (k < kept_count && !pn_value_same(kept[k], operands[i])) k++;
    if (k == kept_count) kept[kept_count++] = operands[i];
  }
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = 0;
    while (at < kept_count && !pn_value_same(kept[at], operands[i])) at++;
    if (at == kept_count) continue; /* left out already, as another operand's equal */
    is_element[i] = element_step(r, operands[i], &b, &steps[i]);
    bool read = false;
    for (uint32_t k = 0; k < count; k++) read = read || (pn_value_same(operands[k], operands[i]) && reads(expr, k));
    if (is_element[i] || !read) leave_out(r, kept, &kept_count, at, &type);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (is_element[i] || element_step(r, operands[i], &b, &steps[i])) continue;
    uint32_t at = 0;
    while (at < kept_count && !pn_value_same(kept[at], operands[i])) at++;
    steps[i] = at < kept_count ? pn_expr_input(&b, at) : 0; /* 0: nobody reads it */
  }
  const uint16_t result = pn_expr_inline(&b, expr, steps);
  const pn_expr *finished = pn_expr_finish(&b, result, r->g->arena);
  pn_attrs_pointwise *attrs = pn_attrs_new(PN_OP_POINTWISE, r->g->arena);
  if (!finished || !attrs) return no_memory(r);
  attrs->expr = finished;
  return pn_rewrite_become(r, node, PN_OP_POINTWISE, attrs, kept, kept_count);
}

/* ---- the frame ------------------------------------------------------------------------------------------------- */

static pelton_status run_one(pn_rewrite *r, pn_rewrite_function *function) {
  if (!make_room(r)) return no_memory(r);
  for (uint32_t i = 0; i < r->g->nodes.count; i++)
    if (!r->g->nodes.data[i].removed) add_uses(r, &r->g->nodes.data[i]);
  for (uint32_t i = 0; i < r->g->outputs.count; i++) r->uses.data[r->g->outputs.data[i].v].count++;
  PN_TRY(function(r));
  return r->failed ? no_memory(r) : PELTON_OK;
}

static pelton_status run_tree(pn_graph *g, pn_rewrite_function *function, uint32_t depth, uint32_t *changed,
                              pelton_diag *diag) {
  if (depth > PN_MAX_GRAPH_DEPTH)
    return pn_fail(diag, PELTON_UNSUPPORTED, "subgraphs are nested deeper than %d levels", PN_MAX_GRAPH_DEPTH);
  for (uint32_t i = 0; i < g->nodes.count; i++)
    for (uint32_t k = 0; !g->nodes.data[i].removed; k++) {
      pn_graph *sub = pn_node_graph(&g->nodes.data[i], k);
      if (!sub) break;
      PN_TRY(run_tree(sub, function, depth + 1, changed, diag));
    }
  pn_arena scratch;
  pn_arena_init(&scratch, g->arena->allocator);
  pn_rewrite r = {.g = g, .scratch = &scratch, .diag = diag, .depth = depth};
  const pelton_status status = run_one(&r, function);
  *changed += r.changed;
  pn_arena_deinit(&scratch);
  return status;
}

pelton_status pn_rewrite_run(pn_graph *g, pn_rewrite_function *function, uint32_t *changed, pelton_diag *diag) {
  uint32_t count = 0;
  PN_TRY(run_tree(g, function, 0, &count, diag));
  if (!count) return PELTON_OK;
  *changed += count;
  PN_TRY(pn_graph_compact(g, diag));
  return pn_graph_infer_types(g, diag);
}
