/* Symbolic dimensions: normal forms, text, bounds and values. Most expectations are texts, which is how people meet
   dims; a random search then holds every operation against plain arithmetic. */
#include "harness.h"
#include "op/dim.h"

typedef struct fixture {
  pn_arena arena;
  pn_symbols symbols;
  pn_text text;
  pelton_diag diag;
} fixture;

static void fixture_init(fixture *f) {
  pn_arena_init(&f->arena, NULL);
  pn_symbols_init(&f->symbols, &f->arena);
  pn_text_init(&f->text, NULL);
  pelton_diag_init(&f->diag);
}

static void fixture_deinit(fixture *f) {
  pn_text_deinit(&f->text);
  pn_arena_deinit(&f->arena);
}

static const char *printed(fixture *f, pn_dim d) {
  f->text.size = 0;
  pn_dim_print(&f->symbols, d, &f->text);
  return f->text.data;
}

static pn_dim parsed(fixture *f, const char *text) {
  pn_dim d;
  REQUIRE_OK(pn_dim_parse(&f->symbols, pn_str_from(text), &d, &f->diag), &f->diag);
  return d;
}

TEST(normal_forms) {
  static const char *const cases[][2] = {
      {"3", "3"},
      {"-3", "-3"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"h", "h"},
      {"h+2-3+1", "h"},
      {"n*4/4", "n"},
      {"n-n", "0"},
      {"n*0", "0"},
      {"w+h", "h+w"},
      {"w*h", "h*w"},
      {"2*h", "h*2"},
      {"3-h", "3-h"},
      {"-h", "-h"},
      {"h-w*2", "h-w*2"},
      {"w*-2+h", "h-w*2"},
      {"(h+1)*(w+1)", "h*w+h+w+1"},
      {"(h-1)/2+1", "(h+1)/2"},
      {"(h+2*1-3)/2+1", "(h+1)/2"},
      {"ceil(h/2)", "(h+1)/2"},
      {"(h*2+1)/2", "h"},
      {"(h*4+2)/6", "(h*2+1)/3"},
      {"h/2/2", "h/4"},
      {"(h/2+1)/2", "(h+2)/4"},
      {"((h+1)/2+1)/2", "(h+3)/4"},
      {"h*3/2", "h*3/2"},
      {"(h/2)*2", "(h/2)*2"},
      {"h/2*2", "(h/2)*2"},
      {"n*h/n", "h"},
      {"n*h*w/(n*w*2)", "h/2"},
      {"n*4*(h+1)/((h+1)*4)", "n"},
      {"(h*h-w*w)/(h-w)", "h+w"},
      {"h/w", "h/w"},
      {"(h+1)/(w*3)", "(h+1)/(w*3)"},
      {"ceil(h/w)", "ceil(h/w)"},
      {"ceil((h*w)/w)", "h"},
      {"ceil((h+1)/(w+2))", "ceil((h+1)/(w+2))"},
      {"h/0", "0"},
      {"min(h,h)", "h"},
      {"min(w,h)", "min(h,w)"},
      {"max(3,h)", "max(h,3)"},
      {"min(h,h+1)", "h"},
      {"max(h,0)", "h"},
      {"min(h,-1)", "-1"},
      {"min(min(h,w),w)", "min(h,w)"},
      {"max(h,min(h,w))", "h"},
      {"min(h,w)*2-min(w,h)", "min(h,w)"},
      {"?3+1", "?3+1"},
      {"'batch-size'*2", "'batch-size'*2"},
      {"'plain'", "plain"},
      {"''", "''"},
      {"'min'+1", "'min'+1"},
      {"'h/2'", "'h/2'"},
      {"'a\\x27\\x5c\\x0a'", "'a\\x27\\x5c\\x0a'"},
      {" ( h + 1 ) / 2 ", "(h+1)/2"},
      {"--h", "h"},
      {"h-(w-1)", "h-w+1"},
      {"(-h)/2", "(-h)/2"},
      {"h/-2", "(-h)/2"},
      {"-(h/2)", "-(h/2)"},
      {"w-h/2", "w-(h/2)"},
      {"h/2-w", "h/2-w"},
  };
  fixture f;
  fixture_init(&f);
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    pn_dim d = parsed(&f, cases[i][0]);
    EXPECT_STR(printed(&f, d), cases[i][1]);
    EXPECT(pn_dim_equal(d, parsed(&f, cases[i][1])));
  }
  EXPECT_EQ(pn_symbols_status(&f.symbols, NULL), PELTON_OK);
  fixture_deinit(&f);
}

