/* The standard's rules for operators on tensors that Pelton does not have (random numbers, training, strings), and for
   those of which it wants to know more than the standard's own inference looks at: that a recurrent layer's weights fit
   one another, that indices are integers. A build says so; a survey only asks what comes out. */
#include "import/onnx/check/survey.h"

#include "ir/walk.h"

#include <inttypes.h>

static const pn_onnx_described *operand(const pn_onnx_rule_call *r, uint32_t i) {
  return i < r->call->input_count && r->in[i].kind == PN_ONNX_TYPE_TENSOR ? &r->in[i] : NULL;
}

/* The type of operand |i| when its rank is known; else null. */
static const pn_type *shaped(const pn_onnx_rule_call *r, uint32_t i) {
  const pn_onnx_described *d = operand(r, i);
  return d && d->type.rank != PN_RANK_UNKNOWN ? &d->type : NULL;
}

static void set_shape(const pn_onnx_rule_call *r, uint32_t i, int32_t rank, const pn_dim *dims) {
  if (i >= r->call->output_count || rank > PN_MAX_RANK) return;
  pn_onnx_described *out = &r->out[i];
  out->kind = PN_ONNX_TYPE_TENSOR;
  out->type.rank = rank;
  for (int32_t k = 0; k < rank; k++) out->type.dims[k] = dims[k];
}

static void set_elem(const pn_onnx_rule_call *r, uint32_t i, int32_t elem) {
  if (i >= r->call->output_count) return;
  const pn_type type = r->out[i].type;
  const bool had_shape = r->out[i].kind == PN_ONNX_TYPE_TENSOR;
  r->out[i] = pn_onnx_describe_tensor(elem, had_shape ? &type : NULL);
}

static void same_shape(const pn_onnx_rule_call *r, uint32_t result, uint32_t i) {
  const pn_type *type = shaped(r, i);
  if (type) set_shape(r, result, type->rank, type->dims);
}

static pelton_status attr(const pn_onnx_rule_call *r, const char *name, int64_t fallback, int64_t *out) {
  return pn_onnx_attr_i64(r->call->node, name, fallback, out, r->call->diag);
}

static pelton_status rank_of(const pn_onnx_rule_call *r, uint32_t i, int32_t rank) {
  const pn_type *type = shaped(r, i);
  if (!type || type->rank == rank) return PELTON_OK;
  return pn_fail(r->call->diag, PELTON_INVALID_DATA, "its input %u has %" PRId32 " dimensions, but must have %" PRId32,
                 i, type->rank, rank);
}

/* ---- the first operand's shape ------------------------------------------------------------------------------------
 */

static pelton_status same(pn_onnx_rule_call *r) {
  same_shape(r, 0, 0);
  return PELTON_OK;
}

/* Comparisons whatever they compare. */
static pelton_status broadcast(pn_onnx_rule_call *r) {
  const pn_type *a = shaped(r, 0), *b = shaped(r, 1);
  pn_dim dims[PN_MAX_RANK];
  if (!a || !b) return PELTON_OK;
  const int32_t rank = a->rank > b->rank ? a->rank : b->rank;
  for (int32_t i = 0; i < rank; i++) {
    const pn_dim one = pn_dim_of(1);
    const pn_dim x = i < rank - a->rank ? one : a->dims[i - rank + a->rank];
    const pn_dim y = i < rank - b->rank ? one : b->dims[i - rank + b->rank];
    if (pn_dim_is(x, 1) || pn_dim_equal(x, y))
      dims[i] = y;
    else if (pn_dim_is(y, 1))
      dims[i] = x;
    else if (pn_dim_is_number(x) && pn_dim_is_number(y))
      return pn_fail(r->call->diag, PELTON_INVALID_DATA,
                     "its operands do not broadcast: extents %" PRId64 " and %" PRId64 " are neither equal nor 1",
                     x.number, y.number);
    else
      dims[i] = pn_dim_is_number(x) ? x : pn_dim_is_number(y) ? y : pn_dim_fresh(r->symbols);
  }
  set_shape(r, 0, rank, dims);
  return PELTON_OK;
}

/* ---- random numbers ---------------------------------------------------------------------------------------------- */

