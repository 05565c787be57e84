/* The order of the passes, on one page.

   Rounds are run until nothing changes: what one pass does often lets an earlier one go on. Each pass makes the graph
   smaller or moves work in one direction only, so that rounds end; the bound is for the case that two ever disagree. */
#include "passes/all.h"

#include "base/json.h"
#include "ir/verify.h"

enum { MOST_ROUNDS = 8 };

#define PASS(name) {#name, pn_pass_##name}

/* The pipeline is the first DEFAULT_COUNT of these, in this order. */
static const pn_pass passes[] = {
    /* First: nothing is done for what nobody uses. */
    PASS(drop_unused),
    /* Before folding, while a reshape's target is as the exporter wrote it. */
    PASS(rebatch),
    /* Before transposes meet: it makes some. */
    PASS(lower_einsum),
    /* Before all that wants constants: shapes, weights, statistics. */
    PASS(fold_constants),
    /* The same with a limit of its own: after it, quantised weights are weights. */
    PASS(fold_dequantize),
    /* Before matching: movement that moves nothing parts what belongs together. */
    PASS(fold_shapes),
    /* Behind folding, which makes the pads known. */
    PASS(fold_pad),
    /* Before fusion: transposes part expressions from their producers. */
    PASS(eliminate_transposes),
    /* Behind these, which make equal constants and nodes. */
    PASS(common_subexpressions),
    /* Gives fold_scale its material. */
    PASS(lower_batch_norm),
    /* Before fusion: expressions are short, scales stand by themselves. */
    PASS(fold_scale),
    /* Before fusion, which would take the affine part of a normalisation elsewhere. */
    PASS(recognise_layer_norm),
    PASS(recognise_group_norm),
    PASS(fuse_pointwise),
    /* Behind fusion, which brings the parts of an activation together. */
    PASS(recognise_activations),
    /* Not in the pipeline: only some targets gain by it, see pn_passes_finish. */
    PASS(merge_products),
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

static pelton_status run_pass(pn_graph *g, const pn_pass *pass, const pn_pipeline_options *options, uint32_t round,
                              uint32_t *total, pelton_diag *diag) {
  uint32_t changed = 0;
  const uint32_t mark = pn_diag_mark(diag);
  pelton_status status = pass->run(g, &changed, diag);
  if (!status && changed && options->verify) status = pn_graph_verify(g, diag);
  if (status) {
    pn_diag_prefix(diag, mark, "pass %s", pass->name);
    return status;
  }
  report(options->report, pass->name, round, changed);
  *total += changed;
  return PELTON_OK;
}

pelton_status pn_passes_run(pn_graph *g, const pn_pipeline_options *options, pelton_diag *diag) {
  for (uint32_t round = 1; round <= MOST_ROUNDS; round++) {
    uint32_t total = 0;
    for (size_t i = 0; i < DEFAULT_COUNT; i++) PN_TRY(run_pass(g, &passes[i], options, round, &total, diag));
    if (!total) break;
  }
  return PELTON_OK;
}

pelton_status pn_passes_finish(pn_graph *g, const pn_pipeline_options *options, pelton_diag *diag) {
  uint32_t changed = 0;
  return run_pass(g, &passes[DEFAULT_COUNT], options, 1, &changed, diag);
}
