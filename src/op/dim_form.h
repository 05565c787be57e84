/* The normal form behind dim arithmetic, for src/op/dim*.c only.

   A form is a polynomial: a sum of terms, each a coefficient times a product of atoms. Atoms are the symbols that are
   neither a sum nor a product: named and fresh ones, quotients, minima, maxima. Sums and products are multiplied out,
   so that equal polynomials are equal whatever way they were computed. A polynomial that grows past the limits below is
   kept as an atom itself ("opaque"): nothing is wrong then, only less is found equal. */
#ifndef PN_OP_DIM_FORM_H
#define PN_OP_DIM_FORM_H

#include "op/dim.h"

enum { PN_FORM_TERMS = 16, PN_FORM_FACTORS = 8, PN_DIM_NAME_BYTES = 512 };

typedef struct pn_term {
  int64_t coefficient;
  uint32_t factor_count; /* 0: the constant */
  uint32_t factors[PN_FORM_FACTORS]; /* symbols, ordered by name */
} pn_term;

/* Terms are ordered by falling degree, then by their factors' names; none has coefficient 0. */
typedef struct pn_form {
  uint32_t term_count;
  pn_term terms[PN_FORM_TERMS];
} pn_form;

/* The form of |d|. */
void pn_form_of(const pn_symbols *symbols, pn_dim d, pn_form *out);
/* The interned dim of |form|. */
pn_dim pn_form_dim(pn_symbols *symbols, const pn_form *form);
/* a + scale * b, a * b; false, and |out| undefined, when the result is too large. |out| may be |a|. */
bool pn_form_add(const pn_symbols *symbols, const pn_form *a, const pn_form *b, int64_t scale, pn_form *out) PN_CHECKED;
bool pn_form_mul(const pn_symbols *symbols, const pn_form *a, const pn_form *b, pn_form *out) PN_CHECKED;
/* Removes what all terms of both have in common: factors, and a divisor of all coefficients. */
void pn_form_cancel(pn_form *a, pn_form *b);
/* |a| / |b| when that leaves no rest; false otherwise. */
bool pn_form_divide(const pn_symbols *symbols, const pn_form *a, const pn_form *b, pn_form *out) PN_CHECKED;
void pn_form_bounds(const pn_symbols *symbols, const pn_form *form, int64_t *min, int64_t *max);

/* The symbol |kind| of |a| and |b|, as they are: callers have brought them to normal form. A fresh symbol when its name
   would be too long (names of nested minima can double at every step). */
pn_dim pn_symbol_intern(pn_symbols *symbols, pn_symbol_kind kind, pn_dim a, pn_dim b);
/* The number that |kind| makes of two numbers, saturating. */
int64_t pn_symbol_compute(pn_symbol_kind kind, int64_t a, int64_t b);
/* The bounds of |kind| for operands within bounds. */
void pn_symbol_interval(pn_symbol_kind kind, int64_t a_min, int64_t a_max, int64_t b_min, int64_t b_max, int64_t *min,
                        int64_t *max);
PN_INLINE const pn_symbol *pn_symbol_get(const pn_symbols *symbols, uint32_t symbol) {
  return &symbols->list.data[symbol - 1];
}
/* < 0, 0, > 0 by name. */
int pn_symbol_compare(const pn_symbols *symbols, uint32_t a, uint32_t b);

/* Whether a named symbol's name is printed as it is; others are 'quoted'. */
bool pn_dim_name_is_plain(pn_str name);
/* The name as print writes it and parse reads it, in |arena|; null data when memory is out. */
pn_str pn_dim_name_quoted(pn_arena *arena, pn_str name);

#endif
