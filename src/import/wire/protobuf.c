/* The parser walks a message twice: first only its tags, to count what is repeated and to check that every value lies
   within the message, then again to fill the struct, with lists of exactly the right size. The first walk skips nested
   messages by their length, so the whole costs two reads of each tag and touches no tensor's bytes. */
#include "import/wire/protobuf.h"

#include "base/diag.h"

#include <inttypes.h>
#include <stdio.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* ---- the wire -------------------------------------------------------------------------------------------------- */

typedef struct cursor {
  const uint8_t *at, *end;
} cursor;

/* One field as it lies in the file: |scalar| for numbers (fixed widths as their bits), |bytes| for the rest. */
typedef struct item {
  uint32_t number, wire;
  uint64_t scalar;
  pn_span bytes;
} item;

/* Readers return null, or what is wrong, as the end of a sentence that starts with a path. On failure |c->at| stays
   where the broken thing begins. */
static const char *read_varint(cursor *c, uint64_t *out) {
  if (PN_LIKELY(c->at < c->end && *c->at < 0x80)) {
    *out = *c->at++;
    return NULL;
  }
  uint64_t value = 0;
  const uint8_t *at = c->at;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (at == c->end) return "varint runs past the end of its message";
    uint8_t byte = *at++;
    if (shift == 63 && byte > 1) return "varint is longer than 64 bits";
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      c->at = at;
      *out = value;
      return NULL;
    }
  }
  return "varint is longer than 64 bits";
}

static const char *read_tag(cursor *c, item *out) {
  uint64_t tag;
  const uint8_t *start = c->at;
  const char *wrong = read_varint(c, &tag);
  if (wrong) return wrong;
  out->wire = (uint32_t)(tag & 7);
  out->number = (uint32_t)(tag >> 3);
  if (tag > UINT32_MAX || out->number == 0)
    wrong = "no such field number";
  else if (out->wire == 3 || out->wire == 4)
    wrong = "groups are not supported";
  else if (out->wire > 5)
    wrong = "no such wire type";
  if (wrong) c->at = start;
  return wrong;
}

static const char *read_value(cursor *c, item *out) {
  size_t room = (size_t)(c->end - c->at);
  if (out->wire == WIRE_VARINT) return read_varint(c, &out->scalar);
  if (out->wire == WIRE_FIXED32) {
    if (room < 4) return "32-bit value runs past the end of its message";
    out->scalar = pn_load_u32(c->at);
    c->at += 4;
    return NULL;
  }
  if (out->wire == WIRE_FIXED64) {
    if (room < 8) return "64-bit value runs past the end of its message";
    out->scalar = pn_load_u64(c->at);
    c->at += 8;
    return NULL;
  }
  const uint8_t *start = c->at;
  uint64_t length;
  const char *wrong = read_varint(c, &length);
  if (wrong) return wrong;
  if (length > (uint64_t)(c->end - c->at)) {
    c->at = start;
    return "runs past the end of its message";
  }
  out->bytes = (pn_span){c->at, (size_t)length};
  c->at += (size_t)length;
  return NULL;
}

/* ---- kinds ----------------------------------------------------------------------------------------------------- */

static uint32_t kind_wire(pn_pb_kind kind) {
  switch (kind) {
  case PN_PB_I64:
  case PN_PB_I32:
  case PN_PB_BOOL: return WIRE_VARINT;
  case PN_PB_F32: return WIRE_FIXED32;
  case PN_PB_F64: return WIRE_FIXED64;
  case PN_PB_STR:
  case PN_PB_SPAN:
  case PN_PB_MESSAGE:
  case PN_PB_LAZY: break;
  }
  return WIRE_BYTES;
}

/* What a member, or an element of a repeated one, takes in the struct. */
static size_t kind_bytes(const pn_pb_field *field) {
  switch (field->kind) {
  case PN_PB_STR: return sizeof(pn_str);
  case PN_PB_SPAN: return sizeof(pn_span);
  case PN_PB_I64: return sizeof(int64_t);
  case PN_PB_I32: return sizeof(int32_t);
  case PN_PB_BOOL: return sizeof(bool);
  case PN_PB_F32: return sizeof(float);
  case PN_PB_F64: return sizeof(double);
  case PN_PB_MESSAGE: return field->message->bytes;
  case PN_PB_LAZY: break;
  }
  return sizeof(pn_pb_lazy);
}

