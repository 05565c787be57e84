/* pelton test: folders of a model with inputs and expected outputs.

   Each case runs in a process of its own, so that a crash fails the case and not the whole; what came of it returns
   through a pipe. Cases are found in the order of their names and told in that order. */
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include "text/json.h"

#include <fnmatch.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct slot {
  pid_t process; /* 0: free */
  int pipe;
  uint32_t index; /* of the case */
} slot;

/* In the child: never returns. */
static void run_child(const test_options *o, const test_case *c, int pipe) {
  test_result result;
  if (o->timeout > 0) alarm((unsigned)ceil(o->timeout));
  test_case_run(o, c, &result);
  const bool written = write(pipe, &result, sizeof result) == (ssize_t)sizeof result; /* at once: less than PIPE_BUF */
  _exit(written ? 0 : 1);
}

static bool start(const test_options *o, const test_case *c, uint32_t index, slot *s) {
  int ends[2];
  fflush(stdout);
  fflush(stderr);
  if (pipe(ends) != 0) return false;
  const pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    run_child(o, c, ends[1]);
  }
  close(ends[1]);
  if (process < 0) {
    close(ends[0]);
    return false;
  }
  *s = (slot){process, ends[0], index};
  return true;
}

/* What became of the child in |s|, which ended with |status|. */
static void collect(const test_options *o, slot *s, int status, test_result *result) {
  const bool told = read(s->pipe, result, sizeof *result) == (ssize_t)sizeof *result;
  if (!told) {
    *result = (test_result){.status = TEST_FAILED, .max_abs = NAN, .max_rel = NAN};
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
      snprintf(result->reason, sizeof result->reason, "took longer than %g s", o->timeout);
    else if (WIFSIGNALED(status))
      snprintf(result->reason, sizeof result->reason, "crashed: signal %d", WTERMSIG(status));
    else
      snprintf(result->reason, sizeof result->reason, "ended with exit code %d", WEXITSTATUS(status));
  }
  result->done = true;
  close(s->pipe);
  s->process = 0;
}

static void tell(const test_options *o, const test_case *c, const test_result *r, json_writer *json) {
  static const char *const words[] = {"passed", "failed", "skipped"};
  if (!o->json) {
    printf("%-8s%s%s%s\n", words[r->status], c->name, *r->reason ? " " : "", r->reason);
    fflush(stdout);
    return;
  }
  json_begin(json, NULL, '{');
  json_text(json, "case", c->name);
  json_text(json, "status", words[r->status]);
  json_text(json, "reason", r->reason);
  json_number(json, "max_abs", r->max_abs);
  json_number(json, "max_rel", r->max_rel);
  if (o->fallbacks) json_integer(json, "fallbacks", r->fallbacks);
  if (o->fallbacks) json_integer(json, "host_nodes", r->host_nodes);
  json_end(json, '}');
}

static int wait_for_one(const test_options *o, slot *slots, test_result *results) {
  int status;
  const pid_t process = waitpid(-1, &status, 0);
  for (int64_t i = 0; i < o->jobs && process > 0; i++) {
    if (slots[i].process != process) continue;
    collect(o, &slots[i], status, &results[slots[i].index]);
    return EXIT_DONE;
  }
  return EXIT_RESOURCE;
}

static int run_cases(const test_options *o, const test_case_list *cases) {
  slot *slots = memory_new((size_t)o->jobs, sizeof *slots);
  test_result *results = memory_new(cases->count, sizeof *results);
  json_writer json = {stdout, false};
  uint32_t started = 0, told = 0, busy = 0, counts[3] = {0, 0, 0};
  int code = EXIT_DONE;
  if (o->json) json_begin(&json, NULL, '[');
  while (told < cases->count && !code) {
    if (started < cases->count && busy < (uint64_t)o->jobs) {
      slot *s = slots;
      while (s->process) s++;
      if (start(o, &cases->data[started], started, s))
        started++, busy++;
      else if (!busy)
        code = EXIT_RESOURCE;
      if (busy < (uint64_t)o->jobs && started < cases->count && !code) continue;
    }
    if (!code && busy) code = wait_for_one(o, slots, results), busy--;
    for (; told < started && results[told].done; told++) {
      counts[results[told].status]++;
      tell(o, &cases->data[told], &results[told], &json);
    }
  }
  if (code) print_error("cannot start processes for the cases");
  if (o->json) {
    json_end(&json, ']');
    putchar('\n');
  }
  fprintf(o->json ? stderr : stdout, "%u passed, %u failed, %u skipped\n", counts[TEST_PASSED], counts[TEST_FAILED],
          counts[TEST_SKIPPED]);
  free(slots);
  free(results);
  return code ? code : counts[TEST_FAILED] ? EXIT_CHECK : EXIT_DONE;
}

