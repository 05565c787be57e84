/* Sequences and optionals from the caller's items to the context's: through operators, loops and engine files, and what
   is said of those that are wrong. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "harness.h"
#include "pelton/build.h"

#include <stdio.h>
#include <unistd.h>

static pelton_diag diag;

/* ---- models and items -------------------------------------------------------------------------------------------- */

static pelton_status build(const char *text, const pelton_allocator *allocator, pelton_engine **out) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_model *model = NULL;
  import.allocator = options.allocator = allocator;
  options.threads = 1;
  options.level = 0;
  *out = NULL;
  pelton_diag_init(&diag);
  pelton_status status = pelton_model_parse(text, strlen(text), &import, &model, &diag);
  if (!status) status = pelton_engine_build(model, &options, out, &diag);
  pelton_model_release(model);
  return status;
}

static pelton_context *context_of(const char *text) {
  pelton_engine *engine;
  pelton_context *context = NULL;
  REQUIRE_OK(build(text, NULL, &engine), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  pelton_engine_release(engine); /* the context keeps it */
  return context;
}

static pelton_tensor floats(float *data, int64_t count) {
  return (pelton_tensor){PELTON_DTYPE_F32, {1, {count}}, data, (size_t)count * sizeof *data};
}
static pelton_tensor integer(int64_t *data) { return (pelton_tensor){PELTON_DTYPE_I64, {0, {0}}, data, sizeof *data}; }
static pelton_tensor boxes(const pelton_tensor **items, int64_t count) {
  return (pelton_tensor){PELTON_DTYPE_TENSOR, {1, {count}}, items, (size_t)count * sizeof *items};
}

static const pelton_tensor *item(const pelton_tensor *t, int64_t i) {
  REQUIRE(t->dtype == PELTON_DTYPE_TENSOR && t->shape.rank == 1 && i < t->shape.dims[0]);
  return ((const pelton_tensor *const *)t->data)[i];
}

static void expect_floats(const pelton_tensor *t, int64_t count, const float *values) {
  REQUIRE(t->dtype == PELTON_DTYPE_F32 && t->shape.rank == 1);
  EXPECT_EQ(t->shape.dims[0], count);
  for (int64_t i = 0; i < count && i < t->shape.dims[0]; i++) EXPECT_NEAR(((const float *)t->data)[i], values[i], 0);
}

/* ---- in and out -------------------------------------------------------------------------------------------------- */

static const char *const insert_text =
    "graph g(%s: tensor<f32>[n], %x: f32[m], %at: i64[]) -> (%t, %it, %length, %s2)\n"
    "  %t = sequence_insert(%s, %x, %at)  # name \"put\"\n"
    "  %it = unbox(%t, %at)\n"
    "  %length = size_of(%t)\n"
    "  %s2 = sequence_erase(%t)\n"
    "end\n";

TEST(items_go_in_and_out) {
  pelton_context *context = context_of(insert_text);
  float a[] = {1, 2, 3}, b[] = {4}, x[] = {5, 6};
  int64_t at = 1;
  pelton_tensor first = floats(a, 3), second = floats(b, 1), out[4] = {{0}};
  const pelton_tensor *items[] = {&first, &second};
  pelton_tensor in[] = {boxes(items, 2), floats(x, 2), integer(&at)};
  REQUIRE_OK(pelton_context_run(context, in, 3, out, 4, &diag), &diag);
  memset(a, 0, sizeof a); /* items were needed only during the run */
  first.data = NULL;
  items[0] = NULL;
  EXPECT_EQ(out[0].shape.dims[0], 3);
  EXPECT_EQ(out[0].bytes, 3 * sizeof(void *));
  expect_floats(item(&out[0], 0), 3, (const float[]){1, 2, 3});
  expect_floats(item(&out[0], 1), 2, (const float[]){5, 6});
  expect_floats(item(&out[0], 2), 1, (const float[]){4});
  expect_floats(&out[1], 2, (const float[]){5, 6});
  EXPECT_EQ(*(const int64_t *)out[2].data, 3);
  EXPECT_EQ(out[3].shape.dims[0], 2);
  expect_floats(item(&out[3], 1), 2, (const float[]){5, 6});

  /* Into memory of the caller; an empty sequence needs no array. */
  const pelton_tensor *room[1];
  in[0] = boxes(NULL, 0);
  at = 0;
  memset(out, 0, sizeof out);
  out[0].data = room;
  out[0].bytes = sizeof room;
  REQUIRE_OK(pelton_context_run(context, in, 3, out, 4, &diag), &diag);
  EXPECT(out[0].data == room && out[3].shape.dims[0] == 0);
  expect_floats(room[0], 2, x);
  pelton_context_release(context);
}

/* Positions count from the end, too; an error names the node, the number and the length. */
TEST(positions_outside_are_named) {
  pelton_context *context = context_of(insert_text);
  float a[] = {1}, x[] = {5};
  const pelton_tensor one = floats(a, 1);
  const pelton_tensor *items[] = {&one, &one};
  int64_t at = -2;
  pelton_tensor in[] = {boxes(items, 2), floats(x, 1), integer(&at)}, out[4] = {{0}};
  REQUIRE_OK(pelton_context_run(context, in, 3, out, 4, &diag), &diag);
  expect_floats(item(&out[0], 0), 1, x);
  at = 3;
  EXPECT_EQ(pelton_context_run(context, in, 3, out, 4, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "node 'put': sequence_insert: position 3 lies outside a sequence of 2 items");
  pelton_context_release(context);

  pelton_diag_init(&diag);
  context = context_of("graph g(%s: tensor<f32>[n], %i: i32[]) -> (%y)\n  %y = unbox(%s, %i)  # name \"take\"\nend\n");
  int32_t index = -3;
  pelton_tensor pair[] = {boxes(items, 2), {PELTON_DTYPE_I32, {0, {0}}, &index, sizeof index}};
  EXPECT_EQ(pelton_context_run(context, pair, 2, out, 1, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "node 'take': unbox: index -3 lies outside a sequence of 2 items");
  pelton_context_release(context);
}

TEST(a_position_is_one_number) {
  pelton_context *context = context_of("graph g(%s: tensor<f32>[n], %i: i64[m]) -> (%y, %z)\n"
                                       "  %y = unbox(%s, %i)\n  %z = sequence_erase(%s, %i)\nend\n");
  float a[] = {1};
  int64_t at[] = {0, 0};
  const pelton_tensor one = floats(a, 1);
  const pelton_tensor *items[] = {&one};
  pelton_tensor in[] = {boxes(items, 1), {PELTON_DTYPE_I64, {1, {1}}, at, sizeof at}}, out[2] = {{0}};
  REQUIRE_OK(pelton_context_run(context, in, 2, out, 2, &diag), &diag);
  for (int64_t count = 0; count <= 2; count += 2) {
    in[1].shape.dims[0] = count;
    pelton_diag_init(&diag);
    EXPECT_EQ(pelton_context_run(context, in, 2, out, 2, &diag), PELTON_INVALID_DATA);
    EXPECT_HAS(pelton_diag_message(&diag, 0), "it must be one");
  }
  pelton_context_release(context);
}

/* ---- loops ------------------------------------------------------------------------------------------------------- */

static const char *const loop_text =
    "graph g(%trips: i64[], %x: f32[2]) -> (%t, %y)\n"
    "  %empty = box() dtype=f32\n"
    "  %t = loop(%trips, _, %empty, %x) carried_count=1 body={ graph body(%i: i64[], %c: bool[], %s: tensor<f32>[?1], "
    "%x: f32[2]) -> (%c, %next)\n"
    "    %f = pointwise(%i) expr=\"cast(x0,f32)\"\n"
    "    %z = pointwise(%x, %f) expr=\"add(x0,x1)\"\n"
    "    %next = sequence_insert(%s, %z)\n"
    "  end }\n"
    "  %y = concat_from_sequence(%t) axis=0 new_axis=true  # name \"stack\"\n"
    "end\n";

TEST(a_loop_collects_items) {
  pelton_context *context = context_of(loop_text);
  float x[] = {10, 20};
  int64_t trips = 0;
  pelton_tensor in[] = {integer(&trips), floats(x, 2)}, out[2] = {{0}};
  for (trips = 40; trips > 0; trips -= 13) { /* memory of former runs is used again */
    memset(out, 0, sizeof out);
    REQUIRE_OK(pelton_context_run(context, in, 2, out, 2, &diag), &diag);
    EXPECT_EQ(out[0].shape.dims[0], trips);
    for (int64_t i = 0; i < trips; i++)
      expect_floats(item(&out[0], i), 2, (const float[]){10 + (float)i, 20 + (float)i});
    EXPECT(out[1].shape.rank == 2 && out[1].shape.dims[0] == trips && out[1].shape.dims[1] == 2);
    EXPECT_NEAR(((const float *)out[1].data)[2 * trips - 1], 19 + (float)trips, 0);
  }
  trips = 0;
  EXPECT_EQ(pelton_context_run(context, in, 2, out, 2, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "node 'stack': concat_from_sequence: the sequence is empty");
  pelton_context_release(context);
}

/* ---- optionals --------------------------------------------------------------------------------------------------- */

TEST(an_optional_sequence_is_two_boxes) {
  pelton_context *context = context_of("graph g(%o: optional<tensor<f32>>[n]) -> (%has, %again)\n"
                                       "  %has = size_of(%o)\n"
                                       "  %s = unbox(%o)  # name \"open\"\n"
                                       "  %again = box(%s) optional=true\n"
                                       "end\n");
  float a[] = {1, 2};
  pelton_tensor one = floats(a, 2), out[2] = {{0}};
  const pelton_tensor *inner[] = {&one, &one};
  pelton_tensor sequence = boxes(inner, 2);
  const pelton_tensor *outer[] = {&sequence, &sequence};
  pelton_tensor in = boxes(outer, 1);
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  EXPECT_EQ(*(const int64_t *)out[0].data, 1);
  expect_floats(item(item(&out[1], 0), 1), 2, a);
  in = boxes(outer, 2);
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "input 'o' is an optional; it holds one item or none, not 2");
  inner[1] = NULL;
  in = boxes(outer, 1);
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 1), "input 'o', item 1: a null pointer");
  in = boxes(NULL, 0);
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 2), "node 'open': unbox: the optional has no element");
  pelton_context_release(context);
}

