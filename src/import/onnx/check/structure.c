/* From the model inwards: graphs, values, nodes, attributes, tensors. Nothing stops at the first mistake, save where
   memory is out: |wrong| counts them. */
#include "import/onnx/check/structure.h"

#include "base/diag.h"
#include "import/onnx/attribute.h"
#include "import/onnx/check/schema.h"

#include <inttypes.h>

typedef struct names {
  const struct names *outer;
  pn_map map;
} names;

typedef struct checker {
  const pn_onnx_model *model;
  const pn_onnx_opsets *opsets;
  pn_onnx_source *source;
  pn_arena *arena;
  pelton_diag *diag;
  uint32_t wrong;
  bool no_memory;
  bool in_function; /* attributes may stand for those of a call */
} checker;

static void wrong(checker *c, const char *format, ...) PN_PRINTF(2, 3);
static void wrong(checker *c, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  pn_failv(c->diag, PELTON_INVALID_DATA, format, arguments);
  va_end(arguments);
  c->wrong++;
}

/* The same for a mistake of |node|. */
#define WRONG(c, node, ...) ((void)pn_onnx_node_fail(node, (c)->diag, PELTON_INVALID_DATA, __VA_ARGS__), (c)->wrong++)

static void check_graph(checker *c, const pn_onnx_graph *g, const names *outer);

/* ---- names ----------------------------------------------------------------------------------------------------- */

static bool is_here(const names *n, pn_str name) {
  uint32_t at;
  return pn_map_get(&n->map, name, &at);
}

static bool is_known(const names *n, pn_str name) {
  uint32_t at;
  for (; n; n = n->outer)
    if (pn_map_get(&n->map, name, &at)) return true;
  return false;
}

