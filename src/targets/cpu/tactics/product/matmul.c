/* Matrix products in f32, batched, with an epilogue.

   B is packed into panels of the kernel's width: when the engine is built, if B is constant and not batched; else at
   the start of each run, into the workspace. A is read in place, unless its rows lie a multiple of 1024 floats apart
   (they would all share one set of the first cache) or it is transposed: then each task copies its rows. A task is a
   block of rows by a block of columns of one batch; within it every panel of B stays in the second cache while the rows
   go by. */
#include "targets/cpu/epilogue.h"
#include "targets/cpu/product/gemm.h"
#include "target/strides.h"

enum { ROW_BLOCK = 112 };

typedef struct state {
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_transpose_f32 *transpose;
  pn_cpu_gemm_f32_width width;
  int64_t m, n, k, batches;
  int64_t a_rows, a_step; /* distance between rows of A, between steps of k; one of them is 1 */
  int64_t b_rows, b_columns;
  bool trans_a, trans_b, b_packed, copy_a;
  pn_cpu_matmul_stack stack;
  int64_t panels, row_blocks, row_block, column_blocks, panels_a_block;
  size_t b_bytes, bias_offset; /* of packed B: in |packed|, or of all batches in the workspace */
  size_t a_bytes;              /* scratch of a thread for rows of A */
  int64_t a_pitch;
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
  if (p->node_count > 1 && (a->rank == 1 || b->rank == 1)) return pn_refuse(why, "vectors take no epilogue");
  pn_cpu_matmul_shape s = pn_cpu_matmul_shape_of(p);
  if (!s.k || !s.m || !s.n || !s.batches) return pn_refuse(why, "an empty product");
  pn_epilogue epilogue;
  return pn_epilogue_compile(p, &epilogue, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_cpu_matmul_shape s = pn_cpu_matmul_shape_of(p);
  (void)config;
  double few_rows = s.m < 4 ? (double)s.m / 4 : 1;
  double columns = (double)pn_div_up(s.n, 16) * 16;
  const pn_operand *b = pn_problem_input(p, 0, 1);
  double packing = b->role == PN_OPERAND_CONSTANT && b->rank <= 2 ? 0 : 3 * (double)pn_operand_bytes(b);
  return pn_cpu_estimate(device, (double)s.batches * (double)s.m * columns * (double)s.k,
                         pn_cpu_operand_bytes(p) + packing, 0.85 * few_rows);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  pn_cpu_matmul_shape dims = pn_cpu_matmul_shape_of(p);
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1);
  s->gemm = device->gemm;
  s->vec = device->vec;
  s->transpose = device->transpose;
  s->width = *pn_cpu_gemm_f32_width_for(device->gemm, dims.m, dims.n);
  s->m = dims.m;
  s->n = dims.n;
  s->k = dims.k;
  s->batches = dims.batches;
  s->trans_a = dims.trans_a;
  s->trans_b = dims.trans_b;
  s->a_rows = a->rank > 1 ? a->dims[a->rank - 1] : s->k;
  s->b_columns = b->rank > 1 ? b->dims[b->rank - 1] : 1;
  s->b_packed = b->role == PN_OPERAND_CONSTANT && b->rank <= 2;
  s->panels = pn_div_up(s->n, s->width.nr);
  pn_cpu_matmul_stack_of(p, &dims, &s->stack);
  s->copy_a = s->trans_a || (s->a_rows % 1024 == 0 && s->m > 4);
  s->row_blocks = pn_div_up(s->m, ROW_BLOCK);
  s->row_block = pn_div_up(s->m, s->row_blocks);
  int64_t wanted = 4 * (int64_t)device->threads;
  int64_t tasks = s->batches * s->row_blocks;
  s->column_blocks = pn_cpu_panel_blocks(s->panels, tasks, wanted, &s->panels_a_block);
  s->a_pitch = s->k + 16;
  if (s->a_pitch % 1024 == 0) s->a_pitch += 16;
  s->a_bytes = s->copy_a ? pn_align_up((size_t)(s->row_block * s->a_pitch) * 4, 64) : 0;
  s->b_bytes = (size_t)(s->panels * s->width.nr * s->k) * 4;
}

