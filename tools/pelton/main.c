/* The command `pelton`: finds the subcommand and runs it. Each subcommand is one file. */
#include "text/options.h"

#include <string.h>

typedef struct subcommand {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *summary;
} subcommand;

static const subcommand subcommands[] = {
    {"build", command_build, "compile a model into an engine file"},
    {"run", command_run, "run an engine or a model once and keep its outputs"},
    {"bench", command_bench, "measure latency, throughput and memory"},
    {"compare", command_compare, "how far the outputs of two engines, models or folders are apart"},
    {"test", command_test, "run folders of a model with inputs and expected outputs"},
    {"inspect", command_inspect, "what a model or an engine holds"},
    {"check", command_check, "whether model files are valid"},
    {"ops", command_ops, "list the operators"},
    {"devices", command_devices, "list what there is to run on, or why it cannot be used"},
    {"classify", command_classify, "what an image network says of images"},
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static const subcommand *find(const char *name) {
  for (size_t i = 0; i < SUBCOMMANDS; i++)
    if (!strcmp(subcommands[i].name, name)) return &subcommands[i];
  return NULL;
}

static void print_overview(FILE *file) {
  fputs("usage: pelton COMMAND [arguments]\n\ncommands:\n", file);
  for (size_t i = 0; i < SUBCOMMANDS; i++) fprintf(file, "  %-10s%s\n", subcommands[i].name, subcommands[i].summary);
  fputs("  help      this overview, or `pelton help COMMAND`\n"
        "  version   the version of the library\n\n"
        "Results go to stdout, progress to stderr. Exit codes: 0 done, 1 the check failed, 2 bad usage, 3 bad input,\n"
        "4 unsupported, 5 out of a resource, 70 a bug in Pelton.\n",
        file);
}

static int refuse(const char *name) {
  const char *nearest = NULL;
  uint32_t best = (uint32_t)(strlen(name) / 3 + 2);
  for (size_t i = 0; i < SUBCOMMANDS; i++) {
    const uint32_t distance = word_distance(name, subcommands[i].name);
    if (distance < best) best = distance, nearest = subcommands[i].name;
  }
  if (nearest)
    print_error("there is no command '%s'; did you mean '%s'?", name, nearest);
  else
    print_error("there is no command '%s'; `pelton help` lists them", name);
  return EXIT_USAGE;
}

static int help(int argc, char **argv) {
  static char flag[] = "--help";
  char *arguments[] = {flag};
  if (argc < 1 || !strcmp(argv[0], "--help") || !strcmp(argv[0], "-h")) {
    print_overview(stdout);
    return EXIT_DONE;
  }
  const subcommand *sub = find(argv[0]);
  return sub ? sub->run(1, arguments) : refuse(argv[0]);
}

static int dispatch(int argc, char **argv) {
  if (argc < 2) {
    print_overview(stderr);
    return EXIT_USAGE;
  }
  const char *name = argv[1];
  if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h")) return help(argc - 2, argv + 2);
  if (!strcmp(name, "version") || !strcmp(name, "--version")) {
    printf("pelton %s\n", pelton_version());
    return EXIT_DONE;
  }
  const subcommand *sub = find(name);
  return sub ? sub->run(argc - 2, argv + 2) : refuse(name);
}

int main(int argc, char **argv) {
  const int code = dispatch(argc, argv);
  if (fflush(stdout) == 0 && !ferror(stdout)) return code;
  print_error("cannot write to stdout");
  return code ? code : EXIT_RESOURCE;
}
