/* What texts need of Unicode: code points of UTF-8, upper and lower case, white space, general categories. The tables
   (unicode_tables.inc) are made by make_unicode.py. Bytes that are not UTF-8 are code points of their own, beyond
   Unicode's: every operator hands them on as they are. */
#ifndef PN_OP_TEXT_UNICODE_H
#define PN_OP_TEXT_UNICODE_H

#include "base/str.h"

enum {
  PN_UNICODE_END = 0x110000, /* code points are below */
  PN_STRAY_BYTE = 0x110000,  /* plus the byte: one that is not UTF-8 */
  PN_RUNE_BYTES = 4          /* of a code point, at most */
};

/* The code point at the front of |text|, which must not be empty, and its bytes. */
uint32_t pn_rune_read(pn_str text, size_t *bytes);
/* Writes |rune| to |out| (PN_RUNE_BYTES); its bytes. */
size_t pn_rune_write(uint32_t rune, char *out);

/* Of a letter that has the other case as one code point; others are themselves. */
uint32_t pn_rune_lower(uint32_t rune);
uint32_t pn_rune_upper(uint32_t rune);
bool pn_rune_is_space(uint32_t rune);
/* General categories by number: "Cc", "Cf", ... two letters each. */
enum { PN_RUNE_CATEGORIES = 30 };
extern const char *const pn_rune_categories[PN_RUNE_CATEGORIES];
/* The number of |rune|'s category; PN_RUNE_CATEGORIES for a stray byte. */
uint32_t pn_rune_category(uint32_t rune);

/* |text| without the white space at its front. */
pn_str pn_str_skip_space(pn_str text);
/* Bytes up to the first white space. */
size_t pn_str_word_bytes(pn_str text);

#endif
