#include "engine/format.h"

typedef struct section_row {
  uint32_t kind;
  uint64_t offset, bytes, checksum;
} section_row;

pn_image *pn_image_create(const pelton_allocator *allocator, pn_graph *graph) {
  pn_image *image = pn_alloc(allocator, sizeof *image, _Alignof(pn_image));
  if (!image) return NULL;
  pn_arena_init(&image->arena, allocator);
  image->packed.arena = &image->arena;
  image->graph = graph;
  return image;
}

void pn_image_release(pn_image *image) {
  if (!image) return;
  const pelton_allocator *allocator = image->arena.allocator;
  if (image->owned)
    pn_release(allocator, image->owned);
  else if (!image->borrowed)
    pn_file_unmap(&image->file);
  pn_arena_deinit(&image->arena);
  pn_release(allocator, image);
}

bool pn_image_is_engine(const void *data, size_t bytes) { return bytes >= 8 && memcmp(data, PN_IMAGE_MAGIC, 8) == 0; }

const pn_packed_entry *pn_packed_find(const pn_packed_store *store, uint64_t key, size_t bytes) {
  for (uint32_t i = 0; i < store->list.count; i++)
    if (store->list.data[i].key == key && store->list.data[i].bytes == bytes) return &store->list.data[i];
  return NULL;
}

/* ---- reading -------------------------------------------------------------------------------------------------------
 */

static section_row row_at(const pn_image *image, uint32_t i) {
  const uint8_t *p = image->file.data + PN_HEADER_BYTES + (size_t)i * PN_SECTION_ROW_BYTES;
  return (section_row){pn_load_u32(p), pn_load_u64(p + 8), pn_load_u64(p + 16), pn_load_u64(p + 24)};
}

static bool is_bulk(uint32_t kind) { return kind == PN_SECTION_CONSTANTS || kind == PN_SECTION_PACKED; }

static pelton_status check_header(const pn_image *image, uint32_t *section_count, pelton_diag *diag) {
  const uint8_t *p = image->file.data;
  size_t size = image->file.size;
  if (!pn_image_is_engine(p, size))
    return pn_fail(diag, PELTON_INVALID_DATA, "this is no Pelton engine: its first bytes are not the engine's mark");
  if (size < PN_HEADER_BYTES)
    return pn_fail(diag, PELTON_INVALID_DATA, "the engine is cut off in its header: it has %zu bytes", size);
  uint32_t format = pn_load_u32(p + 8), library = pn_load_u32(p + 12);
  if (format > PN_IMAGE_FORMAT_VERSION)
    return pn_fail(diag, PELTON_UNSUPPORTED,
                   "the engine has format version %u (Pelton %u.%u.%u); this Pelton %s reads up to version %d: update "
                   "Pelton or build the engine again",
                   format, library >> 16 & 255, library >> 8 & 255, library & 255, pelton_version(),
                   PN_IMAGE_FORMAT_VERSION);
  uint64_t bytes = pn_load_u64(p + 16);
  if (format == 0 || bytes != size)
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "the engine is cut off or altered: it says it has %llu bytes, the file has %zu",
                   (unsigned long long)bytes, size);
  *section_count = pn_load_u32(p + 24);
  if (*section_count > PN_MAX_SECTIONS || PN_HEADER_BYTES + (size_t)*section_count * PN_SECTION_ROW_BYTES > size)
    return pn_fail(diag, PELTON_INVALID_DATA, "the engine's header is altered: it has %u sections", *section_count);
  uint64_t sum =
      pn_hash_bytes(p + PN_HEADER_BYTES, (size_t)*section_count * PN_SECTION_ROW_BYTES, pn_hash_bytes(p, 32, 0));
  if (sum != pn_load_u64(p + 32))
    return pn_fail(diag, PELTON_INVALID_DATA, "the engine's header is altered: its checksum does not fit");
  return PELTON_OK;
}

static pelton_status find_sections(const pn_image *image, uint32_t count, pn_span *sections, pelton_diag *diag) {
  for (uint32_t i = 0; i < count; i++) {
    section_row row = row_at(image, i);
    if (row.offset > image->file.size || row.bytes > image->file.size - row.offset || row.offset % PN_SECTION_ALIGN)
      return pn_fail(diag, PELTON_INVALID_DATA, "the engine's section '%s' lies outside of the file",
                     pn_section_kind_name(row.kind));
    if (row.kind == 0 || row.kind >= PN_SECTION_KIND_COUNT)
      continue; /* of a later version: a cache it can do without */
    if (sections[row.kind].data)
      return pn_fail(diag, PELTON_INVALID_DATA, "the engine has two sections '%s'", pn_section_kind_name(row.kind));
    sections[row.kind] = (pn_span){image->file.data + row.offset, (size_t)row.bytes};
    if (!is_bulk(row.kind) && pn_hash_bytes(sections[row.kind].data, (size_t)row.bytes, row.kind) != row.checksum)
      return pn_fail(diag, PELTON_INVALID_DATA, "the engine's section '%s' is altered: its checksum does not fit",
                     pn_section_kind_name(row.kind));
  }
  if (!sections[PN_SECTION_GRAPH].data) return pn_fail(diag, PELTON_INVALID_DATA, "the engine has no graph");
  return PELTON_OK;
}

