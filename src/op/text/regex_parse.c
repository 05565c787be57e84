/* From a pattern to a tree. Nodes that match only the empty text are dropped where they stand, so that a repetition
   costs as many steps as it asks for; groups nest to a limit, and with them the recursion here and in the compiler. */
#include "op/text/regex.h"

#include "base/diag.h"

enum { MOST_DEPTH = 500, MOST_COUNT = 1000 };

typedef struct flags {
  bool fold, lines, dot_all; /* i, m, s; U only says what is lazy */
} flags;

typedef struct parser {
  pn_str pattern, rest;
  pn_arena *arena;
  pelton_diag *diag;
  flags now;
  uint32_t depth;
  bool quoting; /* between \Q and \E */
  PN_LIST(pn_str) names;
} parser;

/* ---- words ----------------------------------------------------------------------------------------------------- */

static pelton_status fail(const parser *p, const char *what) {
  return pn_fail(p->diag, PELTON_INVALID_ARGUMENT, "the pattern \"%.*s\" is wrong at byte %zu: %s",
                 PN_STR_ARG(p->pattern), p->pattern.size - p->rest.size, what);
}

static pelton_status fail_unsupported(const parser *p, const char *what) {
  return pn_fail(p->diag, PELTON_UNSUPPORTED, "the pattern \"%.*s\" at byte %zu: %s", PN_STR_ARG(p->pattern),
                 p->pattern.size - p->rest.size, what);
}

static pelton_status fail_memory(const parser *p) { return pn_fail_memory(p->diag, "a regular expression"); }

static void advance(parser *p, size_t bytes) {
  p->rest.data += bytes;
  p->rest.size -= bytes;
}

static bool accept(parser *p, const char *text) {
  if (!pn_str_starts(p->rest, text)) return false;
  advance(p, strlen(text));
  return true;
}

/* The next byte; 0 at the end. */
static char peek(const parser *p) { return p->rest.size ? *p->rest.data : 0; }

