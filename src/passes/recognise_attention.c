/* softmax(q k^T * scale + mask) v becomes one attention, which targets compute without the matrix of scores. q, k and v
   are [N, heads, rows, D] each; the mask has to broadcast to the scores.

   k^T arrives as a product's flag (eliminate_transposes puts it there) or as a value of its own, which is transposed
   back then. */
#include "passes/all.h"
#include "passes/term.h"

#include "op/schema.h"

typedef struct match {
  const pn_node *scores, *softmax;
  pn_value_id q, k, v, mask;
  double scale;
} match;

/* |t| is scores * scale + mask, each but the scores optional. */
static bool find_scores(pn_rewrite *r, const pn_term *t, match *m) {
  pn_term a, b;
  pn_value_id v;
  for (int order = 0; order < 2; order++) {
    if (pn_term_binary(r, t, PN_EXPR_ADD, order, &a, &b) && !b.is_number && !pn_value_valid(m->mask) &&
        pn_term_value(&b, &m->mask)) {
      if (find_scores(r, &a, m)) return true;
      m->mask = PN_NO_VALUE;
    }
    if (m->scale == 1 && pn_term_binary(r, t, PN_EXPR_MUL, order, &a, &b) && b.is_number && b.number > 0) {
      m->scale = b.number;
      if (find_scores(r, &a, m)) return true;
      m->scale = 1;
    }
  }
  if (m->scale == 1 && pn_term_binary(r, t, PN_EXPR_DIV, 0, &a, &b) && b.is_number && b.number > 0) {
    m->scale = 1 / b.number;
    if (find_scores(r, &a, m)) return true;
    m->scale = 1;
  }
  if (!pn_term_value(t, &v)) return false;
  m->scores = pn_rewrite_producer_of(r, v, PN_OP_MATMUL);
  return m->scores && pn_rewrite_only_user(r, v);
}

/* The mask broadcasts to the scores, and only along whole axes. */
static bool mask_fits(const pn_rewrite *r, const match *m) {
  if (!pn_value_valid(m->mask)) return true;
  const pn_type *mask = pn_rewrite_type(r, m->mask), *scores = pn_rewrite_type(r, m->scores->outputs.data[0]);
  if (mask->dtype != scores->dtype || mask->rank < 2 || mask->rank > 4) return false;
  for (int32_t i = 0; i < mask->rank; i++) {
    const pn_dim dim = scores->dims[i + scores->rank - mask->rank];
    /* The operator wants whole rows of keys; queries, heads and batches may be 1. */
    if (pn_dim_equal(mask->dims[i], dim)) continue;
    if (i == mask->rank - 1 || !pn_dim_is(mask->dims[i], 1)) return false;
  }
  return true;
}

static bool find(pn_rewrite *r, const pn_node *product, match *m) {
  const pn_attrs_matmul *attrs = product->attrs;
  *m = (match){.mask = PN_NO_VALUE, .scale = 1};
  m->softmax = pn_rewrite_producer_of(r, product->inputs.data[0], PN_OP_SOFTMAX);
  if (attrs->trans_a || attrs->trans_b || !m->softmax || !pn_rewrite_only_user(r, product->inputs.data[0]))
    return false;
  const pn_attrs_softmax *softmax = m->softmax->attrs;
  const pn_type *type = pn_rewrite_type(r, product->inputs.data[0]);
  if (softmax->log || type->rank != 4 || (softmax->axis != -1 && softmax->axis != 3)) return false;
  const pn_term t = pn_term_of(r, m->softmax->inputs.data[0]);
  if (!pn_rewrite_only_user(r, m->softmax->inputs.data[0]) || !find_scores(r, &t, m)) return false;
  m->q = m->scores->inputs.data[0];
  m->k = m->scores->inputs.data[1];
  m->v = product->inputs.data[1];
  const pn_type *q = pn_rewrite_type(r, m->q), *k = pn_rewrite_type(r, m->k), *v = pn_rewrite_type(r, m->v);
  if (((const pn_attrs_matmul *)m->scores->attrs)->trans_a || q->rank != 4 || k->rank != 4 || v->rank != 4)
    return false;
  for (int i = 0; i < 2; i++) /* no broadcasting of heads or batches */
    if (!pn_dim_equal(q->dims[i], k->dims[i]) || !pn_dim_equal(q->dims[i], v->dims[i])) return false;
  return mask_fits(r, m);
}

static pelton_status recognise(pn_rewrite *r, pn_node_id id) {
  match m;
  if (!find(r, pn_graph_node(r->g, id), &m)) return PELTON_OK;
  pn_attrs_attention *attrs = pn_attrs_new(PN_OP_ATTENTION, r->g->arena);
  if (!attrs) return pn_fail_memory(r->diag, "an attention");
  attrs->scale = (float)m.scale;
  PN_TRY(pn_rewrite_provenance(r, pn_graph_node(r->g, id), m.softmax));
  PN_TRY(pn_rewrite_provenance(r, pn_graph_node(r->g, id), m.scores));
  if (!((const pn_attrs_matmul *)m.scores->attrs)->trans_b) {
    static const int64_t perm[4] = {0, 1, 3, 2};
    pn_attrs_transpose *transpose = pn_attrs_new(PN_OP_TRANSPOSE, r->g->arena);
    pn_type type = *pn_rewrite_type(r, m.k);
    const pn_dim rows = type.dims[3];
    if (!transpose) return pn_fail_memory(r->diag, "a transpose");
    transpose->perm.data = pn_arena_copy(r->g->arena, perm, sizeof perm, sizeof *perm);
    transpose->perm.count = 4;
    type.dims[3] = type.dims[2];
    type.dims[2] = rows;
    m.k = pn_rewrite_add(r, PN_OP_TRANSPOSE, transpose, PN_STR("keys"), &m.k, 1, &type);
    if (!transpose->perm.data || !pn_value_valid(m.k)) return pn_fail_memory(r->diag, "a transpose");
  }
  const pn_value_id operands[4] = {m.q, m.k, m.v, m.mask};
  r->changed++;
  return pn_rewrite_become(r, pn_graph_node(r->g, id), PN_OP_ATTENTION, attrs, operands, 4);
}

static pelton_status recognise_all(pn_rewrite *r) {
  const uint32_t count = r->g->nodes.count;
  for (uint32_t i = 0; i < count; i++)
    if (!r->g->nodes.data[i].removed && r->g->nodes.data[i].op == PN_OP_MATMUL) PN_TRY(recognise(r, (pn_node_id){i}));
  return PELTON_OK;
}

pelton_status pn_pass_recognise_attention(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, recognise_all, changed, diag);
}
