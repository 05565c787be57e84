/* What the target cuda tells when something is wrong, and what it leaves alone: whose memory, which device, how much
   there is, which step. Over the fake driver. */
#include "fake_engine.h"
#include "network.h"
#include "pelton/serve.h"

#include <pthread.h>

enum { RUNS = 4 }; /* one by one, once more, recorded, played */

/* Inputs and outputs on another GPU, or shorter than they should be: told by name before anything runs. */
TEST(memory_of_another_device_is_refused) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine, *other;
  pelton_context *context;
  use_fake();
  set_devices(2, 90);
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_on_device(engine, 1, &other, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  float *x = network_input(1, 5), y[NETWORK_CLASSES], got[NETWORK_CLASSES];
  pelton_tensor in = network_tensor(x, 1), out[2] = {{.data = y, .bytes = sizeof y}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  void *x_there = place(engine, x, in.bytes), *x_other = place(other, x, in.bytes);
  void *y_there = place(engine, NULL, sizeof y), *y_other = place(other, NULL, sizeof y);
  void *m_there = place(engine, NULL, NETWORK_MEANS * sizeof *y);
  const struct {
    void *x, *y;
    size_t y_bytes;
    const char *why;
  } rows[] = {
      {x_there, y_there, sizeof y, NULL},
      {x_other, y_there, sizeof y, "input 'x': it is memory of CUDA device 1, the engine is on device 0"},
      {x_there, y_other, sizeof y, "output 'y': it is memory of CUDA device 1, the engine is on device 0"},
      {(char *)x_there + 4, y_there, sizeof y, "input 'x': 1728 bytes are wanted of memory of CUDA device 0 that has "
                                               "1724"},
      {x_there, y_there, 1000, "output 'y': 1000 bytes are wanted of memory of CUDA device 0 that has 40"},
      {x_there, y_there, sizeof y, NULL},
  };
  for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) { /* by run, by enqueue */
    const size_t r = i / 2;
    pelton_diag_init(&diag);
    in.data = rows[r].x;
    out[0] = (pelton_tensor){.data = rows[r].y, .bytes = rows[r].y_bytes};
    out[1] = (pelton_tensor){.data = m_there, .bytes = NETWORK_MEANS * sizeof *y};
    const pelton_status status = i % 2 ? pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag)
                                       : pelton_context_run(context, &in, 1, out, 2, &diag);
    EXPECT_EQ(status, rows[r].why ? PELTON_INVALID_ARGUMENT : PELTON_OK);
    EXPECT_HAS(diag.count ? pelton_diag_message(&diag, 0) : "", rows[r].why ? rows[r].why : "");
  }
  uint64_t managed[2]; /* allocated while device 1 is current; any device's */
  void *current;
  EXPECT_EQ(retain_context(&current, 1) + set_current(current), 0);
  EXPECT_EQ(alloc_managed(&managed[0], in.bytes, 1) + alloc_managed(&managed[1], sizeof y, 1), 0);
  in.data = (void *)(uintptr_t)managed[0];
  memcpy(in.data, x, in.bytes);
  out[0] = (pelton_tensor){.data = (void *)(uintptr_t)managed[1], .bytes = sizeof y};
  REQUIRE_OK(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), &diag);
  REQUIRE_OK(pelton_memory_read(engine, got, out[0].data, sizeof got, &diag), &diag);
  EXPECT(!memcmp(got, y, sizeof y));
  for (int i = 0; i < 2; i++) EXPECT_EQ(free_memory(managed[i]), 0);
  EXPECT_EQ(set_current(NULL) + release_context(1), 0);
  pelton_memory_release(engine, x_there);
  pelton_memory_release(engine, y_there);
  pelton_memory_release(engine, m_there);
  pelton_memory_release(other, x_other);
  pelton_memory_release(other, y_other);
  pelton_context_release(context);
  pelton_engine_release(other);
  pelton_engine_release(engine);
  free(x);
  EXPECT_EQ(live(), 0);
}

