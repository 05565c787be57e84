/* See sample.h. */
#include "op/picture/sample.h"

#include <math.h>

pelton_status pn_sampler_init(pn_sampler *s, const pn_call *call, uint32_t axes, const int64_t *extents,
                              uint32_t taps) {
  *s = (pn_sampler){.axes = axes, .taps = taps, .combinations = 1};
  int64_t stride = 1;
  for (uint32_t i = axes; i-- > 0;) {
    s->extents[i] = extents[i];
    s->strides[i] = stride;
    stride *= extents[i];
    s->combinations *= taps;
  }
  s->offsets = PN_NEW_ARRAY(call->scratch, int64_t, (size_t)s->combinations);
  s->weights = PN_NEW_ARRAY(call->scratch, double, (size_t)s->combinations);
  return s->offsets && s->weights ? PELTON_OK : pn_fail_memory(call->diag, "a sampler's places");
}

void pn_sampler_place(pn_sampler *s, const pn_sample_axis *axis) {
  s->count = 0;
  for (int64_t i = 0; i < s->combinations; i++) {
    int64_t rest = i, offset = 0;
    double weight = 1;
    bool inside = true;
    for (uint32_t k = s->axes; k-- > 0; rest /= s->taps) {
      int64_t tap = rest % s->taps;
      inside = inside && axis[k].at[tap] >= 0;
      offset += axis[k].at[tap] * s->strides[k];
      weight *= axis[k].weight[tap];
    }
    if (!inside) continue;
    s->offsets[s->count] = offset;
    s->weights[s->count++] = weight;
  }
}

double pn_sampler_read(const pn_sampler *s, const double *plane) {
  double sum = 0;
  for (int64_t i = 0; i < s->count; i++) sum += s->weights[i] * plane[s->offsets[i]];
  return sum;
}

int64_t pn_sample_floor(double *x, int64_t extent) {
  *x = fmax(fmin(*x, (double)extent + 2), -3);
  return (int64_t)floor(*x);
}

pn_sample_axis pn_sample_linear(double x, int64_t extent) {
  if (isnan(x)) return (pn_sample_axis){.at = {extent > 0 ? 0 : -1, -1}, .weight = {x, x}};
  int64_t low = pn_sample_floor(&x, extent);
  double upper = x - (double)low;
  pn_sample_axis axis = {.at = {low, low + 1}, .weight = {1 - upper, upper}};
  for (int i = 0; i < 2; i++)
    if (axis.at[i] < 0 || axis.at[i] >= extent) axis.at[i] = -1;
  return axis;
}
