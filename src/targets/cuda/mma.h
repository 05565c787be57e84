/* Products and convolutions by tiles in shared memory (kernels/mma.cu), on tensor cores or by multiply-adds in f32, as
   their tactics use them: these say what rows and columns are; tiles, estimates, functions and launches are the same.
 */
#ifndef PN_TARGETS_CUDA_MMA_H
#define PN_TARGETS_CUDA_MMA_H

#include "targets/cuda/render.h"

typedef enum pn_mma_source {
  PN_MMA_MATRIX,   /* rows lie in memory as they are wanted */
  PN_MMA_PICTURES, /* places of channels_last pictures, each seen through a window, by 16 bytes of channels */
  PN_MMA_GATHERED  /* the same of any layout, element by element */
} pn_mma_source;

typedef struct pn_mma {
  bool tensor; /* tensor cores: 16 bits, or f32 as TF32 */
  pn_mma_source source;
  int64_t rows, columns, depth, batches; /* batches: or groups */
  pelton_dtype dtype, result;
  double work;           /* instructions of the expression, for estimates */
  bool bias, places;     /* |places|: rows are places of pictures */
  bool plain;            /* the result's places lie together */
  bool constant;         /* b is, and packed: rows of pn_mma_padded elements */
  bool a_loose, b_loose; /* not in pieces of 16 bytes: element by element */
  uint32_t batch_axes;   /* of the arguments */
  pn_cuda_epilogue epilogue;
  struct mma_arguments arguments; /* all that the source wants to say */
  /* by pn_mma_prepare: */
  pn_cu_function *function, *sum; /* |sum| null: sums are not split */
  uint32_t together;              /* operands of the epilogue that are read by eights: a bit each */
  uint32_t grid[3], threads, shared_bytes, sum_blocks;
} pn_mma;

/* Elements in the 16 bytes that are brought at once. */
PN_INLINE int64_t pn_mma_piece(pelton_dtype dtype) { return 16 / (int64_t)pelton_dtype_bytes(dtype); }
PN_INLINE int64_t pn_mma_padded(const pn_mma *m) {
  return pn_div_up(m->depth, pn_mma_piece(m->dtype)) * pn_mma_piece(m->dtype);
}

/* Whether the device has what |tensor| says for |problem|'s types, and they are of the kind. */
bool pn_mma_accepts(const pn_device *device, const pn_problem *problem, bool tensor, pn_reason *why);
uint32_t pn_mma_configs(const pn_mma *m, const pn_device *device, double bytes, pn_config *out, uint32_t max);
double pn_mma_estimate(const pn_mma *m, const pn_device *device, double bytes, const pn_config *config);
void pn_mma_sizes(const pn_mma *m, const pn_config *config, pn_sizes *out);
/* Of a constant b in f32 for tensor cores: to the 19 bits that they multiply. */
void pn_mma_shorten(const pn_mma *m, void *packed, int64_t count);
pelton_status pn_mma_prepare(pn_mma *m, const pn_device *device, const pn_problem *problem, const pn_config *config,
                             pelton_diag *diag) PN_CHECKED;
/* Launches on |a| and |b|. An operand that is read sixteen bytes at a time and does not lie so is an error: the
   planner's parts do (pn_target's part_alignment), a caller's memory might not. */
pelton_status pn_mma_run(const pn_mma *m, const pn_step *step, const void *a, const void *b, pn_stream *stream,
                         pelton_diag *diag) PN_CHECKED;

/* ---- the tactics' members, of products and of convolutions: state is a pn_mma --------------------------------------
 */

bool pn_mma_product(const pn_problem *problem, const pn_device *device, bool tensor, pn_mma *out, pn_reason *why);
bool pn_mma_convolution(const pn_problem *problem, const pn_device *device, bool tensor, pn_mma *out, pn_reason *why);
void pn_mma_pack_product(const pn_problem *problem, const pn_mma *m, void *packed);
void pn_mma_pack_convolution(const pn_problem *problem, const pn_mma *m, void *packed);

#endif
