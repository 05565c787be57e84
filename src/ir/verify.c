/* What every consumer of a graph may rely on. A graph that breaks one of these is refused here or nowhere.

    1  Ids are in range: inputs, outputs, operands, results, producers.
    2  Each value has exactly one definition: it is an input, or a constant, or one result of one node.
    3  A value's producer and the node's list of results agree.
    4  Nodes stand in an order of evaluation: an operand is defined above its use. So there is no cycle.
    5  A node has an operator, attributes, and as many operands and results as the operator's row allows.
    6  Required operands and results are present; at least one result is.
    7  Values have names, unique in their graph, and the graph finds them by name.
    8  A constant has a type of numbers and as many bytes as the type says.
    9  Ranks are in [-1, 8]; dimensions are no negative numbers, or symbols of the graph; a value whose shape is known
       has less than 2^62 bytes.
   10  Values have types. (In a branch of an if they may lack them: inference leaves a branch that is never taken and
       does not fit without types.)
   11  Subgraphs are given, share their parent's symbols and arena, nest at most PN_MAX_GRAPH_DEPTH deep, have as many
       inputs and outputs as their operator gives and takes, and obey all of this themselves.
   12  The operator's own check of attributes and operand types passes.
   13  A graph has outputs; outside subgraphs none is listed twice.
   14  Sequences and optionals (dtype TENSOR) have rank 1 and items of a type, at most PN_MAX_BOXES deep, and are no
       constants; other types have no items.

   Removed nodes do not count; what they defined is undefined. */
#include "ir/verify.h"

#include "ir/order.h"
#include "ir/walk.h"

typedef struct verifier {
  pelton_diag *diag;
  pn_arena arena;
  uint32_t broken; /* entries reported */
  bool no_memory;
} verifier;

/* One graph at hand. */
typedef struct scope {
  verifier *v;
  const pn_graph *g;
  uint32_t depth;
  bool may_lack_types;
} scope;

static void report(const scope *s, uint32_t invariant, const char *format, ...) PN_PRINTF(3, 4);
static void report(const scope *s, uint32_t invariant, const char *format, ...) {
  const uint32_t mark = pn_diag_mark(s->v->diag);
  va_list arguments;
  va_start(arguments, format);
  pn_failv(s->v->diag, PELTON_INVALID_DATA, format, arguments);
  va_end(arguments);
  pn_diag_prefix(s->v->diag, mark, "graph '%.*s' breaks invariant %u", PN_STR_ARG(s->g->name), invariant);
  s->v->broken++;
}

static bool in_range(const scope *s, pn_value_id id) { return id.v < s->g->values.count; }
static pn_str value_name(const scope *s, pn_value_id id) { return s->g->values.data[id.v].name; }

/* ---- ids and definitions: 1, 2, 3, 13 ---------------------------------------------------------------------------- */

static bool check_list(const scope *s, const pn_value_list *list, const char *what, pn_str owner, bool may_be_absent) {
  bool fine = true;
  for (uint32_t i = 0; i < list->count; i++) {
    if (in_range(s, list->data[i]) || (may_be_absent && !pn_value_valid(list->data[i]))) continue;
    report(s, 1, "%s %u of '%.*s' is value %u of %u", what, i, PN_STR_ARG(owner), list->data[i].v, s->g->values.count);
    fine = false;
  }
  return fine;
}

static bool check_ids(const scope *s) {
  bool fine = check_list(s, &s->g->inputs, "input", s->g->name, false);
  fine = check_list(s, &s->g->outputs, "output", s->g->name, false) && fine;
  for (uint32_t i = 0; i < s->g->nodes.count; i++) {
    const pn_node *node = &s->g->nodes.data[i];
    if (node->removed) continue;
    fine = check_list(s, &node->inputs, "operand", node->name, true) && fine;
    fine = check_list(s, &node->outputs, "result", node->name, true) && fine;
  }
  for (uint32_t i = 0; i < s->g->values.count; i++) {
    const pn_value *value = &s->g->values.data[i];
    if (!pn_node_valid(value->producer) || value->producer.v < s->g->nodes.count) continue;
    report(s, 1, "value '%.*s' is produced by node %u of %u", PN_STR_ARG(value->name), value->producer.v,
           s->g->nodes.count);
    fine = false;
  }
  return fine;
}

