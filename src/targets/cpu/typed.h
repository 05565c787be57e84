/* A pointwise expression over operands of any types as a program for the CPU, the counterpart of program.h, which knows
   f32 alone. A value lies in its run as in memory, except f16 and bf16, which are f32 there, rounded after each
   operation. Which kernel a step calls is settled when the program is compiled. */
#ifndef PN_TARGETS_CPU_TYPED_H
#define PN_TARGETS_CPU_TYPED_H

#include "targets/cpu/program.h"

enum {
  PN_TYPED_STEPS = 96,
  PN_TYPED_REGISTERS = 12, /* of PN_PROGRAM_RUN elements of 8 bytes, live at once */
  PN_TYPED_SPARES = 3,     /* further ones for what has to be made a run */
  PN_TYPED_TABLES = 2,     /* of what the codes of 8-bit floats mean */
  PN_TYPED_SCRATCH_BYTES = (PN_TYPED_REGISTERS + PN_TYPED_SPARES) * PN_PROGRAM_RUN * 8
};

typedef struct pn_typed_source {
  pn_source_kind kind;
  uint32_t index; /* register, or operand of the expression */
  union {
    uint8_t bytes[8];
    float f32;
  } constant;
} pn_typed_source;

typedef enum pn_typed_kind {
  PN_TYPED_UNARY,  /* call.typed: also conversions */
  PN_TYPED_BINARY, /* call.typed_two */
  PN_TYPED_SELECT,
  PN_TYPED_F32_UNARY, /* vec_f32's */
  PN_TYPED_F32_BINARY,
  PN_TYPED_F32_SCALAR, /* of the C library */
  PN_TYPED_F64_SCALAR,
  PN_TYPED_LOAD_HALF, /* f16, bf16 to f32 and back */
  PN_TYPED_STORE_HALF,
  PN_TYPED_ROUND_HALF,
  PN_TYPED_LOAD_LOW, /* 8-bit floats to f32 and back */
  PN_TYPED_STORE_LOW
} pn_typed_kind;

typedef struct pn_typed_step {
  pn_typed_kind kind;
  uint32_t arguments;
  uint32_t element_bytes; /* of the arguments; of the chosen ones for select */
  pn_typed_source source[3];
  uint32_t target; /* register; the last step writes the result instead */
  bool commutes;
  float parameters[2]; /* F32_UNARY */
  pelton_dtype dtype;  /* HALF, LOW: which */
  pn_cast_mode mode;   /* STORE_LOW */
  uint32_t table;      /* LOAD_LOW */
  union {
    pn_cpu_typed_unary_fn *typed;
    pn_cpu_typed_binary_fn *typed_two;
    pn_cpu_unary_f32_fn *f32;
    pn_cpu_binary_f32_fn *const *f32_two; /* by form */
    float (*scalar)(float);
    float (*scalar_two)(float, float);
    double (*wide)(double);
    double (*wide_two)(double, double);
  } call;
} pn_typed_step;

typedef struct pn_typed_program {
  uint32_t step_count;
  const pn_cpu_vec_typed *typed;
  const pn_cpu_vec_f32 *vec;
  pelton_dtype table_types[PN_TYPED_TABLES];
  float tables[PN_TYPED_TABLES][256];
  pn_typed_step steps[PN_TYPED_STEPS];
} pn_typed_program;

/* Compiles |expr| over operands of |types| with the kernels of |device|; false, with the reason, when an operation has
   no kernel for its type, or there are too many of them. */
bool pn_typed_compile(const pn_expr *expr, const pelton_dtype *types, const pn_device *device, pn_typed_program *out,
                      pn_reason *why);
/* As pn_program_is_direct. */
bool pn_typed_is_direct(const pn_typed_program *program, uint64_t runs);
/* As pn_program_run, for n <= PN_PROGRAM_RUN. |scratch| has PN_TYPED_SCRATCH_BYTES, 64-byte aligned. */
void pn_typed_run(const pn_typed_program *program, const pn_run_operand *operands, size_t n, void *result,
                  void *scratch);
double pn_typed_cost(const pn_typed_program *program);

#endif
