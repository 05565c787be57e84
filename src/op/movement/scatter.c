/* Writing at indices: scatter_elements (one element for each index), scatter_nd (index tuples), tensor_scatter (a run
   of a cache, at a position for each batch element). All begin with a copy of the operand; updates that meet on one
   element apply in their order. */
#include "op/operand.h"
#include "op/selection/scalar.h"
#include "op/movement/walk.h"

static pelton_status copy_operand(const pn_call *call, const char *op) {
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  PN_TRY(pn_call_wants_result(call, op, 0, x->rank, x->dims));
  size_t bytes = (size_t)pn_tensor_elements(x) * pelton_dtype_bytes(x->dtype);
  if (bytes > 0 && y->data != x->data) memcpy(y->data, x->data, bytes);
  return PELTON_OK;
}

/* y[to] = y[to] (reduction) updates[from]. Sums and products of booleans are or and and. */
static void apply(pn_scatter_reduction reduction, pn_tensor *y, int64_t to, const pn_tensor *updates, int64_t from) {
  size_t bytes = pelton_dtype_bytes(y->dtype);
  if (reduction == PN_SCATTER_NONE) {
    memcpy((char *)y->data + (size_t)to * bytes, (const char *)updates->data + (size_t)from * bytes, bytes);
    return;
  }
  if (reduction == PN_SCATTER_MAX || reduction == PN_SCATTER_MIN) {
    bool greater = reduction == PN_SCATTER_MAX;
    bool keeps = pn_element_is_nan(y, to) || !pn_element_beats(updates, from, y, to, greater);
    if (!keeps) memcpy((char *)y->data + (size_t)to * bytes, (const char *)updates->data + (size_t)from * bytes, bytes);
  } else if (pn_dtype_is_float(y->dtype)) {
    double a = pn_tensor_get_f64(y, to), b = pn_tensor_get_f64(updates, from);
    pn_tensor_set_f64(y, to, reduction == PN_SCATTER_ADD ? a + b : a * b);
  } else {
    uint64_t a = (uint64_t)pn_tensor_get_i64(y, to), b = (uint64_t)pn_tensor_get_i64(updates, from);
    uint64_t result = reduction == PN_SCATTER_ADD ? a + b : a * b;
    pn_tensor_set_i64(y, to, y->dtype == PELTON_DTYPE_BOOL ? result != 0 : (int64_t)result);
  }
}

static pelton_status wants_numbers(const pn_infer *c, const char *op, pn_scatter_reduction reduction) {
  if (reduction == PN_SCATTER_NONE || !pn_dtype_points(c->in[0].type.dtype)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: elements of type %s cannot be reduced; use reduction=none", op,
                 pelton_dtype_name(c->in[0].type.dtype));
}

/* ---- scatter_elements */

pelton_status pn_check_scatter_elements(const pn_infer *c) {
  const pn_attrs_scatter_elements *attrs = c->attrs;
  PN_TRY(wants_numbers(c, "scatter_elements", attrs->reduction));
  PN_TRY(pn_operand_wants_rank(c, "scatter_elements", 0, "the operand", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "scatter_elements", 1, "indices"));
  PN_TRY(pn_operand_wants_type_of(c, "scatter_elements", 2, "updates", 0));
  int32_t rank = c->in[0].type.rank;
  if (rank == PN_RANK_UNKNOWN) return PELTON_OK;
  PN_TRY(pn_operand_wants_rank(c, "scatter_elements", 1, "indices", rank, rank));
  return pn_operand_wants_rank(c, "scatter_elements", 2, "updates", rank, rank);
}

pelton_status pn_infer_scatter_elements(const pn_infer *c) {
  const pn_attrs_scatter_elements *attrs = c->attrs;
  const pn_type *x = &c->in[0].type, *indices = &c->in[1].type, *updates = &c->in[2].type;
  uint32_t axis;
  pn_infer_same(c, 0);
  if (x->rank != PN_RANK_UNKNOWN) PN_TRY(pn_axes_resolve(c->diag, "scatter_elements", &attrs->axis, 1, x->rank, &axis));
  for (int32_t i = 0; indices->rank == updates->rank && i < indices->rank; i++) {
    pn_dim d;
    if (!pn_dim_unify(indices->dims[i], updates->dims[i], &d))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "scatter_elements: indices have extent %lld on axis %d, updates %lld; shapes must be equal",
                     (long long)indices->dims[i].number, i, (long long)updates->dims[i].number);
  }
  return PELTON_OK;
}

