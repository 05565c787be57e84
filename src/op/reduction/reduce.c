/* reduce: sums, products, extremes and norms over some axes.

   One walk over the operand, whose result offset stands still on reduced axes, adds each element to its accumulator:
   a double for float types, 64 bits that wrap for integers (so that every narrower width wraps rightly too), and for
   extremes the position of the best element, which keeps every type exact and hands NaN on. An empty set gives the
   identity: 0, 1, or the least or greatest value of the type. */
#include "op/operand.h"
#include "op/selection/scalar.h"
#include "op/movement/walk.h"

#include <math.h>

static bool is_extreme(pn_reduce_kind kind) { return kind == PN_REDUCE_MAX || kind == PN_REDUCE_MIN; }

pelton_status pn_check_reduce(const pn_infer *c) {
  const pn_attrs_reduce *attrs = c->attrs;
  PN_TRY(pn_operand_wants_indices(c, "reduce", 1, "axes"));
  PN_TRY(pn_operand_wants_rank(c, "reduce", 1, "axes", 0, 1));
  if (c->in[0].type.dtype != PELTON_DTYPE_BOOL || is_extreme(attrs->kind)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                 "reduce: the operand is of type bool; only kind=max (any) and kind=min "
                 "(all) take it");
}

/* Marks the axes to reduce. */
static pelton_status reduced_axes(pelton_diag *diag, const pn_attrs_reduce *attrs, const int64_t *axes, uint32_t count,
                                  uint32_t rank, bool *reduced) {
  uint32_t list[PN_MAX_RANK];
  for (uint32_t i = 0; i < rank; i++) reduced[i] = count == 0 && !attrs->empty_is_none;
  if (count > rank)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "reduce: %u axes for an operand of rank %u", (unsigned)count,
                   (unsigned)rank);
  PN_TRY(pn_axes_resolve(diag, "reduce", axes, count, rank, list));
  for (uint32_t i = 0; i < count; i++) reduced[list[i]] = true;
  return PELTON_OK;
}

/* ---- infer */

/* What products and sums of a shape's numbers come to: the sizes that models compute before a reshape. */
static pelton_status reduce_content(const pn_infer *c) {
  const pn_attrs_reduce *attrs = c->attrs;
  const pn_dim *x;
  uint32_t count;
  if (c->in[0].type.rank != 1 || !pn_infer_content(c, 0, &x, &count)) return PELTON_OK;
  pn_dim d = attrs->kind == PN_REDUCE_PROD ? pn_dim_of(1) : pn_dim_of(0);
  if (is_extreme(attrs->kind)) {
    if (count == 0) return PELTON_OK;
    d = x[0];
  }
  for (uint32_t i = 0; i < count; i++) switch (attrs->kind) {
    case PN_REDUCE_SUM: d = pn_dim_add(c->symbols, d, x[i]); break;
    case PN_REDUCE_PROD: d = pn_dim_mul(c->symbols, d, x[i]); break;
    case PN_REDUCE_MAX: d = pn_dim_max(c->symbols, d, x[i]); break;
    case PN_REDUCE_MIN: d = pn_dim_min(c->symbols, d, x[i]); break;
    default: return PELTON_OK;
    }
  return pn_content_give(c, 0, &d, 1);
}

pelton_status pn_infer_reduce(const pn_infer *c) {
  const pn_attrs_reduce *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  const int64_t *axes = NULL;
  uint32_t count = 0;
  bool reduced[PN_MAX_RANK];
  bool known = !pn_infer_has(c, 1) || pn_infer_numbers(c, 1, &axes, &count);
  if (x->rank == PN_RANK_UNKNOWN || !known) {
    bool counted = x->rank != PN_RANK_UNKNOWN && !known && pn_infer_length(c, 1, &count) && count > 0 &&
                   count <= (uint32_t)x->rank;
    int32_t rank = attrs->keep_dims ? x->rank : counted ? x->rank - (int32_t)count : PN_RANK_UNKNOWN;
    pn_infer_unknown(c, 0, x->dtype, rank);
    return PELTON_OK;
  }
  PN_TRY(reduced_axes(c->diag, attrs, axes, count, (uint32_t)x->rank, reduced));
  pn_type y = {.dtype = x->dtype};
  for (int32_t i = 0; i < x->rank; i++)
    if (!reduced[i] || attrs->keep_dims) y.dims[y.rank++] = reduced[i] ? pn_dim_of(1) : x->dims[i];
  c->out[0].type = y;
  return x->rank == 1 && reduced[0] ? reduce_content(c) : PELTON_OK;
}

