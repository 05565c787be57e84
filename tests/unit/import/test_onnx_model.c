/* ONNX files: models written here byte by byte, each way that a tensor stores its elements, external data and the ways
   out of the model's folder, attributes of the wrong type, and what is said about each thing that is broken. */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink */
#include "harness.h"

#include "base/diag.h"
#include "import/onnx/attribute.h"
#include "import/onnx/value.h"

#include <stdio.h>
#include <unistd.h>

/* ---- writing messages ------------------------------------------------------------------------------------------ */

typedef struct bytes {
  uint8_t data[4096];
  size_t size;
} bytes;

static void put(bytes *b, const void *data, size_t size) {
  REQUIRE(b->size + size <= sizeof b->data);
  memcpy(b->data + b->size, data, size);
  b->size += size;
}
static void put_varint(bytes *b, uint64_t value) {
  for (; value > 127; value >>= 7) put(b, &(uint8_t){(uint8_t)(value | 128)}, 1);
  put(b, &(uint8_t){(uint8_t)value}, 1);
}
static void put_int(bytes *b, unsigned field, int64_t value) {
  put_varint(b, field << 3);
  put_varint(b, (uint64_t)value);
}
static void put_bytes(bytes *b, unsigned field, const void *data, size_t size) {
  put_varint(b, field << 3 | 2);
  put_varint(b, size);
  put(b, data, size);
}
static void put_text(bytes *b, unsigned field, const char *text) { put_bytes(b, field, text, strlen(text)); }
static void put_message(bytes *b, unsigned field, const bytes *inner) { put_bytes(b, field, inner->data, inner->size); }
static void put_float(bytes *b, unsigned field, float value) {
  put_varint(b, field << 3 | 5);
  put(b, &value, 4);
}

/* ---- shared by the tests --------------------------------------------------------------------------------------- */

static pelton_diag diag;
static pn_arena arena;

static void start(void) {
  pn_arena_deinit(&arena);
  pn_arena_init(&arena, NULL);
  pelton_diag_init(&diag);
}
static const char *said(void) { return pelton_diag_message(&diag, 0); }

/* The head of a tensor "w": its type, and dimensions up to one below 0. */
static bytes tensor_head(int32_t elem, int64_t d0, int64_t d1) {
  bytes t = {.size = 0};
  if (d0 >= 0) put_int(&t, 1, d0);
  if (d0 >= 0 && d1 >= 0) put_int(&t, 1, d1);
  put_int(&t, 2, elem);
  put_text(&t, 8, "w");
  return t;
}

static pelton_status decode(const bytes *b, pn_onnx_source *source, size_t align, pn_onnx_data *out) {
  pn_onnx_value value;
  uint8_t *copy = pn_arena_copy(&arena, b->data, b->size, 1);
  REQUIRE(copy != NULL);
  REQUIRE_OK(pn_onnx_value_parse((pn_span){copy, b->size}, PN_ONNX_TYPE_TENSOR, &arena, &value, &diag), &diag);
  return pn_onnx_tensor_data(value.tensor, source, align, &arena, out, &diag);
}

static void expect_refused(const bytes *b, pn_onnx_source *source, const char *part) {
  pn_onnx_data d;
  pelton_diag_init(&diag);
  EXPECT_EQ(decode(b, source, 0, &d), PELTON_INVALID_DATA);
  EXPECT_EQ(diag.count, 1);
  EXPECT_HAS(said(), "tensor \"w\": ");
  EXPECT_HAS(said(), part);
}

static pn_onnx_model *parse_model(const bytes *b) {
  pn_onnx_model *model;
  uint8_t *copy = pn_arena_copy(&arena, b->data, b->size, 1);
  REQUIRE(copy != NULL);
  REQUIRE_OK(pn_onnx_model_parse((pn_span){copy, b->size}, &arena, &model, &diag), &diag);
  return model;
}

static bytes model_of(const bytes *graph) {
  bytes m = {.size = 0}, opset = {.size = 0};
  put_int(&opset, 2, 17);
  put_int(&m, 1, 8);
  put_text(&m, 2, "maker");
  put_message(&m, 7, graph);
  put_message(&m, 8, &opset);
  return m;
}

