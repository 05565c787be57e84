/* Which nodes go to 16 bits.

   Some operators gain by it: convolutions, products, attention, whose kernels have tensor units for 16 bits. The others
   only follow: a step between two of those would otherwise be two casts. A follower goes to the type of a node that it
   reads from. A softmax at the very end stays: its cast costs the same behind the product, and small probabilities keep
   their digits.

   Each layer that stays says why. There are two kinds: it had to, since it is not safe, has no form in 16 bits or is in
   a subgraph; or nothing would be gained, since it follows nothing. */
#include "precision/precision.h"

#include "ir/walk.h"
#include "op/op.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { LEAST_DECIBELS = 40 }; /* of what rounding may leave: some 6.6 bits */

typedef struct chooser {
  const pn_graph *g;
  const pn_ranges *ranges;
  const pn_precision_options *options;
  pn_arena *arena;
  pn_precision_choices *out;
  bool failed; /* no memory */
} chooser;

static const pn_value *f32_value(const chooser *c, pn_value_id v) {
  const pn_value *value = pn_value_valid(v) ? &c->g->values.data[v.v] : NULL;
  return value && value->type.dtype == PELTON_DTYPE_F32 ? value : NULL;
}

static const char *say(const chooser *c, const char *format, ...) PN_PRINTF(2, 3);
static const char *say(const chooser *c, const char *format, ...) {
  char text[256];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  const char *kept = pn_str_copy(c->arena, pn_str_from(text));
  return kept ? kept : "it is not safe";
}

/* Why what was seen of |v| says nothing. */
static const char *unseen(const chooser *c, const pn_value *value, const pn_range *r) {
  const pn_value *cause = &c->g->values.data[r->cause];
  if (!pn_node_valid(cause->producer)) {
    const char *of = cause == value ? "is" : "hangs on an input that is";
    if (isfinite(pn_range_bound(r)))
      return say(c, "'%.*s' may reach %.3g, and %s the same throughout all samples: give samples of real data",
                 PN_STR_ARG(value->name), pn_range_bound(r), of);
    return say(
        c,
        "'%.*s' %s the same throughout all samples ('%.*s'): give samples of real data, or its range (--input-range)",
        PN_STR_ARG(value->name), of, PN_STR_ARG(cause->name));
  }
  if (cause == value)
    return say(c, "'%.*s' was 0 in every element that was seen: give samples that reach it, or the inputs' ranges",
               PN_STR_ARG(value->name));
  return say(c,
             "'%.*s' hangs on '%.*s', which was 0 in every element that was seen: give samples that reach it, or the "
             "inputs' ranges",
             PN_STR_ARG(value->name), PN_STR_ARG(cause->name));
}

/* Null when |v| may be of |half|, else why not. |beside|: it is an operand beside one that was seen, such as a mask. */
static const char *unsafe_value(const chooser *c, pn_value_id v, pn_half half, bool beside) {
  const pn_value *value = f32_value(c, v);
  if (!value) return NULL;
  const pn_range *r = &c->ranges->data[v.v];
  const char *type = pelton_dtype_name(pn_half_dtype[half]);
  const double bound = pn_range_bound(r), ends = pn_half_largest[half];
  if (r->not_finite) return say(c, "'%.*s' has elements that are not finite", PN_STR_ARG(value->name));
  if (!(bound <= ends)) {
    if (!r->observed)
      return say(c, "nothing is known of how large '%.*s' becomes: give samples or the inputs' ranges",
                 PN_STR_ARG(value->name));
    if (r->largest * (r->proven_exact ? 1 : c->options->margin) > ends)
      return say(c, "'%.*s' reaches %.3g, %s ends at %.5g%s", PN_STR_ARG(value->name), r->largest, type, ends,
                 r->largest > ends ? "" : " (a margin is kept)");
    if (r->evidence == PN_EVIDENCE_NONE && !r->proven_exact && !(beside && isinf(bound))) return unseen(c, value, r);
  }
  if (pn_range_decibels(r, half) < LEAST_DECIBELS)
    return say(c, "'%.*s' would lose too much by rounding to %s: %.0f dB would be left", PN_STR_ARG(value->name), type,
               pn_range_decibels(r, half));
  return NULL;
}

