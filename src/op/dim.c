/* Symbols: making and finding them, their bounds and values. The arithmetic is in dim_arithmetic.c, the normal form in
   dim_form.c, the text in dim_text.c.

   A derived symbol is found again by its name, which is its printed expression; a named symbol whose name could be
   taken for an expression is quoted there ('h/2'), so that the two never meet. Operands of a symbol are made before it:
   one pass in order brings all bounds up to date. */
#include "op/dim.h"

#include "op/dim_form.h"

void pn_symbols_init(pn_symbols *symbols, pn_arena *arena) {
  *symbols = (pn_symbols){.arena = arena};
  pn_map_init(&symbols->by_name, arena);
}

pelton_status pn_symbols_status(const pn_symbols *symbols, pelton_diag *diag) {
  return symbols->failed ? pn_fail_memory(diag, "symbols of dimensions") : PELTON_OK;
}

int pn_symbol_compare(const pn_symbols *symbols, uint32_t a, uint32_t b) {
  if (a == b) return 0;
  pn_str x = pn_symbol_get(symbols, a)->name, y = pn_symbol_get(symbols, b)->name;
  size_t common = x.size < y.size ? x.size : y.size;
  int order = common ? memcmp(x.data, y.data, common) : 0;
  if (order) return order;
  if (x.size != y.size) return x.size < y.size ? -1 : 1;
  return a < b ? -1 : 1; /* a named symbol may be called as a derived one is */
}

/* ---- making ---------------------------------------------------------------------------------------------------- */

static pn_dim symbol_fail(pn_symbols *symbols) {
  symbols->failed = true;
  return pn_dim_of(0);
}

/* Adds |symbol| (its strings are in the arena) under |key|. */
static pn_dim symbol_add(pn_symbols *symbols, const pn_symbol *symbol, pn_str key) {
  if (symbols->list.count == UINT32_MAX - 1) return symbol_fail(symbols);
  if (!pn_list_push(symbols->arena, &symbols->list, *symbol)) return symbol_fail(symbols);
  if (!pn_map_set(&symbols->by_name, key, symbols->list.count)) {
    symbols->list.count--;
    return symbol_fail(symbols);
  }
  return (pn_dim){0, symbols->list.count};
}

pn_dim pn_dim_named(pn_symbols *symbols, pn_str name) {
  uint32_t found;
  bool plain = pn_dim_name_is_plain(name);
  if (plain && pn_map_get(&symbols->by_name, name, &found)) return (pn_dim){0, found};
  pn_str key = {plain ? pn_str_copy(symbols->arena, name) : NULL, name.size};
  if (!plain) key = pn_dim_name_quoted(symbols->arena, name);
  if (!key.data) return symbol_fail(symbols);
  if (!plain && pn_map_get(&symbols->by_name, key, &found)) return (pn_dim){0, found};
  pn_symbol symbol = {.kind = PN_SYMBOL_NAMED, .name = key, .max = INT64_MAX};
  if (!plain) symbol.name = (pn_str){pn_str_copy(symbols->arena, name), name.size};
  if (!symbol.name.data) return symbol_fail(symbols);
  return symbol_add(symbols, &symbol, key);
}

pn_dim pn_dim_fresh(pn_symbols *symbols) {
  const char *name = pn_str_printf(symbols->arena, "?%u", symbols->fresh_count + 1);
  if (!name) return symbol_fail(symbols);
  symbols->fresh_count++;
  pn_symbol symbol = {.kind = PN_SYMBOL_FRESH, .name = pn_str_from(name), .max = INT64_MAX};
  return symbol_add(symbols, &symbol, symbol.name);
}

/* ---- the names of derived symbols ------------------------------------------------------------------------------- */

typedef struct name_writer {
  char text[PN_DIM_NAME_BYTES];
  size_t size;
  bool full;
} name_writer;

static void name_add(name_writer *w, pn_str s) {
  if (s.size > sizeof w->text - w->size) {
    w->full = true;
    return;
  }
  memcpy(w->text + w->size, s.data, s.size);
  w->size += s.size;
}

static void name_add_number(name_writer *w, int64_t number, bool magnitude_only) {
  char digits[24];
  size_t at = sizeof digits;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do digits[--at] = (char)('0' + rest % 10);
  while (rest /= 10);
  if (number < 0 && !magnitude_only) digits[--at] = '-';
  name_add(w, (pn_str){digits + at, sizeof digits - at});
}

