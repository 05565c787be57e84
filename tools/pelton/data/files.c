#define _POSIX_C_SOURCE 200809L
#include "data/files.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool fail(const char *path, const char *why, FILE *file, char *reason) {
  if (file) fclose(file);
  if (reason)
    snprintf(reason, 256, "%.180s: %.70s", path, why);
  else
    print_error("%s: %s", path, why);
  return false;
}

bool file_read(const char *path, file_bytes *out, char *reason) {
  struct stat info;
  FILE *file = fopen(path, "rb");
  if (!file || fstat(fileno(file), &info) != 0) return fail(path, strerror(errno), file, reason);
  if (!S_ISREG(info.st_mode)) return fail(path, "this is no regular file", file, reason);
  out->size = (size_t)info.st_size;
  out->data = memory_new(out->size + 1, 1);
  const size_t got = fread(out->data, 1, out->size, file);
  if (got == out->size) {
    fclose(file);
    return true;
  }
  free(out->data);
  return fail(path, ferror(file) ? strerror(errno) : "it became shorter while it was read", file, reason);
}

bool path_is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool path_exists(const char *path) {
  struct stat info;
  return stat(path, &info) == 0;
}

bool text_ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  if (n < m) return false;
  for (size_t i = 0; i < m; i++)
    if (tolower((unsigned char)text[n - m + i]) != tolower((unsigned char)end[i])) return false;
  return true;
}
