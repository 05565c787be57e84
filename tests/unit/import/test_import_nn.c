/* ONNX's operators of neural networks into the IR's: what each version of an operator set made of a node, and of its
   attributes. The models lie in tests/import/nn/, written by make_nn_models.py there. */
#include "harness.h"

#include "import/import.h"
#include "ir/text.h"
#include "ir/verify.h"

#include <stdio.h>

static pelton_diag diag;

static pelton_status import(const char *name, pn_model **out) {
  char path[256];
  pelton_diag_init(&diag);
  snprintf(path, sizeof path, "tests/import/nn/%s", name);
  return pn_model_import(path, NULL, out, &diag);
}

/* The text of the graph that the model |name| becomes has each of |parts|, in this order. */
static void expect_graph(const char *name, const char *const *parts) {
  pn_model *model;
  pn_text text;
  REQUIRE_OK(import(name, &model), &diag);
  REQUIRE_OK(pn_graph_verify(model->graph, &diag), &diag);
  pn_text_init(&text, NULL);
  pn_graph_print(model->graph, 64, &text);
  REQUIRE(!text.failed);
  const char *at = text.data;
  for (; *parts; parts++) {
    EXPECT_HAS(at, *parts);
    const char *found = strstr(at, *parts);
    if (found) at = found + strlen(*parts);
  }
  pn_text_deinit(&text);
  pn_model_release(model);
}
#define EXPECT_GRAPH(name, ...) expect_graph(name, (const char *const[]){__VA_ARGS__, NULL})

static void expect_refused(const char *name, pelton_status status, const char *const *parts) {
  pn_model *model;
  uint32_t count = 0;
  EXPECT_EQ(import(name, &model), status);
  for (; parts[count]; count++) EXPECT_HAS(pelton_diag_message(&diag, count), parts[count]);
  EXPECT_EQ(diag.count, count);
}
#define EXPECT_REFUSED(name, status, ...) expect_refused(name, status, (const char *const[]){__VA_ARGS__, NULL})

/* Padding that the node says twice; factors of 1; axes that split in two; scales as an attribute. */
TEST(opset_7) {
  EXPECT_GRAPH("nn_7.onnx", "%r0_0: f32[1,6,4,4] = conv(%v0, %v1, %v2) strides=[2,2] group=2 auto_pad=same_lower  #",
               "%Gemm1: f32[3,5] = matmul(%v3, %v4) trans_a=true  #",
               "%r1_0: f32[3,5] = pointwise(%Gemm1, %v5) expr=\"add(mul(x0,0.5:f32),mul(x1,2.0:f32))\"",
               "%r2_0: f32[3,5] = pointwise(%Gemm2, %v8) expr=\"add(x0,x1)\"", "%r3_0: f32[3,5] = matmul(%v9, %v10)  #",
               "%Softmax4: f32[2,12] = flatten(%v12)  #", "= softmax(%Softmax4)  #", "= shape_of(%v12)  #",
               "%r4_0: f32[2,3,4] = reshape(", "%r5_0: f32[2,3,1,1] = softmax(%v13) axis=1  #",
               "%r6_0: f32[2,3] = softmax(%v14) axis=1 log=true  #",
               "%r7_0: f32[1,3,4,4] = batch_norm(%v15, %v16, %v17, %v18, %v19) epsilon=0.001  #",
               "%r8_0: f32[1,3,4] = pointwise(%v20, %v21, %v22, %v23, %v24)", "= const [2, 3]",
               "%r9_0: f32[1,3,1,1] = reduce(", " kind=mean empty_is_none=true  #", "expr=\"pow(abs(x0),3.0:f32)\"",
               "%r10_0: f32[1,3,1,1] = pointwise(", "expr=\"pow(x0,0.33333334:f32)\"",
               "%r11_0: f32[1,3,3,3] = pool(%v27) kind=lp kernel=[2,2]  #", "= const [1.0, 1.0, 2.0, 2.0]",
               "%r12_0: f32[1,3,8,8] = resize(%v28, _, ", " mode=linear coordinates=asymmetric rounding=floor  #");
}

