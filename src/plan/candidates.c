/* Which tactics could take a problem, and what they cost: by their own estimates, by the timing cache, by
   measurement. */
#include "plan/planner.h"

#include "base/clock.h"

#include <math.h>

enum { MAX_CANDIDATES = 64 };

typedef struct candidate {
  const pn_tactic *tactic;
  pn_config config;
  double estimate;
} candidate;

uint32_t pn_planner_configs(const pn_planner *p, const pn_problem *problem, const pn_tactic *tactic, pn_config *out) {
  memset(out, 0, sizeof *out);
  return tactic->configs ? tactic->configs(problem, p->options->device, out, PN_MOST_CONFIGS) : 1;
}

/* Every accepted tactic with each of its configs, by estimate; references last. */
static uint32_t candidates(const pn_planner *p, const pn_problem *problem, candidate *out) {
  uint32_t count = 0;
  for (uint32_t t = 0; t < p->tactic_count; t++) {
    const pn_tactic *tactic = p->tactics[t];
    if (!tactic->accepts(problem, p->options->device, NULL)) continue;
    pn_config configs[PN_MOST_CONFIGS];
    uint32_t n = pn_planner_configs(p, problem, tactic, configs);
    for (uint32_t c = 0; c < n && count < MAX_CANDIDATES; c++) {
      candidate one = {tactic, configs[c], tactic->estimate(problem, p->options->device, &configs[c])};
      uint32_t k = count++;
      for (; k > 0; k--) {
        bool later = out[k - 1].tactic->is_reference != tactic->is_reference ? out[k - 1].tactic->is_reference
                                                                             : one.estimate < out[k - 1].estimate;
        if (!later) break;
        out[k] = out[k - 1];
      }
      out[k] = one;
    }
  }
  return count;
}

static pelton_status remember(pn_planner *p, pn_text *key, const pn_choice *choice) {
  const char *kept = key->failed ? NULL : pn_str_copy(&p->scratch, (pn_str){key->data, key->size});
  size_t size = key->size;
  pn_text_deinit(key);
  if (!kept || !pn_list_push(&p->scratch, &p->choices, *choice) ||
      !pn_map_set(&p->choice_index, (pn_str){kept, size}, p->choices.count - 1))
    return pn_fail_memory(p->diag, "the plan");
  return PELTON_OK;
}

pelton_status pn_planner_estimate(pn_planner *p, const pn_problem *problem, pn_choice *out) {
  pn_text key;
  pn_text_init(&key, p->allocator);
  pn_problem_print(problem, &key);
  uint32_t index;
  if (!key.failed && pn_map_get(&p->choice_index, (pn_str){key.data, key.size}, &index)) {
    pn_text_deinit(&key);
    *out = p->choices.data[index];
    return PELTON_OK;
  }
  candidate list[MAX_CANDIDATES];
  memset(out, 0, sizeof *out);
  out->estimate = INFINITY;
  if (candidates(p, problem, list)) *out = (pn_choice){list[0].tactic, list[0].config, list[0].estimate, 0};
  return remember(p, &key, out);
}

/* |count| candidates of the problem |key| found the budget spent: counted once for problems that are alike, in the last
   round. */
static pelton_status count_untimed(pn_planner *p, pn_str key, uint32_t count) {
  uint32_t before;
  if (!count || p->most_timed != UINT32_MAX || pn_map_get(&p->untimed, key, &before)) return PELTON_OK;
  const char *kept = pn_str_copy(&p->scratch, key);
  if (!kept || !pn_map_set(&p->untimed, (pn_str){kept, key.size}, count)) return pn_fail_memory(p->diag, "the plan");
  p->plan->untimed_count += count;
  return PELTON_OK;
}

const char *pn_planner_unfit(const pn_planner *p, const pn_tactic *tactic, const pn_config *config, pn_str problem) {
  for (uint32_t i = 0; i < p->unfit.count; i++) {
    const pn_unfit *one = &p->unfit.data[i];
    if (one->tactic == tactic && (!config || !memcmp(&one->config, config, sizeof *config)) &&
        pn_str_equal(one->problem, problem))
      return one->why;
  }
  return NULL;
}

