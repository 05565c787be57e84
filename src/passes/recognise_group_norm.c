/* A group normalisation is exported as reshape to [N, groups, -1], normalisation of each group alone, reshape back, and
   a scale and a shift for each channel. It becomes a group_norm with these as its operands. */
#include "passes/all.h"
#include "passes/recognise_norm.h"

#include "op/schema.h"

/* All elements of a constant are |value|; an absent operand counts as that. */
static bool is_all(pn_rewrite *r, pn_value_id v, double value) {
  pn_tensor tensor;
  if (!pn_value_valid(v)) return true;
  if (!pn_rewrite_constant(r, v, &tensor) || !pn_dtype_is_float(tensor.dtype)) return false;
  for (int64_t i = 0; i < pn_tensor_elements(&tensor); i++)
    if (pn_tensor_get_f64(&tensor, i) != value) return false;
  return true;
}

/* |back| is reshape(group_norm(reshape(x))) with x's shape, the batch kept apart, and groups that are whole channels.
 */
static pelton_status take_reshapes(pn_rewrite *r, pn_node *back) {
  const pn_node *norm = pn_rewrite_producer_of(r, back->inputs.data[0], PN_OP_GROUP_NORM);
  const pn_node *there = norm ? pn_rewrite_producer_of(r, norm->inputs.data[0], PN_OP_RESHAPE) : NULL;
  if (!there || !pn_rewrite_only_user(r, back->inputs.data[0])) return PELTON_OK;
  const pn_attrs_group_norm *old = norm->attrs;
  const pn_value_id x = there->inputs.data[0];
  const pn_type *type = pn_rewrite_type(r, x), *grouped = pn_rewrite_type(r, norm->inputs.data[0]);
  if (old->groups != 0 || !is_all(r, pn_node_input(norm, 1), 1) || !is_all(r, pn_node_input(norm, 2), 0))
    return PELTON_OK;
  if (!pn_type_equal(type, pn_rewrite_type(r, back->outputs.data[0]))) return PELTON_OK;
  if (type->rank < 3 || grouped->rank < 3 || !pn_dim_equal(type->dims[0], grouped->dims[0])) return PELTON_OK;
  if (!pn_dim_is_number(grouped->dims[1]) || !pn_dim_is_number(type->dims[1])) return PELTON_OK;
  const int64_t groups = grouped->dims[1].number;
  if (groups < 1 || type->dims[1].number % groups) return PELTON_OK;
  pn_attrs_group_norm *attrs = pn_attrs_copy(PN_OP_GROUP_NORM, old, r->g->arena);
  if (!attrs) return pn_fail_memory(r->diag, "a group_norm");
  attrs->groups = groups;
  r->changed++;
  PN_TRY(pn_rewrite_provenance(r, back, there));
  PN_TRY(pn_rewrite_provenance(r, back, norm));
  return pn_rewrite_become(r, back, PN_OP_GROUP_NORM, attrs, &x, 1);
}

/* A constant that differs along the channels only, as a vector; an invalid id when it is none. */
static pn_value_id channel_vector(pn_rewrite *r, pn_value_id v, const pn_type *x) {
  pn_tensor tensor;
  if (!pn_rewrite_constant(r, v, &tensor) || tensor.dtype != x->dtype || x->rank < 2) return PN_NO_VALUE;
  const int32_t missing = x->rank - (int32_t)tensor.rank;
  if (missing < 0 || missing > 1) return PN_NO_VALUE;
  for (int32_t i = 0; i < (int32_t)tensor.rank; i++) {
    const int64_t wanted = i + missing == 1 ? x->dims[1].number : 1;
    if (tensor.dims[i] != wanted) return PN_NO_VALUE;
  }
  const pn_value *value = pn_graph_value(r->g, v);
  const pn_type type = pn_type_make(tensor.dtype, 1, &x->dims[1].number);
  const pn_value_id out = pn_graph_add_constant(r->g, value->name, &type, value->data, value->data_bytes);
  r->failed = r->failed || !pn_value_valid(out);
  return out;
}

static pelton_status take_affine(pn_rewrite *r, pn_node *node) {
  const pn_node *norm;
  pn_value_id other;
  bool is_product;
  if (!pn_norm_find_affine(r, node, &norm, &other, &is_product) || norm->op != PN_OP_GROUP_NORM) return PELTON_OK;
  const pn_type *x = pn_rewrite_type(r, norm->inputs.data[0]);
  if (!pn_graph_is_constant(r->g, other) || x->rank < 2 || !pn_dim_is_number(x->dims[1])) return PELTON_OK;
  const pn_value_id vector = channel_vector(r, other, x);
  return pn_value_valid(vector) ? pn_norm_take_affine(r, node, norm, is_product, vector) : PELTON_OK;
}

static pelton_status recognise_all(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (node->removed) continue;
    if (node->op == PN_OP_RESHAPE)
      PN_TRY(take_reshapes(r, node));
    else if (node->op == PN_OP_POINTWISE)
      PN_TRY(take_affine(r, node));
  }
  return PELTON_OK;
}

pelton_status pn_pass_recognise_group_norm(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, recognise_all, changed, diag);
}
