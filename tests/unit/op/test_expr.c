/* Expressions: building, text and types. */
#include "harness.h"
#include "op/expr.h"

#include <math.h>

static pn_arena arena;
static pelton_diag diag;

static void begin(void) {
  pn_arena_init(&arena, NULL);
  pelton_diag_init(&diag);
}

static void end(void) { pn_arena_deinit(&arena); }

static const pn_expr *parsed(const char *text) {
  const pn_expr *expr = NULL;
  REQUIRE_OK(pn_expr_parse(pn_str_from(text), &arena, &expr, &diag), &diag);
  return expr;
}

static const char *printed(const pn_expr *expr) {
  pn_text text;
  pn_text_init(&text, NULL);
  pn_expr_print(expr, &text);
  REQUIRE(!text.failed);
  const char *copy = pn_str_copy(&arena, (pn_str){text.data, text.size});
  pn_text_deinit(&text);
  return copy;
}

TEST(builder_interns_and_finish_drops) {
  begin();
  pn_expr_builder b;
  pn_expr_builder_init(&b);
  uint16_t unused = pn_expr_call(&b, PN_EXPR_EXP, pn_expr_input(&b, 7), 0, 0);
  uint16_t half = pn_expr_f64(&b, PELTON_DTYPE_F32, 0.5), x = pn_expr_input(&b, 0), y = pn_expr_input(&b, 1);
  uint16_t product = pn_expr_call(&b, PN_EXPR_MUL, x, y, 0);
  EXPECT_EQ(product, pn_expr_call(&b, PN_EXPR_MUL, x, y, 99)); /* arguments that mul has not are not looked at */
  EXPECT_EQ(half, pn_expr_f64(&b, PELTON_DTYPE_F32, 0.5));
  EXPECT(half != pn_expr_f64(&b, PELTON_DTYPE_F16, 0.5));
  EXPECT(pn_expr_f64(&b, PELTON_DTYPE_F32, 0.0) != pn_expr_f64(&b, PELTON_DTYPE_F32, -0.0));
  EXPECT_EQ(pn_expr_f64(&b, PELTON_DTYPE_F32, (double)NAN), pn_expr_f64(&b, PELTON_DTYPE_F32, -(double)NAN));
  uint16_t sum = pn_expr_call(&b, PN_EXPR_ADD, product, half, 0);
  const pn_expr *expr = pn_expr_finish(&b, pn_expr_call(&b, PN_EXPR_RELU, sum, 0, 0), &arena);
  REQUIRE(expr != NULL);
  EXPECT_STR(printed(expr), "relu(add(mul(x0,x1),0.5:f32))");
  EXPECT_EQ(expr->input_count, 2);
  EXPECT_EQ(expr->step_count, 6);
  EXPECT(unused < b.step_count);
  /* Another order of building, the same expression. */
  EXPECT(pn_expr_equal(expr, parsed("relu(add(mul(x0,x1),0.5:f32))")));
  EXPECT_EQ(pn_expr_hash(expr), pn_expr_hash(parsed(" relu( add( mul(x0, x1), 0.50:f32 ) )")));
  EXPECT(!pn_expr_equal(expr, parsed("relu(add(mul(x1,x0),0.5:f32))")));
  EXPECT(pn_expr_hash(expr) != pn_expr_hash(parsed("relu(add(mul(x1,x0),0.5:f32))")));
  EXPECT(!pn_expr_equal(parsed("0.5:f32"), parsed("0.5:f16")));
  end();
}

TEST(builder_limits) {
  begin();
  pn_expr_builder b;
  pn_expr_builder_init(&b);
  uint16_t x = pn_expr_input(&b, 63);
  for (int i = 0; i < 255; i++) x = pn_expr_call(&b, PN_EXPR_EXP, x, 0, 0);
  EXPECT(!b.failed && x == 255);
  EXPECT(pn_expr_finish(&b, x, &arena) != NULL);
  EXPECT(parsed(printed(pn_expr_finish(&b, x, &arena)))->step_count == 256); /* 256 deep */
  EXPECT_EQ(pn_expr_call(&b, PN_EXPR_EXP, x, 0, 0), 0);
  EXPECT(b.failed && pn_expr_finish(&b, 3, &arena) == NULL);
  pn_expr_builder_init(&b);
  pn_expr_input(&b, 64);
  EXPECT(b.failed);
  pn_expr_builder_init(&b);
  pn_expr_call(&b, PN_EXPR_EXP, 0, 0, 0); /* there is no step 0 yet */
  EXPECT(b.failed);
  pn_expr_builder_init(&b);
  EXPECT(pn_expr_finish(&b, 0, &arena) == NULL);
  pn_expr_cast(&b, pn_expr_input(&b, 0), PELTON_DTYPE_NONE, PN_CAST_DEFAULT);
  EXPECT(b.failed);
  end();
}

