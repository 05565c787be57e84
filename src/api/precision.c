#include "api/precision_report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How far a type must reach beyond what was seen: less where the inputs are known to be like real ones. */
enum { RANDOM_RUNS = 2, MARGIN_KNOWN = 4, MARGIN_UNKNOWN = 16 };

/* ---- notes ------------------------------------------------------------------------------------------------------- */

static pelton_status add_note(pn_arena *arena, pn_notes *notes, pelton_diag *diag, const char *format, ...)
    PN_PRINTF(4, 5);
static pelton_status add_note(pn_arena *arena, pn_notes *notes, pelton_diag *diag, const char *format, ...) {
  char text[384];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  const char *kept = pn_str_copy(arena, pn_str_from(text));
  return kept && pn_list_push(arena, notes, kept) ? PELTON_OK : pn_fail_memory(diag, "notes");
}

static void tell(const pelton_build_options *options, const pn_notes *notes) {
  const pelton_log *log = options->log;
  for (uint32_t i = 0; log && log->write && i < notes->count; i++)
    log->write(log->self, PELTON_LOG_WARNING, notes->data[i]);
}

/* ---- what is asked ----------------------------------------------------------------------------------------------- */

/* The text up to the next |separator|, taken from the front of |rest|, whose data is null when there was none. */
static pn_str take(pn_str *rest, char separator) {
  size_t n = 0;
  while (n < rest->size && rest->data[n] != separator) n++;
  const pn_str word = {rest->data, n};
  *rest = n < rest->size ? (pn_str){rest->data + n + 1, rest->size - n - 1} : (pn_str){NULL, 0};
  return word;
}

static bool dtype_named(pn_str word, pelton_dtype *out) {
  *out = pn_str_is(word, "fp16") ? PELTON_DTYPE_F16 : pn_str_is(word, "bf16") ? PELTON_DTYPE_BF16 : PELTON_DTYPE_F32;
  return *out != PELTON_DTYPE_F32 || pn_str_is(word, "fp32");
}

pelton_status pn_precision_parse(const pelton_build_options *options, const char *target, pn_precision_request *out,
                                 pelton_diag *diag) {
  const pn_str whole = pn_str_from(options->precision ? options->precision : "fp32");
  pn_str rest = whole;
  const bool gpu = strcmp(target, "cuda") == 0;
  *out = (pn_precision_request){.target = target};
  if (options->strict && !options->precision && !options->layer_precision)
    return pn_fail(
        diag, PELTON_INVALID_ARGUMENT,
        "strict is given without a precision that layers could miss: give fp16, bf16 or best (--precision), or leave "
        "strict out");
  while (rest.data) {
    const pn_str word = take(&rest, ',');
    pelton_dtype dtype;
    if (pn_str_is(word, "best") && word.size != whole.size)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "precision '%.*s': best stands by itself, since it says which types are taken", PN_STR_ARG(whole));
    if (!word.size)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "precision '%.*s' has an empty entry; write fp16 or fp16,bf16",
                     PN_STR_ARG(whole));
    if (pn_str_is(word, "best"))
      out->half[PN_HALF_F16] = out->half[PN_HALF_BF16] = gpu;
    else if (pn_str_is(word, "tf32"))
      out->tf32 = true;
    else if (!dtype_named(word, &dtype))
      return pn_fail(diag, PELTON_UNSUPPORTED,
                     "precision '%.*s' is not available; fp32, fp16, bf16, tf32, several with commas, or best are (the "
                     "types of a quantised model are kept as they are)",
                     PN_STR_ARG(word));
    for (int h = 0; h < PN_HALF_COUNT; h++) out->half[h] = out->half[h] || pn_str_is(word, h == PN_HALF_F16 ? "fp16" : "bf16");
  }
  out->tf32_idle = out->tf32 && !gpu;
  out->best_idle = pn_str_is(whole, "best") && !gpu;
  return PELTON_OK;
}

static pelton_status note_idle(const pn_precision_request *request, pn_arena *arena, pn_notes *notes,
                               pelton_diag *diag) {
  if (request->tf32_idle)
    PN_TRY(add_note(
        arena, notes, diag,
        "precision tf32 has no effect on target '%s', which has no such arithmetic: products and convolutions in "
        "f32 stay f32 (NVIDIA GPUs have it: target cuda)",
        request->target));
  if (request->best_idle)
    PN_TRY(add_note(arena, notes, diag,
                    "precision best is fp32 on target '%s': no layer is converted (fp16 or bf16 would)",
                    request->target));
  return PELTON_OK;
}