static pelton_status random_of_shape(pn_onnx_rule_call *r) {
  int64_t elem;
  pn_onnx_i64s shape;
  pn_dim dims[PN_MAX_RANK];
  PN_TRY(attr(r, "dtype", PN_ONNX_FLOAT, &elem));
  PN_TRY(pn_onnx_attr_i64s(r->call->node, "shape", &shape, r->call->diag));
  set_elem(r, 0, (int32_t)elem);
  for (uint32_t i = 0; i < shape.count && i < PN_MAX_RANK; i++) dims[i] = pn_dim_of(shape.data[i]);
  set_shape(r, 0, (int32_t)shape.count, dims);
  return PELTON_OK;
}

static pelton_status random_like(pn_onnx_rule_call *r) {
  int64_t elem;
  const pn_onnx_described *x = operand(r, 0);
  PN_TRY(attr(r, "dtype", x ? x->elem : PN_ONNX_UNDEFINED, &elem));
  set_elem(r, 0, (int32_t)elem);
  return same(r);
}

static pelton_status multinomial(pn_onnx_rule_call *r) {
  int64_t elem, count;
  const pn_type *x = shaped(r, 0);
  PN_TRY(attr(r, "dtype", PN_ONNX_INT32, &elem));
  PN_TRY(attr(r, "sample_size", 1, &count));
  PN_TRY(rank_of(r, 0, 2));
  set_elem(r, 0, (int32_t)elem);
  if (x) set_shape(r, 0, 2, (pn_dim[]){x->dims[0], pn_dim_of(count)});
  return PELTON_OK;
}

/* ---- layers --------------------------------------------------------------------------------------------------------
 */

static pelton_status recurrent(pn_onnx_rule_call *r) {
  int64_t hidden, layout;
  pn_str direction;
  const pn_type *x = shaped(r, 0);
  PN_TRY(attr(r, "hidden_size", -1, &hidden));
  PN_TRY(attr(r, "layout", 0, &layout));
  PN_TRY(pn_onnx_attr_str(r->call->node, "direction", "forward", &direction, r->call->diag));
  PN_TRY(rank_of(r, 0, 3));
  const pn_dim size = hidden > 0 ? pn_dim_of(hidden) : pn_dim_fresh(r->symbols);
  const pn_dim directions = pn_dim_of(pn_str_is(direction, "bidirectional") ? 2 : 1);
  const pn_dim steps = x ? x->dims[layout ? 1 : 0] : pn_dim_fresh(r->symbols);
  const pn_dim batch = x ? x->dims[layout ? 0 : 1] : pn_dim_fresh(r->symbols);
  if (layout) {
    set_shape(r, 0, 4, (pn_dim[]){batch, steps, directions, size});
    for (uint32_t i = 1; i < 3; i++) set_shape(r, i, 3, (pn_dim[]){batch, directions, size});
  } else {
    set_shape(r, 0, 4, (pn_dim[]){steps, directions, batch, size});
    for (uint32_t i = 1; i < 3; i++) set_shape(r, i, 3, (pn_dim[]){directions, batch, size});
  }
  return PELTON_OK;
}

static int64_t at(const pn_onnx_i64s *list, uint32_t i, int64_t fallback) {
  return i < list->count ? list->data[i] : fallback;
}

/* The extent of spatial axis |i| of a convolution's result. */
static pn_dim window(const pn_onnx_rule_call *r, pn_dim x, int64_t kernel, const pn_onnx_i64s *attrs, uint32_t i,
                     uint32_t axes, pn_str auto_pad) {
  const int64_t stride = at(&attrs[0], i, 1), dilation = at(&attrs[1], i, 1);
  const int64_t pads = at(&attrs[2], i, 0) + at(&attrs[2], axes + i, 0);
  if (stride < 1) return pn_dim_fresh(r->symbols);
  if (pn_str_starts(auto_pad, "SAME")) return pn_dim_ceil_div(r->symbols, x, pn_dim_of(stride));
  const pn_dim room = pn_dim_add(r->symbols, x, pn_dim_of(pads - dilation * (kernel - 1) - 1));
  return pn_dim_add(r->symbols, pn_dim_floor_div(r->symbols, room, pn_dim_of(stride)), pn_dim_of(1));
}

