/* What can be computed now is computed now: nodes whose operands are all known become constants.

   Small contents are known from inference, which also follows shapes: a chain of shape_of, gather and concat in front
   of a reshape is a constant whenever the shape is numbers. Larger results are computed by the operator's reference,
   unless that makes the model much larger (a fill or an expand is cheaper to run than to store). A dequantize of
   constants is left to fold_dequantize, which has another limit. Control flow stays. */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "ir/evaluate.h"

enum { MOST_RESULT_BYTES = 64 << 20, FREE_RESULT_BYTES = 1 << 20, MOST_GROWTH = 2 };

/* Multiply-adds of a reference are slow: larger products are left to kernels. */
static const double most_work = 2e8;

static size_t fact_bytes(const pn_fact *fact) {
  pn_tensor tensor;
  if (!fact->present || !pn_fact_tensor(fact, &tensor)) return 0;
  return (size_t)pn_tensor_elements(&tensor) * pelton_dtype_bytes(tensor.dtype);
}

/* Upper estimate of a reference's work, for those that do more than a step an element. */
static double work_of(const pn_node *node, const pn_fact *in, const pn_fact *out) {
  const double result = (double)fact_bytes(&out[0]) / 4;
  switch (node->op) {
  case PN_OP_MATMUL: return result * (double)in[0].type.dims[in[0].type.rank - 1].number;
  case PN_OP_CONV:
  case PN_OP_CONV_TRANSPOSE: return result * (double)fact_bytes(&in[1]) / 4;
  case PN_OP_EINSUM:
  case PN_OP_RECURRENT:
  case PN_OP_ATTENTION: return result * (double)(fact_bytes(&in[0]) + fact_bytes(&in[1])) / 4;
  default: return result;
  }
}

static bool worth_it(const pn_node *node, const pn_fact *in, const pn_fact *out) {
  size_t operands = 0, results = 0;
  for (uint32_t i = 0; i < node->inputs.count; i++) operands += fact_bytes(&in[i]);
  for (uint32_t i = 0; i < node->outputs.count; i++) results += fact_bytes(&out[i]);
  if (results > MOST_RESULT_BYTES || (results > FREE_RESULT_BYTES && results > MOST_GROWTH * operands)) return false;
  return work_of(node, in, out) <= most_work;
}

/* The results' elements into |out|: known already, the operand's own bytes, or computed. */
static pelton_status find_elements(pn_rewrite *r, const pn_node *node, const pn_fact *in, pn_fact *out, bool *found) {
  *found = true;
  for (uint32_t i = 0; i < node->outputs.count; i++) *found = *found && (!out[i].present || out[i].data);
  if (*found) return PELTON_OK;
  const pn_evaluation e = {.op = node->op,
                           .attrs = node->attrs,
                           .in = in,
                           .out = out,
                           .in_count = node->inputs.count,
                           .out_count = node->outputs.count,
                           .arena = r->g->arena,
                           .max_elements = MOST_RESULT_BYTES};
  if (!pn_can_evaluate(&e) || !worth_it(node, in, out)) return PELTON_OK;
  if (pn_op_get(node->op)->flags & PN_OP_VIEW) {
    out[0].data = in[0].data;
    *found = true;
    return PELTON_OK;
  }
  const uint32_t mark = pn_diag_mark(r->diag);
  const pelton_status status = pn_evaluate(&e, found, r->diag);
  if (status == PELTON_OUT_OF_MEMORY || status == PELTON_INTERNAL) return status;
  /* An index out of range, say: whether the node ever runs is not decided here. */
  if (status) pn_diag_rewind(r->diag, mark);
  *found = status == PELTON_OK && *found;
  return PELTON_OK;
}

static pelton_status make_constants(pn_rewrite *r, pn_node *node, pn_facts *facts, const pn_fact *out) {
  const pn_value_list outputs = node->outputs;
  pn_value_id ids[64];
  memcpy(ids, outputs.data, outputs.count * sizeof *ids);
  r->changed++;
  for (uint32_t i = 0; i < outputs.count; i++) {
    if (!pn_value_valid(ids[i])) continue;
    const size_t bytes = fact_bytes(&out[i]);
    const void *data = out[i].data;
    /* Inference keeps its contents in scratch memory. */
    if (bytes > 0 && pn_arena_owns(r->scratch, data)) data = pn_arena_copy(r->g->arena, data, bytes, 64);
    if (!data) return pn_fail_memory(r->diag, "a folded constant");
    facts->data[ids[i].v] = out[i];
    facts->data[ids[i].v].data = data;
    PN_TRY(pn_rewrite_make_constant(r, ids[i], &out[i].type, data, bytes));
  }
  return PELTON_OK;
}

static pelton_status fold_node(pn_rewrite *r, pn_node *node, pn_facts *facts) {
  pn_fact in[64] = {0}, out[64] = {0};
  bool found;
  if (node->inputs.count > PN_COUNT(in) || node->outputs.count > PN_COUNT(out)) return PELTON_OK;
  for (uint32_t i = 0; i < node->inputs.count; i++)
    if (pn_value_valid(node->inputs.data[i])) in[i] = facts->data[node->inputs.data[i].v];
  for (uint32_t i = 0; i < node->outputs.count; i++) {
    if (!pn_value_valid(node->outputs.data[i])) continue;
    out[i] = facts->data[node->outputs.data[i].v];
    if (!out[i].present) return PELTON_OK; /* not inferred */
    if (!pn_op_sizes_results(node->op) && !pn_type_is_static(&out[i].type)) return PELTON_OK;
  }
  PN_TRY(find_elements(r, node, in, out, &found));
  return found ? make_constants(r, node, facts, out) : PELTON_OK;
}

static pelton_status fold_all(pn_rewrite *r) {
  const pn_facts *facts;
  PN_TRY(pn_rewrite_facts(r, &facts));
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (node->removed || (pn_op_get(node->op)->flags & PN_OP_CONTROL) || node->op == PN_OP_DEQUANTIZE) continue;
    PN_TRY(fold_node(r, node, &r->facts));
  }
  return PELTON_OK;
}

pelton_status pn_pass_fold_constants(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, fold_all, changed, diag);
}
