/* Matrix products of any strides and batches by tiles in shared memory, f32 sums without tensor cores, and an
   expression that follows. */
#include "targets/cuda/product.h"

#include <string.h>

typedef struct state {
  pn_cu_function *function;
  pn_cuda_epilogue epilogue;
  struct gemm_arguments arguments;
  uint32_t tiles, batches;
} state;

enum { TILE = 64 };

static bool accepts(const pn_problem *p, const pn_device *device, pn_reason *why) {
  pn_cuda_product product;
  pn_cuda_epilogue epilogue;
  (void)device;
  if (!pn_cuda_product_accepts(p, &product, why)) return false;
  if (product.batches > 65535) return pn_refuse(why, "more than 65,535 products");
  return pn_cuda_epilogue_accepts(p, pn_cuda_product_epilogue_strides, &epilogue, why);
}

static double estimate(const pn_problem *p, const pn_device *device, const pn_config *config) {
  pn_cuda_product product;
  (void)config;
  if (!pn_cuda_product_accepts(p, &product, NULL)) return 1;
  double blocks = (double)pn_div_up(product.m, TILE) * (double)pn_div_up(product.n, TILE) * (double)product.batches;
  return pn_cuda_tile_estimate(device, blocks, (double)product.k, pn_cuda_operand_bytes(p));
}

static void sizes(const pn_problem *p, const pn_device *device, const pn_config *config, pn_sizes *out) {
  (void)p;
  (void)device;
  (void)config;
  out->state_bytes = sizeof(state);
}

static pelton_status find_function(const pn_problem *p, const pn_device *device, uint32_t axes, state *s,
                                   pelton_diag *diag) {
  pn_text head;
  pn_text_init(&head, device->allocator);
  pn_text_printf(&head, "#define X %s\n#define BATCH_AXES %u\n", pn_cuda_type_name(pn_problem_input(p, 0, 0)->dtype),
                 (unsigned)axes);
  pn_cuda_epilogue_render(p, &s->epilogue, &head);
  pn_cuda_source source = {head.data, "gemm.cu", "gemm", false};
  pelton_status status =
      head.failed ? pn_fail_memory(diag, "a kernel") : pn_cuda_function(device, &source, &s->function, diag);
  pn_text_deinit(&head);
  return status;
}

static pelton_status prepare(const pn_problem *p, const pn_device *device, const pn_config *config, void *memory,
                             pelton_diag *diag) {
  state *s = memory;
  pn_cuda_product product;
  (void)config;
  if (!pn_cuda_product_accepts(p, &product, NULL) ||
      !pn_cuda_epilogue_accepts(p, pn_cuda_product_epilogue_strides, &s->epilogue, NULL))
    return PN_INTERNAL(diag, "a product changed after it was accepted");
  struct gemm_arguments *a = &s->arguments;
  a->m = (unsigned)product.m;
  a->n = (unsigned)product.n;
  a->k = (unsigned)product.k;
  a->across = pn_cuda_divider(pn_div_up(product.n, TILE));
  a->a_row = (int)product.a_row;
  a->a_column = (int)product.a_column;
  a->b_row = (int)product.b_row;
  a->b_column = (int)product.b_column;
  for (uint32_t d = 0; d < product.batch_axes; d++) {
    a->batch[d] = pn_cuda_divider(product.batch[d]);
    a->a_batch[d] = (int)product.a_batch[d];
    a->b_batch[d] = (int)product.b_batch[d];
  }
  s->tiles = (uint32_t)(pn_div_up(product.m, TILE) * pn_div_up(product.n, TILE));
  s->batches = (uint32_t)product.batches;
  for (uint32_t i = 0; i < s->epilogue.operand_count; i++)
    s->epilogue.strides[i][0] = (int)(s->epilogue.strides[i][2] * product.m);
  pn_cuda_epilogue_fill(&s->epilogue, &a->epilogue);
  return find_function(p, device, product.batch_axes, s, diag);
}

static pelton_status run(const pn_step *step, pn_stream *stream, pelton_diag *diag) {
  const state *s = step->state;
  const pn_problem *p = step->problem;
  struct gemm_arguments a = s->arguments;
  a.a = step->operands[p->nodes[0].inputs[0]];
  a.b = step->operands[p->nodes[0].inputs[1]];
  a.target = step->operands[p->nodes[p->node_count - 1].outputs[0]];
  pn_cuda_epilogue_bind(&s->epilogue, step->operands, &a.epilogue);
  return pn_cuda_launch(stream, s->function, s->tiles, 1, s->batches, PN_CUDA_BLOCK, &a, diag);
}

const pn_tactic pn_tactic_cuda_gemm = {
    .name = "cuda.gemm",
    .version = 1,
    .accepts = accepts,
    .estimate = estimate,
    .sizes = sizes,
    .prepare = prepare,
    .run = run,
};
