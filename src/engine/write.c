#include "engine/format.h"

typedef struct section {
  uint32_t kind;
  uint64_t offset, bytes, checksum;
  pn_str small;                    /* its bytes, when they are in memory in one piece */
  const pn_constant_list *tensors; /* else these, each padded to PN_TENSOR_ALIGN */
} section;

static void store_metadata(const pn_image *image, pn_text *out) {
  pn_put_u32(out, image->metadata.count);
  for (uint32_t i = 0; i < image->metadata.count; i++) {
    pn_put_str(out, image->metadata.data[i].key);
    pn_put_str(out, image->metadata.data[i].value);
  }
}

static void store_record(const pn_plan_record *record, pn_text *out) {
  pn_put_str(out, record->target);
  pn_put_str(out, record->fingerprint);
  pn_put_u32(out, record->input_shapes.count);
  for (uint32_t i = 0; i < record->input_shapes.count; i++) {
    const pelton_shape *shape = &record->input_shapes.data[i];
    pn_put_u32(out, shape->rank);
    for (uint32_t d = 0; d < shape->rank; d++) pn_put_i64(out, shape->dims[d]);
  }
  pn_put_u32(out, record->decisions.list.count);
  for (uint32_t i = 0; i < record->decisions.list.count; i++) {
    const pn_decision *d = &record->decisions.list.data[i];
    pn_put_u32(out, d->first_node);
    pn_put_u32(out, d->node_count);
    pn_put_str(out, d->in_layout);
    pn_put_str(out, d->out_layout);
    pn_put_str(out, d->tactic);
    pn_put_u32(out, d->version);
    for (uint32_t k = 0; k < PN_DECISION_CONFIG_VALUES; k++) pn_put_u32(out, (uint32_t)d->config[k]);
  }
}

static void store_records(const pn_image *image, pn_text *out) {
  pn_put_u32(out, image->records.count);
  for (uint32_t i = 0; i < image->records.count; i++) store_record(&image->records.data[i], out);
}

/* The index, sorted by key for lookups in the map, and the list of what it refers to; the same key twice is one. */
static pelton_status store_packed(const pn_image *image, pn_arena *arena, pn_constant_list *tensors, pn_text *out,
                                  pelton_diag *diag) {
  PN_LIST(pn_packed_entry) sorted = {0};
  for (uint32_t i = 0; i < image->packed.list.count && !image->omit_packed; i++) {
    pn_packed_entry entry = image->packed.list.data[i];
    uint32_t k = 0;
    while (k < sorted.count && sorted.data[k].key < entry.key) k++;
    if (k < sorted.count && sorted.data[k].key == entry.key) continue;
    if (!pn_list_push(arena, &sorted, entry)) return pn_fail_memory(diag, "the engine");
    memmove(&sorted.data[k + 1], &sorted.data[k], sizeof entry * (sorted.count - 1 - k));
    sorted.data[k] = entry;
  }
  uint64_t offset = 0;
  pn_put_u32(out, sorted.count);
  for (uint32_t i = 0; i < sorted.count; i++) {
    pn_put_u64(out, sorted.data[i].key);
    pn_put_u64(out, offset);
    pn_put_u64(out, sorted.data[i].bytes);
    offset += pn_align_up(sorted.data[i].bytes ? sorted.data[i].bytes : 1, PN_TENSOR_ALIGN);
    if (!pn_list_push(arena, tensors, ((pn_span){sorted.data[i].data, sorted.data[i].bytes})))
      return pn_fail_memory(diag, "the engine");
  }
  return PELTON_OK;
}

static bool stands_before(const pn_binary *a, const pn_binary *b) {
  return a->key[0] != b->key[0] ? a->key[0] < b->key[0] : pn_str_compare(a->form, b->form) < 0;
}

/* In the order of keys: threads compile them in any. */
static pelton_status store_binaries(const pn_image *image, pn_arena *arena, pn_text *out, pelton_diag *diag) {
  static const char zeros[PN_TENSOR_ALIGN];
  const uint32_t count = image->binaries.count;
  pn_binary *sorted = PN_NEW_ARRAY(arena, pn_binary, count + 1);
  if (!sorted) return pn_fail_memory(diag, "the engine");
  for (uint32_t i = 0; i < count; i++) {
    uint32_t k = i;
    for (; k && stands_before(&image->binaries.data[i], &sorted[k - 1]); k--) sorted[k] = sorted[k - 1];
    sorted[k] = image->binaries.data[i];
  }
  uint64_t offset = 0, index = 8 + 4;
  for (uint32_t i = 0; i < count; i++)
    index += PN_BINARY_ROW_BYTES + sorted[i].form.size + sorted[i].name.size + sorted[i].compiler.size;
  pn_put_u64(out, pn_align_up(index, PN_TENSOR_ALIGN)); /* where the code begins, which offsets count from */
  pn_put_u32(out, count);
  for (uint32_t i = 0; i < count; i++) {
    pn_put_u64(out, sorted[i].key[0]);
    pn_put_u64(out, sorted[i].key[1]);
    pn_put_str(out, sorted[i].form);
    pn_put_str(out, sorted[i].name);
    pn_put_str(out, sorted[i].compiler);
    pn_put_u64(out, offset);
    pn_put_u64(out, sorted[i].bytes);
    offset += pn_align_up(sorted[i].bytes, PN_TENSOR_ALIGN);
  }
  for (uint32_t i = 0; i < count; i++) {
    pn_text_add(out, (pn_str){zeros, pn_align_up(out->size, PN_TENSOR_ALIGN) - out->size});
    pn_text_add(out, (pn_str){sorted[i].data, sorted[i].bytes});
  }
  return PELTON_OK;
}

