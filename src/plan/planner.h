/* The planner's working state, shared by the files of this folder in the order of their work:
     need.c       which values must be computed at all, and how often each is used
     problems.c   nodes as problems
     candidates.c tactics for a problem, and what they cost
     ahead.c      steps prepared by several threads
     partition.c  groups: which nodes run as one step
     choose.c     layouts, tactics, configs
     recut.c      groups again, where time says something else than estimates
     weights.c    smaller weights, where there is a limit
     emit.c       steps and buffers, conversions between layouts
     memory.c     aliases and places
     report.c     what was decided and why */
#ifndef PN_PLAN_PLANNER_H
#define PN_PLAN_PLANNER_H

#include "plan/plan.h"
#include "plan/timing.h"

/* A tactic for a problem of given layouts. */
typedef struct pn_choice {
  const pn_tactic *tactic; /* null: no tactic takes the problem */
  pn_config config;
  double estimate;
  double seconds; /* measured; 0: not */
} pn_choice;

/* A step to prepare before it is wanted. */
typedef struct pn_ahead {
  const pn_problem *problem;
  const pn_tactic *tactic;
  pn_config config;
} pn_ahead;
typedef PN_LIST(pn_ahead) pn_ahead_list;

/* A candidate that failed while it was timed, and why. */
typedef struct pn_unfit {
  const pn_tactic *tactic;
  pn_config config;
  pn_str problem; /* as text */
  const char *why;
} pn_unfit;

enum { PN_COMBO_COUNT = PN_LAYOUT_COUNT * PN_LAYOUT_COUNT }; /* of input and output layout */

typedef struct pn_group {
  const uint32_t *nodes; /* a chain, in order, perhaps with what stands in front of it */
  uint32_t node_count;
  bool view;                 /* no step: the result has the operand's bytes */
  pn_problem *problem;       /* layouts as chosen */
  const pn_value_id *values; /* of the problem's operands */
  pn_choice combos[PN_COMBO_COUNT];
  pn_layout in_layout, out_layout;
  pn_choice choice;
  uint32_t other_steps; /* another cut from here on was timed: in so many steps, so long; 0: none */
  double other_seconds;
} pn_group;

/* A place for a value in one layout. */
typedef struct pn_buffer {
  pn_value_id value;
  pn_layout layout;
  size_t bytes;
  pn_place_kind kind;
  uint32_t index;      /* of the input or output */
  const void *data;    /* CONSTANT */
  uint32_t alias;      /* the buffer it lies in; itself when none */
  size_t alias_offset; /* bytes */
  uint32_t first_step, last_step;
  size_t offset; /* in the arena, once planned */
} pn_buffer;

typedef struct pn_emitted {
  const pn_group *group; /* null: a conversion between layouts */
  const pn_problem *problem;
  pn_choice choice;
  const uint32_t *buffers; /* by operand index; UINT32_MAX for internals */
  bool removed;
  bool misaligned; /* a copy that would have been removed, had its parts begun where the target wants them to */
} pn_emitted;

typedef struct pn_planner {
  const pn_plan_request *request;
  const pn_plan_options *options;
  const pelton_allocator *allocator;
  pelton_diag *diag;
  pn_arena scratch;
  pn_plan *plan;
  const pn_tactic *const *tactics;
  uint32_t tactic_count;
  const char *fingerprint;
  double started; /* clock, for the budget */
  uint32_t most_timed; /* of a problem's candidates, in this round of timing */
  pn_map untimed;      /* problems, by text, that found the budget spent */
  double weight_price; /* seconds that a byte of weights costs in the choice; 0 at first */
  bool cold;      /* constants do not stay in the caches from one run of the plan to the next */

  uint32_t *uses;           /* by value id: by needed nodes and as output */
  uint32_t *user;           /* by value id: a node that uses it, UINT32_MAX when none */
  uint8_t *is_output;       /* by value id: wanted outside */
  uint8_t *node_needed;     /* by node */
  uint32_t *group_of;       /* by node, of needed ones */
  PN_LIST(pn_group) groups; /* in order of execution */

  double *conversion_cost; /* by value id: seconds to have it in another layout */
  pn_map choice_index;     /* problem text -> choices */
  PN_LIST(pn_choice) choices;
  PN_LIST(pn_unfit) unfit;

  PN_LIST(pn_buffer) buffers;
  PN_LIST(pn_emitted) emitted;
  uint32_t *buffer_of; /* by value id * PN_LAYOUT_COUNT + layout; UINT32_MAX: none yet */
} pn_planner;

PN_INLINE const pn_fact *pn_planner_fact(const pn_planner *p, pn_value_id v) { return &p->request->facts->data[v.v]; }
/* The elements of |v| when they are known before the plan runs: a graph constant or an inferred content. */
PN_INLINE const void *pn_planner_known(const pn_planner *p, pn_value_id v) {
  const pn_value *value = pn_graph_value(p->request->graph, v);
  return value->data ? value->data : pn_planner_fact(p, v)->data;
}

