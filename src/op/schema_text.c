/* Attributes as text: "strides=[2,2] group=4 mode=linear expr="relu(x0)" body={ graph ... end }".

   Printed is what differs from the defaults, in table order, each with a blank in front. Read is any order, each at
   most once; lists may leave out their brackets (strides=2,2), as people write them in cases. */
#include "base/format.h"
#include "op/schema_field.h"

enum { MAX_STRING_BYTES = 1 << 20 };

/* ---- printing -------------------------------------------------------------------------------------------------- */

static void print_value(const void *attrs, const pn_field *field, const pn_attrs_io *io, pn_text *out) {
  const void *at = pn_field_at_const(attrs, field);
  pn_span bytes = pn_field_bytes(attrs, field);
  switch (field->kind) {
  case PN_FIELD_I64: pn_text_printf(out, "%lld", (long long)*(const int64_t *)at); return;
  case PN_FIELD_F32: pn_text_f32(out, *(const float *)at); return;
  case PN_FIELD_BOOL: pn_text_add(out, *(const bool *)at ? PN_STR("true") : PN_STR("false")); return;
  case PN_FIELD_DTYPE:
  case PN_FIELD_ENUM: pn_text_add(out, pn_str_from(pn_field_word(attrs, field))); return;
  case PN_FIELD_STRING: pn_text_quoted(out, (pn_str){(const char *)bytes.data, bytes.size}); return;
  case PN_FIELD_EXPR:
    pn_text_add(out, PN_STR("\""));
    pn_expr_print(pn_field_expr(attrs, field), out);
    pn_text_add(out, PN_STR("\""));
    return;
  case PN_FIELD_GRAPH:
    pn_text_add(out, PN_STR("{ "));
    if (io && io->print_graph) io->print_graph(io->self, pn_field_graph(attrs, field), out);
    pn_text_add(out, PN_STR(" }"));
    return;
  case PN_FIELD_I64S:
    for (uint32_t i = 0; i < ((const pn_i64s *)at)->count; i++)
      pn_text_printf(out, "%c%lld", i ? ',' : '[', (long long)((const pn_i64s *)at)->data[i]);
    pn_text_add(out, PN_STR("]"));
    return;
  case PN_FIELD_F32S:
    for (uint32_t i = 0; i < ((const pn_f32s *)at)->count; i++) {
      pn_text_add(out, i ? PN_STR(",") : PN_STR("["));
      pn_text_f32(out, ((const pn_f32s *)at)->data[i]);
    }
    pn_text_add(out, PN_STR("]"));
    return;
  }
}

void pn_attrs_print(pn_op op, const void *attrs, const pn_attrs_io *io, pn_text *out) {
  const pn_op_info *info = pn_op_get(op);
  for (uint32_t i = 0; i < info->field_count; i++) {
    if (pn_field_is_default(attrs, &info->fields[i])) continue;
    pn_text_printf(out, " %s=", info->fields[i].name);
    print_value(attrs, &info->fields[i], io, out);
  }
}

/* ---- names and words -------------------------------------------------------------------------------------------- */

const pn_field *pn_field_find(const pn_op_info *info, pn_str name) {
  for (uint32_t i = 0; i < info->field_count; i++)
    if (pn_str_is(name, info->fields[i].name)) return &info->fields[i];
  return NULL;
}

/* "a, b, c" into |out|, cut to its room. */
static void list_words(const char *(*word)(const void *self, uint32_t index), const void *self, char *out,
                       size_t bytes) {
  size_t at = 0;
  out[0] = 0;
  for (uint32_t i = 0; word(self, i) && at < bytes; i++) {
    int added = pn_formatf(out + at, bytes - at, "%s%s", i ? ", " : "", word(self, i));
    if (added < 0) return;
    at += (size_t)added;
  }
}

static const char *field_name_at(const void *self, uint32_t index) {
  const pn_op_info *info = self;
  return index < info->field_count ? info->fields[index].name : NULL;
}

static const char *enum_word_at(const void *self, uint32_t index) { return ((const pn_field *)self)->words[index]; }

pelton_status pn_field_fail_unknown(const pn_op_info *info, pn_str name, pelton_status status, pelton_diag *diag) {
  char names[512];
  list_words(field_name_at, info, names, sizeof names);
  return pn_fail(diag, status, "%s has no attribute '%.*s'; it has %s", info->name, PN_STR_ARG(name),
                 names[0] ? names : "none");
}

bool pn_field_set_word(void *attrs, const pn_field *field, pn_str word) {
  pelton_dtype dtype = PELTON_DTYPE_NONE;
  if (field->kind == PN_FIELD_DTYPE) {
    if (!pn_str_is(word, "none") && !pn_dtype_parse(word, &dtype)) return false;
    pn_field_set_integer(attrs, field, dtype);
    return true;
  }
  for (uint32_t i = 0; field->words && field->words[i]; i++)
    if (pn_str_is(word, field->words[i])) {
      pn_field_set_integer(attrs, field, i);
      return true;
    }
  return false;
}

