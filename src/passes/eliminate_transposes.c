/* Transposes move whole tensors through memory for nothing but order. Here they meet and cancel:

   - two in a row are one, or none;
   - one that only moves axes of extent 1 is a reshape, which moves nothing;
   - one in front of a matrix product that swaps the last two axes becomes the product's flag; one that does so among
     other things keeps the rest, in which the innermost axis stays where it is;
   - one in front of a pointwise node moves behind it, so that it can meet others there and the expression follows its
     producer directly. Downwards only: so it ends. */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "op/schema.h"

typedef struct permutation {
  uint32_t rank;
  int64_t axis[PN_MAX_RANK]; /* result axis i is operand axis axis[i] */
} permutation;

static bool find_permutation(const pn_rewrite *r, const pn_node *node, permutation *out) {
  const pn_attrs_transpose *attrs = node->attrs;
  const int32_t rank = pn_rewrite_type(r, node->inputs.data[0])->rank;
  if (rank < 0) return false;
  out->rank = (uint32_t)rank;
  for (uint32_t i = 0; i < out->rank; i++) {
    out->axis[i] = attrs->perm.count ? attrs->perm.data[i] : (int64_t)(out->rank - 1 - i);
    if (out->axis[i] < 0) out->axis[i] += rank;
  }
  return true;
}

static bool is_identity(const permutation *p) {
  for (uint32_t i = 0; i < p->rank; i++)
    if (p->axis[i] != (int64_t)i) return false;
  return true;
}

static const void *new_attrs(pn_rewrite *r, const permutation *p) {
  pn_attrs_transpose *attrs = pn_attrs_new(PN_OP_TRANSPOSE, r->g->arena);
  if (!attrs) return NULL;
  attrs->perm.data = pn_arena_copy(r->g->arena, p->axis, p->rank * sizeof *p->axis, sizeof *p->axis);
  attrs->perm.count = p->rank;
  return attrs->perm.data ? attrs : NULL;
}

static pelton_status no_memory(const pn_rewrite *r) { return pn_fail_memory(r->diag, "a transpose"); }

/* The type of |p| applied to |type|. */
static pn_type permuted(const pn_type *type, const permutation *p) {
  pn_type out = *type;
  for (uint32_t i = 0; i < p->rank; i++) out.dims[i] = type->dims[p->axis[i]];
  return out;
}

/* ---- two in a row, and those that move nothing ------------------------------------------------------------------- */

static pelton_status merge(pn_rewrite *r, pn_node *node) {
  const pn_node *inner = pn_rewrite_producer_of(r, node->inputs.data[0], PN_OP_TRANSPOSE);
  permutation outer, first, both;
  if (!inner || !find_permutation(r, node, &outer) || !find_permutation(r, inner, &first)) return PELTON_OK;
  both = outer;
  for (uint32_t i = 0; i < outer.rank; i++) both.axis[i] = first.axis[outer.axis[i]];
  const void *attrs = new_attrs(r, &both);
  if (!attrs) return no_memory(r);
  const pn_value_id x = inner->inputs.data[0];
  r->changed++;
  PN_TRY(pn_rewrite_provenance(r, node, inner));
  return pn_rewrite_become(r, node, PN_OP_TRANSPOSE, attrs, &x, 1);
}

/* The axes that have an extent keep their order. */
static bool moves_nothing(const pn_type *type, const permutation *p) {
  int64_t last = -1;
  for (uint32_t i = 0; i < p->rank; i++) {
    if (pn_dim_is(type->dims[p->axis[i]], 1)) continue;
    if (p->axis[i] < last) return false;
    last = p->axis[i];
  }
  return true;
}

static pelton_status simplify(pn_rewrite *r, pn_node *node) {
  const pn_value_id x = node->inputs.data[0];
  const pn_type *type = pn_rewrite_type(r, x), *result = pn_rewrite_type(r, node->outputs.data[0]);
  permutation p;
  int64_t target[PN_MAX_RANK];
  bool done;
  if (!find_permutation(r, node, &p)) return PELTON_OK;
  if (is_identity(&p) && pn_type_equal(type, result)) return pn_rewrite_forward(r, node, x, &done);
  if (!moves_nothing(type, &p) || !pn_reshape_target(type, result, target)) return PELTON_OK;
  const pn_value_id shape = pn_graph_add_i64s(r->g, PN_STR("shape"), target, p.rank);
  if (!pn_value_valid(shape)) return no_memory(r);
  const pn_value_id operands[2] = {x, shape};
  r->changed++;
  return pn_rewrite_become(r, node, PN_OP_RESHAPE, NULL, operands, 2);
}

