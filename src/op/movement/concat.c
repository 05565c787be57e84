/* Joining tensors along an axis, and taking one apart: concat and split. Both see a tensor as [outer, axis, inner] and
   copy runs of axis * inner elements. */
#include "op/operand.h"

/* Elements before and after |axis|. */
static void around(const pn_tensor *x, uint32_t axis, int64_t *outer, int64_t *inner) {
  *outer = *inner = 1;
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis) *(i < axis ? outer : inner) *= x->dims[i];
}

/* ---- concat */

pelton_status pn_check_concat(const pn_infer *c) {
  for (uint32_t i = 0; i < c->input_count; i++) {
    if (!c->in[i].present)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "concat: operand %u is absent; leave it out of the list",
                     (unsigned)i);
    PN_TRY(pn_operand_wants_type_of(c, "concat", i, "an operand", 0));
    PN_TRY(pn_operand_wants_rank(c, "concat", i, "an operand", 1, PN_MAX_RANK));
  }
  return PELTON_OK;
}

static pelton_status concat_content(const pn_infer *c) {
  pn_dim content[PN_CONTENT_ELEMENTS];
  uint32_t total = 0;
  for (uint32_t i = 0; i < c->input_count; i++) {
    const pn_dim *part;
    uint32_t count;
    if (!pn_infer_content(c, i, &part, &count) || count > PN_CONTENT_ELEMENTS - total) return PELTON_OK;
    for (uint32_t k = 0; k < count; k++) content[total++] = part[k];
  }
  return pn_content_give(c, 0, content, total);
}

pelton_status pn_infer_concat(const pn_infer *c) {
  const pn_attrs_concat *attrs = c->attrs;
  pn_type result = {.dtype = c->in[0].type.dtype, .rank = PN_RANK_UNKNOWN};
  pn_dim sum = pn_dim_of(0);
  bool sum_known = true;
  uint32_t axis = 0;
  for (uint32_t i = 0; i < c->input_count; i++) {
    const pn_type *x = &c->in[i].type;
    if (x->rank == PN_RANK_UNKNOWN) {
      sum_known = false;
      continue;
    }
    if (result.rank == PN_RANK_UNKNOWN) {
      result = *x;
      PN_TRY(pn_axes_resolve(c->diag, "concat", &attrs->axis, 1, x->rank, &axis));
    }
    if (x->rank != result.rank)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "concat: operand %u has rank %d, one before it rank %d; ranks must be equal", (unsigned)i, x->rank,
                     result.rank);
    for (int32_t k = 0; k < x->rank; k++)
      if (k != (int32_t)axis && !pn_dim_unify(result.dims[k], x->dims[k], &result.dims[k]))
        return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                       "concat: operand %u has extent %lld on axis %d, one before it %lld; only axis %u may differ",
                       (unsigned)i, (long long)x->dims[k].number, k, (long long)result.dims[k].number, (unsigned)axis);
    sum = pn_dim_add(c->symbols, sum, x->dims[axis]);
  }
  if (result.rank != PN_RANK_UNKNOWN) result.dims[axis] = sum_known ? sum : pn_dim_fresh(c->symbols);
  c->out[0].type = result;
  return result.rank == 1 ? concat_content(c) : PELTON_OK;
}

pelton_status pn_reference_concat(const pn_call *call) {
  const pn_attrs_concat *attrs = call->attrs;
  const pn_tensor *y = &call->out[0];
  size_t bytes = pelton_dtype_bytes(y->dtype);
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "concat", &attrs->axis, 1, y->rank, &axis));
  int64_t outer, inner, at = 0, wanted[PN_MAX_RANK];
  around(y, axis, &outer, &inner);
  memcpy(wanted, y->dims, sizeof wanted);
  wanted[axis] = 0;
  for (uint32_t i = 0; i < call->input_count; i++) {
    const pn_tensor *x = &call->in[i];
    if (x->rank != y->rank) return PN_INTERNAL(call->diag, "concat of unlike ranks");
    for (uint32_t k = 0; k < x->rank; k++)
      if (k != axis && x->dims[k] != y->dims[k])
        return pn_fail(call->diag, PELTON_INVALID_DATA,
                       "concat: operand %u has extent %lld on axis %u, the result %lld", (unsigned)i,
                       (long long)x->dims[k], (unsigned)k, (long long)y->dims[k]);
    wanted[axis] += x->dims[axis];
  }
  PN_TRY(pn_call_wants_result(call, "concat", 0, y->rank, wanted));
  for (uint32_t i = 0; i < call->input_count; i++) {
    const pn_tensor *x = &call->in[i];
    size_t run = (size_t)(x->dims[axis] * inner) * bytes, row = (size_t)(y->dims[axis] * inner) * bytes;
    for (int64_t k = 0; run > 0 && k < outer; k++)
      memcpy((char *)y->data + (size_t)k * row + (size_t)(at * inner) * bytes, (const char *)x->data + (size_t)k * run,
             run);
    at += x->dims[axis];
  }
  return PELTON_OK;
}

/* ---- split */

