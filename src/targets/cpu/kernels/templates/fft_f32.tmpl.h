/* fft_f32: the passes of a mixed-radix Fourier transform over VL lines at once, each line in its own lane. The passes
   sort as they go (Stockham), so that no reversal of digits is left; the butterflies are written out for 2, 3, 4 and 5,
   and a sum for other radices. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"

enum { PITCH = 2 * VL };

typedef struct complex_lanes {
  vf re, im;
} complex_lanes;

PN_INLINE complex_lanes lanes_add(complex_lanes a, complex_lanes b) {
  return (complex_lanes){vf_add(a.re, b.re), vf_add(a.im, b.im)};
}
PN_INLINE complex_lanes lanes_sub(complex_lanes a, complex_lanes b) {
  return (complex_lanes){vf_sub(a.re, b.re), vf_sub(a.im, b.im)};
}
/* a + i b and a - i b */
PN_INLINE complex_lanes lanes_add_turned(complex_lanes a, complex_lanes b) {
  return (complex_lanes){vf_sub(a.re, b.im), vf_add(a.im, b.re)};
}
PN_INLINE complex_lanes lanes_sub_turned(complex_lanes a, complex_lanes b) {
  return (complex_lanes){vf_add(a.re, b.im), vf_sub(a.im, b.re)};
}
PN_INLINE complex_lanes lanes_scale(complex_lanes a, vf by) {
  return (complex_lanes){vf_mul(a.re, by), vf_mul(a.im, by)};
}
/* a + b * by */
PN_INLINE complex_lanes lanes_scale_add(complex_lanes a, complex_lanes b, vf by) {
  return (complex_lanes){vf_fma(b.re, by, a.re), vf_fma(b.im, by, a.im)};
}
PN_INLINE complex_lanes lanes_mul(complex_lanes a, const float *w) {
  const vf re = vf_set1(w[0]), im = vf_set1(w[1]);
  return (complex_lanes){vf_fnma(a.im, im, vf_mul(a.re, re)), vf_fma(a.re, im, vf_mul(a.im, re))};
}

PN_INLINE void butterfly_2(complex_lanes *x) {
  const complex_lanes a = x[0];
  x[0] = lanes_add(a, x[1]);
  x[1] = lanes_sub(a, x[1]);
}
PN_INLINE void butterfly_3(complex_lanes *x) {
  const complex_lanes sum = lanes_add(x[1], x[2]), difference = lanes_sub(x[1], x[2]);
  const complex_lanes middle = lanes_scale_add(x[0], sum, vf_set1(-0.5f));
  const complex_lanes side = lanes_scale(difference, vf_set1(0.866025404f));
  x[0] = lanes_add(x[0], sum);
  x[1] = lanes_sub_turned(middle, side);
  x[2] = lanes_add_turned(middle, side);
}
PN_INLINE void butterfly_4(complex_lanes *x) {
  const complex_lanes a = lanes_add(x[0], x[2]), b = lanes_sub(x[0], x[2]);
  const complex_lanes c = lanes_add(x[1], x[3]), d = lanes_sub(x[1], x[3]);
  x[0] = lanes_add(a, c);
  x[1] = lanes_sub_turned(b, d);
  x[2] = lanes_sub(a, c);
  x[3] = lanes_add_turned(b, d);
}
PN_INLINE void butterfly_5(complex_lanes *x) {
  const vf c1 = vf_set1(0.309016994f), c2 = vf_set1(-0.809016994f);
  const vf s1 = vf_set1(0.951056516f), s2 = vf_set1(0.587785252f), minus_s1 = vf_set1(-0.951056516f);
  const complex_lanes a = lanes_add(x[1], x[4]), b = lanes_add(x[2], x[3]);
  const complex_lanes c = lanes_sub(x[1], x[4]), d = lanes_sub(x[2], x[3]);
  const complex_lanes m1 = lanes_scale_add(lanes_scale_add(x[0], a, c1), b, c2);
  const complex_lanes m2 = lanes_scale_add(lanes_scale_add(x[0], a, c2), b, c1);
  const complex_lanes u1 = lanes_scale_add(lanes_scale(c, s1), d, s2);
  const complex_lanes u2 = lanes_scale_add(lanes_scale(c, s2), d, minus_s1);
  x[0] = lanes_add(x[0], lanes_add(a, b));
  x[1] = lanes_sub_turned(m1, u1);
  x[2] = lanes_sub_turned(m2, u2);
  x[3] = lanes_add_turned(m2, u2);
  x[4] = lanes_add_turned(m1, u1);
}

