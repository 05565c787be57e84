/* Winograd's F(m x m, r x r): the points that the transforms of filters (winograd.c) and of pixels
   (winograd_f32.tmpl.h) share. A tile of alpha = m + r - 1 pixels a side is evaluated at alpha points; tiles of a side
   share their points, so that F(4 x 4, 3 x 3) and F(2 x 2, 5 x 5) differ in the last transform only.

   4 points: 0, 1, -1 and infinity. 6 points: 0, +-a, +-b and infinity with a = sqrt(1/2) and b = sqrt(2): the usual 1
   and 2 save two multiplications and lose three to five times the accuracy, because the transforms' entries differ more
   in size. 8 points: 0, +-1/2, +-1, +-2 and infinity, the best of a search over triples. In each the product of the
   points but 0 is 1, which wins one of the multiplications back. */
#ifndef PN_TARGETS_CPU_WINOGRAD_H
#define PN_TARGETS_CPU_WINOGRAD_H

#include <stdint.h>

#define PN_WINOGRAD_A 0.70710678118654752440
#define PN_WINOGRAD_B 1.41421356237309504880
enum { PN_WINOGRAD_POINTS_MAX = 64, PN_WINOGRAD_KERNEL_MAX = 5, PN_WINOGRAD_LANES = 8 };

/* Whether there are transforms for m outputs of r taps: m 2, 4 or 6 of 3, m 2 or 4 of 5. */
int pn_winograd_has(int64_t size, int64_t kernel);

/* The largest error of a result against double on normal random data, relative to the largest result, for sums over
   |channels|: a fit to measurements (winograd.c). */
double pn_winograd_error(int64_t size, int64_t kernel, int64_t channels);

/* The alpha^2 points of |count| <= PN_WINOGRAD_LANES filters of |kernel|^2 elements that lie |pitch| floats apart, in
   double: [point][lane], zero in lanes without a filter. */
void pn_winograd_filters(int64_t size, int64_t kernel, const float *filters, int64_t pitch, int64_t count,
                         double *points);

#endif
