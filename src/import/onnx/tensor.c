/* From a TensorProto to bytes: how many there must be is found from shape and type alone, and each way of storing them
   then has to yield exactly so many. */
#include "import/onnx/tensor.h"

#include "base/diag.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- element types --------------------------------------------------------------------------------------------- */

/* Where elements lie when they are not raw bytes. */
typedef enum field_of_elem {
  IN_NONE,
  IN_FLOATS,
  IN_INT32S,
  IN_INT64S,
  IN_DOUBLES,
  IN_UINT64S,
  IN_STRINGS
} field_of_elem;

typedef struct elem_facts {
  const char *name;
  uint8_t bits;
  uint8_t dtype; /* pelton_dtype */
  uint8_t field; /* field_of_elem */
} elem_facts;

static const elem_facts elems[PN_ONNX_ELEM_COUNT] = {
    [PN_ONNX_UNDEFINED] = {"undefined", 0, PELTON_DTYPE_NONE, IN_NONE},
    [PN_ONNX_FLOAT] = {"float", 32, PELTON_DTYPE_F32, IN_FLOATS},
    [PN_ONNX_UINT8] = {"uint8", 8, PELTON_DTYPE_U8, IN_INT32S},
    [PN_ONNX_INT8] = {"int8", 8, PELTON_DTYPE_I8, IN_INT32S},
    [PN_ONNX_UINT16] = {"uint16", 16, PELTON_DTYPE_U16, IN_INT32S},
    [PN_ONNX_INT16] = {"int16", 16, PELTON_DTYPE_I16, IN_INT32S},
    [PN_ONNX_INT32] = {"int32", 32, PELTON_DTYPE_I32, IN_INT32S},
    [PN_ONNX_INT64] = {"int64", 64, PELTON_DTYPE_I64, IN_INT64S},
    [PN_ONNX_STRING] = {"string", 0, PELTON_DTYPE_STRING, IN_STRINGS},
    [PN_ONNX_BOOL] = {"bool", 8, PELTON_DTYPE_BOOL, IN_INT32S},
    [PN_ONNX_FLOAT16] = {"float16", 16, PELTON_DTYPE_F16, IN_INT32S},
    [PN_ONNX_DOUBLE] = {"double", 64, PELTON_DTYPE_F64, IN_DOUBLES},
    [PN_ONNX_UINT32] = {"uint32", 32, PELTON_DTYPE_U32, IN_UINT64S},
    [PN_ONNX_UINT64] = {"uint64", 64, PELTON_DTYPE_U64, IN_UINT64S},
    [PN_ONNX_COMPLEX64] = {"complex64", 64, PELTON_DTYPE_NONE, IN_FLOATS},
    [PN_ONNX_COMPLEX128] = {"complex128", 128, PELTON_DTYPE_NONE, IN_DOUBLES},
    [PN_ONNX_BFLOAT16] = {"bfloat16", 16, PELTON_DTYPE_BF16, IN_INT32S},
    [PN_ONNX_FLOAT8E4M3FN] = {"float8e4m3fn", 8, PELTON_DTYPE_F8E4M3FN, IN_INT32S},
    [PN_ONNX_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8, PELTON_DTYPE_F8E4M3FNUZ, IN_INT32S},
    [PN_ONNX_FLOAT8E5M2] = {"float8e5m2", 8, PELTON_DTYPE_F8E5M2, IN_INT32S},
    [PN_ONNX_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8, PELTON_DTYPE_F8E5M2FNUZ, IN_INT32S},
    [PN_ONNX_UINT4] = {"uint4", 4, PELTON_DTYPE_U4, IN_INT32S},
    [PN_ONNX_INT4] = {"int4", 4, PELTON_DTYPE_I4, IN_INT32S},
    [PN_ONNX_FLOAT4E2M1] = {"float4e2m1", 4, PELTON_DTYPE_F4E2M1, IN_INT32S},
    [PN_ONNX_FLOAT8E8M0] = {"float8e8m0", 8, PELTON_DTYPE_F8E8M0, IN_INT32S},
    [PN_ONNX_UINT2] = {"uint2", 2, PELTON_DTYPE_U2, IN_INT32S},
    [PN_ONNX_INT2] = {"int2", 2, PELTON_DTYPE_I2, IN_INT32S},
    [PN_ONNX_FLOAT6E2M3] = {"float6e2m3", 6, PELTON_DTYPE_NONE, IN_INT32S},
    [PN_ONNX_FLOAT6E3M2] = {"float6e3m2", 6, PELTON_DTYPE_NONE, IN_INT32S},
};

