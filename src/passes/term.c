#include "passes/term.h"

static bool find_number(pn_rewrite *r, pn_value_id v, double *out) {
  return pn_graph_is_constant(r->g, v) && pn_rewrite_scalar(r, v, out);
}

pn_term pn_term_of(pn_rewrite *r, pn_value_id v) {
  pn_term t = {.value = v};
  const pn_node *node = pn_rewrite_producer_of(r, v, PN_OP_POINTWISE);
  t.is_number = find_number(r, v, &t.number);
  if (!node) return t;
  const pn_expr *expr = pn_node_expr(node);
  const pn_expr_step *last = &expr->steps[expr->step_count - 1];
  if (last->op == PN_EXPR_INPUT || last->op == PN_EXPR_CONSTANT) return t; /* a leaf: it does nothing */
  t.node = node;
  t.step = (uint16_t)(expr->step_count - 1);
  return t;
}

pn_expr_op pn_term_op(const pn_term *t) {
  if (t->is_number) return PN_EXPR_CONSTANT;
  return t->node ? pn_node_expr(t->node)->steps[t->step].op : PN_EXPR_INPUT;
}

pn_term pn_term_argument(pn_rewrite *r, const pn_term *t, uint32_t k) {
  const pn_expr_step *steps = pn_node_expr(t->node)->steps;
  const uint16_t index = steps[t->step].argument[k];
  const pn_expr_step *step = &steps[index];
  if (step->op == PN_EXPR_INPUT) return pn_term_of(r, t->node->inputs.data[step->argument[0]]);
  pn_term out = {.node = t->node, .step = index, .value = PN_NO_VALUE};
  if (step->op != PN_EXPR_CONSTANT) return out;
  out.node = NULL;
  out.is_number = pn_dtype_is_float(step->dtype);
  out.number = out.is_number ? step->constant.f64 : 0;
  return out;
}

bool pn_term_same(const pn_term *a, const pn_term *b) {
  if (pn_value_valid(a->value) && pn_value_same(a->value, b->value)) return true;
  return a->node && a->node == b->node && a->step == b->step;
}

bool pn_term_binary(pn_rewrite *r, const pn_term *t, pn_expr_op op, int order, pn_term *a, pn_term *b) {
  if (pn_term_op(t) != op) return false;
  *a = pn_term_argument(r, t, order ? 1 : 0);
  *b = pn_term_argument(r, t, order ? 0 : 1);
  return true;
}
