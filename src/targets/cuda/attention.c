#include "targets/cuda/attention.h"

#include "target/strides.h"

#include <math.h>
#include <string.h>

enum { MOST_DEPTH = 128, MOST_BLOCK = 1024, FAR = 1 << 30 };
enum { MASK_NONE, MASK_BOOL, MASK_NUMBERS };
#define LOG2E 1.4426950408889634

/* ---- the operator ------------------------------------------------------------------------------------------------ */

static void head_strides(const pn_operand *o, int64_t heads, int *out) {
  int64_t s[PN_MAX_RANK];
  pn_dims_strides(o->rank, o->dims, s);
  out[OF_BATCH] = (int)s[0];
  out[OF_HEAD] = o->rank == 4 ? (int)s[1] : (int)(o->dims[2] / heads);
  out[OF_ROW] = o->rank == 4 ? (int)s[2] : (int)s[1];
}

static bool fill_mask(const pn_operand *mask, pn_cuda_attention *f, pn_reason *why) {
  struct attention_tensor_arguments *a = &f->arguments;
  int64_t own[PN_MAX_RANK];
  if (mask->dtype != PELTON_DTYPE_BOOL && !pn_cuda_is_f32_form(mask->dtype))
    return pn_refuse(why, "a mask of %s", pelton_dtype_name(mask->dtype));
  int64_t columns = mask->dims[mask->rank - 1];
  if (columns > a->keys) return pn_refuse(why, "a mask that is longer than the keys");
  a->keys = (unsigned)columns; /* those behind it are not seen */
  pn_dims_strides(mask->rank, mask->dims, own);
  for (uint32_t d = 0; d < mask->rank; d++) a->mask_strides[4 - mask->rank + d] = mask->dims[d] != 1 ? (int)own[d] : 0;
  return true;
}

static bool fill_operator(const pn_problem *p, pn_cuda_attention *f, pn_reason *why) {
  const pn_attrs_attention *attrs = p->nodes[0].attrs;
  const pn_operand *q = pn_problem_input(p, 0, 0), *k = pn_problem_input(p, 0, 1), *v = pn_problem_input(p, 0, 2),
                   *mask = pn_problem_input(p, 0, 3), *y = pn_problem_output(p, 0, 0);
  struct attention_tensor_arguments *a = &f->arguments;
  for (uint32_t i = 4; i < 7; i++)
    if (pn_problem_input(p, 0, i)) return pn_refuse(why, "a past or valid lengths");
  for (uint32_t i = 1; i < 4; i++)
    if (pn_problem_output(p, 0, i)) return pn_refuse(why, "keys, values or scores are wanted");
  if (attrs->softmax_dtype != PELTON_DTYPE_NONE && attrs->softmax_dtype != PELTON_DTYPE_F32)
    return pn_refuse(why, "softmax not in f32");
  bool planes = q->rank == 4;
  int64_t heads = planes ? q->dims[1] : attrs->q_heads, kv_heads = planes ? k->dims[1] : attrs->kv_heads;
  f->batches = (uint32_t)q->dims[0];
  f->heads = (uint32_t)heads;
  f->depth = planes ? q->dims[3] : q->dims[2] / heads;
  f->value_depth = planes ? v->dims[3] : v->dims[2] / kv_heads;
  f->q = p->nodes[0].inputs[0];
  f->k = p->nodes[0].inputs[1];
  f->v = p->nodes[0].inputs[2];
  f->y = p->nodes[0].outputs[0];
  f->mask = mask ? p->nodes[0].inputs[3] : (uint16_t)PN_NO_OPERAND;
  f->empty_rows = true;
  f->capped = attrs->softcap > 0;
  a->queries = (unsigned)q->dims[q->rank - 2];
  a->keys = (unsigned)k->dims[k->rank - 2];
  a->share = (unsigned)(heads / kv_heads);
  a->left = attrs->left_window >= 0 && attrs->left_window < FAR ? (int)attrs->left_window : FAR;
  a->right = attrs->right_window >= 0 && attrs->right_window < FAR ? (int)attrs->right_window : FAR;
  if (attrs->causal) a->right = 0;
  a->scale = attrs->scale != 0 ? attrs->scale : (float)(1 / sqrt((double)f->depth));
  a->softcap = attrs->softcap;
  head_strides(q, heads, a->q_strides);
  head_strides(k, kv_heads, a->k_strides);
  head_strides(v, kv_heads, a->v_strides);
  head_strides(y, heads, a->y_strides);
  return !mask || fill_mask(mask, f, why);
}