static const char *unsafe_node(const chooser *c, const pn_node *node, pn_half half) {
  const char *why = NULL;
  bool seen = false;
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    const pn_value_id v = node->inputs.data[i];
    seen = seen || (pn_value_valid(v) && c->ranges->data[v.v].evidence == PN_EVIDENCE_SEEN);
  }
  for (uint32_t i = 0; i < node->inputs.count && !why; i++)
    if (pn_precision_is_data(node, i)) why = unsafe_value(c, node->inputs.data[i], half, seen);
  for (uint32_t i = 0; i < node->outputs.count && !why; i++) why = unsafe_value(c, node->outputs.data[i], half, false);
  return why;
}

static bool fits_proven(const chooser *c, const pn_value_id v, pn_half half) {
  return !f32_value(c, v) || pn_range_bound(&c->ranges->data[v.v]) <= pn_half_largest[half];
}

static bool proven_node(const chooser *c, const pn_node *node, pn_half half) {
  bool proven = true;
  for (uint32_t i = 0; i < node->inputs.count; i++)
    proven = proven && (!pn_precision_is_data(node, i) || fits_proven(c, node->inputs.data[i], half));
  for (uint32_t i = 0; i < node->outputs.count; i++) proven = proven && fits_proven(c, node->outputs.data[i], half);
  return proven;
}

/* An expression goes over when all its floats are f32. */
static bool plain_expression(const chooser *c, const pn_node *node) {
  const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
  for (uint32_t i = 0; i < expr->step_count; i++) {
    const pelton_dtype dtype = expr->steps[i].dtype;
    if (dtype != PELTON_DTYPE_NONE && pn_dtype_is_float(dtype) && dtype != PELTON_DTYPE_F32) return false;
  }
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    const pelton_dtype dtype = c->g->values.data[node->inputs.data[i].v].type.dtype;
    if (pn_dtype_is_float(dtype) && dtype != PELTON_DTYPE_F32) return false;
  }
  return true;
}

/* Whether an inner step of the expression could leave the type where the operands do not. */
static bool leaves_inside(const chooser *c, const pn_node *node, pn_half half) {
  const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
  pn_interval operands[PN_EXPR_MAX_INPUTS], steps[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < expr->input_count; i++) {
    const pn_range *r = &c->ranges->data[node->inputs.data[i].v];
    double most = pn_range_bound(r);
    if (r->observed) most = fmin(most, r->largest * (r->proven_exact ? 1 : c->options->margin));
    operands[i] = (pn_interval){fmax(r->lo, -most), fmin(r->hi, most)};
    if (!f32_value(c, node->inputs.data[i])) operands[i] = (pn_interval){-65504, 65504};
  }
  pn_expr_intervals(expr, operands, steps);
  for (uint32_t i = 0; i + 1 < expr->step_count; i++)
    if (!(fmax(fabs(steps[i].lo), fabs(steps[i].hi)) <= pn_half_largest[half])) return true;
  return false;
}

/* '*' stands for any run of characters. */
static bool fits(pn_str pattern, pn_str name) {
  size_t p = 0, n = 0, star = SIZE_MAX, back = 0;
  while (n < name.size) {
    if (p < pattern.size && pattern.data[p] == '*') {
      star = p++;
      back = n;
    } else if (p < pattern.size && pattern.data[p] == name.data[n]) {
      p++;
      n++;
    } else if (star != SIZE_MAX) {
      p = star + 1;
      n = ++back;
    } else {
      return false;
    }
  }
  while (p < pattern.size && pattern.data[p] == '*') p++;
  return p == pattern.size;
}

static bool fits_node(pn_str pattern, const pn_node *node) {
  if (fits(pattern, node->name)) return true;
  for (uint32_t k = 0; k < node->provenance.count; k++)
    if (fits(pattern, node->provenance.data[k])) return true;
  return false;
}

