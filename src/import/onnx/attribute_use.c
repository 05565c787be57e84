/* What a node says and no function read: nothing may be ignored in silence.

   Each attribute that the standard gives the operator in this version has been read by the operator's function, or
   stands in the table here with the reason why it makes no difference, or the node is refused: a result that is wrong
   without a word is worse than none. Of an attribute that the operator does not have nobody can tell what it was to do;
   exporters leave such behind, so it is a warning. */
#include "import/onnx/check/schema.h"
#include "import/onnx/scope.h"

#include <inttypes.h>

/* ---- what makes no difference ------------------------------------------------------------------------------------ */

typedef struct idle {
  const char *op; /* null: any */
  const char *attribute, *reason;
} idle;

static const idle idles[] = {
    {NULL, "consumed_inputs", "which operands may be overwritten is for the planner to say"},
    {"BatchNormalization", "is_test", "whether it trains can be told from its results"},
    {"Dropout", "is_test", "nothing is dropped in inference"},
    {"Dropout", "ratio", "nothing is dropped in inference"},
    {"Dropout", "seed", "nothing is dropped in inference"},
    {"Gemm", "broadcast", "C is broadcast wherever it has to be"},
    {"GroupNormalization", "stash_type", "statistics are never less precise than f32"},
    {"LinearAttention", "chunk_size", "how much is computed at once is for the tactics to say"},
    {"Range", "stash_type", "elements are computed in f64"},
    {"SimplifiedLayerNormalization", "stash_type", "statistics are never less precise than f32"},
    {"TreeEnsemble", "nodes_hitrates", "how often a place was visited is no part of the function"},
};

const char *pn_onnx_attribute_idle(const pn_onnx_node *node, pn_str attribute) {
  for (size_t i = 0; i < PN_COUNT(idles); i++)
    if (pn_str_is(attribute, idles[i].attribute) && (!idles[i].op || pn_str_is(node->op_type, idles[i].op)))
      return idles[i].reason;
  return NULL;
}

/* ---- what is said of the others ---------------------------------------------------------------------------------- */

enum { LISTED = 8, LETTERS = 64 }; /* of elements and of texts that are printed */

static void print_quoted(pn_text *text, pn_str s) {
  pn_text_quoted(text, (pn_str){s.data, s.size < LETTERS ? s.size : LETTERS});
}

/* "is 3", "is [1,2,3]", "is \"mean\"", "is a tensor". */
static void print_value(pn_text *text, const pn_onnx_attribute *a) {
  uint32_t count;
  switch (a->type) {
  case PN_ONNX_ATTR_INT: pn_text_printf(text, "is %" PRId64, a->i); return;
  case PN_ONNX_ATTR_FLOAT: pn_text_printf(text, "is %g", (double)a->f); return;
  case PN_ONNX_ATTR_STRING:
    pn_text_printf(text, "is ");
    print_quoted(text, a->s);
    return;
  case PN_ONNX_ATTR_INTS: count = a->ints.count; break;
  case PN_ONNX_ATTR_FLOATS: count = a->floats.count; break;
  case PN_ONNX_ATTR_STRINGS: count = a->strings.count; break;
  default: pn_text_printf(text, "is of type %s", pn_onnx_attr_type_name(a->type)); return;
  }
  pn_text_printf(text, "is [");
  for (uint32_t i = 0; i < count && i < LISTED; i++) {
    if (i) pn_text_printf(text, ",");
    if (a->type == PN_ONNX_ATTR_INTS) pn_text_printf(text, "%" PRId64, a->ints.data[i]);
    else if (a->type == PN_ONNX_ATTR_FLOATS) pn_text_printf(text, "%g", (double)a->floats.data[i]);
    else print_quoted(text, a->strings.data[i]);
  }
  pn_text_printf(text, count > LISTED ? ",...]" : "]");
}

