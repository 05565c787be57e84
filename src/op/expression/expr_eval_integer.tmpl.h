/* One step over a run of integers held in 64 bits, for one signedness. Included twice by expr_eval.c, with
     INTEGER     int64_t or uint64_t
     NAME(step)  step_i64 or step_u64
     IS_SIGNED   1 or 0
   The caller wraps results to the width of their type; |width| is its bits, for shifts. What C leaves undefined
   (overflow, division by zero, shifts past the width) is defined here. Not a header of its own: no guard. */

#define IS_NEGATIVE(x) (IS_SIGNED && (int64_t)(x) < 0)

static INTEGER NAME(negated)(INTEGER a) { return (INTEGER)(0 - (uint64_t)a); }

static INTEGER NAME(quotient)(INTEGER a, INTEGER b) {
  if (b == 0) return 0;
  if (IS_SIGNED && b == (INTEGER)-1) return NAME(negated)(a); /* INT64_MIN / -1 wraps */
  return a / b;
}

static INTEGER NAME(remainder)(INTEGER a, INTEGER b) {
  if (b == 0 || (IS_SIGNED && b == (INTEGER)-1)) return 0;
  return a % b;
}

static INTEGER NAME(modulo)(INTEGER a, INTEGER b) {
  INTEGER rest = NAME(remainder)(a, b);
  return rest != 0 && IS_NEGATIVE(rest) != IS_NEGATIVE(b) ? rest + b : rest;
}

/* Exact, modulo 2^64. A negative exponent gives the reciprocal, truncated. */
static INTEGER NAME(power)(INTEGER base, INTEGER exponent) {
  if (IS_NEGATIVE(exponent)) {
    if (base == 1) return 1;
    if (base == (INTEGER)-1) return exponent & 1 ? base : 1;
    return 0;
  }
  uint64_t result = 1, square = (uint64_t)base;
  for (uint64_t left = (uint64_t)exponent; left; left >>= 1, square *= square)
    if (left & 1) result *= square;
  return (INTEGER)result;
}

static INTEGER NAME(shifted_left)(INTEGER a, INTEGER b, uint32_t width) {
  return (uint64_t)b < width ? (INTEGER)((uint64_t)a << b) : 0;
}

/* What comes in from the left is the sign; past the width nothing else is left. */
static INTEGER NAME(shifted_right)(INTEGER a, INTEGER b, uint32_t width) {
  if ((uint64_t)b >= width) return IS_NEGATIVE(a) ? (INTEGER)-1 : 0;
  return (INTEGER)(a >> b); /* gcc and clang shift signed values arithmetically */
}

#define EACH(expression)                                                 \
  for (uint32_t i = 0; i < count; i++) out[i] = (INTEGER)(expression); \
  return

static void NAME(step)(pn_expr_op op, uint32_t width, uint32_t count, const void *a_run, const void *b_run,
                       const void *c_run, void *out_run) {
  const INTEGER *a = a_run, *b = b_run, *c = c_run;
  INTEGER *out = out_run;
  switch (op) {
  case PN_EXPR_ADD: EACH((uint64_t)a[i] + (uint64_t)b[i]);
  case PN_EXPR_SUB: EACH((uint64_t)a[i] - (uint64_t)b[i]);
  case PN_EXPR_MUL: EACH((uint64_t)a[i] * (uint64_t)b[i]);
  case PN_EXPR_DIV: EACH(NAME(quotient)(a[i], b[i]));
  case PN_EXPR_MOD: EACH(NAME(modulo)(a[i], b[i]));
  case PN_EXPR_FMOD: EACH(NAME(remainder)(a[i], b[i]));
  case PN_EXPR_POW: EACH(NAME(power)(a[i], b[i]));
  case PN_EXPR_MIN: EACH(a[i] < b[i] ? a[i] : b[i]);
  case PN_EXPR_MAX: EACH(a[i] > b[i] ? a[i] : b[i]);
  case PN_EXPR_NEG: EACH(NAME(negated)(a[i]));
  case PN_EXPR_ABS: EACH(IS_NEGATIVE(a[i]) ? NAME(negated)(a[i]) : a[i]);
  case PN_EXPR_SIGN: EACH(IS_NEGATIVE(a[i]) ? (INTEGER)-1 : (INTEGER)(a[i] != 0));
  case PN_EXPR_SQUARE: EACH((uint64_t)a[i] * (uint64_t)a[i]);
  case PN_EXPR_RELU: EACH(IS_NEGATIVE(a[i]) ? 0 : a[i]);
  case PN_EXPR_CLIP: EACH((a[i] > b[i] ? a[i] : b[i]) < c[i] ? (a[i] > b[i] ? a[i] : b[i]) : c[i]);
  case PN_EXPR_BIT_AND:
  case PN_EXPR_AND: EACH(a[i] & b[i]);
  case PN_EXPR_BIT_OR:
  case PN_EXPR_OR: EACH(a[i] | b[i]);
  case PN_EXPR_BIT_XOR:
  case PN_EXPR_XOR: EACH(a[i] ^ b[i]);
  case PN_EXPR_BIT_NOT: EACH(~a[i]);
  case PN_EXPR_NOT: EACH(!a[i]);
  case PN_EXPR_SHIFT_LEFT: EACH(NAME(shifted_left)(a[i], b[i], width));
  case PN_EXPR_SHIFT_RIGHT: EACH(NAME(shifted_right)(a[i], b[i], width));
  case PN_EXPR_SELECT: EACH(a[i] ? b[i] : c[i]);
  case PN_EXPR_EQUAL: EACH(a[i] == b[i]);
  case PN_EXPR_LESS: EACH(a[i] < b[i]);
  case PN_EXPR_LESS_EQUAL: EACH(a[i] <= b[i]);
  case PN_EXPR_GREATER: EACH(a[i] > b[i]);
  case PN_EXPR_GREATER_EQUAL: EACH(a[i] >= b[i]);
  default: return; /* no operation on integers: pn_expr_types refuses it */
  }
}

#undef EACH
#undef IS_NEGATIVE
