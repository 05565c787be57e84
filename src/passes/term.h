/* Matching across nodes: what a value means as an expression, whether its steps stand in one pointwise node or in
   several. A term is a step of a pointwise node, or a value that something else computes (a leaf), or a number. */
#ifndef PN_PASSES_TERM_H
#define PN_PASSES_TERM_H

#include "passes/rewrite.h"

typedef struct pn_term {
  const pn_node *node; /* pointwise; null: a leaf or a number */
  uint16_t step;
  pn_value_id value; /* of a leaf, and of a node's last step; else PN_NO_VALUE */
  bool is_number;
  double number;
} pn_term;

pn_term pn_term_of(pn_rewrite *r, pn_value_id v);
/* PN_EXPR_INPUT for leaves, PN_EXPR_CONSTANT for numbers. */
pn_expr_op pn_term_op(const pn_term *t);
/* The |k|-th argument of a term that is a step. */
pn_term pn_term_argument(pn_rewrite *r, const pn_term *t, uint32_t k);
bool pn_term_same(const pn_term *a, const pn_term *b);
/* The value that |t| is, when it stands as one in the graph. */
PN_INLINE bool pn_term_value(const pn_term *t, pn_value_id *out) {
  *out = t->value;
  return pn_value_valid(t->value);
}
/* |t| is |op| of two arguments in either order: for |order| 0 and 1 the first and the second of them. */
bool pn_term_binary(pn_rewrite *r, const pn_term *t, pn_expr_op op, int order, pn_term *a, pn_term *b);

#endif
