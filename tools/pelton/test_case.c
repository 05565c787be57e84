/* One case of `pelton test`: build the model, run every set of data, compare. In a process of its own, so that memory
   is given back by ending. */
#define _POSIX_C_SOURCE 200809L
#include "data/difference.h"
#include "data/files.h"
#include "data/tensor_pb.h"
#include "test.h"
#include "text/json.h"
#include "text/report.h"

#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 512 }; /* inputs or outputs */

typedef struct data_set {
  pelton_tensor inputs[MOST], outputs[MOST];
  char *input_names[MOST], *output_names[MOST];
  uint32_t input_count, output_count;
} data_set;

static void say(test_result *r, test_status status, const char *format, ...) PRINTF_LIKE(3, 4);

static void say(test_result *r, test_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  r->status = status;
  vsnprintf(r->reason, sizeof r->reason, format, arguments);
  va_end(arguments);
  for (char *c = r->reason; *c; c++) /* one line a case */
    if (*c == '\n' || *c == '\r') *c = ' ';
}

/* All reasons of |diag| on one line, without the path of the model: the case is named. */
static void say_status(test_result *r, const char *model, pelton_status status, const pelton_diag *diag) {
  char text[900] = "";
  size_t n = 0;
  const size_t size = strlen(model);
  for (uint32_t i = 0; i < diag->count && n < sizeof text; i++) {
    const char *message = pelton_diag_message(diag, i);
    if (!strncmp(message, model, size) && !strncmp(message + size, ": ", 2)) message += size + 2;
    n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? "; " : "", message);
  }
  say(r, TEST_FAILED, "%s%s%s", pelton_status_name(status), *text ? ": " : "", text);
}

/* ---- data ----------------------------------------------------------------------------------------------------------
 */

typedef pelton_status describe_function(const pelton_engine *engine, uint32_t index, pelton_io_info *out);

/* Whether the value |name|, or |index| when there is none of that name, is a sequence or an optional. */
static bool is_boxed(const pelton_engine *engine, describe_function *describe, const char *name, uint32_t index) {
  pelton_io_info info;
  bool boxed = !describe(engine, index, &info) && info.dtype == PELTON_DTYPE_TENSOR;
  for (uint32_t i = 0; name && *name && !describe(engine, i, &info); i++)
    if (!strcmp(info.name, name)) boxed = info.dtype == PELTON_DTYPE_TENSOR;
  return boxed;
}

/* The kind of a file follows from the model, so its name counts, and that is where its kind says: both are tried. */
static pb_result read_value(const char *path, const pelton_engine *engine, describe_function *describe, uint32_t index,
                            pelton_tensor *out, char **name, char *reason) {
  const bool first = is_boxed(engine, describe, NULL, index);
  pb_result result = tensor_pb_read(path, first, out, name, reason);
  if (result == PB_READ && is_boxed(engine, describe, *name, index) == first) return PB_READ;
  pelton_tensor other;
  char ignored[256], *other_name = NULL;
  if (tensor_pb_read(path, !first, &other, &other_name, ignored) != PB_READ) return result;
  if (!*other_name || is_boxed(engine, describe, other_name, index) == first) {
    tensor_release(&other);
    free(other_name);
    return result;
  }
  if (result == PB_READ) {
    tensor_release(out);
    free(*name);
  }
  *out = other;
  *name = other_name;
  return PB_READ;
}

static bool read_files(const char *folder, const char *kind, const pelton_engine *engine, describe_function *describe,
                       pelton_tensor *tensors, char **names, uint32_t *count, test_result *r) {
  for (*count = 0; *count < MOST; ++*count) {
    char reason[256], *path = memory_format("%s/%s_%u.pb", folder, kind, *count);
    const bool there = path_exists(path);
    pb_result result = PB_READ;
    if (there) result = read_value(path, engine, describe, *count, &tensors[*count], &names[*count], reason);
    free(path);
    if (!there) return true;
    if (result == PB_READ) continue;
    say(r, TEST_FAILED, "%s%s", result == PB_UNSUPPORTED ? "unsupported: " : "", reason);
    return false;
  }
  say(r, TEST_FAILED, "more than %d files", MOST);
  return false;
}

static void free_data(data_set *d) {
  for (uint32_t i = 0; i < MOST; i++) {
    tensor_release(&d->inputs[i]);
    tensor_release(&d->outputs[i]);
    free(d->input_names[i]);
    free(d->output_names[i]);
  }
  free(d);
}

static bool read_data(const char *folder, const pelton_engine *engine, data_set *d, test_result *r) {
  return read_files(folder, "input", engine, pelton_engine_input, d->inputs, d->input_names, &d->input_count, r) &&
         read_files(folder, "output", engine, pelton_engine_output, d->outputs, d->output_names, &d->output_count, r);
}

