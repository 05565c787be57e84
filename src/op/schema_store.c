/* Attributes in an engine file: what differs from the defaults, by name, so that versions whose operators have gained
   fields read each other's files. Little-endian, packed:

     u32 field count; each field: u8 name bytes, name, u8 kind letter, u32 value bytes, value

     'i' i64   'f' f32   'b' one byte, 0 or 1   'w' the word of an enumeration or a dtype   's' a text
     'I' i64s  'F' f32s  'x' an expression as text   'g' u32 index of a subgraph

   A field that the reader does not know is not a default (those are left out), so it means something: refused. */
#include "op/schema_field.h"

enum { MAX_FIELDS = 64 };

static char kind_letter(pn_field_kind kind) {
  static const char letters[] = {
      [PN_FIELD_I64] = 'i',  [PN_FIELD_F32] = 'f',  [PN_FIELD_BOOL] = 'b', [PN_FIELD_DTYPE] = 'w',
      [PN_FIELD_ENUM] = 'w', [PN_FIELD_I64S] = 'I', [PN_FIELD_F32S] = 'F', [PN_FIELD_STRING] = 's',
      [PN_FIELD_EXPR] = 'x', [PN_FIELD_GRAPH] = 'g'};
  return letters[kind];
}

/* ---- storing --------------------------------------------------------------------------------------------------- */

static void put(pn_text *out, const void *data, size_t bytes) { pn_text_add(out, (pn_str){data, bytes}); }
static void put_u8(pn_text *out, uint8_t value) { put(out, &value, 1); }
static void put_u32(pn_text *out, uint32_t value) { put(out, &value, 4); }

static void store_value(const void *attrs, const pn_field *field, const pn_attrs_io *io, pn_text *out) {
  pn_span bytes = pn_field_bytes(attrs, field);
  int64_t integer;
  switch (field->kind) {
  case PN_FIELD_I64:
    integer = pn_field_get_integer(attrs, field);
    put(out, &integer, 8);
    return;
  case PN_FIELD_BOOL: put_u8(out, pn_field_get_integer(attrs, field) != 0); return;
  case PN_FIELD_DTYPE:
  case PN_FIELD_ENUM: pn_text_add(out, pn_str_from(pn_field_word(attrs, field))); return;
  case PN_FIELD_F32:
  case PN_FIELD_I64S:
  case PN_FIELD_F32S:
  case PN_FIELD_STRING: put(out, bytes.data, bytes.size); return;
  case PN_FIELD_EXPR: pn_expr_print(pn_field_expr(attrs, field), out); return;
  case PN_FIELD_GRAPH:
    put_u32(out, io && io->store_graph ? io->store_graph(io->self, pn_field_graph(attrs, field)) : UINT32_MAX);
    return;
  }
}

void pn_attrs_store(pn_op op, const void *attrs, const pn_attrs_io *io, pn_text *out) {
  const pn_op_info *info = pn_op_get(op);
  uint32_t count = 0;
  for (uint32_t i = 0; i < info->field_count; i++) count += !pn_field_is_default(attrs, &info->fields[i]);
  put_u32(out, count);
  for (uint32_t i = 0; i < info->field_count; i++) {
    const pn_field *field = &info->fields[i];
    if (pn_field_is_default(attrs, field)) continue;
    size_t name_bytes = strlen(field->name);
    put_u8(out, (uint8_t)name_bytes);
    put(out, field->name, name_bytes);
    put_u8(out, (uint8_t)kind_letter(field->kind));
    size_t size_at = out->size, value_at = size_at + 4;
    put_u32(out, 0);
    store_value(attrs, field, io, out);
    if (out->failed) return;
    if (out->size - value_at > UINT32_MAX) { /* never written as something else than it is */
      out->failed = true;
      return;
    }
    uint32_t value_bytes = (uint32_t)(out->size - value_at);
    memcpy(out->data + size_at, &value_bytes, 4);
  }
}

/* ---- loading --------------------------------------------------------------------------------------------------- */

typedef struct reader {
  const pn_op_info *info;
  const pn_attrs_io *io;
  pn_arena *arena;
  pelton_diag *diag;
  pn_span rest;
  void *attrs;
} reader;

static pelton_status take(reader *r, size_t bytes, const uint8_t **out) {
  *out = r->rest.data;
  if (bytes > r->rest.size)
    return pn_fail(r->diag, PELTON_INVALID_DATA, "attributes of %s are cut off: %zu bytes are missing", r->info->name,
                   bytes - r->rest.size);
  r->rest.data += bytes;
  r->rest.size -= bytes;
  return PELTON_OK;
}

static pelton_status take_u8(reader *r, uint8_t *out) {
  const uint8_t *p = NULL;
  PN_TRY(take(r, 1, &p));
  *out = *p;
  return PELTON_OK;
}

static pelton_status take_u32(reader *r, uint32_t *out) {
  const uint8_t *p = NULL;
  PN_TRY(take(r, 4, &p));
  *out = pn_load_u32(p);
  return PELTON_OK;
}

static pelton_status fail_value(const reader *r, const pn_field *field) {
  return pn_fail(r->diag, PELTON_INVALID_DATA, "attribute '%s' of %s has a broken value", field->name, r->info->name);
}

