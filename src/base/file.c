/* Files. Reading is mapping; only regular files are taken, because a pipe or a device has no size to map (and opening
   one could block: hence O_NONBLOCK).

   A file beneath a folder is found in two steps. realpath resolves both, and the file's must begin with the folder's:
   links inside the folder stay usable. Then the resolved path is walked from the folder's descriptor, each component
   with O_NOFOLLOW, so that a link slipped in between cannot lead out. */
#define _GNU_SOURCE 1 /* openat, realpath */
#include "base/file.h"

#include "base/format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

enum { READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

static pelton_status fail_io(pelton_diag *diag, const char *verb, const char *path, int error) {
  return pn_fail(diag, error == ENOMEM ? PELTON_OUT_OF_MEMORY : PELTON_IO_ERROR, "cannot %s '%s': %s", verb, path,
                 pn_system_reason(error));
}

static int open_again(int folder, const char *path, int flags) {
  int descriptor;
  do descriptor = openat(folder, path, flags);
  while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* Maps what |descriptor| has open, and closes it. */
static pelton_status descriptor_map(int descriptor, const char *path, pn_file *out, pelton_diag *diag) {
  struct stat info;
  if (fstat(descriptor, &info)) {
    int error = errno;
    close(descriptor);
    return fail_io(diag, "read", path, error);
  }
  pelton_status status = PELTON_OK;
  if (S_ISDIR(info.st_mode)) {
    status = pn_fail(diag, PELTON_IO_ERROR, "cannot read '%s': it is a folder; name a file in it", path);
  } else if (!S_ISREG(info.st_mode)) {
    status = pn_fail(diag, PELTON_IO_ERROR, "cannot read '%s': it is no regular file; copy it to one", path);
  } else if (info.st_size < 0 || (uintmax_t)info.st_size > PTRDIFF_MAX) {
    status = pn_fail(diag, PELTON_IO_ERROR, "cannot map '%s': its size, %lld bytes, exceeds the address space", path,
                     (long long)info.st_size);
  } else if (info.st_size > 0) {
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
      status = fail_io(diag, "map", path, errno);
    else
      *out = (pn_file){data, (size_t)info.st_size};
  }
  close(descriptor);
  return status;
}

pelton_status pn_file_map(const char *path, pn_file *out, pelton_diag *diag) {
  *out = (pn_file){NULL, 0};
  int descriptor = open_again(AT_FDCWD, path, READ_FLAGS);
  if (descriptor < 0) return fail_io(diag, "open", path, errno);
  return descriptor_map(descriptor, path, out, diag);
}

void pn_file_unmap(pn_file *file) {
  /* munmap takes a pointer to non-const, though it does not write through it. */
  if (file->data) munmap((void *)(uintptr_t)file->data, file->size);
  *file = (pn_file){NULL, 0};
}

static bool has_parent_component(const char *path) {
  for (const char *p = path; *p;) {
    size_t length = strcspn(p, "/");
    if (length == 2 && p[0] == '.' && p[1] == '.') return true;
    p += length;
    while (*p == '/') p++;
  }
  return false;
}

/* Opens |resolved|, a path without links, relative to the folder that |folder| has open, which this closes. -1 and
   errno on failure. */
static int open_walk(int folder, char *resolved) {
  for (;;) {
    char *slash = strchr(resolved, '/');
    if (slash) *slash = 0;
    int flags = READ_FLAGS | O_NOFOLLOW | (slash ? O_DIRECTORY : 0);
    int next = open_again(folder, resolved, flags);
    int error = errno;
    close(folder);
    if (next < 0) {
      errno = error;
      return -1;
    }
    if (!slash) return next;
    folder = next;
    resolved = slash + 1;
  }
}

pelton_status pn_file_map_beneath(const char *folder, const char *relative, pn_file *out, pelton_diag *diag) {
  char path[PATH_MAX], folder_path[PATH_MAX], joined[PATH_MAX];
  *out = (pn_file){NULL, 0};
  if (!relative[0]) return pn_fail(diag, PELTON_INVALID_DATA, "a file named beneath '%s' has an empty name", folder);
  if (relative[0] == '/' || has_parent_component(relative))
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "the file '%s' is refused: only files beneath '%s' may be named, without \"..\"", relative, folder);
  int length = snprintf(joined, sizeof joined, "%s/%s", folder, relative);
  if (length < 0 || (size_t)length >= sizeof joined)
    return pn_fail(diag, PELTON_INVALID_DATA, "the path of '%s' beneath '%s' is too long", relative, folder);
  if (!realpath(folder, folder_path)) return fail_io(diag, "open the folder", folder, errno);
  if (!realpath(joined, path)) return fail_io(diag, "open", joined, errno);

  if (!strcmp(path, folder_path)) return pn_fail(diag, PELTON_IO_ERROR, "cannot read '%s': it is a folder", joined);
  size_t folder_bytes = strlen(folder_path);
  if (folder_bytes == 1) folder_bytes = 0; /* "/" */
  if (strncmp(path, folder_path, folder_bytes) != 0 || path[folder_bytes] != '/')
    return pn_fail(diag, PELTON_INVALID_DATA,
                   "the file '%s' is refused: it is a link to '%s', which is outside of '%s'", relative, path, folder);

  int opened = open_again(AT_FDCWD, folder_path, READ_FLAGS | O_DIRECTORY);
  if (opened < 0) return fail_io(diag, "open the folder", folder, errno);
  int descriptor = open_walk(opened, path + folder_bytes + 1);
  if (descriptor < 0) return fail_io(diag, "open", joined, errno);
  return descriptor_map(descriptor, joined, out, diag);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

pelton_status pn_file_writer_open(pn_file_writer *writer, const char *path, pelton_diag *diag) {
  writer->descriptor = -1;
  writer->offset = 0;
  writer->temporary[0] = 0;
  size_t length = strlen(path);
  if (!length || length >= sizeof writer->path)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "cannot write '%s': the path has %zu bytes, 1 to %zu are allowed",
                   path, length, sizeof writer->path - 1);
  memcpy(writer->path, path, length + 1);

  /* A rename onto /dev/null would replace the device. */
  struct stat info;
  if (!stat(path, &info) && !S_ISREG(info.st_mode))
    return pn_fail(diag, PELTON_IO_ERROR, "cannot write '%s': it exists and is %s", path,
                   S_ISDIR(info.st_mode) ? "a folder" : "no regular file");

  /* Not mkstemp, which makes files that only their owner can read. */
  for (unsigned attempt = 0;; attempt++) {
    snprintf(writer->temporary, sizeof writer->temporary, "%s.tmp-%ld-%u", path, (long)getpid() % 10000000, attempt);
    writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer->descriptor >= 0) return PELTON_OK;
    if (errno == EINTR || (errno == EEXIST && attempt < 1000)) continue;
    int error = errno;
    writer->temporary[0] = 0;
    return fail_io(diag, "write", path, error);
  }
}