/* A dim_param may look like an expression; the two must not meet. */
TEST(quoted_names_are_no_expressions) {
  fixture f;
  fixture_init(&f);
  pn_dim named = pn_dim_named(&f.symbols, PN_STR("h/2"));
  pn_dim derived = parsed(&f, "h/2");
  EXPECT(!pn_dim_equal(named, derived));
  EXPECT(pn_dim_equal(named, pn_dim_named(&f.symbols, PN_STR("h/2"))));
  EXPECT(pn_dim_equal(named, parsed(&f, "'h/2'")));
  EXPECT_STR(printed(&f, pn_dim_add(&f.symbols, named, derived)), "'h/2'+h/2");
  pn_dim question = pn_dim_named(&f.symbols, PN_STR("?1"));
  pn_dim fresh = pn_dim_fresh(&f.symbols);
  EXPECT(!pn_dim_equal(question, fresh));
  EXPECT_STR(printed(&f, question), "'?1'");
  EXPECT_STR(printed(&f, fresh), "?1");
  fixture_deinit(&f);
}

TEST(fresh_symbols_are_new) {
  fixture f;
  fixture_init(&f);
  pn_dim five = parsed(&f, "?5");
  EXPECT(pn_dim_equal(five, parsed(&f, "?5")));
  pn_dim two = parsed(&f, "?2");
  pn_dim fresh = pn_dim_fresh(&f.symbols);
  EXPECT_STR(printed(&f, fresh), "?6");
  EXPECT(!pn_dim_equal(two, five));
  fixture_deinit(&f);
}

TEST(bounds) {
  fixture f;
  fixture_init(&f);
  pn_dim h = parsed(&f, "h"), half = parsed(&f, "(h+1)/2"), diff = parsed(&f, "h-w");
  EXPECT_EQ(pn_dim_lower(&f.symbols, half), 0);
  EXPECT_EQ(pn_dim_upper(&f.symbols, half), INT64_MAX);
  EXPECT_EQ(pn_dim_lower(&f.symbols, diff), INT64_MIN);
  REQUIRE_OK(pn_symbol_bound(&f.symbols, h, 2, 100, &f.diag), &f.diag);
  EXPECT_EQ(pn_dim_lower(&f.symbols, half), 1);
  EXPECT_EQ(pn_dim_upper(&f.symbols, half), 50);
  EXPECT_EQ(pn_dim_upper(&f.symbols, diff), 100);
  REQUIRE_OK(pn_symbol_bound(&f.symbols, h, 0, 64, &f.diag), &f.diag);
  EXPECT_EQ(pn_dim_lower(&f.symbols, h), 2);
  EXPECT_EQ(pn_dim_upper(&f.symbols, parsed(&f, "h*h")), 4096);
  EXPECT_EQ(pn_dim_upper(&f.symbols, parsed(&f, "min(h,w)")), 64);
  EXPECT_STR(printed(&f, parsed(&f, "min(h,64)")), "h");
  EXPECT_STR(printed(&f, parsed(&f, "h/65")), "0");
  EXPECT_EQ(pn_symbol_bound(&f.symbols, h, 65, 70, &f.diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&f.diag, 0), "'h' cannot be in [65, 70]: it is known to be in [2, 64]");
  EXPECT_EQ(pn_symbol_bound(&f.symbols, half, 0, 7, NULL), PELTON_INVALID_ARGUMENT);
  EXPECT_EQ(pn_symbol_bound(&f.symbols, pn_dim_of(3), 0, 7, NULL), PELTON_INVALID_ARGUMENT);
  fixture_deinit(&f);
}

TEST(saturation) {
  EXPECT_EQ(pn_dim_add(NULL, pn_dim_of(INT64_MAX), pn_dim_of(1)).number, INT64_MAX);
  EXPECT_EQ(pn_dim_sub(NULL, pn_dim_of(INT64_MIN), pn_dim_of(1)).number, INT64_MIN);
  EXPECT_EQ(pn_dim_mul(NULL, pn_dim_of(INT64_MAX), pn_dim_of(-2)).number, INT64_MIN);
  EXPECT_EQ(pn_dim_floor_div(NULL, pn_dim_of(INT64_MIN), pn_dim_of(-1)).number, INT64_MAX);
  EXPECT_EQ(pn_dim_ceil_div(NULL, pn_dim_of(7), pn_dim_of(2)).number, 4);
  EXPECT_EQ(pn_dim_ceil_div(NULL, pn_dim_of(-7), pn_dim_of(2)).number, -3);
  EXPECT_EQ(pn_dim_floor_div(NULL, pn_dim_of(-7), pn_dim_of(2)).number, -4);
  EXPECT_EQ(pn_dim_floor_div(NULL, pn_dim_of(7), pn_dim_of(0)).number, 0);
  fixture f;
  fixture_init(&f);
  pn_dim h = parsed(&f, "h"); /* coefficients that overflow make an opaque product, which still has its value */
  pn_dim big = pn_dim_mul(&f.symbols, pn_dim_mul(&f.symbols, h, pn_dim_of(INT64_MAX)), pn_dim_of(4));
  int64_t value, h_is[64] = {0};
  EXPECT(pn_dim_evaluate(&f.symbols, big, h_is, &value) && value == 0);
  h_is[0] = 1;
  EXPECT(pn_dim_evaluate(&f.symbols, big, h_is, &value) && value == INT64_MAX);
  fixture_deinit(&f);
}