/* Writes one number, |scalar| as the wire has it, as |kind|. */
static void store_number(pn_pb_kind kind, uint64_t scalar, void *out) {
  if (kind == PN_PB_BOOL) {
    bool value = scalar != 0;
    memcpy(out, &value, sizeof value);
  } else if (kind == PN_PB_I32 || kind == PN_PB_F32) {
    uint32_t value = (uint32_t)scalar;
    memcpy(out, &value, sizeof value);
  } else {
    memcpy(out, &scalar, sizeof scalar);
  }
}

/* The next number of a packed run. */
static const char *read_packed(cursor *c, uint32_t wire, uint64_t *out) {
  item one = {.wire = wire};
  const char *wrong = read_value(c, &one);
  *out = one.scalar;
  return wrong;
}

/* How many numbers a packed run holds. */
static const char *count_packed(cursor c, uint32_t wire, uint64_t *out) {
  size_t size = (size_t)(c.end - c.at);
  if (wire == WIRE_VARINT) {
    uint64_t count = 0; /* each varint ends in the one byte below 0x80; a torn last one is found when it is read */
    for (; c.at < c.end; c.at++) count += *c.at < 0x80;
    if (size && c.end[-1] >= 0x80) return "varint runs past the end of its packed list";
    *out = count;
    return NULL;
  }
  size_t width = wire == WIRE_FIXED32 ? 4 : 8;
  *out = size / width;
  return size % width ? "length of a packed list is not a multiple of its element's size" : NULL;
}

/* ---- complaints ------------------------------------------------------------------------------------------------ */

/* Where the parser is: a chain on its own stack, turned into text only when something is wrong. */
typedef struct place {
  const struct place *outer;
  const char *name; /* null for the outermost message */
  int64_t index;    /* -1: not repeated */
} place;

/* The path of |p| and, in it, |field| (may be null), into |buffer|; written from its end, because of a path that is too
   long the end says more than the beginning. */
static const char *path_text(const place *p, const char *field, char *buffer, size_t buffer_bytes) {
  size_t at = buffer_bytes - 1;
  buffer[at] = 0;
  place innermost = {p, field, -1};
  for (const place *i = field ? &innermost : p; i; i = i->outer) {
    if (!i->name) continue;
    char part[128];
    int length;
    const char *dot = buffer[at] ? "." : "";
    if (i->index >= 0)
      length = snprintf(part, sizeof part, "%s[%" PRId64 "]%s", i->name, i->index, dot);
    else
      length = snprintf(part, sizeof part, "%s%s", i->name, dot);
    if (length < 0 || (size_t)length >= sizeof part || (size_t)length + 3 > at) {
      memcpy(buffer + at - 3, "...", 3);
      return buffer + at - 3;
    }
    at -= (size_t)length;
    memcpy(buffer + at, part, (size_t)length);
  }
  return buffer[at] ? buffer + at : "file";
}

typedef struct parser {
  pn_arena *arena;
  const uint8_t *base; /* of the file: offsets in messages count from here */
  pelton_diag *diag;
} parser;

static PN_NOINLINE pelton_status broken(const parser *p, const place *where, const char *field, const uint8_t *at,
                                        const char *wrong) {
  char buffer[512];
  return pn_fail(p->diag, PELTON_INVALID_DATA, "%s: %s at byte %zu", path_text(where, field, buffer, sizeof buffer),
                 wrong, (size_t)(at - p->base));
}

static PN_NOINLINE pelton_status no_memory(const parser *p, const place *where, const char *field) {
  char buffer[512];
  return pn_fail_memory(p->diag, path_text(where, field, buffer, sizeof buffer));
}