static bool lists(const pn_node *node, uint32_t index, uint32_t value) {
  return !node->removed && index < node->outputs.count && node->outputs.data[index].v == value;
}

static void check_definitions(const scope *s, uint32_t *definitions) {
  const pn_graph *g = s->g;
  for (uint32_t i = 0; i < g->inputs.count; i++) definitions[g->inputs.data[i].v]++;
  for (uint32_t i = 0; i < g->values.count; i++) definitions[i] += g->values.data[i].data != NULL;
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    const pn_node *node = &g->nodes.data[i];
    for (uint32_t k = 0; k < node->outputs.count && !node->removed; k++) {
      if (!pn_value_valid(node->outputs.data[k])) continue;
      const pn_value *value = pn_graph_value(g, node->outputs.data[k]);
      definitions[node->outputs.data[k].v]++;
      if (value->producer.v != i || value->output_index != k)
        report(s, 3, "result %u of node '%.*s', '%.*s', says that it is result %u of node %u", k,
               PN_STR_ARG(node->name), PN_STR_ARG(value->name), value->output_index, value->producer.v);
    }
  }
  for (uint32_t i = 0; i < g->values.count; i++) {
    const pn_value *value = &g->values.data[i];
    const pn_node *producer = pn_node_valid(value->producer) ? &g->nodes.data[value->producer.v] : NULL;
    if (producer && producer->removed && definitions[i] == 0) continue;
    if (producer && !lists(producer, value->output_index, i))
      report(s, 3, "value '%.*s' names node '%.*s' as its producer, which does not list it", PN_STR_ARG(value->name),
             PN_STR_ARG(producer->name));
    else if (definitions[i] != 1)
      report(s, 2, "value '%.*s' has %u definitions", PN_STR_ARG(value->name), definitions[i]);
  }
}

static void check_outputs(const scope *s) {
  const pn_graph *g = s->g;
  bool *listed = PN_NEW_ARRAY(&s->v->arena, bool, g->values.count);
  s->v->no_memory = s->v->no_memory || !listed;
  if (g->outputs.count == 0) report(s, 13, "it has no outputs");
  for (uint32_t i = 0; i < g->outputs.count && listed && s->depth == 0; i++) {
    if (listed[g->outputs.data[i].v])
      report(s, 13, "'%.*s' is an output twice", PN_STR_ARG(value_name(s, g->outputs.data[i])));
    listed[g->outputs.data[i].v] = true;
  }
}

/* ---- order: 4 ---------------------------------------------------------------------------------------------------- */

static void check_order(const scope *s) {
  const pn_graph *g = s->g;
  bool *defined = PN_NEW_ARRAY(&s->v->arena, bool, g->values.count);
  bool ordered = true;
  if (!defined) {
    s->v->no_memory = true;
    return;
  }
  for (uint32_t i = 0; i < g->inputs.count; i++) defined[g->inputs.data[i].v] = true;
  for (uint32_t i = 0; i < g->values.count; i++) defined[i] = defined[i] || g->values.data[i].data != NULL;
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    const pn_node *node = &g->nodes.data[i];
    if (node->removed) continue;
    for (uint32_t k = 0; k < node->inputs.count; k++) {
      const pn_value_id id = node->inputs.data[k];
      if (!pn_value_valid(id) || defined[id.v]) continue;
      report(s, 4, "node '%.*s' uses '%.*s', which is not defined above it", PN_STR_ARG(node->name),
             PN_STR_ARG(value_name(s, id)));
      ordered = false;
    }
    for (uint32_t k = 0; k < node->outputs.count; k++)
      if (pn_value_valid(node->outputs.data[k])) defined[node->outputs.data[k].v] = true;
  }
  for (uint32_t i = 0; i < g->outputs.count; i++)
    if (!defined[g->outputs.data[i].v])
      report(s, 4, "output '%.*s' is not defined", PN_STR_ARG(value_name(s, g->outputs.data[i])));
  pn_order order;
  /* Names the cycle, if it is one. */
  if (!ordered && pn_graph_sort(g, &s->v->arena, &order, s->v->diag)) s->v->broken++;
}

