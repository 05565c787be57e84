/* Convolutions, products of matrices and pooling. */
#include "import/onnx/importer.h"

#include <inttypes.h>

/* ---- windows ----------------------------------------------------------------------------------------------------- */

static const char *const auto_pads[] = {PN_ENUM_auto_pad(PN_ENUM_TEXT) NULL};

/* Where the attributes that all windows have are to be stored. */
typedef struct window_fields {
  pn_i64s *strides, *pads, *dilations;
  pn_auto_pad *auto_pad;
} window_fields;

#define WINDOW_FIELDS(a) ((window_fields){&(a)->strides, &(a)->pads, &(a)->dilations, &(a)->auto_pad})

static pelton_status window_attrs(const pn_onnx_call *c, window_fields fields) {
  int auto_pad = PN_AUTO_PAD_NOTSET;
  pn_i64s pads;
  PN_TRY(pn_onnx_ints(c, "strides", fields.strides));
  PN_TRY(pn_onnx_ints(c, "dilations", fields.dilations));
  PN_TRY(pn_onnx_word(c, "auto_pad", auto_pads, &auto_pad));
  PN_TRY(pn_onnx_ints(c, "pads", &pads));
  *fields.auto_pad = (pn_auto_pad)auto_pad;
  if (auto_pad == PN_AUTO_PAD_NOTSET) *fields.pads = pads; /* some exporters write both; ONNX has auto_pad decide */
  return PELTON_OK;
}

pelton_status pn_onnx_check_kernel(const pn_onnx_call *c, uint32_t weights) {
  pn_onnx_i64s kernel;
  PN_TRY(pn_onnx_attr_i64s(c->node, "kernel_shape", &kernel, c->diag));
  if (kernel.count == 0 || !pn_onnx_rank_known(c, weights)) return PELTON_OK;
  const pn_type *type = pn_onnx_type_of(c, c->inputs[weights]);
  bool same = type->rank == (int32_t)kernel.count + 2;
  for (uint32_t i = 0; same && i < kernel.count; i++)
    same = !pn_dim_is_number(type->dims[i + 2]) || type->dims[i + 2].number == kernel.data[i];
  return same ? PELTON_OK
              : pn_fail(c->diag, PELTON_INVALID_DATA,
                        "attribute \"kernel_shape\" does not say what its weights' extents are");
}

/* ---- convolutions ------------------------------------------------------------------------------------------------ */

static pelton_status import_conv(pn_onnx_call *c) {
  pn_attrs_conv *a = pn_onnx_attrs(c, PN_OP_CONV);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(window_attrs(c, WINDOW_FIELDS(a)));
  PN_TRY(pn_onnx_check_kernel(c, 1));
  PN_TRY(pn_onnx_attr_i64(c->node, "group", 1, &a->group, c->diag));
  return pn_onnx_map(c, PN_OP_CONV, a);
}

static pelton_status import_conv_transpose(pn_onnx_call *c) {
  pn_attrs_conv_transpose *a = pn_onnx_attrs(c, PN_OP_CONV_TRANSPOSE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(window_attrs(c, WINDOW_FIELDS(a)));
  PN_TRY(pn_onnx_check_kernel(c, 1));
  PN_TRY(pn_onnx_attr_i64(c->node, "group", 1, &a->group, c->diag));
  PN_TRY(pn_onnx_ints(c, "output_padding", &a->output_padding));
  PN_TRY(pn_onnx_ints(c, "output_shape", &a->output_shape));
  return pn_onnx_map(c, PN_OP_CONV_TRANSPOSE, a);
}

static pelton_status import_conv_integer(pn_onnx_call *c) {
  pn_attrs_conv_integer *a = pn_onnx_attrs(c, PN_OP_CONV_INTEGER);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(window_attrs(c, WINDOW_FIELDS(a)));
  PN_TRY(pn_onnx_check_kernel(c, 1));
  PN_TRY(pn_onnx_attr_i64(c->node, "group", 1, &a->group, c->diag));
  return pn_onnx_map(c, PN_OP_CONV_INTEGER, a);
}

static pelton_status import_deform_conv(pn_onnx_call *c) {
  pn_attrs_deform_conv *a = pn_onnx_attrs(c, PN_OP_DEFORM_CONV);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_ints(c, "strides", &a->strides));
  PN_TRY(pn_onnx_ints(c, "pads", &a->pads));
  PN_TRY(pn_onnx_ints(c, "dilations", &a->dilations));
  PN_TRY(pn_onnx_attr_i64(c->node, "group", 1, &a->group, c->diag));
  PN_TRY(pn_onnx_check_kernel(c, 1));
  PN_TRY(pn_onnx_attr_i64(c->node, "offset_group", 1, &a->offset_group, c->diag));
  return pn_onnx_map(c, PN_OP_DEFORM_CONV, a);
}

/* ---- products of matrices ---------------------------------------------------------------------------------------- */

static pelton_status import_matmul(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_MATMUL, NULL); }
static pelton_status import_matmul_integer(pn_onnx_call *c) { return pn_onnx_map(c, PN_OP_MATMUL_INTEGER, NULL); }

