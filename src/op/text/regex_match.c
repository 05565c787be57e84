/* The automaton: a program of steps, of which those that may be next are followed together, each at most once a code
   point. */
#include "op/text/regex.h"

enum { MOST_STEPS = 1 << 16 };
#define NO_RUNE UINT32_MAX

typedef enum step_kind { STEP_SET, STEP_SPLIT, STEP_JUMP, STEP_ASSERT, STEP_MATCH } step_kind;

typedef struct step {
  step_kind kind;
  pn_regex_kind assertion;
  uint32_t target; /* of a jump; the other way of a split, whose first is the next step */
  const pn_rune_set *set;
} step;

/* Steps to try: |place| says where in |list| a step stands, if it does. */
typedef struct step_list {
  uint32_t *list, *place;
  uint32_t count;
} step_list;

struct pn_regex {
  pn_arena *arena;
  PN_LIST(step) steps;
  step_list now, next;
  uint32_t *stack;
  bool too_large;
};

/* ---- compiling ------------------------------------------------------------------------------------------------- */

/* The number of the new step; false when there is no room. */
static bool add(pn_regex *r, step s, uint32_t *number) {
  *number = r->steps.count;
  r->too_large = r->steps.count >= MOST_STEPS;
  return !r->too_large && pn_list_push(r->arena, &r->steps, s);
}

static bool emit(pn_regex *r, const pn_regex_node *node);

static bool emit_either(pn_regex *r, const pn_regex_node *node) {
  PN_LIST(uint32_t) ends = {0};
  uint32_t split = 0, jump;
  for (const pn_regex_node *child = node->child; child; child = child->next) {
    if (child->next && !add(r, (step){.kind = STEP_SPLIT}, &split)) return false;
    if (!emit(r, child)) return false;
    if (!child->next) break;
    if (!add(r, (step){.kind = STEP_JUMP}, &jump) || !pn_list_push(r->arena, &ends, jump)) return false;
    r->steps.data[split].target = r->steps.count;
  }
  for (uint32_t i = 0; i < ends.count; i++) r->steps.data[ends.data[i]].target = r->steps.count;
  return true;
}

static bool emit_repeat(pn_regex *r, const pn_regex_node *node) {
  PN_LIST(uint32_t) splits = {0};
  uint32_t number;
  for (uint32_t i = 0; i < node->least; i++)
    if (!emit(r, node->child)) return false;
  if (node->most == PN_REGEX_NO_LIMIT) {
    uint32_t split;
    if (!add(r, (step){.kind = STEP_SPLIT}, &split) || !emit(r, node->child) ||
        !add(r, (step){.kind = STEP_JUMP, .target = split}, &number))
      return false;
    r->steps.data[split].target = r->steps.count;
    return true;
  }
  for (uint32_t i = node->least; i < node->most; i++)
    if (!add(r, (step){.kind = STEP_SPLIT}, &number) || !pn_list_push(r->arena, &splits, number) ||
        !emit(r, node->child))
      return false;
  for (uint32_t i = 0; i < splits.count; i++) r->steps.data[splits.data[i]].target = r->steps.count;
  return true;
}

/* As deep as the pattern nests, which the parser limits. */
static bool emit(pn_regex *r, const pn_regex_node *node) {
  uint32_t number;
  switch (node->kind) {
  case PN_REGEX_EMPTY: return true;
  case PN_REGEX_SET: return add(r, (step){.kind = STEP_SET, .set = node->set}, &number);
  case PN_REGEX_CONCAT:
    for (const pn_regex_node *child = node->child; child; child = child->next)
      if (!emit(r, child)) return false;
    return true;
  case PN_REGEX_EITHER: return emit_either(r, node);
  case PN_REGEX_REPEAT: return emit_repeat(r, node);
  default: return add(r, (step){.kind = STEP_ASSERT, .assertion = node->kind}, &number);
  }
}

