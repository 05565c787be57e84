/* Dimensions: a number, or a symbol with bounds.

   A symbol is either named ("batch", from the model) or derived from others by arithmetic ("batch*4", "(h+1)/2").
   Derived symbols are interned under a normal form, so that two values whose extents were computed in the same way
   have equal dims, and a convolution that keeps its extent (h + 2 - 3 + 1) gives back h itself. What cannot be derived
   (how many elements NonZero finds) is a fresh symbol "?1", equal only to itself.

   The same type also holds elements of small integer tensors that describe shapes (what Shape, Gather, Concat compute
   before a Reshape), where numbers may be negative. */
#ifndef PN_OP_DIM_H
#define PN_OP_DIM_H

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"

/* |symbol| 0: the number |number|. Otherwise |number| is 0 and |symbol| is an index + 1 in a pn_symbols. */
typedef struct pn_dim {
  int64_t number;
  uint32_t symbol;
} pn_dim;

PN_INLINE pn_dim pn_dim_of(int64_t number) { return (pn_dim){number, 0}; }
PN_INLINE bool pn_dim_is_number(pn_dim d) { return d.symbol == 0; }
PN_INLINE bool pn_dim_equal(pn_dim a, pn_dim b) { return a.number == b.number && a.symbol == b.symbol; }
PN_INLINE bool pn_dim_is(pn_dim d, int64_t number) { return d.symbol == 0 && d.number == number; }

typedef enum pn_symbol_kind {
  PN_SYMBOL_NAMED,  /* a dimension the model names; |a|, |b| unused */
  PN_SYMBOL_FRESH,  /* known only at run time */
  PN_SYMBOL_ADD, PN_SYMBOL_MUL, PN_SYMBOL_FLOOR_DIV, PN_SYMBOL_CEIL_DIV, PN_SYMBOL_MIN, PN_SYMBOL_MAX /* of |a|, |b| */
} pn_symbol_kind;

typedef struct pn_symbol {
  pn_symbol_kind kind;
  pn_str name; /* "batch", "?1", or the printed expression "(h+1)/2" */
  pn_dim a, b;
  int64_t min, max; /* inclusive bounds; max INT64_MAX when unbounded */
} pn_symbol;

/* The symbols of a graph and of its subgraphs. */
typedef struct pn_symbols {
  pn_arena *arena;
  PN_LIST(pn_symbol) list;
  pn_map by_name;
  uint32_t fresh_count;
  bool failed; /* memory ran out somewhere: results since then are meaningless; checked by pn_symbols_status */
} pn_symbols;

void pn_symbols_init(pn_symbols *symbols, pn_arena *arena);
pelton_status pn_symbols_status(const pn_symbols *symbols, pelton_diag *diag) PN_CHECKED;

/* The symbol called |name| (copied), made with bounds [0, INT64_MAX] when new. */
pn_dim pn_dim_named(pn_symbols *symbols, pn_str name);
pn_dim pn_dim_fresh(pn_symbols *symbols);
/* Narrows the bounds of a named symbol; an error when nothing is left. */
pelton_status pn_symbol_bound(pn_symbols *symbols, pn_dim symbol, int64_t min, int64_t max, pelton_diag *diag);

/* Arithmetic; numbers give numbers (overflow saturates at the int64 limits; verify refuses such dims). |symbols| may be
   null when both operands are numbers. Division is by a positive number or symbol; division by zero gives 0. */
pn_dim pn_dim_add(pn_symbols *symbols, pn_dim a, pn_dim b);
pn_dim pn_dim_sub(pn_symbols *symbols, pn_dim a, pn_dim b);
pn_dim pn_dim_mul(pn_symbols *symbols, pn_dim a, pn_dim b);
pn_dim pn_dim_floor_div(pn_symbols *symbols, pn_dim a, pn_dim b);
pn_dim pn_dim_ceil_div(pn_symbols *symbols, pn_dim a, pn_dim b);
pn_dim pn_dim_min(pn_symbols *symbols, pn_dim a, pn_dim b);
pn_dim pn_dim_max(pn_symbols *symbols, pn_dim a, pn_dim b);
int64_t pn_dim_lower(const pn_symbols *symbols, pn_dim d);
int64_t pn_dim_upper(const pn_symbols *symbols, pn_dim d);

/* The value of |d| where every named and fresh symbol has the number given in |values| (indexed by symbol - 1; -1 is
   unknown): false when it depends on an unknown one. */
bool pn_dim_evaluate(const pn_symbols *symbols, pn_dim d, const int64_t *values, int64_t *out) PN_CHECKED;

/* Text: "3", "batch", "(h+1)/2", "?1", "min(h,w*2)", "ceil(n/m)"; names that are not plain words are quoted: 'a-b'.
   Parsing makes the symbols it meets. */
void pn_dim_print(const pn_symbols *symbols, pn_dim d, pn_text *out);
pelton_status pn_dim_parse(pn_symbols *symbols, pn_str text, pn_dim *out, pelton_diag *diag) PN_CHECKED;
/* Reads a dim, and blanks behind it, from the front of |text| and moves it on. */
pelton_status pn_dim_parse_front(pn_symbols *symbols, pn_str *text, pn_dim *out, pelton_diag *diag) PN_CHECKED;

#endif
