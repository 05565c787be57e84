/* Where grid_sample reads along one axis and what affine_grid's coordinates are: stated once for the references and for
   the targets' tactics. */
#ifndef PN_OP_GRID_H
#define PN_OP_GRID_H

#include "op/picture/sample.h"

/* Taps of an axis: 1, 2 or 4. */
uint32_t pn_grid_taps(const pn_attrs_grid_sample *attrs);
/* The place of coordinate |n|, of a grid of |dtype|, in elements. In single precision unless the grid is of f64, as
   everybody computes it: what is nearest hangs on it. */
double pn_grid_place(const pn_attrs_grid_sample *attrs, pelton_dtype dtype, double n, int64_t extent);
/* What stands around |x|, in elements, and how much of each. NaN gives NaN. */
pn_sample_axis pn_grid_read_axis(const pn_attrs_grid_sample *attrs, double x, int64_t extent);

/* affine_grid: coordinate |i| of |extent| between -1 and 1; the only one is in the middle. */
double pn_affine_coordinate(int64_t i, int64_t extent, bool align_corners);

#endif
