/* A picture in plain layout as the columns that a window of any rank sees, and columns added up to a picture: the two
   copies (im2col, col2im) that make a product of every convolution, whatever its number of spatial axes.

   Places are where the window stands, in order, the last axis innermost; a row of columns belongs to one (channel, tap)
   and has an element a place. Only blocks of rows by places exist at a time, in scratch. */
#ifndef PN_TARGETS_CPU_COLUMNS_H
#define PN_TARGETS_CPU_COLUMNS_H

#include "op/linear/window.h"
#include "targets/cpu/kernels.h"

/* One spatial axis: tap t of place p is element p * stride + t * dilation - pad of the picture, or padding. */
typedef struct pn_columns_axis {
  int64_t picture, places, kernel, stride, dilation, pad;
} pn_columns_axis;

typedef struct pn_columns {
  uint32_t axes;
  pn_columns_axis axis[PN_MAX_RANK];
  int64_t picture, places, taps; /* products over the axes */
  int64_t tap_rows;              /* taps but for the last axis */
} pn_columns;

/* From the windows of a convolution, or with |transposed| those of a transposed one, whose picture is the result.
   Neighbouring axes without a window become one: with kernels of 1 only a single long axis is left. */
void pn_columns_init(pn_columns *c, uint32_t axes, const pn_window *windows, bool transposed);

typedef struct pn_columns_kernels {
  const pn_cpu_vec_f32 *vec;
  const pn_cpu_transpose_f32 *transpose;
} pn_columns_kernels;

/* What both copies want as |scratch|, in elements of int64_t. */
PN_INLINE size_t pn_columns_scratch(const pn_columns *c) {
  return (size_t)(c->tap_rows + 2 * c->axis[c->axes - 1].kernel);
}

/* Rows [begin, end) of the columns, by places [first, last), as panels of |nr| places: to[panel][row][nr], zero where
   there is padding and beyond the last place. |picture| is channel 0 of the rows. */
void pn_columns_gather(const pn_columns *c, const float *picture, int64_t begin, int64_t end, int64_t first,
                       int64_t last, int64_t nr, int64_t *scratch, float *to);

/* Adds the taps' rows of one channel, |pitch| floats apart and beginning at place |first|, to the channel's picture. */
void pn_columns_add(const pn_columns *c, const pn_columns_kernels *kernels, const float *rows, int64_t pitch,
                    int64_t first, int64_t last, int64_t *scratch, float *picture);
/* What an addition costs, in multiply-adds of a product. */
double pn_columns_add_cost(const pn_columns *c);

#endif
