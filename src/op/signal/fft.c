/* See fft.h. */
#include "op/signal/fft.h"

#include <math.h>
#include <string.h>

/* Beyond it a factor's own sum, which is quadratic, costs more than a convolution. */
enum { GREATEST_FACTOR = 31 };

static const double pi = 3.14159265358979323846;

static int64_t least_factor(int64_t n) {
  for (int64_t factor = 2; factor <= GREATEST_FACTOR; factor++)
    if (n % factor == 0) return factor;
  return 0;
}

/* exp(-2 pi i numerator / denominator), a part of a turn. Quarters are exact, so that zeros of a spectrum are. */
static pn_complex root(int64_t numerator, int64_t denominator) {
  static const pn_complex quarters[] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}};
  if (4 * numerator % denominator == 0) return quarters[4 * numerator / denominator];
  const double angle = 2 * pi * (double)numerator / (double)denominator;
  return (pn_complex){cos(angle), -sin(angle)};
}

/* The transform of in[0], in[stride], ..., |n| of them, where n * stride is the number of |roots|: those of every
   factor-th element first, then the sums across them. */
static void take_apart(const pn_complex *roots, int64_t n, const pn_complex *in, int64_t stride, pn_complex *out) {
  if (n == 1) {
    *out = *in;
    return;
  }
  const int64_t factor = least_factor(n), part = n / factor;
  pn_complex turned[GREATEST_FACTOR];
  for (int64_t q = 0; q < factor; q++) take_apart(roots, part, in + q * stride, stride * factor, out + q * part);
  for (int64_t k = 0; k < part; k++) {
    for (int64_t q = 0; q < factor; q++) turned[q] = pn_complex_mul(out[q * part + k], roots[q * k * stride]);
    for (int64_t j = 0; j < factor; j++) {
      pn_complex sum = turned[0];
      for (int64_t q = 1; q < factor; q++) {
        const pn_complex term = pn_complex_mul(turned[q], roots[q * j % factor * part * stride]);
        sum.re += term.re;
        sum.im += term.im;
      }
      out[j * part + k] = sum;
    }
  }
}

/* The chirp and the kernel: k n = (k^2 + n^2 - (k - n)^2) / 2 makes the transform a convolution with the chirp. */
static pelton_status init_chirp(pn_fft *fft, pn_arena *arena, pelton_diag *diag) {
  const int64_t n = fft->size, inner = fft->inner;
  fft->chirp = PN_NEW_ARRAY(arena, pn_complex, (size_t)n);
  fft->kernel = PN_NEW_ARRAY(arena, pn_complex, (size_t)inner);
  if (!fft->chirp || !fft->kernel) return pn_fail_memory(diag, "a Fourier transform");
  for (int64_t k = 0; k < n; k++) fft->chirp[k] = root(k * k % (2 * n), 2 * n);
  pn_complex *mirrored = fft->room[0];
  for (int64_t k = 0; k < inner; k++) mirrored[k] = (pn_complex){0, 0};
  for (int64_t k = 0; k < n; k++) {
    const pn_complex c = pn_complex_conjugate(fft->chirp[k]);
    mirrored[k] = mirrored[k == 0 ? 0 : inner - k] = (pn_complex){c.re / (double)inner, c.im / (double)inner};
  }
  take_apart(fft->roots, inner, mirrored, 1, fft->kernel);
  return PELTON_OK;
}

pelton_status pn_fft_init(pn_fft *fft, int64_t size, pn_arena *arena, pelton_diag *diag) {
  *fft = (pn_fft){.size = size, .inner = size};
  int64_t rest = size;
  for (int64_t factor; rest > 1 && (factor = least_factor(rest)) > 0;) rest /= factor;
  const bool convolves = rest > 1;
  if (convolves)
    for (fft->inner = 1; fft->inner < 2 * size - 1;) fft->inner *= 2;
  fft->roots = PN_NEW_ARRAY(arena, pn_complex, (size_t)fft->inner);
  for (int i = 0; i < 2; i++) fft->room[i] = PN_NEW_ARRAY(arena, pn_complex, (size_t)fft->inner);
  if (!fft->roots || !fft->room[0] || !fft->room[1]) return pn_fail_memory(diag, "a Fourier transform");
  for (int64_t k = 0; k < fft->inner; k++) fft->roots[k] = root(k, fft->inner);
  return convolves ? init_chirp(fft, arena, diag) : PELTON_OK;
}

void pn_fft_run(const pn_fft *fft, pn_complex *x) {
  pn_complex *from = fft->room[0], *to = fft->room[1];
  const int64_t n = fft->size, inner = fft->inner;
  for (int64_t k = 0; k < n; k++) from[k] = fft->chirp ? pn_complex_mul(x[k], fft->chirp[k]) : x[k];
  for (int64_t k = n; k < inner; k++) from[k] = (pn_complex){0, 0};
  take_apart(fft->roots, inner, from, 1, to);
  if (!fft->chirp) {
    memcpy(x, to, (size_t)n * sizeof *x);
    return;
  }
  /* Backwards is forwards between two conjugations; the kernel holds the division by |inner|. */
  for (int64_t k = 0; k < inner; k++) from[k] = pn_complex_conjugate(pn_complex_mul(to[k], fft->kernel[k]));
  take_apart(fft->roots, inner, from, 1, to);
  for (int64_t k = 0; k < n; k++) x[k] = pn_complex_mul(pn_complex_conjugate(to[k]), fft->chirp[k]);
}