#define PASS(R)                                                                                                        \
  static void pass_##R(const pn_cpu_fft_f32_pass *p, const float *re, const float *im, float *to_re, float *to_im) {   \
    const size_t behind = p->behind, pitch = behind * PITCH, to_pitch = pitch * p->before;                             \
    for (size_t k = 0; k < p->before; k++)                                                                             \
      for (size_t i = 0; i < behind; i++) {                                                                            \
        complex_lanes x[R];                                                                                            \
        const size_t from = (i + behind * R * k) * PITCH, to = (i + behind * k) * PITCH;                               \
        PN_UNROLL                                                                                                      \
        for (size_t q = 0; q < R; q++)                                                                                 \
          x[q] = (complex_lanes){vf_load(re + from + q * pitch), vf_load(im + from + q * pitch)};                      \
        butterfly_##R(x);                                                                                              \
        const float *turns = p->turns + 2 * (R - 1) * i;                                                               \
        PN_UNROLL                                                                                                      \
        for (size_t j = 0; j < R; j++) {                                                                               \
          if (j > 0 && i > 0) x[j] = lanes_mul(x[j], turns + 2 * (j - 1));                                             \
          vf_store(to_re + to + j * to_pitch, x[j].re);                                                                \
          vf_store(to_im + to + j * to_pitch, x[j].im);                                                                \
        }                                                                                                              \
      }                                                                                                                \
  }
PASS(2)
PASS(3)
PASS(4)
PASS(5)

static void pass_any(const pn_cpu_fft_f32_pass *p, const float *re, const float *im, float *to_re, float *to_im) {
  const size_t radix = p->radix, behind = p->behind;
  for (size_t k = 0; k < p->before; k++)
    for (size_t i = 0; i < behind; i++) {
      complex_lanes sums[PN_CPU_FFT_RADIX_MAX / 2 + 1], differences[PN_CPU_FFT_RADIX_MAX / 2 + 1];
      const size_t from = (i + behind * radix * k) * PITCH, half = radix / 2;
      const complex_lanes first = {vf_load(re + from), vf_load(im + from)};
      complex_lanes all = first;
      for (size_t q = 1; q <= half; q++) { /* q and radix - q have conjugate roots */
        const size_t at = from + q * behind * PITCH, other = from + (radix - q) * behind * PITCH;
        const complex_lanes a = {vf_load(re + at), vf_load(im + at)}, b = {vf_load(re + other), vf_load(im + other)};
        sums[q] = lanes_add(a, b);
        differences[q] = lanes_sub(a, b);
        all = lanes_add(all, sums[q]);
      }
      vf_store(to_re + (i + behind * k) * PITCH, all.re);
      vf_store(to_im + (i + behind * k) * PITCH, all.im);
      for (size_t j = 1; j <= half; j++) {
        complex_lanes middle = first, side = {vf_zero(), vf_zero()};
        for (size_t q = 1, turn = j; q <= half; q++, turn = turn + j < radix ? turn + j : turn + j - radix) {
          middle = lanes_scale_add(middle, sums[q], vf_set1(p->roots[2 * turn]));
          side = lanes_scale_add(side, differences[q], vf_set1(p->roots[2 * turn + 1]));
        }
        const float *turns = p->turns + 2 * (radix - 1) * i;
        const complex_lanes y = lanes_mul(lanes_add_turned(middle, side), turns + 2 * (j - 1));
        const complex_lanes z = lanes_mul(lanes_sub_turned(middle, side), turns + 2 * (radix - j - 1));
        const size_t to = (i + behind * (k + p->before * j)) * PITCH;
        const size_t mirrored = (i + behind * (k + p->before * (radix - j))) * PITCH;
        vf_store(to_re + to, y.re);
        vf_store(to_im + to, y.im);
        vf_store(to_re + mirrored, z.re);
        vf_store(to_im + mirrored, z.im);
      }
    }
}

static void pass(const pn_cpu_fft_f32_pass *p, const float *re, const float *im, float *to_re, float *to_im) {
  switch (p->radix) {
  case 2: pass_2(p, re, im, to_re, to_im); return;
  case 3: pass_3(p, re, im, to_re, to_im); return;
  case 4: pass_4(p, re, im, to_re, to_im); return;
  case 5: pass_5(p, re, im, to_re, to_im); return;
  default: pass_any(p, re, im, to_re, to_im); return;
  }
}

static void multiply(size_t n, const float *factors, float *re, float *im) {
  for (size_t i = 0; i < n; i++) {
    const complex_lanes y =
        lanes_mul((complex_lanes){vf_load(re + i * PITCH), vf_load(im + i * PITCH)}, factors + 2 * i);
    vf_store(re + i * PITCH, y.re);
    vf_store(im + i * PITCH, y.im);
  }
}

static void untangle(size_t half, const float *factors, const float *z, float *y) {
  const vf one_half = vf_set1(0.5f);
  for (size_t k = 0; k <= half; k++) {
    const float *a = z + (k < half ? k : 0) * PITCH, *b = z + (k > 0 ? half - k : 0) * PITCH;
    const complex_lanes x = {vf_load(a), vf_load(a + VL)}, mirrored = {vf_load(b), vf_neg(vf_load(b + VL))};
    const complex_lanes odd = lanes_mul(lanes_sub(x, mirrored), factors + 2 * k);
    const complex_lanes sum = lanes_sub_turned(lanes_add(x, mirrored), odd);
    vf_store(y + k * PITCH, vf_mul(sum.re, one_half));
    vf_store(y + k * PITCH + VL, vf_mul(sum.im, one_half));
  }
}

static const pn_cpu_fft_f32 table = {.lanes = VL, .pass = pass, .multiply = multiply, .untangle = untangle};