/* Convolutions of integers, whose zero points and scales the standard does not look at. |w| is the weights' operand. */
static pelton_status convolution(pn_onnx_rule_call *r, uint32_t w_at) {
  const pn_type *x = shaped(r, 0), *w = shaped(r, w_at);
  static const char *const names[] = {"strides", "dilations", "pads", "kernel_shape"};
  pn_onnx_i64s attrs[4];
  pn_dim dims[PN_MAX_RANK];
  pn_str auto_pad;
  for (size_t i = 0; i < PN_COUNT(names); i++)
    PN_TRY(pn_onnx_attr_i64s(r->call->node, names[i], &attrs[i], r->call->diag));
  PN_TRY(pn_onnx_attr_str(r->call->node, "auto_pad", "NOTSET", &auto_pad, r->call->diag));
  if (!x || !w || x->rank < 3) return PELTON_OK;
  PN_TRY(rank_of(r, w_at, x->rank));
  dims[0] = x->dims[0];
  dims[1] = w->dims[0];
  for (uint32_t i = 2; i < (uint32_t)x->rank; i++) {
    const int64_t kernel = at(&attrs[3], i - 2, pn_dim_is_number(w->dims[i]) ? w->dims[i].number : -1);
    dims[i] = kernel < 1 ? pn_dim_fresh(r->symbols)
                         : window(r, x->dims[i], kernel, attrs, i - 2, (uint32_t)x->rank - 2, auto_pad);
  }
  set_shape(r, 0, x->rank, dims);
  return PELTON_OK;
}

static pelton_status conv_integer(pn_onnx_rule_call *r) { return convolution(r, 1); }
static pelton_status qlinear_conv(pn_onnx_rule_call *r) { return convolution(r, 3); }

static pelton_status max_unpool(pn_onnx_rule_call *r) {
  static const char *const names[] = {"kernel_shape", "strides", "pads"};
  pn_onnx_i64s attrs[3];
  pn_dim dims[PN_MAX_RANK];
  const pn_type *x = shaped(r, 0);
  for (size_t i = 0; i < PN_COUNT(names); i++)
    PN_TRY(pn_onnx_attr_i64s(r->call->node, names[i], &attrs[i], r->call->diag));
  if (!x || x->rank < 2) return PELTON_OK;
  const uint32_t axes = (uint32_t)x->rank - 2;
  dims[0] = x->dims[0];
  dims[1] = x->dims[1];
  for (uint32_t i = 0; i < axes; i++) {
    const int64_t rest = at(&attrs[0], i, 1) - at(&attrs[2], i, 0) - at(&attrs[2], axes + i, 0);
    const pn_dim before = pn_dim_sub(r->symbols, x->dims[2 + i], pn_dim_of(1));
    dims[2 + i] =
        pn_dim_add(r->symbols, pn_dim_mul(r->symbols, before, pn_dim_of(at(&attrs[1], i, 1))), pn_dim_of(rest));
    if (r->call->input_count > 2) dims[2 + i] = pn_dim_fresh(r->symbols); /* the third operand says it, at run time */
  }
  set_shape(r, 0, x->rank, dims);
  return PELTON_OK;
}

static pelton_status gemm(pn_onnx_rule_call *r) {
  int64_t turned[2];
  const pn_type *a = shaped(r, 0), *b = shaped(r, 1);
  PN_TRY(attr(r, "transA", 0, &turned[0]));
  PN_TRY(attr(r, "transB", 0, &turned[1]));
  PN_TRY(rank_of(r, 0, 2));
  PN_TRY(rank_of(r, 1, 2));
  set_shape(r, 0, 2,
            (pn_dim[]){a ? a->dims[turned[0] ? 1 : 0] : pn_dim_fresh(r->symbols),
                       b ? b->dims[turned[1] ? 0 : 1] : pn_dim_fresh(r->symbols)});
  return PELTON_OK;
}

/* Running statistics keep the shape of those that come in. */
static pelton_status batch_norm(pn_onnx_rule_call *r) {
  same_shape(r, 0, 0);
  for (uint32_t i = 1; i < 3; i++) {
    const pn_onnx_described *d = operand(r, 2 + i);
    if (d) set_elem(r, i, d->elem);
    same_shape(r, i, 2 + i);
  }
  return PELTON_OK;
}

