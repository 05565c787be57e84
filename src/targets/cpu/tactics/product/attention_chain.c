/* Attention as most networks spell it, a product, an expression (scale, mask), a softmax, a product, and maybe the
   transpose that joins the heads: one step, without the matrix of scores (attention.h), in f32. The expression is
   whatever the network says; a scale and an added mask cost nothing of their own. */
#include "targets/cpu/product/attention.h"
#include "target/strides.h"

#include <math.h>

typedef struct state {
  pn_attention attention;
  uint16_t q, k, v, y;
} state;

/* The nodes of the group; null where absent. */
typedef struct chain {
  const pn_problem_node *scores, *expression, *softmax, *sums, *transpose;
} chain;

static bool find_chain(const pn_problem *p, chain *c, pn_reason *why) {
  uint32_t i = 0;
  memset(c, 0, sizeof *c);
  if (p->nodes[0].op != PN_OP_MATMUL) return false;
  if (p->node_count < 3) return pn_refuse(why, "a softmax between two products");
  c->scores = &p->nodes[i++];
  if (p->nodes[i].op == PN_OP_POINTWISE) c->expression = &p->nodes[i++];
  if (p->nodes[i].op == PN_OP_SOFTMAX) c->softmax = &p->nodes[i++];
  if (c->softmax && i < p->node_count && p->nodes[i].op == PN_OP_MATMUL) c->sums = &p->nodes[i++];
  if (c->sums && i < p->node_count && p->nodes[i].op == PN_OP_TRANSPOSE) c->transpose = &p->nodes[i++];
  return (c->sums && i == p->node_count) ||
         pn_refuse(why, "wants product, expression, softmax, product and transpose, in this order");
}

static const pn_operand *operand(const pn_problem *p, uint16_t index) { return &p->operands[index]; }

/* Strides of |o| seen as [batch, head, row, element], broadcast where it has fewer axes or one element. */
static bool view(const pn_operand *o, const int64_t *batch_dims, uint32_t batch_rank, pn_attention_view *out) {
  int64_t own[PN_MAX_RANK], batch[2] = {0, 0};
  if (o->rank < 2 || o->rank > 4) return false;
  pn_dims_strides(o->rank, o->dims, own);
  for (uint32_t d = 0; d + 2 < o->rank; d++) {
    uint32_t axis = batch_rank - (o->rank - 2) + d; /* of the result's batch axes */
    if (o->dims[d] != 1 && o->dims[d] != batch_dims[axis]) return false;
    batch[2 - batch_rank + axis] = o->dims[d] == 1 ? 0 : own[d];
  }
  *out = (pn_attention_view){batch[0], batch[1], own[o->rank - 2], own[o->rank - 1]};
  return true;
}

static void swap_axes(pn_attention_view *v) {
  int64_t row = v->row;
  v->row = v->element;
  v->element = row;
}

/* scale * scores [+ mask] is what the attention does by itself; any other expression is a program. */
static const pn_expr_step *strip_scale(const pn_expr *expr, const pn_expr_step *s, float *scale) {
  for (int k = 0; k < 2; k++) {
    if (s->op != PN_EXPR_MUL && (s->op != PN_EXPR_DIV || k == 0)) continue;
    const pn_expr_step *factor = &expr->steps[s->argument[k]];
    if (factor->op != PN_EXPR_CONSTANT) continue;
    *scale = (float)(s->op == PN_EXPR_MUL ? factor->constant.f64 : 1 / factor->constant.f64);
    return &expr->steps[s->argument[!k]];
  }
  return s;
}

static bool is_input(const pn_expr_step *s, uint32_t index) {
  return s->op == PN_EXPR_INPUT && s->argument[0] == index;
}

static void recognise(const pn_expr *expr, pn_attention *a) {
  const pn_expr_step *s = &expr->steps[expr->step_count - 1];
  float scale = 1;
  if (is_input(strip_scale(expr, s, &scale), a->accumulator)) {
    a->bias = PN_ATTENTION_PLAIN;
    a->scale = scale;
    return;
  }
  for (int k = 0; k < 2 && s->op == PN_EXPR_ADD; k++) {
    const pn_expr_step *mask = &expr->steps[s->argument[k]];
    if (mask->op != PN_EXPR_INPUT || mask->argument[0] == a->accumulator) continue;
    const pn_attention_operand *o = &a->operands[mask->argument[0]];
    scale = 1;
    if (o->key != 1 || o->element_bytes != 4 ||
        !is_input(strip_scale(expr, &expr->steps[s->argument[!k]], &scale), a->accumulator))
      continue;
    a->bias = PN_ATTENTION_MASK;
    a->scale = scale;
    a->mask = *o;
    return;
  }
}

/* |scores|: the first product's result. */
static bool fill_expression(const pn_problem *p, const chain *c, const pn_operand *scores, pn_attention *a,
                            pn_reason *why) {
  const pn_problem_node *node = c->expression;
  if (!node) return true;
  const pn_operand *out = operand(p, node->outputs[0]);
  pelton_dtype types[PN_EXPR_MAX_INPUTS];
  if (out->dtype != PELTON_DTYPE_F32 || out->rank != scores->rank ||
      memcmp(out->dims, scores->dims, sizeof out->dims[0] * out->rank))
    return pn_refuse(why, "the expression changes the scores' type or shape");
  a->operand_count = node->input_count;
  for (uint32_t i = 0; i < node->input_count; i++) {
    const pn_operand *o = operand(p, node->inputs[i]);
    int64_t strides[PN_MAX_RANK], at[4] = {0};
    types[i] = o->dtype;
    if (!pn_operand_strides(o, out, strides)) return pn_refuse(why, "an operand has more axes than the scores");
    for (uint32_t d = 0; d < out->rank; d++) at[4 - out->rank + d] = strides[d];
    if (at[3] > 1) return pn_refuse(why, "an operand's keys do not lie together");
    if (o == scores) a->accumulator = i;
    a->operands[i] = (pn_attention_operand){
        node->inputs[i], (uint32_t)pelton_dtype_bytes(o->dtype), at[0], at[1], at[2], at[3]};
  }
  const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
  a->bias = PN_ATTENTION_PROGRAM;
  a->mask_reach = INT64_MAX;
  if (!pn_program_compile(expr, types, &a->program, why)) return false;
  recognise(expr, a);
  return true;
}

