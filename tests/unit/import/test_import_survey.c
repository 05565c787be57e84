/* What a model file says, whether or not Pelton could run it, and whether it is valid. The models lie in tests/import/,
   written by make_models.py there. */
#include "harness.h"

#include "import/import.h"
#include "import/onnx/check/schema.h"

#include <stdio.h>

static pelton_diag diag;

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "tests/import/%s", name);
  return path;
}

static pelton_status describe(const char *name, const pelton_allocator *allocator, pn_text *text) {
  pn_json json;
  pelton_diag_init(&diag);
  pn_text_init(text, NULL);
  pn_json_init(&json, text);
  pn_json_object_begin(&json, NULL);
  const pelton_status status = pn_model_describe(path_of(name), allocator, &json, &diag);
  pn_json_object_end(&json);
  return status;
}

static pelton_status check(const char *name, const pelton_allocator *allocator) {
  pelton_diag_init(&diag);
  return pn_model_check(path_of(name), allocator, &diag);
}

static void expect_reasons(const char *const *parts) {
  uint32_t count = 0;
  for (; parts[count]; count++) EXPECT_HAS(pelton_diag_message(&diag, count), parts[count]);
  EXPECT_EQ(diag.count, count);
}
#define EXPECT_REASONS(...) expect_reasons((const char *const[]){__VA_ARGS__, NULL})

static void expect_parts(const char *text, const char *const *parts) {
  for (; *parts; parts++) EXPECT_HAS(text, *parts);
}
#define EXPECT_PARTS(text, ...) expect_parts(text, (const char *const[]){__VA_ARGS__, NULL})

TEST(values_by_their_names_in_the_file) {
  pn_text text;
  REQUIRE_OK(describe("survey.onnx", NULL, &text), &diag);
  EXPECT_EQ(diag.count, 0);
  EXPECT_PARTS(text.data, "\"format\":\"onnx\"",
               "{\"name\":\"x\",\"type\":\"tensor\",\"dtype\":\"f32\",\"shape\":[\"n\",4]}",
               "{\"name\":\"any\",\"type\":\"tensor\",\"dtype\":\"i64\",\"shape\":[null]}",
               "{\"name\":\"names\",\"type\":\"tensor\",\"dtype\":\"string\",\"shape\":[\"n\"]}",
               "{\"name\":\"noise\",\"type\":\"tensor\",\"dtype\":\"f32\",\"shape\":[\"n\",4]}",
               "{\"name\":\"pair\",\"type\":\"sequence\",\"element\":{\"type\":\"tensor\",\"dtype\":\"f32\",\"shape\":["
               "\"n\",4]}}",
               "{\"name\":\"one\",\"type\":\"tensor\",\"dtype\":\"f32\",\"shape\":[\"n\",4]}",
               "{\"name\":\"z\",\"type\":\"tensor\",\"dtype\":\"f32\",\"shape\":[2,\"n\",2]}",
               "{\"name\":\"all\",\"type\":\"tensor\",\"dtype\":\"f32\",\"shape\":[5,1,3,6]}",
               "{\"name\":\"last\",\"type\":\"tensor\",\"dtype\":\"f32\",\"shape\":[1,3,6]}",
               "(RandomNormalLike, ai.onnx, opset 17): Pelton does not know this operator",
               "recurrent: r has extent 4 on axis 2; it must be 6");
  pn_text_deinit(&text);
}

TEST(graphs_are_described_as_well) {
  pn_text text;
  REQUIRE_OK(describe("function.onnx", NULL, &text), &diag);
  EXPECT_HAS(text.data, "\"refused\":[]");
  pn_text_deinit(&text);
}

TEST(valid_models) {
  static const char *const names[] = {"survey.onnx", "function.onnx", "loop.onnx", "old.onnx", "few_bits.onnx"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) REQUIRE_OK(check(names[i], NULL), &diag);
}

