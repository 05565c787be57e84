/* sample_f32 against plain double loops: planes, rows and tables that end before a page that faults, remainders of
   every length, places outside and no numbers. */
#include "operands.h"
#include "targets/cpu/resize_row.h"

static int32_t *indices(operand o) { return (int32_t *)(void *)o.data; }

TEST(shares) {
  random_seed();
  FOR_EACH_ROW(kernels, sample_f32) {
    for (int round = 0; round < 1000; round++) {
      const size_t n = random_size(1, 70), taps = random_size(1, 9), plane = random_size(1, 200);
      const size_t pitch = pn_align_up(n, PN_CPU_SAMPLE_LANES);
      operand x = operand_make(plane, -1, 1), y = operand_make(n, 0.25f, 0.25f);
      operand weight = operand_make(taps * pitch, -1, 1), index = operand_make(taps * pitch, 0, 0);
      if (random_size(0, 3) == 0) x.data[random_size(0, plane - 1)] = NAN;
      for (size_t i = 0; i < taps * pitch; i++)
        indices(index)[i] = i % pitch >= n || random_size(0, 4) == 0 ? -1 : (int32_t)random_size(0, plane - 1);
      const pn_cpu_sample_table table = {n, taps, pitch, indices(index), weight.data};
      const int add = (int)random_size(0, 1), greatest = (int)random_size(0, 1);
      (greatest ? kernels->sample_f32->greatest : kernels->sample_f32->sum)(&table, x.data, add, y.data);
      size_t wrong = 0;
      for (size_t i = 0; i < n; i++) {
        double want = add ? 0.25 : greatest ? -INFINITY : 0;
        for (size_t t = 0; t < taps; t++) {
          const int32_t at = indices(index)[t * pitch + i];
          const double v = (double)weight.data[t * pitch + i] * (at < 0 ? 0 : (double)x.data[at]);
          want = !greatest ? want + v : v > want || isnan(v) ? v : want;
        }
        wrong += !same(y.data[i], want, 1e-5);
      }
      if (wrong) printf("  %s n %zu taps %zu add %d greatest %d\n", kernels->name, n, taps, add, greatest);
      EXPECT_EQ(wrong, 0);
      operand_free(x), operand_free(y), operand_free(weight), operand_free(index);
    }
  }
}

/* What stands at |at| of an axis, read by definition: the weight of element |element|. */
static double axis_weight(double at, double extent, bool border, bool nearest, double element) {
  if (nearest) at = rint(at);
  at = fmin(fmax(at, -3), extent + 2);
  const double low = floor(at);
  double weight = 0;
  for (int t = 0; t < (nearest ? 1 : 2); t++) {
    const double place = border ? fmin(fmax(low + t, 0), extent - 1) : low + t, share = t ? at - low : 1 - (at - low);
    if (place == element) weight += nearest ? 1 : share;
  }
  return weight;
}

TEST(places) {
  random_seed();
  FOR_EACH_ROW(kernels, sample_f32) {
    for (int round = 0; round < 500; round++) {
      const size_t n = random_size(1, 40), axes = random_size(1, PN_CPU_SAMPLE_AXES);
      const size_t pitch = pn_align_up(n, PN_CPU_SAMPLE_LANES);
      const bool border = random_size(0, 1), nearest = random_size(0, 1);
      size_t extents[PN_CPU_SAMPLE_AXES], plane = 1;
      operand at[PN_CPU_SAMPLE_AXES], y = operand_make(n, 7, 7);
      operand index = operand_make(8 * pitch, 0, 0), weight = operand_make(8 * pitch, 0, 0);
      pn_cpu_sample_axis axis[PN_CPU_SAMPLE_AXES];
      for (size_t k = axes; k-- > 0;) {
        extents[k] = random_size(1, 6);
        at[k] = operand_make(pitch, -4, 9);
        if (random_size(0, 2) == 0) at[k].data[random_size(0, n - 1)] = NAN;
        if (random_size(0, 2) == 0) at[k].data[random_size(0, n - 1)] = random_size(0, 1) ? INFINITY : -1e30f;
        axis[k] = (pn_cpu_sample_axis){at[k].data, (float)extents[k], (float)plane};
        plane *= extents[k];
      }
      operand x = operand_make(plane, -1, 1);
      kernels->sample_f32->place(n, axes, axis, border, nearest, pitch, indices(index), weight.data);
      const pn_cpu_sample_table table = {n, nearest ? 1 : (size_t)1 << axes, pitch, indices(index), weight.data};
      kernels->sample_f32->sum(&table, x.data, 0, y.data);
      size_t wrong = 0;
      for (size_t i = 0; i < n; i++) {
        double want = 0;
        bool number = true;
        for (size_t k = 0; k < axes; k++) number = number && !isnan(at[k].data[i]);
        for (size_t e = 0; e < plane; e++) {
          double share = 1;
          size_t rest = e;
          for (size_t k = axes; k-- > 0; rest /= extents[k])
            share *= axis_weight((double)at[k].data[i], (double)extents[k], border, nearest, (double)(rest % extents[k]));
          want += share * (double)x.data[e];
        }
        /* No number gives no number, unless another axis leaves nothing to read. */
        wrong += number ? !same(y.data[i], want, 1e-5) : !isnan(y.data[i]) && (double)y.data[i] != 0;
      }
      if (wrong) printf("  %s n %zu axes %zu border %d nearest %d\n", kernels->name, n, axes, border, nearest);
      EXPECT_EQ(wrong, 0);
      for (size_t k = 0; k < axes; k++) operand_free(at[k]);
      operand_free(x), operand_free(y), operand_free(index), operand_free(weight);
    }
  }
}

