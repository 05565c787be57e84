/* matmul and matmul_integer: numpy's product of stacks of matrices. A vector on the left is a row, on the right a
   column, and that axis leaves the result; axes before the last two broadcast. */
#include "op/linear/line.h"
#include "op/operand.h"
#include "op/movement/walk.h"

/* ---- check and infer */

static pelton_status check_operand(const pn_infer *c, uint32_t i, const char *name, bool trans) {
  PN_TRY(pn_operand_wants_rank(c, "matmul", i, name, 1, PN_MAX_RANK));
  if (!trans || c->in[i].type.rank != 1) return PELTON_OK;
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                 "matmul: trans_%s is set and %s is a vector, which has nothing to swap; clear it", name, name);
}

pelton_status pn_check_matmul(const pn_infer *c) {
  const pn_attrs_matmul *attrs = c->attrs;
  if (c->in[0].type.dtype == PELTON_DTYPE_BOOL)
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "matmul: a is of type bool; it must be a number");
  PN_TRY(pn_operand_wants_type_of(c, "matmul", 1, "b", 0));
  PN_TRY(check_operand(c, 0, "a", attrs->trans_a));
  return check_operand(c, 1, "b", attrs->trans_b);
}

static pelton_status infer_product(const pn_infer *c, const char *op, bool trans_a, bool trans_b, pelton_dtype dtype) {
  const pn_type *a = &c->in[0].type, *b = &c->in[1].type;
  if (a->rank == PN_RANK_UNKNOWN || b->rank == PN_RANK_UNKNOWN) {
    pn_infer_unknown(c, 0, dtype, PN_RANK_UNKNOWN);
    return PELTON_OK;
  }
  bool row = a->rank == 1, column = b->rank == 1;
  pn_dim a_inner = a->dims[row || !trans_a ? a->rank - 1 : a->rank - 2], inner = pn_dim_of(0);
  pn_dim b_inner = b->dims[column || trans_b ? b->rank - 1 : b->rank - 2];
  if (!pn_dim_unify(a_inner, b_inner, &inner))
    return pn_fail(c->diag, PELTON_INVALID_ARGUMENT,
                   "%s: a's rows have %lld elements, b's columns %lld; they must be equal", op,
                   (long long)a_inner.number, (long long)b_inner.number);
  pn_type a_stack = *a, b_stack = *b, y = {.dtype = dtype};
  a_stack.rank = row ? 0 : a->rank - 2;
  b_stack.rank = column ? 0 : b->rank - 2;
  y.dtype = dtype;
  PN_TRY(pn_infer_broadcast(c, &a_stack, &b_stack, &y));
  if (!row) y.dims[y.rank++] = a->dims[trans_a ? a->rank - 1 : a->rank - 2];
  if (!column) y.dims[y.rank++] = b->dims[trans_b ? b->rank - 2 : b->rank - 1];
  c->out[0].type = y;
  return PELTON_OK;
}

pelton_status pn_infer_matmul(const pn_infer *c) {
  const pn_attrs_matmul *attrs = c->attrs;
  return infer_product(c, "matmul", attrs->trans_a, attrs->trans_b, c->in[0].type.dtype);
}

static pelton_status check_byte(const pn_infer *c, uint32_t i, const char *name) {
  pelton_dtype dtype = c->in[i].type.dtype;
  if (dtype == PELTON_DTYPE_I8 || dtype == PELTON_DTYPE_U8)
    return pn_operand_wants_rank(c, "matmul_integer", i, name, 1, PN_MAX_RANK);
  return pn_fail(c->diag, PELTON_INVALID_ARGUMENT, "matmul_integer: %s is of type %s; it must be i8 or u8", name,
                 pelton_dtype_name(dtype));
}

pelton_status pn_check_matmul_integer(const pn_infer *c) {
  PN_TRY(check_byte(c, 0, "a"));
  PN_TRY(check_byte(c, 1, "b"));
  PN_TRY(pn_operand_wants_type_of(c, "matmul_integer", 2, "a_zero_point", 0));
  return pn_operand_wants_type_of(c, "matmul_integer", 3, "b_zero_point", 1);
}

