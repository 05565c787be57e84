/* Copies under strides: runs of contiguous elements go by memcpy, everything else element by element, the innermost
   axis in a loop of its own so that the odometer turns once a row. */
#include "op/movement/walk.h"

#include "base/bytes.h"

void pn_walk_init(pn_walk *w, uint32_t rank, const int64_t *dims) {
  memset(w, 0, sizeof *w);
  w->rank = rank;
  int64_t stride = 1;
  for (uint32_t axis = rank; axis-- > 0;) {
    w->dims[axis] = dims[axis];
    w->to_strides[axis] = w->from_strides[axis] = stride;
    stride *= dims[axis];
  }
}

bool pn_walk_broadcast(pn_walk *w, uint32_t rank, const int64_t *dims, const pn_tensor *x) {
  int64_t strides[PN_MAX_RANK];
  if (x->rank > rank) return false;
  const uint32_t skip = rank - x->rank;
  pn_dims_strides(x->rank, x->dims, strides);
  pn_walk_init(w, rank, dims);
  for (uint32_t i = 0; i < rank; i++) {
    const bool moves = i >= skip && x->dims[i - skip] != 1;
    if (moves && x->dims[i - skip] != dims[i]) return false;
    w->from_strides[i] = moves ? strides[i - skip] : 0;
  }
  return true;
}

static void copy_row(char *to, int64_t to_stride, const char *from, int64_t from_stride, int64_t count, size_t bytes) {
  if (to_stride == 1 && from_stride == 1) {
    memcpy(to, from, (size_t)count * bytes);
    return;
  }
  ptrdiff_t to_step = (ptrdiff_t)to_stride * (ptrdiff_t)bytes, from_step = (ptrdiff_t)from_stride * (ptrdiff_t)bytes;
  for (int64_t i = 0; i < count; i++) memcpy(to + i * to_step, from + i * from_step, bytes);
}

void pn_walk_copy(pn_walk *w, void *to, const void *from, size_t element_bytes) {
  char *out = to;
  const char *in = from;
  if (!pn_walk_begin(w)) return;
  ptrdiff_t bytes = (ptrdiff_t)element_bytes;
  if (w->rank == 0) {
    memcpy(out + w->to * bytes, in + w->from * bytes, element_bytes);
    return;
  }
  pn_walk rows = *w;
  uint32_t inner = --rows.rank;
  do
    copy_row(out + rows.to * bytes, w->to_strides[inner], in + rows.from * bytes, w->from_strides[inner],
             w->dims[inner], element_bytes);
  while (pn_walk_next(&rows));
}
