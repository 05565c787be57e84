/* dwconv_f32, dotconv_f32 and pool_f32 against plain double loops: window sizes, strides, dilations, channel and pixel remainders.
   */
#include "operands.h"

typedef struct windows {
  size_t rows, columns, width, channels;
  ptrdiff_t dilation, stride, c, row_pitch, out_stride;
  operand in, out;
  const float *row_pointers[8];
  pn_cpu_window_f32 window;
} windows;

static windows windows_make(size_t rows, size_t columns, ptrdiff_t stride, ptrdiff_t dilation) {
  windows w = {.rows = rows, .columns = columns, .dilation = dilation, .stride = stride};
  w.width = random_size(0, 3) ? random_size(1, 11) : 1;
  w.channels = random_size(0, 3) ? random_size(1, 70) : 16 * random_size(1, 4);
  w.c = (ptrdiff_t)(w.channels + random_size(0, 3));
  const size_t pixels = (w.width - 1) * (size_t)stride + (columns - 1) * (size_t)dilation + 1;
  w.row_pitch = (ptrdiff_t)pixels * w.c + (ptrdiff_t)random_size(0, 7);
  w.in = operand_make((rows - 1) * (size_t)w.row_pitch + (pixels - 1) * (size_t)w.c + w.channels, -1, 1);
  w.out_stride = w.c;
  w.out = operand_make((w.width - 1) * (size_t)w.out_stride + w.channels, 7, 7);
  return w;
}
/* After the caller's copy has its final place. */
static const pn_cpu_window_f32 *window_of(windows *w) {
  for (size_t i = 0; i < w->rows; i++) w->row_pointers[i] = w->in.data + (ptrdiff_t)i * w->row_pitch;
  w->window = (pn_cpu_window_f32){.rows = w->row_pointers, .row_count = w->rows, .column_count = w->columns,
                                  .column_stride = w->dilation * w->c, .pixel_stride = w->stride * w->c,
                                  .out = w->out.data, .out_stride = w->out_stride, .width = w->width,
                                  .channels = w->channels};
  return &w->window;
}
static float input_at(const windows *w, size_t x, size_t i, size_t j, size_t c) {
  return w->in.data[(ptrdiff_t)i * w->row_pitch + ((ptrdiff_t)x * w->stride + (ptrdiff_t)j * w->dilation) * w->c +
                    (ptrdiff_t)c];
}
static void windows_free(windows *w) { operand_free(w->in), operand_free(w->out); }

static void random_window(size_t *rows, size_t *columns, ptrdiff_t *stride, ptrdiff_t *dilation) {
  static const size_t common[] = {3, 5};
  const bool special = random_size(0, 2) > 0, cut = random_size(0, 2) == 0; /* cut: at the ends of a picture */
  *rows = special ? common[random_size(0, 1)] : random_size(1, 7);
  *columns = special ? *rows : random_size(1, 7);
  if (special && cut) *rows -= 1;
  if (special && cut && random_size(0, 1)) *columns -= 1;
  *stride = (ptrdiff_t)random_size(1, special ? 2 : 3);
  *dilation = special ? 1 : (ptrdiff_t)random_size(1, 2);
}

TEST(depthwise) {
  random_seed();
  FOR_EACH_ROW(kernels, dwconv_f32) {
    for (int round = 0; round < 2000; round++) {
      size_t rows, columns;
      ptrdiff_t stride, dilation;
      random_window(&rows, &columns, &stride, &dilation);
      windows w = windows_make(rows, columns, stride, dilation);
      const size_t row_stride = columns * (size_t)w.c;
      operand weights = operand_make((rows - 1) * row_stride + (columns - 1) * (size_t)w.c + w.channels, -1, 1);
      operand bias = operand_make(w.channels, -1, 1);
      const bool clamp = random_size(0, 1), with_bias = random_size(0, 1);
      if (random_size(0, 3) == 0) w.in.data[0] = NAN;
      pn_cpu_dwconv_f32_run run = {.window = *window_of(&w), .weights = weights.data,
                                   .weight_row_stride = (ptrdiff_t)row_stride, .weight_column_stride = w.c,
                                   .bias = with_bias ? bias.data : NULL, .lo = clamp ? 0 : -INFINITY,
                                   .hi = clamp ? 0.75f : INFINITY};
      kernels->dwconv_f32->run(&run);
      size_t wrong = 0;
      for (size_t x = 0; x < w.width; x++) {
        /* Between the pixels nothing is written; behind the last one is the guard. */
        for (size_t c = w.channels; x + 1 < w.width && c < (size_t)w.out_stride; c++)
          wrong += w.out.data[x * (size_t)w.out_stride + c] != 7;
        for (size_t c = 0; c < w.channels; c++) {
          const size_t at = x * (size_t)w.out_stride + c;
          double want = with_bias ? (double)bias.data[c] : 0;
          for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++)
              want += (double)input_at(&w, x, i, j, c) * (double)weights.data[i * row_stride + j * (size_t)w.c + c];
          if (clamp && want < 0) want = 0;
          if (clamp && want > 0.75) want = 0.75;
          wrong += !same(w.out.data[at], want, 2e-6 * (double)(rows * columns + 1));
        }
      }
      if (wrong)
        printf("  %s %zux%zu stride %td dilation %td width %zu channels %zu\n", kernels->name, rows, columns, stride,
               dilation, w.width, w.channels);
      EXPECT_EQ(wrong, 0);
      operand_free(weights), operand_free(bias);
      windows_free(&w);
    }
  }
}

