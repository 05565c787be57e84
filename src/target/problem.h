/* A problem: what one step of a plan has to compute. One operator, or a small connected group of operators in order
   (convolution and its epilogue, a chain), with attributes and its operands' types, shapes and layouts: a value that
   can be printed, hashed and replayed. Its text is the key of the timing cache. */
#ifndef PN_TARGET_PROBLEM_H
#define PN_TARGET_PROBLEM_H

#include "op/op.h"
#include "target/layout.h"

enum { PN_NO_OPERAND = 0xffff };

typedef enum pn_operand_role {
  PN_OPERAND_INPUT,    /* computed before the step, or given by the caller */
  PN_OPERAND_CONSTANT, /* data known when the plan is made: |data| */
  PN_OPERAND_OUTPUT,   /* written by the step */
  PN_OPERAND_INTERNAL  /* between the group's nodes: never in memory unless a tactic's workspace holds it */
} pn_operand_role;

typedef struct pn_operand {
  pn_operand_role role;
  pelton_dtype dtype;
  pn_layout layout;
  uint32_t rank;
  int64_t dims[PN_MAX_RANK];
  const void *data; /* CONSTANT: the elements, dense, plain; not part of the key */
} pn_operand;

typedef struct pn_problem_node {
  pn_op op;
  const void *attrs;
  uint32_t input_count, output_count;
  const uint16_t *inputs, *outputs; /* indices of operands; PN_NO_OPERAND where absent */
} pn_problem_node;

typedef struct pn_problem {
  uint32_t node_count;
  const pn_problem_node *nodes; /* in order of evaluation */
  uint32_t operand_count;
  const pn_operand *operands;
  bool cold; /* constants come from memory whenever it runs: the network has more of them than the caches hold */
} pn_problem;

PN_INLINE const pn_operand *pn_problem_input(const pn_problem *p, uint32_t node, uint32_t i) {
  const pn_problem_node *n = &p->nodes[node];
  return i < n->input_count && n->inputs[i] != PN_NO_OPERAND ? &p->operands[n->inputs[i]] : NULL;
}
PN_INLINE const pn_operand *pn_problem_output(const pn_problem *p, uint32_t node, uint32_t i) {
  const pn_problem_node *n = &p->nodes[node];
  return i < n->output_count && n->outputs[i] != PN_NO_OPERAND ? &p->operands[n->outputs[i]] : NULL;
}
/* The operand's index, for step->operands. */
PN_INLINE uint32_t pn_operand_index(const pn_problem *p, const pn_operand *operand) {
  return (uint32_t)(operand - p->operands);
}
int64_t pn_operand_elements(const pn_operand *operand);
size_t pn_operand_bytes(const pn_operand *operand);

/* "conv(f32[1,64,56,56]:channels_last, f32[64,64,3,3] const, f32[64] const) pads=[1,1,1,1] -> t0;
   pointwise(t0, ...) expr=... -> f32[...]": one line; the timing cache's key. What is cold ends in
   a comment that says so. */
void pn_problem_print(const pn_problem *problem, pn_text *out);

#endif
