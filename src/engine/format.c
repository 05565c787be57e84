#include "engine/format.h"

const char *pn_section_kind_name(uint32_t kind) {
  static const char *const names[PN_SECTION_KIND_COUNT] = {"?",       "metadata",     "graph",          "constants",
                                                           "records", "packed index", "packed weights", "kernels"};
  return kind < PN_SECTION_KIND_COUNT ? names[kind] : "?";
}

static void put(pn_text *out, const void *data, size_t bytes) { pn_text_add(out, (pn_str){data, bytes}); }
void pn_put_u8(pn_text *out, uint8_t v) { put(out, &v, sizeof v); }
void pn_put_u32(pn_text *out, uint32_t v) { put(out, &v, sizeof v); }
void pn_put_u64(pn_text *out, uint64_t v) { put(out, &v, sizeof v); }
void pn_put_i64(pn_text *out, int64_t v) { put(out, &v, sizeof v); }
void pn_put_str(pn_text *out, pn_str s) {
  pn_put_u32(out, (uint32_t)s.size);
  if (s.size) pn_text_add(out, s);
}

static const uint8_t *take(pn_cursor *c, size_t bytes) {
  static const uint8_t zeros[8];
  if (c->failed || bytes > c->rest.size) {
    c->failed = true;
    return zeros;
  }
  const uint8_t *data = c->rest.data;
  c->rest.data += bytes;
  c->rest.size -= bytes;
  return data;
}

uint8_t pn_get_u8(pn_cursor *c) { return *take(c, 1); }
uint32_t pn_get_u32(pn_cursor *c) { return pn_load_u32(take(c, 4)); }
uint64_t pn_get_u64(pn_cursor *c) { return pn_load_u64(take(c, 8)); }
int64_t pn_get_i64(pn_cursor *c) { return (int64_t)pn_get_u64(c); }

pn_str pn_get_str(pn_cursor *c) {
  uint32_t size = pn_get_u32(c);
  const uint8_t *data = take(c, size);
  return c->failed ? (pn_str){"", 0} : (pn_str){(const char *)data, size};
}

uint32_t pn_get_count(pn_cursor *c, size_t least_bytes) {
  uint32_t count = pn_get_u32(c);
  if (!c->failed && count <= c->rest.size / (least_bytes ? least_bytes : 1)) return count;
  c->failed = true;
  return 0;
}

pelton_status pn_cursor_status(const pn_cursor *c, pelton_diag *diag) {
  if (!c->failed) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_DATA, "the engine's section '%s' is cut off or altered; build the engine again",
                 c->section);
}