static bytes attribute(const char *name, int type) {
  bytes a = {.size = 0};
  put_text(&a, 1, name);
  if (type) put_int(&a, 20, type);
  return a;
}

/* A model of one node, "n" of type Op, with six attributes, a shape with each kind of dimension and an initializer. */
static bytes small_model(void) {
  bytes node = {.size = 0}, graph = {.size = 0}, info = {.size = 0}, type = {.size = 0}, tensor = {.size = 0},
        shape = {.size = 0};
  bytes dims[3] = {{.size = 0}, {.size = 0}, {.size = 0}};
  put_text(&node, 1, "x");
  put_text(&node, 1, "");
  put_text(&node, 2, "y");
  put_text(&node, 3, "n");
  put_text(&node, 4, "Op");
  bytes a[7] = {attribute("axis", PN_ONNX_ATTR_INT),     attribute("alpha", PN_ONNX_ATTR_FLOAT),
                attribute("mode", PN_ONNX_ATTR_STRING),  attribute("pads", PN_ONNX_ATTR_INTS),
                attribute("value", PN_ONNX_ATTR_TENSOR), attribute("old", 0),
                attribute("taken", PN_ONNX_ATTR_INT)};
  put_int(&a[0], 3, -1);
  put_float(&a[1], 2, 0.5f);
  put_text(&a[2], 4, "linear");
  put_int(&a[3], 8, 1);
  put_int(&a[3], 8, 2);
  put_int(&a[5], 3, 3);
  put_text(&a[6], 21, "outer");
  for (size_t i = 0; i < PN_COUNT(a); i++) put_message(&node, 5, &a[i]);
  put_message(&graph, 1, &node);
  put_text(&graph, 2, "g");
  bytes w = tensor_head(PN_ONNX_UINT8, 3, -1);
  put_bytes(&w, 9, "abc", 3);
  put_message(&graph, 5, &w);
  put_int(&dims[0], 1, 4);
  put_text(&dims[1], 2, "batch");
  for (size_t i = 0; i < PN_COUNT(dims); i++) put_message(&shape, 1, &dims[i]);
  put_int(&tensor, 1, PN_ONNX_FLOAT16);
  put_message(&tensor, 2, &shape);
  put_message(&type, 1, &tensor);
  put_text(&info, 1, "x");
  put_message(&info, 2, &type);
  put_message(&graph, 11, &info);
  return model_of(&graph);
}

/* ---- models ---------------------------------------------------------------------------------------------------- */

TEST(model) {
  start();
  bytes b = small_model();
  pn_onnx_model *m = parse_model(&b);
  int64_t version;
  EXPECT(m->ir_version == 8 && pn_str_is(m->producer_name, "maker"));
  EXPECT(pn_onnx_opset_version(&m->opsets, PN_STR("ai.onnx"), &version) && version == 17);
  EXPECT(!pn_onnx_opset_version(&m->opsets, PN_STR("ai.onnx.ml"), &version));
  REQUIRE(m->graph->nodes.count == 1 && m->graph->inputs.count == 1 && m->graph->initializers.count == 1);
  const pn_onnx_node *n = &m->graph->nodes.data[0];
  EXPECT(pn_str_is(n->op_type, "Op") && n->inputs.count == 2 && n->inputs.data[1].size == 0);
  const pn_onnx_type *t = m->graph->inputs.data[0].type;
  REQUIRE(pn_onnx_type_kind_of(t) == PN_ONNX_TYPE_TENSOR);
  EXPECT_EQ(t->tensor->elem, PN_ONNX_FLOAT16);
  REQUIRE(t->tensor->shape && t->tensor->shape->dims.count == 3);
  const pn_onnx_dim *d = t->tensor->shape->dims.data;
  EXPECT(d[0].has_value && d[0].value == 4);
  EXPECT(!d[1].has_value && pn_str_is(d[1].param, "batch"));
  EXPECT(!d[2].has_value && d[2].param.size == 0);
  EXPECT_EQ(pn_onnx_type_kind_of(NULL), PN_ONNX_TYPE_NONE);
}

