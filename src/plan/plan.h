/* A plan: how one device computes a graph, or a run of its nodes, for given shapes: steps in order, each a problem with
   its tactic, and a place in memory for every value.

   Making one is: facts (ir/infer) -> groups (partition) -> layouts and tactics (choose), timed on the device when the
   options allow it -> memory -> packed weights. What was decided is a list of pn_decision, which engines and the timing
   cache keep as text-like values; a plan made again from its decisions is the same plan. Everything noteworthy goes
   into the report: groups, tactics and times, refusals, fallbacks. */
#ifndef PN_PLAN_PLAN_H
#define PN_PLAN_PLAN_H

#include "engine/image.h"
#include "ir/infer.h"
#include "plan/packed.h"
#include "target/target.h"

/* ---- options ---------------------------------------------------------------------------------------------------- */

struct pn_timing_cache;

typedef struct pn_plan_options {
  const pn_target *target;
  pn_device *device;
  int level;                     /* 0: estimates only; 1: time the best few; 2..5: more candidates, more repeats */
  double budget_seconds;         /* for timing, with what is compiled for it; <= 0: no limit */
  size_t weight_limit_bytes;     /* what steps read of constants, packed or not; 0: no limit */
  struct pn_timing_cache *cache; /* may be null; read before timing, filled by it */
  const pn_packed_store *packed; /* packed weights of an engine, reused where they fit; may be null */
  pn_packed_shared *shared;      /* where else they are kept for other plans; may be null: this plan's own */
  const pn_decisions *decisions; /* take these instead of choosing; what no longer fits is chosen anew */
  bool keep_report;              /* fill plan->report */
  void (*progress)(void *self, uint32_t done, uint32_t total); /* may be null; called while timing */
  void *progress_self;
} pn_plan_options;

/* ---- the plan --------------------------------------------------------------------------------------------------- */

typedef enum pn_place_kind {
  PN_PLACE_NONE,     /* not in memory: an internal value */
  PN_PLACE_ARENA,    /* |offset| in the context's arena */
  PN_PLACE_CONSTANT, /* |data|: a constant of the graph, or a value known when the plan was made */
  PN_PLACE_INPUT,    /* input |index| of the planned nodes: bound at run */
  PN_PLACE_OUTPUT    /* output |index|: bound at run */
} pn_place_kind;

typedef struct pn_place {
  pn_place_kind kind;
  uint32_t index;
  size_t offset; /* ARENA: from its start; INPUT, OUTPUT: bytes into the bound tensor (views of parts) */
  size_t bytes;
  const void *data;
} pn_place;

typedef struct pn_plan_step {
  const pn_problem *problem;
  const pn_tactic *tactic;
  pn_config config;
  void *state;
  size_t held_bytes; /* of the device, by |state| */
  const void *packed; /* in the engine's map or in the plan's own memory */
  size_t packed_bytes;
  uint64_t packed_key;    /* under which an engine keeps it */
  bool own_packed;        /* in this plan's memory: neither from an engine nor shared */
  const pn_place *places; /* by operand index */
  double seconds;         /* measured; 0 when not */
  double estimate;
  pn_str name;           /* of the group: its nodes' names joined by '+' */
  const pn_str *sources; /* provenance */
  uint32_t source_count;
  uint32_t decision; /* index in |decisions|; UINT32_MAX for a conversion between layouts */
} pn_plan_step;

typedef struct pn_plan_binding {
  pn_value_id value;
  pn_place place; /* of an output: where it is when it is not written in place (a view of an input, a constant) */
  pelton_dtype dtype;
  uint32_t rank;
  int64_t dims[PN_MAX_RANK];
  size_t bytes;
} pn_plan_binding;

typedef struct pn_plan {
  pn_arena arena; /* holds everything below */
  const pn_target *target;
  PN_LIST(pn_plan_step) steps;
  pn_plan_binding *inputs;
  uint32_t input_count;
  pn_plan_binding *outputs;
  uint32_t output_count;
  size_t arena_bytes;     /* activations */
  size_t weight_bytes;    /* what steps read of constants, as packed; 0 where decisions were taken from an engine */
  size_t workspace_bytes; /* shared scratch, behind the activations */
  bool counts;            /* a step counts: at |count_offset| of the arena */
  size_t count_offset;
  pn_decisions decisions;
  pn_text report;          /* JSON array members of this plan's groups; empty unless asked for */
  uint32_t fallback_count; /* steps that run a reference */
  /* What making it took, in part: measurements, and preparing steps by several threads before. */
  uint32_t timed_count;
  double timed_seconds, ahead_seconds;
  /* What came of a budget: measurements that it left no time for, and what of it was spent on preparing ahead. */
  uint32_t untimed_count;
  double budget_ahead_seconds;
  const pelton_allocator *allocator;
} pn_plan;

/* What to plan: nodes [first_node, end_node) of |graph|, with |facts| that give every operand and result of theirs a
   static type; |inputs| are the values that come from outside (graph inputs, results of earlier nodes), |outputs| those
   wanted outside. */
typedef struct pn_plan_request {
  const pn_graph *graph;
  const pn_facts *facts;
  uint32_t first_node, end_node;
  const pn_value_id *inputs;
  uint32_t input_count;
  const pn_value_id *outputs;
  uint32_t output_count;
} pn_plan_request;

/* Whether a plan may end with an operator whose results have a size that only the run tells. */
typedef struct pn_counted {
  bool takes;                    /* a tactic runs it */
  int32_t axes[PN_MOST_COUNTED]; /* by result: the axis whose extent is counted; -1: none */
  pn_reason why;                 /* else, why not; may be empty */
} pn_counted;
/* Asks the target's tactics about node |index| of |g|, whose operands' facts are there; if one takes it, its results'
   facts become the largest that they can be. */
pelton_status pn_plan_count(const pn_graph *g, uint32_t index, const pn_target *target, const pn_device *device,
                            pn_facts *facts, pn_arena *arena, pn_counted *out, pelton_diag *diag) PN_CHECKED;

pelton_status pn_plan_create(const pn_plan_request *request, const pn_plan_options *options,
                             const pelton_allocator *allocator, pn_plan **out, pelton_diag *diag) PN_CHECKED;
void pn_plan_release(pn_plan *plan);

#endif
