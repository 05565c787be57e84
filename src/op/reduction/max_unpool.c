/* max_unpool: what a max pooling took, put back where its indices say; zeros elsewhere.

   Indices count the elements of the tensor that was pooled, whose extents follow from kernel, strides and pads. A given
   output_shape[rank] may be larger: that tensor then lies in its corner. */
#include "op/linear/line.h"
#include "op/operand.h"
#include "op/linear/window.h"

static const char op[] = "max_unpool";

static pn_window_spec window_spec(const pn_attrs_max_unpool *attrs) {
  return (pn_window_spec){.strides = attrs->strides, .pads = attrs->pads, .auto_pad = PN_AUTO_PAD_NOTSET};
}

pelton_status pn_check_max_unpool(const pn_infer *c) {
  const pn_attrs_max_unpool *attrs = c->attrs;
  pn_window_spec spec = window_spec(attrs);
  uint32_t axes = attrs->kernel.count;
  if (axes == 0 || axes > PN_MAX_RANK - 2)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "max_unpool: kernel has %u extents; give one for each spatial axis, up to %d", (unsigned)axes,
                   PN_MAX_RANK - 2);
  for (uint32_t i = 0; i < axes; i++)
    if (attrs->kernel.data[i] < 1 || attrs->kernel.data[i] > INT32_MAX)
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "max_unpool: kernel[%u] is %lld; it must be from 1 to %d", (unsigned)i,
                     (long long)attrs->kernel.data[i], INT32_MAX);
  int32_t rank = (int32_t)axes + 2;
  PN_TRY(pn_operand_wants_rank(c, op, 0, "x", rank, rank));
  PN_TRY(pn_operand_wants_rank(c, op, 1, "indices", rank, rank));
  PN_TRY(pn_operand_wants_indices(c, op, 1, "indices"));
  PN_TRY(pn_operand_wants_indices(c, op, 2, "output_shape"));
  PN_TRY(pn_operand_wants_rank(c, op, 2, "output_shape", 1, 1));
  return pn_window_check(c->diag, op, &spec, (int32_t)axes);
}

/* The extent of what was pooled into |pooled| elements along spatial axis |i|. */
static pelton_status unpooled(pelton_diag *diag, pn_symbols *symbols, const pn_attrs_max_unpool *attrs, uint32_t i,
                              pn_dim pooled, pn_dim *out) {
  uint32_t axes = attrs->kernel.count;
  int64_t stride = i < attrs->strides.count ? attrs->strides.data[i] : 1;
  int64_t pads = i < attrs->pads.count ? attrs->pads.data[i] + attrs->pads.data[i + axes] : 0;
  pn_dim last = pn_dim_sub(symbols, pooled, pn_dim_of(1));
  *out = pn_dim_add(symbols, pn_dim_mul(symbols, last, pn_dim_of(stride)), pn_dim_of(attrs->kernel.data[i] - pads));
  if (pn_dim_is_number(pooled) && pooled.number == 0) *out = pn_dim_of(0);
  if (!pn_dim_is_number(*out) || out->number >= 0) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "max_unpool: the pads leave an extent of %lld on spatial axis %u; use smaller pads",
                 (long long)out->number, (unsigned)i);
}

static pelton_status check_shape(pelton_diag *diag, const pn_dim *shape, uint32_t count, uint32_t rank) {
  if (count != rank)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT, "max_unpool: output_shape has %u extents; x has %u", (unsigned)count,
                   (unsigned)rank);
  for (uint32_t i = 0; i < rank; i++)
    if (pn_dim_is_number(shape[i]) && shape[i].number < 0)
      return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                     "max_unpool: output_shape[%u] is %lld; it must be at least 0", (unsigned)i,
                     (long long)shape[i].number);
  return PELTON_OK;
}

