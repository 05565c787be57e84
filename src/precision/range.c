/* Bounds of values, node by node, from bounds of operands. A tensor has one interval for all its elements, so bounds
   grow with depth: what follows a softmax, a sigmoid, a clip or a normalisation is bounded well, a deep chain of
   convolutions badly. Then samples decide. */
#include "precision/precision.h"

#include <math.h>
#include <string.h>

const pelton_dtype pn_half_dtype[PN_HALF_COUNT] = {PELTON_DTYPE_F16, PELTON_DTYPE_BF16};
const double pn_half_largest[PN_HALF_COUNT] = {65504.0, 3.38953139e38};

static const pn_interval anything = {-INFINITY, INFINITY};

double pn_range_bound(const pn_range *range) { return fmax(fabs(range->lo), fabs(range->hi)); }

double pn_range_decibels(const pn_range *range, pn_half half) {
  return range->error[half] > 0 ? 10 * log10(range->energy / range->error[half]) : INFINITY;
}

void pn_range_observe(pn_range *range, const float *data, int64_t count) {
  range->observed = true;
  for (int64_t i = 0; i < count; i++) {
    const double x = data[i];
    if (!isfinite(x)) {
      range->not_finite = true;
      continue;
    }
    const double f16 = pn_f16_to_f32(pn_f16_from_f32(data[i])), bf16 = pn_bf16_to_f32(pn_bf16_from_f32(data[i]));
    range->largest = fmax(range->largest, fabs(x));
    range->energy += x * x;
    /* What overflows counts as lost. */
    range->error[PN_HALF_F16] += isfinite(f16) ? (x - f16) * (x - f16) : x * x;
    range->error[PN_HALF_BF16] += isfinite(bf16) ? (x - bf16) * (x - bf16) : x * x;
  }
}

pelton_status pn_ranges_create(const pn_graph *g, pn_arena *arena, pn_ranges *out, pelton_diag *diag) {
  out->count = g->values.count;
  out->data = PN_NEW_ARRAY(arena, pn_range, out->count + 1u);
  if (!out->data) return pn_fail_memory(diag, "ranges");
  for (uint32_t v = 0; v < out->count; v++) {
    const pn_value *value = &g->values.data[v];
    pn_range *r = &out->data[v];
    *r = (pn_range){.lo = -INFINITY, .hi = INFINITY};
    if (!value->data || value->type.dtype != PELTON_DTYPE_F32 || !value->data_bytes) continue;
    const int64_t count = (int64_t)(value->data_bytes / sizeof(float));
    r->lo = INFINITY;
    r->hi = -INFINITY;
    for (int64_t first = 0; first < count; first += 1024) { /* constants may lie unaligned in a file */
      float block[1024];
      const int64_t n = count - first < 1024 ? count - first : 1024;
      memcpy(block, (const char *)value->data + first * (int64_t)sizeof(float), (size_t)n * sizeof(float));
      pn_range_observe(r, block, n);
      for (int64_t i = 0; i < n; i++) {
        r->lo = fmin(r->lo, block[i]);
        r->hi = fmax(r->hi, block[i]);
      }
    }
    r->proven_exact = true;
    if (r->not_finite || !(r->lo <= r->hi)) {
      r->lo = -INFINITY;
      r->hi = INFINITY;
    }
  }
  return PELTON_OK;
}

/* ---- sums of products -------------------------------------------------------------------------------------------- */

typedef struct weights {
  const char *data; /* f32, maybe unaligned */
  int64_t rows, columns; /* as the sums want them */
  int64_t row_step, column_step;
} weights;