/* Passes over a candidate that failed while it was timed, with the reason that stands in the diag from |mark| on. */
static pelton_status pass_over(pn_planner *p, const candidate *c, pn_str key, uint32_t mark) {
  const char *why = p->diag && p->diag->count > mark ? pelton_diag_message(p->diag, p->diag->count - 1) : "it failed";
  const pn_unfit one = {
      c->tactic, c->config, {pn_str_copy(&p->scratch, key), key.size}, pn_str_copy(&p->scratch, pn_str_from(why))};
  pn_diag_rewind(p->diag, mark);
  return one.problem.data && one.why && pn_list_push(&p->scratch, &p->unfit, one) ? PELTON_OK
                                                                                  : pn_fail_memory(p->diag, "the plan");
}

/* The time of one candidate: from the cache, else measured when |measure| and the budget allow; the budget's refusals
   are counted. */
static pelton_status time_of(pn_planner *p, const pn_problem *problem, const candidate *c, pn_str key, bool measure,
                             double *seconds, bool *known, uint32_t *untimed) {
  pn_timing_cache *cache = p->options->cache;
  bool unfit = false;
  *known = false;
  if (pn_planner_unfit(p, c->tactic, &c->config, key)) return PELTON_OK;
  *known = cache && pn_timing_find(cache, c->tactic, &c->config, p->fingerprint, key, seconds);
  if (*known || !measure || p->options->level <= 0 || p->weight_price > 0) return PELTON_OK;
  double budget = p->options->budget_seconds;
  if (budget > 0 && pn_clock_seconds() - p->started > budget) {
    ++*untimed;
    return PELTON_OK;
  }
  double each = 0.002 * p->options->level;
  const double start = pn_clock_seconds();
  const uint32_t mark = pn_diag_mark(p->diag);
  pelton_status status = pn_timing_measure(p->options->target, p->options->device, problem, c->tactic, &c->config, each,
                                           p->allocator, seconds, &unfit, p->diag);
  if (unfit) return pass_over(p, c, key, mark);
  PN_TRY(status);
  p->plan->timed_count++;
  p->plan->timed_seconds += pn_clock_seconds() - start;
  *known = true;
  if (cache && !pn_timing_add(cache, c->tactic, &c->config, p->fingerprint, key, *seconds))
    return pn_fail_memory(p->diag, "the timing cache");
  return PELTON_OK;
}

/* How many of |list|, from the first on, are worth timing in this round: those that are not hopeless. */
static uint32_t promising(const pn_planner *p, const candidate *list, uint32_t count) {
  uint32_t most = 1 + 2 * (uint32_t)pn_max_i64(p->options->level, 0), n = 0;
  if (most > p->most_timed) most = p->most_timed;
  while (n < count && n < most && !list[n].tactic->is_reference && (n == 0 || list[n].estimate <= 4 * list[0].estimate))
    n++;
  return n;
}

pelton_status pn_planner_measure_ahead(pn_planner *p, const pn_problem *problem, uint32_t skipped,
                                       pn_ahead_list *jobs) {
  candidate list[MAX_CANDIDATES];
  const uint32_t count = candidates(p, problem, list), n = promising(p, list, count);
  pn_timing_cache *cache = p->options->cache;
  if (count < 2 || p->options->level <= 0) return PELTON_OK;
  pn_text key;
  pn_text_init(&key, p->allocator);
  pn_problem_print(problem, &key);
  bool ok = !key.failed;
  for (uint32_t i = skipped; i < n && ok; i++) {
    double seconds;
    if (cache &&
        pn_timing_find(cache, list[i].tactic, &list[i].config, p->fingerprint, (pn_str){key.data, key.size}, &seconds))
      continue;
    ok = pn_planner_add_ahead(p, jobs, problem, list[i].tactic, &list[i].config);
  }
  pn_text_deinit(&key);
  return ok ? PELTON_OK : pn_fail_memory(p->diag, "the plan");
}

/* Measured are the first few that are not hopeless; what the cache knows of the others counts as well. Where only some
   times are known, an estimate stands for the one that is not. While weights are too many, each candidate's cost more;
   then those that were not timed count as well, by their estimates in proportion to the first's time. One that fails
   while it is timed is passed over; when none is left, |unfit| says why the first did. */
