/* A network built in C code without any file, through include/pelton/build.h. */
#include "harness.h"
#include "pelton/build.h"

static pelton_diag diag;

static pelton_value constant(pelton_model *model, const char *name, uint32_t rank, const int64_t *dims, uint32_t seed) {
  static float data[4096];
  pelton_tensor t = {PELTON_DTYPE_F32, {rank, {0}}, data, sizeof data};
  size_t count = 1;
  for (uint32_t i = 0; i < rank; i++) count *= (size_t)(t.shape.dims[i] = dims[i]);
  REQUIRE(count <= 4096);
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    data[i] = (float)(seed >> 16) / 65536.0f - 0.5f;
  }
  pelton_value value = 0;
  REQUIRE_OK(pelton_model_add_constant(model, name, &t, &value, &diag), &diag);
  return value;
}

static pelton_value node(pelton_model *model, const char *op, const char *attributes, const char *name, pelton_value a,
                         pelton_value b, pelton_value c) {
  pelton_value inputs[3] = {a, b, c}, output = 0;
  uint32_t count = c ? 3 : b ? 2 : 1;
  REQUIRE_OK(pelton_model_add_node(model, op, attributes, name, inputs, count, &output, 1, &diag), &diag);
  return output;
}

/* conv 5x5, relu, pool, product, softmax: a small classifier. */
static pelton_model *make(void) {
  pelton_model *model = NULL;
  pelton_value x = 0;
  pelton_diag_init(&diag);
  REQUIRE_OK(pelton_model_create("lenet", NULL, &model, &diag), &diag);
  REQUIRE_OK(pelton_model_add_input(model, "image", PELTON_DTYPE_F32, "n,1,12,12", &x, &diag), &diag);
  pelton_value w = constant(model, "w", 4, (const int64_t[]){8, 1, 5, 5}, 1),
               b = constant(model, "b", 1, (const int64_t[]){8}, 2);
  pelton_value c = node(model, "conv", "", "conv1", x, w, b);
  pelton_value r = node(model, "pointwise", "expr=\"relu(x0)\"", "relu1", c, 0, 0);
  pelton_value p = node(model, "pool", "kind=max kernel=[2,2] strides=[2,2]", "pool1", r, 0, 0);
  pelton_value f = node(model, "flatten", "", "flat", p, 0, 0);
  pelton_value m = node(model, "matmul", "", "fc", f, constant(model, "fc.w", 2, (const int64_t[]){128, 10}, 3), 0);
  REQUIRE_OK(pelton_model_add_output(model, node(model, "softmax", "axis=1", "prob", m, 0, 0), "probabilities", &diag),
             &diag);
  return model;
}

TEST(a_network_in_code_is_built_and_run) {
  pelton_model *model = make();
  pelton_engine *engine;
  pelton_context *context;
  static float data[2 * 144];
  pelton_tensor in = {PELTON_DTYPE_F32, {4, {2, 1, 12, 12}}, data, sizeof data},
                out = {PELTON_DTYPE_NONE, {0, {0}}, NULL, 0};
  for (int i = 0; i < 2 * 144; i++) data[i] = (float)(i % 17) / 17.0f;
  REQUIRE_OK(pelton_engine_build(model, NULL, &engine, &diag), &diag);
  pelton_model_release(model); /* the engine keeps what it needs */
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
  EXPECT_EQ(out.shape.rank, 2);
  EXPECT_EQ(out.shape.dims[0], 2);
  float sum = 0;
  for (int i = 0; i < 10; i++) sum += ((const float *)out.data)[i];
  EXPECT_NEAR(sum, 1, 1e-5);
  pelton_io_info info;
  REQUIRE(pelton_engine_output(engine, 0, &info) == PELTON_OK);
  EXPECT_STR(info.name, "probabilities");
  EXPECT_EQ(info.shape.dims[0], -1);
  EXPECT_STR(info.dim_names[0], "n");
  EXPECT_HAS(pelton_engine_report(engine), "conv_direct");
  pelton_context_release(context);
  pelton_engine_release(engine);
}

TEST(it_prints_as_text_that_parses_again) {
  pelton_model *model = make(), *again;
  char *text[2];
  REQUIRE_OK(pelton_model_print(model, 0, &text[0], &diag), &diag);
  REQUIRE_OK(pelton_model_parse(text[0], strlen(text[0]), NULL, &again, &diag), &diag);
  REQUIRE_OK(pelton_model_print(again, 0, &text[1], &diag), &diag);
  EXPECT_STR(text[1], text[0]);
  pelton_text_release(text[0]);
  pelton_text_release(text[1]);
  pelton_model_release(model);
  pelton_model_release(again);
}

TEST(mistakes_are_named_at_once) {
  pelton_model *model = make();
  pelton_value x, y, bad = 9999;
  REQUIRE_OK(pelton_model_add_input(model, "other", PELTON_DTYPE_F32, "2,3", &x, &diag), &diag);
  EXPECT(pelton_model_add_node(model, "convolution", "", "c", &x, 1, &y, 1, &diag) == PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, diag.count - 1), "convolution");
  EXPECT(pelton_model_add_node(model, "softmax", "axes=1", "s", &x, 1, &y, 1, &diag) != PELTON_OK);
  EXPECT_HAS(pelton_diag_message(&diag, diag.count - 1), "axes");
  EXPECT(pelton_model_add_node(model, "softmax", "", "s", &bad, 1, &y, 1, &diag) == PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, diag.count - 1), "9999");
  EXPECT(pelton_model_add_input(model, "z", PELTON_DTYPE_F32, "2,(3", &y, &diag) != PELTON_OK);
  pelton_model_release(model);
}

TEST_MAIN(T(a_network_in_code_is_built_and_run), T(it_prints_as_text_that_parses_again), T(mistakes_are_named_at_once))