/* All of it, however many calls it takes; false and errno when the system refuses. */
static bool write_all(int descriptor, const void *data, size_t bytes) {
  const uint8_t *p = data;
  while (bytes) {
    size_t piece = bytes < ((size_t)1 << 30) ? bytes : (size_t)1 << 30; /* Linux writes at most 2 GiB at once */
    ssize_t written = write(descriptor, p, piece);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    p += written;
    bytes -= (size_t)written;
  }
  return true;
}

pelton_status pn_file_writer_add(pn_file_writer *writer, const void *data, size_t bytes, pelton_diag *diag) {
  if (!write_all(writer->descriptor, data, bytes)) return fail_io(diag, "write", writer->path, errno);
  writer->offset += bytes;
  return PELTON_OK;
}

pelton_status pn_file_writer_pad(pn_file_writer *writer, size_t align, pelton_diag *diag) {
  static const uint8_t zeros[4096];
  uint64_t left = align ? (align - writer->offset % align) % align : 0;
  while (left) {
    size_t piece = left < sizeof zeros ? (size_t)left : sizeof zeros;
    PN_TRY(pn_file_writer_add(writer, zeros, piece, diag));
    left -= piece;
  }
  return PELTON_OK;
}

pelton_status pn_file_writer_close(pn_file_writer *writer, pelton_diag *diag) {
  int descriptor = writer->descriptor;
  writer->descriptor = -1;
  if (close(descriptor) && errno != EINTR) { /* where a full network disk is reported */
    int error = errno;
    pn_file_writer_abort(writer);
    return fail_io(diag, "write", writer->path, error);
  }
  if (rename(writer->temporary, writer->path)) {
    int error = errno;
    pn_file_writer_abort(writer);
    return fail_io(diag, "write", writer->path, error);
  }
  writer->temporary[0] = 0;
  return PELTON_OK;
}

void pn_file_writer_abort(pn_file_writer *writer) {
  if (!writer->temporary[0]) return;
  if (writer->descriptor >= 0) close(writer->descriptor);
  unlink(writer->temporary);
  writer->descriptor = -1;
  writer->temporary[0] = 0;
}

/* ---- extending ------------------------------------------------------------------------------------------------- */

/* Waits for the lock on the whole file, which closing gives back. */
static bool lock_file(int descriptor) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int failed;
  do failed = fcntl(descriptor, F_SETLKW, &lock);
  while (failed && errno == EINTR);
  return !failed;
}

static bool append_lines(int descriptor, const char *head, const void *data, size_t bytes) {
  struct stat info;
  char last = '\n';
  if (!lock_file(descriptor) || fstat(descriptor, &info)) return false;
  if (info.st_size > 0 && pread(descriptor, &last, 1, info.st_size - 1) != 1) return false;
  bool done = (info.st_size > 0 || write_all(descriptor, head, strlen(head))) &&
              (last == '\n' || write_all(descriptor, "\n", 1)) && write_all(descriptor, data, bytes);
  int error = errno;
  if (!done && ftruncate(descriptor, info.st_size)) error = errno;
  errno = error;
  return done;
}

pelton_status pn_file_append_lines(const char *path, const char *head, const void *data, size_t bytes,
                                   pelton_diag *diag) {
  int descriptor;
  do descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return fail_io(diag, "write", path, errno);
  bool done = append_lines(descriptor, head, data, bytes);
  int error = errno;
  close(descriptor);
  return done ? PELTON_OK : fail_io(diag, "write", path, error);
}

bool pn_path_folder(const char *path, char *out, size_t out_bytes) {
  const char *slash = strrchr(path, '/');
  while (slash && slash > path && slash[-1] == '/') slash--;
  size_t length = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
  if (length >= out_bytes) return false;
  memcpy(out, slash ? path : ".", length);
  out[length] = 0;
  return true;
}
