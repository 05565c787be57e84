/* Products in f32 with a constant matrix, and 1x1 convolutions, with seven multiplications of quarters for eight:
   Strassen's algorithm in Winograd's form (fifteen additions), one level of it.

     s1 = a21 + a22   s2 = s1 - a11   s3 = a11 - a21   s4 = a12 - s2
     t1 = b12 - b11   t2 = b22 - t1   t3 = b22 - b12   t4 = t2 - b21
     p1 = a11 b11  p2 = a12 b21  p3 = s4 b22  p4 = a22 t4  p5 = s1 t1  p6 = s2 t2  p7 = s3 t3
     u2 = p1 + p6     u3 = u2 + p7
     c11 = p1 + p2    c12 = u2 + p5 + p3    c21 = u3 - p4    c22 = u3 + p5

   B's sums are made by pack, so that they cost memory only: 7 quarters for 4. Rows are cut into blocks, and each block is
   a product of its own, its upper and lower half the two rows of quarters: A's sums of a block are made once (before
   the products when several tasks share them) and lie in the second or third cache; the seven products of a panel of
   columns stay in the second until they are added up, with bias, residual and clamp.

   Errors against double on normal random data, largest of all relative to the largest result, for depths of 128, 256,
   768 and 3072: 8e-7, 15e-7, 19e-7, 29e-7; the plain sum 4e-7, 4e-7, 10e-7, 19e-7. */
#include "targets/cpu/convolution/conv.h"
#include "targets/cpu/product/gemm.h"

#include <math.h>

enum { HALF_BLOCK = 100, OWN_HALF = 40, PRODUCTS = 7, MIN_ROWS = 24, MIN_DEPTH = 64, MIN_COLUMNS = 64 };

typedef struct state {
  const pn_cpu_strassen_f32 *strassen;
  const pn_cpu_gemm_f32 *gemm;
  const pn_cpu_vec_f32 *vec;
  pn_cpu_gemm_f32_width width;
  int64_t m, n, k, half_n, half_k;
  int64_t blocks, half;          /* rows are |blocks| times at most 2 * |half| */
  int64_t pitch;                 /* floats between rows of sums */
  int64_t planes;                /* s1 to s4, and copies of a11, a12 and a22 where their rows would share sets */
  int64_t panels, panels_a_task, column_blocks;
  bool shared;                   /* several tasks read the same sums */
  size_t block_bytes, thread_bytes, packed_bytes;
  pn_epilogue epilogue;
  float zeros[]; /* half_k: a row that is not there */
} state;

/* ---- which problems ---------------------------------------------------------------------------------------------- */

static bool is_conv(const pn_problem *p) { return p->nodes[0].op == PN_OP_CONV; }

static bool accepts_conv(const pn_problem *p, pn_reason *why) {
  pn_window y, x;
  if (!pn_cpu_conv_accepts(p, &y, &x, why)) return false;
  const pn_operand *in = pn_problem_input(p, 0, 0), *w = pn_problem_input(p, 0, 1);
  if (y.kernel != 1 || x.kernel != 1 || y.stride != 1 || x.stride != 1 || y.output != y.input || x.output != x.input)
    return pn_refuse(why, "1x1 filters without stride and padding only");
  if (w->dims[1] != in->dims[1]) return pn_refuse(why, "filters in groups");
  return in->layout == PN_LAYOUT_CHANNELS_LAST || pn_refuse(why, "wants channels_last input");
}

static bool accepts_matmul(const pn_problem *p, pn_reason *why) {
  for (uint32_t i = 0; i < p->operand_count; i++)
    if (p->operands[i].layout != PN_LAYOUT_PLAIN) return pn_refuse(why, "plain layouts only");
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1), *c = pn_problem_output(p, 0, 0);
  if (a->dtype != PELTON_DTYPE_F32 || b->dtype != PELTON_DTYPE_F32 || c->dtype != PELTON_DTYPE_F32)
    return pn_refuse(why, "f32 only");
  if (a->rank < 2 || b->rank != 2 || b->role != PN_OPERAND_CONSTANT)
    return pn_refuse(why, "a constant matrix on the right only");
  if (pn_cpu_matmul_shape_of(p).trans_a) return pn_refuse(why, "a transposed left side");
  pn_epilogue epilogue;
  return pn_epilogue_compile(p, &epilogue, why);
}