pelton_status pn_infer_matmul_integer(const pn_infer *c) {
  return infer_product(c, "matmul_integer", false, false, PELTON_DTYPE_I32);
}

/* ---- reference */

typedef struct product {
  int64_t rows, inner, columns;
  bool trans_a, trans_b;
  pn_walk stack; /* to: matrices of a; from: matrices of b; the result's follow each other */
} product;

static pelton_status prepare(const pn_call *call, const char *op, bool trans_a, bool trans_b, product *p) {
  const pn_tensor *a = &call->in[0], *b = &call->in[1];
  bool row = a->rank == 1, column = b->rank == 1;
  if (a->rank == 0 || b->rank == 0) return pn_fail(call->diag, PELTON_INVALID_DATA, "%s: an operand is a scalar", op);
  *p = (product){.rows = row ? 1 : a->dims[a->rank - 2], .inner = a->dims[a->rank - 1], .trans_a = trans_a && !row,
                 .trans_b = trans_b && !column, .columns = column ? 1 : b->dims[b->rank - 1]};
  int64_t b_inner = b->dims[column ? 0 : b->rank - 2], dims[PN_MAX_RANK + 2], a_stride = 1, b_stride = 1;
  if (p->trans_a) {
    p->rows = a->dims[a->rank - 1];
    p->inner = a->dims[a->rank - 2];
  }
  if (p->trans_b) {
    b_inner = b->dims[b->rank - 1];
    p->columns = b->dims[b->rank - 2];
  }
  if (b_inner != p->inner)
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "%s: a's rows have %lld elements, b's columns %lld; they must be equal",
                   op, (long long)p->inner, (long long)b_inner);
  uint32_t a_rank = row ? 0 : a->rank - 2, b_rank = column ? 0 : b->rank - 2, rank = a_rank > b_rank ? a_rank : b_rank;
  p->stack.rank = rank;
  for (uint32_t i = 1; i <= rank; i++) {
    int64_t x = i <= a_rank ? a->dims[a_rank - i] : 1, y = i <= b_rank ? b->dims[b_rank - i] : 1;
    if (x != y && x != 1 && y != 1)
      return pn_fail(call->diag, PELTON_INVALID_DATA, "%s: extents %lld and %lld of the stacks do not broadcast", op,
                     (long long)x, (long long)y);
    dims[rank - i] = p->stack.dims[rank - i] = x == 1 ? y : x;
    p->stack.to_strides[rank - i] = x == 1 ? 0 : a_stride;
    p->stack.from_strides[rank - i] = y == 1 ? 0 : b_stride;
    a_stride *= x;
    b_stride *= y;
  }
  if (!row) dims[rank++] = p->rows;
  if (!column) dims[rank++] = p->columns;
  return pn_call_wants_result(call, op, 0, rank, dims);
}

#define REAL float
#define NAME(x) x##_f32
#include "op/linear/matmul_compute.tmpl.h"
#define REAL double
#define NAME(x) x##_f64
#include "op/linear/matmul_compute.tmpl.h"

/* Integers wrap, whatever their width: the low bits of 64-bit sums are right for all. */
static void multiply_integers(product *p, const pn_call *call) {
  pn_tensor *y = &call->out[0];
  int64_t to = 0;
  if (!pn_walk_begin(&p->stack)) return;
  do
    for (int64_t i = 0; i < p->rows; i++)
      for (int64_t j = 0; j < p->columns; j++) {
        int64_t a = p->stack.to * p->rows * p->inner, b = p->stack.from * p->inner * p->columns;
        uint64_t sum = 0;
        for (int64_t k = 0; k < p->inner; k++) {
          int64_t from_a = a + (p->trans_a ? k * p->rows + i : i * p->inner + k);
          int64_t from_b = b + (p->trans_b ? j * p->inner + k : k * p->columns + j);
          sum += (uint64_t)pn_tensor_get_i64(&call->in[0], from_a) * (uint64_t)pn_tensor_get_i64(&call->in[1], from_b);
        }
        pn_tensor_set_i64(y, to++, (int64_t)sum);
      }
  while (pn_walk_next(&p->stack));
}