/* `attribute "k" is 3, ` and |rest|. */
static void print_attribute(pn_text *text, const pn_onnx_attribute *a, const char *rest) {
  pn_text_printf(text, "attribute \"%.*s\" ", PN_STR_ARG(a->name));
  print_value(text, a);
  pn_text_printf(text, ", %s", rest);
}

static pelton_status refuse(const pn_onnx_call *c, const pn_onnx_attribute *a) {
  pn_text text;
  pn_text_init(&text, c->importer->scratch.allocator);
  print_attribute(&text, a,
                  "which Pelton does not look at in this operator: what it computes might differ from what is "
                  "asked for; take the attribute out of the model if it makes no difference");
  const pelton_status status = text.failed ? pn_fail_memory(c->diag, "a message")
                                           : pn_fail(c->diag, PELTON_UNSUPPORTED, "%s", text.data);
  pn_text_deinit(&text);
  return status;
}

static pelton_status warn(const pn_onnx_call *c, const pn_onnx_attribute *a, const char *rest) {
  pn_arena *arena = &c->importer->model->arena;
  pn_text text;
  if (c->importer->survey) return PELTON_OK; /* pelton_model_check has its own word on it */
  const char *title = pn_onnx_node_title(&c->importer->scratch, c->node, c->opset);
  if (!title) return pn_fail_memory(c->diag, "a warning");
  pn_text_init(&text, c->importer->scratch.allocator);
  pn_text_printf(&text, "%s: ", title);
  print_attribute(&text, a, rest);
  const char *copy = text.failed ? NULL : pn_str_copy(arena, (pn_str){text.data, text.size});
  pn_text_deinit(&text);
  return copy && pn_model_warn(c->importer->model, copy) ? PELTON_OK : pn_fail_memory(c->diag, "a warning");
}

/* ---- the settling ------------------------------------------------------------------------------------------------ */

/* The operator's row. Runtimes had some operators before the standard did: there its first version counts. */
static const pn_onnx_schema *schema_of(const pn_onnx_call *c) {
  int32_t later;
  const pn_onnx_schema *schema = pn_onnx_schema_find(c->node, c->opset, &later);
  return schema || !later ? schema : pn_onnx_schema_find(c->node, later, NULL);
}

static bool has_attribute(const pn_onnx_schema *schema, pn_str name) {
  pn_onnx_formal formal;
  for (const char *words = schema->attributes; pn_onnx_formal_next(&words, &formal);)
    if (pn_str_equal(formal.name, name)) return true;
  return false;
}

static bool stands_before(const pn_onnx_node *node, uint32_t index) {
  for (uint32_t i = 0; i < index; i++)
    if (pn_str_equal(node->attributes.data[i].name, node->attributes.data[index].name)) return true;
  return false;
}

pelton_status pn_onnx_attributes_settle(const pn_onnx_call *c) {
  const pn_onnx_schema *schema = NULL;
  pelton_status status = PELTON_OK;
  bool looked = false;
  for (uint32_t i = 0; i < c->node->attributes.count; i++) {
    const pn_onnx_attribute *a = &c->node->attributes.data[i];
    if (pn_str_starts(a->name, "__")) continue; /* a tool's note to itself, as the standard's checker has it */
    if (!looked) schema = schema_of(c);
    looked = true;
    const bool has = schema && has_attribute(schema, a->name);
    if (c->node->attributes_read[i]) {
      if (schema && !has)
        PN_TRY(warn(c, a, "which the operator does not have in this version; it counts all the same"));
    } else if (stands_before(c->node, i)) {
      return pn_fail(c->diag, PELTON_INVALID_DATA, "attribute \"%.*s\" is given twice", PN_STR_ARG(a->name));
    } else if (pn_onnx_attribute_idle(c->node, a->name)) {
      continue;
    } else if (has) {
      status = refuse(c, a);
      if (status != PELTON_UNSUPPORTED) return status;
    } else {
      PN_TRY(warn(c, a, "which the operator does not have in this version; it is ignored"));
    }
  }
  return status;
}