static pelton_status parse_rules(const char *text, pn_arena *arena, const pn_precision_rule **out, uint32_t *count,
                                 pelton_diag *diag) {
  PN_LIST(pn_precision_rule) rules = {0};
  pn_str rest = text ? pn_str_from(text) : (pn_str){NULL, 0};
  while (rest.data) {
    pn_str word = take(&rest, ',');
    const pn_str whole = word;
    pn_precision_rule rule = {.pattern = take(&word, '=')};
    if (!rule.pattern.size || !dtype_named(word, &rule.dtype))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "layer precision '%.*s' is not NAME=fp32, NAME=fp16 or NAME=bf16",
                     PN_STR_ARG(whole));
    if (!pn_list_push(arena, &rules, rule)) return pn_fail_memory(diag, "layer precisions");
  }
  *out = rules.data;
  *count = rules.count;
  return PELTON_OK;
}

/* ---- evidence ---------------------------------------------------------------------------------------------------- */

static pelton_status take_ranges(const pn_graph *g, const pelton_build_options *options, pn_ranges *ranges,
                                 pelton_diag *diag) {
  for (uint32_t r = 0; r < options->range_count; r++) {
    const pelton_input_range *given = &options->ranges[r];
    bool known = false;
    if (!(given->lo <= given->hi))
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the range of input '%s' is %g to %g", given->name, given->lo, given->hi);
    for (uint32_t i = 0; i < g->inputs.count; i++) {
      const pn_value_id v = g->inputs.data[i];
      if (!pn_str_is(g->values.data[v.v].name, given->name)) continue;
      known = true;
      ranges->data[v.v].lo = given->lo;
      ranges->data[v.v].hi = given->hi;
    }
    if (!known) return pn_fail(diag, PELTON_INVALID_ARGUMENT, "the model has no input '%s', for which a range is given", given->name);
  }
  return PELTON_OK;
}

static pelton_status check_samples(const pn_graph *g, const pelton_build_options *options, const pelton_shape *shapes,
                                   pelton_diag *diag) {
  for (uint32_t k = 0; k < options->sample_count * g->inputs.count; k++) {
    const pelton_tensor *t = &options->samples[k];
    const pn_value *input = &g->values.data[g->inputs.data[k % g->inputs.count].v];
    const pelton_shape *wanted = &shapes[k % g->inputs.count];
    bool same = t->dtype == input->type.dtype && t->shape.rank == wanted->rank && (t->data || !t->bytes);
    for (uint32_t d = 0; d < wanted->rank && same; d++) same = t->shape.dims[d] == wanted->dims[d];
    if (!same)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "sample %u: the tensor of input '%.*s' has not the type and shape that the engine is planned for",
                     k / g->inputs.count, PN_STR_ARG(input->name));
  }
  return PELTON_OK;
}

/* Whether one number is all that the samples have of an input; |*elements|: of one sample. */
static bool same_throughout(const pelton_build_options *options, uint32_t input, uint32_t input_count,
                            int64_t *elements) {
  const pelton_tensor *first = &options->samples[input];
  const size_t bytes = pelton_dtype_bytes(first->dtype);
  *elements = 1;
  for (uint32_t d = 0; d < first->shape.rank; d++) *elements *= first->shape.dims[d];
  if (!bytes || pn_dtype_points(first->dtype) || !*elements) return false;
  for (uint32_t s = 0; s < options->sample_count; s++) {
    const char *data = options->samples[(size_t)s * input_count + input].data;
    for (int64_t e = 0; e < *elements; e++)
      if (memcmp(data + (size_t)e * bytes, first->data, bytes) != 0) return false;
  }
  return true;
}

static bool all_zero(const pelton_tensor *t) {
  static const char zero[16];
  const size_t bytes = pelton_dtype_bytes(t->dtype);
  return bytes <= sizeof zero && !memcmp(t->data, zero, bytes);
}

/* What samples say of the inputs, and of all that is computed of them. A single number that is not zero is taken for a
   setting, not for data. */
static pelton_status judge_samples(const pn_graph *g, const pelton_build_options *options, pn_arena *arena,
                                   pn_ranges *ranges, pn_notes *notes, pelton_diag *diag) {
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const uint32_t v = g->inputs.data[i].v;
    pn_range *r = &ranges->data[v];
    int64_t elements;
    r->evidence = PN_EVIDENCE_SEEN;
    r->cause = v;
    if (!options->sample_count) continue;
    const bool zero = r->observed && r->largest == 0 && !r->not_finite,
               same = same_throughout(options, i, g->inputs.count, &elements);
    if (!elements || !(zero || same)) continue;
    if (elements == 1 && !zero && !all_zero(&options->samples[i])) {
      r->evidence = PN_EVIDENCE_FIXED;
      continue;
    }
    r->evidence = PN_EVIDENCE_NONE;
    if (isfinite(pn_range_bound(r))) continue;
    PN_TRY(add_note(arena, notes, diag,
                    "input '%.*s' is %s in all samples, which is no evidence for what is computed of it alone; give "
                    "samples of real data (--samples)%s",
                    PN_STR_ARG(g->values.data[v].name),
                    zero || all_zero(&options->samples[i]) ? "0" : "the same throughout",
                    g->values.data[v].type.dtype == PELTON_DTYPE_F32 ? " or what it may be (--input-range)" : ""));
  }
  pn_ranges_trace(g, ranges);
  return PELTON_OK;
}

