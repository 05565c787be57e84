#include "targets/cpu/product/gemm.h"

#include "base/bytes.h"

#include <math.h>

const pn_cpu_gemm_f32_width *pn_cpu_gemm_f32_width_for(const pn_cpu_gemm_f32 *gemm, int64_t m, int64_t n) {
  const pn_cpu_gemm_f32_width *best = &gemm->widths[0];
  double best_cost = 0;
  for (uint32_t i = 0; i < gemm->width_count;
       i++) { /* vectors of columns by tiles of rows; narrow tiles reuse B less */
    const pn_cpu_gemm_f32_width *w = &gemm->widths[i];
    double rows = (double)pn_div_up(m, w->mr_max), mr = (double)m / rows;
    double columns = (double)(pn_div_up(n, w->nr) * w->nr), vectors = w->nr / (double)gemm->widths[0].nr;
    double loads = (vectors + mr) / (vectors * mr); /* a multiply-add */
    double cost = columns * (1 + loads) * (vectors * mr < 8 ? 8 / (vectors * mr) : 1);
    if (i && cost >= best_cost) continue;
    best_cost = cost;
    best = w;
  }
  return best;
}

void pn_cpu_product_run(const pn_cpu_gemm_f32_width *width, const pn_cpu_product *p) {
  static const ptrdiff_t no_offset[1] = {0};
  int64_t nr = width->nr, tiles = pn_div_up(p->rows, width->mr_max);
  for (int64_t column = 0; column < p->n; column += nr)
    for (int64_t t = 0; t < tiles; t++) {
      int64_t begin = p->rows * t / tiles, count = p->rows * (t + 1) / tiles - begin;
      pn_cpu_gemm_f32_tile tile = {
          .a = p->a + begin * p->a_stride,
          .a_row_stride = p->a_stride,
          .tap_offset = no_offset,
          .tap_count = 1,
          .k = (size_t)p->k,
          .b = p->b + column * p->k,
          .b_tap_stride = (size_t)(nr * p->k),
          .c = p->c + begin * p->c_stride + column,
          .c_row_stride = p->c_stride,
          .n = (size_t)pn_min_i64(nr, p->n - column),
          .start = p->add ? PN_CPU_GEMM_ADD_TO_C : PN_CPU_GEMM_ZERO,
          .residual = p->residual ? p->residual + begin * p->residual_stride + column : NULL,
          .residual_row_stride = p->residual_stride,
          .lo = -INFINITY,
          .hi = INFINITY,
      };
      width->fns[count - 1](&tile);
    }
}

pn_cpu_matmul_shape pn_cpu_matmul_shape_of(const pn_problem *p) {
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1), *c = pn_problem_output(p, 0, 0);
  pn_cpu_matmul_shape s = {.batches = 1};
  if (p->nodes[0].op == PN_OP_MATMUL) {
    const pn_attrs_matmul *attrs = p->nodes[0].attrs;
    s.trans_a = attrs->trans_a && a->rank > 1;
    s.trans_b = attrs->trans_b && b->rank > 1;
  }
  s.k = a->rank == 1 ? a->dims[0] : a->dims[a->rank - (s.trans_a ? 2 : 1)];
  s.m = a->rank == 1 ? 1 : a->dims[a->rank - (s.trans_a ? 1 : 2)];
  s.n = b->rank == 1 ? 1 : b->dims[b->rank - (s.trans_b ? 2 : 1)];
  int64_t total = pn_operand_elements(c);
  s.batches = s.m > 0 && s.n > 0 ? total / (s.m * s.n) : 0;
  if (b->rank <= 2 && !s.trans_a) {
    s.m *= s.batches ? s.batches : 1;
    s.batches = s.batches ? 1 : 0;
  }
  return s;
}

void pn_cpu_matmul_stack_of(const pn_problem *p, const pn_cpu_matmul_shape *s, pn_cpu_matmul_stack *out) {
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1), *c = pn_problem_output(p, 0, 0);
  out->rank = 0;
  if (s->batches == 1 && b->rank <= 2) return;
  out->rank = c->rank - (a->rank > 1) - (b->rank > 1);
  int64_t a_stride = s->m * s->k, b_stride = s->n * s->k;
  for (uint32_t d = out->rank; d-- > 0;) {
    int64_t from_end = out->rank - d;
    int64_t a_axis = (int64_t)a->rank - 2 - from_end, b_axis = (int64_t)b->rank - 2 - from_end;
    int64_t a_dim = a_axis >= 0 ? a->dims[a_axis] : 1, b_dim = b_axis >= 0 ? b->dims[b_axis] : 1;
    out->dims[d] = c->dims[d];
    out->a[d] = a_dim > 1 ? a_stride : 0;
    out->b[d] = b_dim > 1 ? b_stride : 0;
    a_stride *= a_dim;
    b_stride *= b_dim;
  }
}

int64_t pn_cpu_matmul_offset(const pn_cpu_matmul_stack *stack, int64_t batch, const int64_t *strides) {
  int64_t offset = 0;
  for (uint32_t d = stack->rank; d-- > 0;) {
    offset += batch % stack->dims[d] * strides[d];
    batch /= stack->dims[d];
  }
  return offset;
}
