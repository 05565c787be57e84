/* Products of bytes into int32: both operands are widened to int16 less their zero points, A by rows in each task's
   scratch, B into panels, when the engine is built if B and its zero points are constant. Exact: the differences have
   nine bits, a pair of their products seventeen more. */
#include "base/bytes.h"
#include "targets/cpu/product/gemm.h"

enum { ROW_BLOCK = 96 };

typedef struct state {
  const pn_cpu_gemm_i16 *gemm;
  pn_cpu_matmul_shape shape;
  pn_cpu_matmul_stack stack;
  bool a_signed, b_signed, b_packed;
  int64_t a_zeros, b_zeros; /* how many: 0, 1 or one a row or column */
  int64_t pairs, panels, row_blocks, row_block, column_blocks, panels_a_block;
  size_t panel_elements, b_bytes, a_bytes; /* of packed B, a matrix; of a thread's rows of A */
} state;

static bool is_byte(const pn_operand *o) { return o->dtype == PELTON_DTYPE_I8 || o->dtype == PELTON_DTYPE_U8; }

static int64_t zeros_of(const pn_problem *p, uint32_t i) {
  const pn_operand *o = pn_problem_input(p, 0, i);
  return o ? pn_operand_elements(o) : 0;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  (void)device;
  if (!pn_accepts_one(p, PN_OP_MATMUL_INTEGER, why)) return false;
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1);
  if (!is_byte(a) || !is_byte(b)) return pn_refuse(why, "bytes only");
  pn_cpu_matmul_shape s = pn_cpu_matmul_shape_of(p);
  if (!s.k || !s.m || !s.n || !s.batches) return pn_refuse(why, "an empty product");
  int64_t rows = a->rank > 1 ? a->dims[a->rank - 2] : 1; /* before a stack is folded into them */
  if (zeros_of(p, 2) > 1 && (zeros_of(p, 2) != rows || rows != s.m))
    return pn_refuse(why, "zero points of more than one matrix of a");
  return zeros_of(p, 3) <= 1 || zeros_of(p, 3) == s.n || pn_refuse(why, "zero points of more than one matrix of b");
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_cpu_matmul_shape s = pn_cpu_matmul_shape_of(p);
  (void)config;
  return pn_cpu_estimate(device, (double)(s.batches * s.m * s.n) * (double)s.k, pn_cpu_operand_bytes(p), 0.5);
}

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  const pn_operand *b = pn_problem_input(p, 0, 1), *b_zero = pn_problem_input(p, 0, 3);
  s->gemm = pn_cpu_gemm_i16_best(device->isa);
  s->shape = pn_cpu_matmul_shape_of(p);
  pn_cpu_matmul_stack_of(p, &s->shape, &s->stack);
  s->a_signed = pn_problem_input(p, 0, 0)->dtype == PELTON_DTYPE_I8;
  s->b_signed = b->dtype == PELTON_DTYPE_I8;
  s->a_zeros = zeros_of(p, 2);
  s->b_zeros = zeros_of(p, 3);
  s->b_packed = b->role == PN_OPERAND_CONSTANT && b->rank <= 2 && (!b_zero || b_zero->role == PN_OPERAND_CONSTANT);
  s->pairs = pn_div_up(s->shape.k, 2);
  s->panels = pn_div_up(s->shape.n, s->gemm->nr);
  s->row_blocks = pn_div_up(s->shape.m, ROW_BLOCK);
  s->row_block = pn_div_up(s->shape.m, s->row_blocks);
  int64_t wanted = device->threads > 1 ? 4 * (int64_t)device->threads : 1, tasks = s->shape.batches * s->row_blocks;
  s->column_blocks = pn_cpu_panel_blocks(s->panels, tasks, wanted, &s->panels_a_block);
  s->panel_elements = (size_t)(s->pairs * 2) * s->gemm->nr;
  s->b_bytes = s->panel_elements * (size_t)s->panels * sizeof(int16_t);
  s->a_bytes = pn_align_up((size_t)(s->row_block * s->pairs * 2) * sizeof(int16_t), 64);
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state);
  out->packed_bytes = s.b_packed ? s.b_bytes : 0;
  out->workspace_bytes = pn_align_up(s.b_packed ? 0 : s.b_bytes * (size_t)s.shape.batches, 64) +
                         s.a_bytes * device->threads;
}

static int zero_at(const void *zeros, int64_t count, bool is_signed, int64_t i) {
  if (!count) return 0;
  int64_t at = count == 1 ? 0 : i;
  return is_signed ? ((const int8_t *)zeros)[at] : ((const uint8_t *)zeros)[at];
}

