/* Tensors of texts through the public interface: constants as text and in engines, what runs keep and for how long,
   loops, what is refused; and the pieces that operators on texts stand on. */
#include "engine/image.h"
#include "harness.h"
#include "ir/text.h"
#include "op/text/regex.h"
#include "op/text/strings.h"
#include "pelton/build.h"
#include "pelton/run.h"

#include <stdio.h>

#define S(literal) {literal, sizeof(literal) - 1}

/* ---- building and running ---------------------------------------------------------------------------------------- */

static pelton_status build(const char *text, const pelton_allocator *allocator, pelton_engine **out,
                           pelton_diag *diag) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_model *model = NULL;
  import.allocator = options.allocator = allocator;
  options.threads = 1;
  options.level = 0;
  *out = NULL;
  pelton_status status = pelton_model_parse(text, strlen(text), &import, &model, diag);
  if (!status) status = pelton_engine_build(model, &options, out, diag);
  pelton_model_release(model);
  return status;
}

static pelton_tensor texts(pelton_string *data, uint32_t count) {
  return (pelton_tensor){PELTON_DTYPE_STRING, {1, {count}}, data, count * sizeof *data};
}

static void expect_texts(const pelton_tensor *t, const char *joined) {
  pn_text all;
  pn_text_init(&all, NULL);
  size_t count = t->bytes / sizeof(pelton_string);
  EXPECT_EQ(t->dtype, PELTON_DTYPE_STRING);
  for (size_t i = 0; i < count; i++) {
    if (i) pn_text_add(&all, PN_STR("|"));
    pn_text_add(&all, pn_string_str(((const pelton_string *)t->data)[i]));
  }
  EXPECT_STR(all.data ? all.data : "", joined);
  pn_text_deinit(&all);
}

/* ---- constants --------------------------------------------------------------------------------------------------- */

static const char constants[] =
    "graph g(%x: string[n]) -> (%y, %z)\n"
    "  %w: string[1] = const [\"-\\x00\\x0a\\\"\\\\\xff\xc3\xa4\"]\n"
    "  %k: string[3] = const [\"a\", \"\", \"long enough not to be short\"]\n"
    "  %v: i64[3] = const [1, 2, 3]\n"
    "  %d: i64[] = const [-1]\n"
    "  %none: string[0] = const []\n"
    "  %y = text_concat(%x, %w)\n"
    "  %z = lookup(%x, %k, %v, %d)\n"
    "end\n";

static void run_constants(pelton_engine *engine) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  pelton_string data[3] = {S("a"), {NULL, 0}, S("b")};
  pelton_tensor in = texts(data, 3), out[2] = {{0}};
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  const pelton_string *y = out[0].data;
  EXPECT(y[0].bytes == 9 && !memcmp(y[0].data, "a-\0\n\"\\\xff\xc3\xa4", 9));
  EXPECT(y[1].bytes == 8 && !memcmp(y[1].data, "-\0\n\"\\\xff\xc3\xa4", 8));
  const int64_t *z = out[1].data;
  EXPECT(z[0] == 1 && z[1] == 2 && z[2] == -1);
  pelton_context_release(context);
}

TEST(constants_survive_text) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  pn_graph *graph, *again;
  pn_text text;
  pn_text_init(&text, NULL);
  REQUIRE_OK(pn_graph_parse((pn_str){constants, sizeof constants - 1}, &arena, &graph, &diag), &diag);
  pn_graph_print(graph, 0, &text);
  REQUIRE_OK(pn_graph_parse((pn_str){text.data, text.size}, &arena, &again, &diag), &diag);
  EXPECT(pn_graph_equal(graph, again));
  pn_arena other;
  pn_arena_init(&other, NULL);
  pn_graph *copy = pn_graph_clone(graph, &other);
  REQUIRE(copy != NULL);
  EXPECT(pn_graph_equal(graph, copy));
  pn_arena_deinit(&arena);
  pn_text_deinit(&text);
  pn_graph_print(copy, 0, &text); /* nothing of the original is needed */
  EXPECT_HAS(text.data, "\"long enough not to be short\"");
  EXPECT_HAS(text.data, "-\\x00\\x0a\\\"\\\\");
  pn_text_deinit(&text);
  pn_graph_print(copy, 17, &text);
  EXPECT_HAS(text.data, "...(3 elements)");
  pn_text_deinit(&text);
  pn_arena_deinit(&other);
}

