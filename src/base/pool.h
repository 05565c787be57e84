/* A thread pool: persistent workers, one job at a time, bounded spin and then sleep.

   The calling thread takes part, so a pool of N threads has N - 1 workers and a pool of 1 has none and no cost. Each
   thread begins with its own part of the tasks, the same from job to job, in index order, and goes on with what others
   have left, so a worker that the system took away delays only the task in its hand.
   Several threads may call pn_pool_run on one pool at once: the second runs its job alone on its own thread rather
   than wait (never oversubscribes, never deadlocks). A task must not call pn_pool_run on its own pool: it would run
   inline. */
#ifndef PN_BASE_POOL_H
#define PN_BASE_POOL_H

#include "base/alloc.h"

typedef struct pn_pool pn_pool;

typedef struct pn_pool_options {
  const pelton_allocator *allocator; /* null: default */
  uint32_t threads; /* 0: pn_cpu_count(). Of more than that only so many are started, but at least two: more of them
                       would take each other's processors, 20 to 50 % of the time with two on each */
  bool crowd;       /* start them all nevertheless */
  uint32_t spin_microseconds;        /* how long a worker spins before it sleeps; 0: 50, or none when oversubscribed */
  bool pin;                          /* bind workers to cores of the affinity mask */
} pn_pool_options;

pelton_status pn_pool_create(const pn_pool_options *options, pn_pool **out, pelton_diag *diag) PN_CHECKED;
void pn_pool_release(pn_pool *pool);
/* At least 1. A null pool counts 1. */
uint32_t pn_pool_threads(const pn_pool *pool);

/* A task: |index| of |count|, on thread |thread| of pn_pool_threads (0 is the caller): two tasks that run at the same
   time never share a |thread|, so it may index scratch memory. */
typedef void pn_task(void *argument, uint32_t index, uint32_t thread);

/* Runs |task| for 0 <= index < count and returns when all are done. Allocates nothing. |pool| may be null: inline. */
void pn_pool_run(pn_pool *pool, uint32_t count, pn_task *task, void *argument);

#endif
