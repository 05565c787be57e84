#include "data/npy_text.h"

#include <stdlib.h>
#include <string.h>

enum { ESCAPE = 0xdc00 };

/* The code point at the front of |bytes| bytes, and its size. */
static uint32_t decode(const uint8_t *s, size_t bytes, size_t *size) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
  *size = 1;
  if (n == 1) return s[0];
  if (n == 0 || n > bytes) return (uint32_t)ESCAPE + s[0];
  uint32_t rune = s[0] & (0xffu >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) return (uint32_t)ESCAPE + s[0];
    rune = rune << 6 | (s[i] & 0x3fu);
  }
  if (rune < least[n] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return (uint32_t)ESCAPE + s[0];
  *size = n;
  return rune;
}

static size_t encode(uint32_t rune, char *out) {
  if (rune < 0x80 || (rune >= ESCAPE + 0x80 && rune <= ESCAPE + 0xff)) {
    out[0] = (char)(rune & 0xff);
    return 1;
  }
  if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) rune = 0xfffd;
  const size_t n = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
  for (size_t i = n; i-- > 1; rune >>= 6) out[i] = (char)(0x80 | (rune & 0x3f));
  out[0] = (char)((0xf00u >> n & 0xff) | rune);
  return n;
}

bool npy_text_cell(const char *descr, size_t *cell, size_t *unit) {
  *unit = *descr == 'U' ? 4 : 1;
  if (*descr != 'U' && *descr != 'S') return false;
  char *end;
  const unsigned long long units = strtoull(descr + 1, &end, 10);
  *cell = (size_t)units;
  return end != descr + 1 && !*end && units <= UINT32_MAX;
}

/* The text of one cell to |out|; its bytes. */
static size_t read_cell(const uint8_t *cell, size_t count, size_t unit, bool swapped, char *out) {
  size_t used = 0, size = 0;
  for (size_t i = 0; i < count * unit; i++)
    if (cell[i]) used = i / unit + 1;
  for (size_t i = 0; i < used; i++) {
    const uint8_t *c = cell + i * unit;
    uint32_t rune = 0;
    for (size_t k = 0; k < unit; k++) rune |= (uint32_t)c[k] << 8 * (swapped ? unit - 1 - k : k);
    if (unit == 1) out[size++] = (char)rune;
    else size += encode(rune, out + size);
  }
  return size;
}

bool npy_texts_read(const uint8_t *cells, const pelton_shape *shape, size_t cell, size_t unit, bool swapped,
                    pelton_tensor *out) {
  const size_t count = tensor_count(shape);
  char *text; /* a code point has four bytes at most */
  if (!tensor_create_texts(out, shape, count * cell * unit, &text)) return false;
  for (size_t i = 0; i < count; i++) {
    const size_t size = read_cell(cells + i * cell * unit, cell, unit, swapped, text);
    ((pelton_string *)out->data)[i] = (pelton_string){text, size};
    text += size;
  }
  return true;
}

size_t npy_texts_longest(const pelton_tensor *t) {
  const pelton_string *texts = t->data;
  size_t longest = 1;
  for (size_t i = 0; i < tensor_count(&t->shape); i++) {
    size_t count = 0, size;
    for (size_t at = 0; at < texts[i].bytes; at += size, count++)
      (void)decode((const uint8_t *)texts[i].data + at, (size_t)texts[i].bytes - at, &size);
    if (count > longest) longest = count;
  }
  return longest;
}

bool npy_texts_write(FILE *file, const pelton_tensor *t, size_t cell) {
  const pelton_string *texts = t->data;
  for (size_t i = 0; i < tensor_count(&t->shape); i++) {
    size_t at = 0, size;
    for (size_t k = 0; k < cell; k++) {
      uint32_t rune = 0;
      if (at < texts[i].bytes) {
        rune = decode((const uint8_t *)texts[i].data + at, (size_t)texts[i].bytes - at, &size);
        at += size;
      }
      const uint8_t bytes[4] = {(uint8_t)rune, (uint8_t)(rune >> 8), (uint8_t)(rune >> 16), (uint8_t)(rune >> 24)};
      if (fwrite(bytes, 1, sizeof bytes, file) != sizeof bytes) return false;
    }
  }
  return true;
}