static void measure(section *s) {
  if (!s->tensors) {
    s->bytes = s->small.size;
    s->checksum = pn_hash_bytes(s->small.data, s->small.size, s->kind);
    return;
  }
  s->checksum = s->kind;
  for (uint32_t i = 0; i < s->tensors->count; i++) {
    const pn_span *t = &s->tensors->data[i];
    s->bytes += pn_align_up(t->size ? t->size : 1, PN_TENSOR_ALIGN);
    s->checksum = pn_hash_mix(s->checksum, pn_hash_bytes(t->data, t->size, s->kind));
  }
}

static pelton_status write_section(pn_file_writer *w, const section *s, pelton_diag *diag) {
  PN_TRY(pn_file_writer_pad(w, PN_SECTION_ALIGN, diag));
  if (!s->tensors) return s->small.size ? pn_file_writer_add(w, s->small.data, s->small.size, diag) : PELTON_OK;
  for (uint32_t i = 0; i < s->tensors->count; i++) {
    static const char zero[1];
    const pn_span *t = &s->tensors->data[i];
    PN_TRY(pn_file_writer_add(w, t->size ? (const void *)t->data : zero, t->size ? t->size : 1, diag));
    PN_TRY(pn_file_writer_pad(w, PN_TENSOR_ALIGN, diag));
  }
  return PELTON_OK;
}

static pelton_status write_file(pn_file_writer *w, section *sections, uint32_t count, const pelton_allocator *allocator,
                                pelton_diag *diag) {
  uint64_t offset = PN_HEADER_BYTES + (uint64_t)count * PN_SECTION_ROW_BYTES;
  pn_text head, table;
  pn_text_init(&head, allocator);
  pn_text_init(&table, allocator);
  for (uint32_t i = 0; i < count; i++) {
    measure(&sections[i]);
    offset = pn_align_up(offset, PN_SECTION_ALIGN);
    sections[i].offset = offset;
    offset += sections[i].bytes;
    pn_put_u32(&table, sections[i].kind);
    pn_put_u32(&table, 0);
    pn_put_u64(&table, sections[i].offset);
    pn_put_u64(&table, sections[i].bytes);
    pn_put_u64(&table, sections[i].checksum);
  }
  pn_text_add(&head, (pn_str){PN_IMAGE_MAGIC, 8});
  pn_put_u32(&head, PN_IMAGE_FORMAT_VERSION);
  pn_put_u32(&head, PELTON_VERSION_MAJOR << 16 | PELTON_VERSION_MINOR << 8 | PELTON_VERSION_PATCH);
  pn_put_u64(&head, offset);
  pn_put_u32(&head, count);
  pn_put_u32(&head, 0);
  pelton_status status = head.failed || table.failed ? pn_fail_memory(diag, "the engine") : PELTON_OK;
  if (!status) {
    pn_put_u64(&head, pn_hash_bytes(table.data, table.size, pn_hash_bytes(head.data, head.size, 0)));
    while (head.size < PN_HEADER_BYTES && !head.failed) pn_put_u8(&head, 0);
    pn_text_add(&head, (pn_str){table.data, table.size});
    status = head.failed ? pn_fail_memory(diag, "the engine") : pn_file_writer_add(w, head.data, head.size, diag);
  }
  for (uint32_t i = 0; i < count && !status; i++) status = write_section(w, &sections[i], diag);
  pn_text_deinit(&head);
  pn_text_deinit(&table);
  return status;
}

pelton_status pn_image_write(const pn_image *image, const char *path, pelton_diag *diag) {
  const pelton_allocator *allocator = image->arena.allocator;
  enum { TEXTS = 5 };
  pn_text texts[TEXTS];
  pn_arena arena;
  pn_constant_list constants = {0}, packed = {0};
  pn_file_writer writer;
  pn_arena_init(&arena, allocator);
  for (int i = 0; i < TEXTS; i++) pn_text_init(&texts[i], allocator);
  store_metadata(image, &texts[0]);
  pelton_status status = pn_graph_store(image->graph, &arena, &constants, &texts[1], diag);
  store_records(image, &texts[2]);
  if (!status) status = store_packed(image, &arena, &packed, &texts[3], diag);
  if (!status) status = store_binaries(image, &arena, &texts[4], diag);
  for (int i = 0; i < TEXTS && !status; i++)
    if (texts[i].failed) status = pn_fail_memory(diag, "the engine");
  if (!status) {
    section sections[] = {
        {.kind = PN_SECTION_METADATA, .small = {texts[0].data, texts[0].size}},
        {.kind = PN_SECTION_GRAPH, .small = {texts[1].data, texts[1].size}},
        {.kind = PN_SECTION_RECORDS, .small = {texts[2].data, texts[2].size}},
        {.kind = PN_SECTION_PACKED_INDEX, .small = {texts[3].data, texts[3].size}},
        {.kind = PN_SECTION_CONSTANTS, .tensors = &constants},
        {.kind = PN_SECTION_PACKED, .tensors = &packed},
        {.kind = PN_SECTION_BINARIES, .small = {texts[4].data, texts[4].size}},
    };
    const uint32_t count = (uint32_t)PN_COUNT(sections) - !image->binaries.count;
    status = pn_file_writer_open(&writer, path, diag);
    if (!status) {
      status = write_file(&writer, sections, count, allocator, diag);
      if (!status) status = pn_file_writer_close(&writer, diag);
      if (status) pn_file_writer_abort(&writer);
    }
  }
  for (int i = 0; i < TEXTS; i++) pn_text_deinit(&texts[i]);
  pn_arena_deinit(&arena);
  return status;
}