/* The file for the value |name| at |index|: by name when a file has that name, else in order. */
static const pelton_tensor *find_data(const pelton_tensor *tensors, char *const *names, uint32_t count,
                                      const char *name, uint32_t index) {
  for (uint32_t i = 0; i < count; i++)
    if (names[i] && *name && !strcmp(names[i], name)) return &tensors[i];
  return index < count ? &tensors[index] : NULL;
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

static bool compare_outputs(const test_options *o, const pelton_engine *engine, const data_set *d,
                            const pelton_tensor *got, test_result *r) {
  const uint32_t count = pelton_engine_output_count(engine);
  if (d->output_count != count) {
    say(r, TEST_FAILED, "%u outputs, expected %u", count, d->output_count);
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    pelton_io_info info;
    difference apart;
    if (pelton_engine_output(engine, i, &info)) info.name = "";
    const pelton_tensor *wanted = find_data(d->outputs, d->output_names, count, info.name, i);
    const bool ok = difference_measure(&got[i], wanted, o->rtol, o->atol, true, &apart);
    r->max_abs = fmax(r->max_abs, apart.max_abs); /* fmax passes over not-a-numbers */
    r->max_rel = fmax(r->max_rel, apart.max_rel);
    if (ok) continue;
    say(r, TEST_FAILED, "output '%s': %s", info.name, apart.reason);
    return false;
  }
  return true;
}

static bool run_data(const test_options *o, const char *model, pelton_engine *engine, pelton_context *context,
                     const data_set *d, test_result *r) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_tensor inputs[MOST], outputs[MOST] = {{0}};
  const uint32_t inputs_count = pelton_engine_input_count(engine), outputs_count = pelton_engine_output_count(engine);
  if (inputs_count > MOST || outputs_count > MOST) {
    say(r, TEST_FAILED, "more than %d inputs or outputs", MOST);
    return false;
  }
  for (uint32_t i = 0; i < inputs_count; i++) {
    pelton_io_info info;
    if (pelton_engine_input(engine, i, &info)) info.name = "";
    const pelton_tensor *given = find_data(d->inputs, d->input_names, d->input_count, info.name, i);
    if (!given) {
      say(r, TEST_FAILED, "no file for input '%s'", info.name);
      return false;
    }
    inputs[i] = *given;
  }
  const pelton_status status = pelton_context_run(context, inputs, inputs_count, outputs, outputs_count, &diag);
  if (status) say_status(r, model, status, &diag);
  return !status && compare_outputs(o, engine, d, outputs, r);
}

/* The engine through a file and back. */
static pelton_status reopen(const test_options *o, loaded *it, pelton_diag *diag) {
  const char *folder = getenv("TMPDIR");
  char *path = memory_format("%s/pelton-test-XXXXXX", folder && *folder ? folder : "/tmp");
  const int file = mkstemp(path);
  if (file >= 0) close(file);
  pelton_status status = file < 0 ? PELTON_IO_ERROR : pelton_engine_save(it->engine, path, diag);
  pelton_engine_release(it->engine);
  it->engine = NULL;
  if (!status) status = load_open(path, &o->load, it, diag);
  if (file >= 0) unlink(path);
  free(path);
  return status;
}

/* The problems of steps that run a definition, and the nodes that the host runs, as far as they fit; a failure's reason
   takes their place. */
static void tell_fallbacks(const char *report, test_result *r) {
  json_value *json = json_parse(report);
  const json_value *plan = json_get(json, "plan");
  const json_value *host = json_get(json, "host");
  const report_facts facts = report_read(report);
  r->fallbacks = facts.fallbacks;
  r->host_nodes = facts.host_nodes;
  for (const json_value *step = plan ? plan->first : NULL; step; step = step->next) {
    const size_t used = strlen(r->reason);
    if (json_get_number(step, "fallback", 0) != 0)
      snprintf(r->reason + used, sizeof r->reason - used, "%s%s", used ? "; " : "definition of: ",
               json_get_text(step, "problem"));
  }
  for (const json_value *node = host ? host->first : NULL; node; node = node->next) {
    const size_t used = strlen(r->reason);
    snprintf(r->reason + used, sizeof r->reason - used, "%s%s%s '%s': %s", used ? "; " : "",
             node == host->first ? "host: " : "", json_get_text(node, "op"), json_get_text(node, "node"),
             json_get_text(node, "reason"));
  }
  json_free(json);
}

static void run_sets(const test_options *o, const test_case *c, char **folders, uint32_t count, test_result *r) {
  pelton_diag diag = PELTON_DIAG_INIT;
  loaded it = {.engine = NULL};
  pelton_context *context = NULL;
  data_set **sets = memory_new(count, sizeof *sets);
  bool ok;
  for (uint32_t i = 0; i < count; i++) sets[i] = memory_new(1, sizeof **sets);
  pelton_status status = load_build(c->model, &o->load, &it, &diag);
  if (!status && o->engine) status = reopen(o, &it, &diag);
  if (!status) status = pelton_context_create(it.engine, NULL, &context, &diag);
  if (status) say_status(r, c->model, status, &diag);
  ok = !status;
  if (o->fallbacks && ok) tell_fallbacks(pelton_engine_report(it.engine), r);
  for (uint32_t i = 0; i < count && ok; i++) ok = read_data(folders[i], it.engine, sets[i], r);
  for (uint32_t i = 0; i < count && ok; i++) ok = run_data(o, c->model, it.engine, context, sets[i], r);
  pelton_context_release(context);
  pelton_engine_release(it.engine);
  for (uint32_t i = 0; i < count; i++) free_data(sets[i]);
  free(sets);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void test_case_run(const test_options *o, const test_case *c, test_result *r) {
  *r = (test_result){.status = TEST_PASSED, .max_abs = NAN, .max_rel = NAN, .fallbacks = -1, .host_nodes = -1};
  DIR *folder = opendir(c->folder);
  char **folders = NULL;
  uint32_t count = 0;
  for (const struct dirent *entry; folder && (entry = readdir(folder));) {
    if (strncmp(entry->d_name, "test_data_set_", 14) != 0) continue;
    folders = memory_grow(folders, count + 1u, sizeof *folders);
    folders[count++] = memory_format("%s/%s", c->folder, entry->d_name);
  }
  if (folder) closedir(folder);
  if (count) qsort(folders, count, sizeof *folders, compare_names);
  if (count)
    run_sets(o, c, folders, count, r);
  else
    say(r, TEST_FAILED, "its data cannot be read");
  for (uint32_t i = 0; i < count; i++) free(folders[i]);
  free(folders);
}