/* ---- the chain --------------------------------------------------------------------------------------------------- */

typedef struct chain {
  uint32_t fronts; /* transposes in front */
  const pn_problem_node *scores, *expression, *softmax, *sums, *transpose;
} chain;

static bool find_chain(const pn_problem *p, chain *c) {
  uint32_t i = 0;
  memset(c, 0, sizeof *c);
  while (i < p->node_count && p->nodes[i].op == PN_OP_TRANSPOSE) i++;
  c->fronts = i;
  if (i < p->node_count && p->nodes[i].op == PN_OP_MATMUL) c->scores = &p->nodes[i++];
  if (c->scores && i < p->node_count && p->nodes[i].op == PN_OP_POINTWISE) c->expression = &p->nodes[i++];
  if (c->scores && i < p->node_count && p->nodes[i].op == PN_OP_SOFTMAX) c->softmax = &p->nodes[i++];
  if (c->softmax && i < p->node_count && p->nodes[i].op == PN_OP_MATMUL) c->sums = &p->nodes[i++];
  if (c->sums && i < p->node_count && p->nodes[i].op == PN_OP_TRANSPOSE) c->transpose = &p->nodes[i++];
  return c->sums && i == p->node_count;
}

static uint32_t permuted_axis(const pn_problem_node *transpose, uint32_t rank, uint32_t d) {
  const pn_attrs_transpose *attrs = transpose->attrs;
  int64_t from = attrs->perm.count ? attrs->perm.data[d] : (int64_t)(rank - 1 - d);
  return (uint32_t)(from < 0 ? from + rank : from);
}

/* Strides of operand |index| along its own axes, through a transpose in front; |base| is what lies in memory. */
static void axis_strides(const pn_problem *p, const chain *c, uint16_t index, int64_t *strides, uint16_t *base) {
  const pn_operand *o = &p->operands[index];
  *base = index;
  for (uint32_t i = 0; i < c->fronts; i++) {
    if (p->nodes[i].outputs[0] != index) continue;
    const pn_operand *from = &p->operands[p->nodes[i].inputs[0]];
    int64_t own[PN_MAX_RANK];
    pn_dims_strides(from->rank, from->dims, own);
    for (uint32_t d = 0; d < o->rank; d++) strides[d] = own[permuted_axis(&p->nodes[i], o->rank, d)];
    *base = p->nodes[i].inputs[0];
    return;
  }
  pn_dims_strides(o->rank, o->dims, strides);
}

/* Operand |index| as [batch, head, row, element], |turned| with the last two in the other order. */
static bool view(const pn_problem *p, const chain *c, uint16_t index, const pn_operand *scores, bool turned, int *out,
                 uint16_t *base, pn_reason *why) {
  const pn_operand *o = &p->operands[index];
  int64_t own[PN_MAX_RANK];
  if (o->rank < 2 || o->rank > scores->rank) return pn_refuse(why, "wants two to four axes");
  axis_strides(p, c, index, own, base);
  out[OF_BATCH] = out[OF_HEAD] = 0;
  for (uint32_t d = 0; d + 2 < o->rank; d++) {
    uint32_t axis = scores->rank - o->rank + d;
    if (o->dims[d] != 1 && o->dims[d] != scores->dims[axis])
      return pn_refuse(why, "stacks that the second product broadcasts further");
    if (o->dims[d] != 1) out[4 - scores->rank + axis] = (int)own[d];
  }
  uint32_t row = o->rank - (turned ? 1 : 2), element = o->rank - (turned ? 2 : 1);
  out[OF_ROW] = (int)own[row];
  return own[element] == 1 || o->dims[element] == 1 || pn_refuse(why, "elements of a head do not lie together");
}

