/* pelton inspect: the graph of a model or an engine, and what else an engine holds. */
#include "data/inputs.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

typedef struct inspect {
  load_options load;
  bool json, text;
  int64_t max_constant_bytes;
} inspect;

static void print_io(const char *kind, const pelton_io_info *info) {
  printf("# %-8s %s: ", kind, info->name);
  for (uint32_t i = 0; i < info->item_depth; i++) fputs(i == 0 && info->optional ? "optional<" : "tensor<", stdout);
  fputs(pelton_dtype_name(info->item_depth ? info->item : info->dtype), stdout);
  for (uint32_t i = 0; i < info->item_depth; i++) putchar('>');
  putchar('[');
  if (!info->rank_known) printf("...");
  for (uint32_t d = 0; d < info->shape.rank && info->rank_known; d++) {
    if (d) putchar(',');
    if (info->shape.dims[d] >= 0)
      printf("%lld", (long long)info->shape.dims[d]);
    else
      fputs(info->dim_names[d] && *info->dim_names[d] ? info->dim_names[d] : "?", stdout);
  }
  puts("]");
}

/* Compiled code, all of one form and compiler in a line. */
static void print_kernels(const json_value *kernels) {
  for (const json_value *p = kernels ? kernels->first : NULL; p; p = p->next) {
    const char *form = json_get_text(p, "form"), *compiler = json_get_text(p, "compiler");
    double bytes = 0;
    uint32_t count = 0;
    bool told = false;
    for (const json_value *q = kernels->first; q; q = q->next) {
      if (strcmp(json_get_text(q, "form"), form) != 0 || strcmp(json_get_text(q, "compiler"), compiler) != 0) continue;
      told |= !count && q != p;
      count++;
      bytes += json_get_number(q, "bytes", 0);
    }
    if (!told)
      printf("# kernels  %u for %s, compiled by %s: %s\n", count, form, compiler, format_bytes((uint64_t)bytes).text);
  }
}

/* Sections and plans, as comments before the text of the graph. */
static void print_parts(const char *text) {
  json_value *json = json_parse(text);
  const json_value *sections = json_get(json, "sections"), *plans = json_get(json, "plans");
  for (const json_value *s = sections ? sections->first : NULL; s; s = s->next)
    printf("# section  %s: %s at %.0f\n", json_get_text(s, "kind"),
           format_bytes((uint64_t)json_get_number(s, "bytes", 0)).text, json_get_number(s, "offset", 0));
  print_kernels(json_get(json, "kernels"));
  for (const json_value *p = plans ? plans->first : NULL; p; p = p->next) {
    const json_value *decisions = json_get(p, "decisions");
    printf("# plan     %s, %s: %u steps\n", json_get_text(p, "target"), json_get_text(p, "device"),
           json_count(decisions));
    for (const json_value *d = decisions ? decisions->first : NULL; d; d = d->next) {
      printf("#   node %4.0f", json_get_number(d, "first_node", 0));
      if (json_get_number(d, "nodes", 1) > 1) printf(" and %.0f more", json_get_number(d, "nodes", 1) - 1);
      printf("  %s.%.0f", json_get_text(d, "tactic"), json_get_number(d, "version", 0));
      if (*json_get_text(d, "in_layout") || *json_get_text(d, "out_layout"))
        printf("  %s -> %s", json_get_text(d, "in_layout"), json_get_text(d, "out_layout"));
      putchar('\n');
    }
  }
  const json_value *host = json_get(json, "host");
  for (const json_value *h = host ? host->first : NULL; h; h = h->next)
    printf("# host     %s '%s': %s\n", json_get_text(h, "op"), json_get_text(h, "node"), json_get_text(h, "reason"));
  json_free(json);
}