static const elem_facts *facts_of(int32_t elem) {
  return &elems[elem > 0 && elem < PN_ONNX_ELEM_COUNT ? elem : PN_ONNX_UNDEFINED];
}
const char *pn_onnx_elem_name(int32_t elem) { return facts_of(elem)->name; }
uint32_t pn_onnx_elem_bits(int32_t elem) { return facts_of(elem)->bits; }
pelton_dtype pn_onnx_elem_dtype(int32_t elem) { return (pelton_dtype)facts_of(elem)->dtype; }

/* ---- messages -------------------------------------------------------------------------------------------------- */

static const pn_pb_field entry_fields[] = {
    PN_PB_ONE(1, "key", PN_PB_STR, pn_onnx_entry, key),
    PN_PB_ONE(2, "value", PN_PB_STR, pn_onnx_entry, value),
};
PN_PB_TABLE(pn_onnx_entry_message, pn_onnx_entry, entry_fields);

static const pn_pb_field segment_fields[] = {
    PN_PB_ONE(1, "begin", PN_PB_I64, pn_onnx_segment, begin),
    PN_PB_ONE(2, "end", PN_PB_I64, pn_onnx_segment, end),
};
static PN_PB_TABLE(segment_message, pn_onnx_segment, segment_fields);

static const pn_pb_field tensor_fields[] = {
    PN_PB_MANY(1, "dims", PN_PB_I64, pn_onnx_tensor, dims),
    PN_PB_ONE(2, "data_type", PN_PB_I32, pn_onnx_tensor, elem),
    PN_PB_SUB(3, "segment", pn_onnx_tensor, segment, segment_message),
    PN_PB_LATER(4, "float_data", PN_PB_F32, pn_onnx_tensor, floats),
    PN_PB_LATER(5, "int32_data", PN_PB_I32, pn_onnx_tensor, int32s),
    PN_PB_MANY(6, "string_data", PN_PB_STR, pn_onnx_tensor, strings),
    PN_PB_LATER(7, "int64_data", PN_PB_I64, pn_onnx_tensor, int64s),
    PN_PB_ONE(8, "name", PN_PB_STR, pn_onnx_tensor, name),
    PN_PB_ONE(9, "raw_data", PN_PB_SPAN, pn_onnx_tensor, raw),
    PN_PB_LATER(10, "double_data", PN_PB_F64, pn_onnx_tensor, doubles),
    PN_PB_LATER(11, "uint64_data", PN_PB_I64, pn_onnx_tensor, uint64s),
    PN_PB_SUBS(13, "external_data", pn_onnx_tensor, external, pn_onnx_entry_message),
    PN_PB_ONE(14, "data_location", PN_PB_I32, pn_onnx_tensor, location),
};
PN_PB_TABLE(pn_onnx_tensor_message, pn_onnx_tensor, tensor_fields);

static const pn_pb_field sparse_tensor_fields[] = {
    PN_PB_SUB(1, "values", pn_onnx_sparse_tensor, values, pn_onnx_tensor_message),
    PN_PB_SUB(2, "indices", pn_onnx_sparse_tensor, indices, pn_onnx_tensor_message),
    PN_PB_MANY(3, "dims", PN_PB_I64, pn_onnx_sparse_tensor, dims),
};
PN_PB_TABLE(pn_onnx_sparse_tensor_message, pn_onnx_sparse_tensor, sparse_tensor_fields);

