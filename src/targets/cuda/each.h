/* Kernels that do many small pieces of work of one thread (or one block) each, whatever the shape: the operators that
   networks have few of, and of which no two are alike. A tactic says what its problem consists of, and each thing's
   name; the kernel finds the names as macros. Shapes are arguments, so that one compiled kernel serves all of them;
   types and attributes that choose code are part of its text.

     pn_cuda_each_begin(&e, problem, device, work);
     pn_cuda_each_divider(&e, "INNER", inner);          kernel: divide(i, INNER), INNER.divisor
     pn_cuda_each_number(&e, "EXTENT", extent);         kernel: EXTENT
     pn_cuda_each_constant(&e, "UPPER", true);          kernel: #if UPPER
     return pn_cuda_each_end(&e, "trilu.cu", "trilu", elements, 1, diag);

   Of operands named "X" the kernel has X (its memory), X_TYPE and X_FORM (as element.cuh spells them), WITH_X (whether
   it is there) and X_WORD (an unsigned integer of its elements' size). */
#ifndef PN_TARGETS_CUDA_EACH_H
#define PN_TARGETS_CUDA_EACH_H

#include "targets/cuda/render.h"

enum { PN_CUDA_STAGES_OF_WORK = 12 };

/* The state of such a tactic: kernels one after another. */
typedef struct pn_cuda_work {
  uint32_t count;
  const pn_device *device; /* with |table| */
  void *table;             /* on the device; null: none */
  struct pn_cuda_stage {
    pn_cu_function *function;
    uint32_t grid, threads;
    uint16_t operands[EACH_OPERANDS];
    struct each_arguments arguments;
  } stage[PN_CUDA_STAGES_OF_WORK];
} pn_cuda_work;

/* One stage while it is made. */
typedef struct pn_cuda_each {
  const pn_problem *problem;
  const pn_device *device;
  pn_cuda_work *work;
  struct pn_cuda_stage *stage;
  uint32_t operands, numbers, dividers, reals;
  bool overflow; /* a number does not fit, or there are too many */
  bool fused;    /* products and sums may be contracted */
  pn_text head;
} pn_cuda_each;

/* An operator of a tactic. */
typedef struct pn_cuda_each_op {
  pn_op op;
  bool (*accepts)(const pn_problem *problem, pn_reason *why);              /* beyond what all want; null: nothing */
  size_t (*workspace)(const pn_problem *problem, const pn_device *device); /* in bytes; null: none */
  pelton_status (*prepare)(const pn_problem *problem, const pn_device *device, pn_cuda_work *work, pelton_diag *diag);
} pn_cuda_each_op;

void pn_cuda_each_begin(pn_cuda_each *each, const pn_problem *problem, const pn_device *device, pn_cuda_work *work);
/* The inputs and results of node 0 in their order, as many as have names. */
void pn_cuda_each_operands(pn_cuda_each *each, const char *const *inputs, uint32_t input_count,
                           const char *const *outputs, uint32_t output_count);
void pn_cuda_each_number(pn_cuda_each *each, const char *name, int64_t value);
void pn_cuda_each_real(pn_cuda_each *each, const char *name, double value);
void pn_cuda_each_divider(pn_cuda_each *each, const char *name, int64_t value);
/* NAME(i). */
void pn_cuda_each_numbers(pn_cuda_each *each, const char *name, const int64_t *values, uint32_t count);
void pn_cuda_each_dividers(pn_cuda_each *each, const char *name, const int64_t *values, uint32_t count);
/* Part of the text: each value compiles another kernel. */
void pn_cuda_each_constant(pn_cuda_each *each, const char *name, int64_t value);
void pn_cuda_each_word(pn_cuda_each *each, const char *name, const char *value);
/* The kernel uses the steps and casts of expression.cuh. */
PN_INLINE void pn_cuda_each_steps(pn_cuda_each *each) {
  pn_text_add(&each->head, PN_STR("#include \"expression.cuh\"\n"));
}
/* Compiles, and appends the stage: |count| pieces of work, each of |threads| threads, a power of two up to 256 (1: a
   thread each). */
