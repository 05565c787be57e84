/* Elements of constants as text. Printing asks of every float whether its text would read back to the same bits; the
   answer is no only for a nan that is not the one that "nan" reads as, and then the whole constant prints as hex. */
#include "ir/elements.h"

#include "base/format.h"
#include "op/text/strings.h"

#include <math.h>

static const char hex_digits[] = "0123456789abcdef";

/* ---- one element ----------------------------------------------------------------------------------------------- */

static void print_f64(pn_text *out, double value) {
  char text[40];
  if (isnan(value) || isinf(value)) {
    pn_text_add(out, isnan(value) ? PN_STR("nan") : value > 0 ? PN_STR("inf") : PN_STR("-inf"));
    return;
  }
  for (int digits = 15; digits <= 17; digits++) {
    pn_formatf(text, sizeof text, "%.*g", digits, value);
    if (pn_parse_f64(text, NULL) == value) break;
  }
  pn_text_add(out, pn_str_from(text));
}

static void print_element(pelton_dtype dtype, const pn_tensor *tensor, int64_t i, pn_text *out) {
  switch (dtype) {
    case PELTON_DTYPE_F32:
    case PELTON_DTYPE_F16:
    case PELTON_DTYPE_BF16: pn_text_f32(out, (float)pn_tensor_get_f64(tensor, i)); break;
    case PELTON_DTYPE_F64: print_f64(out, pn_tensor_get_f64(tensor, i)); break;
    case PELTON_DTYPE_BOOL: pn_text_add(out, pn_tensor_get_i64(tensor, i) ? PN_STR("true") : PN_STR("false")); break;
    case PELTON_DTYPE_U64: pn_text_printf(out, "%llu", (unsigned long long)pn_tensor_get_i64(tensor, i)); break;
    case PELTON_DTYPE_F8E4M3FN: case PELTON_DTYPE_F8E4M3FNUZ: case PELTON_DTYPE_F8E5M2: case PELTON_DTYPE_F8E5M2FNUZ:
    case PELTON_DTYPE_F8E8M0:
    case PELTON_DTYPE_F4E2M1: pn_text_f32(out, (float)pn_tensor_get_f64(tensor, i)); break;
    default: pn_text_printf(out, "%lld", (long long)pn_tensor_get_i64(tensor, i)); break;
  }
}

static bool parse_float(pelton_dtype dtype, pn_str word, pn_tensor *tensor, int64_t i) {
  double value;
  if (!pn_str_to_f64(word, &value)) return false;
  if (dtype == PELTON_DTYPE_F32 && isfinite(value)) { /* read as a float: going through double would round twice */
    char text[512];
    if (word.size >= sizeof text) return false;
    memcpy(text, word.data, word.size);
    text[word.size] = 0;
    const float single = pn_parse_f32(text, NULL);
    if (isinf(single)) return false;
    memcpy((char *)tensor->data + i * 4, &single, 4);
    return true;
  }
  pn_tensor_set_f64(tensor, i, value);
  const double stored = pn_tensor_get_f64(tensor, i); /* low floats saturate, and most have no infinity */
  if (pn_dtype_is_low_float(dtype) && isfinite(value) && fabs(value) > pn_low_float_max(dtype)) return false;
  return isnan(value) ? isnan(stored) : isinf(value) ? isinf(stored) : isfinite(stored);
}

