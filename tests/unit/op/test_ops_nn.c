/* Neural-network operators: small cases worked by hand, and laws that hold for any numbers (a transposed convolution is
   the adjoint of the convolution; both directions of a recurrent layer are the two single ones). */
#include "harness.h"
#include "op/linear/window.h"

#include <math.h>

typedef pelton_status (*infer_function)(const pn_infer *);
typedef pelton_status (*reference_function)(const pn_call *);

/* One call of an operator, all operands known. Elements are given as doubles whatever the type. */
typedef struct fixture {
  pn_arena arena;
  pn_symbols symbols;
  pelton_diag diag;
  pn_tensor in[8], out[4];
  uint32_t in_count;
} fixture;

static void fixture_init(fixture *f, const pelton_allocator *allocator) {
  memset(f, 0, sizeof *f);
  pn_arena_init(&f->arena, allocator);
  pn_symbols_init(&f->symbols, &f->arena);
  pelton_diag_init(&f->diag);
}

static void fixture_deinit(fixture *f) { pn_arena_deinit(&f->arena); }

/* Operand |i|; with |values| null its elements are a fixed sequence of numbers in [-1, 1). False: no memory. */
static bool give(fixture *f, uint32_t i, pelton_dtype dtype, uint32_t rank, const int64_t *dims, const double *values) {
  pn_tensor *t = &f->in[i];
  *t = (pn_tensor){.dtype = dtype, .rank = rank};
  for (uint32_t k = 0; k < rank; k++) t->dims[k] = dims[k];
  int64_t count = pn_tensor_elements(t);
  t->data = pn_arena_alloc(&f->arena, (size_t)count * pelton_dtype_bytes(dtype), 64);
  uint32_t state = 12345 + i;
  for (int64_t k = 0; t->data && k < count; k++) {
    state = state * 1664525u + 1013904223u;
    pn_tensor_set_f64(t, k, values ? values[k] : (double)(state >> 8) / 8388608.0 - 1);
  }
  if (f->in_count <= i) f->in_count = i + 1;
  return t->data != NULL;
}

#define DIMS(...) (sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}
#define F32 PELTON_DTYPE_F32
#define VALUES(...) ((const double[]){__VA_ARGS__})
#define LIST(...) ((pn_i64s){(const int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)})

/* check, infer, and with results of those types the reference. */
static pelton_status run(fixture *f, infer_function check, infer_function infer, reference_function reference,
                         const void *attrs, uint32_t out_count) {
  pn_fact in[8] = {{0}}, out[4] = {{0}};
  for (uint32_t i = 0; i < f->in_count; i++) {
    if (!f->in[i].data) continue;
    in[i] = (pn_fact){.present = true, .type = pn_type_make(f->in[i].dtype, f->in[i].rank, f->in[i].dims),
                      .data = f->in[i].data};
  }
  for (uint32_t i = 0; i < out_count; i++) out[i].present = true;
  pn_infer c = {.attrs = attrs, .input_count = f->in_count, .output_count = out_count, .in = in, .out = out,
                .symbols = &f->symbols, .arena = &f->arena, .diag = &f->diag};
  PN_TRY(check(&c));
  PN_TRY(infer(&c));
  for (uint32_t i = 0; i < out_count; i++) {
    f->out[i] = (pn_tensor){.dtype = out[i].type.dtype, .rank = (uint32_t)out[i].type.rank};
    if (!pn_type_is_static(&out[i].type))
      return pn_fail(&f->diag, PELTON_INTERNAL, "result %u is not static", (unsigned)i);
    for (uint32_t k = 0; k < f->out[i].rank; k++) f->out[i].dims[k] = out[i].type.dims[k].number;
    size_t bytes = (size_t)pn_tensor_elements(&f->out[i]) * pelton_dtype_bytes(f->out[i].dtype);
    f->out[i].data = pn_arena_alloc(&f->arena, bytes, 64);
    if (!f->out[i].data) return pn_fail_memory(&f->diag, "a result");
  }
  pn_call call = {.attrs = attrs, .input_count = f->in_count, .output_count = out_count, .in = f->in, .out = f->out,
                  .scratch = &f->arena, .diag = &f->diag};
  return reference(&call);
}

#define RUN(f, op, attrs, outs) run(f, pn_check_##op, pn_infer_##op, pn_reference_##op, attrs, outs)
#define EXPECT_RESULT(f, i, tolerance, ...) \
  expect_result(f, i, tolerance, VALUES(__VA_ARGS__), sizeof((double[]){__VA_ARGS__}) / sizeof(double), __LINE__)

static void expect_result(const fixture *f, uint32_t i, double tolerance, const double *wanted, size_t count,
                          int line) {
  harness_expect_eq(pn_tensor_elements(&f->out[i]), (int64_t)count, __FILE__, line, "number of elements");
  for (size_t k = 0; k < count && (int64_t)k < pn_tensor_elements(&f->out[i]); k++)
    harness_expect_near(pn_tensor_get_f64(&f->out[i], (int64_t)k), wanted[k], tolerance, __FILE__, line, "an element");
}