/* ---- shapes and sizes ------------------------------------------------------------------------------------------ */

/* "2x3x4" for messages; cut where it does not fit. */
static const char *dims_text(const int64_t *dims, uint32_t rank, char *out, size_t out_bytes) {
  size_t at = 0;
  out[0] = 0;
  for (uint32_t i = 0; i < rank && at + 24 < out_bytes; i++)
    at += (size_t)snprintf(out + at, out_bytes - at, "%s%" PRId64, i ? "x" : "", dims[i]);
  return rank ? out : "scalar";
}

static pelton_status count_elements(const int64_t *dims, uint32_t rank, uint64_t *out, pelton_diag *diag) {
  size_t count = 1;
  bool overflow = false, empty = false;
  for (uint32_t i = 0; i < rank; i++) {
    if (dims[i] < 0)
      return pn_fail(diag, PELTON_INVALID_DATA,
                     "dimension %" PRIu32 " is %" PRId64 "; a stored tensor has none below 0", i, dims[i]);
    if (dims[i] == 0)
      empty = true;
    else if (!pn_mul_size(count, (size_t)dims[i], &count))
      overflow = true, count = 1;
  }
  if (overflow && !empty) {
    char text[256];
    return pn_fail(diag, PELTON_INVALID_DATA, "the shape %s has more elements than memory could hold",
                   dims_text(dims, rank, text, sizeof text));
  }
  *out = empty ? 0 : count;
  return PELTON_OK;
}

/* Bytes of |count| packed elements. */
static pelton_status dense_bytes(uint64_t count, uint32_t bits, size_t *out, pelton_diag *diag) {
  uint64_t total_bits;
  if (__builtin_mul_overflow(count, (uint64_t)bits, &total_bits) || total_bits > UINT64_MAX - 7)
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "%" PRIu64 " elements of %" PRIu32 " bits are more than memory could hold", count, bits);
  *out = (size_t)((total_bits + 7) / 8);
  return PELTON_OK;
}

/* |what| holds |have| bytes (or numbers) where |need| are needed for the tensor's shape. */
static pelton_status wrong_size(const pn_onnx_data *d, const char *what, uint64_t have, uint64_t need, const char *unit,
                                pelton_diag *diag) {
  char text[256];
  return pn_fail(diag, PELTON_INVALID_DATA,
                 "%s holds %" PRIu64 " %s where shape %s of %s needs %" PRIu64
                 "; the file is damaged or was written wrongly: export it again",
                 what, have, unit, dims_text(d->dims, d->rank, text, sizeof text), pn_onnx_elem_name(d->elem), need);
}

/* ---- ways of storing elements ---------------------------------------------------------------------------------- */

/* |bytes|, in place when they may be used as they lie, else copied. */
static pelton_status place_bytes(pn_span bytes, size_t align, pn_arena *arena, pn_onnx_data *out, pelton_diag *diag) {
  bool as_is = bytes.size == 0 || (uintptr_t)bytes.data % align == 0;
  if (out->elem == PN_ONNX_BOOL) /* any other byte is true as well, but only 0 and 1 are bools */
    for (size_t i = 0; i < bytes.size && as_is; i++) as_is = bytes.data[i] <= 1;
  out->bytes = bytes;
  if (as_is) return PELTON_OK;
  uint8_t *copy = pn_arena_copy(arena, bytes.data, bytes.size, align);
  if (!copy) return pn_fail_memory(diag, "the elements of a tensor");
  if (out->elem == PN_ONNX_BOOL)
    for (size_t i = 0; i < bytes.size; i++) copy[i] = copy[i] != 0;
  out->bytes.data = copy;
  return PELTON_OK;
}

