/* A reader of the few fields of TensorProto, SequenceProto and OptionalProto that files of test data use. The last two
   agree in their numbers: an optional reads as a sequence of no or one item. */
#include "data/tensor_pb.h"

#include "data/files.h"
#include "data/low_bits.h"

#include <stdlib.h>
#include <string.h>

typedef struct bytes {
  const uint8_t *data, *end;
} bytes;

typedef struct field {
  uint32_t number, wire;
  uint64_t value; /* of wire types 0, 1 and 5 */
  bytes span;     /* of wire type 2 */
} field;

enum {
  DIMS = 1,
  DATA_TYPE = 2,
  FLOAT_DATA = 4,
  INT32_DATA = 5,
  STRING_DATA = 6,
  INT64_DATA = 7,
  NAME = 8,
  RAW_DATA = 9,
  DOUBLE_DATA = 10,
  UINT64_DATA = 11
};
enum { STRING = 8 };
enum { ITEMS_NAME = 1, ITEM_TENSOR = 3, ITEM_SPARSE = 4, ITEM_SEQUENCE = 5, ITEM_MAP = 6, ITEM_OPTIONAL = 7 };
enum { MOST_DEPTH = 8 };

/* TensorProto.DataType; the types without a dtype are those that Pelton does not have. */
static const struct {
  const char *name;
  pelton_dtype dtype;
} types[] = {{"undefined", 0},
             {"float", PELTON_DTYPE_F32},
             {"uint8", PELTON_DTYPE_U8},
             {"int8", PELTON_DTYPE_I8},
             {"uint16", PELTON_DTYPE_U16},
             {"int16", PELTON_DTYPE_I16},
             {"int32", PELTON_DTYPE_I32},
             {"int64", PELTON_DTYPE_I64},
             {"string", PELTON_DTYPE_STRING},
             {"bool", PELTON_DTYPE_BOOL},
             {"float16", PELTON_DTYPE_F16},
             {"double", PELTON_DTYPE_F64},
             {"uint32", PELTON_DTYPE_U32},
             {"uint64", PELTON_DTYPE_U64},
             {"complex64", 0},
             {"complex128", 0},
             {"bfloat16", PELTON_DTYPE_BF16},
             {"float8e4m3fn", PELTON_DTYPE_F8E4M3FN},
             {"float8e4m3fnuz", PELTON_DTYPE_F8E4M3FNUZ},
             {"float8e5m2", PELTON_DTYPE_F8E5M2},
             {"float8e5m2fnuz", PELTON_DTYPE_F8E5M2FNUZ},
             {"uint4", PELTON_DTYPE_U4},
             {"int4", PELTON_DTYPE_I4},
             {"float4e2m1", PELTON_DTYPE_F4E2M1},
             {"float8e8m0", PELTON_DTYPE_F8E8M0},
             {"uint2", PELTON_DTYPE_U2},
             {"int2", PELTON_DTYPE_I2}};
enum { TYPES = sizeof types / sizeof types[0] };