/* ---- losses --------------------------------------------------------------------------------------------------------
 */

static pelton_status check_labels(const pn_onnx_rule_call *r, const pn_type *scores, const pn_type *labels) {
  if (!scores || !labels) return PELTON_OK;
  PN_TRY(rank_of(r, 1, scores->rank - 1));
  for (int32_t i = 0; i < labels->rank; i++) {
    const pn_dim a = scores->dims[i + (i > 0)], b = labels->dims[i];
    if (pn_dim_is_number(a) && pn_dim_is_number(b) && !pn_dim_equal(a, b))
      return pn_fail(r->call->diag, PELTON_INVALID_DATA,
                     "extent %" PRId32 " of its labels is %" PRId64 ", but the scores have %" PRId64, i, b.number,
                     a.number);
  }
  return PELTON_OK;
}

/* Scores [N,C,...] and labels [N,...], which only one of the two losses looks at. */
static pelton_status loss(pn_onnx_rule_call *r) {
  pn_str reduction;
  const pn_type *scores = shaped(r, 0), *labels = shaped(r, 1);
  PN_TRY(pn_onnx_attr_str(r->call->node, "reduction", "mean", &reduction, r->call->diag));
  PN_TRY(rank_of(r, 2, 1));
  if (pn_str_is(r->call->node->op_type, "NegativeLogLikelihoodLoss")) PN_TRY(check_labels(r, scores, labels));
  const pn_type *weights = shaped(r, 2);
  if (weights && scores && scores->rank > 1 && pn_dim_is_number(weights->dims[0]) &&
      pn_dim_is_number(scores->dims[1]) && !pn_dim_equal(weights->dims[0], scores->dims[1]))
    return pn_fail(r->call->diag, PELTON_INVALID_DATA, "it has %" PRId64 " weights for %" PRId64 " classes",
                   weights->dims[0].number, scores->dims[1].number);
  if (!pn_str_is(reduction, "none"))
    set_shape(r, 0, 0, NULL);
  else
    same_shape(r, 0, 1);
  same_shape(r, 1, 0); /* of SoftmaxCrossEntropyLoss: the logarithms */
  return PELTON_OK;
}

/* ---- selection -----------------------------------------------------------------------------------------------------
 */

static pelton_status gather_nd(pn_onnx_rule_call *r) {
  const pn_type *x = shaped(r, 0), *indices = shaped(r, 1);
  int64_t batch;
  pn_dim dims[2 * PN_MAX_RANK];
  PN_TRY(attr(r, "batch_dims", 0, &batch));
  if (!x || !indices || indices->rank < 1) return PELTON_OK;
  const pn_dim last = indices->dims[indices->rank - 1];
  if (!pn_dim_is_number(last)) return PELTON_OK;
  if (batch < 0 || last.number < 1 || batch > x->rank || last.number > x->rank - batch)
    return pn_fail(r->call->diag, PELTON_INVALID_DATA,
                   "its indices of %" PRId64 " elements do not fit data of %" PRId32 " dimensions", last.number,
                   x->rank);
  int32_t rank = 0;
  for (int32_t i = 0; i + 1 < indices->rank; i++) dims[rank++] = indices->dims[i];
  for (int32_t i = (int32_t)(last.number + batch); i < x->rank; i++) dims[rank++] = x->dims[i];
  set_shape(r, 0, rank, dims);
  return PELTON_OK;
}

static pelton_status non_max_suppression(pn_onnx_rule_call *r) {
  PN_TRY(rank_of(r, 0, 3));
  PN_TRY(rank_of(r, 1, 3));
  set_shape(r, 0, 2, (pn_dim[]){pn_dim_fresh(r->symbols), pn_dim_of(3)});
  return PELTON_OK;
}

