/* col2im: the sum of blocks at the places where a window slides over a picture; what a convolution's gradient needs,
   and the inverse of cutting a picture into blocks that do not overlap.

   x[N,C*block,windows] image_shape[axes] block_shape[axes] -> [N,C,image...]; taps that fall on padding are dropped. */
#include "op/linear/line.h"
#include "op/linear/window.h"
#include "op/movement/walk.h"
#include "op/operand.h"

static const char op[] = "col2im";

enum { X, IMAGE, BLOCK, MOST_AXES = PN_MAX_RANK - 2 };

static pn_window_spec spec_of(const pn_attrs_col2im *attrs) {
  return (pn_window_spec){
      .strides = attrs->strides, .pads = attrs->pads, .dilations = attrs->dilations, .auto_pad = PN_AUTO_PAD_NOTSET};
}

pelton_status pn_check_col2im(const pn_infer *c) {
  const pn_window_spec spec = spec_of(c->attrs);
  static const char *const names[] = {"x", "image_shape", "block_shape"};
  PN_TRY(pn_operand_wants_rank(c, op, X, names[X], 3, 3));
  for (uint32_t i = IMAGE; i <= BLOCK; i++) {
    PN_TRY(pn_operand_wants_indices(c, op, i, names[i]));
    PN_TRY(pn_operand_wants_rank(c, op, i, names[i], 1, 1));
  }
  if (c->in[X].type.dtype == PELTON_DTYPE_BOOL)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "col2im: x is of type bool; it must be numbers");
  return pn_window_check(c->diag, op, &spec, PN_RANK_UNKNOWN);
}

static pelton_status check_axes(pelton_diag *diag, uint32_t image, uint32_t block) {
  if (image == block && image >= 1 && image <= MOST_AXES) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                 "col2im: image_shape has %u numbers, block_shape %u; both must have as many, from 1 to %d",
                 (unsigned)image, (unsigned)block, MOST_AXES);
}

static pelton_status check_rows(pelton_diag *diag, int64_t rows, int64_t block) {
  if (block >= 1 && rows % block == 0) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "col2im: x has %lld rows, which blocks of %lld do not divide evenly",
                 (long long)rows, (long long)block);
}

