/* The contracts of the CPU's micro-kernels.

   A micro-kernel is a pure tile function: it allocates nothing, calls nothing, keeps nothing; tactics own the loops,
   the packing and the threads. Each file kernels/<name>.<isa>.c is a few lines over kernels/templates/<name>.tmpl.h and
   the vector vocabulary simd/<isa>.h, and defines one pn_cpu_kernels row; isa.c collects the rows and answers with the
   best table of a family that a set of instructions allows.

   Conventions of every family: activations are NHWC (channels innermost), strides are in elements, no operand needs an
   alignment (packed weights are quicker at 64 bytes), nothing is read or written outside of what the arguments span,
   and outputs overlap inputs only where a function says so. Clamps are [lo, hi] with -INFINITY / INFINITY for none; a
   NaN passes through a clamp. */
#ifndef PN_TARGETS_CPU_KERNELS_H
#define PN_TARGETS_CPU_KERNELS_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

/* ---- gemm_f32: matrix products and convolutions ------------------------------------------------------------------ */

/* C[mr][n] = clamp(start + sum over taps t, k of A[row * a_row_stride + tap_offset[t] + k] * B[t][k][column] +
   residual).

   A row of the tile is an output pixel, a column an output channel, a tap a piece of the filter whose inputs lie
   together: a matrix product has one tap, a convolution without dilation in x one a filter row (in NHWC the columns of
   the filter and the channels are one run), others one a filter element. Padding: leave the taps that fall outside
   away, by tap_count and |b|, or shorten |k| with b_tap_stride unchanged.

   Rows a multiple of 1024 floats apart lie in one set of the L1 cache, which holds 8 to 12 lines: with k 2048 on Zen 4
   a 28 x 16 tile falls from 117 to 24 GFLOP/s, 14 x 32 from 112 to 86, 6 x 64 not at all (at a multiple of 512: 63,
   112, 117). So prefer few rows and many columns there, or copy_rows to another pitch.

   The terms of a sum are added in the order of taps and k in every tile, so that tiles of one instruction set agree to
   the bit however a caller cuts the rows. */
typedef enum pn_cpu_gemm_start { PN_CPU_GEMM_ZERO, PN_CPU_GEMM_BIAS, PN_CPU_GEMM_ADD_TO_C } pn_cpu_gemm_start;
typedef struct pn_cpu_gemm_f32_tile {
  const float *a;
  ptrdiff_t a_row_stride; /* see above */
  const ptrdiff_t *tap_offset;
  size_t tap_count;
  size_t k;           /* depth of each tap */
  const float *b;     /* [tap_count][k][nr], packed */
  size_t b_tap_stride; /* k * nr, or more */
  float *c;
  ptrdiff_t c_row_stride;
  size_t n; /* columns that exist, 1 to nr; what lies behind them in C and the residual is not touched */
  pn_cpu_gemm_start start;
  const float *bias;     /* nr floats, with PN_CPU_GEMM_BIAS */
  const float *residual; /* or null; may be |c| itself */
  ptrdiff_t residual_row_stride;
  const float *slope; /* nr floats that what is below 0 is multiplied by, before the clamp; or null */
  float lo, hi;
} pn_cpu_gemm_f32_tile;
typedef void pn_cpu_gemm_f32_fn(const pn_cpu_gemm_f32_tile *tile);

typedef struct pn_cpu_gemm_f32_width {
  uint32_t nr;     /* columns of the tile: what B is packed to */
  uint32_t mr_max; /* rows: fns[mr - 1] for 1 <= mr <= mr_max */
  pn_cpu_gemm_f32_fn *const *fns;
} pn_cpu_gemm_f32_width;
typedef struct pn_cpu_gemm_f32 {
  uint32_t width_count; /* in order of rising nr */
  pn_cpu_gemm_f32_width widths[4];
  /* Panels for |b|: to[p][kk][j] = from[kk * row_stride + p * nr + j] for kk < k and p * nr + j < n, 0 beyond n. */
  void (*pack_b)(const float *from, ptrdiff_t row_stride, size_t k, size_t n, size_t nr, float *to);
  /* |rows| runs of |columns| floats to another pitch: for an A whose own stride is a multiple of 1024. */
  void (*copy_rows)(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to,
                    ptrdiff_t to_stride);
} pn_cpu_gemm_f32;

/* ---- vec_f32: pointwise operations over a run -------------------------------------------------------------------- */

/* Runs of |n| floats, best at most some thousand so that they lie in L1; |y| may be any of the inputs. Errors are at
   most 4 ulp, or 1e-6 absolute where a difference cancels (gelu, mish, sin and cos; tan: 8 ulp); sin, cos and tan are for
   |x| up to PN_CPU_TURNS_LIMIT; the exact operations are exact. Comparisons
   give 1 or 0, select and not take anything but 0 for true. NaN goes through, min and max included. */
