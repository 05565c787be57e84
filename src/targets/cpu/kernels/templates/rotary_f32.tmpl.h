/* rotary_f32: loops that compilers vectorise by themselves, at the width of the file's instructions. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

static void halves(size_t n, const float *restrict cosine, const float *restrict sine, const float *restrict x,
                   float *restrict y) {
  for (size_t i = 0; i < n; i++) {
    y[i] = cosine[i] * x[i] - sine[i] * x[n + i];
    y[n + i] = sine[i] * x[i] + cosine[i] * x[n + i];
  }
}

static void neighbours(size_t n, const float *restrict cosine, const float *restrict sine, const float *restrict x,
                       float *restrict y) {
  for (size_t i = 0; i < n; i++) {
    y[2 * i] = cosine[i] * x[2 * i] - sine[i] * x[2 * i + 1];
    y[2 * i + 1] = sine[i] * x[2 * i] + cosine[i] * x[2 * i + 1];
  }
}

static const pn_cpu_rotary_f32 table = {.halves = halves, .neighbours = neighbours};