TEST(texts_that_are_no_constants) {
  static const struct {
    const char *value, *message;
  } cases[] = {
      {"string[1] = const [1]", "expected a text in double quotes"},
      {"string[2] = const [\"a\"]", "the list has 1 elements"},
      {"string[1] = const [\"a\", \"b\"]", "longer than"},
      {"string[1] = const [\"a]", "closing quote"},
      {"string[1] = const [\"\\q\"]", "behind a backslash"},
      {"string[1] = const 0x00", "expected '["},
      {"string[1] = const random(1)", "random constants are numbers"},
      {"f32[1] = const [\"a\"]", "is not a f32"},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    char text[256];
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_model *model;
    snprintf(text, sizeof text, "graph g() -> (%%w)\n  %%w: %s\nend\n", cases[i].value);
    EXPECT_EQ(pelton_model_parse(text, strlen(text), NULL, &model, &diag), PELTON_INVALID_DATA);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i].message);
  }
}

static char path[512];

static uint8_t *save(pelton_engine *engine, size_t *size) {
  pelton_diag diag = PELTON_DIAG_INIT;
  const char *folder = getenv("PELTON_BUILD");
  snprintf(path, sizeof path, "%s/test_texts.pelton", folder && *folder ? folder : "build");
  REQUIRE_OK(pelton_engine_save(engine, path, &diag), &diag);
  FILE *f = fopen(path, "rb");
  REQUIRE(f != NULL);
  uint8_t *bytes = malloc(1 << 20);
  *size = fread(bytes, 1, 1 << 20, f);
  fclose(f);
  return bytes;
}

TEST(constants_survive_an_engine) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine, *opened;
  size_t size;
  REQUIRE_OK(build(constants, NULL, &engine, &diag), &diag);
  run_constants(engine);
  uint8_t *bytes = save(engine, &size);
  pelton_engine_release(engine);
  REQUIRE_OK(pelton_engine_open(path, NULL, &opened, &diag), &diag);
  run_constants(opened);
  pelton_engine_release(opened);
  free(bytes);
}

/* The bytes of constants are not summed up when an engine is opened: whatever their lengths say is checked. */
TEST(altered_texts_end_in_an_error_or_a_run) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  size_t size, refused = 0;
  REQUIRE_OK(build(constants, NULL, &engine, &diag), &diag);
  uint8_t *bytes = save(engine, &size);
  pelton_engine_release(engine);
  pn_image *image;
  pn_section_info sections[8];
  REQUIRE_OK(pn_image_open_memory(bytes, size, &pn_allocator_default, &image, &diag), &diag);
  const uint32_t count = pn_image_sections(image, sections, 8);
  size_t first = 0, end = 0;
  for (uint32_t i = 0; i < count; i++)
    if (!strcmp(sections[i].kind, "constants")) {
      first = (size_t)sections[i].offset;
      end = first + (size_t)sections[i].bytes;
    }
  pn_image_release(image);
  REQUIRE(end > first && end <= size);
  for (size_t at = first; at < end; at++)
    for (int bit = 0; bit < 8; bit += 7) {
      pelton_diag own = PELTON_DIAG_INIT;
      bytes[at] = (uint8_t)(bytes[at] ^ 1u << bit);
      const pelton_status status = pelton_engine_open_memory(bytes, size, NULL, &engine, &own);
      if (status == PELTON_OK) {
        pelton_context *context;
        pelton_string data[2] = {S("a"), S("b")};
        pelton_tensor in = texts(data, 2), out[2] = {{0}};
        REQUIRE_OK(pelton_context_create(engine, NULL, &context, &own), &own);
        REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &own), &own);
        pelton_context_release(context);
      } else {
        EXPECT_EQ(status, PELTON_INVALID_DATA);
        refused++;
      }
      pelton_engine_release(engine);
      bytes[at] = (uint8_t)(bytes[at] ^ 1u << bit);
    }
  EXPECT(refused > 0);
  free(bytes);
}

/* ---- what runs keep ---------------------------------------------------------------------------------------------- */

