/* The whole of a C test program:

     #include "harness.h"
     TEST(adds) { EXPECT_EQ(1 + 1, 2); }
     TEST_MAIN(T(adds))

   A TEST that is not named in TEST_MAIN is an unused function, which the compiler reports. EXPECT goes on after a
   failure, REQUIRE ends the test, SKIP ends it as skipped. `test_x PART...` runs the tests whose names hold a PART,
   `test_x --list` names them. The exit code is 0, 1 (something failed) or 77 (everything was skipped). */
#ifndef PELTON_TESTS_HARNESS_H
#define PELTON_TESTS_HARNESS_H

#include "pelton/base.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TEST(name) static void test_##name(void)
#define T(name) {#name, test_##name}
#define TEST_MAIN(...)                                                                 \
  int main(int argc, char **argv) {                                                    \
    static const harness_test tests[] = {__VA_ARGS__};                                 \
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);            \
  }

#define EXPECT(condition) harness_expect((condition), false, __FILE__, __LINE__, #condition)
#define REQUIRE(condition) harness_expect((condition), true, __FILE__, __LINE__, #condition)
/* Integers of any kind; unsigned values above INT64_MAX compare right and print as negative. */
#define EXPECT_EQ(a, b) harness_expect_eq((int64_t)(a), (int64_t)(b), __FILE__, __LINE__, #a " == " #b)
#define EXPECT_STR(a, b) harness_expect_str((a), (b), __FILE__, __LINE__, #a)
/* |part| occurs in |text|: for messages. */
#define EXPECT_HAS(text, part) harness_expect_has((text), (part), __FILE__, __LINE__, #text)
/* |a - b| <= tolerance; false when either is not a number. */
#define EXPECT_NEAR(a, b, tolerance) harness_expect_near((a), (b), (tolerance), __FILE__, __LINE__, #a " ~ " #b)
/* A call that must succeed, with its diagnostic printed and the test ended when it does not. */
#define REQUIRE_OK(call, diag) harness_require_ok((call), (diag), __FILE__, __LINE__, #call)
#define SKIP(reason) harness_skip(reason)

typedef struct harness_test {
  const char *name;
  void (*run)(void);
} harness_test;

int harness_main(int argc, char **argv, const harness_test *tests, size_t count);
void harness_expect(bool ok, bool required, const char *file, int line, const char *text);
void harness_expect_eq(int64_t a, int64_t b, const char *file, int line, const char *text);
void harness_expect_str(const char *a, const char *b, const char *file, int line, const char *text);
void harness_expect_has(const char *text, const char *part, const char *file, int line, const char *what);
void harness_expect_near(double a, double b, double tolerance, const char *file, int line, const char *text);
void harness_require_ok(pelton_status status, const pelton_diag *diag, const char *file, int line, const char *text);
void harness_skip(const char *reason);

/* $PELTON_SHARED/|relative| (default ../shared) in static storage when that file or folder exists; otherwise the test
   ends as skipped. */
const char *harness_shared(const char *relative);

/* An allocator that fails allocation number |fail_at| (from 1; 0: none) and every later one, and counts what is out.
   Not for use by two threads at once. Failing each allocation in turn:

     harness_allocator a;
     uint64_t n = 0;
     do {
       pelton_status status = work(harness_allocator_init(&a, ++n));
       EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
       EXPECT_EQ(a.live, 0);
     } while (a.failed); */
typedef struct harness_allocator {
  pelton_allocator allocator;
  uint64_t fail_at;
  _Atomic uint64_t count, live; /* several threads may allocate */
  _Atomic bool failed;
} harness_allocator;

/* Prepares |a| in place and returns its allocator. */
const pelton_allocator *harness_allocator_init(harness_allocator *a, uint64_t fail_at);

#endif