static PN_NOINLINE pelton_status wrong_wire(const parser *p, const place *where, const pn_pb_field *field,
                                            uint32_t wire, const uint8_t *at) {
  static const char *const names[6] = {"a varint", "a 64-bit value", "bytes", "a group", "a group", "a 32-bit value"};
  char wrong[96];
  snprintf(wrong, sizeof wrong, "is %s where %s should be", names[wire], names[kind_wire(field->kind)]);
  return broken(p, where, field->name, at, wrong);
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

/* Any PN_LIST, seen without its type. Copied in and out with memcpy, which may look at an object of any type. */
typedef PN_LIST(uint8_t) any_list;

/* The row of field |number|, or null. |hint| is the row found last: fields come in order and in runs. */
static const pn_pb_field *find_field(const pn_pb_message *message, uint32_t number, uint32_t *hint) {
  for (uint32_t i = 0, row = *hint; i < message->field_count; i++) {
    if (message->fields[row].number == number) {
      *hint = row;
      return &message->fields[row];
    }
    row = row + 1 == message->field_count ? 0 : row + 1;
  }
  return NULL;
}

enum { MAX_ROWS = 64 };

/* The first walk: how many elements each repeated row will get. */
static pelton_status count_fields(const parser *p, const pn_pb_message *message, pn_span bytes, const place *where,
                                  uint64_t *counts) {
  cursor c = {bytes.data, bytes.data + bytes.size};
  uint32_t hint = 0;
  while (c.at < c.end) {
    item it;
    const char *wrong = read_tag(&c, &it);
    if (wrong) return broken(p, where, NULL, c.at, wrong);
    const pn_pb_field *field = find_field(message, it.number, &hint);
    wrong = read_value(&c, &it);
    if (wrong) return broken(p, where, field ? field->name : NULL, c.at, wrong);
    if (!field || !field->repeated || field->kind == PN_PB_LAZY) continue;
    uint64_t more = 1;
    uint32_t wire = kind_wire(field->kind);
    if (wire != WIRE_BYTES && it.wire == WIRE_BYTES) {
      wrong = count_packed((cursor){it.bytes.data, it.bytes.data + it.bytes.size}, wire, &more);
      if (wrong) return broken(p, where, field->name, it.bytes.data, wrong);
    }
    counts[hint] += more;
  }
  return PELTON_OK;
}

/* Makes room in |out|'s lists for what was counted. Everything counted takes at least a byte of the file. */
static pelton_status reserve_lists(const parser *p, const pn_pb_message *message, const place *where,
                                   const uint64_t *counts, void *out) {
  for (uint32_t row = 0; row < message->field_count; row++) {
    const pn_pb_field *field = &message->fields[row];
    if (!counts[row]) continue;
    any_list list;
    memcpy(&list, (char *)out + field->offset, sizeof list);
    if (counts[row] > UINT32_MAX - (uint64_t)list.count) {
      char buffer[512];
      return pn_fail(p->diag, PELTON_INVALID_DATA, "%s: %" PRIu64 " elements, more than a list may have",
                     path_text(where, field->name, buffer, sizeof buffer), counts[row]);
    }
    if (list.count + counts[row] <= list.capacity) continue;
    /* Exactly what is needed the first time; doubled where a merged message goes on, or merging were quadratic. */
    void *data = list.data;
    if (!data) {
      data = pn_arena_array(p->arena, (size_t)counts[row], kind_bytes(field), _Alignof(max_align_t));
      if (!data) return no_memory(p, where, field->name);
      list.capacity = (uint32_t)counts[row];
    } else if (!pn_list_grow(p->arena, &data, list.count, &list.capacity, (size_t)counts[row], kind_bytes(field),
                             _Alignof(max_align_t))) {
      return no_memory(p, where, field->name);
    }
    list.data = data;
    memcpy((char *)out + field->offset, &list, sizeof list);
  }
  return PELTON_OK;
}

static pelton_status parse_message(const parser *p, const pn_pb_message *message, pn_span bytes, const place *where,
                                   uint32_t depth, void *out);

/* Appends |it| to the list at |member|, whose room reserve_lists made. */
static pelton_status add_element(const parser *p, const pn_pb_field *field, const item *it, const place *where,
                                 uint32_t depth, void *member) {
  any_list list;
  memcpy(&list, member, sizeof list);
  if (!list.data) return PELTON_OK; /* packed, and of no elements: there is no room even to point at */
  size_t element_bytes = kind_bytes(field);
  uint8_t *to = list.data + (size_t)list.count * element_bytes;
  uint32_t wire = kind_wire(field->kind);
  if (field->kind == PN_PB_MESSAGE) {
    place inner = {where, field->name, (int64_t)list.count};
    memset(to, 0, element_bytes);
    PN_TRY(parse_message(p, field->message, it->bytes, &inner, depth + 1, to));
    list.count++;
  } else if (field->kind == PN_PB_STR || field->kind == PN_PB_SPAN) {
    memcpy(to, &it->bytes, sizeof it->bytes);
    list.count++;
  } else if (it->wire != WIRE_BYTES) {
    store_number(field->kind, it->scalar, to);
    list.count++;
  } else {
    cursor c = {it->bytes.data, it->bytes.data + it->bytes.size};
    for (; c.at < c.end; to += element_bytes, list.count++) {
      uint64_t scalar;
      const char *wrong = read_packed(&c, wire, &scalar);
      if (wrong) return broken(p, where, field->name, c.at, wrong);
      store_number(field->kind, scalar, to);
    }
  }
  memcpy(member, &list, sizeof list);
  return PELTON_OK;
}

/* Sets the singular member to |it|; the last one counts, and messages are merged. */
static pelton_status set_member(const parser *p, const pn_pb_field *field, const item *it, const place *where,
                                uint32_t depth, void *out) {
  char *member = (char *)out + field->offset;
  if (field->kind == PN_PB_MESSAGE) {
    void *inner;
    memcpy(&inner, member, sizeof inner);
    if (!inner) {
      inner = pn_arena_alloc(p->arena, field->message->bytes, _Alignof(max_align_t));
      if (!inner) return no_memory(p, where, field->name);
      memcpy(member, &inner, sizeof inner);
    }
    place here = {where, field->name, -1};
    return parse_message(p, field->message, it->bytes, &here, depth + 1, inner);
  }
  if (field->kind == PN_PB_STR || field->kind == PN_PB_SPAN)
    memcpy(member, &it->bytes, sizeof it->bytes);
  else
    store_number(field->kind, it->scalar, member);
  if (field->has_offset) {
    bool yes = true;
    memcpy((char *)out + field->has_offset, &yes, sizeof yes);
  }
  return PELTON_OK;
}

/* Stretches the region of a lazy field over one more occurrence, |from| .. |to|, in the message that starts at |start|.
 */
static pelton_status note_lazy(const parser *p, const pn_pb_field *field, const uint8_t *start, const uint8_t *from,
                               const uint8_t *to, const place *where, void *out) {
  pn_pb_lazy *lazy = (pn_pb_lazy *)(void *)((char *)out + field->offset);
  if (!lazy->field) {
    lazy->field = field;
    lazy->region = (pn_span){from, (size_t)(to - from)};
  } else if (lazy->region.data < start) {
    return broken(p, where, field->name, from, "is given in two separate pieces; save the file again as one piece");
  } else {
    lazy->region.size = (size_t)(to - lazy->region.data);
  }
  return PELTON_OK;
}

_Static_assert(sizeof(pn_str) == sizeof(pn_span) && offsetof(pn_str, size) == offsetof(pn_span, size),
               "views of text and of bytes are copied alike");

static pelton_status parse_message(const parser *p, const pn_pb_message *message, pn_span bytes, const place *where,
                                   uint32_t depth, void *out) {
  if (depth >= PN_PB_MAX_DEPTH) return broken(p, where, NULL, bytes.data, "is nested too deeply");
  uint64_t counts[MAX_ROWS] = {0};
  if (message->field_count > MAX_ROWS) return PN_INTERNAL(p->diag, "a message's table has too many rows");
  PN_TRY(count_fields(p, message, bytes, where, counts));
  PN_TRY(reserve_lists(p, message, where, counts, out));
  cursor c = {bytes.data, bytes.data + bytes.size};
  uint32_t hint = 0;
  while (c.at < c.end) {
    item it;
    const uint8_t *start = c.at;
    const char *wrong = read_tag(&c, &it);
    if (!wrong) wrong = read_value(&c, &it);
    if (wrong) return broken(p, where, NULL, c.at, wrong); /* the first walk found it already */
    const pn_pb_field *field = find_field(message, it.number, &hint);
    if (!field) continue;
    bool lazy = field->kind == PN_PB_LAZY;
    uint32_t wire = kind_wire(lazy ? field->lazy : field->kind);
    if (it.wire != wire && !(field->repeated && it.wire == WIRE_BYTES))
      return wrong_wire(p, where, field, it.wire, start);
    if (lazy)
      PN_TRY(note_lazy(p, field, bytes.data, start, c.at, where, out));
    else if (field->repeated)
      PN_TRY(add_element(p, field, &it, where, depth, (char *)out + field->offset));
    else
      PN_TRY(set_member(p, field, &it, where, depth, out));
  }
  return PELTON_OK;
}

pelton_status pn_pb_parse(const pn_pb_message *message, pn_span bytes, pn_arena *arena, void *out, pelton_diag *diag) {
  parser p = {arena, bytes.data, diag};
  if (!bytes.size) return PELTON_OK; /* a message without fields is valid; its data may be null */
  return parse_message(&p, message, bytes, NULL, 0, out);
}

/* ---- numbers left in the file ---------------------------------------------------------------------------------- */

static pelton_status lazy_broken(const pn_pb_lazy *lazy, const uint8_t *at, const char *wrong, pelton_diag *diag) {
  return pn_fail(diag, PELTON_INVALID_DATA, "%s: %s, %zu bytes into it", lazy->field->name, wrong,
                 (size_t)(at - lazy->region.data));
}

/* The next occurrence of the field from |c| on, as a run of numbers (one, when it is not packed); |*more| is false at
   the end. The region was walked by the parser, so that only numbers inside of packed runs can still be broken. */
static pelton_status lazy_next(const pn_pb_lazy *lazy, cursor *c, cursor *run, bool *more, pelton_diag *diag) {
  while (c->at < c->end) {
    item it = {.number = 0};
    const char *wrong = read_tag(c, &it);
    const uint8_t *start = c->at;
    if (!wrong) wrong = read_value(c, &it);
    if (wrong) return lazy_broken(lazy, c->at, wrong, diag);
    if (it.number != lazy->field->number) continue;
    *run = (cursor){start, c->at};
    if (it.wire == WIRE_BYTES) *run = (cursor){it.bytes.data, it.bytes.data + it.bytes.size};
    *more = true;
    return PELTON_OK;
  }
  *more = false;
  return PELTON_OK;
}

pelton_status pn_pb_lazy_count(const pn_pb_lazy *lazy, uint64_t *out, pelton_diag *diag) {
  *out = 0;
  if (!lazy->field) return PELTON_OK;
  cursor c = {lazy->region.data, lazy->region.data + lazy->region.size}, run = {NULL, NULL};
  for (bool more;;) {
    PN_TRY(lazy_next(lazy, &c, &run, &more, diag));
    if (!more) return PELTON_OK;
    uint64_t count;
    const char *wrong = count_packed(run, kind_wire(lazy->field->lazy), &count);
    if (wrong) return lazy_broken(lazy, run.at, wrong, diag);
    *out += count;
  }
}

bool pn_pb_lazy_view(const pn_pb_lazy *lazy, pn_span *out) {
  if (!lazy->field || kind_wire(lazy->field->lazy) == WIRE_VARINT) return false;
  cursor c = {lazy->region.data, lazy->region.data + lazy->region.size};
  item it;
  if (read_tag(&c, &it) || it.wire != WIRE_BYTES || read_value(&c, &it) || c.at != c.end) return false;
  *out = it.bytes;
  return true;
}

/* Whether |value|, a varint's 64 bits, is a number of |bytes| bytes: zeros above (unsigned) or copies of the sign bit.
 */
static bool fits(uint64_t value, size_t bytes) {
  if (bytes >= 8) return true;
  unsigned bits = (unsigned)bytes * 8;
  uint64_t above = value >> (bits - 1); /* the sign bit and all above */
  return value >> bits == 0 || above == UINT64_MAX >> (bits - 1);
}

static pelton_status decode_run(const pn_pb_lazy *lazy, cursor run, size_t element_bytes, uint64_t *room, uint8_t **out,
                                pelton_diag *diag) {
  uint32_t wire = kind_wire(lazy->field->lazy);
  uint64_t count;
  const char *wrong = count_packed(run, wire, &count);
  if (!wrong && count > *room) wrong = "holds more numbers than were counted";
  if (wrong) return lazy_broken(lazy, run.at, wrong, diag);
  *room -= count;
  if (wire != WIRE_VARINT) {
    if (count) memcpy(*out, run.at, (size_t)count * element_bytes);
    *out += (size_t)count * element_bytes;
    return PELTON_OK;
  }
  for (; run.at < run.end; *out += element_bytes) {
    uint64_t value;
    const uint8_t *start = run.at;
    wrong = read_varint(&run, &value);
    if (wrong) return lazy_broken(lazy, run.at, wrong, diag);
    if (lazy->field->lazy == PN_PB_I32) value = (uint64_t)(int64_t)(int32_t)(uint32_t)value;
    if (PN_UNLIKELY(!fits(value, element_bytes)))
      return pn_fail(diag, PELTON_INVALID_DATA,
                     "%s: the value %" PRId64 ", %zu bytes into it, does not fit into %zu bits", lazy->field->name,
                     (int64_t)value, (size_t)(start - lazy->region.data), element_bytes * 8);
    memcpy(*out, &value, element_bytes);
  }
  return PELTON_OK;
}

pelton_status pn_pb_lazy_decode(const pn_pb_lazy *lazy, size_t element_bytes, uint64_t count, void *out,
                                pelton_diag *diag) {
  if (!lazy->field) return PELTON_OK;
  pn_pb_kind kind = lazy->field->lazy;
  if ((kind == PN_PB_F32 && element_bytes != 4) || (kind == PN_PB_F64 && element_bytes != 8))
    return PN_INTERNAL(diag, "floats are decoded at their own width");
  cursor c = {lazy->region.data, lazy->region.data + lazy->region.size}, run = {NULL, NULL};
  uint8_t *to = out;
  for (bool more;;) {
    PN_TRY(lazy_next(lazy, &c, &run, &more, diag));
    if (!more) return PELTON_OK;
    PN_TRY(decode_run(lazy, run, element_bytes, &count, &to, diag));
  }
}
