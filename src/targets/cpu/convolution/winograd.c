#include "targets/cpu/convolution/winograd.h"

#include <math.h>

#define A PN_WINOGRAD_A
#define B PN_WINOGRAD_B

enum { LANES = PN_WINOGRAD_LANES, KERNEL_MAX = PN_WINOGRAD_KERNEL_MAX, ALPHA_MAX = 8 };

/* The finite points by half of alpha; infinity is the last. */
static const double finite[3][ALPHA_MAX - 1] = {{0, 1, -1}, {0, A, -A, B, -B}, {0, 0.5, -0.5, 1, -1, 2, -2}};

int pn_winograd_has(int64_t size, int64_t kernel) {
  return size >= 2 && size % 2 == 0 && (kernel == 3 || kernel == 5) && size + kernel - 1 <= ALPHA_MAX;
}

double pn_winograd_error(int64_t size, int64_t kernel, int64_t channels) {
  static const double scale[3] = {0.4e-7, 1.5e-7, 9e-7}; /* by half of alpha */
  return scale[(size + kernel - 1) / 2 - 2] * sqrt((double)channels);
}

/* The matrix that takes |kernel| taps to alpha points: a point's powers, over the product of its distances from the
   other finite ones. That product's sign at 0 lies in the transform of the pixels. */
static void matrix(int64_t size, int64_t kernel, double g[ALPHA_MAX][KERNEL_MAX]) {
  int64_t alpha = size + kernel - 1;
  const double *points = finite[alpha / 2 - 2];
  for (int64_t i = 0; i < alpha; i++) {
    if (i == alpha - 1) {
      for (int64_t x = 0; x < kernel; x++) g[i][x] = x == kernel - 1;
      break;
    }
    double value = 1;
    for (int64_t j = 1; j < alpha - 1 && i > 0; j++) value /= i == j ? points[i] : points[i] - points[j];
    for (int64_t x = 0; x < kernel; x++, value *= points[i]) g[i][x] = value;
  }
}

void pn_winograd_filters(int64_t size, int64_t kernel, const float *filters, int64_t pitch, int64_t count,
                         double *points) {
  int64_t alpha = size + kernel - 1;
  double g[ALPHA_MAX][KERNEL_MAX], f[KERNEL_MAX * KERNEL_MAX][LANES] = {{0}};
  matrix(size, kernel, g);
  for (int64_t n = 0; n < count; n++)
    for (int64_t x = 0; x < kernel * kernel; x++) f[x][n] = (double)filters[n * pitch + x];
  for (int64_t i = 0; i < alpha; i++) {
    double row[KERNEL_MAX][LANES] = {{0}};
    for (int64_t y = 0; y < kernel; y++)
      for (int64_t x = 0; x < kernel; x++)
        for (int n = 0; n < LANES; n++) row[x][n] += g[i][y] * f[y * kernel + x][n];
    for (int64_t j = 0; j < alpha; j++, points += LANES)
      for (int n = 0; n < LANES; n++) {
        double sum = 0;
        for (int64_t x = 0; x < kernel; x++) sum += g[j][x] * row[x][n];
        points[n] = sum;
      }
  }
}
