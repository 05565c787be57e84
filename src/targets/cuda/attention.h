/* Attention as the target's tactics on tensor cores see it: the operator, and the chain in which most networks spell
   it, a product, an expression (scale, mask), a softmax, a product, with the transposes that part and join heads before
   and after it. Transposes cost nothing: they are strides. The chain's scores are not rounded to 16 bits, so that it is
   closer to the definition in f32 than to the one in its own type. */
#ifndef PN_TARGETS_CUDA_ATTENTION_H
#define PN_TARGETS_CUDA_ATTENTION_H

#include "targets/cuda/render.h"

typedef struct pn_cuda_attention {
  uint32_t batches, heads;
  int64_t depth, value_depth;
  uint16_t q, k, v, y, mask, operands[MOST_SCORE_OPERANDS]; /* of the problem; PN_NO_OPERAND: none */
  uint32_t operand_count;
  uint8_t of_input[PN_EXPR_MAX_INPUTS];
  const pn_problem_node *expression; /* one that is not a scale and a mask; else null */
  const pn_operand *scores;
  bool capped, empty_rows, aligned;
  struct attention_tensor_arguments arguments;
} pn_cuda_attention;

/* False, with the reason (none for other operators), when |problem| is no attention in 16 bits that kernels take. */
bool pn_cuda_attention_accepts(const pn_problem *problem, pn_cuda_attention *out, pn_reason *why);
/* Prints what scores.cuh wants: types, extents, what is done to scores. */
void pn_cuda_attention_render(const pn_problem *problem, const pn_cuda_attention *attention, pn_text *out);
/* The arguments with their operands, as they lie for |step|. */
struct attention_tensor_arguments pn_cuda_attention_bind(const pn_cuda_attention *attention, const pn_step *step);

#endif