/* Bounds of the sums of |w|'s rows times operands in |x|. */
static pn_interval sum_rows(const weights *w, pn_interval x) {
  pn_interval all = {INFINITY, -INFINITY};
  for (int64_t r = 0; r < w->rows; r++) {
    pn_interval sum = {0, 0};
    for (int64_t c = 0; c < w->columns; c++) {
      float value;
      memcpy(&value, w->data + (r * w->row_step + c * w->column_step) * (int64_t)sizeof value, sizeof value);
      if (value == 0) continue;
      sum.lo += value > 0 ? value * x.lo : value * x.hi;
      sum.hi += value > 0 ? value * x.hi : value * x.lo;
    }
    all.lo = fmin(all.lo, sum.lo);
    all.hi = fmax(all.hi, sum.hi);
  }
  return isnan(all.lo) || isnan(all.hi) || all.lo > all.hi ? anything : all;
}

static pn_interval of(const pn_ranges *ranges, const pn_node *node, uint32_t input) {
  const pn_value_id v = pn_node_input(node, input);
  if (!pn_value_valid(v)) return (pn_interval){0, 0};
  return (pn_interval){ranges->data[v.v].lo, ranges->data[v.v].hi};
}

static bool finite(pn_interval a) { return isfinite(a.lo) && isfinite(a.hi); }
static pn_interval with_zero(pn_interval a) { return (pn_interval){fmin(a.lo, 0), fmax(a.hi, 0)}; }
static pn_interval join(pn_interval a, pn_interval b) { return (pn_interval){fmin(a.lo, b.lo), fmax(a.hi, b.hi)}; }
static pn_interval plus(pn_interval a, pn_interval b) { return (pn_interval){a.lo + b.lo, a.hi + b.hi}; }

static const pn_value *constant(const pn_graph *g, const pn_node *node, uint32_t input) {
  const pn_value_id v = pn_node_input(node, input);
  return pn_graph_is_constant(g, v) && g->values.data[v.v].type.dtype == PELTON_DTYPE_F32 ? &g->values.data[v.v] : NULL;
}

static int64_t extent(const pn_type *type, int32_t axis) {
  return axis >= 0 && axis < type->rank && pn_dim_is_number(type->dims[axis]) ? type->dims[axis].number : -1;
}

static pn_interval bound_conv(const pn_graph *g, const pn_node *node, const pn_ranges *ranges, bool transposed) {
  const pn_value *w = constant(g, node, 1);
  const pn_interval x = with_zero(of(ranges, node, 0)); /* of pads */
  if (!w || !finite(x) || w->type.rank < 2) return anything;
  const int64_t all = (int64_t)(w->data_bytes / sizeof(float)), first = extent(&w->type, 0);
  if (first <= 0) return anything;
  weights rows = {w->data, first, all / first, all / first, 1};
  if (transposed) { /* [C, M/group, kernel]: over C and the kernel, over all groups, which is too much but no less */
    const int64_t m = extent(&w->type, 1);
    if (m <= 0) return anything;
    const int64_t kernel = all / first / m;
    pn_interval total = {0, 0}, most = {0, 0};
    for (int64_t c = 0; c < first; c++) { /* each channel's own worst */
      rows = (weights){(const char *)w->data + c * m * kernel * (int64_t)sizeof(float), m, kernel, kernel, 1};
      most = with_zero(sum_rows(&rows, x));
      total = plus(total, most);
    }
    return plus(total, of(ranges, node, 2));
  }
  return plus(sum_rows(&rows, x), of(ranges, node, 2));
}

static pn_interval bound_matmul(const pn_graph *g, const pn_node *node, const pn_ranges *ranges) {
  const pn_attrs_matmul *attrs = node->attrs;
  const pn_interval a = of(ranges, node, 0), b = of(ranges, node, 1);
  const pn_value *w = constant(g, node, 1);
  const pn_type *ta = &g->values.data[node->inputs.data[0].v].type;
  if (w && w->type.rank == 2 && finite(a)) {
    const int64_t k = extent(&w->type, attrs->trans_b ? 1 : 0), n = extent(&w->type, attrs->trans_b ? 0 : 1);
    const weights columns = {w->data, n, k, attrs->trans_b ? k : 1, attrs->trans_b ? 1 : n};
    return sum_rows(&columns, a);
  }
  const int64_t k = ta->rank > 0 ? extent(ta, attrs->trans_a && ta->rank > 1 ? ta->rank - 2 : ta->rank - 1) : -1;
  if (k < 0 || !finite(a) || !finite(b)) return anything;
  const double most = (double)k * fmax(fabs(a.lo), fabs(a.hi)) * fmax(fabs(b.lo), fabs(b.hi));
  return (pn_interval){-most, most};
}