/* The nearest place lies elsewhere for axes that are enlarged and shrunk; quantised operators are taken apart. */
TEST(opset_10) {
  EXPECT_GRAPH(
      "nn_10.onnx", "%r0_0: f32[1,3,5,8], %r0_1: i64[1,3,5,8] = pool(%v0) kernel=[3,2] dilations=[2,1] ceil_mode=true",
      " column_major_indices=true  #",
      "%r2_0: f32[1,3,9,8] = pool(%v1) kind=average kernel=[3,2] pads=[1,0,1,0] count_include_pad=true  #",
      "= const [1.0, 1.0, 2.0, 1.0]", "f32[1,3,8,4] = resize(%v2, _, ", " coordinates=asymmetric rounding=floor  #",
      "= const [1.0, 1.0, 1.0, 0.5]", "%r3_0: f32[1,3,8,2] = resize(", " coordinates=asymmetric rounding=ceil  #",
      "%r4_0: f32[1,3,8,2] = resize(%v4, _, %v5) mode=linear coordinates=asymmetric rounding=floor  #",
      "%r5_0: u8[3,4] = quantize(%v6, %v7) dtype=u8  #", "%r6_0: f32[3,4] = dequantize(%v8, %v9, %v10)  #",
      "= dequantize(%v11, %v12, %v13) axis=-2  #", "= dequantize(%v14, %v15, %v16) axis=-1  #", "f32[3,5] = matmul(",
      "%r7_0: u8[3,5] = quantize(", ", %v17, %v18)", "f32[1,3,8,8] = dequantize(%v19, %v20, %v21)  #",
      "= dequantize(%v22, %v23, %v24) axis=0  #", "= pointwise(%v20, %v23) expr=\"mul(x0,x1)\"",
      "f32[6] = dequantize(%v27, ", " axis=0  #", "f32[1,6,6,6] = conv(", "%r8_0: u8[1,6,6,6] = quantize(",
      ", %v25, %v26)  #");
}

/* A scale a group is repeated for its channels; statistics have the type that the node asks for; operands without
   elements are none. */
TEST(opset_18) {
  EXPECT_GRAPH("nn_18.onnx", "i64[1] = shape_of(%v0) start=1 end=2  #", "expr=\"div(x0,3:i64)\"",
               "f32[3,1] = unsqueeze(%v1,", "f32[3,2] = expand(", "f32[6] = reshape(", "f32[3,1] = unsqueeze(%v2,",
               "f32[3,2] = expand(", "f32[6] = reshape(", "%r0_0: f32[1,6,4,4] = group_norm(%v0, ", " groups=3  #",
               "%r1_0: f32[1,3,4,4], %r1_1: f32[3], %r1_2: f32[3] = batch_norm(%v3, %v4, %v5, %v6, %v7) momentum=0.5 "
               "training=true",
               "%layer: f32[2,3,4], _, ", "f32[2,3,1] = layer_norm(%v8, %v9, %v10)  #",
               "%deviation: f64[2,3,1] = pointwise(", "expr=\"cast(x0,f64)\"", "= const [0, 2, 3]",
               "f32[1,3,1,1] = reduce(%v11, ", "%r6_0: f32[1,3,4,4] = pointwise(",
               "expr=\"div(x0,add(sqrt(x1),1e-9:f32))\"",
               "%r7_0: f32[1,3,9,9] = resize(%v12, _, _, %v15) mode=cubic coordinates=align_corners  #",
               "%r8_0: f32[1,3,8,8] = resize(%v16, _, %v17) mode=linear antialias=true axes=[2,3]  #");
}

TEST(opset_23) {
  EXPECT_GRAPH(
      "nn_23.onnx", "%r0_0: f32[1,6,4,4] = group_norm(%v0, %v1, %v2) groups=3  #",
      "%r1_0: f32[2,3,4] = layer_norm(%v3, %v4) epsilon=0.001 kind=rms  #",
      "f32[4,6] = pointwise(%v5) expr=\"cast(x0,f32)\"", "f32[2,6] = pointwise(%v6) expr=\"cast(x0,f32)\"",
      "%r2_0: i8[4,6] = quantize(", " axis=0 block=2 dtype=i8  #", "expr=\"gelu(x0)\"",
      "%hidden: f32[2,2,4] = recurrent(%v8, %v9, %v10, _, _, %v11) hidden=4 direction=bidirectional",
      "activations=\"sigmoid,tanh,tanh,sigmoid,tanh,tanh\" clip=0.5  #",
      "%all: f32[5,1,2,4] = recurrent(%v12, %v13, %v14) kind=gru hidden=4 activations=\"hardsigmoid,scaledtanh\"",
      " alpha=[0.25,1.5] beta=[0.5,0.75]", " linear_before_reset=true  #");
}

/* A scan over the batch of the scan of one sequence. */
TEST(opset_8) {
  EXPECT_GRAPH("nn_8.onnx", "%last: f32[3,2], %products: f32[3,4,2] = scan(%v1, %v2, %v0) body={ graph",
               "(%v1: f32[2], %v2: f32[4,2], %v0: f32[2])", "= scan(%v1, %v2, %v0) body={ graph body(%state: f32[2], ",
               "%sum: f32[2] = pointwise(%state, %element)", "%product: f32[2] = pointwise(%sum, %v0)",
               "} state_count=1 scan_count=1 input_reversed=[1]", "} scan_count=2  #");
}

