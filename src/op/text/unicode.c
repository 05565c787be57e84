#include "op/text/unicode.h"

/* ---- UTF-8 ----------------------------------------------------------------------------------------------------- */

uint32_t pn_rune_read(pn_str text, size_t *bytes) {
  const uint8_t *p = (const uint8_t *)text.data;
  const uint32_t first = p[0];
  *bytes = 1;
  if (first < 0x80) return first;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size < size) return PN_STRAY_BYTE + first;
  uint32_t rune = first & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; i++) {
    if ((p[i] & 0xc0) != 0x80) return PN_STRAY_BYTE + first;
    rune = rune << 6 | (p[i] & 0x3fu);
  }
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* a longer form than needed is none */
  if (rune < least[size] || rune >= PN_UNICODE_END || (rune >= 0xd800 && rune < 0xe000)) return PN_STRAY_BYTE + first;
  *bytes = size;
  return rune;
}

size_t pn_rune_write(uint32_t rune, char *out) {
  if (rune < 0x80 || rune >= PN_STRAY_BYTE) {
    out[0] = (char)(rune & 0xff);
    return 1;
  }
  const size_t size = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
  for (size_t i = size; i-- > 1; rune >>= 6) out[i] = (char)(0x80 | (rune & 0x3f));
  out[0] = (char)((0xf00u >> size & 0xff) | rune);
  return size;
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

/* Every |step|-th code point from |first| to |last| has its other case |delta| away. */
typedef struct case_range {
  uint32_t first, last;
  int32_t delta;
  uint32_t step;
} case_range;

/* Code points from |first| up to the next row's. */
typedef struct category_range {
  uint32_t first;
  uint8_t category;
} category_range;

#include "op/text/unicode_tables.inc"

static uint32_t other_case(const case_range *ranges, size_t count, uint32_t rune) {
  size_t low = 0, high = count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    const case_range *r = &ranges[middle];
    if (rune > r->last) low = middle + 1;
    else if (rune < r->first) high = middle;
    else return (rune - r->first) % r->step ? rune : (uint32_t)((int32_t)rune + r->delta);
  }
  return rune;
}

uint32_t pn_rune_lower(uint32_t rune) {
  if (rune < 0x80) return rune >= 'A' && rune <= 'Z' ? rune + 32 : rune;
  return other_case(to_lower, PN_COUNT(to_lower), rune);
}

uint32_t pn_rune_upper(uint32_t rune) {
  if (rune < 0x80) return rune >= 'a' && rune <= 'z' ? rune - 32 : rune;
  return other_case(to_upper, PN_COUNT(to_upper), rune);
}

bool pn_rune_is_space(uint32_t rune) {
  if (rune <= 0x20) return rune == ' ' || (rune >= 9 && rune <= 13) || rune >= 0x1c;
  return rune == 0x85 || rune == 0xa0 || rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200a) || rune == 0x2028 ||
         rune == 0x2029 || rune == 0x202f || rune == 0x205f || rune == 0x3000;
}

uint32_t pn_rune_category(uint32_t rune) {
  if (rune >= PN_UNICODE_END) return PN_RUNE_CATEGORIES;
  size_t low = 0, high = PN_COUNT(categories);
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    if (categories[middle].first <= rune) low = middle;
    else high = middle;
  }
  return categories[low].category;
}

/* ---- words ----------------------------------------------------------------------------------------------------- */

pn_str pn_str_skip_space(pn_str text) {
  size_t bytes;
  while (text.size && pn_rune_is_space(pn_rune_read(text, &bytes))) {
    text.data += bytes;
    text.size -= bytes;
  }
  return text;
}

size_t pn_str_word_bytes(pn_str text) {
  const size_t size = text.size;
  size_t bytes;
  while (text.size && !pn_rune_is_space(pn_rune_read(text, &bytes))) {
    text.data += bytes;
    text.size -= bytes;
  }
  return size - text.size;
}