/* ---- into products ----------------------------------------------------------------------------------------------- */

/* |index| is produced by a transpose whose result's last axis but one was innermost: taken in with the flag, the rest
   of it stays. */
static pelton_status take_into_product(pn_rewrite *r, pn_node_id product, uint32_t index) {
  pn_node *node = pn_graph_node(r->g, product);
  const pn_node *before = pn_rewrite_producer_of(r, node->inputs.data[index], PN_OP_TRANSPOSE);
  permutation p;
  if (!before || !find_permutation(r, before, &p) || p.rank < 2) return PELTON_OK;
  if (p.axis[p.rank - 2] != (int64_t)p.rank - 1) return PELTON_OK;
  const int64_t last = p.axis[p.rank - 1];
  p.axis[p.rank - 1] = p.axis[p.rank - 2];
  p.axis[p.rank - 2] = last;
  const pn_attrs_matmul *old = node->attrs;
  pn_attrs_matmul *attrs = pn_attrs_copy(PN_OP_MATMUL, old, r->g->arena);
  if (!attrs) return no_memory(r);
  if (index == 0)
    attrs->trans_a = !old->trans_a;
  else
    attrs->trans_b = !old->trans_b;
  pn_value_id x = before->inputs.data[0];
  if (is_identity(&p)) {
    PN_TRY(pn_rewrite_provenance(r, node, before));
  } else {
    const void *transpose = new_attrs(r, &p);
    const pn_type type = permuted(pn_rewrite_type(r, x), &p);
    const pn_str_list sources = before->provenance;
    const pn_str name = before->name;
    x = transpose ? pn_rewrite_add(r, PN_OP_TRANSPOSE, transpose, name, &x, 1, &type) : PN_NO_VALUE;
    if (!pn_value_valid(x)) return no_memory(r);
    for (uint32_t i = 0; i < sources.count; i++)
      if (!pn_graph_add_source(r->g, pn_graph_value(r->g, x)->producer, sources.data[i])) return no_memory(r);
    node = pn_graph_node(r->g, product); /* the list may have moved */
  }
  pn_value_id operands[2] = {node->inputs.data[0], node->inputs.data[1]};
  operands[index] = x;
  r->changed++;
  return pn_rewrite_become(r, node, PN_OP_MATMUL, attrs, operands, 2);
}

/* ---- behind pointwise nodes -------------------------------------------------------------------------------------- */

/* The operand |v| of a pointwise node whose result would be transposed by |p| afterwards instead: what |v| was before
   its own transpose by |p|, or a constant that differs along one axis at most, with its axes in the other order. */
static bool untransposed(pn_rewrite *r, pn_value_id v, const permutation *p, pn_value_id *out) {
  const pn_node *node = pn_rewrite_producer_of(r, v, PN_OP_TRANSPOSE);
  permutation other;
  if (node) {
    *out = node->inputs.data[0];
    return find_permutation(r, node, &other) && other.rank == p->rank &&
           !memcmp(other.axis, p->axis, p->rank * sizeof *p->axis);
  }
  pn_tensor tensor;
  int64_t dims[PN_MAX_RANK];
  uint32_t many = 0;
  *out = v;
  if (!pn_graph_is_constant(r->g, v) || !pn_rewrite_constant(r, v, &tensor) || tensor.rank > p->rank) return false;
  for (uint32_t i = 0; i < p->rank; i++) {
    const uint32_t missing = p->rank - tensor.rank;
    dims[p->axis[i]] = i < missing ? 1 : tensor.dims[i - missing];
    many += dims[p->axis[i]] != 1;
  }
  if (many == 0) return true;
  if (many > 1) return false;
  const pn_value *value = pn_graph_value(r->g, v);
  const pn_type type = pn_type_make(tensor.dtype, p->rank, dims);
  *out = pn_graph_add_constant(r->g, value->name, &type, value->data, value->data_bytes);
  r->failed = r->failed || !pn_value_valid(*out);
  return pn_value_valid(*out);
}

