/* Layers one by one, of the graph and of its subgraphs: as the report tells them, and as strict judges them. */
#include "api/precision_report.h"

#include <math.h>

enum { NAMED = 3 }; /* layers in the message of a failure */

static const char *evidence(const pelton_build_options *options, const char *without) {
  if (options->sample_count) return options->range_count ? "samples and ranges" : "samples";
  if (without) return options->range_count ? "ranges" : "none";
  return options->range_count ? "ranges and random inputs within them"
                              : "random inputs, which may be smaller than real ones";
}

/* Unnamed nodes go by their results. */
static pn_str name_of(const pn_graph *g, const pn_node *node) {
  for (uint32_t i = 0; !node->name.size && i < node->outputs.count; i++)
    if (pn_value_valid(node->outputs.data[i])) return g->values.data[node->outputs.data[i].v].name;
  return node->name;
}

/* |ranges|: of |g|'s values; null in subgraphs, which are not looked into. */
static void report_node(const pn_graph *g, const pn_node *node, const pn_precision_choice *choice,
                        const pn_ranges *ranges, pn_json *json) {
  const pelton_dtype dtype = choice->dtype == PELTON_DTYPE_F32 ? pn_precision_result(g, node) : choice->dtype;
  pn_json_object_begin(json, NULL);
  pn_json_string(json, "node", name_of(g, node));
  pn_json_string(json, "type", pn_str_from(pelton_dtype_name(dtype)));
  if (choice->forced) pn_json_bool(json, "asked", true);
  if (choice->wide_inside) pn_json_string(json, "inside", pn_str_from("f32"));
  for (uint32_t i = 0; ranges && i < node->outputs.count; i++) {
    if (!pn_value_valid(node->outputs.data[i]) ||
        g->values.data[node->outputs.data[i].v].type.dtype != PELTON_DTYPE_F32)
      continue;
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
    if (l.choice->dtype == PELTON_DTYPE_F32)
      (*(pn_precision_result(l.g, l.node) == PELTON_DTYPE_F64 ? &t.f64 : &t.f32))++;
    t.had_to += l.choice->had_to;
  }
  return t;
}

static void report_notes(const pn_notes *notes, pn_json *json) {
  pn_json_array_begin(json, "notes");
  for (uint32_t i = 0; i < notes->count; i++) pn_json_string(json, NULL, pn_str_from(notes->data[i]));
  pn_json_array_end(json);
}

void pn_precision_report_idle(const pelton_build_options *options, const pn_precision_request *request,
                              const pn_notes *notes, pn_json *json) {
  pn_json_object_begin(json, "precision");
  pn_json_string(json, "asked", pn_str_from(options->precision));
  if (request->tf32) pn_json_bool(json, "tf32", !request->tf32_idle);
  report_notes(notes, json);
  pn_json_array_begin(json, "nodes");
  pn_json_array_end(json);
  pn_json_object_end(json);
}

void pn_precision_report(const pn_graph *g, const pelton_build_options *options, const pn_precision_request *request,
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
static pelton_status name_layers(const pn_graph *g, const pn_precision_choices *choices, bool no_gain,
                                 pelton_diag *diag) {
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
      return pn_fail(
          diag, PELTON_UNSUPPORTED,
          "strict: nothing is known of how large the values of node '%.*s' become (%s); give samples (--samples) "
          "or what the inputs may be (--input-range)",
          PN_STR_ARG(name), without);
    if (l.choice->dtype != PELTON_DTYPE_F32)
      return pn_fail(
          diag, PELTON_UNSUPPORTED,
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
    (void)pn_fail(
        diag, PELTON_UNSUPPORTED,
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

pelton_status pn_precision_check_strict(const pn_graph *g, const pn_precision_choices *choices, const pn_ranges *ranges,
                                        const pelton_build_options *options, const char *without, pelton_diag *diag) {
  const pelton_status kept = check_kept(g, choices, diag);
  const pelton_status known = check_evidence(g, choices, ranges, options, without, diag);
  return kept ? kept : known;
}