/* Which operands of an operation want parentheses. */
enum { PAREN_SUM = 1, PAREN_PRODUCT = 2, PAREN_QUOTIENT = 4, PAREN_NEGATIVE = 8 };

static void name_add_dim(name_writer *w, const pn_symbols *symbols, pn_dim d, int parens, pn_arena *arena) {
  if (pn_dim_is_number(d)) {
    bool paren = d.number < 0 && (parens & PAREN_NEGATIVE);
    if (paren) name_add(w, PN_STR("("));
    name_add_number(w, d.number, false);
    if (paren) name_add(w, PN_STR(")"));
    return;
  }
  const pn_symbol *s = pn_symbol_get(symbols, d.symbol);
  pn_str name = s->name;
  if (s->kind == PN_SYMBOL_NAMED && !pn_dim_name_is_plain(name)) {
    name = pn_dim_name_quoted(arena, name);
    if (!name.data) w->full = true; /* out of memory: the fresh symbol that follows notices too */
  }
  bool paren = (s->kind == PN_SYMBOL_ADD && (parens & PAREN_SUM)) ||
               (s->kind == PN_SYMBOL_MUL && (parens & PAREN_PRODUCT)) ||
               (s->kind == PN_SYMBOL_FLOOR_DIV && (parens & PAREN_QUOTIENT)) ||
               (name.size && name.data[0] == '-' && (parens & PAREN_NEGATIVE));
  if (paren) name_add(w, PN_STR("("));
  name_add(w, name);
  if (paren) name_add(w, PN_STR(")"));
}

/* Writes what the parser reads back as the same operation of the same operands. */
static void name_write(name_writer *w, const pn_symbols *symbols, pn_symbol_kind kind, pn_dim a, pn_dim b) {
  pn_arena *arena = symbols->arena;
  size_t at;
  switch (kind) {
  case PN_SYMBOL_ADD:
    name_add_dim(w, symbols, a, 0, arena);
    at = w->size;
    name_add(w, PN_STR("+"));
    name_add_dim(w, symbols, b, PAREN_SUM, arena);
    if (w->size > at + 1 && w->text[at + 1] == '-') /* "+-3" is written "-3" */
      memmove(w->text + at, w->text + at + 1, --w->size - at);
    return;
  case PN_SYMBOL_MUL:
    if (pn_dim_is_number(b) && b.number < 0) name_add(w, PN_STR("-"));
    name_add_dim(w, symbols, a, PAREN_SUM | PAREN_QUOTIENT | PAREN_NEGATIVE, arena);
    if (pn_dim_is(b, -1)) return;
    name_add(w, PN_STR("*"));
    if (pn_dim_is_number(b))
      name_add_number(w, b.number, true);
    else
      name_add_dim(w, symbols, b, PAREN_SUM | PAREN_PRODUCT | PAREN_QUOTIENT | PAREN_NEGATIVE, arena);
    return;
  case PN_SYMBOL_FLOOR_DIV:
    name_add_dim(w, symbols, a, PAREN_SUM | PAREN_NEGATIVE, arena);
    name_add(w, PN_STR("/"));
    name_add_dim(w, symbols, b, PAREN_SUM | PAREN_PRODUCT | PAREN_QUOTIENT | PAREN_NEGATIVE, arena);
    return;
  case PN_SYMBOL_CEIL_DIV:
    name_add(w, PN_STR("ceil("));
    name_add_dim(w, symbols, a, PAREN_SUM | PAREN_PRODUCT | PAREN_QUOTIENT | PAREN_NEGATIVE, arena);
    name_add(w, PN_STR("/"));
    name_add_dim(w, symbols, b, PAREN_SUM | PAREN_PRODUCT | PAREN_QUOTIENT | PAREN_NEGATIVE, arena);
    name_add(w, PN_STR(")"));
    return;
  case PN_SYMBOL_MIN:
  case PN_SYMBOL_MAX:
    name_add(w, kind == PN_SYMBOL_MIN ? PN_STR("min(") : PN_STR("max("));
    name_add_dim(w, symbols, a, 0, arena);
    name_add(w, PN_STR(","));
    name_add_dim(w, symbols, b, 0, arena);
    name_add(w, PN_STR(")"));
    return;
  case PN_SYMBOL_NAMED:
  case PN_SYMBOL_FRESH: break; /* are not derived */
  }
}