/* ---- what callers get wrong -------------------------------------------------------------------------------------- */

TEST(wrong_items_are_named) {
  pelton_context *context = context_of("graph g(%s: tensor<f32>[n]) -> (%y)\n  %y = size_of(%s)\nend\n");
  float a[] = {1, 2, 3, 4};
  const struct {
    pelton_tensor item;
    const char *message;
  } wrong[] = {
      {{PELTON_DTYPE_F64, {1, {1}}, a, sizeof a}, "input 's', item 1: it is f64, not f32"},
      {{PELTON_DTYPE_TENSOR, {1, {1}}, a, sizeof a}, "item 1: it is tensor, not f32"},
      {{PELTON_DTYPE_F32, {9, {1}}, a, sizeof a}, "item 1: it has rank 9"},
      {{PELTON_DTYPE_F32, {1, {-1}}, a, sizeof a}, "item 1: its shape has a negative dim"},
      {{PELTON_DTYPE_F32, {2, {INT64_MAX, 9}}, a, sizeof a}, "item 1: its shape has a negative dim or more elements"},
      {{PELTON_DTYPE_F32, {1, {5}}, a, sizeof a}, "item 1: it needs 20 bytes, 16 are given"},
      {{PELTON_DTYPE_F32, {1, {1}}, NULL, 4}, "item 1: it needs 4 bytes, 0 are given"},
  };
  const pelton_tensor good = floats(a, 4);
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const pelton_tensor *items[] = {&good, &wrong[i].item};
    pelton_tensor in = boxes(items, 2), out = {0};
    pelton_diag_init(&diag);
    EXPECT_EQ(pelton_context_run(context, &in, 1, &out, 1, &diag), PELTON_INVALID_ARGUMENT);
    EXPECT_HAS(pelton_diag_message(&diag, 0), wrong[i].message);
  }
  const pelton_tensor *items[] = {&good};
  pelton_tensor in = boxes(items, 1), out = {0};
  in.bytes--;
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_run(context, &in, 1, &out, 1, &diag), PELTON_INVALID_ARGUMENT);
  in = good;
  EXPECT_EQ(pelton_context_run(context, &in, 1, &out, 1, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 1), "input 's' is tensor, not f32");
  in = boxes(items, 1);
  in.shape = (pelton_shape){2, {1, 1}};
  EXPECT_EQ(pelton_context_run(context, &in, 1, &out, 1, &diag), PELTON_INVALID_ARGUMENT);
  in = boxes(items, 1);
  out = (pelton_tensor){0};
  REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag); /* the context can be used again */
  EXPECT_EQ(*(const int64_t *)out.data, 1);
  pelton_context_release(context);
}

