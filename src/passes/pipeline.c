/* The order of the passes, on one page.

   Rounds are run until nothing changes: what one pass does often lets an earlier one go on. Each pass makes the graph
   smaller or moves work in one direction only, so that rounds end; the bound is for the case that two ever disagree. */
#include "passes/all.h"

#include "base/json.h"
#include "ir/verify.h"

enum { MOST_ROUNDS = 8 };

/* The pipeline is the first DEFAULT_COUNT of these, in this order. */
static const pn_pass passes[] = {
    {"drop_unused", pn_pass_drop_unused}, /* first: nothing is done for what nobody uses */
    {"rebatch", pn_pass_rebatch},         /* before folding, while a reshape's target is as the exporter wrote it */
    {"fold_constants", pn_pass_fold_constants}, /* before all that wants constants: shapes, weights, statistics */
    {"fold_shapes", pn_pass_fold_shapes}, /* before matching: reshapes to the same shape part what belongs together */
    {"eliminate_transposes",
     pn_pass_eliminate_transposes}, /* before fusion: they part expressions from their producers */
    {"common_subexpressions", pn_pass_common_subexpressions}, /* behind these, which make equal constants and nodes */
    {"lower_batch_norm", pn_pass_lower_batch_norm},           /* gives fold_scale its material */
    {"fold_scale", pn_pass_fold_scale}, /* before fusion: expressions are short and scales stand by themselves */
    {"recognise_layer_norm", pn_pass_recognise_layer_norm}, /* before fusion, which takes the affine part elsewhere */
    {"recognise_group_norm", pn_pass_recognise_group_norm}, /* likewise */
    {"fuse_pointwise", pn_pass_fuse_pointwise},
    {"recognise_activations", pn_pass_recognise_activations}, /* behind fusion, which brings an activation together */

    /* Not run by default. */
    {"recognise_attention", pn_pass_recognise_attention}, /* no target has a tactic for attention yet: the reference
                                                             would run where two products and a softmax are fast. Its
                                                             place is behind eliminate_transposes, before fusion. */
};
enum { DEFAULT_COUNT = PN_COUNT(passes) - 1 };

uint32_t pn_pass_list(const pn_pass **out) {
  *out = passes;
  return (uint32_t)PN_COUNT(passes);
}

const pn_pass *pn_pass_find(pn_str name) {
  for (size_t i = 0; i < PN_COUNT(passes); i++)
    if (pn_str_is(name, passes[i].name)) return &passes[i];
  return NULL;
}

static void report(struct pn_json *json, const char *pass, uint32_t round, uint32_t changed) {
  if (!json || !changed) return;
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "pass", pn_str_from(pass));
  pn_json_i64(json, "round", round);
  pn_json_i64(json, "changed", changed);
  pn_json_object_end(json);
}

pelton_status pn_passes_run(pn_graph *g, const pn_pipeline_options *options, pelton_diag *diag) {
  for (uint32_t round = 1; round <= MOST_ROUNDS; round++) {
    uint32_t total = 0;
    for (size_t i = 0; i < DEFAULT_COUNT; i++) {
      uint32_t changed = 0;
      const uint32_t mark = pn_diag_mark(diag);
      pelton_status status = passes[i].run(g, &changed, diag);
      if (!status && changed && options->verify) status = pn_graph_verify(g, diag);
      if (status) {
        pn_diag_prefix(diag, mark, "pass %s", passes[i].name);
        return status;
      }
      report(options->report, passes[i].name, round, changed);
      total += changed;
    }
    if (!total) break;
  }
  return PELTON_OK;
}
