/* The pool. A job is one 64-bit word, |ticket|: a generation in the upper half, the number of tasks not yet handed out
   in the lower. The right to a task is one compare-and-swap that decrements it, by workers and caller alike; which task,
   task_pick says.

   Why no worker ever "joins" or "leaves" a job: whoever holds a task delays the job, and nobody else does. A worker
   that sleeps, comes late, or was descheduled between two tasks is not waited for. It cannot act on an old job either:
   its compare-and-swap fails, for the generation has changed. The job's fields may thus be read while the caller writes
   the next job's: they are atomics, and what was read counts only if the compare-and-swap succeeds afterwards. (It
   succeeding makes the reads happen before the job's end, and that before the next job's writes.)

   The end: |pending| counts tasks not yet finished; each thread subtracts what it did when it finds no more tasks.
   The caller waits for zero: it spins, then sleeps with SLEEPER set in |pending|, which whoever reaches zero sees in
   its own subtraction.

   Idle workers spin on |ticket| for a bounded time, then sleep. No wakeup is lost: a worker announces itself in
   |sleepers|, then looks at |ticket|; the caller writes |ticket|, then looks at |sleepers|; all four sequentially
   consistent, so at least one of them sees the other.

   How long to spin. Whoever runs out of tasks while others still work expects them to end within about a task's time,
   and the next job right after that: sleeping would cost more than the wait. Where it takes longer than two tasks, the
   system has taken the other thread's processor away. Then spinning does harm: a processor whose thread sleeps is idle,
   so that the system moves the waiting thread there at once, instead of when its turn comes some milliseconds later. */
#define _GNU_SOURCE 1 /* pthread_setaffinity_np */
#include "base/pool.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/format.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum {
  THREADS_MAX = 1024,
  DEFAULT_SPIN_MICROSECONDS = 50, /* a sleep costs 5 to 50 */
  LEAST_WAIT_MICROSECONDS = 250,  /* for tasks of others: they may be longer than one's own, */
  MOST_WAIT_MICROSECONDS = 2000,  /* and are waited for asleep when they are long */
  PAUSES_A_LOOK = 32,         /* pauses between two looks at the clock: 0.5 to 2 us */
  LINE = 128                  /* two cache lines: processors fetch them in pairs */
};

#define SLEEPER (UINT64_C(1) << 63)

typedef struct worker {
  pn_pool *pool;
  pthread_t handle;
  uint32_t thread;
} worker;

/* The tasks that a thread begins with: how many of them were taken, by whomever. */
typedef struct block {
  PN_ALIGNED(LINE) _Atomic uint32_t taken;
} block;

struct pn_pool {
  /* Written for each task that is taken. */
  PN_ALIGNED(LINE) _Atomic uint64_t ticket;
  atomic_bool stop;
  /* Written for each job, by its caller. */
  PN_ALIGNED(LINE) _Atomic(pn_task *) task;
  _Atomic(void *) argument;
  _Atomic uint32_t count;
  atomic_bool busy;
  PN_ALIGNED(LINE) _Atomic uint64_t pending;
  PN_ALIGNED(LINE) _Atomic uint32_t sleepers;

  pthread_mutex_t mutex;
  pthread_cond_t work; /* sleeping workers wait here */
  pthread_cond_t done; /* and the caller here */
  const pelton_allocator *allocator;
  uint32_t threads; /* with the caller: as many as a task's |thread| may tell apart */
  uint32_t started; /* workers */
  uint32_t spin_microseconds;
  worker *workers; /* |started| */
  block *blocks;   /* |started| + 1 */
};

static uint32_t tasks_left(uint64_t ticket) { return (uint32_t)ticket; }

/* ---- tasks ----------------------------------------------------------------------------------------------------- */

/* A task for |thread|, which has the right to one. Each thread has a block of neighbouring tasks of its own, so that from
   job to job it has the same part of a picture, which is still in its cache; when that is done it takes the next one's. */
static uint32_t task_pick(pn_pool *pool, uint32_t thread, uint32_t count) {
  const uint64_t blocks = pool->started + 1;
  for (uint64_t b = thread;; b = b + 1 < blocks ? b + 1 : 0) {
    const uint32_t begin = (uint32_t)(count * b / blocks), end = (uint32_t)(count * (b + 1) / blocks);
    if (atomic_load_explicit(&pool->blocks[b].taken, memory_order_relaxed) >= end - begin) continue;
    const uint32_t taken = atomic_fetch_add_explicit(&pool->blocks[b].taken, 1, memory_order_relaxed);
    if (taken < end - begin) return begin + taken;
  }
}

