/* What was decided, as members of a JSON array: one object a step, with its group, tactic, times, and why every other
   tactic was not taken. */
#include "plan/planner.h"

#include "base/json.h"

#include <stdio.h>

/* The least time that is known of a tactic that was not taken, whatever its config; and whether the margin decided. */
static void report_time(const pn_planner *p, const pn_emitted *e, const pn_tactic *tactic, const pn_config *configs,
                        uint32_t count, pn_str key, pn_json *json) {
  double least = 0;
  for (uint32_t c = 0; p->options->cache && c < count; c++) {
    double seconds;
    if (!pn_timing_find(p->options->cache, tactic, &configs[c], p->fingerprint, key, &seconds)) continue;
    if (least == 0 || seconds < least) least = seconds;
  }
  if (least == 0) return;
  pn_json_f64(json, "measured_us", 1e6 * least);
  if (!tactic->library || least >= e->choice.seconds || least * (1 + PN_LIBRARY_MARGIN) < e->choice.seconds) return;
  char why[64];
  (void)snprintf(why, sizeof why, "a library's kernel has to be faster by %.0f %%", 100 * PN_LIBRARY_MARGIN);
  pn_json_string(json, "passed_over", pn_str_from(why));
}

/* Of a tactic that failed while it was timed, if only with one of its configs. */
static void report_failure(const pn_planner *p, const pn_tactic *tactic, pn_str key, pn_json *json) {
  const char *why = pn_planner_unfit(p, tactic, NULL, key);
  if (why) pn_json_string(json, "failed", pn_str_from(why));
}

static void report_rejections(const pn_planner *p, const pn_emitted *e, pn_str key, pn_json *json) {
  pn_json_array_begin(json, "others");
  for (uint32_t t = 0; t < p->tactic_count; t++) {
    const pn_tactic *tactic = p->tactics[t];
    pn_reason why = {""};
    if (tactic == e->choice.tactic || tactic->is_reference) continue;
    bool accepts = tactic->accepts(e->problem, p->options->device, &why);
    if (!accepts && !why.text[0]) continue; /* another operator's tactic */
    pn_json_object_begin(json, NULL);
    pn_json_string(json, "tactic", pn_str_from(tactic->name));
    if (!accepts) {
      pn_json_string(json, "refused", pn_str_from(why.text));
    } else {
      pn_config configs[PN_MOST_CONFIGS];
      const uint32_t count = pn_planner_configs(p, e->problem, tactic, configs);
      pn_json_f64(json, "estimate_us", 1e6 * tactic->estimate(e->problem, p->options->device, &configs[0]));
      report_time(p, e, tactic, configs, count, key, json);
      report_failure(p, tactic, key, json);
    }
    pn_json_object_end(json);
  }
  pn_json_array_end(json);
}

static void report_step(const pn_planner *p, const pn_emitted *e, const pn_plan_step *step, pn_json *json) {
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "step", step->name);
  pn_json_array_begin(json, "ops");
  for (uint32_t i = 0; i < e->problem->node_count; i++)
    pn_json_string(json, NULL, pn_str_from(e->group ? pn_op_get(e->problem->nodes[i].op)->name : "convert_layout"));
  pn_json_array_end(json);
  pn_json_array_begin(json, "sources");
  for (uint32_t i = 0; i < step->source_count; i++) pn_json_string(json, NULL, step->sources[i]);
  pn_json_array_end(json);
  pn_text problem;
  pn_text_init(&problem, p->allocator);
  pn_problem_print(e->problem, &problem);
  const pn_str key = {problem.data, problem.size};
  pn_json_string(json, "problem", key);
  json->text->failed |= problem.failed;
  pn_json_string(json, "tactic", pn_str_from(step->tactic->name));
  pn_json_bool(json, "fallback", step->tactic->is_reference);
  pn_json_array_begin(json, "config");
  for (uint32_t i = 0; i < PN_CONFIG_VALUES; i++) pn_json_i64(json, NULL, step->config.value[i]);
  pn_json_array_end(json);
  pn_json_f64(json, "estimate_us", 1e6 * step->estimate);
  if (step->seconds > 0) pn_json_f64(json, "measured_us", 1e6 * step->seconds);
  if (e->group && e->group->other_steps) {
    pn_json_object_begin(json, "other_cut");
    pn_json_i64(json, "steps", e->group->other_steps);
    pn_json_f64(json, "measured_us", 1e6 * e->group->other_seconds);
    pn_json_object_end(json);
  }
  if (step->tactic->error)
    pn_json_f64(json, "error", step->tactic->error(e->problem, p->options->device, &step->config));
  pn_json_i64(json, "packed_bytes", (int64_t)step->packed_bytes);
  if (e->misaligned) {
    char why[64];
    (void)snprintf(why, sizeof why, "a part would not begin at a multiple of %u bytes",
                   (unsigned)p->options->target->part_alignment);
    pn_json_string(json, "not_elided", pn_str_from(why));
  }
  report_failure(p, step->tactic, key, json);
  report_rejections(p, e, key, json);
  pn_text_deinit(&problem);
  pn_json_object_end(json);
}

pelton_status pn_planner_report(pn_planner *p) {
  pn_json json;
  pn_json_init(&json, &p->plan->report);
  pn_json_array_begin(&json, NULL);
  uint32_t kept = 0;
  for (uint32_t s = 0; s < p->emitted.count; s++) {
    const pn_emitted *e = &p->emitted.data[s];
    if (!e->removed) {
      report_step(p, e, &p->plan->steps.data[kept++], &json);
      continue;
    }
    pn_json_object_begin(&json, NULL);
    pn_json_string(&json, "step", p->request->graph->nodes.data[e->group->nodes[0]].name);
    pn_json_string(&json, "elided", pn_str_from("its parts are written and read in place"));
    pn_json_object_end(&json);
  }
  pn_json_array_end(&json);
  return p->plan->report.failed ? pn_fail_memory(p->diag, "the report") : PELTON_OK;
}
