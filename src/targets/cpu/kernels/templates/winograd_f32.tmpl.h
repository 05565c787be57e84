/* winograd_f32: the transforms of one tile, a vector of channels at a time.

   A transform of a square is one of its columns and then one of its rows; each is written out, because most of the
   matrices' entries are 0 or 1 and pairs of points +-p share their even and odd parts. The square between the two
   passes of 36 or 64 points is more than there are registers and lies on the stack, which L1 holds. */
#include "base/compiler.h"
#include "targets/cpu/kernels.h"
#include "targets/cpu/convolution/winograd.h"

#define POINT_A ((float)PN_WINOGRAD_A)
#define POINT_B ((float)PN_WINOGRAD_B)

/* Input pixels to points, in place: |v| is alpha values |step| apart. */
PN_INLINE void points_of_4(vf *v, int step) {
  const vf d0 = v[0], d1 = v[step], d2 = v[2 * step], d3 = v[3 * step];
  v[0] = vf_sub(d0, d2);
  v[step] = vf_add(d1, d2);
  v[2 * step] = vf_sub(d2, d1);
  v[3 * step] = vf_sub(d3, d1);
}

/* a^2 = 1/2, b^2 = 2, a^2 b^2 = 1, a^2 + b^2 = 5/2 */
PN_INLINE void points_of_6(vf *v, int step) {
  const vf d0 = v[0], d1 = v[step], d2 = v[2 * step], d3 = v[3 * step], d4 = v[4 * step], d5 = v[5 * step];
  const vf a = vf_set1(POINT_A), b = vf_set1(POINT_B), aa = vf_set1(0.5f), bb = vf_set1(2.0f), sum = vf_set1(2.5f);
  const vf even_a = vf_fnma(bb, d2, d4), odd_a = vf_mul(a, vf_fnma(bb, d1, d3));
  const vf even_b = vf_fnma(aa, d2, d4), odd_b = vf_mul(b, vf_fnma(aa, d1, d3));
  v[0] = vf_fnma(sum, d2, vf_add(d0, d4));
  v[step] = vf_add(even_a, odd_a);
  v[2 * step] = vf_sub(even_a, odd_a);
  v[3 * step] = vf_add(even_b, odd_b);
  v[4 * step] = vf_sub(even_b, odd_b);
  v[5 * step] = vf_fnma(sum, d3, vf_add(d1, d5));
}

/* Of each pair +-p: the sum and the product of the squares of the other two; of all three both are 21/4, their product
   is 1. */
PN_INLINE void points_of_8(vf *v, int step) {
  const vf d0 = v[0], d1 = v[step], d2 = v[2 * step], d3 = v[3 * step];
  const vf d4 = v[4 * step], d5 = v[5 * step], d6 = v[6 * step], d7 = v[7 * step];
  const vf all = vf_set1(5.25f), four = vf_set1(4.0f), quarter = vf_set1(0.25f);
  const vf five = vf_set1(5.0f), middle = vf_set1(4.25f), small = vf_set1(1.25f);
  const vf even_a = vf_fma(four, d2, vf_fnma(five, d4, d6)), odd_a = vf_fma(four, d1, vf_fnma(five, d3, d5));
  const vf even_b = vf_add(d2, vf_fnma(middle, d4, d6)), odd_b = vf_add(d1, vf_fnma(middle, d3, d5));
  const vf even_c = vf_fma(quarter, d2, vf_fnma(small, d4, d6)), odd_c = vf_fma(quarter, d1, vf_fnma(small, d3, d5));
  const vf half = vf_set1(0.5f), two = vf_set1(2.0f);
  v[0] = vf_fma(all, vf_sub(d4, d2), vf_sub(d0, d6));
  v[step] = vf_fma(half, odd_a, even_a);
  v[2 * step] = vf_fnma(half, odd_a, even_a);
  v[3 * step] = vf_add(even_b, odd_b);
  v[4 * step] = vf_sub(even_b, odd_b);
  v[5 * step] = vf_fma(two, odd_c, even_c);
  v[6 * step] = vf_fnma(two, odd_c, even_c);
  v[7 * step] = vf_fma(all, vf_sub(d3, d5), vf_sub(d7, d1));
}

