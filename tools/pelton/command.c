#define _POSIX_C_SOURCE 200809L
#include "command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void print_message(const char *kind, const char *format, va_list arguments) {
  fflush(stdout);
  fprintf(stderr, "pelton: %s: ", kind);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
}

static bool told; /* an error, since the last failure was printed */

void print_error(const char *format, ...) {
  told = true;
  va_list arguments;
  va_start(arguments, format);
  print_message("error", format, arguments);
  va_end(arguments);
}

void print_note(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_message("note", format, arguments);
  va_end(arguments);
}

static int exit_code(pelton_status status) {
  switch (status) {
  case PELTON_OK: return EXIT_DONE;
  case PELTON_INVALID_ARGUMENT: return EXIT_USAGE;
  case PELTON_INVALID_DATA:
  case PELTON_IO_ERROR: return EXIT_INPUT;
  case PELTON_UNSUPPORTED: return EXIT_UNSUPPORTED;
  case PELTON_OUT_OF_MEMORY:
  case PELTON_DEVICE_ERROR:
  case PELTON_BUSY:
  case PELTON_CANCELLED: return EXIT_RESOURCE;
  case PELTON_INTERNAL: break;
  }
  return EXIT_BUG;
}

int print_failure(pelton_status status, const pelton_diag *diag, const char *about) {
  const char *before = about ? about : "", *colon = about ? ": " : "";
  for (uint32_t i = 0; i < diag->count; i++) print_error("%s%s%s", before, colon, pelton_diag_message(diag, i));
  if (diag->dropped) print_error("%s%sand %u more reasons", before, colon, (unsigned)diag->dropped);
  if (!diag->count && !told) print_error("%s%s%s", before, colon, pelton_status_name(status));
  told = false;
  if (status == PELTON_INTERNAL) print_note("this is a bug in Pelton %s: please report it", pelton_version());
  return exit_code(status);
}

size_text format_bytes(uint64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double size = (double)bytes;
  size_t unit = 0;
  while (size >= 1024 && unit + 1 < sizeof units / sizeof units[0]) size /= 1024, unit++;
  size_text out;
  snprintf(out.text, sizeof out.text, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
  return out;
}

static void end_without_memory(void) {
  print_error("out of memory");
  exit(EXIT_RESOURCE);
}

void *memory_new(size_t count, size_t element_bytes) {
  void *data = calloc(count ? count : 1, element_bytes ? element_bytes : 1);
  if (!data) end_without_memory();
  return data;
}

void *memory_grow(void *old, size_t count, size_t element_bytes) {
  if (!count || !element_bytes) count = element_bytes = 1;
  void *data = count > SIZE_MAX / element_bytes ? NULL : realloc(old, count * element_bytes);
  if (!data) end_without_memory();
  return data;
}

char *memory_text(const char *text) {
  const size_t bytes = strlen(text) + 1;
  return memcpy(memory_new(bytes, 1), text, bytes);
}

char *memory_format(const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  const int length = vsnprintf(NULL, 0, format, arguments);
  char *text = memory_new((size_t)(length > 0 ? length : 0) + 1, 1);
  if (length > 0) vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  va_end(arguments);
  return text;
}

double clock_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