/* What the calling thread has current: none, the engine's own context or another device's. */
static void expect_current(void *context, const char *after) {
  void *found = NULL;
  EXPECT_EQ(get_current(&found), 0);
  if (found != context) printf("  after %s\n", after);
  EXPECT(found == context);
}

/* A context's life on |engine|, memory of it, pinned memory of |other|. */
static void use_context(pelton_engine *engine, pelton_engine *other, void *current) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  float *x = network_input(1, 5);
  void *there, *pinned;
  REQUIRE(x != NULL);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  expect_current(current, "making a context");
  pelton_tensor in = network_tensor(x, 1), out[2] = {{0}};
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  expect_current(current, "a run");
  REQUIRE_OK(pelton_memory_create(engine, in.bytes, &there, &diag), &diag);
  expect_current(current, "making memory");
  REQUIRE_OK(pelton_memory_write(engine, there, x, in.bytes, &diag), &diag);
  REQUIRE_OK(pelton_memory_read(engine, x, there, in.bytes, &diag), &diag);
  expect_current(current, "copies");
  REQUIRE_OK(pelton_host_memory_create(other, in.bytes, &pinned, &diag), &diag);
  expect_current(current, "making pinned memory");
  void *y = place(engine, NULL, 4096), *m = place(engine, NULL, 4096);
  for (int r = 0; r < RUNS; r++) {
    in.data = there;
    out[0] = (pelton_tensor){.data = y, .bytes = 4096};
    out[1] = (pelton_tensor){.data = m, .bytes = 4096};
    REQUIRE_OK(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), &diag);
    expect_current(current, "an enqueued run");
  }
  in.data = x;
  EXPECT_EQ(pelton_context_enqueue(context, &in, 1, out, 2, NULL, &diag), PELTON_INVALID_ARGUMENT);
  expect_current(current, "a refused run");
  pelton_host_memory_release(other, pinned);
  expect_current(current, "releasing pinned memory");
  pelton_memory_release(engine, y);
  pelton_memory_release(engine, m);
  pelton_memory_release(engine, there);
  expect_current(current, "releasing memory");
  pelton_context_release(context);
  expect_current(current, "releasing a context");
  free(x);
}

static void use_everything(void *current, bool peaks) {
  pelton_run_options options = PELTON_RUN_OPTIONS_INIT;
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine, *other, *none;
  pelton_device_memory told = {(uint32_t)sizeof told, 0, 0};
  char *text;
  EXPECT_EQ(set_current(current), 0);
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  expect_current(current, "a build");
  options.device_libraries = folder;
  if (peaks) { /* which takes a while */
    REQUIRE_OK(pelton_devices_json(&options, &text, &diag), &diag);
    pelton_text_release(text);
    expect_current(current, "a list of devices");
    REQUIRE_OK(pelton_engine_peaks_json(engine, &text, &diag), &diag);
    pelton_text_release(text);
    expect_current(current, "measuring peaks");
  }
  pelton_server_options serving = PELTON_SERVER_OPTIONS_INIT;
  pelton_server *server;
  serving.device_count = PELTON_ALL_DEVICES;
  serving.contexts = 1;
  REQUIRE_OK(pelton_server_create(engine, &serving, &server, &diag), &diag);
  expect_current(current, "making a server");
  pelton_server_release(server);
  expect_current(current, "releasing a server");
  REQUIRE_OK(pelton_engine_on_device(engine, 1, &other, &diag), &diag);
  EXPECT_EQ(pelton_engine_on_device(engine, 7, &none, &diag), PELTON_DEVICE_ERROR);
  expect_current(current, "opening another device");
  const pelton_shape shape = {4, {1, 3, 12, 12}};
  REQUIRE_OK(pelton_engine_device_memory(other, &shape, &told, &diag), &diag);
  expect_current(current, "telling memory");
  use_context(engine, other, current);
  lose_device(1, 1);
  pelton_engine_release(other);
  expect_current(current, "releasing a lost engine");
  lose_device(-1, 0);
  pelton_engine_release(engine);
  expect_current(current, "releasing an engine");
}

