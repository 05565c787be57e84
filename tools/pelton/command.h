/* The subcommands, and what they have in common: exit codes, messages, memory.

   Results go to stdout, everything else to stderr. With --json stdout holds one JSON value and nothing else. */
#ifndef COMMAND_H
#define COMMAND_H

#include "pelton/base.h"

#include <stdbool.h>
#include <stdio.h>

enum {
  EXIT_DONE = 0,
  EXIT_CHECK = 1,       /* the check that it ran failed: accuracy, comparison, tests */
  EXIT_USAGE = 2,       /* bad usage */
  EXIT_INPUT = 3,       /* a bad model, image or engine */
  EXIT_UNSUPPORTED = 4, /* with every reason */
  EXIT_RESOURCE = 5,    /* memory, a device */
  EXIT_BUG = 70         /* a bug in Pelton */
};

/* Each takes the arguments after its own name and returns an exit code. */
int command_bench(int argc, char **argv);
int command_build(int argc, char **argv);
int command_check(int argc, char **argv);
int command_classify(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_devices(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_ops(int argc, char **argv);
int command_run(int argc, char **argv);
int command_test(int argc, char **argv);

#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif

/* "pelton: error: ..." on stderr. */
void print_error(const char *format, ...) PRINTF_LIKE(1, 2);
/* "pelton: note: ..." on stderr. */
void print_note(const char *format, ...) PRINTF_LIKE(1, 2);
/* Every reason in |diag| on stderr, and the exit code of |status|. |about| (may be null) goes before each. Without
   reasons the status itself, unless print_error has said what is wrong. */
int print_failure(pelton_status status, const pelton_diag *diag, const char *about);
/* "12.3 MiB" in |text|, which it returns. */
typedef struct size_text {
  char text[32];
} size_text;
size_text format_bytes(uint64_t bytes);

/* Memory that is there: without it the command says so and ends with EXIT_RESOURCE. Zeroed; for free(). */
void *memory_new(size_t count, size_t element_bytes);
/* |old| grown to |count| elements; new ones are not zeroed. */
void *memory_grow(void *old, size_t count, size_t element_bytes);
char *memory_text(const char *text);
/* printf into new memory. */
char *memory_format(const char *format, ...) PRINTF_LIKE(1, 2);

/* Seconds of a clock that only goes forward. */
double clock_now(void);

#endif