enum { PN_CPU_TURNS_LIMIT = 10000 };
#define PN_CPU_UNARY_PLAIN(X) \
  X(copy) X(neg) X(abs) X(relu) X(sqrt) X(rsqrt) X(reciprocal) X(exp) X(log) X(tanh) X(sigmoid) X(erf) X(gelu) \
  X(gelu_tanh) X(silu) X(softplus) X(mish) X(softsign) X(hard_swish) X(floor) X(ceil) X(round) X(sign) X(not) X(is_nan) \
  X(sin) X(cos) X(tan) X(asin) X(acos) X(atan)
/* parameters[2]: clip lo, hi; hard_sigmoid alpha, beta; leaky_relu alpha; elu alpha, gamma (1, or selu's);
   thresholded_relu alpha; affine factor, term. Both floats must be readable. */
#define PN_CPU_UNARY_PARAMETERS(X) \
  X(clip) X(hard_sigmoid) X(leaky_relu) X(elu) X(thresholded_relu) X(affine)
#define PN_CPU_BINARY(X) \
  X(add) X(sub) X(mul) X(div) X(min) X(max) X(prelu) X(less) X(less_or_equal) X(equal) X(not_equal)
#define PN_CPU_TERNARY(X) X(fma) X(select)

#define PN_CPU_ENUM(name) PN_CPU_UNARY_##name,
typedef enum pn_cpu_unary {
  PN_CPU_UNARY_PLAIN(PN_CPU_ENUM) PN_CPU_UNARY_PARAMETERS(PN_CPU_ENUM) PN_CPU_UNARY_COUNT
} pn_cpu_unary;
#undef PN_CPU_ENUM
#define PN_CPU_ENUM(name) PN_CPU_BINARY_##name,
typedef enum pn_cpu_binary { PN_CPU_BINARY(PN_CPU_ENUM) PN_CPU_BINARY_COUNT } pn_cpu_binary;
#undef PN_CPU_ENUM
#define PN_CPU_ENUM(name) PN_CPU_TERNARY_##name,
typedef enum pn_cpu_ternary { PN_CPU_TERNARY(PN_CPU_ENUM) PN_CPU_TERNARY_COUNT } pn_cpu_ternary;
#undef PN_CPU_ENUM
/* Which operands of a binary are runs: both, the first (the second is one float), the second. */
typedef enum pn_cpu_binary_form {
  PN_CPU_RUN_RUN,
  PN_CPU_RUN_ONE,
  PN_CPU_ONE_RUN,
  PN_CPU_BINARY_FORMS
} pn_cpu_binary_form;

typedef void pn_cpu_unary_f32_fn(size_t n, const float *x, const float *parameters, float *y);
typedef void pn_cpu_binary_f32_fn(size_t n, const float *a, const float *b, float *y);
typedef void pn_cpu_ternary_f32_fn(size_t n, const float *a, const float *b, const float *c, float *y);
typedef struct pn_cpu_vec_f32 {
  pn_cpu_unary_f32_fn *unary[PN_CPU_UNARY_COUNT];
  pn_cpu_binary_f32_fn *binary[PN_CPU_BINARY_COUNT][PN_CPU_BINARY_FORMS];
  pn_cpu_ternary_f32_fn *ternary[PN_CPU_TERNARY_COUNT]; /* fma: a * b + c; select: a ? b : c */
  void (*fill)(size_t n, float value, float *y);
  /* y[i] = sum over k < count of weights[k] * x[k][i]; |y| is none of the runs. */
  void (*weighted_sum)(size_t n, size_t count, const float *const *x, const float *weights, float *y);
  void (*from_bool)(size_t n, const uint8_t *x, float *y);
  void (*to_bool)(size_t n, const float *x, uint8_t *y);
} pn_cpu_vec_f32;

/* ---- vec_typed: pointwise operations over a run of any type -------------------------------------------------------- */

/* Elements in the form they have in memory; bool is u8, 1 or 0. Floats of 32 bits are vec_f32's, here they are only
   converted, compared and chosen; f16 and bf16 are computed as f32. Integers wrap; what C leaves undefined is as the
   operator pointwise defines it. Runs of |n| elements; |y| may be any of the inputs. */
#define PN_CPU_FORMS(X) X(u8) X(i8) X(u16) X(i16) X(u32) X(i32) X(u64) X(i64) X(f32) X(f64)
#define PN_CPU_TYPED_UNARY(X) \
  X(neg) X(abs) X(sign) X(relu) X(square) X(sqrt) X(rsqrt) X(reciprocal) X(floor) X(ceil) X(round) X(bit_not) \
  X(is_nan) X(is_inf_positive) X(is_inf_negative) /* the last three give u8 */
