#include "targets/cpu/convolution/winograd.h"

#define A  PN_WINOGRAD_A
#define B  PN_WINOGRAD_B
#define AA (A * A)
#define BB (B * B)
/* The weight of a point p: the inverse of the product of its distances from the other finite points. */
#define WA (1 / (2 * AA * (AA - BB)))
#define WB (1 / (2 * BB * (BB - AA)))

static const double filter_2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
static const double filter_4[6][3] = {{1 / (AA * BB), 0, 0}, {WA, WA *A, WA *AA},  {WA, -WA *A, WA *AA},
                                      {WB, WB *B, WB *BB},   {WB, -WB *B, WB *BB}, {0, 0, 1}};

void pn_winograd_filters(int64_t size, const float *filters, int64_t pitch, int64_t count, double *points) {
  enum { LANES = PN_WINOGRAD_LANES };
  const double(*g)[3] = size == 2 ? filter_2 : filter_4;
  int64_t alpha = size + 2;
  double f[9][LANES] = {{0}}, row[3][LANES];
  for (int64_t n = 0; n < count; n++)
    for (int x = 0; x < 9; x++) f[x][n] = (double)filters[n * pitch + x];
  for (int64_t i = 0; i < alpha; i++) {
    for (int x = 0; x < 3; x++)
      for (int n = 0; n < LANES; n++) row[x][n] = g[i][0] * f[x][n] + g[i][1] * f[3 + x][n] + g[i][2] * f[6 + x][n];
    for (int64_t j = 0; j < alpha; j++, points += LANES)
      for (int n = 0; n < LANES; n++) points[n] = g[j][0] * row[0][n] + g[j][1] * row[1][n] + g[j][2] * row[2][n];
  }
}
