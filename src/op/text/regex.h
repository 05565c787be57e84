/* Regular expressions of RE2's syntax, matched against whole texts in time linear in the text, whatever the pattern: an
   automaton is followed in all its states at once.

   Known are literals, ., classes ([a-z], \d \w \s, [[:alpha:]], \pL by general category), groups (named or not, whose
   contents are not kept), |, * + ? {n,m} with their lazy forms, ^ $ \A \z \b \B, the flags i m s U, escapes of
   characters, \Q..\E. Refused by name are \C and the classes of scripts. What has no meaning in RE2 (backreferences,
   looking around) is an error. */
#ifndef PN_OP_TEXT_REGEX_H
#define PN_OP_TEXT_REGEX_H

#include "op/text/unicode.h"

/* ---- parsed ---------------------------------------------------------------------------------------------------- */

typedef struct pn_rune_range {
  uint32_t first, last;
} pn_rune_range;

/* Code points: those of the ranges and categories, in either case when |fold|, or all others when |negated|. */
typedef struct pn_rune_set {
  PN_LIST(pn_rune_range) ranges;
  uint32_t categories; /* bits */
  bool fold, negated;
  uint64_t ascii[2]; /* the answers below 128, once pn_rune_set_finish was called */
} pn_rune_set;

void pn_rune_set_finish(pn_rune_set *set);
bool pn_rune_set_has(const pn_rune_set *set, uint32_t rune);
/* Adds a class by its letter (d D s S w W) or its POSIX name ("alpha"); false when there is none, |*memory| false when
   memory is out. */
bool pn_rune_set_add_letter(pn_rune_set *set, pn_arena *arena, char letter, bool *memory) PN_CHECKED;
bool pn_rune_set_add_named(pn_rune_set *set, pn_arena *arena, pn_str name, bool negated, bool *memory) PN_CHECKED;
/* A general category: "L", "Lu", or "Any". */
bool pn_rune_set_add_category(pn_rune_set *set, pn_str name, bool negated) PN_CHECKED;

typedef enum pn_regex_kind {
  PN_REGEX_EMPTY,
  PN_REGEX_SET,
  PN_REGEX_TEXT_BEGIN,
  PN_REGEX_TEXT_END,
  PN_REGEX_LINE_BEGIN,
  PN_REGEX_LINE_END,
  PN_REGEX_WORD_EDGE,
  PN_REGEX_NO_WORD_EDGE,
  PN_REGEX_CONCAT, /* of the children */
  PN_REGEX_EITHER, /* one of the children */
  PN_REGEX_REPEAT  /* the child |least| to |most| times */
} pn_regex_kind;

#define PN_REGEX_NO_LIMIT UINT32_MAX

typedef struct pn_regex_node {
  pn_regex_kind kind;
  const pn_rune_set *set;
  uint32_t least, most; /* most: PN_REGEX_NO_LIMIT for any number */
  struct pn_regex_node *child, *next;
} pn_regex_node;

/* The tree of |pattern| in |arena|; errors name the pattern, the place and what is wrong there. */
pelton_status pn_regex_parse(pn_str pattern, pn_arena *arena, pn_regex_node **out, pelton_diag *diag) PN_CHECKED;

/* ---- matched --------------------------------------------------------------------------------------------------- */

typedef struct pn_regex pn_regex;

/* The automaton of |pattern| in |arena|, with memory for one match at a time. */
pelton_status pn_regex_compile(pn_str pattern, pn_arena *arena, pn_regex **out, pelton_diag *diag) PN_CHECKED;
/* Whether the whole of |text| matches. */
bool pn_regex_matches(pn_regex *regex, pn_str text);

#endif
