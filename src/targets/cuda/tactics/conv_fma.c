/* Convolutions of any layout and window in strict f32 by register tiles, and any expression that follows (mma.cu). */
#define DESCRIBE(p, device, m, why) pn_mma_convolution(p, device, false, m, why)
#define PACK pn_mma_pack_convolution
#include "targets/cuda/mma_tactic.tmpl.h"

const pn_tactic pn_tactic_cuda_conv_fma = {
    .name = "cuda.conv_fma",
    .version = 1,
    .accepts = accepts,
    .configs = configs,
    .estimate = estimate,
    .sizes = sizes,
    .pack = pack,
    .prepare = prepare,
    .run = run,
};
