/* pelton compare: how far the outputs of two things are apart. Each is an engine, a model, or a folder of .npy files;
   the inputs are the same random numbers for both, or come from files. */
#define _POSIX_C_SOURCE 200809L
#include "data/difference.h"
#include "data/files.h"
#include "data/inputs.h"
#include "data/npy.h"
#include "text/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct compare {
  load_options load;
  text_list inputs;
  double rtol, atol;
  int64_t seed;
  bool json;
} compare;

/* One of the two: tensors with names. */
typedef struct side {
  const char *path;
  bool folder;
  char **names; /* as names of files, without .npy */
  tensors outputs;
} side;

static void side_release(side *s) {
  for (uint32_t i = 0; i < s->outputs.count; i++) free(s->names[i]);
  free(s->names);
  tensors_release(&s->outputs);
}

static int read_folder(side *s) {
  DIR *folder = opendir(s->path);
  int code = EXIT_DONE;
  if (!folder) {
    print_error("%s: %s", s->path, strerror(errno));
    return EXIT_INPUT;
  }
  for (const struct dirent *entry; !code && (entry = readdir(folder));) {
    if (!text_ends_with(entry->d_name, ".npy")) continue;
    const uint32_t at = s->outputs.count;
    char reason[256], *path = memory_format("%s/%s", s->path, entry->d_name);
    s->outputs.data = memory_grow(s->outputs.data, at + 1u, sizeof *s->outputs.data);
    s->names = memory_grow(s->names, at + 1u, sizeof *s->names);
    if (npy_read(path, &s->outputs.data[at], reason)) {
      s->names[at] = memory_format("%.*s", (int)strlen(entry->d_name) - 4, entry->d_name);
      s->outputs.count++;
    } else {
      print_error("%s", reason);
      code = EXIT_INPUT;
    }
    free(path);
  }
  closedir(folder);
  if (!code && !s->outputs.count) {
    print_error("%s: there is no .npy file in this folder", s->path);
    code = EXIT_INPUT;
  }
  return code;
}

/* Items of sequences count as outputs of their own, NAME_0 and so on, as files of a folder do. */
static void flatten(side *s) {
  for (uint32_t i = 0; i < s->outputs.count;) {
    pelton_tensor whole = s->outputs.data[i];
    char *name = s->names[i];
    if (whole.dtype != PELTON_DTYPE_TENSOR) {
      i++;
      continue;
    }
    const uint32_t items = (uint32_t)tensor_item_count(&whole), behind = s->outputs.count - i - 1;
    s->outputs.data = memory_grow(s->outputs.data, s->outputs.count + items, sizeof *s->outputs.data);
    s->names = memory_grow(s->names, s->outputs.count + items, sizeof *s->names);
    memmove(s->outputs.data + i + items, s->outputs.data + i + 1, behind * sizeof *s->outputs.data);
    memmove(s->names + i + items, s->names + i + 1, behind * sizeof *s->names);
    for (uint32_t k = 0; k < items; k++) {
      s->outputs.data[i + k] = *tensor_item(&whole, k); /* its memory goes over */
      free(((pelton_tensor **)whole.data)[k]);
      s->names[i + k] = memory_format("%s_%u", name, k);
    }
    s->outputs.count += items - 1;
    free(whole.data);
    free(name);
  }
}

/* |folder| (may be null) may hold files of the inputs. */
static int run_side(const compare *c, side *s, const char *folder) {
  pelton_diag diag = PELTON_DIAG_INIT;
  loaded it = {.engine = NULL};
  tensors inputs = {NULL, 0};
  const pelton_status status = load_engine(s->path, &c->load, &it, &diag);
  if (status) return print_failure(status, &diag, NULL);
  int code = inputs_make(it.engine, &c->load, &c->inputs, folder, (uint64_t)c->seed, &inputs);
  if (!code) code = engine_run_once(it.engine, &inputs, &s->outputs);
  if (!code) s->names = memory_new(s->outputs.count, sizeof *s->names);
  for (uint32_t i = 0; i < s->outputs.count; i++) {
    pelton_io_info info;
    s->names[i] = pelton_engine_output(it.engine, i, &info) ? memory_text("?") : file_name_of(info.name);
  }
  flatten(s);
  tensors_release(&inputs);
  pelton_engine_release(it.engine);
  return code;
}