static bool list_create(step_list *list, pn_arena *arena, uint32_t steps) {
  list->list = PN_NEW_ARRAY(arena, uint32_t, steps);
  list->place = PN_NEW_ARRAY(arena, uint32_t, steps);
  return list->list && list->place;
}

pelton_status pn_regex_compile(pn_str pattern, pn_arena *arena, pn_regex **out, pelton_diag *diag) {
  pn_regex_node *tree;
  uint32_t number;
  PN_TRY(pn_regex_parse(pattern, arena, &tree, diag));
  pn_regex *r = PN_NEW(arena, pn_regex);
  if (!r) return pn_fail_memory(diag, "a regular expression");
  r->arena = arena;
  const bool done = emit(r, tree) && add(r, (step){.kind = STEP_MATCH}, &number);
  if (!done && r->too_large)
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "the pattern \"%.*s\" has more than %d steps once its repetitions are written out",
                   PN_STR_ARG(pattern), MOST_STEPS);
  if (done) r->stack = PN_NEW_ARRAY(arena, uint32_t, 2 * (size_t)r->steps.count + 1);
  if (!done || !r->stack || !list_create(&r->now, arena, r->steps.count) ||
      !list_create(&r->next, arena, r->steps.count))
    return pn_fail_memory(diag, "a regular expression");
  *out = r;
  return PELTON_OK;
}

/* ---- matching -------------------------------------------------------------------------------------------------- */

static bool is_word(uint32_t rune) {
  return rune == '_' || (rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');
}

/* Between |before| and |after|, NO_RUNE at the text's ends. */
static bool holds(pn_regex_kind assertion, uint32_t before, uint32_t after) {
  switch (assertion) {
  case PN_REGEX_TEXT_BEGIN: return before == NO_RUNE;
  case PN_REGEX_TEXT_END: return after == NO_RUNE;
  case PN_REGEX_LINE_BEGIN: return before == NO_RUNE || before == '\n';
  case PN_REGEX_LINE_END: return after == NO_RUNE || after == '\n';
  case PN_REGEX_WORD_EDGE: return is_word(before) != is_word(after);
  case PN_REGEX_NO_WORD_EDGE: return is_word(before) == is_word(after);
  default: return false;
  }
}

static bool listed(const step_list *list, uint32_t number) {
  return list->place[number] < list->count && list->list[list->place[number]] == number;
}

/* Adds |number| and every step that it leads to without a code point. */
static void follow(pn_regex *r, step_list *list, uint32_t number, uint32_t before, uint32_t after) {
  uint32_t depth = 0;
  r->stack[depth++] = number;
  while (depth > 0) {
    number = r->stack[--depth];
    if (listed(list, number)) continue;
    list->place[number] = list->count;
    list->list[list->count++] = number;
    const step *s = &r->steps.data[number];
    if (s->kind == STEP_SPLIT || s->kind == STEP_JUMP) r->stack[depth++] = s->target;
    if (s->kind == STEP_SPLIT || (s->kind == STEP_ASSERT && holds(s->assertion, before, after)))
      r->stack[depth++] = number + 1;
  }
}

bool pn_regex_matches(pn_regex *r, pn_str text) {
  size_t bytes = 0;
  uint32_t rune = text.size ? pn_rune_read(text, &bytes) : NO_RUNE;
  r->now.count = 0;
  follow(r, &r->now, 0, NO_RUNE, rune);
  while (text.size && r->now.count) {
    const uint32_t before = rune;
    text = (pn_str){text.data + bytes, text.size - bytes};
    rune = text.size ? pn_rune_read(text, &bytes) : NO_RUNE;
    r->next.count = 0;
    for (uint32_t i = 0; i < r->now.count; i++) {
      const step *s = &r->steps.data[r->now.list[i]];
      if (s->kind == STEP_SET && pn_rune_set_has(s->set, before)) follow(r, &r->next, r->now.list[i] + 1, before, rune);
    }
    const step_list swap = r->now;
    r->now = r->next;
    r->next = swap;
  }
  return !text.size && listed(&r->now, r->steps.count - 1);
}