pelton_status pn_check_split(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "split", 0, "the operand", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "split", 1, "sizes"));
  return pn_operand_wants_rank(c, "split", 1, "sizes", 1, 1);
}

/* Part |i| of |count| equal ones, the last one smaller. */
static pn_dim equal_part(const pn_infer *c, pn_dim extent, uint32_t i, uint32_t count) {
  pn_dim part = pn_dim_ceil_div(c->symbols, extent, pn_dim_of(count));
  if (i + 1 < count) return part;
  return pn_dim_sub(c->symbols, extent, pn_dim_mul(c->symbols, part, pn_dim_of(count - 1)));
}

static pelton_status check_sizes(const pn_infer *c, const pn_dim *sizes, uint32_t count, pn_dim extent) {
  if (count != c->output_count)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "split: %u sizes for %u results; give one each", (unsigned)count,
                   (unsigned)c->output_count);
  pn_dim sum = pn_dim_of(0);
  for (uint32_t i = 0; i < count; i++) {
    if (pn_dim_is_number(sizes[i]) && sizes[i].number < 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "split: size %u is %lld; sizes are 0 or more", (unsigned)i,
                     (long long)sizes[i].number);
    sum = pn_dim_add(c->symbols, sum, sizes[i]);
  }
  if (pn_dim_is_number(sum) && pn_dim_is_number(extent) && sum.number != extent.number)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "split: the sizes add up to %lld, the axis has %lld",
                   (long long)sum.number, (long long)extent.number);
  return PELTON_OK;
}

/* A list that is taken apart: the parts of its content. */
static pelton_status split_content(const pn_infer *c) {
  const pn_dim *x;
  uint32_t count, at = 0;
  if (c->in[0].type.rank != 1 || !pn_infer_content(c, 0, &x, &count)) return PELTON_OK;
  for (uint32_t i = 0; i < c->output_count; i++) {
    pn_dim size = c->out[i].type.dims[0];
    if (!pn_dim_is_number(size) || size.number > count - at) return PELTON_OK;
    PN_TRY(pn_content_give(c, i, x + at, (uint32_t)size.number));
    at += (uint32_t)size.number;
  }
  return PELTON_OK;
}

pelton_status pn_infer_split(const pn_infer *c) {
  const pn_attrs_split *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  const pn_dim *sizes = NULL;
  uint32_t axis, count = 0;
  bool listed = pn_infer_has(c, 1), known = listed && pn_infer_content(c, 1, &sizes, &count);
  if (x->rank == PN_RANK_UNKNOWN) {
    for (uint32_t i = 0; i < c->output_count; i++) pn_infer_unknown(c, i, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  PN_TRY(pn_axes_resolve(c->diag, "split", &attrs->axis, 1, x->rank, &axis));
  if (known) PN_TRY(check_sizes(c, sizes, count, x->dims[axis]));
  for (uint32_t i = 0; i < c->output_count; i++) {
    pn_infer_same(c, i);
    pn_dim *size = &c->out[i].type.dims[axis];
    if (!listed)
      *size = equal_part(c, x->dims[axis], i, c->output_count);
    else
      *size = known ? sizes[i] : pn_dim_fresh(c->symbols);
    if (pn_dim_is_number(*size) && size->number < 0)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "split: an extent of %lld does not give %u parts of equal size",
                     (long long)x->dims[axis].number, (unsigned)c->output_count);
  }
  return split_content(c);
}

pelton_status pn_reference_split(const pn_call *call) {
  const pn_attrs_split *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  size_t bytes = pelton_dtype_bytes(x->dtype);
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "split", &attrs->axis, 1, x->rank, &axis));
  int64_t outer, inner, extent = x->dims[axis], part = pn_div_up(extent, call->output_count), at = 0;
  const int64_t *sizes = NULL;
  uint32_t count = call->output_count;
  if (pn_call_has(call, 1)) PN_TRY(pn_call_numbers(call, 1, &sizes, &count));
  if (count != call->output_count) return PN_INTERNAL(call->diag, "split has other sizes than results");
  around(x, axis, &outer, &inner);
  for (uint32_t i = 0; i < count; i++) {
    const pn_tensor *y = &call->out[i];
    int64_t size = sizes ? sizes[i] : pn_min_i64(part, extent - at);
    if (size < 0 || size > extent - at)
      return pn_fail(call->diag, PELTON_INVALID_DATA, "split: size %u is %lld, where %lld of the axis are left",
                     (unsigned)i, (long long)size, (long long)(extent - at));
    size_t run = (size_t)(size * inner) * bytes, row = (size_t)(extent * inner) * bytes;
    if (y->data) {
      int64_t wanted[PN_MAX_RANK];
      memcpy(wanted, x->dims, sizeof wanted);
      wanted[axis] = size;
      PN_TRY(pn_call_wants_result(call, "split", i, x->rank, wanted));
      for (int64_t k = 0; run > 0 && k < outer; k++)
        memcpy((char *)y->data + (size_t)k * run,
               (const char *)x->data + (size_t)k * row + (size_t)(at * inner) * bytes, run);
    }
    at += size;
  }
  return PELTON_OK;
}
