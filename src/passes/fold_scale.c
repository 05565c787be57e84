/* What follows a convolution or a matrix product with constant weights as x * s + t for each output channel goes into
   the weights and the bias: it costs nothing at run time then. A matrix product has no bias, so there only the scale
   goes; adding a vector behind it stays a pointwise node, which targets run as its epilogue.

   The expression behind need not be that alone: of relu(x * s + t) the inner part is taken. Each step of the expression
   is followed as scale * x + shift for each channel, as far as it has that form; the last such step through which every
   use of x goes is taken. */
#include "passes/all.h"
#include "passes/expr_rules.h"
#include "passes/rewrite.h"

#include <math.h>

/* scale * x + shift; no |scale|: without x. Null |shift|: not of that form. */
typedef struct affine {
  double *scale, *shift;
} affine;

typedef struct folder {
  pn_rewrite *r;
  pn_node *node, *pointwise;
  pn_tensor weights, bias;
  bool has_bias;
  uint32_t operand;     /* of the expression: the result of |node| */
  int32_t rank;         /* of that result */
  int32_t channel_axis; /* of that result */
  int64_t channels;
  affine steps[PN_EXPR_MAX_STEPS];
} folder;

/* ---- the form of the expression ---------------------------------------------------------------------------------- */

static double *new_vector(const folder *f, double value) {
  double *v = PN_NEW_ARRAY(f->r->scratch, double, (size_t)f->channels + 1);
  f->r->failed = f->r->failed || !v;
  for (int64_t i = 0; v && i < f->channels; i++) v[i] = value;
  return v;
}

/* A constant operand that differs along the channels only. */
static double *vector_of(const folder *f, pn_value_id v) {
  pn_tensor tensor;
  if (!pn_rewrite_constant(f->r, v, &tensor) || tensor.dtype != PELTON_DTYPE_F32) return NULL;
  if ((int32_t)tensor.rank > f->rank) return NULL;
  const int32_t at = f->channel_axis - (f->rank - (int32_t)tensor.rank);
  bool many = false;
  for (int32_t d = 0; d < (int32_t)tensor.rank; d++) {
    if (tensor.dims[d] == 1) continue;
    if (d != at || tensor.dims[d] != f->channels) return NULL;
    many = true;
  }
  double *out = new_vector(f, 0);
  for (int64_t i = 0; out && i < f->channels; i++) out[i] = pn_tensor_get_f64(&tensor, many ? i : 0);
  return out;
}

static affine sum(const folder *f, affine a, affine b, double sign) {
  affine out = {NULL, new_vector(f, 0)};
  if (!a.shift || !b.shift) return (affine){0};
  if (a.scale || b.scale) out.scale = new_vector(f, 0);
  if (!out.shift || ((a.scale || b.scale) && !out.scale)) return (affine){0};
  for (int64_t i = 0; i < f->channels; i++) {
    out.shift[i] = a.shift[i] + sign * b.shift[i];
    if (out.scale) out.scale[i] = (a.scale ? a.scale[i] : 0) + sign * (b.scale ? b.scale[i] : 0);
  }
  return out;
}

static affine product(const folder *f, affine a, affine b, bool divide) {
  if (!a.shift || !b.shift || (a.scale && b.scale) || (divide && b.scale)) return (affine){0};
  const affine x = b.scale ? b : a;
  const double *by = b.scale ? a.shift : b.shift;
  affine out = {x.scale ? new_vector(f, 0) : NULL, new_vector(f, 0)};
  if (!out.shift || (x.scale && !out.scale)) return (affine){0};
  for (int64_t i = 0; i < f->channels; i++) {
    out.shift[i] = divide ? x.shift[i] / by[i] : x.shift[i] * by[i];
    if (x.scale) out.scale[i] = divide ? x.scale[i] / by[i] : x.scale[i] * by[i];
  }
  return out;
}