#define PN_CPU_TYPED_BINARY(X) \
  X(add) X(sub) X(mul) X(div) X(mod) X(fmod) X(min) X(max) X(bit_and) X(bit_or) X(bit_xor) X(shift_left) \
  X(shift_right) X(equal) X(less) X(less_equal) /* the last three give u8 */

#define PN_CPU_ENUM(name) PN_CPU_FORM_##name,
typedef enum pn_cpu_form { PN_CPU_FORMS(PN_CPU_ENUM) PN_CPU_FORM_COUNT } pn_cpu_form;
#undef PN_CPU_ENUM
#define PN_CPU_ENUM(name) PN_CPU_TYPED_##name,
typedef enum pn_cpu_typed_unary { PN_CPU_TYPED_UNARY(PN_CPU_ENUM) PN_CPU_TYPED_UNARY_COUNT } pn_cpu_typed_unary;
#undef PN_CPU_ENUM
#define PN_CPU_ENUM(name) PN_CPU_TYPED_BINARY_##name,
typedef enum pn_cpu_typed_binary { PN_CPU_TYPED_BINARY(PN_CPU_ENUM) PN_CPU_TYPED_BINARY_COUNT } pn_cpu_typed_binary;
#undef PN_CPU_ENUM

typedef void pn_cpu_typed_unary_fn(size_t n, const void *x, void *y);
/* |b_is_one|: |b| is one element for all. */
typedef void pn_cpu_typed_binary_fn(size_t n, const void *a, const void *b, int b_is_one, void *y);
typedef struct pn_cpu_vec_typed {
  pn_cpu_typed_unary_fn *unary[PN_CPU_FORM_COUNT][PN_CPU_TYPED_UNARY_COUNT];    /* null: none for this form */
  pn_cpu_typed_binary_fn *binary[PN_CPU_FORM_COUNT][PN_CPU_TYPED_BINARY_COUNT]; /* null: none for this form */
  /* From a form to another. Floats truncate towards zero and end at the range's ends, NaN gives 0; integers wrap. */
  pn_cpu_typed_unary_fn *convert[PN_CPU_FORM_COUNT][PN_CPU_FORM_COUNT];
  pn_cpu_typed_unary_fn *is_not_zero[PN_CPU_FORM_COUNT]; /* 1 or 0 as u8; NaN is not zero */
  /* By the logarithm of an element's bytes. */
  void (*select[4])(size_t n, const uint8_t *condition, const void *a, const void *b, void *y);
  void (*fill[4])(size_t n, const void *value, void *y);
  /* y = clamp(round(x / scale) + zero, least, greatest) as integers, ties to even, NaN as 0 / 1; |zero| holds whole
     numbers. The bits of |runs|: scale (1) and zero (2) are runs, else one element for all. */
  void (*quantize)(size_t n, const float *x, const float *scale, const float *zero, int runs, float least,
                   float greatest, int32_t *y);
  /* The same for |count| runs of |n| elements, one after the other; run r takes scale[r] and, if |has_zeros|, zero[r]. */
  void (*quantize_blocks)(size_t count, size_t n, const float *x, const float *scale, const float *zero, int has_zeros,
                          float least, float greatest, int32_t *y);
  void (*f32_from_f16)(size_t n, const uint16_t *x, float *y);
  void (*f16_from_f32)(size_t n, const float *x, uint16_t *y); /* to the nearest, ties to even */
  void (*f32_from_bf16)(size_t n, const uint16_t *x, float *y);
  void (*bf16_from_f32)(size_t n, const float *x, uint16_t *y);
} pn_cpu_vec_typed;

/* ---- reduce_typed: reductions of any type ---------------------------------------------------------------------------- */

/* Elements as vec_typed has them. A total is uint64_t that wraps for integers (their widths wrap rightly in it), double
   for floats, an element for extremes; what it holds before takes part. NaN is the extreme where there is one. */
#define PN_CPU_FOLDS(X) X(sum) X(abs) X(squares) X(product) X(max) X(min)
#define PN_CPU_ENUM(name) PN_CPU_FOLD_##name,
typedef enum pn_cpu_fold { PN_CPU_FOLDS(PN_CPU_ENUM) PN_CPU_FOLD_COUNT } pn_cpu_fold;
#undef PN_CPU_ENUM
enum { PN_CPU_ARG_COLUMNS = 256 };
typedef struct pn_cpu_reduce_typed {
  /* A run of |n| elements into one total. */
  void (*row[PN_CPU_FORM_COUNT][PN_CPU_FOLD_COUNT])(size_t n, const void *x, void *total);
  /* |rows| runs of |n| elements, |stride| elements apart, into n totals. */
  void (*columns[PN_CPU_FORM_COUNT][PN_CPU_FOLD_COUNT])(size_t rows, ptrdiff_t stride, size_t n, const void *x,
                                                        void *totals);
  /* Where the greatest (0) or least (1) of n >= 1 elements stands, the first or the last of equal ones. */
  int64_t (*arg_row[PN_CPU_FORM_COUNT][2])(size_t n, const void *x, int last);
  /* The same down n <= PN_CPU_ARG_COLUMNS columns of rows >= 1. */
  void (*arg_columns[PN_CPU_FORM_COUNT][2])(size_t rows, ptrdiff_t stride, size_t n, const void *x, int last,
                                            int64_t *y);
} pn_cpu_reduce_typed;

