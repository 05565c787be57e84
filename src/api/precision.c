#include "api/precision.h"
#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How far a type must reach beyond what was seen: less where the inputs are known to be like real ones. */
enum { RANDOM_RUNS = 2, MARGIN_KNOWN = 4, MARGIN_UNKNOWN = 16, NAMED = 3 };

/* ---- notes ------------------------------------------------------------------------------------------------------- */

/* What the caller should know of a build that goes on: for the log and the report. */
typedef PN_LIST(const char *) pn_notes;

static pelton_status add_note(pn_arena *arena, pn_notes *notes, pelton_diag *diag, const char *format, ...) PN_PRINTF(4, 5);
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
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
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

static pelton_status note_idle(const pn_precision_request *request, pn_arena *arena, pn_notes *notes, pelton_diag *diag) {
  if (request->tf32_idle)
    PN_TRY(add_note(arena, notes, diag,
                    "precision tf32 has no effect on target '%s', which has no such arithmetic: products and convolutions in "
                    "f32 stay f32 (NVIDIA GPUs have it: target cuda)",
                    request->target));
  if (request->best_idle)
    PN_TRY(add_note(arena, notes, diag, "precision best is fp32 on target '%s': no layer is converted (fp16 or bf16 would)",
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
static bool same_throughout(const pelton_build_options *options, uint32_t input, uint32_t input_count, int64_t *elements) {
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
    const bool zero = r->observed && r->largest == 0 && !r->not_finite, same = same_throughout(options, i, g->inputs.count, &elements);
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
                    PN_STR_ARG(g->values.data[v].name), zero || all_zero(&options->samples[i]) ? "0" : "the same throughout",
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

/* ---- the report -------------------------------------------------------------------------------------------------- */

static const char *evidence(const pelton_build_options *options, const char *without) {
  if (options->sample_count) return options->range_count ? "samples and ranges" : "samples";
  if (without) return options->range_count ? "ranges" : "none";
  return options->range_count ? "ranges and random inputs within them" : "random inputs, which may be smaller than real ones";
}

/* Unnamed nodes go by their results. */
static pn_str name_of(const pn_graph *g, const pn_node *node) {
  for (uint32_t i = 0; !node->name.size && i < node->outputs.count; i++)
    if (pn_value_valid(node->outputs.data[i])) return g->values.data[node->outputs.data[i].v].name;
  return node->name;
}

/* |ranges|: of |g|'s values; null in subgraphs, which are not looked into. */
static void report_node(const pn_graph *g, const pn_node *node, const pn_precision_choice *choice, const pn_ranges *ranges,
                        pn_json *json) {
  const pelton_dtype dtype = choice->dtype == PELTON_DTYPE_F32 ? pn_precision_result(g, node) : choice->dtype;
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "node", name_of(g, node));
  pn_json_string(json, "type", pn_str_from(pelton_dtype_name(dtype)));
  if (choice->forced) pn_json_bool(json, "asked", true);
  if (choice->wide_inside) pn_json_string(json, "inside", pn_str_from("f32"));
  for (uint32_t i = 0; ranges && i < node->outputs.count; i++) {
    if (!pn_value_valid(node->outputs.data[i]) || g->values.data[node->outputs.data[i].v].type.dtype != PELTON_DTYPE_F32) continue;
    const pn_range *r = &ranges->data[node->outputs.data[i].v];
    if (r->observed) pn_json_f64(json, "largest", r->largest);
    if (isfinite(pn_range_bound(r))) pn_json_f64(json, "bound", pn_range_bound(r));
    break;
  }
  if (choice->why) pn_json_string(json, "why", pn_str_from(choice->why));
  if (choice->no_gain) pn_json_bool(json, "no_gain", true);
  pn_json_object_end(json);
}

/* A layer, of the graph or of a subgraph. */
typedef struct layer {
  const pn_graph *g;
  const pn_node *node;
  const pn_precision_choice *choice;
} layer;

/* The next layer of the report; false: there are no more. |*at| starts as 0. */
static bool next_layer(const pn_graph *g, const pn_precision_choices *choices, uint32_t *at, layer *out) {
  for (; *at < g->nodes.count; (*at)++)
    if (choices->data[*at].wanted) {
      *out = (layer){g, &g->nodes.data[*at], &choices->data[*at]};
      (*at)++;
      return true;
    }
  const uint32_t i = *at - g->nodes.count;
  if (i >= choices->inner.count) return false;
  *out = (layer){choices->inner.data[i].graph, choices->inner.data[i].node, &choices->inner.data[i].choice};
  (*at)++;
  return true;
}

typedef struct totals {
  uint32_t f16, bf16, f32, f64, had_to;
} totals;

static totals count_layers(const pn_graph *g, const pn_precision_choices *choices) {
  totals t = {0};
  layer l;
  for (uint32_t at = 0; next_layer(g, choices, &at, &l);) {
    t.f16 += l.choice->dtype == PELTON_DTYPE_F16;
    t.bf16 += l.choice->dtype == PELTON_DTYPE_BF16;
    if (l.choice->dtype == PELTON_DTYPE_F32) (*(pn_precision_result(l.g, l.node) == PELTON_DTYPE_F64 ? &t.f64 : &t.f32))++;
    t.had_to += l.choice->had_to;
  }
  return t;
}

static void report_notes(const pn_notes *notes, pn_json *json) {
  pn_json_array_begin(json, "notes");
  for (uint32_t i = 0; i < notes->count; i++) pn_json_string(json, NULL, pn_str_from(notes->data[i]));
  pn_json_array_end(json);
}

/* Of a build in which no layer was to be converted: the types stay, what products may do is told. */
static void report_unconverted(const pelton_build_options *options, const pn_precision_request *request,
                               const pn_notes *notes, pn_json *json) {
  pn_json_object_begin(json, "precision");
  pn_json_string(json, "asked", pn_str_from(options->precision));
  if (request->tf32) pn_json_bool(json, "tf32", !request->tf32_idle);
  report_notes(notes, json);
  pn_json_array_begin(json, "nodes");
  pn_json_array_end(json);
  pn_json_object_end(json);
}

static void report(const pn_graph *g, const pelton_build_options *options, const pn_precision_request *request,
                   const pn_precision_choices *choices, const pn_ranges *ranges, const char *without,
                   const pn_notes *notes, pn_json *json) {
  const totals t = count_layers(g, choices);
  layer l;
  pn_json_object_begin(json, "precision");
  pn_json_string(json, "asked", pn_str_from(options->precision ? options->precision : "fp32"));
  pn_json_string(json, "evidence", pn_str_from(evidence(options, without)));
  if (without) pn_json_string(json, "not_observed", pn_str_from(without));
  pn_json_i64(json, "f16", t.f16);
  pn_json_i64(json, "bf16", t.bf16);
  pn_json_i64(json, "kept_f32", t.f32);
  if (t.f64) pn_json_i64(json, "kept_f64", t.f64);
  pn_json_i64(json, "had_to_stay", t.had_to);
  if (request->tf32) pn_json_bool(json, "tf32", !request->tf32_idle);
  report_notes(notes, json);
  pn_json_array_begin(json, "nodes");
  for (uint32_t at = 0; next_layer(g, choices, &at, &l);)
    report_node(l.g, l.node, l.choice, l.g == g ? ranges : NULL, json);
  pn_json_array_end(json);
  pn_json_object_end(json);
}

/* The first layers that had to stay; those that gain nothing when there are no others. */
static pelton_status name_layers(const pn_graph *g, const pn_precision_choices *choices, bool no_gain, pelton_diag *diag) {
  pelton_status status = PELTON_UNSUPPORTED;
  layer l;
  for (uint32_t at = 0, told = 0; told < NAMED && next_layer(g, choices, &at, &l);) {
    if (!(no_gain ? l.choice->no_gain : l.choice->had_to)) continue;
    status = pn_fail(diag, PELTON_UNSUPPORTED, "node '%.*s': %s", PN_STR_ARG(name_of(l.g, l.node)), l.choice->why);
    told++;
  }
  return status;
}

/* Whether somebody said of every input in f32 what it may be. */
static bool all_ranged(const pn_graph *g, const pn_ranges *ranges) {
  for (uint32_t i = 0; i < g->inputs.count; i++) {
    const uint32_t v = g->inputs.data[i].v;
    if (g->values.data[v].type.dtype == PELTON_DTYPE_F32 && !isfinite(pn_range_bound(&ranges->data[v]))) return false;
  }
  return true;
}

/* Inputs that Pelton drew, where nobody said what they may be, are no evidence for strict, only bounds that hold
   whatever they are. */
static pelton_status check_evidence(const pn_graph *g, const pn_precision_choices *choices, const pn_ranges *ranges,
                                    const pelton_build_options *options, const char *without, pelton_diag *diag) {
  layer l;
  if (options->sample_count || (options->range_count && all_ranged(g, ranges))) return PELTON_OK;
  for (uint32_t at = 0; next_layer(g, choices, &at, &l);) {
    const pn_str name = name_of(l.g, l.node);
    if (l.choice->proven || l.choice->forced || l.choice->had_to) continue;
    if (without)
      return pn_fail(diag, PELTON_UNSUPPORTED,
                     "strict: nothing is known of how large the values of node '%.*s' become (%s); give samples (--samples) "
                     "or what the inputs may be (--input-range)",
                     PN_STR_ARG(name), without);
    if (l.choice->dtype != PELTON_DTYPE_F32)
      return pn_fail(diag, PELTON_UNSUPPORTED,
                     "strict: that the values of node '%.*s' fit was only seen with random inputs, which may be smaller than "
                     "real ones; give samples (--samples) or what the inputs may be (--input-range)",
                     PN_STR_ARG(name));
  }
  return PELTON_OK;
}

static pelton_status check_kept(const pn_graph *g, const pn_precision_choices *choices, pelton_diag *diag) {
  const totals t = count_layers(g, choices);
  bool idle = false, asked = false;
  layer l;
  for (uint32_t at = 0; next_layer(g, choices, &at, &l);) {
    idle = idle || l.choice->no_gain;
    asked = asked || l.choice->forced;
  }
  if (t.had_to) {
    (void)pn_fail(diag, PELTON_UNSUPPORTED,
                  "strict: %u layers would have to stay in f32; allow bf16 as well, name them in the layer precisions, or "
                  "build without strict",
                  t.had_to);
    return name_layers(g, choices, false, diag);
  }
  if (!idle || asked || t.f16 || t.bf16) return PELTON_OK;
  (void)pn_fail(diag, PELTON_UNSUPPORTED,
                "strict: none of %u layers would be in 16 bits; build it in fp32, or name them in the layer precisions",
                t.f32 + t.f64);
  return name_layers(g, choices, true, diag);
}

static pelton_status check_strict(const pn_graph *g, const pn_precision_choices *choices, const pn_ranges *ranges,
                                  const pelton_build_options *options, const char *without, pelton_diag *diag) {
  const pelton_status kept = check_kept(g, choices, diag);
  const pelton_status known = check_evidence(g, choices, ranges, options, without, diag);
  return kept ? kept : known;
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
  report(g, options, request, &choices, &ranges, without, &notes, json);
  if (options->strict) PN_TRY(check_strict(g, &choices, &ranges, options, without, diag));
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
    report_unconverted(options, request, &notes, json);
  }
  pn_arena_deinit(&arena);
  return status;
}
