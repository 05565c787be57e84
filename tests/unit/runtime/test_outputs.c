/* Outputs whose size only the run knows: through the caller's allocator, in his buffers, in the context's memory, and
   all of that at once. Engines are saved and opened again, as a deployed one is. */
#include "harness.h"

#include "pelton/build.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST = 5, LENGTH = 48, BOXES = 6 };

static const char selection_text[] =
    "graph selection(%x: f32[n<=64], %keep: bool[n], %boxes: f32[1,k<=16,4], %scores: f32[1,1,k])\n"
    "    -> (%where, %picked, %kinds, %chosen, %squares)\n"
    "  %where = non_zero(%x)\n"
    "  %picked = compress(%x, %keep) flat=true\n"
    "  %kinds = unique(%x)\n"
    "  %most: i64[] = const [16]\n"
    "  %overlap: f32[] = const [0.5]\n"
    "  %least: f32[] = const [0.0]\n"
    "  %chosen = non_max_suppression(%boxes, %scores, %most, %overlap, %least)\n"
    "  %squares = pointwise(%x) expr=\"mul(x0,x0)\"\n"
    "end\n";

/* A branch that finds its size itself, a loop and a scan that collect, a state that goes around, a view of an input. */
static const char control_text[] =
    "graph control(%x: f32[n<=64], %trip: i64[]) -> (%found, %all, %last, %sums, %row)\n"
    "  %axis: i64[1] = const [0]\n"
    "  %none: f32[] = const [0.0]\n"
    "  %sum = reduce(%x, %axis) kind=sum keep_dims=false\n"
    "  %c = pointwise(%sum, %none) expr=\"greater(x0,x1)\"\n"
    "  %found = if(%c, %x) then_graph={ graph a(%v) -> (%w)\n"
    "      %w = non_zero(%v)\n"
    "    end } else_graph={ graph b(%v) -> (%w)\n"
    "      %axis: i64[1] = const [0]\n"
    "      %n = non_zero(%v)\n"
    "      %m = pointwise(%n) expr=\"add(x0,x0)\"\n"
    "      %w = concat(%m, %n) axis=1\n"
    "    end }\n"
    "  %last, %all = loop(%trip, _, %x) body={ graph body(%i, %go, %v) -> (%go, %w, %w)\n"
    "      %w = pointwise(%v) expr=\"mul(x0,2.0:f32)\"\n"
    "    end } carried_count=1\n"
    "  %end, %sums = scan(%none, %x) body={ graph body(%s, %e) -> (%t, %t)\n"
    "      %t = pointwise(%s, %e) expr=\"add(x0,x1)\"\n"
    "    end } state_count=1 scan_count=1\n"
    "  %row = unsqueeze(%x, %axis)\n"
    "end\n";

/* Outputs that no step computes. */
static const char idle_text[] = "graph idle(%x: f32[n<=64]) -> (%a, %x, %b, %s)\n"
                                "  %a = non_zero(%x)\n"
                                "  %b: f32[3] = const [1.0, 2.0, 3.0]\n"
                                "  %s = shape_of(%x)\n"
                                "end\n";