TEST(inline_replaces_operands) {
  begin();
  pn_expr_builder b;
  pn_expr_builder_init(&b);
  uint16_t scaled = pn_expr_call(&b, PN_EXPR_MUL, pn_expr_input(&b, 0), pn_expr_f64(&b, PELTON_DTYPE_F32, 2), 0);
  const uint16_t operands[2] = {scaled, pn_expr_input(&b, 3)};
  uint16_t result = pn_expr_inline(&b, parsed("add(sigmoid(x0),mul(x1,2.0:f32))"), operands);
  EXPECT_STR(printed(pn_expr_finish(&b, result, &arena)), "add(sigmoid(mul(x0,2.0:f32)),mul(x3,2.0:f32))");
  result = pn_expr_inline(&b, parsed("x1"), operands);
  EXPECT_EQ(result, operands[1]);
  end();
}

TEST(text_round_trips) {
  static const char *const texts[] = {"x0",
                                      "1.0:f32",
                                      "-0.0:f32",
                                      "nan:f16",
                                      "-inf:bf16",
                                      "0.1:f32",
                                      "0.1:f64",
                                      "1e+300:f64",
                                      "3.141592653589793:f64",
                                      "0.099975586:f16",
                                      "3e38:f32",
                                      "-128:i8",
                                      "255:u8",
                                      "18446744073709551615:u64",
                                      "-9223372036854775808:i64",
                                      "1:bool",
                                      "cast(x0,f16)",
                                      "mul(x0,sigmoid(x0))",
                                      "t0=add(x0,x1);t1=mul(t0,t0);sub(t1,exp(t1))",
                                      "t0=neg(x0);add(exp(x1),mul(t0,t0))",
                                      "select(less(x0,x1),x2,cast(x3,f32))",
                                      "t0=exp(x0);t1=exp(t0);add(mul(t1,t0),t1)"};
  begin();
  for (size_t i = 0; i < PN_COUNT(texts); i++) {
    const pn_expr *expr = parsed(texts[i]);
    EXPECT_STR(printed(expr), texts[i]);
    EXPECT(pn_expr_equal(expr, parsed(printed(expr))));
  }
  EXPECT_STR(printed(parsed("t0=add(x0,1:i64);t1=mul(x0,2:i64);sub(t1,t0)")), "sub(mul(x0,2:i64),add(x0,1:i64))");
  EXPECT_STR(printed(parsed("300:u8")), "44:u8");
  EXPECT_STR(printed(parsed("5:bool")), "1:bool");
  EXPECT_STR(printed(parsed("70000.0:f16")), "inf:f16");
  for (uint32_t op = PN_EXPR_CAST + 1; op < PN_EXPR_OP_COUNT; op++) { /* every operation has a text */
    pn_expr_builder b;
    pn_expr_builder_init(&b);
    uint16_t x = pn_expr_input(&b, 0), y = pn_expr_input(&b, 1), z = pn_expr_input(&b, 2);
    const pn_expr *expr = pn_expr_finish(&b, pn_expr_call(&b, (pn_expr_op)op, x, y, z), &arena);
    EXPECT(pn_expr_equal(expr, parsed(printed(expr))));
    EXPECT_HAS(printed(expr), pn_expr_op_name((pn_expr_op)op));
  }
  end();
}

static uint64_t random_state;
static uint32_t random_below(uint32_t limit) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % limit;
}

TEST(random_round_trips) {
  begin();
  for (uint64_t seed = 1; seed <= 400; seed++) {
    random_state = seed;
    pn_expr_builder b;
    pn_expr_builder_init(&b);
    uint16_t last = pn_expr_input(&b, random_below(3));
    for (uint32_t i = 0; i < 60; i++) {
      uint32_t op = random_below(PN_EXPR_OP_COUNT), near = b.step_count < 8 ? b.step_count : 8;
      uint16_t a[3];
      for (int k = 0; k < 3; k++) a[k] = (uint16_t)(b.step_count - 1 - random_below(near));
      pelton_dtype dtype = (pelton_dtype)(1 + random_below(PELTON_DTYPE_STRING - 1));
      if (op == PN_EXPR_INPUT)
        last = pn_expr_input(&b, random_below(PN_EXPR_MAX_INPUTS));
      else if (op == PN_EXPR_CONSTANT)
        last = pn_expr_f64(&b, dtype, ldexp((double)random_below(1000000) - 500000, (int)random_below(40) - 30));
      else if (op == PN_EXPR_CAST)
        last = pn_expr_cast(&b, a[0], dtype, pn_cast_mode_at(random_below(PN_CAST_MODE_COUNT)));
      else
        last = pn_expr_call(&b, (pn_expr_op)op, a[0], a[1], a[2]);
    }
    const pn_expr *expr = pn_expr_finish(&b, last, &arena);
    REQUIRE(expr != NULL);
    const char *text = printed(expr);
    const pn_expr *again = parsed(text);
    EXPECT(pn_expr_equal(expr, again));
    EXPECT_STR(printed(again), text);
    /* The same text, hurt: whatever happens, it is an expression or a message. */
    char *hurt = pn_arena_copy(&arena, text, strlen(text) + 1, 1);
    for (int k = 0; k < 20; k++) {
      hurt[random_below((uint32_t)strlen(text))] = "x0t1,();:=.-9e"[random_below(14)];
      const pn_expr *other;
      pelton_diag_init(&diag);
      pelton_status status = pn_expr_parse(pn_str_from(hurt), &arena, &other, &diag);
      EXPECT((status == PELTON_OK) == (other != NULL) && (status == PELTON_OK) == (diag.count == 0));
    }
    pelton_diag_init(&diag);
    pn_arena_deinit(&arena);
    pn_arena_init(&arena, NULL);
  }
  end();
}

