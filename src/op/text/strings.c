#include "op/text/strings.h"

bool pn_strings_equal(const pelton_string *a, const pelton_string *b, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (a[i].bytes != b[i].bytes || (a[i].bytes && memcmp(a[i].data, b[i].data, (size_t)a[i].bytes))) return false;
  return true;
}

uint64_t pn_strings_hash(const pelton_string *texts, size_t count, uint64_t seed) {
  for (size_t i = 0; i < count; i++) {
    const pn_str text = pn_string_str(texts[i]);
    seed = pn_hash_bytes(text.data, text.size, seed + 1);
  }
  return seed;
}

pelton_string *pn_strings_copy(pn_arena *arena, const pelton_string *from, size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++)
    if (!pn_add_size(bytes, (size_t)from[i].bytes, &bytes)) return NULL;
  pelton_string *texts = pn_arena_array(arena, count, sizeof *texts, 64);
  char *data = pn_arena_alloc(arena, bytes, 1);
  if (!texts || !data) return NULL;
  for (size_t i = 0; i < count; i++) {
    texts[i] = (pelton_string){data, from[i].bytes};
    if (from[i].bytes) memcpy(data, from[i].data, (size_t)from[i].bytes);
    data += from[i].bytes;
  }
  return texts;
}

size_t pn_strings_broken(const pelton_string *texts, size_t count) {
  size_t i = 0;
  while (i < count && (texts[i].data || !texts[i].bytes)) i++;
  return i;
}

void pn_strings_store(const pelton_string *texts, size_t count, pn_text *out) {
  for (size_t i = 0; i < count; i++) pn_text_add(out, (pn_str){(const char *)&texts[i].bytes, sizeof texts[i].bytes});
  for (size_t i = 0; i < count; i++) pn_text_add(out, pn_string_str(texts[i]));
}

bool pn_strings_load(pn_span bytes, uint64_t count, pn_arena *arena, pelton_string **out, bool *memory) {
  *memory = false;
  if (count > bytes.size / 8) return false;
  size_t at = (size_t)count * 8;
  for (size_t i = 0; i < count; i++) {
    const uint64_t length = pn_load_u64(bytes.data + i * 8);
    if (length > bytes.size - at) return false;
    at += (size_t)length;
  }
  if (at != bytes.size) return false;
  pelton_string *texts = pn_arena_array(arena, (size_t)count, sizeof *texts, 64);
  *memory = !texts;
  if (!texts) return false;
  at = (size_t)count * 8;
  for (size_t i = 0; i < count; i++) {
    const uint64_t length = pn_load_u64(bytes.data + i * 8);
    texts[i] = (pelton_string){(const char *)bytes.data + at, length};
    at += (size_t)length;
  }
  *out = texts;
  return true;
}
