/* A tactic: one way of solving a class of problems on a target. The order of its calls is the order of its members:
   accepts and estimate while choosing; sizes, pack and prepare once a problem, when the plan is made; run at every
   inference. Everything slow or fallible happens before run, which decides nothing and allocates nothing.

   Held against five unlike tactics: Winograd (packed = transformed filters, workspace = V and M), attention without
   scores (a group of several nodes, workspace a thread), a strip-fused chain (a group; internals live in the
   workspace), a pointwise expression rendered to source (pack compiles; packed = the program), a vendor library's graph
   (prepare asks it for a plan, state holds the handle, release_state frees it). */
#ifndef PN_TARGET_TACTIC_H
#define PN_TARGET_TACTIC_H

#include "target/problem.h"

typedef struct pn_device pn_device; /* defined by each target */
typedef struct pn_stream pn_stream; /* defined by each target */

/* A tactic's choice among its own variants (tiles, splits): small numbers whose meaning is the tactic's own; all zero
   is its default. Kept in engines and caches. */
enum { PN_CONFIG_VALUES = 6 };
typedef struct pn_config {
  int32_t value[PN_CONFIG_VALUES];
} pn_config;

/* Where a refusal says why: "wants channels-last input, has plain". */
typedef struct pn_reason {
  char text[480]; /* a library that is missing has folders in its reason */
} pn_reason;
/* Writes the reason and returns false: `return pn_refuse(why, "...")`. |why| may be null. */
bool pn_refuse(pn_reason *why, const char *format, ...) PN_PRINTF(2, 3);
/* Whether |problem| is one node of |op|. Another operator's is refused without a reason: a report that gave one for
   every tactic of other operators would hide the few that could have been. */
bool pn_accepts_one(const pn_problem *problem, pn_op op, pn_reason *why);

typedef struct pn_sizes {
  size_t packed_bytes;    /* what |pack| writes; goes into the engine */
  uint64_t packing;       /* of what is packed: which of several forms, when it depends on more than the constants, the
                             attributes, the config and the device's instructions: on other extents, for example */
  size_t workspace_bytes; /* scratch during run, shared between steps; 64-byte aligned */
  size_t state_bytes;     /* what |prepare| writes; 64-byte aligned */
} pn_sizes;

enum { PN_STEP_NUMBERS = 1 << 24 };
/* A prepared problem, as run sees it. */
typedef struct pn_step {
  const pn_problem *problem;
  pn_config config;
  const void *state;
  const void *packed;
  void *workspace;
  void *const *operands; /* device pointers by operand index; INTERNAL ones are null, constants are raw and plain */
  void *count;           /* of a tactic that counts: an i64 of the device */
  uint32_t number;       /* by which stream_fault tells of it, below PN_STEP_NUMBERS; 0: none */
} pn_step;

typedef struct pn_tactic {
  const char *name; /* "cpu.conv_direct": stored in engines and caches, never reused for something else */
  uint32_t version; /* raised when packing or results change: stored packings and timings are dropped then */
  /* Whether it can run |problem|, layouts included; if not, why. */
  bool (*accepts)(const pn_problem *problem, const pn_device *device, pn_reason *why);
  /* The configs worth timing, most promising first; at least one. Null: only the default. */
  uint32_t (*configs)(const pn_problem *problem, const pn_device *device, pn_config *out, uint32_t max);
  /* Seconds it should take, from bytes and operations and measured rates; only orders and prunes. */
  double (*estimate)(const pn_problem *problem, const pn_device *device, const pn_config *config);
  /* Of an algorithm that trades accuracy for speed: its largest error on normal random data, relative to its largest
     result. Null: none but the rounding of sums. */
  double (*error)(const pn_problem *problem, const pn_device *device, const pn_config *config);
  /* Null members below: nothing to do, sizes zero. */
  void (*sizes)(const pn_problem *problem, const pn_device *device, const pn_config *config, pn_sizes *out);
  /* Writes packed_bytes from the problem's constants. Of those of floating type that an operator computes with, only
     pack and run read the elements: another tactic may have them in another type until then. */
  pelton_status (*pack)(const pn_problem *problem, const pn_device *device, const pn_config *config, void *packed,
                        pelton_diag *diag);
  /* Whether constant operand |operand| is in what pack writes, so that run does not read it. Null: run may. */
  bool (*packs)(const pn_problem *problem, uint32_t operand);
  pelton_status (*prepare)(const pn_problem *problem, const pn_device *device, const pn_config *config, void *state,
                           pelton_diag *diag);
  void (*release_state)(void *state);
  /* Memory of the device that |state| holds besides, to be told before a context takes it. Null: none. */
  size_t (*held_bytes)(const void *state);
  pelton_status (*run)(const pn_step *step, pn_stream *stream, pelton_diag *diag);
  /* Constants are read by pack and prepare alone: where device memory is not the host's, no copy of them is made there,
     and run must not touch those operands. */
  bool host_constants;
  bool host_work;    /* run waits for the device or works on the host: the step cannot be part of a recorded graph */
  bool counts;       /* takes operators whose results have a size that only the run tells (PN_OP_DATA_SHAPE). The
                        problem's results are as large as pn_op_bound says; run writes them as if they had their real
                        shape, elements one after another from the first on, and the extent that it found to |count| */
  bool in_place;     /* output 0 may share the memory of an input of equal type and layout that dies here */
  bool library;      /* a vendor's kernels: taken when measured faster by a margin (plan/planner.h), since they do not
                        begin before the step in front ends, and are not there wherever the engine may run */
  bool is_reference; /* the naive definition: chosen last, counted in the report as a fallback */
} pn_tactic;

#endif