static const char joining[] = "graph g(%x: string[n], %t: i64[]) -> (%all, %last, %x2)\n"
                              "  %c: string[1] = const [\"+\"]\n"
                              "  %last, %all = loop(%t, _, %x, %c) body={ graph in(%i, %go, %s, %p) -> (%ok, %u, %u)\n"
                              "    %ok: bool[] = const [true]\n"
                              "    %u = text_concat(%s, %p)\n"
                              "  end } carried_count=1\n"
                              "  %at: i64[1] = const [0]\n"
                              "  %x2 = gather(%x, %at)\n"
                              "end\n";

TEST(a_loop_without_a_trip_count_in_it_is_refused) {
  static const char text[] = "graph g(%t: i64[n], %x: string[2]) -> (%y)\n"
                             "  %y = loop(%t, _, %x) body={ graph in(%i, %go, %s) -> (%ok, %u)\n"
                             "    %ok: bool[] = const [true]\n    %u = text_concat(%s, %s)\n  end } carried_count=1\n"
                             "end\n";
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  pelton_string data[2] = {S("a"), S("b")};
  pelton_tensor in[2] = {{PELTON_DTYPE_I64, {1, {0}}, NULL, 0}, texts(data, 2)}, out = {0};
  int64_t none[1] = {3};
  in[0].data = none;
  REQUIRE_OK(build(text, NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  EXPECT_EQ(pelton_context_run(context, in, 2, &out, 1, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "loop wants one trip count, not 0");
  pelton_context_release(context);
  pelton_engine_release(engine);
}

TEST(results_stay_until_the_next_run) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  REQUIRE_OK(build(joining, NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  for (int64_t trips = 0; trips < 40; trips += 3) {
    char words[2][8] = {"one", "two"};
    pelton_string data[2] = {{words[0], 3}, {words[1], 3}};
    pelton_string given[2];
    pelton_tensor in[2] = {texts(data, 2), {PELTON_DTYPE_I64, {0, {0}}, &trips, 8}}, out[3] = {{0}};
    out[1].data = given;
    out[1].bytes = sizeof given;
    REQUIRE_OK(pelton_context_run(context, in, 2, out, 3, &diag), &diag);
    memset(words, '?', sizeof words); /* the inputs' bytes are the caller's again */
    memset(data, 0xff, sizeof data);
    EXPECT(out[1].data == given);
    EXPECT(given[1].bytes == 3 + (uint64_t)trips && !memcmp(given[1].data, trips ? "two+" : "two", trips ? 4 : 3));
    EXPECT_EQ(out[0].bytes, 2 * (uint64_t)trips * sizeof(pelton_string));
    for (int64_t i = 0; i < 2 * trips; i++) {
      const pelton_string s = ((const pelton_string *)out[0].data)[i];
      EXPECT(s.bytes == 4 + (uint64_t)i / 2 && !memcmp(s.data, i % 2 ? "two+" : "one+", 4));
    }
    expect_texts(&out[2], "one");
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
}

TEST(an_input_or_a_constant_may_be_an_output) {
  static const char text[] = "graph g(%x: string[2]) -> (%x, %c)\n  %c: string[2] = const [\"p\", \"q\"]\nend\n";
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  pelton_string data[2] = {S("m"), S("n")};
  pelton_tensor in = texts(data, 2), out[2] = {{0}};
  REQUIRE_OK(build(text, NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  for (int i = 0; i < 3; i++) {
    memset(out, 0, sizeof out);
    REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
    EXPECT(out[0].data != data);
    expect_texts(&out[0], "m|n");
    expect_texts(&out[1], "p|q");
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
}

TEST(branches_and_scans_of_texts) {
  static const char text[] = "graph g(%b: bool[], %x: string[2]) -> (%y, %z)\n"
                             "  %y = if(%b, %x) then_graph={ graph yes(%p) -> (%p)\n  end }"
                             " else_graph={ graph no(%p) -> (%q)\n    %q = text_concat(%p, %p)\n  end }\n"
                             "  %s: string[] = const [\"\"]\n"
                             "  %last, %z = scan(%s, %x) body={ graph step(%t, %e) -> (%u, %u)\n"
                             "    %u = text_concat(%t, %e)\n  end } state_count=1 scan_count=1\nend\n";
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  pelton_string data[2] = {S("ab"), S("c")};
  REQUIRE_OK(build(text, NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  for (uint8_t b = 0; b < 2; b++) {
    pelton_tensor in[2] = {{PELTON_DTYPE_BOOL, {0, {0}}, &b, 1}, texts(data, 2)}, out[2] = {{0}};
    REQUIRE_OK(pelton_context_run(context, in, 2, out, 2, &diag), &diag);
    expect_texts(&out[0], b ? "ab|c" : "abab|cc");
    expect_texts(&out[1], "ab|abc");
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
}

/* Every operator on texts once, some of them on constants, which are folded. */
static const char everything[] =
    "graph g(%x: string[1,n]) -> (%n, %p, %c, %m, %f, %t, %e, %w, %u, %k)\n"
    "  %stop: string[2] = const [\"the\", \"OF\"]\n"
    "  %pool: string[3] = const [\"a\", \"a\", \"b\"]\n"
    "  %weights: f32[2] = const [0.5, 2.0]\n"
    "  %k: string[2] = const [\"x y\", \"1.5\"]\n"
    "  %n = text_normalize(%x, %stop) letters=upper\n"
    "  %p, %c = text_split(%n) delimiter=\"A\" most_splits=2\n"
    "  %m = text_match(%x) pattern=\"(?i)[a-m]+\"\n"
    "  %f = tf_idf(%x, %pool, %weights) mode=tfidf most_gram=2 most_skips=1 gram_starts=[0,1] gram_columns=[0,1]\n"
    "  %kp, %kc = text_split(%k)\n"
    "  %t = to_text(%kc)\n"
    "  %kt = text_concat(%k, %t)\n"
    "  %e = text_equal(%x, %x)\n"
    "  %w = text_select(%m, %x, %x)\n"
    "  %u = unique(%kt)\n"
    "end\n";

static pelton_status whole_life(const pelton_allocator *allocator) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  pelton_context *context = NULL;
  pelton_string data[4] = {S("The"), S("a"), S("banana"), S("b")};
  pelton_tensor in = {PELTON_DTYPE_STRING, {2, {1, 4}}, data, sizeof data}, out[10] = {{0}};
  pelton_status status = build(everything, allocator, &engine, &diag);
  if (!status) status = pelton_context_create(engine, NULL, &context, &diag);
  if (!status) status = pelton_context_run(context, &in, 1, out, 10, &diag);
  if (!status) {
    expect_texts(&out[0], "A|BANANA|B");
    expect_texts(&out[1], "|||B|N|NA|B||");
    EXPECT(((const int64_t *)out[2].data)[0] == 2 && ((const int64_t *)out[2].data)[1] == 3);
    EXPECT(!((const uint8_t *)out[3].data)[0] && ((const uint8_t *)out[3].data)[1]);
    EXPECT(((const float *)out[4].data)[0] == 0.5f && ((const float *)out[4].data)[1] == 2.0f);
    expect_texts(&out[5], "2|1");
    expect_texts(&out[7], "The|a|banana|b");
    expect_texts(&out[8], "1.51|x y2");
    expect_texts(&out[9], "x y|1.5");
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
  return status;
}

TEST(any_allocation_may_fail) {
  harness_allocator a;
  uint64_t n = 0;
  do {
    const pelton_allocator *allocator = harness_allocator_init(&a, ++n);
    const pelton_status status = whole_life(allocator);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(a.live, 0);
  } while (a.failed && n < 100000);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

TEST(operators_of_numbers_refuse_texts) {
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  pn_symbols symbols;
  pn_symbols_init(&symbols, &arena);
  for (uint32_t i = 0; i < PN_OP_COUNT; i++) {
    const pn_op_info *info = pn_op_get((pn_op)i);
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_fact in[8] = {{0}}, out[4] = {{0}};
    in[0] = (pn_fact){.present = true, .type = {.dtype = PELTON_DTYPE_STRING, .rank = PN_RANK_UNKNOWN}};
    const pn_infer call = {.input_count = 1, .output_count = 1, .in = in, .out = out, .symbols = &symbols,
                           .arena = &arena, .diag = &diag};
    if (info->flags & PN_OP_TEXTS) continue;
    EXPECT_EQ(pn_op_check((pn_op)i, &call), PELTON_UNSUPPORTED);
    EXPECT_HAS(pelton_diag_message(&diag, 0), "takes numbers only");
  }
  pn_arena_deinit(&arena);
}

static void expect_refused(const char *node, const char *message) {
  char text[512];
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model = NULL;
  snprintf(text, sizeof text, "graph g(%%x: string[2,3], %%f: f32[2,3], %%i: i64[2]) -> (%%y)\n  %%y = %s\nend\n",
           node);
  EXPECT(pelton_model_parse(text, strlen(text), NULL, &model, &diag) != PELTON_OK);
  EXPECT_HAS(pelton_diag_message(&diag, 0), message);
}

TEST(wrong_nodes_are_named) {
  expect_refused("reduce(%x)", "reduce: operand 0 is of type string");
  expect_refused("pointwise(%x) expr=\"x0\"", "takes numbers only");
  expect_refused("pointwise(%f) expr=\"cast(x0,string)\"", "a type");
  expect_refused("text_concat(%x, %f)", "operand 1 is of type f32; it must be string");
  expect_refused("text_select(%f, %x, %x)", "must be bool");
  expect_refused("text_normalize(%x)", "2 rows; it must be one row");
  expect_refused("to_text(%x)", "must be numbers");
  expect_refused("from_text(%f)", "must be string");
  expect_refused("from_text(%x) to=string", "must be a type of numbers");
  expect_refused("one_hot(%x, %i, %f)", "must be numbers, not string");
  expect_refused("scatter_elements(%x, %i, %x) reduction=add", "cannot be reduced");
  expect_refused("lookup(%x, %i, %i, %i)", "must be equal");
  expect_refused("tf_idf(%f, %i)", "tokens are of type f32");
  expect_refused("text_match(%x) pattern=\"(\"", "a group does not end");
}

TEST(wrong_texts_are_named) {
  static const char text[] = "graph g(%x: string[n]) -> (%y)\n  %y = from_text(%x) to=i32\nend\n";
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  pelton_string data[2] = {S("12.75"), S("Hello World!")};
  pelton_tensor in = texts(data, 1), out = {0};
  REQUIRE_OK(build(text, NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
  EXPECT_EQ(*(const int32_t *)out.data, 12);
  in = texts(data, 2);
  out = (pelton_tensor){0};
  EXPECT_EQ(pelton_context_run(context, &in, 1, &out, 1, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "\"Hello World!\", is no number");
  data[1].data = NULL;
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_run(context, &in, 1, &out, 1, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "input 'x': text 1 has a length but no bytes");
  static const char *const none[] = {"", " ", "1 2", "0x10", "--1", "1e", "e5", "\xb1", "nan(1)", "1,5"};
  for (size_t i = 0; i < PN_COUNT(none); i++) {
    data[0] = (pelton_string){none[i], strlen(none[i])};
    in = texts(data, 1);
    EXPECT_EQ(pelton_context_run(context, &in, 1, &out, 1, NULL), PELTON_INVALID_DATA);
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
}

/* ---- Unicode ----------------------------------------------------------------------------------------------------- */

TEST(runes) {
  for (uint32_t rune = 0; rune < PN_UNICODE_END; rune += rune < 0x3000 ? 1 : 61) {
    char bytes[PN_RUNE_BYTES];
    size_t size;
    if (rune >= 0xd800 && rune < 0xe000) continue;
    const pn_str text = {bytes, pn_rune_write(rune, bytes)};
    EXPECT(pn_rune_read(text, &size) == rune && size == text.size);
    EXPECT(pn_rune_category(rune) < PN_RUNE_CATEGORIES);
    EXPECT(pn_rune_lower(rune) < PN_UNICODE_END && pn_rune_upper(rune) < PN_UNICODE_END);
  }
  static const char *const stray[] = {"\x80",         "\xc0\x80",         "\xc3", "\xe0\x80\x80",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"};
  for (size_t i = 0; i < PN_COUNT(stray); i++) {
    char byte;
    size_t size;
    const uint32_t rune = pn_rune_read(pn_str_from(stray[i]), &size);
    EXPECT(rune == (uint32_t)PN_STRAY_BYTE + (uint8_t)*stray[i] && size == 1);
    EXPECT(pn_rune_write(rune, &byte) == 1 && byte == *stray[i]);
    EXPECT(pn_rune_lower(rune) == rune && pn_rune_category(rune) == PN_RUNE_CATEGORIES);
  }
  static const uint32_t pairs[][2] = {{'A', 'a'},     {0xc4, 0xe4},  {0x3a3, 0x3c3},
                                      {0x414, 0x434}, {0x178, 0xff}, {0x10400, 0x10428}};
  for (size_t i = 0; i < PN_COUNT(pairs); i++) {
    EXPECT_EQ(pn_rune_lower(pairs[i][0]), pairs[i][1]);
    EXPECT_EQ(pn_rune_upper(pairs[i][1]), pairs[i][0]);
    EXPECT_EQ(pn_rune_upper(pairs[i][0]), pairs[i][0]);
    EXPECT_STR(pn_rune_categories[pn_rune_category(pairs[i][0])], "Lu");
  }
  EXPECT(pn_rune_lower(0xd7) == 0xd7 && pn_rune_upper(0x65e5) == 0x65e5 && pn_rune_is_space(0x3000));
}

/* ---- regular expressions ----------------------------------------------------------------------------------------- */

TEST(patterns_match_whole_texts) {
  static const struct {
    const char *pattern, *yes, *no; /* texts with blanks between */
  } cases[] = {
      {"", "", "a"},
      {"a*?b|c+", "b aab c ccc", "a cb"},
      {"(?:ab){2,3}", "abab ababab", "ab abababab aba"},
      {"[^a-c\\d]x{0}", "d Z \xc3\xa4", "a 5 dd"},
      {"\\w+@\\w+\\.(com|org)", "joe@a.com x@y.org", "joe@a.net @a.com"},
      {"(?i)gr\xc3\xbcn", "GR\xc3\x9cN gr\xc3\xbcn", "grun"},
      {"(?i:a)b", "Ab ab", "AB aB"},
      {"(?-i)(?i)a(?-i)b", "Ab", "AB"},
      {"x{2}{", "xx{", "xx xxx"},
      {"\\x41\\x{1F600}\\101", "A\xf0\x9f\x98\x80" "A", "AA"},
      {"[[:^alpha:]][[:digit:]-]", "1- -5", "a1 1a"},
      {"\\p{^Lu}\\PN", "a- -a", "A- -1"},
      {"[\\pL\\pN]+", "a1\xd0\x96", "a-"},
      {"\\Qa.b*\\E+", "a.b* a.b**", "aab"},
      {"(?P<year>\\d{4})-(?<month>\\d\\d)", "2024-05", "24-05"},
      {"\\Aa$|^b\\z", "a b", "c"},
      {"\\bab\\b-\\B.*", "ab- ab--", "ab-c xab-"},
      {"(a*)*", "aaaa", "aab"},
      {"(|a|b)(()|)c", "c ac bc", "abc"},
      {".", "a \xff \xe6\x97\xa5", "ab"},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_arena arena;
    pn_regex *regex;
    pn_arena_init(&arena, NULL);
    REQUIRE_OK(pn_regex_compile(pn_str_from(cases[i].pattern), &arena, &regex, &diag), &diag);
    for (int yes = 0; yes < 2; yes++) {
      const char *text = yes ? cases[i].yes : cases[i].no;
      for (;;) {
        const size_t size = strcspn(text, " ");
        if (pn_regex_matches(regex, (pn_str){text, size}) != yes)
          fprintf(stderr, "'%s' and '%.*s'\n", cases[i].pattern, (int)size, text);
        EXPECT(pn_regex_matches(regex, (pn_str){text, size}) == yes);
        if (!text[size]) break;
        text += size + 1;
      }
    }
    pn_arena_deinit(&arena);
  }
}

TEST(patterns_that_are_none) {
  static const struct {
    const char *pattern, *message;
  } cases[] = {
      {"a)", "no opening one"},     {"(a", "at byte 1: a group does not end"}, {"[a", "class in brackets does not end"},
      {"*a", "nothing to repeat"},  {"a**", "a repetition is repeated"},       {"a{3}{2}", "a repetition is repeated"},
      {"(?i)*", "nothing to repeat"}, {"a{2,1}", "most is below its least"},   {"a{1001}", "counts to 1000"},
      {"[z-a]", "ends before it begins"}, {"[[:foo:]]", "no class of this name"}, {"\\1", "no references"},
      {"(?=a)", "no such group"},   {"(?<=a)", "no such group"},
      {"(?P<a>x)(?P<a>y)", "two groups have one name"},
      {"(?P<>x)", "a group's name"}, {"\\", "a backslash stands at its end"},  {"\\y", "no such escape"},
      {"\\x4", "two hexadecimal digits"}, {"\\x{110000}", "two hexadecimal digits"}, {"[\\", "a backslash stands"},
      {"\\p{Greek}", "general categories"}, {"\\C", "a single byte"},          {"(?i-)", "a flag is missing"},
      {"((a{100}){100}){100}", "steps once its repetitions are written out"},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_arena arena;
    pn_regex *regex;
    pn_arena_init(&arena, NULL);
    EXPECT(pn_regex_compile(pn_str_from(cases[i].pattern), &arena, &regex, &diag) != PELTON_OK);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i].message);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i].pattern);
    pn_arena_deinit(&arena);
  }
}

/* What makes matchers that go back take forever, and the deepest nesting. */
TEST(patterns_take_linear_time) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena arena;
  pn_regex *regex;
  pn_arena_init(&arena, NULL);
  char *text = malloc(100000);
  memset(text, 'a', 100000);
  REQUIRE_OK(pn_regex_compile(PN_STR("((a*)*|(a|a)*)*b"), &arena, &regex, &diag), &diag);
  EXPECT(!pn_regex_matches(regex, (pn_str){text, 100000}));
  text[99999] = 'b';
  EXPECT(pn_regex_matches(regex, (pn_str){text, 100000}));
  REQUIRE_OK(pn_regex_compile(PN_STR("(((((){1000}){1000}){1000}){1000}){1000}"), &arena, &regex, &diag), &diag);
  EXPECT(pn_regex_matches(regex, (pn_str){"", 0}));
  memset(text, '(', 600);
  EXPECT_EQ(pn_regex_compile((pn_str){text, 600}, &arena, &regex, &diag), PELTON_UNSUPPORTED);
  free(text);
  pn_arena_deinit(&arena);
}

/* Any bytes are a pattern or a message. */
TEST(patterns_of_random_bytes) {
  static const char pieces[] = "ab()[]{}*+?|^$\\.,-:<>=!1290pPQEdwsxiLu\xc3\xa4\xff\n";
  uint32_t state = 7, compiled = 0;
  for (int round = 0; round < 20000; round++) {
    char pattern[24];
    pn_arena arena;
    pn_regex *regex;
    pelton_diag diag = PELTON_DIAG_INIT;
    size_t size = 0;
    for (state = state * 1664525u + 1013904223u; size < (state >> 8) % sizeof pattern; size++) {
      uint32_t pick = state = state * 1664525u + 1013904223u;
      pattern[size] = pieces[(pick >> 10) % (sizeof pieces - 1)];
      if (pick >> 31) break;
    }
    pn_arena_init(&arena, NULL);
    const pelton_status status = pn_regex_compile((pn_str){pattern, size}, &arena, &regex, &diag);
    EXPECT((status == PELTON_OK) == (diag.count == 0));
    if (!status) (void)pn_regex_matches(regex, PN_STR("ab\xc3\xa4 1\n(b)"));
    compiled += !status;
    pn_arena_deinit(&arena);
  }
  EXPECT(compiled > 1000);
}

TEST_MAIN(T(constants_survive_text), T(texts_that_are_no_constants), T(constants_survive_an_engine),
          T(altered_texts_end_in_an_error_or_a_run), T(a_loop_without_a_trip_count_in_it_is_refused),
          T(results_stay_until_the_next_run),
          T(an_input_or_a_constant_may_be_an_output), T(branches_and_scans_of_texts), T(any_allocation_may_fail),
          T(operators_of_numbers_refuse_texts), T(wrong_nodes_are_named), T(wrong_texts_are_named), T(runes),
          T(patterns_match_whole_texts), T(patterns_that_are_none), T(patterns_take_linear_time),
          T(patterns_of_random_bytes))
