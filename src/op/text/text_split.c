/* text_split: each text cut at a delimiter, or at runs of white space, into a new last axis that is as long as the most
   parts; shorter rows end in empty texts. The second result counts each text's parts.

   A delimiter cuts wherever it stands: two in a row have an empty text between them, and a text without any is one
   part. At white space, none is left around a part, and a text of white space alone has no part; what remains after the
   last permitted cut keeps its white space at the end. Parts are pieces of the operand's texts where they lie. */
#include "op/operand.h"
#include "op/text/strings.h"
#include "op/text/unicode.h"

pelton_status pn_check_text_split(const pn_infer *c) {
  PN_TRY(pn_operand_wants_texts(c, "text_split", 0, "the operand"));
  return pn_operand_wants_rank(c, "text_split", 0, "the operand", 0, PN_MAX_RANK - 1);
}

pelton_status pn_infer_text_split(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  c->out[0].type = *x;
  if (x->rank != PN_RANK_UNKNOWN) c->out[0].type.dims[c->out[0].type.rank++] = pn_dim_fresh(c->symbols);
  if (c->output_count > 1) {
    c->out[1].type = *x;
    c->out[1].type.dtype = PELTON_DTYPE_I64;
  }
  return PELTON_OK;
}

/* What is left of a text, and how many cuts may still be made. */
typedef struct splitter {
  pn_str rest, delimiter;
  int64_t cuts; /* below 0: any number */
  bool done;
} splitter;

static splitter split_begin(const pn_attrs_text_split *attrs, pn_str text) {
  splitter s = {text, attrs->delimiter, attrs->most_splits, false};
  if (s.delimiter.size == 0) s.rest = pn_str_skip_space(s.rest);
  s.done = s.delimiter.size == 0 && s.rest.size == 0;
  return s;
}

static size_t find(pn_str text, pn_str what) {
  for (size_t i = 0; i + what.size <= text.size; i++) {
    const char *next = memchr(text.data + i, what.data[0], text.size - what.size - i + 1);
    if (!next) break;
    i = (size_t)(next - text.data);
    if (!memcmp(next, what.data, what.size)) return i;
  }
  return text.size;
}

/* The next part; only while not |done|. */
static pn_str split_next(splitter *s) {
  pn_str part = s->rest;
  const bool may_cut = s->cuts != 0;
  if (s->cuts > 0) s->cuts--;
  if (may_cut) part.size = s->delimiter.size ? find(s->rest, s->delimiter) : pn_str_word_bytes(s->rest);
  if (part.size == s->rest.size) {
    s->done = true;
    return part;
  }
  const size_t used = part.size + s->delimiter.size;
  s->rest = (pn_str){s->rest.data + used, s->rest.size - used};
  if (s->delimiter.size == 0) {
    s->rest = pn_str_skip_space(s->rest);
    s->done = s->rest.size == 0;
  }
  return part;
}

/* Counts the parts of each text into |counts|; the most of them. */
static int64_t count_parts(const pn_call *call, int64_t texts, int64_t *counts) {
  int64_t most = 0;
  for (int64_t i = 0; i < texts; i++) {
    for (splitter s = split_begin(call->attrs, pn_tensor_str(&call->in[0], i)); !s.done; counts[i]++)
      (void)split_next(&s);
    most = pn_max_i64(most, counts[i]);
  }
  return most;
}

pelton_status pn_reference_text_split(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  const int64_t texts = pn_tensor_elements(x);
  int64_t dims[PN_MAX_RANK];
  if (x->rank >= PN_MAX_RANK) return PN_INTERNAL(call->diag, "text_split has no axis left");
  int64_t *counts = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)texts);
  if (!counts) return pn_fail_memory(call->diag, "text_split's counts");
  memcpy(dims, x->dims, sizeof dims);
  dims[x->rank] = count_parts(call, texts, counts);
  if (call->output_count > 1) {
    PN_TRY(pn_call_resize(call, 1, x->rank, dims));
    if (call->out[1].data && texts) memcpy(call->out[1].data, counts, (size_t)texts * sizeof *counts);
  }
  PN_TRY(pn_call_resize(call, 0, x->rank + 1, dims));
  pelton_string *y = call->out[0].data;
  for (int64_t i = 0; y && i < texts; i++) {
    splitter s = split_begin(call->attrs, pn_tensor_str(x, i));
    for (int64_t k = 0; k < dims[x->rank]; k++) *y++ = s.done ? (pelton_string){NULL, 0} : pn_string_of(split_next(&s));
  }
  return PELTON_OK;
}