/* ---- order_typed: keys that order elements of any type ---------------------------------------------------------------- */

/* A key is an unsigned integer: uint32_t for elements of up to 4 bytes, uint64_t for 8. Smaller keys come first. NaN is
   greater than every number and equal to NaN, and the zeros are equal. An entry is a key and where its element stood:
   two uint32_t in one number, the key the upper one; or the struct. */
typedef struct pn_cpu_entry {
  uint64_t key, index;
} pn_cpu_entry;
typedef struct pn_cpu_order_width {
  size_t key_bytes, entry_bytes;
  /* least[i] = the least of keys[i + width * k] over k, for i < width <= n. */
  void (*least)(size_t n, const void *keys, size_t width, void *least);
  /* Key number |k| of |n| in order; the keys are moved about. */
  uint64_t (*nth)(size_t n, void *keys, size_t k);
  /* Entries of the keys that are at most |limit|, in their order; how many. Has room for n + 1. */
  size_t (*pick)(size_t n, const void *keys, uint64_t limit, void *entries);
  /* Sorts, equal keys by index when they lie so; the sorted ones are in one of the two. */
  void *(*sort)(size_t n, void *entries, void *spare);
  /* Where entries stood. */
  void (*indices)(size_t n, const void *entries, int64_t *to);
} pn_cpu_order_width;
typedef struct pn_cpu_order_typed {
  void (*keys[PN_CPU_FORM_COUNT])(size_t n, const void *x, int falling, void *keys);
  pn_cpu_order_width narrow, wide; /* for keys of 4 and 8 bytes */
} pn_cpu_order_typed;

/* ---- dwconv_f32, pool_f32: windows of one channel ---------------------------------------------------------------- */

/* A run of |width| output pixels, all channels; tap (i, j) of output x reads, for channel c,
   rows[i][x * pixel_stride + j * column_stride + c]. Padding: leave the rows that fall outside away (or point them at
   zeros), and call the pixels at the left and right ends on their own with fewer columns. */
typedef struct pn_cpu_window_f32 {
  const float *const *rows; /* row_count pointers, each at the first tap of the first output pixel */
  size_t row_count, column_count;
  ptrdiff_t column_stride; /* dilation_w * C */
  ptrdiff_t pixel_stride;  /* stride_w * C */
  float *out;
  ptrdiff_t out_stride; /* between output pixels */
  size_t width, channels;
} pn_cpu_window_f32;

typedef struct pn_cpu_dwconv_f32_run {
  pn_cpu_window_f32 window;
  const float *weights; /* of tap (i, j), channel c: weights[i * weight_row_stride + j * weight_column_stride + c] */
  ptrdiff_t weight_row_stride, weight_column_stride;
  const float *bias; /* a channel, or null */
  float lo, hi;
} pn_cpu_dwconv_f32_run;
typedef struct pn_cpu_dwconv_f32 {
  /* 3x3 and 5x5 windows without dilation, stride 1 and 2, keep weights in registers; others read them for every four
     pixels. */
  void (*run)(const pn_cpu_dwconv_f32_run *run);
} pn_cpu_dwconv_f32;

/* How elements of a window become one: by the greatest (NaN in the window gives NaN), or added, as they are, without
   their sign, or squared. */
typedef enum pn_cpu_pool_join {
  PN_CPU_POOL_MAX,
  PN_CPU_POOL_SUM,
  PN_CPU_POOL_SUM_ABS,
  PN_CPU_POOL_SUM_SQUARES,
  PN_CPU_POOL_JOINS
} pn_cpu_pool_join;

/* A row of outputs of one channel, all of whose windows have |row_count| x |taps| elements, at least one: output i
   looks at rows[r][i * stride + t * dilation]. out[i] is the greatest, at[i] = row_index[r] + column_index *
   (i * stride + t * dilation) where it stands: the first of equal ones; NaN is above every number. */
typedef struct pn_cpu_pool_f32_pick {
  const float *const *rows;
  const int32_t *row_index;
  size_t row_count, taps;
  ptrdiff_t stride, dilation;
  int32_t column_index;
  size_t n;
  float *out;
  int32_t *at;
} pn_cpu_pool_f32_pick;

