/* Expressions as text, both ways.

     text       = { "t" digits "=" call ";" } call
     call       = "x" digits | "t" digits | number ":" dtype | name "(" call { "," call } ")"
                | "cast(" call "," dtype [ "," mode ] ")"

   A step that several others use is printed once under a name of its own (operands and constants are short: they are
   repeated). Reading builds the steps anew and finishes them, so the result is in the order of every finished
   expression: parse(print(e)) equals e. */
#include "base/format.h"
#include "op/expr.h"

#include <math.h>

/* ---- printing -------------------------------------------------------------------------------------------------- */

typedef struct printer {
  const pn_expr *expr;
  pn_text *out;
  uint16_t name[PN_EXPR_MAX_STEPS]; /* t0 is 1; 0: printed in place */
} printer;

static void print_constant(const pn_expr_step *step, pn_text *out) {
  double value = step->constant.f64;
  char number[40];
  if (step->dtype == PELTON_DTYPE_U64) {
    pn_text_printf(out, "%llu", (unsigned long long)step->constant.i64);
  } else if (!pn_dtype_is_float(step->dtype)) {
    pn_text_printf(out, "%lld", (long long)step->constant.i64);
  } else if (step->dtype != PELTON_DTYPE_F64 || !isfinite(value)) {
    pn_text_f32(out, (float)value); /* the shortest for f32 says f16 and bf16 too */
  } else {
    for (int digits = 15; digits <= 17; digits++) {
      pn_formatf(number, sizeof number, "%.*g", digits, value);
      if (pn_parse_f64(number, NULL) == value) break;
    }
    pn_text_add(out, pn_str_from(number));
  }
  pn_text_printf(out, ":%s", pelton_dtype_name(step->dtype));
}

static void print_step(printer *p, uint16_t index, bool by_name) {
  const pn_expr_step *step = &p->expr->steps[index];
  if (by_name && p->name[index]) {
    pn_text_printf(p->out, "t%u", p->name[index] - 1u);
    return;
  }
  if (step->op == PN_EXPR_INPUT) {
    pn_text_printf(p->out, "x%u", step->argument[0]);
    return;
  }
  if (step->op == PN_EXPR_CONSTANT) {
    print_constant(step, p->out);
    return;
  }
  pn_text_printf(p->out, "%s(", pn_expr_op_name(step->op));
  for (uint32_t i = 0; i < pn_expr_op_arguments(step->op); i++) {
    if (i) pn_text_add(p->out, PN_STR(","));
    print_step(p, step->argument[i], true);
  }
  if (step->op == PN_EXPR_CAST) pn_text_printf(p->out, ",%s", pelton_dtype_name(step->dtype));
  if (step->mode != PN_CAST_DEFAULT) pn_text_printf(p->out, ",%s", pn_cast_mode_name((uint32_t)step->mode));
  pn_text_add(p->out, PN_STR(")"));
}

void pn_expr_print(const pn_expr *expr, pn_text *out) {
  printer p = {.expr = expr, .out = out};
  uint16_t uses[PN_EXPR_MAX_STEPS] = {0}, names = 0;
  for (uint32_t i = 0; i < expr->step_count; i++)
    for (uint32_t k = 0; k < pn_expr_op_arguments(expr->steps[i].op); k++) uses[expr->steps[i].argument[k]]++;
  for (uint32_t i = 0; i < expr->step_count; i++) {
    if (uses[i] < 2 || expr->steps[i].op == PN_EXPR_INPUT || expr->steps[i].op == PN_EXPR_CONSTANT) continue;
    p.name[i] = (uint16_t)(names + 1);
    pn_text_printf(out, "t%u=", names++);
    print_step(&p, (uint16_t)i, false);
    pn_text_add(out, PN_STR(";"));
  }
  print_step(&p, (uint16_t)(expr->step_count - 1), true);
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

typedef struct parser {
  pn_expr_builder *builder;
  pelton_diag *diag;
  pn_str text;
  size_t at;
  uint32_t depth, named_count;
  uint16_t named[PN_EXPR_MAX_STEPS]; /* steps of t0, t1, ... */
} parser;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return (c >= 'a' && c <= 'z') || c == '_' || is_digit(c); }

