/* Weights packed after an engine was opened: once for all contexts, and the same results as with packed weights in the
   file. */
#include "harness.h"

#include "pelton/build.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT = 64 * 8 * 8, OUTPUT = 64 * 8 * 8, WEIGHTS = (64 * 64 * 9 + 64 * 64 + 64 * 64) * 4 };

/* A convolution of each kind, and one in a loop's body. */
static const char network[] = "graph packed(%x: f32[n<=4,64,8,8], %trips: i64[]) -> (%y, %z)\n"
                              "  %w1: f32[64,64,3,3] = const random(1)\n"
                              "  %w2: f32[64,64,1,1] = const random(2)\n"
                              "  %a = conv(%x, %w1) pads=[1,1,1,1]\n"
                              "  %b = pointwise(%a) expr=\"relu(x0)\"\n"
                              "  %y = conv(%b, %w2)\n"
                              "  %z = loop(%trips, _, %x) body={ graph body(%i, %go, %v) -> (%go, %s)\n"
                              "      %w3: f32[64,64,1,1] = const random(3)\n"
                              "      %c = conv(%v, %w3)\n"
                              "      %s = pointwise(%c) expr=\"tanh(x0)\"\n"
                              "    end } carried_count=1\n"
                              "end\n";

static void make_file(const char *path, uint32_t omit_packed) {
  pelton_import_options import = PELTON_IMPORT_OPTIONS_INIT;
  pelton_build_options build = PELTON_BUILD_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model;
  pelton_engine *engine;
  build.level = 0;
  build.threads = 1;
  build.omit_packed = omit_packed;
  REQUIRE_OK(pelton_model_parse(network, sizeof network - 1, &import, &model, &diag), &diag);
  REQUIRE_OK(pelton_engine_build(model, &build, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_save(engine, path, &diag), &diag);
  pelton_engine_release(engine);
  pelton_model_release(model);
}

static pelton_engine *open_file(const char *path, const char *isa, const pelton_allocator *allocator) {
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  options.cpu_isa = isa;
  options.threads = 1;
  options.allocator = allocator;
  REQUIRE_OK(pelton_engine_open(path, &options, &engine, &diag), &diag);
  return engine;
}

static const char *file_of(const char *name) {
  static char path[2][80];
  static int which;
  which = !which;
  snprintf(path[which], sizeof path[which], "/tmp/pelton-packed-%ld-%s", (long)getpid(), name);
  return path[which];
}

static pelton_status run(pelton_context *context, float *y, float *z, pelton_diag *diag) {
  static const int64_t trips = 2;
  float x[INPUT];
  for (int i = 0; i < INPUT; i++) x[i] = (float)(i * 37 % 101) / 101 - 0.5f;
  pelton_tensor in[2] = {{PELTON_DTYPE_F32, {4, {1, 64, 8, 8}}, x, sizeof x},
                         {PELTON_DTYPE_I64, {0, {0}}, (void *)(uintptr_t)&trips, sizeof trips}};
  pelton_tensor out[2] = {{0}};
  out[0].data = y;
  out[1].data = z;
  out[0].bytes = out[1].bytes = sizeof(float) * OUTPUT;
  return pelton_context_run(context, in, 2, out, 2, diag);
}

static uint64_t weight_bytes(const pelton_engine *engine) {
  pelton_memory_info info;
  REQUIRE(pelton_engine_memory(engine, &info) == PELTON_OK);
  return info.weight_bytes;
}

TEST(an_engine_without_packed_weights_gives_the_same) {
  static const char *const isas[] = {NULL, "portable"};
  static float y[2][OUTPUT], z[2][OUTPUT];
  struct stat with, without;
  const char *paths[2] = {file_of("with"), file_of("without")};
  make_file(paths[0], 0);
  make_file(paths[1], 1);
  REQUIRE(stat(paths[0], &with) == 0 && stat(paths[1], &without) == 0);
  EXPECT(without.st_size < WEIGHTS + 32768);
  EXPECT(with.st_size > without.st_size + WEIGHTS / 2);
  for (int i = 0; i < 2; i++) {
    for (int k = 0; k < 2; k++) {
      pelton_diag diag = PELTON_DIAG_INIT;
      pelton_engine *engine = open_file(paths[k], isas[i], NULL);
      pelton_context *context;
      REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
      REQUIRE_OK(run(context, y[k], z[k], &diag), &diag);
      pelton_context_release(context);
      pelton_engine_release(engine);
    }
    EXPECT_EQ(memcmp(y[0], y[1], sizeof y[0]), 0);
    EXPECT_EQ(memcmp(z[0], z[1], sizeof z[0]), 0);
  }
  unlink(paths[0]);
  unlink(paths[1]);
}

TEST(contexts_share_what_is_packed) {
  static float y[OUTPUT], z[OUTPUT];
  const char *path = file_of("shared");
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *contexts[3];
  make_file(path, 1);
  pelton_engine *engine = open_file(path, NULL, NULL);
  uint64_t raw = weight_bytes(engine), packed = 0;
  for (int i = 0; i < 3; i++) {
    REQUIRE_OK(pelton_context_create(engine, NULL, &contexts[i], &diag), &diag);
    REQUIRE_OK(run(contexts[i], y, z, &diag), &diag);
    if (i == 0) packed = weight_bytes(engine);
    EXPECT_EQ(weight_bytes(engine), packed);
  }
  EXPECT(packed >= raw + WEIGHTS);
  for (int i = 0; i < 3; i++) pelton_context_release(contexts[i]);
  EXPECT_EQ(weight_bytes(engine), packed); /* the next context finds them */
  pelton_engine_release(engine);
  unlink(path);
}

/* Widths of panels follow from the rows, which are dynamic: weights packed for one number do not fit another. */
static const char rows_network[] = "graph rows(%x: f32[n<=128,64]) -> (%y)\n"
                                   "  %w: f32[64,64] = const random(1)\n"
                                   "  %y = matmul(%x, %w)\n"
                                   "end\n";

TEST(other_rows_are_packed_anew) {
  static const int64_t counts[] = {128, 1, 3, 17, 64, 128};
  static float x[128 * 64], y[128 * 64], first[64];
  pelton_build_options build = PELTON_BUILD_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_model *model;
  pelton_engine *engine;
  pelton_context *context;
  build.level = 0;
  build.threads = 1;
  for (int i = 0; i < 128 * 64; i++) x[i] = (float)(i * 37 % 101) / 101 - 0.5f;
  REQUIRE_OK(pelton_model_parse(rows_network, sizeof rows_network - 1, NULL, &model, &diag), &diag);
  REQUIRE_OK(pelton_engine_build(model, &build, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
    pelton_tensor in = {PELTON_DTYPE_F32, {2, {counts[k], 64}}, x, (size_t)counts[k] * 256};
    pelton_tensor out = {.data = y, .bytes = sizeof y};
    REQUIRE_OK(pelton_context_run(context, &in, 1, &out, 1, &diag), &diag);
    for (int j = 0; j < 64; j++) { /* the first row is the same whatever comes after it */
      if (k == 0) first[j] = y[j];
      EXPECT_NEAR((double)y[j], (double)first[j], 1e-4);
    }
  }
  pelton_context_release(context);
  pelton_engine_release(engine);
  pelton_model_release(model);
}

typedef struct client {
  pelton_engine *engine;
  float y[OUTPUT], z[OUTPUT];
} client;

static void *serve(void *argument) {
  client *c = argument;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  if (pelton_context_create(c->engine, NULL, &context, &diag)) return argument;
  pelton_status status = run(context, c->y, c->z, &diag);
  pelton_context_release(context);
  return status ? argument : NULL;
}

TEST(threads_pack_once) {
  enum { CLIENTS = 4 };
  static float y[OUTPUT], z[OUTPUT];
  static client clients[CLIENTS];
  const char *path = file_of("threads");
  pthread_t threads[CLIENTS];
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  make_file(path, 1);
  pelton_engine *engine = open_file(path, NULL, NULL);
  for (int i = 0; i < CLIENTS; i++) {
    clients[i].engine = engine;
    REQUIRE(pthread_create(&threads[i], NULL, serve, &clients[i]) == 0);
  }
  for (int i = 0; i < CLIENTS; i++) {
    void *failed;
    pthread_join(threads[i], &failed);
    EXPECT(failed == NULL);
  }
  uint64_t packed = weight_bytes(engine);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  REQUIRE_OK(run(context, y, z, &diag), &diag);
  EXPECT_EQ(weight_bytes(engine), packed);
  for (int i = 0; i < CLIENTS; i++) EXPECT(!memcmp(clients[i].y, y, sizeof y) && !memcmp(clients[i].z, z, sizeof z));
  pelton_context_release(context);
  pelton_engine_release(engine);
  unlink(path);
}

TEST(any_allocation_of_the_first_run_may_fail) {
  static float y[OUTPUT], z[OUTPUT];
  const char *path = file_of("failing");
  harness_allocator a;
  pelton_diag diag = PELTON_DIAG_INIT;
  make_file(path, 1);
  for (uint64_t n = 1; n < 10000; n++) {
    pelton_engine *engine = open_file(path, NULL, harness_allocator_init(&a, 0));
    pelton_context *context;
    REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
    a.fail_at = a.count + n;
    pelton_status status = run(context, y, z, &diag);
    EXPECT_EQ(status, a.failed ? PELTON_OUT_OF_MEMORY : PELTON_OK);
    a.fail_at = 0;
    pelton_diag_init(&diag);
    REQUIRE_OK(run(context, y, z, &diag), &diag); /* and all is well again */
    pelton_context_release(context);
    pelton_engine_release(engine);
    EXPECT_EQ(a.live, 0);
    if (!status) break;
  }
  unlink(path);
}

TEST_MAIN(T(an_engine_without_packed_weights_gives_the_same), T(other_rows_are_packed_anew), T(contexts_share_what_is_packed), T(threads_pack_once),
          T(any_allocation_of_the_first_run_may_fail))