/* Runs tasks of the current job until none is left; gives how many it ran, and the time of two of them. */
static uint64_t tasks_run(pn_pool *pool, uint32_t thread, int64_t *two_tasks_ns) {
  uint64_t done = 0;
  int64_t start = tasks_left(atomic_load_explicit(&pool->ticket, memory_order_relaxed)) ? pn_clock_ns() : 0;
  uint64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
  while (tasks_left(ticket)) {
    pn_task *task = atomic_load_explicit(&pool->task, memory_order_relaxed);
    void *argument = atomic_load_explicit(&pool->argument, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&pool->count, memory_order_relaxed);
    if (!atomic_compare_exchange_weak_explicit(&pool->ticket, &ticket, ticket - 1, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    task(argument, task_pick(pool, thread, count), thread);
    done++;
    ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
  }
  *two_tasks_ns = done ? 2 * (pn_clock_ns() - start) / (int64_t)done : 0;
  return done;
}

static bool has_work(pn_pool *pool) {
  return tasks_left(atomic_load_explicit(&pool->ticket, memory_order_acquire)) ||
         atomic_load_explicit(&pool->stop, memory_order_acquire);
}

static bool has_ended(pn_pool *pool) {
  return (atomic_load_explicit(&pool->pending, memory_order_acquire) & ~SLEEPER) == 0;
}

static bool has_ended_or_work(pn_pool *pool) { return has_ended(pool) || has_work(pool); }

/* Waits until |condition| holds; false when |ns| nanoseconds have passed. A thread that spins may sit on the very
   processor that the other one needs (on a busy machine the system wakes workers beside their caller, and 50 us of
   every job were lost to that): so it offers the processor between the looks, which costs 0.3 us when nobody wants
   it. */
static bool spin_until(pn_pool *pool, bool (*condition)(pn_pool *), int64_t ns) {
  if (condition(pool)) return true;
  if (!ns) return false;
  int64_t end = pn_clock_ns() + ns;
  do {
    for (int i = 0; i < PAUSES_A_LOOK; i++) {
      PN_PAUSE();
      if (condition(pool)) return true;
    }
    sched_yield();
  } while (pn_clock_ns() < end);
  return condition(pool);
}

/* What to spin for the others' last tasks at most. */
static int64_t last_tasks_ns(const pn_pool *pool, int64_t two_tasks_ns) {
  const int64_t least = pool->spin_microseconds ? LEAST_WAIT_MICROSECONDS * INT64_C(1000) : 0,
                most = MOST_WAIT_MICROSECONDS * INT64_C(1000);
  int64_t wait = two_tasks_ns < least ? least : two_tasks_ns > most ? most : two_tasks_ns;
  return pool->spin_microseconds * INT64_C(1000) + wait;
}

/* ---- workers --------------------------------------------------------------------------------------------------- */

static void worker_sleep(pn_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->sleepers, 1);
  while (!tasks_left(atomic_load(&pool->ticket)) && !atomic_load(&pool->stop))
    pthread_cond_wait(&pool->work, &pool->mutex);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument) {
  worker *self = argument;
  pn_pool *pool = self->pool;
  while (!atomic_load_explicit(&pool->stop, memory_order_acquire)) {
    int64_t two_tasks_ns;
    uint64_t done = tasks_run(pool, self->thread, &two_tasks_ns);
    if (done && atomic_fetch_sub_explicit(&pool->pending, done, memory_order_acq_rel) == (SLEEPER | done)) {
      pthread_mutex_lock(&pool->mutex); /* the caller is now either asleep or past its look at |pending| */
      pthread_mutex_unlock(&pool->mutex);
      pthread_cond_signal(&pool->done);
    }
    if (done && !spin_until(pool, has_ended_or_work, last_tasks_ns(pool, two_tasks_ns))) {
      worker_sleep(pool);
    } else if (!spin_until(pool, has_work, pool->spin_microseconds * INT64_C(1000))) {
      worker_sleep(pool);
    }
  }
  return NULL;
}

static void worker_pin(worker *self, const uint32_t *cpus, uint32_t cpu_count) {
#if defined(__linux__)
  cpu_set_t sets[8]; /* 8192 processors */
  if (!cpu_count || cpus[self->thread % cpu_count] >= 8 * sizeof sets) return;
  CPU_ZERO_S(sizeof sets, sets);
  CPU_SET_S(cpus[self->thread % cpu_count], sizeof sets, sets);
  pthread_setaffinity_np(self->handle, sizeof sets, sets); /* a wish: where it is refused, the system places */
#else
  (void)self, (void)cpus, (void)cpu_count;
#endif
}

/* Starts worker |thread| with all signals blocked: the host program's handlers belong on its own threads. */
static int worker_start(pn_pool *pool, uint32_t thread) {
  worker *self = &pool->workers[thread - 1];
  *self = (worker){.pool = pool, .thread = thread};
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  int error = pthread_create(&self->handle, NULL, worker_main, self);
  pthread_sigmask(SIG_SETMASK, &former, NULL);
  return error;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* Ends workers 1 ... started, and the pool. */
static void pool_end(pn_pool *pool, uint32_t started) {
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->stop, true);
  pthread_mutex_unlock(&pool->mutex);
  pthread_cond_broadcast(&pool->work);
  for (uint32_t i = 0; i < started; i++) pthread_join(pool->workers[i].handle, NULL);
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->work);
  pthread_mutex_destroy(&pool->mutex);
  pn_release(pool->allocator, pool);
}