enum { PN_CPU_SLIDE_ROOM = 16 }; /* what outputs of a slide are rounded up to */
typedef struct pn_cpu_pool_f32 {
  void (*max)(const pn_cpu_window_f32 *window);                  /* NaN in the window gives NaN */
  void (*average)(const pn_cpu_window_f32 *window, float scale); /* the sum times |scale| */
  /* out[i] = the elements i of all |count| rows joined, for i < n. No rows: -INFINITY, or 0. */
  void (*join[PN_CPU_POOL_JOINS])(const float *const *rows, size_t count, size_t n, float *out);
  /* A row of one channel: out[i] = the greatest, or the sum times |scale|, of from[i * stride + t * dilation] over
     t < taps, for i < n. NaN in the window gives NaN. |from| can be read as if |n| were a multiple of
     PN_CPU_SLIDE_ROOM. */
  void (*slide_max)(const float *from, ptrdiff_t stride, ptrdiff_t dilation, size_t taps, size_t n, float *out);
  void (*slide_sum)(const float *from, ptrdiff_t stride, ptrdiff_t dilation, size_t taps, size_t n, float scale,
                    float *out);
  void (*pick)(const pn_cpu_pool_f32_pick *pick);
  /* out[c] = scale * sum over |pixels| of from[p * pixel_stride + c]: global average, sums over rows. In blocks, so
     that the error stays small for any count. */
  void (*sum_pixels)(const float *from, ptrdiff_t pixel_stride, size_t pixels, size_t channels, float scale,
                     float *out);
} pn_cpu_pool_f32;

/* ---- sample_f32: elements that tables pick and weigh ---------------------------------------------------------------- */

/* Element i of a result has a share of a few elements of |x|: share t is weight[t * pitch + i] * x[index[t * pitch + i]].
   A negative index reads nothing; its element is taken for 0. Both tables reach to |n| rounded up to
   PN_CPU_SAMPLE_LANES; indices beyond |n| are negative. */
enum { PN_CPU_SAMPLE_LANES = 16, PN_CPU_SAMPLE_AXES = 3, PN_CPU_SAMPLE_PLANE = 1 << 22 };
typedef struct pn_cpu_sample_table {
  size_t n, taps, pitch;
  const int32_t *index;
  const float *weight;
} pn_cpu_sample_table;

/* One axis of a plane that is read between its elements. */
typedef struct pn_cpu_sample_axis {
  const float *at;      /* coordinates in elements; readable up to |n| rounded up */
  float extent, stride; /* of the plane; all of it at most PN_CPU_SAMPLE_PLANE elements */
} pn_cpu_sample_axis;

/* One row of a resized picture from a row of |extent| elements: y[i] = sum over t of weight[t * pitch + i] * x[the
   index]. Results come in blocks of |lanes| of the family's table. Where a block's elements lie within 2 * lanes from
   base[block] on, indices count from there, and that window lies within the row or is all of it; else base is -1, and
   indices count from the row's start. Tables reach to |n| rounded up to PN_CPU_SAMPLE_LANES, with valid indices. */
typedef struct pn_cpu_resize_row {
  size_t n, taps, pitch, extent;
  const int32_t *base, *index;
  const float *weight;
} pn_cpu_resize_row;

typedef struct pn_cpu_sample_f32 {
  uint32_t lanes;
  /* The sum of the shares, or the greatest (NaN when one is); with |add| also of what stands in |y|. */
  void (*sum)(const pn_cpu_sample_table *table, const float *x, int add, float *y);
  void (*greatest)(const pn_cpu_sample_table *table, const float *x, int add, float *y);
  /* Fills tables, |pitch| floats a tap, for reading linearly at |n| places of a plane: taps 2^axes, those that lie
     outside absent, or with |border| moved to the border; with |nearest| one tap. NaN gives NaN. The last axis varies
     quickest over the taps. */
  void (*place)(size_t n, size_t axes, const pn_cpu_sample_axis *axis, int border, int nearest, size_t pitch,
                int32_t *index, float *weight);
  void (*resize_row)(const pn_cpu_resize_row *row, const float *x, float *y);
  /* The greatest of a result's elements, NaN when one is; weights are not read. */
  void (*greatest_row)(const pn_cpu_resize_row *row, const float *x, float *y);
  /* Nearest: |count| rows one after another, row k from |x| + from[k] * extent; weights are not read. */
  void (*resize_nearest)(const pn_cpu_resize_row *row, const float *x, const int64_t *from, size_t count, float *y);
  /* y[i] = x[i] + pattern[i % period]; |pattern| is repeated PN_CPU_SAMPLE_LANES times. */
  void (*add_pattern)(size_t n, const float *x, size_t period, const float *pattern, float *y);
} pn_cpu_sample_f32;

/* ---- winograd_f32: into and out of the domain where a convolution is a product ------------------------------------- */

/* F(m x m, r x r): a tile of alpha^2 input pixels, alpha = m + r - 1, becomes as many points, each a product over the
   channels of its own; their sums become m x m output pixels. A point is a plane: element (p, c) lies at
   p * plane_stride + c. */
