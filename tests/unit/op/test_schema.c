/* Attributes of every operator, generated from the field table: text, JSON, binary form, copies, and what happens to
   broken texts and broken bytes. */
#include "harness.h"

#include "base/json.h"
#include "op/schema.h"

#include <math.h>

/* Subgraphs are numbers here: graph k is &graphs[k], its text "graph k end". */
static char graphs[8];

static void print_graph(void *self, const struct pn_graph *graph, pn_text *out) {
  (void)self;
  pn_text_printf(out, "graph %d\n end", (int)((const char *)graph - graphs));
}

static pelton_status parse_graph(void *self, pn_str *text, struct pn_graph **out, pelton_diag *diag) {
  (void)self;
  if (!pn_str_starts(*text, "graph ") || text->size < 12 || text->data[6] < '0' || text->data[6] > '7')
    return pn_fail(diag, PELTON_INVALID_DATA, "expected a graph");
  *out = (struct pn_graph *)(void *)&graphs[text->data[6] - '0'];
  text->data += 12;
  text->size -= 12;
  return PELTON_OK;
}

static uint32_t store_graph(void *self, const struct pn_graph *graph) {
  (void)self;
  return (uint32_t)((const char *)graph - graphs);
}

static struct pn_graph *load_graph(void *self, uint32_t index) {
  (void)self;
  return index < sizeof graphs ? (struct pn_graph *)(void *)&graphs[index] : NULL;
}

static const pn_attrs_io io = {
    .print_graph = print_graph, .parse_graph = parse_graph, .store_graph = store_graph, .load_graph = load_graph};

static uint64_t random_state = 7;
static uint32_t random_below(uint32_t limit) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % limit;
}

/* Sets |field| to some value that is not its default. */
static void set_field(void *attrs, const pn_field *field, pn_arena *arena) {
  static const int64_t integers[] = {1, -1, 0, INT64_MIN, INT64_MAX, 42};
  static const float floats[] = {0.1f, -1e-30f, 3.4e38f, 1.0f / 3, INFINITY, 16777216.0f};
  static const char *const strings[] = {"sigmoid,tanh,tanh", "a \"quoted\" \\ text", "line\nline \x01\x7f end", "#,]}'",
                                        "\xc3\xa9"};
  static const char *const exprs[] = {"relu(x0)", "t0=exp(x0);add(t0,mul(t0,0.5:f32))"};
  void *at = (char *)attrs + field->offset;
  uint32_t count = 1 + random_below(4), words = 0;
  int64_t *i64s = PN_NEW_ARRAY(arena, int64_t, 4);
  float *f32s = PN_NEW_ARRAY(arena, float, 4);
  REQUIRE(i64s && f32s);
  for (uint32_t i = 0; i < 4; i++) {
    i64s[i] = integers[random_below(6)];
    f32s[i] = floats[random_below(6)];
  }
  switch (field->kind) {
  case PN_FIELD_I64: *(int64_t *)at = 1 + (int64_t)random_below(100) - (field->default_i64 > 0 ? 101 : 0); break;
  case PN_FIELD_F32: *(float *)at = (float)field->default_f64 + 0.3f + (float)random_below(100); break;
  case PN_FIELD_BOOL: *(bool *)at = !field->default_i64; break;
  case PN_FIELD_DTYPE: *(pelton_dtype *)at = (pelton_dtype)(1 + random_below(PELTON_DTYPE_COUNT - 1)); break;
  case PN_FIELD_ENUM:
    while (field->words[words]) words++;
    memcpy(at, &(uint32_t){(uint32_t)((field->default_i64 + 1 + random_below(words - 1)) % words)}, 4);
    break;
  case PN_FIELD_I64S: *(pn_i64s *)at = (pn_i64s){i64s, count}; break;
  case PN_FIELD_F32S: *(pn_f32s *)at = (pn_f32s){f32s, count}; break;
  case PN_FIELD_STRING: *(pn_str *)at = pn_str_from(strings[random_below(PN_COUNT(strings))]); break;
  case PN_FIELD_EXPR: REQUIRE(pn_expr_parse(pn_str_from(exprs[random_below(2)]), arena, at, NULL) == PELTON_OK); break;
  case PN_FIELD_GRAPH: *(struct pn_graph **)at = (struct pn_graph *)(void *)&graphs[random_below(8)]; break;
  }
}

