#define _POSIX_C_SOURCE 200809L
#include "text/layers.h"

#include "text/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_RUNS = 3, RUNS = 30 };

/* ---- limits ------------------------------------------------------------------------------------------------------ */

/* Whether the peak |name| is one of products of |type|: of the same type, of either sign, or of f32 that the device may
   shorten. */
static bool multiplies(const char *name, const char *type) {
  const size_t size = strcspn(name, "_");
  if (strcmp(type, "u8") == 0) type = "i8";
  if (strcmp(type, "f32") == 0 && strncmp(name, "tf32_", 5) == 0) return true;
  return strlen(type) == size && strncmp(name, type, size) == 0;
}

/* The least seconds in which the machine could do |step|'s arithmetic and move its bytes, by its peaks: whichever is
   more. Products of a type go by the units for it, at the same time as other arithmetic, if there are any; everything
   else by f32. Small operands may come from a cache, and at its rate. */
static double limit_seconds(const json_value *peaks, const json_value *step) {
  const double flops = json_get_number(step, "flops", 0), products = json_get_number(step, "products", 0),
               bytes = json_get_number(step, "bytes", 0);
  double plain = 0, special = 0, read = 0;
  for (const json_value *peak = peaks ? peaks->first : NULL; peak; peak = peak->next) {
    const char *name = json_get_text(peak, "name");
    const double all = json_get_number(peak, "all", 0), room = json_get_number(peak, "bytes", 0);
    if (all <= 0) continue;
    if (strcmp(name, "f32_fma") == 0)
      plain = all;
    else if (multiplies(name, json_get_text(step, "type")) && all > special)
      special = all;
    if (strncmp(name, "read_", 5) == 0 && read <= 0 && (room <= 0 || bytes <= room)) read = all;
  }
  if (strcmp(json_get_text(step, "tactic"), "host") == 0) return 0; /* not a matter of the device */
  double limit = read > 0 ? bytes / read : 0;
  const double rest = special > plain ? flops - products : flops;
  if (special > plain && products / special > limit) limit = products / special;
  if (plain > 0 && rest / plain > limit) limit = rest / plain;
  return limit;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

/* The least time of each step in several runs: what it takes when nothing disturbs it. */
static char *write_times(const json_value *names, const double *least, uint32_t steps, const json_value *peaks) {
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  json_writer json = {file, false};
  if (!file) return NULL;
  json_begin(&json, NULL, '[');
  const json_value *step = names->first;
  for (uint32_t i = 0; i < steps; i++, step = step->next) {
    const json_value *sources = json_get(step, "sources");
    const double flops = json_get_number(step, "flops", 0), bytes = json_get_number(step, "bytes", 0);
    const double limit = json_count(peaks) ? 1e6 * limit_seconds(peaks, step) : NAN; /* nan becomes null */
    json_begin(&json, NULL, '{');
    json_text(&json, "step", json_get_text(step, "step"));
    json_text(&json, "tactic", json_get_text(step, "tactic"));
    json_number(&json, "us", least[i]);
    json_number(&json, "flops", flops);
    if (*json_get_text(step, "type")) json_text(&json, "type", json_get_text(step, "type"));
    json_number(&json, "bytes", bytes);
    json_number(&json, "limit_us", limit);
    json_number(&json, "percent_of_limit", least[i] > 0 || isnan(limit) ? 100 * limit / least[i] : 0);
    json_text(&json, "problem", json_get_text(step, "problem"));
    json_begin(&json, "sources", '[');
    for (const json_value *s = sources ? sources->first : NULL; s; s = s->next) json_text(&json, NULL, s->text);
    json_end(&json, ']');
    json_end(&json, '}');
  }
  json_end(&json, ']');
  if (fclose(file) == 0) return text;
  free(text);
  return NULL;
}

static pelton_status add_profile(const pelton_context *context, json_value **names, double **least, uint32_t *steps,
                                 pelton_diag *diag) {
  char *text = NULL;
  const pelton_status status = pelton_context_profile_json(context, &text, diag);
  if (status) return status;
  json_value *json = json_parse(text);
  pelton_text_release(text);
  const uint32_t count = json_count(json);
  if (!*names || count < *steps) *steps = count; /* loops may take more or fewer steps */
  if (!*names) *least = memory_new(count, sizeof **least);
  const json_value *step = json ? json->first : NULL;
  for (uint32_t i = 0; i < *steps && step; i++, step = step->next) {
    const double us = json_get_number(step, "us", 0);
    if (!*names || us < (*least)[i]) (*least)[i] = us;
  }
  if (!*names)
    *names = json;
  else
    json_free(json);
  return PELTON_OK;
}

int layers_measure(pelton_engine *engine, const tensors *inputs, char **out) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context_options options = PELTON_CONTEXT_OPTIONS_INIT;
  pelton_context *context = NULL;
  const uint32_t count = pelton_engine_output_count(engine);
  pelton_tensor *outputs = memory_new(count, sizeof *outputs);
  json_value *names = NULL;
  double *least = NULL;
  uint32_t steps = 0;
  options.profile = 1;
  pelton_status status = pelton_context_create(engine, &options, &context, &diag);
  for (int i = 0; i < WARM_RUNS + RUNS && !status; i++) {
    memset(outputs, 0, count * sizeof *outputs);
    status = pelton_context_run(context, inputs->data, inputs->count, outputs, count, &diag);
    if (!status && i >= WARM_RUNS) status = add_profile(context, &names, &least, &steps, &diag);
  }
  char *text = NULL;
  if (!status) { /* times without limits are better than none */
    pelton_diag reasons = PELTON_DIAG_INIT;
    if (pelton_engine_peaks_json(engine, &text, &reasons))
      print_note("what the device reaches at most is not known, so no step has a limit: %s",
                 reasons.count ? pelton_diag_message(&reasons, 0) : "no reason was given");
  }
  json_value *peaks = text ? json_parse(text) : NULL;
  pelton_text_release(text);
  *out = names ? write_times(names, least, steps, peaks) : NULL;
  json_free(peaks);
  const int code = status ? print_failure(status, &diag, NULL) : *out ? EXIT_DONE : EXIT_BUG;
  pelton_context_release(context);
  json_free(names);
  free(least);
  free(outputs);
  return code;
}