static affine step_form(const folder *f, const pn_expr_step *step) {
  const affine a = f->steps[step->argument[0]], b = f->steps[step->argument[1]], c = f->steps[step->argument[2]];
  switch (step->op) {
  case PN_EXPR_INPUT:
    if (step->argument[0] == f->operand) return (affine){new_vector(f, 1), new_vector(f, 0)};
    return (affine){NULL, vector_of(f, f->pointwise->inputs.data[step->argument[0]])};
  case PN_EXPR_CONSTANT:
    return step->dtype == PELTON_DTYPE_F32 ? (affine){NULL, new_vector(f, step->constant.f64)} : (affine){0};
  case PN_EXPR_ADD: return sum(f, a, b, 1);
  case PN_EXPR_SUB: return sum(f, a, b, -1);
  case PN_EXPR_NEG: return product(f, a, (affine){NULL, new_vector(f, -1)}, false);
  case PN_EXPR_MUL: return product(f, a, b, false);
  case PN_EXPR_DIV: return product(f, a, b, true);
  case PN_EXPR_FMA: return sum(f, product(f, a, b, false), c, 1);
  default: return (affine){0};
  }
}

/* Whether the result is found without x once step |through| is known. */
static bool all_go_through(const folder *f, const pn_expr *expr, uint32_t through) {
  bool reads[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < expr->step_count; i++) {
    const pn_expr_step *step = &expr->steps[i];
    reads[i] = step->op == PN_EXPR_INPUT && step->argument[0] == f->operand;
    for (uint32_t k = 0; k < pn_expr_op_arguments(step->op); k++) reads[i] = reads[i] || reads[step->argument[k]];
    if (i == through) reads[i] = false;
  }
  return !reads[expr->step_count - 1];
}

static bool is_usable(const folder *f, const affine *a) {
  if (!a->scale || !a->shift) return false;
  for (int64_t i = 0; i < f->channels; i++) {
    if (!isfinite(a->scale[i]) || !isfinite(a->shift[i])) return false;
    if (f->node->op == PN_OP_MATMUL && a->shift[i] != 0) return false;
  }
  return true;
}

/* The step to be taken in; 0 (which is an input) when there is none. */
static uint32_t find_step(folder *f, const pn_expr *expr) {
  for (uint32_t i = 0; i < expr->step_count; i++) f->steps[i] = step_form(f, &expr->steps[i]);
  for (uint32_t i = expr->step_count; i-- > 1;)
    if (expr->steps[i].op != PN_EXPR_INPUT && is_usable(f, &f->steps[i]) && all_go_through(f, expr, i)) return i;
  return 0;
}

/* ---- the weights ------------------------------------------------------------------------------------------------- */

/* The output channel of weight |i|. */
static int64_t channel_of(const folder *f, int64_t i) {
  const pn_tensor *w = &f->weights;
  int64_t inner = 1;
  for (uint32_t d = 2; d < w->rank; d++) inner *= w->dims[d];
  if (f->node->op == PN_OP_CONV) return i / (inner * w->dims[1]);
  if (f->node->op == PN_OP_MATMUL) {
    if (f->channels == 1) return 0;
    return ((const pn_attrs_matmul *)f->node->attrs)->trans_b ? i / w->dims[1] : i % w->dims[1];
  }
  const int64_t group = ((const pn_attrs_conv_transpose *)f->node->attrs)->group;
  const int64_t row = i / (inner * w->dims[1]), in_group = w->dims[0] / group;
  return row / in_group * w->dims[1] + i / inner % w->dims[1];
}

static pelton_status scale_weights(folder *f, const affine *form) {
  pn_rewrite *r = f->r;
  const pn_value_id old = f->node->inputs.data[1];
  const int64_t count = pn_tensor_elements(&f->weights);
  bool same = true;
  for (int64_t i = 0; i < f->channels && same; i++) same = form->scale[i] == 1;
  if (same) return PELTON_OK;
  float *to = pn_arena_alloc(r->g->arena, (size_t)count * sizeof *to, 64);
  if (!to) return pn_fail_memory(r->diag, "scaled weights");
  const float *from = f->weights.data;
  for (int64_t i = 0; i < count; i++) to[i] = (float)((double)from[i] * form->scale[channel_of(f, i)]);
  const pn_type type = *pn_rewrite_type(r, old);
  const pn_value_id w =
      pn_graph_add_constant(r->g, pn_graph_value(r->g, old)->name, &type, to, (size_t)count * sizeof *to);
  if (!pn_value_valid(w)) return pn_fail_memory(r->diag, "scaled weights");
  return pn_rewrite_set_input(r, f->node, 1, w);
}

