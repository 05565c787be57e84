/* pelton run: one run (or several), its outputs as a table and as files. */
#define _POSIX_C_SOURCE 200809L
#include "data/inputs.h"
#include "data/low_bits.h"
#include "data/npy.h"
#include "text/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct run {
  load_options load;
  text_list inputs;
  const char *output_dir;
  int64_t repeat, seed;
  bool json;
} run;

static bool make_folder(const char *path) {
  char *copy = memory_text(path);
  bool ok = true;
  for (char *c = copy + 1; ok; c++) { /* its parents too */
    if (*c && *c != '/') continue;
    const char kept = *c;
    *c = 0;
    ok = mkdir(copy, 0777) == 0 || errno == EEXIST;
    *c = kept;
    if (!kept) break;
  }
  if (!ok) print_error("%s: %s", path, strerror(errno));
  free(copy);
  return ok;
}

/* A sequence as NAME_0.npy, NAME_1.npy and so on. */
static int save_output(const run *r, const char *name, const pelton_tensor *t) {
  if (t->dtype == PELTON_DTYPE_TENSOR) {
    int code = EXIT_DONE;
    for (size_t i = 0; i < tensor_item_count(t) && !code; i++) {
      char *item = memory_format("%s_%zu", name, i);
      code = save_output(r, item, tensor_item(t, i));
      free(item);
    }
    return code;
  }
  char reason[256], *file = file_name_of(name);
  char *path = memory_format("%s/%s.npy", r->output_dir, file);
  const bool ok = npy_write(path, t, reason);
  if (!ok) print_error("%s", reason);
  if (ok && is_low_float(t->dtype)) print_note("%s has the bits of %s as uint8", path, pelton_dtype_name(t->dtype));
  free(path);
  free(file);
  return ok ? EXIT_DONE : EXIT_INPUT;
}

enum { SHOWN_TEXTS = 16, SHOWN_BYTES = 40 };

/* The first texts, those that are long cut. */
static void print_texts(const pelton_tensor *t) {
  const pelton_string *texts = t->data;
  const size_t count = tensor_count(&t->shape);
  for (size_t i = 0; i < count && i < SHOWN_TEXTS; i++) {
    const size_t bytes = texts[i].bytes < SHOWN_BYTES ? (size_t)texts[i].bytes : SHOWN_BYTES;
    fputs(" \"", stdout);
    for (size_t k = 0; k < bytes; k++) putchar((unsigned char)texts[i].data[k] < 0x20 ? '?' : texts[i].data[k]);
    fputs(bytes < texts[i].bytes ? "...\"" : "\"", stdout);
  }
  if (count > SHOWN_TEXTS) printf(" and %zu more", count - SHOWN_TEXTS);
  putchar('\n');
}

static void print_output(const char *name, const pelton_tensor *t);

/* What |t| holds, in a line each. */
static void print_items(const char *name, const pelton_tensor *t) {
  const size_t count = tensor_item_count(t);
  printf(" %zu item%s\n", count, count == 1 ? "" : "s");
  for (size_t i = 0; i < count; i++) {
    char *item = memory_format("%s_%zu", name, i);
    print_output(item, tensor_item(t, i));
    free(item);
  }
}

static void print_output(const char *name, const pelton_tensor *t) {
  printf("%-24s %-5s %-18s", name, pelton_dtype_name(t->dtype), format_shape(&t->shape).text);
  if (t->dtype == PELTON_DTYPE_TENSOR) {
    print_items(name, t);
    return;
  }
  if (t->dtype == PELTON_DTYPE_STRING) {
    print_texts(t);
    return;
  }
  const tensor_summary s = tensor_summarize(t);
  if (tensor_count(&t->shape) > s.not_finite) printf(" min %.6g max %.6g mean %.6g", s.min, s.max, s.mean);
  if (s.not_finite) printf(" (%zu not finite)", s.not_finite);
  putchar('\n');
}

static void write_output(json_writer *json, const char *name, const pelton_tensor *t) {
  json_begin(json, NULL, '{');
  json_text(json, "name", name);
  json_text(json, "type", pelton_dtype_name(t->dtype));
  json_begin(json, "shape", '[');
  for (uint32_t d = 0; d < t->shape.rank; d++) json_integer(json, NULL, t->shape.dims[d]);
  json_end(json, ']');
  if (t->dtype == PELTON_DTYPE_TENSOR) {
    json_begin(json, "items", '[');
    for (size_t i = 0; i < tensor_item_count(t); i++) {
      char *item = memory_format("%s_%zu", name, i);
      write_output(json, item, tensor_item(t, i));
      free(item);
    }
    json_end(json, ']');
    json_end(json, '}');
    return;
  }
  if (t->dtype == PELTON_DTYPE_STRING) {
    json_begin(json, "texts", '[');
    for (size_t i = 0; i < tensor_count(&t->shape) && i < SHOWN_TEXTS; i++) {
      const pelton_string s = ((const pelton_string *)t->data)[i];
      char *text = memory_format("%.*s", (int)(s.bytes < 4096 ? s.bytes : 4096), s.bytes ? s.data : "");
      json_text(json, NULL, text);
      free(text);
    }
    json_end(json, ']');
    json_end(json, '}');
    return;
  }
  const tensor_summary s = tensor_summarize(t);
  json_number(json, "min", s.min);
  json_number(json, "max", s.max);
  json_number(json, "mean", s.mean);
  json_integer(json, "not_finite", (int64_t)s.not_finite);
  json_end(json, '}');
}