/* float6 comes as one number an element in int32_data, but packed, four in three bytes, in every other way. */
static void pack_float6(const uint8_t *from, uint64_t count, uint8_t *to) {
  for (uint64_t i = 0; i < count; i++) {
    uint64_t bit = i * 6;
    unsigned value = (unsigned)(from[i] & 63) << (bit % 8);
    to[bit / 8] = (uint8_t)(to[bit / 8] | (value & 255));
    if (value > 255) to[bit / 8 + 1] = (uint8_t)(to[bit / 8 + 1] | value >> 8);
  }
}

/* From elements of 4 and 2 bits, the first in the low ones, to Pelton's, of a byte each. */
static pelton_status unpack(size_t align, pn_arena *arena, pn_onnx_data *out, pelton_diag *diag) {
  uint32_t bits = pn_onnx_elem_bits(out->elem);
  if (bits >= 8 || out->dtype == PELTON_DTYPE_NONE || out->count == 0) return PELTON_OK;
  bool is_signed = out->elem == PN_ONNX_INT4 || out->elem == PN_ONNX_INT2;
  unsigned mask = (1u << bits) - 1, sign = is_signed ? 1u << (bits - 1) : 0;
  uint8_t *data = pn_arena_alloc(arena, (size_t)out->count, align); /* at most four times what the file has */
  if (!data) return pn_fail_memory(diag, "the elements of a tensor");
  for (uint64_t i = 0; i < out->count; i++) {
    unsigned value = (unsigned)out->bytes.data[i * bits / 8] >> (i * bits % 8) & mask;
    data[i] = (uint8_t)((value ^ sign) - sign);
  }
  out->bytes = (pn_span){data, (size_t)out->count};
  return PELTON_OK;
}

/* Numbers of a repeated field, which the element's type picks. */
static pelton_status typed_data(const pn_pb_lazy *lazy, const char *what, size_t align, size_t bytes, pn_arena *arena,
                                pn_onnx_data *out, pelton_diag *diag) {
  uint32_t bits = pn_onnx_elem_bits(out->elem);
  bool complex = out->elem == PN_ONNX_COMPLEX64 || out->elem == PN_ONNX_COMPLEX128, float6 = bits == 6;
  uint64_t have, need = bits < 8 ? bytes : complex ? out->count * 2 : out->count;
  if (float6) need = out->count;
  size_t number_bytes = bits < 8 ? 1 : complex ? bits / 16 : bits / 8;
  PN_TRY(pn_pb_lazy_count(lazy, &have, diag));
  if (have != need) return wrong_size(out, what, have, need, "numbers", diag);
  pn_span view;
  if (pn_pb_lazy_view(lazy, &view)) return place_bytes(view, align, arena, out, diag);
  uint8_t *data = pn_arena_alloc(arena, (size_t)need * number_bytes, align); /* |need| numbers were found in the file */
  if (!data) return pn_fail_memory(diag, "the elements of a tensor");
  PN_TRY(pn_pb_lazy_decode(lazy, number_bytes, need, data, diag));
  out->bytes = (pn_span){data, bytes};
  if (float6) {
    uint8_t *packed = pn_arena_alloc(arena, bytes, align);
    if (!packed) return pn_fail_memory(diag, "the elements of a tensor");
    pack_float6(data, out->count, packed);
    out->bytes.data = packed;
  } else if (out->elem == PN_ONNX_BOOL) {
    for (size_t i = 0; i < bytes; i++) data[i] = data[i] != 0;
  }
  return PELTON_OK;
}

/* ---- external data --------------------------------------------------------------------------------------------- */

void pn_onnx_source_init(pn_onnx_source *source, const char *folder, pn_arena *arena) {
  *source = (pn_onnx_source){.folder = folder, .arena = arena};
  pn_map_init(&source->by_location, arena);
}

