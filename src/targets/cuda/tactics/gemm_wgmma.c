/* Matrix products in 16 bits with f32 sums on Hopper's tensor cores, and any expression that follows, perhaps split
   into parts of its columns, which are written where they belong. The right side is constant (and packed as the copy
   engine wants it), or lies with the summed axis innermost, as the left one must. */
#include "targets/cuda/product.h"
#include "targets/cuda/wgmma.h"

#include <string.h>

typedef struct state {
  pn_wgmma wgmma;
  bool packed;
} state;

static bool is_packed(const pn_problem *p, const pn_cuda_product *product) {
  return pn_problem_input(p, 0, 1)->role == PN_OPERAND_CONSTANT && !product->batch_axes;
}

static pn_wgmma_map matrix_map(int64_t depth, int64_t rows, int64_t row, int64_t batches, int64_t batch) {
  return (pn_wgmma_map){.rank = 3,
                        .dims = {(uint64_t)depth, (uint64_t)rows, (uint64_t)batches},
                        .strides = {2 * (uint64_t)row, 2 * (uint64_t)batch}};
}

/* |out|: all that prepare wants. */
static bool describe(const pn_problem *whole, const pn_device *device, state *out, pn_reason *why) {
  pn_cuda_product product;
  pn_cuda_parts parts;
  pn_problem body;
  const pn_problem *p = &body;
  pn_wgmma *w = &out->wgmma;
  memset(out, 0, sizeof *out);
  if (!pn_cuda_product_parts(whole, &body, &parts, why) || !pn_cuda_product_accepts(p, &product, why) ||
      !pn_wgmma_accepts(device, p, why))
    return false;
  int64_t m = product.m, n = product.n, k = product.k;
  int64_t a_batch = product.batch_axes ? product.a_batch[0] : 0, b_batch = product.batch_axes ? product.b_batch[0] : 0;
  out->packed = is_packed(p, &product);
  if (product.batch_axes > 1) return pn_refuse(why, "batches broadcast against each other");
  if (product.batches > 65535) return pn_refuse(why, "more than 65,535 products");
  if (!k || k % 8 || product.a_row != k || a_batch % 8)
    return pn_refuse(why, "sums of a multiple of 8 only, innermost on the left");
  if (!out->packed && (product.b_column != k || product.b_row != 1 || b_batch % 8))
    return pn_refuse(why, "the right side is not constant, and its summed axis is not the innermost");
  if (!pn_cuda_epilogue_accepts(p, pn_cuda_product_epilogue_strides, &w->epilogue, why)) return false;
  if (parts.count > 1) {
    if (!out->packed) return pn_refuse(why, "parts of a product whose right side is not constant");
    for (uint32_t i = 0; i < parts.count; i++)
      if (parts.columns[i] % 8) return pn_refuse(why, "parts of a multiple of 8 columns only");
    w->parts = parts.count;
    memcpy(w->part_columns, parts.columns, sizeof w->part_columns);
  }
  for (uint32_t i = 0; i < w->epilogue.operand_count; i++)
    w->epilogue.strides[i][0] = (int)(w->epilogue.strides[i][2] * m);
  w->source = PN_WGMMA_MATRIX;
  w->rows = m;
  w->columns = n;
  w->steps = pn_div_up(k, PN_WGMMA_DEPTH);
  w->batches = product.batches;
  w->work = pn_wgmma_work(p);
  w->constant = out->packed;
  w->dtype = pn_problem_input(p, 0, 0)->dtype;
  int64_t padded = w->steps * PN_WGMMA_DEPTH;
  w->a = matrix_map(k, m, k, a_batch ? product.batches : 1, a_batch ? a_batch : m * k);
  w->b = out->packed ? matrix_map(padded, n, padded, 1, n * padded)
                     : matrix_map(k, n, k, b_batch ? product.batches : 1, b_batch ? b_batch : n * k);
  w->arguments.a_moves = a_batch != 0;
  w->arguments.b_moves = b_batch != 0;
  w->arguments.chunks = pn_cuda_divider(w->steps);
  w->arguments.taps = pn_cuda_divider(1);
  return true;
}

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  state s;
  return p->nodes[0].op == PN_OP_MATMUL && describe(p, device, &s, why);
}

static uint32_t configs(const pn_problem *p, const pn_device *device, pn_config *out, uint32_t max) {
  state s;
  return describe(p, device, &s, NULL) ? pn_wgmma_configs(&s.wgmma, device, pn_cuda_operand_bytes(p), out, max) : 0;
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  state s;
  return describe(p, device, &s, NULL) ? pn_wgmma_estimate(&s.wgmma, device, pn_cuda_operand_bytes(p), config) : 1;
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  state s;
  (void)config;
  out->state_bytes = sizeof(state);
  if (describe(p, device, &s, NULL) && s.packed)
    out->packed_bytes = (size_t)(s.wgmma.columns * s.wgmma.steps) * PN_WGMMA_DEPTH * 2;
}

/* The right side turned, the summed axis filled up with zeros. */
static pelton_status pack(const pn_problem *p, const pn_device *device, const pn_config *config, void *packed,
                          pelton_diag *diag) {
  pn_cuda_product product;
  pn_cuda_parts parts;
  pn_problem body;
  const uint16_t *from = pn_problem_input(p, 0, 1)->data;
  uint16_t *to = packed;
  (void)device;
  (void)config;
  if (!pn_cuda_product_parts(p, &body, &parts, NULL) || !pn_cuda_product_accepts(&body, &product, NULL))
    return PN_INTERNAL(diag, "a product changed after it was accepted");
  if (!is_packed(p, &product)) return PELTON_OK; /* read as it is */
  int64_t padded = pn_div_up(product.k, PN_WGMMA_DEPTH) * PN_WGMMA_DEPTH;
  for (int64_t n = 0; n < product.n; n++)
    for (int64_t k = 0; k < padded; k++)
      to[n * padded + k] = k < product.k ? from[n * product.b_column + k * product.b_row] : 0;
  return PELTON_OK;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  pn_cuda_parts parts;
  pn_problem body;
  if (!describe(p, device, s, NULL) || !pn_cuda_product_parts(p, &body, &parts, NULL))
    return PN_INTERNAL(diag, "a product changed after it was accepted");
  return pn_wgmma_prepare(&s->wgmma, device, &body, config, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem_node *node = &step->problem->nodes[0];
  return pn_wgmma_run(&s->wgmma, step, step->operands[node->inputs[0]],
                      s->packed ? step->packed : step->operands[node->inputs[1]], stream, diag);
}

const pn_tactic pn_tactic_cuda_gemm_wgmma = {
    .name = "cuda.gemm_wgmma",
    .version = 5,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
