/* Texts: joined, cut, cleaned, matched, counted. Lists of texts in attributes become constants. */
#include "import/onnx/importer.h"

static pelton_status wants_operands(const pn_onnx_call *c, uint32_t count) {
  if (c->input_count != count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has %u inputs, but must have %u", c->input_count, count);
  for (uint32_t i = 0; i < count; i++)
    if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  return PELTON_OK;
}

pelton_status pn_onnx_texts_constant(pn_onnx_call *c, const pn_onnx_strs *texts, pn_value_id *out) {
  const int64_t dims[1] = {texts->count};
  const pn_onnx_data data = {.elem = PN_ONNX_STRING,
                             .dtype = PELTON_DTYPE_STRING,
                             .rank = 1,
                             .dims = dims,
                             .count = texts->count,
                             .strings = texts->data};
  return pn_onnx_data_constant(c, &data, out);
}

/* Attribute |name| as a text in the graph's arena; empty when it is absent. */
static pelton_status text_attr(const pn_onnx_call *c, const char *name, pn_str *out) {
  pn_str text;
  PN_TRY(pn_onnx_attr_str(c->node, name, "", &text, c->diag));
  const char *copy = pn_str_copy(c->graph->arena, text);
  if (!copy) return pn_fail_memory(c->diag, "an attribute");
  *out = (pn_str){copy, text.size};
  return PELTON_OK;
}

static pelton_status import_string_concat(pn_onnx_call *c) {
  PN_TRY(wants_operands(c, 2));
  return pn_onnx_map(c, PN_OP_TEXT_CONCAT, NULL);
}

static pelton_status import_string_split(pn_onnx_call *c) {
  pn_attrs_text_split *a = pn_onnx_attrs(c, PN_OP_TEXT_SPLIT);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants_operands(c, 1));
  PN_TRY(text_attr(c, "delimiter", &a->delimiter));
  PN_TRY(pn_onnx_attr_i64(c->node, "maxsplit", -1, &a->most_splits, c->diag));
  return pn_onnx_map(c, PN_OP_TEXT_SPLIT, a);
}

/* Case is Unicode's, whatever the locale: that of the few languages that have rules of their own is refused. */
static pelton_status check_locale(const pn_onnx_call *c) {
  static const char *const others[] = {"tr", "az", "lt"};
  pn_str locale;
  PN_TRY(pn_onnx_attr_str(c->node, "locale", "", &locale, c->diag));
  for (size_t i = 0; i < PN_COUNT(others); i++)
    if (pn_str_starts(locale, others[i]) && (locale.size == 2 || locale.data[2] == '_' || locale.data[2] == '-'))
      return pn_fail(c->diag, PELTON_UNSUPPORTED,
                     "the letters of locale \"%.*s\", which change case by rules of their own", PN_STR_ARG(locale));
  return PELTON_OK;
}

static pelton_status import_string_normalizer(pn_onnx_call *c) {
  static const char *const words[] = {"NONE", "LOWER", "UPPER", NULL};
  static const pn_text_case cases[] = {PN_TEXT_CASE_NONE, PN_TEXT_CASE_LOWER, PN_TEXT_CASE_UPPER};
  pn_attrs_text_normalize *a = pn_onnx_attrs(c, PN_OP_TEXT_NORMALIZE);
  pn_value_id operands[2] = {pn_onnx_input(c, 0), PN_NO_VALUE};
  pn_onnx_strs stopwords;
  int letters = 0;
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants_operands(c, 1));
  PN_TRY(pn_onnx_word(c, "case_change_action", words, &letters));
  PN_TRY(check_locale(c));
  a->letters = cases[letters];
  PN_TRY(pn_onnx_attr_bool(c->node, "is_case_sensitive", false, &a->case_sensitive, c->diag));
  PN_TRY(pn_onnx_attr_strs(c->node, "stopwords", &stopwords, c->diag));
  if (stopwords.count) PN_TRY(pn_onnx_texts_constant(c, &stopwords, &operands[1]));
  return pn_onnx_map_over(c, PN_OP_TEXT_NORMALIZE, a, operands, stopwords.count ? 2 : 1);
}

