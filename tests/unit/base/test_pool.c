/* The pool: every task once, threads told apart, callers at once, sleeping and waking, oversubscription, failure. */
#define _GNU_SOURCE 1 /* nanosleep */
#include "harness.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { TASKS = 1000, THREADS = 64 };

static pn_pool *pool_make(uint32_t threads, uint32_t spin_microseconds) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_pool_options options = {.threads = threads, .spin_microseconds = spin_microseconds, .crowd = true};
  pn_pool *pool = NULL;
  REQUIRE_OK(pn_pool_create(&options, &pool, &diag), &diag);
  return pool;
}

/* A job whose tasks write plain memory: the tsan build checks that the pool orders the accesses. */
typedef struct job {
  uint32_t count;
  uint32_t input;
  uint32_t output[TASKS];
  uint32_t runs[TASKS];
  atomic_bool inside[THREADS];
  uint32_t scratch[THREADS][32]; /* plain: two tasks of one |thread| at once would be a race */
  atomic_uint errors;
} job;

static void job_task(void *argument, uint32_t index, uint32_t thread) {
  job *j = argument;
  if (index >= j->count || thread >= THREADS || atomic_exchange(&j->inside[thread], true)) {
    atomic_fetch_add(&j->errors, 1);
    return;
  }
  j->runs[index]++;
  j->output[index] = j->input + index;
  j->scratch[thread][index % 32]++;
  atomic_store(&j->inside[thread], false);
}

static void job_check(pn_pool *pool, job *j, uint32_t count, uint32_t input) {
  memset(j->runs, 0, sizeof j->runs);
  j->count = count;
  j->input = input;
  pn_pool_run(pool, count, job_task, j);
  REQUIRE(atomic_load(&j->errors) == 0);
  for (uint32_t i = 0; i < TASKS; i++) REQUIRE(j->runs[i] == (i < count));
  for (uint32_t i = 0; i < count; i++) REQUIRE(j->output[i] == input + i);
}

TEST(every_task_once) {
  static job j;
  for (uint32_t threads = 1; threads <= 5; threads++) {
    pn_pool *pool = pool_make(threads, 0);
    EXPECT_EQ(pn_pool_threads(pool), threads);
    for (uint32_t round = 0; round < 2000; round++) job_check(pool, &j, round % 17, round);
    job_check(pool, &j, TASKS, 1);
    pn_pool_release(pool);
  }
}

/* Nobody leaves the first task before all threads have one: what each begins with. */
typedef struct beginning {
  atomic_uint here;
  uint32_t threads, first[THREADS];
} beginning;

static void begin_together(void *argument, uint32_t index, uint32_t thread) {
  beginning *m = argument;
  if (atomic_load(&m->here) >= m->threads) return;
  m->first[thread] = index;
  atomic_fetch_add(&m->here, 1);
  while (atomic_load(&m->here) < m->threads) nanosleep(&(struct timespec){0, 1000}, NULL);
}

TEST(threads_begin_with_their_own_part) {
  enum { COUNT = 40 };
  for (uint32_t threads = 2; threads <= 5; threads++) {
    pn_pool *pool = pool_make(threads, 0);
    for (int jobs = 0; jobs < 3; jobs++) {
      beginning m = {.threads = threads};
      pn_pool_run(pool, COUNT, begin_together, &m);
      for (uint32_t t = 0; t < threads; t++) EXPECT_EQ(m.first[t], COUNT * t / threads);
    }
    pn_pool_release(pool);
  }
}

TEST(no_pool) {
  static job j;
  EXPECT_EQ(pn_pool_threads(NULL), 1);
  job_check(NULL, &j, 10, 5);
  job_check(NULL, &j, 0, 5);
  pn_pool_release(NULL);
}

TEST(defaults) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_pool *pool = NULL;
  REQUIRE_OK(pn_pool_create(NULL, &pool, &diag), &diag);
  EXPECT_EQ(pn_pool_threads(pool), pn_cpu_count());
  pn_pool_release(pool);
  pn_pool_options options = {.threads = 3, .pin = true};
  REQUIRE_OK(pn_pool_create(&options, &pool, &diag), &diag);
  static job j;
  for (uint32_t i = 0; i < 100; i++) job_check(pool, &j, 20, i);
  pn_pool_release(pool);
}

/* Two tasks that wait for each other end only if they really run at the same time. */
static void meet(void *argument, uint32_t index, uint32_t thread) {
  atomic_uint *present = argument;
  (void)index, (void)thread;
  atomic_fetch_add(present, 1);
  while (atomic_load(present) < 2) nanosleep(&(struct timespec){0, 1000}, NULL);
}