static const pn_precision_rule *rule_of(const chooser *c, const pn_node *node) {
  for (uint32_t i = 0; i < c->options->rule_count; i++)
    if (fits_node(c->options->rules[i].pattern, node)) return &c->options->rules[i];
  return NULL;
}

static bool names_some(const pn_graph *g, pn_str pattern, uint32_t depth) {
  const pn_graph *inner;
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    if (node->removed) continue;
    if (fits_node(pattern, node)) return true;
    for (uint32_t i = 0; depth < PN_MAX_GRAPH_DEPTH && (inner = pn_node_graph(node, i)) != NULL; i++)
      if (names_some(inner, pattern, depth + 1)) return true;
  }
  return false;
}

bool pn_precision_names(const pn_graph *g, pn_str pattern) { return names_some(g, pattern, 0); }

/* The type of a node that |node| reads from, when that is in 16 bits; f32 otherwise. */
static pelton_dtype followed(const chooser *c, const pn_node *node) {
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    const pn_value *value = f32_value(c, node->inputs.data[i]);
    if (!value || !pn_node_valid(value->producer) || !pn_precision_is_data(node, i)) continue;
    const pelton_dtype dtype = c->out->data[value->producer.v].dtype;
    if (dtype != PELTON_DTYPE_F32) return dtype;
  }
  return PELTON_DTYPE_F32;
}

static bool only_output(const chooser *c, const pn_node *node) {
  for (uint32_t n = 0; n < c->g->nodes.count; n++) {
    const pn_node *other = &c->g->nodes.data[n];
    for (uint32_t i = 0; !other->removed && i < other->inputs.count; i++)
      if (pn_value_valid(other->inputs.data[i]) && pn_value_same(other->inputs.data[i], node->outputs.data[0]))
        return false;
  }
  return true;
}

static bool any_allowed(const chooser *c) {
  for (int h = 0; h < PN_HALF_COUNT; h++)
    if (c->options->allowed[h]) return true;
  return false;
}

/* |node| stays. |no_gain|: nobody wanted it otherwise. What a rule asks for is no surprise. */
static void stay(const pn_precision_rule *rule, bool no_gain, const char *why, pn_precision_choice *choice) {
  const bool asked = rule && rule->dtype == PELTON_DTYPE_F32;
  choice->wanted = true;
  choice->forced = rule != NULL;
  choice->no_gain = no_gain && !rule;
  choice->why = asked ? "asked for" : why;
  choice->had_to = !asked && !choice->no_gain;
}

/* Why a layer cannot follow into 16 bits, or need not; null when it may. */
static const char *unfit(const chooser *c, const pn_node *node, pn_layer layer, const pn_precision_rule *rule,
                         pelton_dtype near, bool *no_gain) {
  const pelton_dtype result = pn_precision_result(c->g, node);
  *no_gain = layer == PN_LAYER_FOLLOWS && near == PELTON_DTYPE_F32;
  if (result != PELTON_DTYPE_F32) return say(c, "it is in %s, and only f32 is converted", pelton_dtype_name(result));
  if (layer == PN_LAYER_STAYS) return say(c, "%s has no kernel for 16 bits here", pn_op_get(node->op)->name);
  if (*no_gain && !rule) return "it reads from no layer in 16 bits, so that casts would be all there is to gain";
  if (node->op == PN_OP_POINTWISE && !plain_expression(c, node)) return "it computes in several types of floats";
  if (node->op != PN_OP_SOFTMAX || rule || !only_output(c, node)) return NULL;
  *no_gain = true;
  return "it makes an output, where small probabilities keep their digits";
}

/* Layers of subgraphs stay: conditions and trip counts are computed among them, and whoever runs them hands over values
   in the types that the graph states. */
