/* The clock runs, forwards. */
#include "harness.h"

#include "base/clock.h"

TEST(monotonic) {
  int64_t last = pn_clock_ns(), begin = last;
  for (int i = 0; i < 100000 || last == begin; i++) {
    int64_t now = pn_clock_ns();
    REQUIRE(now >= last);
    last = now;
  }
  EXPECT(last > begin);
}

TEST(units_agree) {
  double a = (double)pn_clock_ns() * 1e-9, b = pn_clock_seconds(), c = (double)pn_clock_ns() * 1e-9;
  EXPECT(a <= b && b <= c);
}

TEST_MAIN(T(monotonic), T(units_agree))