TEST(dot_products) {
  random_seed();
  FOR_EACH_ROW(kernels, dotconv_f32) {
    for (int round = 0; round < 2000; round++) {
      const size_t rows = random_size(0, 5), k = random_size(1, 70), width = random_size(1, 40);
      const size_t outputs = random_size(1, PN_CPU_DOTCONV_OUTPUTS), stride = random_size(1, 40);
      const size_t run_floats = (width - 1) * stride + k, weight_stride = k + random_size(0, 3);
      operand in[5], out = operand_make(width * outputs, 7, 7), bias = operand_make(outputs, -1, 1);
      operand weights = operand_make((5 * outputs - 1) * weight_stride + k, -1, 1);
      const float *starts[5];
      for (size_t i = 0; i < 5; i++) starts[i] = (in[i] = operand_make(run_floats, -1, 1)).data;
      if (random_size(0, 3) == 0) in[0].data[random_size(0, run_floats - 1)] = NAN;
      const bool clamp = random_size(0, 1);
      const pn_cpu_dotconv_f32_run run = {
          .rows = starts, .row_count = rows, .k = k, .pixel_stride = (ptrdiff_t)stride, .weights = weights.data,
          .weight_row_stride = (ptrdiff_t)(outputs * weight_stride), .weight_output_stride = (ptrdiff_t)weight_stride,
          .bias = bias.data, .lo = clamp ? 0 : -INFINITY, .hi = clamp ? 0.75f : INFINITY, .out = out.data,
          .width = width, .output_count = outputs};
      kernels->dotconv_f32->run(&run);
      size_t wrong = 0;
      for (size_t x = 0; x < width; x++) {
        for (size_t o = 0; o < outputs; o++) {
          double want = (double)bias.data[o];
          for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < k; j++)
              want += (double)in[i].data[x * stride + j] * (double)weights.data[(i * outputs + o) * weight_stride + j];
          if (clamp && want < 0) want = 0;
          if (clamp && want > 0.75) want = 0.75;
          wrong += !same(out.data[x * outputs + o], want, 1e-6 * (double)(rows * k + 1));
        }
      }
      if (wrong)
        printf("  %s rows %zu k %zu width %zu outputs %zu stride %zu\n", kernels->name, rows, k, width, outputs, stride);
      EXPECT_EQ(wrong, 0);
      for (size_t i = 0; i < 5; i++) operand_free(in[i]);
      operand_free(out), operand_free(bias), operand_free(weights);
    }
  }
}

TEST(pooling) {
  random_seed();
  FOR_EACH_ROW(kernels, pool_f32) {
    for (int round = 0; round < 2000; round++) {
      size_t rows, columns;
      ptrdiff_t stride, dilation;
      random_window(&rows, &columns, &stride, &dilation);
      windows w = windows_make(rows, columns, stride, dilation);
      const pn_cpu_window_f32 *window = window_of(&w);
      if (random_size(0, 3) == 0) w.in.data[random_size(0, w.channels - 1)] = NAN;
      if (random_size(0, 3) == 0) w.in.data[random_size(0, w.channels - 1)] = -INFINITY;
      const float scale = 1.0f / (float)(rows * columns);
      for (int average = 0; average < 2; average++) {
        if (average)
          kernels->pool_f32->average(window, scale);
        else
          kernels->pool_f32->max(window);
        size_t wrong = 0;
        for (size_t x = 0; x < w.width; x++) {
          for (size_t c = 0; c < w.channels; c++) {
            double sum = 0, max = -INFINITY;
            for (size_t i = 0; i < rows; i++) {
              for (size_t j = 0; j < columns; j++) {
                const double v = (double)input_at(&w, x, i, j, c);
                sum += v;
                if (isnan(v) || v > max) max = v;
                if (isnan(max)) j = columns, i = rows - 1;
              }
            }
            if (isnan(max)) sum = (double)NAN;
            wrong += !same(w.out.data[x * (size_t)w.out_stride + c], average ? sum * (double)scale : max,
                           average ? 4e-6 : 0);
          }
        }
        if (wrong) printf("  %s average %d %zux%zu\n", kernels->name, average, rows, columns);
        EXPECT_EQ(wrong, 0);
      }
      windows_free(&w);
    }
  }
}

TEST(sums_over_pixels) {
  random_seed();
  FOR_EACH_ROW(kernels, pool_f32) {
    for (int round = 0; round < 200; round++) {
      const size_t channels = random_size(1, 150), stride = channels + random_size(0, 3), pixels = random_size(1, 300);
      operand from = operand_make((pixels - 1) * stride + channels, 0, 1), out = operand_make(channels, 7, 7);
      kernels->pool_f32->sum_pixels(from.data, (ptrdiff_t)stride, pixels, channels, 0.5f, out.data);
      size_t wrong = 0;
      for (size_t c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t p = 0; p < pixels; p++) sum += (double)from.data[p * stride + c];
        wrong += !same(out.data[c], sum * 0.5, sum * 1e-6);
      }
      EXPECT_EQ(wrong, 0);
      operand_free(from), operand_free(out);
    }
  }
}

TEST_MAIN(T(depthwise), T(dot_products), T(pooling), T(sums_over_pixels))
