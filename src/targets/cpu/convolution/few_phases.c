#include "targets/cpu/convolution/few_phases.h"

/* The window of stride 1 in which the taps of all phases of a transposed axis lie. Output |q| of phase |r| is place q *
   stride + r; tap j reads input q + j - pad_begin with the filter's element stride * (pad_begin - j) + r + pad. */
static pn_window phase_window(const pn_window *w) {
  int64_t most = (w->kernel - 1 - w->pad_begin) / w->stride, least = (w->stride - 1 + w->pad_begin) / w->stride;
  return (pn_window){.input = w->input,
                     .kernel = most + least + 1,
                     .stride = 1,
                     .dilation = 1,
                     .pad_begin = most,
                     .pad_end = least,
                     .output = pn_div_up(w->output, w->stride)};
}

bool pn_few_phases_make(const pn_problem *p, int64_t most_rows, pn_few_phases *out, pn_reason *why) {
  pn_window y, x;
  if (!pn_cpu_conv_transpose_accepts(p, &y, &x, why)) return false;
  const pn_operand *w = pn_problem_input(p, 0, 1);
  if (((const pn_attrs_conv_transpose *)p->nodes[0].attrs)->group != 1) return pn_refuse(why, "one group only");
  if (y.stride > PN_CPU_DOTCONV_OUTPUTS || x.stride > PN_CPU_DOTCONV_OUTPUTS ||
      w->dims[1] * y.stride * x.stride > PN_CPU_DOTCONV_OUTPUTS)
    return pn_refuse(why, "more than %d output channels times strides", PN_CPU_DOTCONV_OUTPUTS);
  if (y.dilation != 1 || x.dilation != 1) return pn_refuse(why, "a transposed convolution with dilation");
  if (y.pad_begin < 0 || x.pad_begin < 0 || y.pad_begin >= y.kernel || x.pad_begin >= x.kernel)
    return pn_refuse(why, "pads beyond the kernel");
  *out = (pn_few_phases){.rows = y.stride,
                         .columns = x.stride,
                         .channels = w->dims[1],
                         .height = y.output,
                         .width = x.output,
                         .y = phase_window(&y),
                         .x = phase_window(&x)};
  if (out->y.kernel > most_rows) return pn_refuse(why, "more than %d filter rows", (int)most_rows);
  return true;
}

void pn_few_phases_pack(const pn_problem *p, const pn_few_phases *f, float *to) {
  const pn_operand *filter = pn_problem_input(p, 0, 1);
  const float *w = filter->data;
  pn_window y, x;
  (void)pn_cpu_conv_transpose_window(p, &y, &x); /* accepted before */
  for (int64_t i = 0; i < f->y.kernel; i++)
    for (int64_t o = 0; o < pn_few_phases_outputs(f); o++)
      for (int64_t j = 0; j < f->x.kernel; j++)
        for (int64_t c = 0; c < filter->dims[0]; c++) {
          int64_t channel = o % f->channels, phase = o / f->channels;
          int64_t row = y.stride * (f->y.pad_begin - i) + phase / f->columns + y.pad_begin;
          int64_t column = x.stride * (f->x.pad_begin - j) + phase % f->columns + x.pad_begin;
          bool has = row >= 0 && row < y.kernel && column >= 0 && column < x.kernel;
          *to++ = has ? w[((c * f->channels + channel) * y.kernel + row) * x.kernel + column] : 0;
        }
}

void pn_few_phases_deal(const pn_few_phases *f, const float *phases, int64_t phase, int64_t from, int64_t to,
                        float *out) {
  int64_t run = f->columns * f->channels; /* floats that lie together in both */
  const float *own = phases + phase * run;
  for (int64_t left = (to - from) * f->channels; left > 0; left -= run, own += f->rows * run, out += run)
    for (int64_t k = 0; k < run && k < left; k++) out[k] = own[k];
}