typedef struct pn_cpu_winograd_f32_input {
  const float *const *pixels; /* alpha^2, row by row, each |channels| floats; zeros where the tile leaves the input */
  size_t channels;
  float *to;
  ptrdiff_t plane_stride;
} pn_cpu_winograd_f32_input;
typedef struct pn_cpu_winograd_f32_output {
  const float *from;
  ptrdiff_t plane_stride;
  const float *bias;     /* a channel */
  const float *residual; /* or null; strides as |out| */
  const float *slope;    /* a channel, of what is below 0, before the clamp; or null */
  float *out;
  ptrdiff_t row_stride, pixel_stride;
  size_t rows, columns; /* of the tile that exist, 1 to m each */
  size_t channels;
  float lo, hi;
} pn_cpu_winograd_f32_output;
typedef void pn_cpu_winograd_f32_input_fn(const pn_cpu_winograd_f32_input *tile);
typedef void pn_cpu_winograd_f32_output_fn(const pn_cpu_winograd_f32_output *tile);
typedef struct pn_cpu_winograd_f32 {
  /* By alpha, 4, 6 and 8, and of that by m, 2, 4 and 6: [alpha / 2 - 2][m / 2 - 1], null where r is not 3 or 5. */
  pn_cpu_winograd_f32_input_fn *input[3];
  pn_cpu_winograd_f32_output_fn *output[3][3];
} pn_cpu_winograd_f32;

/* ---- dotconv_f32: convolutions with few output channels ------------------------------------------------------------ */

/* out[x * output_count + o] = clamp(bias[o] + sum over rows r, kk < k of rows[r][x * pixel_stride + kk] *
   weights[r * weight_row_stride + o * weight_output_stride + kk]) for x < width, o < output_count <= 4.

   Lanes are neighbours in k, which in NHWC runs over filter columns and channels, where gemm_f32 would leave most of
   its columns empty. A sum's lanes are added at the end, those of a vector's worth of results together; so a result
   depends on nothing but its own operands, wherever a caller cuts the pixels. Padding: leave rows away, or call pixels
   with shorter runs. */
enum { PN_CPU_DOTCONV_OUTPUTS = 4 };
typedef struct pn_cpu_dotconv_f32_run {
  const float *const *rows; /* row_count pointers, each at the first input of the first pixel */
  size_t row_count, k;
  ptrdiff_t pixel_stride;
  const float *weights;
  ptrdiff_t weight_row_stride, weight_output_stride;
  const float *bias; /* output_count floats */
  float lo, hi;
  float *out; /* dense */
  size_t width, output_count;
} pn_cpu_dotconv_f32_run;
typedef struct pn_cpu_dotconv_f32 {
  uint32_t lanes;
  void (*run)(const pn_cpu_dotconv_f32_run *run);
} pn_cpu_dotconv_f32;

/* ---- gemv_f32: few rows times a matrix that is not packed ------------------------------------------------------------ */

/* y[r][j] = (add ? y[r][j] : 0) + sum over k of x[r][k] * b[k][j] for r < rows, j < n; each strided by rows. The terms
   are added in the order of k. For products with B's transpose dotconv_f32 serves: its pixels are B's rows. */
enum { PN_CPU_GEMV_ROWS = 4 };
typedef struct pn_cpu_gemv_f32_run {
  const float *x;
  ptrdiff_t x_stride;
  const float *b;
  ptrdiff_t b_stride;
  float *y;
  ptrdiff_t y_stride;
  size_t rows; /* 1 to PN_CPU_GEMV_ROWS */
  size_t k, n;
  int add;
} pn_cpu_gemv_f32_run;
typedef struct pn_cpu_gemv_f32 {
  void (*run)(const pn_cpu_gemv_f32_run *run);
} pn_cpu_gemv_f32;

/* ---- rotary_f32: pairs that turn ------------------------------------------------------------------------------------- */

/* a' = cos a - sin b, b' = sin a + cos b for |n| pairs: halves of a run, or neighbours. |y| is not |x|. */
typedef struct pn_cpu_rotary_f32 {
  void (*halves)(size_t n, const float *cosine, const float *sine, const float *x, float *y);
  void (*neighbours)(size_t n, const float *cosine, const float *sine, const float *x, float *y);
} pn_cpu_rotary_f32;

/* ---- gemm_i16: products of small integers ---------------------------------------------------------------------------- */

/* C[row][column] = sum over k of A[row][k] * B[k][column] in int32, for numbers of nine bits (bytes less their zero
   points). Two steps of k are a pair: A's rows are pairs of int16, B's panels [pairs][nr][2]; an odd depth is filled up
   with a zero in both. Sums wrap, as int32 does. */