/* The transpose before |node| that may move behind it: used by it alone, and of its result's shape. */
static const pn_node *movable(const pn_rewrite *r, const pn_node *node) {
  const pn_type *result = pn_rewrite_type(r, node->outputs.data[0]);
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    const pn_node *before = pn_rewrite_producer_of(r, node->inputs.data[i], PN_OP_TRANSPOSE);
    if (!before || !pn_rewrite_only_user(r, node->inputs.data[i])) continue;
    pn_type type = *pn_rewrite_type(r, node->inputs.data[i]);
    type.dtype = result->dtype;
    if (pn_type_equal(&type, result)) return before;
  }
  return NULL;
}

static pelton_status move_behind(pn_rewrite *r, pn_node_id id) {
  pn_node *node = pn_graph_node(r->g, id);
  const pn_node *before = movable(r, node);
  permutation p, inverse;
  pn_value_id operands[PN_EXPR_MAX_INPUTS];
  if (!before || !find_permutation(r, before, &p)) return PELTON_OK;
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    const pn_node *producer = pn_rewrite_producer_of(r, node->inputs.data[i], PN_OP_TRANSPOSE);
    /* One that others need too would be there still. */
    if (producer && !pn_rewrite_only_user(r, node->inputs.data[i])) return PELTON_OK;
    if (!untransposed(r, node->inputs.data[i], &p, &operands[i])) return PELTON_OK;
  }
  const pn_type result = *pn_rewrite_type(r, node->outputs.data[0]);
  inverse = p;
  for (uint32_t i = 0; i < p.rank; i++) inverse.axis[p.axis[i]] = i;
  const pn_type type = permuted(&result, &inverse);
  const void *attrs = new_attrs(r, &p), *expression = node->attrs;
  const pn_str_list sources = node->provenance;
  const pn_str name = node->name, transpose_name = before->name;
  const pn_node transpose = *before; /* goes with its use */
  const uint32_t count = node->inputs.count;
  const pn_value_id x =
      attrs ? pn_rewrite_add(r, PN_OP_POINTWISE, expression, name, operands, count, &type) : PN_NO_VALUE;
  if (!pn_value_valid(x)) return no_memory(r);
  for (uint32_t i = 0; i < sources.count; i++)
    if (!pn_graph_add_source(r->g, pn_graph_value(r->g, x)->producer, sources.data[i])) return no_memory(r);
  /* The node with the result's name is the transpose now. */
  node = pn_graph_node(r->g, id);
  node->name = transpose_name;
  node->provenance = (pn_str_list){0};
  for (uint32_t i = 0; i < transpose.provenance.count; i++)
    if (!pn_graph_add_source(r->g, id, transpose.provenance.data[i])) return no_memory(r);
  r->changed++;
  return pn_rewrite_become(r, node, PN_OP_TRANSPOSE, attrs, &x, 1);
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

static pelton_status eliminate(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    const pn_node_id id = {i};
    pn_node *node = pn_graph_node(r->g, id);
    if (node->removed) continue;
    if (node->op == PN_OP_TRANSPOSE) {
      PN_TRY(merge(r, node));
      PN_TRY(simplify(r, node));
    } else if (node->op == PN_OP_MATMUL) {
      PN_TRY(take_into_product(r, id, 0));
      PN_TRY(take_into_product(r, id, 1));
    } else if (node->op == PN_OP_POINTWISE) {
      PN_TRY(move_behind(r, id));
    }
  }
  return PELTON_OK;
}

/* To its own fixed point: a transpose that moved behind one node stands before the next. */
pelton_status pn_pass_eliminate_transposes(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  for (uint32_t before = *changed - 1; before != *changed;) {
    before = *changed;
    PN_TRY(pn_rewrite_run(g, eliminate, changed, diag));
  }
  return PELTON_OK;
}
