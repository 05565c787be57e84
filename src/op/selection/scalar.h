/* Comparing single elements of tensors, exactly for every type: 64-bit integers do not fit a double, u64 not an int64.
   NaN counts as greater than every number where an order is needed (sorting, top k). Texts compare by their bytes,
   which for UTF-8 is the order of code points. */
#ifndef PN_OP_SCALAR_H
#define PN_OP_SCALAR_H

#include "op/type.h"

#include <math.h>

PN_INLINE bool pn_element_is_nan(const pn_tensor *x, int64_t index) {
  return pn_dtype_is_float(x->dtype) && isnan(pn_tensor_get_f64(x, index));
}

/* -1, 0 or 1 as a[i] is less than, equal to or greater than b[k]; both of the same type. */
int pn_element_compare(const pn_tensor *a, int64_t i, const pn_tensor *b, int64_t k);

/* a[i] is greater (less) than b[k]; NaN beats every number in both directions, as max and min hand it on. */
bool pn_element_beats(const pn_tensor *a, int64_t i, const pn_tensor *b, int64_t k, bool greater);

#endif
