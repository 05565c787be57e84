/* How an operand that broadcasts into a result is walked along the result's stored axes. */
#ifndef PN_TARGET_STRIDES_H
#define PN_TARGET_STRIDES_H

#include "target/problem.h"

/* Where axis |d| of the dims stands in storage. */
PN_INLINE uint32_t pn_layout_place(pn_layout layout, uint32_t rank, uint32_t d) {
  if (layout == PN_LAYOUT_PLAIN || rank < 3 || d == 0) return d;
  return d == 1 ? rank - 1 : d - 1;
}

/* Strides in elements along |o|'s own axes, in their logical order, whatever the layout: where axis |d| moves by one.
 */
PN_INLINE void pn_operand_axis_strides(const pn_operand *o, int64_t *strides) {
  int64_t stored[PN_MAX_RANK], own[PN_MAX_RANK];
  pn_layout_stored_dims(o->layout, o->rank, o->dims, stored);
  pn_dims_strides(o->rank, stored, own);
  for (uint32_t d = 0; d < o->rank; d++) strides[d] = own[pn_layout_place(o->layout, o->rank, d)];
}

/* Strides in elements of |o| along the stored axes of |out| (0 where it broadcasts); false when it has more axes. */
PN_INLINE bool pn_operand_strides(const pn_operand *o, const pn_operand *out, int64_t *strides) {
  int64_t own[PN_MAX_RANK], logical[PN_MAX_RANK] = {0}, stored[PN_MAX_RANK];
  if (o->rank > out->rank) return false;
  pn_layout_stored_dims(o->layout, o->rank, o->dims, stored);
  pn_dims_strides(o->rank, stored, own);
  for (uint32_t d = 0; d < o->rank; d++)
    if (o->dims[d] != 1) logical[out->rank - o->rank + d] = own[pn_layout_place(o->layout, o->rank, d)];
  for (uint32_t d = 0; d < out->rank; d++) strides[pn_layout_place(out->layout, out->rank, d)] = logical[d];
  return true;
}

#endif