/* ---- reference */

typedef struct reduction {
  pn_reduce_kind kind;
  const pn_tensor *x;
  pn_tensor *y;
  int64_t results, set_size; /* elements of y, and of x for each */
  pn_walk walk;              /* from: in x; to: in y */
} reduction;

static void set_identity(const reduction *r, int64_t index) {
  bool lowest = r->kind == PN_REDUCE_MAX;
  pelton_dtype dtype = r->y->dtype;
  if (pn_dtype_is_float(dtype)) {
    pn_tensor_set_f64(r->y, index, lowest ? -(double)INFINITY : (double)INFINITY);
    return;
  }
  uint32_t bits = pn_dtype_bits(dtype);
  bool is_signed = pn_dtype_is_signed(dtype);
  uint64_t greatest = UINT64_MAX >> (64 - bits + (is_signed ? 1 : 0));
  uint64_t least = is_signed ? ~greatest : 0;
  pn_tensor_set_i64(r->y, index, (int64_t)(lowest ? least : greatest));
}

/* The best element of every set; its position, or -1 for an empty set. */
static int64_t *find_best(reduction *r, bool greater, pn_arena *scratch) {
  int64_t *best = PN_NEW_ARRAY(scratch, int64_t, (size_t)r->results);
  if (!best) return NULL;
  for (int64_t i = 0; i < r->results; i++) best[i] = -1;
  pn_walk *w = &r->walk;
  if (!pn_walk_begin(w)) return best;
  do
    if (best[w->to] < 0 || pn_element_beats(r->x, w->from, r->x, best[w->to], greater)) best[w->to] = w->from;
  while (pn_walk_next(w));
  return best;
}

static pelton_status reduce_extreme(reduction *r, const pn_call *call) {
  size_t bytes = pelton_dtype_bytes(r->x->dtype);
  const int64_t *best = find_best(r, r->kind == PN_REDUCE_MAX, call->scratch);
  if (!best) return pn_fail_memory(call->diag, "reduce's positions");
  for (int64_t i = 0; i < r->results; i++)
    if (best[i] < 0)
      set_identity(r, i);
    else
      memcpy((char *)r->y->data + (size_t)i * bytes, (const char *)r->x->data + (size_t)best[i] * bytes, bytes);
  return PELTON_OK;
}

static pelton_status reduce_floats(reduction *r, const pn_call *call) {
  bool log_sum_exp = r->kind == PN_REDUCE_LOG_SUM_EXP, product = r->kind == PN_REDUCE_PROD;
  double *sum = PN_NEW_ARRAY(call->scratch, double, (size_t)r->results);
  /* exp(x - shift) with the set's greatest element as the shift overflows nowhere; an infinite one would make nan. */
  double *shift = PN_NEW_ARRAY(call->scratch, double, log_sum_exp ? (size_t)r->results : 0);
  const int64_t *best = log_sum_exp ? find_best(r, true, call->scratch) : NULL;
  if (!sum || !shift || (log_sum_exp && !best)) return pn_fail_memory(call->diag, "reduce's accumulators");
  for (int64_t i = 0; i < r->results; i++) {
    sum[i] = product ? 1 : 0;
    if (!log_sum_exp) continue;
    shift[i] = best[i] < 0 ? 0 : pn_tensor_get_f64(r->x, best[i]);
    if (isinf(shift[i])) shift[i] = 0;
  }
  pn_walk *w = &r->walk;
  if (pn_walk_begin(w)) do {
      double v = pn_tensor_get_f64(r->x, w->from), *s = &sum[w->to];
      switch (r->kind) {
      case PN_REDUCE_PROD: *s *= v; break;
      case PN_REDUCE_L1: *s += fabs(v); break;
      case PN_REDUCE_L2:
      case PN_REDUCE_SUM_SQUARE: *s += v * v; break;
      case PN_REDUCE_LOG_SUM_EXP: *s += exp(v - shift[w->to]); break;
      default: *s += v;
      }
    } while (pn_walk_next(w));
  for (int64_t i = 0; i < r->results; i++) {
    double s = sum[i];
    if (r->kind == PN_REDUCE_MEAN) s /= (double)r->set_size;
    if (r->kind == PN_REDUCE_L2) s = sqrt(s);
    if (r->kind == PN_REDUCE_LOG_SUM) s = log(s);
    if (log_sum_exp) s = log(s) + shift[i];
    pn_tensor_set_f64(r->y, i, s);
  }
  return PELTON_OK;
}

