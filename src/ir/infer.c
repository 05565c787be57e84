/* The walk that infers: node by node in order, an operator's check, its infer, and then what can be known of the
   results' elements (the reference function on known operands; symbols as an operator gave them). Control operators
   call back for their subgraphs, which are walked in the same way.

   Nothing is written to a graph here; retype.c stores the types of a whole walk at build time. */
#include "ir/infer.h"

#include "ir/evaluate.h"
#include "ir/infer_walk.h"
#include "ir/walk.h"

#include <stdio.h>

/* References whose work is not bounded by their operands' and results' sizes, and which compute no shapes. */
static bool is_heavy(pn_op op) {
  switch (op) {
    case PN_OP_CONV:
    case PN_OP_CONV_TRANSPOSE:
    case PN_OP_CONV_INTEGER:
    case PN_OP_DEFORM_CONV:
    case PN_OP_EINSUM:
    case PN_OP_POOL:
    case PN_OP_LRN:
    case PN_OP_RESIZE:
    case PN_OP_ROI_ALIGN:
    case PN_OP_MAX_ROI_POOL:
    case PN_OP_RECURRENT:
    case PN_OP_ATTENTION: return true;
    default: return false;
  }
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

static void print_operands(const pn_infer_walk *walk, const pn_fact *in, uint32_t count, pn_text *out) {
  for (uint32_t i = 0; i < count; i++) {
    if (i > 0) pn_text_add(out, PN_STR(", "));
    if (in[i].present) pn_type_print(walk->symbols, &in[i].type, out);
    else pn_text_add(out, PN_STR("_"));
  }
}

static void print_node(const pn_node *node, pn_text *out) {
  pn_text_printf(out, "node '%.*s'", PN_STR_ARG(node->name));
  for (uint32_t i = 0; i < node->provenance.count; i++)
    pn_text_printf(out, "%s%.*s", i == 0 ? " (from " : ", ", PN_STR_ARG(node->provenance.data[i]));
  if (node->provenance.count > 0) pn_text_add(out, PN_STR(")"));
}

/* When types are inferred for storing, it is the model that is wrong, not anybody's call. */
static pelton_status status_for(const pn_infer_walk *walk, pelton_status status) {
  return walk->keep_visits && status == PELTON_INVALID_ARGUMENT ? PELTON_INVALID_DATA : status;
}

/* Hands |inner|'s entries on to |diag|, each between the node and its operands' types. */
static pelton_status fail_node(const pn_infer_walk *walk, const pn_node *node, const pn_fact *in, pelton_status status,
                               pelton_diag *inner, pelton_diag *diag) {
  status = status_for(walk, status);
  if (!diag) return status;
  const char *op = pn_op_get(node->op)->name;
  pn_text name, operands;
  pn_text_init(&name, walk->arena->allocator);
  pn_text_init(&operands, walk->arena->allocator);
  print_node(node, &name);
  print_operands(walk, in, node->inputs.count, &operands);
  if (inner->count == 0) pn_fail(inner, status, "%s: %s", op, pelton_status_name(status));
  for (uint32_t i = 0; i < inner->count; i++) {
    const pn_str message = pn_str_from(pelton_diag_message(inner, i));
    const size_t op_bytes = strlen(op);
    const bool named = pn_str_starts(message, op) && message.size > op_bytes && message.data[op_bytes] == ':';
    pn_fail(diag, status_for(walk, (pelton_status)inner->status[i]), "%s: %s%s%.*s; operands %s",
            name.failed ? "a node" : name.data, named ? "" : op, named ? "" : ": ", PN_STR_ARG(message),
            operands.failed ? "(no memory to list them)" : operands.size > 0 ? operands.data : "none");
  }
  pn_diag_rewind(inner, 0);
  pn_text_deinit(&name);
  pn_text_deinit(&operands);
  return status;
}

/* ---- one node -------------------------------------------------------------------------------------------------- */

/* One level of nested graphs: the facts of the node at hand, and its messages. */
struct pn_infer_level {
  PN_LIST(pn_fact) in, out;
  pelton_diag *diag; /* null when nobody wants messages */
  const pn_node *node;
  pn_infer_walk *walk;
};

static pelton_status enter_level(pn_infer_walk *walk, pelton_diag *diag, struct pn_infer_level **out) {
  if (walk->depth > PN_MAX_GRAPH_DEPTH)
    return pn_fail(diag, PELTON_UNSUPPORTED, "subgraphs are nested deeper than %d levels", PN_MAX_GRAPH_DEPTH);
  struct pn_infer_level **level = &walk->levels[walk->depth];
  if (!*level && !(*level = PN_NEW(walk->arena, struct pn_infer_level))) return pn_fail_memory(diag, "types");
  *out = *level;
  (*level)->walk = walk;
  if (!diag || (*level)->diag) return PELTON_OK;
  (*level)->diag = PN_NEW(walk->arena, pelton_diag);
  if (!(*level)->diag) return pn_fail_memory(diag, "types");
  pelton_diag_init((*level)->diag);
  return PELTON_OK;
}

static pelton_status gather(const pn_graph *g, const pn_node *node, const pn_facts *facts, struct pn_infer_level *level,
                            pelton_diag *diag) {
  pn_arena *arena = level->walk->arena;
  level->in.count = level->out.count = 0;
  if (!pn_list_reserve(arena, &level->in, node->inputs.count + 1u)) return pn_fail_memory(diag, "types");
  if (!pn_list_reserve(arena, &level->out, node->outputs.count + 1u)) return pn_fail_memory(diag, "types");
  level->node = node;
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    const pn_value_id id = node->inputs.data[i];
    level->in.data[i] = (pn_fact){0};
    if (!pn_value_valid(id)) continue;
    level->in.data[i] = facts->data[id.v];
    if (!level->in.data[i].present)
      return pn_fail(diag, PELTON_INVALID_DATA,
                     "node '%.*s' uses '%.*s' before it is computed: the graph is not in order", PN_STR_ARG(node->name),
                     PN_STR_ARG(pn_graph_value(g, id)->name));
  }
  for (uint32_t i = 0; i < node->outputs.count; i++)
    level->out.data[i] = (pn_fact){.present = pn_value_valid(node->outputs.data[i]), .type.rank = PN_RANK_UNKNOWN};
  level->in.count = node->inputs.count;
  level->out.count = node->outputs.count;
  return PELTON_OK;
}

