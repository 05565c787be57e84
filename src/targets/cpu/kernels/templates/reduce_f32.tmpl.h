/* reduce_f32: sums and extremes of a run, and the row operations that are made of them.

   A sum runs in four vectors, which hides the latency of an addition, over blocks of 4,096 floats that are added in
   double: its error does not grow with the length of the row. Extremes let NaN through. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"
#include "targets/cpu/simd/math.h"

#include <stdbool.h>

/* Folds |n| floats at |x|: |init| in each lane, |map| of an element, |join| of two partial results. */
#define FOLD(init, map, join, result)                                                                    \
  do {                                                                                                   \
    const vf init_ = (init);                                                                             \
    vf a0 = init_, a1 = init_, a2 = init_, a3 = init_;                                                   \
    size_t i = 0;                                                                                        \
    for (; i + 4 * VL <= n; i += 4 * VL) {                                                               \
      a0 = join(a0, map(vf_load(x + i)));                                                                \
      a1 = join(a1, map(vf_load(x + i + VL)));                                                           \
      a2 = join(a2, map(vf_load(x + i + 2 * VL)));                                                       \
      a3 = join(a3, map(vf_load(x + i + 3 * VL)));                                                       \
    }                                                                                                    \
    for (; i + VL <= n; i += VL) a0 = join(a0, map(vf_load(x + i)));                                     \
    if (i < n) {                                                                                         \
      const vhead head_ = vf_head(n - i);                                                                \
      a1 = join(a1, vf_keep_head(head_, map(vf_load_head(x + i, head_)), init_));                        \
    }                                                                                                    \
    result = join(join(a0, a1), join(a2, a3));                                                           \
  } while (0)
#define SAME(v) (v)
#define SQUARE(v) vf_mul(v, v)
#define INFINITE __builtin_inff()

enum { BLOCK = 4096 };

static float block_sum(size_t n, const float *x) {
  vf all;
  FOLD(vf_zero(), SAME, vf_add, all);
  return vf_sum_lanes(all);
}
static float block_squares(size_t n, const float *x, float centre) {
  const vf mean = vf_set1(centre);
  vf all;
#define CENTRED_SQUARE(v) SQUARE(vf_sub(v, mean))
  FOLD(vf_zero(), CENTRED_SQUARE, vf_add, all);
  return vf_sum_lanes(all);
}
static float block_dot(size_t n, const float *x, const float *y) {
  vf a0 = vf_zero(), a1 = a0, a2 = a0, a3 = a0;
  size_t i = 0;
  for (; i + 4 * VL <= n; i += 4 * VL) {
    a0 = vf_fma(vf_load(x + i), vf_load(y + i), a0);
    a1 = vf_fma(vf_load(x + i + VL), vf_load(y + i + VL), a1);
    a2 = vf_fma(vf_load(x + i + 2 * VL), vf_load(y + i + 2 * VL), a2);
    a3 = vf_fma(vf_load(x + i + 3 * VL), vf_load(y + i + 3 * VL), a3);
  }
  for (; i + VL <= n; i += VL) a0 = vf_fma(vf_load(x + i), vf_load(y + i), a0);
  const vhead head = vf_head(n - i);
  if (i < n) a1 = vf_fma(vf_load_head(x + i, head), vf_load_head(y + i, head), a1);
  return vf_sum_lanes(vf_add(vf_add(a0, a1), vf_add(a2, a3)));
}

PN_INLINE size_t block_at(size_t n, size_t i) { return n - i < BLOCK ? n - i : BLOCK; }

static double whole_sum(size_t n, const float *x) {
  double total = 0;
  for (size_t i = 0; i < n; i += BLOCK) total += (double)block_sum(block_at(n, i), x + i);
  return total;
}
static double whole_squares(size_t n, const float *x, float centre) {
  double total = 0;
  for (size_t i = 0; i < n; i += BLOCK) total += (double)block_squares(block_at(n, i), x + i, centre);
  return total;
}
static float sum(size_t n, const float *x) { return (float)whole_sum(n, x); }
static float sum_squares(size_t n, const float *x) { return (float)whole_squares(n, x, 0.0f); }
static float dot(size_t n, const float *x, const float *y) {
  double total = 0;
  for (size_t i = 0; i < n; i += BLOCK) total += (double)block_dot(block_at(n, i), x + i, y + i);
  return (float)total;
}

/* The extreme of the lanes of one vector would lose a NaN. */
PN_INLINE bool any_nan(vf v) {
  return vf_max_lanes(vf_select(vf_ne(v, v), vf_set1(1.0f), vf_zero())) > 0;
}
static float max(size_t n, const float *x) {
  vf all;
  FOLD(vf_set1(-INFINITE), SAME, vf_max_nan, all);
  return any_nan(all) ? __builtin_nanf("") : vf_max_lanes(all);
}
static float min(size_t n, const float *x) {
  vf all;
  FOLD(vf_set1(INFINITE), SAME, vf_min_nan, all);
  return any_nan(all) ? __builtin_nanf("") : vf_min_lanes(all);
}