static pelton_status load_metadata(pn_image *image, pn_cursor *c, pelton_diag *diag) {
  uint32_t count = pn_get_count(c, 8);
  for (uint32_t i = 0; i < count; i++) {
    pn_metadata_entry entry = {pn_get_str(c), {0}};
    entry.value = pn_get_str(c);
    if (!pn_list_push(&image->arena, &image->metadata, entry)) return pn_fail_memory(diag, "the engine");
  }
  return pn_cursor_status(c, diag);
}

pn_str pn_image_metadata(const pn_image *image, const char *key) {
  for (uint32_t i = 0; i < image->metadata.count; i++)
    if (pn_str_is(image->metadata.data[i].key, key)) return image->metadata.data[i].value;
  return (pn_str){NULL, 0};
}

static pelton_status load_record(pn_image *image, pn_cursor *c, pelton_diag *diag) {
  pn_plan_record record = {.target = pn_get_str(c)};
  record.fingerprint = pn_get_str(c);
  uint32_t shapes = pn_get_count(c, 4);
  for (uint32_t i = 0; i < shapes && !c->failed; i++) {
    pelton_shape shape = {pn_get_u32(c), {0}};
    c->failed |= shape.rank > PELTON_MAX_RANK;
    for (uint32_t d = 0; d < shape.rank && !c->failed; d++) shape.dims[d] = pn_get_i64(c);
    if (!pn_list_push(&image->arena, &record.input_shapes, shape)) return pn_fail_memory(diag, "the engine");
  }
  uint32_t decisions = pn_get_count(c, 8 + 12 + 4 + 4 * PN_DECISION_CONFIG_VALUES);
  for (uint32_t i = 0; i < decisions && !c->failed; i++) {
    pn_decision d = {.first_node = pn_get_u32(c)};
    d.node_count = pn_get_u32(c);
    d.in_layout = pn_get_str(c);
    d.out_layout = pn_get_str(c);
    d.tactic = pn_get_str(c);
    d.version = pn_get_u32(c);
    for (uint32_t k = 0; k < PN_DECISION_CONFIG_VALUES; k++) d.config[k] = (int32_t)pn_get_u32(c);
    if (!pn_list_push(&image->arena, &record.decisions.list, d)) return pn_fail_memory(diag, "the engine");
  }
  PN_TRY(pn_cursor_status(c, diag));
  return pn_list_push(&image->arena, &image->records, record) ? PELTON_OK : pn_fail_memory(diag, "the engine");
}

static pelton_status load_packed(pn_image *image, pn_cursor *c, pn_span bytes, pelton_diag *diag) {
  uint32_t count = pn_get_count(c, 24);
  for (uint32_t i = 0; i < count; i++) {
    pn_packed_entry entry = {.key = pn_get_u64(c)};
    uint64_t offset = pn_get_u64(c), size = pn_get_u64(c);
    if (offset % PN_TENSOR_ALIGN || offset > bytes.size || size > bytes.size - offset)
      return pn_fail(diag, PELTON_INVALID_DATA, "the engine's packed weights lie outside of their section");
    entry.data = bytes.data + offset;
    entry.bytes = (size_t)size;
    if (!pn_list_push(&image->arena, &image->packed.list, entry)) return pn_fail_memory(diag, "the engine");
  }
  return pn_cursor_status(c, diag);
}

/* The index, and behind it the code. What it does is the target's to judge; here, that it lies in the section. */
static pelton_status load_binaries(pn_image *image, pn_cursor *c, pn_span section, pelton_diag *diag) {
  const uint64_t start = pn_get_u64(c);
  uint32_t count = pn_get_count(c, PN_BINARY_ROW_BYTES);
  for (uint32_t i = 0; i < count && !c->failed; i++) {
    pn_binary p = {.key = {pn_get_u64(c)}};
    p.key[1] = pn_get_u64(c);
    p.form = pn_get_str(c);
    p.name = pn_get_str(c);
    p.compiler = pn_get_str(c);
    const uint64_t offset = pn_get_u64(c), bytes = pn_get_u64(c);
    if (start > section.size || offset > section.size - start || bytes > section.size - start - offset ||
        (start + offset) % PN_TENSOR_ALIGN)
      return pn_fail(diag, PELTON_INVALID_DATA, "the engine's kernel '%.*s' lies outside of its section",
                     PN_STR_ARG(p.name));
    p.data = section.data + start + offset;
    p.bytes = (size_t)bytes;
    if (!pn_list_push(&image->arena, &image->binaries, p)) return pn_fail_memory(diag, "the engine");
  }
  return pn_cursor_status(c, diag);
}