TEST(every_mistake_is_named) {
  EXPECT_EQ(check("refused/mistakes.onnx", NULL), PELTON_INVALID_DATA);
  EXPECT_REASONS("input \"q\" has no type", "tensor \"w\": raw_data holds 4 bytes where shape 2 of float needs 8",
                 "initializer \"w\": there is another initializer of this name",
                 "tensor without a name: its data_type is 99, which is no element type of ONNX",
                 "initializer 2 of graph \"mistakes\" has no name",
                 "node \"conv\" (Conv): it has an attribute \"paddings\", which the operator does not have in this "
                 "version; known: auto_pad",
                 "node \"softmax\" (Softmax): its input 1, \"b\", is no input or initializer of the graph and no "
                 "result of a node before",
                 "node \"softmax\" (Softmax): it has 2 inputs, but must have 1",
                 "node \"softmax\" (Softmax): attribute \"axis\" has type FLOAT, but must have type INT",
                 "node \"relu\" (Relu): its input 0 (X) has an empty name",
                 "node \"cast\" (Cast): attribute \"to\" is missing",
                 "node \"cast\" (Cast): its output \"a\" is already the name of another value",
                 "node \"frob\" (Frobnicate): operator set 17 of ai.onnx has no such operator",
                 "node \"mish\" (Mish): operator set 17 of ai.onnx, which the model imports, has no such operator; it "
                 "came with 18",
                 "node \"far\" (far.Far): the model imports no operator set of domain \"far\"");
}

TEST(types_that_contradict_the_file) {
  pn_text text;
  EXPECT_EQ(check("refused/contradiction.onnx", NULL), PELTON_INVALID_DATA);
  EXPECT_REASONS("\"y\" is of type float f32[2,3], but the file declares it as int64 i64[2,3]",
                 "\"z\" is of type float f32[2,3], but the file declares it as float f32[2,4]");
  EXPECT_EQ(describe("refused/contradiction.onnx", NULL, &text), PELTON_INVALID_DATA);
  pn_text_deinit(&text);
}

TEST(order_and_names) {
  EXPECT_EQ(check("unsorted.onnx", NULL), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "nodes must stand in order of evaluation");
  EXPECT_EQ(check("refused/duplicate.onnx", NULL), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0),
             "node \"n2\" (Relu): its output \"a\" is already the name of another value");
  EXPECT_EQ(check("refused/shapes.onnx", NULL), PELTON_INVALID_DATA);
  EXPECT_EQ(check("refused/missing.onnx", NULL), PELTON_INVALID_DATA);
}

TEST(schemas) {
  pn_onnx_node node = {.op_type = PN_STR("Split"), .domain = PN_STR("ai.onnx")};
  pn_onnx_formal formal;
  uint32_t least, most;
  int32_t later;
  const pn_onnx_schema *s = pn_onnx_schema_find(&node, 12, &later);
  REQUIRE(s != NULL);
  EXPECT_EQ(s->since, 2);
  pn_onnx_formal_counts(s->outputs, &least, &most);
  EXPECT_EQ(least, 1);
  EXPECT(most == UINT32_MAX);
  REQUIRE(pn_onnx_formal_at(s->outputs, 7, &formal));
  EXPECT(pn_str_is(formal.name, "outputs"));
  s = pn_onnx_schema_find(&node, 13, NULL);
  REQUIRE(s && pn_onnx_formal_at(s->inputs, 1, &formal));
  EXPECT(formal.optional);
  EXPECT_EQ(pn_onnx_formal_elem(formal.type), PN_ONNX_INT64);
  EXPECT(!pn_onnx_formal_at(s->inputs, 2, &formal));
  node.op_type = PN_STR("Upsample");
  s = pn_onnx_schema_find(&node, 10, NULL);
  EXPECT(s && pn_onnx_schema_withdrawn(s));
  node.op_type = PN_STR("Gelu");
  EXPECT(pn_onnx_schema_find(&node, 19, &later) == NULL);
  EXPECT_EQ(later, 20);
}

/* Where only the text of a reason wanted memory, the reason is shorter and the survey goes on. */
static void expect_status(pelton_status status, bool failed) {
  EXPECT(failed ? status == PELTON_OUT_OF_MEMORY || status == PELTON_OK : status == PELTON_OK);
}

TEST(each_allocation_may_fail) {
  static const char *const names[] = {"survey.onnx", "function.onnx", "loop.onnx", "old.onnx"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    harness_allocator a;
    uint64_t n = 0;
    do {
      pn_text text;
      const pelton_status status = describe(names[i], harness_allocator_init(&a, ++n), &text);
      expect_status(status, a.failed);
      pn_text_deinit(&text);
      EXPECT_EQ(a.live, 0);
    } while (a.failed);
    EXPECT(n > 5);
    for (n = 0, a.failed = true; a.failed;) {
      const pelton_status status = check(names[i], harness_allocator_init(&a, ++n));
      expect_status(status, a.failed);
      EXPECT_EQ(a.live, 0);
    }
  }
}

TEST_MAIN(T(values_by_their_names_in_the_file), T(graphs_are_described_as_well), T(valid_models),
          T(every_mistake_is_named), T(types_that_contradict_the_file), T(order_and_names), T(schemas),
          T(each_allocation_may_fail))