/* Where the result's rows go: plain, or through the transpose. */
static bool fill_result(const pn_problem *p, const chain *c, const pn_operand *sums, pn_attention *a, uint16_t *y,
                        pn_reason *why) {
  int64_t own[PN_MAX_RANK], strides[4] = {0};
  const pn_problem_node *last = c->transpose ? c->transpose : c->sums;
  const pn_operand *out = operand(p, last->outputs[0]);
  *y = last->outputs[0];
  pn_dims_strides(out->rank, out->dims, own);
  for (uint32_t d = 0; d < out->rank; d++) {
    uint32_t from = d;
    if (c->transpose) from = (uint32_t)((const pn_attrs_transpose *)c->transpose->attrs)->perm.data[d];
    strides[4 - sums->rank + from] = own[d];
  }
  a->y = (pn_attention_view){strides[0], strides[1], strides[2], strides[3]};
  return a->y.element == 1 || pn_refuse(why, "the transpose moves the depth of a head");
}

static bool fill(const pn_problem *p, state *s, pn_reason *why) {
  chain c;
  pn_attention *a = &s->attention;
  if (!find_chain(p, &c, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  const pn_attrs_matmul *first = c.scores->attrs, *second = c.sums->attrs;
  const pn_attrs_softmax *softmax = c.softmax->attrs;
  const pn_operand *q = operand(p, c.scores->inputs[0]), *k = operand(p, c.scores->inputs[1]),
                   *v = operand(p, c.sums->inputs[1]), *scores = operand(p, c.scores->outputs[0]),
                   *sums = operand(p, c.sums->outputs[0]);
  if (q->dtype != PELTON_DTYPE_F32 || scores->dtype != PELTON_DTYPE_F32 || v->dtype != PELTON_DTYPE_F32)
    return pn_refuse(why, "f32 only");
  uint32_t rank = scores->rank;
  if (rank < 2 || rank > 4 || sums->rank != rank || q->rank < 2 || k->rank < 2 || v->rank < 2)
    return pn_refuse(why, "wants two to four axes");
  if (c.sums->inputs[0] != c.softmax->outputs[0] || c.sums->inputs[1] == c.softmax->outputs[0] || softmax->log ||
      (softmax->axis != -1 && softmax->axis != rank - 1))
    return pn_refuse(why, "wants a softmax along the keys on the left of the second product");
  if (first->trans_a || second->trans_a || second->trans_b) return pn_refuse(why, "only the keys may be transposed");
  if (!view(q, scores->dims, rank - 2, &a->q) || !view(k, scores->dims, rank - 2, &a->k) ||
      !view(v, scores->dims, rank - 2, &a->v) ||
      memcmp(scores->dims, sums->dims, sizeof scores->dims[0] * (rank - 1)))
    return pn_refuse(why, "stacks that the second product broadcasts further");
  if (!first->trans_b) swap_axes(&a->k);
  s->q = c.scores->inputs[0];
  s->k = c.scores->inputs[1];
  s->v = c.sums->inputs[1];
  a->batches = rank > 3 ? scores->dims[rank - 4] : 1;
  a->q_heads = a->kv_heads = rank > 2 ? scores->dims[rank - 3] : 1;
  a->queries = scores->dims[rank - 2];
  a->keys = scores->dims[rank - 1];
  a->depth = q->dims[q->rank - 1];
  a->value_depth = v->dims[v->rank - 1];
  a->scale = 1;
  if (!pn_operand_elements(scores) || !pn_operand_elements(q) || !pn_operand_elements(v))
    return pn_refuse(why, "an empty operand");
  return fill_expression(p, &c, scores, a, why) && fill_result(p, &c, sums, a, &s->y, why);
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  state s = {0};
  (void)device;
  return fill(p, &s, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  (void)fill(p, &s, NULL);
  return pn_attention_estimate(device, &s.attention, pn_cpu_operand_bytes(p));
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  (void)fill(p, &s, NULL);
  pn_attention_plan(device, &s.attention);
  out->state_bytes = sizeof(state);
  out->workspace_bytes = s.attention.thread_bytes * device->threads;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  (void)config;
  if (!fill(p, s, NULL)) return PN_INTERNAL(diag, "an attention changed after it was accepted");
  pn_attention_plan(device, &s->attention);
  return PELTON_OK;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  (void)diag;
  pn_attention_call call = {.attention = &s->attention,
                            .q = step->operands[s->q],
                            .k = step->operands[s->k],
                            .v = step->operands[s->v],
                            .y = step->operands[s->y],
                            .operands = step->operands,
                            .workspace = step->workspace};
  pn_attention_run(stream->device->pool, &call);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_attention_chain = {
    .name = "cpu.attention_chain",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