static pelton_status gemm_check(const pn_onnx_call *c) {
  if (c->input_count > 3 || !pn_onnx_has(c, 0) || !pn_onnx_has(c, 1))
    return pn_fail(c->diag, PELTON_INVALID_DATA, "it must have inputs A, B and perhaps C");
  for (uint32_t i = 0; i < c->input_count; i++) {
    if (!pn_onnx_rank_known(c, i)) continue;
    const int32_t rank = pn_onnx_type_of(c, c->inputs[i])->rank;
    if (i < 2 ? rank != 2 : rank > 2)
      return pn_fail(c->diag, PELTON_INVALID_DATA, "its input %u has %d dimensions, but must have %s2", i, (int)rank,
                     i < 2 ? "" : "at most ");
  }
  return PELTON_OK;
}

static bool is_whole(float number) { return number >= -1e9f && number <= 1e9f && number == (float)(int64_t)number; }

/* alpha * A' * B' + beta * C: a product, and a pointwise node for what differs from it. A factor of 0 for C leaves C
   out: it could add nothing but NaN. */
static pelton_status import_gemm(pn_onnx_call *c) {
  pn_attrs_matmul *a = pn_onnx_attrs(c, PN_OP_MATMUL);
  float alpha, beta;
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(gemm_check(c));
  PN_TRY(pn_onnx_attr_bool(c->node, "transA", false, &a->trans_a, c->diag));
  PN_TRY(pn_onnx_attr_bool(c->node, "transB", false, &a->trans_b, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "alpha", 1.0f, &alpha, c->diag));
  PN_TRY(pn_onnx_attr_f32(c->node, "beta", 1.0f, &beta, c->diag));
  const bool sum = pn_onnx_has(c, 2) && beta != 0;
  if (pn_dtype_is_integer(pn_onnx_dtype(c, 0)) && !(is_whole(alpha) && is_whole(beta)))
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "its factors %g and %g are no integers, but its operands are",
                   (double)alpha, (double)beta);
  if (!sum && alpha == 1.0f) return pn_onnx_map_over(c, PN_OP_MATMUL, a, c->inputs, 2);

  const double factors[] = {(double)alpha, (double)beta};
  pn_value_id operands[2] = {PN_NO_VALUE, pn_onnx_input(c, 2)};
  PN_TRY(pn_onnx_add(c, PN_OP_MATMUL, a, c->inputs, 2, 1, &operands[0]));
  const char *text = !sum                            ? "mul(x0,%0)"
                     : alpha == 1.0f && beta == 1.0f ? "add(x0,x1)"
                     : alpha == 1.0f                 ? "add(x0,mul(x1,%1))"
                     : beta == 1.0f                  ? "add(mul(x0,%0),x1)"
                                                     : "add(mul(x0,%0),mul(x1,%1))";
  return pn_onnx_formula(c, text, factors, operands, sum ? 2 : 1, &c->outputs[0]);
}

/* ---- pooling ----------------------------------------------------------------------------------------------------- */

static pelton_status pool_attrs(const pn_onnx_call *c, pn_pool_kind kind, pn_attrs_pool **out) {
  pn_attrs_pool *a = *out = pn_onnx_attrs(c, PN_OP_POOL);
  if (!a) return pn_fail_memory(c->diag, "a node");
  a->kind = kind;
  PN_TRY(pn_onnx_attr_require(c->node, "kernel_shape", c->diag));
  PN_TRY(pn_onnx_ints(c, "kernel_shape", &a->kernel));
  PN_TRY(window_attrs(c, WINDOW_FIELDS(a)));
  return pn_onnx_attr_bool(c->node, "ceil_mode", false, &a->ceil_mode, c->diag);
}

static pelton_status import_max_pool(pn_onnx_call *c) {
  pn_attrs_pool *a;
  PN_TRY(pool_attrs(c, PN_POOL_MAX, &a));
  PN_TRY(pn_onnx_attr_bool(c->node, "storage_order", false, &a->column_major_indices, c->diag));
  return pn_onnx_map(c, PN_OP_POOL, a);
}

static pelton_status import_average_pool(pn_onnx_call *c) {
  pn_attrs_pool *a;
  PN_TRY(pool_attrs(c, PN_POOL_AVERAGE, &a));
  PN_TRY(pn_onnx_attr_bool(c->node, "count_include_pad", false, &a->count_include_pad, c->diag));
  return pn_onnx_map(c, PN_OP_POOL, a);
}

/* The exponent was a float in version 1. */
static pelton_status exponent_attr_1(const pn_onnx_call *c, int64_t *out) {
  float number;
  PN_TRY(pn_onnx_attr_f32(c->node, "p", 2.0f, &number, c->diag));
  if (!is_whole(number))
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "the exponent %g, which is no integer", (double)number);
  *out = (int64_t)number;
  return PELTON_OK;
}

