/* Build and run through the public interface: results against the unoptimised portable path, other shapes, threads,
   memory. */
#include "harness.h"
#include "network.h"

#include <math.h>
#include <pthread.h>

static pelton_model *make_model(const pelton_allocator *allocator) {
  pelton_import_options options = PELTON_IMPORT_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model = NULL;
  options.allocator = allocator;
  REQUIRE_OK(pelton_model_parse(network_text, sizeof network_text - 1, &options, &model, &diag), &diag);
  return model;
}

static pelton_engine *make_engine(const char *isa, uint32_t threads, uint32_t no_passes, int32_t level) {
  pelton_build_options options = PELTON_BUILD_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine = NULL;
  pelton_model *model = make_model(NULL);
  options.cpu_isa = isa;
  options.threads = threads;
  options.no_passes = no_passes;
  options.level = level;
  REQUIRE_OK(pelton_engine_build(model, &options, &engine, &diag), &diag);
  pelton_model_release(model);
  return engine;
}

/* Runs |batch| pictures; |y| and |m| receive the outputs. */
static void run_into(pelton_context *context, uint32_t batch, uint32_t seed, float *y, float *m) {
  pelton_diag diag = PELTON_DIAG_INIT;
  float *data = network_input(batch, seed);
  REQUIRE(data != NULL);
  pelton_tensor in = network_tensor(data, batch), out[2] = {{0}};
  out[0].data = y;
  out[0].bytes = sizeof(float) * NETWORK_CLASSES * batch;
  out[1].data = m;
  out[1].bytes = sizeof(float) * NETWORK_MEANS * batch;
  pelton_status status = pelton_context_run(context, &in, 1, out, 2, &diag);
  free(data);
  REQUIRE_OK(status, &diag);
  EXPECT_EQ(out[0].shape.rank, 2);
  EXPECT_EQ(out[0].shape.dims[0], batch);
  EXPECT_EQ(out[1].shape.dims[1], NETWORK_MEANS);
}

static void compare_engines(pelton_engine *a, pelton_engine *b, uint32_t batch) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *ca, *cb;
  float y[2][NETWORK_CLASSES * 8], m[2][NETWORK_MEANS * 8];
  REQUIRE_OK(pelton_context_create(a, NULL, &ca, &diag), &diag);
  REQUIRE_OK(pelton_context_create(b, NULL, &cb, &diag), &diag);
  run_into(ca, batch, 7, y[0], m[0]);
  run_into(cb, batch, 7, y[1], m[1]);
  for (uint32_t i = 0; i < NETWORK_CLASSES * batch; i++) EXPECT_NEAR(y[0][i], y[1][i], 1e-5);
  for (uint32_t i = 0; i < NETWORK_MEANS * batch; i++) EXPECT_NEAR(m[0][i], m[1][i], 1e-5);
  pelton_context_release(ca);
  pelton_context_release(cb);
}

TEST(every_isa_level_and_thread_count_agrees) {
  static const char *const isas[] = {"portable", "avx2", "native"};
  pelton_engine *plain = make_engine("portable", 1, 1, 0);
  for (size_t i = 0; i < 3; i++) {
    for (uint32_t threads = 1; threads <= 2; threads++) {
      pelton_engine *engine = make_engine(isas[i], threads, 0, (int32_t)threads - 1);
      compare_engines(plain, engine, 1);
      compare_engines(plain, engine, 3);
      pelton_engine_release(engine);
    }
  }
  pelton_engine_release(plain);
}

TEST(a_dynamic_batch_takes_any_number_in_its_bounds) {
  pelton_engine *plain = make_engine("portable", 1, 1, 0), *engine = make_engine(NULL, 2, 0, 0);
  for (uint32_t batch = 1; batch <= 8; batch++) compare_engines(plain, engine, batch);
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  float *data = network_input(65, 1);
  pelton_tensor in = network_tensor(data, 65), out[2] = {{0}};
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "'x'");
  free(data);
  pelton_context_release(context);
  pelton_engine_release(plain);
  pelton_engine_release(engine);
}

TEST(outputs_come_in_the_context_s_memory_when_none_is_given) {
  pelton_engine *engine = make_engine(NULL, 1, 0, 0);
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  float *data = network_input(2, 3), y[2 * NETWORK_CLASSES], m[2 * NETWORK_MEANS], small[3];
  pelton_tensor in = network_tensor(data, 2), out[2] = {{0}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  run_into(context, 2, 3, y, m);
  pelton_tensor again[2] = {{0}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, again, 2, &diag), &diag);
  EXPECT_EQ(memcmp(again[0].data, y, sizeof y), 0);
  EXPECT_EQ(again[0].bytes, sizeof y);
  again[0].data = small;
  again[0].bytes = sizeof small;
  EXPECT_EQ(pelton_context_run(context, &in, 1, again, 2, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "'y'");
  free(data);
  pelton_context_release(context);
  pelton_engine_release(engine);
}

TEST(wrong_inputs_are_named) {
  pelton_engine *engine = make_engine(NULL, 1, 0, 0);
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  float *data = network_input(1, 3);
  pelton_tensor in = network_tensor(data, 1), out[2] = {{0}};
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 1, &diag), PELTON_INVALID_ARGUMENT);
  in.dtype = PELTON_DTYPE_I32;
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 1), "f32");
  in.dtype = PELTON_DTYPE_F32;
  in.shape.dims[2] = 13;
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_INVALID_ARGUMENT);
  EXPECT_HAS(pelton_diag_message(&diag, 2), "13");
  in.shape.dims[2] = 12;
  in.bytes = 4;
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_INVALID_ARGUMENT);
  in.bytes = sizeof(float) * NETWORK_INPUT;
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  free(data);
  pelton_context_release(context);
  pelton_engine_release(engine);
}