/* A copy of |value| as a list of elements; their alignment in the file is none. */
static pelton_status copy_list(const reader *r, const pn_field *field, pn_span value, size_t element_bytes,
                               const void **data, uint32_t *count) {
  if (value.size % element_bytes || value.size == 0) return fail_value(r, field);
  *data = pn_arena_copy(r->arena, value.data, value.size, sizeof(int64_t));
  *count = (uint32_t)(value.size / element_bytes);
  return *data ? PELTON_OK : pn_fail_memory(r->diag, "attributes");
}

static pelton_status load_graph(const reader *r, const pn_field *field, pn_span value, struct pn_graph **out) {
  if (value.size != 4) return fail_value(r, field);
  if (r->io && r->io->load_graph) *out = r->io->load_graph(r->io->self, pn_load_u32(value.data));
  if (*out) return PELTON_OK;
  return pn_fail(r->diag, PELTON_INVALID_DATA, "attribute '%s' of %s: there is no subgraph %u", field->name,
                 r->info->name, pn_load_u32(value.data));
}

static pelton_status load_value(const reader *r, const pn_field *field, pn_span value) {
  void *at = pn_field_at(r->attrs, field);
  pn_str text = {(const char *)value.data, value.size};
  const void *data = NULL;
  uint32_t count = 0;
  switch (field->kind) {
  case PN_FIELD_I64:
    if (value.size != 8) return fail_value(r, field);
    pn_field_set_integer(r->attrs, field, (int64_t)pn_load_u64(value.data));
    return PELTON_OK;
  case PN_FIELD_F32:
    if (value.size != 4) return fail_value(r, field);
    memcpy(at, value.data, 4);
    return PELTON_OK;
  case PN_FIELD_BOOL:
    if (value.size != 1 || value.data[0] > 1) return fail_value(r, field);
    pn_field_set_integer(r->attrs, field, value.data[0]);
    return PELTON_OK;
  case PN_FIELD_DTYPE:
  case PN_FIELD_ENUM:
    if (pn_field_set_word(r->attrs, field, text)) return PELTON_OK;
    return pn_fail(r->diag, PELTON_UNSUPPORTED, "attribute '%s' of %s is '%.*s', which this version does not know",
                   field->name, r->info->name, (int)(text.size < 40 ? text.size : 40), text.data);
  case PN_FIELD_I64S:
    PN_TRY(copy_list(r, field, value, sizeof(int64_t), &data, &count));
    *(pn_i64s *)at = (pn_i64s){data, count};
    return PELTON_OK;
  case PN_FIELD_F32S:
    PN_TRY(copy_list(r, field, value, sizeof(float), &data, &count));
    *(pn_f32s *)at = (pn_f32s){data, count};
    return PELTON_OK;
  case PN_FIELD_STRING:
    PN_TRY(copy_list(r, field, value, 1, &data, &count));
    *(pn_str *)at = (pn_str){data, count};
    return PELTON_OK;
  case PN_FIELD_EXPR: return pn_expr_parse(text, r->arena, at, r->diag);
  case PN_FIELD_GRAPH: return load_graph(r, field, value, at);
  }
  return PN_INTERNAL(r->diag, "a field kind that is not in the table");
}

static pelton_status load_field(reader *r, uint64_t *seen) {
  uint8_t name_bytes, letter;
  uint32_t value_bytes;
  const uint8_t *name = NULL, *value = NULL;
  PN_TRY(take_u8(r, &name_bytes));
  PN_TRY(take(r, name_bytes, &name));
  PN_TRY(take_u8(r, &letter));
  PN_TRY(take_u32(r, &value_bytes));
  PN_TRY(take(r, value_bytes, &value));
  const pn_field *field = pn_field_find(r->info, (pn_str){(const char *)name, name_bytes});
  if (!field)
    return pn_field_fail_unknown(r->info, (pn_str){(const char *)name, name_bytes}, PELTON_UNSUPPORTED, r->diag);
  uint64_t bit = UINT64_C(1) << (field - r->info->fields);
  if (letter != (uint8_t)kind_letter(field->kind) || (*seen & bit)) return fail_value(r, field);
  *seen |= bit;
  return load_value(r, field, (pn_span){value, value_bytes});
}

pelton_status pn_attrs_load(pn_op op, pn_span *bytes, const pn_attrs_io *io, pn_arena *arena, void **out,
                            pelton_diag *diag) {
  reader r = {.info = pn_op_get(op), .io = io, .arena = arena, .diag = diag, .rest = *bytes};
  uint32_t count;
  uint64_t seen = 0;
  *out = NULL;
  r.attrs = pn_attrs_new(op, arena);
  if (!r.attrs) return pn_fail_memory(diag, "attributes");
  PN_TRY(take_u32(&r, &count));
  if (count > MAX_FIELDS)
    return pn_fail(diag, PELTON_INVALID_DATA, "%s cannot have %u attributes", r.info->name, count);
  for (uint32_t i = 0; i < count; i++) PN_TRY(load_field(&r, &seen));
  PN_TRY(pn_field_check_required(r.info, r.attrs, diag));
  *bytes = r.rest;
  *out = r.attrs;
  return PELTON_OK;
}