/* The operator's functions rely on their row's counts, and inference runs before verify. */
static pelton_status check_counts(const pn_node *node, pelton_diag *diag) {
  const pn_op_info *info = pn_op_get(node->op);
  for (uint32_t i = 0; i < info->min_inputs; i++)
    if (pn_op_needs_input(node->op, i) && !pn_value_valid(pn_node_input(node, i)))
      return pn_fail(diag, PELTON_INVALID_DATA, "%s: operand %u is missing", info->name, i);
  if (node->inputs.count > info->max_inputs)
    return pn_fail(diag, PELTON_INVALID_DATA, "%s: %u operands; it takes at most %u", info->name, node->inputs.count,
                   info->max_inputs);
  if (node->outputs.count < info->min_outputs || node->outputs.count > info->max_outputs)
    return pn_fail(diag, PELTON_INVALID_DATA, "%s: %u results; it gives %u to %u", info->name, node->outputs.count,
                   info->min_outputs, info->max_outputs);
  return PELTON_OK;
}

/* "2x?x4": a symbol's value does not matter to what is too large already. */
static const char *extents_text(const pn_type *type, char *out, size_t out_bytes) {
  size_t at = 0;
  for (int32_t k = 0; k < type->rank && at + 24 < out_bytes; k++) {
    if (k > 0) out[at++] = 'x';
    if (pn_dim_is_number(type->dims[k]))
      at += (size_t)snprintf(out + at, out_bytes - at, "%lld", (long long)type->dims[k].number);
    else
      out[at++] = '?';
  }
  out[at] = 0;
  return out;
}