/* scale * x or x / scale, where one of the two is a constant; else |s| itself. */
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

/* scale * scores [+ mask] is what the kernel does by itself. */
static bool recognise(const pn_problem *p, const pn_expr *expr, uint32_t scores_input, pn_cuda_attention *f) {
  const pn_expr_step *s = &expr->steps[expr->step_count - 1];
  float scale = 1;
  if (is_input(strip_scale(expr, s, &scale), scores_input)) {
    f->arguments.scale = scale;
    return true;
  }
  for (int k = 0; k < 2 && s->op == PN_EXPR_ADD; k++) {
    const pn_expr_step *mask = &expr->steps[s->argument[k]];
    if (mask->op != PN_EXPR_INPUT || f->of_input[mask->argument[0]] == UINT8_MAX) continue;
    uint32_t own = f->of_input[mask->argument[0]];
    scale = 1;
    if (!pn_cuda_is_f32_form(p->operands[f->operands[own]].dtype) ||
        !is_input(strip_scale(expr, &expr->steps[s->argument[!k]], &scale), scores_input))
      continue;
    f->arguments.scale = scale;
    f->mask = f->operands[own];
    memcpy(f->arguments.mask_strides, f->arguments.strides[own], sizeof f->arguments.mask_strides);
    return true;
  }
  return false;
}

static bool fill_expression(const pn_problem *p, const chain *c, pn_cuda_attention *f, pn_reason *why) {
  const pn_problem_node *node = c->expression;
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  uint32_t scores_input = 0;
  if (!node) return true;
  const pn_operand *out = &p->operands[node->outputs[0]];
  if (out->dtype != f->scores->dtype || out->rank != f->scores->rank ||
      memcmp(out->dims, f->scores->dims, sizeof out->dims[0] * out->rank))
    return pn_refuse(why, "the expression changes the scores' type or shape");
  for (uint32_t i = 0; i < node->input_count; i++) {
    const pn_operand *o = &p->operands[node->inputs[i]];
    int64_t strides[PN_MAX_RANK];
    inputs[i] = o->dtype;
    f->of_input[i] = UINT8_MAX;
    if (o == f->scores) {
      scores_input = i;
      continue;
    }
    if (f->operand_count == MOST_SCORE_OPERANDS) return pn_refuse(why, "the expression has too many operands");
    if (!pn_operand_strides(o, out, strides)) return pn_refuse(why, "an operand has more axes than the scores");
    f->of_input[i] = (uint8_t)f->operand_count;
    for (uint32_t d = 0; d < out->rank; d++)
      f->arguments.strides[f->operand_count][4 - out->rank + d] = (int)strides[d];
    f->operands[f->operand_count++] = node->inputs[i];
  }
  const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
  if (!pn_cuda_expression_accepts(expr, inputs, types, why)) return false;
  if (recognise(p, expr, scores_input, f))
    f->operand_count = 0;
  else
    f->expression = node;
  return true;
}

/* Where the result's rows go: plain, or through the transpose behind. */
static bool fill_result(const pn_problem *p, const chain *c, pn_cuda_attention *f, pn_reason *why) {
  const pn_problem_node *last = c->transpose ? c->transpose : c->sums;
  const pn_operand *out = &p->operands[last->outputs[0]];
  int64_t own[PN_MAX_RANK], strides[4] = {0};
  f->y = last->outputs[0];
  pn_dims_strides(out->rank, out->dims, own);
  for (uint32_t d = 0; d < out->rank; d++)
    strides[4 - out->rank + (c->transpose ? permuted_axis(c->transpose, out->rank, d) : d)] = own[d];
  for (uint32_t d = 0; d < 3; d++) f->arguments.y_strides[d] = (int)strides[d];
  return strides[3] == 1 || f->value_depth == 1 || pn_refuse(why, "the transpose moves the depth of a head");
}

