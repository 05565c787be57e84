/* The diagnostic sink: messages one after another in the caller's fixed buffer. Nothing here allocates, so that a
   reason can be given when memory is out. */
#include "base/diag.h"

#include "base/format.h"

#include <stdbool.h>
#include <string.h>

/* One message may not eat the room of the others: an importer lists up to 64 unsupported nodes. */
enum { MESSAGE_BYTES = 2048, PREFIX_BYTES = 512 };

void pelton_diag_init(pelton_diag *diag) {
  if (!diag) return;
  memset(diag, 0, sizeof *diag);
  diag->size = (uint32_t)sizeof *diag;
}

const char *pelton_diag_message(const pelton_diag *diag, uint32_t index) {
  if (!diag || index >= diag->count || index >= PELTON_DIAG_ENTRIES) return "";
  uint32_t offset = diag->offset[index];
  return offset < PELTON_DIAG_TEXT_BYTES ? diag->text + offset : "";
}

/* Bytes of |text|, at most |limit|, that end on a UTF-8 character. */
static size_t character_cut(const char *text, size_t limit) {
  while (limit > 0 && ((unsigned char)text[limit] & 0xc0) == 0x80) limit--;
  return limit;
}

/* Names in messages come out of files: a control character must not reach anybody's terminal. */
static void control_characters_mask(char *text) {
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) *text = '?';
  }
}

/* Formats into |out|, marking a cut with "..."; gives the length. */
static size_t message_format(char *out, size_t out_bytes, const char *format, va_list arguments) PN_PRINTF(3, 0);
static size_t message_format(char *out, size_t out_bytes, const char *format, va_list arguments) {
  int length = pn_format(out, out_bytes, format, arguments);
  if (length < 0) { /* an encoding error: the format alone still says where it came from */
    length = pn_formatf(out, out_bytes, "%s", format);
    if (length < 0) return out[0] = 0, (size_t)0;
  }
  if ((size_t)length >= out_bytes) {
    length = (int)character_cut(out, out_bytes - 4);
    memcpy(out + length, "...", 4);
    length += 3;
  }
  control_characters_mask(out);
  return (size_t)length;
}

pelton_status pn_failv(pelton_diag *diag, pelton_status status, const char *format, va_list arguments) {
  if (!diag) return status;
  size_t room = PELTON_DIAG_TEXT_BYTES - diag->used_bytes;
  if (diag->count >= PELTON_DIAG_ENTRIES || room < 64) {
    diag->dropped++;
    return status;
  }
  char *text = diag->text + diag->used_bytes;
  size_t length = message_format(text, room < MESSAGE_BYTES ? room : MESSAGE_BYTES, format, arguments);
  diag->offset[diag->count] = diag->used_bytes;
  diag->status[diag->count] = (uint8_t)status;
  diag->count++;
  diag->used_bytes += (uint32_t)length + 1;
  return status;
}

pelton_status pn_fail(pelton_diag *diag, pelton_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  pn_failv(diag, status, format, arguments);
  va_end(arguments);
  return status;
}

pelton_status pn_fail_memory(pelton_diag *diag, const char *what) {
  return pn_fail(diag, PELTON_OUT_OF_MEMORY, "out of memory while making %s", what);
}

static void last_entry_drop(pelton_diag *diag) {
  diag->count--;
  diag->used_bytes = diag->offset[diag->count];
  diag->dropped++;
}

/* Makes room for |prefix_bytes| in front of entries first_entry... by dropping the last ones, or by cutting the text
   of a single one. False when not even that helps. */
static bool prefix_room(pelton_diag *diag, uint32_t first_entry, size_t prefix_bytes) {
  for (;;) {
    size_t added = prefix_bytes * (diag->count - first_entry);
    if (diag->used_bytes + added <= PELTON_DIAG_TEXT_BYTES) return true;
    if (diag->count == first_entry + 1) break;
    last_entry_drop(diag);
  }
  char *text = diag->text + diag->offset[first_entry];
  size_t room = PELTON_DIAG_TEXT_BYTES - diag->offset[first_entry];
  if (room < prefix_bytes + 1) return false;
  size_t length = character_cut(text, room - prefix_bytes - 1);
  text[length] = 0;
  diag->used_bytes = diag->offset[first_entry] + (uint32_t)length + 1;
  return true;
}

void pn_diag_prefix(pelton_diag *diag, uint32_t first_entry, const char *format, ...) {
  if (!diag || first_entry >= diag->count) return;
  char prefix[PREFIX_BYTES + 2];
  va_list arguments;
  va_start(arguments, format);
  size_t prefix_bytes = message_format(prefix, PREFIX_BYTES, format, arguments);
  va_end(arguments);
  memcpy(prefix + prefix_bytes, ": ", 2);
  prefix_bytes += 2;
  if (!prefix_room(diag, first_entry, prefix_bytes)) return;

  /* From the last to the first, so that no text is overwritten before it has moved. */
  uint32_t end = diag->used_bytes;
  for (uint32_t i = diag->count; i-- > first_entry;) {
    uint32_t begin = diag->offset[i];
    uint32_t moved = begin + (uint32_t)prefix_bytes * (i - first_entry);
    memmove(diag->text + moved + prefix_bytes, diag->text + begin, end - begin);
    memcpy(diag->text + moved, prefix, prefix_bytes);
    diag->offset[i] = moved;
    end = begin;
  }
  diag->used_bytes += (uint32_t)prefix_bytes * (diag->count - first_entry);
}

void pn_diag_rewind(pelton_diag *diag, uint32_t first_entry) {
  if (!diag || first_entry >= diag->count) return;
  diag->count = first_entry;
  diag->used_bytes = diag->offset[first_entry];
}
