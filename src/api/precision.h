/* The stage of a build that takes a network in f32 to 16 bits: what the options ask for, evidence from samples, and the
   report. What is decided, and how, is src/precision's. */
#ifndef PN_API_PRECISION_H
#define PN_API_PRECISION_H

#include "precision/precision.h"

#include "pelton/build.h"

struct pn_json;

typedef struct pn_precision_request {
  bool half[PN_HALF_COUNT]; /* types that layers may have */
  bool tf32;                /* products of f32 on tensor units */
  bool tf32_idle;           /* which the target does not have */
  bool best_idle;           /* best is f32 on the target */
  const char *target;
} pn_precision_request;

/* Reads options->precision: "fp32" (null), or some of "fp16", "bf16", "tf32", "fp32", separated by commas; "best": what
   |target| computes fastest. */
pelton_status pn_precision_parse(const pelton_build_options *options, const char *target, pn_precision_request *out,
                                 pelton_diag *diag) PN_CHECKED;

/* Converts |g|, whose passes have run, for inputs of |shapes| (by input, numbers only). Writes the object "precision" into
   |report|. |*changed|: passes should run again. */
pelton_status pn_precision_stage(pn_graph *g, const pelton_shape *shapes, const pelton_build_options *options,
                                 const pn_precision_request *request, struct pn_json *report, bool *changed,
                                 pelton_diag *diag) PN_CHECKED;

/* Runs |g| in f32 on the host for each sample and adds what its values are to |ranges|. |samples| has the inputs' tensors
   sample by sample; none: |random| samples are drawn, uniform in the
   inputs' ranges, normal where there is none. */
pelton_status pn_observe_runs(const pn_graph *g, const pelton_shape *shapes, const pelton_build_options *options,
                              uint32_t random, pn_ranges *ranges, pelton_diag *diag) PN_CHECKED;

#endif