/* Only the number of dimensions follows from an operand that is known at run time alone. */
static pelton_status constant_of_shape(pn_onnx_rule_call *r) {
  const pn_onnx_tensor *value = NULL;
  const pn_type *shape = shaped(r, 0);
  const pn_onnx_described *x = operand(r, 0);
  pn_dim dims[PN_MAX_RANK];
  PN_TRY(pn_onnx_attr_tensor(r->call->node, "value", &value, r->call->diag));
  set_elem(r, 0, value ? value->elem : PN_ONNX_FLOAT);
  if (x && x->elem != PN_ONNX_INT64 && pn_onnx_constant_data(r->call, pn_onnx_input(r->call, 0)))
    return pn_fail(r->call->diag, PELTON_INVALID_DATA, "its shape is a constant of type %s, but must be of int64",
                   pn_onnx_elem_name(x->elem));
  if (!shape || shape->rank != 1 || !pn_dim_is_number(shape->dims[0]) || shape->dims[0].number > PN_MAX_RANK)
    return PELTON_OK;
  for (int64_t i = 0; i < shape->dims[0].number; i++) dims[i] = pn_dim_fresh(r->symbols);
  set_shape(r, 0, (int32_t)shape->dims[0].number, dims);
  return PELTON_OK;
}

/* ---- signals -------------------------------------------------------------------------------------------------------
 */

static bool constant_number(const pn_onnx_rule_call *r, uint32_t i, int64_t *out) {
  pn_i64s numbers;
  if (!pn_onnx_has(r->call, i) || !pn_onnx_constant_ints(r->call, i, &numbers) || numbers.count != 1) return false;
  *out = numbers.data[0];
  return true;
}

static pelton_status stft(pn_onnx_rule_call *r) {
  const pn_type *signal = shaped(r, 0), *given_window = shaped(r, 2);
  int64_t onesided, step, length = -1;
  PN_TRY(attr(r, "onesided", 1, &onesided));
  if (given_window && given_window->rank == 1 && pn_dim_is_number(given_window->dims[0]))
    length = given_window->dims[0].number;
  if (length < 0 && !constant_number(r, 3, &length)) length = -1;
  if (!signal || signal->rank < 2) return PELTON_OK;
  const bool has_step = constant_number(r, 1, &step) && step > 0;
  pn_dim frames = pn_dim_fresh(r->symbols);
  if (has_step && length > 0) {
    const pn_dim room = pn_dim_sub(r->symbols, signal->dims[1], pn_dim_of(length));
    frames = pn_dim_add(r->symbols, pn_dim_floor_div(r->symbols, room, pn_dim_of(step)), pn_dim_of(1));
  }
  const pn_dim bins = length < 0 ? pn_dim_fresh(r->symbols) : pn_dim_of(onesided ? length / 2 + 1 : length);
  set_shape(r, 0, 4, (pn_dim[]){signal->dims[0], frames, bins, pn_dim_of(2)});
  return PELTON_OK;
}

static pelton_status dft(pn_onnx_rule_call *r) {
  const pn_type *x = shaped(r, 0);
  int64_t axis, length, onesided;
  pn_dim dims[PN_MAX_RANK];
  PN_TRY(attr(r, "axis", 1, &axis));
  PN_TRY(attr(r, "onesided", 0, &onesided));
  if (r->call->opset >= 20 && !constant_number(r, 2, &axis)) axis = -2;
  if (!x || x->rank < 2) return PELTON_OK;
  if (axis < 0) axis += x->rank;
  if (axis < 0 || axis >= x->rank - 1)
    return pn_fail(r->call->diag, PELTON_INVALID_DATA, "axis %" PRId64 " lies outside of its %" PRId32 " dimensions",
                   axis, x->rank);
  for (int32_t i = 0; i < x->rank; i++) dims[i] = x->dims[i];
  if (pn_onnx_has(r->call, 1))
    dims[axis] = constant_number(r, 1, &length) ? pn_dim_of(length) : pn_dim_fresh(r->symbols);
  if (onesided)
    dims[axis] = pn_dim_add(r->symbols, pn_dim_floor_div(r->symbols, dims[axis], pn_dim_of(2)), pn_dim_of(1));
  dims[x->rank - 1] = pn_dim_of(2);
  set_shape(r, 0, x->rank, dims);
  return PELTON_OK;
}

/* ---- training ------------------------------------------------------------------------------------------------------
 */

