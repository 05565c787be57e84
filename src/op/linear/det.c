/* det: determinants of square matrices, by elimination with the greatest pivot of each column, in double. */
#include "op/operand.h"

#include <math.h>

pelton_status pn_check_det(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "det", 0, "the operand", 2, PN_MAX_RANK));
  if (pn_dtype_is_float(c->in[0].type.dtype)) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "det: the operand is of type %s; it must be a float type",
                 pelton_dtype_name(c->in[0].type.dtype));
}

pelton_status pn_infer_det(const pn_infer *c) {
  const pn_type *x = &c->in[0].type;
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  pn_dim rows = x->dims[x->rank - 2], columns = x->dims[x->rank - 1], d;
  if (!pn_dim_unify(rows, columns, &d))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "det: matrices of %lld x %lld; they must be square",
                   (long long)rows.number, (long long)columns.number);
  pn_infer_same(c, 0);
  c->out[0].type.rank = x->rank - 2;
  return PELTON_OK;
}

/* Of the n x n matrix |m|, which is worn down to a triangle. */
static double determinant(double *m, int64_t n) {
  double product = 1;
  for (int64_t k = 0; k < n; k++) {
    int64_t pivot = k;
    for (int64_t row = k + 1; row < n; row++)
      if (fabs(m[row * n + k]) > fabs(m[pivot * n + k])) pivot = row;
    if (m[pivot * n + k] == 0) return 0;
    for (int64_t column = k; pivot != k && column < n; column++) {
      double swap = m[k * n + column];
      m[k * n + column] = m[pivot * n + column];
      m[pivot * n + column] = swap;
    }
    product *= pivot != k ? -m[k * n + k] : m[k * n + k];
    for (int64_t row = k + 1; row < n; row++) {
      double factor = m[row * n + k] / m[k * n + k];
      for (int64_t column = k; column < n; column++) m[row * n + column] -= factor * m[k * n + column];
    }
  }
  return product;
}

pelton_status pn_reference_det(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  int64_t n = x->dims[x->rank - 1], count = pn_tensor_elements(&call->out[0]);
  if (x->dims[x->rank - 2] != n)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "det: matrices of %lld x %lld; they must be square",
                   (long long)x->dims[x->rank - 2], (long long)n);
  PN_TRY(pn_call_wants_result(call, "det", 0, x->rank - 2, x->dims));
  double *m = PN_NEW_ARRAY(call->scratch, double, (size_t)(n * n));
  if (!m) return pn_fail_memory(call->diag, "det's matrix");
  for (int64_t i = 0; i < count; i++) {
    for (int64_t k = 0; k < n * n; k++) m[k] = pn_tensor_get_f64(x, i * n * n + k);
    pn_tensor_set_f64(&call->out[0], i, determinant(m, n));
  }
  return PELTON_OK;
}
