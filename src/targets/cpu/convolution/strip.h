/* The shape of a chain of convolutions that runs strip by strip: its stages, what each holds of its input, and how the
   last result is cut into tasks.

   A task is a band of rows by a tile of columns of the last result. It walks down its band some rows at a time; each
   stage keeps, in the thread's own scratch, just the rows of its input that the next rows need, so that what lies
   between two convolutions never leaves the second cache, and memory grows with the strip, not with the picture. At the
   edges of a task the stages before the last compute a few rows and columns that a neighbour computes as well. */
#ifndef PN_TARGETS_CPU_STRIP_H
#define PN_TARGETS_CPU_STRIP_H

#include "targets/cpu/convolution/conv.h"
#include "targets/cpu/convolution/conv_tiles.h"
#include "targets/cpu/convolution/few_phases.h"

enum { PN_STRIP_STAGES = 4, PN_STRIP_FILTER_ROWS = 64 };

typedef enum pn_strip_kind {
  PN_STRIP_PANELS,    /* a product by tiles, as conv_direct */
  PN_STRIP_DEPTHWISE, /* as conv_depthwise */
  PN_STRIP_FEW        /* at most four outputs, as conv_few_outputs; the last may be transposed */
} pn_strip_kind;

typedef struct pn_strip_stage {
  pn_strip_kind kind;
  pn_window y, x;
  int64_t channels, outputs;
  bool phased; /* transposed, as |phases| */
  pn_few_phases phases;
  pn_epilogue epilogue;
  float lo, hi;
  pn_cpu_gemm_f32_width width; /* PANELS, as the three below */
  pn_conv_depth depth;
  int64_t panels;
  const ptrdiff_t *tap_offset;
  bool in_place;              /* the first stage may read the group's input where it lies; the others have a buffer: */
  int64_t pitch;              /* floats between its pixels */
  int64_t columns;            /* pixels of a row; columns outside of the picture are zeros */
  size_t buffer_at;           /* bytes from the start of the thread's scratch */
  size_t weights_at, bias_at, slope_at; /* bytes in the packed constants; slopes where the epilogue bends */
  double cost;                /* multiply-adds' worth of time for one pixel of its result */
} pn_strip_stage;

typedef struct pn_strip {
  uint32_t stage_count;
  pn_strip_stage stages[PN_STRIP_STAGES];
  int64_t images;
  bool plain_input;
  int64_t rows;    /* of the last result that a task computes at a time */
  int64_t columns; /* of a tile */
  int64_t tiles, bands, band_rows;
  size_t row_bytes; /* of a row of phases before it is dealt out */
  size_t buffer_bytes, packed_bytes;
  double cost; /* of the busiest thread, in multiply-adds' worth of time */
} pn_strip;

/* False, with the reason, when |problem| is no chain of two or more convolutions that strips can run. |config|: value 0
   is the share of the second cache for buffers in eighths, 0 for the default. Tap offsets are not set. */
bool pn_strip_make(const pn_problem *problem, const pn_device *device, const pn_config *config, pn_strip *out,
                   pn_reason *why);
/* The nodes of stage |index| as a problem of their own. */
pn_problem pn_strip_stage_problem(const pn_problem *problem, uint32_t index);

PN_INLINE int64_t pn_strip_input_extent(const pn_window *w, int64_t output) {
  return (output - 1) * w->stride + pn_window_span(w);
}

#endif