static bool read_varint(bytes *b, uint64_t *out) {
  *out = 0;
  for (uint32_t shift = 0; shift < 64 && b->data < b->end; shift += 7) {
    const uint8_t byte = *b->data++;
    *out |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

static bool read_fixed(bytes *b, size_t size, uint64_t *out) {
  if ((size_t)(b->end - b->data) < size) return false;
  *out = 0;
  memcpy(out, b->data, size);
  b->data += size;
  return true;
}

static bool read_field(bytes *b, field *out) {
  uint64_t key, size;
  if (!read_varint(b, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff) return false;
  out->number = (uint32_t)(key >> 3);
  out->wire = (uint32_t)key & 7;
  out->value = 0;
  out->span = (bytes){b->data, b->data};
  switch (out->wire) {
  case 0: return read_varint(b, &out->value);
  case 1: return read_fixed(b, 8, &out->value);
  case 5: return read_fixed(b, 4, &out->value);
  case 2:
    if (!read_varint(b, &size) || size > (uint64_t)(b->end - b->data)) return false;
    out->span = (bytes){b->data, b->data + size};
    b->data += size;
    return true;
  default: return false;
  }
}

/* ---- what the fields say -------------------------------------------------------------------------------------------
 */

typedef struct proto {
  pelton_shape shape;
  uint64_t data_type;
  bytes name, raw;
  bool has_raw, has_texts, has_typed;
  bool too_many_dims;
} proto;

static void add_dim(proto *p, uint64_t dim) {
  if (p->shape.rank == PELTON_MAX_RANK)
    p->too_many_dims = true;
  else
    p->shape.dims[p->shape.rank++] = (int64_t)dim;
}

static bool read_proto(bytes b, proto *p) {
  field f;
  while (b.data < b.end) {
    if (!read_field(&b, &f)) return false;
    if (f.number == DIMS && f.wire == 0)
      add_dim(p, f.value);
    else if (f.number == DIMS && f.wire == 2) {
      uint64_t dim;
      bytes packed = f.span;
      while (packed.data < packed.end && read_varint(&packed, &dim)) add_dim(p, dim);
    } else if (f.number == DATA_TYPE && f.wire == 0)
      p->data_type = f.value;
    else if (f.number == NAME && f.wire == 2)
      p->name = f.span;
    else if (f.number == RAW_DATA && f.wire == 2)
      p->raw = f.span, p->has_raw = true;
    else if (f.number == STRING_DATA && f.wire == 2)
      p->has_texts = true;
    else if (f.number == FLOAT_DATA || f.number == INT32_DATA || f.number == INT64_DATA || f.number == DOUBLE_DATA ||
             f.number == UINT64_DATA)
      p->has_typed = true;
  }
  return true;
}

/* Elements from the field for |dtype|, one a value; returns how many there were. 16-bit floats are bits in int32_data.
 */
static size_t read_typed(bytes b, pelton_tensor *t) {
  const size_t size = pelton_dtype_bytes(t->dtype), count = tensor_count(&t->shape);
  const pelton_dtype dtype = t->dtype;
  const uint32_t number = dtype == PELTON_DTYPE_F32                                ? FLOAT_DATA
                          : dtype == PELTON_DTYPE_F64                              ? DOUBLE_DATA
                          : dtype == PELTON_DTYPE_I64                              ? INT64_DATA
                          : dtype == PELTON_DTYPE_U64 || dtype == PELTON_DTYPE_U32 ? UINT64_DATA
                                                                                   : INT32_DATA;
  const uint32_t wire = dtype == PELTON_DTYPE_F32 ? 5 : dtype == PELTON_DTYPE_F64 ? 1 : 0;
  size_t done = 0;
  field f;
  while (b.data < b.end && read_field(&b, &f)) {
    if (f.number != number) continue;
    bytes packed = f.span;
    bool more = f.wire == wire;
    if (f.wire == 2) more = packed.data < packed.end;
    while (more) {
      uint64_t value = f.value;
      if (f.wire == 2 && !(wire == 0 ? read_varint(&packed, &value) : read_fixed(&packed, size, &value))) break;
      if (done < count) memcpy((char *)t->data + done * size, &value, size);
      done++;
      more = f.wire == 2 && packed.data < packed.end;
    }
  }
  return done;
}

/* All texts of |b|: their number and bytes, and, with |t| given, at its elements and |text|. */
static size_t read_texts(bytes b, pelton_tensor *t, char *text, size_t *text_bytes) {
  size_t count = 0;
  field f;
  *text_bytes = 0;
  while (b.data < b.end && read_field(&b, &f)) {
    if (f.number != STRING_DATA || f.wire != 2) continue;
    const size_t size = (size_t)(f.span.end - f.span.data);
    if (t) {
      ((pelton_string *)t->data)[count] = (pelton_string){text + *text_bytes, size};
      memcpy(text + *text_bytes, f.span.data, size);
    }
    *text_bytes += size;
    count++;
  }
  return count;
}

static pb_result fail(pb_result result, char *reason, const char *path, const char *why, const char *what) {
  const char *slash = strrchr(path, '/');
  snprintf(reason, 256, "%.100s %.60s%.60s", slash ? slash + 1 : path, why, what);
  return result;
}

/* Packed elements are in the file's raw bytes, or at the front of |out|, where read_typed left them. */
static void unpack(const proto *p, pelton_tensor *out, size_t stored) {
  uint8_t *packed = memory_new(stored, 1);
  if (stored) memcpy(packed, p->has_raw ? p->raw.data : (const uint8_t *)out->data, stored);
  unpack_elements(out->dtype, packed, out->bytes, out->data);
  free(packed);
}

static pb_result make_tensor(const char *path, bytes all, pelton_tensor *out, proto *p, char *reason) {
  if (!read_proto(all, p)) return fail(PB_BROKEN, reason, path, "is no TensorProto", "");
  const bool is_texts = p->data_type == STRING;
  const bool has_data = p->has_raw || p->has_typed || p->has_texts;
  bool empty = false;
  for (uint32_t d = 0; d < p->shape.rank; d++) empty |= p->shape.dims[d] == 0;
  if (!has_data && !empty)
    return fail(PB_BROKEN, reason, path, "has no elements; is it a sequence or an optional?", "");
  if (p->data_type >= TYPES) return fail(PB_BROKEN, reason, path, "has elements of an unknown type", "");
  if (!types[p->data_type].dtype)
    return fail(PB_UNSUPPORTED, reason, path, "has elements of type ", types[p->data_type].name);
  if (p->too_many_dims) return fail(PB_UNSUPPORTED, reason, path, "has more than 8 dims", "");
  const pelton_dtype dtype = types[p->data_type].dtype;
  const uint32_t bits = packed_bits(dtype), a_byte = bits ? 8 / bits : 1;
  uint64_t count = 1; /* a byte of the file holds at most four elements */
  for (uint32_t d = 0; d < p->shape.rank && !empty; d++) {
    if (p->shape.dims[d] < 0 || (uint64_t)p->shape.dims[d] > a_byte * (uint64_t)(all.end - all.data) / count)
      return fail(PB_BROKEN, reason, path, "is too short for its shape", "");
    count *= (uint64_t)p->shape.dims[d];
  }
  if (is_texts) {
    size_t text_bytes;
    char *text;
    if (read_texts(all, NULL, NULL, &text_bytes) != (empty ? 0 : count))
      return fail(PB_BROKEN, reason, path, "does not have as many texts as its shape", "");
    if (!tensor_create_texts(out, &p->shape, text_bytes, &text))
      return fail(PB_BROKEN, reason, path, "has a negative dim", "");
    (void)read_texts(all, out, text, &text_bytes);
    return PB_READ;
  }
  if (!tensor_create(out, dtype, &p->shape)) return fail(PB_BROKEN, reason, path, "has a negative dim", "");
  const size_t raw_bytes = (size_t)(p->raw.end - p->raw.data);
  const size_t stored = (out->bytes + a_byte - 1) / a_byte; /* bytes, or numbers that hold one each */
  const bool complete = p->has_raw ? raw_bytes == (bits ? stored : out->bytes)
                                   : read_typed(all, out) == (bits    ? stored
                                                              : empty ? 0
                                                                      : count);
  if (complete) {
    if (bits)
      unpack(p, out, stored);
    else if (p->has_raw && raw_bytes)
      memcpy(out->data, p->raw.data, raw_bytes);
    return PB_READ;
  }
  tensor_release(out);
  return fail(PB_BROKEN, reason, path, "does not have as many elements as its shape", "");
}

static char *text_of(bytes b) {
  return memory_format("%.*s", (int)(b.end - b.data), b.data ? (const char *)b.data : "");
}

/* ---- sequences and optionals ---------------------------------------------------------------------------------------
 */

static pb_result read_items(const char *path, bytes all, uint32_t depth, pelton_tensor *out, bytes *name,
                            char *reason) {
  *out = (pelton_tensor){PELTON_DTYPE_TENSOR, {1, {0}}, NULL, 0};
  field f;
  pb_result result = PB_READ;
  while (all.data < all.end && result == PB_READ) {
    pelton_tensor item;
    proto p = {.data_type = 0};
    bytes item_name;
    if (!read_field(&all, &f) || depth == MOST_DEPTH) result = fail(PB_BROKEN, reason, path, "is no SequenceProto", "");
    else if ((f.number == DIMS && f.wire == 0) || f.number == NAME || f.number == RAW_DATA)
      result = fail(PB_BROKEN, reason, path, "holds a tensor, not a sequence or an optional", "");
    else if (f.wire != 2) continue;
    else if (f.number == ITEMS_NAME) *name = f.span;
    else if (f.number == ITEM_TENSOR) result = make_tensor(path, f.span, &item, &p, reason);
    else if (f.number == ITEM_SEQUENCE || f.number == ITEM_OPTIONAL)
      result = read_items(path, f.span, depth + 1, &item, &item_name, reason);
    else if (f.number == ITEM_SPARSE || f.number == ITEM_MAP)
      result = fail(PB_UNSUPPORTED, reason, path, "holds a map or a sparse tensor", "");
    if (result == PB_READ && (f.number == ITEM_TENSOR || f.number == ITEM_SEQUENCE || f.number == ITEM_OPTIONAL))
      tensor_add_item(out, &item);
  }
  if (result != PB_READ) tensor_release(out);
  return result;
}

pb_result tensor_pb_read(const char *path, bool boxed, pelton_tensor *out, char **name, char *reason) {
  file_bytes file;
  if (!file_read(path, &file, reason)) return PB_BROKEN;
  const bytes all = {file.data, file.data + file.size};
  proto p = {.data_type = 0};
  const pb_result result =
      boxed ? read_items(path, all, 0, out, &p.name, reason) : make_tensor(path, all, out, &p, reason);
  if (result == PB_READ) *name = text_of(p.name);
  free(file.data);
  return result;
}