/* The partner of output |index| of |a|: of the same name, else in order when neither is a folder. */
static const pelton_tensor *find_partner(const side *a, uint32_t index, const side *b) {
  for (uint32_t i = 0; i < b->outputs.count; i++)
    if (!strcmp(a->names[index], b->names[i])) return &b->outputs.data[i];
  if (a->folder || b->folder || a->outputs.count != b->outputs.count) return NULL;
  return &b->outputs.data[index];
}

static void tell(const compare *c, json_writer *json, const char *name, const difference *d, bool ok) {
  if (!c->json) {
    printf("%-24s max abs %.3e  max rel %.3e  cosine %.9f  SQNR %.1f dB  %s%s%s\n", name, d->max_abs, d->max_rel,
           d->cosine, d->sqnr, ok ? "ok" : "FAILED", *d->reason ? ": " : "", d->reason);
    return;
  }
  json_begin(json, NULL, '{');
  json_text(json, "output", name);
  json_boolean(json, "ok", ok);
  json_number(json, "max_abs", d->max_abs);
  json_number(json, "max_rel", d->max_rel);
  json_number(json, "cosine", d->cosine);
  json_number(json, "sqnr_db", d->sqnr);
  json_integer(json, "elements", (int64_t)d->count);
  json_integer(json, "out_of_tolerance", (int64_t)d->apart);
  json_text(json, "reason", d->reason);
  json_end(json, '}');
}

/* Outputs of |a| against |b|'s; a folder may hold more files (the inputs), so the other one leads. */
static int compare_sides(const compare *c, const side *a, const side *b) {
  const bool turned = a->folder && !b->folder;
  const side *lead = turned ? b : a, *other = turned ? a : b;
  json_writer json = {stdout, false};
  bool all = true;
  if (c->json) json_begin(&json, NULL, '[');
  for (uint32_t i = 0; i < lead->outputs.count; i++) {
    const pelton_tensor *mine = &lead->outputs.data[i], *theirs = find_partner(lead, i, other);
    difference d = {.reason = "the other one has no such output"};
    const bool ok =
        theirs && difference_measure(turned ? theirs : mine, turned ? mine : theirs, c->rtol, c->atol, false, &d);
    tell(c, &json, lead->names[i], &d, ok);
    all &= ok;
  }
  if (!lead->folder && !other->folder && lead->outputs.count != other->outputs.count) {
    print_error("%s has %u outputs, %s has %u", lead->path, lead->outputs.count, other->path, other->outputs.count);
    all = false;
  }
  if (c->json) {
    json_end(&json, ']');
    putchar('\n');
  }
  return all ? EXIT_DONE : EXIT_CHECK;
}

static int compare_paths(const compare *c, const char *first, const char *second) {
  side a = {.path = first, .folder = path_is_folder(first)}, b = {.path = second, .folder = path_is_folder(second)};
  int code = a.folder ? read_folder(&a) : EXIT_DONE;
  if (!code && b.folder) code = read_folder(&b);
  if (!code && !a.folder) code = run_side(c, &a, b.folder ? second : NULL);
  if (!code && !b.folder) code = run_side(c, &b, a.folder ? first : NULL);
  if (!code) code = compare_sides(c, &a, &b);
  side_release(&a);
  side_release(&b);
  return code;
}

int command_compare(int argc, char **argv) {
  compare c = {.load = LOAD_OPTIONS_INIT, .rtol = 1e-3, .atol = 1e-5};
  const option rows[] = {
      {"rtol", 0, OPTION_NUMBER, &c.rtol, "R", "|a - b| <= atol + rtol * |b| (1e-3)", 0, 1e30},
      {"atol", 0, OPTION_NUMBER, &c.atol, "A", "(1e-5)", 0, 1e30},
      {"input", 'i', OPTION_LIST, &c.inputs, "NAME=FILE", "an input from a .npy, a .pb or an image; else random", 0, 0},
      {"seed", 0, OPTION_INTEGER, &c.seed, "N", "of random inputs (0)", 0, 0},
      LOAD_ROWS(c.load),
      {"json", 0, OPTION_FLAG, &c.json, NULL, "an array, an object an output", 0, 0},
  };
  const option_table table = {"compare A B [options]",
                              "Compares the outputs of A and B, each an engine, a model, or a folder of NAME.npy as "
                              "`pelton run --output-dir` writes\n"
                              "them, on the same inputs. A folder may hold the inputs as well.",
                              rows,
                              OPTION_COUNT(rows),
                              2,
                              2};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON) {
    code = load_prepare(&c.load);
    if (!code) code = compare_paths(&c, words.data[0], words.data[1]);
  }
  load_release(&c.load);
  free(c.inputs.data);
  free(words.data);
  return code;
}
