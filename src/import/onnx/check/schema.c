#include "import/onnx/check/schema.h"

#include "op/type.h"

static const pn_onnx_schema rows[] = {
#define PN_ONNX_NEWEST(version)
#define PN_ONNX_SCHEMA(domain, name, since, inputs, outputs, attributes)                                               \
  {domain, name, since, inputs, outputs, attributes},
#include "import/onnx/check/schemas.def"
#undef PN_ONNX_SCHEMA
#undef PN_ONNX_NEWEST
};

enum {
#define PN_ONNX_NEWEST(version) NEWEST = version,
#define PN_ONNX_SCHEMA(domain, name, since, inputs, outputs, attributes)
#include "import/onnx/check/schemas.def"
#undef PN_ONNX_SCHEMA
#undef PN_ONNX_NEWEST
};

int64_t pn_onnx_schema_newest(void) { return NEWEST; }

bool pn_onnx_schema_domain(pn_str domain) {
  for (size_t i = 0; i < PN_COUNT(rows); i++)
    if (pn_onnx_domain_equal(domain, pn_str_from(rows[i].domain))) return true;
  return false;
}

const pn_onnx_schema *pn_onnx_schema_find(const pn_onnx_node *node, int64_t opset, int32_t *later) {
  const pn_onnx_schema *found = NULL;
  if (later) *later = 0;
  for (size_t i = 0; i < PN_COUNT(rows); i++) { /* versions of an operator are in order */
    if (!pn_str_is(node->op_type, rows[i].name)) continue;
    if (!pn_onnx_domain_equal(node->domain, pn_str_from(rows[i].domain))) continue;
    if (rows[i].since <= opset)
      found = &rows[i];
    else if (!found && later && *later == 0)
      *later = rows[i].since;
  }
  return found;
}

bool pn_onnx_schema_withdrawn(const pn_onnx_schema *schema) { return schema->inputs[0] == '-'; }

bool pn_onnx_formal_next(const char **words, pn_onnx_formal *out) {
  const char *p = *words;
  while (*p == ' ') p++;
  if (!*p) return false;
  const char *name = p;
  while (*p != ':') p++;
  const char *type = p + 1;
  for (p = type; *p && *p != ' ' && *p != '?' && *p != '*' && *p != '!';) p++;
  *out = (pn_onnx_formal){.name = {name, (size_t)(type - 1 - name)}, .type = {type, (size_t)(p - type)}, .least = -1};
  if (*p == '?') out->optional = true;
  if (*p == '!') out->required = true;
  if (*p == '*') out->least = p[1] - '0';
  while (*p && *p != ' ') p++;
  *words = p;
  return true;
}

bool pn_onnx_formal_at(const char *words, uint32_t index, pn_onnx_formal *out) {
  for (uint32_t i = 0; pn_onnx_formal_next(&words, out); i++)
    if (i == index || out->least >= 0) return true;
  return false;
}

void pn_onnx_formal_counts(const char *words, uint32_t *least, uint32_t *most) {
  pn_onnx_formal formal;
  *least = *most = 0;
  for (uint32_t i = 0; pn_onnx_formal_next(&words, &formal); i++) {
    *most = formal.least >= 0 ? UINT32_MAX : i + 1;
    if (formal.least >= 0)
      *least = formal.least > 0 ? i + (uint32_t)formal.least : *least;
    else if (!formal.optional)
      *least = i + 1;
  }
}

int32_t pn_onnx_formal_attr_type(char kind) {
  static const struct {
    char kind;
    pn_onnx_attr_type type;
  } kinds[] = {
      {'f', PN_ONNX_ATTR_FLOAT},  {'i', PN_ONNX_ATTR_INT},           {'s', PN_ONNX_ATTR_STRING},
      {'t', PN_ONNX_ATTR_TENSOR}, {'g', PN_ONNX_ATTR_GRAPH},         {'F', PN_ONNX_ATTR_FLOATS},
      {'I', PN_ONNX_ATTR_INTS},   {'S', PN_ONNX_ATTR_STRINGS},       {'T', PN_ONNX_ATTR_TENSORS},
      {'G', PN_ONNX_ATTR_GRAPHS}, {'p', PN_ONNX_ATTR_SPARSE_TENSOR}, {'y', PN_ONNX_ATTR_TYPE_PROTO},
  };
  for (size_t i = 0; i < PN_COUNT(kinds); i++)
    if (kinds[i].kind == kind) return (int32_t)kinds[i].type;
  return PN_ONNX_ATTR_UNDEFINED;
}

int32_t pn_onnx_formal_elem(pn_str type) {
  pelton_dtype dtype;
  if (pn_str_is(type, "string")) return PN_ONNX_STRING;
  if (!pn_dtype_parse(type, &dtype)) return PN_ONNX_UNDEFINED;
  for (int32_t elem = 1; elem < PN_ONNX_ELEM_COUNT; elem++)
    if (pn_onnx_elem_dtype(elem) == dtype) return elem;
  return PN_ONNX_UNDEFINED;
}
