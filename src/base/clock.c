/* CLOCK_MONOTONIC: not moved by a change of the date. */
#define _GNU_SOURCE 1 /* clock_gettime */
#include "base/clock.h"

#include <time.h>

int64_t pn_clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double pn_clock_seconds(void) { return (double)pn_clock_ns() * 1e-9; }
