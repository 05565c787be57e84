/* What an engine file says of its values' types is believed only where the operators give the same: dtypes decide what
   is read as a pointer, and results are sized by them. */
#include "engine/image.h"
#include "harness.h"
#include "ir/text.h"
#include "pelton/build.h"
#include "pelton/run.h"

#include <stdio.h>
#include <stdlib.h>

/* Shapes that depend on data, texts, boxes, a branch and a loop; what goes in is always x, s, go. */
static const char network[] =
    "graph g(%x: f32[n], %s: string[2], %go: bool[]) -> (%where, %got, %tail, %joined, %item, %all)\n"
    "  %where = non_zero(%x)\n"
    "  %at: i64[1] = const [0]\n"
    "  %got = gather(%x, %at)\n"
    "  %tail = if(%go, %x) then_graph={ graph yes(%a) -> (%b)\n"
    "    %b = non_zero(%a)\n"
    "  end } else_graph={ graph no(%a) -> (%b)\n"
    "    %b: i64[1,0] = const []\n"
    "  end }\n"
    "  %joined = text_concat(%s, %s)\n"
    "  %zero: i64[] = const [0]\n"
    "  %seq = box(%s, %s)\n"
    "  %item = unbox(%seq, %zero)\n"
    "  %trips: i64[] = const [2]\n"
    "  %last, %all = loop(%trips, _, %s) body={ graph in(%i, %c, %state) -> (%ok, %next, %next)\n"
    "    %ok: bool[] = const [true]\n"
    "    %next = text_concat(%state, %state)\n"
    "  end } carried_count=1\n"
    "end\n";

enum { INPUTS = 3, OUTPUTS = 6, MOST_BYTES = 1 << 24 };

static char path[512]; /* in the folder of the build, so that two builds' tests do not meet */

static void *limited_alloc(void *self, size_t bytes, size_t align) {
  (void)self;
  if (align < 64) align = 64;
  return bytes > MOST_BYTES ? NULL : aligned_alloc(align, (bytes + align - 1) / align * align);
}
static void limited_release(void *self, void *pointer) {
  (void)self;
  free(pointer);
}

static pn_graph *parse(pn_arena *arena) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_graph *g = NULL;
  const char *folder = getenv("PELTON_BUILD");
  snprintf(path, sizeof path, "%s/test_engine_claims.pelton", folder && *folder ? folder : "build");
  pn_arena_init(arena, NULL);
  REQUIRE_OK(pn_graph_parse(pn_str_from(network), arena, &g, &diag), &diag);
  return g;
}

/* Stores the graph with whatever it claims, and opens that. */
static pelton_status reopen(pn_graph *g, pelton_engine **out, pelton_diag *diag) {
  static const pelton_allocator allocator = {NULL, limited_alloc, limited_release};
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  options.allocator = &allocator;
  options.threads = 1;
  pn_image *image = pn_image_create(NULL, g);
  REQUIRE(image != NULL);
  REQUIRE_OK(pn_image_write(image, path, diag), diag);
  pn_image_release(image);
  return pelton_engine_open(path, &options, out, diag);
}

static pelton_status run(pelton_engine *engine, pelton_diag *diag) {
  float x[3] = {1, 0, 2};
  pelton_string s[2] = {{"a", 1}, {"bc", 2}};
  uint8_t go = 1;
  const pelton_tensor in[INPUTS] = {{PELTON_DTYPE_F32, {1, {3}}, x, sizeof x},
                                    {PELTON_DTYPE_STRING, {1, {2}}, s, sizeof s},
                                    {PELTON_DTYPE_BOOL, {0, {0}}, &go, 1}};
  pelton_tensor out[OUTPUTS] = {{0}};
  pelton_context *context;
  pelton_status status = pelton_context_create(engine, NULL, &context, diag);
  if (status) return status;
  status = pelton_context_run(context, in, INPUTS, out, OUTPUTS, diag);
  pelton_context_release(context);
  return status;
}

static pn_value *value_of(const pn_graph *g, const char *name) {
  pn_value_id id = PN_NO_VALUE;
  REQUIRE(pn_graph_find_value(g, pn_str_from(name), &id));
  return &g->values.data[id.v];
}

static pn_graph *subgraph_of(const pn_graph *g, pn_op op, uint32_t index) {
  for (uint32_t i = 0; i < g->nodes.count; i++)
    if (g->nodes.data[i].op == op)
      return op == PN_OP_LOOP  ? ((const pn_attrs_loop *)g->nodes.data[i].attrs)->body
             : index == 0      ? ((const pn_attrs_if *)g->nodes.data[i].attrs)->then_graph
                               : ((const pn_attrs_if *)g->nodes.data[i].attrs)->else_graph;
  return NULL;
}

TEST(what_is_true_opens_and_runs) {
  pn_arena arena;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  pn_graph *g = parse(&arena);
  REQUIRE_OK(reopen(g, &engine, &diag), &diag);
  EXPECT_EQ(run(engine, &diag), PELTON_OK);
  pelton_engine_release(engine);
  value_of(g, "where")->type.dims[1] = pn_dim_of(3); /* more than can be known is no contradiction */
  value_of(g, "joined")->type.rank = PN_RANK_UNKNOWN; /* nor is less */
  REQUIRE_OK(reopen(g, &engine, &diag), &diag);
  pelton_engine_release(engine);
  pn_arena_deinit(&arena);
  remove(path);
}

