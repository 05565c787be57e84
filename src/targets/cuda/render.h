/* Pointwise expressions as CUDA source: a line a step, in the forms and with the roundings of op/expression. */
#ifndef PN_TARGETS_CUDA_RENDER_H
#define PN_TARGETS_CUDA_RENDER_H

#include "targets/cuda/cuda.h"
#include "targets/cuda/kernels/arguments.h"

/* "f32", "bf16", "bool": as element.cuh spells types; null for one that kernels do not have. */
const char *pn_cuda_type_name(pelton_dtype dtype);
/* The form in which a type is computed: "f32", "f64", "i64" or "u64". */
const char *pn_cuda_form_name(pelton_dtype dtype);
/* f32, f16 and bf16. */
bool pn_cuda_is_f32_form(pelton_dtype dtype);

/* Whether |expr| over operands of |inputs| can be rendered; |types| of every step. */
bool pn_cuda_expression_accepts(const pn_expr *expr, const pelton_dtype *inputs, pelton_dtype *types, pn_reason *why);
/* Prints "const f32 v0 = INPUT_0; ..." : step i is v<i>; an operand k is what the macro INPUT_<k> says.
   The last one, in 16 bits, is not rounded: whoever stores it does that. */
void pn_cuda_render_steps(const pn_expr *expr, const pelton_dtype *types, pn_text *out);

/* ---- what follows a convolution or a matrix product in the same step */

typedef struct pn_cuda_epilogue {
  uint32_t operand_count;
  uint16_t operands[MOST_EPILOGUE]; /* of the problem */
  int strides[MOST_EPILOGUE][3];    /* by batch, channel, place: see epilogue_arguments */
  uint8_t of_input[PN_EXPR_MAX_INPUTS];
} pn_cuda_epilogue;

/* How an operand that broadcasts to the result moves along batch, channel and place (all spatial axes as one); false
   when that cannot be said with one stride each. For a product, channels are columns and places rows. */
typedef bool pn_cuda_strides_fn(const pn_operand *o, const pn_operand *out, int *strides);

/* Whether node 1 of |problem| (or nothing) can follow node 0, whose result it takes once or more. */
bool pn_cuda_epilogue_accepts(const pn_problem *problem, pn_cuda_strides_fn *strides, pn_cuda_epilogue *out,
                              pn_reason *why);
/* Prints EPILOGUE(value, n, m, p) and the function behind it. */
void pn_cuda_epilogue_render(const pn_problem *problem, const pn_cuda_epilogue *epilogue, pn_text *out);
/* Prints finish(epilogue, bias, value, n, m, p, count): bias (|bias|: there is one) and expression over the sums of
   eight neighbours from channel m on, of which |count| are there; with |whole| all eight always are. What stands between
   two steps is not rounded to 16 bits. It is take(epilogue, bias, taken, n, m, p, count), which reads operands, and
   apply(taken, value). For wgmma.cu and mma.cu, behind eight.cuh. Gives a bit for each operand of the epilogue that is
   read by eights, aligned. On a device the operand |copied| (perhaps NULL) is not read by take(): the kernel finds it in
   shared memory and puts it into COPIED_OPERAND of what was taken. */
uint32_t pn_cuda_epilogue_render_eight(const pn_problem *problem, const pn_cuda_epilogue *epilogue, bool bias, bool whole,
                                       const pn_operand *copied,
                                   pn_text *out);
/* Whether the result of |problem|'s first node, a convolution of a chain, is what its expression (if node 1 is there)
   alone reads; and prints <name>(value), that expression without roundings between its steps. Behind eight.cuh. */
bool pn_cuda_between_accepts(const pn_problem *problem, const pn_cuda_epilogue *epilogue, pn_reason *why);
void pn_cuda_render_between(const pn_problem *problem, const char *name, pn_text *out);
void pn_cuda_epilogue_fill(const pn_cuda_epilogue *epilogue, struct epilogue_arguments *out);
PN_INLINE void pn_cuda_epilogue_bind(const pn_cuda_epilogue *epilogue, void *const *operands,
                                     struct epilogue_arguments *out) {
  for (uint32_t i = 0; i < epilogue->operand_count; i++) out->operands[i] = operands[epilogue->operands[i]];
}

/* ---- numbers for kernels */

struct divider pn_cuda_divider(int64_t divisor);

#endif