/* ---- others ------------------------------------------------------------------------------------------------------ */

/* Of |n| elements less their mean over their deviation none is beyond sqrt(n - 1). */
static pn_interval bound_normalised(double n, pn_interval scale, bool has_scale, pn_interval bias) {
  const double most = sqrt(n) * (has_scale ? fmax(fabs(scale.lo), fabs(scale.hi)) : 1);
  return n > 0 ? plus((pn_interval){-most, most}, bias) : anything;
}

static double elements_from(const pn_type *type, int64_t axis) {
  double n = 1;
  if (type->rank < 0) return -1;
  for (int64_t d = axis < 0 ? axis + type->rank : axis; d < type->rank; d++) {
    const int64_t e = extent(type, (int32_t)d);
    if (e < 0) return -1;
    n *= (double)e;
  }
  return n;
}

static pn_interval bound_group_norm(const pn_graph *g, const pn_node *node, const pn_ranges *ranges) {
  const pn_attrs_group_norm *attrs = node->attrs;
  const pn_type *type = &g->values.data[node->inputs.data[0].v].type;
  const double n = elements_from(type, 1), channels = (double)extent(type, 1);
  if (n < 0 || channels <= 0) return anything;
  return bound_normalised(n / (attrs->groups ? (double)attrs->groups : channels), of(ranges, node, 1),
                          pn_value_valid(pn_node_input(node, 1)), of(ranges, node, 2));
}

static pn_interval bound_reduce(const pn_graph *g, const pn_node *node, const pn_ranges *ranges) {
  const pn_attrs_reduce *attrs = node->attrs;
  const pn_interval x = of(ranges, node, 0);
  const double n = elements_from(&g->values.data[node->inputs.data[0].v].type, 0); /* at most as many are summed */
  const double most = n * fmax(fabs(x.lo), fabs(x.hi));
  switch (attrs->kind) {
  case PN_REDUCE_MEAN:
  case PN_REDUCE_MAX:
  case PN_REDUCE_MIN: return x;
  case PN_REDUCE_SUM:
    return n < 0 || !finite(x) ? anything : (pn_interval){fmin(x.lo, x.lo < 0 ? n * x.lo : x.lo), fmax(x.hi, x.hi > 0 ? n * x.hi : x.hi)};
  case PN_REDUCE_L1:
  case PN_REDUCE_L2: return n < 0 || !finite(x) ? anything : (pn_interval){0, most};
  default: return anything;
  }
}

static pn_interval bound_pool(const pn_node *node, const pn_ranges *ranges) {
  const pn_attrs_pool *attrs = node->attrs;
  if (attrs->kind == PN_POOL_MAX) return of(ranges, node, 0);
  return attrs->kind == PN_POOL_AVERAGE ? with_zero(of(ranges, node, 0)) : anything;
}

static void bound_pointwise(const pn_graph *g, const pn_node *node, const pn_ranges *ranges, pn_interval *out) {
  const pn_expr *expr = ((const pn_attrs_pointwise *)node->attrs)->expr;
  pn_interval operands[PN_EXPR_MAX_INPUTS], steps[PN_EXPR_MAX_STEPS];
  for (uint32_t i = 0; i < expr->input_count && i < node->inputs.count; i++) {
    const pelton_dtype dtype = g->values.data[node->inputs.data[i].v].type.dtype;
    operands[i] = dtype == PELTON_DTYPE_BOOL ? (pn_interval){0, 1} : of(ranges, node, i);
  }
  if (!expr->step_count || expr->input_count > node->inputs.count) return;
  pn_expr_intervals(expr, operands, steps);
  *out = steps[expr->step_count - 1];
}

