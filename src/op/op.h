/* The operator vocabulary: what ops.def declares, as C types and tables.

   An operator's meaning is three functions in src/op/<family>/<op>.c: check (are attributes and operand types
   sensible?), infer (output types from input types, and from the contents of small integer operands) and reference (the
   readable definition, in plain C). A row of ops.def without them is a link error. Everything that only depends on the
   attributes' list (defaults, text, hash, compare, storage) is generic: schema.h. */
#ifndef PN_OP_OP_H
#define PN_OP_OP_H

#include "op/enums.h"
#include "op/expr.h"
#include "op/type.h"

struct pn_graph;

typedef struct pn_i64s {
  const int64_t *data;
  uint32_t count;
} pn_i64s;

typedef struct pn_f32s {
  const float *data;
  uint32_t count;
} pn_f32s;

#define PN_MANY 1024

enum {
  PN_OP_VIEW = 1,       /* the output has the first operand's bytes: no kernel is needed */
  PN_OP_DATA_SHAPE = 2, /* output shapes depend on operands' data: the plan is cut in front of it, or behind it */
  PN_OP_CONTROL = 4,    /* runs subgraphs: the runtime executes it */
  PN_OP_LASTING = 8,    /* results' elements point at memory of their own (texts, boxes), which the runtime keeps */
  PN_OP_TEXTS = 16,     /* operands may be texts: their elements are only moved, or the operator is about texts */
  PN_OP_BOXES = 32      /* takes operands of dtype TENSOR: sequences and optionals */
};

/* pn_op: PN_OP_CONV, ... */
#define PN_OP(name, upper, ...) PN_OP_##upper,
#define PN_I64(op, field, value)
#define PN_F32(op, field, value)
#define PN_BOOL(op, field, value)
#define PN_DTYPE(op, field, value)
#define PN_ENUM(op, field, enumeration, value)
#define PN_I64S(op, field)
#define PN_F32S(op, field)
#define PN_STRING(op, field)
#define PN_EXPR(op, field)
#define PN_GRAPH(op, field)
#define PN_OP_END(name)
typedef enum pn_op {
#include "op/ops.def"
  PN_OP_COUNT
} pn_op;
#include "op/ops_undef.h"

/* One attribute struct an operator: pn_attrs_conv { pn_i64s strides; ... }. |unused| keeps empty ones legal. */
#define PN_OP(name, upper, ...) typedef struct pn_attrs_##name {
#define PN_I64(op, field, value) int64_t field;
#define PN_F32(op, field, value) float field;
#define PN_BOOL(op, field, value) bool field;
#define PN_DTYPE(op, field, value) pelton_dtype field;
#define PN_ENUM(op, field, enumeration, value) pn_##enumeration field;
#define PN_I64S(op, field) pn_i64s field;
#define PN_F32S(op, field) pn_f32s field;
#define PN_STRING(op, field) pn_str field;
#define PN_EXPR(op, field) const pn_expr *field;
#define PN_GRAPH(op, field) struct pn_graph *field;
#define PN_OP_END(name) uint8_t unused; } pn_attrs_##name;
#include "op/ops.def"
#include "op/ops_undef.h"

/* ---- infer and check ------------------------------------------------------------------------------------------- */

/* What is known of an operand or a result. */
typedef struct pn_fact {
  bool present;  /* false: an optional operand that is absent, or a result nobody asked for */
  pn_type type;
  const void *data;      /* the elements, dense, when they are known now; else null */
  const pn_dim *content; /* elements of a small integer tensor as dims, when known as symbols or numbers; else null */
} pn_fact;

/* The call of a check or an infer function. Facts of |in| are complete in type (dtype known; rank may be unknown);
   infer fills |out[i].type|, and |out[i].content| where it can (from |arena|). */
typedef struct pn_infer {
  const void *attrs; /* const pn_attrs_<op> * */
  uint32_t input_count, output_count;
  const pn_fact *in;
  pn_fact *out;
  pn_symbols *symbols;
  pn_arena *arena;
  pelton_diag *diag;
  /* Control operators: the results' types of a subgraph for operand types; null elsewhere. */
  pelton_status (*subgraph)(void *self, struct pn_graph *graph, const pn_fact *in, uint32_t in_count, pn_fact *out,
                            uint32_t out_count, pelton_diag *diag);
  void *subgraph_self;
} pn_infer;

/* True when operand |i| exists and is given. */
PN_INLINE bool pn_infer_has(const pn_infer *c, uint32_t i) { return i < c->input_count && c->in[i].present; }
/* The integers of operand |i| (i64 or i32, rank 0 or 1) as dims, from |data| or |content|; false when not known now. */
bool pn_infer_content(const pn_infer *c, uint32_t i, const pn_dim **out, uint32_t *count) PN_CHECKED;
/* The same as numbers only. */
bool pn_infer_numbers(const pn_infer *c, uint32_t i, const int64_t **out, uint32_t *count) PN_CHECKED;
/* |axis| in [0, rank), or an error that names it. */
pelton_status pn_infer_axis(const pn_infer *c, int64_t axis, int64_t rank, uint32_t *out) PN_CHECKED;
/* Sets result |i| to |dtype| with an unknown rank, or with |rank| fresh dims. */
void pn_infer_unknown(const pn_infer *c, uint32_t i, pelton_dtype dtype, int32_t rank);
/* numpy broadcasting of two types' dims into |out| (dtype untouched); an error that names both shapes. Unknown ranks
   give unknown. */
