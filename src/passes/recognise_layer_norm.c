/* Exporters spell a layer normalisation out:

     d = x - mean(x);  y = d / sqrt(mean(d^2) + epsilon) * scale + bias          (mean over the last axes)
     y = x / sqrt(mean(x^2) + epsilon) * scale                                    (the root-mean-square form)

   First the normalisation itself becomes a layer_norm, then a product and a sum behind it become its scale and bias.
   Before fusion, which would bury the product and the sum among what follows. */
#include "passes/all.h"
#include "passes/recognise_norm.h"
#include "passes/term.h"

#include "op/schema.h"

#include <math.h>

/* ---- the affine part, also of group_norm ------------------------------------------------------------------------- */

bool pn_norm_find_affine(const pn_rewrite *r, const pn_node *pointwise, const pn_node **norm, pn_value_id *other,
                         bool *is_product) {
  if (pointwise->op != PN_OP_POINTWISE || pointwise->inputs.count != 2) return false;
  const pn_expr *expr = pn_node_expr(pointwise);
  const pn_expr_step *last = &expr->steps[expr->step_count - 1];
  if (expr->step_count != 3 || (last->op != PN_EXPR_MUL && last->op != PN_EXPR_ADD)) return false;
  *is_product = last->op == PN_EXPR_MUL;
  for (uint32_t k = 0; k < 2; k++) {
    const pn_value_id v = pointwise->inputs.data[k];
    *norm = pn_rewrite_producer(r, v);
    *other = pointwise->inputs.data[!k];
    if (!*norm || ((*norm)->op != PN_OP_LAYER_NORM && (*norm)->op != PN_OP_GROUP_NORM)) continue;
    if ((*norm)->outputs.count != 1 || !pn_rewrite_only_user(r, v)) continue;
    if (!pn_type_equal(pn_rewrite_type(r, v), pn_rewrite_type(r, pointwise->outputs.data[0]))) continue;
    /* A scale comes before the bias. */
    const bool has_scale = pn_value_valid(pn_node_input(*norm, 1)), has_bias = pn_value_valid(pn_node_input(*norm, 2));
    if (!has_bias && (!*is_product || !has_scale)) return true;
  }
  return false;
}

pelton_status pn_norm_take_affine(pn_rewrite *r, pn_node *pointwise, const pn_node *norm, bool is_product,
                                  pn_value_id vector) {
  const pn_value_id operands[3] = {norm->inputs.data[0], is_product ? vector : pn_node_input(norm, 1),
                                   is_product ? PN_NO_VALUE : vector};
  r->changed++;
  PN_TRY(pn_rewrite_provenance(r, pointwise, norm));
  return pn_rewrite_become(r, pointwise, norm->op, norm->attrs, operands, 3);
}

/* ---- the normalisation ------------------------------------------------------------------------------------------- */

typedef struct normalisation {
  pn_value_id x;
  int64_t axis; /* from the end: negative */
  double epsilon;
  pn_norm_kind kind;
} normalisation;

/* The mean over the last axes of a value: its operand, and the first of these axes. */
static bool find_mean(pn_rewrite *r, const pn_term *t, pn_value_id *of, int64_t *axis) {
  pn_value_id v;
  int64_t axes[PN_MAX_RANK];
  uint32_t count, seen = 0;
  if (!pn_term_value(t, &v)) return false;
  const pn_node *node = pn_rewrite_producer_of(r, v, PN_OP_REDUCE);
  if (!node) return false;
  const pn_attrs_reduce *attrs = node->attrs;
  const int32_t rank = pn_rewrite_type(r, node->inputs.data[0])->rank;
  if (attrs->kind != PN_REDUCE_MEAN || !attrs->keep_dims || rank < 1) return false;
  if (!pn_value_valid(pn_node_input(node, 1))) return false;
  if (!pn_rewrite_numbers(r, node->inputs.data[1], axes, PN_MAX_RANK, &count) || count == 0) return false;
  for (uint32_t i = 0; i < count; i++) seen |= 1u << (axes[i] < 0 ? axes[i] + rank : axes[i]);
  *of = node->inputs.data[0];
  *axis = -(int64_t)count;
  return seen == ((1u << count) - 1) << ((uint32_t)rank - count);
}

/* |t| is the square of |*of|. */
static bool find_square(pn_rewrite *r, const pn_term *t, pn_term *of) {
  pn_term b;
  if (pn_term_op(t) == PN_EXPR_SQUARE) {
    *of = pn_term_argument(r, t, 0);
    return true;
  }
  if (pn_term_binary(r, t, PN_EXPR_MUL, 0, of, &b)) return pn_term_same(of, &b);
  return pn_term_binary(r, t, PN_EXPR_POW, 0, of, &b) && b.is_number && b.number == 2;
}