static void pack_panel(const state *s, const char *b, const void *zeros, int64_t panel, int16_t *to) {
  int16_t zero[64];
  int64_t first = panel * s->gemm->nr, columns = pn_min_i64(s->gemm->nr, s->shape.n - first);
  for (int64_t j = 0; j < columns; j++) zero[j] = (int16_t)zero_at(zeros, s->b_zeros, s->b_signed, first + j);
  s->gemm->pack(b + first, s->b_signed, s->shape.n, (size_t)s->shape.k, (size_t)columns, zero, to);
}

static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  const pn_operand *zeros = pn_problem_input(p, 0, 3);
  (void)config;
  (void)diag;
  fill(p, device, &s);
  for (int64_t panel = 0; s.b_packed && panel < s.panels; panel++)
    pack_panel(&s, pn_problem_input(p, 0, 1)->data, zeros ? zeros->data : NULL, panel,
               (int16_t *)packed + s.panel_elements * (size_t)panel);
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  fill(p, device, memory);
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const char *a, *b;
  const void *a_zeros, *b_zeros;
  const int16_t *packed; /* B's panels, all matrices */
  int16_t *packing;
  char *scratch;
  int32_t *c;
} job;

static void pack_task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  (void)thread;
  pack_panel(s, j->b + pn_cpu_matmul_offset(&s->stack, index / s->panels, s->stack.b), j->b_zeros, index % s->panels,
             j->packing + s->panel_elements * index);
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  const pn_cpu_matmul_shape *shape = &s->shape;
  int64_t block = index % s->column_blocks, rest = index / s->column_blocks, batch = rest / s->row_blocks;
  int64_t row = rest % s->row_blocks * s->row_block, rows = pn_min_i64(s->row_block, shape->m - row);
  int64_t first = block * s->panels_a_block, end = pn_min_i64(first + s->panels_a_block, s->panels);
  int64_t depth = s->pairs * 2, nr = s->gemm->nr;
  if (rows <= 0) return;
  int16_t *a = (int16_t *)(void *)(j->scratch + s->a_bytes * thread);
  const char *from = j->a + pn_cpu_matmul_offset(&s->stack, batch, s->stack.a) + row * shape->k;
  for (int64_t r = 0; r < rows; r++) {
    s->gemm->widen((size_t)shape->k, from + r * shape->k, s->a_signed,
                   zero_at(j->a_zeros, s->a_zeros, s->a_signed, row + r), a + r * depth);
    if (depth > shape->k) a[r * depth + shape->k] = 0;
  }
  const int16_t *b = j->packed + (s->b_packed ? 0 : s->panel_elements * (size_t)(batch * s->panels));
  int64_t tiles = pn_div_up(rows, s->gemm->mr_max);
  for (int64_t q = first; q < end; q++)
    for (int64_t t = 0; t < tiles; t++) {
      int64_t begin = rows * t / tiles, count = rows * (t + 1) / tiles - begin;
      pn_cpu_gemm_i16_tile tile = {.a = a + begin * depth,
                                   .a_row_stride = depth,
                                   .pairs = (size_t)s->pairs,
                                   .b = b + s->panel_elements * (size_t)q,
                                   .c = j->c + (batch * shape->m + row + begin) * shape->n + q * nr,
                                   .c_row_stride = shape->n,
                                   .n = (size_t)pn_min_i64(nr, shape->n - q * nr)};
      s->gemm->fns[count - 1](&tile);
    }
}

static const void *input_at(const pn_step *step, uint32_t i) {
  const pn_operand *o = pn_problem_input(step->problem, 0, i);
  return o ? step->operands[pn_operand_index(step->problem, o)] : NULL;
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  (void)diag;
  job j = {.s = s,
           .a = input_at(step, 0),
           .b = input_at(step, 1),
           .a_zeros = input_at(step, 2),
           .b_zeros = input_at(step, 3),
           .packed = step->packed,
           .packing = step->workspace,
           .scratch = step->workspace,
           .c = step->operands[step->problem->nodes[0].outputs[0]]};
  if (!s->b_packed) {
    j.packed = j.packing;
    j.scratch += pn_align_up(s->b_bytes * (size_t)s->shape.batches, 64);
    pn_pool_run(stream->device->pool, (uint32_t)(s->shape.batches * s->panels), pack_task, &j);
  }
  pn_pool_run(stream->device->pool, (uint32_t)(s->shape.batches * s->row_blocks * s->column_blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_matmul_integer = {
    .name = "cpu.matmul_integer",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
