#define _POSIX_C_SOURCE 200809L
#include "data/npy.h"

#include "data/files.h"
#include "data/npy_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *descr; /* without the byte order */
  pelton_dtype dtype;
} types[] = {{"f4", PELTON_DTYPE_F32}, {"f2", PELTON_DTYPE_F16}, {"V2", PELTON_DTYPE_BF16}, {"f8", PELTON_DTYPE_F64},
             {"i1", PELTON_DTYPE_I8},  {"u1", PELTON_DTYPE_U8},  {"i2", PELTON_DTYPE_I16},  {"u2", PELTON_DTYPE_U16},
             {"i4", PELTON_DTYPE_I32}, {"u4", PELTON_DTYPE_U32}, {"i8", PELTON_DTYPE_I64},  {"u8", PELTON_DTYPE_U64},
             {"b1", PELTON_DTYPE_BOOL}};
enum { TYPES = sizeof types / sizeof types[0] };

static bool fail(char *reason, const char *path, const char *why, ...) PRINTF_LIKE(3, 4);

static bool fail(char *reason, const char *path, const char *why, ...) {
  char text[160];
  va_list arguments;
  va_start(arguments, why);
  vsnprintf(text, sizeof text, why, arguments);
  va_end(arguments);
  snprintf(reason, 256, "%.90s: %s", path, text);
  return false;
}

/* What follows |key| in the header, which is a Python dictionary such as
   {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), } */
static const char *find_value(const char *header, const char *key) {
  const char *at = strstr(header, key);
  if (!at) return NULL;
  at += strlen(key);
  at += strspn(at, "'\" ");
  if (*at != ':') return NULL;
  return at + 1 + strspn(at + 1, " ");
}

static bool read_shape(const char *text, pelton_shape *out) {
  out->rank = 0;
  if (!text || *text != '(') return false;
  for (text++;;) {
    text += strspn(text, " ,");
    if (*text == ')') return true;
    char *end;
    errno = 0;
    const long long dim = strtoll(text, &end, 10);
    if (errno || end == text || dim < 0 || out->rank == PELTON_MAX_RANK) return false;
    out->dims[out->rank++] = dim;
    text = end + (*end == 'L');
  }
}

/* From the first dim fastest to the last dim fastest. */
static bool reorder(pelton_tensor *t) {
  pelton_tensor out;
  const size_t size = pelton_dtype_bytes(t->dtype), count = tensor_count(&t->shape);
  if (!tensor_create(&out, t->dtype, &t->shape)) return false;
  int64_t index[PELTON_MAX_RANK] = {0};
  for (size_t to = 0; to < count; to++) {
    size_t from = 0;
    for (uint32_t d = t->shape.rank; d-- > 0;) from = from * (size_t)t->shape.dims[d] + (size_t)index[d];
    memcpy((char *)out.data + to * size, (const char *)t->data + from * size, size);
    for (uint32_t d = t->shape.rank; d-- > 0;) {
      if (++index[d] < t->shape.dims[d]) break;
      index[d] = 0;
    }
  }
  if (t->dtype == PELTON_DTYPE_STRING) { /* its elements point into what goes */
    pelton_tensor whole;
    const bool copied = tensor_copy(&whole, &out);
    tensor_release(&out);
    if (!copied) return false;
    out = whole;
  }
  tensor_release(t);
  *t = out;
  return true;
}

static void swap_bytes(pelton_tensor *t) {
  const size_t size = pelton_dtype_bytes(t->dtype);
  uint8_t *bytes = t->data;
  for (size_t at = 0; at + size <= t->bytes; at += size) {
    for (size_t i = 0; i < size / 2; i++) {
      const uint8_t other = bytes[at + i];
      bytes[at + i] = bytes[at + size - 1 - i];
      bytes[at + size - 1 - i] = other;
    }
  }
}

