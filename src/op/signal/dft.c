/* dft: the discrete Fourier transform along an axis of x[...,1] (real) or x[...,2] (complex), over |length| elements:
   zeros are appended, or the rest is left out. The inverse divides by the length.

   A onesided transform of real numbers gives the first length/2+1 elements, of which the others are conjugates; its
   inverse takes those and gives real numbers. */
#include "op/linear/line.h"
#include "op/operand.h"
#include "op/signal/fft.h"

static const char op[] = "dft";

enum { X, LENGTH, AXIS };

static const int64_t longest = 1 << 30;

pelton_status pn_check_dft(const pn_infer *c) {
  PN_TRY(pn_operand_wants_float(c, op, X, "x"));
  PN_TRY(pn_operand_wants_rank(c, op, X, "x", 2, PN_MAX_RANK));
  PN_TRY(pn_operand_wants_indices(c, op, LENGTH, "length"));
  PN_TRY(pn_operand_wants_scalar(c, op, LENGTH, "length"));
  PN_TRY(pn_operand_wants_indices(c, op, AXIS, "axis"));
  return pn_operand_wants_scalar(c, op, AXIS, "axis");
}

/* ---- what infer and reference share */

static pelton_status check_parts(pelton_diag *diag, const pn_attrs_dft *attrs, int64_t parts) {
  if (parts != 1 && parts != 2)
    return pn_fail(diag, PELTON_INVALID_ARGUMENT,
                   "dft: x has a last extent of %lld; it must be 1, for real numbers, or 2, for complex ones",
                   (long long)parts);
  if (!attrs->onesided || (parts == 2) == attrs->inverse) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "dft: x is %s; a onesided %s takes %s numbers",
                 parts == 1 ? "real" : "complex", attrs->inverse ? "inverse" : "transform",
                 attrs->inverse ? "complex" : "real");
}

static pelton_status check_length(pelton_diag *diag, int64_t length) {
  if (length >= 1 && length <= longest) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "dft: a length of %lld; it must be from 1 to %lld", (long long)length,
                 (long long)longest);
}

static pelton_status resolve_axis(pelton_diag *diag, int64_t axis, int64_t rank, uint32_t *out) {
  PN_TRY(pn_axes_resolve(diag, op, &axis, 1, rank, out));
  if (*out + 1 < rank) return PELTON_OK;
  return pn_fail(diag, PELTON_INVALID_ARGUMENT, "dft: axis %lld is the last, which holds the parts of complex numbers",
                 (long long)axis);
}

static int64_t parts_of_result(const pn_attrs_dft *attrs) { return attrs->onesided && attrs->inverse ? 1 : 2; }

/* ---- infer */

static pelton_status infer_extent(const pn_infer *c, pn_dim x, pn_dim *out) {
  const pn_attrs_dft *attrs = c->attrs;
  const pn_dim *given, one = pn_dim_of(1), two = pn_dim_of(2);
  pn_dim length = x;
  uint32_t count;
  if (attrs->onesided && attrs->inverse) length = pn_dim_mul(c->symbols, pn_dim_sub(c->symbols, x, one), two);
  if (pn_infer_has(c, LENGTH))
    length = pn_infer_content(c, LENGTH, &given, &count) && count == 1 ? *given : pn_dim_fresh(c->symbols);
  if (pn_dim_is_number(length)) PN_TRY(check_length(c->diag, length.number));
  *out = length;
  if (attrs->onesided && !attrs->inverse)
    *out = pn_dim_add(c->symbols, pn_dim_floor_div(c->symbols, length, two), one);
  return PELTON_OK;
}