static uint32_t next_rune(parser *p) {
  size_t bytes;
  const uint32_t rune = pn_rune_read(p->rest, &bytes);
  advance(p, bytes);
  return rune;
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

static pn_regex_node *new_node(parser *p, pn_regex_kind kind) {
  pn_regex_node *node = PN_NEW(p->arena, pn_regex_node);
  if (node) node->kind = kind;
  return node;
}

/* ---- sets ------------------------------------------------------------------------------------------------------ */

static pn_rune_set *new_set(const parser *p) {
  pn_rune_set *set = PN_NEW(p->arena, pn_rune_set);
  if (set) set->fold = p->now.fold;
  return set;
}

/* A letter's other cases too: some have more than one small or large form. */
static bool add_range(const parser *p, pn_rune_set *set, uint32_t first, uint32_t last) {
  const uint32_t low = pn_rune_lower(first), high = pn_rune_upper(first);
  if (!pn_list_push(p->arena, &set->ranges, ((pn_rune_range){first, last}))) return false;
  if (!set->fold || first != last) return true;
  return pn_list_push(p->arena, &set->ranges, ((pn_rune_range){low, low})) &&
         pn_list_push(p->arena, &set->ranges, ((pn_rune_range){high, high}));
}

static pelton_status give_set(parser *p, pn_rune_set *set, pn_regex_node **out) {
  *out = new_node(p, PN_REGEX_SET);
  if (!*out) return fail_memory(p);
  pn_rune_set_finish(set);
  (*out)->set = set;
  return PELTON_OK;
}

static pelton_status give_rune(parser *p, uint32_t rune, pn_regex_node **out) {
  pn_rune_set *set = new_set(p);
  if (!set || !add_range(p, set, rune, rune)) return fail_memory(p);
  return give_set(p, set, out);
}

/* Behind \p or \P: L or {Lu} or {^Lu}. */
static pelton_status parse_category(parser *p, bool negated, pn_rune_set *set) {
  pn_str name = {p->rest.data, p->rest.size ? 1 : 0};
  size_t used = name.size;
  if (peek(p) == '{') {
    const char *end = memchr(p->rest.data, '}', p->rest.size);
    if (!end) return fail(p, "the class's name does not end");
    used = (size_t)(end - p->rest.data) + 1;
    name = (pn_str){p->rest.data + 1, used - 2};
    if (name.size && *name.data == '^') {
      negated = !negated;
      name = (pn_str){name.data + 1, name.size - 1};
    }
  }
  if (!pn_rune_set_add_category(set, name, negated))
    return fail_unsupported(p, "of Unicode's classes only general categories are known (\\pL, \\p{Lu}); write others "
                               "as ranges");
  advance(p, used);
  return PELTON_OK;
}

/* Behind a backslash: a class as \d or \pL into |set|; |*found| false, and nothing read, when none stands there. */
static pelton_status parse_escaped_class(parser *p, pn_rune_set *set, bool *found) {
  const char letter = peek(p);
  bool memory;
  *found = letter == 'p' || letter == 'P';
  if (*found) {
    advance(p, 1);
    return parse_category(p, letter == 'P', set);
  }
  *found = pn_rune_set_add_letter(set, p->arena, letter, &memory);
  if (*found) advance(p, 1);
  return memory ? PELTON_OK : fail_memory(p);
}

/* ---- escapes --------------------------------------------------------------------------------------------------- */

static pelton_status parse_hex(parser *p, uint32_t *out) {
  uint32_t rune = 0, digits = 0;
  const bool braces = accept(p, "{");
  while (digit_of(peek(p)) < 16 && (braces || digits < 2) && rune < PN_UNICODE_END) {
    rune = rune * 16 + (uint32_t)digit_of(peek(p));
    digits++;
    advance(p, 1);
  }
  if ((braces ? digits == 0 : digits != 2) || rune >= PN_UNICODE_END || (braces && !accept(p, "}")))
    return fail(p, "\\x has two hexadecimal digits, or a code point in braces");
  *out = rune;
  return PELTON_OK;
}

/* A code point behind a backslash. */
static pelton_status parse_escaped_rune(parser *p, uint32_t *out) {
  static const char letters[] = "aftnrv", meanings[] = "\a\f\t\n\r\v";
  const char c = peek(p);
  if (!p->rest.size) return fail(p, "a backslash stands at its end");
  const char *letter = c ? strchr(letters, c) : NULL;
  if (letter) {
    advance(p, 1);
    *out = (uint8_t)meanings[letter - letters];
    return PELTON_OK;
  }
  if (c == 'x') {
    advance(p, 1);
    return parse_hex(p, out);
  }
  if (c >= '0' && c <= '7') {
    if (c != '0' && (p->rest.size < 2 || digit_of(p->rest.data[1]) > 7))
      return fail(p, "RE2 has no references to groups");
    *out = 0;
    for (int digits = 0; digits < 3 && digit_of(peek(p)) < 8; digits++, advance(p, 1))
      *out = *out * 8 + (uint32_t)digit_of(peek(p));
    return PELTON_OK;
  }
  if (c == 'C') return fail_unsupported(p, "\\C, a single byte, is not supported");
  if ((uint8_t)c >= 0x80 || c == '8' || c == '9' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
    return fail(p, "RE2 has no such escape");
  *out = next_rune(p);
  return PELTON_OK;
}

/* ---- classes in brackets --------------------------------------------------------------------------------------- */

/* [:alpha:] or [:^alpha:]; |*found| false, and nothing read, when there is none. */
static pelton_status parse_named_class(parser *p, pn_rune_set *set, bool *found) {
  *found = false;
  if (!pn_str_starts(p->rest, "[:")) return PELTON_OK;
  for (size_t end = 2; end + 1 < p->rest.size && p->rest.data[end] != ']'; end++) {
    if (p->rest.data[end] != ':' || p->rest.data[end + 1] != ']') continue;
    const bool negated = p->rest.data[2] == '^';
    bool memory;
    const pn_str name = {p->rest.data + 2 + negated, end - 2 - negated};
    if (!pn_rune_set_add_named(set, p->arena, name, negated, &memory)) return fail(p, "there is no class of this name");
    advance(p, end + 2);
    *found = true;
    return memory ? PELTON_OK : fail_memory(p);
  }
  return PELTON_OK;
}

static pelton_status parse_class_rune(parser *p, uint32_t *out) {
  if (accept(p, "\\")) return parse_escaped_rune(p, out);
  *out = next_rune(p);
  return PELTON_OK;
}

/* Behind the opening bracket. */
static pelton_status parse_class(parser *p, pn_regex_node **out) {
  const parser start = *p;
  pn_rune_set *set = new_set(p);
  if (!set) return fail_memory(p);
  set->negated = accept(p, "^");
  for (bool first = true; first || peek(p) != ']'; first = false) {
    uint32_t low, high;
    bool found;
    if (!p->rest.size) return fail(&start, "a class in brackets does not end");
    PN_TRY(parse_named_class(p, set, &found));
    if (found) continue;
    const bool escaped = accept(p, "\\");
    if (escaped) PN_TRY(parse_escaped_class(p, set, &found));
    if (found) continue;
    if (escaped) PN_TRY(parse_escaped_rune(p, &low));
    else low = next_rune(p);
    high = low;
    if (p->rest.size > 1 && p->rest.data[0] == '-' && p->rest.data[1] != ']') {
      advance(p, 1);
      PN_TRY(parse_class_rune(p, &high));
    }
    if (high < low) return fail(p, "a range ends before it begins");
    if (!add_range(p, set, low, high)) return fail_memory(p);
  }
  advance(p, 1);
  return give_set(p, set, out);
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

static pelton_status parse_either(parser *p, pn_regex_node **out);

static bool is_name(pn_str name) {
  for (size_t i = 0; i < name.size; i++) {
    const char c = name.data[i];
    if (digit_of(c) > 9 && c != '_' && !((c | 32) >= 'a' && (c | 32) <= 'z')) return false;
  }
  return name.size > 0;
}

/* Behind "(?P<" or "(?<". */
static pelton_status parse_name(parser *p) {
  const char *end = p->rest.size ? memchr(p->rest.data, '>', p->rest.size) : NULL;
  const pn_str name = {p->rest.data, end ? (size_t)(end - p->rest.data) : 0};
  if (!is_name(name)) return fail(p, "a group's name is of letters, digits and _, and ends with >");
  for (uint32_t i = 0; i < p->names.count; i++)
    if (pn_str_equal(p->names.data[i], name)) return fail(p, "two groups have one name");
  if (!pn_list_push(p->arena, &p->names, name)) return fail_memory(p);
  advance(p, name.size + 1);
  return PELTON_OK;
}

/* Behind "(?": flags that hold to the group's end, or, before a colon, for a group of their own (|*group| true). */
static pelton_status parse_flags(parser *p, bool *group) {
  bool set = true, any = false;
  for (;;) {
    const char c = peek(p);
    if (!p->rest.size) return fail(p, "a group does not end");
    if (c == 'i') p->now.fold = set;
    else if (c == 'm') p->now.lines = set;
    else if (c == 's') p->now.dot_all = set;
    else if (c == '-' && set) set = any = false;
    else if (c == ':' || c == ')') break;
    else if (c != 'U') return fail(p, "RE2 has no such group; flags are i, m, s and U");
    if (c != '-') any = true;
    advance(p, 1);
  }
  if (!set && !any) return fail(p, "a flag is missing behind -");
  *group = peek(p) == ':';
  advance(p, 1);
  return PELTON_OK;
}

/* Behind the opening parenthesis. */
static pelton_status parse_group(parser *p, pn_regex_node **out) {
  const parser start = *p;
  const flags before = p->now;
  bool group = true;
  *out = NULL;
  if (accept(p, "?P<") || (pn_str_starts(p->rest, "?<") && !pn_str_starts(p->rest, "?<=") &&
                           !pn_str_starts(p->rest, "?<!") && accept(p, "?<")))
    PN_TRY(parse_name(p));
  else if (accept(p, "?"))
    PN_TRY(parse_flags(p, &group));
  if (!group) return PELTON_OK;
  if (++p->depth > MOST_DEPTH) return fail_unsupported(p, "groups nest deeper than 500 levels");
  PN_TRY(parse_either(p, out));
  p->depth--;
  p->now = before;
  return accept(p, ")") ? PELTON_OK : fail(&start, "a group does not end");
}

/* ---- items ----------------------------------------------------------------------------------------------------- */

static pelton_status give_kind(parser *p, pn_regex_kind kind, pn_regex_node **out) {
  *out = new_node(p, kind);
  return *out ? PELTON_OK : fail_memory(p);
}

static pelton_status parse_dot(parser *p, pn_regex_node **out) {
  pn_rune_set *set = PN_NEW(p->arena, pn_rune_set);
  if (!set) return fail_memory(p);
  set->negated = true; /* of nothing, or of the line's end */
  if (!p->now.dot_all && !pn_list_push(p->arena, &set->ranges, ((pn_rune_range){'\n', '\n'}))) return fail_memory(p);
  return give_set(p, set, out);
}

/* Behind a backslash. Null: \Q, which is no item. */
static pelton_status parse_escape(parser *p, pn_regex_node **out) {
  static const struct {
    const char *letter;
    pn_regex_kind kind;
  } edges[] = {{"A", PN_REGEX_TEXT_BEGIN},
               {"z", PN_REGEX_TEXT_END},
               {"b", PN_REGEX_WORD_EDGE},
               {"B", PN_REGEX_NO_WORD_EDGE}};
  uint32_t rune;
  bool found;
  *out = NULL;
  for (size_t i = 0; i < PN_COUNT(edges); i++)
    if (accept(p, edges[i].letter)) return give_kind(p, edges[i].kind, out);
  if (accept(p, "Q")) {
    p->quoting = true;
    return PELTON_OK;
  }
  pn_rune_set *set = new_set(p);
  if (!set) return fail_memory(p);
  PN_TRY(parse_escaped_class(p, set, &found));
  if (found) return give_set(p, set, out);
  PN_TRY(parse_escaped_rune(p, &rune));
  return give_rune(p, rune, out);
}

/* One item without its repetition; null for what is none (flags, \Q). */
static pelton_status parse_item(parser *p, pn_regex_node **out) {
  if (p->quoting) return give_rune(p, next_rune(p), out);
  switch (peek(p)) {
  case '*':
  case '+':
  case '?': return fail(p, "there is nothing to repeat");
  case '(': advance(p, 1); return parse_group(p, out);
  case '[': advance(p, 1); return parse_class(p, out);
  case '.': advance(p, 1); return parse_dot(p, out);
  case '^': advance(p, 1); return give_kind(p, p->now.lines ? PN_REGEX_LINE_BEGIN : PN_REGEX_TEXT_BEGIN, out);
  case '$': advance(p, 1); return give_kind(p, p->now.lines ? PN_REGEX_LINE_END : PN_REGEX_TEXT_END, out);
  case '\\': advance(p, 1); return parse_escape(p, out);
  default: return give_rune(p, next_rune(p), out);
  }
}

/* A number at |*at|, which moves behind it; more than MOST_COUNT is MOST_COUNT + 1. */
static bool read_count(pn_str text, size_t *at, uint32_t *out) {
  const size_t start = *at;
  for (*out = 0; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9'; (*at)++)
    if (*out <= MOST_COUNT) *out = *out * 10 + (uint32_t)(text.data[*at] - '0');
  if (*out > MOST_COUNT) *out = MOST_COUNT + 1;
  return *at > start;
}

/* {n}, {n,} or {n,m}: anything else in braces is text. */
static bool read_braces(parser *p, uint32_t *least, uint32_t *most) {
  size_t at = 1;
  if (peek(p) != '{' || !read_count(p->rest, &at, least)) return false;
  *most = *least;
  if (at < p->rest.size && p->rest.data[at] == ',') {
    at++;
    if (!read_count(p->rest, &at, most)) *most = PN_REGEX_NO_LIMIT;
  }
  if (at >= p->rest.size || p->rest.data[at] != '}') return false;
  advance(p, at + 1);
  return true;
}

static bool read_repetition(parser *p, uint32_t *least, uint32_t *most) {
  *least = 0;
  *most = PN_REGEX_NO_LIMIT;
  if (accept(p, "*")) return true;
  *least = 1;
  if (accept(p, "+")) return true;
  *least = 0;
  *most = 1;
  return accept(p, "?") || read_braces(p, least, most);
}

static pelton_status parse_repetition(parser *p, pn_regex_node **item) {
  const parser start = *p;
  uint32_t least, most;
  if (p->quoting || !read_repetition(p, &least, &most)) return PELTON_OK;
  if (least > MOST_COUNT || (most > MOST_COUNT && most != PN_REGEX_NO_LIMIT))
    return fail(&start, "a repetition counts to 1000 at most");
  if (most < least) return fail(&start, "a repetition's most is below its least");
  (void)accept(p, "?"); /* lazy or not, the same texts match */
  if (read_repetition(p, &(uint32_t){0}, &(uint32_t){0})) return fail(&start, "a repetition is repeated; use a group");
  if (!*item) return fail(&start, "there is nothing to repeat");
  if ((*item)->kind == PN_REGEX_EMPTY) return PELTON_OK;
  pn_regex_node *repeat = new_node(p, most ? PN_REGEX_REPEAT : PN_REGEX_EMPTY);
  if (!repeat) return fail_memory(p);
  repeat->least = least;
  repeat->most = most;
  repeat->child = *item;
  *item = repeat;
  return PELTON_OK;
}

static pelton_status parse_concat(parser *p, pn_regex_node **out) {
  pn_regex_node *whole = new_node(p, PN_REGEX_CONCAT);
  if (!whole) return fail_memory(p);
  pn_regex_node **last = &whole->child;
  while (p->rest.size && (p->quoting || (peek(p) != '|' && peek(p) != ')'))) {
    pn_regex_node *item = NULL;
    if (p->quoting && accept(p, "\\E")) {
      p->quoting = false;
      continue;
    }
    PN_TRY(parse_item(p, &item));
    if (p->quoting && item && accept(p, "\\E")) p->quoting = false; /* what is repeated is the last code point */
    PN_TRY(parse_repetition(p, &item));
    if (!item || item->kind == PN_REGEX_EMPTY) continue;
    *last = item;
    last = &item->next;
  }
  if (!whole->child) whole->kind = PN_REGEX_EMPTY;
  *out = whole;
  return PELTON_OK;
}

static pelton_status parse_either(parser *p, pn_regex_node **out) {
  pn_regex_node *first, *either;
  PN_TRY(parse_concat(p, &first));
  *out = first;
  if (peek(p) != '|') return PELTON_OK;
  if (!(either = new_node(p, PN_REGEX_EITHER))) return fail_memory(p);
  either->child = first;
  while (accept(p, "|")) {
    PN_TRY(parse_concat(p, &first->next));
    first = first->next;
  }
  *out = either;
  return PELTON_OK;
}

pelton_status pn_regex_parse(pn_str pattern, pn_arena *arena, pn_regex_node **out, pelton_diag *diag) {
  parser p = {.pattern = pattern, .rest = pattern, .arena = arena, .diag = diag};
  PN_TRY(parse_either(&p, out));
  return p.rest.size ? fail(&p, "a closing parenthesis has no opening one") : PELTON_OK;
}
