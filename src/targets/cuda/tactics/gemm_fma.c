/* Matrix products of any strides and batches in strict f32 by register tiles, and any expression that follows (mma.cu). */
#define DESCRIBE(p, device, m, why) pn_mma_product(p, device, false, m, why)
#define PACK pn_mma_pack_product
#include "targets/cuda/mma_tactic.tmpl.h"

const pn_tactic pn_tactic_cuda_gemm_fma = {
    .name = "cuda.gemm_fma",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