pelton_status pn_infer_dft(const pn_infer *c) {
  const pn_attrs_dft *attrs = c->attrs;
  const pn_type *x = &c->in[X].type;
  pn_type *y = &c->out[0].type;
  static const int64_t usual = -2;
  const int64_t *given = &usual;
  uint32_t count = 1, axis;
  if (x->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, x->dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  *y = *x;
  const int32_t last = x->rank - 1;
  if (pn_dim_is_number(x->dims[last])) PN_TRY(check_parts(c->diag, attrs, x->dims[last].number));
  y->dims[last] = pn_dim_of(parts_of_result(attrs));
  if (pn_infer_has(c, AXIS) && (!pn_infer_numbers(c, AXIS, &given, &count) || count != 1)) {
    for (int32_t i = 0; i < last && (attrs->onesided || pn_infer_has(c, LENGTH)); i++)
      y->dims[i] = pn_dim_fresh(c->symbols); /* one of them changes */
    return PELTON_OK;
  }
  PN_TRY(resolve_axis(c->diag, *given, x->rank, &axis));
  return infer_extent(c, x->dims[axis], &y->dims[axis]);
}

/* ---- reference */

/* Lines along the axis; element i of one is at i * |inner| elements of |parts| numbers. */
typedef struct lines {
  int64_t outer, inner, x_extent, x_parts, y_extent, y_parts, length;
} lines;

static pelton_status read_scalar(const pn_call *call, uint32_t i, int64_t usual, int64_t *out) {
  const int64_t *given;
  uint32_t count;
  *out = usual;
  if (!pn_call_has(call, i)) return PELTON_OK;
  PN_TRY(pn_call_numbers(call, i, &given, &count));
  if (count == 1) *out = given[0];
  return count == 1 ? PELTON_OK
                    : pn_fail(call->diag, PELTON_INVALID_DATA, "dft: %s has %u elements; it must be one",
                              i == AXIS ? "axis" : "length", (unsigned)count);
}

static pelton_status prepare(const pn_call *call, lines *l) {
  const pn_attrs_dft *attrs = call->attrs;
  const pn_tensor *x = &call->in[X];
  int64_t given, dims[PN_MAX_RANK];
  uint32_t axis;
  PN_TRY(read_scalar(call, AXIS, -2, &given));
  PN_TRY(resolve_axis(call->diag, given, x->rank, &axis));
  *l = (lines){.outer = 1, .inner = 1, .x_extent = x->dims[axis], .x_parts = x->dims[x->rank - 1],
               .y_parts = parts_of_result(attrs)};
  PN_TRY(check_parts(call->diag, attrs, l->x_parts));
  const bool halves = attrs->onesided && attrs->inverse;
  PN_TRY(read_scalar(call, LENGTH, halves ? 2 * (l->x_extent - 1) : l->x_extent, &l->length));
  PN_TRY(check_length(call->diag, l->length));
  l->y_extent = attrs->onesided && !attrs->inverse ? l->length / 2 + 1 : l->length;
  for (uint32_t i = 0; i + 1 < x->rank; i++) {
    dims[i] = i == axis ? l->y_extent : x->dims[i];
    if (i != axis) *(i < axis ? &l->outer : &l->inner) *= x->dims[i];
  }
  dims[x->rank - 1] = l->y_parts;
  return pn_call_wants_result(call, op, 0, x->rank, dims);
}

/* Line |outer|, |inner| of |x| as |l->length| numbers. Of a onesided spectrum the other half is its conjugate. */
static void load(const lines *l, const pn_tensor *x, int64_t outer, int64_t inner, bool onesided, pn_complex *line) {
  const int64_t given = pn_min_i64(l->x_extent, onesided ? l->length / 2 + 1 : l->length);
  for (int64_t i = 0; i < l->length; i++) {
    const int64_t at = ((outer * l->x_extent + i) * l->inner + inner) * l->x_parts;
    line[i] = (pn_complex){0, 0};
    if (i < given) line[i].re = pn_tensor_get_f64(x, at);
    if (i < given && l->x_parts == 2) line[i].im = pn_tensor_get_f64(x, at + 1);
    if (onesided && i > l->length / 2) line[i] = pn_complex_conjugate(line[l->length - i]);
  }
}

static void store(const lines *l, pn_tensor *y, int64_t outer, int64_t inner, const pn_complex *line) {
  for (int64_t i = 0; i < l->y_extent; i++) {
    const int64_t at = ((outer * l->y_extent + i) * l->inner + inner) * l->y_parts;
    pn_tensor_set_f64(y, at, line[i].re);
    if (l->y_parts == 2) pn_tensor_set_f64(y, at + 1, line[i].im);
  }
}

pelton_status pn_reference_dft(const pn_call *call) {
  const pn_attrs_dft *attrs = call->attrs;
  pn_fft fft;
  lines l;
  PN_TRY(prepare(call, &l));
  if (l.outer * l.inner == 0) return PELTON_OK;
  PN_TRY(pn_fft_init(&fft, l.length, call->scratch, call->diag));
  pn_complex *line = PN_NEW_ARRAY(call->scratch, pn_complex, (size_t)l.length);
  if (!line) return pn_fail_memory(call->diag, "a Fourier transform");
  const double scale = 1 / (double)l.length;
  for (int64_t outer = 0; outer < l.outer; outer++)
    for (int64_t inner = 0; inner < l.inner; inner++) {
      load(&l, &call->in[X], outer, inner, attrs->onesided && attrs->inverse, line);
      /* Backwards is forwards between two conjugations. */
      for (int64_t i = 0; attrs->inverse && i < l.length; i++) line[i] = pn_complex_conjugate(line[i]);
      pn_fft_run(&fft, line);
      for (int64_t i = 0; attrs->inverse && i < l.length; i++)
        line[i] = (pn_complex){line[i].re * scale, -line[i].im * scale};
      store(&l, &call->out[0], outer, inner, line);
    }
  return PELTON_OK;
}
