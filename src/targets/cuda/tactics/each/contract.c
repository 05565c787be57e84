/* Sums of products over any axes, a result a thread: einsum, products of integers with zero points, and the matrix
   products that cuda.gemm does not take (f64, integers, very many of them). */
#include "op/linear/einsum.h"
#include "targets/cuda/each.h"
#include "targets/cuda/product.h"

#include <string.h>

enum { MOST_CONTRACTED = 8, MOST_LOOPS = 16 };

/* Kept axes first; strides of each operand along all of them. */
typedef struct contraction {
  uint32_t operands, kept, axes;
  int64_t dims[MOST_LOOPS], strides[MOST_CONTRACTED][MOST_LOOPS];
} contraction;

static bool describe_einsum(const pn_problem *p, contraction *c) {
  const pn_problem_node *node = &p->nodes[0];
  pn_tensor operands[PN_EINSUM_OPERANDS];
  pn_einsum_loops loops;
  if (node->input_count > MOST_CONTRACTED || node->input_count > PN_EINSUM_OPERANDS) return false;
  for (uint32_t i = 0; i < node->input_count; i++) {
    const pn_operand *o = pn_problem_input(p, 0, i);
    operands[i] = (pn_tensor){.dtype = o->dtype, .rank = o->rank};
    memcpy(operands[i].dims, o->dims, sizeof o->dims);
  }
  if (pn_einsum_plan(((const pn_attrs_einsum *)node->attrs)->equation, node->input_count, operands, &loops, NULL) ||
      loops.count > MOST_LOOPS)
    return false;
  *c = (contraction){.operands = node->input_count, .kept = loops.out_count, .axes = loops.count};
  for (uint32_t d = 0; d < loops.count; d++) {
    c->dims[d] = loops.dims[d];
    for (uint32_t k = 0; k < c->operands; k++) c->strides[k][d] = loops.strides[k][d];
  }
  return true;
}

/* Strides of zero points: one for all, one for each line, or one for each line of every matrix. */
static bool describe_zeros(const pn_operand *zeros, const contraction *c, uint32_t of, uint32_t line_axis,
                           int64_t lines, int64_t matrix, int64_t *strides) {
  int64_t count = zeros ? pn_operand_elements(zeros) : 1;
  memset(strides, 0, sizeof *strides * MOST_LOOPS);
  if (count == 1) return true;
  if (line_axis < c->axes) strides[line_axis] = 1;
  if (count == lines) return true;
  for (uint32_t d = 0; d < c->axes; d++) /* axes of the stack move by whole matrices */
    if (d != line_axis && d < c->kept && matrix > 0 && c->strides[of][d] % matrix == 0 && c->strides[of][d] >= matrix)
      strides[d] = c->strides[of][d] / matrix * lines;
  return true;
}

/* Batch axes, rows, columns; summed: the inner one. Axes that vectors lack are of extent 1. */
static bool describe_product(const pn_problem *p, contraction *c) {
  bool integers = p->nodes[0].op == PN_OP_MATMUL_INTEGER;
  const pn_attrs_matmul none = {.trans_a = false}, *attrs = integers ? &none : p->nodes[0].attrs;
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1);
  uint32_t a_axes = a->rank > 2 ? a->rank - 2 : 0, b_axes = b->rank > 2 ? b->rank - 2 : 0;
  uint32_t batch = a_axes > b_axes ? a_axes : b_axes;
  int64_t a_rows = a->rank > 1 ? a->dims[a->rank - 2] : 1, a_columns = a->dims[a->rank - 1];
  int64_t b_rows = b->rank > 1 ? b->dims[b->rank - 2] : b->dims[0], b_columns = b->rank > 1 ? b->dims[b->rank - 1] : 1;
  bool trans_a = attrs->trans_a && a->rank > 1, trans_b = attrs->trans_b && b->rank > 1;
  int64_t a_step = a_rows * a_columns, b_step = b_rows * b_columns;
  if (batch + 3 > MOST_LOOPS) return false;
  *c = (contraction){.operands = 2, .kept = batch + 2, .axes = batch + 3};
  for (uint32_t i = 0; i < batch; i++) {
    int64_t x = i < a_axes ? a->dims[a_axes - 1 - i] : 1, y = i < b_axes ? b->dims[b_axes - 1 - i] : 1;
    uint32_t d = batch - 1 - i;
    c->dims[d] = x == 1 ? y : x;
    c->strides[0][d] = x == 1 ? 0 : a_step;
    c->strides[1][d] = y == 1 ? 0 : b_step;
    a_step *= x;
    b_step *= y;
  }
  c->dims[batch] = trans_a ? a_columns : a_rows;
  c->dims[batch + 1] = trans_b ? b_rows : b_columns;
  c->dims[batch + 2] = trans_a ? a_rows : a_columns;
  c->strides[0][batch] = trans_a ? 1 : a_columns;
  c->strides[0][batch + 2] = trans_a ? a_columns : 1;
  c->strides[1][batch + 1] = trans_b ? b_columns : 1;
  c->strides[1][batch + 2] = trans_b ? 1 : b_columns;
  if (!integers) return true;
  const pn_operand *a_zero = pn_problem_input(p, 0, 2), *b_zero = pn_problem_input(p, 0, 3);
  c->operands = 4;
  return describe_zeros(a_zero, c, 0, batch, a_rows, a_rows * a_columns, c->strides[2]) &&
         describe_zeros(b_zero, c, 1, batch + 1, b_columns, b_rows * b_columns, c->strides[3]);
}