/* Two scalars, then tensors X, gradients G, and states: results are the new X and states. */
static pelton_status optimiser(pn_onnx_rule_call *r, uint32_t states) {
  const uint32_t tensors =
      (r->call->input_count - (r->call->input_count < 2 ? r->call->input_count : 2)) / (2 + states);
  for (uint32_t i = 0; i < tensors * (1 + states); i++) {
    const uint32_t from = 2 + (i < tensors ? i : tensors + i);
    const pn_onnx_described *d = operand(r, from);
    if (!d) continue;
    set_elem(r, i, d->elem);
    same_shape(r, i, from);
  }
  return PELTON_OK;
}

static pelton_status one_state(pn_onnx_rule_call *r) { return optimiser(r, 1); }
static pelton_status two_states(pn_onnx_rule_call *r) { return optimiser(r, 2); }

/* ---- classical models and text -------------------------------------------------------------------------------------
 */

static pelton_status linear_classifier(pn_onnx_rule_call *r) {
  pn_onnx_strs names;
  pn_onnx_i64s numbers;
  const pn_type *x = shaped(r, 0);
  PN_TRY(pn_onnx_attr_strs(r->call->node, "classlabels_strings", &names, r->call->diag));
  PN_TRY(pn_onnx_attr_i64s(r->call->node, "classlabels_ints", &numbers, r->call->diag));
  set_elem(r, 0, names.count ? PN_ONNX_STRING : PN_ONNX_INT64);
  set_elem(r, 1, PN_ONNX_FLOAT);
  const pn_dim classes = pn_dim_of(names.count ? names.count : numbers.count);
  if (!x || x->rank < 1 || x->rank > 2) return PELTON_OK;
  const pn_dim batch = x->rank == 1 ? pn_dim_of(1) : x->dims[0];
  set_shape(r, 0, 1, &batch);
  set_shape(r, 1, 2, (pn_dim[]){batch, classes});
  return PELTON_OK;
}

static pelton_status string_split(pn_onnx_rule_call *r) {
  const pn_type *x = shaped(r, 0);
  pn_dim dims[PN_MAX_RANK + 1];
  set_elem(r, 0, PN_ONNX_STRING);
  set_elem(r, 1, PN_ONNX_INT64);
  if (!x) return PELTON_OK;
  for (int32_t i = 0; i < x->rank; i++) dims[i] = x->dims[i];
  dims[x->rank] = pn_dim_fresh(r->symbols);
  set_shape(r, 0, x->rank + 1, dims);
  same_shape(r, 1, 0);
  return PELTON_OK;
}

static pelton_status string_normalizer(pn_onnx_rule_call *r) {
  const pn_type *x = shaped(r, 0);
  set_elem(r, 0, PN_ONNX_STRING);
  if (x && x->rank == 1) set_shape(r, 0, 1, (pn_dim[]){pn_dim_fresh(r->symbols)});
  if (x && x->rank == 2) set_shape(r, 0, 2, (pn_dim[]){x->dims[0], pn_dim_fresh(r->symbols)});
  return PELTON_OK;
}

static pelton_status tf_idf(pn_onnx_rule_call *r) {
  pn_onnx_i64s indexes;
  const pn_type *x = shaped(r, 0);
  int64_t most = -1;
  PN_TRY(pn_onnx_attr_i64s(r->call->node, "ngram_indexes", &indexes, r->call->diag));
  for (uint32_t i = 0; i < indexes.count; i++)
    if (indexes.data[i] > most) most = indexes.data[i];
  const pn_dim length = pn_dim_of(most + 1);
  if (x && x->rank == 1) set_shape(r, 0, 1, &length);
  if (x && x->rank == 2) set_shape(r, 0, 2, (pn_dim[]){x->dims[0], length});
  return PELTON_OK;
}

static pelton_status constant(pn_onnx_rule_call *r) {
  pn_onnx_strs strings;
  const pn_onnx_attribute *tensor = pn_onnx_attr_find(r->call->node, "value");
  if (tensor && tensor->t && tensor->t->dims.count <= PN_MAX_RANK) {
    set_elem(r, 0, tensor->t->elem);
    const pn_type type = pn_type_make(PELTON_DTYPE_NONE, tensor->t->dims.count, tensor->t->dims.data);
    set_shape(r, 0, type.rank, type.dims);
    return PELTON_OK;
  }
  PN_TRY(pn_onnx_attr_strs(r->call->node, "value_strings", &strings, r->call->diag));
  set_elem(r, 0, PN_ONNX_STRING);
  if (strings.count > 0)
    set_shape(r, 0, 1, (pn_dim[]){pn_dim_of(strings.count)});
  else
    set_shape(r, 0, 0, NULL);
  return PELTON_OK;
}

