#include "load.h"

#include "data/inputs.h"
#include "text/progress.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- shapes --------------------------------------------------------------------------------------------------------
 */

/* 1x3x224x224; nothing is a scalar. */
static bool parse_dims(const char *text, size_t size, pelton_shape *out) {
  const char *end = text + size;
  out->rank = 0;
  while (text < end) {
    char *after;
    errno = 0;
    const long long dim = *text >= '0' && *text <= '9' ? strtoll(text, &after, 10) : -1;
    if (dim < 0 || errno || after > end || out->rank == PELTON_MAX_RANK) return false;
    out->dims[out->rank++] = dim;
    text = after;
    if (text == end) return true;
    if (*text++ != 'x' || text == end) return false;
  }
  return true;
}

static pelton_input_profile *profile_of(load_options *o, const char *name, size_t size) {
  for (uint32_t i = 0; i < o->profile_count; i++)
    if (strlen(o->profiles[i].name) == size && !memcmp(o->profiles[i].name, name, size)) return &o->profiles[i];
  o->profiles = memory_grow(o->profiles, o->profile_count + 1u, sizeof *o->profiles);
  pelton_input_profile *added = &o->profiles[o->profile_count++];
  *added = (pelton_input_profile){.name = memory_format("%.*s", (int)size, name)};
  return added;
}

/* NAME:DIMS[,NAME:DIMS...]. Names may hold colons: the last one counts. |offset| is of the shape within a profile. */
static bool parse_shapes(load_options *o, const text_list *texts, size_t offset) {
  for (uint32_t i = 0; i < texts->count; i++) {
    for (const char *text = texts->data[i]; *text;) {
      const size_t size = strcspn(text, ",");
      size_t colon = size;
      while (colon > 0 && text[colon - 1] != ':') colon--;
      pelton_shape shape = {0, {0}};
      if (colon < 2 || !parse_dims(text + colon, size - colon, &shape)) {
        print_error("'%.*s' is no shape of an input; write NAME:1x3x224x224", (int)size, text);
        return false;
      }
      memcpy((char *)profile_of(o, text, colon - 1) + offset, &shape, sizeof shape);
      text += size + (text[size] == ',');
    }
  }
  return true;
}

/* NAME=LO:HI */
static bool parse_ranges(load_options *o) {
  for (uint32_t i = 0; i < o->input_ranges.count; i++) {
    const char *text = o->input_ranges.data[i], *equals = strrchr(text, '=');
    char *middle = NULL, *end = NULL;
    pelton_input_range range = {0};
    if (equals && equals > text) range.lo = strtod(equals + 1, &middle);
    if (middle && middle > equals + 1 && *middle == ':') range.hi = strtod(middle + 1, &end);
    if (!end || end == middle + 1 || *end) {
      print_error("'%s' is no range of an input; write NAME=-1:1", text);
      return false;
    }
    range.name = memory_format("%.*s", (int)(equals - text), text);
    o->ranges = memory_grow(o->ranges, o->range_count + 1u, sizeof *o->ranges);
    o->ranges[o->range_count++] = range;
  }
  return true;
}

