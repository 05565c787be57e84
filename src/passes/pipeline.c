/* The order of the passes, on one page.

   Rounds are run until nothing changes: what one pass does often lets an earlier one go on. Each pass makes the graph
   smaller or moves work in one direction only, so that rounds end; the bound is for the case that two ever disagree. */
#include "passes/all.h"

#include "base/json.h"
#include "ir/verify.h"

enum { MOST_ROUNDS = 8 };

static const pn_pass passes[] = {
    {"drop_unused", pn_pass_drop_unused}, /* first: nothing is done for what nobody uses */
    {"fold_constants", pn_pass_fold_constants}, /* before all that wants constants: shapes, weights, statistics */
    {"fold_shapes", pn_pass_fold_shapes},
    {"eliminate_transposes", pn_pass_eliminate_transposes}, /* before fusion: they part expressions from their producers */
    {"common_subexpressions", pn_pass_common_subexpressions}, /* behind folding, which makes equal constants */
    /* Gives fold_scale its material. */
    {"lower_batch_norm", pn_pass_lower_batch_norm},
    /* Before fusion, which would bury a scale under what follows it (still found there, at more cost). */
    {"fold_scale", pn_pass_fold_scale},
    {"fuse_pointwise", pn_pass_fuse_pointwise},
    /* Behind fusion, which brings the parts of an activation together. */
    {"recognise_activations", pn_pass_recognise_activations},
};

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
    for (size_t i = 0; i < PN_COUNT(passes); i++) {
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