static bool is_required(const pn_field *field) { return field->kind == PN_FIELD_EXPR || field->kind == PN_FIELD_GRAPH; }

/* Fields of |op|: those that must be, and the others where |mask| says so. */
static void *attrs_make(pn_op op, uint32_t mask, pn_arena *arena) {
  const pn_op_info *info = pn_op_get(op);
  void *attrs = pn_attrs_new(op, arena);
  REQUIRE(attrs != NULL);
  for (uint32_t i = 0; i < info->field_count; i++)
    if (is_required(&info->fields[i]) || mask >> i & 1) set_field(attrs, &info->fields[i], arena);
  return attrs;
}

static void check_round_trips(pn_op op, const void *attrs, pn_arena *arena) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_text text, again, bytes;
  pn_text_init(&text, NULL);
  pn_text_init(&again, NULL);
  pn_text_init(&bytes, NULL);
  pn_attrs_print(op, attrs, &io, &text);
  pn_text_add(&text, PN_STR("  # from \"a\"\nnext"));
  pn_str rest = {text.data, text.size};
  void *parsed;
  REQUIRE_OK(pn_attrs_parse(op, &rest, &io, arena, &parsed, &diag), &diag);
  EXPECT(pn_str_is(rest, "# from \"a\"\nnext"));
  EXPECT(pn_attrs_equal(op, attrs, parsed));
  pn_attrs_print(op, parsed, &io, &again);
  pn_text_add(&again, PN_STR("  # from \"a\"\nnext"));
  EXPECT_STR(again.data, text.data);
  EXPECT(pn_attrs_hash(op, attrs, 1) == pn_attrs_hash(op, parsed, 1));

  pn_attrs_store(op, attrs, &io, &bytes);
  pn_text_add(&bytes, PN_STR("rest"));
  REQUIRE(!bytes.failed);
  pn_span span = {(const uint8_t *)bytes.data, bytes.size};
  void *loaded;
  REQUIRE_OK(pn_attrs_load(op, &span, &io, arena, &loaded, &diag), &diag);
  EXPECT(span.size == 4 && pn_attrs_equal(op, attrs, loaded));

  void *copy = pn_attrs_copy(op, attrs, arena);
  REQUIRE(copy != NULL);
  EXPECT(pn_attrs_equal(op, attrs, copy));
  pn_text_deinit(&text);
  pn_text_deinit(&again);
  pn_text_deinit(&bytes);
}

TEST(every_field_of_every_operator) {
  for (uint32_t op = 0; op < PN_OP_COUNT; op++) {
    const pn_op_info *info = pn_op_get((pn_op)op);
    pn_arena arena;
    pn_arena_init(&arena, NULL);
    const void *plain = attrs_make((pn_op)op, 0, &arena);
    check_round_trips((pn_op)op, plain, &arena);
    for (uint32_t i = 0; i < info->field_count; i++) {
      const void *attrs = attrs_make((pn_op)op, 1u << i, &arena);
      check_round_trips((pn_op)op, attrs, &arena);
      if (is_required(&info->fields[i])) continue;
      void *changed = pn_attrs_copy((pn_op)op, plain, &arena); /* one field decides equality and hash */
      REQUIRE(changed != NULL);
      set_field(changed, &info->fields[i], &arena);
      EXPECT(!pn_attrs_equal((pn_op)op, plain, changed));
      EXPECT(pn_attrs_hash((pn_op)op, plain, 0) != pn_attrs_hash((pn_op)op, changed, 0));
    }
    for (int i = 0; i < 10; i++)
      check_round_trips((pn_op)op, attrs_make((pn_op)op, random_below(1u << 20), &arena), &arena);
    pn_arena_deinit(&arena);
  }
}