/* ---- nodes: 5, 6 ------------------------------------------------------------------------------------------------- */

static bool check_node(const scope *s, const pn_node *node) {
  const uint32_t broken = s->v->broken;
  if (node->op >= PN_OP_COUNT || !node->attrs) {
    report(s, 5, "node '%.*s' has no %s", PN_STR_ARG(node->name), node->op >= PN_OP_COUNT ? "operator" : "attributes");
    return false;
  }
  const pn_op_info *info = pn_op_get(node->op);
  if (node->inputs.count > info->max_inputs)
    report(s, 5, "node '%.*s': %s takes at most %u operands, it has %u", PN_STR_ARG(node->name), info->name,
           info->max_inputs, node->inputs.count);
  if (node->outputs.count < info->min_outputs || node->outputs.count > info->max_outputs)
    report(s, 5, "node '%.*s': %s gives %u to %u results, it has %u", PN_STR_ARG(node->name), info->name,
           info->min_outputs, info->max_outputs, node->outputs.count);
  for (uint32_t i = 0; i < info->min_inputs; i++)
    if (pn_op_needs_input(node->op, i) && !pn_value_valid(pn_node_input(node, i)))
      report(s, 6, "node '%.*s': %s lacks operand %u", PN_STR_ARG(node->name), info->name, i);
  bool any = false;
  for (uint32_t i = 0; i < node->outputs.count; i++) {
    const bool present = pn_value_valid(node->outputs.data[i]);
    any = any || present;
    if (!present && pn_op_needs_output(node->op, i))
      report(s, 6, "node '%.*s': %s lacks result %u", PN_STR_ARG(node->name), info->name, i);
  }
  if (!any) report(s, 6, "node '%.*s' has no result that is present", PN_STR_ARG(node->name));
  return s->v->broken == broken;
}

/* ---- values: 7, 8, 9, 10 ----------------------------------------------------------------------------------------- */

static bool check_dims(const scope *s, const pn_value *value) {
  const pn_type *type = &value->type;
  int64_t bytes = (int64_t)pelton_dtype_bytes(type->dtype);
  bool empty = false;
  if (type->rank < PN_RANK_UNKNOWN || type->rank > PN_MAX_RANK) {
    report(s, 9, "value '%.*s' has rank %d", PN_STR_ARG(value->name), type->rank);
    return false;
  }
  for (int32_t i = 0; i < type->rank; i++) {
    const pn_dim dim = type->dims[i];
    empty = empty || pn_dim_is(dim, 0);
    if (dim.symbol <= s->g->symbols->list.count && (dim.symbol > 0 ? dim.number == 0 : dim.number >= 0)) continue;
    report(s, 9, "value '%.*s': dimension %d is %lld, symbol %u of %u", PN_STR_ARG(value->name), i,
           (long long)dim.number, dim.symbol, s->g->symbols->list.count);
    return false;
  }
  for (int32_t i = 0; i < type->rank && !empty; i++) {
    if (!pn_dim_is_number(type->dims[i])) continue;
    if (pn_mul_i64(bytes, type->dims[i].number, &bytes) && bytes < (int64_t)1 << 62) continue;
    report(s, 9, "value '%.*s' has more than 2^62 bytes", PN_STR_ARG(value->name));
    return false;
  }
  return true;
}

