/* An odometer over the elements of a box, with two offsets that move along: of where elements go and where they come
   from. Transpose, slice, concat, tile, ... are copies under some strides (zero: the same element again; negative:
   backwards); reductions walk the operand while the result's offset stands still on reduced axes.

     pn_walk w;
     pn_walk_init(&w, rank, dims);            both strides are row-major: change what differs
     if (pn_walk_begin(&w)) do use(w.to, w.from); while (pn_walk_next(&w)); */
#ifndef PN_OP_WALK_H
#define PN_OP_WALK_H

#include "op/type.h"

/* Twice a tensor's: tiling splits each axis in two. */
enum { PN_WALK_RANK = 2 * PELTON_MAX_RANK };

typedef struct pn_walk {
  uint32_t rank;
  int64_t dims[PN_WALK_RANK], index[PN_WALK_RANK];
  int64_t to_strides[PN_WALK_RANK], from_strides[PN_WALK_RANK]; /* in elements */
  int64_t to, from; /* offsets of the element at |index|; may start elsewhere than 0 */
} pn_walk;

/* A box of |rank| axes with row-major strides and offsets 0. */
void pn_walk_init(pn_walk *w, uint32_t rank, const int64_t *dims);

/* False when the box is empty. */
PN_INLINE bool pn_walk_begin(pn_walk *w) {
  for (uint32_t axis = 0; axis < w->rank; axis++) {
    w->index[axis] = 0;
    if (w->dims[axis] <= 0) return false;
  }
  return true;
}

/* The next element in row-major order of the box; false after the last, with the offsets where they began. */
PN_INLINE bool pn_walk_next(pn_walk *w) {
  for (uint32_t axis = w->rank; axis-- > 0;) {
    w->to += w->to_strides[axis];
    w->from += w->from_strides[axis];
    if (++w->index[axis] < w->dims[axis]) return true;
    w->to -= w->to_strides[axis] * w->dims[axis];
    w->from -= w->from_strides[axis] * w->dims[axis];
    w->index[axis] = 0;
  }
  return false;
}

/* Over the elements of a result of |dims|, with |w->from| at the element of |x| that numpy's broadcasting pairs with
   them. False when |x| does not broadcast to |dims|. */
bool pn_walk_broadcast(pn_walk *w, uint32_t rank, const int64_t *dims, const pn_tensor *x) PN_CHECKED;

/* Copies every element of the box, from |from| to |to|. */
void pn_walk_copy(pn_walk *w, void *to, const void *from, size_t element_bytes);

#endif