void pn_onnx_source_deinit(pn_onnx_source *source) {
  for (uint32_t i = 0; i < source->files.count; i++) pn_file_unmap(&source->files.data[i]);
  source->files.count = 0;
}

/* The file at |location|, mapped at its first use. */
static pelton_status source_file(pn_onnx_source *source, pn_str location, pn_span *out, pelton_diag *diag) {
  uint32_t index;
  if (!pn_map_get(&source->by_location, location, &index)) {
    if (memchr(location.data, 0, location.size))
      return pn_fail(diag, PELTON_INVALID_DATA, "the location of its external data has a zero byte in its name");
    const char *path = pn_str_copy(source->arena, location);
    if (!path || !pn_list_reserve(source->arena, &source->files, 1)) return pn_fail_memory(diag, "a list of files");
    pn_file file;
    PN_TRY(pn_file_map_beneath(source->folder, path, &file, diag));
    index = source->files.count++;
    source->files.data[index] = file;
    if (!pn_map_set(&source->by_location, (pn_str){path, location.size}, index))
      return pn_fail_memory(diag, "a list of files");
  }
  *out = (pn_span){source->files.data[index].data, source->files.data[index].size};
  return PELTON_OK;
}

/* The value of |key| in a tensor's external_data; empty when it is not there. */
static pn_str external_value(const pn_onnx_tensor *tensor, const char *key) {
  for (uint32_t i = 0; i < tensor->external.count; i++)
    if (pn_str_is(tensor->external.data[i].key, key)) return tensor->external.data[i].value;
  return (pn_str){"", 0};
}

static pelton_status external_number(const pn_onnx_tensor *tensor, const char *key, int64_t fallback, int64_t *out,
                                     pelton_diag *diag) {
  pn_str text = external_value(tensor, key);
  *out = fallback;
  if (!text.size) return PELTON_OK;
  if (!pn_str_to_i64(text, out) || *out < 0)
    return pn_fail(diag, PELTON_INVALID_DATA, "the %s of its external data is \"%.*s\", not a number of bytes", key,
                   PN_STR_ARG(text));
  return PELTON_OK;
}

static pelton_status external_bytes(const pn_onnx_tensor *tensor, pn_onnx_source *source, size_t need, pn_onnx_data *d,
                                    pn_span *out, pelton_diag *diag) {
  pn_str location = external_value(tensor, "location");
  if (!location.size) return pn_fail(diag, PELTON_INVALID_DATA, "its data are external, but no location is given");
  if (!source || !source->folder)
    return pn_fail(
        diag, PELTON_INVALID_DATA,
        "its data are in the file \"%.*s\", which cannot be found because the model has no folder: open the model "
        "by its path",
        PN_STR_ARG(location));
  int64_t offset = 0, length = 0;
  PN_TRY(external_number(tensor, "offset", 0, &offset, diag));
  PN_TRY(external_number(tensor, "length", (int64_t)need, &length, diag));
  if ((uint64_t)length != need) return wrong_size(d, "its external data", (uint64_t)length, need, "bytes", diag);
  pn_span file = {NULL, 0};
  PN_TRY(source_file(source, location, &file, diag));
  if ((uint64_t)offset > file.size || need > file.size - (uint64_t)offset)
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "its %zu bytes at offset %" PRId64
                   " run past the end of \"%.*s\", which has %zu bytes; fetch a complete copy "
                   "of that file",
                   need, offset, PN_STR_ARG(location), file.size);
  *out = need ? (pn_span){file.data + offset, need} : (pn_span){NULL, 0};
  return PELTON_OK;
}

/* ---- elements -------------------------------------------------------------------------------------------------- */

static const pn_pb_lazy *lazy_of(const pn_onnx_tensor *tensor, field_of_elem field) {
  switch (field) {
  case IN_FLOATS: return &tensor->floats;
  case IN_INT32S: return &tensor->int32s;
  case IN_INT64S: return &tensor->int64s;
  case IN_DOUBLES: return &tensor->doubles;
  case IN_UINT64S: return &tensor->uint64s;
  case IN_NONE:
  case IN_STRINGS: break;
  }
  return NULL;
}