TEST(bad_texts) {
  static const char *const cases[][2] = {
      {"", "expected a constant with its type, as 0.5:f32 at character 1"},
      {"relu(x0", "expected ')' at character 8"},
      {"relu x0", "expected '('"},
      {"relux(x0)", "expected an operand (x0), a constant (0.5:f32) or an operation at character 1, not 'relux(x0)'"},
      {"add(x0)", "expected ',' and one more operand at character 7"},
      {"add(x0,x1,x2)", "expected ')' at character 10"},
      {"x64", "expected an operand below x64"},
      {"x99999999999999999999", "expected an operand"},
      {"0.5", "expected a constant with its type"},
      {"0.5:f8", "expected a type"},
      {"0.5:i32", "expected an integer"},
      {"1.2.3:f32", "expected a number"},
      {"18446744073709551616:u64", "expected an integer"},
      {"9223372036854775808:i64", "expected an integer"},
      {"add(x0,t0)", "expected a name that is defined before"},
      {"t1=x0;t1", "expected names t0, t1, ... in this order"},
      {"t0=x0 t0", "expected ';'"},
      {"cast(x0)", "expected ',' and a type"},
      {"cast(x0,none)", "expected a type"},
      {"input(x0)", "expected an operand (x0)"},
      {"x0 x1", "expected the end at character 4"},
      {"x0;", "expected the end"},
  };
  begin();
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    const pn_expr *expr;
    pelton_diag_init(&diag);
    EXPECT_EQ(pn_expr_parse(pn_str_from(cases[i][0]), &arena, &expr, &diag), PELTON_INVALID_DATA);
    EXPECT_HAS(pelton_diag_message(&diag, 0), cases[i][1]);
  }
  char deep[5001]; /* too many steps, too deep */
  for (int i = 0; i < 5000; i++) deep[i] = "exp("[i % 4];
  deep[5000] = 0;
  const pn_expr *expr;
  EXPECT_EQ(pn_expr_parse(pn_str_from(deep), &arena, &expr, &diag), PELTON_INVALID_DATA);
  end();
}

/* Modes that mean nothing for a type are dropped when built, and refused when read. */
TEST(cast_modes) {
  begin();
  static const char *const texts[] = {"cast(x0,f8e4m3fn)", "cast(x0,f8e5m2,overflow)", "cast(x0,f8e8m0,down)",
                                      "cast(x0,f8e8m0,nearest_overflow)", "-448:f8e4m3fn", "inf:f8e5m2",
                                      "5.877472e-39:f8e8m0", "1.5:f4e2m1", "-8:i4", "3:u2"};
  for (size_t i = 0; i < PN_COUNT(texts); i++) {
    const char *number = strchr(texts[i], ':');
    const pn_expr *expr = parsed(texts[i]);
    EXPECT(pn_expr_equal(expr, parsed(printed(expr))));
    if (!number) EXPECT_STR(printed(expr), texts[i]);
  }
  EXPECT_STR(printed(parsed("1e9:f8e4m3fn")), "448.0:f8e4m3fn");
  EXPECT_STR(printed(parsed("9:i4")), "-7:i4");
  const pn_expr *a = parsed("cast(x0,f8e5m2)"), *b = parsed("cast(x0,f8e5m2,overflow)");
  EXPECT(!pn_expr_equal(a, b) && pn_expr_hash(a) != pn_expr_hash(b));
  pn_expr_builder builder;
  pn_expr_builder_init(&builder);
  uint16_t x = pn_expr_input(&builder, 0), plain = pn_expr_cast(&builder, x, PELTON_DTYPE_F16, PN_CAST_DEFAULT);
  EXPECT_EQ(pn_expr_cast(&builder, x, PELTON_DTYPE_F16, PN_CAST_OVERFLOW), plain);
  EXPECT(pn_expr_cast(&builder, x, PELTON_DTYPE_F8E5M2, PN_CAST_OVERFLOW) !=
         pn_expr_cast(&builder, x, PELTON_DTYPE_F8E5M2, PN_CAST_DEFAULT));
  static const char *const bad[] = {"cast(x0,f16,overflow)", "cast(x0,f8e5m2,nearest)", "cast(x0,f8e5m2,up)",
                                    "cast(x0,f8e5m2,)"};
  for (size_t i = 0; i < PN_COUNT(bad); i++) {
    const pn_expr *expr;
    pelton_diag_init(&diag);
    EXPECT_EQ(pn_expr_parse(pn_str_from(bad[i]), &arena, &expr, &diag), PELTON_INVALID_DATA);
    EXPECT_HAS(pelton_diag_message(&diag, 0), "a way to cast");
  }
  pelton_diag_init(&diag);
  end();
}

