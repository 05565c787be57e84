/* See harness.h. A failed REQUIRE and a SKIP leave the test by longjmp, so that they work in helpers too. */
#include "harness.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>

static jmp_buf test_end;
static bool test_failed, test_skipped;

void harness_expect(bool ok, bool required, const char *file, int line, const char *text) {
  if (ok) return;
  printf("  %s:%d: %s\n", file, line, text);
  test_failed = true;
  if (required) longjmp(test_end, 1);
}

void harness_expect_eq(int64_t a, int64_t b, const char *file, int line, const char *text) {
  if (a == b) return;
  printf("  %s:%d: %s: %" PRId64 " against %" PRId64 "\n", file, line, text, a, b);
  test_failed = true;
}

void harness_expect_str(const char *a, const char *b, const char *file, int line, const char *text) {
  if (a && b && strcmp(a, b) == 0) return;
  printf("  %s:%d: %s:\n    got  '%s'\n    want '%s'\n", file, line, text, a ? a : "(null)", b ? b : "(null)");
  test_failed = true;
}

void harness_expect_has(const char *text, const char *part, const char *file, int line, const char *what) {
  if (text && strstr(text, part)) return;
  printf("  %s:%d: %s:\n    got  '%s'\n    without '%s'\n", file, line, what, text ? text : "(null)", part);
  test_failed = true;
}

void harness_expect_near(double a, double b, double tolerance, const char *file, int line, const char *text) {
  if (fabs(a - b) <= tolerance) return;
  printf("  %s:%d: %s: %.9g against %.9g, tolerance %.3g\n", file, line, text, a, b, tolerance);
  test_failed = true;
}

void harness_require_ok(pelton_status status, const pelton_diag *diag, const char *file, int line, const char *text) {
  if (status == PELTON_OK) return;
  printf("  %s:%d: %s: status %d\n", file, line, text, (int)status);
  for (uint32_t i = 0; diag && i < diag->count; i++) printf("    %s\n", diag->text + diag->offset[i]);
  test_failed = true;
  longjmp(test_end, 1);
}

void harness_skip(const char *reason) {
  printf("  skipped: %s\n", reason);
  test_skipped = true;
  longjmp(test_end, 1);
}

const char *harness_shared(const char *relative) {
  static char path[4096];
  const char *folder = getenv("PELTON_SHARED");
  int length = snprintf(path, sizeof path, "%s/%s", folder && *folder ? folder : "../shared", relative);
  REQUIRE(length > 0 && (size_t)length < sizeof path);
  FILE *file = fopen(path, "rb"); /* opens folders too, for our purpose */
  if (!file) {
    printf("  absent: %s (PELTON_SHARED says where it is)\n", path);
    harness_skip("shared data is absent");
  } else {
    fclose(file);
  }
  return path;
}

static bool name_matches(const char *name, int argc, char **argv) {
  if (argc < 2) return true;
  for (int i = 1; i < argc; i++)
    if (strstr(name, argv[i])) return true;
  return false;
}

static const char *run_test(const harness_test *test) {
  test_failed = test_skipped = false;
  if (setjmp(test_end) == 0) test->run();
  return test_failed ? "FAILED" : test_skipped ? "skipped" : "ok";
}

int harness_main(int argc, char **argv, const harness_test *tests, size_t count) {
  setvbuf(stdout, NULL, _IOLBF, 0); /* so that a crash leaves what was said before it */
  bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
  unsigned passed = 0, failed = 0, skipped = 0;
  for (size_t i = 0; i < count; i++) {
    if (list) {
      puts(tests[i].name);
    } else if (name_matches(tests[i].name, argc, argv)) {
      const char *result = run_test(&tests[i]);
      printf("%-8s%s\n", result, tests[i].name);
      if (test_failed) failed++;
      else if (test_skipped) skipped++;
      else passed++;
    }
  }
  if (list) return 0;
  if (passed + failed + skipped == 0) {
    printf("no test matches\n");
    failed = 1; /* a filter that runs nothing must not pass for success */
  }
  printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
  return failed ? 1 : passed ? 0 : 77;
}

static void *failing_alloc(void *self, size_t bytes, size_t align) {
  harness_allocator *a = self;
  const uint64_t now = ++a->count;
  if (a->fail_at && now >= a->fail_at) {
    a->failed = true;
    return NULL;
  }
  size_t unit = align < sizeof(void *) ? sizeof(void *) : align;
  void *pointer = aligned_alloc(unit, (bytes + unit) / unit * unit); /* at least one byte, a multiple of the unit */
  if (pointer) {
    memset(pointer, 0xa5, bytes); /* so that nobody relies on zeros that the caller's allocator does not promise */
    a->live++;
  }
  return pointer;
}

static void failing_release(void *self, void *pointer) {
  harness_allocator *a = self;
  if (pointer) a->live--;
  free(pointer);
}

const pelton_allocator *harness_allocator_init(harness_allocator *a, uint64_t fail_at) {
  *a = (harness_allocator){{a, failing_alloc, failing_release}, fail_at, 0, 0, false};
  return &a->allocator;
}
