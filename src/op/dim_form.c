/* Polynomials over symbols, of bounded size and on the stack: see dim_form.h. */
#include "op/dim_form.h"

#include <assert.h>

/* ---- terms ----------------------------------------------------------------------------------------------------- */

/* The order of terms in a form: higher degree first, then by names. It agrees with multiplication (a before b implies
   ac before bc), which is what division needs. */
static int term_compare(const pn_symbols *symbols, const pn_term *a, const pn_term *b) {
  if (a->factor_count != b->factor_count) return a->factor_count > b->factor_count ? -1 : 1;
  for (uint32_t i = 0; i < a->factor_count; i++) {
    int order = pn_symbol_compare(symbols, a->factors[i], b->factors[i]);
    if (order) return order;
  }
  return 0;
}

static bool term_mul(const pn_symbols *symbols, const pn_term *a, const pn_term *b, pn_term *out) {
  pn_term product = {.factor_count = 0};
  if (a->factor_count + b->factor_count > PN_FORM_FACTORS) return false;
  if (!pn_mul_i64(a->coefficient, b->coefficient, &product.coefficient)) return false;
  uint32_t i = 0, k = 0;
  while (i < a->factor_count || k < b->factor_count) {
    bool from_a =
        k == b->factor_count || (i < a->factor_count && pn_symbol_compare(symbols, a->factors[i], b->factors[k]) <= 0);
    product.factors[product.factor_count++] = from_a ? a->factors[i++] : b->factors[k++];
  }
  *out = product;
  return true;
}

/* Takes the factors of |b| out of |a|; false when one is missing. Both lists are in the same order. */
static bool term_remove_factors(pn_term *a, const pn_term *b) {
  uint32_t kept = 0, k = 0;
  for (uint32_t i = 0; i < a->factor_count; i++) {
    if (k < b->factor_count && a->factors[i] == b->factors[k])
      k++;
    else
      a->factors[kept++] = a->factors[i];
  }
  a->factor_count = kept;
  return k == b->factor_count;
}

static bool form_add_term(const pn_symbols *symbols, pn_form *form, const pn_term *term) {
  uint32_t at = 0;
  int order = 1;
  while (at < form->term_count && (order = term_compare(symbols, &form->terms[at], term)) < 0) at++;
  if (at < form->term_count && order == 0) {
    if (!pn_add_i64(form->terms[at].coefficient, term->coefficient, &form->terms[at].coefficient)) return false;
    if (form->terms[at].coefficient) return true;
    form->term_count--;
    memmove(&form->terms[at], &form->terms[at + 1], (form->term_count - at) * sizeof(pn_term));
    return true;
  }
  if (term->coefficient == 0) return true;
  if (form->term_count == PN_FORM_TERMS) return false;
  memmove(&form->terms[at + 1], &form->terms[at], (form->term_count - at) * sizeof(pn_term));
  form->terms[at] = *term;
  form->term_count++;
  return true;
}

/* ---- forms ----------------------------------------------------------------------------------------------------- */

bool pn_form_add(const pn_symbols *symbols, const pn_form *a, const pn_form *b, int64_t scale, pn_form *out) {
  pn_form sum = *a;
  for (uint32_t i = 0; i < b->term_count; i++) {
    pn_term term = b->terms[i];
    if (!pn_mul_i64(term.coefficient, scale, &term.coefficient)) return false;
    if (!form_add_term(symbols, &sum, &term)) return false;
  }
  *out = sum;
  return true;
}

bool pn_form_mul(const pn_symbols *symbols, const pn_form *a, const pn_form *b, pn_form *out) {
  pn_form product = {.term_count = 0};
  for (uint32_t i = 0; i < a->term_count; i++)
    for (uint32_t k = 0; k < b->term_count; k++) {
      pn_term term;
      if (!term_mul(symbols, &a->terms[i], &b->terms[k], &term)) return false;
      if (!form_add_term(symbols, &product, &term)) return false;
    }
  *out = product;
  return true;
}

void pn_form_of(const pn_symbols *symbols, pn_dim d, pn_form *out) {
  out->term_count = 0;
  if (pn_dim_is_number(d)) {
    if (d.number) out->terms[out->term_count++] = (pn_term){.coefficient = d.number};
    return;
  }
  const pn_symbol *s = pn_symbol_get(symbols, d.symbol);
  if (s->kind == PN_SYMBOL_ADD || s->kind == PN_SYMBOL_MUL) {
    pn_form a, b;
    pn_form_of(symbols, s->a, &a);
    pn_form_of(symbols, s->b, &b);
    bool fits = s->kind == PN_SYMBOL_ADD ? pn_form_add(symbols, &a, &b, 1, out) : pn_form_mul(symbols, &a, &b, out);
    if (fits) return;
  }
  out->term_count = 1;
  out->terms[0] = (pn_term){.coefficient = 1, .factor_count = 1, .factors = {d.symbol}};
}

/* Interning gives a fresh symbol when the name would be too long; and only then. */
static bool is_forgotten(const pn_symbols *symbols, pn_dim d) {
  return !pn_dim_is_number(d) && pn_symbol_get(symbols, d.symbol)->kind == PN_SYMBOL_FRESH;
}