static int compare_steps(const void *a, const void *b) {
  const double x = json_get_number(*(const json_value *const *)a, "us", 0),
               y = json_get_number(*(const json_value *const *)b, "us", 0);
  return (x < y) - (x > y);
}

void layers_print(const char *text) {
  json_value *json = json_parse(text);
  const uint32_t count = json_count(json);
  const json_value **steps = memory_new(count, sizeof *steps);
  double total = 0;
  uint32_t n = 0;
  for (const json_value *step = json ? json->first : NULL; step; step = step->next) {
    steps[n++] = step;
    total += json_get_number(step, "us", 0);
  }
  qsort(steps, n, sizeof *steps, compare_steps);
  bool limited = false;
  for (uint32_t i = 0; i < n; i++) limited = limited || json_get_number(steps[i], "limit_us", -1) >= 0;
  printf("\n%10s %6s %8s %7s %7s  %-24s %-32s %s\n", "us", "%", "Gflop/s", "GB/s", "% limit", "tactic", "step", "problem");
  double limit = 0;
  for (uint32_t i = 0; i < n; i++) {
    const double us = json_get_number(steps[i], "us", 0), second = us > 0 ? 1e-6 * us : 1;
    limit += json_get_number(steps[i], "limit_us", 0);
    printf("%10.1f %6.2f %8.1f %7.1f ", us, total > 0 ? 100 * us / total : 0,
           1e-9 * json_get_number(steps[i], "flops", 0) / second, 1e-9 * json_get_number(steps[i], "bytes", 0) / second);
    if (limited)
      printf("%7.1f", json_get_number(steps[i], "percent_of_limit", 0));
    else
      printf("%7s", "-");
    printf("  %-24s %-32s %s\n", json_get_text(steps[i], "tactic"), json_get_text(steps[i], "step"),
           json_get_text(steps[i], "problem"));
  }
  if (limited)
    printf("%10.1f        all %u steps, %.1f %% of the limit\n", total, n, total > 0 ? 100 * limit / total : 0);
  else
    printf("%10.1f        all %u steps\n", total, n);
  free(steps);
  json_free(json);
}
