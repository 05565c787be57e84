/* Time for measuring: monotonic, in nanoseconds and seconds. */
#ifndef PN_BASE_CLOCK_H
#define PN_BASE_CLOCK_H
#include <stdint.h>
int64_t pn_clock_ns(void);
double pn_clock_seconds(void);
#endif