TEST(bad_texts) {
  static const char *const cases[][2] = {
      {"", "expected a number, a name or '(' at character 1"},
      {"h+", "expected a number, a name or '(' at character 3"},
      {"h+*2", "dimension 'h+*2': expected a number, a name or '(' at character 3"},
      {"(h", "expected ')' at character 3"},
      {"h)", "expected an operation or the end at character 2"},
      {"h w", "expected an operation or the end at character 3"},
      {"9223372036854775808", "expected a number of 64 bits at character 1"},
      {"-9223372036854775809", "expected a number of 64 bits at character 2"},
      {"min(h)", "expected ','"},
      {"min h", "expected '('"},
      {"ceil(h+1/2)", "expected '/' (operands of ceil"},
      {"?", "expected '?' and a number"},
      {"?0", "expected '?' and a number"},
      {"?01", "expected '?' and a number"},
      {"?99999999999999999999", "expected '?' and a number"},
      {"'h", "expected a closing quote"},
      {"'a\\q'", "expected \\x and two hexadecimal digits"},
      {"'a\\x2'", "expected \\x and two hexadecimal digits"},
      {"\x80", "expected a number"},
  };
  fixture f;
  fixture_init(&f);
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    pn_dim d;
    pelton_diag_init(&f.diag);
    EXPECT_EQ(pn_dim_parse(&f.symbols, pn_str_from(cases[i][0]), &d, &f.diag), PELTON_INVALID_DATA);
    EXPECT_HAS(pelton_diag_message(&f.diag, 0), cases[i][1]);
  }
  char deep[4001];
  memset(deep, '(', 4000);
  deep[4000] = 0;
  pn_dim d;
  EXPECT_EQ(pn_dim_parse(&f.symbols, pn_str_from(deep), &d, &f.diag), PELTON_INVALID_DATA);
  memset(deep, '-', 4000);
  EXPECT_EQ(pn_dim_parse(&f.symbols, pn_str_from(deep), &d, &f.diag), PELTON_INVALID_DATA);
  fixture_deinit(&f);
}

TEST(parse_from_the_front) {
  fixture f;
  fixture_init(&f);
  pn_str text = PN_STR("min('a,]',2) <= 32, h]");
  pn_dim d;
  REQUIRE_OK(pn_dim_parse_front(&f.symbols, &text, &d, &f.diag), &f.diag);
  EXPECT_STR(printed(&f, d), "min('a,]',2)");
  EXPECT(pn_str_is(text, "<= 32, h]"));
  fixture_deinit(&f);
}

/* ---- random expressions ---------------------------------------------------------------------------------------- */

enum { VARIABLES = 4, POOL = 40 };

static uint64_t random_state;
static uint32_t random_below(uint32_t limit) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % limit;
}

typedef pn_dim operation(pn_symbols *symbols, pn_dim a, pn_dim b);

/* Every dim carries its value under a few assignments of the variables; each operation must give the value that plain
   arithmetic gives, within its bounds, and its text must read back as itself. */
