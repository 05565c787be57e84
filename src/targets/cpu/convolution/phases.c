#include "targets/cpu/convolution/phases.h"

void pn_phases_fill(pn_phases *a) {
  const pn_window *w = &a->window;
  int64_t least = 0, most = w->input - 1;
  int32_t count = 0;
  for (int64_t phase = 0; phase < w->stride; phase++) {
    a->first[phase] = count;
    for (int64_t k = 0; k < w->kernel; k++) {
      if (k * w->dilation % w->stride != phase) continue;
      a->back[count] = (int32_t)((k * w->dilation - phase) / w->stride);
      a->element[count++] = (int32_t)k;
    }
  }
  a->first[w->stride] = count;
  for (int64_t i = 0; i < w->output; i++) { /* the outermost inputs that a tap asks for */
    int64_t base = (i + w->pad_begin) / w->stride, phase = (i + w->pad_begin) % w->stride;
    for (int32_t t = a->first[phase]; t < a->first[phase + 1]; t++) {
      if (base - a->back[t] < least) least = base - a->back[t];
      if (base - a->back[t] > most) most = base - a->back[t];
    }
  }
  a->before = -least;
  a->extent = most - least + 1;
}

int64_t pn_phases_outputs(const pn_window *w, int64_t phase, int64_t *first) {
  *first = ((phase - w->pad_begin) % w->stride + w->stride) % w->stride;
  return *first < w->output ? (w->output - *first + w->stride - 1) / w->stride : 0;
}