TEST(a_callers_thread_keeps_its_context) {
  void *contexts[2];
  use_fake();
  set_devices(2, 90);
  for (int d = 0; d < 2; d++) EXPECT_EQ(retain_context(&contexts[d], d), 0);
  use_everything(NULL, false);
  use_everything(contexts[0], false);
  use_everything(contexts[1], true);
  EXPECT_EQ(set_current(NULL), 0);
  for (int d = 0; d < 2; d++) EXPECT_EQ(release_context(d), 0);
  EXPECT_EQ(live(), 0);
}

/* An output's allocator, which runs in the middle, finds the engine's device current, whatever the caller has. */
static void *allocate_there(void *self, const pelton_output_request *request) {
  void *found = NULL;
  (void)request;
  EXPECT_EQ(get_current(&found), 0);
  *(void **)self = found;
  return NULL;
}

TEST(an_outputs_allocator_finds_the_engines_device) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  void *own, *seen = NULL;
  use_fake();
  set_devices(2, 90);
  EXPECT_EQ(retain_context(&own, 0), 0);
  EXPECT_EQ(set_current(NULL), 0);
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  const pelton_output_allocator allocator = {&seen, allocate_there};
  REQUIRE_OK(pelton_context_set_output_allocator(context, 0, &allocator, &diag), &diag);
  float *x = network_input(1, 5);
  pelton_tensor in = network_tensor(x, 1), out[2] = {{0}};
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT(seen == own);
  expect_current(NULL, "a run that failed");
  pelton_context_release(context);
  pelton_engine_release(engine);
  EXPECT_EQ(release_context(0), 0);
  free(x);
  EXPECT_EQ(live(), 0);
}

/* ---- memory that runs out --------------------------------------------------------------------------------------- */

static const char *first(const pelton_diag *diag) { return diag->count ? pelton_diag_message(diag, 0) : ""; }