TEST(attributes) {
  start();
  bytes b = small_model();
  const pn_onnx_node *n = &parse_model(&b)->graph->nodes.data[0];
  int64_t i;
  float f;
  bool flag;
  pn_str s;
  pn_onnx_i64s ints;
  pn_onnx_f32s floats;
  const pn_onnx_tensor *tensor;
  const pn_onnx_graph *graph;
  REQUIRE_OK(pn_onnx_attr_i64(n, "axis", 1, &i, &diag), &diag);
  EXPECT_EQ(i, -1);
  REQUIRE_OK(pn_onnx_attr_i64(n, "absent", 7, &i, &diag), &diag);
  EXPECT_EQ(i, 7);
  REQUIRE_OK(pn_onnx_attr_i64(n, "old", 7, &i, &diag), &diag); /* says no type, but holds an int */
  EXPECT_EQ(i, 3);
  REQUIRE_OK(pn_onnx_attr_f32(n, "alpha", 1, &f, &diag), &diag);
  EXPECT(f == 0.5f);
  REQUIRE_OK(pn_onnx_attr_str(n, "mode", "nearest", &s, &diag), &diag);
  EXPECT(pn_str_is(s, "linear"));
  REQUIRE_OK(pn_onnx_attr_str(n, "absent", "nearest", &s, &diag), &diag);
  EXPECT(pn_str_is(s, "nearest"));
  REQUIRE_OK(pn_onnx_attr_i64s(n, "pads", &ints, &diag), &diag);
  EXPECT(ints.count == 2 && ints.data[1] == 2);
  REQUIRE_OK(pn_onnx_attr_f32s(n, "absent", &floats, &diag), &diag);
  EXPECT_EQ(floats.count, 0);
  REQUIRE_OK(pn_onnx_attr_graph(n, "absent", &graph, &diag), &diag);
  EXPECT(graph == NULL);

  EXPECT_EQ(pn_onnx_attr_i64(n, "alpha", 1, &i, &diag), PELTON_INVALID_DATA);
  EXPECT_STR(said(),
             "node \"n\" (Op): attribute \"alpha\" has type FLOAT (1), but must have type INT; export the model again");
  pelton_diag_init(&diag);
  EXPECT_EQ(pn_onnx_attr_bool(n, "axis", false, &flag, &diag), PELTON_INVALID_DATA);
  EXPECT_STR(said(), "node \"n\" (Op): attribute \"axis\" is -1, but must be 0 or 1");
  pelton_diag_init(&diag);
  EXPECT_EQ(pn_onnx_attr_tensor(n, "value", &tensor, &diag), PELTON_INVALID_DATA);
  EXPECT_STR(said(), "node \"n\" (Op): attribute \"value\" of type TENSOR holds no value");
  pelton_diag_init(&diag);
  EXPECT_EQ(pn_onnx_attr_require(n, "absent", &diag), PELTON_INVALID_DATA);
  EXPECT_STR(said(), "node \"n\" (Op): attribute \"absent\" is missing, and has no default");
  pelton_diag_init(&diag);
  EXPECT_EQ(pn_onnx_attr_i64(n, "taken", 0, &i, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(said(), "stands for the attribute \"outer\" of a function");
}

TEST(broken_models) {
  start();
  pn_onnx_model *m;
  EXPECT_EQ(pn_onnx_model_parse((pn_span){NULL, 0}, &arena, &m, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(said(), "the file of 0 bytes holds no graph");
  EXPECT(m == NULL);
  pelton_diag_init(&diag);
  static const char text[] = "name: \"net\"\nlayer { }";
  EXPECT_EQ(pn_onnx_model_parse((pn_span){(const uint8_t *)text, sizeof text - 1}, &arena, &m, &diag),
            PELTON_INVALID_DATA);
  EXPECT_HAS(said(), "not an ONNX model, or a damaged one");

  bytes whole = small_model();
  for (size_t n = 0; n < whole.size; n++) {
    pelton_diag_init(&diag);
    uint8_t *copy = malloc(n ? n : 1);
    REQUIRE(copy != NULL);
    memcpy(copy, whole.data, n);
    pelton_status status = pn_onnx_model_parse((pn_span){copy, n}, &arena, &m, &diag);
    /* Only the end of the graph, before the opsets, is a border behind which nothing is missing. */
    EXPECT_EQ(status, n == whole.size - 4 ? PELTON_OK : PELTON_INVALID_DATA);
    EXPECT((m != NULL) == (status == PELTON_OK));
    free(copy);
  }

  bytes attr = {.size = 0}, node = {.size = 0}, graph = {.size = 0}, first = {.size = 0};
  put_varint(&attr, 8 << 3); /* ints, and then nothing */
  put_message(&node, 5, &attr);
  put_text(&first, 4, "Op");
  put_message(&graph, 1, &first);
  put_message(&graph, 1, &node);
  bytes b = model_of(&graph);
  pelton_diag_init(&diag);
  EXPECT_EQ(pn_onnx_model_parse((pn_span){b.data, b.size}, &arena, &m, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(said(), "graph.node[1].attribute[0].ints: varint runs past the end of its message at byte ");
}

TEST(nested_too_deeply) {
  start();
  bytes graph = {.size = 0};
  for (int depth = 0; depth < 40; depth++) { /* a graph in an attribute in a node in a graph ... */
    bytes a = attribute("body", PN_ONNX_ATTR_GRAPH), node = {.size = 0}, outer = {.size = 0};
    put_message(&a, 6, &graph);
    put_message(&node, 5, &a);
    put_message(&outer, 1, &node);
    graph = outer;
    bytes b = model_of(&graph);
    pn_onnx_model *m;
    pelton_diag_init(&diag);
    pelton_status status = pn_onnx_model_parse((pn_span){b.data, b.size}, &arena, &m, &diag);
    /* The model, its graph, and three messages a level. */
    EXPECT_EQ(status, 2 + 3 * (depth + 1) <= PN_PB_MAX_DEPTH ? PELTON_OK : PELTON_INVALID_DATA);
    if (status) EXPECT_HAS(said(), "is nested too deeply");
  }
}

TEST(every_allocation_may_fail) {
  bytes b = small_model();
  harness_allocator a;
  uint64_t n = 0;
  do {
    pn_arena own;
    pn_onnx_model *m;
    pn_arena_init(&own, harness_allocator_init(&a, ++n));
    own.next_block_bytes = 1;
    pelton_diag_init(&diag);
    pelton_status status = pn_onnx_model_parse((pn_span){b.data, b.size}, &own, &m, &diag);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT((m == NULL) == a.failed);
    pn_arena_deinit(&own);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
  EXPECT(n > 1);
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

TEST(raw_data_in_place) {
  start();
  bytes t = tensor_head(PN_ONNX_FLOAT, 2, 1);
  float two[2] = {1.5f, -2};
  put_bytes(&t, 9, two, 8);
  pn_onnx_data d;
  pn_onnx_value value;
  REQUIRE_OK(pn_onnx_value_parse((pn_span){t.data, t.size}, PN_ONNX_TYPE_TENSOR, &arena, &value, &diag), &diag);
  REQUIRE_OK(pn_onnx_tensor_data(value.tensor, NULL, 1, &arena, &d, &diag), &diag);
  EXPECT(d.bytes.data == t.data + t.size - 8); /* a view of the file */
  EXPECT(d.count == 2 && d.rank == 2 && d.dims[0] == 2 && d.bytes.size == 8 && d.dtype == PELTON_DTYPE_F32);
  EXPECT(memcmp(d.bytes.data, two, 8) == 0);
  for (size_t align = 4; align <= 64; align *= 2) {
    REQUIRE_OK(pn_onnx_tensor_data(value.tensor, NULL, align, &arena, &d, &diag), &diag);
    EXPECT((uintptr_t)d.bytes.data % align == 0 && memcmp(d.bytes.data, two, 8) == 0);
  }
}

TEST(typed_data) {
  start();
  pn_onnx_data d;
  bytes t = tensor_head(PN_ONNX_INT8, 3, -1);
  put_int(&t, 5, -1);
  put_bytes(&t, 5, "\x7f\x80\x01", 3); /* packed 127, 128: both readings of a byte are taken */
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.bytes.size == 3 && memcmp(d.bytes.data, "\xff\x7f\x80", 3) == 0);

  t = tensor_head(PN_ONNX_BOOL, 3, -1);
  put_bytes(&t, 5, "\x00\x02\x01", 3);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(memcmp(d.bytes.data, "\0\1\1", 3) == 0);
  t = tensor_head(PN_ONNX_BOOL, 3, -1);
  put_bytes(&t, 9, "\x00\x80\x01", 3);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(memcmp(d.bytes.data, "\0\1\1", 3) == 0);

  t = tensor_head(PN_ONNX_FLOAT16, 1, -1);
  put_int(&t, 5, 0xbc00);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.dtype == PELTON_DTYPE_F16 && memcmp(d.bytes.data, "\x00\xbc", 2) == 0);

  t = tensor_head(PN_ONNX_INT4, 3, -1); /* two elements a number; a byte each in the view */
  put_bytes(&t, 5, "\x29\x03", 2);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.dtype == PELTON_DTYPE_I4 && d.count == 3 && d.bytes.size == 3);
  EXPECT(memcmp(d.bytes.data, "\xf9\x02\x03", 3) == 0);
  t = tensor_head(PN_ONNX_UINT4, 2, -1);
  put_bytes(&t, 9, "\x29", 1);
  REQUIRE_OK(decode(&t, NULL, 8, &d), &diag);
  EXPECT(d.dtype == PELTON_DTYPE_U4 && d.bytes.size == 2 && memcmp(d.bytes.data, "\x09\x02", 2) == 0);
  EXPECT((uintptr_t)d.bytes.data % 8 == 0);
  t = tensor_head(PN_ONNX_INT2, 5, -1);
  put_bytes(&t, 9, "\xe4\x02", 2);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.dtype == PELTON_DTYPE_I2 && d.bytes.size == 5 && memcmp(d.bytes.data, "\x00\x01\xfe\xff\xfe", 5) == 0);
  t = tensor_head(PN_ONNX_FLOAT8E5M2, 2, -1);
  put_bytes(&t, 9, "\x3c\xfc", 2);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.dtype == PELTON_DTYPE_F8E5M2 && d.bytes.size == 2 && memcmp(d.bytes.data, "\x3c\xfc", 2) == 0);

  t = tensor_head(PN_ONNX_FLOAT6E2M3, 4, -1); /* one element a number here, four in three bytes as the view has it */
  put_bytes(&t, 5, "\x01\x02\x03\x3f", 4);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.bytes.size == 3 && memcmp(d.bytes.data, "\x81\x30\xfc", 3) == 0);

  t = tensor_head(PN_ONNX_INT64, -1, -1); /* a scalar */
  put_int(&t, 7, -5);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.rank == 0 && d.count == 1 && (int64_t)pn_load_u64(d.bytes.data) == -5);

  t = tensor_head(PN_ONNX_UINT32, 1, -1);
  put_int(&t, 11, 0xfffffffe);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT_EQ(pn_load_u32(d.bytes.data), 0xfffffffe);

  t = tensor_head(PN_ONNX_COMPLEX64, 1, -1);
  put_float(&t, 4, 1);
  put_float(&t, 4, 2);
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.bytes.size == 8 && memcmp(d.bytes.data, (float[2]){1, 2}, 8) == 0);

  t = tensor_head(PN_ONNX_STRING, 2, -1);
  put_text(&t, 6, "a");
  put_text(&t, 6, "");
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.count == 2 && pn_str_is(d.strings[0], "a") && d.strings[1].size == 0);

  t = tensor_head(PN_ONNX_FLOAT, 0, 5); /* empty, without data */
  REQUIRE_OK(decode(&t, NULL, 0, &d), &diag);
  EXPECT(d.count == 0 && d.bytes.size == 0);
}

