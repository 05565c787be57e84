/* The standard's rules for sequences, optionals, and the operators that run subgraphs over what is not known here. */
#include "import/onnx/check/survey.h"

#include "ir/walk.h"

#include <inttypes.h>

static const pn_onnx_described *operand(const pn_onnx_rule_call *r, uint32_t i) {
  return i < r->call->input_count && r->in[i].kind != PN_ONNX_TYPE_NONE ? &r->in[i] : NULL;
}

static pelton_status make(const pn_onnx_rule_call *r, uint32_t i, pn_onnx_type_kind kind,
                          const pn_onnx_described *element) {
  if (i >= r->call->output_count) return PELTON_OK;
  r->out[i] = (pn_onnx_described){.kind = kind, .type = {.rank = PN_RANK_UNKNOWN}};
  if (!element || element->kind == PN_ONNX_TYPE_NONE) return PELTON_OK;
  r->out[i].element = pn_arena_copy(&r->call->importer->scratch, element, sizeof *element, _Alignof(pn_onnx_described));
  return r->out[i].element ? PELTON_OK : pn_fail_memory(r->call->diag, "types of values");
}

/* What holds of both |a| and |b|, tensors that stand in one sequence. */
static pn_onnx_described both(const pn_onnx_rule_call *r, pn_onnx_described a, const pn_onnx_described *b) {
  if (b->kind != PN_ONNX_TYPE_TENSOR || a.type.rank != b->type.rank) a.type.rank = PN_RANK_UNKNOWN;
  for (int32_t i = 0; i < a.type.rank; i++)
    if (!pn_dim_equal(a.type.dims[i], b->type.dims[i])) a.type.dims[i] = pn_dim_fresh(r->symbols);
  return a;
}

static void scalar(const pn_onnx_rule_call *r, int32_t elem) {
  const pn_type type = {.rank = 0};
  if (r->call->output_count > 0) r->out[0] = pn_onnx_describe_tensor(elem, &type);
}

/* The elements of sequence or optional |i|; null when nothing is known of them. */
static const pn_onnx_described *element(const pn_onnx_rule_call *r, uint32_t i) {
  const pn_onnx_described *d = operand(r, i);
  return d ? d->element : NULL;
}

/* ---- sequences ----------------------------------------------------------------------------------------------------
 */

static pelton_status sequence_empty(pn_onnx_rule_call *r) {
  int64_t elem;
  PN_TRY(pn_onnx_attr_i64(r->call->node, "dtype", PN_ONNX_FLOAT, &elem, r->call->diag));
  const pn_onnx_described tensor = pn_onnx_describe_tensor((int32_t)elem, NULL);
  return make(r, 0, PN_ONNX_TYPE_SEQUENCE, &tensor);
}

static pelton_status sequence_construct(pn_onnx_rule_call *r) {
  const pn_onnx_described *first = operand(r, 0);
  if (!first) return make(r, 0, PN_ONNX_TYPE_SEQUENCE, NULL);
  pn_onnx_described tensor = *first;
  for (uint32_t i = 1; i < r->call->input_count; i++) {
    if (r->in[i].kind == PN_ONNX_TYPE_TENSOR && r->in[i].elem != tensor.elem)
      return pn_fail(r->call->diag, PELTON_INVALID_DATA, "its input %u has elements of type %s, the others of type %s",
                     i, pn_onnx_elem_name(r->in[i].elem), pn_onnx_elem_name(tensor.elem));
    tensor = both(r, tensor, &r->in[i]);
  }
  return make(r, 0, PN_ONNX_TYPE_SEQUENCE, &tensor);
}

static pelton_status sequence_insert(pn_onnx_rule_call *r) {
  const pn_onnx_described *have = element(r, 0), *added = operand(r, 1);
  if (!have || !added) return make(r, 0, PN_ONNX_TYPE_SEQUENCE, have);
  if (have->elem != added->elem)
    return pn_fail(r->call->diag, PELTON_INVALID_DATA, "it adds elements of type %s to a sequence of type %s",
                   pn_onnx_elem_name(added->elem), pn_onnx_elem_name(have->elem));
  const pn_onnx_described tensor = both(r, *have, added);
  return make(r, 0, PN_ONNX_TYPE_SEQUENCE, &tensor);
}