TEST(memory_that_runs_out_is_told) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine, *second;
  pelton_context *context;
  pelton_device_memory told = {(uint32_t)sizeof told, 0, 0};
  const pelton_shape shape = {4, {2, 3, 12, 12}};
  float *x = network_input(2, 5);
  pelton_tensor in = network_tensor(x, 2), out[2] = {{0}};
  void *there;
  use_fake();
  limit_memory(1000); /* not enough for the driver's own */
  EXPECT_EQ(build(network_text, "cuda", NULL, &engine, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT_HAS(first(&diag), "CUDA device 0: making a context failed: out of memory (CUDA_ERROR_OUT_OF_MEMORY)");
  limit_memory(5000);
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_engine_device_memory(engine, &shape, &told, &diag), &diag);
  limit_memory(500);
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_create(engine, NULL, &context, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT_HAS(first(&diag), "making a stream failed: out of memory (CUDA_ERROR_OUT_OF_MEMORY), 500 of its 500 bytes");
  limit_memory(5000);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT_HAS(first(&diag), "CUDA device 0: allocating 16777216 bytes for weights failed: out of memory");
  EXPECT_HAS(first(&diag), "5000 of its 5000 bytes are free; use smaller shapes, fewer contexts or another device");
  limit_memory((long)told.weight_bytes);
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT_HAS(first(&diag), "bytes for activations failed: out of memory");
  EXPECT_HAS(first(&diag), " 0 of its ");
  limit_memory((long)(told.weight_bytes + told.context_bytes - 1));
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_context_run(context, &in, 1, out, 2, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT_HAS(first(&diag), "bytes for an input or a result failed: out of memory");
  limit_memory((long)(told.weight_bytes + told.context_bytes)); /* what was told is enough, and it goes on */
  REQUIRE_OK(pelton_context_run(context, &in, 1, out, 2, &diag), &diag);
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_memory_create(engine, 77, &there, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT(there == NULL);
  EXPECT_HAS(first(&diag), "CUDA device 0: allocating 77 bytes for the caller failed: out of memory");
  EXPECT_EQ(pelton_engine_on_device(engine, 1, &second, &diag), PELTON_DEVICE_ERROR);
  pelton_context_release(context);
  pelton_engine_release(engine);
  free(x);
  EXPECT_EQ(live(), 0);
}

/* A device that is lost while memory is asked for is lost, and not full. */
TEST(a_device_lost_while_allocating_is_no_want_of_memory) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  void *there;
  use_fake();
  REQUIRE_OK(build(network_text, "cuda", NULL, &engine, &diag), &diag);
  lose_device(0, 1);
  EXPECT_EQ(pelton_memory_create(engine, 77, &there, &diag), PELTON_DEVICE_ERROR);
  EXPECT_HAS(first(&diag), "CUDA device 0: allocating 77 bytes for the caller failed: the fake driver was told to");
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_host_memory_create(engine, 78, &there, &diag), PELTON_DEVICE_ERROR);
  EXPECT_HAS(first(&diag), "CUDA device 0: allocating pinned memory of the host failed: the fake driver");
  lose_device(-1, 0);
  pelton_diag_init(&diag);
  EXPECT_EQ(pelton_host_memory_create(engine, (size_t)1 << 46, &there, &diag), PELTON_OUT_OF_MEMORY);
  EXPECT_HAS(first(&diag), "CUDA device 0: the host has no 70368744177664 bytes more that can be pinned");
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

/* ---- indices out of range --------------------------------------------------------------------------------------- */

static const struct {
  const char *text, *why;
  int64_t wrong; /* the second element of %i */
} faults[] = {
    {"graph g(%x: f32[4], %i: i64[2]) -> (%a)\n  %a = gather(%x, %i) axis=0\nend\n",
     "step 'a': gather: index 9 lies outside an extent of 4; give indices that are in it", 9},
    {"graph g(%x: f32[4], %i: i64[2]) -> (%a)\n  %a = gather(%x, %i) axis=0\nend\n",
     "step 'a': gather: index -5000000000 lies outside an extent of 4", -5000000000},
    {"graph g(%x: f32[4], %i: i64[2]) -> (%a)\n  %a = gather_elements(%x, %i)\nend\n",
     "step 'a': gather_elements: index -5 lies outside an extent of 4", -5},
    {"graph g(%x: f32[4], %i: i64[2]) -> (%a)\n  %z: f32[2] = const [7, 8]\n  %a = scatter_elements(%x, %i, %z)\nend\n",
     "step 'a': scatter_elements: index 4 lies outside an extent of 4", 4},
    {"graph g(%x: f32[4,2], %i: i64[2]) -> (%a)\n  %a = reverse_sequence(%x, %i)\nend\n",
     "step 'a': reverse_sequence: length 5 is not one from 0 to 4", 5},
    /* of several the first that goes wrong: the next one's indices come from it */
    {"graph g(%x: f32[4], %i: i64[2]) -> (%a, %b, %c)\n  %t: i64[3] = const [0, 1, 3]\n  %a = gather(%x, %i) axis=0\n"
     "  %b = gather(%t, %i) axis=0\n  %c = gather(%x, %b) axis=0\nend\n",
     "step 'b': gather: index 3 lies outside an extent of 3", 3},
};

/* Right indices, wrong ones, right ones again, each as often as it takes to be recorded and played. */
static void meet_fault(pelton_engine *engine, size_t k) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_context *context;
  float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  int64_t indices[2] = {1, 0};
  pelton_io_info info;
  REQUIRE_OK(pelton_engine_input(engine, 0, &info), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  const pelton_tensor in[2] = {{PELTON_DTYPE_F32, info.shape, x, sizeof x},
                               {PELTON_DTYPE_I64, {1, {2}}, indices, sizeof indices}};
  for (int r = 0; r < 3 * RUNS; r++) {
    const bool wrong = r / RUNS == 1;
    pelton_tensor out[3] = {{0}};
    pelton_diag_init(&diag);
    indices[1] = wrong ? faults[k].wrong : 0;
    const pelton_status status =
        pelton_context_run(context, in, 2, out, pelton_engine_output_count(engine), &diag);
    EXPECT_EQ(status, wrong ? PELTON_INVALID_DATA : PELTON_OK);
    if (wrong) EXPECT_HAS(first(&diag), faults[k].why);
    EXPECT_EQ(diag.count, wrong);
  }
  pelton_context_release(context);
}

TEST(an_index_out_of_range_has_its_step_and_number) {
  use_fake();
  for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++) {
    pelton_diag diag = PELTON_DIAG_INIT;
    pelton_engine *engine;
    REQUIRE_OK(build(faults[k].text, "cuda", NULL, &engine, &diag), &diag);
    meet_fault(engine, k);
    pelton_engine_release(engine);
  }
  EXPECT_EQ(live(), 0);
}

/* What an enqueued run meets is told by the next run, which is in order itself. */
TEST(an_enqueued_runs_index_is_told_by_the_next_run) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engine;
  pelton_context *context;
  const float x[4] = {1, 2, 3, 4};
  const int64_t wrong[2] = {1, 9}, right[2] = {1, 3};
  use_fake();
  REQUIRE_OK(build(faults[0].text, "cuda", NULL, &engine, &diag), &diag);
  REQUIRE_OK(pelton_context_create(engine, NULL, &context, &diag), &diag);
  void *x_there = place(engine, x, sizeof x), *i_there = place(engine, wrong, sizeof wrong);
  void *there = place(engine, NULL, 8);
  const pelton_tensor in[2] = {{PELTON_DTYPE_F32, {1, {4}}, x_there, sizeof x},
                               {PELTON_DTYPE_I64, {1, {2}}, i_there, sizeof wrong}};
  pelton_tensor out = {.data = there, .bytes = 8};
  for (int r = 0; r < RUNS; r++) REQUIRE_OK(pelton_context_enqueue(context, in, 2, &out, 1, NULL, &diag), &diag);
  REQUIRE_OK(pelton_memory_write(engine, i_there, right, sizeof right, &diag), &diag);
  EXPECT_EQ(pelton_context_run(context, in, 2, &out, 1, &diag), PELTON_INVALID_DATA);
  EXPECT_HAS(first(&diag), faults[0].why);
  REQUIRE_OK(pelton_context_run(context, in, 2, &out, 1, &diag), &diag);
  pelton_memory_release(engine, x_there);
  pelton_memory_release(engine, i_there);
  pelton_memory_release(engine, there);
  pelton_context_release(context);
  pelton_engine_release(engine);
  EXPECT_EQ(live(), 0);
}