static pelton_status shift_bias(folder *f, const affine *form) {
  pn_rewrite *r = f->r;
  bool zero = !f->has_bias;
  for (int64_t i = 0; i < f->channels && zero; i++) zero = form->shift[i] == 0;
  if (f->node->op == PN_OP_MATMUL || zero) return PELTON_OK;
  const size_t bytes = (size_t)f->channels * sizeof(float);
  float *to = pn_arena_alloc(r->g->arena, bytes, 64);
  const char *name = pn_str_printf(r->scratch, "%.*s.bias", PN_STR_ARG(f->node->name));
  if (!to || !name) return pn_fail_memory(r->diag, "a bias");
  const float *from = f->bias.data;
  for (int64_t i = 0; i < f->channels; i++)
    to[i] = (float)((f->has_bias ? (double)from[i] : 0) * form->scale[i] + form->shift[i]);
  const pn_type type = pn_type_make(PELTON_DTYPE_F32, 1, &f->channels);
  const pn_str wanted = f->has_bias ? pn_graph_value(r->g, f->node->inputs.data[2])->name : pn_str_from(name);
  const pn_value_id b = pn_graph_add_constant(r->g, wanted, &type, to, bytes);
  if (!pn_value_valid(b)) return pn_fail_memory(r->diag, "a bias");
  return pn_rewrite_set_input(r, f->node, 2, b);
}

/* |expr| with a*b+c taken apart, so that the product can be taken without the sum. */
static const pn_expr *take_apart(const folder *f, const pn_expr *expr) {
  pn_expr_builder b;
  uint16_t moved[PN_EXPR_MAX_STEPS] = {0};
  pn_expr_builder_init(&b);
  for (uint32_t i = 0; i < expr->step_count; i++) {
    const pn_expr_step *s = &expr->steps[i];
    if (s->op != PN_EXPR_FMA) {
      moved[i] = pn_expr_copy_step(&b, s, moved);
      continue;
    }
    const uint16_t product_step = pn_expr_call(&b, PN_EXPR_MUL, moved[s->argument[0]], moved[s->argument[1]], 0);
    moved[i] = pn_expr_call(&b, PN_EXPR_ADD, product_step, moved[s->argument[2]], 0);
  }
  return pn_expr_finish(&b, moved[expr->step_count - 1], f->r->scratch);
}

