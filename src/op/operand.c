/* See operand.h. */
#include "op/operand.h"

pelton_status pn_operand_wants_indices(const pn_infer *c, const char *op, uint32_t i, const char *name) {
  if (!pn_infer_has(c, i)) return PELTON_OK;
  pelton_dtype dtype = c->in[i].type.dtype;
  if (dtype == PELTON_DTYPE_I64 || dtype == PELTON_DTYPE_I32) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s is of type %s; it must be i64 or i32", op, name,
                 pelton_dtype_name(dtype));
}

pelton_status pn_operand_wants_rank(const pn_infer *c, const char *op, uint32_t i, const char *name, int32_t least,
                                    int32_t most) {
  if (!pn_infer_has(c, i)) return PELTON_OK;
  int32_t rank = c->in[i].type.rank;
  if (rank == PN_RANK_UNKNOWN || (rank >= least && rank <= most)) return PELTON_OK;
  if (least == most)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s has rank %d; it must have rank %d", op, name, rank, least);
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s has rank %d; it must be from %d to %d", op, name, rank,
                 least, most);
}

pelton_status pn_operand_wants_type_of(const pn_infer *c, const char *op, uint32_t i, const char *name, uint32_t like) {
  if (!pn_infer_has(c, i) || !pn_infer_has(c, like)) return PELTON_OK;
  pelton_dtype dtype = c->in[i].type.dtype, wanted = c->in[like].type.dtype;
  if (dtype == wanted) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s is of type %s, operand %u of type %s; they must be equal",
                 op, name, pelton_dtype_name(dtype), (unsigned)like, pelton_dtype_name(wanted));
}

pelton_status pn_operand_wants_texts(const pn_infer *c, const char *op, uint32_t i, const char *name) {
  if (!pn_infer_has(c, i) || c->in[i].type.dtype == PELTON_DTYPE_STRING) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s is of type %s; it must be %s", op, name,
                 pelton_dtype_name(c->in[i].type.dtype), pelton_dtype_name(PELTON_DTYPE_STRING));
}

pelton_status pn_operand_wants_scalar(const pn_infer *c, const char *op, uint32_t i, const char *name) {
  if (!pn_infer_has(c, i)) return PELTON_OK;
  const pn_type *type = &c->in[i].type;
  for (int32_t axis = 0; axis < type->rank; axis++)
    if (pn_dim_is_number(type->dims[axis]) && type->dims[axis].number != 1)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: %s has extent %lld on axis %d; it must be one element", op,
                     name, (long long)type->dims[axis].number, axis);
  return PELTON_OK;
}

pelton_status pn_axes_resolve(pelton_diag *diag, const char *op, const int64_t *axes, uint32_t count, int64_t rank,
                              uint32_t *out) {
  uint64_t seen = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (axes[i] < -rank || axes[i] >= rank)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: axis %lld lies outside a tensor of rank %lld", op,
                     (long long)axes[i], (long long)rank);
    uint32_t axis = (uint32_t)(axes[i] < 0 ? axes[i] + rank : axes[i]);
    if (seen >> axis & 1)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT, "%s: axis %u is named twice; name each once", op, (unsigned)axis);
    seen |= (uint64_t)1 << axis;
    out[i] = axis;
  }
  return PELTON_OK;
}

pelton_status pn_index_resolve(pelton_diag *diag, const char *op, int64_t value, int64_t extent, int64_t *out) {
  if (value < -extent || value >= extent)
    return pn_fail(diag, PELTON_INVALID_DATA, "%s: index %lld lies outside an extent of %lld", op, (long long)value,
                   (long long)extent);
  *out = value < 0 ? value + extent : value;
  return PELTON_OK;
}

pelton_status pn_content_give(const pn_infer *c, uint32_t i, const pn_dim *content, uint32_t count) {
  pelton_dtype dtype = c->out[i].type.dtype;
  if (count > PN_CONTENT_ELEMENTS || (dtype != PELTON_DTYPE_I64 && dtype != PELTON_DTYPE_I32)) return PELTON_OK;
  for (uint32_t k = 0; dtype == PELTON_DTYPE_I32 && k < count; k++)
    if (content[k].number < INT32_MIN || content[k].number > INT32_MAX) return PELTON_OK;
  pn_dim *copy = PN_NEW_ARRAY(c->arena, pn_dim, count);
  if (!copy) return pn_fail_memory(c->diag, "the content of a shape");
  for (uint32_t k = 0; k < count; k++) copy[k] = content[k];
  c->out[i].content = copy;
  return PELTON_OK;
}

void pn_content_pass(const pn_infer *c) {
  const pn_dim *content;
  uint32_t count;
  if (c->in[0].content)
    c->out[0].content = c->in[0].content;
  else if (pn_infer_content(c, 0, &content, &count) && count <= PN_CONTENT_ELEMENTS)
    c->out[0].content = content;
}

bool pn_dim_unify(pn_dim a, pn_dim b, pn_dim *out) {
  *out = pn_dim_is_number(b) ? b : a;
  return !pn_dim_is_number(a) || !pn_dim_is_number(b) || a.number == b.number;
}

void pn_infer_same(const pn_infer *c, uint32_t i) { c->out[i].type = c->in[0].type; }

bool pn_infer_length(const pn_infer *c, uint32_t i, uint32_t *out) {
  const pn_type *type = &c->in[i].type;
  *out = 1;
  if (type->rank == 0) return true;
  if (type->rank != 1 || !pn_dim_is_number(type->dims[0]) || type->dims[0].number > PN_CONTENT_ELEMENTS) return false;
  *out = (uint32_t)type->dims[0].number;
  return true;
}

pelton_status pn_call_numbers(const pn_call *call, uint32_t i, const int64_t **out, uint32_t *count) {
  int64_t elements = pn_tensor_elements(&call->in[i]);
  if (elements > UINT32_MAX)
    return pn_fail(call->diag, PELTON_UNSUPPORTED, "operand %u lists %lld integers; the limit is %u", (unsigned)i,
                   (long long)elements, (unsigned)UINT32_MAX);
  int64_t *numbers = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)elements);
  if (!numbers) return pn_fail_memory(call->diag, "an operand's integers");
  for (int64_t k = 0; k < elements; k++) numbers[k] = pn_tensor_get_i64(&call->in[i], k);
  *out = numbers;
  *count = (uint32_t)elements;
  return PELTON_OK;
}

pelton_status pn_call_wants_result(const pn_call *call, const char *op, uint32_t i, uint32_t rank,
                                   const int64_t *dims) {
  const pn_tensor *out = &call->out[i];
  bool equal = out->rank == rank;
  for (uint32_t axis = 0; equal && axis < rank; axis++) equal = out->dims[axis] == dims[axis];
  if (equal) return PELTON_OK;
  return pn_fail(call->diag, PELTON_INTERNAL,
                 "internal error: %s: result %u was planned with another shape than its operands give", op,
                 (unsigned)i);
}

pelton_status pn_call_resize(const pn_call *call, uint32_t i, uint32_t rank, const int64_t *dims) {
  pn_call own = *call; /* the results behind |out| are shared */
  return call->resize_output(&own, i, rank, dims);
}
