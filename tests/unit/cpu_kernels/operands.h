/* Operands for kernel tests: each ends exactly before a page that faults, so that one element read or written too far
   ends the test program; random contents from a seed that is printed. */
#ifndef PELTON_TESTS_CPU_KERNELS_OPERANDS_H
#define PELTON_TESTS_CPU_KERNELS_OPERANDS_H

#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "harness.h"
#include "targets/cpu/kernels.h"

#include <math.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t random_state;

/* PELTON_TEST_SEED replays a failure. */
static inline void random_seed(void) {
  const char *given = getenv("PELTON_TEST_SEED");
  random_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 0x9E3779B97F4A7C15u + 1;
  printf("  PELTON_TEST_SEED=%llu\n", (unsigned long long)random_state);
}
static inline uint64_t random_bits(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state * 0x2545F4914F6CDD1Du >> 16;
}
/* In [low, high]. */
static inline size_t random_size(size_t low, size_t high) { return low + (size_t)(random_bits() % (high - low + 1)); }
static inline float random_float(float low, float high) {
  return low + (high - low) * (float)((double)(random_bits() & 0xFFFFFF) / (double)0xFFFFFF);
}

typedef struct operand {
  float *data;
  void *mapped;
  size_t mapped_bytes;
} operand;

static inline operand operand_raw(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
  operand o = {.mapped_bytes = body + 2 * page};
  o.mapped = mmap(NULL, o.mapped_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(o.mapped != MAP_FAILED);
  if (body) REQUIRE(mprotect((char *)o.mapped + page, body, PROT_READ | PROT_WRITE) == 0);
  o.data = (float *)(void *)((char *)o.mapped + page + body - bytes);
  return o;
}
static inline operand operand_make(size_t count, float low, float high) {
  operand o = operand_raw(count * sizeof(float));
  for (size_t i = 0; i < count; i++) o.data[i] = random_float(low, high);
  return o;
}
static inline void operand_free(operand o) { munmap(o.mapped, o.mapped_bytes); }

/* |got| is |want| within |tolerance| (absolute), or both are NaN, or the same infinity. */
static inline bool same(float got, double want, double tolerance) {
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
  if (isinf(want) || isinf(got)) return (double)got == want;
  return fabs((double)got - want) <= tolerance;
}

/* The rows of this machine that have |family|, each in turn as |kernels|. */
#define FOR_EACH_ROW(kernels, family)                                                 \
  for (size_t row_ = 0; row_ < pn_cpu_kernels_count(); row_++)                        \
    for (const pn_cpu_kernels *kernels = pn_cpu_kernels_at(row_);                     \
         kernels && kernels->family && !(kernels->isa & ~pn_cpu_isa()); kernels = NULL)

#endif
