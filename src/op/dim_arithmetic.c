/* Arithmetic of dims. Sums and products go through the polynomial form; a quotient is split into what divides exactly
   and a remaining quotient in lowest terms, so that (h+2-3)/2+1, (h-1)/2+1 and ceil(h/2) are all (h+1)/2.

   Identities used on quotients, all true for every integer x and positive a, b:
     floor((q*a + x)/a) = q + floor(x/a)        floor(g*x/(g*a)) = floor(x/a)
     floor(floor(x/a)/b) = floor(x/(a*b))       ceil(x/a) = floor((x+a-1)/a)
   A symbolic divisor counts as positive: n/n is 1. */
#include "op/dim_form.h"

/* ---- numbers --------------------------------------------------------------------------------------------------- */

static int64_t number_add(int64_t a, int64_t b) {
  int64_t sum;
  return pn_add_i64(a, b, &sum) ? sum : (a < 0 ? INT64_MIN : INT64_MAX);
}

static int64_t number_mul(int64_t a, int64_t b) {
  int64_t product;
  return pn_mul_i64(a, b, &product) ? product : ((a < 0) != (b < 0) ? INT64_MIN : INT64_MAX);
}

static int64_t number_floor_div(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return a == INT64_MIN ? INT64_MAX : -a;
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t number_ceil_div(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return a == INT64_MIN ? INT64_MAX : -a;
  return a / b + (a % b != 0 && (a < 0) == (b < 0));
}

int64_t pn_symbol_compute(pn_symbol_kind kind, int64_t a, int64_t b) {
  switch (kind) {
  case PN_SYMBOL_ADD: return number_add(a, b);
  case PN_SYMBOL_MUL: return number_mul(a, b);
  case PN_SYMBOL_FLOOR_DIV: return number_floor_div(a, b);
  case PN_SYMBOL_CEIL_DIV: return number_ceil_div(a, b);
  case PN_SYMBOL_MIN: return pn_min_i64(a, b);
  case PN_SYMBOL_MAX: return pn_max_i64(a, b);
  case PN_SYMBOL_NAMED:
  case PN_SYMBOL_FRESH: break;
  }
  return 0;
}

/* Bounds at the int64 limits mean "unbounded" and stay so whatever is added to them, or multiplies or divides them. */
static int64_t bound_add(int64_t a, int64_t b, int64_t unbounded) {
  return a == unbounded || b == unbounded ? unbounded : number_add(a, b);
}

static int64_t bound_mul(int64_t a, int64_t b) {
  bool unbounded = a == INT64_MIN || a == INT64_MAX || b == INT64_MIN || b == INT64_MAX;
  if (!unbounded || a == 0 || b == 0) return number_mul(a, b);
  return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
}

static int64_t bound_div(pn_symbol_kind kind, int64_t a, int64_t b) {
  if ((a == INT64_MIN || a == INT64_MAX) && b != INT64_MAX) return a;
  return pn_symbol_compute(kind, a, b);
}

void pn_symbol_interval(pn_symbol_kind kind, int64_t a_min, int64_t a_max, int64_t b_min, int64_t b_max, int64_t *min,
                        int64_t *max) {
  int64_t corner[4];
  bool is_quotient = kind == PN_SYMBOL_FLOOR_DIV || kind == PN_SYMBOL_CEIL_DIV, divides_by_zero = false;
  *min = INT64_MIN;
  *max = INT64_MAX;
  switch (kind) {
  case PN_SYMBOL_ADD:
    *min = bound_add(a_min, b_min, INT64_MIN);
    *max = bound_add(a_max, b_max, INT64_MAX);
    return;
  case PN_SYMBOL_MIN:
    *min = pn_min_i64(a_min, b_min);
    *max = pn_min_i64(a_max, b_max);
    return;
  case PN_SYMBOL_MAX:
    *min = pn_max_i64(a_min, b_min);
    *max = pn_max_i64(a_max, b_max);
    return;
  case PN_SYMBOL_MUL:
  case PN_SYMBOL_FLOOR_DIV:
  case PN_SYMBOL_CEIL_DIV: break; /* monotonous in each operand: extremes are at the corners */
  case PN_SYMBOL_NAMED:
  case PN_SYMBOL_FRESH: return;
  }
  if (is_quotient) {
    if (b_min < 0 || b_max < 0) return;
    divides_by_zero = b_min == 0;
    b_min = pn_max_i64(b_min, 1);
    b_max = pn_max_i64(b_max, 1);
  }
  for (int i = 0; i < 4; i++) {
    int64_t a = i & 1 ? a_max : a_min, b = i & 2 ? b_max : b_min;
    corner[i] = is_quotient ? bound_div(kind, a, b) : bound_mul(a, b);
  }
  *min = pn_min_i64(pn_min_i64(corner[0], corner[1]), pn_min_i64(corner[2], corner[3]));
  *max = pn_max_i64(pn_max_i64(corner[0], corner[1]), pn_max_i64(corner[2], corner[3]));
  if (divides_by_zero) {
    *min = pn_min_i64(*min, 0);
    *max = pn_max_i64(*max, 0);
  }
}

/* ---- sums and products ------------------------------------------------------------------------------------------ */

/* Interns a commutative operation on operands in a fixed order: by name, numbers last. */
static pn_dim intern_ordered(pn_symbols *symbols, pn_symbol_kind kind, pn_dim a, pn_dim b) {
  bool swap = pn_dim_is_number(a) ||
              (!pn_dim_is_number(b) && pn_symbol_compare(symbols, a.symbol, b.symbol) > 0);
  return swap ? pn_symbol_intern(symbols, kind, b, a) : pn_symbol_intern(symbols, kind, a, b);
}

static bool both_numbers(pn_dim a, pn_dim b) { return pn_dim_is_number(a) && pn_dim_is_number(b); }

static pn_dim numbers(pn_symbol_kind kind, pn_dim a, pn_dim b) {
  return pn_dim_of(pn_symbol_compute(kind, a.number, b.number));
}

pn_dim pn_dim_add(pn_symbols *symbols, pn_dim a, pn_dim b) {
  if (both_numbers(a, b)) return numbers(PN_SYMBOL_ADD, a, b);
  if (pn_dim_is(a, 0)) return b;
  if (pn_dim_is(b, 0)) return a;
  pn_form x, y;
  pn_form_of(symbols, a, &x);
  pn_form_of(symbols, b, &y);
  if (pn_form_add(symbols, &x, &y, 1, &x)) return pn_form_dim(symbols, &x);
  return intern_ordered(symbols, PN_SYMBOL_ADD, a, b);
}

pn_dim pn_dim_sub(pn_symbols *symbols, pn_dim a, pn_dim b) {
  if (pn_dim_equal(a, b)) return pn_dim_of(0);
  if (both_numbers(a, b)) {
    int64_t difference;
    if (pn_sub_i64(a.number, b.number, &difference)) return pn_dim_of(difference);
    return pn_dim_of(a.number < 0 ? INT64_MIN : INT64_MAX);
  }
  return pn_dim_add(symbols, a, pn_dim_mul(symbols, b, pn_dim_of(-1)));
}

pn_dim pn_dim_mul(pn_symbols *symbols, pn_dim a, pn_dim b) {
  if (both_numbers(a, b)) return numbers(PN_SYMBOL_MUL, a, b);
  if (pn_dim_is(a, 0) || pn_dim_is(b, 0)) return pn_dim_of(0);
  if (pn_dim_is(a, 1)) return b;
  if (pn_dim_is(b, 1)) return a;
  pn_form x, y;
  pn_form_of(symbols, a, &x);
  pn_form_of(symbols, b, &y);
  if (pn_form_mul(symbols, &x, &y, &x)) return pn_form_dim(symbols, &x);
  return intern_ordered(symbols, PN_SYMBOL_MUL, a, b);
}

/* ---- quotients ------------------------------------------------------------------------------------------------- */

static int64_t greatest_divisor(int64_t a, int64_t b) { /* of b > 0 and any a */
  while (a) {
    int64_t rest = b % a;
    b = a;
    a = rest;
  }
  return b < 0 ? -b : b;
}

/* Splits |form| into c * quotient + rest, with the rest's constant in [0, c); then takes out of rest and |*c| what
   divides both. */
static void form_split(const pn_form *form, int64_t *c, pn_form *quotient, pn_form *rest) {
  int64_t divisor = *c;
  quotient->term_count = rest->term_count = 0;
  for (uint32_t i = 0; i < form->term_count; i++) {
    pn_term whole = form->terms[i], part = form->terms[i];
    whole.coefficient = number_floor_div(whole.coefficient, *c);
    part.coefficient = (int64_t)((uint64_t)part.coefficient - (uint64_t)whole.coefficient * (uint64_t)*c);
    if (part.factor_count && part.coefficient) { /* 3h stays one term: h + h/2 would be no simpler than 3h/2 */
      part.coefficient = form->terms[i].coefficient;
      whole.coefficient = 0;
    }
    if (whole.coefficient) quotient->terms[quotient->term_count++] = whole;
    if (part.coefficient) rest->terms[rest->term_count++] = part;
    if (part.coefficient && part.factor_count) divisor = greatest_divisor(part.coefficient, divisor);
  }
  if (divisor == 1) return;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < rest->term_count; i++) {
    rest->terms[i].coefficient = number_floor_div(rest->terms[i].coefficient, divisor);
    if (rest->terms[i].coefficient) rest->terms[kept++] = rest->terms[i];
  }
  rest->term_count = kept;
  *c /= divisor;
}