static pelton_status sequence_erase(pn_onnx_rule_call *r) { return make(r, 0, PN_ONNX_TYPE_SEQUENCE, element(r, 0)); }

static pelton_status sequence_at(pn_onnx_rule_call *r) {
  if (element(r, 0)) r->out[0] = *element(r, 0);
  return PELTON_OK;
}

/* What is no optional is its own element. */
static pelton_status optional_get_element(pn_onnx_rule_call *r) {
  const pn_onnx_described *d = operand(r, 0);
  if (d && d->kind != PN_ONNX_TYPE_OPTIONAL)
    r->out[0] = *d;
  else if (d && d->element)
    r->out[0] = *d->element;
  return PELTON_OK;
}

static pelton_status identity(pn_onnx_rule_call *r) {
  if (operand(r, 0)) r->out[0] = r->in[0];
  return PELTON_OK;
}

static pelton_status sequence_length(pn_onnx_rule_call *r) {
  scalar(r, PN_ONNX_INT64);
  return PELTON_OK;
}

static pelton_status concat_from_sequence(pn_onnx_rule_call *r) {
  int64_t axis, adds;
  const pn_onnx_described *inner = element(r, 0);
  PN_TRY(pn_onnx_attr_i64(r->call->node, "axis", 0, &axis, r->call->diag));
  PN_TRY(pn_onnx_attr_i64(r->call->node, "new_axis", 0, &adds, r->call->diag));
  if (!inner) return PELTON_OK;
  r->out[0] = *inner;
  pn_type *type = &r->out[0].type;
  if (type->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  const int32_t rank = type->rank + (adds != 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank)
    return pn_fail(r->call->diag, PELTON_INVALID_DATA, "attribute \"axis\" is not within [-%" PRId32 ", %" PRId32 ")",
                   rank, rank);
  if (rank > PN_MAX_RANK) {
    type->rank = PN_RANK_UNKNOWN;
    return PELTON_OK;
  }
  for (int32_t i = rank - 1; adds && i > axis; i--) type->dims[i] = type->dims[i - 1];
  type->rank = rank;
  type->dims[axis] = pn_dim_fresh(r->symbols);
  return PELTON_OK;
}

/* The extent that all parts share, or a fresh one. */
static pn_dim part(const pn_onnx_rule_call *r, pn_dim whole) {
  pn_i64s sizes;
  if (!pn_onnx_constant_ints(r->call, 1, &sizes) || sizes.count == 0) return pn_dim_fresh(r->symbols);
  for (uint32_t i = 1; i < sizes.count; i++)
    if (sizes.data[i] != sizes.data[0]) return pn_dim_fresh(r->symbols);
  const bool one = r->in[1].type.rank == 0;
  if (!one) return pn_dim_of(sizes.data[0]);
  if (!pn_dim_is_number(whole) || sizes.data[0] <= 0 || whole.number % sizes.data[0]) return pn_dim_fresh(r->symbols);
  return pn_dim_of(sizes.data[0]);
}

static pelton_status split_to_sequence(pn_onnx_rule_call *r) {
  int64_t axis, keep;
  const pn_onnx_described *x = operand(r, 0);
  PN_TRY(pn_onnx_attr_i64(r->call->node, "axis", 0, &axis, r->call->diag));
  PN_TRY(pn_onnx_attr_i64(r->call->node, "keepdims", 1, &keep, r->call->diag));
  if (!x) return make(r, 0, PN_ONNX_TYPE_SEQUENCE, NULL);
  pn_onnx_described tensor = *x;
  pn_type *type = &tensor.type;
  const bool sizes = r->call->input_count > 1 && r->call->node->inputs.data[1].size > 0;
  if (type->rank != PN_RANK_UNKNOWN) {
    if (axis < 0) axis += type->rank;
    if (axis < 0 || axis >= type->rank)
      return pn_fail(r->call->diag, PELTON_INVALID_DATA,
                     "attribute \"axis\" lies outside of its %" PRId32 " dimensions", type->rank);
    if (sizes) {
      type->dims[axis] = part(r, type->dims[axis]);
    } else if (keep) {
      type->dims[axis] = pn_dim_of(1);
    } else {
      for (int32_t i = (int32_t)axis; i + 1 < type->rank; i++) type->dims[i] = type->dims[i + 1];
      type->rank--;
    }
  }
  return make(r, 0, PN_ONNX_TYPE_SEQUENCE, &tensor);
}

/* ---- optionals ----------------------------------------------------------------------------------------------------
 */

static pelton_status optional(pn_onnx_rule_call *r) {
  const pn_onnx_attribute *type = pn_onnx_attr_find(r->call->node, "type");
  pn_onnx_described inner;
  if (operand(r, 0)) return make(r, 0, PN_ONNX_TYPE_OPTIONAL, operand(r, 0));
  if (!type || !type->tp)
    return pn_fail(r->call->diag, PELTON_INVALID_DATA, "it needs an input or the attribute \"type\"");
  PN_TRY(pn_onnx_describe_type(r->call->importer, type->tp, &inner));
  return make(r, 0, PN_ONNX_TYPE_OPTIONAL, &inner);
}

static pelton_status optional_has_element(pn_onnx_rule_call *r) {
  scalar(r, PN_ONNX_BOOL);
  return PELTON_OK;
}

/* ---- subgraphs ----------------------------------------------------------------------------------------------------
 */

/* A sequence of what the body makes of the elements. */
static pelton_status sequence_map(pn_onnx_rule_call *r) {
  const pn_onnx_graph *body;
  pn_graph *graph;
  pn_value_list captures = {NULL, 0, 0};
  PN_TRY(pn_onnx_attr_require(r->call->node, "body", r->call->diag));
  PN_TRY(pn_onnx_attr_graph(r->call->node, "body", &body, r->call->diag));
  pn_type *types = PN_NEW_ARRAY(&r->call->importer->scratch, pn_type, (size_t)r->call->input_count + 1);
  if (!types) return pn_fail_memory(r->call->diag, "types of values");
  for (uint32_t i = 0; i < r->call->input_count; i++) {
    const pn_onnx_described *d = element(r, i) ? element(r, i) : operand(r, i);
    types[i] = d ? d->type : (pn_type){.rank = PN_RANK_UNKNOWN};
  }
  PN_TRY(pn_onnx_subgraph(r->call, body, types, r->call->input_count, &captures, &graph));
  for (uint32_t i = 0; i < graph->outputs.count; i++) {
    const pn_type *type = &pn_graph_value(graph, graph->outputs.data[i])->type;
    for (int32_t elem = 1; elem < PN_ONNX_ELEM_COUNT; elem++) {
      if (pn_onnx_elem_dtype(elem) != type->dtype) continue;
      const pn_onnx_described tensor = pn_onnx_describe_tensor(elem, type);
      PN_TRY(make(r, i, PN_ONNX_TYPE_SEQUENCE, &tensor));
    }
  }
  return PELTON_OK;
}

static bool is_initializer(const pn_onnx_graph *g, pn_str name) {
  for (uint32_t i = 0; i < g->initializers.count; i++)
    if (pn_str_equal(g->initializers.data[i].name, name)) return true;
  return false;
}

/* Of what the iterations hand on only the element type is sure; of what they give, what the body declares. */
static pelton_status loop(pn_onnx_rule_call *r) {
  const pn_onnx_graph *body;
  PN_TRY(pn_onnx_attr_require(r->call->node, "body", r->call->diag));
  PN_TRY(pn_onnx_attr_graph(r->call->node, "body", &body, r->call->diag));
  uint32_t formal = body->inputs.count;
  for (uint32_t i = 0; i < body->inputs.count; i++)
    if (is_initializer(body, body->inputs.data[i].name)) {
      if (r->call->importer->onnx->ir_version >= 4)
        return pn_fail(r->call->diag, PELTON_INVALID_DATA, "\"%.*s\" is both an input and an initializer of its body",
                       PN_STR_ARG(body->inputs.data[i].name));
      formal--;
    }
  if (formal != r->call->input_count && body->inputs.count != r->call->input_count)
    return pn_fail(r->call->diag, PELTON_INVALID_DATA, "its body has %u inputs, but must have %u", body->inputs.count,
                   r->call->input_count);
  const uint32_t carried = r->call->input_count < 2 ? 0 : r->call->input_count - 2;
  for (uint32_t i = 0; i < r->call->output_count; i++) {
    if (1 + i >= body->outputs.count) break;
    PN_TRY(pn_onnx_describe_type(r->call->importer, body->outputs.data[1 + i].type, &r->out[i]));
    if (i < carried) {
      const bool silent = r->out[i].kind == PN_ONNX_TYPE_NONE ||
                          (r->out[i].kind == PN_ONNX_TYPE_TENSOR && r->out[i].elem == PN_ONNX_UNDEFINED);
      if (silent) r->out[i] = r->in[2 + i];
      r->out[i].type.rank = PN_RANK_UNKNOWN;
      continue;
    }
    pn_type *type = &r->out[i].type;
    if (type->rank == PN_RANK_UNKNOWN || type->rank == PN_MAX_RANK) continue;
    for (int32_t k = type->rank++; k > 0; k--) type->dims[k] = type->dims[k - 1];
    type->dims[0] = pn_dim_fresh(r->symbols);
  }
  return PELTON_OK;
}

/* What both branches declare. */
static pelton_status branches(pn_onnx_rule_call *r) {
  const pn_onnx_graph *one, *other;
  PN_TRY(pn_onnx_attr_graph(r->call->node, "then_branch", &one, r->call->diag));
  PN_TRY(pn_onnx_attr_graph(r->call->node, "else_branch", &other, r->call->diag));
  for (uint32_t i = 0; one && other && i < r->call->output_count; i++) {
    pn_onnx_described a, b;
    if (i >= one->outputs.count || i >= other->outputs.count) break;
    PN_TRY(pn_onnx_describe_type(r->call->importer, one->outputs.data[i].type, &a));
    PN_TRY(pn_onnx_describe_type(r->call->importer, other->outputs.data[i].type, &b));
    if (a.kind != b.kind || a.elem != b.elem) continue;
    r->out[i] = a.kind == PN_ONNX_TYPE_TENSOR ? both(r, a, &b) : a;
  }
  return PELTON_OK;
}

/* ---- the table ------------------------------------------------------------------------------------------------------
 */

static const pn_onnx_rule rows[] = {
    {"ConcatFromSequence", concat_from_sequence, PN_ONNX_RULE_ALWAYS},
    {"Identity", identity, PN_ONNX_RULE_FORGIVES},
    {"If", branches, PN_ONNX_RULE_FORGIVES},
    {"Loop", loop, PN_ONNX_RULE_FORGIVES},
    {"Optional", optional, PN_ONNX_RULE_ALWAYS},
    {"OptionalGetElement", optional_get_element, PN_ONNX_RULE_ALWAYS},
    {"OptionalHasElement", optional_has_element, PN_ONNX_RULE_ALWAYS},
    {"SequenceAt", sequence_at, PN_ONNX_RULE_ALWAYS},
    {"SequenceConstruct", sequence_construct, PN_ONNX_RULE_ALWAYS},
    {"SequenceEmpty", sequence_empty, PN_ONNX_RULE_ALWAYS},
    {"SequenceErase", sequence_erase, PN_ONNX_RULE_ALWAYS},
    {"SequenceInsert", sequence_insert, PN_ONNX_RULE_ALWAYS},
    {"SequenceLength", sequence_length, PN_ONNX_RULE_ALWAYS},
    {"SequenceMap", sequence_map, PN_ONNX_RULE_ALWAYS},
    {"SplitToSequence", split_to_sequence, PN_ONNX_RULE_ALWAYS},
};

const pn_onnx_rules pn_onnx_rules_sequence = {rows, (uint32_t)PN_COUNT(rows)};