static char peek(parser *p) {
  while (p->at < p->text.size && (p->text.data[p->at] == ' ' || p->text.data[p->at] == '\t')) p->at++;
  return p->at < p->text.size ? p->text.data[p->at] : 0;
}

static bool accept(parser *p, char c) {
  if (peek(p) != c) return false;
  p->at++;
  return true;
}

static pelton_status fail(const parser *p, size_t at, const char *expected) {
  size_t shown = p->text.size - at < 24 ? p->text.size - at : 24;
  return pn_fail(p->diag, PELTON_INVALID_DATA, "expression: expected %s at character %zu, not '%.*s'", expected, at + 1,
                 (int)shown, p->text.data + at);
}

static pn_str take_word(parser *p) {
  peek(p);
  size_t begin = p->at;
  while (p->at < p->text.size && is_word(p->text.data[p->at])) p->at++;
  return (pn_str){p->text.data + begin, p->at - begin};
}

static pelton_status take_dtype(parser *p, pelton_dtype *out) {
  peek(p);
  size_t begin = p->at;
  if (pn_dtype_parse(take_word(p), out) && !pn_dtype_points(*out)) return PELTON_OK;
  return fail(p, begin, "a type (f32, f16, bf16, f64, i8 ... u64, bool, f8..., f4e2m1, i4, u4, i2, u2)");
}

/* ",overflow" behind the type of a cast. */
static pelton_status take_mode(parser *p, pelton_dtype to, pn_cast_mode *out) {
  *out = PN_CAST_DEFAULT;
  if (!accept(p, ',')) return PELTON_OK;
  peek(p);
  size_t begin = p->at;
  pn_str word = take_word(p);
  for (uint32_t i = 1; i < PN_CAST_MODE_COUNT; i++)
    if (pn_str_is(word, pn_cast_mode_name(i))) *out = pn_cast_mode_at(i);
  if (*out != PN_CAST_DEFAULT && pn_cast_mode_for(to, *out) == *out) return PELTON_OK;
  return fail(p, begin, "a way to cast that its type has (overflow; for f8e8m0 down, nearest, ..._overflow)");
}

/* "-0.5:f32", "3:i64", "inf:f16". */
static pelton_status parse_constant(parser *p, uint16_t *out) {
  peek(p);
  size_t begin = p->at, end = begin;
  while (end < p->text.size && p->text.data[end] != ':' && p->text.data[end] != ',' && p->text.data[end] != ')') end++;
  pn_str number = {p->text.data + begin, end - begin};
  if (end == p->text.size || p->text.data[end] != ':') return fail(p, begin, "a constant with its type, as 0.5:f32");
  p->at = end + 1;
  pelton_dtype dtype;
  PN_TRY(take_dtype(p, &dtype));
  double f64;
  int64_t i64 = 0;
  if (pn_dtype_is_float(dtype)) {
    if (!pn_str_to_f64(number, &f64)) return fail(p, begin, "a number");
    *out = pn_expr_f64(p->builder, dtype, f64);
    return PELTON_OK;
  }
  bool fits = pn_str_to_i64(number, &i64);
  if (!fits && dtype == PELTON_DTYPE_U64 && number.size >= 19 && number.size <= 20) { /* the upper half of u64 */
    int64_t head = 0;
    fits = pn_str_to_i64((pn_str){number.data, number.size - 1}, &head) && head >= 0 &&
           is_digit(number.data[number.size - 1]);
    uint64_t last = (uint64_t)(number.data[number.size - 1] - '0'), value = (uint64_t)head * 10;
    fits = fits && (uint64_t)head <= UINT64_MAX / 10 && value <= UINT64_MAX - last;
    i64 = (int64_t)(value + last);
  }
  if (!fits) return fail(p, begin, "an integer");
  *out = pn_expr_i64(p->builder, dtype, i64);
  return PELTON_OK;
}

/* The number behind 'x' or 't' when |word| is such a name. */
static bool word_index(pn_str word, char letter, int64_t *out) {
  return word.size >= 2 && word.data[0] == letter && is_digit(word.data[1]) &&
         pn_str_to_i64((pn_str){word.data + 1, word.size - 1}, out);
}