TEST(tables) {
  pn_op op;
  for (uint32_t i = 0; i < PN_OP_COUNT; i++) {
    const pn_op_info *info = pn_op_get((pn_op)i);
    EXPECT(pn_op_find(pn_str_from(info->name), &op) && op == i);
    EXPECT(info->min_inputs <= info->max_inputs && info->min_outputs <= info->max_outputs && info->max_outputs > 0);
    EXPECT(info->check && info->infer && info->reference);
    EXPECT(info->field_count <= 32);
    for (uint32_t f = 0; f < info->field_count; f++) EXPECT(info->fields[f].offset < info->attrs_bytes);
  }
  EXPECT(!pn_op_find(PN_STR("conv3"), &op) && !pn_op_find(PN_STR(""), &op));
  EXPECT(pn_op_find(PN_STR("if"), &op) && op == PN_OP_IF && pn_op_get(op)->flags == (PN_OP_CONTROL | PN_OP_TEXTS | PN_OP_BOXES));
  EXPECT(pn_op_get(PN_OP_RESHAPE)->flags == (PN_OP_VIEW | PN_OP_TEXTS));
  EXPECT(pn_op_get(PN_OP_UNIQUE)->flags == (PN_OP_DATA_SHAPE | PN_OP_TEXTS));
}

TEST(defaults) {
  pn_arena arena;
  pn_arena_init(&arena, NULL);
  const pn_attrs_conv *conv = pn_attrs_new(PN_OP_CONV, &arena);
  const pn_attrs_resize *resize = pn_attrs_new(PN_OP_RESIZE, &arena);
  const pn_attrs_shape_of *shape = pn_attrs_new(PN_OP_SHAPE_OF, &arena);
  const pn_attrs_recurrent *recurrent = pn_attrs_new(PN_OP_RECURRENT, &arena);
  const pn_attrs_reduce *reduce = pn_attrs_new(PN_OP_REDUCE, &arena);
  REQUIRE(conv && resize && shape && recurrent && reduce);
  EXPECT(conv->group == 1 && conv->strides.count == 0 && conv->auto_pad == PN_AUTO_PAD_NOTSET);
  EXPECT(resize->cubic_a == -0.75f && resize->coordinates == PN_COORD_HALF_PIXEL);
  EXPECT(shape->end == INT64_MAX && recurrent->kind == PN_RECURRENT_LSTM && reduce->keep_dims);
  pn_arena_deinit(&arena);
}

TEST(text_and_json) {
  pn_arena arena;
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena_init(&arena, NULL);
  pn_str text = PN_STR(" pads=[1,1,1,1]\tgroup=4 strides=2,2 auto_pad=same_upper dilations=[ 1 , 2 ]");
  void *attrs;
  REQUIRE_OK(pn_attrs_parse(PN_OP_CONV, &text, NULL, &arena, &attrs, &diag), &diag);
  pn_text out;
  pn_text_init(&out, NULL);
  pn_attrs_print(PN_OP_CONV, attrs, NULL, &out);
  EXPECT_STR(out.data, " strides=[2,2] pads=[1,1,1,1] dilations=[1,2] group=4 auto_pad=same_upper");
  out.size = 0;
  pn_json json;
  pn_json_init(&json, &out);
  pn_json_object_begin(&json, NULL);
  pn_attrs_json(PN_OP_CONV, attrs, &json);
  pn_json_object_end(&json);
  EXPECT_STR(out.data,
             "{\"strides\":[2,2],\"pads\":[1,1,1,1],\"dilations\":[1,2],\"group\":4,\"auto_pad\":\"same_upper\"}");
  text = PN_STR("activations=\"a\\\"b\" alpha=[0.1,0.25] clip=0.1 batch_first=true hidden=3");
  REQUIRE_OK(pn_attrs_parse(PN_OP_RECURRENT, &text, NULL, &arena, &attrs, &diag), &diag);
  out.size = 0;
  pn_json_object_begin(&json, NULL);
  pn_attrs_json(PN_OP_RECURRENT, attrs, &json);
  pn_json_object_end(&json);
  EXPECT_HAS(out.data, "\"activations\":\"a\\\"b\",\"alpha\":[0.1,0.25],\"beta\":[],\"clip\":0.1,");
  EXPECT_HAS(out.data, "\"kind\":\"lstm\"");
  text = PN_STR("expr=\"relu(x0)\"");
  REQUIRE_OK(pn_attrs_parse(PN_OP_POINTWISE, &text, NULL, &arena, &attrs, &diag), &diag);
  out.size = 0;
  pn_attrs_json(PN_OP_POINTWISE, attrs, &json);
  EXPECT_HAS(out.data, "\"expr\":\"relu(x0)\"");
  pn_text_deinit(&out);
  pn_arena_deinit(&arena);
}

