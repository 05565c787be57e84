/* A server under load, for pelton bench: so many requests at once, how many a second, how long each takes. */
#ifndef SERVING_H
#define SERVING_H

#include "data/inputs.h"
#include "pelton/serve.h"
#include "text/json.h"

enum { MOST_NUMBERS = 64 };

typedef struct numbers {
  uint32_t data[MOST_NUMBERS];
  uint32_t count;
} numbers;

typedef struct serving_options {
  const char *devices;     /* "0,1", "all"; null: the engine's own */
  const char *concurrency; /* "1,8,64": how many requests at once, one measurement each; null: 1 */
  const char *lose_device; /* "1" or "1:trap", "1:reset": taken away in the middle of the last measurement */
  int64_t contexts, retries;
  bool pinned;
  double warmup, duration;
  /* Filled in by serving_prepare. */
  numbers device, at_once;
  bool on_all; /* devices */
  uint32_t lost;
  bool lose_by_reset;
} serving_options;
#define SERVING_OPTIONS_INIT {.retries = -1} /* -1: not given */

/* clang-format off */
#define SERVING_ROWS(o)                                                                                                \
  {"devices", 0, OPTION_TEXT, &(o).devices, "0,1|all", "serve requests on these devices, instead of --streams", 0, 0}, \
  {"concurrency", 0, OPTION_TEXT, &(o).concurrency, "1,8,64", "so many requests at once; a measurement for each", 0, 0}, \
  {"contexts", 0, OPTION_INTEGER, &(o).contexts, "N", "requests that a device runs at once (cpu 1, else 4)", 1, 256},   \
  {"retries", 0, OPTION_INTEGER, &(o).retries, "N", "when a device fails: tries more, on another (0)", 0, 1000},        \
  {"pinned", 0, OPTION_FLAG, &(o).pinned, NULL, "requests' inputs and outputs in memory that devices copy from", 0, 0}, \
  {"lose-device", 0, OPTION_TEXT, &(o).lose_device, "N[:trap|reset]",                                                   \
   "break this cuda device in the middle of the last measurement: a kernel that traps, or its context reset", 0, 0}
/* clang-format on */

static inline bool serving_is_asked(const serving_options *o) { return o->devices || o->concurrency || o->lose_device; }
/* serving_options.c: reads and checks the texts; |target| is the one that will run, where that is known (else null),
   |device| that of --device or -1. An exit code, or EXIT_DONE. */
int serving_prepare(serving_options *options, const char *target, int64_t device);
bool serving_has(const numbers *devices, uint32_t device);

/* Serves |engine| and measures. Members for |json| (in an object that is open), or lines. Each answer is compared with
   the first: an exit code of EXIT_CHECK when one differs in a bit, or fails although no device was taken away. */
int serving_measure(pelton_engine *engine, const serving_options *options, const char *device_libraries,
                    const tensors *inputs, json_writer *json);

/* lose_device.c: makes the cuda device |index| unusable in this process, for tests. False with a message when it cannot.
 */
bool lose_device(const char *device_libraries, int index, bool by_reset);

#endif