static pn_interval bound(const pn_graph *g, const pn_node *node, const pn_ranges *ranges) {
  pn_interval r = anything;
  switch (node->op) {
  case PN_OP_POINTWISE: bound_pointwise(g, node, ranges, &r); return r;
  case PN_OP_CONV: return bound_conv(g, node, ranges, false);
  case PN_OP_CONV_TRANSPOSE: return bound_conv(g, node, ranges, true);
  case PN_OP_MATMUL: return bound_matmul(g, node, ranges);
  case PN_OP_POOL: return bound_pool(node, ranges);
  case PN_OP_REDUCE: return bound_reduce(g, node, ranges);
  case PN_OP_SOFTMAX: return ((const pn_attrs_softmax *)node->attrs)->log ? (pn_interval){-INFINITY, 0} : (pn_interval){0, 1};
  case PN_OP_HARDMAX: return (pn_interval){0, 1};
  case PN_OP_LAYER_NORM:
    return bound_normalised(
        elements_from(&g->values.data[node->inputs.data[0].v].type, ((const pn_attrs_layer_norm *)node->attrs)->axis),
        of(ranges, node, 1), pn_value_valid(pn_node_input(node, 1)), of(ranges, node, 2));
  case PN_OP_GROUP_NORM: return bound_group_norm(g, node, ranges);
  case PN_OP_LP_NORM: return (pn_interval){-1, 1};
  case PN_OP_ATTENTION: return of(ranges, node, 2); /* means of values */
  case PN_OP_CONCAT:
    r = of(ranges, node, 0);
    for (uint32_t i = 1; i < node->inputs.count; i++) r = join(r, of(ranges, node, i));
    return r;
  case PN_OP_PAD:
    return join(of(ranges, node, 0), pn_value_valid(pn_node_input(node, 2)) ? of(ranges, node, 2) : (pn_interval){0, 0});
  case PN_OP_RESIZE: /* cubic ones shoot over */
    return ((const pn_attrs_resize *)node->attrs)->mode == PN_RESIZE_CUBIC ? anything : with_zero(of(ranges, node, 0));
  case PN_OP_TRILU: return with_zero(of(ranges, node, 0));
  case PN_OP_RESHAPE:
  case PN_OP_FLATTEN:
  case PN_OP_SQUEEZE:
  case PN_OP_UNSQUEEZE:
  case PN_OP_TRANSPOSE:
  case PN_OP_EXPAND:
  case PN_OP_TILE:
  case PN_OP_SLICE:
  case PN_OP_SPLIT:
  case PN_OP_GATHER:
  case PN_OP_GATHER_ELEMENTS:
  case PN_OP_GATHER_ND:
  case PN_OP_DEPTH_TO_SPACE:
  case PN_OP_SPACE_TO_DEPTH: return of(ranges, node, 0);
  default: return r;
  }
}

pelton_status pn_ranges_prove(const pn_graph *g, pn_ranges *ranges, pelton_diag *diag) {
  if (ranges->count != g->values.count) return pn_fail(diag, PELTON_INTERNAL, "ranges of another graph");
  for (uint32_t n = 0; n < g->nodes.count; n++) {
    const pn_node *node = &g->nodes.data[n];
    if (node->removed) continue;
    const pn_interval r = bound(g, node, ranges);
    for (uint32_t i = 0; i < node->outputs.count; i++) {
      if (!pn_value_valid(node->outputs.data[i])) continue;
      pn_range *out = &ranges->data[node->outputs.data[i].v];
      const bool first = i == 0 || node->op == PN_OP_SPLIT; /* other results are indices, statistics */
      out->lo = first && !isnan(r.lo) ? r.lo : -INFINITY;
      out->hi = first && !isnan(r.hi) ? r.hi : INFINITY;
    }
  }
  return PELTON_OK;
}