/* Workers wake from their sleep; with a task that cannot end without them a lost wakeup would hang here. */
TEST(wakes_sleepers) {
  for (uint32_t threads = 2; threads <= 4; threads += 2) {
    pn_pool *pool = pool_make(threads, 1);
    for (int round = 0; round < 300; round++) {
      atomic_uint present = 0;
      /* From no pause at all to one that lets the worker sleep: around the moment when it falls asleep too. */
      int64_t end = pn_clock_ns() + round % 100 * 500;
      while (pn_clock_ns() < end) {}
      pn_pool_run(pool, 2, meet, &present);
      REQUIRE(atomic_load(&present) == 2);
    }
    pn_pool_release(pool);
  }
}

static void last_is_slow(void *argument, uint32_t index, uint32_t thread) {
  atomic_uint *by_worker = argument;
  (void)index;
  if (!thread) {
    while (!atomic_load(by_worker)) nanosleep(&(struct timespec){0, 1000}, NULL);
    return;
  }
  atomic_fetch_add(by_worker, 1);
  nanosleep(&(struct timespec){0, 5000000}, NULL);
}

/* The caller is done at once and sleeps until the worker's long task ends. */
TEST(caller_sleeps) {
  pn_pool *pool = pool_make(2, 1);
  for (int round = 0; round < 5; round++) {
    atomic_uint by_worker = 0;
    int64_t begin = pn_clock_ns();
    pn_pool_run(pool, 2, last_is_slow, &by_worker);
    EXPECT(pn_clock_ns() - begin >= 5000000);
  }
  pn_pool_release(pool);
}

typedef struct nested {
  pn_pool *pool;
  atomic_uint runs;
} nested;

static void inner_task(void *argument, uint32_t index, uint32_t thread) {
  nested *n = argument;
  (void)index;
  atomic_fetch_add(&n->runs, thread == 0);
}

static void outer_task(void *argument, uint32_t index, uint32_t thread) {
  nested *n = argument;
  (void)index, (void)thread;
  pn_pool_run(n->pool, 10, inner_task, n);
}

TEST(nested_runs_inline) {
  nested n = {.pool = pool_make(3, 0)};
  pn_pool_run(n.pool, 50, outer_task, &n);
  EXPECT_EQ(atomic_load(&n.runs), 500);
  pn_pool_release(n.pool);
}

typedef struct caller {
  pn_pool *pool;
  job job;
} caller;

static void *caller_main(void *argument) {
  caller *c = argument;
  for (uint32_t round = 0; round < 1000; round++) job_check(c->pool, &c->job, round % 13, round);
  return NULL;
}

TEST(several_callers) {
  enum { CALLERS = 4 };
  static caller callers[CALLERS];
  pthread_t handles[CALLERS];
  pn_pool *pool = pool_make(3, 0);
  for (int i = 0; i < CALLERS; i++) {
    callers[i].pool = pool;
    REQUIRE(!pthread_create(&handles[i], NULL, caller_main, &callers[i]));
  }
  for (int i = 0; i < CALLERS; i++) pthread_join(handles[i], NULL);
  pn_pool_release(pool);
}

/* Many more threads than processors: jobs stay right and end in reasonable time. */
TEST(oversubscribed) {
  static job j;
  pn_pool *pool = pool_make(4 * pn_cpu_count() < THREADS ? 4 * pn_cpu_count() : THREADS, 0);
  for (uint32_t i = 0; i < 300; i++) job_check(pool, &j, 100, i);
  pn_pool_release(pool);
}

TEST(create_and_release) {
  for (uint32_t i = 0; i < 100; i++) {
    pn_pool *pool = pool_make(1 + i % 4, i % 3 ? 0 : 20);
    if (i % 2) {
      static job j;
      job_check(pool, &j, 5, i);
    }
    pn_pool_release(pool);
  }
}

TEST(refuses_too_many) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_pool_options options = {.threads = 100000};
  pn_pool *pool = NULL;
  EXPECT_EQ(pn_pool_create(&options, &pool, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT(pool == NULL);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "100000");
}

TEST(failing) {
  harness_allocator a;
  uint64_t n = 0;
  do {
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_pool_options options = {.allocator = harness_allocator_init(&a, ++n), .threads = 3};
    pn_pool *pool = NULL;
    pelton_status status = pn_pool_create(&options, &pool, &diag);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(pool == NULL, a.failed);
    uint64_t allocations = a.count;
    static job j;
    if (pool) job_check(pool, &j, 10, 1);
    EXPECT_EQ(a.count, allocations); /* a run allocates nothing */
    pn_pool_release(pool);
    EXPECT_EQ(a.live, 0);
    REQUIRE(n < 10);
  } while (a.failed);
  EXPECT(n > 1);
}

TEST_MAIN(T(every_task_once), T(threads_begin_with_their_own_part), T(no_pool), T(defaults), T(wakes_sleepers),
          T(caller_sleeps), T(nested_runs_inline), T(several_callers), T(oversubscribed), T(create_and_release),
          T(refuses_too_many), T(failing))