static void keep_matching(const char *filter, test_case_list *cases) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < cases->count; i++) {
    const char *slash = strrchr(cases->data[i].name, '/');
    const bool match = !fnmatch(filter, cases->data[i].name, 0) || (slash && !fnmatch(filter, slash + 1, 0));
    if (match)
      cases->data[kept++] = cases->data[i];
    else
      test_case_release(&cases->data[i]);
  }
  cases->count = kept;
}

static int test_folders(const test_options *o, const text_list *folders) {
  test_case_list cases = {NULL, 0};
  int code = EXIT_DONE;
  for (uint32_t i = 0; i < folders->count && !code; i++)
    if (!test_cases_find(folders->data[i], &cases)) code = EXIT_INPUT;
  if (o->filter) keep_matching(o->filter, &cases);
  if (!code && !cases.count) {
    print_error("no case there: a folder with a model and test_data_set_*/");
    code = EXIT_INPUT;
  }
  if (!code) code = run_cases(o, &cases);
  for (uint32_t i = 0; i < cases.count; i++) test_case_release(&cases.data[i]);
  free(cases.data);
  return code;
}

int command_test(int argc, char **argv) {
  test_options o = {.load = LOAD_OPTIONS_INIT, .rtol = 1e-3, .atol = 1e-7, .jobs = 0, .timeout = 300};
  o.load.threads = 2; /* enough to be shared work, little enough for many small cases */
  o.load.quiet = true;
  const option rows[] = {
      {"rtol", 0, OPTION_NUMBER, &o.rtol, "R", "|got - expected| <= atol + rtol * |expected| (1e-3)", 0, 1e30},
      {"atol", 0, OPTION_NUMBER, &o.atol, "A", "(1e-7)", 0, 1e30},
      {"filter", 0, OPTION_TEXT, &o.filter, "GLOB", "only cases of this name, such as 'test_conv*'", 0, 0},
      {"fallbacks", 0, OPTION_FLAG, &o.fallbacks, NULL, "tell of steps that run an operator's definition, and of nodes that the host runs", 0, 0},
      {"engine", 0, OPTION_FLAG, &o.engine, NULL, "run each from an engine file that is written and opened", 0, 0},
      {"jobs", 'j', OPTION_INTEGER, &o.jobs, "N", "cases at once; 0: one a processor", 0, 1024},
      {"timeout", 0, OPTION_SECONDS, &o.timeout, "300s", "of each case; 0: none", 0, 0},
      LOAD_ROWS(o.load),
      {"json", 0, OPTION_FLAG, &o.json, NULL, "one array of results", 0, 0},
  };
  const option_table table = {"test DIR... [options]",
                              "Runs every folder, at any depth, that holds model.onnx (or another model) and "
                              "test_data_set_*/ with input_N.pb and\n"
                              "output_N.pb. Types and shapes must be equal, integers exactly.",
                              rows,
                              OPTION_COUNT(rows),
                              1,
                              10000};
  text_list words;
  int code = options_parse(&table, argc, argv, &words);
  if (code == OPTIONS_GO_ON) {
    if (!o.jobs) o.jobs = sysconf(_SC_NPROCESSORS_ONLN) > 0 ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
    code = load_prepare(&o.load);
    if (!code) code = test_folders(&o, &words);
  }
  load_release(&o.load);
  free(words.data);
  return code;
}
