/* What a kernel is compiled to, as engine files name it: "sm_89" is machine code for a generation of devices, "sm_90a"
   for one kind alone, "compute_100" PTX, which the driver translates for what is newer too. */
#include "targets/cuda/programs.h"

#include <stdio.h>
#include <string.h>

/* ---- which runs where
 * ------------------------------------------------------------------------------------------------
 */

/* The number of "sm_89" or "compute_100"; 0 for "sm_90a" and whatever else. */
static int capability_of(pn_str form, bool *text) {
  *text = pn_str_starts(form, "compute_");
  int number = 0;
  size_t i = *text ? strlen("compute_") : strlen("sm_");
  if (!*text && !pn_str_starts(form, "sm_")) return 0;
  for (; i < form.size; i++) {
    if (form.data[i] < '0' || form.data[i] > '9' || number > 999) return 0;
    number = number * 10 + (form.data[i] - '0');
  }
  return number;
}

/* From 90 on kernels are launched before the one in front has ended, and wait for it themselves (device.cuh); PTX for
   less does not wait. */
static bool waits_alike(int text, int capability) { return (text >= 90) == (capability >= 90); }

int pn_cuda_form_rank(const pn_device *device, pn_str form) {
  enum { OWN = 3000, CODE = 2000 };
  bool text;
  const int number = capability_of(form, &text), capability = device->capability;
  if (pn_str_is(form, device->form)) return OWN;
  if (device->lowered || !number || number > capability) return 0;
  if (!text) return number / 10 == capability / 10 ? CODE + number : 0;
  return waits_alike(number, capability) ? number : 0;
}

void pn_cuda_form_to_compile(const pn_device *device, const int *known, int count, char *out, size_t room) {
  int best = 0;
  (void)snprintf(out, room, "%s", device->form);
  if (device->lowered) return;
  for (int i = 0; i < count; i++) {
    if (known[i] == device->capability) return;
    if (known[i] < device->capability && known[i] > best && waits_alike(known[i], device->capability)) best = known[i];
  }
  if (best) (void)snprintf(out, room, "compute_%d", best);
}

/* ---- what a file holds
 * -----------------------------------------------------------------------------------------------
 */

/* Whether |count| rows of |row| bytes at |at| lie in |bytes|. */
static bool holds(size_t bytes, uint64_t at, uint64_t count, uint64_t row) {
  return at <= bytes && (!count || row <= (bytes - at) / count);
}

/* A 64-bit ELF image of which no section or segment lies outside. */
static bool is_image(const uint8_t *data, size_t bytes) {
  enum { HEADER = 64, SECTION = 64, SEGMENT = 56, NO_BITS = 8 };
  static const uint8_t mark[6] = {0x7f, 'E', 'L', 'F', 2, 1};
  if (bytes < HEADER || memcmp(data, mark, sizeof mark) != 0) return false;
  const uint64_t segments = pn_load_u64(data + 32), sections = pn_load_u64(data + 40);
  const uint32_t segment_bytes = pn_load_u16(data + 54), segment_count = pn_load_u16(data + 56);
  const uint32_t section_bytes = pn_load_u16(data + 58), section_count = pn_load_u16(data + 60);
  if (!section_count || section_bytes != SECTION || !holds(bytes, sections, section_count, section_bytes)) return false;
  if (segment_count && (segment_bytes != SEGMENT || !holds(bytes, segments, segment_count, segment_bytes)))
    return false;
  for (uint32_t i = 0; i < section_count; i++) {
    const uint8_t *row = data + sections + (size_t)i * SECTION;
    if (pn_load_u32(row + 4) != NO_BITS && !holds(bytes, pn_load_u64(row + 24), 1, pn_load_u64(row + 32))) return false;
  }
  for (uint32_t i = 0; i < segment_count; i++) {
    const uint8_t *row = data + segments + (size_t)i * SEGMENT;
    if (!holds(bytes, pn_load_u64(row + 8), 1, pn_load_u64(row + 32))) return false;
  }
  return pn_load_u16(data + 62) < section_count;
}

/* PTX: text to the one null, which ends it, that says its version. */
static bool is_text(const char *data, size_t bytes) {
  return bytes && memchr(data, 0, bytes) == data + bytes - 1 && strstr(data, ".version") && strstr(data, ".target");
}

bool pn_cuda_form_is_whole(const pn_binary *binary) {
  bool text;
  (void)capability_of(binary->form, &text);
  return text ? is_text(binary->data, binary->bytes) : is_image(binary->data, binary->bytes);
}
