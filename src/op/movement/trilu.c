/* Matrices by their diagonals: trilu keeps the triangle on one side of the k-th, eye_like sets the k-th to one. */
#include "op/operand.h"

/* ---- trilu */

pelton_status pn_check_trilu(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "trilu", 0, "the operand", 2, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "trilu", 1, "k"));
  return pn_operand_wants_scalar(c, "trilu", 1, "k");
}

pelton_status pn_infer_trilu(const pn_infer *c) {
  pn_infer_same(c, 0);
  return PELTON_OK;
}

pelton_status pn_reference_trilu(const pn_call *call) {
  const pn_attrs_trilu *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  int64_t rows = x->dims[x->rank - 2], columns = x->dims[x->rank - 1], k = 0;
  size_t bytes = pelton_dtype_bytes(x->dtype), row_bytes = (size_t)columns * bytes;
  PN_TRY(pn_call_wants_result(call, "trilu", 0, x->rank, x->dims));
  if (pn_call_has(call, 1) && pn_tensor_elements(&call->in[1]) == 1) k = pn_tensor_get_i64(&call->in[1], 0);
  k = pn_max_i64(pn_min_i64(k, columns), -rows); /* diagonals beyond lie beside the matrix, all alike */
  int64_t elements = pn_tensor_elements(x);
  for (int64_t i = 0; elements > 0 && i < elements / columns; i++) {
    char *to = (char *)y->data + (size_t)i * row_bytes;
    const char *from = (const char *)x->data + (size_t)i * row_bytes;
    /* The upper triangle begins on the diagonal, the lower one ends on it. */
    int64_t cut = i % rows + k + (attrs->upper ? 0 : 1);
    size_t left = (size_t)pn_max_i64(0, pn_min_i64(cut, columns)) * bytes;
    if (attrs->upper) {
      memset(to, 0, left);
      memcpy(to + left, from + left, row_bytes - left);
    } else {
      memcpy(to, from, left);
      memset(to + left, 0, row_bytes - left);
    }
  }
  return PELTON_OK;
}

/* ---- eye_like */

pelton_status pn_check_eye_like(const pn_infer *c) {
  return pn_operand_wants_rank(c, "eye_like", 0, "the operand", 2, 2);
}

pelton_status pn_infer_eye_like(const pn_infer *c) {
  const pn_attrs_eye_like *attrs = c->attrs;
  pelton_dtype dtype = attrs->dtype != PELTON_DTYPE_NONE ? attrs->dtype : c->in[0].type.dtype;
  if (c->in[0].type.rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, dtype, 2);
    return PELTON_OK;
  }
  pn_infer_same(c, 0);
  c->out[0].type.dtype = dtype;
  return PELTON_OK;
}

pelton_status pn_reference_eye_like(const pn_call *call) {
  const pn_attrs_eye_like *attrs = call->attrs;
  pn_tensor *y = &call->out[0];
  int64_t rows = y->dims[0], columns = y->dims[1];
  size_t bytes = (size_t)(rows * columns) * pelton_dtype_bytes(y->dtype);
  if (bytes > 0) memset(y->data, 0, bytes);
  int64_t k = pn_max_i64(pn_min_i64(attrs->k, columns), -rows);
  for (int64_t row = pn_max_i64(0, -k); row < rows && row + k < columns; row++)
    pn_tensor_set_f64(y, row * columns + row + k, 1.0);
  return PELTON_OK;
}