static pelton_status import_regex_full_match(pn_onnx_call *c) {
  pn_attrs_text_match *a = pn_onnx_attrs(c, PN_OP_TEXT_MATCH);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants_operands(c, 1));
  PN_TRY(pn_onnx_attr_require(c->node, "pattern", c->diag));
  PN_TRY(text_attr(c, "pattern", &a->pattern));
  return pn_onnx_map(c, PN_OP_TEXT_MATCH, a);
}

static pelton_status import_tf_idf_vectorizer(pn_onnx_call *c) {
  static const char *const words[] = {"TF", "IDF", "TFIDF", NULL};
  static const pn_tf_idf_mode modes[] = {PN_TF_IDF_TF, PN_TF_IDF_IDF, PN_TF_IDF_TFIDF};
  static const char *const required[] = {"mode",          "min_gram_length", "max_gram_length",
                                         "max_skip_count", "ngram_counts",    "ngram_indexes"};
  pn_attrs_tf_idf *a = pn_onnx_attrs(c, PN_OP_TF_IDF);
  pn_value_id operands[3] = {pn_onnx_input(c, 0), PN_NO_VALUE, PN_NO_VALUE};
  pn_onnx_strs texts;
  pn_onnx_i64s numbers;
  pn_onnx_f32s weights;
  int mode = 0;
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(wants_operands(c, 1));
  for (size_t i = 0; i < PN_COUNT(required); i++) PN_TRY(pn_onnx_attr_require(c->node, required[i], c->diag));
  PN_TRY(pn_onnx_word(c, "mode", words, &mode));
  a->mode = modes[mode];
  PN_TRY(pn_onnx_attr_i64(c->node, "min_gram_length", 1, &a->least_gram, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "max_gram_length", 1, &a->most_gram, c->diag));
  PN_TRY(pn_onnx_attr_i64(c->node, "max_skip_count", 0, &a->most_skips, c->diag));
  PN_TRY(pn_onnx_ints(c, "ngram_counts", &a->gram_starts));
  PN_TRY(pn_onnx_ints(c, "ngram_indexes", &a->gram_columns));
  PN_TRY(pn_onnx_attr_strs(c->node, "pool_strings", &texts, c->diag));
  PN_TRY(pn_onnx_attr_i64s(c->node, "pool_int64s", &numbers, c->diag));
  if (texts.count && numbers.count)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it has two pools, of texts and of integers");
  if (pn_onnx_dtype(c, 0) == PELTON_DTYPE_STRING) PN_TRY(pn_onnx_texts_constant(c, &texts, &operands[1]));
  else PN_TRY(pn_onnx_i64s_constant(c, numbers.data, numbers.count, &operands[1]));
  PN_TRY(pn_onnx_attr_f32s(c->node, "weights", &weights, c->diag));
  if (!weights.count) return pn_onnx_map_over(c, PN_OP_TF_IDF, a, operands, 2);
  const int64_t dims[1] = {weights.count};
  const pn_type type = pn_type_make(PELTON_DTYPE_F32, 1, dims);
  operands[2] = pn_graph_add_constant_copy(c->graph, c->name, &type, weights.data);
  if (!pn_value_valid(operands[2])) return pn_fail_memory(c->diag, "a constant");
  return pn_onnx_map_over(c, PN_OP_TF_IDF, a, operands, 3);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"RegexFullMatch", "", 20, 0, import_regex_full_match},
    {"StringConcat", "", 20, 0, import_string_concat},
    {"StringNormalizer", "", 10, 0, import_string_normalizer},
    {"StringSplit", "", 20, 0, import_string_split},
    {"TfIdfVectorizer", "", 9, 0, import_tf_idf_vectorizer},
};

const pn_onnx_ops pn_onnx_ops_text = {rows, (uint32_t)PN_COUNT(rows)};