TEST(tensors_that_lie) {
  start();
  bytes t = tensor_head(PN_ONNX_FLOAT, 2, 3);
  put_bytes(&t, 9, "12345678", 8);
  expect_refused(&t, NULL, "raw_data holds 8 bytes where shape 2x3 of float needs 24");
  t = tensor_head(PN_ONNX_FLOAT, 2, -1);
  put_float(&t, 4, 1);
  expect_refused(&t, NULL, "float_data holds 1 numbers where shape 2 of float needs 2");
  t = tensor_head(PN_ONNX_INT64, 1, -1);
  put_int(&t, 5, 1); /* int32_data */
  expect_refused(&t, NULL, "int64_data holds 0 bytes where shape 1 of int64 needs 8");
  t = tensor_head(PN_ONNX_UINT8, 1, -1);
  put_int(&t, 5, 256);
  expect_refused(&t, NULL, "the value 256");
  t = tensor_head(PN_ONNX_STRING, 2, -1);
  put_text(&t, 6, "a");
  expect_refused(&t, NULL, "string_data holds 1 strings where shape 2 of string needs 2");
  t = tensor_head(0, 1, -1);
  expect_refused(&t, NULL, "its data_type is 0, which is no element type of ONNX");
  t = tensor_head(99, 1, -1);
  expect_refused(&t, NULL, "its data_type is 99");
  t = tensor_head(PN_ONNX_FLOAT, -1, -1);
  put_int(&t, 1, -3);
  expect_refused(&t, NULL, "dimension 0 is -3");
  t = tensor_head(PN_ONNX_FLOAT, INT64_MAX, 16);
  expect_refused(&t, NULL, "the shape 9223372036854775807x16 has more elements than memory could hold");
  t = tensor_head(PN_ONNX_FLOAT, INT64_MAX, -1);
  expect_refused(&t, NULL, "9223372036854775807 elements of 32 bits are more than memory could hold");
  t = tensor_head(PN_ONNX_FLOAT, 1, -1);
  put_int(&t, 14, 2);
  expect_refused(&t, NULL, "its data_location is 2");
  t = tensor_head(PN_ONNX_FLOAT, 1, -1);
  put_bytes(&t, 3, "", 0);
  pn_onnx_data d;
  pelton_diag_init(&diag);
  EXPECT_EQ(decode(&t, NULL, 0, &d), PELTON_UNSUPPORTED);
  EXPECT_HAS(said(), "stored in segments");
}

