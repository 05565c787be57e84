/* gemm_f32 with 8 lanes: 16 registers hold 12 accumulators, up to three vectors of B and one broadcast of A. */
#include "targets/cpu/simd/avx2.h"

#include "targets/cpu/kernels/templates/gemm_f32.tmpl.h"
#include "targets/cpu/kernels/templates/gemm_f32_pack.tmpl.h"

TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1) TILE(8, 1) TILE(9, 1) TILE(10, 1)
TILE(11, 1) TILE(12, 1)
static pn_cpu_gemm_f32_fn *const wide_1[] = {
  tile_1x1, tile_2x1, tile_3x1, tile_4x1, tile_5x1, tile_6x1, tile_7x1, tile_8x1, tile_9x1, tile_10x1, tile_11x1,
  tile_12x1};

TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
static pn_cpu_gemm_f32_fn *const wide_2[] = {
  tile_1x2, tile_2x2, tile_3x2, tile_4x2, tile_5x2, tile_6x2};

TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3)
static pn_cpu_gemm_f32_fn *const wide_3[] = {
  tile_1x3, tile_2x3, tile_3x3, tile_4x3};

static const pn_cpu_gemm_f32 table = {
    .width_count = 3,
    .widths = {{1 * VL, PN_COUNT(wide_1), wide_1},
               {2 * VL, PN_COUNT(wide_2), wide_2},
               {3 * VL, PN_COUNT(wide_3), wide_3}},
    .pack_b = pack_b,
    .copy_rows = copy_rows,
};
const pn_cpu_kernels pn_cpu_kernels_gemm_f32_avx2 = {.name = "gemm_f32.avx2", .isa = SIMD_ISA, .gemm_f32 = &table};