static size_t bias_bytes(const state *s) {
  return s->epilogue.bias == PN_NO_OPERAND ? 0 : (size_t)(s->panels * s->width.nr) * 4;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  (void)pn_epilogue_compile(p, &s.epilogue, NULL);
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->packed_bytes = (s.b_packed ? s.b_bytes : 0) + bias_bytes(&s);
  out->packing = s.width.nr;
  out->workspace_bytes = (s.b_packed ? 0 : s.b_bytes * (size_t)s.batches) +
                         (size_t)device->threads * (s.a_bytes + PN_PROGRAM_SCRATCH_BYTES);
}

/* Panel |panel| of B, whose elements start at |b|. */
static void pack_panel(const state *s, const float *b, int64_t panel, float *to) {
  int64_t nr = s->width.nr, first = panel * nr, columns = pn_min_i64(nr, s->n - first);
  if (!s->trans_b) {
    s->gemm->pack_b(b + first, s->b_columns, (size_t)s->k, (size_t)columns, (size_t)nr, to);
    return;
  }
  s->transpose->transpose(b + first * s->b_columns, s->b_columns, (size_t)columns, (size_t)s->k, to, nr);
  for (int64_t k = 0; k < s->k && columns < nr; k++)
    for (int64_t j = columns; j < nr; j++) to[k * nr + j] = 0;
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  (void)config;
  (void)diag;
  (void)pn_epilogue_compile(p, &s.epilogue, NULL);
  fill(p, device, &s);
  const float *b = pn_problem_input(p, 0, 1)->data;
  float *to = packed;
  for (int64_t panel = 0; s.b_packed && panel < s.panels; panel++)
    pack_panel(&s, b, panel, to + panel * s.width.nr * s.k);
  if (s.epilogue.bias == PN_NO_OPERAND) return PELTON_OK;
  float *bias = (float *)((char *)packed + (s.b_packed ? s.b_bytes : 0));
  memset(bias, 0, bias_bytes(&s));
  memcpy(bias, p->operands[s.epilogue.bias].data, (size_t)s.n * 4);
  return PELTON_OK;
}

/* B without a stack of its own. */
static bool packs(const pn_problem *p, uint32_t operand) {
  return operand == p->nodes[0].inputs[1] && p->operands[operand].rank <= 2;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  (void)config;
  if (!pn_epilogue_compile(p, &s->epilogue, NULL))
    return PN_INTERNAL(diag, "an epilogue changed after it was accepted");
  fill(p, device, s);
  s->bias_offset = s->b_packed ? s->b_bytes : 0;
  return PELTON_OK;
}

/* ---- run ------------------------------------------------------------------------------------------------------------
 */

typedef struct job {
  const state *s;
  const pn_step *step;
  const float *a, *bias, *residual;
  const float *b; /* packed, all batches */
  float *c;
  char *a_scratch, *scratch;
} job;

static void pack_task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  (void)thread;
  const float *b = j->step->operands[j->step->problem->nodes[0].inputs[1]];
  int64_t batch = index / s->panels, panel = index % s->panels;
  pack_panel(s, b + pn_cpu_matmul_offset(&s->stack, batch, s->stack.b), panel,
             (float *)(uintptr_t)j->b + (index * (int64_t)s->width.nr * s->k));
}