static void check_constant(const scope *s, const pn_value *value) {
  int64_t dims[PN_MAX_RANK], count = 0;
  const size_t element_bytes = pelton_dtype_bytes(value->type.dtype);
  if (element_bytes == 0 || !pn_type_is_static(&value->type)) {
    report(s, 8, "constant '%.*s' has no type of numbers", PN_STR_ARG(value->name));
    return;
  }
  for (int32_t i = 0; i < value->type.rank; i++) dims[i] = value->type.dims[i].number;
  if (!pn_dims_elements((uint32_t)value->type.rank, dims, element_bytes, &count)) return; /* invariant 9 */
  if ((uint64_t)count * element_bytes != value->data_bytes)
    report(s, 8, "constant '%.*s' has %zu bytes, its type %llu", PN_STR_ARG(value->name), value->data_bytes,
           (unsigned long long)count * element_bytes);
}

static bool check_values(const scope *s, const uint32_t *definitions) {
  const uint32_t broken = s->v->broken;
  for (uint32_t i = 0; i < s->g->values.count; i++) {
    const pn_value *value = &s->g->values.data[i];
    pn_value_id found = PN_NO_VALUE;
    if (value->name.size == 0 || !pn_graph_find_value(s->g, value->name, &found) || found.v != i)
      report(s, 7, "value %u, '%.*s', is not found by its name", i, PN_STR_ARG(value->name));
    const bool fine = check_dims(s, value);
    if (value->data && fine) check_constant(s, value);
    if (definitions[i] == 0) continue; /* of a removed node */
    if (value->type.dtype >= PELTON_DTYPE_COUNT || (value->type.dtype == PELTON_DTYPE_NONE && !s->may_lack_types))
      report(s, 10, "value '%.*s' has no type", PN_STR_ARG(value->name));
    else if (!pn_type_boxes_valid(&value->type))
      report(s, 14, "value '%.*s' is no sequence or optional of items of one type", PN_STR_ARG(value->name));
    else if (value->type.dtype == PELTON_DTYPE_TENSOR && value->data)
      report(s, 14, "constant '%.*s' is a sequence or an optional", PN_STR_ARG(value->name));
  }
  return s->v->broken == broken;
}

/* ---- subgraphs: 11 ----------------------------------------------------------------------------------------------- */

static void verify_graph(verifier *v, const pn_graph *g, uint32_t depth, bool may_lack_types);

static void check_subgraph(const scope *s, const pn_node *node, const pn_field *field) {
  pn_graph *sub;
  memcpy(&sub, (const char *)node->attrs + field->offset, sizeof sub);
  if (!sub) {
    report(s, 11, "node '%.*s' has no %s", PN_STR_ARG(node->name), field->name);
    return;
  }
  if (s->depth == PN_MAX_GRAPH_DEPTH) {
    report(s, 11, "node '%.*s': subgraphs are nested deeper than %d levels", PN_STR_ARG(node->name),
           PN_MAX_GRAPH_DEPTH);
    return;
  }
  if (sub->symbols != s->g->symbols || sub->arena != s->g->arena)
    report(s, 11, "node '%.*s': %s has symbols or an arena of its own", PN_STR_ARG(node->name), field->name);
  uint32_t inputs = node->inputs.count, outputs = node->outputs.count;
  if (node->op == PN_OP_IF) inputs = inputs > 0 ? inputs - 1 : 0; /* all but the condition */
  if (node->op == PN_OP_LOOP) {
    inputs = inputs > 2 ? inputs : 2; /* an iteration and a condition even where the operands are absent */
    outputs = outputs + 1;            /* the condition to go on */
  }
  if (sub->inputs.count != inputs || sub->outputs.count != outputs)
    report(s, 11, "node '%.*s': %s has %u inputs and %u outputs; there should be %u and %u", PN_STR_ARG(node->name),
           field->name, sub->inputs.count, sub->outputs.count, inputs, outputs);
  verify_graph(s->v, sub, s->depth + 1, s->may_lack_types || node->op == PN_OP_IF);
}