TEST(bad_texts) {
  static const struct {
    pn_op op;
    const char *text, *message;
  } cases[] = {
      {PN_OP_CONV, "stride=[2,2]", "conv has no attribute 'stride'; it has strides, pads, dilations, group, auto_pad"},
      {PN_OP_DET, "x=1", "det has no attribute 'x'; it has none"},
      {PN_OP_CONV, "group=x", "conv: attribute 'group' wants an integer, not 'x'"},
      {PN_OP_CONV, "group=9223372036854775808", "wants an integer"},
      {PN_OP_CONV, "group=", "wants an integer, not ''"},
      {PN_OP_CONV, "group=1 group=2", "conv: attribute 'group' is given twice"},
      {PN_OP_CONV, "strides=[1,x]", "conv: attribute 'strides' wants a list of integers, not 'x'"},
      {PN_OP_CONV, "strides=[1,2", "wants ',' or ']'"},
      {PN_OP_CONV, "strides=[1,]", "wants a list of integers, not ''"},
      {PN_OP_CONV, "strides", "conv: expected attribute=value, not 'strides'"},
      {PN_OP_CONV, "group=1)", "wants an integer, not '1)'"},
      {PN_OP_CONV, ", group=1", "expected attribute=value"},
      {PN_OP_POOL, "kind=foo", "pool: attribute 'kind' wants one of max, average, lp, not 'foo'"},
      {PN_OP_POOL, "ceil_mode=yes", "pool: attribute 'ceil_mode' wants true or false, not 'yes'"},
      {PN_OP_LRN, "alpha=1e", "lrn: attribute 'alpha' wants a number, not '1e'"},
      {PN_OP_BITCAST, "to=f8", "bitcast: attribute 'to' wants a type (f32"},
      {PN_OP_EINSUM, "equation=ij", "wants a text in double quotes, not 'ij'"},
      {PN_OP_EINSUM, "equation=\"ij", "wants a closing quote"},
      {PN_OP_EINSUM, "equation=\"i\nj\"", "wants a closing quote"},
      {PN_OP_EINSUM, "equation=\"i\\", "wants a closing quote"},
      {PN_OP_EINSUM, "equation=\"i\\n\"", "behind a backslash"},
      {PN_OP_EINSUM, "equation=\"i\\x4\"", "two hexadecimal digits"},
      {PN_OP_POINTWISE, "", "pointwise lacks its attribute 'expr'"},
      {PN_OP_POINTWISE, "expr=\"\"", "wants an expression"},
      {PN_OP_POINTWISE, "expr=\"relu(\"", "expression: expected"},
      {PN_OP_IF, "then_graph={ graph 1\n end }", "if lacks its attribute 'else_graph'"},
      {PN_OP_IF, "then_graph=graph", "if: attribute 'then_graph' wants '{'"},
      {PN_OP_IF, "then_graph={ graph 1\n end", "wants '}' behind its graph"},
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    pn_arena arena;
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_arena_init(&arena, NULL);
    pn_str text = pn_str_from(cases[i].text);
    void *attrs;
    EXPECT_EQ(pn_attrs_parse(cases[i].op, &text, &io, &arena, &attrs, &diag), PELTON_INVALID_DATA);
    EXPECT(attrs == NULL && text.data == cases[i].text);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i].message);
    pn_arena_deinit(&arena);
  }
  pn_arena arena;
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_arena_init(&arena, NULL);
  pn_str text = PN_STR("then_graph={ graph 1\n end }");
  void *attrs;
  EXPECT_EQ(pn_attrs_parse(PN_OP_IF, &text, NULL, &arena, &attrs, &diag), PELTON_UNSUPPORTED);
  pn_arena_deinit(&arena);
}