/* (x/m + k)/c as (x + k*m)/(m*c): true when |rest| is such a sum. */
static bool form_is_nested(pn_symbols *symbols, const pn_form *rest, int64_t c, pn_dim *numerator, int64_t *divisor) {
  const pn_term *term = &rest->terms[0];
  if (rest->term_count == 0 || term->factor_count != 1 || term->coefficient != 1) return false;
  if (rest->term_count > 1 && rest->terms[1].factor_count) return false;
  const pn_symbol s = *pn_symbol_get(symbols, term->factors[0]);
  int64_t k = rest->term_count > 1 ? rest->terms[1].coefficient : 0;
  if (s.kind != PN_SYMBOL_FLOOR_DIV || !pn_dim_is_number(s.b)) return false;
  if (!pn_mul_i64(s.b.number, c, divisor) || !pn_mul_i64(k, s.b.number, &k)) return false;
  *numerator = pn_dim_add(symbols, s.a, pn_dim_of(k));
  return true;
}

/* |a| over the positive number |c|. */
static pn_dim floor_div_number(pn_symbols *symbols, pn_dim a, int64_t c) {
  pn_form form, quotient, rest;
  pn_form_of(symbols, a, &form);
  form_split(&form, &c, &quotient, &rest);
  int64_t low, high, divisor;
  pn_form_bounds(symbols, &rest, &low, &high);
  bool bounded = low != INT64_MIN && high != INT64_MAX;
  pn_dim part, numerator;
  if (bounded && number_floor_div(low, c) == number_floor_div(high, c)) {
    part = pn_dim_of(number_floor_div(low, c));
  } else if (form_is_nested(symbols, &rest, c, &numerator, &divisor)) {
    part = pn_dim_floor_div(symbols, numerator, pn_dim_of(divisor));
  } else {
    part = pn_symbol_intern(symbols, PN_SYMBOL_FLOOR_DIV, pn_form_dim(symbols, &rest), pn_dim_of(c));
  }
  return pn_dim_add(symbols, pn_form_dim(symbols, &quotient), part);
}

