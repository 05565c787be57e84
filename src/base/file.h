/* Files: mapped for reading, written whole and atomically. */
#ifndef PN_BASE_FILE_H
#define PN_BASE_FILE_H

#include "base/bytes.h"
#include "base/diag.h"

#include <stdbool.h>

/* A file mapped read-only. The file must not shrink while mapped. */
typedef struct pn_file {
  const uint8_t *data; /* null for an empty file */
  size_t size;
} pn_file;

/* Maps |path|. On failure the reason names the path and the system's word. A directory is an error. */
pelton_status pn_file_map(const char *path, pn_file *out, pelton_diag *diag) PN_CHECKED;
void pn_file_unmap(pn_file *file);

/* Maps |relative| found beneath |folder|: an absolute path, a "..", or a link that leads out of |folder| is refused as
   PELTON_INVALID_DATA. For external data of a model. */
pelton_status pn_file_map_beneath(const char *folder, const char *relative, pn_file *out, pelton_diag *diag) PN_CHECKED;

/* Pieces written one after another to a new file, renamed to |path| at the end: a reader sees the old file or the whole
   new one. */
typedef struct pn_file_writer {
  int descriptor;
  uint64_t offset;
  char path[4096];
  char temporary[4128];
} pn_file_writer;

pelton_status pn_file_writer_open(pn_file_writer *writer, const char *path, pelton_diag *diag) PN_CHECKED;
pelton_status pn_file_writer_add(pn_file_writer *writer, const void *data, size_t bytes, pelton_diag *diag) PN_CHECKED;
/* Zeros up to the next multiple of |align|. */
pelton_status pn_file_writer_pad(pn_file_writer *writer, size_t align, pelton_diag *diag) PN_CHECKED;
pelton_status pn_file_writer_close(pn_file_writer *writer, pelton_diag *diag) PN_CHECKED;
/* Gives up and removes the temporary file. Safe after any failure, and after close. */
void pn_file_writer_abort(pn_file_writer *writer);

/* Adds |bytes| bytes to the end of the file at |path|, with |head| (NUL-terminated, may be "") before them when the
   file is new or empty, and a newline when its last line is not ended. For text that several processes extend: the file
   is locked meanwhile, and a write that fails leaves it as it was. */
pelton_status pn_file_append_lines(const char *path, const char *head, const void *data, size_t bytes,
                                   pelton_diag *diag) PN_CHECKED;

/* The folder part of |path| ("." when there is none) into |out|; false when it does not fit. */
bool pn_path_folder(const char *path, char *out, size_t out_bytes) PN_CHECKED;

#endif
