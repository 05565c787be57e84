/* See reduction.h. */
#include "targets/cpu/reduction.h"

#include "target/movement.h"
#include "target/strides.h"

/* Which axes are reduced; false when that is not known now. */
static bool reduced_axes(const pn_problem *p, bool *reduced, pn_reason *why) {
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *listed = pn_problem_input(p, 0, 1);
  if (listed && !listed->data) return pn_refuse(why, "axes are not constant");
  int64_t count = listed ? pn_operand_elements(listed) : 0;
  for (uint32_t i = 0; i < x->rank; i++) reduced[i] = count == 0 && !attrs->empty_is_none;
  for (int64_t i = 0; i < count; i++) {
    int64_t axis = pn_operand_number(listed, i);
    reduced[axis < 0 ? axis + x->rank : axis] = true;
  }
  return true;
}

bool pn_reduction_accepts(const pn_problem *p, pn_reason *why) {
  bool reduced[PN_MAX_RANK], any = false;
  if (!pn_accepts_one(p, PN_OP_REDUCE, why)) return false;
  const pn_operand *x = pn_problem_input(p, 0, 0);
  if (!reduced_axes(p, reduced, why)) return false;
  if (!pn_operand_elements(x)) return pn_refuse(why, "an empty operand");
  for (uint32_t i = 0; i < x->rank; i++) any = any || reduced[i];
  return any || pn_refuse(why, "no axis is reduced");
}

static void add_axis(pn_reduction_axes *a, int64_t dim, int64_t from, int64_t to) {
  uint32_t last = a->count - 1;
  if (dim == 1) return;
  if (a->count && a->from[last] == from * dim && a->to[last] == to * dim) {
    a->dims[last] *= dim;
    a->from[last] = from;
    a->to[last] = to;
    return;
  }
  a->dims[a->count] = dim;
  a->from[a->count] = from;
  a->to[a->count++] = to;
}

static int64_t count_of(const pn_reduction_axes *a) {
  int64_t n = 1;
  for (uint32_t d = 0; d < a->count; d++) n *= a->dims[d];
  return n;
}

bool pn_reduction_plan(const pn_problem *p, pn_reduction *out) {
  const pn_attrs_reduce *attrs = p->nodes[0].attrs;
  const pn_operand *x = pn_problem_input(p, 0, 0), *y = pn_problem_output(p, 0, 0);
  int64_t from[PN_MAX_RANK], own_to[PN_MAX_RANK], to[PN_MAX_RANK] = {0};
  bool reduced[PN_MAX_RANK] = {0};
  pn_reduction_axes *r = &out->reduced, *k = &out->kept;
  if (!reduced_axes(p, reduced, NULL)) return false;
  pn_operand_axis_strides(x, from);
  pn_operand_axis_strides(y, own_to);
  for (uint32_t i = 0, d = 0; i < x->rank; i++) {
    if (!reduced[i]) to[i] = own_to[d];
    d += attrs->keep_dims || !reduced[i];
  }
  for (uint32_t place = 0; place < x->rank; place++) /* in the order in which the operand is stored */
    for (uint32_t i = 0; i < x->rank; i++)
      if (pn_layout_place(x->layout, x->rank, i) == place) add_axis(reduced[i] ? r : k, x->dims[i], from[i], to[i]);
  out->set_size = count_of(r);
  out->inner = out->joined_rows = 1;
  out->rows = !k->count || (r->count && r->from[r->count - 1] == 1);
  if (out->rows) {
    if (r->count) out->inner = r->dims[--r->count];
  } else {
    out->inner = k->dims[--k->count];
    out->inner_to = k->to[k->count];
    if (r->count) {
      out->joined_rows = r->dims[--r->count];
      out->joined_stride = r->from[r->count];
    }
  }
  out->reduced_outer = count_of(r);
  out->results = count_of(k);
  return true;
}