static void fill_shape(const pn_problem *p, state *s) {
  const pn_operand *a = pn_problem_input(p, 0, 0), *b = pn_problem_input(p, 0, 1);
  if (is_conv(p)) {
    s->k = a->dims[1];
    s->n = b->dims[0];
    s->m = s->k ? pn_operand_elements(a) / s->k : 0;
  } else {
    pn_cpu_matmul_shape dims = pn_cpu_matmul_shape_of(p);
    s->m = dims.m * dims.batches;
    s->n = dims.n;
    s->k = dims.k;
  }
  s->half_n = s->n / 2;
  s->half_k = s->k / 2;
}

static double depth_error(int64_t k) { return 1e-7 * sqrt((double)k); }

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  if (!is_conv(p) && p->nodes[0].op != PN_OP_MATMUL) return false;
  if (!(is_conv(p) ? accepts_conv(p, why) : accepts_matmul(p, why))) return false;
  state s = {0};
  fill_shape(p, &s);
  if (s.m < MIN_ROWS || s.k < MIN_DEPTH || s.n < MIN_COLUMNS)
    return pn_refuse(why, "too small for its additions: %lld x %lld x %lld", (long long)s.m, (long long)s.k,
                     (long long)s.n);
  if (s.k % 2 || s.n % 2) return pn_refuse(why, "an odd depth or odd columns");
  if (depth_error(s.k) > device->error_bound)
    return pn_refuse(why, "its error may be larger than the bound, %g", device->error_bound);
  return true;
}

/* ---- shape of the work ------------------------------------------------------------------------------------------- */

static void fill(const pn_problem *p, const pn_device *device, state *s) {
  s->strassen = pn_cpu_strassen_f32_best(device->isa);
  s->gemm = device->gemm;
  s->vec = device->vec;
  (void)pn_epilogue_compile(p, &s->epilogue, NULL);
  fill_shape(p, s);
  int64_t wanted = 4 * (int64_t)device->threads;
  s->blocks = pn_div_up(s->m, 2 * HALF_BLOCK);
  /* Where each task can have rows of its own, no sums cross from core to core. */
  if (s->m >= 2 * OWN_HALF * wanted) s->blocks = pn_max_i64(s->blocks, wanted);
  s->half = pn_div_up(s->m, 2 * s->blocks);
  s->blocks = pn_div_up(s->m, 2 * s->half);
  s->width = *pn_cpu_gemm_f32_width_for(device->gemm, s->half, s->half_n);
  int64_t nr = s->width.nr;
  s->pitch = pn_div_up(s->half_k, 16) * 16 + 16;
  s->planes = s->k % 1024 == 0 ? PRODUCTS : 4;
  s->panels = pn_div_up(s->half_n, nr);
  s->column_blocks = s->blocks >= wanted ? 1 : pn_min_i64(s->panels, pn_div_up(wanted, s->blocks));
  if (device->threads == 1) s->column_blocks = 1;
  s->panels_a_task = pn_div_up(s->panels, s->column_blocks);
  s->column_blocks = pn_div_up(s->panels, s->panels_a_task);
  s->shared = s->column_blocks > 1;
  s->block_bytes = (size_t)(s->planes * s->half * s->pitch) * 4;
  s->thread_bytes = (size_t)(PRODUCTS * s->half * nr) * 4 + PN_PROGRAM_SCRATCH_BYTES;
  s->packed_bytes = (size_t)(PRODUCTS * s->half_k * s->panels * nr) * 4;
}

static double error(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)device;
  (void)config;
  fill_shape(p, &s);
  return depth_error(s.k);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  double m = (double)(s.blocks * s.half), columns = (double)(s.panels * s.width.nr), k = (double)s.half_k;
  /* In multiply-adds: of an element of A its share of the sums, of one of C that of the additions. */
  double sums = 4 * 3 * m * k, results = 4 * 4 * m * columns;
  /* B's sums are read in order, far ahead of their use. */
  double bytes = pn_cpu_operand_bytes(p) + 0.3 * (double)s.packed_bytes;
  /* Where the weights come from memory at every run, those beyond the plain product's are waited for in part. */
  double more = p->cold ? 0.6 * (PRODUCTS - 4) * 4 * k * columns : 0;
  return pn_cpu_estimate(device, PRODUCTS * m * columns * k + sums + results, bytes, 0.85) +
         more / device->bytes_per_second;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s = {0};
  (void)config;
  fill(p, device, &s);
  out->state_bytes = sizeof(state) + (size_t)s.half_k * 4;
  out->packed_bytes = s.packed_bytes + (size_t)(2 * s.panels * s.width.nr) * 4;
  out->packing = s.width.nr;
  out->workspace_bytes = s.block_bytes * (s.shared ? (size_t)s.blocks : device->threads) + s.thread_bytes * device->threads;
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