/* Builds, saves, opens. */
static pelton_engine *make_engine(const char *text, uint32_t threads) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options build = PELTON_BUILD_OPTIONS_INIT;
  pelton_run_options run = PELTON_RUN_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model;
  pelton_engine *engine, *opened;
  char path[64];
  snprintf(path, sizeof path, "/tmp/pelton-outputs-%ld.pelton", (long)getpid());
  build.level = 0;
  build.threads = run.threads = threads;
  REQUIRE_OK(pelton_model_parse(text, strlen(text), &import, &model, &diag), &diag);
  REQUIRE_OK(pelton_engine_build(model, &build, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_save(engine, path, &diag), &diag);
  pelton_engine_release(engine);
  pelton_model_release(model);
  REQUIRE_OK(pelton_engine_open(path, &run, &opened, &diag), &diag);
  unlink(path);
  return opened;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

typedef struct feed {
  float x[LENGTH], boxes[BOXES * 4], scores[BOXES];
  uint8_t keep[LENGTH];
  int64_t trip;
  pelton_tensor selection[4], control[2];
} feed;

/* The same for the same |seed|; different seeds select different numbers of elements. */
static void fill(feed *f, uint32_t length, uint32_t seed) {
  for (uint32_t i = 0; i < LENGTH; i++) {
    seed = seed * 1664525u + 1013904223u;
    f->x[i] = (float)((int32_t)(seed >> 28) - 7) * (float)(seed >> 26 & 1);
    f->keep[i] = seed >> 25 & 1;
  }
  for (uint32_t i = 0; i < BOXES; i++) {
    seed = seed * 1664525u + 1013904223u;
    float at = (float)(seed >> 30);
    float box[4] = {at, at, at + 1, at + 1};
    memcpy(f->boxes + 4 * i, box, sizeof box);
    f->scores[i] = (float)(seed >> 8 & 0xff);
  }
  f->trip = 1 + (seed >> 24) % 5;
  pelton_tensor x = {PELTON_DTYPE_F32, {1, {length}}, f->x, sizeof(float) * length};
  f->selection[0] = f->control[0] = x;
  f->selection[1] = (pelton_tensor){PELTON_DTYPE_BOOL, {1, {length}}, f->keep, length};
  f->selection[2] = (pelton_tensor){PELTON_DTYPE_F32, {3, {1, BOXES, 4}}, f->boxes, sizeof f->boxes};
  f->selection[3] = (pelton_tensor){PELTON_DTYPE_F32, {3, {1, 1, BOXES}}, f->scores, sizeof f->scores};
  f->control[1] = (pelton_tensor){PELTON_DTYPE_I64, {0, {0}}, &f->trip, sizeof f->trip};
}

/* ---- the caller's side ------------------------------------------------------------------------------------------- */

typedef struct shelf {
  uint32_t asked[MOST];
  void *memory[MOST];
  pelton_output_request requests[MOST];
  uint32_t refuse; /* this output gets nothing; UINT32_MAX: none */
  bool wrong;      /* something about a request is not as it should be */
} shelf;

static void *shelf_allocate(void *self, const pelton_output_request *request) {
  shelf *s = self;
  size_t bytes = pelton_dtype_bytes(request->dtype);
  for (uint32_t d = 0; d < request->shape.rank; d++) bytes *= (size_t)request->shape.dims[d];
  s->wrong |= request->size < sizeof *request || request->index >= MOST || request->bytes != bytes ||
              !request->alignment || request->alignment & (request->alignment - 1);
  if (s->wrong) return NULL;
  s->asked[request->index]++;
  s->requests[request->index] = *request;
  if (s->refuse == request->index) return NULL;
  return s->memory[request->index] = request->bytes ? malloc(request->bytes) : NULL;
}

static void shelf_clear(shelf *s) {
  for (uint32_t i = 0; i < MOST; i++) free(s->memory[i]);
  *s = (shelf){.refuse = UINT32_MAX};
}

static bool same(const pelton_tensor *a, const pelton_tensor *b) {
  return a->dtype == b->dtype && a->shape.rank == b->shape.rank && a->bytes == b->bytes &&
         !memcmp(a->shape.dims, b->shape.dims, sizeof a->shape.dims[0] * a->shape.rank) &&
         (!a->bytes || !memcmp(a->data, b->data, a->bytes));
}

/* One run with |with|'s allocator, one in the memory of |plain|: 0 when they agree and every output was asked for once
   and lies where its memory is. */
static int compare(pelton_context *with, shelf *s, pelton_context *plain, const pelton_tensor *inputs,
                   uint32_t input_count, uint32_t output_count, pelton_diag *diag) {
  pelton_tensor got[MOST] = {{0}}, expected[MOST] = {{0}};
  pelton_output_allocator allocator = {s, shelf_allocate};
  shelf_clear(s);
  if (pelton_context_set_output_allocator(with, PELTON_ALL_OUTPUTS, &allocator, diag)) return 1;
  if (pelton_context_run(with, inputs, input_count, got, output_count, diag)) return 2;
  if (pelton_context_run(plain, inputs, input_count, expected, output_count, diag)) return 3;
  for (uint32_t i = 0; i < output_count; i++) {
    const pelton_output_request *r = &s->requests[i];
    if (s->wrong || s->asked[i] != 1 || got[i].data != s->memory[i] || r->bytes != got[i].bytes) return 4;
    if (!same(&got[i], &expected[i])) return 5;
  }
  return 0;
}

typedef struct pair {
  pelton_engine *engine;
  pelton_context *with, *plain;
} pair;

static pair open_pair(const char *text) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pair p = {make_engine(text, 1), NULL, NULL};
  REQUIRE_OK(pelton_context_create(p.engine, NULL, &p.with, &diag), &diag);
  REQUIRE_OK(pelton_context_create(p.engine, NULL, &p.plain, &diag), &diag);
  return p;
}

