/* gemm_i16 on simd/generic.h. */
#include "targets/cpu/simd/generic.h"

#include "targets/cpu/kernels/templates/gemm_i16.tmpl.h"

TILE_I16(1) TILE_I16(2) TILE_I16(3) TILE_I16(4)
static pn_cpu_gemm_i16_fn *const tiles_i16[] = {tile_i16_1, tile_i16_2, tile_i16_3, tile_i16_4};

static const pn_cpu_gemm_i16 table = {
    .nr = NR, .mr_max = PN_COUNT(tiles_i16), .fns = tiles_i16, .widen = widen, .pack = pack};
const pn_cpu_kernels pn_cpu_kernels_gemm_i16_generic = {
    .name = "gemm_i16.generic", .isa = SIMD_ISA, .gemm_i16 = &table};
