/* Losses: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, which is the same of a log-softmax.

   Each sample takes its class's element of x[N,C,...], negated and times the class's weight. Labels that are ignored
   may be no class at all, so they read class 0 and then count nothing. */
#include "base/format.h"
#include "import/onnx/importer.h"

enum { REDUCTION_NONE, REDUCTION_SUM, REDUCTION_MEAN };

typedef struct loss {
  int64_t ignored;     /* the label that counts nothing, */
  bool ignores;        /* if there is one */
  pn_value_id labels;  /* as given, */
  pn_value_id classes; /* and with class 0 for what is ignored */
  pn_value_id weights; /* of each sample; PN_NO_VALUE: all alike */
} loss;

static pelton_status reduce_all(pn_onnx_call *c, pn_reduce_kind kind, pn_value_id x, pn_value_id *out) {
  pn_attrs_reduce *a = pn_onnx_attrs(c, PN_OP_REDUCE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->kind = kind;
  a->keep_dims = false;
  return pn_onnx_add(c, PN_OP_REDUCE, a, &x, 1, 1, out);
}

/* |values| of the samples, 0 where the label is ignored. */
static pelton_status without_ignored(pn_onnx_call *c, const loss *l, pn_value_id values, pn_value_id *out) {
  char text[64];
  const double ignored = (double)l->ignored;
  const pn_value_id operands[2] = {l->labels, values};
  *out = values;
  if (!l->ignores) return PELTON_OK;
  pn_formatf(text, sizeof text, "select(equal(x0,%%0),0:%s,x1)",
             pelton_dtype_name(pn_onnx_type_of(c, values)->dtype));
  return pn_onnx_formula(c, text, &ignored, operands, 2, out);
}

/* x's elements of the samples' classes: x[N,C,...] at [N,1,...], without the 1. */
static pelton_status pick(pn_onnx_call *c, const loss *l, pn_value_id x, pn_value_id *out) {
  static const int64_t class_axis = 1;
  pn_attrs_gather_elements *a = pn_onnx_attrs(c, PN_OP_GATHER_ELEMENTS);
  pn_value_id operands[2] = {l->classes, PN_NO_VALUE}, axis;
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->axis = class_axis;
  PN_TRY(pn_onnx_i64s_constant(c, &class_axis, 1, &axis));
  operands[1] = axis;
  PN_TRY(pn_onnx_add(c, PN_OP_UNSQUEEZE, NULL, operands, 2, 1, &operands[1]));
  operands[0] = x;
  PN_TRY(pn_onnx_add(c, PN_OP_GATHER_ELEMENTS, a, operands, 2, 1, &operands[0]));
  operands[1] = axis;
  return pn_onnx_add(c, PN_OP_SQUEEZE, NULL, operands, 2, 1, out);
}

/* The weight of each sample. Without weights all count 1, so that only ignored ones make a difference. */
static pelton_status weigh(pn_onnx_call *c, loss *l, pn_value_id x) {
  const pelton_dtype dtype = pn_onnx_type_of(c, x)->dtype;
  pn_value_id operands[2] = {pn_onnx_input(c, 2), l->classes};
  l->weights = PN_NO_VALUE;
  if (!pn_onnx_has(c, 2) && !l->ignores) return PELTON_OK;
  if (pn_onnx_has(c, 2)) {
    PN_TRY(pn_onnx_add(c, PN_OP_GATHER, NULL, operands, 2, 1, &l->weights));
    return without_ignored(c, l, l->weights, &l->weights);
  }
  char text[64];
  const double ignored = (double)l->ignored;
  pn_formatf(text, sizeof text, "cast(not(equal(x0,%%0)),%s)", pelton_dtype_name(dtype));
  return pn_onnx_formula(c, text, &ignored, &l->labels, 1, &l->weights);
}

static pelton_status read_labels(pn_onnx_call *c, loss *l) {
  const pelton_dtype dtype = pn_onnx_dtype(c, 1);
  for (uint32_t i = 0; i < 2; i++)
    if (!pn_onnx_has(c, i)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u is missing", i);
  if (dtype != PELTON_DTYPE_I32 && dtype != PELTON_DTYPE_I64)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its labels are of type %s, but must be i32 or i64",
                   pelton_dtype_name(dtype));
  l->ignores = pn_onnx_attr_find(c->node, "ignore_index") != NULL;
  PN_TRY(pn_onnx_attr_i64(c->node, "ignore_index", 0, &l->ignored, c->diag));
  if (dtype == PELTON_DTYPE_I32 && (l->ignored < INT32_MIN || l->ignored > INT32_MAX)) l->ignores = false;
  l->labels = c->inputs[1];
  return without_ignored(c, l, l->labels, &l->classes);
}

/* The loss of the log-probabilities |x|. */
static pelton_status likelihood(pn_onnx_call *c, pn_value_id x) {
  static const char *const reductions[] = {"none", "sum", "mean", NULL};
  int reduction = REDUCTION_MEAN;
  pn_value_id operands[2];
  loss l;
  PN_TRY(pn_onnx_word(c, "reduction", reductions, &reduction));
  PN_TRY(read_labels(c, &l));
  PN_TRY(weigh(c, &l, x));
  PN_TRY(pick(c, &l, x, &operands[0]));
  PN_TRY(pn_onnx_pointwise(c, "neg(x0)", operands, 1, &operands[0]));
  PN_TRY(without_ignored(c, &l, operands[0], &operands[0])); /* its log-probability may be infinite: no factor helps */
  operands[1] = l.weights;
  if (pn_onnx_has(c, 2)) PN_TRY(pn_onnx_pointwise(c, "mul(x0,x1)", operands, 2, &operands[0]));
  c->outputs[0] = operands[0];
  if (reduction == REDUCTION_NONE) return PELTON_OK;
  if (reduction == REDUCTION_MEAN && !pn_value_valid(l.weights))
    return reduce_all(c, PN_REDUCE_MEAN, operands[0], &c->outputs[0]);
  PN_TRY(reduce_all(c, PN_REDUCE_SUM, operands[0], &operands[0]));
  c->outputs[0] = operands[0];
  if (reduction == REDUCTION_SUM) return PELTON_OK;
  PN_TRY(reduce_all(c, PN_REDUCE_SUM, l.weights, &operands[1]));
  return pn_onnx_pointwise(c, "div(x0,x1)", operands, 2, &c->outputs[0]);
}

static pelton_status import_negative_log_likelihood(pn_onnx_call *c) {
  return likelihood(c, pn_onnx_input(c, 0));
}

static pelton_status import_softmax_cross_entropy(pn_onnx_call *c) {
  pn_attrs_softmax *a = pn_onnx_attrs(c, PN_OP_SOFTMAX);
  pn_value_id logarithms;
  if (!a) return pn_fail_memory(c->diag, "a node");
  if (!pn_onnx_has(c, 0)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 0 is missing");
  a->axis = 1;
  a->log = true;
  PN_TRY(pn_onnx_add(c, PN_OP_SOFTMAX, a, c->inputs, 1, 1, &logarithms));
  if (pn_onnx_wants(c, 1)) c->outputs[1] = logarithms;
  return likelihood(c, logarithms);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"NegativeLogLikelihoodLoss", "", 12, 0, import_negative_log_likelihood},
    {"SoftmaxCrossEntropyLoss", "", 12, 0, import_softmax_cross_entropy},
};

const pn_onnx_ops pn_onnx_ops_loss = {rows, (uint32_t)PN_COUNT(rows)};
