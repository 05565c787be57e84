#include "targets/cpu/winograd.h"

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

void pn_winograd_filter(int64_t size, const float *filter, double *points) {
  const double(*g)[3] = size == 2 ? filter_2 : filter_4;
  int64_t alpha = size + 2;
  for (int64_t i = 0; i < alpha; i++) {
    double row[3];
    for (int x = 0; x < 3; x++)
      row[x] = g[i][0] * (double)filter[x] + g[i][1] * (double)filter[3 + x] + g[i][2] * (double)filter[6 + x];
    for (int64_t j = 0; j < alpha; j++) points[i * alpha + j] = g[j][0] * row[0] + g[j][1] * row[1] + g[j][2] * row[2];
  }
}
