/* The bytes of an engine file, stated once for writer and reader. All integers are little-endian. */
#ifndef PN_ENGINE_FORMAT_H
#define PN_ENGINE_FORMAT_H

#include "engine/image.h"

enum {
  PN_HEADER_BYTES = 64, /* magic 8, format u32, library u32, file bytes u64, sections u32, zero u32, checksum u64 */
  PN_SECTION_ROW_BYTES = 32, /* kind u32, zero u32, offset u64, bytes u64, checksum u64 */
  PN_SECTION_ALIGN = 4096,   /* so that weights are mapped on pages of their own */
  PN_TENSOR_ALIGN = 64,
  PN_BINARY_ROW_BYTES = 44, /* without its texts: keys 2 u64, three lengths u32, offset u64, bytes u64 */
  PN_MAX_SECTIONS = 64
};

#define PN_IMAGE_MAGIC "PELTON\x1a\n"

/* Kinds are on disk: never renumber. */
typedef enum pn_section_kind {
  PN_SECTION_METADATA = 1,
  PN_SECTION_GRAPH = 2,
  PN_SECTION_CONSTANTS = 3,
  PN_SECTION_RECORDS = 4,
  PN_SECTION_PACKED_INDEX = 5,
  PN_SECTION_PACKED = 6,
  PN_SECTION_BINARIES = 7,
  PN_SECTION_KIND_COUNT
} pn_section_kind;
const char *pn_section_kind_name(uint32_t kind);

/* ---- writing: bytes into a pn_text --------------------------------------------------------------------------------
 */

void pn_put_u8(pn_text *out, uint8_t v);
void pn_put_u32(pn_text *out, uint32_t v);
void pn_put_u64(pn_text *out, uint64_t v);
void pn_put_i64(pn_text *out, int64_t v);
void pn_put_str(pn_text *out, pn_str s); /* u32 length, bytes */

/* The graph and its subgraphs. Constants are listed in |constants| in order, each at the next multiple of
   PN_TENSOR_ALIGN of its section; texts as their lengths (u64 each), then their bytes. */
pelton_status pn_graph_store(const pn_graph *g, pn_arena *arena, pn_constant_list *constants, pn_text *out,
                             pelton_diag *diag) PN_CHECKED;

/* ---- reading: a cursor that refuses to pass its end ----------------------------------------------------------------
 */

typedef struct pn_cursor {
  pn_span rest;
  const char *section;
  bool failed; /* something was missing: results since then are zero */
} pn_cursor;

uint8_t pn_get_u8(pn_cursor *c);
uint32_t pn_get_u32(pn_cursor *c);
uint64_t pn_get_u64(pn_cursor *c);
int64_t pn_get_i64(pn_cursor *c);
pn_str pn_get_str(pn_cursor *c); /* borrowed */
/* A count of things of at least |least_bytes| bytes each: one that the rest cannot hold is a failure. */
uint32_t pn_get_count(pn_cursor *c, size_t least_bytes);
/* PELTON_INVALID_DATA, saying the section, when the cursor failed. */
pelton_status pn_cursor_status(const pn_cursor *c, pelton_diag *diag) PN_CHECKED;

/* |list| gets the constants in the order of their storage. */
pelton_status pn_graph_load(pn_cursor *c, pn_span constants, pn_arena *arena, pn_constant_list *list, pn_graph **out,
                            pelton_diag *diag) PN_CHECKED;

#endif
