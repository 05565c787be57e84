/* Files, whole: bytes in, and the questions that the command asks of paths. */
#ifndef FILES_H
#define FILES_H

#include "command.h"

typedef struct file_bytes {
  uint8_t *data; /* one NUL more than |size|; for free() */
  size_t size;
} file_bytes;

/* False with a message on stderr, or in |reason| (at least 256 bytes) when that is not null. */
bool file_read(const char *path, file_bytes *out, char *reason);
bool path_is_folder(const char *path);
bool path_exists(const char *path);
/* |text| ends with |end|, letters' case aside. */
bool text_ends_with(const char *text, const char *end);

#endif