PN_INLINE void points_of_input(vf *v, int step, int alpha) {
  if (alpha == 4) points_of_4(v, step);
  if (alpha == 6) points_of_6(v, step);
  if (alpha == 8) points_of_8(v, step);
}

/* Points to output pixels, in place: the first m of |v|'s values are the result. The last point, infinity, belongs to
   the last pixel alone. */
PN_INLINE void outputs_of_4(vf *v, int step) {
  const vf p0 = v[0], p1 = v[step], p2 = v[2 * step], p3 = v[3 * step];
  v[0] = vf_add(p0, vf_add(p1, p2));
  v[step] = vf_add(vf_sub(p1, p2), p3);
}

PN_INLINE void outputs_of_6(vf *v, int step, int m) {
  const vf p0 = v[0], p1 = v[step], p2 = v[2 * step], p3 = v[3 * step], p4 = v[4 * step], p5 = v[5 * step];
  const vf even_a = vf_add(p1, p2), odd_a = vf_mul(vf_set1(POINT_A), vf_sub(p1, p2));
  const vf even_b = vf_add(p3, p4), odd_b = vf_mul(vf_set1(POINT_B), vf_sub(p3, p4));
  v[0] = vf_add(p0, vf_add(even_a, even_b));
  v[step] = vf_add(odd_a, odd_b);
  if (m == 2) {
    v[step] = vf_add(v[step], p5);
    return;
  }
  const vf half = vf_set1(0.5f), two = vf_set1(2.0f);
  v[2 * step] = vf_fma(half, even_a, vf_mul(two, even_b));
  v[3 * step] = vf_fma(half, odd_a, vf_fma(two, odd_b, p5));
}

PN_INLINE void outputs_of_8(vf *v, int step, int m) {
  const vf p0 = v[0], p1 = v[step], p2 = v[2 * step], p3 = v[3 * step];
  const vf p4 = v[4 * step], p5 = v[5 * step], p6 = v[6 * step], p7 = v[7 * step];
  const vf quarter = vf_set1(0.25f), four = vf_set1(4.0f);
  const vf even_a = vf_add(p1, p2), odd_a = vf_mul(vf_set1(0.5f), vf_sub(p1, p2));
  const vf even_b = vf_add(p3, p4), odd_b = vf_sub(p3, p4);
  const vf even_c = vf_add(p5, p6), odd_c = vf_mul(vf_set1(2.0f), vf_sub(p5, p6));
  v[0] = vf_add(vf_add(p0, even_a), vf_add(even_b, even_c));
  v[step] = vf_add(odd_a, vf_add(odd_b, odd_c));
  v[2 * step] = vf_fma(quarter, even_a, vf_fma(four, even_c, even_b));
  v[3 * step] = vf_fma(quarter, odd_a, vf_fma(four, odd_c, odd_b));
  if (m == 4) {
    v[3 * step] = vf_add(v[3 * step], p7);
    return;
  }
  const vf sixteenth = vf_set1(0.0625f), sixteen = vf_set1(16.0f);
  v[4 * step] = vf_fma(sixteenth, even_a, vf_fma(sixteen, even_c, even_b));
  v[5 * step] = vf_fma(sixteenth, odd_a, vf_fma(sixteen, odd_c, vf_add(odd_b, p7)));
}

PN_INLINE void output_of_points(vf *v, int step, int alpha, int m) {
  if (alpha == 4) outputs_of_4(v, step);
  if (alpha == 6) outputs_of_6(v, step, m);
  if (alpha == 8) outputs_of_8(v, step, m);
}