static void close_pair(pair *p) {
  pelton_context_release(p->with);
  pelton_context_release(p->plain);
  pelton_engine_release(p->engine);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

TEST(every_output_goes_where_the_caller_says) {
  pair selection = open_pair(selection_text), control = open_pair(control_text), idle = open_pair(idle_text);
  pelton_diag diag = PELTON_DIAG_INIT;
  shelf s = {.refuse = UINT32_MAX};
  feed f;
  for (uint32_t seed = 0; seed < 40; seed++) {
    fill(&f, 1 + seed % LENGTH, seed);
    EXPECT_EQ(compare(selection.with, &s, selection.plain, f.selection, 4, 5, &diag), 0);
    EXPECT_STR(s.requests[0].name, "where");
    EXPECT_STR(s.requests[4].name, "squares");
    EXPECT_EQ(compare(control.with, &s, control.plain, f.control, 2, 5, &diag), 0);
    EXPECT_EQ(s.requests[1].shape.dims[0], f.trip);
    EXPECT_EQ(compare(idle.with, &s, idle.plain, f.control, 1, 4, &diag), 0);
  }
  EXPECT_EQ(diag.count, 0);
  shelf_clear(&s);
  close_pair(&selection);
  close_pair(&control);
  close_pair(&idle);
}

TEST(outputs_of_no_elements_need_no_memory) {
  pair p = open_pair(selection_text);
  pelton_diag diag = PELTON_DIAG_INIT;
  shelf s = {.refuse = UINT32_MAX};
  feed f;
  fill(&f, 9, 1);
  memset(f.x, 0, sizeof f.x);
  memset(f.keep, 0, sizeof f.keep);
  EXPECT_EQ(compare(p.with, &s, p.plain, f.selection, 4, 5, &diag), 0);
  EXPECT_EQ(s.requests[0].bytes, 0);
  EXPECT_EQ(s.requests[0].shape.rank, 2);
  EXPECT_EQ(s.requests[1].shape.dims[0], 0);
  EXPECT(s.memory[0] == NULL);
  shelf_clear(&s);
  close_pair(&p);
}

/* What is computed in the caller's memory takes none of the context's. */
TEST(nothing_is_copied_that_a_step_can_write_there) {
  pair p = open_pair(control_text);
  pelton_diag diag = PELTON_DIAG_INIT;
  shelf s = {.refuse = UINT32_MAX};
  feed f;
  fill(&f, LENGTH, 3);
  f.trip = 60;
  for (uint32_t i = 0; i < LENGTH; i++) f.x[i] = 1;
  EXPECT_EQ(compare(p.with, &s, p.plain, f.control, 2, 5, &diag), 0);
  uint64_t direct = s.requests[0].bytes + s.requests[1].bytes + s.requests[3].bytes;
  EXPECT(direct > 60 * LENGTH * sizeof(float));
  EXPECT(pelton_context_bytes(p.with) + direct <= pelton_context_bytes(p.plain));
  shelf_clear(&s);
  close_pair(&p);
}

TEST(an_allocator_that_gives_nothing_is_named) {
  static const char *const names[] = {"where", "picked", "kinds", "chosen", "squares"};
  pair p = open_pair(selection_text);
  shelf s = {.refuse = UINT32_MAX};
  pelton_output_allocator allocator = {&s, shelf_allocate};
  feed f;
  fill(&f, LENGTH, 3);
  for (uint32_t i = 0; i < 5; i++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_tensor out[MOST] = {{0}};
    REQUIRE_OK(pelton_context_set_output_allocator(p.with, PELTON_ALL_OUTPUTS, &allocator, &diag), &diag);
    shelf_clear(&s);
    s.refuse = i;
    EXPECT_EQ(pelton_context_run(p.with, f.selection, 4, out, 5, &diag), PELTON_OUT_OF_MEMORY);
    EXPECT_HAS(pelton_diag_message(&diag, 0), names[i]);
    EXPECT_HAS(pelton_diag_message(&diag, 0), "no memory for");
    pelton_diag_init(&diag);
    EXPECT_EQ(compare(p.with, &s, p.plain, f.selection, 4, 5, &diag), 0); /* the context is as good as before */
  }
  shelf_clear(&s);
  close_pair(&p);
}

TEST(buffers_allocators_and_the_context_s_memory_mix) {
  pair p = open_pair(selection_text);
  pelton_diag diag = PELTON_DIAG_INIT;
  shelf s = {.refuse = UINT32_MAX};
  pelton_output_allocator allocator = {&s, shelf_allocate};
  int64_t where[LENGTH];
  float squares[LENGTH];
  feed f;
  fill(&f, LENGTH, 5);
  REQUIRE_OK(pelton_context_set_output_allocator(p.with, 0, &allocator, &diag), &diag);
  REQUIRE_OK(pelton_context_set_output_allocator(p.with, 2, &allocator, &diag), &diag);
  pelton_tensor out[5] = {{0}}, expected[5] = {{0}};
  out[0].data = where; /* a buffer goes before the allocator */
  out[0].bytes = sizeof where;
  out[4].data = squares;
  out[4].bytes = sizeof squares;
  REQUIRE_OK(pelton_context_run(p.with, f.selection, 4, out, 5, &diag), &diag);
  REQUIRE_OK(pelton_context_run(p.plain, f.selection, 4, expected, 5, &diag), &diag);
  for (int i = 0; i < 5; i++) EXPECT(same(&out[i], &expected[i]));
  EXPECT(out[0].data == where && out[4].data == squares && out[2].data == s.memory[2]);
  EXPECT_EQ(s.asked[0] + s.asked[1] + s.asked[3] + s.asked[4], 0);
  EXPECT_EQ(s.asked[2], 1);
  shelf_clear(&s);
  REQUIRE_OK(pelton_context_set_output_allocator(p.with, 2, NULL, &diag), &diag);
  memset(out, 0, sizeof out);
  out[0].data = where;
  out[0].bytes = sizeof where;
  REQUIRE_OK(pelton_context_run(p.with, f.selection, 4, out, 5, &diag), &diag);
  EXPECT_EQ(s.asked[2], 0);
  EXPECT_EQ(pelton_context_set_output_allocator(p.with, 5, &allocator, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "output 5");
  EXPECT_EQ(pelton_context_set_output_allocator(NULL, 0, &allocator, &diag), PELTON_INVALID_ARGUMENT);
  close_pair(&p);
}

TEST(a_buffer_that_is_too_small_tells_how_large_it_must_be) {
  pair p = open_pair(control_text);
  pelton_diag diag = PELTON_DIAG_INIT;
  int64_t found[2];
  float all[3], *large[2];
  feed f;
  fill(&f, LENGTH, 5);
  f.trip = 4;
  for (uint32_t i = 0; i < LENGTH; i++) f.x[i] = 1;
  pelton_tensor out[5] = {{0}};
  out[0].data = found;
  out[0].bytes = sizeof found;
  out[1].data = all;
  out[1].bytes = sizeof all;
  EXPECT_EQ(pelton_context_run(p.with, f.control, 2, out, 5, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_EQ(diag.count, 2);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "output 'found' has 384 bytes, its buffer only 16");
  EXPECT_HAS(pelton_diag_message(&diag, 1), "output 'all' has 768 bytes, its buffer only 12");
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(out[i].shape.rank, 2);
    EXPECT_EQ(out[i].shape.dims[1], LENGTH);
    EXPECT_EQ(out[i].shape.dims[0], i ? 4 : 1);
    size_t bytes = pelton_dtype_bytes(out[i].dtype) * (size_t)(out[i].shape.dims[0] * out[i].shape.dims[1]);
    EXPECT(out[i].data == (i ? (void *)all : (void *)found)); /* nothing claims that more is there */
    EXPECT_EQ(out[i].bytes, i ? sizeof all : sizeof found);
    out[i].data = large[i] = malloc(bytes);
    out[i].bytes = bytes;
  }
  EXPECT_EQ(out[2].shape.dims[0], LENGTH);
  REQUIRE_OK(pelton_context_run(p.with, f.control, 2, out, 5, &diag), &diag);
  EXPECT_NEAR(large[1][4 * LENGTH - 1], 16, 0);
  EXPECT_EQ(((int64_t *)out[0].data)[LENGTH - 1], LENGTH - 1);
  free(large[0]);
  free(large[1]);
  close_pair(&p);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

typedef struct client {
  pelton_engine *engines[2];
  uint32_t seed;
} client;

static void *serve(void *argument) {
  const client *c = argument;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *contexts[4] = {NULL};
  shelf shelves[2] = {{.refuse = UINT32_MAX}, {.refuse = UINT32_MAX}};
  int failed = 0;
  feed f;
  for (int i = 0; i < 4; i++)
    failed |= pelton_context_create(c->engines[i / 2], NULL, &contexts[i], &diag) != PELTON_OK;
  for (uint32_t i = 0; i < 12 && !failed; i++) {
    fill(&f, 1 + (c->seed + i) % LENGTH, 12 * c->seed + i);
    failed = compare(contexts[0], &shelves[0], contexts[1], f.selection, 4, 5, &diag);
    if (!failed) failed = compare(contexts[2], &shelves[1], contexts[3], f.control, 2, 5, &diag);
  }
  for (int i = 0; i < 4; i++) pelton_context_release(contexts[i]);
  for (int i = 0; i < 2; i++) shelf_clear(&shelves[i]);
  return failed ? argument : NULL;
}

TEST(threads_with_allocators_share_an_engine) {
  enum { CLIENTS = 4 };
  pthread_t threads[CLIENTS];
  client clients[CLIENTS];
  pelton_engine *selection = make_engine(selection_text, 2), *control = make_engine(control_text, 2);
  for (uint32_t i = 0; i < CLIENTS; i++) {
    clients[i] = (client){{selection, control}, i};
    REQUIRE(pthread_create(&threads[i], NULL, serve, &clients[i]) == 0);
  }
  for (uint32_t i = 0; i < CLIENTS; i++) {
    void *failed;
    pthread_join(threads[i], &failed);
    EXPECT(failed == NULL);
  }
  pelton_engine_release(selection);
  pelton_engine_release(control);
}

TEST_MAIN(T(every_output_goes_where_the_caller_says), T(outputs_of_no_elements_need_no_memory),
          T(nothing_is_copied_that_a_step_can_write_there), T(an_allocator_that_gives_nothing_is_named),
          T(buffers_allocators_and_the_context_s_memory_mix), T(a_buffer_that_is_too_small_tells_how_large_it_must_be),
          T(threads_with_allocators_share_an_engine))
