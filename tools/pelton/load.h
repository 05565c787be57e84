/* From the word ENGINE|MODEL on the command line to an engine: engine files are opened, models are imported and built
   in memory, with the options that all subcommands share. */
#ifndef LOAD_H
#define LOAD_H

#include "data/tensor.h"
#include "pelton/build.h"
#include "text/options.h"

typedef struct load_options {
  const char *target, *precision, *cpu_isa, *timing_cache, *device_libraries;
  int64_t threads, level, device;
  double budget;
  bool no_passes, omit_packed, compile_kernels, only_kernels;
  text_list shapes, min_shapes, opt_shapes, max_shapes;
  text_list overrides; /* names */
  text_list samples, input_ranges;
  const char *layer_precision;
  bool strict;
  /* Filled in by load_prepare. */
  pelton_input_profile *profiles;
  uint32_t profile_count;
  pelton_input_range *ranges;
  uint32_t range_count;
  double error_bound, weight_limit; /* MB */
  bool quiet; /* no progress, no notes of the library */
} load_options;

/* clang-format off */
#define LOAD_OPTIONS_INIT {.level = -1, .device = -1} /* -1: not given */

/* Rows of an option table. */
#define LOAD_ROWS(o)                                                                                                   \
  {"target", 0, OPTION_TEXT, &(o).target, "T", "cpu or cuda", 0, 0},                                                   \
  {"device", 0, OPTION_INTEGER, &(o).device, "N", "which of the target's devices: see pelton devices", 0, 1024},       \
  {"device-libraries", 0, OPTION_TEXT, &(o).device_libraries, "DIRS", "of its driver, if not installed", 0, 0},         \
  {"precision", 0, OPTION_TEXT, &(o).precision, "P", "fp16, bf16, tf32, several with commas, or best: where safe", 0, 0}, \
  {"samples", 0, OPTION_LIST, &(o).samples, "PATH", "for --precision: a folder of NAME.npy, or the only input's file", 0, 0}, \
  {"input-range", 0, OPTION_LIST, &(o).input_ranges, "NAME=LO:HI", "for --precision: what an input may be", 0, 0},      \
  {"layer-precision", 0, OPTION_TEXT, &(o).layer_precision, "GLOB=P,...", "of nodes by name, whatever is safe", 0, 0},   \
  {"strict", 0, OPTION_FLAG, &(o).strict, NULL, "fail where a layer cannot have the --precision", 0, 0},               \
  {"shapes", 0, OPTION_LIST, &(o).shapes, "NAME:1x3x8x8", "of dynamic inputs; several with commas or again", 0, 0},    \
  {"cpu-isa", 0, OPTION_TEXT, &(o).cpu_isa, "ISA", "portable, avx2, avx512, sm_80, ...: less than it has", 0, 0},            \
  {"threads", 0, OPTION_INTEGER, &(o).threads, "N", "threads of the engine; 0: all that it may use", 0, 4096},         \
  {"level", 0, OPTION_INTEGER, &(o).level, "0-5", "how much is timed when a model is built; 0: nothing", 0, 5},        \
  {"error-bound", 0, OPTION_NUMBER, &(o).error_bound, "E", "of fast convolutions, relative (3e-5)", 0, 1},              \
  {"weight-limit", 0, OPTION_NUMBER, &(o).weight_limit, "MB", "of weights as packed; the fastest that keeps to it", 0, 1e9}, \
  {"timing-cache", 0, OPTION_TEXT, &(o).timing_cache, "FILE", "measured times, read and extended", 0, 0},              \
  {"override", 0, OPTION_LIST, &(o).overrides, "NAME", "a constant that the model lets replace: make it an input", 0, 0}, \
  {"compile-kernels", 0, OPTION_FLAG, &(o).compile_kernels, NULL, "do not run the compiled kernels of an engine file", 0, 0}, \
  {"no-passes", 0, OPTION_FLAG, &(o).no_passes, NULL, "build the graph as it was imported", 0, 0}
/* clang-format on */

/* Checks the texts of shapes; an exit code, or EXIT_DONE. */
int load_prepare(load_options *options);
void load_release(load_options *options);

typedef struct loaded {
  pelton_engine *engine;
  bool built;           /* it was a model */
  double build_seconds; /* of import and build, when it was built */
  double open_seconds;  /* when it was opened */
} loaded;

/* Opens or builds |path|; a note says which options an engine file makes no use of. */
pelton_status load_engine(const char *path, const load_options *options, loaded *out, pelton_diag *diag);
/* Opens an engine file. */
pelton_status load_open(const char *path, const load_options *options, loaded *out, pelton_diag *diag);
/* Imports and builds. */
pelton_status load_build(const char *path, const load_options *options, loaded *out, pelton_diag *diag);
bool path_is_engine(const char *path);
/* Whether device |index| can be used: opens and closes it. */
pelton_status load_probe(const load_options *options, uint32_t index, pelton_diag *diag);

/* The input's shape for running: dynamic dims as --shapes says, else 1. False with a message when they do not fit. */
bool load_input_shape(const load_options *options, const pelton_io_info *input, pelton_shape *out);

#endif