pelton_status pn_infer_col2im(const pn_infer *c) {
  const pn_type *x = &c->in[X].type;
  const pn_window_spec spec = spec_of(c->attrs);
  const pn_dim *image, *block;
  uint32_t axes, others, count;
  const bool some = pn_infer_length(c, IMAGE, &axes), more = pn_infer_length(c, BLOCK, &others);
  if (!some && !more) {
    pn_infer_unknown(c, 0, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  if (!some) axes = others;
  PN_TRY(check_axes(c->diag, axes, more ? others : axes));
  PN_TRY(pn_window_check(c->diag, op, &spec, (int32_t)axes));
  pn_infer_unknown(c, 0, x->dtype, 2 + (int32_t)axes);
  pn_dim *y = c->out[0].type.dims;
  if (pn_infer_content(c, IMAGE, &image, &count))
    for (uint32_t i = 0; i < count; i++) {
      if (pn_dim_is_number(image[i]) && image[i].number < 0)
        return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "col2im: image_shape[%u] is %lld; it must not be negative",
                       (unsigned)i, (long long)image[i].number);
      y[2 + i] = image[i];
    }
  if (x->rank == PN_RANK_UNKNOWN) return PELTON_OK;
  y[0] = x->dims[0];
  if (!pn_infer_content(c, BLOCK, &block, &count)) return PELTON_OK;
  pn_dim taps = pn_dim_of(1);
  for (uint32_t i = 0; i < count; i++) taps = pn_dim_mul(c->symbols, taps, block[i]);
  if (pn_dim_is_number(taps) && pn_dim_is_number(x->dims[1]))
    PN_TRY(check_rows(c->diag, x->dims[1].number, taps.number));
  y[1] = pn_dim_floor_div(c->symbols, x->dims[1], taps);
  return PELTON_OK;
}

/* ---- reference */

typedef struct picture {
  uint32_t axes;
  pn_window window[MOST_AXES];
  int64_t planes, taps, windows, elements; /* elements: of a plane */
  pn_walk walk;                            /* over block and windows; |from| in x, |to| in the plane */
} picture;

static pelton_status prepare(const pn_call *call, picture *p) {
  const pn_window_spec spec = spec_of(call->attrs);
  const pn_tensor *x = &call->in[X];
  const int64_t *image, *block;
  int64_t walked[2 * MOST_AXES], y[PN_MAX_RANK], strides[MOST_AXES];
  uint32_t count;
  PN_TRY(pn_call_numbers(call, IMAGE, &image, &p->axes));
  PN_TRY(pn_call_numbers(call, BLOCK, &block, &count));
  PN_TRY(check_axes(call->diag, p->axes, count));
  PN_TRY(pn_window_resolve(call->diag, op, &spec, p->axes, image, block, p->window));
  for (uint32_t i = 0; i < p->axes; i++) {
    walked[i] = block[i];
    walked[p->axes + i] = p->window[i].output;
    y[2 + i] = image[i];
  }
  if (!pn_dims_elements(p->axes, walked, 8, &p->taps) || !pn_dims_elements(p->axes, image, 8, &p->elements) ||
      !pn_dims_elements(p->axes, walked + p->axes, 8, &p->windows))
    return pn_fail(call->diag, PELTON_INVALID_DATA, "col2im: the picture or its blocks are too large");
  if (x->dims[2] != p->windows)
    return pn_fail(call->diag, PELTON_INVALID_DATA, "col2im: x has %lld blocks; %lld of them lie in such a picture",
                   (long long)x->dims[2], (long long)p->windows);
  PN_TRY(check_rows(call->diag, x->dims[1], p->taps));
  y[0] = x->dims[0];
  y[1] = x->dims[1] / p->taps;
  p->planes = y[0] * y[1];
  pn_dims_strides(p->axes, image, strides);
  pn_walk_init(&p->walk, 2 * p->axes, walked);
  for (uint32_t i = 0; i < p->axes; i++) {
    p->walk.to_strides[i] = p->window[i].dilation * strides[i];
    p->walk.to_strides[p->axes + i] = p->window[i].stride * strides[i];
    p->walk.to -= p->window[i].pad_begin * strides[i];
  }
  return pn_call_wants_result(call, op, 0, 2 + p->axes, y);
}

static bool is_inside(const picture *p) {
  for (uint32_t i = 0; i < p->axes; i++) {
    const pn_window *w = &p->window[i];
    const int64_t place = p->walk.index[p->axes + i] * w->stride + p->walk.index[i] * w->dilation - w->pad_begin;
    if (place < 0 || place >= w->input) return false;
  }
  return true;
}

/* The element of x at the walk's place onto its element of the plane |to|; sums of floats are kept in |sums|. */
static void add_element(const picture *p, const pn_tensor *x, int64_t from, pn_tensor *y, int64_t to, double *sums) {
  from += p->walk.from;
  to += p->walk.to;
  if (pn_dtype_is_float(x->dtype)) {
    sums[p->walk.to] += pn_tensor_get_f64(x, from);
    return;
  }
  const uint64_t sum = (uint64_t)pn_tensor_get_i64(y, to) + (uint64_t)pn_tensor_get_i64(x, from);
  pn_tensor_set_i64(y, to, (int64_t)sum);
}

pelton_status pn_reference_col2im(const pn_call *call) {
  const pn_tensor *x = &call->in[X];
  pn_tensor *y = &call->out[0];
  const bool is_float = pn_dtype_is_float(x->dtype);
  double *sums;
  picture p;
  PN_TRY(prepare(call, &p));
  PN_TRY(pn_call_room(call, p.elements, &sums));
  for (int64_t plane = 0; plane < p.planes; plane++) {
    const int64_t from = plane * p.taps * p.windows, to = plane * p.elements;
    for (int64_t i = 0; i < p.elements; i++) {
      sums[i] = 0;
      if (!is_float) pn_tensor_set_i64(y, to + i, 0);
    }
    if (pn_walk_begin(&p.walk)) do {
        if (is_inside(&p)) add_element(&p, x, from, y, to, sums);
      } while (pn_walk_next(&p.walk));
    if (is_float) pn_line_store(y, to, 1, p.elements, sums);
  }
  return PELTON_OK;
}