static bool sync_init(pn_pool *pool) {
  if (pthread_mutex_init(&pool->mutex, NULL)) return false;
  if (!pthread_cond_init(&pool->work, NULL)) {
    if (!pthread_cond_init(&pool->done, NULL)) return true;
    pthread_cond_destroy(&pool->work);
  }
  pthread_mutex_destroy(&pool->mutex);
  return false;
}

pelton_status pn_pool_create(const pn_pool_options *options, pn_pool **out, pelton_diag *diag) {
  static const pn_pool_options defaults;
  if (!options) options = &defaults;
  *out = NULL;
  uint32_t cpus = pn_cpu_count();
  uint32_t threads = options->threads ? options->threads : cpus;
  if (threads > THREADS_MAX && !options->threads) threads = THREADS_MAX;
  if (threads > THREADS_MAX)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "a thread pool of %u threads is asked for; %d are the most", threads,
                   (int)THREADS_MAX);

  pn_pool *pool = pn_alloc(options->allocator, sizeof *pool + sizeof(block) * threads + sizeof(worker) * (threads - 1),
                           _Alignof(pn_pool));
  if (!pool) return pn_fail_memory(diag, "a thread pool");
  pool->blocks = (block *)(pool + 1);
  pool->workers = (worker *)(pool->blocks + threads);
  pool->allocator = options->allocator;
  pool->threads = threads;
  pool->started = (threads > cpus && !options->crowd ? (cpus > 1 ? cpus : 2) : threads) - 1;
  pool->spin_microseconds = options->spin_microseconds  ? options->spin_microseconds
                            : pool->started + 1 > cpus ? 0
                                                       : DEFAULT_SPIN_MICROSECONDS;
  if (!sync_init(pool)) {
    pn_release(options->allocator, pool);
    return pn_fail_memory(diag, "a thread pool's mutex");
  }

  uint32_t list[THREADS_MAX];
  uint32_t list_count = options->pin ? pn_cpu_list(list, THREADS_MAX) : 0;
  for (uint32_t thread = 1; thread <= pool->started; thread++) {
    int error = worker_start(pool, thread);
    if (error) {
      pool_end(pool, thread - 1);
      return pn_fail(diag, PELTON_IO_ERROR, "the system refused thread %u of %u: %s; ask for fewer threads", thread,
                     threads, pn_system_reason(error));
    }
    if (options->pin) worker_pin(&pool->workers[thread - 1], list, list_count);
  }
  *out = pool;
  return PELTON_OK;
}

void pn_pool_release(pn_pool *pool) {
  if (pool) pool_end(pool, pool->started);
}

uint32_t pn_pool_threads(const pn_pool *pool) { return pool ? pool->threads : 1; }

/* ---- jobs ------------------------------------------------------------------------------------------------------ */

static void job_publish(pn_pool *pool, uint32_t count, pn_task *task, void *argument) {
  uint64_t generation = (atomic_load_explicit(&pool->ticket, memory_order_relaxed) >> 32) + 1;
  atomic_store_explicit(&pool->task, task, memory_order_relaxed);
  atomic_store_explicit(&pool->argument, argument, memory_order_relaxed);
  atomic_store_explicit(&pool->count, count, memory_order_relaxed);
  atomic_store_explicit(&pool->pending, count, memory_order_relaxed);
  for (uint32_t i = 0; i <= pool->started; i++) atomic_store_explicit(&pool->blocks[i].taken, 0, memory_order_relaxed);
  atomic_store(&pool->ticket, generation << 32 | count);

  uint32_t sleepers = atomic_load(&pool->sleepers);
  if (!sleepers) return;
  pthread_mutex_lock(&pool->mutex); /* who announced itself now waits, or has seen the ticket */
  pthread_mutex_unlock(&pool->mutex);
  if (sleepers < count) {
    pthread_cond_broadcast(&pool->work);
  } else {
    for (uint32_t i = 1; i < count; i++) pthread_cond_signal(&pool->work);
  }
}

/* Waits for the tasks that workers still have in hand. */
static void job_wait(pn_pool *pool, int64_t two_tasks_ns) {
  if (spin_until(pool, has_ended, last_tasks_ns(pool, two_tasks_ns))) return;
  atomic_fetch_or_explicit(&pool->pending, SLEEPER, memory_order_acq_rel);
  pthread_mutex_lock(&pool->mutex);
  while (!has_ended(pool)) pthread_cond_wait(&pool->done, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

void pn_pool_run(pn_pool *pool, uint32_t count, pn_task *task, void *argument) {
  bool alone = !pool || pool->threads == 1 || count <= 1 || atomic_load_explicit(&pool->busy, memory_order_relaxed) ||
               atomic_exchange_explicit(&pool->busy, true, memory_order_acquire);
  if (alone) {
    for (uint32_t i = 0; i < count; i++) task(argument, i, 0);
    return;
  }
  job_publish(pool, count, task, argument);
  int64_t two_tasks_ns;
  uint64_t done = tasks_run(pool, 0, &two_tasks_ns);
  if (atomic_fetch_sub_explicit(&pool->pending, done, memory_order_acq_rel) != done) job_wait(pool, two_tasks_ns);
  atomic_store_explicit(&pool->busy, false, memory_order_release);
}
