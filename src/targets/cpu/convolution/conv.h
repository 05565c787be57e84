/* What all tactics for f32 convolutions ask and compute alike. */
#ifndef PN_TARGETS_CPU_CONV_H
#define PN_TARGETS_CPU_CONV_H

#include "op/linear/window.h"
#include "targets/cpu/epilogue.h"

/* The window of the convolution that |problem| begins with; without a second spatial axis, |y| is of one row. */
bool pn_cpu_conv_window(const pn_problem *problem, pn_window *y, pn_window *x);

/* True for a convolution in f32 over one or two spatial axes, with a constant filter and bias, a channels_last result,
   something to compute, and an epilogue that compiles; fills |y| and |x|. Else false with the reason (none when the
   problem is no convolution). What a tactic wants beyond that it asks itself. */
bool pn_cpu_conv_accepts(const pn_problem *problem, pn_window *y, pn_window *x, pn_reason *why);

/* The same for a transposed convolution; input may come in either layout when they are alike. The windows' input and
   output are the operand's and the result's extents: input * stride + tap * dilation - pad_begin is a place of the
   result. */
bool pn_cpu_conv_transpose_window(const pn_problem *problem, pn_window *y, pn_window *x);
bool pn_cpu_conv_transpose_accepts(const pn_problem *problem, pn_window *y, pn_window *x, pn_reason *why);

/* The bias of output channel |output|: the convolution's own, and what a native epilogue adds along the channels. */
float pn_cpu_conv_bias(const pn_problem *problem, const pn_epilogue *epilogue, int64_t output);

/* For convolutions with few outputs, by pixel of the result: what their multiply-adds and loads, whichever are more, and
   adding up the lanes cost in multiply-adds. |depth| is the run of a filter row. */
double pn_cpu_few_outputs_cost(const pn_cpu_dotconv_f32 *dotconv, int64_t filter_rows, int64_t depth, int64_t outputs);

/* pn_tactic.packs of tactics that pack the filter and the bias. */
bool pn_cpu_conv_packs(const pn_problem *problem, uint32_t operand);

#endif
