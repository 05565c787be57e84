/* gemm_i16 on simd/avx512.h. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/gemm_i16.tmpl.h"

TILE_I16(1) TILE_I16(2) TILE_I16(3) TILE_I16(4) TILE_I16(5) TILE_I16(6) TILE_I16(7) TILE_I16(8) TILE_I16(9)
TILE_I16(10) TILE_I16(11) TILE_I16(12)
static pn_cpu_gemm_i16_fn *const tiles_i16[] = {tile_i16_1, tile_i16_2,  tile_i16_3,  tile_i16_4,
                                                tile_i16_5, tile_i16_6,  tile_i16_7,  tile_i16_8,
                                                tile_i16_9, tile_i16_10, tile_i16_11, tile_i16_12};

static const pn_cpu_gemm_i16 table = {
    .nr = NR, .mr_max = PN_COUNT(tiles_i16), .fns = tiles_i16, .widen = widen, .pack = pack};
const pn_cpu_kernels pn_cpu_kernels_gemm_i16_avx512 = {.name = "gemm_i16.avx512", .isa = SIMD_ISA, .gemm_i16 = &table};
