/* Whatever fails: a life from the start to the end in which one call of the driver or one allocation fails, and another
   the next time, until none does. An error each time, with words, and nothing left. */
#ifndef PN_TESTS_FAILING_H
#define PN_TESTS_FAILING_H

#include "fake_cuda.h"

typedef pelton_status (*failing_life)(const void *self, const pelton_allocator *allocator, pelton_diag *diag);

/* The calls of the driver, alone, and with all that follow as after a lost device; at least |least| must make the life
   fail. Of many calls those between n and n + n / |stride| are left out; 0: none. */
static void each_call_fails(failing_life life, const void *self, long stride, long least) {
  for (int forever = 0; forever <= 1; forever++) {
    long n = 0, failed = 0;
    pelton_status status = PELTON_OK;
    for (bool reached = true; reached && n < 50000;) {
      pelton_diag diag = PELTON_DIAG_INIT;
      const long before = calls();
      n += 1 + (stride ? n / stride : 0);
      lose(forever);
      fail_at(n);
      status = life(self, NULL, &diag);
      reached = calls() - before >= n;
      fail_at(0);
      lose(0);
      if (live() != 0) printf("  call %ld: %ld objects left, %s\n", n, live(), pelton_status_name(status));
      EXPECT_EQ(live(), 0);
      EXPECT((status != PELTON_OK) == (diag.count > 0));
      failed += status != PELTON_OK;
    }
    EXPECT_EQ(status, PELTON_OK);
    EXPECT(failed >= least);
    printf("  %ld calls, %ld of those tried make it fail%s\n", n, failed, forever ? " when the device is lost" : "");
  }
}

static void each_allocation_fails(failing_life life, const void *self, uint64_t stride) {
  harness_allocator a;
  uint64_t n = 0;
  do {
    pelton_diag diag = PELTON_DIAG_INIT;
    n += 1 + (stride ? n / stride : 0);
    const pelton_status status = life(self, harness_allocator_init(&a, n), &diag);
    if (status != (a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK))
      printf("  allocation %llu: %s: %s\n", (unsigned long long)n, pelton_status_name(status),
             diag.count ? pelton_diag_message(&diag, 0) : "no reason");
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(a.live, 0);
    EXPECT_EQ(live(), 0);
  } while (a.failed);
  printf("  %llu allocations\n", (unsigned long long)n - 1);
}

#endif