/* The expression with |step| replaced by the operand itself. */
static pelton_status shorten(folder *f, const pn_expr *expr, uint32_t taken) {
  pn_rewrite *r = f->r;
  pn_expr_builder b;
  uint16_t moved[PN_EXPR_MAX_STEPS] = {0};
  pn_expr_builder_init(&b);
  for (uint32_t i = 0; i < expr->step_count; i++) {
    moved[i] = i == taken ? pn_expr_input(&b, f->operand) : pn_expr_copy_step(&b, &expr->steps[i], moved);
  }
  const pn_expr *rest = pn_expr_finish(&b, moved[expr->step_count - 1], r->scratch);
  if (!rest) return pn_fail_memory(r->diag, "an expression");
  pn_value_id operands[PN_EXPR_MAX_INPUTS];
  const uint32_t count = f->pointwise->inputs.count;
  memcpy(operands, f->pointwise->inputs.data, count * sizeof *operands);
  const pn_value_id x = f->node->outputs.data[0], y = f->pointwise->outputs.data[0];
  if (rest->steps[rest->step_count - 1].op == PN_EXPR_INPUT &&
      pn_type_equal(pn_rewrite_type(r, x), pn_rewrite_type(r, y))) {
    bool done;
    PN_TRY(pn_rewrite_forward(r, f->pointwise, x, &done));
    if (done) r->changed--; /* the caller counts */
    return PELTON_OK;
  }
  return pn_rewrite_pointwise(r, f->pointwise, rest, operands, count);
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

/* Whether |node| has constant weights, and where its channels are. */
static bool find_channels(folder *f) {
  pn_rewrite *r = f->r;
  const pn_node *node = f->node;
  const pn_type *type = pn_rewrite_type(r, node->outputs.data[0]);
  if (!pn_rewrite_constant(r, node->inputs.data[1], &f->weights) || f->weights.dtype != PELTON_DTYPE_F32) return false;
  f->has_bias = pn_value_valid(pn_node_input(node, 2));
  if (f->has_bias && !pn_rewrite_constant(r, node->inputs.data[2], &f->bias)) return false;
  f->rank = type->rank;
  const int64_t *w = f->weights.dims;
  if (node->op == PN_OP_MATMUL) {
    f->channel_axis = type->rank - 1;
    /* Weights that several products share are not worth a copy each. */
    if (f->weights.rank != 2 || type->rank < 2 || pn_rewrite_uses(r, node->inputs.data[1]) > 1) return false;
    f->channels = ((const pn_attrs_matmul *)node->attrs)->trans_b ? w[0] : w[1];
    return true;
  }
  f->channel_axis = 1;
  if (f->weights.rank < 3 || type->rank != (int32_t)f->weights.rank) return false;
  if (node->op == PN_OP_CONV)
    f->channels = w[0];
  else
    f->channels = w[1] * ((const pn_attrs_conv_transpose *)node->attrs)->group;
  return !f->has_bias || pn_tensor_elements(&f->bias) == f->channels;
}

static pelton_status fold_behind(folder *f) {
  pn_rewrite *r = f->r;
  const pn_expr *expr = pn_node_expr(f->pointwise);
  const pn_value_id x = f->node->outputs.data[0];
  if (!find_channels(f)) return PELTON_OK;
  if (f->node->op == PN_OP_MATMUL && 2 * expr->step_count <= PN_EXPR_MAX_STEPS) expr = take_apart(f, expr);
  if (!expr) return pn_fail_memory(r->diag, "an expression");
  for (f->operand = 0; !pn_value_same(f->pointwise->inputs.data[f->operand], x);) f->operand++;
  const uint32_t step = find_step(f, expr);
  if (step == 0) return PELTON_OK;
  r->changed++;
  PN_TRY(scale_weights(f, &f->steps[step]));
  PN_TRY(shift_bias(f, &f->steps[step]));
  PN_TRY(pn_rewrite_provenance(r, f->node, f->pointwise));
  return shorten(f, expr, step);
}

static pelton_status fold_all(pn_rewrite *r) {
  folder *f = PN_NEW(r->scratch, folder);
  if (!f) return pn_fail_memory(r->diag, "folding scales");
  for (uint32_t i = 0; i < r->g->nodes.count; i++) {
    pn_node *node = &r->g->nodes.data[i];
    if (node->op != PN_OP_CONV && node->op != PN_OP_CONV_TRANSPOSE && node->op != PN_OP_MATMUL) continue;
    for (;;) { /* one pointwise node behind the other */
      pn_node *user = node->removed ? NULL : pn_rewrite_only_user(r, node->outputs.data[0]);
      if (!user || user->op != PN_OP_POINTWISE) break;
      const uint32_t before = r->changed;
      *f = (folder){.r = r, .node = node, .pointwise = user};
      PN_TRY(fold_behind(f));
      if (r->changed == before) break;
    }
  }
  return PELTON_OK;
}

pelton_status pn_pass_fold_scale(pn_graph *g, uint32_t *changed, pelton_diag *diag) {
  return pn_rewrite_run(g, fold_all, changed, diag);
}