pelton_status pn_infer_max_unpool(const pn_infer *c) {
  const pn_attrs_max_unpool *attrs = c->attrs;
  const pn_type *x = &c->in[0].type, *indices = &c->in[1].type;
  uint32_t rank = attrs->kernel.count + 2, count;
  const pn_dim *shape;
  pn_dim both = pn_dim_of(0);
  pn_infer_unknown(c, 0, x->dtype, (int32_t)rank);
  pn_dim *dims = c->out[0].type.dims;
  for (uint32_t i = 0; x->rank != PN_RANK_UNKNOWN && indices->rank != PN_RANK_UNKNOWN && i < rank; i++)
    if (!pn_dim_unify(x->dims[i], indices->dims[i], &both))
      return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                     "max_unpool: x has extent %lld on axis %u, indices %lld; they must be equal",
                     (long long)x->dims[i].number, (unsigned)i, (long long)indices->dims[i].number);
  if (pn_infer_has(c, 2)) {
    if (!pn_infer_content(c, 2, &shape, &count)) return PELTON_OK;
    PN_TRY(check_shape(c->diag, shape, count, rank));
    for (uint32_t i = 0; i < rank; i++) dims[i] = shape[i];
    return PELTON_OK;
  }
  if (x->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  dims[0] = x->dims[0];
  dims[1] = x->dims[1];
  for (uint32_t i = 2; i < rank; i++) PN_TRY(unpooled(c->diag, c->symbols, attrs, i - 2, x->dims[i], &dims[i]));
  return PELTON_OK;
}

pelton_status pn_reference_max_unpool(const pn_call *call) {
  const pn_attrs_max_unpool *attrs = call->attrs;
  const pn_tensor *x = &call->in[0], *indices = &call->in[1];
  pn_tensor *y = &call->out[0];
  uint32_t rank = x->rank, count;
  int64_t pooled[PN_MAX_RANK], dims[PN_MAX_RANK], elements;
  const int64_t *shape;
  if (rank != attrs->kernel.count + 2) return PN_INTERNAL(call->diag, "max_unpool was planned with another rank");
  PN_TRY(pn_call_wants_elements(call, op, 1, "indices", pn_tensor_elements(x)));
  for (uint32_t i = 0; i < rank; i++) {
    pn_dim extent = pn_dim_of(x->dims[i]);
    if (i >= 2) PN_TRY(unpooled(call->diag, NULL, attrs, i - 2, extent, &extent));
    dims[i] = pooled[i] = extent.number;
  }
  size_t bytes = pelton_dtype_bytes(x->dtype);
  if (!pn_dims_elements(rank, pooled, bytes, &elements))
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "max_unpool: the pooled tensor's size overflows; use smaller strides" );
  if (pn_call_has(call, 2)) {
    pn_dim given[PN_MAX_RANK];
    PN_TRY(pn_call_numbers(call, 2, &shape, &count));
    for (uint32_t i = 0; i < count && i < rank; i++) given[i] = pn_dim_of(dims[i] = shape[i]);
    PN_TRY(check_shape(call->diag, given, count, rank));
  }
  PN_TRY(pn_call_wants_result(call, op, 0, rank, dims));
  memset(y->data, 0, (size_t)pn_tensor_elements(y) * bytes);
  for (int64_t i = 0; i < pn_tensor_elements(x); i++) {
    int64_t index = pn_tensor_get_i64(indices, i), rest = index, at = 0, stride = 1;
    bool inside = index >= 0 && index < elements;
    for (uint32_t k = rank; inside && k-- > 0; rest /= pooled[k]) {
      inside = rest % pooled[k] < dims[k];
      at += rest % pooled[k] * stride;
      stride *= dims[k];
    }
    if (!inside)
      return pn_fail(call->diag, PELTON_INVALID_DATA,
                     "max_unpool: index %lld lies outside of the result", (long long)index);
    memcpy((char *)y->data + (size_t)at * bytes, (const char *)x->data + (size_t)i * bytes, bytes);
  }
  return PELTON_OK;
}