/* Stored bytes of operators with all kinds of fields, in a heap block of their exact size, so that a read past the end
   is seen. */
static const pn_op hostile_ops[] = {PN_OP_CONV,    PN_OP_RECURRENT, PN_OP_POINTWISE, PN_OP_IF,
                                    PN_OP_BITCAST, PN_OP_RESIZE,    PN_OP_LOOP};

TEST(every_truncation) {
  for (size_t k = 0; k < PN_COUNT(hostile_ops); k++) {
    pn_arena arena;
    pn_text bytes;
    pn_arena_init(&arena, NULL);
    pn_text_init(&bytes, NULL);
    pn_attrs_store(hostile_ops[k], attrs_make(hostile_ops[k], UINT32_MAX, &arena), &io, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
      pelton_diag diag = PELTON_DIAG_INIT;
      uint8_t *exact = malloc(size ? size : 1);
      REQUIRE(exact != NULL);
      memcpy(exact, bytes.data, size);
      pn_span span = {exact, size};
      void *attrs;
      EXPECT_EQ(pn_attrs_load(hostile_ops[k], &span, &io, &arena, &attrs, &diag), PELTON_INVALID_DATA);
      EXPECT(attrs == NULL && diag.count == 1);
      free(exact);
    }
    pn_text_deinit(&bytes);
    pn_arena_deinit(&arena);
  }
}

TEST(random_mutations) {
  int refused = 0, taken = 0;
  for (int round = 0; round < 3000; round++) {
    pn_op op = hostile_ops[random_below(PN_COUNT(hostile_ops))];
    pn_arena arena;
    pn_text bytes;
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_arena_init(&arena, NULL);
    pn_text_init(&bytes, NULL);
    pn_attrs_store(op, attrs_make(op, random_below(1u << 20), &arena), &io, &bytes);
    uint8_t *exact = malloc(bytes.size);
    REQUIRE(exact != NULL);
    memcpy(exact, bytes.data, bytes.size);
    for (uint32_t i = 0; i <= random_below(4); i++)
      exact[random_below((uint32_t)bytes.size)] = (uint8_t)random_below(256);
    pn_span span = {exact, bytes.size};
    void *attrs;
    if (pn_attrs_load(op, &span, &io, &arena, &attrs, &diag)) {
      EXPECT(attrs == NULL && diag.count >= 1);
      refused++;
    } else { /* another valid value: it prints and stores like any other */
      pn_text again;
      pn_text_init(&again, NULL);
      pn_attrs_print(op, attrs, &io, &again);
      pn_attrs_store(op, attrs, &io, &again);
      EXPECT(!again.failed);
      pn_text_deinit(&again);
      taken++;
    }
    free(exact);
    pn_text_deinit(&bytes);
    pn_arena_deinit(&arena);
  }
  EXPECT(refused > 1000 && taken > 10);
}