TEST(random_arithmetic) {
  static operation *const operations[] = {pn_dim_add,      pn_dim_sub, pn_dim_mul, pn_dim_floor_div,
                                          pn_dim_ceil_div, pn_dim_min, pn_dim_max};
  static const char *const names[] = {"a", "h", "w w", "zz"};
  enum { ASSIGNMENTS = 3 };
  for (uint64_t seed = 1; seed <= 300; seed++) {
    fixture f;
    fixture_init(&f);
    random_state = seed;
    pn_dim pool[POOL];
    int64_t value[POOL][ASSIGNMENTS], assignment[ASSIGNMENTS][VARIABLES];
    for (uint32_t v = 0; v < VARIABLES; v++) pool[v] = pn_dim_named(&f.symbols, pn_str_from(names[v]));
    for (int k = 0; k < ASSIGNMENTS; k++)
      for (uint32_t v = 0; v < VARIABLES; v++) value[v][k] = assignment[k][v] = 1 + random_below(12);
    for (uint32_t i = VARIABLES; i < POOL; i++) {
      uint32_t a = random_below(i), b = random_below(i);
      uint32_t o = random_below(PN_COUNT(operations));
      bool number = random_below(3) == 0, divides = o == 3 || o == 4;
      pn_dim right =
          number ? pn_dim_of((int64_t)random_below(9) - (divides ? -1 : 3)) : pool[divides ? b % VARIABLES : b];
      pool[i] = operations[o](&f.symbols, pool[a], right);
      for (int k = 0; k < ASSIGNMENTS; k++) {
        int64_t x = value[a][k], y = number ? right.number : value[divides ? b % VARIABLES : b][k], got;
        pn_dim plain = operations[o](NULL, pn_dim_of(x), pn_dim_of(y));
        int64_t values[4096];
        for (uint32_t s = 0; s < PN_COUNT(values); s++) values[s] = s < VARIABLES ? assignment[k][s] : -1;
        REQUIRE(f.symbols.list.count <= PN_COUNT(values));
        if (!pn_dim_evaluate(&f.symbols, pool[i], values, &got)) { /* too long a name: a fresh symbol, within bounds */
          got = plain.number;
          EXPECT(strchr(printed(&f, pool[i]), '?') != NULL);
        }
        bool small = llabs(plain.number) < (INT64_C(1) << 40); /* beyond, saturation depends on the order */
        value[i][k] = plain.number;
        if (!small) {
          pool[i] = pool[a % VARIABLES];
          for (int m = 0; m < ASSIGNMENTS; m++) value[i][m] = value[a % VARIABLES][m];
          break;
        }
        REQUIRE(got == plain.number);
        EXPECT(pn_dim_lower(&f.symbols, pool[i]) <= got && got <= pn_dim_upper(&f.symbols, pool[i]));
      }
      pn_dim again;
      pn_str text = pn_str_from(pn_str_copy(&f.arena, pn_str_from(printed(&f, pool[i]))));
      REQUIRE_OK(pn_dim_parse(&f.symbols, text, &again, &f.diag), &f.diag);
      EXPECT_STR(printed(&f, again), text.data);
    }
    EXPECT_EQ(pn_symbols_status(&f.symbols, NULL), PELTON_OK);
    fixture_deinit(&f);
  }
}

/* The text alone, read into a new table, gives the same text: it does not depend on the order in which symbols were
   made. */
TEST(text_is_independent_of_history) {
  static const char *const texts[] = {"h*w+a-(h+1)/2", "min(h,max(w,3))*b-2", "(a+b+c)/(d*2+1)"};
  for (size_t i = 0; i < PN_COUNT(texts); i++) {
    fixture f, g;
    fixture_init(&f);
    fixture_init(&g);
    parsed(&g, "z+w*h+d+c+b+a");
    pn_dim d = parsed(&f, texts[i]);
    EXPECT_STR(printed(&f, d), printed(&g, parsed(&g, texts[i])));
    fixture_deinit(&f);
    fixture_deinit(&g);
  }
}

/* Minima of minima double their names at every step: they end as fresh symbols, quickly. */
TEST(growth_is_bounded) {
  fixture f;
  fixture_init(&f);
  pn_dim a = parsed(&f, "a"), b = parsed(&f, "b");
  for (int i = 0; i < 200; i++) {
    pn_dim next = pn_dim_min(&f.symbols, pn_dim_floor_div(&f.symbols, a, b), pn_dim_mul(&f.symbols, b, a));
    b = a;
    a = pn_dim_max(&f.symbols, next, pn_dim_add(&f.symbols, a, b));
  }
  EXPECT_EQ(pn_symbols_status(&f.symbols, NULL), PELTON_OK);
  EXPECT(f.symbols.list.count < 20000);
  EXPECT(strlen(printed(&f, a)) <= 512);
  fixture_deinit(&f);
}

TEST(out_of_memory) {
  harness_allocator a;
  uint64_t n = 0;
  do {
    pn_arena arena;
    pn_symbols symbols;
    pn_dim d;
    pn_arena_init(&arena, harness_allocator_init(&a, ++n));
    pn_symbols_init(&symbols, &arena);
    pelton_status status = PELTON_OK;
    for (int i = 0; i < 60 && !status; i++) { /* enough to need several blocks of the arena */
      const char *text = pn_str_printf(&arena, "min(n%d,(w%d+1)/2)*ceil(h/'a b%d')+?%d", i, i, i, i + 1);
      status = text ? pn_dim_parse(&symbols, pn_str_from(text), &d, NULL) : PELTON_OUT_OF_MEMORY;
    }
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    pn_arena_deinit(&arena);
    EXPECT_EQ(a.live, 0);
  } while (a.failed);
  EXPECT(n > 3);
}

TEST_MAIN(T(normal_forms), T(quoted_names_are_no_expressions), T(fresh_symbols_are_new), T(bounds), T(saturation),
          T(bad_texts), T(parse_from_the_front), T(random_arithmetic), T(text_is_independent_of_history),
          T(growth_is_bounded), T(out_of_memory))
