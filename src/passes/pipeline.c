/* The order of the passes, on one page. */
#include "passes/passes.h"

#include "base/json.h"
#include "ir/verify.h"

/* None yet beyond what compaction does: unused nodes go. */
static pelton_status drop_unused(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  uint32_t before = g->nodes.count;
  PN_TRY(pn_graph_compact(g, diag));
  *changed += before - g->nodes.count;
  return PELTON_OK;
}

static const pn_pass passes[] = {{"drop_unused", drop_unused}};

uint32_t pn_pass_list(const pn_pass **out) {
  *out = passes;
  return (uint32_t)PN_COUNT(passes);
}

const pn_pass *pn_pass_find(pn_str name) {
  for (size_t i = 0; i < PN_COUNT(passes); i++)
    if (pn_str_is(name, passes[i].name)) return &passes[i];
  return NULL;
}

pelton_status pn_passes_run(pn_graph *g, const pn_pipeline_options *options, pelton_diag *diag) {
  for (size_t i = 0; i < PN_COUNT(passes); i++) {
    uint32_t changed = 0;
    PN_TRY(passes[i].run(g, &changed, diag));
    if (options->verify) PN_TRY(pn_graph_verify(g, diag));
    if (!options->report || !changed) continue;
    pn_json_object_begin(options->report, NULL);
    pn_json_string(options->report, "pass", pn_str_from(passes[i].name));
    pn_json_i64(options->report, "changed", changed);
    pn_json_object_end(options->report);
  }
  return PELTON_OK;
}