#define EACH_ROW(name)                                                                                     \
  static void name##_rows(size_t rows, ptrdiff_t stride, size_t n, const float *x, float *y) {             \
    for (size_t r = 0; r < rows; r++, x += stride) y[r] = name(n, x);                                      \
  }
EACH_ROW(sum)
EACH_ROW(max)
EACH_ROW(min)

/* y = exp(x - shift), and the sum of it. */
PN_INLINE float exp_and_sum(size_t n, const float *x, vf shift, float *y) {
  vf a0 = vf_zero(), a1 = a0;
  size_t i = 0;
  for (; i + 2 * VL <= n; i += 2 * VL) {
    const vf e0 = vf_exp(vf_sub(vf_load(x + i), shift)), e1 = vf_exp(vf_sub(vf_load(x + i + VL), shift));
    vf_store(y + i, e0);
    vf_store(y + i + VL, e1);
    a0 = vf_add(a0, e0);
    a1 = vf_add(a1, e1);
  }
  for (; i < n; i += VL) {
    const vhead head = vf_head(n - i < VL ? n - i : VL);
    const vf e = vf_exp(vf_sub(vf_load_head(x + i, head), shift));
    vf_store_head(y + i, head, e);
    a0 = vf_add(a0, vf_keep_head(head, e, vf_zero()));
  }
  return vf_sum_lanes(vf_add(a0, a1));
}

static float exp_sum(size_t n, const float *x, float shift, float *y) { return exp_and_sum(n, x, vf_set1(shift), y); }

static void softmax(size_t n, const float *x, float *y) {
  const float total = exp_and_sum(n, x, vf_set1(max(n, x)), y);
  const vf scale = vf_set1(1.0f / total);
  size_t i = 0;
  for (; i + VL <= n; i += VL) vf_store(y + i, vf_mul(vf_load(y + i), scale));
  const vhead head = vf_head(n - i);
  if (i < n) vf_store_head(y + i, head, vf_mul(vf_load_head(y + i, head), scale));
}

/* exp(x - shift) is summed, not kept. */
static void log_softmax(size_t n, const float *x, float *y) {
  const vf shift = vf_set1(max(n, x));
  vf all;
#define EXP_OF(v) vf_exp(vf_sub(v, shift))
  FOLD(vf_zero(), EXP_OF, vf_add, all);
  const vf log_total = vf_log(vf_set1(vf_sum_lanes(all)));
  size_t i = 0;
  for (; i + VL <= n; i += VL) vf_store(y + i, vf_sub(vf_sub(vf_load(x + i), shift), log_total));
  const vhead head = vf_head(n - i);
  if (i < n) vf_store_head(y + i, head, vf_sub(vf_sub(vf_load_head(x + i, head), shift), log_total));
}

/* y = (x - shift) * scale [* gain] [+ bias] */
PN_INLINE void affine(size_t n, const float *x, vf shift, vf scale, const float *gain, const float *bias, float *y) {
  size_t i = 0;
  for (; i + VL <= n; i += VL) {
    vf v = vf_mul(vf_sub(vf_load(x + i), shift), scale);
    if (gain) v = vf_mul(v, vf_load(gain + i));
    if (bias) v = vf_add(v, vf_load(bias + i));
    vf_store(y + i, v);
  }
  if (i == n) return;
  const vhead head = vf_head(n - i);
  vf v = vf_mul(vf_sub(vf_load_head(x + i, head), shift), scale);
  if (gain) v = vf_mul(v, vf_load_head(gain + i, head));
  if (bias) v = vf_add(v, vf_load_head(bias + i, head));
  vf_store_head(y + i, head, v);
}

static void normalize(size_t n, const float *x, const float *gain, const float *bias, float epsilon, float *y,
                      float *mean_out, float *inverse_deviation_out) {
  const float mean = (float)(whole_sum(n, x) / (double)n);
  const vf variance = vf_set1((float)(whole_squares(n, x, mean) / (double)n) + epsilon);
  const vf scale = vf_div(vf_set1(1.0f), vf_sqrt(variance));
  if (mean_out) *mean_out = mean;
  if (inverse_deviation_out) vf_store_head(inverse_deviation_out, vf_head(1), scale);
  affine(n, x, vf_set1(mean), scale, gain, bias, y);
}

static void rms_normalize(size_t n, const float *x, const float *gain, float epsilon, float *y) {
  const vf variance = vf_set1((float)(whole_squares(n, x, 0.0f) / (double)n) + epsilon);
  affine(n, x, vf_zero(), vf_div(vf_set1(1.0f), vf_sqrt(variance)), gain, NULL, y);
}

static const pn_cpu_reduce_f32 table = {
    .sum = sum, .sum_squares = sum_squares, .max = max, .min = min, .sum_rows = sum_rows, .max_rows = max_rows,
    .min_rows = min_rows, .dot = dot, .exp_sum = exp_sum,
    .softmax = softmax,
    .log_softmax = log_softmax, .normalize = normalize, .rms_normalize = rms_normalize};
