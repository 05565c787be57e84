/* Windows of up to three spatial axes as kernels take them, for convolutions and pooling. */
#ifndef PN_TARGETS_CUDA_WINDOW_H
#define PN_TARGETS_CUDA_WINDOW_H

#include "op/linear/window.h"
#include "targets/cuda/render.h"

/* |axes| windows into the last places of |out|; the axes before are single points. */
void pn_cuda_window_fill(const pn_window *windows, uint32_t axes, struct window_arguments *out);
/* Strides of |o| ([N, C, spatial...]): of its batch, channel and, in the last of three places, spatial axes. */
void pn_cuda_image_strides(const pn_operand *o, int *batch, int *channel, int *axis);

/* A convolution (or its transposition) that the kernels of kernels/conv_*.cu take; its windows in |windows|, what
   follows it in |epilogue|. False, with the reason (none when the problem is another operator), else. */
bool pn_cuda_conv_accepts(const pn_problem *problem, pn_op op, pn_window *windows, pn_cuda_epilogue *epilogue,
                          pn_reason *why);
/* Everything but pointers. */
void pn_cuda_conv_fill(const pn_problem *problem, const pn_window *windows, struct conv_arguments *out);
/* The text in front of them. */
void pn_cuda_conv_head(const pn_problem *problem, const pn_cuda_epilogue *epilogue, pn_text *head);
void pn_cuda_conv_bind(const pn_step *step, const pn_cuda_epilogue *epilogue, struct conv_arguments *out);
/* Multiply-adds. */
double pn_cuda_conv_work(const pn_problem *problem);

/* ---- kernels with a thread for each result ----------------------------------------------------------------------- */

typedef struct pn_cuda_conv_each {
  pn_cu_function *function;
  pn_cuda_epilogue epilogue;
  struct conv_arguments arguments;
} pn_cuda_conv_each;

/* A tactic's sizes and run, and its prepare with |source|, whose head is made here: |memory| is a pn_cuda_conv_each. */
void pn_cuda_conv_each_sizes(const pn_problem *problem, const pn_device *device, const pn_config *config,
                             pn_sizes *out);
pelton_status pn_cuda_conv_each_prepare(const pn_problem *problem, const pn_device *device,
                                        const pn_cuda_source *source, pn_cuda_conv_each *memory,
                                        pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_conv_each_run(const pn_step *step, pn_stream *stream, pelton_diag *diag) PN_CHECKED;

/* ---- epilogues --------------------------------------------------------------------------------------------------- */

/* For epilogues of results [N, C, spatial...]. */
pn_cuda_strides_fn pn_cuda_image_epilogue_strides;

#endif
