/* Networks in f32 become networks in 16 bits where that is safe, for every target alike.

   Three steps. What is known of each value: bounds that follow from constants and from the inputs' ranges (range.c), and
   what runs on samples showed (observe.c). A decision for each node (choose.c): it goes to 16 bits when everything that
   it reads and writes in f32 fits the type with room to spare, and loses little by being rounded to it. And the rewriting
   (convert.c): weights are rounded, values change their type, casts stand where types meet.

   Only what is stored is rounded: kernels of 16-bit types sum in f32. So it is values that are judged, not sums within
   an operator; expressions whose inner steps could leave the type are computed in f32 between two casts. */
#ifndef PN_PRECISION_PRECISION_H
#define PN_PRECISION_PRECISION_H

#include "ir/graph.h"

struct pn_json;

typedef enum pn_half { PN_HALF_F16, PN_HALF_BF16, PN_HALF_COUNT } pn_half;
extern const pelton_dtype pn_half_dtype[PN_HALF_COUNT];
extern const double pn_half_largest[PN_HALF_COUNT];

/* What samples say of a value. */
typedef enum pn_evidence {
  PN_EVIDENCE_FIXED, /* it is the same whatever the inputs are: a constant, a shape */
  PN_EVIDENCE_SEEN,
  PN_EVIDENCE_NONE /* only seen zero, or of inputs that are the same throughout */
} pn_evidence;

/* What is known of the elements of one value. */
typedef struct pn_range {
  double lo, hi;    /* proven: no element is beyond, whatever the inputs within their ranges; infinite: nothing is proven */
  bool proven_exact; /* a constant: the elements themselves were read */
  pn_evidence evidence; /* of inputs the caller says it, see pn_ranges_trace */
  uint32_t cause;       /* NONE: the value that was zero, or the input that was the same throughout */
  bool observed;    /* the rest is known, of a constant or from samples */
  bool not_finite;  /* an infinity or a NaN was seen */
  double largest;   /* absolute */
  double energy;    /* sum of squares */
  double error[PN_HALF_COUNT]; /* sum of squares of what rounding changes */
} pn_range;

typedef struct pn_ranges {
  pn_range *data; /* by value id */
  uint32_t count;
} pn_ranges;

/* Ranges of everything unknown but constants, which are read. */
pelton_status pn_ranges_create(const pn_graph *g, pn_arena *arena, pn_ranges *out, pelton_diag *diag) PN_CHECKED;
/* Bounds of all nodes' results, from those of inputs (whoever knows them sets lo and hi first) and constants. */
pelton_status pn_ranges_prove(const pn_graph *g, pn_ranges *ranges, pelton_diag *diag) PN_CHECKED;
/* Which values samples say nothing of, from what they say of the graph's inputs; after observing. */
void pn_ranges_trace(const pn_graph *g, pn_ranges *ranges);
/* Adds a dense f32 tensor to what was observed of a value. */
void pn_range_observe(pn_range *range, const float *data, int64_t count);
/* The largest absolute value that |range| proves; infinity when nothing is proven. */
double pn_range_bound(const pn_range *range);
/* Signal to noise of rounding, in dB; infinity when nothing is lost, or nothing was observed. */
double pn_range_decibels(const pn_range *range, pn_half half);

/* An interval; lo > hi never holds. */
typedef struct pn_interval {
  double lo, hi;
} pn_interval;
/* The intervals of an expression's steps for operands in |operands|; steps that are no floats get 0 to 1 when they are
   bool and no bounds otherwise. |steps| has step_count entries. */
void pn_expr_intervals(const pn_expr *expr, const pn_interval *operands, pn_interval *steps);

typedef struct pn_precision_rule {
  pn_str pattern;     /* of node names: '*' stands for anything */
  pelton_dtype dtype; /* f32, f16 or bf16 */
} pn_precision_rule;

typedef struct pn_precision_options {
  bool allowed[PN_HALF_COUNT]; /* f16 is tried first */
  const pn_precision_rule *rules; /* the first that fits a node decides */
  uint32_t rule_count;
  double margin; /* how far beyond what was observed a type must reach, 1 and up */
} pn_precision_options;

typedef enum pn_layer {
  PN_LAYER_NONE,    /* no layer, and never in 16 bits: movement, shapes, integers */
  PN_LAYER_MOVES,   /* no layer, but goes along with what it reads */
  PN_LAYER_FOLLOWS, /* goes along too, and computes */
  PN_LAYER_GAINS,
  PN_LAYER_STAYS /* computes, and has no kernel for 16 bits */
} pn_layer;
pn_layer pn_precision_layer(const pn_graph *g, const pn_node *node);
/* f32 or f64, the type of |node|'s results; none when no result is one of these. */
pelton_dtype pn_precision_result(const pn_graph *g, const pn_node *node);

typedef struct pn_precision_choice {
  pelton_dtype dtype;  /* f32: it stays */
  bool wanted;         /* it stands in the report: converted, or a layer that stays */
  bool had_to;         /* it stays against what was asked */
  bool no_gain;        /* it stays since it follows no layer in 16 bits, or makes an output */
  bool proven;         /* what it reads and writes fits a type that is allowed, whatever was seen */
  bool forced;         /* by a rule */
  bool wide_inside;    /* pointwise: its steps stay in f32 */
  const char *why;     /* why it stays, in the arena */
} pn_precision_choice;

/* A layer of a subgraph. */
typedef struct pn_precision_inner {
  const pn_graph *graph;
  const pn_node *node;
  pn_precision_choice choice;
} pn_precision_inner;

typedef struct pn_precision_choices {
  pn_precision_choice *data; /* by node */
  PN_LIST(pn_precision_inner) inner;
} pn_precision_choices;

/* A choice for every node, in |arena|. */
pelton_status pn_precision_choose(const pn_graph *g, const pn_ranges *ranges, const pn_precision_options *options,
                                  pn_arena *arena, pn_precision_choices *out, pelton_diag *diag) PN_CHECKED;
/* Whether |pattern| fits a node of |g| or of its subgraphs. */
bool pn_precision_names(const pn_graph *g, pn_str pattern);
/* Which operands of |node| are data that change their type with it. */
bool pn_precision_is_data(const pn_node *node, uint32_t input);

/* Rewrites |g| by |choices| (one for each node), and infers types anew. */
pelton_status pn_precision_convert(pn_graph *g, const pn_precision_choice *choices, pelton_diag *diag) PN_CHECKED;

#endif