static void symbol_set_bounds(const pn_symbols *symbols, pn_symbol *s) {
  pn_symbol_interval(s->kind, pn_dim_lower(symbols, s->a), pn_dim_upper(symbols, s->a), pn_dim_lower(symbols, s->b),
                     pn_dim_upper(symbols, s->b), &s->min, &s->max);
}

/* A fresh symbol in place of an expression that is too long to name; its bounds are all that is kept. */
static pn_dim symbol_forget(pn_symbols *symbols, pn_symbol_kind kind, pn_dim a, pn_dim b) {
  pn_symbol derived = {.kind = kind, .a = a, .b = b};
  symbol_set_bounds(symbols, &derived);
  pn_dim d = pn_dim_fresh(symbols);
  if (pn_dim_is_number(d)) return d; /* memory is out */
  symbols->list.data[d.symbol - 1].min = derived.min;
  symbols->list.data[d.symbol - 1].max = derived.max;
  return d;
}

pn_dim pn_symbol_intern(pn_symbols *symbols, pn_symbol_kind kind, pn_dim a, pn_dim b) {
  if (symbols->failed) return pn_dim_of(0);
  name_writer w;
  w.size = 0;
  w.full = false;
  name_write(&w, symbols, kind, a, b);
  if (w.full) return symbol_forget(symbols, kind, a, b);
  uint32_t found;
  pn_str name = {w.text, w.size};
  if (pn_map_get(&symbols->by_name, name, &found)) return (pn_dim){0, found};
  pn_symbol symbol = {.kind = kind, .name = {pn_str_copy(symbols->arena, name), name.size}, .a = a, .b = b};
  if (!symbol.name.data) return symbol_fail(symbols);
  symbol_set_bounds(symbols, &symbol);
  return symbol_add(symbols, &symbol, symbol.name);
}

/* ---- bounds ---------------------------------------------------------------------------------------------------- */

int64_t pn_dim_lower(const pn_symbols *symbols, pn_dim d) {
  return pn_dim_is_number(d) ? d.number : pn_symbol_get(symbols, d.symbol)->min;
}

int64_t pn_dim_upper(const pn_symbols *symbols, pn_dim d) {
  return pn_dim_is_number(d) ? d.number : pn_symbol_get(symbols, d.symbol)->max;
}

pelton_status pn_symbol_bound(pn_symbols *symbols, pn_dim symbol, int64_t min, int64_t max, pelton_diag *diag) {
  if (pn_dim_is_number(symbol))
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "dimension %lld is a number and takes no bounds",
                   (long long)symbol.number);
  pn_symbol *s = &symbols->list.data[symbol.symbol - 1];
  if (s->kind != PN_SYMBOL_NAMED && s->kind != PN_SYMBOL_FRESH)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "dimension '%.*s' follows from others: bound those instead",
                   PN_STR_ARG(s->name));
  int64_t new_min = pn_max_i64(s->min, min), new_max = pn_min_i64(s->max, max);
  if (new_min > new_max)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "dimension '%.*s' cannot be in [%lld, %lld]: it is known to be in [%lld, %lld]", PN_STR_ARG(s->name),
                   (long long)min, (long long)max, (long long)s->min, (long long)s->max);
  s->min = new_min;
  s->max = new_max;
  for (uint32_t i = 0; i < symbols->list.count; i++) {
    pn_symbol *derived = &symbols->list.data[i];
    if (derived->kind != PN_SYMBOL_NAMED && derived->kind != PN_SYMBOL_FRESH) symbol_set_bounds(symbols, derived);
  }
  return PELTON_OK;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

bool pn_dim_evaluate(const pn_symbols *symbols, pn_dim d, const int64_t *values, int64_t *out) {
  *out = d.number;
  if (pn_dim_is_number(d)) return true;
  const pn_symbol *s = pn_symbol_get(symbols, d.symbol);
  if (s->kind == PN_SYMBOL_NAMED || s->kind == PN_SYMBOL_FRESH) {
    *out = values[d.symbol - 1];
    return *out != -1;
  }
  int64_t a, b; /* nesting is bounded by the length of names */
  if (!pn_dim_evaluate(symbols, s->a, values, &a) || !pn_dim_evaluate(symbols, s->b, values, &b)) return false;
  *out = pn_symbol_compute(s->kind, a, b);
  return true;
}