typedef struct pn_cpu_gemm_i16_tile {
  const int16_t *a;
  ptrdiff_t a_row_stride; /* elements, even */
  size_t pairs;
  const int16_t *b;
  int32_t *c;
  ptrdiff_t c_row_stride;
  size_t n; /* columns that exist, 1 to nr; nothing is written behind them */
} pn_cpu_gemm_i16_tile;
typedef void pn_cpu_gemm_i16_fn(const pn_cpu_gemm_i16_tile *tile);
typedef struct pn_cpu_gemm_i16 {
  uint32_t nr, mr_max; /* fns[mr - 1] for 1 <= mr <= mr_max */
  pn_cpu_gemm_i16_fn *const *fns;
  /* to[i] = from[i] - zero for i < n, from bytes with or without a sign. */
  void (*widen)(size_t n, const void *from, int is_signed, int zero, int16_t *to);
  /* A panel of B from |columns| <= nr columns of its k rows, |row_stride| apart; |zeros| one a column. */
  void (*pack)(const void *from, int is_signed, ptrdiff_t row_stride, size_t k, size_t columns, const int16_t *zeros,
               int16_t *to);
} pn_cpu_gemm_i16;

/* ---- reduce_f32: one contiguous row ------------------------------------------------------------------------------ */

/* |n| >= 1 floats; |y| may be |x|. Extremes are NaN when an element is. */
typedef struct pn_cpu_reduce_f32 {
  float (*sum)(size_t n, const float *x);
  float (*sum_squares)(size_t n, const float *x);
  float (*max)(size_t n, const float *x);
  float (*min)(size_t n, const float *x);
  /* y[r] of row r, |stride| floats from the one before: short rows cost little more than their elements. */
  void (*sum_rows)(size_t rows, ptrdiff_t stride, size_t n, const float *x, float *y);
  void (*max_rows)(size_t rows, ptrdiff_t stride, size_t n, const float *x, float *y);
  void (*min_rows)(size_t rows, ptrdiff_t stride, size_t n, const float *x, float *y);
  float (*dot)(size_t n, const float *x, const float *y);
  /* y = exp(x - shift), and the sum of it. */
  float (*exp_sum)(size_t n, const float *x, float shift, float *y);
  void (*softmax)(size_t n, const float *x, float *y);
  void (*log_softmax)(size_t n, const float *x, float *y);
  /* (x - mean) / sqrt(variance + epsilon) [* gain] [+ bias], the variance from a second pass; |gain|, |bias|, |mean|
     and |inverse_deviation| may be null. */
  void (*normalize)(size_t n, const float *x, const float *gain, const float *bias, float epsilon, float *y,
                    float *mean, float *inverse_deviation);
  /* x / sqrt(mean of squares + epsilon) [* gain] */
  void (*rms_normalize)(size_t n, const float *x, const float *gain, float epsilon, float *y);
} pn_cpu_reduce_f32;

/* ---- transpose_f32 ----------------------------------------------------------------------------------------------- */

typedef struct pn_cpu_transpose_f32 {
  /* to[c * to_stride + r] = from[r * from_stride + c] for r < rows, c < columns. The caller cuts large matrices so that
     a piece of both lies in L1 or L2; strides that are multiples of 1024 cost dearly. */
  void (*transpose)(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to,
                    ptrdiff_t to_stride);
  /* to[r * to_stride + c] = from[r * from_stride + c] */
  void (*copy)(const float *from, ptrdiff_t from_stride, size_t rows, size_t columns, float *to, ptrdiff_t to_stride);
} pn_cpu_transpose_f32;

/* ---- transpose_typed --------------------------------------------------------------------------------------------- */

typedef void pn_cpu_transpose_typed_fn(const void *from, ptrdiff_t from_stride, size_t rows, size_t columns, void *to,
                                       ptrdiff_t to_stride);
typedef struct pn_cpu_transpose_typed {
  /* As transpose_f32's, by the logarithm of an element's bytes. Of 4 bytes, this one is for few rows or columns. */
  pn_cpu_transpose_typed_fn *transpose[4];
} pn_cpu_transpose_typed;

/* ---- peaks: what a core can do at most --------------------------------------------------------------------------- */

/* Loops that keep one unit busy, for measuring. Each does |rounds| rounds of |operations| (a multiply-add counts two) on
   registers, and writes something that depends on them. */
typedef struct pn_cpu_peak {
  double operations;
  void (*run)(size_t rounds, float *out);
} pn_cpu_peak;
typedef struct pn_cpu_peak_f32 {
  pn_cpu_peak fma;
  /* Loads |n| floats (a multiple of 512) and returns something that depends on all. */
  float (*read)(const float *x, size_t n);
} pn_cpu_peak_f32;
typedef struct pn_cpu_peak_i8 {
  pn_cpu_peak dot; /* bytes times bytes, summed into int32 */
} pn_cpu_peak_i8;
typedef struct pn_cpu_peak_bf16 {
  pn_cpu_peak dot; /* summed into float */
} pn_cpu_peak_bf16;