pelton_status pn_field_check_required(const pn_op_info *info, const void *attrs, pelton_diag *diag) {
  for (uint32_t i = 0; i < info->field_count; i++) {
    const pn_field *field = &info->fields[i];
    bool missing = (field->kind == PN_FIELD_EXPR && !pn_field_expr(attrs, field)) ||
                   (field->kind == PN_FIELD_GRAPH && !pn_field_graph(attrs, field));
    if (missing) return pn_fail(diag, PELTON_INVALID_DATA, "%s lacks its attribute '%s'", info->name, field->name);
  }
  return PELTON_OK;
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

typedef struct parser {
  const pn_op_info *info;
  const pn_attrs_io *io;
  pn_arena *arena;
  pelton_diag *diag;
  pn_str rest;
  void *attrs;
} parser;

static char peek(const parser *p) { return p->rest.size ? p->rest.data[0] : 0; }

static void advance(parser *p, size_t bytes) {
  p->rest.data += bytes;
  p->rest.size -= bytes;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static void skip_blanks(parser *p, bool lines_too) {
  while (p->rest.size && (is_blank(peek(p)) || (lines_too && peek(p) == '\n'))) advance(p, 1);
}

static bool accept(parser *p, char c) {
  if (peek(p) != c || !p->rest.size) return false;
  advance(p, 1);
  return true;
}

static bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Characters up to a blank, ',', ']', '}' or '#': a number or a word. */
static pn_str take_token(parser *p) {
  pn_str token = {p->rest.data, 0};
  while (p->rest.size && !is_blank(peek(p)) && peek(p) != '\n' && !strchr(",]}#", peek(p))) {
    advance(p, 1);
    token.size++;
  }
  return token;
}

static pelton_status fail_value(const parser *p, const pn_field *field, const char *wants, pn_str got) {
  if (got.size > 60) got.size = 60;
  return pn_fail(p->diag, PELTON_INVALID_DATA, "%s: attribute '%s' wants %s, not '%.*s'", p->info->name, field->name,
                 wants, PN_STR_ARG(got));
}

/* The parts of a list, with or without brackets. |add| reads one element from a token. */
static pelton_status parse_list(parser *p, const pn_field *field,
                                bool (*add)(parser *p, pn_str token, void *list, bool *memory), void *list,
                                const char *wants) {
  bool bracket = accept(p, '['), memory = true;
  if (bracket) {
    skip_blanks(p, false);
    if (accept(p, ']')) return PELTON_OK;
  }
  do {
    if (bracket) skip_blanks(p, false);
    pn_str token = take_token(p);
    if (!add(p, token, list, &memory))
      return memory ? fail_value(p, field, wants, token) : pn_fail_memory(p->diag, "attributes");
    if (bracket) skip_blanks(p, false);
  } while (accept(p, ','));
  if (bracket && !accept(p, ']')) return fail_value(p, field, "',' or ']'", p->rest);
  return PELTON_OK;
}

typedef PN_LIST(int64_t) i64_list;
typedef PN_LIST(float) f32_list;

static bool token_f32(pn_str token, float *out) {
  double value;
  if (!pn_str_to_f64(token, &value)) return false;
  *out = (float)value; /* pn_text_f32 prints what survives this way */
  return true;
}

static bool add_i64(parser *p, pn_str token, void *list, bool *memory) {
  int64_t value;
  if (!pn_str_to_i64(token, &value)) return false;
  return *memory = pn_list_push(p->arena, (i64_list *)list, value);
}

static bool add_f32(parser *p, pn_str token, void *list, bool *memory) {
  float value;
  if (!token_f32(token, &value)) return false;
  return *memory = pn_list_push(p->arena, (f32_list *)list, value);
}

/* A quoted text with \" \\ \xNN. */
static pelton_status parse_quoted(parser *p, const pn_field *field, pn_str *out) {
  const pn_str start = p->rest;
  const char *wanted;
  const pelton_status status = pn_str_unquote(&p->rest, p->arena, out, &wanted);
  if (status == PELTON_OUT_OF_MEMORY) return pn_fail_memory(p->diag, "attributes");
  if (status) return fail_value(p, field, wanted, start);
  if (out->size > MAX_STRING_BYTES) return fail_value(p, field, "a text below a megabyte", start);
  if (out->size == 0) out->data = NULL;
  return PELTON_OK;
}

static pelton_status parse_graph(parser *p, const pn_field *field) {
  struct pn_graph **graph = pn_field_at(p->attrs, field);
  if (!p->io || !p->io->parse_graph)
    return pn_fail(p->diag, PELTON_UNSUPPORTED, "%s: attribute '%s' is a graph, which cannot be read here",
                   p->info->name, field->name);
  if (!accept(p, '{')) return fail_value(p, field, "'{'", p->rest);
  skip_blanks(p, true);
  PN_TRY(p->io->parse_graph(p->io->self, &p->rest, graph, p->diag));
  skip_blanks(p, true);
  return accept(p, '}') ? PELTON_OK : fail_value(p, field, "'}' behind its graph", p->rest);
}

static pelton_status parse_word(parser *p, const pn_field *field) {
  char wants[512] = "one of ", *words = wants + 7;
  pn_str token = take_token(p);
  if (pn_field_set_word(p->attrs, field, token)) return PELTON_OK;
  if (field->kind == PN_FIELD_DTYPE)
    return fail_value(p, field, "a type (f32, f16, bf16, f64, i8 ... u64, bool, none)", token);
  list_words(enum_word_at, field, words, sizeof wants - 7);
  return fail_value(p, field, wants, token);
}

static pelton_status parse_value(parser *p, const pn_field *field) {
  void *at = pn_field_at(p->attrs, field);
  pn_str text, start = p->rest;
  i64_list i64s = {0};
  f32_list f32s = {0};
  switch (field->kind) {
  case PN_FIELD_I64:
    text = take_token(p);
    return pn_str_to_i64(text, at) ? PELTON_OK : fail_value(p, field, "an integer", text);
  case PN_FIELD_F32:
    text = take_token(p);
    return token_f32(text, at) ? PELTON_OK : fail_value(p, field, "a number", text);
  case PN_FIELD_BOOL:
    text = take_token(p);
    *(bool *)at = pn_str_is(text, "true") || pn_str_is(text, "1");
    if (*(bool *)at || pn_str_is(text, "false") || pn_str_is(text, "0")) return PELTON_OK;
    return fail_value(p, field, "true or false", text);
  case PN_FIELD_DTYPE:
  case PN_FIELD_ENUM: return parse_word(p, field);
  case PN_FIELD_I64S:
    PN_TRY(parse_list(p, field, add_i64, &i64s, "a list of integers"));
    *(pn_i64s *)at = (pn_i64s){i64s.data, i64s.count};
    return PELTON_OK;
  case PN_FIELD_F32S:
    PN_TRY(parse_list(p, field, add_f32, &f32s, "a list of numbers"));
    *(pn_f32s *)at = (pn_f32s){f32s.data, f32s.count};
    return PELTON_OK;
  case PN_FIELD_STRING: return parse_quoted(p, field, at);
  case PN_FIELD_EXPR:
    PN_TRY(parse_quoted(p, field, &text));
    if (text.size == 0) return fail_value(p, field, "an expression", (pn_str){start.data, 2});
    return pn_expr_parse(text, p->arena, at, p->diag);
  case PN_FIELD_GRAPH: return parse_graph(p, field);
  }
  return PN_INTERNAL(p->diag, "a field kind that is not in the table");
}

/* Reads one "name=value". |*seen| has a bit for each field that was given. */
static pelton_status parse_attribute(parser *p, uint64_t *seen) {
  pn_str name = {p->rest.data, 0};
  while (p->rest.size && is_name_character(peek(p))) {
    advance(p, 1);
    name.size++;
  }
  if (name.size == 0 || !accept(p, '=')) {
    pn_str got = {name.data, name.size + (p->rest.size < 24 ? p->rest.size : 24)};
    return pn_fail(p->diag, PELTON_INVALID_DATA, "%s: expected attribute=value, not '%.*s'", p->info->name,
                   PN_STR_ARG(got));
  }
  const pn_field *field = pn_field_find(p->info, name);
  if (!field) return pn_field_fail_unknown(p->info, name, PELTON_INVALID_DATA, p->diag);
  uint64_t bit = UINT64_C(1) << (field - p->info->fields);
  if (*seen & bit)
    return pn_fail(p->diag, PELTON_INVALID_DATA, "%s: attribute '%s' is given twice", p->info->name, field->name);
  *seen |= bit;
  return parse_value(p, field);
}

pelton_status pn_attrs_parse(pn_op op, pn_str *text, const pn_attrs_io *io, pn_arena *arena, void **out,
                             pelton_diag *diag) {
  parser p = {.info = pn_op_get(op), .io = io, .arena = arena, .diag = diag, .rest = *text};
  uint64_t seen = 0;
  *out = NULL;
  p.attrs = pn_attrs_new(op, arena);
  if (!p.attrs) return pn_fail_memory(diag, "attributes");
  for (skip_blanks(&p, false); p.rest.size && peek(&p) != '\n' && peek(&p) != '#'; skip_blanks(&p, false))
    PN_TRY(parse_attribute(&p, &seen));
  PN_TRY(pn_field_check_required(p.info, p.attrs, diag));
  *text = p.rest;
  *out = p.attrs;
  return PELTON_OK;
}
