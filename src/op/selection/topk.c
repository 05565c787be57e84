/* topk: the k greatest (or least) elements along an axis, in order, and where they stood. Equal ones: the lower index
   first. NaN counts as greater than every number.

   A heap of the best k so far, the worst of them on top: a new element enters only by driving that one out, which costs
   log k, and sorting ends by taking the heap apart. */
#include "op/operand.h"
#include "op/selection/scalar.h"

pelton_status pn_check_topk(const pn_infer *c) {
  PN_TRY(pn_operand_wants_rank(c, "topk", 0, "the operand", 1, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, "topk", 1, "k"));
  return pn_operand_wants_scalar(c, "topk", 1, "k");
}

pelton_status pn_infer_topk(const pn_infer *c) {
  const pn_attrs_topk *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  const pn_dim *k;
  uint32_t axis, count;
  pn_infer_same(c, 0);
  if (x->rank != PN_RANK_UNKNOWN) {
    PN_TRY(pn_axes_resolve(c->diag, "topk", &attrs->axis, 1, x->rank, &axis));
    bool known = pn_infer_content(c, 1, &k, &count) && count == 1;
    pn_dim d = known ? *k : pn_dim_fresh(c->symbols), extent = x->dims[axis];
    if (pn_dim_is_number(d) && (d.number < 0 || (pn_dim_is_number(extent) && d.number > extent.number)))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "topk: k is %lld; axis %u has extent %lld, and k may be 0 to that", (long long)d.number,
                     (unsigned)axis, (long long)extent.number);
    c->out[0].type.dims[axis] = d;
  }
  c->out[1].type = c->out[0].type;
  c->out[1].type.dtype = PELTON_DTYPE_I64;
  return PELTON_OK;
}

/* One line along the axis: element i is x[base + i * stride]. */
typedef struct line {
  const pn_tensor *x;
  int64_t base, stride;
  bool largest;
} line;

/* True when element |a| comes before |b| in the result. */
static bool comes_before(const line *l, int64_t a, int64_t b) {
  int order = pn_element_compare(l->x, l->base + a * l->stride, l->x, l->base + b * l->stride);
  if (order == 0) return a < b;
  return l->largest ? order > 0 : order < 0;
}

/* Moves heap[at] down until no child is worse than its parent. */
static void sift_down(const line *l, int64_t *heap, int64_t count, int64_t at) {
  for (;;) {
    int64_t worst = at;
    for (int64_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
      if (comes_before(l, heap[worst], heap[child])) worst = child;
    if (worst == at) return;
    int64_t swap = heap[at];
    heap[at] = heap[worst];
    heap[worst] = swap;
    at = worst;
  }
}

/* The best |k| of |extent| elements into |heap|, best first. */
static void select_best(const line *l, int64_t extent, int64_t k, int64_t *heap) {
  for (int64_t i = 0; i < k; i++) heap[i] = i;
  for (int64_t i = k / 2; i-- > 0;) sift_down(l, heap, k, i);
  for (int64_t i = k; k > 0 && i < extent; i++) {
    if (!comes_before(l, i, heap[0])) continue;
    heap[0] = i;
    sift_down(l, heap, k, 0);
  }
  for (int64_t end = k - 1; end > 0; end--) {
    int64_t worst = heap[0];
    heap[0] = heap[end];
    heap[end] = worst;
    sift_down(l, heap, end, 0);
  }
}

pelton_status pn_reference_topk(const pn_call *call) {
  const pn_attrs_topk *attrs = call->attrs;
  const pn_tensor *x = &call->in[0];
  uint32_t axis;
  PN_TRY(pn_axes_resolve(call->diag, "topk", &attrs->axis, 1, x->rank, &axis));
  if (pn_tensor_elements(&call->in[1]) != 1)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "topk: k must be one number");
  int64_t k = pn_tensor_get_i64(&call->in[1], 0), extent = x->dims[axis], inner = 1, outer = 1, wanted[PN_MAX_RANK];
  if (k < 0 || k > extent)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "topk: k is %lld; axis %u has extent %lld, and k may be 0 to that",
                   (long long)k, (unsigned)axis, (long long)extent);
  memcpy(wanted, x->dims, sizeof wanted);
  wanted[axis] = k;
  for (uint32_t i = 0; i < x->rank; i++)
    if (i != axis) *(i < axis ? &outer : &inner) *= x->dims[i];
  for (uint32_t i = 0; i < 2; i++)
    if (call->out[i].data) PN_TRY(pn_call_wants_result(call, "topk", i, x->rank, wanted));
  int64_t *heap = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)k);
  if (!heap) return pn_fail_memory(call->diag, "topk's heap");
  size_t bytes = pelton_dtype_bytes(x->dtype);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++) {
      line l = {x, o * extent * inner + i, inner, attrs->largest};
      select_best(&l, extent, k, heap);
      for (int64_t r = 0; r < k; r++) {
        size_t to = (size_t)((o * k + r) * inner + i), from = (size_t)(l.base + heap[r] * inner);
        if (call->out[0].data)
          memcpy((char *)call->out[0].data + to * bytes, (const char *)x->data + from * bytes, bytes);
        if (call->out[1].data) ((int64_t *)call->out[1].data)[to] = heap[r];
      }
    }
  return PELTON_OK;
}