/* B as it is stored: element (k, j) at k * row + j * column. */
typedef struct matrix {
  const float *data;
  int64_t row, column;
} matrix;

static matrix right_side(const pn_problem *p, const state *s) {
  const pn_operand *b = pn_problem_input(p, 0, 1);
  bool transposed = is_conv(p) || pn_cpu_matmul_shape_of(p).trans_b;
  return transposed ? (matrix){b->data, 1, s->k} : (matrix){b->data, s->n, 1};
}

/* [panel][product][half_k][nr], then the bias of the left columns and of the right, in panels. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  state s = {0};
  (void)config;
  (void)diag;
  fill(p, device, &s);
  matrix b = right_side(p, &s);
  int64_t nr = s.width.nr, plane = s.half_k * nr, right = s.half_n * b.column, lower = s.half_k * b.row;
  float *bias = (float *)(void *)((char *)packed + s.packed_bytes);
  for (int64_t q = 0; q < s.panels; q++)
    for (int64_t k = 0; k < s.half_k; k++) {
      float *to = (float *)packed + q * PRODUCTS * plane + k * nr;
      for (int64_t j = 0; j < nr; j++, to++) {
        bool there = q * nr + j < s.half_n;
        const float *from = there ? b.data + k * b.row + (q * nr + j) * b.column : NULL;
        double b11 = there ? from[0] : 0, b12 = there ? from[right] : 0;
        double b21 = there ? from[lower] : 0, b22 = there ? from[lower + right] : 0;
        const double factors[PRODUCTS] = {
            b11, b21, b22, b22 - b12 + b11 - b21, b12 - b11, b22 - b12 + b11, b22 - b12};
        for (int i = 0; i < PRODUCTS; i++) to[i * plane] = (float)factors[i];
      }
    }
  for (int64_t side = 0; side < 2; side++)
    for (int64_t j = 0; j < s.panels * nr; j++, bias++) {
      *bias = 0;
      if (j >= s.half_n) continue;
      if (is_conv(p)) *bias = pn_cpu_conv_bias(p, &s.epilogue, side * s.half_n + j);
      else if (s.epilogue.bias != PN_NO_OPERAND)
        *bias = ((const float *)p->operands[s.epilogue.bias].data)[side * s.half_n + j];
    }
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  (void)config;
  (void)diag;
  state *s = memory;
  fill(p, device, s);
  memset(s->zeros, 0, (size_t)s->half_k * 4);
  return PELTON_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  const state *s;
  const pn_step *step;
  const float *a, *b, *bias, *residual;
  float *c;
  char *sums, *scratch;
  int64_t sum_parts; /* tasks that make a block's sums together */
} job;

/* A block of rows: |upper| from |row| on, then |lower|, the same or one less. */
typedef struct rows {
  int64_t row, upper, lower;
} rows;

static rows rows_of(const state *s, int64_t block) {
  int64_t row = 2 * s->half * block, count = pn_min_i64(2 * s->half, s->m - row);
  return (rows){row, pn_div_up(count, 2), count / 2};
}

/* Part |part| of |parts| of a block's rows. */
static void make_sums(const job *j, int64_t block, int64_t part, int64_t parts, float *to) {
  const state *s = j->s;
  rows r = rows_of(s, block);
  int64_t plane = s->half * s->pitch, begin = r.upper * part / parts, end = r.upper * (part + 1) / parts;
  to += begin * s->pitch;
  for (int64_t i = begin; i < end; i++, to += s->pitch) {
    const float *upper = j->a + (r.row + i) * s->k, *lower = i < r.lower ? upper + r.upper * s->k : NULL;
    pn_cpu_strassen_f32_sums row = {.a = {upper, upper + s->half_k, lower ? lower : s->zeros,
                                          lower ? lower + s->half_k : s->zeros},
                                    .s = {to, to + plane, to + 2 * plane, to + 3 * plane},
                                    .n = (size_t)s->half_k};
    s->strassen->sums(&row);
    if (s->planes == 4) continue;
    const float *copied[3] = {row.a[0], row.a[1], row.a[3]};
    for (int k = 0; k < 3; k++) memcpy(to + (4 + k) * plane, copied[k], (size_t)s->half_k * 4);
  }
}

static void sums_task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  (void)thread;
  int64_t block = index / j->sum_parts, part = index % j->sum_parts;
  make_sums(j, block, part, j->sum_parts, (float *)(void *)(j->sums + j->s->block_bytes * (size_t)block));
}