static bool describe(const pn_problem *p, contraction *c) {
  return p->nodes[0].op == PN_OP_EINSUM ? describe_einsum(p, c) : describe_product(p, c);
}

static bool accepts_einsum(const pn_problem *p, pn_reason *why) {
  contraction c;
  if (!describe_einsum(p, &c) || c.operands * (c.axes + 1) > EACH_NUMBERS - 8)
    return pn_refuse(why, "too many operands or labels");
  return true;
}

static bool accepts_matmul(const pn_problem *p, pn_reason *why) {
  pn_cuda_product product;
  if (pn_cuda_product_accepts(p, &product, NULL) && product.batches <= 65535)
    return pn_refuse(why, "cuda.gemm is better");
  return true;
}

static bool accepts_integers(const pn_problem *p, pn_reason *why) {
  static const char *const names[] = {"a_zero_point", "b_zero_point"};
  for (uint32_t i = 0; i < 2; i++) {
    const pn_operand *x = pn_problem_input(p, 0, i), *zero = pn_problem_input(p, 0, 2 + i);
    int64_t rows = x->rank > 1 ? x->dims[x->rank - 2] : i == 0 ? 1 : x->dims[0];
    int64_t columns = x->rank > 1 || i == 0 ? x->dims[x->rank - 1] : 1, lines = i == 0 ? rows : columns;
    int64_t count = zero ? pn_operand_elements(zero) : 1, elements = pn_operand_elements(x);
    if (count != 1 && count != lines && (!elements || count != elements / (rows * columns) * lines))
      return pn_refuse(why, "a %s that does not fit", names[i]);
  }
  return true;
}

static void render_factors(const pn_problem *p, pn_cuda_each *e) {
  static const char *const names[] = {"X0", "X1", "X2", "X3", "X4", "X5", "X6", "X7"}, *const outputs[] = {"Y"};
  static const char *const integers[] = {"X0", "X1", "ZERO0", "ZERO1"};
  bool is_integers = p->nodes[0].op == PN_OP_MATMUL_INTEGER;
  uint32_t count = is_integers ? 2 : p->nodes[0].input_count;
  pn_cuda_each_operands(e, is_integers ? integers : names, is_integers ? 4 : count, outputs, 1);
  pn_text_printf(&e->head, "#define FACTORS (1");
  for (uint32_t k = 0; k < count; k++) {
    pn_text_printf(&e->head, " * ((S)LOAD(X%u_TYPE, X%u, (u32)at[%u])", (unsigned)k, (unsigned)k, (unsigned)k);
    if (is_integers && pn_problem_input(p, 0, 2 + k))
      pn_text_printf(&e->head, " - (S)LOAD(ZERO%u_TYPE, ZERO%u, (u32)at[%u])", (unsigned)k, (unsigned)k,
                     (unsigned)k + 2);
    pn_text_printf(&e->head, ")");
  }
  pn_text_printf(&e->head, ")\n");
}

static pelton_status prepare_all(const pn_problem *p, const pn_device *device, pn_cuda_work *work, pelton_diag *diag) {
  const pn_operand *y = pn_problem_output(p, 0, 0);
  contraction c;
  pn_cuda_each e;
  if (!describe(p, &c)) return PN_INTERNAL(diag, "a product changed after it was accepted");
  if (c.axes == c.kept) { /* an axis of one term */
    for (uint32_t k = 0; k < c.operands; k++) c.strides[k][c.axes] = 0;
    c.dims[c.axes++] = 1;
  }
  pn_cuda_each_begin(&e, p, device, work);
  render_factors(p, &e);
  bool is_float = pn_dtype_is_float(y->dtype);
  const char *form = p->nodes[0].op == PN_OP_MATMUL_INTEGER ? "u32"
                     : !is_float                            ? "u64"
                     : y->dtype == PELTON_DTYPE_F64         ? "f64"
                                                            : "f32";
  pn_cuda_each_word(&e, "S", form);
  pn_cuda_each_word(&e, "RESULT(sum)",
                    y->dtype == PELTON_DTYPE_BOOL            ? "((sum) != 0)"
                    : p->nodes[0].op == PN_OP_MATMUL_INTEGER ? "((i32)(sum))"
                                                             : "((Y_FORM)(sum))");
  int64_t rounds = 1;
  for (uint32_t d = c.kept; d + 1 < c.axes; d++) rounds *= c.dims[d];
  e.fused = true;
  pn_cuda_each_constant(&e, "OPERANDS", c.operands);
  pn_cuda_each_constant(&e, "KEPT", c.kept);
  pn_cuda_each_constant(&e, "AXES", c.axes);
  pn_cuda_each_dividers(&e, "DIMS", c.dims, c.axes);
  pn_cuda_each_number(&e, "ROUNDS", rounds);
  pn_cuda_each_number(&e, "LAST", c.dims[c.axes - 1]);
  int64_t strides[MOST_CONTRACTED * MOST_LOOPS];
  for (uint32_t k = 0; k < c.operands; k++) memcpy(strides + k * c.axes, c.strides[k], sizeof *strides * c.axes);
  pn_cuda_each_numbers(&e, "STRIDES", strides, c.operands * c.axes);
  return pn_cuda_each_end(&e, "contract.cu", "contract", pn_operand_elements(y), 1, diag);
}

static const pn_cuda_each_op ops[] = {
    {PN_OP_EINSUM, accepts_einsum, NULL, prepare_all},
    {PN_OP_MATMUL, accepts_matmul, NULL, prepare_all},
    {PN_OP_MATMUL_INTEGER, accepts_integers, NULL, prepare_all},
};
PN_CUDA_EACH_TACTIC(contract, ops);