static bool fill_chain(const pn_problem *p, const chain *c, pn_cuda_attention *f, pn_reason *why) {
  const pn_attrs_matmul *first = c->scores->attrs, *second = c->sums->attrs;
  const pn_attrs_softmax *softmax = c->softmax->attrs;
  const pn_operand *scores = &p->operands[c->scores->outputs[0]], *sums = &p->operands[c->sums->outputs[0]],
                   *q = &p->operands[c->scores->inputs[0]], *v = &p->operands[c->sums->inputs[1]];
  struct attention_tensor_arguments *a = &f->arguments;
  uint32_t rank = scores->rank;
  if (rank < 2 || rank > 4 || sums->rank != rank || q->rank < 2 || v->rank < 2)
    return pn_refuse(why, "wants two to four axes");
  if (c->sums->inputs[0] != c->softmax->outputs[0] || c->sums->inputs[1] == c->softmax->outputs[0] || softmax->log ||
      (softmax->axis != -1 && softmax->axis != rank - 1))
    return pn_refuse(why, "wants a softmax along the keys on the left of the second product");
  if (first->trans_a || second->trans_a) return pn_refuse(why, "only the keys and values may be transposed");
  if (memcmp(scores->dims, sums->dims, sizeof scores->dims[0] * (rank - 1)))
    return pn_refuse(why, "stacks that the second product broadcasts further");
  if (!view(p, c, c->scores->inputs[0], scores, false, a->q_strides, &f->q, why) ||
      !view(p, c, c->scores->inputs[1], scores, !first->trans_b, a->k_strides, &f->k, why) ||
      !view(p, c, c->sums->inputs[1], scores, second->trans_b, a->v_strides, &f->v, why))
    return false;
  for (uint32_t i = 0; i < c->fronts; i++) { /* what they make is read by strides, from nowhere else */
    uint16_t made = p->nodes[i].outputs[0];
    if (made != c->scores->inputs[0] && made != c->scores->inputs[1] && made != c->sums->inputs[1])
      return pn_refuse(why, "a transpose that is not of queries, keys or values");
    for (uint32_t k = 0; c->expression && k < c->expression->input_count; k++)
      if (c->expression->inputs[k] == made) return pn_refuse(why, "a transposed operand of the expression");
  }
  f->scores = scores;
  f->batches = rank > 3 ? (uint32_t)scores->dims[rank - 4] : 1;
  f->heads = rank > 2 ? (uint32_t)scores->dims[rank - 3] : 1;
  f->depth = q->dims[q->rank - 1];
  f->value_depth = sums->dims[rank - 1];
  f->mask = PN_NO_OPERAND;
  a->queries = (unsigned)scores->dims[rank - 2];
  a->keys = (unsigned)scores->dims[rank - 1];
  a->share = 1;
  a->left = a->right = FAR;
  a->scale = 1;
  return fill_expression(p, c, f, why) && fill_result(p, c, f, why);
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

static bool multiples(const int *strides, int of) {
  return strides[OF_BATCH] % of == 0 && strides[OF_HEAD] % of == 0 && strides[OF_ROW] % of == 0;
}

bool pn_cuda_attention_accepts(const pn_problem *p, pn_cuda_attention *f, pn_reason *why) {
  chain c;
  memset(f, 0, sizeof *f);
  bool single = p->node_count == 1 && p->nodes[0].op == PN_OP_ATTENTION;
  if (!single && !find_chain(p, &c)) return p->node_count > 2 && pn_refuse(why, "other operators");
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  if (!pn_cuda_fits(p, why) || !(single ? fill_operator(p, f, why) : fill_chain(p, &c, f, why))) return false;
  struct attention_tensor_arguments *a = &f->arguments;
  pelton_dtype dtype = p->operands[f->q].dtype;
  if ((dtype != PELTON_DTYPE_F16 && dtype != PELTON_DTYPE_BF16) || p->operands[f->k].dtype != dtype ||
      p->operands[f->v].dtype != dtype || p->operands[f->y].dtype != dtype)
    return pn_refuse(why, "f16 and bf16 only, without mixing");
  if (!pn_operand_elements(&p->operands[f->q]) || !pn_operand_elements(&p->operands[f->k]) ||
      !pn_operand_elements(&p->operands[f->v]) || !a->queries || !a->keys)
    return pn_refuse(why, "an empty operand");
  if (f->depth > MOST_DEPTH || f->value_depth > MOST_DEPTH)
    return pn_refuse(why, "heads of more than %d elements", MOST_DEPTH);
  if (f->batches > 65535 || f->heads > 65535) return pn_refuse(why, "more than 65,535 heads or batches");
  /* A block's queries may end behind the last one, and a window reaches as far again: in 32 bits. */
  if (a->queries > FAR - MOST_BLOCK || a->keys > FAR) return pn_refuse(why, "2^30 queries or keys");
  f->aligned = f->depth % 8 == 0 && f->value_depth % 8 == 0 && multiples(a->q_strides, 8) &&
               multiples(a->k_strides, 8) && multiples(a->v_strides, 8) && multiples(a->y_strides, 8);
  if (!f->capped && !f->expression) a->scale *= (float)LOG2E;
  return true;
}

/* SCORE(a, value, n, head, query, key): the expression, whose operands lie at four strides each. */
static void render_scores(const pn_problem *p, const pn_cuda_attention *f, pn_text *out) {
  static const char *const indices[] = {"n", "head", "query", "key"};
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], types[PN_EXPR_MAX_STEPS];
  const pn_expr *expr = ((const pn_attrs_pointwise *)f->expression->attrs)->expr;
  pn_text_printf(out, "#include \"expression.cuh\"\n");
  for (uint32_t i = 0; i < f->expression->input_count; i++) {
    unsigned k = f->of_input[i];
    inputs[i] = p->operands[f->expression->inputs[i]].dtype;
    if (k == UINT8_MAX) {
      pn_text_printf(out, "#define INPUT_%u value\n", (unsigned)i);
      continue;
    }
    pn_text_printf(out, "#define INPUT_%u load_%s(a->operands[%u], (u32)(", (unsigned)i, pn_cuda_type_name(inputs[i]),
                   k);
    for (unsigned d = 0; d < 4; d++)
      pn_text_printf(out, "%s(int)%s * a->strides[%u][%u]", d ? " + " : "", indices[d], k, d);
    pn_text_printf(out, "))\n");
  }
  if (pn_expr_types(expr, inputs, types, NULL)) return; /* accepted before */
  pn_text_printf(out, "#define SCORE(a, value, n, head, query, key) score(a, value, n, head, query, key)\n"
                      "DEVICE f32 score(const struct attention_tensor_arguments *a, f32 value, u32 n, u32 head, u32 "
                      "query, u32 key) {\n");
  pn_cuda_render_steps(expr, types, out);
  pn_text_printf(out, "    return v%u;\n}\n", (unsigned)expr->step_count - 1);
}

