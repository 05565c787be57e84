/* What the parts of `pelton test` share: which cases there are, and running one of them. */
#ifndef TEST_H
#define TEST_H

#include "load.h"

typedef struct test_options {
  load_options load;
  double rtol, atol, timeout;
  const char *filter;
  int64_t jobs;
  bool engine, json, fallbacks;
} test_options;

typedef struct test_case {
  char *name; /* its folder, from the one that was named */
  char *folder;
  char *model; /* path; null when there is none */
} test_case;

typedef struct test_case_list {
  test_case *data;
  uint32_t count;
} test_case_list;

/* Adds the cases beneath |folder|, sorted by name. False with a message when it cannot be read. */
bool test_cases_find(const char *folder, test_case_list *out);
void test_case_release(test_case *c);

typedef enum test_status { TEST_PASSED = 0, TEST_FAILED = 1, TEST_SKIPPED = 2 } test_status;

/* Travels through a pipe in one piece. */
typedef struct test_result {
  test_status status;
  bool done;
  double max_abs, max_rel; /* of all outputs; not a number when nothing was compared */
  char reason[1024];
  int64_t fallbacks;  /* steps that run an operator's definition, and the host's nodes among them; -1: not known */
  int64_t host_nodes; /* that the host runs, whatever the target; -1: not known */
} test_result;

void test_case_run(const test_options *options, const test_case *c, test_result *result);

#endif
