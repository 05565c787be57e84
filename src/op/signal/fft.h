/* Fourier transforms of complex numbers, of any length: y[k] = sum of x[n] exp(-2 pi i k n / size).

   Lengths of small prime factors are taken apart factor by factor (Cooley and Tukey); any other becomes a convolution
   of a length that is a power of two (Bluestein). Either way the time grows with size * log(size). */
#ifndef PN_OP_FFT_H
#define PN_OP_FFT_H

#include "base/alloc.h"
#include "base/diag.h"

typedef struct pn_complex {
  double re, im;
} pn_complex;

PN_INLINE pn_complex pn_complex_mul(pn_complex a, pn_complex b) {
  return (pn_complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
PN_INLINE pn_complex pn_complex_conjugate(pn_complex a) { return (pn_complex){a.re, -a.im}; }

/* What depends on the length alone, and room for one transform at a time. */
typedef struct pn_fft {
  int64_t size;
  int64_t inner;      /* the length that is taken apart: |size| itself, or of the convolution */
  pn_complex *roots;  /* exp(-2 pi i k / inner) */
  pn_complex *chirp;  /* exp(-pi i k^2 / size); null: |size| is taken apart itself */
  pn_complex *kernel; /* the transform of the chirp's conjugate, over |inner| */
  pn_complex *room[2];
} pn_fft;

/* |size| is from 1 to 2^30. All memory is of |arena|. */
pelton_status pn_fft_init(pn_fft *fft, int64_t size, pn_arena *arena, pelton_diag *diag) PN_CHECKED;
/* Transforms |x|, |fft->size| numbers, in place. */
void pn_fft_run(const pn_fft *fft, pn_complex *x);

#endif
