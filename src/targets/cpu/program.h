/* A pointwise expression as a program for the CPU: one vector operation after another over a run of floats that lies in
   L1. The same program serves pointwise steps (runs along the innermost stored axis) and the epilogues of convolutions
   and matrix products (runs along a row of the tile). */
#ifndef PN_TARGETS_CPU_PROGRAM_H
#define PN_TARGETS_CPU_PROGRAM_H

#include "op/expr.h"
#include "targets/cpu/cpu.h"

enum {
  PN_PROGRAM_STEPS = 64,
  PN_PROGRAM_REGISTERS = 12, /* of PN_PROGRAM_RUN floats each, live at once */
  PN_PROGRAM_RUN = 512,
  PN_PROGRAM_REPEATS = 2, /* runs that an epilogue fills with operands that vary by column alone */
  PN_PROGRAM_SCRATCH_BYTES = (PN_PROGRAM_REGISTERS + PN_PROGRAM_REPEATS) * PN_PROGRAM_RUN * 4
};

typedef enum pn_source_kind { PN_SOURCE_REGISTER, PN_SOURCE_OPERAND, PN_SOURCE_CONSTANT } pn_source_kind;
typedef struct pn_source {
  pn_source_kind kind;
  uint32_t index; /* register, or operand of the expression */
  float value;    /* CONSTANT */
} pn_source;

typedef struct pn_program_step {
  pn_expr_op op;
  pn_source source[3];
  uint32_t target; /* register; the last step writes the result instead */
} pn_program_step;

typedef struct pn_program {
  uint32_t step_count;
  uint32_t register_count;
  uint64_t bool_operands; /* bit i: operand i is bool, one byte an element */
  bool bool_result;
  pn_program_step steps[PN_PROGRAM_STEPS];
} pn_program;

/* An operand along a run: |stride| 1 is a run of floats (or bytes for bool), 0 one element for all. */
typedef struct pn_run_operand {
  const void *data;
  uint32_t stride;
} pn_run_operand;

/* Compiles |expr| over operands of |types| (f32 and bool); false, with the reason, when it has steps of another type,
   operations without a vector form, or too many registers. |out| may be null: only asks. */
bool pn_program_compile(const pn_expr *expr, const pelton_dtype *types, pn_program *out, pn_reason *why);

/* Whether the program is one operation that reads operands and writes the result without scratch, so that runs may be
   of any length; bit i of |runs| says that operand i has stride 1. */
bool pn_program_is_direct(const pn_program *program, uint64_t runs);

/* result[i] = expression(operands at i) for i < n <= PN_PROGRAM_RUN. |scratch| has PN_PROGRAM_SCRATCH_BYTES, 64-byte
   aligned. |result| may be any operand of stride 1. */
void pn_program_run(const pn_program *program, const pn_cpu_vec_f32 *vec, const pn_run_operand *operands, size_t n,
                    void *result, float *scratch);

/* Which kernel of vec_f32 computes |op|, or which function of the C library. */
typedef enum pn_vector_kind { PN_VECTOR_NONE, PN_VECTOR_UNARY, PN_VECTOR_BINARY, PN_VECTOR_SCALAR } pn_vector_kind;
typedef struct pn_vector_op {
  pn_vector_kind kind;
  pn_cpu_unary unary;
  pn_cpu_binary binary;
  bool swapped; /* the second argument first */
  float (*one)(float);
  float (*two)(float, float);
} pn_vector_op;
pn_vector_op pn_vector_op_of(pn_expr_op op);

/* Vector operations an element takes, for estimates: cheap ones count 1, exp and the like 8. */
double pn_program_cost(const pn_program *program);

#endif