pelton_status pn_reference_scatter_elements(const pn_call *call) {
  const pn_attrs_scatter_elements *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *indices = &call->in[1], *updates = &call->in[2];
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "scatter_elements", &attrs->axis, 1, x->rank, &axis));
  if (indices->rank != x->rank || updates->rank != x->rank) return PN_INTERNAL(call->diag, "scatter of unlike ranks");
  for (uint32_t i = 0; i < x->rank; i++)
    if (indices->dims[i] != updates->dims[i] || (i != axis && indices->dims[i] > x->dims[i]))
      return pn_fail(
          call->diag, PELTON_INVALID_DATA,
          "scatter_elements: on axis %u indices have extent %lld, updates %lld, the operand %lld; indices and "
          "updates must be equal, and longer than the operand on axis %u only",
          (unsigned)i, (long long)indices->dims[i], (long long)updates->dims[i], (long long)x->dims[i], (unsigned)axis);
  PN_TRY(copy_operand(call, "scatter_elements"));
  pn_walk w; /* from: in indices and updates; to: in the result, without the scattered axis */
  pn_walk_init(&w, x->rank, indices->dims);
  pn_dims_strides(x->rank, x->dims, w.to_strides);
  int64_t stride = w.to_strides[axis], at;
  w.to_strides[axis] = 0;
  if (!pn_walk_begin(&w)) return PELTON_OK;
  do {
    PN_TRY(pn_index_resolve(call->diag, "scatter_elements", pn_tensor_get_i64(indices, w.from), x->dims[axis], &at));
    apply(attrs->reduction, &call->out[0], w.to + at * stride, updates, w.from);
  } while (pn_walk_next(&w));
  return PELTON_OK;
}

/* ---- scatter_nd */

pelton_status pn_check_scatter_nd(const pn_infer *c) {
  const pn_attrs_scatter_nd *attrs = c->attrs;
  PN_TRY(wants_numbers(c, "scatter_nd", attrs->reduction));
  PN_TRY(pn_operand_wants_rank(c, "scatter_nd", 0, "the operand", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_rank(c, "scatter_nd", 1, "indices", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "scatter_nd", 1, "indices"));
  return pn_operand_wants_type_of(c, "scatter_nd", 2, "updates", 0);
}

pelton_status pn_infer_scatter_nd(const pn_infer *c) {
  const pn_type *x = &c->in[0].type, *indices = &c->in[1].type, *updates = &c->in[2].type;
  pn_infer_same(c, 0);
  if (x->rank == PN_RANK_UNKNOWN || indices->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  pn_dim last = indices->dims[indices->rank - 1];
  if (!pn_dim_is_number(last)) return PELTON_OK;
  if (last.number < 0 || last.number > x->rank)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "scatter_nd: index tuples have %lld elements, the operand rank %d",
                   (long long)last.number, x->rank);
  int64_t rank = indices->rank - 1 + x->rank - last.number;
  if (updates->rank != PN_RANK_UNKNOWN && updates->rank != rank)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "scatter_nd: updates have rank %d; these indices ask for rank %lld", updates->rank, (long long)rank);
  return PELTON_OK;
}

/* What message passing in graphs spends its time in. */
static void add_f32(int64_t n, const float *from, float *to) {
  for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

pelton_status pn_reference_scatter_nd(const pn_call *call) {
  const pn_attrs_scatter_nd *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *indices = &call->in[1], *updates = &call->in[2];
  int64_t tuple = indices->dims[indices->rank - 1], count = 1, inner = 1, strides[PN_MAX_RANK], at;
  size_t bytes = pelton_dtype_bytes(x->dtype);
  if (tuple > x->rank) return PN_INTERNAL(call->diag, "scatter_nd tuples are too long");
  for (uint32_t i = 0; i + 1 < indices->rank; i++) count *= indices->dims[i];
  for (uint32_t i = (uint32_t)tuple; i < x->rank; i++) inner *= x->dims[i];
  if (pn_tensor_elements(updates) != count * inner)
    return pn_fail(
        call->diag, PELTON_INVALID_DATA, "scatter_nd: %lld updates; %lld tuples of %lld elements each ask for %lld",
        (long long)pn_tensor_elements(updates), (long long)count, (long long)inner, (long long)(count * inner));
  PN_TRY(copy_operand(call, "scatter_nd"));
  pn_dims_strides(x->rank, x->dims, strides);
  for (int64_t i = 0; i < count; i++) {
    int64_t to = 0;
    for (int64_t k = 0; k < tuple; k++) {
      PN_TRY(pn_index_resolve(call->diag, "scatter_nd", pn_tensor_get_i64(indices, i * tuple + k), x->dims[k], &at));
      to += at * strides[k];
    }
    if (attrs->reduction == PN_SCATTER_NONE)
      memcpy((char *)call->out[0].data + (size_t)to * bytes, (const char *)updates->data + (size_t)(i * inner) * bytes,
             (size_t)inner * bytes);
    else if (attrs->reduction == PN_SCATTER_ADD && x->dtype == PELTON_DTYPE_F32)
      add_f32(inner, (const float *)updates->data + i * inner, (float *)call->out[0].data + to);
    else
      for (int64_t k = 0; k < inner; k++) apply(attrs->reduction, &call->out[0], to + k, updates, i * inner + k);
  }
  return PELTON_OK;
}

/* ---- tensor_scatter */

pelton_status pn_check_tensor_scatter(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "tensor_scatter", 0, "past_cache", 2, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_type_of(c, "tensor_scatter", 1, "update", 0));
  PN_TRY(pn_operand_wants_indices(c, "tensor_scatter", 2, "write_indices"));
  return pn_operand_wants_rank(c, "tensor_scatter", 2, "write_indices", 1, 1);
}

