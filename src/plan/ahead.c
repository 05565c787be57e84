/* Steps prepared by several threads before they are wanted one by one, for targets that compile code in prepare: what
   a thread here has compiled the target has when the planner comes to it. Ten cores take 1.2 s for ResNet-50's 20
   kernels at level 0, one takes 4.4. Nothing is kept here, and nothing is decided: an error shows again where the
   planner meets it, except that memory is out, which is told at once. */
#include "plan/planner.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/pool.h"

#include <stdatomic.h>

enum { MOST_THREADS = 10 }; /* each holds a compiler's memory */

typedef struct ahead {
  const pn_planner *planner;
  const pn_ahead *jobs;
  double until; /* of the clock; 0: no limit */
  atomic_bool no_memory;
} ahead;

static void prepare_one(void *self, uint32_t index, uint32_t thread) {
  ahead *all = self;
  const pn_planner *p = all->planner;
  const pn_ahead *job = &all->jobs[index];
  (void)thread;
  if (atomic_load(&all->no_memory) || (all->until > 0 && pn_clock_seconds() > all->until)) return;
  pn_sizes sizes = {0};
  if (job->tactic->sizes) job->tactic->sizes(job->problem, p->options->device, &job->config, &sizes);
  void *state = pn_alloc(p->allocator, sizes.state_bytes + 1, 64);
  pelton_status status = state ? job->tactic->prepare(job->problem, p->options->device, &job->config, state, NULL)
                               : PELTON_OUT_OF_MEMORY;
  if (!status && job->tactic->release_state) job->tactic->release_state(state);
  if (status == PELTON_OUT_OF_MEMORY) atomic_store(&all->no_memory, true);
  pn_release(p->allocator, state);
}

pelton_status pn_planner_ahead(pn_planner *p, const pn_ahead_list *jobs, double until) {
  const uint32_t cpus = pn_cpu_count();
  pn_pool_options options = {.allocator = p->allocator, .threads = cpus < MOST_THREADS ? cpus : MOST_THREADS};
  if (options.threads > jobs->count) options.threads = jobs->count;
  if (options.threads < 2) return PELTON_OK;
  pn_pool *pool;
  ahead all = {.planner = p, .jobs = jobs->data, .until = until};
  atomic_init(&all.no_memory, false);
  PN_TRY(pn_pool_create(&options, &pool, p->diag));
  const double start = pn_clock_seconds();
  pn_pool_run(pool, jobs->count, prepare_one, &all);
  const double spent = pn_clock_seconds() - start;
  p->plan->ahead_seconds += spent;
  if (until > 0) p->plan->budget_ahead_seconds += spent;
  pn_pool_release(pool);
  return atomic_load(&all.no_memory) ? pn_fail_memory(p->diag, "the plan") : PELTON_OK;
}

bool pn_planner_add_ahead(pn_planner *p, pn_ahead_list *jobs, const pn_problem *problem, const pn_tactic *tactic,
                          const pn_config *config) {
  if (!p->options->target->binaries || !tactic->prepare || tactic->is_reference) return true;
  pn_ahead job = {problem, tactic, *config};
  return pn_list_push(&p->scratch, jobs, job);
}
