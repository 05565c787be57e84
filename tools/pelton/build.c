/* pelton build: a model in, an engine file out. */
#include "data/files.h"
#include "load.h"
#include "text/json.h"
#include "text/report.h"

#include <stdlib.h>
#include <sys/stat.h>

typedef struct build {
  load_options load;
  const char *output, *report;
  bool json;
} build;

static uint64_t file_size(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static int print_summary(const build *b, const loaded *made, double seconds) {
  const char *text = pelton_engine_report(made->engine);
  const report_facts facts = report_read(text);
  const uint64_t bytes = file_size(b->output);
  if (b->json) {
    json_writer json = {stdout, false};
    json_begin(&json, NULL, '{');
    json_text(&json, "engine", b->output);
    json_integer(&json, "engine_bytes", (int64_t)bytes);
    json_number(&json, "build_s", seconds);
    json_number(&json, "passes_s", facts.passes_seconds);
    json_number(&json, "plan_s", facts.plan_seconds);
    json_integer(&json, "steps", facts.steps);
    json_integer(&json, "fallbacks", facts.fallbacks);
    json_integer(&json, "host_nodes", facts.host_nodes);
    json_end(&json, '}');
    putchar('\n');
    return EXIT_DONE;
  }
  report_print_fallbacks(text);
  printf("engine     %s\nsize       %s\nbuilt in   %.2f s (passes %.2f s, plan %.2f s)\n", b->output,
         format_bytes(bytes).text, seconds, facts.passes_seconds, facts.plan_seconds);
  if (facts.steps >= 0) printf("steps      %lld\n", (long long)facts.steps);
  if (facts.fallbacks >= 0) printf("fallbacks  %lld\n", (long long)facts.fallbacks);
  if (facts.host_nodes > 0) printf("host       %lld nodes\n", (long long)facts.host_nodes);
  return EXIT_DONE;
}

static int build_file(const build *b, const char *model) {
  pelton_diag diag = PELTON_DIAG_INIT;
  loaded made = {.engine = NULL};
  const double start = clock_now();
  if (path_is_engine(model)) {
    print_error("%s is an engine already", model);
    return EXIT_USAGE;
  }
  pelton_status status = load_build(model, &b->load, &made, &diag);
  if (!status) status = pelton_engine_save(made.engine, b->output, &diag);
  int code = status ? print_failure(status, &diag, NULL) : EXIT_DONE;
  if (!code && b->report && !report_save(b->report, pelton_engine_report(made.engine))) code = EXIT_INPUT;
  if (!code) code = print_summary(b, &made, clock_now() - start);
  pelton_engine_release(made.engine);
  return code;
}

int command_build(int argc, char **argv) {
  build b = {.load = LOAD_OPTIONS_INIT};
  const option rows[] = {
      {"output", 'o', OPTION_TEXT, &b.output, "ENGINE", "the file to write", 0, 0},
      LOAD_ROWS(b.load),
      {"min-shapes", 0, OPTION_LIST, &b.load.min_shapes, "NAME:1x3x224x224", "the least shapes of dynamic inputs", 0,
       0},
      {"opt-shapes", 0, OPTION_LIST, &b.load.opt_shapes, "NAME:4x3x224x224", "the shapes to be fastest for", 0, 0},
      {"max-shapes", 0, OPTION_LIST, &b.load.max_shapes, "NAME:8x3x224x224", "the largest shapes of dynamic inputs", 0,
       0},
      {"budget", 0, OPTION_SECONDS, &b.load.budget, "30s", "at most this long for timing", 0, 0},
      {"omit-packed", 0, OPTION_FLAG, &b.load.omit_packed, NULL,
       "a smaller file: no weights packed for this machine; opening packs them", 0, 0},
      {"only-kernels", 0, OPTION_FLAG, &b.load.only_kernels, NULL,
       "save compiled kernels and no network: for Pelton's own build", 0, 0},
      {"report", 0, OPTION_TEXT, &b.report, "F.json|F.html", "what was done and why, as data or as a page", 0, 0},
      {"json", 0, OPTION_FLAG, &b.json, NULL, "the summary as JSON", 0, 0},
  };
  const option_table table = {"build MODEL -o ENGINE [options]",
                              "Compiles a model file or folder into an engine file.",
                              rows,
                              OPTION_COUNT(rows),
                              1,
                              1};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON && !b.output) {
    print_error("build wants the engine's file: -o ENGINE");
    code = EXIT_USAGE;
  }
  if (code == OPTIONS_GO_ON) {
    code = load_prepare(&b.load);
    if (!code) code = build_file(&b, words.data[0]);
  }
  load_release(&b.load);
  free(words.data);
  return code;
}