/* ---- windows */


static pn_window resolve(const pn_window_spec *spec, int64_t input, int64_t kernel) {
  pelton_diag diag;
  pn_window w = {0};
  pelton_diag_init(&diag);
  REQUIRE_OK(pn_window_resolve(&diag, "pool", spec, 1, &input, &kernel, &w), &diag);
  return w;
}

TEST(windows_resolve) {
  pn_window w = resolve(&(pn_window_spec){.strides = LIST(2), .pads = LIST(1, 0), .dilations = LIST(2)}, 9, 3);
  EXPECT_EQ(w.output, 3); /* spans 5 of 10 */
  w = resolve(&(pn_window_spec){.strides = LIST(2), .auto_pad = PN_AUTO_PAD_SAME_UPPER}, 6, 3);
  EXPECT(w.output == 3 && w.pad_begin == 0 && w.pad_end == 1);
  w = resolve(&(pn_window_spec){.strides = LIST(2), .auto_pad = PN_AUTO_PAD_SAME_LOWER}, 6, 3);
  EXPECT(w.output == 3 && w.pad_begin == 1 && w.pad_end == 0);
  w = resolve(&(pn_window_spec){.strides = LIST(2), .ceil_mode = true}, 6, 3);
  EXPECT_EQ(w.output, 3);
  /* A last window that would start on the padding at the end is none. */
  w = resolve(&(pn_window_spec){.strides = LIST(3), .pads = LIST(0, 1), .ceil_mode = true}, 3, 2);
  EXPECT_EQ(w.output, 1);
  int64_t first, end;
  w = resolve(&(pn_window_spec){.pads = LIST(3, 3), .dilations = LIST(2)}, 4, 3);
  pn_window_taps(&w, 0, &first, &end); /* at -3, -1, 1 */
  EXPECT(first == 2 && end == 3);
  pn_window_taps(&w, 5, &first, &end); /* at 2, 4, 6 */
  EXPECT(first == 0 && end == 1);
}

static const char *window_error(const pn_window_spec *spec, int64_t input, int64_t kernel) {
  static pelton_diag diag;
  pn_window w;
  pelton_diag_init(&diag);
  EXPECT_EQ(pn_window_resolve(&diag, "conv", spec, 1, &input, &kernel, &w), PELTON_INVALID_ARGUMENT);
  return pelton_diag_message(&diag, 0);
}

TEST(windows_refused) {
  EXPECT_HAS(window_error(&(pn_window_spec){.strides = LIST(0)}, 4, 2), "strides[0] is 0");
  EXPECT_HAS(window_error(&(pn_window_spec){.pads = LIST(1)}, 4, 2), "pads has 1 values");
  EXPECT_HAS(window_error(&(pn_window_spec){.pads = LIST(-1, 0)}, 4, 2), "pads[0] is -1");
  EXPECT_HAS(window_error(&(pn_window_spec){.dilations = LIST(1, 1)}, 4, 2), "dilations has 2 values");
  EXPECT_HAS(window_error(&(pn_window_spec){.strides = LIST(1)}, 4, 5), "spans 5 on spatial axis 0");
  EXPECT_HAS(window_error(&(pn_window_spec){.strides = LIST(1)}, 4, 0), "kernel has extent 0");
  EXPECT_HAS(window_error(&(pn_window_spec){.pads = LIST(1, 1), .auto_pad = PN_AUTO_PAD_VALID}, 4, 2),
             "auto_pad is set");
}

/* infer of one symbolic operand x, the others by extents. */
static pn_type infer_symbolic(fixture *f, infer_function infer, const void *attrs, const pn_type *x, const pn_type *w) {
  pn_fact in[2] = {{.present = true, .type = *x}, {.present = w != NULL}}, out[1] = {{.present = true}};
  if (w) in[1].type = *w;
  pn_infer c = {.attrs = attrs, .input_count = w ? 2 : 1, .output_count = 1, .in = in, .out = out,
                .symbols = &f->symbols, .arena = &f->arena, .diag = &f->diag};
  REQUIRE_OK(infer(&c), &f->diag);
  return out[0].type;
}