TEST(rows) {
  random_seed();
  FOR_EACH_ROW(kernels, sample_f32) {
    for (int round = 0; round < 1000; round++) {
      const size_t n = random_size(1, 100), taps = random_size(1, 5), extent = random_size(1, 90), count = 7;
      const size_t bytes = pn_cpu_resize_row_bytes((int64_t)n, (int64_t)taps);
      operand x = operand_make(extent * count, -1, 1), y = operand_make(n * count, 7, 7), table = operand_raw(bytes);
      operand weight = operand_make(n * taps, -1, 1);
      int64_t index[500], from[7];
      const double slope = (double)random_float(0.1f, 3); /* close by, or too far for one window */
      for (size_t i = 0; i < n * taps; i++) {
        const size_t at = (size_t)((double)(i / taps) / slope) + i % taps;
        index[i] = (int64_t)(at < extent ? at : extent - 1);
      }
      for (size_t k = 0; k < count; k++) from[k] = (int64_t)random_size(0, count - 1);
      from[4] = from[3] = from[2];
      const pn_cpu_resize_row row = pn_cpu_resize_row_make(kernels->sample_f32, (int64_t)n, (int64_t)extent,
                                                           (int64_t)taps, index, weight.data, table.data);
      const float *last = x.data + (count - 1) * extent;
      float *result = y.data + (count - 1) * n;
      size_t wrong = 0;
      kernels->sample_f32->resize_row(&row, last, result);
      for (size_t i = 0; i < n; i++) {
        double want = 0;
        for (size_t t = 0; t < taps; t++) want += (double)weight.data[i * taps + t] * (double)last[index[i * taps + t]];
        wrong += !same(result[i], want, 1e-5);
      }
      kernels->sample_f32->greatest_row(&row, last, result);
      for (size_t i = 0; i < n; i++) {
        float want = last[index[i * taps]];
        for (size_t t = 1; t < taps; t++) want = fmaxf(want, last[index[i * taps + t]]);
        wrong += result[i] != want;
      }
      kernels->sample_f32->resize_nearest(&row, x.data, from, count, y.data);
      for (size_t i = 0; i < n * count; i++)
        wrong += y.data[i] != x.data[(size_t)from[i / n] * extent + (size_t)index[i % n * taps]];
      if (wrong) printf("  %s n %zu taps %zu extent %zu slope %g\n", kernels->name, n, taps, extent, slope);
      EXPECT_EQ(wrong, 0);
      operand_free(x), operand_free(y), operand_free(table), operand_free(weight);
    }
  }
}

TEST(patterns) {
  random_seed();
  FOR_EACH_ROW(kernels, sample_f32) {
    for (size_t period = 1; period < 5; period++)
      for (size_t n = 0; n < 100; n++) {
        operand x = operand_make(n, -1, 1), y = operand_make(n, 7, 7);
        operand pattern = operand_make(period * PN_CPU_SAMPLE_LANES, -1, 1);
        for (size_t i = period; i < period * PN_CPU_SAMPLE_LANES; i++) pattern.data[i] = pattern.data[i - period];
        kernels->sample_f32->add_pattern(n, x.data, period, pattern.data, y.data);
        size_t wrong = 0;
        for (size_t i = 0; i < n; i++) wrong += y.data[i] != x.data[i] + pattern.data[i % period];
        EXPECT_EQ(wrong, 0);
        operand_free(x), operand_free(y), operand_free(pattern);
      }
  }
}

TEST_MAIN(T(shares), T(places), T(rows), T(patterns))
