/* Matrix products of any strides and batches on tensor cores by mma.sync, in 16 bits, and in f32 where TF32 was asked
   for, with f32 sums and any expression that follows (mma.cu). */
#define DESCRIBE(p, device, m, why) pn_mma_product(p, device, true, m, why)
#define PACK pn_mma_pack_product
#include "targets/cuda/mma_tactic.tmpl.h"

const pn_tactic pn_tactic_cuda_gemm_mma = {
    .name = "cuda.gemm_mma",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .error = pn_cuda_product_error,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