TEST(symbols_survive) {
  fixture f;
  fixture_init(&f, NULL);
  pn_dim n = pn_dim_named(&f.symbols, PN_STR("n")), h = pn_dim_named(&f.symbols, PN_STR("h"));
  pn_type x = {.dtype = F32, .rank = 4, .dims = {n, pn_dim_of(3), h, pn_dim_of(8)}};
  pn_type w = pn_type_make(F32, DIMS(16, 3, 3, 3));
  pn_attrs_conv conv = {.pads = LIST(1, 1, 1, 1), .group = 1};
  pn_type y = infer_symbolic(&f, pn_infer_conv, &conv, &x, &w);
  EXPECT(pn_dim_equal(y.dims[0], n) && pn_dim_is(y.dims[1], 16));
  EXPECT(pn_dim_equal(y.dims[2], h) && pn_dim_is(y.dims[3], 8));
  conv = (pn_attrs_conv){.auto_pad = PN_AUTO_PAD_SAME_UPPER, .group = 1};
  y = infer_symbolic(&f, pn_infer_conv, &conv, &x, &w);
  EXPECT(pn_dim_equal(y.dims[2], h));
  /* Strided down and up again by as much. */
  conv = (pn_attrs_conv){.strides = LIST(2, 2), .pads = LIST(1, 1, 1, 1), .group = 1};
  y = infer_symbolic(&f, pn_infer_conv, &conv, &x, &w);
  pn_attrs_pool pool = {.kernel = LIST(3, 3), .strides = LIST(2, 2), .pads = LIST(1, 1, 1, 1)};
  pn_type pooled = infer_symbolic(&f, pn_infer_pool, &pool, &x, NULL);
  EXPECT(pn_dim_equal(y.dims[2], pooled.dims[2]) && !pn_dim_equal(y.dims[2], h));
  pn_type unknown = {.dtype = F32, .rank = PN_RANK_UNKNOWN};
  y = infer_symbolic(&f, pn_infer_conv, &conv, &unknown, &w);
  EXPECT(y.rank == 4 && pn_dim_is(y.dims[1], 16));
  fixture_deinit(&f);
}

/* ---- linear */

TEST(convolves) {
  fixture f;
  fixture_init(&f, NULL);
  for (pelton_dtype dtype = PELTON_DTYPE_F32; dtype <= PELTON_DTYPE_F64; dtype++) {
    REQUIRE(give(&f, 0, dtype, DIMS(1, 2, 4), VALUES(1, 2, 3, 4, 10, 20, 30, 40)));
    REQUIRE(give(&f, 1, dtype, DIMS(2, 1, 2), VALUES(1, 2, 1, -1)));
    REQUIRE(give(&f, 2, dtype, DIMS(2), VALUES(0.5, 0)));
    pn_attrs_conv attrs = {.pads = LIST(1, 0), .dilations = LIST(2), .strides = LIST(2), .group = 2};
    REQUIRE_OK(RUN(&f, conv, &attrs, 1), &f.diag);
    EXPECT_RESULT(&f, 0, 0, 4.5, 10.5, -20, -20);
  }
  fixture_deinit(&f);
}

static double inner_product(const pn_tensor *a, const pn_tensor *b) {
  double sum = 0;
  EXPECT_EQ(pn_tensor_elements(a), pn_tensor_elements(b));
  for (int64_t i = 0; i < pn_tensor_elements(a); i++) sum += pn_tensor_get_f64(a, i) * pn_tensor_get_f64(b, i);
  return sum;
}

TEST(transposed_is_the_adjoint) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, F32, DIMS(2, 4, 8, 6), NULL));
  REQUIRE(give(&f, 1, F32, DIMS(6, 2, 3, 2), NULL));
  pn_attrs_conv attrs = {.strides = LIST(2, 1), .pads = LIST(1, 0, 2, 1), .dilations = LIST(1, 2), .group = 2};
  REQUIRE_OK(RUN(&f, conv, &attrs, 1), &f.diag);
  pn_tensor x = f.in[0], w = f.in[1], y = f.out[0];
  REQUIRE(give(&f, 0, F32, y.rank, y.dims, NULL));
  pn_tensor other = f.in[0];
  f.in[1] = w;
  pn_attrs_conv_transpose back = {.strides = attrs.strides, .pads = attrs.pads, .dilations = attrs.dilations,
                                  .group = 2};
  REQUIRE_OK(RUN(&f, conv_transpose, &back, 1), &f.diag);
  EXPECT(f.out[0].dims[1] == x.dims[1] && f.out[0].dims[2] == x.dims[2] && f.out[0].dims[3] == x.dims[3]);
  EXPECT_NEAR(inner_product(&y, &other), inner_product(&x, &f.out[0]), 1e-4);
  fixture_deinit(&f);
}