static void product(const job *j, int64_t batch, int64_t row, int64_t rows, int64_t panel, int64_t panels,
                    uint32_t thread) {
  const state *s = j->s;
  const float *a = j->a + pn_cpu_matmul_offset(&s->stack, batch, s->stack.a);
  int64_t a_stride = s->a_rows, nr = s->width.nr;
  if (s->copy_a) {
    float *copy = (float *)(j->a_scratch + s->a_bytes * thread);
    if (s->trans_a)
      s->transpose->transpose(a + row, s->a_rows, (size_t)s->k, (size_t)rows, copy, s->a_pitch);
    else
      s->gemm->copy_rows(a + row * s->a_rows, s->a_rows, (size_t)rows, (size_t)s->k, copy, s->a_pitch);
    a = copy;
    a_stride = s->a_pitch;
  } else {
    a += row * s->a_rows;
  }
  static const ptrdiff_t no_offset[1] = {0};
  int64_t tiles = pn_div_up(rows, s->width.mr_max), first_row = batch * s->m + row;
  const float *b = j->b + (s->b_packed ? 0 : batch * s->panels * nr * s->k);
  for (int64_t q = panel; q < panel + panels; q++) {
    int64_t n = pn_min_i64(nr, s->n - q * nr);
    for (int64_t t = 0; t < tiles; t++) {
      int64_t begin = rows * t / tiles, end = rows * (t + 1) / tiles, at = (first_row + begin) * s->n + q * nr;
      pn_cpu_gemm_f32_tile tile = {.a = a + begin * a_stride,
                                   .a_row_stride = a_stride,
                                   .tap_offset = no_offset,
                                   .tap_count = 1,
                                   .k = (size_t)s->k,
                                   .b = b + q * nr * s->k,
                                   .b_tap_stride = (size_t)(nr * s->k),
                                   .c = j->c + at,
                                   .c_row_stride = s->n,
                                   .n = (size_t)n,
                                   .start = j->bias ? PN_CPU_GEMM_BIAS : PN_CPU_GEMM_ZERO,
                                   .bias = j->bias ? j->bias + q * nr : NULL,
                                   .residual = j->residual ? j->residual + at : NULL,
                                   .residual_row_stride = s->n,
                                   .lo = s->epilogue.lo,
                                   .hi = s->epilogue.hi};
      s->width.fns[end - begin - 1](&tile);
    }
  }
  int64_t column = panel * nr, columns = pn_min_i64(panels * nr, s->n - column);
  pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, j->c + first_row * s->n + column, s->n, first_row, rows,
                    column, columns, (float *)(void *)(j->scratch + (size_t)PN_PROGRAM_SCRATCH_BYTES * thread));
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t block = index % s->column_blocks, rest = index / s->column_blocks;
  int64_t row_block = rest % s->row_blocks, batch = rest / s->row_blocks;
  int64_t row = row_block * s->row_block, panel = block * s->panels_a_block;
  int64_t rows = pn_min_i64(s->row_block, s->m - row), panels = pn_min_i64(s->panels_a_block, s->panels - panel);
  if (rows > 0 && panels > 0) product(j, batch, row, rows, panel, panels, thread);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  (void)diag;
  job j = {.s = s, .step = step};
  j.a = step->operands[p->nodes[0].inputs[0]];
  j.c = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  if (s->epilogue.bias != PN_NO_OPERAND)
    j.bias = (const float *)(const void *)((const char *)step->packed + s->bias_offset);
  if (s->epilogue.residual != PN_NO_OPERAND) j.residual = step->operands[s->epilogue.residual];
  char *workspace = step->workspace;
  j.b = step->packed;
  if (!s->b_packed) {
    j.b = (const float *)(const void *)workspace;
    workspace += s->b_bytes * (size_t)s->batches;
    pn_pool_run(stream->device->pool, (uint32_t)(s->batches * s->panels), pack_task, &j);
  }
  j.a_scratch = workspace;
  j.scratch = workspace + s->a_bytes * stream->device->threads;
  pn_pool_run(stream->device->pool, (uint32_t)(s->batches * s->row_blocks * s->column_blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_matmul = {
    .name = "cpu.matmul",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .packs = packs,
    .prepare = prepare,
    .run = run,
};