static bool find_op(pn_str name, pn_expr_op *out) {
  for (uint32_t op = PN_EXPR_CAST; op < PN_EXPR_OP_COUNT; op++)
    if (pn_str_is(name, pn_expr_op_name((pn_expr_op)op))) {
      *out = (pn_expr_op)op;
      return true;
    }
  return false;
}

static pelton_status parse_call(parser *p, uint16_t *out);

static pelton_status parse_arguments(parser *p, pn_expr_op op, uint16_t *out) {
  uint16_t arguments[3] = {0};
  pelton_dtype to = PELTON_DTYPE_NONE;
  pn_cast_mode mode = PN_CAST_DEFAULT;
  if (!accept(p, '(')) return fail(p, p->at, "'('");
  for (uint32_t i = 0; i < pn_expr_op_arguments(op); i++) {
    if (i && !accept(p, ',')) return fail(p, p->at, "',' and one more operand");
    PN_TRY(parse_call(p, &arguments[i]));
  }
  if (op == PN_EXPR_CAST) {
    if (!accept(p, ',')) return fail(p, p->at, "',' and a type");
    PN_TRY(take_dtype(p, &to));
    PN_TRY(take_mode(p, to, &mode));
  }
  if (!accept(p, ')')) return fail(p, p->at, "')'");
  *out = op == PN_EXPR_CAST ? pn_expr_cast(p->builder, arguments[0], to, mode)
                            : pn_expr_call(p->builder, op, arguments[0], arguments[1], arguments[2]);
  return PELTON_OK;
}

static pelton_status parse_call_here(parser *p, uint16_t *out) {
  peek(p);
  size_t begin = p->at;
  pn_str word = take_word(p);
  int64_t index;
  pn_expr_op op;
  bool is_number = word.size == 0 || is_digit(word.data[0]) || pn_str_is(word, "inf") || pn_str_is(word, "nan");
  if (is_number) {
    p->at = begin;
    return parse_constant(p, out);
  }
  if (word_index(word, 'x', &index)) {
    if (index >= PN_EXPR_MAX_INPUTS) return fail(p, begin, "an operand below x64");
    *out = pn_expr_input(p->builder, (uint32_t)index);
    return PELTON_OK;
  }
  if (word_index(word, 't', &index)) {
    if (index >= p->named_count) return fail(p, begin, "a name that is defined before");
    *out = p->named[index];
    return PELTON_OK;
  }
  if (!find_op(word, &op)) return fail(p, begin, "an operand (x0), a constant (0.5:f32) or an operation");
  return parse_arguments(p, op, out);
}

static pelton_status parse_call(parser *p, uint16_t *out) {
  if (p->depth == PN_EXPR_MAX_STEPS) return fail(p, p->at, "less nesting"); /* each level is a step of its own */
  p->depth++;
  pelton_status status = parse_call_here(p, out);
  p->depth--;
  return status;
}

/* "t0=" at the front: names must come in order, as printed. */
static pelton_status parse_definition(parser *p, bool *found) {
  peek(p);
  size_t begin = p->at;
  int64_t index;
  *found = word_index(take_word(p), 't', &index) && accept(p, '=');
  if (!*found) {
    p->at = begin;
    return PELTON_OK;
  }
  if (index != (int64_t)p->named_count || index >= PN_EXPR_MAX_STEPS)
    return fail(p, begin, "names t0, t1, ... in this order");
  uint16_t step;
  PN_TRY(parse_call(p, &step));
  p->named[p->named_count++] = step;
  return accept(p, ';') ? PELTON_OK : fail(p, p->at, "';'");
}

pelton_status pn_expr_parse(pn_str text, pn_arena *arena, const pn_expr **out, pelton_diag *diag) {
  *out = NULL;
  pn_expr_builder builder;
  pn_expr_builder_init(&builder);
  parser p = {.builder = &builder, .diag = diag, .text = text};
  bool found = true;
  uint16_t result;
  while (found) PN_TRY(parse_definition(&p, &found));
  PN_TRY(parse_call(&p, &result));
  if (peek(&p) || p.at < text.size) return fail(&p, p.at, "the end");
  if (builder.failed)
    return pn_fail(diag, PELTON_INVALID_DATA, "expression: more than %d steps", (int)PN_EXPR_MAX_STEPS);
  *out = pn_expr_finish(&builder, result, arena);
  return *out ? PELTON_OK : pn_fail_memory(diag, "an expression");
}
