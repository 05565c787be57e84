/* gemm_f32 with 4 lanes in portable C: 8 accumulators of the 16 registers that the smallest machines have. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/gemm_f32.tmpl.h"
#include "targets/cpu/kernels/templates/gemm_f32_pack.tmpl.h"

TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2)
static pn_cpu_gemm_f32_fn *const wide_2[] = {
  tile_1x2, tile_2x2, tile_3x2, tile_4x2};

static const pn_cpu_gemm_f32 table = {
    .width_count = 1,
    .widths = {{2 * VL, PN_COUNT(wide_2), wide_2}},
    .pack_b = pack_b,
    .copy_rows = copy_rows,
};
const pn_cpu_kernels pn_cpu_kernels_gemm_f32_generic = {
    .name = "gemm_f32.generic", .isa = SIMD_ISA, .gemm_f32 = &table};
