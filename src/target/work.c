#include "target/work.h"

static double elements(const pn_operand *o) { return o ? (double)pn_operand_elements(o) : 0; }

/* Elements of axes [first, rank). */
static double tail(const pn_operand *o, uint32_t first) {
  double n = 1;
  for (uint32_t d = first; o && d < o->rank; d++) n *= (double)o->dims[d];
  return o ? n : 0;
}

/* [batch, heads, rows, depth], or [batch, rows, heads * depth]: scores, and their product with the values. */
static double attention(const pn_operand *q, const pn_operand *k, const pn_operand *v) {
  if (!q || !k || !v || q->rank < 3 || k->rank != q->rank || v->rank != q->rank) return 0;
  double keys = (double)k->dims[k->rank - 2], rows = elements(q) / (double)pn_max_i64(1, q->dims[q->rank - 1]);
  double value_depth = q->rank == 3 ? (double)q->dims[2] : (double)v->dims[v->rank - 1];
  return 2 * keys * (elements(q) + rows * value_depth);
}

static double node_flops(const pn_problem *p, uint32_t n) {
  const pn_problem_node *node = &p->nodes[n];
  const pn_operand *a = pn_problem_input(p, n, 0), *b = pn_problem_input(p, n, 1), *c = pn_problem_input(p, n, 2);
  const pn_operand *out = pn_problem_output(p, n, 0);
  switch (node->op) {
  case PN_OP_CONV:
  case PN_OP_CONV_INTEGER: return 2 * elements(out) * tail(b, 1);
  case PN_OP_CONV_TRANSPOSE: return 2 * elements(a) * tail(b, 1);
  case PN_OP_MATMUL:
  case PN_OP_MATMUL_INTEGER: return a && a->rank ? 2 * elements(out) * (double)a->dims[a->rank - 1] : 0;
  case PN_OP_ATTENTION: return attention(a, b, c);
  case PN_OP_RECURRENT: /* x[steps,batch,...]: both products of each step */
    return a && a->rank >= 2 ? 2 * (double)a->dims[0] * (double)a->dims[1] * (elements(b) + elements(c)) : 0;
  case PN_OP_POINTWISE: {
    const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
    double operations = 0;
    for (uint32_t i = 0; i < expr->step_count; i++)
      operations += expr->steps[i].op != PN_EXPR_INPUT && expr->steps[i].op != PN_EXPR_CONSTANT;
    return operations * elements(out);
  }
  case PN_OP_POOL: {
    const pn_attrs_pool *attrs = node->attrs;
    double window = 1;
    for (uint32_t i = 0; i < attrs->kernel.count; i++) window *= (double)attrs->kernel.data[i];
    return window * elements(out);
  }
  case PN_OP_REDUCE:
  case PN_OP_ARG_REDUCE:
  case PN_OP_CUMULATE: return elements(a);
  case PN_OP_SOFTMAX: return 4 * elements(a); /* less the most, exp, sum, times the inverse */
  case PN_OP_LAYER_NORM:
  case PN_OP_GROUP_NORM: return 7 * elements(a); /* mean and variance, then scaled and shifted twice */
  default: return 0;
  }
}

static bool is_product(pn_op op) {
  return op == PN_OP_CONV || op == PN_OP_CONV_INTEGER || op == PN_OP_CONV_TRANSPOSE || op == PN_OP_MATMUL ||
         op == PN_OP_MATMUL_INTEGER || op == PN_OP_ATTENTION || op == PN_OP_RECURRENT;
}

static pelton_dtype wider(pelton_dtype a, pelton_dtype b) {
  return pelton_dtype_bytes(b) > pelton_dtype_bytes(a) ? b : a;
}

pn_work pn_problem_work(const pn_problem *p) {
  pn_work work = {.type = PELTON_DTYPE_NONE};
  for (uint32_t n = 0; n < p->node_count; n++) {
    const double flops = node_flops(p, n);
    work.flops += flops;
    if (flops <= 0 || !is_product(p->nodes[n].op)) continue;
    work.products += flops;
    for (uint32_t i = 0; i < 2; i++) {
      const pn_operand *o = pn_problem_input(p, n, i);
      if (o) work.type = wider(work.type, o->dtype);
    }
  }
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].role != PN_OPERAND_INTERNAL) work.bytes += (double)pn_operand_bytes(&p->operands[i]);
  return work;
}