/* ---- the table ------------------------------------------------------------------------------------------------------
 */

static const pn_onnx_rule rows[] = {
    {"Adagrad", one_state, PN_ONNX_RULE_FORGIVES},
    {"Adam", two_states, PN_ONNX_RULE_FORGIVES},
    {"BatchNormalization", batch_norm, PN_ONNX_RULE_REFINES},
    {"Bernoulli", random_like, PN_ONNX_RULE_FORGIVES},
    {"Constant", constant, PN_ONNX_RULE_FORGIVES},
    {"ConstantOfShape", constant_of_shape, PN_ONNX_RULE_FORGIVES},
    {"ConvInteger", conv_integer, PN_ONNX_RULE_FORGIVES},
    {"DFT", dft, PN_ONNX_RULE_FORGIVES},
    {"Equal", broadcast, PN_ONNX_RULE_FORGIVES},
    {"GRU", recurrent, PN_ONNX_RULE_FORGIVES},
    {"GatherND", gather_nd, PN_ONNX_RULE_FORGIVES},
    {"Gemm", gemm, PN_ONNX_RULE_REFINES},
    {"Greater", broadcast, PN_ONNX_RULE_FORGIVES},
    {"GreaterOrEqual", broadcast, PN_ONNX_RULE_FORGIVES},
    {"LSTM", recurrent, PN_ONNX_RULE_FORGIVES},
    {"Less", broadcast, PN_ONNX_RULE_FORGIVES},
    {"LessOrEqual", broadcast, PN_ONNX_RULE_FORGIVES},
    {"LinearClassifier", linear_classifier, PN_ONNX_RULE_FORGIVES},
    {"MaxUnpool", max_unpool, PN_ONNX_RULE_FORGIVES},
    {"Momentum", one_state, PN_ONNX_RULE_FORGIVES},
    {"Multinomial", multinomial, PN_ONNX_RULE_FORGIVES},
    {"NegativeLogLikelihoodLoss", loss, PN_ONNX_RULE_FORGIVES | PN_ONNX_RULE_REFINES},
    {"NonMaxSuppression", non_max_suppression, PN_ONNX_RULE_FORGIVES},
    {"PRelu", same, PN_ONNX_RULE_REFINES},
    {"QLinearConv", qlinear_conv, PN_ONNX_RULE_FORGIVES},
    {"RNN", recurrent, PN_ONNX_RULE_FORGIVES},
    {"RandomNormal", random_of_shape, PN_ONNX_RULE_FORGIVES},
    {"RandomNormalLike", random_like, PN_ONNX_RULE_FORGIVES},
    {"RandomUniform", random_of_shape, PN_ONNX_RULE_FORGIVES},
    {"RandomUniformLike", random_like, PN_ONNX_RULE_FORGIVES},
    {"RegexFullMatch", same, PN_ONNX_RULE_FORGIVES},
    {"Reshape", NULL, PN_ONNX_RULE_FORGIVES},
    {"STFT", stft, PN_ONNX_RULE_FORGIVES},
    {"Scatter", same, PN_ONNX_RULE_FORGIVES},
    {"ScatterElements", same, PN_ONNX_RULE_FORGIVES},
    {"ScatterND", same, PN_ONNX_RULE_FORGIVES},
    {"SoftmaxCrossEntropyLoss", loss, PN_ONNX_RULE_FORGIVES | PN_ONNX_RULE_REFINES},
    {"StringConcat", broadcast, PN_ONNX_RULE_FORGIVES},
    {"StringNormalizer", string_normalizer, PN_ONNX_RULE_FORGIVES},
    {"StringSplit", string_split, PN_ONNX_RULE_FORGIVES},
    {"SwiGLU", same, PN_ONNX_RULE_REFINES},
    {"TfIdfVectorizer", tf_idf, PN_ONNX_RULE_FORGIVES},
};

const pn_onnx_rules pn_onnx_rules_tensor = {rows, (uint32_t)PN_COUNT(rows)};