void pn_cuda_attention_render(const pn_problem *p, const pn_cuda_attention *f, pn_text *out) {
  const pn_operand *mask = f->mask == PN_NO_OPERAND ? NULL : &p->operands[f->mask];
  pn_text_printf(out,
                 "#define X %s\n#define DEPTH %d\n#define VALUE_DEPTH %d\n#define MASK %d\n#define M %s\n"
                 "#define CAP %d\n#define SCORES %d\n#define EMPTY_ROWS %d\n",
                 pn_cuda_type_name(p->operands[f->q].dtype), (int)f->depth, (int)f->value_depth,
                 (int)(!mask                              ? MASK_NONE
                       : mask->dtype == PELTON_DTYPE_BOOL ? MASK_BOOL
                                                          : MASK_NUMBERS),
                 mask ? pn_cuda_type_name(mask->dtype) : "f32", (int)f->capped, (int)(f->expression != NULL),
                 (int)f->empty_rows);
  if (f->expression) render_scores(p, f, out);
}

struct attention_tensor_arguments pn_cuda_attention_bind(const pn_cuda_attention *f, const pn_step *step) {
  struct attention_tensor_arguments a = f->arguments;
  a.q = step->operands[f->q];
  a.k = step->operands[f->k];
  a.v = step->operands[f->v];
  a.mask = f->mask == PN_NO_OPERAND ? NULL : step->operands[f->mask];
  a.target = step->operands[f->y];
  for (uint32_t i = 0; i < f->operand_count; i++) a.operands[i] = step->operands[f->operands[i]];
  return a;
}
