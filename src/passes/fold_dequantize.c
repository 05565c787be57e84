/* Weights that are kept in few bits become what they mean: a dequantize of constants is computed now, by its reference,
   so by the same arithmetic as at a run. Every run would do it again otherwise, and tactics that pack constant weights
   would find computed ones.

   The price is memory, four bytes for one or for less. So it is done only where all such weights of the graph together
   stay below a limit; larger networks keep their few bits, and dequantize at each run. */
#include "passes/all.h"
#include "passes/rewrite.h"

#include "ir/evaluate.h"

static const double most_bytes = 512 << 20; /* of all results */

/* Elements that are known, and how many bytes they will be; 0 when |node| cannot be computed now. */
static double result_bytes(const pn_node *node, const pn_facts *facts) {
  pn_tensor tensor;
  if (node->removed || node->op != PN_OP_DEQUANTIZE) return 0;
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    if (!pn_value_valid(node->inputs.data[i])) continue;
    const pn_fact *fact = &facts->data[node->inputs.data[i].v];
    if (!fact->present || !fact->data) return 0;
  }
  const pn_fact *out = &facts->data[node->outputs.data[0].v];
  if (!out->present || !pn_type_is_static(&out->type) || !pn_fact_tensor(out, &tensor)) return 0;
  return (double)pn_tensor_elements(&tensor) * (double)pelton_dtype_bytes(tensor.dtype);
}

static pelton_status fold(pn_rewrite *r, pn_node *node, size_t bytes) {
  const pn_value_id result = node->outputs.data[0];
  pn_fact in[3] = {0}, out = r->facts.data[result.v];
  bool done;
  out.data = NULL; /* what inference knows lies in scratch memory */
  if (node->inputs.count > PN_COUNT(in)) return PELTON_OK;
  for (uint32_t i = 0; i < node->inputs.count; i++)
    if (pn_value_valid(node->inputs.data[i])) in[i] = r->facts.data[node->inputs.data[i].v];
  const pn_evaluation e = {.op = node->op,
                           .attrs = node->attrs,
                           .in = in,
                           .out = &out,
                           .in_count = node->inputs.count,
                           .out_count = 1,
                           .arena = r->g->arena,
                           .max_elements = (int64_t)most_bytes};
  if (!pn_can_evaluate(&e)) return PELTON_OK;
  const uint32_t mark = pn_diag_mark(r->diag);
  const pelton_status status = pn_evaluate(&e, &done, r->diag);
  if (status == PELTON_OUT_OF_MEMORY || status == PELTON_INTERNAL) return status;
  if (status) pn_diag_rewind(r->diag, mark); /* whether the node ever runs is not decided here */
  if (status || !done) return PELTON_OK;
  r->facts.data[result.v] = out;
  r->changed++;
  return pn_rewrite_make_constant(r, result, &out.type, out.data, bytes);
}

static pelton_status fold_all(pn_rewrite *r) {
  const pn_facts *facts;
  double all = 0;
  PN_TRY(pn_rewrite_facts(r, &facts));
  for (uint32_t i = 0; i < r->g->nodes.count; i++) all += result_bytes(&r->g->nodes.data[i], facts);
  for (uint32_t i = 0; i < r->g->nodes.count && all <= most_bytes; i++) {
    const double bytes = result_bytes(&r->g->nodes.data[i], facts);
    if (bytes > 0) PN_TRY(fold(r, &r->g->nodes.data[i], (size_t)bytes));
  }
  return PELTON_OK;
}

pelton_status pn_pass_fold_dequantize(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, fold_all, changed, diag);
}
