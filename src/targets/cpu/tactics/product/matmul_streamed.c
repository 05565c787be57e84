/* Matrix products with few rows and a B that is computed, in f32: B is read once, where it lies, instead of being
   packed first, which would take longer than the product. A task is a run of columns of one product of the stack. */
#include "base/bytes.h"
#include "targets/cpu/epilogue.h"
#include "targets/cpu/product/gemm.h"

#include <math.h>

enum { MOST_ROWS = 8, COLUMNS = 256 /* of B's transpose at once */ };

typedef struct state {
  const pn_cpu_gemv_f32 *gemv;
  const pn_cpu_dotconv_f32 *dot;
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_transpose_f32 *transpose;
  pn_cpu_matmul_shape shape;
  pn_cpu_matmul_stack stack;
  int64_t column_blocks, columns; /* a block's */
  pn_epilogue epilogue;
} state;

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (p->nodes[0].op != PN_OP_MATMUL) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1), *c = pn_problem_output(p, 0, 0);
  if (a->dtype != PELTON_DTYPE_F32 || b->dtype != PELTON_DTYPE_F32 || c->dtype != PELTON_DTYPE_F32)
    return pn_refuse(why, "f32 only");
  if (b->role == PN_OPERAND_CONSTANT && b->rank <= 2) return pn_refuse(why, "a constant B is packed once");
  if (a->rank == 1 || b->rank == 1) return pn_refuse(why, "no vectors");
  pn_cpu_matmul_shape s = pn_cpu_matmul_shape_of(p);
  if (!s.k || !s.m || !s.n || !s.batches) return pn_refuse(why, "an empty product");
  if (s.trans_a && s.m > 1) return pn_refuse(why, "A is transposed");
  if (s.m > MOST_ROWS) return pn_refuse(why, "more than %d rows", MOST_ROWS);
  pn_epilogue epilogue;
  return pn_epilogue_compile(p, &epilogue, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_cpu_matmul_shape s = pn_cpu_matmul_shape_of(p);
  (void)config;
  return pn_cpu_estimate(device, (double)(s.batches * s.m * s.n) * (double)s.k, pn_cpu_operand_bytes(p), 0.4);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  s->gemv = pn_cpu_gemv_f32_best(device->isa);
  s->dot = pn_cpu_dotconv_f32_best(device->isa);
  s->vec = device->vec;
  s->transpose = device->transpose;
  s->shape = pn_cpu_matmul_shape_of(p);
  pn_cpu_matmul_stack_of(p, &s->shape, &s->stack);
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  s->epilogue.native = p->node_count == 1; /* nothing is added in registers here: the expression runs as a program */
  double bytes = 4 * (double)(s->shape.n * s->shape.k);
  s->column_blocks = pn_cpu_parts(device, pn_div_up(s->shape.n, 64), bytes);
  s->columns = pn_div_up(pn_div_up(s->shape.n, s->column_blocks), 64) * 64;
  s->column_blocks = pn_div_up(s->shape.n, s->columns);
}

static size_t thread_bytes(void) {
  return PN_PROGRAM_SCRATCH_BYTES + PN_CPU_DOTCONV_OUTPUTS * COLUMNS * sizeof(float);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)config;
  out->state_bytes = sizeof(state);
  out->workspace_bytes = device->threads * thread_bytes();
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

typedef struct job {
  const state *s;
  const pn_step *step;
  const float *a, *b;
  float *c;
} job;

static void multiply(const state *s, const float *a, const float *b, int64_t rows, int64_t columns, float *c) {
  pn_cpu_gemv_f32_run run = {.x = a,
                             .x_stride = s->shape.k,
                             .b = b,
                             .b_stride = s->shape.n,
                             .y = c,
                             .y_stride = s->shape.n,
                             .rows = (size_t)rows,
                             .k = (size_t)s->shape.k,
                             .n = (size_t)columns};
  s->gemv->run(&run);
}

static void multiply_transposed(const state *s, const float *a, const float *b, int64_t rows, int64_t columns, float *c,
                                float *scratch) {
  static const float no_bias[PN_CPU_DOTCONV_OUTPUTS] = {0};
  for (int64_t j = 0; j < columns; j += COLUMNS) {
    const float *first = b + j * s->shape.k;
    pn_cpu_dotconv_f32_run run = {.rows = &first,
                                  .row_count = 1,
                                  .k = (size_t)s->shape.k,
                                  .pixel_stride = s->shape.k,
                                  .weights = a,
                                  .weight_output_stride = s->shape.k,
                                  .bias = no_bias,
                                  .lo = -INFINITY,
                                  .hi = INFINITY,
                                  .out = rows == 1 ? c + j : scratch,
                                  .width = (size_t)pn_min_i64(COLUMNS, columns - j),
                                  .output_count = (size_t)rows};
    s->dot->run(&run);
    if (rows > 1) s->transpose->transpose(scratch, rows, run.width, (size_t)rows, c + j, s->shape.n);
  }
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  const pn_cpu_matmul_shape *shape = &s->shape;
  int64_t batch = index / s->column_blocks, column = index % s->column_blocks * s->columns,
          columns = pn_min_i64(s->columns, shape->n - column);
  float *scratch = (float *)(void *)((char *)j->step->workspace + thread_bytes() * thread);
  const float *a = j->a + pn_cpu_matmul_offset(&s->stack, batch, s->stack.a),
              *b = j->b + pn_cpu_matmul_offset(&s->stack, batch, s->stack.b) +
                   (shape->trans_b ? column * shape->k : column);
  float *c = j->c + batch * shape->m * shape->n + column;
  for (int64_t row = 0; row < shape->m; row += PN_CPU_GEMV_ROWS) {
    int64_t rows = pn_min_i64(PN_CPU_GEMV_ROWS, shape->m - row);
    if (shape->trans_b)
      multiply_transposed(s, a + row * shape->k, b, rows, columns, c + row * shape->n,
                          scratch + PN_PROGRAM_SCRATCH_BYTES / sizeof(float));
    else
      multiply(s, a + row * shape->k, b, rows, columns, c + row * shape->n);
  }
  pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, c, shape->n, batch * shape->m, shape->m, column, columns,
                    scratch);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s,
           .step = step,
           .a = step->operands[p->nodes[0].inputs[0]],
           .b = step->operands[p->nodes[0].inputs[1]],
           .c = step->operands[p->nodes[p->node_count - 1].outputs[0]]};
  pn_pool_run(stream->device->pool, (uint32_t)(s->shape.batches * s->column_blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_matmul_streamed = {
    .name = "cpu.matmul_streamed",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