static void check_subgraphs(const scope *s, const pn_node *node) {
  const pn_op_info *info = pn_op_get(node->op);
  for (uint32_t i = 0; i < info->field_count; i++)
    if (info->fields[i].kind == PN_FIELD_GRAPH) check_subgraph(s, node, &info->fields[i]);
}

/* ---- the operator's own check: 12 -------------------------------------------------------------------------------- */

static void check_operator(const scope *s, const pn_node *node) {
  const uint32_t in_count = node->inputs.count, out_count = node->outputs.count;
  pn_fact *in = PN_NEW_ARRAY(&s->v->arena, pn_fact, (size_t)in_count + 1);
  pn_fact *out = PN_NEW_ARRAY(&s->v->arena, pn_fact, (size_t)out_count + 1);
  if (!in || !out) {
    s->v->no_memory = true;
    return;
  }
  for (uint32_t i = 0; i < in_count; i++) {
    if (!pn_value_valid(node->inputs.data[i])) continue;
    const pn_value *value = pn_graph_value(s->g, node->inputs.data[i]);
    if (value->type.dtype == PELTON_DTYPE_NONE) return; /* where types may lack, nothing can be checked */
    in[i] = (pn_fact){.present = true, .type = value->type, .data = value->data};
  }
  for (uint32_t i = 0; i < out_count; i++) out[i].present = pn_value_valid(node->outputs.data[i]);
  const pn_infer call = {.attrs = node->attrs, .input_count = in_count, .output_count = out_count, .in = in, .out = out,
                         .symbols = s->g->symbols, .arena = &s->v->arena, .diag = s->v->diag};
  const uint32_t mark = pn_diag_mark(s->v->diag);
  const pelton_status status = pn_op_check(node->op, &call);
  if (!status) return;
  if (s->may_lack_types && status != PELTON_OUT_OF_MEMORY) {
    pn_diag_rewind(s->v->diag, mark); /* a branch that is never taken need not fit */
    return;
  }
  pn_diag_prefix(s->v->diag, mark, "graph '%.*s' breaks invariant 12: node '%.*s'", PN_STR_ARG(s->g->name),
                 PN_STR_ARG(node->name));
  s->v->no_memory = s->v->no_memory || status == PELTON_OUT_OF_MEMORY;
  s->v->broken++;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void verify_graph(verifier *v, const pn_graph *g, uint32_t depth, bool may_lack_types) {
  const scope s = {v, g, depth, may_lack_types};
  bool *sound = PN_NEW_ARRAY(&v->arena, bool, (size_t)g->nodes.count + 1);
  uint32_t *definitions = PN_NEW_ARRAY(&v->arena, uint32_t, (size_t)g->values.count + 1);
  v->no_memory = v->no_memory || !sound || !definitions;
  if (v->no_memory || !check_ids(&s)) return; /* nothing can be looked up in a graph whose ids lie */
  check_definitions(&s, definitions);
  check_outputs(&s);
  check_order(&s);
  for (uint32_t i = 0; i < g->nodes.count; i++)
    sound[i] = !g->nodes.data[i].removed && check_node(&s, &g->nodes.data[i]);
  const bool typed = check_values(&s, definitions);
  for (uint32_t i = 0; i < g->nodes.count; i++) {
    if (!sound[i]) continue;
    check_subgraphs(&s, &g->nodes.data[i]);
    if (typed) check_operator(&s, &g->nodes.data[i]);
  }
}

pelton_status pn_graph_verify(const pn_graph *g, pelton_diag *diag) {
  verifier v = {.diag = diag};
  pn_arena_init(&v.arena, g->arena->allocator);
  verify_graph(&v, g, 0, false);
  pn_arena_deinit(&v.arena);
  if (v.no_memory) return pn_fail_memory(diag, "what verifies a graph");
  return v.broken > 0 ? PELTON_INVALID_DATA : PELTON_OK;
}