pelton_status pn_cuda_each_end(pn_cuda_each *each, const char *file, const char *entry, int64_t count, uint32_t threads,
                               pelton_diag *diag) PN_CHECKED;

#define PN_CUDA_EACH_OPERANDS(each, inputs, outputs)                                                                   \
  pn_cuda_each_operands(each, inputs, (uint32_t)PN_COUNT(inputs), outputs, (uint32_t)PN_COUNT(outputs))

/* Members of such tactics, which take one node of one of |ops|, plain operands of types that kernels have, and extents
   within 31 bits. */
bool pn_cuda_each_accepts(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *problem, pn_reason *why);
double pn_cuda_each_estimate(const pn_problem *problem, const pn_device *device, const pn_config *config);
void pn_cuda_each_sizes(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *problem, const pn_device *device,
                        pn_sizes *out);
pelton_status pn_cuda_each_prepare(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *problem,
                                   const pn_device *device, void *state, pelton_diag *diag) PN_CHECKED;
/* One stage with |arguments|, its own or a copy with other numbers; all stages in order. */
pelton_status pn_cuda_each_launch(const pn_step *step, pn_stream *stream, const struct pn_cuda_stage *stage,
                                  const struct each_arguments *arguments, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_each_run(const pn_step *step, pn_stream *stream, pelton_diag *diag);
void pn_cuda_each_release(void *state);

/* Of operators whose results have a size that only the run tells (tactic.h: counts): kernels write it to *a.found. Refuses
   what at its most takes a great part of the device's memory: the host takes as much as there really is. */
bool pn_cuda_each_roomy(const pn_cuda_each_op *ops, uint32_t count, const pn_problem *problem, const pn_device *device,
                        pn_reason *why);

/* The tactic cuda.<id>, whose operators are the table |ops|. */
#define PN_CUDA_EACH_TACTIC(id, ops) PN_CUDA_EACH_TACTIC_OF(id, ops, false, pn_cuda_each_run)
/* The same of operators that count, and whose stages |runs| puts into the stream. */
#define PN_CUDA_EACH_COUNTS(id, ops, runs) PN_CUDA_EACH_TACTIC_OF(id, ops, true, runs)
#define PN_CUDA_EACH_TACTIC_OF(id, ops, does_count, runs)                                                              \
  static bool accepts(const pn_problem *problem, const pn_device *device, pn_reason *why) {                            \
    return pn_cuda_each_accepts(ops, (uint32_t)PN_COUNT(ops), problem, why) &&                                         \
           (!(does_count) || pn_cuda_each_roomy(ops, (uint32_t)PN_COUNT(ops), problem, device, why));                  \
  }                                                                                                                    \
  static void sizes(const pn_problem *problem, const pn_device *device, const pn_config *config, pn_sizes *out) {      \
    (void)config;                                                                                                      \
    pn_cuda_each_sizes(ops, (uint32_t)PN_COUNT(ops), problem, device, out);                                            \
  }                                                                                                                    \
  static pelton_status prepare(const pn_problem *problem, const pn_device *device, const pn_config *config,            \
                               void *state, pelton_diag *diag) {                                                       \
    (void)config;                                                                                                      \
    return pn_cuda_each_prepare(ops, (uint32_t)PN_COUNT(ops), problem, device, state, diag);                           \
  }                                                                                                                    \
  const pn_tactic pn_tactic_cuda_##id = {                                                                              \
      .name = "cuda." #id,                                                                                             \
      .version = 1,                                                                                                    \
      .accepts = accepts,                                                                                              \
      .estimate = pn_cuda_each_estimate,                                                                               \
      .sizes = sizes,                                                                                                  \
      .prepare = prepare,                                                                                              \
      .release_state = pn_cuda_each_release,                                                                           \
      .run = runs,                                                                                                     \
      .counts = does_count,                                                                                            \
  }

/* A line along an axis: element i is at (outer * extent + i) * inner + rest. */
typedef struct pn_cuda_line {
  int64_t outer, extent, inner;
} pn_cuda_line;
pn_cuda_line pn_cuda_line_of(const pn_operand *o, int64_t axis);
/* As EXTENT, and INNER as a divider. */
void pn_cuda_each_line(pn_cuda_each *each, const pn_cuda_line *line);

#endif