/* Contexts of two devices at once, each with a fault of its own. */
typedef struct faulty_thread {
  pthread_t thread;
  pelton_engine *engine;
} faulty_thread;

static void *meet_in_thread(void *self) {
  meet_fault(((faulty_thread *)self)->engine, 0);
  return NULL;
}

TEST(faults_of_many_contexts_are_told_apart) {
  enum { THREADS = 6 };
  pelton_diag diag = PELTON_DIAG_INIT;
  pelton_engine *engines[2];
  faulty_thread threads[THREADS];
  use_fake();
  set_devices(2, 90);
  REQUIRE_OK(build(faults[0].text, "cuda", NULL, &engines[0], &diag), &diag);
  REQUIRE_OK(pelton_engine_on_device(engines[0], 1, &engines[1], &diag), &diag);
  for (int i = 0; i < THREADS; i++) {
    threads[i].engine = engines[i % 2];
    REQUIRE(!pthread_create(&threads[i].thread, NULL, meet_in_thread, &threads[i]));
  }
  for (int i = 0; i < THREADS; i++) REQUIRE(!pthread_join(threads[i].thread, NULL));
  for (int i = 0; i < 2; i++) pelton_engine_release(engines[i]);
  EXPECT_EQ(live(), 0);
}

TEST_MAIN(T(memory_of_another_device_is_refused), T(a_callers_thread_keeps_its_context),
          T(an_outputs_allocator_finds_the_engines_device), T(memory_that_runs_out_is_told),
          T(a_device_lost_while_allocating_is_no_want_of_memory), T(an_index_out_of_range_has_its_step_and_number),
          T(an_enqueued_runs_index_is_told_by_the_next_run), T(faults_of_many_contexts_are_told_apart))