pelton_status pn_infer_broadcast(const pn_infer *c, const pn_type *a, const pn_type *b, pn_type *out) PN_CHECKED;

/* ---- reference ------------------------------------------------------------------------------------------------- */

/* The call of a reference function: operands and results are dense row-major. Results' |data| is there, of the inferred
   shape, except for operators with PN_OP_DATA_SHAPE or PN_OP_LASTING, which call |resize_output| once for each result
   they give. Absent operands and results have data null (a present tensor of no elements has a non-null pointer).
   |scratch| is emptied after the call; |lasting| stays as long as anything may look at the results: through loops and
   subgraphs to the end of the context's run and until its next one, or, when a constant is folded, as long as the
   graph. Operators without PN_OP_LASTING must not use it: it may be null. */
typedef struct pn_call {
  const void *attrs;
  uint32_t input_count, output_count;
  const pn_tensor *in;
  pn_tensor *out;
  pn_arena *scratch;
  pelton_diag *diag;
  pelton_status (*resize_output)(struct pn_call *call, uint32_t index, uint32_t rank, const int64_t *dims);
  void *self; /* of whoever made the call */
  pn_arena *lasting;
} pn_call;

PN_INLINE bool pn_call_has(const pn_call *c, uint32_t i) { return i < c->input_count && c->in[i].data != NULL; }

/* ---- tables ---------------------------------------------------------------------------------------------------- */

typedef enum pn_field_kind {
  PN_FIELD_I64, PN_FIELD_F32, PN_FIELD_BOOL, PN_FIELD_DTYPE, PN_FIELD_ENUM, PN_FIELD_I64S, PN_FIELD_F32S,
  PN_FIELD_STRING, PN_FIELD_EXPR, PN_FIELD_GRAPH
} pn_field_kind;

typedef struct pn_field {
  const char *name;
  pn_field_kind kind;
  uint32_t offset;          /* in the attribute struct */
  double default_f64;       /* F32 */
  int64_t default_i64;      /* I64, BOOL, DTYPE, ENUM */
  const char *const *words; /* ENUM: their texts, ended by null */
} pn_field;

typedef struct pn_op_info {
  const char *name;
  uint32_t min_inputs, max_inputs, min_outputs, max_outputs;
  uint32_t flags;
  uint32_t attrs_bytes;
  const pn_field *fields;
  uint32_t field_count;
  pelton_status (*check)(const pn_infer *call);
  pelton_status (*infer)(const pn_infer *call);
  pelton_status (*reference)(const pn_call *call); /* control operators: an internal error */
} pn_op_info;

/* The row of |op|. */
const pn_op_info *pn_op_get(pn_op op);
/* Whether the runtime executes |op| itself, between plans: no target is asked. But with PN_OP_DATA_SHAPE a plan may end
   with it, where a tactic counts (target/tactic.h). */
PN_INLINE bool pn_op_is_host(pn_op op) {
  return (pn_op_get(op)->flags & (PN_OP_DATA_SHAPE | PN_OP_CONTROL | PN_OP_LASTING)) != 0;
}
/* Whether its reference sizes its results itself (see pn_call). */
PN_INLINE bool pn_op_sizes_results(pn_op op) {
  return (pn_op_get(op)->flags & (PN_OP_DATA_SHAPE | PN_OP_LASTING)) != 0;
}
bool pn_op_find(pn_str name, pn_op *out) PN_CHECKED;
/* Of an operator with PN_OP_DATA_SHAPE whose operands are static: sets each result's type to the largest that it can
   have, and |axes[i]| to the axis of result i along which only the run tells the extent, the same in all of them; -1:
   the result has just that shape. False: no such bound is known. */
enum { PN_MOST_COUNTED = 4 };
bool pn_op_bound(pn_op op, const pn_infer *call, int32_t axes[PN_MOST_COUNTED]) PN_CHECKED;

/* The row's check, after what holds for all of them: only operators with PN_OP_TEXTS take texts, only those with
   PN_OP_BOXES sequences and optionals. */
pelton_status pn_op_check(pn_op op, const pn_infer *call) PN_CHECKED;

#define PN_OP(name, upper, ...)                          \
  pelton_status pn_check_##name(const pn_infer *call);   \
  pelton_status pn_infer_##name(const pn_infer *call);   \
  pelton_status pn_reference_##name(const pn_call *call);
#define PN_I64(op, field, value)
#define PN_F32(op, field, value)
#define PN_BOOL(op, field, value)
#define PN_DTYPE(op, field, value)
#define PN_ENUM(op, field, enumeration, value)
#define PN_I64S(op, field)
#define PN_F32S(op, field)
#define PN_STRING(op, field)
#define PN_EXPR(op, field)
#define PN_GRAPH(op, field)
#define PN_OP_END(name)
#include "op/ops.def"
#include "op/ops_undef.h"

#endif