/* Proofs and observations. |*without|: why nothing was observed, which is no error when nobody gave samples. */
static pelton_status gather(const pn_graph *g, const pelton_shape *shapes, const pelton_build_options *options,
                            pn_arena *arena, pn_ranges *ranges, const char **without, pelton_diag *diag) {
  *without = NULL;
  PN_TRY(pn_ranges_create(g, arena, ranges, diag));
  PN_TRY(take_ranges(g, options, ranges, diag));
  PN_TRY(pn_ranges_prove(g, ranges, diag));
  PN_TRY(check_samples(g, options, shapes, diag));
  const uint32_t mark = pn_diag_mark(diag);
  const pelton_status status = pn_observe_runs(g, shapes, options, RANDOM_RUNS, ranges, diag);
  if (!status || options->sample_count || status == PELTON_OUT_OF_MEMORY || status == PELTON_INTERNAL) return status;
  *without = pn_str_copy(arena, pn_str_from(pelton_diag_message(diag, mark)));
  pn_diag_rewind(diag, mark);
  for (uint32_t v = 0; v < ranges->count; v++) /* half a run says nothing */
    if (!ranges->data[v].proven_exact) ranges->data[v].observed = false;
  return *without ? PELTON_OK : pn_fail_memory(diag, "samples");
}

/* A pattern that names nothing is a typing error, or a node that the passes took away. */
static pelton_status check_rules(const pn_graph *g, const pn_precision_options *choosing, pelton_diag *diag) {
  pelton_status status = PELTON_OK;
  for (uint32_t i = 0; i < choosing->rule_count; i++) {
    const pn_str pattern = choosing->rules[i].pattern;
    if (!pn_precision_names(g, pattern))
      status = pn_fail(diag, PELTON_INVALID_ARGUMENT,
                       "layer precision '%.*s' fits no node's name; the report has the names of layers (--report), and "
                       "'*' stands for anything",
                       PN_STR_ARG(pattern));
  }
  return status;
}

static pelton_status run_stage(pn_graph *g, const pelton_shape *shapes, const pelton_build_options *options,
                               const pn_precision_request *request, pn_arena *arena, pn_json *json, bool *changed,
                               pelton_diag *diag) {
  pn_ranges ranges;
  const char *without;
  pn_precision_choices choices;
  pn_notes notes = {0};
  const bool known = options->sample_count || options->range_count;
  pn_precision_options choosing = {.margin = known ? MARGIN_KNOWN : MARGIN_UNKNOWN};
  memcpy(choosing.allowed, request->half, sizeof choosing.allowed);
  PN_TRY(parse_rules(options->layer_precision, arena, &choosing.rules, &choosing.rule_count, diag));
  PN_TRY(check_rules(g, &choosing, diag));
  PN_TRY(gather(g, shapes, options, arena, &ranges, &without, diag));
  PN_TRY(note_idle(request, arena, &notes, diag));
  PN_TRY(judge_samples(g, options, arena, &ranges, &notes, diag));
  tell(options, &notes);
  PN_TRY(pn_precision_choose(g, &ranges, &choosing, arena, &choices, diag));
  pn_precision_report(g, options, request, &choices, &ranges, without, &notes, json);
  if (options->strict) PN_TRY(pn_precision_check_strict(g, &choices, &ranges, options, without, diag));
  for (uint32_t n = 0; n < g->nodes.count; n++) *changed = *changed || choices.data[n].dtype != PELTON_DTYPE_F32;
  return *changed ? pn_precision_convert(g, choices.data, diag) : PELTON_OK;
}

pelton_status pn_precision_stage(pn_graph *g, const pelton_shape *shapes, const pelton_build_options *options,
                                 const pn_precision_request *request, pn_json *json, bool *changed, pelton_diag *diag) {
  bool any = options->layer_precision != NULL;
  *changed = false;
  for (int h = 0; h < PN_HALF_COUNT; h++) any = any || request->half[h];
  if (!any && !request->tf32 && !request->best_idle) return PELTON_OK;
  pn_arena arena;
  pn_arena_init(&arena, options->allocator ? options->allocator : &pn_allocator_default);
  pn_notes notes = {0};
  pelton_status status;
  if (any) {
    status = run_stage(g, shapes, options, request, &arena, json, changed, diag);
  } else {
    status = note_idle(request, &arena, &notes, diag);
    tell(options, &notes);
    pn_precision_report_idle(options, request, &notes, json);
  }
  pn_arena_deinit(&arena);
  return status;
}
