/* Chains and trees of pointwise nodes become one expression: a node whose only user is another pointwise node is taken
   into it, and memory is walked once. Constants of one element become the expression's.

   Not taken in:
   - what would make an expression too long or give it too many operands for a machine's registers;
   - what is computed for a smaller shape than the user's and is more than a step or two: it would be repeated for every
     element that it is broadcast to;
   - what works on other types (an integer mask in front of an expression of floats): vector code for one width would
     have to give up the whole;
   - what ends the chain behind a convolution or a matrix product, when the user follows another one directly: in
     add(relu(conv), conv) both convolutions then keep an epilogue, relu and add(_, relu). */
#include "passes/all.h"
#include "passes/rewrite.h"

enum { MOST_STEPS = 32, MOST_OPERANDS = 12, MOST_REPEATED_STEPS = 2 };

static bool is_cheap(pn_expr_op op) {
  switch (op) {
  case PN_EXPR_INPUT:
  case PN_EXPR_CONSTANT:
  case PN_EXPR_CAST:
  case PN_EXPR_ADD:
  case PN_EXPR_SUB:
  case PN_EXPR_MUL:
  case PN_EXPR_MIN:
  case PN_EXPR_MAX:
  case PN_EXPR_NEG:
  case PN_EXPR_ABS:
  case PN_EXPR_SQUARE:
  case PN_EXPR_RELU:
  case PN_EXPR_CLIP:
  case PN_EXPR_FMA:
  case PN_EXPR_NOT:
  case PN_EXPR_AND:
  case PN_EXPR_OR: return true;
  default: return false;
  }
}

/* Few and cheap enough to be done again for each element of a larger shape. */
static bool may_repeat(const pn_expr *expr) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < expr->step_count; i++) {
    if (!is_cheap(expr->steps[i].op)) return false;
    count += pn_expr_op_arguments(expr->steps[i].op) > 0;
  }
  return count <= MOST_REPEATED_STEPS;
}

/* |v| is what a convolution or a product computes, for one user: a target may run that user as its epilogue. */
static bool awaits_epilogue(const pn_rewrite *r, pn_value_id v) {
  const pn_node *node = pn_rewrite_producer(r, v);
  if (!node || !pn_rewrite_only_user(r, v)) return false;
  return node->op == PN_OP_CONV || node->op == PN_OP_CONV_TRANSPOSE || node->op == PN_OP_MATMUL;
}

static bool any_awaits_epilogue(const pn_rewrite *r, const pn_node *node, pn_value_id but) {
  for (uint32_t i = 0; i < node->inputs.count; i++)
    if (!pn_value_same(node->inputs.data[i], but) && awaits_epilogue(r, node->inputs.data[i])) return true;
  return false;
}

static bool same_shape(const pn_type *a, const pn_type *b) {
  if (a->rank != b->rank || a->rank < 0) return false;
  for (int32_t i = 0; i < a->rank; i++)
    if (!pn_dim_equal(a->dims[i], b->dims[i])) return false;
  return true;
}

/* All steps are f32 or bool, which is what vector code is written for. */
static bool is_single(const pn_rewrite *r, const pn_node *node) {
  pelton_dtype inputs[PN_EXPR_MAX_INPUTS], steps[PN_EXPR_MAX_STEPS];
  const pn_expr *expr = pn_node_expr(node);
  for (uint32_t i = 0; i < node->inputs.count; i++) inputs[i] = pn_rewrite_type(r, node->inputs.data[i])->dtype;
  if (pn_expr_types(expr, inputs, steps, NULL)) return false;
  for (uint32_t i = 0; i < expr->step_count; i++)
    if (steps[i] != PELTON_DTYPE_F32 && steps[i] != PELTON_DTYPE_BOOL) return false;
  return true;
}

static uint32_t times_used(const pn_node *node, pn_value_id v) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < node->inputs.count; i++) count += pn_value_same(node->inputs.data[i], v);
  return count;
}

