/* How a convolution's product is cut into tiles of gemm_f32, and its filter packed for them. */
#ifndef PN_TARGETS_CPU_CONV_TILES_H
#define PN_TARGETS_CPU_CONV_TILES_H

#include "op/linear/window.h"
#include "targets/cpu/cpu.h"
#include "targets/cpu/epilogue.h"

enum {
  PN_CONV_TILE_WIDTHS = 8,
  PN_CONV_ALIAS = 512 /* rows a multiple of so many floats apart share a set of the first cache (see kernels.h) */
};

/* The width of tiles (an index into gemm->widths) with the least cost a multiply-add for rows of |pixels| and |outputs|
   channels: loads count, and unfilled rows and columns. |costs| receives all of them, to be compared. */
uint32_t pn_conv_tile_width(const pn_cpu_gemm_f32 *gemm, int64_t pixels, int64_t outputs, double *costs);

/* The widths as configs, by their columns, |best| first. */
uint32_t pn_conv_tile_configs(const pn_cpu_gemm_f32 *gemm, uint32_t best, pn_config *out, uint32_t max);
/* The width that |config| names; |best| when it names none. */
const pn_cpu_gemm_f32_width *pn_conv_tile_chosen(const pn_cpu_gemm_f32 *gemm, const pn_config *config, uint32_t best);
/* How many times what the best width costs |width| does. */
double pn_conv_tile_slowness(const pn_cpu_gemm_f32 *gemm, const pn_cpu_gemm_f32_width *width, uint32_t best,
                             const double *costs);

/* The depth of the product. Merged, a tap is a filter row, whose columns and channels are one run of the picture; else
   a filter element. */
typedef struct pn_conv_depth {
  bool merged;
  int64_t taps, k; /* k: terms of a tap */
  int64_t channels, filter_columns, filter_size;
} pn_conv_depth;

pn_conv_depth pn_conv_depth_make(const pn_window *y, const pn_window *x, int64_t channels, bool merged);

/* Panels for outputs [0, outputs) of the filter |w| ([output][channel][filter row][filter column]):
   [panel][tap][k][nr], zero beyond the last output. Returns the float behind the last one written. */
float *pn_conv_pack(const pn_conv_depth *depth, const float *w, int64_t outputs, int64_t nr, float *to);
/* So the filters of all |groups| of a convolution, behind them its bias (the epilogue's, too) in panels of nr, and
   the slopes of an epilogue that bends. */
void pn_conv_pack_groups(const pn_problem *problem, const pn_epilogue *epilogue, const pn_conv_depth *depth,
                         int64_t groups, int64_t nr, float *to);

#endif