static pelton_status read_image(pn_image *image, pelton_diag *diag) {
  pn_span sections[PN_SECTION_KIND_COUNT] = {{0}};
  uint32_t count = 0;
  PN_TRY(check_header(image, &count, diag));
  PN_TRY(find_sections(image, count, sections, diag));
  pn_cursor c = {sections[PN_SECTION_GRAPH], "graph", false};
  PN_TRY(pn_graph_load(&c, sections[PN_SECTION_CONSTANTS], &image->arena, &image->constants, &image->graph, diag));
  if (sections[PN_SECTION_METADATA].data) {
    c = (pn_cursor){sections[PN_SECTION_METADATA], "metadata", false};
    PN_TRY(load_metadata(image, &c, diag));
  }
  if (sections[PN_SECTION_RECORDS].data) {
    c = (pn_cursor){sections[PN_SECTION_RECORDS], "records", false};
    uint32_t records = pn_get_count(&c, 16);
    for (uint32_t i = 0; i < records; i++) PN_TRY(load_record(image, &c, diag));
    PN_TRY(pn_cursor_status(&c, diag));
  }
  if (sections[PN_SECTION_BINARIES].data) {
    c = (pn_cursor){sections[PN_SECTION_BINARIES], "kernels", false};
    PN_TRY(load_binaries(image, &c, sections[PN_SECTION_BINARIES], diag));
  }
  if (!sections[PN_SECTION_PACKED_INDEX].data) return PELTON_OK;
  c = (pn_cursor){sections[PN_SECTION_PACKED_INDEX], "packed index", false};
  return load_packed(image, &c, sections[PN_SECTION_PACKED], diag);
}

pelton_status pn_image_open(const char *path, const pelton_allocator *allocator, pn_image **out, pelton_diag *diag) {
  *out = NULL;
  pn_image *image = pn_image_create(allocator, NULL);
  if (!image) return pn_fail_memory(diag, "an engine");
  pelton_status status = pn_file_map(path, &image->file, diag);
  uint32_t mark = pn_diag_mark(diag);
  if (!status) status = read_image(image, diag);
  if (status) {
    pn_diag_prefix(diag, mark, "%s", path);
    pn_image_release(image);
    return status;
  }
  *out = image;
  return PELTON_OK;
}

pelton_status pn_image_open_memory(const void *data, size_t bytes, const pelton_allocator *allocator, pn_image **out,
                                   pelton_diag *diag) {
  *out = NULL;
  pn_image *image = pn_image_create(allocator, NULL);
  if (!image) return pn_fail_memory(diag, "an engine");
  pelton_status status = PELTON_OK;
  image->borrowed = (uintptr_t)data % PN_TENSOR_ALIGN == 0;
  image->file = (pn_file){data, bytes};
  if (!image->borrowed) {
    image->owned = pn_alloc_raw(allocator, bytes, PN_TENSOR_ALIGN);
    if (image->owned)
      memcpy(image->owned, data, bytes);
    else
      status = pn_fail_memory(diag, "an engine");
    image->file.data = image->owned;
  }
  if (!status) status = read_image(image, diag);
  if (status)
    pn_image_release(image);
  else
    *out = image;
  return status;
}

pelton_status pn_image_check_weights(const pn_image *image, pelton_diag *diag) {
  for (uint32_t i = 0; image->file.data && i < pn_load_u32(image->file.data + 24); i++) {
    section_row row = row_at(image, i);
    if (!is_bulk(row.kind)) continue;
    uint64_t sum = row.kind;
    uint32_t tensors = row.kind == PN_SECTION_PACKED ? image->packed.list.count : image->constants.count;
    for (uint32_t k = 0; k < tensors; k++) {
      pn_span t = row.kind == PN_SECTION_PACKED
                      ? (pn_span){image->packed.list.data[k].data, image->packed.list.data[k].bytes}
                      : image->constants.data[k];
      sum = pn_hash_mix(sum, pn_hash_bytes(t.data, t.size, row.kind));
    }
    if (sum != row.checksum)
      return pn_fail(diag, PELTON_INVALID_DATA, "the engine's %s are altered: their checksum does not fit",
                     pn_section_kind_name(row.kind));
  }
  return PELTON_OK;
}

uint32_t pn_image_sections(const pn_image *image, pn_section_info *out, uint32_t max) {
  uint32_t count = image->file.data ? pn_load_u32(image->file.data + 24) : 0;
  for (uint32_t i = 0; i < count && i < max; i++) {
    section_row row = row_at(image, i);
    out[i] = (pn_section_info){pn_section_kind_name(row.kind), row.offset, row.bytes};
  }
  return count < max ? count : max;
}