static void expect_refusal(const char *name, const pn_graph *inside, pn_graph *g, const char *first,
                           const char *second) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  const pn_type before = value_of(inside, name)->type;
  pn_type *type = &value_of(inside, name)->type;
  if (type->dtype == PELTON_DTYPE_TENSOR) type->boxes.item = PELTON_DTYPE_F32;
  else type->dtype = type->dtype == PELTON_DTYPE_STRING ? PELTON_DTYPE_I64 : PELTON_DTYPE_STRING;
  EXPECT_EQ(reopen(g, &engine, &diag), PELTON_INVALID_DATA);
  REQUIRE(diag.count > 0);
  EXPECT_HAS(pelton_diag_message(&diag, 0), first);
  EXPECT_HAS(pelton_diag_message(&diag, 0), second);
  *type = before;
}

TEST(claims_that_contradict_are_refused) {
  pn_arena arena;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  pn_graph *g = parse(&arena);
  expect_refusal("where", g, g, "result 'where' is stored as string[1,", "but non_zero gives i64[1,");
  expect_refusal("got", g, g, "result 'got' is stored as string[1]", "but gather gives f32[1]");
  expect_refusal("item", g, g, "result 'item' is stored as i64", "but unbox gives string");
  expect_refusal("all", g, g, "result 'all' is stored as i64", "but loop gives string");
  expect_refusal("b", subgraph_of(g, PN_OP_IF, 0), g, "result 'b' is stored as string", "but non_zero gives i64");
  expect_refusal("state", subgraph_of(g, PN_OP_LOOP, 0), g, "text_concat", "i64");
  pn_type *type = &value_of(g, "where")->type;
  type->rank = 1;
  EXPECT_EQ(reopen(g, &engine, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "result 'where' is stored as i64[1], but non_zero gives i64[1,");
  type->rank = 2;
  type->dims[0] = pn_dim_of(7);
  const uint32_t mark = diag.count;
  EXPECT_EQ(reopen(g, &engine, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(pelton_diag_message(&diag, mark), "is stored as i64[7,");
  pn_arena_deinit(&arena);
  remove(path);
}

static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static void alter(pn_type *type, uint32_t symbols, uint32_t *random) {
  const uint32_t at = next_random(random) % PN_MAX_RANK;
  switch (next_random(random) % 5) {
    case 0: type->dtype = (pelton_dtype)(1 + next_random(random) % (PELTON_DTYPE_COUNT - 1)); break;
    case 1: type->rank = (int32_t)(next_random(random) % (PN_MAX_RANK + 2)) - 1; break;
    case 2: type->dims[at] = pn_dim_of((int64_t)(next_random(random) % 5)); break;
    case 3: type->dims[at] = (pn_dim){0, symbols ? 1 + next_random(random) % symbols : 0}; break;
    case 4:
      type->dtype = next_random(random) % 2 ? PELTON_DTYPE_TENSOR : type->dtype;
      type->boxes = (pn_boxes){(uint8_t)(next_random(random) % 3), next_random(random) % 2,
                               (pelton_dtype)(next_random(random) % PELTON_DTYPE_COUNT)};
  }
  if (type->dtype == PELTON_DTYPE_TENSOR && !type->boxes.depth) type->boxes = (pn_boxes){1, false, PELTON_DTYPE_STRING};
}

TEST(altered_types_end_in_an_error_or_a_run) {
  pn_arena arena;
  pn_graph *g = parse(&arena);
  pn_graph *const graphs[] = {g, g, subgraph_of(g, PN_OP_IF, 0), subgraph_of(g, PN_OP_IF, 1),
                              subgraph_of(g, PN_OP_LOOP, 0)};
  const char *text = getenv("PELTON_MUTATIONS");
  const long mutations = text ? strtol(text, NULL, 10) : 2000;
  uint32_t random = 88675123u, opened = 0, ran = 0;
  for (long i = 0; i < mutations; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_engine *engine = NULL;
    pn_type before[3], *altered[3];
    const uint32_t count = 1 + next_random(&random) % 3;
    for (uint32_t k = 0; k < count; k++) {
      pn_graph *at = graphs[next_random(&random) % PN_COUNT(graphs)];
      altered[k] = &at->values.data[next_random(&random) % at->values.count].type;
      before[k] = *altered[k];
      alter(altered[k], g->symbols->list.count, &random);
    }
    pelton_status status = reopen(g, &engine, &diag);
    EXPECT(status == PELTON_OK || diag.count > 0);
    opened += !status;
    if (!status) {
      status = run(engine, &diag);
      EXPECT(status == PELTON_OK || diag.count > 0);
      ran += !status;
      pelton_engine_release(engine);
    }
    for (uint32_t k = count; k-- > 0;) *altered[k] = before[k];
  }
  printf("  %ld mutations, %u opened, %u ran\n", mutations, opened, ran);
  pn_arena_deinit(&arena);
  remove(path);
}

TEST_MAIN(T(what_is_true_opens_and_runs), T(claims_that_contradict_are_refused),
          T(altered_types_end_in_an_error_or_a_run))