TEST(wrong_models_are_refused) {
  static const struct {
    const char *text, *message;
  } wrong[] = {
      {"graph g(%s: tensor<f32>[n,2]) -> (%y)\n  %y = size_of(%s)\nend\n", "one dimension"},
      {"graph g(%s: tensor<f32>[*]) -> (%y)\n  %y = size_of(%s)\nend\n", "one dimension"},
      {"graph g(%s: tensor[n]) -> (%y)\n  %y = size_of(%s)\nend\n", "expected a type"},
      {"graph g(%s: tensor<tensor>[n]) -> (%y)\n  %y = size_of(%s)\nend\n", "expected a type"},
      {"graph g(%s: tensor<optional<f32>>[n]) -> (%y)\n  %y = size_of(%s)\nend\n", "expected a type"},
      {"graph g(%s: tensor<tensor<tensor<tensor<tensor<f32>>>>>[n]) -> (%y)\n  %y = size_of(%s)\nend\n",
       "expected a type"},
      {"graph g(%s: tensor<tensor<tensor<tensor<f32>>>>[n]) -> (%y)\n  %y = box(%s)\nend\n", "nest deeper than 4 levels"},
      {"graph g(%s: tensor<f32>[n]) -> (%y)\n  %y = pointwise(%s) expr=\"x0\"\nend\n",
       "pointwise: operand 0 is a sequence or an optional; it takes numbers only"},
      {"graph g(%s: tensor<f32>[n]) -> (%y)\n  %y = concat(%s) axis=0\nend\n", "operand 0 is a sequence"},
      {"graph g(%s: tensor<f32>[n], %x: f64[]) -> (%y)\n  %y = sequence_insert(%s, %x)\nend\n",
       "the item is of f64, the sequence's items of f32"},
      {"graph g(%s: tensor<tensor<f32>>[n]) -> (%y)\n  %y = concat_from_sequence(%s) axis=0\nend\n", "only tensors join"},
      {"graph g(%x: f32[2], %z: f64[2]) -> (%y)\n  %y = box(%x, %z)\nend\n", "items of a sequence share one"},
      {"graph g(%x: f32[2]) -> (%y)\n  %y = box(%x, %x) optional=true\nend\n", "an optional of 2 operands"},
      {"graph g(%x: f32[2]) -> (%y, %x)\n  %y = box()\nend\n", "give dtype="},
      {"graph g(%x: f32[2]) -> (%y)\n  %y = unbox(%x)\nend\n", "it must be a sequence or an optional"},
      {"graph g(%x: f32[2]) -> (%y)\n  %y: tensor<f64>[1] = box(%x)\nend\n", "stated as tensor<f64>[1], but it is tensor<f32>[1]"},
      {"graph g(%x: f32[2]) -> (%y)\n  %y: optional<f32>[1] = box(%x)\nend\n", "stated as optional<f32>[1]"},
      {"graph g(%x: f32[2]) -> (%y, %x)\n  %y: tensor<f32>[1] = const 0x0000000000000000\nend\n", "those are no constants"},
      {"graph g(%c: bool[], %x: f32[2]) -> (%y)\n  %y = if(%c, %x) then_graph={ graph a(%x: f32[2]) -> (%b)\n %b = box(%x)\n"
       " end } else_graph={ graph e(%x: f32[2]) -> (%b)\n  %b = box() dtype=f64\n end }\nend\n", "of other items"},
      {"graph g(%n: i64[], %x: f32[2]) -> (%y)\n  %y = loop(%n, _, %x) carried_count=0 body={ graph b(%i: i64[], %c: bool[], "
       "%x: f32[2]) -> (%c, %s)\n    %s = box(%x)\n  end }\nend\n", "only tensors are collected"},
      {"graph g(%s: tensor<f32>[n]) -> (%y)\n  %y = scan(%s) scan_count=1 body={ graph b(%x: f32[]) -> (%x)\n  end }\nend\n",
       "only tensors are scanned"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    pelton_engine *engine;
    const pelton_status status = build(wrong[i].text, NULL, &engine);
    EXPECT(status == PELTON_INVALID_DATA || status == PELTON_UNSUPPORTED);
    EXPECT_HAS(pelton_diag_message(&diag, 0), wrong[i].message);
    pelton_engine_release(engine);
  }
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static char folder[256], path[300];

TEST(engines_keep_the_types_of_items) {
  const char *base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/pelton-sequences-XXXXXX", base && *base ? base : "/tmp");
  REQUIRE(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/e.pelton", folder);
  pelton_engine *engine;
  pelton_io_info info;
  char *before, *after;
  REQUIRE_OK(build("graph g(%o: optional<tensor<i64>>[n], %s: tensor<bool>[m], %x: f32[2]) -> (%t, %u, %v)\n"
                   "  %t = unbox(%o)\n  %u = sequence_erase(%s)\n  %v = split_to_sequence(%x) keep_dims=false\nend\n",
                   NULL, &engine), &diag);
  REQUIRE_OK(pelton_engine_text(engine, 0, &before, &diag), &diag);
  REQUIRE_OK(pelton_engine_save(engine, path, &diag), &diag);
  pelton_engine_release(engine);
  REQUIRE_OK(pelton_engine_open(path, NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_text(engine, 0, &after, &diag), &diag);
  EXPECT_STR(after, before);
  EXPECT_HAS(after, "%o: optional<tensor<i64>>[n]");
  pelton_text_release(before);
  pelton_text_release(after);
  REQUIRE_OK(pelton_engine_input(engine, 0, &info), &diag);
  EXPECT(info.dtype == PELTON_DTYPE_TENSOR && info.optional == 1 && info.item_depth == 2);
  EXPECT(info.item == PELTON_DTYPE_I64 && info.rank_known && info.shape.rank == 1 && info.shape.dims[0] == -1);
  REQUIRE_OK(pelton_engine_output(engine, 0, &info), &diag);
  EXPECT(info.optional == 0 && info.item_depth == 1 && info.item == PELTON_DTYPE_I64);
  REQUIRE_OK(pelton_engine_output(engine, 2, &info), &diag);
  EXPECT(info.item == PELTON_DTYPE_F32 && info.shape.dims[0] == 2);
  REQUIRE_OK(pelton_engine_input(engine, 2, &info), &diag);
  EXPECT(info.item == PELTON_DTYPE_NONE && info.item_depth == 0 && info.optional == 0);
  pelton_engine_release(engine);
  unlink(path);
  rmdir(folder);
}

/* ---- texts in boxes ---------------------------------------------------------------------------------------------- */

TEST(texts_in_boxes_are_the_context_s) {
  pelton_context *context = context_of("graph g(%s: tensor<string>[n], %x: string[2]) -> (%t, %p)\n"
                                       "  %t = sequence_insert(%s, %x)\n  %p = split_to_sequence(%x)\nend\n");
  char one[] = "one", two[] = "two";
  pelton_string texts[] = {{one, 3}, {two, 3}};
  const pelton_tensor inside = {PELTON_DTYPE_STRING, {1, {2}}, texts, sizeof texts};
  const pelton_tensor *items[] = {&inside};
  pelton_tensor in[] = {boxes(items, 1), inside}, out[2] = {{0}};
  REQUIRE_OK(pelton_context_run(context, in, 2, out, 2, &diag), &diag);
  memset(one, '?', 3);
  memset(two, '?', 3);
  for (int64_t i = 0; i < 2; i++) {
    const pelton_string *kept = item(&out[0], i)->data;
    EXPECT(kept[0].bytes == 3 && !memcmp(kept[0].data, "one", 3) && !memcmp(kept[1].data, "two", 3));
  }
  EXPECT(!memcmp(((const pelton_string *)item(&out[1], 1)->data)->data, "two", 3));
  texts[1].data = NULL;
  EXPECT_EQ(pelton_context_run(context, in, 2, out, 2, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "input 's', item 0: text 1 is a null pointer");
  pelton_context_release(context);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static pelton_status whole_life(const char *text, const pelton_tensor *in, uint32_t inputs, uint32_t outputs,
                                const pelton_allocator *allocator) {
  pelton_engine *engine;
  pelton_context *context = NULL;
  pelton_tensor out[4] = {{0}};
  pelton_status status = build(text, allocator, &engine);
  if (!status) status = pelton_context_create(engine, NULL, &context, &diag);
  for (int i = 0; i < 2 && !status; i++) {
    memset(out, 0, sizeof out);
    status = pelton_context_run(context, in, inputs, out, outputs, &diag);
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
  return status;
}

TEST(any_allocation_may_fail) {
  float a[] = {1, 2, 3};
  int64_t at = 1;
  const pelton_tensor one = floats(a, 2), two = floats(a, 3);
  const pelton_tensor *items[] = {&one, &two};
  const pelton_tensor of_insert[] = {boxes(items, 2), one, integer(&at)}, of_loop[] = {integer(&at), one};
  for (int which = 0; which < 2; which++) {
    harness_allocator allocator;
    uint64_t n = 0;
    do {
      const pelton_allocator *given = harness_allocator_init(&allocator, ++n);
      const pelton_status status =
          which ? whole_life(loop_text, of_loop, 2, 2, given) : whole_life(insert_text, of_insert, 3, 4, given);
      EXPECT_EQ(status, allocator.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
      EXPECT_EQ(allocator.live, 0);
    } while (allocator.failed);
    EXPECT(n > 20);
  }
}

TEST_MAIN(T(items_go_in_and_out), T(positions_outside_are_named), T(a_position_is_one_number),
          T(a_loop_collects_items),
          T(an_optional_sequence_is_two_boxes), T(wrong_items_are_named), T(wrong_models_are_refused),
          T(engines_keep_the_types_of_items), T(texts_in_boxes_are_the_context_s), T(any_allocation_may_fail))