/* ---- threads --------------------------------------------------------------------------------------------------------
 */

typedef struct client {
  pelton_engine *engine;
  float y[NETWORK_CLASSES], m[NETWORK_MEANS];
} client;

static void *serve(void *argument) {
  client *c = argument;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  if (pelton_context_create(c->engine, NULL, &context, &diag)) return argument;
  float *data = network_input(1, 11);
  pelton_tensor in = network_tensor(data, 1);
  pelton_status status = PELTON_OK;
  for (int i = 0; i < 20 && !status; i++) {
    pelton_tensor out[2] = {{PELTON_DTYPE_F32, {0, {0}}, c->y, sizeof c->y},
                            {PELTON_DTYPE_F32, {0, {0}}, c->m, sizeof c->m}};
    status = pelton_context_run(context, &in, 1, out, 2, &diag);
  }
  free(data);
  pelton_context_release(context);
  return status ? argument : NULL;
}

TEST(threads_share_an_engine) {
  enum { CLIENTS = 4 };
  pthread_t threads[CLIENTS];
  static client clients[CLIENTS];
  pelton_engine *engine = make_engine(NULL, 2, 0, 0);
  for (int i = 0; i < CLIENTS; i++) {
    clients[i].engine = engine;
    REQUIRE(pthread_create(&threads[i], NULL, serve, &clients[i]) == 0);
  }
  for (int i = 0; i < CLIENTS; i++) {
    void *failed;
    pthread_join(threads[i], &failed);
    EXPECT(failed == NULL);
    EXPECT_EQ(memcmp(clients[i].y, clients[0].y, sizeof clients[0].y), 0);
  }
  pelton_engine_release(engine);
}

/* ---- memory ---------------------------------------------------------------------------------------------------------
 */

/* Everything from the text to a result, with |allocator|. */
static pelton_status whole_life(const pelton_allocator *allocator, uint64_t *run_allocations, const _Atomic uint64_t *count) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options build = PELTON_BUILD_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model = NULL;
  pelton_engine *engine = NULL;
  pelton_context *context = NULL;
  import.allocator = build.allocator = allocator;
  build.threads = 2;
  build.level = 0;
  float *data = network_input(1, 5), y[NETWORK_CLASSES], m[NETWORK_MEANS];
  pelton_tensor in = network_tensor(data, 1);
  pelton_status status = pelton_model_parse(network_text, sizeof network_text - 1, &import, &model, &diag);
  if (!status) status = pelton_engine_build(model, &build, &engine, &diag);
  if (!status) status = pelton_context_create(engine, NULL, &context, &diag);
  for (int i = 0; i < 3 && !status; i++) {
    pelton_tensor out[2] = {{PELTON_DTYPE_F32, {0, {0}}, y, sizeof y}, {PELTON_DTYPE_F32, {0, {0}}, m, sizeof m}};
    uint64_t before = *count;
    status = pelton_context_run(context, &in, 1, out, 2, &diag);
    if (i == 2) *run_allocations = *count - before;
  }
  free(data);
  pelton_context_release(context);
  pelton_engine_release(engine);
  pelton_model_release(model);
  return status;
}

TEST(a_run_of_known_shapes_allocates_nothing) {
  harness_allocator a;
  uint64_t run_allocations = 1;
  const pelton_allocator *allocator = harness_allocator_init(&a, 0);
  EXPECT_EQ(whole_life(allocator, &run_allocations, &a.count), PELTON_OK);
  EXPECT_EQ(run_allocations, 0);
  EXPECT_EQ(a.live, 0);
}

TEST(any_allocation_may_fail) {
  harness_allocator a;
  uint64_t n = 0, run_allocations;
  do {
    const pelton_allocator *allocator = harness_allocator_init(&a, ++n);
    pelton_status status = whole_life(allocator, &run_allocations, &a.count);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    EXPECT_EQ(a.live, 0);
  } while (a.failed && n < 100000);
}

TEST_MAIN(T(every_isa_level_and_thread_count_agrees), T(a_dynamic_batch_takes_any_number_in_its_bounds),
          T(outputs_come_in_the_context_s_memory_when_none_is_given), T(wrong_inputs_are_named),
          T(threads_share_an_engine), T(a_run_of_known_shapes_allocates_nothing), T(any_allocation_may_fail))
