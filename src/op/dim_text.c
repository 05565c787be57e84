/* Dims as text. Printing is giving the name; parsing is a recursive descent that computes as it reads, so that the
   result is in normal form whatever way it was written:

     sum     = product { ("+" | "-") product }
     product = primary { ("*" | "/") primary }
     primary = "-" primary | number | name | "'" quoted "'" | "?" digits | "(" sum ")"
             | "ceil" "(" primary "/" primary ")" | ("min" | "max") "(" sum "," sum ")"

   A plain name is letters, digits, "_" and "." that do not begin with a digit or "."; models name dimensions with
   whatever they like ("batch-size", "h/2", ""), and those are quoted, with \xNN for controls, quotes, backslashes. */
#include "op/dim_form.h"

enum { MAX_DEPTH = 64, MAX_FRESH = 1000000000 };

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name_character(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

bool pn_dim_name_is_plain(pn_str name) {
  if (name.size == 0 || !is_letter(name.data[0])) return false;
  for (size_t i = 1; i < name.size; i++)
    if (!is_name_character(name.data[i])) return false;
  return !pn_str_is(name, "ceil") && !pn_str_is(name, "min") && !pn_str_is(name, "max");
}

pn_str pn_dim_name_quoted(pn_arena *arena, pn_str name) {
  static const char hex[] = "0123456789abcdef";
  size_t bytes = 0;
  if (!pn_mul_size(name.size, 4, &bytes) || !pn_add_size(bytes, 2, &bytes)) return (pn_str){NULL, 0};
  char *text = pn_arena_alloc(arena, bytes, 1);
  if (!text) return (pn_str){NULL, 0};
  size_t at = 0;
  text[at++] = '\'';
  for (size_t i = 0; i < name.size; i++) {
    uint8_t c = (uint8_t)name.data[i];
    if (c < 0x20 || c == 0x7f || c == '\'' || c == '\\') {
      text[at++] = '\\';
      text[at++] = 'x';
      text[at++] = hex[c >> 4];
      text[at++] = hex[c & 15];
    } else {
      text[at++] = (char)c;
    }
  }
  text[at++] = '\'';
  return (pn_str){text, at};
}

void pn_dim_print(const pn_symbols *symbols, pn_dim d, pn_text *out) {
  if (pn_dim_is_number(d)) {
    pn_text_printf(out, "%lld", (long long)d.number);
    return;
  }
  const pn_symbol *s = pn_symbol_get(symbols, d.symbol);
  pn_str name = s->name;
  if (s->kind == PN_SYMBOL_NAMED && !pn_dim_name_is_plain(name)) name = pn_dim_name_quoted(symbols->arena, name);
  if (name.data)
    pn_text_add(out, name);
  else
    out->failed = true;
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

typedef struct parser {
  pn_symbols *symbols;
  pelton_diag *diag;
  pn_str text; /* the whole, for messages */
  size_t at;
  int depth;
} parser;

static char peek(parser *p) {
  while (p->at < p->text.size && (p->text.data[p->at] == ' ' || p->text.data[p->at] == '\t')) p->at++;
  return p->at < p->text.size ? p->text.data[p->at] : 0;
}

static bool accept(parser *p, char c) {
  if (peek(p) != c) return false;
  p->at++;
  return true;
}

static pelton_status fail(const parser *p, const char *expected) {
  pn_str shown = {p->text.data, p->text.size > 80 ? 80 : p->text.size};
  return pn_fail(p->diag, PELTON_INVALID_DATA, "dimension '%.*s': expected %s at character %zu", PN_STR_ARG(shown),
                 expected, p->at + 1);
}

static pelton_status expect(parser *p, char c, const char *what) { return accept(p, c) ? PELTON_OK : fail(p, what); }

static pelton_status parse_sum(parser *p, pn_dim *out);
static pelton_status parse_primary(parser *p, pn_dim *out);

static pelton_status parse_number(parser *p, bool negative, pn_dim *out) {
  size_t begin = p->at;
  int64_t value = 0;
  for (; p->at < p->text.size && is_digit(p->text.data[p->at]); p->at++)
    if (!pn_mul_i64(value, 10, &value) || !pn_sub_i64(value, p->text.data[p->at] - '0', &value)) {
      p->at = begin;
      return fail(p, "a number of 64 bits");
    }
  if (!negative && !pn_sub_i64(0, value, &value)) {
    p->at = begin;
    return fail(p, "a number of 64 bits");
  }
  *out = pn_dim_of(value);
  return PELTON_OK;
}

static pelton_status parse_fresh(parser *p, pn_dim *out) {
  size_t begin = p->at++;
  int64_t number = 0;
  while (p->at < p->text.size && is_digit(p->text.data[p->at]) && number <= MAX_FRESH)
    number = number * 10 + (p->text.data[p->at++] - '0');
  if (number == 0 || number > MAX_FRESH || p->text.data[begin + 1] == '0') {
    p->at = begin;
    return fail(p, "'?' and a number from 1 to 1000000000");
  }
  uint32_t found, count = p->symbols->fresh_count;
  if (pn_map_get(&p->symbols->by_name, (pn_str){p->text.data + begin, p->at - begin}, &found)) {
    *out = (pn_dim){0, found};
    return PELTON_OK;
  }
  p->symbols->fresh_count = (uint32_t)number - 1; /* makes the symbol of this very number */
  *out = pn_dim_fresh(p->symbols);
  if (p->symbols->fresh_count < count) p->symbols->fresh_count = count;
  return PELTON_OK;
}

static int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static pelton_status parse_quoted(parser *p, pn_dim *out) {
  size_t begin = ++p->at, end = begin, size = 0;
  while (end < p->text.size && p->text.data[end] != '\'') end++;
  if (end == p->text.size) {
    p->at = end;
    return fail(p, "a closing quote");
  }
  char *name = pn_arena_alloc(p->symbols->arena, end - begin, 1);
  if (!name) return pn_fail_memory(p->diag, "the name of a dimension");
  for (; p->at < end; p->at++) {
    char c = p->text.data[p->at];
    if (c == '\\') {
      int high = p->at + 3 < end ? hex_value(p->text.data[p->at + 2]) : -1;
      int low = p->at + 3 < end ? hex_value(p->text.data[p->at + 3]) : -1;
      if (high < 0 || low < 0 || p->text.data[p->at + 1] != 'x') return fail(p, "\\x and two hexadecimal digits");
      c = (char)(high << 4 | low);
      p->at += 3;
    }
    name[size++] = c;
  }
  p->at = end + 1;
  *out = pn_dim_named(p->symbols, (pn_str){name, size});
  return PELTON_OK;
}

/* "ceil(a/b)", "min(a,b)", "max(a,b)", behind the word. */
static pelton_status parse_function(parser *p, pn_str word, pn_dim *out) {
  pn_dim a, b;
  PN_TRY(expect(p, '(', "'('"));
  if (pn_str_is(word, "ceil")) {
    PN_TRY(parse_primary(p, &a));
    PN_TRY(expect(p, '/', "'/' (operands of ceil that are expressions want parentheses)"));
    PN_TRY(parse_primary(p, &b));
    *out = pn_dim_ceil_div(p->symbols, a, b);
  } else {
    PN_TRY(parse_sum(p, &a));
    PN_TRY(expect(p, ',', "','"));
    PN_TRY(parse_sum(p, &b));
    *out = pn_str_is(word, "min") ? pn_dim_min(p->symbols, a, b) : pn_dim_max(p->symbols, a, b);
  }
  return expect(p, ')', "')'");
}

static pelton_status parse_primary_here(parser *p, pn_dim *out) {
  char c = peek(p);
  if (is_digit(c)) return parse_number(p, false, out);
  if (c == '?') return parse_fresh(p, out);
  if (c == '\'') return parse_quoted(p, out);
  if (c == '-') {
    p->at++;
    if (is_digit(peek(p))) return parse_number(p, true, out);
    PN_TRY(parse_primary(p, out));
    *out = pn_dim_sub(p->symbols, pn_dim_of(0), *out);
    return PELTON_OK;
  }
  if (c == '(') {
    p->at++;
    PN_TRY(parse_sum(p, out));
    return expect(p, ')', "')'");
  }
  if (!is_letter(c)) return fail(p, "a number, a name or '('");
  size_t begin = p->at;
  while (p->at < p->text.size && is_name_character(p->text.data[p->at])) p->at++;
  pn_str word = {p->text.data + begin, p->at - begin};
  if (!pn_dim_name_is_plain(word)) return parse_function(p, word, out);
  *out = pn_dim_named(p->symbols, word);
  return PELTON_OK;
}

static pelton_status parse_primary(parser *p, pn_dim *out) {
  if (p->depth == MAX_DEPTH) return fail(p, "less nesting");
  p->depth++;
  pelton_status status = parse_primary_here(p, out);
  p->depth--;
  return status;
}

static pelton_status parse_product(parser *p, pn_dim *out) {
  PN_TRY(parse_primary(p, out));
  for (;;) {
    pn_dim right;
    bool times = accept(p, '*');
    if (!times && !accept(p, '/')) return PELTON_OK;
    PN_TRY(parse_primary(p, &right));
    *out = times ? pn_dim_mul(p->symbols, *out, right) : pn_dim_floor_div(p->symbols, *out, right);
  }
}

static pelton_status parse_sum(parser *p, pn_dim *out) {
  PN_TRY(parse_product(p, out));
  for (;;) {
    pn_dim right;
    bool plus = accept(p, '+');
    if (!plus && !accept(p, '-')) return PELTON_OK;
    PN_TRY(parse_product(p, &right));
    *out = plus ? pn_dim_add(p->symbols, *out, right) : pn_dim_sub(p->symbols, *out, right);
  }
}

pelton_status pn_dim_parse_front(pn_symbols *symbols, pn_str *text, pn_dim *out, pelton_diag *diag) {
  parser p = {.symbols = symbols, .diag = diag, .text = *text};
  *out = pn_dim_of(0);
  PN_TRY(parse_sum(&p, out));
  PN_TRY(pn_symbols_status(symbols, diag));
  text->data += p.at;
  text->size -= p.at;
  return PELTON_OK;
}

pelton_status pn_dim_parse(pn_symbols *symbols, pn_str text, pn_dim *out, pelton_diag *diag) {
  parser p = {.symbols = symbols, .diag = diag, .text = text};
  *out = pn_dim_of(0);
  PN_TRY(parse_sum(&p, out));
  if (peek(&p) || p.at < text.size) return fail(&p, "an operation or the end");
  return pn_symbols_status(symbols, diag);
}