/* What is ignored reads class 0 and counts 0; weights divide only a mean. */
TEST(losses) {
  EXPECT_GRAPH("nn_losses.onnx", "i64[4,1] = unsqueeze(%v1, ", "f32[4,1] = gather_elements(%v0, ", " axis=1  #",
               "f32[4] = squeeze(", "%r0_0: f32[4] = pointwise(", "expr=\"neg(x0)\"", "f32[4] = gather(%v4, %v3)",
               "expr=\"mul(x0,x1)\"", "%r1_0: f32[] = pointwise(", "expr=\"div(x0,x1)\"",
               "expr=\"select(equal(x0,-1:i64),0:i64,x1)\"", "f32[4] = gather(%v7, ",
               "expr=\"select(equal(x0,-1:i64),0.0:f32,x1)\"", "%r2_0: f32[] = reduce(", " keep_dims=false  #",
               "%logarithms: f32[4,5] = softmax(%v8) axis=1 log=true  #", "expr=\"select(equal(x0,7:i32),0:i32,x1)\"",
               "expr=\"cast(not(equal(x0,7:i32)),f32)\"", "%r5_0: f32[] = reduce(", " kind=mean keep_dims=false  #");
}

TEST(signals) {
  EXPECT_GRAPH("nn_signal.onnx", "= const [1]", "%r0_0: f32[2,6,2] = dft(%v0, _, ", " onesided=true  #", "= const [-2]",
               "%r1_0: f32[2,16,2] = dft(%v1, %v2, ", "expr=\"add(div(sub(x0,x1),x2),1:i64)\"",
               "f32[2,15,16,1] = gather(%v3, ", " axis=1  #", "f32[16,1] = unsqueeze(%v5, ",
               "%r2_0: f32[2,15,9,2] = dft(", " onesided=true  #", "%r3_0: f32[2,?1,16,2] = dft(",
               "%r4_0: f32[9,4] = pointwise(", "expr=\"select(greater(x0,0.5:f32),1.0:f32,0.0:f32)\"",
               "%r6_0: i64[2,3] = pointwise(",
               "%r7_0: f32[1,2] = gather(", " axis=-1  #", "%r8_0: f32[2,2] = gather(%v18, ");
}

/* Queries that share keys are multiplied together; the subgraph sees each head apart. */
TEST(opset_27) {
  EXPECT_GRAPH("nn_27.onnx", "expr=\"mul(x0,0.5:f32)\"", "f32[2,2,6,8] = reshape(", "f32[2,2,6,5] = matmul(",
               "f32[2,4,3,5] = reshape(", "%biased: f32[2,4,3,5] = pointwise(", ", %v0) expr=\"add(x0,x1)\"",
               "f32[2,4,3,5] = softmax(%biased)", "f32[2,2,6,5] = reshape(", "%y: f32[2,4,3,6] = reshape(",
               "%r1_0: f32[2,4,3,6] = attention(%v4, %v5, %v6) softmax_dtype=f32  #",
               "%r2_0: f32[2,3,12], %r2_1: f32[2,2,2,3] = linear_attention(%v7, %v8, %v9, _, _, %v10) q_heads=4 "
               "kv_heads=2 rule=delta  #",
               "f32[2,4,10] = concat(%v14, %v11) axis=2  #", "= const [-2]", "%r4_1: f32[2,4,2] = slice(", "= conv(",
               ", %v12, %v13) group=4  #", "%r4_0: f32[2,4,8] = pointwise(", "expr=\"silu(x0)\"",
               "%r6_1: f32[2,4,0] = slice(", "%r6_0: f32[2,4,8] = conv(", "%r8_0: f32[1,2,4,4] = col2im(%v17, ");
}

TEST(refused) {
  EXPECT_REFUSED("nn_refused.onnx", PELTON_INVALID_DATA,
                 "node \"BatchNormalization0\" (BatchNormalization, ai.onnx, opset 9): it trains",
                 "attribute \"auto_pad\" is \"same\", which Pelton does not know",
                 "its activation \"Swish\" is none that ONNX has");
  EXPECT_REFUSED("nn_gemm_rank.onnx", PELTON_INVALID_DATA, "its input 0 has 3 dimensions, but must have 2");
  EXPECT_REFUSED("nn_flex_refused.onnx", PELTON_INVALID_DATA, "its subgraph \"none\" has 0 inputs, but must have 1");
  EXPECT_REFUSED("nn_resize_unknown.onnx", PELTON_UNSUPPORTED, "scales that are known only at run time",
                 "its input 1, scales, has more than one dimension");
}

/* Every allocation of an import in turn fails. */
TEST(memory) {
  static const char *const paths[] = {"tests/import/nn/nn_7.onnx", "tests/import/nn/nn_10.onnx", "tests/import/nn/nn_18.onnx",
                                      "tests/import/nn/nn_23.onnx", "tests/import/nn/nn_27.onnx",
                                      "tests/import/nn/nn_8.onnx", "tests/import/nn/nn_losses.onnx",
                                      "tests/import/nn/nn_signal.onnx"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    harness_allocator a;
    uint64_t n = 0;
    do {
      pn_model *model = NULL;
      pelton_diag_init(&diag);
      const pelton_status status = pn_model_import(paths[i], harness_allocator_init(&a, ++n), &model, &diag);
      EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
      if (model) pn_model_release(model);
      EXPECT_EQ(a.live, 0);
    } while (a.failed);
  }
}

TEST_MAIN(T(opset_7), T(opset_10), T(opset_18), T(opset_23), T(opset_8), T(losses), T(signals), T(opset_27),
          T(refused), T(memory))
