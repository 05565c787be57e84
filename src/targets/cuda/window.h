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

/* For epilogues of results [N, C, spatial...]. */
pn_cuda_strides_fn pn_cuda_image_epilogue_strides;

#endif