/* What a context of --shapes' shapes, else of those that the engine was built for, will allocate. */
static pelton_status measure_memory(const inspect *o, pelton_engine *engine, pelton_device_memory *out,
                                    pelton_diag *diag) {
  const uint32_t count = pelton_engine_input_count(engine);
  pelton_shape *shapes = o->load.profile_count ? memory_new(count, sizeof *shapes) : NULL;
  bool ok = inputs_are_known(engine, &o->load);
  pelton_io_info info;
  for (uint32_t i = 0; i < count && shapes && ok; i++)
    ok = !pelton_engine_input(engine, i, &info) && load_input_shape(&o->load, &info, &shapes[i]);
  *out = (pelton_device_memory){(uint32_t)sizeof *out, 0, 0};
  const pelton_status status =
      ok ? pelton_engine_device_memory(engine, shapes, out, diag) : PELTON_INVALID_ARGUMENT; /* the reason is printed */
  free(shapes);
  return status;
}

/* |text| is an object: one member more. */
static void print_engine_json(const char *text, const pelton_engine *engine, const pelton_device_memory *memory) {
  json_writer json = {stdout, true};
  printf("%.*s", (int)strlen(text) - 1, text);
  json_begin(&json, "device_memory", '{');
  json_text(&json, "target", pelton_engine_target(engine));
  json_integer(&json, "weight_bytes", (int64_t)memory->weight_bytes);
  json_integer(&json, "context_bytes", (int64_t)memory->context_bytes);
  json_end(&json, '}');
  puts("}");
}

static pelton_status print_engine(const inspect *o, pelton_engine *engine, pelton_diag *diag) {
  char *text = NULL;
  pelton_device_memory device;
  const bool measured = o->load.target || o->load.profile_count;
  pelton_status status = measured ? measure_memory(o, engine, &device, diag) : PELTON_OK;
  if (!status) status = pelton_engine_json(engine, &text, diag);
  if (status) return status;
  if (o->json) {
    if (measured)
      print_engine_json(text, engine, &device);
    else
      puts(text);
    pelton_text_release(text);
    return PELTON_OK;
  }
  pelton_io_info info;
  pelton_memory_info memory;
  for (uint32_t i = 0; i < pelton_engine_input_count(engine) && !pelton_engine_input(engine, i, &info); i++)
    print_io("input", &info);
  for (uint32_t i = 0; i < pelton_engine_output_count(engine) && !pelton_engine_output(engine, i, &info); i++)
    print_io("output", &info);
  if (!pelton_engine_memory(engine, &memory))
    printf("# memory   weights %s, a context %s, file %s\n", format_bytes(memory.weight_bytes).text,
           format_bytes(memory.context_bytes).text, format_bytes(memory.file_bytes).text);
  if (measured)
    printf("# device   memory of %s: weights %s (%llu bytes) once, each context %s (%llu bytes)\n",
           pelton_engine_target(engine), format_bytes(device.weight_bytes).text,
           (unsigned long long)device.weight_bytes, format_bytes(device.context_bytes).text,
           (unsigned long long)device.context_bytes);
  print_parts(text);
  pelton_text_release(text);
  text = NULL;
  status = pelton_engine_text(engine, (size_t)o->max_constant_bytes, &text, diag);
  if (!status) fputs(text, stdout);
  pelton_text_release(text);
  return status;
}

static pelton_status print_model(const inspect *o, const char *path, pelton_diag *diag) {
  pelton_model *model = NULL;
  char *text = NULL;
  pelton_status status = pelton_model_import(path, NULL, &model, diag);
  if (!status) status = pelton_model_print(model, (size_t)o->max_constant_bytes, &text, diag);
  if (!status) fputs(text, stdout);
  pelton_text_release(text);
  pelton_model_release(model);
  return status;
}

/* Of a model file: what it says by its own names, and where Pelton can build it, the graph as it was imported: no
   passes, nothing timed. The members of both are one object. */