static bool parse(const char *path, const file_bytes *file, pelton_tensor *out, char *reason) {
  const uint8_t *b = file->data;
  if (file->size < 12 || memcmp(b, "\x93NUMPY", 6) != 0) return fail(reason, path, "this is no .npy file");
  if (b[6] < 1 || b[6] > 3) return fail(reason, path, "version %d of .npy is not known", b[6]);
  const size_t start = b[6] == 1 ? 10 : 12;
  const size_t header_bytes = b[6] == 1 ? (size_t)b[8] | (size_t)b[9] << 8
                                        : (size_t)b[8] | (size_t)b[9] << 8 | (size_t)b[10] << 16 | (size_t)b[11] << 24;
  if (header_bytes > file->size - start) return fail(reason, path, "its header is cut off");
  char *header = memory_new(header_bytes + 1, 1);
  memcpy(header, b + start, header_bytes);
  const char *descr = find_value(header, "descr"), *order = find_value(header, "fortran_order");
  pelton_shape shape;
  pelton_dtype dtype = PELTON_DTYPE_NONE;
  char name[16] = "";
  if (descr && (*descr == '\'' || *descr == '"'))
    snprintf(name, sizeof name, "%.*s", (int)strcspn(descr + 1, "'\""), descr + 1);
  for (size_t i = 0; i < TYPES; i++)
    if (*name && !strcmp(name + 1, types[i].descr)) dtype = types[i].dtype;
  const bool known_shape = read_shape(find_value(header, "shape"), &shape), fortran = order && *order == 'T';
  free(header);
  size_t cell = 0, unit = 1;
  if (*name && npy_text_cell(name + 1, &cell, &unit)) dtype = PELTON_DTYPE_STRING;
  if (dtype == PELTON_DTYPE_NONE) return fail(reason, path, "its type '%s' is none that Pelton has", name);
  if (!known_shape) return fail(reason, path, "its shape is missing, or has more than %d dims", PELTON_MAX_RANK);
  const size_t left = file->size - start - header_bytes;
  /* Checked against the file before any memory is taken. */
  uint64_t bytes = dtype == PELTON_DTYPE_STRING ? cell * unit : pelton_dtype_bytes(dtype);
  bool empty = false;
  if (bytes == 0) return fail(reason, path, "its texts have no length: '%s'", name);
  for (uint32_t d = 0; d < shape.rank; d++) empty |= shape.dims[d] == 0;
  for (uint32_t d = 0; d < shape.rank && !empty && bytes <= left; d++)
    bytes = (uint64_t)shape.dims[d] > left / bytes ? UINT64_MAX : bytes * (uint64_t)shape.dims[d];
  if (!empty && bytes > left) return fail(reason, path, "it is too short for its shape %s", format_shape(&shape).text);
  const bool texts = dtype == PELTON_DTYPE_STRING;
  if (texts ? !npy_texts_read(b + start + header_bytes, &shape, cell, unit, name[0] == '>', out)
            : !tensor_create(out, dtype, &shape))
    return fail(reason, path, "its shape %s is too large", format_shape(&shape).text);
  if (texts) return !fortran || shape.rank < 2 || reorder(out) || fail(reason, path, "its shape is too large");
  memcpy(out->data, b + start + header_bytes, out->bytes);
  if (name[0] == '>') swap_bytes(out);
  return !fortran || shape.rank < 2 || reorder(out) || fail(reason, path, "its shape is too large");
}

bool npy_read(const char *path, pelton_tensor *out, char *reason) {
  file_bytes file;
  if (!file_read(path, &file, reason)) return false;
  const bool ok = parse(path, &file, out, reason);
  free(file.data);
  return ok;
}

bool npy_write(const char *path, const pelton_tensor *t, char *reason) {
  const bool is_signed = t->dtype == PELTON_DTYPE_I4 || t->dtype == PELTON_DTYPE_I2;
  const char *descr = is_signed ? "i1" : "u1"; /* of the types that are not in the table */
  for (size_t i = 0; i < TYPES; i++)
    if (types[i].dtype == t->dtype) descr = types[i].descr;
  char header[512], shape[256] = "", cells[32];
  const bool texts = t->dtype == PELTON_DTYPE_STRING;
  const size_t cell = texts ? npy_texts_longest(t) : 0;
  if (texts) {
    snprintf(cells, sizeof cells, "U%zu", cell);
    descr = cells;
  }
  size_t n = 0;
  for (uint32_t d = 0; d < t->shape.rank; d++)
    n += (size_t)snprintf(shape + n, sizeof shape - n, "%lld,%s", (long long)t->shape.dims[d],
                          d + 1 < t->shape.rank ? " " : "");
  if (t->shape.rank > 1) shape[n - 1] = 0; /* (1, 3) but (1,) */
  const char order = pelton_dtype_bytes(t->dtype) == 1 || t->dtype == PELTON_DTYPE_BF16 ? '|' : '<';
  int size = snprintf(header, sizeof header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }", order, descr,
                      shape);
  while ((10 + size + 1) % 64) header[size++] = ' '; /* the elements start at a multiple of 64 */
  header[size++] = '\n';
  const uint8_t start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)(size & 255), (uint8_t)(size >> 8)};
  const size_t bytes = tensor_count(&t->shape) * pelton_dtype_bytes(t->dtype);
  FILE *file = fopen(path, "wb");
  if (!file) return fail(reason, path, "%s", strerror(errno));
  bool ok =
      fwrite(start, 1, sizeof start, file) == sizeof start && fwrite(header, 1, (size_t)size, file) == (size_t)size;
  ok = ok && (texts ? npy_texts_write(file, t, cell) : fwrite(t->data, 1, bytes, file) == bytes);
  ok = (fclose(file) == 0) && ok;
  return ok || fail(reason, path, "%s", strerror(errno));
}