static pelton_status measure(pn_planner *p, const pn_problem *problem, pn_choice *out, const char **unfit) {
  candidate list[MAX_CANDIDATES];
  uint32_t count = candidates(p, problem, list);
  if (!count) return PELTON_OK;
  const uint32_t worth = promising(p, list, count);
  *out = (pn_choice){list[0].tactic, list[0].config, list[0].estimate, 0};
  if (count == 1) return PELTON_OK;
  pn_text key;
  pn_text_init(&key, p->allocator);
  pn_problem_print(problem, &key);
  pelton_status status = key.failed ? pn_fail_memory(p->diag, "the plan") : PELTON_OK;
  double best = 0, scale = 1;
  uint32_t untimed = 0;
  bool any = list[0].tactic->is_reference;
  for (uint32_t i = 0; i < count && !status && !list[i].tactic->is_reference; i++) {
    double seconds = 0;
    bool known = false;
    status = time_of(p, problem, &list[i], (pn_str){key.data, key.size}, i < worth, &seconds, &known, &untimed);
    if (pn_planner_unfit(p, list[i].tactic, &list[i].config, (pn_str){key.data, key.size})) continue;
    if (known && i == 0 && p->weight_price > 0) scale = seconds / list[0].estimate;
    const double margin = list[i].tactic->library ? 1 + PN_LIBRARY_MARGIN : 1;
    double cost = (known ? seconds * margin : list[i].estimate * scale) +
                  pn_planner_weight_cost(p, problem, list[i].tactic, &list[i].config);
    if (any && !known && p->weight_price <= 0) continue;
    if (any && !(cost < best)) continue;
    any = true;
    best = cost;
    *out = (pn_choice){list[i].tactic, list[i].config, list[i].estimate, seconds};
  }
  if (!any && !status) *unfit = pn_planner_unfit(p, list[0].tactic, &list[0].config, (pn_str){key.data, key.size});
  if (!status) status = count_untimed(p, (pn_str){key.data, key.size}, untimed);
  pn_text_deinit(&key);
  return status;
}

/* Nobody wants to have the reference for tactics that fail. */
pelton_status pn_planner_measure(pn_planner *p, const pn_problem *problem, pn_choice *out) {
  const char *unfit = NULL;
  PN_TRY(measure(p, problem, out, &unfit));
  return unfit ? pn_fail(p->diag, PELTON_DEVICE_ERROR, "%s", unfit) : PELTON_OK;
}

/* Times |choice| itself, where the options and the budget allow it; else its seconds stay 0. */
static pelton_status time_choice(pn_planner *p, const pn_problem *problem, pn_choice *choice, const char **unfit) {
  const candidate one = {choice->tactic, choice->config, choice->estimate};
  double seconds = 0;
  bool known = false;
  uint32_t untimed = 0;
  pn_text key;
  pn_text_init(&key, p->allocator);
  pn_problem_print(problem, &key);
  const pn_str name = {key.data, key.size};
  pelton_status status = key.failed ? pn_fail_memory(p->diag, "the plan")
                                    : time_of(p, problem, &one, name, true, &seconds, &known, &untimed);
  if (!status) status = count_untimed(p, name, untimed);
  if (!status) *unfit = pn_planner_unfit(p, choice->tactic, &choice->config, name);
  pn_text_deinit(&key);
  if (!status && known) choice->seconds = seconds;
  return status;
}

pelton_status pn_planner_try(pn_planner *p, const pn_problem *problem, pn_choice *choice, bool *fits) {
  const char *unfit = NULL;
  if (!(choice->seconds > 0)) PN_TRY(measure(p, problem, choice, &unfit));
  if (!(choice->seconds > 0) && !unfit) PN_TRY(time_choice(p, problem, choice, &unfit));
  *fits = !unfit;
  return PELTON_OK;
}

bool pn_planner_decided(const pn_planner *p, pn_problem *problem, const pn_decision *d, pn_choice *out,
                        pn_layout *in_layout, pn_layout *out_layout) {
  if (!pn_layout_parse(d->in_layout, in_layout) || !pn_layout_parse(d->out_layout, out_layout)) return false;
  if (!pn_problem_set_layouts(problem, *in_layout, *out_layout)) return false;
  for (uint32_t t = 0; t < p->tactic_count; t++) {
    const pn_tactic *tactic = p->tactics[t];
    if (!pn_str_is(d->tactic, tactic->name) || tactic->version != d->version) continue;
    if (!tactic->accepts(problem, p->options->device, NULL)) return false;
    *out = (pn_choice){tactic, {{0}}, 0, 0};
    memcpy(out->config.value, d->config, sizeof d->config);
    pn_config known[PN_MOST_CONFIGS];
    uint32_t n = pn_planner_configs(p, problem, tactic, known);
    bool valid = false; /* a config from a file is only taken when the tactic itself would offer it */
    for (uint32_t k = 0; k < n; k++) valid |= !memcmp(&known[k], &out->config, sizeof out->config);
    out->estimate = valid ? tactic->estimate(problem, p->options->device, &out->config) : 0;
    return valid;
  }
  return false;
}