/* The pointwise node that computes |v| and may be taken into |user|; null when there is none. */
static const pn_node *find_inner(const pn_rewrite *r, const pn_node *user, pn_value_id v) {
  const pn_node *inner = pn_rewrite_producer_of(r, v, PN_OP_POINTWISE);
  if (!inner || pn_rewrite_uses(r, v) != times_used(user, v)) return NULL;
  for (uint32_t i = 0; i < r->g->outputs.count; i++)
    if (pn_value_same(r->g->outputs.data[i], v)) return NULL;
  const pn_type *type = pn_rewrite_type(r, user->outputs.data[0]);
  const bool repeated = !same_shape(pn_rewrite_type(r, v), type);
  if (repeated && !may_repeat(pn_node_expr(inner))) return NULL;
  if (any_awaits_epilogue(r, inner, PN_NO_VALUE) && (repeated || any_awaits_epilogue(r, user, v))) return NULL;
  if (is_single(r, inner) != is_single(r, user)) return NULL;
  return inner;
}

/* |user| with |inner|, which computes its operand |v|, inside; null |*out| when that is too large. */
static pelton_status merge(pn_rewrite *r, const pn_node *user, const pn_node *inner, pn_value_id v,
                           pn_value_id *operands, uint32_t *count, const pn_expr **out) {
  uint16_t inner_steps[PN_EXPR_MAX_INPUTS], steps[PN_EXPR_MAX_INPUTS];
  pn_expr_builder b;
  pn_expr_builder_init(&b);
  *count = 0;
  *out = NULL;
  if (user->inputs.count + inner->inputs.count > PN_EXPR_MAX_INPUTS) return PELTON_OK;
  for (uint32_t i = 0; i < inner->inputs.count; i++) {
    inner_steps[i] = pn_expr_input(&b, *count);
    operands[(*count)++] = inner->inputs.data[i];
  }
  const uint16_t value = pn_expr_inline(&b, pn_node_expr(inner), inner_steps);
  for (uint32_t i = 0; i < user->inputs.count; i++) {
    steps[i] = value;
    if (pn_value_same(user->inputs.data[i], v)) continue;
    steps[i] = pn_expr_input(&b, *count);
    operands[(*count)++] = user->inputs.data[i];
  }
  const uint16_t result = pn_expr_inline(&b, pn_node_expr(user), steps);
  if (b.failed) return PELTON_OK;
  *out = pn_expr_finish(&b, result, r->scratch);
  return *out ? PELTON_OK : pn_fail_memory(r->diag, "a fused expression");
}

static uint32_t distinct(const pn_value_id *operands, uint32_t count) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t k = 0;
    while (!pn_value_same(operands[k], operands[i])) k++;
    n += k == i;
  }
  return n;
}

static pelton_status fuse_operands(pn_rewrite *r, pn_node *user) {
  for (uint32_t i = 0; i < user->inputs.count; i++) {
    const pn_value_id v = user->inputs.data[i];
    const pn_node *inner = find_inner(r, user, v);
    pn_value_id operands[PN_EXPR_MAX_INPUTS];
    const pn_expr *expr;
    uint32_t count;
    if (!inner) continue;
    PN_TRY(merge(r, user, inner, v, operands, &count, &expr));
    if (!expr || expr->step_count > MOST_STEPS || distinct(operands, count) > MOST_OPERANDS) continue;
    PN_TRY(pn_rewrite_provenance(r, user, inner));
    PN_TRY(pn_rewrite_pointwise(r, user, expr, operands, count));
    r->changed++;
    i = UINT32_MAX; /* operands have moved: from the first again */
  }
  return PELTON_OK;
}

/* Constants of one element into the expression, equal operands into one. */
static pelton_status tidy(pn_rewrite *r, pn_node *node) {
  const pn_expr *before = pn_node_expr(node);
  const pn_value_list inputs = node->inputs;
  PN_TRY(pn_rewrite_pointwise(r, node, before, inputs.data, inputs.count));
  r->changed += !pn_expr_equal(before, pn_node_expr(node)) || node->inputs.count != inputs.count;
  return PELTON_OK;
}

static pelton_status fuse_all(pn_rewrite *r) {
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (node->removed || node->op != PN_OP_POINTWISE) continue;
    if (pn_rewrite_type(r, node->outputs.data[0])->dtype == PELTON_DTYPE_NONE) continue; /* a branch without types */
    PN_TRY(tidy(r, node));
    PN_TRY(fuse_operands(r, node));
  }
  return PELTON_OK;
}

pelton_status pn_pass_fuse_pointwise(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, fuse_all, changed, diag);
}