/* |t| is mean(of^2) + epsilon. */
static bool find_variance(pn_rewrite *r, const pn_term *t, pn_term *of, normalisation *n) {
  for (int order = 0; order < 2; order++) {
    pn_term mean, epsilon;
    pn_value_id squared;
    if (!pn_term_binary(r, t, PN_EXPR_ADD, order, &mean, &epsilon) || !epsilon.is_number) continue;
    if (!find_mean(r, &mean, &squared, &n->axis)) continue;
    const pn_term square = pn_term_of(r, squared);
    n->epsilon = epsilon.number;
    if (find_square(r, &square, of)) return true;
  }
  return false;
}

/* |t| is 1 / sqrt(v): the term v. */
static bool find_inverse_root(pn_rewrite *r, const pn_term *t, pn_term *v) {
  pn_term a, b;
  if (pn_term_op(t) == PN_EXPR_RSQRT) {
    *v = pn_term_argument(r, t, 0);
    return true;
  }
  if (pn_term_op(t) == PN_EXPR_RECIPROCAL)
    b = pn_term_argument(r, t, 0);
  else if (!pn_term_binary(r, t, PN_EXPR_DIV, 0, &a, &b) || !a.is_number || a.number != 1)
    return false;
  if (pn_term_op(&b) != PN_EXPR_SQRT) return false;
  *v = pn_term_argument(r, &b, 0);
  return true;
}

/* |t| is d over the root of its mean square: the term d. */
static bool find_normalised(pn_rewrite *r, const pn_term *t, pn_term *d, normalisation *n) {
  pn_term root, v, squared;
  if (pn_term_binary(r, t, PN_EXPR_DIV, 0, d, &root) && pn_term_op(&root) == PN_EXPR_SQRT) {
    v = pn_term_argument(r, &root, 0);
    return find_variance(r, &v, &squared, n) && pn_term_same(d, &squared);
  }
  for (int order = 0; order < 2; order++) {
    if (!pn_term_binary(r, t, PN_EXPR_MUL, order, d, &root) || !find_inverse_root(r, &root, &v)) continue;
    if (find_variance(r, &v, &squared, n) && pn_term_same(d, &squared)) return true;
  }
  return false;
}

static bool find_normalisation(pn_rewrite *r, const pn_node *node, normalisation *n) {
  const pn_term t = pn_term_of(r, node->outputs.data[0]);
  pn_term d, x, mean;
  pn_value_id of;
  int64_t axis;
  if (!t.node || !find_normalised(r, &t, &d, n) || !isfinite(n->epsilon)) return false;
  if (pn_term_binary(r, &d, PN_EXPR_SUB, 0, &x, &mean) && find_mean(r, &mean, &of, &axis) && axis == n->axis &&
      pn_term_value(&x, &n->x) && pn_value_same(n->x, of)) {
    n->kind = PN_NORM_MEAN;
  } else if (pn_term_value(&d, &n->x)) {
    n->kind = PN_NORM_RMS;
  } else {
    return false;
  }
  return pn_type_equal(pn_rewrite_type(r, n->x), pn_rewrite_type(r, node->outputs.data[0]));
}

/* Whether |v| has the extents of the normalised axes of |norm|'s result. */
static bool fits(const pn_rewrite *r, const pn_node *norm, pn_value_id v) {
  const pn_type *x = pn_rewrite_type(r, norm->outputs.data[0]), *t = pn_rewrite_type(r, v);
  int64_t axis = ((const pn_attrs_layer_norm *)norm->attrs)->axis;
  if (axis < 0) axis += x->rank;
  if (t->dtype != x->dtype || t->rank != x->rank - (int32_t)axis || t->rank < 1) return false;
  for (int32_t i = 0; i < t->rank; i++)
    if (!pn_dim_equal(t->dims[i], x->dims[axis + i])) return false;
  return true;
}

static pelton_status recognise(pn_rewrite *r, pn_node *node) {
  normalisation n;
  const pn_node *norm;
  pn_value_id other;
  bool is_product;
  if (find_normalisation(r, node, &n)) {
    pn_attrs_layer_norm *attrs = pn_attrs_new(PN_OP_LAYER_NORM, r->g->arena);
    if (!attrs) return pn_fail_memory(r->diag, "a layer_norm");
    attrs->axis = n.axis;
    attrs->epsilon = (float)n.epsilon;
    attrs->kind = n.kind;
    r->changed++;
    return pn_rewrite_become(r, node, PN_OP_LAYER_NORM, attrs, &n.x, 1);
  }
  if (!pn_norm_find_affine(r, node, &norm, &other, &is_product) || norm->op != PN_OP_LAYER_NORM) return PELTON_OK;
  return fits(r, norm, other) ? pn_norm_take_affine(r, node, norm, is_product, other) : PELTON_OK;
}

static pelton_status recognise_all(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (!node->removed && node->op == PN_OP_POINTWISE) PN_TRY(recognise(r, node));
  }
  return PELTON_OK;
}

pelton_status pn_pass_recognise_layer_norm(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, recognise_all, changed, diag);
}