pelton_status pn_planner_need(pn_planner *p) PN_CHECKED;
pelton_status pn_planner_partition(pn_planner *p) PN_CHECKED;
pelton_status pn_planner_choose(pn_planner *p) PN_CHECKED;
pelton_status pn_planner_recut(pn_planner *p) PN_CHECKED;
pelton_status pn_planner_emit(pn_planner *p) PN_CHECKED;
pelton_status pn_planner_memory(pn_planner *p) PN_CHECKED;
pelton_status pn_planner_report(pn_planner *p) PN_CHECKED;

/* The buffer in whose memory |b| lies, itself when in none; |offset| (may be null) in bytes. */
uint32_t pn_planner_root(const pn_planner *p, uint32_t b, size_t *offset);
/* The problem of the chain |nodes| with all layouts plain; |values| by operand. In the planner's scratch. */
pelton_status pn_planner_problem(pn_planner *p, const uint32_t *nodes, uint32_t count, pn_problem **out,
                                 const pn_value_id **values) PN_CHECKED;
/* The problem of writing |v| in another layout: a transpose that permutes nothing but the layout. In the scratch. */
pelton_status pn_planner_conversion(pn_planner *p, pn_value_id v, pn_layout from, pn_layout to,
                                    pn_problem **out) PN_CHECKED;
/* Sets the layouts of |problem|'s activations; false when the combination makes no sense for it. */
bool pn_problem_set_layouts(pn_problem *problem, pn_layout in, pn_layout out);
/* How many of the first nodes of a chain (no longer than a pattern), |most| of them at most, make a group in the cut of the least sum of estimates.
 */
pelton_status pn_planner_cut(pn_planner *p, const uint32_t *nodes, uint32_t count, uint32_t most,
                             uint32_t *out) PN_CHECKED;
/* Whether a pattern of the target holds all of the chain. */
bool pn_planner_matches(const pn_planner *p, const uint32_t *nodes, uint32_t count);
/* Puts groups in the order of their last nodes. */
pelton_status pn_planner_sort_groups(pn_planner *p) PN_CHECKED;
/* Puts |tactic| for |problem| into |jobs| when preparing it is slow and a thread may do it ahead; false when memory is
   out. pn_planner_ahead does all |jobs|, or what of them it can start before |until| (of the clock; 0: no limit). */
bool pn_planner_add_ahead(pn_planner *p, pn_ahead_list *jobs, const pn_problem *problem, const pn_tactic *tactic,
                          const pn_config *config) PN_CHECKED;
pelton_status pn_planner_ahead(pn_planner *p, const pn_ahead_list *jobs, double until) PN_CHECKED;
/* Adds to |jobs| what pn_planner_measure is going to time for |problem|, but for the |skipped| most promising. */
pelton_status pn_planner_measure_ahead(pn_planner *p, const pn_problem *problem, uint32_t skipped,
                                       pn_ahead_list *jobs) PN_CHECKED;
/* Sets |problem|'s layouts and |out| to what was decided before: false when the tactic is not there any more in that
   version, or does not accept. */
bool pn_planner_decided(const pn_planner *p, pn_problem *problem, const pn_decision *decision, pn_choice *out,
                        pn_layout *in_layout, pn_layout *out_layout);
/* What a library's kernel has to be faster by: tactic.h says why. */
#define PN_LIBRARY_MARGIN 0.05
enum { PN_MOST_CONFIGS = 16 };
/* The configs of |tactic| that are worth timing, most promising first, into |out|, which has room for PN_MOST_CONFIGS.
 */
uint32_t pn_planner_configs(const pn_planner *p, const pn_problem *problem, const pn_tactic *tactic, pn_config *out);
/* The best tactic by estimate for |problem| as it is; choice.tactic null when none. Remembered by problem. */
pelton_status pn_planner_estimate(pn_planner *p, const pn_problem *problem, pn_choice *out) PN_CHECKED;
/* The best by measurement, among the most promising; the estimate's when timing is off or the budget is spent. */
pelton_status pn_planner_measure(pn_planner *p, const pn_problem *problem, pn_choice *out) PN_CHECKED;
/* The same where |choice| is without a time, also of a choice that is the only one; its seconds stay 0 where the options
   or the budget do not allow it. False |fits|: all that takes |problem| failed while it was timed. */
pelton_status pn_planner_try(pn_planner *p, const pn_problem *problem, pn_choice *choice, bool *fits) PN_CHECKED;
/* Why |tactic| with |config| (null: any) is not to be taken for |problem|: it failed while it was timed; null: it did
   not. */
const char *pn_planner_unfit(const pn_planner *p, const pn_tactic *tactic, const pn_config *config, pn_str problem);
/* Chooses anew where the weights of all groups' choices are more than the options allow. */
pelton_status pn_planner_limit_weights(pn_planner *p) PN_CHECKED;
/* What the weights of a candidate cost besides its time; 0 while nothing says that they are too many. */
double pn_planner_weight_cost(const pn_planner *p, const pn_problem *problem, const pn_tactic *tactic,
                              const pn_config *config);

#endif
