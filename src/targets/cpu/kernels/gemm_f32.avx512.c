/* gemm_f32 with 16 lanes: 32 registers hold 28 accumulators, the vectors of B and nothing else (A is a broadcast
   operand of the multiply-add). 4-vector tiles are for few rows, where each step must carry enough independent sums. */
#include "targets/cpu/simd/avx512.h"

#include "targets/cpu/kernels/templates/gemm_f32.tmpl.h"
#include "targets/cpu/kernels/templates/gemm_f32_pack.tmpl.h"

TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1) TILE(8, 1) TILE(9, 1) TILE(10, 1)
TILE(11, 1) TILE(12, 1) TILE(13, 1) TILE(14, 1) TILE(15, 1) TILE(16, 1) TILE(17, 1) TILE(18, 1) TILE(19, 1)
TILE(20, 1) TILE(21, 1) TILE(22, 1) TILE(23, 1) TILE(24, 1) TILE(25, 1) TILE(26, 1) TILE(27, 1) TILE(28, 1)
static pn_cpu_gemm_f32_fn *const wide_1[] = {
  tile_1x1, tile_2x1, tile_3x1, tile_4x1, tile_5x1, tile_6x1, tile_7x1, tile_8x1, tile_9x1, tile_10x1, tile_11x1,
  tile_12x1, tile_13x1, tile_14x1, tile_15x1, tile_16x1, tile_17x1, tile_18x1, tile_19x1, tile_20x1, tile_21x1,
  tile_22x1, tile_23x1, tile_24x1, tile_25x1, tile_26x1, tile_27x1, tile_28x1};

TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2) TILE(7, 2) TILE(8, 2) TILE(9, 2) TILE(10, 2)
TILE(11, 2) TILE(12, 2) TILE(13, 2) TILE(14, 2)
static pn_cpu_gemm_f32_fn *const wide_2[] = {
  tile_1x2, tile_2x2, tile_3x2, tile_4x2, tile_5x2, tile_6x2, tile_7x2, tile_8x2, tile_9x2, tile_10x2, tile_11x2,
  tile_12x2, tile_13x2, tile_14x2};

TILE(1, 4) TILE(2, 4) TILE(3, 4) TILE(4, 4) TILE(5, 4) TILE(6, 4)
static pn_cpu_gemm_f32_fn *const wide_4[] = {
  tile_1x4, tile_2x4, tile_3x4, tile_4x4, tile_5x4, tile_6x4};

static const pn_cpu_gemm_f32 table = {
    .width_count = 3,
    .widths = {{1 * VL, PN_COUNT(wide_1), wide_1},
               {2 * VL, PN_COUNT(wide_2), wide_2},
               {4 * VL, PN_COUNT(wide_4), wide_4}},
    .pack_b = pack_b,
    .copy_rows = copy_rows,
};
const pn_cpu_kernels pn_cpu_kernels_gemm_f32_avx512 = {.name = "gemm_f32.avx512", .isa = SIMD_ISA, .gemm_f32 = &table};