/* Facts outlive the call, and planners multiply their dims. */
static pelton_status check_type(const pn_type *type, const char *what, uint32_t i, pelton_diag *diag) {
  int64_t bytes = (int64_t)pelton_dtype_bytes(type->dtype);
  bool empty = false;
  if (bytes == 0 || type->rank < PN_RANK_UNKNOWN || type->rank > PN_MAX_RANK)
    return pn_fail(diag, PELTON_INTERNAL, "internal error: %s %u has no type", what, i);
  if (!pn_type_boxes_valid(type))
    return pn_fail(diag, PELTON_INVALID_DATA, "%s %u: a tensor of tensors has one dimension and items of a known type",
                   what, i);
  for (int32_t k = 0; k < type->rank; k++) {
    empty = empty || pn_dim_is(type->dims[k], 0);
    if (pn_dim_is_number(type->dims[k]) && type->dims[k].number < 0)
      return pn_fail(diag, PELTON_INVALID_DATA, "%s %u would have %lld elements along axis %d", what, i,
                     (long long)type->dims[k].number, k);
  }
  for (int32_t k = 0; k < type->rank && !empty; k++) {
    if (!pn_dim_is_number(type->dims[k])) continue;
    if (!pn_mul_i64(bytes, type->dims[k].number, &bytes) || bytes >= (int64_t)1 << 62) {
      char text[24 * PN_MAX_RANK];
      return pn_fail(diag, PELTON_INVALID_DATA, "%s %u would be %s, more than 2^62 bytes", what, i,
                     extents_text(type, text, sizeof text));
    }
  }
  return PELTON_OK;
}

/* ---- contents -------------------------------------------------------------------------------------------------- */

/* The number of elements whose contents are followed as dims: integers of rank 0 or 1. */
static bool content_count(const pn_fact *fact, uint32_t *out) {
  const pn_type *type = &fact->type;
  if (type->dtype != PELTON_DTYPE_I64 && type->dtype != PELTON_DTYPE_I32) return false;
  if (type->rank != 0 && type->rank != 1) return false;
  if (type->rank == 1 && (!pn_dim_is_number(type->dims[0]) || type->dims[0].number > PN_INFER_CONTENT_ELEMENTS))
    return false;
  *out = type->rank == 0 ? 1 : (uint32_t)type->dims[0].number;
  return true;
}

/* Content that is all numbers becomes data; small data becomes content. */
static pelton_status complete_content(const pn_infer_walk *walk, pn_fact *fact, pelton_diag *diag) {
  uint32_t count;
  if (!content_count(fact, &count)) {
    fact->content = NULL;
    return PELTON_OK;
  }
  pn_tensor tensor = {.dtype = fact->type.dtype};
  if (fact->data && !fact->content) {
    pn_dim *dims = PN_NEW_ARRAY(walk->arena, pn_dim, count);
    if (!dims || !pn_fact_tensor(fact, &tensor)) return pn_fail_memory(diag, "contents");
    for (uint32_t i = 0; i < count; i++) {
      if (tensor.dtype == PELTON_DTYPE_I64) dims[i] = pn_dim_of((int64_t)pn_load_u64((const char *)fact->data + i * 8));
      else dims[i] = pn_dim_of((int32_t)pn_load_u32((const char *)fact->data + i * 4));
    }
    fact->content = dims;
  } else if (fact->content && !fact->data) {
    for (uint32_t i = 0; i < count; i++) {
      const pn_dim dim = fact->content[i];
      if (!pn_dim_is_number(dim)) return PELTON_OK;
      if (tensor.dtype == PELTON_DTYPE_I32 && (dim.number < INT32_MIN || dim.number > INT32_MAX)) return PELTON_OK;
    }
    tensor.data = pn_arena_alloc(walk->arena, count * pelton_dtype_bytes(tensor.dtype), 8);
    if (!tensor.data) return pn_fail_memory(diag, "contents");
    for (uint32_t i = 0; i < count; i++) pn_tensor_set_i64(&tensor, i, fact->content[i].number);
    fact->data = tensor.data;
  }
  return PELTON_OK;
}

/* Facts have no memory of their own for what elements point at: texts and boxes are left alone. */
static bool may_know(const pn_fact *fact) { return !fact->present || !pn_dtype_points(fact->type.dtype); }

static bool is_small(const pn_fact *fact) {
  pn_tensor tensor;
  return !fact->present || (pn_fact_tensor(fact, &tensor) && pn_tensor_elements(&tensor) <= PN_INFER_FOLD_ELEMENTS);
}

/* Computes the results' elements where everything they follow from is known and small. A reference that refuses (an
   index out of range) leaves them unknown: whether the node ever runs with these is not decided here. */