static pelton_status find_data(const pn_onnx_tensor *tensor, pn_onnx_source *source, size_t align, pn_arena *arena,
                               pn_onnx_data *out, pelton_diag *diag) {
  static const char *const field_names[] = {
      "", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data"};
  const elem_facts *facts = facts_of(tensor->elem);
  if (facts->field == IN_NONE)
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "its data_type is %" PRId32 ", which is no element type of ONNX (1 to %d)", tensor->elem,
                   PN_ONNX_ELEM_COUNT - 1);
  if (tensor->segment)
    return pn_fail(diag, PELTON_UNSUPPORTED, "it is stored in segments; save the model with whole tensors");
  PN_TRY(count_elements(out->dims, out->rank, &out->count, diag));
  if (facts->field == IN_STRINGS) {
    if (tensor->strings.count != out->count)
      return wrong_size(out, "string_data", tensor->strings.count, out->count, "strings", diag);
    out->strings = tensor->strings.data;
    return PELTON_OK;
  }
  size_t bytes = 0;
  PN_TRY(dense_bytes(out->count, facts->bits, &bytes, diag));
  if (align == 0) align = facts->bits < 16 ? 1 : facts->bits > 64 ? 8 : facts->bits / 8;
  if (facts->field == IN_FLOATS && align > 4 && tensor->elem == PN_ONNX_COMPLEX64) align = 4;
  pn_span raw = tensor->raw;
  const pn_pb_lazy *lazy = lazy_of(tensor, (field_of_elem)facts->field);
  if (tensor->location == 1) {
    PN_TRY(external_bytes(tensor, source, bytes, out, &raw, diag));
  } else if (tensor->location != 0) {
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "its data_location is %" PRId32 "; known are 0 (in the file) and 1 (external)", tensor->location);
  } else if (lazy->field && !raw.size) {
    PN_TRY(typed_data(lazy, field_names[facts->field], align, bytes, arena, out, diag));
    return unpack(align, arena, out, diag);
  } else if (raw.size != bytes) {
    const char *what = raw.data ? "raw_data" : field_names[facts->field];
    return wrong_size(out, what, raw.size, bytes, "bytes", diag);
  }
  PN_TRY(place_bytes(raw, align, arena, out, diag));
  return unpack(align, arena, out, diag);
}

pelton_status pn_onnx_tensor_data(const pn_onnx_tensor *tensor, pn_onnx_source *source, size_t align, pn_arena *arena,
                                  pn_onnx_data *out, pelton_diag *diag) {
  uint32_t mark = pn_diag_mark(diag);
  *out = (pn_onnx_data){.elem = tensor->elem,
                        .dtype = pn_onnx_elem_dtype(tensor->elem),
                        .rank = tensor->dims.count,
                        .dims = tensor->dims.data};
  pelton_status status = find_data(tensor, source, align, arena, out, diag);
  if (status && tensor->name.size)
    pn_diag_prefix(diag, mark, "tensor \"%.*s\"", PN_STR_ARG(tensor->name));
  else if (status)
    pn_diag_prefix(diag, mark, "tensor without a name");
  return status;
}

/* ---- sparse tensors -------------------------------------------------------------------------------------------- */

/* A few bytes can ask for any amount of zeros, so that the file's size is no bound here. */
enum { MAX_DENSE_BYTES = 1 << 30 };