TEST(integer_products) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, PELTON_DTYPE_U8, DIMS(1, 1, 3), VALUES(1, 2, 255)));
  REQUIRE(give(&f, 1, PELTON_DTYPE_I8, DIMS(2, 1, 2), VALUES(1, -128, 3, 4)));
  REQUIRE(give(&f, 2, PELTON_DTYPE_U8, 0, NULL, VALUES(1)));
  REQUIRE(give(&f, 3, PELTON_DTYPE_I8, DIMS(2), VALUES(0, 3)));
  REQUIRE_OK(RUN(&f, conv_integer, (&(pn_attrs_conv_integer){.pads = LIST(1, 0), .group = 1}), 1), &f.diag);
  EXPECT_EQ(f.out[0].dtype, PELTON_DTYPE_I32);
  EXPECT_RESULT(&f, 0, 0, 0, -128, 1 - 128 * 254, 0, 1, 254);

  REQUIRE(give(&f, 0, PELTON_DTYPE_U8, DIMS(2, 2), VALUES(1, 2, 3, 4)));
  REQUIRE(give(&f, 1, PELTON_DTYPE_U8, DIMS(2, 2), VALUES(5, 6, 7, 8)));
  REQUIRE(give(&f, 2, PELTON_DTYPE_U8, DIMS(2), VALUES(1, 3)));
  REQUIRE(give(&f, 3, PELTON_DTYPE_U8, DIMS(2), VALUES(5, 8)));
  REQUIRE_OK(RUN(&f, matmul_integer, (&(pn_attrs_matmul_integer){0}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 0, 2, 0, 2, 0);
  fixture_deinit(&f);
}

TEST(multiplies_matrices) {
  fixture f;
  fixture_init(&f, NULL);
  static const pelton_dtype dtypes[] = {F32, PELTON_DTYPE_F64, PELTON_DTYPE_BF16, PELTON_DTYPE_I32};
  for (size_t i = 0; i < PN_COUNT(dtypes); i++) {
    REQUIRE(give(&f, 0, dtypes[i], DIMS(2, 1, 2, 3), VALUES(1, 2, 3, 4, 5, 6, 1, 0, 0, 0, 0, 1)));
    REQUIRE(give(&f, 1, dtypes[i], DIMS(1, 3, 2), VALUES(1, 2, 3, 4, 5, 6)));
    REQUIRE_OK(RUN(&f, matmul, (&(pn_attrs_matmul){0}), 1), &f.diag);
    EXPECT_EQ(f.out[0].rank, 4);
    EXPECT_RESULT(&f, 0, 0, 22, 28, 49, 64, 1, 2, 5, 6);
    REQUIRE(give(&f, 0, dtypes[i], DIMS(3, 1), VALUES(1, 2, 3)));
    REQUIRE(give(&f, 1, dtypes[i], DIMS(2, 3), VALUES(1, 0, 2, 0, 1, 0)));
    REQUIRE_OK(RUN(&f, matmul, (&(pn_attrs_matmul){.trans_a = true, .trans_b = true}), 1), &f.diag);
    EXPECT_RESULT(&f, 0, 0, 7, 2);
    REQUIRE(give(&f, 0, dtypes[i], DIMS(2), VALUES(2, -1)));
    REQUIRE_OK(RUN(&f, matmul, (&(pn_attrs_matmul){0}), 1), &f.diag);
    EXPECT_EQ(f.out[0].rank, 1);
    EXPECT_RESULT(&f, 0, 0, 2, -1, 4);
  }
  REQUIRE(give(&f, 0, PELTON_DTYPE_I8, DIMS(1, 2), VALUES(100, 100)));
  REQUIRE(give(&f, 1, PELTON_DTYPE_I8, DIMS(2, 1), VALUES(2, 1)));
  REQUIRE_OK(RUN(&f, matmul, (&(pn_attrs_matmul){0}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 0, 44);
  REQUIRE(give(&f, 1, PELTON_DTYPE_I8, DIMS(3, 1), NULL));
  EXPECT_EQ(RUN(&f, matmul, (&(pn_attrs_matmul){0}), 1), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&f.diag, 0), "a's rows have 2 elements, b's columns 3");
  fixture_deinit(&f);
}

/* ---- pooling, softmax, normalisation */

TEST(pools) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, F32, DIMS(1, 1, 2, 3), VALUES(1, 5, 2, 5, 4, 3)));
  pn_attrs_pool attrs = {.kernel = LIST(2, 2)};
  REQUIRE_OK(RUN(&f, pool, &attrs, 2), &f.diag);
  EXPECT_RESULT(&f, 0, 0, 5, 5);
  EXPECT_RESULT(&f, 1, 0, 1, 1);
  attrs.column_major_indices = true;
  REQUIRE_OK(RUN(&f, pool, &attrs, 2), &f.diag);
  EXPECT_RESULT(&f, 1, 0, 2, 2);
  attrs = (pn_attrs_pool){.kind = PN_POOL_AVERAGE, .kernel = LIST(2, 2), .strides = LIST(2, 2),
                          .pads = LIST(1, 0, 0, 0),
                          .ceil_mode = true};
  REQUIRE_OK(RUN(&f, pool, &attrs, 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 3, 2, 4.5, 3);
  attrs.count_include_pad = true; /* what lies beyond the padding still does not count */
  REQUIRE_OK(RUN(&f, pool, &attrs, 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 1.5, 1, 4.5, 3);
  attrs = (pn_attrs_pool){.kind = PN_POOL_LP, .kernel = LIST(2, 3), .p = 1};
  REQUIRE_OK(RUN(&f, pool, &attrs, 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 20);
  REQUIRE(give(&f, 0, PELTON_DTYPE_U8, DIMS(1, 1, 1, 3), VALUES(200, 255, 7)));
  attrs = (pn_attrs_pool){.kernel = LIST(1, 2), .dilations = LIST(1, 2)};
  REQUIRE_OK(RUN(&f, pool, &attrs, 1), &f.diag);
  EXPECT_RESULT(&f, 0, 0, 200);
  fixture_deinit(&f);
}

TEST(softmax_lines) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, F32, DIMS(2, 2), VALUES(1000, 0, 1000, log(3))));
  REQUIRE_OK(RUN(&f, softmax, (&(pn_attrs_softmax){.axis = 0}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 0.5, 0.25, 0.5, 0.75);
  REQUIRE_OK(RUN(&f, softmax, (&(pn_attrs_softmax){.axis = -1, .log = true}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-3, 0, -1000, 0, log(3) - 1000);
  fixture_deinit(&f);
}

TEST(normalises) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, F32, DIMS(2, 2), VALUES(1, 3, -4, 4)));
  REQUIRE(give(&f, 1, F32, DIMS(2), VALUES(1, 10)));
  REQUIRE(give(&f, 2, F32, DIMS(2, 1), VALUES(0, 100)));
  REQUIRE_OK(RUN(&f, layer_norm, (&(pn_attrs_layer_norm){.axis = -1}), 3), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-5, -1, 10, 99, 110);
  EXPECT_RESULT(&f, 1, 1e-6, 2, 0);
  EXPECT_RESULT(&f, 2, 1e-6, 1, 0.25);
  f.in_count = 1;
  REQUIRE_OK(RUN(&f, layer_norm, (&(pn_attrs_layer_norm){.axis = 1, .kind = PN_NORM_RMS, .epsilon = 4}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 1.0 / 3, 1, -4 / sqrt(20), 4 / sqrt(20));
  REQUIRE_OK(RUN(&f, lp_norm, (&(pn_attrs_lp_norm){.axis = 0, .p = 1}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 0.2, 3.0 / 7, -0.8, 4.0 / 7);
  REQUIRE_OK(RUN(&f, lrn, (&(pn_attrs_lrn){.size = 2, .alpha = 2, .beta = 1, .bias = 1}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 1.0 / 11, 0.3, -4.0 / 33, 4.0 / 17);

  REQUIRE(give(&f, 0, F32, DIMS(1, 4, 1), VALUES(1, 3, 10, 30)));
  REQUIRE(give(&f, 1, F32, DIMS(4), VALUES(1, 2, 3, 4)));
  REQUIRE(give(&f, 2, F32, DIMS(4), VALUES(0, 0, 0, 1)));
  REQUIRE_OK(RUN(&f, group_norm, (&(pn_attrs_group_norm){.groups = 2}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, -1, 2, -3, 5);
  fixture_deinit(&f);
}

TEST(normalises_batches) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, F32, DIMS(2, 1, 2), VALUES(1, 3, 5, 7)));
  for (uint32_t i = 1; i < 5; i++) REQUIRE(give(&f, i, F32, DIMS(1), VALUES((double)i)));
  pn_attrs_batch_norm attrs = {.momentum = 0.75f};
  REQUIRE_OK(RUN(&f, batch_norm, &attrs, 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 1, 2, 3, 4); /* scale 1, bias 2, mean 3, var 4 */
  attrs.training = true;
  REQUIRE_OK(RUN(&f, batch_norm, &attrs, 3), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 2 - 3 / sqrt(5), 2 - 1 / sqrt(5), 2 + 1 / sqrt(5), 2 + 3 / sqrt(5));
  EXPECT_RESULT(&f, 1, 1e-6, 3.25);
  EXPECT_RESULT(&f, 2, 1e-6, 4.25);
  fixture_deinit(&f);
}

/* ---- resize */

TEST(resizes) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, F32, DIMS(1, 4), VALUES(0, 10, 20, 30)));
  f.in_count = 3;
  REQUIRE(give(&f, 3, PELTON_DTYPE_I64, DIMS(2), VALUES(1, 2)));
  REQUIRE_OK(RUN(&f, resize, (&(pn_attrs_resize){.mode = PN_RESIZE_LINEAR}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 5, 25);
  REQUIRE_OK(RUN(&f, resize, (&(pn_attrs_resize){.mode = PN_RESIZE_LINEAR, .antialias = true}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-5, 6.25, 23.75); /* 1 3 3 1 eighths, the ends twice */
  pn_attrs_resize excluding = {.mode = PN_RESIZE_LINEAR, .antialias = true, .exclude_outside = true};
  REQUIRE_OK(RUN(&f, resize, &excluding, 1), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-5, (0 * 3 + 10 * 3 + 20) / 7.0, (10 + 20 * 3 + 30 * 3) / 7.0);
  static const double wanted[PN_resize_rounding_count][2] = {{0, 20}, {10, 30}, {0, 20}, {10, 30}}; /* at 0.5 and 2.5 */
  for (int rounding = 0; rounding < PN_resize_rounding_count; rounding++) {
    REQUIRE_OK(RUN(&f, resize, (&(pn_attrs_resize){.rounding = (pn_resize_rounding)rounding}), 1), &f.diag);
    expect_result(&f, 0, 0, wanted[rounding], 2, __LINE__);
  }
  fixture_deinit(&f);
}

/* Weights sum to one: a constant stays itself, whatever the coordinates, except where they reach outside of a crop. */
TEST(resizes_constants) {
  fixture f;
  fixture_init(&f, NULL);
  const double sevens[] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
  REQUIRE(give(&f, 0, F32, DIMS(3, 5), sevens));
  REQUIRE(give(&f, 1, F32, DIMS(4), VALUES(0.1, 0, 0.9, 1)));
  REQUIRE(give(&f, 2, F32, DIMS(2), VALUES(2.5, 0.6)));
  for (int mode = 0; mode < PN_resize_mode_count; mode++)
    for (int coordinates = 0; coordinates < PN_resize_coordinates_count; coordinates++)
      for (int flags = 0; flags < 4; flags++) {
        pn_attrs_resize attrs = {.mode = (pn_resize_mode)mode, .coordinates = (pn_resize_coordinates)coordinates,
                                 .antialias = (flags & 1) && mode != PN_RESIZE_NEAREST, .exclude_outside = flags & 2,
                                 .cubic_a = -0.5f};
        REQUIRE_OK(RUN(&f, resize, &attrs, 1), &f.diag);
        EXPECT_EQ(f.out[0].dims[0] * 10 + f.out[0].dims[1], 73);
        for (int64_t i = 0; i < pn_tensor_elements(&f.out[0]); i++)
          EXPECT_NEAR(pn_tensor_get_f64(&f.out[0], i), 7, 1e-5);
      }
  fixture_deinit(&f);
}

/* ---- recurrent */

static void give_layer(fixture *f, int64_t directions, int64_t gates) {
  fixture_init(f, NULL);
  REQUIRE(give(f, 0, F32, DIMS(4, 2, 3), NULL));
  REQUIRE(give(f, 1, F32, DIMS(directions, gates * 2, 3), NULL));
  REQUIRE(give(f, 2, F32, DIMS(directions, gates * 2, 2), NULL));
  REQUIRE(give(f, 3, F32, DIMS(directions, gates * 4), NULL));
  REQUIRE(give(f, 4, PELTON_DTYPE_I32, DIMS(2), VALUES(4, 2)));
}

TEST(lstm_by_hand) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, F32, DIMS(2, 1, 1), VALUES(1, 2)));
  REQUIRE(give(&f, 1, F32, DIMS(1, 4, 1), VALUES(1, 1, 0, 1)));
  REQUIRE(give(&f, 2, F32, DIMS(1, 4, 1), VALUES(0, 0, 0, 1)));
  /* Activations f = relu, g = h = affine (x): i = x, o = x, f = 0 + bias 0.5, c = x + h. */
  REQUIRE(give(&f, 3, F32, DIMS(1, 8), VALUES(0, 0, 0.5, 0, 0, 0, 0, 0)));
  pn_attrs_recurrent attrs = {.kind = PN_RECURRENT_LSTM, .hidden = 1, .activations = PN_STR("relu,affine,affine")};
  REQUIRE_OK(RUN(&f, recurrent, &attrs, 3), &f.diag);
  EXPECT_RESULT(&f, 0, 1e-6, 1, 13); /* c: 1, then 0.5 + 2 * 3; h: o * c */
  EXPECT_RESULT(&f, 1, 1e-6, 13);
  EXPECT_RESULT(&f, 2, 1e-6, 6.5);
  attrs.activations = PN_STR("relu,affine");
  EXPECT_EQ(RUN(&f, recurrent, &attrs, 3), PELTON_INVALID_ARGUMENT);
  attrs.activations = PN_STR("relu,affine,cosine");
  EXPECT_EQ(RUN(&f, recurrent, &attrs, 3), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&f.diag, 1), "'cosine' is not known");
  fixture_deinit(&f);
}

/* The first direction of a bidirectional layer is a forward one, the second a reverse one. */
TEST(directions_agree) {
  for (int kind = 0; kind < PN_recurrent_kind_count; kind++) {
    int64_t gates = kind == PN_RECURRENT_LSTM ? 4 : kind == PN_RECURRENT_GRU ? 3 : 1;
    fixture both, one;
    give_layer(&both, 2, gates);
    pn_attrs_recurrent attrs = {.kind = (pn_recurrent_kind)kind, .hidden = 2, .direction = PN_DIRECTION_BOTH};
    REQUIRE_OK(RUN(&both, recurrent, &attrs, 2), &both.diag);
    for (int64_t d = 0; d < 2; d++) {
      give_layer(&one, 1, gates);
      for (uint32_t i = 1; i <= 3; i++) {
        int64_t count = pn_tensor_elements(&one.in[i]);
        memcpy(one.in[i].data, (const float *)both.in[i].data + d * count, (size_t)count * sizeof(float));
      }
      attrs.direction = d ? PN_DIRECTION_REVERSE : PN_DIRECTION_FORWARD;
      REQUIRE_OK(RUN(&one, recurrent, &attrs, 2), &one.diag);
      for (int64_t t = 0; t < 4; t++)
        for (int64_t i = 0; i < 4; i++) /* [t, d, batch, hidden] */
          EXPECT(pn_tensor_get_f64(&both.out[0], (t * 2 + d) * 4 + i) == pn_tensor_get_f64(&one.out[0], t * 4 + i));
      EXPECT(pn_tensor_get_f64(&one.out[0], 3 * 4 + 2) == 0); /* beyond the second sequence's length */
      /* The last state is the output at the end of the sequence, or at its beginning when it runs backwards. */
      EXPECT(pn_tensor_get_f64(&one.out[1], 2) == pn_tensor_get_f64(&one.out[0], (d ? 0 : 1) * 4 + 2));
      fixture_deinit(&one);
    }
    fixture_deinit(&both);
  }
}

/* ---- quantisation */

/* Four values, two scales, a block each; results of few bits are at the ends of their ranges for what lies outside. */
TEST(quantizes_to_few_bits) {
  fixture f;
  fixture_init(&f, NULL);
  static const struct {
    pelton_dtype dtype;
    bool overflows;
    double want[4];
  } cases[] = {
      {PELTON_DTYPE_I4, false, {2, -8, 7, 0}},       {PELTON_DTYPE_U4, false, {2, 0, 15, 0}},
      {PELTON_DTYPE_I2, false, {1, -2, 1, 0}},       {PELTON_DTYPE_U2, false, {2, 0, 3, 0}},
      {PELTON_DTYPE_F4E2M1, false, {2, -6, 6, 0.5}}, {PELTON_DTYPE_F8E4M3FN, false, {1.75, -448, 448, 0.40625}},
      {PELTON_DTYPE_F8E5M2, false, {1.75, -512, 57344, 0.375}},
      {PELTON_DTYPE_F8E5M2, true, {1.75, -512, INFINITY, 0.375}},
      {PELTON_DTYPE_F8E4M3FN, true, {1.75, -(double)NAN, (double)NAN, 0.40625}},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    REQUIRE(give(&f, 0, F32, DIMS(1, 4), VALUES(3.5, -1000, 1e6, 0.4)));
    REQUIRE(give(&f, 1, F32, DIMS(1, 2), VALUES(2, 1)));
    f.in_count = 2;
    pn_attrs_quantize attrs = {.axis = 1, .block = 2, .dtype = cases[i].dtype, .saturate = !cases[i].overflows};
    REQUIRE_OK(RUN(&f, quantize, &attrs, 1), &f.diag);
    EXPECT_EQ(f.out[0].dtype, cases[i].dtype);
    for (int64_t k = 0; k < 4; k++) {
      double got = pn_tensor_get_f64(&f.out[0], k);
      EXPECT(isnan(cases[i].want[k]) ? isnan(got) : got == cases[i].want[k]);
    }
    REQUIRE(give(&f, 0, cases[i].dtype, DIMS(2), VALUES(1, -1)));
    REQUIRE(give(&f, 1, PELTON_DTYPE_F8E8M0, 0, NULL, VALUES(0.5)));
    REQUIRE_OK(RUN(&f, dequantize, (&(pn_attrs_dequantize){.dtype = F32}), 1), &f.diag);
    double below = pn_tensor_get_f64(&f.in[0], 1); /* -1, or what it wraps to */
    EXPECT_RESULT(&f, 0, 0, 0.5, 0.5 * below);
    EXPECT_EQ(RUN(&f, dequantize, (&(pn_attrs_dequantize){0}), 1), PELTON_INVALID_ARGUMENT);
    EXPECT_HAS(pelton_diag_message(&f.diag, 0), "set dtype");
    pelton_diag_init(&f.diag);
  }
  REQUIRE(give(&f, 0, F32, DIMS(1), VALUES(1)));
  REQUIRE(give(&f, 1, F32, 0, NULL, VALUES(1)));
  EXPECT_EQ(RUN(&f, quantize, (&(pn_attrs_quantize){.dtype = PELTON_DTYPE_F8E8M0}), 1), PELTON_INVALID_ARGUMENT);
  EXPECT_EQ(RUN(&f, quantize, (&(pn_attrs_quantize){.dtype = PELTON_DTYPE_BOOL}), 1), PELTON_INVALID_ARGUMENT);
  fixture_deinit(&f);
}

TEST(quantizes) {
  fixture f;
  fixture_init(&f, NULL);
  REQUIRE(give(&f, 0, F32, DIMS(2, 4), VALUES(1, 3, -1, 1000, 5, -5, NAN, -1000)));
  REQUIRE(give(&f, 1, F32, 0, NULL, VALUES(2)));
  REQUIRE(give(&f, 2, PELTON_DTYPE_I8, 0, NULL, VALUES(1)));
  REQUIRE_OK(RUN(&f, quantize, (&(pn_attrs_quantize){.axis = 1}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 0, 1, 3, 1, 127, 3, -1, 1, -128); /* halves go to even, before the zero point */
  f.in_count = 2;
  REQUIRE(give(&f, 1, F32, DIMS(2), VALUES(2, 5)));
  REQUIRE_OK(RUN(&f, quantize, (&(pn_attrs_quantize){.axis = 0, .dtype = PELTON_DTYPE_U16}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 0, 0, 2, 0, 500, 1, 0, 0, 0);
  REQUIRE(give(&f, 0, PELTON_DTYPE_I8, DIMS(2, 3), VALUES(1, 2, 3, 4, 5, 6)));
  REQUIRE(give(&f, 1, F32, DIMS(2, 2), VALUES(1, 10, 100, 0.5)));
  REQUIRE(give(&f, 2, PELTON_DTYPE_I8, DIMS(2, 2), VALUES(0, 1, 2, 3)));
  REQUIRE_OK(RUN(&f, dequantize, (&(pn_attrs_dequantize){.axis = 1, .block = 2}), 1), &f.diag);
  EXPECT_RESULT(&f, 0, 0, 1, 2, 20, 200, 300, 1.5);
  REQUIRE(give(&f, 1, F32, DIMS(3), NULL));
  EXPECT_EQ(RUN(&f, dequantize, (&(pn_attrs_dequantize){.axis = 0}), 1), PELTON_INVALID_ARGUMENT);
  f.in_count = 1;
  REQUIRE(give(&f, 0, F32, DIMS(3), VALUES(-1, 0, 1.55)));
  REQUIRE_OK(RUN(&f, dynamic_quantize, (&(pn_attrs_dynamic_quantize){0}), 3), &f.diag);
  EXPECT_RESULT(&f, 0, 0, 0, 100, 255);
  EXPECT_RESULT(&f, 1, 1e-8, 0.01);
  EXPECT_RESULT(&f, 2, 0, 100);
  fixture_deinit(&f);
}

/* ---- memory */

static pelton_status run_without_memory(fixture *f, int which) {
  static const pn_attrs_resize resize = {.mode = PN_RESIZE_CUBIC};
  pn_attrs_conv conv = {.group = 1};
  pn_attrs_recurrent rnn = {.kind = PN_RECURRENT_RNN, .hidden = 2};
  int64_t large = 40000; /* beyond an arena's first blocks, so that several allocations are made */
  bool ok = give(f, 0, PELTON_DTYPE_F64, DIMS(1, 1, large), NULL);
  if (ok && which < 2) ok = give(f, 1, PELTON_DTYPE_F64, DIMS(1, which ? 2 : 1, which ? large : 3), NULL);
  if (ok && which == 1) ok = give(f, 2, PELTON_DTYPE_F64, DIMS(1, 2, 2), NULL);
  if (ok && which == 2) ok = give(f, 2, F32, DIMS(3), VALUES(1, 1, 2));
  if (!ok) return PELTON_OUT_OF_MEMORY;
  if (which == 0) return RUN(f, conv, &conv, 1);
  if (which == 1) return RUN(f, recurrent, &rnn, 1);
  return RUN(f, resize, &resize, 1);
}

TEST(runs_out_of_memory) {
  for (int which = 0; which < 3; which++) {
    harness_allocator a;
    uint64_t n = 0;
    do {
      fixture f;
      fixture_init(&f, harness_allocator_init(&a, ++n));
      pelton_status status = run_without_memory(&f, which);
      EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
      fixture_deinit(&f);
      EXPECT_EQ(a.live, 0);
    } while (a.failed);
    EXPECT(n > 4);
  }
}

TEST_MAIN(T(windows_resolve), T(windows_refused), T(symbols_survive), T(convolves), T(transposed_is_the_adjoint),
          T(integer_products), T(multiplies_matrices), T(pools), T(softmax_lines), T(normalises), T(normalises_batches),
          T(resizes), T(resizes_constants), T(lstm_by_hand), T(directions_agree), T(quantizes),
          T(quantizes_to_few_bits), T(runs_out_of_memory))