static bool check_precision(const load_options *o) {
  static const char *const words[] = {"fp32", "fp16", "bf16", "tf32", "best"};
  for (const char *text = o->precision; text;) {
    const size_t size = strcspn(text, ",");
    bool known = false;
    if (size == 4 && !memcmp(text, "best", 4) && strcmp(o->precision, "best") != 0) {
      print_error("--precision '%s': best stands by itself", o->precision);
      return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
      known = known || (strlen(words[i]) == size && !memcmp(words[i], text, size));
    if (!known) {
      print_error("'%.*s' is no precision: fp32, fp16, bf16, tf32, several with commas, or best", (int)size, text);
      return false;
    }
    text = text[size] ? text + size + 1 : NULL;
  }
  return true;
}

int load_prepare(load_options *o) {
  bool ok = check_precision(o) && parse_ranges(o) && parse_shapes(o, &o->min_shapes, offsetof(pelton_input_profile, min)) &&
            parse_shapes(o, &o->max_shapes, offsetof(pelton_input_profile, max));
  /* Without others, the largest shape is the one to be ready for. */
  for (uint32_t i = 0; i < o->profile_count; i++)
    o->profiles[i].opt = o->profiles[i].max.rank ? o->profiles[i].max : o->profiles[i].min;
  ok = ok && parse_shapes(o, &o->opt_shapes, offsetof(pelton_input_profile, opt)) &&
       parse_shapes(o, &o->shapes, offsetof(pelton_input_profile, opt));
  for (uint32_t i = 0; i < o->profile_count && ok; i++) {
    const pelton_input_profile *p = &o->profiles[i];
    if ((p->min.rank && p->min.rank != p->opt.rank) || (p->max.rank && p->max.rank != p->opt.rank)) {
      print_error("input '%s': its shapes %s, %s, %s (least, best, largest) have different ranks", p->name,
                  format_shape(&p->min).text, format_shape(&p->opt).text, format_shape(&p->max).text);
      ok = false;
    }
  }
  return ok ? EXIT_DONE : EXIT_USAGE;
}

void load_release(load_options *o) {
  for (uint32_t i = 0; i < o->profile_count; i++) free((void *)(uintptr_t)o->profiles[i].name);
  free(o->profiles);
  for (uint32_t i = 0; i < o->range_count; i++) free((void *)(uintptr_t)o->ranges[i].name);
  free(o->ranges);
  free(o->samples.data);
  free(o->input_ranges.data);
  free(o->shapes.data);
  free(o->overrides.data);
  free(o->min_shapes.data);
  free(o->opt_shapes.data);
  free(o->max_shapes.data);
}

bool load_input_shape(const load_options *o, const pelton_io_info *input, pelton_shape *out) {
  const pelton_input_profile *profile = NULL;
  for (uint32_t i = 0; i < o->profile_count; i++)
    if (!strcmp(o->profiles[i].name, input->name)) profile = &o->profiles[i];
  *out = input->shape;
  if (!input->rank_known) {
    if (profile)
      *out = profile->opt;
    else
      print_error("input '%s' has no known rank: give its shape with --shapes %s:1x3", input->name, input->name);
    return profile != NULL;
  }
  if (profile && profile->opt.rank != input->shape.rank) {
    print_error("input '%s' has rank %u, --shapes gives it %u", input->name, input->shape.rank, profile->opt.rank);
    return false;
  }
  for (uint32_t d = 0; d < out->rank; d++) {
    if (out->dims[d] < 0) out->dims[d] = profile ? profile->opt.dims[d] : 1;
    if (profile) out->dims[d] = profile->opt.dims[d]; /* the library says when a fixed dim differs */
  }
  return true;
}

/* ---- engines -------------------------------------------------------------------------------------------------------
 */

bool path_is_engine(const char *path) {
  static const char magic[8] = "PELTON\x1a\n";
  char start[8];
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  const bool is = fread(start, 1, sizeof start, file) == sizeof start && !memcmp(start, magic, sizeof magic);
  fclose(file);
  return is;
}

static progress bar; /* engines keep the log, and so this, when their build is over */

/* What is warned of stands above the bar. */
static void print_warning(void *self, pelton_log_level level, const char *message) {
  if (level < PELTON_LOG_WARNING) return;
  progress_end(self);
  print_note("%s", message);
}

static const pelton_log warnings = {&bar, print_warning};

pelton_status load_open(const char *path, const load_options *o, loaded *out, pelton_diag *diag) {
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  options.target = o->target;
  options.device_index = o->device > 0 ? (uint32_t)o->device : 0;
  options.device_libraries = o->device_libraries;
  options.cpu_isa = o->cpu_isa;
  options.threads = (uint32_t)o->threads;
  options.compile_kernels = o->compile_kernels;
  if (!o->quiet) options.log = &warnings;
  *out = (loaded){.engine = NULL};
  const double start = clock_now();
  const pelton_status status = pelton_engine_open(path, &options, &out->engine, diag);
  out->open_seconds = clock_now() - start;
  return status;
}

static bool is_cpu(const char *target) { return !target || !strcmp(target, "cpu"); }

static void note_unused_libraries(const load_options *o) {
  if (o->device_libraries) print_note("nothing comes of --device-libraries: the target is cpu");
}

static bool is_folder(const char *path) {
  struct stat found;
  return !stat(path, &found) && S_ISDIR(found.st_mode);
}

static bool has_profile(const load_options *o, const char *name) {
  bool has = false;
  for (uint32_t i = 0; i < o->profile_count; i++) has = has || !strcmp(o->profiles[i].name, name);
  return has;
}

/* What the build is going to plan for an input, where that is known before; else -1. */
static bool planned_shape(const load_options *o, const pelton_io_info *input, pelton_shape *out) {
  if (!input->rank_known || !load_input_shape(o, input, out)) return false;
  for (uint32_t d = 0; d < out->rank && !has_profile(o, input->name); d++)
    if (input->shape.dims[d] < 0) out->dims[d] = d || o->profile_count ? -1 : 1; /* a batch is one */
  return true;
}

/* Whether |sample| has the shapes that are planned; else a message. */
static bool check_sample(const pelton_engine *engine, const load_options *o, const char *path, const tensors *sample) {
  for (uint32_t i = 0; i < sample->count; i++) {
    pelton_io_info info;
    pelton_shape wanted;
    const pelton_shape *got = &sample->data[i].shape;
    if (pelton_engine_input(engine, i, &info) || !planned_shape(o, &info, &wanted)) continue;
    bool same = got->rank == wanted.rank, could = same;
    for (uint32_t d = 0; d < wanted.rank && could; d++) {
      same = same && (wanted.dims[d] < 0 || got->dims[d] == wanted.dims[d]);
      could = info.shape.dims[d] < 0 || got->dims[d] == info.shape.dims[d];
    }
    if (same && could) continue;
    char *remedy =
        could ? memory_format("; give --shapes %s:%s", info.name, format_shape(got).text) : memory_text("");
    print_error("sample %s: input '%s' has shape %s there, the engine is planned for %s%s", path, info.name,
                format_shape(got).text, format_shape(&wanted).text, remedy);
    free(remedy);
    return false;
  }
  return true;
}

static pelton_status status_of(int code) {
  return code == EXIT_INPUT      ? PELTON_INVALID_DATA
         : code == EXIT_RESOURCE ? PELTON_OUT_OF_MEMORY
                                 : PELTON_INVALID_ARGUMENT;
}

/* The samples as tensors, by the inputs of an engine that is built for nothing else. */
static pelton_status load_samples(const pelton_model *model, const pelton_build_options *options, const load_options *o,
                                  tensors *out, pelton_diag *diag) {
  pelton_build_options plain = *options;
  pelton_engine *engine;
  *out = (tensors){0};
  plain.precision = plain.layer_precision = plain.timing_cache = plain.targets = NULL;
  plain.range_count = plain.strict = 0;
  plain.level = 0;
  pelton_status status = pelton_engine_build(model, &plain, &engine, diag);
  if (status) return status;
  for (uint32_t i = 0; i < o->samples.count && !status; i++) {
    const char *path = o->samples.data[i];
    pelton_io_info info;
    char *named = NULL;
    text_list files = {0};
    tensors one = {0};
    for (uint32_t k = 0; k < pelton_engine_input_count(engine) && is_folder(path) && !status; k++) {
      status = pelton_engine_input(engine, k, &info);
      char *file = memory_format("%s/%s.npy", path, status ? "" : info.name);
      if (!status && access(file, R_OK)) {
        print_error("sample %s has no file for input '%s': %s", path, info.name, file);
        status = PELTON_INVALID_ARGUMENT;
      }
      free(file);
    }
    if (status) break;
    if (!is_folder(path) && !pelton_engine_input(engine, 0, &info)) {
      named = memory_format("%s=%s", info.name, path);
      files.data = memory_grow(NULL, 1, sizeof *files.data);
      files.data[files.count++] = named;
    }
    const int code = inputs_make(engine, o, &files, named ? NULL : path, 0, &one);
    if (code) status = status_of(code); /* the reason is printed */
    if (!code && !check_sample(engine, o, path, &one)) {
      status = PELTON_INVALID_ARGUMENT;
      tensors_release(&one);
    }
    if (!status) {
      out->data = memory_grow(out->data, out->count + one.count, sizeof *out->data);
      memcpy(out->data + out->count, one.data, one.count * sizeof *one.data);
      out->count += one.count;
      free(one.data);
    }
    free(files.data);
    free(named);
  }
  pelton_engine_release(engine);
  return status;
}

pelton_status load_build(const char *path, const load_options *o, loaded *out, pelton_diag *diag) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  options.targets = o->target;
  options.device_index = o->device > 0 ? (uint32_t)o->device : 0;
  options.device_libraries = o->device_libraries;
  options.precision = o->precision;
  options.cpu_isa = o->cpu_isa;
  options.threads = (uint32_t)o->threads;
  if (o->level >= 0) options.level = (int32_t)o->level;
  options.budget_seconds = o->budget;
  options.error_bound = o->error_bound;
  options.profiles = o->profiles;
  options.profile_count = o->profile_count;
  options.timing_cache = o->timing_cache;
  options.no_passes = o->no_passes;
  options.omit_packed = o->omit_packed;
  options.only_kernels = o->only_kernels;
  options.weight_limit_bytes = (uint64_t)ceil(o->weight_limit * 1e6); /* of less than a byte: not none */
  options.layer_precision = o->layer_precision;
  options.strict = o->strict;
  options.ranges = o->ranges;
  options.range_count = o->range_count;
  if (!o->quiet) options.log = &warnings;
  if (!o->quiet && is_cpu(o->target)) note_unused_libraries(o);
  if (!o->quiet && !o->precision && !o->layer_precision && (o->samples.count || o->input_ranges.count))
    print_note("nothing comes of %s without --precision", o->samples.count ? "--samples" : "--input-range");
  *out = (loaded){.built = true};
  const double start = clock_now();
  pelton_model *model = NULL;
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  import.overrides = (const char *const *)o->overrides.data;
  import.override_count = o->overrides.count;
  import.log = options.log;
  pelton_status status = pelton_model_import(path, &import, &model, diag);
  tensors samples = {0};
  if (!status && o->samples.count) {
    status = load_samples(model, &options, o, &samples, diag);
    options.samples = samples.data;
    options.sample_count = o->samples.count;
  }
  progress_start(&bar, o->quiet);
  options.progress = progress_report;
  options.progress_self = &bar;
  if (!status) status = pelton_engine_build(model, &options, &out->engine, diag);
  progress_end(&bar);
  tensors_release(&samples);
  pelton_model_release(model);
  out->build_seconds = clock_now() - start;
  return status;
}

