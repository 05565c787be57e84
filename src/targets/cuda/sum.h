/* The expressions that vendor libraries know how to append to a product: relu(result + bias + residual), each part of
   it optional, the relu perhaps cut above. */
#ifndef PN_TARGETS_CUDA_SUM_H
#define PN_TARGETS_CUDA_SUM_H

#include "targets/cuda/render.h"

typedef struct pn_cuda_sum {
  uint16_t bias, residual; /* operands of the problem; PN_NO_OPERAND: none */
  bool relu;
  double upper; /* infinite: none */
} pn_cuda_sum;

/* Whether node 1 of |problem| is such an expression (without a node 1 it is the empty one). |strides| as for epilogues;
   the residual is as dense as the result. */
bool pn_cuda_sum_find(const pn_problem *problem, pn_cuda_strides_fn *strides, pn_cuda_sum *out);

#endif
