/* Products of 16-bit matrices on Hopper's tensor cores (kernels/wgmma.cu), as its tactics use them: convolutions,
   pairs of them and matrix products say what the rows are; tiles, estimates, the function and the launch are the same.
 */
#ifndef PN_TARGETS_CUDA_WGMMA_H
#define PN_TARGETS_CUDA_WGMMA_H

#include "targets/cuda/render.h"

enum { PN_WGMMA_DEPTH = 64 }; /* of a step */

typedef enum pn_wgmma_source {
  PN_WGMMA_MATRIX,   /* rows lie in memory as they are wanted */
  PN_WGMMA_PICTURES, /* places of channels_last pictures, each seen through a window: found by the copy engine */
  PN_WGMMA_GATHERED, /* the same of any layout and few channels: found by threads */
  PN_WGMMA_DEPTHWISE /* what a depthwise convolution in front gives, computed by threads */
} pn_wgmma_source;

/* A tensor of 16-bit elements, innermost extent first, for the copy engine. */
typedef struct pn_wgmma_map {
  uint32_t rank;
  uint64_t dims[4], strides[3]; /* strides in bytes, from the second extent on */
  int lower[2], upper[2];       /* PICTURES: where windows begin, against the picture's corners; across, down */
  uint32_t steps[2];            /* and how far apart */
} pn_wgmma_map;

/* rows x columns sums over |steps| times 64, |batches| of them. */
typedef struct pn_wgmma {
  pn_wgmma_source source;
  int64_t rows, columns, steps, batches;
  pelton_dtype dtype;
  double work;                 /* instructions of the expression, for estimates */
  bool bias, places, constant; /* |places|: rows are places of pictures; |constant|: b is, and packed */
  bool plain;                  /* of the result the places lie together, not the columns */
  pn_wgmma_map a, b;
  pn_cuda_epilogue epilogue;
  uint32_t parts; /* results that the columns go to; 0: one */
  int64_t part_columns[MOST_COLUMN_PARTS];
  struct wgmma_arguments arguments; /* what the source wants to say of windows and batches */
  bool pairs;                       /* GATHERED reads words of two elements */
  char head[640];                   /* macros for GATHERED and DEPTHWISE */
  const pn_problem *front;          /* DEPTHWISE: the convolution in front and what follows it, while it is prepared */
  int64_t taps, eights;             /* of its filter; eights of channels that a step computes */
  /* by pn_wgmma_prepare: */
  pn_cu_function *function;
  uint32_t together; /* operands of the epilogue that are read by eights: a bit each */
  bool copied;       /* results leave by the copy engine */
  int fetched;       /* the operand of the epilogue that it brings; -1: none */
  uint32_t grid[3], threads, shared_bytes, tile_rows, tile_columns;
} pn_wgmma;

/* Whether the device and the types are of the kind, and extents fit. */
bool pn_wgmma_accepts(const pn_device *device, const pn_problem *problem, pn_reason *why);
/* Instructions for a result that |problem|'s expression costs, about. */
double pn_wgmma_work(const pn_problem *problem);
uint32_t pn_wgmma_configs(const pn_wgmma *w, const pn_device *device, double bytes, pn_config *out, uint32_t max);
double pn_wgmma_estimate(const pn_wgmma *w, const pn_device *device, double bytes, const pn_config *config);
pelton_status pn_wgmma_prepare(pn_wgmma *w, const pn_device *device, const pn_problem *problem, const pn_config *config,
                               pelton_diag *diag) PN_CHECKED;
/* Launches on |a| and |b|; results are those of the step's last node. An operand that is read sixteen bytes at a time
   and does not lie so is an error: the planner's parts do (pn_target's part_alignment), a caller's memory might not. */
pelton_status pn_wgmma_run(const pn_wgmma *w, const pn_step *step, const void *a, const void *b, pn_stream *stream,
                           pelton_diag *diag) PN_CHECKED;
#endif