TEST(types) {
  static const struct {
    const char *text, *wants; /* the type, or a message */
    pelton_dtype inputs[2];
  } cases[] = {
      {"add(x0,x1)", "f16", {PELTON_DTYPE_F16, PELTON_DTYPE_F16}},
      {"less(x0,x1)", "bool", {PELTON_DTYPE_I8, PELTON_DTYPE_I8}},
      {"equal(x0,x1)", "bool", {PELTON_DTYPE_BOOL, PELTON_DTYPE_BOOL}},
      {"cast(x0,bf16)", "bf16", {PELTON_DTYPE_BOOL}},
      {"select(x0,x1,3:u8)", "u8", {PELTON_DTYPE_BOOL, PELTON_DTYPE_U8}},
      {"is_nan(x0)", "bool", {PELTON_DTYPE_F64}},
      {"bit_not(x0)", "u64", {PELTON_DTYPE_U64}},
      {"add(x0,x1)",
       "step 2, add, wants operands of one type, not f32 and f16: cast one",
       {PELTON_DTYPE_F32, PELTON_DTYPE_F16}},
      {"add(x0,x1)", "step 2, add, takes numbers, not bool", {PELTON_DTYPE_BOOL, PELTON_DTYPE_BOOL}},
      {"less(x0,x1)", "takes numbers, not bool", {PELTON_DTYPE_BOOL, PELTON_DTYPE_BOOL}},
      {"exp(x0)", "step 1, exp, takes floats (f32, f16, bf16, f64, f8...), not i32", {PELTON_DTYPE_I32}},
      {"is_nan(x0)", "takes floats", {PELTON_DTYPE_I32}},
      {"and(x0,x1)", "takes bool, not u8", {PELTON_DTYPE_U8, PELTON_DTYPE_U8}},
      {"bit_and(x0,x1)", "takes integers, not bool", {PELTON_DTYPE_BOOL, PELTON_DTYPE_BOOL}},
      {"shift_left(x0,x1)", "takes integers, not f32", {PELTON_DTYPE_F32, PELTON_DTYPE_F32}},
      {"select(x0,x1,x1)", "step 2, select, wants a bool in front, not u8", {PELTON_DTYPE_U8, PELTON_DTYPE_U8}},
      {"x1", "the type of operand x1 is not known", {PELTON_DTYPE_U8, PELTON_DTYPE_NONE}},
  };
  begin();
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    pelton_dtype steps[PN_EXPR_MAX_STEPS];
    const pn_expr *expr = parsed(cases[i].text);
    pelton_diag_init(&diag);
    pelton_status status = pn_expr_types(expr, cases[i].inputs, steps, &diag);
    EXPECT_HAS(status ? pelton_diag_message(&diag, 0) : pelton_dtype_name(steps[expr->step_count - 1]), cases[i].wants);
    pelton_diag_init(&diag);
  }
  end();
}

TEST(out_of_memory) {
  harness_allocator a;
  uint64_t n = 0;
  do {
    pn_arena mine;
    pn_text text;
    const pn_expr *expr;
    pn_arena_init(&mine, harness_allocator_init(&a, ++n));
    pn_text_init(&text, &a.allocator);
    pelton_status status = pn_expr_parse(PN_STR("t0=sigmoid(x0);mul(t0,t0)"), &mine, &expr, NULL);
    EXPECT((status == PELTON_OK) == (expr != NULL));
    if (!status) pn_expr_print(expr, &text);
    EXPECT_EQ(status || text.failed, a.failed);
    pn_text_deinit(&text);
    pn_arena_deinit(&mine);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
  EXPECT(n > 1);
}

TEST_MAIN(T(builder_interns_and_finish_drops), T(builder_limits), T(inline_replaces_operands), T(text_round_trips),
          T(random_round_trips), T(bad_texts), T(cast_modes), T(types), T(out_of_memory))
