/* Models into graphs. The models lie in tests/import/, written by make_models.py there; what they must become is here, as
   lines of the graph's text, and what is said of the broken ones. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "harness.h"

#include "import/import.h"
#include "ir/text.h"
#include "ir/verify.h"

#include <stdio.h>
#include <unistd.h>

static pelton_diag diag;

static const char *const *overrides; /* of the next import */
static uint32_t override_count;

static pn_model *import(const char *name) {
  char path[256];
  pn_model *model;
  pelton_diag_init(&diag);
  snprintf(path, sizeof path, "tests/import/%s", name);
  REQUIRE_OK(pn_model_import_overriding(path, NULL, overrides, override_count, &model, &diag), &diag);
  EXPECT_EQ(diag.count, 0);
  EXPECT_STR(model->format, "onnx");
  REQUIRE_OK(pn_graph_verify(model->graph, &diag), &diag);
  return model;
}

/* The model |name| becomes a graph whose text has each of |parts|, in this order. */
static void expect_graph(const char *name, const char *const *parts) {
  pn_model *model = import(name);
  pn_text text;
  pn_text_init(&text, NULL);
  pn_graph_print(model->graph, 0, &text);
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

/* The file is refused with |status|; each entry of the diagnostic has the text of |parts| at its place. */
static void expect_refused(const char *path, pelton_status status, const char *const *parts) {
  pn_model *model;
  pelton_diag_init(&diag);
  EXPECT_EQ(pn_model_import_overriding(path, NULL, overrides, override_count, &model, &diag), status);
  EXPECT(model == NULL);
  uint32_t count = 0;
  for (; parts[count]; count++) EXPECT_HAS(pelton_diag_message(&diag, count), parts[count]);
  EXPECT_EQ(diag.count, count);
  for (uint32_t i = 0; i < diag.count; i++) EXPECT_HAS(pelton_diag_message(&diag, i), path);
}
#define EXPECT_REFUSED(name, status, ...) \
  expect_refused("tests/import/" name, status, (const char *const[]){__VA_ARGS__, NULL})

/* ---- what is read ------------------------------------------------------------------------------------------------ */

TEST(input_with_an_initializer_is_a_constant) {
  EXPECT_GRAPH("old.onnx", "graph old(%x: f32[2,3,4]) -> (%y)", "%b: f32[3] = const [0.0, 1.0, 2.0]",
               "f32[3,1] = unsqueeze(%b", "expr=\"add(x0,x1)\"", "%y: f32[2,3,4] = pointwise(%s) expr=\"clip(x0,-1.0:f32,6.0:f32)\"");
}

TEST(a_constant_that_may_be_replaced_is_an_input_when_asked) {
  static const char *const both[] = {"b", "w"}, *const plain[] = {"x"}, *const fixed[] = {"w", "k"}, *const none[] = {"z"};
  EXPECT_GRAPH("override.onnx", "graph override(%x: f32[2,3]) -> (%y)", "%w: f32[3,4] = const", "%b: f32[4] = const");
  overrides = both;
  override_count = 1;
  EXPECT_GRAPH("override.onnx", "graph override(%x: f32[2,3], %b: f32[4]) -> (%y)", "%w: f32[3,4] = const");
  override_count = 2; /* as the model declares it: its dims may be names */
  EXPECT_GRAPH("override.onnx", "graph override(%x: f32[2,3], %w: f32[3,n], %b: f32[4]) -> (%y)", "%k: f32[1] = const");
  overrides = plain;
  override_count = 1;
  EXPECT_GRAPH("override.onnx", "graph override(%x: f32[2,3]) -> (%y)");
  overrides = fixed;
  override_count = 2;
  EXPECT_REFUSED("override.onnx", PELTON_INVALID_ARGUMENT, "\"k\" shall be an input instead of a constant");
  overrides = none;
  override_count = 1;
  EXPECT_REFUSED("override.onnx", PELTON_INVALID_ARGUMENT, "\"z\" shall be an input");
  override_count = 0;
}

TEST(dims_keep_their_names) {
  EXPECT_GRAPH("symbols.onnx", "(%x: f32[batch,4,x_d2])", "%y: f32[batch,x_d2*4] = reshape(%x, %wanted)");
}

TEST(few_bits) {
  EXPECT_GRAPH("few_bits.onnx", "cast(x0,f8e4m3fn)\"", "cast(x0,f8e5m2,overflow)\"", "cast(x0,f8e8m0,nearest_overflow)\"",
               "cast(x0,f8e8m0,down)\"", "cast(x0,f8e5m2,overflow)\"", "cast(x0,f4e2m1)\"",
               "%w: i4[3] = const [-8, -7, 7]", "%s: f8e8m0[3] = const [1.0, 2.0, 0.5]",
               "%g: f32[3] = dequantize(%w, %s) axis=0 dtype=f32", "%h: f8e5m2[3] = quantize(%x, ",
               "dtype=f8e5m2 saturate=false");
}

TEST(functions_are_expanded) {
  EXPECT_GRAPH("function.onnx", "const [3.0]", "%a/first/times: f32[2] = pointwise(%x, %k) expr=\"mul(x0,x1)\"",
               "# from \"a/first/times\"", "const [3.0]", "from \"a/second/times\"", "const [0.5]", "from \"b/first/times\"",
               "const [0.5]", "from \"b/second/times\"", "%y: f32[2] =");
}

TEST(branches_share_their_captures) {
  EXPECT_GRAPH("if.onnx", "%y: f32[2] = if(%c, %x, %early, %late)", "graph then(%x: f32[2], %early: f32[2], %late: f32[2])",
               "%w: f32[2] = const", "graph else(%x: f32[2], %early: f32[2], %late: f32[2])", "pointwise(%early, %late)");
}

TEST(branch_that_is_always_taken_is_inlined) { EXPECT_GRAPH("if_known.onnx", "%y: f32[3] = squeeze(%x, %axis)", "end\n"); }

TEST(loop_body_is_closed) {
  EXPECT_GRAPH("loop.onnx", "%last: f32[2], %all: f32[5,2] = loop(%trip, _, %x, %step)",
               "graph body(%i: i64[], %go: bool[], %sum: f32[2], %step: f32[2])", "%w: f32[2] = const", "carried_count=1");
}

TEST(scan_without_its_state_afterwards) {
  EXPECT_GRAPH("scan.onnx", "%y: f32[n,2] = scan(%s0, %x)", "state_count=1 scan_count=1 input_reversed=[1]");
}

TEST(a_sequence_map_is_a_loop) {
  EXPECT_GRAPH("sequence_map.onnx", "graph sequence_map(%s: tensor<f32>[s_d0],", "%map_1: tensor<f32>[0] = box() dtype=f32",
               "loop(%map, _, %map_1, %map_2, %s, %k, %outside)", "f32[*] = unbox(%s, %index)", "sequence_insert(%so_far, %y)",
               "carried_count=2");
}

/* What the body takes as an optional and gives as a sequence is boxed again, and taken out after the loop. */
TEST(a_loop_carries_an_optional) {
  EXPECT_GRAPH("sequence_optional.onnx", "%o: optional<tensor<f32>>[o_d0<=1]", "loop(%n, _, %o)",
               "%p: optional<tensor<f32>>[?", "size_of(%p)", "unbox(%p)", "box(%grown) optional=true", "= unbox(%r_1)",
               "= box(%o)", "optional=true");
}

TEST(nodes_need_not_be_sorted) { EXPECT_GRAPH("unsorted.onnx", "%m: f32[2] = pointwise(%x)", "%y: f32[2] = pointwise(%m)"); }

TEST(outputs_that_are_other_values) {
  EXPECT_GRAPH("outputs.onnx", "-> (%r, %s, %t, %u, %w)", "%s: f32[2] = pointwise(%r) expr=\"x0\"",
               "%t: f32[2] = pointwise(%x) expr=\"x0\"", "%u: f32[2] = pointwise(%w) expr=\"x0\"");
}

TEST(constants_are_aligned_and_unused_ones_ignored) {
  pn_model *model = import("unaligned.onnx");
  pn_value_id w;
  REQUIRE(pn_graph_find_value(model->graph, pn_str_from("w"), &w));
  const float *data = pn_graph_value(model->graph, w)->data;
  EXPECT_EQ((uintptr_t)data % sizeof *data, 0);
  EXPECT(data[0] == 0.0f && data[1] == 1.0f);
  EXPECT(!pn_graph_find_value(model->graph, pn_str_from("unused"), &w));
  pn_model_release(model);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

TEST(unsupported_nodes_are_listed_at_once) {
  EXPECT_REFUSED("refused/unsupported.onnx", PELTON_UNSUPPORTED, "\"p\" has elements of type complex64",
                 "node \"frob\" (Frobnicate, ai.onnx, opset 17): Pelton does not know this operator",
                 "node \"bend\" (Bend, far, opset 1): ",
                 "node \"cast\" (Cast, ai.onnx, opset 17): elements of type complex64", "node \"wiggle0\"",
                 "node \"wiggle1\"", "node \"wiggle2\"", "node \"wiggle3\"", "3 more nodes of operator Wiggle");
}

TEST(values_that_are_no_sequences) {
  EXPECT_REFUSED("refused/sequence_missing.onnx", PELTON_INVALID_DATA,
                 "node \"at\" (SequenceAt, ai.onnx, opset 17): its input 0 is a tensor, but must be a sequence");
  EXPECT_REFUSED("refused/sequence_of_maps.onnx", PELTON_UNSUPPORTED, "\"m\" is of type map");
}

TEST(broken_graphs) {
  EXPECT_REFUSED("refused/cycle.onnx", PELTON_INVALID_DATA, "node \"n2\" (Relu): it needs a result of node \"n1\" (Neg)");
  EXPECT_REFUSED("refused/shadow.onnx", PELTON_INVALID_DATA, "node \"n1\" (Neg): it needs its own result");
  EXPECT_REFUSED("refused/duplicate.onnx", PELTON_INVALID_DATA, "node \"n2\" (Relu): its result \"a\" is also a result of node \"n1\" (Neg)");
  EXPECT_REFUSED("refused/missing.onnx", PELTON_INVALID_DATA, "node \"sum\" (Add): its input 1, \"nowhere\", is no input");
  EXPECT_REFUSED("refused/no_output.onnx", PELTON_INVALID_DATA, "output \"z\" of graph \"no_output\" is computed by no node");
  EXPECT_REFUSED("refused/recursive.onnx", PELTON_INVALID_DATA, "(local.Again): the function calls itself");
  EXPECT_REFUSED("refused/shapes.onnx", PELTON_INVALID_DATA, "'sum'");
}

TEST(limits_and_versions) {
  EXPECT_REFUSED("refused/old_ir.onnx", PELTON_UNSUPPORTED, "ONNX IR version 2; Pelton reads 3 and newer");
  EXPECT_REFUSED("refused/no_opset.onnx", PELTON_UNSUPPORTED, "the model imports no operator set of ai.onnx");
  EXPECT_REFUSED("refused/too_new.onnx", PELTON_UNSUPPORTED, "node \"cl\" (CastLike, ai.onnx, opset 14): Pelton knows this operator, but not");
  EXPECT_REFUSED("refused/rank.onnx", PELTON_UNSUPPORTED, "\"x\" has 9 dimensions; Pelton has at most 8");
}

/* ---- formats ----------------------------------------------------------------------------------------------------- */

static char folder[64];

static const char *file_of(const char *name, const char *content) {
  static char path[128];
  if (!folder[0]) {
    strcpy(folder, "/tmp/pelton_import_XXXXXX");
    REQUIRE(mkdtemp(folder) != NULL);
  }
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  REQUIRE(f != NULL);
  REQUIRE(fwrite(content, 1, strlen(content), f) == strlen(content));
  fclose(f);
  return path;
}

static void expect_no_model(const char *path, pelton_status status, const char *part) {
  expect_refused(path, status, (const char *const[]){part, NULL});
  unlink(path);
}

TEST(formats_are_told_by_content) {
  pn_model *model;
  const char *path = file_of("graph.txt", "# a comment\n\ngraph g(%x: f32[n]) -> (%y)\n  %y = pointwise(%x) expr=\"relu(x0)\"\nend\n");
  pelton_diag_init(&diag);
  REQUIRE_OK(pn_model_import(path, NULL, &model, &diag), &diag);
  EXPECT_STR(model->format, "pelton text");
  EXPECT_EQ(model->graph->nodes.count, 1);
  pn_model_release(model);
  unlink(path);

  static const char known[] = "no model of a format that Pelton reads: ONNX (.onnx), Pelton text (.pir)";
  expect_no_model(file_of("a.png", "\x89PNG\r\n"), PELTON_INVALID_DATA, known);
  expect_no_model(file_of("a.jpg", "\x12some text"), PELTON_INVALID_DATA, known);
  expect_no_model(file_of("words", "words\n"), PELTON_INVALID_DATA, known);
  expect_no_model(file_of("empty.onnx", ""), PELTON_INVALID_DATA, "the file is empty");
  expect_no_model(file_of("cut.onnx", "\x08\x08\x3a\x7fgraph"), PELTON_INVALID_DATA, "graph");
  pelton_diag_init(&diag);
  EXPECT_EQ(pn_model_import("tests/import/none.onnx", NULL, &model, &diag), PELTON_IO_ERROR);
  rmdir(folder);
  folder[0] = 0;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

TEST(each_allocation_may_fail) {
  static const char *const names[] = {"function.onnx", "if.onnx", "loop.onnx", "scan.onnx", "old.onnx", "outputs.onnx", "symbols.onnx",
                                      "sequence_map.onnx", "sequence_optional.onnx", "attribute_stray.onnx"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    harness_allocator a;
    uint64_t n = 0;
    char path[256];
    snprintf(path, sizeof path, "tests/import/%s", names[i]);
    do {
      pn_model *model;
      pelton_diag_init(&diag);
      const pelton_status status = pn_model_import(path, harness_allocator_init(&a, ++n), &model, &diag);
      EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
      EXPECT_EQ(diag.count > 0, a.failed);
      pn_model_release(model);
      EXPECT_EQ(a.live, 0);
    } while (a.failed);
    EXPECT(n > 5);
  }
}

TEST_MAIN(T(input_with_an_initializer_is_a_constant), T(a_constant_that_may_be_replaced_is_an_input_when_asked),
          T(dims_keep_their_names), T(few_bits), T(functions_are_expanded),
          T(branches_share_their_captures), T(branch_that_is_always_taken_is_inlined), T(loop_body_is_closed),
          T(scan_without_its_state_afterwards), T(a_sequence_map_is_a_loop), T(a_loop_carries_an_optional),
          T(values_that_are_no_sequences), T(nodes_need_not_be_sorted), T(outputs_that_are_other_values),
          T(constants_are_aligned_and_unused_ones_ignored), T(unsupported_nodes_are_listed_at_once), T(broken_graphs),
          T(limits_and_versions), T(formats_are_told_by_content), T(each_allocation_may_fail))