/* The flat place of the |i|-th value; false when its index lies outside of the shape. */
static bool flat_index(const pn_onnx_data *indices, uint64_t i, const pn_onnx_data *dense, uint64_t *out) {
  uint64_t flat = 0;
  uint32_t columns = indices->rank == 2 ? dense->rank : 1;
  for (uint32_t k = 0; k < columns; k++) {
    int64_t limit = indices->rank == 2 ? dense->dims[k] : (int64_t)dense->count;
    int64_t index = (int64_t)pn_load_u64(indices->bytes.data + (i * columns + k) * 8);
    if (index < 0 || index >= limit) return false;
    flat = flat * (uint64_t)limit + (uint64_t)index;
  }
  *out = flat;
  return true;
}

static pelton_status scatter(const pn_onnx_data *values, const pn_onnx_data *indices, pn_arena *arena,
                             pn_onnx_data *dense, pelton_diag *diag) {
  bool flat = indices->rank == 1 && indices->dims[0] == values->dims[0];
  bool rows = indices->rank == 2 && indices->dims[0] == values->dims[0] && indices->dims[1] == (int64_t)dense->rank;
  if (indices->elem != PN_ONNX_INT64 || !(flat || rows))
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "its indices must be int64 of shape [%" PRId64 "] or [%" PRId64 ", %" PRIu32 "]", values->dims[0],
                   values->dims[0], dense->rank);
  size_t bytes = 0, element_bytes = pn_onnx_elem_bits(dense->elem) / 8;
  PN_TRY(dense_bytes(dense->count, (uint32_t)element_bytes * 8, &bytes, diag));
  if (bytes > MAX_DENSE_BYTES)
    return pn_fail(diag, PELTON_UNSUPPORTED, "it would take %zu bytes as a dense tensor; at most %zu are supported",
                   bytes, (size_t)MAX_DENSE_BYTES);
  uint8_t *data = pn_arena_alloc(arena, bytes, element_bytes > 8 ? 8 : element_bytes);
  if (!data) return pn_fail_memory(diag, "a dense copy of a sparse tensor");
  dense->bytes = (pn_span){data, bytes};
  for (uint64_t i = 0; i < values->count; i++) {
    uint64_t at;
    if (!flat_index(indices, i, dense, &at))
      return pn_fail(diag, PELTON_INVALID_DATA, "index %" PRIu64 " of its indices lies outside of its shape", i);
    memcpy(data + at * element_bytes, values->bytes.data + i * element_bytes, element_bytes);
  }
  return PELTON_OK;
}

pelton_status pn_onnx_sparse_tensor_data(const pn_onnx_sparse_tensor *sparse, pn_onnx_source *source, pn_arena *arena,
                                         pn_onnx_data *out, pelton_diag *diag) {
  *out = (pn_onnx_data){.rank = sparse->dims.count, .dims = sparse->dims.data};
  if (!sparse->values || !sparse->indices)
    return pn_fail(diag, PELTON_INVALID_DATA, "a sparse tensor has no %s", sparse->values ? "indices" : "values");
  uint32_t mark = pn_diag_mark(diag);
  pn_onnx_data values, indices;
  PN_TRY(pn_onnx_tensor_data(sparse->values, source, 1, arena, &values, diag));
  PN_TRY(pn_onnx_tensor_data(sparse->indices, source, 1, arena, &indices, diag));
  out->elem = values.elem;
  out->dtype = values.dtype;
  pelton_status status = count_elements(out->dims, out->rank, &out->count, diag);
  if (!status && (pn_onnx_elem_bits(values.elem) < 8 || values.rank != 1))
    status = pn_fail(diag, PELTON_UNSUPPORTED,
                     "its values must be a list of elements of whole bytes, not %s of rank %" PRIu32,
                     pn_onnx_elem_name(values.elem), values.rank);
  if (!status && out->count > INT64_MAX / 16)
    status = pn_fail(diag, PELTON_INVALID_DATA, "it has more elements than memory could hold");
  if (!status) status = scatter(&values, &indices, arena, out, diag);
  if (status) pn_diag_prefix(diag, mark, "sparse tensor \"%.*s\"", PN_STR_ARG(sparse->values->name));
  return status;
}