/* ---- external data --------------------------------------------------------------------------------------------- */

static bytes external_tensor(const char *location, const char *offset, const char *length) {
  bytes t = tensor_head(PN_ONNX_UINT8, 4, -1);
  const char *entries[3][2] = {{"location", location}, {"offset", offset}, {"length", length}};
  for (size_t i = 0; i < 3; i++) {
    if (!entries[i][1]) continue;
    bytes entry = {.size = 0};
    put_text(&entry, 1, entries[i][0]);
    put_text(&entry, 2, entries[i][1]);
    put_message(&t, 13, &entry);
  }
  put_int(&t, 14, 1);
  return t;
}

static void write_file(const char *folder, const char *name, const char *text) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  REQUIRE(f != NULL);
  EXPECT_EQ(fwrite(text, 1, strlen(text), f), strlen(text));
  fclose(f);
}

TEST(external_data) {
  start();
  char outer[] = "/tmp/pelton-onnx-XXXXXX", folder[64], path[128];
  REQUIRE(mkdtemp(outer) != NULL);
  snprintf(folder, sizeof folder, "%s/model", outer);
  snprintf(path, sizeof path, "mkdir '%s'", folder);
  REQUIRE(system(path) == 0);
  write_file(outer, "secret", "secret!!");
  write_file(folder, "w.bin", "0123456789");
  snprintf(path, sizeof path, "%s/link", folder);
  REQUIRE(symlink("../secret", path) == 0);

  pn_onnx_source source;
  pn_onnx_data d, again;
  pn_onnx_source_init(&source, folder, &arena);
  bytes t = external_tensor("w.bin", "6", "4");
  REQUIRE_OK(decode(&t, &source, 0, &d), &diag);
  EXPECT(d.bytes.size == 4 && memcmp(d.bytes.data, "6789", 4) == 0);
  t = external_tensor("w.bin", NULL, NULL); /* from the start, as much as the shape needs */
  REQUIRE_OK(decode(&t, &source, 0, &again), &diag);
  EXPECT(memcmp(again.bytes.data, "0123", 4) == 0);
  EXPECT(again.bytes.data + 6 == d.bytes.data); /* one map */
  EXPECT_EQ(source.files.count, 1);

  t = external_tensor("w.bin", "7", "4");
  expect_refused(&t, &source, "its 4 bytes at offset 7 run past the end of \"w.bin\", which has 10 bytes");
  t = external_tensor("w.bin", "9223372036854775807", NULL);
  expect_refused(&t, &source, "run past the end of");
  t = external_tensor("w.bin", "-1", NULL);
  expect_refused(&t, &source, "the offset of its external data is \"-1\", not a number of bytes");
  t = external_tensor("w.bin", "1e3", NULL);
  expect_refused(&t, &source, "the offset of its external data is \"1e3\"");
  t = external_tensor("w.bin", "0", "5");
  expect_refused(&t, &source, "its external data holds 5 bytes where shape 4 of uint8 needs 4");
  t = external_tensor(NULL, "0", "4");
  expect_refused(&t, &source, "no location is given");
  t = external_tensor("../secret", NULL, NULL);
  expect_refused(&t, &source, "'../secret' is refused");
  t = external_tensor("x/../../secret", NULL, NULL);
  expect_refused(&t, &source, "is refused");
  t = external_tensor("/etc/passwd", NULL, NULL);
  expect_refused(&t, &source, "'/etc/passwd' is refused");
  t = external_tensor("link", NULL, NULL);
  expect_refused(&t, &source, "'link' is refused");
  t = external_tensor("w.bin", NULL, NULL);
  expect_refused(&t, NULL, "the model has no folder");
  t = external_tensor("absent.bin", NULL, NULL);
  pelton_diag_init(&diag);
  EXPECT_EQ(decode(&t, &source, 0, &d), PELTON_IO_ERROR);
  EXPECT_HAS(said(), "absent.bin");
  EXPECT_EQ(source.files.count, 1);
  pn_onnx_source_deinit(&source);
  snprintf(path, sizeof path, "rm -r '%s'", outer);
  EXPECT_EQ(system(path), 0);
}