static pelton_status compute_contents(struct pn_infer_level *level, pelton_diag *diag) {
  const pn_node *node = level->node;
  const pn_evaluation e = {.op = node->op, .attrs = node->attrs, .in = level->in.data, .out = level->out.data,
                           .in_count = level->in.count, .out_count = level->out.count, .arena = level->walk->arena,
                           .max_elements = PN_INFER_FOLD_ELEMENTS};
  bool done, small = !is_heavy(node->op) && pn_can_evaluate(&e);
  for (uint32_t i = 0; small && i < e.in_count; i++) small = is_small(&e.in[i]) && may_know(&e.in[i]);
  for (uint32_t i = 0; small && i < e.out_count; i++) small = may_know(&e.out[i]);
  if (small && !pn_op_sizes_results(node->op))
    for (uint32_t i = 0; small && i < e.out_count; i++) small = is_small(&e.out[i]);
  if (small) {
    const uint32_t mark = pn_diag_mark(diag);
    const pelton_status status = pn_evaluate(&e, &done, diag);
    if (status == PELTON_OUT_OF_MEMORY || status == PELTON_INTERNAL) return status;
    pn_diag_rewind(diag, mark);
  }
  for (uint32_t i = 0; i < e.out_count; i++)
    if (e.out[i].present) PN_TRY(complete_content(level->walk, &e.out[i], diag));
  return PELTON_OK;
}

/* ---- subgraphs ------------------------------------------------------------------------------------------------- */

static pelton_status infer_nodes(pn_infer_walk *walk, const pn_graph *g, uint32_t first, uint32_t end,
                                 bool stop_at_unknown, pn_facts *facts, uint32_t *stopped, pelton_diag *diag);

static pelton_status note_visit(pn_infer_walk *walk, pn_graph *g, const pn_facts *facts, pelton_diag *diag) {
  const pn_infer_visit visit = {g, *facts, ++walk->visit_count};
  if (!walk->keep_visits) return PELTON_OK;
  for (uint32_t i = walk->visits.count; i-- > 0;)
    if (walk->visits.data[i].graph == g) {
      walk->visits.data[i] = visit;
      return PELTON_OK;
    }
  return pn_list_push(walk->arena, &walk->visits, visit) ? PELTON_OK : pn_fail_memory(diag, "types of subgraphs");
}

static bool was_visited(const pn_infer_walk *walk, const pn_graph *g, uint64_t since) {
  for (uint32_t i = walk->visits.count; i-- > 0;)
    if (walk->visits.data[i].graph == g) return walk->visits.data[i].number > since;
  return false;
}

static pelton_status check_interface(const pn_graph *g, uint32_t in_count, uint32_t out_count, pelton_diag *diag) {
  if (g->inputs.count != in_count)
    return pn_fail(diag, PELTON_INVALID_DATA, "subgraph '%.*s' has %u inputs; it is given %u", PN_STR_ARG(g->name),
                   g->inputs.count, in_count);
  if (g->outputs.count != out_count)
    return pn_fail(diag, PELTON_INVALID_DATA, "subgraph '%.*s' has %u outputs; %u are wanted", PN_STR_ARG(g->name),
                   g->outputs.count, out_count);
  return PELTON_OK;
}

static pelton_status take_results(const pn_graph *g, const pn_facts *facts, pn_fact *out, pelton_diag *diag) {
  for (uint32_t i = 0; i < g->outputs.count; i++) {
    out[i] = facts->data[g->outputs.data[i].v];
    if (!out[i].present)
      return pn_fail(diag, PELTON_INVALID_DATA, "subgraph '%.*s': nothing computes output '%.*s'", PN_STR_ARG(g->name),
                     PN_STR_ARG(pn_graph_value(g, g->outputs.data[i])->name));
  }
  return PELTON_OK;
}

