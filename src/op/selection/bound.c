/* The most that results can have whose size only the run tells: what a device keeps memory for. */
#include "op/op.h"
#include "op/operand.h"

/* Numbers of |type|'s dims, and their product; false when one is not known, or memory could not hold so many. */
static bool numbers_of(const pn_type *type, int64_t *dims, int64_t *elements) {
  if (!pn_type_is_static(type)) return false;
  for (int32_t d = 0; d < type->rank; d++) dims[d] = type->dims[d].number;
  return pn_dims_elements((uint32_t)type->rank, dims, 1, elements);
}

static void give(const pn_infer *c, uint32_t i, pelton_dtype dtype, uint32_t rank, const int64_t *dims, int32_t axis,
                 int32_t *axes) {
  if (i >= c->output_count) return;
  c->out[i].type = pn_type_make(dtype, rank, dims);
  axes[i] = axis;
}

/* As [n], or as x with n along the axis; the axis' extent, else the number of elements, is what n can be at most. */
static bool bound_slices(const pn_infer *c, bool flat, int64_t along, int64_t *most, int32_t *axes) {
  const pn_type *x = &c->in[0].type;
  int64_t dims[PN_MAX_RANK], elements;
  uint32_t axis = 0;
  if (!numbers_of(x, dims, &elements)) return false;
  if (!flat && (along < -(int64_t)x->rank || along >= x->rank)) return false;
  if (!flat) axis = (uint32_t)(along < 0 ? along + x->rank : along);
  *most = flat ? elements : dims[axis];
  give(c, 0, x->dtype, flat ? 1 : (uint32_t)x->rank, flat ? &elements : dims, (int32_t)axis, axes);
  return true;
}

static bool bound_compress(const pn_infer *c, int32_t *axes) {
  const pn_attrs_compress *attrs = c->attrs;
  const pn_type *condition = &c->in[1].type;
  int64_t most, kept;
  if (!bound_slices(c, attrs->flat, attrs->axis, &most, axes) || !pn_type_is_static(condition)) return false;
  kept = condition->rank == 1 ? condition->dims[0].number : 0;
  if (kept < most) c->out[0].type.dims[axes[0]] = pn_dim_of(kept);
  return condition->rank == 1;
}

static bool bound_unique(const pn_infer *c, int32_t *axes) {
  const pn_attrs_unique *attrs = c->attrs;
  int64_t most;
  if (!bound_slices(c, attrs->flat, attrs->axis, &most, axes)) return false;
  for (uint32_t i = 1; i < c->output_count; i++) give(c, i, PELTON_DTYPE_I64, 1, &most, i == 2 ? -1 : 0, axes);
  return true;
}

static bool bound_non_max_suppression(const pn_infer *c, int32_t *axes) {
  int64_t dims[PN_MAX_RANK], elements, rows[2] = {0, 3};
  const int64_t *known;
  uint32_t count;
  if (c->in[1].type.rank != 3 || !numbers_of(&c->in[1].type, dims, &elements)) return false;
  int64_t most = pn_infer_has(c, 2) ? dims[2] : 0; /* of a class; none without the operand */
  if (pn_infer_has(c, 2) && pn_infer_numbers(c, 2, &known, &count) && count <= 1)
    most = count ? pn_min_i64(most, pn_max_i64(known[0], 0)) : 0;
  rows[0] = dims[2] ? elements / dims[2] * most : 0;
  give(c, 0, PELTON_DTYPE_I64, 2, rows, 0, axes);
  return true;
}

bool pn_op_bound(pn_op op, const pn_infer *c, int32_t axes[PN_MOST_COUNTED]) {
  int64_t dims[PN_MAX_RANK], cells[2];
  for (uint32_t i = 0; i < PN_MOST_COUNTED; i++) axes[i] = -1;
  for (uint32_t i = 0; i < c->input_count; i++)
    if (c->in[i].present && !pn_type_is_static(&c->in[i].type)) return false;
  switch (op) {
  case PN_OP_NON_ZERO:
    if (!numbers_of(&c->in[0].type, dims, &cells[1])) return false;
    cells[0] = c->in[0].type.rank;
    give(c, 0, PELTON_DTYPE_I64, 2, cells, 1, axes);
    return true;
  case PN_OP_COMPRESS: return bound_compress(c, axes);
  case PN_OP_UNIQUE: return bound_unique(c, axes);
  case PN_OP_NON_MAX_SUPPRESSION: return bound_non_max_suppression(c, axes);
  default: return false; /* texts and pictures */
  }
}