/* A bool, so that it is copied, from a file, so that its map is noted; and a list of numbers. */
TEST(every_allocation_of_a_tensor_may_fail) {
  start();
  char folder[] = "/tmp/pelton-onnx-XXXXXX", path[128];
  REQUIRE(mkdtemp(folder) != NULL);
  write_file(folder, "w.bin", "0123456789");
  bytes external = external_tensor("w.bin", NULL, NULL), typed = tensor_head(PN_ONNX_INT64, 1, -1);
  external.data[3] = PN_ONNX_BOOL;
  put_int(&typed, 7, 5);
  pn_onnx_value values[2];
  REQUIRE_OK(
      pn_onnx_value_parse((pn_span){external.data, external.size}, PN_ONNX_TYPE_TENSOR, &arena, &values[0], &diag),
      &diag);
  REQUIRE_OK(pn_onnx_value_parse((pn_span){typed.data, typed.size}, PN_ONNX_TYPE_TENSOR, &arena, &values[1], &diag),
             &diag);
  EXPECT_EQ(values[0].tensor->elem, PN_ONNX_BOOL);
  harness_allocator a;
  uint64_t n = 0;
  do {
    pn_arena own;
    pn_onnx_source source;
    pn_arena_init(&own, harness_allocator_init(&a, ++n));
    own.next_block_bytes = 1;
    pn_onnx_source_init(&source, folder, &own);
    for (size_t i = 0; i < PN_COUNT(values) && !a.failed; i++) {
      pn_onnx_data d;
      pelton_diag_init(&diag);
      pelton_status status = pn_onnx_tensor_data(values[i].tensor, &source, 0, &own, &d, &diag);
      EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    }
    pn_onnx_source_deinit(&source);
    pn_arena_deinit(&own);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
  EXPECT(n > 3);
  snprintf(path, sizeof path, "rm -r '%s'", folder);
  EXPECT_EQ(system(path), 0);
}

/* ---- sparse tensors and values that stand alone ---------------------------------------------------------------- */

static pelton_status decode_sparse(int64_t index, pn_onnx_data *d) {
  bytes values = tensor_head(PN_ONNX_INT16, 1, -1), indices = tensor_head(PN_ONNX_INT64, 1, 2), s = {.size = 0};
  put_int(&values, 5, 7);
  put_int(&indices, 7, 1);
  put_int(&indices, 7, index);
  put_message(&s, 1, &values);
  put_message(&s, 2, &indices);
  put_int(&s, 3, 2);
  put_int(&s, 3, 3);
  pn_onnx_value value;
  uint8_t *copy = pn_arena_copy(&arena, s.data, s.size, 1);
  REQUIRE(copy != NULL);
  REQUIRE_OK(pn_onnx_value_parse((pn_span){copy, s.size}, PN_ONNX_TYPE_SPARSE_TENSOR, &arena, &value, &diag), &diag);
  return pn_onnx_sparse_tensor_data(value.sparse_tensor, NULL, &arena, d, &diag);
}

TEST(sparse) {
  start();
  pn_onnx_data d;
  REQUIRE_OK(decode_sparse(2, &d), &diag); /* row 1, column 2 */
  EXPECT(d.count == 6 && d.bytes.size == 12);
  for (size_t i = 0; i < 6; i++) EXPECT_EQ(pn_load_u16(d.bytes.data + 2 * i), i == 5 ? 7 : 0);
  EXPECT_EQ(decode_sparse(3, &d), PELTON_INVALID_DATA);
  EXPECT_STR(said(), "sparse tensor \"w\": index 0 of its indices lies outside of its shape");
  pelton_diag_init(&diag);
  EXPECT_EQ(decode_sparse(-1, &d), PELTON_INVALID_DATA);
}

TEST(values_alone) {
  start();
  bytes t = tensor_head(PN_ONNX_UINT8, 2, -1), s = {.size = 0}, o = {.size = 0};
  pn_onnx_value v;
  put_bytes(&t, 9, "ab", 2);
  REQUIRE_OK(pn_onnx_value_parse((pn_span){t.data, t.size}, PN_ONNX_TYPE_NONE, &arena, &v, &diag), &diag);
  EXPECT(v.kind == PN_ONNX_TYPE_TENSOR && pn_str_is(v.name, "w"));
  put_text(&s, 1, "list");
  put_int(&s, 2, 1);
  put_message(&s, 3, &t);
  put_message(&s, 3, &t);
  REQUIRE_OK(pn_onnx_value_parse((pn_span){s.data, s.size}, PN_ONNX_TYPE_NONE, &arena, &v, &diag), &diag);
  EXPECT(v.kind == PN_ONNX_TYPE_SEQUENCE && v.sequence->tensors.count == 2 && pn_str_is(v.name, "list"));
  put_int(&o, 2, 1); /* without a name, so that it reads as a tensor with a segment, too */
  put_message(&o, 3, &t);
  REQUIRE_OK(pn_onnx_value_parse((pn_span){o.data, o.size}, PN_ONNX_TYPE_NONE, &arena, &v, &diag), &diag);
  EXPECT_EQ(v.kind, PN_ONNX_TYPE_SEQUENCE);
  REQUIRE_OK(pn_onnx_value_parse((pn_span){o.data, o.size}, PN_ONNX_TYPE_OPTIONAL, &arena, &v, &diag), &diag);
  EXPECT(v.optional->tensor && pn_str_is(v.optional->tensor->name, "w"));
  EXPECT_EQ(pn_onnx_value_parse((pn_span){(const uint8_t *)"junk", 4}, PN_ONNX_TYPE_NONE, &arena, &v, &diag),
            PELTON_INVALID_DATA);
  EXPECT_EQ(diag.count, 1);
}

/* ---- models as they are found ---------------------------------------------------------------------------------- */

TEST(shared_model) {
  start();
  const char *path = harness_shared("models/onnx-mnist-tengine/mnist.onnx");
  pn_file file;
  pn_onnx_model *m;
  REQUIRE_OK(pn_file_map(path, &file, &diag), &diag);
  REQUIRE_OK(pn_onnx_model_parse((pn_span){file.data, file.size}, &arena, &m, &diag), &diag);
  EXPECT(m->graph->nodes.count > 5);
  for (uint32_t i = 0; i < m->graph->initializers.count; i++) {
    pn_onnx_data d;
    REQUIRE_OK(pn_onnx_tensor_data(&m->graph->initializers.data[i], NULL, 0, &arena, &d, &diag), &diag);
    EXPECT(d.count > 0);
  }
  pn_file_unmap(&file);
}

TEST_MAIN(T(model), T(attributes), T(broken_models), T(nested_too_deeply), T(every_allocation_may_fail),
          T(raw_data_in_place), T(typed_data), T(tensors_that_lie), T(external_data),
          T(every_allocation_of_a_tensor_may_fail), T(sparse), T(values_alone), T(shared_model))