/* ---- fft_f32: Fourier transforms of many lines at once ------------------------------------------------------------ */

/* |lanes| lines lie side by side: number i of a line is at re[2 * lanes * i + lane] and im[2 * lanes * i + lane], |re|
   and |im| being |lanes| floats apart, in either order: with the two exchanged, everywhere, a transform runs backwards.
   So no lane ever meets another and every radix is the same straight-line code. Complex factors are (re, im) pairs. */
enum { PN_CPU_FFT_RADIX_MAX = 31 };
typedef struct pn_cpu_fft_f32_pass {
  size_t radix;          /* 2, 3, 4, 5 or any odd number up to PN_CPU_FFT_RADIX_MAX */
  size_t before, behind; /* the product of the radices of the passes before this one; and of those behind it */
  const float *turns;    /* [behind][radix - 1] factors: exp(-2 pi i * before * i * j / n), j from 1 */
  const float *roots;    /* [radix] factors: exp(-2 pi i * j / radix) */
} pn_cpu_fft_f32_pass;
typedef struct pn_cpu_fft_f32 {
  size_t lanes;
  /* out[i + behind * (k + before * j)] = sum over q < radix of in[i + behind * (q + radix * k)] * roots[j q], turned;
     in and out apart. After the passes of all factors of n, in any order, the numbers are the transform. */
  void (*pass)(const pn_cpu_fft_f32_pass *pass, const float *re, const float *im, float *to_re, float *to_im);
  /* Number i times factors[i], in place, for i < n. */
  void (*multiply)(size_t n, const float *factors, float *re, float *im);
  /* The first half + 1 numbers of the transform of 2 * half reals, from |z|, the transform of half complex numbers of
     which element i holds reals 2 i and 2 i + 1; factors: exp(-pi i k / half), half + 1 of them. In |z| and |y| re lies
     in front of im; apart. */
  void (*untangle)(size_t half, const float *factors, const float *z, float *y);
} pn_cpu_fft_f32;

/* ---- strassen_f32: the additions of a product with seven multiplications for eight --------------------------------- */

/* Of a row of each quarter of A (11, 12, 21, 22): s1 = a21 + a22, s2 = s1 - a11, s3 = a11 - a21, s4 = a12 - s2. */
typedef struct pn_cpu_strassen_f32_sums {
  const float *a[4];
  float *s[4];
  size_t n;
} pn_cpu_strassen_f32_sums;
/* Of a row of each of the seven products, |plane| floats apart: a row of each quarter of C (11, 12, 21, 22), with the
   bias of its columns and a residual, clamped. */
typedef struct pn_cpu_strassen_f32_results {
  const float *products;
  ptrdiff_t plane;
  const float *bias[2];     /* of the left and the right columns */
  const float *residual[4]; /* or null */
  float *out[4];            /* null: there is no such row */
  size_t n;
  float lo, hi;
} pn_cpu_strassen_f32_results;
typedef struct pn_cpu_strassen_f32 {
  void (*sums)(const pn_cpu_strassen_f32_sums *row);
  void (*results)(const pn_cpu_strassen_f32_results *row);
} pn_cpu_strassen_f32;

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* Every family; a family `f` has its table type pn_cpu_f, its pointer in pn_cpu_kernels and its pn_cpu_f_best. */
#define PN_CPU_FAMILIES(X) \
  X(gemm_f32) X(gemv_f32) X(gemm_i16) X(vec_f32) X(dwconv_f32) X(dotconv_f32) X(pool_f32) X(reduce_f32) \
  X(transpose_f32) X(transpose_typed) X(sample_f32) X(winograd_f32) X(vec_typed) X(reduce_typed) X(order_typed) \
  X(rotary_f32) X(fft_f32) X(strassen_f32) X(peak_f32) X(peak_i8) X(peak_bf16)

/* What one kernel file offers: usually one family, the other pointers null. */
typedef struct pn_cpu_kernels {
  const char *name; /* the file's: "gemm_f32.avx512" */
  pn_isa_set isa;   /* bits it needs; 0 is any machine */
#define PN_CPU_MEMBER(family) const pn_cpu_##family *family;
  PN_CPU_FAMILIES(PN_CPU_MEMBER)
#undef PN_CPU_MEMBER
} pn_cpu_kernels;

/* All rows of this build, whatever the machine has; for tests and benchmarks. */
size_t pn_cpu_kernels_count(void);
const pn_cpu_kernels *pn_cpu_kernels_at(size_t index);

/* The family's table of the highest level within |isa|: a lowered set selects lower kernels. The generic row is always
   there, so never null. Ask once, when a plan is made. */
#define PN_CPU_BEST(family) const pn_cpu_##family *pn_cpu_##family##_best(pn_isa_set isa);
PN_CPU_FAMILIES(PN_CPU_BEST)
#undef PN_CPU_BEST

#endif