pelton_status load_probe(const load_options *o, uint32_t index, pelton_diag *diag) {
  static const char nothing[] = "graph \"nothing\"(%x: f32[1]) -> (%x)\nend\n";
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_model *model = NULL;
  pelton_engine *engine = NULL;
  options.targets = o->target;
  options.device_index = index;
  options.device_libraries = o->device_libraries;
  options.cpu_isa = o->cpu_isa;
  options.threads = 1;
  options.level = 0;
  pelton_status status = pelton_model_parse(nothing, sizeof nothing - 1, NULL, &model, diag);
  if (!status) status = pelton_engine_build(model, &options, &engine, diag);
  pelton_engine_release(engine);
  pelton_model_release(model);
  return status;
}

/* Options that only a build heeds, given for an engine: all in one note. */
static void note_unused(const load_options *o, const char *path) {
  const struct {
    const char *name;
    bool given;
  } options[] = {{"precision", o->precision},
                 {"samples", o->samples.count},
                 {"input-range", o->input_ranges.count},
                 {"layer-precision", o->layer_precision},
                 {"strict", o->strict},
                 {"level", o->level >= 0},
                 {"budget", o->budget > 0},
                 {"timing-cache", o->timing_cache},
                 {"error-bound", o->error_bound > 0},
                 {"weight-limit", o->weight_limit > 0},
                 {"override", o->overrides.count},
                 {"no-passes", o->no_passes}};
  char names[256] = "";
  size_t used = 0;
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
    if (options[i].given)
      used += (size_t)snprintf(names + used, sizeof names - used, "%s--%s", used ? ", " : "", options[i].name);
  if (used) print_note("%s is built already, so that nothing comes of %s", path, names);
}

pelton_status load_engine(const char *path, const load_options *o, loaded *out, pelton_diag *diag) {
  if (!path_is_engine(path)) return load_build(path, o, out, diag);
  note_unused(o, path);
  const pelton_status status = load_open(path, o, out, diag);
  if (!status && !o->quiet && is_cpu(pelton_engine_target(out->engine))) note_unused_libraries(o);
  return status;
}