/* pn_infer.subgraph */
static pelton_status infer_subgraph(void *self, struct pn_graph *graph, const pn_fact *in, uint32_t in_count,
                                    pn_fact *out, uint32_t out_count, pelton_diag *diag) {
  struct pn_infer_level *level = self;
  pn_infer_walk *walk = level->walk;
  pn_facts facts;
  uint32_t stopped;
  PN_TRY(check_interface(graph, in_count, out_count, diag));
  if (graph->nodes.count >= walk->budget)
    return pn_fail(diag, PELTON_UNSUPPORTED, "loops are nested too deep to find their types");
  walk->budget -= graph->nodes.count + 1u;
  PN_TRY(pn_facts_create(graph, walk->arena, &facts, diag));
  for (uint32_t i = 0; i < in_count; i++) {
    if (!in[i].present)
      return pn_fail(diag, PELTON_INVALID_DATA, "input %u of subgraph '%.*s' is missing", i, PN_STR_ARG(graph->name));
    facts.data[graph->inputs.data[i].v] = in[i];
  }
  PN_TRY(note_visit(walk, graph, &facts, diag));
  walk->depth++;
  const pelton_status status = infer_nodes(walk, graph, 0, graph->nodes.count, false, &facts, &stopped, diag);
  walk->depth--;
  if (status) return status;
  return take_results(graph, &facts, out, diag);
}

/* A branch that is never taken still wants types, but it need not fit (that may be why it is not taken): what cannot be
   inferred in it stays without. */
static pelton_status infer_dead_branches(struct pn_infer_level *level, uint64_t visits_before, pelton_diag *diag) {
  pn_infer_walk *walk = level->walk;
  pn_fact *unused = PN_NEW_ARRAY(walk->arena, pn_fact, (size_t)level->out.count + 1);
  if (!unused) return pn_fail_memory(diag, "types of subgraphs");
  for (uint32_t k = 0;; k++) {
    pn_graph *branch = pn_node_graph(level->node, k);
    if (!branch) return PELTON_OK;
    if (was_visited(walk, branch, visits_before)) continue;
    const uint32_t mark = pn_diag_mark(diag);
    const pelton_status status =
        infer_subgraph(level, branch, level->in.data + 1, level->in.count - 1, unused, level->out.count, diag);
    if (status == PELTON_OUT_OF_MEMORY || status == PELTON_INTERNAL) return status;
    pn_diag_rewind(diag, mark);
  }
}

/* ---- the walk -------------------------------------------------------------------------------------------------- */

static pelton_status infer_operator(struct pn_infer_level *level, pelton_diag *diag) {
  const pn_node *node = level->node;
  const pn_op_info *info = pn_op_get(node->op);
  pn_infer_walk *walk = level->walk;
  const pn_infer call = {.attrs = node->attrs, .input_count = level->in.count, .output_count = level->out.count,
                         .in = level->in.data, .out = level->out.data, .symbols = walk->symbols, .arena = walk->arena,
                         .diag = diag, .subgraph = infer_subgraph, .subgraph_self = level};
  const uint64_t visits_before = walk->visit_count;
  PN_TRY(check_counts(node, diag));
  PN_TRY(pn_op_check(node->op, &call));
  PN_TRY(info->infer(&call));
  PN_TRY(pn_symbols_status(walk->symbols, diag));
  for (uint32_t i = 0; i < level->out.count; i++)
    if (level->out.data[i].present) PN_TRY(check_type(&level->out.data[i].type, "result", i, diag));
  if (walk->keep_visits && node->op == PN_OP_IF) PN_TRY(infer_dead_branches(level, visits_before, diag));
  if (info->flags & PN_OP_CONTROL) return PELTON_OK;
  return compute_contents(level, diag);
}

static bool is_unknown(const pn_fact *facts, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (facts[i].present && !pn_type_is_static(&facts[i].type)) return true;
  return false;
}

static pelton_status infer_nodes(pn_infer_walk *walk, const pn_graph *g, uint32_t first, uint32_t end,
                                 bool stop_at_unknown, pn_facts *facts, uint32_t *stopped, pelton_diag *diag) {
  struct pn_infer_level *level = NULL;
  PN_TRY(enter_level(walk, diag, &level));
  for (uint32_t i = first; i < end; i++) {
    const pn_node *node = &g->nodes.data[i];
    if (node->removed) continue;
    *stopped = i;
    PN_TRY(gather(g, node, facts, level, diag));
    if (stop_at_unknown && is_unknown(level->in.data, level->in.count)) return PELTON_OK;
    const pelton_status status = infer_operator(level, level->diag);
    if (status) return fail_node(walk, node, level->in.data, status, level->diag, diag);
    const bool finds_shapes = pn_op_is_host(node->op);
    if (stop_at_unknown && !finds_shapes && is_unknown(level->out.data, level->out.count)) return PELTON_OK;
    for (uint32_t k = 0; k < level->out.count; k++)
      if (level->out.data[k].present) facts->data[node->outputs.data[k].v] = level->out.data[k];
  }
  *stopped = end < g->nodes.count ? end : g->nodes.count;
  return PELTON_OK;
}