static int show_outputs(const run *r, const pelton_engine *engine, const pelton_tensor *outputs, double best) {
  json_writer json = {stdout, false};
  int code = EXIT_DONE;
  if (r->json) {
    json_begin(&json, NULL, '{');
    json_text(&json, "target", pelton_engine_target(engine));
    json_begin(&json, "outputs", '[');
  }
  for (uint32_t i = 0; i < pelton_engine_output_count(engine) && !code; i++) {
    pelton_io_info info;
    if (pelton_engine_output(engine, i, &info))
      code = EXIT_BUG;
    else if (r->json)
      write_output(&json, info.name, &outputs[i]);
    else
      print_output(info.name, &outputs[i]);
    if (!code && r->output_dir) code = save_output(r, info.name, &outputs[i]);
  }
  if (r->json) {
    json_end(&json, ']');
    json_number(&json, "best_ms", 1e3 * best);
    json_end(&json, '}');
    putchar('\n');
  } else {
    fprintf(stderr, "pelton: %.3f ms (the best of %lld)\n", 1e3 * best, (long long)r->repeat);
  }
  return code;
}

static int run_engine(const run *r, pelton_engine *engine, const tensors *inputs) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context = NULL;
  const uint32_t count = pelton_engine_output_count(engine);
  pelton_tensor *outputs = memory_new(count, sizeof *outputs);
  pelton_status status = pelton_context_create(engine, NULL, &context, &diag);
  double best = 1e30;
  for (int64_t i = 0; i < r->repeat && !status; i++) {
    memset(outputs, 0, count * sizeof *outputs);
    const double start = clock_now();
    status = pelton_context_run(context, inputs->data, inputs->count, outputs, count, &diag);
    const double seconds = clock_now() - start;
    if (seconds < best) best = seconds;
  }
  const int code = status ? print_failure(status, &diag, NULL) : show_outputs(r, engine, outputs, best);
  pelton_context_release(context);
  free(outputs);
  return code;
}

static int run_path(const run *r, const char *path) {
  pelton_diag diag = PELTON_DIAG_INIT;
  loaded it;
  tensors inputs;
  if (r->output_dir && !make_folder(r->output_dir)) return EXIT_INPUT;
  const pelton_status status = load_engine(path, &r->load, &it, &diag);
  if (status) return print_failure(status, &diag, NULL);
  int code = inputs_make(it.engine, &r->load, &r->inputs, NULL, (uint64_t)r->seed, &inputs);
  if (!code) {
    code = run_engine(r, it.engine, &inputs);
    tensors_release(&inputs);
  }
  pelton_engine_release(it.engine);
  return code;
}

int command_run(int argc, char **argv) {
  run r = {.load = LOAD_OPTIONS_INIT, .repeat = 1};
  const option rows[] = {
      {"input", 'i', OPTION_LIST, &r.inputs, "NAME=FILE", "an input from a .npy, a .pb or an image; again for more", 0,
       0},
      {"output-dir", 'o', OPTION_TEXT, &r.output_dir, "DIR",
       "write each output there, as NAME.npy; items of a sequence as NAME_0.npy, NAME_1.npy ...", 0, 0},
      {"repeat", 0, OPTION_INTEGER, &r.repeat, "N", "run it N times, for the best time", 1, 1e9},
      {"seed", 0, OPTION_INTEGER, &r.seed, "N", "of random inputs (0)", 0, 0},
      LOAD_ROWS(r.load),
      {"json", 0, OPTION_FLAG, &r.json, NULL, "the table as JSON", 0, 0},
  };
  const option_table table = {"run ENGINE|MODEL [options]",
                              "Runs an engine, or a model that is built in memory. Inputs that are not given are "
                              "random numbers from a seed. An\n"
                              "image becomes [1,C,H,W] in the network's size, RGB, 0 to 255. A sequence or an optional comes "
                              "from a .pb, or\nfrom FILE_0.npy, FILE_1.npy ... when FILE.npy is given.",
                              rows,
                              OPTION_COUNT(rows),
                              1,
                              1};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON) {
    code = load_prepare(&r.load);
    if (!code) code = run_path(&r, words.data[0]);
  }
  load_release(&r.load);
  free(r.inputs.data);
  free(words.data);
  return code;
}