/* |a| over a symbol. */
static pn_dim div_symbol(pn_symbols *symbols, pn_symbol_kind kind, pn_dim a, pn_dim b) {
  if (pn_dim_is(a, 0)) return a;
  if (pn_dim_equal(a, b)) return pn_dim_of(1);
  pn_form x, y, quotient;
  pn_form_of(symbols, a, &x);
  pn_form_of(symbols, b, &y);
  pn_form_cancel(&x, &y);
  if (pn_form_divide(symbols, &x, &y, &quotient)) return pn_form_dim(symbols, &quotient);
  pn_dim numerator = pn_form_dim(symbols, &x), divisor = pn_form_dim(symbols, &y);
  if (!pn_dim_is_number(divisor)) return pn_symbol_intern(symbols, kind, numerator, divisor);
  return kind == PN_SYMBOL_FLOOR_DIV ? pn_dim_floor_div(symbols, numerator, divisor)
                                     : pn_dim_ceil_div(symbols, numerator, divisor);
}

pn_dim pn_dim_floor_div(pn_symbols *symbols, pn_dim a, pn_dim b) {
  if (both_numbers(a, b)) return numbers(PN_SYMBOL_FLOOR_DIV, a, b);
  if (!pn_dim_is_number(b)) return div_symbol(symbols, PN_SYMBOL_FLOOR_DIV, a, b);
  if (b.number == 0) return pn_dim_of(0);
  if (b.number == 1) return a;
  if (b.number > 0) return floor_div_number(symbols, a, b.number);
  if (b.number == INT64_MIN) b.number++; /* its magnitude does not fit; no dim reaches the difference */
  return pn_dim_floor_div(symbols, pn_dim_mul(symbols, a, pn_dim_of(-1)), pn_dim_of(-b.number));
}