PN_INLINE void input_vector(const pn_cpu_winograd_f32_input *t, size_t c, vhead head, int whole, int alpha) {
  vf v[PN_WINOGRAD_POINTS_MAX];
  PN_UNROLL
  for (int x = 0; x < alpha; x++) {
    PN_UNROLL
    for (int y = 0; y < alpha; y++) {
      const float *from = t->pixels[y * alpha + x] + c;
      v[y * alpha + x] = whole ? vf_load(from) : vf_load_head(from, head);
    }
    points_of_input(v + x, alpha, alpha);
  }
  float *to = t->to + c;
  PN_UNROLL
  for (int y = 0; y < alpha; y++) {
    points_of_input(v + y * alpha, 1, alpha);
    PN_UNROLL
    for (int x = 0; x < alpha; x++, to += t->plane_stride)
      if (whole)
        vf_store(to, v[y * alpha + x]);
      else
        vf_store_head(to, head, v[y * alpha + x]);
  }
}

PN_INLINE void output_vector(const pn_cpu_winograd_f32_output *t, size_t c, vhead head, int whole, int alpha,
                             int m) {
  const vf lo = vf_set1(t->lo), hi = vf_set1(t->hi);
  const vf bias = whole ? vf_load(t->bias + c) : vf_load_head(t->bias + c, head);
  vf slope = vf_zero();
  if (t->slope) slope = whole ? vf_load(t->slope + c) : vf_load_head(t->slope + c, head);
  vf v[PN_WINOGRAD_POINTS_MAX];
  PN_UNROLL
  for (int x = 0; x < alpha; x++) {
    const float *from = t->from + x * t->plane_stride + c;
    PN_UNROLL
    for (int y = 0; y < alpha; y++, from += alpha * t->plane_stride)
      v[y * alpha + x] = whole ? vf_load(from) : vf_load_head(from, head);
    output_of_points(v + x, alpha, alpha, m);
  }
  PN_UNROLL
  for (int y = 0; y < m; y++) {
    if ((size_t)y >= t->rows) break;
    output_of_points(v + y * alpha, 1, alpha, m);
    PN_UNROLL
    for (int x = 0; x < m; x++) {
      if ((size_t)x >= t->columns) break;
      const ptrdiff_t at = y * t->row_stride + x * t->pixel_stride + (ptrdiff_t)c;
      vf value = vf_add(v[y * alpha + x], bias);
      if (t->residual) value = vf_add(value, whole ? vf_load(t->residual + at) : vf_load_head(t->residual + at, head));
      if (t->slope) value = vf_select(vf_lt(value, vf_zero()), vf_mul(value, slope), value);
      value = vf_min(hi, vf_max(lo, value));
      if (whole)
        vf_store(t->out + at, value);
      else
        vf_store_head(t->out + at, head, value);
    }
  }
}

/* Channels in whole vectors, then the head that is left. */
#define INPUT(alpha)                                                                                                   \
  static void input_##alpha(const pn_cpu_winograd_f32_input *t) {                                                      \
    size_t c = 0;                                                                                                      \
    for (; c + VL <= t->channels; c += VL) input_vector(t, c, vf_head(VL), 1, alpha);                                  \
    if (c < t->channels) input_vector(t, c, vf_head(t->channels - c), 0, alpha);                                       \
  }
#define OUTPUT(alpha, m)                                                                                               \
  static void output_##alpha##_##m(const pn_cpu_winograd_f32_output *t) {                                              \
    size_t c = 0;                                                                                                      \
    for (; c + VL <= t->channels; c += VL) output_vector(t, c, vf_head(VL), 1, alpha, m);                              \
    if (c < t->channels) output_vector(t, c, vf_head(t->channels - c), 0, alpha, m);                                   \
  }
INPUT(4)
INPUT(6)
INPUT(8)
OUTPUT(4, 2)
OUTPUT(6, 2)
OUTPUT(6, 4)
OUTPUT(8, 4)
OUTPUT(8, 6)

static const pn_cpu_winograd_f32 table = {
    .input = {input_4, input_6, input_8},
    .output = {{output_4_2}, {output_6_2, output_6_4}, {NULL, output_8_4, output_8_6}}};