/* What a constant claims to be: operators read as many bytes as its type says. */
static pelton_status constant_fact(const pn_value *value, pn_fact *out, pelton_diag *diag) {
  const size_t element_bytes = pelton_dtype_bytes(value->type.dtype);
  pn_tensor tensor;
  *out = (pn_fact){.present = true, .type = value->type, .data = value->data};
  if (element_bytes > 0 && pn_fact_tensor(out, &tensor) &&
      (uint64_t)pn_tensor_elements(&tensor) * element_bytes == value->data_bytes)
    return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_DATA, "constant '%.*s' has %zu bytes, which is not the size of its type",
                 PN_STR_ARG(value->name), value->data_bytes);
}

pelton_status pn_facts_create(const pn_graph *g, pn_arena *arena, pn_facts *out, pelton_diag *diag) {
  out->count = g->values.count;
  out->data = PN_NEW_ARRAY(arena, pn_fact, (size_t)g->values.count + 1);
  if (!out->data) return pn_fail_memory(diag, "types of values");
  for (uint32_t i = 0; i < g->values.count; i++) {
    if (g->values.data[i].data) PN_TRY(constant_fact(&g->values.data[i], &out->data[i], diag));
  }
  return PELTON_OK;
}

static pelton_status set_inputs(pn_infer_walk *walk, const pn_graph *g, const pn_fact *inputs, pn_facts *facts,
                                pelton_diag *diag) {
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    pn_fact *fact = &facts->data[g->inputs.data[i].v];
    const pn_str name = pn_graph_value(g, g->inputs.data[i])->name;
    if (inputs) *fact = inputs[i];
    else *fact = (pn_fact){.type = pn_graph_value(g, g->inputs.data[i])->type};
    fact->present = true;
    if (fact->type.dtype == PELTON_DTYPE_NONE)
      return pn_fail(diag, PELTON_INVALID_DATA, "input '%.*s' has no type", PN_STR_ARG(name));
    const uint32_t mark = pn_diag_mark(diag);
    const pelton_status status = check_type(&fact->type, "input", i, diag);
    if (status) {
      pn_diag_prefix(diag, mark, "'%.*s'", PN_STR_ARG(name));
      return status;
    }
    PN_TRY(complete_content(walk, fact, diag));
  }
  return PELTON_OK;
}

static uint64_t count_nodes(const pn_graph *g, uint32_t depth) {
  uint64_t count = g->nodes.count;
  for (uint32_t i = 0; i < g->nodes.count && depth < PN_MAX_GRAPH_DEPTH; i++) {
    if (g->nodes.data[i].removed) continue;
    for (uint32_t k = 0;; k++) {
      const pn_graph *sub = pn_node_graph(&g->nodes.data[i], k);
      if (!sub) break;
      count += 1 + count_nodes(sub, depth + 1);
    }
  }
  return count;
}

pelton_status pn_infer_walk_run(pn_infer_walk *walk, const pn_graph *g, const pn_infer_options *options,
                                pn_facts *facts, uint32_t *stopped, pelton_diag *diag) {
  const uint32_t end = options->end_node > 0 && options->end_node < g->nodes.count ? options->end_node : g->nodes.count;
  uint32_t ignored;
  walk->budget = PN_INFER_REPEATS * (count_nodes(g, 0) + 64);
  if (facts->count != g->values.count) return PN_INTERNAL(diag, "facts are of another graph");
  if (options->first_node == 0) PN_TRY(set_inputs(walk, g, options->inputs, facts, diag));
  return infer_nodes(walk, g, options->first_node, end, options->stop_at_unknown, facts, stopped ? stopped : &ignored,
                     diag);
}

pelton_status pn_graph_infer(const pn_graph *g, const pn_infer_options *options, pn_facts *facts, uint32_t *stopped,
                             pelton_diag *diag) {
  pn_infer_walk walk = {.arena = options->arena, .symbols = options->symbols ? options->symbols : g->symbols};
  return pn_infer_walk_run(&walk, g, options, facts, stopped, diag);
}