static pelton_status lp_pool(pn_onnx_call *c, int64_t p) {
  pn_attrs_pool *a;
  PN_TRY(pool_attrs(c, PN_POOL_LP, &a));
  a->p = p;
  return pn_onnx_map(c, PN_OP_POOL, a);
}
static pelton_status import_lp_pool_1(pn_onnx_call *c) {
  int64_t p;
  PN_TRY(exponent_attr_1(c, &p));
  return lp_pool(c, p);
}
static pelton_status import_lp_pool(pn_onnx_call *c) {
  int64_t p;
  PN_TRY(pn_onnx_attr_i64(c->node, "p", 2, &p, c->diag));
  return lp_pool(c, p);
}

static pelton_status import_max_unpool(pn_onnx_call *c) {
  pn_attrs_max_unpool *a = pn_onnx_attrs(c, PN_OP_MAX_UNPOOL);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_attr_require(c->node, "kernel_shape", c->diag));
  PN_TRY(pn_onnx_ints(c, "kernel_shape", &a->kernel));
  PN_TRY(pn_onnx_ints(c, "strides", &a->strides));
  PN_TRY(pn_onnx_ints(c, "pads", &a->pads));
  return pn_onnx_map(c, PN_OP_MAX_UNPOOL, a);
}

/* ---- pooling over everything ------------------------------------------------------------------------------------- */

/* |x| reduced over all axes behind the channels, which stay as extents of 1. */
static pelton_status reduce_spatial(pn_onnx_call *c, pn_reduce_kind kind, pn_value_id x, pn_value_id *out) {
  pn_value_id operands[2] = {x, PN_NO_VALUE};
  int64_t axes[PN_MAX_RANK];
  uint32_t rank;
  pn_attrs_reduce *a = pn_onnx_attrs(c, PN_OP_REDUCE);
  if (!a) return pn_fail_memory(c->diag, "a node");
  PN_TRY(pn_onnx_rank(c, 0, &rank));
  if (rank < 2)
    return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 0 has %u dimensions, but must have 2 or more", rank);
  for (uint32_t i = 2; i < rank; i++) axes[i - 2] = i;
  a->kind = kind;
  a->empty_is_none = true;
  PN_TRY(pn_onnx_i64s_constant(c, axes, rank - 2, &operands[1]));
  return pn_onnx_add(c, PN_OP_REDUCE, a, operands, 2, 1, out);
}

static pelton_status import_global_average_pool(pn_onnx_call *c) {
  return reduce_spatial(c, PN_REDUCE_MEAN, pn_onnx_input(c, 0), &c->outputs[0]);
}
static pelton_status import_global_max_pool(pn_onnx_call *c) {
  return reduce_spatial(c, PN_REDUCE_MAX, pn_onnx_input(c, 0), &c->outputs[0]);
}

static pelton_status global_lp_pool(pn_onnx_call *c, int64_t p) {
  pn_value_id x = pn_onnx_input(c, 0);
  if (p < 1) return pn_fail(c->diag, PELTON_INVALID_DATA, "the exponent %" PRId64 ", which must be 1 or more", p);
  if (p <= 2) return reduce_spatial(c, p == 1 ? PN_REDUCE_L1 : PN_REDUCE_L2, x, &c->outputs[0]);
  const double numbers[] = {(double)p, 1.0 / (double)p};
  if (!pn_value_valid(x)) return pn_fail(c->diag, PELTON_INVALID_DATA, "its input 0 is missing");
  PN_TRY(pn_onnx_formula(c, "pow(abs(x0),%0)", numbers, &x, 1, &x));
  PN_TRY(reduce_spatial(c, PN_REDUCE_SUM, x, &x));
  return pn_onnx_formula(c, "pow(x0,%1)", numbers, &x, 1, &c->outputs[0]);
}
static pelton_status import_global_lp_pool_1(pn_onnx_call *c) {
  int64_t p;
  PN_TRY(exponent_attr_1(c, &p));
  return global_lp_pool(c, p);
}
static pelton_status import_global_lp_pool(pn_onnx_call *c) {
  int64_t p;
  PN_TRY(pn_onnx_attr_i64(c->node, "p", 2, &p, c->diag));
  return global_lp_pool(c, p);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pn_onnx_op rows[] = {
    {"AveragePool", "", 1, 0, import_average_pool},
    {"Conv", "", 1, 0, import_conv},
    {"ConvInteger", "", 10, 0, import_conv_integer},
    {"ConvTranspose", "", 1, 0, import_conv_transpose},
    {"DeformConv", "", 19, 0, import_deform_conv},
    {"Gemm", "", 1, 0, import_gemm},
    {"GlobalAveragePool", "", 1, 0, import_global_average_pool},
    {"GlobalLpPool", "", 1, 1, import_global_lp_pool_1},
    {"GlobalLpPool", "", 2, 0, import_global_lp_pool},
    {"GlobalMaxPool", "", 1, 0, import_global_max_pool},
    {"LpPool", "", 1, 1, import_lp_pool_1},
    {"LpPool", "", 2, 0, import_lp_pool},
    {"MatMul", "", 1, 0, import_matmul},
    {"MatMulInteger", "", 10, 0, import_matmul_integer},
    {"MaxPool", "", 1, 0, import_max_pool},
    {"MaxUnpool", "", 9, 0, import_max_unpool},
};

const pn_onnx_ops pn_onnx_ops_nn = {rows, (uint32_t)PN_COUNT(rows)};
