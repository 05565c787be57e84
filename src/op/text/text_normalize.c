/* text_normalize: a row of texts without those that are stopwords, in upper or lower case. A row that loses all its
   texts becomes one empty text. Whether a text is a stopword is decided before its case changes; where case is not to
   matter, both are compared in lower case.

   Case follows Unicode's simple mappings, one code point for one, whatever the locale. */
#include "op/operand.h"
#include "op/text/strings.h"
#include "op/text/unicode.h"

pelton_status pn_check_text_normalize(const pn_infer *c) {
  PN_TRY(pn_operand_wants_texts(c, "text_normalize", 0, "the operand"));
  PN_TRY(pn_operand_wants_texts(c, "text_normalize", 1, "stopwords"));
  PN_TRY(pn_operand_wants_rank(c, "text_normalize", 0, "the operand", 1, 2));
  const pn_type *x = &c->in[0].type;
  if (x->rank == 2 && pn_dim_is_number(x->dims[0]) && x->dims[0].number != 1)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "text_normalize: the operand has %lld rows; it must be one row",
                   (long long)x->dims[0].number);
  return pn_operand_wants_rank(c, "text_normalize", 1, "stopwords", 1, 1);
}

pelton_status pn_infer_text_normalize(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  pn_infer_unknown(c, 0, PELTON_DTYPE_STRING, x->rank);
  if (x->rank == 2) c->out[0].type.dims[0] = pn_dim_of(1);
  return PELTON_OK;
}

/* |text| in another case to |out|, which may be null; its bytes. */
static size_t convert(pn_text_case letters, pn_str text, char *out) {
  char one[PN_RUNE_BYTES];
  size_t size = 0, bytes;
  for (; text.size; text.data += bytes, text.size -= bytes) {
    uint32_t rune = pn_rune_read(text, &bytes);
    if (letters == PN_TEXT_CASE_LOWER) rune = pn_rune_lower(rune);
    if (letters == PN_TEXT_CASE_UPPER) rune = pn_rune_upper(rune);
    size += pn_rune_write(rune, out ? out + size : one);
  }
  return size;
}

/* |*text| in another case, in |arena|. */
static bool set_case(pn_text_case letters, pn_arena *arena, pn_str *text) {
  if (letters == PN_TEXT_CASE_NONE) return true;
  const size_t size = convert(letters, *text, NULL);
  char *copy = pn_arena_alloc(arena, size, 1);
  if (!copy) return false;
  convert(letters, *text, copy);
  *text = (pn_str){copy, size};
  return true;
}

/* Which texts stay. */
static pelton_status keep(const pn_call *call, int64_t count, bool *kept, int64_t *kept_count) {
  const pn_attrs_text_normalize *attrs = call->attrs;
  const pn_text_case compared = attrs->case_sensitive ? PN_TEXT_CASE_NONE : PN_TEXT_CASE_LOWER;
  const int64_t words = pn_call_has(call, 1) ? pn_tensor_elements(&call->in[1]) : 0;
  pn_map stopwords;
  pn_map_init(&stopwords, call->scratch);
  bool memory = true;
  for (int64_t i = 0; i < words && memory; i++) {
    pn_str word = pn_tensor_str(&call->in[1], i);
    memory = set_case(compared, call->scratch, &word) && pn_map_set(&stopwords, word, 0);
  }
  *kept_count = 0;
  for (int64_t i = 0; i < count && memory; i++) {
    pn_str word = pn_tensor_str(&call->in[0], i);
    uint32_t ignored;
    if (words) memory = set_case(compared, call->scratch, &word);
    kept[i] = !words || !pn_map_get(&stopwords, word, &ignored);
    *kept_count += kept[i];
  }
  return memory ? PELTON_OK : pn_fail_memory(call->diag, "stopwords");
}

pelton_status pn_reference_text_normalize(const pn_call *call) {
  const pn_attrs_text_normalize *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  const int64_t count = pn_tensor_elements(x);
  int64_t kept_count, dims[2] = {1, 1};
  if (x->rank < 1 || x->rank > 2 || (x->rank == 2 && x->dims[0] != 1))
    return pn_fail(call->diag, PELTON_INVALID_DATA, "text_normalize: the operand must be a list or one row");
  bool *kept = PN_NEW_ARRAY(call->scratch, bool, (size_t)count);
  if (!kept) return pn_fail_memory(call->diag, "stopwords");
  PN_TRY(keep(call, count, kept, &kept_count));
  dims[x->rank - 1] = kept_count ? kept_count : 1;
  PN_TRY(pn_call_resize(call, 0, x->rank, dims));
  pelton_string *y = pn_tensor_strings(&call->out[0]);
  if (!y) return PELTON_OK;
  if (!kept_count) *y = (pelton_string){NULL, 0};
  for (int64_t i = 0; i < count; i++) {
    pn_str text = pn_tensor_str(x, i);
    if (!kept[i]) continue;
    if (!set_case(attrs->letters, call->lasting, &text)) return pn_fail_memory(call->diag, "texts in another case");
    *y++ = pn_string_of(text);
  }
  return PELTON_OK;
}
