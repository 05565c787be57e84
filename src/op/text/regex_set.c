/* Sets of code points for regular expressions. */
#include "op/text/regex.h"

#define LAST_RUNE UINT32_MAX /* above every code point and stray byte */

static const pn_rune_range digits[] = {{'0', '9'}}, spaces[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}},
                           words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
                           alnum[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, alpha[] = {{'A', 'Z'}, {'a', 'z'}},
                           ascii[] = {{0, 0x7f}}, blank[] = {{'\t', '\t'}, {' ', ' '}},
                           cntrl[] = {{0, 0x1f}, {0x7f, 0x7f}}, graph[] = {{'!', '~'}}, lower[] = {{'a', 'z'}},
                           print[] = {{' ', '~'}}, punct[] = {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}},
                           space[] = {{'\t', '\r'}, {' ', ' '}}, upper[] = {{'A', 'Z'}},
                           xdigit[] = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};

static const struct {
  const char *name;
  const pn_rune_range *ranges;
  uint32_t count;
} classes[] = {
#define CLASS(name) {#name, name, (uint32_t)PN_COUNT(name)}
    CLASS(alnum), CLASS(alpha), CLASS(ascii), CLASS(blank), CLASS(cntrl), {"digit", digits, 1}, CLASS(graph),
    CLASS(lower), CLASS(print), CLASS(punct), CLASS(space), CLASS(upper), {"word", words, 4},   CLASS(xdigit),
#undef CLASS
};

static bool in_set(const pn_rune_set *set, uint32_t rune) {
  for (uint32_t i = 0; i < set->ranges.count; i++)
    if (rune >= set->ranges.data[i].first && rune <= set->ranges.data[i].last) return true;
  if (!set->categories) return false;
  const uint32_t category = pn_rune_category(rune);
  return category < PN_RUNE_CATEGORIES && (set->categories >> category & 1);
}

static bool decide(const pn_rune_set *set, uint32_t rune) {
  bool found = in_set(set, rune);
  if (!found && set->fold) found = in_set(set, pn_rune_lower(rune)) || in_set(set, pn_rune_upper(rune));
  return found != set->negated;
}

void pn_rune_set_finish(pn_rune_set *set) {
  for (uint32_t rune = 0; rune < 128; rune++)
    if (decide(set, rune)) set->ascii[rune / 64] |= UINT64_C(1) << rune % 64;
}

bool pn_rune_set_has(const pn_rune_set *set, uint32_t rune) {
  return rune < 128 ? set->ascii[rune / 64] >> rune % 64 & 1 : decide(set, rune);
}

/* The ranges, or what lies between them. */
static bool add_ranges(pn_rune_set *set, pn_arena *arena, const pn_rune_range *ranges, uint32_t count, bool negated) {
  uint32_t first = 0;
  for (uint32_t i = 0; i < count; i++) {
    pn_rune_range range = ranges[i];
    if (negated) {
      range = (pn_rune_range){first, ranges[i].first - 1};
      first = ranges[i].last + 1;
      if (ranges[i].first == 0) continue;
    }
    if (!pn_list_push(arena, &set->ranges, range)) return false;
  }
  return !negated || pn_list_push(arena, &set->ranges, ((pn_rune_range){first, LAST_RUNE}));
}

bool pn_rune_set_add_letter(pn_rune_set *set, pn_arena *arena, char letter, bool *memory) {
  *memory = true;
  switch (letter) {
  case 'd':
  case 'D': *memory = add_ranges(set, arena, digits, (uint32_t)PN_COUNT(digits), letter == 'D'); return true;
  case 's':
  case 'S': *memory = add_ranges(set, arena, spaces, (uint32_t)PN_COUNT(spaces), letter == 'S'); return true;
  case 'w':
  case 'W': *memory = add_ranges(set, arena, words, (uint32_t)PN_COUNT(words), letter == 'W'); return true;
  default: return false;
  }
}

bool pn_rune_set_add_named(pn_rune_set *set, pn_arena *arena, pn_str name, bool negated, bool *memory) {
  *memory = true;
  for (size_t i = 0; i < PN_COUNT(classes); i++)
    if (pn_str_is(name, classes[i].name)) {
      *memory = add_ranges(set, arena, classes[i].ranges, classes[i].count, negated);
      return true;
    }
  return false;
}

bool pn_rune_set_add_category(pn_rune_set *set, pn_str name, bool negated) {
  uint32_t found = 0;
  const uint32_t all = (UINT32_C(1) << PN_RUNE_CATEGORIES) - 1;
  for (uint32_t i = 0; i < PN_RUNE_CATEGORIES; i++)
    if (name.size && name.size <= 2 && !memcmp(name.data, pn_rune_categories[i], name.size)) found |= UINT32_C(1) << i;
  if (pn_str_is(name, "Any")) found = all;
  if (!found) return false;
  set->categories |= negated ? all & ~found : found;
  return true;
}
