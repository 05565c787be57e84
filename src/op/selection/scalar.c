/* See scalar.h. */
#include "op/selection/scalar.h"

#include "op/text/strings.h"

int pn_element_compare(const pn_tensor *a, int64_t i, const pn_tensor *b, int64_t k) {
  if (pn_dtype_is_float(a->dtype)) {
    double x = pn_tensor_get_f64(a, i), y = pn_tensor_get_f64(b, k);
    if (isnan(x) || isnan(y)) return (isnan(x) != 0) - (isnan(y) != 0);
    return (x > y) - (x < y);
  }
  if (a->dtype == PELTON_DTYPE_STRING) return pn_str_compare(pn_tensor_str(a, i), pn_tensor_str(b, k));
  int64_t x = pn_tensor_get_i64(a, i), y = pn_tensor_get_i64(b, k);
  if (a->dtype == PELTON_DTYPE_U64) return ((uint64_t)x > (uint64_t)y) - ((uint64_t)x < (uint64_t)y);
  return (x > y) - (x < y);
}

bool pn_element_beats(const pn_tensor *a, int64_t i, const pn_tensor *b, int64_t k, bool greater) {
  if (pn_element_is_nan(b, k)) return false;
  if (pn_element_is_nan(a, i)) return true;
  int order = pn_element_compare(a, i, b, k);
  return greater ? order > 0 : order < 0;
}