TEST(bad_bytes) {
  static const struct {
    pn_op op;
    pelton_status status;
    const char *bytes;
    size_t size;
    const char *message;
  } cases[] = {
#define BYTES(text) text, sizeof(text) - 1
      {PN_OP_CONV, PELTON_INVALID_DATA, BYTES("\xff\xff\xff\xff"), "conv cannot have 4294967295 attributes"},
      {PN_OP_CONV, PELTON_INVALID_DATA, BYTES("\1\0\0"), "attributes of conv are cut off: 1 bytes are missing"},
      {PN_OP_CONV, PELTON_UNSUPPORTED, BYTES("\1\0\0\0\3foob\1\0\0\0\1"), "conv has no attribute 'foo'"},
      {PN_OP_CONV, PELTON_INVALID_DATA, BYTES("\1\0\0\0\5groupb\1\0\0\0\1"),
       "attribute 'group' of conv has a broken value"},
      {PN_OP_CONV, PELTON_INVALID_DATA, BYTES("\1\0\0\0\5groupi\4\0\0\0\1\0\0\0"), "broken value"},
      {PN_OP_CONV, PELTON_INVALID_DATA,
       BYTES("\2\0\0\0\5groupi\x8\0\0\0\1\0\0\0\0\0\0\0\5groupi\x8\0\0\0\1\0\0\0\0\0\0\0"), "broken value"},
      {PN_OP_CONV, PELTON_INVALID_DATA, BYTES("\1\0\0\0\7stridesI\7\0\0\0aaaaaaa"),
       "'strides' of conv has a broken value"},
      {PN_OP_CONV, PELTON_UNSUPPORTED,
       BYTES("\1\0\0\0\x8"
             "auto_padw\3\0\0\0abc"),
       "'auto_pad' of conv is 'abc', which this version does not know"},
      {PN_OP_MATMUL, PELTON_INVALID_DATA, BYTES("\1\0\0\0\7trans_ab\1\0\0\0\2"), "broken value"},
      {PN_OP_POINTWISE, PELTON_INVALID_DATA, BYTES("\0\0\0\0"), "pointwise lacks its attribute 'expr'"},
      {PN_OP_POINTWISE, PELTON_INVALID_DATA, BYTES("\1\0\0\0\4exprx\0\0\0\0"), "expression: expected"},
      {PN_OP_LOOP, PELTON_INVALID_DATA, BYTES("\1\0\0\0\4bodyg\4\0\0\0\x9\0\0\0"),
       "'body' of loop: there is no subgraph 9"},
#undef BYTES
  };
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    pn_arena arena;
    pelton_diag diag = PELTON_DIAG_INIT;
    pn_arena_init(&arena, NULL);
    pn_span span = {(const uint8_t *)cases[i].bytes, cases[i].size};
    void *attrs;
    EXPECT_EQ(pn_attrs_load(cases[i].op, &span, &io, &arena, &attrs, &diag), cases[i].status);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i].message);
    pn_arena_deinit(&arena);
  }
}

TEST(out_of_memory) {
  harness_allocator a;
  uint64_t n = 0;
  pelton_status status;
  do {
    const pelton_allocator *allocator = harness_allocator_init(&a, ++n);
    pn_arena arena;
    pn_text text, bytes;
    pn_arena_init(&arena, allocator);
    pn_text_init(&text, allocator);
    pn_text_init(&bytes, allocator);
    status = PELTON_OK;
    for (int i = 0; i < 30 && !status; i++) {
      pn_str from = PN_STR("activations=\"a,b\" alpha=[0.1,0.25,1,2,3,4,5,6,7,8,9,10,11,12,13] hidden=3");
      void *attrs = NULL, *loaded = NULL;
      status = pn_attrs_parse(PN_OP_RECURRENT, &from, NULL, &arena, &attrs, NULL);
      if (status) break;
      pn_attrs_print(PN_OP_RECURRENT, attrs, NULL, &text);
      bytes.size = 0;
      pn_attrs_store(PN_OP_RECURRENT, attrs, NULL, &bytes);
      pn_json json;
      pn_json_init(&json, &text);
      pn_attrs_json(PN_OP_RECURRENT, attrs, &json);
      if (text.failed || bytes.failed || !pn_attrs_copy(PN_OP_RECURRENT, attrs, &arena)) {
        status = PELTON_OUT_OF_MEMORY;
        break;
      }
      pn_span span = {(const uint8_t *)bytes.data, bytes.size};
      status = pn_attrs_load(PN_OP_RECURRENT, &span, NULL, &arena, &loaded, NULL);
      if (!status) EXPECT(pn_attrs_equal(PN_OP_RECURRENT, attrs, loaded));
    }
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    pn_text_deinit(&text);
    pn_text_deinit(&bytes);
    pn_arena_deinit(&arena);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
  EXPECT(n > 5);
}

TEST_MAIN(T(every_field_of_every_operator), T(tables), T(defaults), T(text_and_json), T(bad_texts), T(every_truncation),
          T(random_mutations), T(bad_bytes), T(out_of_memory))
