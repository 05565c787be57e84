/* Which folders are cases of `pelton test`. */
#define _POSIX_C_SOURCE 200809L
#include "data/files.h"
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32 };

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in |path|, sorted, without those that begin with a dot. Null when it cannot be read. */
static char **list_folder(const char *path, uint32_t *count) {
  DIR *folder = opendir(path);
  char **names = NULL;
  *count = 0;
  if (!folder) return NULL;
  for (const struct dirent *entry; (entry = readdir(folder));) {
    if (entry->d_name[0] == '.') continue;
    names = memory_grow(names, *count + 1u, sizeof *names);
    names[(*count)++] = memory_text(entry->d_name);
  }
  closedir(folder);
  names = memory_grow(names, *count + 1u, sizeof *names);
  qsort(names, *count, sizeof *names, compare_names);
  return names;
}

/* Which of |names| is the model: model.onnx, else model.*, else what looks like one. */
static const char *find_model(char *const *names, uint32_t count) {
  static const char *const extensions[] = {".onnx",  ".tflite",     ".pb",     ".pt", ".h5",
                                           ".keras", ".caffemodel", ".params", ".pir"};
  const char *found = NULL;
  int rank = 0;
  for (uint32_t i = 0; i < count; i++) {
    int here = 0;
    for (size_t k = 0; k < sizeof extensions / sizeof extensions[0]; k++)
      if (text_ends_with(names[i], extensions[k])) here = strncmp(names[i], "model.", 6) ? 1 : 2;
    if (!strcmp(names[i], "model.onnx")) here = 3;
    if (here > rank) found = names[i], rank = here;
  }
  return found;
}

static bool walk(const char *path, const char *name, uint32_t depth, test_case_list *out) {
  uint32_t count;
  char **names = list_folder(path, &count);
  bool is_case = false;
  if (!names) return false;
  for (uint32_t i = 0; i < count; i++) is_case |= !strncmp(names[i], "test_data_set_", 14);
  const char *model = find_model(names, count);
  if (is_case && model) {
    out->data = memory_grow(out->data, out->count + 1u, sizeof *out->data);
    out->data[out->count++] = (test_case){memory_text(name), memory_text(path), memory_format("%s/%s", path, model)};
  }
  for (uint32_t i = 0; i < count; i++) {
    char *child = memory_format("%s/%s", path, names[i]),
         *child_name = memory_format("%s%s%s", name, *name ? "/" : "", names[i]);
    if (depth < DEEPEST && strncmp(names[i], "test_data_set_", 14) != 0 && path_is_folder(child))
      (void)walk(child, child_name, depth + 1, out);
    free(child);
    free(child_name);
    free(names[i]);
  }
  free(names);
  return true;
}

static int compare_cases(const void *a, const void *b) {
  return strcmp(((const test_case *)a)->name, ((const test_case *)b)->name);
}

bool test_cases_find(const char *folder, test_case_list *out) {
  const uint32_t before = out->count;
  char *path = memory_text(folder);
  for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
  const bool ok = walk(path, "", 0, out);
  if (!ok) print_error("%s: %s", folder, strerror(errno));
  for (uint32_t i = before; i < out->count; i++) {
    if (*out->data[i].name) continue; /* the folder itself is a case */
    const char *slash = strrchr(path, '/');
    free(out->data[i].name);
    out->data[i].name = memory_text(slash && slash[1] ? slash + 1 : path);
  }
  if (out->count > before) qsort(out->data + before, out->count - before, sizeof *out->data, compare_cases);
  free(path);
  return ok;
}

void test_case_release(test_case *c) {
  free(c->name);
  free(c->folder);
  free(c->model);
}