pn_dim pn_dim_ceil_div(pn_symbols *symbols, pn_dim a, pn_dim b) {
  if (both_numbers(a, b)) return numbers(PN_SYMBOL_CEIL_DIV, a, b);
  if (!pn_dim_is_number(b)) return div_symbol(symbols, PN_SYMBOL_CEIL_DIV, a, b);
  if (b.number > 0) return pn_dim_floor_div(symbols, pn_dim_add(symbols, a, pn_dim_of(b.number - 1)), b);
  if (b.number == INT64_MIN) b.number++;
  if (b.number == 0) return pn_dim_of(0);
  return pn_dim_ceil_div(symbols, pn_dim_mul(symbols, a, pn_dim_of(-1)), pn_dim_of(-b.number));
}

/* ---- minima and maxima ------------------------------------------------------------------------------------------ */

/* Whether |d| is |kind| with |operand| as one of its own operands. */
static bool has_operand(const pn_symbols *symbols, pn_dim d, pn_symbol_kind kind, pn_dim operand) {
  if (pn_dim_is_number(d)) return false;
  const pn_symbol *s = pn_symbol_get(symbols, d.symbol);
  return s->kind == kind && (pn_dim_equal(s->a, operand) || pn_dim_equal(s->b, operand));
}

static pn_dim extreme(pn_symbols *symbols, pn_symbol_kind kind, pn_dim a, pn_dim b) {
  if (both_numbers(a, b)) return numbers(kind, a, b);
  if (pn_dim_equal(a, b)) return a;
  pn_symbol_kind dual = kind == PN_SYMBOL_MIN ? PN_SYMBOL_MAX : PN_SYMBOL_MIN;
  if (has_operand(symbols, b, kind, a)) return b; /* min(a, min(a, c)) */
  if (has_operand(symbols, a, kind, b)) return a;
  if (has_operand(symbols, b, dual, a)) return a; /* min(a, max(a, c)) */
  if (has_operand(symbols, a, dual, b)) return b;
  pn_form x, y;
  int64_t low, high;
  pn_form_of(symbols, a, &x);
  pn_form_of(symbols, b, &y);
  if (pn_form_add(symbols, &x, &y, -1, &x)) { /* a - b of one sign decides */
    pn_form_bounds(symbols, &x, &low, &high);
    if (high <= 0) return kind == PN_SYMBOL_MIN ? a : b;
    if (low >= 0) return kind == PN_SYMBOL_MIN ? b : a;
  }
  return intern_ordered(symbols, kind, a, b);
}

pn_dim pn_dim_min(pn_symbols *symbols, pn_dim a, pn_dim b) { return extreme(symbols, PN_SYMBOL_MIN, a, b); }
pn_dim pn_dim_max(pn_symbols *symbols, pn_dim a, pn_dim b) { return extreme(symbols, PN_SYMBOL_MAX, a, b); }