static pelton_status reduce_integers(reduction *r, const pn_call *call) {
  bool is_signed = pn_dtype_is_signed(r->x->dtype);
  uint64_t *sum = PN_NEW_ARRAY(call->scratch, uint64_t, (size_t)r->results);
  if (!sum) return pn_fail_memory(call->diag, "reduce's accumulators");
  for (int64_t i = 0; i < r->results; i++) sum[i] = r->kind == PN_REDUCE_PROD;
  pn_walk *w = &r->walk;
  if (pn_walk_begin(w)) do {
      uint64_t v = (uint64_t)pn_tensor_get_i64(r->x, w->from), *s = &sum[w->to];
      if (r->kind == PN_REDUCE_PROD)
        *s *= v;
      else if (r->kind == PN_REDUCE_SUM_SQUARE)
        *s += v * v;
      else if (r->kind == PN_REDUCE_L1 && is_signed && (int64_t)v < 0)
        *s -= v;
      else
        *s += v;
    } while (pn_walk_next(w));
  for (int64_t i = 0; i < r->results; i++) {
    uint64_t s = sum[i];
    bool mean = r->kind == PN_REDUCE_MEAN && r->set_size > 0;
    if (mean) s = is_signed ? (uint64_t)((int64_t)s / r->set_size) : s / (uint64_t)r->set_size;
    pn_tensor_set_i64(r->y, i, (int64_t)s);
  }
  return PELTON_OK;
}

pelton_status pn_reference_reduce(const pn_call *call) {
  const pn_attrs_reduce *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  const int64_t *axes = NULL;
  uint32_t count = 0, rank = 0;
  bool reduced[PN_MAX_RANK];
  int64_t dims[PN_MAX_RANK], strides[PN_MAX_RANK];
  if (pn_call_has(call, 1)) PN_TRY(pn_call_numbers(call, 1, &axes, &count));
  PN_TRY(reduced_axes(call->diag, attrs, axes, count, x->rank, reduced));
  for (uint32_t i = 0; i < x->rank; i++)
    if (!reduced[i] || attrs->keep_dims) dims[rank++] = reduced[i] ? 1 : x->dims[i];
  PN_TRY(pn_call_wants_result(call, "reduce", 0, rank, dims));
  reduction r = {.kind = attrs->kind, .x = x, .y = &call->out[0], .set_size = 1};
  r.results = pn_tensor_elements(r.y);
  pn_walk_init(&r.walk, x->rank, x->dims);
  pn_dims_strides(rank, dims, strides);
  for (uint32_t i = 0, k = 0; i < x->rank; i++) {
    r.walk.to_strides[i] = reduced[i] ? 0 : strides[k];
    if (!reduced[i] || attrs->keep_dims) k++;
    if (reduced[i]) r.set_size *= x->dims[i];
  }
  if (is_extreme(r.kind)) return reduce_extreme(&r, call);
  bool real = r.kind == PN_REDUCE_L2 || r.kind == PN_REDUCE_LOG_SUM || r.kind == PN_REDUCE_LOG_SUM_EXP;
  return real || pn_dtype_is_float(x->dtype) ? reduce_floats(&r, call) : reduce_integers(&r, call);
}