static void choose_inside(chooser *c, const pn_node *outer, const pn_precision_rule *outer_rule, uint32_t depth) {
  const pn_graph *g;
  for (uint32_t i = 0; depth < PN_MAX_GRAPH_DEPTH && (g = pn_node_graph(outer, i)) != NULL; i++)
    for (uint32_t n = 0; n < g->nodes.count; n++) {
      const pn_node *node = &g->nodes.data[n];
      const pn_layer layer = pn_precision_layer(g, node);
      const pn_precision_rule *own = rule_of(c, node), *rule = own ? own : outer_rule;
      if (node->removed) continue;
      choose_inside(c, node, rule, depth + 1);
      if (layer == PN_LAYER_NONE || layer == PN_LAYER_MOVES || pn_precision_result(g, node) == PELTON_DTYPE_NONE ||
          !(rule || any_allowed(c)))
        continue;
      pn_precision_inner inner = {g, node, {.dtype = PELTON_DTYPE_F32}};
      stay(rule, false,
           say(c, "it is in a subgraph of %s '%.*s', and those stay", pn_op_get(outer->op)->name,
               PN_STR_ARG(outer->name)),
           &inner.choice);
      c->failed = !pn_list_push(c->arena, &c->out->inner, inner) || c->failed;
    }
}

static void choose(chooser *c, const pn_node *node, pn_precision_choice *choice) {
  const pn_layer layer = pn_precision_layer(c->g, node);
  const pn_precision_rule *rule = rule_of(c, node);
  choose_inside(c, node, rule, 0);
  if (layer == PN_LAYER_NONE || pn_precision_result(c->g, node) == PELTON_DTYPE_NONE || !(rule || any_allowed(c)))
    return;
  const bool follows = layer == PN_LAYER_FOLLOWS || layer == PN_LAYER_MOVES;
  const pelton_dtype near = follows ? followed(c, node) : PELTON_DTYPE_NONE;
  bool no_gain;
  if (layer == PN_LAYER_MOVES && !rule && near == PELTON_DTYPE_F32) return;
  const char *why = unfit(c, node, layer, rule, near, &no_gain);
  if (why || (rule && rule->dtype == PELTON_DTYPE_F32)) {
    choice->proven = proven_node(c, node, c->options->allowed[PN_HALF_BF16] ? PN_HALF_BF16 : PN_HALF_F16);
    stay(rule, no_gain, why, choice);
    return;
  }
  for (uint32_t k = 0; k < PN_HALF_COUNT; k++) { /* a follower tries the type that it reads first */
    const uint32_t h = near == PELTON_DTYPE_BF16 ? PN_HALF_COUNT - 1 - k : k;
    if (rule ? rule->dtype != pn_half_dtype[h] : !c->options->allowed[h]) continue;
    const char *unsafe = rule ? NULL : unsafe_node(c, node, (pn_half)h);
    if (unsafe) {
      if (!why) why = unsafe;
      continue;
    }
    choice->wanted = true;
    choice->forced = rule != NULL;
    choice->dtype = pn_half_dtype[h];
    choice->proven = proven_node(c, node, (pn_half)h);
    choice->wide_inside = node->op == PN_OP_POINTWISE && leaves_inside(c, node, (pn_half)h);
    return;
  }
  stay(rule, false, why, choice);
}

pelton_status pn_precision_choose(const pn_graph *g, const pn_ranges *ranges, const pn_precision_options *options,
                                  pn_arena *arena, pn_precision_choices *out, pelton_diag *diag) {
  chooser c = {g, ranges, options, arena, out, false};
  *out = (pn_precision_choices){.data = PN_NEW_ARRAY(arena, pn_precision_choice, g->nodes.count + 1u)};
  if (!out->data) return pn_fail_memory(diag, "the choice of precisions");
  for (uint32_t n = 0; n < g->nodes.count; n++) out->data[n].dtype = PELTON_DTYPE_F32;
  for (uint32_t n = 0; n < g->nodes.count; n++)
    if (!g->nodes.data[n].removed) choose(&c, &g->nodes.data[n], &out->data[n]);
  return c.failed ? pn_fail_memory(diag, "the choice of precisions") : PELTON_OK;
}