/* The seven products of a panel, into |to|. */
static void multiply(const job *j, const rows *r, int64_t panel, const float *sums, float *to) {
  const state *s = j->s;
  int64_t nr = s->width.nr, plane = s->half * s->pitch;
  bool copied = s->planes == PRODUCTS;
  const float *a11 = j->a + r->row * s->k, *a12 = a11 + s->half_k, *a22 = a12 + r->upper * s->k;
  if (copied) a11 = sums + 4 * plane, a12 = sums + 5 * plane, a22 = sums + 6 * plane;
  const float *left[PRODUCTS] = {a11, a12, sums + 3 * plane, a22, sums, sums + plane, sums + 2 * plane};
  for (int i = 0; i < PRODUCTS; i++) {
    bool raw = i == 0 || i == 1 || i == 3;
    pn_cpu_product product = {.a = left[i],
                              .a_stride = raw && !copied ? s->k : s->pitch,
                              .rows = i == 3 ? r->lower : r->upper,
                              .k = s->half_k,
                              .b = j->b + (panel * PRODUCTS + i) * s->half_k * nr,
                              .n = nr,
                              .c = to + i * s->half * nr,
                              .c_stride = nr};
    pn_cpu_product_run(&s->width, &product);
  }
}

static void add_up(const job *j, const rows *r, int64_t panel, const float *products, float *scratch) {
  const state *s = j->s;
  int64_t nr = s->width.nr, column = panel * nr, columns = pn_min_i64(nr, s->half_n - column);
  for (int64_t i = 0; i < r->upper; i++) {
    int64_t at[4] = {(r->row + i) * s->n + column};
    at[1] = at[0] + s->half_n;
    at[2] = at[0] + r->upper * s->n;
    at[3] = at[2] + s->half_n;
    pn_cpu_strassen_f32_results row = {.products = products + i * nr,
                                       .plane = s->half * nr,
                                       .bias = {j->bias + column, j->bias + s->panels * nr + column},
                                       .n = (size_t)columns,
                                       .lo = s->epilogue.lo,
                                       .hi = s->epilogue.hi};
    for (int q = 0; q < 4 && (q < 2 || i < r->lower); q++) {
      row.out[q] = j->c + at[q];
      row.residual[q] = j->residual ? j->residual + at[q] : NULL;
    }
    s->strassen->results(&row);
  }
  for (int side = 0; side < 2 && !s->epilogue.native; side++, column += s->half_n)
    pn_epilogue_apply(&s->epilogue, s->vec, j->step->operands, j->c + r->row * s->n + column, s->n, r->row,
                      r->upper + r->lower, column, columns, scratch);
}

static void task(void *argument, uint32_t index, uint32_t thread) {
  const job *j = argument;
  const state *s = j->s;
  int64_t block = index / s->column_blocks, panel = index % s->column_blocks * s->panels_a_task;
  int64_t end = pn_min_i64(s->panels, panel + s->panels_a_task);
  float *sums = (float *)(void *)(j->sums + s->block_bytes * (size_t)(s->shared ? block : thread));
  float *products = (float *)(void *)(j->scratch + s->thread_bytes * thread);
  rows r = rows_of(s, block);
  if (!s->shared) make_sums(j, block, 0, 1, sums);
  for (; panel < end; panel++) {
    multiply(j, &r, panel, sums, products);
    add_up(j, &r, panel, products, products + PRODUCTS * s->half * s->width.nr);
  }
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  size_t sums = s->block_bytes * (s->shared ? (size_t)s->blocks : stream->device->threads);
  (void)diag;
  job j = {.s = s, .step = step, .b = step->packed, .sums = step->workspace};
  j.a = step->operands[p->nodes[0].inputs[0]];
  j.c = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  j.bias = (const float *)(const void *)((const char *)step->packed + s->packed_bytes);
  j.scratch = j.sums + sums;
  if (s->epilogue.residual != PN_NO_OPERAND) j.residual = step->operands[s->epilogue.residual];
  j.sum_parts = pn_div_up(2 * (int64_t)stream->device->threads, s->blocks);
  if (s->shared) pn_pool_run(stream->device->pool, (uint32_t)(s->blocks * j.sum_parts), sums_task, &j);
  pn_pool_run(stream->device->pool, (uint32_t)(s->blocks * s->column_blocks), task, &j);
  return PELTON_OK;
}

const pn_tactic pn_tactic_cpu_strassen = {
    .name = "cpu.strassen",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .error = error,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
