/* Winograd's F(m x m, 3 x 3): the points that the transforms of filters (winograd.c) and of pixels
   (winograd_f32.tmpl.h) share.

   F(2 x 2) evaluates at 0, 1, -1 and infinity. F(4 x 4) evaluates at 0, +-a, +-b and infinity with a = sqrt(1/2) and
   b = sqrt(2): the usual 1 and 2 save two multiplications and lose three to five times the accuracy, because the
   transforms' entries differ more in size. a * b = 1 wins one of them back. */
#ifndef PN_TARGETS_CPU_WINOGRAD_H
#define PN_TARGETS_CPU_WINOGRAD_H

#include <stdint.h>

#define PN_WINOGRAD_A 0.70710678118654752440
#define PN_WINOGRAD_B 1.41421356237309504880
enum { PN_WINOGRAD_POINTS_MAX = 36, PN_WINOGRAD_LANES = 8 };

/* The (m + 2)^2 points of |count| <= PN_WINOGRAD_LANES 3x3 filters that lie |pitch| floats apart, in double:
   [point][lane], zero in lanes without a filter. |size| is m, 2 or 4. */
void pn_winograd_filters(int64_t size, const float *filters, int64_t pitch, int64_t count, double *points);

#endif
