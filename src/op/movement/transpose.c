/* Operators that only permute elements: transpose, and the two that trade channels for space, which are a transpose of
   the same bytes seen with six axes. */
#include "op/operand.h"
#include "op/movement/walk.h"

/* |out| = in's axes in the order of |perm|. */
static void permute(void *to, const void *from, size_t bytes, uint32_t rank, const int64_t *from_dims,
                    const uint32_t *perm) {
  int64_t strides[PN_MAX_RANK], dims[PN_MAX_RANK];
  pn_dims_strides(rank, from_dims, strides);
  for (uint32_t i = 0; i < rank; i++) dims[i] = from_dims[perm[i]];
  pn_walk w;
  pn_walk_init(&w, rank, dims);
  for (uint32_t i = 0; i < rank; i++) w.from_strides[i] = strides[perm[i]];
  pn_walk_copy(&w, to, from, bytes);
}

/* ---- transpose */

pelton_status pn_check_transpose(const pn_infer *c) {
  const pn_attrs_transpose *attrs = c->attrs;
  uint32_t list[PN_MAX_RANK];
  if (attrs->perm.count == 0) return PELTON_OK;
  if (attrs->perm.count > PN_MAX_RANK)
    return pn_fail(c->diag, PELTON_UNSUPPORTED, "transpose: perm has %u axes; the limit is %d",
                   (unsigned)attrs->perm.count, PN_MAX_RANK);
  int32_t rank = c->in[0].type.rank;
  if (rank != PN_RANK_UNKNOWN && attrs->perm.count != (uint32_t)rank)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "transpose: perm has %u axes, the operand %d; they must be as many", (unsigned)attrs->perm.count,
                   rank);
  return pn_axes_resolve(c->diag, "transpose", attrs->perm.data, attrs->perm.count, attrs->perm.count, list);
}

/* perm as axes of the operand: as given, or all reversed. */
static pelton_status transpose_perm(pelton_diag *diag, const pn_attrs_transpose *attrs, uint32_t rank, uint32_t *perm) {
  for (uint32_t i = 0; i < rank; i++) perm[i] = rank - 1 - i;
  if (attrs->perm.count != rank) return PELTON_OK;
  return pn_axes_resolve(diag, "transpose", attrs->perm.data, rank, rank, perm);
}

pelton_status pn_infer_transpose(const pn_infer *c) {
  const pn_attrs_transpose *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  uint32_t perm[PN_MAX_RANK];
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, attrs->perm.count > 0 ? (int32_t)attrs->perm.count : PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  PN_TRY(transpose_perm(c->diag, attrs, (uint32_t)x->rank, perm));
  pn_infer_same(c, 0);
  for (int32_t i = 0; i < x->rank; i++) c->out[0].type.dims[i] = x->dims[perm[i]];
  if (x->rank <= 1) pn_content_pass(c);
  return PELTON_OK;
}

pelton_status pn_reference_transpose(const pn_call *call) {
  const pn_tensor *x = &call->in[0];
  uint32_t perm[PN_MAX_RANK];
  PN_TRY(transpose_perm(call->diag, call->attrs, x->rank, perm));
  permute(call->out[0].data, x->data, pelton_dtype_bytes(x->dtype), x->rank, x->dims, perm);
  return PELTON_OK;
}

/* ---- depth to space, space to depth */

static pelton_status check_block(const pn_infer *c, const char *op, int64_t block) {
  if (block < 1 || block > INT32_MAX)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: block is %lld; it must be 1 or more", op, (long long)block);
  return pn_operand_wants_rank(c, op, 0, "the operand", 4, 4);
}

static pelton_status wants_multiple(const pn_infer *c, const char *op, int32_t axis, int64_t of) {
  pn_dim d = c->in[0].type.dims[axis];
  if (!pn_dim_is_number(d) || d.number % of == 0) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "%s: axis %d has extent %lld, which is no multiple of %lld", op,
                 axis, (long long)d.number, (long long)of);
}

pelton_status pn_check_depth_to_space(const pn_infer *c) {
  return check_block(c, "depth_to_space", ((const pn_attrs_depth_to_space *)c->attrs)->block);
}

pelton_status pn_infer_depth_to_space(const pn_infer *c) {
  const pn_attrs_depth_to_space *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  pn_type *y = &c->out[0].type;
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, 4);
    return PELTON_OK;
  }
  pn_infer_same(c, 0);
  pn_dim block = pn_dim_of(attrs->block);
  PN_TRY(wants_multiple(c, "depth_to_space", 1, attrs->block * attrs->block));
  y->dims[1] = pn_dim_floor_div(c->symbols, x->dims[1], pn_dim_of(attrs->block * attrs->block));
  y->dims[2] = pn_dim_mul(c->symbols, x->dims[2], block);
  y->dims[3] = pn_dim_mul(c->symbols, x->dims[3], block);
  return PELTON_OK;
}

pelton_status pn_reference_depth_to_space(const pn_call *call) {
  const pn_attrs_depth_to_space *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  int64_t b = attrs->block, h = x->dims[2], w = x->dims[3], channels = y->dims[1];
  bool depth_first = attrs->mode == PN_DEPTH_DCR; /* channel = (block row, block column, c), else (c, row, column) */
  int64_t dcr[6] = {x->dims[0], b, b, channels, h, w}, crd[6] = {x->dims[0], channels, b, b, h, w};
  static const uint32_t dcr_perm[6] = {0, 3, 4, 1, 5, 2}, crd_perm[6] = {0, 1, 4, 2, 5, 3};
  permute(y->data, x->data, pelton_dtype_bytes(x->dtype), 6, depth_first ? dcr : crd,
          depth_first ? dcr_perm : crd_perm);
  return PELTON_OK;
}

pelton_status pn_check_space_to_depth(const pn_infer *c) {
  return check_block(c, "space_to_depth", ((const pn_attrs_space_to_depth *)c->attrs)->block);
}

pelton_status pn_infer_space_to_depth(const pn_infer *c) {
  const pn_attrs_space_to_depth *attrs = c->attrs;
  const pn_type *x = &c->in[0].type;
  pn_type *y = &c->out[0].type;
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, 4);
    return PELTON_OK;
  }
  pn_infer_same(c, 0);
  for (int32_t axis = 2; axis < 4; axis++) {
    PN_TRY(wants_multiple(c, "space_to_depth", axis, attrs->block));
    y->dims[axis] = pn_dim_floor_div(c->symbols, x->dims[axis], pn_dim_of(attrs->block));
  }
  y->dims[1] = pn_dim_mul(c->symbols, x->dims[1], pn_dim_of(attrs->block * attrs->block));
  return PELTON_OK;
}

pelton_status pn_reference_space_to_depth(const pn_call *call) {
  const pn_attrs_space_to_depth *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *y = &call->out[0];
  int64_t b = attrs->block;
  int64_t dims[6] = {x->dims[0], x->dims[1], y->dims[2], b, y->dims[3], b};
  static const uint32_t dcr_perm[6] = {0, 3, 5, 1, 2, 4}, crd_perm[6] = {0, 1, 3, 5, 2, 4};
  permute(y->data, x->data, pelton_dtype_bytes(x->dtype), 6, dims, attrs->mode == PN_DEPTH_DCR ? dcr_perm : crd_perm);
  return PELTON_OK;
}