static pelton_status scatter_axis(pelton_diag *diag, int64_t wanted, int64_t rank, uint32_t *axis) {
  PN_TRY(pn_axes_resolve(diag, "tensor_scatter", &wanted, 1, rank, axis));
  if (*axis > 0) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "tensor_scatter: axis %lld is the batch; name the sequence's axis",
                 (long long)wanted);
}

pelton_status pn_infer_tensor_scatter(const pn_infer *c) {
  const pn_attrs_tensor_scatter *attrs = c->attrs;
  const pn_type *x = &c->in[0].type, *update = &c->in[1].type;
  uint32_t axis;
  pn_infer_same(c, 0);
  if (x->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  PN_TRY(scatter_axis(c->diag, attrs->axis, x->rank, &axis));
  if (update->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  PN_TRY(pn_operand_wants_rank(c, "tensor_scatter", 1, "update", x->rank, x->rank));
  for (int32_t i = 0; i < x->rank; i++) {
    pn_dim d, a = x->dims[i], b = update->dims[i];
    bool fits = i != (int32_t)axis ? pn_dim_unify(a, b, &d)
                                   : !pn_dim_is_number(a) || !pn_dim_is_number(b) || b.number <= a.number;
    if (!fits)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "tensor_scatter: update has extent %lld on axis %d, the cache %lld; it "
                     "must be equal, or at most that on axis %u",
                     (long long)b.number, i, (long long)a.number, (unsigned)axis);
  }
  return PELTON_OK;
}

pelton_status pn_reference_tensor_scatter(const pn_call *call) {
  const pn_attrs_tensor_scatter *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *update = &call->in[1];
  uint32_t axis;
  PN_TRY(scatter_axis(call->diag, attrs->axis, x->rank, &axis));
  int64_t middle = 1, inner = 1, most = x->dims[axis], length = update->dims[axis], batch = x->dims[0];
  for (uint32_t i = 1; i < x->rank; i++)
    if (i != axis) *(i < axis ? &middle : &inner) *= x->dims[i];
  if (pn_tensor_elements(update) != batch * middle * length * inner || length > most)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "tensor_scatter: the update does not fit the cache's shape");
  if (pn_call_has(call, 2) && call->in[2].dims[0] != batch)
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "tensor_scatter: %lld write_indices for a batch of %lld; give one each",
                   (long long)call->in[2].dims[0], (long long)batch);
  PN_TRY(copy_operand(call, "tensor_scatter"));
  size_t run = (size_t)inner * pelton_dtype_bytes(x->dtype);
  for (int64_t n = 0; run > 0 && most > 0 && n < batch; n++) {
    int64_t first = pn_call_has(call, 2) ? pn_tensor_get_i64(&call->in[2], n) : 0;
    if (attrs->circular)
      first = (first % most + most) % most;
    else if (first < 0 || first > most - length)
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "tensor_scatter: write index %lld and %lld new elements pass the cache's extent %lld",
                     (long long)first, (long long)length, (long long)most);
    for (int64_t m = n * middle; m < (n + 1) * middle; m++)
      for (int64_t s = 0; s < length; s++)
        memcpy((char *)call->out[0].data + (size_t)(m * most + (first + s) % most) * run,
               (const char *)update->data + (size_t)(m * length + s) * run, run);
  }
  return PELTON_OK;
}