static void add_name(checker *c, names *n, pn_str name) {
  if (!pn_map_set(&n->map, name, 0)) c->no_memory = true;
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

/* How many ways of storing elements the file uses for |t|. */
static uint32_t ways_of_storing(const pn_onnx_tensor *t) {
  const pn_pb_lazy *const lists[] = {&t->floats, &t->int32s, &t->int64s, &t->doubles, &t->uint64s};
  uint32_t count = (t->raw.size > 0 ? 1u : 0u) + (t->strings.count > 0 ? 1u : 0u);
  for (size_t i = 0; i < PN_COUNT(lists); i++) {
    uint64_t numbers = 0;
    if (lists[i]->field && pn_pb_lazy_count(lists[i], &numbers, NULL) == PELTON_OK && numbers > 0) count++;
  }
  return count;
}

static void check_tensor(checker *c, const pn_onnx_tensor *t) {
  pn_onnx_data data;
  const uint32_t ways = ways_of_storing(t);
  if (ways > 1)
    wrong(c, "tensor \"%.*s\" stores its elements in %u ways (raw_data, float_data, ...); it must use one",
          PN_STR_ARG(t->name), ways);
  const pelton_status status = pn_onnx_tensor_data(t, c->source, 1, c->arena, &data, c->diag);
  if (status == PELTON_OUT_OF_MEMORY) c->no_memory = true;
  if (status == PELTON_INVALID_DATA || status == PELTON_IO_ERROR) c->wrong++;
}

static void check_sparse_tensor(checker *c, const pn_onnx_sparse_tensor *t, const char *what) {
  if (!t->values || !t->indices) {
    wrong(c, "%s has no %s", what, t->values ? "indices" : "values");
    return;
  }
  pn_onnx_data data;
  const uint32_t mark = pn_diag_mark(c->diag);
  const pelton_status status = pn_onnx_sparse_tensor_data(t, c->source, c->arena, &data, c->diag);
  if (status == PELTON_OUT_OF_MEMORY) c->no_memory = true;
  if (status == PELTON_INVALID_DATA || status == PELTON_IO_ERROR) c->wrong++;
  if (status == PELTON_UNSUPPORTED) pn_diag_rewind(c->diag, mark);
}

/* ---- attributes ------------------------------------------------------------------------------------------------ */

static uint32_t members_set(const pn_onnx_attribute *a, int32_t *type) {
  const struct {
    bool set;
    pn_onnx_attr_type type;
  } members[] = {
      {a->has_f, PN_ONNX_ATTR_FLOAT},
      {a->has_i, PN_ONNX_ATTR_INT},
      {a->s.data != NULL, PN_ONNX_ATTR_STRING},
      {a->t != NULL, PN_ONNX_ATTR_TENSOR},
      {a->g != NULL, PN_ONNX_ATTR_GRAPH},
      {a->sparse_tensor != NULL, PN_ONNX_ATTR_SPARSE_TENSOR},
      {a->tp != NULL, PN_ONNX_ATTR_TYPE_PROTO},
      {a->floats.count > 0, PN_ONNX_ATTR_FLOATS},
      {a->ints.count > 0, PN_ONNX_ATTR_INTS},
      {a->strings.count > 0, PN_ONNX_ATTR_STRINGS},
      {a->tensors.count > 0, PN_ONNX_ATTR_TENSORS},
      {a->graphs.count > 0, PN_ONNX_ATTR_GRAPHS},
      {a->sparse_tensors.count > 0, PN_ONNX_ATTR_SPARSE_TENSORS},
      {a->type_protos.count > 0, PN_ONNX_ATTR_TYPE_PROTOS},
  };
  uint32_t count = 0;
  for (size_t i = 0; i < PN_COUNT(members); i++)
    if (members[i].set) count++, *type = (int32_t)members[i].type;
  return count;
}

static void check_attribute(checker *c, const pn_onnx_node *node, const pn_onnx_attribute *a, const names *known) {
  int32_t type = a->type;
  if (a->name.size == 0) WRONG(c, node, "one of its attributes has no name");
  if (a->ref_attr_name.size > 0) {
    if (!c->in_function)
      WRONG(c, node, "attribute \"%.*s\" stands for \"%.*s\" of a function, but the node is in no function's body",
            PN_STR_ARG(a->name), PN_STR_ARG(a->ref_attr_name));
    return;
  }
  const uint32_t count = members_set(a, &type);
  if (count > 1)
    WRONG(c, node, "attribute \"%.*s\" holds %u values of different kinds; it must hold one", PN_STR_ARG(a->name),
          count);
  else if (type != a->type)
    WRONG(c, node, "attribute \"%.*s\" says it is of type %s, but holds one of type %s", PN_STR_ARG(a->name),
          pn_onnx_attr_type_name(a->type), pn_onnx_attr_type_name(type));
  if (a->t) check_tensor(c, a->t);
  for (uint32_t i = 0; i < a->tensors.count; i++) check_tensor(c, &a->tensors.data[i]);
  if (a->sparse_tensor) check_sparse_tensor(c, a->sparse_tensor, "the sparse tensor of an attribute");
  if (a->g) check_graph(c, a->g, known);
  for (uint32_t i = 0; i < a->graphs.count; i++) check_graph(c, &a->graphs.data[i], known);
}

static void check_attributes(checker *c, const pn_onnx_node *node, const pn_onnx_schema *schema) {
  pn_onnx_formal formal;
  for (uint32_t i = 0; i < node->attributes.count; i++) {
    const pn_onnx_attribute *a = &node->attributes.data[i];
    const char *words = schema->attributes;
    bool found = false;
    while (!found && pn_onnx_formal_next(&words, &formal)) found = pn_str_equal(formal.name, a->name);
    if (!found && !pn_str_starts(a->name, "__")) {
      WRONG(c, node, "it has an attribute \"%.*s\", which the operator does not have in this version; known: %s",
            PN_STR_ARG(a->name), schema->attributes[0] ? schema->attributes : "none");
      continue;
    }
    const int32_t type = found ? pn_onnx_formal_attr_type(formal.type.data[0]) : a->type;
    if (found && a->type != type && a->type != PN_ONNX_ATTR_UNDEFINED)
      WRONG(c, node, "attribute \"%.*s\" has type %s, but must have type %s", PN_STR_ARG(a->name),
            pn_onnx_attr_type_name(a->type), pn_onnx_attr_type_name(type));
    for (uint32_t k = 0; k < i; k++)
      if (pn_str_equal(node->attributes.data[k].name, a->name))
        WRONG(c, node, "attribute \"%.*s\" is given twice", PN_STR_ARG(a->name));
  }
  for (const char *words = schema->attributes; pn_onnx_formal_next(&words, &formal);) {
    bool given = !formal.required;
    for (uint32_t i = 0; i < node->attributes.count && !given; i++)
      given = pn_str_equal(node->attributes.data[i].name, formal.name);
    if (!given) WRONG(c, node, "attribute \"%.*s\" is missing; the operator needs it", PN_STR_ARG(formal.name));
  }
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static void check_operands(checker *c, const pn_onnx_node *node, const pn_onnx_strs *given, const char *words,
                           const char *what) {
  uint32_t least, most;
  pn_onnx_formal formal;
  pn_onnx_formal_counts(words, &least, &most);
  if (given->count < least || given->count > most) {
    if (most == UINT32_MAX)
      WRONG(c, node, "it has %u %ss, but must have %u or more", given->count, what, least);
    else if (least == most)
      WRONG(c, node, "it has %u %ss, but must have %u", given->count, what, least);
    else
      WRONG(c, node, "it has %u %ss, but must have %u to %u", given->count, what, least, most);
  }
  for (uint32_t i = 0; i < given->count; i++)
    if (given->data[i].size == 0 && pn_onnx_formal_at(words, i, &formal) && !formal.optional && formal.least < 0)
      WRONG(c, node, "its %s %u (%.*s) has an empty name, but must not be left out", what, i, PN_STR_ARG(formal.name));
}

static bool is_function(const checker *c, const pn_onnx_node *node) {
  for (uint32_t i = 0; i < c->model->functions.count; i++) {
    const pn_onnx_function *f = &c->model->functions.data[i];
    if (pn_str_equal(f->name, node->op_type) && pn_onnx_domain_equal(f->domain, node->domain)) return true;
  }
  return false;
}

/* Operators that were on trial in the first versions, and that later versions do not have: they are let through, as the
   standard's own checker does, and reported as unsupported where they are to be run. */
static bool was_experimental(pn_str op) {
  static const char *const known[] = {"ATen",
                                      "Affine",
                                      "ConstantFill",
                                      "Crop",
                                      "DynamicSlice",
                                      "GRUUnit",
                                      "GivenTensorFill",
                                      "ImageScaler",
                                      "ParametricSoftplus",
                                      "Scale",
                                      "ScaledTanh"};
  for (size_t i = 0; i < PN_COUNT(known); i++)
    if (pn_str_is(op, known[i])) return true;
  return false;
}

static void check_operator(checker *c, const pn_onnx_node *node) {
  int64_t opset;
  int32_t later;
  const bool standard = pn_onnx_domain_equal(node->domain, PN_STR(""));
  const pn_str domain = standard ? PN_STR("ai.onnx") : node->domain;
  if (!pn_onnx_opset_version(c->opsets, node->domain, &opset)) {
    if (!is_function(c, node))
      WRONG(c, node, "the model imports no operator set of domain \"%.*s\"", PN_STR_ARG(domain));
    return;
  }
  const pn_onnx_schema *schema = pn_onnx_schema_find(node, opset, &later);
  if (is_function(c, node) || (!schema && standard && was_experimental(node->op_type))) return;
  if (!schema) {
    if (!pn_onnx_schema_domain(node->domain) || (standard && opset > pn_onnx_schema_newest())) return;
    if (later)
      WRONG(c, node,
            "operator set %" PRId64 " of %.*s, which the model imports, has no such operator; it came with %" PRId32
            ": import that version",
            opset, PN_STR_ARG(domain), later);
    else
      WRONG(c, node, "operator set %" PRId64 " of %.*s has no such operator", opset, PN_STR_ARG(domain));
    return;
  }
  if (pn_onnx_schema_withdrawn(schema)) {
    WRONG(c, node,
          "operator set %" PRId64
          " of %.*s, which the model imports, has withdrawn the operator since version %" PRId32,
          opset, PN_STR_ARG(domain), schema->since);
    return;
  }
  check_operands(c, node, &node->inputs, schema->inputs, "input");
  check_operands(c, node, &node->outputs, schema->outputs, "output");
  check_attributes(c, node, schema);
}

static void check_nodes(checker *c, const pn_onnx_nodes *nodes, names *known) {
  for (uint32_t i = 0; i < nodes->count; i++) {
    const pn_onnx_node *node = &nodes->data[i];
    if (node->op_type.size == 0) WRONG(c, node, "node %u has no operator (op_type is empty)", i);
    if (node->inputs.count + node->outputs.count == 0) WRONG(c, node, "it has neither inputs nor outputs");
    for (uint32_t k = 0; k < node->inputs.count; k++) {
      const pn_str name = node->inputs.data[k];
      if (name.size > 0 && !is_known(known, name))
        WRONG(c, node,
              "its input %u, \"%.*s\", is no input or initializer of the graph and no result of a node before it; "
              "nodes must stand in order of evaluation",
              k, PN_STR_ARG(name));
    }
    if (node->op_type.size > 0) check_operator(c, node);
    for (uint32_t k = 0; k < node->attributes.count; k++) check_attribute(c, node, &node->attributes.data[k], known);
    for (uint32_t k = 0; k < node->outputs.count; k++) {
      const pn_str name = node->outputs.data[k];
      if (name.size == 0) continue;
      if (is_known(known, name))
        WRONG(c, node, "its output \"%.*s\" is already the name of another value; each name may be defined once",
              PN_STR_ARG(name));
      add_name(c, known, name);
    }
  }
}

/* ---- graphs ---------------------------------------------------------------------------------------------------- */

static void check_type(checker *c, const pn_onnx_type *type, pn_str name, const char *what, bool is_inner) {
  switch (pn_onnx_type_kind_of(type)) {
  case PN_ONNX_TYPE_NONE: wrong(c, "%s \"%.*s\" has no type", what, PN_STR_ARG(name)); return;
  case PN_ONNX_TYPE_TENSOR:
  case PN_ONNX_TYPE_SPARSE_TENSOR: {
    const pn_onnx_tensor_type *tensor = type->tensor ? type->tensor : type->sparse_tensor;
    if (tensor->elem <= 0 || tensor->elem >= PN_ONNX_ELEM_COUNT)
      wrong(c, "%s \"%.*s\": elem_type is %" PRId32 ", which is no element type of ONNX (1 to %d)", what,
            PN_STR_ARG(name), tensor->elem, PN_ONNX_ELEM_COUNT - 1);
    if (!tensor->shape && !is_inner)
      wrong(c, "%s \"%.*s\": the field shape is missing; give each dimension a number, a name, or neither", what,
            PN_STR_ARG(name));
    return;
  }
  case PN_ONNX_TYPE_SEQUENCE: check_type(c, type->sequence->elem, name, what, true); return;
  case PN_ONNX_TYPE_OPTIONAL: check_type(c, type->optional->elem, name, what, true); return;
  case PN_ONNX_TYPE_MAP: check_type(c, type->map->value, name, what, true); return;
  case PN_ONNX_TYPE_OPAQUE: return;
  }
}

static void check_values(checker *c, const pn_onnx_value_infos *infos, const char *what, bool nested) {
  for (uint32_t i = 0; i < infos->count; i++) {
    if (infos->data[i].name.size == 0) wrong(c, "%s %u has no name", what, i);
    if (!nested) check_type(c, infos->data[i].type, infos->data[i].name, what, false);
  }
}

static void check_initializers(checker *c, const pn_onnx_graph *g, names *known) {
  names seen = {.outer = NULL};
  pn_map_init(&seen.map, c->arena);
  for (uint32_t i = 0; i < g->initializers.count + g->sparse_initializers.count; i++) {
    const bool dense = i < g->initializers.count;
    const pn_onnx_sparse_tensor *sparse = dense ? NULL : &g->sparse_initializers.data[i - g->initializers.count];
    const pn_onnx_tensor *t = dense ? &g->initializers.data[i] : sparse->values;
    const char *what = dense ? "initializer" : "sparse initializer";
    if (dense)
      check_tensor(c, t);
    else
      check_sparse_tensor(c, sparse, "a sparse initializer");
    if (!t) continue;
    if (t->name.size == 0)
      wrong(c, "%s %u of graph \"%.*s\" has no name", what, dense ? i : i - g->initializers.count, PN_STR_ARG(g->name));
    else if (is_known(&seen, t->name))
      wrong(c, "%s \"%.*s\": there is another initializer of this name", what, PN_STR_ARG(t->name));
    if (c->model->ir_version < 4 && !known->outer && !is_known(known, t->name))
      wrong(c,
            "%s \"%.*s\" is no input of the graph, as it must be before IR version 4; the file is of version %" PRId64,
            what, PN_STR_ARG(t->name), c->model->ir_version);
    add_name(c, &seen, t->name);
    add_name(c, known, t->name);
  }
}

static void check_graph(checker *c, const pn_onnx_graph *g, const names *outer) {
  names known = {.outer = outer};
  pn_map_init(&known.map, c->arena);
  if (g->name.size == 0) wrong(c, "%s has no name", outer ? "a subgraph" : "the graph");
  check_values(c, &g->inputs, "input", outer != NULL);
  check_values(c, &g->outputs, "output", outer != NULL);
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const pn_str name = g->inputs.data[i].name;
    if (is_here(&known, name))
      wrong(c, "input \"%.*s\" of graph \"%.*s\": the name is used already; each may be defined once", PN_STR_ARG(name),
            PN_STR_ARG(g->name));
    add_name(c, &known, name);
  }
  check_initializers(c, g, &known);
  check_nodes(c, &g->nodes, &known);
}

/* ---- the model ------------------------------------------------------------------------------------------------- */

static void check_versions(checker *c) {
  const pn_onnx_model *m = c->model;
  int64_t opset;
  if (m->ir_version <= 0) wrong(c, "ir_version is %" PRId64 "; it must be 1 or more", m->ir_version);
  if (m->ir_version >= 3 && m->opsets.count == 0)
    wrong(c, "opset_import is empty; a model of IR version %" PRId64 " must say which operator sets it uses",
          m->ir_version);
  if (m->ir_version < 3 && m->opsets.count > 0)
    wrong(c, "opset_import is given, but IR version %" PRId64 " does not have it", m->ir_version);
  if (pn_onnx_opset_version(&m->opsets, PN_STR(""), &opset) && opset < 1)
    wrong(c, "opset_import: version %" PRId64 " of ai.onnx; the first is 1", opset);
  for (uint32_t i = 0; i < m->metadata.count; i++)
    for (uint32_t k = 0; k < i; k++)
      if (pn_str_equal(m->metadata.data[i].key, m->metadata.data[k].key))
        wrong(c, "metadata_props has the key \"%.*s\" twice", PN_STR_ARG(m->metadata.data[i].key));
}

static void check_function(checker *c, const pn_onnx_function *f) {
  names known = {.outer = NULL};
  pn_map_init(&known.map, c->arena);
  if (f->name.size == 0) wrong(c, "a function of domain \"%.*s\" has no name", PN_STR_ARG(f->domain));
  for (uint32_t i = 0; i < f->inputs.count; i++) {
    if (is_known(&known, f->inputs.data[i]))
      wrong(c, "function \"%.*s\" has two inputs \"%.*s\"", PN_STR_ARG(f->name), PN_STR_ARG(f->inputs.data[i]));
    add_name(c, &known, f->inputs.data[i]);
  }
  c->opsets = &f->opsets;
  c->in_function = true;
  check_nodes(c, &f->nodes, &known);
  c->in_function = false;
  c->opsets = &c->model->opsets;
}

pelton_status pn_onnx_check_structure(const pn_onnx_model *model, pn_onnx_source *source, pn_arena *arena,
                                      pelton_diag *diag) {
  checker c = {.model = model, .opsets = &model->opsets, .source = source, .arena = arena, .diag = diag};
  check_versions(&c);
  check_graph(&c, model->graph, NULL);
  for (uint32_t i = 0; i < model->functions.count; i++) check_function(&c, &model->functions.data[i]);
  if (c.no_memory) return pn_fail_memory(diag, "a check of a model");
  return c.wrong > 0 ? PELTON_INVALID_DATA : PELTON_OK;
}