static bool parse_u64(pn_str word, uint64_t *out) {
  uint64_t value = 0;
  if (word.size == 0) return false;
  for (size_t i = 0; i < word.size; i++) {
    if (word.data[i] < '0' || word.data[i] > '9') return false;
    const uint64_t digit = (uint64_t)(word.data[i] - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *out = value;
  return true;
}

static bool parse_element(pelton_dtype dtype, pn_str word, pn_tensor *tensor, int64_t i) {
  if (pn_dtype_is_float(dtype)) return parse_float(dtype, word, tensor, i);
  int64_t value;
  if (dtype == PELTON_DTYPE_BOOL && pn_str_is(word, "true")) value = 1;
  else if (dtype == PELTON_DTYPE_BOOL && pn_str_is(word, "false")) value = 0;
  else if (dtype == PELTON_DTYPE_U64) {
    uint64_t wide;
    if (!parse_u64(word, &wide)) return false;
    memcpy((char *)tensor->data + i * 8, &wide, 8);
    return true;
  } else if (!pn_str_to_i64(word, &value)) {
    return false;
  }
  if (dtype == PELTON_DTYPE_BOOL && value != 0 && value != 1) return false;
  pn_tensor_set_i64(tensor, i, value);
  return pn_tensor_get_i64(tensor, i) == value;
}

/* ---- printing -------------------------------------------------------------------------------------------------- */

/* Whether "nan" (or "true", or a value in the low bits of a byte) would read back as these very bits. */
static bool element_reads_back(pelton_dtype dtype, const pn_tensor *tensor, int64_t i) {
  const size_t bytes = pelton_dtype_bytes(dtype);
  const uint8_t *element = (const uint8_t *)tensor->data + (size_t)i * bytes;
  if (dtype == PELTON_DTYPE_BOOL) return *element <= 1;
  uint64_t storage = 0;
  pn_tensor plain = {.dtype = dtype, .data = &storage};
  if (pn_dtype_bits(dtype) < 8) {
    if (pn_dtype_is_float(dtype)) pn_tensor_set_f64(&plain, 0, pn_tensor_get_f64(tensor, i));
    else pn_tensor_set_i64(&plain, 0, pn_tensor_get_i64(tensor, i));
    return !memcmp(element, &storage, bytes);
  }
  if (!pn_dtype_is_float(dtype) || !isnan(pn_tensor_get_f64(tensor, i))) return true;
  return parse_float(dtype, PN_STR("nan"), &plain, 0) && !memcmp(element, &storage, bytes);
}

static void print_hex(const uint8_t *data, size_t bytes, pn_text *out) {
  char text[128];
  pn_text_add(out, PN_STR("0x"));
  for (size_t done = 0; done < bytes;) {
    size_t length = 0;
    for (; done < bytes && length < sizeof text; done++) {
      text[length++] = hex_digits[data[done] >> 4];
      text[length++] = hex_digits[data[done] & 15];
    }
    pn_text_add(out, (pn_str){text, length});
  }
}

static void print_strings(const pelton_string *texts, size_t count, pn_text *out) {
  pn_text_add(out, PN_STR("["));
  for (size_t i = 0; i < count; i++) {
    if (i > 0) pn_text_add(out, PN_STR(", "));
    pn_text_quoted(out, pn_string_str(texts[i]));
  }
  pn_text_add(out, PN_STR("]"));
}

void pn_elements_print(pelton_dtype dtype, const void *data, size_t bytes, pn_text *out) {
  if (dtype == PELTON_DTYPE_STRING) {
    print_strings(data, bytes / sizeof(pelton_string), out);
    return;
  }
  const size_t element_bytes = pelton_dtype_bytes(dtype);
  const size_t count = element_bytes ? bytes / element_bytes : 0;
  uint64_t storage[PN_ELEMENTS_LIST]; /* a copy, aligned whatever the file's mapping is */
  pn_tensor tensor = {.dtype = dtype, .data = storage};
  bool list = element_bytes > 0 && count <= PN_ELEMENTS_LIST && count * element_bytes == bytes;
  if (list && bytes > 0) memcpy(storage, data, bytes);
  for (size_t i = 0; list && i < count; i++) list = element_reads_back(dtype, &tensor, (int64_t)i);
  if (!list) {
    print_hex(data, bytes, out);
    return;
  }
  pn_text_add(out, PN_STR("["));
  for (size_t i = 0; i < count; i++) {
    if (i > 0) pn_text_add(out, PN_STR(", "));
    print_element(dtype, &tensor, (int64_t)i, out);
  }
  pn_text_add(out, PN_STR("]"));
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static void advance(pn_str *text, size_t bytes) {
  text->data += bytes;
  text->size -= bytes;
}

static void skip_space(pn_str *text) {
  while (text->size > 0 && (*text->data == ' ' || *text->data == '\t' || *text->data == '\r' || *text->data == '\n'))
    advance(text, 1);
}

static pelton_status parse_hex(pelton_dtype dtype, int64_t count, pn_str *text, pn_arena *arena, const void **out,
                               pelton_diag *diag) {
  const size_t bytes = (size_t)count * pelton_dtype_bytes(dtype);
  size_t digits = 0;
  advance(text, 2);
  while (digits < text->size && hex_value(text->data[digits]) >= 0) digits++;
  if (digits % 2 != 0 || digits / 2 != bytes)
    return pn_fail(diag, PELTON_INVALID_DATA, "expected %zu hex digits for %lld elements of %s, found %zu", bytes * 2,
                   (long long)count, pelton_dtype_name(dtype), digits);
  uint8_t *data = pn_arena_alloc(arena, bytes, 64);
  if (!data) return pn_fail_memory(diag, "a constant");
  for (size_t i = 0; i < bytes; i++)
    data[i] = (uint8_t)(hex_value(text->data[2 * i]) * 16 + hex_value(text->data[2 * i + 1]));
  advance(text, digits);
  *out = data;
  return PELTON_OK;
}

static pn_str next_word(pn_str text) {
  size_t length = 0;
  while (length < text.size && !strchr(" \t\r\n,[]#", text.data[length])) length++;
  return (pn_str){text.data, length};
}

/* One element at the front of |text|. */
static pelton_status parse_front(pelton_dtype dtype, pn_str *text, pn_arena *arena, pn_tensor *tensor, int64_t i,
                                 pelton_diag *diag) {
  if (dtype == PELTON_DTYPE_STRING) {
    const char *wanted;
    pn_str s;
    const pelton_status status = pn_str_unquote(text, arena, &s, &wanted);
    if (status == PELTON_OUT_OF_MEMORY) return pn_fail_memory(diag, "a constant");
    if (status) return pn_fail(diag, status, "expected %s as element %lld of a constant", wanted, (long long)i);
    pn_tensor_strings(tensor)[i] = pn_string_of(s);
    return PELTON_OK;
  }
  const pn_str word = next_word(*text);
  if (!parse_element(dtype, word, tensor, i))
    return pn_fail(diag, PELTON_INVALID_DATA, "'%.*s' is not a %s", PN_STR_ARG(word), pelton_dtype_name(dtype));
  advance(text, word.size);
  return PELTON_OK;
}

static pelton_status parse_list(pelton_dtype dtype, int64_t count, pn_str *text, pn_arena *arena, const void **out,
                                pelton_diag *diag) {
  advance(text, 1);
  if ((uint64_t)count > text->size)
    return pn_fail(diag, PELTON_INVALID_DATA, "the list is shorter than the %lld elements of its type",
                   (long long)count);
  pn_tensor tensor = {.dtype = dtype, .data = pn_arena_alloc(arena, (size_t)count * pelton_dtype_bytes(dtype), 64)};
  if (!tensor.data) return pn_fail_memory(diag, "a constant");
  int64_t i = 0;
  skip_space(text);
  while (text->size > 0 && *text->data != ']') {
    if (i == count)
      return pn_fail(diag, PELTON_INVALID_DATA, "the list is longer than the %lld elements of its type",
                     (long long)count);
    PN_TRY(parse_front(dtype, text, arena, &tensor, i++, diag));
    skip_space(text);
    if (text->size == 0 || *text->data != ',') break;
    advance(text, 1);
    skip_space(text);
  }
  if (text->size == 0 || *text->data != ']')
    return pn_fail(diag, PELTON_INVALID_DATA, "expected ',' or ']' after element %lld of a constant", (long long)i);
  advance(text, 1);
  if (i != count)
    return pn_fail(diag, PELTON_INVALID_DATA, "the list has %lld elements, its type %lld", (long long)i,
                   (long long)count);
  *out = tensor.data;
  return PELTON_OK;
}

pelton_status pn_elements_parse(pelton_dtype dtype, int64_t count, pn_str *text, pn_arena *arena, const void **out,
                                pelton_diag *diag) {
  if (pn_str_starts(*text, "0x") && dtype != PELTON_DTYPE_STRING)
    return parse_hex(dtype, count, text, arena, out, diag);
  if (pn_str_starts(*text, "[")) return parse_list(dtype, count, text, arena, out, diag);
  return pn_fail(diag, PELTON_INVALID_DATA, "expected '[1, 2, ...]', '0x...' or 'random(seed)' after const");
}

/* ---- random ---------------------------------------------------------------------------------------------------- */

/* splitmix64 */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void pn_elements_random(pelton_dtype dtype, int64_t count, uint64_t seed, void *out) {
  pn_tensor tensor = {.dtype = dtype, .data = out};
  uint64_t state = seed;
  for (int64_t i = 0; i < count; i++) {
    int64_t sum = 0; /* of twelve numbers of 20 bits: exact, so that no machine's libm shows */
    for (int k = 0; k < 4; k++) {
      const uint64_t bits = next_random(&state);
      sum += (int64_t)(bits & 0xfffff) + (int64_t)((bits >> 20) & 0xfffff) + (int64_t)((bits >> 40) & 0xfffff);
    }
    const int64_t centered = sum - 6 * 0xfffff;
    if (pn_dtype_is_float(dtype)) pn_tensor_set_f64(&tensor, i, (double)centered / 1048576.0);
    else if (dtype == PELTON_DTYPE_BOOL) pn_tensor_set_i64(&tensor, i, centered > 0);
    else if (pn_dtype_is_signed(dtype)) pn_tensor_set_i64(&tensor, i, centered / 65536);
    else pn_tensor_set_i64(&tensor, i, (centered < 0 ? -centered : centered) / 65536);
  }
}