/* |*forgotten| is set when the result is a fresh symbol in place of a part of the term. */
static pn_dim term_dim(pn_symbols *symbols, const pn_term *term, bool *forgotten) {
  *forgotten = false;
  if (term->factor_count == 0) return pn_dim_of(term->coefficient);
  pn_dim product = {0, term->factors[0]};
  for (uint32_t i = 1; i < term->factor_count && !*forgotten; i++) {
    product = pn_symbol_intern(symbols, PN_SYMBOL_MUL, product, (pn_dim){0, term->factors[i]});
    *forgotten = is_forgotten(symbols, product);
  }
  if (term->coefficient == 1 || *forgotten) return product;
  product = pn_symbol_intern(symbols, PN_SYMBOL_MUL, product, pn_dim_of(term->coefficient));
  *forgotten = is_forgotten(symbols, product);
  return product;
}

pn_dim pn_form_dim(pn_symbols *symbols, const pn_form *form) {
  if (form->term_count == 0) return pn_dim_of(0);
  uint32_t first = 0; /* a positive term in front, if there is one: "h-w", "3-h" */
  while (first < form->term_count && form->terms[first].coefficient < 0) first++;
  if (first == form->term_count) first = 0;
  bool forgotten;
  pn_dim sum = term_dim(symbols, &form->terms[first], &forgotten);
  for (uint32_t i = 0; i < form->term_count && !forgotten; i++) {
    if (i == first) continue;
    pn_dim term = term_dim(symbols, &form->terms[i], &forgotten);
    if (forgotten) {
      sum = term;
    } else {
      sum = pn_symbol_intern(symbols, PN_SYMBOL_ADD, sum, term);
      forgotten = is_forgotten(symbols, sum);
    }
  }
  if (symbols->failed) return pn_dim_of(0);
  if (forgotten) { /* the fresh symbol stands for the whole, not for the part at which the name became too long */
    pn_symbol *s = &symbols->list.data[sum.symbol - 1];
    pn_form_bounds(symbols, form, &s->min, &s->max);
  }
  return sum;
}

void pn_form_bounds(const pn_symbols *symbols, const pn_form *form, int64_t *min, int64_t *max) {
  *min = *max = 0;
  for (uint32_t i = 0; i < form->term_count; i++) {
    const pn_term *term = &form->terms[i];
    int64_t low = term->coefficient, high = term->coefficient;
    for (uint32_t k = 0; k < term->factor_count; k++) {
      const pn_symbol *s = pn_symbol_get(symbols, term->factors[k]);
      pn_symbol_interval(PN_SYMBOL_MUL, low, high, s->min, s->max, &low, &high);
    }
    pn_symbol_interval(PN_SYMBOL_ADD, *min, *max, low, high, min, max);
  }
}

/* ---- division -------------------------------------------------------------------------------------------------- */

static uint64_t magnitude(int64_t value) { return value < 0 ? 0 - (uint64_t)value : (uint64_t)value; }

static uint64_t common_divisor(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Keeps in |common| only the factors that |term| has too. */
static void common_factors(pn_term *common, const pn_term *term) {
  pn_term rest = *term;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < common->factor_count; i++) {
    pn_term one = {.factor_count = 1, .factors = {common->factors[i]}};
    pn_term without = rest;
    if (!term_remove_factors(&without, &one)) continue;
    rest = without;
    common->factors[kept++] = common->factors[i];
  }
  common->factor_count = kept;
}

void pn_form_cancel(pn_form *a, pn_form *b) {
  if (a->term_count == 0 || b->term_count == 0) return;
  pn_form *forms[2] = {a, b};
  pn_term common = a->terms[0];
  uint64_t divisor = 0;
  for (int f = 0; f < 2; f++)
    for (uint32_t i = 0; i < forms[f]->term_count; i++) {
      common_factors(&common, &forms[f]->terms[i]);
      divisor = common_divisor(divisor, magnitude(forms[f]->terms[i].coefficient));
    }
  if (divisor > INT64_MAX) divisor = 1; /* all are INT64_MIN: leave them */
  for (int f = 0; f < 2; f++)
    for (uint32_t i = 0; i < forms[f]->term_count; i++) {
      pn_term *term = &forms[f]->terms[i];
      term->coefficient /= (int64_t)divisor;
      bool removed = term_remove_factors(term, &common);
      assert(removed);
      (void)removed;
    }
}

bool pn_form_divide(const pn_symbols *symbols, const pn_form *a, const pn_form *b, pn_form *out) {
  pn_form rest = *a, quotient = {.term_count = 0};
  if (b->term_count == 0) return false;
  const pn_term *lead = &b->terms[0];
  /* Each step removes the rest's first term for later ones; the bound ends what keeps growing. */
  for (int step = 0; step < 4 * PN_FORM_TERMS && rest.term_count; step++) {
    pn_term term = rest.terms[0];
    if (!term_remove_factors(&term, lead)) return false;
    if (lead->coefficient == -1 && term.coefficient == INT64_MIN) return false;
    if (term.coefficient % lead->coefficient) return false;
    term.coefficient /= lead->coefficient;
    if (!form_add_term(symbols, &quotient, &term)) return false;
    pn_form one = {.term_count = 1, .terms = {term}}, product;
    if (!pn_form_mul(symbols, &one, b, &product) || !pn_form_add(symbols, &rest, &product, -1, &rest)) return false;
  }
  *out = quotient;
  return rest.term_count == 0;
}