static pelton_status print_model_json(const char *path, pelton_diag *diag) {
  loaded it = {.engine = NULL};
  char *said = NULL, *graph = NULL;
  pelton_status status = pelton_model_describe(path, NULL, &said, diag);
  if (status) return status;
  load_options plain = LOAD_OPTIONS_INIT;
  plain.no_passes = true;
  plain.level = 0;
  plain.quiet = true;
  pelton_diag refused = PELTON_DIAG_INIT;
  if (load_build(path, &plain, &it, &refused) || pelton_engine_json(it.engine, &graph, &refused)) {
    for (uint32_t i = 0; i < refused.count; i++) print_note("it cannot be built: %s", pelton_diag_message(&refused, i));
    puts(said);
  } else {
    printf("%.*s,%s\n", (int)strlen(said) - 1, said, graph + 1);
  }
  pelton_text_release(graph);
  pelton_text_release(said);
  pelton_engine_release(it.engine);
  return PELTON_OK;
}

static pelton_status print_path(inspect *o, const char *path, pelton_diag *diag) {
  loaded it = {.engine = NULL};
  if (!path_is_engine(path)) {
    const char *unused = o->load.target ? "target" : o->load.profile_count ? "shapes" : NULL;
    if (unused) print_note("%s is no engine, so that nothing comes of --%s: build it first", path, unused);
    return o->json ? print_model_json(path, diag) : print_model(o, path, diag);
  }
  o->load.quiet = !o->load.target && !o->load.profile_count; /* nothing runs: which device it would is of no interest then */
  pelton_status status = load_engine(path, &o->load, &it, diag);
  if (!status) status = print_engine(o, it.engine, diag);
  pelton_engine_release(it.engine);
  return status;
}

/* One after another; as JSON, several are an array of {file, exit_code, holds}. */
static int print_paths(inspect *o, const text_list *paths) {
  const bool several = paths->count > 1, array = several && o->json;
  json_writer json = {stdout, false};
  int worst = EXIT_DONE;
  if (array) json_begin(&json, NULL, '[');
  for (uint32_t i = 0; i < paths->count; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    if (several && !o->json) printf("# file     %s\n", paths->data[i]);
    if (array) {
      json_begin(&json, NULL, '{');
      json_text(&json, "file", paths->data[i]);
      json_raw(&json, "holds", "");
    }
    const pelton_status status = print_path(o, paths->data[i], &diag);
    if (array && status) fputs("null", stdout);
    const int code = status ? print_failure(status, &diag, NULL) : EXIT_DONE;
    if (code > worst) worst = code;
    if (!array) continue;
    json_integer(&json, "exit_code", code);
    json_end(&json, '}');
  }
  if (array) json_end(&json, ']');
  return worst;
}

int command_inspect(int argc, char **argv) {
  inspect o = {.load = LOAD_OPTIONS_INIT, .max_constant_bytes = 64};
  const option rows[] = {
      {"json", 0, OPTION_FLAG, &o.json, NULL, "as JSON", 0, 0},
      {"text", 0, OPTION_FLAG, &o.text, NULL, "as Pelton's text form (the default)", 0, 0},
      {"constants", 0, OPTION_INTEGER, &o.max_constant_bytes, "BYTES",
       "print constants up to this size (64); 0: all, to be read again", 0, 0},
      {"target", 0, OPTION_TEXT, &o.load.target, "T", "what an engine will allocate on this target's device", 0, 0},
      {"shapes", 0, OPTION_LIST, &o.load.shapes, "NAME:1x3x8x8", "what it will allocate for these; several with commas or again",
       0, 0},
      {"device", 0, OPTION_INTEGER, &o.load.device, "N", "which of the target's devices: see pelton devices", 0, 1024},
      {"device-libraries", 0, OPTION_TEXT, &o.load.device_libraries, "DIRS", "of its driver, if not installed", 0, 0},
  };
  const option_table table = {"inspect FILE... [--json|--text]",
                              "What a model or an engine holds: graph, plan, sections, where each node came from.",
                              rows,
                              OPTION_COUNT(rows),
                              1,
                              UINT32_MAX};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON && (o.max_constant_bytes < 0 || (o.json && o.text))) {
    print_error(o.json ? "--json and --text exclude each other" : "--constants takes no negative size");
    code = EXIT_USAGE;
  }
  if (code == OPTIONS_GO_ON) {
    code = load_prepare(&o.load);
    if (!code) code = print_paths(&o, &words);
  }
  load_release(&o.load);
  free(words.data);
  return code;
}