pelton_status pn_reference_matmul(const pn_call *call) {
  const pn_attrs_matmul *attrs = call->attrs;
  pn_tensor *y = &call->out[0];
  product p;
  PN_TRY(prepare(call, "matmul", attrs->trans_a, attrs->trans_b, &p));
  if (!pn_dtype_is_float(y->dtype)) {
    multiply_integers(&p, call);
    return PELTON_OK;
  }
  if (y->dtype == PELTON_DTYPE_F32) {
    float *row = PN_NEW_ARRAY(call->scratch, float, (size_t)p.inner);
    if (!row) return pn_fail_memory(call->diag, "a row of matmul");
    multiply_f32(&p, call->in[0].data, call->in[1].data, row, y->data);
    return PELTON_OK;
  }
  double *a, *b, *row, *sums;
  PN_TRY(pn_call_f64s(call, &call->in[0], &a));
  PN_TRY(pn_call_f64s(call, &call->in[1], &b));
  PN_TRY(pn_call_room(call, p.inner, &row));
  PN_TRY(pn_call_room(call, pn_tensor_elements(y), &sums));
  multiply_f64(&p, a, b, row, sums);
  pn_line_store(y, 0, 1, pn_tensor_elements(y), sums);
  return PELTON_OK;
}

/* The zero points of a's rows (b's columns): one, one for each, or one for each of every matrix. */
static pelton_status subtract_zero_points(const pn_call *call, uint32_t i, const char *name, const pn_tensor *x,
                                          double *values, int64_t lines, bool of_rows) {
  if (!pn_call_has(call, i)) return PELTON_OK;
  const pn_tensor *zero = &call->in[i];
  int64_t elements = pn_tensor_elements(x), zeros = pn_tensor_elements(zero), columns = x->dims[x->rank - 1];
  if (x->rank == 1 && !of_rows) columns = 1; /* b is one column, a one row */
  int64_t matrix = lines * (of_rows ? columns : (x->rank == 1 ? x->dims[0] : x->dims[x->rank - 2]));
  if (elements == 0) return PELTON_OK;
  if (zeros != 1 && zeros != lines && zeros != elements / matrix * lines)
    return pn_fail(call->diag, PELTON_INVALID_DATA,
                   "matmul_integer: %s has %lld elements; give 1, %lld, or %lld for each matrix", name,
                   (long long)zeros,
                   (long long)lines, (long long)lines);
  for (int64_t k = 0; k < elements; k++) {
    int64_t line = of_rows ? k / columns % lines : k % columns;
    int64_t at = zeros == 1 ? 0 : zeros == lines ? line : k / matrix * lines + line;
    values[k] -= pn_tensor_get_f64(zero, at);
  }
  return PELTON_OK;
}

/* In doubles, which hold products of 9-bit numbers and any sum of them exactly. */
pelton_status pn_reference_matmul_integer(const pn_call *call) {
  pn_tensor *y = &call->out[0];
  product p;
  double *a, *b, *row, *sums;
  PN_TRY(prepare(call, "matmul_integer", false, false, &p));
  PN_TRY(pn_call_f64s(call, &call->in[0], &a));
  PN_TRY(pn_call_f64s(call, &call->in[1], &b));
  PN_TRY(subtract_zero_points(call, 2, "a_zero_point", &call->in[0], a, p.rows, true));
  PN_TRY(subtract_zero_points(call, 3, "b_zero_point", &call->in[1], b, p.columns, false));
  PN_TRY(pn_call_room(call, p.inner, &row));
  PN_TRY(pn_call_room(call, pn_tensor_elements(y), &sums));
  multiply_f64(&p, a, b, row, sums);
  pn_line_store(y, 0, 1, pn_tensor_elements(y), sums);
  return PELTON_OK;
}
