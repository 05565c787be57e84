/* winograd_f32 against the convolutions it stands for, in double: filters to points, pixels to points, their product a
   channel, and back; tiles cut at the right and the bottom, channel remainders, residual and clamp. */
#include "operands.h"
#include "targets/cpu/convolution/winograd.h"

enum { ALPHA_MAX = 8 };

typedef struct tile {
  size_t m, r, alpha, channels, rows, columns;
  ptrdiff_t plane, pixel_stride, row_stride;
  bool with_residual, with_slope;
  float lo, hi;
  operand pixels[ALPHA_MAX * ALPHA_MAX], filter, points, bias, residual, slope, out;
} tile;

static tile tile_make(size_t m, size_t r) {
  tile t = {.m = m, .r = r, .alpha = m + r - 1, .lo = -INFINITY, .hi = INFINITY};
  t.channels = random_size(0, 3) ? random_size(1, 70) : 16 * random_size(1, 4);
  t.rows = random_size(1, m);
  t.columns = random_size(1, m);
  t.plane = (ptrdiff_t)(t.channels + random_size(0, 5));
  t.pixel_stride = (ptrdiff_t)(t.channels + random_size(0, 3));
  t.row_stride = (ptrdiff_t)t.columns * t.pixel_stride + (ptrdiff_t)random_size(0, 9);
  t.with_residual = random_size(0, 1);
  t.with_slope = random_size(0, 2) == 0;
  if (random_size(0, 1)) t.lo = -0.5f, t.hi = 0.75f;
  for (size_t i = 0; i < t.alpha * t.alpha; i++) t.pixels[i] = operand_make(t.channels, -1, 1);
  const size_t out = (t.rows - 1) * (size_t)t.row_stride + (t.columns - 1) * (size_t)t.pixel_stride + t.channels;
  t.filter = operand_make(r * r * t.channels, -1, 1);
  t.points = operand_make((t.alpha * t.alpha - 1) * (size_t)t.plane + t.channels, 7, 7);
  t.bias = operand_make(t.channels, -1, 1);
  t.residual = operand_make(out, -1, 1);
  t.slope = operand_make(t.channels, -1, 1);
  t.out = operand_make(out, 7, 7);
  return t;
}

static void tile_free(const tile *t) {
  for (size_t i = 0; i < t->alpha * t->alpha; i++) operand_free(t->pixels[i]);
  operand_free(t->filter), operand_free(t->points), operand_free(t->bias), operand_free(t->residual);
  operand_free(t->slope), operand_free(t->out);
}

static void convolve(const pn_cpu_winograd_f32 *kernels, const tile *t) {
  const float *pixels[ALPHA_MAX * ALPHA_MAX];
  double weights[PN_WINOGRAD_POINTS_MAX * PN_WINOGRAD_LANES];
  for (size_t i = 0; i < t->alpha * t->alpha; i++) pixels[i] = t->pixels[i].data;
  pn_cpu_winograd_f32_input in = {
      .pixels = pixels, .channels = t->channels, .to = t->points.data, .plane_stride = t->plane};
  kernels->input[t->alpha / 2 - 2](&in);
  for (size_t c = 0; c < t->channels; c++) {
    pn_winograd_filters((int64_t)t->m, (int64_t)t->r, t->filter.data + t->r * t->r * c, 0, 1, weights);
    for (size_t i = 0; i < t->alpha * t->alpha; i++)
      t->points.data[i * (size_t)t->plane + c] *= (float)weights[i * PN_WINOGRAD_LANES];
  }
  pn_cpu_winograd_f32_output out = {.from = t->points.data,
                                    .plane_stride = t->plane,
                                    .bias = t->bias.data,
                                    .residual = t->with_residual ? t->residual.data : NULL,
                                    .slope = t->with_slope ? t->slope.data : NULL,
                                    .out = t->out.data,
                                    .row_stride = t->row_stride,
                                    .pixel_stride = t->pixel_stride,
                                    .rows = t->rows,
                                    .columns = t->columns,
                                    .channels = t->channels,
                                    .lo = t->lo,
                                    .hi = t->hi};
  kernels->output[t->alpha / 2 - 2][t->m / 2 - 1](&out);
}

static double expected(const tile *t, size_t y, size_t x, size_t c, size_t at) {
  double sum = (double)t->bias.data[c] + (t->with_residual ? (double)t->residual.data[at] : 0);
  const float *filter = t->filter.data + t->r * t->r * c;
  for (size_t i = 0; i < t->r; i++)
    for (size_t j = 0; j < t->r; j++)
      sum += (double)t->pixels[(y + i) * t->alpha + x + j].data[c] * (double)filter[t->r * i + j];
  if (t->with_slope && sum < 0) sum *= (double)t->slope.data[c];
  return sum < (double)t->lo ? (double)t->lo : sum > (double)t->hi ? (double)t->hi : sum;
}

/* Elements of the tile that are wrong, or were written between pixels and rows. */
static size_t count_wrong(const tile *t, double tolerance) {
  size_t wrong = 0,
         size = (t->rows - 1) * (size_t)t->row_stride + (t->columns - 1) * (size_t)t->pixel_stride + t->channels;
  for (size_t at = 0; at < size; at++) {
    const size_t y = at / (size_t)t->row_stride, left = at % (size_t)t->row_stride;
    const size_t x = left / (size_t)t->pixel_stride, c = left % (size_t)t->pixel_stride;
    if (x < t->columns && c < t->channels)
      wrong += !same(t->out.data[at], expected(t, y, x, c, at), tolerance);
    else
      wrong += t->out.data[at] != 7;
  }
  for (size_t i = 0; i + 1 < t->alpha * t->alpha; i++)
    for (size_t c = t->channels; c < (size_t)t->plane; c++) wrong += t->points.data[i * (size_t)t->plane + c] != 7;
  return wrong;
}

static void check(size_t m, size_t r) {
  const double tolerance = m + r > 7 ? 1e-4 : 1e-5; /* of sums of 25 products of at most 1 */
  EXPECT_EQ(pn_winograd_has((int64_t)m, (int64_t)r), 1);
  random_seed();
  FOR_EACH_ROW(kernels, winograd_f32) {
    for (int round = 0; round < 500; round++) {
      tile t = tile_make(m, r);
      convolve(kernels->winograd_f32, &t);
      const size_t wrong = count_wrong(&t, tolerance);
      if (wrong)
        printf("  %s m %zu r %zu channels %zu, %zu x %zu outputs\n", kernels->name, m, r, t.channels, t.rows, t.columns);
      EXPECT_EQ(wrong, 0);
      tile_free(&t);
    }
  }
}

TEST(two_by_two) { check(2, 3); }
TEST(four_by_four) { check(4, 3); }
TEST(six_by_six) { check(6, 3); }
TEST(two_by_two_of_five) { check(2, 5); }
TEST(four_by_four_of_five) { check(4, 5); }

TEST_MAIN(T(two_by_two), T(four_by_four), T(six_by_six), T(two_by_two_of_five), T(four_by_four_of_five))
