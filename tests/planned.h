/* Plans of graphs given as text, for tests of src/plan; and a machine that executes a plan by the operators' references
   and checks on the way what a device would never tell: that places lie inside of their memory, that nothing which is
   only read is written, that a step writes over an operand only where its tactic allows it. What it computes must be
   what the graph says: memory that is given away too early shows as a wrong result. */
#ifndef PN_TESTS_PLANNED_H
#define PN_TESTS_PLANNED_H

#include "ir/text.h"
#include "plan/plan.h"
#include "plan/timing.h"

typedef struct planned {
  pn_arena arena;
  pn_graph *graph;
  pn_symbols symbols;
  pn_facts facts;
  const pn_target *target;
  pn_device *device;
  pn_plan *plan;
} planned;

/* Reads |text|, whose inputs have static shapes, and opens |target| (one thread on the cpu). Ends the test on errors.
 */
void planned_open(planned *p, const char *text, const pn_target *target);
const pn_target *planned_target(const char *name);
/* Plans it whole; target and device are put into |options| (null: estimates only). Replaces a former plan. */
void planned_make(planned *p, const pn_plan_options *options);
pelton_status planned_try(planned *p, const pn_plan_options *options, const pelton_allocator *allocator,
                          pelton_diag *diag);
void planned_close(planned *p);

/* The step whose name holds |part|; null when there is none. */
const pn_plan_step *planned_step(const planned *p, const char *part);
/* Steps that convert a layout. */
uint32_t planned_conversions(const planned *p);
/* The same groups, tactics, configs and layouts. */
bool planned_same_decisions(const pn_plan *a, const pn_plan *b);

/* Executes the plan on random inputs. False with the reason in |why|. */
bool planned_check(const planned *p, uint32_t seed, char *why, size_t why_bytes);

#endif
